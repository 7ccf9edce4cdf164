/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Do clocks go back between processors? "handover 10": for 10 seconds a thread on each processor
 * takes a lock, reads the time-stamp counter and the monotonic clock, and compares them with what
 * the last to have the lock has read, on whichever processor that was. One line of JSON: readings
 * of each processor, how often the lock was handed from one processor to another, and how often and
 * how far at most either clock went back. Status 1: it did, or a processor was left out.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CPUS_MAX 64u
#define NS_PER_S 1000000000ull
#define SPINS	 200u /* then the holder may be waiting for this processor */
#define GAP	 200u /* between giving the lock back and asking for it again, for another to get it */
#define NICE	 (-5) /* processors that are busy still come to it */

enum {
	TSC,
	MONOTONIC,
	CLOCKS
};

struct step_back {
	unsigned long times;
	uint64_t most;
};

static atomic_flag lock = ATOMIC_FLAG_INIT;
static uint64_t end; /* by the monotonic clock */

/* Under the lock. */
static uint64_t last[CLOCKS];
static struct step_back back[CLOCKS];
static unsigned holder = CPUS_MAX;
static unsigned long handovers, readings[CPUS_MAX];

static uint64_t monotonic(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t)) {
		perror("clock_gettime");
		exit(2);
	}
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Not before the lock was taken, and not after it is given back. */
static uint64_t tsc(void)
{
	uint64_t now;

	__builtin_ia32_lfence();
	now = __builtin_ia32_rdtsc();
	__builtin_ia32_lfence();
	return now;
}

static void compare(unsigned clock, uint64_t now)
{
	if (now < last[clock]) {
		back[clock].times++;
		if (last[clock] - now > back[clock].most)
			back[clock].most = last[clock] - now;
	}
	last[clock] = now;
}

static void take_lock(void)
{
	for (unsigned spins = 0; atomic_flag_test_and_set_explicit(&lock, memory_order_acquire);
		spins++)
		if (spins % SPINS == SPINS - 1)
			sched_yield();
		else
			__builtin_ia32_pause();
}

/* True: go on. */
static bool compare_clocks(unsigned cpu)
{
	bool more;

	take_lock();
	compare(TSC, tsc());
	compare(MONOTONIC, monotonic());
	handovers += holder != cpu;
	holder = cpu;
	readings[cpu]++;
	more = last[MONOTONIC] < end;
	atomic_flag_clear_explicit(&lock, memory_order_release);
	return more;
}

static void *on_cpu(void *arg)
{
	unsigned cpu = (unsigned)(uintptr_t)arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set)) {
		fprintf(stderr, "handover: processor %u is not to be had\n", cpu);
		exit(2);
	}
	while (compare_clocks(cpu))
		for (unsigned i = 0; i < GAP; i++)
			__builtin_ia32_pause();
	return NULL;
}

static bool report(unsigned cpus)
{
	bool all = true;

	printf("{\"readings\":[");
	for (unsigned i = 0; i < cpus; i++) {
		printf("%s%lu", i ? "," : "", readings[i]);
		all &= readings[i] > 0;
	}
	printf("],\"handovers\":%lu,\"tsc_back\":%lu,\"tsc_most\":%llu,\"monotonic_back\":%lu,"
	       "\"monotonic_most_ns\":%llu}\n",
		handovers, back[TSC].times, (unsigned long long)back[TSC].most,
		back[MONOTONIC].times, (unsigned long long)back[MONOTONIC].most);
	return all && !back[TSC].times && !back[MONOTONIC].times;
}

int main(int argc, char **argv)
{
	pthread_t thread[CPUS_MAX];
	cpu_set_t set;
	unsigned cpus;

	if (argc != 2 || sched_getaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "usage: handover SECONDS\n");
		return 2;
	}
	cpus = (unsigned)CPU_COUNT(&set);
	if (cpus > CPUS_MAX)
		cpus = CPUS_MAX;
	if (nice(NICE) == -1) {
		perror("nice");
		return 2;
	}
	end = monotonic() + (uint64_t)atoi(argv[1]) * NS_PER_S;
	for (unsigned i = 0; i < cpus; i++)
		if (pthread_create(&thread[i], NULL, on_cpu, (void *)(uintptr_t)i)) {
			fprintf(stderr, "handover: no thread\n");
			return 2;
		}
	for (unsigned i = 0; i < cpus; i++)
		pthread_join(thread[i], NULL);
	return report(cpus) ? 0 : 1;
}
