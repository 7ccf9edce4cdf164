/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a start-up IPI leads: smp.c copies this to a page below 1 MB and fills in the fields at its
 * end. Real mode, then 64-bit mode in one step, with the control registers of who starts it.
 */
#define OFFSET(symbol)	((symbol) - ap_begin)
#define AT		0x8000
#define MSR_EFER	0xc0000080
#define CR0_PG_WP_NE_PE	0x80010023

	.text
	.globl	ap_begin, ap_end, ap_fields_at, ap_begin_64_at
	.code16
ap_begin:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	OFFSET(gdtr)
	movl	OFFSET(fields) + 8, %eax
	movl	%eax, %cr4
	movl	OFFSET(fields), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	OFFSET(fields) + 16, %eax
	andl	$~0x400, %eax			/* LMA follows */
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_PG_WP_NE_PE, %eax
	movl	%eax, %cr0
	ljmpl	$8, $(AT + OFFSET(long))
	.code64
/* Where the mailbox leads: 64-bit mode, on page tables of the firmware. */
begin_64:
	lgdt	AT + OFFSET(gdtr)
	movq	AT + OFFSET(fields) + 8, %rax
	movq	%rax, %cr4
	movq	AT + OFFSET(fields), %rax
	movq	%rax, %cr3
long:
	movl	$16, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	movq	AT + OFFSET(fields) + 24, %rsp
	xorl	%ebp, %ebp
	call	*AT + OFFSET(fields) + 32
	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
gdtr:
	.word	gdtr - gdt - 1
	.quad	AT + OFFSET(gdt)
	.balign	8
fields:
	.skip	40
ap_end:
	.section .rodata
	.balign	4
ap_fields_at:
	.long	OFFSET(fields)
ap_begin_64_at:
	.long	OFFSET(begin_64)
	.section .note.GNU-stack, "", @progbits
