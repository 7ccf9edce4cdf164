/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/dev/pit.h"
#include "hv/lib/string.h"

/* The control word ("8254 Control Word Format") */
#define CW_CHANNEL_SHIFT 6
#define CW_READ_BACK	 3
#define CW_ACCESS_SHIFT	 4
#define CW_MODE_SHIFT	 1
#define CW_BCD		 0x01
/* The read-back command: bits are active low */
#define RB_NO_COUNT	 0x20
#define RB_NO_STATUS	 0x10
#define ST_OUT		 0x80
#define ST_NULL		 0x40

#define P61_GATE2   0x01
#define P61_SPEAKER 0x02
#define P61_REFRESH 0x10
#define P61_OUT2    0x20
#define REFRESH_HZ  66288ul

enum {
	MODE_TERMINAL = 0,
	MODE_ONE_SHOT = 1,
	MODE_RATE = 2,
	MODE_SQUARE = 3,
	MODE_SW_STROBE = 4,
	MODE_HW_STROBE = 5
};

static bool periodic(const struct pit_channel *c)
{
	return c->mode == MODE_RATE || c->mode == MODE_SQUARE;
}

/* Modes in which the gate's level stops the count; in 1 and 5 its rising edge triggers. */
static bool gate_stops(const struct pit_channel *c)
{
	return c->mode != MODE_ONE_SHOT && c->mode != MODE_HW_STROBE;
}

/* Clocks since the count was loaded. */
static u64 clocks(const struct pit *p, const struct pit_channel *c)
{
	if (!c->counting)
		return 0;
	if (!c->gate && gate_stops(c))
		return c->held;
	return muldiv64(timerq_now(p->tq) - c->origin, PIT_HZ, p->tq->hz);
}

/* The rounding is upwards, so that at that TSC the clock has really come. */
static u64 tsc_of(const struct pit *p, const struct pit_channel *c, u64 clock)
{
	return c->origin + muldiv64(clock, p->tq->hz, PIT_HZ) + 1;
}

static u32 counter(const struct pit *p, const struct pit_channel *c)
{
	u64 n = clocks(p, c);
	u32 left;

	if (!c->counting)
		return c->reload & 0xffff;
	switch (c->mode) {
	case MODE_RATE: return c->current - (u32)(n % c->current);
	/* Counts by two, twice a period. */
	case MODE_SQUARE: return (c->current - (u32)((2 * n) % c->current)) & ~1u;
	/* Goes on below zero, modulo 2^16 (10^4 in BCD). */
	default:
		left = (u32)(n % (c->bcd ? 10000 : 65536));
		return (c->current + (c->bcd ? 10000 : 65536) - left) % (c->bcd ? 10000 : 65536);
	}
}

static bool output(const struct pit *p, const struct pit_channel *c)
{
	u64 n = clocks(p, c);

	switch (c->mode) {
	case MODE_TERMINAL: return c->counting && n >= c->current;
	case MODE_ONE_SHOT: return !c->counting || n >= c->current;
	case MODE_RATE: return !c->counting || n % c->current != c->current - 1;
	case MODE_SQUARE: return !c->counting || n % c->current < (c->current + 1) / 2;
	default: return !c->counting || n != c->current;
	}
}

static u16 to_bcd(u32 n)
{
	return (u16)((n / 1000 % 10) << 12 | (n / 100 % 10) << 8 | (n / 10 % 10) << 4 | n % 10);
}

static u32 from_bcd(u16 v)
{
	return (v >> 12) * 1000u + ((v >> 8) & 15) * 100u + ((v >> 4) & 15) * 10u + (v & 15);
}

/* ---- interrupts of channel 0 ---- */

/* IRQ 0 rises at the end of each period, or once at the terminal count. */
static void schedule(struct pit *p)
{
	struct pit_channel *c = &p->ch[0];
	u64 now = timerq_now(p->tq), least = now + p->tq->hz * PIT_MIN_PERIOD_US / 1000000,
	    deadline;
	u64 n = clocks(p, c);

	if (!c->counting || (!periodic(c) && n >= c->current)) {
		timer_cancel(p->tq, &p->timer);
		return;
	}
	p->ticks = periodic(c) ? (n / c->current + 1) * c->current : c->current;
	deadline = tsc_of(p, c, p->ticks);
	if (deadline < least && periodic(c)) {
		deadline = least;
		log_guest(&p->rl, LOG_WARN,
			"PIT: a period of %u clocks is shorter than %lu us and is stretched",
			c->current, PIT_MIN_PERIOD_US);
	}
	timer_arm(p->tq, &p->timer, deadline);
}

static void expired(struct timer *t)
{
	struct pit *p = container_of(t, struct pit, timer);
	struct pit_channel *c = &p->ch[0];

	p->set_irq(p->ctx, false);
	p->set_irq(p->ctx, true);
	if (periodic(c)) {
		if (c->current != c->reload) {
			c->origin = tsc_of(p, c, p->ticks) - 1;
			c->current = c->reload;
		}
		schedule(p);
	}
}

bool pit_armed(const struct pit *p)
{
	return timer_armed(&p->timer);
}

/* ---- counts ---- */

static void start(struct pit *p, struct pit_channel *c)
{
	c->current = c->reload;
	c->origin = timerq_now(p->tq);
	c->held = 0;
	c->counting = true;
	c->null_count = false;
	if (c == &p->ch[0]) {
		/* In mode 0 the output falls when the count is written; otherwise it is high until
		 * the end. */
		p->set_irq(p->ctx, c->mode != MODE_TERMINAL && !periodic(c));
		schedule(p);
	}
}

static void load(struct pit *p, struct pit_channel *c, u16 value)
{
	u32 n = c->bcd ? from_bcd(value) : value;

	c->reload = n ? n : (c->bcd ? 10000 : 65536);
	/* "Mode 2", "Mode 3": a new count during a period takes effect at its end; 1 and 5 wait for
	 * the gate. */
	if (c->counting && periodic(c)) {
		c->null_count = true;
		if (c != &p->ch[0] || !c->gate) {
			start(p, c);
			return;
		}
		c->null_count = false;
		return;
	}
	if (gate_stops(c))
		start(p, c);
	else
		c->null_count = true;
}

static void write_count(struct pit *p, struct pit_channel *c, u8 value)
{
	switch (c->access) {
	case 1: load(p, c, value); break;
	case 2: load(p, c, (u16)(value << 8)); break;
	case 3:
		if (c->high_next)
			load(p, c, (u16)(value << 8 | c->write_low));
		else
			c->write_low = value;
		c->high_next = !c->high_next;
		break;
	default: break;
	}
}

static void latch_count(const struct pit *p, struct pit_channel *c)
{
	u32 n = counter(p, c);

	if (c->latched)
		return;
	c->latch = c->bcd ? to_bcd(n) : (u16)n;
	c->latched = c->access == 3 ? 2 : 1;
}

static void latch_status(const struct pit *p, struct pit_channel *c)
{
	if (c->status_latched)
		return;
	c->status = (u8)((output(p, c) ? ST_OUT : 0) | (c->null_count ? ST_NULL : 0) |
			 c->access << CW_ACCESS_SHIFT | c->mode << CW_MODE_SHIFT |
			 (c->bcd ? CW_BCD : 0));
	c->status_latched = true;
}

static u8 read_count(const struct pit *p, struct pit_channel *c)
{
	u16 value;
	bool high;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->latched) {
		high = c->access == 2 || (c->access == 3 && c->latched == 1);
		c->latched--;
		return (u8)(high ? c->latch >> 8 : c->latch);
	}
	value = c->bcd ? to_bcd(counter(p, c)) : (u16)counter(p, c);
	high = c->access == 2 || (c->access == 3 && c->read_high);
	if (c->access == 3)
		c->read_high = !c->read_high;
	return (u8)(high ? value >> 8 : value);
}

static void read_back(const struct pit *p, u8 value, struct pit_channel *ch)
{
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		if (!(value & (2u << i)))
			continue;
		if (!(value & RB_NO_COUNT))
			latch_count(p, &ch[i]);
		if (!(value & RB_NO_STATUS))
			latch_status(p, &ch[i]);
	}
}

static void write_control(struct pit *p, u8 value)
{
	unsigned n = value >> CW_CHANNEL_SHIFT;
	u8 access = (value >> CW_ACCESS_SHIFT) & 3, mode = (value >> CW_MODE_SHIFT) & 7;
	struct pit_channel *c;
	bool gate;

	if (n == CW_READ_BACK) {
		read_back(p, value, p->ch);
		return;
	}
	c = &p->ch[n];
	if (access == 0) {
		latch_count(p, c);
		return;
	}
	gate = c->gate;
	*c = (struct pit_channel){
		.mode = mode > 5 ? mode & 3 : mode,
		.access = access,
		.bcd = (value & CW_BCD) != 0,
		.gate = gate,
		.null_count = true,
		.reload = 65536,
		.current = 65536,
	};
	if (n == 0) {
		timer_cancel(p->tq, &p->timer);
		p->set_irq(p->ctx, c->mode != MODE_TERMINAL);
	}
}

static u64 pit_read(void *dev, u64 offset, unsigned size)
{
	struct pit *p = dev;

	(void)size;
	return offset < PIT_CHANNELS ? read_count(p, &p->ch[offset]) : 0xff;
}

static void pit_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct pit *p = dev;

	(void)size;
	if (offset < PIT_CHANNELS)
		write_count(p, &p->ch[offset], (u8)value);
	else
		write_control(p, (u8)value);
}

const struct io_ops pit_ops = { .read = pit_read, .write = pit_write };

/* ---- port 0x61 ---- */

static u64 port61_read(void *dev, u64 offset, unsigned size)
{
	struct pit *p = dev;
	u64 half_periods = muldiv64(timerq_now(p->tq), REFRESH_HZ, p->tq->hz);

	(void)offset;
	(void)size;
	return (u64)((p->ch[2].gate ? P61_GATE2 : 0) | (p->speaker ? P61_SPEAKER : 0) |
		     (half_periods & 1 ? P61_REFRESH : 0) | (output(p, &p->ch[2]) ? P61_OUT2 : 0));
}

/* The gate stops and resumes the count, reloads it (2, 3) or triggers it (1, 5). */
static void set_gate(struct pit *p, struct pit_channel *c, bool gate)
{
	if (gate == c->gate)
		return;
	if (!gate) {
		c->held = clocks(p, c);
		c->gate = false;
		return;
	}
	c->gate = true;
	if (periodic(c) || !gate_stops(c)) {
		if (c->counting || c->null_count)
			start(p, c);
		return;
	}
	if (c->counting)
		c->origin = timerq_now(p->tq) - muldiv64(c->held, p->tq->hz, PIT_HZ);
}

static void port61_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct pit *p = dev;

	(void)offset;
	(void)size;
	p->speaker = (value & P61_SPEAKER) != 0;
	set_gate(p, &p->ch[2], (value & P61_GATE2) != 0);
}

const struct io_ops pit_port61_ops = { .read = port61_read, .write = port61_write };

void pit_reset(struct pit *p)
{
	timer_cancel(p->tq, &p->timer);
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		p->ch[i] = (struct pit_channel){ .mode = MODE_SQUARE,
			.access = 3,
			.gate = i != 2,
			.reload = 65536,
			.current = 65536 };
	p->speaker = 0;
	p->set_irq(p->ctx, false);
}

void pit_init(struct pit *p, struct timerq *tq, void (*set_irq)(void *ctx, bool level), void *ctx)
{
	memset(p, 0, sizeof(*p));
	p->tq = tq;
	p->set_irq = set_irq;
	p->ctx = ctx;
	p->rl = (struct ratelimit)RATELIMIT(4);
	timer_init(&p->timer, expired);
	pit_reset(p);
}
