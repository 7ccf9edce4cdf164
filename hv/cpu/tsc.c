/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast the TSC runs, by counting it against a clock of known frequency for WINDOW_MS: the ACPI
 * PM timer (ACPI Specification, "Power Management Timer"), or channel 2 of the PIT (8254).
 */
#include "hv/cpu/tsc.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/lapic.h"
#include "hv/ctl/log.h"

#define US_PER_S   1000000ul
#define WINDOW_MS  20
#define PM_HZ	   3579545ul
#define PM_MASK	   0xffffffu
#define POLL_LIMIT 50000000u

#define PIT_HZ	      1193182ul
#define PIT_CH2	      0x42
#define PIT_COMMAND   0x43
#define PIT_CH2_MODE0 0xb0 /* channel 2, low then high byte, mode 0, binary */
#define PIT_GATE      0x61
#define GATE_CH2      BIT(0)
#define GATE_SPEAKER  BIT(1)
#define GATE_OUT2     BIT(5)

static u64 hz, started, epoch; /* epoch: seconds since 1970 when `started` was read */

/* What passed during the window. */
struct window {
	u64 tsc, lapic; /* ticks of each */
	u64 us;
};

static u32 pm_read(u16 port)
{
	return inl(port) & PM_MASK;
}

/* Waits for the timer's next step, so that TSC and timer are read together. */
static bool pm_edge(u16 port, u32 *value)
{
	u32 before = pm_read(port);

	for (unsigned i = 0; i < POLL_LIMIT; i++) {
		*value = pm_read(port);
		if (*value != before)
			return true;
	}
	return false;
}

static bool window_pm(u16 port, struct window *w)
{
	u32 first, now, lapic;
	u64 ticks;

	if (!pm_edge(port, &first))
		return false;
	w->tsc = rdtsc();
	lapic = lapic_timer_start_count();
	do {
		if (!pm_edge(port, &now))
			return false;
		ticks = (now - first) & PM_MASK;
	} while (ticks < PM_HZ * WINDOW_MS / 1000);
	w->tsc = rdtsc() - w->tsc;
	w->lapic = lapic - lapic_timer_count();
	w->us = muldiv64(ticks, US_PER_S, PM_HZ);
	hz = muldiv64(w->tsc, PM_HZ, ticks);
	return true;
}

static bool window_pit(struct window *w)
{
	const u16 count = PIT_HZ * WINDOW_MS / 1000;
	u8 gate = inb(PIT_GATE);
	u32 lapic;
	unsigned polls = 0;

	/* In mode 0 the output goes up when the count has run down; writing the count starts it. */
	outb(PIT_GATE, (u8)((gate & ~GATE_SPEAKER) | GATE_CH2));
	outb(PIT_COMMAND, PIT_CH2_MODE0);
	outb(PIT_CH2, (u8)count);
	outb(PIT_CH2, (u8)(count >> 8));
	w->tsc = rdtsc();
	lapic = lapic_timer_start_count();
	while (!(inb(PIT_GATE) & GATE_OUT2))
		if (++polls == POLL_LIMIT)
			return false;
	w->tsc = rdtsc() - w->tsc;
	w->lapic = lapic - lapic_timer_count();
	outb(PIT_GATE, gate);
	w->us = muldiv64(count, US_PER_S, PIT_HZ);
	hz = muldiv64(w->tsc, PIT_HZ, count);
	return polls > 1;
}

/* ---- real-time clock (MC146818) ---- */

#define CMOS_INDEX   0x70
#define CMOS_DATA    0x71
#define RTC_SEC	     0x00
#define RTC_MIN	     0x02
#define RTC_HOUR     0x04
#define RTC_DAY	     0x07
#define RTC_MONTH    0x08
#define RTC_YEAR     0x09
#define RTC_A	     0x0a
#define RTC_B	     0x0b
#define RTC_A_UIP    BIT(7)
#define RTC_B_24H    BIT(1)
#define RTC_B_BINARY BIT(2)
#define RTC_PM	     0x80
#define DAY_S	     86400ul
#define RTC_TRIES    10

static u8 cmos_read(u8 index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

struct rtc {
	u8 sec, min, hour, day, month, year, century;
};

static bool rtc_same(const struct rtc *a, const struct rtc *b)
{
	return a->sec == b->sec && a->min == b->min && a->hour == b->hour && a->day == b->day &&
	       a->month == b->month && a->year == b->year && a->century == b->century;
}

static void rtc_read_once(struct rtc *r, u8 century)
{
	for (unsigned i = 0; i < POLL_LIMIT / 1000 && (cmos_read(RTC_A) & RTC_A_UIP); i++)
		cpu_relax();
	r->sec = cmos_read(RTC_SEC);
	r->min = cmos_read(RTC_MIN);
	r->hour = cmos_read(RTC_HOUR);
	r->day = cmos_read(RTC_DAY);
	r->month = cmos_read(RTC_MONTH);
	r->year = cmos_read(RTC_YEAR);
	r->century = century ? cmos_read(century) : 0;
}

static u8 from_bcd(u8 v)
{
	return (u8)((v >> 4) * 10 + (v & 0xf));
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static u64 days_since_1970(u64 year, u64 month, u64 day)
{
	/* Count years from March on, so that the leap day is the last one. */
	u64 y = month <= 2 ? year - 1 : year;
	u64 m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + (day - 1) - 719468;
}

static u64 rtc_seconds(u8 century_index)
{
	struct rtc r, again;
	u8 b = cmos_read(RTC_B), hour;
	u64 year;

	/* Read twice alike: no update came in between. */
	rtc_read_once(&r, century_index);
	for (unsigned i = 0; i < RTC_TRIES; i++) {
		rtc_read_once(&again, century_index);
		if (rtc_same(&r, &again))
			break;
		r = again;
	}
	hour = r.hour & (u8)~RTC_PM;
	if (!(b & RTC_B_BINARY)) {
		r.sec = from_bcd(r.sec);
		r.min = from_bcd(r.min);
		hour = from_bcd(hour);
		r.day = from_bcd(r.day);
		r.month = from_bcd(r.month);
		r.year = from_bcd(r.year);
		r.century = from_bcd(r.century);
	}
	if (!(b & RTC_B_24H))
		hour = (u8)(hour % 12 + (r.hour & RTC_PM ? 12 : 0));
	year = (r.century >= 19 && r.century <= 30 ? r.century : 20) * 100ul + r.year;
	if (r.month < 1 || r.month > 12 || r.day < 1 || r.day > 31)
		return 0;
	return days_since_1970(year, r.month, r.day) * DAY_S + hour * 3600ul + r.min * 60ul + r.sec;
}

/* ---- what the others ask ---- */

void tsc_start(void)
{
	started = rdtsc();
}

bool tsc_init(const struct acpi_info *acpi)
{
	struct window w;

	if (!(acpi->pm_timer && window_pm(acpi->pm_timer, &w)) && !window_pit(&w))
		return false;
	lapic_timer_calibrate(w.us, w.lapic);
	epoch = rtc_seconds(acpi->century) - uptime_us() / US_PER_S;
	return true;
}

u64 tsc_hz(void)
{
	return hz;
}

u64 tsc_now(void)
{
	return rdtsc();
}

u64 uptime_us(void)
{
	return hz ? muldiv64(rdtsc() - started, US_PER_S, hz) : 0;
}

u64 wallclock(void)
{
	return epoch + uptime_us() / US_PER_S;
}

void delay_us(u64 us)
{
	u64 start = rdtsc(), ticks = muldiv64(us, hz, US_PER_S);

	while (rdtsc() - start < ticks)
		cpu_relax();
}
