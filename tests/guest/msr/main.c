/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RDMSR and WRMSR: passed, emulated, constant and refused ones.
 *
 * An MSR that is in no table is #GP(0) on read and write; a base that is not canonical is #GP, as
 * are reserved bits of EFER and PAT; the values written to passed ones read back.
 */
#include "tests/guest/lib/lib.h"

static int try_rdmsr(u32 msr)
{
	return FAULTS("rdmsr", : : "c"(msr) : "rax", "rdx", "memory");
}

static int try_wrmsr(u32 msr, u64 value)
{
	return FAULTS("wrmsr", : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static void unknown(u32 msr)
{
	check_eq(try_rdmsr(msr), VEC_GP, "RDMSR 0x%x", msr);
	check_eq(caught.error, 0, "RDMSR 0x%x", msr);
	check_eq(try_wrmsr(msr, 0), VEC_GP, "WRMSR 0x%x", msr);
}

static void reads_back(u32 msr, u64 value)
{
	check_eq(try_wrmsr(msr, value), -1, "WRMSR 0x%x", msr);
	check_eq(rdmsr(msr), value, "RDMSR 0x%x", msr);
}

void test_main(void)
{
	static const u32 bases[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_LSTAR,
		MSR_CSTAR, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP };

	unknown(0x12345678);
	unknown(0xc0001234);
	unknown(0x00000002 + 0x300);
	unknown(MSR_VMX_BASIC);
	unknown(0x8ff);
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
		reads_back(bases[i], 0xffff800012345678);
		reads_back(bases[i], 0);
		if (bases[i] < 0xc0000000)
			continue;
		check_eq(try_wrmsr(bases[i], 0x8000000000000000), VEC_GP, "not canonical, MSR 0x%x",
			bases[i]);
	}
	reads_back(MSR_STAR, 0x0023001000000000);
	check_eq(try_wrmsr(MSR_EFER, rdmsr(MSR_EFER) | BIT(9)), VEC_GP, "EFER, reserved bit");
	check_eq(try_wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_LME), VEC_GP,
		"EFER.LME with paging on");
	reads_back(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	check_eq(rdmsr(MSR_PAT), PAT_RESET, "PAT");
	check_eq(try_wrmsr(MSR_PAT, 2), VEC_GP, "PAT with memory type 2");
	reads_back(MSR_PAT, 0x0007010600070106);
	check_eq(rdmsr(MSR_FEATURE_CONTROL) & FEATURE_CONTROL_LOCK, FEATURE_CONTROL_LOCK,
		"IA32_FEATURE_CONTROL is locked");
	check(rdmsr(MSR_APIC_BASE) == (LAYOUT_LAPIC | APIC_BASE_BSP | APIC_BASE_EN),
		"IA32_APIC_BASE");
	check_eq(try_wrmsr(MSR_APIC_BASE, LAYOUT_LAPIC | BIT(52)), VEC_GP,
		"IA32_APIC_BASE above MAXPHYADDR");
	check_eq(try_wrmsr(MSR_DEBUGCTL, BIT(5)), VEC_GP, "IA32_DEBUGCTL, reserved bit");
	pass();
}
