/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI fixed hardware: PM1 event and control registers, the PM timer, the power button and the soft
 * off. There is no SMI: the machine is always in ACPI mode. Source: ACPI 6.3, section "ACPI
 * Register Model".
 */
#ifndef HV_DEV_PM_H
#define HV_DEV_PM_H

#include "hv/cpu/timer.h"
#include "hv/dev/bus.h"
#include "hv/dev/wire.h"

#define PM_PORTS       16 /* at LAYOUT_PM_BASE */
#define PM_EVENT       0  /* status, then enable: two bytes each */
#define PM_EVENT_LEN   4
#define PM_CONTROL     4
#define PM_CONTROL_LEN 2
#define PM_TIMER       8
#define PM_TIMER_LEN   4
#define PM_TIMER_HZ    3579545ul
#define PM_SLP_TYP_S5  5 /* what \_S5 in the DSDT says */

struct pm {
	u16 status, enable, control;
	u64 origin;	  /* TSC when the PM timer was 0 */
	u64 seen_carries; /* changes of the timer's top bit that TMR_STS has shown */
	struct timerq *tq;
	struct timer carry;
	struct wire sci;
	void (*power_off)(void *ctx);
	void *ctx;
};

extern const struct io_ops pm_io; /* PM_PORTS ports; dev is a struct pm */

/* power_off() is called when the guest enters S5; sci is copied. */
void pm_init(struct pm *pm, struct timerq *tq, const struct wire *sci, void (*power_off)(void *ctx),
	void *ctx);
void pm_reset(struct pm *pm);
void pm_destroy(struct pm *pm); /* takes its timer off the queue */

void pm_power_button(struct pm *pm); /* pressed */

#endif
