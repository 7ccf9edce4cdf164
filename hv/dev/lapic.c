/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts on their way through a local APIC to its vcpu: the requests (IRR), what is in service
 * (ISR), the priorities between them, and the sources that are the APIC's own (LVT, errors).
 */
#include "hv/dev/lapic_regs.h"
#include "hv/dev/layout.h"
#include "hv/lib/string.h"

/* Bits that a guest can write, by LVT entry. */
static const u32 lvt_valid[LVT_COUNT] = {
	[LVT_TIMER] = MSG_VECTOR | LVT_MASKED | LVT_TIMER_MODE,
	[LVT_THERMAL] = MSG_VECTOR | MSG_MODE | LVT_MASKED,
	[LVT_PERF] = MSG_VECTOR | MSG_MODE | LVT_MASKED,
	[LVT_LINT0] = MSG_VECTOR | MSG_MODE | LVT_POLARITY | LVT_LEVEL | LVT_MASKED,
	[LVT_LINT1] = MSG_VECTOR | MSG_MODE | LVT_POLARITY | LVT_LEVEL | LVT_MASKED,
	[LVT_ERROR] = MSG_VECTOR | LVT_MASKED,
};

/* ---- requests and priorities ---- */

static void bit_set(u64 *map, unsigned n)
{
	map[n / 64] |= 1ul << (n % 64);
}

static void bit_clear(u64 *map, unsigned n)
{
	map[n / 64] &= ~(1ul << (n % 64));
}

static bool bit_test(const u64 *map, unsigned n)
{
	return (map[n / 64] >> (n % 64)) & 1;
}

static int highest(const u64 *map)
{
	for (int w = APIC_WORDS - 1; w >= 0; w--)
		if (map[w])
			return w * 64 + 63 - __builtin_clzl(map[w]);
	return -1;
}

/* SDM "Task and Processor Priorities" */
static inline u32 ppr(const struct lapic *l)
{
	u32 isrv = l->isr_max < 0 ? 0 : (u32)l->isr_max & VECTOR_CLASS;

	return (l->tpr & VECTOR_CLASS) >= isrv ? l->tpr : isrv;
}

u32 lapic_ppr(const struct lapic *l)
{
	return ppr(l);
}

/* Every change of IRR, ISR or TPR ends here: one place decides whether the vcpu has to look. */
static void update(struct lapic *l)
{
	int was = l->pending;

	l->pending = -1;
	if (l->irr_max >= 0 && lapic_enabled(l) &&
		((u32)l->irr_max & VECTOR_CLASS) > (ppr(l) & VECTOR_CLASS))
		l->pending = l->irr_max;
	if (l->pending >= 0 && l->pending != was)
		l->host->kick(l->ctx, l->index);
}

static bool accept(struct lapic *l, u8 vector, bool level)
{
	if (vector < VECTOR_FIRST) {
		lapic_error(l, ESR_RECEIVE_VECTOR);
		return false;
	}
	if (level)
		bit_set(l->tmr, vector);
	else
		bit_clear(l->tmr, vector);
	bit_set(l->irr, vector);
	if (vector > l->irr_max)
		l->irr_max = vector;
	update(l);
	return true;
}

bool lapic_enabled(const struct lapic *l)
{
	return (l->base & APIC_BASE_EN) != 0;
}

u8 lapic_ack(struct lapic *l)
{
	int v = l->pending;

	if (v < 0)
		return (u8)(l->svr & MSG_VECTOR);
	bit_clear(l->irr, (unsigned)v);
	l->irr_max = highest(l->irr);
	bit_set(l->isr, (unsigned)v);
	l->isr_max = v;
	update(l);
	return (u8)v;
}

void lapic_write_tpr(struct lapic *l, u32 value)
{
	l->tpr = value & TPR_VALID;
	update(l);
}

u64 lapic_get_cr8(const struct lapic *l)
{
	return l->tpr >> CR8_SHIFT;
}

void lapic_set_cr8(struct lapic *l, u64 value)
{
	lapic_write_tpr(l, (u32)(value << CR8_SHIFT));
}

bool lapic_deliver(struct lapic *l, enum apic_delivery mode, u8 vector, bool level)
{
	if (!lapic_enabled(l))
		return false;
	switch (mode) {
	case APIC_FIXED:
	case APIC_LOWEST: return lapic_software_enabled(l) && accept(l, vector, level);
	case APIC_NMI: l->host->nmi(l->ctx, l->index); return true;
	case APIC_INIT: l->host->init(l->ctx, l->index); return true;
	case APIC_SIPI: l->host->sipi(l->ctx, l->index, vector); return true;
	default: return false;
	}
}

/* ---- errors ---- */

/* The error interrupt's own vector may be illegal: then that is noted too, and that is all. */
void lapic_error(struct lapic *l, u32 bit)
{
	bool armed = !l->esr_pending;
	u32 lvt = l->lvt[LVT_ERROR];
	u8 vector = lvt & MSG_VECTOR;

	l->esr_pending |= bit;
	if (!armed || !lapic_software_enabled(l) || (lvt & LVT_MASKED))
		return;
	if (vector < VECTOR_FIRST)
		l->esr_pending |= ESR_RECEIVE_VECTOR;
	else
		(void)accept(l, vector, false);
}

void lapic_write_esr(struct lapic *l)
{
	l->esr = l->esr_pending;
	l->esr_pending = 0;
}

/* ---- local interrupts ---- */

static enum apic_delivery lvt_mode(u32 lvt)
{
	return (enum apic_delivery)(lvt >> MSG_MODE_SHIFT & MSG_MODE_MASK);
}

/* The timer and the error interrupt have no mode bits: they are fixed. */
void lapic_lvt_fire(struct lapic *l, enum lapic_lvt n)
{
	u32 lvt = l->lvt[n];
	enum apic_delivery mode = lvt_mode(lvt);

	if (!(lvt & LVT_MASKED) && mode != APIC_LOWEST && !apic_mode_is_reserved(mode))
		(void)lapic_deliver(l, mode, lvt & MSG_VECTOR, false);
}

bool lapic_accepts_extint(const struct lapic *l)
{
	u32 lvt = l->lvt[LVT_LINT0];

	if (!lapic_enabled(l))
		return true;
	return !(lvt & LVT_MASKED) && lvt_mode(lvt) == APIC_EXTINT;
}

/*
 * LINT0 can be level-triggered: its interrupt comes again after each EOI while the pin is asserted.
 * For LINT1 the manual has edges only.
 */
static bool lint0_is_level(const struct lapic *l)
{
	return (l->lvt[LVT_LINT0] & (MSG_MODE | LVT_LEVEL)) == LVT_LEVEL;
}

/* A level that is there, unmasked and not under way is acted on. */
static void lint0_look(struct lapic *l)
{
	u32 lvt = l->lvt[LVT_LINT0];

	if (!l->lint[0])
		return;
	if (lapic_accepts_extint(l))
		l->host->kick(l->ctx, l->index);
	else if (lint0_is_level(l) && !(lvt & (LVT_MASKED | LVT_REMOTE_IRR)) &&
		 lapic_deliver(l, APIC_FIXED, lvt & MSG_VECTOR, true))
		l->lvt[LVT_LINT0] |= LVT_REMOTE_IRR;
}

void lapic_set_lint(struct lapic *l, unsigned n, bool level)
{
	bool rising = level && !l->lint[n];

	l->lint[n] = level;
	if (!rising)
		return;
	if (n == 0 && (lint0_is_level(l) || lapic_accepts_extint(l)))
		lint0_look(l);
	else
		lapic_lvt_fire(l, n == 0 ? LVT_LINT0 : LVT_LINT1);
}

void lapic_write_lvt(struct lapic *l, enum lapic_lvt n, u32 value)
{
	u32 old = l->lvt[n];

	value &= lvt_valid[n];
	if (!(l->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	l->lvt[n] = value;
	if (n == LVT_TIMER && ((old ^ value) & LVT_TIMER_MODE))
		lapic_timer_mode_changed(l, old);
	if (n == LVT_LINT0) {
		if (lint0_is_level(l))
			l->lvt[n] |= old & LVT_REMOTE_IRR;
		lint0_look(l);
	}
}

/* "Local APIC State After It Has Been Software Disabled" */
void lapic_write_svr(struct lapic *l, u32 value)
{
	l->svr = value & SVR_VALID;
	if (l->svr & SVR_ENABLE)
		return;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] |= LVT_MASKED;
}

/* ---- the end of an interrupt ---- */

static void end_of_level(struct lapic *l, u8 vector)
{
	u32 lvt = l->lvt[LVT_LINT0];

	if ((lvt & LVT_REMOTE_IRR) && (lvt & MSG_VECTOR) == vector) {
		l->lvt[LVT_LINT0] &= ~(u32)LVT_REMOTE_IRR;
		lint0_look(l);
	}
	l->host->eoi(l->ctx, vector);
}

void lapic_write_eoi(struct lapic *l)
{
	int v = l->isr_max;

	if (v < 0)
		return;
	bit_clear(l->isr, (unsigned)v);
	l->isr_max = highest(l->isr);
	update(l);
	if (bit_test(l->tmr, (unsigned)v))
		end_of_level(l, (u8)v);
}

/* ---- reset ---- */

void lapic_reset(struct lapic *l, enum lapic_reset_kind kind)
{
	lapic_timer_stop(l);
	memset(l->irr, 0, sizeof(l->irr));
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->tmr, 0, sizeof(l->tmr));
	l->irr_max = l->isr_max = l->pending = -1;
	l->tpr = l->ldr = l->esr = l->esr_pending = l->tmict = l->tdcr = 0;
	l->icr = 0;
	l->dfr = DFR_FLAT;
	l->svr = SVR_RESET;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = LVT_MASKED;
	if (kind == LAPIC_POWER_UP) {
		l->base = (l->base & ~(u64)APIC_BASE_EXTD) | APIC_BASE_EN;
		l->tsc_offset = 0;
	}
}

void lapic_init(struct lapic *l, unsigned index, bool bsp, struct timerq *tq,
	const struct lapic_host *host, void *ctx)
{
	memset(l, 0, sizeof(*l));
	l->index = index;
	l->id = index;
	l->tq = tq;
	l->host = host;
	l->ctx = ctx;
	l->rl = (struct ratelimit)RATELIMIT(4);
	l->base = LAYOUT_LAPIC | (bsp ? APIC_BASE_BSP : 0);
	lapic_timer_init(l);
	lapic_reset(l, LAPIC_POWER_UP);
}

void lapic_virtual_wire(struct lapic *l)
{
	l->svr |= SVR_ENABLE;
	l->lvt[LVT_LINT0] = APIC_EXTINT << MSG_MODE_SHIFT;
	l->lvt[LVT_LINT1] = APIC_NMI << MSG_MODE_SHIFT;
}
