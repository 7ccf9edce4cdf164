/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each physical CPU has for itself. The GS base points at it, for good: VMX restores it from
 * the host-state area on every exit.
 */
#ifndef HV_CPU_PERCPU_H
#define HV_CPU_PERCPU_H

#include "hv/cpu/gdt.h"
#include "hv/cpu/timer.h"
#include "hv/ctl/ledger.h"
#include "hv/lib/util.h"

#define CPUS_MAX 64

struct percpu {
	struct percpu *self; /* first: this_cpu() reads it through GS */
	unsigned index;	     /* 0 is the boot processor */
	u32 apic_id;
	struct timerq timers; /* deadlines of the guests that run here */
	void *arch;	      /* for the provider of CPU virtualization (vmx/) */
	void *vcpu;	      /* for the run loop: the vcpu that is loaded here, or NULL */
	u64 idle_ticks;	      /* TSC ticks spent in cpu_idle(), all that are over */
	u64 idle_since;	      /* TSC when it began the one that it is in; 0: it is in none */
	struct ledger ledger;
	u64 timer_deadline; /* TSC deadline that the LAPIC timer is set for; TIMER_NEVER when off */
	u64 vmreads, vmwrites; /* since they were last charged: for a build that counts them */
	unsigned nmis;	       /* NMIs taken that nobody asked for */
	bool online;

	/* Mailbox of smp_run_on(): run `call` once; NULL when free. */
	void (*call)(void *arg);
	void *call_arg;

	u8 *stack_top; /* where the host's RSP may start after a VM exit */
	u8 *stack_low; /* lowest byte of that stack; an unmapped page lies below */
	struct gdt gdt;
	struct tss tss;
};

static inline struct percpu *this_cpu(void)
{
	struct percpu *p;

	__asm__("mov %%gs:0, %0" : "=r"(p));
	return p;
}

/* Ticks in cpu_idle() up to now. */
static inline u64 cpu_idle_ticks(const struct percpu *cpu, u64 now)
{
	u64 since = __atomic_load_n(&cpu->idle_since, __ATOMIC_RELAXED);

	return cpu->idle_ticks + (since && since < now ? now - since : 0);
}

/* The CPU with that index, which must be < cpu_count(). */
struct percpu *cpu_by_index(unsigned index);
unsigned cpu_count(void); /* CPUs that are up */

#define for_each_cpu(p)                                                                            \
	for (unsigned _i = 0; _i < cpu_count() && ((p) = cpu_by_index(_i)) != NULL; _i++)

#endif
