/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts that a CPU sends itself: by shorthand, by physical and logical destination, in
 * priority order, held back by TPR, and none to "all but self"; an illegal vector shows in ESR.
 */
#include "tests/guest/lib/lib.h"

static volatile unsigned count[256];
static unsigned order[8], taken;

static void on_irq(struct frame *f)
{
	count[f->vector]++;
	if (taken < ARRAY_SIZE(order))
		order[taken++] = (unsigned)f->vector;
	apic_eoi();
}

void test_main(void)
{
	apic_enable();
	for (unsigned v = 0x30; v < 0x100; v++)
		on_vector(v, on_irq);
	apic_write(APIC_ICR, 0x40000 | 0x51);
	sti_nop_cli();
	check_eq(count[0x51], 1, "self shorthand");
	apic_write(APIC_ICR2, apic_read(APIC_ID));
	apic_write(APIC_ICR, 0x52);
	sti_nop_cli();
	check_eq(count[0x52], 1, "physical destination");
	apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_LDR, 0x02000000);
	apic_write(APIC_ICR2, 0x02000000);
	apic_write(APIC_ICR, 0x800 | 0x53);
	sti_nop_cli();
	check_eq(count[0x53], 1, "logical destination");
	apic_write(APIC_ICR2, 0x04000000);
	apic_write(APIC_ICR, 0x800 | 0x54);
	apic_write(APIC_ICR, 0xc0000 | 0x54);
	sti_nop_cli();
	check_eq(count[0x54], 0, "someone else's, and all but self");

	taken = 0;
	apic_write(APIC_ICR, 0x40000 | 0x61);
	apic_write(APIC_ICR, 0x40000 | 0x81);
	apic_write(APIC_ICR, 0x40000 | 0x71);
	sti_nop_cli();
	sti_nop_cli();
	sti_nop_cli();
	check_eq(taken, 3, "three");
	check(order[0] == 0x81 && order[1] == 0x71 && order[2] == 0x61, "by priority: %x %x %x",
		order[0], order[1], order[2]);

	apic_write(APIC_TPR, 0x60);
	apic_write(APIC_ICR, 0x40000 | 0x65);
	sti_nop_cli();
	check_eq(count[0x65], 0, "held back by TPR");
	apic_write(APIC_TPR, 0x50);
	sti_nop_cli();
	check_eq(count[0x65], 1, "let through");
	apic_write(APIC_TPR, 0);

	apic_write(APIC_ESR, 0);
	apic_write(APIC_ICR, 0x40000 | 0x05);
	apic_write(APIC_ESR, 0);
	check(apic_read(APIC_ESR) & (BIT(5) | BIT(6)), "illegal vector");
	pass();
}
