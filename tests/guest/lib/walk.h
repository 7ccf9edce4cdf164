/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an access through 4-level page tables must do, written from the manual's chapter "Paging":
 * the model that test guests compare the processor with.
 */
#ifndef TESTS_GUEST_WALK_H
#define TESTS_GUEST_WALK_H

#include "tests/guest/lib/paging.h"

/* The registers that decide. */
struct paging_mode {
	bool wp, smep, smap, nxe, ac;
};

struct access {
	bool user; /* at level 3, explicit */
	bool write, fetch;
	bool implicit; /* by the processor itself, to a descriptor table: never user */
};

/* "Determination of Access Rights": w, u and nx are combined over all levels. */
bool access_allowed(
	const struct paging_mode *m, const struct access *a, bool write, bool w, bool u, bool nx);

/* "Page-Fault Exceptions": why is 0, PF_P, or PF_P | PF_RSVD. */
u64 access_error(const struct paging_mode *m, const struct access *a, u64 why);

/* What is reserved in an entry of that level that is present. */
u64 entry_reserved(const struct paging_mode *m, u64 entry, unsigned level);

/* An entry that a walk reads. It gets `must` set, and may get `may` set. */
struct model_step {
	u64 *at;
	u64 before, must, may;
};

struct model_walk {
	bool outside; /* a table lies outside [0, ram): nothing is defined */
	bool fault;
	u64 error;
	u64 pa;			   /* if no fault */
	unsigned level;		   /* of the last entry read */
	struct model_step step[5]; /* by level, from 4 to `level` */
};

/* By the tables that CR3 names, which are found at their physical addresses. */
void model_walk(const struct paging_mode *m, const struct access *a, u64 va, struct model_walk *w);

#endif
