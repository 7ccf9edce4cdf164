/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The freestanding string functions against the C library's, at every alignment and overlap. They
 * are included under other names, since the C library has these.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#define memcpy	hv_memcpy
#define memmove hv_memmove
#define memset	hv_memset
#define memcmp	hv_memcmp
#define strlen	hv_strlen
#define strnlen hv_strnlen
#define strcmp	hv_strcmp
#define strncmp hv_strncmp
#define strchr	hv_strchr
#include "hv/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr

#define SIZE 96

static u8 want[SIZE], got[SIZE];

static void fill(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		want[i] = got[i] = (u8)(i * 37 + 11);
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void copies_and_moves(void **state)
{
	(void)state;
	for (unsigned to = 0; to < 24; to++) {
		for (unsigned from = 0; from < 24; from++) {
			for (unsigned n = 0; n <= 40; n++) {
				fill();
				memmove(want + to, want + from, n);
				assert_ptr_equal(hv_memmove(got + to, got + from, n), got + to);
				assert_memory_equal(got, want, SIZE);
			}
		}
		for (unsigned n = 0; n <= 40; n++) {
			fill();
			memcpy(want + to % 9, want + 50 + to % 5, n);
			assert_ptr_equal(
				hv_memcpy(got + to % 9, got + 50 + to % 5, n), got + to % 9);
			assert_memory_equal(got, want, SIZE);
		}
	}
}

static void fills(void **state)
{
	static const int values[] = { 0, 1, 0x80, 0xff, -1, 0x1234 };

	(void)state;
	for (unsigned v = 0; v < ARRAY_SIZE(values); v++) {
		for (unsigned at = 0; at < 9; at++) {
			for (unsigned n = 0; n <= 40; n++) {
				fill();
				memset(want + at, values[v], n);
				assert_ptr_equal(hv_memset(got + at, values[v], n), got + at);
				assert_memory_equal(got, want, SIZE);
			}
		}
	}
}

static void compares(void **state)
{
	static const char *const s[] = { "", "a", "ab", "abc", "abd", "\x80",
		"\xff"
		"a",
		"ab\x01" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(s); i++) {
		for (unsigned j = 0; j < ARRAY_SIZE(s); j++) {
			size_t both = MIN(strlen(s[i]), strlen(s[j])) + 1;

			assert_int_equal(sign(hv_strcmp(s[i], s[j])), sign(strcmp(s[i], s[j])));
			for (size_t n = 0; n < 6; n++)
				assert_int_equal(sign(hv_strncmp(s[i], s[j], n)),
					sign(strncmp(s[i], s[j], n)));
			for (size_t n = 0; n <= both; n++)
				assert_int_equal(sign(hv_memcmp(s[i], s[j], MIN(n, both))),
					sign(memcmp(s[i], s[j], MIN(n, both))));
		}
	}
	assert_true(hv_memcmp("\x00\x80", "\x00\x01", 2) > 0); /* bytes are unsigned */
}

static void lengths_and_search(void **state)
{
	static const char text[] = "a\x80"
				   "bcb";
	static const char unterminated[4] = { 'w', 'x', 'y', 'z' };

	(void)state;
	assert_int_equal(hv_strlen(""), 0);
	assert_int_equal(hv_strlen(text), 5);
	assert_int_equal(hv_strnlen(text, 3), 3);
	assert_int_equal(hv_strnlen(text, 9), 5);
	assert_int_equal(hv_strnlen(unterminated, sizeof(unterminated)), 4);
	assert_ptr_equal(hv_strchr(text, 'b'), text + 2);
	assert_ptr_equal(hv_strchr(text, 0x80), text + 1);
	assert_ptr_equal(hv_strchr(text, '\0'), text + 5);
	assert_null(hv_strchr(text, 'z'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_moves),
		cmocka_unit_test(fills),
		cmocka_unit_test(compares),
		cmocka_unit_test(lengths_and_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
