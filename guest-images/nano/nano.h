/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is measured: tables of operations, one a file, and one way to measure them all.
 */
#ifndef GUEST_IMAGES_NANO_H
#define GUEST_IMAGES_NANO_H

#include "tests/guest/lib/paging.h"

struct operation {
	const char *name;
	unsigned pages; /* that one operation is about; 0: it is about none */
	unsigned count; /* of operations in a batch */
	/* Why this machine cannot do it, or NULL; no function: it always can. */
	const char *(*cannot)(void);
	/* Before each batch, and not timed; or none. */
	void (*prepare)(const struct operation *o);
	/* A batch, timed; and the same without the operations themselves. */
	void (*run)(const struct operation *o);
	void (*empty)(const struct operation *o);
};

struct operations {
	const struct operation *op;
	unsigned count;
};

extern const struct operations instructions, devices, system_calls, page_tables, walks;

/* Prints the line of JSON of that operation. */
void measure(const struct operation *o);

/*
 * LOOP(NAME, setup, each, body): two functions, NAME_run and NAME_empty, that run the assembly
 * `setup` once and then `each` for each operation, one with and one without `body`. The difference
 * is the body's instructions and nothing else. All registers but RSP, RBP and R15 are free;
 * interrupts are off before and after.
 */
#define LOOP_FUNCTION(name, setup, body)                                                           \
	static void name(const struct operation *o)                                                \
	{                                                                                          \
		register u64 n __asm__("r15") = o->count;                                          \
		__asm__ volatile(setup "\n1:\n" body "\ndec %0\njnz 1b\ncli"                       \
				 : "+r"(n)                                                         \
				 :                                                                 \
				 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",    \
				 "r11", "memory", "cc");                                           \
	}
#define LOOP(name, setup, each, body)                                                              \
	LOOP_FUNCTION(name##_run, setup, each "\n" body)                                           \
	LOOP_FUNCTION(name##_empty, setup, each)

#endif
