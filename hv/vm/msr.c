/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of MSRs, the look-up, and the short emulations; those of memory types, of what
 * the processor is immune to and of the KVM clock stand in msr_mtrr.c, msr_immune.c and msr_kvm.c.
 */
#include "hv/cpu/cpu.h"
#include "hv/ctl/log.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/msr.h"
#include "hv/vm/msr_emul.h"
#include "hv/vm/vm.h"

/* ---- emulations ---- */

static u64 guest_tsc(struct vcpu *v)
{
	return timerq_now(v->timers) + v->ops->get(v, VREG_TSC_OFFSET);
}

/* A change of the TSC by any way shows in IA32_TSC_ADJUST ("IA32_TSC_ADJUST MSR"), and a deadline
 * of the APIC timer moves with it. */
static void move_tsc(struct vcpu *v, u64 by)
{
	u64 offset = v->ops->get(v, VREG_TSC_OFFSET) + by;

	v->tsc_adjust += by;
	v->ops->set(v, VREG_TSC_OFFSET, offset);
	platform_set_tsc_offset(v->vm->platform, v->index, offset + v->tsc_lag);
	kvm_clock_update(v);
}

static bool read_tsc(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = guest_tsc(v);
	return true;
}

static bool write_tsc(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	move_tsc(v, value - guest_tsc(v));
	return true;
}

static bool read_tsc_adjust(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->tsc_adjust;
	return true;
}

static bool write_tsc_adjust(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	move_tsc(v, value - v->tsc_adjust);
	return true;
}

static const struct msr_emulation tsc = { read_tsc, write_tsc };
static const struct msr_emulation tsc_adjust = { read_tsc_adjust, write_tsc_adjust };

static bool read_apic(struct vcpu *v, u32 msr, u64 *value)
{
	return platform_apic_rdmsr(v->vm->platform, v->index, msr, value);
}

static bool write_apic(struct vcpu *v, u32 msr, u64 value)
{
	return platform_apic_wrmsr(v->vm->platform, v->index, msr, value);
}

static const struct msr_emulation apic = { read_apic, write_apic };

static bool read_efer(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->ops->get(v, VREG_EFER);
	return true;
}

#define LEAF_EXT_FEATURES 0x80000001u
#define EDX_SYSCALL	  11u
#define EDX_NX		  20u
#define EDX_RDTSCP	  27u
#define EDX_LM		  29u

static u64 efer_allowed(const struct vcpu *v)
{
	static const struct {
		unsigned bit;
		u64 efer;
	} bits[] = { { EDX_SYSCALL, EFER_SCE }, { EDX_LM, EFER_LME | EFER_LMA },
		{ EDX_NX, EFER_NXE } };
	u64 allowed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		if (cpuid_has(v->cpuid, LEAF_EXT_FEATURES, 0, CPUID_EDX, bits[i].bit))
			allowed |= bits[i].efer;
	}
	return allowed;
}

/* "Extended Feature Enable Register"; LMA follows LME and CR0.PG, so that a write of it is lost. */
static bool write_efer(struct vcpu *v, u32 msr, u64 value)
{
	const struct mmu_ops *mmu = v->vm->mmu->ops;
	u64 old = v->ops->get(v, VREG_EFER);

	(void)msr;
	if (value & ~efer_allowed(v))
		return false;
	if (((old ^ value) & EFER_LME) && (v->ops->get(v, VREG_CR0) & CR0_PG))
		return false;
	v->ops->set(v, VREG_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	if (mmu->paging_changed)
		mmu->paging_changed(v);
	return true;
}

static const struct msr_emulation efer = { read_efer, write_efer };

static bool read_debugctl(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->ops->get(v, VREG_DEBUGCTL);
	return true;
}

/* A reserved bit would fail the next VM entry; BTS and TR would write to memory of their choice. */
static bool write_debugctl(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	if (value & ~(DEBUGCTL_LBR | DEBUGCTL_BTF))
		return false;
	v->ops->set(v, VREG_DEBUGCTL, value);
	return true;
}

static const struct msr_emulation debugctl = { read_debugctl, write_debugctl };

#define MISC_NO_BTS  BIT(11)
#define MISC_NO_PEBS BIT(12)
#define MISC_RESET   (MISC_NO_BTS | MISC_NO_PEBS)

static bool read_misc_enable(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->msr_misc_enable;
	return true;
}

static bool write_misc_enable(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	if ((value ^ v->msr_misc_enable) & ~MISC_ENABLE_FAST_STRINGS)
		return false;
	v->msr_misc_enable = value;
	return true;
}

static const struct msr_emulation misc_enable = { read_misc_enable, write_misc_enable };

/* ---- the table ---- */

#define ONE(n)	  (n), (n)
#define MICROCODE 0x100000000ul /* revision 1, in the high half */
#define NEEDS(l, r, b)                                                                             \
	{                                                                                          \
		.leaf = (l), .reg = CPUID_##r, .bit = (b)                                          \
	}
#define NEEDS_SPEC NEEDS(7, EDX, 26)
#define NONE                                                                                       \
	{                                                                                          \
		0                                                                                  \
	}

#define SWITCHED "a VMCS field, or loaded for each vcpu: no exit in a context switch of the guest"
#define NO_PMU	 "no performance monitoring: the counters are the machine's"

#define PASS(n, name, needs, why)                                                                  \
	{                                                                                          \
		ONE(n), name, MSR_PASS, 0, NULL, needs, why                                        \
	}
#define EMULATE(n, name, e, needs, why)                                                            \
	{                                                                                          \
		ONE(n), name, MSR_EMULATE, 0, &(e), needs, why                                     \
	}
#define CONSTANT(n, name, v, why)                                                                  \
	{                                                                                          \
		ONE(n), name, MSR_CONSTANT, v, NULL, NONE, why                                     \
	}

const struct msr_row msr_rows[] = {
	CONSTANT(0x000, "P5_MC_ADDR", 0, "no machine-check banks"),
	CONSTANT(0x001, "P5_MC_TYPE", 0, "no machine-check banks"),
	{ ONE(MSR_TSC), "TIME_STAMP_COUNTER", MSR_PASS_READ, 0, &tsc, NONE,
		"the processor adds the offset; a write changes the offset" },
	CONSTANT(MSR_PLATFORM_ID, "PLATFORM_ID", 0, "microcode loaders ask for it"),
	EMULATE(MSR_APIC_BASE, "APIC_BASE", apic, NONE, "the emulated local APIC"),
	CONSTANT(MSR_FEATURE_CONTROL, "FEATURE_CONTROL", FEATURE_CONTROL_LOCK,
		"locked, with VMX and SGX off"),
	EMULATE(MSR_TSC_ADJUST, "TSC_ADJUST", tsc_adjust, NONE, "follows the TSC offset"),
	PASS(MSR_SPEC_CTRL, "SPEC_CTRL", NEEDS_SPEC, "it only restricts speculation"),
	{ ONE(MSR_PRED_CMD), "PRED_CMD", MSR_PASS_WRITE, 0, NULL, NEEDS_SPEC,
		"a command: empties predictors" },
	{ ONE(MSR_BIOS_UPDT_TRIG), "BIOS_UPDT_TRIG", MSR_IGNORE, 0, NULL, NONE,
		"microcode is the machine's affair" },
	{ ONE(MSR_BIOS_SIGN_ID), "BIOS_SIGN_ID", MSR_IGNORE, MICROCODE, NULL, NONE,
		"an operating system writes 0, then reads a revision: always 1" },
	{ 0x0c1, 0x0c8, "PMC0 to PMC7", MSR_REFUSE, 0, NULL, NONE, NO_PMU },
	CONSTANT(0x0ce, "PLATFORM_INFO", 0, "no CPUID faulting, no ratios"),
	CONSTANT(MSR_MTRRCAP, "MTRRCAP", MTRRCAP_VALUE,
		"8 variable ranges, the fixed ones, write-combining"),
	EMULATE(MSR_ARCH_CAPABILITIES, "ARCH_CAPABILITIES", arch_capabilities, NEEDS(7, EDX, 29),
		"the machine's, without the bits that announce further MSRs; ITS_NO by model"),
	{ ONE(MSR_FLUSH_CMD), "FLUSH_CMD", MSR_PASS_WRITE, 0, NULL, NEEDS(7, EDX, 28),
		"a command: empties the first-level cache" },
	CONSTANT(0x140, "MISC_FEATURES_ENABLES", 0, "no CPUID faulting"),
	PASS(MSR_SYSENTER_CS, "SYSENTER_CS", NONE, SWITCHED),
	PASS(MSR_SYSENTER_ESP, "SYSENTER_ESP", NONE, SWITCHED),
	PASS(MSR_SYSENTER_EIP, "SYSENTER_EIP", NONE, SWITCHED),
	CONSTANT(MSR_MCG_CAP, "MCG_CAP", 0, "no machine-check banks"),
	CONSTANT(MSR_MCG_STATUS, "MCG_STATUS", 0, "no machine check is ever delivered"),
	{ 0x186, 0x18d, "PERFEVTSEL0 to 7", MSR_REFUSE, 0, NULL, NONE, NO_PMU },
	EMULATE(MSR_MISC_ENABLE, "MISC_ENABLE", misc_enable, NONE,
		"fast strings may be switched, to no effect; no BTS, no PEBS"),
	EMULATE(MSR_DEBUGCTL, "DEBUGCTL", debugctl, NONE, "LBR and BTF; the other bits are #GP"),
	{ MSR_MTRR_PHYSBASE0, MSR_MTRR_PHYSMASK0 + 14, "MTRR_PHYSBASE0 to PHYSMASK7", MSR_EMULATE,
		0, &mtrr_variable, NONE, "checked and kept, without effect" },
	EMULATE(MSR_MTRR_FIX64K_00000, "MTRR_FIX64K_00000", mtrr_fixed, NONE,
		"checked and kept, without effect"),
	{ MSR_MTRR_FIX16K_80000, MSR_MTRR_FIX16K_A0000, "MTRR_FIX16K", MSR_EMULATE, 0, &mtrr_fixed,
		NONE, "checked and kept, without effect" },
	{ MSR_MTRR_FIX4K_C0000, MSR_MTRR_FIX4K_C0000 + 7, "MTRR_FIX4K", MSR_EMULATE, 0, &mtrr_fixed,
		NONE, "checked and kept, without effect" },
	EMULATE(MSR_PAT, "PAT", pat, NONE, "checked: a reserved type would fail the VM entry"),
	EMULATE(MSR_MTRR_DEF_TYPE, "MTRR_DEF_TYPE", mtrr_def_type, NONE,
		"checked and kept, without effect: RAM is write-back"),
	{ 0x309, 0x30b, "FIXED_CTR0 to 2", MSR_REFUSE, 0, NULL, NONE, NO_PMU },
	CONSTANT(0x345, "PERF_CAPABILITIES", 0, NO_PMU),
	{ 0x38d, 0x390, "FIXED_CTR_CTRL, PERF_GLOBAL_*", MSR_REFUSE, 0, NULL, NONE, NO_PMU },
	{ 0x480, 0x491, "VMX_*", MSR_REFUSE, 0, NULL, NONE, "no nested virtualization" },
	EMULATE(MSR_TSC_DEADLINE, "TSC_DEADLINE", apic, NONE, "the emulated local APIC"),
	{ MSR_X2APIC_BASE, MSR_X2APIC_LAST, "x2APIC registers", MSR_EMULATE, 0, &apic, NONE,
		"the emulated local APIC; #GP outside x2APIC mode" },
	{ ONE(MSR_XSS), "XSS", MSR_REFUSE, 0, NULL, NONE, "XSAVES is not offered" },
	EMULATE(MSR_KVM_WALL_CLOCK, "KVM_WALL_CLOCK_NEW", kvm_wall_clock, NEEDS_KVM_CLOCK,
		"with kvmclock=yes: writes the time of boot to the page named"),
	EMULATE(MSR_KVM_SYSTEM_TIME, "KVM_SYSTEM_TIME_NEW", kvm_system_time, NEEDS_KVM_CLOCK,
		"with kvmclock=yes: writes the TSC's scale to the page named"),
	EMULATE(MSR_KVM_STEAL_TIME, "KVM_STEAL_TIME", kvm_steal_time, NEEDS_KVM_STEAL,
		"with kvmclock=yes, in real time: writes how long the vcpu waited for its CPU"),
	EMULATE(MSR_EFER, "EFER", efer, NONE, "LME, LMA and the paging mode hang together"),
	PASS(MSR_STAR, "STAR", NONE, SWITCHED),
	PASS(MSR_LSTAR, "LSTAR", NONE, SWITCHED),
	PASS(MSR_CSTAR, "CSTAR", NONE, SWITCHED),
	PASS(MSR_FMASK, "FMASK", NONE, SWITCHED),
	PASS(MSR_FS_BASE, "FS_BASE", NONE, SWITCHED),
	PASS(MSR_GS_BASE, "GS_BASE", NONE, SWITCHED),
	PASS(MSR_KERNEL_GS_BASE, "KERNEL_GS_BASE", NONE, SWITCHED),
	PASS(MSR_TSC_AUX, "TSC_AUX", NEEDS(LEAF_EXT_FEATURES, EDX, EDX_RDTSCP), SWITCHED),
};

const size_t msr_rows_count = ARRAY_SIZE(msr_rows);

/* ---- look-up ---- */

static const struct msr_row *find_row(const struct vcpu *v, u32 msr)
{
	size_t low = 0, high = ARRAY_SIZE(msr_rows);

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct msr_row *row = &msr_rows[mid];

		if (msr < row->first) {
			high = mid;
		} else if (msr > row->last) {
			low = mid + 1;
		} else {
			const struct msr_feature *f = &row->needs;

			return f->leaf && !cpuid_has(v->cpuid, f->leaf, 0, f->reg, f->bit) ? NULL
											   : row;
		}
	}
	return NULL;
}

static struct ratelimit refused = RATELIMIT(20);

static bool read_by_table(struct vcpu *v, u32 msr, u64 *value)
{
	const struct msr_row *row = find_row(v, msr);

	if (!row)
		return false;
	switch (row->policy) {
	case MSR_CONSTANT:
	case MSR_IGNORE: *value = row->value; return true;
	case MSR_PASS_READ:
	case MSR_EMULATE: return row->emulation->read && row->emulation->read(v, msr, value);
	default: return false; /* a passed one causes no exit */
	}
}

static bool write_by_table(struct vcpu *v, u32 msr, u64 value)
{
	const struct msr_row *row = find_row(v, msr);

	if (!row)
		return false;
	switch (row->policy) {
	case MSR_IGNORE: return true;
	/* A locked FEATURE_CONTROL refuses even what it holds; the others are status registers. */
	case MSR_CONSTANT: return value == row->value && msr != MSR_FEATURE_CONTROL;
	case MSR_PASS_READ:
	case MSR_EMULATE: return row->emulation->write && row->emulation->write(v, msr, value);
	default: return false;
	}
}

bool vcpu_rdmsr(struct vcpu *v, u32 msr, u64 *value)
{
	if (read_by_table(v, msr, value))
		return true;
	log_guest(&refused, LOG_DEBUG, "vm%u: read of MSR 0x%x refused", v->vm->id, msr);
	return false;
}

bool vcpu_wrmsr(struct vcpu *v, u32 msr, u64 value)
{
	/* The most frequent by far: a timer's next deadline, an interrupt's end. */
	if (msr == MSR_TSC_DEADLINE)
		return write_apic(v, msr, value);
	if (write_by_table(v, msr, value))
		return true;
	log_guest(&refused, LOG_DEBUG, "vm%u: write of 0x%lx to MSR 0x%x refused", v->vm->id, value,
		msr);
	return false;
}

void vcpu_reset_msrs(struct vcpu *v)
{
	v->tsc_adjust = 0;
	/* Fast strings as the machine has them: kernels choose how to clear pages by this bit. */
	v->msr_misc_enable = MISC_RESET | (v->vm->fast_strings ? MISC_ENABLE_FAST_STRINGS : 0);
	v->msr_kvm_clock = 0;
	v->msr_kvm_steal = 0;
	v->steal_base = v->sched.wait_ticks;
	mtrr_reset(v);
}

void vcpu_setup_msrs(struct vcpu *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(msr_rows); i++) {
		const struct msr_row *row = &msr_rows[i];
		bool read = row->policy == MSR_PASS || row->policy == MSR_PASS_READ;
		bool write = row->policy == MSR_PASS || row->policy == MSR_PASS_WRITE;

		if ((read || write) && find_row(v, row->first))
			v->ops->pass_msr(v, row->first, read, write);
	}
	vcpu_reset_msrs(v);
}
