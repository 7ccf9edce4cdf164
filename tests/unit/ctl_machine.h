/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both front ends of the monitor stand on, for their tests on the host: tasks that run when
 * the test says so, and calls of the real table whose commands do nothing but say what they were
 * given.
 *
 * Sources: hv/ctl/answer.c hv/ctl/out.c hv/ctl/command.c hv/ctl/table.c hv/ctl/log.c
 */
#ifndef TESTS_UNIT_CTL_MACHINE_H
#define TESTS_UNIT_CTL_MACHINE_H

#include <stdlib.h>
#include <string.h>

#include "hv/ctl/commands.h"
#include "hv/ctl/monitor.h"
#include "hv/vm/vm.h"
#include "hv/vm/vms.h"

static struct {
	struct task *posted;
	struct call *waiting; /* under way, if `slow` */
	bool slow;
	unsigned calls;
	struct vm *target; /* the VM that they are about */
} cm;

struct percpu *cpu_by_index(unsigned index)
{
	(void)index;
	return NULL;
}

void task_post(struct task *t, struct percpu *cpu)
{
	(void)cpu;
	if (cm.posted)
		abort();
	cm.posted = t;
}

static bool say(struct call *c)
{
	for (unsigned i = 0; i < COMMAND_ARGS; i++)
		if (c->arg[i].given)
			out_text(&c->out, c->command->arg[i].name, "%s", c->arg[i].word);
	return true;
}

#define COMMAND(name)                                                                              \
	bool name(struct call *c)                                                                  \
	{                                                                                          \
		return say(c);                                                                     \
	}

COMMAND(run_vms)
COMMAND(run_stats)
COMMAND(run_mem)
COMMAND(run_log)
COMMAND(run_pause)
COMMAND(run_resume)
COMMAND(run_reset)
COMMAND(run_destroy)
COMMAND(run_create)
COMMAND(run_balloon)
COMMAND(run_resize)
COMMAND(run_quit)
COMMAND(run_help)
COMMAND(run_regs)
COMMAND(run_walk)
COMMAND(run_examine)
COMMAND(run_dump_vmcs)
COMMAND(run_audit)
COMMAND(run_trace)
COMMAND(run_why)

static void finish_call(struct call *c)
{
	c->ok = c->command->run(c);
	if (c->ok && !out_finish(&c->out))
		c->ok = call_fail(c, "too long");
	c->done(c);
}

void call_begin(struct call *c, const struct command *cmd, const char *const word[COMMAND_ARGS])
{
	c->command = cmd;
	c->vm = cm.target;
	cm.calls++;
	c->ok = command_check(cmd, word, c->arg, c->err);
	if (!c->ok)
		c->done(c);
	else if (cm.slow)
		cm.waiting = c;
	else
		finish_call(c);
}

static void run_tasks(void)
{
	while (cm.posted) {
		struct task *t = cm.posted;

		cm.posted = NULL;
		t->run(t);
	}
}

#endif
