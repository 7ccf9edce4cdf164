/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug registers and single-step: DR0-DR3 read back, data and instruction breakpoints report in
 * DR6, a single-step trap follows an instruction that exits (CPUID) as it follows any other, GD
 * catches MOV DR, and the general detect bit is cleared on delivery.
 */
#include "tests/guest/lib/lib.h"

static volatile u64 watched;
static volatile u64 hits, last_dr6, last_rip;

static void on_db(struct frame *f)
{
	hits++;
	last_dr6 = read_dr6();
	last_rip = f->rip;
	write_dr6(DR6_INIT);
	f->rflags &= ~RFLAGS_TF;
	f->rflags |= RFLAGS_RF;
	write_dr7(DR7_INIT);
}

static void single_step_over_cpuid(void)
{
	u64 after;

	hits = 0;
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); xor %%eax, %%eax; popfq; cpuid; 1: lea "
			 "1b(%%rip), %0; nop"
			 : "=S"(after)
			 :
			 : "rax", "rbx", "rcx", "rdx", "memory");
	check_eq(hits, 1, "one trap");
	check_eq(last_dr6 & 0xf00f, DR6_BS, "DR6.BS");
	check_eq(last_rip, after, "it comes right behind CPUID");
}

void test_main(void)
{
	on_vector(VEC_DB, on_db);
	write_dr0(0x1111);
	write_dr1(0xffff800000002222);
	write_dr2(0x3333);
	write_dr3(0x4444);
	(void)cpuid(0, 0); /* an exit in between changes nothing */
	check_eq(read_dr0(), 0x1111, "DR0");
	check_eq(read_dr1(), 0xffff800000002222, "DR1");
	check_eq(read_dr2(), 0x3333, "DR2");
	check_eq(read_dr3(), 0x4444, "DR3");
	check_eq(read_dr6() & 0xffff0ff0, DR6_INIT, "DR6");
	check_eq(read_dr7(), DR7_INIT, "DR7");

	write_dr0((u64)&watched);
	write_dr7(DR7_INIT | 3 | (1ul << 16) | (3ul << 18)); /* 4 bytes on writes */
	watched = 1;
	check_eq(hits, 1, "data breakpoint");
	check_eq(last_dr6 & 0xf, 1, "DR6.B0");

	single_step_over_cpuid();

	hits = 0;
	write_dr7(DR7_INIT | DR7_GD);
	(void)read_dr0();
	check_eq(hits, 1, "general detect");
	check(last_dr6 & BIT(13), "DR6.BD");
	pass();
}
