/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 and port 0x61 on a bus, for their tests. A clock of the PIT is 1000 of the TSC here, so
 * that a test can stand between two of them.
 */
#ifndef TESTS_UNIT_PIT_MACHINE_H
#define TESTS_UNIT_PIT_MACHINE_H

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

static inline u64 clock_now(const struct timerq *q)
{
	return container_of(q, struct fixture, tq)->now;
}

static inline void set_irq(void *ctx, bool level)
{
	struct fixture *f = ctx;

	if (level && !f->irq) {
		f->rises++;
		f->last_rise = f->now;
	}
	f->irq = level;
}

/* To a TSC, stopping at each deadline, as the hypervisor does. */
static inline void run_to(struct fixture *f, u64 tsc)
{
	while (f->tq.next <= tsc) {
		f->now = MAX(f->tq.next, f->now);
		timerq_run(&f->tq);
	}
	f->now = tsc;
}

static inline void run(struct fixture *f, u64 clocks)
{
	run_to(f, f->now + clocks * PER_CLOCK);
}

static inline u8 in(struct fixture *f, u64 port)
{
	return (u8)bus_read(&f->bus, port, 1);
}

static inline void out(struct fixture *f, u64 port, unsigned value)
{
	bus_write(&f->bus, port, 1, value);
}

/* Programs a channel for counts of two bytes. */
static inline void mode(struct fixture *f, unsigned channel, unsigned m)
{
	out(f, CONTROL, channel << 6 | 0x30 | m << 1);
}

static inline void write_count(struct fixture *f, unsigned channel, unsigned n)
{
	out(f, PIT_PORT + channel, n & 0xff);
	out(f, PIT_PORT + channel, n >> 8);
}

static inline unsigned count(struct fixture *f, unsigned channel)
{
	u8 low;

	out(f, CONTROL, channel << 6);
	low = in(f, PIT_PORT + channel);
	return low | (unsigned)in(f, PIT_PORT + channel) << 8;
}

static inline u8 status(struct fixture *f, unsigned channel)
{
	out(f, CONTROL, 0xe0 | 2u << channel);
	return in(f, PIT_PORT + channel);
}

static inline bool output(struct fixture *f, unsigned channel)
{
	return status(f, channel) & OUT;
}

static inline void gate(struct fixture *f, bool level)
{
	out(f, SPEAKER, level);
}

/* The output for so many clocks, a character each, in the middle of each. */
static inline const char *trace(struct fixture *f, unsigned channel, unsigned clocks)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	free(*state);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
