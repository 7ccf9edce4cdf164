/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted output against the C library's: every flag with widths, precisions, lengths and
 * values, and the bound of the buffer. It is included under another name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define vsnprintf hv_vsnprintf
#define snprintf  hv_snprintf
#include "hv/lib/printf.c"
#undef vsnprintf
#undef snprintf

/* Formats are made at run time here, and some are wrong on purpose. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-overflow"

#define COMPARE(fmt, ...)                                                                          \
	do {                                                                                       \
		char _want[128], _got[128];                                                        \
		int _w = snprintf(_want, sizeof(_want), fmt, __VA_ARGS__);                         \
		int _g = hv_snprintf(_got, sizeof(_got), fmt, __VA_ARGS__);                        \
		if (_w != _g || strcmp(_want, _got))                                               \
			fail_msg(                                                                  \
				"\"%s\": \"%s\" (%d), not \"%s\" (%d)", fmt, _got, _g, _want, _w); \
	} while (0)

static const char *const widths[] = { "", "1", "7", "25" };
static const char *const precisions[] = { "", ".", ".0", ".1", ".5", ".20" };

/* The format for a set of flags; false if C leaves the combination undefined. */
static bool make(
	char *fmt, size_t size, unsigned flags, unsigned w, unsigned p, const char *len, char conv)
{
	bool is_signed = strchr("di", conv);

	if ((flags & 4) && (is_signed || conv == 'u'))
		return false; /* '#' */
	if ((flags & 24) && !is_signed)
		return false; /* '+' and ' ' */
	snprintf(fmt, size, "%%%s%s%s%s%s%s%s%s%c", flags & 1 ? "-" : "", flags & 2 ? "0" : "",
		flags & 4 ? "#" : "", flags & 8 ? "+" : "", flags & 16 ? " " : "", widths[w],
		precisions[p], len, conv);
	return true;
}

static void one_number(const char *fmt, const char *len, u64 v)
{
	if (len[0] == 'l' || len[0] == 'z')
		COMPARE(fmt, v);
	else
		COMPARE(fmt, (unsigned)v);
}

static void numbers(void **state)
{
	static const u64 values[] = { 0, 1, 8, 255, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff,
		BIT(63), BIT(63) - 1, ~0ul, 1234567890123456789ul };
	static const char *const lens[] = { "", "hh", "h", "l", "ll", "z" };
	static const char convs[] = "diuxXo";
	char fmt[40];

	(void)state;
	for (unsigned n = 0; n < 32 * ARRAY_SIZE(widths) * ARRAY_SIZE(precisions); n++) {
		unsigned flags = n % 32, w = n / 32 % ARRAY_SIZE(widths);
		unsigned p = n / 32 / ARRAY_SIZE(widths);

		for (unsigned l = 0; l < ARRAY_SIZE(lens); l++) {
			for (const char *c = convs; *c; c++) {
				if (!make(fmt, sizeof(fmt), flags, w, p, lens[l], *c))
					continue;
				for (unsigned v = 0; v < ARRAY_SIZE(values); v++)
					one_number(fmt, lens[l], values[v]);
			}
		}
	}
}

static void text(void **state)
{
	static const char unterminated[3] = { 'x', 'y', 'z' };

	(void)state;
	COMPARE("%s|%10s|%-10s|%.2s|%.0s|%5.1s", "abc", "abc", "abc", "abc", "abc", "abc");
	COMPARE("%c|%5c|%-5c|", 'a', 'b', 'c');
	COMPARE("%.3s|%.*s", unterminated, 3, unterminated);
	COMPARE("100%% of %d", 7);
	COMPARE("%*d|%-*d|%*d|%.*d|%.*d", 6, 1, 6, 2, -6, 3, 4, 5, -4, 6);
	COMPARE("%p|%20p|%-20p|", (void *)0x1234, (void *)~0ul, (void *)1);
	COMPARE("%s", "");
}

/* Where C leaves it open, or where we differ. */
static void ours(void **state)
{
	char buf[64];

	(void)state;
	hv_snprintf(buf, sizeof(buf), "%s", (char *)NULL);
	assert_string_equal(buf, "(null)");
	hv_snprintf(buf, sizeof(buf), "%p", NULL);
	assert_string_equal(buf, "0x0");
	hv_snprintf(buf, sizeof(buf), "a%kb");
	assert_string_equal(buf, "a%kb");
	assert_int_equal(hv_snprintf(buf, sizeof(buf), "cut%"), 3);
	assert_string_equal(buf, "cut");
	assert_int_equal(hv_snprintf(buf, sizeof(buf), "cut%-08.3l"), 3);
}

static void never_past_the_end(void **state)
{
	char buf[32];

	(void)state;
	for (size_t size = 0; size < 20; size++) {
		memset(buf, '#', sizeof(buf));
		assert_int_equal(hv_snprintf(buf, size, "%s-%05d", "0123456", -42), 13);
		for (size_t i = size; i < sizeof(buf); i++)
			assert_int_equal(buf[i], '#');
		if (size)
			assert_int_equal(strlen(buf), MIN(size - 1, 13ul));
		assert_memory_equal(buf, "0123456--0042", size ? MIN(size - 1, 13ul) : 0);
	}
	assert_int_equal(hv_snprintf(NULL, 0, "%100d", 1), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(text),
		cmocka_unit_test(ours),
		cmocka_unit_test(never_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
