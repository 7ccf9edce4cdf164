/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzz targets share: a check that ends them, and an input that is read byte by byte. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "hv/lib/util.h"

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes that are left; behind the last come zeros. */
struct stream {
	const u8 *at;
	size_t left;
};

static inline u8 byte(struct stream *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

#endif
