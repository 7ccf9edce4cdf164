/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IDT, one for all CPUs. An exception in the hypervisor ends the machine with registers and a
 * backtrace, but for the instructions in the exception table (rdmsr_safe() and its like).
 */
#ifndef HV_CPU_TRAPS_H
#define HV_CPU_TRAPS_H

#include "hv/lib/util.h"

/* Builds the IDT and loads it on this CPU. Until traps_use_ist() all traps stay on the current
 * stack. */
void traps_init(void);

/* From now on NMI, #DF and #MC have stacks of their own: every CPU's TSS must have them by now. */
void traps_use_ist(void);

void idt_load(void); /* on a further CPU */
u64 idt_base(void);  /* linear address, for the VMCS host-state area */

/* Logs the callers, symbolised, from frame pointer rbp on; stops where the chain leaves the stack.
 */
void backtrace(u64 rbp);

struct symbol_hit {
	const char *name; /* "?" outside the code */
	u64 offset;	  /* from the symbol's start */
};

struct symbol_hit symbol_at(u64 rip);

#endif
