/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel's memory and process operations cost, in TSC ticks: one line of JSON an operation
 * on standard output. As the first process (rdinit=/bin/bench) it switches the machine off at the
 * end.
 *
 * Each operation is repeated in batches, which but for mmap are shorter than the time between two
 * timer interrupts. A batch gives ticks an operation, less those of the loop itself: minimum is the
 * best batch, which no interrupt met; mean is that of all.
 *
 * The pipes come twice. Of two normal processes one may preempt the other when it wakes up, which
 * saves a sleep; how often depends on what ran before. Batch processes do not.
 *
 * mprotect, SIGSEGV and fork come twice too: "split" has the page in the middle of a mapping, so
 * that each change of its protection splits or merges mappings, and "large" a process with more
 * memory to copy.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define BATCHES	      40
#define PAGE	      4096ul
#define TOUCHED	      256
#define AROUND	      16  /* pages of the mapping whose middle one is split off */
#define LARGE	      320 /* touched pages that make a process large */
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static volatile char *page; /* one anonymous page */
static int ping[2], pong[2];
static pid_t echo;

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void getppid_once(void)
{
	syscall(SYS_getppid);
}

static void cpuid_once(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void mmap_once(void)
{
	volatile char *p = mmap(
		NULL, TOUCHED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (unsigned long i = 0; i < TOUCHED; i++)
		p[i * PAGE] = 1;
	munmap((void *)p, TOUCHED * PAGE);
}

static void mprotect_once(void)
{
	if (mprotect((void *)page, PAGE, PROT_READ) ||
		mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE))
		die("mprotect");
	*page = 1;
}

static void repair(int signal)
{
	(void)signal;
	mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
}

static void segv_once(void)
{
	mprotect((void *)page, PAGE, PROT_READ);
	*page = 1;
}

static void fork_once(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("fork");
}

static void pipe_once(void)
{
	char c = 0;

	if (write(ping[1], &c, 1) != 1 || read(pong[0], &c, 1) != 1)
		die("pipe");
}

/* The other end of the pipes: sends back what it gets until the writer is gone. */
static void start_echo(void)
{
	char c;

	if (pipe(ping) || pipe(pong))
		die("pipe");
	echo = fork();
	if (echo < 0)
		die("fork");
	if (echo)
		return;
	close(ping[1]);
	while (read(ping[0], &c, 1) == 1)
		if (write(pong[1], &c, 1) != 1)
			break;
	_exit(0);
}

static void no_change(void)
{
}

static char *map(unsigned long pages)
{
	char *p = mmap(
		NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void take_middle(void)
{
	page = map(AROUND) + AROUND / 2 * PAGE;
	*page = 1;
}

static void become_large(void)
{
	char *p = map(LARGE);

	for (unsigned long i = 0; i < LARGE; i++)
		p[i * PAGE] = 1;
}

static void make_both_batch(void)
{
	struct sched_param p = { 0 };

	if (sched_setscheduler(0, SCHED_BATCH, &p) || sched_setscheduler(echo, SCHED_BATCH, &p))
		die("sched_setscheduler");
}

static const struct bench {
	const char *name;
	void (*prepare)(void), (*once)(void);
	unsigned ops; /* in a batch */
} benches[] = {
	{ "getppid", no_change, getppid_once, 300 },
	{ "cpuid", no_change, cpuid_once, 300 },
	{ "mmap-touch-256-munmap", no_change, mmap_once, 1 },
	{ "mprotect", no_change, mprotect_once, 20 },
	{ "segv-repair", no_change, segv_once, 15 },
	{ "fork-exit-wait", no_change, fork_once, 1 },
	{ "mprotect-split", take_middle, mprotect_once, 10 },
	{ "segv-repair-split", no_change, segv_once, 10 },
	{ "fork-exit-wait-large", become_large, fork_once, 1 },
	{ "pipe-ping-pong", no_change, pipe_once, 10 },
	{ "pipe-ping-pong-batch", make_both_batch, pipe_once, 10 },
};

/* The hypervisor's account of the exits so far, by kind, where it offers one (counters=yes). */
#define LEAF_FEATURES 1u
#define LEAF_FIRST    0x40000000u
#define LEAF_COUNTERS 0x40000020u
#define LEAF_NAMES    0x40000021u
#define KINDS_MAX     64

struct kind {
	char name[17];
	uint64_t count;
};

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

static unsigned exit_counts(struct kind kind[KINDS_MAX])
{
	uint32_t r[4];
	unsigned n = 0;

	cpuid(LEAF_FEATURES, 0, r);
	if (!(r[2] & 1u << 31))
		return 0; /* no hypervisor */
	cpuid(LEAF_FIRST, 0, r);
	if (memcmp(&r[1], "TriptychTrip", 12) || r[0] < LEAF_NAMES)
		return 0;
	for (; n < KINDS_MAX; n++) {
		cpuid(LEAF_NAMES, n, r);
		if (!r[0])
			break;
		memcpy(kind[n].name, r, sizeof(r));
		cpuid(LEAF_COUNTERS, n, r);
		kind[n].count = (uint64_t)r[1] << 32 | r[0];
	}
	return n;
}

/* By kind; the CPUIDs of the look at them are not the operation's. */
static void print_exits(
	const struct kind *before, const struct kind *after, unsigned kinds, unsigned ops)
{
	const uint64_t looks = 2 * kinds + 3;
	const char *comma = "";

	printf(",\"exits\":{");
	for (unsigned k = 0; k < kinds; k++) {
		uint64_t n = after[k].count - before[k].count;

		if (!strcmp(after[k].name, "cpuid"))
			n -= n < looks ? n : looks;
		if (!n)
			continue;
		printf("%s\"%s\":%.3f", comma, after[k].name, (double)n / ops);
		comma = ",";
	}
	printf("}");
}

/* Ticks an operation. */
static double batch(void (*once)(void), unsigned ops)
{
	uint64_t start = rdtsc();

	for (unsigned i = 0; i < ops; i++)
		once();
	return (double)(rdtsc() - start) / ops;
}

/* What the batch itself costs for each operation, with this many of them. */
static double overhead(unsigned ops)
{
	double best = batch(no_change, ops);

	for (unsigned b = 1; b < BATCHES; b++) {
		double ticks = batch(no_change, ops);

		best = ticks < best ? ticks : best;
	}
	return best;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double mean(const double *ticks)
{
	double sum = 0;

	for (unsigned b = 0; b < BATCHES; b++)
		sum += ticks[b];
	return sum / BATCHES;
}

static void measure(const struct bench *bench)
{
	struct kind before[KINDS_MAX] = { 0 }, after[KINDS_MAX] = { 0 };
	double ticks[BATCHES], loop = overhead(bench->ops);
	unsigned kinds;

	bench->prepare();
	batch(bench->once, bench->ops);
	kinds = exit_counts(before);
	for (unsigned b = 0; b < BATCHES; b++)
		ticks[b] = batch(bench->once, bench->ops) - loop;
	exit_counts(after);
	qsort(ticks, BATCHES, sizeof(ticks[0]), compare);
	printf("{\"name\":\"%s\",\"operations\":%u,\"minimum\":%.2f,\"median\":%.2f,"
	       "\"maximum\":%.2f,\"mean\":%.2f",
		bench->name, bench->ops * BATCHES, ticks[0], ticks[BATCHES / 2], ticks[BATCHES - 1],
		mean(ticks));
	if (kinds)
		print_exits(before, after, kinds, bench->ops * BATCHES);
	puts("}");
}

int main(void)
{
	start_echo();
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGSEGV, repair);
	page = map(1);
	*page = 1;
	for (unsigned i = 0; i < ARRAY_SIZE(benches); i++)
		measure(&benches[i]);
	close(ping[1]);
	waitpid(echo, NULL, 0);
	if (getpid() == 1) {
		tcdrain(STDOUT_FILENO);
		reboot(RB_POWER_OFF);
	}
	return 0;
}
