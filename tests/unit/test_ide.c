/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated IDE controller with a driver made here, after the specification: PIO and DMA in both
 * directions and both address widths, over a RAM disk and over a back end that takes its time, and
 * what a hostile driver can write.
 *
 * Sources: hv/dev/ide.c hv/dev/ide_dma.c hv/dev/ide_id.c hv/blk/ramdisk.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/pci_regs.h>

#include "hv/blk/ramdisk.h"
#include "hv/dev/ide.h"
#include "hv/mem/page.h"
#include "tests/unit/destroy.h"
#include "tests/unit/host.h"

#define SECTORS	 5000u
#define RAM_SIZE (4 * MB)
#define TABLE	 0x10000ul
#define DATA	 0x100000ul
#define BSY	 0x80
#define DRDY	 0x40
#define DRQ	 0x08
#define ERR	 0x01
#define UNIT_1	 0x10

static struct {
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct guestmem gm;
	struct ide ide;
	bool irq[2];
	u16 bm;
} f;

/* ---- a back end whose requests end when the test says so ---- */

static struct {
	struct blk_backend b;
	struct blk_io *io;
	unsigned destroyed, drained;
	u8 data[SECTORS][512];
} slow;

static void slow_end(bool ok)
{
	struct blk_io *io = slow.io;
	u64 len;

	assert_non_null(io);
	slow.io = NULL;
	len = io->range[0].sectors * 512;
	if (ok && io->op == BLK_READ)
		ok = io->data->fill(io, slow.data[io->range[0].sector], len) == OK;
	if (ok && io->op == BLK_WRITE)
		ok = io->data->take(io, slow.data[io->range[0].sector], len) == OK;
	io->done(io, ok);
}

static void slow_submit(struct blk_backend *b, struct blk_io *io)
{
	assert_ptr_equal(b, &slow.b);
	assert_null(slow.io);
	assert_true(
		io->op == BLK_FLUSH || blk_in_medium(b, io->range[0].sector, io->range[0].sectors));
	slow.io = io;
}

static void slow_drain(struct blk_backend *b)
{
	(void)b;
	slow.drained++;
	if (slow.io)
		slow_end(true);
}

static void slow_destroy(struct blk_backend *b)
{
	(void)b;
	slow.destroyed++;
}

static const struct blk_backend_ops slow_ops = { slow_submit, slow_drain, slow_destroy };

/* ---- the machine ---- */

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	(void)ctx, (void)gsi, (void)level;
	fail_msg("the controller has interrupts of its own");
}

static void msi(void *ctx, u64 address, u32 data)
{
	(void)ctx, (void)address, (void)data;
	fail_msg("no MSI");
}

static void irq(void *ctx, unsigned channel, bool level)
{
	assert_ptr_equal(ctx, &f);
	f.irq[channel] = level;
}

static u32 config(unsigned offset)
{
	bus_write(&f.pio, 0xcf8, 4, 0x80000000u | 1u << 11 | offset);
	return (u32)bus_read(&f.pio, 0xcfc, 4);
}

static int setup(void **state)
{
	struct blk_backend *ram;

	(void)state;
	memset(&f, 0, sizeof(f));
	memset(&slow, 0, sizeof(slow));
	host_pages_begin();
	slow.b = (struct blk_backend){ .ops = &slow_ops, .sectors = SECTORS, .depth = 1 };
	strcpy(slow.b.id, "slow");
	if (guestmem_add(&f.gm, GPA(0), RAM_SIZE) ||
		ramdisk_create(&ram, NULL, 0, SECTORS * 512, false, "ram"))
		return -1;
	pci_init(&f.host, &f.pio, &f.mmio, &f.reset, set_gsi, msi, &f);
	if (bus_add(&f.pio, PCI_CONFIG_PORT, PCI_CONFIG_PORTS, &pci_port_io, &f.host, "pci"))
		return -1;
	ide_init(&f.ide, &f.gm, irq, &f);
	if (!ide_add(&f.ide, ram) || !ide_add(&f.ide, &slow.b) ||
		ide_attach(&f.ide, &f.host, &f.pio, 1))
		return -1;
	f.bm = (u16)(config(PCI_BASE_ADDRESS_0 + 16) & ~3u);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ide_destroy(&f.ide);
	guestmem_destroy(&f.gm);
	return slow.destroyed != 1 || !host_pages_are_back() ? -1 : 0;
}

static u8 in(unsigned reg)
{
	return (u8)bus_read(&f.pio, 0x1f0 + reg, 1);
}

static void out(unsigned reg, u64 v)
{
	bus_write(&f.pio, 0x1f0 + reg, 1, v & 0xff);
}

static void control(u8 v)
{
	bus_write(&f.pio, 0x3f6, 1, v);
}

static u8 alternate(void)
{
	return (u8)bus_read(&f.pio, 0x3f6, 1);
}

/* The status register, which ends the interrupt. */
static u8 acknowledge(void)
{
	u8 s = in(7);

	assert_false(f.irq[0]);
	return s;
}

static void command(unsigned unit, u8 opcode, u64 lba, unsigned count, bool ext)
{
	if (ext) {
		out(2, count >> 8);
		for (unsigned i = 0; i < 3; i++)
			out(3 + i, lba >> (24 + 8 * i));
	}
	out(6, 0x40 | (unit ? UNIT_1 : 0) | (ext ? 0 : lba >> 24 & 0xf));
	out(2, count);
	for (unsigned i = 0; i < 3; i++)
		out(3 + i, lba >> 8 * i);
	out(7, opcode);
}

static u8 *ram(u64 gpa)
{
	return (u8 *)(u64)guest_at(&f.gm, GPA(gpa));
}

static void put(u64 gpa, const void *from, size_t len)
{
	assert_int_equal(guest_write(&f.gm, GPA(gpa), from, len), OK);
}

static void describe(unsigned n, u32 address, u16 count, bool last)
{
	u32 words[2] = { address, count | (last ? 0x80000000u : 0) };

	put(TABLE + 8 * n, words, sizeof(words));
}

static void start_dma(bool to_memory)
{
	bus_write(&f.pio, f.bm + 4u, 4, TABLE);
	bus_write(&f.pio, f.bm + 2u, 1, 6);
	bus_write(&f.pio, f.bm, 1, to_memory ? 9 : 1);
}

static u8 bm_status(void)
{
	return (u8)bus_read(&f.pio, f.bm + 2u, 1);
}

static void stop_dma(void)
{
	bus_write(&f.pio, f.bm, 1, 0);
}

/* ---- PIO ---- */

static void write_block(const u8 *from, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i += 2)
		bus_write(&f.pio, 0x1f0, 2, from[i] | from[i + 1] << 8);
}

static void read_block(u8 *to, unsigned bytes, unsigned width)
{
	for (unsigned i = 0; i < bytes; i += width) {
		u64 v = bus_read(&f.pio, 0x1f0, width);

		memcpy(to + i, &v, width);
	}
}

static void pattern(u8 *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (u8)(i * 13 + i / 512 + seed);
}

static void test_pci(void **state)
{
	(void)state;
	assert_int_equal(config(0), 0x70108086);
	assert_int_equal(config(8) >> 8, 0x010180);
	assert_int_equal(config(0x40) & 0x80008000, 0x8000); /* the second channel is off */
	assert_true(f.bm >= PCI_IO_START);
	assert_int_equal(bus_read(&f.pio, 0x177, 1), 0xff);
}

static void test_identify(void **state)
{
	u16 words[256];

	(void)state;
	assert_int_equal(alternate(), DRDY | 0x10);
	for (unsigned unit = 0; unit < 2; unit++) {
		command(unit, 0xec, 0, 0, false);
		assert_true(f.irq[0]);
		assert_int_equal(acknowledge() & (DRQ | BSY | ERR), DRQ);
		read_block((u8 *)words, 512, unit ? 4 : 2);
		assert_int_equal(in(7) & DRQ, 0);
		assert_int_equal(words[60] | (u32)words[61] << 16, SECTORS);
		assert_int_equal(words[100], SECTORS);
		assert_int_equal(words[10], unit ? 's' << 8 | 'l' : 'r' << 8 | 'a');
		assert_int_equal(words[83] >> 14, 1);
	}
}

static void pio_both_ways(unsigned unit, u8 wr, u8 rd, bool ext, unsigned block)
{
	static u8 a[300 * 512], b[300 * 512];
	unsigned n = ext ? 300 : 256, lba = 1000;

	pattern(a, sizeof(a), wr);
	memset(b, 0, sizeof(b));
	command(unit, wr, lba, n, ext);
	assert_false(f.irq[0]); /* the first block is asked for without one */
	for (unsigned i = 0; i < n; i += block) {
		assert_int_equal(alternate() & (DRQ | BSY), DRQ);
		write_block(a + i * 512, MIN(block, n - i) * 512);
		if (unit) {
			assert_int_equal(alternate() & BSY, BSY);
			slow_end(true);
		}
		assert_true(f.irq[0]);
		assert_int_equal(acknowledge() & ERR, 0);
	}
	assert_int_equal(alternate() & (DRQ | BSY), 0);
	command(unit, rd, lba, n, ext);
	for (unsigned i = 0; i < n; i += block) {
		if (unit) {
			assert_false(f.irq[0]);
			slow_end(true);
		}
		assert_true(f.irq[0]);
		assert_int_equal(acknowledge() & (DRQ | BSY), DRQ);
		read_block(b + i * 512, MIN(block, n - i) * 512, 2);
	}
	assert_int_equal(alternate() & (DRQ | BSY), 0);
	assert_memory_equal(a, b, n * 512);
}

static void test_pio(void **state)
{
	(void)state;
	for (unsigned unit = 0; unit < 2; unit++) {
		pio_both_ways(unit, 0x30, 0x20, false, 1);
		pio_both_ways(unit, 0x34, 0x24, true, 1);
		command(unit, 0xc4, 0, 1, false); /* before SET MULTIPLE */
		assert_int_equal(acknowledge() & ERR, ERR);
		for (unsigned i = 0; i < 2; i++) {
			command(unit, 0xc6, 0, i ? 17 : 3, false);
			assert_int_equal(acknowledge() & ERR, ERR);
		}
		command(unit, 0xc6, 0, 16, false);
		assert_int_equal(acknowledge() & ERR, 0);
		pio_both_ways(unit, 0xc5, 0xc4, false, 16);
		pio_both_ways(unit, 0x39, 0x29, true, 16);
	}
}

/* ---- DMA ---- */

static void dma(unsigned unit, bool write, u64 lba, unsigned n, bool ext)
{
	command(unit, write ? (ext ? 0x35 : 0xca) : (ext ? 0x25 : 0xc8), lba, n, ext);
	assert_int_equal(alternate() & BSY, BSY);
	start_dma(!write);
	if (unit)
		slow_end(true);
}

static void test_dma(void **state)
{
	static u8 a[200 * 512], b[200 * 512];

	(void)state;
	for (unsigned unit = 0; unit < 2; unit++)
		for (unsigned ext = 0; ext < 2; ext++) {
			pattern(a, sizeof(a), unit * 2 + ext);
			put(DATA, a, sizeof(a));
			describe(0, DATA, 0, false); /* 64 KB */
			describe(1, DATA + 65536, 512, false);
			describe(2, DATA + 65536 + 512, sizeof(a) - 65536 - 512, true);
			dma(unit, true, 77, 200, ext);
			assert_true(f.irq[0]);
			assert_int_equal(bm_status() & 7, 4);
			assert_int_equal(acknowledge() & (ERR | BSY), 0);
			stop_dma();
			assert_int_equal(guest_zero(&f.gm, GPA(DATA), sizeof(a)), OK);
			dma(unit, false, 77, 200, ext);
			assert_int_equal(bm_status() & 7, 4);
			acknowledge();
			stop_dma();
			assert_int_equal(guest_read(&f.gm, GPA(DATA), b, sizeof(b)), OK);
			assert_memory_equal(a, b, sizeof(a));
			bus_write(&f.pio, f.bm + 2u, 1, 4);
			assert_int_equal(bm_status(), 0);
		}
}

/* The bus master may be started before the command comes. */
static void test_dma_started_first(void **state)
{
	(void)state;
	describe(0, DATA, 1024, true);
	start_dma(true);
	assert_int_equal(bm_status() & 1, 1);
	command(0, 0xc8, 0, 1, false);
	assert_true(f.irq[0]);
	assert_int_equal(bm_status() & 7, 5); /* the table is longer than the transfer */
	stop_dma();
	assert_int_equal(bm_status() & 1, 0);
}

static void test_dma_tables_that_lie(void **state)
{
	static const struct {
		u32 address;
		u16 count;
		bool last;
	} lies[] = { { DATA, 512, true }, /* too short */
		{ RAM_SIZE, 0, true }, { RAM_SIZE - 512, 0, true }, { 0xfee00000, 0, true },
		{ 0xfffffffe, 0, true } };

	(void)state;
	for (unsigned unit = 0; unit < 2; unit++)
		for (unsigned write = 0; write < 2; write++)
			for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
				describe(0, lies[i].address, lies[i].count, lies[i].last);
				dma(unit, write, 5, 2, false);
				assert_true(f.irq[0]);
				assert_int_equal(bm_status() & 7, 6);
				assert_int_equal(acknowledge() & ERR, ERR);
				stop_dma();
			}
	/* A table outside memory, and one without an end: it stops at its 64 KB. */
	command(0, 0xc8, 0, 1, false);
	bus_write(&f.pio, f.bm + 4u, 4, RAM_SIZE);
	bus_write(&f.pio, f.bm, 1, 9);
	assert_int_equal(acknowledge() & ERR, ERR);
	stop_dma();
	for (unsigned i = 0; i < 8192 + 512; i++)
		describe(i, DATA, 2, false);
	command(0, 0x25, 0, 200, true);
	start_dma(true);
	assert_int_equal(acknowledge() & ERR, ERR);
	stop_dma();
}

/* ---- errors and limits ---- */

static void test_borders(void **state)
{
	static const struct {
		u8 opcode;
		u64 lba;
		unsigned count;
		bool ext;
	} bad[] = { { 0x20, SECTORS, 1, false }, { 0x20, SECTORS - 1, 2, false },
		{ 0x20, SECTORS - 255, 0, false }, { 0x24, 0, 0, true },
		{ 0x24, 0xffffffffffff, 1, true }, { 0x30, SECTORS, 1, false },
		{ 0x35, SECTORS - 1, 2, true }, { 0xc8, 0xfffffff, 255, false },
		{ 0x40, SECTORS, 1, false }, { 0x42, SECTORS, 1, true } };

	(void)state;
	for (unsigned unit = 0; unit < 2; unit++)
		for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
			command(unit, bad[i].opcode, bad[i].lba, bad[i].count, bad[i].ext);
			assert_int_equal(acknowledge() & (ERR | DRQ | BSY), ERR);
			assert_int_equal(in(1), 0x10);
		}
	assert_null(slow.io);
	command(0, 0x40, SECTORS - 1, 1, false);
	assert_int_equal(acknowledge() & ERR, 0);
	out(6, 0); /* no LBA */
	out(7, 0x20);
	assert_int_equal(acknowledge() & ERR, ERR);
}

static void test_unknown(void **state)
{
	(void)state;
	command(0, 0xa1, 0, 1, false);
	assert_int_equal(acknowledge() & ERR, ERR);
	assert_int_equal(in(1), 4);
	out(1, 0x55);
	command(0, 0xef, 0, 0, false);
	assert_int_equal(acknowledge() & ERR, ERR);
	out(1, 3);
	command(0, 0xef, 0, 0x22, false);
	assert_int_equal(acknowledge() & ERR, 0);
	command(0, 0xf8, 0, 0, false);
	acknowledge();
	assert_int_equal(in(3) | in(4) << 8 | in(5) << 16, SECTORS - 1);
}

static void test_flush(void **state)
{
	(void)state;
	command(1, 0xea, 0, 0, true);
	assert_int_equal(slow.io->op, BLK_FLUSH);
	assert_int_equal(alternate() & BSY, BSY);
	slow_end(true);
	assert_true(f.irq[0]);
	assert_int_equal(acknowledge() & ERR, 0);
	command(1, 0xe7, 0, 0, false);
	slow_end(false);
	assert_int_equal(acknowledge() & ERR, ERR);
}

static void test_failures(void **state)
{
	(void)state;
	command(1, 0x20, 0, 3, false);
	slow_end(false);
	assert_int_equal(acknowledge() & (ERR | DRQ), ERR);
	command(1, 0xc8, 0, 3, false);
	describe(0, DATA, 3 * 512, true);
	start_dma(true);
	slow_end(false);
	assert_int_equal(bm_status() & 7, 6);
	assert_int_equal(acknowledge() & ERR, ERR);
	slow.b.read_only = true;
	command(1, 0x30, 0, 1, false);
	assert_int_equal(acknowledge() & (ERR | DRQ), ERR);
	assert_null(slow.io);
}

/* While it is busy, registers and commands of a driver that does not wait change nothing. */
static void test_busy(void **state)
{
	(void)state;
	command(1, 0x20, 7, 2, false);
	command(0, 0x30, 9, 1, false);
	assert_int_equal(in(6) & UNIT_1, UNIT_1);
	assert_int_equal(in(3), 7);
	bus_write(&f.pio, 0x1f0, 2, 0xffff);
	assert_int_equal(bus_read(&f.pio, 0x1f0, 2), 0);
	slow_end(true);
	assert_int_equal(acknowledge() & DRQ, DRQ);
	bus_write(&f.pio, 0x1f0, 2, 0xffff); /* the wrong direction */
	assert_int_equal(f.ide.channel[0].at, 0);
	out(7, 0xec);
	assert_int_equal(f.ide.channel[0].left, 2);
}

static void test_reset(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		command(1, 0xc8, 0, 1, false);
		describe(0, DATA, 512, true);
		start_dma(true);
		assert_non_null(slow.io);
		if (how == 0) {
			control(4);
			assert_int_equal(alternate() & BSY, BSY);
			control(0);
		} else if (how == 1) {
			stop_dma();
			assert_int_equal(bm_status() & 5, 0);
			control(4);
			control(0);
		} else {
			ide_reset(&f.ide);
		}
		assert_null(slow.io);
		assert_false(f.irq[0]);
		assert_int_equal(in(7) & (BSY | DRQ | ERR), 0);
		assert_int_equal(in(2), 1);
		assert_int_equal(in(3), 1);
		assert_int_equal(in(4) | in(5), 0);
	}
	command(0, 0x90, 0, 0, false);
	assert_true(f.irq[0]);
	assert_int_equal(in(1), 1);
}

static void test_no_interrupts(void **state)
{
	(void)state;
	control(2);
	command(0, 0xec, 0, 0, false);
	assert_false(f.irq[0]);
	assert_int_equal(in(7) & DRQ, DRQ);
	control(0);
	assert_false(f.irq[0]);
}

static void test_high_order_bytes(void **state)
{
	(void)state;
	out(2, 0x12);
	out(2, 0x34);
	out(5, 0x56);
	out(5, 0x78);
	assert_int_equal(in(2), 0x34);
	control(0x80);
	assert_int_equal(in(2), 0x12);
	assert_int_equal(in(5), 0x56);
	out(1, 0);
	assert_int_equal(in(2), 0x34);
}

/* Any accesses: nothing outside the disk is asked for, and a reset makes it work again. */
static void test_noise(void **state)
{
	u8 word[2];

	(void)state;
	srand(7);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned r = (unsigned)rand(), size = 1u << (r >> 4 & 1 ? r >> 5 & 1 : 0);
		u16 port = r & 1   ? (u16)(0x1f0 + (r >> 8) % 8)
			   : r & 2 ? (u16)(f.bm + (r >> 8) % 16)
				   : 0x3f6;
		static const u8 likely[] = { 0x20, 0x30, 0xc8, 0xca, 0xc4, 0xc5, 0xec, 0xe7, 9, 1,
			0x50 };
		u64 v = r & 0x10000 ? likely[(r >> 17) % sizeof(likely)] : r >> 16;

		if (slow.io && (r & 0x60) == 0x60)
			slow_end(r & 0x80);
		if (port >= 0x1f0 && port < 0x1f8 && (port != 0x1f0 || size == 1))
			size = port == 0x1f0 ? 2 : 1;
		if (r & 8)
			bus_read(&f.pio, port, size);
		else
			bus_write(&f.pio, port, size, v & 0xffff);
	}
	if (slow.io)
		slow_end(true);
	control(4);
	control(0);
	stop_dma();
	command(0, 0x30, 0, 1, false);
	write_block(ram(0), 512);
	acknowledge();
	command(0, 0x20, 0, 1, false);
	acknowledge();
	read_block(word, 2, 2);
	assert_memory_equal(word, ram(0), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_pci),
		TEST(test_identify),
		TEST(test_pio),
		TEST(test_dma),
		TEST(test_dma_started_first),
		TEST(test_dma_tables_that_lie),
		TEST(test_borders),
		TEST(test_unknown),
		TEST(test_flush),
		TEST(test_failures),
		TEST(test_busy),
		TEST(test_reset),
		TEST(test_no_interrupts),
		TEST(test_high_order_bytes),
		TEST(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
