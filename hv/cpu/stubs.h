/* SPDX-License-Identifier: BSD-2-Clause */
/* What stubs.S and traps.c agree on. */
#ifndef HV_CPU_STUBS_H
#define HV_CPU_STUBS_H

#define STUB_SIZE 16

#ifndef __ASSEMBLY__

#include "hv/lib/util.h"

/* As trap_common in stubs.S pushes it, lowest address first. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(struct trap_frame) == 22 * 8, "the order of the pushes");

extern const u8 trap_stubs[];
void trap_handle(struct trap_frame *f);

#endif
#endif
