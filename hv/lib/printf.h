/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted output to a bounded buffer. Conversions: d i u x X o c s p %, flags "-0# +", width and
 * precision (also '*'), lengths hh h l ll z. The result is always terminated when size > 0; the
 * return value is the length that the whole text would have had (as in C).
 */
#ifndef HV_LIB_PRINTF_H
#define HV_LIB_PRINTF_H

#include <stdarg.h>
#include "hv/lib/util.h"

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
