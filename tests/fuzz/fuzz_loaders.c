/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest loaders and the VM description against hostile bytes. An input is one byte that chooses a
 * good image, then edits of it: two bytes of offset, one of length, the bytes. With the top bit of
 * the first byte set, the rest is the image itself. Checked: no sanitizer complaint, a refusal has
 * a sentence, an image that is taken starts in RAM, and the loaders' own area holds what they put.
 *
 * Sources: hv/drv/gpt.c hv/vm/manifest.c hv/vm/load.c hv/vm/load_linux.c hv/vm/load_elf.c
 * hv/vm/load_pvh.c hv/vm/load_multiboot.c hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/lib/text.c
 */
#include <asm/bootparam.h>
#include <elf.h>
#undef PF_W /* a page-fault bit in hv/cpu/regs.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/vm/load.h"
#include "hv/vm/manifest.h"
#include "tests/fuzz/fuzz.h"

#define MEM	(8 * MB)
#define LOAD_AT 0x200000ul
#define SIZE	0x1000u

static void make_linux(u8 *image)
{
	*(struct setup_header *)(image + 0x1f1) = (struct setup_header){ .setup_sects = 1,
		.syssize = 0xc00 / 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb,
		.header = 0x53726448,
		.version = 0x020f,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.pref_address = LOAD_AT,
		.init_size = MB };
}

static void make_elf64(u8 *image)
{
	Elf64_Ehdr e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				 EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = LOAD_AT,
		.e_phoff = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2 };
	Elf64_Phdr p[] = { { .p_type = PT_LOAD,
				   .p_offset = 0x200,
				   .p_vaddr = LOAD_AT,
				   .p_paddr = LOAD_AT,
				   .p_filesz = 0x800,
				   .p_memsz = 0x2000 },
		{ .p_type = PT_NOTE, .p_offset = 0x100, .p_filesz = 0x40 } };

	memcpy(image, &e, sizeof(e));
	memcpy(image + sizeof(e), p, sizeof(p));
}

static void make_pvh(u8 *image)
{
	u32 note[] = { 4, 4, 6, 0x6e6558, 0, 4, 4, 18, 0x6e6558, LOAD_AT + 16 };

	make_elf64(image);
	memcpy(image + 0x100, note, sizeof(note));
}

static void make_multiboot(u8 *image)
{
	u32 header[] = { 0x1badb002, 0x10003, -(0x1badb002 + 0x10003), LOAD_AT + 0x400, LOAD_AT,
		LOAD_AT + SIZE, LOAD_AT + 2 * SIZE, LOAD_AT + 0x40 };

	memcpy(image + 0x400, header, sizeof(header));
}

static void make_multiboot_elf(u8 *image)
{
	u32 header[] = { 0x1badb002, 3, -(0x1badb002 + 3) };

	make_elf64(image);
	memcpy(image + 0x400, header, sizeof(header));
}

static void make_manifest(u8 *image)
{
	strcpy((char *)image, "name=a\nboot=auto\nkernel=k\ninitrd=i\nmodule=m x\nappend=b c\n"
			      "mem=64M\nvcpus=2\nmmu=ept\nio=virtio\ntestdev=yes\nreboot=no\n");
}

/* A good image, and where in it the fields lie that decide. */
static const struct template
{
	void (*make)(u8 * image);
	u16 hot, hot_len;
}
templates[] = {
	{ make_linux, 0x1f1, 0x80 },
	{ make_elf64, 0, 0xb0 },
	{ make_pvh, 0, 0x130 },
	{ make_multiboot, 0x400, 0x20 },
	{ make_multiboot_elf, 0, 0xb0 },
	{ make_manifest, 0, 0x90 },
};

/* Offsets with the top bit set fall among the deciding fields. */
static void edit(const struct template *t, u8 *image, const u8 *data, size_t size)
{
	while (size >= 3) {
		size_t offset = (size_t)(data[0] | data[1] << 8);
		size_t at = offset & 0x8000 ? t->hot + offset % t->hot_len : offset % SIZE;
		size_t len = MIN((size_t)data[2] % 8 + 1, MIN(size - 3, SIZE - at));

		memcpy(image + at, data + 3, len);
		data += 3 + len;
		size -= 3 + len;
	}
}

static struct guestmem *guest(void)
{
	static struct guestmem gm;

	if (!gm.slots) {
		CHECK(guestmem_add(&gm, GPA(0), MEM) == OK);
		guestmem_hole(&gm, GPA(LAYOUT_HOLE_START), GPA(LAYOUT_HOLE_END));
	}
	return &gm;
}

static void check_sentence(const char *err)
{
	size_t len = strnlen(err, LOADER_ERR_MAX);

	CHECK(len > 10 && len < LOADER_ERR_MAX);
}

static void try_load(const u8 *image, size_t size)
{
	static const u8 module[5000];
	static const char *const boots[] = { "auto", "linux64", "pvh", "multiboot", "elf" };
	struct load_request req = {
		.gm = guest(), .mem = MEM, .kernel = { image, size, "" }, .cmdline = "quiet"
	};
	struct vcpu_state state;
	char err[LOADER_ERR_MAX];
	u64 descriptor;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(boots); i++) {
		/* Each with and without an initrd. */
		req.initrd = (struct blob){ module, i % 2 ? sizeof(module) : 0, "" };
		memset(err, 0, sizeof(err));
		if (load_image(boots[i / 2], &req, &state, err)) {
			check_sentence(err);
			continue;
		}
		CHECK(guest_is_ram(req.gm, GPA(state.rip), 1));
		CHECK(guest_read(req.gm, GPA(LOAD_GDT + LOAD_SEL_DATA), &descriptor, 8) == OK);
		CHECK(descriptor == 0x00cf93000000ffff);
	}
}

static void try_parse(const u8 *text, size_t size)
{
	static struct manifest m;
	char err[LOADER_ERR_MAX] = "";

	if (manifest_parse((const char *)text, size, &m, err)) {
		check_sentence(err);
		return;
	}
	CHECK(m.kernel[0] && m.vcpus >= 1 && m.vcpus <= 16 && m.mem >= 4 * MB);
	CHECK(m.modules <= LOADER_MODULES_MAX && strnlen(m.append, sizeof(m.append)) <= 2047);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct template *t;
	u8 *image;

	if (!size)
		return 0;
	if (data[0] & 0x80) {
		try_load(data + 1, size - 1);
		try_parse(data + 1, size - 1);
		return 0;
	}
	t = &templates[data[0] % ARRAY_SIZE(templates)];
	image = calloc(1, SIZE);
	t->make(image);
	edit(t, image, data + 1, size - 1);
	if (t->make == make_manifest)
		try_parse(image, strnlen((char *)image, SIZE));
	else
		try_load(image, SIZE);
	free(image);
	return 0;
}
