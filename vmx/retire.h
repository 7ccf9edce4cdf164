/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of an instruction that we carried out for the guest. Inline: every exit comes this way.
 */
#ifndef VMX_RETIRE_H
#define VMX_RETIRE_H

#include "hv/cpu/regs.h"
#include "vmx/fields.h"
#include "vmx/insn.h"

/* Blocking by STI and MOV SS lasts for one instruction; with RFLAGS.TF a single-step trap follows
 * it. */
static inline void vmx_end_instruction(u64 rflags)
{
	u64 blocking = vmread_hot(VMCS_GUEST_INTERRUPTIBILITY);

	if (unlikely(blocking & (BLOCKING_STI | BLOCKING_MOV_SS)))
		vmwrite_hot(VMCS_GUEST_INTERRUPTIBILITY,
			blocking & ~(u64)(BLOCKING_STI | BLOCKING_MOV_SS));
	if (likely(!(rflags & (RFLAGS_TF | RFLAGS_RF))))
		return;
	vmwrite_hot(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	if (rflags & RFLAGS_TF)
		vmwrite_hot(VMCS_GUEST_PENDING_DEBUG,
			vmread_hot(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

/*
 * vmx_skip(): what the processor does at the end of an instruction: RIP moves on, blocking by STI
 * and MOV SS ends, RFLAGS.RF is cleared, and with RFLAGS.TF a single-step trap is pending. Outside
 * 64-bit mode RIP wraps at 4 GB, or the entry would fail; only a carry makes it worth asking.
 */
static inline void vmx_skip(void)
{
	u64 old = vmread_hot(VMCS_GUEST_RIP);
	u64 rip = old + vmread_hot(VMCS_EXIT_INSTRUCTION_LENGTH);
	u64 rflags = vmread_hot(VMCS_GUEST_RFLAGS);

	if (unlikely((rip ^ old) >> 32) &&
		!(vmread_hot(VMCS_GUEST_CS_ACCESS_RIGHTS) & VMCS_AR_LONG))
		rip = (u32)rip;
	vmwrite_hot(VMCS_GUEST_RIP, rip);
	vmx_end_instruction(rflags);
}

#endif
