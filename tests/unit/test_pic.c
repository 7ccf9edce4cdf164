/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8259A pair as its data sheet has it, and as Linux's i8259.c uses it.
 *
 * Sources: hv/dev/pic.c hv/dev/bus.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/dev/pic.h"

enum {
	MASTER = PIC_MASTER_PORT,
	SLAVE = PIC_SLAVE_PORT,
	ELCR = PIC_ELCR_PORT
};

#define EOI	     0x20
#define SPECIFIC     0x60
#define READ_IRR     0x0a
#define READ_ISR     0x0b
#define POLL	     0x0c
#define SPECIAL_MASK 0x68
#define NORMAL_MASK  0x48
#define NOTHING	     (-1)

struct fixture {
	struct pic pic;
	struct bus bus;
	bool out;
	unsigned changes;
};

static void output(void *ctx, bool level)
{
	struct fixture *f = ctx;

	assert_int_not_equal(f->out, level);
	f->out = level;
	f->changes++;
}

static u8 in(struct fixture *f, u64 port)
{
	return (u8)bus_read(&f->bus, port, 1);
}

static void put(struct fixture *f, u64 port, u8 value)
{
	bus_write(&f->bus, port, 1, value);
}

static void line(struct fixture *f, unsigned irq, bool level)
{
	pic_set_irq(&f->pic, irq, level);
}

static void pulse(struct fixture *f, unsigned irq)
{
	line(f, irq, false);
	line(f, irq, true);
}

/* Takes the interrupt that INT announces. */
static int ack(struct fixture *f)
{
	return pic_output(&f->pic) ? pic_ack(&f->pic) : NOTHING;
}

static u8 irr(struct fixture *f, u64 chip)
{
	put(f, chip, READ_IRR);
	return in(f, chip);
}

static u8 isr(struct fixture *f, u64 chip)
{
	put(f, chip, READ_ISR);
	return in(f, chip);
}

static void init_chip(struct fixture *f, u64 chip, u8 vector, u8 icw3, u8 icw4)
{
	put(f, chip, 0x11);
	put(f, chip + 1, vector);
	put(f, chip + 1, icw3);
	put(f, chip + 1, icw4);
}

static void init_both(struct fixture *f, u8 icw4)
{
	init_chip(f, MASTER, 0x30, 4, icw4);
	init_chip(f, SLAVE, 0x38, 2, 1);
}

static int setup_off(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	pic_init(&f->pic, output, f);
	assert_false(bus_add(&f->bus, MASTER, PIC_PORTS, &pic_master_ops, &f->pic, "pic"));
	assert_false(bus_add(&f->bus, SLAVE, PIC_PORTS, &pic_slave_ops, &f->pic, "pic"));
	assert_false(bus_add(&f->bus, ELCR, PIC_ELCR_PORTS, &pic_elcr_ops, &f->pic, "elcr"));
	*state = f;
	return 0;
}

static int setup(void **state)
{
	setup_off(state);
	init_both(*state, 1);
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

/* ---- initialisation ---- */

static void silent_until_initialised(void **state)
{
	struct fixture *f = *state;

	line(f, 3, true);
	assert_false(pic_output(&f->pic));
	put(f, MASTER, 0x11);
	pulse(f, 3);
	assert_false(f->out);
	put(f, MASTER + 1, 0x20);
	assert_false(f->out);
	put(f, MASTER + 1, 4);
	assert_false(f->out); /* ICW4 is still to come */
	put(f, MASTER + 1, 1);
	assert_true(f->out);
	assert_int_equal(ack(f), 0x23);
}

static void words_that_are_not_announced_are_not_awaited(void **state)
{
	struct fixture *f = *state;

	put(f, MASTER, 0x10); /* no ICW4 */
	put(f, MASTER + 1, 0x47);
	put(f, MASTER + 1, 4);
	put(f, MASTER + 1, 0xef); /* the mask */
	assert_int_equal(in(f, MASTER + 1), 0xef);
	line(f, 4, true);
	assert_int_equal(ack(f), 0x44); /* the low bits of ICW2 are the input's */

	put(f, MASTER, 0x13); /* single: no ICW3 */
	put(f, MASTER + 1, 0x50);
	put(f, MASTER + 1, 0x03);
	put(f, MASTER + 1, 0x02);
	assert_int_equal(in(f, MASTER + 1), 0x02);
	pulse(f, 4);
	assert_int_equal(ack(f), 0x54);
	assert_int_equal(isr(f, MASTER), 0); /* ICW4 said: automatic end of interrupt */

	put(f, MASTER, 0x12); /* neither */
	put(f, MASTER + 1, 0x60);
	put(f, MASTER + 1, 0x04);
	assert_int_equal(in(f, MASTER + 1), 0x04);
	pulse(f, 4);
	assert_int_equal(ack(f), 0x64);
	assert_int_equal(isr(f, MASTER), BIT(4)); /* without ICW4 all it selects is off */
}

/* "Initialization Command Word 1": what a to f it resets. */
static void icw1_resets(void **state)
{
	struct fixture *f = *state;

	put(f, MASTER + 1, 0xfc);
	put(f, MASTER, 0xc3); /* lowest priority: 3 */
	put(f, MASTER, SPECIAL_MASK);
	put(f, MASTER, READ_ISR);
	line(f, 1, true);
	assert_int_equal(ack(f), 0x31);
	line(f, 0, true);
	assert_int_equal(in(f, MASTER), BIT(1));
	init_chip(f, MASTER, 0x30, 4, 1);
	assert_int_equal(in(f, MASTER + 1), 0); /* mask */
	assert_int_equal(in(f, MASTER), 0);	/* reads are of IRR, and its edges are forgotten */
	assert_int_equal(isr(f, MASTER), 0);
	assert_false(f->out);
	pulse(f, 4);
	pulse(f, 3);
	assert_int_equal(ack(f), 0x33); /* 7 is the lowest again */
	put(f, MASTER + 1, BIT(3));
	assert_false(f->out); /* no special mask */
}

/* probe_8259A() and init_8259A(). */
static void linux_finds_it(void **state)
{
	struct fixture *f = *state;

	put(f, SLAVE + 1, 0xff);
	put(f, MASTER + 1, 0xfb);
	assert_int_equal(in(f, MASTER + 1), 0xfb);
	put(f, MASTER + 1, 0xff);
	init_both(f, 3); /* automatic end of interrupt */
	assert_int_equal(in(f, MASTER + 1), 0);
}

static void reset_keeps_the_levels(void **state)
{
	struct fixture *f = *state;

	put(f, ELCR, BIT(5));
	put(f, MASTER + 1, BIT(1));
	line(f, 5, true);
	assert_true(f->out);
	pic_reset(&f->pic);
	assert_false(f->out);
	assert_int_equal(in(f, ELCR), 0);
	assert_int_equal(in(f, MASTER + 1), 0);
	put(f, ELCR, BIT(5));
	init_both(f, 1);
	assert_int_equal(ack(f), 0x35);
}

/* ---- edges and levels ---- */

static void an_edge_is_one_interrupt(void **state)
{
	struct fixture *f = *state;

	line(f, 4, true);
	assert_int_equal(irr(f, MASTER), BIT(4));
	assert_int_equal(ack(f), 0x34);
	assert_int_equal(irr(f, MASTER), 0);
	put(f, MASTER, EOI);
	line(f, 4, true); /* still high: no edge */
	assert_int_equal(ack(f), NOTHING);
	line(f, 4, false);
	line(f, 4, true);
	assert_int_equal(ack(f), 0x34);
}

static void an_edge_during_service_is_kept(void **state)
{
	struct fixture *f = *state;

	line(f, 4, true);
	assert_int_equal(ack(f), 0x34);
	pulse(f, 4);
	assert_int_equal(ack(f), NOTHING);
	assert_int_equal(irr(f, MASTER), BIT(4));
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), 0x34);
}

/* "The IR inputs must remain high until after the falling edge of the first INTA." */
static void a_request_that_goes_is_spurious(void **state)
{
	struct fixture *f = *state;

	line(f, 4, true);
	line(f, 4, false);
	assert_false(f->out);
	assert_int_equal(f->changes, 2);
	assert_int_equal(pic_ack(&f->pic), 0x37);
	assert_int_equal(isr(f, MASTER), 0); /* which is how a driver tells */
	line(f, 12, true);
	put(f, SLAVE + 1, BIT(4)); /* masked in between */
	assert_int_equal(pic_ack(&f->pic), 0x37);
	line(f, 7, true);
	assert_int_equal(pic_ack(&f->pic), 0x37);
	assert_int_equal(isr(f, MASTER), BIT(7));
}

static void a_masked_edge_waits(void **state)
{
	struct fixture *f = *state;

	put(f, MASTER + 1, BIT(4));
	line(f, 4, true);
	assert_false(f->out);
	assert_int_equal(irr(f, MASTER), BIT(4)); /* IRR is before the mask */
	put(f, MASTER + 1, 0);
	assert_int_equal(ack(f), 0x34);
}

static void a_level_comes_again(void **state)
{
	struct fixture *f = *state;

	put(f, ELCR, BIT(5));
	line(f, 5, true);
	assert_int_equal(ack(f), 0x35);
	assert_int_equal(irr(f, MASTER), BIT(5));
	assert_false(f->out);
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), 0x35);
	line(f, 5, false);
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), NOTHING);
}

static void elcr_takes_what_may_be_level(void **state)
{
	struct fixture *f = *state;

	put(f, ELCR, 0xff);
	put(f, ELCR + 1, 0xff);
	assert_int_equal(in(f, ELCR), 0xf8);
	assert_int_equal(in(f, ELCR + 1), 0xde);
}

static void elcr_may_change_under_a_line(void **state)
{
	struct fixture *f = *state;

	line(f, 5, true);
	assert_int_equal(ack(f), 0x35);
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), NOTHING);
	put(f, ELCR, BIT(5)); /* the line is high: now that is a request */
	assert_int_equal(ack(f), 0x35);
	put(f, MASTER, EOI);
	assert_true(f->out);
	put(f, ELCR, 0); /* its edge was served long ago */
	assert_false(f->out);
}

static void elcr_outlives_initialisation(void **state)
{
	struct fixture *f = *state;

	put(f, ELCR + 1, BIT(2));
	line(f, 10, true);
	init_both(f, 1);
	assert_int_equal(in(f, ELCR + 1), BIT(2));
	assert_int_equal(ack(f), 0x3a);
}

static void icw1_makes_all_levels(void **state)
{
	struct fixture *f = *state;

	line(f, 0, true);
	put(f, MASTER, 0x19);
	put(f, MASTER + 1, 0x30);
	put(f, MASTER + 1, 4);
	put(f, MASTER + 1, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ack(f), 0x30);
		put(f, MASTER, EOI);
	}
}

/* ---- priorities ---- */

static void low_numbers_first(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 8; n-- > 0;)
		line(f, n, true);
	for (unsigned n = 0; n < 8; n++) {
		if (n == 2)
			continue;
		assert_int_equal(ack(f), 0x30 + n);
		assert_int_equal(isr(f, MASTER), BIT(n));
		put(f, MASTER, EOI);
	}
	assert_false(f->out);
}

static void higher_ones_nest(void **state)
{
	struct fixture *f = *state;

	line(f, 5, true);
	assert_int_equal(ack(f), 0x35);
	line(f, 6, true);
	assert_int_equal(ack(f), NOTHING);
	line(f, 3, true);
	assert_int_equal(ack(f), 0x33);
	assert_int_equal(isr(f, MASTER), BIT(5) | BIT(3));
	put(f, MASTER, EOI); /* non-specific: the highest in service */
	assert_int_equal(isr(f, MASTER), BIT(5));
	put(f, MASTER, SPECIFIC | 5);
	assert_int_equal(ack(f), 0x36);
}

static void end_of_nothing_is_harmless(void **state)
{
	struct fixture *f = *state;

	put(f, MASTER, EOI);
	put(f, MASTER, SPECIFIC | 3);
	put(f, MASTER, 0xa0); /* rotate: there is nothing to rotate by */
	put(f, MASTER, 0x40); /* no operation */
	line(f, 7, true);
	line(f, 0, true);
	assert_int_equal(ack(f), 0x30);
}

static void rotation(void **state)
{
	struct fixture *f = *state;

	line(f, 4, true);
	line(f, 6, true);
	assert_int_equal(ack(f), 0x34);
	put(f, MASTER, 0xa0); /* rotate on non-specific EOI: 4 is the lowest now */
	assert_int_equal(isr(f, MASTER), 0);
	pulse(f, 4);
	assert_int_equal(ack(f), 0x36);
	put(f, MASTER, 0xe6); /* rotate on specific EOI: 6 */
	line(f, 7, true);
	assert_int_equal(ack(f), 0x37); /* 7, 0, ..., 6 */
	put(f, MASTER, SPECIFIC | 7);
	put(f, MASTER, 0xc0); /* set priority: 0 is the lowest, without an end of interrupt */
	line(f, 0, true);
	assert_int_equal(ack(f), 0x34);
	assert_int_equal(ack(f), NOTHING);
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), 0x30);
}

/* The end of interrupt of the highest in service is by the rotated priorities as well. */
static void rotated_end_of_interrupt(void **state)
{
	struct fixture *f = *state;

	put(f, MASTER, 0xc3); /* 4, 5, 6, 7, 0, ..., 3 */
	line(f, 1, true);
	assert_int_equal(ack(f), 0x31);
	line(f, 5, true);
	assert_int_equal(ack(f), 0x35);
	put(f, MASTER, EOI);
	assert_int_equal(isr(f, MASTER), BIT(1));
}

static void automatic_end_of_interrupt(void **state)
{
	struct fixture *f = *state;

	init_both(f, 3);
	line(f, 4, true);
	line(f, 5, true);
	assert_int_equal(ack(f), 0x34);
	assert_int_equal(isr(f, MASTER), 0);
	pulse(f, 4);
	assert_int_equal(ack(f), 0x34);
	put(f, MASTER, 0x80); /* rotate in automatic mode */
	pulse(f, 4);
	assert_int_equal(ack(f), 0x34);
	pulse(f, 4);
	assert_int_equal(ack(f), 0x35);
	put(f, MASTER, 0x00); /* no longer */
	assert_int_equal(ack(f), 0x34);
	line(f, 5, false);
	pulse(f, 4);
	line(f, 5, true);
	assert_int_equal(ack(f), 0x34); /* 5 has remained the lowest: 6, 7, 0, ..., 5 */
	assert_int_equal(ack(f), 0x35);
}

/* ---- special modes ---- */

/* "Special Mask Mode": in service and masked, an input holds nobody back. */
static void special_mask_mode(void **state)
{
	struct fixture *f = *state;

	line(f, 3, true);
	assert_int_equal(ack(f), 0x33);
	line(f, 6, true);
	put(f, MASTER + 1, BIT(3));
	assert_int_equal(ack(f), NOTHING);
	put(f, MASTER, SPECIAL_MASK);
	assert_true(f->out);
	put(f, MASTER, 0x20 | 0x08); /* SMM without ESMM: no change */
	put(f, MASTER, 0x08);
	assert_int_equal(ack(f), 0x36);
	pulse(f, 3);
	assert_int_equal(ack(f), NOTHING); /* it is masked, after all */
	put(f, MASTER, EOI);		   /* clears 6: what is masked is out of its reach */
	assert_int_equal(isr(f, MASTER), BIT(3));
	put(f, MASTER, EOI);
	assert_int_equal(isr(f, MASTER), BIT(3));
	put(f, MASTER, SPECIFIC | 3);
	assert_int_equal(isr(f, MASTER), 0);
	put(f, MASTER, NORMAL_MASK);
	put(f, MASTER + 1, 0);
	assert_int_equal(ack(f), 0x33);
	line(f, 5, true);
	put(f, MASTER + 1, BIT(3));
	assert_int_equal(ack(f), NOTHING);
}

static void special_mask_still_ranks_the_unmasked(void **state)
{
	struct fixture *f = *state;

	put(f, MASTER, SPECIAL_MASK);
	line(f, 3, true);
	assert_int_equal(ack(f), 0x33);
	line(f, 4, true);
	pulse(f, 3);
	assert_int_equal(ack(f), NOTHING);
	line(f, 1, true);
	assert_int_equal(ack(f), 0x31);
}

static void poll(void **state)
{
	struct fixture *f = *state;

	put(f, MASTER, POLL);
	assert_int_equal(in(f, MASTER), 0); /* nothing there */
	line(f, 6, true);
	line(f, 5, true);
	put(f, MASTER, POLL);
	assert_int_equal(in(f, MASTER), 0x85);
	assert_int_equal(isr(f, MASTER), BIT(5)); /* it was the acknowledgement */
	assert_false(f->out);
	put(f, MASTER, EOI);
	put(f, MASTER, POLL | 3);		   /* poll wins over "read a register" */
	assert_int_equal(in(f, MASTER + 1), 0x86); /* by either port */
	assert_int_equal(in(f, MASTER + 1), 0);	   /* once */
	assert_int_equal(in(f, MASTER), BIT(6));
}

static void poll_through_the_cascade(void **state)
{
	struct fixture *f = *state;

	line(f, 11, true);
	put(f, MASTER, POLL);
	assert_int_equal(in(f, MASTER), 0x82);
	put(f, SLAVE, POLL);
	assert_int_equal(in(f, SLAVE), 0x83);
	assert_int_equal(isr(f, MASTER), BIT(2));
	assert_int_equal(isr(f, SLAVE), BIT(3));
}

/* ---- the cascade ---- */

static void the_slave_comes_between_1_and_3(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 0; n < 16; n++)
		line(f, n, true);
	assert_int_equal(ack(f), 0x30);
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), 0x31);
	put(f, MASTER, EOI);
	for (unsigned n = 0; n < 8; n++) {
		assert_int_equal(ack(f), 0x38 + n);
		assert_int_equal(isr(f, MASTER), BIT(2));
		assert_int_equal(isr(f, SLAVE), BIT(n));
		put(f, SLAVE, EOI);
		put(f, MASTER, EOI);
	}
	assert_int_equal(ack(f), 0x33);
}

static void irq_2_is_the_slave(void **state)
{
	struct fixture *f = *state;

	line(f, 2, true);
	line(f, 16, true);
	line(f, ~0u, true);
	assert_false(f->out);
	line(f, 8, true);
	line(f, 2, false);
	assert_int_equal(irr(f, MASTER), BIT(2));
	assert_int_equal(ack(f), 0x38);
}

static void masks_of_both_chips_count(void **state)
{
	struct fixture *f = *state;

	put(f, MASTER + 1, BIT(2));
	line(f, 8, true);
	assert_int_equal(irr(f, SLAVE), BIT(0));
	assert_false(f->out);
	put(f, MASTER + 1, 0);
	assert_true(f->out);
	put(f, SLAVE + 1, BIT(0));
	assert_false(f->out);
	put(f, SLAVE + 1, 0);
	assert_int_equal(ack(f), 0x38);
}

static void special_fully_nested_mode(void **state)
{
	struct fixture *f = *state;

	line(f, 12, true);
	assert_int_equal(ack(f), 0x3c);
	line(f, 9, true);
	assert_int_equal(ack(f), NOTHING); /* the master thinks the same input is in service */

	init_both(f, 0x11);
	pulse(f, 12);
	assert_int_equal(ack(f), 0x3c);
	pulse(f, 13);
	assert_int_equal(ack(f), NOTHING); /* lower in the slave */
	pulse(f, 9);
	assert_int_equal(ack(f), 0x39);
	put(f, SLAVE, EOI);
	assert_int_equal(isr(f, SLAVE), BIT(4));
	pulse(f, 3);
	assert_int_equal(ack(f), NOTHING);
}

/* It is about slaves: an input of any other kind never interrupts itself. */
static void special_fully_nested_mode_is_about_slaves(void **state)
{
	struct fixture *f = *state;

	init_chip(f, MASTER, 0x30, 4, 0x11);
	init_chip(f, SLAVE, 0x38, 2, 0x11);
	line(f, 4, true);
	assert_int_equal(ack(f), 0x34);
	pulse(f, 4);
	assert_int_equal(ack(f), NOTHING);
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), 0x34);
	line(f, 12, true);
	assert_int_equal(ack(f), 0x3c);
	pulse(f, 12);
	assert_int_equal(ack(f), NOTHING);
	put(f, SLAVE, EOI);
	assert_int_equal(ack(f), 0x3c);
}

/* With automatic end of interrupt the slave's output does not fall between two requests. */
static void the_cascade_is_a_level(void **state)
{
	struct fixture *f = *state;

	init_chip(f, MASTER, 0x30, 4, 1);
	init_chip(f, SLAVE, 0x38, 2, 3);
	line(f, 12, true);
	line(f, 13, true);
	assert_int_equal(ack(f), 0x3c);
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), 0x3d);
	put(f, MASTER, EOI);
	assert_int_equal(ack(f), NOTHING);
}

static void a_level_through_the_cascade(void **state)
{
	struct fixture *f = *state;

	put(f, ELCR + 1, BIT(3));
	line(f, 11, true);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ack(f), 0x3b);
		put(f, SLAVE, EOI);
		assert_int_equal(ack(f), NOTHING);
		put(f, MASTER, EOI);
	}
	line(f, 11, false);
	assert_int_equal(ack(f), NOTHING);
}

/* mask_and_ack_8259A(): mask, then specific ends of interrupt to the slave and for the cascade. */
static void linux_serves_irq_12(void **state)
{
	struct fixture *f = *state;

	line(f, 12, true);
	assert_int_equal(ack(f), 0x3c);
	(void)in(f, SLAVE + 1);
	put(f, SLAVE + 1, BIT(4));
	put(f, SLAVE, SPECIFIC | 4);
	put(f, MASTER, SPECIFIC | 2);
	assert_int_equal(isr(f, SLAVE), 0);
	assert_int_equal(isr(f, MASTER), 0);
	pulse(f, 12);
	assert_int_equal(ack(f), NOTHING);
	put(f, SLAVE + 1, 0);
	assert_int_equal(ack(f), 0x3c);
}

/* ---- accesses ---- */

static void word_accesses_are_two_bytes(void **state)
{
	struct fixture *f = *state;

	bus_write(&f->bus, MASTER, 2, 0x1200 | READ_ISR);
	assert_int_equal(in(f, MASTER + 1), 0x12);
	line(f, 0, true);
	assert_int_equal(ack(f), 0x30);
	assert_int_equal(bus_read(&f->bus, MASTER, 2), 0x1201);
	assert_int_equal(bus_read(&f->bus, MASTER, 4), 0xffff1201); /* nobody is above */
	bus_write(&f->bus, ELCR, 2, 0xffff);
	assert_int_equal(bus_read(&f->bus, ELCR, 2), 0xdef8);
	bus_write(&f->bus, SLAVE, 4, 0x11223300 | SPECIFIC);
	assert_int_equal(in(f, SLAVE + 1), 0x33);
}

/* Whatever comes in whatever order: INT is what it is announced to be, vectors are the chips'. */
static void random_accesses(void **state)
{
	struct fixture *f = *state;
	static const u64 ports[] = { MASTER, SLAVE, ELCR };

	srand(1);
	for (int i = 0; i < 300000; i++) {
		unsigned r = (unsigned)rand();
		u64 port = ports[r % 3] + (r >> 4) % 2;

		switch ((r >> 8) % 4) {
		case 0: bus_write(&f->bus, port, 1u << (r >> 12) % 3, (u64)rand()); break;
		case 1: (void)bus_read(&f->bus, port, 1u << (r >> 12) % 3); break;
		case 2: line(f, (r >> 12) % 18, (r >> 20) & 1); break;
		default: (void)pic_ack(&f->pic); break;
		}
		assert_int_equal(pic_output(&f->pic), f->out);
		assert_int_equal(f->pic.chip[0].edges & ~f->pic.chip[0].lines, 0);
	}
}

#define TEST(fn)     cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define TEST_OFF(fn) cmocka_unit_test_setup_teardown(fn, setup_off, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OFF(silent_until_initialised),
		TEST_OFF(words_that_are_not_announced_are_not_awaited),
		TEST(icw1_resets),
		TEST_OFF(linux_finds_it),
		TEST(reset_keeps_the_levels),
		TEST(an_edge_is_one_interrupt),
		TEST(an_edge_during_service_is_kept),
		TEST(a_request_that_goes_is_spurious),
		TEST(a_masked_edge_waits),
		TEST(a_level_comes_again),
		TEST(elcr_takes_what_may_be_level),
		TEST(elcr_may_change_under_a_line),
		TEST(elcr_outlives_initialisation),
		TEST(icw1_makes_all_levels),
		TEST(low_numbers_first),
		TEST(higher_ones_nest),
		TEST(end_of_nothing_is_harmless),
		TEST(rotation),
		TEST(rotated_end_of_interrupt),
		TEST(automatic_end_of_interrupt),
		TEST(special_mask_mode),
		TEST(special_mask_still_ranks_the_unmasked),
		TEST(poll),
		TEST(poll_through_the_cascade),
		TEST(the_slave_comes_between_1_and_3),
		TEST(irq_2_is_the_slave),
		TEST(masks_of_both_chips_count),
		TEST(special_fully_nested_mode),
		TEST(special_fully_nested_mode_is_about_slaves),
		TEST(the_cascade_is_a_level),
		TEST(a_level_through_the_cascade),
		TEST(linux_serves_irq_12),
		TEST(word_accesses_are_two_bytes),
		TEST(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
