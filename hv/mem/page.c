/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator. A block of order n is 2^n frames, aligned to its size; it and the block
 * beside it ("buddy") are the halves of a block of order n + 1:
 *
 *   order 2  |               0               |               4               |
 *   order 1  |       0       |       2       |       4       |       6       |
 *   order 0  |   0   |   1   |   2   |   3   |   4   |   5   |   6   |   7   |
 *
 * The buddy of frame f at order n is f ^ (1 << n). The first frame of every block, free or in use,
 * has a tag in the metadata; all other frames, and those never added, have 0:
 *
 *   7       5 4           0
 *  +---------+-------------+
 *  |  state  |    order    |   state: 1 free, 2 + owner in use
 *  +---------+-------------+
 *
 * so that a wrong or a second free is always seen.
 */
#include "hv/ctl/log.h"
#include "hv/lib/list.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"

#define ORDERS	  (PAGE_ORDER_MAX + 1)
#define TAG_SHIFT 5
#define TAG_NONE  0u
#define TAG_FREE  1u
#define TAG_OWNED 2u

static_assert(PAGE_ORDER_MAX < 1 << TAG_SHIFT, "an order fits its bits of the tag");
static_assert(TAG_OWNED + PAGE_OWNERS <= 1 << (8 - TAG_SHIFT), "so does an owner");
static_assert(sizeof(struct list_node) <= PAGE_SIZE, "a free page holds its own list node");

static struct {
	struct spinlock lock;
	u8 *meta; /* one tag a frame, of frames [base, limit) */
	u64 base, limit;
	struct list_node free[ORDERS];
	struct page_stats stats;
} pages;

static u8 tag_make(unsigned state, unsigned order)
{
	return (u8)(state << TAG_SHIFT | order);
}

static u8 *tag_of(u64 frame)
{
	return &pages.meta[frame - pages.base];
}

static struct list_node *node_of(u64 frame)
{
	return hpa_to_hva(hfn_to_hpa(HFN(frame)));
}

static u64 frame_of(const void *p)
{
	return hpa_to_hfn(hva_to_hpa(p)).v;
}

static void push(u64 frame, unsigned order)
{
	*tag_of(frame) = tag_make(TAG_FREE, order);
	list_add_before(pages.free[order].next, node_of(frame));
}

static void take(u64 frame)
{
	list_del(node_of(frame));
	*tag_of(frame) = TAG_NONE;
}

/* True if the block at frame is wholly inside our range and free as one block of this order. */
static bool is_free_block(u64 frame, unsigned order)
{
	return frame >= pages.base && frame < pages.limit &&
	       *tag_of(frame) == tag_make(TAG_FREE, order);
}

/* Puts a block on its free list, merged with its buddies as far as they are free. */
static void give_back(u64 frame, unsigned order)
{
	pages.stats.free += 1ul << order;
	for (; order < PAGE_ORDER_MAX; order++) {
		u64 buddy = frame ^ (1ul << order);

		if (!is_free_block(buddy, order))
			break;
		take(buddy);
		frame &= ~(1ul << order);
	}
	push(frame, order);
}

/* Takes the block of `order` at `frame` out of a free one of order `from`, and puts the halves that
 * are left over back. */
static void *split(u64 frame, unsigned order, unsigned from, enum page_owner owner)
{
	u64 block = frame & ~((1ul << from) - 1);

	take(block);
	while (from-- > order) {
		u64 half = 1ul << from;

		push((frame & half) ? block : block + half, from);
		block += frame & half;
	}
	*tag_of(frame) = tag_make(TAG_OWNED + owner, order);
	pages.stats.free -= 1ul << order;
	pages.stats.used[owner] += 1ul << order;
	return node_of(frame);
}

/* From the smallest order that has a block. */
static void *carve(unsigned order, enum page_owner owner)
{
	unsigned o = order;

	while (o <= PAGE_ORDER_MAX && list_empty(&pages.free[o]))
		o++;
	if (o > PAGE_ORDER_MAX)
		return NULL;
	return split(frame_of(pages.free[o].next), order, o, owner);
}

/*
 * Fills a block with zeros, page by page. The counter is read from the stack between two pages so
 * that the page of the stack stays in the TLB. For Bochs, which keeps memory beyond 2 GB in a file:
 * it puts any 128 KB there of which its TLB (one entry for each of 2,048 page numbers) holds no
 * page, but pushes and returns go past that TLB, to the host's address of the page that the stack
 * pointer last moved into. One instruction that fills 8 MB empties the TLB, and the stack may be
 * taken meanwhile. Accesses of 8 bytes through RBP use the TLB; ones of 4 do not.
 */
static void *scrub(void *block, unsigned order)
{
	for (volatile u64 page = 0; page < 1ul << order; page++)
		memset((u8 *)block + page * PAGE_SIZE, 0, PAGE_SIZE);
	return block;
}

void *page_alloc_highest(unsigned *order, unsigned least, enum page_owner owner)
{
	unsigned from = 0;
	struct list_node *n;
	u64 block = 0;
	void *p = NULL;

	BUG_ON(owner >= PAGE_OWNERS || least > *order || *order > PAGE_ORDER_MAX);
	spin_lock(&pages.lock);
	for (unsigned o = least; o <= PAGE_ORDER_MAX; o++)
		list_for_each (n, &pages.free[o])
			if (frame_of(n) >= block) {
				block = frame_of(n);
				from = o;
			}
	if (block) {
		*order = MIN(*order, from);
		p = split(block + (1ul << from) - (1ul << *order), *order, from, owner);
	}
	spin_unlock(&pages.lock);
	/* Outside the lock: a gigabyte takes a while. */
	return p ? scrub(p, *order) : NULL;
}

void *page_alloc(unsigned order, enum page_owner owner)
{
	void *p;

	BUG_ON(owner >= PAGE_OWNERS);
	if (order > PAGE_ORDER_MAX)
		return NULL;
	spin_lock(&pages.lock);
	p = carve(order, owner);
	spin_unlock(&pages.lock);
	return p ? scrub(p, order) : NULL;
}

/* The start of a block of that order that ends below the frame; ~0: there is none. */
static u64 find_below(unsigned order, u64 limit, unsigned *from)
{
	struct list_node *n;

	for (*from = order; *from <= PAGE_ORDER_MAX; ++*from)
		list_for_each (n, &pages.free[*from])
			if (frame_of(n) + (1ul << order) <= limit)
				return frame_of(n);
	return ~0ul;
}

void *page_alloc_below(unsigned order, hpa_t limit, enum page_owner owner)
{
	unsigned from;
	void *p = NULL;
	u64 frame;

	BUG_ON(owner >= PAGE_OWNERS);
	spin_lock(&pages.lock);
	frame = find_below(order, hpa_to_hfn(limit).v, &from);
	if (frame != ~0ul)
		p = split(frame, order, from, owner);
	spin_unlock(&pages.lock);
	return p ? scrub(p, order) : NULL;
}

void *page_alloc_at(hfn_t frame, enum page_owner owner)
{
	unsigned o = 0;
	void *p = NULL;

	BUG_ON(owner >= PAGE_OWNERS);
	spin_lock(&pages.lock);
	while (o <= PAGE_ORDER_MAX && !is_free_block(frame.v & ~((1ul << o) - 1), o))
		o++;
	if (o <= PAGE_ORDER_MAX)
		p = split(frame.v, PAGE_ORDER_4K, o, owner);
	spin_unlock(&pages.lock);
	return p ? scrub(p, PAGE_ORDER_4K) : NULL;
}

void page_free(void *p, unsigned order, enum page_owner owner)
{
	u64 frame = frame_of(p);

	BUG_ON(owner >= PAGE_OWNERS || order > PAGE_ORDER_MAX);
	BUG_ON(!IS_ALIGNED((u64)p, PAGE_SIZE) || frame < pages.base || frame >= pages.limit);
	spin_lock(&pages.lock);
	if (*tag_of(frame) != tag_make(TAG_OWNED + owner, order))
		BUG("page_free(%p, order %u, owner %u): tag is %#x", p, order, owner,
			*tag_of(frame));
	pages.stats.used[owner] -= 1ul << order;
	give_back(frame, order);
	spin_unlock(&pages.lock);
}

void page_split(void *p, unsigned order, unsigned into, enum page_owner owner)
{
	u64 frame = frame_of(p);

	BUG_ON(owner >= PAGE_OWNERS || order > PAGE_ORDER_MAX || into > order);
	spin_lock(&pages.lock);
	BUG_ON(*tag_of(frame) != tag_make(TAG_OWNED + owner, order));
	for (u64 i = 0; i < 1ul << order; i += 1ul << into)
		*tag_of(frame + i) = tag_make(TAG_OWNED + owner, into);
	spin_unlock(&pages.lock);
}

bool page_join(void *p, unsigned order, enum page_owner owner)
{
	u64 frame = frame_of(p), n = 0;
	u8 tag = tag_make(TAG_OWNED + owner, PAGE_ORDER_4K);

	BUG_ON(owner >= PAGE_OWNERS || order > PAGE_ORDER_MAX || !IS_ALIGNED(frame, 1ul << order));
	spin_lock(&pages.lock);
	while (n < 1ul << order && *tag_of(frame + n) == tag)
		n++;
	if (n == 1ul << order) {
		memset(tag_of(frame), TAG_NONE, n);
		*tag_of(frame) = tag_make(TAG_OWNED + owner, order);
	}
	spin_unlock(&pages.lock);
	return n == 1ul << order;
}

void page_stats(struct page_stats *out)
{
	spin_lock(&pages.lock);
	*out = pages.stats;
	spin_unlock(&pages.lock);
}

void page_init(void *meta, hpa_t base, hpa_t limit)
{
	BUG_ON(!IS_ALIGNED(base.v | limit.v, PAGE_SIZE) || base.v > limit.v);
	memset(&pages, 0, sizeof(pages));
	pages.meta = meta;
	pages.base = hpa_to_hfn(base).v;
	pages.limit = hpa_to_hfn(limit).v;
	memset(meta, TAG_NONE, page_meta_size(base, limit));
	for (unsigned o = 0; o < ORDERS; o++)
		list_init(&pages.free[o]);
}

void page_add(hpa_t start, hpa_t end)
{
	u64 frame = hpa_to_hfn(start).v, last = hpa_to_hfn(end).v;

	BUG_ON(!IS_ALIGNED(start.v | end.v, PAGE_SIZE) || start.v > end.v);
	BUG_ON(frame < pages.base || last > pages.limit);
	spin_lock(&pages.lock);
	pages.stats.total += last - frame;
	while (frame < last) {
		unsigned order = PAGE_ORDER_MAX;

		/* The largest aligned block that fits. */
		while (!IS_ALIGNED(frame, 1ul << order) || frame + (1ul << order) > last)
			order--;
		give_back(frame, order);
		frame += 1ul << order;
	}
	spin_unlock(&pages.lock);
}
