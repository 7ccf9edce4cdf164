/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry of a test guest (hv/vm/loader.h, "elf": paging on, 4 GB identity mapped, interrupts off,
 * RDI command line, RSI bytes of RAM, RDX RSDP).
 */
	.section .text.start, "ax"
	.globl start
start:
	movq	$stack_top, %rsp
	xorl	%ebp, %ebp
	call	guest_start
1:	cli
	hlt
	jmp	1b

	.bss
	.balign 4096
	.skip	16384
stack_top:
	.section .note.GNU-stack, "", @progbits
