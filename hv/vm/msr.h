/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSRs of a virtual CPU by a table, in the order of their numbers; a row says why. What no row
 * names is refused: the guest gets #GP(0).
 */
#ifndef HV_VM_MSR_H
#define HV_VM_MSR_H

#include "hv/lib/util.h"

struct vcpu;

enum msr_policy {
	MSR_PASS,	/* the guest reads and writes the machine's register, without an exit */
	MSR_PASS_READ,	/* reads pass, writes are emulated */
	MSR_PASS_WRITE, /* writes pass, reads are refused: a command register */
	MSR_EMULATE,
	MSR_CONSTANT, /* reads as the row's value; a write of anything else is refused */
	MSR_IGNORE,   /* reads as the row's value; writes have no effect */
	MSR_REFUSE,   /* like an unnamed one; the row is there to say why */
};

/* A CPUID bit that an MSR comes with; leaf 0: none. */
struct msr_feature {
	u32 leaf;
	u8 reg, bit;
};

/* Each returns false for #GP(0). A missing write function refuses all writes. */
struct msr_emulation {
	bool (*read)(struct vcpu *v, u32 msr, u64 *value);
	bool (*write)(struct vcpu *v, u32 msr, u64 value);
};

struct msr_row {
	u32 first, last;
	const char *name;
	enum msr_policy policy;
	u64 value;
	const struct msr_emulation *emulation;
	struct msr_feature needs; /* without this feature the MSR does not exist */
	const char *why;
};

extern const struct msr_row msr_rows[];
extern const size_t msr_rows_count;

/* False: inject #GP(0). */
bool vcpu_rdmsr(struct vcpu *v, u32 msr, u64 *value);
bool vcpu_wrmsr(struct vcpu *v, u32 msr, u64 value);

/*
 * Tells the CPU provider which MSRs need no exit, and resets the emulated ones. Called once, after
 * create.
 */
void vcpu_setup_msrs(struct vcpu *v);

/*
 * Steal time, for a guest that has asked for it (kvm_steals()): how long the vcpu has waited for
 * its CPU, and whether it does now, although it could run. At the beginning and end of a slice.
 */
#define KVM_STEAL_ON  BIT(0)
#define kvm_steals(v) unlikely((v)->msr_kvm_steal &KVM_STEAL_ON)
void kvm_steal_update(struct vcpu *v, bool preempted);

/* The emulated MSRs to what a PC's firmware leaves; when a VM starts again. */
void vcpu_reset_msrs(struct vcpu *v);

#endif
