/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's segments: flat 64-bit code and data and one TSS for each CPU, whose only use is
 * IST. */
#ifndef HV_CPU_GDT_H
#define HV_CPU_GDT_H

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS	 0x18

/* Interrupt stack table slots; 0 means "stay on the current stack". */
#define IST_NMI	  1
#define IST_DF	  2
#define IST_MC	  3
#define IST_COUNT 3

#ifndef __ASSEMBLY__

#include "hv/lib/util.h"

/* "64-Bit Task-State Segment" */
struct __packed tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* ist[0] is IST1 */
	u64 reserved2;
	u16 reserved3;
	u16 iomap;
};
static_assert(sizeof(struct tss) == 104, "TSS layout");

struct gdt {
	u64 entry[5]; /* null, code, data, TSS (two) */
};

struct percpu;

/* Fills cpu->gdt and cpu->tss (ist[] set by the caller), loads GDTR, segment registers, TR and the
 * GS base. */
void gdt_load(struct percpu *cpu);

#endif
#endif
