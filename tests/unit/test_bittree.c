/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of numbers, against an array: of sizes around those where a level is added.
 *
 * Sources: hv/lib/bittree.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "hv/lib/bittree.h"

static u64 naive_first(const bool *in, u64 n, u64 from)
{
	while (from < n && !in[from])
		from++;
	return from < n ? from : BITTREE_NONE;
}

static u64 naive_last(const bool *in, u64 upto)
{
	while (upto && !in[upto])
		upto--;
	return in[upto] ? upto : BITTREE_NONE;
}

/* From empty to full and back, in `steps` changes at numbers that look random. */
static void check(u64 n, unsigned steps)
{
	u64 *words = malloc(bittree_words(n) * sizeof(u64)), seed = n;
	bool *in = calloc(n, sizeof(bool));
	struct bittree t;

	bittree_init(&t, words, n);
	for (unsigned i = 0; i < steps; i++) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		u64 at = (seed >> 20) % n, number = (seed >> 33) % n;

		if (i < steps / 2)
			bittree_add(&t, number);
		else
			bittree_remove(&t, number);
		in[number] = i < steps / 2;
		assert_int_equal(bittree_has(&t, at), in[at]);
		assert_int_equal(bittree_first(&t, at), naive_first(in, n, at));
		assert_int_equal(bittree_last(&t, at), naive_last(in, at));
		assert_int_equal(bittree_first(&t, 0), naive_first(in, n, 0));
		assert_int_equal(bittree_last(&t, n - 1), naive_last(in, n - 1));
	}
	free(words);
	free(in);
}

static void it_is_a_set(void **state)
{
	static const u64 sizes[] = { 1, 2, 63, 64, 65, 4095, 4096, 4097, 64 * 4096, 64 * 4096 + 1 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		check(sizes[i], 100);
		if (sizes[i] <= 4097)
			check(sizes[i], 20000);
	}
}

static long faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt;
}

/* Each page of memory is new to the process when it is first looked at: a search from one end to
 * the other comes by few of the 1,032 that the words are in. */
static void few_words_are_looked_at(void **state)
{
	u64 n = BIT(25), bytes = ALIGN_UP(bittree_words(n) * sizeof(u64), 4096ul);
	u64 *words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct bittree t;
	long before;

	(void)state;
	assert_int_equal(madvise(words, bytes, MADV_NOHUGEPAGE), 0);
	bittree_init(&t, words, n);
	bittree_add(&t, n / 2);
	bittree_remove(&t, n / 2);
	assert_int_equal(madvise(words, bytes, MADV_DONTNEED), 0); /* they are all 0 */
	bittree_add(&t, 5);
	bittree_add(&t, n - 5);
	before = faults();
	assert_int_equal(bittree_last(&t, n - 6), 5);
	assert_int_equal(bittree_first(&t, 6), n - 5);
	assert_int_equal(bittree_last(&t, n / 2), 5);
	assert_int_equal(bittree_first(&t, n / 2), n - 5);
	assert_true(faults() - before <= 2 * (long)t.levels);
	munmap(words, bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_set),
		cmocka_unit_test(few_words_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
