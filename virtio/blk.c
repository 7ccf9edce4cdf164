/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk: from a chain of the queue to a request of the back end, and back.
 *
 *   chain: [ header: type, sector | data out ]  readable
 *          [ data in | status ]                 writable
 */
#include "virtio/blk.h"

#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "virtio/spec.h"

#define QUEUE_SIZE   128u
#define CLASS_CODE   0x010000u	      /* mass storage */
#define SEG_BYTES    (64 * KB)	      /* bytes in a segment, as we ask the driver */
#define DATA_SEGS    (QUEUE_SIZE - 2) /* segments of data beside header and status */
#define BYTES_MAX    (SEG_BYTES * DATA_SEGS)
#define SECTORS_MAX  (64u * 1024 * 1024 / BLK_SECTOR) /* of a discard or write-zeroes range */
#define STATUS_LEN   1u
#define PAGE_SECTORS (PAGE_SIZE / BLK_SECTOR)

struct request {
	struct vq_chain chain;
	struct vq_cursor out, in; /* data; what is after the header and before the status */
	struct vq_cursor status;
	u64 sector;
	unsigned queue;
	struct virtio_blk *blk;
	struct request *next; /* while free */
	struct blk_io io;
};

struct virtio_blk {
	struct virtio_dev dev;
	struct blk_backend *backend;
	unsigned order;		    /* of the allocation that this struct and the requests lie in */
	bool filling;		    /* requests are being taken from a queue */
	bool starved;		    /* a queue was left because all requests were under way */
	unsigned budget;	    /* what is left of the turn, while filling */
	unsigned under_way, unsaid; /* requests: taken from a queue; of those done since a signal */
	bool gone; /* the driver has reset the device: what is done late is not pushed */
	struct request *free;
};

static struct virtio_blk *blk_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_blk, dev);
}

/* ---- the end of a request ---- */

static struct request *request_of(struct blk_io *io)
{
	return container_of(io, struct request, io);
}

static void release(struct request *r)
{
	r->next = r->blk->free;
	r->blk->free = r;
}

static void signal_all(struct virtio_blk *blk)
{
	blk->unsaid = 0;
	for (unsigned i = 0; i < blk->dev.queues; i++)
		virtio_signal(&blk->dev, i);
}

/*
 * A driver that keeps many requests under way is told of them in bulk: when half of them are done,
 * for the other half keeps the disk busy meanwhile. One that waits for its only request is told at
 * once. The last one under way always tells of all.
 */
static bool enough_to_say(const struct virtio_blk *blk)
{
	return blk->unsaid >= blk->under_way;
}

static void blk_kick(struct virtio_dev *d, unsigned queue);

static void complete(struct request *r, u32 result)
{
	struct virtio_blk *blk = r->blk;
	u8 status = (u8)result;

	release(r);
	blk->under_way--;
	if (blk->gone)
		return;
	if (vq_write(&r->status, &status, STATUS_LEN) != OK)
		virtio_complain(&blk->dev, "the memory for a status is gone");
	vq_push(virtio_vq(&blk->dev, r->queue), &r->chain);
	blk->unsaid++;
	if (blk->filling)
		return; /* whoever fills tells the driver of all that was done meanwhile */
	if (enough_to_say(blk))
		signal_all(blk);
	if (blk->starved)
		blk_kick(&blk->dev, r->queue);
}

static void io_done(struct blk_io *io, bool ok);

static void submit(struct request *r, enum blk_op op, unsigned ranges)
{
	struct blk_backend *b = r->blk->backend;

	r->io.op = op;
	r->io.ranges = ranges;
	r->io.done = io_done;
	for (unsigned i = 0; i < ranges; i++)
		virtio_spend(&r->blk->budget, r->io.range[i].sectors / PAGE_SECTORS);
	b->ops->submit(b, &r->io);
}

/* 5.2.6.2: what is written for a driver that did not take FLUSH is to stay when it is told so. */
static bool flush_is_due(const struct request *r)
{
	return (r->io.op == BLK_WRITE || r->io.op == BLK_WRITE_ZEROES) &&
	       !virtio_has(&r->blk->dev, VIRTIO_BLK_F_FLUSH) && !r->blk->gone;
}

static void io_done(struct blk_io *io, bool ok)
{
	struct request *r = request_of(io);

	if (ok && flush_is_due(r))
		submit(r, BLK_FLUSH, 0);
	else
		complete(r, ok ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
}

/* ---- the types of requests: 5.2.6 ---- */

static enum status take_data(struct blk_io *io, void *dst, u64 len)
{
	return vq_read(&request_of(io)->out, dst, len);
}

static enum status fill_data(struct blk_io *io, const void *src, u64 len)
{
	struct vq_cursor *in = &request_of(io)->in;

	return src ? vq_write(in, src, len) : vq_zero(in, len);
}

static const struct blk_data_ops data_ops = { .take = take_data, .fill = fill_data };

/* Both directions: as much as there is data. */
static void transfer(struct request *r, enum blk_op op, const struct vq_cursor *data)
{
	const struct blk_backend *b = r->blk->backend;
	u64 sectors = data->left / BLK_SECTOR;

	if (data->left % BLK_SECTOR || data->left > BYTES_MAX ||
		!blk_in_medium(b, r->sector, sectors) || (op == BLK_WRITE && b->read_only)) {
		complete(r, VIRTIO_BLK_S_IOERR);
		return;
	}
	r->io.range[0] = (struct blk_range){ .sector = r->sector, .sectors = sectors };
	r->io.data = &data_ops;
	submit(r, op, 1);
}

static void do_read(struct request *r)
{
	transfer(r, BLK_READ, &r->in);
}

static void do_write(struct request *r)
{
	transfer(r, BLK_WRITE, &r->out);
}

static void do_flush(struct request *r)
{
	submit(r, BLK_FLUSH, 0);
}

/* A shorter buffer gets the start of it, a longer one zeros behind it. */
static void get_id(struct request *r)
{
	u64 len = MIN(r->in.left, (u64)VIRTIO_BLK_ID_BYTES);
	bool ok = vq_write(&r->in, r->blk->backend->id, len) == OK &&
		  vq_zero(&r->in, r->in.left) == OK;

	complete(r, ok ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
}

/* Copies one range in and checks it. Discards have no flags; only zeroes may be unmapped. */
static u32 take_range(struct request *r, struct blk_range *to, u64 flags)
{
	struct virtio_blk_range from;

	if (vq_read(&r->out, &from, sizeof(from)) != OK)
		return VIRTIO_BLK_S_IOERR;
	if (from.flags & ~flags)
		return VIRTIO_BLK_S_UNSUPP;
	if (from.sectors > SECTORS_MAX ||
		!blk_in_medium(r->blk->backend, from.sector, from.sectors))
		return VIRTIO_BLK_S_IOERR;
	*to = (struct blk_range){ .sector = from.sector,
		.sectors = from.sectors,
		.unmap = from.flags & VIRTIO_BLK_RANGE_UNMAP };
	return VIRTIO_BLK_S_OK;
}

static void do_ranges(struct request *r, enum blk_op op, u64 feature, u64 flags)
{
	u64 n = r->out.left / sizeof(struct virtio_blk_range);
	u32 status = VIRTIO_BLK_S_OK;

	if (!virtio_has(&r->blk->dev, feature))
		status = VIRTIO_BLK_S_UNSUPP;
	else if (!n || n > BLK_RANGES_MAX || r->out.left % sizeof(struct virtio_blk_range) ||
		 r->blk->backend->read_only)
		status = VIRTIO_BLK_S_IOERR;
	for (unsigned i = 0; status == VIRTIO_BLK_S_OK && i < n; i++)
		status = take_range(r, &r->io.range[i], flags);
	if (status == VIRTIO_BLK_S_OK)
		submit(r, op, (unsigned)n);
	else
		complete(r, status);
}

static void do_discard(struct request *r)
{
	do_ranges(r, BLK_DISCARD, VIRTIO_BLK_F_DISCARD, 0);
}

static void do_write_zeroes(struct request *r)
{
	do_ranges(r, BLK_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES, VIRTIO_BLK_RANGE_UNMAP);
}

static const struct {
	u32 type;
	void (*start)(struct request *r);
} types[] = {
	{ VIRTIO_BLK_T_IN, do_read },
	{ VIRTIO_BLK_T_OUT, do_write },
	{ VIRTIO_BLK_T_FLUSH, do_flush },
	{ VIRTIO_BLK_T_GET_ID, get_id },
	{ VIRTIO_BLK_T_DISCARD, do_discard },
	{ VIRTIO_BLK_T_WRITE_ZEROES, do_write_zeroes },
};

static void start(struct request *r, u32 type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == type) {
			types[i].start(r);
			return;
		}
	complete(r, VIRTIO_BLK_S_UNSUPP);
}

/* ---- from the queue ---- */

/* Takes the chain apart. Without a header, or a place for the status, there is no way to answer. */
static void begin(struct request *r)
{
	struct virtio_blk_header h;

	r->out = vq_readable(&r->chain);
	r->in = vq_writable(&r->chain);
	if (vq_read(&r->out, &h, sizeof(h)) != OK || r->in.left < STATUS_LEN) {
		vq_fail(virtio_vq(&r->blk->dev, r->queue),
			"a request without a header or a place for its status");
		release(r);
		r->blk->under_way--;
		return;
	}
	r->status = r->in;
	vq_skip(&r->status, r->in.left - STATUS_LEN);
	r->in.left -= STATUS_LEN;
	r->sector = h.sector;
	start(r, h.type);
}

static void fill(struct virtio_blk *blk, unsigned queue)
{
	struct request *r;

	while (blk->budget && (r = blk->free)) {
		if (!vq_pop(virtio_vq(&blk->dev, queue), &r->chain))
			return;
		virtio_spend(&blk->budget, 1);
		blk->free = r->next;
		blk->under_way++;
		r->queue = queue;
		begin(r);
	}
	blk->starved |= !blk->free;
}

/* Until the queue is empty, the turn is over, or all requests are under way: then kicks are of no
 * use. */
static void serve(struct virtio_blk *blk, unsigned queue)
{
	struct virtqueue *q = virtio_vq(&blk->dev, queue);

	do {
		vq_no_kicks(q);
		fill(blk, queue);
	} while (blk->budget && blk->free && vq_want_kicks(q));
	if (!blk->budget)
		virtio_later(&blk->dev, queue);
}

static void blk_kick(struct virtio_dev *d, unsigned queue)
{
	struct virtio_blk *blk = blk_of(d);

	if (blk->filling)
		return;
	blk->filling = true;
	blk->budget = VIRTIO_TURN;
	serve(blk, queue);
	while (blk->starved && blk->free) {
		blk->starved = false;
		for (unsigned i = 0; i < d->queues; i++)
			serve(blk, i);
	}
	blk->filling = false;
	if (enough_to_say(blk))
		signal_all(blk);
}

static void blk_reset(struct virtio_dev *d)
{
	struct virtio_blk *blk = blk_of(d);

	blk->gone = true;
	if (blk->backend->ops->drain)
		blk->backend->ops->drain(blk->backend);
	blk->gone = false;
	blk->starved = false;
	blk->unsaid = 0;
}

static const struct virtio_ops blk_ops = {
	.id = VIRTIO_ID_BLK,
	.name = "virtio-blk",
	.class_code = CLASS_CODE,
	.kick = blk_kick,
	.reset = blk_reset,
};

/* ---- making ---- */

static void set_config(struct virtio_blk *blk)
{
	const struct blk_backend *b = blk->backend;
	struct virtio_blk_config c = {
		.capacity = b->sectors,
		.size_max = SEG_BYTES,
		.seg_max = DATA_SEGS,
		.blk_size = BLK_SECTOR,
		.physical_block_exp = b->physical_exp,
		.min_io_size = (u16)BIT(b->physical_exp),
		.num_queues = BLK_QUEUES,
		.max_discard_sectors = SECTORS_MAX,
		.max_discard_seg = BLK_RANGES_MAX,
		.discard_sector_alignment = (u32)BIT(b->physical_exp),
		.max_write_zeroes_sectors = SECTORS_MAX,
		.max_write_zeroes_seg = BLK_RANGES_MAX,
		.write_zeroes_may_unmap = 1,
	};

	memcpy(blk->dev.config, &c, sizeof(c));
}

static u64 features(const struct blk_backend *b)
{
	u64 f = VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE |
		VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_TOPOLOGY | VIRTIO_BLK_F_MQ;

	if (b->read_only)
		return f | VIRTIO_BLK_F_RO;
	return f | VIRTIO_BLK_F_WRITE_ZEROES | (b->no_discard ? 0 : VIRTIO_BLK_F_DISCARD);
}

enum status virtio_blk_create(struct virtio_blk **out, const char *vm, unsigned index, bool packed,
	const struct guestmem *gm, struct timerq *timers, struct blk_backend *b)
{
	size_t head = ALIGN_UP(sizeof(struct virtio_blk), 64);
	struct virtio_setup setup = { .ops = &blk_ops,
		.vm = vm,
		.index = index,
		.gm = gm,
		.timers = timers,
		.features = features(b),
		.packed = packed,
		.queues = BLK_QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct virtio_blk_config) };
	struct virtio_blk *blk;
	unsigned order = page_order(head + b->depth * sizeof(struct request));

	blk = page_alloc(order, PAGE_HV);
	if (!blk)
		return ERR_NOMEM;
	blk->order = order;
	blk->backend = b;
	virtio_init(&blk->dev, &setup);
	set_config(blk);
	for (unsigned i = 0; i < b->depth; i++) {
		struct request *r = (struct request *)(void *)((u8 *)blk + head) + i;

		r->blk = blk;
		release(r);
	}
	*out = blk;
	return OK;
}

struct virtio_dev *virtio_blk_dev(struct virtio_blk *blk)
{
	return &blk->dev;
}

void virtio_blk_destroy(struct virtio_blk *blk)
{
	virtio_reset(&blk->dev);
	blk->backend->ops->destroy(blk->backend);
	page_free(blk, blk->order, PAGE_HV);
}
