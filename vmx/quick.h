/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exit table's rows, and what the quick path and the run loop's way into the guest share: the
 * preemption timer and the accounts. Times are low halves of the TSC.
 */
#ifndef VMX_QUICK_H
#define VMX_QUICK_H

#include "hv/cpu/cpu.h"
#include "hv/vm/vcpu.h"
#include "vmx/fields.h"
#include "vmx/insn.h"

#define VMX_EXIT_VECTORED BIT(0) /* can cut short the delivery of an event */

struct vmx_exit_row {
	const char *name; /* as the manual's appendix "VMX Basic Exit Reasons" has it */
	enum exit_kind kind;
	unsigned flags;
	/* Fills in *e. False: needs more registers than the quick path has. NULL: nothing to
	 * decode. */
	bool (*decode)(struct vcpu *v, struct vcpu_exit *e);
	/*
	 * For exits that are common and need only the registers that entry.S saves first: deals
	 * with the exit as a whole and returns v. NULL: it is for the run loop, and nothing was
	 * changed. vmx_quick for those that are handled in C like any other.
	 */
	struct vcpu *(*quick)(struct vcpu *v);
};

extern const struct vmx_exit_row vmx_exit_rows[REASON_COUNT];

struct vcpu *vmx_quick(
	struct vcpu *v); /* entry.S: vmx_quick_common() with all that C may change put away */
struct vcpu *vmx_quick_all(
	struct vcpu *v); /* entry.S: vmx_quick_page_fault() with all registers in *v */
struct vcpu *vmx_quick_page_fault(struct vcpu *v);  /* exits.c */
struct vcpu *vmx_quick_common(struct vcpu *v);	    /* exits.c */
struct vcpu *vmx_quick_cpuid(struct vcpu *v);	    /* quick.c */
struct vcpu *vmx_exit_quick(struct vcpu *v);	    /* quick.c: called by entry.S */
struct vcpu *vmx_exit_quick_shared(struct vcpu *v); /* the same, for vcpus of shared VMs */

/* Ticks until the head of the deadline queue, which is less than 2^31 ticks away. */
static inline s32 vmx_ticks_left(const struct vcpu *v, u32 now)
{
	return (s32)((u32)v->timers->next - now);
}

/*
 * The next entry ends at the head of the deadline queue. Where there is no preemption timer,
 * timer_field is one that nobody reads, and the local APIC's timer is set already.
 */
static inline void vmx_arm_timer(const struct vcpu *v, s32 left)
{
	vmwrite_hot(v->timer_field, (u32)left >> v->timer_shift);
}

#ifdef VMX_COUNTING
static inline void vmx_charge_fields(struct exit_count *c)
{
	struct percpu *cpu = this_cpu();

	c->vmreads += cpu->vmreads;
	c->vmwrites += cpu->vmwrites;
	cpu->vmreads = 0;
	cpu->vmwrites = 0;
}
#else
static inline void vmx_charge_fields(struct exit_count *c)
{
	(void)c;
}
#endif

/* Closes the account of the last exit and opens the guest's. */
static inline void vmx_account_entry(struct vcpu *v, u32 now)
{
	struct exit_count *c = &v->exits[v->kind];

	c->count++;
	c->ticks += now - v->exit_tsc;
	v->entry_tsc = now;
	vmx_charge_fields(c);
}

/* A deadline came before the entry: as if it had ended one of no length. */
static inline void vmx_account_due(struct vcpu *v, u32 now)
{
	vmx_account_entry(v, now);
	v->exit_tsc = now;
	v->kind = EXIT_TIMER;
}

static inline void vmx_account_exit(struct vcpu *v)
{
	u32 now = rdtsc_low();

	v->guest_ticks += now - v->entry_tsc;
	v->exit_tsc = now;
}

#endif
