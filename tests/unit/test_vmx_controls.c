/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The negotiation of the VMX controls: for every row of every table, a CPU that does not go along.
 *
 * Sources: vmx/caps.c vmx/controls.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vmx_models.h"
#include "vmx/controls.h"
#include "vmx/fields.h"

static struct vmx_caps caps_of(const struct model *m)
{
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	model = m;
	assert_int_equal(vmx_caps_read(&c, &model_probe, err), OK);
	return c;
}

static void words(void **state)
{
	static const struct {
		const struct model *model;
		u32 word[VMX_WORDS];
	} want[] = {
		{ &model_sandy_bridge, { 0x7f, 0xb6186dfa, 0xea, 0x3fefff, 0xd1ff } },
		{ &model_skylake_x, { 0x7f, 0xb6186dfa, 0x1010ea, 0x3fefff, 0xd1ff } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		struct vmx_caps c = caps_of(want[i].model);
		struct vmx_controls out;
		char err[VMX_ERR_SIZE];

		assert_int_equal(vmx_controls_negotiate(&c, VMX_TWO_LEVEL, &out, err), OK);
		for (unsigned w = 0; w < VMX_WORDS; w++) {
			assert_int_equal(out.word[w], want[i].word[w]);
			assert_int_equal(c.word[w].must & ~out.word[w], 0);
			assert_int_equal(out.word[w] & ~c.word[w].may, 0);
		}
		assert_int_equal(out.dynamic[VMX_PROC],
			PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW |
				((PROC_MOV_DR | PROC_MONITOR_TRAP) & c.word[VMX_PROC].may));
		assert_int_equal(out.dynamic[VMX_ENTRY], VMENTRY_IA32E_GUEST);
		assert_true(vmx_controls_have(&out, VMX_PROC, PROC_NMI_WINDOW));
		assert_true(vmx_controls_have(&out, VMX_PROC2, PROC2_EPT));
		assert_false(vmx_controls_have(&out, VMX_PROC2, PROC2_PML));
	}
}

/* Shadow paging: what the oldest of them has is enough, and no CPU uses EPT, PAT or EFER. */
static void one_level_words(void **state)
{
	static const struct {
		const struct model *model;
		u32 word[VMX_WORDS];
	} want[] = {
		{ &model_penryn, { 0x3f, 0xb619effa, 0x40, 0x3efff, 0x11ff } },
		{ &model_sandy_bridge, { 0x7f, 0xb619effa, 0x68, 0x3efff, 0x11ff } },
		{ &model_skylake_x, { 0x7f, 0xb619effa, 0x100068, 0x3efff, 0x11ff } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		struct vmx_caps c = caps_of(want[i].model);
		struct vmx_controls out;
		char err[VMX_ERR_SIZE];

		assert_int_equal(vmx_controls_negotiate(&c, VMX_ONE_LEVEL, &out, err), OK);
		for (unsigned w = 0; w < VMX_WORDS; w++) {
			assert_int_equal(out.word[w], want[i].word[w]);
			assert_int_equal(c.word[w].must & ~out.word[w], 0);
			assert_int_equal(out.word[w] & ~c.word[w].may, 0);
		}
		assert_int_equal(out.dynamic[VMX_ENTRY], VMENTRY_IA32E_GUEST);
		assert_true(vmx_controls_have(&out, VMX_PROC, PROC_INVLPG | PROC_CR3_LOAD));
		assert_false(vmx_controls_have(&out, VMX_PROC2, PROC2_EPT));
		assert_false(vmx_controls_have(&out, VMX_ENTRY, VMENTRY_LOAD_EFER));
	}
}

static void expect_error(const struct vmx_caps *c, enum vmx_mode mode, const char *what, unsigned w,
	const struct vmx_control_row *r)
{
	struct vmx_controls out;
	char err[VMX_ERR_SIZE], want[VMX_ERR_SIZE];
	const char *cost;

	vmx_control_need(mode, (enum vmx_word)w, r, &cost);
	assert_int_equal(vmx_controls_negotiate(c, mode, &out, err), ERR_NOTSUP);
	snprintf(want, sizeof(want), "this CPU %s \"%s\" in the %s: %s", what, r->name,
		vmx_control_tables[w].name, cost);
	assert_string_equal(err, want);
	assert_true(strlen(want) < VMX_ERR_SIZE - 1);
}

static enum vmx_need need_of(enum vmx_mode mode, unsigned w, const struct vmx_control_row *r)
{
	const char *cost;

	return vmx_control_need(mode, (enum vmx_word)w, r, &cost);
}

static void row_missing(enum vmx_mode mode, unsigned w, const struct vmx_control_row *r)
{
	struct vmx_caps c = caps_of(&model_skylake_x);
	enum vmx_need need = need_of(mode, w, r);
	struct vmx_controls out;
	char err[VMX_ERR_SIZE];

	c.word[w].may &= ~r->bit;
	c.word[w].must &= ~r->bit;
	if (need == VMX_REQUIRED) {
		expect_error(&c, mode, "does not have", w, r);
		return;
	}
	assert_int_equal(vmx_controls_negotiate(&c, mode, &out, err), OK);
	assert_false(vmx_controls_have(&out, (enum vmx_word)w, r->bit));
}

static void row_forced(enum vmx_mode mode, unsigned w, const struct vmx_control_row *r)
{
	struct vmx_caps c = caps_of(&model_skylake_x);
	enum vmx_need need = need_of(mode, w, r);
	struct vmx_controls out;
	char err[VMX_ERR_SIZE];

	c.word[w].may |= r->bit;
	c.word[w].must |= r->bit;
	if (need == VMX_REFUSED || r->dynamic) {
		expect_error(&c, mode, "insists on", w, r);
		return;
	}
	assert_int_equal(vmx_controls_negotiate(&c, mode, &out, err), OK);
	assert_true(out.word[w] & r->bit);
}

static void every_row(void **state)
{
	(void)state;
	for (unsigned w = 0; w < VMX_WORDS; w++) {
		const struct vmx_control_table *t = &vmx_control_tables[w];
		u32 seen = 0;

		for (unsigned i = 0; i < t->count; i++) {
			assert_true(IS_POW2(t->rows[i].bit));
			assert_true(t->rows[i].bit > seen); /* the manual's order, none twice */
			seen = t->rows[i].bit;
			for (unsigned m = 0; m < VMX_MODES; m++) {
				row_missing((enum vmx_mode)m, w, &t->rows[i]);
				row_forced((enum vmx_mode)m, w, &t->rows[i]);
			}
		}
	}
}

static void the_sentence(void **state)
{
	struct vmx_caps c = caps_of(&model_sandy_bridge);
	struct vmx_controls out;
	char err[VMX_ERR_SIZE];

	(void)state;
	c.word[VMX_PIN].may &= ~PIN_VIRTUAL_NMIS;
	assert_int_equal(vmx_controls_negotiate(&c, VMX_TWO_LEVEL, &out, err), ERR_NOTSUP);
	assert_string_equal(err, "this CPU does not have \"virtual NMIs\" in the pin-based "
				 "VM-execution controls: a guest's blocking of NMIs could not be "
				 "told from the machine's");
}

/* Of all that an old CPU lacks, EPT is what the sentence is about. */
static void ept_comes_first(void **state)
{
	struct vmx_caps c = caps_of(&model_penryn);
	struct vmx_controls out;
	char err[VMX_ERR_SIZE];

	(void)state;
	assert_int_equal(vmx_controls_negotiate(&c, VMX_TWO_LEVEL, &out, err), ERR_NOTSUP);
	assert_string_equal(err, "this CPU does not have \"enable EPT\" in the secondary "
				 "processor-based VM-execution controls: guest memory is "
				 "translated by shadow tables, which cost exits");
}

/* A bit that we know nothing of is as the CPU insists. */
static void unknown_bits(void **state)
{
	struct vmx_caps c = caps_of(&model_sandy_bridge);
	struct vmx_controls out;
	char err[VMX_ERR_SIZE];

	(void)state;
	c.word[VMX_EXIT].may = ~0u;
	c.word[VMX_EXIT].must |= VMEXIT_CONCEAL_PT;
	assert_int_equal(vmx_controls_negotiate(&c, VMX_TWO_LEVEL, &out, err), OK);
	assert_true(out.word[VMX_EXIT] & VMEXIT_CONCEAL_PT);
	assert_false(out.word[VMX_EXIT] & VMEXIT_CLEAR_BNDCFGS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(one_level_words),
		cmocka_unit_test(every_row),
		cmocka_unit_test(the_sentence),
		cmocka_unit_test(ept_comes_first),
		cmocka_unit_test(unknown_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
