/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk in memory. Its map has an entry a block of 4 KB:
 *
 *   NULL   as in the module, or zeros where that has ended
 *   zeros  (the address of a marker) zeros, whatever the module has
 *   else   a page of the disk's own
 */
#include "hv/blk/ramdisk.h"

#include "hv/lib/string.h"
#include "hv/mem/page.h"

/* Pages that disks leave to the hypervisor: what guests write must not take the last one. */
#define RESERVE	     (16 * MB / PAGE_SIZE)
#define BLOCK	     PAGE_SIZE
#define PHYSICAL_EXP 3 /* sectors in a block: 2^3 */
static_assert(BLK_SECTOR << PHYSICAL_EXP == BLOCK, "a block is a page");

struct ramdisk {
	struct blk_backend b;
	const u8 *base;
	u64 base_size;
	u64 blocks;
	u8 **map;
	unsigned map_order;
};

static u8 zeros; /* only its address counts */

static struct ramdisk *disk_of(struct blk_backend *b)
{
	return container_of(b, struct ramdisk, b);
}

/* A part of one block. */
struct piece {
	u64 block;
	u64 offset, len;
};

/* The first piece of the range [*at, *at + *len) of bytes; the range shrinks to what follows. */
static struct piece next_piece(u64 *at, u64 *len)
{
	struct piece p = { .block = *at / BLOCK, .offset = *at % BLOCK };

	p.len = MIN(*len, BLOCK - p.offset);
	*at += p.len;
	*len -= p.len;
	return p;
}

/* How many bytes of the piece the module has. */
static u64 in_base(const struct ramdisk *d, const struct piece *p)
{
	u64 at = p->block * BLOCK + p->offset;

	return at < d->base_size ? MIN(p->len, d->base_size - at) : 0;
}

static bool read_piece(struct ramdisk *d, const struct piece *p, struct blk_io *io)
{
	const struct blk_data_ops *data = io->data;
	const u8 *page = d->map[p->block];
	u64 n;

	if (page == &zeros)
		return data->fill(io, NULL, p->len) == OK;
	if (page)
		return data->fill(io, page + p->offset, p->len) == OK;
	n = in_base(d, p);
	if (n && data->fill(io, d->base + p->block * BLOCK + p->offset, n) != OK)
		return false;
	return data->fill(io, NULL, p->len - n) == OK;
}

static u8 *new_page(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.free > RESERVE ? page_alloc(PAGE_ORDER_4K, PAGE_GUEST) : NULL;
}

/* A page of the disk's own for the block; NULL when memory has run out. */
static u8 *own_page(struct ramdisk *d, u64 block)
{
	struct piece all = { .block = block, .len = BLOCK };
	u8 *page = d->map[block];

	if (page && page != &zeros)
		return page;
	page = new_page();
	if (!page)
		return NULL;
	if (!d->map[block] && in_base(d, &all))
		memcpy(page, d->base + block * BLOCK, in_base(d, &all));
	d->map[block] = page;
	return page;
}

static bool write_piece(struct ramdisk *d, const struct piece *p, struct blk_io *io)
{
	u8 *page = own_page(d, p->block);

	return page && io->data->take(io, page + p->offset, p->len) == OK;
}

static void drop_page(struct ramdisk *d, u64 block)
{
	if (d->map[block] && d->map[block] != &zeros)
		page_free(d->map[block], PAGE_ORDER_4K, PAGE_GUEST);
	d->map[block] = &zeros;
}

static bool zero_piece(struct ramdisk *d, const struct piece *p, bool unmap)
{
	u8 *page = d->map[p->block];

	if (page == &zeros)
		return true;
	if (p->len == BLOCK && (unmap || !page)) {
		drop_page(d, p->block);
		return true;
	}
	page = own_page(d, p->block);
	if (page)
		memset(page + p->offset, 0, p->len);
	return page != NULL;
}

/* Parts of blocks stay as they are: their contents do not matter. */
static bool discard_piece(struct ramdisk *d, const struct piece *p)
{
	return p->len < BLOCK || zero_piece(d, p, true);
}

static bool do_piece(struct ramdisk *d, struct blk_io *io, const struct piece *p, bool unmap)
{
	switch (io->op) {
	case BLK_READ: return read_piece(d, p, io);
	case BLK_WRITE: return write_piece(d, p, io);
	case BLK_DISCARD: return discard_piece(d, p);
	case BLK_WRITE_ZEROES: return zero_piece(d, p, unmap);
	default: return true; /* a flush has no ranges */
	}
}

static void ramdisk_submit(struct blk_backend *b, struct blk_io *io)
{
	struct ramdisk *d = disk_of(b);
	bool ok = true;

	for (unsigned i = 0; ok && i < io->ranges; i++) {
		u64 at = io->range[i].sector * BLK_SECTOR;
		u64 len = io->range[i].sectors * BLK_SECTOR;

		while (ok && len) {
			struct piece p = next_piece(&at, &len);

			ok = do_piece(d, io, &p, io->range[i].unmap);
		}
	}
	io->done(io, ok);
}

static void ramdisk_destroy(struct blk_backend *b)
{
	struct ramdisk *d = disk_of(b);

	for (u64 i = 0; i < d->blocks; i++)
		drop_page(d, i);
	page_free(d->map, d->map_order, PAGE_HV);
	page_free(d, PAGE_ORDER_4K, PAGE_HV);
}

static const struct blk_backend_ops ramdisk_ops = {
	.submit = ramdisk_submit,
	.destroy = ramdisk_destroy,
};

enum status ramdisk_create(struct blk_backend **out, const void *base, u64 base_size, u64 size,
	bool read_only, const char *id)
{
	u64 blocks = size / BLOCK + (size % BLOCK != 0);
	unsigned order = 0;
	struct ramdisk *d;

	static_assert(sizeof(*d) <= PAGE_SIZE, "one page");
	while (order <= PAGE_ORDER_MAX && (PAGE_SIZE << order) / sizeof(*d->map) < blocks)
		order++;
	if (!size || order > PAGE_ORDER_MAX)
		return ERR_RANGE;
	d = page_alloc(PAGE_ORDER_4K, PAGE_HV);
	if (!d)
		return ERR_NOMEM;
	d->map = page_alloc(order, PAGE_HV);
	if (!d->map) {
		page_free(d, PAGE_ORDER_4K, PAGE_HV);
		return ERR_NOMEM;
	}
	d->map_order = order;
	d->blocks = blocks;
	d->base = base;
	d->base_size = base_size;
	d->b = (struct blk_backend){ .ops = &ramdisk_ops,
		.sectors = size / BLK_SECTOR + (size % BLK_SECTOR != 0),
		.read_only = read_only,
		.physical_exp = PHYSICAL_EXP,
		.depth = 1 };
	memcpy(d->b.id, id, strnlen(id, BLK_ID_MAX));
	*out = &d->b;
	return OK;
}
