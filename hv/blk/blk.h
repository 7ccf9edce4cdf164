/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Back ends of virtual disks. A device (virtio/blk.c, hv/dev/ide.c) hands over requests that make
 * sense: it has checked their ranges against the medium. A back end (ramdisk.c, physical.c) moves
 * the data through the request's own functions, so that it knows nothing of guest memory.
 */
#ifndef HV_BLK_BLK_H
#define HV_BLK_BLK_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

#define BLK_SECTOR     512u
#define BLK_RANGES_MAX 16u /* of one discard or write-zeroes */
#define BLK_ID_MAX     20u

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,	  /* what was written before is on the medium when this is done */
	BLK_DISCARD,	  /* the contents do not matter any more */
	BLK_WRITE_ZEROES, /* they are zero afterwards */
};

struct blk_range {
	u64 sector, sectors; /* inside the medium */
	bool unmap;	     /* BLK_WRITE_ZEROES: the space need not stay allocated */
};

struct blk_io;

/* The requester's memory, from its start on; each call goes on where the last one ended. */
struct blk_data_ops {
	/* BLK_WRITE: the next len bytes to dst. */
	enum status (*take)(struct blk_io *io, void *dst, u64 len);
	/* BLK_READ: the next len bytes from src, or zeros where it is NULL. */
	enum status (*fill)(struct blk_io *io, const void *src, u64 len);
};

struct blk_io {
	enum blk_op op;
	unsigned ranges; /* BLK_READ, BLK_WRITE: 1; BLK_FLUSH: 0 */
	struct blk_range range[BLK_RANGES_MAX];
	const struct blk_data_ops *data; /* BLK_READ, BLK_WRITE: as long as the range */
	/* To be called once, at once or later, by the back end. */
	void (*done)(struct blk_io *io, bool ok);
};

struct blk_backend;

struct blk_backend_ops {
	/* Starts the request; it may be done before this returns. At most b->depth at a time. */
	void (*submit)(struct blk_backend *b, struct blk_io *io);
	/* Ends all requests under way, where they are, and returns then. NULL: they are done at
	 * once. */
	void (*drain)(struct blk_backend *b);
	void (*destroy)(struct blk_backend *b); /* none is under way */
};

struct blk_backend {
	const struct blk_backend_ops *ops;
	u64 sectors;
	bool read_only;
	bool no_discard;     /* BLK_DISCARD is not to be had */
	u8 physical_exp;     /* what it stores as a unit is 2^this sectors */
	unsigned depth;	     /* requests that it can have under way; at least 1 */
	char id[BLK_ID_MAX]; /* ASCII, zero-padded: the serial number */
};

/* Do the sectors lie inside the medium? */
static inline bool blk_in_medium(const struct blk_backend *b, u64 sector, u64 sectors)
{
	return sector <= b->sectors && sectors <= b->sectors - sector;
}

#endif
