/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's modes: IA32_APIC_BASE, and the MSRs of x2APIC mode.
 *
 * Sources: hv/dev/lapic.c hv/dev/lapic_bus.c hv/dev/lapic_regs.c hv/dev/lapic_timer.c
 * Sources: hv/cpu/timer.c
 */
#include "tests/unit/lapic_util.h"

#define XAPIC  BASE_EN
#define X2APIC (BASE_EN | BASE_EXTD)

#define ESR_SEND 0x20u

static int setup(void **state)
{
	(void)state;
	setup_apics();
	return 0;
}

/* ---- IA32_APIC_BASE ---- */

/* SDM "x2APIC State Transitions" */
static void base_transitions(void **state)
{
	static const u64 modes[] = { 0, XAPIC, X2APIC, BASE_EXTD };
	static const bool legal[3][4] = {
		{ true, true, false, false },
		{ true, true, true, false },
		{ true, false, true, false },
	};

	(void)state;
	for (unsigned from = 0; from < 3; from++)
		for (unsigned to = 0; to < 4; to++) {
			setup_apics();
			if (modes[from] != XAPIC)
				assert_true(set_base(1, modes[from]));
			assert_int_equal(set_base(1, modes[to]), legal[from][to]);
			assert_int_equal(
				rdmsr(1, MSR_BASE), BASE | modes[legal[from][to] ? to : from]);
		}
}

/* Reserved bits, a base above the physical address width, and a page moved anywhere else: #GP. */
static void base_refused(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		u64 value = (BASE | BASE_EN) ^ BIT(bit);

		if (bit == 8 || bit == 10 || bit == 11)
			continue;
		assert_false(lapic_wrmsr(&f.l[1], MSR_BASE, value));
		assert_int_equal(rdmsr(1, MSR_BASE), BASE | BASE_EN);
	}
	assert_false(lapic_wrmsr(&f.l[1], MSR_BASE, BASE_EN));
	assert_false(lapic_wrmsr(&f.l[1], MSR_BASE, 0x100000 | BASE_EN));
	assert_true(set_base(1, BASE_EN | BASE_BSP)); /* which CPU is the BSP stays */
	assert_int_equal(rdmsr(1, MSR_BASE), BASE | BASE_EN);
	assert_true(set_base(0, BASE_EN));
	assert_int_equal(rdmsr(0, MSR_BASE), BASE | BASE_EN | BASE_BSP);
}

/* ---- x2APIC ---- */

static bool in_list(const unsigned *list, unsigned n, unsigned reg)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] == reg)
			return true;
	return false;
}

static void x2apic_msrs(void **state)
{
	static const unsigned read_only[] = { ID, VERSION, PPR, LDR, TMCCT },
			      write_only[] = { EOI, SELF_IPI };
	static const unsigned both[] = { TPR, SVR, ESR, ICR, LVTT, THERMAL, PERF, LINT0, LINT1,
		LVTERR, TMICT, TDCR };
	struct lapic before;
	u64 value;

	(void)state;
	for (u32 reg = 0; reg < 0x400; reg++) { /* outside x2APIC mode: none is there */
		assert_false(lapic_rdmsr(&f.l[0], MSR_X2APIC + reg, &value));
		assert_false(x2wr(0, reg, 0));
	}
	to_x2apic();
	before = f.l[0];
	for (u32 reg = 0; reg < 0x400; reg++) {
		bool map = reg >= ISR && reg < ESR;
		bool r = map || in_list(read_only, ARRAY_SIZE(read_only), reg) ||
			 in_list(both, ARRAY_SIZE(both), reg);
		bool w = in_list(write_only, ARRAY_SIZE(write_only), reg) ||
			 in_list(both, ARRAY_SIZE(both), reg);

		assert_int_equal(lapic_rdmsr(&f.l[0], MSR_X2APIC + reg, &value), r);
		if (w)
			continue;
		assert_false(x2wr(0, reg, 0));
		assert_false(x2wr(0, reg, ~0ul));
	}
	assert_memory_equal(&before, &f.l[0], sizeof(before)); /* a refused write does nothing */
	for (unsigned i = 0; i < ARRAY_SIZE(both); i++)
		assert_true(x2wr(0, both[i], both[i] == ICR ? 0x400ff : 0));
	assert_true(x2wr(0, EOI, 0));
	assert_true(x2wr(0, SELF_IPI, 0xff));
	assert_false(lapic_rdmsr(&f.l[0], MSR_X2APIC - 1, &value));
	assert_false(lapic_wrmsr(&f.l[0], MSR_X2APIC - 1, 0));
}

static void x2apic_reserved_bits(void **state)
{
	static const struct {
		unsigned reg;
		u64 allowed;
	} regs[] = {
		{ TPR, 0xff },
		{ EOI, 0 },
		{ SVR, 0x3ff },
		{ ESR, 0 },
		{ ICR, 0xffffffff000ccfff },
		{ LVTT, 0x710ff },
		{ THERMAL, 0x117ff },
		{ PERF, 0x117ff },
		{ LINT0, 0x1f7ff },
		{ LINT1, 0x1f7ff },
		{ LVTERR, 0x110ff },
		{ TMICT, 0xffffffff },
		{ TDCR, 0xb },
		{ SELF_IPI, 0xff },
	};

	(void)state;
	to_x2apic();
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
		for (unsigned bit = 0; bit < 64; bit++)
			assert_int_equal(
				x2wr(3, regs[i].reg, BIT(bit)), (regs[i].allowed & BIT(bit)) != 0);
}

static void x2apic_values(void **state)
{
	(void)state;
	wr(2, SVR, 0x1ff);
	wr(2, TPR, 0x23);
	wr(2, LDR, 0x04000000);
	to_x2apic();
	assert_int_equal(x2rd(2, ID), 2);
	assert_int_equal(x2rd(2, LDR), 1 << 2); /* from the ID */
	assert_int_equal(x2rd(2, SVR), 0x1ff);	/* kept */
	assert_int_equal(x2rd(2, TPR), 0x23);
	assert_int_equal(rd(2, ID), 0xffffffff); /* the page is not there */
	wr(2, TPR, 0x55);
	assert_int_equal(x2rd(2, TPR), 0x23);
	assert_true(x2wr(2, ICR, 0x0000000300000450));
	assert_int_equal(x2rd(2, ICR), 0x0000000300000450);
	assert_int_equal(f.nmis[3], 1);
	x2wr(2, TPR, 0);
	assert_true(x2wr(2, SELF_IPI, 0x66));
	assert_int_equal(lapic_ack(&f.l[2]), 0x66);
	assert_int_equal(x2rd(2, ISR + 3), BIT(6));
	assert_true(x2wr(2, EOI, 0));
	assert_int_equal(x2rd(2, ISR + 3), 0);
	assert_true(x2wr(2, SELF_IPI, 0x0f)); /* no #GP, but an error */
	assert_true(x2wr(2, ESR, 0));
	assert_int_equal(x2rd(2, ESR), ESR_SEND);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(base_transitions),
		TEST(base_refused),
		TEST(x2apic_msrs),
		TEST(x2apic_reserved_bits),
		TEST(x2apic_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
