/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why did a VM entry fail? The processor only says "invalid control fields", "invalid host state"
 * or "invalid guest state". The lint walks the rules of the Intel SDM's chapter "VM Entries" over
 * the VMCS and says in words which one is broken.
 */
#ifndef VMX_LINT_H
#define VMX_LINT_H

#include "vmx/caps.h"

#define LINT_SENTENCE_SIZE 320 /* bytes that a sentence can take, with its terminator */

struct lint_input {
	/* Asked only for fields that exist on a CPU with these capabilities and controls. */
	u64 (*vmread)(void *ctx, u32 field);
	void *vmread_ctx;
	const struct vmx_caps *caps;
	u64 vmcs; /* physical address of this VMCS */
};

/*
 * Checks every rule, in the manual's order, as for an entry from 64-bit mode outside SMM. Each
 * broken rule is one sentence to report():
 *
 *   Checks on Guest RIP, RFLAGS, and SSP: guest RFLAGS is 0x0; bit 1 must be 1
 *
 * Returns how many are broken. Not checked is what stands in memory rather than in the VMCS (the
 * MSR-load areas, the virtual-APIC page, PDPTEs without EPT) and the state of Intel PT and FRED.
 */
unsigned vmx_lint(
	const struct lint_input *in, void (*report)(void *ctx, const char *sentence), void *ctx);

#endif
