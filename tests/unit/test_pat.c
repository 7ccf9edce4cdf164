/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory types by one PAT, found in another.
 *
 * Sources: hv/mmu/pat.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/mmu/pat.h"

#define LINUX_PAT 0x0407050600070106ul /* WB, WC, UC-, UC, WB, WP, UC-, WT */

static u8 type(u64 pat, unsigned i)
{
	return (u8)(pat >> 8 * i);
}

/* Whatever the guest chooses, it gets: every type is in the machine's PAT. */
static void every_type(void **state)
{
	static const u8 types[] = { 0, 1, 4, 5, 6, 7 };
	u8 ours[PAT_ENTRIES];

	(void)state;
	for (unsigned t = 0; t < ARRAY_SIZE(types); t++)
		for (unsigned i = 0; i < PAT_ENTRIES; i++) {
			u64 pat = (PAT_RESET & ~(0xfful << 8 * i)) | (u64)types[t] << 8 * i;

			pat_translate(pat, PAT_ALL_TYPES, ours);
			for (unsigned n = 0; n < PAT_ENTRIES; n++)
				assert_int_equal(type(PAT_ALL_TYPES, ours[n]), type(pat, n));
		}
}

static void by_linux(void **state)
{
	static const u8 want[PAT_ENTRIES] = { 0, 4, 2, 3, 0, 5, 2, 1 };
	u8 ours[PAT_ENTRIES];

	(void)state;
	pat_translate(LINUX_PAT, PAT_ALL_TYPES, ours);
	assert_memory_equal(ours, want, sizeof(want));
}

/* A type that the machine's PAT has not got is made uncached. */
static void none(void **state)
{
	u8 ours[PAT_ENTRIES];

	(void)state;
	pat_translate(LINUX_PAT, PAT_RESET, ours);
	assert_int_equal(ours[1], 7);
	assert_int_equal(type(PAT_RESET, 7), 0);
	assert_int_equal(type(PAT_ALL_TYPES, 7), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type),
		cmocka_unit_test(by_linux),
		cmocka_unit_test(none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
