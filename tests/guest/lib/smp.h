/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More than one processor in a test guest: started by INIT and start-up IPIs, and given work.
 */
#ifndef TESTS_GUEST_SMP_H
#define TESTS_GUEST_SMP_H

#include "tests/guest/lib/lib.h"

#define SMP_MAX 16

/* As the topology leaf of CPUID has it; APIC IDs are 0 to smp_count() - 1, and 0 is the first. */
unsigned smp_count(void);
/* This one's APIC ID, by CPUID. */
unsigned smp_self(void);

/* INIT; then fn(APIC ID) on the processor with that APIC ID, interrupts off, on a stack of its own,
 * never to return. By a start-up IPI, or by the mailbox, where the MADT names one. False: it has
 * not begun within a second. */
bool smp_start(unsigned id, void (*fn)(unsigned id)) __must_check;
void smp_init_ipi(unsigned id);
void smp_sipi(unsigned id);

/* An IPI: low half of the ICR, and destination (not shifted), by whatever mode this APIC is in. */
void smp_ipi(u32 dest, u32 low);

/* smp_serve(): for an AP: does what smp_all() says, for good; idles in HLT if `halts`, with
 * interrupts enabled in any case. smp_all(): fn(APIC ID) on all processors, and here; returns
 * when all have done it. False: some do not serve, or have not done it, within `ms`. */
__noreturn void smp_serve(unsigned id, bool halts);
bool smp_all(void (*fn)(unsigned id), unsigned ms) __must_check;

/*
 * While one waits for another: interrupts are let in, since both may be on one physical processor.
 * It is taken away from a guest at any time, but by Bochs, which lets no interrupt of the machine
 * in while a guest has them off; where there is no VMX-preemption timer either, such a wait would
 * last for ever.
 */
static inline void smp_wait(void)
{
	sti_nop_cli();
}

struct lock {
	unsigned taken;
};

static inline void lock(struct lock *l)
{
	while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&l->taken, __ATOMIC_RELAXED))
			smp_wait();
}

static inline void unlock(struct lock *l)
{
	__atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}

#endif
