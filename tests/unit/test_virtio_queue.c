/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of guest rings against a driver that keeps the rules.
 *
 * Sources: virtio/queue.c virtio/chain.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/virtio_queue_util.h"

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

/* ---- for devices ---- */

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
		BOTH(rewinding),
		BOTH(pushed_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
