/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How software gets at the 8254: the bytes of counts, latches, the status and port 0x61; accesses
 * that it does not expect.
 *
 * Sources: hv/dev/pit.c hv/dev/bus.c hv/cpu/timer.c
 */
#include "tests/unit/pit_machine.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
