/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work for a CPU to do between two slices, posted from any CPU: how somebody who has no vcpu, such
 * as the monitor, gets at what belongs to one CPU alone (a VM's registers, memory, devices). There
 * is no waiting for it to be done: what runs there posts the next step back.
 *
 *   CPU 0: task_post(t, vm's CPU) --> t->run(t) there: task_post(t, CPU 0) --> t->run(t) here
 *
 * Tasks are chores (hv/vm/sched.h): together they have the share of one VM.
 */
#ifndef HV_VM_TASK_H
#define HV_VM_TASK_H

#include "hv/cpu/percpu.h"
#include "hv/lib/list.h"

struct task {
	struct list_node node;
	void (*run)(
		struct task *t); /* t is in no queue by then and may be posted again, or freed */
};

/* Once, before the first of them is posted. */
void tasks_init(void);

void task_init(struct task *t, void (*run)(struct task *t));

/* Any CPU, and interrupt handlers. A task is in one queue at a time: the caller keeps track. */
void task_post(struct task *t, struct percpu *cpu);

/* Runs the oldest task of this CPU; false if there is none. */
bool task_run_next(void);

#endif
