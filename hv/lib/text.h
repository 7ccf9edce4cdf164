/* SPDX-License-Identifier: BSD-2-Clause */
/* Text that somebody has written, and that nothing terminates: words of a command line, values of a
 * description. */
#ifndef HV_LIB_TEXT_H
#define HV_LIB_TEXT_H

#include "hv/lib/util.h"

struct text {
	const char *s;
	size_t len;
};

bool text_is(struct text t, const char *word);

/* Index of t among words, or -1. */
int text_one_of(struct text t, const char *const *words, unsigned n);

/* True if t begins with that: *rest is what follows it. */
bool text_after(struct text t, const char *prefix, struct text *rest);

/* Cuts *t at the first `at`; *rest is what follows it. False: there is none, and *rest is empty. */
bool text_split(struct text *t, char at, struct text *rest);

/* The decimal digits that t begins with; *digits is how many there are. False: there are none, or
 * they say more than max. */
bool text_number(struct text t, u64 max, u64 *to, size_t *digits);

/* A decimal number from min to max, and nothing else. *to is set only then. */
bool text_whole(struct text t, unsigned min, unsigned max, unsigned *to);

#endif
