/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes to control registers by the rules of the manual ("MOV—Move to/from Control Registers"). */
#ifndef HV_VM_CR_H
#define HV_VM_CR_H

#include "hv/vm/vcpu.h"

/* Does the provider run a guest with this CR0? If not, the VM is over, and its end says why. */
bool vcpu_can_run_with(struct vcpu *v, u64 cr0);

/* Each returns false where the processor would raise #GP(0); nothing has changed then. */
bool vcpu_write_cr0(struct vcpu *v, u64 value);
bool vcpu_write_cr3(struct vcpu *v, u64 value);
bool vcpu_write_cr4(struct vcpu *v, u64 value);
bool vcpu_write_xcr0(struct vcpu *v, u64 value);

#endif
