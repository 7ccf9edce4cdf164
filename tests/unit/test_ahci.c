/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AHCI driver against a controller made here: command lists and tables are followed in memory
 * as the specification has it; disks that fail, hang, stay busy and come back.
 *
 * Sources: hv/drv/ahci.c hv/drv/disk.c hv/cpu/timer.c
 */
#include "hv/cpu/idle.h"
#include "hv/drv/ahci.h"
#include "tests/unit/disk_util.h"
#include "tests/unit/host.h"

#define PORTS 4u
#define DISK  1u /* the port with the disk */
#define SLOTS 32u

enum {
	CLB = 0,
	FB = 8,
	IS = 0x10,
	IE = 0x14,
	CMD = 0x18,
	TFD = 0x20,
	SIG = 0x24,
	SSTS = 0x28,
	SCTL = 0x2c,
	SERR = 0x30,
	CI = 0x38
};

static struct {
	u32 ghc, is, bohc;
	u32 port[PORTS][0x80 / 4];
	u8 (*data)[512];
	u16 identify[256];
	bool hang;     /* commands stay where they are */
	bool busy;     /* the disk, until the link is reset */
	bool gone;     /* after a reset as well */
	bool short_of; /* data */
	u64 bad;       /* a sector */
	unsigned commands, flushes, resets;
	u8 last;
	void *ctx;
} m;

static u32 *reg(unsigned r)
{
	return &m.port[DISK][r / 4];
}

/* True: done; false: it failed, and the port stops there. */
static bool execute(unsigned slot)
{
	u32 *h = dma_at(*reg(CLB) + slot * 32);
	u8 *t = dma_at(h[2]);
	u32 *prd = (u32 *)(void *)(t + 128);
	bool ext = t[2] == 0x25 || t[2] == 0x35 || t[2] == 0xea;
	u64 lba = t[4] | t[5] << 8 | t[6] << 16;
	u32 n = t[12], bytes = (prd[3] & 0x3fffff) + 1;

	assert_int_equal(h[0] & 0x1f, 5);
	assert_int_equal(h[3], 0);
	assert_int_equal(h[2] & 0x7f, 0);
	assert_int_equal(t[0], 0x27);
	assert_int_equal(t[1], 0x80);
	m.last = t[2];
	if (t[2] == 0xec) {
		assert_int_equal(bytes, 512);
		memcpy(dma_at(prd[0]), m.identify, 512);
		h[1] = 512;
		return true;
	}
	m.commands++;
	if (t[2] == 0xe7 || t[2] == 0xea) {
		assert_int_equal(h[0] >> 16, 0);
		m.flushes++;
		return true;
	}
	lba |= ext ? (u64)t[8] << 24 | (u64)t[9] << 32 | (u64)t[10] << 40 : (u64)(t[7] & 0xf) << 24;
	n |= ext ? (u32)t[13] << 8 : 0;
	assert_true(t[7] & 0x40);
	assert_int_equal(h[0] >> 16, 1);
	assert_int_equal(bytes, n * 512);
	assert_int_equal(prd[1], 0);
	assert_int_equal((bool)(h[0] & 0x40), t[2] == 0xca || t[2] == 0x35);
	if (m.bad && m.bad >= lba && m.bad < lba + n)
		return false;
	if (h[0] & 0x40)
		memcpy(m.data[lba % SECTORS], dma_at(prd[0]), bytes);
	else
		memcpy(dma_at(prd[0]), m.data[lba % SECTORS], bytes);
	h[1] = m.short_of ? bytes - 512 : bytes;
	return true;
}

/* The controller does what it has been asked for. True: there is an interrupt. */
static bool run(void)
{
	for (unsigned i = 0; i < SLOTS && (*reg(CMD) & 1); i++) {
		if (!(*reg(CI) & 1u << i) || m.hang || m.busy)
			continue;
		if (!execute(i)) {
			*reg(TFD) = 0x4041;
			*reg(CMD) = (*reg(CMD) & ~0x1f00u) | i << 8;
			*reg(IS) |= 1u << 30;
			m.is |= 1u << DISK;
			break;
		}
		*reg(CI) &= ~(1u << i);
		*reg(IS) |= 1;
		m.is |= 1u << DISK;
	}
	return m.is && (*reg(IS) & *reg(IE)) && (m.ghc & 2);
}

static bool interrupt(void)
{
	if (!run())
		return false;
	ahci_interrupt(m.ctx);
	assert_int_equal(m.is, 0);
	return true;
}

void cpu_idle(u64 deadline)
{
	if (!interrupt())
		clock_now = deadline;
}

static u32 read_reg(void *base, u32 offset)
{
	assert_ptr_equal(base, &m);
	clock_now += 100;
	switch (offset) {
	case 0x00: return 31u << 8;
	case 0x04: return m.ghc;
	case 0x08: return m.is;
	case 0x0c: return (1u << PORTS) - 1;
	case 0x24: return 1;
	case 0x28: return m.bohc & 2 ? 2 : 1;
	}
	assert_true(offset >= 0x100 && offset < 0x100 + PORTS * 0x80);
	return m.port[(offset - 0x100) / 0x80][(offset & 0x7f) / 4];
}

static void write_command(u32 v)
{
	u32 old = *reg(CMD);

	v &= ~0xc000u;
	if (v & 0x10)
		v |= 0x4000;
	if (v & 1)
		v |= 0x8000;
	if (!(v & 1)) {
		*reg(CI) = 0;
		if (!m.busy)
			*reg(TFD) = 0x50;
	}
	if ((old & 1) && !(v & 1))
		*reg(CI) = 0;
	*reg(CMD) = v;
}

static void write_reg(void *base, u32 offset, u32 v)
{
	unsigned port = (offset - 0x100) / 0x80, r = offset & 0x7f;

	assert_ptr_equal(base, &m);
	if (offset == 0x04) {
		m.ghc = v;
	} else if (offset == 0x08) {
		m.is &= ~v;
	} else if (offset == 0x28) {
		m.bohc = v;
	} else if (port != DISK) {
		fail_msg("port %u", port);
	} else if (r == IS || r == SERR) {
		*reg(r) &= ~v;
	} else if (r == CMD) {
		write_command(v);
	} else if (r == CI) {
		assert_true(*reg(CMD) & 1);
		*reg(CI) |= v;
		if ((*reg(CI) & 1) && m.identify[0] == 0 && !(m.ghc & 2))
			run(); /* at boot, without interrupts */
	} else if (r == SCTL) {
		if ((*reg(SCTL) & 0xf) == 1 && !(v & 0xf)) {
			m.resets++;
			m.busy = m.gone;
			*reg(TFD) = m.gone ? 0x80 : 0x50;
		}
		*reg(SCTL) = v;
	} else {
		*reg(r) = v;
	}
}

static int setup_all(void **state)
{
	struct ahci_regs regs = { &m, read_reg, write_reg };

	(void)state;
	disk_util_begin();
	m.data = calloc(SECTORS + 128, 512);
	m.identify[49] = 3 << 8;
	m.identify[83] = 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10;
	m.identify[85] = 1 << 5;
	m.identify[102] = 1; /* 2^32 sectors */
	m.port[0][SIG / 4] = 0xeb140101;
	m.port[0][SSTS / 4] = 0x113;
	*reg(SIG) = 0x101;
	*reg(SSTS) = 0x113;
	*reg(TFD) = 0x50;
	*reg(CMD) = 0xc011; /* firmware has left it running */
	*reg(IE) = ~0u;
	return ahci_attach(&regs, &tq, &m.ctx) != OK;
}

static int teardown_all(void **state)
{
	(void)state;
	free(m.data);
	disk_util_end();
	return 0;
}

static void test_found(void **state)
{
	(void)state;
	assert_int_equal(disk_count(), 1);
	assert_int_equal(disk_at(0)->sectors, 1ul << 32);
	assert_int_equal(m.bohc & 2, 2);
	assert_int_equal(m.ghc, 0x80000002);
	assert_true(*reg(IE) & 1 && *reg(IE) & 1u << 30);
}

static void test_write_and_read(void **state)
{
	static u8 a[65536], b[65536];
	struct request r = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(a); i++)
		a[i] = (u8)(i * 5 + i / 512);
	submit(&r, disk_at(0), DISK_WRITE, 7, 128, a);
	assert_int_equal(r.over, 0);
	assert_true(interrupt());
	assert_true(r.over == 1 && r.ok && m.last == 0xca);
	assert_memory_equal(m.data[7], a, sizeof(a));
	submit(&r, disk_at(0), DISK_READ, (1ul << 32) - 1, 1, b);
	assert_true(interrupt());
	assert_true(r.over == 1 && r.ok && m.last == 0x25);
	submit(&r, disk_at(0), DISK_READ, 7, 128, b);
	assert_true(interrupt());
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(disk_read(disk_at(0), 7, 1, b), OK);
	assert_false(disk_at(0)->silent);
	assert_false(interrupt());
	assert_int_equal(tq.next, TIMER_NEVER);
}

static void test_flush(void **state)
{
	struct request r = { 0 };

	(void)state;
	submit(&r, disk_at(0), DISK_FLUSH, 0, 0, NULL);
	assert_true(interrupt());
	assert_true(r.over == 1 && r.ok && m.last == 0xea && m.flushes == 1);
}

/* Eight at a time, one interrupt for all of them; the others follow. */
static void test_many(void **state)
{
	u8 a[20][512];
	struct request r[20] = { 0 };
	unsigned before = m.commands;

	(void)state;
	for (unsigned i = 0; i < SECTORS; i++)
		memset(m.data[i], (int)(i + i / 256), 512);
	for (unsigned i = 0; i < 20; i++)
		submit(&r[i], disk_at(0), DISK_READ, 10 * i, 1, a[i]);
	assert_int_equal(__builtin_popcount(*reg(CI)), 8);
	assert_true(interrupt());
	assert_int_equal(m.commands, before + 8);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(r[i].over, i < 8);
	assert_true(interrupt());
	assert_true(interrupt());
	for (unsigned i = 0; i < 20; i++) {
		assert_true(r[i].over == 1 && r[i].ok);
		assert_int_equal(a[i][3], (u8)(10 * i + 10 * i / 256));
	}
	assert_int_equal(tq.next, TIMER_NEVER);
}

/* What waits can be taken back, what the disk does cannot. */
static void test_cancel(void **state)
{
	struct disk *d = disk_at(0);
	struct request r[10] = { 0 };
	unsigned before = m.commands;
	u8 a[512];

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		submit(&r[i], d, DISK_READ, 10 * i, 1, a);
	assert_false(d->ops->cancel(d, &r[7].cmd));
	assert_true(d->ops->cancel(d, &r[8].cmd));
	assert_true(interrupt());
	assert_true(interrupt());
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(r[i].over, i != 8);
	assert_int_equal(m.commands, before + 9);
}

/* One of several fails; the others do not. */
static void test_error(void **state)
{
	u8 a[12][512];
	struct request r[12] = { 0 };

	(void)state;
	m.bad = 103;
	for (unsigned i = 0; i < 12; i++)
		submit(&r[i], disk_at(0), DISK_READ, 100 + i, 1, a[i]);
	while (interrupt())
		;
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(r[i].over, 1);
		assert_int_equal(r[i].ok, i != 3);
	}
	m.bad = 0;
	assert_int_equal(m.resets, 0);
	assert_int_equal(tq.next, TIMER_NEVER);
}

static void test_short(void **state)
{
	u8 a[1024];
	struct request r = { 0 };

	(void)state;
	m.short_of = true;
	submit(&r, disk_at(0), DISK_READ, 1, 2, a);
	assert_true(interrupt());
	assert_true(r.over == 1 && !r.ok);
	m.short_of = false;
	r.refuse = true;
	submit(&r, disk_at(0), DISK_READ, 1, 2, a);
	assert_true(interrupt());
	assert_true(r.over == 1 && !r.ok);
	submit(&r, disk_at(0), DISK_WRITE, 1, 2, a);
	assert_true(r.over == 1 && !r.ok);
	assert_false(interrupt());
}

static void test_hang(void **state)
{
	u8 a[512];
	struct request r = { 0 }, next = { 0 };

	(void)state;
	m.hang = true;
	submit(&r, disk_at(0), DISK_READ, 1, 1, a);
	pass_time(29 * SECOND);
	assert_int_equal(r.over, 0);
	pass_time(2 * SECOND);
	assert_true(r.over == 1 && !r.ok);
	assert_int_equal(m.resets, 0);
	m.hang = false;
	submit(&next, disk_at(0), DISK_READ, 2, 1, a);
	assert_true(interrupt());
	assert_true(next.over == 1 && next.ok);
	/* One that stays busy needs its link reset. */
	m.busy = true;
	*reg(TFD) = 0x80;
	submit(&r, disk_at(0), DISK_READ, 1, 1, a);
	submit(&next, disk_at(0), DISK_READ, 2, 1, a);
	pass_time(32 * SECOND);
	assert_true(r.over == 1 && !r.ok && next.over == 1 && !next.ok);
	assert_int_equal(m.resets, 1);
	submit(&next, disk_at(0), DISK_READ, 2, 1, a);
	assert_true(interrupt());
	assert_true(next.over == 1 && next.ok);
}

/* The last test: the disk is given up. */
static void test_dead(void **state)
{
	u8 a[512];
	struct request r[10] = { 0 };

	(void)state;
	m.busy = m.gone = true;
	*reg(TFD) = 0x80;
	for (unsigned i = 0; i < 10; i++)
		submit(&r[i], disk_at(0), DISK_READ, i, 1, a);
	pass_time(100 * SECOND);
	for (unsigned i = 0; i < 10; i++)
		assert_true(r[i].over == 1 && !r[i].ok);
	submit(&r[0], disk_at(0), DISK_READ, 0, 1, a);
	assert_true(r[0].over == 1 && !r[0].ok);
	assert_int_equal(disk_read(disk_at(0), 0, 1, a), ERR_TIMEOUT);
	assert_int_equal(tq.next, TIMER_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_hang),
		cmocka_unit_test(test_dead),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
