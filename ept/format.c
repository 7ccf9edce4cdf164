/* SPDX-License-Identifier: BSD-2-Clause */
/* EPT's format for the walker, and its misconfiguration rules in the manual's order. */
#include "ept/format.h"
#include "hv/mmu/mmu.h"

static_assert(EPTE_R == MMU_R && EPTE_W == MMU_W && EPTE_X == MMU_X,
	"MMU_* go into an entry as they are");

static u64 ept_table(hpa_t next)
{
	/* All is allowed here; the leaf decides. */
	return next.v | EPTE_RWX;
}

static u64 ept_leaf(hpa_t pa, unsigned level, u64 attr)
{
	return pa.v | (level > 1 ? EPTE_PS : 0) | (attr & (EPTE_RWX | EPTE_TYPE));
}

static u64 split_exec_leaf(hpa_t pa, unsigned level, u64 attr)
{
	if (level == 1 || !(attr & EPTE_X))
		return ept_leaf(pa, level, attr);
	return ept_leaf(pa, level, attr & ~EPTE_X) | EPTE_X_IN_4K;
}

static bool ept_present(u64 entry)
{
	return entry & (EPTE_RWX | EPTE_X_IN_4K);
}

static bool ept_is_leaf(u64 entry, unsigned level)
{
	return level == 1 || (level <= 3 && (entry & EPTE_PS));
}

static hpa_t ept_address(u64 entry, unsigned level)
{
	u64 addr = entry & EPTE_ADDR;

	return HPA(ept_is_leaf(entry, level) ? ALIGN_DOWN(addr, PT_SPAN(level)) : addr);
}

static u64 ept_attr(u64 entry)
{
	return (entry & (EPTE_RWX | EPTE_TYPE)) | (entry & EPTE_X_IN_4K ? EPTE_X : 0);
}

/* Two formats that differ in what a leaf allows. */
#define EPT_FORMAT(leaf_)                                                                          \
	{                                                                                          \
		.name = "EPT", .levels = 4, .table = ept_table, .leaf = (leaf_),                   \
		.present = ept_present, .is_leaf = ept_is_leaf, .address = ept_address,            \
		.attr = ept_attr,                                                                  \
	}

const struct pt_format pt_ept = EPT_FORMAT(ept_leaf);
const struct pt_format pt_ept_split_exec = EPT_FORMAT(split_exec_leaf);

/* Bits 7:3 and the address bits below the page size that must be 0 in an entry of this level. */
static const char *explain_reserved(const struct ept_caps *caps, u64 entry, unsigned level)
{
	bool large = level > 1 && (entry & EPTE_PS);

	if (level == 4 && (entry & EPTE_PS))
		return "has bit 7 set, which is reserved in a PML4 entry";
	if (level == 3 && large && !caps->page_1g)
		return "maps 1 GB, which this processor's EPT cannot";
	if (level == 2 && large && !caps->page_2m)
		return "maps 2 MB, which this processor's EPT cannot";
	if (!ept_is_leaf(entry, level) && (entry & GENMASK(6, 3)))
		return "points to a table but has one of bits 6:3 set, which are reserved there";
	if (large && (entry & EPTE_ADDR & (PT_SPAN(level) - 1)))
		return "maps a large page but has address bits below the page's size set";
	return NULL;
}

static bool is_reserved_type(u64 entry)
{
	static const bool reserved[] = { [2] = true, [3] = true, [7] = true };

	return reserved[(entry & EPTE_TYPE) >> EPTE_TYPE_SHIFT];
}

const char *ept_explain_misconfig(const struct ept_caps *caps, u64 entry, unsigned level)
{
	const char *why;

	if ((entry & (EPTE_R | EPTE_W)) == EPTE_W)
		return "is writable but not readable";
	if ((entry & EPTE_RWX) == EPTE_X && !caps->exec_only)
		return "is executable but not readable, which this processor's EPT cannot do";
	if (!(entry & EPTE_RWX))
		return NULL;
	if (entry & EPTE_ADDR & ~(BIT(caps->maxphyaddr) - 1))
		return "has address bits set above the processor's physical-address width";
	why = explain_reserved(caps, entry, level);
	if (why)
		return why;
	if (ept_is_leaf(entry, level) && is_reserved_type(entry))
		return "has a reserved memory type (2, 3 or 7)";
	return NULL;
}
