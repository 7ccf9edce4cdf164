/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back end over disks of the machine: long requests in pieces, partitions that end where they
 * end, who may have what, errors on the way, a drain, and a partition that is put to the test.
 *
 * Sources: hv/blk/physical.c hv/blk/trial.c hv/drv/disk.c hv/drv/gpt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/blk/physical.h"
#include "hv/blk/trial.h"
#include "hv/cpu/idle.h"
#include "hv/drv/disk.h"
#include "hv/mem/page.h"
#include "tests/unit/gpt_util.h"
#include "tests/unit/host.h"

#define SECTORS 4096u
#define PART	1000u /* where the second partition starts */
#define PART_N	500u

/* ---- a driver: commands wait until they are let go ---- */

struct mock {
	struct disk disk;
	u8 (*data)[512];
	struct list_node queue;
	unsigned commands, flushes;
	u64 bad;   /* a sector */
	u64 stuck; /* a sector that is never written */
	bool at_once;
};

static struct mock mock[2];

static bool step(struct mock *m)
{
	u8 buf[DISK_BYTES_MAX];
	struct disk_cmd *c;
	bool ok = true;

	if (list_empty(&m->queue))
		return false;
	c = list_entry(m->queue.next, struct disk_cmd, node);
	list_del(&c->node);
	m->commands++;
	m->flushes += c->op == DISK_FLUSH;
	if (c->op == DISK_READ) {
		memcpy(buf, m->data[c->sector], c->sectors * 512ul);
		ok = c->data(c, buf);
	} else if (c->op == DISK_WRITE) {
		ok = c->data(c, buf);
		for (u32 i = 0; ok && i < c->sectors; i++)
			if (c->sector + i != m->stuck)
				memcpy(m->data[c->sector + i], buf + i * 512ul, 512);
	}
	if (m->bad >= c->sector && m->bad < c->sector + c->sectors)
		ok = false;
	c->done(c, ok);
	return true;
}

static void mock_submit(struct disk *d, struct disk_cmd *c)
{
	struct mock *m = container_of(d, struct mock, disk);

	assert_true(c->sector + c->sectors <= SECTORS && c->sectors <= DISK_SECTORS_MAX);
	list_add_tail(&m->queue, &c->node);
}

/* The first one is under way. */
static bool mock_cancel(struct disk *d, struct disk_cmd *c)
{
	struct mock *m = container_of(d, struct mock, disk);

	return m->queue.next != &c->node && disk_take_back(&m->queue, c);
}

static void mock_poll(struct disk *d)
{
	step(container_of(d, struct mock, disk));
}

static const struct disk_ops mock_ops = {
	.name = "mock", .submit = mock_submit, .cancel = mock_cancel, .poll = mock_poll
};

void cpu_idle(u64 deadline)
{
	(void)deadline;
	for (unsigned i = 0; i < ARRAY_SIZE(mock); i++)
		if (step(&mock[i]))
			return;
	fail_msg("nothing to wait for");
}

/* ---- a partition table ---- */

static void partition(
	struct mock *m, unsigned n, u64 first, u64 sectors, const char *name, int uuid)
{
	u8 *e = m->data[2] + n * 128, *h = m->data[1];

	memset(e, 1, 16);
	memset(e + 16, uuid, 16);
	put(e + 32, first, 8);
	put(e + 40, first + sectors - 1, 8);
	for (unsigned i = 0; name[i]; i++)
		put(e + 56 + 2 * i, (u8)name[i], 2);
	memcpy(h, "EFI PART", 8);
	put(h + 12, 92, 4);
	put(h + 24, 1, 8);
	put(h + 40, 34, 8);
	put(h + 48, SECTORS - 34, 8);
	put(h + 72, 2, 8);
	put(h + 80, 128, 4);
	put(h + 84, 128, 4);
	put(h + 88, crc32(m->data[2], 128 * 128), 4);
	put(h + 16, 0, 4);
	put(h + 16, crc32(h, 92), 4);
}

static int setup_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct mock *m = &mock[i];

		m->data = calloc(SECTORS, 512);
		list_init(&m->queue);
		m->bad = m->stuck = ~0ul;
		m->disk = (struct disk){ .ops = &mock_ops, .sectors = SECTORS, .physical_exp = 3 };
		strcpy(m->disk.serial, "S");
		disk_add(&m->disk);
	}
	partition(&mock[0], 0, 100, 900, "root", 0xa0);
	partition(&mock[0], 1, PART, PART_N, "data", 0xa1);
	partition(&mock[1], 0, 100, 100, "root", 0xb0);
	partition(&mock[1], 3, 200, 100, "other", 0xb3);
	physical_init();
	return 0;
}

static int teardown_all(void **state)
{
	(void)state;
	free(mock[0].data);
	free(mock[1].data);
	return 0;
}

/* ---- requests ---- */

struct request {
	struct blk_io io;
	u8 *memory;
	u64 at;
	u64 fail_at; /* what data() refuses; 0: nothing */
	unsigned over;
	bool ok;
};

static enum status take(struct blk_io *io, void *dst, u64 len)
{
	struct request *r = container_of(io, struct request, io);

	if (r->fail_at && r->at + len > r->fail_at)
		return ERR_RANGE;
	memcpy(dst, r->memory + r->at, len);
	r->at += len;
	return OK;
}

static enum status fill(struct blk_io *io, const void *src, u64 len)
{
	struct request *r = container_of(io, struct request, io);

	if (r->fail_at && r->at + len > r->fail_at)
		return ERR_RANGE;
	memcpy(r->memory + r->at, src, len);
	r->at += len;
	return OK;
}

static const struct blk_data_ops data_ops = { take, fill };

static void done(struct blk_io *io, bool ok)
{
	struct request *r = container_of(io, struct request, io);

	r->over++;
	r->ok = ok;
}

static void submit(
	struct request *r, struct blk_backend *b, enum blk_op op, u64 sector, u64 sectors)
{
	u64 fail_at = r->fail_at;
	u8 *memory = r->memory;

	*r = (struct request){ .memory = memory, .fail_at = fail_at };
	r->io = (struct blk_io){ .op = op,
		.ranges = op != BLK_FLUSH,
		.range = { { .sector = sector, .sectors = sectors } },
		.data = &data_ops,
		.done = done };
	b->ops->submit(b, &r->io);
}

static void run(struct mock *m)
{
	while (step(m))
		;
}

static struct blk_backend *open_it(const struct physical_name *name, bool ro, enum status want)
{
	struct blk_backend *b = NULL;
	const char *why = NULL;

	assert_int_equal(physical_open(&b, name, ro, &why), want);
	assert_int_equal(want != OK, why != NULL);
	return b;
}

static const struct physical_name data = { .kind = PHYSICAL_NAME, .partition = "data" };
static const struct physical_name disk0 = { .kind = PHYSICAL_DISK, .disk = 0 };

static void test_names(void **state)
{
	struct physical_name n = { .kind = PHYSICAL_NAME };
	struct blk_backend *b;

	(void)state;
	strcpy(n.partition, "root"); /* on both disks */
	open_it(&n, false, ERR_INVAL);
	strcpy(n.partition, "roo");
	open_it(&n, false, ERR_NOENT);
	strcpy(n.partition, "other");
	b = open_it(&n, false, OK);
	assert_int_equal(b->sectors, 100);
	b->ops->destroy(b);
	n.kind = PHYSICAL_UUID;
	memset(n.uuid, 0xb0, sizeof(n.uuid));
	b = open_it(&n, true, OK);
	assert_true(b->read_only);
	assert_string_equal(b->id, "S");
	b->ops->destroy(b);
	memset(n.uuid, 0xb1, sizeof(n.uuid));
	open_it(&n, false, ERR_NOENT);
	n = (struct physical_name){ .kind = PHYSICAL_DISK, .disk = 1 };
	mock[1].disk.silent = true;
	open_it(&n, false, ERR_NOTSUP);
	mock[1].disk.silent = false;
	n.disk = 2;
	open_it(&n, false, ERR_NOENT);
}

/* One writer, or any number of readers, of each sector. */
static void test_sharing(void **state)
{
	struct physical_name root = { .kind = PHYSICAL_UUID };
	struct blk_backend *b, *c;

	(void)state;
	memset(root.uuid, 0xa0, sizeof(root.uuid));
	b = open_it(&data, false, OK);
	open_it(&data, false, ERR_EXIST);
	open_it(&data, true, ERR_EXIST);
	open_it(&disk0, true, ERR_EXIST);
	open_it(&disk0, false, ERR_EXIST);
	c = open_it(&root, false, OK); /* ends where the other one starts */
	c->ops->destroy(c);
	b->ops->destroy(b);
	b = open_it(&disk0, true, OK);
	c = open_it(&data, true, OK);
	open_it(&root, false, ERR_EXIST);
	c->ops->destroy(c);
	b->ops->destroy(b);
	b = open_it(&disk0, false, OK);
	b->ops->destroy(b);
}

static void test_pieces(void **state)
{
	struct blk_backend *b = open_it(&data, false, OK);
	struct request r = { .memory = malloc(PART_N * 512) };
	u8 *copy = malloc(PART_N * 512);
	unsigned before = mock[0].commands;

	(void)state;
	for (unsigned i = 0; i < PART_N * 512; i++)
		copy[i] = r.memory[i] = (u8)(i * 3 + i / 512);
	submit(&r, b, BLK_WRITE, 0, PART_N);
	assert_int_equal(r.over, 0);
	run(&mock[0]);
	assert_true(r.over == 1 && r.ok);
	assert_int_equal(mock[0].commands - before, DIV_ROUND_UP(PART_N, DISK_SECTORS_MAX));
	assert_memory_equal(mock[0].data[PART], copy, PART_N * 512);
	memset(r.memory, 0, PART_N * 512);
	submit(&r, b, BLK_READ, 3, PART_N - 3);
	run(&mock[0]);
	assert_true(r.over == 1 && r.ok);
	assert_memory_equal(r.memory, copy + 3 * 512, (PART_N - 3) * 512);
	submit(&r, b, BLK_READ, 3, 0); /* nothing at all */
	assert_true(r.over == 1 && r.ok);
	b->ops->destroy(b);
	free(r.memory);
	free(copy);
}

/* What the device should have refused never reaches a neighbour. */
static void test_borders(void **state)
{
	struct blk_backend *b = open_it(&data, false, OK), *ro;
	struct request r = { .memory = malloc(4096) };
	unsigned before = mock[0].commands;
	static const struct {
		u64 sector, sectors;
	} bad[] = { { PART_N, 1 }, { PART_N - 1, 2 }, { ~0ul, 1 }, { ~0ul - PART + 2, 1 },
		{ 0, ~0ul } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		for (enum blk_op op = BLK_READ; op <= BLK_WRITE_ZEROES; op++) {
			if (op == BLK_FLUSH)
				continue;
			submit(&r, b, op, bad[i].sector, bad[i].sectors);
			assert_true(r.over == 1 && !r.ok);
		}
	submit(&r, b, BLK_DISCARD, 0, 1);
	assert_true(r.over == 1 && !r.ok);
	b->ops->destroy(b);
	ro = open_it(&data, true, OK);
	submit(&r, ro, BLK_WRITE, 0, 1);
	assert_true(r.over == 1 && !r.ok);
	submit(&r, ro, BLK_WRITE_ZEROES, 0, 1);
	assert_true(r.over == 1 && !r.ok);
	assert_int_equal(mock[0].commands, before);
	ro->ops->destroy(ro);
	free(r.memory);
}

static void test_flush_and_zeroes(void **state)
{
	struct blk_backend *b = open_it(&data, false, OK);
	struct request r = { 0 };
	unsigned before = mock[0].flushes;
	u8 zero[512] = { 0 };

	(void)state;
	submit(&r, b, BLK_FLUSH, 0, 0);
	assert_int_equal(r.over, 0);
	run(&mock[0]);
	assert_true(r.ok && mock[0].flushes == before + 1);
	memset(mock[0].data[PART], 0xee, PART_N * 512);
	submit(&r, b, BLK_WRITE_ZEROES, 1, 200);
	run(&mock[0]);
	assert_true(r.over == 1 && r.ok);
	assert_int_equal(mock[0].data[PART][511], 0xee);
	assert_memory_equal(mock[0].data[PART + 1], zero, 512);
	assert_memory_equal(mock[0].data[PART + 200], zero, 512);
	assert_int_equal(mock[0].data[PART + 201][0], 0xee);
	b->ops->destroy(b);
}

static void test_errors(void **state)
{
	struct blk_backend *b = open_it(&data, false, OK);
	struct request r = { .memory = malloc(PART_N * 512) };
	unsigned before = mock[0].commands;

	(void)state;
	mock[0].bad = PART + 150;
	submit(&r, b, BLK_READ, 0, PART_N);
	run(&mock[0]);
	assert_true(r.over == 1 && !r.ok);
	assert_int_equal(mock[0].commands - before, 2); /* the rest is not tried */
	mock[0].bad = ~0ul;
	r.fail_at = 70000;
	submit(&r, b, BLK_WRITE, 0, PART_N);
	run(&mock[0]);
	assert_true(r.over == 1 && !r.ok);
	b->ops->destroy(b);
	free(r.memory);
}

/* As many at a time as promised; a drain ends them all, and waits only for what the disk does. */
static void test_depth_and_drain(void **state)
{
	struct blk_backend *b = open_it(&data, false, OK);
	struct request *r = calloc(b->depth + 1, sizeof(*r));
	unsigned before;
	u8 memory[4096];

	(void)state;
	for (unsigned i = 0; i <= b->depth; i++) {
		r[i].memory = memory;
		submit(&r[i], b, BLK_READ, i, 8);
	}
	assert_true(r[b->depth].over == 1 && !r[b->depth].ok);
	for (unsigned i = 0; i < b->depth; i++)
		assert_int_equal(r[i].over, 0);
	before = mock[0].commands;
	b->ops->drain(b);
	assert_int_equal(mock[0].commands - before, 1);
	for (unsigned i = 0; i < b->depth; i++)
		assert_true(r[i].over == 1 && r[i].ok == !i);
	submit(&r[0], b, BLK_READ, 0, 8);
	assert_int_equal(r[0].over, 0);
	b->ops->drain(b);
	b->ops->destroy(b);
	free(r);
}

/* A request of many commands ends with the one that is under way; the next ones do as ever. */
static void test_drain_of_a_long_request(void **state)
{
	struct blk_backend *b = open_it(&data, false, OK);
	struct request r = { .io = { .op = BLK_WRITE_ZEROES, .ranges = 16, .done = done } };
	unsigned before = mock[0].commands;

	(void)state;
	for (unsigned i = 0; i < r.io.ranges; i++)
		r.io.range[i] = (struct blk_range){ .sectors = PART_N };
	b->ops->submit(b, &r.io);
	b->ops->drain(b);
	assert_true(r.over == 1 && !r.ok);
	assert_int_equal(mock[0].commands - before, 1);
	b->ops->submit(b, &r.io);
	run(&mock[0]);
	assert_true(r.over == 2 && r.ok);
	assert_int_equal(
		mock[0].commands - before, 1 + 16 * DIV_ROUND_UP(PART_N, DISK_SECTORS_MAX));
	b->ops->destroy(b);
}

/* A trial overwrites all of a partition and nothing else, and finds what does not stay. */
static void test_trial(void **state)
{
	struct blk_backend *b = open_it(&data, false, OK);
	u8 before[2][512], first[512];

	(void)state;
	memcpy(before[0], mock[0].data[PART - 1], 512);
	memcpy(before[1], mock[0].data[PART + PART_N], 512);
	mock[0].flushes = 0;
	assert_null(blk_trial(b, 1));
	assert_int_equal(mock[0].flushes, 1);
	memcpy(first, mock[0].data[PART], 512);
	assert_null(blk_trial(b, 2));
	assert_memory_not_equal(mock[0].data[PART], first, 512);
	assert_memory_equal(mock[0].data[PART - 1], before[0], 512);
	assert_memory_equal(mock[0].data[PART + PART_N], before[1], 512);
	mock[0].stuck = PART + 300;
	assert_string_equal(blk_trial(b, 3), "a read fails, or yields something else");
	mock[0].stuck = ~0ul;
	mock[0].bad = PART + PART_N - 1;
	assert_string_equal(blk_trial(b, 4), "a write fails");
	mock[0].bad = ~0ul;
	b->ops->destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_flush_and_zeroes),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_depth_and_drain),
		cmocka_unit_test(test_drain_of_a_long_request),
		cmocka_unit_test(test_trial),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
