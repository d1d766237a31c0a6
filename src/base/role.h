/* Who speaks. */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

typedef enum { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT } Role;

#endif
