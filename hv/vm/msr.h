/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSRs of a virtual CPU by a table: pass (no exit), emulate, constant, ignore, refuse (#GP); a row says
 * why. What no row names is refused.
 */
#ifndef HV_VM_MSR_H
#define HV_VM_MSR_H

#include "hv/lib/util.h"

struct vcpu;

/* False: inject #GP(0). */
bool vcpu_rdmsr(struct vcpu *v, u32 msr, u64 *value);
bool vcpu_wrmsr(struct vcpu *v, u32 msr, u64 value);

/* Tells the CPU provider which MSRs need no exit. Called once, after create. */
void vcpu_setup_msrs(struct vcpu *v);

#endif
