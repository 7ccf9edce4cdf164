/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INIT, start-up IPIs and the mailbox, as a vcpu heeds them: what it begins with, and which of them
 * has no effect.
 *
 * Sources: hv/vm/startup.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/dev/layout.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/cr.h"
#include "hv/vm/debug.h"
#include "hv/vm/vm.h"

#define VERSION 0x50654u
#define OFFSET	0x123456789ul

static struct {
	struct vcpu_state loaded;
	unsigned loads, checks;
	bool cannot_run;
	u64 tsc_offset;
	enum vm_end end;
	unsigned halt_checks;
} f;

static struct mmu_ops mmu_ops;
static struct mmu mmu = { .ops = &mmu_ops };
static struct vm vm = { .mmu = &mmu };
static struct vcpu v;

/* ---- what it asks of the others ---- */

void vcpu_post(struct vcpu *to, unsigned long work)
{
	vcpu_work_set(to, work);
}

void vm_end(struct vm *of, enum vm_end why, u8 status)
{
	(void)of, (void)status;
	f.end = why;
}

void vm_check_halt(struct vm *of)
{
	(void)of;
	f.halt_checks++;
}

void debug_loaded(struct vcpu *of)
{
	(void)of;
}

bool vcpu_can_run_with(struct vcpu *of, u64 cr0)
{
	(void)of, (void)cr0;
	f.checks++;
	return !f.cannot_run;
}

void cpuid_lookup(const struct cpuid_table *t, u32 leaf, u32 subleaf, u64 cr4, u64 xcr0,
	bool apic_enabled, struct cpuid_regs *out)
{
	(void)t, (void)subleaf, (void)cr4, (void)xcr0, (void)apic_enabled;
	*out = (struct cpuid_regs){ .eax = leaf == 1 ? VERSION : 0 };
}

static void load(struct vcpu *of, const struct vcpu_state *s)
{
	f.loaded = *s;
	f.loads++;
	f.tsc_offset = 0; /* as the provider does */
	of->exit_tsc = 0;
}

static u64 get(struct vcpu *of, enum vcpu_reg r)
{
	(void)of;
	assert_int_equal(r, VREG_TSC_OFFSET);
	return f.tsc_offset;
}

static void set(struct vcpu *of, enum vcpu_reg r, u64 value)
{
	(void)of;
	assert_int_equal(r, VREG_TSC_OFFSET);
	f.tsc_offset = value;
}

static const struct cpu_ops ops = { .load = load, .get = get, .set = set };

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	memset(&v, 0, sizeof(v));
	v.vm = &vm;
	v.ops = &ops;
	v.index = 1;
	v.exit_tsc = 77;
	f.tsc_offset = OFFSET;
	return 0;
}

/* ---- the tests ---- */

static void begins_in_real_mode(void **state)
{
	const struct vcpu_state *s = &f.loaded;

	(void)state;
	v.work = WORK_PARKED;
	vcpu_signal_sipi(&v, 0x9a);
	vcpu_signal_sipi(&v, 0x9b); /* the first one counts */
	assert_true(vcpu_startup(&v));
	assert_int_equal(v.work, 0);
	assert_int_equal(f.loads, 1);
	assert_int_equal(s->seg[SEG_CS].base, 0x9a000);
	assert_int_equal(s->seg[SEG_CS].selector, 0x9a00);
	assert_int_equal(s->rip, 0);
	assert_int_equal(s->gpr[RDX], VERSION);
	assert_int_equal(s->cr0 & (CR0_PE | CR0_PG), 0);
	assert_int_equal(s->efer, 0);
	assert_int_equal(s->seg[SEG_DS].base, 0);
	assert_int_equal(s->idtr.limit, 0xffff);
	/* What INIT leaves alone. */
	assert_int_equal(f.tsc_offset, OFFSET);
	assert_int_equal(v.exit_tsc, 77);
}

/* Where there is no real mode the VM is over, and nothing has changed that its MMU does not know.
 */
static void is_refused_with_its_registers_as_they_were(void **state)
{
	(void)state;
	f.cannot_run = true;
	v.work = WORK_PARKED;
	vcpu_signal_sipi(&v, 0x9a);
	assert_true(vcpu_startup(&v));
	assert_int_equal(f.checks, 1);
	assert_int_equal(f.loads, 0);
	assert_int_equal(f.tsc_offset, OFFSET);
}

static void waits_and_hears_nothing_else(void **state)
{
	(void)state;
	v.work = WORK_PARKED | WORK_IRQ | WORK_NMI | WORK_EVENT | WORK_INPUT | WORK_RESCHED;
	assert_false(vcpu_startup(&v));
	assert_int_equal(v.work, WORK_PARKED | WORK_RESCHED);
	assert_int_equal(f.loads, 0);
	assert_int_equal(f.halt_checks, 1); /* it may have been the last that could run */
}

static void init_parks_one_that_runs(void **state)
{
	(void)state;
	v.work = WORK_HALTED | WORK_DEAF | WORK_NMI;
	vcpu_signal_init(&v);
	assert_false(vcpu_startup(&v));
	assert_int_equal(v.work, WORK_PARKED);
	vcpu_signal_init(&v);
	assert_false(vcpu_startup(&v));
	vcpu_signal_sipi(&v, 1);
	assert_true(vcpu_startup(&v));
	assert_int_equal(f.loaded.seg[SEG_CS].base, 0x1000);
}

static void one_that_runs_heeds_no_sipi(void **state)
{
	(void)state;
	v.work = WORK_IRQ;
	vcpu_signal_sipi(&v, 5);
	assert_true(vcpu_startup(&v));
	assert_int_equal(v.work, WORK_IRQ);
	assert_int_equal(f.loads, 0);
}

/* Both may have come before it looks: what counts is the order in which they were sent. */
static void order_is_kept(void **state)
{
	(void)state;
	vcpu_signal_init(&v);
	vcpu_signal_sipi(&v, 5);
	assert_true(vcpu_startup(&v));
	assert_int_equal(f.loads, 1);
	vcpu_signal_sipi(&v, 6);
	vcpu_signal_init(&v);
	assert_false(vcpu_startup(&v));
	assert_int_equal(f.loads, 1);
	assert_int_equal(v.work, WORK_PARKED);
}

static void init_of_the_first_is_a_reset(void **state)
{
	(void)state;
	v.index = 0;
	vcpu_signal_init(&v);
	assert_true(vcpu_startup(&v));
	assert_int_equal(f.end, VM_END_RESET);
	assert_int_equal(f.loads, 0);
	assert_int_equal(v.work & WORK_PARKED, 0);
}

/* Parked or not: a processor that the kernel took off is in HLT, and comes back by the mailbox. */
static void the_mailbox_begins_in_64_bit_mode(void **state)
{
	const struct vcpu_state *s = &f.loaded;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		v.work = i ? WORK_HALTED | WORK_DEAF : WORK_PARKED;
		vcpu_signal_wake(&v, 0x98000 + i);
		assert_true(vcpu_startup(&v));
		assert_int_equal(v.work, 0);
		assert_int_equal(f.loads, i + 1);
		assert_int_equal(s->rip, 0x98000 + i);
		assert_int_equal(s->cr3, LAYOUT_WAKEUP_TABLES);
		assert_int_equal(s->efer, EFER_LME | EFER_LMA);
		assert_true((s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE));
		assert_true(s->seg[SEG_CS].ar & SEG_AR_L);
	}
	vcpu_signal_init(&v);
	vcpu_signal_sipi(&v, 7);
	assert_true(vcpu_startup(&v));
	assert_int_equal(s->seg[SEG_CS].base, 0x7000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(begins_in_real_mode, setup),
		cmocka_unit_test_setup(is_refused_with_its_registers_as_they_were, setup),
		cmocka_unit_test_setup(waits_and_hears_nothing_else, setup),
		cmocka_unit_test_setup(init_parks_one_that_runs, setup),
		cmocka_unit_test_setup(one_that_runs_heeds_no_sipi, setup),
		cmocka_unit_test_setup(order_is_kept, setup),
		cmocka_unit_test_setup(init_of_the_first_is_a_reset, setup),
		cmocka_unit_test_setup(the_mailbox_begins_in_64_bit_mode, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
