/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IA32_PAT holds eight memory types; PAT, PCD and PWT of a page's entry choose one of them. Under
 * shadow paging the machine's PAT stays, and the guest's choice is translated to it.
 * Source: "Page Attribute Table (PAT)".
 */
#ifndef HV_MMU_PAT_H
#define HV_MMU_PAT_H

#include "hv/lib/util.h"

#define PAT_ENTRIES 8u

/*
 * ours[i] becomes the first entry of PAT `machine` that has the type of entry i of PAT `guest`; the
 * last entry where there is none, which should thus be UC.
 */
void pat_translate(u64 guest, u64 machine, u8 ours[PAT_ENTRIES]);

#endif
