/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of guest rings against a driver that breaks each of the rules: what it writes never
 * harms more than its queue, and the queue works again after a reset.
 *
 * Sources: virtio/queue.c virtio/chain.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/virtio_queue_util.h"

#include <pthread.h>

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
	start_other(t.d.packed);
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

/* ---- 39: another processor writes to the rings meanwhile ---- */

static volatile bool stop_scribbling;

#define ENTRIES 4 /* of the table that is at DATA when a descriptor is made indirect */

/* An entry of the table: its place may be no memory, and it may lead anywhere. */
static void scribble_entry(volatile struct vring_desc *e, unsigned *seed)
{
	e->addr = rand_r(seed) % 8 ? DATA : ~0ul - (unsigned)rand_r(seed) % 64;
	e->len = rand_r(seed) % 4 ? 16 : (u32)rand_r(seed);
	e->flags = (u16)(rand_r(seed) % 8);
	e->next = (u16)(rand_r(seed) % (ENTRIES + 2));
}

/* The index of the driver, a little ahead now and then, and what it makes available. */
static void scribble_avail(volatile struct vring_avail *a, unsigned *seed)
{
	a->ring[rand_r(seed) % SIZE] = (u16)(rand_r(seed) % (SIZE + 2));
	if (!(rand_r(seed) % 64))
		a->idx = (u16)(a->idx + rand_r(seed) % 3);
}

static void *scribble(void *arg)
{
	volatile struct vring_desc *table = ram(DATA);
	volatile struct vring_avail *avail = t.d.packed ? NULL : drv_avail(&t.d);
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
		*len[i] = rand_r(&seed) % 3 ? 16u << rand_r(&seed) % 3 : 0xffff0000;
		*flags[i] = (u16)(*flags[i] ^ (1 << rand_r(&seed) % 3));
		scribble_entry(&table[i % ENTRIES], &seed);
		if (avail)
			scribble_avail(avail, &seed);
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
		BOTH(chains_are_sound_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
