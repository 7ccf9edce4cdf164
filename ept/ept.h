/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EPT as an MMU: the processor translates guest-physical addresses through tables of ours, and the
 * guest's own paging needs no help.
 */
#ifndef EPT_EPT_H
#define EPT_EPT_H

#include "hv/lib/status.h"
#include "hv/mmu/mmu.h"

/* Instructions that stand in vmx/ only. Both drop guest-physical and combined translations. */
struct ept_hw {
	void (*invept_single)(u64 eptp); /* those of this EPTP, on this CPU */
	void (*invept_all)(void);	 /* those of all, on this CPU */
};

/*
 * ept_init(): once, before a VM is created. ept_vpid_cap is IA32_VMX_EPT_VPID_CAP, maxphyaddr in
 * bits; hw stays the caller's and must live on. large_exec: guests may execute from large pages;
 * false where the processor may have the erratum "iTLB multihit" (CVE-2018-12207), with which a
 * guest that changes the size of a page it executes from can stop the machine. Then large pages
 * are not executable, and the first fetch from one splits it. ERR_NOTSUP, with the reason logged,
 * if the CPU cannot walk four levels in write-back memory or has no usable INVEPT.
 */
enum status ept_init(u64 ept_vpid_cap, unsigned maxphyaddr, bool large_exec,
	const struct ept_hw *hw) __must_check;

extern const struct mmu_ops ept_mmu_ops;

#endif
