/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time of a VM that is debugged: it stands still while the VM does, or a kernel that was
 * stopped for a while would find its processors stalled. Its devices' timers are in a queue of
 * their own, whose head is relayed to the queue of the CPU; the guest's TSC is set back when it
 * goes on.
 *
 *   VM's time = TSC - lost        CPU's queue: relay --> VM's queue: timers of its devices
 */
#include "hv/cpu/cpu.h"
#include "hv/vm/debug_priv.h"

static_assert(offsetof(struct debug_clock, q) == 0, "the queue is where its clock is");

static u64 now(const struct timerq *q)
{
	const struct debug_clock *c = (const struct debug_clock *)q;

	return (c->frozen ? c->frozen_at : rdtsc()) - c->lost;
}

static void relay_head(struct timerq *q)
{
	struct debug_clock *c = (struct debug_clock *)q;

	if (c->frozen || q->next == TIMER_NEVER)
		timer_cancel(c->cpu, &c->relay);
	else
		timer_arm(c->cpu, &c->relay, q->next + c->lost);
}

static void relay(struct timer *t)
{
	timerq_run(&container_of(t, struct debug_clock, relay)->q);
}

void debug_clock_init(struct debug_clock *c, struct timerq *cpu)
{
	c->cpu = cpu;
	c->lost = 0;
	c->frozen = false;
	timerq_init(&c->q, cpu->hz, now);
	c->q.changed = relay_head;
	timer_init(&c->relay, relay);
}

void debug_clock_freeze(struct debug_clock *c)
{
	if (c->frozen)
		return;
	c->frozen = true;
	c->frozen_at = rdtsc();
	relay_head(&c->q);
}

u64 debug_clock_thaw(struct debug_clock *c)
{
	u64 ticks;

	if (!c->frozen)
		return 0;
	ticks = rdtsc() - c->frozen_at;
	c->frozen = false;
	c->lost += ticks;
	relay_head(&c->q);
	return ticks;
}
