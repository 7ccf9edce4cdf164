/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads at random addresses of the same 64 MB, mapped by pages of 4 KB, 2 MB or 1 GB. */
#include "guest-images/nano/nano.h"

#define COUNT	   2000u
#define AREA	   (64 * MB)
#define AREA_START (64 * MB) /* physical; and of each mapping, in its gigabyte */
#define VA	   0x28000000000ul
#define GIGABYTE   (1024 * MB)
#define SEED	   0x9e3779b97f4a7c15ul

/* Which of the gigabytes at VA. */
enum size {
	SMALL,
	LARGE,
	HUGE
};

static u64 seed = SEED;

static u64 area(enum size size)
{
	return VA + size * GIGABYTE + AREA_START;
}

static void map_small(void)
{
	for (u64 at = 0; at < AREA; at += PAGE_BYTES)
		map_page(area(SMALL) + at, AREA_START + at, PTE_P | PTE_W | PTE_A | PTE_D);
}

/* map_page() makes the tables above; the pages are larger than it knows. */
static void map_large(void)
{
	u64 *directory = new_page(), va = area(LARGE);

	for (u64 at = 0; at < AREA; at += LARGE_BYTES)
		directory[table_index(va + at, 2)] =
			(AREA_START + at) | PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS;
	*entry_of(va, 3) = (u64)directory | PTE_P | PTE_W;
}

static void map_huge(void)
{
	*entry_of(area(HUGE), 3) = PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS;
}

static const char *set_up(void)
{
	static bool done;

	if (guest_ram < AREA_START + AREA)
		return "needs 128 MB of memory";
	if (done)
		return NULL;
	map_small();
	map_large();
	if (has_1g_pages())
		map_huge();
	done = true;
	return NULL;
}

static const char *set_up_huge(void)
{
	return has_1g_pages() ? set_up() : "no 1 GB pages (CPUID leaf 0x80000001, EDX bit 26)";
}

static u64 somewhere(u64 start)
{
	return start + (random64(&seed) & (AREA - sizeof(u64)));
}

static inline void walk(const struct operation *o, enum size size)
{
	for (unsigned i = 0; i < o->count; i++)
		*(volatile u64 *)somewhere(area(size));
}

static void walk_small(const struct operation *o)
{
	walk(o, SMALL);
}

static void walk_large(const struct operation *o)
{
	walk(o, LARGE);
}

static void walk_huge(const struct operation *o)
{
	walk(o, HUGE);
}

static void no_walk(const struct operation *o)
{
	for (unsigned i = 0; i < o->count; i++)
		__asm__ volatile("" : : "r"(somewhere(VA)));
}

static const struct operation table[] = {
	{ "walk-4k", 0, COUNT, set_up, NULL, walk_small, no_walk },
	{ "walk-2m", 0, COUNT, set_up, NULL, walk_large, no_walk },
	{ "walk-1g", 0, COUNT, set_up_huge, NULL, walk_huge, no_walk },
};
const struct operations walks = { table, ARRAY_SIZE(table) };
