/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several VMs on one console: whole lines, each behind its VM's name; lines without an end.
 *
 * Sources: hv/vm/vmconsole.c hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/vm/vmconsole.h"

#define HZ 1000ul

static char shown[4096];
static size_t shown_len;
static u64 clock_now;
static struct timerq tq;
static struct vmconsole a, b;

void console_write(const u8 *buf, size_t len)
{
	assert_true(shown_len + len < sizeof(shown));
	memcpy(shown + shown_len, buf, len);
	shown_len += len;
	shown[shown_len] = '\0';
}

static u64 now(const struct timerq *q)
{
	(void)q;
	return clock_now;
}

static int setup(void **state)
{
	(void)state;
	shown_len = 0;
	shown[0] = '\0';
	clock_now = 0;
	timerq_init(&tq, HZ, now);
	vmconsole_init(&a, "a", false, &tq);
	vmconsole_init(&b, "b", false, &tq);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vmconsole_destroy(&a);
	vmconsole_destroy(&b);
	assert_int_equal(tq.next, TIMER_NEVER);
	return 0;
}

static void say(struct vmconsole *c, const char *text)
{
	vmconsole_write(c, (const u8 *)text, strlen(text));
}

static void pass_time(u64 ms)
{
	clock_now += ms * HZ / 1000;
	timerq_run(&tq);
}

static void lines_do_not_mix(void **state)
{
	(void)state;
	say(&a, "one ");
	say(&b, "three\r\nfo");
	say(&a, "two\n");
	say(&b, "ur\r\n");
	assert_string_equal(shown, "b| three\r\na| one two\nb| four\r\n");
}

static void a_prompt_is_shown_after_a_moment(void **state)
{
	(void)state;
	say(&a, "~# ");
	assert_string_equal(shown, "");
	pass_time(49);
	assert_string_equal(shown, "");
	pass_time(1);
	assert_string_equal(shown, "a| ~# ");
	/* It goes on with the same line, without the name. */
	say(&a, "ls\r\nfile\r\n");
	assert_string_equal(shown, "a| ~# ls\r\na| file\r\n");
}

/* Not 50 ms after its first byte, but after its last: who is busy with a line is let finish it. */
static void a_line_under_way_is_not_cut(void **state)
{
	(void)state;
	say(&a, "zero\none");
	for (unsigned i = 0; i < 10; i++) {
		pass_time(30);
		say(&a, ".");
	}
	assert_string_equal(shown, "a| zero\n");
	say(&b, "other\n");
	say(&a, "end\n");
	assert_string_equal(shown, "a| zero\nb| other\na| one..........end\n");
}

static void another_vm_begins_a_new_line(void **state)
{
	(void)state;
	say(&a, "~# ");
	pass_time(50);
	say(&b, "hello\n");
	say(&a, "ls\n");
	assert_string_equal(shown, "a| ~# \r\nb| hello\na| ls\n");
}

static void a_long_line_comes_in_pieces(void **state)
{
	char text[VMCONSOLE_LINE * 3 + 12];

	(void)state;
	memset(text, 'x', sizeof(text) - 2);
	strcpy(text + sizeof(text) - 2, "\n");
	say(&a, text);
	assert_int_equal(shown_len, strlen("a| ") + strlen(text));
	assert_memory_equal(shown, "a| xxx", 6);
	assert_string_equal(shown + 3, text);
}

static void its_end_ends_the_line(void **state)
{
	(void)state;
	say(&a, "bye");
	vmconsole_destroy(&a);
	say(&b, "on\n");
	assert_string_equal(shown, "a| bye\r\nb| on\n");
	/* Once more, as the VM's teardown does. */
	vmconsole_destroy(&a);
	assert_string_equal(shown, "a| bye\r\nb| on\n");
}

static void alone_every_byte_goes_through(void **state)
{
	(void)state;
	vmconsole_init(&a, "a", true, &tq);
	say(&a, "p");
	assert_string_equal(shown, "p");
	say(&a, "q\r\n");
	assert_string_equal(shown, "pq\r\n");
}

static void clear_shown(void)
{
	shown_len = 0;
	shown[0] = '\0';
}

/* What the VMs write appears above the monitor's line, which is shown anew below it. */
static void the_foot_stays_below(void **state)
{
	(void)state;
	vmconsole_foot("hello\r\n", 7, "> x", 3);
	assert_string_equal(shown, "hello\r\n> x");
	clear_shown();
	say(&a, "one\r\n");
	assert_string_equal(shown, "\r\x1b[Ka| one\r\n> x");
	clear_shown();
	say(&a, "~# ");
	pass_time(50);
	assert_string_equal(shown, "\r\x1b[Ka| ~# \r\n> x");
	clear_shown();
	vmconsole_foot("", 0, "", 0);
	say(&a, "ls\n");
	assert_string_equal(shown, "a| ls\n");
}

/* A VM alone writes by the line while the monitor is there, and byte by byte again after it. */
static void alone_it_makes_room_for_the_monitor(void **state)
{
	(void)state;
	vmconsole_init(&a, "a", true, &tq);
	say(&a, "p");
	vmconsole_by_line(true);
	vmconsole_share(&a);
	clear_shown();
	vmconsole_foot("", 0, "> ", 2);
	say(&a, "q\r\nr");
	assert_string_equal(shown, "> \r\x1b[Ka| q\r\n> ");
	clear_shown();
	vmconsole_by_line(false);
	vmconsole_foot("", 0, "", 0);
	say(&a, "s");
	say(&a, "t\r\n");
	assert_string_equal(shown, "a| rst\r\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_do_not_mix),
		TEST(a_prompt_is_shown_after_a_moment),
		TEST(a_line_under_way_is_not_cut),
		TEST(another_vm_begins_a_new_line),
		TEST(a_long_line_comes_in_pieces),
		TEST(its_end_ends_the_line),
		TEST(alone_every_byte_goes_through),
		TEST(the_foot_stays_below),
		TEST(alone_it_makes_room_for_the_monitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
