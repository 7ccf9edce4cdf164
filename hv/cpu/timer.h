/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One queue of deadlines per physical CPU. Every timer of every guest on that CPU hangs on it; its
 * head decides when the next VM entry must end (VMX preemption timer, or the LAPIC timer where
 * there is none) or the next HLT (LAPIC timer). Time is the TSC, always. Device models see time
 * only through the queue they are given, so that a unit test can turn the clock by hand.
 */
#ifndef HV_CPU_TIMER_H
#define HV_CPU_TIMER_H

#include "hv/lib/list.h"
#include "hv/lib/util.h"

#define TIMER_NEVER (~0ul)

struct timerq {
	struct list_node head;		    /* timers in order of deadline */
	u64 hz;				    /* TSC frequency */
	u64 (*now)(const struct timerq *q); /* current TSC */
	u64 next; /* deadline of the head, or TIMER_NEVER: read on every VM entry */
	void (*changed)(struct timerq *q); /* next has changed; NULL: nobody wants to know */
};

struct timer {
	struct list_node node;
	u64 deadline;			 /* TSC; valid while armed */
	void (*expire)(struct timer *t); /* called with the timer already disarmed; may re-arm it */
};

void timerq_init(struct timerq *q, u64 hz, u64 (*now)(const struct timerq *q));
void timer_init(struct timer *t, void (*expire)(struct timer *t));

/* Arms (or moves) a timer; a deadline in the past expires at the next timerq_run(). */
void timer_arm(struct timerq *q, struct timer *t, u64 deadline);
void timer_cancel(struct timerq *q, struct timer *t); /* harmless when not armed */
bool timer_armed(const struct timer *t);

/* Expires all timers whose deadline is <= now, in order. */
void timerq_run(struct timerq *q);

static inline u64 timerq_now(const struct timerq *q)
{
	return q->now(q);
}

#endif
