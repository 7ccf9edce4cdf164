/* SPDX-License-Identifier: BSD-2-Clause */
/* The few words that every file uses: integer types, bits, alignment, checked attributes. */
#ifndef HV_LIB_UTIL_H
#define HV_LIB_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n)	      (1ul << (n))
#define GENMASK(h, l) (((~0ul) << (l)) & (~0ul >> (63 - (h))))
#define KB	      (1024ul)
#define MB	      (1024ul * KB)
#define GB	      (1024ul * MB)

#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) _min_a = (a);                                                        \
		__typeof__(b) _min_b = (b);                                                        \
		_min_a < _min_b ? _min_a : _min_b;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) _max_a = (a);                                                        \
		__typeof__(b) _max_b = (b);                                                        \
		_max_a > _max_b ? _max_a : _max_b;                                                 \
	})

/* n must be a power of two. */
#define ALIGN_DOWN(x, n)   ((x) & ~((__typeof__(x))(n)-1))
#define ALIGN_UP(x, n)	   ALIGN_DOWN((x) + (__typeof__(x))(n)-1, n)
#define IS_ALIGNED(x, n)   (((x) & ((__typeof__(x))(n)-1)) == 0)
#define IS_POW2(x)	   ((x) != 0 && ((x) & ((x)-1)) == 0)
#define DIV_ROUND_UP(x, n) (((x) + (n)-1) / (n))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define __packed       __attribute__((packed))
#define __aligned(n)   __attribute__((aligned(n)))
#define __noreturn     __attribute__((noreturn))
#define __must_check   __attribute__((warn_unused_result))
#define __unused       __attribute__((unused))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)
#define static_assert _Static_assert

#define barrier()	 __asm__ volatile("" ::: "memory") /* compiler only */
#define READ_ONCE(x)	 (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/*
 * muldiv64(): a * b / c with a 128-bit intermediate; a result over 64 bits saturates.
 * c must not be 0.
 */
static inline u64 muldiv64(u64 a, u64 b, u64 c)
{
	u64 hi, lo, q, r;

	/* MUL and DIV rather than __int128, whose division needs libgcc. */
	__asm__("mulq %3" : "=d"(hi), "=a"(lo) : "a"(a), "r"(b) : "cc");
	if (hi >= c)
		return ~0ul;
	__asm__("divq %4" : "=a"(q), "=d"(r) : "d"(hi), "a"(lo), "r"(c) : "cc");
	return q;
}

#endif
