/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator: a buddy system over all usable RAM, orders 0 (4 KB) to 18 (1 GB).
 *
 * Each page in use belongs to an owner class, so that the cost of the hypervisor itself can be
 * told from guest memory. The owner decides from where it takes, too:
 *
 *   1 MB                                                                        end of memory
 *    | image | PAGE_HV --> |                                    | <-- PAGE_TABLE, PAGE_GUEST |
 *
 * The frames between are left for page-table roots, which want the ones that have a guest's own
 * numbers under shadow paging ("Fast paths" in docs/shadow.md); and the hypervisor's stacks stay
 * low (scrub() in page.c says what for).
 *
 * What is known of a frame lies in the metadata, a byte and a quarter for each; a free page itself
 * is never looked at.
 */
#ifndef HV_MEM_PAGE_H
#define HV_MEM_PAGE_H

#include "hv/lib/status.h"
#include "hv/mem/addr.h"

#define PAGE_ORDER_4K  0
#define PAGE_ORDER_2M  9
#define PAGE_ORDER_1G  18
#define PAGE_ORDER_MAX 18

enum page_owner {
	PAGE_HV,     /* the hypervisor's own data */
	PAGE_TABLE,  /* EPT or shadow tables of a VM */
	PAGE_GUEST,  /* guest memory */
	PAGE_OWNERS, /* number of classes */
};

struct page_stats {
	u64 total;	       /* pages under the allocator's care */
	u64 free;	       /* of these, free */
	u64 used[PAGE_OWNERS]; /* in use, by class */
};

/*
 * page_alloc(): 2^order contiguous pages, aligned to their size, filled with zeros, from the
 * owner's end of the machine's memory. Returns NULL when there is no such block. The caller owns it
 * until page_free(). How long it takes does not depend on how many pieces free memory is in.
 */
void *page_alloc(unsigned order, enum page_owner owner);

/*
 * page_free(): gives back what page_alloc() returned; same order, same owner: anything else is a
 * BUG, and so is a second free. The contents are scrubbed when the page is next handed out, once,
 * so that a big guest does not pay for its memory twice.
 */
void page_free(void *p, unsigned order, enum page_owner owner);

/*
 * What frees much at a time that others wait for, such as all that a VM had, does so in steps: each
 * looks at no more than about so many blocks, or pages that are in use or not.
 */
#define PAGE_FREE_STEP 1024u

/*
 * page_alloc_upto(): like page_alloc(), of 2^*order pages or fewer, but at least 2^least: what
 * there is in the first free block from the owner's end that has so many; *order is set.
 */
void *page_alloc_upto(unsigned *order, unsigned least, enum page_owner owner);

/* page_alloc_below(): like page_alloc(), wholly below a physical address: for what reaches no
 * further. */
void *page_alloc_below(unsigned order, hpa_t limit, enum page_owner owner);

/* page_alloc_at(): the page with this number, of order 0; NULL where it is not free. */
void *page_alloc_at(hfn_t frame, enum page_owner owner);

/*
 * page_split(): a block in use becomes blocks of a smaller order, each to be freed by itself.
 * page_join(): the other way round: true if all pages at p, aligned to the order, were in use by
 * owner as blocks of order 0, and are one block now; false, and nothing has changed, otherwise.
 */
void page_split(void *p, unsigned order, unsigned into, enum page_owner owner);
bool page_join(void *p, unsigned order, enum page_owner owner) __must_check;

/* The smallest order whose blocks hold so many bytes. */
static inline unsigned page_order(u64 bytes)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

void page_stats(struct page_stats *out);

/*
 * page_init(): prepares the allocator for the frames of [base, limit), both page-aligned; the
 * metadata (page_meta_size() bytes) is placed at meta, which the caller has reserved, aligned to 8
 * bytes. page_add() then gives it usable ranges, which must be page-aligned, inside [base, limit)
 * and reachable through the direct map, and must not overlap. Blocks are aligned to physical
 * addresses.
 */
u64 page_meta_size(hpa_t base, hpa_t limit);
void page_init(void *meta, hpa_t base, hpa_t limit);
void page_add(hpa_t start, hpa_t end);

#endif
