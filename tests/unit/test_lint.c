/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lint: VMCSs that a CPU would accept, then one thing wrong at a time, each with the exact
 * sentences it must draw. A case without a sentence is one that must not be complained about.
 *
 * Sources: vmx/caps.c vmx/controls.c vmx/fields.c vmx/lint.c vmx/lint_controls.c vmx/lint_guest.c
 * vmx/lint_host.c vmx/lint_segments.c
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
#include "vmx/lint.h"

#define MAX_SETS      8
#define MAX_SENTENCES 8
#define MAX_FIELDS    256
#define THIS_VMCS     0x50000ul

/* One change of a field: new value = (old & ~clear) | bits. */
struct change {
	u32 field;
	u64 clear, bits;
};

#define SET(f, v)                                                                                  \
	{                                                                                          \
		f, ~0ul, v                                                                         \
	}
#define ON(f, b)                                                                                   \
	{                                                                                          \
		f, 0, b                                                                            \
	}
#define OFF(f, b)                                                                                  \
	{                                                                                          \
		f, b, 0                                                                            \
	}

struct snapshot {
	u32 field[MAX_FIELDS];
	u64 value[MAX_FIELDS];
	unsigned count;
};

/* A 64-bit kernel in ring 0. Controls come from the negotiation. */
static const struct change long_mode[] = {
	SET(VMCS_VPID, 1),
	SET(VMCS_IO_BITMAP_A, 0x10000),
	SET(VMCS_IO_BITMAP_B, 0x11000),
	SET(VMCS_MSR_BITMAPS, 0x12000),
	SET(VMCS_EPT_POINTER, 0x1301e),
	SET(VMCS_CR3_TARGET_COUNT, 0),
	SET(VMCS_EXIT_MSR_STORE_COUNT, 0),
	SET(VMCS_EXIT_MSR_LOAD_COUNT, 0),
	SET(VMCS_ENTRY_MSR_LOAD_COUNT, 0),
	SET(VMCS_ENTRY_INTR_INFO, 0),

	SET(VMCS_HOST_CR0, 0x80050033),
	SET(VMCS_HOST_CR3, 0x1000),
	SET(VMCS_HOST_CR4, 0x2020),
	SET(VMCS_HOST_PAT, PAT_RESET),
	SET(VMCS_HOST_EFER, 0xd01),
	SET(VMCS_HOST_SYSENTER_ESP, 0),
	SET(VMCS_HOST_SYSENTER_EIP, 0),
	SET(VMCS_HOST_ES_SELECTOR, 0),
	SET(VMCS_HOST_CS_SELECTOR, 0x8),
	SET(VMCS_HOST_SS_SELECTOR, 0x10),
	SET(VMCS_HOST_DS_SELECTOR, 0),
	SET(VMCS_HOST_FS_SELECTOR, 0),
	SET(VMCS_HOST_GS_SELECTOR, 0),
	SET(VMCS_HOST_TR_SELECTOR, 0x18),
	SET(VMCS_HOST_FS_BASE, 0),
	SET(VMCS_HOST_GS_BASE, 0xffffffff80001000),
	SET(VMCS_HOST_TR_BASE, 0xffffffff80002000),
	SET(VMCS_HOST_GDTR_BASE, 0xffffffff80003000),
	SET(VMCS_HOST_IDTR_BASE, 0xffffffff80004000),
	SET(VMCS_HOST_RIP, 0xffffffff80100000),

	ON(VMCS_ENTRY_CONTROLS, VMENTRY_IA32E_GUEST),
	SET(VMCS_GUEST_CR0, 0x80050033),
	SET(VMCS_GUEST_CR3, 0x2000),
	SET(VMCS_GUEST_CR4, 0x2020),
	SET(VMCS_GUEST_DEBUGCTL, 0),
	SET(VMCS_GUEST_DR7, DR7_INIT),
	SET(VMCS_GUEST_PAT, PAT_RESET),
	SET(VMCS_GUEST_EFER, 0xd01),
	SET(VMCS_GUEST_SYSENTER_ESP, 0),
	SET(VMCS_GUEST_SYSENTER_EIP, 0xffffffff81000000),
	SET(VMCS_GUEST_ES_SELECTOR, 0x18),
	SET(VMCS_GUEST_CS_SELECTOR, 0x10),
	SET(VMCS_GUEST_SS_SELECTOR, 0x18),
	SET(VMCS_GUEST_DS_SELECTOR, 0x18),
	SET(VMCS_GUEST_FS_SELECTOR, 0x18),
	SET(VMCS_GUEST_GS_SELECTOR, 0x18),
	SET(VMCS_GUEST_LDTR_SELECTOR, 0),
	SET(VMCS_GUEST_TR_SELECTOR, 0x40),
	SET(VMCS_GUEST_ES_BASE, 0),
	SET(VMCS_GUEST_CS_BASE, 0),
	SET(VMCS_GUEST_SS_BASE, 0),
	SET(VMCS_GUEST_DS_BASE, 0),
	SET(VMCS_GUEST_FS_BASE, 0x7f0000000000),
	SET(VMCS_GUEST_GS_BASE, 0xffff888000000000),
	SET(VMCS_GUEST_LDTR_BASE, 0),
	SET(VMCS_GUEST_TR_BASE, 0xfffffe0000003000),
	SET(VMCS_GUEST_ES_LIMIT, 0xffffffff),
	SET(VMCS_GUEST_CS_LIMIT, 0xffffffff),
	SET(VMCS_GUEST_SS_LIMIT, 0xffffffff),
	SET(VMCS_GUEST_DS_LIMIT, 0xffffffff),
	SET(VMCS_GUEST_FS_LIMIT, 0xffffffff),
	SET(VMCS_GUEST_GS_LIMIT, 0xffffffff),
	SET(VMCS_GUEST_LDTR_LIMIT, 0),
	SET(VMCS_GUEST_TR_LIMIT, 0x67),
	SET(VMCS_GUEST_ES_ACCESS_RIGHTS, 0xc093),
	SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b),
	SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc093),
	SET(VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc093),
	SET(VMCS_GUEST_FS_ACCESS_RIGHTS, 0xc093),
	SET(VMCS_GUEST_GS_ACCESS_RIGHTS, 0xc093),
	SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, VMCS_AR_UNUSABLE),
	SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b),
	SET(VMCS_GUEST_GDTR_BASE, 0xfffffe0000001000),
	SET(VMCS_GUEST_IDTR_BASE, 0xfffffe0000000000),
	SET(VMCS_GUEST_GDTR_LIMIT, 0x7f),
	SET(VMCS_GUEST_IDTR_LIMIT, 0xffff),
	SET(VMCS_GUEST_RIP, 0xffffffff81000000),
	SET(VMCS_GUEST_RFLAGS, 0x202),
	SET(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE),
	SET(VMCS_GUEST_INTERRUPTIBILITY, 0),
	SET(VMCS_GUEST_PENDING_DEBUG, 0),
	SET(VMCS_LINK_POINTER, VMCS_LINK_NONE),
};

/* Changes to the 64-bit kernel that make it run in other modes. */
static const struct change protected_mode[] = {
	OFF(VMCS_ENTRY_CONTROLS, VMENTRY_IA32E_GUEST),
	SET(VMCS_GUEST_EFER, 0),
	SET(VMCS_GUEST_CR4, 0x2000),
	SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc09b),
	SET(VMCS_GUEST_RIP, 0x100000),
};

static const struct change pae_paging[] = {
	OFF(VMCS_ENTRY_CONTROLS, VMENTRY_IA32E_GUEST),
	SET(VMCS_GUEST_EFER, 0x800),
	SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc09b),
	SET(VMCS_GUEST_RIP, 0x100000),
	SET(VMCS_GUEST_PDPTE0, 0x1001),
	SET(VMCS_GUEST_PDPTE1, 0x2e19),
	SET(VMCS_GUEST_PDPTE2, 0),
	SET(VMCS_GUEST_PDPTE3, 0x3001),
};

#define V86_SEGMENT(name)                                                                          \
	SET(VMCS_GUEST_##name##_SELECTOR, 0x1234), SET(VMCS_GUEST_##name##_BASE, 0x12340),         \
		SET(VMCS_GUEST_##name##_LIMIT, 0xffff),                                            \
		SET(VMCS_GUEST_##name##_ACCESS_RIGHTS, 0xf3)

static const struct change virtual_8086[] = {
	OFF(VMCS_ENTRY_CONTROLS, VMENTRY_IA32E_GUEST),
	SET(VMCS_GUEST_EFER, 0),
	SET(VMCS_GUEST_CR4, 0x2000),
	SET(VMCS_GUEST_RIP, 0x100),
	SET(VMCS_GUEST_RFLAGS, 0x23202),
	V86_SEGMENT(ES),
	V86_SEGMENT(CS),
	V86_SEGMENT(SS),
	V86_SEGMENT(DS),
	V86_SEGMENT(FS),
	V86_SEGMENT(GS),
};

#define REAL_SEGMENT(name, ar)                                                                     \
	SET(VMCS_GUEST_##name##_SELECTOR, 0), SET(VMCS_GUEST_##name##_BASE, 0),                    \
		SET(VMCS_GUEST_##name##_LIMIT, 0xffff), SET(VMCS_GUEST_##name##_ACCESS_RIGHTS, ar)

static const struct change real_mode[] = {
	OFF(VMCS_ENTRY_CONTROLS, VMENTRY_IA32E_GUEST),
	SET(VMCS_GUEST_CR0, 0x20),
	SET(VMCS_GUEST_CR4, 0x2000),
	SET(VMCS_GUEST_EFER, 0),
	SET(VMCS_GUEST_RIP, 0x8000),
	REAL_SEGMENT(ES, 0x93),
	REAL_SEGMENT(CS, 0x93),
	REAL_SEGMENT(SS, 0x93),
	REAL_SEGMENT(DS, 0x93),
	REAL_SEGMENT(FS, 0x93),
	REAL_SEGMENT(GS, 0x93),
};

/* CPUs: three that exist, and one that has everything, so that a single rule can be broken. */
enum cpu {
	penryn,
	sandy_bridge,
	skylake_x,
	full,
	no_mtf,
	no_sipi,
	any_error,
	wbinvd_must
};

static struct vmx_caps caps_of(enum cpu cpu)
{
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	model = cpu == penryn	      ? &model_penryn
		: cpu == sandy_bridge ? &model_sandy_bridge
				      : &model_skylake_x;
	assert_int_equal(vmx_caps_read(&c, &model_probe, err), OK);
	if (cpu <= skylake_x)
		return c;
	for (unsigned w = 0; w < VMX_WORDS; w++)
		c.word[w].may = ~0u;
	c.cr4_fixed1 = 0xffffffff;
	c.sgx = c.rtm = c.bus_lock = true;
	if (cpu == no_mtf)
		c.word[VMX_PROC].may &= ~PROC_MONITOR_TRAP;
	if (cpu == no_sipi)
		c.misc &= ~VMX_MISC_WAIT_SIPI;
	if (cpu == any_error)
		c.basic |= VMX_BASIC_ANY_ERROR;
	if (cpu == wbinvd_must)
		c.word[VMX_PROC2].must |= PROC2_WBINVD;
	return c;
}

static u64 *find(struct snapshot *s, u32 field)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->field[i] == field)
			return &s->value[i];
	return NULL;
}

static void apply(struct snapshot *s, const struct change *c, unsigned n)
{
	for (; n > 0 && (c->clear | c->bits); n--, c++) {
		u64 *v = find(s, c->field);

		if (!v) {
			assert_true(s->count < MAX_FIELDS);
			s->field[s->count] = c->field;
			v = &s->value[s->count++];
			*v = 0;
		}
		*v = (*v & ~c->clear) | c->bits;
	}
}

/* A field that the case does not give is one that the lint must not read. */
static u64 read_field(void *ctx, u32 field)
{
	u64 *v = find(ctx, field);

	if (!v)
		fail_msg("the lint reads %s, which does not matter here", vmcs_field_name(field));
	return *v;
}

struct heard {
	unsigned count;
	char text[MAX_SENTENCES][LINT_SENTENCE_SIZE];
};

static void hear(void *ctx, const char *sentence)
{
	struct heard *h = ctx;

	assert_true(h->count < MAX_SENTENCES);
	snprintf(h->text[h->count++], LINT_SENTENCE_SIZE, "%s", sentence);
}

static void lint(struct snapshot *s, const struct vmx_caps *caps, struct heard *h)
{
	struct lint_input in = {
		.vmread = read_field, .vmread_ctx = s, .caps = caps, .vmcs = THIS_VMCS
	};

	unsigned n;

	h->count = 0;
	n = vmx_lint(&in, hear, h);
	assert_int_equal(n, h->count);
}

struct mode {
	const struct change *changes;
	unsigned count;
};

#define MODE(m)                                                                                    \
	{                                                                                          \
		m, ARRAY_SIZE(m)                                                                   \
	}

static void take_level(
	struct snapshot *s, const struct vmx_caps *caps, enum vmx_mode level, struct mode mode)
{
	struct vmx_controls controls;
	char err[VMX_ERR_SIZE];

	assert_int_equal(vmx_controls_negotiate(caps, level, &controls, err), OK);
	s->count = 0;
	for (unsigned w = 0; w < VMX_WORDS; w++) {
		const struct change c = SET(vmx_control_tables[w].field, controls.word[w]);

		apply(s, &c, 1);
	}
	apply(s, long_mode, ARRAY_SIZE(long_mode));
	apply(s, mode.changes, mode.count);
}

static void take(struct snapshot *s, const struct vmx_caps *caps, struct mode mode)
{
	take_level(s, caps, VMX_TWO_LEVEL, mode);
}

static void accepted(void **state)
{
	static const struct mode modes[] = { MODE(long_mode), MODE(protected_mode),
		MODE(pae_paging), MODE(virtual_8086), MODE(real_mode) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		for (unsigned cpu = sandy_bridge; cpu <= full; cpu++) {
			struct vmx_caps caps = caps_of((enum cpu)cpu);
			struct snapshot s;
			struct heard h;

			take(&s, &caps, modes[i]);
			lint(&s, &caps, &h);
			if (h.count)
				fail_msg("mode %u: %s", i, h.text[0]);
		}
}

/* Fields that a guest without EPT does not have, or that nothing loads. */
static void forget(struct snapshot *s)
{
	static const u32 fields[] = { VMCS_EPT_POINTER, VMCS_HOST_PAT, VMCS_HOST_EFER,
		VMCS_GUEST_PAT, VMCS_GUEST_EFER, VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1,
		VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3 };

	for (unsigned i = 0; i < s->count; i++)
		for (unsigned f = 0; f < ARRAY_SIZE(fields); f++)
			if (s->field[i] == fields[f])
				s->field[i] = ~0u;
}

/* Shadow paging: the processor always has paging on, and a guest that has not runs on PAE tables.
 */
static void one_level(void **state)
{
	static const struct mode modes[] = { MODE(long_mode), MODE(pae_paging),
		MODE(virtual_8086) };
	static const struct {
		struct change change;
		const char *expect;
	} cases[] = {
		{ OFF(VMCS_GUEST_CR0, CR0_PG),
			"Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR0 "
			"is 0x50033; by IA32_VMX_CR0_FIXED0 these must be 1: bit 31" },
		{ SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc093),
			"Checks on Guest Segment Registers: guest CS access rights is 0xc093; bits "
			"3:0 (type) must be accessed code: 9, 11, 13 or 15 (or 3 with "
			"\"unrestricted guest\")" },
		{ ON(VMCS_ENTRY_CONTROLS, VMENTRY_LOAD_EFER),
			"VM-Entry Control Fields: VM-entry controls is 0x91ff; by its capability "
			"MSR these must be 0: bit 15 (load IA32_EFER)" },
		{ ON(VMCS_PIN_BASED_CONTROLS, PIN_PREEMPTION_TIMER),
			"VM-Execution Control Fields: pin-based VM-execution controls is 0x7f; by "
			"its capability MSR these must be 0: bit 6 (activate VMX-preemption "
			"timer)" },
	};
	struct vmx_caps caps = caps_of(penryn);
	struct snapshot s;
	struct heard h;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		for (unsigned cpu = penryn; cpu <= full; cpu++) {
			struct vmx_caps c = caps_of((enum cpu)cpu);

			take_level(&s, &c, VMX_ONE_LEVEL, modes[i]);
			forget(&s);
			lint(&s, &c, &h);
			if (h.count)
				fail_msg("mode %u: %s", i, h.text[0]);
		}
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		take_level(&s, &caps, VMX_ONE_LEVEL, (struct mode)MODE(pae_paging));
		if (cases[i].change.field != VMCS_ENTRY_CONTROLS)
			forget(&s);
		apply(&s, &cases[i].change, 1);
		lint(&s, &caps, &h);
		assert_true(h.count > 0);
		assert_string_equal(h.text[0], cases[i].expect);
	}
}

struct lint_case {
	const char *name;
	enum cpu cpu;
	struct mode mode;
	struct change changes[MAX_SETS];
	const char *expect[MAX_SENTENCES];
};

#include "tests/unit/lint_cases_controls.h"
#include "tests/unit/lint_cases_guest.h"

static void run_case(const struct lint_case *c)
{
	struct vmx_caps caps = caps_of(c->cpu);
	struct snapshot s;
	struct heard h;
	unsigned n = 0;

	take(&s, &caps, c->mode);
	apply(&s, c->changes, MAX_SETS);
	lint(&s, &caps, &h);
	while (n < MAX_SENTENCES && c->expect[n])
		n++;
	for (unsigned i = 0; i < MAX(n, h.count); i++) {
		const char *want = i < n ? c->expect[i] : "nothing more";
		const char *got = i < h.count ? h.text[i] : "nothing more";

		if (strcmp(want, got) != 0)
			fail_msg("case \"%s\":\n  expected %s\n  got      %s", c->name, want, got);
	}
}

static void broken(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(control_and_host_cases); i++)
		run_case(&control_and_host_cases[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(guest_cases); i++)
		run_case(&guest_cases[i]);
}

/* Garbage in every field: many sentences, each of them whole, and no crash. */
static u64 all_ones(void *ctx, u32 field)
{
	(void)ctx;
	(void)field;
	return ~0ul;
}

static void count_sentence(void *ctx, const char *sentence)
{
	assert_non_null(strstr(sentence, " is 0xffffffffffffffff; "));
	assert_null(strstr(sentence, "unknown field"));
	assert_true(strlen(sentence) < LINT_SENTENCE_SIZE);
	++*(unsigned *)ctx;
}

static void garbage(void **state)
{
	struct vmx_caps caps = caps_of(sandy_bridge);
	struct lint_input in = { .vmread = all_ones, .caps = &caps, .vmcs = THIS_VMCS };
	unsigned heard = 0, broken_rules;

	(void)state;
	broken_rules = vmx_lint(&in, count_sentence, &heard);
	assert_int_equal(heard, broken_rules);
	assert_true(heard > 60);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(vmcs_field_name(VMCS_GUEST_RIP), "guest RIP");
	assert_string_equal(vmcs_field_name(VMCS_EXIT_CONTROLS), "VM-exit controls");
	assert_string_equal(vmcs_field_name(0x1234), "unknown field");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(one_level),
		cmocka_unit_test(broken),
		cmocka_unit_test(garbage),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
