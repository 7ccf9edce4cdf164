/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of the C library's string.h that a freestanding program needs; same contracts. */
#ifndef HV_LIB_STRING_H
#define HV_LIB_STRING_H

#include "hv/lib/util.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

#endif
