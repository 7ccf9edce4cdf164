/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMCS: its fields, control bits and exit information, transcribed from the Intel SDM, volume
 * 3, in the manual's order: appendix "Field Encoding in VMCS", chapter "Virtual Machine Control
 * Structures", appendix "VMX Basic Exit Reasons", section "Basic VM-Exit Information".
 */
#ifndef VMX_FIELDS_H
#define VMX_FIELDS_H

#include "hv/lib/util.h"

/* Appendix "Field Encoding in VMCS" */
enum vmcs_field {
	/* 16-bit control fields */
	VMCS_VPID = 0x0000,
	VMCS_POSTED_INTR_NV = 0x0002,
	VMCS_EPTP_INDEX = 0x0004,
	VMCS_HLAT_PREFIX_SIZE = 0x0006,
	VMCS_LAST_PID_POINTER_INDEX = 0x0008,

	/* 16-bit guest-state fields */
	VMCS_GUEST_ES_SELECTOR = 0x0800,
	VMCS_GUEST_CS_SELECTOR = 0x0802,
	VMCS_GUEST_SS_SELECTOR = 0x0804,
	VMCS_GUEST_DS_SELECTOR = 0x0806,
	VMCS_GUEST_FS_SELECTOR = 0x0808,
	VMCS_GUEST_GS_SELECTOR = 0x080a,
	VMCS_GUEST_LDTR_SELECTOR = 0x080c,
	VMCS_GUEST_TR_SELECTOR = 0x080e,
	VMCS_GUEST_INTERRUPT_STATUS = 0x0810,
	VMCS_PML_INDEX = 0x0812,
	VMCS_GUEST_UINV = 0x0814,

	/* 16-bit host-state fields */
	VMCS_HOST_ES_SELECTOR = 0x0c00,
	VMCS_HOST_CS_SELECTOR = 0x0c02,
	VMCS_HOST_SS_SELECTOR = 0x0c04,
	VMCS_HOST_DS_SELECTOR = 0x0c06,
	VMCS_HOST_FS_SELECTOR = 0x0c08,
	VMCS_HOST_GS_SELECTOR = 0x0c0a,
	VMCS_HOST_TR_SELECTOR = 0x0c0c,

	/* 64-bit control fields */
	VMCS_IO_BITMAP_A = 0x2000,
	VMCS_IO_BITMAP_B = 0x2002,
	VMCS_MSR_BITMAPS = 0x2004,
	VMCS_EXIT_MSR_STORE_ADDRESS = 0x2006,
	VMCS_EXIT_MSR_LOAD_ADDRESS = 0x2008,
	VMCS_ENTRY_MSR_LOAD_ADDRESS = 0x200a,
	VMCS_EXECUTIVE_VMCS_POINTER = 0x200c,
	VMCS_PML_ADDRESS = 0x200e,
	VMCS_TSC_OFFSET = 0x2010,
	VMCS_VIRTUAL_APIC_ADDRESS = 0x2012,
	VMCS_APIC_ACCESS_ADDRESS = 0x2014,
	VMCS_POSTED_INTR_DESCRIPTOR = 0x2016,
	VMCS_VM_FUNCTION_CONTROLS = 0x2018,
	VMCS_EPT_POINTER = 0x201a,
	VMCS_EOI_EXIT_BITMAP0 = 0x201c,
	VMCS_EOI_EXIT_BITMAP1 = 0x201e,
	VMCS_EOI_EXIT_BITMAP2 = 0x2020,
	VMCS_EOI_EXIT_BITMAP3 = 0x2022,
	VMCS_EPTP_LIST_ADDRESS = 0x2024,
	VMCS_VMREAD_BITMAP = 0x2026,
	VMCS_VMWRITE_BITMAP = 0x2028,
	VMCS_VE_INFORMATION_ADDRESS = 0x202a,
	VMCS_XSS_EXITING_BITMAP = 0x202c,
	VMCS_ENCLS_EXITING_BITMAP = 0x202e,
	VMCS_SPP_TABLE_POINTER = 0x2030,
	VMCS_TSC_MULTIPLIER = 0x2032,
	VMCS_PROC_BASED_CONTROLS3 = 0x2034,
	VMCS_ENCLV_EXITING_BITMAP = 0x2036,
	VMCS_LOW_PASID_DIRECTORY = 0x2038,
	VMCS_HIGH_PASID_DIRECTORY = 0x203a,
	VMCS_SHARED_EPT_POINTER = 0x203c,
	VMCS_PCONFIG_EXITING_BITMAP = 0x203e,
	VMCS_HLAT_POINTER = 0x2040,
	VMCS_PID_POINTER_TABLE = 0x2042,
	VMCS_EXIT_CONTROLS2 = 0x2044,
	VMCS_SPEC_CTRL_MASK = 0x204a,
	VMCS_SPEC_CTRL_SHADOW = 0x204c,

	/* 64-bit read-only data field */
	VMCS_GUEST_PHYSICAL_ADDRESS = 0x2400,

	/* 64-bit guest-state fields */
	VMCS_LINK_POINTER = 0x2800,
	VMCS_GUEST_DEBUGCTL = 0x2802,
	VMCS_GUEST_PAT = 0x2804,
	VMCS_GUEST_EFER = 0x2806,
	VMCS_GUEST_PERF_GLOBAL_CTRL = 0x2808,
	VMCS_GUEST_PDPTE0 = 0x280a,
	VMCS_GUEST_PDPTE1 = 0x280c,
	VMCS_GUEST_PDPTE2 = 0x280e,
	VMCS_GUEST_PDPTE3 = 0x2810,
	VMCS_GUEST_BNDCFGS = 0x2812,
	VMCS_GUEST_RTIT_CTL = 0x2814,
	VMCS_GUEST_LBR_CTL = 0x2816,
	VMCS_GUEST_PKRS = 0x2818,

	/* 64-bit host-state fields */
	VMCS_HOST_PAT = 0x2c00,
	VMCS_HOST_EFER = 0x2c02,
	VMCS_HOST_PERF_GLOBAL_CTRL = 0x2c04,
	VMCS_HOST_PKRS = 0x2c06,

	/* 32-bit control fields */
	VMCS_PIN_BASED_CONTROLS = 0x4000,
	VMCS_PROC_BASED_CONTROLS = 0x4002,
	VMCS_EXCEPTION_BITMAP = 0x4004,
	VMCS_PF_ERROR_CODE_MASK = 0x4006,
	VMCS_PF_ERROR_CODE_MATCH = 0x4008,
	VMCS_CR3_TARGET_COUNT = 0x400a,
	VMCS_EXIT_CONTROLS = 0x400c,
	VMCS_EXIT_MSR_STORE_COUNT = 0x400e,
	VMCS_EXIT_MSR_LOAD_COUNT = 0x4010,
	VMCS_ENTRY_CONTROLS = 0x4012,
	VMCS_ENTRY_MSR_LOAD_COUNT = 0x4014,
	VMCS_ENTRY_INTR_INFO = 0x4016,
	VMCS_ENTRY_EXCEPTION_ERROR_CODE = 0x4018,
	VMCS_ENTRY_INSTRUCTION_LENGTH = 0x401a,
	VMCS_TPR_THRESHOLD = 0x401c,
	VMCS_PROC_BASED_CONTROLS2 = 0x401e,
	VMCS_PLE_GAP = 0x4020,
	VMCS_PLE_WINDOW = 0x4022,
	VMCS_INSTRUCTION_TIMEOUT = 0x4024,

	/* 32-bit read-only data fields */
	VMCS_VM_INSTRUCTION_ERROR = 0x4400,
	VMCS_EXIT_REASON = 0x4402,
	VMCS_EXIT_INTR_INFO = 0x4404,
	VMCS_EXIT_INTR_ERROR_CODE = 0x4406,
	VMCS_IDT_VECTORING_INFO = 0x4408,
	VMCS_IDT_VECTORING_ERROR_CODE = 0x440a,
	VMCS_EXIT_INSTRUCTION_LENGTH = 0x440c,
	VMCS_EXIT_INSTRUCTION_INFO = 0x440e,

	/* 32-bit guest-state fields */
	VMCS_GUEST_ES_LIMIT = 0x4800,
	VMCS_GUEST_CS_LIMIT = 0x4802,
	VMCS_GUEST_SS_LIMIT = 0x4804,
	VMCS_GUEST_DS_LIMIT = 0x4806,
	VMCS_GUEST_FS_LIMIT = 0x4808,
	VMCS_GUEST_GS_LIMIT = 0x480a,
	VMCS_GUEST_LDTR_LIMIT = 0x480c,
	VMCS_GUEST_TR_LIMIT = 0x480e,
	VMCS_GUEST_GDTR_LIMIT = 0x4810,
	VMCS_GUEST_IDTR_LIMIT = 0x4812,
	VMCS_GUEST_ES_ACCESS_RIGHTS = 0x4814,
	VMCS_GUEST_CS_ACCESS_RIGHTS = 0x4816,
	VMCS_GUEST_SS_ACCESS_RIGHTS = 0x4818,
	VMCS_GUEST_DS_ACCESS_RIGHTS = 0x481a,
	VMCS_GUEST_FS_ACCESS_RIGHTS = 0x481c,
	VMCS_GUEST_GS_ACCESS_RIGHTS = 0x481e,
	VMCS_GUEST_LDTR_ACCESS_RIGHTS = 0x4820,
	VMCS_GUEST_TR_ACCESS_RIGHTS = 0x4822,
	VMCS_GUEST_INTERRUPTIBILITY = 0x4824,
	VMCS_GUEST_ACTIVITY_STATE = 0x4826,
	VMCS_GUEST_SMBASE = 0x4828,
	VMCS_GUEST_SYSENTER_CS = 0x482a,
	VMCS_PREEMPTION_TIMER = 0x482e,

	/* 32-bit host-state field */
	VMCS_HOST_SYSENTER_CS = 0x4c00,

	/* Natural-width control fields */
	VMCS_CR0_MASK = 0x6000,
	VMCS_CR4_MASK = 0x6002,
	VMCS_CR0_READ_SHADOW = 0x6004,
	VMCS_CR4_READ_SHADOW = 0x6006,
	VMCS_CR3_TARGET0 = 0x6008,
	VMCS_CR3_TARGET1 = 0x600a,
	VMCS_CR3_TARGET2 = 0x600c,
	VMCS_CR3_TARGET3 = 0x600e,

	/* Natural-width read-only data fields */
	VMCS_EXIT_QUALIFICATION = 0x6400,
	VMCS_IO_RCX = 0x6402,
	VMCS_IO_RSI = 0x6404,
	VMCS_IO_RDI = 0x6406,
	VMCS_IO_RIP = 0x6408,
	VMCS_GUEST_LINEAR_ADDRESS = 0x640a,

	/* Natural-width guest-state fields */
	VMCS_GUEST_CR0 = 0x6800,
	VMCS_GUEST_CR3 = 0x6802,
	VMCS_GUEST_CR4 = 0x6804,
	VMCS_GUEST_ES_BASE = 0x6806,
	VMCS_GUEST_CS_BASE = 0x6808,
	VMCS_GUEST_SS_BASE = 0x680a,
	VMCS_GUEST_DS_BASE = 0x680c,
	VMCS_GUEST_FS_BASE = 0x680e,
	VMCS_GUEST_GS_BASE = 0x6810,
	VMCS_GUEST_LDTR_BASE = 0x6812,
	VMCS_GUEST_TR_BASE = 0x6814,
	VMCS_GUEST_GDTR_BASE = 0x6816,
	VMCS_GUEST_IDTR_BASE = 0x6818,
	VMCS_GUEST_DR7 = 0x681a,
	VMCS_GUEST_RSP = 0x681c,
	VMCS_GUEST_RIP = 0x681e,
	VMCS_GUEST_RFLAGS = 0x6820,
	VMCS_GUEST_PENDING_DEBUG = 0x6822,
	VMCS_GUEST_SYSENTER_ESP = 0x6824,
	VMCS_GUEST_SYSENTER_EIP = 0x6826,
	VMCS_GUEST_S_CET = 0x6828,
	VMCS_GUEST_SSP = 0x682a,
	VMCS_GUEST_INTERRUPT_SSP_TABLE = 0x682c,

	/* Natural-width host-state fields */
	VMCS_HOST_CR0 = 0x6c00,
	VMCS_HOST_CR3 = 0x6c02,
	VMCS_HOST_CR4 = 0x6c04,
	VMCS_HOST_FS_BASE = 0x6c06,
	VMCS_HOST_GS_BASE = 0x6c08,
	VMCS_HOST_TR_BASE = 0x6c0a,
	VMCS_HOST_GDTR_BASE = 0x6c0c,
	VMCS_HOST_IDTR_BASE = 0x6c0e,
	VMCS_HOST_SYSENTER_ESP = 0x6c10,
	VMCS_HOST_SYSENTER_EIP = 0x6c12,
	VMCS_HOST_RSP = 0x6c14,
	VMCS_HOST_RIP = 0x6c16,
	VMCS_HOST_S_CET = 0x6c18,
	VMCS_HOST_SSP = 0x6c1a,
	VMCS_HOST_INTERRUPT_SSP_TABLE = 0x6c1c,
};

/*
 * The field's name as the manual's appendix writes it, in lower-case running text ("guest RIP",
 * "VM-exit controls"); never NULL: an encoding that is no field is "unknown field".
 */
const char *vmcs_field_name(u32 field);

/* Each field in turn, by an index from 0 on; false behind the last. */
bool vmcs_field_at(unsigned index, u32 *field, const char **name);

/* "Guest Register State": access rights; also the layout of every descriptor's type. */
#define VMCS_AR_TYPE	    0x0000fu
#define VMCS_AR_ACCESSED    (1u << 0)
#define VMCS_AR_WRITABLE    (1u << 1) /* data segment */
#define VMCS_AR_READABLE    (1u << 1) /* code segment */
#define VMCS_AR_CONFORMING  (1u << 2) /* code segment */
#define VMCS_AR_EXPAND_DOWN (1u << 2) /* data segment */
#define VMCS_AR_CODE	    (1u << 3)
#define VMCS_AR_S	    (1u << 4) /* 1: code or data, 0: system */
#define VMCS_AR_DPL_SHIFT   5
#define VMCS_AR_DPL	    0x00060u
#define VMCS_AR_PRESENT	    (1u << 7)
#define VMCS_AR_RESERVED    0xfffe0f00u
#define VMCS_AR_AVL	    (1u << 12)
#define VMCS_AR_LONG	    (1u << 13)
#define VMCS_AR_DB	    (1u << 14)
#define VMCS_AR_GRANULARITY (1u << 15)
#define VMCS_AR_UNUSABLE    (1u << 16)

#define VMCS_AR_TYPE_LDT     2u
#define VMCS_AR_TYPE_TSS16   3u	 /* busy */
#define VMCS_AR_TYPE_DATA_RW 3u	 /* read-write, accessed */
#define VMCS_AR_TYPE_CODE_XR 11u /* execute-read, accessed */
#define VMCS_AR_TYPE_TSS     11u /* busy; 32-bit outside IA-32e mode, 64-bit in it */

/* "Guest Non-Register State" */
#define ACTIVITY_ACTIVE	   0u
#define ACTIVITY_HLT	   1u
#define ACTIVITY_SHUTDOWN  2u
#define ACTIVITY_WAIT_SIPI 3u

#define BLOCKING_STI	      (1u << 0)
#define BLOCKING_MOV_SS	      (1u << 1)
#define BLOCKING_SMI	      (1u << 2)
#define BLOCKING_NMI	      (1u << 3)
#define INTERRUPTIBILITY_SGX  (1u << 4) /* enclave interruption */
#define INTERRUPTIBILITY_RSVD 0xffffffe0u

#define PENDING_DEBUG_B	       0x000ful
#define PENDING_DEBUG_BUS_LOCK (1ul << 11)
#define PENDING_DEBUG_ENABLED  (1ul << 12) /* a data or I/O breakpoint was met */
#define PENDING_DEBUG_BS       (1ul << 14)
#define PENDING_DEBUG_RTM      (1ul << 16)

#define VMCS_LINK_NONE (~0ul)

/* "Pin-Based VM-Execution Controls" */
#define PIN_EXTERNAL_INTERRUPT (1u << 0)
#define PIN_NMI_EXITING	       (1u << 3)
#define PIN_VIRTUAL_NMIS       (1u << 5)
#define PIN_PREEMPTION_TIMER   (1u << 6)
#define PIN_POSTED_INTERRUPTS  (1u << 7)

/* "Processor-Based VM-Execution Controls": primary */
#define PROC_INTERRUPT_WINDOW (1u << 2)
#define PROC_TSC_OFFSETTING   (1u << 3)
#define PROC_HLT	      (1u << 7)
#define PROC_INVLPG	      (1u << 9)
#define PROC_MWAIT	      (1u << 10)
#define PROC_RDPMC	      (1u << 11)
#define PROC_RDTSC	      (1u << 12)
#define PROC_CR3_LOAD	      (1u << 15)
#define PROC_CR3_STORE	      (1u << 16)
#define PROC_TERTIARY	      (1u << 17)
#define PROC_CR8_LOAD	      (1u << 19)
#define PROC_CR8_STORE	      (1u << 20)
#define PROC_TPR_SHADOW	      (1u << 21)
#define PROC_NMI_WINDOW	      (1u << 22)
#define PROC_MOV_DR	      (1u << 23)
#define PROC_UNCONDITIONAL_IO (1u << 24)
#define PROC_IO_BITMAPS	      (1u << 25)
#define PROC_MONITOR_TRAP     (1u << 27)
#define PROC_MSR_BITMAPS      (1u << 28)
#define PROC_MONITOR	      (1u << 29)
#define PROC_PAUSE	      (1u << 30)
#define PROC_SECONDARY	      (1u << 31)

/* "Processor-Based VM-Execution Controls": secondary */
#define PROC2_APIC_ACCESSES	  (1u << 0)
#define PROC2_EPT		  (1u << 1)
#define PROC2_DESCRIPTOR_TABLE	  (1u << 2)
#define PROC2_RDTSCP		  (1u << 3)
#define PROC2_X2APIC		  (1u << 4)
#define PROC2_VPID		  (1u << 5)
#define PROC2_WBINVD		  (1u << 6)
#define PROC2_UNRESTRICTED_GUEST  (1u << 7)
#define PROC2_APIC_REGISTERS	  (1u << 8)
#define PROC2_VIRTUAL_INTERRUPTS  (1u << 9)
#define PROC2_PAUSE_LOOP	  (1u << 10)
#define PROC2_RDRAND		  (1u << 11)
#define PROC2_INVPCID		  (1u << 12)
#define PROC2_VMFUNC		  (1u << 13)
#define PROC2_VMCS_SHADOWING	  (1u << 14)
#define PROC2_ENCLS		  (1u << 15)
#define PROC2_RDSEED		  (1u << 16)
#define PROC2_PML		  (1u << 17)
#define PROC2_EPT_VE		  (1u << 18)
#define PROC2_CONCEAL_PT	  (1u << 19)
#define PROC2_XSAVES		  (1u << 20)
#define PROC2_PASID		  (1u << 21)
#define PROC2_MODE_BASED_EPT	  (1u << 22)
#define PROC2_SUB_PAGE_WRITE	  (1u << 23)
#define PROC2_PT_GPA		  (1u << 24)
#define PROC2_TSC_SCALING	  (1u << 25)
#define PROC2_USER_WAIT		  (1u << 26)
#define PROC2_PCONFIG		  (1u << 27)
#define PROC2_ENCLV		  (1u << 28)
#define PROC2_BUS_LOCK		  (1u << 30)
#define PROC2_INSTRUCTION_TIMEOUT (1u << 31)

/* "VM-Function Controls" */
#define VMFUNC_EPTP_SWITCHING (1ul << 0)

/* "Extended-Page-Table Pointer (EPTP)" */
#define EPTP_TYPE	0x07ul /* memory type of the tables: 0 UC, 6 WB */
#define EPTP_TYPE_UC	0ul
#define EPTP_TYPE_WB	6ul
#define EPTP_WALK_SHIFT 3
#define EPTP_WALK	0x38ul /* page-walk length - 1 */
#define EPTP_WALK_4	(3ul << EPTP_WALK_SHIFT)
#define EPTP_WALK_5	(4ul << EPTP_WALK_SHIFT)
#define EPTP_AD		(1ul << 6)
#define EPTP_SSS	(1ul << 7) /* supervisor shadow-stack control */

/* "VM-Exit Controls" */
#define VMEXIT_SAVE_DEBUG	     (1u << 2)
#define VMEXIT_HOST_64		     (1u << 9) /* host address-space size */
#define VMEXIT_LOAD_PERF_GLOBAL_CTRL (1u << 12)
#define VMEXIT_ACK_INTERRUPT	     (1u << 15)
#define VMEXIT_SAVE_PAT		     (1u << 18)
#define VMEXIT_LOAD_PAT		     (1u << 19)
#define VMEXIT_SAVE_EFER	     (1u << 20)
#define VMEXIT_LOAD_EFER	     (1u << 21)
#define VMEXIT_SAVE_PREEMPTION_TIMER (1u << 22)
#define VMEXIT_CLEAR_BNDCFGS	     (1u << 23)
#define VMEXIT_CONCEAL_PT	     (1u << 24)
#define VMEXIT_CLEAR_RTIT_CTL	     (1u << 25)
#define VMEXIT_CLEAR_LBR_CTL	     (1u << 26)
#define VMEXIT_CLEAR_UINV	     (1u << 27)
#define VMEXIT_LOAD_CET		     (1u << 28)
#define VMEXIT_LOAD_PKRS	     (1u << 29)
#define VMEXIT_SAVE_PERF_GLOBAL_CTRL (1u << 30)
#define VMEXIT_SECONDARY	     (1u << 31)

/* "VM-Entry Controls" */
#define VMENTRY_LOAD_DEBUG	      (1u << 2)
#define VMENTRY_IA32E_GUEST	      (1u << 9)
#define VMENTRY_TO_SMM		      (1u << 10)
#define VMENTRY_DEACTIVATE_DUAL	      (1u << 11) /* dual-monitor treatment */
#define VMENTRY_LOAD_PERF_GLOBAL_CTRL (1u << 13)
#define VMENTRY_LOAD_PAT	      (1u << 14)
#define VMENTRY_LOAD_EFER	      (1u << 15)
#define VMENTRY_LOAD_BNDCFGS	      (1u << 16)
#define VMENTRY_CONCEAL_PT	      (1u << 17)
#define VMENTRY_LOAD_RTIT_CTL	      (1u << 18)
#define VMENTRY_LOAD_UINV	      (1u << 19)
#define VMENTRY_LOAD_CET	      (1u << 20)
#define VMENTRY_LOAD_LBR_CTL	      (1u << 21)
#define VMENTRY_LOAD_PKRS	      (1u << 22)

/*
 * Interruption information: "VM-Entry Controls for Event Injection", "Information for VM Exits Due
 * to Vectored Events", "Information for VM Exits That Occur During Event Delivery".
 */
#define INTR_INFO_VECTOR	0x000000ffu
#define INTR_INFO_TYPE_SHIFT	8
#define INTR_INFO_TYPE		0x00000700u
#define INTR_INFO_ERROR_CODE	(1u << 11) /* deliver it, or: it is valid */
#define INTR_INFO_NMI_UNBLOCKED (1u << 12) /* exits only: NMI unblocking due to IRET */
#define INTR_INFO_RSVD		0x7ffff000u
#define INTR_INFO_VALID		(1u << 31)

#define INTR_TYPE_EXTERNAL	 0u
#define INTR_TYPE_NMI		 2u
#define INTR_TYPE_HARD_EXCEPTION 3u
#define INTR_TYPE_SOFT_INTERRUPT 4u /* INT n */
#define INTR_TYPE_PRIV_SOFT_EXC	 5u /* INT1 */
#define INTR_TYPE_SOFT_EXCEPTION 6u /* INT3, INTO */
#define INTR_TYPE_OTHER		 7u /* pending MTF VM exit */

/* "Exit Reason" */
#define EXIT_REASON_BASIC	 0x0000ffffu
#define EXIT_REASON_ENCLAVE	 (1u << 27)
#define EXIT_REASON_PENDING_MTF	 (1u << 28)
#define EXIT_REASON_ENTRY_FAILED (1u << 31)

/* Appendix "VMX Basic Exit Reasons" */
enum vmx_exit_reason {
	REASON_EXCEPTION_NMI = 0,
	REASON_EXTERNAL_INTERRUPT = 1,
	REASON_TRIPLE_FAULT = 2,
	REASON_INIT = 3,
	REASON_SIPI = 4,
	REASON_IO_SMI = 5,
	REASON_OTHER_SMI = 6,
	REASON_INTERRUPT_WINDOW = 7,
	REASON_NMI_WINDOW = 8,
	REASON_TASK_SWITCH = 9,
	REASON_CPUID = 10,
	REASON_GETSEC = 11,
	REASON_HLT = 12,
	REASON_INVD = 13,
	REASON_INVLPG = 14,
	REASON_RDPMC = 15,
	REASON_RDTSC = 16,
	REASON_RSM = 17,
	REASON_VMCALL = 18,
	REASON_VMCLEAR = 19,
	REASON_VMLAUNCH = 20,
	REASON_VMPTRLD = 21,
	REASON_VMPTRST = 22,
	REASON_VMREAD = 23,
	REASON_VMRESUME = 24,
	REASON_VMWRITE = 25,
	REASON_VMXOFF = 26,
	REASON_VMXON = 27,
	REASON_CR_ACCESS = 28,
	REASON_MOV_DR = 29,
	REASON_IO = 30,
	REASON_RDMSR = 31,
	REASON_WRMSR = 32,
	REASON_ENTRY_GUEST_STATE = 33,
	REASON_ENTRY_MSR_LOADING = 34,
	REASON_MWAIT = 36,
	REASON_MONITOR_TRAP = 37,
	REASON_MONITOR = 39,
	REASON_PAUSE = 40,
	REASON_ENTRY_MACHINE_CHECK = 41,
	REASON_TPR_BELOW_THRESHOLD = 43,
	REASON_APIC_ACCESS = 44,
	REASON_VIRTUALIZED_EOI = 45,
	REASON_GDTR_IDTR = 46,
	REASON_LDTR_TR = 47,
	REASON_EPT_VIOLATION = 48,
	REASON_EPT_MISCONFIG = 49,
	REASON_INVEPT = 50,
	REASON_RDTSCP = 51,
	REASON_PREEMPTION_TIMER = 52,
	REASON_INVVPID = 53,
	REASON_WBINVD = 54,
	REASON_XSETBV = 55,
	REASON_APIC_WRITE = 56,
	REASON_RDRAND = 57,
	REASON_INVPCID = 58,
	REASON_VMFUNC = 59,
	REASON_ENCLS = 60,
	REASON_RDSEED = 61,
	REASON_PML_FULL = 62,
	REASON_XSAVES = 63,
	REASON_XRSTORS = 64,
	REASON_PCONFIG = 65,
	REASON_SPP = 66,
	REASON_UMWAIT = 67,
	REASON_TPAUSE = 68,
	REASON_LOADIWKEY = 69,
	REASON_ENCLV = 70,
	REASON_ENQCMD_PASID = 72,
	REASON_ENQCMDS_PASID = 73,
	REASON_BUS_LOCK = 74,
	REASON_INSTRUCTION_TIMEOUT = 75,
	REASON_SEAMCALL = 76,
	REASON_TDCALL = 77,
	REASON_COUNT = 78,
};

/* "Exit Qualification" for debug exceptions */
#define QUAL_DB_B   0x000ful
#define QUAL_DB_BD  (1ul << 13)
#define QUAL_DB_BS  (1ul << 14)
#define QUAL_DB_RTM (1ul << 16)

/* "Exit Qualification for Task Switches" */
#define QUAL_TASK_SELECTOR     0xfffful
#define QUAL_TASK_SOURCE_SHIFT 30
#define QUAL_TASK_SOURCE       (3ul << 30) /* 0 CALL, 1 IRET, 2 JMP, 3 task gate in IDT */

/* "Exit Qualification for Control-Register Accesses" */
#define QUAL_CR_NUMBER	       0x000ful
#define QUAL_CR_ACCESS_SHIFT   4
#define QUAL_CR_ACCESS	       (3ul << 4)
#define QUAL_CR_MOV_TO	       0ul
#define QUAL_CR_MOV_FROM       1ul
#define QUAL_CR_CLTS	       2ul
#define QUAL_CR_LMSW	       3ul
#define QUAL_CR_LMSW_MEMORY    (1ul << 6)
#define QUAL_CR_REGISTER_SHIFT 8
#define QUAL_CR_REGISTER       (15ul << 8) /* RAX 0, RCX 1, RDX 2, RBX 3, RSP 4, ... R15 15 */
#define QUAL_CR_LMSW_SHIFT     16
#define QUAL_CR_LMSW_SOURCE    (0xfffful << 16)

/* "Exit Qualification for MOV DR" */
#define QUAL_DR_NUMBER	       0x0007ul
#define QUAL_DR_FROM	       (1ul << 4) /* 1: MOV from DR */
#define QUAL_DR_REGISTER_SHIFT 8
#define QUAL_DR_REGISTER       (15ul << 8)

/* "Exit Qualification for I/O Instructions" */
#define QUAL_IO_SIZE	   0x0007ul /* bytes - 1 */
#define QUAL_IO_IN	   (1ul << 3)
#define QUAL_IO_STRING	   (1ul << 4)
#define QUAL_IO_REP	   (1ul << 5)
#define QUAL_IO_IMMEDIATE  (1ul << 6)
#define QUAL_IO_PORT_SHIFT 16
#define QUAL_IO_PORT	   (0xfffful << 16)

/* "Exit Qualification for APIC-Access VM Exits" */
#define QUAL_APIC_OFFSET     0x0ffful
#define QUAL_APIC_TYPE_SHIFT 12
#define QUAL_APIC_TYPE	     (15ul << 12)

/* "Exit Qualification for EPT Violations" */
#define QUAL_EPT_READ	       (1ul << 0)
#define QUAL_EPT_WRITE	       (1ul << 1)
#define QUAL_EPT_FETCH	       (1ul << 2)
#define QUAL_EPT_READABLE      (1ul << 3)
#define QUAL_EPT_WRITABLE      (1ul << 4)
#define QUAL_EPT_EXECUTABLE    (1ul << 5)
#define QUAL_EPT_USER_EXEC     (1ul << 6)
#define QUAL_EPT_LINEAR_VALID  (1ul << 7)
#define QUAL_EPT_TRANSLATED    (1ul << 8) /* 1: access to the translation, 0: page walk */
#define QUAL_EPT_LINEAR_USER   (1ul << 9)
#define QUAL_EPT_LINEAR_WRITE  (1ul << 10)
#define QUAL_EPT_LINEAR_NX     (1ul << 11)
#define QUAL_EPT_NMI_UNBLOCKED (1ul << 12)

/* Exit qualification of a failed VM entry: "VM-Entry Failures During or After Loading Guest State"
 */
#define QUAL_ENTRY_PDPTE    2ul
#define QUAL_ENTRY_NMI	    3ul /* NMI injected while blocked by MOV SS */
#define QUAL_ENTRY_VMCS_PTR 4ul /* VMCS link pointer */

/* "VM-Exit Instruction Information" of LGDT, SGDT, LIDT, SIDT, LLDT, SLDT, LTR, STR */
#define INSN_SCALING	   0x00000003u
#define INSN_ADDRESS_SHIFT 7
#define INSN_ADDRESS	   (7u << 7)  /* 0: 16-bit, 1: 32-bit, 2: 64-bit */
#define INSN_REGISTER	   (1u << 10) /* operand is a register, not memory */
#define INSN_SEGMENT_SHIFT 15
#define INSN_SEGMENT	   (7u << 15) /* ES 0, CS 1, SS 2, DS 3, FS 4, GS 5 */
#define INSN_INDEX_SHIFT   18
#define INSN_INDEX	   (15u << 18)
#define INSN_INDEX_INVALID (1u << 22)
#define INSN_BASE_SHIFT	   23
#define INSN_BASE	   (15u << 23)
#define INSN_BASE_INVALID  (1u << 27)

/* "VM-Instruction Error Numbers" */
enum vmx_instruction_error {
	VMERR_VMCALL_IN_ROOT = 1,
	VMERR_VMCLEAR_ADDRESS = 2,
	VMERR_VMCLEAR_VMXON_POINTER = 3,
	VMERR_VMLAUNCH_NOT_CLEAR = 4,
	VMERR_VMRESUME_NOT_LAUNCHED = 5,
	VMERR_VMRESUME_AFTER_VMXOFF = 6,
	VMERR_ENTRY_CONTROLS = 7,
	VMERR_ENTRY_HOST_STATE = 8,
	VMERR_VMPTRLD_ADDRESS = 9,
	VMERR_VMPTRLD_VMXON_POINTER = 10,
	VMERR_VMPTRLD_REVISION = 11,
	VMERR_FIELD_UNSUPPORTED = 12,
	VMERR_FIELD_READ_ONLY = 13,
	VMERR_VMXON_IN_ROOT = 15,
	VMERR_ENTRY_EXECUTIVE_POINTER = 16,
	VMERR_ENTRY_EXECUTIVE_NOT_LAUNCHED = 17,
	VMERR_ENTRY_NOT_VMXON_POINTER = 18,
	VMERR_VMCALL_NOT_CLEAR = 19,
	VMERR_VMCALL_EXIT_CONTROLS = 20,
	VMERR_VMCALL_MSEG_REVISION = 22,
	VMERR_VMXOFF_DUAL = 23,
	VMERR_VMCALL_SMM_FEATURES = 24,
	VMERR_ENTRY_SMM_CONTROLS = 25,
	VMERR_ENTRY_MOV_SS = 26,
	VMERR_INVEPT_OPERAND = 28,
};

#endif
