/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The multiboot loader: with ELF and with the header's own addresses; headers made wrong.
 *
 * Sources: hv/vm/load.c hv/vm/load_linux.c hv/vm/load_elf.c hv/vm/load_pvh.c hv/vm/load_multiboot.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/load_util.h"

#define LOAD_AT	  0x100000u
#define MAGIC	  0x1badb002u
#define ADDRESSES 0x10000u

struct header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct image {
	Elf32_Ehdr e;
	Elf32_Phdr p;
	struct header h;
	u8 data[0x100];
};

struct info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4],
		mmap_length, mmap_addr, drives_length, drives_addr, config_table, name;
};

#define HEADER_AT offsetof(struct image, h)

static struct load_test t;
static struct info info;

static struct image *img(void)
{
	return (struct image *)t.image;
}

static int setup(void **state)
{
	struct image i = { .e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32,
					  ELFDATA2LSB, EV_CURRENT },
				   .e_type = ET_EXEC,
				   .e_machine = EM_386,
				   .e_version = EV_CURRENT,
				   .e_entry = LOAD_AT + 0x20,
				   .e_phoff = sizeof(Elf32_Ehdr),
				   .e_phentsize = sizeof(Elf32_Phdr),
				   .e_phnum = 1 },
		.p = { .p_type = PT_LOAD,
			.p_vaddr = LOAD_AT,
			.p_paddr = LOAD_AT,
			.p_filesz = sizeof(struct image),
			.p_memsz = 0x10000 },
		.h = { .magic = MAGIC, .flags = 3, .checksum = -(MAGIC + 3) } };

	(void)state;
	memset(i.data, 0x90, sizeof(i.data));
	load_test_open(&t, TEST_MEM, &i, sizeof(i));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	load_test_close(&t);
	return 0;
}

static void set_flags(u32 flags)
{
	img()->h.flags = flags;
	img()->h.checksum = -(MAGIC + flags);
}

/* The header's own addresses: the whole file at 2 MB. */
static void use_addresses(void)
{
	set_flags(ADDRESSES);
	img()->h.load_addr = 2 * MB;
	img()->h.header_addr = 2 * MB + HEADER_AT;
	img()->h.load_end_addr = 2 * MB + sizeof(struct image);
	img()->h.bss_end_addr = 2 * MB + 0x5000;
	img()->h.entry_addr = 2 * MB + 0x80;
}

static void load(void)
{
	expect_loads(&t, "auto");
	assert_int_equal(t.state.gpr[RAX], 0x2badb002);
	peek(&t, t.state.gpr[RBX], &info, sizeof(info));
}

static void test_elf(void **state)
{
	(void)state;
	load();
	expect_entry32(&t, LOAD_AT + 0x20);
	assert_int_equal(peek32(&t, LOAD_AT + HEADER_AT), MAGIC);
}

static void test_info(void **state)
{
	(void)state;
	load();
	assert_int_equal(info.flags, 0x24d);
	assert_int_equal(info.mem_lower, 639);
	assert_int_equal(info.mem_upper, 63 * 1024);
	want_string(&t, info.cmdline, "console=ttyS0");
	want_string(&t, info.name, "Triptych");
	assert_int_equal(info.mods_count, 0);
	assert_int_equal(info.mmap_length, 5 * 24);
	assert_int_equal(peek32(&t, info.mmap_addr), 20);
	assert_int_equal(peek64(&t, info.mmap_addr + 4), 0);
	assert_int_equal(peek64(&t, info.mmap_addr + 12), 0x9fc00);
	assert_int_equal(peek32(&t, info.mmap_addr + 20), 1);
}

static void test_modules(void **state)
{
	static u8 one[PAGE_SIZE + 1], two[1];

	(void)state;
	memset(one, 1, sizeof(one));
	t.req.module[0] = (struct blob){ one, sizeof(one), "first a b" };
	t.req.module[1] = (struct blob){ two, sizeof(two), "" };
	t.req.modules = 2;
	load();
	assert_int_equal(info.mods_count, 2);
	assert_int_equal(peek32(&t, info.mods_addr), TEST_MEM - 2 * PAGE_SIZE);
	assert_int_equal(peek32(&t, info.mods_addr + 4), TEST_MEM - PAGE_SIZE + 1);
	want_string(&t, peek32(&t, info.mods_addr + 8), "first a b");
	assert_int_equal(peek32(&t, info.mods_addr + 16), TEST_MEM - 3 * PAGE_SIZE);
	want_string(&t, peek32(&t, info.mods_addr + 24), "");
	assert_int_equal(peek32(&t, TEST_MEM - 2 * PAGE_SIZE), 0x01010101);
}

static void test_addresses(void **state)
{
	u8 ones[0x5000];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(guest_write(&t.gm, GPA(2 * MB), ones, sizeof(ones)), OK);
	use_addresses();
	load();
	expect_entry32(&t, 2 * MB + 0x80);
	assert_int_equal(peek32(&t, 2 * MB + HEADER_AT), MAGIC);
	assert_int_equal(peek32(&t, 2 * MB + 0x4ffc), 0);
	/* 0 for the end of the data means the end of the file, for the bss none. */
	img()->h.load_end_addr = 0;
	img()->h.bss_end_addr = 0;
	load();
	img()->h.entry_addr = 2 * MB + sizeof(struct image);
	expect_refused(&t, "auto", ERR_RANGE, "the multiboot entry");
}

static void test_bad_addresses(void **state)
{
	(void)state;
	use_addresses();
	img()->h.load_addr = 2 * MB - 1; /* one byte more before the header than the file has */
	expect_refused(&t, "auto", ERR_INVAL, "with loading from 0x1fffff");
	use_addresses();
	img()->h.load_addr = img()->h.header_addr + 1;
	expect_refused(&t, "auto", ERR_INVAL, "cannot be at");
	use_addresses();
	img()->h.load_end_addr++;
	expect_refused(&t, "auto", ERR_INVAL, "its file has");
	use_addresses();
	img()->h.load_end_addr = 1;
	expect_refused(&t, "auto", ERR_INVAL, "loads 0x200000 to 0x1");
	use_addresses();
	img()->h.bss_end_addr = img()->h.load_end_addr - 1;
	expect_refused(&t, "auto", ERR_INVAL, "bss ends at");
	use_addresses();
	img()->h.entry_addr = 2 * MB - 1;
	expect_refused(&t, "auto", ERR_RANGE, "the multiboot entry 0x1fffff is outside");
	use_addresses();
	img()->h.bss_end_addr = 0xffffffff;
	expect_refused(&t, "auto", ERR_RANGE, "is outside the VM's 64 MB");
}

static void test_features(void **state)
{
	(void)state;
	set_flags(3 | 4);
	expect_refused(&t, "auto", ERR_NOTSUP, "requires a video mode (flags 0x7)");
	set_flags(3 | 0x4000);
	expect_refused(&t, "auto", ERR_NOTSUP, "requires features 0x4000");
	set_flags(3 | 0x80000000); /* may be ignored */
	load();
}

static void test_no_header(void **state)
{
	(void)state;
	img()->h.checksum++;
	expect_refused(&t, "multiboot", ERR_NOENT, "no multiboot header");
}

/* Beyond the first 8192 bytes it is no header; up to there it is. */
static void test_header_place(void **state)
{
	static u8 big[3 * 8192];
	struct header h = { .magic = MAGIC, .flags = 4, .checksum = -(MAGIC + 4) };

	(void)state;
	t.req.kernel = (struct blob){ big, sizeof(big), "" };
	memcpy(big + 8192 - 12, &h, 12);
	expect_refused(&t, "multiboot", ERR_NOTSUP, "video mode");
	memset(big, 0, sizeof(big));
	memcpy(big + 8192 - 8, &h, 12);
	expect_refused(&t, "multiboot", ERR_NOENT, "no multiboot header");
	memset(big, 0, sizeof(big));
	memcpy(big + 2, &h, 12);
	expect_refused(&t, "multiboot", ERR_NOENT, "no multiboot header");
}

static void test_not_elf(void **state)
{
	(void)state;
	img()->e.e_ident[0] = 0;
	expect_refused(&t, "auto", ERR_INVAL, "does not start with the ELF magic");
}

static void test_elf_entry(void **state)
{
	(void)state;
	img()->p.p_vaddr = 0xc0100000; /* linked high; the entry may be given either way */
	load();
	assert_int_equal(t.state.rip, LOAD_AT + 0x20);
	img()->e.e_entry = 0xc0100030;
	load();
	assert_int_equal(t.state.rip, LOAD_AT + 0x30);
	img()->e.e_entry = 0x300000;
	expect_refused(&t, "auto", ERR_RANGE, "the ELF entry 0x300000 is in no segment");
}

static void test_truncated(void **state)
{
	(void)state;
	use_addresses();
	for (size_t size = 0; size < sizeof(struct image); size++) {
		expect_refused_cut(&t, "multiboot", size);
		expect_refused_cut(&t, "auto", size);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_elf),
		TEST(test_info),
		TEST(test_modules),
		TEST(test_addresses),
		TEST(test_bad_addresses),
		TEST(test_features),
		TEST(test_no_header),
		TEST(test_header_place),
		TEST(test_not_elf),
		TEST(test_elf_entry),
		TEST(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
