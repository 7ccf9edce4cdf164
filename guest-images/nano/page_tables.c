/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kernel does with page tables, for 1 to 512 pages, all in one table of the last level. An
 * operation is done once in a batch: what it changed is put back before the next.
 */
#include "guest-images/nano/nano.h"

#define VA	     0x8000000000ul
#define MAPPED	     (PTE_P | PTE_W | PTE_A | PTE_D)
#define FLUSH_SINGLE 33u /* up to so many pages are flushed one by one, as Linux does */

/* The tables of a second address space, a copy of the first. */
struct space {
	u64 *pml4, *pdpt, *pd, *pt;
};

static u64 *leaf; /* of the first address space */
static u64 data[TABLE_ENTRIES];
static u64 first; /* CR3 */
static struct space second;
static u64 *faulting; /* the table that the page-fault handler fills in */
static u64 *spare;    /* the page that it copies to */

static volatile u64 *word(unsigned page)
{
	return (volatile u64 *)(VA + page * PAGE_BYTES);
}

static u64 entry_for(unsigned page)
{
	return data[page] | MAPPED;
}

static void flush(unsigned pages)
{
	if (pages > FLUSH_SINGLE) {
		write_cr3(read_cr3());
		return;
	}
	for (unsigned i = 0; i < pages; i++)
		invlpg((u64)word(i));
}

/* A page on demand, or, of one that is there and not writable, a copy. */
static void on_page_fault(struct frame *f)
{
	u64 va = read_cr2();
	unsigned page = table_index(va, 1);

	if (va < VA || va >= VA + LARGE_BYTES)
		fail("page fault at 0x%lx, error 0x%lx, rip 0x%lx", va, f->error, f->rip);
	if (!(faulting[page] & PTE_P)) {
		faulting[page] = entry_for(page);
		return;
	}
	memcpy(spare, (const void *)(faulting[page] & PTE_ADDR), PAGE_BYTES);
	faulting[page] = (u64)spare | MAPPED;
	invlpg(va);
}

/* All pages mapped and used. */
static void with_pages(const struct operation *o)
{
	(void)o;
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		leaf[i] = entry_for(i);
	write_cr3(first);
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		*word(i);
	faulting = leaf;
	on_vector(VEC_PF, on_page_fault);
}

/* None, of those that the operation is about. */
static void without_pages(const struct operation *o)
{
	with_pages(o);
	for (unsigned i = 0; i < o->pages; i++)
		leaf[i] = 0;
	write_cr3(first);
}

static const char *build(void)
{
	if (leaf)
		return NULL;
	for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
		data[i] = (u64)new_page();
		map_page(VA + i * PAGE_BYTES, data[i], MAPPED);
	}
	leaf = entry_of(VA, 1);
	first = read_cr3();
	second = (struct space){ new_page(), new_page(), new_page(), new_page() };
	spare = new_page();
	return NULL;
}

static void nothing(const struct operation *o)
{
	(void)o;
}

/* Entries of a table that is in use, written one after the other, then one flush. */
static void write_entries(const struct operation *o)
{
	for (unsigned i = 0; i < o->pages; i++)
		leaf[i] ^= PTE_W;
	write_cr3(first);
}

static void map(const struct operation *o)
{
	for (unsigned i = 0; i < o->pages; i++)
		leaf[i] = entry_for(i);
	for (unsigned i = 0; i < o->pages; i++)
		*word(i) = i;
}

static void unmap(const struct operation *o)
{
	for (unsigned i = 0; i < o->pages; i++)
		leaf[i] = 0;
	flush(o->pages);
}

static void protect(const struct operation *o)
{
	for (unsigned i = 0; i < o->pages; i++)
		leaf[i] &= ~PTE_W;
	flush(o->pages);
}

/* Each is mapped by the handler of the fault that the first access to it raises. */
static void fault_in(const struct operation *o)
{
	for (unsigned i = 0; i < o->pages; i++)
		*word(i) = i;
}

/* Both address spaces map the pages, and neither may write. */
static void copy_space(unsigned pages)
{
	second.pml4[0] = ((u64 *)first)[0];
	second.pml4[table_index(VA, 4)] = (u64)second.pdpt | PTE_P | PTE_W;
	second.pdpt[table_index(VA, 3)] = (u64)second.pd | PTE_P | PTE_W;
	second.pd[table_index(VA, 2)] = (u64)second.pt | PTE_P | PTE_W;
	for (unsigned i = 0; i < pages; i++) {
		leaf[i] &= ~PTE_W;
		second.pt[i] = leaf[i];
	}
	write_cr3(first);
}

static void drop_space(unsigned pages)
{
	memset(second.pt, 0, pages * sizeof(u64));
	second.pd[table_index(VA, 2)] = 0;
	second.pdpt[table_index(VA, 3)] = 0;
	second.pml4[table_index(VA, 4)] = 0;
	second.pml4[0] = 0;
}

/* What fork does, a child that reads all and writes one page, and its end. */
static void fork_space(const struct operation *o)
{
	copy_space(o->pages);
	faulting = second.pt;
	write_cr3((u64)second.pml4);
	for (unsigned i = 0; i < o->pages; i++)
		*word(i);
	*word(0) = 1;
	write_cr3(first);
	faulting = leaf;
	drop_space(o->pages);
}

#define ROW(name, n, prepare, run)                                                                 \
	{                                                                                          \
		name "-" #n, n, 1, build, prepare, run, nothing                                    \
	}
#define ROWS(name, prepare, run)                                                                   \
	ROW(name, 1, prepare, run), ROW(name, 2, prepare, run), ROW(name, 4, prepare, run),        \
		ROW(name, 8, prepare, run), ROW(name, 16, prepare, run),                           \
		ROW(name, 32, prepare, run), ROW(name, 64, prepare, run),                          \
		ROW(name, 128, prepare, run), ROW(name, 256, prepare, run),                        \
		ROW(name, 512, prepare, run)

static const struct operation table[] = {
	ROW("pte-write", 1, with_pages, write_entries),
	ROW("pte-write", 8, with_pages, write_entries),
	ROW("pte-write", 64, with_pages, write_entries),
	ROW("pte-write", 512, with_pages, write_entries),
	ROWS("map", without_pages, map),
	ROWS("unmap", with_pages, unmap),
	ROWS("protect", with_pages, protect),
	ROWS("fork", with_pages, fork_space),
	ROW("demand-fault", 512, without_pages, fault_in),
};
const struct operations page_tables = { table, ARRAY_SIZE(table) };
