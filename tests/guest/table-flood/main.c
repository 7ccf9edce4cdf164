/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables without end, with a pool of shadow pages that holds but a few of them
 * (shadow_pages: 32): chains of tables at all levels, address spaces by the hundred, and all of it
 * left behind at the end. The guest gets slower and sees nothing; the guests that run after it in
 * the same machine are the witnesses that nothing was taken from them.
 */
#include "tests/guest/lib/paging.h"

#define VA     (9ul << 39)
#define FIRST  (4 * MB) /* tables from here to the end of memory */
#define ROOTS  64u
#define SPREAD 37u /* coprime to the number of tables */
#define MANY   2000u

static u64 *next;
static u64 *own_root;

static u64 *table(void)
{
	u64 *t = next;

	next += TABLE_ENTRIES;
	if ((u64)next > guest_ram)
		fail("more tables than memory");
	memset(t, 0, PAGE_BYTES);
	return t;
}

static u64 va_of(u64 n)
{
	return VA + (n % 8) * GB * 64 + n / 8 * LARGE_BYTES;
}

/* Tables of level 1, each with one page that says which; below as few or as many as it takes. */
static void one_address_space(volatile u64 *page)
{
	u64 *l3 = table();

	own_root[table_index(VA, 4)] = (u64)l3 | PTE_P | PTE_W;
	for (u64 n = 0; n < MANY; n++) {
		u64 va = va_of(n), *e3 = &l3[table_index(va, 3)], *l2;

		if (!*e3)
			*e3 = (u64)table() | PTE_P | PTE_W;
		l2 = (u64 *)(*e3 & PTE_ADDR);
		l2[table_index(va, 2)] = (u64)table() | PTE_P | PTE_W;
		((u64 *)(l2[table_index(va, 2)] & PTE_ADDR))[0] = (u64)page | PTE_P | PTE_W;
		*(volatile u64 *)va = n;
		check_eq(page[0], n, "table %lu", n);
	}
	for (u64 n = 0, k = 0; n < MANY; n++, k = (k + SPREAD) % MANY) {
		page[1] = k;
		check_eq(*(volatile u64 *)(va_of(k) + 8), k, "table %lu, again", k);
	}
}

/* Roots that share nothing but the guest itself, each used in turn. */
static void many_address_spaces(u64 *pages)
{
	u64 *roots[ROOTS];

	next = (u64 *)FIRST + 2 * TABLE_ENTRIES; /* behind the two pages */
	for (u64 n = 0; n < ROOTS; n++) {
		u64 *l3 = table(), *l2 = table(), *l1 = table();

		roots[n] = table();
		memcpy(roots[n], own_root, PAGE_BYTES);
		roots[n][table_index(VA, 4)] = (u64)l3 | PTE_P | PTE_W;
		l3[0] = (u64)l2 | PTE_P | PTE_W;
		l2[0] = (u64)l1 | PTE_P | PTE_W;
		for (u64 i = 0; i < TABLE_ENTRIES; i++)
			l1[i] = (u64)pages | PTE_P | PTE_W;
		l1[n] = ((u64)pages + PAGE_BYTES) | PTE_P | PTE_W;
	}
	pages[0] = 1;
	pages[TABLE_ENTRIES] = 2;
	for (u64 round = 0; round < 3; round++)
		for (u64 n = 0; n < ROOTS; n++) {
			write_cr3((u64)roots[n]);
			for (u64 i = 0; i < ROOTS; i += 3)
				check_eq(*(volatile u64 *)(VA + i * PAGE_BYTES), i == n ? 2 : 1,
					"address space %lu, page %lu", n, i);
		}
	write_cr3((u64)own_root);
}

/* Each table names itself and the next: a walk of any depth meets the same frames again. */
static void a_ring_of_tables(u64 *page)
{
	u64 *ring[16];

	next = (u64 *)FIRST + 2 * TABLE_ENTRIES;
	for (unsigned i = 0; i < ARRAY_SIZE(ring); i++)
		ring[i] = table();
	for (unsigned i = 0; i < ARRAY_SIZE(ring); i++)
		for (unsigned k = 0; k < TABLE_ENTRIES; k++)
			ring[i][k] = (u64)ring[(i + k) % ARRAY_SIZE(ring)] | PTE_P | PTE_W;
	own_root[table_index(VA, 4)] = (u64)ring[0] | PTE_P | PTE_W;
	write_cr3((u64)own_root);
	for (u64 n = 0; n < 512; n++) {
		u64 i = n * 7 % 512, k = n * 3 % 512, l = n % 512;
		u64 va = VA + i * GB + k * LARGE_BYTES + l * PAGE_BYTES;
		u64 *leaf = ring[(i + k + l) % ARRAY_SIZE(ring)];

		check_eq(*(volatile u64 *)(va + 511 * 8) & PTE_ADDR, leaf[511] & PTE_ADDR,
			"the ring at %lu, %lu, %lu", i, k, l);
	}
	own_root[table_index(VA, 4)] = 0;
	write_cr3((u64)own_root);
	page[0] = 1;
}

void test_main(void)
{
	own_root = (u64 *)read_cr3();
	next = (u64 *)FIRST;
	one_address_space(table());
	next = (u64 *)FIRST;
	many_address_spaces(table());
	next = (u64 *)FIRST;
	a_ring_of_tables(table());
	/* Ends with all of it in place. */
	next = (u64 *)FIRST;
	one_address_space(table());
	pass();
}
