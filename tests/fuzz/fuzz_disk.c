/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hostile disks and hostile drivers of disks can say. An input that starts with an even byte
 * is a partition table, whose checksums are then made right, so that the fuzzer gets behind them;
 * any other is a sequence of accesses to the IDE controller's registers. Checked: partitions lie
 * inside the disk and apart, the back end sees nothing outside the medium, one request at a time,
 * and a reset makes the controller work again.
 *
 * Sources: hv/drv/gpt.c hv/dev/ide.c hv/dev/ide_dma.c hv/dev/ide_id.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include <string.h>

#include "hv/dev/ide.h"
#include "hv/drv/gpt.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/gpt_util.h"

#define SECTORS	   4096u
#define TABLE	   34u /* sectors of a partition table, from the disk's start */
#define HEADER_CRC 16
#define ENTRIES_AT 72
#define ENTRIES	   80
#define ENTRY_SIZE 84
#define TABLE_CRC  88
#define HEADER_LEN 92u
#define RAM_SIZE   (2 * MB)
#define BM	   0xc000u

/* ---- partition tables ---- */

static u8 start[TABLE * 512];

static enum status get(void *ctx, u64 sector, u32 count, void *to)
{
	(void)ctx;
	CHECK(count && count <= 8 && sector < SECTORS && count <= SECTORS - sector);
	memset(to, 0, count * 512ul);
	if (sector < TABLE)
		memcpy(to, start + sector * 512, MIN(count, TABLE - sector) * 512);
	return OK;
}

static void seal(void)
{
	u32 entries, size, crc;
	u64 at;

	memcpy(&entries, start + 512 + ENTRIES, 4);
	memcpy(&size, start + 512 + ENTRY_SIZE, 4);
	memcpy(&at, start + 512 + ENTRIES_AT, 8);
	if (at < TABLE && (u64)entries * size <= (TABLE - at) * 512) {
		crc = crc32(start + at * 512, (u64)entries * size);
		memcpy(start + 512 + TABLE_CRC, &crc, 4);
	}
	memset(start + 512 + HEADER_CRC, 0, 4);
	crc = crc32(start + 512, HEADER_LEN);
	memcpy(start + 512 + HEADER_CRC, &crc, 4);
}

static void table(struct stream *in)
{
	static struct gpt g;
	static u8 buf[4096];

	memset(start, 0, sizeof(start));
	memcpy(start + 512, in->at, MIN(in->left, sizeof(start) - 512));
	memcpy(start + 512, "EFI PART", 8);
	start[512 + 12] = HEADER_LEN;
	memset(start + 512 + 13, 0, 3);
	seal();
	if (gpt_read(&g, SECTORS, get, NULL, buf) != OK) {
		CHECK(!g.partitions);
		return;
	}
	CHECK(g.partitions <= GPT_PARTITIONS_MAX);
	for (unsigned i = 0; i < g.partitions; i++) {
		const struct gpt_partition *p = &g.partition[i];

		CHECK(p->sectors && p->first < SECTORS && p->sectors <= SECTORS - p->first);
		CHECK(strlen(p->name) <= GPT_NAME_MAX);
		for (unsigned k = 0; k < i; k++)
			CHECK(p->first >= g.partition[k].first + g.partition[k].sectors ||
				p->first + p->sectors <= g.partition[k].first);
	}
}

/* ---- the IDE controller ---- */

static struct {
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct guestmem gm;
	struct ide ide;
	struct blk_backend b[2];
	struct blk_io *io;
	u8 memory[65536];
} f;

static void end_io(bool ok)
{
	struct blk_io *io = f.io;
	u64 left = io->ranges ? io->range[0].sectors * 512 : 0;

	f.io = NULL;
	while (ok && left) {
		u64 n = MIN(left, (u64)sizeof(f.memory));

		ok = (io->op == BLK_READ ? io->data->fill(io, f.memory, n)
					 : io->data->take(io, f.memory, n)) == OK;
		left -= n;
	}
	io->done(io, ok);
}

static void submit(struct blk_backend *b, struct blk_io *io)
{
	CHECK(!f.io);
	for (unsigned i = 0; i < io->ranges; i++)
		CHECK(blk_in_medium(b, io->range[i].sector, io->range[i].sectors));
	CHECK(io->op == BLK_READ || io->op == BLK_WRITE || io->op == BLK_FLUSH);
	f.io = io;
	if (b == &f.b[0])
		end_io(true);
}

static void drain(struct blk_backend *b)
{
	(void)b;
	if (f.io)
		end_io(true);
}

static void destroy(struct blk_backend *b)
{
	(void)b;
}

static const struct blk_backend_ops ops = { submit, drain, destroy };

static void irq(void *ctx, unsigned channel, bool level)
{
	(void)level;
	CHECK(ctx == &f && channel < IDE_CHANNELS);
}

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	(void)ctx, (void)gsi, (void)level;
}

static void msi(void *ctx, u64 address, u32 data)
{
	(void)ctx, (void)address, (void)data;
}

static void make(void)
{
	CHECK(guestmem_add(&f.gm, GPA(0), RAM_SIZE) == OK);
	pci_init(&f.host, &f.pio, &f.mmio, &f.reset, set_gsi, msi, &f);
	ide_init(&f.ide, &f.gm, irq, &f);
	for (unsigned i = 0; i < ARRAY_SIZE(f.b); i++) {
		f.b[i] = (struct blk_backend){ .ops = &ops, .sectors = SECTORS, .depth = 1 };
		CHECK(ide_add(&f.ide, &f.b[i]));
	}
	CHECK(ide_attach(&f.ide, &f.host, &f.pio, 1) == OK);
}

static void access_port(struct stream *in)
{
	static const u16 ports[] = { 0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7, 0x3f6,
		BM, BM + 2, BM + 4, 0x1f0, 0x1f7, 0x1f0, BM };
	u8 what = byte(in);
	u16 port = ports[what & 15];
	unsigned size = 1u << (what >> 4 & 3) % 3;
	u64 v = byte(in);

	if (size > 1)
		v |= (u64)byte(in) << 8;
	if (what & 0x80)
		bus_read(&f.pio, port, size);
	else
		bus_write(&f.pio, port, size, v);
	if (f.io && (what & 0x40))
		end_io(v & 1);
}

static void registers(struct stream *in)
{
	static bool made;

	if (!made)
		make();
	made = true;
	ide_reset(&f.ide);
	while (in->left)
		access_port(in);
	ide_reset(&f.ide);
	CHECK(!f.io);
	bus_write(&f.pio, 0x1f6, 1, 0x40);
	bus_write(&f.pio, 0x1f7, 1, 0xec);
	CHECK(bus_read(&f.pio, 0x1f7, 1) == 0x58);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream in = { data, size };

	if (byte(&in) & 1)
		registers(&in);
	else
		table(&in);
	return 0;
}
