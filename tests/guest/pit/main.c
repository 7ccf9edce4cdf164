/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254: channel 0 as a rate generator through the IOAPIC's line 2, channel 2 with its gate and
 * output in port 0x61, read-back, and its rate against the TSC.
 */
#include "tests/guest/lib/lib.h"

#define PIT_HZ 1193182ul

static volatile unsigned ticks;

static void on_irq(struct frame *f)
{
	(void)f;
	ticks++;
	apic_eoi();
}

static void rate(void)
{
	u64 start;

	outb(0x43, 0x34); /* channel 0, both bytes, mode 2 */
	outb(0x40, (u8)(PIT_HZ / 1000));
	outb(0x40, (u8)(PIT_HZ / 1000 >> 8));
	ioapic_write(0x15, apic_read(APIC_ID));
	ioapic_write(0x14, 0x44);
	start = rdtsc();
	sti();
	while (ticks < 50)
		__asm__ volatile("hlt");
	irq_disable();
	start = (rdtsc() - start) * 1000 / tsc_per_second();
	check(start >= 49 && start <= 51, "50 periods of 1 ms took %lu ms", start);
	ioapic_write(0x14, 0x10000);
}

void test_main(void)
{
	u64 start, ms;
	u8 status;

	apic_enable();
	on_vector(0x44, on_irq);
	rate();

	outb(0x61, (u8)((inb(0x61) & ~2) | 1));
	outb(0x43, 0xb0); /* channel 2, both bytes, mode 0 */
	outb(0x42, (u8)(PIT_HZ / 50));
	outb(0x42, (u8)(PIT_HZ / 50 >> 8));
	check_eq(inb(0x61) & 0x20, 0, "OUT is low while it counts");
	start = rdtsc();
	while (!(inb(0x61) & 0x20))
		;
	ms = (rdtsc() - start) * 1000 / tsc_per_second();
	check(ms >= 19 && ms <= 21, "20 ms on channel 2 took %lu ms", ms);
	outb(0x43, 0xe8); /* read-back: status of channel 2 */
	status = inb(0x42);
	check_eq(status & 0x3f, 0x30, "read-back: both bytes, mode 0");
	check(status & 0x80, "read-back: OUT");
	pass();
}
