/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control registers: what is written reads back, what the architecture forbids is #GP(0) and
 * changes nothing: PG without PE, NW without CD, reserved bits of CR0, CR4 and CR8, CR3 above
 * MAXPHYADDR, PAE off in 64-bit mode. CLTS, LMSW and SMSW do what they say; VMXE stays out of
 * sight.
 */
#include "tests/guest/lib/lib.h"

#define TRY_CR(n, value) FAULTS("mov %0, %%cr" #n, : : "r"((u64)(value)) : "memory")

static void cr0(void)
{
	u64 old = read_cr0();

	check_eq(TRY_CR(0, old & ~CR0_PE), VEC_GP, "PG without PE");
	check_eq(caught.error, 0, "error code");
	check_eq(TRY_CR(0, (old | CR0_NW) & ~CR0_CD), VEC_GP, "NW without CD");
	check_eq(TRY_CR(0, old | BIT(40)), VEC_GP, "bits 63:32");
	check_eq(read_cr0(), old, "CR0 after faults");
	write_cr0(old | CR0_TS);
	check(read_cr0() & CR0_TS, "TS");
	__asm__ volatile("clts");
	check_eq(read_cr0() & CR0_TS, 0, "CLTS");
	__asm__ volatile("lmsw %w0" : : "r"(CR0_PE | CR0_MP | CR0_TS));
	check_eq(read_cr0() & (CR0_MP | CR0_TS), CR0_MP | CR0_TS, "LMSW sets");
	__asm__ volatile("lmsw %w0" : : "r"(0ul));
	check_eq(read_cr0() & (CR0_PE | CR0_TS), CR0_PE, "LMSW clears TS, not PE");
	write_cr0(old | CR0_CD);
	check(read_cr0() & CR0_CD, "CD");
	write_cr0(old ^ CR0_NE);
	check_eq((read_cr0() ^ old) & CR0_NE, CR0_NE, "NE is the guest's to choose");
	write_cr0(old);
	check_eq(read_cr0(), old, "CR0");
}

void test_main(void)
{
	u64 cr4 = read_cr4(), cr3 = read_cr3();

	cr0();
	check_eq(cr4 & CR4_VMXE, 0, "VMXE is hidden");
	check_eq(TRY_CR(4, cr4 | CR4_VMXE), VEC_GP, "VMXE");
	check_eq(TRY_CR(4, cr4 | BIT(31)), VEC_GP, "reserved");
	check_eq(TRY_CR(4, cr4 & ~CR4_PAE), VEC_GP, "PAE off in 64-bit mode");
	check_eq(read_cr4(), cr4, "CR4 after faults");
	write_cr4(cr4 | CR4_PGE | CR4_MCE);
	check_eq(read_cr4(), cr4 | CR4_PGE | CR4_MCE, "CR4");
	write_cr4(cr4);
	check_eq(read_cr4(), cr4, "CR4");
	check_eq(TRY_CR(3, cr3 | BIT(63)), VEC_GP, "CR3 bit 63 without PCIDE");
	write_cr3(cr3);
	check_eq(read_cr3(), cr3, "CR3");
	check_eq(TRY_CR(8, 16), VEC_GP, "CR8 bits 63:4");
	__asm__ volatile("mov %0, %%cr8" : : "r"(9ul));
	__asm__ volatile("mov %%cr8, %0" : "=r"(cr4));
	check_eq(cr4, 9, "CR8");
	check_eq(apic_read(APIC_TPR), 0x90, "CR8 is TPR 7:4");
	pass();
}
