/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of deadlines, with a clock turned by hand.
 *
 * Sources: hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/clock.h"

static struct timerq tq;
static struct timer a, b;
static unsigned runs;

static void count(struct timer *t)
{
	assert_false(timer_armed(t));
	runs++;
}

static void again(struct timer *t)
{
	runs++;
	timer_arm(&tq, t, 0);
}

static void cancel_b(struct timer *t)
{
	(void)t;
	timer_cancel(&tq, &b);
}

static void start(void (*expire)(struct timer *t))
{
	clock_now = 0;
	runs = 0;
	timerq_init(&tq, 1000, now);
	timer_init(&a, expire);
	timer_init(&b, count);
}

static void test_next_and_order(void **state)
{
	(void)state;
	start(count);
	assert_true(tq.next == TIMER_NEVER);
	timer_arm(&tq, &b, 20);
	timer_arm(&tq, &a, 10);
	assert_int_equal(tq.next, 10);
	clock_now = 9;
	timerq_run(&tq);
	assert_int_equal(runs, 0);
	clock_now = 10;
	timerq_run(&tq);
	assert_int_equal(runs, 1);
	assert_int_equal(tq.next, 20);
	timer_cancel(&tq, &b);
	timer_cancel(&tq, &b);
	assert_true(tq.next == TIMER_NEVER);
}

static void test_storm_ends(void **state)
{
	(void)state;
	start(again);
	timer_arm(&tq, &a, 0);
	timerq_run(&tq);
	assert_int_equal(runs, 1);
	assert_true(timer_armed(&a));
}

static void test_cancel_of_a_due_timer(void **state)
{
	(void)state;
	start(cancel_b);
	timer_arm(&tq, &a, 1);
	timer_arm(&tq, &b, 2);
	clock_now = 5;
	timerq_run(&tq);
	assert_int_equal(runs, 0);
	assert_true(tq.next == TIMER_NEVER);
}

static unsigned changes;
static u64 changed_to;

static void note_change(struct timerq *q)
{
	changes++;
	changed_to = q->next;
}

static void test_change_of_the_head(void **state)
{
	(void)state;
	start(count);
	timer_arm(&tq, &a, 10); /* nobody asked */
	changes = 0;
	tq.changed = note_change;
	timer_arm(&tq, &b, 20);
	assert_int_equal(changes, 0);
	timer_arm(&tq, &b, 5);
	assert_int_equal(changes, 1);
	assert_int_equal(changed_to, 5);
	timer_arm(&tq, &b, 5);
	assert_int_equal(changes, 1);
	timer_cancel(&tq, &b);
	assert_int_equal(changes, 2);
	assert_int_equal(changed_to, 10);
	clock_now = 10;
	timerq_run(&tq);
	assert_int_equal(changes, 3);
	assert_true(changed_to == TIMER_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_and_order),
		cmocka_unit_test(test_storm_ends),
		cmocka_unit_test(test_cancel_of_a_due_timer),
		cmocka_unit_test(test_change_of_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
