/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation is repeated in batches, most of which are shorter than the time between two timer
 * interrupts. A batch gives ticks an operation, less those of the loop itself: minimum is the best
 * batch, which no interrupt met; mean is that of all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-images/exits.h"
#include "guest-images/linux/bench.h"

#define BATCHES_MIN   3
#define BATCHES_MAX   1000
#define LOOPS_TO_TIME 40

static struct exits exits;
static double ticks[BATCHES_MAX];

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static void nothing(unsigned i)
{
	(void)i;
}

/* Ticks of that many operations. */
static uint64_t loop(void (*once)(unsigned), unsigned operations)
{
	uint64_t start = rdtsc();

	for (unsigned i = 0; i < operations; i++)
		once(i);
	return rdtsc() - start;
}

static uint64_t together(const struct bench *b)
{
	uint64_t start = rdtsc();

	b->all(b->operations);
	return rdtsc() - start;
}

/* What the loop itself takes. */
static uint64_t empty_loop(unsigned operations)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < LOOPS_TO_TIME; i++) {
		uint64_t t = loop(nothing, operations);

		best = t < best ? t : best;
	}
	return best;
}

static uint64_t batch(const struct bench *b)
{
	uint64_t t;

	if (b->before)
		b->before();
	exits_start(&exits);
	t = b->all ? together(b) : loop(b->once, b->operations);
	exits_stop(&exits);
	if (b->after)
		b->after();
	return t;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double mean(unsigned batches)
{
	double sum = 0;

	for (unsigned i = 0; i < batches; i++)
		sum += ticks[i];
	return sum / batches;
}

static void print_exits(unsigned operations)
{
	const char *comma = "";

	printf(",\"exits\":{");
	for (unsigned k = 0; k < exits.kinds; k++) {
		if (!exits.sum[k])
			continue;
		printf("%s\"%s\":%.3f", comma, exits.name[k], (double)exits.sum[k] / operations);
		comma = ",";
	}
	printf("}");
}

static void print(const struct bench *b, unsigned batches)
{
	qsort(ticks, batches, sizeof(ticks[0]), compare);
	printf("{\"name\":\"%s\",\"operations\":%u,\"minimum\":%.2f,\"median\":%.2f,"
	       "\"maximum\":%.2f,\"mean\":%.2f",
		b->name, b->operations * batches, ticks[0], ticks[batches / 2], ticks[batches - 1],
		mean(batches));
	if (b->pages)
		printf(",\"pages\":%u", b->pages);
	if (exits.kinds)
		print_exits(b->operations * batches);
	puts("}");
}

void measure(const struct bench *b, unsigned batches, uint64_t budget)
{
	uint64_t empty = b->all ? 0 : empty_loop(b->operations), start;
	unsigned done = 0;

	if (b->setup)
		b->setup();
	batch(b);
	exits_open(&exits);
	start = rdtsc();
	while (done < batches && done < BATCHES_MAX &&
		(done < BATCHES_MIN || rdtsc() - start < budget)) {
		uint64_t t = batch(b);

		ticks[done++] = ((double)t - (double)empty) / b->operations;
	}
	print(b, done);
}
