/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of CPUID feature bits: which pass, and why or why not. Names and places are those of
 * the Intel SDM, "CPUID - CPU Identification"; what no row names is 0.
 */
#include "hv/vm/cpuid.h"

#define PLAIN  "instructions or behaviour that need nothing of the hypervisor"
#define NO_PMU "no performance monitoring: the counters are the machine's"
#define NO_PM  "power and heat are the machine's affair"
#define NO_TSX "withdrawn by Intel on most processors; its abort control is not offered"
#define NO_RDT "cache and bandwidth are shared out by the machine's owner"
#define NO_CET "its supervisor state would have to be switched on each exit"
#define NO_AMX "the tile state and its XFD register are not switched"
#define SPEC   "IA32_SPEC_CTRL and IA32_PRED_CMD are passed"

const struct cpuid_bit cpuid_bits[] = {
	/* features */
	{ 1, 0, CPUID_ECX, 0, CPUID_PASS, "SSE3", PLAIN },
	{ 1, 0, CPUID_ECX, 1, CPUID_PASS, "PCLMULQDQ", PLAIN },
	{ 1, 0, CPUID_ECX, 2, CPUID_MASK, "DTES64", NO_PMU },
	{ 1, 0, CPUID_ECX, 3, CPUID_MASK, "MONITOR",
		"a guest's MWAIT would hold the CPU; MONITOR and MWAIT are #UD" },
	{ 1, 0, CPUID_ECX, 4, CPUID_MASK, "DS-CPL", NO_PMU },
	{ 1, 0, CPUID_ECX, 5, CPUID_MASK, "VMX", "no nested virtualization" },
	{ 1, 0, CPUID_ECX, 6, CPUID_MASK, "SMX", "GETSEC belongs to the machine's owner" },
	{ 1, 0, CPUID_ECX, 7, CPUID_MASK, "EIST", NO_PM },
	{ 1, 0, CPUID_ECX, 8, CPUID_MASK, "TM2", NO_PM },
	{ 1, 0, CPUID_ECX, 9, CPUID_PASS, "SSSE3", PLAIN },
	{ 1, 0, CPUID_ECX, 10, CPUID_MASK, "CNXT-ID", "a setting of the machine's firmware" },
	{ 1, 0, CPUID_ECX, 11, CPUID_MASK, "SDBG",
		"silicon debugging belongs to the machine's owner" },
	{ 1, 0, CPUID_ECX, 12, CPUID_PASS, "FMA", PLAIN },
	{ 1, 0, CPUID_ECX, 13, CPUID_PASS, "CMPXCHG16B", PLAIN },
	{ 1, 0, CPUID_ECX, 14, CPUID_MASK, "xTPR", "MISC_ENABLE does not offer the switch" },
	{ 1, 0, CPUID_ECX, 15, CPUID_MASK, "PDCM", NO_PMU },
	{ 1, 0, CPUID_ECX, 17, CPUID_PASS, "PCID", "works under EPT without an exit" },
	{ 1, 0, CPUID_ECX, 18, CPUID_MASK, "DCA",
		"needs a chipset that the virtual platform does not have" },
	{ 1, 0, CPUID_ECX, 19, CPUID_PASS, "SSE4.1", PLAIN },
	{ 1, 0, CPUID_ECX, 20, CPUID_PASS, "SSE4.2", PLAIN },
	{ 1, 0, CPUID_ECX, 21, CPUID_SET, "x2APIC", "the local APIC is emulated" },
	{ 1, 0, CPUID_ECX, 22, CPUID_PASS, "MOVBE", PLAIN },
	{ 1, 0, CPUID_ECX, 23, CPUID_PASS, "POPCNT", PLAIN },
	{ 1, 0, CPUID_ECX, 24, CPUID_SET, "TSC-deadline", "the local APIC's timer is emulated" },
	{ 1, 0, CPUID_ECX, 25, CPUID_PASS, "AES", PLAIN },
	{ 1, 0, CPUID_ECX, 26, CPUID_PASS, "XSAVE",
		"XSETBV exits and is checked against the components offered" },
	{ 1, 0, CPUID_ECX, 27, CPUID_DYNAMIC, "OSXSAVE", "copy of CR4.OSXSAVE" },
	{ 1, 0, CPUID_ECX, 28, CPUID_PASS, "AVX", PLAIN },
	{ 1, 0, CPUID_ECX, 29, CPUID_PASS, "F16C", PLAIN },
	{ 1, 0, CPUID_ECX, 30, CPUID_PASS, "RDRAND", PLAIN },
	{ 1, 0, CPUID_ECX, 31, CPUID_SET, "hypervisor", "says that a hypervisor is present" },

	/* features */
	{ 1, 0, CPUID_EDX, 0, CPUID_PASS, "FPU", PLAIN },
	{ 1, 0, CPUID_EDX, 1, CPUID_PASS, "VME", "virtual-8086 mode runs without exits" },
	{ 1, 0, CPUID_EDX, 2, CPUID_PASS, "DE", PLAIN },
	{ 1, 0, CPUID_EDX, 3, CPUID_PASS, "PSE", PLAIN },
	{ 1, 0, CPUID_EDX, 4, CPUID_PASS, "TSC",
		"read without an exit, offset added by the processor" },
	{ 1, 0, CPUID_EDX, 5, CPUID_PASS, "MSR", "by the table of MSRs" },
	{ 1, 0, CPUID_EDX, 6, CPUID_PASS, "PAE", PLAIN },
	{ 1, 0, CPUID_EDX, 7, CPUID_PASS, "MCE",
		"CR4.MCE may be set; with no banks nothing is reported" },
	{ 1, 0, CPUID_EDX, 8, CPUID_PASS, "CMPXCHG8B", PLAIN },
	{ 1, 0, CPUID_EDX, 9, CPUID_DYNAMIC, "APIC", "IA32_APIC_BASE.EN" },
	{ 1, 0, CPUID_EDX, 11, CPUID_PASS, "SEP", PLAIN },
	{ 1, 0, CPUID_EDX, 12, CPUID_SET, "MTRR",
		"emulated: RAM is write-back whatever is written" },
	{ 1, 0, CPUID_EDX, 13, CPUID_PASS, "PGE", PLAIN },
	{ 1, 0, CPUID_EDX, 14, CPUID_SET, "MCA",
		"emulated with no banks: hardware errors are the machine's affair" },
	{ 1, 0, CPUID_EDX, 15, CPUID_PASS, "CMOV", PLAIN },
	{ 1, 0, CPUID_EDX, 16, CPUID_PASS, "PAT", PLAIN },
	{ 1, 0, CPUID_EDX, 17, CPUID_PASS, "PSE-36", PLAIN },
	{ 1, 0, CPUID_EDX, 18, CPUID_MASK, "PSN", "the serial number identifies the machine" },
	{ 1, 0, CPUID_EDX, 19, CPUID_PASS, "CLFLUSH", PLAIN },
	{ 1, 0, CPUID_EDX, 21, CPUID_MASK, "DS", NO_PMU },
	{ 1, 0, CPUID_EDX, 22, CPUID_MASK, "ACPI", NO_PM },
	{ 1, 0, CPUID_EDX, 23, CPUID_PASS, "MMX", PLAIN },
	{ 1, 0, CPUID_EDX, 24, CPUID_PASS, "FXSR", PLAIN },
	{ 1, 0, CPUID_EDX, 25, CPUID_PASS, "SSE", PLAIN },
	{ 1, 0, CPUID_EDX, 26, CPUID_PASS, "SSE2", PLAIN },
	{ 1, 0, CPUID_EDX, 27, CPUID_PASS, "SS", PLAIN },
	{ 1, 0, CPUID_EDX, 28, CPUID_DYNAMIC, "HTT", "1 with more than one virtual CPU" },
	{ 1, 0, CPUID_EDX, 29, CPUID_MASK, "TM", NO_PM },
	{ 1, 0, CPUID_EDX, 31, CPUID_MASK, "PBE", NO_PM },

	/* thermal and power management */
	{ 6, 0, CPUID_EAX, 0, CPUID_MASK, "digital thermometer", NO_PM },
	{ 6, 0, CPUID_EAX, 1, CPUID_MASK, "Turbo Boost", NO_PM },
	{ 6, 0, CPUID_EAX, 2, CPUID_SET, "ARAT", "the emulated timer runs in every sleep state" },
	{ 6, 0, CPUID_EAX, 4, CPUID_MASK, "PLN", NO_PM },
	{ 6, 0, CPUID_EAX, 6, CPUID_MASK, "PTM", NO_PM },
	{ 6, 0, CPUID_EAX, 7, CPUID_MASK, "HWP", NO_PM },

	/* thermal and power management */
	{ 6, 0, CPUID_ECX, 0, CPUID_MASK, "APERF/MPERF", NO_PM },
	{ 6, 0, CPUID_ECX, 3, CPUID_MASK, "EPB", NO_PM },

	/* structured extended features */
	{ 7, 0, CPUID_EBX, 0, CPUID_PASS, "FSGSBASE", PLAIN },
	{ 7, 0, CPUID_EBX, 1, CPUID_SET, "TSC_ADJUST", "emulated with the TSC offset" },
	{ 7, 0, CPUID_EBX, 2, CPUID_MASK, "SGX", "enclave memory is not shared out" },
	{ 7, 0, CPUID_EBX, 3, CPUID_PASS, "BMI1", PLAIN },
	{ 7, 0, CPUID_EBX, 4, CPUID_MASK, "HLE", NO_TSX },
	{ 7, 0, CPUID_EBX, 5, CPUID_PASS, "AVX2", PLAIN },
	{ 7, 0, CPUID_EBX, 6, CPUID_PASS, "FDP_EXCPTN_ONLY", PLAIN },
	{ 7, 0, CPUID_EBX, 7, CPUID_PASS, "SMEP", PLAIN },
	{ 7, 0, CPUID_EBX, 8, CPUID_PASS, "BMI2", PLAIN },
	{ 7, 0, CPUID_EBX, 9, CPUID_PASS, "ERMS", PLAIN },
	{ 7, 0, CPUID_EBX, 10, CPUID_PASS, "INVPCID", "works under EPT without an exit" },
	{ 7, 0, CPUID_EBX, 11, CPUID_MASK, "RTM", NO_TSX },
	{ 7, 0, CPUID_EBX, 12, CPUID_MASK, "RDT-M", NO_RDT },
	{ 7, 0, CPUID_EBX, 13, CPUID_PASS, "FCS-FDS deprecated", PLAIN },
	{ 7, 0, CPUID_EBX, 14, CPUID_MASK, "MPX",
		"withdrawn by Intel and by Linux; its state would have to be switched" },
	{ 7, 0, CPUID_EBX, 15, CPUID_MASK, "RDT-A", NO_RDT },
	{ 7, 0, CPUID_EBX, 16, CPUID_PASS, "AVX512F", PLAIN },
	{ 7, 0, CPUID_EBX, 17, CPUID_PASS, "AVX512DQ", PLAIN },
	{ 7, 0, CPUID_EBX, 18, CPUID_PASS, "RDSEED", PLAIN },
	{ 7, 0, CPUID_EBX, 19, CPUID_PASS, "ADX", PLAIN },
	{ 7, 0, CPUID_EBX, 20, CPUID_PASS, "SMAP", PLAIN },
	{ 7, 0, CPUID_EBX, 21, CPUID_PASS, "AVX512_IFMA", PLAIN },
	{ 7, 0, CPUID_EBX, 23, CPUID_PASS, "CLFLUSHOPT", PLAIN },
	{ 7, 0, CPUID_EBX, 24, CPUID_PASS, "CLWB", PLAIN },
	{ 7, 0, CPUID_EBX, 25, CPUID_MASK, "Processor Trace", "it writes to physical addresses" },
	{ 7, 0, CPUID_EBX, 26, CPUID_PASS, "AVX512PF", PLAIN },
	{ 7, 0, CPUID_EBX, 27, CPUID_PASS, "AVX512ER", PLAIN },
	{ 7, 0, CPUID_EBX, 28, CPUID_PASS, "AVX512CD", PLAIN },
	{ 7, 0, CPUID_EBX, 29, CPUID_PASS, "SHA", PLAIN },
	{ 7, 0, CPUID_EBX, 30, CPUID_PASS, "AVX512BW", PLAIN },
	{ 7, 0, CPUID_EBX, 31, CPUID_PASS, "AVX512VL", PLAIN },

	/* structured extended features */
	{ 7, 0, CPUID_ECX, 0, CPUID_PASS, "PREFETCHWT1", PLAIN },
	{ 7, 0, CPUID_ECX, 1, CPUID_PASS, "AVX512_VBMI", PLAIN },
	{ 7, 0, CPUID_ECX, 2, CPUID_PASS, "UMIP", PLAIN },
	{ 7, 0, CPUID_ECX, 3, CPUID_PASS, "PKU", "the PKRU component is in the XCR0 offered" },
	{ 7, 0, CPUID_ECX, 4, CPUID_DYNAMIC, "OSPKE", "copy of CR4.PKE" },
	{ 7, 0, CPUID_ECX, 5, CPUID_MASK, "WAITPKG", "UMWAIT would hold the CPU" },
	{ 7, 0, CPUID_ECX, 6, CPUID_PASS, "AVX512_VBMI2", PLAIN },
	{ 7, 0, CPUID_ECX, 7, CPUID_MASK, "CET_SS", NO_CET },
	{ 7, 0, CPUID_ECX, 8, CPUID_PASS, "GFNI", PLAIN },
	{ 7, 0, CPUID_ECX, 9, CPUID_PASS, "VAES", PLAIN },
	{ 7, 0, CPUID_ECX, 10, CPUID_PASS, "VPCLMULQDQ", PLAIN },
	{ 7, 0, CPUID_ECX, 11, CPUID_PASS, "AVX512_VNNI", PLAIN },
	{ 7, 0, CPUID_ECX, 12, CPUID_PASS, "AVX512_BITALG", PLAIN },
	{ 7, 0, CPUID_ECX, 13, CPUID_MASK, "TME_EN",
		"memory encryption belongs to the machine's owner" },
	{ 7, 0, CPUID_ECX, 14, CPUID_PASS, "AVX512_VPOPCNTDQ", PLAIN },
	{ 7, 0, CPUID_ECX, 16, CPUID_MASK, "LA57", "the walk of guest tables knows four levels" },
	{ 7, 0, CPUID_ECX, 22, CPUID_PASS, "RDPID", PLAIN },
	{ 7, 0, CPUID_ECX, 23, CPUID_MASK, "KL", "the wrapping key would have to be switched" },
	{ 7, 0, CPUID_ECX, 24, CPUID_MASK, "bus-lock detect",
		"its debug exception is not emulated" },
	{ 7, 0, CPUID_ECX, 25, CPUID_PASS, "CLDEMOTE", PLAIN },
	{ 7, 0, CPUID_ECX, 27, CPUID_PASS, "MOVDIRI", PLAIN },
	{ 7, 0, CPUID_ECX, 28, CPUID_PASS, "MOVDIR64B", PLAIN },
	{ 7, 0, CPUID_ECX, 29, CPUID_MASK, "ENQCMD", "PASIDs belong to the machine's IOMMU" },
	{ 7, 0, CPUID_ECX, 30, CPUID_MASK, "SGX_LC", "no SGX" },
	{ 7, 0, CPUID_ECX, 31, CPUID_MASK, "PKS", "IA32_PKRS is not offered" },

	/* structured extended features */
	{ 7, 0, CPUID_EDX, 2, CPUID_PASS, "AVX512_4VNNIW", PLAIN },
	{ 7, 0, CPUID_EDX, 3, CPUID_PASS, "AVX512_4FMAPS", PLAIN },
	{ 7, 0, CPUID_EDX, 4, CPUID_PASS, "FSRM", PLAIN },
	{ 7, 0, CPUID_EDX, 5, CPUID_MASK, "UINTR", "its MSRs are not offered" },
	{ 7, 0, CPUID_EDX, 8, CPUID_PASS, "AVX512_VP2INTERSECT", PLAIN },
	{ 7, 0, CPUID_EDX, 9, CPUID_MASK, "SRBDS_CTRL",
		"the mitigation of shared buffers is the machine's affair" },
	{ 7, 0, CPUID_EDX, 10, CPUID_PASS, "MD_CLEAR", "VERW clears buffers for the guest too" },
	{ 7, 0, CPUID_EDX, 11, CPUID_MASK, "RTM_ALWAYS_ABORT", NO_TSX },
	{ 7, 0, CPUID_EDX, 13, CPUID_MASK, "RTM_FORCE_ABORT", NO_TSX },
	{ 7, 0, CPUID_EDX, 14, CPUID_PASS, "SERIALIZE", PLAIN },
	{ 7, 0, CPUID_EDX, 15, CPUID_MASK, "hybrid", "all virtual CPUs are alike" },
	{ 7, 0, CPUID_EDX, 16, CPUID_MASK, "TSXLDTRK", NO_TSX },
	{ 7, 0, CPUID_EDX, 18, CPUID_MASK, "PCONFIG",
		"memory encryption belongs to the machine's owner" },
	{ 7, 0, CPUID_EDX, 19, CPUID_MASK, "ARCH_LBR", NO_PMU },
	{ 7, 0, CPUID_EDX, 20, CPUID_MASK, "CET_IBT", NO_CET },
	{ 7, 0, CPUID_EDX, 22, CPUID_MASK, "AMX-BF16", NO_AMX },
	{ 7, 0, CPUID_EDX, 23, CPUID_PASS, "AVX512_FP16", PLAIN },
	{ 7, 0, CPUID_EDX, 24, CPUID_MASK, "AMX-TILE", NO_AMX },
	{ 7, 0, CPUID_EDX, 25, CPUID_MASK, "AMX-INT8", NO_AMX },
	{ 7, 0, CPUID_EDX, 26, CPUID_PASS, "IBRS, IBPB", SPEC },
	{ 7, 0, CPUID_EDX, 27, CPUID_PASS, "STIBP", SPEC },
	{ 7, 0, CPUID_EDX, 28, CPUID_PASS, "L1D_FLUSH", "IA32_FLUSH_CMD is passed" },
	{ 7, 0, CPUID_EDX, 29, CPUID_SET, "ARCH_CAPABILITIES",
		"the MSR is read-only, and filtered; ITS_NO is known without it" },
	{ 7, 0, CPUID_EDX, 30, CPUID_MASK, "CORE_CAPABILITIES",
		"its switches act on the whole core" },
	{ 7, 0, CPUID_EDX, 31, CPUID_PASS, "SSBD", SPEC },

	/* structured extended features, second part */
	{ 7, 1, CPUID_EAX, 4, CPUID_PASS, "AVX-VNNI", PLAIN },
	{ 7, 1, CPUID_EAX, 5, CPUID_PASS, "AVX512_BF16", PLAIN },
	{ 7, 1, CPUID_EAX, 10, CPUID_PASS, "fast zero-length MOVSB", PLAIN },
	{ 7, 1, CPUID_EAX, 11, CPUID_PASS, "fast short STOSB", PLAIN },
	{ 7, 1, CPUID_EAX, 12, CPUID_PASS, "fast short CMPSB", PLAIN },
	{ 7, 1, CPUID_EAX, 22, CPUID_MASK, "HRESET", "it resets predictors of the whole core" },
	{ 7, 1, CPUID_EAX, 26, CPUID_MASK, "LAM",
		"the walk of guest tables knows plain addresses" },

	/* extended state */
	{ 0xd, 1, CPUID_EAX, 0, CPUID_PASS, "XSAVEOPT", PLAIN },
	{ 0xd, 1, CPUID_EAX, 1, CPUID_PASS, "XSAVEC",
		"where it keeps what it saves, which is tried at the start: that of Bochs 2.7 does "
		"not" },
	{ 0xd, 1, CPUID_EAX, 2, CPUID_PASS, "XGETBV1", PLAIN },
	{ 0xd, 1, CPUID_EAX, 3, CPUID_MASK, "XSAVES",
		"IA32_XSS is not offered, and without it XSAVEC does as well" },
	{ 0xd, 1, CPUID_EAX, 4, CPUID_MASK, "XFD", NO_AMX },

	/* extended features */
	{ 0x80000001, 0, CPUID_ECX, 0, CPUID_PASS, "LAHF64", PLAIN },
	{ 0x80000001, 0, CPUID_ECX, 5, CPUID_PASS, "LZCNT", PLAIN },
	{ 0x80000001, 0, CPUID_ECX, 8, CPUID_PASS, "PREFETCHW", PLAIN },

	/* extended features */
	{ 0x80000001, 0, CPUID_EDX, 11, CPUID_PASS, "SYSCALL", "its MSRs are passed" },
	{ 0x80000001, 0, CPUID_EDX, 20, CPUID_PASS, "NX", PLAIN },
	{ 0x80000001, 0, CPUID_EDX, 26, CPUID_PASS, "1 GB pages", PLAIN },
	{ 0x80000001, 0, CPUID_EDX, 27, CPUID_PASS, "RDTSCP", "IA32_TSC_AUX is passed" },
	{ 0x80000001, 0, CPUID_EDX, 29, CPUID_PASS, "LM", PLAIN },

	/* power management */
	{ 0x80000007, 0, CPUID_EDX, 8, CPUID_SET, "invariant TSC",
		"the TSC is the clock of everything here; a VM stays on its machine" },
};

const size_t cpuid_bits_count = ARRAY_SIZE(cpuid_bits);

const struct cpuid_leaf cpuid_leaves[] = {
	{ 0, 0, "vendor, highest leaf", "vendor of the machine; the highest leaf is always 0x16" },
	{ 1, 1, "version", "EAX of the machine; EBX: APIC ID and number of the virtual CPUs" },
	{ 2, 2, "cache descriptors", "of the machine" },
	{ 4, 4, "caches", "of the machine; sharing by the virtual topology: a core a virtual CPU" },
	{ 5, 5, "MONITOR and MWAIT", "0: not offered" },
	{ 9, 9, "direct cache access", "0: not offered" },
	{ 0xa, 0xa, "performance monitoring", "0: " NO_PMU },
	{ 0xb, 0xb, "topology", "one package, one thread a core; x2APIC ID = index" },
	{ 0xd, 0xd, "extended state",
		"x87, SSE, AVX, AVX-512 and PKRU as the machine has them; sizes follow XCR0" },
	{ 0xf, 0x10, "resource director", "0: " NO_RDT },
	{ 0x12, 0x12, "SGX", "0: not offered" },
	{ 0x14, 0x14, "Processor Trace", "0: not offered" },
	{ 0x15, 0x15, "TSC and crystal",
		"crystal 25 MHz, the rate of the emulated APIC timer; the "
		"ratio is the best whose numerator times the crystal's kHz fits 32 bits, since "
		"Linux "
		"multiplies them so" },
	{ 0x16, 0x16, "frequencies", "base and maximum: the TSC's; bus: 100 MHz" },
	{ 0x40000000, 0x40000000, "hypervisor", "highest leaf, \"TriptychTrip\"" },
	{ 0x40000010, 0x40000010, "timing", "EAX: TSC kHz; EBX: APIC timer kHz" },
	{ 0x40000020, 0x40000021, "exit counters",
		"with counters=yes: what each kind of exit has cost so far, and its name" },
	{ 0x40000100, 0x40000101, "KVM interface",
		"with kvmclock=yes: clock source by the new MSRs, stable; no delay on port I/O; in "
		"real time, steal time" },
	{ 0x80000000, 0x80000000, "highest extended leaf", "always 0x80000008" },
	{ 0x80000002, 0x80000004, "brand string", "of the machine" },
	{ 0x80000006, 0x80000006, "second-level cache", "of the machine" },
	{ 0x80000008, 0x80000008, "address widths", "physical of the machine; linear 48" },
};

const size_t cpuid_leaves_count = ARRAY_SIZE(cpuid_leaves);
