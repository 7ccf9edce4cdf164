/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two processes that wake each other, through a pair of pipes and through a futex.
 *
 * The pipes come twice. Of two normal processes one may preempt the other when it wakes up, which
 * saves a sleep; how often depends on what ran before. Batch processes do not.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest-images/linux/bench.h"

static int ping[2], pong[2];
static int *turn; /* shared: 0 ours, 1 the other's */

/* The child ends with us. */
static pid_t start(void (*serve)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	serve();
	_exit(0);
}

static void send_back(void)
{
	char c;

	while (read(ping[0], &c, 1) == 1)
		if (write(pong[1], &c, 1) != 1)
			break;
}

static void pipe_once(unsigned i)
{
	char c = 0;

	(void)i;
	if (write(ping[1], &c, 1) != 1 || read(pong[0], &c, 1) != 1)
		die("pipe");
}

static pid_t start_echo(void)
{
	if (pipe(ping) || pipe(pong))
		die("pipe");
	return start(send_back);
}

static void make_pipes(void)
{
	start_echo();
}

static void make_pipes_batch(void)
{
	struct sched_param p = { 0 };
	pid_t echo = start_echo();

	if (sched_setscheduler(0, SCHED_BATCH, &p) || sched_setscheduler(echo, SCHED_BATCH, &p))
		die("sched_setscheduler");
}

static void pass_turn(int from, int to)
{
	while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) != from)
		syscall(SYS_futex, turn, FUTEX_WAIT, to, NULL, NULL, 0);
	__atomic_store_n(turn, to, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void serve_turns(void)
{
	for (;;)
		pass_turn(1, 0);
}

static void futex_once(unsigned i)
{
	(void)i;
	pass_turn(0, 1);
	while (__atomic_load_n(turn, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, turn, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void make_futex(void)
{
	struct sched_param p = { 0 };
	pid_t other;

	turn = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (turn == MAP_FAILED)
		die("mmap");
	other = start(serve_turns);
	if (sched_setscheduler(0, SCHED_BATCH, &p) || sched_setscheduler(other, SCHED_BATCH, &p))
		die("sched_setscheduler");
}

static const struct bench table[] = {
	{ "pipe-ping-pong", 0, 10, make_pipes, 0, pipe_once, 0 },
	{ "pipe-ping-pong-batch", 0, 10, make_pipes_batch, 0, pipe_once, 0 },
	{ "futex-ping-pong", 0, 10, make_futex, 0, futex_once, 0 },
};
const struct benches talk_benches = { table, ARRAY_SIZE(table) };
