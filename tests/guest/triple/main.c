/* SPDX-License-Identifier: BSD-2-Clause */
/* A triple fault ends the VM as one, and nothing else. (expect: triple) */
#include "tests/guest/lib/lib.h"

void test_main(void)
{
	static const struct descriptor_ptr none;

	lidt(&none);
	__asm__ volatile("ud2");
	fail("went on after a triple fault");
}
