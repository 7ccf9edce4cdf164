/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose turn it is on a physical CPU: weighted fair shares, and caps.
 *
 * A VM has a share in each CPU that it has vcpus on, with a virtual time: the ticks that they ran,
 * divided by the share's weight. The one that is furthest behind runs next, for a slice at most; of
 * several vcpus with the same share, the one that waits for longest. A share of which all have
 * slept comes back no further behind than half a slice, so that sleeping earns nothing but a quick
 * wake-up. With a cap, they run only while they have used less than their part of the period; what
 * they overran is taken off the next ones.
 *
 * Pure: no clock, no locks, no idea of what a VM is. Times are ticks of the TSC.
 */
#ifndef HV_VM_RUNQ_H
#define HV_VM_RUNQ_H

#include "hv/lib/list.h"
#include "hv/lib/util.h"

#define SHARE_WEIGHT	 100u /* unless the VM file says otherwise */
#define SHARE_WEIGHT_MAX 10000u
#define SHARE_CAP_MAX	 1600u /* percent of a CPU: of PLATFORM_MAX_VCPUS of them */

/* A VM's part of a CPU: of its weight and its cap, as much as it has of its vcpus here. */
struct share {
	unsigned weight;    /* of the VM, 1..SHARE_WEIGHT_MAX */
	unsigned cap;	    /* of the VM, percent of a CPU; 0: no limit */
	unsigned here, all; /* of its vcpus: with this share, and altogether */
	u64 vtime;
	u64 period, used; /* when the current period began, and the ticks used in it */
};

/* A vcpu. */
struct runner {
	struct list_node node; /* in the queue; linked to itself while it is not */
	struct share *share;
	bool woken; /* it slept: how far behind it may be is settled at the next pick */
};

/* Those that could run and do not. */
struct runq {
	struct list_node head;
	unsigned count;
	u64 vtime; /* never goes back: nobody who is awake is further behind */
	u64 slice, period;
	const struct runner *last; /* at the next pick; NULL: nobody */
};

void runq_init(struct runq *q, u64 slice, u64 period);
void share_init(struct share *s, unsigned weight, unsigned cap, unsigned all);
void runner_init(struct runner *r, struct share *s); /* one more with that share */

/* woken: it has slept, or is new. */
void runq_add(struct runq *q, struct runner *r, bool woken);

/* Takes out one that is in the queue. */
void runq_remove(struct runq *q, struct runner *r);

/* runq_put_first(): r, which is in the queue, comes before all others of its share.
 * runq_pass_over(): at the next pick, all others that may run come before r. */
void runq_put_first(struct runq *q, struct runner *r);
void runq_pass_over(struct runq *q, const struct runner *r);

/*
 * runq_pick(): takes the one whose turn it is out of the queue. *until is when its slice ends:
 * never, if it has no cap and nobody else waits. NULL if nobody may run now; *until is then when
 * somebody may.
 */
struct runner *runq_pick(struct runq *q, u64 now, u64 *until);

/* Puts ticks that r has run, or that the CPU was busy for it, to the account of its share. */
void runq_charge(struct runq *q, struct runner *r, u64 ticks);

/* The share of r, which was charged, is at most so many ticks ahead of who is furthest behind: for
 * what cannot be interrupted, and would keep it waiting for long. */
void runq_forgive(struct runq *q, struct runner *r, u64 debt);

#endif
