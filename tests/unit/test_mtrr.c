/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical MTRRs: fixed ranges, overlaps, masks with holes, and where the type changes. The
 * reference looks at each 4 KB page alone.
 *
 * Sources: hv/mem/mtrr.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/mem/mtrr.h"

#define MAXPHYADDR 36
#define ADDR	   (BIT(MAXPHYADDR) - PAGE_SIZE)
#define ON	   BIT(11)
#define FIXED_ON   BIT(10)
#define VALID	   BIT(11)
#define RANGES	   4

static struct {
	u64 cap, def;
	u64 fix64k, fix16k[2], fix4k[8];
	struct {
		u64 base, mask;
	} var[RANGES];
} msr;

static u64 rdmsr(u32 n)
{
	if (n == MSR_MTRRCAP)
		return msr.cap;
	if (n == MSR_MTRR_DEF_TYPE)
		return msr.def;
	if (n == MSR_MTRR_FIX64K_00000)
		return msr.fix64k;
	if (n == MSR_MTRR_FIX16K_80000 || n == MSR_MTRR_FIX16K_A0000)
		return msr.fix16k[n - MSR_MTRR_FIX16K_80000];
	if (n >= MSR_MTRR_FIX4K_C0000 && n < MSR_MTRR_FIX4K_C0000 + 8)
		return msr.fix4k[n - MSR_MTRR_FIX4K_C0000];
	assert_in_range(n, MSR_MTRR_PHYSBASE0, MSR_MTRR_PHYSBASE0 + 2 * RANGES - 1);
	n -= MSR_MTRR_PHYSBASE0;
	return n % 2 ? msr.var[n / 2].mask : msr.var[n / 2].base;
}

static void reset(u64 def)
{
	memset(&msr, 0, sizeof(msr));
	msr.cap = RANGES | BIT(8);
	msr.def = def;
}

static void range(unsigned i, u64 base, u64 mask, u64 type)
{
	msr.var[i].base = base | type;
	msr.var[i].mask = (mask & ADDR) | VALID;
}

static void expect(u64 hpa, u64 len, enum memtype type, u64 want_len)
{
	enum memtype got = mtrr_type(HPA(hpa), &len);

	if (got != type || len != want_len)
		fail_msg("hpa %#lx: type %u len %#lx, expected %u len %#lx", hpa, got, len, type,
			want_len);
}

/* Runs first: nothing has called mtrr_init(). */
static void without_mtrrs_all_is_write_back(void **state)
{
	(void)state;
	expect(0xfee00000, GB, MEMTYPE_WB, GB);
}

static void disabled_is_uncacheable(void **state)
{
	(void)state;
	reset(FIXED_ON | MEMTYPE_WB);
	range(0, 0, ~(GB - 1), MEMTYPE_WB);
	mtrr_init(rdmsr, MAXPHYADDR);
	expect(0, 2 * GB, MEMTYPE_UC, 2 * GB);
}

static void fixed_ranges(void **state)
{
	(void)state;
	reset(ON | FIXED_ON | MEMTYPE_UC);
	msr.fix64k = 0x0606060606060606;
	msr.fix16k[0] = 0x0006060606060606; /* the last 16 KB below 0xa0000 are UC */
	msr.fix16k[1] = 0;
	msr.fix4k[0] = 0x0505050505050505;
	msr.fix4k[7] = 0x0600000000000000; /* the last 4 KB */
	range(0, 0, ~(GB - 1), MEMTYPE_WT);
	mtrr_init(rdmsr, MAXPHYADDR);
	expect(0, MB, MEMTYPE_WB, 0x9c000);
	expect(0x9c000, MB, MEMTYPE_UC, 0xc0000 - 0x9c000);
	expect(0xc0000, MB, MEMTYPE_WP, 0x8000);
	expect(0xc8000, MB, MEMTYPE_UC, 0xff000 - 0xc8000);
	expect(0xff000, MB, MEMTYPE_WB, 0x1000);
	expect(0x100000, 2 * GB, MEMTYPE_WT, GB - MB);
	expect(0xff000 + 5, 10, MEMTYPE_WB, 10);

	/* Switched off, in the register or by lack of the feature, the variable range counts. */
	msr.def = ON | MEMTYPE_UC;
	mtrr_init(rdmsr, MAXPHYADDR);
	expect(0, 2 * GB, MEMTYPE_WT, GB);
	msr.def |= FIXED_ON;
	msr.cap &= ~BIT(8);
	mtrr_init(rdmsr, MAXPHYADDR);
	expect(0xa0000, 4 * KB, MEMTYPE_WT, 4 * KB);
}

static void variable_ranges_and_their_edges(void **state)
{
	(void)state;
	reset(ON | MEMTYPE_WB);
	range(0, 3 * GB, ~(GB - 1), MEMTYPE_UC);
	range(1, 2 * GB, ~(256 * MB - 1), MEMTYPE_WC);
	range(2, 8 * GB, ~(GB - 1), MEMTYPE_UC);
	msr.var[2].mask &= ~VALID; /* does not count */
	mtrr_init(rdmsr, MAXPHYADDR);
	expect(0, 64 * GB, MEMTYPE_WB, 2 * GB);
	expect(2 * GB, 64 * GB, MEMTYPE_WC, 256 * MB);
	expect(2 * GB + 256 * MB, 64 * GB, MEMTYPE_WB, 768 * MB);
	expect(3 * GB, 64 * GB, MEMTYPE_UC, GB);
	expect(4 * GB, 60 * GB, MEMTYPE_WB, 60 * GB);
	expect(4 * GB, 100 * GB, MEMTYPE_WB, 60 * GB); /* up to the end of physical memory */
	expect(64 * GB, GB, MEMTYPE_UC, GB);
	expect(4 * GB - PAGE_SIZE, 2 * PAGE_SIZE, MEMTYPE_UC, PAGE_SIZE);
}

static void overlaps(void **state)
{
	static const struct {
		u8 a, b, want;
	} rows[] = {
		{ MEMTYPE_UC, MEMTYPE_WB, MEMTYPE_UC },
		{ MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_UC },
		{ MEMTYPE_WT, MEMTYPE_WB, MEMTYPE_WT },
		{ MEMTYPE_WB, MEMTYPE_WB, MEMTYPE_WB },
		{ MEMTYPE_WC, MEMTYPE_WB, MEMTYPE_UC }, /* undefined by the manual */
		{ MEMTYPE_WP, MEMTYPE_WT, MEMTYPE_UC },
		{ 2, MEMTYPE_WB, MEMTYPE_UC }, /* reserved */
		{ 7, MEMTYPE_WB, MEMTYPE_UC },
		{ 0xff, MEMTYPE_WB, MEMTYPE_UC },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		u8 a = rows[i / 2].a, b = rows[i / 2].b;

		reset(ON | MEMTYPE_WP);
		range(0, 0, ~(2 * GB - 1), i % 2 ? a : b);
		range(3, 0, ~(GB - 1), i % 2 ? b : a);
		mtrr_init(rdmsr, MAXPHYADDR);
		u64 len = PAGE_SIZE;

		assert_int_equal(mtrr_type(HPA(0), &len), rows[i / 2].want);
	}
}

/* A mask with holes: every second 16 MB of the first GB. */
static void mask_with_holes(void **state)
{
	(void)state;
	reset(ON | MEMTYPE_WB);
	range(0, 16 * MB, ~(GB - 1) | 16 * MB, MEMTYPE_UC);
	mtrr_init(rdmsr, MAXPHYADDR);
	expect(0, 64 * GB, MEMTYPE_WB, 16 * MB);
	expect(16 * MB, 64 * GB, MEMTYPE_UC, 16 * MB);
	expect(32 * MB, 64 * GB, MEMTYPE_WB, 16 * MB);
	expect(GB - 16 * MB, 64 * GB, MEMTYPE_UC, 16 * MB);
	expect(GB, 4 * GB, MEMTYPE_WB, 4 * GB);
}

static void empty_mask_is_everything(void **state)
{
	(void)state;
	reset(ON | MEMTYPE_WB);
	range(0, 5 * GB, 0, MEMTYPE_WT);
	mtrr_init(rdmsr, MAXPHYADDR);
	expect(0, 64 * GB, MEMTYPE_WT, 64 * GB);
}

static u64 seed = 88172645463325252ul;

static u64 rnd(u64 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static enum memtype reference(u64 a)
{
	bool uc = false, wt = false, hit = false;

	for (unsigned i = 0; i < RANGES; i++) {
		u64 mask = msr.var[i].mask & ADDR;

		if (!(msr.var[i].mask & VALID) || ((a ^ msr.var[i].base) & mask))
			continue;
		hit = true;
		uc |= (msr.var[i].base & 7) == MEMTYPE_UC;
		wt |= (msr.var[i].base & 7) == MEMTYPE_WT;
	}
	if (!hit)
		return MEMTYPE_WP;
	return uc ? MEMTYPE_UC : wt ? MEMTYPE_WT : MEMTYPE_WB;
}

/* Random masks, of which most have holes, over the lowest 256 KB: walk and compare each page. */
static void random_masks(void **state)
{
	static const u8 types[] = { MEMTYPE_UC, MEMTYPE_WT, MEMTYPE_WB };
	const u64 area = 256 * KB;

	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		reset(ON | MEMTYPE_WP);
		for (unsigned i = 0; i < RANGES; i++) {
			u64 low = rnd(2) ? rnd(64) << PAGE_SHIFT : ~(PAGE_SIZE << rnd(7)) + 1;

			range(i, rnd(64) << PAGE_SHIFT, ~(area - 1) | low, types[rnd(3)]);
			if (!rnd(4))
				msr.var[i].mask &= ~VALID;
		}
		mtrr_init(rdmsr, MAXPHYADDR);
		for (u64 a = 0; a < area;) {
			u64 len = area - a;
			enum memtype type = mtrr_type(HPA(a), &len);

			assert_true(len > 0 && len <= area - a && IS_ALIGNED(len, PAGE_SIZE));
			for (u64 p = a; p < a + len; p += PAGE_SIZE)
				assert_int_equal(type, reference(p));
			a += len;
			if (a < area) /* it ends where the type does */
				assert_int_not_equal(reference(a), type);
		}
	}
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(memtype_name(MEMTYPE_UC), "UC");
	assert_string_equal(memtype_name(MEMTYPE_WB), "WB");
	assert_string_equal(memtype_name((enum memtype)2), "reserved");
	assert_string_equal(memtype_name((enum memtype)7), "reserved");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_mtrrs_all_is_write_back),
		cmocka_unit_test(disabled_is_uncacheable),
		cmocka_unit_test(fixed_ranges),
		cmocka_unit_test(variable_ranges_and_their_edges),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(mask_with_holes),
		cmocka_unit_test(empty_mask_is_everything),
		cmocka_unit_test(random_masks),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
