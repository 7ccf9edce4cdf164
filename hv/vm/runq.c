/* SPDX-License-Identifier: BSD-2-Clause */
/* A list without order: a CPU has a few dozen vcpus at most, and picks one a few hundred times a
 * second. */
#include "hv/vm/runq.h"
#include "hv/cpu/timer.h"

#define PERCENT 100u

void runq_init(struct runq *q, u64 slice, u64 period)
{
	list_init(&q->head);
	q->count = 0;
	q->vtime = 0;
	q->last = NULL;
	q->slice = slice;
	q->period = period;
}

void share_init(struct share *s, unsigned weight, unsigned cap)
{
	list_init(&s->node);
	s->weight = weight;
	s->cap = cap;
	s->woken = false;
	s->vtime = 0;
	s->period = 0;
	s->used = 0;
}

void runq_add(struct runq *q, struct share *s, bool woken)
{
	s->woken = woken;
	list_add_tail(&q->head, &s->node);
	q->count++;
}

void runq_remove(struct runq *q, struct share *s)
{
	list_del(&s->node);
	q->count--;
}

static u64 budget(const struct runq *q, const struct share *s)
{
	return q->period * s->cap / PERCENT;
}

/* Takes off what the periods that have passed allowed. */
static void refill(const struct runq *q, struct share *s, u64 now)
{
	u64 periods = now > s->period ? (now - s->period) / q->period : 0;
	u64 allowed = periods * budget(q, s);

	s->period += periods * q->period;
	s->used = s->used > allowed ? s->used - allowed : 0;
}

static bool may_run(const struct runq *q, const struct share *s)
{
	return !s->cap || s->used < budget(q, s);
}

static void settle(const struct runq *q, struct share *s)
{
	u64 credit = q->slice / 2;
	u64 least = q->vtime > credit ? q->vtime - credit : 0;

	s->vtime = MAX(s->vtime, least);
	s->woken = false;
}

void runq_trade(struct share *from, struct share *to)
{
	u64 vtime = from->vtime;

	if (vtime >= to->vtime)
		return;
	from->vtime = to->vtime;
	to->vtime = vtime;
}

void runq_pass_over(struct runq *q, const struct share *s)
{
	q->last = s;
}

static bool goes_before(const struct runq *q, const struct share *a, const struct share *b)
{
	return b == q->last || (a != q->last && a->vtime < b->vtime);
}

struct share *runq_pick(struct runq *q, u64 now, u64 *until)
{
	struct share *s, *best = NULL;
	u64 next = TIMER_NEVER;

	list_for_each_entry (s, &q->head, node) {
		if (s->woken)
			settle(q, s);
		if (s->cap)
			refill(q, s, now);
		if (!may_run(q, s)) {
			next = MIN(next, s->period + q->period);
			s->woken = true;
		} else if (!best || goes_before(q, s, best)) {
			best = s;
		}
	}
	*until = next;
	q->last = NULL;
	if (!best)
		return NULL;
	runq_remove(q, best);
	q->vtime = MAX(q->vtime, best->vtime);
	*until = q->count ? now + q->slice : TIMER_NEVER;
	if (best->cap) {
		u64 left = budget(q, best) - best->used;

		left = MIN(left, q->slice);
		*until = MIN(*until, now + left);
	}
	return best;
}

void runq_charge(struct runq *q, struct share *s, u64 ticks)
{
	const struct share *other;
	u64 least;

	s->used += ticks;
	s->vtime += ticks * SHARE_WEIGHT / s->weight;
	least = s->vtime;
	list_for_each_entry (other, &q->head, node) {
		if (!other->woken)
			least = MIN(least, other->vtime);
	}
	q->vtime = MAX(q->vtime, least);
}
