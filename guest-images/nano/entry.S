/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry as a multiboot kernel ("Multiboot Specification version 0.6.96", "Machine state"): 32 bits,
 * paging off, EAX the magic number, EBX the information. On to 64 bits with the first 4 GB
 * identity mapped by pages of 2 MB.
 */
#define HEADER_MAGIC 0x1badb002
#define WANT_MEMORY  2
#define PRESENT_RW   3
#define PAGE_2M	     0x83
#define LARGE_BYTES  0x200000
#define GB_MAPPED    4
#define CR0_SET	     0x80010020 /* PG, WP, NE */
#define CR0_CLEAR    0x60000000 /* CD, NW: firmware may leave the caches off */
#define CR4_SET	     0xa0	/* PAE, PGE */
#define EFER	     0xc0000080
#define EFER_LME     0x100

	.section .text.start, "ax"
	.code32
	.globl start
start:
	jmp	1f
	.balign 4
	.long	HEADER_MAGIC, WANT_MEMORY, -(HEADER_MAGIC + WANT_MEMORY)
1:	cli
	cld
	movl	$stack_top, %esp
	movl	%eax, %edi
	movl	%ebx, %esi

	movl	$(pdpt + PRESENT_RW), pml4
	movl	$(directories + PRESENT_RW), %eax
	xorl	%ecx, %ecx
2:	movl	%eax, pdpt(, %ecx, 8)
	addl	$4096, %eax
	incl	%ecx
	cmpl	$GB_MAPPED, %ecx
	jb	2b
	movl	$PAGE_2M, %eax
	xorl	%ecx, %ecx
3:	movl	%eax, directories(, %ecx, 8)
	addl	$LARGE_BYTES, %eax
	incl	%ecx
	cmpl	$(GB_MAPPED * 512), %ecx
	jb	3b

	movl	%cr4, %eax
	orl	$CR4_SET, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	andl	$~CR0_CLEAR, %eax
	orl	$CR0_SET, %eax
	movl	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$8, $4f

	.code64
4:	xorl	%ebp, %ebp
	call	nano_start
5:	cli
	hlt
	jmp	5b

	.section .rodata
	.balign 8
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.quad	gdt

	.bss
	.balign 4096
pml4:	.skip	4096
pdpt:	.skip	4096
directories:
	.skip	GB_MAPPED * 4096
	.skip	16384
stack_top:
	.section .note.GNU-stack, "", @progbits
