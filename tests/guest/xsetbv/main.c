/* SPDX-License-Identifier: BSD-2-Clause */
/* XSETBV: legal combinations of XCR0 are taken, illegal ones and other registers are #GP(0). */
#include "tests/guest/lib/lib.h"

static int try(u32 reg, u64 value)
{
	return FAULTS("xsetbv", : : "c"(reg), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

void test_main(void)
{
	if (!(cpuid(1, 0).ecx & BIT(26)))
		skip("this CPU has no XSAVE");
	check_eq(try(0, 1), VEC_UD, "without CR4.OSXSAVE");
	write_cr4(read_cr4() | CR4_OSXSAVE);
	check_eq(xgetbv(0), 1, "XCR0 at reset");
	check_eq(try(0, 3), -1, "x87 and SSE");
	check_eq(xgetbv(0), 3, "XCR0");
	check_eq(try(0, 0), VEC_GP, "without x87");
	check_eq(try(0, 5), VEC_GP, "AVX without SSE");
	check_eq(try(0, BIT(63) | 3), VEC_GP, "reserved");
	check_eq(try(1, 3), VEC_GP, "XCR1");
	check_eq(xgetbv(0), 3, "XCR0 after faults");
	if (cpuid(0xd, 0).eax & XCR0_AVX) {
		check_eq(cpuid(0xd, 0).ebx, 512 + 64, "XSAVE area for x87 and SSE");
		check_eq(try(0, 7), -1, "AVX");
		check_eq(cpuid(0xd, 0).ebx, 512 + 64 + 256, "XSAVE area with AVX");
	}
	pass();
}
