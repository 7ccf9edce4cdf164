/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a fuzz target without libFuzzer: inputs from a fixed sequence, so that a run can be
 * repeated.
 *
 *   fuzz_NAME [-n RUNS] [-s SEED] [FILE...]     with files, runs those and nothing else
 *
 * With clang the same target is built with -fsanitize=fuzzer and without this file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;

/* xorshift64* */
static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

/* From memory of exactly that size, so that the sanitizer sees a read past it. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_file(const char *name)
{
	static uint8_t data[1 << 24];
	FILE *f = fopen(name, "rb");
	size_t size;

	if (!f) {
		perror(name);
		exit(2);
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, size);
}

/* Mostly short inputs, mostly of random bytes, with the values that break sums among them. */
static void run_random(void)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0xff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, ~0ul >> 1, ~0ul };
	static uint8_t data[INPUT_MAX];
	size_t size = next() % (next() % 8 ? 64 : INPUT_MAX), at;

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(next() >> 56);
	for (at = next() % 32; at + 8 < size; at += next() % 64) {
		uint64_t v = edges[next() % (sizeof(edges) / sizeof(edges[0]))] + next() % 3 - 1;

		memcpy(data + at, &v, sizeof(v));
	}
	run(data, size);
}

int main(int argc, char **argv)
{
	unsigned long runs = 100000;
	int i = 1;

	state = 1;
	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "-n"))
			runs = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "-s"))
			state = strtoul(argv[i + 1], NULL, 0) | 1;
		else
			break;
	}
	if (i < argc && argv[i][0] == '-') {
		fprintf(stderr, "usage: %s [-n RUNS] [-s SEED] [FILE...]\n", argv[0]);
		return 2;
	}
	if (i < argc) {
		for (; i < argc; i++)
			run_file(argv[i]);
		return 0;
	}
	for (unsigned long n = 0; n < runs; n++)
		run_random();
	printf("%lu inputs\n", runs);
	return 0;
}
