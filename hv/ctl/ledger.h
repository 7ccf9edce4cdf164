/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tick ledger: every tick of each physical CPU's time-stamp counter is in one account.
 *
 *   |-- boot --|- hypervisor -|------ slice of a vcpu ------|- hypervisor -|- idle -|- ...
 *                              guest | exit  | guest | exit          back end: within an exit,
 *                                    | by kind       |               and not in the exit's account
 *
 * The dispatcher charges guests and exits to the vcpu (vmx/quick.h); what is here charges the rest,
 * and adds up both when a VM ends. The clock decides what the sum should be: the difference is the
 * residual, ticks that nobody charged. It must be under 1 % of all.
 */
#ifndef HV_CTL_LEDGER_H
#define HV_CTL_LEDGER_H

#include "hv/lib/util.h"

#define LEDGER_RESIDUAL_MAX 100 /* a part in so many */

struct percpu;
struct vcpu;

/* Of a physical CPU, in ticks. Its idle ticks are in struct percpu. */
struct ledger {
	u64 start;	   /* TSC when the accounts began */
	u64 mark;	   /* TSC when the last slice ended, or the accounts began */
	u64 idle_mark;	   /* idle ticks at that time */
	bool ran;	   /* a slice has begun */
	struct vcpu *vcpu; /* whose slice it is; NULL: nobody's */
	u64 boot;	   /* before the first slice */
	u64 hypervisor;	   /* between slices: VMs made and ended, scheduling */
	u64 trace;	   /* recording exits */
	u64 backend;	   /* devices at work on what a guest's queue holds */
	u64 guest, exits;  /* of the VMs that have ended */
};

/* The accounts of a CPU begin, at that value of its TSC. */
void ledger_start(struct percpu *cpu, u64 tsc);

/* A vcpu's run loop, on the CPU that it runs on. What is charged to the vcpu lies between. */
void ledger_slice_begin(struct vcpu *v);
void ledger_slice_end(void);

/*
 * A back end's work, which may nest: ledger_backend_end() takes what ledger_backend_begin() gave.
 * The exit that it is part of is not charged for it.
 */
struct ledger_mark {
	u64 tsc, backend;
};
struct ledger_mark ledger_backend_begin(void);
void ledger_backend_end(struct ledger_mark m);

/* What recording an exit has taken since that TSC, which it returns. */
u32 ledger_trace(u64 since);

/* The exits of that kind are left out of the accounts, by name: for tests, which show that the sum
 * tells. The text must stay valid. */
void ledger_omit(const char *kind, size_t len);
bool ledger_omits(const char *kind);

/* Adds a vcpu's accounts to those of its CPU; it will not run again. */
void ledger_close(const struct vcpu *v);

/* One line "@stats" a CPU, and one for people. */
void ledger_report(void);

#endif
