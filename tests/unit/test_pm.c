/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI fixed hardware: PM timer, SCI, power button, soft off.
 *
 * Sources: hv/dev/pm.c hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/dev/pm.h"

#define TSC_HZ 2000000000ul

static u64 now;
static struct {
	struct pm pm;
	struct timerq tq;
	bool sci;
	unsigned offs;
} f;

static u64 clock_now(const struct timerq *q)
{
	(void)q;
	return now;
}

static void set_sci(void *ctx, unsigned line, bool level)
{
	(void)ctx;
	assert_int_equal(line, 9);
	f.sci = level;
}

static void power_off(void *ctx)
{
	(void)ctx;
	f.offs++;
}

static int setup(void **state)
{
	struct wire sci = { .set = set_sci, .line = 9 };

	(void)state;
	memset(&f, 0, sizeof(f));
	now = 12345;
	timerq_init(&f.tq, TSC_HZ, clock_now);
	pm_init(&f.pm, &f.tq, &sci, power_off, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pm_destroy(&f.pm);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	return 0;
}

static u64 in(unsigned offset, unsigned size)
{
	return pm_io.read(&f.pm, offset, size);
}

static void out(unsigned offset, unsigned size, u64 value)
{
	pm_io.write(&f.pm, offset, size, value);
}

static void pm_timer_runs_at_its_rate(void **state)
{
	(void)state;
	assert_int_equal(in(8, 4), 0);
	now += TSC_HZ;
	assert_int_equal(in(8, 4), 3579545);
	assert_int_equal(in(8, 2), 3579545 & 0xffff);
	assert_int_equal(in(11, 1), 0);
	out(8, 4, 0); /* read-only */
	assert_int_equal(in(8, 4), 3579545);
	now += TSC_HZ * 3600 * 24 * 365; /* a year: only 32 bits show */
	assert_int_equal(in(8, 4), (u32)(3579545ul * (3600 * 24 * 365 + 1)));
}

static void timer_status_follows_bit_31(void **state)
{
	(void)state;
	now += TSC_HZ * 599;
	assert_int_equal(in(0, 2), 0);
	now += TSC_HZ;
	assert_int_equal(in(0, 2), 1);
	assert_false(f.sci);
	out(0, 2, 1);
	assert_int_equal(in(0, 2), 0);
}

static void timer_interrupt(void **state)
{
	(void)state;
	out(2, 2, 1);
	assert_true(f.tq.next > now + TSC_HZ * 599 && f.tq.next < now + TSC_HZ * 600);
	now = f.tq.next;
	timerq_run(&f.tq);
	assert_true(f.sci);
	out(0, 2, 1);
	assert_false(f.sci);
	now = f.tq.next;
	timerq_run(&f.tq);
	assert_true(f.sci);
	out(2, 2, 0);
	assert_false(f.sci);
	assert_int_equal(f.tq.next, TIMER_NEVER);
}

static void power_button(void **state)
{
	(void)state;
	pm_power_button(&f.pm);
	assert_false(f.sci);
	assert_int_equal(in(0, 2), 0x100);
	out(2, 2, 0x100);
	assert_true(f.sci);
	out(0, 1, 0xff); /* the other byte: clears nothing of this one */
	assert_true(f.sci);
	out(1, 1, 0x01);
	assert_false(f.sci);
	assert_int_equal(in(0, 4), 0x01000000); /* status and enable in one access */
	pm_power_button(&f.pm);
	pm_reset(&f.pm);
	assert_false(f.sci);
	assert_int_equal(in(0, 4), 0);
}

static void reserved_enables_stay_zero(void **state)
{
	(void)state;
	out(2, 2, 0xffff);
	assert_int_equal(in(2, 2), 0x0521);
	out(3, 1, 0);
	assert_int_equal(in(2, 2), 0x0021);
}

static void always_in_acpi_mode(void **state)
{
	(void)state;
	assert_int_equal(in(4, 2), 1);
	out(4, 2, 0);
	assert_int_equal(in(4, 2), 1);
}

static void soft_off(void **state)
{
	(void)state;
	out(4, 2, 5 << 10); /* type alone */
	assert_int_equal(f.offs, 0);
	assert_int_equal(in(4, 2), 5 << 10 | 1);
	for (unsigned type = 0; type < 8; type++) {
		out(4, 2, type << 10 | 1 << 13);
		assert_int_equal(f.offs, type >= 5);
		assert_int_equal(in(4, 2), type << 10 | 1); /* SLP_EN reads as 0 */
	}
	out(5, 1, (5 << 10 | 1 << 13) >> 8); /* its byte alone */
	assert_int_equal(f.offs, 2);
}

static void gaps_are_zero(void **state)
{
	(void)state;
	out(6, 2, 0xffff);
	out(12, 4, ~0u);
	assert_int_equal(in(6, 2), 0);
	assert_int_equal(in(12, 4), 0);
	assert_int_equal(f.offs, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pm_timer_runs_at_its_rate),
		TEST(timer_status_follows_bit_31),
		TEST(timer_interrupt),
		TEST(power_button),
		TEST(reserved_enables_stay_zero),
		TEST(always_in_acpi_mode),
		TEST(soft_off),
		TEST(gaps_are_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
