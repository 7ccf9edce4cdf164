/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several roots, loaded in turns, as a kernel with page-table isolation does at each system call:
 * after each load CR3 reads as what was loaded and memory is what those tables say, also when a
 * flush by CR4.PGE, a new table or INVLPG comes between two loads. Under shadow paging most of
 * these loads do not exit, and what has noticed none of them must ask which root it is. (mem: 64M)
 * (audit: no)
 */
#include "tests/guest/lib/paging.h"

#define ROOTS 6
#define TURNS 200
#define VA    0x8000000000ul

static u64 root[ROOTS]; /* VA is 0x100 + its number in each */
static volatile u64 *const at = (volatile u64 *)VA;

static u64 new_table(void)
{
	return (u64)new_page();
}

/* A root that is like the present one but for what VA leads to. */
static u64 make_root(u64 value)
{
	u64 *old = (u64 *)(read_cr3() & PTE_ADDR), *top = new_page();
	u64 below = new_table(), next = below, *page = new_page();

	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		top[i] = old[i];
	top[table_index(VA, 4)] = below | PTE_P | PTE_W;
	for (unsigned level = 3; level > 1; level--) {
		u64 *table = (u64 *)next;

		next = new_table();
		table[table_index(VA, level)] = next | PTE_P | PTE_W;
	}
	page[0] = value;
	((u64 *)next)[table_index(VA, 1)] = (u64)page | PTE_P | PTE_W;
	return (u64)top;
}

static void is(unsigned n, const char *after)
{
	check_eq(read_cr3(), root[n], "CR3 after %s", after);
	check_eq(*at, 0x100 + n, "memory after %s", after);
}

static void flush_all(void)
{
	u64 cr4 = read_cr4();

	write_cr4(cr4 ^ CR4_PGE);
	write_cr4(cr4);
}

/* Each of these makes an exit in some mode, and is about the root that is loaded now. */
static void disturb(unsigned turn, unsigned n)
{
	switch (turn % 5) {
	case 0:
		flush_all();
		is(n, "CR4.PGE off and on");
		flush_all();
		is(n, "the same again");
		break;
	case 1:
		invlpg(VA);
		is(n, "INVLPG");
		break;
	case 2: /* a table that was another root's is written to */
		((u64 *)root[(n + 1) % ROOTS])[table_index(VA, 4) + 1] ^= PTE_A;
		flush_all();
		is(n, "a write to another root");
		break;
	case 3:
		((u64 *)root[n])[table_index(VA, 4) + 1] ^= PTE_A;
		flush_all();
		is(n, "a write to its own root");
		break;
	default: break; /* nothing comes between */
	}
}

void test_main(void)
{
	u64 first = read_cr3();

	write_cr0(read_cr0() | CR0_WP); /* or every shadow strategy is "vtlb" */

	for (unsigned n = 0; n < ROOTS; n++)
		root[n] = make_root(0x100 + n);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		unsigned a = turn / 20 % ROOTS, b = (a + 1 + turn % 2) % ROOTS;

		write_cr3(root[a]);
		is(a, "the load");
		write_cr3(root[b]);
		is(b, "the load of another");
		disturb(turn, b);
		write_cr3(root[a]);
		disturb(turn, a);
		is(a, "the load back");
	}
	write_cr3(first);
	pass();
}
