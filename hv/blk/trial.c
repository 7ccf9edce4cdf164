/* SPDX-License-Identifier: BSD-2-Clause */
/* Each word of the medium says where it is, so that what lands in another place is found too. */
#include "hv/blk/trial.h"

#include "hv/cpu/idle.h"
#include "hv/cpu/timer.h"
#include "hv/lib/string.h"

#define UNDER_WAY 8u
#define LONGEST	  300u /* sectors of a request: more than any controller's command */
#define STEP	  37u  /* from one length to the next; has no divisor in common with LONGEST */

struct transfer {
	struct blk_io io;
	u64 at; /* the byte of the medium that its data goes on with */
	bool busy;
};

static struct {
	struct blk_backend *b;
	u64 salt, next; /* the sector that no request was made for yet */
	u32 sectors;	/* of the last request */
	bool ok;
	struct transfer transfer[UNDER_WAY];
} t;

static u64 word_at(u64 byte)
{
	return (byte ^ t.salt) * 0x9e3779b97f4a7c15; /* an odd number: no two places are alike */
}

static enum status take(struct blk_io *io, void *dst, u64 len)
{
	struct transfer *x = container_of(io, struct transfer, io);
	u64 word;

	for (u64 i = 0; i < len; i += sizeof(word)) {
		word = word_at(x->at + i);
		memcpy((u8 *)dst + i, &word, sizeof(word));
	}
	x->at += len;
	return OK;
}

static enum status fill(struct blk_io *io, const void *src, u64 len)
{
	struct transfer *x = container_of(io, struct transfer, io);
	u64 word;

	for (u64 i = 0; i < len; i += sizeof(word)) {
		word = word_at(x->at + i);
		if (!src || memcmp((const u8 *)src + i, &word, sizeof(word)))
			return ERR_INVAL;
	}
	x->at += len;
	return OK;
}

static const struct blk_data_ops data_ops = { .take = take, .fill = fill };

static void done(struct blk_io *io, bool ok)
{
	container_of(io, struct transfer, io)->busy = false;
	t.ok &= ok;
}

static void submit(struct transfer *x, enum blk_op op, u64 sector, u64 sectors)
{
	x->busy = true;
	x->at = sector * BLK_SECTOR;
	x->io = (struct blk_io){ .op = op,
		.ranges = sectors ? 1 : 0,
		.range = { { .sector = sector, .sectors = sectors } },
		.data = &data_ops,
		.done = done };
	t.b->ops->submit(t.b, &x->io);
}

static void submit_next(struct transfer *x, enum blk_op op)
{
	u64 sector = t.next;

	t.sectors = (t.sectors + STEP) % LONGEST;
	t.next += MIN(t.sectors + 1ul, t.b->sectors - sector);
	submit(x, op, sector, t.next - sector);
}

static bool any_under_way(void)
{
	bool any = false;

	for (unsigned i = 0; i < UNDER_WAY; i++)
		any |= READ_ONCE(t.transfer[i].busy);
	return any;
}

static bool whole_medium(enum blk_op op)
{
	t.ok = true;
	t.next = 0;
	for (;;) {
		for (unsigned i = 0; i < MIN(UNDER_WAY, t.b->depth); i++)
			if (!READ_ONCE(t.transfer[i].busy) && t.ok && t.next < t.b->sectors)
				submit_next(&t.transfer[i], op);
		if (!any_under_way() && (!t.ok || t.next == t.b->sectors))
			return t.ok;
		if (any_under_way())
			cpu_idle(TIMER_NEVER);
	}
}

static bool flush(void)
{
	t.ok = true;
	submit(&t.transfer[0], BLK_FLUSH, 0, 0);
	while (any_under_way())
		cpu_idle(TIMER_NEVER);
	return t.ok;
}

const char *blk_trial(struct blk_backend *b, u64 salt)
{
	memset(&t, 0, sizeof(t));
	t.b = b;
	t.salt = salt;
	if (!whole_medium(BLK_WRITE))
		return "a write fails";
	if (!flush())
		return "a flush fails";
	return whole_medium(BLK_READ) ? NULL : "a read fails, or yields something else";
}
