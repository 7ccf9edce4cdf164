/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run queue: a simulated CPU that picks, runs what it picked for its slice, and charges it.
 *
 * Sources: hv/vm/runq.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hv/cpu/timer.h"
#include "hv/vm/runq.h"

#define SLICE  400ul
#define PERIOD 10000ul
#define SECOND 1000000ul

static struct runq q;
static struct share s[64];
static u64 ran[64], now;

static int setup(void **state)
{
	(void)state;
	runq_init(&q, SLICE, PERIOD);
	now = 12345;
	for (unsigned i = 0; i < ARRAY_SIZE(s); i++)
		ran[i] = 0;
	return 0;
}

static void begin(unsigned i, unsigned weight, unsigned cap)
{
	share_init(&s[i], weight, cap);
	runq_add(&q, &s[i], true);
}

/* One pick; runs to the end of the slice, or to `end`. Returns who ran, or -1. */
static int step(u64 end)
{
	u64 until, start = now;
	struct share *p = runq_pick(&q, now, &until);

	assert_true(until > now);
	now = MIN(until, end);
	if (!p)
		return -1;
	ran[p - s] += now - start;
	runq_charge(&q, p, now - start);
	runq_add(&q, p, false);
	return (int)(p - s);
}

static void run_until(u64 end)
{
	while (now < end)
		step(end);
}

/* Within 1 % of the part. */
static void assert_part(unsigned i, u64 of, unsigned weight, unsigned all)
{
	u64 due = of * weight / all;

	assert_in_range(ran[i], due - due / 100, due + due / 100);
}

static void shares_follow_weights(void **state)
{
	static const unsigned weight[] = { 100, 200, 300, 50, 1 };
	u64 from = now;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(weight); i++)
		begin(i, weight[i], 0);
	run_until(from + 10 * SECOND);
	for (unsigned i = 0; i < 4; i++)
		assert_part(i, 10 * SECOND, weight[i], 651);
	assert_true(ran[4] > 0);
}

static void many_take_turns(void **state)
{
	u64 from = now;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(s); i++)
		begin(i, 100, 0);
	/* Nobody waits longer than all the others' slices. */
	for (unsigned n = 0; n < 10 * ARRAY_SIZE(s); n++)
		step(TIMER_NEVER);
	for (unsigned i = 0; i < ARRAY_SIZE(s); i++)
		assert_int_equal(ran[i], 10 * SLICE);
	assert_int_equal(now - from, 10 * SLICE * ARRAY_SIZE(s));
}

static void alone_there_is_no_end(void **state)
{
	u64 until;

	(void)state;
	begin(0, 100, 0);
	assert_ptr_equal(runq_pick(&q, now, &until), &s[0]);
	assert_int_equal(until, TIMER_NEVER);
	assert_int_equal(q.count, 0);
	assert_null(runq_pick(&q, now, &until));
	assert_int_equal(until, TIMER_NEVER);
}

static void a_slice_ends_if_others_wait(void **state)
{
	u64 until;

	(void)state;
	begin(0, 100, 0);
	begin(1, 100, 0);
	assert_non_null(runq_pick(&q, now, &until));
	assert_int_equal(until, now + SLICE);
}

/* Who slept gets the CPU soon, and no more of it than half a slice beyond its part. */
static void sleep_is_no_credit(void **state)
{
	u64 from;

	(void)state;
	begin(0, 100, 0);
	run_until(now + SECOND);
	begin(1, 100, 0);
	from = now;
	ran[0] = 0;
	assert_int_equal(step(TIMER_NEVER), 1);
	run_until(from + SECOND);
	assert_part(0, SECOND, 1, 2);
	assert_part(1, SECOND, 1, 2);
}

/* It ran alone, for long, and sleeps when the other wakes: the other has earned no lead by it. */
static void running_alone_is_no_debt(void **state)
{
	struct share *p;
	u64 until, from;

	(void)state;
	begin(0, 100, 0);
	begin(1, 100, 0);
	run_until(now + 10 * SLICE);
	p = runq_pick(&q, now, &until);
	assert_non_null(runq_pick(&q, now, &until)); /* the other one goes to sleep */
	now += SECOND;
	runq_charge(&q, p, SECOND);
	/* Now p sleeps as well, and both wake. */
	runq_add(&q, &s[0], true);
	runq_add(&q, &s[1], true);
	ran[0] = ran[1] = 0;
	from = now;
	run_until(from + SECOND);
	assert_part(0, SECOND, 1, 2);
	assert_part(1, SECOND, 1, 2);
}

static void a_cap_holds(void **state)
{
	u64 from = now;

	(void)state;
	begin(0, 100, 10);
	begin(1, 100, 0);
	run_until(from + 10 * SECOND);
	assert_part(0, 10 * SECOND, 10, 100);
	assert_part(1, 10 * SECOND, 90, 100);
}

static void a_cap_leaves_the_cpu_idle(void **state)
{
	u64 from = now, idle = 0;

	(void)state;
	begin(0, 100, 25);
	while (now < from + SECOND) {
		u64 before = now;

		if (step(from + SECOND) < 0)
			idle += now - before;
	}
	assert_part(0, SECOND, 25, 100);
	assert_int_equal(idle + ran[0], SECOND);
}

/* A cap above the fair share is no promise. */
static void a_cap_is_not_a_share(void **state)
{
	u64 from = now;

	(void)state;
	begin(0, 100, 90);
	begin(1, 100, 0);
	run_until(from + SECOND);
	assert_part(0, SECOND, 1, 2);
}

/* What was run beyond the budget, because a slice could not be ended in time, is paid back. */
static void an_overrun_is_paid_back(void **state)
{
	u64 until, from = now, total = 0;
	struct share *p;

	(void)state;
	begin(0, 100, 10);
	while (now < from + 10 * SECOND) {
		p = runq_pick(&q, now, &until);
		if (!p) {
			now = until;
			continue;
		}
		now += 5 * PERIOD;
		total += 5 * PERIOD;
		runq_charge(&q, p, 5 * PERIOD);
		runq_add(&q, p, false);
	}
	assert_in_range(total, SECOND - 5 * PERIOD, SECOND + 5 * PERIOD);
}

/* It was held back by its cap for most of the time: the others owe it nothing for that. */
static void being_capped_is_no_credit(void **state)
{
	u64 from;

	(void)state;
	begin(0, 100, 1);
	begin(1, 100, 0);
	run_until(now + SECOND);
	s[0].cap = 0;
	ran[0] = ran[1] = 0;
	from = now;
	run_until(from + SECOND);
	assert_part(0, SECOND, 1, 2);
}

/* Who was taken out is not picked, and owes and is owed nothing when it comes back. */
static void taken_out_is_out(void **state)
{
	u64 from;

	(void)state;
	begin(0, 100, 0);
	begin(1, 100, 0);
	run_until(now + SECOND);
	runq_remove(&q, &s[0]);
	ran[0] = ran[1] = 0;
	run_until(now + SECOND);
	assert_int_equal(ran[0], 0);
	runq_add(&q, &s[0], true);
	ran[1] = 0;
	from = now;
	run_until(from + SECOND);
	assert_part(0, SECOND, 1, 2);
}

/* Of two with one turn to trade, the other runs; what both have had in the end is as without. */
static void a_turn_is_traded(void **state)
{
	u64 until;

	(void)state;
	begin(0, 100, 0);
	begin(1, 100, 0);
	assert_int_equal(step(now + SLICE), 0);
	/* 1 has the turn, spins for a moment, and gives it to 0. */
	assert_ptr_equal(runq_pick(&q, now, &until), &s[1]);
	runq_charge(&q, &s[1], 10);
	runq_trade(&s[1], &s[0]);
	assert_int_equal(s[0].vtime, 10);
	assert_int_equal(s[1].vtime, SLICE);
	runq_trade(&s[1], &s[0]); /* there is none to give */
	assert_int_equal(s[0].vtime, 10);
	runq_add(&q, &s[1], false);
	assert_int_equal(step(now + SLICE), 0);
	assert_int_equal(step(now + SLICE), 1);
}

/* Who is passed over gets the CPU only if nobody else may, and has lost nothing by it. */
static void others_go_first_once(void **state)
{
	u64 until;

	(void)state;
	begin(0, 100, 0);
	begin(1, 100, 0);
	run_until(now + 3 * SLICE);
	assert_ptr_equal(runq_pick(&q, now, &until), &s[1]);
	runq_add(&q, &s[1], false);
	runq_pass_over(&q, &s[1]);
	assert_int_equal(step(now + SLICE), 0);
	assert_int_equal(step(now + SLICE), 1);
	assert_int_equal(step(now + SLICE), 1);
	runq_remove(&q, &s[0]);
	runq_pass_over(&q, &s[1]);
	assert_int_equal(step(now + SLICE), 1);
	/* Nor does it come after one that has used up its cap. */
	begin(2, 100, 1);
	s[2].used = PERIOD;
	s[2].period = now;
	runq_pass_over(&q, &s[1]);
	assert_int_equal(step(now + SLICE), 1);
}

/* Two that do nothing but spin for each other take nothing from a third. */
static void spinning_is_no_gain(void **state)
{
	u64 from = now, until;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		begin(i, 100, 0);
	while (now < from + SECOND) {
		struct share *p = runq_pick(&q, now, &until);
		u64 ticks = p == &s[2] ? SLICE : SLICE / 40;

		ran[p - s] += ticks;
		now += ticks;
		runq_charge(&q, p, ticks);
		runq_add(&q, p, false);
		if (p == &s[2])
			continue;
		runq_trade(p, p == &s[0] ? &s[1] : &s[0]);
		runq_pass_over(&q, p);
	}
	assert_in_range(ran[2], SECOND / 3 - SLICE, SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(shares_follow_weights, setup),
		cmocka_unit_test_setup(many_take_turns, setup),
		cmocka_unit_test_setup(alone_there_is_no_end, setup),
		cmocka_unit_test_setup(a_slice_ends_if_others_wait, setup),
		cmocka_unit_test_setup(sleep_is_no_credit, setup),
		cmocka_unit_test_setup(running_alone_is_no_debt, setup),
		cmocka_unit_test_setup(a_cap_holds, setup),
		cmocka_unit_test_setup(a_cap_leaves_the_cpu_idle, setup),
		cmocka_unit_test_setup(a_cap_is_not_a_share, setup),
		cmocka_unit_test_setup(an_overrun_is_paid_back, setup),
		cmocka_unit_test_setup(being_capped_is_no_credit, setup),
		cmocka_unit_test_setup(taken_out_is_out, setup),
		cmocka_unit_test_setup(a_turn_is_traded, setup),
		cmocka_unit_test_setup(others_go_first_once, setup),
		cmocka_unit_test_setup(spinning_is_no_gain, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
