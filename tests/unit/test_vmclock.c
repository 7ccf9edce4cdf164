/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's own time: what stands still, for whom, and that it never goes back.
 *
 * Sources: hv/vm/clock.c hv/cpu/timer.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hv/vm/vm.h"
#include "tests/unit/clock.h"

#define START  1000000ul
#define OFFSET 0x123456789ul

static struct timerq cpu;
static struct vm vm;
static struct vcpu v[2];
static u64 tsc_offset[2];
static unsigned expired;
static u64 expired_at; /* of the VM's time */

static u64 get(struct vcpu *c, enum vcpu_reg r)
{
	assert_int_equal(r, VREG_TSC_OFFSET);
	return tsc_offset[c->index];
}

static void set(struct vcpu *c, enum vcpu_reg r, u64 value)
{
	assert_int_equal(r, VREG_TSC_OFFSET);
	tsc_offset[c->index] = value;
}

static const struct cpu_ops ops = { .get = get, .set = set };

static void expire(struct timer *t)
{
	(void)t;
	expired++;
	expired_at = timerq_now(&vm.clock->q);
}

static int setup(void **state)
{
	(void)state;
	clock_now = START;
	timerq_init(&cpu, 1000000000, now);
	vm = (struct vm){ .vcpus = 2, .vcpu = { &v[0], &v[1] } };
	vm.clock = &vm.own_clock;
	vm_clock_init(vm.clock, &cpu);
	for (unsigned i = 0; i < 2; i++) {
		v[i] = (struct vcpu){ .ops = &ops, .vm = &vm, .index = i };
		tsc_offset[i] = OFFSET;
	}
	expired = 0;
	return 0;
}

static u64 time_now(void)
{
	return timerq_now(&vm.clock->q);
}

/* Lets the CPU's time pass, as far as its queue is concerned. */
static void pass_to(u64 tsc)
{
	clock_now = tsc;
	timerq_run(&cpu);
}

static void test_stands_still(void **state)
{
	(void)state;
	assert_int_equal(time_now(), START);
	pass_to(START + 100);
	assert_int_equal(time_now(), START + 100);
	vm_clock_stop(vm.clock, START + 100);
	pass_to(START + 600);
	assert_int_equal(time_now(), START + 100);
	vm_clock_stop(vm.clock, START + 600); /* it does already */
	pass_to(START + 700);
	assert_int_equal(time_now(), START + 100);
	vm_clock_go(vm.clock, START + 700);
	assert_int_equal(time_now(), START + 100);
	vm_clock_go(vm.clock, START + 700); /* it does already */
	pass_to(START + 710);
	assert_int_equal(time_now(), START + 110);
	assert_int_equal(vm.clock->lost, 600);
}

/* The guest's TSC is its own time and its own offset; each vcpu's, when it runs next. */
static void test_tsc(void **state)
{
	(void)state;
	vm_clock_stop(vm.clock, START);
	pass_to(START + 500);
	vm_clock_go(vm.clock, START + 500);
	vm_clock_show(&v[0]);
	assert_int_equal(tsc_offset[0], OFFSET - 500);
	assert_int_equal(tsc_offset[1], OFFSET);
	vm_clock_show(&v[0]);
	assert_int_equal(tsc_offset[0], OFFSET - 500);
	vm_clock_stop(vm.clock, START + 500);
	pass_to(START + 507);
	vm_clock_go(vm.clock, START + 507);
	vm_clock_show(&v[1]);
	assert_int_equal(tsc_offset[1], OFFSET - 507);
	assert_int_equal(tsc_offset[1] + v[1].tsc_lag, OFFSET);
	vm_clock_show(&v[0]);
	assert_int_equal(tsc_offset[0], OFFSET - 507);
}

/* A timer is due at the VM's time, also when the relay comes while that stands still. */
static void test_timers(void **state)
{
	struct timer t;

	(void)state;
	timer_init(&t, expire);
	timer_arm(&vm.clock->q, &t, START + 100);
	assert_int_equal(cpu.next, START + 100);
	vm_clock_stop(vm.clock, START + 40);
	pass_to(START + 340);
	assert_int_equal(expired, 0);
	vm_clock_go(vm.clock, START + 340);
	assert_int_equal(cpu.next, START + 400);
	pass_to(START + 399);
	assert_int_equal(expired, 0);
	pass_to(START + 400);
	assert_int_equal(expired, 1);
	assert_int_equal(expired_at, START + 100);
	assert_int_equal(cpu.next, TIMER_NEVER);
}

/* One that is set while time stands still, and one that is taken back. */
static void test_timers_meanwhile(void **state)
{
	struct timer t, u;

	(void)state;
	timer_init(&t, expire);
	timer_init(&u, expire);
	vm_clock_stop(vm.clock, START);
	pass_to(START + 50);
	timer_arm(&vm.clock->q, &t, START + 10);
	timer_arm(&vm.clock->q, &u, START + 5);
	pass_to(START + 80);
	assert_int_equal(expired, 0);
	timer_cancel(&vm.clock->q, &u);
	vm_clock_go(vm.clock, START + 80);
	pass_to(START + 89);
	assert_int_equal(expired, 0);
	pass_to(START + 90);
	assert_int_equal(expired, 1);
	timer_arm(&vm.clock->q, &t, START + 1000);
	vm_clock_destroy(vm.clock);
	assert_int_equal(cpu.next, TIMER_NEVER);
}

/* Another CPU makes a vcpu wait as of a moment, and this one has told a later time by then. */
static void test_never_goes_back(void **state)
{
	(void)state;
	pass_to(START + 200);
	assert_int_equal(time_now(), START + 200);
	vm_clock_stop(vm.clock, START + 190);
	assert_int_equal(time_now(), START + 200);
	pass_to(START + 300);
	assert_int_equal(time_now(), START + 200);
	vm_clock_go(vm.clock, START + 300);
	assert_int_equal(time_now(), START + 200);
	/* Nor when it is to go on as of a moment before that. */
	vm_clock_stop(vm.clock, START + 300);
	vm_clock_go(vm.clock, START + 290);
	assert_int_equal(time_now(), START + 200);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stands_still),
		TEST(test_tsc),
		TEST(test_timers),
		TEST(test_timers_meanwhile),
		TEST(test_never_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
