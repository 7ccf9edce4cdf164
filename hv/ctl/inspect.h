/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vcpu in words and figures, for the monitor and for the report of a crash. All on its CPU, with
 * its state in the processor.
 */
#ifndef HV_CTL_INSPECT_H
#define HV_CTL_INSPECT_H

#include "hv/ctl/out.h"
#include "hv/mem/addr.h"

struct vcpu;

void inspect_regs(struct out *o, struct vcpu *v);

/* The walk for a linear address through the guest's tables, and through those that the processor
 * uses: tables "guest", and "ept" or "shadow". */
void inspect_walk(struct out *o, struct vcpu *v, gva_t gva);

/* The bytes at a linear address, as one string of hexadecimal digits: as many as can be read. */
void inspect_bytes(struct out *o, const char *key, struct vcpu *v, gva_t gva, unsigned count);

/*
 * The last exits, as far as they are recorded. inspect_exits(): as a table; inspect_end(): with the
 * very last, and the memory that it was about, recorded or not, as the end of the vcpu's VM;
 * inspect_story(): in words.
 */
void inspect_exits(struct out *o, const struct vcpu *v, unsigned count);
void inspect_end(struct out *o, const struct vcpu *v, unsigned count);
void inspect_story(struct out *o, const struct vcpu *v);

#endif
