/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HV_CPU_IDLE_H
#define HV_CPU_IDLE_H

#include "hv/lib/util.h"

/*
 * Gives this CPU up: HLT with interrupts enabled until an interrupt has been handled or the TSC has
 * reached deadline_tsc (TIMER_NEVER: no deadline), and returns with interrupts disabled. Called
 * with interrupts disabled; an interrupt that became pending since then ends it at once, so that a
 * test for work before the call cannot miss a wake-up. May return early: the caller looks again.
 */
void cpu_idle(u64 deadline_tsc);

#endif
