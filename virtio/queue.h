/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtqueue, split or packed, as the device sees it. Only queue.c reads and writes guest rings;
 * devices see chains: lists of segments of guest memory, the readable ones first.
 *
 *   vq_pop() --> struct vq_chain --cursors--> vq_read(), vq_write() --> vq_push() --> vq_signal()
 *
 * All that lies in guest memory is hostile and may change at any time: it is copied once, then
 * checked. Something that no conforming driver writes makes the queue broken: host->broken() is
 * called once, and until it is enabled anew after vq_reset() the queue yields nothing.
 *
 * Source: virtio 1.2, sections 2.7 "Split Virtqueues" and 2.8 "Packed Virtqueues".
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include "hv/lib/status.h"
#include "hv/mem/guestmem.h"
#include "virtio/chain.h"

#define VQ_SIZE_MAX 256u /* places in a ring */

/* What the driver has chosen, in registers of the transport: hostile. */
struct vq_config {
	u16 size;	/* places in the ring */
	gpa_t desc;	/* descriptor area: the table, or the packed ring */
	gpa_t driver;	/* driver area: the available ring, or driver event suppression */
	gpa_t device;	/* device area: the used ring, or device event suppression */
	bool packed;	/* VIRTIO_F_PACKED was negotiated */
	bool indirect;	/* VIRTIO_F_INDIRECT was negotiated */
	bool event_idx; /* VIRTIO_F_EVENT_IDX was negotiated */
};

struct virtqueue;

struct vq_host {
	/* q is broken; why: one sentence without a full stop, valid during the call. */
	void (*broken)(void *ctx, struct virtqueue *q, const char *why);
	void *ctx;
};

struct virtqueue {
	const struct guestmem *gm;
	struct vq_host host;
	struct vq_config cfg;
	bool enabled, broken;
	u16 next;	/* split: free-running index of the next available chain; packed: place */
	u16 used;	/* the same of the next used one */
	bool next_wrap; /* packed: the wrap counters that belong to both */
	bool used_wrap;
	unsigned taken;	 /* places popped and not yet pushed: at most cfg.size */
	u64 chains;	 /* pushed since vq_init() */
	unsigned unsaid; /* places pushed since the last vq_signal() */
};

void vq_init(struct virtqueue *q, const struct guestmem *gm, const struct vq_host *host);

/*
 * vq_enable(): starts to use the rings that cfg describes. ERR_INVAL, and the queue is broken: a
 * size that is 0, above VQ_SIZE_MAX or (split) no power of two; areas that are misaligned, not RAM,
 * or overlap.
 */
enum status vq_enable(struct virtqueue *q, const struct vq_config *cfg);

/* As after vq_init(). Chains popped before must not be pushed any more. */
void vq_reset(struct virtqueue *q);

/* vq_pop(): the next chain that the driver made available. False: there is none, or the queue is
 * not enabled, or it is (now) broken. */
bool vq_pop(struct virtqueue *q, struct vq_chain *c) __must_check;

/*
 * vq_push(): gives a chain back. The length that the driver is told is c->written: what vq_write()
 * and vq_zero() have filled without a gap, so that it never covers bytes that were not written.
 */
void vq_push(struct virtqueue *q, const struct vq_chain *c);

/* What vq_push() needs of a chain. */
struct vq_done {
	u16 id;
	u16 places;
	u64 written;
};

static inline struct vq_done vq_done(const struct vq_chain *c)
{
	return (struct vq_done){ c->id, c->places, c->written };
}

/*
 * vq_push_all(): as vq_push() for n (up to VQ_SIZE_MAX) chains in the order in which they were
 * popped; a driver that sees the first of them sees all.
 */
void vq_push_all(struct virtqueue *q, const struct vq_done *done, unsigned n);

/*
 * vq_mark(), vq_rewind(): a place in the ring, and back to it: what was popped since then is
 * available as if it had not been. Nothing may have been pushed in between.
 */
struct vq_mark {
	u16 next;
	bool next_wrap;
	unsigned taken;
};

static inline struct vq_mark vq_mark(const struct virtqueue *q)
{
	return (struct vq_mark){ q->next, q->next_wrap, q->taken };
}

void vq_rewind(struct virtqueue *q, const struct vq_mark *m);

/* After one or more vq_push(): does the driver want an interrupt for them? */
bool vq_signal(struct virtqueue *q) __must_check;

/*
 * Notifications by the driver: not wanted while the device looks into the ring anyway.
 * vq_want_kicks() returns true if there is something to pop already: the driver may have added it
 * without a notification.
 */
void vq_no_kicks(struct virtqueue *q);
bool vq_want_kicks(struct virtqueue *q) __must_check;

/* For devices: the driver broke a rule of the device's own. */
void vq_fail(struct virtqueue *q, const char *fmt, ...) __printf(2, 3);

#endif
