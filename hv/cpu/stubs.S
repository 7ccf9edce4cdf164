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
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	cld
	movq	%rsp, %rdi
	call	trap_handle
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbp
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
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
