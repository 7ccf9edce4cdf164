/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From 64-bit mode to real mode and out by the debug-exit port. Shadow paging has no real mode and
 * ends the VM where CR0.PE is cleared, with a sentence that says so. (expect under shadow: crash)
 */
#include "tests/guest/lib/lib.h"

#define STEPS_AT 0x8000ul

/* Runs at STEPS_AT, where it is copied to: 32-bit code, 16-bit code, real mode. */
__asm__(".pushsection .text\n"
	"steps:\n"
	"	.code32\n"
	"	mov	%cr0, %eax\n"
	"	and	$0x7fffffff, %eax\n"
	"	mov	%eax, %cr0\n" /* paging off: IA-32e mode ends */
	"	mov	$0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	and	$0xfffffeff, %eax\n"
	"	wrmsr\n" /* LME off */
	"	ljmp	$0x20, $(0x8000 + 1f - steps)\n"
	"	.code16\n"
	"1:	mov	$0x28, %ax\n"
	"	mov	%ax, %ds\n"
	"	mov	%ax, %es\n"
	"	mov	%ax, %ss\n"
	"	mov	%cr0, %eax\n"
	"	and	$0xfe, %al\n"
	"	mov	%eax, %cr0\n" /* real mode */
	"	ljmp	$0, $(0x8000 + 2f - steps)\n"
	"2:	xor	%ax, %ax\n"
	"	mov	%ax, %ds\n"
	"	out	%al, $0xf4\n"
	"3:	hlt\n"
	"	jmp	3b\n"
	"steps_end:\n"
	"	.code64\n"
	"	.popsection");
extern const u8 steps[], steps_end[];

/* code64, data, code32, code16, data16 */
static const u64 gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff,
	0x00009b000000ffff, 0x000093000000ffff };

void test_main(void)
{
	struct descriptor_ptr p = { sizeof(gdt) - 1, (u64)gdt };

	memcpy((void *)STEPS_AT, steps, (size_t)(steps_end - steps));
	lgdt(&p);
	__asm__ volatile("pushq $0x18; pushq %0; lretq" : : "r"(STEPS_AT) : "memory");
	fail("came back from real mode");
}
