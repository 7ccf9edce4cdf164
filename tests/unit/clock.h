/* SPDX-License-Identifier: BSD-2-Clause */
/* A clock for timer queues that stands until the test moves it. */
#ifndef TESTS_UNIT_CLOCK_H
#define TESTS_UNIT_CLOCK_H

#include "hv/cpu/timer.h"

static u64 clock_now;

static inline u64 now(const struct timerq *q)
{
	(void)q;
	return clock_now;
}

#endif
