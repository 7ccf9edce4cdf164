/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF parsing and the flat 64-bit protocol.
 *
 * Sources: hv/vm/load.c hv/vm/load_linux.c hv/vm/load_elf.c hv/vm/load_pvh.c hv/vm/load_multiboot.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/load_util.h"

#define LOAD_AT	 0x200000ul
#define VADDR	 0xffffffff80200000ul
#define DATA_OFF 0x100
#define DATA	 0x80
#define BSS	 0x1234

struct image {
	Elf64_Ehdr e;
	Elf64_Phdr p[2];
	u8 pad[DATA_OFF - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)];
	u8 data[DATA];
};

static struct load_test t;

static struct image *img(void)
{
	return (struct image *)t.image;
}

static int setup(void **state)
{
	struct image i = { .e = elf64_header(VADDR + 0x10, 2),
		.p = { { .p_type = PT_GNU_STACK }, { .p_type = PT_LOAD,
							   .p_offset = DATA_OFF,
							   .p_vaddr = VADDR,
							   .p_paddr = LOAD_AT,
							   .p_filesz = DATA,
							   .p_memsz = DATA + BSS } } };

	(void)state;
	memset(i.data, 0xc3, sizeof(i.data));
	load_test_open(&t, TEST_MEM, &i, sizeof(i));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	load_test_close(&t);
	return 0;
}

static void test_loads(void **state)
{
	u8 ones[BSS], got[DATA + BSS], want[DATA + BSS] = { 0 };

	(void)state;
	/* What the file does not fill is zeroed, whatever was there. */
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(guest_write(&t.gm, GPA(LOAD_AT + DATA), ones, sizeof(ones)), OK);
	memset(want, 0xc3, DATA);
	expect_loads(&t, "auto");
	expect_entry64(&t, LOAD_AT + 0x10);
	assert_int_equal(t.state.gpr[RSI], TEST_MEM);
	assert_int_equal(t.state.gpr[RDX], TEST_RSDP);
	want_string(&t, t.state.gpr[RDI], "console=ttyS0");
	peek(&t, LOAD_AT, got, sizeof(got));
	assert_memory_equal(got, want, sizeof(got));
}

static void test_magic(void **state)
{
	(void)state;
	img()->e.e_ident[1] = 'F';
	expect_refused(&t, "elf", ERR_INVAL, "does not start with the ELF magic");
	expect_refused(&t, "auto", ERR_INVAL, "starts with bytes 7f 46 4c 46");
}

static void test_ident(void **state)
{
	(void)state;
	img()->e.e_ident[EI_CLASS] = 3;
	expect_refused(&t, "auto", ERR_INVAL, "ELF class is 3");
	img()->e.e_ident[EI_CLASS] = ELFCLASS64;
	img()->e.e_ident[EI_DATA] = ELFDATA2MSB;
	expect_refused(&t, "auto", ERR_INVAL, "byte order is 2");
}

static void test_header_fields(void **state)
{
	(void)state;
	img()->e.e_version = 2;
	expect_refused(&t, "auto", ERR_INVAL, "ELF version is 2");
	img()->e.e_version = 1;
	img()->e.e_type = ET_DYN;
	expect_refused(&t, "auto", ERR_NOTSUP, "ELF type is 3");
	img()->e.e_type = ET_EXEC;
	img()->e.e_machine = EM_AARCH64;
	expect_refused(&t, "auto", ERR_NOTSUP, "ELF machine is 183");
}

static void test_phdr_table(void **state)
{
	(void)state;
	img()->e.e_phentsize = 32;
	expect_refused(&t, "auto", ERR_INVAL, "have 32 bytes each, expected 56");
	img()->e.e_phentsize = sizeof(Elf64_Phdr);
	img()->e.e_phnum = 0;
	expect_refused(&t, "auto", ERR_INVAL, "has 0 program headers");
	img()->e.e_phnum = 0xffff;
	expect_refused(&t, "auto", ERR_INVAL, "has 65535 program headers");
	img()->e.e_phnum = 2;
	img()->e.e_phoff = ~0ul;
	expect_refused(&t, "auto", ERR_INVAL, "truncated: its 2 program headers");
	img()->e.e_phoff = sizeof(struct image) - sizeof(Elf64_Phdr);
	expect_refused(&t, "auto", ERR_INVAL, "truncated: its 2 program headers");
}

static void test_segment_in_file(void **state)
{
	(void)state;
	img()->p[1].p_offset = ~0ul;
	expect_refused(&t, "auto", ERR_INVAL, "ELF segment 1 (0x80 bytes at 0xffffffffffffffff");
	img()->p[1].p_offset = DATA_OFF;
	img()->p[1].p_filesz = ~0ul;
	expect_refused(&t, "auto", ERR_INVAL, "is outside the file's");
	img()->p[1].p_filesz = DATA + 1;
	expect_refused(&t, "auto", ERR_INVAL, "is outside the file's");
	img()->p[1].p_filesz = DATA;
	img()->p[1].p_memsz = DATA - 1;
	expect_refused(&t, "auto", ERR_INVAL, "only 0x7f in memory");
}

/* Places that an image may not occupy. */
static void test_segment_in_memory(void **state)
{
	static const u64 bad[] = {
		TEST_MEM - DATA, /* the bss runs out of RAM */
		TEST_MEM,
		~0ul - DATA,	  /* wraps */
		0x9f000,	  /* across the end of low RAM */
		0xa0000,	  /* the hole */
		0xe0000,	  /* the firmware's */
		0xffff0,	  /* across into RAM */
		LOAD_AREA - DATA, /* across into the loaders' area */
		LOAD_AREA_END - 1,
		0xe0000000,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		img()->p[1].p_paddr = bad[i];
		expect_refused(&t, "auto", ERR_RANGE, "outside the VM's 64 MB of memory");
	}
	img()->p[1].p_paddr = 0x1000; /* low memory is RAM, too */
	expect_loads(&t, "auto");
	img()->p[1].p_paddr = LOAD_AT;
	img()->p[1].p_memsz = ~0ul;
	expect_refused(&t, "auto", ERR_RANGE, "(0xffffffffffffffff bytes at 0x200000)");
}

static void test_entry(void **state)
{
	(void)state;
	img()->e.e_entry = VADDR + DATA + BSS;
	expect_refused(&t, "auto", ERR_RANGE, "is in no segment");
	img()->e.e_entry = VADDR - 1;
	expect_refused(&t, "auto", ERR_RANGE, "is in no segment");
}

static void test_nothing_to_load(void **state)
{
	(void)state;
	img()->p[1].p_memsz = img()->p[1].p_filesz = 0;
	expect_refused(&t, "auto", ERR_INVAL, "has 2 program headers and none is a segment");
	img()->p[1].p_type = PT_NOTE;
	expect_refused(&t, "auto", ERR_INVAL, "has 2 program headers and none is a segment");
}

static void test_32bit(void **state)
{
	struct {
		Elf32_Ehdr e;
		Elf32_Phdr p;
	} i = { .e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
			       EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 1 },
		.p = { .p_type = PT_LOAD, .p_paddr = LOAD_AT, .p_memsz = 1 } };

	(void)state;
	memcpy(t.image, &i, sizeof(i));
	expect_refused(&t, "auto", ERR_NOTSUP, "class 1 and machine 3");
}

static void test_modules(void **state)
{
	(void)state;
	t.req.initrd = (struct blob){ t.image, 1, "" };
	expect_refused(&t, "auto", ERR_NOTSUP, "boot=elf takes no initrd");
	t.req.initrd.size = 0;
	t.req.modules = 1;
	expect_refused(&t, "auto", ERR_NOTSUP, "boot=elf takes no initrd");
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(struct image); size++) {
		expect_refused_cut(&t, "elf", size);
		expect_refused_cut(&t, "auto", size);
	}
}

static void test_placer(void **state)
{
	struct placer p = { 0 };
	u64 at;

	(void)state;
	assert_true(placer_use(&p, 8 * MB, MB));
	assert_true(placer_use(&p, 6 * MB, 2 * MB));
	assert_false(placer_use(&p, ~0ul, 2));
	/* Below both, though each alone would leave room above the other. */
	assert_true(placer_find(&p, 9 * MB, MB, &at));
	assert_int_equal(at, 5 * MB);
	assert_true(placer_find(&p, 10 * MB, 1, &at));
	assert_int_equal(at, 10 * MB - PAGE_SIZE);
	assert_false(placer_find(&p, 9 * MB, 4 * MB + 1, &at));
	assert_true(placer_find(&p, 9 * MB, 4 * MB, &at));
	assert_int_equal(at, MB);
	assert_false(placer_find(&p, 9 * MB, 1, &at));
	assert_false(placer_find(&p, 0, 0, &at));
	assert_false(placer_find(&p, ~0ul, ~0ul, &at));
	while (p.count < PLACER_MAX)
		assert_true(placer_use(&p, 0, 0));
	assert_false(placer_use(&p, 0, 0));
	assert_false(placer_find(&p, 64 * MB, 1, &at));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_loads),
		TEST(test_magic),
		TEST(test_ident),
		TEST(test_header_fields),
		TEST(test_phdr_table),
		TEST(test_segment_in_file),
		TEST(test_segment_in_memory),
		TEST(test_entry),
		TEST(test_nothing_to_load),
		TEST(test_32bit),
		TEST(test_modules),
		TEST(test_truncated),
		TEST(test_placer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
