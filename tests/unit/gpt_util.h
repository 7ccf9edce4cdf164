/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests need to write partition tables, bit by bit after the specification (UEFI, "CRC32"). */
#ifndef TESTS_UNIT_GPT_UTIL_H
#define TESTS_UNIT_GPT_UTIL_H

#include <string.h>

#include "hv/lib/util.h"

static inline u32 crc32(const u8 *p, size_t n)
{
	u32 c = ~0u;

	while (n--) {
		c ^= *p++;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
	}
	return ~c;
}

/* The low n bytes of v. */
static inline void put(void *at, u64 v, unsigned n)
{
	memcpy(at, &v, n);
}

#endif
