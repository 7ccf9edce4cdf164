/* SPDX-License-Identifier: BSD-2-Clause */
/* Lint: the manual's section "Checks on Guest Segment Registers", in its order. */
#include "vmx/lint_rules.h"

#define SELECTOR_RPL 3ul
#define SELECTOR_TI  BIT(2)
#define V86_LIMIT    0xffffu
#define V86_AR	     0xf3u /* present, DPL 3, data, read-write, accessed */

/* Segments in the order of their fields: ES CS SS DS FS GS LDTR TR. */
static u32 segment(const struct lint *l, u32 first)
{
	return (l->field - first) / FIELD_STEP;
}

static u64 selector(const struct lint *l, u32 seg)
{
	return lint_get(l, VMCS_GUEST_ES_SELECTOR + seg * FIELD_STEP);
}

static u32 rights(const struct lint *l, u32 seg)
{
	return (u32)lint_get(l, VMCS_GUEST_ES_ACCESS_RIGHTS + seg * FIELD_STEP);
}

enum {
	ES,
	CS,
	SS,
	DS,
	FS,
	GS,
	LDTR,
	TR
};

static bool usable(const struct lint *l, u32 seg)
{
	return !(rights(l, seg) & VMCS_AR_UNUSABLE);
}

static u32 type_of(u64 ar)
{
	return (u32)ar & VMCS_AR_TYPE;
}

static u64 dpl_of(u64 ar)
{
	return (ar & VMCS_AR_DPL) >> VMCS_AR_DPL_SHIFT;
}

LINT_WHEN(v86, (l->rflags & RFLAGS_VM) != 0)
LINT_WHEN(not_v86, !v86(l))
LINT_WHEN(unrestricted, (l->proc2 & PROC2_UNRESTRICTED_GUEST) != 0)
LINT_WHEN(restricted, not_v86(l) && !unrestricted(l))
LINT_WHEN(ia32e, (l->entry & VMENTRY_IA32E_GUEST) != 0)
LINT_WHEN(not_ia32e, !ia32e(l))
LINT_WHEN(ldtr_usable, usable(l, LDTR))
LINT_WHEN(es_usable, usable(l, ES))
LINT_WHEN(ss_usable, usable(l, SS))
LINT_WHEN(ds_usable, usable(l, DS))
LINT_WHEN(ss_protected, not_v86(l) && ss_usable(l))
LINT_WHEN(code_64, not_v86(l) && ia32e(l) && (rights(l, CS) & VMCS_AR_LONG) != 0)
LINT_WHEN(real_or_data_cs,
	not_v86(l) && (!(l->cr0 & CR0_PE) ||
			      (unrestricted(l) && type_of(rights(l, CS)) == VMCS_AR_TYPE_DATA_RW)))

LINT_WRONG(has_ti, (v & SELECTOR_TI))
LINT_WRONG(rpl_not_cs, (v ^ selector(l, CS)) & SELECTOR_RPL)
LINT_WRONG(base_not_selector, v != selector(l, segment(l, VMCS_GUEST_ES_BASE)) << 4)
LINT_WRONG(limit_not_v86, v != V86_LIMIT)
LINT_WRONG(rights_not_v86, v != V86_AR)

/* A rule for access rights of ES to GS: CS is never unusable, the others are not checked then. */
static bool skip(const struct lint *l, u64 ar)
{
	return segment(l, VMCS_GUEST_ES_ACCESS_RIGHTS) != CS && (ar & VMCS_AR_UNUSABLE);
}

/* CS: accessed code; an unrestricted guest may also have read-write accessed data. */
static u64 cs_type(const struct lint *l, u64 v)
{
	u32 type = type_of(v);
	bool code = (type & VMCS_AR_CODE) && (type & VMCS_AR_ACCESSED);

	return !code && !(unrestricted(l) && type == VMCS_AR_TYPE_DATA_RW);
}

/* SS: read-write accessed data, expand-up or -down. */
static u64 ss_type(const struct lint *l, u64 v)
{
	(void)l;
	return (type_of(v) & ~VMCS_AR_EXPAND_DOWN) != VMCS_AR_TYPE_DATA_RW;
}

/* DS, ES, FS, GS: accessed, and readable when code. */
static u64 data_type(const struct lint *l, u64 v)
{
	if (skip(l, v))
		return 0;
	return !(v & VMCS_AR_ACCESSED) || ((v & VMCS_AR_CODE) && !(v & VMCS_AR_READABLE));
}

static u64 cs_dpl(const struct lint *l, u64 v)
{
	u64 ss = dpl_of(rights(l, SS));

	if (type_of(v) == VMCS_AR_TYPE_DATA_RW)
		return dpl_of(v) != 0;
	if (!(v & VMCS_AR_CODE))
		return 0; /* its type is wrong already */
	return v & VMCS_AR_CONFORMING ? dpl_of(v) > ss : dpl_of(v) != ss;
}

/* DS, ES, FS, GS, but for conforming code: DPL not below RPL. */
static u64 data_dpl(const struct lint *l, u64 v)
{
	bool conforming = (v & VMCS_AR_CODE) && (v & VMCS_AR_CONFORMING);
	u64 rpl = selector(l, segment(l, VMCS_GUEST_ES_ACCESS_RIGHTS)) & SELECTOR_RPL;

	return !skip(l, v) && !conforming && dpl_of(v) < rpl;
}

/* G must say how the limit is to be read: 0 unless bits 11:0 are all 1, 1 where bits 31:20 are not
 * 0. */
static u64 granularity(const struct lint *l, u64 v)
{
	u64 limit = lint_get(
		l, VMCS_GUEST_ES_LIMIT + segment(l, VMCS_GUEST_ES_ACCESS_RIGHTS) * FIELD_STEP);

	if (skip(l, v))
		return 0;
	if (v & VMCS_AR_GRANULARITY)
		return (limit & GENMASK(11, 0)) != GENMASK(11, 0);
	return (limit & GENMASK(31, 20)) != 0;
}

#define AR_HIGH GENMASK(31, 17)
#define AR_LOW	(VMCS_AR_RESERVED & ~AR_HIGH)

LINT_WRONG(not_code_or_data, skip(l, v) ? 0 : ~v &VMCS_AR_S)
LINT_WRONG(not_present, skip(l, v) ? 0 : ~v &VMCS_AR_PRESENT)
LINT_WRONG(reserved_low, skip(l, v) ? 0 : v &AR_LOW)
LINT_WRONG(reserved_high, skip(l, v) ? 0 : v &AR_HIGH)
LINT_WRONG(has_dpl, (v & VMCS_AR_DPL))
LINT_WRONG(dpl_not_rpl, dpl_of(v) != (selector(l, SS) & SELECTOR_RPL))
LINT_WRONG(has_db, (v & VMCS_AR_DB))
LINT_WRONG(not_system, (v & VMCS_AR_S))
LINT_WRONG(is_unusable, (v & VMCS_AR_UNUSABLE))
LINT_WRONG(tr_type_64, type_of(v) != VMCS_AR_TYPE_TSS)
LINT_WRONG(tr_type_32, type_of(v) != VMCS_AR_TYPE_TSS && type_of(v) != VMCS_AR_TYPE_TSS16)
LINT_WRONG(ldtr_type, type_of(v) != VMCS_AR_TYPE_LDT)

#define ALL_BASES  FIELDS(VMCS_GUEST_ES_BASE, VMCS_GUEST_GS_BASE)
#define ALL_LIMITS FIELDS(VMCS_GUEST_ES_LIMIT, VMCS_GUEST_GS_LIMIT)
#define ALL_RIGHTS FIELDS(VMCS_GUEST_ES_ACCESS_RIGHTS, VMCS_GUEST_GS_ACCESS_RIGHTS)
#define DS_FS_GS   FIELDS(VMCS_GUEST_DS_ACCESS_RIGHTS, VMCS_GUEST_GS_ACCESS_RIGHTS)
#define CANONICAL  "it must be canonical"
#define BASE_32	   "bits 63:32 must be 0"
#define DATA_TYPE  "bits 3:0 (type) must be accessed, and readable if code"
#define DATA_DPL   "bits 6:5 (DPL) must not be less than the selector's RPL"
#define G_BIT                                                                                      \
	"bit 15 (G) must be 0 where bits 11:0 of the limit are not all 1, and 1 where its bits "   \
	"31:20 are not all 0"

static const struct lint_rule segment_rules[] = {
	/* selectors */
	{ FIELD(VMCS_GUEST_TR_SELECTOR), NULL, has_ti, false, "bit 2 (TI) must be 0" },
	{ FIELD(VMCS_GUEST_LDTR_SELECTOR), ldtr_usable, has_ti, false, "bit 2 (TI) must be 0" },
	{ FIELD(VMCS_GUEST_SS_SELECTOR), restricted, rpl_not_cs, false,
		"bits 1:0 (RPL) must equal those of the CS selector" },

	/* bases */
	{ ALL_BASES, v86, base_not_selector, false,
		"in virtual-8086 mode it must be the selector times 16" },
	{ FIELDS(VMCS_GUEST_FS_BASE, VMCS_GUEST_GS_BASE), NULL, lint_wrong_canonical, false,
		CANONICAL },
	{ FIELD(VMCS_GUEST_LDTR_BASE), ldtr_usable, lint_wrong_canonical, false, CANONICAL },
	{ FIELD(VMCS_GUEST_TR_BASE), NULL, lint_wrong_canonical, false, CANONICAL },
	{ FIELD(VMCS_GUEST_CS_BASE), NULL, lint_high_half, false, BASE_32 },
	{ FIELD(VMCS_GUEST_SS_BASE), ss_usable, lint_high_half, false, BASE_32 },
	{ FIELD(VMCS_GUEST_DS_BASE), ds_usable, lint_high_half, false, BASE_32 },
	{ FIELD(VMCS_GUEST_ES_BASE), es_usable, lint_high_half, false, BASE_32 },

	/* limits */
	{ ALL_LIMITS, v86, limit_not_v86, false, "in virtual-8086 mode it must be 0xffff" },

	/* access rights of CS, SS, DS, ES, FS, GS */
	{ ALL_RIGHTS, v86, rights_not_v86, false, "in virtual-8086 mode it must be 0xf3" },
	{ FIELD(VMCS_GUEST_CS_ACCESS_RIGHTS), not_v86, cs_type, false,
		"bits 3:0 (type) must be accessed code: 9, 11, 13 or 15 (or 3 with \"unrestricted "
		"guest\")" },
	{ FIELD(VMCS_GUEST_SS_ACCESS_RIGHTS), ss_protected, ss_type, false,
		"bits 3:0 (type) must be 3 or 7: read-write accessed data" },
	{ FIELD(VMCS_GUEST_ES_ACCESS_RIGHTS), not_v86, data_type, false, DATA_TYPE },
	{ DS_FS_GS, not_v86, data_type, false, DATA_TYPE },
	{ ALL_RIGHTS, not_v86, not_code_or_data, false, "bit 4 (S) must be 1" },
	{ FIELD(VMCS_GUEST_CS_ACCESS_RIGHTS), not_v86, cs_dpl, false,
		"bits 6:5 (DPL) must be 0 for type 3, that of SS for non-conforming code, and not "
		"above that of SS for conforming code" },
	{ FIELD(VMCS_GUEST_SS_ACCESS_RIGHTS), restricted, dpl_not_rpl, false,
		"bits 6:5 (DPL) must equal the RPL of the SS selector" },
	{ FIELD(VMCS_GUEST_SS_ACCESS_RIGHTS), real_or_data_cs, has_dpl, false,
		"bits 6:5 (DPL) must be 0 while CR0.PE is 0 or the type of CS is 3" },
	{ FIELD(VMCS_GUEST_ES_ACCESS_RIGHTS), restricted, data_dpl, false, DATA_DPL },
	{ DS_FS_GS, restricted, data_dpl, false, DATA_DPL },
	{ ALL_RIGHTS, not_v86, not_present, false, "bit 7 (P) must be 1" },
	{ ALL_RIGHTS, not_v86, reserved_low, false, "bits 11:8 must be 0" },
	{ FIELD(VMCS_GUEST_CS_ACCESS_RIGHTS), code_64, has_db, false,
		"bit 14 (D/B) must be 0 while bit 13 (L) is 1 with \"IA-32e mode guest\"" },
	{ ALL_RIGHTS, not_v86, granularity, false, G_BIT },
	{ ALL_RIGHTS, not_v86, reserved_high, false, "bits 31:17 must be 0" },

	/* access rights of TR */
	{ FIELD(VMCS_GUEST_TR_ACCESS_RIGHTS), not_ia32e, tr_type_32, false,
		"bits 3:0 (type) must be 3 or 11: busy TSS" },
	{ FIELD(VMCS_GUEST_TR_ACCESS_RIGHTS), ia32e, tr_type_64, false,
		"bits 3:0 (type) must be 11, busy 64-bit TSS, with \"IA-32e mode guest\"" },
	{ FIELD(VMCS_GUEST_TR_ACCESS_RIGHTS), NULL, not_system, false, "bit 4 (S) must be 0" },
	{ FIELD(VMCS_GUEST_TR_ACCESS_RIGHTS), NULL, not_present, false, "bit 7 (P) must be 1" },
	{ FIELD(VMCS_GUEST_TR_ACCESS_RIGHTS), NULL, reserved_low, false, "bits 11:8 must be 0" },
	{ FIELD(VMCS_GUEST_TR_ACCESS_RIGHTS), NULL, granularity, false, G_BIT },
	{ FIELD(VMCS_GUEST_TR_ACCESS_RIGHTS), NULL, is_unusable, false,
		"bit 16 (unusable) must be 0" },
	{ FIELD(VMCS_GUEST_TR_ACCESS_RIGHTS), NULL, reserved_high, false, "bits 31:17 must be 0" },

	/* access rights of LDTR */
	{ FIELD(VMCS_GUEST_LDTR_ACCESS_RIGHTS), ldtr_usable, ldtr_type, false,
		"bits 3:0 (type) must be 2: LDT" },
	{ FIELD(VMCS_GUEST_LDTR_ACCESS_RIGHTS), ldtr_usable, not_system, false,
		"bit 4 (S) must be 0" },
	{ FIELD(VMCS_GUEST_LDTR_ACCESS_RIGHTS), ldtr_usable, not_present, false,
		"bit 7 (P) must be 1" },
	{ FIELD(VMCS_GUEST_LDTR_ACCESS_RIGHTS), ldtr_usable, reserved_low, false,
		"bits 11:8 must be 0" },
	{ FIELD(VMCS_GUEST_LDTR_ACCESS_RIGHTS), ldtr_usable, granularity, false, G_BIT },
	{ FIELD(VMCS_GUEST_LDTR_ACCESS_RIGHTS), ldtr_usable, reserved_high, false,
		"bits 31:17 must be 0" },
};

const struct lint_section lint_segments =
	LINT_SECTION("Checks on Guest Segment Registers", segment_rules);
