/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose turn it is on a physical CPU: weighted fair shares, and caps.
 *
 * Each vcpu has a virtual time: the ticks that it ran, divided by its weight. The one that is
 * furthest behind runs next, for a slice at most. One that slept comes back no further behind than
 * half a slice, so that sleeping earns nothing but a quick wake-up. A vcpu with a cap runs only
 * while it has used less than its part of the period; what it overran is taken off the next ones.
 *
 * Pure: no clock, no locks, no idea of what a vcpu is. Times are ticks of the TSC.
 */
#ifndef HV_VM_RUNQ_H
#define HV_VM_RUNQ_H

#include "hv/lib/list.h"
#include "hv/lib/util.h"

#define SHARE_WEIGHT	 100u /* unless the VM file says otherwise */
#define SHARE_WEIGHT_MAX 10000u
#define SHARE_CAP_MAX	 100u /* percent of a CPU */

/* A vcpu's part of a CPU. */
struct share {
	struct list_node node; /* in the queue; linked to itself while it is not */
	unsigned weight;       /* 1..SHARE_WEIGHT_MAX */
	unsigned cap;	       /* percent of a CPU; 0: no limit */
	bool woken;	       /* it slept: how far behind it may be is settled at the next pick */
	u64 vtime;
	u64 period, used; /* when the current period began, and the ticks used in it */
};

/* Those that could run and do not. */
struct runq {
	struct list_node head;
	unsigned count;
	u64 vtime; /* never goes back: nobody who is awake is further behind */
	u64 slice, period;
	const struct share *last; /* at the next pick; NULL: nobody */
};

void runq_init(struct runq *q, u64 slice, u64 period);
void share_init(struct share *s, unsigned weight, unsigned cap);

/* woken: it has slept, or is new. */
void runq_add(struct runq *q, struct share *s, bool woken);

/* Takes out one that is in the queue. */
void runq_remove(struct runq *q, struct share *s);

/* runq_trade(): the turn of `from`, if it is before that of `to`, for that one's; of equal weight.
 * runq_pass_over(): at the next pick, all others that may run come before s. */
void runq_trade(struct share *from, struct share *to);
void runq_pass_over(struct runq *q, const struct share *s);

/*
 * runq_pick(): takes the one whose turn it is out of the queue. *until is when its slice ends:
 * never, if it has no cap and nobody else waits. NULL if nobody may run now; *until is then when
 * somebody may.
 */
struct share *runq_pick(struct runq *q, u64 now, u64 *until);

/* Puts ticks that s has run to its account. */
void runq_charge(struct runq *q, struct share *s, u64 ticks);

#endif
