/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254. Of each channel we keep what was loaded and when; count and output at any other time
 * are functions of the clocks that have passed since.
 */
#include "hv/dev/pit.h"

#include "hv/lib/string.h"

/* The control word ("Control Word Format") */
#define CW_CHANNEL_SHIFT 6
#define CW_READ_BACK	 3
#define CW_ACCESS_SHIFT	 4
#define CW_ACCESS_MASK	 3
#define CW_MODE_SHIFT	 1
#define CW_MODE_MASK	 7
#define CW_MODE_X	 3 /* modes 2 and 3: bit 2 is "don't care" */
#define CW_BCD		 0x01
#define CW_PROGRAMMED	 0x3f
/* The read-back command: what is clear is latched */
#define RB_NO_COUNT	 0x20
#define RB_NO_STATUS	 0x10
#define RB_CHANNEL_0	 0x02
#define ST_OUT		 0x80
#define ST_NULL		 0x40

#define P61_GATE2    0x01
#define P61_WRITABLE 0x0f
#define P61_REFRESH  0x10
#define P61_OUT2     0x20
#define REFRESH_HZ   66288ul /* edges of the refresh request, one in 15.085 us */

#define BCD_MODULUS  10000u
#define US_PER_S     1000000ul
#define FLOATING_BUS 0xff

enum {
	MODE_TERMINAL = 0,
	MODE_ONE_SHOT = 1,
	MODE_RATE = 2,
	MODE_SQUARE = 3,
	MODE_SW_STROBE = 4,
	MODE_HW_STROBE = 5
};

enum access {
	ACCESS_LATCH,
	ACCESS_LOW,
	ACCESS_HIGH,
	ACCESS_BOTH
};

static bool periodic(const struct pit_channel *c)
{
	return c->mode == MODE_RATE || c->mode == MODE_SQUARE;
}

/* Modes in which a rising edge of the gate loads the count; in 1 and 5 nothing else does. */
static bool triggered(const struct pit_channel *c)
{
	return c->mode != MODE_TERMINAL && c->mode != MODE_SW_STROBE;
}

/* Modes in which the gate's level stops the count ("Gate Pin Operations Summary"). */
static bool gate_stops(const struct pit_channel *c)
{
	return c->mode != MODE_ONE_SHOT && c->mode != MODE_HW_STROBE;
}

/* In mode 0 the first byte of a new count stops the old one. */
static bool may_count(const struct pit_channel *c)
{
	return (c->gate || !gate_stops(c)) && !(c->mode == MODE_TERMINAL && c->high_next);
}

static u32 modulus(const struct pit_channel *c)
{
	return c->bcd ? BCD_MODULUS : PIT_COUNT_MAX;
}

/* Clocks of a period of mode 3 in which the output is high. */
static u32 high_half(u32 count)
{
	return (count + 1) / 2;
}

/* ---- clocks and TSC ---- */

static u64 tsc_of(const struct pit *p, u64 clocks)
{
	return muldiv64(clocks, p->tq->hz, PIT_HZ);
}

/* Clocks since the count was loaded. */
static u64 clocks(const struct pit *p, const struct pit_channel *c)
{
	if (!c->counting || c->stopped)
		return c->held;
	return muldiv64(timerq_now(p->tq) - c->origin, PIT_HZ, p->tq->hz);
}

/* As clocks(), once a count whose time has come is loaded. What it is after the first half of a
 * period of mode 3 it counts for the second. */
static u64 settle(const struct pit *p, struct pit_channel *c)
{
	u64 n = clocks(p, c), skip = 0;

	if (!c->pending || n < c->takes_effect)
		return n;
	if (c->takes_effect % c->current)
		skip = high_half(c->reload);
	c->origin += tsc_of(p, c->takes_effect) - tsc_of(p, skip);
	c->current = c->reload;
	c->pending = c->null_count = false;
	return clocks(p, c);
}

static void stop_or_go(const struct pit *p, struct pit_channel *c)
{
	bool stop = !may_count(c);

	if (!c->counting || stop == c->stopped)
		return;
	if (stop)
		c->held = clocks(p, c);
	else /* rounded up, so that it is back where it stood */
		c->origin = timerq_now(p->tq) - tsc_of(p, c->held) - (c->held ? 1 : 0);
	c->stopped = stop;
}

/* ---- count and output after n clocks ---- */

static u32 count_after(const struct pit_channel *c, u64 n)
{
	u32 phase, half = high_half(c->current);

	if (!c->counting)
		return c->reload;
	switch (c->mode) {
	case MODE_RATE: return c->current - (u32)(n % c->current);
	/* By two, twice a period, from an even count. */
	case MODE_SQUARE:
		phase = (u32)(n % c->current);
		return (c->current & ~1u) - 2 * (phase < half ? phase : phase - half);
	/* Goes on below zero. */
	default: return (u32)((c->current + modulus(c) - n % modulus(c)) % modulus(c));
	}
}

static bool output_after(const struct pit_channel *c, u64 n)
{
	if (!c->counting)
		return c->mode != MODE_TERMINAL;
	switch (c->mode) {
	case MODE_TERMINAL: return n >= c->current && !c->high_next;
	case MODE_ONE_SHOT: return n >= c->current;
	case MODE_RATE: return !c->gate || n % c->current != c->current - 1;
	case MODE_SQUARE: return !c->gate || n % c->current < high_half(c->current);
	default: return n != c->current;
	}
}

/* ---- interrupts of channel 0 ---- */

/* Clocks after which the output rises next; false if it will not. */
static bool next_edge(const struct pit_channel *c, u64 n, u64 *edge)
{
	if (!c->counting || c->stopped)
		return false;
	if (!periodic(c)) {
		*edge = c->current + (c->mode == MODE_SW_STROBE ? 1u : 0);
		return n < *edge;
	}
	*edge = (n / c->current + 1) * c->current;
	if (c->pending && c->takes_effect < *edge)
		*edge = c->takes_effect + c->reload / 2;
	return true;
}

static void schedule(struct pit *p)
{
	struct pit_channel *c = &p->ch[0];
	u64 edge, deadline, least = timerq_now(p->tq) + p->tq->hz * PIT_MIN_PERIOD_US / US_PER_S;

	if (!next_edge(c, settle(p, c), &edge)) {
		timer_cancel(p->tq, &p->timer);
		return;
	}
	/* Rounded up, so that at that TSC the clock has really come. */
	deadline = c->origin + tsc_of(p, edge) + 1;
	if (periodic(c) && deadline < least) {
		deadline = least;
		if (c->current * US_PER_S < PIT_MIN_PERIOD_US * PIT_HZ)
			log_guest(&p->rl, LOG_WARN,
				"PIT: a period of %u clocks is shorter than %lu us and is "
				"stretched",
				c->current, PIT_MIN_PERIOD_US);
	}
	timer_arm(p->tq, &p->timer, deadline);
}

static void expired(struct timer *t)
{
	struct pit *p = container_of(t, struct pit, timer);

	p->set_irq(p->ctx, false);
	p->set_irq(p->ctx, true);
	schedule(p);
}

/* After all that changes an output at once. */
static void drive(struct pit *p, struct pit_channel *c)
{
	if (c != &p->ch[0])
		return;
	p->set_irq(p->ctx, output_after(c, settle(p, c)));
	schedule(p);
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
	c->stopped = !may_count(c);
	c->pending = c->null_count = false;
	drive(p, c);
}

static u16 to_bcd(u32 n)
{
	return (u16)((n / 1000 % 10) << 12 | (n / 100 % 10) << 8 | (n / 10 % 10) << 4 | n % 10);
}

static u32 from_bcd(u16 v)
{
	return (v >> 12) * 1000u + ((v >> 8) & 15) * 100u + ((v >> 4) & 15) * 10u + (v & 15);
}

/* "Mode 2": a new count waits for the end of the period; "Mode 3": of half a period. */
static void wait_for_period(struct pit *p, struct pit_channel *c, u64 n)
{
	u64 begun = n - n % c->current, half = begun + high_half(c->current);

	c->pending = true;
	c->takes_effect = c->mode == MODE_SQUARE && n < half ? half : begun + c->current;
	if (c == &p->ch[0])
		schedule(p);
}

/* Modes 1 and 5 wait for the gate. */
static void load(struct pit *p, struct pit_channel *c, u16 value)
{
	u64 n = settle(p, c);
	u32 count = c->bcd ? from_bcd(value) : value;

	c->reload = count ? count : modulus(c);
	c->written = c->null_count = true;
	if (c->counting && periodic(c))
		wait_for_period(p, c, n);
	else if (gate_stops(c))
		start(p, c);
}

static void first_byte(struct pit *p, struct pit_channel *c, u8 value)
{
	c->write_low = value;
	c->high_next = true;
	stop_or_go(p, c);
	if (c->mode == MODE_TERMINAL)
		drive(p, c);
}

static void write_count(struct pit *p, struct pit_channel *c, u8 value)
{
	switch (c->access) {
	case ACCESS_LOW: load(p, c, value); break;
	case ACCESS_HIGH: load(p, c, (u16)(value << BITS_PER_BYTE)); break;
	default:
		if (!c->high_next) {
			first_byte(p, c, value);
			break;
		}
		c->high_next = false;
		load(p, c, (u16)(value << BITS_PER_BYTE | c->write_low));
	}
}

/* ---- reading ---- */

static u16 count_now(const struct pit *p, struct pit_channel *c)
{
	u32 n = count_after(c, settle(p, c));

	return c->bcd ? to_bcd(n) : (u16)n;
}

static void latch_count(const struct pit *p, struct pit_channel *c)
{
	if (c->latched)
		return;
	c->latch = count_now(p, c);
	c->latched = c->access == ACCESS_BOTH ? 2 : 1;
}

static void latch_status(const struct pit *p, struct pit_channel *c)
{
	u64 n = settle(p, c);

	if (c->status_latched)
		return;
	c->status = (u8)((output_after(c, n) ? ST_OUT : 0) | (c->null_count ? ST_NULL : 0) |
			 c->control);
	c->status_latched = true;
}

/* The status first, then the latched count, then the count as it runs. */
static u8 read_count(const struct pit *p, struct pit_channel *c)
{
	u16 value;
	bool high = c->access == ACCESS_HIGH;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	if (c->latched) {
		value = c->latch;
		high |= c->access == ACCESS_BOTH && c->latched == 1;
		c->latched--;
	} else {
		value = count_now(p, c);
		high |= c->access == ACCESS_BOTH && c->read_high;
		c->read_high = c->access == ACCESS_BOTH && !c->read_high;
	}
	return (u8)(high ? value >> BITS_PER_BYTE : value);
}

static void read_back(const struct pit *p, u8 value, struct pit_channel *ch)
{
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		if (!(value & (RB_CHANNEL_0 << i)))
			continue;
		if (!(value & RB_NO_COUNT))
			latch_count(p, &ch[i]);
		if (!(value & RB_NO_STATUS))
			latch_status(p, &ch[i]);
	}
}

/* ---- ports ---- */

static void program(struct pit *p, struct pit_channel *c, u8 value)
{
	u8 mode = (value >> CW_MODE_SHIFT) & CW_MODE_MASK;

	*c = (struct pit_channel){
		.control = value & CW_PROGRAMMED,
		.mode = mode > MODE_HW_STROBE ? mode & CW_MODE_X : mode,
		.access = (value >> CW_ACCESS_SHIFT) & CW_ACCESS_MASK,
		.bcd = (value & CW_BCD) != 0,
		.gate = c->gate,
		.null_count = true,
		.reload = PIT_COUNT_MAX,
		.current = PIT_COUNT_MAX,
	};
	drive(p, c);
}

static void write_control(struct pit *p, u8 value)
{
	unsigned n = value >> CW_CHANNEL_SHIFT;

	if (n == CW_READ_BACK)
		read_back(p, value, p->ch);
	else if (((value >> CW_ACCESS_SHIFT) & CW_ACCESS_MASK) == ACCESS_LATCH)
		latch_count(p, &p->ch[n]);
	else
		program(p, &p->ch[n], value);
}

static u8 get(void *dev, u64 offset)
{
	struct pit *p = dev;

	return offset < PIT_CHANNELS ? read_count(p, &p->ch[offset]) : FLOATING_BUS;
}

static void put(void *dev, u64 offset, u8 value)
{
	struct pit *p = dev;

	if (offset < PIT_CHANNELS)
		write_count(p, &p->ch[offset], value);
	else
		write_control(p, value);
}

BYTEWISE_OPS(pit_ops, get, put);

/* ---- port 0x61 ---- */

static u64 port61_read(void *dev, u64 offset, unsigned size)
{
	struct pit *p = dev;
	struct pit_channel *c = &p->ch[2];
	u64 half_periods = muldiv64(timerq_now(p->tq), REFRESH_HZ, p->tq->hz);

	(void)offset;
	(void)size;
	return (u64)(p->port61 | (half_periods & 1 ? P61_REFRESH : 0) |
		     (output_after(c, settle(p, c)) ? P61_OUT2 : 0));
}

static void set_gate(struct pit *p, struct pit_channel *c, bool gate)
{
	if (gate == c->gate)
		return;
	(void)settle(p, c);
	c->gate = gate;
	if (gate && c->written && triggered(c))
		start(p, c);
	else
		stop_or_go(p, c);
}

static void port61_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct pit *p = dev;

	(void)offset;
	(void)size;
	p->port61 = value & P61_WRITABLE;
	set_gate(p, &p->ch[2], (value & P61_GATE2) != 0);
}

const struct io_ops pit_port61_ops = { .read = port61_read, .write = port61_write };

/* ---- power-up ---- */

/* "Undefined" says the data sheet; here, mode 3 without a count, and so at rest. */
void pit_reset(struct pit *p)
{
	p->port61 = 0;
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		p->ch[i].gate = i != 2;
		program(p, &p->ch[i],
			ACCESS_BOTH << CW_ACCESS_SHIFT | MODE_SQUARE << CW_MODE_SHIFT);
	}
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
