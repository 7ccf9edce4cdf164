/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which CR0 a vcpu can run with: by a provider that runs everything, one that always pages, and one
 * that needs the guest to page. What the architecture forbids is told apart from what we lack.
 *
 * Sources: hv/vm/cr.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/cr.h"
#include "hv/vm/vm.h"

#define PROTECTED (CR0_PE | CR0_ET)
#define PAGED	  (CR0_PG | PROTECTED)

static u64 reg[VREG_COUNT], needed;
static unsigned crashes, changes;
static char why[256];

/* ---- what the code under test calls ---- */

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
	va_list ap;

	(void)v;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	crashes++;
}

enum status guest_read(const struct guestmem *gm, gpa_t gpa, void *to, size_t len)
{
	(void)gm;
	(void)gpa;
	memset(to, 0, len);
	return OK;
}

unsigned cpuid_maxphyaddr(const struct cpuid_table *t)
{
	(void)t;
	return 40;
}

u64 cpuid_cr4_allowed(const struct cpuid_table *t)
{
	(void)t;
	return CR4_PAE;
}

u64 cpuid_xcr0_allowed(const struct cpuid_table *t)
{
	(void)t;
	return 0;
}

static u64 get(struct vcpu *v, enum vcpu_reg r)
{
	(void)v;
	return reg[r];
}

static void set(struct vcpu *v, enum vcpu_reg r, u64 value)
{
	(void)v;
	reg[r] = value;
}

static void get_segment(struct vcpu *v, enum seg s, struct segment *out)
{
	(void)v;
	(void)s;
	memset(out, 0, sizeof(*out));
}

static u64 cr0_needed(struct vcpu *v)
{
	(void)v;
	return needed;
}

static void set_pdptes(struct vcpu *v, const u64 pdpte[4])
{
	(void)v;
	(void)pdpte;
}

static void paging_changed(struct vcpu *v)
{
	(void)v;
	changes++;
}

static const struct cpu_ops ops = { .get = get,
	.set = set,
	.get_segment = get_segment,
	.cr0_needed = cr0_needed,
	.set_pdptes = set_pdptes };
static const struct mmu_ops mmu_ops = { .paging_changed = paging_changed };
static struct mmu mmu = { .ops = &mmu_ops };
static struct vm vm = { .mmu = &mmu };
static struct vcpu v = { .ops = &ops, .vm = &vm };

static void start(u64 need, u64 cr0)
{
	memset(reg, 0, sizeof(reg));
	reg[VREG_CR0] = cr0;
	needed = need;
	crashes = changes = 0;
	why[0] = '\0';
}

static void everything_runs(void **state)
{
	(void)state;
	start(0, PAGED);
	assert_true(vcpu_write_cr0(&v, PROTECTED));
	assert_true(vcpu_write_cr0(&v, CR0_ET));
	assert_int_equal(reg[VREG_CR0], CR0_ET);
	assert_int_equal(changes, 2);
	assert_int_equal(crashes, 0);
}

/* Shadow paging: no real mode, but paging may go off. */
static void no_real_mode(void **state)
{
	(void)state;
	start(CR0_PE, PAGED);
	assert_true(vcpu_write_cr0(&v, PROTECTED));
	assert_int_equal(crashes, 0);
	assert_true(vcpu_write_cr0(&v, CR0_ET));
	assert_int_equal(crashes, 1);
	assert_int_equal(reg[VREG_CR0], PROTECTED);
	assert_string_equal(why, "real mode (CR0.PE is 0) takes EPT with \"unrestricted guest\"; "
				 "without it guests stay in protected mode");
}

/* EPT without unrestricted guest. */
static void no_paging_off(void **state)
{
	(void)state;
	start(CR0_PE | CR0_PG, PAGED);
	assert_true(vcpu_write_cr0(&v, PAGED | CR0_WP));
	assert_int_equal(crashes, 0);
	assert_true(vcpu_write_cr0(&v, PROTECTED));
	assert_int_equal(crashes, 1);
	assert_int_equal(reg[VREG_CR0], PAGED | CR0_WP);
	assert_string_equal(why, "EPT with paging off (CR0.PG is 0) takes \"unrestricted guest\", "
				 "which this processor lacks; mmu=shadow does without");
}

/* A first instruction in a mode that cannot run is no #GP either. */
static void at_the_start(void **state)
{
	(void)state;
	start(CR0_PE, 0);
	assert_false(vcpu_can_run_with(&v, CR0_ET));
	assert_int_equal(crashes, 1);
	assert_true(vcpu_can_run_with(&v, PROTECTED));
	assert_int_equal(crashes, 1);
}

/* What is #GP on every processor stays that. */
static void forbidden(void **state)
{
	static const u64 values[] = { CR0_PG | CR0_ET, PAGED | CR0_NW, PAGED | BIT(32) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		start(CR0_PE | CR0_PG, PAGED);
		assert_false(vcpu_write_cr0(&v, values[i]));
		assert_int_equal(reg[VREG_CR0], PAGED);
		assert_int_equal(crashes + changes, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_runs),
		cmocka_unit_test(no_real_mode),
		cmocka_unit_test(no_paging_off),
		cmocka_unit_test(at_the_start),
		cmocka_unit_test(forbidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
