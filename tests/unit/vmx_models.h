/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs for the unit tests of vmx/: CPUID leaves and capability MSRs. An MSR that a model does not
 * list does not exist on it: reading it is a test failure, as it is a #GP on the CPU.
 */
#ifndef TESTS_UNIT_VMX_MODELS_H
#define TESTS_UNIT_VMX_MODELS_H

#include <string.h>
#include "hv/cpu/regs.h"
#include "vmx/caps.h"

struct model_msr {
	u32 msr;
	u64 value;
};

struct model {
	u32 leaf1_ecx, leaf7_ebx, leaf7_ecx, perfmon_eax, perfmon_edx, addresses;
	struct model_msr msrs[24];
};

#define MODEL_VMX BIT(5)

static const struct model model_sandy_bridge = {
	.leaf1_ecx = MODEL_VMX,
	.perfmon_eax = 0x07300403,
	.perfmon_edx = 0x603,
	.addresses = 0x3024,
	.msrs = {
		{ MSR_FEATURE_CONTROL, 0x5 },
		{ MSR_VMX_BASIC, 0x00da040000000010 },
		{ MSR_VMX_PINBASED_CTLS, 0x0000007f00000016 },
		{ MSR_VMX_PROCBASED_CTLS, 0xfff9fffe0401e172 },
		{ MSR_VMX_EXIT_CTLS, 0x007fffff00036dff },
		{ MSR_VMX_ENTRY_CTLS, 0x0000ffff000011ff },
		{ MSR_VMX_MISC, 0x00000000100401e5 },
		{ MSR_VMX_CR0_FIXED0, 0x80000021 },
		{ MSR_VMX_CR0_FIXED1, 0xffffffff },
		{ MSR_VMX_CR4_FIXED0, 0x2000 },
		{ MSR_VMX_CR4_FIXED1, 0x627ff },
		{ MSR_VMX_PROCBASED_CTLS2, 0x000000ff00000000 },
		{ MSR_VMX_EPT_VPID_CAP, 0x00000f0106114141 },
		{ MSR_VMX_TRUE_PINBASED_CTLS, 0x0000007f00000016 },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, 0xfff9fffe04006172 },
		{ MSR_VMX_TRUE_EXIT_CTLS, 0x007fffff00036dfb },
		{ MSR_VMX_TRUE_ENTRY_CTLS, 0x0000ffff000011fb },
	},
};

static const struct model model_skylake_x = {
	.leaf1_ecx = MODEL_VMX,
	.leaf7_ebx = 0x800, /* RTM */
	.perfmon_eax = 0x07300404,
	.perfmon_edx = 0x603,
	.addresses = 0x302e,
	.msrs = {
		{ MSR_FEATURE_CONTROL, 0x5 },
		{ MSR_VMX_BASIC, 0x00da040000000004 },
		{ MSR_VMX_PINBASED_CTLS, 0x0000007f00000016 },
		{ MSR_VMX_PROCBASED_CTLS, 0xfff9fffe0401e172 },
		{ MSR_VMX_EXIT_CTLS, 0x01ffffff00036dff },
		{ MSR_VMX_ENTRY_CTLS, 0x0003ffff000011ff },
		{ MSR_VMX_MISC, 0x000000007004c1e7 },
		{ MSR_VMX_CR0_FIXED0, 0x80000021 },
		{ MSR_VMX_CR0_FIXED1, 0xffffffff },
		{ MSR_VMX_CR4_FIXED0, 0x2000 },
		{ MSR_VMX_CR4_FIXED1, 0x3767ff },
		{ MSR_VMX_PROCBASED_CTLS2, 0x035fffff00000000 },
		{ MSR_VMX_EPT_VPID_CAP, 0x00000f0106734141 },
		{ MSR_VMX_TRUE_PINBASED_CTLS, 0x0000007f00000016 },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, 0xfff9fffe04006172 },
		{ MSR_VMX_TRUE_EXIT_CTLS, 0x01ffffff00036dfb },
		{ MSR_VMX_TRUE_ENTRY_CTLS, 0x0003ffff000011fb },
		{ MSR_VMX_VMFUNC, 0x1 },
	},
};

/* The 45 nm Core 2: no EPT, no VPID, no preemption timer, no way to load EFER. */
static const struct model model_penryn = {
	.leaf1_ecx = MODEL_VMX,
	.perfmon_eax = 0x07280202,
	.perfmon_edx = 0x503,
	.addresses = 0x3024,
	.msrs = {
		{ MSR_FEATURE_CONTROL, 0x5 },
		{ MSR_VMX_BASIC, 0x00da08000000000d },
		{ MSR_VMX_PINBASED_CTLS, 0x0000003f00000016 },
		{ MSR_VMX_PROCBASED_CTLS, 0xf7f9fffe0401e172 },
		{ MSR_VMX_EXIT_CTLS, 0x0003ffff00036dff },
		{ MSR_VMX_ENTRY_CTLS, 0x00003fff000011ff },
		{ MSR_VMX_MISC, 0x00000000000403c0 },
		{ MSR_VMX_CR0_FIXED0, 0x80000021 },
		{ MSR_VMX_CR0_FIXED1, 0xffffffff },
		{ MSR_VMX_CR4_FIXED0, 0x2000 },
		{ MSR_VMX_CR4_FIXED1, 0x27ff },
		{ MSR_VMX_PROCBASED_CTLS2, 0x0000004100000000 },
		{ MSR_VMX_TRUE_PINBASED_CTLS, 0x0000003f00000016 },
		{ MSR_VMX_TRUE_PROCBASED_CTLS, 0xf7f9fffe04006172 },
		{ MSR_VMX_TRUE_EXIT_CTLS, 0x0003ffff00036dfb },
		{ MSR_VMX_TRUE_ENTRY_CTLS, 0x00003fff000011fb },
	},
};

static const struct model *model; /* the one that the probe looks at */
static unsigned model_reads;	  /* MSRs read so far */

static u64 model_rdmsr(u32 msr)
{
	model_reads++;
	for (unsigned i = 0; i < ARRAY_SIZE(model->msrs); i++)
		if (model->msrs[i].msr == msr)
			return model->msrs[i].value;
	fail_msg("MSR 0x%x does not exist on this CPU", msr);
	return 0;
}

static void model_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	const struct {
		u32 leaf, regs[4];
	} leaves[] = {
		{ 0, { 0xd, 0, 0, 0 } },
		{ 1, { 0, 0, model->leaf1_ecx, 0 } },
		{ 7, { 0, model->leaf7_ebx, model->leaf7_ecx, 0 } },
		{ 0xa, { model->perfmon_eax, 0, 0, model->perfmon_edx } },
		{ 0x80000000, { 0x80000008, 0, 0, 0 } },
		{ 0x80000001, { 0, 0, 0, 1u << 20 } },
		{ 0x80000008, { model->addresses, 0, 0, 0 } },
	};

	(void)subleaf;
	memset(out, 0, 4 * sizeof(*out));
	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
		if (leaves[i].leaf == leaf)
			memcpy(out, leaves[i].regs, sizeof(leaves[i].regs));
}

static const struct vmx_probe model_probe = { .rdmsr = model_rdmsr, .cpuid = model_cpuid };

/* Changes one MSR of a copy of a model. */
static inline void model_set(struct model *m, u32 msr, u64 value)
{
	for (unsigned i = 0; i < ARRAY_SIZE(m->msrs); i++)
		if (m->msrs[i].msr == msr)
			m->msrs[i].value = value;
}

#endif
