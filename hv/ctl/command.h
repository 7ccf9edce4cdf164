/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the monitor: one table for both of its front ends, the line editor on the console
 * (hv/ctl/monitor.h) and JSON-RPC (hv/ctl/rpc.h). A front end turns what it was sent into the words
 * of a call; the call finds its way to the CPU of the VM that it is about, and back:
 *
 *   boot CPU   call_begin(): the words are checked, the VM is pinned
 *   VM's CPU   command->run(): between two slices
 *   boot CPU   call->done(): answered or failed; at once, or when the VM has gone
 */
#ifndef HV_CTL_COMMAND_H
#define HV_CTL_COMMAND_H

#include "hv/ctl/out.h"
#include "hv/vm/task.h"

#define COMMAND_ARGS	4u
#define COMMAND_WORD	48u /* characters of an argument, with the end */
#define COMMAND_ERR_MAX 256u

struct vm;
struct vcpu;
struct call;

enum arg_type {
	ARG_NONE,
	ARG_VM,	     /* the name of a VM */
	ARG_VCPU,    /* the number of one of its vcpus */
	ARG_ADDRESS, /* a number */
	ARG_COUNT,   /* a number from 1 to max */
	ARG_SIZE,    /* a number from 0 to max */
	ARG_FILE,    /* a description of a VM */
};

struct arg_spec {
	const char *name; /* as in JSON; in help, in capitals */
	enum arg_type type;
	bool optional; /* and so are those behind it */
	u64 max;
};

enum command_place {
	ON_BOOT_CPU,
	ON_VM_CPU, /* with the VM's lock held, if it has one (hv/vm/shared.h) */
	ON_VCPU,   /* and the vcpu's registers can be reached */
};

struct command {
	const char *name;
	struct arg_spec arg[COMMAND_ARGS];
	enum command_place place;
	bool (*run)(struct call *c); /* false: c->err says why not */
	const char *help;
};

struct arg_value {
	bool given;
	u64 number;
	char word[COMMAND_WORD];
};

struct call {
	/* Of the front end: */
	struct out out;
	void (*done)(struct call *c); /* on the boot CPU; c may be used again from then on */
	/* From call_begin() on: */
	const struct command *command;
	struct arg_value arg[COMMAND_ARGS];
	struct vm *vm;	 /* pinned, or NULL */
	struct vcpu *v;	 /* with ON_VCPU */
	bool until_gone; /* run() may set it: done() is called when nothing of the VM is left */
	bool ok;
	char err[COMMAND_ERR_MAX]; /* if not ok */
	struct task task;
};

extern const struct command commands[];
extern const unsigned commands_count;

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Its name and arguments: "x VM ADDRESS [COUNT] [VCPU]". */
void command_usage(const struct command *cmd, char *buf, size_t size);

/*
 * command_check(): the words of a call as values; a word is NULL where there is none. Pure but for
 * ARG_VM and ARG_FILE, which are looked for by call_begin(). False: err says what is expected.
 */
bool command_check(const struct command *cmd, const char *const word[COMMAND_ARGS],
	struct arg_value value[COMMAND_ARGS], char *err) __must_check;

/* call_begin(): out and done are set. done() may be called before it returns. */
void call_begin(struct call *c, const struct command *cmd, const char *const word[COMMAND_ARGS]);

/* c->err, and false. */
bool call_fail(struct call *c, const char *fmt, ...) __printf(2, 3);

#endif
