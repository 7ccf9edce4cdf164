/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC as its own CPU sees it: registers, priorities, EOI, errors, local
 * interrupts, and accesses that no driver makes. The change of modes has test_lapic_modes.c.
 *
 * Sources: hv/dev/lapic.c hv/dev/lapic_bus.c hv/dev/lapic_regs.c hv/dev/lapic_timer.c
 * Sources: hv/cpu/timer.c
 */
#include "tests/unit/lapic_util.h"

#define ESR_SEND    0x20u
#define ESR_RECEIVE 0x40u
#define ESR_ADDRESS 0x80u

static int setup(void **state)
{
	(void)state;
	setup_apics();
	return 0;
}

/* ---- registers ---- */

static const struct {
	unsigned reg;
	u32 value;
} reset_values[] = {
	{ VERSION, 0x00050014 },
	{ TPR, 0 },
	{ APR, 0 },
	{ PPR, 0 },
	{ RRD, 0 },
	{ LDR, 0 },
	{ DFR, 0xffffffff },
	{ SVR, 0xff },
	{ ISR, 0 },
	{ TMR + 3, 0 },
	{ IRR + 7, 0 },
	{ ESR, 0 },
	{ ICR, 0 },
	{ ICR2, 0 },
	{ LVTT, MASKED },
	{ THERMAL, MASKED },
	{ PERF, MASKED },
	{ LINT0, MASKED },
	{ LINT1, MASKED },
	{ LVTERR, MASKED },
	{ TMICT, 0 },
	{ TMCCT, 0 },
	{ TDCR, 0 },
};

static void check_reset_values(unsigned cpu)
{
	for (unsigned i = 0; i < ARRAY_SIZE(reset_values); i++)
		assert_int_equal(rd(cpu, reset_values[i].reg), reset_values[i].value);
	assert_int_equal(lapic_pending(&f.l[cpu]), -1);
}

static void power_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CPUS; i++) {
		check_reset_values(i);
		assert_int_equal(rd(i, ID), i << 24);
		assert_int_equal(rdmsr(i, MSR_BASE), BASE | BASE_EN | (i ? 0 : BASE_BSP));
		assert_true(lapic_enabled(&f.l[i]));
	}
}

/* Everything that a guest can leave behind. */
static void disturb(unsigned cpu)
{
	wr(cpu, SVR, 0x1ff);
	wr(cpu, LDR, 0x12000000);
	wr(cpu, DFR, 0);
	for (unsigned reg = LVTT; reg <= LVTERR; reg++)
		wr(cpu, reg, 0x40);
	wr(cpu, TDCR, 0xb);
	wr(cpu, TMICT, 1000);
	fixed(cpu, 0x51);
	lapic_ack(&f.l[cpu]);
	lapic_deliver(&f.l[cpu], APIC_FIXED, 0x61, true);
	fixed(cpu, 0x41);
	wr(cpu, TPR, 0x70);
	wr(cpu, ICR2, 0x01000000);
	wr(cpu, ICR, 0x3); /* and the error interrupt, vector 0x40 */
	wr(cpu, ESR, 0);
	wr(cpu, ICR, 0x4);
}

static void init_resets(void **state)
{
	(void)state;
	disturb(2);
	lapic_reset(&f.l[2], LAPIC_INIT);
	check_reset_values(2);
	assert_int_equal(errors(2), 0);
	assert_int_equal(rd(2, ID), 2 << 24);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	assert_int_equal(rdmsr(2, MSR_BASE), BASE | BASE_EN);
}

static void init_keeps_x2apic(void **state)
{
	(void)state;
	to_x2apic();
	lapic_reset(&f.l[1], LAPIC_INIT);
	assert_int_equal(rdmsr(1, MSR_BASE), BASE | BASE_EN | BASE_EXTD);
	assert_int_equal(x2rd(1, ID), 1);
	lapic_reset(&f.l[1], LAPIC_POWER_UP);
	assert_int_equal(rdmsr(1, MSR_BASE), BASE | BASE_EN);
}

static void virtual_wire(void **state)
{
	(void)state;
	assert_false(lapic_accepts_extint(&f.l[0]));
	lapic_virtual_wire(&f.l[0]);
	assert_true(lapic_accepts_extint(&f.l[0]));
	assert_int_equal(rd(0, SVR), 0x1ff);
	assert_int_equal(rd(0, LINT0), EXTINT);
	assert_int_equal(rd(0, LINT1), NMI);
	wr(0, LINT0, EXTINT | MASKED);
	assert_false(lapic_accepts_extint(&f.l[0]));
}

static void writable_bits(void **state)
{
	static const struct {
		unsigned reg;
		u32 bits;
	} masks[] = {
		{ ID, 0 },
		{ VERSION, 0 },
		{ TPR, 0xff },
		{ LDR, 0xff000000 },
		{ SVR, 0x3ff },
		{ ISR, 0 },
		{ TMR, 0 },
		{ IRR, 0 },
		{ ICR2, 0xff000000 },
		{ LVTT, 0x700ff },
		{ THERMAL, 0x107ff },
		{ PERF, 0x107ff },
		{ LINT0, 0x1a7ff },
		{ LINT1, 0x1a7ff },
		{ LVTERR, 0x100ff },
		{ TMCCT, 0 },
		{ TDCR, 0xb },
	};

	(void)state;
	wr(0, SVR, 0x1ff);
	for (unsigned i = 0; i < ARRAY_SIZE(masks); i++) {
		u32 was = rd(0, masks[i].reg), clear;

		wr(0, masks[i].reg, 0xffffffff);
		assert_int_equal(rd(0, masks[i].reg), masks[i].bits | (masks[i].bits ? 0 : was));
		clear = masks[i].reg == SVR ? 0x100 : 0;
		wr(0, masks[i].reg, clear);
		assert_int_equal(rd(0, masks[i].reg), masks[i].bits ? clear : was);
	}
	wr(0, DFR, 0);
	assert_int_equal(rd(0, DFR), 0x0fffffff);
	wr(0, ICR, 0xfff3f000 | 0x4600 | 0x1000); /* SIPI to 0; reserved bits do not stay */
	assert_int_equal(rd(0, ICR), 0xc600);
	assert_int_equal(errors(0), 0); /* read-only is not reserved */
}

/* Registers that are not there in xAPIC mode: 0, and an error each. */
static void reserved_registers(void **state)
{
	static const unsigned reserved[] = { 0, 1, 4, 7, 0x29, 0x2e, CMCI, 0x3a, 0x3d, SELF_IPI,
		0x40, 0xff };

	(void)state;
	wr(0, SVR, 0x1ff);
	for (unsigned i = 0; i < ARRAY_SIZE(reserved); i++) {
		assert_int_equal(rd(0, reserved[i]), 0);
		assert_int_equal(errors(0), ESR_ADDRESS);
		wr(0, reserved[i], 0x55);
		assert_int_equal(errors(0), ESR_ADDRESS);
	}
	assert_int_equal(rd(0, EOI), 0); /* write-only */
	assert_int_equal(errors(0), 0);
	assert_int_equal(lapic_pending(&f.l[0]), -1);
}

static u64 mmio(u64 offset, unsigned size)
{
	u64 mask = size == 8 ? ~0ul : BIT(size * 8) - 1;

	return lapic_ops.read(&f.l[0], offset, size) & mask;
}

/* Model-specific in the manual: here reads of any size and place, whole writes only. */
static void odd_accesses(void **state)
{
	struct lapic before;

	(void)state;
	wr(0, SVR, 0x1ff);
	assert_int_equal(mmio(0x30, 1), 0x14);
	assert_int_equal(mmio(0x30, 2), 0x14);
	assert_int_equal(mmio(0x32, 1), 0x05);
	assert_int_equal(mmio(0x32, 2), 0x05);
	assert_int_equal(mmio(0x31, 4), 0x000500);
	assert_int_equal(mmio(0x30, 8), 0x00050014);
	assert_int_equal(mmio(0x34, 4), 0);
	assert_int_equal(mmio(0x3c, 8), 0); /* reaches into a reserved register */
	assert_int_equal(mmio(0xf1, 1), 0x01);
	assert_int_equal(mmio(0xffc, 4), 0);
	assert_int_equal(mmio(0xfff, 1), 0);
	assert_int_equal(errors(0), 0);
	before = f.l[0];
	for (unsigned size = 1; size <= 8; size *= 2)
		for (u64 offset = 0; offset + size <= LAPIC_MMIO_SIZE; offset++)
			if (size != 4 || offset % 16)
				lapic_ops.write(&f.l[0], offset, size, ~0ul);
	assert_memory_equal(&before, &f.l[0], sizeof(before));
}

/* ---- priorities ---- */

static void priorities(void **state)
{
	static const struct {
		u32 tpr;
		u8 in_service; /* 0: none */
		u32 ppr;
	} cases[] = {
		{ 0x00, 0, 0x00 },
		{ 0x3f, 0, 0x3f },
		{ 0x05, 0x45, 0x40 },
		{ 0x35, 0x45, 0x40 },
		{ 0x4a, 0x45, 0x4a },
		{ 0x50, 0x45, 0x50 },
		{ 0xff, 0x45, 0xff },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		setup_apics();
		wr(0, SVR, 0x1ff);
		if (cases[i].in_service) {
			fixed(0, cases[i].in_service);
			assert_int_equal(lapic_ack(&f.l[0]), cases[i].in_service);
		}
		wr(0, TPR, cases[i].tpr);
		assert_int_equal(rd(0, TPR), cases[i].tpr);
		assert_int_equal(rd(0, PPR), cases[i].ppr);
	}
}

static void tpr_holds_back(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	wr(0, TPR, 0x50);
	assert_true(fixed(0, 0x5f));
	assert_int_equal(lapic_pending(&f.l[0]), -1);
	assert_int_equal(f.kicks[0], 0);
	assert_true(fixed(0, 0x60));
	assert_int_equal(lapic_pending(&f.l[0]), 0x60);
	assert_int_equal(take(0), 0x60);
	assert_int_equal(lapic_pending(&f.l[0]), -1);
	wr(0, TPR, 0x4f);
	assert_int_equal(f.kicks[0], 2);
	wr(0, TPR, 0x50); /* withdrawn before it was taken */
	assert_int_equal(lapic_pending(&f.l[0]), -1);
	assert_int_equal(lapic_ack(&f.l[0]), 0xff); /* spurious: no ISR bit */
	assert_true(has(0, IRR, 0x5f));
	assert_false(has(0, ISR, 0xff));
	wr(0, SVR, 0x1ea);
	assert_int_equal(lapic_ack(&f.l[0]), 0xea);
	lapic_set_cr8(&f.l[0], 4);
	assert_int_equal(rd(0, TPR), 0x40);
	assert_int_equal(take(0), 0x5f);
	wr(0, TPR, 0xab);
	assert_int_equal(lapic_get_cr8(&f.l[0]), 0xa);
}

static void nesting(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	fixed(0, 0x41);
	fixed(0, 0x4f);
	fixed(0, 0x4f); /* once: IRR is a bit */
	assert_int_equal(lapic_ack(&f.l[0]), 0x4f);
	assert_false(has(0, IRR, 0x4f));
	assert_true(has(0, ISR, 0x4f));
	assert_int_equal(lapic_pending(&f.l[0]), -1); /* same class */
	fixed(0, 0x4f);				      /* again while in service: kept */
	fixed(0, 0xf0);
	assert_int_equal(lapic_ack(&f.l[0]), 0xf0);
	fixed(0, 0x91);
	assert_int_equal(lapic_pending(&f.l[0]), -1);
	wr(0, EOI, 0);
	assert_false(has(0, ISR, 0xf0));
	assert_int_equal(lapic_ack(&f.l[0]), 0x91);
	assert_int_equal(rd(0, PPR), 0x90);
	wr(0, EOI, 0);
	assert_int_equal(rd(0, PPR), 0x40);
	wr(0, EOI, 0);
	assert_int_equal(take(0), 0x4f);
	assert_int_equal(take(0), 0x41);
	assert_int_equal(take(0), -1);
	wr(0, EOI, 0); /* of nothing */
	assert_int_equal(f.eois, 0);
	assert_int_equal(rd(0, PPR), 0);
}

static void every_vector(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	for (unsigned v = 0; v < 256; v++) {
		assert_int_equal(fixed(0, (u8)v), v >= 16);
		assert_int_equal(has(0, IRR, v), v >= 16);
	}
	for (int v = 255; v >= 16; v--)
		assert_int_equal(take(0), v);
	assert_int_equal(take(0), -1);
	assert_int_equal(errors(0), ESR_RECEIVE);
}

static void level_eoi_is_broadcast(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	lapic_deliver(&f.l[0], APIC_FIXED, 0x61, true);
	assert_true(has(0, TMR, 0x61));
	assert_int_equal(take(0), 0x61);
	assert_int_equal(f.eois, 1);
	assert_int_equal(f.eoi_vector, 0x61);
	assert_true(has(0, TMR, 0x61)); /* until the vector is accepted again, as an edge */
	fixed(0, 0x61);
	assert_false(has(0, TMR, 0x61));
	take(0);
	assert_int_equal(f.eois, 1);
	wr(0, SVR, 0x11ff); /* suppression is not offered: the bit does not stay */
	assert_int_equal(rd(0, SVR), 0x1ff);
	assert_int_equal(rd(0, VERSION) & BIT(24), 0);
	lapic_deliver(&f.l[0], APIC_FIXED, 0x61, true);
	take(0);
	assert_int_equal(f.eois, 2);
}

/* ---- software disabled ---- */

static void software_disabled(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	wr(0, LVTT, 0x40);
	wr(0, LVTERR, 0x41);
	fixed(0, 0x51);
	wr(0, SVR, 0xff);
	assert_int_equal(rd(0, LVTT), MASKED | 0x40);
	assert_int_equal(rd(0, LVTERR), MASKED | 0x41);
	wr(0, LVTT, 0x42);
	assert_int_equal(rd(0, LVTT), MASKED | 0x42);
	assert_int_equal(lapic_pending(&f.l[0]), 0x51); /* held, not lost */
	assert_false(fixed(0, 0x52));
	assert_false(lapic_deliver(&f.l[0], APIC_LOWEST, 0x52, false));
	assert_false(has(0, IRR, 0x52));
	assert_true(lapic_deliver(&f.l[0], APIC_NMI, 0, false));
	assert_true(lapic_deliver(&f.l[0], APIC_SIPI, 0x12, false));
	assert_int_equal(f.nmis[0], 1);
	assert_int_equal(f.sipis[0], 1);
	wr(0, SVR, 0x1ff);
	assert_int_equal(rd(0, LVTT), MASKED | 0x42); /* stays until it is written */
	assert_true(lapic_deliver(&f.l[0], APIC_INIT, 0, false));
	check_reset_values(0);
}

/* ---- errors ---- */

static void esr_is_latched_by_a_write(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	wr(0, ICR, 0x40000 | 0x0f); /* self, illegal vector */
	assert_int_equal(rd(0, ESR), 0);
	wr(0, ESR, 0xffffffff); /* the value does not matter */
	assert_int_equal(rd(0, ESR), ESR_SEND);
	assert_int_equal(rd(0, ESR), ESR_SEND);
	fixed(0, 0x0f);
	rd(0, 0x3a);
	assert_int_equal(rd(0, ESR), ESR_SEND);
	assert_int_equal(errors(0), ESR_RECEIVE | ESR_ADDRESS);
	assert_int_equal(errors(0), 0);
	wr(0, ICR, 0x40010 | 0x100); /* lowest priority, the first legal vector */
	assert_int_equal(errors(0), 0);
	wr(0, ICR, 0x40400); /* NMI has no vector */
	assert_int_equal(errors(0), 0);
}

static void error_interrupt(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	fixed(0, 3);
	assert_int_equal(take(0), -1); /* masked */
	errors(0);
	wr(0, LVTERR, 0xfe);
	fixed(0, 3);
	assert_int_equal(take(0), 0xfe);
	fixed(0, 3);
	wr(0, ICR, 0x40003);
	assert_int_equal(take(0), -1); /* armed again only by a write to ESR */
	assert_int_equal(errors(0), ESR_RECEIVE | ESR_SEND);
	fixed(0, 3);
	assert_int_equal(take(0), 0xfe);
}

static void error_interrupt_with_an_illegal_vector(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	for (u32 v = 0; v < 16; v++) {
		wr(0, LVTERR, v);
		wr(0, ICR, 0x40000 | v);
		assert_int_equal(errors(0), ESR_SEND | ESR_RECEIVE);
		fixed(0, (u8)v);
		rd(0, 0);
		assert_int_equal(errors(0), ESR_RECEIVE | ESR_ADDRESS);
	}
	assert_int_equal(take(0), -1);
	assert_int_equal(f.kicks[0], 0);
}

/* ---- local interrupts ---- */

static void lint_edges(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	lapic_set_lint(&f.l[0], 0, true); /* masked: lost */
	wr(0, LINT0, 0x45);
	assert_int_equal(take(0), -1);
	lapic_set_lint(&f.l[0], 0, false);
	lapic_set_lint(&f.l[0], 0, true);
	lapic_set_lint(&f.l[0], 0, true);
	assert_int_equal(take(0), 0x45);
	assert_int_equal(take(0), -1);
	assert_int_equal(f.eois, 0);
	wr(0, LINT1, NMI);
	lapic_set_lint(&f.l[0], 1, true);
	assert_int_equal(f.nmis[0], 1);
	lapic_set_lint(&f.l[0], 1, false);
	assert_int_equal(f.nmis[0], 1);
	wr(0, LINT1, 0x46 | LEVEL); /* levels are LINT0's alone */
	lapic_set_lint(&f.l[0], 1, true);
	assert_int_equal(rd(0, LINT1), 0x46 | LEVEL);
	assert_int_equal(take(0), 0x46);
	assert_int_equal(take(0), -1);
}

static void lint_modes(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	for (u32 mode = 0; mode < 8; mode++) {
		lapic_set_lint(&f.l[0], 1, false);
		wr(0, LINT1, mode << 8 | 0x47);
		lapic_set_lint(&f.l[0], 1, true);
		assert_int_equal(take(0), mode == APIC_FIXED ? 0x47 : -1);
		if (mode == APIC_INIT)
			wr(0, SVR, 0x1ff);
	}
	assert_int_equal(f.nmis[0], 1);
	assert_int_equal(f.inits[0], 1);
	assert_int_equal(f.sipis[0], 0); /* reserved, as lowest priority and remote read */
	assert_int_equal(errors(0), 0);
}

static void lint0_level(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	wr(0, LINT0, 0x45 | LEVEL | MASKED);
	lapic_set_lint(&f.l[0], 0, true);
	assert_int_equal(take(0), -1);
	wr(0, LINT0, 0x45 | LEVEL); /* a level is seen when it is unmasked */
	assert_int_equal(rd(0, LINT0), 0x45 | LEVEL | REMOTE_IRR);
	wr(0, LINT0, 0x45 | LEVEL); /* remote IRR is read-only */
	assert_int_equal(rd(0, LINT0), 0x45 | LEVEL | REMOTE_IRR);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(take(0), 0x45); /* again after each EOI */
	assert_int_equal(lapic_ack(&f.l[0]), 0x45);
	lapic_set_lint(&f.l[0], 0, false);
	wr(0, EOI, 0);
	assert_int_equal(take(0), -1);
	assert_int_equal(rd(0, LINT0), 0x45 | LEVEL);
	lapic_set_lint(&f.l[0], 0, true);
	wr(0, LINT0, 0x45); /* as an edge it has no remote IRR */
	assert_int_equal(rd(0, LINT0), 0x45);
	take(0);
	assert_int_equal(take(0), -1);
	wr(0, LINT0, 0x05 | LEVEL); /* an illegal vector is not under way */
	assert_int_equal(errors(0), ESR_RECEIVE);
	assert_int_equal(rd(0, LINT0), 0x05 | LEVEL);
}

static void lint0_extint(void **state)
{
	(void)state;
	wr(0, SVR, 0x1ff);
	wr(0, LINT0, EXTINT | MASKED);
	lapic_set_lint(&f.l[0], 0, true);
	assert_int_equal(f.kicks[0], 0);
	wr(0, LINT0, EXTINT);
	assert_int_equal(f.kicks[0], 1);
	assert_int_equal(lapic_pending(&f.l[0]), -1); /* it bypasses IRR */
	wr(0, LINT0, EXTINT | MASKED);
	assert_true(set_base(0, 0)); /* no APIC: LINT0 is the INTR pin */
	assert_true(lapic_accepts_extint(&f.l[0]));
	lapic_set_lint(&f.l[0], 0, false);
	lapic_set_lint(&f.l[0], 0, true);
	assert_int_equal(f.kicks[0], 2);
}

/* ---- switched off ---- */

static void disabled(void **state)
{
	(void)state;
	disturb(1);
	assert_true(set_base(1, 0));
	assert_false(lapic_enabled(&f.l[1]));
	assert_int_equal(lapic_pending(&f.l[1]), -1);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	assert_int_equal(rd(1, ID), 0xffffffff);
	wr(1, SVR, 0x1ff);
	for (unsigned mode = 0; mode < 8; mode++)
		assert_false(lapic_deliver(&f.l[1], (enum apic_delivery)mode, 0x55, false));
	assert_int_equal(f.nmis[1] + f.inits[1] + f.sipis[1], 0);
	assert_true(set_base(1, BASE_EN));
	check_reset_values(1);
}

/* ---- any access at all ---- */

static u64 seed = 1;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* What is kept for speed agrees with the bitmaps, whatever has happened. */
static void check_maxima(const struct lapic *l)
{
	int irr = -1, isr = -1;

	for (int v = 0; v < APIC_VECTORS; v++) {
		irr = l->irr[v / 64] & BIT(v % 64) ? v : irr;
		isr = l->isr[v / 64] & BIT(v % 64) ? v : isr;
	}
	assert_int_equal(l->irr_max, irr);
	assert_int_equal(l->isr_max, isr);
	assert_true(l->pending == -1 || l->pending == irr);
}

static void random_accesses(void **state)
{
	u64 value;

	(void)state;
	enable_all();
	for (unsigned i = 0; i < 200000; i++) {
		u64 r = random64();
		struct lapic *l = &f.l[r % CPUS];
		u64 v = r >> 63 ? random64() : random64() & random64() & 0x1ffff;

		switch (r >> 8 & 7) {
		case 0: (void)lapic_ops.read(l, r >> 16 & 0xff8, 1u << (r >> 32 & 3)); break;
		case 1:
		case 2: lapic_ops.write(l, r >> 16 & 0xff0, 4, (u32)v); break;
		case 3: (void)lapic_wrmsr(l, MSR_X2APIC + (r >> 16 & 0x3f), v); break;
		case 4: (void)lapic_rdmsr(l, MSR_X2APIC + (r >> 16 & 0x3f), &value); break;
		case 5:
			(void)lapic_ack(l);
			lapic_ops.write(l, EOI * 16, 4, 0);
			break;
		case 6:
			lapic_set_lint(l, r >> 16 & 1, r >> 17 & 1);
			(void)lapic_wrmsr(l, MSR_DEADLINE, v);
			break;
		default:
			if ((r >> 16 & 0xff) == 0)
				(void)set_base((unsigned)(r % CPUS), v & (BASE_EN | BASE_EXTD));
			pass_time(r >> 40 & 0xffff);
		}
		check_maxima(l);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(power_up),
		TEST(init_resets),
		TEST(init_keeps_x2apic),
		TEST(virtual_wire),
		TEST(writable_bits),
		TEST(reserved_registers),
		TEST(odd_accesses),
		TEST(priorities),
		TEST(tpr_holds_back),
		TEST(nesting),
		TEST(every_vector),
		TEST(level_eoi_is_broadcast),
		TEST(software_disabled),
		TEST(esr_is_latched_by_a_write),
		TEST(error_interrupt),
		TEST(error_interrupt_with_an_illegal_vector),
		TEST(lint_edges),
		TEST(lint_modes),
		TEST(lint0_level),
		TEST(lint0_extint),
		TEST(disabled),
		TEST(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
