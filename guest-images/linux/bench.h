/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmark measures: tables of operations, one a file, and one way to measure them all.
 */
#ifndef GUEST_IMAGES_BENCH_H
#define GUEST_IMAGES_BENCH_H

#include <stdint.h>

#define PAGE	      4096ul
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct bench {
	const char *name;
	unsigned pages;		  /* that one operation is about; 0: it is about none */
	unsigned operations;	  /* in a batch */
	void (*setup)(void);	  /* once, before all batches; or none */
	void (*before)(void);	  /* before each batch, and not timed; or none */
	void (*once)(unsigned i); /* an operation; i counts them in the batch */
	void (*after)(void);	  /* after each batch, and not timed; or none */
	void (*all)(unsigned n);  /* n operations that overlap, in place of once */
};

struct benches {
	const struct bench *bench;
	unsigned count;
};

extern const struct benches memory_benches, process_benches, talk_benches, program_benches;

/* Runs one benchmark and prints its line of JSON. Process-wide changes are not undone. */
void measure(const struct bench *b, unsigned batches, uint64_t budget);

/* Ends the process with errno's text. */
__attribute__((noreturn)) void die(const char *what);

/* Private, anonymous, readable and writable memory. */
char *map_pages(unsigned long pages);

/* Starts this program anew with the word NOTHING, at which it ends at once. */
#define NOTHING "--nothing"
__attribute__((noreturn)) void become_nothing(void);

/* Prints what the kernel does about weaknesses of the processor, as a line of JSON. */
void print_system(void);

#endif
