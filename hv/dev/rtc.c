/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818. Nothing ticks: flags of updates, alarms and periods that have passed are found out
 * when somebody looks, and timers run only for the interrupts that are enabled.
 */
#include "hv/dev/rtc.h"

#include "hv/lib/string.h"

enum {
	REG_SEC = 0,
	REG_SEC_ALARM = 1,
	REG_MIN = 2,
	REG_MIN_ALARM = 3,
	REG_HOUR = 4,
	REG_HOUR_ALARM = 5,
	REG_WDAY = 6,
	REG_DAY = 7,
	REG_MONTH = 8,
	REG_YEAR = 9,
	REG_A = 10,
	REG_B = 11,
	REG_C = 12,
	REG_D = 13,
};

#define A_UIP	      0x80
#define A_DIVIDER     0x70
#define A_RUNNING     0x20 /* a 32768 Hz crystal */
#define A_RATE	      0x0f
#define A_RATE_1024HZ 6
#define B_SET	      0x80
#define B_PIE	      0x40
#define B_AIE	      0x20
#define B_UIE	      0x10
#define B_SQWE	      0x08
#define B_BINARY      0x04
#define B_24H	      0x02
#define C_IRQF	      0x80
#define C_PF	      0x40
#define C_AF	      0x20
#define C_UF	      0x10
#define C_FLAGS	      (C_PF | C_AF | C_UF)
#define D_VALID	      0x80
#define PM	      0x80 /* of an hour in 12-hour mode */
#define ALARM_ANY     0xc0 /* "don't care" */
#define CRYSTAL_HZ    32768ul
#define UIP_US	      244ul
#define INDEX_MASK    0x7f
#define NMI_MASK      0x80
#define DAY_SECONDS   86400ul
#define US_PER_S      1000000ul
#define NEVER	      (~0ul)
#define NO_READ	      0xff /* port 0x70 can only be written */

/* Where PC firmware keeps the sizes of memory, in KB or in blocks of 64 KB */
#define CMOS_BASE_KB	      0x15
#define CMOS_EXTENDED_KB      0x17
#define CMOS_EXTENDED_KB_POST 0x30
#define CMOS_ABOVE_16MB	      0x34
#define CMOS_ABOVE_4GB	      0x5b
#define BASE_KB		      640
#define BLOCK		      (64 * KB)
#define U16_MAX		      0xfffful

struct date {
	unsigned sec, min, hour, wday, day, month, year; /* wday: Sunday is 1 */
};

/* ---- the calendar ---- */

static bool leap(unsigned y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static unsigned month_days(unsigned month, unsigned year)
{
	static const u8 days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && leap(year) ? 1u : 0u);
}

static struct date to_date(u64 t)
{
	struct date d = { .year = 1970, .month = 1 };
	u64 days = t / DAY_SECONDS;

	d.sec = (unsigned)(t % 60);
	d.min = (unsigned)(t / 60 % 60);
	d.hour = (unsigned)(t / 3600 % 24);
	d.wday = (unsigned)((days + 4) % 7) + 1; /* 1 January 1970 was a Thursday */
	for (; days >= (leap(d.year) ? 366u : 365u); d.year++)
		days -= leap(d.year) ? 366u : 365u;
	for (; days >= month_days(d.month, d.year); d.month++)
		days -= month_days(d.month, d.year);
	d.day = (unsigned)days + 1;
	return d;
}

static u64 from_date(const struct date *d)
{
	u64 days = d->day ? d->day - 1u : 0;

	for (unsigned y = 1970; y < d->year; y++)
		days += leap(y) ? 366 : 365;
	for (unsigned m = 1; m < d->month && m <= 12; m++)
		days += month_days(m, d->year);
	return days * DAY_SECONDS + d->hour * 3600ul + d->min * 60ul + d->sec;
}

static u8 encode(const struct rtc *r, unsigned n)
{
	return (u8)(r->cmos[REG_B] & B_BINARY ? n : n / 10 << 4 | n % 10);
}

static unsigned decode(const struct rtc *r, u8 v)
{
	return r->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15u);
}

static u8 encode_hour(const struct rtc *r, unsigned h)
{
	if (r->cmos[REG_B] & B_24H)
		return encode(r, h);
	return (u8)(encode(r, h % 12 ? h % 12 : 12) | (h >= 12 ? PM : 0));
}

static unsigned decode_hour(const struct rtc *r, u8 v)
{
	unsigned h;

	if (r->cmos[REG_B] & B_24H)
		return decode(r, v);
	h = decode(r, v & (u8)~PM) % 12;
	return v & PM ? h + 12 : h;
}

/* ---- time ---- */

/* "The divider bits": any other value holds the chain, or is for another crystal. */
static bool chain_runs(const struct rtc *r)
{
	return (r->cmos[REG_A] & A_DIVIDER) == A_RUNNING;
}

static bool counting(const struct rtc *r)
{
	return chain_runs(r) && !(r->cmos[REG_B] & B_SET);
}

static u64 chain_seconds(const struct rtc *r)
{
	return (timerq_now(r->tq) - r->chain) / r->tq->hz;
}

static u64 time_of_day(const struct rtc *r)
{
	return counting(r) ? r->base + chain_seconds(r) : r->frozen;
}

/* The time into its registers, unless what the program wrote in this second still stands there. */
static void store(struct rtc *r)
{
	struct date d;

	if (!counting(r) || r->written == chain_seconds(r))
		return;
	d = to_date(time_of_day(r));
	r->cmos[REG_SEC] = encode(r, d.sec);
	r->cmos[REG_MIN] = encode(r, d.min);
	r->cmos[REG_HOUR] = encode_hour(r, d.hour);
	r->cmos[REG_WDAY] = encode(r, d.wday);
	r->cmos[REG_DAY] = encode(r, d.day);
	r->cmos[REG_MONTH] = encode(r, d.month);
	r->cmos[REG_YEAR] = encode(r, d.year % 100);
	r->cmos[RTC_REG_CENTURY] = encode(r, d.year / 100);
}

static u64 time_of_registers(const struct rtc *r)
{
	struct date d = {
		.sec = decode(r, r->cmos[REG_SEC]),
		.min = decode(r, r->cmos[REG_MIN]),
		.hour = decode_hour(r, r->cmos[REG_HOUR]),
		.day = decode(r, r->cmos[REG_DAY]),
		.month = decode(r, r->cmos[REG_MONTH]),
		.year = decode(r, r->cmos[REG_YEAR]) + decode(r, r->cmos[RTC_REG_CENTURY]) * 100,
	};

	return from_date(&d);
}

/* Counts on from a time of day, at the next update. */
static void go(struct rtc *r, u64 time)
{
	r->seen = chain_seconds(r);
	r->base = time - r->seen;
}

/* What the program wrote. It stands there until the next update. */
static void take_over(struct rtc *r)
{
	r->frozen = time_of_registers(r);
	go(r, r->frozen);
	r->written = r->seen;
}

/* ---- interrupts ---- */

/* "IRQF = PF x PIE + AF x AIE + UF x UIE" */
static void update_irq(struct rtc *r)
{
	bool irq = (r->cmos[REG_C] & r->cmos[REG_B] & C_FLAGS) != 0;

	r->cmos[REG_C] = (u8)((r->cmos[REG_C] & C_FLAGS) | (irq ? C_IRQF : 0));
	r->set_irq(r->ctx, irq);
}

static bool alarm_field(const struct rtc *r, unsigned reg, u64 now)
{
	u8 v = r->cmos[reg];

	if ((v & ALARM_ANY) == ALARM_ANY)
		return true;
	return (reg == REG_HOUR_ALARM ? decode_hour(r, v) : decode(r, v)) == now;
}

static bool alarm_at(const struct rtc *r, u64 t)
{
	return alarm_field(r, REG_SEC_ALARM, t % 60) &&
	       alarm_field(r, REG_MIN_ALARM, t / 60 % 60) &&
	       alarm_field(r, REG_HOUR_ALARM, t / 3600 % 24);
}

/* A day of seconds holds every alarm. */
static bool alarm_within(const struct rtc *r, u64 from, u64 to)
{
	if (to - from > DAY_SECONDS)
		from = to - DAY_SECONDS;
	while (from < to)
		if (alarm_at(r, r->base + ++from))
			return true;
	return false;
}

static void count_updates(struct rtc *r)
{
	u64 now = chain_seconds(r);

	if (!counting(r) || now == r->seen)
		return;
	r->cmos[REG_C] |= C_UF;
	if (!(r->cmos[REG_C] & C_AF) && alarm_within(r, r->seen, now))
		r->cmos[REG_C] |= C_AF;
	r->seen = now;
}

/* Hz of the periodic interrupt, 0 if off ("Periodic Interrupt Rate"). */
static u64 periodic_hz(const struct rtc *r)
{
	unsigned rate = r->cmos[REG_A] & A_RATE;

	if (!rate || !chain_runs(r))
		return 0;
	if (rate <= 2)
		rate += 7;
	return CRYSTAL_HZ >> (rate - 1);
}

static u64 chain_periods(const struct rtc *r, u64 hz)
{
	return muldiv64(timerq_now(r->tq) - r->chain, hz, r->tq->hz);
}

static void count_periods(struct rtc *r)
{
	u64 hz = periodic_hz(r), now;

	if (!hz)
		return;
	now = chain_periods(r, hz);
	if (now != r->periods)
		r->cmos[REG_C] |= C_PF;
	r->periods = now;
}

/* The flags of all that has happened since somebody last looked. */
static void catch_up(struct rtc *r)
{
	count_updates(r);
	count_periods(r);
	update_irq(r);
}

static void schedule(struct rtc *r)
{
	u64 hz = periodic_hz(r);

	if (counting(r) && (r->cmos[REG_B] & (B_UIE | B_AIE)))
		timer_arm(r->tq, &r->update, r->chain + (chain_seconds(r) + 1) * r->tq->hz);
	else
		timer_cancel(r->tq, &r->update);
	/* Rounded up, so that at that TSC the period is really over. */
	if (hz && (r->cmos[REG_B] & B_PIE))
		timer_arm(r->tq, &r->periodic,
			r->chain + muldiv64(chain_periods(r, hz) + 1, r->tq->hz, hz) + 1);
	else
		timer_cancel(r->tq, &r->periodic);
}

static void update_expired(struct timer *t)
{
	struct rtc *r = container_of(t, struct rtc, update);

	catch_up(r);
	schedule(r);
}

static void periodic_expired(struct timer *t)
{
	struct rtc *r = container_of(t, struct rtc, periodic);

	catch_up(r);
	schedule(r);
}

bool rtc_armed(const struct rtc *r)
{
	return timer_armed(&r->update) || timer_armed(&r->periodic);
}

/* ---- registers ---- */

/* "Update In Progress": set for the last 244 us before the second changes. */
static bool updating(const struct rtc *r)
{
	u64 part = (timerq_now(r->tq) - r->chain) % r->tq->hz;

	return counting(r) && part >= r->tq->hz - r->tq->hz * UIP_US / US_PER_S;
}

static u8 read_c(struct rtc *r)
{
	u8 value;

	catch_up(r);
	value = r->cmos[REG_C];
	r->cmos[REG_C] = 0;
	update_irq(r);
	return value;
}

static bool is_time(unsigned reg)
{
	return reg == REG_SEC || reg == REG_MIN || reg == REG_HOUR ||
	       (reg >= REG_WDAY && reg <= REG_YEAR) || reg == RTC_REG_CENTURY;
}

static u8 read_reg(struct rtc *r, unsigned reg)
{
	if (is_time(reg))
		store(r);
	switch (reg) {
	case REG_A: return (u8)(r->cmos[REG_A] | (updating(r) ? A_UIP : 0));
	case REG_C: return read_c(r);
	case REG_D: return D_VALID;
	default: return r->cmos[reg];
	}
}

/* A divider that is let go makes its first update after half a second. */
static void write_a(struct rtc *r, u8 value)
{
	u64 time = time_of_day(r);
	bool ran = chain_runs(r);

	store(r);
	r->cmos[REG_A] = value & (u8)~A_UIP;
	if (!ran && chain_runs(r)) {
		r->chain = timerq_now(r->tq) - r->tq->hz / 2;
		go(r, time);
		r->written = 0;
	}
	r->frozen = time;
	r->periods = chain_periods(r, periodic_hz(r));
}

/* SET holds the time, so that its registers can be written as a whole; the divider runs on. */
static void write_b(struct rtc *r, u8 value)
{
	bool set = value & B_SET, was = r->cmos[REG_B] & B_SET;

	if (set && !was) {
		store(r);
		value &= (u8)~B_UIE;
	}
	r->cmos[REG_B] = value;
	if (was && !set)
		take_over(r);
}

static void write_time(struct rtc *r, unsigned reg, u8 value)
{
	store(r);
	r->cmos[reg] = value;
	take_over(r);
}

static void write_reg(struct rtc *r, unsigned reg, u8 value)
{
	catch_up(r);
	if (reg == REG_A)
		write_a(r, value);
	else if (reg == REG_B)
		write_b(r, value);
	else if (is_time(reg))
		write_time(r, reg, value);
	else if (reg != REG_C && reg != REG_D)
		r->cmos[reg] = value;
	update_irq(r);
	schedule(r);
}

static u8 get(void *dev, u64 offset)
{
	struct rtc *r = dev;

	return offset ? read_reg(r, r->index) : NO_READ;
}

static void put(void *dev, u64 offset, u8 value)
{
	struct rtc *r = dev;

	if (offset) {
		write_reg(r, r->index, value);
		return;
	}
	r->index = value & INDEX_MASK;
	r->nmi_masked = (value & NMI_MASK) != 0;
}

BYTEWISE_OPS(rtc_ops, get, put);

/* ---- power-up ---- */

static void put16(struct rtc *r, unsigned reg, u64 value)
{
	r->cmos[reg] = (u8)value;
	r->cmos[reg + 1] = (u8)(value >> BITS_PER_BYTE);
}

static void store_memory_sizes(struct rtc *r)
{
	u64 low = r->cfg.low_mem, extended = low > MB ? (low - MB) / KB : 0,
	    high = r->cfg.high_mem / BLOCK;

	put16(r, CMOS_BASE_KB, BASE_KB);
	put16(r, CMOS_EXTENDED_KB, MIN(extended, U16_MAX));
	put16(r, CMOS_EXTENDED_KB_POST, MIN(extended, U16_MAX));
	put16(r, CMOS_ABOVE_16MB, low > 16 * MB ? MIN((low - 16 * MB) / BLOCK, U16_MAX) : 0);
	put16(r, CMOS_ABOVE_4GB, high);
	r->cmos[CMOS_ABOVE_4GB + 2] = (u8)(high >> 16);
}

void rtc_reset(struct rtc *r)
{
	catch_up(r);
	r->cmos[REG_B] &= (u8) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	r->cmos[REG_C] = 0;
	r->index = 0;
	r->nmi_masked = false;
	update_irq(r);
	schedule(r);
}

void rtc_init(struct rtc *r, struct timerq *tq, const struct rtc_config *cfg,
	void (*set_irq)(void *ctx, bool level), void *ctx)
{
	memset(r, 0, sizeof(*r));
	r->tq = tq;
	r->cfg = *cfg;
	r->set_irq = set_irq;
	r->ctx = ctx;
	timer_init(&r->update, update_expired);
	timer_init(&r->periodic, periodic_expired);
	r->cmos[REG_A] = A_RUNNING | A_RATE_1024HZ;
	r->cmos[REG_B] = B_24H;
	r->chain = timerq_now(tq);
	r->base = cfg->wallclock();
	r->written = NEVER;
	store_memory_sizes(r);
}
