/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID: the tables resolved against an invented machine, rich, poor, or saying yes to everything.
 *
 * Sources: hv/vm/cpuid.c hv/vm/cpuid_bits.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/dev/lapic.h"
#include "hv/vm/cpuid.h"

#define TSC_HZ 2000000000ul

static u32 max_basic, max_ext; /* of the invented machine */
static u32 feature_bits;       /* what its feature words hold */
static struct cpuid_table *t;

/* Extended state as a Skylake server has it: AVX, MPX, AVX-512, PKRU. */
static const struct cpuid_regs components[] = {
	[0] = { 0x2ff, 0x340, 0xa88, 0 },
	[1] = { 0xf, 0x440, 0x100, 0 },
	[2] = { 0x100, 0x240, 0, 0 },
	[3] = { 0x40, 0x3c0, 0, 0 },
	[4] = { 0x40, 0x400, 0, 0 },
	[5] = { 0x40, 0x440, 0, 0 },
	[6] = { 0x200, 0x480, 0, 0 },
	[7] = { 0x400, 0x680, 2, 0 }, /* said to be aligned, to see the alignment used */
	[8] = { 0x80, 0, 1, 0 },
	[9] = { 8, 0xa80, 0, 0 },
};

static const struct cpuid_regs caches[] = {
	{ 0x1c004121, 0x1c0003f, 0x3f, 0 },
	{ 0x1c004122, 0x1c0003f, 0x3f, 0 },
	{ 0x1c004143, 0x3c0003f, 0x3ff, 0 },
	{ 0x1c03c163, 0x280003f, 0x4fff, 4 },
};

static void machine(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	*r = (struct cpuid_regs){ feature_bits, feature_bits, feature_bits, feature_bits };
	assert_true(
		leaf <= max_basic || (leaf >= 0x80000000 && leaf <= max_ext) || leaf == 0x80000000);
	switch (leaf) {
	case 0: *r = (struct cpuid_regs){ max_basic, 0x756e6547, 0x6c65746e, 0x49656e69 }; break;
	case 1: r->eax = 0x50654, r->ebx = 0x07100800; break;
	case 4:
		*r = subleaf < ARRAY_SIZE(caches) ? caches[subleaf] : (struct cpuid_regs){ 0 };
		break;
	case 7:
		if (subleaf == 0)
			r->eax = 1;
		break;
	case 0xd:
		*r = subleaf < ARRAY_SIZE(components) ? components[subleaf]
						      : (struct cpuid_regs){ 0 };
		break;
	case 0x80000000: *r = (struct cpuid_regs){ .eax = max_ext }; break;
	case 0x80000008: r->eax = 0x302e; break;
	}
}

static bool steal;

static void resolve(unsigned vcpus, unsigned index, u64 hz, bool kvmclock)
{
	struct cpuid_config cfg = { .vcpus = vcpus,
		.index = index,
		.tsc_hz = hz,
		.kvmclock = kvmclock,
		.steal = steal,
		.host = machine };

	cpuid_resolve(t, &cfg);
}

static int setup(void **state)
{
	(void)state;
	max_basic = 0x16;
	max_ext = 0x80000008;
	feature_bits = 0xffffffff;
	t = malloc(sizeof_cpuid_table);
	resolve(1, 0, TSC_HZ, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(t);
	return 0;
}

static struct cpuid_regs look(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	cpuid_lookup(t, leaf, subleaf, 0, 7, true, &r);
	return r;
}

static void test_rows_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < cpuid_bits_count; i++) {
		const struct cpuid_bit *a = &cpuid_bits[i];

		assert_true(a->bit < 32 && a->reg <= CPUID_EDX);
		assert_true(strlen(a->why) > 0 && strlen(a->name) > 0);
		for (size_t j = 0; j < i; j++) {
			const struct cpuid_bit *b = &cpuid_bits[j];

			assert_false(a->leaf == b->leaf && a->subleaf == b->subleaf &&
				     a->reg == b->reg && a->bit == b->bit);
		}
	}
}

/* On a machine that says yes to everything, each bit is as its row says, and the unnamed are 0. */
static void test_each_row(void **state)
{
	u32 seen[4] = { 0 };

	(void)state;
	for (size_t i = 0; i < cpuid_bits_count; i++) {
		const struct cpuid_bit *b = &cpuid_bits[i];
		bool on = cpuid_has(t, b->leaf, b->subleaf, b->reg, b->bit);

		if (b->leaf == 0xd)
			continue; /* the machine above does not say yes to everything there */
		if (b->policy == CPUID_MASK)
			assert_false(on);
		else if (b->policy != CPUID_DYNAMIC)
			assert_true(on);
		if (b->leaf == 7 && b->subleaf == 0)
			seen[b->reg] |= 1u << b->bit;
	}
	assert_true(cpuid_page1gb(t));
	assert_int_equal(look(7, 0).ebx & ~seen[CPUID_EBX], 0);
	assert_int_equal(look(7, 0).ecx & ~seen[CPUID_ECX], 0);
	assert_int_equal(look(7, 0).edx & ~seen[CPUID_EDX], 0);
}

/* On a machine that has nothing, only what the hypervisor provides is there. */
static void test_poor_machine(void **state)
{
	(void)state;
	feature_bits = 0;
	max_basic = 4;
	resolve(1, 0, TSC_HZ, false);
	for (size_t i = 0; i < cpuid_bits_count; i++) {
		const struct cpuid_bit *b = &cpuid_bits[i];

		if (b->policy == CPUID_PASS)
			assert_false(cpuid_has(t, b->leaf, b->subleaf, b->reg, b->bit));
		if (b->policy == CPUID_SET && b->leaf != 7)
			assert_true(cpuid_has(t, b->leaf, b->subleaf, b->reg, b->bit));
	}
	assert_int_equal(look(0, 0).eax, 0x16);
	assert_false(cpuid_page1gb(t));
	assert_int_equal(cpuid_xcr0_allowed(t), 0);
	assert_int_equal(look(0xd, 0).ebx, 0);
	assert_int_equal(look(0xd, 1).eax, 0);
	assert_int_equal(cpuid_cr4_allowed(t), 0);
}

static void test_vendor_and_version(void **state)
{
	struct cpuid_regs r = look(0, 0);

	(void)state;
	assert_int_equal(r.eax, 0x16);
	assert_int_equal(r.ebx, 0x756e6547);
	assert_int_equal(r.ecx, 0x6c65746e);
	assert_int_equal(r.edx, 0x49656e69);
	r = look(1, 0);
	assert_int_equal(r.eax, 0x50654);
	assert_int_equal(r.ebx, 0x00010800);
	assert_false(r.edx & BIT(28));
}

static void test_dynamic_bits(void **state)
{
	struct cpuid_regs r;

	(void)state;
	cpuid_lookup(t, 1, 0, 0, 0, false, &r);
	assert_false(r.ecx & BIT(27));
	assert_false(r.edx & BIT(9));
	cpuid_lookup(t, 1, 0, CR4_OSXSAVE, 0, true, &r);
	assert_true(r.ecx & BIT(27));
	assert_true(r.edx & BIT(9));
	cpuid_lookup(t, 7, 0, 0, 0, true, &r);
	assert_false(r.ecx & BIT(4));
	cpuid_lookup(t, 7, 0, CR4_PKE, 0, true, &r);
	assert_true(r.ecx & BIT(4));
}

static void test_topology(void **state)
{
	struct cpuid_regs r;

	(void)state;
	resolve(6, 5, TSC_HZ, false);
	r = look(1, 0);
	assert_int_equal(r.ebx >> 24, 5);
	assert_int_equal(r.ebx >> 16 & 0xff, 8);
	assert_true(r.edx & BIT(28));
	r = look(0xb, 0);
	assert_int_equal(r.eax, 0);
	assert_int_equal(r.ebx, 1);
	assert_int_equal(r.ecx, 0x100);
	assert_int_equal(r.edx, 5);
	r = look(0xb, 1);
	assert_int_equal(r.eax, 3);
	assert_int_equal(r.ebx, 6);
	assert_int_equal(r.ecx, 0x201);
	r = look(0xb, 2);
	assert_int_equal(r.eax | r.ebx, 0);
	assert_int_equal(r.ecx, 2);
	assert_int_equal(r.edx, 5);
	/* Caches: levels 1 and 2 of a core, the third shared by 8 IDs; 8 IDs in the package. */
	assert_int_equal(look(4, 0).eax, 0x1c000121);
	assert_int_equal(look(4, 2).eax, 0x1c000143);
	assert_int_equal(look(4, 3).eax, 0x1c01c163);
	assert_int_equal(look(4, 3).ebx, caches[3].ebx);
	assert_int_equal(look(4, 4).eax, 0);
	assert_int_equal(look(4, 0xffffffff).eax & 0x1f, 0);
}

static void test_xsave(void **state)
{
	struct cpuid_regs r;

	(void)state;
	assert_int_equal(cpuid_xcr0_allowed(t), 0x2e7);
	cpuid_lookup(t, 0xd, 0, 0, 1, true, &r);
	assert_int_equal(r.eax, 0x2e7);
	assert_int_equal(r.ebx, 576);
	assert_int_equal(r.ecx, 0xa88);
	cpuid_lookup(t, 0xd, 0, 0, 7, true, &r);
	assert_int_equal(r.ebx, 0x340);
	cpuid_lookup(t, 0xd, 0, 0, 0xe7, true, &r);
	assert_int_equal(r.ebx, 0xa80);
	cpuid_lookup(t, 0xd, 1, 0, 7, true, &r);
	assert_int_equal(r.eax, 7); /* no XSAVES */
	assert_int_equal(r.ebx, 576 + 0x100);
	assert_int_equal(r.ecx, 0);
	cpuid_lookup(t, 0xd, 1, 0, 0x87, true, &r);
	assert_int_equal(r.ebx, 0x340 + 0x400); /* 576 + 0x100 is a multiple of 64 */
	cpuid_lookup(t, 0xd, 1, 0, 0x2c7, true, &r);
	assert_int_equal(r.ebx, 0x340 + 0x200 + 0x400 + 8);
	assert_int_equal(look(0xd, 2).eax, 0x100);
	assert_int_equal(look(0xd, 3).eax, 0); /* MPX */
	assert_int_equal(look(0xd, 8).eax, 0); /* a supervisor component */
	assert_int_equal(look(0xd, 9).ebx, 0xa80);
	assert_int_equal(look(0xd, 10).eax, 0);
	assert_int_equal(look(0xd, 0xffffffff).eax, 0);
}

static void test_xsavec_that_does_not_work(void **state)
{
	struct cpuid_config cfg = {
		.vcpus = 1, .tsc_hz = TSC_HZ, .host = machine, .lacks = CPUID_LACKS_XSAVEC
	};

	(void)state;
	cpuid_resolve(t, &cfg);
	assert_int_equal(look(0xd, 1).eax, 5);
	assert_int_equal(look(0xd, 1).ebx, 0);
	assert_int_equal(look(0xd, 0).ebx, 0x340);
}

/* What Linux computes from leaf 15H, in 32 bits, must be the TSC's frequency to a millionth. */
static void test_tsc_ratio(void **state)
{
	static const u64 hz[] = { 100000000, 2000000000, 2000000123, 2592000000, 2399999987,
		1996800001, 3192747000, 5800000000, 99999989, 24999999 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hz); i++) {
		struct cpuid_regs r;
		u64 khz, got;

		resolve(1, 0, hz[i], false);
		r = look(0x15, 0);
		assert_int_equal(r.ecx, LAPIC_TIMER_HZ);
		assert_int_not_equal(r.eax, 0);
		assert_int_not_equal(r.ebx, 0);
		khz = r.ecx / 1000;
		assert_true(khz * r.ebx <= 0xffffffff);
		got = (u64)r.ecx * r.ebx / r.eax;
		assert_true(llabs((long long)(got - hz[i])) <= (long long)(hz[i] / 1000000));
		assert_int_equal(look(0x16, 0).eax, (hz[i] + 500000) / 1000000);
	}
	resolve(1, 0, 100000000, false);
	assert_int_equal(look(0x15, 0).eax, 1);
	assert_int_equal(look(0x15, 0).ebx, 4);
}

static void test_hypervisor(void **state)
{
	struct cpuid_regs r = look(0x40000000, 0);
	char name[13] = { 0 };

	(void)state;
	memcpy(name, &r.ebx, 4);
	memcpy(name + 4, &r.ecx, 4);
	memcpy(name + 8, &r.edx, 4);
	assert_string_equal(name, "TriptychTrip");
	assert_int_equal(r.eax, 0x40000010);
	assert_int_equal(look(0x40000010, 0).eax, 2000000);
	assert_int_equal(look(0x40000010, 0).ebx, 25000);
	assert_int_equal(look(0x40000100, 0).ebx, 0);
	assert_int_equal(look(0x40000101, 0).eax, 0);
	resolve(1, 0, TSC_HZ, true);
	assert_int_equal(look(0x40000000, 0).eax, 0x40000101);
	r = look(0x40000100, 0);
	memcpy(name, &r.ebx, 4);
	memcpy(name + 4, &r.ecx, 4);
	memcpy(name + 8, &r.edx, 4);
	assert_memory_equal(name, "KVMKVMKVM\0\0\0", 12);
	assert_int_equal(look(0x40000101, 0).eax, BIT(1) | BIT(3) | BIT(24));
	steal = true;
	resolve(1, 0, TSC_HZ, true);
	assert_int_equal(look(0x40000101, 0).eax, BIT(1) | BIT(3) | BIT(5) | BIT(24));
	resolve(1, 0, TSC_HZ, false);
	assert_int_equal(look(0x40000101, 0).eax, 0);
	steal = false;
	resolve(1, 0, TSC_HZ, true);
	assert_int_equal(look(0x40000200, 0).ebx, 0);
}

/* "If a value entered for CPUID.EAX is higher than the maximum input value": the highest leaf. */
static void test_out_of_range(void **state)
{
	static const u32 leaves[] = { 0x17, 0x3fffffff, 0x50000000, 0x7fffffff, 0x80000009,
		0xffffffff };
	struct cpuid_regs want = look(0x16, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_regs r = look(leaves[i], 0);

		assert_memory_equal(&r, &want, sizeof(r));
	}
}

static void test_left_out(void **state)
{
	static const u32 leaves[] = { 3, 5, 8, 9, 0xa, 0xc, 0xe, 0xf, 0x10, 0x11, 0x12, 0x13,
		0x14 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_regs r = look(leaves[i], 0);

		assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	}
	assert_int_equal(look(6, 0).eax, 4);
	assert_int_equal(look(7, 2).ebx, 0);
}

static void test_extended(void **state)
{
	(void)state;
	assert_int_equal(look(0x80000000, 0).eax, 0x80000008);
	assert_int_equal(look(0x80000007, 0).edx, BIT(8));
	assert_int_equal(look(0x80000008, 0).eax, 0x302e);
	assert_int_equal(cpuid_maxphyaddr(t), 46);
	assert_int_equal(look(0x80000003, 0).eax, 0xffffffff); /* the brand string */
	max_ext = 0x80000004;
	resolve(1, 0, TSC_HZ, false);
	assert_int_equal(look(0x80000006, 0).ecx, 0);
	assert_int_equal(look(0x80000007, 0).edx, BIT(8));
}

static void test_cr4(void **state)
{
	u64 cr4 = cpuid_cr4_allowed(t);

	(void)state;
	assert_int_equal(cr4 & (CR4_VMXE | CR4_SMXE | CR4_LA57), 0);
	assert_int_equal(cr4 & (CR4_PAE | CR4_PGE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE),
		CR4_PAE | CR4_PGE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE);
	assert_int_equal(cr4 & ~0x7f7ffful, 0); /* nothing that is not defined */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows_are_unique),
		TEST(test_each_row),
		TEST(test_poor_machine),
		TEST(test_vendor_and_version),
		TEST(test_dynamic_bits),
		TEST(test_topology),
		TEST(test_xsave),
		TEST(test_xsavec_that_does_not_work),
		TEST(test_tsc_ratio),
		TEST(test_hypervisor),
		TEST(test_out_of_range),
		TEST(test_left_out),
		TEST(test_extended),
		TEST(test_cr4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
