/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: many vcpus on few physical CPUs. Each CPU has its own queue (hv/vm/runq.h) and
 * runs this, with no stack of its own for a vcpu, since an exit is dealt with before the next
 * entry:
 *
 *   sched_step():  pick -> bring its state in, if another's is there -> vcpu_run(), a slice
 *                       -> charge what it ran -> back to the queue, or asleep, or over
 *                  nobody: HLT until a deadline or an interrupt
 *
 *             vcpu_start()              picked
 *   VCPU_OUT --------------> VCPU_QUEUED ------> VCPU_RUNNING --- VM over ---> VCPU_OUT
 *                             ^   ^  slice over    |
 *                             |   +----------------+ HLT and somebody else could run
 *                             |    vcpu_post()     v
 *                             +--------------- VCPU_ASLEEP
 *
 * From all places but OUT, sched_hold() leads to VCPU_HELD, and sched_release() back.
 *
 * A vcpu stays on the CPU that it was given at its creation. If the VM has no other, or all are on
 * that CPU, its memory map, devices and timers are touched there only; otherwise they have a lock
 * (hv/vm/shared.h). Others reach a vcpu by vcpu_post().
 * docs/scheduler.md has the reasons and the order of locks.
 */
#ifndef HV_VM_SCHED_H
#define HV_VM_SCHED_H

#include "hv/cpu/percpu.h"
#include "hv/vm/runq.h"

struct vcpu;

#define SCHED_ANY_CPU (~0u)

enum vcpu_place {
	VCPU_OUT,
	VCPU_QUEUED,
	VCPU_RUNNING,
	VCPU_ASLEEP,
	VCPU_HELD
};

/* What the scheduler keeps of a vcpu. */
struct sched_vcpu {
	struct runner runner;
	struct share share;    /* of the VM on this CPU, if this is its first vcpu there */
	enum vcpu_place place; /* under the lock of its CPU's queue */
	unsigned holds;	       /* while there are some, it is not picked; under the same lock */
	struct percpu *cpu;
	u64 since;	   /* TSC at the last change of place */
	u64 ran_ticks;	   /* on the CPU, guest and exits */
	u64 wait_ticks;	   /* could have run, and another did */
	u64 switches_in;   /* how often its state was brought in */
	u32 yields;	   /* how often it gave its slice up because it span, */
	u32 yields_to_own; /* of these, to another vcpu of its VM */
	bool spins;	   /* it gives this slice up for that; in the queue: it has done so */
	bool away;	   /* its state is in memory: another vcpu's is in the processor */
};

/* Once, when all CPUs are up and before any of them calls sched_step(). */
void sched_init(void);

/* The CPU for a new vcpu, whose part of its VM's weight is that: pin, which there must be; or, for
 * SCHED_ANY_CPU, the one with the least weight so far. sched_unplace() takes the weight off it
 * again. */
struct percpu *sched_place(unsigned weight, unsigned pin);
void sched_unplace(const struct percpu *cpu, unsigned weight);

/*
 * vcpu_start(): brings the vcpu in with the state that its VM is to begin with (vm->first_state),
 * and queues it; on its CPU, soon, if that is another. vcpu_gone(): it has stopped, and its state
 * is of no use; on its CPU.
 */
void vcpu_start(struct vcpu *v);
void vcpu_gone(struct vcpu *v);

/*
 * sched_step(): runs a vcpu of this CPU for a slice, or idles until an interrupt or a deadline. *v
 * is a vcpu whose VM is over, and which is then in no queue; or NULL. True: it is time for chores,
 * and the caller does one of those that sched_chores() has announced, if any is left.
 */
bool sched_step(struct vcpu **v);

/*
 * Chores are what a CPU does for no vcpu, such as making VMs: they have a share of their own, so
 * that they do not keep the vcpus from running. sched_chores(): there is one for that CPU (any CPU
 * may say so). sched_chore_done(): this CPU was busy with one since then (TSC).
 */
void sched_chores(const struct percpu *cpu);
void sched_chore_done(u64 since);

/* sched_charge(): this CPU, which is the vcpu's, was busy on its behalf since then (TSC). */
void sched_charge(struct vcpu *v, u64 since);

/*
 * vcpu_post(): gives a vcpu work (WORK_*), from any CPU: it looks at it before its next entry,
 * which is soon if it runs, and wakes for it if it is asleep. The caller makes sure that the vcpu
 * stays: its VM is destroyed on its own CPU, after it has left the list of VMs.
 */
void vcpu_post(struct vcpu *v, unsigned long work);

/*
 * sched_hold(): the vcpu is not picked any more; one that runs stops soon, which sched_held() then
 * says. Holds are counted, and sched_release() takes one back; with the last, it goes on. One that
 * is held before vcpu_start() stops at its first instruction, and so does one whose VM is reset.
 * The end of its VM is not held up. Any CPU; the caller makes sure that the vcpu stays.
 */
void sched_hold(struct vcpu *v);
void sched_release(struct vcpu *v);
bool sched_held(struct vcpu *v);

/* sched_attend(): brings the vcpu's state in, so that its registers can be reached (v->ops), until
 * the next sched_step(). On its CPU, between slices: from a task (hv/vm/task.h). */
void sched_attend(struct vcpu *v);

/*
 * sched_yield(): v, which runs here, waits in a loop for what another vcpu is to do. If any other
 * could run on this CPU, its slice is over; if one of them is of its VM, that one gets its turn.
 */
void sched_yield(struct vcpu *v);

/* True if no other vcpu of this CPU could run: one that is running may idle in its place. */
bool sched_alone(void);

#endif
