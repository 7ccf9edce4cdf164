/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: borders of chunks, slots and the hole; ranges that wrap; memory that runs out half
 * way; nothing leaked.
 *
 * Sources: hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/mem/guestmem.h"
#include "hv/mem/page.h"
#include "tests/unit/destroy.h"
#include "tests/unit/host.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define HIGH	   (4 * GB)
#define HOLE_START (640 * KB)
#define HOLE_END   (1 * MB)

static struct guestmem gm;

static int setup(void **state)
{
	(void)state;
	host_pages_begin();
	gm = (struct guestmem){ 0 };
	return 0;
}

/* Whatever a test did, all pages come back. */
static int teardown(void **state)
{
	(void)state;
	host_page_limit = ~0ul;
	guestmem_destroy(&gm);
	return host_pages_are_back() ? 0 : -1;
}

/* [0, 6 MB) in two adjacent slots with the PC's hole, and [4 GB, 4 GB + 2 MB). */
static void add_pc(void)
{
	assert_int_equal(guestmem_add(&gm, GPA(0), 4 * MB), OK);
	assert_int_equal(guestmem_add(&gm, GPA(4 * MB), 2 * MB), OK);
	assert_int_equal(guestmem_add(&gm, GPA(HIGH), 2 * MB), OK);
	guestmem_hole(&gm, GPA(HOLE_START), GPA(HOLE_END));
}

static void is_ram_at_borders(void **state)
{
	static const struct {
		u64 gpa, len;
		bool ram;
	} rows[] = {
		{ 0, 0, true },
		{ 5 * GB, 0, true },
		{ 0, HOLE_START, true },
		{ 0, HOLE_START + 1, false },
		{ HOLE_START - 1, 1, true },
		{ HOLE_START, 1, false },
		{ HOLE_END - 1, 1, false },
		{ HOLE_END - 1, 2, false },
		{ HOLE_END, 1, true },
		{ HOLE_END, 5 * MB, true }, /* up to the end, across chunk and slot */
		{ HOLE_END, 5 * MB + 1, false },
		{ 6 * MB - 1, 1, true },
		{ 6 * MB, 1, false },
		{ HIGH - 1, 2, false },
		{ HIGH, 2 * MB, true },
		{ HIGH, 2 * MB + 1, false },
		{ HIGH + MB, ~0ul, false },
		{ ~0ul, 1, false },
		{ ~0ul, 2, false },
		{ ~0ul - 7, 8 + 4 * KB, false },
		{ 4 * KB, ~0ul, false },
		{ 4 * KB, ~0ul - 4 * KB + 1, false },
	};

	(void)state;
	add_pc();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (guest_is_ram(&gm, GPA(rows[i].gpa), rows[i].len) != rows[i].ram)
			fail_msg("row %zu: gpa %#lx len %#lx", i, rows[i].gpa, rows[i].len);
	}
}

static void copies_cross_chunks_and_slots(void **state)
{
	static const u64 borders[] = { 2 * MB, 4 * MB };
	u8 in[64], out[64];

	(void)state;
	add_pc();
	for (size_t b = 0; b < ARRAY_SIZE(borders); b++) {
		for (u64 shift = 0; shift <= sizeof(in); shift++) {
			gpa_t gpa = GPA(borders[b] - shift);

			for (size_t i = 0; i < sizeof(in); i++)
				in[i] = (u8)(b * 131 + shift * 17 + i + 1);
			assert_int_equal(guest_write(&gm, gpa, in, sizeof(in)), OK);
			memset(out, 0, sizeof(out));
			assert_int_equal(guest_read(&gm, gpa, out, sizeof(out)), OK);
			assert_memory_equal(in, out, sizeof(in));
			for (size_t i = 0; i < sizeof(in); i++) {
				hpa_t hpa;

				assert_int_equal(guest_gpa_to_hpa(&gm, GPA(gpa.v + i), &hpa), OK);
				assert_int_equal(*(u8 *)hpa_to_hva(hpa), in[i]);
			}
			assert_int_equal(guest_zero(&gm, gpa, sizeof(in)), OK);
			assert_int_equal(guest_read(&gm, gpa, out, sizeof(out)), OK);
			for (size_t i = 0; i < sizeof(out); i++)
				assert_int_equal(out[i], 0);
		}
	}
}

static void nothing_is_copied_of_a_bad_range(void **state)
{
	static const u64 bad[] = { HOLE_START - 8, 6 * MB - 8, HIGH + 2 * MB - 8, ~0ul - 7 };
	u8 buf[16], was[16], seen[8];

	(void)state;
	add_pc();
	memset(buf, 0xaa, sizeof(buf));
	memcpy(was, buf, sizeof(was));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(guest_write(&gm, GPA(bad[i]), buf, sizeof(buf)), ERR_RANGE);
		assert_int_equal(guest_read(&gm, GPA(bad[i]), buf, sizeof(buf)), ERR_RANGE);
		assert_memory_equal(buf, was, sizeof(buf));
		assert_int_equal(guest_zero(&gm, GPA(bad[i]), sizeof(buf)), ERR_RANGE);
		if (i == ARRAY_SIZE(bad) - 1)
			continue;
		/* The part that is RAM is as it was: zero. */
		assert_int_equal(guest_read(&gm, GPA(bad[i]), seen, sizeof(seen)), OK);
		for (size_t k = 0; k < sizeof(seen); k++)
			assert_int_equal(seen[k], 0);
	}
}

static void zero_keeps_its_neighbours(void **state)
{
	u8 ones[32], out[32];

	(void)state;
	add_pc();
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(guest_write(&gm, GPA(2 * MB - 16), ones, 32), OK);
	assert_int_equal(guest_zero(&gm, GPA(2 * MB - 8), 16), OK);
	assert_int_equal(guest_read(&gm, GPA(2 * MB - 16), out, 32), OK);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(out[i], i < 8 || i >= 24 ? 0xff : 0);
}

static void cmpxchg(void **state)
{
	static const unsigned sizes[] = { 1, 2, 4, 8 };
	const u64 start = 0x8877665544332211ul, new_val = 0xf0e0d0c0b0a09080ul;
	u64 old, seen;

	(void)state;
	add_pc();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned n = sizes[i];
		u64 mask = n == 8 ? ~0ul : BIT(8 * n) - 1;
		gpa_t gpa = GPA(2 * MB - 8);

		assert_int_equal(guest_write(&gm, gpa, &start, 8), OK);
		old = ~start & mask;
		assert_int_equal(guest_cmpxchg(&gm, gpa, &old, new_val, n), OK);
		assert_int_equal(old, start & mask); /* failed: says what is there */
		assert_int_equal(guest_read(&gm, gpa, &seen, 8), OK);
		assert_int_equal(seen, start);

		assert_int_equal(guest_cmpxchg(&gm, gpa, &old, new_val, n), OK);
		assert_int_equal(old, start & mask);
		assert_int_equal(guest_read(&gm, gpa, &seen, 8), OK);
		assert_int_equal(seen, (start & ~mask) | (new_val & mask));
		if (n > 1)
			assert_int_equal(guest_cmpxchg(&gm, GPA(1), &old, 0, n), ERR_INVAL);
		assert_int_equal(guest_cmpxchg(&gm, GPA(HOLE_START), &old, 0, n), ERR_RANGE);
		assert_int_equal(guest_cmpxchg(&gm, GPA(6 * MB), &old, 0, n), ERR_RANGE);
		assert_int_equal(guest_cmpxchg(&gm, GPA(~7ul), &old, 0, n), ERR_RANGE);
	}
	assert_int_equal(guest_cmpxchg(&gm, GPA(0), &old, 0, 0), ERR_INVAL);
	assert_int_equal(guest_cmpxchg(&gm, GPA(0), &old, 0, 3), ERR_INVAL);
	assert_int_equal(guest_cmpxchg(&gm, GPA(0), &old, 0, 16), ERR_INVAL);
}

static void add_refuses(void **state)
{
	static const struct {
		u64 base, size;
		enum status want;
	} rows[] = {
		{ 8 * MB, 0, ERR_INVAL }, { 8 * MB + 4 * KB, 2 * MB, ERR_INVAL },
		{ 0, 2 * MB, ERR_EXIST }, { 2 * MB, 2 * MB, ERR_EXIST },
		{ 5 * MB - 1 * MB, 2 * MB, ERR_EXIST }, { HIGH - 2 * MB, 2 * MB + 1, ERR_EXIST },
		{ 8 * MB, ~0ul, ERR_RANGE }, { 8 * MB, ~0ul - 8 * MB, ERR_RANGE },
		{ ~0ul - 2 * MB + 1, 2 * MB, ERR_RANGE }, { ~0ul - 2 * MB + 1, 1, ERR_RANGE },
		{ 8 * GB, BIT(62), ERR_NOMEM }, /* its arrays alone are too big */
	};

	(void)state;
	add_pc();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (guestmem_add(&gm, GPA(rows[i].base), rows[i].size) != rows[i].want)
			fail_msg("row %zu: base %#lx size %#lx", i, rows[i].base, rows[i].size);
	}
	assert_int_equal(gm.slots, 3);
}

static void add_rounds_up_and_ends_at_the_last_slot(void **state)
{
	(void)state;
	for (u64 i = 0; i < GUESTMEM_SLOTS; i++)
		assert_int_equal(guestmem_add(&gm, GPA(i * 4 * MB), 1), OK);
	assert_true(guest_is_ram(&gm, GPA(0), 2 * MB));
	assert_false(guest_is_ram(&gm, GPA(2 * MB), 1));
	assert_int_equal(guestmem_add(&gm, GPA(GB), 2 * MB), ERR_NOMEM);
	assert_true(guest_is_ram(&gm, GPA((GUESTMEM_SLOTS - 1) * 4 * MB), 2 * MB));
}

/* 6 MB at 2 MB are blocks of 2 and 4 MB; 14 MB are 2, 4 and 8. Each may be the one that fails. */
static void out_of_memory_half_way(void **state)
{
	struct page_stats with_one, after;
	u64 chunk_pages = GUESTMEM_CHUNK / PAGE_SIZE;

	(void)state;
	assert_int_equal(guestmem_add(&gm, GPA(GB), 2 * MB), OK);
	page_stats(&with_one);
	for (u64 chunks = 0; chunks < 7; chunks++) {
		host_page_limit = with_one.used[PAGE_GUEST] + chunks * chunk_pages;
		assert_int_equal(guestmem_add(&gm, GPA(2 * MB), 14 * MB), ERR_NOMEM);
		page_stats(&after);
		assert_memory_equal(&after, &with_one, sizeof(after));
		assert_int_equal(gm.slots, 1);
		assert_false(guest_is_ram(&gm, GPA(2 * MB), 1));
	}
	host_page_limit = 0; /* not even the arrays */
	assert_int_equal(guestmem_add(&gm, GPA(2 * MB), 14 * MB), ERR_NOMEM);
	host_page_limit = ~0ul;
	assert_int_equal(guestmem_add(&gm, GPA(2 * MB), 14 * MB), OK);
	assert_true(guest_is_ram(&gm, GPA(2 * MB), 14 * MB));
}

/* gpa and hpa are congruent within each block, so that large pages can map it. */
static void blocks_are_congruent(void **state)
{
	hpa_t first, last;

	(void)state;
	assert_int_equal(guestmem_add(&gm, GPA(4 * MB), 4 * MB), OK);
	assert_int_equal(guest_gpa_to_hpa(&gm, GPA(4 * MB), &first), OK);
	assert_int_equal(guest_gpa_to_hpa(&gm, GPA(8 * MB - 1), &last), OK);
	assert_true(IS_ALIGNED(first.v, 4 * MB));
	assert_int_equal(last.v - first.v, 4 * MB - 1);
	assert_int_equal(guest_gpa_to_hpa(&gm, GPA(8 * MB), &last), ERR_RANGE);
}

/* The runs together are exactly the RAM, in order, and each is backed as it says. */
static void runs_cover_the_ram(void **state)
{
	struct guestmem_run run = { 0 };
	u64 total = 0, end = 0;

	(void)state;
	add_pc();
	while (guestmem_run(&gm, GPA(end), &run)) {
		hpa_t hpa;

		assert_true(run.len > 0 && run.gpa.v >= end);
		assert_true(guest_is_ram(&gm, run.gpa, run.len));
		for (u64 at = 0; at < run.len; at += 4 * KB) {
			assert_int_equal(guest_gpa_to_hpa(&gm, GPA(run.gpa.v + at), &hpa), OK);
			assert_int_equal(hpa.v, run.hpa.v + at);
		}
		total += run.len;
		end = run.gpa.v + run.len;
	}
	assert_int_equal(total, 8 * MB - (HOLE_END - HOLE_START));
	assert_int_equal(end, HIGH + 2 * MB);

	assert_true(guestmem_run(&gm, GPA(0), &run));
	assert_int_equal(run.len, HOLE_START);
	assert_true(guestmem_run(&gm, GPA(HOLE_START), &run));
	assert_int_equal(run.gpa.v, HOLE_END);
	assert_true(guestmem_run(&gm, GPA(6 * MB + 5), &run));
	assert_int_equal(run.gpa.v, HIGH);
	assert_false(guestmem_run(&gm, GPA(~0ul), &run));
}

static void hole_moves_and_may_span_slots(void **state)
{
	struct guestmem_run run;

	(void)state;
	add_pc();
	guestmem_hole(&gm, GPA(3 * MB), GPA(5 * MB));
	assert_true(guest_is_ram(&gm, GPA(0), 3 * MB));
	assert_false(guest_is_ram(&gm, GPA(3 * MB), 1));
	assert_false(guest_is_ram(&gm, GPA(5 * MB - 1), 1));
	assert_true(guest_is_ram(&gm, GPA(5 * MB), MB));
	assert_true(guestmem_run(&gm, GPA(3 * MB + 1), &run));
	assert_int_equal(run.gpa.v, 5 * MB);
	guestmem_hole(&gm, GPA(0), GPA(0));
	assert_true(guest_is_ram(&gm, GPA(0), 6 * MB));
}

static void crooked_hole_is_a_bug(void **state)
{
	static const u64 bad[][2] = { { 1, PAGE_SIZE }, { 0, 1 }, { 2 * PAGE_SIZE, PAGE_SIZE } };
	jmp_buf env;

	(void)state;
	for (volatile size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		volatile bool returned = false;

		host_panic_jmp = &env;
		if (!setjmp(env)) {
			guestmem_hole(&gm, GPA(bad[i][0]), GPA(bad[i][1]));
			returned = true;
		}
		host_panic_jmp = NULL;
		assert_false(returned);
	}
}

static void words_are_loaded_and_stored_whole(void **state)
{
	u64 value;

	(void)state;
	add_pc();
	for (unsigned size = 1; size <= 8; size *= 2) {
		u64 ones = size == 8 ? ~0ul : BIT(size * 8) - 1;

		for (u64 gpa = 2 * MB - 16; gpa < 2 * MB + 16; gpa += size) {
			assert_int_equal(guest_zero(&gm, GPA(2 * MB - 16), 32), OK);
			assert_int_equal(guest_store(&gm, GPA(gpa), ~0ul, size), OK);
			assert_int_equal(guest_load(&gm, GPA(gpa), &value, size), OK);
			assert_int_equal(value, ones);
			if (gpa + size < 2 * MB + 16) {
				assert_int_equal(guest_load(&gm, GPA(gpa + size), &value, 1), OK);
				assert_int_equal(value, 0);
			}
			if (size > 1) {
				assert_int_equal(
					guest_load(&gm, GPA(gpa + 1), &value, size), ERR_INVAL);
				assert_int_equal(
					guest_store(&gm, GPA(gpa + 1), 0, size), ERR_INVAL);
			}
		}
		assert_int_equal(guest_load(&gm, GPA(HOLE_START), &value, size), ERR_RANGE);
		assert_int_equal(guest_store(&gm, GPA(6 * MB), 0, size), ERR_RANGE);
		assert_int_equal(guest_load(&gm, GPA(~0ul - 7), &value, size), ERR_RANGE);
	}
	assert_int_equal(guest_load(&gm, GPA(0), &value, 0), ERR_INVAL);
	assert_int_equal(guest_load(&gm, GPA(0), &value, 3), ERR_INVAL);
	assert_int_equal(guest_load(&gm, GPA(0), &value, 16), ERR_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(words_are_loaded_and_stored_whole),
		TEST(is_ram_at_borders),
		TEST(copies_cross_chunks_and_slots),
		TEST(nothing_is_copied_of_a_bad_range),
		TEST(zero_keeps_its_neighbours),
		TEST(cmpxchg),
		TEST(add_refuses),
		TEST(add_rounds_up_and_ends_at_the_last_slot),
		TEST(out_of_memory_half_way),
		TEST(blocks_are_congruent),
		TEST(runs_cover_the_ram),
		TEST(hole_moves_and_may_span_slots),
		TEST(crooked_hole_is_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
