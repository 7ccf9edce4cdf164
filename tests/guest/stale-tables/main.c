/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables that other hypervisors have got wrong, each with its contents checked afterwards: an
 * entry that is a table, a large page and a table again with the same frame (CVE-2026-46113); a
 * table of one level used at another; one table below two parents with different permissions
 * (CVE-2021-38198); large pages that reach past memory or the address width (XSA-173); pages of 1
 * GB, written, split and merged; tables that map themselves (XSA-243); permissions taken away
 * (XSA-408); tables freed and used as data.
 */
#include "tests/guest/lib/ring.h"
#include "tests/guest/lib/walk.h"

#define SLOT		9ul
#define VA		(SLOT << 39)
#define USER_CODE	0x10000000000ul
#define BLOCK		(8 * MB) /* a large page */
#define SELF		0x1fful
#define SELF_VA		(0xffff000000000000ul | SELF << 39 | SELF << 30 | SELF << 21 | SELF << 12)
#define ALL		(PTE_P | PTE_W | PTE_U)
#define ROUNDS		50u
#define FRESH_VA	((SLOT + 1) << 39)
#define MAXPHYADDR_LEAF 0x80000008u

static u64 *l3, *l2, *l1, *pages[8];

static void build(void)
{
	l3 = new_page();
	l2 = new_page();
	l1 = new_page();
	((u64 *)read_cr3())[SLOT] = (u64)l3 | ALL;
	l3[0] = (u64)l2 | ALL;
	l2[0] = (u64)l1 | ALL;
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		pages[i] = new_page();
		pages[i][0] = 1000 + i;
		l1[i] = (u64)pages[i] | ALL;
	}
}

static void reads(u64 va, u64 want, const char *what)
{
	struct ring_result r = ring_try(3, RING_READ, va, 0, 0);

	check_eq(r.vector, -1, "%s: read of 0x%lx, error 0x%lx", what, va, r.error);
	check_eq(r.value, want, "%s: read of 0x%lx", what, va);
}

static void writes(u64 va, u64 value, const char *what)
{
	struct ring_result r = ring_try(3, RING_WRITE, va, value, 0);

	check_eq(r.vector, -1, "%s: write to 0x%lx, error 0x%lx", what, va, r.error);
}

static void faults(unsigned cpl, bool write, u64 va, u64 error, const char *what)
{
	struct ring_result r = ring_try(cpl, write ? RING_WRITE : RING_READ, va, 0, 0);

	check_eq(r.vector, VEC_PF, "%s: access to 0x%lx", what, va);
	check_eq(r.error, error, "%s: access to 0x%lx", what, va);
	check_eq(r.cr2, va, "%s: CR2", what);
}

static void table_and_large_page(void)
{
	u64 *block = (u64 *)BLOCK;

	for (u64 i = 0; i < 8; i++) {
		block[i] = (u64)pages[i] | ALL;
		block[(i + 1) * TABLE_ENTRIES] = 2000 + i;
	}
	for (u64 n = 0; n < ROUNDS; n++) {
		u64 i = n % 7;

		l2[1] = BLOCK | ALL;
		invlpg(VA + LARGE_BYTES + i * PAGE_BYTES);
		reads(VA + LARGE_BYTES + i * PAGE_BYTES, 1000 + i, "as a table");
		l2[1] = BLOCK | ALL | PTE_PS;
		if (n % 3)
			invlpg(VA + LARGE_BYTES + (i + 1) * PAGE_BYTES);
		else
			write_cr3(read_cr3());
		reads(VA + LARGE_BYTES + (i + 1) * PAGE_BYTES, 2000 + i, "as a large page");
		/* Through the large page, an entry of what will be a table again. */
		invlpg(VA + LARGE_BYTES);
		writes(VA + LARGE_BYTES + i * 8, (u64)pages[i] | ALL | PTE_A, "as a large page");
	}
	l2[1] = 0;
	invlpg(VA + LARGE_BYTES);
	faults(3, false, VA + LARGE_BYTES, PF_U, "taken out");
}

/* L1 in the place of L2: what its entries name are tables then. */
static void another_level(void)
{
	pages[4][1] = (u64)pages[5] | ALL;
	for (unsigned n = 0; n < ROUNDS; n++) {
		l3[0] = (u64)l2 | ALL;
		write_cr3(read_cr3());
		reads(VA + 4 * PAGE_BYTES, 1004, "as a table of level 1");
		l3[0] = (u64)l1 | ALL;
		write_cr3(read_cr3());
		reads(VA + 4 * LARGE_BYTES + PAGE_BYTES, 1005, "as a table of level 2");
		/* And of both at once. */
		l3[1] = (u64)l2 | ALL;
		reads(VA + GB + 6 * PAGE_BYTES, 1006, "as a table of both levels");
		l1[6] = (u64)pages[7] | ALL;
		invlpg(VA + GB + 6 * PAGE_BYTES);
		reads(VA + GB + 6 * PAGE_BYTES, 1007, "as a table of both levels, changed");
		l1[6] = (u64)pages[6] | ALL;
		l3[1] = 0;
	}
	l3[0] = (u64)l2 | ALL;
	pages[4][1] = 0;
	write_cr3(read_cr3());
}

static void two_parents(void)
{
	l2[2] = (u64)l1 | PTE_P | PTE_U;
	l2[3] = (u64)l1 | PTE_P | PTE_W;
	for (unsigned n = 0; n < ROUNDS; n++) {
		unsigned first = n % 3;

		for (unsigned k = 0; k < 3; k++)
			switch ((first + k) % 3) {
			case 0: writes(VA, 1000, "all allowed"); break;
			case 1:
				reads(VA + 2 * LARGE_BYTES, 1000, "a parent without W");
				faults(3, true, VA + 2 * LARGE_BYTES, PF_P | PF_W | PF_U,
					"a parent without W");
				faults(0, true, VA + 2 * LARGE_BYTES, PF_P | PF_W,
					"a parent without W");
				break;
			default:
				faults(3, false, VA + 3 * LARGE_BYTES, PF_P | PF_U,
					"a parent without U");
				check_eq(ring_try(0, RING_WRITE, VA + 3 * LARGE_BYTES, 1000, 0)
						 .vector,
					-1, "a parent without U");
			}
		write_cr3(read_cr3());
	}
	l2[2] = l2[3] = 0;
	write_cr3(read_cr3());
}

/* Reads past memory yield ones, writes are lost, whatever is there of the machine. */
static void past_the_end(void)
{
	unsigned width = cpuid(MAXPHYADDR_LEAF, 0).eax & 0xff;
	const u64 bases[] = { guest_ram, 2 * guest_ram, 4 * GB, BIT(width - 1),
		BIT(width) - LARGE_BYTES };

	l2[4] = (guest_ram - LARGE_BYTES) | ALL | PTE_PS;
	writes(VA + 5 * LARGE_BYTES - 8, 4711, "the last large page");
	check_eq(*(u64 *)(guest_ram - 8), 4711, "the last word of memory");
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
		l2[5] = bases[i] | ALL | PTE_PS;
		invlpg(VA + 5 * LARGE_BYTES);
		reads(VA + 5 * LARGE_BYTES, ~0ul, "a large page past memory");
		writes(VA + 6 * LARGE_BYTES - 8, 1, "a large page past memory");
		reads(VA + 6 * LARGE_BYTES - 8, ~0ul, "a large page past memory");
	}
	l2[5] = BIT(width) | ALL | PTE_PS;
	invlpg(VA + 5 * LARGE_BYTES);
	faults(3, false, VA + 5 * LARGE_BYTES, PF_P | PF_RSVD | PF_U, "past the address width");
	if (has_1g_pages()) {
		l3[2] = ALL | PTE_PS;
		reads(VA + 2 * GB + (u64)pages[3], 1003, "a page of 1 GB");
		reads(VA + 2 * GB + guest_ram, ~0ul, "a page of 1 GB, past memory");
		l3[2] = (BIT(width) - GB) | ALL | PTE_PS;
		invlpg(VA + 2 * GB + (u64)pages[3]);
		reads(VA + 2 * GB + (u64)pages[3], ~0ul, "the last page of 1 GB");
		l3[2] = 0;
	}
	l2[4] = l2[5] = 0;
	write_cr3(read_cr3());
}

/* A and D of a page of 1 GB, each from its entry. */
static void flags_of_1g(void)
{
	u64 va = VA + 2 * GB + (u64)pages[3];

	l3[2] = ALL | PTE_PS;
	invlpg(va);
	reads(va, 1003, "a page of 1 GB");
	check_eq(l3[2], ALL | PTE_PS | PTE_A, "after a read");
	writes(va + 8, 4711, "a page of 1 GB that was read");
	check_eq(l3[2], ALL | PTE_PS | PTE_A | PTE_D, "after a write");
	check_eq(pages[3][1], 4711, "what was written");
	l3[2] = ALL | PTE_PS;
	invlpg(va);
	writes(va + 8, 0, "a page of 1 GB, written at once");
	check_eq(l3[2], ALL | PTE_PS | PTE_A | PTE_D, "after a write");
	l3[2] &= ~PTE_W;
	invlpg(va);
	faults(3, true, va, PF_P | PF_W | PF_U, "a page of 1 GB, read-only");
	reads(va, 1003, "a page of 1 GB, read-only");
}

/* What the table says of memory, with two pages in each other's place and the second without W. */
static void split_1g(u64 *table, u64 *last)
{
	u64 block = (u64)pages[0] / LARGE_BYTES;

	for (u64 i = 0; i < TABLE_ENTRIES; i++) {
		table[i] = i * LARGE_BYTES | ALL | PTE_PS;
		last[i] = (block * LARGE_BYTES + i * PAGE_BYTES) | ALL;
	}
	table[block] = (u64)last | ALL;
	last[table_index((u64)pages[0], 1)] = (u64)pages[1] | ALL;
	last[table_index((u64)pages[1], 1)] = (u64)pages[0] | PTE_P | PTE_U;
}

/* All that is flushed, or the addresses that are used below. */
static void flush_1g(u64 va, bool all)
{
	if (all) {
		write_cr3(read_cr3());
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		invlpg(va + (u64)pages[i]);
}

/* As Linux splits pages of 1 GB and merges them, with a flush after each. */
static void table_and_1g_page(void)
{
	u64 *table = new_page(), *last = new_page();
	u64 va = VA + 2 * GB;

	check((u64)pages[0] / LARGE_BYTES == (u64)pages[3] / LARGE_BYTES, "one table has them");
	split_1g(table, last);
	for (u64 n = 0; n < ROUNDS; n++) {
		l3[2] = ALL | PTE_PS;
		flush_1g(va, n % 2);
		writes(va + (u64)pages[0], 1000, "as a page of 1 GB");
		reads(va + (u64)pages[1], 1001, "as a page of 1 GB");
		l3[2] = (u64)table | ALL;
		flush_1g(va, n % 3);
		reads(va + (u64)pages[0], 1001, "split");
		reads(va + (u64)pages[1], 1000, "split");
		reads(va + (u64)pages[3], 1003, "split");
		writes(va + (u64)pages[0], 1001, "split");
		faults(3, true, va + (u64)pages[1], PF_P | PF_W | PF_U, "split");
		reads(va + guest_ram - LARGE_BYTES, *(u64 *)(guest_ram - LARGE_BYTES), "a piece");
	}
	l3[2] = 0;
	invlpg(va + (u64)pages[0]);
	faults(3, false, va + (u64)pages[0], PF_U, "taken out");
}

static void maps_itself(void)
{
	u64 *root = (u64 *)read_cr3();
	volatile u64 *through = (volatile u64 *)SELF_VA;

	root[SELF] = (u64)root | PTE_P | PTE_W;
	check_eq(through[SELF] & PTE_ADDR, (u64)root, "the root through itself");
	/* A new root entry, written through the mapping of itself, and taken away again. */
	for (unsigned n = 0; n < ROUNDS; n++) {
		through[SLOT + 1] = (u64)l3 | ALL;
		reads(FRESH_VA + n % 8 * PAGE_BYTES, 1000 + n % 8,
			"a root entry written by itself");
		check_eq(through[SLOT + 1] & PTE_A, PTE_A, "its accessed flag");
		through[SLOT + 1] = 0;
		invlpg(FRESH_VA + n % 8 * PAGE_BYTES);
		faults(3, false, FRESH_VA + n % 8 * PAGE_BYTES, PF_U, "cleared by itself");
	}
	/* A table of level 1 that maps itself, at two levels. */
	l1[8] = (u64)l1 | ALL;
	for (unsigned n = 0; n < ROUNDS; n++) {
		writes(VA + 8 * PAGE_BYTES + 7 * 8, (u64)pages[n % 7] | ALL, "an entry by itself");
		invlpg(VA + 7 * PAGE_BYTES);
		reads(VA + 7 * PAGE_BYTES, 1000 + n % 7, "an entry written by itself");
	}
	l1[7] = (u64)pages[7] | ALL;
	l1[8] = 0;
	root[SELF] = 0;
	write_cr3((u64)root);
}

/* Rights are taken away at each level in turn: the next access must not slip through. */
static void taken_away(void)
{
	u64 *entries[] = { &l1[0], &l2[0], &l3[0], &((u64 *)read_cr3())[SLOT] };
	static const struct {
		u64 bit;
		bool write;
		u64 error;
	} rights[] = {
		{ PTE_W, true, PF_P | PF_W | PF_U },
		{ PTE_U, false, PF_P | PF_U },
		{ PTE_P, false, PF_U },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
		for (unsigned k = 0; k < ARRAY_SIZE(rights); k++) {
			writes(VA, 1000, "before");
			*entries[i] &= ~rights[k].bit;
			if ((i + k) % 2)
				invlpg(VA);
			else
				write_cr3(read_cr3());
			faults(3, rights[k].write, VA, rights[k].error, "taken away");
			*entries[i] |= rights[k].bit;
			/* More rights need no flush, but a fault that they explain may come. */
			invlpg(VA);
		}
	writes(VA, 1000, "after");
}

static void freed(void)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		u64 *table = (u64 *)BLOCK + n % 4 * TABLE_ENTRIES;

		memset(table, 0, PAGE_BYTES);
		table[3] = (u64)pages[n % 8] | ALL;
		l2[6] = (u64)table | ALL;
		reads(VA + 6 * LARGE_BYTES + 3 * PAGE_BYTES, 1000 + n % 8, "a fresh table");
		l2[6] = 0;
		invlpg(VA + 6 * LARGE_BYTES + 3 * PAGE_BYTES);
		for (unsigned i = 0; i < TABLE_ENTRIES; i++)
			table[i] = i * n;
		for (unsigned i = 0; i < TABLE_ENTRIES; i++)
			check_eq(table[i], i * n, "a table that became data");
		faults(3, false, VA + 6 * LARGE_BYTES + 3 * PAGE_BYTES, PF_U, "a freed table");
	}
}

void test_main(void)
{
	write_cr0(read_cr0() | CR0_WP);
	ring_init(USER_CODE);
	build();
	table_and_large_page();
	another_level();
	two_parents();
	past_the_end();
	if (has_1g_pages()) {
		flags_of_1g();
		table_and_1g_page();
	}
	maps_itself();
	taken_away();
	freed();
	pass();
}
