/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files, and whole programs at work: a shell that starts commands, and a compiler. The compiler is
 * Debian's tcc; without it there is an "error" instead of figures.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/linux/bench.h"

#define FILE_NAME "/tmp/bench.empty"
#define SOURCE	  "/tmp/bench.c"
#define OBJECT	  "/tmp/bench.o"
#define SHELL	  "/bin/sh"
#define COMPILER  "/usr/bin/tcc"
#define FUNCTIONS 20u
#define LOOP	  "i=0; while [ $i -lt 10 ]; do /bin/true; i=$((i+1)); done"

static void create_unlink(unsigned i)
{
	int fd = open(FILE_NAME, O_CREAT | O_EXCL | O_WRONLY, 0600);

	(void)i;
	if (fd < 0 || close(fd) || unlink(FILE_NAME))
		die(FILE_NAME);
}

static void run(const char *program, const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execv(program, (char *const *)argv);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die(program);
}

static void shell_loop(unsigned i)
{
	static const char *const argv[] = { SHELL, "-c", LOOP, NULL };

	(void)i;
	run(SHELL, argv);
}

/* One of the functions of a source file of some 400 lines. */
static const char function[] = "\n"
			       "struct list%u {\n"
			       "\tstruct list%u *next;\n"
			       "\tint key, value[%u];\n"
			       "};\n"
			       "static int sum%u(const struct list%u *l, int limit)\n"
			       "{\n"
			       "\tint n = 0;\n"
			       "\tfor (; l && n < limit; l = l->next) {\n"
			       "\t\tswitch (l->key & 3) {\n"
			       "\t\tcase 0: n += l->value[%u]; break;\n"
			       "\t\tcase 1: n -= l->value[0] * 3; break;\n"
			       "\t\tcase 2: n ^= (l->key << 2) | 1; break;\n"
			       "\t\tdefault: n = n > 100 ? n / 2 : n + 7; break;\n"
			       "\t\t}\n"
			       "\t}\n"
			       "\tfor (int i = 0; i < limit; i++)\n"
			       "\t\tif (i %% 3 == 1)\n"
			       "\t\t\tn += i * i - (n >> 1);\n"
			       "\treturn n;\n"
			       "}\n";

static void write_source(void)
{
	FILE *f = fopen(SOURCE, "w");

	if (access(COMPILER, X_OK))
		die(COMPILER);
	if (!f)
		die(SOURCE);
	for (unsigned i = 0; i < FUNCTIONS; i++)
		fprintf(f, function, i, i, i + 1, i, i, i);
	fputs("int main(void)\n{\n\tint n = 0;\n", f);
	for (unsigned i = 0; i < FUNCTIONS; i++)
		fprintf(f, "\tstruct list%u a%u = { 0, %u, { 1 } };\n\tn += sum%u(&a%u, %u);\n", i,
			i, i, i, i, i + 5);
	fputs("\treturn n & 1;\n}\n", f);
	if (fclose(f))
		die(SOURCE);
}

static void compile(unsigned i)
{
	static const char *const argv[] = { COMPILER, "-c", "-o", OBJECT, SOURCE, NULL };

	(void)i;
	run(COMPILER, argv);
}

static const struct bench table[] = {
	{ "create-unlink", 0, 20, 0, 0, create_unlink, 0 },
	{ "shell-loop", 0, 1, 0, 0, shell_loop, 0 },
	{ "compile", 0, 1, write_source, 0, compile, 0 },
};
const struct benches program_benches = { table, ARRAY_SIZE(table) };
