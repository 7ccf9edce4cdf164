/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set of numbers as a bitmap with summaries: bit n of a level says whether word n of the level
 * below has a bit set.
 *
 *   level 2   [ 1 ]                                    one word
 *               |
 *   level 1   [ 1 0 1 .. ]                             bit n: word n of level 0 is not 0
 *               |   |
 *   level 0   [ 0 1 0 .. ] [ 0 0 .. ] [ 1 0 .. ] ..    the members
 *
 * So the member next to any number is found in one word a level up and one a level down, however
 * many there are: seven words among 16 million numbers.
 */
#ifndef HV_LIB_BITTREE_H
#define HV_LIB_BITTREE_H

#include "hv/lib/util.h"

#define BITTREE_BITS	   64u /* of a word */
#define BITTREE_LEVELS_MAX 7u  /* 2^42 numbers */
#define BITTREE_NONE	   (~0ul)

struct bittree {
	unsigned levels;
	u64 *level[BITTREE_LEVELS_MAX];
};

/* The number of words that a set of numbers below n takes. */
u64 bittree_words(u64 n);

/* An empty set of numbers below n, in bittree_words(n) words of the caller's. */
void bittree_init(struct bittree *t, u64 *words, u64 n);

/* All numbers below are below n. */
void bittree_add(struct bittree *t, u64 number);
void bittree_remove(struct bittree *t, u64 number);
bool bittree_has(const struct bittree *t, u64 number);

/* The first member from a number on, or the last one up to it; BITTREE_NONE. */
u64 bittree_first(const struct bittree *t, u64 from);
u64 bittree_last(const struct bittree *t, u64 upto);

#endif
