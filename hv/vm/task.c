/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/vm/task.h"
#include "hv/ctl/log.h"
#include "hv/lib/spinlock.h"
#include "hv/vm/sched.h"

static struct spinlock lock;
static struct list_node queue[CPUS_MAX];

void tasks_init(void)
{
	for (unsigned i = 0; i < CPUS_MAX; i++)
		list_init(&queue[i]);
}

void task_init(struct task *t, void (*run)(struct task *t))
{
	list_init(&t->node);
	t->run = run;
}

void task_post(struct task *t, struct percpu *cpu)
{
	spin_lock(&lock);
	BUG_ON(!list_empty(&t->node));
	list_add_tail(&queue[cpu->index], &t->node);
	spin_unlock(&lock);
	sched_chores(cpu);
}

bool task_run_next(void)
{
	struct list_node *mine = &queue[this_cpu()->index];
	struct task *t = NULL;

	spin_lock(&lock);
	if (!list_empty(mine)) {
		t = list_entry(mine->next, struct task, node);
		list_del(&t->node);
	}
	spin_unlock(&lock);
	if (t)
		t->run(t);
	return t != NULL;
}
