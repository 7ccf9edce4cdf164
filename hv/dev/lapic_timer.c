/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's timer: a count that runs down in one-shot and periodic mode, or a deadline of
 * the TSC. Source: Intel SDM, section "APIC Timer".
 *
 *        origin       1st expiry    2nd          target = next expiry
 *   TSC ---|-------------|-----------|-----~-----|----->
 *          |<-- tmict -->|<- tmict ->|           counts: TSC * LAPIC_TIMER_HZ / hz / divider
 *
 * Periods are laid out from the origin in counts, so that their rounding to ticks does not add up.
 */
#include "hv/dev/lapic_regs.h"

static u32 divider(const struct lapic *l)
{
	u32 n = (l->tdcr & 3) | ((l->tdcr & 8) >> 1);

	return n == 7 ? 1 : 2u << n;
}

static u64 counts_to_ticks(const struct lapic *l, u64 counts)
{
	return muldiv64(counts * divider(l), l->tq->hz, LAPIC_TIMER_HZ);
}

static u64 ticks_to_counts(const struct lapic *l, u64 ticks)
{
	return muldiv64(ticks, LAPIC_TIMER_HZ, l->tq->hz) / divider(l);
}

static u64 counts_passed(const struct lapic *l)
{
	return ticks_to_counts(l, timerq_now(l->tq) - l->origin);
}

static u32 mode(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

void lapic_timer_stop(struct lapic *l)
{
	timer_cancel(l->tq, &l->timer);
	l->counting = false;
	l->tsc_deadline = 0;
}

/* "Local APIC Timer Modes": one-shot and periodic share the count; the others do not have one. */
void lapic_timer_mode_changed(struct lapic *l, u32 old_lvt)
{
	if (!((old_lvt | l->lvt[LVT_TIMER]) & TIMER_DEADLINE))
		return;
	lapic_timer_stop(l);
	l->tmict = 0;
}

/* ---- the count ---- */

void lapic_write_tmict(struct lapic *l, u32 value)
{
	if (mode(l) & TIMER_DEADLINE)
		return;
	lapic_timer_stop(l);
	l->tmict = value;
	if (!value)
		return;
	l->counting = true;
	l->origin = timerq_now(l->tq);
	l->target = value;
	timer_arm(l->tq, &l->timer, l->origin + counts_to_ticks(l, l->target));
}

/* What is left until the next expiry, also when that is due and has not been served yet. */
u32 lapic_read_tmcct(const struct lapic *l)
{
	u64 passed;

	if (!l->counting)
		return 0;
	passed = counts_passed(l);
	if (passed < l->target)
		return (u32)(l->target - passed);
	if (mode(l) == TIMER_PERIODIC)
		return l->tmict - (u32)((passed - l->target) % l->tmict);
	return 0;
}

/* A change of the divider goes on from the count that has been reached. */
void lapic_write_tdcr(struct lapic *l, u32 value)
{
	u32 left = lapic_read_tmcct(l);

	l->tdcr = value & TDCR_VALID;
	if (!l->counting)
		return;
	l->origin = timerq_now(l->tq);
	l->target = left;
	timer_arm(l->tq, &l->timer, l->origin + counts_to_ticks(l, l->target));
}

/* The next expiry of a periodic timer: a whole number of periods after the last, in the future. */
static void next_period(struct lapic *l)
{
	u64 now = timerq_now(l->tq), passed = ticks_to_counts(l, now - l->origin);
	u64 least = now + l->tq->hz * LAPIC_MIN_PERIOD_US / 1000000, deadline;

	l->target += l->tmict;
	if (l->target <= passed)
		l->target += (passed - l->target) / l->tmict * l->tmict + l->tmict;
	deadline = l->origin + counts_to_ticks(l, l->target);
	if (deadline < least) {
		deadline = least;
		log_guest(&l->rl, LOG_WARN,
			"APIC timer: a period of %u counts is shorter than %lu us and is stretched",
			l->tmict, LAPIC_MIN_PERIOD_US);
	}
	timer_arm(l->tq, &l->timer, deadline);
}

static void expired(struct timer *t)
{
	struct lapic *l = container_of(t, struct lapic, timer);

	if (mode(l) == TIMER_PERIODIC) {
		next_period(l);
	} else {
		l->counting = false;
		l->tsc_deadline = 0;
	}
	lapic_lvt_fire(l, LVT_TIMER);
}

void lapic_timer_init(struct lapic *l)
{
	timer_init(&l->timer, expired);
}

/* ---- the deadline ---- */

/* The guest's TSC may be ahead of the host's or behind it, and a deadline as far off as ~0. */
static void arm_deadline(struct lapic *l)
{
	u64 now = timerq_now(l->tq), guest_now = now + l->tsc_offset;
	u64 ahead = l->tsc_deadline > guest_now ? l->tsc_deadline - guest_now : 0;

	timer_arm(l->tq, &l->timer, now + MIN(ahead, TIMER_NEVER - now));
}

void lapic_write_deadline(struct lapic *l, u64 value)
{
	if (mode(l) != TIMER_DEADLINE)
		return;
	l->tsc_deadline = value;
	if (value)
		arm_deadline(l);
	else
		timer_cancel(l->tq, &l->timer);
}

void lapic_set_tsc_offset(struct lapic *l, u64 offset)
{
	l->tsc_offset = offset;
	if (l->tsc_deadline)
		arm_deadline(l);
}
