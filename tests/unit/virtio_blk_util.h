/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio-blk disk on a bus, over a back end of the test's choice, and requests to it. */
#ifndef TESTS_UNIT_VIRTIO_BLK_UTIL_H
#define TESTS_UNIT_VIRTIO_BLK_UTIL_H

#include "tests/unit/clock.h"
#include "tests/unit/destroy.h"
#include "tests/unit/virtio_bus.h"

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

static int attach(struct blk_backend *b, bool packed)
{
	return virtio_blk_create(&t.blk, "vm", 0, packed, &gm, &t.timers, b) ||
	       bus_with(virtio_blk_dev(t.blk));
}

static int setup_memory(void)
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
static int teardown(void **state)
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

static void start_with(u64 features)
{
	negotiate(features);
	assert_true(status() & VIRTIO_CONFIG_S_FEATURES_OK);
	start_queues(t.d, QUEUES, SIZE, features & BIT(VIRTIO_F_RING_PACKED));
}

static void start(void)
{
	start_with(offered());
}

static void write_header(u32 type, u64 sector)
{
	*(struct virtio_blk_outhdr *)ram(HEADER) =
		(struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*(u8 *)ram(STATUS) = NONE;
}

/* Submits header, data and status to a queue, in pieces of at most `piece` bytes. */
static u16 submit(u16 queue, u32 type, u64 sector, u32 len, bool write, u32 piece)
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

static u32 expect_done(u16 queue, u16 id)
{
	u16 got;
	u32 len;

	assert_true(drv_get(&t.d[queue], &got, &len));
	assert_int_equal(got, id);
	return len;
}

#endif
