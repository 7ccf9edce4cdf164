/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest reaches its own memory and nothing else: its RAM holds what it writes, up to the last
 * page; the hole below 1 MB and everything behind RAM read as ones and swallow writes; RAM is zero
 * where nobody has put anything.
 */
#include "tests/guest/lib/lib.h"

static void nothing_at(u64 pa)
{
	volatile u32 *p = (volatile u32 *)pa;

	*p = 0x12345678;
	check_eq(*p, 0xffffffff, "0x%lx", pa);
}

void test_main(void)
{
	volatile u64 *last = (volatile u64 *)(guest_ram - 8);
	u64 dirty = 0;

	*last = 0x55aa55aa;
	check_eq(*last, 0x55aa55aa, "the last bytes of RAM");
	*last = 0;
	nothing_at(0xa0000);
	nothing_at(0xc8000);
	nothing_at(0xdfffc);
	for (u64 pa = guest_ram; pa < LAYOUT_LOW_MAX; pa += 16 * MB)
		nothing_at(pa);
	nothing_at(0xfed00000);
	nothing_at(0xfffffff0);
	for (u64 pa = (u64)new_page() + PAGE_BYTES; pa < guest_ram; pa += 8)
		dirty |= *(volatile u64 *)pa;
	check_eq(dirty, 0, "fresh RAM is zero");
	pass();
}
