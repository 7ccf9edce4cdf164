/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's parts: made from its manifest and the boot modules, started, and taken apart.
 */
#include "hv/boot/modules.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/regs.h"
#include "hv/cpu/tsc.h"
#include "hv/ctl/log.h"
#include "hv/ctl/trace.h"
#include "hv/dev/layout.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/mmu/ram.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/debug.h"
#include "hv/vm/msr.h"
#include "hv/vm/vm.h"

static const char *const end_names[] = {
	[VM_END_NONE] = "none",
	[VM_END_POWEROFF] = "poweroff",
	[VM_END_RESET] = "reset",
	[VM_END_HALT] = "halt",
	[VM_END_TRIPLE] = "triple",
	[VM_END_EXIT] = "exit",
	[VM_END_CRASH] = "crash",
	[VM_END_DESTROYED] = "destroyed",
};

const char *vm_end_name(enum vm_end why)
{
	return end_names[why];
}

void vm_end(struct vm *vm, enum vm_end why, u8 status)
{
	struct vcpu *v;

	/* A reset is an end that it comes back from, and no answer to who wants it gone. */
	if (vm->end != VM_END_NONE && !(vm->end == VM_END_RESET && why == VM_END_DESTROYED))
		return;
	vm->end = why;
	vm->end_status = status;
	for_each_vcpu (v, vm)
		vcpu_post(v, WORK_END);
}

bool vcpu_has_stopped(struct vcpu *v)
{
	vcpu_rise(v);
	return __atomic_sub_fetch(&v->vm->running, 1, __ATOMIC_SEQ_CST) == 0;
}

void vm_check_halt(struct vm *vm)
{
	const struct vcpu *v;

	for_each_vcpu (v, vm) {
		unsigned long work = v->work & ~(unsigned long)WORK_RESCHED;

		/* What was sent to one that waits may wake it: it has yet to look. */
		if (!(work & (WORK_DEAF | WORK_PARKED)) || (work & ~(unsigned long)WORK_REST))
			return;
	}
	vm_end(vm, VM_END_HALT, 0);
}

/* ---- stopping it, and letting it go on ---- */

void vm_hold(struct vm *vm)
{
	struct vcpu *v;

	for_each_vcpu (v, vm)
		sched_hold(v);
}

void vm_release(struct vm *vm)
{
	struct vcpu *v;

	for_each_vcpu (v, vm)
		sched_release(v);
}

bool vm_held(struct vm *vm)
{
	struct vcpu *v;

	for_each_vcpu (v, vm)
		if (!sched_held(v))
			return false;
	return true;
}

/* ---- what the platform asks of its VM ---- */

static void host_kick(void *ctx, unsigned vcpu)
{
	vcpu_post(((struct vm *)ctx)->vcpu[vcpu], WORK_IRQ);
}

static void host_nmi(void *ctx, unsigned vcpu)
{
	vcpu_post(((struct vm *)ctx)->vcpu[vcpu], WORK_NMI);
}

static void host_init(void *ctx, unsigned vcpu)
{
	vcpu_signal_init(((struct vm *)ctx)->vcpu[vcpu]);
}

static void host_sipi(void *ctx, unsigned vcpu, u8 vector)
{
	vcpu_signal_sipi(((struct vm *)ctx)->vcpu[vcpu], vector);
}

static void host_wake(void *ctx, unsigned vcpu, u64 rip)
{
	vcpu_signal_wake(((struct vm *)ctx)->vcpu[vcpu], rip);
}

static void host_end(void *ctx, enum vm_end why, u8 status)
{
	vm_end(ctx, why, status);
}

static void host_console_out(void *ctx, const u8 *buf, size_t len)
{
	vmconsole_write(&((struct vm *)ctx)->console, buf, len);
}

static void host_drop_page(void *ctx, gpa_t page)
{
	struct vm *vm = ctx;

	if (!guest_is_ram(&vm->mem, page, PAGE_SIZE))
		return;
	if (mmu_unmap(vm->mmu, page, PAGE_SIZE) != OK)
		log_warn("%s: test device: page 0x%lx could not be unmapped", vm->cfg.name, page.v);
	vm->mmu->ops->flush(vm->mmu);
}

static const struct platform_host platform_callbacks = {
	.kick = host_kick,
	.nmi = host_nmi,
	.init = host_init,
	.sipi = host_sipi,
	.wake = host_wake,
	.end = host_end,
	.console_out = host_console_out,
	.drop_page = host_drop_page,
};

/* ---- making ---- */

static void host_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *out)
{
	*out = cpuid(leaf, subleaf);
}

static bool find_blob(const char *name, const char *args, struct blob *out, char *err)
{
	const struct boot_module *m = boot_module_find(name);

	if (!m) {
		snprintf(err, LOADER_ERR_MAX, "there is no boot module \"%s\"", name);
		return false;
	}
	*out = (struct blob){ .data = boot_module_data(m), .size = m->size, .args = args };
	return true;
}

static enum status find_image(struct vm *vm, char *err)
{
	struct load_request *r = &vm->image;

	if (!find_blob(vm->cfg.kernel, "", &r->kernel, err))
		return ERR_NOENT;
	if (vm->cfg.initrd[0] && !find_blob(vm->cfg.initrd, "", &r->initrd, err))
		return ERR_NOENT;
	for (unsigned i = 0; i < vm->cfg.modules; i++)
		if (!find_blob(vm->cfg.module[i].name, vm->cfg.module[i].args, &r->module[i], err))
			return ERR_NOENT;
	r->modules = vm->cfg.modules;
	r->cmdline = vm->cfg.append;
	r->gm = &vm->mem;
	r->mem = vm->cfg.mem;
	return OK;
}

static enum status add_memory(struct vm *vm, char *err)
{
	u64 low = MIN(vm->cfg.mem, LAYOUT_LOW_MAX);
	struct page_stats s;
	enum status st = guestmem_add(&vm->mem, GPA(0), low);

	if (st == OK && vm->cfg.mem > low)
		st = guestmem_add(&vm->mem, GPA(LAYOUT_HIGH), vm->cfg.mem - low);
	if (st != OK) {
		page_stats(&s);
		snprintf(err, LOADER_ERR_MAX,
			"its %lu MB of memory cannot be had: the machine has %lu MB free",
			vm->cfg.mem / MB, s.free * PAGE_SIZE / MB);
		return st;
	}
	guestmem_hole(&vm->mem, GPA(LAYOUT_HOLE_START), GPA(LAYOUT_HOLE_END));
	return OK;
}

/* Where its vcpus are, and with that its timers. */
static enum status make_shared(struct vm *vm, char *err)
{
	enum status s = shared_create(vm);

	if (s != OK)
		snprintf(err, LOADER_ERR_MAX, "no memory for a VM on several processors");
	if (vm->cfg.virtual_time || debug_wants(vm)) {
		vm->clock = &vm->own_clock;
		vm_clock_init(vm->clock, &vm->cpu->timers);
	}
	vm->timers = vm->shared	 ? &vm->shared->seat[0].timers
		     : vm->clock ? &vm->clock->q
				 : &vm->cpu->timers;
	vmconsole_init(&vm->console, vm->cfg.name, !vm->shared_console, vm->timers);
	return s;
}

static struct timerq *apic_timers(void *ctx, unsigned vcpu)
{
	struct vm *vm = ctx;

	return vm->shared ? &vm->shared->seat[vcpu].timers : vm->timers;
}

static enum status make_platform(struct vm *vm, char *err)
{
	struct platform_config cfg = {
		.vcpus = vm->cfg.vcpus,
		.mem = vm->cfg.mem,
		.mailbox = vm->cfg.vcpus > 1 && vm->mmu->ops->add,
		.tsc_hz = tsc_hz(),
		.testdev = vm->cfg.testdev,
		.debug_exit = vm->cfg.debugexit || vm->cfg.testdev,
		.wallclock = wallclock,
		.apic_timers = apic_timers,
	};
	struct platform_host host = platform_callbacks;
	enum status s;

	host.ctx = vm;
	s = platform_create(&vm->platform, &cfg, &host, vm->timers, &vm->mem);
	if (s != OK)
		snprintf(err, LOADER_ERR_MAX, "no memory for its devices");
	else
		vm->image.rsdp = platform_rsdp(vm->platform);
	return s;
}

/* Devices beyond the platform's, if the VM has any. */
static enum status make_io(struct vm *vm, const struct vm_providers *with, char *err)
{
	const struct vm_io_ops *ops = with->io[vm->cfg.io];
	enum status s;

	if (!vm->cfg.disks && !vm->cfg.rng && !vm->cfg.virtio_console && !vm->cfg.net &&
		!vm->cfg.balloon.steps)
		return OK;
	if (!ops) {
		snprintf(err, LOADER_ERR_MAX, "io: this version has no such devices");
		return ERR_NOTSUP;
	}
	s = ops->create(vm, &vm->io, err);
	if (s == OK)
		vm->io_ops = ops;
	return s;
}

static enum status add_mmu(struct vcpu *v)
{
	return v->index && v->mmu->ops->add ? v->mmu->ops->add(v) : OK;
}

/* The vcpus of a VM that are on one CPU have one share of it, which is the first one's. */
static void join_share(struct vcpu *v)
{
	const struct manifest *cfg = &v->vm->cfg;
	struct share *s = NULL;
	struct vcpu *other;

	for_each_vcpu (other, v->vm)
		if (other->sched.cpu == v->sched.cpu)
			s = other->sched.runner.share;
	if (!s) {
		s = &v->sched.share;
		share_init(s, cfg->weight, cfg->cap, cfg->vcpus);
	}
	runner_init(&v->sched.runner, s);
}

/* The vcpu and its CPUID table share one allocation, which is a page as long as they fit. */
static enum status add_vcpu(struct vm *vm, const struct vm_providers *with, char *err)
{
	size_t table = ALIGN_UP(sizeof(struct vcpu), sizeof(struct cpuid_regs));
	unsigned order = page_order(table + sizeof_cpuid_table);
	struct vcpu *v = page_alloc(order, PAGE_HV);
	struct mmu_view view;
	struct cpuid_config cfg = {
		.vcpus = vm->cfg.vcpus,
		.index = vm->vcpus,
		.tsc_hz = tsc_hz(),
		.kvmclock = vm->cfg.kvmclock,
		.steal = !vm->cfg.virtual_time,
		.counters = vm->cfg.counters,
		.host = host_cpuid,
	};

	if (!v) {
		snprintf(err, LOADER_ERR_MAX, "no memory for vcpu %u", vm->vcpus);
		return ERR_NOMEM;
	}
	v->vm = vm;
	v->mmu = vm->mmu;
	vm->mmu->ops->view(v, &view);
	cfg.lacks = with->cpu->lacks(view.two_level);
	v->index = vm->vcpus;
	v->ops = with->cpu;
	v->sched.cpu = vm->place[v->index];
	v->sched.away = true;
	join_share(v);
	v->timers = &v->sched.cpu->timers;
	v->order = order;
	v->trace = trace_create();
	v->cpuid = (void *)((u8 *)v + table);
	cpuid_resolve((void *)((u8 *)v + table), &cfg);
	if (add_mmu(v) != OK || v->ops->create(v) != OK) {
		trace_destroy(v->trace);
		page_free(v, order, PAGE_HV);
		snprintf(err, LOADER_ERR_MAX, "no memory for the control structures of vcpu %u",
			vm->vcpus);
		return ERR_NOMEM;
	}
	vm->vcpu[vm->vcpus++] = v;
	vcpu_setup_msrs(v);
	return OK;
}

/*
 * Where a PC has option ROMs (0xC0000-0xDFFFF), kernels search byte by byte for signatures. A page
 * of ones, mapped read-only all over, answers as the bus would, without an exit; writes still go
 * there.
 */
static enum status map_empty_roms(struct vm *vm)
{
	enum status s = OK;

	vm->no_rom = page_alloc(PAGE_ORDER_4K, PAGE_HV);
	if (!vm->no_rom)
		return ERR_NOMEM;
	memset(vm->no_rom, 0xff, PAGE_SIZE);
	for (u64 gpa = LAYOUT_ROM_START; s == OK && gpa < LAYOUT_HOLE_END; gpa += PAGE_SIZE)
		s = vm->mmu->ops->map(
			vm->mmu, GPA(gpa), hva_to_hpa(vm->no_rom), PAGE_SIZE, MMU_R, MEMTYPE_WB);
	return s;
}

/* The kind asked for; or, if any will do, EPT where the processor has it. */
static const struct mmu_ops *choose_mmu(struct vm *vm, const struct vm_providers *with, char *err)
{
	static const char *const names[] = {
		[VM_MMU_EPT] = "ept", [VM_MMU_SHADOW] = "shadow", [VM_MMU_DIRECT] = "direct"
	};
	const struct mmu_ops *ops = NULL;

	if (vm->cfg.mmu != VM_MMU_AUTO) {
		ops = with->mmu[vm->cfg.mmu];
		if (!ops)
			snprintf(err, LOADER_ERR_MAX,
				"mmu=%s is not to be had: this %s; mmu=auto takes what there is",
				names[vm->cfg.mmu],
				vm->cfg.mmu == VM_MMU_DIRECT ? "version has no direct paging"
							     : "processor lacks what it needs");
		return ops;
	}
	if (with->mmu[VM_MMU_EPT])
		return with->mmu[VM_MMU_EPT];
	log_warn("%s: no EPT here: shadow paging is used", vm->cfg.name);
	return with->mmu[VM_MMU_SHADOW];
}

static enum status make_mmu(struct vm *vm, const struct vm_providers *with, char *err)
{
	const struct mmu_ops *ops = choose_mmu(vm, with, err);
	enum status s;

	if (!ops)
		return ERR_NOTSUP;
	s = ops->create(vm, &vm->mmu);
	if (s == OK)
		s = mmu_map_ram(vm->mmu, &vm->mem);
	if (s == OK)
		s = map_empty_roms(vm);
	if (s != OK)
		snprintf(err, LOADER_ERR_MAX, "no memory for its %s tables", ops->name);
	return s;
}

/* A start-up IPI begins in real mode; a kernel that was started by the mailbox turns paging off. */
static enum status check_start(const struct vm *vm, char *err)
{
	struct vcpu *first = vm->vcpu[0];

	if (vm->vcpus == 1 || !(first->ops->cr0_needed(first) & CR0_PG))
		return OK;
	snprintf(err, LOADER_ERR_MAX,
		"vcpus=%u: processors but the first start in real mode, which under EPT takes "
		"\"unrestricted guest\"; mmu=shadow does without",
		vm->vcpus);
	return ERR_NOTSUP;
}

struct vm *vm_alloc(void)
{
	unsigned order = page_order(sizeof(struct vm));
	struct vm *vm = page_alloc(order, PAGE_HV);

	if (!vm)
		return NULL;
	vm->order = order;
	list_init(&vm->node);
	list_init(&vm->arrival);
	list_init(&vm->mourners);
	return vm;
}

void vm_free(struct vm *vm)
{
	page_free(vm, vm->order, PAGE_HV);
}

enum status vm_create(struct vm *vm, const struct vm_providers *with, char *err)
{
	enum status s;
	u64 misc;

	vm->fast_strings = rdmsr_safe(MSR_MISC_ENABLE, &misc) && (misc & MISC_ENABLE_FAST_STRINGS);
	s = find_image(vm, err);
	if (s == OK)
		s = add_memory(vm, err);
	if (s == OK)
		s = make_mmu(vm, with, err);
	if (s == OK)
		s = make_shared(vm, err);
	if (s == OK)
		s = make_platform(vm, err);
	if (s == OK)
		s = make_io(vm, with, err);
	for (unsigned i = 0; s == OK && i < vm->cfg.vcpus; i++)
		s = add_vcpu(vm, with, err);
	if (s == OK)
		s = check_start(vm, err);
	while (s != OK && !vm_destroy_step(vm))
		;
	return s;
}

/* All that does not grow with the VM's memory. A second time is harmless. */
static void destroy_parts(struct vm *vm)
{
	struct vcpu *v;

	for_each_vcpu (v, vm) {
		if (!vm->shared)
			vcpu_gone(v);
		v->ops->destroy(v);
		trace_destroy(v->trace);
		page_free(v, v->order, PAGE_HV);
	}
	vm->vcpus = 0;
	if (vm->io_ops)
		vm->io_ops->destroy(vm->io);
	vm->io_ops = NULL;
	if (vm->platform)
		platform_destroy(vm->platform);
	vm->platform = NULL;
}

bool vm_destroy_step(struct vm *vm)
{
	destroy_parts(vm);
	if (vm->mmu) {
		if (vm->mmu->ops->destroy_step(vm->mmu))
			vm->mmu = NULL;
		return false;
	}
	if (!guestmem_destroy_step(&vm->mem))
		return false;
	if (vm->no_rom)
		page_free(vm->no_rom, PAGE_ORDER_4K, PAGE_HV);
	if (vm->timers)
		vmconsole_destroy(&vm->console);
	if (vm->clock)
		vm_clock_destroy(vm->clock);
	shared_destroy(vm);
	return true;
}

/* ---- running ---- */

bool vm_start(struct vm *vm)
{
	struct vcpu *v;

	vm->end = VM_END_NONE;
	if (load_image(vm->cfg.boot, &vm->image, &vm->first_state, vm->end_why) != OK) {
		log_err("%s: %s", vm->cfg.name, vm->end_why);
		vm->end = VM_END_CRASH;
		return false;
	}
	vm->running = vm->vcpus;
	for_each_vcpu (v, vm)
		v->work = v->index ? WORK_PARKED : 0;
	for_each_vcpu (v, vm)
		vcpu_start(v);
	return true;
}

bool vm_restart(struct vm *vm)
{
	struct vcpu *v;

	vm_lock(vm); /* its vcpus have stopped, but the monitor may look into it */
	platform_reset(vm->platform);
	if (vm->io_ops)
		vm->io_ops->reset(vm->io);
	for_each_vcpu (v, vm)
		vcpu_reset_msrs(v);
	vm_unlock(vm);
	return vm_start(vm);
}
