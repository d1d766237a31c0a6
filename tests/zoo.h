/* The zoo: one row for each format and shape of model that a backend must be right on. */
#ifndef TESTS_ZOO_H
#define TESTS_ZOO_H

#include "tests/tiny_shape.h"

/* Rows from ZOO_GPU on are of shapes that a GPU takes too; those before are small and awkward. */
enum { ZOO_GPU = 23, N_ZOO = 40 };

extern const TinySpec zoo[N_ZOO];

#endif
