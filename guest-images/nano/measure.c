/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation is run in batches, after one that is not counted. A batch is timed from outside, and
 * what the same batch takes with nothing in it is subtracted. Ticks are printed with two decimals:
 * in here they are counted in hundredths.
 */
#include "guest-images/exits.h"
#include "guest-images/nano/nano.h"

#define BATCHES_MAX 1000u
#define BATCHES	    15u
#define LINE_MAX    1024u

static s64 hundredths[BATCHES_MAX];
static struct exits exits;

/* Everything before it is done, and nothing after it has begun. */
static u64 now(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

static u64 batch(const struct operation *o, void (*run)(const struct operation *o))
{
	u64 start;

	if (o->prepare)
		o->prepare(o);
	exits_start(&exits);
	start = now();
	run(o);
	return now() - start;
}

static u64 least_empty(const struct operation *o, unsigned batches)
{
	u64 least = ~0ul;

	for (unsigned b = 0; b < batches; b++) {
		u64 ticks = batch(o, o->empty);

		least = MIN(least, ticks);
	}
	return least;
}

static void insert_sorted(unsigned have, s64 value)
{
	for (; have && hundredths[have - 1] > value; have--)
		hundredths[have] = hundredths[have - 1];
	hundredths[have] = value;
}

static int put_ticks(char *out, size_t size, const char *key, s64 value)
{
	u64 size_of = value < 0 ? -(u64)value : (u64)value;

	return snprintf(out, size, ",\"%s\":%s%lu.%02lu", key, value < 0 ? "-" : "", size_of / 100,
		size_of % 100);
}

static int put_exits(char *out, size_t size, u64 operations)
{
	const char *comma = "";
	int n = snprintf(out, size, ",\"exits\":{");

	for (unsigned k = 0; k < exits.kinds; k++) {
		u64 thousandths = exits.sum[k] * 1000 / operations;

		if (!exits.sum[k])
			continue;
		n += snprintf(out + n, size - (size_t)n, "%s\"%s\":%lu.%03lu", comma, exits.name[k],
			thousandths / 1000, thousandths % 1000);
		comma = ",";
	}
	return n + snprintf(out + n, size - (size_t)n, "}");
}

static void print(const struct operation *o, unsigned batches)
{
	char line[LINE_MAX];
	s64 sum = 0;
	int n = snprintf(line, sizeof(line), "{\"name\":\"%s\",\"operations\":%u", o->name,
		o->count * batches);

	for (unsigned b = 0; b < batches; b++)
		sum += hundredths[b];
	n += put_ticks(line + n, sizeof(line) - (size_t)n, "minimum", hundredths[0]);
	n += put_ticks(line + n, sizeof(line) - (size_t)n, "median", hundredths[batches / 2]);
	n += put_ticks(line + n, sizeof(line) - (size_t)n, "maximum", hundredths[batches - 1]);
	n += put_ticks(line + n, sizeof(line) - (size_t)n, "mean", sum / batches);
	if (o->pages)
		n += snprintf(line + n, sizeof(line) - (size_t)n, ",\"pages\":%u", o->pages);
	if (exits.kinds)
		n += put_exits(line + n, sizeof(line) - (size_t)n, o->count * batches);
	snprintf(line + n, sizeof(line) - (size_t)n, "}");
	say("%s", line);
}

void measure(const struct operation *o)
{
	unsigned batches =
		(unsigned)MIN(MAX(cmdline_number("batches", BATCHES), 1ul), (u64)BATCHES_MAX);
	const char *why = o->cannot ? o->cannot() : NULL;
	u64 empty;

	if (why) {
		say("{\"name\":\"%s\",\"error\":\"%s\"}", o->name, why);
		return;
	}
	exits_open(&exits);
	empty = least_empty(o, batches);
	batch(o, o->run);
	for (unsigned b = 0; b < batches; b++) {
		u64 ticks = batch(o, o->run);

		exits_stop(&exits);
		insert_sorted(b, (s64)(ticks - empty) * 100 / (s64)o->count);
	}
	print(o, batches);
}
