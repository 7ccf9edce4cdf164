/* SPDX-License-Identifier: BSD-2-Clause */
/* The physical local APIC, in x2APIC mode where the CPU has it, else through its page. */
#ifndef HV_CPU_LAPIC_H
#define HV_CPU_LAPIC_H

#include "hv/cpu/acpi.h"
#include "hv/lib/util.h"

/* Once, on the boot processor, before lapic_init_cpu(): decides between x2APIC and the page at
 * acpi->lapic. */
void apic_init(const struct acpi_info *acpi);

/* On each CPU: software-enables the APIC with everything masked but NMI on LINT1. */
void lapic_init_cpu(void);

u32 lapic_id(void);
void lapic_eoi(void);

/* ICR low words for lapic_ipi() ("Interrupt Command Register (ICR)"). */
#define ICR_FIXED(vector) (0x4000u | (vector))
#define ICR_NMI		  0x4400u
#define ICR_INIT	  0x4500u
#define ICR_SIPI(page)	  (0x4600u | (page)) /* page: physical address >> 12 */

/* Sends an interprocessor interrupt and waits until it has been accepted. */
void lapic_ipi(u32 apic_id, u32 icr);
void lapic_ipi_others(u32 icr); /* all but this CPU */

bool lapic_has_deadline(void); /* the timer takes a TSC value */
void lapic_timer_calibrate(
	u64 us, u64 ticks);	   /* so many timer ticks pass in so many microseconds */
u32 lapic_timer_start_count(void); /* lets the timer run down, masked; returns the initial count */
u32 lapic_timer_count(void);

/* VECTOR_TIMER comes when the TSC reaches deadline (sooner is possible); TIMER_NEVER turns the
 * timer off. */
void lapic_timer_set(u64 deadline);

#endif
