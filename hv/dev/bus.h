/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address ranges (ports or guest-physical MMIO) and the device behind each. What no device claims
 * reads as all ones and swallows writes, as on a PC.
 */
#ifndef HV_DEV_BUS_H
#define HV_DEV_BUS_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

#define BUS_RANGES    64
#define BITS_PER_BYTE 8

struct io_ops {
	/* offset is from the start of the range; size is 1, 2, 4 or (MMIO only) 8 bytes; never
	 * crosses the range's end. */
	u64 (*read)(void *dev, u64 offset, unsigned size);
	void (*write)(void *dev, u64 offset, unsigned size, u64 value);
};

struct bus_range {
	u64 base;
	u64 len;
	const struct io_ops *ops;
	void *dev;
	const char *name;
};

struct bus {
	struct bus_range range[BUS_RANGES]; /* sorted by base, disjoint */
	unsigned count;
	unsigned last; /* index of the last hit, tried first */
};

/* ERR_EXIST on overlap, ERR_NOMEM when full, ERR_INVAL for an empty or wrapping range. */
enum status bus_add(struct bus *b, u64 base, u64 len, const struct io_ops *ops, void *dev,
	const char *name) __must_check;
void bus_remove(struct bus *b, u64 base); /* harmless when absent: BARs move */

/* NULL if no device claims addr. */
const struct bus_range *bus_find(struct bus *b, u64 addr);

/*
 * Size: 1, 2, 4 or 8 bytes. An access that crosses out of a range or into one is split into bytes,
 * each for whoever claims it. Addresses wrap at 2^64, not at the end of the ports: above 0xFFFF
 * nobody is. Values are masked to size, whatever the device returns.
 */
u64 bus_read(struct bus *b, u64 addr, unsigned size);
void bus_write(struct bus *b, u64 addr, unsigned size, u64 value);

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

/* Defines the io_ops `name` of a device that has nothing but bytes. */
#define BYTEWISE_OPS(name, get, put)                                                               \
	static u64 name##_read(void *dev, u64 offset, unsigned size)                               \
	{                                                                                          \
		return bytewise_read(get, dev, offset, size);                                      \
	}                                                                                          \
	static void name##_write(void *dev, u64 offset, unsigned size, u64 value)                  \
	{                                                                                          \
		bytewise_write(put, dev, offset, size, value);                                     \
	}                                                                                          \
	const struct io_ops name = { .read = name##_read, .write = name##_write }

#endif
