/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical machine's MTRRs, read once. An address below 1 MB is decided by the fixed ranges
 * (if they are on), any other by the variable ranges that hold it, or by the default type.
 */
#include "hv/cpu/regs.h"
#include "hv/ctl/log.h"
#include "hv/mem/mtrr.h"

#define CAP_VCNT       GENMASK(7, 0)
#define CAP_FIXED      BIT(8)
#define TYPE	       GENMASK(7, 0) /* of IA32_MTRR_DEF_TYPE and IA32_MTRR_PHYSBASEn */
#define DEF_FIXED      BIT(10)
#define DEF_ENABLED    BIT(11)
#define PHYSMASK_VALID BIT(11)
#define TYPES_PER_MSR  8
#define FIXED_END      (1 * MB)

/* The fixed ranges, in the order of their addresses. */
static const struct fixed_range {
	u32 msr;
	unsigned msrs;
	u32 start;
	u32 granule; /* bytes that one type covers */
} fixed_ranges[] = {
	{ MSR_MTRR_FIX64K_00000, 1, 0x00000, 64 * KB },
	{ MSR_MTRR_FIX16K_80000, 2, 0x80000, 16 * KB },
	{ MSR_MTRR_FIX4K_C0000, 8, 0xc0000, 4 * KB },
};

#define FIXED_TYPES ((1 + 2 + 8) * TYPES_PER_MSR)

struct variable_range {
	u64 base, mask; /* holds an address a if (a & mask) == base */
	u8 type;
};

static struct {
	bool present; /* mtrr_init() was called */
	bool enabled, fixed_on;
	u8 default_type;
	u8 fixed[FIXED_TYPES];
	struct variable_range var[MTRR_VARIABLE_MAX];
	unsigned vars;
	u64 limit; /* 2^MAXPHYADDR */
} mtrr;

/* The type in a register's low byte. What the manual reserves counts as uncacheable. */
static u8 legal_type(u64 type)
{
	static const bool legal[] = { [MEMTYPE_UC] = true,
		[MEMTYPE_WC] = true,
		[MEMTYPE_WT] = true,
		[MEMTYPE_WP] = true,
		[MEMTYPE_WB] = true };

	type &= TYPE;
	return type < ARRAY_SIZE(legal) && legal[type] ? (u8)type : MEMTYPE_UC;
}

static void read_fixed(u64 (*rdmsr)(u32 msr))
{
	unsigned n = 0;

	for (unsigned r = 0; r < ARRAY_SIZE(fixed_ranges); r++) {
		for (u32 i = 0; i < fixed_ranges[r].msrs; i++) {
			u64 types = rdmsr(fixed_ranges[r].msr + i);

			for (unsigned b = 0; b < TYPES_PER_MSR; b++, types >>= 8)
				mtrr.fixed[n++] = legal_type(types);
		}
	}
}

static void read_variable(u64 (*rdmsr)(u32 msr), unsigned count)
{
	u64 address = (mtrr.limit - 1) & PAGE_MASK;

	if (count > MTRR_VARIABLE_MAX) {
		log_warn("mtrr: %u variable ranges, only %u used", count, MTRR_VARIABLE_MAX);
		count = MTRR_VARIABLE_MAX;
	}
	for (u32 i = 0; i < count; i++) {
		u64 base = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i);
		u64 mask = rdmsr(MSR_MTRR_PHYSMASK0 + 2 * i);

		if (!(mask & PHYSMASK_VALID))
			continue;
		mtrr.var[mtrr.vars++] = (struct variable_range){
			.base = base & mask & address,
			.mask = mask & address,
			.type = legal_type(base),
		};
	}
}

void mtrr_init(u64 (*rdmsr)(u32 msr), unsigned maxphyaddr)
{
	u64 cap = rdmsr(MSR_MTRRCAP), def = rdmsr(MSR_MTRR_DEF_TYPE);

	mtrr.present = true;
	mtrr.enabled = def & DEF_ENABLED;
	mtrr.fixed_on = (cap & CAP_FIXED) && (def & DEF_FIXED);
	mtrr.default_type = legal_type(def);
	mtrr.limit = 1ul << maxphyaddr;
	mtrr.vars = 0;
	if (mtrr.fixed_on)
		read_fixed(rdmsr);
	read_variable(rdmsr, (unsigned)(cap & CAP_VCNT));
}

/* Both below 1 MB. Type of address a; *end: where the granule ends. */
static u8 fixed_type(u64 a, u64 *end)
{
	unsigned first = 0; /* index of the range's first type */

	for (unsigned r = 0; r < ARRAY_SIZE(fixed_ranges); r++) {
		const struct fixed_range *f = &fixed_ranges[r];
		unsigned types = f->msrs * TYPES_PER_MSR;

		if (a < f->start + types * f->granule) {
			*end = ALIGN_DOWN(a, f->granule) + f->granule;
			return mtrr.fixed[first + (a - f->start) / f->granule];
		}
		first += types;
	}
	return MEMTYPE_UC;
}

/*
 * The nearest address above a at which the answer of one variable range may change. A mask with
 * holes in it makes a range of several pieces; all are multiples of the mask's lowest bit.
 */
static u64 next_edge(const struct variable_range *v, u64 a)
{
	u64 granule = v->mask & -v->mask;
	bool contiguous = v->mask + granule == mtrr.limit;

	if (!v->mask)
		return mtrr.limit;
	if (a < v->base)
		return v->base;
	if (!contiguous)
		return ALIGN_DOWN(a, granule) + granule;
	return a < v->base + granule ? v->base + granule : mtrr.limit;
}

/* Of two ranges that overlap: UC wins, WT wins over WB; all else is undefined, and UC is safe. */
static u8 combine(u8 a, u8 b)
{
	if (a == b)
		return a;
	if ((a == MEMTYPE_WT && b == MEMTYPE_WB) || (a == MEMTYPE_WB && b == MEMTYPE_WT))
		return MEMTYPE_WT;
	return MEMTYPE_UC;
}

static u8 variable_type(u64 a, u64 *end)
{
	u8 type = mtrr.default_type;
	bool hit = false;

	*end = mtrr.limit;
	for (unsigned i = 0; i < mtrr.vars; i++) {
		const struct variable_range *v = &mtrr.var[i];

		*end = MIN(*end, next_edge(v, a));
		if ((a & v->mask) != v->base)
			continue;
		type = hit ? combine(type, v->type) : v->type;
		hit = true;
	}
	return type;
}

/* Type of address a, valid up to *end. */
static u8 type_at(u64 a, u64 *end)
{
	if (mtrr.fixed_on && a < FIXED_END)
		return fixed_type(a, end);
	return variable_type(a, end);
}

enum memtype mtrr_type(hpa_t hpa, u64 *len)
{
	u64 end, stop = hpa.v + *len;
	u8 type;

	if (!mtrr.present)
		return MEMTYPE_WB;
	if (!mtrr.enabled || hpa.v >= mtrr.limit)
		return MEMTYPE_UC;
	type = type_at(hpa.v, &end);
	while (end < stop && end < mtrr.limit) {
		u64 next;

		if (type_at(end, &next) != type)
			break;
		end = next;
	}
	*len = MIN(end, stop) - hpa.v;
	return type;
}

const char *memtype_name(enum memtype type)
{
	static const char *const names[] = {
		[MEMTYPE_UC] = "UC",
		[MEMTYPE_WC] = "WC",
		[MEMTYPE_WT] = "WT",
		[MEMTYPE_WP] = "WP",
		[MEMTYPE_WB] = "WB",
	};

	if (type >= ARRAY_SIZE(names) || !names[type])
		return "reserved";
	return names[type];
}
