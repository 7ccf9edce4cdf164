/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The modes of the 8254 against the data sheet: the output clock by clock, and its interrupts.
 *
 * Sources: hv/dev/pit.c hv/dev/bus.c hv/cpu/timer.c
 */
#include "tests/unit/pit_machine.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
