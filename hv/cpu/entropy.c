/* SPDX-License-Identifier: BSD-2-Clause */
/* RDSEED and RDRAND (SDM, "Random Number Generator Instructions"). */
#include "hv/cpu/entropy.h"

#include "hv/cpu/cpu.h"

#define CPUID_1_ECX_RDRAND BIT(30)
#define CPUID_7_EBX_RDSEED BIT(18)
#define RDSEED_TRIES	   100 /* it may be drained by others */
#define RDRAND_TRIES	   10  /* ten failures in a row: it is broken, says the manual */

static bool rdseed(u64 *word)
{
	bool ok;

	__asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(ok) : : "cc");
	return ok;
}

static bool rdrand(u64 *word)
{
	bool ok;

	__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok) : : "cc");
	return ok;
}

/* All ones with the carry set is what some processors say when they have stopped working. */
static bool try(bool (*insn)(u64 *word), unsigned tries, u64 *word)
{
	while (tries--) {
		if (insn(word) && *word != ~0ul)
			return true;
		cpu_relax();
	}
	return false;
}

bool entropy_word(u64 *word)
{
	if ((cpuid_checked(7, 0).ebx & CPUID_7_EBX_RDSEED) && try(rdseed, RDSEED_TRIES, word))
		return true;
	return (cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND) && try(rdrand, RDRAND_TRIES, word);
}
