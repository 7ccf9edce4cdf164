/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparing, cutting and reading text that is not terminated. */
#include "hv/lib/string.h"
#include "hv/lib/text.h"

bool text_is(struct text t, const char *word)
{
	return t.len == strlen(word) && !memcmp(t.s, word, t.len);
}

int text_one_of(struct text t, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (text_is(t, words[i]))
			return (int)i;
	return -1;
}

bool text_after(struct text t, const char *prefix, struct text *rest)
{
	size_t n = strlen(prefix);

	if (t.len < n || memcmp(t.s, prefix, n))
		return false;
	*rest = (struct text){ t.s + n, t.len - n };
	return true;
}

bool text_split(struct text *t, char at, struct text *rest)
{
	size_t i = 0;

	while (i < t->len && t->s[i] != at)
		i++;
	*rest = (struct text){ t->s + t->len, 0 };
	if (i == t->len)
		return false;
	*rest = (struct text){ t->s + i + 1, t->len - i - 1 };
	t->len = i;
	return true;
}

bool text_number(struct text t, u64 max, u64 *to, size_t *digits)
{
	size_t i;

	*to = 0;
	for (i = 0; i < t.len && t.s[i] >= '0' && t.s[i] <= '9'; i++) {
		u64 digit = (u64)(t.s[i] - '0');

		if (digit > max || *to > (max - digit) / 10)
			return false;
		*to = *to * 10 + digit;
	}
	*digits = i;
	return i > 0;
}

bool text_whole(struct text t, unsigned min, unsigned max, unsigned *to)
{
	size_t digits;
	u64 n;

	if (!text_number(t, max, &n, &digits) || digits != t.len || n < min)
		return false;
	*to = (unsigned)n;
	return true;
}
