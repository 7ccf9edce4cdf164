/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking into a guest through its own page tables, without its noticing: for the monitor, a
 * debugger, a report of a crash. All on the vcpu's CPU, with its state in the processor
 * (sched_attend()).
 */
#ifndef HV_VM_LOOK_H
#define HV_VM_LOOK_H

#include "hv/mmu/walk.h"

struct vcpu;

/* The registers that decide how the vcpu's linear addresses are translated. */
void look_regs(struct vcpu *v, struct walk_regs *r);

/* Can there be such a linear address, with these registers? */
bool look_canonical(const struct walk_regs *r, gva_t gva);

/* The linear address of the next instruction. */
gva_t look_rip(struct vcpu *v);

/* How it is decoded: 16, 32 or 64. */
unsigned look_code_bits(struct vcpu *v);

/* look_read(), look_write(): len bytes at a linear address, whatever the permissions; how many
 * could be read or written before the first that is not mapped to RAM. No accessed or dirty flag is
 * set. */
size_t look_read(struct vcpu *v, gva_t gva, void *buf, size_t len);
size_t look_write(struct vcpu *v, gva_t gva, const void *buf, size_t len);

#endif
