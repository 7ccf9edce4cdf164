/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk over a back end that takes its time: requests under way on all queues, answers late
 * and out of order, flushes, resets and broken queues in between.
 *
 * Sources: virtio/blk.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/cpu/timer.c hv/dev/pci.c hv/dev/msix.c
 * hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/virtio_blk_util.h"

#define DEPTH 3

static struct {
	struct blk_backend b;
	struct blk_io *io[16];
	unsigned under_way, most, destroyed;
} slow;

static void finish_one(unsigned i, bool ok)
{
	struct blk_io *io = slow.io[i];

	slow.io[i] = slow.io[--slow.under_way];
	if (ok && io->op == BLK_READ)
		ok = io->data->fill(io, NULL, io->range[0].sectors * BLK_SECTOR) == OK;
	io->done(io, ok);
}

static void slow_submit(struct blk_backend *b, struct blk_io *io)
{
	assert_ptr_equal(b, &slow.b);
	assert_in_range(slow.under_way, 0, DEPTH - 1);
	slow.io[slow.under_way++] = io;
	slow.most = MAX(slow.most, slow.under_way);
}

static void slow_drain(struct blk_backend *b)
{
	(void)b;
	while (slow.under_way)
		finish_one(0, true);
}

static void slow_destroy(struct blk_backend *b)
{
	(void)b;
	assert_int_equal(slow.under_way, 0);
	slow.destroyed++;
}

static const struct blk_backend_ops slow_ops = {
	.submit = slow_submit,
	.drain = slow_drain,
	.destroy = slow_destroy,
};

static int setup_slow(void **state)
{
	(void)state;
	memset(&slow, 0, sizeof(slow));
	slow.b = (struct blk_backend){ .ops = &slow_ops, .sectors = 1000, .depth = DEPTH };
	return setup_memory() || attach(&slow.b, true);
}

static u16 submit_read(u16 queue)
{
	return submit(queue, VIRTIO_BLK_T_IN, 0, 512, true, 512);
}

static void late_and_out_of_order(void **state)
{
	u16 a, b, id;
	u32 len;

	(void)state;
	start();
	a = submit_read(0);
	b = submit_read(1);
	assert_false(p.line);
	finish_one(1, true);
	assert_true(p.line);
	bus_read(&p.mmio, p.isr, 1);
	expect_done(1, b);
	assert_false(drv_get(&t.d[0], &id, &len));
	finish_one(0, false);
	assert_true(p.line);
	assert_int_equal(expect_done(0, a), 0);
	assert_int_equal(*(u8 *)ram(STATUS), VIRTIO_BLK_S_IOERR);
}

/* 19: more requests than the back end takes wait in their rings, those of other queues too. */
static void more_than_it_can_take(void **state)
{
	unsigned done = 0;
	u16 id;
	u32 len;

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		start_with(VERSION_1 | (packed ? BIT(VIRTIO_F_RING_PACKED) : 0));
		for (unsigned i = 0; i < 40; i++)
			submit_read(i % QUEUES);
		for (done = 0; slow.under_way; done++)
			finish_one(done % slow.under_way, true);
		assert_int_equal(done, 40);
		assert_int_equal(slow.most, DEPTH);
		for (unsigned i = 0; i < 40; i++)
			assert_true(drv_get(&t.d[i % QUEUES], &id, &len));
		/* And kicks are wanted again. */
		submit_read(3);
		assert_int_equal(slow.under_way, 1);
		finish_one(0, true);
		assert_true(drv_get(&t.d[3], &id, &len));
	}
}

/* Of many requests the driver hears when half of them are done, and when the last one is. */
static void told_in_bulk(void **state)
{
	u16 id;
	u32 len;

	(void)state;
	start_with(VERSION_1 | BIT(VIRTIO_F_RING_PACKED));
	for (unsigned i = 0; i < DEPTH; i++)
		submit_read(i % 2);
	finish_one(0, true);
	assert_false(p.line);
	assert_true(drv_get(&t.d[0], &id, &len)); /* it is there for who looks */
	finish_one(0, true);
	assert_true(p.line);
	bus_read(&p.mmio, p.isr, 1);
	assert_false(p.line);
	finish_one(0, false);
	assert_true(p.line);
	bus_read(&p.mmio, p.isr, 1);
	/* Nothing is left unsaid by a reset. */
	for (unsigned i = 0; i < DEPTH; i++)
		submit_read(0);
	finish_one(0, true);
	set_status(0);
	start_with(VERSION_1);
	submit_read(0);
	assert_false(p.line);
	finish_one(0, true);
	assert_true(p.line);
}

/* 28: after the reset nothing of the old driver's is written to, and all requests are free. */
static void reset_in_flight(void **state)
{
	u16 id;
	u32 len;

	(void)state;
	start();
	for (unsigned i = 0; i < 10; i++)
		submit_read(0);
	assert_int_equal(slow.under_way, DEPTH);
	set_status(0);
	assert_int_equal(slow.under_way, 0);
	assert_false(drv_get(&t.d[0], &id, &len));
	assert_int_equal(*(u8 *)ram(STATUS), NONE);
	start();
	for (unsigned i = 0; i < DEPTH; i++)
		submit_read(0);
	assert_int_equal(slow.under_way, DEPTH);
	slow_drain(&slow.b);
	for (unsigned i = 0; i < DEPTH; i++)
		assert_true(drv_get(&t.d[0], &id, &len));
}

/* The queue breaks while requests are under way: they end, unseen. */
static void broken_in_flight(void **state)
{
	u16 id;
	u32 len;

	(void)state;
	start();
	submit_read(0);
	submit_read(1);
	drv_raw(&t.d[0], DATA, 0, 0);
	kick(0);
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	slow_drain(&slow.b);
	assert_false(drv_get(&t.d[0], &id, &len));
	assert_true(drv_get(&t.d[1], &id, &len));
	start();
	submit_read(0);
	slow_drain(&slow.b);
	assert_true(drv_get(&t.d[0], &id, &len));
}

static void expect_nothing_used(void)
{
	u16 id;
	u32 len;

	assert_false(drv_get(&t.d[0], &id, &len));
}

/* What the driver waits for is the back end's flush, and it hears if that fails. */
static void a_flush_is_the_disks(void **state)
{
	u16 id;

	(void)state;
	start();
	for (unsigned ok = 0; ok < 2; ok++) {
		id = submit(0, VIRTIO_BLK_T_FLUSH, 0, 0, false, 512);
		assert_int_equal(slow.under_way, 1);
		assert_int_equal(slow.io[0]->op, BLK_FLUSH);
		expect_nothing_used();
		finish_one(0, ok);
		expect_done(0, id);
		assert_int_equal(*(u8 *)ram(STATUS), ok ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
	}
}

/* 5.2.6.2: a driver that did not take FLUSH has nothing else to say that its data are to stay. */
static void written_through_without_flush(void **state)
{
	static const u32 types[] = { VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES };
	u16 id;

	(void)state;
	start_with(offered() & ~BIT(VIRTIO_BLK_F_FLUSH));
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		for (unsigned ok = 0; ok < 2; ok++) {
			memset(ram(DATA), 0, 512);
			id = submit(0, types[i], 0, i ? 16 : 512, false, 512);
			assert_int_equal(slow.io[0]->op, i ? BLK_WRITE_ZEROES : BLK_WRITE);
			finish_one(0, true);
			expect_nothing_used();
			assert_int_equal(slow.under_way, 1);
			assert_int_equal(slow.io[0]->op, BLK_FLUSH);
			finish_one(0, ok);
			expect_done(0, id);
			assert_int_equal(
				*(u8 *)ram(STATUS), ok ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
		}
	id = submit(0, VIRTIO_BLK_T_OUT, 0, 512, false, 512);
	finish_one(0, false);
	expect_done(0, id); /* what was not written need not stay */
	id = submit(0, VIRTIO_BLK_T_IN, 0, 512, true, 512);
	finish_one(0, true);
	expect_done(0, id);
	submit(0, VIRTIO_BLK_T_OUT, 0, 512, false, 512);
	set_status(0); /* a reset waits for no flush */
	start();
	id = submit(0, VIRTIO_BLK_T_OUT, 0, 512, false, 512);
	finish_one(0, true);
	expect_done(0, id);
}

/* 39: what was asked for is what stood there when it was fetched. */
static void a_header_that_changes(void **state)
{
	struct virtio_blk_outhdr *h = ram(HEADER);
	u16 id;

	(void)state;
	start();
	id = submit_read(0);
	*h = (struct virtio_blk_outhdr){ .type = VIRTIO_BLK_T_OUT, .sector = ~0ul };
	assert_int_equal(slow.io[0]->op, BLK_READ);
	assert_int_equal(slow.io[0]->range[0].sector, 0);
	finish_one(0, true);
	assert_int_equal(expect_done(0, id), 513);
	assert_int_equal(*(u8 *)ram(STATUS), VIRTIO_BLK_S_OK);
}

/* ---- a driver on several processors ---- */

static struct {
	unsigned left, submits;
} refill;

static void add_flush(void)
{
	struct buf b[] = { { HEADER, 16, false }, { STATUS, 1, true } };

	write_header(VIRTIO_BLK_T_FLUSH, 0);
	drv_add(&t.d[0], b, 2);
}

/* Done at once; the guest's other processor has the next one in the ring by then. */
static void refilled_submit(struct blk_backend *b, struct blk_io *io)
{
	u16 id;
	u32 len;

	(void)b;
	refill.submits++;
	io->done(io, true);
	assert_true(drv_get(&t.d[0], &id, &len));
	if (refill.left) {
		refill.left--;
		add_flush();
	}
}

static const struct blk_backend_ops refilled_ops = {
	.submit = refilled_submit,
	.destroy = slow_destroy,
};

/* Nobody is kept in an exit: the rest of an endless ring comes later, whatever the driver says. */
static void a_ring_that_is_refilled(void **state)
{
	enum {
		REQUESTS = 100000
	};
	unsigned turns = 0;

	(void)state;
	slow.b.ops = &refilled_ops;
	for (unsigned packed = 0; packed < 2; packed++) {
		start_with(VERSION_1 | (packed ? BIT(VIRTIO_F_RING_PACKED) : 0));
		refill.left = REQUESTS - 1;
		refill.submits = 0;
		add_flush();
		kick(0);
		for (turns = 1; t.timers.next != TIMER_NEVER; turns++) {
			unsigned before = refill.submits;

			kick(0);
			assert_int_equal(refill.submits, before);
			assert_in_range(t.timers.next, clock_now + 1, clock_now + HZ / 1000);
			clock_now = t.timers.next;
			timerq_run(&t.timers);
			assert_in_range(refill.submits - before, 0, VIRTIO_TURN);
		}
		assert_int_equal(refill.submits, REQUESTS);
		assert_in_range(turns, REQUESTS / VIRTIO_TURN, REQUESTS);
		assert_true(drv_kick(&t.d[0]));
	}
	refill.left = REQUESTS;
	add_flush();
	kick(0);
	set_status(0); /* and not after a reset */
	assert_int_equal(t.timers.next, TIMER_NEVER);
}

int main(void)
{
#define SLOW(name) cmocka_unit_test_setup_teardown(name, setup_slow, teardown)
	const struct CMUnitTest tests[] = {
		SLOW(late_and_out_of_order),
		SLOW(more_than_it_can_take),
		SLOW(told_in_bulk),
		SLOW(reset_in_flight),
		SLOW(broken_in_flight),
		SLOW(a_flush_is_the_disks),
		SLOW(written_through_without_flush),
		SLOW(a_header_that_changes),
		SLOW(a_ring_that_is_refilled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
