/* SPDX-License-Identifier: BSD-2-Clause */
/* ChaCha20, word by word as the RFC writes it. */
#include "hv/lib/chacha20.h"

#include "hv/lib/string.h"

#define DOUBLE_ROUNDS 10
#define WORD_BITS     32

static u32 rotate(u32 v, unsigned n)
{
	return v << n | v >> (WORD_BITS - n);
}

static void quarter_round(u32 *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(const u32 key[CHACHA20_KEY_WORDS], u32 counter,
	const u32 nonce[CHACHA20_NONCE_WORDS], u32 out[CHACHA20_WORDS])
{
	/* "expand 32-byte k", the key, the counter, the nonce */
	u32 start[CHACHA20_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(start + 4, key, CHACHA20_KEY_WORDS * sizeof(u32));
	start[12] = counter;
	memcpy(start + 13, nonce, CHACHA20_NONCE_WORDS * sizeof(u32));
	memcpy(out, start, sizeof(start));
	for (unsigned i = 0; i < DOUBLE_ROUNDS; i++) {
		for (unsigned c = 0; c < 4; c++)
			quarter_round(out, c, 4 + c, 8 + c, 12 + c);
		for (unsigned c = 0; c < 4; c++)
			quarter_round(out, c, 4 + (c + 1) % 4, 8 + (c + 2) % 4, 12 + (c + 3) % 4);
	}
	for (unsigned i = 0; i < CHACHA20_WORDS; i++)
		out[i] += start[i];
}
