/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text that nothing terminates: each one here ends where its memory does, so that a read past it is
 * seen.
 *
 * Sources: hv/lib/text.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/lib/text.h"

static char *copies[16];
static unsigned count;

static struct text text(const char *s)
{
	size_t len = strlen(s);
	char *copy = malloc(len ? len : 1);

	assert_true(count < ARRAY_SIZE(copies));
	copies[count++] = copy;
	memcpy(copy, s, len);
	return (struct text){ copy, len };
}

static int teardown(void **state)
{
	(void)state;
	while (count)
		free(copies[--count]);
	return 0;
}

static void check(struct text t, const char *want)
{
	assert_int_equal(t.len, strlen(want));
	assert_memory_equal(t.s, want, t.len);
}

static void test_words(void **state)
{
	static const char *const words[] = { "on", "off", "" };

	(void)state;
	assert_true(text_is(text("on"), "on"));
	assert_false(text_is(text("on"), "one"));
	assert_false(text_is(text("one"), "on"));
	assert_true(text_is(text(""), ""));
	assert_int_equal(text_one_of(text("off"), words, 3), 1);
	assert_int_equal(text_one_of(text(""), words, 3), 2);
	assert_int_equal(text_one_of(text(""), words, 2), -1);
	assert_int_equal(text_one_of(text("of"), words, 3), -1);
}

static void test_after(void **state)
{
	struct text rest = { NULL, 7 };

	(void)state;
	assert_true(text_after(text("log=com1"), "log=", &rest));
	check(rest, "com1");
	assert_true(text_after(text("log="), "log=", &rest));
	check(rest, "");
	rest.len = 7;
	assert_false(text_after(text("log"), "log=", &rest));
	assert_false(text_after(text("lag=1"), "log=", &rest));
	assert_int_equal(rest.len, 7);
}

static void test_split(void **state)
{
	struct text t = text("a=b=c"), rest;

	(void)state;
	assert_true(text_split(&t, '=', &rest));
	check(t, "a");
	check(rest, "b=c");
	assert_false(text_split(&t, '=', &rest));
	check(t, "a");
	check(rest, "");
	t = text("=");
	assert_true(text_split(&t, '=', &rest));
	check(t, "");
	check(rest, "");
	assert_false(text_split(&t, '=', &rest));
	/* All the pieces of one. */
	t = text("1 2 3");
	for (char c = '1'; t.len; c++) {
		struct text piece = t;

		text_split(&piece, ' ', &t);
		check(piece, (char[]){ c, 0 });
	}
}

static void test_numbers(void **state)
{
	size_t digits = 0;
	unsigned n = 99;
	u64 v;

	(void)state;
	assert_true(text_number(text("18446744073709551615M"), ~0ul, &v, &digits));
	assert_int_equal(v, ~0ul);
	assert_int_equal(digits, 20);
	assert_false(text_number(text("18446744073709551616"), ~0ul, &v, &digits));
	assert_false(text_number(text("M1"), ~0ul, &v, &digits));
	assert_true(text_whole(text("007"), 7, 7, &n));
	assert_int_equal(n, 7);
	/* A digit alone may be too much. */
	assert_false(text_whole(text("4"), 0, 3, &n));
	assert_false(text_whole(text("9"), 0, 3, &n));
	assert_false(text_whole(text("6"), 7, 9, &n));
	assert_false(text_whole(text("7 "), 7, 9, &n));
	assert_false(text_whole(text(""), 0, 9, &n));
	assert_false(text_whole(text("-1"), 0, 9, &n));
	assert_int_equal(n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_words, teardown),
		cmocka_unit_test_teardown(test_after, teardown),
		cmocka_unit_test_teardown(test_split, teardown),
		cmocka_unit_test_teardown(test_numbers, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
