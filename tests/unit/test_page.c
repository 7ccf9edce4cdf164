/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buddy allocator on a mapped arena whose ends are not aligned to any big block. All of page.c
 * is the real one; only panic() comes from host.c.
 *
 * Sources: hv/mem/page.c
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
static u8 meta[PAGES];
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
	return 0;
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
static void highest(void **state)
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
		got[i] = page_alloc_highest(&order, 3, PAGE_GUEST);
		assert_int_equal(order, steps[i].got);
		assert_ptr_equal(got[i], arena + steps[i].first * PAGE_SIZE);
	}
	order = 11;
	assert_null(page_alloc_highest(&order, 11, PAGE_GUEST));
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
		TEST(highest),
		TEST(below_a_border),
		TEST(gap_between_ranges),
		TEST(split_and_join),
		TEST(misuse_is_a_bug),
	};

	return cmocka_run_group_tests(tests, map_arena, NULL);
}
