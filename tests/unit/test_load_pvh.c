/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PVH loader: the note among others, the start information, modules; notes made wrong.
 *
 * Sources: hv/vm/load.c hv/vm/load_linux.c hv/vm/load_elf.c hv/vm/load_pvh.c hv/vm/load_multiboot.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/load_util.h"

#define LOAD_AT 0x1000000ul
#define ENTRY	(LOAD_AT + 0x40)

struct note {
	Elf64_Nhdr h;
	char name[4];
	u64 desc;
};

struct image {
	Elf64_Ehdr e;
	Elf64_Phdr p[2];
	struct note other, entry;
	u8 data[0x80];
};

struct start_info {
	u32 magic, version, flags, modules;
	u64 modlist, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
};

static struct load_test t;
static struct start_info info;

static struct image *img(void)
{
	return (struct image *)t.image;
}

static int setup(void **state)
{
	struct image i = { .e = elf64_header(LOAD_AT, 2),
		.p = { { .p_type = PT_LOAD,
			       .p_offset = offsetof(struct image, data),
			       .p_vaddr = 0xffffffff81000000,
			       .p_paddr = LOAD_AT,
			       .p_filesz = 0x80,
			       .p_memsz = 1 * MB },
			{ .p_type = PT_NOTE,
				.p_offset = offsetof(struct image, other),
				.p_filesz = 2 * sizeof(struct note) } },
		.other = { { 4, 8, 6 }, "Xen", 0x1234 },
		.entry = { { 4, 8, 18 }, "Xen", ENTRY } };

	(void)state;
	load_test_open(&t, TEST_MEM, &i, sizeof(i));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	load_test_close(&t);
	return 0;
}

static void load(void)
{
	expect_loads(&t, "auto");
	peek(&t, t.state.gpr[RBX], &info, sizeof(info));
}

static void test_entry(void **state)
{
	(void)state;
	load();
	expect_entry32(&t, ENTRY);
	assert_int_equal(info.magic, 0x336ec578);
	assert_int_equal(info.version, 1);
	assert_int_equal(info.flags, 0);
	assert_int_equal(info.modules, 0);
	assert_int_equal(info.rsdp, TEST_RSDP);
	want_string(&t, info.cmdline, "console=ttyS0");
}

static void test_memmap(void **state)
{
	(void)state;
	load();
	assert_int_equal(info.memmap_entries, 5);
	assert_int_equal(peek64(&t, info.memmap), 0);
	assert_int_equal(peek64(&t, info.memmap + 8), 0x9fc00);
	assert_int_equal(peek64(&t, info.memmap + 16), 1); /* type, and reserved 0 */
	assert_int_equal(peek64(&t, info.memmap + 3 * 24), MB);
	assert_int_equal(peek64(&t, info.memmap + 3 * 24 + 8), TEST_MEM - MB);
}

static void test_modules(void **state)
{
	static u8 initrd[5000], module[100];

	(void)state;
	memset(initrd, 1, sizeof(initrd));
	memset(module, 2, sizeof(module));
	t.req.initrd = (struct blob){ initrd, sizeof(initrd), NULL };
	t.req.module[0] = (struct blob){ module, sizeof(module), "its own words" };
	t.req.modules = 1;
	load();
	assert_int_equal(info.modules, 2);
	assert_int_equal(peek64(&t, info.modlist), TEST_MEM - 2 * PAGE_SIZE);
	assert_int_equal(peek64(&t, info.modlist + 8), sizeof(initrd));
	assert_int_equal(peek64(&t, info.modlist + 32), TEST_MEM - 3 * PAGE_SIZE);
	assert_int_equal(peek64(&t, info.modlist + 40), sizeof(module));
	want_string(&t, peek64(&t, info.modlist + 48), "its own words");
	assert_int_equal(peek32(&t, peek64(&t, info.modlist)), 0x01010101);
	assert_int_equal(peek32(&t, peek64(&t, info.modlist + 32)), 0x02020202);
}

/* Modules never lie over the kernel, its bss included. */
static void test_modules_beside_kernel(void **state)
{
	static u8 initrd[20 * MB];

	(void)state;
	t.req.initrd = (struct blob){ initrd, sizeof(initrd), NULL };
	img()->p[0].p_memsz = TEST_MEM - LOAD_AT;
	expect_refused(&t, "auto", ERR_NOMEM, "the initrd of 0x1400000 bytes does not fit");
	t.req.initrd.size = 15 * MB;
	load();
	assert_int_equal(peek64(&t, info.modlist), MB);
}

static void test_too_many_words(void **state)
{
	static char words[256];

	(void)state;
	memset(words, 'w', sizeof(words) - 1);
	t.req.modules = LOADER_MODULES_MAX;
	for (unsigned i = 0; i < t.req.modules; i++)
		t.req.module[i] = (struct blob){ t.image, 1, words };
	load();
	assert_int_equal(info.modules, LOADER_MODULES_MAX);
	want_string(&t, peek64(&t, info.modlist + 31 * 32 + 16), words);
	t.req.modules++;
	expect_refused(&t, "auto", ERR_RANGE, "33 modules were given");
}

static void test_no_note(void **state)
{
	(void)state;
	img()->entry.h.n_type = 17;
	expect_refused(&t, "pvh", ERR_NOENT, "expected a note of owner Xen and type 18");
	img()->entry.h.n_type = 18;
	img()->entry.name[0] = 'Z';
	expect_refused(&t, "pvh", ERR_NOENT, "has no PVH entry");
	/* As "auto" it is then an ordinary ELF. */
	expect_loads(&t, "auto");
	expect_entry64(&t, LOAD_AT);
}

static void test_note_sizes(void **state)
{
	(void)state;
	img()->entry.h.n_descsz = 4;
	load();
	assert_int_equal(t.state.rip, ENTRY);
	img()->entry.h.n_descsz = 2;
	expect_refused(&t, "auto", ERR_INVAL, "the PVH note has 2 bytes");
	img()->entry.h.n_descsz = 9; /* past the end of the segment */
	expect_refused(&t, "pvh", ERR_NOENT, "no PVH entry");
	img()->entry.h.n_descsz = 0xffffffff;
	expect_refused(&t, "pvh", ERR_NOENT, "no PVH entry");
	img()->entry.h.n_namesz = 0xffffffff;
	expect_refused(&t, "pvh", ERR_NOENT, "no PVH entry");
	img()->other.h.n_namesz = 0xfffffffd;
	expect_refused(&t, "pvh", ERR_NOENT, "no PVH entry");
}

static void test_bad_entry(void **state)
{
	(void)state;
	img()->entry.desc = LOAD_AT - 1;
	expect_refused(&t, "auto", ERR_RANGE, "the PVH entry 0xffffff is in no segment");
	img()->entry.desc = 0x100000000 + ENTRY;
	expect_refused(&t, "auto", ERR_RANGE, "the PVH entry 0x101000040");
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(struct image); size++)
		expect_refused_cut(&t, "pvh", size);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_entry),
		TEST(test_memmap),
		TEST(test_modules),
		TEST(test_modules_beside_kernel),
		TEST(test_too_many_words),
		TEST(test_no_note),
		TEST(test_note_sizes),
		TEST(test_bad_entry),
		TEST(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
