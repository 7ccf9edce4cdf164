/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818 against the data sheet, register by register, with a clock turned by hand. It is
 * Saturday, 29 February 2020, 23:58:57.
 *
 * Sources: hv/dev/rtc.c hv/dev/bus.c hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "hv/dev/rtc.h"

#define HZ    1000000ul /* of the TSC: its ticks are microseconds */
#define START 1583020737ul

enum {
	SEC,
	SEC_ALARM,
	MIN_,
	MIN_ALARM,
	HOUR,
	HOUR_ALARM,
	WDAY,
	DAY,
	MONTH,
	YEAR,
	A,
	B,
	C,
	D,
	CENTURY = 0x32
};

#define UIP	   0x80
#define RUNNING	   0x20
#define RESET	   0x70
#define RATE_1024  6
#define SET	   0x80
#define PIE	   0x40
#define AIE	   0x20
#define UIE	   0x10
#define SQWE	   0x08
#define BINARY	   0x04
#define HOURS_24   0x02
#define IRQF	   0x80
#define PF	   0x40
#define AF	   0x20
#define UF	   0x10
#define ANY	   0xc0
#define ANY_OTHER  0xff
#define AFTERNOON  0x80
#define MS(n)	   ((n)*HZ / 1000)
#define SECONDS(n) ((n)*HZ)

struct fixture {
	struct rtc rtc;
	struct timerq tq;
	struct bus bus;
	u64 now;
	bool irq;
	unsigned rises;
};

static u64 clock_now(const struct timerq *q)
{
	return container_of(q, struct fixture, tq)->now;
}

static void set_irq(void *ctx, bool level)
{
	struct fixture *f = ctx;

	f->rises += level && !f->irq;
	f->irq = level;
}

static u64 wallclock(void)
{
	return START;
}

/* Stops at each deadline, as the hypervisor does. */
static void run(struct fixture *f, u64 ticks)
{
	u64 end = f->now + ticks;

	while (f->tq.next <= end) {
		f->now = MAX(f->tq.next, f->now);
		timerq_run(&f->tq);
	}
	f->now = end;
}

static u8 in(struct fixture *f, unsigned reg)
{
	bus_write(&f->bus, RTC_PORT, 1, reg);
	return (u8)bus_read(&f->bus, RTC_PORT + 1, 1);
}

static void out(struct fixture *f, unsigned reg, unsigned value)
{
	bus_write(&f->bus, RTC_PORT, 1, reg);
	bus_write(&f->bus, RTC_PORT + 1, 1, value);
}

/* The ten registers as "CCYY-MM-DD W hh:mm:ss", in hexadecimal as they stand. */
static const char *stands(struct fixture *f)
{
	static char text[40];

	snprintf(text, sizeof(text), "%02x%02x-%02x-%02x %x %02x:%02x:%02x", in(f, CENTURY),
		in(f, YEAR), in(f, MONTH), in(f, DAY), in(f, WDAY), in(f, HOUR), in(f, MIN_),
		in(f, SEC));
	return text;
}

static void set_date(struct fixture *f, unsigned year, unsigned month, unsigned day)
{
	out(f, CENTURY, year >> 8);
	out(f, YEAR, year & 0xff);
	out(f, MONTH, month);
	out(f, DAY, day);
}

static void set_time(struct fixture *f, unsigned hour, unsigned min, unsigned sec)
{
	out(f, HOUR, hour);
	out(f, MIN_, min);
	out(f, SEC, sec);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rtc_config cfg = {
		.wallclock = wallclock, .low_mem = 3 * GB, .high_mem = 5 * GB + 64 * KB
	};

	f->now = 7777777;
	timerq_init(&f->tq, HZ, clock_now);
	rtc_init(&f->rtc, &f->tq, &cfg, set_irq, f);
	assert_false(bus_add(&f->bus, RTC_PORT, RTC_PORTS, &rtc_ops, &f->rtc, "rtc"));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* ---- the time ---- */

static void the_time_passes(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(stands(f), "2020-02-29 7 23:58:57");
	run(f, SECONDS(1) - 1);
	assert_string_equal(stands(f), "2020-02-29 7 23:58:57");
	run(f, 1);
	assert_string_equal(stands(f), "2020-02-29 7 23:58:58");
	run(f, SECONDS(62));
	assert_string_equal(stands(f), "2020-03-01 1 00:00:00");
	run(f, SECONDS(86400ul * 366));
	assert_string_equal(stands(f), "2021-03-02 3 00:00:00");
}

/* Against the C library, over 130 years. */
static void every_date(void **state)
{
	struct fixture *f = *state;

	for (u64 t = START; t < START + 130ul * 365 * 86400; t += 86400 - 11) {
		time_t clock = (time_t)t;
		struct tm tm;
		char text[40];

		assert_non_null(gmtime_r(&clock, &tm));
		snprintf(text, sizeof(text), "%04d-%02d-%02d %d %02d:%02d:%02d", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday, tm.tm_wday + 1, tm.tm_hour, tm.tm_min,
			tm.tm_sec);
		assert_string_equal(stands(f), text);
		run(f, SECONDS(86400ul - 11));
	}
}

static void binary_and_decimal(void **state)
{
	struct fixture *f = *state;

	out(f, B, HOURS_24 | BINARY);
	assert_string_equal(stands(f), "1414-02-1d 7 17:3a:39");
	out(f, B, SET | HOURS_24 | BINARY);
	set_date(f, 0x1363, 12, 31); /* 1999 */
	set_time(f, 23, 59, 59);
	out(f, B, HOURS_24 | BINARY);
	run(f, SECONDS(1));
	assert_string_equal(stands(f), "1400-01-01 7 00:00:00");
	out(f, B, HOURS_24);
	assert_string_equal(stands(f), "2000-01-01 7 00:00:00");
}

static void twelve_hours(void **state)
{
	static const u8 hours[] = { 0x12, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
		0x10, 0x11, 0x92, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90,
		0x91 };
	struct fixture *f = *state;

	out(f, B, 0);
	run(f, SECONDS(63));
	for (unsigned h = 0; h < 24; h++) {
		assert_int_equal(in(f, HOUR), hours[h]);
		out(f, B, SET);
		set_date(f, 0x2020, 2, 1);
		set_time(f, hours[h], 0, 0);
		out(f, B, 0);
		run(f, SECONDS(1));
		out(f, B, HOURS_24);
		assert_int_equal(in(f, HOUR), h / 10 << 4 | h % 10);
		out(f, B, 0);
		run(f, SECONDS(3599));
	}
	out(f, B, BINARY);
	run(f, SECONDS(12 * 3600ul));
	assert_int_equal(in(f, HOUR), AFTERNOON | 12);
}

/* ---- setting it ---- */

/* "SET": the update is inhibited, and what is written stands there until it is cleared. */
static void set_holds_the_registers(void **state)
{
	struct fixture *f = *state;

	out(f, B, SET | HOURS_24);
	run(f, SECONDS(1000));
	assert_string_equal(stands(f), "2020-02-29 7 23:58:57");
	out(f, DAY, 0x31); /* no such day yet */
	out(f, MONTH, 0x12);
	run(f, SECONDS(10));
	assert_int_equal(in(f, DAY), 0x31);
	out(f, YEAR, 0x37);
	out(f, HOUR, 0x08);
	out(f, B, HOURS_24);
	assert_int_equal(in(f, YEAR), 0x37);
	run(f, SECONDS(1));
	assert_string_equal(stands(f), "2037-12-31 5 08:58:58");
}

/* "... the divider chain" runs on: the seconds change when they would have. */
static void set_keeps_the_phase(void **state)
{
	struct fixture *f = *state;

	run(f, MS(300));
	out(f, B, SET | HOURS_24);
	run(f, MS(1100));
	out(f, SEC, 0x10);
	out(f, B, HOURS_24);
	run(f, MS(599));
	assert_int_equal(in(f, SEC), 0x10);
	run(f, MS(1));
	assert_int_equal(in(f, SEC), 0x11);
}

static void registers_may_be_written_one_by_one(void **state)
{
	struct fixture *f = *state;

	out(f, DAY, 0x31); /* of February, for a moment */
	assert_int_equal(in(f, DAY), 0x31);
	out(f, MONTH, 0x01);
	assert_int_equal(in(f, MONTH), 0x01);
	out(f, HOUR, 0x23);
	out(f, MIN_, 0x59);
	out(f, SEC, 0x59);
	run(f, MS(999));
	assert_string_equal(stands(f), "2020-01-31 7 23:59:59");
	run(f, MS(1));
	assert_string_equal(stands(f), "2020-02-01 7 00:00:00");
}

/* "The first update cycle begins one-half second" after the divider's reset; Linux relies on it. */
static void linux_sets_the_time(void **state)
{
	struct fixture *f = *state;
	u8 b, a;

	run(f, MS(2123));
	b = in(f, B);
	out(f, B, b | SET);
	a = in(f, A) & ~UIP;
	out(f, A, a | RESET);
	run(f, MS(5));
	set_date(f, 0x2031, 0x07, 0x14);
	set_time(f, 0x12, 0x34, 0x56);
	out(f, B, b);
	run(f, SECONDS(20)); /* the divider is still held */
	assert_int_equal(in(f, SEC), 0x56);
	assert_int_equal(in(f, A), a | RESET);
	out(f, A, a);
	run(f, MS(500) - 1);
	assert_int_equal(in(f, A), a | UIP);
	assert_int_equal(in(f, SEC), 0x56);
	run(f, 1);
	assert_string_equal(stands(f), "2031-07-14 2 12:34:57");
	run(f, SECONDS(1));
	assert_int_equal(in(f, SEC), 0x58);
	run(f, SECONDS(1));
	assert_int_equal(in(f, SEC), 0x59);
}

static void a_held_divider_stops_the_time(void **state)
{
	struct fixture *f = *state;

	run(f, SECONDS(2) + MS(100));
	out(f, B, HOURS_24 | PIE | UIE);
	for (unsigned divider = 0; divider < 8; divider++) {
		if (divider << 4 == RUNNING)
			continue;
		out(f, A, divider << 4 | RATE_1024);
		(void)in(f, C);
		assert_false(rtc_armed(&f->rtc));
		run(f, SECONDS(100));
		assert_int_equal(in(f, C), 0);
		assert_string_equal(stands(f), "2020-02-29 7 23:58:59");
		assert_int_equal(in(f, A), divider << 4 | RATE_1024);
	}
	out(f, A, RUNNING | RATE_1024);
	assert_true(rtc_armed(&f->rtc));
	run(f, MS(500));
	assert_string_equal(stands(f), "2020-02-29 7 23:59:00");
	out(f, A, RESET);
	out(f, MIN_, 0x07);
	run(f, SECONDS(10));
	out(f, A, RUNNING);
	assert_string_equal(stands(f), "2020-02-29 7 23:07:00");
	run(f, MS(500));
	assert_string_equal(stands(f), "2020-02-29 7 23:07:01");
}

static void changing_the_rate_keeps_the_phase(void **state)
{
	struct fixture *f = *state;

	run(f, MS(700));
	(void)in(f, C);
	out(f, A, RUNNING | 3);
	assert_int_equal(in(f, C), 0);
	run(f, MS(300));
	assert_int_equal(in(f, SEC), 0x58);
}

static void nonsense_is_taken(void **state)
{
	struct fixture *f = *state;

	out(f, B, SET);
	for (unsigned reg = 0; reg <= CENTURY; reg = reg == YEAR ? CENTURY : reg + 1)
		out(f, reg, 0xff);
	out(f, B, 0);
	run(f, SECONDS(2));
	(void)stands(f);
	out(f, B, SET | HOURS_24);
	set_date(f, 0, 0, 0);
	set_time(f, 0, 0, 0);
	out(f, B, HOURS_24);
	run(f, SECONDS(1));
	assert_string_equal(stands(f), "1970-01-01 5 00:00:01"); /* the earliest that we have */
}

/* ---- register A ---- */

/* "UIP": 244 us before the registers change; nothing is under way while they cannot. */
static void update_in_progress(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, A), RUNNING | RATE_1024);
	run(f, SECONDS(1) - 245);
	assert_int_equal(in(f, A) & UIP, 0);
	run(f, 1);
	assert_int_equal(in(f, A) & UIP, UIP);
	run(f, 243);
	assert_int_equal(in(f, A) & UIP, UIP);
	assert_int_equal(in(f, SEC), 0x57);
	run(f, 1);
	assert_int_equal(in(f, A) & UIP, 0);
	assert_int_equal(in(f, SEC), 0x58);
	out(f, B, SET | HOURS_24);
	run(f, SECONDS(1) - 1);
	assert_int_equal(in(f, A) & UIP, 0);
	out(f, A, UIP | RUNNING | 5);
	assert_int_equal(in(f, A), RUNNING | 5); /* UIP is read-only */
}

static void periodic_rates(void **state)
{
	static const unsigned hz[16] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32,
		16, 8, 4, 2 };
	struct fixture *f = *state;

	out(f, B, HOURS_24 | PIE);
	for (unsigned rate = 0; rate < 16; rate++) {
		unsigned n = 0;
		u64 end = f->now + SECONDS(3);

		out(f, A, RUNNING | rate);
		(void)in(f, C);
		assert_int_equal(rtc_armed(&f->rtc), rate != 0);
		while (f->now < end && f->tq.next <= end + 1) {
			run(f, f->tq.next - f->now);
			assert_true(f->irq);
			assert_int_equal(in(f, C) & (IRQF | PF), IRQF | PF);
			assert_int_equal(in(f, C), 0);
			n++;
		}
		assert_in_range(n, 3 * hz[rate] - !!rate, 3 * hz[rate]);
		f->now = MAX(f->now, end);
		timerq_run(&f->tq);
	}
}

/* ---- register B and C ---- */

/* Flags are set whether or not the interrupt is enabled, and stay until C is read. */
static void flags_without_interrupts(void **state)
{
	struct fixture *f = *state;

	(void)in(f, C);
	run(f, MS(1));
	assert_int_equal(in(f, C), PF);
	assert_int_equal(in(f, C), 0);
	run(f, SECONDS(1));
	out(f, SEC_ALARM, ANY);
	out(f, MIN_ALARM, ANY);
	out(f, HOUR_ALARM, ANY);
	assert_int_equal(in(f, C), PF | UF); /* the alarm was not set when the second changed */
	run(f, SECONDS(5));
	assert_int_equal(in(f, C), PF | UF | AF);
	assert_int_equal(in(f, C), 0);
	assert_int_equal(f->rises, 0);
	assert_false(rtc_armed(&f->rtc));
}

static void alarm_00_comes_once_a_day(void **state)
{
	struct fixture *f = *state;

	(void)in(f, C);
	run(f, SECONDS(62));
	assert_int_equal(in(f, C) & AF, 0);
	run(f, SECONDS(1)); /* midnight: all alarm registers are 0 */
	assert_int_equal(in(f, C) & AF, AF);
	run(f, SECONDS(86399ul));
	assert_int_equal(in(f, C) & AF, 0);
	run(f, SECONDS(1));
	assert_int_equal(in(f, C) & AF, AF);
	run(f, SECONDS(86400ul * 1000 + 23 * 3600));
	assert_int_equal(in(f, C) & AF, AF);
}

static void update_interrupt(void **state)
{
	struct fixture *f = *state;

	out(f, B, HOURS_24 | UIE);
	(void)in(f, C);
	assert_true(rtc_armed(&f->rtc));
	run(f, SECONDS(1) - 1);
	assert_false(f->irq);
	run(f, 1);
	assert_true(f->irq);
	assert_int_equal(in(f, SEC), 0x58); /* "at the end of the update cycle" */
	run(f, SECONDS(5));
	assert_int_equal(f->rises, 1); /* until C is read */
	assert_int_equal(in(f, C) & (IRQF | UF), IRQF | UF);
	assert_false(f->irq);
	run(f, SECONDS(1));
	assert_int_equal(f->rises, 2);
}

static void set_clears_the_update_interrupt(void **state)
{
	struct fixture *f = *state;

	out(f, B, HOURS_24 | UIE | AIE | PIE | SQWE);
	out(f, B, SET | HOURS_24 | UIE | AIE | PIE | SQWE);
	assert_int_equal(in(f, B), SET | HOURS_24 | AIE | PIE | SQWE);
	(void)in(f, C);
	run(f, SECONDS(3));
	assert_int_equal(in(f, C), IRQF | PF); /* no updates, but periods */
}

static void interrupt_at_the_alarm(void **state)
{
	struct fixture *f = *state;

	out(f, SEC_ALARM, 0x03);
	out(f, MIN_ALARM, 0x00);
	out(f, HOUR_ALARM, 0x00);
	out(f, B, HOURS_24 | AIE);
	(void)in(f, C);
	run(f, SECONDS(66) - 1);
	assert_int_equal(f->rises, 0);
	run(f, 1);
	assert_int_equal(f->rises, 1);
	assert_string_equal(stands(f), "2020-03-01 1 00:00:03");
	assert_int_equal(in(f, C) & (IRQF | AF), IRQF | AF);
	run(f, SECONDS(86400ul) - 1);
	assert_int_equal(f->rises, 1);
	run(f, 1);
	assert_int_equal(f->rises, 2);
}

/* "Don't care" codes: 0xc0 to 0xff. */
static void alarms_that_do_not_care(void **state)
{
	static const struct {
		u8 hour, min, sec;
		unsigned in_3_hours;
	} tests[] = {
		{ ANY, ANY, ANY_OTHER, 3 * 3600 },
		{ ANY_OTHER, 0xd5, 0x30, 3 * 60 },
		{ ANY, 0x15, 0x30, 3 },
		{ 0x01, ANY, 0x30, 60 },
		{ 0x01, 0x15, ANY, 60 },
		{ 0x01, 0x15, 0x30, 1 },
		{ 0x05, 0x15, 0x30, 0 },
		{ 0x24, ANY, ANY, 0 },
		{ ANY, 0x60, ANY, 0 },
		{ ANY, ANY, 0xbf, 0 },
	};
	struct fixture *f = *state;

	run(f, SECONDS(63)); /* midnight */
	out(f, B, HOURS_24 | AIE);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++) {
		unsigned n = 0;

		out(f, HOUR_ALARM, tests[i].hour);
		out(f, MIN_ALARM, tests[i].min);
		out(f, SEC_ALARM, tests[i].sec);
		for (unsigned s = 0; s < 3 * 3600; s++) {
			run(f, SECONDS(1));
			n += (in(f, C) & AF) != 0;
		}
		assert_int_equal(n, tests[i].in_3_hours);
		run(f, SECONDS(21 * 3600ul));
		(void)in(f, C);
	}
}

static void alarm_in_the_afternoon(void **state)
{
	struct fixture *f = *state;

	out(f, B, AIE);
	out(f, HOUR_ALARM, AFTERNOON | 0x01);
	out(f, MIN_ALARM, 0x02);
	out(f, SEC_ALARM, 0x03);
	(void)in(f, C);
	run(f, SECONDS(63 + 12 * 3600ul));
	assert_int_equal(f->rises, 0);
	run(f, SECONDS(3600 + 2 * 60 + 3));
	assert_int_equal(f->rises, 1);
}

/* "IRQF = PF x PIE + AF x AIE + UF x UIE": at any time, not only when a flag is set. */
static void enabling_and_disabling(void **state)
{
	struct fixture *f = *state;

	(void)in(f, C);
	run(f, SECONDS(1));
	assert_false(f->irq);
	out(f, B, HOURS_24 | UIE); /* the flag was there */
	assert_true(f->irq);
	out(f, B, HOURS_24);
	assert_false(f->irq);
	out(f, B, HOURS_24 | PIE);
	assert_true(f->irq);
	assert_int_equal(in(f, C), IRQF | PF | UF);
	assert_false(f->irq);
	out(f, B, HOURS_24);
	run(f, MS(1));
	assert_int_equal(in(f, C), PF); /* no IRQF */
}

static void c_and_d_cannot_be_written(void **state)
{
	struct fixture *f = *state;

	(void)in(f, C);
	out(f, B, HOURS_24 | PIE | AIE | UIE);
	(void)in(f, C);
	out(f, C, 0xff);
	assert_false(f->irq);
	assert_int_equal(in(f, C), 0);
	out(f, D, 0x00);
	assert_int_equal(in(f, D), 0x80); /* the battery is good */
}

/* ---- memory, ports, reset ---- */

static void the_rest_is_memory(void **state)
{
	struct fixture *f = *state;

	for (unsigned reg = D + 1; reg < RTC_CMOS_SIZE; reg++)
		if (reg != CENTURY)
			out(f, reg, reg ^ 0xa5);
	run(f, SECONDS(1000));
	rtc_reset(&f->rtc);
	for (unsigned reg = D + 1; reg < RTC_CMOS_SIZE; reg++)
		if (reg != CENTURY)
			assert_int_equal(in(f, reg), reg ^ 0xa5);
	assert_int_equal(in(f, SEC), 0x37);
}

static void memory_sizes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, 0x15) | in(f, 0x16) << 8, 640);
	assert_int_equal(in(f, 0x17) | in(f, 0x18) << 8, 0xffff);
	assert_int_equal(in(f, 0x30) | in(f, 0x31) << 8, 0xffff);
	assert_int_equal(in(f, 0x34) | in(f, 0x35) << 8, (3 * GB - 16 * MB) / (64 * KB));
	assert_int_equal(in(f, 0x5b) | in(f, 0x5c) << 8 | in(f, 0x5d) << 16, 5 * 16384 + 1);
}

static void bit_7_of_the_index_masks_nmi(void **state)
{
	struct fixture *f = *state;

	bus_write(&f->bus, RTC_PORT, 1, 0x80 | 0x40);
	assert_true(f->rtc.nmi_masked);
	bus_write(&f->bus, RTC_PORT + 1, 1, 0x5a);
	assert_true(f->rtc.nmi_masked);
	assert_int_equal(in(f, 0x40), 0x5a); /* it is no part of the index */
	assert_false(f->rtc.nmi_masked);
	assert_int_equal(bus_read(&f->bus, RTC_PORT, 1), 0xff);
}

static void word_accesses_are_two_bytes(void **state)
{
	struct fixture *f = *state;

	bus_write(&f->bus, RTC_PORT, 2, 0x7e41);
	assert_int_equal(in(f, 0x41), 0x7e);
	assert_int_equal(bus_read(&f->bus, RTC_PORT, 2), 0x7eff);
	bus_write(&f->bus, RTC_PORT, 4, 0x12345642);
	assert_int_equal(in(f, 0x42), 0x56);
}

static void reset(void **state)
{
	struct fixture *f = *state;

	out(f, B, HOURS_24 | PIE | AIE | UIE | SQWE | BINARY);
	run(f, SECONDS(1));
	bus_write(&f->bus, RTC_PORT, 1, 0x80 | B);
	assert_true(f->irq);
	rtc_reset(&f->rtc);
	assert_false(f->irq);
	assert_false(f->rtc.nmi_masked);
	assert_false(rtc_armed(&f->rtc));
	assert_int_equal(in(f, B), HOURS_24 | BINARY);
	assert_int_equal(in(f, C), 0);
	run(f, SECONDS(1)); /* the clock has a battery */
	assert_int_equal(in(f, SEC), 59);
}

/* Whatever comes in whatever order: it ends, flags and line agree, timers are near. */
static void random_accesses(void **state)
{
	struct fixture *f = *state;

	srand(1);
	for (int i = 0; i < 100000; i++) {
		unsigned r = (unsigned)rand();

		switch (r % 4) {
		case 0: out(f, (r >> 4) % 16 ? (r >> 8) % 15 : CENTURY, (unsigned)rand()); break;
		case 1: bus_write(&f->bus, RTC_PORT, 1u << (r >> 8) % 3, (u64)rand()); break;
		case 2: (void)in(f, (r >> 8) % 15); break;
		default: f->now += (r >> 8) % (i % 100 ? 2000000 : 8000000);
		}
		timerq_run(&f->tq);
		if (rtc_armed(&f->rtc))
			assert_in_range(f->tq.next, f->now, f->now + HZ + 1);
		assert_int_equal(f->irq, (f->rtc.cmos[C] & IRQF) != 0);
		assert_int_equal(f->irq, (f->rtc.cmos[C] & f->rtc.cmos[B] & (PF | AF | UF)) != 0);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_time_passes),
		TEST(every_date),
		TEST(binary_and_decimal),
		TEST(twelve_hours),
		TEST(set_holds_the_registers),
		TEST(set_keeps_the_phase),
		TEST(registers_may_be_written_one_by_one),
		TEST(linux_sets_the_time),
		TEST(a_held_divider_stops_the_time),
		TEST(changing_the_rate_keeps_the_phase),
		TEST(nonsense_is_taken),
		TEST(update_in_progress),
		TEST(periodic_rates),
		TEST(flags_without_interrupts),
		TEST(alarm_00_comes_once_a_day),
		TEST(update_interrupt),
		TEST(set_clears_the_update_interrupt),
		TEST(interrupt_at_the_alarm),
		TEST(alarms_that_do_not_care),
		TEST(alarm_in_the_afternoon),
		TEST(enabling_and_disabling),
		TEST(c_and_d_cannot_be_written),
		TEST(the_rest_is_memory),
		TEST(memory_sizes),
		TEST(bit_7_of_the_index_masks_nmi),
		TEST(word_accesses_are_two_bytes),
		TEST(reset),
		TEST(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
