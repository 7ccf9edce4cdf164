/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines in a sorted list: a CPU has a few dozen timers at most, and most are armed near the
 * tail. */
#include "hv/cpu/timer.h"

static void update_next(struct timerq *q)
{
	u64 old = q->next;

	q->next = list_empty(&q->head) ? TIMER_NEVER
				       : list_entry(q->head.next, struct timer, node)->deadline;
	if (q->changed && q->next != old)
		q->changed(q);
}

void timerq_init(struct timerq *q, u64 hz, u64 (*now)(const struct timerq *q))
{
	list_init(&q->head);
	q->hz = hz;
	q->now = now;
	q->next = TIMER_NEVER;
	q->changed = NULL;
}

void timer_init(struct timer *t, void (*expire)(struct timer *t))
{
	list_init(&t->node);
	t->deadline = TIMER_NEVER;
	t->expire = expire;
}

void timer_arm(struct timerq *q, struct timer *t, u64 deadline)
{
	struct list_node *pos;

	list_del(&t->node);
	t->deadline = deadline;
	/* Behind all with the same deadline: equals expire in the order in which they were armed.
	 */
	for (pos = q->head.prev; pos != &q->head; pos = pos->prev) {
		if (list_entry(pos, struct timer, node)->deadline <= deadline)
			break;
	}
	list_add_before(pos->next, &t->node);
	update_next(q);
}

void timer_cancel(struct timerq *q, struct timer *t)
{
	list_del(&t->node);
	update_next(q);
}

bool timer_armed(const struct timer *t)
{
	return t->node.next != &t->node;
}

/*
 * The expired timers are first moved to a list of their own, so that a callback that arms a timer
 * in the past gets it at the next run, and the loop ends whatever callbacks do. They stay armed
 * until their turn: a callback may cancel or move another one.
 */
void timerq_run(struct timerq *q)
{
	u64 now = timerq_now(q);
	struct list_node due;
	struct timer *t;

	list_init(&due);
	while (!list_empty(&q->head)) {
		t = list_entry(q->head.next, struct timer, node);
		if (t->deadline > now)
			break;
		list_del(&t->node);
		list_add_tail(&due, &t->node);
	}
	while (!list_empty(&due)) {
		t = list_entry(due.next, struct timer, node);
		list_del(&t->node);
		t->expire(t);
	}
	update_next(q);
}
