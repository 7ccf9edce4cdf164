/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor on the console: Ctrl-] and back, lines, answers, what VMs write meanwhile. The
 * keyboard and the commands are played here.
 *
 * Sources: hv/ctl/monitor.c hv/ctl/editor.c hv/ctl/answer.c hv/ctl/out.c hv/ctl/command.c
 * hv/ctl/table.c hv/ctl/log.c hv/vm/vmconsole.c hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hv/drv/console.h"
#include "tests/unit/ctl_machine.h"

#define READY "triptych> \x1b[K"

static char shown[65536];
static size_t shown_len;
static struct {
	char keys[4096];
	size_t len, at;
	bool taken;
	u8 escape;
	void (*input)(void *ctx);
	unsigned vm_inputs;
	const struct vm *focus;
} tty;
static unsigned more_vms; /* beside alpha: vm0, vm1, ... */
static struct vm vm = { .cfg.name = "alpha", .begun = true };
static struct timerq tq;

void console_write(const u8 *buf, size_t len)
{
	assert_true(shown_len + len < sizeof(shown));
	memcpy(shown + shown_len, buf, len);
	shown_len += len;
	shown[shown_len] = '\0';
}

void console_escape(u8 byte)
{
	tty.escape = byte;
}

bool console_taken(void)
{
	for (size_t i = tty.at; i < tty.len; i++)
		if ((u8)tty.keys[i] == tty.escape) {
			tty.at = i + 1;
			tty.taken = true;
			return true;
		}
	return false;
}

size_t console_read_taken(u8 *buf, size_t len)
{
	assert_true(tty.taken && len == 1);
	if (tty.at == tty.len)
		return 0;
	*buf = (u8)tty.keys[tty.at++];
	return 1;
}

void console_give_back(void)
{
	tty.taken = false;
}

void console_on_input(void (*fn)(void *ctx), void *ctx)
{
	(void)ctx;
	tty.input = fn;
}

void vms_input(void)
{
	tty.vm_inputs++;
}

void vms_focus(const struct vm *chosen)
{
	tty.focus = chosen;
}

void vms_each(void (*fn)(struct vm *vm, void *ctx), void *ctx)
{
	struct vm other = { .begun = false };

	for (unsigned i = 0; i < more_vms; i++) {
		snprintf(other.cfg.name, sizeof(other.cfg.name), "vm%u", i);
		fn(&other, ctx);
	}
	fn(&vm, ctx);
}

static u64 now(const struct timerq *q)
{
	(void)q;
	return 0;
}

static void clear(void)
{
	shown_len = 0;
	shown[0] = '\0';
}

/* What is shown when these keys are pressed. */
static const char *type(const char *keys)
{
	clear();
	if (tty.at == tty.len)
		tty.at = tty.len = 0;
	assert_true(tty.len + strlen(keys) <= sizeof(tty.keys));
	memcpy(tty.keys + tty.len, keys, strlen(keys));
	tty.len += strlen(keys);
	tty.input(NULL);
	run_tasks();
	return shown;
}

static void assert_ends(const char *text, const char *end)
{
	if (strlen(text) < strlen(end) || strcmp(text + strlen(text) - strlen(end), end))
		fail_msg("%s does not end with %s", text, end);
}

static void vm_says(const char *text)
{
	clear();
	vmconsole_write(&vm.console, (const u8 *)text, strlen(text));
}

static int setup(void **state)
{
	(void)state;
	memset(&cm, 0, sizeof(cm));
	tty.at = tty.len = 0;
	tty.vm_inputs = 0;
	tty.focus = NULL;
	more_vms = 0;
	timerq_init(&tq, 1000, now);
	vmconsole_init(&vm.console, vm.cfg.name, true, &tq);
	if (!tty.input)
		monitor_start(); /* once, as it keeps its memory */
	clear();
	return 0;
}

/* Back to the VMs, however it stands. */
static int teardown(void **state)
{
	(void)state;
	if (tty.taken)
		type("\x1d");
	assert_false(tty.taken);
	vmconsole_destroy(&vm.console);
	return 0;
}

static void keys_are_the_vms_until_the_escape(void **state)
{
	(void)state;
	assert_string_equal(type("ls\r"), "");
	assert_int_equal(tty.vm_inputs, 1);
	assert_false(tty.taken);
	assert_ends(type("abc\x1d"), "\r" READY);
	assert_non_null(strstr(shown, "The monitor: "));
	assert_true(tty.taken);
	assert_int_equal(tty.vm_inputs, 1);
	type("\x1d");
	assert_false(tty.taken);
	assert_int_equal(tty.vm_inputs, 2);
	type("x");
	assert_int_equal(tty.vm_inputs, 3);
}

static void lines_are_calls(void **state)
{
	(void)state;
	type("\x1d");
	type("walk  alpha 0x10 \r");
	assert_non_null(strstr(shown, "\r\nvm: alpha\r\naddress: 0x10\r\n\r" READY));
	type("walk alpha\r");
	assert_non_null(strstr(shown, "\r\nerror: ADDRESS is missing: walk VM ADDRESS [VCPU]\r\n"));
	type("nothing\r");
	assert_non_null(
		strstr(shown, "\r\nerror: \"nothing\" is no command; \"help\" lists them\r\n"));
	type("x a b c d e f g\r");
	assert_non_null(strstr(shown, "\r\nerror: \"e\" is one too many\r\n"));
	assert_int_equal(cm.calls, 2);
	assert_ends(type("\r"), "\r" READY);
	assert_ends(type("   \r"), "\r" READY);
	assert_int_equal(cm.calls, 2);
	type("st\t");
	assert_non_null(strstr(shown, "triptych> stats "));
	type("a\t\r");
	assert_non_null(strstr(shown, "vm: alpha\r\n"));
}

/* Commands typed in one go, while the first is on its way. */
static void one_at_a_time(void **state)
{
	struct call *c;

	(void)state;
	type("\x1d");
	cm.slow = true;
	type("pause a\rresume b\r");
	assert_int_equal(cm.calls, 1);
	c = cm.waiting;
	cm.slow = false;
	finish_call(c);
	run_tasks();
	assert_int_equal(cm.calls, 2);
	assert_non_null(strstr(shown, "vm: a\r\n"));
	assert_non_null(strstr(shown, "vm: b\r\n"));
}

static void vms_write_above_the_line(void **state)
{
	(void)state;
	vm_says("boot");
	assert_string_equal(shown, "boot");
	type("\x1d");
	type("vm");
	vm_says("hello\r\nwor");
	assert_string_equal(shown, "\r\x1b[Kalpha| hello\r\n\rtriptych> vm\x1b[K");
	type("\x1d");
	vm_says("ld\r\n");
	assert_string_equal(shown, "alpha| world\r\n");
	vm_says("x");
	assert_string_equal(shown, "x");
}

static void console_goes_back(void **state)
{
	(void)state;
	type("\x1d");
	tty.focus = &vm;
	type("console\r");
	assert_false(tty.taken);
	assert_null(tty.focus);
	assert_int_equal(tty.vm_inputs, 1);
	vm_says("x");
	assert_string_equal(shown, "x");
	type("\x1d");
	type("console alpha extra\r");
	assert_non_null(strstr(shown, "\"extra\" is one too many"));
	assert_true(tty.taken);
}

/* The answer to a command is no reason to take the keyboard back that was given away behind it. */
static void what_is_given_back_stays_so(void **state)
{
	(void)state;
	type("\x1d");
	type("vms\r\x1d");
	assert_false(tty.taken);
	assert_null(strstr(shown, "The monitor: "));
	type("ls\r");
	assert_false(tty.taken);
	type("\x1d");
	cm.target = &vm;
	type("vms\rconsole alpha\r");
	assert_false(tty.taken);
	assert_ptr_equal(tty.focus, &vm);
	assert_null(strstr(shown, "The monitor: "));
	vm_says("x");
	assert_string_equal(shown, "x");
	cm.target = NULL;
}

/* Away and back in one go: what stands between was for the VM, and is dropped as always. */
static void away_and_back_at_once(void **state)
{
	(void)state;
	type("\x1d");
	assert_ends(type("vms\r\x1dls\r\x1d"), "\r" READY);
	assert_non_null(strstr(shown, "The monitor: "));
	assert_true(tty.taken);
}

/* All names, as many VMs as there may be. */
static void many_names(void **state)
{
	(void)state;
	type("\x1d");
	more_vms = VM_ID_MAX - 1;
	type("stats vm400\t");
	type("\t");
	for (unsigned i = 4000; i < 4010; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vm%u  ", i);
		assert_non_null(strstr(shown, name));
	}
	type("\x15stats al\t\r");
	assert_non_null(strstr(shown, "vm: alpha\r\n"));
}

/* Also those that are longer than what is kept for the screen. */
static void long_answers_come_whole(void **state)
{
	char line[300] = "stats ";

	(void)state;
	type("\x1d");
	for (unsigned i = 0; i < 40; i++) {
		cm.slow = true;
		type("help\r");
		for (unsigned k = 0; k < i; k++)
			out_text(&cm.waiting->out, "key", "%0200u", k);
		cm.slow = false;
		out_text(&cm.waiting->out, "last", "%u", i);
		clear();
		finish_call(cm.waiting);
		run_tasks();
		snprintf(line, sizeof(line), "last: %u\r\n\r" READY, i);
		assert_non_null(strstr(shown, line));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_are_the_vms_until_the_escape),
		TEST(lines_are_calls),
		TEST(one_at_a_time),
		TEST(vms_write_above_the_line),
		TEST(console_goes_back),
		TEST(what_is_given_back_stays_so),
		TEST(away_and_back_at_once),
		TEST(many_names),
		TEST(long_answers_come_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
