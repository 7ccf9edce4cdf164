/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID: exits, answers from the table, and costs little.
 *
 * The vendor is passed, the hypervisor bit and leaf 0x40000000 are ours, VMX is hidden, OSXSAVE
 * follows CR4, leaves beyond the highest answer as the highest does. Prints the ticks of one round
 * trip; in Bochs a tick is an instruction, and 100 is the most that it may be there.
 */
#include "tests/guest/lib/lib.h"

#define LOOPS 1000

static u64 cost(void)
{
	u64 start, empty, with;

	start = rdtsc();
	for (unsigned i = 0; i < LOOPS; i++)
		__asm__ volatile("mov $0, %%eax" ::: "rax", "rbx", "rcx", "rdx");
	empty = rdtsc() - start;
	start = rdtsc();
	for (unsigned i = 0; i < LOOPS; i++)
		__asm__ volatile("mov $0, %%eax; cpuid" ::: "rax", "rbx", "rcx", "rdx");
	with = rdtsc() - start;
	return (with - empty) / LOOPS;
}

void test_main(void)
{
	struct cpuid_regs r = cpuid(1, 0), high;
	u64 ticks;

	check(r.ecx & BIT(31), "hypervisor bit");
	check_eq(r.ecx & BIT(5), 0, "VMX is hidden");
	check_eq(r.ecx & BIT(3), 0, "MONITOR is hidden");
	check_eq(r.ebx >> 24, 0, "APIC ID");
	if (r.ecx & BIT(26)) {
		write_cr4(read_cr4() | CR4_OSXSAVE);
		check(cpuid(1, 0).ecx & BIT(27), "OSXSAVE follows CR4");
		write_cr4(read_cr4() & ~CR4_OSXSAVE);
		check_eq(cpuid(1, 0).ecx & BIT(27), 0, "OSXSAVE follows CR4");
	}
	r = cpuid(0x40000000, 0);
	check(r.eax >= 0x40000000, "hypervisor leaf");
	check_eq(r.ebx, 0x70697254, "signature starts with Trip");
	high = cpuid(cpuid(0, 0).eax, 0);
	r = cpuid(0x3fffffff, 0);
	check_eq(r.eax, high.eax, "a leaf beyond the highest, 0x%x", cpuid(0, 0).eax);
	ticks = cost();
	say("cpuid: %lu ticks", ticks);
	/* Bochs counts 100 million a second; no processor is that slow. */
	if (tsc_per_second() < 200000000)
		check(ticks <= 100, "one round trip in Bochs");
	pass();
}
