/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader (32-bit protected mode, paging off; Multiboot2, "I386 machine state") to
 * 64-bit C. The first page tables show the first 4 GB three times:
 *
 *   0                        for the instructions that switch paging on
 *   DIRECT_MAP_BASE          where C finds the boot loader's information
 *   IMAGE_BASE (first 1 GB)  where C itself runs
 *
 * hv/mem/hostmap.c replaces them.
 */
#define IMAGE_BASE      0xffffffff80000000
#define PHYS(symbol)    ((symbol) - IMAGE_BASE)

#define MB2_BOOT_MAGIC  0x36d76289

#define PTE_TABLE       0x03 /* present, writable */
#define PTE_2M          0x83 /* present, writable, page size */
#define EARLY_GB        4
#define DIRECT_MAP_SLOT 256  /* PML4 slot of 0xffff800000000000 */
#define IMAGE_SLOT      511  /* PML4 and PDPT slots of 0xffffffff80000000 */
#define IMAGE_PDPT_SLOT 510

#define CR4_PAE_PGE     0xa0
#define MSR_EFER        0xc0000080
#define EFER_LME_NXE    0x900
#define CR0_PG_WP_NE_PE 0x80010023 /* and MP */

#define EFLAGS_ID       (1 << 21)
#define CPUID_1_EDX     0x2270  /* TSC, MSR, PAE, APIC, PGE */
#define CPUID_X_EDX     0x20100000 /* long mode, NX */

#define COM1            0x3f8
#define COM2            0x2f8
#define UART_LSR        5
#define UART_SCRATCH    7
#define LSR_THRE        0x20
#define LSR_TEMT        0x40
#define BOCHS_OFF       0x8900

	.section .boot.text, "ax"
	.code32
	.globl boot_entry
boot_entry:
	cli
	cld
	movl	$PHYS(__boot_stack_top), %esp
	movl	$why_loader, %esi
	cmpl	$MB2_BOOT_MAGIC, %eax
	jne	fail
	movl	%ebx, %ebp		/* the boot loader's information */

	pushfl
	popl	%eax
	movl	%eax, %ecx
	xorl	$EFLAGS_ID, %eax
	pushl	%eax
	popfl
	pushfl
	popl	%eax
	movl	$why_cpuid, %esi
	xorl	%ecx, %eax
	testl	$EFLAGS_ID, %eax
	jz	fail

	movl	$why_long, %esi
	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	fail
	movl	$0x80000001, %eax
	cpuid
	andl	$CPUID_X_EDX, %edx
	cmpl	$CPUID_X_EDX, %edx
	jne	fail

	movl	$why_base, %esi
	movl	$1, %eax
	cpuid
	andl	$CPUID_1_EDX, %edx
	cmpl	$CPUID_1_EDX, %edx
	jne	fail

	/* The page directories: EARLY_GB of consecutive 2 MB pages. */
	movl	$PHYS(early_pd), %edi
	movl	$PTE_2M, %eax
	xorl	%edx, %edx
	movl	$(EARLY_GB * 512), %ecx
1:	movl	%eax, (%edi)
	movl	%edx, 4(%edi)
	addl	$0x200000, %eax
	addl	$8, %edi
	loop	1b

	/* The tables above them. The section is not zeroed by the boot loader: do it here. */
	movl	$PHYS(early_pml4), %edi
	xorl	%eax, %eax
	movl	$(3 * 1024), %ecx
	rep stosl
	movl	$PHYS(early_pdpt), %edi
	movl	$(PHYS(early_pd) + PTE_TABLE), %eax
	movl	$EARLY_GB, %ecx
2:	movl	%eax, (%edi)
	addl	$4096, %eax
	addl	$8, %edi
	loop	2b
	movl	$(PHYS(early_pd) + PTE_TABLE), PHYS(early_pdpt_image + IMAGE_PDPT_SLOT * 8)
	movl	$(PHYS(early_pdpt) + PTE_TABLE), PHYS(early_pml4)
	movl	$(PHYS(early_pdpt) + PTE_TABLE), PHYS(early_pml4 + DIRECT_MAP_SLOT * 8)
	movl	$(PHYS(early_pdpt_image) + PTE_TABLE), PHYS(early_pml4 + IMAGE_SLOT * 8)

	movl	$CR4_PAE_PGE, %eax
	movl	%eax, %cr4
	movl	$PHYS(early_pml4), %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME_NXE, %eax
	wrmsr
	movl	$CR0_PG_WP_NE_PE, %eax
	movl	%eax, %cr0
	lgdt	boot_gdtr
	ljmp	$8, $boot_long

	.code64
boot_long:
	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%ebp, %edi
	movabsq	$entry_high, %rax
	jmp	*%rax

/* ---- the machine is not enough: say so on the log port and stop ---- */

	.code32
/* %esi: the sentence */
fail:
	movl	%esi, %ebx
	movl	$COM2, %edx
	call	port_present
	je	1f
	movl	$COM1, %edx
	call	port_present
	jne	2f
1:	movl	$text_head, %esi
	call	print
	movl	%ebx, %esi
	call	print
	movl	$text_tail, %esi
	call	print
	addl	$UART_LSR, %edx
3:	inb	%dx, %al
	testb	$LSR_TEMT, %al
	jz	3b
2:	movl	$BOCHS_OFF, %edx
	movl	$text_off, %esi
	movl	$(text_off_end - text_off), %ecx
	rep outsb
4:	cli
	hlt
	jmp	4b

/* %edx: port; ZF set if a UART is there. */
port_present:
	addl	$UART_SCRATCH, %edx
	movb	$0x5a, %al
	outb	%al, %dx
	inb	%dx, %al
	subl	$UART_SCRATCH, %edx
	cmpb	$0x5a, %al
	ret

/* %edx: port, %esi: zero-terminated text */
print:
	lodsb
	testb	%al, %al
	jz	2f
	movb	%al, %ah
	addl	$UART_LSR, %edx
1:	inb	%dx, %al
	testb	$LSR_THRE, %al
	jz	1b
	subl	$UART_LSR, %edx
	movb	%ah, %al
	outb	%al, %dx
	jmp	print
2:	ret

text_head:	.asciz "@end {\"status\":1,\"why\":\""
text_tail:	.asciz "\"}\n"
text_off:	.ascii "Shutdown"
text_off_end:
why_loader:	.asciz "not started by a Multiboot2 boot loader"
why_cpuid:	.asciz "the processor has no CPUID"
why_long:	.asciz "the processor lacks 64-bit mode or no-execute pages"
why_base:	.asciz "the processor lacks one of TSC, MSR, PAE, APIC, PGE"

	.balign 8
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 8: 64-bit code */
	.quad	0x00cf93000000ffff	/* 16: data */
boot_gdtr:
	.word	boot_gdtr - boot_gdt - 1
	.long	boot_gdt

	.section .text.entry_high, "ax"
	.code64
	.globl entry_high
	.type entry_high, @function
entry_high:
	movq	$__boot_stack_top, %rsp
	xorl	%ebp, %ebp		/* backtraces end here */
	call	hv_main
	ud2
	.size entry_high, . - entry_high

	.section .early, "aw", @nobits
	.balign 4096
early_pml4:
	.skip	4096
early_pdpt:
	.skip	4096
early_pdpt_image:
	.skip	4096
early_pd:
	.skip	4096 * EARLY_GB

	.section .note.GNU-stack, "", @progbits
