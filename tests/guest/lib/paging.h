/* SPDX-License-Identifier: BSD-2-Clause */
/* 4-level page tables, for test guests that build and break them. */
#ifndef TESTS_GUEST_PAGING_H
#define TESTS_GUEST_PAGING_H

#include "tests/guest/lib/lib.h"

/* "4-Level Paging": bits of an entry. */
#define PTE_P	      BIT(0)
#define PTE_W	      BIT(1)
#define PTE_U	      BIT(2)
#define PTE_PWT	      BIT(3)
#define PTE_PCD	      BIT(4)
#define PTE_A	      BIT(5)
#define PTE_D	      BIT(6)
#define PTE_PS	      BIT(7) /* above level 1 */
#define PTE_PAT	      BIT(7) /* level 1 */
#define PTE_G	      BIT(8)
#define PTE_LARGE_PAT BIT(12)
#define PTE_RSVD      BIT(51) /* reserved by every processor with fewer than 52 address bits */
#define PTE_NX	      BIT(63)
#define PTE_ADDR      GENMASK(50, 12)

#define TABLE_ENTRIES 512u
#define LARGE_BYTES   (2 * MB)

static inline unsigned table_index(u64 va, unsigned level)
{
	return (va >> (12 + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

/* The entry of that level for va, by the tables that CR3 names; the levels above must be present.
 */
u64 *entry_of(u64 va, unsigned level);

#define ENTRY_WORDS_MAX 64
/* "P W U A", with the address; out: ENTRY_WORDS_MAX bytes. Returns out. */
const char *entry_words(u64 entry, char *out);

/* What the processor has, for CR4 and EFER. */
bool has_smep(void);
bool has_smap(void);
bool has_nx(void);
bool has_1g_pages(void);

/* A small generator of pseudo-random numbers (xorshift); the state must not be 0. */
static inline u64 random64(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
