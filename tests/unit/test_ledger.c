/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tick ledger: what is charged where, and what the report makes of it. The clock is the host's,
 * so that ticks are checked against the clock around them.
 *
 * Sources: hv/ctl/ledger.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "hv/cpu/cpu.h"
#include "hv/cpu/percpu.h"
#include "hv/ctl/ledger.h"
#include "hv/ctl/log.h"
#include "hv/vm/vcpu.h"

#define SOME_TICKS 100000u

const struct exit_handler exit_handlers[EXIT_KINDS] = {
	[EXIT_NONE] = { "none", NULL },
	[EXIT_INTERRUPT] = { "interrupt", NULL },
	[EXIT_NMI] = { "nmi", NULL },
	[EXIT_WINDOW] = { "window", NULL },
	[EXIT_TIMER] = { "timer", NULL },
	[EXIT_CPUID] = { "cpuid", NULL },
	[EXIT_RDMSR] = { "rdmsr", NULL },
	[EXIT_WRMSR] = { "wrmsr", NULL },
	[EXIT_IO] = { "io", NULL },
	[EXIT_CR] = { "cr", NULL },
	[EXIT_INVLPG] = { "invlpg", NULL },
	[EXIT_HLT] = { "hlt", NULL },
	[EXIT_PAUSE] = { "pause", NULL },
	[EXIT_WBINVD] = { "wbinvd", NULL },
	[EXIT_XSETBV] = { "xsetbv", NULL },
	[EXIT_RDPMC] = { "rdpmc", NULL },
	[EXIT_HYPERCALL] = { "hypercall", NULL },
	[EXIT_UNDEFINED] = { "undefined", NULL },
	[EXIT_EXCEPTION] = { "exception", NULL },
	[EXIT_DR] = { "debug-register", NULL },
	[EXIT_STEP] = { "step", NULL },
	[EXIT_MEMORY] = { "memory", NULL },
	[EXIT_TASK_SWITCH] = { "task-switch", NULL },
	[EXIT_TRIPLE_FAULT] = { "triple-fault", NULL },
	[EXIT_BROKEN] = { "broken", NULL },
};

static struct percpu cpus[2];
static unsigned up = 1;
static char machine[2][512];
static unsigned told;
static enum log_level level;

unsigned cpu_count(void)
{
	return up;
}

struct percpu *cpu_by_index(unsigned index)
{
	return &cpus[index];
}

void log_machine(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(machine[told++ % 2], sizeof(machine[0]), fmt, ap);
	va_end(ap);
}

void log_write(enum log_level l, const char *fmt, ...)
{
	(void)fmt;
	level = l;
}

/* this_cpu() reads through GS. */
static int on_cpu_0(void **state)
{
	(void)state;
	memset(cpus, 0, sizeof(cpus));
	up = 1;
	told = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++) {
		cpus[i].self = &cpus[i];
		cpus[i].index = i;
	}
	ledger_omit(NULL, 0);
	return (int)syscall(SYS_arch_prctl, ARCH_SET_GS, &cpus[0]);
}

static void spend(u64 ticks)
{
	u64 end = rdtsc() + ticks;

	while (rdtsc() < end)
		;
}

static long value(unsigned line, const char *key)
{
	char pattern[64];
	const char *at;
	long n = -1;

	snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	at = strstr(machine[line], pattern);
	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(pattern), "%ld", &n), 1);
	return n;
}

/* Before the first slice, in it, between two, and after the last. */
static void test_boot_and_hypervisor(void **state)
{
	struct ledger *l = &cpus[0].ledger;
	struct vcpu v = { 0 };
	u64 start = rdtsc(), boot;

	(void)state;
	ledger_start(&cpus[0], start);
	spend(SOME_TICKS);
	ledger_slice_begin(&v);
	boot = l->boot;
	assert_in_range(boot, SOME_TICKS, rdtsc() - start);
	assert_int_equal(l->hypervisor, 0);
	spend(SOME_TICKS);
	ledger_slice_end();
	spend(SOME_TICKS);
	ledger_slice_begin(&v);
	assert_int_equal(l->boot, boot);
	assert_in_range(l->hypervisor, SOME_TICKS, rdtsc() - start - boot - SOME_TICKS);
	ledger_slice_end();
}

static void test_idle_is_not_the_hypervisors(void **state)
{
	struct vcpu v = { 0 };
	u64 start = rdtsc();

	(void)state;
	ledger_start(&cpus[0], start);
	ledger_slice_begin(&v);
	ledger_slice_end();
	spend(2 * SOME_TICKS);
	cpus[0].idle_ticks = SOME_TICKS;
	ledger_slice_begin(&v);
	assert_in_range(cpus[0].ledger.hypervisor, SOME_TICKS, rdtsc() - start - SOME_TICKS);
}

/* Nested back ends are charged once, and not to the exit that they are part of. */
static void test_back_ends(void **state)
{
	struct vcpu v = { .exit_tsc = 1000 };
	struct ledger_mark outer, inner;
	u64 start, end, charged;

	(void)state;
	ledger_start(&cpus[0], rdtsc());
	ledger_slice_begin(&v);
	start = rdtsc();
	outer = ledger_backend_begin();
	spend(SOME_TICKS);
	inner = ledger_backend_begin();
	spend(SOME_TICKS);
	ledger_backend_end(inner);
	spend(SOME_TICKS);
	ledger_backend_end(outer);
	end = rdtsc();
	charged = cpus[0].ledger.backend;
	assert_in_range(charged, 3 * SOME_TICKS, end - start);
	assert_int_equal(v.exit_tsc, 1000 + (u32)charged);
	ledger_slice_end();
	ledger_backend_end(ledger_backend_begin());
	assert_int_equal(v.exit_tsc, 1000 + (u32)charged);
}

static struct vcpu finished(void)
{
	struct vcpu v = { .guest_ticks = 700, .sched.cpu = &cpus[0] };

	v.exits[EXIT_IO].ticks = 200;
	v.exits[EXIT_CPUID].ticks = 60;
	return v;
}

static void test_a_handler_left_out(void **state)
{
	struct vcpu v = finished();

	(void)state;
	ledger_close(&v);
	assert_int_equal(cpus[0].ledger.guest, 700);
	assert_int_equal(cpus[0].ledger.exits, 260);
	ledger_omit("io more", 2);
	assert_true(ledger_omits("io"));
	assert_false(ledger_omits("i"));
	assert_false(ledger_omits("iox"));
	ledger_close(&v);
	assert_int_equal(cpus[0].ledger.exits, 260 + 60);
}

/* The sum is what the clock says; what is missing, or too much, is the residual. */
static void test_report(void **state)
{
	struct vcpu v = finished();
	u64 base, elapsed;

	(void)state;
	base = rdtsc();
	ledger_start(&cpus[0], base);
	ledger_slice_begin(&v);
	spend(10 * SOME_TICKS);
	ledger_slice_end();
	v.guest_ticks = cpus[0].ledger.mark - base - cpus[0].ledger.boot - 260;
	ledger_close(&v);
	spend(SOME_TICKS);
	ledger_report();
	elapsed = (u64)value(0, "elapsed_ticks");
	assert_int_equal(value(0, "ledger"), 0);
	assert_int_equal(value(0, "exit_sum"), 260);
	assert_int_equal(value(0, "guest_sum"), v.guest_ticks);
	assert_true((u64)value(0, "hypervisor_ticks") >= SOME_TICKS);
	assert_int_equal(value(0, "boot_ticks") + value(0, "hypervisor_ticks") +
				 value(0, "guest_sum") + value(0, "exit_sum") +
				 value(0, "residual_ticks"),
		elapsed);
	assert_int_equal(value(0, "residual_ticks"), 0);
	assert_int_equal(level, LOG_INFO);
	ledger_close(&v); /* everything twice */
	ledger_report();
	assert_true(value(1, "residual_ticks") < 0);
	assert_int_equal(level, LOG_WARN);
}

/* A processor that has been idle since it came up, and still is. */
static void test_another_cpu(void **state)
{
	u64 now = rdtsc();

	(void)state;
	up = 2;
	ledger_start(&cpus[0], now);
	ledger_start(&cpus[1], now - SOME_TICKS);
	cpus[1].idle_since = now - SOME_TICKS + 10;
	ledger_report();
	assert_int_equal(told, 2);
	assert_int_equal(value(1, "ledger"), 1);
	assert_int_equal(value(1, "boot_ticks"), 10);
	assert_int_equal(value(1, "cpu_idle_ticks") + 10, value(1, "elapsed_ticks"));
	assert_int_equal(value(1, "residual_ticks"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_boot_and_hypervisor, on_cpu_0),
		cmocka_unit_test_setup(test_idle_is_not_the_hypervisors, on_cpu_0),
		cmocka_unit_test_setup(test_back_ends, on_cpu_0),
		cmocka_unit_test_setup(test_a_handler_left_out, on_cpu_0),
		cmocka_unit_test_setup(test_report, on_cpu_0),
		cmocka_unit_test_setup(test_another_cpu, on_cpu_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
