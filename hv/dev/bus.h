/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address ranges (ports or guest-physical MMIO) and the device behind each. What no device claims
 * reads as all ones and swallows writes, as on a PC.
 */
#ifndef HV_DEV_BUS_H
#define HV_DEV_BUS_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

#define BUS_RANGES 64

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

/* An access that crosses out of a range is split into bytes. Values are masked to size. */
u64 bus_read(struct bus *b, u64 addr, unsigned size);
void bus_write(struct bus *b, u64 addr, unsigned size, u64 value);

/* For devices with byte registers: an access of several bytes as single ones, lowest offset first.
 */
u64 io_read_bytes(u64 (*read)(void *dev, u64 offset), void *dev, u64 offset, unsigned size);
void io_write_bytes(void (*write)(void *dev, u64 offset, u8 value), void *dev, u64 offset,
	unsigned size, u64 value);

#endif
