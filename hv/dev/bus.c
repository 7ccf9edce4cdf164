/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding the device behind an address: the last hit first, then a binary search. */
#include "hv/dev/bus.h"

static u64 mask(unsigned size)
{
	return size >= sizeof(u64) ? ~0ul : BIT(size * BITS_PER_BYTE) - 1;
}

static bool contains(const struct bus_range *r, u64 addr)
{
	return addr - r->base < r->len;
}

/* Index of the first range that starts above addr; count if none does. */
static unsigned first_above(const struct bus *b, u64 addr)
{
	unsigned low = 0, high = b->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (b->range[mid].base > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

enum status bus_add(
	struct bus *b, u64 base, u64 len, const struct io_ops *ops, void *dev, const char *name)
{
	unsigned at, i;

	if (len == 0 || base + (len - 1) < base)
		return ERR_INVAL;
	at = first_above(b, base);
	if (at > 0 && contains(&b->range[at - 1], base))
		return ERR_EXIST;
	if (at < b->count && b->range[at].base - base < len)
		return ERR_EXIST;
	if (b->count == BUS_RANGES)
		return ERR_NOMEM;
	for (i = b->count; i > at; i--)
		b->range[i] = b->range[i - 1];
	b->range[at] = (struct bus_range){ base, len, ops, dev, name };
	b->count++;
	return OK;
}

void bus_remove(struct bus *b, u64 base)
{
	unsigned at = first_above(b, base), i;

	if (at == 0 || b->range[at - 1].base != base)
		return;
	b->count--;
	for (i = at - 1; i < b->count; i++)
		b->range[i] = b->range[i + 1];
}

const struct bus_range *bus_find(struct bus *b, u64 addr)
{
	unsigned at;

	if (b->last < b->count && contains(&b->range[b->last], addr))
		return &b->range[b->last];
	at = first_above(b, addr);
	if (at == 0 || !contains(&b->range[at - 1], addr))
		return NULL;
	b->last = at - 1;
	return &b->range[at - 1];
}

/* True if some byte of [addr, addr + size) lies in a range, but not all in the same one. */
static bool is_split(struct bus *b, const struct bus_range *r, u64 addr, unsigned size)
{
	unsigned i;

	if (r)
		return r->len - (addr - r->base) < size;
	for (i = 1; i < size; i++) {
		if (bus_find(b, addr + i))
			return true;
	}
	return false;
}

u64 bus_read(struct bus *b, u64 addr, unsigned size)
{
	const struct bus_range *r = bus_find(b, addr);
	u64 value = 0;
	unsigned i;

	if (is_split(b, r, addr, size)) {
		for (i = 0; i < size; i++)
			value |= bus_read(b, addr + i, 1) << (i * BITS_PER_BYTE);
		return value;
	}
	if (!r)
		return mask(size);
	return r->ops->read(r->dev, addr - r->base, size) & mask(size);
}

void bus_write(struct bus *b, u64 addr, unsigned size, u64 value)
{
	const struct bus_range *r = bus_find(b, addr);
	unsigned i;

	if (is_split(b, r, addr, size)) {
		for (i = 0; i < size; i++)
			bus_write(b, addr + i, 1, (value >> (i * BITS_PER_BYTE)) & mask(1));
		return;
	}
	if (r)
		r->ops->write(r->dev, addr - r->base, size, value & mask(size));
}
