/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between local APICs: who is addressed by each kind of destination and shorthand, what
 * each delivery mode does, and which MSI is an interrupt.
 *
 * Sources: hv/dev/lapic.c hv/dev/lapic_bus.c hv/dev/lapic_regs.c hv/dev/lapic_timer.c
 * Sources: hv/cpu/timer.c
 */
#include "tests/unit/lapic_util.h"

#define LOGICAL	  0x800u
#define TO_SELF	  0x40000u
#define TO_ALL	  0x80000u
#define TO_OTHERS 0xc0000u
#define LOWEST	  0x100u
#define SMI	  0x200u
#define REMOTE	  0x300u
#define INIT	  0x500u
#define SIPI	  0x600u
#define ASSERT_	  0x4000u
#define VECTOR	  0x61

static int setup(void **state)
{
	(void)state;
	setup_apics();
	enable_all();
	return 0;
}

static void ipi(unsigned from, u32 dest, u32 low)
{
	wr(from, ICR2, dest << 24);
	wr(from, ICR, low);
}

/* The CPUs that got the vector, as a bitmap. */
static unsigned got(int vector)
{
	unsigned cpus = 0;

	for (unsigned i = 0; i < CPUS; i++) {
		int v = lapic_pending(&f.l[i]);

		if (v < 0)
			continue;
		assert_int_equal(lapic_ack(&f.l[i]), vector);
		(void)lapic_ops.write(&f.l[i], EOI * 16, 4, 0);
		(void)lapic_wrmsr(&f.l[i], MSR_X2APIC + EOI, 0);
		cpus |= 1u << i;
	}
	return cpus;
}

static void physical(void **state)
{
	(void)state;
	for (unsigned dest = 0; dest < 256; dest++) {
		ipi(1, dest, VECTOR);
		assert_int_equal(got(VECTOR), dest == 0xff ? 0xf : dest < CPUS ? 1u << dest : 0);
	}
	assert_int_equal(f.sent, 256);
	assert_int_equal(rd(1, ICR2), 0xff000000);
	assert_int_equal(rd(1, ICR), VECTOR); /* never shown as under way */
}

static void shorthands(void **state)
{
	(void)state;
	ipi(1, 3, TO_SELF | VECTOR);
	assert_int_equal(got(VECTOR), 0x2);
	ipi(1, 3, TO_ALL | VECTOR);
	assert_int_equal(got(VECTOR), 0xf);
	ipi(1, 3, TO_OTHERS | VECTOR);
	assert_int_equal(got(VECTOR), 0xd);
	ipi(1, 3, TO_OTHERS | LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0xd);
	ipi(1, 3, TO_OTHERS | NMI);
	assert_true(f.nmis[0] == 1 && f.nmis[1] == 0 && f.nmis[2] == 1 && f.nmis[3] == 1);
}

static void logical_flat(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CPUS; i++)
		wr(i, LDR, 1u << (24 + i));
	for (unsigned dest = 0; dest < 256; dest++) {
		ipi(0, dest, LOGICAL | VECTOR);
		assert_int_equal(got(VECTOR), dest & 0xf);
	}
	wr(3, LDR, 0); /* in no set, but in "all" */
	ipi(0, 0xf8, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0);
	ipi(0, 0xff, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0xf);
}

static void logical_cluster(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CPUS; i++) { /* 0: 1, 2; 5: 1, 2 */
		wr(i, DFR, 0);
		wr(i, LDR, (i / 2 * 5) << 28 | 1u << (24 + i % 2));
	}
	ipi(0, 0x03, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0x3);
	ipi(0, 0x52, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0x8);
	ipi(0, 0x5c, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0);
	ipi(0, 0x43, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0);
	ipi(0, 0x50, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0);
	ipi(0, 0xff, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0xf);
}

/* By PPR, not by TPR alone; the disabled are not asked; the vector decides among equals. */
static void lowest_priority(void **state)
{
	unsigned targets[CPUS] = { 0 };

	(void)state;
	for (unsigned i = 0; i < CPUS; i++) {
		wr(i, LDR, 1u << (24 + i));
		wr(i, TPR, 0x40 - i * 0x10);
	}
	ipi(0, 0xf, LOGICAL | LOWEST | VECTOR);
	assert_int_equal(got(VECTOR), 0x8);
	ipi(0, 0x7, LOGICAL | LOWEST | VECTOR);
	assert_int_equal(got(VECTOR), 0x4);
	assert_true(fixed(3, 0x51));
	assert_int_equal(lapic_ack(&f.l[3]), 0x51); /* in service: PPR 0x50 */
	ipi(0, 0xc, LOGICAL | LOWEST | VECTOR);
	assert_int_equal(got(VECTOR), 0x4);
	wr(3, EOI, 0);
	wr(2, SVR, 0xff);
	ipi(0, 0x6, LOGICAL | LOWEST | VECTOR);
	assert_int_equal(got(VECTOR), 0x2);
	ipi(0, 0x4, LOGICAL | LOWEST | VECTOR);
	assert_int_equal(got(VECTOR), 0);
	ipi(0, 2, LOWEST | VECTOR); /* physical, to one that is off */
	assert_int_equal(got(VECTOR), 0);

	enable_all();
	for (unsigned i = 0; i < CPUS; i++)
		wr(i, TPR, 0);
	for (unsigned v = 0x40; v < 0x80; v++) {
		unsigned first, second;

		ipi(0, 0xf, LOGICAL | LOWEST | v);
		first = got((int)v);
		ipi(2, 0xf, LOGICAL | LOWEST | v);
		second = got((int)v);
		assert_int_equal(first, second);
		assert_true(IS_POW2(first));
		targets[__builtin_ctz(first)]++;
	}
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(targets[i], 16);
}

static void other_modes(void **state)
{
	(void)state;
	ipi(0, 2, NMI | 0x02); /* the vector does not matter */
	assert_int_equal(f.nmis[2], 1);
	ipi(0, 2, SIPI | ASSERT_ | 0x9a);
	assert_int_equal(f.sipis[2], 1);
	assert_int_equal(f.sipi_vector, 0x9a);
	ipi(0, 2, INIT | ASSERT_);
	assert_int_equal(f.inits[2], 1);
	assert_int_equal(rd(2, SVR), 0xff);
	ipi(0, 2, INIT | LEVEL | ASSERT_);
	assert_int_equal(f.inits[2], 2);
	ipi(0, 0, TO_ALL | INIT | LEVEL); /* level de-assert: no message */
	assert_int_equal(f.inits[0] + f.inits[1] + f.inits[3], 0);
	assert_int_equal(f.inits[2], 2);
	ipi(0, 2, SIPI | 0x01); /* reaches those that are disabled by software */
	assert_int_equal(f.sipis[2], 2);
	ipi(0, 1, SMI);
	ipi(0, 1, REMOTE | ID);
	ipi(0, 1, EXTINT | VECTOR);
	assert_int_equal(got(0), 0);
	assert_int_equal(rd(0, RRD), 0);
	assert_int_equal(f.kicks[1], 0);
	assert_int_equal(errors(0) | errors(1), 0);
}

/* Whatever the trigger mode says, an IPI is an edge. */
static void ipis_are_edges(void **state)
{
	(void)state;
	ipi(0, 1, LEVEL | ASSERT_ | VECTOR);
	assert_int_equal(got(VECTOR), 0x2);
	assert_false(has(1, TMR, VECTOR));
	assert_int_equal(f.eois, 0);
}

static void illegal_vectors(void **state)
{
	(void)state;
	for (u32 v = 0; v < 16; v++) {
		ipi(0, 1, v);
		ipi(0, 0, TO_ALL | LOWEST | v);
		assert_int_equal(errors(0), 0x20);
	}
	assert_int_equal(f.sent, 0);
	assert_int_equal(errors(1), 0);
	assert_int_equal(got(0), 0);
	ipi(0, 1, 16);
	assert_int_equal(got(16), 0x2);
}

static void x2apic_ipi(unsigned from, u32 dest, u32 low)
{
	assert_true(x2wr(from, ICR, (u64)dest << 32 | low));
}

static void x2apic(void **state)
{
	static const u32 nobody[] = { CPUS, 0xff, 0x100, 0x10000, 0x80000000, 0xfffffffe };

	(void)state;
	to_x2apic();
	for (unsigned dest = 0; dest < CPUS; dest++) {
		x2apic_ipi(0, dest, VECTOR);
		assert_int_equal(got(VECTOR), 1u << dest);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++) {
		x2apic_ipi(0, nobody[i], VECTOR);
		assert_int_equal(got(VECTOR), 0);
	}
	x2apic_ipi(0, 0xffffffff, VECTOR);
	assert_int_equal(got(VECTOR), 0xf);
	x2apic_ipi(0, 0xffffffff, LOGICAL | VECTOR);
	assert_int_equal(got(VECTOR), 0xf);
	x2apic_ipi(0, 0x0000000a, LOGICAL | VECTOR); /* cluster 0: members 1 and 3 */
	assert_int_equal(got(VECTOR), 0xa);
	x2apic_ipi(0, 0x0001000f, LOGICAL | VECTOR); /* cluster 1 is empty */
	assert_int_equal(got(VECTOR), 0);
	x2apic_ipi(2, 0, TO_OTHERS | VECTOR);
	assert_int_equal(got(VECTOR), 0xb);
	assert_true(x2wr(2, SELF_IPI, VECTOR));
	assert_int_equal(got(VECTOR), 0x4);
	x2apic_ipi(2, 0x9, LOGICAL | LOWEST | VECTOR);
	assert_true(IS_POW2(got(VECTOR) & 0x9));
}

/* ---- MSI ---- */

static bool msi(u64 address, u32 data)
{
	struct apic_msg m;

	return apic_msg_from_msi(address, data, &m) && apic_send(f.l, CPUS, &m);
}

static void msi_destinations(void **state)
{
	(void)state;
	assert_true(msi(0xfee02000, VECTOR));
	assert_int_equal(got(VECTOR), 0x4);
	assert_true(msi(0xfeeff000, VECTOR));
	assert_int_equal(got(VECTOR), 0xf);
	assert_false(msi(0xfee04000, VECTOR)); /* nobody's */
	for (unsigned i = 0; i < CPUS; i++)
		wr(i, LDR, 1u << (24 + i));
	assert_true(msi(0xfee06004, VECTOR)); /* logical */
	assert_int_equal(got(VECTOR), 0x6);
	wr(1, TPR, 0x20);
	assert_true(msi(0xfee0600c, VECTOR)); /* redirection hint */
	assert_int_equal(got(VECTOR), 0x4);
	assert_true(msi(0xfee06004, LOWEST | VECTOR));
	assert_int_equal(got(VECTOR), 0x4);
	assert_true(msi(0xfee03000, NMI));
	assert_int_equal(f.nmis[3], 1);
	to_x2apic(); /* eight bits, still: no remapping of interrupts */
	assert_true(msi(0xfee02000, VECTOR));
	assert_int_equal(got(VECTOR), 0x4);
	assert_true(msi(0xfeeff000, VECTOR));
	assert_int_equal(got(VECTOR), 0xf);
}

static void msi_levels(void **state)
{
	(void)state;
	assert_true(msi(0xfee01000, LEVEL | ASSERT_ | VECTOR));
	assert_true(has(1, TMR, VECTOR));
	assert_int_equal(got(VECTOR), 0x2);
	assert_int_equal(f.eois, 1);
	assert_false(msi(0xfee01000, LEVEL | VECTOR)); /* the end of a level */
	assert_int_equal(got(VECTOR), 0);
	assert_true(msi(0xfee01000, ASSERT_ | VECTOR));
	assert_false(has(1, TMR, VECTOR));
	assert_int_equal(got(VECTOR), 0x2);
}

static void msi_hostile(void **state)
{
	static const u64 elsewhere[] = { 0, 0xfed00000, 0xfef00000, 0xfec00000, 0x1fee00000,
		0x80000000fee00000, ~0ul };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(elsewhere); i++)
		assert_false(msi(elsewhere[i], VECTOR));
	for (u32 v = 0; v < 16; v++) {
		assert_false(msi(0xfee01000, v));
		assert_int_equal(errors(1), 0x40);
	}
	assert_false(msi(0xfee01000, SIPI | 0x10)); /* reserved */
	assert_false(msi(0xfee01000, REMOTE));
	assert_false(msi(0xfee01000, SMI));
	assert_false(msi(0xfee01000, EXTINT | VECTOR));
	assert_int_equal(got(0), 0);
	assert_int_equal(f.sipis[1] + f.nmis[1] + f.inits[1] + f.kicks[1], 0);
	assert_true(msi(0xfee01000, 0xffff0000 | VECTOR)); /* reserved bits are ignored */
	assert_int_equal(got(VECTOR), 0x2);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(physical),
		TEST(shorthands),
		TEST(logical_flat),
		TEST(logical_cluster),
		TEST(lowest_priority),
		TEST(other_modes),
		TEST(ipis_are_edges),
		TEST(illegal_vectors),
		TEST(x2apic),
		TEST(msi_destinations),
		TEST(msi_levels),
		TEST(msi_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
