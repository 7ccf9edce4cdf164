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
static struct runner r[64];
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
	share_init(&s[i], weight, cap, 1);
	runner_init(&r[i], &s[i]);
	runq_add(&q, &r[i], true);
}

/* A VM with `all` vcpus, of which `here` are on this CPU: runners from i on. */
static void begin_vm(unsigned i, unsigned here, unsigned all, unsigned weight, unsigned cap)
{
	share_init(&s[i], weight, cap, all);
	for (unsigned n = i; n < i + here; n++) {
		runner_init(&r[n], &s[i]);
		runq_add(&q, &r[n], true);
	}
}

/* One pick; runs to the end of the slice, or to `end`. Returns who ran, or -1. */
static int step(u64 end)
{
	u64 until, start = now;
	struct runner *p = runq_pick(&q, now, &until);

	assert_true(until > now);
	now = MIN(until, end);
	if (!p)
		return -1;
	ran[p - r] += now - start;
	runq_charge(&q, p, now - start);
	runq_add(&q, p, false);
	return (int)(p - r);
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
	assert_ptr_equal(runq_pick(&q, now, &until), &r[0]);
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
	struct runner *p;
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
	runq_add(&q, &r[0], true);
	runq_add(&q, &r[1], true);
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
	struct runner *p;

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
	runq_remove(&q, &r[0]);
	ran[0] = ran[1] = 0;
	run_until(now + SECOND);
	assert_int_equal(ran[0], 0);
	runq_add(&q, &r[0], true);
	ran[1] = 0;
	from = now;
	run_until(from + SECOND);
	assert_part(0, SECOND, 1, 2);
}

/* Of one VM's vcpus the one put first runs in the VM's turn, before one that has waited for longer;
 * the VM has its part all the same. */
static void one_of_a_vm_goes_first(void **state)
{
	u64 from;

	(void)state;
	begin_vm(0, 3, 3, 100, 0);
	begin_vm(3, 1, 1, 100, 0);
	assert_int_equal(step(now + SLICE), 0);
	assert_int_equal(step(now + SLICE), 3);
	runq_put_first(&q, &r[2]);
	assert_int_equal(step(now + SLICE), 2); /* and not 1 */
	runq_put_first(&q, &r[2]);
	assert_int_equal(step(now + SLICE), 3); /* it is not the VM's turn */
	assert_int_equal(step(now + SLICE), 2);
	ran[3] = 0;
	from = now;
	while (now < from + SECOND) {
		runq_put_first(&q, &r[1]);
		step(TIMER_NEVER);
	}
	assert_part(3, now - from, 1, 2);
}

/* Who is passed over gets the CPU only if nobody else may, and has lost nothing by it. */
static void others_go_first_once(void **state)
{
	u64 until;

	(void)state;
	begin(0, 100, 0);
	begin(1, 100, 0);
	run_until(now + 3 * SLICE);
	assert_ptr_equal(runq_pick(&q, now, &until), &r[1]);
	runq_add(&q, &r[1], false);
	runq_pass_over(&q, &r[1]);
	assert_int_equal(step(now + SLICE), 0);
	assert_int_equal(step(now + SLICE), 1);
	assert_int_equal(step(now + SLICE), 1);
	runq_remove(&q, &r[0]);
	runq_pass_over(&q, &r[1]);
	assert_int_equal(step(now + SLICE), 1);
	/* Nor does it come after one that has used up its cap. */
	begin(2, 100, 1);
	s[2].used = PERIOD;
	s[2].period = now;
	runq_pass_over(&q, &r[1]);
	assert_int_equal(step(now + SLICE), 1);
}

/* Two of a VM that do nothing but spin for each other take nothing from another VM, nor do they
 * lose anything. */
static void spinning_is_no_gain(void **state)
{
	u64 from = now, until, spun = 0;

	(void)state;
	begin_vm(0, 2, 2, 100, 0);
	begin_vm(2, 1, 1, 100, 0);
	while (now < from + SECOND) {
		struct runner *p = runq_pick(&q, now, &until);
		u64 ticks = p == &r[2] ? SLICE : SLICE / 40;

		ran[p - r] += ticks;
		now += ticks;
		runq_charge(&q, p, ticks);
		runq_add(&q, p, false);
		if (p == &r[2])
			continue;
		spun++;
		runq_put_first(&q, p == &r[0] ? &r[1] : &r[0]);
		runq_pass_over(&q, p);
	}
	assert_part(2, SECOND, 1, 2);
	assert_in_range(ran[0], ran[1] - SLICE, ran[1] + SLICE);
	assert_true(spun > SECOND / 2 / SLICE);
}

/* A VM of four vcpus has as much as one of one vcpu, and each of the four as much as the others. */
static void vcpus_share_their_vms_part(void **state)
{
	u64 from = now;

	(void)state;
	begin_vm(0, 4, 4, 100, 0);
	begin_vm(4, 1, 1, 100, 0);
	run_until(from + 10 * SECOND);
	assert_part(4, 10 * SECOND, 1, 2);
	for (unsigned i = 0; i < 4; i++)
		assert_part(i, 10 * SECOND, 1, 8);
}

/* Also if only one of them has anything to do, and whenever the others wake. */
static void one_busy_vcpu_has_its_vms_part(void **state)
{
	u64 from = now;

	(void)state;
	begin_vm(0, 4, 4, 100, 0);
	begin_vm(4, 1, 1, 100, 0);
	while (now < from + 10 * SECOND) {
		for (unsigned i = 1; i < 4; i++)
			runq_remove(&q, &r[i]);
		run_until(now + 10 * SLICE);
		for (unsigned i = 1; i < 4; i++)
			runq_add(&q, &r[i], true);
		step(TIMER_NEVER);
	}
	assert_part(4, now - from, 1, 2);
	assert_true(ran[0] > ran[1] + ran[2] + ran[3]);
}

/* Of a VM that has vcpus on other CPUs as well, the part for those that are here. */
static void a_vm_on_two_cpus_has_a_part_on_each(void **state)
{
	u64 from = now;

	(void)state;
	begin_vm(0, 2, 4, 100, 0);
	begin_vm(4, 1, 1, 100, 0);
	run_until(from + 10 * SECOND);
	assert_part(0, 10 * SECOND, 1, 6);
	assert_part(1, 10 * SECOND, 1, 6);
	assert_part(4, 10 * SECOND, 4, 6);
}

/* It ran for far longer than a slice, and could not be interrupted: it waits for as long as the
 * others need for a slice, and does not pay for all of it. */
static void a_debt_has_a_limit(void **state)
{
	u64 until, waited;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		begin(i, 100, 0);
	run_until(now + SECOND);
	while (runq_pick(&q, now, &until) != &r[0])
		continue;
	for (unsigned i = 1; i < 4; i++)
		if (list_empty(&r[i].node))
			runq_add(&q, &r[i], false);
	now += SECOND;
	runq_charge(&q, &r[0], SECOND);
	runq_forgive(&q, &r[0], SLICE);
	runq_add(&q, &r[0], true);
	waited = now;
	while (step(TIMER_NEVER))
		continue;
	assert_in_range(now - waited, 3 * SLICE, 8 * SLICE);
}

/* What is no more than the limit is paid. */
static void a_small_debt_is_paid(void **state)
{
	u64 until, before;

	(void)state;
	begin(0, 100, 0);
	begin(1, 100, 0);
	assert_ptr_equal(runq_pick(&q, now, &until), &r[0]);
	before = s[0].vtime;
	runq_charge(&q, &r[0], SLICE / 2);
	runq_forgive(&q, &r[0], SLICE);
	assert_int_equal(s[0].vtime, before + SLICE / 2);
}

/* One whose slices are short, and who makes the CPU work for it in between, pays for both. */
static void work_on_its_behalf_is_charged(void **state)
{
	u64 from = now, until, worked = 0;

	(void)state;
	begin(0, 100, 0);
	begin(1, 100, 0);
	while (now < from + SECOND) {
		struct runner *p = runq_pick(&q, now, &until);
		u64 ticks = p == &r[0] ? 1 : SLICE, behalf = p == &r[0] ? 3 * SLICE : 0;

		runq_charge(&q, p, ticks);
		runq_charge(&q, p, behalf);
		worked += behalf + (p == &r[0]);
		ran[p - r] += ticks;
		now += ticks + behalf;
		runq_add(&q, p, p == &r[0]);
	}
	assert_in_range(worked, SECOND / 2 - 4 * SLICE, SECOND / 2 + 4 * SLICE);
	assert_in_range(ran[1], SECOND / 2 - 4 * SLICE, SECOND / 2 + 4 * SLICE);
}

static void a_cap_is_all_vcpus(void **state)
{
	u64 from = now;

	(void)state;
	begin_vm(0, 4, 4, 100, 20);  /* 20 % */
	begin_vm(4, 2, 4, 100, 100); /* 50 % of this CPU, and of another */
	begin_vm(6, 1, 1, 1, 0);     /* the rest */
	run_until(from + 10 * SECOND);
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(ran[i], SECOND / 2 - SECOND / 20, SECOND / 2 + SECOND / 20);
	assert_part(6, 10 * SECOND, 30, 100);
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
		cmocka_unit_test_setup(one_of_a_vm_goes_first, setup),
		cmocka_unit_test_setup(others_go_first_once, setup),
		cmocka_unit_test_setup(spinning_is_no_gain, setup),
		cmocka_unit_test_setup(vcpus_share_their_vms_part, setup),
		cmocka_unit_test_setup(one_busy_vcpu_has_its_vms_part, setup),
		cmocka_unit_test_setup(a_vm_on_two_cpus_has_a_part_on_each, setup),
		cmocka_unit_test_setup(a_debt_has_a_limit, setup),
		cmocka_unit_test_setup(a_small_debt_is_paid, setup),
		cmocka_unit_test_setup(work_on_its_behalf_is_charged, setup),
		cmocka_unit_test_setup(a_cap_is_all_vcpus, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
