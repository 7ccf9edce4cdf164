/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's clocks beside its time-stamp counter: "clock idle 60" sleeps for 60 seconds, "clock
 * busy 60" counts until the clock says that they are over. One line of JSON: how far the counter,
 * the monotonic clock and the time of day went meanwhile, and where the counter stands.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ull

struct reading {
	uint64_t tsc, monotonic, realtime;
};

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t)) {
		perror("clock_gettime");
		exit(1);
	}
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static struct reading read_clocks(void)
{
	return (struct reading){ __builtin_ia32_rdtsc(), now(CLOCK_MONOTONIC),
		now(CLOCK_REALTIME) };
}

static void idle(unsigned seconds)
{
	struct timespec t = { .tv_sec = seconds };

	nanosleep(&t, NULL);
}

static void busy(unsigned seconds)
{
	uint64_t end = now(CLOCK_MONOTONIC) + seconds * NS_PER_S;

	while (now(CLOCK_MONOTONIC) < end)
		for (volatile unsigned i = 0; i < 10000; i++)
			continue;
}

int main(int argc, char **argv)
{
	struct reading a, b;

	if (argc != 3) {
		fprintf(stderr, "usage: clock idle|busy SECONDS\n");
		return 2;
	}
	a = read_clocks();
	(strcmp(argv[1], "busy") ? idle : busy)((unsigned)atoi(argv[2]));
	b = read_clocks();
	printf("{\"tsc\":%llu,\"monotonic_ns\":%llu,\"realtime_ns\":%llu,\"at\":%llu}\n",
		(unsigned long long)(b.tsc - a.tsc),
		(unsigned long long)(b.monotonic - a.monotonic),
		(unsigned long long)(b.realtime - a.realtime), (unsigned long long)b.tsc);
	return 0;
}
