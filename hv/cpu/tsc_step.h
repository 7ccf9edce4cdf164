/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Are the processors' time-stamp counters in step? One asks, and reads its counter before and
 * after; the other reads its own in between:
 *
 *   ours     before ------------------- after
 *                  \                   /
 *   theirs          `---- theirs -----'        before <= theirs - ahead <= after
 *
 * So each exchange bounds how far the other one is ahead from both sides, and many of them narrow
 * the bounds down to about the time that a message takes. In step: 0 lies within them, so that no
 * message could ever show its receiver a time that has yet to come; which is what a guest looks for
 * when it compares clocks.
 */
#ifndef HV_CPU_TSC_STEP_H
#define HV_CPU_TSC_STEP_H

#include "hv/lib/util.h"

/* How far the other counter is ahead of ours, in ticks: from low to high. */
struct tsc_step {
	s64 low, high;
};

#define TSC_STEP_UNKNOWN ((struct tsc_step){ INT64_MIN, INT64_MAX })

/* After one more exchange. */
static inline void tsc_step_narrow(struct tsc_step *s, u64 before, u64 theirs, u64 after)
{
	s->low = MAX(s->low, (s64)(theirs - after));
	s->high = MIN(s->high, (s64)(theirs - before));
}

/* False also where the bounds exclude each other: one of the counters was changed meanwhile. */
static inline bool tsc_step_none(const struct tsc_step *s)
{
	return s->low <= 0 && 0 <= s->high;
}

/*
 * Measures all processors against this one, which is the boot CPU, when they are idle
 * (hv/cpu/smp.h) and says in the log what it has found.
 */
void tsc_step_measure(void);

/* Whether all are in step, as of then. One processor is. */
bool tsc_in_step(void);

#endif
