/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device's interrupt output, and byte-wide registers on a bus that may be asked for more. Devices
 * drive a wire and know nothing of what hangs on its other end.
 */
#ifndef HV_DEV_WIRE_H
#define HV_DEV_WIRE_H

#include "hv/lib/util.h"

struct wire {
	void (*set)(void *ctx, unsigned line, bool level); /* called only when the level changes */
	void *ctx;
	unsigned line;
	bool level;
};

static inline void wire_set(struct wire *w, bool level)
{
	if (w->level == level)
		return;
	w->level = level;
	w->set(w->ctx, w->line, level);
}

#define BITS_PER_BYTE 8

/*
 * The 16- and 32-bit accesses to an 8-bit device become single bytes, lowest address first, as a
 * PC's bus bridge makes them. To be called with constant functions, so that they are inlined.
 */
static inline u64 bytewise_read(
	u8 (*get)(void *dev, u64 offset), void *dev, u64 offset, unsigned size)
{
	u64 value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (u64)get(dev, offset + i) << (i * BITS_PER_BYTE);
	return value;
}

static inline void bytewise_write(void (*put)(void *dev, u64 offset, u8 value), void *dev,
	u64 offset, unsigned size, u64 value)
{
	for (unsigned i = 0; i < size; i++)
		put(dev, offset + i, (u8)(value >> (i * BITS_PER_BYTE)));
}

#endif
