/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VM leaves when it crashes, as one line "@crash {...}" on the log port: why, registers, the
 * bytes at RIP (scripts/triptych has them disassembled), the walks for RIP and for CR2, the last
 * exits.
 */
#ifndef HV_CTL_CRASH_H
#define HV_CTL_CRASH_H

struct vcpu;

/* On the vcpu's CPU, with its state in the processor. */
void crash_report(struct vcpu *v, const char *why);

#endif
