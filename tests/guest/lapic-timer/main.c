/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's timer: one-shot, periodic and TSC-deadline mode, its current count, the divider,
 * and what a change of mode does to it.
 */
#include "tests/guest/lib/lib.h"

#define TIMER_HZ 25000000ul

static volatile unsigned ticks;

static void on_timer(struct frame *f)
{
	(void)f;
	ticks++;
	apic_eoi();
}

static void wait_ms(u64 ms)
{
	u64 end = rdtsc() + ms * tsc_per_second() / 1000;

	sti();
	while (rdtsc() < end)
		__asm__ volatile("pause");
	irq_disable();
}

void test_main(void)
{
	u32 count;

	apic_enable();
	on_vector(0x40, on_timer);

	apic_write(APIC_TDCR, 0xb); /* by 1 */
	apic_write(APIC_LVT_TIMER, 0x40);
	apic_write(APIC_TMICT, TIMER_HZ / 100);
	wait_ms(5);
	count = apic_read(APIC_TMCCT);
	check(count > TIMER_HZ / 100 * 4 / 10 && count < TIMER_HZ / 100 * 6 / 10,
		"half way: count %u", count);
	check_eq(ticks, 0, "not yet");
	wait_ms(20);
	check_eq(ticks, 1, "one-shot");
	check_eq(apic_read(APIC_TMCCT), 0, "count at the end");

	ticks = 0;
	apic_write(APIC_TDCR, 0x3); /* by 16 */
	apic_write(APIC_LVT_TIMER, 0x40 | APIC_LVT_PERIODIC);
	apic_write(APIC_TMICT, TIMER_HZ / 16 / 1000);
	wait_ms(100);
	check(ticks >= 99 && ticks <= 101, "periodic, 1 kHz for 100 ms: %u", ticks);
	apic_write(APIC_TMICT, 0);
	ticks = 0;
	wait_ms(10);
	check_eq(ticks, 0, "an initial count of 0 stops it");

	apic_write(APIC_LVT_TIMER, 0x40 | APIC_LVT_DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_second() / 100);
	wait_ms(9);
	check_eq(ticks, 0, "before the deadline");
	check(rdmsr(MSR_TSC_DEADLINE) != 0, "armed");
	wait_ms(3);
	check_eq(ticks, 1, "after the deadline");
	check_eq(rdmsr(MSR_TSC_DEADLINE), 0, "disarmed");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_second());
	wrmsr(MSR_TSC, rdtsc() + tsc_per_second());
	check(rdmsr(MSR_TSC_DEADLINE) <= rdtsc(), "the TSC has passed the deadline");
	wait_ms(1);
	check_eq(ticks, 2, "the deadline is one of the guest's TSC");
	wrmsr(MSR_TSC_DEADLINE, ~0ul);
	wait_ms(1);
	check_eq(ticks, 2, "the last deadline there can be is not the past");
	ticks = 1;
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_second() / 100);
	apic_write(APIC_LVT_TIMER, 0x40);
	wait_ms(20);
	check_eq(ticks, 1, "a change of mode disarms");
	apic_write(APIC_LVT_TIMER, 0x40 | APIC_LVT_MASKED);
	apic_write(APIC_TMICT, 100);
	wait_ms(1);
	check_eq(ticks, 1, "masked");
	pass();
}
