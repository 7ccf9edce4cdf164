/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of guest rings against a driver that keeps the rules and one that breaks each of them:
 * what a driver writes never harms more than its queue, and the queue works again after a reset.
 *
 * Sources: virtio/queue.c virtio/chain.c hv/mem/guestmem.c
 */
#include "tests/unit/virtio_util.h"

#include <pthread.h>
#include <stdio.h>

#include "virtio/queue.h"

#define RINGS 0x10000ul
#define TABLE 0x20000ul
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
	struct driver d;
	struct virtqueue q;
	struct vq_chain c, c2;
	unsigned broken;
	char why[128];
} t;

static void on_broken(void *ctx, struct virtqueue *q, const char *why)
{
	assert_ptr_equal(ctx, &t);
	assert_ptr_equal(q, &t.q);
	t.broken++;
	snprintf(t.why, sizeof(t.why), "%s", why);
}

static struct vq_config config(void)
{
	return (struct vq_config){ .size = t.d.size,
		.desc = GPA(t.d.desc),
		.driver = GPA(t.d.driver),
		.device = GPA(t.d.device),
		.packed = t.d.packed,
		.indirect = true,
		.event_idx = t.d.event_idx };
}

/* A driver and a device with fresh rings. */
static void start(u16 size, bool packed, bool event_idx)
{
	struct vq_host host = { on_broken, &t };
	struct vq_config cfg;

	drv_init(&t.d, RINGS, size, packed, event_idx);
	vq_init(&t.q, &gm, &host);
	cfg = config();
	assert_int_equal(vq_enable(&t.q, &cfg), OK);
}

static int setup(bool packed)
{
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	if (guestmem_add(&gm, GPA(0), RAM_SIZE) || guestmem_add(&gm, GPA(4 * GB), 2 * MB))
		return -1;
	guestmem_hole(&gm, GPA(0xa0000), GPA(0xc0000));
	start(SIZE, packed, false);
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
static void serve(void)
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

static void expect_none(void)
{
	u16 id;
	u32 len;

	assert_false(drv_get(&t.d, &id, &len));
}

/* One request there and back, to see that a queue works. */
static void round_trip(void)
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

/* The queue broke, once, saying so, and is dead; after a reset it works. */
static void expect_broken(const char *why)
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
	vq_reset(&t.q);
	assert_false(vq_pop(&t.q, &t.c));
	start(size, packed, false);
	round_trip();
	assert_int_equal(t.broken, 1);
	t.broken = 0;
}

/* ---- what works ---- */

static void data_goes_both_ways(void **state)
{
	struct buf b[] = { { DATA, 3, false }, { DATA + 0x1000, 5, false },
		{ DATA + 0x2000, 2, true }, { DATA + 0x3000, 6, true } };
	u16 id = drv_add(&t.d, b, 4);

	(void)state;
	memcpy(ram(DATA), "abc", 3);
	memcpy(ram(DATA + 0x1000), "defgh", 5);
	serve();
	drv_expect(&t.d, id, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(*(u8 *)ram(i < 2 ? DATA + 0x2000 + i : DATA + 0x3000 + i - 2),
			(u8) ~('a' + (int)i));
	expect_none();
}

static void chains_of_every_shape(void **state)
{
	(void)state;
	for (u16 n = 1; n <= SIZE; n++)
		for (u16 readable = 0; readable <= n; readable++) {
			struct buf b[SIZE];
			u16 id;

			for (u16 i = 0; i < n; i++)
				b[i] = (struct buf){ DATA + i * 0x100u, i + 1u, i >= readable };
			id = drv_add(&t.d, b, n);
			assert_true(vq_pop(&t.q, &t.c));
			assert_int_equal(t.c.segs, n);
			assert_int_equal(t.c.readable, readable);
			for (u16 i = 0; i < n; i++) {
				assert_int_equal(t.c.seg[i].gpa.v, b[i].addr);
				assert_int_equal(t.c.seg[i].len, b[i].len);
			}
			vq_push(&t.q, &t.c);
			drv_expect(&t.d, id, 0);
		}
}

/* Indices wrap at 65,536, packed places at every lap; chain lengths that do not divide the ring. */
static void many_laps(void **state)
{
	bool packed = t.d.packed;
	u16 in_flight[8], first = 0, count = 0;

	(void)state;
	start(packed ? 7 : 8, packed, false);
	for (unsigned n = 0; n < 70000; n++) {
		u16 len = (u16)(1 + n % 3);
		struct buf b[3] = { { DATA, 4, false }, { DATA + 16, 4, true },
			{ DATA + 32, 4, true } };

		while (t.d.room < len) {
			drv_expect(&t.d, in_flight[first++ % 8], 0);
			count--;
		}
		in_flight[(u16)(first + count++) % 8] = drv_add(&t.d, b, len);
		assert_true(vq_pop(&t.q, &t.c));
		assert_int_equal(t.c.segs, len);
		vq_push(&t.q, &t.c);
	}
	while (count--)
		drv_expect(&t.d, in_flight[first++ % 8], 0);
	expect_none();
	assert_int_equal(t.broken, 0);
}

static void chains_may_be_pushed_in_any_order(void **state)
{
	struct buf a[] = { { DATA, 4, false }, { DATA + 16, 4, true } };
	struct buf b[] = { { DATA + 32, 4, true } };

	(void)state;
	for (unsigned lap = 0; lap < 50; lap++) {
		u16 first = drv_add(&t.d, a, 2), second = drv_add(&t.d, b, 1);
		struct vq_cursor w;

		assert_true(vq_pop(&t.q, &t.c));
		assert_true(vq_pop(&t.q, &t.c2));
		w = vq_writable(&t.c2);
		assert_int_equal(vq_zero(&w, 3), OK);
		vq_push(&t.q, &t.c2);
		drv_expect(&t.d, second, 3);
		vq_push(&t.q, &t.c);
		drv_expect(&t.d, first, 0);
	}
}

/* The used length is what was written from the start on, whatever the device believes (38). */
static void used_length_never_lies(void **state)
{
	struct buf b[] = { { DATA, 8, true }, { DATA + 0x100, 8, true } };
	struct vq_cursor w, later;
	u16 id;

	(void)state;
	id = drv_add(&t.d, b, 2);
	assert_true(vq_pop(&t.q, &t.c));
	w = vq_writable(&t.c);
	later = w;
	vq_skip(&later, 12);
	assert_int_equal(later.left, 4);
	assert_int_equal(vq_write(&later, "wxyz", 4), OK); /* a gap before it */
	assert_int_equal(t.c.written, 0);
	assert_int_equal(vq_write(&w, "ab", 2), OK);
	assert_int_equal(vq_zero(&w, 5), OK);
	assert_int_equal(vq_write(&w, "0123456789", 10), ERR_RANGE);
	vq_push(&t.q, &t.c);
	drv_expect(&t.d, id, 7);
	assert_memory_equal(ram(DATA), "ab\0\0\0\0\0", 7);
	assert_memory_equal(ram(DATA + 0x104), "wxyz", 4);
}

static void cursors_stay_in_their_part(void **state)
{
	struct buf b[] = { { DATA, 8, false }, { DATA + 0x100, 8, true } };
	struct vq_cursor cur;
	u8 buf[16];

	(void)state;
	drv_add(&t.d, b, 2);
	memset(ram(DATA + 0x100), 0xee, 16);
	assert_true(vq_pop(&t.q, &t.c));
	cur = vq_readable(&t.c);
	assert_int_equal(cur.left, 8);
	assert_int_equal(vq_read(&cur, buf, 9), ERR_RANGE);
	vq_skip(&cur, 100);
	assert_int_equal(cur.left, 0);
	assert_int_equal(vq_read(&cur, buf, 0), OK);
	assert_int_equal(vq_read(&cur, buf, 1), ERR_RANGE);
	cur = vq_writable(&t.c);
	assert_int_equal(vq_zero(&cur, 9), ERR_RANGE);
	assert_int_equal(vq_zero(&cur, 8), OK);
	assert_int_equal(vq_zero(&cur, 1), ERR_RANGE);
	assert_int_equal(*(u8 *)ram(DATA + 0x108), 0xee);
}

static void indirect_tables(void **state)
{
	static const u16 lengths[] = { 1, 2, 17, 255, 256 };

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(lengths); k++) {
		struct buf b[256];
		u16 n = lengths[k], id;

		for (u16 i = 0; i < n; i++)
			b[i] = (struct buf){ DATA + i * 0x10u, 4, i >= n / 2 };
		id = drv_add_indirect(&t.d, b, n, TABLE);
		assert_true(vq_pop(&t.q, &t.c));
		assert_int_equal(t.c.segs, n);
		assert_int_equal(t.c.readable, n / 2);
		assert_int_equal(t.c.places, 1);
		assert_int_equal(t.c.seg[n - 1].gpa.v, b[n - 1].addr);
		vq_push(&t.q, &t.c);
		drv_expect(&t.d, id, 0);
	}
}

/* 2.7.5.3.2: direct descriptors, then a table. The WRITE flag of the reference means nothing. */
static void a_split_chain_may_end_in_a_table(void **state)
{
	struct vring_desc *table = ram(TABLE);

	(void)state;
	drv_write(&t.d, 3, DATA, 4, VRING_DESC_F_NEXT, 9);
	drv_write(&t.d, 9, DATA + 16, 4, VRING_DESC_F_NEXT, 1);
	drv_write(&t.d, 1, TABLE, 48, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	table[0] = (struct vring_desc){ DATA + 32, 4, VRING_DESC_F_NEXT, 2 };
	table[2] = (struct vring_desc){ DATA + 48, 4, VRING_DESC_F_WRITE, 0 };
	drv_offer(&t.d, 3);
	assert_true(vq_pop(&t.q, &t.c));
	assert_int_equal(t.c.segs, 4);
	assert_int_equal(t.c.readable, 3);
	assert_int_equal(t.c.id, 3);
	assert_int_equal(t.c.seg[3].gpa.v, DATA + 48);
}

static void buffers_may_cross_borders_of_memory(void **state)
{
	/* A border of 2 MB chunks, the last byte of RAM, the byte before the hole. */
	struct buf b[] = { { 2 * MB - 3, 6, false }, { RAM_SIZE - 1, 1, false },
		{ 0xa0000 - 1, 1, true }, { 4 * GB, 2 * MB, true } };

	(void)state;
	drv_add(&t.d, b, 4);
	assert_true(vq_pop(&t.q, &t.c));
}

/* ---- notifications ---- */

static void no_interrupt_flag(void **state)
{
	(void)state;
	assert_false(vq_signal(&t.q)); /* nothing was pushed */
	round_trip();
	assert_true(vq_signal(&t.q));
	assert_false(vq_signal(&t.q)); /* said once */
	drv_no_signal(&t.d, true);
	round_trip();
	assert_false(vq_signal(&t.q));
	drv_no_signal(&t.d, false);
	assert_false(vq_signal(&t.q));
	round_trip();
	assert_true(vq_signal(&t.q));
}

/*
 * For every batch size and every event index, at many places of the ring and across its end: an
 * interrupt exactly if the chain that the driver waits for is in the batch.
 */
static void event_index_for_interrupts(void **state)
{
	bool packed = t.d.packed;
	struct buf b = { DATA, 4, true };
	u16 id;
	u32 len;

	(void)state;
	start(packed ? 7 : 8, packed, true);
	if (!packed) {
		/* Near the wrap of the 16-bit indices too. */
		for (unsigned i = 0; i < 65530; i++) {
			drv_add(&t.d, &b, 1);
			assert_true(vq_pop(&t.q, &t.c));
			vq_push(&t.q, &t.c);
			assert_true(drv_get(&t.d, &id, &len));
		}
		(void)!vq_signal(&t.q);
	}
	for (unsigned lap = 0; lap < 20; lap++)
		for (u16 batch = 1; batch <= t.d.size; batch++)
			for (u16 after = 0; after < t.d.size; after++) {
				drv_want_signal(&t.d, after);
				for (u16 i = 0; i < batch; i++)
					drv_add(&t.d, &b, 1);
				for (u16 i = 0; i < batch; i++) {
					assert_true(vq_pop(&t.q, &t.c));
					vq_push(&t.q, &t.c);
				}
				assert_int_equal(vq_signal(&t.q), after < batch);
				while (drv_get(&t.d, &id, &len))
					;
			}
}

/* A chain of one descriptor there and back. */
static void one_writable(void)
{
	u16 id = drv_raw(&t.d, DATA, 4, VRING_DESC_F_WRITE);

	assert_true(vq_pop(&t.q, &t.c));
	vq_push(&t.q, &t.c);
	drv_expect(&t.d, id, 0);
}

/* An event index in the past, or more pushes than the ring has places without a look: no miss. */
static void unsaid_chains_add_up(void **state)
{
	bool packed = t.d.packed;

	(void)state;
	start(4, packed, true);
	drv_want_signal(&t.d, 1);
	for (unsigned i = 0; i < 9; i++)
		one_writable();
	assert_true(vq_signal(&t.q));
	drv_want_signal(&t.d, 2);
	one_writable();
	assert_false(vq_signal(&t.q));
	one_writable();
	assert_false(vq_signal(&t.q));
	one_writable();
	assert_true(vq_signal(&t.q));
}

static void kicks_are_wanted_or_not(void **state)
{
	bool packed = t.d.packed;
	struct buf b = { DATA, 4, true };
	u16 id[3];

	(void)state;
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		start(5 + !packed * 3, packed, event_idx);
		for (unsigned lap = 0; lap < 40; lap++) {
			vq_no_kicks(&t.q);
			id[0] = drv_add(&t.d, &b, 1);
			if (!event_idx || lap)
				assert_false(drv_kick(&t.d));
			assert_true(vq_want_kicks(&t.q)); /* it came without a kick */
			serve();
			t.d.added = 0;
			assert_false(vq_want_kicks(&t.q));
			id[1] = drv_add(&t.d, &b, 1);
			assert_true(drv_kick(&t.d));
			id[2] = drv_add(&t.d, &b, 1);
			if (event_idx)
				assert_false(drv_kick(&t.d)); /* one was enough */
			serve();
			serve();
			for (unsigned i = 0; i < ARRAY_SIZE(id); i++)
				drv_expect(&t.d, id[i], 0);
		}
	}
}

/* ---- what no conforming driver does; numbers: of the list of hostile inputs ---- */

/* 1, 2, 19 */
static void split_index_jumps(void **state)
{
	static const u16 jumps[] = { SIZE + 1, SIZE + 2, 0x7fff, 0x8000, 0xffff, 0xfff0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(jumps); i++) {
		round_trip();
		drv_set_avail(&t.d, (u16)(t.d.avail + jumps[i]));
		expect_broken("available index");
	}
	/* The same, while chains are with the device: more than the ring has. */
	for (unsigned i = 0; i < 3; i++) {
		drv_raw(&t.d, DATA, 4, 0);
		assert_true(vq_pop(&t.q, &t.c));
	}
	drv_set_avail(&t.d, (u16)(t.d.avail + SIZE - 2));
	expect_broken("available index");
}

static void requests_never_exceed_the_ring(void **state)
{
	unsigned n = 0;

	(void)state;
	while (t.d.room)
		drv_raw(&t.d, DATA, 4, 0);
	while (vq_pop(&t.q, &t.c))
		n++;
	assert_int_equal(n, SIZE);
	if (t.d.packed) {
		/* The next lap's descriptors, though none was given back. */
		for (unsigned i = 0; i < SIZE; i++)
			drv_packed_add(&t.d, DATA, 4, 0, 0);
		assert_false(vq_pop(&t.q, &t.c));
		assert_false(vq_want_kicks(&t.q));
		assert_int_equal(t.broken, 0);
	} else {
		drv_offer(&t.d, 0);
		expect_broken("available index");
	}
}

/* 3 */
static void split_head_out_of_range(void **state)
{
	static const u16 heads[] = { SIZE, SIZE + 1, 0x8000, 0xffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(heads); i++) {
		drv_offer(&t.d, heads[i]);
		expect_broken("of a table of 16");
	}
}

/* 4, 5 */
static void split_next_leads_nowhere(void **state)
{
	static const u16 nexts[] = { 0 /* itself */, 2 /* 0 -> 2 -> 0 */, SIZE, 0xffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(nexts); i++) {
		drv_write(&t.d, 0, DATA, 4, VRING_DESC_F_NEXT, nexts[i]);
		drv_write(&t.d, 2, DATA, 4, VRING_DESC_F_NEXT, 0);
		drv_offer(&t.d, 0);
		expect_broken(nexts[i] < SIZE ? "does not end" : "of a table of 16");
	}
}

/* 5, 18: a ring full of NEXT, and chains that take places that are not theirs */
static void packed_chain_without_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIZE; i++)
		drv_packed_add(&t.d, DATA, 4, VRING_DESC_F_NEXT, 0);
	expect_broken("longer than what is free");
	drv_raw(&t.d, DATA, 4, 0);
	assert_true(vq_pop(&t.q, &t.c));
	for (unsigned i = 0; i < SIZE; i++)
		drv_packed_add(&t.d, DATA, 4, VRING_DESC_F_NEXT, 0);
	expect_broken("longer than what is free");
}

/* 5, 6, 18 */
static void split_loops_in_a_table(void **state)
{
	struct vring_desc *table = ram(TABLE);

	(void)state;
	for (u32 entries = 1; entries <= 1024; entries *= 2) {
		for (u32 i = 0; i < entries; i++)
			table[i] = (struct vring_desc){ DATA, 4, VRING_DESC_F_NEXT,
				(u16)((i + 1) % entries) };
		drv_raw(&t.d, TABLE, entries * 16, VRING_DESC_F_INDIRECT);
		expect_broken(entries > 256 ? "more than 256 segments" : "does not end");
	}
	table[0] = (struct vring_desc){ DATA, 4, VRING_DESC_F_NEXT, 2 };
	drv_raw(&t.d, TABLE, 32, VRING_DESC_F_INDIRECT);
	expect_broken("descriptor 2 of a table of 2");
}

static void packed_table_too_long(void **state)
{
	struct vring_packed_desc *table = ram(TABLE);

	(void)state;
	for (u32 i = 0; i < 1024; i++)
		table[i] = (struct vring_packed_desc){ DATA, 4, 0, 0 };
	drv_raw(&t.d, TABLE, 257 * 16, VRING_DESC_F_INDIRECT);
	expect_broken("more than 256 segments");
}

/* 6, 7 */
static void nested_tables(void **state)
{
	(void)state;
	/* A table whose only entry is a table: itself. */
	if (t.d.packed)
		*(struct vring_packed_desc *)ram(TABLE) =
			(struct vring_packed_desc){ TABLE, 16, 0, VRING_DESC_F_INDIRECT };
	else
		*(struct vring_desc *)ram(TABLE) =
			(struct vring_desc){ TABLE, 16, VRING_DESC_F_INDIRECT, 0 };
	drv_raw(&t.d, TABLE, 16, VRING_DESC_F_INDIRECT);
	expect_broken("in an indirect table");
}

/* 8, 9 */
static void table_lengths(void **state)
{
	static const u32 lengths[] = { 0, 1, 15, 17, 0xffffffff, 0xfffffff1 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		drv_raw(&t.d, TABLE, lengths[i], VRING_DESC_F_INDIRECT);
		expect_broken("an indirect table of");
	}
	/* A multiple of 16, and larger than memory: what matters is what the walk meets. */
	*(struct vring_packed_desc *)ram(RAM_SIZE - 16) =
		(struct vring_packed_desc){ DATA, 4, 0, 0 };
	if (!t.d.packed)
		*(struct vring_desc *)ram(RAM_SIZE - 16) =
			(struct vring_desc){ DATA, 4, VRING_DESC_F_NEXT, 1 };
	drv_raw(&t.d, RAM_SIZE - 16, 0xfffffff0, VRING_DESC_F_INDIRECT);
	expect_broken("not in memory");
	drv_raw(&t.d, ~0ul - 15, 32, VRING_DESC_F_INDIRECT);
	expect_broken("not in memory");
	drv_raw(&t.d, 0xa0000, 16, VRING_DESC_F_INDIRECT);
	expect_broken("not in memory");
}

/* 10 */
static void indirect_and_next(void **state)
{
	(void)state;
	drv_raw(&t.d, TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT);
	expect_broken("with a next one");
}

static void indirect_without_the_feature(void **state)
{
	struct vq_config cfg = config();

	(void)state;
	cfg.indirect = false;
	assert_int_equal(vq_enable(&t.q, &cfg), OK);
	*(struct vring_desc *)ram(TABLE) = (struct vring_desc){ DATA, 4, 0, 0 };
	drv_raw(&t.d, TABLE, 16, VRING_DESC_F_INDIRECT);
	expect_broken("not negotiated");
}

/* In a packed ring a table stands alone (2.8.19). */
static void packed_table_behind_a_descriptor(void **state)
{
	(void)state;
	drv_packed_add(&t.d, DATA, 4, VRING_DESC_F_NEXT, 0);
	drv_packed_add(&t.d, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	expect_broken("in an indirect table");
}

/* 11, 12 */
static void descriptors_of_length_0(void **state)
{
	struct buf b[3] = { { DATA, 4, false }, { DATA, 0, false }, { DATA, 4, true } };

	(void)state;
	drv_raw(&t.d, DATA, 0, 0);
	expect_broken("length 0");
	drv_raw(&t.d, DATA, 0, VRING_DESC_F_WRITE);
	expect_broken("length 0");
	drv_add(&t.d, b, 3);
	expect_broken("length 0");
	drv_add_indirect(&t.d, b, 3, TABLE);
	expect_broken("length 0");
}

/* 13, 14, 15 */
static void memory_that_is_not_there(void **state)
{
	static const struct {
		u64 addr;
		u32 len;
	} bad[] = {
		{ DATA, 0xffffffff },
		{ RAM_SIZE, 1 },
		{ RAM_SIZE - 1, 2 },
		{ RAM_SIZE - 4096, 8192 },
		{ 0xfee00000, 4 },
		{ 0xc0000000, 4096 },
		{ 0xa0000, 1 },
		{ 0x9ffff, 2 },
		{ ~0ul, 1 },
		{ ~0ul, 2 },
		{ ~0ul - 0xfff, 0x2000 },
		{ 4 * GB - 1, 2 },
		{ 4 * GB + 2 * MB - 1, 2 },
		{ 1ul << 52, 4096 },
		{ 1ul << 63, 0xffffffff },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		drv_raw(&t.d, bad[i].addr, bad[i].len, i % 2 ? VRING_DESC_F_WRITE : 0);
		expect_broken("which is not all memory");
	}
}

/* 13: many times the same memory, over 4 GB in sum */
static void more_than_4_gb(void **state)
{
	struct guestmem small = gm;
	struct buf b[256];

	(void)state;
	guestmem_destroy(&small);
	gm = (struct guestmem){ 0 };
	assert_int_equal(guestmem_add(&gm, GPA(0), 32 * MB), OK);
	start(SIZE, t.d.packed, false);
	for (unsigned i = 0; i < 256; i++)
		b[i] = (struct buf){ DATA, 17 * MB, true };
	drv_add_indirect(&t.d, b, 256, TABLE);
	expect_broken("more than 4 GB");
}

/* 16 */
static void readable_behind_writable(void **state)
{
	struct buf b[] = { { DATA, 4, true }, { DATA, 4, false } };

	(void)state;
	drv_add(&t.d, b, 2);
	expect_broken("behind a writable one");
	drv_add_indirect(&t.d, b, 2, TABLE);
	expect_broken("behind a writable one");
}

/* 23, 24, 25 */
static void rings_that_cannot_be(void **state)
{
	bool packed = t.d.packed;
	const struct {
		u16 size;
		u64 desc, driver, device;
		const char *why;
	} bad[] = {
		{ 0, RINGS, RINGS + 0x2000, RINGS + 0x3000, "a ring of 0 places" },
		{ 257, RINGS, RINGS + 0x2000, RINGS + 0x3000, "a ring of 257 places" },
		{ 0x8000, RINGS, RINGS + 0x2000, RINGS + 0x3000, "a ring of 32768 places" },
		{ 0xffff, RINGS, RINGS + 0x2000, RINGS + 0x3000, "a ring of 65535 places" },
		{ SIZE, RINGS + 8, RINGS + 0x2000, RINGS + 0x3000, "misaligned" },
		{ SIZE, RINGS, RINGS + 0x2001, RINGS + 0x3000, "misaligned" },
		{ SIZE, RINGS, RINGS + 0x2000, RINGS + 0x3002, "misaligned" },
		{ SIZE, RAM_SIZE, RINGS, RINGS + 0x3000, "not all memory" },
		{ SIZE, RAM_SIZE - 16, RINGS, RINGS + 0x3000, "not all memory" },
		{ SIZE, RINGS, 0xfee00000, RINGS + 0x3000, "not all memory" },
		{ SIZE, RINGS, RINGS + 0x2000, 0xa0000, "not all memory" },
		{ SIZE, RINGS, RINGS + 0x2000, RAM_SIZE, "not all memory" },
		{ SIZE, ~0xful, RINGS, RINGS + 0x3000, "not all memory" },
		{ SIZE, RINGS, ~3ul, RINGS + 0x3000, "not all memory" },
		{ SIZE, RINGS, RINGS + 0x2000, RINGS + 0xf0, "lies over the descriptor area" },
		{ SIZE, RINGS, RINGS, RINGS + 0x3000, "lies over the descriptor area" },
		{ SIZE, RINGS, RINGS + 0x2000, RINGS + 0x2000, "lies over the driver area" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vq_config cfg = config();

		cfg.size = bad[i].size;
		cfg.desc = GPA(bad[i].desc);
		cfg.driver = GPA(bad[i].driver);
		cfg.device = GPA(bad[i].device);
		assert_int_equal(vq_enable(&t.q, &cfg), ERR_INVAL);
		expect_broken(bad[i].why);
	}
	/* No power of two: only packed rings may be so. */
	struct vq_config cfg = config();

	cfg.size = 3;
	assert_int_equal(vq_enable(&t.q, &cfg), packed ? OK : ERR_INVAL);
	if (!packed)
		expect_broken("a ring of 3 places");
}

/* 24: areas that touch but do not overlap are fine; event indices take room if negotiated. */
static void rings_side_by_side(void **state)
{
	struct vq_config cfg = config();
	bool packed = t.d.packed;

	(void)state;
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		u64 len = packed ? 4 : 4 + SIZE * 2u + event_idx * 2;

		cfg.event_idx = event_idx;
		cfg.driver = GPA(cfg.desc.v + SIZE * 16);
		cfg.device = GPA(ALIGN_UP(cfg.driver.v + len, 4));
		assert_int_equal(vq_enable(&t.q, &cfg), OK);
		assert_int_equal(t.broken, 0);
		cfg.device = GPA(cfg.device.v - 4);
		assert_int_equal(vq_enable(&t.q, &cfg), ERR_INVAL);
		t.broken = 0;
		/* Up to the last byte of memory. */
		cfg.device =
			GPA(RAM_SIZE - (packed ? 4 : ALIGN_UP(4 + SIZE * 8 + event_idx * 2, 4)));
		assert_int_equal(vq_enable(&t.q, &cfg), OK);
		cfg.device = GPA(cfg.device.v + 4);
		assert_int_equal(vq_enable(&t.q, &cfg), ERR_INVAL);
		t.broken = 0;
	}
}

/* The rings' memory goes away while they are in use, as a balloon may take it. */
static void rings_vanish(void **state)
{
	bool packed = t.d.packed;
	unsigned slots = gm.slots;

	(void)state;
	for (unsigned step = 0; step < 4; step++) {
		drv_raw(&t.d, DATA, 4, VRING_DESC_F_WRITE);
		drv_raw(&t.d, DATA, 4, VRING_DESC_F_WRITE);
		assert_true(vq_pop(&t.q, &t.c));
		gm.slots = 0;
		switch (step) {
		case 0: assert_false(vq_pop(&t.q, &t.c)); break;
		case 1: vq_push(&t.q, &t.c); break;
		case 2: (void)!vq_want_kicks(&t.q); break;
		default: {
			struct vq_cursor w = vq_writable(&t.c);

			assert_int_equal(vq_zero(&w, 4), ERR_RANGE);
			assert_int_equal(t.broken, 0);
			vq_no_kicks(&t.q);
		}
		}
		gm.slots = slots;
		if (packed)
			t.d.used_wrap = !t.d.used_wrap; /* nothing is to be seen in the ring */
		expect_broken("no longer in memory");
	}
}

/* What was popped and not used is available again, across the end of the ring, too. */
static void rewinding(void **state)
{
	u16 id, got;
	u32 len;

	(void)state;
	for (unsigned round = 0; round < 3 * SIZE; round++) {
		struct vq_mark mark = vq_mark(&t.q);

		id = drv_raw(&t.d, DATA, 16, VRING_DESC_F_WRITE);
		drv_raw(&t.d, DATA, 16, VRING_DESC_F_WRITE);
		for (unsigned again = 0; again < 3; again++) {
			assert_true(vq_pop(&t.q, &t.c));
			assert_int_equal(t.c.id, id);
			assert_true(vq_pop(&t.q, &t.c));
			assert_false(vq_pop(&t.q, &t.c));
			vq_rewind(&t.q, &mark);
			assert_int_equal(t.q.taken, 0);
		}
		for (unsigned i = 0; i < 2; i++) {
			assert_true(vq_pop(&t.q, &t.c));
			vq_push(&t.q, &t.c);
			assert_true(drv_get(&t.d, &got, &len));
		}
	}
	assert_int_equal(t.broken, 0);
}

/* Several at once, in order, each with its length. */
static void pushed_together(void **state)
{
	struct vq_done done[3];
	u16 id[3], got;
	u32 len;

	(void)state;
	for (unsigned round = 0; round < 3 * SIZE; round++) {
		for (unsigned i = 0; i < 3; i++)
			id[i] = drv_raw(&t.d, DATA + 64 * i, 16, VRING_DESC_F_WRITE);
		for (unsigned i = 0; i < 3; i++) {
			struct vq_cursor w;

			assert_true(vq_pop(&t.q, &t.c));
			w = vq_writable(&t.c);
			assert_int_equal(vq_zero(&w, i), OK);
			done[i] = vq_done(&t.c);
			assert_false(drv_get(&t.d, &got, &len));
		}
		vq_push_all(&t.q, done, 3);
		for (u32 i = 0; i < 3; i++) {
			assert_true(drv_get(&t.d, &got, &len));
			assert_int_equal(got, id[i]);
			assert_int_equal(len, i);
		}
	}
	vq_push_all(&t.q, done, 0);
	assert_int_equal(t.q.chains, 9 * SIZE);
}

/* ---- 39: another processor writes to the rings meanwhile ---- */

static volatile bool stop_scribbling;

static void *scribble(void *arg)
{
	unsigned seed = 1;
	volatile u16 *flags[SIZE], *next[SIZE];
	volatile u32 *len[SIZE];

	(void)arg;
	for (u16 i = 0; i < SIZE; i++) {
		flags[i] = t.d.packed ? &drv_packed(&t.d, i)->flags : &drv_desc(&t.d, i)->flags;
		next[i] = t.d.packed ? &drv_packed(&t.d, i)->id : &drv_desc(&t.d, i)->next;
		len[i] = t.d.packed ? &drv_packed(&t.d, i)->len : &drv_desc(&t.d, i)->len;
	}
	while (!stop_scribbling) {
		unsigned i = (unsigned)rand_r(&seed) % SIZE;

		*next[i] = (u16)(rand_r(&seed) % (SIZE + 2));
		*len[i] = rand_r(&seed) % 3 ? 16 : 0xffff0000;
		*flags[i] = (u16)(*flags[i] ^ (1 << rand_r(&seed) % 3));
	}
	return NULL;
}

static void chains_are_sound_whatever_happens(void **state)
{
	bool packed = t.d.packed;
	pthread_t other;
	unsigned popped = 0, broke = 0;

	(void)state;
	stop_scribbling = false;
	assert_int_equal(pthread_create(&other, NULL, scribble, NULL), 0);
	for (unsigned round = 0; round < 3000; round++) {
		drv_init(&t.d, RINGS, SIZE, packed, false);
		for (unsigned i = 0; i < SIZE; i++)
			drv_raw(&t.d, DATA, 16, i % 4 ? VRING_DESC_F_NEXT : 0);

		struct vq_config cfg = config();

		assert_int_equal(vq_enable(&t.q, &cfg), OK);
		while (vq_pop(&t.q, &t.c)) {
			popped++;
			assert_in_range(t.c.segs, 1, VQ_SEGS_MAX);
			assert_in_range(t.c.readable, 0, t.c.segs);
			for (unsigned i = 0; i < t.c.segs; i++)
				assert_true(guest_is_ram(&gm, t.c.seg[i].gpa, t.c.seg[i].len) &&
					    t.c.seg[i].len);
			if (round % 2)
				vq_push(&t.q, &t.c);
		}
		assert_in_range(t.broken, 0, 1);
		broke += t.broken;
		t.broken = 0;
	}
	stop_scribbling = true;
	pthread_join(other, NULL);
	assert_true(popped > 0 && broke > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(data_goes_both_ways),
		BOTH(chains_of_every_shape),
		BOTH(many_laps),
		BOTH(chains_may_be_pushed_in_any_order),
		BOTH(used_length_never_lies),
		BOTH(cursors_stay_in_their_part),
		BOTH(indirect_tables),
		SPLIT(a_split_chain_may_end_in_a_table),
		BOTH(buffers_may_cross_borders_of_memory),
		BOTH(no_interrupt_flag),
		BOTH(event_index_for_interrupts),
		BOTH(unsaid_chains_add_up),
		BOTH(kicks_are_wanted_or_not),
		SPLIT(split_index_jumps),
		BOTH(requests_never_exceed_the_ring),
		SPLIT(split_head_out_of_range),
		SPLIT(split_next_leads_nowhere),
		PACKED(packed_chain_without_end),
		SPLIT(split_loops_in_a_table),
		PACKED(packed_table_too_long),
		BOTH(nested_tables),
		BOTH(table_lengths),
		BOTH(indirect_and_next),
		BOTH(indirect_without_the_feature),
		PACKED(packed_table_behind_a_descriptor),
		BOTH(descriptors_of_length_0),
		BOTH(memory_that_is_not_there),
		BOTH(more_than_4_gb),
		BOTH(readable_behind_writable),
		BOTH(rings_that_cannot_be),
		BOTH(rings_side_by_side),
		BOTH(rings_vanish),
		BOTH(rewinding),
		BOTH(pushed_together),
		BOTH(chains_are_sound_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
