/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How another processor starts: a SIPI sends it here in real mode, with CS = page << 8 and IP = 0.
 * smp.c copies this code to a page below 640 KB, fills in the fields at the end, and maps that page
 * at its own address. From real mode it goes to 64-bit mode in one step, by setting CR0.PE and
 * CR0.PG together with IA32_EFER.LME.
 */
#define OFFSET(symbol)  ((symbol) - ap_trampoline)

#define CR4_PAE_PGE     0xa0
#define MSR_EFER        0xc0000080
#define EFER_LME_NXE    0x900
#define CR0_PG_WP_NE_PE 0x80010023

	.section .rodata.trampoline, "a"
	.globl ap_trampoline, ap_trampoline_end, ap_trampoline_fields
	.balign 16
	.code16
ap_trampoline:
	cli
	cld
	xorl	%ebx, %ebx
	movw	%cs, %bx
	movw	%bx, %ds
	shll	$4, %ebx		/* this page's address */
	lgdtl	OFFSET(gdtr)
	movl	$CR4_PAE_PGE, %eax
	movl	%eax, %cr4
	movl	OFFSET(field_cr3), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME_NXE, %eax
	wrmsr
	movl	$CR0_PG_WP_NE_PE, %eax
	movl	%eax, %cr0
	ljmpl	*OFFSET(field_far)

	.code64
long:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movq	OFFSET(field_stack)(%rbx), %rsp
	movq	OFFSET(field_cpu)(%rbx), %rdi
	movq	OFFSET(field_entry)(%rbx), %rax
	xorl	%ebp, %ebp
	pushq	$0			/* no return */
	jmp	*%rax

	.balign 8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff

/* struct trampoline_fields in hv/cpu/smp.c */
	.balign 8
ap_trampoline_fields:
gdtr:		.word	gdtr - gdt - 1
field_gdt:	.long	OFFSET(gdt)	/* + page address */
field_far:	.long	OFFSET(long)	/* + page address */
		.word	8
field_cr3:	.long	0
field_stack:	.quad	0
field_cpu:	.quad	0
field_entry:	.quad	0
ap_trampoline_end:

	.section .note.GNU-stack, "", @progbits
