/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is on the medium if the power is cut now: virtio-blk over a disk of the machine, whose
 * write cache forgets. A driver writes and flushes at random, with many requests under way in all
 * queues, and the disk does its commands in any order; at each moment the medium alone must have
 * what was written and acknowledged before a flush began that was acknowledged too; and all that
 * was acknowledged, where the driver does not know of flushes.
 *
 * Sources: virtio/blk.c hv/blk/physical.c hv/drv/disk.c hv/drv/gpt.c virtio/pci.c virtio/device.c
 * virtio/queue.c virtio/chain.c hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/cpu/timer.c
 * hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/virtio_bus.h"

#include "hv/blk/physical.h"
#include "hv/cpu/idle.h"
#include "hv/drv/disk.h"
#include "tests/unit/destroy.h"
#include "virtio/blk.h"

#define SECTORS	  256u
#define QUEUES	  4
#define SIZE	  64
#define REQUESTS  12			       /* under way */
#define LONGEST	  (2 * DISK_SECTORS_MAX - 100) /* sectors of a request: more than a command's */
#define HEADER(i) (0x40000ul + (i)*64)
#define STATUS(i) (0x40020ul + (i)*64)
#define DATA(i)	  (0x100000ul + (i)*LONGEST * 512ul)
#define STEPS	  5000
#define A_FAILURE 16 /* one flush in so many */

/* ---- a disk with a cache ---- */

static struct {
	struct disk disk;
	u32 medium[SECTORS][128], cache[SECTORS][128];
	bool newer[SECTORS]; /* is it in the cache? */
	struct list_node queue;
	unsigned waiting;
	bool lies; /* a flush does nothing */
} m;

static void to_medium(unsigned sector)
{
	memcpy(m.medium[sector], m.cache[sector], 512);
	m.newer[sector] = false;
}

static bool flush(void)
{
	if (rand() % A_FAILURE == 0)
		return false;
	for (unsigned i = 0; i < SECTORS && !m.lies; i++)
		if (m.newer[i])
			to_medium(i);
	return true;
}

static bool execute(struct disk_cmd *c)
{
	static u8 buf[DISK_BYTES_MAX];

	if (c->op == DISK_FLUSH)
		return flush();
	for (unsigned i = 0; i < c->sectors && c->op == DISK_READ; i++)
		memcpy(buf + i * 512, (m.newer[c->sector + i] ? m.cache : m.medium)[c->sector + i],
			512);
	if (!c->data(c, buf))
		return false;
	for (unsigned i = 0; i < c->sectors && c->op == DISK_WRITE; i++) {
		memcpy(m.cache[c->sector + i], buf + i * 512, 512);
		m.newer[c->sector + i] = true;
	}
	return true;
}

/* Any of the commands. Sometimes the disk writes a sector back for reasons of its own. */
static void step(void)
{
	unsigned nth = m.waiting ? (unsigned)rand() % m.waiting : 0,
		 own = (unsigned)rand() % SECTORS;
	struct list_node *at = m.queue.next;
	struct disk_cmd *c;

	if (m.newer[own] && rand() % 4 == 0)
		to_medium(own);
	if (!m.waiting)
		return;
	while (nth--)
		at = at->next;
	c = list_entry(at, struct disk_cmd, node);
	list_del(&c->node);
	m.waiting--;
	c->done(c, execute(c));
}

static void mock_submit(struct disk *d, struct disk_cmd *c)
{
	(void)d;
	list_add_tail(&m.queue, &c->node);
	m.waiting++;
}

static bool mock_cancel(struct disk *d, struct disk_cmd *c)
{
	(void)d;
	if (!disk_take_back(&m.queue, c))
		return false;
	m.waiting--;
	return true;
}

static void mock_poll(struct disk *d)
{
	(void)d;
	step();
}

static const struct disk_ops mock_ops = {
	.name = "mock", .submit = mock_submit, .cancel = mock_cancel, .poll = mock_poll
};

void cpu_idle(u64 deadline)
{
	(void)deadline;
	step();
}

/* ---- a driver ---- */

struct request {
	bool busy;
	u32 type;
	u64 sector;
	u32 sectors;
	u32 before[SECTORS]; /* of a flush: what was acknowledged when it began */
};

static struct {
	struct virtio_blk *blk;
	struct driver d[QUEUES];
	struct request request[REQUESTS];
	unsigned of[QUEUES][SIZE]; /* requests by their chain */
	/* Versions, which grow, of each sector. */
	u32 last, written[SECTORS], acknowledged[SECTORS], stable[SECTORS];
	unsigned flushes;
	bool no_flush; /* it did not take the feature: what is acknowledged is to stay (5.2.6.2) */
} t;

static bool being_written(u64 sector, u32 sectors)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		const struct request *r = &t.request[i];

		if (r->busy && r->type == VIRTIO_BLK_T_OUT && r->sector < sector + sectors &&
			sector < r->sector + r->sectors)
			return true;
	}
	return false;
}

static void send(unsigned i)
{
	struct request *r = &t.request[i];
	u16 queue = (u16)(rand() % QUEUES);
	struct buf b[] = { { HEADER(i), 16, false }, { DATA(i), r->sectors * 512, false },
		{ STATUS(i), 1, true } };

	*(struct virtio_blk_outhdr *)ram(HEADER(i)) =
		(struct virtio_blk_outhdr){ .type = r->type, .sector = r->sector };
	if (r->type == VIRTIO_BLK_T_FLUSH)
		b[1] = b[2];
	r->busy = true;
	t.of[queue][drv_add(&t.d[queue], b, r->type == VIRTIO_BLK_T_FLUSH ? 2 : 3)] = i;
	kick(queue);
}

/* Nobody writes a sector twice at a time: which of them is last is nobody's promise. */
static void write_something(unsigned i)
{
	struct request *r = &t.request[i];
	u32 most = rand() % 8 ? 8 : LONGEST, version = ++t.last;

	r->type = VIRTIO_BLK_T_OUT;
	r->sectors = 1 + (u32)rand() % most;
	r->sector = (u64)rand() % (SECTORS - r->sectors + 1);
	if (being_written(r->sector, r->sectors))
		return;
	for (u32 k = 0; k < r->sectors; k++) {
		t.written[r->sector + k] = version;
		for (unsigned word = 0; word < 128; word++)
			((u32 *)ram(DATA(i)))[k * 128 + word] = version;
	}
	send(i);
}

static void flush_it(unsigned i)
{
	t.request[i].type = VIRTIO_BLK_T_FLUSH;
	t.request[i].sectors = 0;
	memcpy(t.request[i].before, t.acknowledged, sizeof(t.acknowledged));
	send(i);
}

static void ended(unsigned i)
{
	struct request *r = &t.request[i];
	u8 status = *(u8 *)ram(STATUS(i));

	r->busy = false;
	if (r->type == VIRTIO_BLK_T_OUT) {
		assert_true(status == VIRTIO_BLK_S_OK || t.no_flush);
		for (u32 k = 0; k < r->sectors && status == VIRTIO_BLK_S_OK; k++)
			t.acknowledged[r->sector + k] = t.written[r->sector + k];
		if (t.no_flush)
			memcpy(t.stable, t.acknowledged, sizeof(t.stable));
	} else if (status == VIRTIO_BLK_S_OK) {
		t.flushes++;
		for (unsigned k = 0; k < SECTORS; k++)
			t.stable[k] = MAX(t.stable[k], r->before[k]);
	}
}

static void take_answers(void)
{
	u16 id;
	u32 len;

	for (unsigned q = 0; q < QUEUES; q++)
		while (drv_get(&t.d[q], &id, &len))
			ended(t.of[q][id]);
}

/* How many sectors a cut of the power would lose now. */
static unsigned lost(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SECTORS; i++) {
		for (unsigned word = 1; word < 128; word++)
			assert_int_equal(m.medium[i][word], m.medium[i][0]);
		assert_true(m.medium[i][0] <= t.written[i]);
		n += m.medium[i][0] < t.stable[i];
	}
	return n;
}

static void work(void)
{
	unsigned i = (unsigned)rand() % REQUESTS;

	if (t.request[i].busy)
		step();
	else if (t.no_flush || rand() % 6)
		write_something(i);
	else
		flush_it(i);
	take_answers();
}

/* ---- tests ---- */

static int setup_all(void **state)
{
	(void)state;
	m.disk = (struct disk){ .ops = &mock_ops, .sectors = SECTORS };
	list_init(&m.queue);
	disk_add(&m.disk);
	physical_init();
	return 0;
}

static int setup(void **state)
{
	const struct physical_name name = { .kind = PHYSICAL_DISK, .disk = 0 };
	struct blk_backend *b;
	const char *why;

	(void)state;
	srand(1);
	memset(&t, 0, sizeof(t));
	memset(m.medium, 0, sizeof(m.medium));
	memset(m.newer, 0, sizeof(m.newer));
	m.lies = false;
	gm = (struct guestmem){ 0 };
	host_pages_begin();
	if (guestmem_add(&gm, GPA(0), RAM_SIZE) || physical_open(&b, &name, false, &why) ||
		virtio_blk_create(&t.blk, "vm", 0, true, &gm, NULL, b) ||
		bus_with(virtio_blk_dev(t.blk)))
		return -1;
	return 0;
}

static void start(u64 without)
{
	t.no_flush = without & BIT(VIRTIO_BLK_F_FLUSH);
	negotiate(offered() & ~without);
	start_queues(t.d, QUEUES, SIZE, true);
}

static int teardown(void **state)
{
	(void)state;
	virtio_blk_destroy(t.blk);
	guestmem_destroy(&gm);
	return host_pages_are_back() ? 0 : -1;
}

static void expect_no_loss(void)
{
	for (unsigned i = 0; i < STEPS; i++) {
		work();
		if (lost())
			fail_msg("step %u: %u sectors are not on the medium", i, lost());
	}
}

static void what_was_flushed_is_there(void **state)
{
	(void)state;
	start(0);
	expect_no_loss();
	assert_true(t.flushes > STEPS / 100);
}

static void all_is_there_without_the_feature(void **state)
{
	(void)state;
	start(BIT(VIRTIO_BLK_F_FLUSH));
	expect_no_loss();
}

/* A flush that is acknowledged and does nothing is found. */
static void a_lost_flush_is_found(void **state)
{
	unsigned i = 0;

	(void)state;
	start(0);
	m.lies = true;
	while (i < STEPS && !lost()) {
		work();
		i++;
	}
	assert_in_range(i, 1, STEPS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_flushed_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(all_is_there_without_the_feature, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_flush_is_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, setup_all, NULL);
}
