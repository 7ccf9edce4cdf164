/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping of a VM's RAM: all at once when it is created, so that it causes no memory exit at run
 * time; and pages that the VM gives back and takes again.
 */
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

#define RAM_RELEASE_MAX 256u

/* Memory that a VM gives back, collected so that all of it is unmapped at once: its room is the
 * caller's, who sets mmu and gm and leaves the rest zero. */
struct ram_release {
	struct mmu *mmu;
	struct guestmem *gm;
	struct mmu_range run[RAM_RELEASE_MAX]; /* that the VM has; each within 2 MB */
	unsigned runs;
	u64 bytes; /* released, since the list was begun */
};

/*
 * ram_release_add(): puts what the VM has of [gpa, gpa + len), page-aligned, on the list; what is
 * not RAM, or was given back before, is passed over. A list that is full is released.
 */
void ram_release_add(struct ram_release *r, gpa_t gpa, u64 len);

/*
 * ram_release_all(): takes what is on the list away from the VM: unmapped first, then freed, so
 * that it is scrubbed before anybody else has it. Returns how many bytes went since the last time.
 */
u64 ram_release_all(struct ram_release *r);

struct mmu_restored {
	u64 bytes;	 /* that the VM has again */
	unsigned joined; /* 2 MB pages that are whole again */
	unsigned copied; /* of these, those that had to be moved */
	bool out_of_memory;
};

/*
 * mmu_restore_ram(): gives the VM memory for what of [gpa, gpa + len) it had given back, mapped; 2
 * MB of which all has come back are one block and one mapping again. Stops where memory runs out.
 */
struct mmu_restored mmu_restore_ram(struct mmu *mmu, struct guestmem *gm, gpa_t gpa, u64 len);

#endif
