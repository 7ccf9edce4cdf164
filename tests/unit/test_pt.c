/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table walker, run through three formats: the processor's, EPT's, and an invented one
 * whose bits mean something else at every level, so that code which assumes a format fails.
 * A model, one word a page, says what a small address space must look like after each step.
 *
 * Sources: hv/mem/pt.c hv/mem/pt_x86.c ept/format.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ept/format.h"
#include "hv/mem/page.h"
#include "hv/mem/pt.h"
#include "tests/unit/destroy.h"
#include "tests/unit/host.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/*
 * The invented format: an entry is XORed with a pattern, and bit 63 is set in all but the empty
 * one. Below that: bit 0 present, bit 1 leaf, bits 2 and 3 attr, 4..6 the level of a leaf, 12..51
 * the address, which a leaf has rotated left by its level. A leaf read at another level aborts.
 */
#define ODD_P	       BIT(0)
#define ODD_LEAF       BIT(1)
#define ODD_ATTR       GENMASK(3, 2)
#define ODD_ADDR       GENMASK(51, 12)
#define ODD_TABLE_MARK BIT(60)

static u64 odd_scramble(u64 clear)
{
	return clear ^ 0xa5a5a5a5a5a5a5a5ul;
}

static u64 odd_entry(u64 clear)
{
	/* 0 must not be present: present entries keep bit 63 as a guard. */
	return odd_scramble(clear) | BIT(63);
}

static u64 odd_clear(u64 entry)
{
	return odd_scramble(entry) & ~BIT(63);
}

static bool odd_present(u64 entry)
{
	return entry && (odd_clear(entry) & ODD_P);
}

static u64 odd_table(hpa_t next)
{
	return odd_entry(next.v | ODD_P | ODD_TABLE_MARK);
}

static u64 odd_leaf(hpa_t pa, unsigned level, u64 attr)
{
	/* The address is rotated within its bits by the level. */
	u64 frame = pa.v >> PAGE_SHIFT;
	u64 turned = ((frame << level) | (frame >> (40 - level))) & GENMASK(39, 0);

	return odd_entry(
		turned << PAGE_SHIFT | ODD_P | ODD_LEAF | (u64)level << 4 | (attr & ODD_ATTR));
}

static bool odd_is_leaf(u64 entry, unsigned level)
{
	u64 clear = odd_clear(entry);
	bool leaf = clear & ODD_LEAF;

	if (leaf && (clear >> 4 & 7) != level)
		abort(); /* an entry of another level was copied here */
	return leaf;
}

static hpa_t odd_address(u64 entry, unsigned level)
{
	u64 frame = (odd_clear(entry) & ODD_ADDR) >> PAGE_SHIFT;

	if (odd_is_leaf(entry, level))
		frame = ((frame >> level) | (frame << (40 - level))) & GENMASK(39, 0);
	return HPA(frame << PAGE_SHIFT);
}

static u64 odd_attr(u64 entry)
{
	return odd_clear(entry) & ODD_ATTR;
}

static const struct pt_format pt_odd = {
	.name = "odd",
	.levels = 4,
	.table = odd_table,
	.leaf = odd_leaf,
	.present = odd_present,
	.is_leaf = odd_is_leaf,
	.address = odd_address,
	.attr = odd_attr,
};

static const struct kind {
	const struct pt_format *format;
	u64 attr[2];
} kinds[] = {
	{ &pt_x86, { PT_W, PT_U | PT_NX | PT_UC } },
	{ &pt_ept, { EPTE_RWX | 6ul << EPTE_TYPE_SHIFT, EPTE_R } },
	{ &pt_odd, { BIT(2), BIT(3) } },
};

static struct page_stats before;
static u64 seed;

static u64 rnd(u64 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static int setup(void **state)
{
	(void)state;
	seed = 88172645463325252ul;
	host_page_limit = ~0ul;
	page_stats(&before);
	return 0;
}

static int teardown(void **state)
{
	struct page_stats after;

	(void)state;
	host_page_limit = ~0ul;
	page_stats(&after);
	return memcmp(&before, &after, sizeof(before)) ? -1 : 0;
}

/* That are in use. */
static u64 tables(struct pt *pt)
{
	struct page_stats now;

	pt_free_retired(pt);
	page_stats(&now);
	return now.used[PAGE_TABLE] - before.used[PAGE_TABLE];
}

/* ---- the model: 1536 pages around a 1 GB border ---- */

#define PAGES 1536ul
#define BASE  (GB - 2 * MB)

struct cell {
	bool mapped;
	u64 pa, attr;
};

static struct cell model[PAGES];

static void check_model(const struct pt *pt, unsigned max_leaf)
{
	for (u64 i = 0; i < PAGES; i++) {
		struct pt_entry e;
		u64 off = i % 7 * 5; /* also inside a page */

		pt_lookup(pt, BASE + i * PAGE_SIZE + off, &e, NULL);
		assert_int_equal(e.present, model[i].mapped);
		if (!e.present)
			continue;
		assert_int_equal(e.pa.v, model[i].pa + off);
		assert_int_equal(pt->format->attr(e.entry), model[i].attr);
		assert_true(e.level <= max_leaf);
	}
}

static void random_against_model(const struct kind *k, unsigned max_leaf)
{
	struct pt pt;

	memset(model, 0, sizeof(model));
	assert_int_equal(pt_init(&pt, k->format, max_leaf, PAGE_TABLE), OK);
	for (unsigned step = 0; step < 300; step++) {
		bool chunks = rnd(2);
		u64 unit = chunks ? PT_ENTRIES : 1;
		u64 first = rnd(PAGES / unit) * unit;
		u64 n = chunks ? unit : 1 + rnd(MIN(PAGES - first, 600ul));
		u64 pa = rnd(8) * GB + (rnd(4) ? first * PAGE_SIZE + BASE : rnd(4096) * PAGE_SIZE);
		u64 attr = k->attr[rnd(2)];
		bool map = rnd(3);
		u64 va = BASE + first * PAGE_SIZE;

		if (map)
			assert_int_equal(pt_map(&pt, va, HPA(pa), n * PAGE_SIZE, attr), OK);
		else
			assert_int_equal(pt_unmap(&pt, va, n * PAGE_SIZE), OK);
		for (u64 i = 0; i < n; i++)
			model[first + i] =
				(struct cell){ map, map ? pa + i * PAGE_SIZE : 0, map ? attr : 0 };
		check_model(&pt, max_leaf);
	}
	assert_int_equal(pt_unmap(&pt, BASE, PAGES * PAGE_SIZE), OK);
	assert_int_equal(tables(&pt), 1); /* only the root is left */
	pt_destroy(&pt);
	assert_int_equal(tables(&pt), 0);
}

static void random_in_all_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (unsigned max_leaf = 1; max_leaf <= 3; max_leaf++)
			random_against_model(&kinds[i], max_leaf);
	}
}

/* ---- split, prune, largest pages ---- */

static void largest_pages_split_and_prune(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];
		struct pt_entry e;
		struct pt pt;
		u64 changes;

		assert_int_equal(pt_init(&pt, k->format, 3, PAGE_TABLE), OK);
		assert_int_equal(pt_map(&pt, GB, HPA(3 * GB), GB, k->attr[0]), OK);
		assert_int_equal(tables(&pt), 2); /* root, level 3 */
		assert_int_equal(pt.changes, 0);
		pt_lookup(&pt, GB + 5, &e, NULL);
		assert_int_equal(e.level, 3);

		/* One page out of the middle: two more tables, all else stays as it was. */
		assert_int_equal(pt_unmap(&pt, GB + 4 * MB + PAGE_SIZE, PAGE_SIZE), OK);
		assert_int_equal(tables(&pt), 4);
		assert_true(pt.changes > 0);
		pt_lookup(&pt, GB + 4 * MB + PAGE_SIZE, &e, NULL);
		assert_false(e.present);
		pt_lookup(&pt, GB + 4 * MB + 2 * PAGE_SIZE + 9, &e, NULL);
		assert_int_equal(e.level, 1);
		assert_int_equal(e.pa.v, 3 * GB + 4 * MB + 2 * PAGE_SIZE + 9);
		assert_int_equal(k->format->attr(e.entry), k->attr[0]);
		pt_lookup(&pt, 2 * GB - 1, &e, NULL);
		assert_int_equal(e.level, 2);
		assert_int_equal(e.pa.v, 4 * GB - 1);

		/* The rest of the 2 MB: its table goes, and an unmapped range changes nothing. */
		assert_int_equal(pt_unmap(&pt, GB + 4 * MB, PAGE_SIZE), OK);
		assert_int_equal(
			pt_unmap(&pt, GB + 4 * MB + 2 * PAGE_SIZE, 2 * MB - 2 * PAGE_SIZE), OK);
		assert_int_equal(tables(&pt), 3);
		changes = pt.changes;
		assert_int_equal(pt_unmap(&pt, GB + 4 * MB, 2 * MB), OK);
		assert_int_equal(pt_unmap(&pt, 8 * GB, GB), OK);
		assert_int_equal(pt.changes, changes);

		/* A gigabyte over it frees the table below; the same again changes nothing. */
		assert_int_equal(pt_map(&pt, GB, HPA(5 * GB), GB, k->attr[1]), OK);
		assert_int_equal(tables(&pt), 2);
		changes = pt.changes;
		assert_int_equal(pt_map(&pt, GB, HPA(5 * GB), GB, k->attr[1]), OK);
		assert_int_equal(pt.changes, changes);
		pt_destroy(&pt);
		pt_destroy(&pt); /* a second time is harmless */
	}
}

/* A processor that still knows the way to a table walks what was in it, and no new one's entries.
 */
static void what_is_retired_stays_until_it_is_freed(void **state)
{
	const struct kind *hardware[] = { &kinds[0], &kinds[1] };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hardware); i++) {
		const struct pt_format *f = hardware[i]->format;
		u64 trail[PT_LEVELS_MAX + 1], attr = hardware[i]->attr[0], *low, *high;
		struct page_stats now, then;
		struct pt_entry e;
		struct pt pt;

		assert_int_equal(pt_init(&pt, f, 2, PAGE_TABLE), OK);
		assert_int_equal(pt_map(&pt, GB, HPA(3 * GB), 6 * PAGE_SIZE, attr), OK);
		assert_int_equal(pt_map(&pt, GB + 2 * MB, HPA(4 * GB), 6 * PAGE_SIZE, attr), OK);
		pt_lookup(&pt, GB, &e, trail);
		low = hpa_to_hva(f->address(trail[2], 2));
		pt_lookup(&pt, GB + 2 * MB, &e, trail);
		high = hpa_to_hva(f->address(trail[2], 2));
		page_stats(&then);
		/* Both tables, and the one above them. */
		assert_int_equal(pt_unmap(&pt, GB, GB), OK);
		page_stats(&now);
		assert_int_equal(now.used[PAGE_TABLE], then.used[PAGE_TABLE]);
		for (unsigned n = 0; n < 8; n++) {
			assert_true(f->present(low[n]) == (n > 0 && n < 6));
			assert_true(f->present(high[n]) == (n > 0 && n < 6));
		}
		assert_int_equal(f->address(low[5], 1).v, 3 * GB + 5 * PAGE_SIZE);
		assert_int_equal(pt_map(&pt, GB, HPA(5 * GB), PAGE_SIZE, attr), OK);
		assert_int_equal(f->address(low[5], 1).v, 3 * GB + 5 * PAGE_SIZE);
		assert_false(f->present(low[0]));
		assert_int_equal(tables(&pt), 4);
		assert_int_equal(pt_unmap(&pt, GB, PAGE_SIZE), OK);
		pt_destroy(&pt); /* what is retired goes too */
	}
}

static void many_tables_are_freed_in_steps(void **state)
{
	unsigned steps = 1;
	struct pt pt;

	(void)state;
	assert_int_equal(pt_init(&pt, &pt_odd, 1, PAGE_TABLE), OK);
	for (u64 i = 0; i < 3 * PAGE_FREE_STEP; i++)
		assert_int_equal(pt_map(&pt, i * 2 * MB, HPA(0), PAGE_SIZE, 0), OK);
	while (!pt_destroy_step(&pt))
		steps++;
	assert_int_equal(steps, 4);
}

static void misaligned_pa_takes_small_pages(void **state)
{
	struct pt_entry e;
	struct pt pt;

	(void)state;
	assert_int_equal(pt_init(&pt, &pt_odd, 3, PAGE_TABLE), OK);
	assert_int_equal(pt_map(&pt, 0, HPA(PAGE_SIZE), 2 * MB, BIT(2)), OK);
	pt_lookup(&pt, 2 * MB - 1, &e, NULL);
	assert_int_equal(e.level, 1);
	assert_int_equal(e.pa.v, 2 * MB + PAGE_SIZE - 1);
	pt_destroy(&pt);
}

/* ---- refusals and exhaustion ---- */

static void refusals(void **state)
{
	const u64 half = BIT(47), top = ~0ul - PAGE_SIZE + 1;
	struct pt_entry e;
	struct pt pt;

	(void)state;
	assert_int_equal(pt_init(&pt, &pt_x86, 2, PAGE_TABLE), OK);
	assert_int_equal(pt_map(&pt, 1, HPA(0), PAGE_SIZE, PT_W), ERR_INVAL);
	assert_int_equal(pt_map(&pt, 0, HPA(1), PAGE_SIZE, PT_W), ERR_INVAL);
	assert_int_equal(pt_map(&pt, 0, HPA(0), 1, PT_W), ERR_INVAL);
	assert_int_equal(pt_unmap(&pt, 8, PAGE_SIZE), ERR_INVAL);
	assert_int_equal(pt_map(&pt, BIT(48), HPA(0), PAGE_SIZE, PT_W), ERR_RANGE);
	assert_int_equal(pt_map(&pt, BIT(63), HPA(0), PAGE_SIZE, PT_W), ERR_RANGE);
	assert_int_equal(pt_map(&pt, top, HPA(0), 2 * PAGE_SIZE, PT_W), ERR_RANGE);
	assert_int_equal(pt_map(&pt, PAGE_SIZE, HPA(0), BIT(48), PT_W), ERR_RANGE);
	assert_int_equal(pt_unmap(&pt, top, 2 * PAGE_SIZE), ERR_RANGE);
	assert_int_equal(pt_map(&pt, 0, HPA(0), 0, PT_W), OK);
	assert_int_equal(tables(&pt), 1);

	/* The last page, and the sign-extended form of the first of the upper half. */
	assert_int_equal(pt_map(&pt, top, HPA(7 * MB), PAGE_SIZE, PT_W), OK);
	pt_lookup(&pt, ~0ul, &e, NULL);
	assert_true(e.present);
	assert_int_equal(e.pa.v, 7 * MB + PAGE_SIZE - 1);
	assert_int_equal(pt_map(&pt, half, HPA(9 * MB), PAGE_SIZE, PT_W), OK);
	pt_lookup(&pt, ~(half - 1), &e, NULL);
	assert_true(e.present);
	pt_lookup(&pt, BIT(50) | half, &e, NULL);
	assert_false(e.present);
	pt_destroy(&pt);
}

static void trail_shows_the_walk(void **state)
{
	u64 trail[PT_LEVELS_MAX + 1];
	struct pt_entry e;
	struct pt pt;

	(void)state;
	memset(trail, 0xff, sizeof(trail));
	assert_int_equal(pt_init(&pt, &pt_x86, 2, PAGE_TABLE), OK);
	assert_int_equal(pt_map(&pt, 6 * MB, HPA(2 * MB), 2 * MB, PT_W), OK);
	pt_lookup(&pt, 6 * MB + 1, &e, trail);
	assert_int_equal(e.level, 2);
	assert_int_equal(trail[4], pt.root[0]);
	assert_true(trail[3] != 0);
	assert_int_equal(trail[2], e.entry);
	assert_int_equal(trail[1], 0);
	assert_int_equal(trail[0], 0);
	assert_int_equal(trail[5], 0);
	assert_int_equal(e.entry, 2 * MB | 0xe3); /* P, W, A, D, PS */
	pt_destroy(&pt);
}

static void exhaustion(void **state)
{
	struct pt_entry e;
	struct pt pt;

	(void)state;
	host_page_limit = 0;
	assert_int_equal(pt_init(&pt, &pt_odd, 3, PAGE_TABLE), ERR_NOMEM);
	for (u64 limit = 1; limit < 4; limit++) {
		host_page_limit = limit;
		assert_int_equal(pt_init(&pt, &pt_odd, 1, PAGE_TABLE), OK);
		assert_int_equal(pt_map(&pt, GB, HPA(0), PAGE_SIZE, BIT(2)), ERR_NOMEM);
		pt_lookup(&pt, GB, &e, NULL);
		assert_false(e.present);
		pt_destroy(&pt);
		assert_int_equal(tables(&pt), 0);
	}

	/* A large page that cannot be split stays whole. */
	host_page_limit = 2;
	assert_int_equal(pt_init(&pt, &pt_odd, 3, PAGE_TABLE), OK);
	assert_int_equal(pt_map(&pt, GB, HPA(2 * GB), GB, BIT(2)), OK);
	assert_int_equal(pt_unmap(&pt, GB, PAGE_SIZE), ERR_NOMEM);
	pt_lookup(&pt, GB, &e, NULL);
	assert_int_equal(e.level, 3);
	assert_int_equal(e.pa.v, 2 * GB);
	/* With one page it is split once, and the translation is the same. */
	host_page_limit = 3;
	assert_int_equal(pt_unmap(&pt, GB, PAGE_SIZE), ERR_NOMEM);
	pt_lookup(&pt, GB + 77, &e, NULL);
	assert_int_equal(e.level, 2);
	assert_int_equal(e.pa.v, 2 * GB + 77);
	/* What covers whole entries needs no memory. */
	assert_int_equal(pt_unmap(&pt, GB, GB), OK);
	assert_int_equal(tables(&pt), 1);
	pt_destroy(&pt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_in_all_formats),
		TEST(largest_pages_split_and_prune),
		TEST(what_is_retired_stays_until_it_is_freed),
		TEST(many_tables_are_freed_in_steps),
		TEST(misaligned_pa_takes_small_pages),
		TEST(refusals),
		TEST(trail_shows_the_walk),
		TEST(exhaustion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
