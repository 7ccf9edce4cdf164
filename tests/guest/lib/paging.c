/* SPDX-License-Identifier: BSD-2-Clause */
/* 4-level page tables: finding entries, and saying what is in them. */
#include "tests/guest/lib/paging.h"

#define CPUID7_EBX_SMEP BIT(7)
#define CPUID7_EBX_SMAP BIT(20)
#define CPUID81_EDX_NX	BIT(20)
#define CPUID81_EDX_1G	BIT(26)
#define LEAF_FEATURES	7u
#define LEAF_EXTENDED	0x80000001u

u64 *entry_of(u64 va, unsigned level)
{
	u64 *table = (u64 *)(read_cr3() & PTE_ADDR);

	for (unsigned l = 4; l > level; l--)
		table = (u64 *)(table[table_index(va, l)] & PTE_ADDR);
	return &table[table_index(va, level)];
}

const char *entry_words(u64 entry, char *out)
{
	static const struct {
		u64 bit;
		const char *name;
	} bits[] = {
		{ PTE_P, "P" },
		{ PTE_W, "W" },
		{ PTE_U, "U" },
		{ PTE_PWT, "PWT" },
		{ PTE_PCD, "PCD" },
		{ PTE_A, "A" },
		{ PTE_D, "D" },
		{ PTE_PS, "PS" },
		{ PTE_G, "G" },
		{ PTE_RSVD, "RSVD" },
		{ PTE_NX, "NX" },
	};
	size_t n = (size_t)snprintf(out, ENTRY_WORDS_MAX, "%lx", entry & PTE_ADDR);

	for (unsigned i = 0; i < ARRAY_SIZE(bits) && n < ENTRY_WORDS_MAX; i++)
		if (entry & bits[i].bit)
			n += (size_t)snprintf(out + n, ENTRY_WORDS_MAX - n, " %s", bits[i].name);
	return out;
}

bool has_smep(void)
{
	return cpuid(0, 0).eax >= LEAF_FEATURES && (cpuid(LEAF_FEATURES, 0).ebx & CPUID7_EBX_SMEP);
}

bool has_smap(void)
{
	return cpuid(0, 0).eax >= LEAF_FEATURES && (cpuid(LEAF_FEATURES, 0).ebx & CPUID7_EBX_SMAP);
}

bool has_nx(void)
{
	return cpuid(LEAF_EXTENDED, 0).edx & CPUID81_EDX_NX;
}

bool has_1g_pages(void)
{
	return cpuid(LEAF_EXTENDED, 0).edx & CPUID81_EDX_1G;
}
