/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/cpu/regs.h"
#include "hv/dev/lapic.h"
#include "hv/lib/string.h"

/* SDM "Local APIC Register Address Map", as offsets / 16: also the numbers of the x2APIC MSRs. */
enum {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_APR = 0x09,
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_RRD = 0x0c,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_ICR = 0x30,
	REG_ICR2 = 0x31,
	REG_LVT_TIMER = 0x32,
	REG_LVT_THERMAL = 0x33,
	REG_LVT_PERF = 0x34,
	REG_LVT_LINT0 = 0x35,
	REG_LVT_LINT1 = 0x36,
	REG_LVT_ERROR = 0x37,
	REG_TMICT = 0x38,
	REG_TMCCT = 0x39,
	REG_TDCR = 0x3e,
	REG_SELF_IPI = 0x3f,
};

#define VERSION 0x00050014u /* six LVT entries */

#define LVT_VECTOR   0xffu
#define LVT_MODE     0x700u
#define LVT_PENDING  BIT(12)
#define LVT_LEVEL    BIT(15)
#define LVT_MASKED   0x10000u
#define LVT_TMR_MODE 0x60000u
#define TMR_PERIODIC 0x20000u
#define TMR_DEADLINE 0x40000u
#define SVR_ENABLE   0x100u
#define SVR_VALID    0x3ffu /* and focus checking */
#define DFR_FLAT     0xffffffffu
#define DFR_VALID    0x0fffffffu

#define ESR_SEND_ILLEGAL    BIT(5)
#define ESR_RECEIVE_ILLEGAL BIT(6)
#define ESR_ILLEGAL_REG	    BIT(7)

#define ICR_LOGICAL	   BIT(11)
#define ICR_ASSERT	   BIT(14)
#define ICR_LEVEL	   BIT(15)
#define ICR_VALID_LOW	   0x000ccfffu
#define FIRST_LEGAL_VECTOR 16
#define TDCR_VALID	   0xbu
#define LAPIC_DEFAULT_BASE 0xfee00000ul

/* Bits that a guest can write, by LVT entry. */
static const u32 lvt_valid[LVT_COUNT] = {
	[LVT_TIMER] = LVT_VECTOR | LVT_MASKED | LVT_TMR_MODE,
	[LVT_THERMAL] = LVT_VECTOR | LVT_MODE | LVT_MASKED,
	[LVT_PERF] = LVT_VECTOR | LVT_MODE | LVT_MASKED,
	[LVT_LINT0] = LVT_VECTOR | LVT_MODE | 0xa000u | LVT_MASKED,
	[LVT_LINT1] = LVT_VECTOR | LVT_MODE | 0xa000u | LVT_MASKED,
	[LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
};

/* ---- interrupt state ---- */

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
static u32 ppr(const struct lapic *l)
{
	u32 isrv = l->isr_max < 0 ? 0 : (u32)l->isr_max & 0xf0;

	return (l->tpr & 0xf0) >= isrv ? l->tpr & 0xff : isrv;
}

bool lapic_enabled(const struct lapic *l)
{
	return (l->base & APIC_BASE_EN) != 0;
}

static bool x2apic(const struct lapic *l)
{
	return (l->base & APIC_BASE_EXTD) != 0;
}

static bool sw_enabled(const struct lapic *l)
{
	return lapic_enabled(l) && (l->svr & SVR_ENABLE);
}

/* Every change of IRR, ISR or TPR ends here: one place decides whether the vcpu has to look. */
static void update(struct lapic *l)
{
	int was = l->pending;

	l->pending = -1;
	if (l->irr_max >= 0 && lapic_enabled(l) && ((u32)l->irr_max & 0xf0) > (ppr(l) & 0xf0))
		l->pending = l->irr_max;
	if (l->pending >= 0 && l->pending != was)
		l->host->kick(l->ctx, l->index);
}

static void raise_error(struct lapic *l, u32 bit);

static bool accept(struct lapic *l, u8 vector, bool level)
{
	if (vector < FIRST_LEGAL_VECTOR) {
		raise_error(l, ESR_RECEIVE_ILLEGAL);
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

/* The error interrupt's own vector may be illegal: then the bit is noted, and that is all. */
static void raise_error(struct lapic *l, u32 bit)
{
	u32 lvt = l->lvt[LVT_ERROR];
	bool first = !(l->esr_pending & bit);

	l->esr_pending |= bit;
	if (first && sw_enabled(l) && !(lvt & LVT_MASKED) &&
		(lvt & LVT_VECTOR) >= FIRST_LEGAL_VECTOR)
		(void)accept(l, (u8)(lvt & LVT_VECTOR), false);
}

u8 lapic_ack(struct lapic *l)
{
	int v = l->pending;

	if (v < 0)
		return (u8)(l->svr & LVT_VECTOR);
	bit_clear(l->irr, (unsigned)v);
	l->irr_max = highest(l->irr);
	bit_set(l->isr, (unsigned)v);
	l->isr_max = v;
	update(l);
	return (u8)v;
}

static void eoi(struct lapic *l)
{
	int v = l->isr_max;

	if (v < 0)
		return;
	bit_clear(l->isr, (unsigned)v);
	l->isr_max = highest(l->isr);
	update(l);
	if (bit_test(l->tmr, (unsigned)v))
		l->host->eoi(l->ctx, (u8)v);
}

bool lapic_deliver(struct lapic *l, enum apic_delivery mode, u8 vector, bool level)
{
	switch (mode) {
	case APIC_FIXED:
	case APIC_LOWEST: return sw_enabled(l) && accept(l, vector, level);
	case APIC_NMI:
		if (!lapic_enabled(l))
			return false;
		l->host->nmi(l->ctx, l->index);
		return true;
	case APIC_INIT: l->host->init(l->ctx, l->index); return true;
	case APIC_SIPI: l->host->sipi(l->ctx, l->index, vector); return true;
	case APIC_EXTINT: l->host->kick(l->ctx, l->index); return true;
	default: return false; /* SMI: there is no SMM; reserved modes */
	}
}

/* ---- local interrupts ---- */

static void lvt_fire(struct lapic *l, enum lapic_lvt n)
{
	u32 e = l->lvt[n];

	if (e & LVT_MASKED)
		return;
	if (n == LVT_TIMER || n == LVT_ERROR)
		(void)lapic_deliver(l, APIC_FIXED, (u8)(e & LVT_VECTOR), false);
	else
		(void)lapic_deliver(l, (enum apic_delivery)((e & LVT_MODE) >> 8),
			(u8)(e & LVT_VECTOR), (e & LVT_LEVEL) != 0);
}

bool lapic_accepts_extint(const struct lapic *l)
{
	u32 e = l->lvt[LVT_LINT0];

	if (!lapic_enabled(l))
		return true;
	return !(e & LVT_MASKED) && (e & LVT_MODE) >> 8 == APIC_EXTINT;
}

void lapic_set_lint(struct lapic *l, unsigned n, bool level)
{
	bool rising = level && !l->lint[n];

	l->lint[n] = level;
	if (!rising)
		return;
	if (n == 0 && lapic_accepts_extint(l))
		l->host->kick(l->ctx, l->index);
	else
		lvt_fire(l, n == 0 ? LVT_LINT0 : LVT_LINT1);
}

/* ---- the timer ---- */

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

static u32 timer_mode(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] & LVT_TMR_MODE;
}

static void timer_stop(struct lapic *l)
{
	timer_cancel(l->tq, &l->timer);
	l->counting = false;
	l->tsc_deadline = 0;
}

static void timer_start(struct lapic *l, u32 count)
{
	timer_stop(l);
	l->tmict = count;
	if (!count || timer_mode(l) == TMR_DEADLINE)
		return;
	l->counting = true;
	l->origin = timerq_now(l->tq);
	l->target = count;
	timer_arm(l->tq, &l->timer, l->origin + counts_to_ticks(l, l->target));
}

/* The next expiry of a periodic timer: a whole number of periods after the last, in the future. */
static void timer_next_period(struct lapic *l)
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

static void timer_expired(struct timer *t)
{
	struct lapic *l = container_of(t, struct lapic, timer);

	if (timer_mode(l) == TMR_PERIODIC) {
		timer_next_period(l);
	} else {
		l->counting = false;
		l->tsc_deadline = 0;
	}
	lvt_fire(l, LVT_TIMER);
}

static u32 timer_current(const struct lapic *l)
{
	u64 passed;

	if (!l->counting)
		return 0;
	passed = ticks_to_counts(l, timerq_now(l->tq) - l->origin);
	if (timer_mode(l) == TMR_PERIODIC)
		return l->tmict - (u32)(passed % l->tmict);
	return passed >= l->tmict ? 0 : l->tmict - (u32)passed;
}

static void deadline_arm(struct lapic *l)
{
	timer_arm(l->tq, &l->timer, l->tsc_deadline - l->tsc_offset);
}

static void deadline_write(struct lapic *l, u64 value)
{
	if (timer_mode(l) != TMR_DEADLINE)
		return;
	timer_stop(l);
	l->tsc_deadline = value;
	if (value)
		deadline_arm(l);
}

void lapic_set_tsc_offset(struct lapic *l, u64 offset)
{
	l->tsc_offset = offset;
	if (l->tsc_deadline)
		deadline_arm(l);
}

bool lapic_timer_armed(const struct lapic *l)
{
	return timer_armed(&l->timer) && !(l->lvt[LVT_TIMER] & LVT_MASKED);
}

/* A change of the divider goes on from the count that has been reached. */
static void write_tdcr(struct lapic *l, u32 value)
{
	u32 left = timer_current(l);

	if (!l->counting) {
		l->tdcr = value & TDCR_VALID;
		return;
	}
	l->tdcr = value & TDCR_VALID;
	l->origin = timerq_now(l->tq) - counts_to_ticks(l, l->tmict - left);
	l->target = l->tmict;
	timer_arm(l->tq, &l->timer, l->origin + counts_to_ticks(l, l->target));
}

/* ---- registers ---- */

static void write_lvt(struct lapic *l, enum lapic_lvt n, u32 value)
{
	u32 old = l->lvt[n];

	value &= lvt_valid[n];
	if (!(l->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	l->lvt[n] = value;
	if (n == LVT_TIMER && ((old ^ value) & LVT_TMR_MODE)) {
		/* "TSC-Deadline Mode": a change to or from it disarms; one-shot and periodic share
		 * the count. */
		if ((old | value) & TMR_DEADLINE)
			timer_stop(l);
	}
	/* A level that is already there is seen when the pin is unmasked. */
	if (n == LVT_LINT0 && l->lint[0] && lapic_accepts_extint(l))
		l->host->kick(l->ctx, l->index);
}

static void write_svr(struct lapic *l, u32 value)
{
	l->svr = value & SVR_VALID;
	if (l->svr & SVR_ENABLE)
		return;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->lvt[i] |= LVT_MASKED;
}

static void write_icr(struct lapic *l, u64 value)
{
	struct apic_msg m = {
		.vector = (u8)value,
		.mode = (enum apic_delivery)((value >> 8) & 7),
		.logical = (value & ICR_LOGICAL) != 0,
		.shorthand = (enum apic_shorthand)((value >> 18) & 3),
		.src = l->index,
		.wide = x2apic(l),
		.dest = x2apic(l) ? (u32)(value >> 32) : (u32)(value >> 56),
	};

	l->icr = value & ~(u64)LVT_PENDING;
	if ((m.mode == APIC_FIXED || m.mode == APIC_LOWEST) && m.vector < FIRST_LEGAL_VECTOR) {
		raise_error(l, ESR_SEND_ILLEGAL);
		return;
	}
	/* The INIT level de-assert of old processors is no message. */
	if (m.mode == APIC_INIT && (value & ICR_LEVEL) && !(value & ICR_ASSERT))
		return;
	l->host->send(l->ctx, &m);
}

static u32 read_ldr(const struct lapic *l)
{
	if (x2apic(l))
		return (l->id >> 4) << 16 | 1u << (l->id & 15);
	return l->ldr;
}

static u32 map_word(const u64 *map, unsigned n)
{
	return (u32)(map[n / 2] >> (n % 2 * 32));
}

/* False: no such register. */
static bool reg_read(struct lapic *l, unsigned reg, u64 *value)
{
	switch (reg) {
	case REG_ID: *value = x2apic(l) ? l->id : l->id << 24; return true;
	case REG_VERSION: *value = VERSION; return true;
	case REG_TPR: *value = l->tpr; return true;
	case REG_APR:
	case REG_RRD: *value = 0; return !x2apic(l);
	case REG_PPR: *value = ppr(l); return true;
	case REG_EOI: *value = 0; return !x2apic(l);
	case REG_LDR: *value = read_ldr(l); return true;
	case REG_DFR: *value = l->dfr; return !x2apic(l);
	case REG_SVR: *value = l->svr; return true;
	case REG_ISR ... REG_ISR + 7: *value = map_word(l->isr, reg - REG_ISR); return true;
	case REG_TMR ... REG_TMR + 7: *value = map_word(l->tmr, reg - REG_TMR); return true;
	case REG_IRR ... REG_IRR + 7: *value = map_word(l->irr, reg - REG_IRR); return true;
	case REG_ESR: *value = l->esr; return true;
	case REG_ICR: *value = x2apic(l) ? l->icr : (u32)l->icr; return true;
	case REG_ICR2: *value = l->icr >> 32; return !x2apic(l);
	case REG_LVT_TIMER ... REG_LVT_ERROR: *value = l->lvt[reg - REG_LVT_TIMER]; return true;
	case REG_TMICT: *value = timer_mode(l) == TMR_DEADLINE ? 0 : l->tmict; return true;
	case REG_TMCCT: *value = timer_current(l); return true;
	case REG_TDCR: *value = l->tdcr; return true;
	default: *value = 0; return false;
	}
}

/* False: no such register, or not writable. */
static bool reg_write(struct lapic *l, unsigned reg, u64 value)
{
	u32 low = (u32)value;

	switch (reg) {
	case REG_TPR:
		l->tpr = low & 0xff;
		update(l);
		return true;
	case REG_EOI: eoi(l); return true;
	case REG_LDR: l->ldr = low & 0xff000000; return !x2apic(l);
	case REG_DFR: l->dfr = low | DFR_VALID; return !x2apic(l);
	case REG_SVR: write_svr(l, low); return true;
	case REG_ESR:
		l->esr = l->esr_pending;
		l->esr_pending = 0;
		return true;
	case REG_ICR: write_icr(l, x2apic(l) ? value : (l->icr & ~0xfffffffful) | low); return true;
	case REG_ICR2: l->icr = (u32)l->icr | (value & 0xff000000ul) << 32; return !x2apic(l);
	case REG_LVT_TIMER ... REG_LVT_ERROR:
		write_lvt(l, (enum lapic_lvt)(reg - REG_LVT_TIMER), low);
		return true;
	case REG_TMICT: timer_start(l, low); return true;
	case REG_TDCR: write_tdcr(l, low); return true;
	default: return false;
	}
}

static u64 mmio_read(void *dev, u64 offset, unsigned size)
{
	struct lapic *l = dev;
	u64 value = 0;

	if (!lapic_enabled(l) || x2apic(l))
		return ~0ul;
	if (offset & 0xf || size > 4)
		return 0;
	if (!reg_read(l, (unsigned)(offset >> 4), &value))
		raise_error(l, ESR_ILLEGAL_REG);
	return value;
}

static void mmio_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct lapic *l = dev;

	if (!lapic_enabled(l) || x2apic(l) || (offset & 0xf) || size != 4)
		return;
	if (!reg_write(l, (unsigned)(offset >> 4), value))
		raise_error(l, ESR_ILLEGAL_REG);
}

const struct io_ops lapic_ops = { .read = mmio_read, .write = mmio_write };

/* ---- MSRs ---- */

/* SDM "x2APIC Register Address Space": reserved bits of a write are #GP. */
static bool x2apic_write_ok(unsigned reg, u64 value)
{
	switch (reg) {
	case REG_EOI:
	case REG_ESR: return value == 0;
	case REG_TPR:
	case REG_SELF_IPI: return value <= 0xff;
	case REG_SVR: return (value & ~0x1ffful) == 0;
	case REG_ICR: return (value & 0xfffff000ul & ~(u64)(0xc0000 | ICR_LEVEL | ICR_ASSERT)) == 0;
	case REG_TDCR: return (value & ~(u64)TDCR_VALID) == 0;
	default: return value >> 32 == 0;
	}
}

static bool write_base(struct lapic *l, u64 value)
{
	u64 mode = value & (APIC_BASE_EN | APIC_BASE_EXTD);
	u64 old = l->base & (APIC_BASE_EN | APIC_BASE_EXTD);

	/* The page stays where every PC has it: a guest that moves it is refused rather than
	 * misled. */
	if ((value & ~(u64)(APIC_BASE_BSP | APIC_BASE_EN | APIC_BASE_EXTD)) != LAPIC_DEFAULT_BASE)
		return false;
	/* SDM "Detecting and Enabling x2APIC Mode": legal transitions. */
	if (mode == APIC_BASE_EXTD)
		return false;
	if (old == (APIC_BASE_EN | APIC_BASE_EXTD) && mode == APIC_BASE_EN)
		return false;
	if (old == 0 && mode == (APIC_BASE_EN | APIC_BASE_EXTD))
		return false;
	l->base = (l->base & ~(u64)(APIC_BASE_EN | APIC_BASE_EXTD)) | mode;
	if (!mode && old) {
		u64 base = l->base;

		lapic_reset(l, LAPIC_INIT);
		l->base = base;
	}
	update(l);
	return true;
}

bool lapic_rdmsr(struct lapic *l, u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_APIC_BASE: *value = l->base; return true;
	case MSR_TSC_DEADLINE: *value = l->tsc_deadline; return true;
	default: return x2apic(l) && reg_read(l, msr - MSR_X2APIC_BASE, value);
	}
}

bool lapic_wrmsr(struct lapic *l, u32 msr, u64 value)
{
	unsigned reg = msr - MSR_X2APIC_BASE;

	switch (msr) {
	case MSR_APIC_BASE: return write_base(l, value);
	case MSR_TSC_DEADLINE: deadline_write(l, value); return true;
	default: break;
	}
	if (!x2apic(l) || !x2apic_write_ok(reg, value))
		return false;
	if (reg == REG_SELF_IPI) {
		if (value < FIRST_LEGAL_VECTOR)
			raise_error(l, ESR_SEND_ILLEGAL);
		else
			(void)lapic_deliver(l, APIC_FIXED, (u8)value, false);
		return true;
	}
	return reg_write(l, reg, value);
}

u64 lapic_get_cr8(const struct lapic *l)
{
	return l->tpr >> 4;
}

void lapic_set_cr8(struct lapic *l, u64 value)
{
	l->tpr = (u32)(value & 0xf) << 4;
	update(l);
}

/* ---- reset ---- */

void lapic_reset(struct lapic *l, enum lapic_reset_kind kind)
{
	timer_stop(l);
	memset(l->irr, 0, sizeof(l->irr));
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->tmr, 0, sizeof(l->tmr));
	l->irr_max = l->isr_max = l->pending = -1;
	l->tpr = l->ldr = l->esr = l->esr_pending = l->tmict = l->tdcr = 0;
	l->icr = 0;
	l->dfr = DFR_FLAT;
	l->svr = 0xff;
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
	l->base = LAPIC_DEFAULT_BASE | (bsp ? APIC_BASE_BSP : 0);
	timer_init(&l->timer, timer_expired);
	lapic_reset(l, LAPIC_POWER_UP);
}

void lapic_virtual_wire(struct lapic *l)
{
	l->svr |= SVR_ENABLE;
	l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
	l->lvt[LVT_LINT1] = APIC_NMI << 8;
}

/* ---- messages between APICs ---- */

/* SDM "Determining IPI Destination" */
static bool matches(const struct lapic *l, const struct apic_msg *m)
{
	u32 all = m->wide ? 0xffffffffu : 0xffu;

	if (m->dest == all)
		return true;
	if (!m->logical)
		return m->dest == l->id;
	if (x2apic(l)) {
		u32 ldr = read_ldr(l);

		return m->dest >> 16 == ldr >> 16 && (m->dest & ldr & 0xffff);
	}
	if (l->dfr == DFR_FLAT)
		return (m->dest & (l->ldr >> 24)) != 0;
	return (m->dest & 0xf0) == ((l->ldr >> 24) & 0xf0) && (m->dest & (l->ldr >> 24) & 0xf);
}

static bool is_target(const struct lapic *l, const struct apic_msg *m)
{
	switch (m->shorthand) {
	case APIC_DEST_SELF: return l->index == m->src;
	case APIC_DEST_ALL: return true;
	case APIC_DEST_OTHERS: return l->index != m->src;
	default: return matches(l, m);
	}
}

static bool send_lowest(struct lapic *l, unsigned n, const struct apic_msg *m)
{
	static unsigned turn;
	struct lapic *best = NULL;

	turn++;
	for (unsigned i = 0; i < n; i++) {
		struct lapic *c = &l[(turn + i) % n];

		if (is_target(c, m) && sw_enabled(c) && (!best || ppr(c) < ppr(best)))
			best = c;
	}
	return best && lapic_deliver(best, APIC_FIXED, m->vector, m->level);
}

bool apic_send(struct lapic *l, unsigned n, const struct apic_msg *m)
{
	bool taken = false;

	if (m->mode == APIC_LOWEST)
		return send_lowest(l, n, m);
	for (unsigned i = 0; i < n; i++)
		if (is_target(&l[i], m))
			taken |= lapic_deliver(&l[i], m->mode, m->vector, m->level);
	return taken;
}

/* SDM "Message Signalled Interrupts": address 0xFEExxxxx, data. */
bool apic_msg_from_msi(u64 address, u32 data, struct apic_msg *m)
{
	if ((address & ~0xffffful) != 0xfee00000ul)
		return false;
	*m = (struct apic_msg){
		.dest = (u32)(address >> 12) & 0xff,
		.logical = (address & BIT(2)) != 0,
		.vector = (u8)data,
		.mode = (enum apic_delivery)((data >> 8) & 7),
		.level = (data & BIT(15)) != 0,
	};
	return true;
}
