/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NMI: taken with interrupts disabled, blocked until IRET, at most one remembered meanwhile, and it
 * ends HLT.
 */
#include "tests/guest/lib/lib.h"

static volatile unsigned nmis, depth, deepest;

static void send_nmi(void)
{
	apic_write(APIC_ICR2, apic_read(APIC_ID));
	apic_write(APIC_ICR, 0x400);
}

static void on_nmi(struct frame *f)
{
	(void)f;
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (++nmis == 1) {
		/* Two more: both while blocked, of which one is remembered. */
		send_nmi();
		send_nmi();
		(void)cpuid(0, 0);
	}
	depth--;
}

void test_main(void)
{
	apic_enable();
	on_vector(VEC_NMI, on_nmi);
	send_nmi();
	for (volatile unsigned i = 0; i < 1000; i++)
		;
	check_eq(nmis, 2, "one, and one that was remembered");
	check_eq(deepest, 1, "not nested");
	send_nmi();
	(void)cpuid(0, 0);
	check_eq(nmis, 3, "and once more");
	pass();
}
