/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory that was given back, and is taken again. Chunks that are not whole:
 *
 *   chunk[i] = address of a struct loose | GUESTMEM_LOOSE   its pages, one by one; some are missing
 *   chunk[i] = GUESTMEM_LOOSE                               all of it was given back at once
 *
 * A page that is missing comes back when it is touched, through loose_locate(): reading would do
 * with zeros from anywhere, but who maps what was found needs a place that stays.
 */
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/guestmem_loose.h"
#include "hv/mem/page.h"

#define CHUNK_PAGES (GUESTMEM_CHUNK / PAGE_SIZE)

struct loose {
	hpa_t home; /* where the chunk was; 0: nowhere */
	u64 missing;
	hpa_t page[CHUNK_PAGES]; /* 0: missing */
};

#define LOOSE_ORDER page_order(sizeof(struct loose))

/* NULL: all of the chunk was given back at once. */
static struct loose *loose_of(hpa_t chunk)
{
	return chunk.v == GUESTMEM_LOOSE ? NULL : hpa_to_hva(HPA(chunk.v & ~GUESTMEM_LOOSE));
}

static hpa_t loose_entry(const struct loose *l)
{
	return HPA(hva_to_hpa(l).v | GUESTMEM_LOOSE);
}

/* A chunk without any page. */
static struct loose *loose_create(hpa_t home)
{
	struct loose *l = page_alloc(LOOSE_ORDER, PAGE_HV);

	if (l) {
		l->home = home;
		l->missing = CHUNK_PAGES;
	}
	return l;
}

/* Page i is there afterwards; false: no memory. */
static bool loose_fill(struct loose *l, u64 i)
{
	hfn_t home = HFN((l->home.v >> PAGE_SHIFT) + i);
	void *p = NULL;

	if (l->page[i].v)
		return true;
	if (l->home.v)
		p = page_alloc_at(home, PAGE_GUEST);
	if (!p)
		p = page_alloc(PAGE_ORDER_4K, PAGE_GUEST);
	if (!p)
		return false;
	l->page[i] = hva_to_hpa(p);
	l->missing--;
	return true;
}

/* A chunk that is gone comes back as one block; or, if there is none, as a loose one. */
static bool revive(hpa_t *chunk)
{
	void *block = page_alloc(PAGE_ORDER_2M, PAGE_GUEST);
	struct loose *l;

	if (block) {
		*chunk = hva_to_hpa(block);
		return true;
	}
	l = loose_create(HPA(0));
	if (l)
		*chunk = loose_entry(l);
	return l;
}

u64 loose_locate(hpa_t *chunk, u64 offset, hpa_t *hpa)
{
	struct loose *l;

	*hpa = HPA(0);
	if (chunk->v == GUESTMEM_LOOSE && !revive(chunk))
		return 0;
	if (!(chunk->v & GUESTMEM_LOOSE)) {
		*hpa = HPA(chunk->v + offset);
		return GUESTMEM_CHUNK - offset;
	}
	l = loose_of(*chunk);
	if (!loose_fill(l, offset / PAGE_SIZE))
		return 0;
	*hpa = HPA(l->page[offset / PAGE_SIZE].v + offset % PAGE_SIZE);
	return PAGE_SIZE - offset % PAGE_SIZE;
}

void *guest_at_loose(const struct guestmem_slot *s, u64 offset)
{
	hpa_t hpa;

	return loose_locate(&s->chunk[offset / GUESTMEM_CHUNK], offset % GUESTMEM_CHUNK, &hpa)
		       ? hpa_to_hva(hpa)
		       : NULL;
}

static void destroy(struct loose *l)
{
	for (u64 i = 0; l && i < CHUNK_PAGES; i++)
		if (l->page[i].v)
			page_free(hpa_to_hva(l->page[i]), PAGE_ORDER_4K, PAGE_GUEST);
	if (l)
		page_free(l, LOOSE_ORDER, PAGE_HV);
}

void loose_free(hpa_t chunk)
{
	destroy(loose_of(chunk));
}

/* The chunk's entry; NULL if gpa is not RAM. */
static hpa_t *chunk_of(const struct guestmem *gm, gpa_t gpa)
{
	const struct guestmem_slot *s = guest_slot(gm, gpa);

	return s ? &s->chunk[(gpa.v - s->base.v) / GUESTMEM_CHUNK] : NULL;
}

static u64 page_index(gpa_t gpa)
{
	return gpa.v % GUESTMEM_CHUNK / PAGE_SIZE;
}

/* Chunk i becomes a block of its own, if it is a part of a larger one. */
static void split_block(const struct guestmem_slot *s, u64 i)
{
	while (!s->order[i])
		i--;
	if (s->order[i] == PAGE_ORDER_2M)
		return;
	page_split(hpa_to_hva(s->chunk[i]), s->order[i], PAGE_ORDER_2M, PAGE_GUEST);
	memset(&s->order[i], PAGE_ORDER_2M, 1ul << (s->order[i] - PAGE_ORDER_2M));
}

/* A whole chunk becomes a loose one with all its pages. */
static enum status loosen(const struct guestmem_slot *s, u64 i)
{
	hpa_t chunk = s->chunk[i];
	struct loose *l = loose_create(chunk);

	if (!l)
		return ERR_NOMEM;
	split_block(s, i);
	page_split(hpa_to_hva(chunk), PAGE_ORDER_2M, PAGE_ORDER_4K, PAGE_GUEST);
	for (u64 page = 0; page < CHUNK_PAGES; page++)
		l->page[page] = HPA(chunk.v + page * PAGE_SIZE);
	l->missing = 0;
	s->chunk[i] = loose_entry(l);
	return OK;
}

static enum status release_page(const struct guestmem_slot *s, u64 i, u64 page)
{
	struct loose *l;

	if (!(s->chunk[i].v & GUESTMEM_LOOSE) && loosen(s, i) != OK)
		return ERR_NOMEM;
	l = loose_of(s->chunk[i]);
	if (!l || !l->page[page].v)
		return ERR_EXIST;
	page_free(hpa_to_hva(l->page[page]), PAGE_ORDER_4K, PAGE_GUEST);
	l->page[page] = HPA(0);
	l->missing++;
	return OK;
}

static enum status release_chunk(const struct guestmem_slot *s, u64 i)
{
	if (s->chunk[i].v & GUESTMEM_LOOSE)
		return ERR_EXIST;
	split_block(s, i);
	page_free(hpa_to_hva(s->chunk[i]), PAGE_ORDER_2M, PAGE_GUEST);
	s->chunk[i] = HPA(GUESTMEM_LOOSE);
	return OK;
}

enum status guestmem_release(struct guestmem *gm, gpa_t gpa, u64 len)
{
	const struct guestmem_slot *s = guest_slot(gm, gpa);
	enum status st;
	u64 i;

	if (!s || !IS_ALIGNED(gpa.v, len) || !guest_is_ram(gm, gpa, len))
		return ERR_RANGE;
	i = (gpa.v - s->base.v) / GUESTMEM_CHUNK;
	st = len == PAGE_SIZE ? release_page(s, i, page_index(gpa)) : release_chunk(s, i);
	gm->moved += st == OK;
	return st;
}

bool guestmem_has(const struct guestmem *gm, gpa_t gpa)
{
	const hpa_t *chunk = chunk_of(gm, gpa);
	const struct loose *l;

	if (!chunk || !(chunk->v & GUESTMEM_LOOSE))
		return chunk;
	l = loose_of(*chunk);
	return l && l->page[page_index(gpa)].v;
}

bool guestmem_is_whole(const struct guestmem *gm, gpa_t gpa)
{
	const hpa_t *chunk = chunk_of(gm, gpa);

	return chunk && !(chunk->v & GUESTMEM_LOOSE) &&
	       guest_is_ram(gm, GPA(gpa.v & ~(GUESTMEM_CHUNK - 1)), GUESTMEM_CHUNK);
}

enum status guestmem_restore(struct guestmem *gm, gpa_t gpa)
{
	hpa_t *chunk = chunk_of(gm, gpa);
	struct loose *l;

	if (!chunk)
		return ERR_RANGE;
	if (!(chunk->v & GUESTMEM_LOOSE))
		return OK;
	l = loose_of(*chunk);
	if (!l) {
		l = loose_create(HPA(0));
		if (!l)
			return ERR_NOMEM;
		*chunk = loose_entry(l);
	}
	return loose_fill(l, page_index(gpa)) ? OK : ERR_NOMEM;
}

static bool at_home(const struct loose *l)
{
	for (u64 i = 0; i < CHUNK_PAGES; i++)
		if (l->page[i].v != l->home.v + i * PAGE_SIZE)
			return false;
	return true;
}

bool guestmem_join(struct guestmem *gm, gpa_t gpa, void (*unmap)(void *ctx, gpa_t chunk), void *ctx,
	bool *copied)
{
	hpa_t *chunk = chunk_of(gm, gpa);
	struct loose *l = chunk && (chunk->v & GUESTMEM_LOOSE) ? loose_of(*chunk) : NULL;
	u8 *block;

	if (!l || l->missing)
		return false;
	*copied = !at_home(l);
	if (!*copied) {
		*chunk = l->home;
		BUG_ON(!page_join(hpa_to_hva(l->home), PAGE_ORDER_2M, PAGE_GUEST));
		page_free(l, LOOSE_ORDER, PAGE_HV);
		return true;
	}
	block = page_alloc(PAGE_ORDER_2M, PAGE_GUEST);
	if (!block)
		return false;
	unmap(ctx, GPA(gpa.v & ~(GUESTMEM_CHUNK - 1)));
	for (u64 i = 0; i < CHUNK_PAGES; i++)
		memcpy(block + i * PAGE_SIZE, hpa_to_hva(l->page[i]), PAGE_SIZE);
	*chunk = hva_to_hpa(block);
	gm->moved++;
	destroy(l);
	return true;
}

static u64 chunk_missing(hpa_t chunk)
{
	const struct loose *l = loose_of(chunk);

	if (!(chunk.v & GUESTMEM_LOOSE))
		return 0;
	return l ? l->missing : CHUNK_PAGES;
}

u64 guestmem_released(const struct guestmem *gm)
{
	u64 pages = 0;

	for (unsigned i = 0; i < gm->slots; i++)
		for (u64 c = 0; c < gm->slot[i].size / GUESTMEM_CHUNK; c++)
			pages += chunk_missing(gm->slot[i].chunk[c]);
	return pages * PAGE_SIZE;
}
