/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow entries: how each follows from the guest's own, and the one function that writes them.
 *
 * Rules for live entries (the auditor checks them):
 *   1. An entry is live only if the guest's is present, accessed, and has no reserved bit set.
 *   2. It never allows what the guest's does not.
 *   3. W needs the guest's dirty flag in what maps a page, so that the first write exits and sets
 * it.
 *   4. A frame that is a table in sync is writable for nobody.
 *   5. Each leaf that allows writing is among its frame's writers, each link among its page's
 *      parents.
 */
#include "hv/ctl/log.h"
#include "hv/mmu/shadow_priv.h"

/* 32-bit paging: 4 MB pages, whose entries hold address bits 39:32 in bits 20:13 (PSE-36). */
#define LARGE_32_ADDR	GENMASK(31, 22)
#define LARGE_32_HIGH	GENMASK(20, 13)
#define LARGE_32_SHIFT	(32 - 13)
#define LARGE_32_FLAGS	GENMASK(12, 0)
#define LEAF_FROM_GUEST (SPTE_U | SPTE_G | SPTE_NX)
#define LINK_FROM_GUEST (SPTE_W | SPTE_U | SPTE_NX)

/* ---- the one writer ----------------------------------------------------------------------------
 *
 * shadow_set() alone writes entries that a processor may come to. What others write:
 *
 *   - pages that nothing leads to: new ones (not_live(), all_traps()), and what is not live in one
 *     that goes (page_zap());
 *   - the whole pool when it is dropped at once (discard()): its vcpu is out of the guest, and
 *     enters it on a root that is made anew, with its TLB flushed;
 *   - the four entries below a PAE root (load_pae_roots()): they say neither W nor X, and the
 *     processor reads them into registers when the guest is entered, and at no other time.
 */

static void drop_writer(struct shadow *s, entry_id id)
{
	u64 e = *entry_of(s, id);

	s->flush = true;
	shadow_set(s, id, (e & ~(SPTE_W | SPTE_D)) | SPTE_HELD, *target_of(s, id));
}

static void drop_link(struct shadow *s, entry_id id)
{
	s->flush = true;
	shadow_set(s, id, s->trap, 0);
}

/* What the old entry referred to no longer hears of it. */
static void forget(struct shadow *s, entry_id id, u64 old, u32 target)
{
	if (old & SPTE_LINK)
		refs_del(s, &s->page[target].parents, id);
	else if (old & SPTE_W)
		refs_del(s, &frame_known(s, target)->writers, id);
}

static void remember(struct shadow *s, entry_id id, u64 new, u32 target)
{
	if (new &SPTE_LINK)
		refs_add(s, &s->page[target].parents, id, drop_link);
	else if (new &SPTE_W)
		refs_add(s, &frame_known(s, target)->writers, id, drop_writer);
}

/* The same thing to point to, in the same way: only permissions or attributes change. */
static bool same_referent(u64 a, u64 b)
{
	return !((a ^ b) & (SPTE_ADDR | SPTE_LINK)) && ((a & SPTE_LINK) || !((a ^ b) & SPTE_W));
}

void shadow_set(struct shadow *s, entry_id id, u64 value, u32 target)
{
	unsigned index = id & (SHADOW_ENTRIES - 1);
	struct spage *p = page_of(s, id);
	u64 *e = &p->table[index], old = *e;
	u32 *t = &p->target[index], before = *t;
	bool was = spte_live(old), is = spte_live(value);

	if (old == value && before == target)
		return;
	if (was)
		s->stale = true;
	if (!old != !value)
		p->known[index / 64] ^= BIT(index % 64);
	*t = target;
	if (was && is && before == target && same_referent(old, value)) {
		WRITE_ONCE(*e, value);
		return;
	}
	/* The entry comes to refer to something else: for a moment it refers to nothing. */
	WRITE_ONCE(*e, s->trap);
	if (was)
		forget(s, id, old, before);
	if (is)
		remember(s, id, value, target);
	WRITE_ONCE(*e, value);
}

void shadow_protect(struct shadow *s, struct frame *f)
{
	entry_id id;

	while (refs_first(s, f->writers, &id))
		drop_writer(s, id);
	if (s->stale)
		s->flush = true;
}

/* ---- from the guest's entries ------------------------------------------------------------------
 */

/* Which of the guest's entries entry `index` of the page stands for. */
static unsigned guest_index(const struct shadow *s, const struct spage *p, unsigned index)
{
	if (s->format != FORMAT_32)
		return index;
	if (p->role.level == 1)
		return p->role.quadrant * SHADOW_ENTRIES + index;
	/* A 4 MB entry has two of ours. */
	return (p->role.quadrant * SHADOW_ENTRIES + index) / 2;
}

bool shadow_entry_is_large(const struct shadow *s, u64 g, unsigned level)
{
	if (level == 1 || level == 4 || !(g & GPTE_PS))
		return false;
	return s->format != FORMAT_32 || (s->regs.cr4 & CR4_PSE);
}

bool shadow_entry_usable(const struct shadow *s, u64 g, unsigned level)
{
	return (g & (SPTE_P | SPTE_A)) == (SPTE_P | SPTE_A) &&
	       !(g & s->rsvd[level][!!(g & GPTE_PS)]);
}

u64 shadow_guest_entry(const struct shadow *s, const struct spage *p, const void *table, unsigned i)
{
	unsigned n = guest_index(s, p, i);

	if (s->format == FORMAT_32)
		return READ_ONCE(((const u32 *)table)[n]);
	return READ_ONCE(((const u64 *)table)[n]);
}

/* The frame that guest entry g, of level `level`, names; of a large page: the first. */
static u64 guest_gfn(const struct shadow *s, u64 g, bool large, unsigned level)
{
	u64 addr = g & s->gpte_addr;

	if (!large)
		return addr >> PAGE_SHIFT;
	if (s->format == FORMAT_32)
		return ((g & LARGE_32_ADDR) | (g & LARGE_32_HIGH) << LARGE_32_SHIFT) >> PAGE_SHIFT;
	return ALIGN_DOWN(addr >> PAGE_SHIFT, BIT(SHADOW_SHIFT * (level - 1)));
}

u64 shadow_child(
	const struct shadow *s, u64 g, unsigned level, unsigned index, struct shadow_role *role)
{
	bool large = shadow_entry_is_large(s, g, level);
	u64 gfn = guest_gfn(s, g, large, level);

	*role = (struct shadow_role){ .level = (u8)(level - 1) };
	if (large) {
		role->direct = true;
		role->attr = (u16)((g & (SPTE_G | SPTE_PCD | SPTE_PWT)) |
				   (g & GPTE_LARGE_PAT ? SPTE_PAT : 0));
		/* Of a 4 MB page, each of our two entries maps one half. */
		if (s->format == FORMAT_32 && (index & 1))
			gfn += SHADOW_ENTRIES;
	} else if (s->format == FORMAT_32) {
		role->quadrant = index & 1;
	}
	return gfn;
}

u64 shadow_type(const struct shadow *s, u64 flags)
{
	unsigned index = (unsigned)((flags & (SPTE_PWT | SPTE_PCD)) / SPTE_PWT |
				    (flags & SPTE_PAT) / (SPTE_PAT / 4));

	return s->pat_flags[index];
}

/* A leaf for the frame: flags are those of the guest, in the places of a 4 KB page's entry. */
static inline u64 leaf(struct shadow *s, u64 gfn, u64 flags, bool write, u32 *target)
{
	const struct frame *f = shadow_frame(s, gfn);
	u64 e;

	*target = 0;
	if (!f)
		return s->trap; /* a device, or nothing at all */
	e = (u64)f->hfn << PAGE_SHIFT | (flags & LEAF_FROM_GUEST) | SPTE_P | SPTE_A |
	    shadow_type(s, flags);
	if (write && f->writable)
		e |= frame_in_sync(f) ? SPTE_HELD : SPTE_W | SPTE_D;
	*target = (u32)gfn;
	return e;
}

u64 shadow_link(const struct shadow *s, u64 g, bool large, const struct spage *child)
{
	u64 e = (g & LINK_FROM_GUEST) | SPTE_P | SPTE_A | SPTE_LINK | hva_to_hpa(child->table).v;

	(void)s;
	if (large && !(g & SPTE_D))
		e &= ~SPTE_W;
	return e;
}

static u64 derive_direct(struct shadow *s, const struct spage *p, unsigned index, u32 *target)
{
	u64 gfn = p->gfn + ((u64)index << (SHADOW_SHIFT * (p->role.level - 1u)));
	struct shadow_role role = p->role;
	struct spage *child;

	if (p->role.level == 1)
		return leaf(s, gfn, p->role.attr | SPTE_U, true, target);
	role.level--;
	child = page_find(s, gfn, role);
	*target = child ? (u32)(child - s->page) : 0;
	return child ? shadow_link(s, SPTE_W | SPTE_U, false, child) : s->trap;
}

/* The same for g, an entry of a guest's page table. */
static inline u64 derive_leaf(struct shadow *s, u64 g, u32 *target)
{
	*target = 0;
	if (!(g & SPTE_P))
		return 0;
	if (!shadow_entry_usable(s, g, 1))
		return s->trap;
	return leaf(s, (g & s->gpte_addr) >> PAGE_SHIFT, g,
		(g & (SPTE_W | SPTE_D)) == (SPTE_W | SPTE_D), target);
}

u64 shadow_derive(
	struct shadow *s, const struct spage *p, const void *table, unsigned index, u32 *target)
{
	unsigned level = p->role.level;
	struct shadow_role role;
	struct spage *child;
	u64 g;

	*target = 0;
	if (p->role.direct)
		return derive_direct(s, p, index, target);
	g = shadow_guest_entry(s, p, table, index);
	if (level == 1)
		return derive_leaf(s, g, target);
	if (!(g & SPTE_P))
		return 0;
	if (!shadow_entry_usable(s, g, level))
		return s->trap;
	child = page_find(s, shadow_child(s, g, level, index, &role), role);
	if (!child)
		return s->trap;
	*target = (u32)(child - s->page);
	return shadow_link(s, g, role.direct, child);
}

static __attribute__((noinline)) void refresh_any(
	struct shadow *s, struct spage *p, const void *table, unsigned index)
{
	u32 target;
	u64 e = shadow_derive(s, p, table, index, &target);

	shadow_set(s, id_of(s, p, index), e, target);
}

/* Nearly all are of page tables with entries of 8 bytes, and most are as they should be. */
void shadow_refresh(struct shadow *s, struct spage *p, const void *table, unsigned index)
{
	u32 target;
	u64 e;

	if (p->role.level != 1 || p->role.direct || s->format == FORMAT_32) {
		refresh_any(s, p, table, index);
		return;
	}
	e = derive_leaf(s, READ_ONCE(((const u64 *)table)[index]), &target);
	if (e != p->table[index] || target != p->target[index])
		shadow_set(s, id_of(s, p, index), e, target);
}

struct spage *shadow_lookup(struct shadow *s, u64 gva, unsigned *index, u64 *allowed)
{
	struct spage *p = shadow_top(s, gva);
	u64 e, all = ~0ul;
	unsigned i;

	if (!p->in_use)
		return NULL;
	for (unsigned level = p->role.level; level > 1; level--) {
		i = shadow_index(gva, level);
		e = p->table[i];
		if (!spte_live(e))
			return NULL;
		all &= e;
		p = &s->page[p->target[i]];
	}
	*index = shadow_index(gva, 1);
	*allowed = all;
	return p;
}
