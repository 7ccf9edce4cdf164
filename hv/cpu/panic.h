/* SPDX-License-Identifier: BSD-2-Clause */
/* panic() (hv/ctl/log.h) in two halves, for callers that have more to print than a backtrace. */
#ifndef HV_CPU_PANIC_H
#define HV_CPU_PANIC_H

#include "hv/lib/printf.h"
#include "hv/lib/util.h"

/* Stops the other CPUs and prints the first line, which is also the reason given at the end. */
void panic_begin(const char *fmt, ...) __printf(1, 2);

/* Switches the machine off with status 1 and that reason. */
__noreturn void panic_end(void);

/* Gives the compiler's stack protector a secret of this boot. Its caller must never return. */
void stack_protector_init(void);

#endif
