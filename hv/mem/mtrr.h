/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which memory type the physical machine's firmware gave each address. EPT ignores the MTRRs: the
 * type stands in its entries, so that we copy it from here to keep guest RAM cached as the machine
 * means it.
 */
#ifndef HV_MEM_MTRR_H
#define HV_MEM_MTRR_H

#include "hv/mem/addr.h"
#include "hv/mmu/mmu.h"

#define MTRR_VARIABLE_MAX 32 /* that we keep; processors have 8 to 10 */

/*
 * mtrr_init(): takes a copy of this CPU's MTRRs; rdmsr reads one MSR; maxphyaddr in bits. Not to
 * be called on a CPU without MTRRs (CPUID.01H:EDX[12]): all memory then counts as write-back.
 */
void mtrr_init(u64 (*rdmsr)(u32 msr), unsigned maxphyaddr);

/*
 * mtrr_type(): the type of the memory at hpa. *len, the bytes of interest, is cut to where another
 * type begins; it stays a multiple of 4 KB if hpa and *len are page-aligned.
 * Source: Intel SDM, "Memory Type Range Registers (MTRRs)", "MTRR Precedences".
 */
enum memtype mtrr_type(hpa_t hpa, u64 *len);

/* "UC", "WC", "WT", "WP", "WB" or "reserved". */
const char *memtype_name(enum memtype type);

#endif
