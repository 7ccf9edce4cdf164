/* SPDX-License-Identifier: BSD-2-Clause */
/* A list in which the order is that of arrival, and matters within a share alone: a CPU has a few
 * dozen vcpus at most, and picks one a few hundred times a second. */
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

void share_init(struct share *s, unsigned weight, unsigned cap, unsigned all)
{
	*s = (struct share){ .weight = weight, .cap = cap, .all = all };
}

void runner_init(struct runner *r, struct share *s)
{
	list_init(&r->node);
	r->share = s;
	r->woken = false;
	s->here++;
}

void runq_add(struct runq *q, struct runner *r, bool woken)
{
	r->woken = woken;
	list_add_tail(&q->head, &r->node);
	q->count++;
}

void runq_remove(struct runq *q, struct runner *r)
{
	list_del(&r->node);
	q->count--;
}

static u64 budget(const struct runq *q, const struct share *s)
{
	return q->period * s->cap * s->here / (PERCENT * s->all);
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

/* Who has others of its share awake is not behind in any case. */
static void settle(const struct runq *q, struct runner *r)
{
	u64 credit = q->slice / 2;
	u64 least = q->vtime > credit ? q->vtime - credit : 0;

	r->share->vtime = MAX(r->share->vtime, least);
	r->woken = false;
}

void runq_put_first(struct runq *q, struct runner *r)
{
	list_del(&r->node);
	list_add_before(q->head.next, &r->node);
}

void runq_pass_over(struct runq *q, const struct runner *r)
{
	q->last = r;
}

static bool goes_before(const struct runq *q, const struct runner *a, const struct runner *b)
{
	return b == q->last || (a != q->last && a->share->vtime < b->share->vtime);
}

struct runner *runq_pick(struct runq *q, u64 now, u64 *until)
{
	struct runner *r, *best = NULL;
	u64 next = TIMER_NEVER;

	list_for_each_entry (r, &q->head, node) {
		struct share *s = r->share;

		if (r->woken)
			settle(q, r);
		if (s->cap)
			refill(q, s, now);
		if (!may_run(q, s)) {
			next = MIN(next, s->period + q->period);
			r->woken = true;
		} else if (!best || goes_before(q, r, best)) {
			best = r;
		}
	}
	*until = next;
	q->last = NULL;
	if (!best)
		return NULL;
	runq_remove(q, best);
	q->vtime = MAX(q->vtime, best->share->vtime);
	*until = q->count ? now + q->slice : TIMER_NEVER;
	if (best->share->cap) {
		u64 left = budget(q, best->share) - best->share->used;

		left = MIN(left, q->slice);
		*until = MIN(*until, now + left);
	}
	return best;
}

void runq_charge(struct runq *q, struct runner *r, u64 ticks)
{
	struct share *s = r->share;
	const struct runner *other;
	u64 least;

	s->used += ticks;
	s->vtime += ticks * SHARE_WEIGHT * s->all / (s->weight * s->here);
	least = s->vtime;
	list_for_each_entry (other, &q->head, node) {
		if (!other->woken)
			least = MIN(least, other->share->vtime);
	}
	q->vtime = MAX(q->vtime, least);
}

void runq_forgive(struct runq *q, struct runner *r, u64 debt)
{
	r->share->vtime = MIN(r->share->vtime, q->vtime + debt);
}
