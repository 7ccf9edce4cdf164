/* SPDX-License-Identifier: BSD-2-Clause */
/* HLT with interrupts disabled and nothing that could wake it ends the VM. (expect: halt) */
#include "tests/guest/lib/lib.h"

void test_main(void)
{
	__asm__ volatile("cli; hlt");
	fail("went on after a final HLT");
}
