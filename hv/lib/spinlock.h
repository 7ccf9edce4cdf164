/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ticket lock: CPUs get it in the order in which they asked. It does not mask interrupts; a lock
 * that an interrupt handler takes as well must be taken with interrupts off.
 */
#ifndef HV_LIB_SPINLOCK_H
#define HV_LIB_SPINLOCK_H

#include "hv/lib/util.h"

struct spinlock {
	u32 next;    /* the ticket that the next CPU draws */
	u32 serving; /* the ticket that holds the lock */
};

#define SPINLOCK_INIT                                                                              \
	{                                                                                          \
		0, 0                                                                               \
	}

static inline void spin_lock(struct spinlock *l)
{
	u32 ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
		__builtin_ia32_pause();
}

static inline void spin_unlock(struct spinlock *l)
{
	/* Only the holder writes serving, so that a plain read of it is exact. */
	__atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return __atomic_load_n(&l->next, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&l->serving, __ATOMIC_RELAXED);
}

#endif
