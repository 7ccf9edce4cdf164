/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of JSON: what it takes, what it refuses and where, what it finds in it.
 *
 * Sources: hv/ctl/json.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/ctl/json.h"

static struct json j;

static enum status parse(const char *text)
{
	return json_parse(&j, text, strlen(text));
}

static void what_is_json(void **state)
{
	static const char *const good[] = { "{}", "[]", "null", " true ", "false", "0", "-0", "12",
		"-1.5e+10", "1E5", "\"\"", "\"a\\n\\u00e9\\\"\"", "[1,[2,[3]],{}]",
		"{\"a\":{\"b\":[]},\"c\":null}", "\t{ \"a\" : 1 , \"b\" : [ ] }\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (parse(good[i]) != OK)
			fail_msg("%s: %s at %u", good[i], j.error, j.at);
}

static void what_is_none(void **state)
{
	static const struct {
		const char *text;
		unsigned at;
	} bad[] = { { "", 0 }, { " ", 1 }, { "{", 1 }, { "[1", 2 }, { "[1,]", 3 },
		{ "{\"a\":1,}", 7 }, { "{\"a\"}", 4 }, { "{a:1}", 1 }, { "[1 2]", 3 }, { "]", 0 },
		{ "[}", 1 }, { "{]", 1 }, { "01", 1 }, { "1.", 2 }, { "-", 1 }, { "1e", 2 },
		{ "+1", 0 }, { "nul", 0 }, { "\"a", 2 }, { "\"a\\", 3 }, { "\"\\x\"", 3 },
		{ "\"\\u12g4\"", 5 }, { "\"\n\"", 1 }, { "{} {}", 3 }, { "truefalse", 4 },
		{ "\x80", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (parse(bad[i].text) != ERR_INVAL)
			fail_msg("%s is taken", bad[i].text);
		assert_non_null(j.error);
		if (j.at != bad[i].at)
			fail_msg("%s: %s at %u", bad[i].text, j.error, j.at);
	}
	assert_int_equal(json_parse(&j, "\"\\\0\"", 4), ERR_INVAL);
}

static void it_is_bounded(void **state)
{
	char text[4 * JSON_VALUES_MAX];
	size_t n = 0;

	(void)state;
	assert_int_equal(parse("[[[[[[[[]]]]]]]]"), OK);
	assert_int_equal(parse("[[[[[[[[[]]]]]]]]]"), ERR_RANGE);
	text[n++] = '[';
	for (unsigned i = 0; i < JSON_VALUES_MAX - 1; i++) {
		text[n++] = '1';
		text[n++] = ',';
	}
	text[n - 1] = ']';
	assert_int_equal(json_parse(&j, text, n), OK);
	assert_int_equal(j.values, JSON_VALUES_MAX);
	text[n - 1] = ',';
	text[n++] = '1';
	text[n++] = ']';
	assert_int_equal(json_parse(&j, text, n), ERR_RANGE);
	assert_int_equal(json_parse(&j, text, 65536), ERR_RANGE);
}

static void members_are_found(void **state)
{
	const struct json_value *v;
	char text[8];

	(void)state;
	assert_int_equal(
		parse("{\"x\":{\"id\":1},\"id\":[2,{\"id\":3}],\"m\":\"a\\tb\",\"id\":4}"), OK);
	v = json_get(&j, j.value, "id");
	assert_non_null(v);
	assert_int_equal(v->type, JSON_ARRAY);
	assert_null(json_get(&j, v, "id"));
	assert_null(json_get(&j, j.value, "i"));
	assert_null(json_get(&j, j.value, "idx"));
	v = json_get(&j, j.value, "m");
	assert_true(json_text(&j, v, text, sizeof(text)));
	assert_string_equal(text, "a\tb");
	assert_true(json_is(&j, v, "a\\tb"));
	assert_false(json_text(&j, v, text, 3));
	v = json_get(&j, json_get(&j, j.value, "x"), "id");
	assert_true(json_text(&j, v, text, sizeof(text)));
	assert_string_equal(text, "1");
	assert_false(json_text(&j, j.value, text, sizeof(text)));
}

static void texts_are_plain(void **state)
{
	char text[8];

	(void)state;
	assert_int_equal(parse("\"\\u0041\\/\\\\\""), OK);
	assert_true(json_text(&j, j.value, text, sizeof(text)));
	assert_string_equal(text, "A/\\");
	assert_int_equal(parse("\"\\u0000\""), OK);
	assert_false(json_text(&j, j.value, text, sizeof(text)));
	assert_int_equal(parse("\"\\u20ac\""), OK);
	assert_false(json_text(&j, j.value, text, sizeof(text)));
	assert_int_equal(parse("\"\xc3\xa9\""), OK);
	assert_false(json_text(&j, j.value, text, sizeof(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(it_is_bounded),
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(texts_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
