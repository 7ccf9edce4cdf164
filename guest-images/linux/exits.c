/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a command costs in exits, in the guest: runs it, then prints a line of JSON with the exits
 * by kind that the VM made meanwhile, from the hypervisor's counters (counters=yes).
 *
 *   exits COMMAND [ARGUMENT...]
 *
 * Its status is the command's.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/exits.h"

#define STATUS_NOT_RUN 127

static void report(const struct exits *e)
{
	unsigned long long all = 0;
	const char *comma = "";

	printf("{\"by\":{");
	for (unsigned k = 0; k < e->kinds; k++) {
		if (!e->sum[k])
			continue;
		all += e->sum[k];
		printf("%s\"%s\":%llu", comma, e->name[k], e->sum[k]);
		comma = ",";
	}
	printf("},\"exits\":%llu}\n", all);
}

int main(int argc, char **argv)
{
	static struct exits e;
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "exits COMMAND [ARGUMENT...]\n");
		return 2;
	}
	exits_open(&e);
	exits_start(&e);
	pid = fork();
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(STATUS_NOT_RUN);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("exits");
		return 1;
	}
	exits_stop(&e);
	report(&e);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
