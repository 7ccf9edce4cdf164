/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator on a mapped arena whose ends are not aligned to any big block. All of page.c
 * is the real one; only panic() comes from host.c.
 *
 * Sources: hv/mem/page.c hv/lib/bittree.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "hv/mem/page.h"
#include "tests/unit/host.h"

#define TEST(name) cmocka_unit_test_setup(name, setup)
#define PAGES	   4096ul /* 16 MB */
#define SKIP	   3ul	  /* of the arena, before base: makes it odd */
#define USED	   (PAGES - SKIP - 5)

static u8 *arena; /* 16 MB, aligned to its size */
static u64 meta[PAGES];
static hpa_t base, limit;

static int map_arena(void **state)
{
	u64 bytes = PAGES * PAGE_SIZE;
	u8 *p = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (p == MAP_FAILED)
		return -1;
	arena = (u8 *)ALIGN_UP((u64)p, bytes);
	base = hva_to_hpa(arena + SKIP * PAGE_SIZE);
	limit = HPA(base.v + USED * PAGE_SIZE);
	return page_meta_size(base, limit) > sizeof(meta);
}

static int setup(void **state)
{
	(void)state;
	memset(arena, 0xee, PAGES * PAGE_SIZE); /* whoever writes outside is seen */
	page_init(meta, base, limit);
	page_add(base, limit);
	return 0;
}

static void assert_all_free(void)
{
	struct page_stats s;

	page_stats(&s);
	assert_int_equal(s.total, USED);
	assert_int_equal(s.free, USED);
	for (unsigned o = 0; o < PAGE_OWNERS; o++)
		assert_int_equal(s.used[o], 0);
}

/* All of it in the largest blocks: only after full merging are there so many of each order. */
static void assert_merged(void)
{
	static const unsigned per_order[PAGE_ORDER_MAX + 1] = {
		/* [3, 4091): 3, 4-7, 8-15 ... 1024-2047 | 2048-3071 ... 4088-4090 */
		[0] = 2,
		[1] = 1,
		[2] = 1,
		[3] = 2,
		[4] = 2,
		[5] = 2,
		[6] = 2,
		[7] = 2,
		[8] = 2,
		[9] = 2,
		[10] = 2,
	};
	void *got[32];
	unsigned orders[32], n = 0;

	for (unsigned o = PAGE_ORDER_MAX + 1; o-- > 0;) {
		for (unsigned i = 0; i < per_order[o]; i++, n++) {
			got[n] = page_alloc(o, PAGE_HV);
			orders[n] = o;
			assert_non_null(got[n]);
		}
	}
	assert_null(page_alloc(0, PAGE_HV));
	while (n-- > 0)
		page_free(got[n], orders[n], PAGE_HV);
	assert_all_free();
}

static void fresh_arena_is_in_the_largest_blocks(void **state)
{
	(void)state;
	assert_all_free();
	assert_null(page_alloc(11, PAGE_HV));
	assert_null(page_alloc(PAGE_ORDER_MAX, PAGE_HV));
	assert_null(page_alloc(PAGE_ORDER_MAX + 1, PAGE_HV));
	assert_merged();
}

static void every_page_once(void **state)
{
	static void *got[USED];
	static bool seen[PAGES];

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (u64 i = 0; i < USED; i++) {
		got[i] = page_alloc(0, PAGE_TABLE);
		assert_non_null(got[i]);
		u64 frame = (u64)((u8 *)got[i] - arena) / PAGE_SIZE;

		assert_in_range(frame, SKIP, SKIP + USED - 1);
		assert_false(seen[frame]);
		seen[frame] = true;
	}
	assert_null(page_alloc(0, PAGE_TABLE));
	/* Odd ones first, so that nothing merges until the even ones come. */
	for (u64 i = 1; i < USED; i += 2)
		page_free(got[i], 0, PAGE_TABLE);
	for (u64 i = 0; i < USED; i += 2)
		page_free(got[i], 0, PAGE_TABLE);
	assert_merged();
	/* Nothing outside was touched. */
	for (u64 i = 0; i < SKIP * PAGE_SIZE; i++)
		assert_int_equal(arena[i], 0xee);
	for (u64 i = (SKIP + USED) * PAGE_SIZE; i < PAGES * PAGE_SIZE; i++)
		assert_int_equal(arena[i], 0xee);
}

static void random_blocks(void **state)
{
	static struct {
		u8 *p;
		unsigned order, owner;
	} live[64];
	struct page_stats s;
	u64 seed = 88172645463325252ul, used = 0;

	(void)state;
	memset(live, 0, sizeof(live));
	for (unsigned step = 0; step < 5000; step++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		unsigned k = seed % ARRAY_SIZE(live);
		u64 bytes = PAGE_SIZE << live[k].order;

		if (live[k].p) {
			/* Nobody else wrote into it: its ends bear its number. */
			assert_int_equal(live[k].p[0], k + 1);
			assert_int_equal(live[k].p[bytes - 1], k + 1);
			page_free(live[k].p, live[k].order, live[k].owner);
			live[k].p = NULL;
			used -= bytes / PAGE_SIZE;
		} else {
			live[k].order = seed >> 20 & 7;
			live[k].owner = (unsigned)(seed >> 30) % PAGE_OWNERS;
			live[k].p = page_alloc(live[k].order, live[k].owner);
			if (!live[k].p)
				continue;
			bytes = PAGE_SIZE << live[k].order;
			assert_true(IS_ALIGNED(hva_to_hpa(live[k].p).v, bytes));
			for (u64 i = 0; i < bytes; i += 64)
				assert_int_equal(live[k].p[i], 0);
			memset(live[k].p, (int)k + 1, bytes);
			used += bytes / PAGE_SIZE;
		}
		page_stats(&s);
		assert_int_equal(s.free, USED - used);
		assert_int_equal(s.used[0] + s.used[1] + s.used[2], used);
	}
	for (unsigned k = 0; k < ARRAY_SIZE(live); k++) {
		if (live[k].p)
			page_free(live[k].p, live[k].order, live[k].owner);
	}
	assert_merged();
}

/* Down from the end: 4080 to 4087 is the last block of eight pages. */
static void as_much_as_there_is(void **state)
{
	static const struct {
		unsigned order, got, first;
	} steps[] = {
		{ 3, 3, 4080 },
		{ 4, 4, 4064 },
		{ 10, 5, 4032 },
		{ 4, 4, 4016 },
		{ 10, 4, 4000 },
		{ 10, 5, 3968 },
		{ 3, 3, 3960 },
		{ 10, 3, 3952 },
		{ 10, 4, 3936 },
		{ 10, 5, 3904 },
		{ 10, 6, 3840 },
		{ 10, 8, 3584 },
		{ 10, 9, 3072 },
		{ 10, 10, 2048 },
		{ 9, 9, 1536 },
	};
	void *got[ARRAY_SIZE(steps)];
	unsigned order;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		order = steps[i].order;
		got[i] = page_alloc_upto(&order, 3, PAGE_GUEST);
		assert_int_equal(order, steps[i].got);
		assert_ptr_equal(got[i], arena + steps[i].first * PAGE_SIZE);
	}
	order = 11;
	assert_null(page_alloc_upto(&order, 11, PAGE_GUEST));
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++)
		page_free(got[i], steps[i].got, PAGE_GUEST);
	assert_merged();
}

/* Every block of 16 pages below a border, and no other. */
static void below_a_border(void **state)
{
	hpa_t border = hva_to_hpa(arena + 1000 * PAGE_SIZE);
	void *got[64];
	unsigned n = 0;

	(void)state;
	while ((got[n] = page_alloc_below(4, border, PAGE_HV))) {
		hpa_t at = hva_to_hpa(got[n++]);

		assert_true(IS_ALIGNED(at.v, 16 * PAGE_SIZE));
		assert_true(at.v >= base.v && at.v + 16 * PAGE_SIZE <= border.v);
		assert_in_range(n, 1, 61);
	}
	assert_int_equal(n, 61); /* [16, 992) */
	got[n] = page_alloc(4, PAGE_HV);
	assert_true(hva_to_hpa(got[n]).v >= border.v - 16 * PAGE_SIZE);
	for (unsigned i = 0; i <= n; i++)
		page_free(got[i], 4, PAGE_HV);
	assert_null(page_alloc_below(0, base, PAGE_HV));
	assert_null(page_alloc_below(PAGE_ORDER_MAX + 1, border, PAGE_HV));
	assert_merged();
}

/* Two ranges with a gap: blocks never span it. */
static void gap_between_ranges(void **state)
{
	u8 *second = arena + 9 * PAGE_SIZE;

	(void)state;
	page_init(meta, base, limit);
	page_add(base, hva_to_hpa(arena + 8 * PAGE_SIZE));
	page_add(hva_to_hpa(second), hva_to_hpa(arena + 16 * PAGE_SIZE));
	struct page_stats s;

	page_stats(&s);
	assert_int_equal(s.total, 12);
	assert_null(page_alloc(3, PAGE_HV));
	for (unsigned i = 0; i < 12; i++) {
		u8 *p = page_alloc(0, PAGE_HV);

		assert_non_null(p);
		assert_true(p != arena + 8 * PAGE_SIZE);
	}
	assert_null(page_alloc(0, PAGE_HV));
}

/* ---- against a model ---- */

#define SMALL	   (PAGES / 8)
#define SMALL_BASE 37ul
#define LIVE_MAX   48

enum {
	ALLOC,
	UPTO,
	BELOW,
	AT,
	WAYS
};

/* Frames of the arena, each by itself: free ones that make an aligned block are one, since a block
 * and its buddy are never both free. */
static bool model[SMALL];

static bool model_free(u64 first, unsigned order)
{
	if (first + (1ul << order) > SMALL)
		return false;
	for (u64 i = 0; i < 1ul << order; i++)
		if (!model[first + i])
			return false;
	return true;
}

static void model_set(u64 first, unsigned order, bool value)
{
	memset(model + first, value, 1ul << order);
}

/* The order of the free block that starts there; false: none does. */
static bool model_block(u64 first, unsigned *order)
{
	u64 size;

	if (!model[first])
		return false;
	for (*order = 0;; ++*order) {
		size = 1ul << *order;
		if (model_free(first & ~(2 * size - 1), *order + 1))
			continue;
		return IS_ALIGNED(first, size);
	}
}

/* The first frame of what is to be had; ~0: nothing. */
static u64 expected(unsigned *order, unsigned least, u64 limit, enum page_owner owner)
{
	u64 size = 1ul << least, best = ~0ul;
	unsigned o, most = *order;

	for (u64 f = SMALL_BASE; f < SMALL; f++) {
		if (!model_block(f, &o) || o < least || f + size > limit)
			continue;
		if (owner == PAGE_HV && best != ~0ul)
			continue;
		*order = MIN(most, o);
		best = f;
		if (owner != PAGE_HV)
			best = ALIGN_DOWN(MIN(f + (1ul << o), limit), 1ul << *order) -
			       (1ul << *order);
	}
	return best;
}

static struct live {
	u8 *p;
	unsigned order;
	enum page_owner owner;
} live[LIVE_MAX];

static void allocate(struct live *l, unsigned way, u64 r)
{
	u64 at = ~0ul, limit = r >> 20 & (SMALL - 1);
	unsigned least;

	l->owner = (r >> 40) % PAGE_OWNERS;
	l->order = way == AT ? 0 : (r >> 50) % 7;
	least = way == UPTO ? l->order / 2 : l->order;
	if (way != AT)
		at = expected(&l->order, least, way == BELOW ? limit : SMALL, l->owner);
	else if (model[limit])
		at = limit;
	if (way == ALLOC)
		l->p = page_alloc(l->order, l->owner);
	else if (way == UPTO)
		l->p = page_alloc_upto(&(unsigned){ (r >> 50) % 7 }, least, l->owner);
	else if (way == BELOW)
		l->p = page_alloc_below(l->order, hva_to_hpa(arena + limit * PAGE_SIZE), l->owner);
	else
		l->p = page_alloc_at(hpa_to_hfn(hva_to_hpa(arena + limit * PAGE_SIZE)), l->owner);
	assert_ptr_equal(l->p, at == ~0ul ? NULL : arena + at * PAGE_SIZE);
	if (l->p)
		model_set(at, l->order, false);
}

/* As a whole, or in pieces that were one block again meanwhile. */
static void release(struct live *l, bool pieces)
{
	u64 first = (u64)(l->p - arena) / PAGE_SIZE;

	if (pieces) {
		page_split(l->p, l->order, 0, l->owner);
		assert_true(page_join(l->p, l->order, l->owner));
		page_split(l->p, l->order, 0, l->owner);
		for (u64 i = 0; i < 1ul << l->order; i++)
			page_free(l->p + i * PAGE_SIZE, 0, l->owner);
	} else {
		page_free(l->p, l->order, l->owner);
	}
	model_set(first, l->order, true);
	l->p = NULL;
}

static void small_arena(void)
{
	hpa_t from = hva_to_hpa(arena + SMALL_BASE * PAGE_SIZE);
	hpa_t end = hva_to_hpa(arena + (SMALL - 1) * PAGE_SIZE);

	page_init(meta, from, end);
	page_add(from, end);
	memset(model, 0, sizeof(model));
	memset(model + SMALL_BASE, true, SMALL - 1 - SMALL_BASE);
	memset(live, 0, sizeof(live));
}

/* Which block it is, each time: all ways to ask for one, and the two to give it back. */
static void each_block_is_the_models(void **state)
{
	struct page_stats s;
	u64 r = 1, n = 0;

	(void)state;
	small_arena();
	for (unsigned step = 0; step < 20000; step++) {
		r = r * 6364136223846793005ul + 1442695040888963407ul;
		struct live *l = &live[(r >> 33) % LIVE_MAX];

		if (l->p)
			release(l, r & BIT(60));
		else
			allocate(l, (r >> 58) % WAYS, r);
	}
	for (unsigned k = 0; k < LIVE_MAX; k++)
		if (live[k].p)
			release(&live[k], k % 2);
	page_stats(&s);
	for (u64 f = 0; f < SMALL; f++)
		n += model[f];
	assert_int_equal(s.free, n);
	assert_int_equal(s.total, n);
}

/* ---- where it comes from ---- */

/* A place that was a root's is the last one to go to a table, or to a guest. */
static void each_owner_has_its_end(void **state)
{
	u8 *root = page_alloc_at(hpa_to_hfn(hva_to_hpa(arena + 1001 * PAGE_SIZE)), PAGE_TABLE), *p;

	(void)state;
	page_free(page_alloc_at(hpa_to_hfn(hva_to_hpa(arena + 1003 * PAGE_SIZE)), PAGE_TABLE), 0,
		PAGE_TABLE);
	for (unsigned i = 0; i < 1000; i++) {
		p = page_alloc(0, i % 2 ? PAGE_TABLE : PAGE_GUEST);
		assert_ptr_equal(p, arena + (SKIP + USED - 1 - i) * PAGE_SIZE);
	}
	for (unsigned i = 0; i < 900; i++)
		assert_ptr_equal(page_alloc(0, PAGE_HV), arena + (SKIP + i) * PAGE_SIZE);
	p = page_alloc_below(0, hva_to_hpa(root + PAGE_SIZE), PAGE_TABLE);
	assert_ptr_equal(p, root - PAGE_SIZE);
}

/* Single pages that come and go at random, a fifth of memory in use at any time. They take the
 * incomplete blocks at both ends, and one of the six of 2 MB between. */
static void large_blocks_stay_whole(void **state)
{
	static struct live single[USED / 5];
	unsigned blocks = 0;
	u64 r = 1;

	(void)state;
	memset(single, 0, sizeof(single));
	for (unsigned step = 0; step < 40000; step++) {
		r = r * 6364136223846793005ul + 1442695040888963407ul;
		struct live *l = &single[(r >> 33) % ARRAY_SIZE(single)];

		if (l->p)
			page_free(l->p, 0, l->owner);
		l->owner = (r >> 20) % PAGE_OWNERS;
		l->p = page_alloc(0, l->owner);
	}
	while (page_alloc(PAGE_ORDER_2M, PAGE_GUEST))
		blocks++;
	assert_int_equal(blocks, 5);
}

/* What is free may be away altogether. */
static void free_pages_are_not_touched(void **state)
{
	static u8 *got[USED];
	u64 n = 0;

	(void)state;
	while ((got[n] = page_alloc(0, n % 3)))
		if (++n == USED)
			break;
	assert_int_equal(n, USED);
	assert_int_equal(mprotect(arena, PAGES * PAGE_SIZE, PROT_NONE), 0);
	for (u64 i = 0; i < USED; i++)
		page_free(got[i], 0, i % 3);
	assert_int_equal(mprotect(arena + 2048 * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	assert_non_null(
		page_alloc_at(hpa_to_hfn(hva_to_hpa(arena + 2048 * PAGE_SIZE)), PAGE_TABLE));
	assert_int_equal(mprotect(arena, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
}

/* ---- misuse stops the machine ---- */

static jmp_buf env;

#define ASSERT_BUG(call)                                                                           \
	do {                                                                                       \
		host_panic_jmp = &env;                                                             \
		if (!setjmp(env)) {                                                                \
			call;                                                                      \
			host_panic_jmp = NULL;                                                     \
			fail_msg("no BUG: " #call);                                                \
		}                                                                                  \
		host_panic_jmp = NULL;                                                             \
		/* The lock may be held for ever after a panic: start over. */                     \
		setup(NULL);                                                                       \
	} while (0)

/* A block in use taken apart, and put together when all of its pages are there. */
static void split_and_join(void **state)
{
	u8 *block = page_alloc(4, PAGE_GUEST);
	struct page_stats s1, s2;

	(void)state;
	page_stats(&s1);
	memset(block, 0x5a, 16 * PAGE_SIZE);
	page_split(block, 4, 2, PAGE_GUEST);
	page_split(block + 4 * PAGE_SIZE, 2, 0, PAGE_GUEST);
	assert_false(page_join(block, 4, PAGE_GUEST));
	for (unsigned i = 0; i < 16; i += 4)
		if (i != 4)
			page_split(block + i * PAGE_SIZE, 2, 0, PAGE_GUEST);
	page_free(block + 3 * PAGE_SIZE, 0, PAGE_GUEST);
	assert_false(page_join(block, 4, PAGE_GUEST));
	assert_ptr_equal(page_alloc_at(hpa_to_hfn(hva_to_hpa(block + 3 * PAGE_SIZE)), PAGE_GUEST),
		block + 3 * PAGE_SIZE);
	assert_true(page_join(block, 4, PAGE_GUEST));
	assert_int_equal(block[0], 0x5a);
	assert_int_equal(block[3 * PAGE_SIZE], 0);
	page_stats(&s2);
	assert_memory_equal(&s1, &s2, sizeof(s1));
	page_free(block, 4, PAGE_GUEST);
	assert_all_free();
}

static void free_twice(void)
{
	u8 *p = page_alloc(1, PAGE_HV);

	page_free(p, 1, PAGE_HV);
	page_free(p, 1, PAGE_HV);
}

static void free_twice_unmerged(void)
{
	u8 *p = page_alloc(0, PAGE_HV), *q = page_alloc(0, PAGE_HV);

	page_free(p, 0, PAGE_HV);
	page_free(p, 0, PAGE_HV);
	page_free(q, 0, PAGE_HV);
}

static void misuse_is_a_bug(void **state)
{
	(void)state;
	ASSERT_BUG(free_twice());
	ASSERT_BUG(free_twice_unmerged());
	ASSERT_BUG(page_free(page_alloc(1, PAGE_HV), 0, PAGE_HV));
	ASSERT_BUG(page_free(page_alloc(1, PAGE_HV), 2, PAGE_HV));
	ASSERT_BUG(page_free(page_alloc(1, PAGE_HV), 1, PAGE_GUEST));
	ASSERT_BUG(page_free((u8 *)page_alloc(1, PAGE_HV) + PAGE_SIZE, 0, PAGE_HV));
	ASSERT_BUG(page_free((u8 *)page_alloc(0, PAGE_HV) + 8, 0, PAGE_HV));
	ASSERT_BUG(page_free(arena, 0, PAGE_HV));
	ASSERT_BUG(page_free(hpa_to_hva(limit), 0, PAGE_HV));
	ASSERT_BUG(page_free(page_alloc(0, PAGE_HV), PAGE_ORDER_MAX + 1, PAGE_HV));
	ASSERT_BUG(page_alloc(0, PAGE_OWNERS));
	ASSERT_BUG(page_alloc_upto(&(unsigned){ 2 }, 3, PAGE_GUEST));
	ASSERT_BUG(page_add(HPA(base.v - PAGE_SIZE), limit));
	ASSERT_BUG(page_add(base, HPA(limit.v + PAGE_SIZE)));
	ASSERT_BUG(page_add(HPA(base.v + 1), limit));
	assert_merged();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fresh_arena_is_in_the_largest_blocks),
		TEST(every_page_once),
		TEST(random_blocks),
		TEST(as_much_as_there_is),
		TEST(below_a_border),
		TEST(gap_between_ranges),
		TEST(each_block_is_the_models),
		TEST(each_owner_has_its_end),
		TEST(large_blocks_stay_whole),
		TEST(free_pages_are_not_touched),
		TEST(split_and_join),
		TEST(misuse_is_a_bug),
	};

	return cmocka_run_group_tests(tests, map_arena, NULL);
}
