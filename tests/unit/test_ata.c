/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ATA driver and PCI enumeration against a controller made here: two channels of a PIIX3, a CD
 * drive and disks, DMA that follows the descriptor in memory, and all that can go wrong.
 *
 * Sources: hv/drv/ata.c hv/drv/disk.c hv/drv/pci.c hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/cpu/tsc.h"
#include "hv/cpu/idle.h"
#include "hv/drv/ata.h"
#include "hv/mem/page.h"
#include "tests/unit/host.h"

#define HZ	1000000000ul
#define BM	0xc000u
#define SECTORS 4096u
#define SECOND	HZ

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
	u8 opcode;
};

static struct {
	struct mock_channel ch[2];
	u64 now;
	u32 config_address;
	u16 pci_command;
	u32 class_code;
	void (*irq[16])(void *ctx);
	void *irq_ctx[16];
	bool lost;	   /* interrupts */
	bool hang;	   /* commands never end */
	bool stuck;	   /* the drive stays busy after a reset as well */
	u64 bad;	   /* a sector that cannot be read or written; 0: none */
	unsigned commands; /* accepted */
	unsigned flushes, resets;
	u8 last_opcode;
} m;

u64 tsc_now(void)
{
	return m.now;
}

void delay_us(u64 us)
{
	m.now += us * 1000;
}

u64 tsc_hz(void)
{
	return HZ;
}

/* Interrupts that are due, or none until the deadline. */
void cpu_idle(u64 deadline)
{
	for (unsigned i = 0; i < 2; i++)
		if (m.ch[i].bm_status & 4 && !m.lost) {
			m.irq[14 + i](m.irq_ctx[14 + i]);
			return;
		}
	m.now = deadline;
}

static u64 clock_now(const struct timerq *q)
{
	(void)q;
	return m.now;
}

static struct timerq tq;

static struct mock_drive *selected(struct mock_channel *c)
{
	return &c->drive[c->reg[6] >> 4 & 1];
}

static u8 mock_status(struct mock_channel *c)
{
	struct mock_drive *d = selected(c);

	if (!d->there)
		return 0;
	if ((c->control & 4) || m.stuck || (c->pending && m.hang))
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

/* Physical addresses are pointers here, and a table's address has 32 bits of one. */
static u64 high_half;

static void do_dma(struct mock_channel *c)
{
	struct mock_drive *d = selected(c);
	bool ext = c->opcode == 0x25 || c->opcode == 0x35,
	     write = c->opcode & 0x10 || c->opcode == 0xca;
	u64 at = lba(c, ext);
	u32 n = ext ? (u32)(c->reg[2] | c->high[2] << 8) : c->reg[2];
	struct mock_prd *p = (void *)(high_half | c->bm_table);
	u32 count = p->count ? p->count : 65536;
	u8 *mem = (void *)(high_half | p->address);

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
	c->pending = false;
	for (unsigned i = 0; i < 2; i++)
		c->drive[i].status = 0x50;
	c->reg[6] = 0;
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
	m.now += 100;
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

static u8 *dma_memory; /* below it all lies in one 4 GB window */
static size_t dma_used;

/* One window, so that 32 bits of an address are enough. */
void *page_alloc_below(unsigned order, hpa_t limit, enum page_owner owner)
{
	size_t bytes = PAGE_SIZE << order;
	u8 *p;

	(void)limit;
	(void)owner;
	dma_used = ALIGN_UP(dma_used, bytes);
	p = dma_memory + dma_used;
	dma_used += bytes;
	return p;
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

/* The driver's list of disks only grows: one machine for all tests. */
static int setup_all(void **state)
{
	unsigned n = 0;

	(void)state;
	dma_memory = aligned_alloc(1 * MB, 1 * MB);
	memset(dma_memory, 0, 1 * MB);
	high_half = (u64)dma_memory & ~0xfffffffful;
	timerq_init(&tq, HZ, clock_now);
	m.class_code = 0x010180;
	m.ch[0].drive[0] = (struct mock_drive){ .there = true, .atapi = true, .status = 0x50 };
	add_disk(&m.ch[0].drive[1], SECTORS, false);
	add_disk(&m.ch[1].drive[0], 1ul << 30, true);
	m.ch[1].bm_status = 0x60;
	pci_for_each(&ports, found, &n);
	return n != 1;
}

static int teardown_all(void **state)
{
	(void)state;
	free(m.ch[0].drive[1].data);
	free(m.ch[1].drive[0].data);
	free(dma_memory);
	return 0;
}

/* ---- commands ---- */

struct request {
	struct disk_cmd cmd;
	u8 *data;
	bool refuse; /* what data() says */
	unsigned over;
	bool ok;
	struct request *then; /* submitted when this one is done */
	struct disk *disk;
};

static bool data(struct disk_cmd *c, void *buf)
{
	struct request *r = container_of(c, struct request, cmd);

	if (c->op == DISK_WRITE)
		memcpy(buf, r->data, c->sectors * 512ul);
	else
		memcpy(r->data, buf, c->sectors * 512ul);
	return !r->refuse;
}

static void done(struct disk_cmd *c, bool ok)
{
	struct request *r = container_of(c, struct request, cmd);

	r->over++;
	r->ok = ok;
	if (r->then)
		disk_submit(r->disk, &r->then->cmd);
}

static void submit(
	struct request *r, struct disk *d, enum disk_op op, u64 sector, u32 sectors, void *memory)
{
	*r = (struct request){ .data = memory, .disk = d, .then = r->then, .refuse = r->refuse };
	r->cmd = (struct disk_cmd){
		.op = op, .sector = sector, .sectors = sectors, .data = data, .done = done
	};
	disk_submit(d, &r->cmd);
}

static void irq(unsigned n)
{
	m.irq[n](m.irq_ctx[n]);
}

static void pass_time(u64 ticks)
{
	u64 end = m.now + ticks;

	while (tq.next <= end) {
		m.now = MAX(m.now, tq.next);
		timerq_run(&tq);
	}
	m.now = end;
}

static void test_found(void **state)
{
	(void)state;
	assert_int_equal(disk_count(), 2);
	assert_int_equal(disk_at(0)->sectors, SECTORS);
	assert_int_equal(disk_at(1)->sectors, 1ul << 30);
	assert_string_equal(disk_at(0)->serial, "SER 1");
	assert_string_equal(disk_at(0)->model, "A   disk");
	assert_int_equal(disk_at(0)->physical_exp, 3);
	assert_int_equal(m.pci_command & 5, 5);
	assert_int_equal(m.ch[0].control, 0); /* interrupts are on */
	assert_int_equal(m.ch[1].bm_status & 0x60, 0x60);
}

static void test_write_and_read(void **state)
{
	static u8 a[65536], b[65536];
	struct request r = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(a); i++)
		a[i] = (u8)(i * 7 + i / 512);
	submit(&r, disk_at(0), DISK_WRITE, SECTORS - 128, 128, a);
	assert_int_equal(r.over, 0);
	assert_int_equal(m.last_opcode, 0xca);
	irq(14);
	assert_true(r.over == 1 && r.ok);
	assert_memory_equal(m.ch[0].drive[1].data + (SECTORS - 128) * 512, a, sizeof(a));
	submit(&r, disk_at(0), DISK_READ, SECTORS - 128, 128, b);
	irq(14);
	assert_true(r.over == 1 && r.ok);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(m.last_opcode, 0xc8);
	irq(14); /* one that nobody waits for */
	assert_int_equal(r.over, 1);
	assert_false(timer_armed(list_entry(tq.head.next, struct timer, node)) &&
		     tq.next != TIMER_NEVER);
}

static void test_48_bits(void **state)
{
	u8 a[512], b[512];
	struct request r = { 0 };

	(void)state;
	memset(a, 0x5a, sizeof(a));
	submit(&r, disk_at(1), DISK_WRITE, (1ul << 30) - 1, 1, a);
	assert_int_equal(m.last_opcode, 0x35);
	irq(15);
	assert_true(r.ok);
	submit(&r, disk_at(1), DISK_READ, (1ul << 30) - 1, 1, b);
	assert_int_equal(m.last_opcode, 0x25);
	irq(15);
	assert_true(r.ok);
	assert_memory_equal(a, b, 512);
	submit(&r, disk_at(1), DISK_READ, (1ul << 28) - 1, 1, b);
	assert_int_equal(m.last_opcode, 0xc8);
	irq(15);
	submit(&r, disk_at(1), DISK_READ, (1ul << 28) - 1, 2, malloc(1024));
	assert_int_equal(m.last_opcode, 0x25);
	irq(15);
	free(r.data);
}

static void test_flush(void **state)
{
	struct request r = { 0 };
	unsigned before = m.flushes;

	(void)state;
	submit(&r, disk_at(0), DISK_FLUSH, 0, 0, NULL);
	assert_int_equal(r.over, 0);
	irq(14);
	assert_true(r.ok && m.last_opcode == 0xe7);
	submit(&r, disk_at(1), DISK_FLUSH, 0, 0, NULL);
	irq(15);
	assert_true(r.ok && m.last_opcode == 0xea);
	assert_int_equal(m.flushes, before + 2);
}

static void test_range(void **state)
{
	static const struct {
		u64 sector;
		u32 sectors;
		enum disk_op op;
	} bad[] = { { SECTORS, 1, DISK_READ }, { SECTORS - 1, 2, DISK_WRITE },
		{ ~0ul, 1, DISK_READ }, { ~0ul, 2, DISK_WRITE }, { 0, 0, DISK_READ },
		{ 0, 129, DISK_READ }, { 0, ~0u, DISK_WRITE }, { 0, 1, DISK_FLUSH } };
	unsigned before = m.commands;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct request r = { 0 };

		submit(&r, disk_at(0), bad[i].op, bad[i].sector, bad[i].sectors, NULL);
		assert_true(r.over == 1 && !r.ok);
	}
	assert_int_equal(m.commands, before);
}

static void test_queue(void **state)
{
	u8 a[4][512];
	struct request r[4] = { 0 }, chained = { 0 };
	unsigned before = m.commands;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		submit(&r[i], disk_at(0), DISK_READ, 2 * i, 1, a[i]);
	assert_int_equal(m.commands, before + 1);
	/* One that follows from the end of another goes behind those that wait. */
	chained.cmd =
		(struct disk_cmd){ .op = DISK_READ, .sectors = 1, .data = data, .done = done };
	chained.data = a[0];
	r[0].then = &chained;
	for (unsigned i = 0; i < 4; i++) {
		irq(14);
		assert_int_equal(r[i].over, 1);
		assert_int_equal(chained.over, 0);
	}
	irq(14);
	assert_int_equal(chained.over, 1);
	assert_int_equal(m.commands, before + 5);
}

/* What lies side by side becomes one command, up to 64 KB, and nothing else does. */
static void test_merging(void **state)
{
	static u8 a[40][8 * 512], b[40][8 * 512];
	struct request r[40] = { 0 }, flush = { 0 };
	unsigned before = m.commands;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		memset(a[i], (int)i + 1, sizeof(a[i]));
		submit(&r[i], disk_at(0), DISK_WRITE, 100 + 8 * i, 8, a[i]);
	}
	submit(&flush, disk_at(0), DISK_FLUSH, 0, 0, NULL);
	irq(14); /* the first was alone when it came */
	irq(14);
	irq(14);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(r[i].over, i < 33);
	irq(14);
	assert_int_equal(flush.over, 0);
	irq(14);
	assert_int_equal(flush.over, 1);
	assert_int_equal(m.commands, before + 5);
	for (unsigned i = 0; i < 40; i++) {
		assert_true(r[i].over == 1 && r[i].ok);
		assert_memory_equal(
			m.ch[0].drive[1].data + (100 + 8 * i) * 512, a[i], sizeof(a[i]));
	}
	before = m.commands;
	submit(&flush, disk_at(0), DISK_FLUSH, 0, 0, NULL);
	for (unsigned i = 0; i < 16; i++)
		submit(&r[i], disk_at(0), i == 9 ? DISK_WRITE : DISK_READ, 100 + 8 * i, 8, b[i]);
	for (unsigned i = 0; i < 4; i++)
		irq(14); /* the flush, reads, a write, reads */
	assert_int_equal(m.commands, before + 4);
	for (unsigned i = 0; i < 16; i++) {
		assert_true(r[i].over == 1 && r[i].ok);
		if (i != 9)
			assert_memory_equal(a[i], b[i], sizeof(a[i]));
	}
}

/* Only what is at fault fails: a bad sector, data that cannot be had or delivered. */
static void test_merged_errors(void **state)
{
	static u8 a[10][512], b[512];
	struct request r[10] = { 0 }, first = { 0 };

	(void)state;
	for (unsigned op = DISK_READ; op <= DISK_WRITE; op++) {
		memset(m.ch[0].drive[1].data + 200 * 512, 0xcc, 10 * 512);
		m.bad = 204;
		submit(&first, disk_at(0), DISK_READ, 0, 1, b);
		for (unsigned i = 0; i < 10; i++) {
			memset(a[i], (int)i + 1, 512);
			r[i].refuse = i == 7;
			submit(&r[i], disk_at(0), op, 200 + i, 1, a[i]);
		}
		for (unsigned i = 0; i < 13; i++)
			irq(14);
		for (unsigned i = 0; i < 10; i++) {
			assert_int_equal(r[i].over, 1);
			assert_int_equal(r[i].ok, i != 4 && i != 7);
			assert_int_equal(m.ch[0].drive[1].data[(200 + i) * 512],
				op == DISK_WRITE && i != 4 && i != 7 ? i + 1 : 0xcc);
		}
		assert_int_equal(tq.next, TIMER_NEVER);
	}
	m.bad = 0;
	/* And all fail that are under way when the drive is silent. */
	m.hang = true;
	submit(&first, disk_at(0), DISK_READ, 0, 1, b);
	for (unsigned i = 0; i < 10; i++) {
		r[i].refuse = false;
		submit(&r[i], disk_at(0), DISK_READ, 300 + i, 1, a[i]);
	}
	pass_time(31 * SECOND);
	assert_true(first.over == 1 && !first.ok);
	pass_time(31 * SECOND);
	m.hang = false;
	for (unsigned i = 0; i < 10; i++)
		assert_true(r[i].over == 1 && !r[i].ok);
}

static void test_error(void **state)
{
	u8 a[1024];
	struct request r = { 0 }, next = { 0 };

	(void)state;
	m.bad = 100;
	submit(&r, disk_at(0), DISK_READ, 99, 2, a);
	submit(&next, disk_at(0), DISK_READ, 101, 1, a);
	irq(14);
	assert_true(r.over == 1 && !r.ok);
	irq(14);
	assert_true(next.over == 1 && next.ok);
	m.bad = 0;
}

/* Data that cannot be had is not written; data that cannot be delivered is a failed read. */
static void test_data_refused(void **state)
{
	u8 a[512] = { 0 };
	struct request r = { .refuse = true };
	unsigned before = m.commands;

	(void)state;
	submit(&r, disk_at(0), DISK_WRITE, 0, 1, a);
	assert_true(r.over == 1 && !r.ok);
	assert_int_equal(m.commands, before);
	submit(&r, disk_at(0), DISK_READ, 0, 1, a);
	irq(14);
	assert_true(r.over == 1 && !r.ok);
}

static void test_timeout(void **state)
{
	u8 a[512];
	struct request r = { 0 }, next = { 0 };
	unsigned before = m.resets;

	(void)state;
	m.hang = true;
	submit(&r, disk_at(0), DISK_READ, 1, 1, a);
	submit(&next, disk_at(0), DISK_READ, 2, 1, a);
	irq(14);
	pass_time(29 * SECOND);
	assert_int_equal(r.over, 0);
	m.hang = false;
	pass_time(2 * SECOND);
	assert_true(r.over == 1 && !r.ok);
	assert_int_equal(m.resets, before + 1);
	irq(14); /* the next one was started after the reset */
	assert_true(next.over == 1 && next.ok);
}

/* Without interrupts and without a timer that runs. */
static void test_poll(void **state)
{
	u8 a[512];

	(void)state;
	assert_int_equal(disk_read(disk_at(1), 5, 1, a), OK);
	assert_false(disk_at(1)->silent);
	m.lost = true;
	assert_int_equal(disk_read(disk_at(1), 5, 1, a), OK);
	assert_true(disk_at(1)->silent);
	m.hang = true;
	assert_int_equal(disk_read(disk_at(1), SECTORS * 1000000ul, 1, a), ERR_RANGE);
	assert_int_equal(disk_read(disk_at(1), 5, 1, a), ERR_TIMEOUT);
	m.hang = false;
	assert_int_equal(disk_read(disk_at(1), 5, 1, a), OK);
}

/* The last test: the channel is given up. */
static void test_dead(void **state)
{
	u8 a[512];
	struct request r[3] = { 0 };

	(void)state;
	m.hang = true;
	for (unsigned i = 0; i < 3; i++)
		submit(&r[i], disk_at(0), DISK_READ, i, 1, a);
	m.stuck = true;
	pass_time(100 * SECOND);
	for (unsigned i = 0; i < 3; i++)
		assert_true(r[i].over == 1 && !r[i].ok);
	submit(&r[0], disk_at(0), DISK_READ, 0, 1, a);
	assert_true(r[0].over == 1 && !r[0].ok);
	assert_int_equal(tq.next, TIMER_NEVER);
}

static void test_identity(void **state)
{
	struct mock_drive d = { 0 };
	struct disk_identity id;

	(void)state;
	add_disk(&d, 1000, true);
	assert_true(disk_identify(d.identify, &id));
	assert_true(id.lba48 && id.flush && id.flush_ext && id.write_cache);
	d.identify[49] = 1 << 9;
	assert_false(disk_identify(d.identify, &id));
	d.identify[49] = 1 << 8;
	assert_false(disk_identify(d.identify, &id));
	d.identify[49] = 3 << 8;
	d.identify[106] = 1 << 14 | 1 << 12; /* 4 KB sectors */
	assert_false(disk_identify(d.identify, &id));
	d.identify[106] = 0xffff;
	assert_true(disk_identify(d.identify, &id));
	assert_int_equal(id.physical_exp, 0);
	d.identify[0] = 0x8000;
	assert_false(disk_identify(d.identify, &id));
	free(d.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_48_bits),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_merged_errors),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_data_refused),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_dead),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
