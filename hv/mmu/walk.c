/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk of a guest's page tables. The three formats of the manual's "Paging" chapter are rows of
 * one table; one loop descends in all of them, then permissions are checked on what was gathered,
 * and only then are accessed and dirty flags set:
 *
 *   descend (entries, leaf) -> permissions -> A/D -> gpa
 *             \-> not present, reserved       \-> an entry has changed: from the start
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

/* One walk under way. */
struct walker {
	const struct guestmem *gm;
	const struct walk_regs *r;
	const struct paging_format *fmt;
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

static const struct paging_format *format_of(const struct walk_regs *r)
{
	if (r->efer & EFER_LMA)
		return &format_4level;
	return r->cr4 & CR4_PAE ? &format_pae : &format_32;
}

/* What the registers say of the format of entries. */
static inline void prepare(struct walker *k)
{
	const struct walk_regs *r = k->r;
	u64 physical = BIT(r->maxphyaddr) - 1;

	k->fmt = format_of(r);
	k->address = PAGE_MASK & physical;
	if (k->fmt == &format_32) {
		k->large = r->cr4 & CR4_PSE ? BIT(LEVEL_PDE) : 0;
		k->reserved = 0;
		return;
	}
	k->large = BIT(LEVEL_PDE);
	k->reserved = GENMASK(51, 0) & ~physical;
	if (!(r->efer & EFER_NXE))
		k->reserved |= PTE_NX;
	if (k->fmt == &format_pae)
		k->reserved |= GENMASK(62, 52);
	else if (r->page1gb)
		k->large |= BIT(LEVEL_PDPTE);
}

/* "Page-Fault Exceptions": what the error code says of the access itself. */
static enum walk_result fault(struct walker *k, u32 why)
{
	bool i_bit = (k->r->cr4 & CR4_SMEP) || ((k->r->cr4 & CR4_PAE) && (k->r->efer & EFER_NXE));
	u64 error = why;

	if (k->flags & WALK_WRITE)
		error |= PF_W;
	if (k->flags & WALK_USER)
		error |= PF_U;
	if ((k->flags & WALK_FETCH) && i_bit)
		error |= PF_I;
	k->w->error = (u32)error;
	return WALK_FAULT;
}

/* The table of this level is not in RAM. */
static enum walk_result outside(struct walker *k, unsigned level)
{
	k->w->gpa = k->w->step[level].entry_gpa;
	return WALK_BAD_GPA;
}

static inline bool is_leaf(const struct walker *k, u64 entry, unsigned level)
{
	return level == LEVEL_PTE || ((entry & PTE_PS) && (k->large & BIT(level)));
}

/* Reserved bits of a 4 MB page: bit 21, and the address bits above the physical width. */
static u64 reserved_4mb(const struct walker *k)
{
	unsigned width = MIN(k->r->maxphyaddr, (unsigned)PSE36_WIDTH);
	u64 high = GENMASK(PSE36_WIDTH - 1, 32) & ~GENMASK(width - 1, 0);

	return PSE_RSVD | high >> PSE36_SHIFT;
}

/* The bits that must be 0 in a present entry. */
static inline u64 reserved_bits(const struct walker *k, u64 entry, unsigned level)
{
	if (level == LEVEL_PTE || !(entry & PTE_PS))
		return k->reserved;
	if (k->fmt == &format_32)
		return k->large ? reserved_4mb(k) : 0;
	if (!(k->large & BIT(level)))
		return k->reserved | PTE_PS;
	return k->reserved | GENMASK(k->fmt->shift[level] - 1, 13); /* bit 12 is PAT */
}

static inline u64 read_entry(const struct paging_format *fmt, const void *table, u64 index)
{
	if (fmt->entry_size == sizeof(u32))
		return READ_ONCE(((const u32 *)table)[index]);
	return READ_ONCE(((const u64 *)table)[index]);
}

/* From the table to the leaf, whose level is left in w->level. Inline, with a constant format. */
static inline __attribute__((always_inline)) enum walk_result descend_in(
	struct walker *k, const struct paging_format *fmt, u64 table)
{
	struct walk *w = k->w;
	u64 all = ~0ul, any = 0;
	unsigned level = fmt->levels;

	for (;; level--) {
		u64 index = (k->gva >> fmt->shift[level]) & fmt->index_mask, entry;
		const void *page = guest_page(k->gm, GPA(table));

		w->step[level].entry_gpa = GPA(table + index * fmt->entry_size);
		if (unlikely(!page))
			return outside(k, level);
		entry = read_entry(fmt, page, index);
		w->step[level].entry = entry;
		if (unlikely(!(entry & PTE_P)))
			return fault(k, 0);
		if (unlikely(entry & reserved_bits(k, entry, level)))
			return fault(k, (u32)(PF_P | PF_RSVD));
		all &= entry;
		any |= entry;
		if (is_leaf(k, entry, level))
			break;
		table = entry & k->address;
	}
	k->all = all;
	k->leaf = w->step[level].entry;
	k->offset = BIT(fmt->shift[level]) - 1;
	w->level = level;
	w->writable = all & PTE_W;
	w->user = all & PTE_U;
	w->executable = !(any & PTE_NX); /* with NXE off the bit is reserved, hence 0 */
	return WALK_OK;
}

static enum walk_result descend(struct walker *k, u64 table)
{
	if (likely(k->fmt == &format_4level))
		return descend_in(k, &format_4level, table);
	if (k->fmt == &format_pae)
		return descend_in(k, &format_pae, table);
	return descend_in(k, &format_32, table);
}

/* Where the tables start; for PAE, the page directory that a PDPTE register names. */
static enum walk_result root(struct walker *k, u64 *table)
{
	struct walk_step *step = &k->w->step[LEVEL_PDPTE];
	unsigned index;

	*table = k->r->cr3 & k->fmt->cr3_mask & (k->address | ~PAGE_MASK);
	if (k->fmt != &format_pae)
		return WALK_OK;
	index = (unsigned)(k->gva >> format_pae.shift[LEVEL_PDPTE]) & 3;
	step->entry_gpa = GPA(*table + index * sizeof(u64));
	step->entry = k->r->pdpte[index];
	if (!(step->entry & PTE_P))
		return fault(k, 0);
	*table = step->entry & k->address;
	return WALK_OK;
}

/* "Determination of Access Rights" for supervisor-mode accesses. */
static bool supervisor_allowed(const struct walker *k)
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

static bool user_allowed(const struct walker *k)
{
	const struct walk *w = k->w;

	if (!w->user)
		return false;
	if (k->flags & WALK_FETCH)
		return w->executable;
	return !(k->flags & WALK_WRITE) || w->writable;
}

/* "Accessed and Dirty Flags". False: the entry has changed since it was read. */
static enum walk_result set_flags(struct walker *k, unsigned level, bool *stale)
{
	struct walk_step *step = &k->w->step[level];
	bool dirty = level == k->w->level && (k->flags & WALK_WRITE);
	u64 want = step->entry | PTE_A | (dirty ? PTE_D : 0), seen = step->entry;

	if (want == seen)
		return WALK_OK;
	if (guest_cmpxchg(k->gm, step->entry_gpa, &seen, want, k->fmt->entry_size) != OK)
		return outside(k, level);
	*stale = seen != step->entry;
	step->entry = want;
	return WALK_OK;
}

/* Most walks find all of them set. */
static enum walk_result set_all_flags(struct walker *k, bool *stale)
{
	const struct walk *w = k->w;
	enum walk_result res = WALK_OK;

	if ((k->all & PTE_A) && (!(k->flags & WALK_WRITE) || (k->leaf & PTE_D)))
		return WALK_OK;
	if (k->flags & WALK_PEEK)
		return WALK_OK;
	for (unsigned level = k->fmt->levels; level >= w->level; level--) {
		res = set_flags(k, level, stale);
		if (res != WALK_OK || *stale)
			break;
	}
	return res;
}

static u64 leaf_address(const struct walker *k)
{
	u64 base = k->leaf & k->address & ~k->offset;

	if (k->fmt == &format_32) {
		base = k->leaf & LINEAR_32 & ~k->offset;
		if (k->w->level == LEVEL_PDE)
			base |= (k->leaf & GENMASK(PSE36_HIGH, PSE36_LOW)) << PSE36_SHIFT;
	}
	return base | (k->gva & k->offset);
}

static enum walk_result walk_once(struct walker *k, bool *stale)
{
	struct walk *w = k->w;
	enum walk_result res;
	u64 table;

	res = root(k, &table);
	if (res == WALK_OK)
		res = descend(k, table);
	if (res != WALK_OK)
		return res;
	if (!(k->flags & WALK_USER ? user_allowed(k) : supervisor_allowed(k)))
		return fault(k, (u32)PF_P);
	res = set_all_flags(k, stale);
	if (res == WALK_OK)
		w->gpa = GPA(leaf_address(k));
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

u64 walk_reserved_bits(const struct walk_regs *r, u64 entry, unsigned level)
{
	struct walker k = { .r = r };

	prepare(&k);
	return reserved_bits(&k, entry, level);
}

enum walk_result guest_walk(const struct guestmem *gm, const struct walk_regs *r, gva_t gva,
	unsigned flags, struct walk *w)
{
	struct walker k;
	enum walk_result res;
	bool stale;

	w->error = 0;
	k.gm = gm;
	k.r = r;
	k.w = w;
	k.gva = r->efer & EFER_LMA ? gva.v : gva.v & LINEAR_32;
	k.flags = flags;
	if (!(r->cr0 & CR0_PG))
		return identity(w, k.gva);
	prepare(&k);
	do {
		stale = false;
		res = walk_once(&k, &stale);
	} while (unlikely(stale));
	return res;
}
