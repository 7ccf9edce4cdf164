/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF files: parsing for all ELF boot protocols, and the flat 64-bit protocol of our own guests
 * (hv/vm/loader.h). Names are those of the System V ABI, "Object Files".
 */
#include <elf.h>
#include "hv/lib/string.h"
#include "hv/vm/load.h"

bool elf_is(const struct blob *file)
{
	return blob_has(file, 0, EI_NIDENT) && !memcmp(file->data, ELFMAG, SELFMAG);
}

/* The fields of the file header that matter, of either class. */
struct header {
	u16 type, machine, phentsize, phnum;
	u32 version;
	u64 entry, phoff;
};

#define READ_HEADER(kind, file, h)                                                                 \
	do {                                                                                       \
		kind _e;                                                                           \
		memcpy(&_e, (file)->data, sizeof(_e));                                             \
		*(h) = (struct header){ _e.e_type, _e.e_machine, _e.e_phentsize, _e.e_phnum,       \
			_e.e_version, _e.e_entry, _e.e_phoff };                                    \
	} while (0)

static enum status read_header(
	const struct blob *file, struct elf_image *out, struct header *h, char *err)
{
	u8 class, data;

	if (!elf_is(file))
		return load_refuse(err, ERR_INVAL,
			"the kernel image of %zu bytes does not start with the ELF magic",
			file->size);
	class = file->data[EI_CLASS];
	data = file->data[EI_DATA];
	if (class != ELFCLASS32 && class != ELFCLASS64)
		return load_refuse(err, ERR_INVAL, "the ELF class is %u, expected 1 or 2", class);
	if (data != ELFDATA2LSB)
		return load_refuse(err, ERR_INVAL,
			"the ELF byte order is %u, expected 1 (little-endian)", data);
	out->is64 = class == ELFCLASS64;
	if (!blob_has(file, 0, out->is64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
		return load_refuse(err, ERR_INVAL,
			"the ELF file is truncated: it has %zu bytes, too few for its header",
			file->size);
	if (out->is64)
		READ_HEADER(Elf64_Ehdr, file, h);
	else
		READ_HEADER(Elf32_Ehdr, file, h);
	return OK;
}

static enum status check_header(
	const struct blob *file, const struct elf_image *elf, const struct header *h, char *err)
{
	u64 phentsize = elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (h->version != EV_CURRENT)
		return load_refuse(err, ERR_INVAL, "the ELF version is %u, expected 1", h->version);
	if (h->type != ET_EXEC)
		return load_refuse(err, ERR_NOTSUP,
			"the ELF type is %u, expected 2 (an executable at fixed addresses)",
			h->type);
	if (h->machine != EM_386 && h->machine != EM_X86_64)
		return load_refuse(err, ERR_NOTSUP,
			"the ELF machine is %u, expected 3 (i386) or 62 (x86-64)", h->machine);
	if (h->phentsize != phentsize)
		return load_refuse(err, ERR_INVAL,
			"the ELF program headers have %u bytes each, expected %lu", h->phentsize,
			phentsize);
	if (!h->phnum || h->phnum > ELF_SEGMENTS_MAX)
		return load_refuse(err, ERR_INVAL,
			"the ELF file has %u program headers, expected 1 to %u", h->phnum,
			ELF_SEGMENTS_MAX);
	if (!blob_has(file, h->phoff, h->phnum * phentsize))
		return load_refuse(err, ERR_INVAL,
			"the ELF file is truncated: its %u program headers at 0x%lx are outside "
			"its "
			"0x%zx bytes",
			h->phnum, h->phoff, file->size);
	return OK;
}

#define READ_SEGMENT(kind, first, i, s)                                                            \
	do {                                                                                       \
		kind _p;                                                                           \
		memcpy(&_p, (first) + (i) * sizeof(_p), sizeof(_p));                               \
		*(s) = (struct elf_segment){ _p.p_type, _p.p_offset, _p.p_filesz, _p.p_memsz,      \
			_p.p_vaddr, _p.p_paddr };                                                  \
	} while (0)

void elf_segment(const struct elf_image *elf, unsigned i, struct elf_segment *out)
{
	if (elf->is64)
		READ_SEGMENT(Elf64_Phdr, elf->file->data + elf->phoff, i, out);
	else
		READ_SEGMENT(Elf32_Phdr, elf->file->data + elf->phoff, i, out);
}

static enum status check_segment(
	const struct elf_image *elf, unsigned i, const struct elf_segment *s, char *err)
{
	if (!blob_has(elf->file, s->offset, s->filesz))
		return load_refuse(err, ERR_INVAL,
			"ELF segment %u (0x%lx bytes at 0x%lx of the file) is outside the file's "
			"0x%zx "
			"bytes",
			i, s->filesz, s->offset, elf->file->size);
	if (s->type == PT_LOAD && s->filesz > s->memsz)
		return load_refuse(err, ERR_INVAL,
			"ELF segment %u has 0x%lx bytes in the file and only 0x%lx in memory", i,
			s->filesz, s->memsz);
	return OK;
}

enum status elf_open(const struct blob *file, struct elf_image *out, char *err)
{
	struct header h = { 0 };
	struct elf_segment s;
	enum status st;

	*out = (struct elf_image){ .file = file };
	st = read_header(file, out, &h, err);
	if (!st)
		st = check_header(file, out, &h, err);
	if (st)
		return st;
	out->machine = h.machine;
	out->entry = h.entry;
	out->phoff = h.phoff;
	out->segments = h.phnum;
	for (unsigned i = 0; !st && i < out->segments; i++) {
		elf_segment(out, i, &s);
		st = check_segment(out, i, &s, err);
	}
	return st;
}

static enum status load_segment(const struct load_request *req, const struct elf_image *elf,
	unsigned i, const struct elf_segment *s, char *err)
{
	enum status st;

	if (!load_may_occupy(req->mem, s->paddr, s->memsz))
		return load_refuse(err, ERR_RANGE,
			"ELF segment %u (0x%lx bytes at 0x%lx) is outside the VM's %lu MB of "
			"memory "
			"or in its reserved parts",
			i, s->memsz, s->paddr, req->mem / MB);
	st = load_put(req, s->paddr, elf->file->data + s->offset, s->filesz, err);
	if (!st)
		st = load_zero(req, s->paddr + s->filesz, s->memsz - s->filesz, err);
	return st;
}

enum status elf_load(
	const struct load_request *req, const struct elf_image *elf, struct placer *p, char *err)
{
	struct elf_segment s;
	unsigned loaded = 0;
	enum status st = OK;

	for (unsigned i = 0; !st && i < elf->segments; i++) {
		elf_segment(elf, i, &s);
		if (s.type != PT_LOAD || !s.memsz)
			continue;
		st = load_segment(req, elf, i, &s, err);
		if (!st && p && !placer_use(p, s.paddr, s.memsz))
			st = load_refuse(err, ERR_NOMEM, "the ELF file has too many segments");
		loaded++;
	}
	if (!st && !loaded)
		st = load_refuse(err, ERR_INVAL,
			"the ELF file has %u program headers and none is a segment to load",
			elf->segments);
	return st;
}

/* The PT_LOAD segment that holds an address, virtual or physical. */
static bool find_segment(
	const struct elf_image *elf, u64 address, bool physical, struct elf_segment *s)
{
	for (unsigned i = 0; i < elf->segments; i++) {
		elf_segment(elf, i, s);

		u64 start = physical ? s->paddr : s->vaddr;

		if (s->type == PT_LOAD && address >= start && address - start < s->memsz)
			return true;
	}
	return false;
}

bool elf_has_paddr(const struct elf_image *elf, u64 paddr)
{
	struct elf_segment s;

	return find_segment(elf, paddr, true, &s);
}

bool elf_entry(const struct elf_image *elf, u64 *paddr)
{
	struct elf_segment s;

	if (find_segment(elf, elf->entry, false, &s))
		*paddr = elf->entry - s.vaddr + s.paddr;
	else if (find_segment(elf, elf->entry, true, &s))
		*paddr = elf->entry;
	else
		return false;
	return true;
}

/* ---- the flat 64-bit protocol ---- */

static enum status flat_check(
	const struct load_request *req, const struct elf_image *elf, u64 *entry, char *err)
{
	if (!elf->is64 || elf->machine != EM_X86_64)
		return load_refuse(err, ERR_NOTSUP,
			"the ELF file has class %u and machine %u, boot=elf expects 2 (64-bit) and "
			"62 "
			"(x86-64)",
			elf->is64 ? ELFCLASS64 : ELFCLASS32, elf->machine);
	if (req->initrd.size || req->modules)
		return load_refuse(err, ERR_NOTSUP,
			"boot=elf takes no initrd and no modules, some were given");
	if (!elf_entry(elf, entry) || *entry >= LAYOUT_LOW_MAX)
		return load_refuse(err, ERR_RANGE,
			"the ELF entry 0x%lx is in no segment loaded below 3 GB", elf->entry);
	return OK;
}

static enum status flat_load(const struct load_request *req, struct vcpu_state *state, char *err)
{
	struct elf_image elf;
	u64 entry = 0;
	enum status st = elf_open(&req->kernel, &elf, err);

	if (!st)
		st = elf_load(req, &elf, NULL, err);
	if (!st)
		st = flat_check(req, &elf, &entry, err);
	if (!st)
		st = load_cmdline(req, LOADER_CMDLINE_MAX, err);
	if (!st)
		st = load_enter64(req, entry, state, err);
	if (st)
		return st;
	state->gpr[RDI] = LOAD_CMDLINE;
	state->gpr[RSI] = req->mem;
	state->gpr[RDX] = req->rsdp.v;
	return OK;
}

const struct loader loader_elf = {
	.name = "elf",
	.probe = elf_is,
	.load = flat_load,
};
