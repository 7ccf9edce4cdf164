/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM whose vcpus run on several CPUs. What such a VM needs and others do not: a lock for all that
 * its vcpus share, which is everything but their registers; timers that expire on the CPU that they
 * belong to, with that lock held; and word to the others when a mapping goes (hv/mmu/shootdown.h).
 *
 *   exit -> lock -> handler, devices, memory map -> unlock -> entry
 *   a CPU's deadline queue -> a seat's alarm -> lock -> the seat's queue: devices -> unlock
 *
 * A VM on one CPU has none of it (vm->shared is NULL), and pays for none of it: its exits take the
 * quick path, its timers hang on the CPU's queue.
 */
#ifndef HV_VM_SHARED_H
#define HV_VM_SHARED_H

#include "hv/cpu/percpu.h"
#include "hv/cpu/timer.h"
#include "hv/dev/platform.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/status.h"
#include "hv/mmu/shootdown.h"

struct vm;
struct vcpu;

/* What a vcpu has of it. Under the lock, but for `shootdown`. */
struct seat {
	struct timerq
		timers;	    /* of its local APIC; of the first vcpu: of all other devices as well */
	struct timer alarm; /* in the queue of its CPU: the head of `timers` */
	struct vm *vm;
	unsigned index;
	bool taken; /* the vcpu is on its CPU: from vcpu_sit() to vcpu_rise() */
	struct shootdown shootdown;
};

struct shared {
	struct spinlock lock;
	unsigned order; /* of the allocation */
	struct seat seat[PLATFORM_MAX_VCPUS];
};

/* vm->shared, if the VM's vcpus are placed on more than one CPU. The VM has its MMU. */
enum status shared_create(struct vm *vm) __must_check;
void shared_destroy(struct vm *vm);

/* The vcpu begins to run on this CPU; it has stopped. Nothing, if the VM is on one CPU. */
void vcpu_sit(struct vcpu *v);
void vcpu_rise(struct vcpu *v);

/* Around all that a vcpu of a shared VM does with what is shared; v is the one whose accesses the
 * devices see. */
void vcpu_lock(struct vcpu *v);
void vcpu_unlock(struct vcpu *v);

/*
 * vm_lock(), vm_unlock(): the same for others than its vcpus, on a CPU of the VM and between slices
 * (hv/vm/task.h). Nothing, if the VM is on one CPU: nothing of it is in motion then.
 */
void vm_lock(struct vm *vm);
void vm_unlock(struct vm *vm);

/* WORK_TIMERS: another CPU has given this vcpu's seat an earlier deadline. With the lock held. */
void vcpu_set_alarm(struct vcpu *v);

/* Around the guest's run. */
void vcpu_enter_shared(struct vcpu *v);
void vcpu_leave_shared(struct vcpu *v);

#endif
