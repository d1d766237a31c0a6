/* `bench --explain`: where the time of a token goes, phase by phase, beside the time that reading
 * its bytes at the memory's rate would take. */
#ifndef SRC_BENCH_EXPLAIN_H
#define SRC_BENCH_EXPLAIN_H

#include <jansson.h>

#include "engine/engine.h"

typedef struct {
    int depth;
    double token_ms;  /* measured, no clocks running */
    double read_rate; /* bytes a second; 0: not known */
    TokenProfile profile;
} Explanation;

/* format: table, csv (with its heading when first), json (a row is appended to rows). */
void explanation_print(const Explanation *explanation, const char *format, bool first,
                       json_t *rows);

#endif
