/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a rule of the manual is written down: a row that names the field, when the rule applies, a
 * function that returns the bits that break it, and the sentence. Private to the lint.
 */
#ifndef VMX_LINT_RULES_H
#define VMX_LINT_RULES_H

#include "hv/cpu/regs.h"
#include "vmx/fields.h"
#include "vmx/lint.h"

/* One run of the lint: what nearly every rule asks for is read beforehand. */
struct lint {
	const struct lint_input *in;
	const struct vmx_caps *caps;
	u32 pin, proc, proc2, exit, entry; /* proc2 is 0 unless activated */
	u64 cr0, cr4, rflags;
	u32 intr_info;
	u32 field; /* the field under check: tells a rule over several fields which one it is */
};

struct lint_rule {
	u32 first, last; /* a run of fields of the same width and kind, or one field twice */
	bool (*when)(const struct lint *l); /* NULL: always; false: the field is not even read */
	u64 (*wrong)(const struct lint *l, u64 value); /* the bits that break the rule; 0: obeyed */
	bool show_bits; /* the sentence goes on with the names of those bits */
	const char *must;
};

struct lint_section {
	const char *title; /* of the section in the manual's chapter "VM Entries" */
	const struct lint_rule *rules;
	unsigned count;
};

#define FIELD(f)     f, f
#define FIELDS(f, l) f, l
#define LINT_SECTION(t, r)                                                                         \
	{                                                                                          \
		.title = (t), .rules = (r), .count = ARRAY_SIZE(r)                                 \
	}

extern const struct lint_section lint_controls[3]; /* lint_controls.c */
extern const struct lint_section lint_host[3];	   /* lint_host.c */
extern const struct lint_section lint_guest[5];	   /* lint_guest.c, but for the segments */
extern const struct lint_section lint_segments;	   /* lint_segments.c: second of the guest's */

/* Distance between the encodings of two neighbouring fields. */
#define FIELD_STEP 2u

static inline u64 lint_get(const struct lint *l, u32 field)
{
	return l->in->vmread(l->in->vmread_ctx, field);
}

/* What several sections ask. (lint.c) */
bool lint_canonical(const struct lint *l, u64 address);
u64 lint_beyond_physical(const struct lint *l, u64 address); /* bits above the physical width */
u64 lint_wrong_page(const struct lint *l, u64 v);	     /* not a 4 KB page's address */
u64 lint_wrong_canonical(const struct lint *l, u64 v);
u64 lint_wrong_pat(const struct lint *l, u64 v);
u64 lint_wrong_perf_global(const struct lint *l, u64 v);
u64 lint_wrong_s_cet(const struct lint *l, u64 v);
u64 lint_wrong_ssp(const struct lint *l, u64 v);
u64 lint_high_half(const struct lint *l, u64 v); /* bits 63:32 */

/* A condition under which a rule applies; the bits of v that break a rule. */
#define LINT_WHEN(name, condition)                                                                 \
	static bool name(const struct lint *l)                                                     \
	{                                                                                          \
		return (condition);                                                                \
	}
#define LINT_WRONG(name, bits)                                                                     \
	static u64 name(const struct lint *l, u64 v)                                               \
	{                                                                                          \
		(void)l;                                                                           \
		return (bits);                                                                     \
	}

#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

#endif
