/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the boot loader hands over: range sets, the Multiboot2 information and the command line,
 * well-formed, broken in each way that is checked, and at random.
 *
 * Sources: hv/boot/mb2.c hv/boot/memmap.c hv/boot/options.c hv/lib/text.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/boot/mb2.h"
#include "hv/boot/options.h"

/* ---- range sets ---- */

static void test_memmap_add_merges(void **state)
{
	struct memmap m = { 0 };

	(void)state;
	assert_int_equal(memmap_add(&m, 0x5000, 0x6000), OK);
	assert_int_equal(memmap_add(&m, 0x1000, 0x2000), OK);
	assert_int_equal(memmap_add(&m, 0x3000, 0x4000), OK);
	assert_int_equal(m.n, 3);
	assert_int_equal(m.r[0].start, 0x1000);
	assert_int_equal(m.r[2].end, 0x6000);
	/* Touching is merging; one range may swallow several. */
	assert_int_equal(memmap_add(&m, 0x2000, 0x5800), OK);
	assert_int_equal(m.n, 1);
	assert_int_equal(m.r[0].start, 0x1000);
	assert_int_equal(m.r[0].end, 0x6000);
	assert_int_equal(memmap_add(&m, 0x7000, 0x7000), OK);
	assert_int_equal(m.n, 1);
}

static void test_memmap_remove(void **state)
{
	struct memmap m = { 0 };

	(void)state;
	assert_int_equal(memmap_add(&m, 0x1000, 0x9000), OK);
	assert_int_equal(memmap_remove(&m, 0x3000, 0x4000), OK);
	assert_int_equal(m.n, 2);
	assert_int_equal(m.r[0].end, 0x3000);
	assert_int_equal(m.r[1].start, 0x4000);
	assert_int_equal(memmap_remove(&m, 0x2000, 0x5000), OK);
	assert_int_equal(m.r[0].end, 0x2000);
	assert_int_equal(m.r[1].start, 0x5000);
	assert_int_equal(memmap_remove(&m, 0, ~0ul), OK);
	assert_int_equal(m.n, 0);
}

static void test_memmap_full(void **state)
{
	struct memmap m = { 0 }, before;

	(void)state;
	for (u64 i = 0; i < MEMMAP_MAX; i++)
		assert_int_equal(memmap_add(&m, i * 0x10000, i * 0x10000 + 0x8000), OK);
	before = m;
	assert_int_equal(memmap_add(&m, ~0ul - 0x2000, ~0ul - 0x1000), ERR_NOMEM);
	assert_int_equal(memmap_remove(&m, 0x2000, 0x3000), ERR_NOMEM);
	assert_memory_equal(&m, &before, sizeof(m));
}

static void test_memmap_find(void **state)
{
	struct memmap m = { 0 };

	(void)state;
	assert_int_equal(memmap_add(&m, 0x1000, 0x3000), OK);
	assert_int_equal(memmap_add(&m, 0x5000, 0x20000), OK);
	assert_int_equal(memmap_find(&m, 0x2000, 0x1000, 0, ~0ul), 0x1000);
	assert_int_equal(memmap_find(&m, 0x2000, 0x1000, 0x1001, ~0ul), 0x5000);
	assert_int_equal(memmap_find(&m, 0x1000, 0x10000, 0, ~0ul), 0x10000);
	assert_int_equal(memmap_find(&m, 0x3000, 0x1000, 0, 0x7fff), 0);
	assert_int_equal(memmap_find(&m, 0x100000, 0x1000, 0, ~0ul), 0);
	assert_int_equal(memmap_find_last(&m, 0x2000, 0x1000, 0, ~0ul), 0x1e000);
	assert_int_equal(memmap_find_last(&m, 0x2000, 0x1000, 0, 0x5fff), 0x1000);
	assert_int_equal(memmap_find_last(&m, 0x1800, 0x1000, 0, 0x20000), 0x1e000);
	assert_int_equal(memmap_find_last(&m, 0x1000, 0x10000, 0, ~0ul), 0x10000);
	assert_int_equal(memmap_find_last(&m, 0x3000, 0x1000, 0, 0x7fff), 0);
	assert_int_equal(memmap_find_last(&m, 0x100000, 0x1000, 0, ~0ul), 0);
	assert_int_equal(memmap_total(&m), 0x2000 + 0x1b000);
	assert_true(memmap_contains(&m, 0x5000, 0x20000));
	assert_false(memmap_contains(&m, 0x2000, 0x6000));
	assert_false(memmap_contains(&m, 0x6000, 0x5000));
}

/* The set against a bitmap, at random. */
static void test_memmap_random(void **state)
{
	enum {
		PAGES = 64
	};
	struct memmap m = { 0 };
	bool want[PAGES] = { 0 };

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		unsigned a = (unsigned)rand() % PAGES, b = (unsigned)rand() % (PAGES + 1);
		bool add = rand() & 1;

		assert_int_equal(add ? memmap_add(&m, a, b) : memmap_remove(&m, a, b), OK);
		for (unsigned p = a; p < b; p++)
			want[p] = add;
		for (unsigned p = 0; p < PAGES; p++)
			assert_int_equal(memmap_contains(&m, p, p + 1), want[p]);
		for (unsigned i = 0; i < m.n; i++) {
			assert_true(m.r[i].start < m.r[i].end);
			assert_true(i == 0 || m.r[i - 1].end < m.r[i].start);
		}
	}
}

/* ---- the information structure ---- */

static struct {
	u64 bytes[1024]; /* aligned */
	u32 len;
} info;

static u8 *raw(void)
{
	return (u8 *)info.bytes;
}

static void begin(void)
{
	memset(&info, 0, sizeof(info));
	info.len = 8;
}

static void tag(u32 type, const void *payload, u32 len)
{
	u32 head[2] = { type, 8 + len };

	memcpy(raw() + info.len, head, 8);
	if (len)
		memcpy(raw() + info.len + 8, payload, len);
	info.len += ALIGN_UP(8 + len, 8u);
}

static void tag_module(u32 start, u32 end, const char *s)
{
	u8 p[256];
	u32 range[2] = { start, end };

	memcpy(p, range, 8);
	memcpy(p + 8, s, strlen(s) + 1);
	tag(3, p, 8 + (u32)strlen(s) + 1);
}

struct entry {
	u64 base, len;
	u32 type, zero;
};

static void tag_mmap(const struct entry *e, u32 n)
{
	u8 p[2048];
	u32 head[2] = { sizeof(*e), 0 };

	memcpy(p, head, 8);
	memcpy(p + 8, e, n * sizeof(*e));
	tag(6, p, 8 + n * (u32)sizeof(*e));
}

static void finish(void)
{
	tag(0, NULL, 0);
	memcpy(raw(), &info.len, 4);
}

static const struct entry pc_map[] = {
	{ 0x100000, 0x3fe00000, 1, 0 },
	{ 0, 0x9fc00, 1, 0 },
	{ 0x9fc00, 0x400, 2, 0 },
	{ 0x3ff00000, 0x10000, 3, 0 },
	{ 0x100000000, 0x40000000, 1, 0 },
};

static enum status parse(struct boot_info *b, const char **why)
{
	return mb2_parse(raw(), sizeof(info.bytes), b, why);
}

static void test_mb2_good(void **state)
{
	struct boot_info b;
	const char *why;
	u8 old[20] = "RSD PTR old", new[36] = "RSD PTR new";

	(void)state;
	begin();
	tag(1, "loglevel=debug", 15);
	tag_module(0x200000, 0x201234, "  vm0.conf  a b ");
	tag_module(0x300000, 0x300000, "empty");
	tag(15, new, sizeof(new));
	tag(14, old, sizeof(old));
	tag(99, "unknown", 8);
	tag_mmap(pc_map, ARRAY_SIZE(pc_map));
	finish();
	assert_int_equal(parse(&b, &why), OK);
	assert_string_equal(b.cmdline, "loglevel=debug");
	assert_int_equal(b.modules, 2);
	assert_string_equal(b.module[0].name, "vm0.conf");
	assert_string_equal(b.module[0].args, "a b ");
	assert_int_equal(b.module[0].size, 0x1234);
	assert_int_equal(b.module[0].start.v, 0x200000);
	assert_ptr_equal(boot_module_data(&b.module[0]), (void *)0x200000);
	assert_string_equal(b.module[1].name, "empty");
	assert_string_equal(b.module[1].args, "");
	assert_null(boot_module_data(&b.module[1]));
	assert_int_equal(b.rsdp_len, 36);
	assert_memory_equal(b.rsdp, new, 36);
	/* Pages inwards for RAM; what is not usable wins. */
	assert_int_equal(b.ram.n, 3);
	assert_int_equal(b.ram.r[0].end, 0x9f000);
	assert_int_equal(b.ram.r[1].end, 0x3ff00000);
	assert_int_equal(b.firmware.n, 1);
	assert_int_equal(b.firmware.r[0].start, 0x3ff00000);
}

static void test_mb2_overlap_in_any_order(void **state)
{
	static const struct entry map[] = {
		{ 0x200000, 0x1000, 2, 0 }, { 0x100000, 0x800000, 1, 0 },
		{ 0xfffffffffffff000, 0x2000, 1, 0 }, /* wraps */
	};
	struct boot_info b;
	const char *why;

	(void)state;
	begin();
	tag_mmap(map, ARRAY_SIZE(map));
	finish();
	assert_int_equal(parse(&b, &why), OK);
	assert_int_equal(b.ram.n, 2);
	assert_int_equal(b.ram.r[0].end, 0x200000);
	assert_int_equal(b.ram.r[1].start, 0x201000);
	assert_string_equal(b.cmdline, "");
}

static void expect_refused(const char *sentence)
{
	struct boot_info b;
	const char *why;

	assert_int_equal(parse(&b, &why), ERR_INVAL);
	assert_string_equal(why, sentence);
}

static void test_mb2_broken(void **state)
{
	u32 huge = sizeof(info.bytes) + 8, three[3] = { 0x2000, 0x1000, 0 }, step[4] = { 8, 0 };

	(void)state;
	begin();
	finish();
	expect_refused("the boot loader gave no memory map");

	begin();
	finish();
	memcpy(raw(), &huge, 4);
	expect_refused("the boot loader's information is larger than can be");

	begin(); /* no end tag */
	tag(99, "x", 2);
	memcpy(raw(), &info.len, 4);
	expect_refused("the boot loader's information is cut off");

	begin(); /* a tag that is longer than the rest */
	tag(99, "x", 2);
	memcpy(raw() + 12, &huge, 4);
	finish();
	expect_refused("the boot loader's information is cut off");

	begin(); /* a tag shorter than its header would be read for ever */
	tag(99, "x", 2);
	memset(raw() + 12, 0, 4);
	finish();
	expect_refused("the boot loader's information is cut off");

	begin();
	tag(1, "unterminated", 12);
	finish();
	expect_refused("the command line from the boot loader is not terminated");

	begin();
	tag(3, three, sizeof(three)); /* end below start */
	finish();
	expect_refused("a module tag from the boot loader is broken");

	begin();
	tag(3, "12345678noend", 13);
	finish();
	expect_refused("a module tag from the boot loader is broken");

	begin();
	tag(6, step, sizeof(step)); /* entries of 8 bytes */
	finish();
	expect_refused("the memory map from the boot loader is broken");
}

static void test_mb2_too_many_modules(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i <= BOOT_MODULES_MAX; i++)
		tag_module(0x1000, 0x2000, "m");
	finish();
	expect_refused("too many modules");
}

/* Whatever the bytes are, nothing outside the structure is touched (the sanitizer looks on). */
static void test_mb2_random(void **state)
{
	(void)state;
	srand(2);
	for (int round = 0; round < 20000; round++) {
		struct boot_info b;
		const char *why;
		u8 *copy;

		begin();
		tag(1, "cpus=2", 7);
		tag_module(0x200000, 0x201234, "vm0.conf a b");
		tag_mmap(pc_map, ARRAY_SIZE(pc_map));
		tag(14, "RSD PTR ............", 20);
		finish();
		for (int n = rand() % 6; n >= 0; n--)
			raw()[(unsigned)rand() % info.len] = (u8)(rand() & rand());
		copy = malloc(info.len);
		memcpy(copy, raw(), info.len);
		if (mb2_parse(copy, info.len, &b, &why) == OK)
			assert_true(b.ram.n > 0);
		else
			assert_non_null(why);
		free(copy);
	}
}

/* ---- command line ---- */

static void test_options(void **state)
{
	struct options o;

	(void)state;
	options_parse(&o, "");
	assert_int_equal(o.loglevel, LOG_INFO);
	assert_int_equal(o.log, PORT_COM2);
	assert_int_equal(o.console, PORT_COM1);
	assert_false(o.preflight);
	assert_null(o.bad);
	assert_true(o.cpus >= 64);
	assert_true(o.vms.at_once >= 64);

	options_parse(&o, "  loglevel=debug log=com1  console=none cpus=3 at-once=2 preflight ");
	assert_int_equal(o.vms.at_once, 2);
	assert_int_equal(o.loglevel, LOG_DEBUG);
	assert_int_equal(o.log, PORT_COM1);
	assert_int_equal(o.console, PORT_NONE);
	assert_int_equal(o.cpus, 3);
	assert_true(o.preflight);
	assert_null(o.bad);

	options_parse(&o, "loglevel=0 log=none");
	assert_int_equal(o.loglevel, LOG_ERR);
	assert_int_equal(o.log, PORT_NONE);
	assert_int_equal(o.trace, 0);
	assert_null(o.omit);

	assert_null(o.try_disk);

	options_parse(&o, "try-disk=a.partition preflight");
	assert_int_equal(o.try_disk_len, 11);
	assert_memory_equal(o.try_disk, "a.partition", 11);
	assert_null(o.bad);

	options_parse(&o, "trace=100 ledger_omit=io log=com1");
	assert_int_equal(o.trace, 100);
	assert_int_equal(o.omit_len, 2);
	assert_memory_equal(o.omit, "io", 2);
	assert_null(o.bad);
}

static void test_options_bad(void **state)
{
	static const char *const bad[] = { "cpus=0", "cpus=", "cpus=2x", "cpus=99999999999",
		"loglevel=4", "loglevel=", "log=com3", "console", "preflightx", "nonsense",
		"at-once=0", "at-once=x", "trace=0", "trace=65537", "trace=", "ledger_omit=",
		"try-disk=", "try-disk=a-name-of-thirty-seven-characters-long." };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char line[80] = "loglevel=warn ";
		struct options o;

		strcat(line, bad[i]);
		strcat(line, " other");
		options_parse(&o, line);
		assert_non_null(o.bad);
		assert_int_equal(o.bad_len, strlen(bad[i]));
		assert_memory_equal(o.bad, bad[i], o.bad_len);
		assert_int_equal(o.loglevel, LOG_WARN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memmap_add_merges),
		cmocka_unit_test(test_memmap_remove),
		cmocka_unit_test(test_memmap_full),
		cmocka_unit_test(test_memmap_find),
		cmocka_unit_test(test_memmap_random),
		cmocka_unit_test(test_mb2_good),
		cmocka_unit_test(test_mb2_overlap_in_any_order),
		cmocka_unit_test(test_mb2_broken),
		cmocka_unit_test(test_mb2_too_many_modules),
		cmocka_unit_test(test_mb2_random),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_options_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
