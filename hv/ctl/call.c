/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a call: from the boot CPU to the CPU that its VM is on, and back. */
#include "hv/ctl/command.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/vm/vm.h"
#include "hv/vm/vms.h"

static struct call *call_of(struct task *t)
{
	return container_of(t, struct call, task);
}

static void finish(struct call *c)
{
	struct vm *vm = c->vm;

	if (c->ok && !out_finish(&c->out))
		c->ok = call_fail(c, "the answer is longer than %lu bytes", c->out.size);
	c->vm = NULL;
	c->v = NULL;
	if (vm)
		vms_unpin(vm);
	c->done(c);
}

static void come_back(struct task *t)
{
	finish(call_of(t));
}

/* The VM is not kept for an answer to that it has gone. */
static void wait_for_the_end(struct call *c)
{
	struct vm *vm = c->vm;

	c->vm = NULL;
	c->v = NULL;
	vms_when_gone(vm, &c->task);
	vms_unpin(vm);
}

static void run_there(struct task *t)
{
	struct call *c = call_of(t);

	if (c->v)
		sched_attend(c->v);
	vm_lock(c->vm);
	c->ok = c->command->run(c);
	vm_unlock(c->vm);
	task_init(t, come_back);
	if (c->ok && c->until_gone)
		wait_for_the_end(c);
	else
		task_post(t, cpu_by_index(0));
}

struct names {
	char *buf;
	size_t size, len;
};

static void add_name(struct vm *vm, void *ctx)
{
	struct names *n = ctx;

	if (n->len < n->size)
		n->len += (size_t)snprintf(n->buf + n->len, n->size - n->len, "%s%s",
			n->len ? ", " : "", vm->cfg.name);
}

static bool no_such_vm(struct call *c, const char *name)
{
	char there[COMMAND_ERR_MAX / 2] = "";
	struct names n = { there, sizeof(there), 0 };

	vms_each(add_name, &n);
	if (!n.len)
		return call_fail(c, "there is no VM \"%s\", and no other", name);
	return call_fail(c, "there is no VM \"%s\" that runs; there are: %s", name, there);
}

/* The VM that the call is about, and the vcpu: the first, if none was named. */
static bool find_target(struct call *c)
{
	u64 index = 0;

	for (unsigned i = 0; i < COMMAND_ARGS; i++) {
		if (c->command->arg[i].type == ARG_VM && c->arg[i].given) {
			c->vm = vms_pin(c->arg[i].word);
			if (!c->vm)
				return no_such_vm(c, c->arg[i].word);
		}
		if (c->command->arg[i].type == ARG_VCPU && c->arg[i].given)
			index = c->arg[i].number;
	}
	if (!c->vm || c->command->place != ON_VCPU)
		return true;
	if (index >= c->vm->vcpus)
		return call_fail(c, "VM %s has %u vcpus, from 0 on, and no %lu", c->vm->cfg.name,
			c->vm->vcpus, index);
	c->v = c->vm->vcpu[index];
	return true;
}

void call_begin(struct call *c, const struct command *cmd, const char *const word[COMMAND_ARGS])
{
	c->command = cmd;
	c->vm = NULL;
	c->v = NULL;
	c->until_gone = false;
	c->ok = command_check(cmd, word, c->arg, c->err) && find_target(c);
	if (!c->ok || !c->vm || cmd->place == ON_BOOT_CPU) {
		if (c->ok)
			c->ok = cmd->run(c);
		finish(c);
		return;
	}
	task_init(&c->task, run_there);
	task_post(&c->task, c->v ? c->v->sched.cpu : c->vm->cpu);
}
