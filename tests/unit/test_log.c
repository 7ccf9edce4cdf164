/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: the shape of a line, levels, cutting, what a guest's bytes become, JSON strings, and the
 * rate limit, under a clock turned by hand.
 *
 * Sources: hv/ctl/log.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/tsc.h"
#include "hv/ctl/log.h"

#define HZ 1000000ul /* so that a tick is a microsecond */

static u64 clock_now;
static char got[4096];
static size_t got_len, lines;
static bool got_now;

u64 tsc_now(void)
{
	return clock_now;
}

u64 tsc_hz(void)
{
	return HZ;
}

u64 uptime_us(void)
{
	return clock_now;
}

static void keep(const char *line, size_t len, bool now)
{
	assert_true(len < sizeof(got));
	memcpy(got, line, len);
	got[len] = '\0';
	got_len = len;
	got_now = now;
	lines++;
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(keep);
	log_level = LOG_INFO;
	clock_now = 12345678;
	lines = 0;
	return 0;
}

static void test_line(void **state)
{
	(void)state;
	log_info("hello %d", 42);
	assert_string_equal(got, "[   12.345678] INFO hello 42\n");
	assert_false(got_now);
	log_err("no");
	assert_string_equal(got, "[   12.345678] ERR  no\n");
	assert_false(got_now);
}

/* A line that waits for the port makes its writer wait, and that is another VM's time: only level
 * "debug" is worth it. */
static void test_waits_at_debug_only(void **state)
{
	(void)state;
	for (log_level = LOG_ERR; log_level <= LOG_DEBUG; log_level++) {
		bool debug = log_level == LOG_DEBUG;

		log_err("no");
		assert_int_equal(got_now, debug);
		log_machine("@x");
		assert_int_equal(got_now, debug);
		log_machine_line("@y\n", 3);
		assert_int_equal(got_now, debug);
	}
	log_level = LOG_INFO;
	log_flush();
	assert_true(got_now);
	assert_int_equal(got_len, 0);
}

static void test_levels(void **state)
{
	(void)state;
	log_debug("unseen");
	assert_int_equal(lines, 0);
	log_level = LOG_DEBUG;
	log_debug("seen");
	assert_string_equal(got, "[   12.345678] DBG  seen\n");
	assert_true(got_now);
	log_level = LOG_ERR;
	log_warn("unseen");
	assert_int_equal(lines, 1);
	log_machine("@x %d", 1);
	assert_string_equal(got, "@x 1\n");
}

static void test_cut(void **state)
{
	char long_text[2000];

	(void)state;
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	log_info("%s", long_text);
	assert_int_equal(got_len, strlen("[   12.345678] INFO ") + 400 + 1);
	assert_int_equal(got[got_len - 1], '\n');
	log_machine("@%s", long_text);
	assert_int_equal(got_len, 1001);
	assert_int_equal(got[got_len - 1], '\n');
}

/* A guest's text cannot forge a line, nor an escape sequence. */
static void test_scrub(void **state)
{
	(void)state;
	log_info("a\nb\x1b[2Jc\x7f");
	assert_string_equal(got, "[   12.345678] INFO a?b?[2Jc?\n");
	log_machine("@a\nb");
	assert_string_equal(got, "@a?b\n");
}

static void test_no_sink(void **state)
{
	(void)state;
	log_set_sink(NULL);
	log_err("nowhere");
	log_machine("@nowhere");
	log_flush();
	assert_int_equal(lines, 0);
}

static void test_json(void **state)
{
	char buf[32];

	(void)state;
	log_json_string(buf, sizeof(buf), "say \"hi\" \\ ok");
	assert_string_equal(buf, "\"say \\\"hi\\\" \\\\ ok\"");
	log_json_string(buf, sizeof(buf), "\n\xff");
	assert_string_equal(buf, "\"\\u000a\\u00ff\"");
	log_json_string(buf, 3, "abc");
	assert_string_equal(buf, "\"\"");
	/* Cut between characters, never inside an escape. */
	log_json_string(buf, 8, "abc\n");
	assert_string_equal(buf, "\"abc\"");
	log_json_string(buf, 9, "\n\n");
	assert_string_equal(buf, "\"\\u000a\"");
	log_json_string(buf, 6, "abcdef");
	assert_string_equal(buf, "\"abc\"");
}

static void test_ratelimit(void **state)
{
	struct ratelimit rl = RATELIMIT(3);

	(void)state;
	rl.last = clock_now;
	for (int i = 0; i < 10; i++)
		log_guest(&rl, LOG_INFO, "line");
	assert_int_equal(lines, 3);
	assert_int_equal(rl.dropped, 7);
	clock_now += HZ - 1;
	log_guest(&rl, LOG_INFO, "line");
	assert_int_equal(lines, 3);
	/* One more each second, and the drops are told. */
	clock_now += 1;
	log_guest(&rl, LOG_INFO, "line");
	assert_int_equal(lines, 5);
	assert_int_equal(rl.dropped, 0);
	/* Never more than the burst. */
	clock_now += 1000 * HZ;
	for (int i = 0; i < 10; i++)
		log_guest(&rl, LOG_INFO, "line");
	assert_int_equal(lines, 8);
}

static char kept_lines[8][64];
static unsigned kept_count;

static void take_kept(void *ctx, const char *line)
{
	assert_ptr_equal(ctx, kept_lines);
	snprintf(kept_lines[kept_count++ % 8], 64, "%s", strstr(line, "INFO"));
}

/* The last lines, whole ones, however often the buffer has gone round. */
static void test_lines_are_kept(void **state)
{
	static char ring[256];

	(void)state;
	log_kept(8, take_kept, kept_lines);
	assert_int_equal(kept_count, 0);
	log_keep(ring, sizeof(ring));
	log_info("one");
	log_kept(8, take_kept, kept_lines);
	assert_int_equal(kept_count, 1);
	assert_string_equal(kept_lines[0], "INFO one");
	for (unsigned i = 0; i < 100; i++) {
		log_info("line %u", i);
		kept_count = 0;
		log_kept(3, take_kept, kept_lines);
		if (i >= 2) {
			char want[64];

			assert_int_equal(kept_count, 3);
			snprintf(want, sizeof(want), "INFO line %u", i - 2);
			assert_string_equal(kept_lines[0], want);
			snprintf(want, sizeof(want), "INFO line %u", i);
			assert_string_equal(kept_lines[2], want);
		}
	}
	kept_count = 0;
	log_kept(100, take_kept, kept_lines); /* as many as are whole */
	assert_in_range(kept_count, 8, 10);
	log_keep(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_line, setup),
		cmocka_unit_test_setup(test_waits_at_debug_only, setup),
		cmocka_unit_test_setup(test_levels, setup),
		cmocka_unit_test_setup(test_cut, setup),
		cmocka_unit_test_setup(test_scrub, setup),
		cmocka_unit_test_setup(test_no_sink, setup),
		cmocka_unit_test_setup(test_json, setup),
		cmocka_unit_test_setup(test_ratelimit, setup),
		cmocka_unit_test_setup(test_lines_are_kept, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
