/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of VMs, and the life of each from its description to the report of its end:
 *
 *   any CPU      admit(): description -> struct vm, a CPU for it -> that CPU's arrivals
 *   its CPU      begin(): vm_create(), vm_start(), as a chore
 *                sched_step(), sched_step(), ...
 *                over(): started again, if it was a reset; or finish(): reported, destroyed,
 *                and the next one admitted
 *
 * The lock is over the list and the counts. It is taken before that of a run queue, and never while
 * one of a VM's devices is at work.
 */
#include "hv/vm/vms.h"

#include <stdarg.h>

#include "hv/boot/modules.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/smp.h"
#include "hv/cpu/tsc_step.h"
#include "hv/ctl/log.h"
#include "hv/ctl/stats.h"
#include "hv/drv/console.h"
#include "hv/lib/printf.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/vm/debug.h"
#include "hv/vm/vm.h"

#define RESETS_LOGGED 10 /* at a time, and one a second: guests make them */

static struct {
	struct spinlock lock;
	struct list_node list;		     /* of all VMs, in the order of their admission */
	struct list_node arrivals[CPUS_MAX]; /* those not begun yet, by CPU */
	const struct vm_providers *with;
	unsigned at_once, configs; /* as many may be at a time, and begin by themselves */
	unsigned described;
	unsigned next;		/* the next description to be read */
	unsigned live;		/* admitted, and not finished */
	bool stay, quit;	/* to be there without a VM; to end all */
	bool over;		/* none is left and none will come */
	const struct vm *focus; /* who has the input, if it was said */
	void (*event)(const struct vm *vm);
	int failed;
	char *why;
} vms;

/* ---- ends ---- */

/* The first reason stands. */
static void __printf(1, 2) failed(const char *fmt, ...)
{
	va_list ap;

	spin_lock(&vms.lock);
	va_start(ap, fmt);
	if (!vms.failed)
		vsnprintf(vms.why, LOADER_ERR_MAX, fmt, ap);
	va_end(ap);
	vms.failed = 1;
	spin_unlock(&vms.lock);
}

/* The debug-exit port's status 1 (value 0) is a guest's way to say that all went well. */
static bool ended_cleanly(const struct vm *vm)
{
	switch (vm->end) {
	case VM_END_POWEROFF:
	case VM_END_RESET:
	case VM_END_HALT:
	case VM_END_DESTROYED: return true;
	case VM_END_EXIT: return vm->end_status == 1;
	default: return false;
	}
}

static void report_end(const char *name, const char *end, unsigned status, const char *why)
{
	char text[2 * LOADER_ERR_MAX];

	log_json_string(text, sizeof(text), why);
	log_machine("@vm {\"name\":\"%s\",\"end\":\"%s\",\"status\":%u,\"why\":%s}", name, end,
		status, text);
}

static void report(const struct vm *vm, bool clean)
{
	report_end(vm->cfg.name, vm_end_name(vm->end), vm->end_status, vm->end_why);
	if (!clean)
		failed("VM %s ended by %s (status %u) %.*s", vm->cfg.name, vm_end_name(vm->end),
			vm->end_status, LOADER_ERR_MAX - 96, vm->end_why);
}

/* A VM that never was. */
static void report_refused(const char *name, const char *why)
{
	report_end(name, "crash", 0, why);
	failed("%s: %.*s", name, LOADER_ERR_MAX - 48, why);
}

/* ---- input ---- */

/* What is typed is for the VM that was chosen, or has been here longest. With the lock held. */
static void choose_input(void)
{
	struct vm *vm, *chosen = NULL;

	list_for_each_entry (vm, &vms.list, node)
		if (vm == vms.focus || !chosen)
			chosen = vm;
	list_for_each_entry (vm, &vms.list, node)
		__atomic_store_n(&vm->has_input, vm == chosen, __ATOMIC_RELAXED);
	if (chosen && chosen->begun)
		vcpu_post(chosen->vcpu[0], WORK_INPUT);
}

void vms_input(void)
{
	spin_lock(&vms.lock);
	choose_input();
	spin_unlock(&vms.lock);
}

void vms_focus(const struct vm *vm)
{
	spin_lock(&vms.lock);
	if (!vm || !vm->gone)
		vms.focus = vm;
	choose_input();
	spin_unlock(&vms.lock);
}

/* From the receive interrupt, on the boot CPU. */
static void on_input(void *ctx)
{
	(void)ctx;
	vms_input();
}

/* ---- coming ---- */

static bool name_taken(const char *name)
{
	const struct vm *vm;

	list_for_each_entry (vm, &vms.list, node)
		if (!strcmp(vm->cfg.name, name))
			return true;
	return false;
}

static unsigned free_id(void)
{
	const struct vm *vm;
	unsigned id = 1;
	bool taken;

	do {
		taken = false;
		list_for_each_entry (vm, &vms.list, node)
			taken |= vm->id == id;
		id += taken;
	} while (taken);
	return id;
}

/* The machine's disks and network cards interrupt the boot CPU, and the switch has no lock: what
 * they work on belongs to that CPU. */
static bool wants_boot_cpu(const struct manifest *cfg)
{
	bool physical = cfg->net != VM_NET_NONE;

	for (unsigned i = 0; i < cfg->disks; i++)
		physical |= cfg->disk[i].kind == DISK_IS_PHYSICAL;
	return physical;
}

static enum status check_pin(const struct manifest *cfg, char *err)
{
	if (!cfg->pinned)
		return OK;
	if (cfg->pin >= cpu_count()) {
		snprintf(err, LOADER_ERR_MAX, "pin=%u: there are %u processors, from 0 on",
			cfg->pin, cpu_count());
		return ERR_NOENT;
	}
	if (cfg->pin && wants_boot_cpu(cfg)) {
		snprintf(err, LOADER_ERR_MAX,
			"pin=%u: a VM with a network card or a disk of the "
			"machine runs on CPU 0",
			cfg->pin);
		return ERR_INVAL;
	}
	return OK;
}

static unsigned pin_of(const struct manifest *cfg)
{
	if (cfg->pinned)
		return cfg->pin;
	return wants_boot_cpu(cfg) ? 0 : SCHED_ANY_CPU;
}

/* A debugger is one CPU's business, and so are a clock of its own and what belongs to CPU 0; and a
 * guest would see clocks go back that are not in step. */
static bool may_spread(const struct vm *vm)
{
	return pin_of(&vm->cfg) == SCHED_ANY_CPU && !vm->cfg.virtual_time && !debug_wants(vm) &&
	       tsc_in_step();
}

/* A vcpu's part of its VM's weight. */
static unsigned part_of(const struct manifest *cfg)
{
	return MAX(cfg->weight / cfg->vcpus, 1u);
}

static void place(struct vm *vm)
{
	const struct manifest *cfg = &vm->cfg;
	unsigned part = part_of(cfg);

	vm->cpu = vm->place[0] = sched_place(part, pin_of(cfg));
	for (unsigned i = 1; i < cfg->vcpus; i++)
		vm->place[i] = sched_place(part, may_spread(vm) ? SCHED_ANY_CPU : vm->cpu->index);
}

/* Gives the VM a number and a CPU, on whose list it then waits. */
static enum status enlist(struct vm *vm, char *err)
{
	enum status s = check_pin(&vm->cfg, err);

	if (s != OK)
		return s;
	spin_lock(&vms.lock);
	vm->id = free_id();
	if (vm->id > VM_ID_MAX || name_taken(vm->cfg.name)) {
		spin_unlock(&vms.lock);
		snprintf(err, LOADER_ERR_MAX, "%s",
			vm->id > VM_ID_MAX ? "too many VMs" : "there is a VM of that name");
		return ERR_EXIST;
	}
	place(vm);
	list_add_tail(&vms.list, &vm->node);
	list_add_tail(&vms.arrivals[vm->cpu->index], &vm->arrival);
	spin_unlock(&vms.lock);
	sched_chores(vm->cpu);
	return OK;
}

static bool describe(struct vm *vm, const struct boot_module *m, char *err)
{
	vm->runs_left = 0;
	if (manifest_parse(boot_module_data(m), m->size, &vm->cfg, err) != OK)
		return false;
	vm->runs_left = vm->cfg.repeat;
	vm->shared_console = vms.described > 1 && vms.at_once > 1;
	return true;
}

/* From a description. What is wrong with it is the end of that VM: false. */
static bool admit(const char *conf, const struct boot_module *m)
{
	struct vm *vm = vm_alloc();
	char err[LOADER_ERR_MAX];

	if (!vm) {
		report_refused(conf, "no memory for the VM itself");
		return false;
	}
	if (describe(vm, m, err)) {
		vm->first = !strcmp(conf, "vm0.conf");
		if (enlist(vm, err) == OK)
			return true;
		conf = vm->cfg.name;
	}
	report_refused(conf, err);
	vm_free(vm);
	return false;
}

/* The next description, if there may be one more VM, which is counted then. */
static const struct boot_module *next_config(char *name, size_t size)
{
	const struct boot_module *m = NULL;

	spin_lock(&vms.lock);
	if (vms.live < vms.at_once && vms.next < vms.configs && !vms.quit) {
		snprintf(name, size, "vm%u.conf", vms.next++);
		m = boot_module_find(name);
		vms.live++;
	}
	spin_unlock(&vms.lock);
	return m;
}

static void uncount(void)
{
	spin_lock(&vms.lock);
	vms.live--;
	spin_unlock(&vms.lock);
}

static void admit_more(void)
{
	const struct boot_module *m;
	struct percpu *cpu;
	char name[16];
	bool over;

	while ((m = next_config(name, sizeof(name))))
		if (!admit(name, m))
			uncount();
	spin_lock(&vms.lock);
	over = !vms.live && (vms.quit || (vms.next == vms.configs && !vms.stay));
	vms.over = over;
	spin_unlock(&vms.lock);
	if (!over)
		return;
	for_each_cpu (cpu)
		sched_chores(cpu);
}

/* ---- going ---- */

static void tell(const struct vm *vm)
{
	if (vms.event)
		vms.event(vm);
}

/* The same VM anew, of which there were to be several, one after the other. */
static bool repeat(const struct vm *old)
{
	struct vm *vm = vm_alloc();
	char err[LOADER_ERR_MAX] = "no memory for the VM itself";

	if (vm) {
		vm->cfg = old->cfg;
		vm->runs_left = old->runs_left - 1;
		vm->shared_console = old->shared_console;
		vm->first = old->first;
	}
	if (vm && enlist(vm, err) == OK)
		return true;
	if (vm)
		vm_free(vm);
	report_refused(old->cfg.name, err);
	return false;
}

/* Off the list. True: and nobody else knows it any more. */
static bool delist(struct vm *vm)
{
	bool pinned;

	spin_lock(&vms.lock);
	list_del(&vm->node);
	vm->gone = true;
	if (vms.focus == vm)
		vms.focus = NULL;
	pinned = vm->pins;
	choose_input();
	spin_unlock(&vms.lock);
	for (unsigned i = 0; i < vm->cfg.vcpus; i++)
		sched_unplace(vm->place[i], part_of(&vm->cfg));
	return !pinned;
}

static void tell_mourners(struct vm *vm)
{
	while (!list_empty(&vm->mourners)) {
		struct task *t = list_entry(vm->mourners.next, struct task, node);

		list_del(&t->node);
		task_post(t, cpu_by_index(0));
	}
}

static void settle(struct task *t)
{
	struct vm *vm = container_of(t, struct vm, burial);
	bool again = vm->again;

	vm_free(vm);
	if (!again)
		uncount();
	admit_more();
}

/* Other VMs share the CPU: a step at a time. The boot CPU does the rest, after its answers to who
 * has waited for this, and before it hears of what they ask for next: if this VM was the last, they
 * are answered still; if not, there is room for another. */
static void bury(struct task *t)
{
	struct vm *vm = container_of(t, struct vm, burial);

	if (!vm_destroy_step(vm)) {
		task_init(t, bury);
		task_post(t, vm->cpu);
		return;
	}
	vm->again = vm->again && repeat(vm);
	tell_mourners(vm);
	task_init(t, settle);
	task_post(t, cpu_by_index(0));
}

/* On the vcpu's CPU: nothing of it stays there. After the last, the VM can be taken apart. */
static void part(struct task *t)
{
	struct vcpu *v = container_of(t, struct vcpu, errand);
	struct vm *vm = v->vm;

	vcpu_gone(v);
	if (__atomic_sub_fetch(&vm->running, 1, __ATOMIC_SEQ_CST))
		return;
	task_init(&vm->burial, bury);
	task_post(&vm->burial, vm->cpu);
}

/* What is left when nobody can know it any more: first the vcpus leave their CPUs. */
static void wind_up(struct task *t)
{
	struct vm *vm = container_of(t, struct vm, burial);
	struct vcpu *v;

	if (!vm->shared) {
		bury(t);
		return;
	}
	vm->running = vm->vcpus;
	for_each_vcpu (v, vm) {
		task_init(&v->errand, part);
		task_post(&v->errand, v->sched.cpu);
	}
}

static void finish(struct vm *vm)
{
	bool clean = ended_cleanly(vm);

	vm->again = clean && vm->end != VM_END_DESTROYED && vm->runs_left > 1;
	debug_detach(vm);
	stats_vm(vm);
	if (!vm->again)
		report(vm, clean);
	tell(vm);
	task_init(&vm->burial, wind_up);
	if (delist(vm))
		task_post(&vm->burial, vm->cpu);
}

/* A VM that has not been created, with its end. */
static void forget(struct vm *vm)
{
	report_end(vm->cfg.name, vm_end_name(vm->end), 0, vm->end_why);
	if (vm->end == VM_END_CRASH)
		failed("VM %s: %.*s", vm->cfg.name, LOADER_ERR_MAX - 48, vm->end_why);
	tell(vm);
	(void)delist(vm);
	vm_free(vm);
	uncount();
	admit_more();
}

static void end_locked(struct vm *vm)
{
	vm_lock(vm);
	vm_end(vm, VM_END_DESTROYED, 0);
	vm_unlock(vm);
}

static void begin(struct vm *vm)
{
	if (READ_ONCE(vms.quit))
		vm->end = VM_END_DESTROYED;
	else if (vm_create(vm, vms.with, vm->end_why) != OK)
		vm->end = VM_END_CRASH;
	if (vm->end != VM_END_NONE) {
		forget(vm);
		return;
	}
	log_info("%s: %lu MB, %s, %s, CPU %u", vm->cfg.name, vm->cfg.mem / MB, vm->mmu->ops->name,
		vms.with->cpu->name, vm->cpu->index);
	stats_memory(vm);
	/* Or the first steps of a VM that is alone would be interrupted by the port, to be rid of
	 * lines that were there before. */
	if (READ_ONCE(vms.live) == 1)
		log_flush();
	debug_attach(vm);
	if (!vm_start(vm)) {
		finish(vm);
		return;
	}
	spin_lock(&vms.lock);
	vm->begun = true;
	choose_input();
	spin_unlock(&vms.lock);
	tell(vm);
	if (READ_ONCE(vms.quit)) /* too late for it to have been ended with the others */
		end_locked(vm);
}

/* At its own cost: a guest may do nothing but that. */
static bool restart(struct vm *vm)
{
	static struct ratelimit resets = RATELIMIT(RESETS_LOGGED);
	u64 since = rdtsc();
	bool goes_on;

	log_guest(&resets, LOG_INFO, "%s: %s", vm->cfg.name, vm_end_name(vm->end));
	goes_on = vm_restart(vm);
	sched_charge(vm->vcpu[0], since);
	return goes_on;
}

static bool comes_back(const struct vm *vm)
{
	return vm->end == VM_END_RESET && vm->cfg.reboot;
}

/* All of its vcpus have stopped since vm->end is set. */
static void over(struct vm *vm)
{
	if (comes_back(vm) && restart(vm))
		return;
	log_info("%s: %s", vm->cfg.name, vm_end_name(vm->end));
	finish(vm);
}

static void over_at_home(struct task *t)
{
	over(container_of(t, struct vm, burial));
}

/* Its being started again is the VM's own expense, but what its end takes is a chore. */
static void stopped(struct vcpu *v)
{
	struct vm *vm = v->vm;

	if (!vcpu_has_stopped(v))
		return;
	if (vm->cpu == this_cpu() && comes_back(vm)) {
		over(vm);
		return;
	}
	task_init(&vm->burial, over_at_home);
	task_post(&vm->burial, vm->cpu);
}

static struct vm *next_arrival(void)
{
	struct list_node *here = &vms.arrivals[this_cpu()->index];
	struct vm *vm = NULL;

	spin_lock(&vms.lock);
	if (!list_empty(here)) {
		vm = list_entry(here->next, struct vm, arrival);
		list_del(&vm->arrival);
	}
	spin_unlock(&vms.lock);
	return vm;
}

/* A task, or a VM to be made; and more of them later. */
static void chore(void)
{
	if (!task_run_next()) {
		struct vm *vm = next_arrival();

		if (!vm)
			return;
		begin(vm);
	}
	sched_chores(this_cpu());
}

/* What each CPU does while there are VMs. */
static void serve(void *arg)
{
	struct vcpu *v;

	(void)arg;
	while (!__atomic_load_n(&vms.over, __ATOMIC_RELAXED)) {
		bool chores = sched_step(&v);
		u64 since = rdtsc();

		if (v)
			stopped(v);
		if (!chores)
			continue;
		chore();
		sched_chore_done(since);
	}
}

/* ---- for others ---- */

struct vm *vms_pin(const char *name)
{
	struct vm *vm, *found = NULL;

	spin_lock(&vms.lock);
	list_for_each_entry (vm, &vms.list, node)
		if (vm->begun && !strcmp(vm->cfg.name, name))
			found = vm;
	if (found)
		found->pins++;
	spin_unlock(&vms.lock);
	return found;
}

void vms_unpin(struct vm *vm)
{
	bool last;

	spin_lock(&vms.lock);
	last = !--vm->pins && vm->gone;
	spin_unlock(&vms.lock);
	if (last)
		task_post(&vm->burial, vm->cpu);
}

void vms_when_gone(struct vm *vm, struct task *t)
{
	BUG_ON(vm->cpu != this_cpu());
	list_add_tail(&vm->mourners, &t->node);
}

void vms_each(void (*fn)(struct vm *vm, void *ctx), void *ctx)
{
	struct vm *vm;

	spin_lock(&vms.lock);
	list_for_each_entry (vm, &vms.list, node)
		fn(vm, ctx);
	spin_unlock(&vms.lock);
}

void vms_on_event(void (*fn)(const struct vm *vm))
{
	vms.event = fn;
}

/* Reads the description of that name into vm. */
static enum status look_up(struct vm *vm, const char *what, char *err)
{
	const struct boot_module *m = NULL;
	char name[16];

	for (unsigned n = 0; n < vms.described; n++) {
		snprintf(name, sizeof(name), "vm%u.conf", n);
		m = boot_module_find(name);
		if (describe(vm, m, err) && !strcmp(vm->cfg.name, what))
			return OK;
		if (!strcmp(name, what))
			return vm->runs_left ? OK : ERR_INVAL;
	}
	snprintf(err, LOADER_ERR_MAX,
		"there is no description of a VM \"%s\": vm0.conf to vm%u.conf, or the name of "
		"a VM in one of them, is expected",
		what, vms.described - 1);
	return ERR_NOENT;
}

static bool count_one_more(char *err)
{
	bool may;

	spin_lock(&vms.lock);
	may = vms.live < vms.at_once && !vms.quit && !vms.over;
	vms.live += may;
	spin_unlock(&vms.lock);
	if (!may)
		snprintf(err, LOADER_ERR_MAX, "there are %u VMs, and no more may be at a time",
			vms.at_once);
	return may;
}

enum status vms_create(const char *what, char *err)
{
	struct vm *vm = vm_alloc();
	enum status s;

	if (!vm) {
		snprintf(err, LOADER_ERR_MAX, "no memory for the VM itself");
		return ERR_NOMEM;
	}
	s = look_up(vm, what, err);
	if (s == OK && !count_one_more(err))
		s = ERR_EXIST;
	else if (s == OK && (s = enlist(vm, err)) != OK)
		uncount();
	if (s != OK)
		vm_free(vm);
	return s;
}

static struct task quit_task[CPUS_MAX];

/* One of this CPU's that is not at its end. It stays there without the lock, as it leaves the list
 * on this CPU only; and its own lock is not taken under that one. */
static struct vm *next_to_end(void)
{
	struct vm *vm, *found = NULL;

	spin_lock(&vms.lock);
	list_for_each_entry (vm, &vms.list, node) {
		enum vm_end end = READ_ONCE(vm->end);

		if (vm->begun && vm->cpu == this_cpu() &&
			(end == VM_END_NONE || end == VM_END_RESET))
			found = vm;
	}
	spin_unlock(&vms.lock);
	return found;
}

/* Those of this CPU. */
static void end_all(struct task *t)
{
	struct vm *vm;

	(void)t;
	while ((vm = next_to_end()))
		end_locked(vm);
}

void vms_quit(void)
{
	struct percpu *cpu;

	if (__atomic_exchange_n(&vms.quit, true, __ATOMIC_SEQ_CST))
		return;
	log_machine("@quit {}");
	for_each_cpu (cpu) {
		task_init(&quit_task[cpu->index], end_all);
		task_post(&quit_task[cpu->index], cpu);
	}
	admit_more();
}

/* ---- all of it ---- */

static unsigned count_configs(void)
{
	char name[16];

	for (unsigned n = 0;; n++) {
		snprintf(name, sizeof(name), "vm%u.conf", n);
		if (!boot_module_find(name))
			return n;
	}
}

/* What all VMs together took of the memory, all of them must have given back. */
static void check_pages(const struct page_stats *before)
{
	struct page_stats now;
	u64 lost = 0;

	page_stats(&now);
	for (unsigned i = 0; i < PAGE_OWNERS; i++)
		lost += now.used[i] - before->used[i];
	log_machine("@stats {\"lost_pages\":%ld}", (s64)lost);
	if (lost || now.free != before->free)
		failed("the VMs are gone, but not all of their pages were given back");
}

int vms_run(const struct vm_providers *with, const struct vms_options *opt, char *why)
{
	struct page_stats before;

	sched_init();
	tasks_init();
	list_init(&vms.list);
	for (unsigned i = 0; i < CPUS_MAX; i++)
		list_init(&vms.arrivals[i]);
	vms.with = with;
	vms.why = why;
	vms.described = count_configs();
	vms.configs = MIN(vms.described, opt->start);
	vms.at_once = opt->at_once;
	vms.stay = opt->stay;
	console_on_input(on_input, NULL);
	if (opt->ready)
		opt->ready();
	page_stats(&before);
	admit_more();
	smp_call_all(serve, NULL);
	console_on_input(NULL, NULL);
	check_pages(&before);
	return vms.failed;
}
