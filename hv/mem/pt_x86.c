/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor's own page-table format: Intel SDM, "4-Level Paging and 5-Level Paging". */
#include "hv/mem/pt.h"

#define PTE_P	 BIT(0)
#define PTE_A	 BIT(5)
#define PTE_D	 BIT(6)
#define PTE_PS	 BIT(7) /* a page, not a table, at levels 2 and 3 */
#define PTE_ATTR (PT_W | PT_U | PT_UC | PT_G | PT_NX)
#define PTE_ADDR GENMASK(51, 12)

static u64 x86_table(hpa_t next)
{
	/* All is allowed here; the leaf decides. */
	return next.v | PTE_P | PT_W | PT_U;
}

static u64 x86_leaf(hpa_t pa, unsigned level, u64 attr)
{
	/* A and D set from the start spare the processor its locked updates. */
	return pa.v | PTE_P | PTE_A | PTE_D | (level > 1 ? PTE_PS : 0) | (attr & PTE_ATTR);
}

static bool x86_present(u64 entry)
{
	return entry & PTE_P;
}

static bool x86_is_leaf(u64 entry, unsigned level)
{
	return level == 1 || (level <= 3 && (entry & PTE_PS));
}

static hpa_t x86_address(u64 entry, unsigned level)
{
	u64 addr = entry & PTE_ADDR;

	/* Bit 12 of a large page is its PAT bit. */
	return HPA(x86_is_leaf(entry, level) ? ALIGN_DOWN(addr, PT_SPAN(level)) : addr);
}

static u64 x86_attr(u64 entry)
{
	return entry & PTE_ATTR;
}

const struct pt_format pt_x86 = {
	.name = "x86-64",
	.levels = 4,
	.table = x86_table,
	.leaf = x86_leaf,
	.present = x86_present,
	.is_leaf = x86_is_leaf,
	.address = x86_address,
	.attr = x86_attr,
};
