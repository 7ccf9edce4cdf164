/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two processors that wait for each other by PAUSE: a turn is passed to and fro, then one computes
 * while it has a lock and the other spins for it. Where both are on one CPU, the time that this
 * takes tells whether who spins is noticed. (vcpus: 2)
 *
 *   rounds=N   of the turn (20 if it is not given)
 *   laps=N     of work while the lock is held (50)
 */
#include "tests/guest/lib/smp.h"

#define LAP	     20000u
#define START_MS     2000u
#define WAIT_SECONDS 60ul

static u64 rounds, laps;
static volatile u64 turn, count;
static volatile unsigned held, done;

/* Interrupts are on: it must be possible to take the processor away from who spins. */
static void spin_until(volatile u64 *what, u64 value)
{
	u64 end = rdtsc() + WAIT_SECONDS * tsc_per_second();

	while (*what != value) {
		__builtin_ia32_pause();
		check(rdtsc() < end, "waited for %lu, and it is %lu", value, *what);
	}
}

static void pass_the_turn(unsigned id)
{
	for (u64 i = 0; i < rounds; i++) {
		spin_until(&turn, 2 * i + id);
		turn++;
	}
}

static void other(unsigned id)
{
	apic_enable();
	sti();
	pass_the_turn(id);
	held = 1;
	for (u64 i = 0; i < laps * LAP; i++)
		count++;
	turn = ~0ul;
	done = 1;
	for (;;)
		sti_hlt_cli();
}

void test_main(void)
{
	u64 from, handed, worked;

	if (smp_count() < 2)
		skip("one processor");
	rounds = cmdline_number("rounds", 20);
	laps = cmdline_number("laps", 50);
	apic_enable();
	check(smp_start(1, other), "the other processor has not begun");
	sti();
	from = rdtsc();
	pass_the_turn(0);
	handed = rdtsc() - from;
	from = rdtsc();
	spin_until(&turn, ~0ul);
	worked = rdtsc() - from;
	check_eq(count, laps * LAP, "work done under the lock");
	say("handoff: %lu rounds in %lu ticks; %lu laps in %lu ticks", rounds, handed, laps,
		worked);
	pass();
}
