/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow paging: an MMU for processors without EPT, and for comparison with it. The processor walks
 * tables of ours that map guest-virtual to host-physical addresses; they are derived, entry by
 * entry, from the guest's own. How it works is told in docs/shadow.md.
 */
#ifndef HV_MMU_SHADOW_H
#define HV_MMU_SHADOW_H

#include "hv/mmu/mmu.h"

/* When the guest's changes to its tables reach the shadow. */
enum shadow_strategy {
	SHADOW_OOS, /* as SYNC, but leaf tables that are written often go out of sync for a while */
	SHADOW_SYNC, /* at each write: the guest's tables are write-protected */
	SHADOW_VTLB, /* when the guest flushes its TLB: the shadow is dropped and filled anew */
	SHADOW_STRATEGIES
};

/* Fast paths; each can be turned off, to show what it gains. Bits of a mask. */
#define SHADOW_FILTER	BIT(0) /* faults on what the guest does not map go to it without an exit */
#define SHADOW_PREFETCH BIT(1) /* a fault fills the neighbours too */
#define SHADOW_TARGETS	BIT(2) /* CR3 loads without an exit, where nothing is out of sync */
#define SHADOW_INSTALL	BIT(3) /* a trapped write to a table fills in the entry it is about */
#define SHADOW_FAST_ALL (SHADOW_FILTER | SHADOW_PREFETCH | SHADOW_TARGETS | SHADOW_INSTALL)

#define SHADOW_PAGES_MIN 32u
#define SHADOW_PAGES_MAX (1u << 20)
#define SHADOW_AUDIT_MAX 1000000u

struct shadow_config {
	enum shadow_strategy strategy;
	unsigned fast;	/* SHADOW_FILTER, ... */
	unsigned pages; /* shadow pages at most; 0: as many as suit the guest's memory */
	unsigned audit; /* compare all entries with the guest's after one of so many flushes; 0:
			   never */
};

/* shadow_init(): once, before a VM is created. maxphyaddr: of the machine, in bits. */
void shadow_init(unsigned maxphyaddr);

extern const struct mmu_ops shadow_mmu_ops;

#endif
