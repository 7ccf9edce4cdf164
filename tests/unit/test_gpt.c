/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partition tables: good ones, damaged ones with a copy, and all that a hostile disk can say. The
 * tables are written here after the specification, with a checksum of this file's own.
 *
 * Sources: hv/drv/gpt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/drv/gpt.h"
#include "tests/unit/gpt_util.h"

#define SECTORS	 2048u
#define FIRST	 64u
#define LAST	 (SECTORS - 64u)
#define ENTRIES	 128u
#define ENTRY	 128u
#define BACKUP	 (SECTORS - 1)
#define BACKUP_E (SECTORS - 33)

static u8 disk[SECTORS][512];
static u8 buf[4096];
static struct gpt g;
static u64 fail_at;

struct table {
	u64 here, other, entries_at, first, last;
	u32 entries, entry_size, header_size;
};

static void seal(const struct table *t)
{
	u8 *h = disk[t->here];

	put(h + 88, crc32(disk[t->entries_at], (size_t)t->entries * t->entry_size), 4);
	put(h + 16, 0, 4);
	put(h + 16, crc32(h, t->header_size), 4);
}

static void write_header(const struct table *t)
{
	u8 *h = disk[t->here];

	memcpy(h, "EFI PART", 8);
	put(h + 8, 0x10000, 4);
	put(h + 12, t->header_size, 4);
	put(h + 24, t->here, 8);
	put(h + 32, t->other, 8);
	put(h + 40, t->first, 8);
	put(h + 48, t->last, 8);
	put(h + 72, t->entries_at, 8);
	put(h + 80, t->entries, 4);
	put(h + 84, t->entry_size, 4);
}

static struct table main_table = { 1, BACKUP, 2, FIRST, LAST, ENTRIES, ENTRY, 92 };
static struct table copy_table = { BACKUP, 1, BACKUP_E, FIRST, LAST, ENTRIES, ENTRY, 92 };

static void add(const struct table *t, unsigned n, u64 first, u64 last, const char *name)
{
	u8 *e = disk[t->entries_at] + n * t->entry_size;

	memset(e, 0x11, 16);
	memset(e + 16, (int)(0xa0 + n), 16);
	put(e + 32, first, 8);
	put(e + 40, last, 8);
	for (unsigned i = 0; i < 36 && name[i]; i++)
		put(e + 56 + 2 * i, (u8)name[i], 2);
}

static int setup(void **state)
{
	(void)state;
	memset(disk, 0, sizeof(disk));
	fail_at = ~0ul;
	for (int i = 0; i < 2; i++) {
		const struct table *t = i ? &copy_table : &main_table;

		write_header(t);
		add(t, 0, FIRST, 99, "root");
		add(t, 5, 100, LAST, i ? "copy" : "data");
		seal(t);
	}
	return 0;
}

static enum status get(void *ctx, u64 sector, u32 count, void *to)
{
	assert_ptr_equal(ctx, disk);
	assert_true(count >= 1 && count <= 8);
	assert_true(sector < SECTORS && sector + count <= SECTORS);
	if (sector <= fail_at && fail_at < sector + count)
		return ERR_TIMEOUT;
	memcpy(to, disk[sector], count * 512ul);
	return OK;
}

static enum status read_it(void)
{
	return gpt_read(&g, SECTORS, get, disk, buf);
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(read_it(), OK);
	assert_false(g.backup);
	assert_int_equal(g.partitions, 2);
	assert_string_equal(g.partition[0].name, "root");
	assert_int_equal(g.partition[0].first, FIRST);
	assert_int_equal(g.partition[0].sectors, 100 - FIRST);
	assert_int_equal(g.partition[1].number, 6);
	assert_int_equal(g.partition[1].uuid[0], 0xa5);
	assert_int_equal(g.partition[1].sectors, LAST - 99);
}

static void test_none(void **state)
{
	(void)state;
	memset(disk, 0, sizeof(disk));
	assert_int_equal(read_it(), ERR_NOENT);
	assert_int_equal(gpt_read(&g, 1, get, disk, buf), ERR_NOENT);
	assert_int_equal(gpt_read(&g, 0, get, disk, buf), ERR_NOENT);
}

/* Any bit of a header or of the entries, flipped: the copy is used. */
static void test_each_bit_counts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 92; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			disk[1][i] ^= (u8)(1 << bit);
			assert_int_equal(read_it(), OK);
			assert_true(g.backup);
			assert_string_equal(g.partition[1].name, "copy");
			disk[1][i] ^= (u8)(1 << bit);
		}
	for (unsigned i = 0; i < ENTRIES * ENTRY; i += 61) {
		((u8 *)disk)[2 * 512 + i] ^= 4;
		assert_int_equal(read_it(), OK);
		assert_true(g.backup);
		((u8 *)disk)[2 * 512 + i] ^= 4;
	}
	assert_int_equal(read_it(), OK);
	assert_false(g.backup);
}

static void test_both_damaged(void **state)
{
	(void)state;
	disk[1][60] ^= 1;
	disk[BACKUP][60] ^= 1;
	assert_int_equal(read_it(), ERR_INVAL);
	assert_int_equal(g.partitions, 0);
	memset(disk[BACKUP], 0, 512);
	assert_int_equal(read_it(), ERR_INVAL);
}

static void test_unreadable(void **state)
{
	(void)state;
	fail_at = 3;
	assert_int_equal(read_it(), OK);
	assert_true(g.backup);
	disk[BACKUP][0] ^= 1;
	assert_int_equal(read_it(), ERR_TIMEOUT);
}

/* A header that is sealed, but says what cannot be. */
static void test_headers_that_lie(void **state)
{
	static const struct {
		unsigned at, size;
		u64 value;
	} lies[] = {
		{ 12, 4, 91 },
		{ 24, 8, 2 },
		{ 24, 8, ~0ul },
		{ 40, 8, LAST + 1 },
		{ 48, 8, SECTORS },
		{ 48, 8, ~0ul },
		{ 72, 8, 0 },
		{ 72, 8, 1 },
		{ 72, 8, SECTORS },
		{ 72, 8, SECTORS - 31 },
		{ 72, 8, ~0ul },
		{ 80, 4, 0 },
		{ 80, 4, 1025 },
		{ 80, 4, ~0u },
		{ 84, 4, 0 },
		{ 84, 4, 64 },
		{ 84, 4, 192 },
		{ 84, 4, 8192 },
		{ 84, 4, ~0u },
	};

	(void)state;
	memset(disk[BACKUP], 0, 512);
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		u8 saved[512];
		u32 size;

		memcpy(saved, disk[1], 512);
		put(disk[1] + lies[i].at, lies[i].value, lies[i].size);
		memcpy(&size, disk[1] + 12, 4);
		put(disk[1] + 16, 0, 4);
		put(disk[1] + 16, crc32(disk[1], size), 4);
		assert_int_equal(read_it(), ERR_INVAL);
		memcpy(disk[1], saved, 512);
	}
	/* Its size decides how much the checksum covers: never more than the sector. */
	put(disk[1] + 12, 513, 4);
	assert_int_equal(read_it(), ERR_INVAL);
	put(disk[1] + 12, ~0u, 4);
	assert_int_equal(read_it(), ERR_INVAL);
}

static void test_partitions_that_lie(void **state)
{
	static const struct {
		u64 first, last;
	} lies[] = { { FIRST - 1, FIRST }, { 50, 40 }, { 100, LAST + 1 }, { 0, ~0ul },
		{ ~0ul, ~0ul }, { 0, 0 }, { FIRST, FIRST }, { 99, 100 }, { 80, LAST } };

	(void)state;
	memset(disk[BACKUP], 0, 512);
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		add(&main_table, 5, lies[i].first, lies[i].last, "bad");
		seal(&main_table);
		assert_int_equal(read_it(), ERR_INVAL);
		assert_int_equal(g.partitions, 0);
	}
}

static void test_many(void **state)
{
	struct table t = { 1, BACKUP, 2, 300, LAST, 200, 256, 92 };

	(void)state;
	memset(disk, 0, sizeof(disk));
	write_header(&t);
	for (unsigned i = 0; i < GPT_PARTITIONS_MAX; i++)
		add(&t, i, 300 + i, 300 + i, "x");
	seal(&t);
	assert_int_equal(read_it(), OK);
	assert_int_equal(g.partitions, GPT_PARTITIONS_MAX);
	add(&t, GPT_PARTITIONS_MAX, 300 + GPT_PARTITIONS_MAX, 300 + GPT_PARTITIONS_MAX, "x");
	seal(&t);
	assert_int_equal(read_it(), ERR_INVAL);
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 36; i++)
		put(disk[2] + 56 + 2 * i, i == 3 ? 0x416 : 'a', 2);
	seal(&main_table);
	assert_int_equal(read_it(), OK);
	assert_string_equal(g.partition[0].name, "aaa?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void test_guids(void **state)
{
	static const char text[] = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
	static const u8 bytes[GPT_GUID] = { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba,
		0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b };
	static const char *const bad[] = { "", "c12a7328", "c12a7328-f81f-11d2-ba4b-00a0c93ec93",
		"c12a7328-f81f-11d2-ba4b-00a0c93ec93bb", "c12a7328xf81f-11d2-ba4b-00a0c93ec93b",
		"c12a732g-f81f-11d2-ba4b-00a0c93ec93b", "c12a7328-f81f-11d2-ba4b-00a0c93ec9 b" };
	u8 out[GPT_GUID];
	char back[GPT_GUID_TEXT + 1];

	(void)state;
	assert_true(gpt_guid_parse(text, out));
	assert_memory_equal(out, bytes, GPT_GUID);
	assert_true(gpt_guid_parse("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", out));
	assert_memory_equal(out, bytes, GPT_GUID);
	gpt_guid_text(bytes, back);
	assert_string_equal(back, text);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(gpt_guid_parse(bad[i], out));
}

/* Noise, with the checksums made right: whatever comes out lies inside the disk and apart. */
static void test_noise(void **state)
{
	(void)state;
	srand(1);
	for (unsigned n = 0; n < 2000; n++) {
		setup(NULL);
		for (int i = rand() % 8; i >= 0; i--)
			disk[2][rand() % 512] ^= (u8)rand();
		seal(&main_table);
		if (read_it() != OK)
			continue;
		for (unsigned i = 0; i < g.partitions; i++) {
			const struct gpt_partition *p = &g.partition[i];

			assert_true(p->first >= FIRST && p->sectors &&
				    p->first + p->sectors <= LAST + 1);
			for (unsigned k = 0; k < i; k++)
				assert_true(
					p->first >= g.partition[k].first + g.partition[k].sectors ||
					p->first + p->sectors <= g.partition[k].first);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, setup),
		cmocka_unit_test_setup(test_none, setup),
		cmocka_unit_test_setup(test_each_bit_counts, setup),
		cmocka_unit_test_setup(test_both_damaged, setup),
		cmocka_unit_test_setup(test_unreadable, setup),
		cmocka_unit_test_setup(test_headers_that_lie, setup),
		cmocka_unit_test_setup(test_partitions_that_lie, setup),
		cmocka_unit_test_setup(test_many, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test(test_guids),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
