/* SPDX-License-Identifier: BSD-2-Clause */
/* Mapping of all of a VM's RAM at once, when it is created: no memory exit for RAM at run time. */
#ifndef HV_MMU_RAM_H
#define HV_MMU_RAM_H

#include "hv/mem/guestmem.h"
#include "hv/mmu/mmu.h"

/*
 * mmu_map_ram(): maps all of gm, but for its hole, readable, writable and executable, in runs that
 * are contiguous on both sides and of one memory type (that of the physical machine's MTRRs), so
 * that the MMU can use its largest pages. Errors are those of ops->map; part may then be mapped.
 */
enum status mmu_map_ram(struct mmu *mmu, const struct guestmem *gm) __must_check;

#endif
