/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a debugger is shown (tests/system/test_gdb.py): functions that call each other, a variable
 * that is written, INT3 and debug registers of the guest's own, and the places where single steps
 * are hard: STI, MOV SS, REP, HLT, instructions that exit. It passes without a debugger as well,
 * and with one: whatever that does, the guest's own is as it should be.
 */
#include "tests/guest/lib/lib.h"

#define TIMER_VECTOR 0x40u
#define TIMER_TICKS  100000u
#define DEPTH	     3

volatile u64 watched, own_int3, timer_hits;
static volatile u8 from[64], to[64];

static void on_bp(struct frame *f)
{
	(void)f;
	own_int3++;
}

static void on_timer(struct frame *f)
{
	(void)f;
	timer_hits++;
	apic_eoi();
}

__attribute__((noinline)) static u64 innermost(u64 n)
{
	watched = n;
	return n * 2;
}

__attribute__((noinline)) static u64 nested(u64 depth)
{
	u64 n = depth ? nested(depth - 1) : innermost(21);

	__asm__ volatile("" : "+r"(n)); /* no tail call */
	return n;
}

/* Each label is a place to stop at and to step from. */
__attribute__((noinline)) static void hard_steps(void)
{
	volatile u8 *src = from, *dst = to;
	u64 a = 0;

	__asm__ volatile(".globl step_cpuid, step_movss, step_pushf, step_rep, step_sti, step_hlt\n"
			 "step_cpuid: cpuid; movl $8, %%ecx\n"
			 "step_movss: movl %%ss, %%eax; movl %%eax, %%ss; nop; nop\n"
			 "step_pushf: pushfq; popq %%rax; nop\n"
			 "step_rep: rep movsb; nop\n"
			 "step_sti: sti; nop; cli; nop\n"
			 "step_hlt: sti; hlt; nop; cli\n"
			 : "+a"(a), "+S"(src), "+D"(dst)
			 :
			 : "rbx", "rcx", "rdx", "memory");
}

static void start_timer(void)
{
	pic_mask_all();
	apic_enable();
	on_vector(TIMER_VECTOR, on_timer);
	apic_write(APIC_TDCR, 0);
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR | APIC_LVT_PERIODIC);
	apic_write(APIC_TMICT, TIMER_TICKS);
}

void test_main(void)
{
	on_vector(VEC_BP, on_bp);
	write_dr0((u64)&watched);
	check_eq(nested(DEPTH), 42, "nested()");
	check_eq(watched, 21, "watched");
	__asm__ volatile(".globl own_breakpoint\nown_breakpoint: int3" ::: "memory");
	check_eq(own_int3, 1, "INT3 came to its owner, once");
	start_timer();
	hard_steps();
	check(timer_hits >= 1, "the timer ended HLT");
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	write_dr7(DR7_INIT);
	check_eq(read_dr0(), (u64)&watched, "DR0 is what was written");
	check_eq(read_dr7(), DR7_INIT, "DR7 is what was written");
	pass();
}
