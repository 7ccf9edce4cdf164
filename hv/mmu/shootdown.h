/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How mappings of a VM are taken away while its vcpus run on several CPUs. The processors keep what
 * they read from the tables; a frame may be used for something else only when none of them can
 * reach it any more. Between a CPU that takes away, which holds the VM's lock, and one that enters
 * the guest:
 *
 *   taking away                          entering
 *   1  the tables change                 a  inside = true
 *   2  generation goes up                b  another generation than at its last flush? flush
 *   3  flush here                        c  the guest runs
 *   4  whoever is inside: an IPI,        d  an exit: inside = false
 *      and wait until it is not
 *
 * 2 and a are stores, 4 and b loads of what the other one stores; each store is complete before the
 * load (sequentially consistent), so that at least one of the two sees the other: either b finds
 * the new generation, and what is walked after its flush are the new tables; or 4 finds it inside,
 * and waits until the exit, after which b is due again. A vcpu of the CPU that takes away is
 * outside all the while, and its b is due as well.
 *
 * A VM on one CPU has no a, b and d, and nobody to wait for: 3 is what its next entry relies on.
 *
 * tests/unit/test_shootdown.c runs these functions in every interleaving of two who take away and
 * one who enters, on a model of the processors' store buffers and TLBs.
 */
#ifndef HV_MMU_SHOOTDOWN_H
#define HV_MMU_SHOOTDOWN_H

#include "hv/lib/util.h"

/* The accesses of the protocol; a test has its own. */
#ifndef SHOOTDOWN_STORE
#define SHOOTDOWN_STORE(at, value) __atomic_store_n(at, value, __ATOMIC_SEQ_CST)
#define SHOOTDOWN_LOAD(at)	   __atomic_load_n(at, __ATOMIC_SEQ_CST)
#endif

/* A vcpu's side. */
struct shootdown {
	u64 flushed; /* generation at the last flush on its CPU */
	bool inside; /* the guest runs, or is about to */
};

/* a, b. True: flush before the entry. */
static inline bool shootdown_enter(struct shootdown *s, const u64 *generation)
{
	u64 now;

	SHOOTDOWN_STORE(&s->inside, true);
	now = SHOOTDOWN_LOAD(generation);
	if (now == s->flushed)
		return false;
	s->flushed = now;
	return true;
}

/* d */
static inline void shootdown_leave(struct shootdown *s)
{
	SHOOTDOWN_STORE(&s->inside, false);
}

/* 2. With the VM's lock held, or before it runs. */
static inline void shootdown_announce(u64 *generation)
{
	SHOOTDOWN_STORE(generation, *generation + 1);
}

/* 4 */
static inline bool shootdown_is_inside(const struct shootdown *s)
{
	return SHOOTDOWN_LOAD(&s->inside);
}

#endif
