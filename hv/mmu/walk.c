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
	unsigned index_bits;
	unsigned shift[LEVELS + 1]; /* lowest bit of the index, by level; also: log2 of the page */
	bool large[LEVELS + 1];	    /* PS makes the entry a leaf, by level */
	u64 cr3_mask;
};

static const struct paging_format format_32 = {
	.levels = 2,
	.entry_size = 4,
	.index_bits = 10,
	.shift = { [LEVEL_PTE] = 12, [LEVEL_PDE] = 22 },
	.large = { [LEVEL_PDE] = true },
	.cr3_mask = GENMASK(31, 12),
};

/* Of the three levels the top one is in registers: the descent begins at the page directory. */
static const struct paging_format format_pae = {
	.levels = 2,
	.entry_size = 8,
	.index_bits = 9,
	.shift = { [LEVEL_PTE] = 12, [LEVEL_PDE] = 21, [LEVEL_PDPTE] = 30 },
	.large = { [LEVEL_PDE] = true },
	.cr3_mask = GENMASK(31, 5),
};

static const struct paging_format format_4level = {
	.levels = 4,
	.entry_size = 8,
	.index_bits = 9,
	.shift = { [LEVEL_PTE] = 12, [LEVEL_PDE] = 21, [LEVEL_PDPTE] = 30, [LEVEL_PML4E] = 39 },
	.large = { [LEVEL_PDE] = true, [LEVEL_PDPTE] = true },
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
};

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

static u64 physical_mask(const struct walker *k)
{
	return GENMASK(k->r->maxphyaddr - 1, 0);
}

static bool is_leaf(const struct walker *k, u64 entry, unsigned level)
{
	if (level == LEVEL_PTE)
		return true;
	if (!k->fmt->large[level] || !(entry & PTE_PS))
		return false;
	return k->fmt != &format_32 || (k->r->cr4 & CR4_PSE);
}

/* Reserved bits of a 4 MB page: bit 21, and the address bits above the physical width. */
static u64 reserved_4mb(const struct walker *k)
{
	unsigned width = MIN(k->r->maxphyaddr, (unsigned)PSE36_WIDTH);
	u64 high = GENMASK(PSE36_WIDTH - 1, 32) & ~GENMASK(width - 1, 0);

	return PSE_RSVD | high >> PSE36_SHIFT;
}

/* The bits that must be 0 in a present entry. */
static u64 reserved_bits(const struct walker *k, u64 entry, unsigned level)
{
	u64 reserved;

	if (k->fmt == &format_32)
		return level == LEVEL_PDE && is_leaf(k, entry, level) ? reserved_4mb(k) : 0;
	reserved = GENMASK(51, 0) & ~physical_mask(k);
	if (k->fmt == &format_pae)
		reserved |= GENMASK(62, 52);
	if (!(k->r->efer & EFER_NXE))
		reserved |= PTE_NX;
	if (level == LEVEL_PML4E)
		reserved |= PTE_PS;
	if (level > LEVEL_PTE && is_leaf(k, entry, level))
		reserved |= GENMASK(k->fmt->shift[level] - 1, 13); /* bit 12 is PAT */
	return reserved;
}

static enum walk_result read_entry(struct walker *k, u64 table, unsigned level)
{
	const struct paging_format *fmt = k->fmt;
	struct walk_step *step = &k->w->step[level];
	u64 index = (k->gva >> fmt->shift[level]) & (BIT(fmt->index_bits) - 1);

	step->entry_gpa = GPA(table + index * fmt->entry_size);
	step->entry = 0;
	k->w->gpa = step->entry_gpa;
	if (guest_read(k->gm, step->entry_gpa, &step->entry, fmt->entry_size) != OK)
		return WALK_BAD_GPA;
	if (!(step->entry & PTE_P))
		return fault(k, 0);
	if (step->entry & reserved_bits(k, step->entry, level))
		return fault(k, (u32)(PF_P | PF_RSVD));
	return WALK_OK;
}

static void gather(struct walk *w, u64 entry)
{
	w->writable &= !!(entry & PTE_W);
	w->user &= !!(entry & PTE_U);
	w->executable &= !(entry & PTE_NX); /* with NXE off the bit is reserved, hence 0 */
}

/* From the table to the leaf; leaves w->level there. */
static enum walk_result descend(struct walker *k, u64 table)
{
	unsigned level = k->fmt->levels;

	for (;; level--) {
		enum walk_result res = read_entry(k, table, level);
		u64 entry = k->w->step[level].entry;

		if (res != WALK_OK)
			return res;
		gather(k->w, entry);
		if (is_leaf(k, entry, level))
			break;
		table = entry & GENMASK(51, 12) & physical_mask(k);
	}
	k->w->level = level;
	return WALK_OK;
}

/* Where the tables start; for PAE, the page directory that a PDPTE register names. */
static enum walk_result root(struct walker *k, u64 *table)
{
	unsigned index = (unsigned)(k->gva >> format_pae.shift[LEVEL_PDPTE]) & 3;
	struct walk_step *step = &k->w->step[LEVEL_PDPTE];

	*table = k->r->cr3 & k->fmt->cr3_mask & physical_mask(k);
	if (k->fmt != &format_pae)
		return WALK_OK;
	step->entry_gpa = GPA(*table + index * sizeof(u64));
	step->entry = k->r->pdpte[index];
	if (!(step->entry & PTE_P))
		return fault(k, 0);
	*table = step->entry & GENMASK(51, 12) & physical_mask(k);
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
	if (guest_cmpxchg(k->gm, step->entry_gpa, &seen, want, k->fmt->entry_size) != OK) {
		k->w->gpa = step->entry_gpa;
		return WALK_BAD_GPA;
	}
	*stale = seen != step->entry;
	step->entry = want;
	return WALK_OK;
}

static enum walk_result set_all_flags(struct walker *k, bool *stale)
{
	enum walk_result res = WALK_OK;

	if (k->flags & WALK_PEEK)
		return WALK_OK;
	for (unsigned level = k->fmt->levels; level >= k->w->level; level--) {
		res = set_flags(k, level, stale);
		if (res != WALK_OK || *stale)
			break;
	}
	return res;
}

static u64 leaf_address(const struct walker *k)
{
	const struct walk *w = k->w;
	u64 entry = w->step[w->level].entry, offset_mask = BIT(k->fmt->shift[w->level]) - 1;
	u64 base = entry & GENMASK(51, 12) & physical_mask(k) & ~offset_mask;

	if (k->fmt == &format_32) {
		base = entry & LINEAR_32 & ~offset_mask;
		if (w->level == LEVEL_PDE)
			base |= (entry & GENMASK(PSE36_HIGH, PSE36_LOW)) << PSE36_SHIFT;
	}
	return base | (k->gva & offset_mask);
}

static enum walk_result walk_once(struct walker *k, bool *stale)
{
	struct walk *w = k->w;
	enum walk_result res;
	u64 table;

	w->writable = true;
	w->user = true;
	w->executable = true;
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

static const struct paging_format *format_of(const struct walk_regs *r)
{
	if (r->efer & EFER_LMA)
		return &format_4level;
	return r->cr4 & CR4_PAE ? &format_pae : &format_32;
}

u64 walk_reserved_bits(const struct walk_regs *r, u64 entry, unsigned level)
{
	struct walker k = { .r = r, .fmt = format_of(r) };

	return reserved_bits(&k, entry, level);
}

enum walk_result guest_walk(const struct guestmem *gm, const struct walk_regs *r, gva_t gva,
	unsigned flags, struct walk *w)
{
	struct walker k = { .gm = gm, .r = r, .w = w, .gva = gva.v, .flags = flags };
	enum walk_result res;
	bool stale;

	w->error = 0;
	if (!(r->efer & EFER_LMA))
		k.gva &= LINEAR_32;
	if (!(r->cr0 & CR0_PG))
		return identity(w, k.gva);
	k.fmt = format_of(r);
	do {
		stale = false;
		res = walk_once(&k, &stale);
	} while (stale);
	return res;
}
