/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one page-table walker for tables that we build: the host's own and EPT. A format is a table
 * of constants and two small functions; one loop maps, unmaps and looks up in all of them.
 *
 *   level 4 (PML4) -> level 3 (1 GB) -> level 2 (2 MB) -> level 1 (4 KB)
 */
#ifndef HV_MEM_PT_H
#define HV_MEM_PT_H

#include "hv/lib/status.h"
#include "hv/mem/addr.h"
#include "hv/mem/page.h"

struct pt_format {
	const char *name;
	unsigned levels;                                     /* 4 */
	u64 (*table)(hpa_t next);                            /* entry that points to a table */
	u64 (*leaf)(hpa_t pa, unsigned level, u64 attr);     /* entry that maps a page of that level */
	bool (*present)(u64 entry);
	bool (*is_leaf)(u64 entry, unsigned level);
	hpa_t (*address)(u64 entry, unsigned level);
	u64 (*attr)(u64 entry);                              /* the attr that leaf() was given, for splitting */
};

struct pt {
	const struct pt_format *format;
	u64 *root;
	enum page_owner owner; /* class that table pages are charged to */
	unsigned max_leaf;     /* 1: 4 KB only, 2: up to 2 MB, 3: up to 1 GB */
};

enum status pt_init(struct pt *pt, const struct pt_format *format, unsigned max_leaf, enum page_owner owner) __must_check;
void pt_destroy(struct pt *pt); /* frees all tables, not what they map */

/*
 * pt_map(): maps [va, va + len) to [pa, pa + len) with the largest pages that fit; all page-aligned.
 * Existing mappings in the range are replaced (large pages are split, emptied tables freed).
 * ERR_NOMEM may leave part of the range mapped.
 */
enum status pt_map(struct pt *pt, u64 va, hpa_t pa, u64 len, u64 attr) __must_check;
enum status pt_unmap(struct pt *pt, u64 va, u64 len) __must_check;

struct pt_entry {
	u64 entry;      /* raw */
	unsigned level; /* of the entry: where the walk ended */
	bool present;
	hpa_t pa;       /* of va itself, when present */
};

/* Where the walk for va ends; trail (NULL or 5 entries, indexed by level) receives every entry on the way. */
void pt_lookup(const struct pt *pt, u64 va, struct pt_entry *out, u64 *trail);

#endif
