/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF kernels with a PVH entry point: a note of owner "Xen" and type PHYS32_ENTRY names a physical
 * address that is entered in 32-bit protected mode with EBX pointing to the start information.
 * Source: Xen, docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h (the layout).
 */
#include <elf.h>
#include "hv/lib/string.h"
#include "hv/vm/load.h"

#define NOTE_OWNER	   "Xen"
#define NOTE_PHYS32_ENTRY  18u
#define NOTE_ALIGN	   4u
#define START_INFO_MAGIC   0x336ec578u
#define START_INFO_VERSION 1u /* the first with a memory map */

struct start_info {
	u32 magic, version, flags, modules;
	u64 modlist, cmdline, rsdp;
	u64 memmap;
	u32 memmap_entries, reserved;
};

struct modlist_entry {
	u64 start, size, cmdline, reserved;
};

struct memmap_entry {
	u64 start, size;
	u32 type, reserved;
};

static_assert(sizeof(struct start_info) == 56, "PVH start info, version 1");
static_assert(offsetof(struct start_info, memmap) == 40, "PVH start info: memory map");
static_assert(sizeof(struct modlist_entry) == 32, "PVH module list entry");
static_assert(sizeof(struct memmap_entry) == 24, "PVH memory map entry");
static_assert(LOAD_MAP_MAX * sizeof(struct memmap_entry) <= LOAD_MODULES - LOAD_MAP, "map fits");
static_assert(
	(LOADER_MODULES_MAX + 1) * sizeof(struct modlist_entry) <= LOAD_STRINGS - LOAD_MODULES,
	"module list fits");

/* One note: offsets into the file. */
struct note {
	u32 type;
	u64 name, name_len, desc, desc_len;
};

/*
 * Reads the note at *at of [*at, end), which lies in the file, and moves *at behind it. False when
 * what is left holds no whole note.
 */
static bool next_note(const struct blob *file, u64 *at, u64 end, struct note *n)
{
	Elf32_Nhdr h; /* the same for both classes */
	u64 left = end - *at, name_room, desc_room;

	if (left < sizeof(h))
		return false;
	memcpy(&h, file->data + *at, sizeof(h));
	name_room = ALIGN_UP((u64)h.n_namesz, NOTE_ALIGN);
	desc_room = ALIGN_UP((u64)h.n_descsz, NOTE_ALIGN);
	left -= sizeof(h);
	/* The sum of two 32-bit lengths does not wrap. The padding of the last one may be missing.
	 */
	if (name_room + h.n_descsz > left)
		return false;
	*n = (struct note){ h.n_type, *at + sizeof(h), h.n_namesz, *at + sizeof(h) + name_room,
		h.n_descsz };
	*at += sizeof(h) + MIN(name_room + desc_room, left);
	return true;
}

static bool is_entry_note(const struct blob *file, const struct note *n)
{
	return n->type == NOTE_PHYS32_ENTRY && n->name_len == sizeof(NOTE_OWNER) &&
	       !memcmp(file->data + n->name, NOTE_OWNER, sizeof(NOTE_OWNER));
}

/* True if the file has the note; its descriptor is an address of 4 or 8 bytes, or it is refused. */
static bool find_entry(const struct elf_image *elf, u64 *entry, u64 *desc_len)
{
	struct elf_segment s;
	struct note n;

	for (unsigned i = 0; i < elf->segments; i++) {
		elf_segment(elf, i, &s);
		if (s.type != PT_NOTE)
			continue;
		for (u64 at = s.offset; next_note(elf->file, &at, s.offset + s.filesz, &n);) {
			if (!is_entry_note(elf->file, &n))
				continue;
			*entry = 0;
			*desc_len = n.desc_len;
			memcpy(entry, elf->file->data + n.desc, MIN(n.desc_len, sizeof(*entry)));
			return true;
		}
	}
	return false;
}

static bool pvh_probe(const struct blob *kernel)
{
	char err[LOADER_ERR_MAX];
	struct elf_image elf;
	u64 entry, len;

	return !elf_open(kernel, &elf, err) && find_entry(&elf, &entry, &len);
}

static enum status check(const struct blob *kernel, struct elf_image *elf, u64 *entry, char *err)
{
	u64 len = 0;
	enum status st = elf_open(kernel, elf, err);

	if (st)
		return st;
	if (!find_entry(elf, entry, &len))
		return load_refuse(err, ERR_NOENT,
			"the ELF file has no PVH entry, expected a note of owner Xen and type 18");
	if (len != sizeof(u32) && len != sizeof(u64))
		return load_refuse(err, ERR_INVAL,
			"the PVH note has %lu bytes, expected an address of 4 or 8", len);
	if (*entry > UINT32_MAX || !elf_has_paddr(elf, *entry))
		return load_refuse(err, ERR_RANGE,
			"the PVH entry 0x%lx is in no segment loaded below 4 GB", *entry);
	return OK;
}

static enum status put_map(const struct load_request *req, u32 *entries, char *err)
{
	struct mem_range map[LOAD_MAP_MAX];
	struct memmap_entry out[LOAD_MAP_MAX];

	*entries = load_memory_map(req->mem, map);
	for (unsigned i = 0; i < *entries; i++)
		out[i] = (struct memmap_entry){ map[i].start, map[i].size, map[i].type, 0 };
	return load_put(req, LOAD_MAP, out, *entries * sizeof(out[0]), err);
}

static enum status put_modules(
	const struct load_request *req, struct placer *p, u32 *count, char *err)
{
	struct placed_modules mods;
	enum status st = load_modules(req, p, &mods, err);

	*count = mods.count;
	for (unsigned i = 0; !st && i < mods.count; i++) {
		const struct placed_module *m = &mods.module[i];
		struct modlist_entry e = { m->start, m->size, m->args, 0 };

		st = load_put(req, LOAD_MODULES + i * sizeof(e), &e, sizeof(e), err);
	}
	return st;
}

static enum status put_start_info(const struct load_request *req, struct placer *p, char *err)
{
	struct start_info info = { .magic = START_INFO_MAGIC,
		.version = START_INFO_VERSION,
		.modlist = LOAD_MODULES,
		.cmdline = LOAD_CMDLINE,
		.rsdp = req->rsdp.v,
		.memmap = LOAD_MAP };
	enum status st = put_modules(req, p, &info.modules, err);

	if (!st)
		st = put_map(req, &info.memmap_entries, err);
	return st ? st : load_put(req, LOAD_INFO, &info, sizeof(info), err);
}

static enum status pvh_load(const struct load_request *req, struct vcpu_state *state, char *err)
{
	struct placer p = { 0 };
	struct elf_image elf;
	u64 entry = 0;
	enum status st = check(&req->kernel, &elf, &entry, err);

	if (!st)
		st = elf_load(req, &elf, &p, err);
	if (!st)
		st = load_cmdline(req, LOADER_CMDLINE_MAX, err);
	if (!st)
		st = put_start_info(req, &p, err);
	if (!st)
		st = load_enter32(req, (u32)entry, state, err);
	if (!st)
		state->gpr[RBX] = LOAD_INFO;
	return st;
}

const struct loader loader_pvh = {
	.name = "pvh",
	.probe = pvh_probe,
	.load = pvh_load,
};
