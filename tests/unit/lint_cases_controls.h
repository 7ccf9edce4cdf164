/* SPDX-License-Identifier: BSD-2-Clause */
/* Broken control fields and host state; a part of test_lint.c. */
#ifndef TESTS_UNIT_LINT_CASES_CONTROLS_H
#define TESTS_UNIT_LINT_CASES_CONTROLS_H

static const struct lint_case control_and_host_cases[] = {
	{ "pin: a default1 bit is 0", sandy_bridge, MODE(long_mode),
		{ OFF(VMCS_PIN_BASED_CONTROLS, 0x2) },
		{ "VM-Execution Control Fields: pin-based VM-execution controls is 0x7d; by its "
		  "capability MSR these must be 1: bit 1" } },
	{ "pin: posted interrupts do not exist", sandy_bridge, MODE(long_mode),
		{ ON(VMCS_PIN_BASED_CONTROLS, 0x100) },
		{ "VM-Execution Control Fields: pin-based VM-execution controls is 0x17f; by its "
		  "capability MSR these must be 0: bit 8" } },
	{ "proc: default1 bits are 0", sandy_bridge, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS, 0x42) },
		{ "VM-Execution Control Fields: primary processor-based VM-execution controls is "
		  "0xb6186db8; by its capability MSR these must be 1: bit 1, bit 6" } },
	{ "proc: tertiary controls do not exist", sandy_bridge, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS, PROC_TERTIARY) },
		{ "VM-Execution Control Fields: primary processor-based VM-execution controls is "
		  "0xb61a6dfa; by its capability MSR these must be 0: bit 17" } },
	{ "proc2: INVPCID does not exist", sandy_bridge, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_INVPCID | PROC2_RDRAND) },
		{ "VM-Execution Control Fields: secondary processor-based VM-execution controls is "
		  "0x18ea; by its capability MSR these must be 0: bit 11, bit 12 (enable "
		  "INVPCID)" } },
	{ "proc2: a bit that must be 1 is 0", wbinvd_must, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_WBINVD) },
		{ "VM-Execution Control Fields: secondary processor-based VM-execution controls is "
		  "0x1010aa; by its capability MSR these must be 1: bit 6 (WBINVD exiting)" } },
	{ "proc2: not looked at unless activated", sandy_bridge, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS, PROC_SECONDARY),
			ON(VMCS_PROC_BASED_CONTROLS2, PROC2_RDRAND) },
		{ NULL } },
	{ "too many CR3 targets", full, MODE(long_mode), { SET(VMCS_CR3_TARGET_COUNT, 5) },
		{ "VM-Execution Control Fields: CR3-target count is 0x5; it must not be greater "
		  "than what IA32_VMX_MISC allows" } },
	{ "I/O bitmap A not aligned", full, MODE(long_mode), { SET(VMCS_IO_BITMAP_A, 0x10800) },
		{ "VM-Execution Control Fields: address of I/O bitmap A is 0x10800; it must be 4 "
		  "KB aligned and within the physical-address width" } },
	{ "I/O bitmap B beyond memory", full, MODE(long_mode),
		{ SET(VMCS_IO_BITMAP_B, 0x400000000000) },
		{ "VM-Execution Control Fields: address of I/O bitmap B is 0x400000000000; it must "
		  "be 4 KB aligned and within the physical-address width" } },
	{ "I/O bitmaps not in use", full, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS, PROC_IO_BITMAPS), SET(VMCS_IO_BITMAP_A, 0x10800) },
		{ NULL } },
	{ "MSR bitmaps not aligned", full, MODE(long_mode), { SET(VMCS_MSR_BITMAPS, 0x12001) },
		{ "VM-Execution Control Fields: address of MSR bitmaps is 0x12001; it must be 4 KB "
		  "aligned and within the physical-address width" } },
	{ "virtual-APIC page not aligned", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS, PROC_TPR_SHADOW),
			SET(VMCS_VIRTUAL_APIC_ADDRESS, 0x20), SET(VMCS_TPR_THRESHOLD, 0) },
		{ "VM-Execution Control Fields: virtual-APIC address is 0x20; it must be 4 KB "
		  "aligned and within the physical-address width" } },
	{ "TPR threshold too wide", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS, PROC_TPR_SHADOW),
			SET(VMCS_VIRTUAL_APIC_ADDRESS, 0x20000), SET(VMCS_TPR_THRESHOLD, 0x10) },
		{ "VM-Execution Control Fields: TPR threshold is 0x10; bits 31:4 must be 0" } },
	{ "x2APIC mode without TPR shadow", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_X2APIC | PROC2_APIC_REGISTERS) },
		{ "VM-Execution Control Fields: secondary processor-based VM-execution controls is "
		  "0x1011fa; without \"use TPR shadow\" these must be 0: bit 4 (virtualize x2APIC "
		  "mode), bit 8 (APIC-register virtualization)" } },
	{ "virtual NMIs without NMI exiting", full, MODE(long_mode),
		{ OFF(VMCS_PIN_BASED_CONTROLS, PIN_NMI_EXITING) },
		{ "VM-Execution Control Fields: pin-based VM-execution controls is 0x77; \"virtual "
		  "NMIs\" must be 0 without \"NMI exiting\"" } },
	{ "NMI window without virtual NMIs", full, MODE(long_mode),
		{ OFF(VMCS_PIN_BASED_CONTROLS, PIN_VIRTUAL_NMIS),
			ON(VMCS_PROC_BASED_CONTROLS, PROC_NMI_WINDOW) },
		{ "VM-Execution Control Fields: primary processor-based VM-execution controls is "
		  "0xb6586dfa; \"NMI-window exiting\" must be 0 without \"virtual NMIs\"" } },
	{ "APIC-access page not aligned", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_APIC_ACCESSES),
			SET(VMCS_APIC_ACCESS_ADDRESS, 0xfee00004) },
		{ "VM-Execution Control Fields: APIC-access address is 0xfee00004; it must be 4 KB "
		  "aligned and within the physical-address width" } },
	{ "APIC accesses and x2APIC mode", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS, PROC_TPR_SHADOW),
			SET(VMCS_VIRTUAL_APIC_ADDRESS, 0x20000), SET(VMCS_TPR_THRESHOLD, 0),
			ON(VMCS_PROC_BASED_CONTROLS2, PROC2_APIC_ACCESSES | PROC2_X2APIC),
			SET(VMCS_APIC_ACCESS_ADDRESS, 0xfee00000) },
		{ "VM-Execution Control Fields: secondary processor-based VM-execution controls is "
		  "0x1010fb; \"virtualize APIC accesses\" must be 0 with \"virtualize x2APIC "
		  "mode\"" } },
	{ "virtual interrupts without external-interrupt exiting", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS, PROC_TPR_SHADOW),
			SET(VMCS_VIRTUAL_APIC_ADDRESS, 0x20000),
			ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VIRTUAL_INTERRUPTS),
			OFF(VMCS_PIN_BASED_CONTROLS, PIN_EXTERNAL_INTERRUPT) },
		{ "VM-Execution Control Fields: pin-based VM-execution controls is 0x7e; "
		  "\"external-interrupt exiting\" must be 1 with \"virtual-interrupt "
		  "delivery\"" } },
	{ "posted interrupts without virtual interrupts", full, MODE(long_mode),
		{ ON(VMCS_PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS),
			SET(VMCS_POSTED_INTR_NV, 0xf2), SET(VMCS_POSTED_INTR_DESCRIPTOR, 0x30040) },
		{ "VM-Execution Control Fields: secondary processor-based VM-execution controls is "
		  "0x1010ea; \"virtual-interrupt delivery\" must be 1 with \"process posted "
		  "interrupts\"" } },
	{ "posted interrupts without secondary controls", full, MODE(long_mode),
		{ ON(VMCS_PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS),
			SET(VMCS_POSTED_INTR_NV, 0xf2), SET(VMCS_POSTED_INTR_DESCRIPTOR, 0x30040),
			OFF(VMCS_PROC_BASED_CONTROLS, PROC_SECONDARY) },
		{ "VM-Execution Control Fields: primary processor-based VM-execution controls is "
		  "0x36186dfa; \"activate secondary controls\" must be 1 with \"process posted "
		  "interrupts\"" } },
	{ "posted interrupts in order", full, MODE(long_mode),
		{ ON(VMCS_PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS),
			SET(VMCS_POSTED_INTR_NV, 0xf2), SET(VMCS_POSTED_INTR_DESCRIPTOR, 0x30040),
			ON(VMCS_PROC_BASED_CONTROLS, PROC_TPR_SHADOW),
			SET(VMCS_VIRTUAL_APIC_ADDRESS, 0x20000),
			ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VIRTUAL_INTERRUPTS) },
		{ NULL } },
	{ "posted interrupts without acknowledging", full, MODE(long_mode),
		{ ON(VMCS_PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS),
			SET(VMCS_POSTED_INTR_NV, 0xf2), SET(VMCS_POSTED_INTR_DESCRIPTOR, 0x30040),
			ON(VMCS_PROC_BASED_CONTROLS, PROC_TPR_SHADOW),
			SET(VMCS_VIRTUAL_APIC_ADDRESS, 0x20000),
			ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VIRTUAL_INTERRUPTS),
			OFF(VMCS_EXIT_CONTROLS, VMEXIT_ACK_INTERRUPT) },
		{ "VM-Execution Control Fields: VM-exit controls is 0x3f6fff; \"acknowledge "
		  "interrupt on exit\" must be 1 with \"process posted interrupts\"" } },
	{ "posted-interrupt vector too wide", full, MODE(long_mode),
		{ ON(VMCS_PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS),
			SET(VMCS_POSTED_INTR_NV, 0xf2), SET(VMCS_POSTED_INTR_DESCRIPTOR, 0x30040),
			ON(VMCS_PROC_BASED_CONTROLS, PROC_TPR_SHADOW),
			SET(VMCS_VIRTUAL_APIC_ADDRESS, 0x20000),
			ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VIRTUAL_INTERRUPTS),
			SET(VMCS_POSTED_INTR_NV, 0x100) },
		{ "VM-Execution Control Fields: posted-interrupt notification vector is 0x100; it "
		  "must be in the range 0 to 255" } },
	{ "posted-interrupt descriptor not aligned", full, MODE(long_mode),
		{ ON(VMCS_PIN_BASED_CONTROLS, PIN_POSTED_INTERRUPTS),
			SET(VMCS_POSTED_INTR_NV, 0xf2), SET(VMCS_POSTED_INTR_DESCRIPTOR, 0x30040),
			ON(VMCS_PROC_BASED_CONTROLS, PROC_TPR_SHADOW),
			SET(VMCS_VIRTUAL_APIC_ADDRESS, 0x20000),
			ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VIRTUAL_INTERRUPTS),
			SET(VMCS_POSTED_INTR_DESCRIPTOR, 0x30020) },
		{ "VM-Execution Control Fields: posted-interrupt descriptor address is 0x30020; it "
		  "must be 64-byte aligned and within the physical-address width" } },
	{ "VPID 0", full, MODE(long_mode), { SET(VMCS_VPID, 0) },
		{ "VM-Execution Control Fields: virtual-processor identifier (VPID) is 0x0; it "
		  "must not be 0 with \"enable VPID\"" } },
	{ "VPID 0, not in use", full, MODE(long_mode),
		{ SET(VMCS_VPID, 0), OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_VPID) }, { NULL } },
	{ "EPT with write-combining tables", full, MODE(long_mode),
		{ SET(VMCS_EPT_POINTER, 0x13019) },
		{ "VM-Execution Control Fields: EPT pointer is 0x13019; bits 2:0 must be a memory "
		  "type that IA32_VMX_EPT_VPID_CAP names (6 is write-back)" } },
	{ "EPT with 3 levels", full, MODE(long_mode), { SET(VMCS_EPT_POINTER, 0x13016) },
		{ "VM-Execution Control Fields: EPT pointer is 0x13016; bits 5:3 must be 1 less "
		  "than a page-walk length of this CPU (3 for 4 levels)" } },
	{ "EPT with 5 levels", full, MODE(long_mode), { SET(VMCS_EPT_POINTER, 0x13026) },
		{ "VM-Execution Control Fields: EPT pointer is 0x13026; bits 5:3 must be 1 less "
		  "than a page-walk length of this CPU (3 for 4 levels)" } },
	{ "EPT with accessed and dirty flags", sandy_bridge, MODE(long_mode),
		{ SET(VMCS_EPT_POINTER, 0x1305e) },
		{ "VM-Execution Control Fields: EPT pointer is 0x1305e; bit 6 must be 0: this CPU "
		  "has no accessed and dirty flags for EPT" } },
	{ "EPT with shadow-stack control", skylake_x, MODE(long_mode),
		{ SET(VMCS_EPT_POINTER, 0x1309e) },
		{ "VM-Execution Control Fields: EPT pointer is 0x1309e; bit 7 must be 0: this CPU "
		  "has no supervisor shadow-stack pages in EPT" } },
	{ "EPT pointer with reserved bits", full, MODE(long_mode),
		{ SET(VMCS_EPT_POINTER, 0x400000013d1e) },
		{ "VM-Execution Control Fields: EPT pointer is 0x400000013d1e; reserved bits, and "
		  "bits beyond the physical-address width, must be 0: bit 8, bit 10, bit 11, bit "
		  "46" } },
	{ "unrestricted guest and PML without EPT", full, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_EPT),
			ON(VMCS_PROC_BASED_CONTROLS2, PROC2_PML), SET(VMCS_PML_ADDRESS, 0x31000) },
		{ "VM-Execution Control Fields: secondary processor-based VM-execution controls is "
		  "0x1210e8; without \"enable EPT\" these must be 0: bit 7 (unrestricted guest), "
		  "bit 17 (enable PML)" } },
	{ "PML buffer not aligned", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_PML), SET(VMCS_PML_ADDRESS, 0x31008) },
		{ "VM-Execution Control Fields: PML address is 0x31008; it must be 4 KB aligned "
		  "and within the physical-address width" } },
	{ "sub-page table not aligned", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_SUB_PAGE_WRITE),
			SET(VMCS_SPP_TABLE_POINTER, 0x31008) },
		{ "VM-Execution Control Fields: sub-page-permission-table pointer is 0x31008; it "
		  "must be 4 KB aligned and within the physical-address width" } },
	{ "a VM function that does not exist", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VMFUNC),
			SET(VMCS_VM_FUNCTION_CONTROLS, 0x2) },
		{ "VM-Execution Control Fields: VM-function controls is 0x2; by IA32_VMX_VMFUNC "
		  "these must be 0: bit 1" } },
	{ "EPTP switching without EPT", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VMFUNC),
			OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_EPT | PROC2_UNRESTRICTED_GUEST),
			SET(VMCS_VM_FUNCTION_CONTROLS, 0x1), SET(VMCS_EPTP_LIST_ADDRESS, 0x32000) },
		{ "VM-Execution Control Fields: VM-function controls is 0x1; \"EPTP switching\" "
		  "must be 0 without \"enable EPT\"" } },
	{ "EPTP list not aligned", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VMFUNC), SET(VMCS_VM_FUNCTION_CONTROLS, 0x1),
			SET(VMCS_EPTP_LIST_ADDRESS, 0x32010) },
		{ "VM-Execution Control Fields: EPTP-list address is 0x32010; it must be 4 KB "
		  "aligned and within the physical-address width" } },
	{ "VMCS shadowing bitmaps", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_VMCS_SHADOWING),
			SET(VMCS_VMREAD_BITMAP, 0x32010),
			SET(VMCS_VMWRITE_BITMAP, 0x400000000000) },
		{ "VM-Execution Control Fields: VMREAD-bitmap address is 0x32010; it must be 4 KB "
		  "aligned and within the physical-address width",
			"VM-Execution Control Fields: VMWRITE-bitmap address is 0x400000000000; it "
			"must be 4 KB aligned and within the physical-address width" } },
	{ "#VE page not aligned", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_EPT_VE),
			SET(VMCS_VE_INFORMATION_ADDRESS, 0x33100) },
		{ "VM-Execution Control Fields: virtualization-exception information address is "
		  "0x33100; it must be 4 KB aligned and within the physical-address width" } },
	{ "PT through EPT without its MSR controls", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_PT_GPA) },
		{ "VM-Execution Control Fields: VM-entry controls is 0xd3ff; \"load "
		  "IA32_RTIT_CTL\" must be 1 with \"Intel PT uses guest physical addresses\"",
			"VM-Execution Control Fields: VM-exit controls is 0x3fefff; \"clear "
			"IA32_RTIT_CTL\" must be 1 with \"Intel PT uses guest physical "
			"addresses\"" } },
	{ "TSC multiplier 0", full, MODE(long_mode),
		{ ON(VMCS_PROC_BASED_CONTROLS2, PROC2_TSC_SCALING), SET(VMCS_TSC_MULTIPLIER, 0) },
		{ "VM-Execution Control Fields: TSC multiplier is 0x0; it must not be 0 with \"use "
		  "TSC scaling\"" } },
	{ "exit: default1 bit is 0", sandy_bridge, MODE(long_mode),
		{ OFF(VMCS_EXIT_CONTROLS, 0x1) },
		{ "VM-Exit Control Fields: VM-exit controls is 0x3feffe; by its capability MSR "
		  "these must be 1: bit 0" } },
	{ "exit: CET does not exist", sandy_bridge, MODE(long_mode),
		{ ON(VMCS_EXIT_CONTROLS, VMEXIT_LOAD_CET), SET(VMCS_HOST_S_CET, 0),
			SET(VMCS_HOST_SSP, 0), SET(VMCS_HOST_INTERRUPT_SSP_TABLE, 0) },
		{ "VM-Exit Control Fields: VM-exit controls is 0x103fefff; by its capability MSR "
		  "these must be 0: bit 28" } },
	{ "save the timer that is off", full, MODE(long_mode),
		{ OFF(VMCS_PIN_BASED_CONTROLS, PIN_PREEMPTION_TIMER),
			ON(VMCS_EXIT_CONTROLS, VMEXIT_SAVE_PREEMPTION_TIMER) },
		{ "VM-Exit Control Fields: VM-exit controls is 0x7fefff; \"save VMX-preemption "
		  "timer value\" must be 0 without \"activate VMX-preemption timer\"" } },
	{ "exit MSR-store area not aligned", full, MODE(long_mode),
		{ SET(VMCS_EXIT_MSR_STORE_COUNT, 1), SET(VMCS_EXIT_MSR_STORE_ADDRESS, 0x40008) },
		{ "VM-Exit Control Fields: VM-exit MSR-store address is 0x40008; it must be "
		  "16-byte aligned, and the area must end within the physical-address width" } },
	{ "exit MSR-load area ends beyond memory", full, MODE(long_mode),
		{ SET(VMCS_EXIT_MSR_LOAD_COUNT, 2),
			SET(VMCS_EXIT_MSR_LOAD_ADDRESS, 0x3ffffffffff0) },
		{ "VM-Exit Control Fields: VM-exit MSR-load address is 0x3ffffffffff0; it must be "
		  "16-byte aligned, and the area must end within the physical-address width" } },
	{ "an MSR-load area up to the end of memory", full, MODE(long_mode),
		{ SET(VMCS_EXIT_MSR_LOAD_COUNT, 1),
			SET(VMCS_EXIT_MSR_LOAD_ADDRESS, 0x3ffffffffff0) },
		{ NULL } },
	{ "entry: default1 bits are 0", sandy_bridge, MODE(long_mode),
		{ OFF(VMCS_ENTRY_CONTROLS, 0x11) },
		{ "VM-Entry Control Fields: VM-entry controls is 0xd3ee; by its capability MSR "
		  "these must be 1: bit 0, bit 4" } },
	{ "entry: CET does not exist", sandy_bridge, MODE(long_mode),
		{ ON(VMCS_ENTRY_CONTROLS, VMENTRY_LOAD_CET), SET(VMCS_GUEST_S_CET, 0),
			SET(VMCS_GUEST_SSP, 0), SET(VMCS_GUEST_INTERRUPT_SSP_TABLE, 0) },
		{ "VM-Entry Control Fields: VM-entry controls is 0x10d3ff; by its capability MSR "
		  "these must be 0: bit 20" } },
	{ "inject type 1", full, MODE(long_mode), { SET(VMCS_ENTRY_INTR_INFO, 0x80000120) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000120; "
		  "bits 10:8 must not be type 1, nor type 7 on a CPU without \"monitor trap "
		  "flag\"" } },
	{ "inject type 7 without the monitor trap flag", no_mtf, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000700) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000700; "
		  "bits 10:8 must not be type 1, nor type 7 on a CPU without \"monitor trap "
		  "flag\"" } },
	{ "inject type 7 with a vector", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000701) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000701; "
		  "the vector of an event of type 7 must be 0" } },
	{ "inject an NMI with vector 3", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000203) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000203; "
		  "the vector of an NMI must be 2" } },
	{ "inject exception 32", full, MODE(long_mode), { SET(VMCS_ENTRY_INTR_INFO, 0x80000320) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000320; "
		  "the vector of a hardware exception must be at most 31" } },
	{ "inject #UD with an error code", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000b06), SET(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000b06; "
		  "bit 11 must be 0: this event has no error code" } },
	{ "inject #PF without an error code", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x8000030e) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x8000030e; "
		  "bit 11 must be 1: this exception has an error code" } },
	{ "inject #PF without an error code where any will do", any_error, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x8000030e) }, { NULL } },
	{ "inject #GP with an error code in real mode", full, MODE(real_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000b0d), SET(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000b0d; "
		  "bit 11 must be 0: this event has no error code" } },
	{ "inject #CP without an error code", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000315) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000315; "
		  "bit 11 must be 1: this exception has an error code" } },
	{ "inject vector 21 with an error code before CET", sandy_bridge, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000b15), SET(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80000b15; "
		  "bit 11 must be 0: this event has no error code" } },
	{ "interruption information with a reserved bit", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80001306) },
		{ "VM-Entry Control Fields: VM-entry interruption-information field is 0x80001306; "
		  "bits 30:12 must be 0" } },
	{ "nothing is injected: the rest is not looked at", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x7ffff1ff) }, { NULL } },
	{ "error code too wide", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000b0e),
			SET(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0x10000) },
		{ "VM-Entry Control Fields: VM-entry exception error code is 0x10000; bits 31:16 "
		  "must be 0" } },
	{ "INT n of length 16", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000480), SET(VMCS_ENTRY_INSTRUCTION_LENGTH, 16) },
		{ "VM-Entry Control Fields: VM-entry instruction length is 0x10; for a software "
		  "interrupt or exception it must be 1 to 15 (0 only where IA32_VMX_MISC bit 30 is "
		  "1)" } },
	{ "INT3 of length 0", sandy_bridge, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000603), SET(VMCS_ENTRY_INSTRUCTION_LENGTH, 0) },
		{ "VM-Entry Control Fields: VM-entry instruction length is 0x0; for a software "
		  "interrupt or exception it must be 1 to 15 (0 only where IA32_VMX_MISC bit 30 is "
		  "1)" } },
	{ "INT3 of length 0 where that is allowed", skylake_x, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000603), SET(VMCS_ENTRY_INSTRUCTION_LENGTH, 0) },
		{ NULL } },
	{ "entry MSR-load area not aligned", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_MSR_LOAD_COUNT, 1), SET(VMCS_ENTRY_MSR_LOAD_ADDRESS, 0x40001) },
		{ "VM-Entry Control Fields: VM-entry MSR-load address is 0x40001; it must be "
		  "16-byte aligned, and the area must end within the physical-address width" } },
	{ "entry to SMM", full, MODE(long_mode), { ON(VMCS_ENTRY_CONTROLS, VMENTRY_TO_SMM) },
		{ "VM-Entry Control Fields: VM-entry controls is 0xd7ff; outside SMM these must be "
		  "0: bit 10 (entry to SMM)" } },
	{ "host CR0.NE is 0", full, MODE(long_mode), { OFF(VMCS_HOST_CR0, CR0_NE) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host CR0 is 0x80050013; by "
		  "IA32_VMX_CR0_FIXED0 these must be 1: bit 5" } },
	{ "host CR0 has a high bit", full, MODE(long_mode), { ON(VMCS_HOST_CR0, BIT(32)) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host CR0 is 0x180050033; by "
		  "IA32_VMX_CR0_FIXED1 these must be 0: bit 32" } },
	{ "host CR4.VMXE is 0", full, MODE(long_mode), { OFF(VMCS_HOST_CR4, CR4_VMXE) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host CR4 is 0x20; by "
		  "IA32_VMX_CR4_FIXED0 these must be 1: bit 13" } },
	{ "host CR4.SMAP does not exist", sandy_bridge, MODE(long_mode),
		{ ON(VMCS_HOST_CR4, BIT(21)) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host CR4 is 0x202020; by "
		  "IA32_VMX_CR4_FIXED1 these must be 0: bit 21" } },
	{ "host CET without WP", full, MODE(long_mode),
		{ ON(VMCS_HOST_CR4, BIT(23)), OFF(VMCS_HOST_CR0, CR0_WP) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host CR0 is 0x80040033; bit 16 "
		  "(WP) must be 1 while CR4.CET is 1" } },
	{ "host CR3 beyond memory", sandy_bridge, MODE(long_mode),
		{ SET(VMCS_HOST_CR3, 0x2000000000) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host CR3 is 0x2000000000; bits "
		  "beyond the physical-address width must be 0: bit 37" } },
	{ "host SYSENTER_EIP not canonical", full, MODE(long_mode),
		{ SET(VMCS_HOST_SYSENTER_EIP, 0x800000000000) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host IA32_SYSENTER_EIP is "
		  "0x800000000000; it must be canonical" } },
	{ "host PERF_GLOBAL_CTRL", full, MODE(long_mode),
		{ ON(VMCS_EXIT_CONTROLS, VMEXIT_LOAD_PERF_GLOBAL_CTRL),
			SET(VMCS_HOST_PERF_GLOBAL_CTRL, 0x10) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host IA32_PERF_GLOBAL_CTRL is "
		  "0x10; reserved bits must be 0: bit 4" } },
	{ "host PAT with type 2", full, MODE(long_mode), { SET(VMCS_HOST_PAT, 0x0007040600070206) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host IA32_PAT is "
		  "0x7040600070206; each byte must be a memory type: 0, 1, 4, 5, 6 or 7" } },
	{ "host EFER with a reserved bit", full, MODE(long_mode), { SET(VMCS_HOST_EFER, 0xd03) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host IA32_EFER is 0xd03; "
		  "reserved bits must be 0: bit 1" } },
	{ "host EFER without LMA", full, MODE(long_mode), { SET(VMCS_HOST_EFER, 0x901) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host IA32_EFER is 0x901; bits "
		  "8 (LME) and 10 (LMA) must each equal \"host address-space size\"" } },
	{ "host S_CET", full, MODE(long_mode),
		{ ON(VMCS_EXIT_CONTROLS, VMEXIT_LOAD_CET), SET(VMCS_HOST_S_CET, 0x40),
			SET(VMCS_HOST_SSP, 0x1),
			SET(VMCS_HOST_INTERRUPT_SSP_TABLE, 0x800000000000) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host IA32_S_CET is 0x40; it "
		  "must be canonical, and its reserved bits 0",
			"Checks on Host Control Registers, MSRs, and SSP: host SSP is 0x1; bits "
			"1:0 must be 0",
			"Checks on Host Control Registers, MSRs, and SSP: host "
			"IA32_INTERRUPT_SSP_TABLE_ADDR is 0x800000000000; it must be canonical" } },
	{ "host PKRS", full, MODE(long_mode),
		{ ON(VMCS_EXIT_CONTROLS, VMEXIT_LOAD_PKRS), SET(VMCS_HOST_PKRS, BIT(32)) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host IA32_PKRS is 0x100000000; "
		  "bits 63:32 must be 0" } },
	{ "host CS with an RPL", full, MODE(long_mode), { SET(VMCS_HOST_CS_SELECTOR, 0xb) },
		{ "Checks on Host Segment and Descriptor-Table Registers: host CS selector is 0xb; "
		  "bits 2:0 (TI and RPL) must be 0" } },
	{ "host GS in an LDT", full, MODE(long_mode), { SET(VMCS_HOST_GS_SELECTOR, 0x4) },
		{ "Checks on Host Segment and Descriptor-Table Registers: host GS selector is 0x4; "
		  "bits 2:0 (TI and RPL) must be 0" } },
	{ "host CS is 0", full, MODE(long_mode), { SET(VMCS_HOST_CS_SELECTOR, 0) },
		{ "Checks on Host Segment and Descriptor-Table Registers: host CS selector is 0x0; "
		  "it must not be 0" } },
	{ "host TR is 0", full, MODE(long_mode), { SET(VMCS_HOST_TR_SELECTOR, 0) },
		{ "Checks on Host Segment and Descriptor-Table Registers: host TR selector is 0x0; "
		  "it must not be 0" } },
	{ "host GS base not canonical", full, MODE(long_mode),
		{ SET(VMCS_HOST_GS_BASE, 0xff7fffffffffffff) },
		{ "Checks on Host Segment and Descriptor-Table Registers: host GS base is "
		  "0xff7fffffffffffff; it must be canonical" } },
	{ "host GDTR base not canonical", full, MODE(long_mode),
		{ SET(VMCS_HOST_GDTR_BASE, 0x0001000000000000) },
		{ "Checks on Host Segment and Descriptor-Table Registers: host GDTR base is "
		  "0x1000000000000; it must be canonical" } },
	{ "host address-space size is 0", full, MODE(long_mode),
		{ OFF(VMCS_EXIT_CONTROLS, VMEXIT_HOST_64) },
		{ "Checks on Host Control Registers, MSRs, and SSP: host IA32_EFER is 0xd01; bits "
		  "8 (LME) and 10 (LMA) must each equal \"host address-space size\"",
			"Checks Related to Address-Space Size: VM-exit controls is 0x3fedff; "
			"\"host address-space size\" must be 1 for an entry from IA-32e mode",
			"Checks Related to Address-Space Size: VM-entry controls is 0xd3ff; "
			"\"IA-32e mode guest\" must be 0 where \"host address-space size\" is 0",
			"Checks Related to Address-Space Size: host RIP is 0xffffffff80100000; "
			"bits 63:32 must be 0 where \"host address-space size\" is 0" } },
	{ "host without an address-space size: SS and PCIDE", full, MODE(protected_mode),
		{ OFF(VMCS_EXIT_CONTROLS, VMEXIT_HOST_64), SET(VMCS_HOST_EFER, 0x1),
			OFF(VMCS_ENTRY_CONTROLS, VMENTRY_IA32E_GUEST), ON(VMCS_HOST_CR4, CR4_PCIDE),
			SET(VMCS_HOST_SS_SELECTOR, 0), SET(VMCS_HOST_RIP, 0x100000) },
		{ "Checks on Host Segment and Descriptor-Table Registers: host SS selector is 0x0; "
		  "it must not be 0 where \"host address-space size\" is 0",
			"Checks Related to Address-Space Size: VM-exit controls is 0x3fedff; "
			"\"host address-space size\" must be 1 for an entry from IA-32e mode",
			"Checks Related to Address-Space Size: host CR4 is 0x22020; bit 17 (PCIDE) "
			"must be 0 where \"host address-space size\" is 0" } },
	{ "host CR4.PAE is 0", full, MODE(long_mode), { OFF(VMCS_HOST_CR4, CR4_PAE) },
		{ "Checks Related to Address-Space Size: host CR4 is 0x2000; bit 5 (PAE) must be 1 "
		  "where \"host address-space size\" is 1" } },
	{ "host RIP not canonical", full, MODE(long_mode),
		{ SET(VMCS_HOST_RIP, 0x8000000000000000) },
		{ "Checks Related to Address-Space Size: host RIP is 0x8000000000000000; it must "
		  "be canonical" } },
};

#endif
