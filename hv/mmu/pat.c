/* SPDX-License-Identifier: BSD-2-Clause */
/* From one PAT to another: the same memory type by another index. */
#include "hv/mmu/pat.h"

static u8 type_at(u64 pat, unsigned index)
{
	return (u8)(pat >> 8 * index);
}

void pat_translate(u64 guest, u64 machine, u8 ours[PAT_ENTRIES])
{
	for (unsigned i = 0; i < PAT_ENTRIES; i++) {
		ours[i] = 0;
		while (ours[i] < PAT_ENTRIES - 1 && type_at(machine, ours[i]) != type_at(guest, i))
			ours[i]++;
	}
}
