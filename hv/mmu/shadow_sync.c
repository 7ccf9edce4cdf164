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
 */
#include "hv/lib/words.h"
#include "hv/mmu/shadow_priv.h"

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

void unsync_forget(struct shadow *s, u64 gfn)
{
	frame_known(s, gfn)->unsync = 0;
	for (unsigned i = 0; i < s->unsyncs; i++)
		if (s->unsync[i] == gfn)
			s->unsync[i] = s->unsync[--s->unsyncs];
}

/* Every entry that is something, for the guest or for us, is derived anew. */
static void resync(struct shadow *s, struct spage *p)
{
	const void *table = shadow_table(s, p->gfn);
	unsigned ours = spage_next(p, 0), guests = shadow_next_entry(s, p, table, 0), i;

	while ((i = MIN(ours, guests)) < SHADOW_ENTRIES) {
		shadow_refresh(s, p, table, i);
		if (i == ours)
			ours = spage_next(p, i + 1);
		if (i == guests)
			guests = shadow_next_entry(s, p, table, i + 1);
	}
}

void unsync_end(struct shadow *s, u64 gfn)
{
	unsync_forget(s, gfn);
	shadow_protect(s, frame_known(s, gfn));
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n))
		if (likely(!spage_obsolete(s, &s->page[n])))
			resync(s, &s->page[n]);
}

void unsync_end_all(struct shadow *s)
{
	while (s->unsyncs)
		unsync_end(s, s->unsync[s->unsyncs - 1]);
}

void unsync_start(struct shadow *s, u64 gfn)
{
	if (s->unsyncs == SHADOW_UNSYNC_MAX)
		unsync_end(s, s->unsync[0]);
	frame_known(s, gfn)->unsync = 1;
	s->unsync[s->unsyncs++] = gfn;
	s->stats.unsyncs++;
}

void unsync_invlpg(struct shadow *s, u64 gva)
{
	const struct frame *f;
	struct spage *p;
	unsigned index;
	u64 allowed;

	p = shadow_lookup(s, gva, &index, &allowed);
	if (!p || p->role.direct)
		return;
	/* In sync, an entry follows its guest's at each write. */
	f = shadow_frame(s, p->gfn);
	if (f && f->unsync)
		shadow_refresh(s, p, shadow_table(s, p->gfn), index);
}
