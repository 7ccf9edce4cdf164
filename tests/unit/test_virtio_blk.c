/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk over a RAM disk: every type of request, the borders of the medium, requests that make
 * no sense, copy on write, and no page lost at the end.
 *
 * Sources: virtio/blk.c hv/blk/ramdisk.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/cpu/timer.c hv/dev/pci.c hv/dev/msix.c
 * hv/dev/reset.c hv/dev/bus.c
 */
#include <stdio.h>

#include "tests/unit/virtio_blk_util.h"

#include "hv/blk/ramdisk.h"

static int setup_disk(bool read_only)
{
	if (setup_memory() ||
		ramdisk_create(&t.b, t.base, BASE_SIZE, SECTORS * 512, read_only, "serial-7"))
		return -1;
	return attach(t.b, true);
}

static int setup(void **state)
{
	(void)state;
	return setup_disk(false);
}

static int setup_read_only(void **state)
{
	(void)state;
	return setup_disk(true);
}

/* One request from start to end; its status. */
static u8 request(u32 type, u64 sector, u32 len, bool write)
{
	static unsigned queue;

	queue = (queue + 1) % QUEUES;
	expect_done((u16)queue, submit((u16)queue, type, sector, len, write, 4096));
	return *(u8 *)ram(STATUS);
}

static u8 read_at(u64 sector, u32 len)
{
	memset(ram(DATA), 0xcc, len);
	return request(VIRTIO_BLK_T_IN, sector, len, true);
}

static u8 write_at(u64 sector, u32 len, u8 byte)
{
	memset(ram(DATA), byte, len);
	return request(VIRTIO_BLK_T_OUT, sector, len, false);
}

static u8 range_at(u32 type, u64 sector, u32 sectors, u32 flags)
{
	*(struct virtio_blk_discard_write_zeroes *)ram(DATA) =
		(struct virtio_blk_discard_write_zeroes){ sector, sectors, flags };
	return request(type, 0, 16, false);
}

static void expect_all(u32 len, u8 byte)
{
	const u8 *data = ram(DATA);

	for (u32 i = 0; i < len; i++)
		if (data[i] != byte)
			fail_msg("byte %u is 0x%x, not 0x%x", i, data[i], byte);
}

/* After what one queue was given: each of them serves. */
static void every_queue_serves(void)
{
	for (u16 i = 0; i < QUEUES; i++) {
		u16 id = submit(i, VIRTIO_BLK_T_IN, 0, 512, true, 4096);

		assert_int_equal(expect_done(i, id), 513);
		assert_int_equal(*(u8 *)ram(STATUS), VIRTIO_BLK_S_OK);
	}
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static u8 expected_byte(u64 at)
{
	return at < BASE_SIZE ? (u8)(at / 512 * 7 + at) : 0;
}

static void expect_base(u64 sector, u32 len)
{
	const u8 *data = ram(DATA);

	for (u32 i = 0; i < len; i++)
		if (data[i] != expected_byte(sector * 512 + i))
			fail_msg("byte %u after sector %lu", i, sector);
}

/* ---- what works ---- */

static void configuration(void **state)
{
	struct virtio_blk_config c;

	(void)state;
	for (unsigned i = 0; i < 60; i += 4)
		*(u32 *)((u8 *)&c + i) = (u32)bus_read(&p.mmio, p.config + i, 4);
	assert_int_equal(c.capacity, SECTORS);
	assert_int_equal(c.blk_size, 512);
	assert_int_equal(c.physical_block_exp, 3);
	assert_int_equal(c.num_queues, QUEUES);
	assert_true(c.seg_max && c.size_max >= 4096);
	assert_true(c.max_discard_sectors && c.max_discard_seg && c.max_write_zeroes_sectors &&
		    c.max_write_zeroes_seg && c.write_zeroes_may_unmap == 1);
	bus_write(&p.mmio, p.config, 8, 1ul << 40); /* the capacity is the device's (30) */
	assert_int_equal(bus_read(&p.mmio, p.config, 8), SECTORS);
	assert_int_equal(offered() & BIT(VIRTIO_BLK_F_RO), 0);
	assert_true(offered() & BIT(VIRTIO_BLK_F_FLUSH));
	assert_int_equal(config_read(PCI_DEVICE_ID, 2), 0x1040 + VIRTIO_ID_BLOCK);
	assert_int_equal(config_read(PCI_CLASS_REVISION, 4) >> 24, 1);
}

static void reads_the_module(void **state)
{
	(void)state;
	start();
	for (unsigned sector = 0; sector < SECTORS; sector += 3) {
		assert_int_equal(read_at(sector, 512), VIRTIO_BLK_S_OK);
		expect_base(sector, 512);
	}
	assert_int_equal(read_at(0, SECTORS * 512), VIRTIO_BLK_S_OK);
	expect_base(0, SECTORS * 512);
}

/* Pieces that have nothing to do with sectors or blocks. */
static void data_in_any_pieces(void **state)
{
	(void)state;
	start();
	for (u32 piece = 150; piece < 9000; piece = piece * 2 + 13) {
		expect_done(0, submit(0, VIRTIO_BLK_T_IN, 3, 8192, true, piece));
		assert_int_equal(*(u8 *)ram(STATUS), VIRTIO_BLK_S_OK);
		expect_base(3, 8192);
		expect_done(0, submit(0, VIRTIO_BLK_T_OUT, 3, 8192, false, piece));
		assert_int_equal(*(u8 *)ram(STATUS), VIRTIO_BLK_S_OK);
	}
	assert_int_equal(read_at(0, SECTORS * 512), VIRTIO_BLK_S_OK);
	expect_base(0, SECTORS * 512);
}

static void used_lengths(void **state)
{
	(void)state;
	start();
	assert_int_equal(expect_done(1, submit(1, VIRTIO_BLK_T_IN, 0, 1024, true, 600)), 1025);
	assert_int_equal(expect_done(1, submit(1, VIRTIO_BLK_T_OUT, 0, 1024, false, 600)), 1);
	assert_int_equal(expect_done(1, submit(1, VIRTIO_BLK_T_FLUSH, 0, 0, false, 600)), 1);
	/* Nothing of the buffer was written: the driver must not look at it. */
	assert_int_equal(expect_done(1, submit(1, VIRTIO_BLK_T_IN, 5000, 1024, true, 600)), 0);
}

static void writes_stay(void **state)
{
	(void)state;
	start();
	assert_int_equal(write_at(5, 512, 0x11), VIRTIO_BLK_S_OK);
	assert_int_equal(write_at(14, 3 * 512, 0x22), VIRTIO_BLK_S_OK);
	assert_int_equal(write_at(SECTORS - 1, 512, 0x33), VIRTIO_BLK_S_OK);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	start(); /* another driver */
	assert_int_equal(read_at(5, 512), VIRTIO_BLK_S_OK);
	expect_all(512, 0x11);
	assert_int_equal(read_at(14, 3 * 512), VIRTIO_BLK_S_OK);
	expect_all(3 * 512, 0x22);
	assert_int_equal(read_at(SECTORS - 1, 512), VIRTIO_BLK_S_OK);
	expect_all(512, 0x33);
	assert_int_equal(read_at(6, 8 * 512), VIRTIO_BLK_S_OK);
	expect_base(6, 8 * 512);
	assert_int_equal(read_at(17, 22 * 512), VIRTIO_BLK_S_OK);
	expect_base(17, 22 * 512);
	assert_int_equal(read_at(39, (SECTORS - 1 - 39) * 512), VIRTIO_BLK_S_OK);
	expect_base(39, (SECTORS - 1 - 39) * 512);
}

/* What a disk should be, in an array, and any operations on both. */
static void like_an_array(void **state)
{
	static u8 model[SECTORS * 512];

	(void)state;
	start();
	srand(7);
	for (unsigned i = 0; i < sizeof(model); i++)
		model[i] = expected_byte(i);
	for (unsigned n = 0; n < 3000; n++) {
		u32 from = (u32)rand() % SECTORS;
		u32 count = 1 + (u32)rand() % MIN(SECTORS - from, 20u);
		u8 byte = (u8)rand();

		switch (rand() % 4) {
		case 0:
			assert_int_equal(write_at(from, count * 512, byte), VIRTIO_BLK_S_OK);
			memset(model + from * 512, byte, count * 512);
			break;
		case 1:
			assert_int_equal(
				range_at(VIRTIO_BLK_T_WRITE_ZEROES, from, count, (u32)rand() % 2),
				VIRTIO_BLK_S_OK);
			memset(model + from * 512, 0, count * 512);
			break;
		default:
			assert_int_equal(read_at(from, count * 512), VIRTIO_BLK_S_OK);
			assert_memory_equal(ram(DATA), model + from * 512, count * 512);
		}
	}
}

static u64 pages_in_use(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.used[PAGE_GUEST];
}

static void discard_gives_memory_back(void **state)
{
	u64 before = pages_in_use();

	(void)state;
	start();
	assert_int_equal(write_at(0, 64 * 512, 0x55), VIRTIO_BLK_S_OK);
	assert_int_equal(pages_in_use(), before + 8);
	assert_int_equal(range_at(VIRTIO_BLK_T_DISCARD, 4, 24, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(pages_in_use(), before + 6); /* whole blocks only */
	assert_int_equal(read_at(0, 8 * 512), VIRTIO_BLK_S_OK);
	expect_all(8 * 512, 0x55);
	assert_int_equal(read_at(8, 16 * 512), VIRTIO_BLK_S_OK);
	expect_all(16 * 512, 0); /* and not what the module has there */
	assert_int_equal(range_at(VIRTIO_BLK_T_WRITE_ZEROES, 32, 8, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(pages_in_use(), before + 6);
	assert_int_equal(
		range_at(VIRTIO_BLK_T_WRITE_ZEROES, 32, 8, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP),
		VIRTIO_BLK_S_OK);
	assert_int_equal(pages_in_use(), before + 5);
}

static void serial_number(void **state)
{
	(void)state;
	start();
	memset(ram(DATA), 0xcc, 64);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(ram(DATA), "serial-7\0\0\0\0\0\0\0\0\0\0\0\0\xcc", 21);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 3, true), VIRTIO_BLK_S_OK);
	assert_memory_equal(ram(DATA), "serial", 6);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, 64, true), VIRTIO_BLK_S_OK);
	assert_int_equal(*(u8 *)ram(DATA + 63), 0);
}

static void read_only_disk(void **state)
{
	u64 before;

	(void)state;
	assert_true(offered() & BIT(VIRTIO_BLK_F_RO));
	assert_int_equal(
		offered() & (BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES)), 0);
	start();
	before = pages_in_use();
	assert_int_equal(write_at(0, 512, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range_at(VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range_at(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	assert_int_equal(read_at(0, 512), VIRTIO_BLK_S_OK);
	expect_base(0, 512);
	assert_int_equal(pages_in_use(), before);
}

/* ---- 34: requests that cannot be ---- */

static void beyond_the_medium(void **state)
{
	static const struct {
		u64 sector;
		u32 len;
	} bad[] = { { SECTORS, 512 }, { SECTORS - 1, 1024 }, { 0, (SECTORS + 1) * 512 },
		{ ~0ul, 512 }, { ~0ul / 512, 512 }, { ~0ul / 512 + 1, 512 }, { 1ul << 55, 512 },
		{ ~0ul - 1, 2048 } };

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(read_at(bad[i].sector, bad[i].len), VIRTIO_BLK_S_IOERR);
		expect_all(bad[i].len, 0xcc);
		assert_int_equal(write_at(bad[i].sector, bad[i].len, 1), VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(read_at(0, SECTORS * 512), VIRTIO_BLK_S_OK);
	expect_base(0, SECTORS * 512);
	every_queue_serves();
}

static void odd_lengths(void **state)
{
	static const u32 lengths[] = { 1, 511, 513, 1000 };

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		assert_int_equal(read_at(0, lengths[i]), VIRTIO_BLK_S_IOERR);
		assert_int_equal(write_at(0, lengths[i], 1), VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(read_at(0, 0), VIRTIO_BLK_S_OK); /* nothing is a whole number too */
	assert_int_equal(write_at(SECTORS, 0, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(write_at(SECTORS + 1, 0, 1), VIRTIO_BLK_S_IOERR);
	every_queue_serves();
}

static void unknown_types(void **state)
{
	static const u32 types[] = { 2, 3, 5, 7, 9, 10, 12, 14, 15, 0x80000000, ~0u };

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		assert_int_equal(request(types[i], 0, 512, i % 2), VIRTIO_BLK_S_UNSUPP);
		assert_int_equal(request(types[i], 0, 0, false), VIRTIO_BLK_S_UNSUPP);
	}
	every_queue_serves();
}

static void bad_ranges(void **state)
{
	static const u32 types[] = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES };

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		u32 type = types[i];

		assert_int_equal(range_at(type, 0, ~0u, 0), VIRTIO_BLK_S_IOERR);
		assert_int_equal(range_at(type, 0, SECTORS + 1, 0), VIRTIO_BLK_S_IOERR);
		assert_int_equal(range_at(type, SECTORS, 1, 0), VIRTIO_BLK_S_IOERR);
		assert_int_equal(range_at(type, ~0ul, 2, 0), VIRTIO_BLK_S_IOERR);
		assert_int_equal(range_at(type, 0, 8, 2), VIRTIO_BLK_S_UNSUPP);
		assert_int_equal(range_at(type, 0, 8, ~0u), VIRTIO_BLK_S_UNSUPP);
		for (u32 len = 0; len < 16; len += 5)
			assert_int_equal(request(type, 0, len, false), VIRTIO_BLK_S_IOERR);
		assert_int_equal(request(type, 0, 17, false), VIRTIO_BLK_S_IOERR);
		assert_int_equal(request(type, 0, 16 * 17, false), VIRTIO_BLK_S_IOERR);
		/* Data that the device should write is none that it could read. */
		assert_int_equal(request(type, 0, 16, true), VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(range_at(VIRTIO_BLK_T_DISCARD, 0, 8, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(read_at(0, SECTORS * 512), VIRTIO_BLK_S_OK);
	expect_base(0, SECTORS * 512);
	every_queue_serves();
	/* Not negotiated: not there. */
	start_with(VERSION_1);
	assert_int_equal(range_at(VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range_at(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), VIRTIO_BLK_S_UNSUPP);
}

static void several_ranges(void **state)
{
	struct virtio_blk_discard_write_zeroes *r;

	(void)state;
	start();
	assert_int_equal(write_at(0, SECTORS * 512, 0x77), VIRTIO_BLK_S_OK);
	r = ram(DATA);
	for (unsigned i = 0; i < 16; i++)
		r[i] = (struct virtio_blk_discard_write_zeroes){ i * 3, 1, 0 };
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16 * 16, false), VIRTIO_BLK_S_OK);
	assert_int_equal(read_at(0, 48 * 512), VIRTIO_BLK_S_OK);
	for (unsigned i = 0; i < 48; i++)
		assert_int_equal(*(u8 *)ram(DATA + i * 512), i % 3 ? 0x77 : 0);
	/* One bad range, and nothing at all is done. */
	for (unsigned i = 0; i < 16; i++)
		r[i] = (struct virtio_blk_discard_write_zeroes){ i == 15 ? SECTORS : i * 3 + 1, 1,
			0 };
	assert_int_equal(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16 * 16, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(read_at(0, 48 * 512), VIRTIO_BLK_S_OK);
	for (unsigned i = 0; i < 48; i++)
		assert_int_equal(*(u8 *)ram(DATA + i * 512), i % 3 ? 0x77 : 0);
}

/* 17: where there is no header, or no place for the status, the queue is broken; others go on. */
static void no_way_to_answer(void **state)
{
	static const struct {
		struct buf b[2];
		u16 n;
	} bad[] = {
		{ { { HEADER, 16, false } }, 1 },
		{ { { HEADER, 15, false }, { STATUS, 1, true } }, 2 },
		{ { { HEADER, 16, true } }, 1 },
		{ { { STATUS, 1, true } }, 1 },
		{ { { HEADER, 16, false }, { DATA, 512, false } }, 2 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		u16 id;
		u32 len;

		start();
		write_header(VIRTIO_BLK_T_IN, 0);
		drv_add(&t.d[2], bad[i].b, bad[i].n);
		kick(2);
		assert_false(drv_get(&t.d[2], &id, &len));
		assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
		expect_done(1, submit(1, VIRTIO_BLK_T_IN, 0, 512, true, 512));
	}
	start();
	for (u16 q = 0; q < QUEUES; q++)
		expect_done(q, submit(q, VIRTIO_BLK_T_IN, 0, 512, true, 512));
}

/* A request that covers more than the device promised to take. */
static void too_large(void **state)
{
	struct buf b[] = { { HEADER, 16, false }, { 0x100000, 5 * MB, true },
		{ 0x100000, 5 * MB, true }, { STATUS, 1, true } };
	u16 id;

	(void)state;
	start();
	write_header(VIRTIO_BLK_T_IN, 0);
	id = drv_add(&t.d[0], b, 4);
	kick(0);
	expect_done(0, id);
	assert_int_equal(*(u8 *)ram(STATUS), VIRTIO_BLK_S_IOERR);
	every_queue_serves();
}

/* The hypervisor has no page for what is written: that request fails, the disk lives on. */
static void memory_runs_out(void **state)
{
	(void)state;
	start();
	host_page_limit = pages_in_use() + 1;
	assert_int_equal(write_at(0, 4096, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(write_at(8, 4096, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range_at(VIRTIO_BLK_T_WRITE_ZEROES, 9, 2, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(read_at(8, 4096), VIRTIO_BLK_S_OK);
	expect_base(8, 4096);
	host_page_limit = ~0ul;
	assert_int_equal(write_at(8, 4096, 1), VIRTIO_BLK_S_OK);
}

/* Nor does a disk take the last pages that the hypervisor has. */
static void some_memory_is_left(void **state)
{
	struct page_stats s;

	(void)state;
	start();
	page_stats(&s);
	host_pages_hidden = s.free - 16 * MB / PAGE_SIZE - 1;
	assert_int_equal(write_at(0, 4096, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(write_at(8, 4096, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(write_at(0, 4096, 2), VIRTIO_BLK_S_OK); /* it has that one */
	host_pages_hidden = 0;
	assert_int_equal(write_at(8, 4096, 1), VIRTIO_BLK_S_OK);
}

static void disks_that_cannot_be(void **state)
{
	struct blk_backend *b;

	(void)state;
	assert_int_equal(ramdisk_create(&b, NULL, 0, 0, false, ""), ERR_RANGE);
	assert_int_equal(ramdisk_create(&b, NULL, 0, ~0ul, false, ""), ERR_RANGE);
	assert_int_equal(ramdisk_create(&b, NULL, 0, 1ul << 60, false, ""), ERR_RANGE);
	host_page_limit = 0;
	assert_int_equal(ramdisk_create(&b, NULL, 0, 4096, false, ""), ERR_NOMEM);
	host_page_limit = ~0ul;
	assert_int_equal(
		ramdisk_create(&b, NULL, 0, 513, false, "123456789012345678901234567890"), OK);
	assert_int_equal(b->sectors, 2);
	assert_memory_equal(b->id, "12345678901234567890", BLK_ID_MAX);
	b->ops->destroy(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(configuration),
		TEST(reads_the_module),
		TEST(data_in_any_pieces),
		TEST(used_lengths),
		TEST(writes_stay),
		TEST(like_an_array),
		TEST(discard_gives_memory_back),
		TEST(serial_number),
		cmocka_unit_test_setup_teardown(read_only_disk, setup_read_only, teardown),
		TEST(beyond_the_medium),
		TEST(odd_lengths),
		TEST(unknown_types),
		TEST(bad_ranges),
		TEST(several_ranges),
		TEST(no_way_to_answer),
		TEST(too_large),
		TEST(memory_runs_out),
		TEST(some_memory_is_left),
		TEST(disks_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
