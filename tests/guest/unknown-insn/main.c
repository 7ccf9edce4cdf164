/* SPDX-License-Identifier: BSD-2-Clause */
/* An instruction on device memory that the emulator does not know ends that VM, with its bytes in
 * the log. (expect: crash) */
#include "tests/guest/lib/lib.h"

void test_main(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR);
	write_cr0(read_cr0() & ~(CR0_EM | CR0_TS));
	__asm__ volatile("movups (%0), %%xmm0" : : "r"(LAYOUT_TESTDEV) : "memory");
	fail("went on after an unknown instruction");
}
