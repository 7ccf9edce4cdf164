/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays of 64-bit words, by string instructions: one tick a word in an emulator, and no slower
 * than a loop on a processor.
 */
#ifndef HV_LIB_WORDS_H
#define HV_LIB_WORDS_H

#include "hv/lib/util.h"

static inline void words_fill(u64 *p, size_t n, u64 value)
{
	__asm__ volatile("rep stosq" : "+D"(p), "+c"(n) : "a"(value) : "memory");
}

/* The number of words at the start of a and b, n at most, that are the same. */
static inline size_t words_same(const u64 *a, const u64 *b, size_t n)
{
	size_t left = n;
	bool differs;

	if (!n)
		return 0;
	__asm__ volatile("repe cmpsq"
			 : "+S"(a), "+D"(b), "+c"(left), "=@ccne"(differs)
			 :
			 : "memory");
	return n - left - differs;
}

/* The number of words at the start of p, n at most, that equal value. */
static inline size_t words_equal(const u64 *p, size_t n, u64 value)
{
	size_t left = n;
	bool differs;

	if (!n)
		return 0;
	__asm__ volatile("repe scasq"
			 : "+D"(p), "+c"(left), "=@ccne"(differs)
			 : "a"(value)
			 : "memory");
	return n - left - differs;
}

#endif
