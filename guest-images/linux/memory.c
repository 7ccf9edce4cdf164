/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults and the system calls about memory.
 *
 * mprotect and SIGSEGV come twice: "split" has the page in the middle of a mapping, so that each
 * change of its protection splits or merges mappings.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest-images/linux/bench.h"

#define FAULTS 256u
#define AROUND 16u /* pages of the mapping whose middle one is split off */
#define FILE   "/tmp/bench.file"

static volatile char *page; /* one anonymous page */
static char *area;	    /* what a batch is about */
static char *other;	    /* where it is moved to and from */
static int file = -1;

static void mmap_touch(unsigned i)
{
	volatile char *p = map_pages(FAULTS);

	(void)i;
	for (unsigned n = 0; n < FAULTS; n++)
		p[n * PAGE] = 1;
	munmap((void *)p, FAULTS * PAGE);
}

static void take_page(void)
{
	page = map_pages(1);
	*page = 1;
}

static void take_middle(void)
{
	page = map_pages(AROUND) + AROUND / 2 * PAGE;
	*page = 1;
}

static void mprotect_page(unsigned i)
{
	(void)i;
	if (mprotect((void *)page, PAGE, PROT_READ) ||
		mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE))
		die("mprotect");
	*page = 1;
}

static void repair(int number)
{
	(void)number;
	mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
}

static void segv(unsigned i)
{
	(void)i;
	mprotect((void *)page, PAGE, PROT_READ);
	*page = 1;
}

static void handle_segv(void)
{
	signal(SIGSEGV, repair);
	take_page();
}

static void handle_segv_split(void)
{
	signal(SIGSEGV, repair);
	take_middle();
}

/* ---- faults: an operation is the first access to one page ---- */

static void map_area(void)
{
	area = map_pages(FAULTS);
}

static void open_file(void)
{
	char zeros[PAGE] = { 0 };

	file = open(FILE, O_CREAT | O_RDWR | O_TRUNC, 0600);
	if (file < 0)
		die(FILE);
	for (unsigned n = 0; n < FAULTS; n++)
		if (write(file, zeros, PAGE) != (ssize_t)PAGE)
			die(FILE);
	unlink(FILE);
}

static void map_file(int flags)
{
	area = mmap(NULL, FAULTS * PAGE, PROT_READ | PROT_WRITE, flags, file, 0);
	if (area == MAP_FAILED)
		die("mmap");
}

static void map_shared(void)
{
	map_file(MAP_SHARED);
}

/* All pages are there, to be read: a write makes a copy. */
static void map_private(void)
{
	map_file(MAP_PRIVATE);
	for (unsigned n = 0; n < FAULTS; n++)
		*(volatile char *)(area + n * PAGE);
}

static void write_page(unsigned i)
{
	*(volatile char *)(area + i * PAGE) = 1;
}

static void unmap_area(void)
{
	munmap(area, FAULTS * PAGE);
}

/* ---- system calls on 1, 16 and 256 pages that are there ---- */

static char *populated(unsigned pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void unmap(char *p, unsigned pages)
{
	if (munmap(p, pages * PAGE))
		die("munmap");
}

static void protect_twice(unsigned pages)
{
	if (mprotect(area, pages * PAGE, PROT_READ) ||
		mprotect(area, pages * PAGE, PROT_READ | PROT_WRITE))
		die("mprotect");
}

/* There and back. */
static void move_twice(unsigned pages)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (mremap(area, pages * PAGE, pages * PAGE, flags, other) == MAP_FAILED ||
		mremap(other, pages * PAGE, pages * PAGE, flags, area) == MAP_FAILED)
		die("mremap");
}

#define SIZED(n)                                                                                   \
	static void populate_##n(void)                                                             \
	{                                                                                          \
		area = populated(n);                                                               \
	}                                                                                          \
	static void populate_and_reserve_##n(void)                                                 \
	{                                                                                          \
		other = map_pages(n);                                                              \
		area = populated(n);                                                               \
	}                                                                                          \
	static void mmap_##n(unsigned i)                                                           \
	{                                                                                          \
		(void)i;                                                                           \
		area = populated(n);                                                               \
	}                                                                                          \
	static void munmap_##n(unsigned i)                                                         \
	{                                                                                          \
		(void)i;                                                                           \
		unmap(area, n);                                                                    \
	}                                                                                          \
	static void give_back_##n(void)                                                            \
	{                                                                                          \
		unmap(area, n);                                                                    \
	}                                                                                          \
	static void mprotect_##n(unsigned i)                                                       \
	{                                                                                          \
		(void)i;                                                                           \
		protect_twice(n);                                                                  \
	}                                                                                          \
	static void mremap_##n(unsigned i)                                                         \
	{                                                                                          \
		(void)i;                                                                           \
		move_twice(n);                                                                     \
	}

SIZED(1)
SIZED(16)
SIZED(256)

#define SIZED_ROWS(n)                                                                              \
	{ "mmap-" #n, n, 1, 0, 0, mmap_##n, give_back_##n },                                       \
		{ "munmap-" #n, n, 1, 0, populate_##n, munmap_##n, 0 },                            \
		{ "mprotect-" #n, n, 4, populate_##n, 0, mprotect_##n, 0 },                        \
	{                                                                                          \
		"mremap-" #n, n, 4, populate_and_reserve_##n, 0, mremap_##n, 0                     \
	}

static const struct bench table[] = {
	{ "mmap-touch-256-munmap", FAULTS, 1, 0, 0, mmap_touch, 0 },
	{ "mprotect", 1, 20, take_page, 0, mprotect_page, 0 },
	{ "mprotect-split", 1, 10, take_middle, 0, mprotect_page, 0 },
	{ "segv-repair", 1, 15, handle_segv, 0, segv, 0 },
	{ "segv-repair-split", 1, 10, handle_segv_split, 0, segv, 0 },
	{ "fault-anonymous", 0, FAULTS, 0, map_area, write_page, unmap_area },
	{ "fault-file", 0, FAULTS, open_file, map_shared, write_page, unmap_area },
	{ "fault-copy", 0, FAULTS, open_file, map_private, write_page, unmap_area },
	SIZED_ROWS(1),
	SIZED_ROWS(16),
	SIZED_ROWS(256),
};
const struct benches memory_benches = { table, ARRAY_SIZE(table) };
