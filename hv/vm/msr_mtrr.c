/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MTRRs and PAT of a virtual CPU ("Memory Cache Control"). The MTRRs have no effect on how guest
 * memory is mapped: all of it is RAM, write-back, and combined with the guest's PAT by the
 * processor, or by the shadow tables. They are kept for the guest to read back, and start as a PC's
 * firmware leaves them.
 */
#include "hv/cpu/regs.h"
#include "hv/dev/layout.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/msr_emul.h"
#include "hv/vm/vm.h"

#define TYPE_MASK    0xfful
#define DEF_FIXED    BIT(10)
#define DEF_ENABLE   BIT(11)
#define MASK_VALID   BIT(11)
#define PAT_UC_MINUS 7u

/* Eight ranges of one type. */
#define EIGHT(type) ((type)*0x0101010101010101ul)

/* Index of each fixed-range MSR in msr_mtrr_fix[]. */
#define FIX_64K	     0u
#define FIX_16K	     1u
#define FIX_4K	     3u
#define FIX_COUNT    11u
#define FIX_4K_E0000 (FIX_4K + 4)

static_assert(ARRAY_SIZE(((struct vcpu *)0)->msr_mtrr_fix) == FIX_COUNT, "fixed ranges");
static_assert(ARRAY_SIZE(((struct vcpu *)0)->msr_mtrr_var) == 2 * MTRR_VARIABLE, "variable");

static bool type_is_valid(u64 type)
{
	return type == MEMTYPE_UC || type == MEMTYPE_WC || type == MEMTYPE_WT ||
	       type == MEMTYPE_WP || type == MEMTYPE_WB;
}

static bool types_are_valid(u64 value, bool is_pat)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		u64 type = value >> shift & TYPE_MASK;

		if (!type_is_valid(type) && !(is_pat && type == PAT_UC_MINUS))
			return false;
	}
	return true;
}

/* The MSRs of one size are numbered from a multiple of their count. */
static_assert(MSR_MTRR_FIX4K_C0000 % 8 == 0 && MSR_MTRR_FIX16K_80000 % 2 == 0, "numbers");

static u64 *fixed_slot(struct vcpu *v, u32 msr)
{
	if (msr >= MSR_MTRR_FIX4K_C0000)
		return &v->msr_mtrr_fix[FIX_4K + msr % 8];
	if (msr >= MSR_MTRR_FIX16K_80000)
		return &v->msr_mtrr_fix[FIX_16K + msr % 2];
	return &v->msr_mtrr_fix[FIX_64K];
}

static bool read_fixed(struct vcpu *v, u32 msr, u64 *value)
{
	*value = *fixed_slot(v, msr);
	return true;
}

static bool write_fixed(struct vcpu *v, u32 msr, u64 value)
{
	if (!types_are_valid(value, false))
		return false;
	*fixed_slot(v, msr) = value;
	return true;
}

static bool read_variable(struct vcpu *v, u32 msr, u64 *value)
{
	*value = v->msr_mtrr_var[msr - MSR_MTRR_PHYSBASE0];
	return true;
}

static u64 address_bits(const struct vcpu *v)
{
	return GENMASK(cpuid_maxphyaddr(v->cpuid) - 1, PAGE_SHIFT);
}

static bool write_variable(struct vcpu *v, u32 msr, u64 value)
{
	u32 index = msr - MSR_MTRR_PHYSBASE0;
	bool is_mask = index & 1;
	u64 rest = value & ~address_bits(v);

	if (is_mask ? (rest & ~MASK_VALID) != 0 : !type_is_valid(rest))
		return false;
	v->msr_mtrr_var[index] = value;
	return true;
}

static bool read_def_type(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->msr_mtrr_def;
	return true;
}

static bool write_def_type(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	if (!type_is_valid(value & ~(DEF_FIXED | DEF_ENABLE)))
		return false;
	v->msr_mtrr_def = value;
	return true;
}

static bool read_pat(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->ops->get(v, VREG_PAT);
	return true;
}

static bool write_pat(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	if (!types_are_valid(value, true))
		return false;
	v->ops->set(v, VREG_PAT, value);
	if (v->vm->mmu->ops->paging_changed)
		v->vm->mmu->ops->paging_changed(v);
	return true;
}

const struct msr_emulation mtrr_variable = { read_variable, write_variable };
const struct msr_emulation mtrr_fixed = { read_fixed, write_fixed };
const struct msr_emulation mtrr_def_type = { read_def_type, write_def_type };
const struct msr_emulation pat = { read_pat, write_pat };

/* Write-back by default; uncached: the hole below 4 GB, and the one below 1 MB. */
void mtrr_reset(struct vcpu *v)
{
	static_assert(LAYOUT_HOLE_START == 0xa0000 && LAYOUT_HOLE_END == 0xe0000, "fixed ranges");
	v->msr_mtrr_def = MEMTYPE_WB | DEF_FIXED | DEF_ENABLE;
	for (unsigned i = 0; i < FIX_COUNT; i++)
		v->msr_mtrr_fix[i] = EIGHT(MEMTYPE_UC);
	v->msr_mtrr_fix[FIX_64K] = EIGHT(MEMTYPE_WB);
	v->msr_mtrr_fix[FIX_16K] = EIGHT(MEMTYPE_WB);
	for (unsigned i = FIX_4K_E0000; i < FIX_COUNT; i++)
		v->msr_mtrr_fix[i] = EIGHT(MEMTYPE_WP);
	for (unsigned i = 0; i < 2 * MTRR_VARIABLE; i++)
		v->msr_mtrr_var[i] = 0;
	v->msr_mtrr_var[0] = LAYOUT_LOW_MAX | MEMTYPE_UC;
	v->msr_mtrr_var[1] = (~(LAYOUT_HIGH - LAYOUT_LOW_MAX - 1) & address_bits(v)) | MASK_VALID;
}
