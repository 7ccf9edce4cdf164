/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over the lint's rules, and the checks that several sections share. */
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "vmx/controls.h"
#include "vmx/lint_rules.h"

struct lint_out {
	void (*report)(void *ctx, const char *sentence);
	void *ctx;
	unsigned broken;
};

bool lint_canonical(const struct lint *l, u64 address)
{
	u64 high = GENMASK(63, l->caps->linear_bits - 1);

	return (address & high) == 0 || (address & high) == high;
}

u64 lint_beyond_physical(const struct lint *l, u64 address)
{
	return address & GENMASK(63, l->caps->physical_bits);
}

u64 lint_wrong_page(const struct lint *l, u64 v)
{
	return lint_beyond_physical(l, v) | (v & GENMASK(11, 0));
}

u64 lint_wrong_canonical(const struct lint *l, u64 v)
{
	return !lint_canonical(l, v);
}

u64 lint_high_half(const struct lint *l, u64 v)
{
	(void)l;
	return v & GENMASK(63, 32);
}

/* Each byte is a memory type: UC 0, WC 1, WT 4, WP 5, WB 6 or UC- 7. */
u64 lint_wrong_pat(const struct lint *l, u64 v)
{
	const u64 types = BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7);
	u64 wrong = 0;

	(void)l;
	for (unsigned shift = 0; shift < 64; shift += 8) {
		u64 type = (v >> shift) & 0xff;

		if (type > 7 || !(types & BIT(type)))
			wrong |= 0xfful << shift;
	}
	return wrong;
}

u64 lint_wrong_perf_global(const struct lint *l, u64 v)
{
	return v & ~l->caps->perf_global;
}

/* IA32_S_CET: bits 9:6 are reserved, bits 63:12 are an address, bits 10 and 11 exclude each other.
 */
u64 lint_wrong_s_cet(const struct lint *l, u64 v)
{
	u64 both = BIT(10) | BIT(11);

	if (!lint_canonical(l, v))
		return v;
	return (v & GENMASK(9, 6)) | ((v & both) == both ? both : 0);
}

u64 lint_wrong_ssp(const struct lint *l, u64 v)
{
	(void)l;
	return v & GENMASK(1, 0);
}

/* A control bit's name; NULL where the field is no control word or the bit has no row. */
static const char *bit_name(u32 field, unsigned bit)
{
	for (unsigned w = 0; w < VMX_WORDS; w++) {
		const struct vmx_control_table *t = &vmx_control_tables[w];

		for (unsigned i = 0; t->field == field && i < t->count; i++)
			if (t->rows[i].bit == BIT(bit))
				return t->rows[i].name;
	}
	return NULL;
}

/* Appends the list of bits to the sentence, as far as there is room. */
static void append_bits(char *s, u32 field, u64 bits)
{
	const char *lead = ": ";

	for (unsigned i = 0; i < 64; i++) {
		size_t n = strlen(s);
		const char *name = bit_name(field, i);

		if (!(bits & BIT(i)))
			continue;
		if (name)
			snprintf(s + n, LINT_SENTENCE_SIZE - n, "%sbit %u (%s)", lead, i, name);
		else
			snprintf(s + n, LINT_SENTENCE_SIZE - n, "%sbit %u", lead, i);
		lead = ", ";
	}
}

static void check_rule(
	struct lint *l, const char *title, const struct lint_rule *r, struct lint_out *out)
{
	char s[LINT_SENTENCE_SIZE];

	if (r->when && !r->when(l))
		return;
	for (u32 f = r->first; f <= r->last; f += FIELD_STEP) {
		u64 v = lint_get(l, f), wrong;

		l->field = f;
		wrong = r->wrong(l, v);
		if (!wrong)
			continue;
		snprintf(s, sizeof(s), "%s: %s is 0x%llx; %s", title, vmcs_field_name(f),
			(unsigned long long)v, r->must);
		if (r->show_bits)
			append_bits(s, f, wrong);
		out->report(out->ctx, s);
		out->broken++;
	}
}

static void check_sections(
	struct lint *l, const struct lint_section *s, unsigned n, struct lint_out *out)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < s[i].count; j++)
			check_rule(l, s[i].title, &s[i].rules[j], out);
}

unsigned vmx_lint(
	const struct lint_input *in, void (*report)(void *ctx, const char *sentence), void *ctx)
{
	struct lint l = { .in = in, .caps = in->caps };
	struct lint_out out = { .report = report, .ctx = ctx };

	l.pin = (u32)lint_get(&l, VMCS_PIN_BASED_CONTROLS);
	l.proc = (u32)lint_get(&l, VMCS_PROC_BASED_CONTROLS);
	if (l.proc & PROC_SECONDARY)
		l.proc2 = (u32)lint_get(&l, VMCS_PROC_BASED_CONTROLS2);
	l.exit = (u32)lint_get(&l, VMCS_EXIT_CONTROLS);
	l.entry = (u32)lint_get(&l, VMCS_ENTRY_CONTROLS);
	l.cr0 = lint_get(&l, VMCS_GUEST_CR0);
	l.cr4 = lint_get(&l, VMCS_GUEST_CR4);
	l.rflags = lint_get(&l, VMCS_GUEST_RFLAGS);
	l.intr_info = (u32)lint_get(&l, VMCS_ENTRY_INTR_INFO);

	check_sections(&l, lint_controls, ARRAY_SIZE(lint_controls), &out);
	check_sections(&l, lint_host, ARRAY_SIZE(lint_host), &out);
	check_sections(&l, &lint_guest[0], 1, &out);
	check_sections(&l, &lint_segments, 1, &out);
	check_sections(&l, &lint_guest[1], ARRAY_SIZE(lint_guest) - 1, &out);
	return out.broken;
}
