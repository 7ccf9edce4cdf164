/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x87 and SSE start as after a reset of the processor, whatever the guest before did with them: the
 * first run looks, leaves its mark in every register and resets the VM; the second looks again.
 * (reboot: yes)
 */
#include "tests/guest/lib/lib.h"

#define CMOS_INDEX  0x70
#define CMOS_DATA   0x71
#define CMOS_SPARE  0x50 /* a byte of it that outlives a reset */
#define SECOND_RUN  0xa5
#define FCW_INIT    0x37f
#define FCW_RESET   0x40
#define MXCSR_INIT  0x1f80
#define MXCSR_OTHER 0x1fa0 /* a sticky flag */
#define XMM_OFFSET  160
#define ST_OFFSET   32

static u8 image[512] __aligned(16);

static void look(const char *when)
{
	u16 fcw;
	u32 mxcsr;

	__asm__ volatile("fxsave64 %0" : "=m"(image));
	memcpy(&fcw, image, sizeof(fcw));
	memcpy(&mxcsr, image + 24, sizeof(mxcsr));
	check(fcw == FCW_INIT || fcw == FCW_RESET, "x87 control word 0x%x, %s", fcw, when);
	check_eq(image[4], 0, "x87 tags, %s", when);
	check_eq(mxcsr, MXCSR_INIT, "MXCSR, %s", when);
	for (unsigned i = 0; i < 256; i++)
		check_eq(image[XMM_OFFSET + i], 0, "byte %u of the XMM registers, %s", i, when);
}

static void mark(void)
{
	u32 mxcsr = MXCSR_OTHER;
	u8 data[512] __aligned(16);

	memset(data, 0x5a, sizeof(data));
	memcpy(data, image, ST_OFFSET);
	data[4] = 0xff;
	memcpy(data + 24, &mxcsr, sizeof(mxcsr));
	__asm__ volatile("fxrstor64 %0" : : "m"(data));
}

void test_main(void)
{
	bool second;

	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
	write_cr4(read_cr4() | CR4_OSFXSR);
	outb(CMOS_INDEX, CMOS_SPARE);
	second = inb(CMOS_DATA) == SECOND_RUN;
	look(second ? "after a reset" : "at first");
	if (second)
		pass();
	mark();
	outb(CMOS_INDEX, CMOS_SPARE);
	outb(CMOS_DATA, SECOND_RUN);
	outb(0xcf9, 0x02);
	outb(0xcf9, 0x06);
	fail("went on after a reset");
}
