/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual TLB: shadow tables that stand for nothing of the guest's. The upper entries allow
 * everything; a leaf has the permissions of all levels of one walk, and is forgotten at each flush.
 *
 * A large page of the guest's is cached in pieces of 4 KB, and its INVLPG must drop all of them
 * ("Operations that Invalidate TLBs and Paging-Structure Caches"). So the shadow page that spans it
 * is marked: of level 1 for 2 MB, of level 2 for 4 MB and 1 GB.
 */
#include "hv/mmu/mmu.h"
#include "hv/mmu/shadow_priv.h"

/* What must be equal for two entries of one guest table to allow the same. */
#define PERMISSIONS (SPTE_W | SPTE_U | SPTE_NX)

/* The entry for a frame, if the guest's own for it is g, in a table that the walk went through; 0:
 * the frame is no memory. */
static u64 entry_for(struct shadow *s, const struct walk *w, u64 g, u64 gfn)
{
	const struct frame *f = shadow_frame(s, gfn);
	u64 type = g & (SPTE_PWT | SPTE_PCD), e;

	if (!f)
		return 0;
	if (w->level > 1 ? g & GPTE_LARGE_PAT : w->level && (g & SPTE_PAT))
		type |= SPTE_PAT;
	e = (u64)f->hfn << PAGE_SHIFT | SPTE_P | SPTE_A | shadow_type(s, type);
	if (w->user)
		e |= SPTE_U;
	if (!w->executable)
		e |= SPTE_NX;
	if (w->writable && (g & SPTE_D) && f->writable)
		e |= SPTE_W | SPTE_D;
	return e;
}

/* What the processor would have in its TLB if it had used them too: accessed, and the same rights.
 */
static void fill_neighbours(
	struct shadow *s, struct spage *p, unsigned index, const struct walk *w, u64 g)
{
	const u64 *table = NULL;
	u64 gfn = w->gpa.v >> PAGE_SHIFT, e;

	if (w->level == 1)
		table = shadow_table(s, w->step[1].entry_gpa.v >> PAGE_SHIFT);
	if (s->format == FORMAT_32 || (w->level == 1 && !table))
		return;
	for (unsigned i = index & ~(SHADOW_LINE - 1), end = i + SHADOW_LINE; i < end; i++) {
		u64 own = table ? READ_ONCE(table[i]) : g;
		u64 at = table ? (own & SPTE_ADDR) >> PAGE_SHIFT : gfn + i - index;

		if (spte_live(p->table[i]))
			continue;
		if (table && (((own ^ g) & PERMISSIONS) || !shadow_entry_usable(s, own, 1)))
			continue;
		e = entry_for(s, w, own, at);
		if (!e)
			continue;
		shadow_set(s, id_of(s, p, i), e, (u32)at);
		s->stats.prefetched++;
	}
}

/* Page p of level 1 gets a piece of a large page. */
static void mark(struct shadow *s, struct spage *p, unsigned level)
{
	entry_id link;

	if (level == 2 && s->format != FORMAT_32)
		p->pieces = true;
	else if (refs_first(s, p->parents, &link))
		page_of(s, link)->pieces = true;
}

void vtlb_fill(
	struct shadow *s, struct spage *p, unsigned index, const struct walk *w, unsigned access)
{
	u64 g = w->level ? w->step[w->level].entry : SPTE_W | SPTE_D;
	u64 e = entry_for(s, w, g, w->gpa.v >> PAGE_SHIFT);
	bool beyond = !w->writable && (access & MMU_W);

	/* CR0.WP is off: the supervisor may write, and a user may not even read before the next
	 * fault. */
	if (beyond) {
		e |= SPTE_W | SPTE_D;
		e &= ~SPTE_U;
		if (w->user && (s->regs.cr4 & CR4_SMEP))
			e |= SPTE_NX;
	}
	shadow_set(s, id_of(s, p, index), e, (u32)(w->gpa.v >> PAGE_SHIFT));
	if (w->level > 1)
		mark(s, p, w->level);
	if (!beyond && (s->cfg.fast & SHADOW_PREFETCH))
		fill_neighbours(s, p, index, w, g);
}

/* The topmost page on the way to gva that has pieces of a large page; NULL: none has. */
static struct spage *with_pieces(struct shadow *s, u64 gva)
{
	struct spage *p = shadow_top(s, gva);

	while (p->in_use && !p->pieces) {
		unsigned index = shadow_index(gva, p->role.level);

		if (p->role.level == 1 || !spte_live(p->table[index]))
			return NULL;
		p = &s->page[p->target[index]];
	}
	return p->in_use ? p : NULL;
}

/* With its neighbours, which the guest may never have used, nor know that they are cached. */
void vtlb_invlpg(struct shadow *s, u64 gva)
{
	struct spage *p = with_pieces(s, gva);
	unsigned index;
	u64 allowed;

	if (p) {
		s->epoch++; /* no fault is under way: the page that the last one used falls too */
		page_zap(s, p);
		return;
	}
	p = shadow_lookup(s, gva, &index, &allowed);
	if (!p)
		return;
	index &= ~(SHADOW_LINE - 1);
	for (unsigned i = 0; i < SHADOW_LINE; i++)
		shadow_set(s, id_of(s, p, index + i), s->trap, 0);
}
