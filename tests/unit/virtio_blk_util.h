/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio-blk disk on a bus, over a back end of the test's choice, and requests to it.
 */
#ifndef TESTS_UNIT_VIRTIO_BLK_UTIL_H
#define TESTS_UNIT_VIRTIO_BLK_UTIL_H

#include "tests/unit/virtio_bus.h"

#include "tests/unit/destroy.h"
#include "virtio/blk.h"

#define SIZE	  64
#define HZ	  1000000ul
#define VERSION_1 BIT(VIRTIO_F_VERSION_1)
#define QUEUES	  4
#define HEADER	  0x40000ul
#define STATUS	  0x41000ul
#define DATA	  0x50000ul
#define SECTORS	  100u /* not a multiple of blocks */
#define BASE_SIZE (40 * 512 + 100)
#define NONE	  0xee /* no status was written */

static struct {
	u8 base[BASE_SIZE];
	struct blk_backend *b;
	struct virtio_blk *blk;
	struct driver d[QUEUES];
	struct timerq timers;
} t;

static __unused int attach(struct blk_backend *b, bool packed)
{
	return virtio_blk_create(&t.blk, "vm", 0, packed, &gm, &t.timers, b) ||
	       bus_with(virtio_blk_dev(t.blk));
}

static __unused int setup_memory(void)
{
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	clock_now = 1000;
	timerq_init(&t.timers, HZ, now);
	host_pages_begin();
	for (unsigned i = 0; i < BASE_SIZE; i++)
		t.base[i] = (u8)(i / 512 * 7 + i);
	return guestmem_add(&gm, GPA(0), RAM_SIZE);
}

/* Nothing is leaked, and the module is as it was. */
static __unused int teardown(void **state)
{
	(void)state;
	host_page_limit = ~0ul;
	virtio_blk_destroy(t.blk);
	guestmem_destroy(&gm);
	for (unsigned i = 0; i < BASE_SIZE; i++)
		if (t.base[i] != (u8)(i / 512 * 7 + i))
			return -1;
	return t.timers.next == TIMER_NEVER && host_pages_are_back() ? 0 : -1;
}

static __unused void start_with(u64 features)
{
	negotiate(features);
	assert_true(status() & VIRTIO_CONFIG_S_FEATURES_OK);
	start_queues(t.d, QUEUES, SIZE, features & BIT(VIRTIO_F_RING_PACKED));
}

static __unused void start(void)
{
	start_with(offered());
}

static __unused void write_header(u32 type, u64 sector)
{
	*(struct virtio_blk_outhdr *)ram(HEADER) =
		(struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*(u8 *)ram(STATUS) = NONE;
}

/* Submits header, data and status to a queue, in pieces of at most `piece` bytes. */
static __unused u16 submit(u16 queue, u32 type, u64 sector, u32 len, bool write, u32 piece)
{
	struct buf b[SIZE] = { { HEADER, 16, false } };
	u16 n = 1, id;

	write_header(type, sector);
	for (u32 at = 0; at < len; at += piece)
		b[n++] = (struct buf){ DATA + at, MIN(piece, len - at), write };
	b[n++] = (struct buf){ STATUS, 1, true };
	id = drv_add(&t.d[queue], b, n);
	kick(queue);
	return id;
}

static __unused u32 expect_done(u16 queue, u16 id)
{
	u16 got;
	u32 len;

	assert_true(drv_get(&t.d[queue], &got, &len));
	assert_int_equal(got, id);
	return len;
}

/* One request from start to end; its status. */
static __unused u8 request(u32 type, u64 sector, u32 len, bool write)
{
	static unsigned queue;

	queue = (queue + 1) % QUEUES;
	expect_done((u16)queue, submit((u16)queue, type, sector, len, write, 4096));
	return *(u8 *)ram(STATUS);
}

static __unused u8 read_at(u64 sector, u32 len)
{
	memset(ram(DATA), 0xcc, len);
	return request(VIRTIO_BLK_T_IN, sector, len, true);
}

static __unused u8 write_at(u64 sector, u32 len, u8 byte)
{
	memset(ram(DATA), byte, len);
	return request(VIRTIO_BLK_T_OUT, sector, len, false);
}

static __unused u8 range_at(u32 type, u64 sector, u32 sectors, u32 flags)
{
	*(struct virtio_blk_discard_write_zeroes *)ram(DATA) =
		(struct virtio_blk_discard_write_zeroes){ sector, sectors, flags };
	return request(type, 0, 16, false);
}

static __unused void expect_all(u32 len, u8 byte)
{
	const u8 *data = ram(DATA);

	for (u32 i = 0; i < len; i++)
		if (data[i] != byte)
			fail_msg("byte %u is 0x%x, not 0x%x", i, data[i], byte);
}

/* After what one queue was given: each of them serves. */
static __unused void every_queue_serves(void)
{
	for (u16 i = 0; i < QUEUES; i++) {
		u16 id = submit(i, VIRTIO_BLK_T_IN, 0, 512, true, 4096);

		assert_int_equal(expect_done(i, id), 513);
		assert_int_equal(*(u8 *)ram(STATUS), VIRTIO_BLK_S_OK);
	}
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

#endif
