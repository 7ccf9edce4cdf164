/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out of it.
 *
 * Guest registers live in struct vcpu, whose first member is gpr[16]. An exit stores only what
 * vmx_exit_quick() may change (and RBX, for CPUID) and offers the exit to it. If that deals with the
 * exit, the guest runs on with R8-R15 and RBP never having left the CPU: quick.c is compiled without
 * them. Only if it declines are they stored, and control returns to the run loop.
 *
 *   run loop -> vmx_enter -> VMRESUME -> guest -> vmx_exit -> vmx_exit_quick --yes--> VMRESUME
 *                                                                            \--no--> run loop
 *
 * Vector registers are never touched once there is a guest: the hypervisor is built without them.
 */

#define VMCS_HOST_RSP_ 0x6c14 /* fields.h: asserted equal in vcpu.c */
#define RAX_ 0x00
#define RCX_ 0x08
#define RDX_ 0x10
#define RBX_ 0x18
#define RBP_ 0x28
#define RSI_ 0x30
#define RDI_ 0x38
#define R8_  0x40
#define R9_  0x48
#define R10_ 0x50
#define R11_ 0x58
#define R12_ 0x60
#define R13_ 0x68
#define R14_ 0x70
#define R15_ 0x78

/* What quick.c may change, and RBX for CPUID, with the vcpu in RDI; RDI itself comes last. */
.macro LOAD_VOLATILE
	movq	RAX_(%rdi), %rax
	movq	RCX_(%rdi), %rcx
	movq	RDX_(%rdi), %rdx
	movq	RBX_(%rdi), %rbx
	movq	RSI_(%rdi), %rsi
	movq	RDI_(%rdi), %rdi
.endm

/* At an exit, with the vcpu at the top of the stack, to where RDI points from then on. */
.macro STORE_VOLATILE
	pushq	%rdi
	movq	8(%rsp), %rdi
	popq	RDI_(%rdi)
	movq	%rax, RAX_(%rdi)
	movq	%rcx, RCX_(%rdi)
	movq	%rdx, RDX_(%rdi)
	movq	%rbx, RBX_(%rdi)
	movq	%rsi, RSI_(%rdi)
.endm

.macro LOAD_R8_R11 v
	movq	R8_(\v), %r8
	movq	R9_(\v), %r9
	movq	R10_(\v), %r10
	movq	R11_(\v), %r11
.endm

.macro STORE_R8_R11 v
	movq	%r8, R8_(\v)
	movq	%r9, R9_(\v)
	movq	%r10, R10_(\v)
	movq	%r11, R11_(\v)
.endm

.macro LOAD_R12_R15 v
	movq	R12_(\v), %r12
	movq	R13_(\v), %r13
	movq	R14_(\v), %r14
	movq	R15_(\v), %r15
.endm

.macro STORE_R12_R15 v
	movq	%r12, R12_(\v)
	movq	%r13, R13_(\v)
	movq	%r14, R14_(\v)
	movq	%r15, R15_(\v)
.endm

	.text

/*
 * u64 vmx_enter(struct vcpu *v, bool launched)
 *
 * Runs the guest until an exit that vmx_exit_quick() declines. Returns 0 after such an exit, and
 * RFLAGS (with CF or ZF set) if the entry instruction itself failed. The stack at VMLAUNCH/VMRESUME
 * is what VMCS_HOST_RSP must hold; it is written here whenever it differs from the last one.
 */
	.globl	vmx_enter
	.type	vmx_enter, @function
vmx_enter:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi			/* vmx_exit finds the vcpu here, at HOST_RSP */

	movl	$VMCS_HOST_RSP_, %eax
	vmwrite	%rsp, %rax
	jbe	3f

	LOAD_R8_R11 %rdi
	movq	RBP_(%rdi), %rbp
	LOAD_R12_R15 %rdi
	testb	%sil, %sil
	jz	1f
	LOAD_VOLATILE
	vmresume
	jmp	2f
1:	LOAD_VOLATILE
	vmlaunch

	/* Only reached when the instruction failed: no guest instruction ran. */
2:	pushfq
	popq	%rax
	jmp	4f
3:	pushfq
	popq	%rax
4:	popq	%rdi
	jmp	5f

	.globl	vmx_exit
	.type	vmx_exit, @function
vmx_exit:				/* VMCS_HOST_RIP */
	STORE_VOLATILE
	call	vmx_exit_quick
	testq	%rax, %rax
	jz	1f
	movq	%rax, %rdi
	LOAD_VOLATILE
	vmresume
	jmp	2b

/* The same for a vcpu of a VM that runs on several CPUs: what its exits touch takes a lock. */
	.globl	vmx_exit_shared
vmx_exit_shared:
	STORE_VOLATILE
	call	vmx_exit_quick_shared
	testq	%rax, %rax
	jz	1f
	movq	%rax, %rdi
	LOAD_VOLATILE
	vmresume
	jmp	2b

1:	popq	%rdi
	STORE_R8_R11 %rdi
	movq	%rbp, RBP_(%rdi)
	STORE_R12_R15 %rdi
	xorl	%eax, %eax
5:	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	vmx_enter, . - vmx_enter

/*
 * VMCS_HOST_RIP of a vcpu that is traced: an exit is recorded before anything else is done. All of
 * the guest's registers that C may change are kept; the stack is aligned here. vmx_trace_exit() says
 * where it goes on.
 */
	.globl	vmx_exit_traced
	.type	vmx_exit_traced, @function
vmx_exit_traced:
	subq	$8, %rsp		/* for that address */
	pushq	%rdi
	movq	16(%rsp), %rdi
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	call	vmx_trace_exit
	movq	%rax, 72(%rsp)
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	popq	%rdi
	ret
	.size	vmx_exit_traced, . - vmx_exit_traced

/*
 * struct vcpu *vmx_quick(struct vcpu *v)
 *
 * Calls vmx_quick_common(), which is ordinary C and may change R8 to R11, on behalf of quick.c.
 */
	.globl	vmx_quick
	.type	vmx_quick, @function
vmx_quick:
	STORE_R8_R11 %rdi
	pushq	%rbx
	movq	%rdi, %rbx
	call	vmx_quick_common
	LOAD_R8_R11 %rbx
	popq	%rbx
	ret
	.size	vmx_quick, . - vmx_quick

/*
 * struct vcpu *vmx_quick_all(struct vcpu *v)
 *
 * The same for a handler that wants all registers of the guest: quick.c leaves alone those that are
 * stored here.
 */
	.globl	vmx_quick_all
	.type	vmx_quick_all, @function
vmx_quick_all:
	STORE_R8_R11 %rdi
	movq	%rbp, RBP_(%rdi)
	STORE_R12_R15 %rdi
	pushq	%rbx
	movq	%rdi, %rbx
	call	vmx_quick_page_fault
	LOAD_R8_R11 %rbx
	movq	RBP_(%rbx), %rbp
	LOAD_R12_R15 %rbx
	popq	%rbx
	ret
	.size	vmx_quick_all, . - vmx_quick_all

/*
 * void vmx_reset_vector_state(const void *area, u64 xcr0)
 *
 * Puts x87, SSE and every other XSAVE-managed component of xcr0 into its initial state, so that a
 * new guest finds nothing of the one before. area is a 64-byte aligned XSAVE image with a header of
 * zeros: with XSTATE_BV = 0, XRSTOR initialises all requested components. It takes MXCSR from the
 * image all the same.
 */
	.globl	vmx_reset_vector_state
	.type	vmx_reset_vector_state, @function
vmx_reset_vector_state:
	movq	%rsi, %rdx
	shrq	$32, %rdx
	movl	%esi, %eax
	xrstor64 (%rdi)
	fninit
	ret
	.size	vmx_reset_vector_state, . - vmx_reset_vector_state

/*
 * void vmx_load_sse_state(const void *area)
 *
 * For a CPU without XSAVE: x87 and SSE are all there is, and the image has them.
 */
	.globl	vmx_load_sse_state
	.type	vmx_load_sse_state, @function
vmx_load_sse_state:
	fxrstor64 (%rdi)
	ret
	.size	vmx_load_sse_state, . - vmx_load_sse_state

/* void vmx_save_vector_state(void *area, u64 xcr0), void vmx_load_vector_state(const void *area, u64 xcr0) */
	.globl	vmx_save_vector_state
	.type	vmx_save_vector_state, @function
vmx_save_vector_state:
	movq	%rsi, %rdx
	shrq	$32, %rdx
	movl	%esi, %eax
	xsave64	(%rdi)
	ret
	.size	vmx_save_vector_state, . - vmx_save_vector_state

	.globl	vmx_load_vector_state
	.type	vmx_load_vector_state, @function
vmx_load_vector_state:
	movq	%rsi, %rdx
	shrq	$32, %rdx
	movl	%esi, %eax
	xrstor64 (%rdi)
	ret
	.size	vmx_load_vector_state, . - vmx_load_vector_state

/* void vmx_save_sse_state(void *area) */
	.globl	vmx_save_sse_state
	.type	vmx_save_sse_state, @function
vmx_save_sse_state:
	fxsave64 (%rdi)
	ret
	.size	vmx_save_sse_state, . - vmx_save_sse_state

/*
 * void vmx_xsavec_of_ones(void *area, u64 xcr0)
 *
 * XSAVEC of components xcr0, with all bits of YMM0 set and the other registers 0, as they are again
 * afterwards.
 */
	.globl	vmx_xsavec_of_ones
	.type	vmx_xsavec_of_ones, @function
vmx_xsavec_of_ones:
	movq	%rsi, %rdx
	shrq	$32, %rdx
	movl	%esi, %eax
	vzeroall
	vcmptrueps %ymm0, %ymm0, %ymm0
	xsavec64 (%rdi)
	vzeroall
	ret
	.size	vmx_xsavec_of_ones, . - vmx_xsavec_of_ones

	.section .note.GNU-stack, "", @progbits
