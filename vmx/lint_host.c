/* SPDX-License-Identifier: BSD-2-Clause */
/* Lint: the manual's section "Checks on Host-State Area" with the address-space size. */
#include "vmx/lint_rules.h"

LINT_WHEN(host_64, (l->exit & VMEXIT_HOST_64) != 0)
LINT_WHEN(host_32, !host_64(l))
LINT_WHEN(loads_perf_global, (l->exit & VMEXIT_LOAD_PERF_GLOBAL_CTRL) != 0)
LINT_WHEN(loads_pat, (l->exit & VMEXIT_LOAD_PAT) != 0)
LINT_WHEN(loads_efer, (l->exit & VMEXIT_LOAD_EFER) != 0)
LINT_WHEN(loads_cet, (l->exit & VMEXIT_LOAD_CET) != 0)
LINT_WHEN(loads_pkrs, (l->exit & VMEXIT_LOAD_PKRS) != 0)
LINT_WHEN(host_cet, (lint_get(l, VMCS_HOST_CR4) & CR4_CET) != 0)

LINT_WRONG(cr0_not_set, l->caps->cr0_fixed0 & ~v)
LINT_WRONG(cr0_not_allowed, v & ~l->caps->cr0_fixed1)
LINT_WRONG(cr4_not_set, l->caps->cr4_fixed0 & ~v)
LINT_WRONG(cr4_not_allowed, v & ~l->caps->cr4_fixed1)
LINT_WRONG(no_wp, (~v & CR0_WP))
LINT_WRONG(efer_reserved, v & ~EFER_DEFINED)

static u64 efer_mode(const struct lint *l, u64 v)
{
	u64 want = host_64(l) ? EFER_LMA | EFER_LME : 0;

	return (v ^ want) & (EFER_LMA | EFER_LME);
}

#define CANONICAL "it must be canonical"

/* "Checks on Host Control Registers, MSRs, and SSP" */
static const struct lint_rule register_rules[] = {
	{ FIELD(VMCS_HOST_CR0), NULL, cr0_not_set, true, "by IA32_VMX_CR0_FIXED0 these must be 1" },
	{ FIELD(VMCS_HOST_CR0), NULL, cr0_not_allowed, true,
		"by IA32_VMX_CR0_FIXED1 these must be 0" },
	{ FIELD(VMCS_HOST_CR0), host_cet, no_wp, false,
		"bit 16 (WP) must be 1 while CR4.CET is 1" },
	{ FIELD(VMCS_HOST_CR4), NULL, cr4_not_set, true, "by IA32_VMX_CR4_FIXED0 these must be 1" },
	{ FIELD(VMCS_HOST_CR4), NULL, cr4_not_allowed, true,
		"by IA32_VMX_CR4_FIXED1 these must be 0" },
	{ FIELD(VMCS_HOST_CR3), NULL, lint_beyond_physical, true,
		"bits beyond the physical-address width must be 0" },
	{ FIELDS(VMCS_HOST_SYSENTER_ESP, VMCS_HOST_SYSENTER_EIP), NULL, lint_wrong_canonical, false,
		CANONICAL },
	{ FIELD(VMCS_HOST_PERF_GLOBAL_CTRL), loads_perf_global, lint_wrong_perf_global, true,
		"reserved bits must be 0" },
	{ FIELD(VMCS_HOST_PAT), loads_pat, lint_wrong_pat, false,
		"each byte must be a memory type: 0, 1, 4, 5, 6 or 7" },
	{ FIELD(VMCS_HOST_EFER), loads_efer, efer_reserved, true, "reserved bits must be 0" },
	{ FIELD(VMCS_HOST_EFER), loads_efer, efer_mode, false,
		"bits 8 (LME) and 10 (LMA) must each equal \"host address-space size\"" },
	{ FIELD(VMCS_HOST_S_CET), loads_cet, lint_wrong_s_cet, false,
		"it must be canonical, and its reserved bits 0" },
	{ FIELD(VMCS_HOST_SSP), loads_cet, lint_wrong_ssp, false, "bits 1:0 must be 0" },
	{ FIELDS(VMCS_HOST_SSP, VMCS_HOST_INTERRUPT_SSP_TABLE), loads_cet, lint_wrong_canonical,
		false, CANONICAL },
	{ FIELD(VMCS_HOST_PKRS), loads_pkrs, lint_high_half, false, "bits 63:32 must be 0" },
};

#define SELECTOR_TI_RPL 7ul

LINT_WRONG(ti_rpl, (v & SELECTOR_TI_RPL))
LINT_WRONG(is_null, v == 0)

/* "Checks on Host Segment and Descriptor-Table Registers" */
static const struct lint_rule segment_rules[] = {
	{ FIELDS(VMCS_HOST_ES_SELECTOR, VMCS_HOST_TR_SELECTOR), NULL, ti_rpl, false,
		"bits 2:0 (TI and RPL) must be 0" },
	{ FIELD(VMCS_HOST_CS_SELECTOR), NULL, is_null, false, "it must not be 0" },
	{ FIELD(VMCS_HOST_TR_SELECTOR), NULL, is_null, false, "it must not be 0" },
	{ FIELD(VMCS_HOST_SS_SELECTOR), host_32, is_null, false,
		"it must not be 0 where \"host address-space size\" is 0" },
	{ FIELDS(VMCS_HOST_FS_BASE, VMCS_HOST_IDTR_BASE), NULL, lint_wrong_canonical, false,
		CANONICAL },
};

LINT_WRONG(no_host_64, (~v & VMEXIT_HOST_64))
LINT_WRONG(ia32e_guest, (v & VMENTRY_IA32E_GUEST))
LINT_WRONG(has_pcide, (v & CR4_PCIDE))
LINT_WRONG(no_pae, (~v & CR4_PAE))

/* "Checks Related to Address-Space Size": we enter from 64-bit mode. */
static const struct lint_rule size_rules[] = {
	{ FIELD(VMCS_EXIT_CONTROLS), NULL, no_host_64, false,
		"\"host address-space size\" must be 1 for an entry from IA-32e mode" },
	{ FIELD(VMCS_ENTRY_CONTROLS), host_32, ia32e_guest, false,
		"\"IA-32e mode guest\" must be 0 where \"host address-space size\" is 0" },
	{ FIELD(VMCS_HOST_CR4), host_32, has_pcide, false,
		"bit 17 (PCIDE) must be 0 where \"host address-space size\" is 0" },
	{ FIELD(VMCS_HOST_RIP), host_32, lint_high_half, false,
		"bits 63:32 must be 0 where \"host address-space size\" is 0" },
	{ FIELD(VMCS_HOST_CR4), host_64, no_pae, false,
		"bit 5 (PAE) must be 1 where \"host address-space size\" is 1" },
	{ FIELD(VMCS_HOST_RIP), host_64, lint_wrong_canonical, false, CANONICAL },
};

const struct lint_section lint_host[3] = {
	LINT_SECTION("Checks on Host Control Registers, MSRs, and SSP", register_rules),
	LINT_SECTION("Checks on Host Segment and Descriptor-Table Registers", segment_rules),
	LINT_SECTION("Checks Related to Address-Space Size", size_rules),
};
