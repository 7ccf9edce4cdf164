/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of guest loaders, and what they share: memory map, placement, entry states.
 * Image bytes are hostile: offsets and lengths are compared with what is left, never summed first.
 */
#include <stdarg.h>
#include "hv/cpu/regs.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/vm/load.h"

/* In the order that "auto" tries them: the more particular mark first. */
static const struct loader *const loaders[] = {
	&loader_linux64,
	&loader_multiboot,
	&loader_pvh,
	&loader_elf,
};

enum status load_refuse(char *err, enum status why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, LOADER_ERR_MAX, fmt, ap);
	va_end(ap);
	return why;
}

bool blob_has(const struct blob *b, u64 offset, u64 len)
{
	return offset <= b->size && len <= b->size - offset;
}

static enum status no_loader(const struct blob *kernel, char *err)
{
	if (kernel->size < 4)
		return load_refuse(err, ERR_INVAL,
			"the kernel image has %zu bytes, expected a "
			"bzImage, a multiboot kernel or an ELF file",
			kernel->size);
	return load_refuse(err, ERR_INVAL,
		"the kernel image starts with bytes %02x %02x %02x %02x "
		"and is none of bzImage, multiboot, PVH ELF, 64-bit ELF",
		kernel->data[0], kernel->data[1], kernel->data[2], kernel->data[3]);
}

enum status load_image(
	const char *boot, const struct load_request *req, struct vcpu_state *state, char *err)
{
	bool any = !strcmp(boot, "auto");

	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
		const struct loader *l = loaders[i];

		if (any ? l->probe(&req->kernel) : !strcmp(boot, l->name))
			return l->load(req, state, err);
	}
	if (any)
		return no_loader(&req->kernel, err);
	return load_refuse(err, ERR_NOENT,
		"boot=%s is unknown, expected auto, linux64, pvh, multiboot or elf", boot);
}

u64 load_low_end(u64 mem)
{
	return MIN(mem, LAYOUT_LOW_MAX);
}

unsigned load_memory_map(u64 mem, struct mem_range *map)
{
	u64 low = load_low_end(mem);
	const struct mem_range all[] = {
		{ 0, LOAD_LOW_RAM, MEM_RAM },
		{ LOAD_LOW_RAM, LAYOUT_HOLE_START - LOAD_LOW_RAM, MEM_RESERVED },
		{ LAYOUT_FW_START, LAYOUT_FW_END - LAYOUT_FW_START, MEM_RESERVED },
		{ LOAD_HIGH_START, low - LOAD_HIGH_START, MEM_RAM },
		{ LAYOUT_ECAM, LAYOUT_ECAM_SIZE, MEM_RESERVED },
		{ LAYOUT_HIGH, mem - low, MEM_RAM },
	};
	unsigned n = 0;

	static_assert(ARRAY_SIZE(all) <= LOAD_MAP_MAX, "the map fits");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i].size)
			map[n++] = all[i];
	}
	return n;
}

static bool overlap(u64 a, u64 a_end, u64 b, u64 b_end)
{
	return a < b_end && b < a_end;
}

bool load_may_occupy(u64 mem, u64 start, u64 size)
{
	struct mem_range map[LOAD_MAP_MAX];
	unsigned n = load_memory_map(mem, map);

	for (unsigned i = 0; i < n; i++) {
		const struct mem_range *r = &map[i];

		if (r->type != MEM_RAM || start < r->start || start - r->start > r->size)
			continue;
		if (size > r->size - (start - r->start))
			continue;
		return !overlap(start, start + size, LOAD_AREA, LOAD_AREA_END);
	}
	return false;
}

enum status load_put(
	const struct load_request *req, u64 gpa, const void *data, size_t len, char *err)
{
	if (guest_write(req->gm, GPA(gpa), data, len))
		return load_refuse(
			err, ERR_RANGE, "0x%zx bytes at 0x%lx are outside guest RAM", len, gpa);
	return OK;
}

enum status load_zero(const struct load_request *req, u64 gpa, size_t len, char *err)
{
	if (guest_zero(req->gm, GPA(gpa), len))
		return load_refuse(
			err, ERR_RANGE, "0x%zx bytes at 0x%lx are outside guest RAM", len, gpa);
	return OK;
}

enum status load_cmdline(const struct load_request *req, u64 max, char *err)
{
	size_t len = strlen(req->cmdline);

	max = MIN(max, (u64)LOADER_CMDLINE_MAX);
	if (len > max)
		return load_refuse(err, ERR_RANGE,
			"the command line has %zu characters, this kernel takes at most %lu", len,
			max);
	return load_put(req, LOAD_CMDLINE, req->cmdline, len + 1, err);
}

bool placer_use(struct placer *p, u64 start, u64 size)
{
	if (p->count == ARRAY_SIZE(p->used) || size > ~0ul - start)
		return false;
	p->used[p->count].start = start;
	p->used[p->count].end = start + size;
	p->count++;
	return true;
}

/* Moves *at below each range in the way; false when it would fall below 1 MB. */
static bool slide_down(const struct placer *p, u64 size, u64 *at)
{
	for (unsigned i = 0; i < p->count; i++) {
		u64 start = p->used[i].start;

		if (!overlap(*at, *at + size, start, p->used[i].end))
			continue;
		if (start < size || ALIGN_DOWN(start - size, PAGE_SIZE) < LOAD_HIGH_START)
			return false;
		*at = ALIGN_DOWN(start - size, PAGE_SIZE);
		i = -1u; /* look at all again, from the first */
	}
	return true;
}

bool placer_find(struct placer *p, u64 limit, u64 size, u64 *start)
{
	if (limit < LOAD_HIGH_START || size > limit - LOAD_HIGH_START)
		return false;
	*start = ALIGN_DOWN(limit - size, PAGE_SIZE);
	return *start >= LOAD_HIGH_START && slide_down(p, size, start) &&
	       placer_use(p, *start, size);
}

enum status load_module(const struct load_request *req, struct placer *p, u64 limit,
	const struct blob *b, const char *what, u64 *start, char *err)
{
	limit = MIN(limit, load_low_end(req->mem));
	if (!placer_find(p, limit, b->size, start))
		return load_refuse(err, ERR_NOMEM,
			"the %s of 0x%zx bytes does not fit below 0x%lx beside the kernel; the VM "
			"has %lu MB of memory",
			what, b->size, limit, req->mem / MB);
	return load_put(req, *start, b->data, b->size, err);
}

/* Copies a string to *at and moves *at past it. */
static enum status put_string(const struct load_request *req, const char *s, u64 *at, char *err)
{
	size_t len = strlen(s) + 1;
	u64 to = *at;

	if (len > LOAD_AREA_END - to)
		return load_refuse(err, ERR_RANGE,
			"the modules' command lines together take more than 0x%lx bytes",
			LOAD_AREA_END - LOAD_STRINGS);
	*at += len;
	return load_put(req, to, s, len, err);
}

enum status load_modules(
	const struct load_request *req, struct placer *p, struct placed_modules *out, char *err)
{
	unsigned first = req->initrd.size ? 1 : 0;
	u64 string = LOAD_STRINGS;
	enum status st = OK;

	if (req->modules > LOADER_MODULES_MAX)
		return load_refuse(err, ERR_RANGE, "%u modules were given, expected at most %u",
			req->modules, LOADER_MODULES_MAX);
	out->count = first + req->modules;
	for (unsigned i = 0; !st && i < out->count; i++) {
		const struct blob *b = i < first ? &req->initrd : &req->module[i - first];
		struct placed_module *m = &out->module[i];

		*m = (struct placed_module){ .size = b->size, .args = string };
		st = load_module(req, p, ~0ul, b, i < first ? "initrd" : "module", &m->start, err);
		if (!st)
			st = put_string(req, b->args ? b->args : "", &string, err);
	}
	return st;
}

/* ---- entry states ---- */

#define DESC_CODE64 0x00af9b000000fffful /* G, L, P, S, execute/read, accessed */
#define DESC_CODE32 0x00cf9b000000fffful /* G, D, P, S, execute/read, accessed */
#define DESC_DATA   0x00cf93000000fffful /* G, B, P, S, read/write, accessed */

static const u64 gdt[] = {
	[LOAD_SEL_CODE64 / 8] = DESC_CODE64,
	[LOAD_SEL_DATA / 8] = DESC_DATA,
	[LOAD_SEL_CODE32 / 8] = DESC_CODE32,
};

#define TYPE_CODE     11u /* execute/read, accessed */
#define TYPE_DATA     3u  /* read/write, accessed */
#define TYPE_BUSY_TSS 11u
#define TSS_LIMIT     0x67u
#define FLAT_LIMIT    0xffffffffu

static void set_segments(struct vcpu_state *s, u16 code, u32 code_size)
{
	const struct segment data = { .limit = FLAT_LIMIT,
		.ar = TYPE_DATA | SEG_AR_S | SEG_AR_P | SEG_AR_DB | SEG_AR_G,
		.selector = LOAD_SEL_DATA };

	for (int i = SEG_ES; i <= SEG_GS; i++)
		s->seg[i] = data;
	s->seg[SEG_CS] = (struct segment){ .limit = FLAT_LIMIT,
		.ar = TYPE_CODE | SEG_AR_S | SEG_AR_P | SEG_AR_G | code_size,
		.selector = code };
	s->seg[SEG_LDTR] = (struct segment){ .ar = SEG_AR_UNUSABLE };
	s->seg[SEG_TR] = (struct segment){ .limit = TSS_LIMIT, .ar = TYPE_BUSY_TSS | SEG_AR_P };
	s->gdtr = (struct table_reg){ .base = LOAD_GDT, .limit = sizeof(gdt) - 1 };
}

enum status load_enter32(const struct load_request *req, u32 eip, struct vcpu_state *s, char *err)
{
	*s = (struct vcpu_state){ .rip = eip, .rflags = RFLAGS_R1, .cr0 = CR0_PE | CR0_ET };
	set_segments(s, LOAD_SEL_CODE32, SEG_AR_DB);
	return load_put(req, LOAD_GDT, gdt, sizeof(gdt), err);
}

#define PTE_TABLE   0x003ul /* present, writable */
#define PTE_PAGE_2M 0x083ul /* present, writable, page size */
#define PT_ENTRIES  512ul
#define MAPPED_GB   4ul

/* PML4, page-directory-pointer table, then one page directory a gigabyte. */
static_assert(LOAD_TABLES + (2 + MAPPED_GB) * PAGE_SIZE <= LOAD_CMDLINE, "the tables fit");

static enum status put_tables(const struct load_request *req, char *err)
{
	const u64 pdpt = LOAD_TABLES + PAGE_SIZE, pd = pdpt + PAGE_SIZE;
	u64 entry = pdpt | PTE_TABLE;
	enum status st = load_zero(req, LOAD_TABLES, 2 * PAGE_SIZE, err);

	if (!st)
		st = load_put(req, LOAD_TABLES, &entry, sizeof(entry), err);
	for (u64 i = 0; !st && i < MAPPED_GB; i++) {
		entry = (pd + i * PAGE_SIZE) | PTE_TABLE;
		st = load_put(req, pdpt + i * sizeof(entry), &entry, sizeof(entry), err);
	}
	for (u64 i = 0; !st && i < MAPPED_GB * PT_ENTRIES; i++) {
		entry = i * 2 * MB | PTE_PAGE_2M;
		st = load_put(req, pd + i * sizeof(entry), &entry, sizeof(entry), err);
	}
	return st;
}

enum status load_enter64(const struct load_request *req, u64 rip, struct vcpu_state *s, char *err)
{
	enum status st = load_put(req, LOAD_GDT, gdt, sizeof(gdt), err);

	*s = (struct vcpu_state){ .rip = rip,
		.rflags = RFLAGS_R1,
		.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG,
		.cr3 = LOAD_TABLES,
		.cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA };
	set_segments(s, LOAD_SEL_CODE64, SEG_AR_L);
	return st ? st : put_tables(req, err);
}
