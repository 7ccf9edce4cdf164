/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kernel's operations cost, in TSC ticks: one line of JSON an operation on standard output.
 * As the first process (rdinit=/bin/bench) it switches the machine off at the end; words for it
 * stand behind "--" on the kernel's command line.
 *
 *   bench [--batches=N] [--budget=TICKS] [NAME...]
 *
 * NAME picks the operation of that name; where there is none, all whose names start so and go on
 * with "-". No more batches of an
 * operation are begun once it has taken TICKS, but three are always made: so an operation that is
 * 300 times slower than natively ends all the same. 0: no limit.
 *
 * Each operation is measured in a process of its own, so that what it measures does not depend on
 * what was measured before.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest-images/linux/bench.h"

#define BATCHES 40
#define BUDGET	100000000ull

static const struct benches *const groups[] = { &process_benches, &memory_benches, &talk_benches,
	&program_benches };
static const char *current = "bench"; /* what is being measured */
static unsigned batches = BATCHES;
static uint64_t budget = BUDGET;

void die(const char *what)
{
	printf("{\"name\":\"%s\",\"error\":\"%s: %s\"}\n", current, what, strerror(errno));
	exit(1);
}

char *map_pages(unsigned long pages)
{
	char *p = mmap(
		NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

void become_nothing(void)
{
	const char *self = (const char *)getauxval(AT_EXECFN);
	char *argv[] = { (char *)self, NOTHING, NULL };

	execv(self, argv);
	_exit(1);
}

static bool named(const char *name, const char *word)
{
	return !strcmp(name, word);
}

static bool begins(const char *name, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(name, word, n) && name[n] == '-';
}

static void measure_apart(const struct bench *b)
{
	int status;
	pid_t pid = fork();

	current = b->name;
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		measure(b, batches, budget);
		exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (WIFSIGNALED(status))
		printf("{\"name\":\"%s\",\"error\":\"ended by signal %d\"}\n", b->name,
			WTERMSIG(status));
}

/* Those whose names match, all with no word. Returns how many there are. */
static unsigned measure_those(bool (*match)(const char *name, const char *word), const char *word)
{
	unsigned count = 0;

	for (unsigned g = 0; g < ARRAY_SIZE(groups); g++)
		for (unsigned i = 0; i < groups[g]->count; i++)
			if (!word || match(groups[g]->bench[i].name, word)) {
				measure_apart(&groups[g]->bench[i]);
				count++;
			}
	return count;
}

static void measure_word(const char *word)
{
	if (!measure_those(named, word) && !measure_those(begins, word))
		printf("{\"name\":\"%s\",\"error\":\"there is no such operation\"}\n", word);
}

/* Options come before names. Returns how many there are. */
static int read_options(char *const *words, int count)
{
	int i;

	for (i = 0; i < count && !strncmp(words[i], "--", 2); i++) {
		if (!strncmp(words[i], "--batches=", 10))
			batches = (unsigned)strtoul(words[i] + 10, NULL, 0);
		else if (!strncmp(words[i], "--budget=", 9))
			budget = strtoull(words[i] + 9, NULL, 0);
		else
			printf("bench: %s is not known\n", words[i]);
	}
	if (!budget)
		budget = UINT64_MAX;
	return i;
}

int main(int argc, char **argv)
{
	int first;

	if (argc == 2 && !strcmp(argv[1], NOTHING))
		return 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getpid() == 1) {
		mkdir("/tmp", 0777);
		mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
		print_system();
	}
	first = 1 + read_options(argv + 1, argc - 1);
	if (first == argc)
		measure_those(named, NULL);
	for (int i = first; i < argc; i++)
		measure_word(argv[i]);
	if (getpid() == 1) {
		tcdrain(STDOUT_FILENO);
		reboot(RB_POWER_OFF);
	}
	return 0;
}
