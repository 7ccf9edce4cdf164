/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON-RPC on a serial port, against the real table of commands: what is answered to requests that
 * are right, wrong, broken, too long, in pieces.
 *
 * Sources: hv/ctl/rpc.c hv/ctl/json.c hv/ctl/answer.c hv/ctl/out.c hv/ctl/command.c hv/ctl/table.c
 * hv/ctl/log.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/rpc_machine.h"

static int setup(void **state)
{
	(void)state;
	rpc_machine_start();
	return 0;
}

/* What is answered to these bytes. */
static const char *answer(const char *bytes)
{
	rm.out_len = 0;
	rm.out[0] = '\0';
	arrive(bytes, strlen(bytes));
	return rm.out;
}

static void assert_error(const char *bytes, const char *id, int code)
{
	char want[128];

	snprintf(want, sizeof(want), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,", id,
		code);
	answer(bytes);
	if (strncmp(rm.out, want, strlen(want)))
		fail_msg("%s is answered by %s", bytes, rm.out);
	assert_ptr_equal(strchr(rm.out, '\n'), rm.out + rm.out_len - 1);
}

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":"

static void requests_are_answered(void **state)
{
	(void)state;
	assert_string_equal(
		answer(HEAD "\"vms\"}\n"), "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n");
	assert_string_equal(
		answer(HEAD "\"walk\",\"params\":{\"address\":\"0x10\",\"vm\":\"a\"}}\r\n"),
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"vm\":\"a\",\"address\":\"0x10\"}}\n");
	assert_string_equal(
		answer("{\"method\":\"x\",\"params\":{\"vm\":\"a\",\"address\":16,\"count\":1},"
		       "\"id\":\"q\\\"\",\"jsonrpc\":\"2.0\"}\n"),
		"{\"jsonrpc\":\"2.0\",\"id\":\"q\\\"\",\"result\":{\"vm\":\"a\",\"address\":\"16\","
		"\"count\":\"1\"}}\n");
}

static void notifications_are_not(void **state)
{
	(void)state;
	assert_string_equal(
		answer("{\"jsonrpc\":\"2.0\",\"method\":\"pause\",\"params\":{\"vm\":\"a\"}}\n"),
		"");
	assert_int_equal(cm.calls, 1);
	assert_string_equal(answer("{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}\n"), "");
	assert_string_equal(answer("\n  \r\n\t\n"), "");
}

static void errors_say_what(void **state)
{
	(void)state;
	assert_error("{\n", "null", RPC_PARSE_ERROR);
	assert_error("nonsense\n", "null", RPC_PARSE_ERROR);
	assert_error("[]\n", "null", RPC_INVALID_REQUEST);
	assert_error("[" HEAD "\"vms\"}]\n", "null", RPC_INVALID_REQUEST);
	assert_error("[[[[[[[[[[[[]]]]]]]]]]]]\n", "null", RPC_INVALID_REQUEST);
	assert_error("{\"id\":7,\"method\":\"vms\"}\n", "null", RPC_INVALID_REQUEST);
	assert_error(
		"{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"vms\"}\n", "null", RPC_INVALID_REQUEST);
	assert_error("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":1}\n", "null", RPC_INVALID_REQUEST);
	assert_error("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"vms\"}\n", "null",
		RPC_INVALID_REQUEST);
	assert_error("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"vms\"}\n", "null",
		RPC_INVALID_REQUEST);
	assert_error(HEAD "\"nothing\"}\n", "7", RPC_METHOD_NOT_FOUND);
	assert_error(HEAD "\"vms\\u0000\"}\n", "7", RPC_METHOD_NOT_FOUND);
	assert_error(HEAD "\"pause\"}\n", "7", RPC_INVALID_PARAMS);
	assert_error(HEAD "\"pause\",\"params\":[\"a\"]}\n", "7", RPC_INVALID_PARAMS);
	assert_error(HEAD "\"pause\",\"params\":{\"vm\":{}}}\n", "7", RPC_INVALID_PARAMS);
	assert_error(HEAD "\"pause\",\"params\":{\"vm\":\"\"}}\n", "7", RPC_INVALID_PARAMS);
	assert_error(
		HEAD "\"pause\",\"params\":{\"vm\":\"a\",\"x\":1}}\n", "7", RPC_INVALID_PARAMS);
	assert_error(HEAD "\"vms\",\"params\":{\"vm\":\"a\"}}\n", "7", RPC_INVALID_PARAMS);
	assert_error(HEAD "\"x\",\"params\":{\"vm\":\"a\",\"address\":\"foo\"}}\n", "7",
		RPC_INVALID_PARAMS);
	assert_error(
		HEAD "\"x\",\"params\":{\"vm\":\"a\",\"address\":-1}}\n", "7", RPC_INVALID_PARAMS);
	assert_int_equal(cm.calls, 0);
	assert_error(HEAD "\"console\"}\n", "7", RPC_FAILED);
}

static void pieces_make_a_line(void **state)
{
	static const char line[] = HEAD "\"vms\"}\n";

	(void)state;
	for (size_t i = 0; i < strlen(line) - 1; i++) {
		char byte[2] = { line[i], 0 };

		assert_string_equal(answer(byte), "");
	}
	assert_string_equal(answer("\n"), "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n");
}

/* A megabyte without an end, and what follows is understood again. */
static void long_lines_are_dropped(void **state)
{
	static char line[1 << 20];

	(void)state;
	memset(line, 'x', sizeof(line));
	rm.out_len = 0;
	arrive(line, sizeof(line));
	assert_int_equal(rm.out_len, 0);
	assert_error("\n", "null", RPC_INVALID_REQUEST);
	assert_string_equal(
		answer(HEAD "\"vms\"}\n"), "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n");
	memset(line, ' ', sizeof(line));
	memcpy(line + RPC_LINE_MAX - 3, "12\n", 3);
	rm.out_len = 0;
	arrive(line, RPC_LINE_MAX);
	assert_non_null(strstr(rm.out, "an object with")); /* as long as it may be */
}

/* While a call is under way nothing more is read, and after it all that came. */
static void one_at_a_time(void **state)
{
	struct call *c;

	(void)state;
	cm.slow = true;
	assert_string_equal(
		answer(HEAD "\"vms\"}\n{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"mem\"}\n"), "");
	assert_int_equal(cm.calls, 1);
	c = cm.waiting;
	cm.slow = false;
	finish_call(c);
	run_tasks();
	assert_int_equal(cm.calls, 2);
	assert_string_equal(rm.out, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n"
				    "{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{}}\n");
}

static void events_after_subscription(void **state)
{
	static struct vm vm = { .cfg.name = "a" };

	(void)state;
	rm.event(&vm);
	assert_int_equal(rm.out_len, 0);
	assert_string_equal(answer(HEAD "\"subscribe\"}\n"),
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"subscribed\":true}}\n");
	rm.out_len = 0;
	rm.event(&vm);
	assert_string_equal(rm.out,
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":"
		"\"started\",\"vm\":\"a\"}}\n");
	vm.end = VM_END_CRASH;
	strcpy(vm.end_why, "it said \"no\"");
	rm.out_len = 0;
	rm.event(&vm);
	assert_string_equal(rm.out,
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":\"crashed\","
		"\"vm\":\"a\",\"end\":\"crash\",\"status\":0,\"why\":\"it said \\\"no\\\"\"}}\n");
}

/* ---- the table that it serves ---- */

static void the_table_is_sound(void **state)
{
	char usage[64];

	(void)state;
	for (unsigned i = 0; i < commands_count; i++) {
		const struct command *c = &commands[i];
		bool vm = false, optional = false, ended = false;

		assert_ptr_equal(command_find(c->name), c); /* no name twice */
		command_usage(c, usage, sizeof(usage));
		assert_true(strlen(usage) < sizeof(usage) - 1 && strlen(c->help) > 3);
		for (unsigned k = 0; k < COMMAND_ARGS; k++) {
			ended |= !c->arg[k].type;
			assert_true(ended == !c->arg[k].type);
			assert_true(ended || !optional || c->arg[k].optional);
			optional |= c->arg[k].optional;
			vm |= c->arg[k].type == ARG_VM;
			assert_true((c->arg[k].type == ARG_COUNT || c->arg[k].type == ARG_SIZE) ==
				    (c->arg[k].max != 0));
		}
		assert_true(vm || c->place == ON_BOOT_CPU);
	}
	command_usage(command_find("x"), usage, sizeof(usage));
	assert_string_equal(usage, "x VM ADDRESS [COUNT] [VCPU]");
	assert_null(command_find("xx"));
	assert_null(command_find(""));
}

static void assert_check(
	const char *name, const char *a, const char *b, const char *c, const char *why)
{
	const char *word[COMMAND_ARGS] = { a, b, c, NULL };
	struct arg_value value[COMMAND_ARGS];
	char err[COMMAND_ERR_MAX] = "";

	if (command_check(command_find(name), word, value, err))
		assert_string_equal("", why);
	else
		assert_string_equal(err, why);
}

static void arguments_are_checked(void **state)
{
	static char lengthy[200];

	(void)state;
	memset(lengthy, 'a', sizeof(lengthy) - 1);
	assert_check("vms", NULL, NULL, NULL, "");
	assert_check("vms", "a", NULL, NULL, "\"a\" is one too many: vms");
	assert_check("x", NULL, NULL, NULL, "VM is missing: x VM ADDRESS [COUNT] [VCPU]");
	assert_check("x", "a", NULL, NULL, "ADDRESS is missing: x VM ADDRESS [COUNT] [VCPU]");
	assert_check("x", "a", "0xffffffffffffffff", "512", "");
	assert_check("x", "a", "0x10000000000000000", NULL,
		"ADDRESS: an address such as 0xffffffff81000000 is expected, not "
		"\"0x10000000000000000\": x VM ADDRESS [COUNT] [VCPU]");
	assert_check("x", "a", "0x", NULL,
		"ADDRESS: an address such as 0xffffffff81000000 is expected, not \"0x\": x VM "
		"ADDRESS [COUNT] [VCPU]");
	assert_check("x", "a", "1f", NULL,
		"ADDRESS: an address such as 0xffffffff81000000 is expected, not \"1f\": x VM "
		"ADDRESS [COUNT] [VCPU]");
	assert_check("x", "a", "1", "513",
		"COUNT: a number from 1 to 512 is expected, not \"513\": x VM ADDRESS [COUNT] "
		"[VCPU]");
	assert_check("x", "a", "1", "0",
		"COUNT: a number from 1 to 512 is expected, not \"0\": x VM ADDRESS [COUNT] "
		"[VCPU]");
	assert_check("balloon", "a", "0", NULL, "");
	assert_check("balloon", "a", "1048577", NULL,
		"MB: a number from 0 to 1048576 is expected, not \"1048577\": balloon VM MB");
	assert_check("resize", "a", "80", "65536",
		"ROWS: a number from 0 to 65535 is expected, not \"65536\": resize VM COLUMNS "
		"ROWS");
	assert_check("pause", lengthy, NULL, NULL,
		"VM: a name is expected, not \"aaaaaaaaaaaaaaaaaaaa\": pause VM");
	assert_check("regs", "a", "-1", NULL,
		"VCPU: the number of a vcpu, from 0 on, is expected, not \"-1\": regs VM [VCPU]");
	assert_check("regs", "a", "0", "1", "\"1\" is one too many: regs VM [VCPU]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(requests_are_answered, setup),
		cmocka_unit_test_setup(notifications_are_not, setup),
		cmocka_unit_test_setup(errors_say_what, setup),
		cmocka_unit_test_setup(pieces_make_a_line, setup),
		cmocka_unit_test_setup(long_lines_are_dropped, setup),
		cmocka_unit_test_setup(one_at_a_time, setup),
		cmocka_unit_test_setup(events_after_subscription, setup),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(arguments_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
