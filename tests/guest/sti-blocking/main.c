/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocking by STI and by MOV SS: a pending interrupt waits for one more instruction, also where
 * that instruction exits (CPUID), and no longer.
 */
#include "tests/guest/lib/lib.h"

static volatile u64 saved_rip;

static void on_irq(struct frame *f)
{
	saved_rip = f->rip;
	apic_eoi();
}

static void send(void)
{
	saved_rip = 0;
	apic_write(APIC_ICR, 0x40000 | 0x50);
}

void test_main(void)
{
	u64 after;

	apic_enable();
	on_vector(0x50, on_irq);
	send();
	__asm__ volatile("sti; nop; 1: nop; cli; lea 1b(%%rip), %0" : "=r"(after) : : "memory");
	check_eq(saved_rip, after, "after the instruction behind STI");
	send();
	__asm__ volatile("xor %%eax, %%eax; sti; cpuid; 1: nop; cli; lea 1b(%%rip), %0"
			 : "=S"(after)
			 :
			 : "rax", "rbx", "rcx", "rdx", "memory");
	check_eq(saved_rip, after, "after an instruction that exits");
	send();
	__asm__ volatile(
		"mov %%ss, %%eax; sti; mov %%eax, %%ss; nop; 1: nop; cli; lea 1b(%%rip), %0"
		: "=S"(after)
		:
		: "rax", "memory");
	check(saved_rip == after || saved_rip == after - 1, "MOV SS: rip 0x%lx, expected 0x%lx",
		saved_rip, after);
	send();
	__asm__ volatile("sti; cli" ::: "memory");
	check_eq(saved_rip, 0, "STI; CLI lets nothing in");
	sti_nop_cli();
	check(saved_rip != 0, "and it is still pending");
	pass();
}
