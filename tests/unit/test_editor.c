/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line editor: keys in, and what a terminal would show, drawn by a small one here.
 *
 * Sources: hv/ctl/editor.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/ctl/editor.h"

#define COLUMNS 80u

/* The terminal's current line; and everything that was written, for bells and lists. */
static char row[COLUMNS + 1], written[65536];
static unsigned at;
static size_t written_len;
static struct editor e;

static size_t control(const char *s)
{
	char *end;
	unsigned long n = strtoul(s + 2, &end, 10);

	assert_int_equal(s[1], '[');
	if (*end == 'K')
		memset(row + at, ' ', COLUMNS - at);
	else if (*end == 'D')
		at -= (unsigned)n;
	else if (*end == 'J')
		memset(row, ' ', COLUMNS);
	else
		assert_int_equal(*end, 'H');
	return (size_t)(end + 1 - s);
}

static void put(void *ctx, const char *s, size_t len)
{
	(void)ctx;
	assert_true(written_len + len < sizeof(written));
	memcpy(written + written_len, s, len);
	written_len += len;
	written[written_len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\x1b') {
			i += control(s + i) - 1;
		} else if (s[i] == '\r') {
			at = 0;
		} else if (s[i] == '\n') {
			memset(row, ' ', COLUMNS);
		} else if (s[i] != '\a') {
			assert_true(at < COLUMNS);
			row[at++] = s[i];
		}
	}
}

static const char *complete(
	void *ctx, const char *before, size_t len, const char *word, unsigned index)
{
	static const char *const words[] = { "reset", "resume", "regs", "pause" };

	(void)ctx;
	(void)before;
	if (len)
		return NULL;
	for (unsigned i = 0; i < 4; i++)
		if (!strncmp(words[i], word, strlen(word)) && !index--)
			return words[i];
	return NULL;
}

static const struct editor_ops ops = { .put = put, .complete = complete };

static int setup(void **state)
{
	(void)state;
	memset(row, ' ', COLUMNS);
	at = 0;
	written_len = 0;
	editor_init(&e, &ops, NULL, "> ");
	editor_next(&e);
	editor_redraw(&e);
	return 0;
}

/* True if a line became complete with the last key. */
static bool type(const char *keys)
{
	bool complete_now = false;

	for (; *keys; keys++) {
		complete_now = editor_key(&e, (u8)*keys);
		if (!complete_now)
			editor_redraw(&e);
	}
	return complete_now;
}

/* The row without its blanks, and the cursor in it. */
static void assert_row(const char *text, unsigned cursor)
{
	char line[COLUMNS + 1];
	size_t n = COLUMNS;

	memcpy(line, row, COLUMNS);
	while (n && line[n - 1] == ' ')
		n--;
	line[n] = '\0';
	assert_string_equal(line, text);
	assert_int_equal(at, cursor);
}

static void enter(const char *line)
{
	assert_true(type(line));
	editor_next(&e);
	editor_redraw(&e);
}

static void keys_edit(void **state)
{
	static const struct {
		const char *keys, *line;
		unsigned cursor;
	} cases[] = {
		{ "abc", "abc", 3 }, { "abc\x01x", "xabc", 1 }, { "abc\x01\x05x", "abcx", 4 },
		{ "abc\x02\x02x", "axbc", 2 }, { "abc\x1b[D\x1b[Dx\x1b[Cy", "axbyc", 4 },
		{ "abc\x1bOD\x1bODx", "axbc", 2 }, { "abc\x1b[Hx\x1b[Fy", "xabcy", 5 },
		{ "abc\x1b[1~x\x1b[4~y", "xabcy", 5 }, { "abc\x7f\x08", "a", 1 },
		{ "abc\x01\x04", "bc", 0 }, { "abc\x01\x1b[3~", "bc", 0 },
		{ "abc\x02\x0b", "ab", 2 }, { "abc\x02\x15", "c", 0 }, { "ab cd  \x17", "ab", 3 },
		{ "abc\x03x", "x", 1 }, { "\x7f\x02\x06\x04", "", 0 },
		{ "a\x1b[1;5Cb\x1b[15~c\x1b[Zd\x1bxe", "abcde", 5 }, /* unknown sequences */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[40] = "> ";

		setup(NULL);
		assert_false(type(cases[i].keys));
		strcat(line, cases[i].line);
		if (!*cases[i].line)
			line[1] = '\0';
		assert_row(line, cases[i].cursor + 2);
	}
}

static void lines_are_complete(void **state)
{
	(void)state;
	assert_true(type("one\r"));
	assert_string_equal(e.line, "one");
	editor_next(&e);
	assert_false(type("\n")); /* the second half of CR LF */
	assert_true(type("\n"));
	assert_string_equal(e.line, "");
	editor_next(&e);
	assert_true(type("tw\x02x\r"));
	assert_string_equal(e.line, "txw");
}

static void history_comes_back(void **state)
{
	(void)state;
	enter("one\r");
	enter("two\r");
	enter("two\r"); /* once is enough */
	enter("\r");
	type("dra\x1b[A");
	assert_row("> two", 5);
	type("\x10");
	assert_row("> one", 5);
	type("\x10"); /* no more */
	assert_row("> one", 5);
	type("\x1b[B");
	assert_row("> two", 5);
	type("\x0e");
	assert_row("> dra", 5);
	enter("\x10x\r");
	type("\x10");
	assert_row("> twox", 6);
	for (unsigned i = 0; i < 3 * EDITOR_HISTORY; i++) {
		char line[] = "Ax\r";

		line[0] = (char)('A' + i % 26);
		line[1] = (char)('a' + i / 26);
		enter(line);
	}
	for (unsigned i = 0; i < 2 * EDITOR_HISTORY; i++)
		type("\x10");
	assert_int_equal(e.shown, EDITOR_HISTORY);
}

static void words_are_completed(void **state)
{
	(void)state;
	type("p\t");
	assert_row("> pause", 8);
	type("x\t"); /* none for the second word */
	assert_row("> pause x", 9);
	setup(NULL);
	type("re\t");
	assert_row("> re", 4);
	assert_null(strstr(written, "resume"));
	type("\t"); /* the second time they are listed */
	assert_non_null(strstr(written, "reset  resume  regs"));
	assert_row("> re", 4);
	type("s\t");
	assert_row("> res", 5);
	type("u\t");
	assert_row("> resume", 9);
}

static void a_line_is_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3 * EDITOR_LINE_MAX; i++)
		type("x");
	assert_int_equal(e.len, EDITOR_LINE_MAX);
	type("\x01y"); /* no room */
	assert_int_equal(e.len, EDITOR_LINE_MAX);
	assert_row(
		"> xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		2);
	assert_true(type("\r"));
	assert_int_equal(strlen(e.line), EDITOR_LINE_MAX);
}

/* Whatever comes: no byte is written outside the line, and the terminal's line does not overflow.
 */
static void any_keys(void **state)
{
	u32 seed = 1;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		u8 byte;

		seed = seed * 1664525 + 1013904223;
		byte = (u8)(seed >> 24);
		if (seed & 0x10000)
			byte &= 0x1f;
		written_len = 0;
		if (editor_key(&e, byte))
			editor_next(&e);
		editor_redraw(&e);
		assert_true(e.cursor <= e.len && e.len <= EDITOR_LINE_MAX);
		assert_int_equal(e.line[e.len], '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(keys_edit, setup),
		cmocka_unit_test_setup(lines_are_complete, setup),
		cmocka_unit_test_setup(history_comes_back, setup),
		cmocka_unit_test_setup(words_are_completed, setup),
		cmocka_unit_test_setup(a_line_is_bounded, setup),
		cmocka_unit_test_setup(any_keys, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
