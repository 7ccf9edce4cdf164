/* SPDX-License-Identifier: BSD-2-Clause */
/* The ChaCha20 block function (RFC 8439, section 2.3 "The ChaCha20 Block Function"). */
#ifndef HV_LIB_CHACHA20_H
#define HV_LIB_CHACHA20_H

#include "hv/lib/util.h"

#define CHACHA20_KEY_WORDS   8
#define CHACHA20_NONCE_WORDS 3
#define CHACHA20_WORDS	     16

/* Words are those of the RFC: four bytes, lowest first. */
void chacha20_block(const u32 key[CHACHA20_KEY_WORDS], u32 counter,
	const u32 nonce[CHACHA20_NONCE_WORDS], u32 out[CHACHA20_WORDS]);

#endif
