/* SPDX-License-Identifier: BSD-2-Clause */
/* Lint: the manual's section "Checks on the Guest State Area", but for the segment registers. */
#include "vmx/lint_rules.h"

LINT_WHEN(ia32e, (l->entry & VMENTRY_IA32E_GUEST) != 0)
LINT_WHEN(not_ia32e, !ia32e(l))
LINT_WHEN(paging, (l->cr0 & CR0_PG) != 0)
LINT_WHEN(guest_cet, (l->cr4 & CR4_CET) != 0)
LINT_WHEN(loads_debug, (l->entry & VMENTRY_LOAD_DEBUG) != 0)
LINT_WHEN(loads_perf_global, (l->entry & VMENTRY_LOAD_PERF_GLOBAL_CTRL) != 0)
LINT_WHEN(loads_pat, (l->entry & VMENTRY_LOAD_PAT) != 0)
LINT_WHEN(loads_efer, (l->entry & VMENTRY_LOAD_EFER) != 0)
LINT_WHEN(loads_efer_paging, loads_efer(l) && paging(l))
LINT_WHEN(loads_bndcfgs, (l->entry & VMENTRY_LOAD_BNDCFGS) != 0)
LINT_WHEN(loads_cet, (l->entry & VMENTRY_LOAD_CET) != 0)
LINT_WHEN(loads_pkrs, (l->entry & VMENTRY_LOAD_PKRS) != 0)

/* CR0 bits that VM entry leaves alone; and those that an unrestricted guest may clear. */
#define CR0_NOT_CHECKED	 (CR0_NW | CR0_CD)
#define CR0_UNRESTRICTED (CR0_PE | CR0_PG)

static u64 cr0_not_set(const struct lint *l, u64 v)
{
	u64 must = l->caps->cr0_fixed0 & ~CR0_NOT_CHECKED;

	if (l->proc2 & PROC2_UNRESTRICTED_GUEST)
		must &= ~CR0_UNRESTRICTED;
	return must & ~v;
}

static u64 debugctl_reserved(const struct lint *l, u64 v)
{
	u64 defined = GENMASK(1, 0) | GENMASK(15, 6);

	if (l->caps->bus_lock)
		defined |= BIT(2);
	return v & ~defined;
}

LINT_WRONG(cr0_not_allowed, v & ~(l->caps->cr0_fixed1 | CR0_NOT_CHECKED))
LINT_WRONG(no_pe, (~v & CR0_PE))
LINT_WRONG(no_wp, (~v & CR0_WP))
LINT_WRONG(no_pg, (~v & CR0_PG))
LINT_WRONG(no_pae, (~v & CR4_PAE))
LINT_WRONG(has_pcide, (v & CR4_PCIDE))
LINT_WRONG(cr4_not_set, l->caps->cr4_fixed0 & ~v)
LINT_WRONG(cr4_not_allowed, v & ~l->caps->cr4_fixed1)
LINT_WRONG(efer_reserved, v & ~EFER_DEFINED)
LINT_WRONG(efer_lma, ((v & EFER_LMA) != 0) != ia32e(l))
LINT_WRONG(efer_lme, ((v & EFER_LMA) != 0) != ((v & EFER_LME) != 0))
LINT_WRONG(bndcfgs, !lint_canonical(l, v) || (v & GENMASK(11, 2)))

#define CANONICAL "it must be canonical"

/* "Checks on Guest Control Registers, Debug Registers, and MSRs" */
static const struct lint_rule register_rules[] = {
	{ FIELD(VMCS_GUEST_CR0), NULL, cr0_not_set, true,
		"by IA32_VMX_CR0_FIXED0 these must be 1" },
	{ FIELD(VMCS_GUEST_CR0), NULL, cr0_not_allowed, true,
		"by IA32_VMX_CR0_FIXED1 these must be 0" },
	{ FIELD(VMCS_GUEST_CR0), paging, no_pe, false,
		"bit 0 (PE) must be 1 while bit 31 (PG) is 1" },
	{ FIELD(VMCS_GUEST_CR0), guest_cet, no_wp, false,
		"bit 16 (WP) must be 1 while CR4.CET is 1" },
	{ FIELD(VMCS_GUEST_CR4), NULL, cr4_not_set, true,
		"by IA32_VMX_CR4_FIXED0 these must be 1" },
	{ FIELD(VMCS_GUEST_CR4), NULL, cr4_not_allowed, true,
		"by IA32_VMX_CR4_FIXED1 these must be 0" },
	{ FIELD(VMCS_GUEST_DEBUGCTL), loads_debug, debugctl_reserved, true,
		"reserved bits must be 0" },
	{ FIELD(VMCS_GUEST_CR0), ia32e, no_pg, false,
		"bit 31 (PG) must be 1 with \"IA-32e mode guest\"" },
	{ FIELD(VMCS_GUEST_CR4), ia32e, no_pae, false,
		"bit 5 (PAE) must be 1 with \"IA-32e mode guest\"" },
	{ FIELD(VMCS_GUEST_CR4), not_ia32e, has_pcide, false,
		"bit 17 (PCIDE) must be 0 without \"IA-32e mode guest\"" },
	{ FIELD(VMCS_GUEST_CR3), NULL, lint_beyond_physical, true,
		"bits beyond the physical-address width must be 0" },
	{ FIELD(VMCS_GUEST_DR7), loads_debug, lint_high_half, false, "bits 63:32 must be 0" },
	{ FIELDS(VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP), NULL, lint_wrong_canonical,
		false, CANONICAL },
	{ FIELD(VMCS_GUEST_S_CET), loads_cet, lint_wrong_s_cet, false,
		"it must be canonical, and its reserved bits 0" },
	{ FIELD(VMCS_GUEST_INTERRUPT_SSP_TABLE), loads_cet, lint_wrong_canonical, false,
		CANONICAL },
	{ FIELD(VMCS_GUEST_PERF_GLOBAL_CTRL), loads_perf_global, lint_wrong_perf_global, true,
		"reserved bits must be 0" },
	{ FIELD(VMCS_GUEST_PAT), loads_pat, lint_wrong_pat, false,
		"each byte must be a memory type: 0, 1, 4, 5, 6 or 7" },
	{ FIELD(VMCS_GUEST_EFER), loads_efer, efer_reserved, true, "reserved bits must be 0" },
	{ FIELD(VMCS_GUEST_EFER), loads_efer, efer_lma, false,
		"bit 10 (LMA) must equal \"IA-32e mode guest\"" },
	{ FIELD(VMCS_GUEST_EFER), loads_efer_paging, efer_lme, false,
		"bit 8 (LME) must equal bit 10 (LMA) while CR0.PG is 1" },
	{ FIELD(VMCS_GUEST_BNDCFGS), loads_bndcfgs, bndcfgs, false,
		"it must be canonical, and bits 11:2 must be 0" },
	{ FIELD(VMCS_GUEST_PKRS), loads_pkrs, lint_high_half, false, "bits 63:32 must be 0" },
};

LINT_WRONG(limit_high, (v & GENMASK(31, 16)))

/* "Checks on Guest Descriptor-Table Registers" */
static const struct lint_rule table_rules[] = {
	{ FIELDS(VMCS_GUEST_GDTR_BASE, VMCS_GUEST_IDTR_BASE), NULL, lint_wrong_canonical, false,
		CANONICAL },
	{ FIELDS(VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_LIMIT), NULL, limit_high, false,
		"bits 31:16 must be 0" },
};

static bool code_64(const struct lint *l)
{
	return ia32e(l) && (lint_get(l, VMCS_GUEST_CS_ACCESS_RIGHTS) & VMCS_AR_LONG);
}

static bool injects_type(const struct lint *l, u32 type)
{
	return (l->intr_info & INTR_INFO_VALID) &&
	       (l->intr_info & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT == type;
}

/* In 64-bit code bits above the linear width must be equal, but need not equal the bit below. */
static u64 rip_not_linear(const struct lint *l, u64 v)
{
	u64 high = l->caps->linear_bits < 64 ? GENMASK(63, l->caps->linear_bits) : 0;

	return (v & high) != 0 && (v & high) != high;
}

LINT_WHEN(not_code_64, !code_64(l))
LINT_WHEN(no_v86, ia32e(l) || !(l->cr0 & CR0_PE))
LINT_WHEN(injects_interrupt, injects_type(l, INTR_TYPE_EXTERNAL))
LINT_WHEN(injects_nmi, injects_type(l, INTR_TYPE_NMI))
LINT_WRONG(rflags_reserved, (v & (GENMASK(63, 22) | BIT(15) | BIT(5) | BIT(3))))
LINT_WRONG(no_r1, (~v & RFLAGS_R1))
LINT_WRONG(has_vm, (v & RFLAGS_VM))
LINT_WRONG(no_if, (~v & RFLAGS_IF))

/* "Checks on Guest RIP, RFLAGS, and SSP" */
static const struct lint_rule rip_rules[] = {
	{ FIELD(VMCS_GUEST_RIP), not_code_64, lint_high_half, false,
		"bits 63:32 must be 0 outside 64-bit code" },
	{ FIELD(VMCS_GUEST_RIP), code_64, rip_not_linear, false,
		"the bits above the linear-address width must all be equal" },
	{ FIELD(VMCS_GUEST_RFLAGS), NULL, rflags_reserved, true, "reserved bits must be 0" },
	{ FIELD(VMCS_GUEST_RFLAGS), NULL, no_r1, false, "bit 1 must be 1" },
	{ FIELD(VMCS_GUEST_RFLAGS), no_v86, has_vm, false,
		"bit 17 (VM) must be 0 with \"IA-32e mode guest\" or while CR0.PE is 0" },
	{ FIELD(VMCS_GUEST_RFLAGS), injects_interrupt, no_if, false,
		"bit 9 (IF) must be 1 when an external interrupt is injected" },
	{ FIELD(VMCS_GUEST_SSP), loads_cet, lint_wrong_ssp, false, "bits 1:0 must be 0" },
	{ FIELD(VMCS_GUEST_SSP), loads_cet, lint_wrong_canonical, false, CANONICAL },
};

static u32 activity(const struct lint *l)
{
	return (u32)lint_get(l, VMCS_GUEST_ACTIVITY_STATE);
}

static u64 blocking(const struct lint *l)
{
	return lint_get(l, VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_STI | BLOCKING_MOV_SS);
}

static u64 activity_unknown(const struct lint *l, u64 v)
{
	static const u64 misc[] = {
		[ACTIVITY_HLT] = VMX_MISC_HLT,
		[ACTIVITY_SHUTDOWN] = VMX_MISC_SHUTDOWN,
		[ACTIVITY_WAIT_SIPI] = VMX_MISC_WAIT_SIPI,
	};

	if (v == ACTIVITY_ACTIVE)
		return 0;
	return v >= ARRAY_SIZE(misc) || !(l->caps->misc & misc[v]);
}

/* Which events may be injected into a guest that is not active. */
static u64 activity_injection(const struct lint *l, u64 v)
{
	u32 vector = l->intr_info & INTR_INFO_VECTOR;
	bool exception = injects_type(l, INTR_TYPE_HARD_EXCEPTION);
	bool nmi = injects_nmi(l);
	bool mc = exception && vector == VEC_MC;
	bool db = exception && vector == VEC_DB;
	bool mtf = injects_type(l, INTR_TYPE_OTHER) && vector == 0;

	switch (v) {
	case ACTIVITY_HLT: return !(nmi || mc || db || mtf || injects_interrupt(l));
	case ACTIVITY_SHUTDOWN: return !(nmi || mc);
	case ACTIVITY_WAIT_SIPI: return 1;
	default: return 0;
	}
}

static bool halted_above_ring0(const struct lint *l)
{
	return activity(l) == ACTIVITY_HLT &&
	       (lint_get(l, VMCS_GUEST_SS_ACCESS_RIGHTS) & VMCS_AR_DPL);
}

/* The single step of the guest must be pending, and only then, where it cannot have been taken. */
static bool single_steps(const struct lint *l)
{
	return (l->rflags & RFLAGS_TF) && !(lint_get(l, VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF);
}

LINT_WHEN(blocked, blocking(l) != 0)
LINT_WHEN(injects_any, (l->intr_info & INTR_INFO_VALID) != 0)
LINT_WHEN(step_missed, blocked(l) || activity(l) == ACTIVITY_HLT)
LINT_WHEN(step_pending, step_missed(l) && single_steps(l))
LINT_WHEN(step_not_pending, step_missed(l) && !single_steps(l))
LINT_WHEN(interrupts_off, !(l->rflags & RFLAGS_IF))
LINT_WHEN(injects_virtual_nmi, injects_nmi(l) && (l->pin & PIN_VIRTUAL_NMIS))
LINT_WHEN(no_sgx, !l->caps->sgx)
LINT_WHEN(rtm_pending, (lint_get(l, VMCS_GUEST_PENDING_DEBUG) & PENDING_DEBUG_RTM) != 0)
LINT_WHEN(rtm_blocked,
	rtm_pending(l) && (lint_get(l, VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_MOV_SS) != 0)
LINT_WHEN(linked, lint_get(l, VMCS_LINK_POINTER) != VMCS_LINK_NONE)

#define BOTH (BLOCKING_STI | BLOCKING_MOV_SS)
#define PENDING_DEBUG_DEFINED                                                                      \
	(PENDING_DEBUG_B | PENDING_DEBUG_ENABLED | PENDING_DEBUG_BS | PENDING_DEBUG_RTM)
#define PENDING_DEBUG_NOT_RTM (GENMASK(11, 0) | GENMASK(15, 13) | GENMASK(63, 17))

LINT_WRONG(any, v | 1)
LINT_WRONG(is_inactive, v != ACTIVITY_ACTIVE)
LINT_WRONG(interruptibility_reserved, (v & INTERRUPTIBILITY_RSVD))
LINT_WRONG(blocked_twice, (v & BOTH) == BOTH)
LINT_WRONG(by_sti, (v & BLOCKING_STI))
LINT_WRONG(by_mov_ss, (v & BLOCKING_MOV_SS))
LINT_WRONG(by_sti_or_mov_ss, (v & BOTH))
LINT_WRONG(by_smi, (v & BLOCKING_SMI))
LINT_WRONG(by_nmi, (v & BLOCKING_NMI))
LINT_WRONG(in_enclave, (v & INTERRUPTIBILITY_SGX))
LINT_WRONG(enclave_and_mov_ss, (v & INTERRUPTIBILITY_SGX) && (v & BLOCKING_MOV_SS))
LINT_WRONG(pending_reserved,
	v & ~(PENDING_DEBUG_DEFINED | (l->caps->bus_lock ? PENDING_DEBUG_BUS_LOCK : 0)))
LINT_WRONG(no_bs, (~v & PENDING_DEBUG_BS))
LINT_WRONG(has_bs, (v & PENDING_DEBUG_BS))
LINT_WRONG(
	rtm_others, (v & PENDING_DEBUG_NOT_RTM) | (~v & PENDING_DEBUG_ENABLED) | (u64)!l->caps->rtm)
LINT_WRONG(is_this_vmcs, v == l->in->vmcs)

/* "Checks on Guest Non-Register State" */
static const struct lint_rule state_rules[] = {
	{ FIELD(VMCS_GUEST_ACTIVITY_STATE), NULL, activity_unknown, false,
		"it must be 0 (active) or a state that IA32_VMX_MISC names: 1 (HLT), 2 (shutdown), "
		"3 (wait-for-SIPI)" },
	{ FIELD(VMCS_GUEST_ACTIVITY_STATE), halted_above_ring0, any, false,
		"it must not be 1 (HLT) while the DPL of SS is not 0" },
	{ FIELD(VMCS_GUEST_ACTIVITY_STATE), blocked, is_inactive, false,
		"it must be 0 (active) while there is blocking by STI or by MOV SS" },
	{ FIELD(VMCS_GUEST_ACTIVITY_STATE), injects_any, activity_injection, false,
		"this state does not take the event that is injected" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), NULL, interruptibility_reserved, false,
		"bits 31:5 must be 0" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), NULL, blocked_twice, false,
		"bits 0 and 1 (blocking by STI, by MOV SS) must not both be 1" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), interrupts_off, by_sti, false,
		"bit 0 (blocking by STI) must be 0 while RFLAGS.IF is 0" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), injects_interrupt, by_sti_or_mov_ss, false,
		"bits 0 and 1 (blocking by STI, by MOV SS) must be 0 when an external interrupt is "
		"injected" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), injects_nmi, by_mov_ss, false,
		"bit 1 (blocking by MOV SS) must be 0 when an NMI is injected" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), NULL, by_smi, false,
		"bit 2 (blocking by SMI) must be 0 outside SMM" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), injects_nmi, by_sti, false,
		"bit 0 (blocking by STI) must be 0 on some CPUs when an NMI is injected" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), injects_virtual_nmi, by_nmi, false,
		"bit 3 (blocking by NMI) must be 0 when an NMI is injected with \"virtual NMIs\"" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), NULL, enclave_and_mov_ss, false,
		"bit 1 (blocking by MOV SS) must be 0 while bit 4 (enclave interruption) is 1" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), no_sgx, in_enclave, false,
		"bit 4 (enclave interruption) must be 0 on a CPU without SGX" },
	{ FIELD(VMCS_GUEST_PENDING_DEBUG), NULL, pending_reserved, true,
		"reserved bits must be 0" },
	{ FIELD(VMCS_GUEST_PENDING_DEBUG), step_pending, no_bs, false,
		"bit 14 (BS) must be 1 under blocking by STI or MOV SS or in HLT while RFLAGS.TF "
		"is 1 and IA32_DEBUGCTL.BTF is 0" },
	{ FIELD(VMCS_GUEST_PENDING_DEBUG), step_not_pending, has_bs, false,
		"bit 14 (BS) must be 0 under blocking by STI or MOV SS or in HLT unless RFLAGS.TF "
		"is 1 and IA32_DEBUGCTL.BTF is 0" },
	{ FIELD(VMCS_GUEST_PENDING_DEBUG), rtm_pending, rtm_others, false,
		"with bit 16 (RTM) the CPU must have RTM, bit 12 must be 1 and all others 0" },
	{ FIELD(VMCS_GUEST_INTERRUPTIBILITY), rtm_blocked, by_mov_ss, false,
		"bit 1 (blocking by MOV SS) must be 0 while a debug exception in RTM is pending" },
	{ FIELD(VMCS_LINK_POINTER), linked, lint_wrong_page, false,
		"unless it is all 1, it must be 4 KB aligned and within the physical-address "
		"width" },
	{ FIELD(VMCS_LINK_POINTER), linked, is_this_vmcs, false,
		"it must not be the address of this VMCS" },
};

#define PDPTE_PRESENT BIT(0)

LINT_WHEN(pae_paging, paging(l) && (l->cr4 & CR4_PAE) && not_ia32e(l) && (l->proc2 & PROC2_EPT))

static u64 pdpte_reserved(const struct lint *l, u64 v)
{
	if (!(v & PDPTE_PRESENT))
		return 0;
	return lint_beyond_physical(l, v) | (v & (GENMASK(2, 1) | GENMASK(8, 5)));
}

/* "Checks on Guest Page-Directory-Pointer-Table Entries" */
static const struct lint_rule pdpte_rules[] = {
	{ FIELDS(VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE3), pae_paging, pdpte_reserved, true,
		"reserved bits of a present entry must be 0" },
};

const struct lint_section lint_guest[5] = {
	LINT_SECTION(
		"Checks on Guest Control Registers, Debug Registers, and MSRs", register_rules),
	LINT_SECTION("Checks on Guest Descriptor-Table Registers", table_rules),
	LINT_SECTION("Checks on Guest RIP, RFLAGS, and SSP", rip_rules),
	LINT_SECTION("Checks on Guest Non-Register State", state_rules),
	LINT_SECTION("Checks on Guest Page-Directory-Pointer-Table Entries", pdpte_rules),
};
