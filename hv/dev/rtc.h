/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818 real-time clock and its 128 bytes of CMOS memory. The time of day is the wall clock
 * at power-up plus the TSC since; it is converted to registers when they are read. What differs
 * from the chip: the day of the week follows from the date, dates before 1970 become 1 January
 * 1970, an update takes no time, and there is no daylight saving. Source: the MC146818A data sheet;
 * the century at 0x32 and the memory sizes as PC firmware has them.
 */
#ifndef HV_DEV_RTC_H
#define HV_DEV_RTC_H

#include "hv/cpu/timer.h"
#include "hv/dev/bus.h"
#include "hv/lib/util.h"

#define RTC_PORT	0x70
#define RTC_PORTS	2
#define RTC_CMOS_SIZE	128
#define RTC_REG_CENTURY 0x32

struct rtc_config {
	u64 (*wallclock)(void); /* seconds since 1970, UTC; called at init */
	u64 low_mem;		/* bytes of RAM below 4 GB, for the CMOS memory sizes */
	u64 high_mem;		/* bytes of RAM above 4 GB */
};

/*
 * The divider chain counts seconds from `chain`, and so do all intervals here: the time of day is
 * base + those seconds. Sums may wrap.
 */
struct rtc {
	u8 cmos[RTC_CMOS_SIZE]; /* time registers as last stored; live ones are computed */
	u8 index;		/* 0..127 */
	bool nmi_masked;	/* port 0x70 bit 7, as last written */
	u64 chain;   /* TSC when the divider started, half a second before its first update */
	u64 base;    /* seconds since 1970 */
	u64 frozen;  /* the time of day while it stands still */
	u64 written; /* the second in which the program wrote time registers */
	u64 seen;    /* the second up to which updates have been counted */
	u64 periods; /* of the periodic interrupt, that have been counted */
	struct timer update; /* next second that an interrupt waits for */
	struct timer periodic;
	struct timerq *tq;
	struct rtc_config cfg;
	void (*set_irq)(void *ctx, bool level);
	void *ctx;
};

/* set_irq: IRQ 8. cfg is copied. */
void rtc_init(struct rtc *r, struct timerq *tq, const struct rtc_config *cfg,
	void (*set_irq)(void *ctx, bool level), void *ctx);
/* A reset of the machine: interrupts off, the time runs on, memory is kept (it has a battery). */
void rtc_reset(struct rtc *r);

/* Ports, dev = struct rtc. */
extern const struct io_ops rtc_ops; /* RTC_PORT, RTC_PORTS */

/* True if an interrupt of the clock is enabled and will come. */
bool rtc_armed(const struct rtc *r);

#endif
