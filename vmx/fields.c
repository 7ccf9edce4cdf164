/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of the VMCS fields, as the manual's appendix "Field Encoding in VMCS" writes them. */
#include "vmx/fields.h"

static const struct {
	u32 field;
	const char *name;
} field_names[] = {
	/* 16-bit control fields */
	{ VMCS_VPID, "virtual-processor identifier (VPID)" },
	{ VMCS_POSTED_INTR_NV, "posted-interrupt notification vector" },
	{ VMCS_EPTP_INDEX, "EPTP index" },
	{ VMCS_HLAT_PREFIX_SIZE, "HLAT prefix size" },
	{ VMCS_LAST_PID_POINTER_INDEX, "last PID-pointer index" },

	/* 16-bit guest-state fields */
	{ VMCS_GUEST_ES_SELECTOR, "guest ES selector" },
	{ VMCS_GUEST_CS_SELECTOR, "guest CS selector" },
	{ VMCS_GUEST_SS_SELECTOR, "guest SS selector" },
	{ VMCS_GUEST_DS_SELECTOR, "guest DS selector" },
	{ VMCS_GUEST_FS_SELECTOR, "guest FS selector" },
	{ VMCS_GUEST_GS_SELECTOR, "guest GS selector" },
	{ VMCS_GUEST_LDTR_SELECTOR, "guest LDTR selector" },
	{ VMCS_GUEST_TR_SELECTOR, "guest TR selector" },
	{ VMCS_GUEST_INTERRUPT_STATUS, "guest interrupt status" },
	{ VMCS_PML_INDEX, "PML index" },
	{ VMCS_GUEST_UINV, "guest UINV" },

	/* 16-bit host-state fields */
	{ VMCS_HOST_ES_SELECTOR, "host ES selector" },
	{ VMCS_HOST_CS_SELECTOR, "host CS selector" },
	{ VMCS_HOST_SS_SELECTOR, "host SS selector" },
	{ VMCS_HOST_DS_SELECTOR, "host DS selector" },
	{ VMCS_HOST_FS_SELECTOR, "host FS selector" },
	{ VMCS_HOST_GS_SELECTOR, "host GS selector" },
	{ VMCS_HOST_TR_SELECTOR, "host TR selector" },

	/* 64-bit control fields */
	{ VMCS_IO_BITMAP_A, "address of I/O bitmap A" },
	{ VMCS_IO_BITMAP_B, "address of I/O bitmap B" },
	{ VMCS_MSR_BITMAPS, "address of MSR bitmaps" },
	{ VMCS_EXIT_MSR_STORE_ADDRESS, "VM-exit MSR-store address" },
	{ VMCS_EXIT_MSR_LOAD_ADDRESS, "VM-exit MSR-load address" },
	{ VMCS_ENTRY_MSR_LOAD_ADDRESS, "VM-entry MSR-load address" },
	{ VMCS_EXECUTIVE_VMCS_POINTER, "executive-VMCS pointer" },
	{ VMCS_PML_ADDRESS, "PML address" },
	{ VMCS_TSC_OFFSET, "TSC offset" },
	{ VMCS_VIRTUAL_APIC_ADDRESS, "virtual-APIC address" },
	{ VMCS_APIC_ACCESS_ADDRESS, "APIC-access address" },
	{ VMCS_POSTED_INTR_DESCRIPTOR, "posted-interrupt descriptor address" },
	{ VMCS_VM_FUNCTION_CONTROLS, "VM-function controls" },
	{ VMCS_EPT_POINTER, "EPT pointer" },
	{ VMCS_EOI_EXIT_BITMAP0, "EOI-exit bitmap 0" },
	{ VMCS_EOI_EXIT_BITMAP1, "EOI-exit bitmap 1" },
	{ VMCS_EOI_EXIT_BITMAP2, "EOI-exit bitmap 2" },
	{ VMCS_EOI_EXIT_BITMAP3, "EOI-exit bitmap 3" },
	{ VMCS_EPTP_LIST_ADDRESS, "EPTP-list address" },
	{ VMCS_VMREAD_BITMAP, "VMREAD-bitmap address" },
	{ VMCS_VMWRITE_BITMAP, "VMWRITE-bitmap address" },
	{ VMCS_VE_INFORMATION_ADDRESS, "virtualization-exception information address" },
	{ VMCS_XSS_EXITING_BITMAP, "XSS-exiting bitmap" },
	{ VMCS_ENCLS_EXITING_BITMAP, "ENCLS-exiting bitmap" },
	{ VMCS_SPP_TABLE_POINTER, "sub-page-permission-table pointer" },
	{ VMCS_TSC_MULTIPLIER, "TSC multiplier" },
	{ VMCS_PROC_BASED_CONTROLS3, "tertiary processor-based VM-execution controls" },
	{ VMCS_ENCLV_EXITING_BITMAP, "ENCLV-exiting bitmap" },
	{ VMCS_LOW_PASID_DIRECTORY, "low PASID directory address" },
	{ VMCS_HIGH_PASID_DIRECTORY, "high PASID directory address" },
	{ VMCS_SHARED_EPT_POINTER, "shared EPT pointer" },
	{ VMCS_PCONFIG_EXITING_BITMAP, "PCONFIG-exiting bitmap" },
	{ VMCS_HLAT_POINTER, "hypervisor-managed linear-address translation pointer" },
	{ VMCS_PID_POINTER_TABLE, "PID-pointer table address" },
	{ VMCS_EXIT_CONTROLS2, "secondary VM-exit controls" },
	{ VMCS_SPEC_CTRL_MASK, "IA32_SPEC_CTRL mask" },
	{ VMCS_SPEC_CTRL_SHADOW, "IA32_SPEC_CTRL shadow" },

	/* 64-bit read-only data field */
	{ VMCS_GUEST_PHYSICAL_ADDRESS, "guest-physical address" },

	/* 64-bit guest-state fields */
	{ VMCS_LINK_POINTER, "VMCS link pointer" },
	{ VMCS_GUEST_DEBUGCTL, "guest IA32_DEBUGCTL" },
	{ VMCS_GUEST_PAT, "guest IA32_PAT" },
	{ VMCS_GUEST_EFER, "guest IA32_EFER" },
	{ VMCS_GUEST_PERF_GLOBAL_CTRL, "guest IA32_PERF_GLOBAL_CTRL" },
	{ VMCS_GUEST_PDPTE0, "guest PDPTE0" },
	{ VMCS_GUEST_PDPTE1, "guest PDPTE1" },
	{ VMCS_GUEST_PDPTE2, "guest PDPTE2" },
	{ VMCS_GUEST_PDPTE3, "guest PDPTE3" },
	{ VMCS_GUEST_BNDCFGS, "guest IA32_BNDCFGS" },
	{ VMCS_GUEST_RTIT_CTL, "guest IA32_RTIT_CTL" },
	{ VMCS_GUEST_LBR_CTL, "guest IA32_LBR_CTL" },
	{ VMCS_GUEST_PKRS, "guest IA32_PKRS" },

	/* 64-bit host-state fields */
	{ VMCS_HOST_PAT, "host IA32_PAT" },
	{ VMCS_HOST_EFER, "host IA32_EFER" },
	{ VMCS_HOST_PERF_GLOBAL_CTRL, "host IA32_PERF_GLOBAL_CTRL" },
	{ VMCS_HOST_PKRS, "host IA32_PKRS" },

	/* 32-bit control fields */
	{ VMCS_PIN_BASED_CONTROLS, "pin-based VM-execution controls" },
	{ VMCS_PROC_BASED_CONTROLS, "primary processor-based VM-execution controls" },
	{ VMCS_EXCEPTION_BITMAP, "exception bitmap" },
	{ VMCS_PF_ERROR_CODE_MASK, "page-fault error-code mask" },
	{ VMCS_PF_ERROR_CODE_MATCH, "page-fault error-code match" },
	{ VMCS_CR3_TARGET_COUNT, "CR3-target count" },
	{ VMCS_EXIT_CONTROLS, "VM-exit controls" },
	{ VMCS_EXIT_MSR_STORE_COUNT, "VM-exit MSR-store count" },
	{ VMCS_EXIT_MSR_LOAD_COUNT, "VM-exit MSR-load count" },
	{ VMCS_ENTRY_CONTROLS, "VM-entry controls" },
	{ VMCS_ENTRY_MSR_LOAD_COUNT, "VM-entry MSR-load count" },
	{ VMCS_ENTRY_INTR_INFO, "VM-entry interruption-information field" },
	{ VMCS_ENTRY_EXCEPTION_ERROR_CODE, "VM-entry exception error code" },
	{ VMCS_ENTRY_INSTRUCTION_LENGTH, "VM-entry instruction length" },
	{ VMCS_TPR_THRESHOLD, "TPR threshold" },
	{ VMCS_PROC_BASED_CONTROLS2, "secondary processor-based VM-execution controls" },
	{ VMCS_PLE_GAP, "PLE_Gap" },
	{ VMCS_PLE_WINDOW, "PLE_Window" },
	{ VMCS_INSTRUCTION_TIMEOUT, "instruction-timeout control" },

	/* 32-bit read-only data fields */
	{ VMCS_VM_INSTRUCTION_ERROR, "VM-instruction error" },
	{ VMCS_EXIT_REASON, "exit reason" },
	{ VMCS_EXIT_INTR_INFO, "VM-exit interruption information" },
	{ VMCS_EXIT_INTR_ERROR_CODE, "VM-exit interruption error code" },
	{ VMCS_IDT_VECTORING_INFO, "IDT-vectoring information field" },
	{ VMCS_IDT_VECTORING_ERROR_CODE, "IDT-vectoring error code" },
	{ VMCS_EXIT_INSTRUCTION_LENGTH, "VM-exit instruction length" },
	{ VMCS_EXIT_INSTRUCTION_INFO, "VM-exit instruction information" },

	/* 32-bit guest-state fields */
	{ VMCS_GUEST_ES_LIMIT, "guest ES limit" },
	{ VMCS_GUEST_CS_LIMIT, "guest CS limit" },
	{ VMCS_GUEST_SS_LIMIT, "guest SS limit" },
	{ VMCS_GUEST_DS_LIMIT, "guest DS limit" },
	{ VMCS_GUEST_FS_LIMIT, "guest FS limit" },
	{ VMCS_GUEST_GS_LIMIT, "guest GS limit" },
	{ VMCS_GUEST_LDTR_LIMIT, "guest LDTR limit" },
	{ VMCS_GUEST_TR_LIMIT, "guest TR limit" },
	{ VMCS_GUEST_GDTR_LIMIT, "guest GDTR limit" },
	{ VMCS_GUEST_IDTR_LIMIT, "guest IDTR limit" },
	{ VMCS_GUEST_ES_ACCESS_RIGHTS, "guest ES access rights" },
	{ VMCS_GUEST_CS_ACCESS_RIGHTS, "guest CS access rights" },
	{ VMCS_GUEST_SS_ACCESS_RIGHTS, "guest SS access rights" },
	{ VMCS_GUEST_DS_ACCESS_RIGHTS, "guest DS access rights" },
	{ VMCS_GUEST_FS_ACCESS_RIGHTS, "guest FS access rights" },
	{ VMCS_GUEST_GS_ACCESS_RIGHTS, "guest GS access rights" },
	{ VMCS_GUEST_LDTR_ACCESS_RIGHTS, "guest LDTR access rights" },
	{ VMCS_GUEST_TR_ACCESS_RIGHTS, "guest TR access rights" },
	{ VMCS_GUEST_INTERRUPTIBILITY, "guest interruptibility state" },
	{ VMCS_GUEST_ACTIVITY_STATE, "guest activity state" },
	{ VMCS_GUEST_SMBASE, "guest SMBASE" },
	{ VMCS_GUEST_SYSENTER_CS, "guest IA32_SYSENTER_CS" },
	{ VMCS_PREEMPTION_TIMER, "VMX-preemption timer value" },

	/* 32-bit host-state field */
	{ VMCS_HOST_SYSENTER_CS, "host IA32_SYSENTER_CS" },

	/* Natural-width control fields */
	{ VMCS_CR0_MASK, "CR0 guest/host mask" },
	{ VMCS_CR4_MASK, "CR4 guest/host mask" },
	{ VMCS_CR0_READ_SHADOW, "CR0 read shadow" },
	{ VMCS_CR4_READ_SHADOW, "CR4 read shadow" },
	{ VMCS_CR3_TARGET0, "CR3-target value 0" },
	{ VMCS_CR3_TARGET1, "CR3-target value 1" },
	{ VMCS_CR3_TARGET2, "CR3-target value 2" },
	{ VMCS_CR3_TARGET3, "CR3-target value 3" },

	/* Natural-width read-only data fields */
	{ VMCS_EXIT_QUALIFICATION, "exit qualification" },
	{ VMCS_IO_RCX, "I/O RCX" },
	{ VMCS_IO_RSI, "I/O RSI" },
	{ VMCS_IO_RDI, "I/O RDI" },
	{ VMCS_IO_RIP, "I/O RIP" },
	{ VMCS_GUEST_LINEAR_ADDRESS, "guest-linear address" },

	/* Natural-width guest-state fields */
	{ VMCS_GUEST_CR0, "guest CR0" },
	{ VMCS_GUEST_CR3, "guest CR3" },
	{ VMCS_GUEST_CR4, "guest CR4" },
	{ VMCS_GUEST_ES_BASE, "guest ES base" },
	{ VMCS_GUEST_CS_BASE, "guest CS base" },
	{ VMCS_GUEST_SS_BASE, "guest SS base" },
	{ VMCS_GUEST_DS_BASE, "guest DS base" },
	{ VMCS_GUEST_FS_BASE, "guest FS base" },
	{ VMCS_GUEST_GS_BASE, "guest GS base" },
	{ VMCS_GUEST_LDTR_BASE, "guest LDTR base" },
	{ VMCS_GUEST_TR_BASE, "guest TR base" },
	{ VMCS_GUEST_GDTR_BASE, "guest GDTR base" },
	{ VMCS_GUEST_IDTR_BASE, "guest IDTR base" },
	{ VMCS_GUEST_DR7, "guest DR7" },
	{ VMCS_GUEST_RSP, "guest RSP" },
	{ VMCS_GUEST_RIP, "guest RIP" },
	{ VMCS_GUEST_RFLAGS, "guest RFLAGS" },
	{ VMCS_GUEST_PENDING_DEBUG, "guest pending debug exceptions" },
	{ VMCS_GUEST_SYSENTER_ESP, "guest IA32_SYSENTER_ESP" },
	{ VMCS_GUEST_SYSENTER_EIP, "guest IA32_SYSENTER_EIP" },
	{ VMCS_GUEST_S_CET, "guest IA32_S_CET" },
	{ VMCS_GUEST_SSP, "guest SSP" },
	{ VMCS_GUEST_INTERRUPT_SSP_TABLE, "guest IA32_INTERRUPT_SSP_TABLE_ADDR" },

	/* Natural-width host-state fields */
	{ VMCS_HOST_CR0, "host CR0" },
	{ VMCS_HOST_CR3, "host CR3" },
	{ VMCS_HOST_CR4, "host CR4" },
	{ VMCS_HOST_FS_BASE, "host FS base" },
	{ VMCS_HOST_GS_BASE, "host GS base" },
	{ VMCS_HOST_TR_BASE, "host TR base" },
	{ VMCS_HOST_GDTR_BASE, "host GDTR base" },
	{ VMCS_HOST_IDTR_BASE, "host IDTR base" },
	{ VMCS_HOST_SYSENTER_ESP, "host IA32_SYSENTER_ESP" },
	{ VMCS_HOST_SYSENTER_EIP, "host IA32_SYSENTER_EIP" },
	{ VMCS_HOST_RSP, "host RSP" },
	{ VMCS_HOST_RIP, "host RIP" },
	{ VMCS_HOST_S_CET, "host IA32_S_CET" },
	{ VMCS_HOST_SSP, "host SSP" },
	{ VMCS_HOST_INTERRUPT_SSP_TABLE, "host IA32_INTERRUPT_SSP_TABLE_ADDR" },
};

bool vmcs_field_at(unsigned index, u32 *field, const char **name)
{
	if (index >= ARRAY_SIZE(field_names))
		return false;
	*field = field_names[index].field;
	*name = field_names[index].name;
	return true;
}

const char *vmcs_field_name(u32 field)
{
	for (unsigned i = 0; i < ARRAY_SIZE(field_names); i++)
		if (field_names[i].field == field)
			return field_names[i].name;
	return "unknown field";
}
