/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSRs: the table in order, each policy, each check on a value; with an invented CPU provider.
 *
 * Sources: hv/vm/msr.c hv/vm/msr_mtrr.c hv/vm/msr_immune.c hv/vm/msr_kvm.c hv/vm/cpuid.c
 * hv/vm/cpuid_bits.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/cpu/cpu.h"
#include "hv/cpu/tsc.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/msr.h"
#include "hv/vm/vm.h"
#include "tests/unit/destroy.h"

#define TSC_HZ	   2500000000ul
#define WALL_CLOCK 1700000000ul
#define KVM_WALL   0x4b564d00u
#define KVM_SYSTEM 0x4b564d01u
#define KVM_STEAL  0x4b564d03u
#define PLACE	   0x5000ul

static u64 now, reg[VREG_COUNT], apic_msr[0x1000], apic_tsc_offset;
static unsigned paging_changes;
static u32 machine_bits, machine_version;
static bool machine_has_capabilities = true;
static bool passed_read[0x2000 * 2], passed_write[0x2000 * 2]; /* low and high range */
static struct vm vm;
static struct vcpu v;

/* ---- what the code under test calls ---- */

bool rdmsr_safe(u32 msr, u64 *value)
{
	*value = ~0ul;
	return msr == MSR_ARCH_CAPABILITIES && machine_has_capabilities;
}

u64 wallclock(void)
{
	return WALL_CLOCK;
}

bool platform_apic_rdmsr(struct platform *p, unsigned vcpu, u32 msr, u64 *value)
{
	(void)p;
	assert_int_equal(vcpu, 3);
	*value = apic_msr[msr & 0xfff];
	return msr != 0x8ff;
}

bool platform_apic_wrmsr(struct platform *p, unsigned vcpu, u32 msr, u64 value)
{
	(void)p;
	assert_int_equal(vcpu, 3);
	apic_msr[msr & 0xfff] = value;
	return msr != 0x8ff;
}

void platform_set_tsc_offset(struct platform *p, unsigned vcpu, u64 offset)
{
	(void)p;
	assert_int_equal(vcpu, 3);
	apic_tsc_offset = offset;
}

static u64 get(struct vcpu *vcpu, enum vcpu_reg r)
{
	assert_ptr_equal(vcpu, &v);
	return reg[r];
}

static void set(struct vcpu *vcpu, enum vcpu_reg r, u64 value)
{
	assert_ptr_equal(vcpu, &v);
	reg[r] = value;
}

static void pass_msr(struct vcpu *vcpu, u32 msr, bool read, bool write)
{
	u32 i = (msr >= 0xc0000000 ? 0x2000 : 0) + (msr & 0x1fff);

	assert_ptr_equal(vcpu, &v);
	assert_int_equal(msr & ~0xc0001fffu, 0);
	passed_read[i] |= read;
	passed_write[i] |= write;
}

static const struct cpu_ops ops = { .get = get, .set = set, .pass_msr = pass_msr };

static void paging_changed(struct vcpu *vcpu)
{
	assert_ptr_equal(vcpu, &v);
	paging_changes++;
}

static u64 clock_now(const struct timerq *q)
{
	(void)q;
	return now;
}

static void machine(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	(void)subleaf;
	*r = (struct cpuid_regs){ machine_bits, machine_bits, machine_bits, machine_bits };
	if (leaf == 0)
		r->eax = 0x16;
	if (leaf == 1 && machine_version)
		r->eax = machine_version;
	if (leaf == 0x80000000)
		r->eax = 0x80000008;
	if (leaf == 0x80000008)
		r->eax = 0x3027; /* 39 bits */
}

/* The VM is on one CPU. */
void vcpu_lock(struct vcpu *c)
{
	fail_msg("vcpu %u has no lock", c->index);
}

void vcpu_unlock(struct vcpu *c)
{
	vcpu_lock(c);
}

/* ---- set-up ---- */

static bool has_steal = true;

static void make(u32 bits, bool kvmclock)
{
	static const struct mmu_ops mmu_ops = { .paging_changed = paging_changed };
	static struct mmu mmu = { .ops = &mmu_ops };
	static struct timerq timers = { .hz = TSC_HZ, .now = clock_now };
	static void *table;
	struct cpuid_config cfg = { .vcpus = 4,
		.index = 3,
		.tsc_hz = TSC_HZ,
		.kvmclock = kvmclock,
		.steal = has_steal,
		.host = machine };

	machine_bits = bits;
	table = table ? table : malloc(sizeof_cpuid_table);
	cpuid_resolve(table, &cfg);
	memset(reg, 0, sizeof(reg));
	memset(apic_msr, 0, sizeof(apic_msr));
	memset(passed_read, 0, sizeof(passed_read));
	memset(passed_write, 0, sizeof(passed_write));
	paging_changes = 0;
	now = 1000000;
	vm.fast_strings = true;
	vm.mmu = &mmu;
	vm.timers = &timers;
	v = (struct vcpu){ .ops = &ops, .vm = &vm, .index = 3, .cpuid = table, .timers = &timers };
	vcpu_setup_msrs(&v);
}

static int setup(void **state)
{
	(void)state;
	vm = (struct vm){ .id = 1 };
	assert_int_equal(guestmem_add(&vm.mem, GPA(0), 2 * MB), OK);
	make(0xffffffff, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guestmem_destroy(&vm.mem);
	return 0;
}

static u64 rd(u32 msr)
{
	u64 value = 0;

	if (!vcpu_rdmsr(&v, msr, &value))
		fail_msg("RDMSR 0x%x refused", msr);
	return value;
}

static bool rd_refused(u32 msr)
{
	u64 value;

	return !vcpu_rdmsr(&v, msr, &value);
}

static void wr(u32 msr, u64 value)
{
	if (!vcpu_wrmsr(&v, msr, value))
		fail_msg("WRMSR 0x%x, 0x%lx refused", msr, value);
}

static bool wr_refused(u32 msr, u64 value)
{
	return !vcpu_wrmsr(&v, msr, value);
}

/* ---- the table ---- */

static void test_rows_are_sorted(void **state)
{
	(void)state;
	for (size_t i = 0; i < msr_rows_count; i++) {
		const struct msr_row *r = &msr_rows[i];

		assert_true(r->first <= r->last);
		assert_true(i == 0 || msr_rows[i - 1].last < r->first);
		assert_true(strlen(r->name) > 0 && strlen(r->why) > 0);
		assert_int_equal(r->emulation != NULL,
			r->policy == MSR_EMULATE || r->policy == MSR_PASS_READ);
	}
}

static bool passes(const bool *map, u32 msr)
{
	return map[(msr >= 0xc0000000 ? 0x2000 : 0) + (msr & 0x1fff)];
}

static void test_passed(void **state)
{
	static const u32 both[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR,
		MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_SYSENTER_CS, MSR_SYSENTER_ESP,
		MSR_SYSENTER_EIP, MSR_TSC_AUX, MSR_SPEC_CTRL };
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		assert_true(passes(passed_read, both[i]) && passes(passed_write, both[i]));
	assert_true(passes(passed_read, MSR_TSC));
	assert_false(passes(passed_write, MSR_TSC));
	assert_true(passes(passed_write, MSR_PRED_CMD));
	assert_false(passes(passed_read, MSR_PRED_CMD));
	/* And no others: 12, the TSC's reads, two commands' writes. */
	for (size_t i = 0; i < ARRAY_SIZE(passed_read); i++)
		n += passed_read[i] + passed_write[i];
	assert_int_equal(n, 2 * ARRAY_SIZE(both) + 3);
}

/* MSRs that the machine does not have are not passed, and not there. */
static void test_features(void **state)
{
	(void)state;
	make(0, false);
	assert_false(passes(passed_read, MSR_TSC_AUX));
	assert_false(passes(passed_write, MSR_SPEC_CTRL));
	assert_false(passes(passed_write, MSR_FLUSH_CMD));
	assert_true(rd_refused(KVM_SYSTEM));
	assert_true(wr_refused(KVM_SYSTEM, 0));
	assert_true(wr_refused(KVM_WALL, PLACE));
	assert_true(wr_refused(MSR_EFER, EFER_NXE));
	assert_true(wr_refused(MSR_EFER, EFER_SCE));
}

static void test_unknown(void **state)
{
	static const u32 msrs[] = { 0x2, 0xc1, 0x186, 0x309, 0x38f, 0x480, 0x491, 0x600, 0x606,
		0x7ff, 0x900, 0xbff, MSR_XSS, 0x40000000, 0x4b564d02, 0xc0000104, 0xc0010015,
		0xffffffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		assert_true(rd_refused(msrs[i]));
		assert_true(wr_refused(msrs[i], 0));
	}
}

static void test_constants(void **state)
{
	(void)state;
	assert_int_equal(rd(MSR_FEATURE_CONTROL), 1);
	assert_true(wr_refused(MSR_FEATURE_CONTROL, 1));
	assert_true(wr_refused(MSR_FEATURE_CONTROL, 5));
	assert_int_equal(rd(MSR_MTRRCAP), 0x508);
	assert_true(wr_refused(MSR_MTRRCAP, 0));
	assert_int_equal(rd(MSR_MCG_CAP), 0);
	assert_int_equal(rd(MSR_MCG_STATUS), 0);
	wr(MSR_MCG_STATUS, 0);
	assert_true(wr_refused(MSR_MCG_STATUS, 4));
	assert_int_equal(rd(0xce), 0);
	assert_int_equal(rd(0x140), 0);
	assert_true(wr_refused(0x140, 1));
	assert_int_equal(rd(MSR_PLATFORM_ID), 0);
	wr(MSR_BIOS_SIGN_ID, 0);
	assert_int_equal(rd(MSR_BIOS_SIGN_ID), 0x100000000);
	wr(MSR_BIOS_UPDT_TRIG, 0xffff880000001234);
	assert_true(rd_refused(0x400)); /* MC0_CTL: no banks */
	assert_int_equal(rd(MSR_ARCH_CAPABILITIES), 0x400000000d12e17f);
	assert_true(wr_refused(MSR_ARCH_CAPABILITIES, 0));
}

/* Whether indirect target selection is said not to be there, by the version in leaf 1. */
static void test_its(void **state)
{
	static const struct {
		u32 version;
		bool immune;
	} cpus[] = {
		{ 0x00050654, true },			     /* Skylake-X */
		{ 0x00050656, false },			     /* Cascade Lake */
		{ 0x00050657, false }, { 0x000206a7, true }, /* Sandy Bridge */
		{ 0x000806ea, true },			     /* Kaby Lake R */
		{ 0x000806ec, false },			     /* Whiskey Lake */
		{ 0x000906ec, true }, { 0x000906ed, false },
		{ 0x000606a6, false }, /* Ice Lake-SP */
		{ 0x000a0671, false }, /* Rocket Lake */
		{ 0x000806f8, true },  /* Sapphire Rapids */
		{ 0x00000f43, false }, /* not of family 6: not said */
	};

	(void)state;
	machine_has_capabilities = false;
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		machine_version = cpus[i].version;
		make(0, false);
		assert_int_equal(rd(MSR_ARCH_CAPABILITIES), cpus[i].immune ? 1ul << 62 : 0);
	}
	/* A machine that says so itself is believed, on the list or not. */
	machine_has_capabilities = true;
	machine_version = 0x000606a6;
	make(~0u, false);
	assert_int_equal(rd(MSR_ARCH_CAPABILITIES), 0x400000000d12e17f);
	machine_version = 0;
}

/* ---- emulations ---- */

static void test_efer(void **state)
{
	(void)state;
	wr(MSR_EFER, EFER_SCE | EFER_NXE | EFER_LME);
	assert_int_equal(rd(MSR_EFER), EFER_SCE | EFER_NXE | EFER_LME);
	assert_int_equal(paging_changes, 1);
	assert_true(wr_refused(MSR_EFER, BIT(1)));
	assert_true(wr_refused(MSR_EFER, EFER_LME | BIT(12)));
	assert_true(wr_refused(MSR_EFER, BIT(63)));
	/* Paging on: LMA is set; LME may not change, LMA follows nobody's write. */
	reg[VREG_CR0] = CR0_PE | CR0_PG;
	reg[VREG_EFER] = EFER_LME | EFER_LMA;
	assert_true(wr_refused(MSR_EFER, 0));
	assert_true(wr_refused(MSR_EFER, EFER_LMA));
	wr(MSR_EFER, EFER_LME | EFER_NXE);
	assert_int_equal(reg[VREG_EFER], EFER_LME | EFER_LMA | EFER_NXE);
	reg[VREG_EFER] = 0;
	assert_true(wr_refused(MSR_EFER, EFER_LME));
	wr(MSR_EFER, EFER_LMA);
	assert_int_equal(reg[VREG_EFER], 0);
}

static void test_pat(void **state)
{
	(void)state;
	reg[VREG_PAT] = PAT_RESET;
	assert_int_equal(rd(MSR_PAT), PAT_RESET);
	wr(MSR_PAT, 0x0007010600070106);
	assert_int_equal(reg[VREG_PAT], 0x0007010600070106);
	assert_true(wr_refused(MSR_PAT, 0x0200000000000000));
	assert_true(wr_refused(MSR_PAT, 0x03));
	assert_true(wr_refused(MSR_PAT, 0x08));
	assert_true(wr_refused(MSR_PAT, 0xff00));
}

static void test_debugctl(void **state)
{
	(void)state;
	wr(MSR_DEBUGCTL, 3);
	assert_int_equal(rd(MSR_DEBUGCTL), 3);
	for (unsigned bit = 2; bit < 64; bit++)
		assert_true(wr_refused(MSR_DEBUGCTL, BIT(bit)));
	assert_int_equal(reg[VREG_DEBUGCTL], 3);
}

static void test_misc_enable(void **state)
{
	u64 value = rd(MSR_MISC_ENABLE);

	(void)state;
	assert_int_equal(value, 0x1801);
	wr(MSR_MISC_ENABLE, value);
	wr(MSR_MISC_ENABLE, value & ~1ul);
	assert_int_equal(rd(MSR_MISC_ENABLE), 0x1800);
	assert_true(wr_refused(MSR_MISC_ENABLE, value | BIT(18)));
	assert_true(wr_refused(MSR_MISC_ENABLE, value | BIT(22)));
	assert_true(wr_refused(MSR_MISC_ENABLE, value | BIT(34)));
	assert_true(wr_refused(MSR_MISC_ENABLE, 0));
}

static void test_mtrr_reset(void **state)
{
	(void)state;
	assert_int_equal(rd(MSR_MTRR_DEF_TYPE), 0xc06);
	assert_int_equal(rd(0x200), 0xc0000000);
	assert_int_equal(rd(0x201), 0x7fc0000800); /* 1 GB, with 39 address bits */
	assert_int_equal(rd(0x202), 0);
	assert_int_equal(rd(0x20f), 0);
	assert_int_equal(rd(0x250), 0x0606060606060606);
	assert_int_equal(rd(0x258), 0x0606060606060606);
	assert_int_equal(rd(0x259), 0);
	assert_int_equal(rd(0x26b), 0);
	assert_int_equal(rd(0x26c), 0x0505050505050505);
	assert_true(rd_refused(0x210));
	assert_true(rd_refused(0x251));
	assert_true(rd_refused(0x270));
	wr(0x20f, 0x800);
	wr(0x26f, 0);
	vcpu_reset_msrs(&v);
	assert_int_equal(rd(0x20f), 0);
	assert_int_equal(rd(0x26f), 0x0505050505050505);
}

static void test_mtrr_checks(void **state)
{
	(void)state;
	wr(0x202, 0x7ffffff006);
	assert_int_equal(rd(0x202), 0x7ffffff006);
	assert_true(wr_refused(0x202, 2));
	assert_true(wr_refused(0x202, 0x106));
	assert_true(wr_refused(0x202, BIT(39) | 6));
	wr(0x203, 0x7fff000800);
	wr(0x203, 0x7fff000000);
	assert_true(wr_refused(0x203, 0x7fff000001));
	assert_true(wr_refused(0x203, 0x7fff000400));
	assert_true(wr_refused(0x203, BIT(39) | 0x800));
	wr(0x268, 0x0001040506000106);
	assert_int_equal(rd(0x268), 0x0001040506000106);
	assert_true(wr_refused(0x268, 0x07));
	assert_true(wr_refused(0x268, 0x0200000000000000));
	wr(MSR_MTRR_DEF_TYPE, 0);
	wr(MSR_MTRR_DEF_TYPE, 0xc00);
	assert_true(wr_refused(MSR_MTRR_DEF_TYPE, 0xc07));
	assert_true(wr_refused(MSR_MTRR_DEF_TYPE, 0xd06));
	assert_true(wr_refused(MSR_MTRR_DEF_TYPE, BIT(12)));
}

static void test_tsc(void **state)
{
	(void)state;
	assert_int_equal(rd(MSR_TSC), 1000000);
	wr(MSR_TSC, 400);
	assert_int_equal(rd(MSR_TSC), 400);
	assert_int_equal(reg[VREG_TSC_OFFSET], 400 - 1000000ul);
	assert_int_equal(rd(MSR_TSC_ADJUST), 400 - 1000000ul);
	now += 50;
	assert_int_equal(rd(MSR_TSC), 450);
	wr(MSR_TSC_ADJUST, 7);
	assert_int_equal(rd(MSR_TSC), 1000050 + 7);
	assert_int_equal(rd(MSR_TSC_ADJUST), 7);
	vcpu_reset_msrs(&v);
	assert_int_equal(rd(MSR_TSC_ADJUST), 0);
}

static void test_apic(void **state)
{
	(void)state;
	wr(MSR_APIC_BASE, 0xfee00d00);
	assert_int_equal(apic_msr[0x1b], 0xfee00d00);
	assert_int_equal(rd(MSR_APIC_BASE), 0xfee00d00);
	wr(0x80b, 0);
	wr(0x830, 0x1234);
	assert_int_equal(apic_msr[0x830], 0x1234);
	assert_true(rd_refused(0x8ff)); /* the platform's answer counts */
	assert_true(wr_refused(0x8ff, 0));
}

/* The platform has the deadline in guest time, and learns how that lies to the machine's. */
static void test_deadline(void **state)
{
	(void)state;
	wr(MSR_TSC_DEADLINE, 5000000);
	assert_int_equal(apic_msr[0x6e0], 5000000);
	wr(MSR_TSC, now - 600000);
	assert_int_equal(apic_tsc_offset, -600000ul);
	wr(MSR_TSC_DEADLINE, 500000);
	assert_int_equal(apic_msr[0x6e0], 500000);
	assert_int_equal(rd(MSR_TSC_DEADLINE), 500000);
	wr(MSR_TSC_ADJUST, 1000);
	assert_int_equal(apic_tsc_offset, 1000);
}

struct clock_page {
	u32 version, pad;
	u64 tsc_timestamp, system_time;
	u32 mul;
	s8 shift;
	u8 flags, pad2[2];
};

/* Nanoseconds at a guest TSC, as a guest computes them. */
static u64 clock_ns(u64 gpa, u64 tsc)
{
	struct clock_page c;
	u64 delta;

	assert_int_equal(guest_read(&vm.mem, GPA(gpa), &c, sizeof(c)), OK);
	assert_int_equal(c.version & 1, 0);
	assert_int_equal(c.flags, 1);
	delta = tsc - c.tsc_timestamp;
	delta = c.shift < 0 ? delta >> -c.shift : delta << c.shift;
	return c.system_time + (u64)((unsigned __int128)delta * c.mul >> 32);
}

static void test_kvm_clock(void **state)
{
	u64 one_hour = 3600 * TSC_HZ, zero[4];

	(void)state;
	wr(KVM_SYSTEM, PLACE | 1);
	assert_int_equal(rd(KVM_SYSTEM), PLACE | 1);
	assert_in_range(clock_ns(PLACE, one_hour), 3599999999000, 3600000001000);
	/* A write to the TSC does not move the clock. */
	wr(MSR_TSC, 0);
	assert_in_range(clock_ns(PLACE, one_hour - 1000000), 3599999999000, 3600000001000);
	/* Switched off, it is left alone. */
	wr(KVM_SYSTEM, 0);
	assert_int_equal(guest_zero(&vm.mem, GPA(PLACE), 32), OK);
	wr(MSR_TSC, 0);
	assert_int_equal(guest_read(&vm.mem, GPA(PLACE), zero, sizeof(zero)), OK);
	assert_int_equal(zero[0] | zero[1] | zero[2] | zero[3], 0);
}

static void test_kvm_places(void **state)
{
	static const u64 bad[] = { 0x5002, 0x5fe4, 2 * MB, 2 * MB - 16, ~3ul, BIT(63) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(wr_refused(KVM_SYSTEM, bad[i] | 1));
		assert_int_equal(rd(KVM_SYSTEM), 0);
	}
	wr(KVM_SYSTEM, 0x5fe0 | 1);
	wr(KVM_SYSTEM, 2 * MB); /* off: the place does not matter */
	assert_true(wr_refused(KVM_WALL, 0x5ff8));
	assert_true(wr_refused(KVM_WALL, 0x5001));
	assert_true(wr_refused(KVM_WALL, 2 * MB));
	wr(KVM_WALL, 0x5ff4);
}

static void test_kvm_wall_clock(void **state)
{
	u32 w[3];

	(void)state;
	now = 10 * TSC_HZ + TSC_HZ / 2;
	wr(KVM_WALL, PLACE);
	assert_int_equal(guest_read(&vm.mem, GPA(PLACE), w, sizeof(w)), OK);
	assert_int_equal(w[0] & 1, 0);
	assert_int_equal(w[1], WALL_CLOCK - 11);
	assert_int_equal(w[2], 500000000);
	assert_true(rd_refused(KVM_WALL));
}

/* struct kvm_steal_time of Linux' interface. */
struct steal_page {
	u64 steal;
	u32 version, flags;
	u8 preempted, pad[47];
};

static struct steal_page steal_at(u64 gpa)
{
	struct steal_page s;

	assert_int_equal(guest_read(&vm.mem, GPA(gpa), &s, sizeof(s)), OK);
	assert_int_equal(s.version & 1, 0);
	assert_int_equal(s.flags, 0);
	return s;
}

static void test_kvm_steal(void **state)
{
	u32 version;

	(void)state;
	v.sched.wait_ticks = 5 * TSC_HZ; /* before the VM was started again */
	vcpu_reset_msrs(&v);
	assert_false(kvm_steals(&v));
	v.sched.wait_ticks += TSC_HZ;
	wr(KVM_STEAL, PLACE | 1);
	assert_int_equal(rd(KVM_STEAL), PLACE | 1);
	assert_true(kvm_steals(&v));
	assert_int_equal(steal_at(PLACE).steal, 1000000000);
	version = steal_at(PLACE).version;
	v.sched.wait_ticks += TSC_HZ / 4;
	kvm_steal_update(&v, true);
	assert_int_equal(steal_at(PLACE).steal, 1250000000);
	assert_int_equal(steal_at(PLACE).preempted, 1);
	assert_int_equal(steal_at(PLACE).version, version + 2);
	kvm_steal_update(&v, false);
	assert_int_equal(steal_at(PLACE).preempted, 0);
	wr(KVM_STEAL, 0);
	assert_false(kvm_steals(&v));
}

/* In RAM, and aligned to 64 bytes: the bits below, but for the switch, are reserved. */
static void test_kvm_steal_places(void **state)
{
	static const u64 bad[] = { PLACE | 2, PLACE | 32, PLACE | 63, 2 * MB | 1, ~62ul,
		BIT(63) | 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(wr_refused(KVM_STEAL, bad[i]));
		assert_int_equal(rd(KVM_STEAL), 0);
	}
	wr(KVM_STEAL, (2 * MB - 64) | 1);
	wr(KVM_STEAL, 2 * MB); /* off: the place does not matter */
	/* In virtual time nothing is stolen. */
	has_steal = false;
	make(0xffffffff, true);
	has_steal = true;
	assert_true(rd_refused(KVM_STEAL));
	assert_true(wr_refused(KVM_STEAL, 0));
	assert_int_equal(rd(KVM_SYSTEM), 0);
}

/* The clock's zero is that of the VM's own time, whatever its vcpu's offset holds of what was lost.
 */
static void test_kvm_clock_of_lost_time(void **state)
{
	(void)state;
	reg[VREG_TSC_OFFSET] = -TSC_HZ;
	v.tsc_lag = TSC_HZ;
	wr(KVM_SYSTEM, PLACE | 1);
	assert_int_equal(clock_ns(PLACE, 0), 0);
	wr(MSR_TSC, rd(MSR_TSC) + 1000);
	assert_int_equal(clock_ns(PLACE, 1000), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows_are_sorted),
		TEST(test_passed),
		TEST(test_features),
		TEST(test_unknown),
		TEST(test_constants),
		TEST(test_its),
		TEST(test_efer),
		TEST(test_pat),
		TEST(test_debugctl),
		TEST(test_misc_enable),
		TEST(test_mtrr_reset),
		TEST(test_mtrr_checks),
		TEST(test_tsc),
		TEST(test_apic),
		TEST(test_deadline),
		TEST(test_kvm_clock),
		TEST(test_kvm_places),
		TEST(test_kvm_wall_clock),
		TEST(test_kvm_steal),
		TEST(test_kvm_steal_places),
		TEST(test_kvm_clock_of_lost_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
