/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818: a sane date, seconds that pass, the periodic interrupt through the IOAPIC's line 8,
 * register C cleared by reading.
 */
#include "tests/guest/lib/lib.h"

static volatile unsigned irqs;

static u8 cmos(u8 index)
{
	outb(0x70, index);
	return inb(0x71);
}

static void cmos_write(u8 index, u8 value)
{
	outb(0x70, index);
	outb(0x71, value);
}

static void on_irq(struct frame *f)
{
	(void)f;
	irqs++;
	(void)cmos(0x0c);
	apic_eoi();
}

static unsigned bcd(u8 v)
{
	return (v >> 4) * 10u + (v & 15u);
}

void test_main(void)
{
	u64 start, ms;
	u8 second;

	check(cmos(0x0d) & 0x80, "the battery is good");
	check(bcd(cmos(0x08)) >= 1 && bcd(cmos(0x08)) <= 12, "month");
	check(bcd(cmos(0x32)) >= 20, "century");
	second = cmos(0);
	while (cmos(0) == second)
		;
	start = rdtsc();
	second = cmos(0);
	while (cmos(0) == second)
		;
	ms = (rdtsc() - start) * 1000 / tsc_per_second();
	check(ms >= 998 && ms <= 1002, "a second took %lu ms", ms);

	apic_enable();
	on_vector(0x48, on_irq);
	ioapic_write(0x21, apic_read(APIC_ID));
	ioapic_write(0x20, 0x48);
	cmos_write(0x0a, 0x26); /* 1024 Hz */
	cmos_write(0x0b, cmos(0x0b) | 0x40);
	(void)cmos(0x0c);
	start = rdtsc();
	sti();
	while (irqs < 64)
		__asm__ volatile("hlt");
	irq_disable();
	ms = (rdtsc() - start) * 1000 / tsc_per_second();
	check(ms >= 60 && ms <= 65, "64 of 1024 Hz took %lu ms", ms);
	cmos_write(0x0b, cmos(0x0b) & 0xbf);
	pass();
}
