/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of guest rings. Each word of a ring is read once, into the hypervisor's own memory,
 * and only the copy is judged; walks are bounded by the size of the ring or of the segment list.
 */
#include "virtio/queue.h"

#include <stdarg.h>

#include "hv/ctl/log.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "virtio/spec.h"

#define WHY_MAX	    96
#define CHAIN_MAX   (1ul << 32) /* bytes in a chain (2.7.5, 2.8.9) */
#define DESC_ALIGN  16u
#define USED_ALIGN  4u /* and both event suppression structures of packed rings */
#define AVAIL_ALIGN 2u

void vq_fail(struct virtqueue *q, const char *fmt, ...)
{
	char why[WHY_MAX];
	va_list ap;

	if (q->broken)
		return;
	q->broken = true;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	q->host.broken(q->host.ctx, q, why);
}

/* ---- words of the rings ---- */

static gpa_t plus(gpa_t base, u64 offset)
{
	return GPA(base.v + offset);
}

/* The areas were RAM when the queue was enabled; they need not be any more. */
static bool load16(struct virtqueue *q, gpa_t gpa, u16 *value)
{
	u64 word;

	if (guest_load(q->gm, gpa, &word, sizeof(*value)) != OK) {
		vq_fail(q, "its ring at 0x%lx is no longer in memory", gpa.v);
		return false;
	}
	*value = (u16)word;
	return true;
}

static bool store16(struct virtqueue *q, gpa_t gpa, u32 value)
{
	if (guest_store(q->gm, gpa, value, sizeof(u16)) == OK)
		return true;
	vq_fail(q, "its ring at 0x%lx is no longer in memory", gpa.v);
	return false;
}

/* Between a store of ours and a load of what the driver may have stored before it saw ours. */
static void store_before_load(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- segments ---- */

static bool add_segment(
	struct virtqueue *q, struct vq_chain *c, u64 *bytes, u64 addr, u32 len, bool writable)
{
	if (!len) {
		vq_fail(q, "a descriptor of length 0");
		return false;
	}
	if (c->segs == VQ_SEGS_MAX) {
		vq_fail(q, "a chain of more than %u segments", VQ_SEGS_MAX);
		return false;
	}
	if (!writable && c->readable != c->segs) {
		vq_fail(q, "a readable descriptor behind a writable one");
		return false;
	}
	*bytes += len;
	if (*bytes > CHAIN_MAX) {
		vq_fail(q, "a chain of more than 4 GB");
		return false;
	}
	if (!guest_is_ram(q->gm, GPA(addr), len)) {
		vq_fail(q, "a descriptor of 0x%x bytes at 0x%lx, which is not all memory", len,
			addr);
		return false;
	}
	c->seg[c->segs++] = (struct vq_seg){ .gpa = GPA(addr), .len = len };
	if (!writable)
		c->readable = c->segs;
	return true;
}

/* What both formats say of a descriptor that refers to a table; its length is the caller's affair.
 */
static bool may_be_indirect(struct virtqueue *q, u16 flags, bool nested)
{
	if (!q->cfg.indirect)
		vq_fail(q, "an indirect descriptor, which was not negotiated");
	else if (nested)
		vq_fail(q, "an indirect descriptor in an indirect table");
	else if (flags & VRING_DESC_NEXT)
		vq_fail(q, "an indirect descriptor with a next one");
	return !q->broken;
}

/* Entries of an indirect table; 0, and the queue is broken, if its length makes no sense. */
static u32 table_entries(struct virtqueue *q, u32 len)
{
	if (!len || len % sizeof(struct vring_desc)) {
		vq_fail(q, "an indirect table of %u bytes", len);
		return 0;
	}
	return (u32)(len / sizeof(struct vring_desc));
}

/* What the driver is told; 4 GB, the most that a chain can have, is one more than fits. */
static u32 used_len(const struct vq_done *c)
{
	return c->written > UINT32_MAX ? UINT32_MAX : (u32)c->written;
}

/* ---- split rings: 2.7 ---- */

struct table {
	gpa_t base;
	u32 entries;
	bool indirect;
};

static bool read_desc(struct virtqueue *q, const struct table *t, u32 i, struct vring_desc *d)
{
	if (i >= t->entries) {
		vq_fail(q, "descriptor %u of a table of %u", i, t->entries);
		return false;
	}
	if (guest_read(q->gm, plus(t->base, i * sizeof(*d)), d, sizeof(*d)) != OK) {
		vq_fail(q, "descriptor %u of the table at 0x%lx is not in memory", i, t->base.v);
		return false;
	}
	return true;
}

/* 2.7.5.3: the chain goes on, and ends, in the table that d refers to. */
static bool enter_table(struct virtqueue *q, struct table *t, const struct vring_desc *d)
{
	if (!may_be_indirect(q, d->flags, t->indirect))
		return false;
	*t = (struct table){ GPA(d->addr), table_entries(q, d->len), true };
	return t->entries != 0;
}

static bool split_walk(struct virtqueue *q, struct vq_chain *c, u32 i)
{
	struct table t = { .base = q->cfg.desc, .entries = q->cfg.size };
	struct vring_desc d;
	u64 bytes = 0;

	/* Whoever takes more steps than there are descriptors goes round in a circle. */
	for (u32 left = t.entries; left; left--) {
		if (!read_desc(q, &t, i, &d))
			return false;
		if (d.flags & VRING_DESC_INDIRECT) {
			if (!enter_table(q, &t, &d))
				return false;
			left = MIN(t.entries, VQ_SEGS_MAX + 1) + 1;
			i = 0;
			continue;
		}
		if (!add_segment(q, c, &bytes, d.addr, d.len, d.flags & VRING_DESC_WRITE))
			return false;
		if (!(d.flags & VRING_DESC_NEXT))
			return true;
		i = d.next;
	}
	vq_fail(q, "a chain that does not end");
	return false;
}

static gpa_t avail_ring(const struct virtqueue *q, u16 index)
{
	u32 place = index % q->cfg.size;

	return plus(q->cfg.driver, VRING_AVAIL_RING + place * sizeof(u16));
}

static gpa_t used_ring(const struct virtqueue *q, u16 index)
{
	u32 place = index % q->cfg.size;

	return plus(q->cfg.device, VRING_USED_RING + place * sizeof(struct vring_used_elem));
}

/* The driver's event index stands behind its ring, the device's behind the used ring (2.7.10). */
static gpa_t used_event(const struct virtqueue *q)
{
	return plus(q->cfg.driver, VRING_AVAIL_RING + q->cfg.size * sizeof(u16));
}

static gpa_t avail_event(const struct virtqueue *q)
{
	return plus(q->cfg.device, VRING_USED_RING + q->cfg.size * sizeof(struct vring_used_elem));
}

/* How many chains are available; false if there is none. */
static bool split_available(struct virtqueue *q)
{
	u16 index, pending;

	if (!load16(q, plus(q->cfg.driver, VRING_AVAIL_IDX), &index))
		return false;
	pending = (u16)(index - q->next);
	if (pending <= q->cfg.size - q->taken)
		return pending != 0;
	vq_fail(q, "the available index went from %u to %u, with %u of %u in use", q->next, index,
		q->taken, q->cfg.size);
	return false;
}

static bool split_pop(struct virtqueue *q, struct vq_chain *c)
{
	if (!split_available(q) || !load16(q, avail_ring(q, q->next), &c->id))
		return false;
	if (!split_walk(q, c, c->id))
		return false;
	c->places = 1;
	q->next++;
	return true;
}

static void split_push(struct virtqueue *q, const struct vq_done *done, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vring_used_elem e = { .id = done[i].id, .len = used_len(&done[i]) };

		if (guest_write(q->gm, used_ring(q, q->used), &e, sizeof(e)) != OK) {
			vq_fail(q, "its used ring is no longer in memory");
			return;
		}
		q->used++;
	}
	store16(q, plus(q->cfg.device, VRING_USED_IDX), q->used);
}

/* 2.7.7.2: of the steps that led to `now`, was one away from `event`? */
static bool passed(u16 event, u16 now, unsigned steps)
{
	return (u16)(now - event - 1) < steps;
}

static bool split_signal(struct virtqueue *q, unsigned steps)
{
	u16 word;

	if (q->cfg.event_idx)
		return load16(q, used_event(q), &word) && passed(word, q->used, steps);
	return load16(q, plus(q->cfg.driver, VRING_AVAIL_FLAGS), &word) &&
	       !(word & VRING_AVAIL_NO_INTERRUPT);
}

static void split_kicks(struct virtqueue *q, bool want)
{
	gpa_t flags = plus(q->cfg.device, VRING_USED_FLAGS);

	if (!q->cfg.event_idx)
		store16(q, flags, want ? 0u : VRING_USED_NO_NOTIFY);
	else if (want)
		store16(q, avail_event(q), q->next);
	/* An event index that lies behind the driver asks for nothing. */
}

/* ---- packed rings: 2.8 ---- */

static gpa_t packed_place(const struct virtqueue *q, u32 place)
{
	return plus(q->cfg.desc, place * sizeof(struct vring_packed_desc));
}

static gpa_t packed_flags(const struct virtqueue *q, u32 place)
{
	return plus(packed_place(q, place), offsetof(struct vring_packed_desc, flags));
}

/* Is the descriptor at q->next available? Its flags, once read, stand. */
static bool packed_available(struct virtqueue *q, u16 *flags)
{
	if (!load16(q, packed_flags(q, q->next), flags))
		return false;
	return !(*flags & VRING_PACKED_AVAIL) == !q->next_wrap &&
	       !(*flags & VRING_PACKED_USED) == q->next_wrap;
}

static bool packed_read(struct virtqueue *q, gpa_t from, struct vring_packed_desc *d)
{
	if (guest_read(q->gm, from, d, sizeof(*d)) == OK)
		return true;
	vq_fail(q, "its descriptor at 0x%lx is not in memory", from.v);
	return false;
}

/* 2.8.7: a table has no chains in it; all its entries count, in order. */
static bool packed_table(struct virtqueue *q, struct vq_chain *c, u64 base, u32 len)
{
	u32 entries = table_entries(q, len);
	struct vring_packed_desc d;
	u64 bytes = 0;

	for (u32 i = 0; i < entries; i++) {
		if (!packed_read(q, GPA(base + i * sizeof(d)), &d))
			return false;
		if ((d.flags & VRING_DESC_INDIRECT) && !may_be_indirect(q, d.flags, true))
			return false;
		if (!add_segment(q, c, &bytes, d.addr, d.len, d.flags & VRING_DESC_WRITE))
			return false;
	}
	return entries != 0;
}

/* The chain at q->next, whose first descriptor has these flags. */
static bool packed_walk(struct virtqueue *q, struct vq_chain *c, u16 flags)
{
	struct vring_packed_desc d;
	u64 bytes = 0;
	u32 place = q->next;

	for (u32 left = q->cfg.size - q->taken; left; left--) {
		if (!packed_read(q, packed_place(q, place), &d))
			return false;
		if (c->places)
			flags = d.flags;
		c->places++;
		c->id = d.id;
		if (flags & VRING_DESC_INDIRECT)
			return may_be_indirect(q, flags, c->places > 1) &&
			       packed_table(q, c, d.addr, d.len);
		if (!add_segment(q, c, &bytes, d.addr, d.len, flags & VRING_DESC_WRITE))
			return false;
		if (!(flags & VRING_DESC_NEXT))
			return true;
		place = (place + 1) % q->cfg.size;
	}
	vq_fail(q, "a chain longer than what is free in the ring");
	return false;
}

/* Moves a place of the ring on, and its wrap counter when it starts again (2.8.1). */
static void packed_advance(const struct virtqueue *q, u16 *place, bool *wrap, u16 places)
{
	u32 sum = *place + places;

	if (sum >= q->cfg.size) {
		sum -= q->cfg.size;
		*wrap = !*wrap;
	}
	*place = (u16)sum;
}

static bool packed_pop(struct virtqueue *q, struct vq_chain *c)
{
	u16 flags;

	if (q->taken == q->cfg.size || !packed_available(q, &flags) || !packed_walk(q, c, flags))
		return false;
	packed_advance(q, &q->next, &q->next_wrap, c->places);
	return true;
}

/* A used descriptor but for its flags, without which the driver does not look at it; they are
 * returned. */
static u16 packed_used(struct virtqueue *q, const struct vq_done *c)
{
	struct vring_packed_desc d = { .len = used_len(c), .id = c->id };
	u64 len = offsetof(struct vring_packed_desc, len);
	u16 flags = c->written ? VRING_DESC_WRITE : 0;

	if (q->used_wrap)
		flags |= VRING_PACKED_AVAIL | VRING_PACKED_USED;
	if (guest_write(q->gm, plus(packed_place(q, q->used), len), &d.len,
		    offsetof(struct vring_packed_desc, flags) - len) != OK)
		vq_fail(q, "its ring is no longer in memory");
	return flags;
}

/* The flags of the first are written last. */
static void packed_push(struct virtqueue *q, const struct vq_done *done, unsigned n)
{
	gpa_t first = packed_flags(q, q->used);
	u16 first_flags = packed_used(q, &done[0]), flags;

	packed_advance(q, &q->used, &q->used_wrap, done[0].places);
	for (unsigned i = 1; i < n && !q->broken; i++) {
		flags = packed_used(q, &done[i]);
		store16(q, packed_flags(q, q->used), flags);
		packed_advance(q, &q->used, &q->used_wrap, done[i].places);
	}
	if (!q->broken)
		store16(q, first, first_flags);
}

/* 2.8.10: an offset with the other wrap counter belongs to the lap before. */
static bool packed_signal(struct virtqueue *q, unsigned steps)
{
	u16 flags, event;

	if (!load16(q, plus(q->cfg.driver, VRING_EVENT_FLAGS), &flags))
		return false;
	if (flags != VRING_EVENT_DESC || !q->cfg.event_idx)
		return flags != VRING_EVENT_DISABLE;
	if (!load16(q, plus(q->cfg.driver, VRING_EVENT_OFF_WRAP), &event))
		return false;
	if (!(event & VRING_EVENT_WRAP) == q->used_wrap)
		return passed((u16)((event & ~VRING_EVENT_WRAP) - q->cfg.size), q->used, steps);
	return passed(event & (u16)~VRING_EVENT_WRAP, q->used, steps);
}

static void packed_kicks(struct virtqueue *q, bool want)
{
	gpa_t flags = plus(q->cfg.device, VRING_EVENT_FLAGS);
	gpa_t event = plus(q->cfg.device, VRING_EVENT_OFF_WRAP);

	if (!want) {
		store16(q, flags, VRING_EVENT_DISABLE);
		return;
	}
	if (q->cfg.event_idx)
		store16(q, event, q->next | (q->next_wrap ? VRING_EVENT_WRAP : 0u));
	store16(q, flags, q->cfg.event_idx ? VRING_EVENT_DESC : VRING_EVENT_ENABLE);
}

/* ---- both ---- */

bool vq_pop(struct virtqueue *q, struct vq_chain *c)
{
	if (!q->enabled || q->broken)
		return false;
	c->readable = 0;
	c->segs = 0;
	c->places = 0;
	c->written = 0;
	c->gm = q->gm;
	if (!(q->cfg.packed ? packed_pop(q, c) : split_pop(q, c)))
		return false;
	q->taken += c->places;
	return true;
}

void vq_push_all(struct virtqueue *q, const struct vq_done *done, unsigned n)
{
	if (!q->enabled || q->broken || !n)
		return;
	for (unsigned i = 0; i < n; i++) {
		BUG_ON(q->taken < done[i].places);
		q->taken -= done[i].places;
		q->unsaid += done[i].places;
	}
	q->chains += n;
	if (q->cfg.packed)
		packed_push(q, done, n);
	else
		split_push(q, done, n);
}

void vq_push(struct virtqueue *q, const struct vq_chain *c)
{
	struct vq_done done = vq_done(c);

	vq_push_all(q, &done, 1);
}

void vq_rewind(struct virtqueue *q, const struct vq_mark *m)
{
	BUG_ON(m->taken > q->taken);
	q->next = m->next;
	q->next_wrap = m->next_wrap;
	q->taken = m->taken;
}

bool vq_signal(struct virtqueue *q)
{
	unsigned steps = q->unsaid;

	if (!q->enabled || q->broken || !steps)
		return false;
	q->unsaid = 0;
	if (steps > q->cfg.size)
		return true;
	store_before_load();
	return q->cfg.packed ? packed_signal(q, steps) : split_signal(q, steps);
}

static void set_kicks(struct virtqueue *q, bool want)
{
	if (q->cfg.packed)
		packed_kicks(q, want);
	else
		split_kicks(q, want);
}

void vq_no_kicks(struct virtqueue *q)
{
	if (q->enabled && !q->broken)
		set_kicks(q, false);
}

bool vq_want_kicks(struct virtqueue *q)
{
	u16 flags;

	if (!q->enabled || q->broken)
		return false;
	set_kicks(q, true);
	store_before_load();
	if (q->cfg.packed)
		return q->taken < q->cfg.size && packed_available(q, &flags);
	return split_available(q);
}

/* ---- enabling ---- */

struct area {
	const char *name;
	gpa_t base;
	u64 len;
	u64 align;
};

/* 2.7 "Split Virtqueues", where the event indices are there only if they were negotiated; 2.8.10.1
 * "Structure Size and Alignment". */
static void find_areas(const struct vq_config *c, struct area a[3])
{
	u64 n = c->size, event = c->event_idx ? sizeof(u16) : 0;
	u64 avail = VRING_AVAIL_RING + n * sizeof(u16) + event;
	u64 used = VRING_USED_RING + n * sizeof(struct vring_used_elem) + event;

	a[0] = (struct area){ "descriptor area", c->desc, n * sizeof(struct vring_desc),
		DESC_ALIGN };
	a[1] = (struct area){ "driver area", c->driver, avail, AVAIL_ALIGN };
	a[2] = (struct area){ "device area", c->device, used, USED_ALIGN };
	if (c->packed) {
		a[1].len = a[2].len = VRING_EVENT_SIZE;
		a[1].align = USED_ALIGN;
	}
}

/* Both are RAM, so that no sum wraps. */
static bool overlap(const struct area *a, const struct area *b)
{
	return a->base.v < b->base.v + b->len && b->base.v < a->base.v + a->len;
}

static bool check_areas(struct virtqueue *q, const struct vq_config *c)
{
	struct area a[3];

	find_areas(c, a);
	for (unsigned i = 0; i < ARRAY_SIZE(a); i++) {
		if (!IS_ALIGNED(a[i].base.v, a[i].align) ||
			!guest_is_ram(q->gm, a[i].base, a[i].len)) {
			vq_fail(q, "its %s at 0x%lx is misaligned or not all memory", a[i].name,
				a[i].base.v);
			return false;
		}
		for (unsigned j = 0; j < i; j++)
			if (overlap(&a[i], &a[j])) {
				vq_fail(q, "its %s at 0x%lx lies over the %s", a[i].name,
					a[i].base.v, a[j].name);
				return false;
			}
	}
	return true;
}

enum status vq_enable(struct virtqueue *q, const struct vq_config *cfg)
{
	vq_reset(q);
	if (!cfg->size || cfg->size > VQ_SIZE_MAX || (!cfg->packed && !IS_POW2(cfg->size))) {
		vq_fail(q, "a ring of %u places", cfg->size);
		return ERR_INVAL;
	}
	if (!check_areas(q, cfg))
		return ERR_INVAL;
	q->cfg = *cfg;
	q->next_wrap = true;
	q->used_wrap = true;
	q->enabled = true;
	return OK;
}

void vq_init(struct virtqueue *q, const struct guestmem *gm, const struct vq_host *host)
{
	*q = (struct virtqueue){ .gm = gm, .host = *host };
}

void vq_reset(struct virtqueue *q)
{
	struct vq_host host = q->host;
	u64 chains = q->chains;

	vq_init(q, q->gm, &host);
	q->chains = chains;
}
