/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control registers of a virtual CPU: what a guest may write, and what follows from it: IA-32e mode
 * goes on with CR0.PG when EFER.LME is set, and PAE paging loads its four PDPTEs from memory.
 */
#include "hv/cpu/regs.h"
#include "hv/lib/string.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/cr.h"
#include "hv/vm/vm.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
		CR0_PG)
/* A change of one of these makes PAE paging read its PDPTEs again ("PDPTE Registers"). */
#define CR0_LOADS_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define CR4_LOADS_PDPTES (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)
#define PDPTE_P		 BIT(0)
#define PDPTE_RSVD	 (GENMASK(2, 1) | GENMASK(8, 5))

static bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

/* False: a present PDPTE has a reserved bit set (#GP), or the table is not in memory. */
static bool load_pdptes(struct vcpu *v, u64 cr3)
{
	u64 rsvd = PDPTE_RSVD | ~GENMASK(cpuid_maxphyaddr(v->cpuid) - 1, 0);
	u64 pdpte[4];

	if (guest_read(&v->vm->mem, GPA(cr3 & 0xffffffe0ul), pdpte, sizeof(pdpte)) != OK)
		return false;
	for (unsigned i = 0; i < 4; i++)
		if ((pdpte[i] & PDPTE_P) && (pdpte[i] & rsvd))
			return false;
	memcpy(v->pdpte, pdpte, sizeof(v->pdpte));
	v->ops->set_pdptes(v, pdpte);
	return true;
}

static void paging_changed(struct vcpu *v)
{
	if (v->vm->mmu->ops->paging_changed)
		v->vm->mmu->ops->paging_changed(v);
}

/* Leaving or entering IA-32e mode with CR0.PG ("Activating and Deactivating Long Mode"); false:
 * #GP. */
static bool switch_long_mode(struct vcpu *v, u64 value)
{
	u64 efer = v->ops->get(v, VREG_EFER);
	u64 cr4 = v->ops->get(v, VREG_CR4);
	struct segment cs;

	v->ops->get_segment(v, SEG_CS, &cs);
	if (value & CR0_PG) {
		if (!(efer & EFER_LME))
			return true;
		if (!(cr4 & CR4_PAE) || (cs.ar & SEG_AR_L))
			return false;
		v->ops->set(v, VREG_EFER, efer | EFER_LMA);
		return true;
	}
	if (efer & EFER_LMA) {
		if ((cs.ar & SEG_AR_L) || (cr4 & CR4_PCIDE))
			return false;
		v->ops->set(v, VREG_EFER, efer & ~EFER_LMA);
	}
	return true;
}

bool vcpu_can_run_with(struct vcpu *v, u64 cr0)
{
	u64 missing = v->ops->cr0_needed(v) & ~cr0;

	if (missing & CR0_PE)
		vcpu_crash(v, "real mode (CR0.PE is 0) takes EPT with \"unrestricted guest\"; "
			      "without it guests stay in protected mode");
	else if (missing)
		vcpu_crash(v, "EPT with paging off (CR0.PG is 0) takes \"unrestricted guest\", "
			      "which this processor lacks; mmu=shadow does without");
	return !missing;
}

bool vcpu_write_cr0(struct vcpu *v, u64 value)
{
	u64 old = v->ops->get(v, VREG_CR0);
	u64 cr4 = v->ops->get(v, VREG_CR4);
	u64 efer = v->ops->get(v, VREG_EFER);

	if (value >> 32)
		return false;
	value = (value & CR0_DEFINED) | CR0_ET;
	if ((value & CR0_PG) && !(value & CR0_PE))
		return false;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return false;
	if (!vcpu_can_run_with(v, value))
		return true;
	if (pae_paging(value, cr4, efer) && ((old ^ value) & CR0_LOADS_PDPTES) &&
		!load_pdptes(v, v->ops->get(v, VREG_CR3)))
		return false;
	if (((old ^ value) & CR0_PG) && !switch_long_mode(v, value))
		return false;
	v->ops->set(v, VREG_CR0, value);
	paging_changed(v);
	return true;
}

bool vcpu_write_cr3(struct vcpu *v, u64 value)
{
	u64 cr0 = v->ops->get(v, VREG_CR0);
	u64 cr4 = v->ops->get(v, VREG_CR4);
	u64 efer = v->ops->get(v, VREG_EFER);

	if ((cr4 & CR4_PCIDE) && (efer & EFER_LMA))
		value &= ~CR3_NOFLUSH;
	if ((efer & EFER_LMA) && (value & ~GENMASK(cpuid_maxphyaddr(v->cpuid) - 1, 0)))
		return false;
	if (pae_paging(cr0, cr4, efer) && !load_pdptes(v, value))
		return false;
	v->ops->set(v, VREG_CR3, value);
	if (v->vm->mmu->ops->set_cr3)
		v->vm->mmu->ops->set_cr3(v, value);
	return true;
}

bool vcpu_write_cr4(struct vcpu *v, u64 value)
{
	u64 old = v->ops->get(v, VREG_CR4);
	u64 cr0 = v->ops->get(v, VREG_CR0);
	u64 cr3 = v->ops->get(v, VREG_CR3);
	u64 efer = v->ops->get(v, VREG_EFER);

	if (value & ~cpuid_cr4_allowed(v->cpuid))
		return false;
	if ((efer & EFER_LMA) && !(value & CR4_PAE))
		return false;
	if ((value & ~old & CR4_PCIDE) && (!(efer & EFER_LMA) || (cr3 & 0xfff)))
		return false;
	if (pae_paging(cr0, value, efer) && ((old ^ value) & CR4_LOADS_PDPTES) &&
		!load_pdptes(v, cr3))
		return false;
	v->ops->set(v, VREG_CR4, value);
	paging_changed(v);
	return true;
}

/* "XSETBV—Set Extended Control Register" */
bool vcpu_write_xcr0(struct vcpu *v, u64 value)
{
	u64 avx512 = value & XCR0_AVX512;
	u64 bnd = value & XCR0_BND;

	if (value & ~cpuid_xcr0_allowed(v->cpuid))
		return false;
	if (!(value & XCR0_X87) || ((value & XCR0_AVX) && !(value & XCR0_SSE)))
		return false;
	if (bnd && bnd != XCR0_BND)
		return false;
	if (avx512 && (avx512 != XCR0_AVX512 || !(value & XCR0_AVX)))
		return false;
	v->ops->set_xcr0(v, value);
	return true;
}
