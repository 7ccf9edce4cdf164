/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX controls are declared, then negotiated: controls.c has one row for each control bit that we
 * have an opinion on, and the capability MSRs decide what we get.
 */
#ifndef VMX_CONTROLS_H
#define VMX_CONTROLS_H

#include "vmx/caps.h"

/* How a guest's memory is translated decides what must trap. */
enum vmx_mode {
	VMX_TWO_LEVEL, /* EPT */
	VMX_ONE_LEVEL, /* tables of the hypervisor's: shadow paging */
	VMX_MODES
};

enum vmx_need {
	VMX_REQUIRED, /* no guest runs without it */
	VMX_WANTED,   /* taken where it exists */
	VMX_REFUSED,  /* must stay 0; a CPU that insists on 1 cannot be used */
};

struct vmx_control_row {
	u32 bit;
	enum vmx_need need;
	bool dynamic; /* 0 at first, switched while a guest runs: both settings must be possible */
	const char *name; /* the manual's */
	const char *cost; /* what is lost when we do not get our way */
};

/* A row that reads otherwise in one-level mode. */
struct vmx_control_override {
	enum vmx_word word;
	u32 bit;
	enum vmx_need need;
	const char *cost;
};

struct vmx_control_table {
	u32 field;	  /* the VMCS field that holds the word */
	const char *name; /* the word's name in the manual */
	const struct vmx_control_row *rows;
	unsigned count;
};

extern const struct vmx_control_table vmx_control_tables[VMX_WORDS];

/* What the row says in this mode: its need, and the cost in *cost. */
enum vmx_need vmx_control_need(
	enum vmx_mode mode, enum vmx_word w, const struct vmx_control_row *r, const char **cost);

struct vmx_controls {
	u32 word[VMX_WORDS];	/* what a VMCS starts with */
	u32 dynamic[VMX_WORDS]; /* bits that may be switched on and off later */
};

/*
 * Fills *out from the tables and the CPU's capabilities. Bits without a row are as the CPU insists
 * (the default1 class), else 0. ERR_NOTSUP where a required bit cannot be 1 or a refused one cannot
 * be 0, with the word, the bit and what it costs in err (VMX_ERR_SIZE bytes).
 * Source: "Algorithms for Determining VMX Capabilities".
 */
enum status vmx_controls_negotiate(const struct vmx_caps *caps, enum vmx_mode mode,
	struct vmx_controls *out, char *err) __must_check;

/* Is the bit on from the start, or one that may be switched on? */
static inline bool vmx_controls_have(const struct vmx_controls *c, enum vmx_word w, u32 bit)
{
	return ((c->word[w] | c->dynamic[w]) & bit) != 0;
}

/*
 * The preflight report: one log line a capability, with what it costs where it is missing; what
 * guests need for this mode and is missing is logged as an error. Returns how many of these there
 * are.
 */
unsigned vmx_preflight(const struct vmx_caps *caps, enum vmx_mode mode);

#endif
