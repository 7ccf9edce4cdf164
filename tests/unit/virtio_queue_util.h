/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue with its driver and its device, for tests of the parser of guest rings, in both formats;
 * and another queue in the same memory, which has to go on whatever happens to the first.
 */
#ifndef TESTS_UNIT_VIRTIO_QUEUE_UTIL_H
#define TESTS_UNIT_VIRTIO_QUEUE_UTIL_H

#include "tests/unit/destroy.h"
#include "tests/unit/virtio_util.h"

#include <stdio.h>

#include "virtio/queue.h"

#define RINGS 0x10000ul
#define TABLE 0x20000ul
#define OTHER 0x38000ul /* the rings of the other queue */
#define DATA  0x40000ul
#define SIZE  16

/* Registers a test for both formats. */
#define BOTH(name)                                                                                 \
	{ #name ", split", name, setup_split, teardown, NULL },                                    \
	{                                                                                          \
#name ", packed", name, setup_packed, teardown, NULL                               \
	}
#define SPLIT(name)  cmocka_unit_test_setup_teardown(name, setup_split, teardown)
#define PACKED(name) cmocka_unit_test_setup_teardown(name, setup_packed, teardown)

static struct {
	struct driver d, other_d;
	struct virtqueue q, other;
	struct vq_chain c, c2, other_c;
	unsigned broken;
	char why[128];
} t;

static inline void on_broken(void *ctx, struct virtqueue *q, const char *why)
{
	assert_ptr_equal(ctx, &t);
	assert_ptr_equal(q, &t.q);
	t.broken++;
	snprintf(t.why, sizeof(t.why), "%s", why);
}

static inline struct vq_config config_of(const struct driver *d)
{
	return (struct vq_config){ .size = d->size,
		.desc = GPA(d->desc),
		.driver = GPA(d->driver),
		.device = GPA(d->device),
		.packed = d->packed,
		.indirect = true,
		.event_idx = d->event_idx };
}

static inline struct vq_config config(void)
{
	return config_of(&t.d);
}

/* A driver and a device with fresh rings. */
static inline void start(u16 size, bool packed, bool event_idx)
{
	struct vq_host host = { on_broken, &t };
	struct vq_config cfg;

	drv_init(&t.d, RINGS, size, packed, event_idx);
	vq_init(&t.q, &gm, &host);
	cfg = config();
	assert_int_equal(vq_enable(&t.q, &cfg), OK);
}

static inline void start_other(bool packed)
{
	struct vq_host host = { on_broken, &t };
	struct vq_config cfg;

	drv_init(&t.other_d, OTHER, SIZE, packed, false);
	vq_init(&t.other, &gm, &host);
	cfg = config_of(&t.other_d);
	assert_int_equal(vq_enable(&t.other, &cfg), OK);
}

static int setup(bool packed)
{
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	if (guestmem_add(&gm, GPA(0), RAM_SIZE) || guestmem_add(&gm, GPA(4 * GB), 2 * MB))
		return -1;
	guestmem_hole(&gm, GPA(0xa0000), GPA(0xc0000));
	start(SIZE, packed, false);
	start_other(packed);
	return 0;
}

static int setup_split(void **state)
{
	(void)state;
	return setup(false);
}

static int setup_packed(void **state)
{
	(void)state;
	return setup(true);
}

static int teardown(void **state)
{
	(void)state;
	guestmem_destroy(&gm);
	return 0;
}

/* The device answers one chain: what is readable is read, and turned over into what is writable. */
static inline void serve(void)
{
	struct vq_cursor r, w;
	u8 buf[256];
	u64 n;

	assert_true(vq_pop(&t.q, &t.c));
	r = vq_readable(&t.c);
	w = vq_writable(&t.c);
	n = MIN(MIN(r.left, w.left), sizeof(buf));
	assert_int_equal(vq_read(&r, buf, n), OK);
	for (u64 i = 0; i < n; i++)
		buf[i] = (u8)~buf[i];
	assert_int_equal(vq_write(&w, buf, n), OK);
	vq_push(&t.q, &t.c);
}

static inline void expect_none(void)
{
	u16 id;
	u32 len;

	assert_false(drv_get(&t.d, &id, &len));
}

/* One request there and back, to see that a queue works. */
static inline void round_trip(void)
{
	struct buf b[] = { { DATA, 8, false }, { DATA + 0x100, 8, true } };
	u16 id = drv_add(&t.d, b, 2);
	u64 value = rand();

	memcpy(ram(DATA), &value, sizeof(value));
	serve();
	drv_expect(&t.d, id, 8);
	value = ~value;
	assert_memory_equal(ram(DATA + 0x100), &value, sizeof(value));
	assert_false(vq_pop(&t.q, &t.c));
}

static inline void other_works(void)
{
	struct buf b = { DATA + 0x200, 8, true };
	u16 id = drv_add(&t.other_d, &b, 1);
	struct vq_cursor w;

	assert_true(vq_pop(&t.other, &t.other_c));
	w = vq_writable(&t.other_c);
	assert_int_equal(vq_write(&w, "together", 8), OK);
	vq_push(&t.other, &t.other_c);
	drv_expect(&t.other_d, id, 8);
	assert_memory_equal(ram(DATA + 0x200), "together", 8);
	assert_false(vq_pop(&t.other, &t.other_c));
}

/* The queue broke, once, saying so, and is dead; the other goes on; after a reset it works. */
static inline void expect_broken(const char *why)
{
	u16 size = t.d.size;
	bool packed = t.d.packed;

	assert_false(vq_pop(&t.q, &t.c));
	assert_int_equal(t.broken, 1);
	if (!strstr(t.why, why))
		fail_msg("\"%s\" is not in \"%s\"", why, t.why);
	assert_false(vq_pop(&t.q, &t.c));
	assert_false(vq_want_kicks(&t.q));
	assert_false(vq_signal(&t.q));
	vq_push(&t.q, &t.c);
	assert_int_equal(t.broken, 1);
	expect_none();
	other_works();
	vq_reset(&t.q);
	assert_false(vq_pop(&t.q, &t.c));
	start(size, packed, false);
	round_trip();
	assert_int_equal(t.broken, 1);
	t.broken = 0;
}

#endif
