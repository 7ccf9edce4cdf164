/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What XSAVE, XSAVEOPT and XSAVEC save, where CPUID offers them, XRSTOR brings back: every register
 * of every component of XCR0 but PKRU, as an operating system does at each switch of processes.
 */
#include "tests/guest/lib/lib.h"

#define CPUID1_ECX_XSAVE BIT(26)
#define LEAF_XSAVE	 0xdu
#define EAX_XSAVEOPT	 BIT(0)
#define EAX_XSAVEC	 BIT(1)
#define PKRU		 BIT(9)
#define COMPONENTS	 9u
#define FIRST_EXTENDED	 2u
#define LEGACY_BYTES	 416u /* up to the last XMM register */
#define ST_OFFSET	 32u
#define MXCSR_OFFSET	 24u
#define HEADER_OFFSET	 512u
#define AREA_BYTES	 4096u
#define FCW_INIT	 0x37f
#define MXCSR_INIT	 0x1f80u

static u8 original[AREA_BYTES] __aligned(64), saved[AREA_BYTES] __aligned(64),
	empty[AREA_BYTES] __aligned(64), back[AREA_BYTES] __aligned(64);
static u32 components; /* low half of XCR0 */

#define WITH(area) "a"(components), "d"(0), "r"(area) : "memory"

static int restore(const u8 *area)
{
	return FAULTS("xrstor64 (%2)", : : WITH(area));
}

static int xsave(u8 *area)
{
	return FAULTS("xsave64 (%2)", : : WITH(area));
}

static int xsaveopt(u8 *area)
{
	return FAULTS("xsaveopt64 (%2)", : : WITH(area));
}

static int xsavec(u8 *area)
{
	return FAULTS("xsavec64 (%2)", : : WITH(area));
}

/* An image with something else in each byte of each register that there is. */
static void make_images(void)
{
	u16 fcw = FCW_INIT;
	u32 mxcsr = MXCSR_INIT;
	u64 all = components;

	memcpy(original, &fcw, sizeof(fcw));
	memcpy(original + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
	memcpy(empty, original, sizeof(empty));
	for (unsigned i = ST_OFFSET + 128; i < LEGACY_BYTES; i++)
		original[i] = (u8)(i * 7 + 1);
	memcpy(original + HEADER_OFFSET, &all, sizeof(all));
	for (unsigned c = FIRST_EXTENDED; c < COMPONENTS; c++) {
		struct cpuid_regs r = cpuid(LEAF_XSAVE, c);

		check(r.ebx + r.eax <= AREA_BYTES, "component %u lies at %u", c, r.ebx);
		for (u32 i = r.ebx; (components & BIT(c)) && i < r.ebx + r.eax; i++)
			original[i] = (u8)(i * 11 + c);
	}
}

static void compare(u32 from, u32 bytes, const char *how, unsigned component)
{
	for (u32 i = from; i < from + bytes; i++)
		check_eq(back[i], original[i], "%s: component %u, byte %u", how, component,
			i - from);
}

static void saves(int (*how)(u8 *area), const char *name)
{
	memset(saved, 0, sizeof(saved));
	check_eq(restore(original), -1, "XRSTOR of what is to be saved");
	check_eq(how(saved), -1, "%s", name);
	check_eq(restore(empty), -1, "XRSTOR of nothing");
	check_eq(restore(saved), -1, "XRSTOR after %s", name);
	check_eq(xsave(back), -1, "XSAVE");
	compare(ST_OFFSET + 128, LEGACY_BYTES - ST_OFFSET - 128, name, 1);
	for (unsigned c = FIRST_EXTENDED; c < COMPONENTS; c++)
		if (components & BIT(c))
			compare(cpuid(LEAF_XSAVE, c).ebx, cpuid(LEAF_XSAVE, c).eax, name, c);
}

void test_main(void)
{
	u32 have;

	if (!(cpuid(1, 0).ecx & CPUID1_ECX_XSAVE))
		skip("this CPU has no XSAVE");
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXSAVE);
	components = cpuid(LEAF_XSAVE, 0).eax & ~(u32)PKRU;
	__asm__ volatile("xsetbv" : : "c"(0), "a"(components), "d"(0));
	have = cpuid(LEAF_XSAVE, 1).eax;
	say("XCR0 0x%x, XSAVEOPT %d, XSAVEC %d", components, !!(have & EAX_XSAVEOPT),
		!!(have & EAX_XSAVEC));
	make_images();
	saves(xsave, "XSAVE");
	if (have & EAX_XSAVEOPT)
		saves(xsaveopt, "XSAVEOPT");
	if (have & EAX_XSAVEC)
		saves(xsavec, "XSAVEC");
	pass();
}
