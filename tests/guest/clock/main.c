/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks agree to 0.1 %: the ACPI PM timer and the PIT-independent TSC rate, over two seconds,
 * of which one is spent in HLT.
 */
#include "tests/guest/lib/lib.h"

#define PM_TIMER (LAYOUT_PM_BASE + 8)
#define PM_HZ	 3579545ul

static volatile unsigned ticks;

static void on_timer(struct frame *f)
{
	(void)f;
	ticks++;
	apic_eoi();
}

static u32 pm(void)
{
	return inl(PM_TIMER) & 0xffffff;
}

/* PM-timer ticks during hz TSC ticks, busy or idle. */
static u64 second(bool idle)
{
	u64 hz = tsc_per_second(), end;
	u32 last = pm(), now;
	u64 sum = 0;

	end = rdtsc() + hz;
	while (rdtsc() < end) {
		if (idle) {
			wrmsr(MSR_TSC_DEADLINE, MIN(end, rdtsc() + hz / 4));
			sti_hlt_cli();
		}
		now = pm();
		sum += (now - last) & 0xffffff;
		last = now;
	}
	return sum;
}

void test_main(void)
{
	apic_enable();
	on_vector(0x40, on_timer);
	apic_write(APIC_LVT_TIMER, 0x40 | APIC_LVT_DEADLINE);
	for (unsigned idle = 0; idle < 2; idle++) {
		u64 n = second(idle);

		say("pm timer: %lu ticks in a TSC second, idle %u", n, idle);
		check(n > PM_HZ * 999 / 1000 && n < PM_HZ * 1001 / 1000, "0.1 %%");
	}
	pass();
}
