/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine with a PIIX3 for tests of the ATA driver: two channels, a CD drive and disks, DMA that
 * follows the descriptor in memory.
 */
#ifndef TESTS_UNIT_ATA_MACHINE_H
#define TESTS_UNIT_ATA_MACHINE_H

#include "hv/cpu/idle.h"
#include "hv/drv/ata.h"
#include "tests/unit/disk_util.h"
#include "tests/unit/host.h"

#define BM 0xc000u

/* ---- the machine ---- */

struct mock_drive {
	bool there, atapi, lba48_only_far;
	u64 sectors;
	u8 *data;
	u8 status, error;
	u16 identify[256];
	unsigned words; /* of identify left to read */
};

struct mock_channel {
	struct mock_drive drive[2];
	u8 reg[8], high[8]; /* the last two bytes written to each */
	u8 control, bm_command, bm_status;
	u32 bm_table;
	bool pending; /* a command is under way */
	u64 ready_at; /* where a reset is under way: until then both drives are busy */
	u8 opcode;
};

static struct {
	struct mock_channel ch[2];
	u32 config_address;
	u16 pci_command;
	u32 class_code;
	void (*irq[16])(void *ctx);
	void *irq_ctx[16];
	bool lost;	   /* interrupts */
	bool hang;	   /* commands never end */
	bool stuck;	   /* the drive stays busy after a reset as well */
	u64 reset_ns;	   /* how long a reset takes */
	u64 bad;	   /* a sector that cannot be read or written; 0: none */
	unsigned commands; /* accepted */
	unsigned flushes, resets;
	u8 last_opcode;
} m;

void delay_us(u64 us)
{
	clock_now += us * 1000;
}

/* Interrupts that are due, or none until the deadline. */
void cpu_idle(u64 deadline)
{
	for (unsigned i = 0; i < 2; i++)
		if (m.ch[i].bm_status & 4 && !m.lost) {
			m.irq[14 + i](m.irq_ctx[14 + i]);
			return;
		}
	clock_now = deadline;
}

static struct mock_drive *selected(struct mock_channel *c)
{
	return &c->drive[c->reg[6] >> 4 & 1];
}

static bool resetting(const struct mock_channel *c)
{
	return (c->control & 4) || clock_now < c->ready_at;
}

/* An absent drive is never busy. */
static u8 mock_status(struct mock_channel *c)
{
	struct mock_drive *d = selected(c);

	if (!d->there)
		return 0;
	if (resetting(c) || m.stuck || (c->pending && m.hang))
		return 0x80;
	return d->status;
}

static void end_command(struct mock_channel *c)
{
	c->pending = false;
	if (!(c->control & 2))
		c->bm_status |= 4;
}

static u64 lba(struct mock_channel *c, bool ext)
{
	if (ext)
		return c->reg[3] | (u64)c->reg[4] << 8 | (u64)c->reg[5] << 16 |
		       (u64)c->high[3] << 24 | (u64)c->high[4] << 32 | (u64)c->high[5] << 40;
	return c->reg[3] | (u64)c->reg[4] << 8 | (u64)c->reg[5] << 16 |
	       (u64)(c->reg[6] & 0xf) << 24;
}

struct mock_prd {
	u32 address;
	u16 count, flags;
};

static void do_dma(struct mock_channel *c)
{
	struct mock_drive *d = selected(c);
	bool ext = c->opcode == 0x25 || c->opcode == 0x35,
	     write = c->opcode & 0x10 || c->opcode == 0xca;
	u64 at = lba(c, ext);
	u32 n = ext ? (u32)(c->reg[2] | c->high[2] << 8) : c->reg[2];
	struct mock_prd *p = dma_at(c->bm_table);
	u32 count = p->count ? p->count : 65536;
	u8 *mem = dma_at(p->address);

	write = c->opcode == 0xca || c->opcode == 0x35;
	if (!n)
		n = ext ? 65536 : 256;
	assert_true(p->flags & 0x8000);
	assert_int_equal(count, n * 512);
	assert_int_equal((bool)(c->bm_command & 8), !write);
	if (m.bad && m.bad >= at && m.bad < at + n) {
		d->status = 0x51;
		d->error = 0x40;
		end_command(c);
		return;
	}
	assert_true(at + n <= d->sectors);
	if (write)
		memcpy(d->data + at % SECTORS * 512, mem, count);
	else
		memcpy(mem, d->data + at % SECTORS * 512, count);
	d->status = 0x50;
	c->bm_status &= (u8)~1;
	end_command(c);
}

static void command(struct mock_channel *c, u8 opcode)
{
	struct mock_drive *d = selected(c);

	if (!d->there)
		return;
	if (opcode == 0xec) {
		if (d->atapi) {
			d->status = 0x51;
			return;
		}
		d->words = 256;
		d->status = 0x58;
		return;
	}
	m.commands++;
	m.last_opcode = c->opcode = opcode;
	c->pending = true;
	if (m.hang)
		return;
	if (opcode == 0xe7 || opcode == 0xea) {
		m.flushes++;
		d->status = 0x50;
		end_command(c);
	}
}

static void reset(struct mock_channel *c)
{
	m.resets++;
	c->ready_at = clock_now + m.reset_ns;
	c->pending = false;
	for (unsigned i = 0; i < 2; i++)
		c->drive[i].status = 0x50;
	c->reg[6] &= 0x10; /* what was selected stays so, as in QEMU */
	c->reg[4] = c->reg[5] = 0;
}

static struct mock_channel *channel_of(u16 port, unsigned *reg)
{
	for (unsigned i = 0; i < 2; i++) {
		u16 base = i ? 0x170 : 0x1f0;

		*reg = (unsigned)(port - base);
		if (*reg < 8)
			return &m.ch[i];
		*reg = 8;
		if (port == base + 0x206)
			return &m.ch[i];
		*reg = 16 + (unsigned)(port - BM - 8 * i);
		if (port >= BM + 8 * i && port < BM + 8 * i + 8)
			return &m.ch[i];
	}
	fail_msg("port %x", port);
	return NULL;
}

static u8 in8(u16 port)
{
	unsigned reg;
	struct mock_channel *c;
	struct mock_drive *d;

	if (port >= 0xcfc && port < 0xd00)
		return 0;
	c = channel_of(port, &reg);
	d = selected(c);
	clock_now += 100;
	switch (reg) {
	case 1: return d->error;
	case 4: return d->atapi ? 0x14 : c->reg[4];
	case 5: return d->atapi ? 0xeb : c->reg[5];
	case 7:
	case 8: return mock_status(c);
	case 18: return c->bm_status;
	default: return reg < 8 ? c->reg[reg] : 0;
	}
}

static void out8(u16 port, u8 v)
{
	unsigned reg;
	struct mock_channel *c = channel_of(port, &reg);

	if (reg == 7) {
		command(c, v);
	} else if (reg < 7 && resetting(c)) {
		return; /* nobody listens */
	} else if (reg < 7) {
		c->high[reg] = c->reg[reg];
		c->reg[reg] = v;
	} else if (reg == 8) {
		if ((c->control & 4) && !(v & 4))
			reset(c);
		c->control = v;
	} else if (reg == 16) {
		bool start = (v & 1) && !(c->bm_command & 1);

		c->bm_command = v;
		if (start) {
			c->bm_status |= 1;
			if (!m.hang && c->pending)
				do_dma(c);
		} else if (!(v & 1)) {
			c->bm_status &= (u8)~1;
		}
	} else if (reg == 18) {
		c->bm_status = (u8)((c->bm_status & ~(v & 6)) & ~0x60) | (v & 0x60);
	}
}

static u16 in16(u16 port)
{
	unsigned reg;
	struct mock_channel *c;
	struct mock_drive *d;

	if (port == 0xcfc)
		return m.pci_command;
	c = channel_of(port, &reg);
	d = selected(c);
	assert_int_equal(reg, 0);
	assert_true(d->words > 0);
	if (d->words == 1)
		d->status = 0x50;
	return d->identify[256 - d->words--];
}

static void out16(u16 port, u16 v)
{
	assert_int_equal(port, 0xcfc);
	m.pci_command = v;
}

static u32 in32(u16 port)
{
	u32 a = m.config_address;

	assert_int_equal(port, 0xcfc);
	if ((a & 0xffff00) != (1u << 11 | 1u << 8) && (a & 0xffff00) != 1u << 11)
		return ~0u;
	if ((a & 0xfc) == 0)
		return 0x70108086;
	if ((a & 0xfc) == 8)
		return a & 0x700 ? m.class_code << 8 : 0x06010000;
	return (a & 0xfc) == 0x20 ? BM | 1 : 0;
}

static u8 config8(u16 port)
{
	/* The header type of slot 1: several functions. */
	return port == 0xcfe && (m.config_address & 0xfc) == 0xc ? 0x80 : in8(port);
}

static void out32(u16 port, u32 v)
{
	if (port == 0xcf8) {
		m.config_address = v;
	} else {
		unsigned reg;
		struct mock_channel *c = channel_of(port, &reg);

		assert_int_equal(reg, 20);
		c->bm_table = v;
	}
}

static const struct port_ops ports = {
	.in8 = config8, .in16 = in16, .in32 = in32, .out8 = out8, .out16 = out16, .out32 = out32
};

/* ---- what the driver asks of the machine ---- */

static enum status irq_fn(unsigned irq, void (*fn)(void *ctx), void *ctx)
{
	m.irq[irq] = fn;
	m.irq_ctx[irq] = ctx;
	return OK;
}

static void found(const struct pci_function *f, void *ctx)
{
	unsigned *n = ctx;

	*n += ata_attach(f, &tq, irq_fn);
}

static void put_text(u16 *words, const char *text, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		u16 c = (u8)(i < strlen(text) ? text[i] : ' ');

		words[i / 2] = (u16)(words[i / 2] | c << (i % 2 ? 0 : 8));
	}
}

static void add_disk(struct mock_drive *d, u64 sectors, bool lba48)
{
	d->there = true;
	d->status = 0x50;
	d->sectors = sectors;
	d->data = calloc(SECTORS + 128, 512);
	d->identify[49] = 1 << 8 | 1 << 9;
	d->identify[60] = (u16)(sectors > 0xfffffff ? 0xffff : sectors);
	d->identify[61] = (u16)(sectors > 0xfffffff ? 0xfff : sectors >> 16);
	d->identify[83] = (u16)(1 << 14 | 1 << 12 | (lba48 ? 1 << 10 | 1 << 13 : 0));
	d->identify[85] = 1 << 5;
	for (unsigned i = 0; lba48 && i < 4; i++)
		d->identify[100 + i] = (u16)(sectors >> 16 * i);
	d->identify[106] = 1 << 14 | 1 << 13 | 3;
	put_text(&d->identify[10], "  SER 1", 20);
	put_text(&d->identify[27], "A \x01 disk", 40);
}

/*
 * The driver's list of disks only grows: one machine for all tests. Firmware has left a drive
 * selected that is not there.
 */
static int setup_all(void **state)
{
	unsigned n = 0;

	(void)state;
	disk_util_begin();
	m.class_code = 0x010180;
	m.ch[0].drive[0] = (struct mock_drive){ .there = true, .atapi = true, .status = 0x50 };
	add_disk(&m.ch[0].drive[1], SECTORS, false);
	add_disk(&m.ch[1].drive[0], 1ul << 30, true);
	m.ch[1].bm_status = 0x60;
	m.ch[1].reg[6] = 0x10;
	m.reset_ns = 20000000;
	pci_for_each(&ports, found, &n);
	return n != 1;
}

static int teardown_all(void **state)
{
	(void)state;
	free(m.ch[0].drive[1].data);
	free(m.ch[1].drive[0].data);
	disk_util_end();
	return 0;
}

#endif
