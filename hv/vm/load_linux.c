/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux bzImage by the 64-bit boot protocol ("The Linux/x86 Boot Protocol", sections "Details of
 * Header Fields" and "64-bit Boot Protocol").
 *
 *   file   | boot sector, setup_sects sectors of setup code | protected-mode code: syssize * 16 |
 *   guest    (not loaded; its header goes to the zero page)   pref_address, entry at + 0x200
 */
#include <asm/bootparam.h>
#include "hv/lib/string.h"
#include "hv/vm/load.h"

#define HDR_OFFSET	 offsetof(struct boot_params, hdr)
#define SECTOR		 512ul
#define PARAGRAPH	 16ul
#define BOOT_FLAG	 0xaa55u
#define HEADER_MAGIC	 0x53726448u /* "HdrS" */
#define VERSION_MIN	 0x020cu     /* the first with xloadflags */
#define SETUP_SECTS_OLD	 4u	     /* what a setup_sects of 0 stands for */
#define ENTRY64		 0x200ul
#define HDR_JUMP_END	 0x202ul /* the header ends this much plus the jump's displacement */
#define LOADER_UNDEFINED 0xffu
#define VIDEO_NORMAL	 0xffffu
#define HEAP_END	 0xde00u /* a heap up to 0xe000, less the stack, as the protocol advises */

static_assert(HDR_OFFSET == 0x1f1, "zero page: setup header");
static_assert(offsetof(struct boot_params, acpi_rsdp_addr) == 0x70, "zero page: RSDP");
static_assert(offsetof(struct boot_params, e820_entries) == 0x1e8, "zero page: e820 count");
static_assert(offsetof(struct boot_params, e820_table) == 0x2d0, "zero page: e820 table");
static_assert(sizeof(struct boot_params) == PAGE_SIZE, "zero page");
static_assert(sizeof(struct boot_e820_entry) == 20, "e820 entry");

/* What the checks found out about an image. */
struct bzimage {
	struct setup_header hdr;
	size_t hdr_len; /* bytes of hdr that this version of the protocol has */
	u64 code, size; /* the protected-mode code in the file */
	u64 address;	/* where it goes */
};

static bool linux_probe(const struct blob *kernel)
{
	struct setup_header h;

	if (!blob_has(kernel, HDR_OFFSET, sizeof(h)))
		return false;
	memcpy(&h, kernel->data + HDR_OFFSET, sizeof(h));
	return h.boot_flag == BOOT_FLAG && h.header == HEADER_MAGIC;
}

static enum status read_header(const struct blob *file, struct bzimage *bz, char *err)
{
	struct setup_header *h = &bz->hdr;

	if (!blob_has(file, HDR_OFFSET, sizeof(*h)))
		return load_refuse(err, ERR_INVAL,
			"the bzImage has %zu bytes, too few for a setup header", file->size);
	memcpy(h, file->data + HDR_OFFSET, sizeof(*h));
	if (h->boot_flag != BOOT_FLAG)
		return load_refuse(err, ERR_INVAL,
			"the bzImage's boot flag is 0x%04x, expected 0xaa55", h->boot_flag);
	if (h->header != HEADER_MAGIC)
		return load_refuse(err, ERR_INVAL,
			"the bzImage's header magic is 0x%08x, expected 0x53726448 (HdrS)",
			h->header);
	if (h->version < VERSION_MIN)
		return load_refuse(err, ERR_NOTSUP,
			"the bzImage has boot protocol %u.%02u, expected 2.12 or later",
			h->version >> 8, h->version & 0xff);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return load_refuse(err, ERR_NOTSUP,
			"the bzImage has no 64-bit entry (xloadflags 0x%x), expected a 64-bit "
			"kernel",
			h->xloadflags);
	return OK;
}

/* The jump's displacement says where the header ends: fields past it belong to a later protocol. */
static enum status measure_header(const struct blob *file, struct bzimage *bz, char *err)
{
	u64 end = HDR_JUMP_END + (bz->hdr.jump >> 8);
	u64 need = HDR_OFFSET + offsetof(struct setup_header, handover_offset);

	if (end < need || !blob_has(file, 0, end))
		return load_refuse(err, ERR_INVAL,
			"the bzImage's setup header ends at 0x%lx, expected 0x%lx or more and "
			"within "
			"the file's %zu bytes",
			end, need, file->size);
	bz->hdr_len = MIN(end - HDR_OFFSET, sizeof(bz->hdr));
	memset((u8 *)&bz->hdr + bz->hdr_len, 0, sizeof(bz->hdr) - bz->hdr_len);
	return OK;
}

static enum status find_code(const struct blob *file, struct bzimage *bz, char *err)
{
	const struct setup_header *h = &bz->hdr;
	u64 sects = h->setup_sects ? h->setup_sects : SETUP_SECTS_OLD;

	bz->code = (sects + 1) * SECTOR;
	bz->size = h->syssize * PARAGRAPH;
	if (!blob_has(file, bz->code, bz->size))
		return load_refuse(err, ERR_INVAL,
			"the bzImage is truncated: it has 0x%zx bytes, its header asks for 0x%lx",
			file->size, bz->code + bz->size);
	if (bz->size <= ENTRY64)
		return load_refuse(err, ERR_INVAL,
			"the bzImage's code has 0x%lx bytes, expected more than 0x200", bz->size);
	if (h->payload_offset > bz->size || h->payload_length > bz->size - h->payload_offset)
		return load_refuse(err, ERR_INVAL,
			"the bzImage's payload of 0x%x bytes at 0x%x is outside its code of 0x%lx "
			"bytes",
			h->payload_length, h->payload_offset, bz->size);
	if (h->init_size < bz->size)
		return load_refuse(err, ERR_INVAL,
			"the bzImage's init_size is 0x%x, expected at least its code's 0x%lx bytes",
			h->init_size, bz->size);
	return OK;
}

/*
 * The code goes to pref_address and nowhere else: the decompressor moves itself up to there in any
 * case, so that a lower place would only hide that the memory is too small.
 */
static enum status choose_address(const struct load_request *req, struct bzimage *bz, char *err)
{
	const struct setup_header *h = &bz->hdr;
	u64 need = h->pref_address + h->init_size;

	if (!IS_POW2(h->kernel_alignment))
		return load_refuse(err, ERR_INVAL,
			"the bzImage's kernel_alignment is 0x%x, expected a power of two",
			h->kernel_alignment);
	if (!IS_ALIGNED(h->pref_address, h->kernel_alignment) || h->pref_address < LOAD_HIGH_START)
		return load_refuse(err, ERR_INVAL,
			"the bzImage's pref_address is 0x%lx, expected a multiple of its "
			"kernel_alignment 0x%x, from 1 MB up",
			(u64)h->pref_address, h->kernel_alignment);
	if (h->pref_address >= LAYOUT_LOW_MAX || need > load_low_end(req->mem))
		return load_refuse(err, ERR_NOMEM,
			"the kernel needs 0x%x bytes at 0x%lx, the VM has %lu MB of memory",
			h->init_size, (u64)h->pref_address, req->mem / MB);
	bz->address = h->pref_address;
	return OK;
}

static enum status place_initrd(const struct load_request *req, struct bzimage *bz, char *err)
{
	struct placer p = { 0 };
	u64 start;
	enum status st;

	if (!req->initrd.size)
		return OK;
	if (!placer_use(&p, bz->address, bz->hdr.init_size))
		return ERR_NOMEM;
	st = load_module(
		req, &p, (u64)bz->hdr.initrd_addr_max + 1, &req->initrd, "initrd", &start, err);
	/* load_module() stays below 3 GB, so that the ext_ramdisk fields are 0. */
	bz->hdr.ramdisk_image = (u32)start;
	bz->hdr.ramdisk_size = (u32)req->initrd.size;
	return st;
}

static void fill_header(struct setup_header *h)
{
	h->type_of_loader = LOADER_UNDEFINED;
	h->ext_loader_type = 0;
	h->ext_loader_ver = 0;
	h->loadflags = (u8)((h->loadflags & ~(QUIET_FLAG | KASLR_FLAG | KEEP_SEGMENTS)) |
			    LOADED_HIGH | CAN_USE_HEAP);
	h->heap_end_ptr = HEAP_END;
	h->vid_mode = VIDEO_NORMAL;
	h->cmd_line_ptr = LOAD_CMDLINE;
	h->hardware_subarch = X86_SUBARCH_PC;
	h->hardware_subarch_data = 0;
	h->setup_data = 0;
	h->ramdisk_image = 0;
	h->ramdisk_size = 0;
}

static enum status put_e820(const struct load_request *req, char *err)
{
	struct mem_range map[LOAD_MAP_MAX];
	struct boot_e820_entry table[LOAD_MAP_MAX];
	u8 n = (u8)load_memory_map(req->mem, map);
	enum status st;

	for (unsigned i = 0; i < n; i++)
		table[i] = (struct boot_e820_entry){ map[i].start, map[i].size, map[i].type };
	st = load_put(req, LOAD_INFO + offsetof(struct boot_params, e820_table), table,
		n * sizeof(table[0]), err);
	if (!st)
		st = load_put(req, LOAD_INFO + offsetof(struct boot_params, e820_entries), &n,
			sizeof(n), err);
	return st;
}

static enum status put_zero_page(
	const struct load_request *req, const struct bzimage *bz, char *err)
{
	enum status st = load_zero(req, LOAD_INFO, sizeof(struct boot_params), err);

	if (!st)
		st = load_put(req, LOAD_INFO + HDR_OFFSET, &bz->hdr, bz->hdr_len, err);
	if (!st)
		st = load_put(req, LOAD_INFO + offsetof(struct boot_params, acpi_rsdp_addr),
			&req->rsdp.v, sizeof(req->rsdp.v), err);
	return st ? st : put_e820(req, err);
}

static enum status check(const struct load_request *req, struct bzimage *bz, char *err)
{
	enum status st = read_header(&req->kernel, bz, err);

	if (!st)
		st = measure_header(&req->kernel, bz, err);
	if (!st)
		st = find_code(&req->kernel, bz, err);
	if (!st)
		st = choose_address(req, bz, err);
	if (!st && req->modules)
		st = load_refuse(err, ERR_NOTSUP,
			"the Linux boot protocol takes one initrd and no modules, %u were given",
			req->modules);
	return st;
}

static enum status linux_load(const struct load_request *req, struct vcpu_state *state, char *err)
{
	struct bzimage bz = { 0 };
	enum status st = check(req, &bz, err);

	if (st)
		return st;
	fill_header(&bz.hdr);
	st = load_put(req, bz.address, req->kernel.data + bz.code, bz.size, err);
	if (!st)
		st = place_initrd(req, &bz, err);
	if (!st)
		st = load_cmdline(req, bz.hdr.cmdline_size, err);
	if (!st)
		st = put_zero_page(req, &bz, err);
	if (!st)
		st = load_enter64(req, bz.address + ENTRY64, state, err);
	if (!st)
		state->gpr[RSI] = LOAD_INFO;
	return st;
}

const struct loader loader_linux64 = {
	.name = "linux64",
	.probe = linux_probe,
	.load = linux_load,
};
