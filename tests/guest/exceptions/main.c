/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions that a guest takes by itself, with no exit: vector, error code, CR2 and the RIP that
 * is saved.
 */
#include "tests/guest/lib/lib.h"

static volatile unsigned int3s;

static void on_bp(struct frame *f)
{
	(void)f;
	int3s++;
}

void test_main(void)
{
	u64 va = 0x8000000000ul;
	u64 *pte;

	check_eq(FAULTS("xor %%edx, %%edx; div %%edx",
			 :
			 : "a"(1)
			 : "rdx", "memory"),
		VEC_DE, "#DE");
	check_eq(FAULTS("ud2", : : : "memory"), VEC_UD, "#UD");
	on_vector(VEC_BP, on_bp);
	__asm__ volatile("int3");
	check_eq(int3s, 1, "#BP");
	check_eq(FAULTS("mov %0, %%ds", : : "r"(0x1234) : "memory"), VEC_GP, "#GP");
	check_eq(caught.error, 0x1234, "#GP's error code is the selector");
	check_eq(FAULTS("movq $0, (%0)",
			 :
			 : "r"(0x8000000000000000)
			 : "memory"),
		VEC_GP, "not canonical");
	check_eq(FAULTS("push %%rbp; mov %0, %%rbp; mov (%%rbp), %%rax; pop %%rbp",
			 :
			 : "r"(0x0000700000000000)
			 : "rax", "memory"),
		VEC_PF, "not mapped");
	check_eq(caught.cr2, 0x0000700000000000, "CR2");

	check_eq(FAULTS("mov (%0), %%rax", : : "r"(va) : "rax", "memory"), VEC_PF, "#PF");
	check_eq(caught.error, 0, "read, not present");
	check_eq(caught.cr2, va, "CR2");
	check_eq(FAULTS("movb $0, 7(%0)", : : "r"(va) : "memory"), VEC_PF, "#PF");
	check_eq(caught.error, PF_W, "write, not present");
	check_eq(caught.cr2, va + 7, "CR2");
	write_cr0(read_cr0() | CR0_WP);
	pte = map_page(va, (u64)new_page(), 1);
	check_eq(FAULTS("movb $0, (%0)", : : "r"(va) : "memory"), VEC_PF, "read-only");
	check_eq(caught.error, PF_W | PF_P, "write, present");
	check_eq(*pte & 0x40, 0, "not dirty");
	*pte |= 2;
	invlpg(va);
	check_eq(FAULTS("movb $0, (%0)", : : "r"(va) : "memory"), -1, "writable");
	check_eq(*pte & 0x60, 0x60, "accessed and dirty");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	*pte |= BIT(63);
	invlpg(va);
	check_eq(FAULTS("call *%0", : : "r"(va) : "memory"), VEC_PF, "no execute");
	check_eq(caught.error, PF_I | PF_P, "fetch, present");
	pass();
}
