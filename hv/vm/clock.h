/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's own time, for a VM whose time does not always go on: the machine's, less what it has
 * stood still. Its devices' timers are in a queue of their own, whose head is relayed to the queue
 * of the CPU; its vcpus' TSCs are set back by as much before they run again.
 *
 *   VM's time = TSC - lost        CPU's queue: relay --> VM's queue: timers of its devices
 *
 * The scheduler says when it stands still (docs/scheduler.md, "What time it is"). All vcpus of such
 * a VM are on one CPU.
 */
#ifndef HV_VM_CLOCK_H
#define HV_VM_CLOCK_H

#include "hv/cpu/timer.h"

struct vcpu;

struct vm_clock {
	struct timerq q; /* of the VM's devices */
	struct timerq *cpu;
	struct timer relay; /* in cpu: the head of q */
	u64 lost;	    /* ticks that it has stood still, but for the last time if it does */
	u64 since;	    /* TSC at which it stopped; CLOCK_GOES: it has not */
	u64 told;	    /* TSC of the latest time that it has told */
};

#define CLOCK_GOES TIMER_NEVER

void vm_clock_init(struct vm_clock *c, struct timerq *cpu);
void vm_clock_destroy(struct vm_clock *c);

/* It has stood still since then (TSC), if it went. Any CPU, with the lock of the VM's CPU's queue.
 */
void vm_clock_stop(struct vm_clock *c, u64 tsc);

/* It goes from then (TSC) on: what is due at a time of the VM's is due so much later. On its CPU,
 * with the same lock. */
void vm_clock_go(struct vm_clock *c, u64 tsc);

/* v's TSC shows its VM's time: before its registers are next in the guest. */
void vm_clock_show(struct vcpu *v);

#endif
