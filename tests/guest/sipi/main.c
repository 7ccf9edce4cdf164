/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A start-up IPI where there is a mailbox, or none, without a look at the tables: the processor
 * begins in real mode, or the VM is over with a sentence, and the VMs after it are well.
 * (vcpus: 2) (expect under shadow: crash)
 */
#include "tests/guest/lib/smp.h"

#define CODE 0x8000ul /* where smp_sipi() leads */

/* cli; inc word [0x9000]; hlt; jmp back to the hlt */
static const u8 code[] = { 0xfa, 0x67, 0xff, 0x05, 0x00, 0x90, 0x00, 0x00, 0xf4, 0xeb, 0xfd };
static volatile u16 *const counted = (volatile u16 *)0x9000ul;

void test_main(void)
{
	u64 end = rdtsc() + tsc_per_second() / 10;

	check_eq(smp_count(), 2, "processors");
	apic_enable();
	memcpy((void *)CODE, code, sizeof(code));
	*counted = 0;
	smp_init_ipi(1);
	smp_sipi(1);
	while (rdtsc() < end)
		smp_wait();
	check_eq(*counted, 1, "it has begun");
	pass();
}
