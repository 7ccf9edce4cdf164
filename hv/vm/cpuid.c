/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resolving the CPUID tables against a machine, and answering CPUID from the result.
 *
 * Leaves are kept in flat arrays, so that the common ones cost an index and a copy; the few with
 * subleaves or bits that change at run time are patched after it.
 */
#include "hv/dev/lapic.h"
#include "hv/lib/string.h"
#include "hv/vm/cpuid.h"

#define EXT_FIRST    0x80000000u
#define EXT_LAST     0x80000008u
#define EXT_FEATURES 0x80000001u
#define HV_FIRST     0x40000000u
#define HV_TIMING    0x40000010u
#define KVM_FIRST    0x40000100u
#define KVM_FEATURES 0x40000101u
#define HV_END	     0x50000000u /* Intel reserves 0x4000_0000 to 0x4fff_ffff for software */

#define LEAF_FEATURES  0x01u
#define LEAF_CACHES    0x04u
#define LEAF_FEATURES2 0x07u
#define LEAF_TOPOLOGY  0x0bu
#define LEAF_XSAVE     0x0du
#define LEAF_TSC       0x15u
#define LEAF_FREQUENCY 0x16u

#define CACHES_MAX     8u
#define COMPONENTS_MAX 10u /* of extended state; PKRU is number 9 */
#define BUS_MHZ	       100u
#define LINEAR_BITS    48u

#define KVM_FEATURE_NOP_IO_DELAY       BIT(1)
#define KVM_FEATURE_CLOCKSOURCE2       BIT(3)
#define KVM_FEATURE_STEAL_TIME	       BIT(5)
#define KVM_FEATURE_CLOCKSOURCE_STABLE BIT(24)

struct cpuid_table {
	struct cpuid_head head;
	struct cpuid_regs ext[EXT_LAST - EXT_FIRST + 1];
	struct cpuid_regs cache[CACHES_MAX];
	struct cpuid_regs features2_1;		     /* leaf 7, subleaf 1 */
	struct cpuid_regs component[COMPONENTS_MAX]; /* leaf 0xD, by subleaf; 0 is in basic[] */
	struct cpuid_regs hv, timing, kvm, kvm_features;
	u64 xcr0, cr4; /* what a guest may set */
	u32 vcpus, index;
};

const size_t sizeof_cpuid_table = sizeof(struct cpuid_table);

static_assert(CPUID_VARIABLE == (BIT(LEAF_FEATURES) | BIT(LEAF_CACHES) | BIT(LEAF_FEATURES2) |
					BIT(LEAF_TOPOLOGY) | BIT(LEAF_XSAVE)),
	"patch() has a case for each");

/* ---- extended state ---- */

#define XSAVE_LEGACY_SIZE 576u /* x87 and SSE state, and the header */
#define XSAVE_FIRST_EXT	  2u
#define XCOMP_ALIGNED	  BIT(1) /* ECX: starts at 64 bytes in the compacted format */
#define XCOMP_ALIGN	  64u

#define XCR0_OFFERED (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

static u32 standard_size(const struct cpuid_table *t, u64 components)
{
	u32 size = XSAVE_LEGACY_SIZE;

	for (unsigned i = XSAVE_FIRST_EXT; i < COMPONENTS_MAX; i++) {
		if (components & BIT(i))
			size = MAX(size, t->component[i].ebx + t->component[i].eax);
	}
	return size;
}

static u32 compacted_size(const struct cpuid_table *t, u64 components)
{
	u32 size = XSAVE_LEGACY_SIZE;

	for (unsigned i = XSAVE_FIRST_EXT; i < COMPONENTS_MAX; i++) {
		if (!(components & BIT(i)))
			continue;
		if (t->component[i].ecx & XCOMP_ALIGNED)
			size = ALIGN_UP(size, XCOMP_ALIGN);
		size += t->component[i].eax;
	}
	return size;
}

/* ---- resolving ---- */

/* The machine's answer, or zeros where it does not have the leaf. */
static struct cpuid_regs host_leaf(const struct cpuid_config *cfg, u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	cfg->host(leaf & EXT_FIRST, 0, &r);
	if (leaf > r.eax || (leaf ^ r.eax) & EXT_FIRST)
		return (struct cpuid_regs){ 0 };
	cfg->host(leaf, subleaf, &r);
	return r;
}

static u32 *reg_of(struct cpuid_regs *r, unsigned reg)
{
	u32 *regs[] = { &r->eax, &r->ebx, &r->ecx, &r->edx };

	return regs[reg];
}

/* Where the answer for a leaf with feature bits is kept. */
static struct cpuid_regs *bits_slot(struct cpuid_table *t, u32 leaf, u32 subleaf)
{
	if (leaf == LEAF_FEATURES2 && subleaf)
		return &t->features2_1;
	if (leaf == LEAF_XSAVE && subleaf)
		return &t->component[subleaf];
	if (leaf <= CPUID_BASIC_LAST)
		return &t->head.basic[leaf];
	return &t->ext[leaf - EXT_FIRST];
}

static void resolve_bits(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	for (size_t i = 0; i < cpuid_bits_count; i++) {
		const struct cpuid_bit *b = &cpuid_bits[i];
		struct cpuid_regs host = host_leaf(cfg, b->leaf, b->subleaf);
		u32 bit = 1u << b->bit;
		bool on = b->policy == CPUID_SET ||
			  (b->policy == CPUID_PASS && (*reg_of(&host, b->reg) & bit));

		if (on)
			*reg_of(bits_slot(t, b->leaf, b->subleaf), b->reg) |= bit;
	}
}

/* log2 of the smallest power of two >= n */
static u32 width(u32 n)
{
	u32 w = 0;

	while ((1u << w) < n)
		w++;
	return w;
}

#define EBX_LOGICAL_SHIFT 16u
#define EBX_APIC_ID_SHIFT 24u
#define EDX_HTT		  BIT(28)

static void resolve_version(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	struct cpuid_regs host = host_leaf(cfg, LEAF_FEATURES, 0);
	struct cpuid_regs *r = &t->head.basic[LEAF_FEATURES];

	r->eax = host.eax;
	r->ebx = (host.ebx & 0xffff) | 1u << width(cfg->vcpus) << EBX_LOGICAL_SHIFT |
		 cfg->index << EBX_APIC_ID_SHIFT;
	if (cfg->vcpus > 1)
		r->edx |= EDX_HTT;
}

#define CACHE_TYPE	   0x1fu
#define CACHE_LEVEL(eax)   ((eax) >> 5 & 7)
#define CACHE_OWN_BITS	   0x3ffu /* EAX: type, level, self-initializing, fully associative */
#define CACHE_SHARED_SHIFT 14u
#define CACHE_CORES_SHIFT  26u
#define CACHE_LEVEL_SHARED 3u

/* Levels 1 and 2 belong to a core, the third to the package. */
static void resolve_caches(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	u32 ids = (1u << width(cfg->vcpus)) - 1;

	for (u32 i = 0; i < CACHES_MAX - 1; i++) {
		struct cpuid_regs r = host_leaf(cfg, LEAF_CACHES, i);
		u32 sharing = CACHE_LEVEL(r.eax) >= CACHE_LEVEL_SHARED ? ids : 0;

		if (!(r.eax & CACHE_TYPE))
			break;
		r.eax = (r.eax & CACHE_OWN_BITS) | sharing << CACHE_SHARED_SHIFT |
			ids << CACHE_CORES_SHIFT;
		t->cache[i] = r;
	}
}

static void resolve_xsave(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	struct cpuid_regs host = host_leaf(cfg, LEAF_XSAVE, 0);

	if (!cpuid_has(t, LEAF_FEATURES, 0, CPUID_ECX, 26)) {
		t->component[1] = (struct cpuid_regs){ 0 };
		return;
	}
	t->xcr0 = ((u64)host.edx << 32 | host.eax) & XCR0_OFFERED;
	if (!cpuid_has(t, LEAF_FEATURES2, 0, CPUID_ECX, 3))
		t->xcr0 &= ~(u64)XCR0_PKRU;
	for (unsigned i = XSAVE_FIRST_EXT; i < COMPONENTS_MAX; i++) {
		if (!(t->xcr0 & BIT(i)))
			continue;
		t->component[i] = host_leaf(cfg, LEAF_XSAVE, i);
		t->component[i].ecx &= (u32)XCOMP_ALIGNED;
		t->component[i].edx = 0;
	}
	t->head.basic[LEAF_XSAVE] = (struct cpuid_regs){
		.eax = (u32)t->xcr0, .ecx = standard_size(t, t->xcr0), .edx = (u32)(t->xcr0 >> 32)
	};
}

/*
 * The fraction nearest to n / d whose numerator is at most max, by continued fractions: each step
 * adds a term; the last one may be taken in part. *num is 0 if none is positive.
 */
static void best_ratio(u64 n, u64 d, u64 max, u32 *num, u32 *den)
{
	u64 p0 = 0, q0 = 1, p1 = 1, q1 = 0;

	while (d) {
		u64 term = n / d, rest = n % d;
		u64 fits = p1 ? (max - p0) / p1 : term;

		if (term > fits) {
			/* A part of a term is nearer than none if it is more than half of it. */
			if (2 * fits > term) {
				p1 = fits * p1 + p0;
				q1 = fits * q1 + q0;
			}
			break;
		}

		u64 p = term * p1 + p0, q = term * q1 + q0;

		p0 = p1, q0 = q1;
		p1 = p, q1 = q;
		n = d, d = rest;
	}
	*num = q1 ? (u32)p1 : 0;
	*den = q1 ? (u32)q1 : 0;
}

#define KHZ 1000u
#define MHZ 1000000u

static void resolve_clocks(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	struct cpuid_regs *tsc = &t->head.basic[LEAF_TSC], *mhz = &t->head.basic[LEAF_FREQUENCY];

	best_ratio(cfg->tsc_hz, LAPIC_TIMER_HZ, UINT32_MAX / (LAPIC_TIMER_HZ / KHZ), &tsc->ebx,
		&tsc->eax);
	tsc->ecx = LAPIC_TIMER_HZ;
	mhz->eax = (u32)((cfg->tsc_hz + MHZ / 2) / MHZ);
	mhz->ebx = mhz->eax;
	mhz->ecx = BUS_MHZ;
	t->timing = (struct cpuid_regs){ .eax = (u32)(cfg->tsc_hz / KHZ),
		.ebx = (u32)(LAPIC_TIMER_HZ / KHZ) };
}

/* Twelve characters in EBX, ECX, EDX. */
static void put_signature(struct cpuid_regs *r, const char *text)
{
	memcpy(&r->ebx, text, 4);
	memcpy(&r->ecx, text + 4, 4);
	memcpy(&r->edx, text + 8, 4);
}

static void resolve_hypervisor(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	t->hv.eax = cfg->kvmclock ? KVM_FEATURES : cfg->counters ? CPUID_COUNTER_NAMES : HV_TIMING;
	put_signature(&t->hv, "TriptychTrip");
	if (!cfg->kvmclock)
		return;
	t->kvm.eax = KVM_FEATURES;
	put_signature(&t->kvm, "KVMKVMKVM\0\0");
	t->kvm_features.eax =
		(u32)(KVM_FEATURE_NOP_IO_DELAY | KVM_FEATURE_CLOCKSOURCE2 |
			KVM_FEATURE_CLOCKSOURCE_STABLE | (cfg->steal ? KVM_FEATURE_STEAL_TIME : 0));
}

/* Leaves that are the machine's as they stand. */
static void resolve_passed(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	static const u32 ext[] = { 2, 3, 4, 6 };
	struct cpuid_regs widths = host_leaf(cfg, EXT_LAST, 0);

	t->head.basic[0] = host_leaf(cfg, 0, 0);
	t->head.basic[0].eax = CPUID_BASIC_LAST;
	t->head.basic[2] = host_leaf(cfg, 2, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ext); i++)
		t->ext[ext[i]] = host_leaf(cfg, EXT_FIRST + ext[i], 0);
	t->ext[0].eax = EXT_LAST;
	t->ext[EXT_LAST - EXT_FIRST].eax = (widths.eax & 0xff) | LINEAR_BITS << 8;
}

/* CR4 bits and the feature that each needs ("Control Registers"). */
static const struct {
	u64 cr4;
	u32 leaf;
	enum cpuid_reg reg;
	unsigned bit;
} cr4_features[] = {
	{ CR4_VME | CR4_PVI, LEAF_FEATURES, CPUID_EDX, 1 },
	{ CR4_DE, LEAF_FEATURES, CPUID_EDX, 2 },
	{ CR4_PSE, LEAF_FEATURES, CPUID_EDX, 3 },
	{ CR4_TSD, LEAF_FEATURES, CPUID_EDX, 4 },
	{ CR4_PAE, LEAF_FEATURES, CPUID_EDX, 6 },
	{ CR4_MCE, LEAF_FEATURES, CPUID_EDX, 7 },
	{ CR4_PGE, LEAF_FEATURES, CPUID_EDX, 13 },
	{ CR4_PCE, LEAF_FEATURES, CPUID_EDX, 23 }, /* came with MMX */
	{ CR4_OSFXSR, LEAF_FEATURES, CPUID_EDX, 24 },
	{ CR4_OSXMMEXCPT, LEAF_FEATURES, CPUID_EDX, 25 },
	{ CR4_PCIDE, LEAF_FEATURES, CPUID_ECX, 17 },
	{ CR4_OSXSAVE, LEAF_FEATURES, CPUID_ECX, 26 },
	{ CR4_FSGSBASE, LEAF_FEATURES2, CPUID_EBX, 0 },
	{ CR4_SMEP, LEAF_FEATURES2, CPUID_EBX, 7 },
	{ CR4_SMAP, LEAF_FEATURES2, CPUID_EBX, 20 },
	{ CR4_UMIP, LEAF_FEATURES2, CPUID_ECX, 2 },
	{ CR4_PKE, LEAF_FEATURES2, CPUID_ECX, 3 },
};

static void resolve_cr4(struct cpuid_table *t)
{
	for (size_t i = 0; i < ARRAY_SIZE(cr4_features); i++) {
		if (cpuid_has(t, cr4_features[i].leaf, 0, cr4_features[i].reg, cr4_features[i].bit))
			t->cr4 |= cr4_features[i].cr4;
	}
}

/* What the provider cannot give, and where it would be seen. */
static void resolve_lacks(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	struct {
		unsigned flag;
		u32 *reg;
		unsigned bit;
	} rows[] = {
		{ CPUID_LACKS_PCID, &t->head.basic[LEAF_FEATURES].ecx, 17 },
		{ CPUID_LACKS_INVPCID, &t->head.basic[LEAF_FEATURES2].ebx, 10 },
		{ CPUID_LACKS_PKU, &t->head.basic[LEAF_FEATURES2].ecx, 3 },
		{ CPUID_LACKS_RDTSCP, &t->ext[1].edx, 27 },
		{ CPUID_LACKS_XSAVES, &t->component[1].eax, 3 },
		{ CPUID_LACKS_XSAVEC, &t->component[1].eax, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (cfg->lacks & rows[i].flag)
			*rows[i].reg &= ~(u32)BIT(rows[i].bit);
}

void cpuid_resolve(struct cpuid_table *t, const struct cpuid_config *cfg)
{
	*t = (struct cpuid_table){ .vcpus = cfg->vcpus, .index = cfg->index };
	resolve_passed(t, cfg);
	resolve_bits(t, cfg);
	t->head.basic[LEAF_FEATURES2].eax = 1; /* highest subleaf */
	resolve_version(t, cfg);
	resolve_caches(t, cfg);
	resolve_xsave(t, cfg);
	resolve_clocks(t, cfg);
	resolve_hypervisor(t, cfg);
	resolve_lacks(t, cfg);
	resolve_cr4(t);
}

/* ---- answering ---- */

enum topology_type {
	TOPOLOGY_NONE,
	TOPOLOGY_SMT,
	TOPOLOGY_CORE
};

/* "CPUID leaf 0BH": one thread a core, all cores in one package. */
static void topology(const struct cpuid_table *t, u32 subleaf, struct cpuid_regs *out)
{
	*out = (struct cpuid_regs){ .ecx = subleaf & 0xff, .edx = t->index };
	if (subleaf == 0) {
		out->ebx = 1;
		out->ecx |= TOPOLOGY_SMT << 8;
	} else if (subleaf == 1) {
		out->eax = width(t->vcpus);
		out->ebx = t->vcpus;
		out->ecx |= TOPOLOGY_CORE << 8;
	}
}

#define XSAVEC BIT(1)

static void xsave(const struct cpuid_table *t, u32 subleaf, u64 xcr0, struct cpuid_regs *out)
{
	if (subleaf == 0) {
		if (t->xcr0)
			out->ebx = standard_size(t, xcr0);
		return;
	}
	*out = subleaf < COMPONENTS_MAX ? t->component[subleaf] : (struct cpuid_regs){ 0 };
	/* "EBX enumerates the size of the XSAVE area containing all states enabled by XCR0" */
	if (subleaf == 1 && (out->eax & XSAVEC))
		out->ebx = compacted_size(t, xcr0);
}

#define CR4_OSXSAVE_SHIFT 18u
#define CR4_PKE_SHIFT	  22u
#define ECX_OSXSAVE_SHIFT 27u
#define ECX_OSPKE_SHIFT	  4u
#define EDX_APIC_SHIFT	  9u

static_assert(CR4_OSXSAVE == BIT(CR4_OSXSAVE_SHIFT) && CR4_PKE == BIT(CR4_PKE_SHIFT), "CR4");

static void patch(const struct cpuid_table *t, u32 leaf, u32 subleaf, u64 cr4, u64 xcr0,
	bool apic_enabled, struct cpuid_regs *out)
{
	switch (leaf) {
	case LEAF_FEATURES:
		out->ecx |= (u32)(cr4 >> CR4_OSXSAVE_SHIFT & 1) << ECX_OSXSAVE_SHIFT;
		out->edx |= (u32)apic_enabled << EDX_APIC_SHIFT;
		break;
	case LEAF_FEATURES2:
		if (subleaf)
			*out = subleaf == 1 ? t->features2_1 : (struct cpuid_regs){ 0 };
		else
			out->ecx |= (u32)(cr4 >> CR4_PKE_SHIFT & 1) << ECX_OSPKE_SHIFT;
		break;
	case LEAF_CACHES:
		if (subleaf < CACHES_MAX)
			*out = t->cache[subleaf];
		break;
	case LEAF_TOPOLOGY: topology(t, subleaf, out); break;
	default: xsave(t, subleaf, xcr0, out); break;
	}
}

static void lookup_hypervisor(const struct cpuid_table *t, u32 leaf, struct cpuid_regs *out)
{
	switch (leaf) {
	case HV_FIRST: *out = t->hv; break;
	case HV_TIMING: *out = t->timing; break;
	case KVM_FIRST: *out = t->kvm; break;
	case KVM_FEATURES: *out = t->kvm_features; break;
	default: *out = (struct cpuid_regs){ 0 }; break;
	}
}

void cpuid_lookup(const struct cpuid_table *t, u32 leaf, u32 subleaf, u64 cr4, u64 xcr0,
	bool apic_enabled, struct cpuid_regs *out)
{
	if (likely(leaf <= CPUID_BASIC_LAST)) {
		*out = t->head.basic[leaf];
		if (CPUID_VARIABLE & BIT(leaf))
			patch(t, leaf, subleaf, cr4, xcr0, apic_enabled, out);
	} else if (leaf >= EXT_FIRST && leaf <= EXT_LAST) {
		*out = t->ext[leaf - EXT_FIRST];
	} else if (leaf >= HV_FIRST && leaf < HV_END) {
		lookup_hypervisor(t, leaf, out);
	} else {
		*out = t->head.basic[CPUID_BASIC_LAST];
	}
}

bool cpuid_has(const struct cpuid_table *t, u32 leaf, u32 subleaf, unsigned reg, unsigned bit)
{
	struct cpuid_regs r;

	cpuid_lookup(t, leaf, subleaf, 0, t->xcr0, true, &r);
	return *reg_of(&r, reg) >> bit & 1;
}

u64 cpuid_cr4_allowed(const struct cpuid_table *t)
{
	return t->cr4;
}

u64 cpuid_xcr0_allowed(const struct cpuid_table *t)
{
	return t->xcr0;
}

unsigned cpuid_maxphyaddr(const struct cpuid_table *t)
{
	return t->ext[EXT_LAST - EXT_FIRST].eax & 0xff;
}

/* Leaf 0x80000001, EDX */
#define FEATURE_PAGE1GB BIT(26)

bool cpuid_page1gb(const struct cpuid_table *t)
{
	return t->ext[EXT_FEATURES - EXT_FIRST].edx & FEATURE_PAGE1GB;
}
