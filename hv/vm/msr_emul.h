/* SPDX-License-Identifier: BSD-2-Clause */
/* Between msr.c and the emulations that stand in files of their own. */
#ifndef HV_VM_MSR_EMUL_H
#define HV_VM_MSR_EMUL_H

#include "hv/vm/msr.h"

/* ---- msr_mtrr.c: memory types ---- */

#define MTRR_VARIABLE 8u
#define MTRRCAP_FIXED BIT(8)
#define MTRRCAP_WC    BIT(10)
#define MTRRCAP_VALUE (MTRR_VARIABLE | MTRRCAP_FIXED | MTRRCAP_WC)

extern const struct msr_emulation mtrr_variable, mtrr_fixed, mtrr_def_type, pat;

void mtrr_reset(struct vcpu *v);

/* ---- msr_immune.c: what the processor is immune to ---- */

extern const struct msr_emulation arch_capabilities;

/* ---- msr_kvm.c: the clock and the steal time of the KVM paravirtual interface ---- */

#define MSR_KVM_WALL_CLOCK  0x4b564d00u
#define MSR_KVM_SYSTEM_TIME 0x4b564d01u
#define MSR_KVM_STEAL_TIME  0x4b564d03u
#define NEEDS_KVM_CLOCK                                                                            \
	{                                                                                          \
		.leaf = 0x40000101u, .reg = 0, .bit = 3                                            \
	}
#define NEEDS_KVM_STEAL                                                                            \
	{                                                                                          \
		.leaf = 0x40000101u, .reg = 0, .bit = 5                                            \
	}

extern const struct msr_emulation kvm_wall_clock, kvm_system_time, kvm_steal_time;

/* Writes the clock page again, after a change of the TSC offset. */
void kvm_clock_update(struct vcpu *v);

#endif
