/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk. The device checks requests where they enter; a back end gets only what makes sense:
 * ranges inside the medium, and a cursor over as much guest memory as they need.
 *
 * Source: virtio 1.2, section 5.2 "Block Device".
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "virtio/device.h"

#define BLK_SECTOR     512u
#define BLK_RANGES_MAX 16u /* of one discard or write-zeroes */
#define BLK_QUEUES     4u
#define BLK_ID_MAX     20u

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_DISCARD,	  /* the contents do not matter any more */
	BLK_WRITE_ZEROES, /* they are zero afterwards */
};

struct blk_range {
	u64 sector, sectors; /* inside the medium */
	bool unmap;	     /* BLK_WRITE_ZEROES: the space need not stay allocated */
};

struct blk_io {
	enum blk_op op;
	unsigned ranges; /* BLK_READ, BLK_WRITE: 1; BLK_FLUSH: 0 */
	struct blk_range range[BLK_RANGES_MAX];
	struct vq_cursor data; /* BLK_READ: to fill; BLK_WRITE: to take; as long as the range */
	/* To be called once, at once or later, by the back end. */
	void (*done)(struct blk_io *io, bool ok);
};

struct blk_backend;

struct blk_backend_ops {
	/* Starts the request; it may be done before this returns. */
	void (*submit)(struct blk_backend *b, struct blk_io *io);
	/* Returns when no request is under way any more. NULL: they are done at once. */
	void (*drain)(struct blk_backend *b);
	void (*destroy)(struct blk_backend *b); /* none is under way */
};

struct blk_backend {
	const struct blk_backend_ops *ops;
	u64 sectors;
	bool read_only;
	u8 physical_exp;     /* what it stores as a unit is 2^this sectors */
	unsigned depth;	     /* requests that it can have under way; at least 1 */
	char id[BLK_ID_MAX]; /* ASCII, zero-padded: the serial number */
};

struct virtio_blk;

/*
 * virtio_blk_create(): the device `index` of the VM with that name. The back end becomes the
 * device's, and is destroyed with it; on ERR_NOMEM it stays the caller's.
 */
enum status virtio_blk_create(struct virtio_blk **out, const char *vm, unsigned index, bool packed,
	const struct guestmem *gm, struct blk_backend *b) __must_check;
struct virtio_dev *virtio_blk_dev(struct virtio_blk *blk);
void virtio_blk_destroy(struct virtio_blk *blk);

#endif
