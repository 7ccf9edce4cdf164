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

/*
 * Called by entry.S. v: the exit is dealt with and no work is pending, run on. NULL: vmx_enter()
 * returns to vmx_run().
 */
struct vcpu *vmx_exit_quick(struct vcpu *v)
{
	u32 reason, now;
	s32 left;

	vmx_account_exit(v);
	reason = (u32)vmread_hot(VMCS_EXIT_REASON);
	if (unlikely(reason >= REASON_COUNT) || !vmx_exit_rows[reason].quick)
		return NULL;
	v = vmx_exit_rows[reason].quick(v);
	if (!v)
		return NULL;
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
