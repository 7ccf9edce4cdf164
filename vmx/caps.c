/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the VMX capability MSRs; each only where the manual says that it exists. */
#include "hv/cpu/regs.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "vmx/caps.h"
#include "vmx/fields.h"

enum {
	EAX,
	EBX,
	ECX,
	EDX
};

#define CPUID_FEATURES	1u
#define CPUID_EXTENDED	7u
#define CPUID_PERFMON	0xau
#define CPUID_MAX_EXT	0x80000000u
#define CPUID_EXT	0x80000001u
#define CPUID_ADDRESSES 0x80000008u

#define CPUID_1_ECX_VMX	     BIT(5)
#define CPUID_7_EBX_SGX	     BIT(2)
#define CPUID_7_EBX_RTM	     BIT(11)
#define CPUID_7_ECX_BUS_LOCK BIT(24)
#define CPUID_EXT_EDX_NX     BIT(20)

#define DEFAULT_PHYSICAL_BITS 36u
#define DEFAULT_LINEAR_BITS   48u
#define MAX_PHYSICAL_BITS     52u
#define MAX_LINEAR_BITS	      57u

/* The plain MSR and the TRUE one that replaces it where IA32_VMX_BASIC bit 55 says so. */
static const struct {
	u32 msr, true_msr;
} word_msrs[VMX_WORDS] = {
	[VMX_PIN] = { MSR_VMX_PINBASED_CTLS, MSR_VMX_TRUE_PINBASED_CTLS },
	[VMX_PROC] = { MSR_VMX_PROCBASED_CTLS, MSR_VMX_TRUE_PROCBASED_CTLS },
	[VMX_PROC2] = { MSR_VMX_PROCBASED_CTLS2, MSR_VMX_PROCBASED_CTLS2 },
	[VMX_EXIT] = { MSR_VMX_EXIT_CTLS, MSR_VMX_TRUE_EXIT_CTLS },
	[VMX_ENTRY] = { MSR_VMX_ENTRY_CTLS, MSR_VMX_TRUE_ENTRY_CTLS },
};

static void read_words(struct vmx_caps *caps, const struct vmx_probe *probe)
{
	bool use_true = (caps->basic & VMX_BASIC_TRUE_CONTROLS) != 0;

	for (unsigned w = 0; w < VMX_WORDS; w++) {
		u64 v;

		if (w == VMX_PROC2 && !vmx_caps_may(caps, VMX_PROC, PROC_SECONDARY))
			continue;
		v = probe->rdmsr(use_true ? word_msrs[w].true_msr : word_msrs[w].msr);
		caps->word[w].must = (u32)v;
		caps->word[w].may = (u32)(v >> 32);
	}
}

static void read_vmx_msrs(struct vmx_caps *caps, const struct vmx_probe *probe)
{
	caps->basic = probe->rdmsr(MSR_VMX_BASIC);
	read_words(caps, probe);
	caps->misc = probe->rdmsr(MSR_VMX_MISC);
	caps->cr0_fixed0 = probe->rdmsr(MSR_VMX_CR0_FIXED0);
	caps->cr0_fixed1 = probe->rdmsr(MSR_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = probe->rdmsr(MSR_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = probe->rdmsr(MSR_VMX_CR4_FIXED1);
	if (vmx_caps_may(caps, VMX_PROC2, PROC2_EPT | PROC2_VPID))
		caps->ept_vpid = probe->rdmsr(MSR_VMX_EPT_VPID_CAP);
	if (!(caps->ept_vpid & VPID_CAP_INVVPID_SINGLE))
		caps->word[VMX_PROC2].may &= ~PROC2_VPID; /* a VPID could not be used again */
	if (vmx_caps_may(caps, VMX_PROC2, PROC2_VMFUNC))
		caps->vmfunc = probe->rdmsr(MSR_VMX_VMFUNC);
}

/* "Architectural Performance Monitoring": which counters IA32_PERF_GLOBAL_CTRL can enable. */
static u64 perf_global_bits(const u32 perfmon[4])
{
	unsigned version = perfmon[EAX] & 0xff;
	unsigned general = MIN((perfmon[EAX] >> 8) & 0xff, 32u);
	unsigned fixed = version > 1 ? MIN(perfmon[EDX] & 0x1f, 16u) : 0;

	if (version == 0)
		return 0;
	return (BIT(general) - 1) | (BIT(fixed) - 1) << 32;
}

static void read_cpuid(struct vmx_caps *caps, const struct vmx_probe *probe)
{
	u32 r[4], max;

	probe->cpuid(0, 0, r);
	max = r[EAX];
	if (max >= CPUID_EXTENDED) {
		probe->cpuid(CPUID_EXTENDED, 0, r);
		caps->sgx = (r[EBX] & CPUID_7_EBX_SGX) != 0;
		caps->rtm = (r[EBX] & CPUID_7_EBX_RTM) != 0;
		caps->bus_lock = (r[ECX] & CPUID_7_ECX_BUS_LOCK) != 0;
	}
	if (max >= CPUID_PERFMON) {
		probe->cpuid(CPUID_PERFMON, 0, r);
		caps->perf_global = perf_global_bits(r);
	}
	probe->cpuid(CPUID_MAX_EXT, 0, r);
	max = r[EAX];
	if (max >= CPUID_EXT) {
		probe->cpuid(CPUID_EXT, 0, r);
		caps->nx = (r[EDX] & CPUID_EXT_EDX_NX) != 0;
	}
	caps->physical_bits = DEFAULT_PHYSICAL_BITS;
	caps->linear_bits = DEFAULT_LINEAR_BITS;
	if (max >= CPUID_ADDRESSES) {
		probe->cpuid(CPUID_ADDRESSES, 0, r);
		caps->physical_bits = MIN(r[EAX] & 0xff, MAX_PHYSICAL_BITS);
		caps->linear_bits = MAX(MIN((r[EAX] >> 8) & 0xff, MAX_LINEAR_BITS), 32u);
	}
}

enum status vmx_caps_read(struct vmx_caps *caps, const struct vmx_probe *probe, char *err)
{
	u32 r[4];
	u64 fc;

	memset(caps, 0, sizeof(*caps));
	probe->cpuid(CPUID_FEATURES, 0, r);
	if (!(r[ECX] & CPUID_1_ECX_VMX)) {
		snprintf(err, VMX_ERR_SIZE,
			"this CPU has no VT-x (CPUID.1:ECX.VMX is 0); if it should have, it is "
			"switched off in the firmware or not passed through by a hypervisor below");
		return ERR_NOTSUP;
	}
	fc = probe->rdmsr(MSR_FEATURE_CONTROL);
	if ((fc & FEATURE_CONTROL_LOCK) && !(fc & FEATURE_CONTROL_VMX)) {
		snprintf(err, VMX_ERR_SIZE,
			"VT-x is locked off by the firmware (IA32_FEATURE_CONTROL is 0x%llx); "
			"switch it on in the firmware's set-up",
			(unsigned long long)fc);
		return ERR_NOTSUP;
	}
	caps->feature_control = fc;
	read_vmx_msrs(caps, probe);
	read_cpuid(caps, probe);
	return OK;
}
