/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's timer, with a clock turned by hand: its three modes, the divider, changes while
 * it runs, and the shortest period that a guest can have.
 *
 * Sources: hv/dev/lapic.c hv/dev/lapic_bus.c hv/dev/lapic_regs.c hv/dev/lapic_timer.c
 * Sources: hv/cpu/timer.c
 */
#include "tests/unit/lapic_util.h"

#include "tests/unit/host.h"

#define BY_1 0xbu

static unsigned lines; /* that wanted to pass the limit; none does */

bool ratelimit_pass(struct ratelimit *rl)
{
	(void)rl;
	lines++;
	return false;
}

static int setup(void **state)
{
	(void)state;
	setup_apics();
	wr(0, SVR, 0x1ff);
	wr(0, TDCR, BY_1);
	return 0;
}

static void one_shot(void **state)
{
	(void)state;
	wr(0, LVTT, 0x40);
	wr(0, TMICT, 1000);
	assert_int_equal(rd(0, TMICT), 1000);
	assert_int_equal(rd(0, TMCCT), 1000);
	pass_time(400 * COUNT);
	assert_int_equal(rd(0, TMCCT), 600);
	assert_int_equal(take(0), -1);
	pass_time(600 * COUNT - 1);
	assert_int_equal(take(0), -1);
	pass_time(1);
	assert_int_equal(take(0), 0x40);
	assert_int_equal(rd(0, TMCCT), 0);
	assert_int_equal(rd(0, TMICT), 1000);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	pass_time(10000 * COUNT);
	assert_int_equal(take(0), -1);
}

static void periodic(void **state)
{
	(void)state;
	wr(0, LVTT, 0x40 | PERIODIC);
	wr(0, TMICT, 1000);
	for (unsigned i = 0; i < 10; i++) {
		pass_time(1000 * COUNT - 1);
		assert_int_equal(take(0), -1);
		assert_int_equal(rd(0, TMCCT), 1);
		pass_time(1);
		assert_int_equal(take(0), 0x40);
		assert_int_equal(rd(0, TMCCT), 1000);
	}
	pass_time(5500 * COUNT); /* late: one interrupt, and the phase stays */
	assert_int_equal(take(0), 0x40);
	assert_int_equal(take(0), -1);
	assert_int_equal(rd(0, TMCCT), 500);
	assert_int_equal(f.tq.next, now + 500 * COUNT);
	now += 700 * COUNT; /* due but not served */
	assert_int_equal(rd(0, TMCCT), 800);
	wr(0, TMICT, 0);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	assert_int_equal(rd(0, TMCCT), 0);
	pass_time(10000 * COUNT);
	assert_int_equal(take(0), -1);
}

/* Periods are whole ticks only on average. */
static void periods_do_not_drift(void **state)
{
	u64 start;

	(void)state;
	f.tq.hz = 2399998877ul;
	wr(0, LVTT, 0x40 | PERIODIC);
	start = now;
	wr(0, TMICT, 25001);
	for (unsigned i = 1; i <= 1000; i++) {
		now = f.tq.next;
		timerq_run(&f.tq);
		assert_int_equal(take(0), 0x40);
	}
	assert_int_equal(now - start, 25001ul * 1000 * 2399998877 / LAPIC_TIMER_HZ);
}

static void divider(void **state)
{
	static const struct {
		u32 tdcr, by;
	} values[] = { { 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 }, { 0x8, 32 }, { 0x9, 64 },
		{ 0xa, 128 }, { 0xb, 1 } };

	(void)state;
	wr(0, LVTT, 0x40);
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		wr(0, TDCR, values[i].tdcr | 0xfffffff4);
		assert_int_equal(rd(0, TDCR), values[i].tdcr);
		wr(0, TMICT, 1000);
		pass_time((u64)values[i].by * 999 * COUNT);
		assert_int_equal(rd(0, TMCCT), 1);
		assert_int_equal(take(0), -1);
		pass_time(values[i].by * COUNT);
		assert_int_equal(take(0), 0x40);
	}
	wr(0, TDCR, 0xa); /* the longest of all */
	wr(0, TMICT, 0xffffffff);
	pass_time(0xfffffffeul * 128 * COUNT);
	assert_int_equal(rd(0, TMCCT), 1);
	pass_time(128 * COUNT);
	assert_int_equal(take(0), 0x40);
}

static void divider_changed_while_running(void **state)
{
	(void)state;
	wr(0, LVTT, 0x40);
	wr(0, TMICT, 1000);
	pass_time(400 * COUNT);
	wr(0, TDCR, 0x1); /* by 4, from 600 on */
	assert_int_equal(rd(0, TMCCT), 600);
	pass_time(4 * 599 * COUNT);
	assert_int_equal(rd(0, TMCCT), 1);
	pass_time(4 * COUNT);
	assert_int_equal(take(0), 0x40);
	wr(0, TDCR, BY_1); /* stopped: nothing starts */
	assert_int_equal(f.tq.next, TIMER_NEVER);
	wr(0, LVTT, 0x41 | PERIODIC);
	wr(0, TMICT, 1000);
	pass_time(3250 * COUNT);
	take(0);
	wr(0, TDCR, 0x0);
	assert_int_equal(rd(0, TMCCT), 750);
	pass_time(2 * 750 * COUNT);
	assert_int_equal(take(0), 0x41);
	pass_time(2 * 1000 * COUNT - 1);
	assert_int_equal(take(0), -1);
	pass_time(1);
	assert_int_equal(take(0), 0x41);
}

/* One-shot and periodic share the count, which goes on. */
static void mode_changed_while_running(void **state)
{
	(void)state;
	wr(0, LVTT, 0x40 | PERIODIC);
	wr(0, TMICT, 1000);
	pass_time(5300 * COUNT);
	take(0);
	wr(0, LVTT, 0x40);
	assert_int_equal(rd(0, TMCCT), 700);
	pass_time(700 * COUNT);
	assert_int_equal(take(0), 0x40);
	assert_int_equal(rd(0, TMCCT), 0);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	wr(0, LVTT, 0x40 | PERIODIC); /* does not wake a count that has ended */
	assert_int_equal(f.tq.next, TIMER_NEVER);
	wr(0, LVTT, 0x40);
	wr(0, TMICT, 1000);
	pass_time(900 * COUNT);
	wr(0, LVTT, 0x40 | PERIODIC);
	pass_time(100 * COUNT);
	assert_int_equal(take(0), 0x40);
	pass_time(1000 * COUNT);
	assert_int_equal(take(0), 0x40);
}

static void masked(void **state)
{
	(void)state;
	wr(0, LVTT, 0x40 | PERIODIC | MASKED);
	wr(0, TMICT, 1000);
	pass_time(1500 * COUNT);
	assert_int_equal(take(0), -1); /* lost, but the count runs */
	assert_int_equal(rd(0, TMCCT), 500);
	wr(0, LVTT, 0x40 | PERIODIC);
	assert_int_equal(take(0), -1);
	pass_time(500 * COUNT);
	assert_int_equal(take(0), 0x40);
}

static void illegal_vector(void **state)
{
	(void)state;
	wr(0, LVTT, 0x0f);
	wr(0, LVTERR, 0x0e);
	wr(0, TMICT, 1000);
	pass_time(1000 * COUNT);
	assert_int_equal(take(0), -1);
	assert_int_equal(errors(0), 0x40);
}

/* ---- TSC-deadline ---- */

static void deadline(void **state)
{
	(void)state;
	assert_true(lapic_wrmsr(&f.l[0], MSR_DEADLINE, now + 100)); /* not in this mode: ignored */
	assert_int_equal(rdmsr(0, MSR_DEADLINE), 0);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	wr(0, LVTT, 0x40 | DEADLINE);
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, now + 100);
	assert_int_equal(rdmsr(0, MSR_DEADLINE), now + 100);
	assert_int_equal(f.tq.next, now + 100);
	wr(0, TMICT, 5); /* ignored, and so is the count */
	assert_int_equal(rd(0, TMICT), 0);
	assert_int_equal(rd(0, TMCCT), 0);
	assert_int_equal(rdmsr(0, MSR_DEADLINE), now + 100);
	wr(0, TDCR, 0);
	assert_int_equal(f.tq.next, now + 100);
	pass_time(99);
	assert_int_equal(take(0), -1);
	pass_time(1);
	assert_int_equal(take(0), 0x40);
	assert_int_equal(rdmsr(0, MSR_DEADLINE), 0);
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, now + 100);
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, now + 50); /* moved */
	assert_int_equal(f.tq.next, now + 50);
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, 0); /* disarmed */
	assert_int_equal(f.tq.next, TIMER_NEVER);
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, 1); /* long past */
	timerq_run(&f.tq);
	assert_int_equal(take(0), 0x40);
}

static void change_to_and_from_deadline_disarms(void **state)
{
	static const u32 others[] = { 0, PERIODIC, PERIODIC | DEADLINE };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		wr(0, LVTT, 0x40 | DEADLINE);
		lapic_wrmsr(&f.l[0], MSR_DEADLINE, now + 100);
		wr(0, LVTT, 0x41 | DEADLINE); /* the same mode */
		assert_int_equal(f.tq.next, now + 100);
		wr(0, LVTT, 0x41 | others[i]);
		assert_int_equal(f.tq.next, TIMER_NEVER);
		assert_int_equal(rdmsr(0, MSR_DEADLINE), 0);
		wr(0, TMICT, 1000);
		wr(0, LVTT, 0x41 | DEADLINE);
		assert_int_equal(f.tq.next, TIMER_NEVER);
		assert_int_equal(rd(0, TMCCT), 0);
		wr(0, LVTT, 0x41 | others[i]);
		assert_int_equal(rd(0, TMICT), 0);
	}
}

/* The fourth mode is reserved: nothing runs in it. */
static void reserved_mode(void **state)
{
	(void)state;
	wr(0, LVTT, 0x40 | PERIODIC | DEADLINE);
	wr(0, TMICT, 1000);
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, now + 100);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	pass_time(100000);
	assert_int_equal(take(0), -1);
}

static void deadline_in_guest_time(void **state)
{
	(void)state;
	wr(0, LVTT, 0x40 | DEADLINE);
	lapic_set_tsc_offset(&f.l[0], -now + 1000); /* the guest's TSC is at 1000 */
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, 1500);
	assert_int_equal(f.tq.next, now + 500);
	assert_int_equal(rdmsr(0, MSR_DEADLINE), 1500);
	lapic_set_tsc_offset(&f.l[0], -now + 1400); /* moved on: the deadline comes nearer */
	assert_int_equal(f.tq.next, now + 100);
	lapic_set_tsc_offset(&f.l[0], -now + 2000); /* and is past */
	timerq_run(&f.tq);
	assert_int_equal(take(0), 0x40);

	lapic_wrmsr(&f.l[0], MSR_DEADLINE, ~0ul); /* "never" is not the past */
	timerq_run(&f.tq);
	assert_int_equal(take(0), -1);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	lapic_set_tsc_offset(&f.l[0], 5000000); /* ahead of the machine's TSC */
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, 4000000);
	timerq_run(&f.tq);
	assert_int_equal(take(0), 0x40);
	lapic_set_tsc_offset(&f.l[0], 1ul << 63);
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, (1ul << 63) + now + 10);
	assert_int_equal(f.tq.next, now + 10);
	lapic_wrmsr(&f.l[0], MSR_DEADLINE, 1000);
	timerq_run(&f.tq);
	assert_int_equal(take(0), 0x40);
}

/* ---- bounds ---- */

/* The shortest periods neither hang a run of the queue nor keep it busy. */
static void shortest_period(void **state)
{
	static const u32 counts[] = { 1, 2, 100 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned expiries = 0;
		u64 end;

		wr(0, LVTT, 0x40 | PERIODIC);
		wr(0, TMICT, counts[i]);
		lines = 0;
		for (end = now + 10000 * US; now < end; now = f.tq.next) {
			timerq_run(&f.tq);
			if (take(0) == 0x40)
				expiries++;
			assert_true(f.tq.next > now);
		}
		assert_in_range(expiries, 490, 10000 / LAPIC_MIN_PERIOD_US + 1);
		assert_in_range(lines, 1, expiries);
	}
	assert_string_equal(host_last_log, "");
	wr(0, TMICT, 1);
	timerq_run(&f.tq);
	pass_time(~0ul >> 12); /* years late */
	assert_true(f.tq.next >= now + LAPIC_MIN_PERIOD_US * US);
	assert_in_range(rd(0, TMCCT), 0, 1);
}

static void divider_flood(void **state)
{
	(void)state;
	wr(0, LVTT, 0x40 | PERIODIC);
	wr(0, TMICT, 3);
	for (u32 i = 0; i < 1000; i++) {
		wr(0, TDCR, i);
		assert_in_range(rd(0, TMCCT), 0, 3);
		pass_time(i);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_shot),
		TEST(periodic),
		TEST(periods_do_not_drift),
		TEST(divider),
		TEST(divider_changed_while_running),
		TEST(mode_changed_while_running),
		TEST(masked),
		TEST(illegal_vector),
		TEST(deadline),
		TEST(change_to_and_from_deadline_disarms),
		TEST(reserved_mode),
		TEST(deadline_in_guest_time),
		TEST(shortest_period),
		TEST(divider_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
