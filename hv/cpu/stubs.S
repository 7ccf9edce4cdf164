/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the IDT points: 256 stubs of STUB_SIZE bytes that leave vector and error code on the stack in
 * one shape (struct trap_frame), and one common path. Also the MSR accesses that may fault.
 */
#include "hv/cpu/stubs.h"

#define ERROR_CODE_VECTORS 0x60227d00 /* bit v: the processor pushes an error code for vector v */

	.text
	.globl trap_stubs
	.balign STUB_SIZE
trap_stubs:
	vector = 0
	.rept 256
	.balign STUB_SIZE
	.if !((ERROR_CODE_VECTORS >> (vector & 31)) & 1 & (vector < 32))
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

	.type trap_common, @function
trap_common:
	.irp	reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	pushq	%\reg
	.endr
	cld
	movq	%rsp, %rdi
	call	trap_handle
	.irp	reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	popq	%\reg
	.endr
	addq	$16, %rsp
	iretq
	.size trap_common, . - trap_common

/* A faulting instruction at \at continues at \to with its registers as they were. */
	.macro on_fault at, to
	.pushsection __ex_table, "a"
	.long	\at - 0xffffffff80000000
	.long	\to - 0xffffffff80000000
	.popsection
	.endm

	.globl rdmsr_safe
	.type rdmsr_safe, @function
rdmsr_safe:			/* bool rdmsr_safe(u32 msr, u64 *value) */
	movl	%edi, %ecx
1:	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	movq	%rax, (%rsi)
	movl	$1, %eax
	ret
2:	movq	$0, (%rsi)
	xorl	%eax, %eax
	ret
	on_fault 1b, 2b
	.size rdmsr_safe, . - rdmsr_safe

	.globl wrmsr_safe
	.type wrmsr_safe, @function
wrmsr_safe:			/* bool wrmsr_safe(u32 msr, u64 value) */
	movl	%edi, %ecx
	movl	%esi, %eax
	movq	%rsi, %rdx
	shrq	$32, %rdx
1:	wrmsr
	movl	$1, %eax
	ret
2:	xorl	%eax, %eax
	ret
	on_fault 1b, 2b
	.size wrmsr_safe, . - wrmsr_safe

	.section .note.GNU-stack, "", @progbits
