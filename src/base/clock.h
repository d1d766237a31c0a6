/* Time, replaceable by tests. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* since 1970, for what is stored */
int64_t clock_mono_us(void); /* for durations */

/* Tests and replay: both clocks read *now_us instead; NULL goes back to the real ones. */
void clock_set_virtual(const int64_t *now_us);

#endif
