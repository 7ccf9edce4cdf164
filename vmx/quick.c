/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The path of every exit, kept as short as it can be: with all the rest, CPUID costs less than 100
 * instructions. This file is compiled without R8 to R15 and RBP (see the Makefile), so that entry.S
 * need not save them before it calls here; nothing here may call a function that was compiled
 * otherwise, but through vmx_quick() and vmx_quick_all().
 */
#include "hv/vm/cpuid.h"
#include "vmx/quick.h"
#include "vmx/retire.h"

/* A constant leaf is a copy of four words. */
struct vcpu *vmx_quick_cpuid(struct vcpu *v)
{
	u32 leaf = (u32)v->gpr[RAX];
	const struct cpuid_regs *r;

	if (unlikely(!cpuid_is_constant(leaf)))
		return vmx_quick(v);
	r = cpuid_constant(v->cpuid, leaf);
	v->kind = EXIT_CPUID;
	v->gpr[RAX] = r->eax;
	v->gpr[RBX] = r->ebx;
	v->gpr[RCX] = r->ecx;
	v->gpr[RDX] = r->edx;
	vmx_skip();
	return v;
}

/* The way back into the guest, if nothing stands against it. */
static inline struct vcpu *go_on(struct vcpu *v)
{
	u32 now;
	s32 left;

	if (unlikely(v->work)) {
		v->handled = true;
		return NULL;
	}
	now = rdtsc_low();
	left = vmx_ticks_left(v, now);
	if (unlikely(left <= 0)) { /* vmx_run() will see that */
		v->handled = true;
		return NULL;
	}
	vmx_arm_timer(v, left);
	vmx_account_entry(v, now);
	return v;
}

/*
 * Called by entry.S. v: the exit is dealt with and no work is pending, run on. NULL: vmx_enter()
 * returns to vmx_run().
 */
struct vcpu *vmx_exit_quick(struct vcpu *v)
{
	u32 reason;

	vmx_account_exit(v);
	reason = (u32)vmread_hot(VMCS_EXIT_REASON);
	if (unlikely(reason >= REASON_COUNT) || !vmx_exit_rows[reason].quick)
		return NULL;
	v = vmx_exit_rows[reason].quick(v);
	return v ? go_on(v) : NULL;
}

/* The same for a vcpu whose VM runs on other CPUs too: what they share has a lock, which the run
 * loop takes. The constant leaves of CPUID need none. */
struct vcpu *vmx_exit_quick_shared(struct vcpu *v)
{
	vmx_account_exit(v);
	if ((u32)vmread_hot(VMCS_EXIT_REASON) != REASON_CPUID ||
		!cpuid_is_constant((u32)v->gpr[RAX]))
		return NULL;
	return go_on(vmx_quick_cpuid(v));
}
