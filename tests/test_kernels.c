/* The parts below a forward pass: number formats, the table of backends, the thread pool. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cpu/pool.h"
#include "kernels/half.h"
#include "kernels/kernels.h"

static void halves_are_exact(void **state)
{
    (void)state;
    assert_true(half_to_float(0x3c00) == 1.0f);
    assert_true(half_to_float(0xc000) == -2.0f);
    assert_true(half_to_float(0x7bff) == 65504.0f);
    assert_true(half_to_float(0x0400) == 0x1p-14f);
    assert_true(half_to_float(0x0001) == 0x1p-24f); /* subnormal */
    assert_true(half_to_float(0x83ff) == -1023 * 0x1p-24f);
    assert_true(half_to_float(0x7c00) == INFINITY && half_to_float(0xfc00) == -INFINITY);
    assert_true(isnan(half_to_float(0x7e00)));
    assert_true(signbit(half_to_float(0x8000)) && half_to_float(0x8000) == 0);
}

static void block_formats_unpack_in_ggml_order(void **state)
{
    uint8_t block[1 + 34] = { 0 }; /* at an odd address */
    uint8_t *at = block + 1;
    float out[32];
    (void)state;
    uint16_t two = 0x4000, one = 0x3c00;
    memcpy(at, &two, 2);
    at[2] = 0x9f;
    dtype_info(DTYPE_Q4_0)->to_float(at, out, 32);
    assert_true(out[0] == 14 && out[16] == 2 && out[1] == -16 && out[31] == -16);
    memcpy(at + 2, &one, 2);
    at[4] = 0x9f;
    dtype_info(DTYPE_Q4_1)->to_float(at, out, 32);
    assert_true(out[0] == 31 && out[16] == 19 && out[1] == 1);
    at[2] = 0x80;
    at[33] = 3;
    dtype_info(DTYPE_Q8_0)->to_float(at, out, 32);
    assert_true(out[0] == -256 && out[31] == 6);
}

static void plain_formats_read_unaligned_values(void **state)
{
    uint8_t bytes[17];
    float out[2];
    const double wide[2] = { 0.1, -3e300 };
    (void)state;
    memcpy(bytes + 1, wide, 16);
    dtype_info(DTYPE_F64)->to_float(bytes + 1, out, 2);
    assert_true(out[0] == 0.1f && out[1] == -INFINITY);
    const uint16_t brains[2] = { 0x3f80, 0xc228 };
    memcpy(bytes + 1, brains, 4);
    dtype_info(DTYPE_BF16)->to_float(bytes + 1, out, 2);
    assert_true(out[0] == 1 && out[1] == -42);
    const float singles[2] = { 1.5f, -0.25f };
    memcpy(bytes + 1, singles, 8);
    dtype_info(DTYPE_F32)->to_float(bytes + 1, out, 2);
    assert_memory_equal(out, singles, sizeof out);
    assert_null(dtype_info(DTYPE_I32)->to_float);
}

static void every_format_has_a_row(void **state)
{
    (void)state;
    for (DType type = 0; type < DTYPE_COUNT; type++) {
        assert_non_null(dtype_info(type)->name);
        assert_true(dtype_info(type)->block > 0 && dtype_info(type)->block_bytes > 0);
    }
}

static void backends_are_found_by_name(void **state)
{
    int n = 0;
    const BackendOps *const *table = backend_table(&n);
    (void)state;
    assert_true(n >= 2);
    for (int i = 0; i < n; i++)
        assert_ptr_equal(backend_find(table[i]->name), table[i]);
    assert_string_equal(table[n - 1]->name, "reference");
    assert_null(backend_find("abacus"));
}

typedef struct {
    atomic_int seen[2000];
    atomic_int worst_thread;
} Marks;

static void mark(void *arg, int item, int thread)
{
    Marks *marks = arg;
    atomic_fetch_add(&marks->seen[item], 1);
    int worst = atomic_load(&marks->worst_thread);
    while (thread > worst && !atomic_compare_exchange_weak(&marks->worst_thread, &worst, thread))
        continue;
}

static void the_pool_runs_every_item_once(void **state)
{
    static const int sizes[] = { 0, 1, 2, 3, 17, 256, 2000 };
    (void)state;
    for (int threads = 1; threads <= 5; threads += 2) {
        Pool *pool = pool_new(threads);
        assert_non_null(pool);
        assert_int_equal(pool_threads(pool), threads);
        for (int round = 0; round < 200; round++) {
            int n = sizes[round % 7];
            Marks *marks = calloc(1, sizeof *marks);
            pool_run(pool, n, mark, marks);
            for (int i = 0; i < 2000; i++)
                assert_int_equal(atomic_load(&marks->seen[i]), i < n);
            assert_true(atomic_load(&marks->worst_thread) < threads);
            free(marks);
        }
        pool_free(pool);
    }
}

static void a_pool_that_cannot_be_is_refused(void **state)
{
    (void)state;
    assert_null(pool_new(0));
    assert_null(pool_new(100000));
    pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_are_exact),
        cmocka_unit_test(block_formats_unpack_in_ggml_order),
        cmocka_unit_test(plain_formats_read_unaligned_values),
        cmocka_unit_test(every_format_has_a_row),
        cmocka_unit_test(backends_are_found_by_name),
        cmocka_unit_test(the_pool_runs_every_item_once),
        cmocka_unit_test(a_pool_that_cannot_be_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
