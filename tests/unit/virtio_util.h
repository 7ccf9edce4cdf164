/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver's side of a virtqueue, split and packed, for tests of what serves it: rings in guest
 * memory, written after the specification and independently of virtio/queue.c.
 */
#ifndef TESTS_UNIT_VIRTIO_UTIL_H
#define TESTS_UNIT_VIRTIO_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "hv/mem/guestmem.h"
#include "hv/mem/page.h"
#include "tests/unit/host.h"

#define RAM_SIZE (8 * MB)

static struct guestmem gm;

static void *ram(u64 gpa)
{
	hpa_t hpa;

	assert_int_equal(guest_gpa_to_hpa(&gm, GPA(gpa), &hpa), OK);
	return hpa_to_hva(hpa);
}

/* One descriptor as the driver means it. */
struct buf {
	u64 addr;
	u32 len;
	bool write;
};

struct driver {
	bool packed, event_idx;
	u16 size;
	u64 desc, driver, device;
	u16 avail; /* split: free-running; packed: place */
	u16 used;
	bool avail_wrap, used_wrap;
	u16 added;		   /* since the last drv_kick() */
	u16 free[256], free_count; /* split: descriptors; packed: buffer ids */
	u16 room;		   /* places or descriptors that are free */
	u16 chain[256];		   /* descriptors of each chain, by id */
};

static void drv_init(struct driver *d, u64 base, u16 size, bool packed, bool event_idx)
{
	*d = (struct driver){ .packed = packed,
		.event_idx = event_idx,
		.size = size,
		.room = size,
		.desc = base,
		.driver = base + 0x2000,
		.device = base + 0x3000,
		.avail_wrap = true,
		.used_wrap = true };
	for (u16 i = 0; i < size; i++)
		d->free[d->free_count++] = (u16)(size - 1 - i);
	memset(ram(base), 0, 0x4000);
}

static struct vring_desc *drv_desc(const struct driver *d, u16 i)
{
	return (struct vring_desc *)ram(d->desc) + i;
}

static struct vring_packed_desc *drv_packed(const struct driver *d, u16 i)
{
	return (struct vring_packed_desc *)ram(d->desc) + i;
}

static struct vring_avail *drv_avail(const struct driver *d)
{
	return ram(d->driver);
}

static struct vring_used *drv_used_ring(const struct driver *d)
{
	return ram(d->device);
}

static void drv_set_avail(struct driver *d, u16 index)
{
	drv_avail(d)->idx = index;
}

/* Descriptor i of a split table. */
static void drv_write(const struct driver *d, u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	*drv_desc(d, i) = (struct vring_desc){ addr, len, flags, next };
}

/* Makes the chain that starts at descriptor `head` available, whatever head is. */
static void drv_offer(struct driver *d, u16 head)
{
	drv_avail(d)->ring[d->avail % d->size] = head;
	d->avail++;
	d->added++;
	drv_set_avail(d, d->avail);
}

static u16 packed_avail_flags(bool wrap)
{
	return wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED;
}

/* A descriptor of a packed ring with the flags that make it available, at the place d->avail. */
static void drv_packed_add(struct driver *d, u64 addr, u32 len, u16 flags, u16 id)
{
	*drv_packed(d, d->avail) = (struct vring_packed_desc){ addr, len, id,
		(u16)(flags | packed_avail_flags(d->avail_wrap)) };
	d->added++;
	if (++d->avail == d->size) {
		d->avail = 0;
		d->avail_wrap = !d->avail_wrap;
	}
}

/* One descriptor, in whichever format: the first of the queue if nothing was added before. */
static __unused u16 drv_raw(struct driver *d, u64 addr, u32 len, u16 flags)
{
	u16 id;

	assert_true(d->room > 0);
	d->room--;
	id = d->free[--d->free_count];
	d->chain[id] = 1;
	if (d->packed) {
		drv_packed_add(d, addr, len, flags, id);
	} else {
		drv_write(d, id, addr, len, flags, 0);
		drv_offer(d, id);
	}
	return id;
}

/* A direct chain. */
static __unused u16 drv_add(struct driver *d, const struct buf *b, u16 n)
{
	u16 id = 0, at;

	assert_true(d->room >= n);
	d->room = (u16)(d->room - n);
	if (d->packed) {
		id = d->free[--d->free_count];
		for (u16 i = 0; i < n; i++)
			drv_packed_add(d, b[i].addr, b[i].len,
				(u16)((b[i].write ? VRING_DESC_F_WRITE : 0) |
					(i + 1 < n ? VRING_DESC_F_NEXT : 0)),
				id);
	} else {
		u16 next = 0;

		for (u16 i = n; i-- > 0;) {
			at = d->free[--d->free_count];
			drv_write(d, at, b[i].addr, b[i].len,
				(u16)((b[i].write ? VRING_DESC_F_WRITE : 0) |
					(i + 1 < n ? VRING_DESC_F_NEXT : 0)),
				next);
			next = at;
		}
		id = next;
		drv_offer(d, id);
	}
	d->chain[id] = n;
	return id;
}

/* An indirect chain, its table at `table`. */
static __unused u16 drv_add_indirect(struct driver *d, const struct buf *b, u16 n, u64 table)
{
	for (u16 i = 0; i < n; i++) {
		u16 write = b[i].write ? VRING_DESC_F_WRITE : 0;

		if (d->packed)
			((struct vring_packed_desc *)ram(table))[i] =
				(struct vring_packed_desc){ b[i].addr, b[i].len, 0, write };
		else
			((struct vring_desc *)ram(table))[i] = (struct vring_desc){ b[i].addr,
				b[i].len, (u16)(write | (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
				(u16)(i + 1) };
	}
	return drv_raw(d, table, (u32)(n * sizeof(struct vring_desc)), VRING_DESC_F_INDIRECT);
}

/* Takes back the next used chain. */
static __unused bool drv_get(struct driver *d, u16 *id, u32 *len)
{
	if (d->packed) {
		struct vring_packed_desc *p = drv_packed(d, d->used);
		bool avail = p->flags >> VRING_PACKED_DESC_F_AVAIL & 1;
		bool used = p->flags >> VRING_PACKED_DESC_F_USED & 1;

		if (avail != used || used != d->used_wrap)
			return false;
		*id = p->id;
		*len = p->len;
		d->used = (u16)(d->used + d->chain[*id]);
		d->room = (u16)(d->room + d->chain[*id]);
		if (d->used >= d->size) {
			d->used = (u16)(d->used - d->size);
			d->used_wrap = !d->used_wrap;
		}
		d->free[d->free_count++] = *id;
		return true;
	}
	if (drv_used_ring(d)->idx == d->used)
		return false;

	struct vring_used_elem e = drv_used_ring(d)->ring[d->used++ % d->size];

	*id = (u16)e.id;
	*len = e.len;
	d->room = (u16)(d->room + d->chain[*id]);
	for (u16 i = *id, left = d->chain[*id]; left; left--) {
		d->free[d->free_count++] = i;
		i = drv_desc(d, i)->next;
	}
	return true;
}

/* Must the driver notify the device of what it added since the last call? */
static __unused bool drv_kick(struct driver *d)
{
	u16 added = d->added;
	const struct vring_packed_desc_event *e = ram(d->device);

	d->added = 0;
	if (!d->packed && d->event_idx) {
		u16 event = *(u16 *)&drv_used_ring(d)->ring[d->size];

		return vring_need_event(event, d->avail, (u16)(d->avail - added));
	}
	if (!d->packed)
		return !(drv_used_ring(d)->flags & VRING_USED_F_NO_NOTIFY);
	if (e->flags != VRING_PACKED_EVENT_FLAG_DESC)
		return e->flags == VRING_PACKED_EVENT_FLAG_ENABLE;

	u16 event = e->off_wrap & 0x7fff;

	if (e->off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR != d->avail_wrap)
		event = (u16)(event - d->size);
	return vring_need_event(event, d->avail, (u16)(d->avail - added));
}

/* Asks for an interrupt when the chain after the next `after` ones is used; without event index,
 * for all or none. */
static __unused void drv_want_signal(struct driver *d, u16 after)
{
	struct vring_packed_desc_event *e = ram(d->driver);
	u32 place = (u32)d->used + after;
	bool wrap = d->used_wrap;

	if (!d->packed) {
		drv_avail(d)->ring[d->size] = (u16)(d->used + after);
		return;
	}
	if (place >= d->size) {
		place -= d->size;
		wrap = !wrap;
	}
	e->off_wrap = (u16)(place | (u32)wrap << VRING_PACKED_EVENT_F_WRAP_CTR);
	e->flags = VRING_PACKED_EVENT_FLAG_DESC;
}

static __unused void drv_no_signal(struct driver *d, bool none)
{
	if (d->packed)
		((struct vring_packed_desc_event *)ram(d->driver))->flags =
			none ? VRING_PACKED_EVENT_FLAG_DISABLE : VRING_PACKED_EVENT_FLAG_ENABLE;
	else
		drv_avail(d)->flags = none ? VRING_AVAIL_F_NO_INTERRUPT : 0;
}

/* The next chain that the device has done with is this one. */
static __unused void drv_expect(struct driver *d, u16 id, u32 len)
{
	u16 got;
	u32 got_len;

	assert_true(drv_get(d, &got, &got_len));
	assert_int_equal(got, id);
	assert_int_equal(got_len, len);
}

#endif
