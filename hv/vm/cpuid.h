/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID of a virtual CPU: a table with a row for each leaf and, for feature words, each bit passed
 * from the machine, with the reason beside it; what no row names is zero. Resolved once per vcpu
 * into a flat array, so that an exit costs a look-up.
 */
#ifndef HV_VM_CPUID_H
#define HV_VM_CPUID_H

#include "hv/cpu/regs.h"
#include "hv/lib/status.h"
#include "hv/lib/util.h"

/* What becomes of a feature bit. A bit that no row names is 0. */
enum cpuid_policy {
	CPUID_PASS,    /* as the machine has it */
	CPUID_SET,     /* 1 on any machine: the hypervisor provides it */
	CPUID_MASK,    /* 0: the row is there to say why */
	CPUID_DYNAMIC, /* computed at each CPUID */
};

enum cpuid_reg {
	CPUID_EAX,
	CPUID_EBX,
	CPUID_ECX,
	CPUID_EDX
};

/* One feature bit. */
struct cpuid_bit {
	u32 leaf;
	u8 subleaf, reg, bit;
	enum cpuid_policy policy;
	const char *name, *why;
};

/* Leaves that hold numbers, or nothing: what stands there, in words. */
struct cpuid_leaf {
	u32 first, last;
	const char *name, *why;
};

/* The tables (cpuid_bits.c), in the order of the manual. */
extern const struct cpuid_bit cpuid_bits[];
extern const size_t cpuid_bits_count;
extern const struct cpuid_leaf cpuid_leaves[];
extern const size_t cpuid_leaves_count;

/* Features that the machine may have, and a guest not. */
#define CPUID_LACKS_PCID    BIT(0)
#define CPUID_LACKS_INVPCID BIT(1)
#define CPUID_LACKS_PKU	    BIT(2)
#define CPUID_LACKS_RDTSCP  BIT(3)
#define CPUID_LACKS_XSAVES  BIT(4)
#define CPUID_LACKS_XSAVEC  BIT(5)

struct cpuid_config {
	unsigned vcpus, index; /* index = APIC ID of the vcpu this is for */
	u64 tsc_hz;
	bool kvmclock, counters;
	bool steal;	/* with kvmclock: steal time */
	unsigned lacks; /* CPUID_LACKS_*: what the provider cannot give to this VM */
	/* The machine's CPUID; injected so that the table can be tested on the host. */
	void (*host)(u32 leaf, u32 subleaf, struct cpuid_regs *out);
};

#define CPUID_BASIC_LAST 0x16u

/* With counters=yes; the subleaf is an enum exit_kind, and all is 0 from EXIT_KINDS on. */
#define CPUID_COUNTERS	    0x40000020u /* EBX:EAX exits, EDX:ECX ticks in the hypervisor */
#define CPUID_COUNTER_NAMES 0x40000021u /* EAX, EBX, ECX, EDX: up to 15 characters */

/* Basic leaves whose answer depends on more than EAX: feature bits that follow CR4, caches,
 * structured features, topology, extended state. */
#define CPUID_VARIABLE (BIT(0x01) | BIT(0x04) | BIT(0x07) | BIT(0x0b) | BIT(0x0d))

/* What the quick look-up needs stands at the head of struct cpuid_table. */
struct cpuid_head {
	struct cpuid_regs basic[CPUID_BASIC_LAST + 1];
};

struct cpuid_table; /* cpuid.c; its size is sizeof_cpuid_table */

/* True for a basic leaf whose answer depends on nothing but EAX. */
static inline bool cpuid_is_constant(u32 leaf)
{
	return leaf <= CPUID_BASIC_LAST && !((CPUID_VARIABLE >> leaf) & 1);
}

/* The answer for such a leaf. */
static inline const struct cpuid_regs *cpuid_constant(const struct cpuid_table *t, u32 leaf)
{
	const struct cpuid_head *head = (const void *)t;

	return &head->basic[leaf];
}

extern const size_t sizeof_cpuid_table;

/* Fills *t in. */
void cpuid_resolve(struct cpuid_table *t, const struct cpuid_config *cfg);

/*
 * The answer for one leaf. Dynamic bits are computed from what the caller passes: OSXSAVE from cr4,
 * the XSAVE area size (leaf 0xD) from xcr0, APIC (leaf 1) from apic_enabled. An out-of-range leaf
 * answers as the highest basic leaf, as a processor does.
 */
void cpuid_lookup(const struct cpuid_table *t, u32 leaf, u32 subleaf, u64 cr4, u64 xcr0,
	bool apic_enabled, struct cpuid_regs *out);

/* True if the virtual CPU has the feature: bit `bit` of register `reg` (0 EAX .. 3 EDX) of a leaf.
 */
bool cpuid_has(const struct cpuid_table *t, u32 leaf, u32 subleaf, unsigned reg, unsigned bit);
/* CR4 bits that this virtual CPU lets a guest set, and XCR0 bits; physical-address width. */
u64 cpuid_cr4_allowed(const struct cpuid_table *t);
u64 cpuid_xcr0_allowed(const struct cpuid_table *t);
unsigned cpuid_maxphyaddr(const struct cpuid_table *t);
bool cpuid_page1gb(const struct cpuid_table *t); /* pages of 1 GB */

#endif
