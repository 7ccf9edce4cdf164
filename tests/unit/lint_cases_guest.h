/* SPDX-License-Identifier: BSD-2-Clause */
/* Broken guest state; a part of test_lint.c. */
#ifndef TESTS_UNIT_LINT_CASES_GUEST_H
#define TESTS_UNIT_LINT_CASES_GUEST_H

static const struct lint_case guest_cases[] = {
	{ "guest CR0.NE is 0", full, MODE(long_mode), { OFF(VMCS_GUEST_CR0, CR0_NE) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR0 is "
		  "0x80050013; by IA32_VMX_CR0_FIXED0 these must be 1: bit 5" } },
	{ "guest CR0.PG is 0, not unrestricted", full, MODE(protected_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_UNRESTRICTED_GUEST),
			OFF(VMCS_GUEST_CR0, CR0_PG) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR0 is "
		  "0x50033; by IA32_VMX_CR0_FIXED0 these must be 1: bit 31" } },
	{ "guest CR0.CD and NW are free", full, MODE(long_mode),
		{ ON(VMCS_GUEST_CR0, CR0_CD | CR0_NW) }, { NULL } },
	{ "guest CR0 has a high bit", full, MODE(long_mode), { ON(VMCS_GUEST_CR0, BIT(63)) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR0 is "
		  "0x8000000080050033; by IA32_VMX_CR0_FIXED1 these must be 0: bit 63" } },
	{ "guest CR0.PG without PE", full, MODE(protected_mode), { OFF(VMCS_GUEST_CR0, CR0_PE) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR0 is "
		  "0x80050032; bit 0 (PE) must be 1 while bit 31 (PG) is 1" } },
	{ "guest CR0.WP is 0 with CET", full, MODE(long_mode),
		{ OFF(VMCS_GUEST_CR0, CR0_WP), ON(VMCS_GUEST_CR4, BIT(23)) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR0 is "
		  "0x80040033; bit 16 (WP) must be 1 while CR4.CET is 1" } },
	{ "guest CR4.VMXE is 0", full, MODE(long_mode), { OFF(VMCS_GUEST_CR4, CR4_VMXE) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR4 is "
		  "0x20; by IA32_VMX_CR4_FIXED0 these must be 1: bit 13" } },
	{ "guest CR4.SMEP, SMAP do not exist", sandy_bridge, MODE(long_mode),
		{ ON(VMCS_GUEST_CR4, CR4_SMEP | CR4_SMAP) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR4 is "
		  "0x302020; by IA32_VMX_CR4_FIXED1 these must be 0: bit 20, bit 21" } },
	{ "guest DEBUGCTL with reserved bits", sandy_bridge, MODE(long_mode),
		{ SET(VMCS_GUEST_DEBUGCTL, 0x10004) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest "
		  "IA32_DEBUGCTL is 0x10004; reserved bits must be 0: bit 2, bit 16" } },
	{ "guest DEBUGCTL.BLD where it exists", full, MODE(long_mode),
		{ SET(VMCS_GUEST_DEBUGCTL, 0x4) }, { NULL } },
	{ "64-bit guest without paging", full, MODE(long_mode), { OFF(VMCS_GUEST_CR0, CR0_PG) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR0 is "
		  "0x50033; bit 31 (PG) must be 1 with \"IA-32e mode guest\"" } },
	{ "64-bit guest without PAE", full, MODE(long_mode), { OFF(VMCS_GUEST_CR4, CR4_PAE) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR4 is "
		  "0x2000; bit 5 (PAE) must be 1 with \"IA-32e mode guest\"" } },
	{ "PCIDE outside IA-32e mode", full, MODE(protected_mode),
		{ ON(VMCS_GUEST_CR4, CR4_PCIDE) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR4 is "
		  "0x22000; bit 17 (PCIDE) must be 0 without \"IA-32e mode guest\"" } },
	{ "guest CR3 beyond memory", full, MODE(long_mode),
		{ SET(VMCS_GUEST_CR3, 0x8000000000001000) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest CR3 is "
		  "0x8000000000001000; bits beyond the physical-address width must be 0: bit "
		  "63" } },
	{ "guest DR7 with a high bit", full, MODE(long_mode), { SET(VMCS_GUEST_DR7, 0x100000400) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest DR7 is "
		  "0x100000400; bits 63:32 must be 0" } },
	{ "guest SYSENTER_ESP not canonical", full, MODE(long_mode),
		{ SET(VMCS_GUEST_SYSENTER_ESP, 0x800000000000) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest "
		  "IA32_SYSENTER_ESP is 0x800000000000; it must be canonical" } },
	{ "guest S_CET", full, MODE(long_mode),
		{ ON(VMCS_ENTRY_CONTROLS, VMENTRY_LOAD_CET), SET(VMCS_GUEST_S_CET, 0xc00),
			SET(VMCS_GUEST_SSP, 0x2),
			SET(VMCS_GUEST_INTERRUPT_SSP_TABLE, 0x800000000000) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest IA32_S_CET "
		  "is 0xc00; it must be canonical, and its reserved bits 0",
			"Checks on Guest Control Registers, Debug Registers, and MSRs: guest "
			"IA32_INTERRUPT_SSP_TABLE_ADDR is 0x800000000000; it must be canonical",
			"Checks on Guest RIP, RFLAGS, and SSP: guest SSP is 0x2; bits 1:0 must be "
			"0" } },
	{ "guest SSP not canonical", full, MODE(long_mode),
		{ ON(VMCS_ENTRY_CONTROLS, VMENTRY_LOAD_CET), SET(VMCS_GUEST_S_CET, 0),
			SET(VMCS_GUEST_SSP, 0x800000000000),
			SET(VMCS_GUEST_INTERRUPT_SSP_TABLE, 0) },
		{ "Checks on Guest RIP, RFLAGS, and SSP: guest SSP is 0x800000000000; it must be "
		  "canonical" } },
	{ "guest PERF_GLOBAL_CTRL", full, MODE(long_mode),
		{ ON(VMCS_ENTRY_CONTROLS, VMENTRY_LOAD_PERF_GLOBAL_CTRL),
			SET(VMCS_GUEST_PERF_GLOBAL_CTRL, 0x800000001) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest "
		  "IA32_PERF_GLOBAL_CTRL is 0x800000001; reserved bits must be 0: bit 35" } },
	{ "guest PAT with type 3", full, MODE(long_mode),
		{ SET(VMCS_GUEST_PAT, 0x0307040600070406) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest IA32_PAT is "
		  "0x307040600070406; each byte must be a memory type: 0, 1, 4, 5, 6 or 7" } },
	{ "guest EFER with a reserved bit", full, MODE(long_mode), { SET(VMCS_GUEST_EFER, 0x8d01) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest IA32_EFER "
		  "is 0x8d01; reserved bits must be 0: bit 15" } },
	{ "guest EFER.LMA is 0", full, MODE(long_mode), { SET(VMCS_GUEST_EFER, 0x801) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest IA32_EFER "
		  "is 0x801; bit 10 (LMA) must equal \"IA-32e mode guest\"" } },
	{ "guest EFER.LMA in protected mode", full, MODE(protected_mode),
		{ SET(VMCS_GUEST_EFER, 0x500) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest IA32_EFER "
		  "is 0x500; bit 10 (LMA) must equal \"IA-32e mode guest\"" } },
	{ "guest EFER.LME is not LMA", full, MODE(long_mode), { SET(VMCS_GUEST_EFER, 0xc01) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest IA32_EFER "
		  "is 0xc01; bit 8 (LME) must equal bit 10 (LMA) while CR0.PG is 1" } },
	{ "guest BNDCFGS", full, MODE(long_mode),
		{ ON(VMCS_ENTRY_CONTROLS, VMENTRY_LOAD_BNDCFGS), SET(VMCS_GUEST_BNDCFGS, 0x1004) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest "
		  "IA32_BNDCFGS is 0x1004; it must be canonical, and bits 11:2 must be 0" } },
	{ "guest PKRS", full, MODE(long_mode),
		{ ON(VMCS_ENTRY_CONTROLS, VMENTRY_LOAD_PKRS), SET(VMCS_GUEST_PKRS, BIT(40)) },
		{ "Checks on Guest Control Registers, Debug Registers, and MSRs: guest IA32_PKRS "
		  "is 0x10000000000; bits 63:32 must be 0" } },
	{ "TR in an LDT", full, MODE(long_mode), { SET(VMCS_GUEST_TR_SELECTOR, 0x44) },
		{ "Checks on Guest Segment Registers: guest TR selector is 0x44; bit 2 (TI) must "
		  "be 0" } },
	{ "LDTR usable and in order", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff) },
		{ NULL } },
	{ "LDTR in an LDT", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff),
			SET(VMCS_GUEST_LDTR_SELECTOR, 0x4) },
		{ "Checks on Guest Segment Registers: guest LDTR selector is 0x4; bit 2 (TI) must "
		  "be 0" } },
	{ "RPL of SS is not that of CS, restricted", full, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_UNRESTRICTED_GUEST),
			SET(VMCS_GUEST_SS_SELECTOR, 0x1b) },
		{ "Checks on Guest Segment Registers: guest SS selector is 0x1b; bits 1:0 (RPL) "
		  "must equal those of the CS selector",
			"Checks on Guest Segment Registers: guest SS access rights is 0xc093; bits "
			"6:5 (DPL) must equal the RPL of the SS selector" } },
	{ "virtual-8086 CS base", full, MODE(virtual_8086), { SET(VMCS_GUEST_CS_BASE, 0x12341) },
		{ "Checks on Guest Segment Registers: guest CS base is 0x12341; in virtual-8086 "
		  "mode it must be the selector times 16" } },
	{ "virtual-8086 SS limit", full, MODE(virtual_8086),
		{ SET(VMCS_GUEST_SS_LIMIT, 0xffffffff) },
		{ "Checks on Guest Segment Registers: guest SS limit is 0xffffffff; in "
		  "virtual-8086 mode it must be 0xffff" } },
	{ "virtual-8086 FS rights", full, MODE(virtual_8086),
		{ SET(VMCS_GUEST_FS_ACCESS_RIGHTS, 0x93) },
		{ "Checks on Guest Segment Registers: guest FS access rights is 0x93; in "
		  "virtual-8086 mode it must be 0xf3" } },
	{ "FS base not canonical", full, MODE(long_mode),
		{ SET(VMCS_GUEST_FS_BASE, 0x1000000000000) },
		{ "Checks on Guest Segment Registers: guest FS base is 0x1000000000000; it must be "
		  "canonical" } },
	{ "LDTR base not canonical", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff),
			SET(VMCS_GUEST_LDTR_BASE, 0x1000000000000) },
		{ "Checks on Guest Segment Registers: guest LDTR base is 0x1000000000000; it must "
		  "be canonical" } },
	{ "LDTR base of an unusable LDTR", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_BASE, 0x1000000000000) }, { NULL } },
	{ "TR base not canonical", full, MODE(long_mode),
		{ SET(VMCS_GUEST_TR_BASE, 0x1000000000000) },
		{ "Checks on Guest Segment Registers: guest TR base is 0x1000000000000; it must be "
		  "canonical" } },
	{ "CS base above 4 GB", full, MODE(long_mode), { SET(VMCS_GUEST_CS_BASE, 0x100000000) },
		{ "Checks on Guest Segment Registers: guest CS base is 0x100000000; bits 63:32 "
		  "must be 0" } },
	{ "SS base above 4 GB", full, MODE(long_mode), { SET(VMCS_GUEST_SS_BASE, 0x100000000) },
		{ "Checks on Guest Segment Registers: guest SS base is 0x100000000; bits 63:32 "
		  "must be 0" } },
	{ "DS base above 4 GB, unusable", full, MODE(long_mode),
		{ SET(VMCS_GUEST_DS_BASE, 0x100000000), SET(VMCS_GUEST_DS_ACCESS_RIGHTS, 0x10000) },
		{ NULL } },
	{ "DS base above 4 GB", full, MODE(long_mode), { SET(VMCS_GUEST_DS_BASE, 0x100000000) },
		{ "Checks on Guest Segment Registers: guest DS base is 0x100000000; bits 63:32 "
		  "must be 0" } },
	{ "ES base above 4 GB", full, MODE(long_mode), { SET(VMCS_GUEST_ES_BASE, 0x100000000) },
		{ "Checks on Guest Segment Registers: guest ES base is 0x100000000; bits 63:32 "
		  "must be 0" } },
	{ "CS not accessed", full, MODE(long_mode), { SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09a) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xa09a; bits 3:0 "
		  "(type) must be accessed code: 9, 11, 13 or 15 (or 3 with \"unrestricted "
		  "guest\")" } },
	{ "CS is data, restricted", full, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_UNRESTRICTED_GUEST),
			SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa093) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xa093; bits 3:0 "
		  "(type) must be accessed code: 9, 11, 13 or 15 (or 3 with \"unrestricted "
		  "guest\")" } },
	{ "CS is read-only data", full, MODE(long_mode),
		{ SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc091) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xc091; bits 3:0 "
		  "(type) must be accessed code: 9, 11, 13 or 15 (or 3 with \"unrestricted "
		  "guest\")",
			"Checks on Guest RIP, RFLAGS, and SSP: guest RIP is 0xffffffff81000000; "
			"bits 63:32 must be 0 outside 64-bit code" } },
	{ "CS unusable is not excused", full, MODE(protected_mode),
		{ SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0x10000) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0x10000; bits 3:0 "
		  "(type) must be accessed code: 9, 11, 13 or 15 (or 3 with \"unrestricted "
		  "guest\")",
			"Checks on Guest Segment Registers: guest CS access rights is 0x10000; bit "
			"4 (S) must be 1",
			"Checks on Guest Segment Registers: guest CS access rights is 0x10000; bit "
			"7 (P) must be 1",
			"Checks on Guest Segment Registers: guest CS access rights is 0x10000; bit "
			"15 (G) must be 0 where bits 11:0 of the limit are not all 1, and 1 where "
			"its bits 31:20 are not all 0" } },
	{ "SS is read-only data", full, MODE(long_mode),
		{ SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc091) },
		{ "Checks on Guest Segment Registers: guest SS access rights is 0xc091; bits 3:0 "
		  "(type) must be 3 or 7: read-write accessed data" } },
	{ "SS expand-down", full, MODE(long_mode), { SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc097) },
		{ NULL } },
	{ "SS unusable", full, MODE(long_mode), { SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0x10000) },
		{ NULL } },
	{ "DS not accessed", full, MODE(long_mode), { SET(VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc092) },
		{ "Checks on Guest Segment Registers: guest DS access rights is 0xc092; bits 3:0 "
		  "(type) must be accessed, and readable if code" } },
	{ "ES is code that cannot be read", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ES_ACCESS_RIGHTS, 0xc099) },
		{ "Checks on Guest Segment Registers: guest ES access rights is 0xc099; bits 3:0 "
		  "(type) must be accessed, and readable if code" } },
	{ "GS is a system segment", full, MODE(long_mode),
		{ SET(VMCS_GUEST_GS_ACCESS_RIGHTS, 0xc083) },
		{ "Checks on Guest Segment Registers: guest GS access rights is 0xc083; bit 4 (S) "
		  "must be 1" } },
	{ "CS above the DPL of SS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa0fb) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xa0fb; bits 6:5 "
		  "(DPL) must be 0 for type 3, that of SS for non-conforming code, and not above "
		  "that of SS for conforming code" } },
	{ "conforming CS above the DPL of SS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa0ff) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xa0ff; bits 6:5 "
		  "(DPL) must be 0 for type 3, that of SS for non-conforming code, and not above "
		  "that of SS for conforming code" } },
	{ "conforming CS below the DPL of SS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09f),
			SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3) },
		{ NULL } },
	{ "data CS with DPL 3", full, MODE(protected_mode),
		{ SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc0f3) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xc0f3; bits 6:5 "
		  "(DPL) must be 0 for type 3, that of SS for non-conforming code, and not above "
		  "that of SS for conforming code" } },
	{ "DPL of SS is not its RPL, restricted", full, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_UNRESTRICTED_GUEST),
			SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0b3) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xa09b; bits 6:5 "
		  "(DPL) must be 0 for type 3, that of SS for non-conforming code, and not above "
		  "that of SS for conforming code",
			"Checks on Guest Segment Registers: guest SS access rights is 0xc0b3; bits "
			"6:5 (DPL) must equal the RPL of the SS selector" } },
	{ "DPL of SS in real mode", full, MODE(real_mode),
		{ SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xf3) },
		{ "Checks on Guest Segment Registers: guest SS access rights is 0xf3; bits 6:5 "
		  "(DPL) must be 0 while CR0.PE is 0 or the type of CS is 3" } },
	{ "DPL of DS below its RPL, restricted", full, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_UNRESTRICTED_GUEST),
			SET(VMCS_GUEST_DS_SELECTOR, 0x1b) },
		{ "Checks on Guest Segment Registers: guest DS access rights is 0xc093; bits 6:5 "
		  "(DPL) must not be less than the selector's RPL" } },
	{ "DPL of ES below its RPL, restricted", full, MODE(long_mode),
		{ OFF(VMCS_PROC_BASED_CONTROLS2, PROC2_UNRESTRICTED_GUEST),
			SET(VMCS_GUEST_ES_SELECTOR, 0x1b) },
		{ "Checks on Guest Segment Registers: guest ES access rights is 0xc093; bits 6:5 "
		  "(DPL) must not be less than the selector's RPL" } },
	{ "CS not present", full, MODE(long_mode), { SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa01b) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xa01b; bit 7 (P) "
		  "must be 1" } },
	{ "FS not present", full, MODE(long_mode), { SET(VMCS_GUEST_FS_ACCESS_RIGHTS, 0xc013) },
		{ "Checks on Guest Segment Registers: guest FS access rights is 0xc013; bit 7 (P) "
		  "must be 1" } },
	{ "SS with a reserved bit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc193) },
		{ "Checks on Guest Segment Registers: guest SS access rights is 0xc193; bits 11:8 "
		  "must be 0" } },
	{ "64-bit CS with D/B", full, MODE(long_mode), { SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xe09b) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xe09b; bit 14 "
		  "(D/B) must be 0 while bit 13 (L) is 1 with \"IA-32e mode guest\"" } },
	{ "CS with G and a byte limit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_CS_LIMIT, 0xfffff0ff) },
		{ "Checks on Guest Segment Registers: guest CS access rights is 0xa09b; bit 15 (G) "
		  "must be 0 where bits 11:0 of the limit are not all 1, and 1 where its bits "
		  "31:20 are not all 0" } },
	{ "DS without G and a large limit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_DS_ACCESS_RIGHTS, 0x4093) },
		{ "Checks on Guest Segment Registers: guest DS access rights is 0x4093; bit 15 (G) "
		  "must be 0 where bits 11:0 of the limit are not all 1, and 1 where its bits "
		  "31:20 are not all 0" } },
	{ "ES with a high reserved bit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ES_ACCESS_RIGHTS, 0x2c093) },
		{ "Checks on Guest Segment Registers: guest ES access rights is 0x2c093; bits "
		  "31:17 must be 0" } },
	{ "TR is an available TSS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x89) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0x89; bits 3:0 "
		  "(type) must be 11, busy 64-bit TSS, with \"IA-32e mode guest\"" } },
	{ "TR is a 16-bit TSS in 64-bit mode", full, MODE(long_mode),
		{ SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x83) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0x83; bits 3:0 "
		  "(type) must be 11, busy 64-bit TSS, with \"IA-32e mode guest\"" } },
	{ "TR is a 16-bit TSS in protected mode", full, MODE(protected_mode),
		{ SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x83) }, { NULL } },
	{ "TR is an available TSS in protected mode", full, MODE(protected_mode),
		{ SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x89) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0x89; bits 3:0 "
		  "(type) must be 3 or 11: busy TSS" } },
	{ "TR is code", full, MODE(long_mode), { SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x9b) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0x9b; bit 4 (S) "
		  "must be 0" } },
	{ "TR not present", full, MODE(long_mode), { SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x0b) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0xb; bit 7 (P) "
		  "must be 1" } },
	{ "TR with a reserved bit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x88b) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0x88b; bits 11:8 "
		  "must be 0" } },
	{ "TR with G and a byte limit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x808b) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0x808b; bit 15 (G) "
		  "must be 0 where bits 11:0 of the limit are not all 1, and 1 where its bits "
		  "31:20 are not all 0" } },
	{ "TR unusable", full, MODE(long_mode), { SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x1008b) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0x1008b; bit 16 "
		  "(unusable) must be 0" } },
	{ "TR with a high reserved bit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8008b) },
		{ "Checks on Guest Segment Registers: guest TR access rights is 0x8008b; bits "
		  "31:17 must be 0" } },
	{ "LDTR of another type", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff),
			SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x83) },
		{ "Checks on Guest Segment Registers: guest LDTR access rights is 0x83; bits 3:0 "
		  "(type) must be 2: LDT" } },
	{ "LDTR is data", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff),
			SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x92) },
		{ "Checks on Guest Segment Registers: guest LDTR access rights is 0x92; bit 4 (S) "
		  "must be 0" } },
	{ "LDTR not present", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff),
			SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x02) },
		{ "Checks on Guest Segment Registers: guest LDTR access rights is 0x2; bit 7 (P) "
		  "must be 1" } },
	{ "LDTR with a reserved bit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff),
			SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x182) },
		{ "Checks on Guest Segment Registers: guest LDTR access rights is 0x182; bits 11:8 "
		  "must be 0" } },
	{ "LDTR without G and a large limit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff),
			SET(VMCS_GUEST_LDTR_LIMIT, 0x1fffff) },
		{ "Checks on Guest Segment Registers: guest LDTR access rights is 0x82; bit 15 (G) "
		  "must be 0 where bits 11:0 of the limit are not all 1, and 1 where its bits "
		  "31:20 are not all 0" } },
	{ "LDTR with a high reserved bit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x82), SET(VMCS_GUEST_LDTR_LIMIT, 0xff),
			SET(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x80000082) },
		{ "Checks on Guest Segment Registers: guest LDTR access rights is 0x80000082; bits "
		  "31:17 must be 0" } },
	{ "GDTR base not canonical", full, MODE(long_mode),
		{ SET(VMCS_GUEST_GDTR_BASE, 0x800000000000) },
		{ "Checks on Guest Descriptor-Table Registers: guest GDTR base is 0x800000000000; "
		  "it must be canonical" } },
	{ "IDTR limit too large", full, MODE(long_mode), { SET(VMCS_GUEST_IDTR_LIMIT, 0x10000) },
		{ "Checks on Guest Descriptor-Table Registers: guest IDTR limit is 0x10000; bits "
		  "31:16 must be 0" } },
	{ "RIP above 4 GB in protected mode", full, MODE(protected_mode),
		{ SET(VMCS_GUEST_RIP, 0x100000000) },
		{ "Checks on Guest RIP, RFLAGS, and SSP: guest RIP is 0x100000000; bits 63:32 must "
		  "be 0 outside 64-bit code" } },
	{ "RIP above 4 GB in compatibility mode", full, MODE(long_mode),
		{ SET(VMCS_GUEST_RIP, 0x100000000), SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xc09b) },
		{ "Checks on Guest RIP, RFLAGS, and SSP: guest RIP is 0x100000000; bits 63:32 must "
		  "be 0 outside 64-bit code" } },
	{ "RIP above the linear width", full, MODE(long_mode),
		{ SET(VMCS_GUEST_RIP, 0x1000000000000) },
		{ "Checks on Guest RIP, RFLAGS, and SSP: guest RIP is 0x1000000000000; the bits "
		  "above the linear-address width must all be equal" } },
	{ "RIP just over the canonical border is let through", full, MODE(long_mode),
		{ SET(VMCS_GUEST_RIP, 0x800000000000) }, { NULL } },
	{ "RFLAGS is 0", full, MODE(long_mode), { SET(VMCS_GUEST_RFLAGS, 0) },
		{ "Checks on Guest RIP, RFLAGS, and SSP: guest RFLAGS is 0x0; bit 1 must be 1" } },
	{ "RFLAGS with reserved bits", full, MODE(long_mode),
		{ SET(VMCS_GUEST_RFLAGS, 0x4000802a) },
		{ "Checks on Guest RIP, RFLAGS, and SSP: guest RFLAGS is 0x4000802a; reserved bits "
		  "must be 0: bit 3, bit 5, bit 15, bit 30" } },
	{ "RFLAGS.VM in IA-32e mode", full, MODE(virtual_8086),
		{ ON(VMCS_ENTRY_CONTROLS, VMENTRY_IA32E_GUEST), SET(VMCS_GUEST_EFER, 0xd01),
			ON(VMCS_GUEST_CR4, CR4_PAE) },
		{ "Checks on Guest RIP, RFLAGS, and SSP: guest RFLAGS is 0x23202; bit 17 (VM) must "
		  "be 0 with \"IA-32e mode guest\" or while CR0.PE is 0" } },
	{ "external interrupt with IF 0", full, MODE(long_mode),
		{ SET(VMCS_ENTRY_INTR_INFO, 0x80000020), SET(VMCS_GUEST_RFLAGS, 0x2) },
		{ "Checks on Guest RIP, RFLAGS, and SSP: guest RFLAGS is 0x2; bit 9 (IF) must be 1 "
		  "when an external interrupt is injected" } },
	{ "activity state 4", full, MODE(long_mode), { SET(VMCS_GUEST_ACTIVITY_STATE, 4) },
		{ "Checks on Guest Non-Register State: guest activity state is 0x4; it must be 0 "
		  "(active) or a state that IA32_VMX_MISC names: 1 (HLT), 2 (shutdown), 3 "
		  "(wait-for-SIPI)" } },
	{ "wait-for-SIPI does not exist", no_sipi, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 3) },
		{ "Checks on Guest Non-Register State: guest activity state is 0x3; it must be 0 "
		  "(active) or a state that IA32_VMX_MISC names: 1 (HLT), 2 (shutdown), 3 "
		  "(wait-for-SIPI)" } },
	{ "HLT in ring 3", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 1), SET(VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3),
			SET(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa0fb) },
		{ "Checks on Guest Non-Register State: guest activity state is 0x1; it must not be "
		  "1 (HLT) while the DPL of SS is not 0" } },
	{ "HLT under blocking by MOV SS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 1), SET(VMCS_GUEST_INTERRUPTIBILITY, 2) },
		{ "Checks on Guest Non-Register State: guest activity state is 0x1; it must be 0 "
		  "(active) while there is blocking by STI or by MOV SS" } },
	{ "shutdown with an interrupt", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 2), SET(VMCS_ENTRY_INTR_INFO, 0x80000020) },
		{ "Checks on Guest Non-Register State: guest activity state is 0x2; this state "
		  "does not take the event that is injected" } },
	{ "shutdown with a machine check", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 2), SET(VMCS_ENTRY_INTR_INFO, 0x80000312) },
		{ NULL } },
	{ "HLT with #PF", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 1), SET(VMCS_ENTRY_INTR_INFO, 0x80000b0e),
			SET(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0) },
		{ "Checks on Guest Non-Register State: guest activity state is 0x1; this state "
		  "does not take the event that is injected" } },
	{ "HLT with #DB", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 1), SET(VMCS_ENTRY_INTR_INFO, 0x80000301) },
		{ NULL } },
	{ "wait-for-SIPI with an NMI", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 3), SET(VMCS_ENTRY_INTR_INFO, 0x80000202) },
		{ "Checks on Guest Non-Register State: guest activity state is 0x3; this state "
		  "does not take the event that is injected" } },
	{ "interruptibility with a reserved bit", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x20) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x20; bits "
		  "31:5 must be 0" } },
	{ "blocking by STI and MOV SS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x3) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x3; bits 0 "
		  "and 1 (blocking by STI, by MOV SS) must not both be 1" } },
	{ "blocking by STI with IF 0", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x1), SET(VMCS_GUEST_RFLAGS, 0x2) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x1; bit 0 "
		  "(blocking by STI) must be 0 while RFLAGS.IF is 0" } },
	{ "external interrupt under blocking by STI", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x1), SET(VMCS_ENTRY_INTR_INFO, 0x80000020) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x1; bits 0 "
		  "and 1 (blocking by STI, by MOV SS) must be 0 when an external interrupt is "
		  "injected" } },
	{ "NMI under blocking by MOV SS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x2), SET(VMCS_ENTRY_INTR_INFO, 0x80000202) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x2; bit 1 "
		  "(blocking by MOV SS) must be 0 when an NMI is injected" } },
	{ "NMI under blocking by STI", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x1), SET(VMCS_ENTRY_INTR_INFO, 0x80000202) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x1; bit 0 "
		  "(blocking by STI) must be 0 on some CPUs when an NMI is injected" } },
	{ "NMI under blocking by NMI", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x8), SET(VMCS_ENTRY_INTR_INFO, 0x80000202) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x8; bit 3 "
		  "(blocking by NMI) must be 0 when an NMI is injected with \"virtual NMIs\"" } },
	{ "blocking by SMI", full, MODE(long_mode), { SET(VMCS_GUEST_INTERRUPTIBILITY, 0x4) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x4; bit 2 "
		  "(blocking by SMI) must be 0 outside SMM" } },
	{ "enclave interruption and MOV SS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x12) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x12; bit 1 "
		  "(blocking by MOV SS) must be 0 while bit 4 (enclave interruption) is 1" } },
	{ "enclave interruption without SGX", sandy_bridge, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 0x10) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x10; bit 4 "
		  "(enclave interruption) must be 0 on a CPU without SGX" } },
	{ "pending debug exceptions with reserved bits", full, MODE(long_mode),
		{ SET(VMCS_GUEST_PENDING_DEBUG, 0xa010) },
		{ "Checks on Guest Non-Register State: guest pending debug exceptions is 0xa010; "
		  "reserved bits must be 0: bit 4, bit 13, bit 15" } },
	{ "pending bus lock where it does not exist", sandy_bridge, MODE(long_mode),
		{ SET(VMCS_GUEST_PENDING_DEBUG, 0x800) },
		{ "Checks on Guest Non-Register State: guest pending debug exceptions is 0x800; "
		  "reserved bits must be 0: bit 11" } },
	{ "single step not pending under blocking by STI", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 1), SET(VMCS_GUEST_RFLAGS, 0x302) },
		{ "Checks on Guest Non-Register State: guest pending debug exceptions is 0x0; bit "
		  "14 (BS) must be 1 under blocking by STI or MOV SS or in HLT while RFLAGS.TF is "
		  "1 and IA32_DEBUGCTL.BTF is 0" } },
	{ "branch step under blocking by STI", full, MODE(long_mode),
		{ SET(VMCS_GUEST_INTERRUPTIBILITY, 1), SET(VMCS_GUEST_RFLAGS, 0x302),
			SET(VMCS_GUEST_DEBUGCTL, 0x2) },
		{ NULL } },
	{ "single step pending in HLT without TF", full, MODE(long_mode),
		{ SET(VMCS_GUEST_ACTIVITY_STATE, 1), SET(VMCS_GUEST_PENDING_DEBUG, 0x4000) },
		{ "Checks on Guest Non-Register State: guest pending debug exceptions is 0x4000; "
		  "bit 14 (BS) must be 0 under blocking by STI or MOV SS or in HLT unless "
		  "RFLAGS.TF is 1 and IA32_DEBUGCTL.BTF is 0" } },
	{ "debug exception in RTM without bit 12", full, MODE(long_mode),
		{ SET(VMCS_GUEST_PENDING_DEBUG, 0x10000) },
		{ "Checks on Guest Non-Register State: guest pending debug exceptions is 0x10000; "
		  "with bit 16 (RTM) the CPU must have RTM, bit 12 must be 1 and all others 0" } },
	{ "debug exception in RTM in order", full, MODE(long_mode),
		{ SET(VMCS_GUEST_PENDING_DEBUG, 0x11000) }, { NULL } },
	{ "debug exception in RTM under blocking by MOV SS", full, MODE(long_mode),
		{ SET(VMCS_GUEST_PENDING_DEBUG, 0x11000), SET(VMCS_GUEST_INTERRUPTIBILITY, 0x2) },
		{ "Checks on Guest Non-Register State: guest interruptibility state is 0x2; bit 1 "
		  "(blocking by MOV SS) must be 0 while a debug exception in RTM is pending" } },
	{ "VMCS link pointer is 0x800", full, MODE(long_mode), { SET(VMCS_LINK_POINTER, 0x800) },
		{ "Checks on Guest Non-Register State: VMCS link pointer is 0x800; unless it is "
		  "all 1, it must be 4 KB aligned and within the physical-address width" } },
	{ "VMCS link pointer is this VMCS", full, MODE(long_mode),
		{ SET(VMCS_LINK_POINTER, 0x50000) },
		{ "Checks on Guest Non-Register State: VMCS link pointer is 0x50000; it must not "
		  "be the address of this VMCS" } },
	{ "PDPTE1 with reserved bits", full, MODE(pae_paging), { SET(VMCS_GUEST_PDPTE1, 0x2007) },
		{ "Checks on Guest Page-Directory-Pointer-Table Entries: guest PDPTE1 is 0x2007; "
		  "reserved bits of a present entry must be 0: bit 1, bit 2" } },
	{ "PDPTE3 beyond memory", full, MODE(pae_paging),
		{ SET(VMCS_GUEST_PDPTE3, 0x8000000000003001) },
		{ "Checks on Guest Page-Directory-Pointer-Table Entries: guest PDPTE3 is "
		  "0x8000000000003001; reserved bits of a present entry must be 0: bit 63" } },
	{ "a PDPTE that is not present is free", full, MODE(pae_paging),
		{ SET(VMCS_GUEST_PDPTE0, 0xfffffffffffffffe) }, { NULL } },
};

#endif
