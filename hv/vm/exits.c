/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done about each kind of exit: one row a kind, one small function a row. The default is
 * closed: what the hypervisor does not know ends the VM that did it, and that VM alone.
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/irq.h"
#include "hv/cpu/regs.h"
#include "hv/ctl/crash.h"
#include "hv/ctl/log.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/cr.h"
#include "hv/vm/debug.h"
#include "hv/vm/msr.h"
#include "hv/vm/vm.h"

/* KVM's hypercall ABI, offered with "kvmclock": we have none of its calls. */
#define KVM_ENOSYS 1000
#define KVM_EPERM  1

/* The CPUID leaves that mirror control registers: OSXSAVE, APIC; OSPKE. */
#define CPUID_FEATURES	 1
#define CPUID_STRUCTURED 7

/* Nothing to do: it was dealt with by whoever reported it. */
static bool nothing(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)v;
	(void)e;
	return false;
}

/* Nothing to do but to go on behind the instruction: caches are coherent for the guest, as is. */
static bool skip(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)v;
	(void)e;
	return true;
}

static bool undefined(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)e;
	vcpu_inject_ud(v);
	return false;
}

static bool protection(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)e;
	vcpu_inject_gp(v);
	return false;
}

static bool timer(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)e;
	irq_let_in();
	timerq_run(v->timers);
	return false;
}

/* Most leaves are constant; only some depend on registers that cost a VMREAD. */
static void cpuid_answer(struct vcpu *v, u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	u64 cr4 = 0, apic_base = 0;

	if (leaf == CPUID_FEATURES || leaf == CPUID_STRUCTURED) {
		cr4 = v->ops->get(v, VREG_CR4);
		(void)platform_apic_rdmsr(v->vm->platform, v->index, MSR_APIC_BASE, &apic_base);
	}
	cpuid_lookup(v->cpuid, leaf, subleaf, cr4, v->xcr0, (apic_base & APIC_BASE_EN) != 0, r);
}

/* With counters=yes, for a guest that measures itself: by kind of exit, its name and its account.
 */
static void counters_answer(const struct vcpu *v, u32 leaf, u32 kind, struct cpuid_regs *r)
{
	const struct exit_count *c = &v->exits[kind];
	char name[sizeof(*r)] = "";

	if (leaf == CPUID_COUNTERS) {
		*r = (struct cpuid_regs){ .eax = (u32)c->count,
			.ebx = (u32)(c->count >> 32),
			.ecx = (u32)c->ticks,
			.edx = (u32)(c->ticks >> 32) };
		return;
	}
	snprintf(name, sizeof(name), "%s", exit_handlers[kind].name);
	memcpy(r, name, sizeof(name));
}

static bool is_counters(const struct vcpu *v, u32 leaf)
{
	return (leaf == CPUID_COUNTERS || leaf == CPUID_COUNTER_NAMES) && v->vm->cfg.counters;
}

static bool do_cpuid(struct vcpu *v, const struct vcpu_exit *e)
{
	u32 leaf = (u32)v->gpr[RAX], subleaf = (u32)v->gpr[RCX];
	struct cpuid_regs r = { 0 };

	(void)e;
	if (!is_counters(v, leaf))
		cpuid_answer(v, leaf, subleaf, &r);
	else if (subleaf < EXIT_KINDS)
		counters_answer(v, leaf, subleaf, &r);
	v->gpr[RAX] = r.eax;
	v->gpr[RBX] = r.ebx;
	v->gpr[RCX] = r.ecx;
	v->gpr[RDX] = r.edx;
	return true;
}

static bool do_rdmsr(struct vcpu *v, const struct vcpu_exit *e)
{
	u64 value;

	if (!vcpu_rdmsr(v, (u32)v->gpr[RCX], &value))
		return protection(v, e);
	v->gpr[RAX] = (u32)value;
	v->gpr[RDX] = value >> 32;
	return true;
}

static bool do_wrmsr(struct vcpu *v, const struct vcpu_exit *e)
{
	u64 value = (u32)v->gpr[RAX] | v->gpr[RDX] << 32;

	if (!vcpu_wrmsr(v, (u32)v->gpr[RCX], value))
		return protection(v, e);
	return true;
}

/* A plain IN or OUT; INS and OUTS go through the emulator, since they touch memory. */
static bool do_io(struct vcpu *v, const struct vcpu_exit *e)
{
	struct bus *bus = platform_pio(v->vm->platform);
	u64 mask = GENMASK(e->io.size * 8u - 1, 0);

	if (e->io.string) {
		if (!vcpu_emulate(v, NULL))
			vcpu_crash(v, "string I/O that the emulator does not know");
		return false;
	}
	if (!e->io.in) {
		bus_write(bus, e->io.port, e->io.size, v->gpr[RAX] & mask);
		return true;
	}
	/* A 4-byte IN clears the upper half of RAX, shorter ones leave the rest alone. */
	if (e->io.size == 4)
		v->gpr[RAX] = bus_read(bus, e->io.port, 4) & mask;
	else
		v->gpr[RAX] =
			(v->gpr[RAX] & ~mask) | (bus_read(bus, e->io.port, e->io.size) & mask);
	return true;
}

static u64 gpr_get(struct vcpu *v, unsigned r)
{
	return r == RSP ? v->ops->get(v, VREG_RSP) : v->gpr[r];
}

static void gpr_set(struct vcpu *v, unsigned r, u64 value)
{
	if (r == RSP)
		v->ops->set(v, VREG_RSP, value);
	else
		v->gpr[r] = value;
}

static bool write_cr(struct vcpu *v, unsigned cr, u64 value)
{
	switch (cr) {
	case 0: return vcpu_write_cr0(v, value);
	case 3: return vcpu_write_cr3(v, value);
	case 4: return vcpu_write_cr4(v, value);
	case 8:
		if (value & ~0xful)
			return false;
		platform_set_cr8(v->vm->platform, v->index, value);
		return true;
	default: return false;
	}
}

static u64 read_cr(struct vcpu *v, unsigned cr)
{
	return cr == 8 ? platform_get_cr8(v->vm->platform, v->index) : v->ops->get(v, VREG_CR3);
}

static bool do_cr(struct vcpu *v, const struct vcpu_exit *e)
{
	u64 cr0 = v->ops->get(v, VREG_CR0);
	u64 lmsw = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
	bool ok = true;

	switch (e->cr.op) {
	case CR_WRITE: ok = write_cr(v, e->cr.cr, gpr_get(v, e->cr.gpr)); break;
	case CR_READ: gpr_set(v, e->cr.gpr, read_cr(v, e->cr.cr)); break;
	case CR_CLTS: ok = vcpu_write_cr0(v, cr0 & ~CR0_TS); break;
	/* LMSW can set PE but not clear it. */
	case CR_LMSW:
		ok = vcpu_write_cr0(v, (cr0 & ~(lmsw & ~CR0_PE)) | (e->cr.lmsw & lmsw));
		break;
	}
	return ok || protection(v, e);
}

/* The CPU is given up in the run loop, once the instruction is complete. */
static bool do_hlt(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)e;
	/* What waits for a window may be taken now: HLT is complete, and no blocking outlives it.
	 */
	vcpu_work_set(v, WORK_HALTED | WORK_IRQ | (v->nmi_waits ? WORK_NMI : 0));
	return true;
}

/* It has span for a while, and waits for another vcpu, perhaps for one that waits for this CPU. */
static bool do_pause(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)e;
	sched_yield(v);
	return true;
}

static bool do_xsetbv(struct vcpu *v, const struct vcpu_exit *e)
{
	u64 value = (u32)v->gpr[RAX] | v->gpr[RDX] << 32;

	if ((u32)v->gpr[RCX] != 0 || !vcpu_write_xcr0(v, value))
		return protection(v, e);
	return true;
}

static bool do_hypercall(struct vcpu *v, const struct vcpu_exit *e)
{
	struct segment ss;

	if (!v->vm->cfg.kvmclock)
		return undefined(v, e);
	v->ops->get_segment(v, SEG_SS, &ss);
	v->gpr[RAX] = (ss.ar & SEG_AR_DPL) ? -(u64)KVM_EPERM : -(u64)KVM_ENOSYS;
	return true;
}

/*
 * An intercepted exception is the guest's own and goes back to it, but for machine checks. #DB has
 * yet to change DR6 and DR7, which an intercepted one leaves alone ("Debug Exceptions").
 */
static bool do_exception(struct vcpu *v, const struct vcpu_exit *e)
{
	struct exit_exception copy = e->exception, *x = &copy;

	if (v->vm->debug && debug_exception(v, x))
		return false;
	if (x->vector == VEC_MC) {
		vcpu_crash(v, "machine check while the guest ran; MCG_STATUS 0x%lx",
			rdmsr(MSR_MCG_STATUS));
		return false;
	}
	if (x->vector == VEC_DB) {
		write_dr6((read_dr6() & ~0xful) | x->qualification);
		v->ops->set(v, VREG_DR7, v->ops->get(v, VREG_DR7) & ~DR7_GD);
	}
	vcpu_inject_exception(v, x->vector, x->has_error, x->error);
	return false;
}

/*
 * While a debugger has the debug registers. Before it exits the instruction was looked at for #UD
 * and its privilege, but not for DR7.GD.
 */
static bool do_dr(struct vcpu *v, const struct vcpu_exit *e)
{
	u64 dr7 = debug_read_dr(v, 7);

	if (dr7 & DR7_GD) {
		(void)debug_write_dr(v, 7, dr7 & ~DR7_GD);
		write_dr6(read_dr6() | DR6_BD);
		vcpu_inject_exception(v, VEC_DB, false, 0);
		return false;
	}
	if (e->dr.write)
		return debug_write_dr(v, e->dr.dr, gpr_get(v, e->dr.gpr)) || protection(v, e);
	gpr_set(v, e->dr.gpr, debug_read_dr(v, e->dr.dr));
	return true;
}

static bool do_step(struct vcpu *v, const struct vcpu_exit *e)
{
	debug_stepped(v, e->pending);
	return false;
}

static void device_access(struct vcpu *v, const struct mmu_fault *f)
{
	if (v->work & WORK_EVENT)
		vcpu_crash(v, "event %u was to be delivered through device memory at 0x%lx",
			v->event.vector, f->gpa.v);
	else if (f->access & MMU_X)
		vcpu_crash(v, "instruction fetch from device memory at 0x%lx", f->gpa.v);
	else if (!vcpu_emulate(v, f))
		vcpu_crash(v, "an instruction on device memory that the emulator does not know");
}

/* A write that the guest's tables allow, by the supervisor. */
static bool is_supervisor_write(const struct mmu_fault *f)
{
	return f->error == (PF_P | PF_W);
}

static void table_write(struct vcpu *v, const struct mmu_fault *f)
{
	if (likely(is_supervisor_write(f)) && likely(vcpu_emulate_write(v, f)))
		return;
	if (!vcpu_emulate(v, f))
		v->mmu->ops->give_up(v, f);
}

void vcpu_memory_exit(struct vcpu *v, struct mmu_fault *f)
{
	switch (v->mmu->ops->fault(v, f)) {
	case MMU_DONE: break;
	case MMU_DEVICE: device_access(v, f); break;
	case MMU_TABLE: table_write(v, f); break;
	case MMU_GUEST: vcpu_inject_pf(v, f->gva.v, f->error); break;
	case MMU_FATAL:
		vcpu_crash(v, "memory access at 0x%lx cannot be resolved",
			f->gva_valid ? f->gva.v : f->gpa.v);
		break;
	}
}

static bool do_memory(struct vcpu *v, const struct vcpu_exit *e)
{
	struct mmu_fault f = e->memory;

	vcpu_memory_exit(v, &f);
	return false;
}

static bool do_invlpg(struct vcpu *v, const struct vcpu_exit *e)
{
	v->mmu->ops->invlpg(v, e->invlpg);
	return true;
}

static bool task_switch(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)e;
	vcpu_crash(v, "hardware task switch: not supported, only guests that switch tasks in "
		      "software run");
	return false;
}

static bool triple_fault(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)e;
	log_info("%s: triple fault", v->vm->cfg.name);
	v->ops->dump(v);
	crash_report(v, "a triple fault");
	vm_end(v->vm, VM_END_TRIPLE, 0);
	return false;
}

static bool broken(struct vcpu *v, const struct vcpu_exit *e)
{
	(void)e;
	vcpu_crash(v, "the CPU refused to run it (reason above)");
	return false;
}

const struct exit_handler exit_handlers[EXIT_KINDS] = {
	[EXIT_NONE] = { "none", nothing },
	[EXIT_INTERRUPT] = { "interrupt", nothing },
	[EXIT_NMI] = { "nmi", nothing },
	[EXIT_WINDOW] = { "window", nothing },
	[EXIT_TIMER] = { "timer", timer },
	[EXIT_CPUID] = { "cpuid", do_cpuid },
	[EXIT_RDMSR] = { "rdmsr", do_rdmsr },
	[EXIT_WRMSR] = { "wrmsr", do_wrmsr },
	[EXIT_IO] = { "io", do_io },
	[EXIT_CR] = { "cr", do_cr },
	[EXIT_INVLPG] = { "invlpg", do_invlpg },
	[EXIT_HLT] = { "hlt", do_hlt },
	[EXIT_PAUSE] = { "pause", do_pause },
	[EXIT_WBINVD] = { "wbinvd", skip },
	[EXIT_XSETBV] = { "xsetbv", do_xsetbv },
	[EXIT_RDPMC] = { "rdpmc", protection },
	[EXIT_HYPERCALL] = { "hypercall", do_hypercall },
	[EXIT_UNDEFINED] = { "undefined", undefined },
	[EXIT_EXCEPTION] = { "exception", do_exception },
	[EXIT_DR] = { "debug-register", do_dr },
	[EXIT_STEP] = { "step", do_step },
	[EXIT_MEMORY] = { "memory", do_memory },
	[EXIT_TASK_SWITCH] = { "task-switch", task_switch },
	[EXIT_TRIPLE_FAULT] = { "triple-fault", triple_fault },
	[EXIT_BROKEN] = { "broken", broken },
};
