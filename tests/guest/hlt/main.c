/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HLT: gives the CPU up until an interrupt, which is taken after it (STI; HLT loses none); the time
 * that passes is that of the timer that ends it.
 */
#include "tests/guest/lib/lib.h"

static volatile unsigned ticks;

static void on_timer(struct frame *f)
{
	(void)f;
	ticks++;
	apic_eoi();
}

void test_main(void)
{
	u64 hz = tsc_per_second(), start, took;

	apic_enable();
	on_vector(0x40, on_timer);
	apic_write(APIC_LVT_TIMER, 0x40 | APIC_LVT_DEADLINE);
	for (unsigned i = 1; i <= 20; i++) {
		start = rdtsc();
		wrmsr(MSR_TSC_DEADLINE, start + hz / 100);
		sti_hlt_cli();
		took = rdtsc() - start;
		check_eq(ticks, i, "one interrupt a HLT");
		check(took >= hz / 100 && took < hz / 100 + hz / 500,
			"10 ms: took %lu of %lu ticks", took, hz / 100);
	}
	/* A deadline in the past ends it at once. */
	wrmsr(MSR_TSC_DEADLINE, 1);
	sti_hlt_cli();
	check_eq(ticks, 21, "a deadline in the past");
	pass();
}
