/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that are about VMs as a whole, or about the machine. */
#include "hv/ctl/commands.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/tsc.h"
#include "hv/ctl/log.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/mem/hostmap.h"
#include "hv/mem/page.h"
#include "hv/vm/vm.h"
#include "hv/vm/vms.h"

#define LOG_LINES 20u /* unless it is said how many */

/* ---- what there is ---- */

static const char *state_of(const struct vm *vm)
{
	static const char *const names[] = {
		[VCPU_OUT] = "over",
		[VCPU_QUEUED] = "waits",
		[VCPU_RUNNING] = "runs",
		[VCPU_ASLEEP] = "sleeps",
		[VCPU_HELD] = "paused",
	};

	if (!vm->begun)
		return "begins";
	return vm->paused ? "paused" : names[vm->vcpu[0]->sched.place];
}

static void vms_row(struct vm *vm, void *ctx)
{
	struct out *o = ctx;

	out_row(o);
	out_text(o, "name", "%s", vm->cfg.name);
	out_text(o, "state", "%s", state_of(vm));
	out_number(o, "mb", vm->cfg.mem / MB);
	out_number(o, "vcpus", vm->cfg.vcpus);
	out_text(o, "mmu", "%s", vm->begun ? vm->mmu->ops->name : "");
	out_number(o, "cpu", vm->cpu->index);
	out_number(o, "weight", vm->cfg.weight);
	out_row_end(o);
}

bool run_vms(struct call *c)
{
	out_table(&c->out, "vms");
	vms_each(vms_row, &c->out);
	out_table_end(&c->out);
	return true;
}

/* ---- what they cost ---- */

static void vcpu_row(struct out *o, const struct vcpu *v)
{
	u64 exits = 0, ticks = 0;

	for (unsigned k = 0; k < EXIT_KINDS; k++) {
		exits += k == EXIT_NONE ? 0 : v->exits[k].count;
		ticks += v->exits[k].ticks;
	}
	out_row(o);
	out_text(o, "vm", "%s", v->vm->cfg.name);
	out_number(o, "vcpu", v->index);
	out_number(o, "cpu", v->sched.cpu->index);
	out_number(o, "exits", exits);
	out_number(o, "guest_ticks", v->guest_ticks);
	out_number(o, "hv_ticks", ticks);
	out_number(o, "wait_ticks", v->sched.wait_ticks);
	out_number(o, "idle_ticks", v->idle_ticks);
	out_row_end(o);
}

static void vcpu_rows(struct vm *vm, void *ctx)
{
	struct vcpu *v;

	if (!vm->begun)
		return;
	for_each_vcpu (v, vm)
		vcpu_row(ctx, v);
}

static void exit_rows(struct out *o, const struct vm *vm)
{
	for (unsigned k = 0; k < EXIT_KINDS; k++) {
		u64 count = 0, ticks = 0;
		struct vcpu *v;

		for_each_vcpu (v, vm) {
			count += v->exits[k].count;
			ticks += v->exits[k].ticks;
		}
		if (!count || k == EXIT_NONE)
			continue;
		out_row(o);
		out_text(o, "exit", "%s", exit_handlers[k].name);
		out_number(o, "count", count);
		out_number(o, "ticks", ticks);
		out_row_end(o);
	}
}

bool run_stats(struct call *c)
{
	struct out *o = &c->out;

	out_number(o, "tsc", rdtsc());
	out_number(o, "tsc_hz", tsc_hz());
	out_number(o, "cpus", cpu_count());
	out_table(o, "vcpus");
	if (c->vm)
		vcpu_rows(c->vm, o);
	else
		vms_each(vcpu_rows, o);
	out_table_end(o);
	if (!c->vm)
		return true;
	out_table(o, "exits");
	exit_rows(o, c->vm);
	out_table_end(o);
	return true;
}

bool run_mem(struct call *c)
{
	static const char *const names[] = {
		[PAGE_HV] = "hypervisor", [PAGE_TABLE] = "tables", [PAGE_GUEST] = "guests"
	};
	struct page_stats s;

	page_stats(&s);
	out_group(&c->out, "kb", 1);
	out_number(&c->out, "total", s.total * PAGE_SIZE / KB);
	out_number(&c->out, "free", s.free * PAGE_SIZE / KB);
	for (unsigned i = 0; i < PAGE_OWNERS; i++)
		out_number(&c->out, names[i], s.used[i] * PAGE_SIZE / KB);
	out_number(&c->out, "image", hostmap_image_bytes() / KB);
	out_group_end(&c->out);
	return true;
}

static void log_line(void *ctx, const char *line)
{
	out_line(ctx, "%s", line);
}

bool run_log(struct call *c)
{
	out_lines(&c->out, "log");
	log_kept(c->arg[0].given ? (unsigned)c->arg[0].number : LOG_LINES, log_line, &c->out);
	out_lines_end(&c->out);
	return true;
}

/* ---- what is done with them ---- */

bool run_pause(struct call *c)
{
	if (c->vm->paused)
		return call_fail(c, "VM %s is paused already", c->vm->cfg.name);
	c->vm->paused = true;
	vm_hold(c->vm);
	out_text(&c->out, "paused", "%s", c->vm->cfg.name);
	return true;
}

bool run_resume(struct call *c)
{
	if (!c->vm->paused)
		return call_fail(c, "VM %s is not paused", c->vm->cfg.name);
	c->vm->paused = false;
	vm_release(c->vm);
	out_text(&c->out, "resumed", "%s", c->vm->cfg.name);
	return true;
}

bool run_reset(struct call *c)
{
	if (!c->vm->cfg.reboot)
		return call_fail(c, "VM %s is to end at a reset (reboot=no)", c->vm->cfg.name);
	vm_end(c->vm, VM_END_RESET, 0);
	out_text(&c->out, "reset", "%s", c->vm->cfg.name);
	return true;
}

bool run_destroy(struct call *c)
{
	vm_end(c->vm, VM_END_DESTROYED, 0);
	c->until_gone = true;
	out_text(&c->out, "destroyed", "%s", c->vm->cfg.name);
	return true;
}

bool run_create(struct call *c)
{
	char err[LOADER_ERR_MAX];

	if (vms_create(c->arg[0].word, err) != OK)
		return call_fail(c, "%.*s", (int)sizeof(c->err) - 1, err);
	out_text(&c->out, "created", "%s", c->arg[0].word);
	return true;
}

bool run_balloon(struct call *c)
{
	const struct vm *vm = c->vm;
	u64 mb = c->arg[1].number;

	if (mb * MB > vm->cfg.mem)
		return call_fail(c, "VM %s has %lu MB", vm->cfg.name, vm->cfg.mem / MB);
	if (!vm->io_ops || !vm->io_ops->balloon || !vm->io_ops->balloon(vm->io, mb * MB))
		return call_fail(c, "VM %s has no balloon", vm->cfg.name);
	out_number(&c->out, "mb", mb);
	return true;
}

bool run_resize(struct call *c)
{
	const struct vm *vm = c->vm;
	u16 columns = (u16)c->arg[1].number, rows = (u16)c->arg[2].number;

	if (!vm->io_ops || !vm->io_ops->resize || !vm->io_ops->resize(vm->io, columns, rows))
		return call_fail(c, "VM %s has no virtio console", vm->cfg.name);
	out_number(&c->out, "columns", columns);
	out_number(&c->out, "rows", rows);
	return true;
}

bool run_quit(struct call *c)
{
	out_text(&c->out, "quit", "all VMs end");
	vms_quit();
	return true;
}

bool run_help(struct call *c)
{
	char usage[64];

	out_table(&c->out, "commands");
	for (unsigned i = 0; i < commands_count; i++) {
		command_usage(&commands[i], usage, sizeof(usage));
		out_row(&c->out);
		out_text(&c->out, "command", "%s", usage);
		out_text(&c->out, "does", "%s", commands[i].help);
		out_row_end(&c->out);
	}
	out_table_end(&c->out);
	return true;
}
