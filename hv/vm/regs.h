/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a guest CPU, in the words of the manual and the order of instruction encodings.
 */
#ifndef HV_VM_REGS_H
#define HV_VM_REGS_H

#include "hv/lib/util.h"

enum gpr {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15
};

enum seg {
	SEG_ES,
	SEG_CS,
	SEG_SS,
	SEG_DS,
	SEG_FS,
	SEG_GS,
	SEG_LDTR,
	SEG_TR,
	SEG_COUNT
};

/* Access rights in the format of the VMCS ("Guest Register State"): type 3:0, S 4, DPL 6:5, P 7,
 * AVL 12, L 13, D/B 14, G 15, unusable 16. */
#define SEG_AR_TYPE	0x000fu
#define SEG_AR_S	0x0010u
#define SEG_AR_DPL	0x0060u
#define SEG_AR_P	0x0080u
#define SEG_AR_L	0x2000u
#define SEG_AR_DB	0x4000u
#define SEG_AR_G	0x8000u
#define SEG_AR_UNUSABLE 0x10000u

struct segment {
	u64 base;
	u32 limit; /* in bytes, as the VMCS has it */
	u32 ar;
	u16 selector;
};

struct table_reg { /* GDTR, IDTR */
	u64 base;
	u16 limit;
};

/* Everything a boot protocol or INIT says of a CPU's first instruction. */
struct vcpu_state {
	u64 gpr[16];
	u64 rip, rflags;
	u64 cr0, cr3, cr4, efer;
	struct segment seg[SEG_COUNT];
	struct table_reg gdtr, idtr;
};

#endif
