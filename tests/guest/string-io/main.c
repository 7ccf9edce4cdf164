/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INS and OUTS with REP: sizes, both directions, across a page boundary, with a count of 0, and
 * with a fault in the middle, which leaves RCX, RSI and RDI as of the faulting iteration.
 */
#include "tests/guest/lib/lib.h"

#define VA 0x8000000000ul /* two pages; only the first is present */

static u8 buffer[8192] __aligned(4096);

static void directions(void)
{
	u8 *end = buffer + 4100;
	u64 rsi, rcx;

	for (unsigned i = 0; i < 8; i++)
		buffer[4092 + i] = (u8)(0x10 + i);
	rsi = (u64)buffer + 4092;
	rcx = 8;
	__asm__ volatile("cld; rep outsb" : "+S"(rsi), "+c"(rcx) : "d"(0xe0) : "memory");
	check_eq(rcx, 0, "RCX");
	check_eq(rsi, (u64)end, "RSI");
	check_eq(inb(0xe0), 0x17, "the last byte");
	rsi = (u64)end - 4;
	rcx = 2;
	__asm__ volatile("std; rep outsl; cld" : "+S"(rsi), "+c"(rcx) : "d"(0xe0) : "memory");
	check_eq(rsi, (u64)end - 12, "RSI downwards");
	check_eq(inl(0xe0), 0x13121110, "the last long, downwards");
	rsi = 1;
	rcx = 0;
	__asm__ volatile("rep outsw" : "+S"(rsi), "+c"(rcx) : "d"(0xe0) : "memory");
	check_eq(rsi, 1, "a count of 0 touches nothing");
}

static void input(void)
{
	u64 rdi = (u64)buffer + 4094, rcx = 3;

	outw(0xe0, 0xa55a);
	__asm__ volatile("cld; rep insw" : "+D"(rdi), "+c"(rcx) : "d"(0xe0) : "memory");
	check_eq(rdi, (u64)buffer + 4100, "RDI");
	for (unsigned i = 0; i < 6; i++)
		check_eq(buffer[4094 + i], i % 2 ? 0xa5 : 0x5a, "byte %u", i);
}

static void fault_in_the_middle(void)
{
	u64 rdi = VA + 4096 - 6, rcx = 5;

	map_page(VA, (u64)new_page(), 3);
	outw(0xe0, 0x4711);
	check_eq(FAULTS("rep insw",
			 : "+D"(rdi), "+c"(rcx)
			 : "d"(0xe0)
			 : "memory"),
		VEC_PF, "page fault");
	check_eq(caught.cr2, VA + 4096, "CR2");
	check_eq(caught.error, PF_W, "error code");
	check_eq(rcx, 2, "two iterations are left");
	check_eq(rdi, VA + 4096, "RDI of the faulting iteration");
	check_eq(*(u16 *)(VA + 4094), 0x4711, "the iterations before took place");
}

void test_main(void)
{
	directions();
	input();
	fault_in_the_middle();
	pass();
}
