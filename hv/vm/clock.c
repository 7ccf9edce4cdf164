/* SPDX-License-Identifier: BSD-2-Clause */
/* Time that stands still now and then. */
#include "hv/vm/clock.h"
#include "hv/vm/vm.h"

static_assert(offsetof(struct vm_clock, q) == 0, "the queue is where its clock is");

/* Another CPU may stop it as of a moment that lies before the last time told; it never goes back,
 * and so telling the time changes the clock. */
static u64 now(const struct timerq *q)
{
	struct vm_clock *c = (struct vm_clock *)(u64)q;
	u64 since = __atomic_load_n(&c->since, __ATOMIC_RELAXED), tsc = timerq_now(c->cpu);

	c->told = MAX(c->told, MIN(tsc, since));
	return c->told - c->lost;
}

/* While it stands still a relay that comes too early does no harm: nothing is due. */
static void relay_head(struct timerq *q)
{
	struct vm_clock *c = container_of(q, struct vm_clock, q);

	if (q->next == TIMER_NEVER)
		timer_cancel(c->cpu, &c->relay);
	else
		timer_arm(c->cpu, &c->relay, q->next + c->lost);
}

static void relay(struct timer *t)
{
	timerq_run(&container_of(t, struct vm_clock, relay)->q);
}

void vm_clock_init(struct vm_clock *c, struct timerq *cpu)
{
	c->cpu = cpu;
	c->lost = 0;
	c->since = CLOCK_GOES;
	c->told = 0;
	timerq_init(&c->q, cpu->hz, now);
	c->q.changed = relay_head;
	timer_init(&c->relay, relay);
}

void vm_clock_destroy(struct vm_clock *c)
{
	timer_cancel(c->cpu, &c->relay);
}

void vm_clock_stop(struct vm_clock *c, u64 tsc)
{
	if (c->since == CLOCK_GOES)
		__atomic_store_n(&c->since, tsc, __ATOMIC_RELAXED);
}

void vm_clock_go(struct vm_clock *c, u64 tsc)
{
	u64 from = MAX(c->since, c->told);

	if (c->since == CLOCK_GOES)
		return;
	c->lost += tsc - MIN(from, tsc);
	c->since = CLOCK_GOES;
	relay_head(&c->q);
}

void vm_clock_show(struct vcpu *v)
{
	u64 by = v->vm->clock->lost - v->tsc_lag;

	if (!by)
		return;
	v->tsc_lag += by;
	v->ops->set(v, VREG_TSC_OFFSET, v->ops->get(v, VREG_TSC_OFFSET) - by);
}
