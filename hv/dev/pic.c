/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8259A pair. INT is computed, never stored up: after every change the slave's request is put
 * on the master's input, and the master's on the wire.
 */
#include "hv/dev/pic.h"

#include "hv/lib/string.h"

#define ICW1_IC4      0x01
#define ICW1_SNGL     0x02
#define ICW1_LTIM     0x08
#define ICW1	      0x10
#define ICW4_AEOI     0x02
#define ICW4_SFNM     0x10
#define OCW2_OP_SHIFT 5
#define OCW3	      0x08
#define OCW3_RIS      0x01
#define OCW3_RR	      0x02
#define OCW3_POLL     0x04
#define OCW3_SMM      0x20
#define OCW3_ESMM     0x40
#define POLL_INT      0x80
#define ICW2_VECTOR   0xf8
#define INPUTS	      8u
#define INPUT_MASK    7u
#define CASCADE	      2u
#define SPURIOUS      7u
/* ELCR: IRQ 0, 1, 2, 8 and 13 are edges for good. */
#define ELCR_MASTER   0xf8
#define ELCR_SLAVE    0xde

enum {
	MASTER,
	SLAVE
};

/* "Operation Command Word 2", bits 7:5 */
enum ocw2 {
	ROTATE_AEOI_OFF,
	EOI,
	NOP,
	EOI_SPECIFIC,
	ROTATE_AEOI_ON,
	ROTATE_EOI,
	SET_PRIORITY,
	ROTATE_EOI_SPECIFIC
};

static u8 level_triggered(const struct pic_chip *c)
{
	/* The slave's output stays high while it has requests: what the master acknowledges is a
	 * level in effect. */
	return c->ltim ? 0xff : c->elcr | c->slaves;
}

/* The interrupt request register: active levels, and edges whose input has stayed high. */
static u8 irr(const struct pic_chip *c)
{
	return c->lines & (level_triggered(c) | c->edges);
}

/* The place of an input in the order of priority, the highest first: `lowest` comes last. */
static unsigned rank(const struct pic_chip *c, unsigned n)
{
	return (n - c->lowest - 1u) & INPUT_MASK;
}

/* The highest-priority input of a mask, -1 if it is empty. */
static int first(const struct pic_chip *c, unsigned mask)
{
	for (unsigned i = 1; i <= INPUTS; i++) {
		unsigned n = (c->lowest + i) & INPUT_MASK;

		if (mask & BIT(n))
			return (int)n;
	}
	return -1;
}

/* In special mask mode what is masked does not count as in service. */
static unsigned in_service(const struct pic_chip *c)
{
	return c->special_mask ? c->isr & ~(unsigned)c->imr : c->isr;
}

/* The request that the chip would interrupt for now, or -1 ("Priority Resolver"). */
static int requested(const struct pic_chip *c)
{
	int n = first(c, irr(c) & ~(unsigned)c->imr), serving;
	unsigned service = in_service(c);

	if (n < 0 || !c->ready || c->icw_next)
		return -1;
	/* Special fully nested mode: a slave may interrupt itself. */
	if (c->special_nested && (c->slaves & BIT(n)))
		service &= ~(unsigned)BIT(n);
	serving = first(c, service);
	return serving < 0 || rank(c, (unsigned)n) < rank(c, (unsigned)serving) ? n : -1;
}

/* An input that falls before it is acknowledged takes its request back. */
static void set_line(struct pic_chip *c, unsigned n, bool level)
{
	u8 bit = (u8)BIT(n);

	if (!level) {
		c->lines &= (u8)~bit;
		c->edges &= (u8)~bit;
	} else if (!(c->lines & bit)) {
		c->lines |= bit;
		c->edges |= bit;
	}
}

static void update(struct pic *p)
{
	bool out;

	set_line(&p->chip[MASTER], CASCADE, requested(&p->chip[SLAVE]) >= 0);
	out = requested(&p->chip[MASTER]) >= 0;
	if (out == p->out)
		return;
	p->out = out;
	p->output(p->ctx, out);
}

void pic_set_irq(struct pic *p, unsigned irq, bool level)
{
	if (irq >= PIC_IRQS || irq == CASCADE)
		return;
	set_line(&p->chip[irq / INPUTS], irq % INPUTS, level);
	update(p);
}

/* ---- the acknowledgement ---- */

/* Puts a request in service; with automatic end of interrupt, at once out of it again. */
static void serve(struct pic_chip *c, unsigned n)
{
	c->edges &= (u8)~BIT(n);
	if (!c->auto_eoi)
		c->isr |= (u8)BIT(n);
	else if (c->rotate_auto_eoi)
		c->lowest = (u8)n;
}

/* Which input, SPURIOUS if the request has gone: then nothing is in service. */
static unsigned chip_ack(struct pic_chip *c)
{
	int n = requested(c);

	if (n < 0)
		return SPURIOUS;
	serve(c, (unsigned)n);
	return (unsigned)n;
}

u8 pic_ack(struct pic *p)
{
	struct pic_chip *c = &p->chip[MASTER];
	unsigned n = chip_ack(c);

	if (c->slaves & BIT(n)) {
		c = &p->chip[SLAVE];
		n = chip_ack(c);
	}
	update(p);
	return (u8)(c->vector + n);
}

/* ---- registers ---- */

static void write_ocw2(struct pic_chip *c, u8 value)
{
	enum ocw2 op = (enum ocw2)(value >> OCW2_OP_SHIFT);
	int n = value & (u8)INPUT_MASK;

	if (op == EOI || op == ROTATE_EOI)
		n = first(c, in_service(c));
	if (n < 0)
		return;
	if (op == EOI || op == ROTATE_EOI || op == EOI_SPECIFIC || op == ROTATE_EOI_SPECIFIC)
		c->isr &= (u8)~BIT(n);
	if (op == ROTATE_EOI || op == ROTATE_EOI_SPECIFIC || op == SET_PRIORITY)
		c->lowest = (u8)n;
	if (op == ROTATE_AEOI_ON || op == ROTATE_AEOI_OFF)
		c->rotate_auto_eoi = op == ROTATE_AEOI_ON;
}

/* Power-up, and the start of an initialisation: what is wired stays, edges must come again. */
static void clear(struct pic_chip *c)
{
	*c = (struct pic_chip){
		.slaves = c->slaves, .lines = c->lines, .elcr = c->elcr, .lowest = INPUTS - 1
	};
}

static void write_icw1(struct pic_chip *c, u8 value)
{
	clear(c);
	c->ready = true;
	c->icw_next = 2;
	c->single = (value & ICW1_SNGL) != 0;
	c->ltim = (value & ICW1_LTIM) != 0;
	c->icw4_needed = (value & ICW1_IC4) != 0;
}

static void write_ocw3(struct pic_chip *c, u8 value)
{
	if (value & OCW3_POLL)
		c->poll = true;
	if (value & OCW3_RR)
		c->read_isr = (value & OCW3_RIS) != 0;
	if (value & OCW3_ESMM)
		c->special_mask = (value & OCW3_SMM) != 0;
}

/* The odd port: initialisation words 2 to 4, then the mask. */
static void write_data(struct pic_chip *c, u8 value)
{
	u8 after_icw3 = c->icw4_needed ? 4 : 0;

	switch (c->icw_next) {
	case 2:
		c->vector = value & ICW2_VECTOR;
		c->icw_next = c->single ? after_icw3 : 3;
		break;
	case 3: c->icw_next = after_icw3; break; /* the cascade is wired, whatever it says */
	case 4:
		c->auto_eoi = (value & ICW4_AEOI) != 0;
		c->special_nested = (value & ICW4_SFNM) != 0;
		c->icw_next = 0;
		break;
	default: c->imr = value; break;
	}
}

static void write_chip(struct pic *p, unsigned chip, u64 offset, u8 value)
{
	struct pic_chip *c = &p->chip[chip];

	if (offset)
		write_data(c, value);
	else if (value & ICW1)
		write_icw1(c, value);
	else if (value & OCW3)
		write_ocw3(c, value);
	else
		write_ocw2(c, value);
	update(p);
}

/* "Poll Command": the read acknowledges in place of the processor. */
static u8 poll(struct pic *p, struct pic_chip *c)
{
	int n = requested(c);

	c->poll = false;
	if (n < 0)
		return 0;
	serve(c, (unsigned)n);
	update(p);
	return (u8)(POLL_INT | n);
}

static u8 read_chip(struct pic *p, unsigned chip, u64 offset)
{
	struct pic_chip *c = &p->chip[chip];

	if (c->poll)
		return poll(p, c);
	if (offset)
		return c->imr;
	return c->read_isr ? c->isr : irr(c);
}

/* ---- ports ---- */

static u8 master_get(void *dev, u64 offset)
{
	return read_chip(dev, MASTER, offset);
}

static void master_put(void *dev, u64 offset, u8 value)
{
	write_chip(dev, MASTER, offset, value);
}

static u8 slave_get(void *dev, u64 offset)
{
	return read_chip(dev, SLAVE, offset);
}

static void slave_put(void *dev, u64 offset, u8 value)
{
	write_chip(dev, SLAVE, offset, value);
}

static u8 elcr_get(void *dev, u64 offset)
{
	const struct pic *p = dev;

	return p->chip[offset].elcr;
}

static void elcr_put(void *dev, u64 offset, u8 value)
{
	struct pic *p = dev;

	p->chip[offset].elcr = value & (offset == SLAVE ? ELCR_SLAVE : ELCR_MASTER);
	update(p);
}

BYTEWISE_OPS(pic_master_ops, master_get, master_put);
BYTEWISE_OPS(pic_slave_ops, slave_get, slave_put);
BYTEWISE_OPS(pic_elcr_ops, elcr_get, elcr_put);

void pic_reset(struct pic *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->chip); i++) {
		p->chip[i].elcr = 0;
		clear(&p->chip[i]);
	}
	update(p);
}

void pic_init(struct pic *p, void (*output)(void *ctx, bool level), void *ctx)
{
	memset(p, 0, sizeof(*p));
	p->output = output;
	p->ctx = ctx;
	p->chip[MASTER].slaves = (u8)BIT(CASCADE);
	pic_reset(p);
}
