/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot kernels ("Multiboot Specification version 0.6.96"): ELF, or any format whose header
 * gives load addresses. Entered in 32-bit protected mode with EBX pointing to the information.
 */
#include "hv/lib/string.h"
#include "hv/vm/load.h"

#define SEARCH_BYTES 8192u /* the header lies within these, aligned to */
#define SEARCH_STEP  4u
#define HEADER_MAGIC 0x1badb002u
#define ENTRY_MAGIC  0x2badb002u
#define LOADER_NAME  "Triptych"

/* Flags of the header: the low half must be understood, the high half may be ignored. */
#define WANT_PAGE_ALIGN BIT(0)
#define WANT_MEMORY	BIT(1)
#define WANT_VIDEO	BIT(2)
#define HAS_ADDRESSES	BIT(16)
#define MUST_KNOW	0xffffu

/* Flags of the information: which fields are valid. */
#define INFO_MEMORY  BIT(0)
#define INFO_CMDLINE BIT(2)
#define INFO_MODULES BIT(3)
#define INFO_MAP     BIT(6)
#define INFO_NAME    BIT(9)

struct header {
	u32 magic, flags, checksum;
	/* valid with HAS_ADDRESSES */
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct info {
	u32 flags;
	u32 mem_lower, mem_upper; /* KB */
	u32 boot_device, cmdline;
	u32 mods_count, mods_addr;
	u32 syms[4];
	u32 mmap_length, mmap_addr;
	u32 drives_length, drives_addr, config_table;
	u32 boot_loader_name;
};

struct module {
	u32 start, end, string, reserved;
};

struct __packed map_entry {
	u32 size; /* of the rest */
	u64 start, length;
	u32 type;
};

static_assert(offsetof(struct info, mods_count) == 20, "multiboot information: modules");
static_assert(offsetof(struct info, mmap_length) == 44, "multiboot information: memory map");
static_assert(offsetof(struct info, boot_loader_name) == 64, "multiboot information: name");
static_assert(sizeof(struct module) == 16, "multiboot module");
static_assert(sizeof(struct map_entry) == 24, "multiboot memory map entry");

#define ADDRESSES_AT offsetof(struct header, header_addr)
#define NAME_AT	     (LOAD_INFO + sizeof(struct info))

/* Offset of the header in the file; false if there is none. */
static bool find_header(const struct blob *file, u64 *offset, struct header *h)
{
	for (u64 at = 0; at + ADDRESSES_AT <= SEARCH_BYTES; at += SEARCH_STEP) {
		if (!blob_has(file, at, ADDRESSES_AT))
			return false;
		*h = (struct header){ 0 };
		memcpy(h, file->data + at, ADDRESSES_AT);
		if (h->magic != HEADER_MAGIC || h->magic + h->flags + h->checksum)
			continue;
		if ((h->flags & HAS_ADDRESSES) && blob_has(file, at, sizeof(*h)))
			memcpy(h, file->data + at, sizeof(*h));
		*offset = at;
		return true;
	}
	return false;
}

static bool multiboot_probe(const struct blob *kernel)
{
	struct header h = { 0 };
	u64 offset;

	return find_header(kernel, &offset, &h);
}

static enum status check_header(const struct blob *file, u64 *offset, struct header *h, char *err)
{
	u32 unknown;

	if (!find_header(file, offset, h))
		return load_refuse(err, ERR_NOENT,
			"the kernel has no multiboot header: magic 0x1badb002 with a right "
			"checksum in "
			"its first 8192 bytes");
	unknown = h->flags & MUST_KNOW & ~(u32)(WANT_PAGE_ALIGN | WANT_MEMORY);
	if (unknown == WANT_VIDEO)
		return load_refuse(err, ERR_NOTSUP,
			"the multiboot kernel requires a video mode (flags 0x%x): there is no "
			"display",
			h->flags);
	if (unknown)
		return load_refuse(err, ERR_NOTSUP,
			"the multiboot kernel requires features 0x%x that are not known, expected "
			"at "
			"most 0x3",
			unknown);
	if ((h->flags & HAS_ADDRESSES) && !blob_has(file, *offset, sizeof(*h)))
		return load_refuse(err, ERR_INVAL,
			"the multiboot kernel is truncated: its header at 0x%lx is outside its "
			"0x%zx "
			"bytes",
			*offset, file->size);
	return OK;
}

/* What the address fields of a header say, checked against the file. */
struct placement {
	u64 file_offset, start, filesz, memsz;
};

static enum status check_addresses(
	const struct blob *file, u64 offset, const struct header *h, struct placement *p, char *err)
{
	u64 before = (u64)h->header_addr - h->load_addr; /* bytes loaded before the header */

	if (h->load_addr > h->header_addr || before > offset)
		return load_refuse(err, ERR_INVAL,
			"the multiboot header at 0x%lx of the file cannot be at 0x%x with loading "
			"from "
			"0x%x",
			offset, h->header_addr, h->load_addr);
	p->start = h->load_addr;
	p->file_offset = offset - before;
	p->filesz = h->load_end_addr ? (u64)h->load_end_addr - h->load_addr
				     : file->size - p->file_offset;
	if (h->load_end_addr &&
		(h->load_end_addr < h->load_addr || !blob_has(file, p->file_offset, p->filesz)))
		return load_refuse(err, ERR_INVAL,
			"the multiboot kernel loads 0x%x to 0x%x, its file has 0x%zx bytes",
			h->load_addr, h->load_end_addr, file->size);
	p->memsz = p->filesz;
	if (h->bss_end_addr) {
		if (h->bss_end_addr < p->start + p->filesz)
			return load_refuse(err, ERR_INVAL,
				"the multiboot kernel's bss ends at 0x%x, before its data at 0x%lx",
				h->bss_end_addr, p->start + p->filesz);
		p->memsz = h->bss_end_addr - p->start;
	}
	if (h->entry_addr < p->start || h->entry_addr - p->start >= p->memsz)
		return load_refuse(err, ERR_RANGE,
			"the multiboot entry 0x%x is outside 0x%lx to 0x%lx, where the kernel is",
			h->entry_addr, p->start, p->start + p->memsz);
	return OK;
}

static enum status load_by_addresses(const struct load_request *req, u64 offset,
	const struct header *h, struct placer *used, char *err)
{
	struct placement p = { 0 };
	enum status st = check_addresses(&req->kernel, offset, h, &p, err);

	if (!st && !load_may_occupy(req->mem, p.start, p.memsz))
		st = load_refuse(err, ERR_RANGE,
			"the multiboot kernel (0x%lx bytes at 0x%lx) is outside the VM's %lu MB of "
			"memory or in its reserved parts",
			p.memsz, p.start, req->mem / MB);
	if (!st)
		st = load_put(req, p.start, req->kernel.data + p.file_offset, p.filesz, err);
	if (!st)
		st = load_zero(req, p.start + p.filesz, p.memsz - p.filesz, err);
	if (!st && !placer_use(used, p.start, p.memsz))
		st = ERR_NOMEM;
	return st;
}

static enum status load_by_elf(
	const struct load_request *req, u64 *entry, struct placer *used, char *err)
{
	struct elf_image elf;
	enum status st = elf_open(&req->kernel, &elf, err);

	if (!st && (!elf_entry(&elf, entry) || *entry > UINT32_MAX))
		st = load_refuse(err, ERR_RANGE,
			"the ELF entry 0x%lx is in no segment loaded below 4 GB", elf.entry);
	return st ? st : elf_load(req, &elf, used, err);
}

static enum status put_modules(
	const struct load_request *req, struct placer *used, u32 *count, char *err)
{
	struct placed_modules mods;
	enum status st = load_modules(req, used, &mods, err);

	*count = mods.count;
	for (unsigned i = 0; !st && i < mods.count; i++) {
		const struct placed_module *p = &mods.module[i];
		struct module m = { (u32)p->start, (u32)(p->start + p->size), (u32)p->args, 0 };

		st = load_put(req, LOAD_MODULES + i * sizeof(m), &m, sizeof(m), err);
	}
	return st;
}

static enum status put_map(const struct load_request *req, u32 *length, char *err)
{
	struct mem_range map[LOAD_MAP_MAX];
	struct map_entry out[LOAD_MAP_MAX];
	unsigned n = load_memory_map(req->mem, map);

	for (unsigned i = 0; i < n; i++)
		out[i] = (struct map_entry){ sizeof(out[i]) - sizeof(out[i].size), map[i].start,
			map[i].size, map[i].type };
	*length = (u32)(n * sizeof(out[0]));
	return load_put(req, LOAD_MAP, out, *length, err);
}

static enum status put_info(const struct load_request *req, struct placer *used, char *err)
{
	struct info info = { .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP |
				      INFO_NAME,
		.mem_lower = LOAD_LOW_RAM / KB,
		.mem_upper = (u32)((load_low_end(req->mem) - LOAD_HIGH_START) / KB),
		.cmdline = LOAD_CMDLINE,
		.mods_addr = LOAD_MODULES,
		.mmap_addr = LOAD_MAP,
		.boot_loader_name = NAME_AT };
	enum status st = put_modules(req, used, &info.mods_count, err);

	if (!st)
		st = put_map(req, &info.mmap_length, err);
	if (!st)
		st = load_put(req, NAME_AT, LOADER_NAME, sizeof(LOADER_NAME), err);
	return st ? st : load_put(req, LOAD_INFO, &info, sizeof(info), err);
}

static enum status multiboot_load(
	const struct load_request *req, struct vcpu_state *state, char *err)
{
	struct placer used = { 0 };
	struct header h = { 0 };
	u64 offset = 0, entry;
	enum status st = check_header(&req->kernel, &offset, &h, err);

	if (st)
		return st;
	entry = h.entry_addr;
	if (h.flags & HAS_ADDRESSES)
		st = load_by_addresses(req, offset, &h, &used, err);
	else
		st = load_by_elf(req, &entry, &used, err);
	if (!st)
		st = load_cmdline(req, LOADER_CMDLINE_MAX, err);
	if (!st)
		st = put_info(req, &used, err);
	if (!st)
		st = load_enter32(req, (u32)entry, state, err);
	if (!st) {
		state->gpr[RAX] = ENTRY_MAGIC;
		state->gpr[RBX] = LOAD_INFO;
	}
	return st;
}

const struct loader loader_multiboot = {
	.name = "multiboot",
	.probe = multiboot_probe,
	.load = multiboot_load,
};
