/* SPDX-License-Identifier: BSD-2-Clause */
/* Time: the time-stamp counter, calibrated once at boot, and the date from the real-time clock. */
#ifndef HV_CPU_TSC_H
#define HV_CPU_TSC_H

#include "hv/cpu/acpi.h"
#include "hv/lib/util.h"

void tsc_start(void); /* uptime_us() counts from here */

/*
 * Measures the TSC (and the LAPIC's timer, where that cannot wait for a TSC value) against the ACPI
 * PM timer, or the PIT where there is none, to better than 0.1 %, and reads the real-time clock.
 * After lapic_init_cpu(). False: there is nothing to measure against.
 */
bool tsc_init(const struct acpi_info *acpi);

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
