/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow pages: a bounded pool, found by (frame, role) through a hash over the frame.
 *
 *   hash[gfn] -> page -> page -> 0       each: table (512 entries) and targets (512 numbers)
 *
 * When the pool is used up, a hand goes round it and zaps what the present fault has not gone
 * through and what is no root: the VM becomes slower, and nobody else notices.
 */
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/mmu/shadow_priv.h"

#define TARGETS_PER_PAGE (PAGE_SIZE / (SHADOW_ENTRIES * sizeof(u32)))

static_assert(TARGETS_PER_PAGE == 2, "pages share the memory of their targets in pairs");

static u32 *bucket(struct shadow *s, u64 gfn)
{
	return &s->hash[(gfn ^ gfn >> 10) % SHADOW_HASH];
}

static bool role_equal(struct shadow_role a, struct shadow_role b)
{
	u64 x, y;

	__builtin_memcpy(&x, &a, sizeof(x));
	__builtin_memcpy(&y, &b, sizeof(y));
	return x == y;
}

struct spage *page_find(struct shadow *s, u64 gfn, struct shadow_role role)
{
	for (u32 n = *bucket(s, gfn); n; n = s->page[n].next)
		if (s->page[n].gfn == gfn && role_equal(s->page[n].role, role))
			return &s->page[n];
	return NULL;
}

static u32 next_table(const struct shadow *s, u64 gfn, u32 n)
{
	while (n && (s->page[n].gfn != gfn || s->page[n].role.direct))
		n = s->page[n].next;
	return n;
}

u32 page_first(struct shadow *s, u64 gfn)
{
	return next_table(s, gfn, *bucket(s, gfn));
}

u32 page_next(const struct shadow *s, u32 n)
{
	return next_table(s, s->page[n].gfn, s->page[n].next);
}

/* ---- the pool ----------------------------------------------------------------------------------
 */

/* Gives a page number its memory, once. */
static bool furnish(struct shadow *s, u32 n)
{
	struct spage *p = &s->page[n], *twin = &s->page[n ^ 1];

	if (!p->table)
		p->table = page_alloc(PAGE_ORDER_4K, PAGE_TABLE);
	if (!p->target && twin->target)
		p->target = (u32 *)((u64)twin->target ^ PAGE_SIZE / TARGETS_PER_PAGE);
	if (!p->target)
		p->target = page_alloc(PAGE_ORDER_4K, PAGE_TABLE);
	return p->table && p->target;
}

static bool is_root(const struct shadow *s, u32 n)
{
	for (unsigned i = 0; i < SHADOW_PAE_ENTRIES; i++)
		if (s->pd[i] == n)
			return true;
	return s->root == n;
}

/* Zaps a page that is neither a root nor in use by the present fault. */
static u32 reclaim(struct shadow *s)
{
	for (u32 tried = 0; tried < s->fresh; tried++) {
		struct spage *p;

		s->hand = s->hand + 1 < s->fresh ? s->hand + 1 : 1;
		p = &s->page[s->hand];
		if (!p->in_use || p->used == s->epoch || is_root(s, s->hand))
			continue;
		page_zap(s, p);
		s->stats.reclaimed++;
		return s->free;
	}
	return 0;
}

static u32 take(struct shadow *s)
{
	u32 n = s->free;

	if (!n && s->fresh < s->pages && furnish(s, s->fresh))
		return s->fresh++;
	if (!n)
		n = reclaim(s);
	if (n)
		s->free = s->page[n].next;
	return n;
}

/* ---- making and zapping ------------------------------------------------------------------------
 */

/*
 * What can be said of a new page at once: where the guest's entry is not present, or links to a
 * table that has a shadow already. The rest is filled in on demand.
 */
static void first_look(struct shadow *s, struct spage *p)
{
	const void *table = shadow_table(s, p->gfn);

	for (unsigned i = 0; i < SHADOW_ENTRIES; i++) {
		u64 g = shadow_guest_entry(s, p, table, i);

		if (!(g & SPTE_P))
			p->table[i] = 0;
		else if (p->role.level > 1)
			shadow_refresh(s, p, table, i);
	}
}

static void fill(struct spage *p, u64 value)
{
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++)
		p->table[i] = value;
}

/* The frame is a table from now on, and nobody may write to it unseen. */
static bool adopt_frame(struct shadow *s, u64 gfn)
{
	struct frame *f = shadow_frame(s, gfn);

	if (!f)
		return false;
	if (f->unsync)
		unsync_end_frame(s, gfn);
	f->table = 1;
	shadow_protect(s, f);
	return true;
}

struct spage *page_get(struct shadow *s, u64 gfn, struct shadow_role role)
{
	struct spage *p = page_find(s, gfn, role);
	u32 n;

	if (p) {
		p->used = s->epoch;
		p->writes = 0;
		return p;
	}
	if (!role.direct && !shadow_frame(s, gfn) && !shadow_map_again(s, gfn))
		return NULL;
	n = take(s);
	if (!n)
		return NULL;
	p = &s->page[n];
	*p = (struct spage){ .table = p->table,
		.target = p->target,
		.gfn = gfn,
		.role = role,
		.used = s->epoch,
		.in_use = true };
	fill(p, s->trap);
	if (!role.direct && !adopt_frame(s, gfn))
		BUG("a frame that is memory is none any more");
	p->next = *bucket(s, gfn);
	*bucket(s, gfn) = n;
	s->in_use++;
	s->stats.created++;
	if (!role.direct)
		first_look(s, p);
	return p;
}

static void unhash(struct shadow *s, u32 n)
{
	u32 *at = bucket(s, s->page[n].gfn);

	while (*at != n)
		at = &s->page[*at].next;
	*at = s->page[n].next;
}

/* A page that nothing links to any more, because the guest took its table away. */
static bool orphan(const struct shadow *s, u32 n)
{
	const struct spage *p = &s->page[n];

	return p->in_use && !p->parents && p->used != s->epoch && !is_root(s, n);
}

void page_set_and_reap(struct shadow *s, struct spage *p, unsigned index, u64 value, u32 target)
{
	u64 old = p->table[index];
	u32 child = p->target[index];

	shadow_set(s, id_of(s, p, index), value, target);
	if (spte_live(old) && (old & SPTE_LINK) && child != target && orphan(s, child))
		page_zap(s, &s->page[child]);
}

void page_zap(struct shadow *s, struct spage *p)
{
	u32 n = (u32)(p - s->page);
	struct frame *f;
	entry_id id;

	BUG_ON(!p->in_use);
	unhash(s, n);
	p->in_use = false;
	while (refs_first(s, p->parents, &id))
		shadow_set(s, id, s->trap, 0);
	for (unsigned i = 0; p->live && i < SHADOW_ENTRIES; i++)
		if (spte_live(p->table[i]))
			page_set_and_reap(s, p, i, s->trap, 0);
	if (p->unsync)
		unsync_forget(s, p);
	f = p->role.direct ? NULL : shadow_frame(s, p->gfn);
	if (f && !page_first(s, p->gfn))
		f->table = f->unsync = 0;
	if (is_root(s, n))
		s->reload = true;
	p->next = s->free;
	s->free = n;
	s->in_use--;
	s->flush = true;
}

void page_zap_all(struct shadow *s)
{
	for (u32 n = 1; n < s->fresh; n++)
		if (s->page[n].in_use)
			page_zap(s, &s->page[n]);
}

void page_unshadow(struct shadow *s, u64 gfn)
{
	u32 n;

	s->stats.unshadows++;
	while ((n = page_first(s, gfn)))
		page_zap(s, &s->page[n]);
}

/* ---- life of the pool --------------------------------------------------------------------------
 */

static unsigned order_for(u64 bytes)
{
	unsigned order = 0;

	while (PAGE_SIZE << order < bytes)
		order++;
	return order;
}

enum status pages_init(struct shadow *s)
{
	s->page_order = order_for(s->pages * sizeof(struct spage));
	s->page = page_alloc(s->page_order, PAGE_TABLE);
	s->node_order = order_for(s->nodes * sizeof(struct refs_node));
	s->node = page_alloc(s->node_order, PAGE_TABLE);
	if (!s->page || !s->node)
		return ERR_NOMEM;
	s->fresh = 1;
	s->epoch = 1;
	refs_init(s);
	return OK;
}

void pages_destroy(struct shadow *s)
{
	for (u32 n = 0; s->page && n < s->pages; n++) {
		struct spage *p = &s->page[n];

		if (p->table)
			page_free(p->table, PAGE_ORDER_4K, PAGE_TABLE);
		/* The first of a pair may have the second half, if it came later. */
		if (n % TARGETS_PER_PAGE == 0 && (p->target || s->page[n ^ 1].target))
			page_free((void *)ALIGN_DOWN(
					  (u64)(p->target ? p->target : s->page[n ^ 1].target),
					  PAGE_SIZE),
				PAGE_ORDER_4K, PAGE_TABLE);
	}
	if (s->page)
		page_free(s->page, s->page_order, PAGE_TABLE);
	if (s->node)
		page_free(s->node, s->node_order, PAGE_TABLE);
	s->page = NULL;
	s->node = NULL;
}
