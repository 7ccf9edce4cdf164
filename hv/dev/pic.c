/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/dev/pic.h"
#include "hv/lib/string.h"

#define ICW1_IC4    0x01
#define ICW1_SNGL   0x02
#define ICW1_LTIM   0x08
#define ICW1	    0x10
#define ICW4_AEOI   0x02
#define ICW4_SFNM   0x10
#define OCW3	    0x08
#define OCW3_RIS    0x01
#define OCW3_RR	    0x02
#define OCW3_POLL   0x04
#define OCW3_SMM    0x20
#define OCW3_ESMM   0x40
#define POLL_INT    0x80
#define CASCADE	    2
#define SPURIOUS    7
/* ELCR: IRQ 0, 1, 2, 8 and 13 are edges for good. */
#define ELCR_MASTER 0xf8
#define ELCR_SLAVE  0xde

/* "OCW2": bits 7:5 */
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

static bool is_level(const struct pic_chip *c, unsigned n)
{
	return c->ltim || (c->elcr & BIT(n));
}

/* The inputs in order of priority: `lowest` comes last. -1 if none of mask. */
static int first(const struct pic_chip *c, unsigned mask)
{
	for (unsigned i = 1; i <= 8; i++) {
		unsigned n = (c->lowest + i) & 7;

		if (mask & BIT(n))
			return (int)n;
	}
	return -1;
}

static unsigned rank(const struct pic_chip *c, int n)
{
	return n < 0 ? 8 : ((unsigned)n - c->lowest - 1u) & 7;
}

/* The request that the chip would interrupt for now, or -1 ("Priority Resolver"). */
static int requested(const struct pic_chip *c, bool master)
{
	int n = first(c, c->irr & ~c->imr & 0xffu);
	unsigned in_service = c->isr;

	if (n < 0 || !c->ready || c->icw_next)
		return -1;
	if (c->special_mask)
		in_service &= ~(unsigned)c->imr;
	/* Special fully nested mode: the slave's input may interrupt itself. */
	if (c->special_nested && master && n == CASCADE)
		in_service &= ~(unsigned)BIT(CASCADE);
	if (rank(c, n) < rank(c, first(c, in_service)))
		return n;
	return -1;
}

static void chip_line(struct pic_chip *c, unsigned n, bool level)
{
	u8 bit = (u8)BIT(n);

	if (level) {
		if (is_level(c, n) || !(c->lines & bit))
			c->irr |= bit;
		c->lines |= bit;
	} else {
		c->lines &= (u8)~bit;
		c->irr &=
			(u8)~bit; /* an edge that goes away before it is acknowledged is spurious */
	}
}

static void update(struct pic *p)
{
	bool slave = requested(&p->chip[1], false) >= 0, out;

	chip_line(&p->chip[0], CASCADE, slave);
	/* The cascade is a level in effect: a request that stays is requested again. */
	if (slave)
		p->chip[0].irr |= (u8)BIT(CASCADE);
	out = requested(&p->chip[0], true) >= 0;
	if (out == p->out)
		return;
	p->out = out;
	p->output(p->ctx, out);
}

void pic_set_irq(struct pic *p, unsigned irq, bool level)
{
	if (irq >= PIC_IRQS || irq == CASCADE)
		return;
	chip_line(&p->chip[irq / 8], irq % 8, level);
	update(p);
}

static u8 chip_ack(struct pic_chip *c, bool master)
{
	int n = requested(c, master);

	if (n < 0)
		return (u8)(c->vector + SPURIOUS);
	if (!is_level(c, (unsigned)n))
		c->irr &= (u8)~BIT(n);
	if (!c->auto_eoi)
		c->isr |= (u8)BIT(n);
	else if (c->rotate_auto_eoi)
		c->lowest = (u8)n;
	return (u8)(c->vector + n);
}

u8 pic_ack(struct pic *p)
{
	bool cascade = requested(&p->chip[0], true) == CASCADE;
	u8 vector = chip_ack(&p->chip[0], true);

	if (cascade)
		vector = chip_ack(&p->chip[1], false);
	update(p);
	return vector;
}

static void write_ocw2(struct pic_chip *c, u8 value)
{
	enum ocw2 op = (enum ocw2)(value >> 5);
	unsigned in_service = c->isr;
	int n = value & 7;

	if (c->special_mask)
		in_service &= ~(unsigned)c->imr;
	if (op == EOI || op == ROTATE_EOI)
		n = first(c, in_service);
	if (n < 0)
		return;
	if (op == EOI || op == ROTATE_EOI || op == EOI_SPECIFIC || op == ROTATE_EOI_SPECIFIC)
		c->isr &= (u8)~BIT(n);
	if (op == ROTATE_EOI || op == ROTATE_EOI_SPECIFIC || op == SET_PRIORITY)
		c->lowest = (u8)n;
	if (op == ROTATE_AEOI_ON || op == ROTATE_AEOI_OFF)
		c->rotate_auto_eoi = op == ROTATE_AEOI_ON;
}

static void write_icw1(struct pic_chip *c, u8 value)
{
	u8 lines = c->lines, elcr = c->elcr;

	*c = (struct pic_chip){
		.lines = lines, .elcr = elcr, .lowest = 7, .icw_next = 2, .ready = true
	};
	c->single = (value & ICW1_SNGL) != 0;
	c->ltim = (value & ICW1_LTIM) != 0;
	c->icw4_needed = (value & ICW1_IC4) != 0;
	for (unsigned n = 0; n < 8; n++)
		if (is_level(c, n) && (lines & BIT(n)))
			c->irr |= (u8)BIT(n);
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
	switch (c->icw_next) {
	case 2:
		c->vector = value & 0xf8;
		c->icw_next = c->single ? (c->icw4_needed ? 4 : 0) : 3;
		break;
	case 3:
		c->icw3 = value;
		c->icw_next = c->icw4_needed ? 4 : 0;
		break;
	case 4:
		c->auto_eoi = (value & ICW4_AEOI) != 0;
		c->special_nested = (value & ICW4_SFNM) != 0;
		c->icw_next = 0;
		break;
	default: c->imr = value; break;
	}
}

static void write_port(struct pic *p, unsigned chip, u64 offset, u64 value)
{
	struct pic_chip *c = &p->chip[chip];
	u8 v = (u8)value;

	if (offset)
		write_data(c, v);
	else if (v & ICW1)
		write_icw1(c, v);
	else if (v & OCW3)
		write_ocw3(c, v);
	else
		write_ocw2(c, v);
	update(p);
}

static u8 read_port(struct pic *p, unsigned chip, u64 offset)
{
	struct pic_chip *c = &p->chip[chip];

	if (c->poll) {
		int n = requested(c, chip == 0);

		c->poll = false;
		if (n < 0)
			return 0;
		(void)chip_ack(c, chip == 0);
		update(p);
		return (u8)(POLL_INT | n);
	}
	if (offset)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static u64 master_read(void *dev, u64 offset, unsigned size)
{
	(void)size;
	return read_port(dev, 0, offset);
}

static void master_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)size;
	write_port(dev, 0, offset, value);
}

static u64 slave_read(void *dev, u64 offset, unsigned size)
{
	(void)size;
	return read_port(dev, 1, offset);
}

static void slave_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)size;
	write_port(dev, 1, offset, value);
}

static u64 elcr_read(void *dev, u64 offset, unsigned size)
{
	(void)size;
	return ((struct pic *)dev)->chip[offset].elcr;
}

static void elcr_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct pic *p = dev;

	(void)size;
	p->chip[offset].elcr = (u8)(value & (offset ? ELCR_SLAVE : ELCR_MASTER));
	update(p);
}

const struct io_ops pic_master_ops = { .read = master_read, .write = master_write };
const struct io_ops pic_slave_ops = { .read = slave_read, .write = slave_write };
const struct io_ops pic_elcr_ops = { .read = elcr_read, .write = elcr_write };

void pic_reset(struct pic *p)
{
	for (unsigned i = 0; i < 2; i++)
		p->chip[i] = (struct pic_chip){ .lines = p->chip[i].lines, .lowest = 7 };
	update(p);
}

void pic_init(struct pic *p, void (*output)(void *ctx, bool level), void *ctx)
{
	memset(p, 0, sizeof(*p));
	p->output = output;
	p->ctx = ctx;
	pic_reset(p);
}
