/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/lib/bittree.h"
#include "hv/lib/words.h"

u64 bittree_words(u64 n)
{
	u64 words = 0;

	do {
		n = DIV_ROUND_UP(n, BITTREE_BITS);
		words += n;
	} while (n > 1);
	return words;
}

void bittree_init(struct bittree *t, u64 *words, u64 n)
{
	t->levels = 0;
	words_fill(words, bittree_words(n), 0);
	do {
		t->level[t->levels++] = words;
		n = DIV_ROUND_UP(n, BITTREE_BITS);
		words += n;
	} while (n > 1);
}

void bittree_add(struct bittree *t, u64 number)
{
	for (unsigned l = 0; l < t->levels; l++) {
		u64 *word = &t->level[l][number / BITTREE_BITS], old = *word;

		*word |= BIT(number % BITTREE_BITS);
		if (old)
			return;
		number /= BITTREE_BITS;
	}
}

void bittree_remove(struct bittree *t, u64 number)
{
	for (unsigned l = 0; l < t->levels; l++) {
		u64 *word = &t->level[l][number / BITTREE_BITS];

		*word &= ~BIT(number % BITTREE_BITS);
		if (*word)
			return;
		number /= BITTREE_BITS;
	}
}

bool bittree_has(const struct bittree *t, u64 number)
{
	return t->level[0][number / BITTREE_BITS] & BIT(number % BITTREE_BITS);
}

/* The first or the last member below bit n of level l, which is set. */
static u64 descend_first(const struct bittree *t, unsigned l, u64 n)
{
	while (l-- > 0)
		n = n * BITTREE_BITS + (unsigned)__builtin_ctzl(t->level[l][n]);
	return n;
}

static u64 descend_last(const struct bittree *t, unsigned l, u64 n)
{
	while (l-- > 0)
		n = (n + 1) * BITTREE_BITS - 1 - (unsigned)__builtin_clzl(t->level[l][n]);
	return n;
}

/* On the way up, what bit n stands for has been looked at on all levels but the lowest. */
u64 bittree_first(const struct bittree *t, u64 from)
{
	u64 n = from, word;

	for (unsigned l = 0; l < t->levels; l++, n /= BITTREE_BITS) {
		word = t->level[l][n / BITTREE_BITS] & (l ? ~1ul : ~0ul) << n % BITTREE_BITS;
		if (word)
			return descend_first(
				t, l, ALIGN_DOWN(n, BITTREE_BITS) + (unsigned)__builtin_ctzl(word));
	}
	return BITTREE_NONE;
}

u64 bittree_last(const struct bittree *t, u64 upto)
{
	u64 n = upto, word;

	for (unsigned l = 0; l < t->levels; l++, n /= BITTREE_BITS) {
		word = t->level[l][n / BITTREE_BITS] & (((l ? 1ul : 2ul) << n % BITTREE_BITS) - 1);
		if (word)
			return descend_last(
				t, l, (n | (BITTREE_BITS - 1)) - (unsigned)__builtin_clzl(word));
	}
	return BITTREE_NONE;
}
