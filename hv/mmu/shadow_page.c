/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow pages: a bounded pool, found by (frame, role) through a hash over the frame.
 *
 *   hash[gfn] -> page -> page -> 0       each: table (512 entries) and targets (512 numbers)
 *
 * The pool's first memory comes with the VM, so that no other can take it; the rest when it is
 * used. When the pool is used up, a hand goes round it and zaps what the present fault has not gone
 * through and what is no root: the VM becomes slower, and nobody else notices.
 *
 * No exit zaps more than a few pages. Where all must go, the generation goes up, which is part of
 * the role, so that none of them is found again; and where pages fall with the one that led to
 * them, those beyond REAP_MAX are given an old generation. What is obsolete leads nowhere that the
 * processor can get to; it is zapped in steps, each time before the guest runs on.
 */
#include "hv/ctl/log.h"
#include "hv/lib/words.h"
#include "hv/mem/page.h"
#include "hv/mmu/shadow_priv.h"

/*
 * Memory comes in chunks of 2 MB, and not page by page: where pages lie scattered over the memory,
 * the places of roots (shadow_root.c) are taken. Two tables and their targets make three pages.
 */
#define PAIR_PAGES 3u

/* In one exit: pages that fall with others; */
#define REAP_MAX     16u
/* so few are dropped as a whole, if that takes looking through no more than so many; */
#define AT_ONCE_MAX  128u
#define AT_ONCE_LOOK 8192u
/* so many that are obsolete are zapped, and so many looked at to find them. */
#define STEP_PAGES   8u
#define STEP_LOOK    256u

/* Whoever is obsolete is gone before its generation comes round again. */
static_assert(SHADOW_PAGES_MAX / STEP_PAGES + SHADOW_PAGES_MAX / STEP_LOOK < GENERATION_MASK, "");

static_assert(2 * SHADOW_ENTRIES * sizeof(u32) == PAGE_SIZE, "the targets of a pair fill a page");

static bool role_equal(struct shadow_role a, struct shadow_role b)
{
	u64 x, y;

	__builtin_memcpy(&x, &a, sizeof(x));
	__builtin_memcpy(&y, &b, sizeof(y));
	return x == y;
}

struct spage *page_find(struct shadow *s, u64 gfn, struct shadow_role role)
{
	role.generation = s->generation & GENERATION_MASK;
	for (u32 n = *shadow_bucket(s, gfn); n; n = s->page[n].next)
		if (s->page[n].gfn == gfn && role_equal(s->page[n].role, role))
			return &s->page[n];
	return NULL;
}

/* ---- the pool ----------------------------------------------------------------------------------
 */

/* Gives page number n its memory, and those that share a chunk with it. */
static bool furnish(struct shadow *s, u32 n)
{
	u32 first = n - n % s->chunk_pages;
	u8 *chunk, *pair;

	if (s->page[n].home)
		return true;
	chunk = page_alloc(s->chunk_order, PAGE_TABLE);
	for (n = first; chunk && n < MIN(first + s->chunk_pages, s->pages); n++) {
		pair = chunk + (n - first) / 2 * PAIR_PAGES * PAGE_SIZE;
		s->page[n].home = (u64 *)(pair + (n % 2) * PAGE_SIZE);
		s->page[n].target = (u32 *)(pair + 2 * PAGE_SIZE + (n % 2) * (PAGE_SIZE / 2));
	}
	return chunk;
}

/* Zaps a page that is neither a root nor in use by the present fault. */
static u32 reclaim(struct shadow *s)
{
	for (u32 tried = 0; tried < s->fresh; tried++) {
		struct spage *p;

		s->hand = s->hand + 1 < s->fresh ? s->hand + 1 : 1;
		p = &s->page[s->hand];
		if (!p->in_use || p->used == s->epoch || root_is(s, s->hand))
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
	while (!s->free && s->obsolete)
		pages_step(s);
	n = s->free;
	if (!n)
		n = reclaim(s);
	if (n)
		s->free = s->page[n].next;
	return n;
}

/* ---- making and zapping ------------------------------------------------------------------------
 */

/*
 * A root that was in use until now. The roots of a guest have most entries in common, those of its
 * kernel; so what one says of them is right for the next. NULL: there is none.
 */
static const struct spage *root_like(const struct shadow *s, const struct spage *p)
{
	const struct spage *like = &s->page[s->root];

	return p->role.level == 4 && s->root && like->in_use && like != p &&
			       !spage_obsolete(s, like) && !like->role.direct
		       ? like
		       : NULL;
}

/* Nobody sees the page yet: what is not live needs no care. */
static void not_live(const struct shadow *s, struct spage *p, unsigned index)
{
	if (!s->trap)
		return;
	p->table[index] = s->trap;
	p->known[index / 64] |= BIT(index % 64);
}

static void look_at_root(struct shadow *s, struct spage *p, const struct spage *like)
{
	const u64 *table = shadow_table(s, p->gfn), *theirs = shadow_table(s, like->gfn);

	for (unsigned i = 0; (i = shadow_next_entry(s, p, table, i)) < SHADOW_ENTRIES; i++)
		if (!theirs || table[i] != theirs[i])
			shadow_refresh(s, p, table, i);
		else if (spte_live(like->table[i]))
			shadow_set(s, id_of(s, p, i), like->table[i], like->target[i]);
		else if (table[i] & SPTE_P)
			not_live(s, p, i);
}

/* What is said of a table's entries at once; the rest is filled in on demand. A page is all zeros
 * when it is taken. */
#define FIRST_LOOK_MAX 64

static void first_look(struct shadow *s, struct spage *p)
{
	const struct spage *like = root_like(s, p);
	const void *table = shadow_table(s, p->gfn);
	unsigned most = p->role.level > 1 ? SHADOW_ENTRIES : FIRST_LOOK_MAX;

	if (like && (s->cfg.fast & SHADOW_PREFETCH)) {
		look_at_root(s, p, like);
		return;
	}
	for (unsigned i = 0; (i = shadow_next_entry(s, p, table, i)) < SHADOW_ENTRIES; i++)
		if (most && (s->cfg.fast & SHADOW_PREFETCH)) {
			shadow_refresh(s, p, table, i);
			most--;
		} else if (shadow_guest_entry(s, p, table, i) & SPTE_P) {
			not_live(s, p, i);
		}
}

/* All of it is there, and nothing known yet. */
static void all_traps(const struct shadow *s, struct spage *p)
{
	if (!s->trap)
		return;
	words_fill(p->table, SHADOW_ENTRIES, s->trap);
	words_fill(p->known, SHADOW_WORDS, ~0ul);
}

/* The frame is a table from now on, and nobody may write to it unseen. */
static bool adopt_frame(struct shadow *s, u64 gfn)
{
	struct frame *f = shadow_frame(s, gfn);

	if (!f)
		return false;
	(void)page_table_is_past(s, gfn);
	if (f->unsync)
		unsync_end(s, gfn);
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
		return p;
	}
	if (!role.direct && !shadow_frame(s, gfn) && !shadow_map_again(s, gfn))
		return NULL;
	n = take(s);
	if (!n)
		return NULL;
	p = &s->page[n];
	role.generation = s->generation & GENERATION_MASK;
	*p = (struct spage){ .table = p->home,
		.home = p->home,
		.target = p->target,
		.gfn = gfn,
		.role = role,
		.used = s->epoch,
		.in_use = true };
	if (!role.direct && !adopt_frame(s, gfn))
		BUG("a frame that is memory is none any more");
	if (role.level == 4)
		root_place(s, p);
	p->next = *shadow_bucket(s, gfn);
	*shadow_bucket(s, gfn) = n;
	s->in_use++;
	s->stats.created++;
	if (role.direct)
		all_traps(s, p);
	else
		first_look(s, p);
	return p;
}

static void unhash(struct shadow *s, u32 n)
{
	u32 *at = shadow_bucket(s, s->page[n].gfn);

	while (*at != n)
		at = &s->page[*at].next;
	*at = s->page[n].next;
}

/* A page that nothing links to any more, because the guest took its table away. */
static bool orphan(const struct shadow *s, u32 n)
{
	const struct spage *p = &s->page[n];

	return p->in_use && !p->parents && p->used != s->epoch && !root_is(s, n);
}

/* There may be any number of them below one another. */
static void reap(struct shadow *s, u32 n)
{
	struct spage *p = &s->page[n];

	if (s->reaped < REAP_MAX) {
		s->reaped++;
		page_zap(s, p);
	} else if (!spage_obsolete(s, p)) {
		p->role.generation = (s->generation - 1) & GENERATION_MASK;
		s->obsolete++;
		s->flush = true;
	}
}

void page_set_and_reap(struct shadow *s, struct spage *p, unsigned index, u64 value, u32 target)
{
	u64 old = p->table[index];
	u32 child = p->target[index];

	shadow_set(s, id_of(s, p, index), value, target);
	if (spte_live(old) && (old & SPTE_LINK) && child != target && orphan(s, child))
		reap(s, child);
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
	for_each_known (p, i)
		if (spte_live(p->table[i]))
			page_set_and_reap(s, p, i, 0, 0);
		else
			p->table[i] = 0;
	f = p->role.direct ? NULL : shadow_frame(s, p->gfn);
	if (f && !page_first(s, p->gfn)) {
		if (f->unsync)
			unsync_forget(s, p->gfn);
		f->table = 0;
	}
	if (root_is(s, n))
		s->reload = true;
	root_leave(s, p);
	if (spage_obsolete(s, p))
		s->obsolete--;
	else
		s->flush = true;
	p->next = s->free;
	s->free = n;
	s->in_use--;
}

/* ---- what is obsolete --------------------------------------------------------------------------
 */

/* Since it became obsolete, the processor has been told to forget it, or is about to be; what falls
 * with it and is not obsolete is another matter. */
static void retire(struct shadow *s, struct spage *p)
{
	bool stale = s->stale;

	page_zap(s, p);
	s->stale = stale;
}

void pages_step(struct shadow *s)
{
	unsigned pages = 0;

	for (unsigned look = 0; s->obsolete && pages < STEP_PAGES && look < STEP_LOOK; look++) {
		struct spage *p;

		s->sweep = s->sweep + 1 < s->fresh ? s->sweep + 1 : 1;
		p = &s->page[s->sweep];
		if (!p->in_use || !spage_obsolete(s, p))
			continue;
		retire(s, p);
		pages++;
	}
	s->reaped = 0;
}

static struct spage *first_obsolete(struct shadow *s, u64 gfn)
{
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n))
		if (spage_obsolete(s, &s->page[n]))
			return &s->page[n];
	return NULL;
}

bool page_table_is_past(struct shadow *s, u64 gfn)
{
	const struct frame *f = shadow_frame(s, gfn);
	struct spage *p;
	bool was = f && f->table;

	while (s->obsolete && (p = first_obsolete(s, gfn)))
		retire(s, p);
	return was && !f->table;
}

/* ---- all of them -------------------------------------------------------------------------------
 */

/* As page_zap(), where nothing that it refers to stays. */
static void discard(struct shadow *s, u32 n)
{
	struct spage *p = &s->page[n];
	struct frame *f = p->role.direct ? NULL : shadow_frame(s, p->gfn);

	for_each_known (p, i) {
		if (spte_writable_leaf(p->table[i]))
			refs_clear(s, &frame_known(s, p->target[i])->writers);
		p->table[i] = 0;
	}
	if (f && f->unsync)
		unsync_forget(s, p->gfn);
	if (f)
		f->table = 0;
	refs_clear(s, &p->parents);
	*shadow_bucket(s, p->gfn) = 0;
	root_leave(s, p);
	p->in_use = false;
	p->next = s->free;
	s->free = n;
	s->in_use--;
}

void page_zap_all(struct shadow *s)
{
	s->reload = s->flush = true;
	if (s->in_use > s->at_once || s->fresh > AT_ONCE_LOOK) {
		s->generation++;
		s->obsolete = s->in_use;
		root_forget_targets(s);
		return;
	}
	for (u32 n = 1; s->in_use && n < s->fresh; n++)
		if (s->page[n].in_use)
			discard(s, n);
	s->obsolete = 0;
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

enum status pages_init(struct shadow *s)
{
	s->chunk_order =
		MIN(page_order(s->pages / 2ul * PAIR_PAGES * PAGE_SIZE), (unsigned)PAGE_ORDER_2M);
	s->chunk_pages = 2 * ((1u << s->chunk_order) / PAIR_PAGES);
	s->page_order = page_order(s->pages * sizeof(struct spage));
	s->page = page_alloc(s->page_order, PAGE_TABLE);
	s->node_order = page_order(s->nodes * sizeof(struct refs_node));
	s->node = page_alloc(s->node_order, PAGE_TABLE);
	if (!s->page || !s->node)
		return ERR_NOMEM;
	s->fresh = 1;
	s->epoch = 1;
	s->at_once = AT_ONCE_MAX;
	refs_init(s);
	return furnish(s, s->fresh) ? OK : ERR_NOMEM;
}

bool pages_destroy_step(struct shadow *s)
{
	u32 *n = &s->destroyed, end = MIN(*n + PAGE_FREE_STEP, s->fresh);

	for (; *n < end; ++*n) {
		struct spage *p = &s->page[*n];

		if (p->in_use)
			root_leave(s, p);
		if (*n % s->chunk_pages == 0 && p->home)
			page_free(p->home, s->chunk_order, PAGE_TABLE);
	}
	if (*n < s->fresh)
		return false;
	if (s->page)
		page_free(s->page, s->page_order, PAGE_TABLE);
	if (s->node)
		page_free(s->node, s->node_order, PAGE_TABLE);
	s->page = NULL;
	s->node = NULL;
	return true;
}
