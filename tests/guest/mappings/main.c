/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page mapped 100,000 times, through 1,000 tables (mem: 64M): read and written through each
 * mapping, made read-only, turned to another page, used as a page table while it is mapped so
 * often, and unmapped. A hypervisor that keeps a list of who maps a page must bound it.
 */
#include "tests/guest/lib/paging.h"

#define VA	   0x8000000000ul
#define TABLES	   1000u
#define PER_TABLE  100u
#define MAPPINGS   (TABLES * PER_TABLE)
#define SLOT_STEP  5u		   /* entries between two that are used */
#define TABLE_VA   0x10000000000ul /* where the page serves as a table */
#define TABLE_SLOT 7u
#define SAMPLES	   2000u

static u64 *tables[TABLES];
static u64 seed = 1;

static u64 address(unsigned i)
{
	return VA + (i / PER_TABLE) * LARGE_BYTES + (i % PER_TABLE) * SLOT_STEP * PAGE_BYTES;
}

static u64 *entry(unsigned i)
{
	return &tables[i / PER_TABLE][(i % PER_TABLE) * SLOT_STEP];
}

static volatile u64 *word(unsigned i)
{
	return (volatile u64 *)(address(i) + (i % TABLE_ENTRIES) * sizeof(u64));
}

static void flush(void)
{
	write_cr3(read_cr3());
}

static void build(volatile u64 *page)
{
	for (unsigned t = 0; t < TABLES; t++) {
		map_page(VA + t * LARGE_BYTES, (u64)page, PTE_P | PTE_W);
		tables[t] = (u64 *)(*entry_of(VA + t * LARGE_BYTES, 2) & PTE_ADDR);
	}
	for (unsigned i = 0; i < MAPPINGS; i++)
		*entry(i) = (u64)page | PTE_P | PTE_W;
}

static void read_and_write(volatile u64 *page)
{
	for (unsigned i = 0; i < MAPPINGS; i++) {
		page[i % TABLE_ENTRIES] = i;
		check_eq(*word(i), i, "mapping %u, read", i);
		*word(i) = ~(u64)i;
		check_eq(page[i % TABLE_ENTRIES], ~(u64)i, "mapping %u, written", i);
	}
	for (unsigned i = 0; i < MAPPINGS; i++)
		check_eq(*entry(i) & (PTE_A | PTE_D), PTE_A | PTE_D, "flags of mapping %u", i);
}

/* Any of them, in no order: tables come and go where not all of them can be shadowed. */
static void sample(volatile u64 *page)
{
	for (unsigned n = 0; n < SAMPLES; n++) {
		unsigned i = (unsigned)(random64(&seed) % MAPPINGS);

		*word(i) = n;
		check_eq(page[i % TABLE_ENTRIES], n, "mapping %u, in no order", i);
	}
}

static int try_write(volatile u64 *at, u64 value)
{
	return FAULTS("mov %1, %0", : "=m"(*at) : "r"(value) : "memory");
}

static int try_read(volatile u64 *at)
{
	u64 value;

	return FAULTS("mov %1, %0", : "=r"(value) : "m"(*at) : "memory");
}

static void read_only(volatile u64 *page)
{
	for (unsigned i = 0; i < MAPPINGS; i++)
		*entry(i) &= ~PTE_W;
	flush();
	for (unsigned i = 0; i < MAPPINGS; i += 10) {
		page[i % TABLE_ENTRIES] = i;
		check_eq(*word(i), i, "mapping %u, read-only", i);
	}
	for (unsigned i = 0; i < MAPPINGS; i += 100) {
		check_eq(try_write(word(i), 0), VEC_PF, "write to read-only mapping %u", i);
		check_eq(caught.error, PF_P | PF_W, "mapping %u", i);
		check_eq(caught.cr2, (u64)word(i), "mapping %u", i);
	}
}

/* The page that is mapped by many becomes a table: writes through any mapping are seen by walks. */
static void as_a_table(volatile u64 *page, u64 *target)
{
	volatile u64 *through = (volatile u64 *)(TABLE_VA + TABLE_SLOT * PAGE_BYTES);

	for (unsigned i = 0; i < MAPPINGS; i++)
		*entry(i) |= PTE_W;
	flush();
	for (unsigned i = 0; i < MAPPINGS; i += 3)
		*word(i) = 0;
	memset((void *)(u64)page, 0, PAGE_BYTES);
	map_page(TABLE_VA, 0, 0);
	*entry_of(TABLE_VA, 2) = (u64)page | PTE_P | PTE_W;
	invlpg((u64)through);
	for (unsigned i = 0; i < MAPPINGS; i += 997) {
		volatile u64 *pte = (volatile u64 *)(address(i) + TABLE_SLOT * sizeof(u64));

		*pte = (u64)target | PTE_P | PTE_W;
		*through = i;
		check_eq(target[0], i, "through the entry that mapping %u wrote", i);
		check_eq(*pte & (PTE_A | PTE_D), PTE_A | PTE_D, "its flags");
		*pte = 0;
		invlpg((u64)through);
		check_eq(try_read(through), VEC_PF, "through an entry that mapping %u cleared", i);
	}
	*entry_of(TABLE_VA, 2) = 0;
	invlpg((u64)through);
}

static void turn(volatile u64 *page, u64 *other)
{
	for (unsigned i = 0; i < MAPPINGS; i += 2) {
		*entry(i) = (u64)other | PTE_P | PTE_W;
		invlpg(address(i));
	}
	page[0] = 1;
	other[0] = 2;
	for (unsigned i = 0; i < MAPPINGS; i++)
		check_eq(*(volatile u64 *)address(i), i % 2 ? 1 : 2, "mapping %u, turned", i);
}

static void unmap(void)
{
	for (unsigned i = 0; i < MAPPINGS; i++)
		*entry(i) = 0;
	flush();
	for (unsigned i = 0; i < MAPPINGS; i += 100) {
		check_eq(try_read(word(i)), VEC_PF, "mapping %u is gone", i);
		check_eq(caught.error, 0, "mapping %u", i);
	}
}

void test_main(void)
{
	u64 *page = new_page(), *other = new_page();

	write_cr0(read_cr0() | CR0_WP);
	build(page);
	read_and_write(page);
	sample(page);
	read_only(page);
	as_a_table(page, other);
	turn(page, other);
	unmap();
	/* The tables become data. */
	for (unsigned t = 0; t < TABLES; t++)
		memset(tables[t], (int)t, PAGE_BYTES);
	for (unsigned t = 0; t < TABLES; t++)
		check_eq(tables[t][9] & 0xff, t & 0xff, "table %u as data", t);
	pass();
}
