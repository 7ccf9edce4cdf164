/* SPDX-License-Identifier: BSD-2-Clause */
/* 256 interrupt stubs that build a struct frame. */
	.text
	.altmacro
/* Vectors for which the processor pushes an error code: 8, 10-14, 17, 21, 29, 30. */
.macro STUB n
	.balign 16
	.if !((\n == 8) || ((\n >= 10) && (\n <= 14)) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30))
	pushq	$0
	.endif
	pushq	$\n
	jmp	common
.endm

	.globl stubs
	.balign 16
stubs:
	.set	i, 0
	.rept	256
	STUB	%i
	.set	i, i + 1
	.endr

common:
	.irp	reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	pushq	%\reg
	.endr
	cld
	movq	%rsp, %rdi
	movq	%rsp, %rbp
	andq	$-16, %rsp
	call	guest_trap
	movq	%rbp, %rsp
	.irp	reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	popq	%\reg
	.endr
	addq	$16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
