/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Linux loader: a bzImage made here, then the same with one field at a time made wrong.
 *
 * Sources: hv/vm/load.c hv/vm/load_linux.c hv/vm/load_elf.c hv/vm/load_pvh.c hv/vm/load_multiboot.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include <asm/bootparam.h>
#include "tests/unit/load_util.h"

#define SECTS	  3
#define CODE	  ((SECTS + 1) * 512)
#define CODE_SIZE 0x1000
#define IMAGE	  (CODE + CODE_SIZE)
#define LOAD_AT	  (16 * MB)

static u8 image[IMAGE + 64]; /* more than the header asks for: a signature may follow */
static struct load_test t;
static struct boot_params bp;

static struct setup_header *hdr(void)
{
	return (struct setup_header *)(t.image + 0x1f1);
}

static int setup(void **state)
{
	struct setup_header *h = (struct setup_header *)(image + 0x1f1);

	(void)state;
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (u8)(i * 7);
	*h = (struct setup_header){ .setup_sects = SECTS,
		.syssize = CODE_SIZE / 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb, /* the header ends at 0x26c */
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 2 * MB,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
		.cmdline_size = 2047,
		.payload_offset = 0x100,
		.payload_length = 0x200,
		.pref_address = LOAD_AT,
		.init_size = 4 * MB };
	image[CODE - 1] = 0xee;
	load_test_open(&t, TEST_MEM, image, sizeof(image));
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
	assert_int_equal(t.state.gpr[RSI] & ~PAGE_MASK, 0);
	peek(&t, t.state.gpr[RSI], &bp, sizeof(bp));
}

static void test_entry_and_code(void **state)
{
	u8 got[CODE_SIZE];

	(void)state;
	load();
	expect_entry64(&t, LOAD_AT + 0x200);
	peek(&t, LOAD_AT, got, sizeof(got));
	assert_memory_equal(got, image + CODE, CODE_SIZE);
	/* What follows the code in the file is not loaded. */
	assert_int_equal(peek32(&t, LOAD_AT + CODE_SIZE), 0);
}

static void test_zero_page(void **state)
{
	(void)state;
	load();
	assert_int_equal(bp.hdr.header, 0x53726448);
	assert_int_equal(bp.hdr.type_of_loader, 0xff);
	assert_int_equal(bp.hdr.loadflags, LOADED_HIGH | CAN_USE_HEAP);
	assert_int_equal(bp.hdr.hardware_subarch, 0);
	assert_int_equal(bp.hdr.vid_mode, 0xffff);
	assert_int_equal(bp.hdr.ramdisk_size, 0);
	assert_int_equal(bp.ext_cmd_line_ptr, 0);
	assert_int_equal(bp.ext_ramdisk_image, 0);
	assert_int_equal(bp.sentinel, 0);
	assert_int_equal(bp.acpi_rsdp_addr, TEST_RSDP);
	want_string(&t, bp.hdr.cmd_line_ptr, "console=ttyS0");
}

/* Fields of a later protocol than the header's length says are not copied. */
static void test_header_length(void **state)
{
	(void)state;
	hdr()->jump = 0x62eb; /* ends at 0x264, before handover_offset */
	hdr()->handover_offset = 0x12345678;
	load();
	assert_int_equal(bp.hdr.handover_offset, 0);
	assert_int_equal(bp.hdr.init_size, 4 * MB);
}

static void expect_e820(unsigned i, u64 addr, u64 size, u32 type)
{
	assert_int_equal(bp.e820_table[i].addr, addr);
	assert_int_equal(bp.e820_table[i].size, size);
	assert_int_equal(bp.e820_table[i].type, type);
}

static void test_e820(void **state)
{
	(void)state;
	load();
	assert_int_equal(bp.e820_entries, 5);
	expect_e820(0, 0, 0x9fc00, 1);
	expect_e820(1, 0x9fc00, 0x400, 2);
	expect_e820(2, 0xe0000, 0x20000, 2);
	expect_e820(3, 0x100000, TEST_MEM - MB, 1);
	expect_e820(4, 0xe0000000, 0x100000, 2);
}

/* With 5 GB there is RAM above the hole; only its map is wanted here, not the memory. */
static void test_e820_high(void **state)
{
	(void)state;
	t.req.mem = 5 * GB;
	load();
	assert_int_equal(bp.e820_entries, 6);
	expect_e820(3, 0x100000, 3 * GB - MB, 1);
	expect_e820(5, 4 * GB, 2 * GB, 1);
}

static void test_initrd(void **state)
{
	static u8 initrd[5000];
	u8 got[sizeof(initrd)];

	(void)state;
	memset(initrd, 0x5a, sizeof(initrd));
	t.req.initrd = (struct blob){ initrd, sizeof(initrd), "" };
	load();
	assert_int_equal(bp.hdr.ramdisk_size, sizeof(initrd));
	assert_int_equal(bp.hdr.ramdisk_image, TEST_MEM - 2 * PAGE_SIZE);
	peek(&t, bp.hdr.ramdisk_image, got, sizeof(got));
	assert_memory_equal(got, initrd, sizeof(initrd));
}

static void test_initrd_limit(void **state)
{
	static u8 initrd[PAGE_SIZE];

	(void)state;
	t.req.initrd = (struct blob){ initrd, sizeof(initrd), "" };
	hdr()->initrd_addr_max = 32 * MB - 1;
	load();
	assert_int_equal(bp.hdr.ramdisk_image, 32 * MB - PAGE_SIZE);
}

/* With no room above the kernel it goes below. */
static void test_initrd_below(void **state)
{
	static u8 initrd[2 * MB];

	(void)state;
	t.req.initrd = (struct blob){ initrd, sizeof(initrd), "" };
	hdr()->init_size = (u32)(TEST_MEM - LOAD_AT - MB);
	load();
	assert_int_equal(bp.hdr.ramdisk_image, LOAD_AT - sizeof(initrd));
}

static void test_initrd_too_big(void **state)
{
	static u8 initrd[15 * MB + 1];

	(void)state;
	t.req.initrd = (struct blob){ initrd, sizeof(initrd), "" };
	hdr()->init_size = (u32)(TEST_MEM - LOAD_AT);
	expect_refused(&t, "auto", ERR_NOMEM, "the initrd of 0xf00001 bytes does not fit");
}

static void test_initrd_limit_too_low(void **state)
{
	static u8 initrd[16];

	(void)state;
	t.req.initrd = (struct blob){ initrd, sizeof(initrd), "" };
	hdr()->initrd_addr_max = 0xfffff;
	expect_refused(&t, "auto", ERR_NOMEM, "does not fit below 0x100000");
}

static void test_cmdline(void **state)
{
	char text[LOADER_CMDLINE_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[LOADER_CMDLINE_MAX] = 0;
	t.req.cmdline = text;
	load();
	want_string(&t, bp.hdr.cmd_line_ptr, text);
	hdr()->cmdline_size = 255;
	expect_refused(&t, "auto", ERR_RANGE, "has 2047 characters, this kernel takes at most 255");
	hdr()->cmdline_size = 0xffffffff;
	text[LOADER_CMDLINE_MAX] = 'a';
	text[LOADER_CMDLINE_MAX + 1] = 0;
	expect_refused(
		&t, "auto", ERR_RANGE, "has 2048 characters, this kernel takes at most 2047");
}

static void test_modules(void **state)
{
	(void)state;
	t.req.modules = 2;
	expect_refused(&t, "auto", ERR_NOTSUP, "one initrd and no modules, 2 were given");
}

/* setup_sects of 0 means 4: the image is then one sector short. */
static void test_old_setup_sects(void **state)
{
	(void)state;
	hdr()->setup_sects = 0;
	expect_refused(&t, "auto", ERR_INVAL, "truncated");
	hdr()->syssize -= 512 / 16;
	load();
}

static void test_boot_flag(void **state)
{
	(void)state;
	hdr()->boot_flag = 0xaa56;
	expect_refused(&t, "linux64", ERR_INVAL, "boot flag is 0xaa56, expected 0xaa55");
	expect_refused(&t, "auto", ERR_INVAL, "none of bzImage, multiboot, PVH ELF, 64-bit ELF");
}

static void test_magic(void **state)
{
	(void)state;
	hdr()->header++;
	expect_refused(&t, "linux64", ERR_INVAL, "header magic is 0x53726449");
}

static void test_version(void **state)
{
	(void)state;
	hdr()->version = 0x020b;
	expect_refused(&t, "auto", ERR_NOTSUP, "boot protocol 2.11, expected 2.12");
}

static void test_32bit_kernel(void **state)
{
	(void)state;
	hdr()->xloadflags = XLF_CAN_BE_LOADED_ABOVE_4G;
	expect_refused(&t, "auto", ERR_NOTSUP, "no 64-bit entry");
}

static void test_jump(void **state)
{
	(void)state;
	hdr()->jump = 0x10eb;
	expect_refused(&t, "auto", ERR_INVAL, "setup header ends at 0x212");
}

static void test_syssize(void **state)
{
	(void)state;
	hdr()->syssize = 0xffffffff;
	expect_refused(&t, "auto", ERR_INVAL, "truncated: it has 0x1840 bytes");
	hdr()->syssize = 0x20;
	expect_refused(&t, "auto", ERR_INVAL, "code has 0x200 bytes");
}

static void test_payload(void **state)
{
	(void)state;
	hdr()->payload_offset = 0xffffffff;
	hdr()->payload_length = 2;
	expect_refused(&t, "auto", ERR_INVAL, "payload of 0x2 bytes at 0xffffffff");
	hdr()->payload_offset = CODE_SIZE - 1;
	expect_refused(&t, "auto", ERR_INVAL, "outside its code");
}

static void test_init_size(void **state)
{
	(void)state;
	hdr()->init_size = CODE_SIZE - 1;
	expect_refused(&t, "auto", ERR_INVAL, "init_size is 0xfff");
	hdr()->init_size = 0xffffffff;
	expect_refused(&t, "auto", ERR_NOMEM, "needs 0xffffffff bytes at 0x1000000");
}

static void test_alignment(void **state)
{
	(void)state;
	hdr()->kernel_alignment = 0;
	expect_refused(&t, "auto", ERR_INVAL, "kernel_alignment is 0x0");
	hdr()->kernel_alignment = 3 * MB;
	expect_refused(&t, "auto", ERR_INVAL, "kernel_alignment is 0x300000");
}

static void test_pref_address(void **state)
{
	(void)state;
	hdr()->pref_address = LOAD_AT + PAGE_SIZE;
	expect_refused(&t, "auto", ERR_INVAL, "pref_address is 0x1001000");
	hdr()->pref_address = 0;
	expect_refused(&t, "auto", ERR_INVAL, "pref_address is 0x0");
	hdr()->pref_address = TEST_MEM - 2 * MB;
	expect_refused(&t, "auto", ERR_NOMEM, "the VM has 64 MB");
	hdr()->pref_address = 0xffffffffffe00000; /* the sum wraps */
	expect_refused(&t, "auto", ERR_NOMEM, "needs");
}

/* Every prefix of the image is refused, and never read past its end. */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t size = 0; size < IMAGE; size += size < 0x300 ? 1 : 97) {
		expect_refused_cut(&t, "linux64", size);
		expect_refused_cut(&t, "auto", size);
	}
}

static void test_unknown_loader(void **state)
{
	(void)state;
	expect_refused(&t, "grub", ERR_NOENT, "boot=grub is unknown, expected auto, linux64");
	t.req.kernel.size = 3;
	expect_refused(&t, "auto", ERR_INVAL, "has 3 bytes");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_entry_and_code),
		TEST(test_zero_page),
		TEST(test_header_length),
		TEST(test_e820),
		TEST(test_e820_high),
		TEST(test_initrd),
		TEST(test_initrd_limit),
		TEST(test_initrd_below),
		TEST(test_initrd_too_big),
		TEST(test_initrd_limit_too_low),
		TEST(test_cmdline),
		TEST(test_modules),
		TEST(test_old_setup_sects),
		TEST(test_boot_flag),
		TEST(test_magic),
		TEST(test_version),
		TEST(test_32bit_kernel),
		TEST(test_jump),
		TEST(test_syssize),
		TEST(test_payload),
		TEST(test_init_size),
		TEST(test_alignment),
		TEST(test_pref_address),
		TEST(test_truncated),
		TEST(test_unknown_loader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
