/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one page-table walker for tables that we build: the host's own and EPT. A format is a table
 * of constants and a few small functions; one loop maps, unmaps and looks up in all of them.
 *
 *   level 4 (PML4) -> level 3 (1 GB) -> level 2 (2 MB) -> level 1 (4 KB)
 *
 * Nothing here tells the hardware: whoever changes tables in use also invalidates what the
 * processor has cached of them (`changes` says whether there is anything to invalidate), before it
 * lets the translated code run again. One CPU at a time may change a table; the caller locks.
 */
#ifndef HV_MEM_PT_H
#define HV_MEM_PT_H

#include "hv/lib/status.h"
#include "hv/mem/addr.h"
#include "hv/mem/page.h"

#define PT_LEVELS_MAX 5
#define PT_INDEX_BITS 9
#define PT_ENTRIES    (1u << PT_INDEX_BITS)
#define PT_SHIFT(lvl) (PAGE_SHIFT + PT_INDEX_BITS * ((lvl)-1))
#define PT_SPAN(lvl)  (1ul << PT_SHIFT(lvl)) /* bytes that an entry of this level covers */

struct pt_format {
	const char *name;
	unsigned levels;				 /* 4 */
	u64 (*table)(hpa_t next);			 /* entry that points to a table */
	u64 (*leaf)(hpa_t pa, unsigned level, u64 attr); /* entry that maps a page of that level */
	bool (*present)(u64 entry);			 /* false for 0 */
	bool (*is_leaf)(u64 entry, unsigned level);
	hpa_t (*address)(u64 entry, unsigned level);
	u64 (*attr)(u64 entry); /* the attr that leaf() was given, for splitting */
};

/* The processor's own 4-level format: Intel SDM, "4-Level Paging". */
extern const struct pt_format pt_x86;

/* attr of pt_x86; memory types by the PAT's reset value. */
#define PT_W  BIT(1)		/* writable */
#define PT_U  BIT(2)		/* user */
#define PT_UC (BIT(3) | BIT(4)) /* uncacheable, for MMIO; without it: write-back */
#define PT_G  BIT(8)		/* global */
#define PT_NX BIT(63)		/* no execution */

struct pt {
	const struct pt_format *format;
	u64 *root;
	enum page_owner owner; /* class that table pages are charged to */
	unsigned max_leaf;     /* 1: 4 KB only, 2: up to 2 MB, 3: up to 1 GB */
	u64 changes;	       /* how often an entry that was present became another one */
	u64 *retired; /* tables that are in no use any more, but which the processor may still know
		       */
};

/* ERR_NOMEM if there is no page for the root. */
enum status pt_init(struct pt *pt, const struct pt_format *format, unsigned max_leaf,
	enum page_owner owner) __must_check;
/* Frees all tables, not what they map, PAGE_FREE_STEP pages a call. True: it was the last; one more
 * is harmless. */
bool pt_destroy_step(struct pt *pt) __must_check;

/* After the invalidation, on every CPU that runs with these tables: frees those that pt_map() and
 * pt_unmap() took out of use. */
void pt_free_retired(struct pt *pt);

/*
 * pt_map(): maps [va, va + len) to [pa, pa + len) with the largest pages that fit; all
 * page-aligned. Existing mappings in the range are replaced (large pages are split, emptied tables
 * retired). ERR_INVAL if something is not page-aligned; ERR_RANGE if va is not canonical or the
 * range runs past the end of the address space (nothing was changed); ERR_NOMEM may leave part of
 * the range mapped. An address with ones above the top level's index is taken for the sign-extended
 * form.
 */
enum status pt_map(struct pt *pt, u64 va, hpa_t pa, u64 len, u64 attr) __must_check;

/* pt_unmap(): errors as above; ERR_NOMEM when a large page cannot be split. Holes are skipped. */
enum status pt_unmap(struct pt *pt, u64 va, u64 len) __must_check;

struct pt_entry {
	u64 entry;	/* raw */
	unsigned level; /* of the entry: where the walk ended */
	bool present;
	hpa_t pa; /* of va itself, when present */
};

/*
 * Where the walk for va ends; trail (NULL or PT_LEVELS_MAX + 1 entries, indexed by level) receives
 * every entry on the way, and 0 for the levels that were not reached.
 */
void pt_lookup(const struct pt *pt, u64 va, struct pt_entry *out, u64 *trail);

#endif
