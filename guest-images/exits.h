/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's account of a guest's exits, by kind, as the guest itself can read it: CPUID
 * leaves 0x40000020 and 0x40000021, in a VM with counters=yes. For programs under Linux and for
 * guests without it. The CPUIDs of the look at the account are left out of it.
 */
#ifndef GUEST_IMAGES_EXITS_H
#define GUEST_IMAGES_EXITS_H

#define EXITS_LEAF_FEATURES 1u
#define EXITS_HYPERVISOR    (1u << 31) /* of ECX */
#define EXITS_LEAF_FIRST    0x40000000u
#define EXITS_LEAF_COUNTERS 0x40000020u
#define EXITS_LEAF_NAMES    0x40000021u
#define EXITS_KINDS_MAX	    64

struct exits {
	unsigned kinds; /* 0: there is no account */
	char name[EXITS_KINDS_MAX][17];
	unsigned long long start[EXITS_KINDS_MAX], sum[EXITS_KINDS_MAX];
};

static inline void exits_cpuid(unsigned leaf, unsigned subleaf, unsigned out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

/* Is there an account, and of what? The sums are 0. */
static inline void exits_open(struct exits *e)
{
	unsigned r[4];

	__builtin_memset(e, 0, sizeof(*e));
	exits_cpuid(EXITS_LEAF_FEATURES, 0, r);
	if (!(r[2] & EXITS_HYPERVISOR))
		return;
	exits_cpuid(EXITS_LEAF_FIRST, 0, r);
	if (__builtin_memcmp(&r[1], "TriptychTrip", 12) || r[0] < EXITS_LEAF_NAMES)
		return;
	for (; e->kinds < EXITS_KINDS_MAX; e->kinds++) {
		exits_cpuid(EXITS_LEAF_NAMES, e->kinds, r);
		if (!r[0])
			return;
		__builtin_memcpy(e->name[e->kinds], r, sizeof(r));
	}
}

static inline unsigned long long exits_count(unsigned kind)
{
	unsigned r[4];

	exits_cpuid(EXITS_LEAF_COUNTERS, kind, r);
	return (unsigned long long)r[1] << 32 | r[0];
}

static inline void exits_start(struct exits *e)
{
	for (unsigned k = 0; k < e->kinds; k++)
		e->start[k] = exits_count(k);
}

/* Adds what came since exits_start() to the sums. Between the two looks at any kind lie as many
 * CPUIDs as there are kinds. */
static inline void exits_stop(struct exits *e)
{
	for (unsigned k = 0; k < e->kinds; k++) {
		e->sum[k] += exits_count(k) - e->start[k];
		if (!__builtin_strcmp(e->name[k], "cpuid"))
			e->sum[k] -= e->kinds;
	}
}

#endif
