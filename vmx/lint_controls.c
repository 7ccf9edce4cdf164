/* SPDX-License-Identifier: BSD-2-Clause */
/* Lint: the manual's section "Checks on VMX Controls", in its order. */
#include "vmx/lint_rules.h"

/* What the capability MSR of a control word says about v. */
static u64 not_set(const struct lint *l, u64 v, enum vmx_word w)
{
	return l->caps->word[w].must & ~v;
}

static u64 not_allowed(const struct lint *l, u64 v, enum vmx_word w)
{
	return v & ~(u64)l->caps->word[w].may;
}

LINT_WRONG(pin_not_set, not_set(l, v, VMX_PIN))
LINT_WRONG(pin_not_allowed, not_allowed(l, v, VMX_PIN))
LINT_WRONG(proc_not_set, not_set(l, v, VMX_PROC))
LINT_WRONG(proc_not_allowed, not_allowed(l, v, VMX_PROC))
LINT_WRONG(proc2_not_set, not_set(l, v, VMX_PROC2))
LINT_WRONG(proc2_not_allowed, not_allowed(l, v, VMX_PROC2))
LINT_WRONG(exit_not_set, not_set(l, v, VMX_EXIT))
LINT_WRONG(exit_not_allowed, not_allowed(l, v, VMX_EXIT))
LINT_WRONG(entry_not_set, not_set(l, v, VMX_ENTRY))
LINT_WRONG(entry_not_allowed, not_allowed(l, v, VMX_ENTRY))

#define MUST_SET    "by its capability MSR these must be 1"
#define MUST_NOT    "by its capability MSR these must be 0"
#define PAGE_IN_RAM "it must be 4 KB aligned and within the physical-address width"

LINT_WHEN(secondary, (l->proc & PROC_SECONDARY) != 0)
LINT_WHEN(io_bitmaps, (l->proc & PROC_IO_BITMAPS) != 0)
LINT_WHEN(msr_bitmaps, (l->proc & PROC_MSR_BITMAPS) != 0)
LINT_WHEN(tpr_shadow, (l->proc & PROC_TPR_SHADOW) != 0)
LINT_WHEN(tpr_threshold, tpr_shadow(l) && !(l->proc2 & PROC2_VIRTUAL_INTERRUPTS))
LINT_WHEN(no_tpr_shadow, secondary(l) && !tpr_shadow(l))
LINT_WHEN(no_nmi_exiting, !(l->pin & PIN_NMI_EXITING))
LINT_WHEN(no_virtual_nmis, !(l->pin & PIN_VIRTUAL_NMIS))
LINT_WHEN(apic_accesses, (l->proc2 & PROC2_APIC_ACCESSES) != 0)
LINT_WHEN(x2apic_mode, (l->proc2 & PROC2_X2APIC) != 0)
LINT_WHEN(virtual_interrupts, (l->proc2 & PROC2_VIRTUAL_INTERRUPTS) != 0)
LINT_WHEN(posted_interrupts, (l->pin & PIN_POSTED_INTERRUPTS) != 0)
LINT_WHEN(posted_and_secondary, posted_interrupts(l) && secondary(l))
LINT_WHEN(posted_alone, posted_interrupts(l) && !secondary(l))
LINT_WHEN(vpid, (l->proc2 & PROC2_VPID) != 0)
LINT_WHEN(ept, (l->proc2 & PROC2_EPT) != 0)
LINT_WHEN(no_ept, secondary(l) && !ept(l))
LINT_WHEN(pml, (l->proc2 & PROC2_PML) != 0)
LINT_WHEN(spp, (l->proc2 & PROC2_SUB_PAGE_WRITE) != 0)
LINT_WHEN(vm_functions, (l->proc2 & PROC2_VMFUNC) != 0)
LINT_WHEN(eptp_switching,
	vm_functions(l) && (lint_get(l, VMCS_VM_FUNCTION_CONTROLS) & VMFUNC_EPTP_SWITCHING) != 0)
LINT_WHEN(eptp_switching_no_ept, eptp_switching(l) && !ept(l))
LINT_WHEN(vmcs_shadowing, (l->proc2 & PROC2_VMCS_SHADOWING) != 0)
LINT_WHEN(ept_ve, (l->proc2 & PROC2_EPT_VE) != 0)
LINT_WHEN(pt_gpa, (l->proc2 & PROC2_PT_GPA) != 0)
LINT_WHEN(tsc_scaling, (l->proc2 & PROC2_TSC_SCALING) != 0)

LINT_WRONG(is_zero, v == 0)
LINT_WRONG(cr3_targets, v > vmx_caps_cr3_targets(l->caps))
LINT_WRONG(above_bit3, (v & GENMASK(31, 4)))
LINT_WRONG(needs_tpr_shadow, (v & (PROC2_X2APIC | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS)))
LINT_WRONG(has_virtual_nmis, (v & PIN_VIRTUAL_NMIS))
LINT_WRONG(has_nmi_window, (v & PROC_NMI_WINDOW))
LINT_WRONG(has_apic_accesses, (v & PROC2_APIC_ACCESSES))
LINT_WRONG(no_external_interrupt, (~v & PIN_EXTERNAL_INTERRUPT))
LINT_WRONG(no_virtual_interrupts, (~v & PROC2_VIRTUAL_INTERRUPTS))
LINT_WRONG(no_secondary, (~v & PROC_SECONDARY))
LINT_WRONG(no_ack, (~v & VMEXIT_ACK_INTERRUPT))
LINT_WRONG(above_vector, v & ~0xfful)
LINT_WRONG(descriptor, lint_beyond_physical(l, v) | (v & GENMASK(5, 0)))
LINT_WRONG(needs_ept, (v & (PROC2_UNRESTRICTED_GUEST | PROC2_PML | PROC2_MODE_BASED_EPT |
				   PROC2_SUB_PAGE_WRITE | PROC2_PT_GPA)))
LINT_WRONG(functions, v & ~l->caps->vmfunc)
LINT_WRONG(any, v | 1)
LINT_WRONG(no_load_rtit, (~v & VMENTRY_LOAD_RTIT_CTL))
LINT_WRONG(no_clear_rtit, (~v & VMEXIT_CLEAR_RTIT_CTL))

static u64 eptp_type(const struct lint *l, u64 v)
{
	u64 type = v & EPTP_TYPE;
	u64 cap = type == EPTP_TYPE_UC ? EPT_CAP_UC : type == EPTP_TYPE_WB ? EPT_CAP_WB : 0;

	return !(l->caps->ept_vpid & cap);
}

static u64 eptp_walk(const struct lint *l, u64 v)
{
	u64 walk = v & EPTP_WALK;
	u64 cap = walk == EPTP_WALK_4 ? EPT_CAP_WALK_4 : walk == EPTP_WALK_5 ? EPT_CAP_WALK_5 : 0;

	return !(l->caps->ept_vpid & cap);
}

LINT_WRONG(eptp_ad, (v & EPTP_AD) && !(l->caps->ept_vpid & EPT_CAP_AD))
LINT_WRONG(eptp_sss, (v & EPTP_SSS) && !(l->caps->ept_vpid & EPT_CAP_SSS))
LINT_WRONG(eptp_reserved, lint_beyond_physical(l, v) | (v & GENMASK(11, 8)))

/* "VM-Execution Control Fields" */
static const struct lint_rule execution_rules[] = {
	{ FIELD(VMCS_PIN_BASED_CONTROLS), NULL, pin_not_set, true, MUST_SET },
	{ FIELD(VMCS_PIN_BASED_CONTROLS), NULL, pin_not_allowed, true, MUST_NOT },
	{ FIELD(VMCS_PROC_BASED_CONTROLS), NULL, proc_not_set, true, MUST_SET },
	{ FIELD(VMCS_PROC_BASED_CONTROLS), NULL, proc_not_allowed, true, MUST_NOT },
	{ FIELD(VMCS_PROC_BASED_CONTROLS2), secondary, proc2_not_set, true, MUST_SET },
	{ FIELD(VMCS_PROC_BASED_CONTROLS2), secondary, proc2_not_allowed, true, MUST_NOT },
	{ FIELD(VMCS_CR3_TARGET_COUNT), NULL, cr3_targets, false,
		"it must not be greater than what IA32_VMX_MISC allows" },
	{ FIELDS(VMCS_IO_BITMAP_A, VMCS_IO_BITMAP_B), io_bitmaps, lint_wrong_page, false,
		PAGE_IN_RAM },
	{ FIELD(VMCS_MSR_BITMAPS), msr_bitmaps, lint_wrong_page, false, PAGE_IN_RAM },
	{ FIELD(VMCS_VIRTUAL_APIC_ADDRESS), tpr_shadow, lint_wrong_page, false, PAGE_IN_RAM },
	{ FIELD(VMCS_TPR_THRESHOLD), tpr_threshold, above_bit3, false, "bits 31:4 must be 0" },
	{ FIELD(VMCS_PROC_BASED_CONTROLS2), no_tpr_shadow, needs_tpr_shadow, true,
		"without \"use TPR shadow\" these must be 0" },
	{ FIELD(VMCS_PIN_BASED_CONTROLS), no_nmi_exiting, has_virtual_nmis, false,
		"\"virtual NMIs\" must be 0 without \"NMI exiting\"" },
	{ FIELD(VMCS_PROC_BASED_CONTROLS), no_virtual_nmis, has_nmi_window, false,
		"\"NMI-window exiting\" must be 0 without \"virtual NMIs\"" },
	{ FIELD(VMCS_APIC_ACCESS_ADDRESS), apic_accesses, lint_wrong_page, false, PAGE_IN_RAM },
	{ FIELD(VMCS_PROC_BASED_CONTROLS2), x2apic_mode, has_apic_accesses, false,
		"\"virtualize APIC accesses\" must be 0 with \"virtualize x2APIC mode\"" },
	{ FIELD(VMCS_PIN_BASED_CONTROLS), virtual_interrupts, no_external_interrupt, false,
		"\"external-interrupt exiting\" must be 1 with \"virtual-interrupt delivery\"" },
	{ FIELD(VMCS_PROC_BASED_CONTROLS), posted_alone, no_secondary, false,
		"\"activate secondary controls\" must be 1 with \"process posted interrupts\"" },
	{ FIELD(VMCS_PROC_BASED_CONTROLS2), posted_and_secondary, no_virtual_interrupts, false,
		"\"virtual-interrupt delivery\" must be 1 with \"process posted interrupts\"" },
	{ FIELD(VMCS_EXIT_CONTROLS), posted_interrupts, no_ack, false,
		"\"acknowledge interrupt on exit\" must be 1 with \"process posted interrupts\"" },
	{ FIELD(VMCS_POSTED_INTR_NV), posted_interrupts, above_vector, false,
		"it must be in the range 0 to 255" },
	{ FIELD(VMCS_POSTED_INTR_DESCRIPTOR), posted_interrupts, descriptor, false,
		"it must be 64-byte aligned and within the physical-address width" },
	{ FIELD(VMCS_VPID), vpid, is_zero, false, "it must not be 0 with \"enable VPID\"" },
	{ FIELD(VMCS_EPT_POINTER), ept, eptp_type, false,
		"bits 2:0 must be a memory type that IA32_VMX_EPT_VPID_CAP names (6 is "
		"write-back)" },
	{ FIELD(VMCS_EPT_POINTER), ept, eptp_walk, false,
		"bits 5:3 must be 1 less than a page-walk length of this CPU (3 for 4 levels)" },
	{ FIELD(VMCS_EPT_POINTER), ept, eptp_ad, false,
		"bit 6 must be 0: this CPU has no accessed and dirty flags for EPT" },
	{ FIELD(VMCS_EPT_POINTER), ept, eptp_sss, false,
		"bit 7 must be 0: this CPU has no supervisor shadow-stack pages in EPT" },
	{ FIELD(VMCS_EPT_POINTER), ept, eptp_reserved, true,
		"reserved bits, and bits beyond the physical-address width, must be 0" },
	{ FIELD(VMCS_PROC_BASED_CONTROLS2), no_ept, needs_ept, true,
		"without \"enable EPT\" these must be 0" },
	{ FIELD(VMCS_PML_ADDRESS), pml, lint_wrong_page, false, PAGE_IN_RAM },
	{ FIELD(VMCS_SPP_TABLE_POINTER), spp, lint_wrong_page, false, PAGE_IN_RAM },
	{ FIELD(VMCS_VM_FUNCTION_CONTROLS), vm_functions, functions, true,
		"by IA32_VMX_VMFUNC these must be 0" },
	{ FIELD(VMCS_VM_FUNCTION_CONTROLS), eptp_switching_no_ept, any, false,
		"\"EPTP switching\" must be 0 without \"enable EPT\"" },
	{ FIELD(VMCS_EPTP_LIST_ADDRESS), eptp_switching, lint_wrong_page, false, PAGE_IN_RAM },
	{ FIELDS(VMCS_VMREAD_BITMAP, VMCS_VMWRITE_BITMAP), vmcs_shadowing, lint_wrong_page, false,
		PAGE_IN_RAM },
	{ FIELD(VMCS_VE_INFORMATION_ADDRESS), ept_ve, lint_wrong_page, false, PAGE_IN_RAM },
	{ FIELD(VMCS_ENTRY_CONTROLS), pt_gpa, no_load_rtit, false,
		"\"load IA32_RTIT_CTL\" must be 1 with \"Intel PT uses guest physical "
		"addresses\"" },
	{ FIELD(VMCS_EXIT_CONTROLS), pt_gpa, no_clear_rtit, false,
		"\"clear IA32_RTIT_CTL\" must be 1 with \"Intel PT uses guest physical "
		"addresses\"" },
	{ FIELD(VMCS_TSC_MULTIPLIER), tsc_scaling, is_zero, false,
		"it must not be 0 with \"use TSC scaling\"" },
};

LINT_WHEN(no_timer, !(l->pin & PIN_PREEMPTION_TIMER))
LINT_WHEN(exit_stores, lint_get(l, VMCS_EXIT_MSR_STORE_COUNT) != 0)
LINT_WHEN(exit_loads, lint_get(l, VMCS_EXIT_MSR_LOAD_COUNT) != 0)
LINT_WHEN(entry_loads, lint_get(l, VMCS_ENTRY_MSR_LOAD_COUNT) != 0)
LINT_WRONG(saves_timer, (v & VMEXIT_SAVE_PREEMPTION_TIMER))

#define MSR_ENTRY_SIZE 16u
#define MSR_AREA                                                                                   \
	"it must be 16-byte aligned, and the area must end within the physical-address width"

/* The area's first and last byte. */
static u64 msr_area(const struct lint *l, u64 v)
{
	u32 count = l->field == VMCS_EXIT_MSR_STORE_ADDRESS  ? VMCS_EXIT_MSR_STORE_COUNT
		    : l->field == VMCS_EXIT_MSR_LOAD_ADDRESS ? VMCS_EXIT_MSR_LOAD_COUNT
							     : VMCS_ENTRY_MSR_LOAD_COUNT;
	u64 last = v + (u32)lint_get(l, count) * (u64)MSR_ENTRY_SIZE - 1;

	return (v & (MSR_ENTRY_SIZE - 1)) | lint_beyond_physical(l, v) |
	       lint_beyond_physical(l, last);
}

/* "VM-Exit Control Fields" */
static const struct lint_rule exit_rules[] = {
	{ FIELD(VMCS_EXIT_CONTROLS), NULL, exit_not_set, true, MUST_SET },
	{ FIELD(VMCS_EXIT_CONTROLS), NULL, exit_not_allowed, true, MUST_NOT },
	{ FIELD(VMCS_EXIT_CONTROLS), no_timer, saves_timer, false,
		"\"save VMX-preemption timer value\" must be 0 without \"activate VMX-preemption "
		"timer\"" },
	{ FIELD(VMCS_EXIT_MSR_STORE_ADDRESS), exit_stores, msr_area, false, MSR_AREA },
	{ FIELD(VMCS_EXIT_MSR_LOAD_ADDRESS), exit_loads, msr_area, false, MSR_AREA },
};

static u32 intr_type(const struct lint *l)
{
	return (l->intr_info & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT;
}

LINT_WHEN(injects, (l->intr_info & INTR_INFO_VALID) != 0)
LINT_WHEN(injects_nmi, injects(l) && intr_type(l) == INTR_TYPE_NMI)
LINT_WHEN(injects_exception, injects(l) && intr_type(l) == INTR_TYPE_HARD_EXCEPTION)
LINT_WHEN(injects_other, injects(l) && intr_type(l) == INTR_TYPE_OTHER)
LINT_WHEN(delivers_error, injects(l) && (l->intr_info & INTR_INFO_ERROR_CODE))
LINT_WHEN(injects_software, injects(l) && intr_type(l) >= INTR_TYPE_SOFT_INTERRUPT &&
				    intr_type(l) <= INTR_TYPE_SOFT_EXCEPTION)

#define INTR_TYPE_RESERVED 1u
#define MAX_INSTRUCTION	   15u

/* Type 1 is reserved; type 7 exists where the monitor trap flag does. */
static u64 type_unknown(const struct lint *l, u64 v)
{
	bool mtf = vmx_caps_may(l->caps, VMX_PROC, PROC_MONITOR_TRAP);

	(void)v;
	return intr_type(l) == INTR_TYPE_RESERVED || (intr_type(l) == INTR_TYPE_OTHER && !mtf);
}

/* Does this exception, by nature, have an error code? */
static bool vector_has_error(const struct lint *l, u32 vector)
{
	const u64 vectors = BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) |
			    BIT(VEC_PF) | BIT(VEC_AC);

	if (vector == VEC_CP)
		return (l->caps->cr4_fixed1 & CR4_CET) != 0;
	return vector < 64 && (vectors & BIT(vector));
}

static bool may_have_error(const struct lint *l)
{
	return injects_exception(l) && (l->cr0 & CR0_PE) &&
	       ((l->caps->basic & VMX_BASIC_ANY_ERROR) ||
		       vector_has_error(l, l->intr_info & INTR_INFO_VECTOR));
}

static bool needs_error(const struct lint *l)
{
	return may_have_error(l) && !(l->caps->basic & VMX_BASIC_ANY_ERROR);
}

LINT_WHEN(no_error_possible, injects(l) && !may_have_error(l))
LINT_WRONG(vector_not_nmi, (v & INTR_INFO_VECTOR) != VEC_NMI)
LINT_WRONG(vector_not_exception, (v & INTR_INFO_VECTOR) > 31)
LINT_WRONG(vector_not_zero, (v & INTR_INFO_VECTOR))
LINT_WRONG(has_error, (v & INTR_INFO_ERROR_CODE))
LINT_WRONG(lacks_error, (~v & INTR_INFO_ERROR_CODE))
LINT_WRONG(info_reserved, (v & INTR_INFO_RSVD))
LINT_WRONG(error_high, (v & 0xffff0000u))
LINT_WRONG(smm, (v & (VMENTRY_TO_SMM | VMENTRY_DEACTIVATE_DUAL)))

static u64 length(const struct lint *l, u64 v)
{
	bool zero_ok = (l->caps->misc & VMX_MISC_INJECT_LEN0) != 0;

	return v > MAX_INSTRUCTION || (v == 0 && !zero_ok);
}

/* "VM-Entry Control Fields" */
static const struct lint_rule entry_rules[] = {
	{ FIELD(VMCS_ENTRY_CONTROLS), NULL, entry_not_set, true, MUST_SET },
	{ FIELD(VMCS_ENTRY_CONTROLS), NULL, entry_not_allowed, true, MUST_NOT },
	{ FIELD(VMCS_ENTRY_INTR_INFO), injects, type_unknown, false,
		"bits 10:8 must not be type 1, nor type 7 on a CPU without \"monitor trap flag\"" },
	{ FIELD(VMCS_ENTRY_INTR_INFO), injects_nmi, vector_not_nmi, false,
		"the vector of an NMI must be 2" },
	{ FIELD(VMCS_ENTRY_INTR_INFO), injects_exception, vector_not_exception, false,
		"the vector of a hardware exception must be at most 31" },
	{ FIELD(VMCS_ENTRY_INTR_INFO), injects_other, vector_not_zero, false,
		"the vector of an event of type 7 must be 0" },
	{ FIELD(VMCS_ENTRY_INTR_INFO), no_error_possible, has_error, false,
		"bit 11 must be 0: this event has no error code" },
	{ FIELD(VMCS_ENTRY_INTR_INFO), needs_error, lacks_error, false,
		"bit 11 must be 1: this exception has an error code" },
	{ FIELD(VMCS_ENTRY_INTR_INFO), injects, info_reserved, false, "bits 30:12 must be 0" },
	{ FIELD(VMCS_ENTRY_EXCEPTION_ERROR_CODE), delivers_error, error_high, false,
		"bits 31:16 must be 0" },
	{ FIELD(VMCS_ENTRY_INSTRUCTION_LENGTH), injects_software, length, false,
		"for a software interrupt or exception it must be 1 to 15 (0 only where "
		"IA32_VMX_MISC bit 30 is 1)" },
	{ FIELD(VMCS_ENTRY_MSR_LOAD_ADDRESS), entry_loads, msr_area, false, MSR_AREA },
	{ FIELD(VMCS_ENTRY_CONTROLS), NULL, smm, true, "outside SMM these must be 0" },
};

const struct lint_section lint_controls[3] = {
	LINT_SECTION("VM-Execution Control Fields", execution_rules),
	LINT_SECTION("VM-Exit Control Fields", exit_rules),
	LINT_SECTION("VM-Entry Control Fields", entry_rules),
};
