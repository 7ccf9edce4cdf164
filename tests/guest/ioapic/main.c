/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IOAPIC: edge and level, masked and unmasked, remote IRR and EOI, through the test device's
 * interrupt lines (port 0x2000 + line).
 */
#include "tests/guest/lib/lib.h"

#define LINE	   20
#define REDIR(n)   (0x10 + 2 * (n))
#define LEVEL	   0x8000u
#define MASKED	   0x10000u
#define REMOTE_IRR 0x4000u

static volatile unsigned irqs;
static unsigned lower_at; /* the interrupt that lowers the line; 0: none does */

static void on_irq(struct frame *f)
{
	(void)f;
	irqs++;
	if (irqs == lower_at)
		outb(0x2000 + LINE, 0);
	apic_eoi();
}

static void set(u32 low)
{
	ioapic_write(REDIR(LINE) + 1, apic_read(APIC_ID));
	ioapic_write(REDIR(LINE), low);
}

static void settle(void)
{
	for (unsigned i = 0; i < 4; i++)
		sti_nop_cli();
}

void test_main(void)
{
	apic_enable();
	on_vector(0x55, on_irq);
	check_eq((ioapic_read(1) >> 16) & 0xff, 23, "24 lines");
	check_eq(ioapic_read(0xff), 0, "a register that is not there");

	set(0x55);
	outb(0x2000 + LINE, 1);
	settle();
	check_eq(irqs, 1, "edge");
	settle();
	check_eq(irqs, 1, "once an edge");
	outb(0x2000 + LINE, 0);
	outb(0x2000 + LINE, 1);
	settle();
	check_eq(irqs, 2, "second edge");
	outb(0x2000 + LINE, 0);

	irqs = 0;
	set(0x55 | LEVEL | MASKED);
	outb(0x2000 + LINE, 1);
	settle();
	check_eq(irqs, 0, "masked");
	lower_at = 1;
	set(0x55 | LEVEL);
	settle();
	check_eq(irqs, 1, "level, unmasked while high");
	check_eq(ioapic_read(REDIR(LINE)) & REMOTE_IRR, 0, "remote IRR after EOI");

	irqs = 0;
	lower_at = 3;
	outb(0x2000 + LINE, 1);
	settle();
	check_eq(irqs, 3, "again, as long as the line is high");
	irqs = 0;
	settle();
	check_eq(irqs, 0, "quiet when low");
	pass();
}
