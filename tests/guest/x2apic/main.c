/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's modes: which changes of IA32_APIC_BASE are legal, what CPUID shows, that the
 * page is there in xAPIC mode only and the MSRs in x2APIC mode only, and that every MSR of their
 * range, 0x800 - 0xBFF, either is a register or #GP. Accesses to the page that no driver makes end
 * well.
 */
#include "tests/guest/lib/lib.h"

#define MODES	    (APIC_BASE_EN | APIC_BASE_EXTD)
#define X2APIC(reg) (MSR_X2APIC_BASE + (reg) / 16)
#define SELF_IPI    0x83f
#define VECTOR	    0x55

static volatile unsigned irqs;

static void on_irq(struct frame *f)
{
	(void)f;
	irqs++;
	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_EXTD)
		wrmsr(X2APIC(APIC_EOI), 0);
	else
		apic_eoi();
}

static int try_rdmsr(u32 msr)
{
	return FAULTS("rdmsr", : : "c"(msr) : "rax", "rdx", "memory");
}

static int try_wrmsr(u32 msr, u64 value)
{
	return FAULTS("wrmsr", : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static void refuse_base(u64 value)
{
	u64 before = rdmsr(MSR_APIC_BASE);

	check_eq(try_wrmsr(MSR_APIC_BASE, value), VEC_GP, "IA32_APIC_BASE = 0x%lx", value);
	check_eq(rdmsr(MSR_APIC_BASE), before, "IA32_APIC_BASE");
}

static void set_mode(u64 mode)
{
	wrmsr(MSR_APIC_BASE, (rdmsr(MSR_APIC_BASE) & ~MODES) | mode);
	check_eq(rdmsr(MSR_APIC_BASE) & MODES, mode, "mode");
}

static bool cpuid_has_apic(void)
{
	return cpuid(1, 0).edx & BIT(9);
}

/* Bits: 1 readable, 2 writable with 0. */
static unsigned x2apic_access(u32 msr)
{
	switch (msr) {
	case 0x802:
	case 0x803:
	case 0x80a:
	case 0x80d:
	case 0x810 ... 0x827:
	case 0x839: return 1;
	case 0x80b:
	case SELF_IPI: return 2;
	case 0x808:
	case 0x80f:
	case 0x828:
	case 0x830:
	case 0x832 ... 0x838:
	case 0x83e: return 3;
	default: return 0;
	}
}

static void scan(bool x2apic)
{
	for (u32 msr = 0x800; msr < 0xc00; msr++) {
		unsigned access = x2apic ? x2apic_access(msr) : 0;

		check_eq(try_rdmsr(msr), access & 1 ? -1 : VEC_GP, "RDMSR 0x%x", msr);
		check_eq(try_wrmsr(msr, 0), access & 2 ? -1 : VEC_GP, "WRMSR 0x%x", msr);
	}
}

static void odd_accesses(void)
{
	volatile u8 *page = (volatile u8 *)LAYOUT_LAPIC;

	check_eq(page[0x30], 0x14, "a byte");
	check_eq(*(volatile u16 *)(page + 0x32), 5, "a word");
	check_eq(*(volatile u64 *)(page + 0x30), 0x00050014, "eight bytes");
	check_eq(*(volatile u32 *)(page + 0x31), 0x500, "unaligned");
	check_eq(*(volatile u64 *)(page + 0xffc), 0xffffffff00000000, "across the end");
	*(volatile u64 *)(page + 0xffc) = ~0ul;
	page[APIC_TPR] = 0x55;
	*(volatile u64 *)(page + APIC_TPR) = 0x55;
	*(volatile u32 *)(page + APIC_TPR + 1) = 0x55;
	check_eq(apic_read(APIC_TPR), 0, "writes that are none");
}

void test_main(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	on_vector(VECTOR, on_irq);
	check_eq(base, LAYOUT_LAPIC | APIC_BASE_BSP | APIC_BASE_EN, "at power-on");
	for (unsigned bit = 0; bit < 64; bit++)
		if (bit != 8 && bit != 10 && bit != 11)
			refuse_base(base ^ BIT(bit));
	apic_enable();
	odd_accesses();
	scan(false);

	refuse_base((base & ~MODES) | APIC_BASE_EXTD);
	set_mode(0);
	check(!cpuid_has_apic(), "CPUID without APIC");
	check_eq(apic_read(APIC_ID), 0xffffffff, "no page");
	refuse_base(base | APIC_BASE_EXTD);
	set_mode(APIC_BASE_EN);
	check(cpuid_has_apic(), "CPUID with APIC");
	check_eq(apic_read(APIC_SVR), 0xff, "reset by switching off and on");

	apic_enable();
	apic_write(APIC_TPR, 0x20);
	set_mode(MODES);
	refuse_base(base);
	check_eq(apic_read(APIC_ID), 0xffffffff, "no page");
	check_eq(rdmsr(X2APIC(APIC_ID)), 0, "ID");
	check_eq(rdmsr(X2APIC(APIC_LDR)), 1, "LDR from the ID");
	check_eq(rdmsr(X2APIC(APIC_TPR)), 0x20, "TPR is kept");
	wrmsr(SELF_IPI, VECTOR);
	sti_nop_cli();
	check_eq(irqs, 1, "self IPI");
	wrmsr(X2APIC(APIC_ICR), VECTOR); /* to ID 0 */
	sti_nop_cli();
	check_eq(irqs, 2, "by ICR");
	check_eq(try_wrmsr(X2APIC(APIC_EOI), 1), VEC_GP, "EOI of 1");
	check_eq(try_wrmsr(X2APIC(APIC_TPR), 0x100), VEC_GP, "reserved bits of TPR");
	check_eq(try_wrmsr(X2APIC(APIC_SVR), 0x11ff), VEC_GP, "reserved bits of SVR");
	check_eq(try_wrmsr(X2APIC(APIC_LVT_TIMER), BIT(32)), VEC_GP, "above 32 bits");
	scan(true);
	set_mode(0);
	scan(false);
	pass();
}
