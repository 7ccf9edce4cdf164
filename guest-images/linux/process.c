/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls, signals, and making and ending processes and threads. "large": the process that
 * forks has more memory to copy.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/linux/bench.h"

#define LARGE 320u /* touched pages */

static void getppid_once(unsigned i)
{
	(void)i;
	syscall(SYS_getppid);
}

static void cpuid_once(unsigned i)
{
	uint32_t a = 0, b, c = 0, d;

	(void)i;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void on_signal(int number)
{
	(void)number;
}

static void handle_signal(void)
{
	signal(SIGUSR1, on_signal);
}

static void signal_once(unsigned i)
{
	(void)i;
	raise(SIGUSR1);
}

static void wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("a child");
}

static void fork_once(unsigned i)
{
	pid_t pid = fork();

	(void)i;
	if (pid == 0)
		_exit(0);
	wait_for(pid);
}

static void fork_exec_once(unsigned i)
{
	pid_t pid = fork();

	(void)i;
	if (pid == 0)
		become_nothing();
	wait_for(pid);
}

static void become_large(void)
{
	char *p = map_pages(LARGE);

	for (unsigned i = 0; i < LARGE; i++)
		*(volatile char *)(p + i * PAGE) = 1;
}

static void *thread(void *unused)
{
	return unused;
}

static void thread_once(unsigned i)
{
	pthread_t t;

	(void)i;
	if (pthread_create(&t, NULL, thread, NULL) || pthread_join(t, NULL))
		die("pthread_create");
}

static const struct bench table[] = {
	{ "getppid", 0, 300, 0, 0, getppid_once, 0 },
	{ "cpuid", 0, 300, 0, 0, cpuid_once, 0 },
	{ "signal", 0, 50, handle_signal, 0, signal_once, 0 },
	{ "fork-exit-wait", 0, 1, 0, 0, fork_once, 0 },
	{ "fork-exit-wait-large", 0, 1, become_large, 0, fork_once, 0 },
	{ "fork-exec-wait", 0, 1, 0, 0, fork_exec_once, 0 },
	{ "thread-create-join", 0, 1, 0, 0, thread_once, 0 },
};
const struct benches process_benches = { table, ARRAY_SIZE(table) };
