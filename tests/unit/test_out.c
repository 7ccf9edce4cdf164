/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command's answer, as text and as JSON, and what becomes of one that does not fit.
 *
 * Sources: hv/ctl/answer.c hv/ctl/out.c hv/ctl/log.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/ctl/answer.h"
#include "hv/mem/page.h"

#define ROWS 8000u

static char buf[1024];
static struct out o;

static void compose(void)
{
	out_text(&o, "name", "%s\t\"x\"", "a");
	out_number(&o, "n", ~0ul);
	out_table(&o, "rows");
	for (unsigned i = 9; i < 11; i++) {
		out_row(&o);
		out_number(&o, "id", i);
		out_text(&o, "what", "%s", i == 9 ? "" : "longer");
		out_hex(&o, "at", i);
		out_row_end(&o);
	}
	out_table_end(&o);
	out_group(&o, "regs", 2);
	out_hex(&o, "rax", 0x12345);
	out_hex(&o, "r8", 1);
	out_flag(&o, "on", true);
	out_group_end(&o);
	out_lines(&o, "story");
	out_line(&o, "one %d", 1);
	out_line(&o, "two");
	out_lines_end(&o);
	out_table(&o, "none");
	out_table_end(&o);
}

static void as_text(void **state)
{
	(void)state;
	out_init(&o, buf, sizeof(buf), false);
	compose();
	assert_true(out_finish(&o));
	assert_string_equal(buf, "name: a?\"x\"\n"
				 "n: 18446744073709551615\n"
				 "id  what    at\n"
				 "9   -       0x9\n"
				 "10  longer  0xa\n"
				 "rax  0x12345  r8  0x1\n"
				 "on   yes\n"
				 "one 1\n"
				 "two\n");
	assert_int_equal(o.len, strlen(buf));
}

static void as_json(void **state)
{
	(void)state;
	out_init(&o, buf, sizeof(buf), true);
	compose();
	assert_true(out_finish(&o));
	assert_string_equal(buf, "{\"name\":\"a\\u0009\\\"x\\\"\",\"n\":18446744073709551615,"
				 "\"rows\":[{\"id\":9,\"what\":\"\",\"at\":\"0x9\"},"
				 "{\"id\":10,\"what\":\"longer\",\"at\":\"0xa\"}],"
				 "\"regs\":{\"rax\":\"0x12345\",\"r8\":\"0x1\",\"on\":true},"
				 "\"story\":[\"one 1\",\"two\"],\"none\":[]}");
}

/* In a buffer of any size: what does not fit is noticed, and nothing is written behind its end. */
static void in_any_buffer(void **state)
{
	size_t whole[2];

	(void)state;
	for (unsigned json = 0; json < 2; json++) {
		out_init(&o, buf, sizeof(buf), json);
		compose();
		assert_true(out_finish(&o));
		whole[json] = o.len;
		for (size_t size = 16; size < sizeof(buf); size++) {
			memset(buf, 0x55, sizeof(buf));
			out_init(&o, buf, size, json);
			compose();
			if (out_finish(&o))
				assert_int_equal(o.len, whole[json]);
			else
				assert_true(size < whole[json] + 128);
			assert_true(memchr(buf, 0, size) != NULL);
			for (size_t i = size; i < sizeof(buf); i++)
				assert_int_equal(buf[i], 0x55);
		}
	}
}

static void many_rows(void)
{
	out_table(&o, "vcpus");
	for (unsigned i = 0; i < ROWS; i++) {
		out_row(&o);
		out_text(&o, "vm", "a-name-of-some-length-%u", i);
		for (unsigned k = 0; k < 6; k++)
			out_number(&o, i % 2 ? "ticks" : "count", ~0ul >> k);
		out_row_end(&o);
	}
	out_table_end(&o);
}

/* An answer about very many VMs has as many pages as it needs. */
static void pages_grow(void **state)
{
	struct answer a;

	(void)state;
	for (unsigned json = 0; json < 2; json++) {
		assert_int_equal(answer_begin(&a, &o, "before ", 6, json), OK);
		many_rows();
		assert_true(out_finish(&o));
		assert_true(o.len > 1 * MB && o.len + 6 < PAGE_SIZE << a.order);
		memcpy(o.buf + o.len, "behind", 6);
		assert_ptr_equal(
			strstr(a.text, json ? "before {\"vcpus\":[{" : "before vm "), a.text);
		assert_non_null(strstr(a.text, "a-name-of-some-length-7999"));
		answer_drop(&a);
		assert_null(a.text);
	}
}

/* Up to a limit. */
static void not_without_end(void **state)
{
	struct answer a;

	(void)state;
	assert_int_equal(answer_begin(&a, &o, "", 0, true), OK);
	for (unsigned i = 0; i < 20; i++)
		many_rows();
	assert_false(out_finish(&o));
	answer_drop(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_text),
		cmocka_unit_test(as_json),
		cmocka_unit_test(in_any_buffer),
		cmocka_unit_test(pages_grow),
		cmocka_unit_test(not_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
