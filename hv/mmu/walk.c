/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk of a guest's page tables. The three formats of the manual's "Paging" chapter are rows of
 * one table; one loop descends in all of them, then permissions are checked on what was gathered,
 * and only then are accessed and dirty flags set:
 *
 *   descend (entries, leaf) -> permissions -> A/D -> gpa
 *             \-> not present, reserved       \-> an entry has changed: from the start,
 *                                                  TRIES_MAX times at most: who holds the VM's
 *                                                  lock cannot wait for another vcpu to tire of it
 */
#include "hv/cpu/regs.h"
#include "hv/mmu/walk.h"

/* "Paging-Structure Entries": the bits that all formats share. */
#define PTE_P  BIT(0)
#define PTE_W  BIT(1)
#define PTE_U  BIT(2)
#define PTE_A  BIT(5)
#define PTE_D  BIT(6)
#define PTE_PS BIT(7)
#define PTE_NX BIT(63)

#define LEVEL_PTE   1u
#define LEVEL_PDE   2u
#define LEVEL_PDPTE 3u
#define LEVEL_PML4E 4u
#define LEVELS	    4u

#define TRIES_MAX 16u

#define LINEAR_32 0xfffffffful

/* PSE-36: bits 20:13 of a 4 MB page's entry are bits 39:32 of its address. */
#define PSE36_LOW   13
#define PSE36_HIGH  20
#define PSE36_SHIFT (32 - PSE36_LOW)
#define PSE36_WIDTH 40
#define PSE_RSVD    BIT(21)

struct paging_format {
	unsigned levels;
	unsigned entry_size; /* bytes */
	u64 index_mask;
	unsigned shift[LEVELS + 1]; /* lowest bit of the index, by level; also: log2 of the page */
	u64 cr3_mask;
};

static const struct paging_format format_32 = {
	.levels = 2,
	.entry_size = 4,
	.index_mask = BIT(10) - 1,
	.shift = { [LEVEL_PTE] = 12, [LEVEL_PDE] = 22 },
	.cr3_mask = GENMASK(31, 12),
};

/* Of the three levels the top one is in registers: the descent begins at the page directory. */
static const struct paging_format format_pae = {
	.levels = 2,
	.entry_size = 8,
	.index_mask = BIT(9) - 1,
	.shift = { [LEVEL_PTE] = 12, [LEVEL_PDE] = 21, [LEVEL_PDPTE] = 30 },
	.cr3_mask = GENMASK(31, 5),
};

static const struct paging_format format_4level = {
	.levels = 4,
	.entry_size = 8,
	.index_mask = BIT(9) - 1,
	.shift = { [LEVEL_PTE] = 12, [LEVEL_PDE] = 21, [LEVEL_PDPTE] = 30, [LEVEL_PML4E] = 39 },
	.cr3_mask = GENMASK(51, 12),
};

/*
 * One walk under way. All of it is inlined into guest_walk(), once a format, and nothing that is
 * not may take its address: so it lives in registers.
 */
struct walker {
	const struct guestmem *gm;
	const struct walk_regs *r;
	struct walk *w;
	u64 gva;
	unsigned flags; /* WALK_* */
	unsigned large; /* bits by level: PS makes an entry there a leaf */
	u64 address;	/* of an entry: the bits that can be an address */
	u64 reserved;	/* the bits that must be 0 in any entry */
	u64 all;	/* the bits that are set in all entries from the root to the leaf */
	u64 leaf;	/* the entry that ends the walk */
	u64 offset;	/* mask: the bits of the address within its page */
};

#define INLINE static inline __attribute__((always_inline))

/* What the registers say of the format of entries. */
INLINE void prepare(struct walker *k, const struct paging_format *fmt)
{
	const struct walk_regs *r = k->r;
	u64 physical = BIT(r->maxphyaddr) - 1;

	k->address = PAGE_MASK & physical;
	if (fmt == &format_32) {
		k->large = r->cr4 & CR4_PSE ? BIT(LEVEL_PDE) : 0;
		k->reserved = 0;
		return;
	}
	k->large = BIT(LEVEL_PDE);
	k->reserved = GENMASK(51, 0) & ~physical;
	if (!(r->efer & EFER_NXE))
		k->reserved |= PTE_NX;
	if (fmt == &format_pae)
		k->reserved |= GENMASK(62, 52);
	else if (r->page1gb)
		k->large |= BIT(LEVEL_PDPTE);
}

/* "Page-Fault Exceptions": what the error code says of the access itself. */
static enum walk_result fault(struct walk *w, const struct walk_regs *r, unsigned flags, u32 why)
{
	bool i_bit = (r->cr4 & CR4_SMEP) || ((r->cr4 & CR4_PAE) && (r->efer & EFER_NXE));
	u64 error = why;

	if (flags & WALK_WRITE)
		error |= PF_W;
	if (flags & WALK_USER)
		error |= PF_U;
	if ((flags & WALK_FETCH) && i_bit)
		error |= PF_I;
	w->error = (u32)error;
	return WALK_FAULT;
}

/* The table of this level is not in RAM. */
static enum walk_result outside(struct walk *w, unsigned level)
{
	w->gpa = w->step[level].entry_gpa;
	return WALK_BAD_GPA;
}

INLINE bool is_leaf(const struct walker *k, u64 entry, unsigned level)
{
	return level == LEVEL_PTE || ((entry & PTE_PS) && (k->large & BIT(level)));
}

/* Reserved bits of a 4 MB page: bit 21, and the address bits above the physical width. */
static u64 reserved_4mb(unsigned maxphyaddr)
{
	unsigned width = MIN(maxphyaddr, (unsigned)PSE36_WIDTH);
	u64 high = GENMASK(PSE36_WIDTH - 1, 32) & ~GENMASK(width - 1, 0);

	return PSE_RSVD | high >> PSE36_SHIFT;
}

/* The bits that must be 0 in a present entry. */
INLINE u64 reserved_bits(
	const struct walker *k, const struct paging_format *fmt, u64 entry, unsigned level)
{
	if (level == LEVEL_PTE)
		return k->reserved;
	if (!(k->large & BIT(level))) /* 32-bit paging ignores what is no leaf's */
		return fmt == &format_32 ? 0 : k->reserved | PTE_PS;
	if (!(entry & PTE_PS))
		return k->reserved;
	if (fmt == &format_32)
		return reserved_4mb(k->r->maxphyaddr);
	return k->reserved | GENMASK(fmt->shift[level] - 1, 13); /* bit 12 is PAT */
}

INLINE u64 read_entry(const struct paging_format *fmt, const void *table, u64 index)
{
	if (fmt->entry_size == sizeof(u32))
		return READ_ONCE(((const u32 *)table)[index]);
	return READ_ONCE(((const u64 *)table)[index]);
}

/* From the table to the leaf, whose level is left in w->level. */
INLINE enum walk_result descend(struct walker *k, const struct paging_format *fmt, u64 table)
{
	struct walk *w = k->w;
	u64 all = ~0ul, any = 0, entry;
	unsigned level = fmt->levels;

	for (;; level--) {
		u64 index = (k->gva >> fmt->shift[level]) & fmt->index_mask;
		const void *page = guest_page(k->gm, GPA(table));

		w->step[level].entry_gpa = GPA(table + index * fmt->entry_size);
		if (unlikely(!page))
			return outside(w, level);
		entry = read_entry(fmt, page, index);
		w->step[level].entry = entry;
		if (unlikely(!(entry & PTE_P)))
			return fault(w, k->r, k->flags, 0);
		if (unlikely(entry & reserved_bits(k, fmt, entry, level)))
			return fault(w, k->r, k->flags, (u32)(PF_P | PF_RSVD));
		all &= entry;
		any |= entry;
		if (is_leaf(k, entry, level))
			break;
		table = entry & k->address;
	}
	k->all = all;
	k->leaf = entry;
	k->offset = BIT(fmt->shift[level]) - 1;
	w->level = level;
	w->writable = all & PTE_W;
	w->user = all & PTE_U;
	w->executable = !(any & PTE_NX); /* with NXE off the bit is reserved, hence 0 */
	return WALK_OK;
}

/* Where the tables start; for PAE, the page directory that a PDPTE register names. */
INLINE enum walk_result root(struct walker *k, const struct paging_format *fmt, u64 *table)
{
	struct walk_step *step = &k->w->step[LEVEL_PDPTE];
	unsigned index;

	*table = k->r->cr3 & fmt->cr3_mask & (k->address | ~PAGE_MASK);
	if (fmt != &format_pae)
		return WALK_OK;
	index = (unsigned)(k->gva >> fmt->shift[LEVEL_PDPTE]) & 3;
	step->entry_gpa = GPA(*table + index * sizeof(u64));
	step->entry = k->r->pdpte[index];
	if (!(step->entry & PTE_P))
		return fault(k->w, k->r, k->flags, 0);
	*table = step->entry & k->address;
	return WALK_OK;
}

/* "Determination of Access Rights" for supervisor-mode accesses. */
INLINE bool supervisor_allowed(const struct walker *k)
{
	const struct walk_regs *r = k->r;
	const struct walk *w = k->w;

	if (k->flags & WALK_FETCH)
		return w->executable && !(w->user && (r->cr4 & CR4_SMEP));
	if (w->user && (r->cr4 & CR4_SMAP) &&
		((k->flags & WALK_IMPLICIT) || !(r->rflags & RFLAGS_AC)))
		return false;
	return !(k->flags & WALK_WRITE) || w->writable || !(r->cr0 & CR0_WP);
}

INLINE bool user_allowed(const struct walker *k)
{
	const struct walk *w = k->w;

	if (!w->user)
		return false;
	if (k->flags & WALK_FETCH)
		return w->executable;
	return !(k->flags & WALK_WRITE) || w->writable;
}

/* "Accessed and Dirty Flags". Most walks find all of them set. */
INLINE bool flags_are_set(const struct walker *k)
{
	return (k->all & PTE_A) && (!(k->flags & WALK_WRITE) || (k->leaf & PTE_D));
}

/* *stale: an entry has changed since it was read. */
static enum walk_result set_flags(const struct guestmem *gm, struct walk *w,
	const struct paging_format *fmt, unsigned flags, bool *stale)
{
	for (unsigned level = fmt->levels; level >= w->level && !*stale; level--) {
		struct walk_step *step = &w->step[level];
		bool dirty = level == w->level && (flags & WALK_WRITE);
		u64 want = step->entry | PTE_A | (dirty ? PTE_D : 0), seen = step->entry;

		if (want == seen)
			continue;
		if (guest_cmpxchg(gm, step->entry_gpa, &seen, want, fmt->entry_size) != OK)
			return outside(w, level);
		*stale = seen != step->entry;
		step->entry = want;
	}
	return WALK_OK;
}

INLINE u64 leaf_address(const struct walker *k, const struct paging_format *fmt)
{
	u64 base = k->leaf & k->address & ~k->offset;

	if (fmt == &format_32) {
		base = k->leaf & LINEAR_32 & ~k->offset;
		if (k->w->level == LEVEL_PDE)
			base |= (k->leaf & GENMASK(PSE36_HIGH, PSE36_LOW)) << PSE36_SHIFT;
	}
	return base | (k->gva & k->offset);
}

INLINE enum walk_result walk_once(struct walker *k, const struct paging_format *fmt, bool *stale)
{
	struct walk *w = k->w;
	enum walk_result res;
	u64 table;

	prepare(k, fmt);
	res = root(k, fmt, &table);
	if (res == WALK_OK)
		res = descend(k, fmt, table);
	if (res != WALK_OK)
		return res;
	if (!(k->flags & WALK_USER ? user_allowed(k) : supervisor_allowed(k)))
		return fault(w, k->r, k->flags, (u32)PF_P);
	if (unlikely(!flags_are_set(k)) && !(k->flags & WALK_PEEK))
		res = set_flags(k->gm, w, fmt, k->flags, stale);
	if (res == WALK_OK)
		w->gpa = GPA(leaf_address(k, fmt));
	return res;
}

static enum walk_result identity(struct walk *w, u64 gva)
{
	w->gpa = GPA(gva);
	w->level = 0;
	w->writable = true;
	w->user = true;
	w->executable = true;
	return WALK_OK;
}

static const struct paging_format *format_of(const struct walk_regs *r)
{
	if (r->efer & EFER_LMA)
		return &format_4level;
	return r->cr4 & CR4_PAE ? &format_pae : &format_32;
}

u64 walk_reserved_bits(const struct walk_regs *r, u64 entry, unsigned level)
{
	struct walker k = { .r = r };

	prepare(&k, format_of(r));
	return reserved_bits(&k, format_of(r), entry, level);
}

enum walk_result guest_walk(const struct guestmem *gm, const struct walk_regs *r, gva_t gva,
	unsigned flags, struct walk *w)
{
	struct walker k = { .gm = gm, .r = r, .w = w, .gva = gva.v, .flags = flags };
	const struct paging_format *fmt = format_of(r);
	enum walk_result res;
	bool stale;

	w->error = 0;
	if (fmt != &format_4level)
		k.gva &= LINEAR_32;
	if (!(r->cr0 & CR0_PG))
		return identity(w, k.gva);
	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		stale = false;
		if (likely(fmt == &format_4level))
			res = walk_once(&k, &format_4level, &stale);
		else if (fmt == &format_pae)
			res = walk_once(&k, &format_pae, &stale);
		else
			res = walk_once(&k, &format_32, &stale);
		if (likely(!stale))
			return res;
	}
	return WALK_AGAIN;
}
