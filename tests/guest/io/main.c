/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IN and OUT of 1, 2 and 4 bytes, immediate and DX forms, on the test device's latches; IN leaves
 * the rest of RAX alone but for 4 bytes, which clear the upper half; a port that nobody claims
 * reads as ones.
 */
#include "tests/guest/lib/lib.h"

void test_main(void)
{
	u64 rax;

	outb(0xe0, 0x5a);
	check_eq(inb(0xe0), 0x5a, "byte");
	outw(0xe0, 0x1234);
	check_eq(inw(0xe0), 0x1234, "word");
	outl(0xe0, 0x89abcdef);
	check_eq(inl(0xe0), 0x89abcdef, "long");

	outb(0xe0, 0x77);
	__asm__ volatile("inb $0xe0, %%al" : "=a"(rax) : "a"(0x1122334455667788ul));
	check_eq(rax, 0x1122334455667777, "INB keeps bits 63:8");
	outw(0xe0, 0xbeef);
	__asm__ volatile("inw $0xe0, %%ax" : "=a"(rax) : "a"(0x1122334455667788ul));
	check_eq(rax, 0x112233445566beef, "INW keeps bits 63:16");
	outl(0xe0, 0xcafebabe);
	__asm__ volatile("inl $0xe0, %%eax" : "=a"(rax) : "a"(0x1122334455667788ul));
	check_eq(rax, 0xcafebabe, "INL clears bits 63:32");
	__asm__ volatile("outl %%eax, $0xe0" : : "a"(0x1020304050607080ul));
	check_eq(inl(0xe0), 0x50607080, "immediate form of OUT");

	check_eq(inb(0x1f5), 0xff, "nobody's port");
	check_eq(inw(0x1f4), 0xffff, "nobody's port");
	check_eq(inl(0x2ff0), 0xffffffff, "nobody's port");
	outl(0x2ff0, 0);
	pass();
}
