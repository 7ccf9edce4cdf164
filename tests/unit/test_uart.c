/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UART as drivers see it: registers, FIFO, each interrupt and its acknowledgement, and the
 * probe sequence of Linux's 8250 driver.
 *
 * Sources: hv/dev/uart.c hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/dev/uart.h"

enum {
	DATA,
	IER,
	IIR,
	LCR,
	MCR,
	LSR,
	MSR,
	SCR
};

#define TSC_HZ	   1000000000ul
#define CHAR_TICKS (TSC_HZ / 11520) /* ten bits at 115200 baud */

struct fixture {
	struct uart uart;
	struct timerq tq;
	bool irq;
	unsigned edges; /* rising */
	u8 out[64];
	size_t out_len;
};

static u64 now;

static u64 clock_now(const struct timerq *q)
{
	(void)q;
	return now;
}

static void set_irq(void *ctx, unsigned line, bool level)
{
	struct fixture *f = ctx;

	assert_int_equal(line, 4);
	f->irq = level;
	f->edges += level;
}

static void out(void *ctx, const u8 *buf, size_t len)
{
	struct fixture *f = ctx;

	assert_true(f->out_len + len <= sizeof(f->out));
	memcpy(f->out + f->out_len, buf, len);
	f->out_len += len;
}

static u8 in(struct fixture *f, unsigned reg)
{
	return (u8)uart_io.read(&f->uart, reg, 1);
}

static void put(struct fixture *f, unsigned reg, u8 value)
{
	uart_io.write(&f->uart, reg, 1, value);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct wire irq = { .set = set_irq, .ctx = f, .line = 4 };

	now = 1000;
	timerq_init(&f->tq, TSC_HZ, clock_now);
	uart_init(&f->uart, &f->tq, &irq, out, f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	uart_destroy(&f->uart);
	assert_int_equal(f->tq.next, TIMER_NEVER);
	free(f);
	return 0;
}

static void pass_time(struct fixture *f, u64 ticks)
{
	now += ticks;
	timerq_run(&f->tq);
}

static void sends_at_once(void **state)
{
	struct fixture *f = *state;

	for (const char *s = "hello"; *s; s++) {
		assert_int_equal(in(f, LSR), 0x60);
		put(f, DATA, (u8)*s);
	}
	assert_int_equal(f->out_len, 5);
	assert_memory_equal(f->out, "hello", 5);
	assert_int_equal(f->edges, 0);
}

static void divisor_latch_hides_data_and_ier(void **state)
{
	struct fixture *f = *state;

	put(f, LCR, 0x83);
	put(f, DATA, 0x34);
	put(f, IER, 0x12);
	assert_int_equal(in(f, DATA), 0x34);
	assert_int_equal(in(f, IER), 0x12);
	put(f, LCR, 0x03);
	assert_int_equal(in(f, IER), 0);
	assert_int_equal(f->out_len, 0);
	assert_int_equal(in(f, LCR), 0x03);
}

static void word_accesses_are_two_bytes(void **state)
{
	struct fixture *f = *state;

	put(f, LCR, 0x80);
	uart_io.write(&f->uart, DATA, 2, 0x0102);
	assert_int_equal(in(f, DATA), 0x02);
	assert_int_equal(in(f, IER), 0x01);
	assert_int_equal(uart_io.read(&f->uart, DATA, 4), 0x80010102);
}

/* autoconfig() of the Linux driver, step by step. */
static void linux_finds_a_16550a(void **state)
{
	struct fixture *f = *state;
	u8 old_mcr;

	put(f, IER, 0);
	assert_int_equal(in(f, IER) & 0x0f, 0);
	put(f, IER, 0x0f);
	assert_int_equal(in(f, IER) & 0x0f, 0x0f);
	put(f, IER, 0);
	old_mcr = in(f, MCR);
	put(f, MCR, 0x1a); /* LOOP | OUT2 | RTS */
	assert_int_equal(in(f, MSR) & 0xf0, 0x90);
	put(f, MCR, old_mcr);
	put(f, LCR, 0xbf);
	put(f, IIR, 0);
	put(f, LCR, 0);
	put(f, IIR, 0x01);
	assert_int_equal(in(f, IIR) >> 6, 3);
	put(f, LCR, 0x80); /* no 16650, ... */
	assert_int_not_equal(in(f, IIR), 0);
	put(f, LCR, 0xbf);
	assert_int_not_equal(in(f, IIR), 0);
	put(f, LCR, 0);
	put(f, IIR, 0x21); /* ... no 16750, ... */
	assert_int_equal(in(f, IIR) & 0x20, 0);
	put(f, IER, 0x40); /* ... no XScale */
	assert_int_equal(in(f, IER) & 0x40, 0);
	put(f, SCR, 0x5a);
	assert_int_equal(in(f, SCR), 0x5a);
}

/* The driver's test for UARTs that do not raise THRE again. */
static void thre_rises_on_enable(void **state)
{
	struct fixture *f = *state;

	put(f, MCR, 0x08);
	for (int i = 0; i < 2; i++) {
		put(f, IER, 0x02);
		assert_true(f->irq);
		assert_int_equal(in(f, IIR), 0x02);
		assert_false(f->irq); /* read: acknowledged */
		assert_int_equal(in(f, IIR), 0x01);
		put(f, IER, 0);
	}
	assert_int_equal(f->edges, 2);
}

static void thre_rises_after_each_byte(void **state)
{
	struct fixture *f = *state;

	put(f, MCR, 0x08);
	put(f, IER, 0x02);
	put(f, DATA, 'a'); /* not acknowledged by IIR: a new edge all the same */
	put(f, DATA, 'b');
	assert_int_equal(f->edges, 3);
	assert_int_equal(in(f, IIR), 0x02);
	put(f, IER, 0x02); /* already enabled: nothing new */
	assert_false(f->irq);
}

static void out2_gates_the_interrupt(void **state)
{
	struct fixture *f = *state;

	put(f, IER, 0x02);
	assert_false(f->irq);
	assert_int_equal(in(f, LSR), 0x60);
	put(f, MCR, 0x08);
	assert_true(f->irq);
	put(f, MCR, 0x18); /* loopback holds OUT2 inactive */
	assert_false(f->irq);
}

static void receives_without_fifo(void **state)
{
	struct fixture *f = *state;

	put(f, MCR, 0x08);
	put(f, IER, 0x01);
	assert_int_equal(uart_receive(&f->uart, (const u8 *)"xy", 2), 1);
	assert_true(f->irq);
	assert_int_equal(in(f, IIR), 0x04);
	assert_int_equal(in(f, LSR), 0x61);
	assert_int_equal(uart_receive(&f->uart, (const u8 *)"y", 1), 0);
	assert_int_equal(in(f, DATA), 'x');
	assert_false(f->irq);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(uart_receive(&f->uart, (const u8 *)"y", 1), 1);
	assert_int_equal(in(f, DATA), 'y');
}

static void fifo_keeps_order_around_the_end(void **state)
{
	struct fixture *f = *state;
	u8 byte = 0, expect = 0;

	put(f, IIR, 0x01);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 11; i++, byte++)
			assert_int_equal(uart_receive(&f->uart, &byte, 1), 1);
		for (int i = 0; i < 11; i++)
			assert_int_equal(in(f, DATA), expect++);
		assert_int_equal(in(f, LSR), 0x60);
	}
}

static void fifo_takes_what_fits(void **state)
{
	struct fixture *f = *state;
	u8 buf[40] = { 0 };

	put(f, IIR, 0x01);
	assert_int_equal(uart_receive(&f->uart, buf, sizeof(buf)), 16);
	assert_int_equal(uart_receive(&f->uart, buf, sizeof(buf)), 0);
	assert_int_equal(in(f, LSR), 0x61); /* the sender waits: no overrun */
	put(f, IIR, 0x03);		    /* clear the receiver */
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(uart_receive(&f->uart, buf, 3), 3);
	put(f, IIR, 0x00); /* FIFO off: both are cleared */
	assert_int_equal(in(f, LSR), 0x60);
}

static void trigger_levels(void **state)
{
	static const u8 level[] = { 1, 4, 8, 14 };
	struct fixture *f = *state;
	u8 byte = 'z';

	put(f, MCR, 0x08);
	put(f, IER, 0x01);
	for (unsigned t = 0; t < 4; t++) {
		put(f, IIR, (u8)(t << 6 | 0x03));
		for (unsigned i = 1; i <= level[t]; i++) {
			assert_false(f->irq);
			uart_receive(&f->uart, &byte, 1);
		}
		assert_true(f->irq);
		assert_int_equal(in(f, IIR), 0xc4);
		in(f, DATA);
		assert_false(f->irq);
	}
}

static void timeout_below_the_trigger(void **state)
{
	struct fixture *f = *state;

	put(f, MCR, 0x08);
	put(f, IER, 0x01);
	put(f, IIR, 0xc1);
	uart_receive(&f->uart, (const u8 *)"ab", 2);
	pass_time(f, CHAR_TICKS * 3);
	assert_false(f->irq);
	pass_time(f, CHAR_TICKS * 11 / 10);
	assert_true(f->irq);
	assert_int_equal(in(f, IIR), 0xcc);
	in(f, DATA); /* ends the time-out and starts the next */
	assert_false(f->irq);
	pass_time(f, CHAR_TICKS * 5);
	assert_int_equal(in(f, IIR), 0xcc);
	in(f, DATA);
	pass_time(f, CHAR_TICKS * 5);
	assert_int_equal(in(f, IIR), 0xc1);
}

static void divisor_zero_is_harmless(void **state)
{
	struct fixture *f = *state;

	put(f, LCR, 0x80);
	put(f, DATA, 0);
	put(f, IER, 0);
	put(f, LCR, 0);
	put(f, IIR, 0xc1);
	uart_receive(&f->uart, (const u8 *)"a", 1);
	pass_time(f, CHAR_TICKS * 5);
	put(f, IER, 0x01);
	assert_int_equal(in(f, IIR), 0xcc);
}

static void loopback_overruns(void **state)
{
	struct fixture *f = *state;

	put(f, MCR, 0x10);
	put(f, IER, 0x04);
	put(f, DATA, 'a');
	put(f, DATA, 'b'); /* no FIFO: overwrites */
	assert_int_equal(f->out_len, 0);
	assert_int_equal(in(f, IIR), 0x06);
	assert_int_equal(in(f, LSR), 0x63);
	assert_int_equal(in(f, LSR), 0x61); /* read: acknowledged */
	assert_int_equal(in(f, IIR), 0x01);
	assert_int_equal(in(f, DATA), 'b');

	put(f, IIR, 0x01);
	for (u8 c = 0; c < 17; c++)
		put(f, DATA, c);
	assert_int_equal(in(f, LSR), 0x63);
	for (u8 c = 0; c < 16; c++) /* FIFO: the last one is lost */
		assert_int_equal(in(f, DATA), c);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(uart_receive(&f->uart, (const u8 *)"x", 1), 0);
}

static void modem_status(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, MSR), 0xb0);
	put(f, IER, 0x08);
	put(f, MCR, 0x10); /* all lines drop */
	assert_int_equal(in(f, IIR), 0x00);
	assert_int_equal(in(f, MSR), 0x0b);
	assert_int_equal(in(f, MSR), 0x00);
	assert_int_equal(in(f, IIR), 0x01);
	put(f, MCR, 0x14); /* ring rises: its delta is the trailing edge only */
	assert_int_equal(in(f, MSR), 0x40);
	put(f, MCR, 0x10);
	assert_int_equal(in(f, MSR), 0x04);
}

static void priorities(void **state)
{
	struct fixture *f = *state;

	put(f, MCR, 0x10);
	put(f, IER, 0x0f);
	put(f, DATA, 'a');
	put(f, DATA, 'b');
	assert_int_equal(in(f, IIR), 0x06);
	in(f, LSR);
	assert_int_equal(in(f, IIR), 0x04);
	in(f, DATA);
	assert_int_equal(in(f, IIR), 0x02);
	assert_int_equal(in(f, IIR), 0x00);
	in(f, MSR);
	assert_int_equal(in(f, IIR), 0x01);
}

static void reset_restores_everything(void **state)
{
	struct fixture *f = *state;

	put(f, MCR, 0x08);
	put(f, IER, 0x0f);
	put(f, IIR, 0xc1);
	uart_receive(&f->uart, (const u8 *)"abc", 3);
	uart_reset(&f->uart);
	assert_false(f->irq);
	assert_int_equal(f->tq.next, TIMER_NEVER);
	assert_int_equal(in(f, IER), 0);
	assert_int_equal(in(f, IIR), 1);
	assert_int_equal(in(f, LSR), 0x60);
}

/* Whatever is written in whatever order, nothing is read or written out of bounds (ASan watches).
 */
static void random_accesses(void **state)
{
	struct fixture *f = *state;
	u8 buf[32] = { 0 };

	srand(1);
	for (int i = 0; i < 200000; i++) {
		unsigned reg = (unsigned)rand() % 8, size = 1u << (rand() % 3);

		f->out_len = 0;
		size = MIN(size, 8 - reg);
		if (rand() % 2)
			uart_io.write(&f->uart, reg, size, (u64)rand());
		else
			assert_true(uart_io.read(&f->uart, reg, size) >> (size * 8) == 0);
		assert_true(uart_receive(&f->uart, buf, (size_t)rand() % 32) <= 16);
		pass_time(f, (u64)rand() % 100000);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sends_at_once),
		TEST(divisor_latch_hides_data_and_ier),
		TEST(word_accesses_are_two_bytes),
		TEST(linux_finds_a_16550a),
		TEST(thre_rises_on_enable),
		TEST(thre_rises_after_each_byte),
		TEST(out2_gates_the_interrupt),
		TEST(receives_without_fifo),
		TEST(fifo_keeps_order_around_the_end),
		TEST(fifo_takes_what_fits),
		TEST(trigger_levels),
		TEST(timeout_below_the_trigger),
		TEST(divisor_zero_is_harmless),
		TEST(loopback_overruns),
		TEST(modem_status),
		TEST(priorities),
		TEST(reset_restores_everything),
		TEST(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
