/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8259 pair through LINT0 (ExtINT): vectors by ICW2, masks, specific and automatic end of
 * interrupt, the cascade, and the in-service register.
 */
#include "tests/guest/lib/lib.h"

static volatile unsigned irqs[16];

static void on_irq(struct frame *f)
{
	unsigned n = (unsigned)f->vector - 0x20;

	irqs[n]++;
	if (n >= 8)
		outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static void pic_init(void)
{
	outb(0x20, 0x11);
	outb(0x21, 0x20);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0xa0, 0x11);
	outb(0xa1, 0x28);
	outb(0xa1, 2);
	outb(0xa1, 1);
}

static void pulse(unsigned line)
{
	outb((u16)(0x2000 + line), 1);
	outb((u16)(0x2000 + line), 0);
}

void test_main(void)
{
	for (unsigned i = 0; i < 16; i++)
		on_vector(0x20 + i, on_irq);
	apic_enable();
	apic_write(APIC_LVT_LINT0, APIC_LVT_EXTINT);
	pic_init();
	outb(0x21, 0xff & ~(BIT(5) | BIT(2)));
	outb(0xa1, 0xff & ~BIT(3));

	outb(0x2005, 1);
	sti_nop_cli();
	outb(0x2005, 0);
	check_eq(irqs[5], 1, "IRQ 5");
	outb(0x200b, 1);
	sti_nop_cli();
	outb(0x200b, 0);
	check_eq(irqs[11], 1, "IRQ 11, through the cascade");
	pulse(6);
	sti_nop_cli();
	check_eq(irqs[6], 0, "masked");
	outb(0x2005, 1);
	outb(0x20, 0x0a); /* OCW3: read IRR */
	check(inb(0x20) & BIT(5), "IRR");
	sti_nop_cli();
	outb(0x2005, 0);
	check_eq(irqs[5], 2, "IRQ 5 again");
	outb(0x20, 0x0b); /* read ISR */
	check_eq(inb(0x20), 0, "ISR after end of interrupt");
	apic_write(APIC_LVT_LINT0, APIC_LVT_EXTINT | APIC_LVT_MASKED);
	outb(0x2005, 1);
	sti_nop_cli();
	check_eq(irqs[5], 2, "LINT0 masked");
	pass();
}
