/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How time-stamp counters are compared (hv/cpu/tsc_step.h): the bounds hold what is true, whatever
 * the messages take; a step that a message could show is found; wrapped counters are no matter.
 *
 * Sources:
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hv/cpu/tsc_step.h"

#define TRIALS	  2000u
#define EXCHANGES 50u
#define SLOW_MAX  1000u /* ticks that a message takes at most */
#define FAST	  40u	/* and the fastest one of a measurement, in each direction */

static unsigned upto(unsigned most)
{
	return (unsigned)rand() % (most + 1);
}

/* Of a counter that is `ahead` of ours. Among the exchanges is one whose messages are both fast. */
static struct tsc_step measured(u64 now, s64 ahead)
{
	struct tsc_step s = TSC_STEP_UNKNOWN;
	unsigned fast = upto(EXCHANGES - 1);

	for (unsigned i = 0; i < EXCHANGES; i++) {
		u64 there = i == fast ? FAST : FAST + upto(SLOW_MAX);
		u64 back = i == fast ? FAST : FAST + upto(SLOW_MAX);

		tsc_step_narrow(&s, now, now + there + (u64)ahead, now + there + back);
		now += there + back + upto(SLOW_MAX);
	}
	return s;
}

static void bounds_hold_the_truth(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TRIALS; i++) {
		s64 ahead = (s64)upto(4 * SLOW_MAX) - 2 * (s64)SLOW_MAX;
		struct tsc_step s = measured(1ul << 40, ahead);

		assert_true(s.low <= ahead && ahead <= s.high);
		assert_int_equal(s.low, ahead - (s64)FAST);
		assert_int_equal(s.high, ahead + (s64)FAST);
	}
}

static void steps_are_told_from_none(void **state)
{
	static const struct {
		s64 ahead;
		bool none;
	} cases[] = {
		{ 0, true },
		{ FAST, true }, /* no message is fast enough to show it */
		{ -(s64)FAST, true },
		{ FAST + 1, false },
		{ -(s64)FAST - 1, false },
		{ 1ll << 40, false },
		{ -(1ll << 40), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tsc_step s = measured(1ul << 50, cases[i].ahead);

		assert_int_equal(tsc_step_none(&s), cases[i].none);
	}
}

/* A counter that was reset just before, or runs over in the course of it. */
static void counters_wrap(void **state)
{
	struct tsc_step s;

	(void)state;
	s = measured(-(u64)SLOW_MAX, 0);
	assert_true(tsc_step_none(&s));
	s = measured(10, -1000); /* theirs is still below 0 */
	assert_false(tsc_step_none(&s));
	assert_int_equal(s.high, -1000 + (s64)FAST);
}

static void a_change_in_between_is_a_step(void **state)
{
	struct tsc_step s = measured(1ul << 30, 5000), later = measured(1ul << 31, -5000);

	(void)state;
	s.low = MAX(s.low, later.low);
	s.high = MIN(s.high, later.high);
	assert_true(s.low > s.high);
	assert_false(tsc_step_none(&s));
}

static void nothing_is_known_at_first(void **state)
{
	struct tsc_step s = TSC_STEP_UNKNOWN;

	(void)state;
	tsc_step_narrow(&s, 100, 130, 150);
	assert_int_equal(s.low, -20);
	assert_int_equal(s.high, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_known_at_first),
		cmocka_unit_test(bounds_hold_the_truth),
		cmocka_unit_test(steps_are_told_from_none),
		cmocka_unit_test(counters_wrap),
		cmocka_unit_test(a_change_in_between_is_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
