/* SPDX-License-Identifier: BSD-2-Clause */
/* A write to port 0xCF9 resets the VM; with reboot=no that ends it. (expect: reset) */
#include "tests/guest/lib/lib.h"

void test_main(void)
{
	outb(0xcf9, 0x02);
	outb(0xcf9, 0x06);
	fail("went on after a reset");
}
