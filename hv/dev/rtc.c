/* SPDX-License-Identifier: BSD-2-Clause */
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

#define A_UIP	    0x80
#define A_DIVIDER   0x70
#define A_RUNNING   0x20 /* a 32768 Hz crystal */
#define A_RATE	    0x0f
#define B_SET	    0x80
#define B_PIE	    0x40
#define B_AIE	    0x20
#define B_UIE	    0x10
#define B_BINARY    0x04
#define B_24H	    0x02
#define C_IRQF	    0x80
#define C_PF	    0x40
#define C_AF	    0x20
#define C_UF	    0x10
#define D_VALID	    0x80
#define PM	    0x80 /* of an hour in 12-hour mode */
#define ALARM_ANY   0xc0 /* "don't care" */
#define CRYSTAL_HZ  32768ul
#define UIP_US	    244ul
#define INDEX_MASK  0x7f
#define NMI_MASK    0x80
#define DAY_SECONDS 86400ul

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

static bool running(const struct rtc *r)
{
	return !(r->cmos[REG_B] & B_SET) && (r->cmos[REG_A] & A_DIVIDER) == A_RUNNING;
}

static u64 seconds(const struct rtc *r)
{
	if (!running(r))
		return r->epoch;
	return r->epoch + (timerq_now(r->tq) - r->origin) / r->tq->hz;
}

static void store(struct rtc *r)
{
	struct date d = to_date(seconds(r));

	r->cmos[REG_SEC] = encode(r, d.sec);
	r->cmos[REG_MIN] = encode(r, d.min);
	r->cmos[REG_HOUR] = encode_hour(r, d.hour);
	r->cmos[REG_WDAY] = encode(r, d.wday);
	r->cmos[REG_DAY] = encode(r, d.day);
	r->cmos[REG_MONTH] = encode(r, d.month);
	r->cmos[REG_YEAR] = encode(r, d.year % 100);
	r->cmos[RTC_REG_CENTURY] = encode(r, d.year / 100);
}

static void set_clock(struct rtc *r)
{
	struct date d = {
		.sec = decode(r, r->cmos[REG_SEC]),
		.min = decode(r, r->cmos[REG_MIN]),
		.hour = decode_hour(r, r->cmos[REG_HOUR]),
		.day = decode(r, r->cmos[REG_DAY]),
		.month = decode(r, r->cmos[REG_MONTH]),
		.year = decode(r, r->cmos[REG_YEAR]) + decode(r, r->cmos[RTC_REG_CENTURY]) * 100,
	};

	r->epoch = from_date(&d);
	r->origin = timerq_now(r->tq);
	r->seen = r->epoch;
}

/* ---- interrupts ---- */

static void flag(struct rtc *r, u8 bits)
{
	r->cmos[REG_C] |= bits;
	if (r->cmos[REG_C] & r->cmos[REG_B] & (C_PF | C_AF | C_UF)) {
		r->cmos[REG_C] |= C_IRQF;
		r->set_irq(r->ctx, true);
	}
}

static bool alarm_field(const struct rtc *r, unsigned reg, unsigned now)
{
	u8 v = r->cmos[reg];

	if ((v & ALARM_ANY) == ALARM_ANY)
		return true;
	return (reg == REG_HOUR_ALARM ? decode_hour(r, v) : decode(r, v)) == now;
}

static bool alarm_at(const struct rtc *r, u64 t)
{
	struct date d = to_date(t);

	return alarm_field(r, REG_SEC_ALARM, d.sec) && alarm_field(r, REG_MIN_ALARM, d.min) &&
	       alarm_field(r, REG_HOUR_ALARM, d.hour);
}

/* Counts the seconds that have passed since someone last looked; a day of them holds every alarm.
 */
static void catch_up(struct rtc *r)
{
	u64 now = seconds(r), from;

	if (now <= r->seen)
		return;
	from = now - r->seen > DAY_SECONDS ? now - DAY_SECONDS : r->seen;
	if (!(r->cmos[REG_C] & C_AF))
		for (u64 t = from + 1; t <= now; t++)
			if (alarm_at(r, t)) {
				flag(r, C_AF);
				break;
			}
	r->seen = now;
	flag(r, C_UF);
}

static void schedule_update(struct rtc *r)
{
	if (!running(r) || !(r->cmos[REG_B] & (B_UIE | B_AIE))) {
		timer_cancel(r->tq, &r->update);
		return;
	}
	timer_arm(r->tq, &r->update, r->origin + (seconds(r) - r->epoch + 1) * r->tq->hz);
}

static void update_expired(struct timer *t)
{
	struct rtc *r = container_of(t, struct rtc, update);

	catch_up(r);
	schedule_update(r);
}

/* Hz of the periodic interrupt, 0 if off ("Periodic Interrupt Rate"). */
static u64 periodic_hz(const struct rtc *r)
{
	unsigned rate = r->cmos[REG_A] & A_RATE;

	if (!rate)
		return 0;
	if (rate <= 2)
		rate += 7;
	return CRYSTAL_HZ >> (rate - 1);
}

static void schedule_periodic(struct rtc *r)
{
	u64 hz = periodic_hz(r);

	if (!hz || !(r->cmos[REG_B] & B_PIE)) {
		timer_cancel(r->tq, &r->periodic);
		return;
	}
	r->pie_count = muldiv64(timerq_now(r->tq) - r->pie_origin, hz, r->tq->hz);
	timer_arm(
		r->tq, &r->periodic, r->pie_origin + muldiv64(r->pie_count + 1, r->tq->hz, hz) + 1);
}

static void periodic_expired(struct timer *t)
{
	struct rtc *r = container_of(t, struct rtc, periodic);

	flag(r, C_PF);
	schedule_periodic(r);
}

bool rtc_armed(const struct rtc *r)
{
	return timer_armed(&r->update) || timer_armed(&r->periodic);
}

/* ---- registers ---- */

/* "Update In Progress": set for the last 244 us before the second changes. */
static bool updating(const struct rtc *r)
{
	u64 part;

	if (!running(r))
		return false;
	part = (timerq_now(r->tq) - r->origin) % r->tq->hz;
	return part >= r->tq->hz - r->tq->hz * UIP_US / 1000000;
}

static u8 read_c(struct rtc *r)
{
	u64 hz = periodic_hz(r);
	u8 value;

	catch_up(r);
	/* The flag also tells of periods when the interrupt is off. */
	if (hz && !(r->cmos[REG_B] & B_PIE) &&
		muldiv64(timerq_now(r->tq) - r->pie_origin, hz, r->tq->hz) > r->pie_count) {
		r->pie_count = muldiv64(timerq_now(r->tq) - r->pie_origin, hz, r->tq->hz);
		r->cmos[REG_C] |= C_PF;
	}
	value = r->cmos[REG_C];
	r->cmos[REG_C] = 0;
	r->set_irq(r->ctx, false);
	return value;
}

static bool is_time(unsigned reg)
{
	return reg == REG_SEC || reg == REG_MIN || reg == REG_HOUR ||
	       (reg >= REG_WDAY && reg <= REG_YEAR) || reg == RTC_REG_CENTURY;
}

static u8 read_reg(struct rtc *r, unsigned reg)
{
	if (is_time(reg) && !(r->cmos[REG_B] & B_SET))
		store(r);
	switch (reg) {
	case REG_A: return (u8)(r->cmos[REG_A] | (updating(r) ? A_UIP : 0));
	case REG_C: return read_c(r);
	case REG_D: return D_VALID;
	default: return r->cmos[reg];
	}
}

/* SET stops the updates, so that the registers can be written as a whole; clearing it takes them
 * over. */
static void write_b(struct rtc *r, u8 value)
{
	u8 old = r->cmos[REG_B];

	if ((value & B_SET) && !(old & B_SET)) {
		store(r);
		r->epoch = seconds(r);
		value &= (u8)~B_UIE;
	}
	r->cmos[REG_B] = value;
	if (!(value & B_SET) && (old & B_SET))
		set_clock(r);
	flag(r, 0);
	schedule_update(r);
	schedule_periodic(r);
}

static void write_a(struct rtc *r, u8 value)
{
	u64 now = seconds(r);

	r->cmos[REG_A] = value & (u8)~A_UIP;
	r->epoch = now;
	r->origin = timerq_now(r->tq);
	r->pie_origin = r->origin;
	r->pie_count = 0;
	schedule_update(r);
	schedule_periodic(r);
}

static void write_reg(struct rtc *r, unsigned reg, u8 value)
{
	switch (reg) {
	case REG_A: write_a(r, value); return;
	case REG_B: write_b(r, value); return;
	case REG_C:
	case REG_D: return;
	default: break;
	}
	if (is_time(reg) && !(r->cmos[REG_B] & B_SET)) {
		store(r);
		r->cmos[reg] = value;
		set_clock(r);
		schedule_update(r);
		return;
	}
	r->cmos[reg] = value;
}

static u64 port_read(void *dev, u64 offset, unsigned size)
{
	struct rtc *r = dev;

	(void)size;
	return offset ? read_reg(r, r->index) : 0xff;
}

static void port_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct rtc *r = dev;

	(void)size;
	if (offset) {
		write_reg(r, r->index, (u8)value);
		return;
	}
	r->index = value & INDEX_MASK;
	r->nmi_masked = (value & NMI_MASK) != 0;
}

const struct io_ops rtc_ops = { .read = port_read, .write = port_write };

/* ---- power-up ---- */

static void put16(struct rtc *r, unsigned reg, u64 value)
{
	r->cmos[reg] = (u8)value;
	r->cmos[reg + 1] = (u8)(value >> 8);
}

/* Where PC firmware keeps the sizes of memory. */
static void store_memory_sizes(struct rtc *r)
{
	u64 low = r->cfg.low_mem, extended = low > MB ? (low - MB) / KB : 0;

	put16(r, 0x15, 640);
	put16(r, 0x17, MIN(extended, 0xfffful));
	put16(r, 0x30, MIN(extended, 0xfffful));
	put16(r, 0x34, low > 16 * MB ? (low - 16 * MB) / (64 * KB) : 0);
	put16(r, 0x5b, r->cfg.high_mem / (64 * KB));
	r->cmos[0x5d] = (u8)(r->cfg.high_mem / (64 * KB) >> 16);
}

void rtc_reset(struct rtc *r)
{
	r->cmos[REG_B] &= (u8) ~(B_PIE | B_AIE | B_UIE);
	r->cmos[REG_C] = 0;
	r->index = 0;
	r->set_irq(r->ctx, false);
	schedule_update(r);
	schedule_periodic(r);
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
	r->cmos[REG_A] = A_RUNNING | 6; /* 1024 Hz */
	r->cmos[REG_B] = B_24H;
	r->epoch = cfg->wallclock();
	r->seen = r->epoch;
	r->origin = timerq_now(tq);
	r->pie_origin = r->origin;
	store_memory_sizes(r);
}
