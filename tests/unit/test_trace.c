/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring of a vcpu's last exits, and the places they come from.
 *
 * Sources: hv/ctl/trace.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/ctl/log.h"
#include "hv/ctl/trace.h"
#include "hv/mem/page.h"
#include "hv/vm/vm.h"

#define LINES_MAX 1000
#define LINE_MAX  200

static const char io[] = "I/O", cpuid_exit[] = "CPUID";
static char lines[LINES_MAX][LINE_MAX];
static unsigned printed;

static void keep(const char *fmt, va_list ap)
{
	assert_in_range(printed, 0, LINES_MAX - 1);
	vsnprintf(lines[printed++], LINE_MAX, fmt, ap);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	keep(fmt, ap);
	va_end(ap);
}

void log_machine(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	keep(fmt, ap);
	va_end(ap);
}

/* A vcpu with a ring of that size. */
static struct vcpu *make(unsigned size)
{
	struct vcpu *v = calloc(1, sizeof(*v));

	trace_configure(size);
	v->vm = calloc(1, sizeof(*v->vm));
	strcpy(v->vm->cfg.name, "guest");
	v->trace = trace_create();
	printed = 0;
	return v;
}

static void drop(struct vcpu *v)
{
	struct page_stats s;

	trace_destroy(v->trace);
	page_stats(&s);
	assert_int_equal(s.used[PAGE_HV], 0);
	free(v->vm);
	free(v);
}

static void record(struct vcpu *v, u64 tsc, u64 rip, const char *reason, u64 spent)
{
	struct trace_exit e = { .tsc = tsc, .rip = rip, .info = tsc + 1, .reason = reason };

	trace_record(v->trace, &e, spent);
}

static void test_not_wanted(void **state)
{
	struct vcpu *v = make(0);

	(void)state;
	assert_null(v->trace);
	trace_print(v);
	trace_report(v);
	assert_int_equal(printed, 0);
	drop(v);
}

static void test_the_last_ones(void **state)
{
	struct vcpu *v = make(3);

	(void)state;
	trace_print(v);
	assert_int_equal(printed, 0);
	record(v, 1, 0x1000, io, 0);
	record(v, 2, 0x2000, cpuid_exit, 0);
	trace_print(v);
	assert_string_equal(lines[0], "trace: guest, vcpu 0: the last 2 of 2 exits");
	assert_string_equal(lines[1], "trace: tsc 1 rip 0x1000 I/O 0x2");
	assert_string_equal(lines[2], "trace: tsc 2 rip 0x2000 CPUID 0x3");
	for (u64 i = 3; i <= 8; i++)
		record(v, i, i << 12, io, 0);
	printed = 0;
	trace_print(v);
	assert_int_equal(printed, 4);
	assert_string_equal(lines[0], "trace: guest, vcpu 0: the last 3 of 8 exits");
	assert_string_equal(lines[1], "trace: tsc 6 rip 0x6000 I/O 0x7");
	assert_string_equal(lines[3], "trace: tsc 8 rip 0x8000 I/O 0x9");
	drop(v);
}

/* What was spent belongs to the exit before; the same RIP for another reason is another place. */
static void test_places(void **state)
{
	struct vcpu *v = make(1);

	(void)state;
	record(v, 1, 0x1000, io, 77);
	record(v, 2, 0x2000, io, 100);
	record(v, 3, 0x1000, io, 20);
	record(v, 4, 0x1000, cpuid_exit, 300);
	record(v, 5, 0x1000, io, 4);
	trace_report(v);
	assert_int_equal(printed, 4);
	assert_string_equal(lines[0],
		"@stats {\"vm\":\"guest\",\"vcpu\":0,\"rip\":\"0x1000\",\"reason\":\"I/O\","
		"\"times\":3,\"spent\":400}");
	assert_non_null(strstr(lines[1], "\"times\":1,"));
	assert_non_null(strstr(lines[2], "\"times\":1,"));
	assert_true(strstr(lines[1], "0x2000") || strstr(lines[2], "0x2000"));
	assert_string_equal(
		lines[3], "@stats {\"vm\":\"guest\",\"vcpu\":0,\"traced\":5,\"without_place\":0}");
	drop(v);
}

/* More places than there is room for: those that were there go on counting, the rest is counted as
 * lost, and the report is cut, most exits first. */
static void test_too_many_places(void **state)
{
	struct vcpu *v = make(16);
	u64 sum = 0, times, before = ~0ul;

	(void)state;
	record(v, 0, 0x1000, io, 0);
	for (u64 i = 0; i < 2 * TRACE_PLACES; i++)
		record(v, i, 0x100000 + i * 5, cpuid_exit, 1);
	for (u64 i = 0; i < 9; i++)
		record(v, i, 0x1000, io, 1);
	for (const struct trace_place *p = v->trace->place; p < v->trace->place + TRACE_PLACES; p++)
		sum += p->count;
	assert_true(v->trace->lost > 0);
	assert_int_equal(sum + v->trace->lost, v->trace->total);
	trace_report(v);
	assert_non_null(strstr(lines[0], "\"rip\":\"0x1000\",\"reason\":\"I/O\",\"times\":10,"));
	for (unsigned i = 0; i + 1 < printed; i++) {
		assert_int_equal(sscanf(strstr(lines[i], "times"), "times\":%lu", &times), 1);
		assert_true(times <= before);
		before = times;
	}
	assert_in_range(printed, 2, 200);
	drop(v);
}

static void test_a_ring_has_a_limit(void **state)
{
	struct vcpu *v = make(~0u);

	(void)state;
	assert_non_null(v->trace);
	assert_int_equal(v->trace->size, TRACE_EXITS_MAX);
	for (u64 i = 0; i < TRACE_EXITS_MAX + 5; i++)
		record(v, i, 1, io, 0);
	assert_int_equal(v->trace->exit[4].tsc, TRACE_EXITS_MAX + 4);
	assert_int_equal(v->trace->exit[5].tsc, 5);
	drop(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_wanted),
		cmocka_unit_test(test_the_last_ones),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_too_many_places),
		cmocka_unit_test(test_a_ring_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
