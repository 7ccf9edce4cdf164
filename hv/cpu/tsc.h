/* SPDX-License-Identifier: BSD-2-Clause */
/* Time: the time-stamp counter, calibrated once at boot, and the date from the real-time clock. */
#ifndef HV_CPU_TSC_H
#define HV_CPU_TSC_H

#include "hv/cpu/acpi.h"
#include "hv/lib/util.h"

/*
 * Measures the TSC against the ACPI PM timer, or the PIT where there is none, to better than 0.1 %,
 * and reads the real-time clock. machine_off() if there is nothing to measure against.
 */
void tsc_init(const struct acpi_info *acpi);

u64 tsc_hz(void);    /* ticks a second; 0 before tsc_init() */
u64 tsc_now(void);   /* RDTSC */
u64 uptime_us(void); /* microseconds since the hypervisor was entered; 0 before tsc_init() */
u64 wallclock(void); /* seconds since 1970, UTC; the RTC is taken to run on UTC */

/* Waits, without HLT. Before tsc_init() it must not be called. */
void delay_us(u64 us);

/* Ticks of the LAPIC timer (divided by 1) in a second; 0 when the deadline mode makes it needless.
 */
u64 lapic_timer_hz(void);

#endif
