/* The mailbox under one thread and under two; run under ThreadSanitizer by ./check --all. */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/clock.h"
#include "src/base/mailbox.h"
#include "src/base/mem.h"

typedef struct {
    MailItem item;
    long number;
} Letter;

enum { LETTERS = 200000 };

static Mailbox *box_new(void)
{
    Error err = ERROR_INIT;
    Mailbox *box = mailbox_new(&err);

    assert_non_null(box);
    return box;
}

static void push(Mailbox *box, long number)
{
    Letter *letter = xcalloc(1, sizeof *letter);

    letter->number = number;
    mailbox_push(box, &letter->item);
}

static bool readable(const Mailbox *box)
{
    struct pollfd fd = { mailbox_fd(box), POLLIN, 0 };

    return poll(&fd, 1, 0) == 1;
}

static long count_and_free(MailItem *items, long *next)
{
    long n = 0;

    while (items) {
        Letter *letter = (Letter *)items;

        items = items->next;
        assert_int_equal(letter->number, (*next)++);
        free(letter);
        n++;
    }
    return n;
}

static void letters_come_out_in_order_and_at_once(void **state)
{
    Mailbox *box = box_new();
    long next = 0;

    (void)state;
    assert_null(mailbox_take(box));
    for (long i = 0; i < 5; i++)
        push(box, i);
    assert_int_equal(count_and_free(mailbox_take(box), &next), 5);
    assert_null(mailbox_take(box));
    mailbox_free(box);
}

static void the_descriptor_is_readable_exactly_while_letters_wait(void **state)
{
    Mailbox *box = box_new();
    long next = 0;

    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_false(readable(box));
        push(box, next);
        assert_true(readable(box));
        assert_true(mailbox_wait(box, -1));
        assert_true(readable(box)); /* waiting takes nothing */
        count_and_free(mailbox_take(box), &next);
    }
    assert_false(readable(box));
    mailbox_free(box);
}

static void a_burst_costs_one_byte(void **state)
{
    Mailbox *box = box_new();
    char bytes[8];
    long next = 0;

    (void)state;
    for (long i = 0; i < 100000; i++) /* more than a pipe holds */
        push(box, i);
    assert_int_equal(read(mailbox_fd(box), bytes, sizeof bytes), 1);
    assert_int_equal(count_and_free(mailbox_take(box), &next), 100000);
    mailbox_free(box);
}

static void waiting_ends_when_the_time_is_over(void **state)
{
    Mailbox *box = box_new();
    int64_t start = clock_mono_us(), took;

    (void)state;
    assert_false(mailbox_wait(box, 0));
    assert_false(mailbox_wait(box, 30));
    took = clock_mono_us() - start;
    assert_true(took >= 29000);
    mailbox_free(box);
    mailbox_free(NULL);
}

static void *send_all(void *p)
{
    for (long i = 0; i < LETTERS; i++) {
        push(p, i);
        if (i % 1000 == 0) { /* let the reader run dry now and then */
            struct timespec pause = { 0, 20000 };

            nanosleep(&pause, NULL);
        }
    }
    return NULL;
}

static void no_letter_and_no_wake_up_is_lost_between_threads(void **state)
{
    Mailbox *box = box_new();
    pthread_t sender;
    long next = 0;

    (void)state;
    assert_int_equal(pthread_create(&sender, NULL, send_all, box), 0);
    while (next < LETTERS) {
        assert_true(mailbox_wait(box, 20000)); /* a lost wake-up would end here */
        count_and_free(mailbox_take(box), &next);
    }
    pthread_join(sender, NULL);
    assert_null(mailbox_take(box));
    assert_false(readable(box));
    mailbox_free(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_come_out_in_order_and_at_once),
        cmocka_unit_test(the_descriptor_is_readable_exactly_while_letters_wait),
        cmocka_unit_test(a_burst_costs_one_byte),
        cmocka_unit_test(waiting_ends_when_the_time_is_over),
        cmocka_unit_test(no_letter_and_no_wake_up_is_lost_between_threads),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
