/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 and port 0x61 against the data sheet, mode by mode. A clock of the PIT is 1000 of the
 * TSC here, so that a test can stand between two of them.
 *
 * Sources: hv/dev/pit.c hv/dev/bus.c hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/dev/pit.h"
#include "tests/unit/host.h"

#define PER_CLOCK 1000ul
#define START	  12345678ul
#define CONTROL	  (PIT_PORT + 3)
#define SPEAKER	  PIT_PORT61
#define OUT	  0x80
#define NULL_CNT  0x40
#define BCD	  0x01

struct fixture {
	struct pit pit;
	struct timerq tq;
	struct bus bus;
	u64 now;
	bool irq;
	unsigned rises;
	u64 last_rise;
};

static u64 clock_now(const struct timerq *q)
{
	return container_of(q, struct fixture, tq)->now;
}

static void set_irq(void *ctx, bool level)
{
	struct fixture *f = ctx;

	if (level && !f->irq) {
		f->rises++;
		f->last_rise = f->now;
	}
	f->irq = level;
}

/* To a TSC, stopping at each deadline, as the hypervisor does. */
static void run_to(struct fixture *f, u64 tsc)
{
	while (f->tq.next <= tsc) {
		f->now = MAX(f->tq.next, f->now);
		timerq_run(&f->tq);
	}
	f->now = tsc;
}

static void run(struct fixture *f, u64 clocks)
{
	run_to(f, f->now + clocks * PER_CLOCK);
}

static u8 in(struct fixture *f, u64 port)
{
	return (u8)bus_read(&f->bus, port, 1);
}

static void out(struct fixture *f, u64 port, unsigned value)
{
	bus_write(&f->bus, port, 1, value);
}

/* Programs a channel for counts of two bytes. */
static void mode(struct fixture *f, unsigned channel, unsigned m)
{
	out(f, CONTROL, channel << 6 | 0x30 | m << 1);
}

static void write_count(struct fixture *f, unsigned channel, unsigned n)
{
	out(f, PIT_PORT + channel, n & 0xff);
	out(f, PIT_PORT + channel, n >> 8);
}

static unsigned count(struct fixture *f, unsigned channel)
{
	u8 low;

	out(f, CONTROL, channel << 6);
	low = in(f, PIT_PORT + channel);
	return low | (unsigned)in(f, PIT_PORT + channel) << 8;
}

static u8 status(struct fixture *f, unsigned channel)
{
	out(f, CONTROL, 0xe0 | 2u << channel);
	return in(f, PIT_PORT + channel);
}

static bool output(struct fixture *f, unsigned channel)
{
	return status(f, channel) & OUT;
}

static void gate(struct fixture *f, bool level)
{
	out(f, SPEAKER, level);
}

/* The output for so many clocks, a character each, in the middle of each. */
static const char *trace(struct fixture *f, unsigned channel, unsigned clocks)
{
	static char text[80];

	assert_true(clocks < sizeof(text));
	for (unsigned i = 0; i < clocks; i++) {
		text[i] = output(f, channel) ? 'H' : '.';
		run(f, 1);
	}
	text[clocks] = '\0';
	return text;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->now = START;
	timerq_init(&f->tq, PIT_HZ * PER_CLOCK, clock_now);
	pit_init(&f->pit, &f->tq, set_irq, f);
	assert_false(bus_add(&f->bus, PIT_PORT, PIT_PORTS, &pit_ops, &f->pit, "pit"));
	assert_false(bus_add(&f->bus, PIT_PORT61, 1, &pit_port61_ops, &f->pit, "port61"));
	gate(f, true);
	f->now += PER_CLOCK / 2; /* all writes come in the middle of a clock */
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* ---- mode 0: interrupt on terminal count ---- */

static void terminal_count(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	assert_false(output(f, 2)); /* the control word alone lowers it */
	run(f, 100);
	write_count(f, 2, 5);
	assert_string_equal(trace(f, 2, 12), ".....HHHHHHH");
	assert_int_equal(count(f, 2), 65536 - 7); /* it goes on below 0 */
	write_count(f, 2, 3);
	assert_string_equal(trace(f, 2, 5), "...HH");
	mode(f, 2, 0);
	assert_false(output(f, 2));
}

static void terminal_count_takes_a_new_count_at_once(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	write_count(f, 2, 10);
	run(f, 4);
	write_count(f, 2, 6);
	assert_int_equal(count(f, 2), 6);
	assert_string_equal(trace(f, 2, 8), "......HH");
}

/* "Writing the first byte disables counting. OUT is set low immediately." */
static void terminal_count_stops_between_the_bytes(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	write_count(f, 2, 10);
	run(f, 4);
	out(f, PIT_PORT + 2, 7);
	run(f, 100);
	assert_int_equal(count(f, 2), 6);
	assert_false(output(f, 2));
	out(f, PIT_PORT + 2, 0);
	assert_string_equal(trace(f, 2, 9), ".......HH");
	out(f, PIT_PORT + 2, 1);
	assert_string_equal(trace(f, 2, 3), "...");
}

static void terminal_count_waits_for_the_gate(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	write_count(f, 2, 5);
	run(f, 2);
	gate(f, false);
	assert_string_equal(trace(f, 2, 9), ".........");
	assert_int_equal(count(f, 2), 3);
	gate(f, true);
	assert_int_equal(count(f, 2), 3);
	assert_string_equal(trace(f, 2, 5), "...HH");
	gate(f, false); /* "GATE has no effect on OUT" */
	assert_true(output(f, 2));
	assert_int_equal(count(f, 2), 65536 - 2);

	write_count(f, 2, 4); /* is loaded, and waits */
	run(f, 50);
	assert_int_equal(count(f, 2), 4);
	assert_false(status(f, 2) & NULL_CNT);
	gate(f, true);
	assert_string_equal(trace(f, 2, 6), "....HH");
}

static void gate_that_is_toggled_loses_no_count(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	write_count(f, 2, 5000);
	for (unsigned i = 0; i < 1000; i++) {
		gate(f, false);
		f->now += 777;
		gate(f, true);
	}
	assert_int_equal(count(f, 2), 5000);
}

/* A processor's frequency is no multiple of ours: nothing is early, nothing drifts. */
static void any_frequency(void **state)
{
	struct fixture *f = *state;
	u64 start;

	f->tq.hz = 2399987654;
	mode(f, 2, 0);
	write_count(f, 2, 5000);
	f->now += 3456789;
	start = count(f, 2);
	for (unsigned i = 0; i < 1000; i++) {
		gate(f, false);
		f->now += 777;
		gate(f, true);
	}
	assert_int_equal(count(f, 2), start);

	mode(f, 0, 2);
	write_count(f, 0, 11932);
	start = f->now;
	f->rises = 0;
	for (unsigned i = 1; i <= 1000; i++) {
		run_to(f, f->tq.next);
		run_to(f, f->now);
		assert_int_equal(f->rises, i);
		assert_int_equal(count(f, 0), 11932);
	}
	assert_in_range(f->now - start - muldiv64(11932000, f->tq.hz, PIT_HZ), 0, 1);
}

static void interrupt_on_terminal_count(void **state)
{
	struct fixture *f = *state;

	mode(f, 0, 0);
	assert_false(f->irq);
	assert_false(pit_armed(&f->pit));
	write_count(f, 0, 1000);
	assert_true(pit_armed(&f->pit));
	f->rises = 0;
	run(f, 999);
	assert_false(f->irq);
	run(f, 2);
	assert_true(f->irq);
	assert_false(pit_armed(&f->pit));
	run(f, 200000); /* once */
	assert_true(f->irq);
	assert_int_equal(f->rises, 1);
	out(f, PIT_PORT, 0x10); /* the first byte lowers it, and the second starts */
	assert_false(f->irq);
	assert_false(pit_armed(&f->pit));
	out(f, PIT_PORT, 0);
	assert_true(pit_armed(&f->pit));
	run(f, 17);
	assert_true(f->irq);
	assert_int_equal(f->rises, 2);
}

/* How Linux stops the timer: its output must not rise. */
static void mode_0_without_a_count_is_quiet(void **state)
{
	struct fixture *f = *state;

	mode(f, 0, 2);
	write_count(f, 0, 4772);
	run(f, 10000);
	mode(f, 0, 0);
	f->rises = 0;
	run(f, 300000);
	assert_int_equal(f->rises, 0);
	assert_false(pit_armed(&f->pit));
}

/* ---- mode 1: one-shot ---- */

static void one_shot(void **state)
{
	struct fixture *f = *state;

	gate(f, false);
	mode(f, 2, 1);
	assert_true(output(f, 2));
	gate(f, true); /* no count yet: no trigger */
	gate(f, false);
	write_count(f, 2, 4);
	assert_string_equal(trace(f, 2, 6), "HHHHHH");
	assert_true(status(f, 2) & NULL_CNT); /* it is loaded by the trigger */
	gate(f, true);
	assert_false(status(f, 2) & NULL_CNT);
	assert_string_equal(trace(f, 2, 7), "....HHH");
	gate(f, false);
	assert_string_equal(trace(f, 2, 3), "HHH"); /* the level means nothing */
	gate(f, true);
	run(f, 2);
	gate(f, false);
	assert_string_equal(trace(f, 2, 4), "..HH");
}

static void one_shot_is_retriggered(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 1);
	write_count(f, 2, 5);
	gate(f, false);
	gate(f, true);
	run(f, 3);
	write_count(f, 2, 2); /* of no effect on this one */
	assert_true(status(f, 2) & NULL_CNT);
	assert_int_equal(count(f, 2), 2);
	assert_string_equal(trace(f, 2, 4), "..HH");
	gate(f, false);
	gate(f, true);
	assert_string_equal(trace(f, 2, 4), "..HH");
	write_count(f, 2, 5);
	gate(f, false);
	gate(f, true);
	run(f, 3);
	gate(f, false);
	gate(f, true);
	assert_string_equal(trace(f, 2, 7), ".....HH");
}

/* Channel 0's gate is tied high: nothing ever triggers modes 1 and 5. */
static void modes_that_need_a_gate_never_interrupt(void **state)
{
	struct fixture *f = *state;

	for (unsigned m = 1; m <= 5; m += 4) {
		mode(f, 0, m);
		f->rises = 0;
		write_count(f, 0, 100);
		assert_false(pit_armed(&f->pit));
		run(f, 1000);
		assert_true(f->irq);
		assert_int_equal(f->rises, 0);
	}
}

/* ---- mode 2: rate generator ---- */

static void rate_generator(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 2);
	assert_string_equal(trace(f, 2, 3), "HHH");
	write_count(f, 2, 4);
	assert_string_equal(trace(f, 2, 13), "HHH.HHH.HHH.H");
	mode(f, 2, 2);
	write_count(f, 2, 4);
	for (unsigned i = 0; i < 9; i++) {
		static const unsigned counts[] = { 4, 3, 2, 1 };

		assert_int_equal(count(f, 2), counts[i % 4]);
		run(f, 1);
	}
}

/* "Writing a new count while counting does not affect the current counting sequence." */
static void rate_changes_at_the_end_of_a_period(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 2);
	write_count(f, 2, 6);
	assert_false(status(f, 2) & NULL_CNT);
	run(f, 2);
	write_count(f, 2, 3);
	assert_true(status(f, 2) & NULL_CNT);
	assert_int_equal(count(f, 2), 4);
	assert_string_equal(trace(f, 2, 11), "HHH.HH.HH.H");
	assert_false(status(f, 2) & NULL_CNT);
	write_count(f, 2, 9);
	write_count(f, 2, 4); /* the last one counts */
	run(f, 2);
	assert_string_equal(trace(f, 2, 8), "HHH.HHH.");
}

/* A trigger "reloads the Counter": with the new count, if there is one. */
static void rate_starts_anew_by_the_gate(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 2);
	write_count(f, 2, 5);
	run(f, 2);
	gate(f, false);
	assert_string_equal(trace(f, 2, 9), "HHHHHHHHH");
	assert_int_equal(count(f, 2), 3);
	gate(f, true);
	assert_string_equal(trace(f, 2, 10), "HHHH.HHHH.");
	run(f, 4);
	assert_false(output(f, 2));
	gate(f, false); /* "If GATE goes low during an output pulse, OUT is set high immediately" */
	assert_true(output(f, 2));
	write_count(f, 2, 3);
	run(f, 20);
	assert_true(status(f, 2) & NULL_CNT);
	gate(f, true);
	assert_false(status(f, 2) & NULL_CNT);
	assert_string_equal(trace(f, 2, 6), "HH.HH.");
}

/* The new count came into effect unseen, before the gate stopped it. */
static void rate_changes_unseen(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 2);
	write_count(f, 2, 6);
	write_count(f, 2, 3);
	run(f, 7);
	gate(f, false);
	run(f, 100);
	assert_int_equal(count(f, 2), 2);
}

static void interrupts_of_the_rate_generator(void **state)
{
	struct fixture *f = *state;
	u64 start;

	mode(f, 0, 2);
	write_count(f, 0, 1193);
	start = f->now;
	f->rises = 0;
	for (unsigned i = 1; i <= 2000; i++) {
		run_to(f, start + 1193 * PER_CLOCK * i - 1);
		assert_int_equal(f->rises, i - 1);
		run_to(f, start + 1193 * PER_CLOCK * i + 1);
		assert_int_equal(f->rises, i);
		assert_true(f->irq);
	}
	write_count(f, 0, 500);
	run(f, 1194);
	assert_int_equal(f->rises, 2001);
	run(f, 498);
	assert_int_equal(f->rises, 2001);
	run(f, 1);
	assert_int_equal(f->rises, 2002);
	run(f, 500 * 10);
	assert_int_equal(f->rises, 2012);
}

/* A processor that is not there for long gets one interrupt, and then the rhythm it had. */
static void missed_periods_are_missed(void **state)
{
	struct fixture *f = *state;
	u64 start = f->now;

	mode(f, 0, 2);
	write_count(f, 0, 1000);
	f->rises = 0;
	f->now += 12300 * PER_CLOCK;
	timerq_run(&f->tq);
	assert_int_equal(f->rises, 1);
	run_to(f, start + 13000 * PER_CLOCK - 1);
	assert_int_equal(f->rises, 1);
	run_to(f, start + 13000 * PER_CLOCK + 1);
	assert_int_equal(f->rises, 2);
}

/* ---- mode 3: square wave ---- */

static void square_wave(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 3);
	assert_true(output(f, 2));
	write_count(f, 2, 4);
	assert_string_equal(trace(f, 2, 12), "HH..HH..HH..");
	mode(f, 2, 3);
	write_count(f, 2, 5);
	assert_string_equal(trace(f, 2, 13), "HHH..HHH..HHH");
	mode(f, 2, 3);
	write_count(f, 2, 2);
	assert_string_equal(trace(f, 2, 5), "H.H.H");
}

static void square_wave_counts_by_two(void **state)
{
	static const unsigned even[] = { 6, 4, 2, 6, 4, 2 }, odd[] = { 6, 4, 2, 0, 6, 4, 2 };
	struct fixture *f = *state;

	mode(f, 2, 3);
	write_count(f, 2, 6);
	for (unsigned i = 0; i < 15; i++, run(f, 1))
		assert_int_equal(count(f, 2), even[i % 6]);
	mode(f, 2, 3);
	write_count(f, 2, 7);
	for (unsigned i = 0; i < 15; i++, run(f, 1))
		assert_int_equal(count(f, 2), odd[i % 7]);
}

/* "... loaded at the end of the current half-cycle." */
static void square_wave_changes_after_half_a_period(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 3);
	write_count(f, 2, 6);
	run(f, 1);
	write_count(f, 2, 4);
	assert_true(status(f, 2) & NULL_CNT);
	assert_string_equal(trace(f, 2, 10), "HH..HH..HH");
	assert_false(status(f, 2) & NULL_CNT);
	run(f, 1); /* in the low half */
	write_count(f, 2, 5);
	assert_string_equal(trace(f, 2, 11), ".HHH..HHH..");
	assert_string_equal(trace(f, 2, 4), "HHH."); /* now in the middle of the low half */
	gate(f, false);
	assert_string_equal(trace(f, 2, 4), "HHHH");
	gate(f, true);
	run(f, 1);
	write_count(f, 2, 2);
	gate(f, false); /* a trigger does not wait for the half */
	gate(f, true);
	assert_string_equal(trace(f, 2, 4), "H.H.");
}

static void interrupts_of_the_square_wave(void **state)
{
	struct fixture *f = *state;
	u64 start;

	mode(f, 0, 3);
	write_count(f, 0, 0); /* 65536: 18.2 Hz */
	start = f->now;
	f->rises = 0;
	run_to(f, start + 65536 * PER_CLOCK - 1);
	assert_int_equal(f->rises, 0);
	run_to(f, start + 65536 * PER_CLOCK + 1);
	assert_int_equal(f->rises, 1);
	run_to(f, start + 65536 * PER_CLOCK * 100 + 1);
	assert_int_equal(f->rises, 100);
	run(f, 10000);
	write_count(f, 0, 1000); /* after the high half: 32768 clocks, and then a low one of 500 */
	start += (65536 * 100 + 32768 + 500) * PER_CLOCK;
	run_to(f, start - 1);
	assert_int_equal(f->rises, 100);
	run_to(f, start + 1);
	assert_int_equal(f->rises, 101);
	run_to(f, start + 5000 * PER_CLOCK + 1);
	assert_int_equal(f->rises, 106);
}

/* ---- modes 4 and 5: strobes ---- */

static void software_strobe(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 4);
	assert_true(output(f, 2));
	write_count(f, 2, 3);
	assert_string_equal(trace(f, 2, 8), "HHH.HHHH");
	assert_int_equal(count(f, 2), 65536 - 5);
	write_count(f, 2, 5);
	run(f, 2);
	write_count(f, 2, 3); /* at once */
	assert_string_equal(trace(f, 2, 6), "HHH.HH");
	write_count(f, 2, 4);
	run(f, 1);
	out(f, PIT_PORT + 2, 9); /* the first byte has no effect */
	assert_string_equal(trace(f, 2, 5), "HHH.H");
}

static void software_strobe_waits_for_the_gate(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 4);
	write_count(f, 2, 4);
	run(f, 2);
	gate(f, false);
	assert_string_equal(trace(f, 2, 5), "HHHHH");
	gate(f, true); /* goes on: no trigger */
	assert_string_equal(trace(f, 2, 5), "HH.HH");
}

static void interrupt_of_the_strobe(void **state)
{
	struct fixture *f = *state;
	u64 start = f->now;

	mode(f, 0, 4);
	write_count(f, 0, 1193);
	f->rises = 0;
	run_to(f, start + 1194 * PER_CLOCK - 1); /* it rises when the pulse ends */
	assert_int_equal(f->rises, 0);
	run_to(f, start + 1194 * PER_CLOCK + 1);
	assert_int_equal(f->rises, 1);
	assert_false(pit_armed(&f->pit));
	run(f, 1000000);
	assert_int_equal(f->rises, 1);
}

/* As Linux programs its one-shot clock event device, LSB and MSB, again and again. */
static void strobe_after_strobe(void **state)
{
	struct fixture *f = *state;

	mode(f, 0, 4);
	f->rises = 0;
	for (unsigned i = 1; i <= 100; i++) {
		write_count(f, 0, 10 * i);
		run(f, 10 * i + 2);
		assert_int_equal(f->rises, i);
	}
	write_count(f, 0, 100);
	run(f, 50);
	write_count(f, 0, 100); /* not the one before */
	run(f, 99);
	assert_int_equal(f->rises, 100);
	run(f, 3);
	assert_int_equal(f->rises, 101);
}

static void hardware_strobe(void **state)
{
	struct fixture *f = *state;

	gate(f, false);
	mode(f, 2, 5);
	write_count(f, 2, 3);
	assert_string_equal(trace(f, 2, 6), "HHHHHH");
	gate(f, true);
	assert_string_equal(trace(f, 2, 6), "HHH.HH");
	gate(f, false);
	gate(f, true);
	run(f, 2);
	gate(f, false);
	gate(f, true); /* retriggered */
	write_count(f, 2, 5);
	assert_string_equal(trace(f, 2, 6), "HHH.HH");
	assert_true(status(f, 2) & NULL_CNT);
	gate(f, false);
	gate(f, true);
	assert_string_equal(trace(f, 2, 7), "HHHHH.H");
}

/* ---- counts, latches, status ---- */

static void a_count_of_0_is_the_largest(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	write_count(f, 2, 0);
	assert_int_equal(count(f, 2), 0);
	run(f, 65535);
	assert_int_equal(count(f, 2), 1);
	assert_string_equal(trace(f, 2, 3), ".HH");
	out(f, CONTROL, 0xb0 | BCD);
	write_count(f, 2, 0);
	run(f, 1);
	assert_int_equal(count(f, 2), 0x9999);
	run(f, 9998);
	assert_string_equal(trace(f, 2, 3), ".HH");
	assert_int_equal(count(f, 2), 0x9998);
}

static void decimal_counts(void **state)
{
	struct fixture *f = *state;

	out(f, CONTROL, 0xb4 | BCD);
	write_count(f, 2, 0x1000);
	assert_int_equal(count(f, 2), 0x1000);
	run(f, 1);
	assert_int_equal(count(f, 2), 0x999);
	run(f, 998);
	assert_int_equal(count(f, 2), 1);
	run(f, 1);
	assert_int_equal(count(f, 2), 0x1000);
	write_count(f, 2, 0xffff); /* no decimal number: whatever it is, it counts */
	run(f, 20000);
	(void)count(f, 2);
}

static void single_bytes(void **state)
{
	struct fixture *f = *state;

	out(f, CONTROL, 0x90); /* low byte, mode 0 */
	out(f, PIT_PORT + 2, 0x34);
	assert_int_equal(in(f, PIT_PORT + 2), 0x34);
	assert_int_equal(in(f, PIT_PORT + 2), 0x34);
	run(f, 0x35);
	assert_int_equal(in(f, PIT_PORT + 2), 0xff);
	out(f, CONTROL, 0xa0); /* high byte */
	out(f, PIT_PORT + 2, 0x12);
	assert_int_equal(in(f, PIT_PORT + 2), 0x12);
	run(f, 1);
	assert_int_equal(in(f, PIT_PORT + 2), 0x11);
	run(f, 0x11ff - 1);
	assert_false(output(f, 2));
	run(f, 1);
	assert_true(output(f, 2));
}

static void the_bytes_alternate(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	write_count(f, 2, 0x1234);
	assert_int_equal(in(f, PIT_PORT + 2), 0x34);
	assert_int_equal(in(f, PIT_PORT + 2), 0x12);
	assert_int_equal(in(f, PIT_PORT + 2), 0x34);
	mode(f, 2, 0); /* the control word starts with the low byte again, */
	write_count(f, 2, 0x5678);
	assert_int_equal(in(f, PIT_PORT + 2), 0x78);
	out(f, PIT_PORT + 2, 1);
	mode(f, 2, 0); /* for writes too */
	write_count(f, 2, 0x9abc);
	assert_int_equal(count(f, 2), 0x9abc);
}

static void latch(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	write_count(f, 2, 0x300);
	run(f, 1);
	out(f, CONTROL, 0x80);
	run(f, 0x100);
	out(f, CONTROL, 0x80); /* "the second Latch Command is ignored" */
	assert_int_equal(in(f, PIT_PORT + 2), 0xff);
	run(f, 0x100);
	assert_int_equal(in(f, PIT_PORT + 2), 0x02);
	assert_int_equal(in(f, PIT_PORT + 2), 0xff); /* as it runs */
	assert_int_equal(in(f, PIT_PORT + 2), 0x00);
	out(f, CONTROL, 0x80);
	mode(f, 2, 0); /* "... or until the Counter is reprogrammed" */
	write_count(f, 2, 0x77);
	assert_int_equal(in(f, PIT_PORT + 2), 0x77);
	out(f, CONTROL, 0x90);
	out(f, PIT_PORT + 2, 9);
	out(f, CONTROL, 0x80); /* one byte is all that there is */
	run(f, 3);
	assert_int_equal(in(f, PIT_PORT + 2), 9);
	assert_int_equal(in(f, PIT_PORT + 2), 6);
}

static void read_back_of_several(void **state)
{
	struct fixture *f = *state;

	for (unsigned c = 0; c < 3; c++) {
		mode(f, c, 0);
		write_count(f, c, 0x1100 * (c + 1));
	}
	out(f, CONTROL, 0xda); /* counts of 0 and 2 */
	run(f, 0x100);
	assert_int_equal(in(f, PIT_PORT), 0x00);
	assert_int_equal(in(f, PIT_PORT), 0x11);
	assert_int_equal(in(f, PIT_PORT + 1), 0x00);
	assert_int_equal(in(f, PIT_PORT + 1), 0x21);
	assert_int_equal(in(f, PIT_PORT + 2), 0x00);
	assert_int_equal(in(f, PIT_PORT + 2), 0x33);
}

/* "If both count and status are latched, the first read returns the status." */
static void read_back_of_both(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	write_count(f, 2, 0x1234);
	out(f, CONTROL, 0xc8);
	run(f, 0x1234);
	out(f, CONTROL, 0xc8); /* ignored */
	assert_int_equal(in(f, PIT_PORT + 2), 0x30);
	assert_int_equal(in(f, PIT_PORT + 2), 0x34);
	assert_int_equal(in(f, PIT_PORT + 2), 0x12);
	assert_int_equal(status(f, 2), 0x30 | OUT);
	out(f, CONTROL, 0xf8); /* neither: nothing */
	assert_int_equal(in(f, PIT_PORT + 2), 0);
}

/* "... exactly as written in the last Mode Control Word." */
static void status_is_as_programmed(void **state)
{
	struct fixture *f = *state;

	for (unsigned word = 0x10; word < 0x40; word++) {
		out(f, CONTROL, 0x80 | word);
		assert_int_equal(status(f, 2) & 0x3f, word);
		assert_int_equal(status(f, 2) & NULL_CNT, NULL_CNT);
	}
	out(f, CONTROL, 0xbc); /* mode 6 is mode 2 */
	write_count(f, 2, 3);
	assert_string_equal(trace(f, 2, 6), "HH.HH.");
	out(f, CONTROL, 0xbe); /* and 7 is 3 */
	write_count(f, 2, 4);
	assert_string_equal(trace(f, 2, 6), "HH..HH");
}

static void null_count_between_the_bytes(void **state)
{
	struct fixture *f = *state;

	mode(f, 2, 0);
	assert_true(status(f, 2) & NULL_CNT);
	out(f, PIT_PORT + 2, 1);
	assert_true(status(f, 2) & NULL_CNT);
	out(f, PIT_PORT + 2, 0);
	assert_false(status(f, 2) & NULL_CNT);
}

/* ---- port 0x61 ---- */

static void port_61(void **state)
{
	struct fixture *f = *state;

	gate(f, false);
	mode(f, 2, 0);
	out(f, SPEAKER, 0xff); /* the upper half is read-only */
	assert_int_equal(in(f, SPEAKER) & 0xef, 0x0f);
	out(f, SPEAKER, 0x02);
	assert_int_equal(in(f, SPEAKER) & 0xef, 0x02);
	assert_int_equal(status(f, 2) & OUT, 0);
	out(f, SPEAKER, 0x01);
	write_count(f, 2, 3);
	assert_int_equal(in(f, SPEAKER) & 0xef, 0x01);
	run(f, 3);
	assert_int_equal(in(f, SPEAKER) & 0xef, 0x21);
	mode(f, 0, 0);
	mode(f, 1, 0);
	assert_int_equal(in(f, SPEAKER) & 0xef, 0x21); /* it is channel 2's */
}

/* Gate 2 is channel 2's alone: the others run on. */
static void the_gate_is_of_channel_2(void **state)
{
	struct fixture *f = *state;

	for (unsigned c = 0; c < 3; c++) {
		mode(f, c, 0);
		write_count(f, c, 100);
	}
	gate(f, false);
	run(f, 10);
	assert_int_equal(count(f, 0), 90);
	assert_int_equal(count(f, 1), 90);
	assert_int_equal(count(f, 2), 100);
}

/* Delay loops of old software count these. */
static void refresh_toggles_every_15_us(void **state)
{
	struct fixture *f = *state;
	u64 tsc_per_s = f->tq.hz, edges = 0;
	bool last = in(f, SPEAKER) & 0x10;

	for (u64 t = 0; t < 10000; t++) { /* 10 ms in steps of 1 us */
		f->now += tsc_per_s / 1000000;
		if (last != (bool)(in(f, SPEAKER) & 0x10))
			edges++;
		last = in(f, SPEAKER) & 0x10;
	}
	assert_in_range(edges, 661, 664);
}

/* pit_hpet_ptimer_calibrate_cpu() and quick_pit_calibrate() of Linux. */
static void linux_calibrates(void **state)
{
	struct fixture *f = *state;
	u64 start;
	u8 msb = 0xff;

	out(f, SPEAKER, (in(f, SPEAKER) & ~0x02u) | 0x01);
	out(f, CONTROL, 0xb0);
	out(f, PIT_PORT + 2, 0xff);
	out(f, PIT_PORT + 2, 0xff);
	start = f->now;
	(void)in(f, PIT_PORT + 2);
	assert_int_equal(in(f, PIT_PORT + 2), 0xff);
	for (unsigned i = 0; i < 200; i++) {
		u8 now;

		run(f, 128);
		(void)in(f, PIT_PORT + 2);
		now = in(f, PIT_PORT + 2);
		assert_true(now == msb || now == msb - 1);
		msb = now;
	}
	assert_int_equal(msb, 0xff - (f->now - start) / PER_CLOCK / 256);
}

/* ---- access, reset, abuse ---- */

static void wide_accesses_are_bytes(void **state)
{
	struct fixture *f = *state;

	out(f, CONTROL, 0x10); /* low bytes, mode 0 */
	out(f, CONTROL, 0x50);
	out(f, CONTROL, 0x90);
	bus_write(&f->bus, PIT_PORT, 4, 0xe2302010); /* ends with: read back the status of 0 */
	assert_int_equal(bus_read(&f->bus, PIT_PORT, 4), 0xff302010);
	assert_int_equal(bus_read(&f->bus, PIT_PORT + 1, 2), 0x3020);
}

static void the_control_port_cannot_be_read(void **state)
{
	assert_int_equal(in(*state, CONTROL), 0xff);
}

static void a_short_period_is_stretched(void **state)
{
	struct fixture *f = *state;
	u64 clocks = PIT_HZ / 10;

	for (unsigned n = 1; n < 20; n++) {
		mode(f, 0, 2 + n % 2);
		write_count(f, 0, n);
		f->rises = 0;
		run(f, clocks);
		assert_in_range(f->rises, 4900, 5000); /* 20 us each */
		assert_non_null(strstr(host_last_log, "stretched"));
	}
	host_last_log[0] = '\0';
	mode(f, 0, 2);
	write_count(f, 0, 24); /* 20.1 us */
	f->rises = 0;
	run(f, clocks);
	assert_in_range(f->rises, clocks / 24 - 1, clocks / 24);
	assert_string_equal(host_last_log, "");
}

static void reset(void **state)
{
	struct fixture *f = *state;

	mode(f, 0, 0);
	write_count(f, 0, 100);
	mode(f, 2, 0);
	pit_reset(&f->pit);
	assert_false(pit_armed(&f->pit));
	assert_true(f->irq);
	f->rises = 0;
	run(f, 100000);
	assert_int_equal(f->rises, 0);
	assert_int_equal(in(f, SPEAKER) & 0xef, 0x20);
	assert_int_equal(status(f, 0) & 0x3f, 0x36);
	assert_int_equal(count(f, 0), 0);
	/* The gate is low again. */
	mode(f, 2, 0);
	write_count(f, 2, 5);
	run(f, 100);
	assert_false(output(f, 2));
}

/* Whatever comes in whatever order: it ends, and an armed timer is in the future, at a distance. */
static void random_accesses(void **state)
{
	struct fixture *f = *state;

	srand(1);
	for (int i = 0; i < 300000; i++) {
		unsigned r = (unsigned)rand();
		u64 port = (r & 7) == 7 ? SPEAKER : PIT_PORT + (r & 3);

		switch ((r >> 3) % 3) {
		case 0: bus_write(&f->bus, port, 1u << (r >> 8) % 3, (u64)rand()); break;
		case 1: (void)bus_read(&f->bus, port, 1u << (r >> 8) % 3); break;
		default: f->now += (r >> 8) % (i % 2 ? 5000 : 100000000);
		}
		timerq_run(&f->tq);
		if (pit_armed(&f->pit))
			assert_in_range(f->tq.next, f->now - 1, f->now + 2 * 65537 * PER_CLOCK);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(terminal_count),
		TEST(terminal_count_takes_a_new_count_at_once),
		TEST(terminal_count_stops_between_the_bytes),
		TEST(terminal_count_waits_for_the_gate),
		TEST(gate_that_is_toggled_loses_no_count),
		TEST(any_frequency),
		TEST(interrupt_on_terminal_count),
		TEST(mode_0_without_a_count_is_quiet),
		TEST(one_shot),
		TEST(one_shot_is_retriggered),
		TEST(modes_that_need_a_gate_never_interrupt),
		TEST(rate_generator),
		TEST(rate_changes_at_the_end_of_a_period),
		TEST(rate_starts_anew_by_the_gate),
		TEST(rate_changes_unseen),
		TEST(interrupts_of_the_rate_generator),
		TEST(missed_periods_are_missed),
		TEST(square_wave),
		TEST(square_wave_counts_by_two),
		TEST(square_wave_changes_after_half_a_period),
		TEST(interrupts_of_the_square_wave),
		TEST(software_strobe),
		TEST(software_strobe_waits_for_the_gate),
		TEST(interrupt_of_the_strobe),
		TEST(strobe_after_strobe),
		TEST(hardware_strobe),
		TEST(a_count_of_0_is_the_largest),
		TEST(decimal_counts),
		TEST(single_bytes),
		TEST(the_bytes_alternate),
		TEST(latch),
		TEST(read_back_of_several),
		TEST(read_back_of_both),
		TEST(status_is_as_programmed),
		TEST(null_count_between_the_bytes),
		TEST(port_61),
		TEST(the_gate_is_of_channel_2),
		TEST(refresh_toggles_every_15_us),
		TEST(linux_calibrates),
		TEST(wide_accesses_are_bytes),
		TEST(the_control_port_cannot_be_read),
		TEST(a_short_period_is_stretched),
		TEST(reset),
		TEST(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
