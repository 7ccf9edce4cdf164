/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor takes apart step by step, among other work, in one go. */
#ifndef TESTS_UNIT_DESTROY_H
#define TESTS_UNIT_DESTROY_H

#include "hv/mem/guestmem.h"
#include "hv/mem/pt.h"
#include "hv/mmu/mmu.h"

static inline void guestmem_destroy(struct guestmem *gm)
{
	while (!guestmem_destroy_step(gm))
		;
}

static inline void pt_destroy(struct pt *pt)
{
	while (!pt_destroy_step(pt))
		;
}

static inline void mmu_destroy(struct mmu *mmu)
{
	while (!mmu->ops->destroy_step(mmu))
		;
}

#endif
