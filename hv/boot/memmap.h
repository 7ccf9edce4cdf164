/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set of physical ranges: sorted, disjoint, none empty. Firmware maps may be unsorted and may
 * overlap; the set is built by adding what is usable and then taking away what is not.
 */
#ifndef HV_BOOT_MEMMAP_H
#define HV_BOOT_MEMMAP_H

#include "hv/lib/status.h"
#include "hv/mem/addr.h"

#define MEMMAP_MAX 128

struct range {
	u64 start, end; /* bytes, [start, end) */
};

struct memmap {
	struct range r[MEMMAP_MAX];
	unsigned n;
};

/* Adds [start, end), merging with what it touches. ERR_NOMEM, nothing changed, when the set is
 * full. */
enum status memmap_add(struct memmap *m, u64 start, u64 end) __must_check;

/* Takes [start, end) away. ERR_NOMEM, nothing changed, when a split does not fit. */
enum status memmap_remove(struct memmap *m, u64 start, u64 end) __must_check;

/* True if all of [start, end) is in the set. */
bool memmap_contains(const struct memmap *m, u64 start, u64 end);

/* The lowest address, a multiple of align (a power of two), of size bytes inside the set and inside
 * [low, high); 0 if none. */
u64 memmap_find(const struct memmap *m, u64 size, u64 align, u64 low, u64 high);

/* The highest address instead. */
u64 memmap_find_last(const struct memmap *m, u64 size, u64 align, u64 low, u64 high);

/* Sum of the sizes. */
u64 memmap_total(const struct memmap *m);

#endif
