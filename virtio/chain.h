/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A chain of a virtqueue as devices see it: segments of guest memory, the readable ones first, and
 * cursors that copy from and to them in order, wherever the driver has cut them.
 */
#ifndef VIRTIO_CHAIN_H
#define VIRTIO_CHAIN_H

#include "hv/lib/status.h"
#include "hv/mem/guestmem.h"

#define VQ_SEGS_MAX 256u /* segments of one chain */

struct vq_seg {
	gpa_t gpa;
	u32 len; /* not 0; all of it was RAM when it was popped */
};

/* Large: a part of a request, not of a stack frame. Valid until it is pushed. */
struct vq_chain {
	const struct guestmem *gm;
	u16 id;	      /* what the driver knows it by */
	u16 places;   /* of the ring that it takes */
	u16 readable; /* the first so many segments; the others are writable */
	u16 segs;
	u64 written; /* bytes from the start of the writable part on that were written, no gap */
	struct vq_seg seg[VQ_SEGS_MAX];
};

/* A place in the readable or the writable part of a chain, and what is left of that part. */
struct vq_cursor {
	struct vq_chain *chain;
	unsigned seg;
	u32 offset; /* in the segment */
	u64 at;	    /* from the start of the part */
	u64 left;
};

/* Cursors at the start of the chain's parts. */
struct vq_cursor vq_readable(struct vq_chain *c);
struct vq_cursor vq_writable(struct vq_chain *c);

/*
 * Copies len bytes from the readable or to the writable segments, and moves the cursor behind them.
 * ERR_RANGE: fewer are left, or the memory is gone; the cursor is then of no more use.
 */
enum status vq_read(struct vq_cursor *cur, void *dst, u64 len) __must_check;
enum status vq_write(struct vq_cursor *cur, const void *src, u64 len) __must_check;
enum status vq_zero(struct vq_cursor *cur, u64 len) __must_check;
/* Moves the cursor without a copy; no further than the part's end. */
void vq_skip(struct vq_cursor *cur, u64 len);

#endif
