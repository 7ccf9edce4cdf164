/* SPDX-License-Identifier: BSD-2-Clause */
/* Cursors over the segments of a chain. */
#include "virtio/chain.h"

static struct vq_cursor cursor(struct vq_chain *c, unsigned from, unsigned to)
{
	struct vq_cursor cur = { .chain = c, .seg = from };

	for (unsigned i = from; i < to; i++)
		cur.left += c->seg[i].len;
	return cur;
}

struct vq_cursor vq_readable(struct vq_chain *c)
{
	return cursor(c, 0, c->readable);
}

struct vq_cursor vq_writable(struct vq_chain *c)
{
	return cursor(c, c->readable, c->segs);
}

/* The piece of guest memory at the cursor, of at most len bytes; the cursor moves behind it. */
static struct vq_seg take(struct vq_cursor *cur, u64 len)
{
	const struct vq_seg *s = &cur->chain->seg[cur->seg];
	struct vq_seg piece = { .gpa = GPA(s->gpa.v + cur->offset) };

	piece.len = (u32)MIN(len, (u64)(s->len - cur->offset));
	cur->offset += piece.len;
	cur->at += piece.len;
	cur->left -= piece.len;
	if (cur->offset == s->len) {
		cur->seg++;
		cur->offset = 0;
	}
	return piece;
}

enum status vq_read(struct vq_cursor *cur, void *dst, u64 len)
{
	u8 *to = dst;

	if (len > cur->left)
		return ERR_RANGE;
	while (len) {
		struct vq_seg s = take(cur, len);

		if (guest_read(cur->chain->gm, s.gpa, to, s.len) != OK)
			return ERR_RANGE;
		to += s.len;
		len -= s.len;
	}
	return OK;
}

/* Copies, or fills with zeros where src is NULL. */
static enum status fill(struct vq_cursor *cur, const u8 *src, u64 len)
{
	if (len > cur->left)
		return ERR_RANGE;
	while (len) {
		u64 from = cur->at;
		struct vq_seg s = take(cur, len);
		enum status st = src ? guest_write(cur->chain->gm, s.gpa, src, s.len)
				     : guest_zero(cur->chain->gm, s.gpa, s.len);

		if (st != OK)
			return ERR_RANGE;
		if (from <= cur->chain->written)
			cur->chain->written = MAX(cur->chain->written, cur->at);
		if (src)
			src += s.len;
		len -= s.len;
	}
	return OK;
}

enum status vq_write(struct vq_cursor *cur, const void *src, u64 len)
{
	return fill(cur, src, len);
}

enum status vq_zero(struct vq_cursor *cur, u64 len)
{
	return fill(cur, NULL, len);
}

void vq_skip(struct vq_cursor *cur, u64 len)
{
	len = MIN(len, cur->left);
	while (len)
		len -= take(cur, len).len;
}
