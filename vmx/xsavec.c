/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does XSAVEC keep what it saves? Bochs 2.7 writes the upper halves of YMM registers 160 bytes too
 * low, over the header, and the XRSTOR that follows faults or loads something else: a guest that
 * switches its processes so loses all their vector registers. So it is tried before it is offered.
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/regs.h"
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "vmx/vmx.h"

/* "XSAVE Area" and "Compacted Form": places in it, with x87, SSE and AVX saved. */
#define XCR0_TRIED	(XCR0_X87 | XCR0_SSE | XCR0_AVX)
#define HEADER_COMP	65u /* XCOMP_BV, in words of 8 bytes; XSTATE_BV is before it */
#define COMP_COMPACTED	BIT(63)
#define HEADER_RESERVED 66u
#define YMM_HIGH	72u
#define AREA_WORDS	104u

#define LEAF_XSAVE 0xdu
#define EAX_XSAVEC BIT(1)
#define EAX_AVX	   XCR0_AVX

static bool defective;

static bool to_be_tried(void)
{
	return (read_cr4() & CR4_OSXSAVE) && (cpuid_checked(LEAF_XSAVE, 1).eax & EAX_XSAVEC) &&
	       (cpuid_checked(LEAF_XSAVE, 0).eax & EAX_AVX);
}

static bool as_it_should_be(const u64 *area)
{
	return (area[HEADER_COMP - 1] & XCR0_AVX) &&
	       area[HEADER_COMP] == (COMP_COMPACTED | XCR0_TRIED) && !area[HEADER_RESERVED] &&
	       area[YMM_HIGH] == ~0ul && area[YMM_HIGH + 1] == ~0ul;
}

void vmx_xsavec_try(void)
{
	static u64 area[AREA_WORDS] __attribute__((aligned(64)));
	u64 xcr0;

	if (!to_be_tried())
		return;
	xcr0 = xgetbv(0);
	xsetbv(0, XCR0_TRIED);
	vmx_xsavec_of_ones(area, XCR0_TRIED);
	xsetbv(0, xcr0);
	defective = !as_it_should_be(area);
	if (defective)
		log_warn("this processor's XSAVEC loses AVX registers: not offered to guests");
}

bool vmx_xsavec_works(void)
{
	return !defective;
}
