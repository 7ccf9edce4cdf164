/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a call: where each step runs, that the VM is pinned for as long as it takes and no
 * longer, and how it fails.
 *
 * Sources: hv/ctl/call.c hv/ctl/command.c hv/ctl/out.c hv/ctl/log.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hv/ctl/command.h"
#include "hv/vm/vm.h"
#include "hv/vm/vms.h"

#define ANSWER 200

static struct percpu cpus[2] = { { .index = 0 }, { .index = 1 } };
static struct percpu *here; /* the CPU that the code runs on */
static struct vm vm = { .cfg.name = "a", .cpu = &cpus[1] };
static struct vcpu vcpu[2] = { { .index = 0, .sched.cpu = &cpus[1] },
	{ .index = 1, .sched.cpu = &cpus[1] } };
static struct task *posted;
static struct percpu *posted_to;
static int pins, locked;
static struct task *mourner; /* to be posted when the VM has gone */
static struct vcpu *attended;
static struct percpu *ran_on, *done_on;
static unsigned done_count;
static char answer[ANSWER];
static struct call c;

struct percpu *cpu_by_index(unsigned index)
{
	return &cpus[index];
}

void task_post(struct task *t, struct percpu *cpu)
{
	assert_null(posted);
	assert_int_equal(locked, 0); /* what is posted may run at once */
	posted = t;
	posted_to = cpu;
}

struct vm *vms_pin(const char *name)
{
	assert_ptr_equal(here, &cpus[0]);
	if (strcmp(name, "a"))
		return NULL;
	pins++;
	return &vm;
}

void vms_unpin(struct vm *v)
{
	assert_ptr_equal(v, &vm);
	assert_int_equal(done_count, 0); /* whoever hears of the end may know that it is free */
	pins--;
}

void vms_when_gone(struct vm *v, struct task *t)
{
	assert_ptr_equal(v, &vm);
	assert_ptr_equal(here, vm.cpu);
	assert_null(mourner);
	mourner = t;
}

void vms_each(void (*fn)(struct vm *vm, void *ctx), void *ctx)
{
	fn(&vm, ctx);
}

void sched_attend(struct vcpu *v)
{
	assert_ptr_equal(here, v->sched.cpu);
	attended = v;
}

void vm_lock(struct vm *v)
{
	assert_ptr_equal(v, &vm);
	assert_int_equal(locked++, 0);
}

void vm_unlock(struct vm *v)
{
	assert_ptr_equal(v, &vm);
	assert_int_equal(--locked, 0);
}

static bool run_it(struct call *call)
{
	ran_on = here;
	assert_int_equal(locked, call->command->place == ON_BOOT_CPU ? 0 : 1);
	assert_int_equal(pins, call->vm ? 1 : 0);
	out_number(&call->out, "vcpu", call->v ? call->v->index : 99);
	return true;
}

static bool run_last(struct call *call)
{
	call->until_gone = true;
	return run_it(call);
}

static bool run_long(struct call *call)
{
	for (unsigned i = 0; i < ANSWER; i++)
		out_number(&call->out, "n", i);
	return true;
}

static bool run_badly(struct call *call)
{
	return call_fail(call, "it is %s", "bad");
}

#define VM                                                                                         \
	{                                                                                          \
		"vm", ARG_VM, false, 0                                                             \
	}
#define VCPU                                                                                       \
	{                                                                                          \
		"vcpu", ARG_VCPU, true, 0                                                          \
	}
const struct command commands[] = {
	{ "boot", { { "vm", ARG_VM, true, 0 } }, ON_BOOT_CPU, run_it, "" },
	{ "vm", { VM }, ON_VM_CPU, run_it, "" },
	{ "vcpu", { VM, VCPU }, ON_VCPU, run_it, "" },
	{ "last", { VM }, ON_VM_CPU, run_last, "" },
	{ "long", { VM }, ON_VM_CPU, run_long, "" },
	{ "bad", { VM }, ON_VM_CPU, run_badly, "" },
};
const unsigned commands_count = ARRAY_SIZE(commands);

static void done(struct call *call)
{
	assert_ptr_equal(call, &c);
	done_on = here;
	done_count++;
}

static int setup(void **state)
{
	(void)state;
	here = &cpus[0];
	vm.vcpu[0] = &vcpu[0];
	vm.vcpu[1] = &vcpu[1];
	vm.vcpus = 2;
	posted = mourner = NULL;
	attended = NULL;
	ran_on = done_on = NULL;
	done_count = 0;
	return 0;
}

static void run_tasks(void)
{
	while (posted) {
		struct task *t = posted;

		assert_int_equal(done_count, 0);
		here = posted_to;
		posted = NULL;
		t->run(t);
	}
}

static void begin(const char *name, const char *a, const char *b)
{
	const char *word[COMMAND_ARGS] = { a, b };

	c.done = done;
	out_init(&c.out, answer, sizeof(answer), false);
	call_begin(&c, command_find(name), word);
	run_tasks();
}

/* The call from its beginning to its end. */
static void call(const char *name, const char *a, const char *b)
{
	begin(name, a, b);
	assert_int_equal(done_count, 1);
	assert_ptr_equal(done_on, &cpus[0]);
	assert_int_equal(pins, 0);
}

static void each_runs_where_it_belongs(void **state)
{
	(void)state;
	call("boot", NULL, NULL);
	assert_ptr_equal(ran_on, &cpus[0]);
	setup(NULL);
	call("boot", "a", NULL);
	assert_ptr_equal(ran_on, &cpus[0]);
	setup(NULL);
	call("vm", "a", NULL);
	assert_ptr_equal(ran_on, &cpus[1]);
	assert_null(attended);
	assert_string_equal(answer, "vcpu: 99\n");
	setup(NULL);
	call("vcpu", "a", "1");
	assert_ptr_equal(ran_on, &cpus[1]);
	assert_ptr_equal(attended, &vcpu[1]);
	assert_true(c.ok);
	assert_string_equal(answer, "vcpu: 1\n");
}

/* It is answered when the VM has gone, and does not keep it. */
static void an_answer_may_wait_for_the_end(void **state)
{
	(void)state;
	begin("last", "a", NULL);
	assert_ptr_equal(ran_on, &cpus[1]);
	assert_int_equal(done_count, 0);
	assert_int_equal(pins, 0);
	assert_non_null(mourner);
	task_post(mourner, &cpus[0]);
	run_tasks();
	assert_int_equal(done_count, 1);
	assert_ptr_equal(done_on, &cpus[0]);
	assert_true(c.ok);
	assert_string_equal(answer, "vcpu: 99\n");
	setup(NULL);
	call("vm", "a", NULL); /* and the next is as any */
}

static void failures_are_told(void **state)
{
	(void)state;
	call("vm", "b", NULL);
	assert_false(c.ok);
	assert_string_equal(c.err, "there is no VM \"b\" that runs; there are: a");
	setup(NULL);
	call("vm", NULL, NULL);
	assert_string_equal(c.err, "VM is missing: vm VM");
	setup(NULL);
	call("vcpu", "a", "2");
	assert_string_equal(c.err, "VM a has 2 vcpus, from 0 on, and no 2");
	setup(NULL);
	call("bad", "a", NULL);
	assert_string_equal(c.err, "it is bad");
	setup(NULL);
	call("long", "a", NULL);
	assert_false(c.ok);
	assert_string_equal(c.err, "the answer is longer than 200 bytes");
	assert_null(ran_on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_runs_where_it_belongs, setup),
		cmocka_unit_test_setup(an_answer_may_wait_for_the_end, setup),
		cmocka_unit_test_setup(failures_are_told, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
