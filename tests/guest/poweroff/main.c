/* SPDX-License-Identifier: BSD-2-Clause */
/* SLP_EN with the type of S5 (5, as the DSDT's \_S5 says) in PM1a control switches off. (expect:
 * poweroff) */
#include "tests/guest/lib/lib.h"

void test_main(void)
{
	outw(LAYOUT_PM_BASE + 4, (1u << 13) | (5u << 10));
	fail("went on after S5");
}
