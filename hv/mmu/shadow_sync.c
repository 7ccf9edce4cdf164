/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaf tables out of sync. A guest that works through a page table would exit for each entry that
 * it changes; so after a few writes that come one upon the other the table becomes writable, and
 * its shadow may be behind until the guest flushes its TLB, which it must do anyway before it may
 * rely on the change.
 *
 *                   trapped writes one upon the other
 *       in sync  -------------------------------------->  out of sync
 *                <--------------------------------------
 *          CR3 load: all entries are brought up to date
 *
 * INVLPG brings one entry up to date. A guest may make an entry present without any flush: so as
 * long as some table is out of sync, every page fault exits, the filter notwithstanding, and every
 * CR3 load does (shadow_root.c).
 *
 * What its shadow follows meanwhile is a copy of the table, in which only entries that are brought
 * up to date change. So what is to be done at the end is what differs from the copy, and the
 * auditor finds nothing behind.
 */
#include "hv/lib/string.h"
#include "hv/lib/words.h"
#include "hv/mem/page.h"
#include "hv/mmu/shadow_priv.h"

#define TABLE_WORDS (PAGE_SIZE / sizeof(u64))

unsigned shadow_next_entry(
	const struct shadow *s, const struct spage *p, const void *table, unsigned index)
{
	if (s->format != FORMAT_32)
		return index +
		       (unsigned)words_equal((const u64 *)table + index, SHADOW_ENTRIES - index, 0);
	while (index < SHADOW_ENTRIES && !shadow_guest_entry(s, p, table, index))
		index++;
	return index;
}

/* Of a frame that is out of sync. */
static struct shadow_unsync *find(struct shadow *s, u64 gfn)
{
	for (unsigned i = 0; i < s->unsyncs; i++)
		if (s->unsync[i].gfn == gfn)
			return &s->unsync[i];
	BUG("a table that is out of sync is not among those that are");
}

/* It goes behind the last one of the list, where its copy is found for the next. */
void unsync_forget(struct shadow *s, u64 gfn)
{
	struct shadow_unsync *u = find(s, gfn), ended = *u;

	frame_known(s, gfn)->unsync = 0;
	*u = s->unsync[--s->unsyncs];
	s->unsync[s->unsyncs] = ended;
}

/* The entries of p in word `at` of its table: one of 8 bytes, or two of 4, of which the page may
 * stand for none. */
static void refresh_word(struct shadow *s, struct spage *p, const void *table, unsigned at)
{
	unsigned first = 2 * at - p->role.quadrant * SHADOW_ENTRIES;

	if (s->format != FORMAT_32) {
		shadow_refresh(s, p, table, at);
	} else if (first < SHADOW_ENTRIES) {
		shadow_refresh(s, p, table, first);
		shadow_refresh(s, p, table, first + 1);
	}
}

/* What has changed is derived anew. */
static void resync(struct shadow *s, struct spage *p, const u64 *seen)
{
	const u64 *table = shadow_table(s, p->gfn);
	unsigned at = 0;

	while ((at += (unsigned)words_same(table + at, seen + at, TABLE_WORDS - at)) < TABLE_WORDS)
		refresh_word(s, p, table, at++);
}

void unsync_end(struct shadow *s, u64 gfn)
{
	const u64 *seen = find(s, gfn)->seen;

	unsync_forget(s, gfn);
	shadow_protect(s, frame_known(s, gfn));
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n))
		if (likely(!spage_obsolete(s, &s->page[n])))
			resync(s, &s->page[n], seen);
}

/* The guest may write to the table at any time: the entry is derived from what was seen. */
void unsync_refresh(struct shadow *s, struct spage *p, const void *table, unsigned index)
{
	const struct frame *f = p->role.direct ? NULL : shadow_frame(s, p->gfn);
	u64 *seen;

	if (likely(!f || !f->unsync)) {
		shadow_refresh(s, p, table, index);
		return;
	}
	seen = find(s, p->gfn)->seen;
	if (s->format == FORMAT_32)
		((u32 *)seen)[p->role.quadrant * SHADOW_ENTRIES + index] =
			(u32)shadow_guest_entry(s, p, table, index);
	else
		seen[index] = shadow_guest_entry(s, p, table, index);
	shadow_refresh(s, p, seen, index);
}

const void *unsync_followed(struct shadow *s, const struct spage *p)
{
	const struct frame *f = shadow_frame(s, p->gfn);

	return f && f->unsync ? find(s, p->gfn)->seen : shadow_table(s, p->gfn);
}

void unsync_end_all(struct shadow *s)
{
	while (s->unsyncs)
		unsync_end(s, s->unsync[s->unsyncs - 1].gfn);
}

bool unsync_start(struct shadow *s, u64 gfn)
{
	struct shadow_unsync *u;

	if (s->unsyncs == SHADOW_UNSYNC_MAX)
		unsync_end(s, s->unsync[0].gfn);
	u = &s->unsync[s->unsyncs];
	if (!u->seen)
		u->seen = page_alloc(PAGE_ORDER_4K, PAGE_TABLE);
	if (!u->seen)
		return false;
	u->gfn = gfn;
	memcpy(u->seen, shadow_table(s, gfn), PAGE_SIZE);
	frame_known(s, gfn)->unsync = 1;
	s->unsyncs++;
	s->stats.unsyncs++;
	return true;
}

void unsync_destroy(struct shadow *s)
{
	for (unsigned i = 0; i < SHADOW_UNSYNC_MAX; i++)
		if (s->unsync[i].seen)
			page_free(s->unsync[i].seen, PAGE_ORDER_4K, PAGE_TABLE);
}

const struct spage *unsync_invlpg(struct shadow *s, u64 gva)
{
	const struct frame *f;
	struct spage *p;
	unsigned index;
	u64 allowed;

	p = shadow_lookup(s, gva, &index, &allowed);
	if (!p || p->role.direct)
		return NULL;
	/* In sync, an entry follows its guest's at each write. */
	f = shadow_frame(s, p->gfn);
	if (!f || !f->unsync)
		return NULL;
	unsync_refresh(s, p, shadow_table(s, p->gfn), index);
	return p;
}
