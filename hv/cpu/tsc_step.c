/* SPDX-License-Identifier: BSD-2-Clause */
/* The exchanges by which time-stamp counters are compared. */
#include "hv/cpu/tsc_step.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/smp.h"
#include "hv/ctl/log.h"

#define ROUNDS 100u

/* Rounds are numbered from 1. */
struct exchange {
	unsigned asked, answered;
	u64 theirs; /* of the round that is answered */
};

static bool apart; /* written before VMs run */

/* Neither before what comes before it nor after what comes after. */
static u64 rdtsc_here(void)
{
	u64 now;

	__asm__ volatile("lfence" : : : "memory");
	now = rdtsc();
	__asm__ volatile("lfence" : : : "memory");
	return now;
}

static void wait_for(const unsigned *at, unsigned round)
{
	while (__atomic_load_n(at, __ATOMIC_ACQUIRE) != round)
		cpu_relax();
}

static void answer(void *arg)
{
	struct exchange *x = arg;

	for (unsigned round = 1; round <= ROUNDS; round++) {
		wait_for(&x->asked, round);
		x->theirs = rdtsc_here();
		__atomic_store_n(&x->answered, round, __ATOMIC_RELEASE);
	}
}

static struct tsc_step measure(unsigned index)
{
	struct tsc_step s = TSC_STEP_UNKNOWN;
	struct exchange x = { 0 };

	while (!smp_run_on(index, answer, &x))
		cpu_relax();
	for (unsigned round = 1; round <= ROUNDS; round++) {
		u64 before = rdtsc_here();

		__atomic_store_n(&x.asked, round, __ATOMIC_RELEASE);
		wait_for(&x.answered, round);
		tsc_step_narrow(&s, before, x.theirs, rdtsc_here());
	}
	while (smp_busy(index)) /* it has x */
		cpu_relax();
	return s;
}

void tsc_step_measure(void)
{
	s64 most = 0;

	for (unsigned i = 1; i < cpu_count(); i++) {
		struct tsc_step s = measure(i);

		most = MAX(most, s.high);
		most = MAX(most, -s.low);
		if (tsc_step_none(&s))
			continue;
		apart = true;
		log_warn("TSC of CPU %u is ahead of that of CPU 0 by %ld to %ld ticks: VMs stay on "
			 "one CPU each",
			i, s.low, s.high);
	}
	if (cpu_count() > 1 && !apart)
		log_info("TSCs of %u processors in step, to within %ld ticks", cpu_count(), most);
}

bool tsc_in_step(void)
{
	return !apart;
}
