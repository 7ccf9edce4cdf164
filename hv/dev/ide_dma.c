/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus master: a table of descriptors in guest memory says where the data of a DMA command lies.
 *
 *   +----------------+-------+------+
 *   | address, 32 bit| count |    L |   count 0: 64 KB; L: the last one
 *   +----------------+-------+------+
 *
 * A table may not cross a multiple of 64 KB, which bounds it. Each descriptor is copied once.
 */
#include "hv/dev/ide.h"

#define BM_COMMAND    0u
#define BM_STATUS     2u
#define BM_TABLE      4u
#define BM_REGS	      8u /* a channel */
#define COMMAND_START 0x01u
#define COMMAND_READ  0x08u /* to memory */
#define STATUS_ACTIVE 0x01u
#define STATUS_ERROR  0x02u
#define STATUS_IRQ    0x04u
#define STATUS_CLEAR  (STATUS_ERROR | STATUS_IRQ) /* by writing ones */
#define STATUS_DRIVES 0x60u			  /* the driver's own */
#define TABLE_MAX     0x10000u
#define DESCRIPTOR    8u
#define COUNT_MAX     0x10000u
#define LAST	      0x8000u

struct descriptor {
	u32 address;
	u16 count, flags;
};
static_assert(sizeof(struct descriptor) == DESCRIPTOR, "as in guest memory");

void ide_bm_reset(struct ide_channel *ch)
{
	ch->bm = (struct ide_bus_master){ 0 };
}

bool ide_bm_started(const struct ide_channel *ch)
{
	return ch->bm.command & COMMAND_START;
}

/* ---- the transfer ---- */

void ide_dma_begin(struct ide_channel *ch)
{
	struct ide_bus_master *bm = &ch->bm;

	bm->next = bm->table;
	bm->entries = (TABLE_MAX - (bm->table & (TABLE_MAX - 1))) / DESCRIPTOR;
	bm->piece_left = 0;
	bm->last = false;
	ide_start_dma(ch);
}

/* The next descriptor; false: there is none, or it is not in memory. */
static bool next_piece(struct ide_channel *ch)
{
	struct ide_bus_master *bm = &ch->bm;
	struct descriptor d;

	if (bm->last || !bm->entries || guest_read(ch->ide->gm, GPA(bm->next), &d, sizeof(d)) != OK)
		return false;
	bm->next += DESCRIPTOR;
	bm->entries--;
	bm->last = d.flags & LAST;
	bm->piece = GPA(d.address & ~1u);
	bm->piece_left = d.count & ~1u;
	if (!bm->piece_left)
		bm->piece_left = COUNT_MAX;
	return true;
}

/* Where the next of len bytes lie, and how many of them; 0: nowhere. */
static u64 take_piece(struct ide_channel *ch, u64 len, gpa_t *at)
{
	struct ide_bus_master *bm = &ch->bm;

	if (!bm->piece_left && !next_piece(ch))
		return 0;
	len = MIN(len, (u64)bm->piece_left);
	*at = bm->piece;
	bm->piece = GPA(bm->piece.v + len);
	bm->piece_left -= (u32)len;
	return len;
}

static struct ide_channel *channel_of(struct blk_io *io)
{
	return container_of(io, struct ide_channel, io);
}

static enum status take(struct blk_io *io, void *dst, u64 len)
{
	const struct guestmem *gm = channel_of(io)->ide->gm;
	u8 *to = dst;
	gpa_t at;

	while (len) {
		u64 n = take_piece(channel_of(io), len, &at);

		if (!n || guest_read(gm, at, to, n) != OK)
			return ERR_RANGE;
		to += n;
		len -= n;
	}
	return OK;
}

static enum status fill(struct blk_io *io, const void *src, u64 len)
{
	const struct guestmem *gm = channel_of(io)->ide->gm;
	const u8 *from = src;
	gpa_t at;

	while (len) {
		u64 n = take_piece(channel_of(io), len, &at);

		if (!n || (from ? guest_write(gm, at, from, n) : guest_zero(gm, at, n)) != OK)
			return ERR_RANGE;
		if (from)
			from += n;
		len -= n;
	}
	return OK;
}

const struct blk_data_ops ide_dma_data = { .take = take, .fill = fill };

/* Active stays set where the table is longer than the transfer. */
void ide_dma_end(struct ide_channel *ch, bool ok)
{
	struct ide_bus_master *bm = &ch->bm;

	bm->status |= STATUS_IRQ | (ok ? 0 : STATUS_ERROR);
	if (!ok || (bm->last && !bm->piece_left))
		bm->status &= (u8)~STATUS_ACTIVE;
}

/* ---- registers ---- */

static u8 read_byte(void *dev, u64 offset)
{
	const struct ide *d = dev;
	const struct ide_bus_master *bm = &d->channel[offset / BM_REGS].bm;
	unsigned reg = offset % BM_REGS;

	if (reg >= BM_TABLE)
		return (u8)(bm->table >> (reg - BM_TABLE) * BITS_PER_BYTE);
	return reg == BM_COMMAND ? bm->command : reg == BM_STATUS ? bm->status : 0;
}

static void write_command(struct ide_channel *ch, u8 v)
{
	struct ide_bus_master *bm = &ch->bm;
	bool was = ide_bm_started(ch);

	bm->command = v & (COMMAND_START | COMMAND_READ);
	if (was && !ide_bm_started(ch)) {
		if (bm->status & STATUS_ACTIVE)
			ide_abort(ch);
		bm->status &= (u8)~STATUS_ACTIVE;
	} else if (!was && ide_bm_started(ch)) {
		bm->status |= STATUS_ACTIVE;
		if (ch->waiting)
			ide_dma_begin(ch);
	}
}

static void write_byte(void *dev, u64 offset, u8 v)
{
	struct ide *d = dev;
	struct ide_channel *ch = &d->channel[offset / BM_REGS];
	struct ide_bus_master *bm = &ch->bm;
	unsigned reg = offset % BM_REGS, shift = (reg - BM_TABLE) * BITS_PER_BYTE;

	if (reg >= BM_TABLE)
		bm->table = (bm->table & ~(0xffu << shift)) | (v & (shift ? 0xffu : 0xfcu))
								      << shift;
	else if (reg == BM_COMMAND)
		write_command(ch, v);
	else if (reg == BM_STATUS)
		bm->status = (u8)((bm->status & ~(v & STATUS_CLEAR) & ~STATUS_DRIVES) |
				  (v & STATUS_DRIVES));
}

BYTEWISE_OPS(ide_bm_io, read_byte, write_byte);
