/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator. A block of order n is 2^n frames, aligned to its size; it and the block
 * beside it ("buddy") are the halves of a block of order n + 1:
 *
 *   order 2  |               0               |               4               |
 *   order 1  |       0       |       2       |       4       |       6       |
 *   order 0  |   0   |   1   |   2   |   3   |   4   |   5   |   6   |   7   |
 *
 * The buddy of frame f at order n is f ^ (1 << n). The free blocks of each order are a set of
 * numbers (hv/lib/bittree.h), in which the one next to any address is found in a few words: how
 * many pieces memory is in does not matter to who holds the lock, or waits for it. The first frame
 * of every block in use has a tag; all other frames have 0:
 *
 *   7       5 4           0
 *  +---------+-------------+
 *  |  state  |    order    |   state: 1 + owner
 *  +---------+-------------+
 *
 * so that a wrong or a second free is always seen.
 *
 * Of all blocks with room the one that is next to the owner's end of memory is taken, whatever its
 * order. A smaller one elsewhere would fit better, but it may be the frame of a root that has just
 * gone, and what took it would be in the way of the guest's next process (docs/shadow.md, "Fast
 * paths"). Large blocks stay whole all the same, since each end fills its own gaps first: what lies
 * between is not touched until they are used up.
 */
#include "hv/ctl/log.h"
#include "hv/lib/bittree.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"

#define ORDERS	  (PAGE_ORDER_MAX + 1)
#define TAG_SHIFT 5
#define TAG_NONE  0u
#define TAG_OWNED 1u
#define NO_BLOCK  (~0ul)
#define NO_LIMIT  (~0ul)

static_assert(PAGE_ORDER_MAX < 1 << TAG_SHIFT, "an order fits its bits of the tag");
static_assert(TAG_OWNED + PAGE_OWNERS <= 1 << (8 - TAG_SHIFT), "so does an owner");

static struct {
	struct spinlock lock;
	u8 *tags; /* one a frame, of frames [base, limit) */
	u64 base, limit;
	struct bittree free[ORDERS]; /* of order n: frame >> n, from the base's on */
	struct page_stats stats;
} pages;

static u8 tag_make(enum page_owner owner, unsigned order)
{
	return (u8)((TAG_OWNED + owner) << TAG_SHIFT | order);
}

static u8 *tag_of(u64 frame)
{
	return &pages.tags[frame - pages.base];
}

static void *frame_at(u64 frame)
{
	return hpa_to_hva(hfn_to_hpa(HFN(frame)));
}

static u64 frame_of(const void *p)
{
	return hpa_to_hfn(hva_to_hpa(p)).v;
}

/* The block of that order that the frame is in, as a number of the set. */
static u64 number_of(u64 frame, unsigned order)
{
	return (frame >> order) - (pages.base >> order);
}

/* Its first frame, if there is such a block. */
static u64 block_at(u64 number, unsigned order)
{
	return number == BITTREE_NONE ? NO_BLOCK : (number + (pages.base >> order)) << order;
}

static bool is_free_block(u64 frame, unsigned order)
{
	return frame >= pages.base && frame < pages.limit &&
	       bittree_has(&pages.free[order], number_of(frame, order));
}

/* A block becomes free, merged with its buddies as far as they are. */
static void give_back(u64 frame, unsigned order)
{
	pages.stats.free += 1ul << order;
	for (; order < PAGE_ORDER_MAX && is_free_block(frame ^ (1ul << order), order); order++) {
		bittree_remove(&pages.free[order], number_of(frame ^ (1ul << order), order));
		frame &= ~(1ul << order);
	}
	bittree_add(&pages.free[order], number_of(frame, order));
}

/* Takes the block of `order` at `frame` out of a free one of order `from`; the halves that are left
 * over stay free. */
static void *split(u64 frame, unsigned order, unsigned from, enum page_owner owner)
{
	bittree_remove(&pages.free[from], number_of(frame, from));
	while (from-- > order)
		bittree_add(&pages.free[from], number_of(frame ^ (1ul << from), from));
	*tag_of(frame) = tag_make(owner, order);
	pages.stats.free -= 1ul << order;
	pages.stats.used[owner] += 1ul << order;
	return frame_at(frame);
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

/* The lowest free block of at least that order. */
static u64 find_lowest(unsigned least, unsigned *from)
{
	u64 best = NO_BLOCK;

	for (unsigned o = least; o <= PAGE_ORDER_MAX; o++) {
		u64 block = block_at(bittree_first(&pages.free[o], 0), o);

		if (block < best) {
			best = block;
			*from = o;
		}
	}
	return best;
}

/* The highest free block of at least that order that begins at the frame or below. */
static u64 find_highest(unsigned least, u64 upto, unsigned *from)
{
	u64 best = NO_BLOCK;

	for (unsigned o = least; o <= PAGE_ORDER_MAX; o++) {
		u64 block = block_at(bittree_last(&pages.free[o], number_of(upto, o)), o);

		if (block != NO_BLOCK && (best == NO_BLOCK || block > best)) {
			best = block;
			*from = o;
		}
	}
	return best;
}

/*
 * From the owner's end of what lies below the limit: 2^*order pages, or all of a block that has
 * fewer but at least 2^least of them; *order is set.
 */
static void *take(unsigned *order, unsigned least, u64 limit, enum page_owner owner)
{
	u64 size = 1ul << least, end = MIN(limit, pages.limit), block;
	unsigned from = 0;

	if (end < pages.base + size)
		return NULL;
	block = owner == PAGE_HV ? find_lowest(least, &from)
				 : find_highest(least, end - size, &from);
	if (block == NO_BLOCK || block + size > end)
		return NULL;
	*order = MIN(*order, from);
	size = 1ul << *order;
	if (owner != PAGE_HV)
		block = ALIGN_DOWN(MIN(block + (1ul << from), end), size) - size;
	return split(block, *order, from, owner);
}

static void *alloc(unsigned *order, unsigned least, u64 limit, enum page_owner owner)
{
	void *p = NULL;

	BUG_ON(owner >= PAGE_OWNERS || least > *order);
	if (*order > PAGE_ORDER_MAX)
		return NULL;
	spin_lock(&pages.lock);
	p = take(order, least, limit, owner);
	spin_unlock(&pages.lock);
	/* Outside the lock: a gigabyte takes a while. */
	return p ? scrub(p, *order) : NULL;
}

void *page_alloc(unsigned order, enum page_owner owner)
{
	return alloc(&order, order, NO_LIMIT, owner);
}

void *page_alloc_upto(unsigned *order, unsigned least, enum page_owner owner)
{
	return alloc(order, least, NO_LIMIT, owner);
}

void *page_alloc_below(unsigned order, hpa_t limit, enum page_owner owner)
{
	return alloc(&order, order, hpa_to_hfn(limit).v, owner);
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
	if (*tag_of(frame) != tag_make(owner, order))
		BUG("page_free(%p, order %u, owner %u): tag is %#x", p, order, owner,
			*tag_of(frame));
	*tag_of(frame) = TAG_NONE;
	pages.stats.used[owner] -= 1ul << order;
	give_back(frame, order);
	spin_unlock(&pages.lock);
}

void page_split(void *p, unsigned order, unsigned into, enum page_owner owner)
{
	u64 frame = frame_of(p);

	BUG_ON(owner >= PAGE_OWNERS || order > PAGE_ORDER_MAX || into > order);
	spin_lock(&pages.lock);
	BUG_ON(*tag_of(frame) != tag_make(owner, order));
	for (u64 i = 0; i < 1ul << order; i += 1ul << into)
		*tag_of(frame + i) = tag_make(owner, into);
	spin_unlock(&pages.lock);
}

bool page_join(void *p, unsigned order, enum page_owner owner)
{
	u64 frame = frame_of(p), n = 0;
	u8 tag = tag_make(owner, PAGE_ORDER_4K);

	BUG_ON(owner >= PAGE_OWNERS || order > PAGE_ORDER_MAX || !IS_ALIGNED(frame, 1ul << order));
	spin_lock(&pages.lock);
	while (n < 1ul << order && *tag_of(frame + n) == tag)
		n++;
	if (n == 1ul << order) {
		memset(tag_of(frame), TAG_NONE, n);
		*tag_of(frame) = tag_make(owner, order);
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

/* The numbers of blocks of an order in [base, limit). */
static u64 numbers(unsigned order, u64 base, u64 limit)
{
	return DIV_ROUND_UP(limit, 1ul << order) - (base >> order);
}

u64 page_meta_size(hpa_t base, hpa_t limit)
{
	u64 first = hpa_to_hfn(base).v, end = hpa_to_hfn(limit).v, words = 0;

	for (unsigned o = 0; o < ORDERS; o++)
		words += bittree_words(numbers(o, first, end));
	return words * sizeof(u64) + end - first;
}

void page_init(void *meta, hpa_t base, hpa_t limit)
{
	u64 *words = meta;

	BUG_ON(!IS_ALIGNED(base.v | limit.v, PAGE_SIZE) || base.v >= limit.v);
	memset(&pages, 0, sizeof(pages));
	pages.base = hpa_to_hfn(base).v;
	pages.limit = hpa_to_hfn(limit).v;
	for (unsigned o = 0; o < ORDERS; o++) {
		u64 n = numbers(o, pages.base, pages.limit);

		bittree_init(&pages.free[o], words, n);
		words += bittree_words(n);
	}
	pages.tags = (u8 *)words;
	memset(pages.tags, TAG_NONE, pages.limit - pages.base);
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
