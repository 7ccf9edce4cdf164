/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest loaders share: where their own structures lie in guest memory, the memory map,
 * a placer for modules, and the state of a CPU at the two kinds of entry.
 *
 * All loaders keep what they hand over (descriptor table, page tables, start information, strings)
 * in one area below 640 KB, which no image may load over:
 *
 *   0x90000  GDT                    0x98000  command line
 *   0x91000  start information      0x99000  memory map
 *   0x92000  six page tables        0x9a000  list of modules
 *                                   0x9b000  strings, up to 0x9f000
 */
#ifndef HV_VM_LOAD_H
#define HV_VM_LOAD_H

#include "hv/dev/layout.h"
#include "hv/vm/loader.h"

#define LOAD_AREA	0x90000ul
#define LOAD_GDT	0x90000ul
#define LOAD_INFO	0x91000ul
#define LOAD_TABLES	0x92000ul
#define LOAD_CMDLINE	0x98000ul
#define LOAD_MAP	0x99000ul
#define LOAD_MODULES	0x9a000ul
#define LOAD_STRINGS	0x9b000ul
#define LOAD_AREA_END	0x9f000ul
#define LOAD_LOW_RAM	0x9fc00ul /* RAM below 640 KB ends here: a PC's firmware keeps the rest */
#define LOAD_HIGH_START 0x100000ul

/* Selectors of the GDT that every guest starts with. Linux wants 0x10 and 0x18. */
#define LOAD_SEL_CODE64 0x10u
#define LOAD_SEL_DATA	0x18u
#define LOAD_SEL_CODE32 0x20u

/* One sentence into err; returns why. */
enum status load_refuse(char *err, enum status why, const char *fmt, ...) __printf(3, 4);

/* True if [offset, offset + len) lies in the blob; never wraps. */
bool blob_has(const struct blob *b, u64 offset, u64 len);

/* Types as "Query System Address Map" (ACPI) has them; multiboot and PVH use the same. */
enum mem_type {
	MEM_RAM = 1,
	MEM_RESERVED = 2
};

struct mem_range {
	u64 start, size;
	u32 type;
};

#define LOAD_MAP_MAX 8

/* The memory map of a VM with mem bytes, sorted; returns how many of LOAD_MAP_MAX entries. */
unsigned load_memory_map(u64 mem, struct mem_range *map);

/* Where RAM below 4 GB ends, in bytes. */
u64 load_low_end(u64 mem);

/* True if an image may occupy [start, start + size): RAM all of it, and not the loaders' area. */
bool load_may_occupy(u64 mem, u64 start, u64 size);

/* Copies into guest memory; ERR_RANGE, with a sentence in err, if that is not RAM. */
enum status load_put(const struct load_request *req, u64 gpa, const void *data, size_t len,
	char *err) __must_check;
enum status load_zero(const struct load_request *req, u64 gpa, size_t len, char *err) __must_check;

/* Copies the command line to LOAD_CMDLINE, terminated; refuses one of over max characters. */
enum status load_cmdline(const struct load_request *req, u64 max, char *err) __must_check;

/* A set of ranges in use, for finding room beside them. */
#define PLACER_MAX (64 + LOADER_MODULES_MAX + 1)

struct placer {
	struct {
		u64 start, end;
	} used[PLACER_MAX];
	unsigned count;
};

/* False when the set is full. */
bool placer_use(struct placer *p, u64 start, u64 size) __must_check;

/*
 * Finds the highest page-aligned place for size bytes in [1 MB, limit) that touches nothing in
 * use, and marks it used. False if there is none.
 */
bool placer_find(struct placer *p, u64 limit, u64 size, u64 *start) __must_check;

/*
 * Places one module below limit (and below the end of low RAM) and copies it there; what names it
 * in the sentence of a refusal.
 */
enum status load_module(const struct load_request *req, struct placer *p, u64 limit,
	const struct blob *b, const char *what, u64 *start, char *err) __must_check;

/* A module in guest memory, and its command line there. */
struct placed_module {
	u64 start, size, args;
};

/* The list of the loaders: the initrd first, if there is one, then the modules in order. */
struct placed_modules {
	struct placed_module module[LOADER_MODULES_MAX + 1];
	unsigned count;
};

/*
 * Places the initrd and all modules beside what p says is used, and their command lines in
 * LOAD_STRINGS.
 */
enum status load_modules(const struct load_request *req, struct placer *p,
	struct placed_modules *out, char *err) __must_check;

/*
 * A CPU about to run at rip in 64-bit mode: the GDT above, the first 4 GB identity mapped by 2 MB
 * pages, interrupts off. Writes the GDT and the tables to guest memory.
 */
enum status load_enter64(
	const struct load_request *req, u64 rip, struct vcpu_state *s, char *err) __must_check;

/* A CPU about to run at eip in 32-bit protected mode, flat segments, paging and interrupts off. */
enum status load_enter32(
	const struct load_request *req, u32 eip, struct vcpu_state *s, char *err) __must_check;

/* One PT_LOAD or PT_NOTE of an ELF file, 32-bit fields widened; already checked to lie in the file.
 */
struct elf_segment {
	u32 type;
	u64 offset, filesz, memsz, vaddr, paddr;
};

#define ELF_SEGMENTS_MAX 64

struct elf_image {
	const struct blob *file;
	bool is64;
	u16 machine;
	u64 entry; /* as in the header: see elf_entry() */
	u64 phoff; /* of the program headers in the file */
	unsigned segments;
};

bool elf_is(const struct blob *file); /* the magic bytes only */

/* Checks the file header and every program header against the file's size. */
enum status elf_open(const struct blob *file, struct elf_image *out, char *err) __must_check;

/* i < elf->segments. */
void elf_segment(const struct elf_image *elf, unsigned i, struct elf_segment *out);

/*
 * Copies all PT_LOAD segments to their physical addresses, zeroes what the file does not fill,
 * and marks them used (p may be NULL). An ELF with nothing to load is refused.
 */
enum status elf_load(const struct load_request *req, const struct elf_image *elf, struct placer *p,
	char *err) __must_check;

/*
 * The physical address of the entry, which files give as a virtual address, or, where they are
 * linked high, as a physical one. False if no PT_LOAD segment holds it.
 */
bool elf_entry(const struct elf_image *elf, u64 *paddr);
/* True if a PT_LOAD segment holds the physical address. */
bool elf_has_paddr(const struct elf_image *elf, u64 paddr);

#endif
