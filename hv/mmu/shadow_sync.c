/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaf tables out of sync. A guest that changes many entries of a page table would exit for each;
 * so after a few of them the table becomes writable, and its shadow may be behind until the guest
 * flushes its TLB, which it must do anyway before it may rely on the change.
 *
 *   in sync --- a few trapped writes that change present entries ---> out of sync
 *      ^                                                                    |
 *      +--- found quiet at some CR3 loads, or a second role, or room -------+
 *
 * While a table is out of sync, no entry says "not present" (0), since the guest may make one
 * present without a flush: they are traps. Whether it was written since the last look is told by
 * the dirty flags of the entries that map it writable, which the processor sets: a CR3 load that
 * finds them clear costs next to nothing.
 */
#include "hv/ctl/log.h"
#include "hv/mmu/shadow_priv.h"

/* CR3 loads that find few changes, or none, before a table is protected again: trapped writes would
 * have cost less than looking at all of it. */
#define QUIET_MAX 2
#define BUSY_MIN  4

static bool is_dirty(struct shadow *s, entry_id id)
{
	return *entry_of(s, id) & SPTE_D;
}

static bool clear_dirty(struct shadow *s, entry_id id)
{
	u64 e = *entry_of(s, id);

	if (e & SPTE_D) {
		shadow_set(s, id, e & ~SPTE_D, *target_of(s, id));
		s->flush = true;
	}
	return false;
}

void unsync_forget(struct shadow *s, struct spage *p)
{
	u32 n = (u32)(p - s->page);

	p->unsync = false;
	for (unsigned i = 0; i < s->unsyncs; i++)
		if (s->unsync[i] == n)
			s->unsync[i] = s->unsync[--s->unsyncs];
}

/* Returns the number of entries that had to change. */
static unsigned resync(struct shadow *s, struct spage *p)
{
	const void *table = shadow_table(s, p->gfn);
	unsigned changed = 0;

	for (unsigned i = 0; table && i < SHADOW_ENTRIES; i++) {
		u64 before = p->table[i];

		if (before == s->trap && !(shadow_guest_entry(s, p, table, i) & SPTE_P))
			continue;
		shadow_refresh(s, p, table, i);
		changed += p->table[i] != before;
	}
	p->dirty = false;
	return changed;
}

/* From traps to zeros where the guest's entry is not present: only true while writes exit. */
static void note_absent(struct shadow *s, struct spage *p)
{
	const void *table = shadow_table(s, p->gfn);

	for (unsigned i = 0; table && i < SHADOW_ENTRIES; i++)
		if (p->table[i] == s->trap && !(shadow_guest_entry(s, p, table, i) & SPTE_P))
			p->table[i] = 0;
}

void unsync_end_frame(struct shadow *s, u64 gfn)
{
	struct frame *f = shadow_frame(s, gfn);

	f->unsync = 0;
	shadow_protect(s, f);
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n)) {
		struct spage *p = &s->page[n];

		unsync_forget(s, p);
		p->writes = 0;
		resync(s, p);
		note_absent(s, p);
	}
}

static void begin(struct shadow *s, u32 n)
{
	struct spage *p = &s->page[n];

	if (p->unsync)
		return;
	p->unsync = true;
	p->dirty = true;
	p->quiet = 0;
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++)
		if (!p->table[i])
			p->table[i] = s->trap;
	s->unsync[s->unsyncs++] = n;
}

void unsync_start(struct shadow *s, u64 gfn)
{
	unsigned pages = 0;

	for (u32 n = page_first(s, gfn); n; n = page_next(s, n))
		pages++;
	BUG_ON(pages > SHADOW_UNSYNC_MAX);
	while (s->unsyncs + pages > SHADOW_UNSYNC_MAX)
		unsync_end_frame(s, s->page[s->unsync[0]].gfn);
	shadow_frame(s, gfn)->unsync = 1;
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n))
		begin(s, n);
	/* A translation of an entry that is not present is not cached by the processor, but one
	 * that faulted may be walked to again: nothing to flush. */
	s->stats.unsyncs++;
}

/* Looks whether the frame's tables were written, and brings them up to date. Returns how much was.
 */
static unsigned catch_up(struct shadow *s, struct spage *p)
{
	struct frame *f = shadow_frame(s, p->gfn);
	unsigned changed = 0;

	if (!p->dirty && !refs_any(s, f->writers, is_dirty)) {
		s->stats.resync_clean++;
		return 0;
	}
	s->stats.resyncs++;
	refs_any(s, f->writers, clear_dirty);
	for (u32 n = page_first(s, p->gfn); n; n = page_next(s, n))
		changed += resync(s, &s->page[n]);
	return changed;
}

/* False: the page is in sync again, and no longer in the list. */
static bool sync_one(struct shadow *s, struct spage *p)
{
	if (catch_up(s, p) >= BUSY_MIN)
		p->quiet = 0;
	else if (++p->quiet >= QUIET_MAX) {
		unsync_end_frame(s, p->gfn);
		return false;
	}
	return true;
}

void unsync_sync_all(struct shadow *s)
{
	for (unsigned i = 0; i < s->unsyncs;)
		i += sync_one(s, &s->page[s->unsync[i]]);
}

void unsync_invlpg(struct shadow *s, u64 gva)
{
	struct spage *p = s->root ? &s->page[s->root] : &s->page[s->pd[(gva >> 30) & 3]];
	const void *table;
	unsigned index;

	for (;;) {
		if (!p->in_use)
			return;
		index = (gva >> (PAGE_SHIFT + SHADOW_SHIFT * (p->role.level - 1u))) &
			(SHADOW_ENTRIES - 1);
		if (p->role.level == 1 || !spte_live(p->table[index]))
			break;
		p = &s->page[p->target[index]];
	}
	if (!p->unsync)
		return;
	/* In sync, an entry follows its guest's at each write. */
	table = shadow_table(s, p->gfn);
	if (table)
		shadow_refresh(s, p, table, index);
}
