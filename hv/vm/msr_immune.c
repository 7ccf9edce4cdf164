/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IA32_ARCH_CAPABILITIES: what the guest's processor, which is the machine's, is immune to. It is
 * there on machines without it as well, for ITS_NO: a kernel that runs under a hypervisor and does
 * not read that bit takes every processor to be affected, and goes through a thunk at each return.
 */
#include "hv/cpu/cpu.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/msr_emul.h"
#include "hv/vm/vm.h"

/*
 * Bits that say what the processor is immune to, or what VERW and the passed commands do: RDCL_NO,
 * IBRS_ALL, RSBA, SKIP_L1DFL, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO; SBDR_SSDP_NO, FBSDP_NO,
 * PSDP_NO, FB_CLEAR; BHI_NO; PBRSB_NO; GDS_NO, RFDS_NO. The others announce MSRs that are not
 * offered.
 */
#define PASSED 0x0d12e17ful
#define ITS_NO BIT(62)

#define FAMILY_CORE 6u

/* In the value of CPUID leaf 1, EAX ("Version Information"). */
#define STEPPING(eax) ((eax)&0xfu)
#define MODEL(eax)    (((eax) >> 4 & 0xfu) | ((eax) >> 12 & 0xf0u))
#define FAMILY(eax)   ((eax) >> 8 & 0xfu)

/* Processors with indirect target selection (INTEL-SA-01153): from this stepping on. */
static const struct {
	u8 model, stepping;
} its_affected[] = {
	{ 0x55, 0x6 }, /* Cascade Lake, Cooper Lake; below that Skylake-X, which is not */
	{ 0x8e, 0xc }, /* Whiskey Lake, Comet Lake U; below that Kaby Lake */
	{ 0x9e, 0xd }, /* Coffee Lake Refresh */
	{ 0x6a, 0 },   /* Ice Lake-SP */
	{ 0x6c, 0 },   /* Ice Lake-D */
	{ 0x7e, 0 },   /* Ice Lake client */
	{ 0x8c, 0 },   /* Tiger Lake U */
	{ 0x8d, 0 },   /* Tiger Lake H */
	{ 0xa5, 0 },   /* Comet Lake */
	{ 0xa6, 0 },   /* Comet Lake U, six cores */
	{ 0xa7, 0 },   /* Rocket Lake */
};

static bool its_immune(u32 version)
{
	if (FAMILY(version) != FAMILY_CORE)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(its_affected); i++)
		if (MODEL(version) == its_affected[i].model)
			return STEPPING(version) < its_affected[i].stepping;
	return true;
}

static bool read_arch_capabilities(struct vcpu *v, u32 msr, u64 *value)
{
	struct cpuid_regs version;

	if (!rdmsr_safe(msr, value))
		*value = 0;
	*value &= PASSED | ITS_NO;
	cpuid_lookup(v->cpuid, 1, 0, 0, 0, true, &version);
	if (its_immune(version.eax))
		*value |= ITS_NO;
	return true;
}

const struct msr_emulation arch_capabilities = { read_arch_capabilities, NULL };
