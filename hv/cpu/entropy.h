/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bits from the processor, to seed generators with: slow, and not always to be had. */
#ifndef HV_CPU_ENTROPY_H
#define HV_CPU_ENTROPY_H

#include "hv/lib/util.h"

/*
 * entropy_word(): 64 random bits from RDSEED, or from RDRAND where that has none. False if the
 * processor has neither, or does not deliver.
 */
bool entropy_word(u64 *word) __must_check;

#endif
