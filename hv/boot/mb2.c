/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot2 information structure: a total size, then tags, each aligned to 8 bytes:
 *
 *   | type | size | payload ... | pad |   type 0 ends
 *
 * Every tag is checked against the end of the structure before it is looked at.
 */
#include "hv/boot/mb2.h"
#include "hv/lib/string.h"

#define TAG_END	     0
#define TAG_CMDLINE  1
#define TAG_MODULE   3
#define TAG_MMAP     6
#define TAG_RSDP_OLD 14
#define TAG_RSDP_NEW 15
#define TAG_ALIGN    8

#define MMAP_AVAILABLE 1
#define MMAP_ACPI      3
#define MMAP_NVS       4

struct mb2_header {
	u32 total_size;
	u32 reserved;
};

struct mb2_tag {
	u32 type;
	u32 size; /* with this header, without the padding */
};

struct mb2_module {
	struct mb2_tag tag;
	u32 start, end;
	char string[];
};

struct mb2_mmap {
	struct mb2_tag tag;
	u32 entry_size, entry_version;
};

struct mb2_mmap_entry {
	u64 base, length;
	u32 type, reserved;
};
static_assert(sizeof(struct mb2_mmap_entry) == 24, "memory map entry layout");

/* A tag's text: at offset, terminated inside the tag; NULL if it is not. */
static char *tag_string(struct mb2_tag *tag, u32 offset)
{
	char *s = (char *)tag + offset;

	if (tag->size <= offset || strnlen(s, tag->size - offset) == tag->size - offset)
		return NULL;
	return s;
}

static const char *add_cmdline(struct boot_info *out, struct mb2_tag *tag)
{
	const char *s = tag_string(tag, sizeof(*tag));

	if (!s)
		return "the command line from the boot loader is not terminated";
	out->cmdline = s;
	return NULL;
}

/* Cuts "name  args" in two. */
static void split_string(char *s, struct boot_module *m)
{
	while (*s == ' ')
		s++;
	m->name = s;
	while (*s && *s != ' ')
		s++;
	if (*s)
		*s++ = '\0';
	while (*s == ' ')
		s++;
	m->args = s;
}

static const char *add_module(struct boot_info *out, struct mb2_tag *tag)
{
	struct mb2_module *t = (void *)tag;
	struct boot_module *m = &out->module[out->modules];
	char *s = tag_string(tag, sizeof(*t));

	if (!s || t->end < t->start)
		return "a module tag from the boot loader is broken";
	if (out->modules == BOOT_MODULES_MAX)
		return "too many modules";
	split_string(s, m);
	m->start = HPA(t->start);
	m->size = t->end - t->start;
	out->modules++;
	return NULL;
}

/* Takes the entries of the wanted types; whole pages inwards (RAM) or outwards (firmware). */
static bool add_entry(struct boot_info *out, const struct mb2_mmap_entry *e, bool available)
{
	u64 end = e->base + e->length;

	if (end < e->base || end > ~0ul - PAGE_SIZE)
		return true; /* a range that wraps is nothing that we could use */
	if (e->type == MMAP_AVAILABLE && available)
		return memmap_add(&out->ram, ALIGN_UP(e->base, PAGE_SIZE),
			       ALIGN_DOWN(end, PAGE_SIZE)) == OK;
	if (e->type == MMAP_AVAILABLE || available)
		return true;
	if (e->type == MMAP_ACPI || e->type == MMAP_NVS)
		if (memmap_add(&out->firmware, ALIGN_DOWN(e->base, PAGE_SIZE),
			    ALIGN_UP(end, PAGE_SIZE)) != OK)
			return false;
	return memmap_remove(&out->ram, ALIGN_DOWN(e->base, PAGE_SIZE), ALIGN_UP(end, PAGE_SIZE)) ==
	       OK;
}

/* Two passes: where entries overlap, "not usable" wins. */
static const char *add_mmap(struct boot_info *out, struct mb2_tag *tag)
{
	const struct mb2_mmap *t = (void *)tag;
	u32 step;

	if (tag->size < sizeof(*t) || t->entry_size < sizeof(struct mb2_mmap_entry))
		return "the memory map from the boot loader is broken";
	step = t->entry_size;
	for (int pass = 0; pass < 2; pass++) {
		for (u32 at = sizeof(*t); tag->size - at >= step; at += step) {
			struct mb2_mmap_entry e;

			memcpy(&e, (u8 *)tag + at, sizeof(e));
			if (!add_entry(out, &e, pass == 0))
				return "the memory map from the boot loader has too many ranges";
		}
	}
	return NULL;
}

static const char *add_rsdp(struct boot_info *out, struct mb2_tag *tag)
{
	u64 len = MIN(tag->size - sizeof(*tag), sizeof(out->rsdp));

	if (out->rsdp_len && tag->type == TAG_RSDP_OLD)
		return NULL;
	memcpy(out->rsdp, tag + 1, len);
	out->rsdp_len = len;
	return NULL;
}

static const struct {
	u32 type;
	const char *(*add)(struct boot_info *out, struct mb2_tag *tag);
} readers[] = {
	{ TAG_CMDLINE, add_cmdline },
	{ TAG_MODULE, add_module },
	{ TAG_MMAP, add_mmap },
	{ TAG_RSDP_OLD, add_rsdp },
	{ TAG_RSDP_NEW, add_rsdp },
};

static const char *read_tag(struct boot_info *out, struct mb2_tag *tag)
{
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		if (readers[i].type == tag->type)
			return readers[i].add(out, tag);
	return NULL;
}

enum status mb2_parse(void *info, u64 max, struct boot_info *out, const char **why)
{
	const struct mb2_header *h = info;
	u64 at = sizeof(*h);

	memset(out, 0, sizeof(*out));
	out->cmdline = "";
	*why = "the boot loader's information is larger than can be";
	if (max < sizeof(*h) || h->total_size > max)
		return ERR_INVAL;
	for (;;) {
		struct mb2_tag *tag = (void *)((u8 *)info + at);

		*why = "the boot loader's information is cut off";
		if (at > h->total_size || h->total_size - at < sizeof(*tag) ||
			tag->size < sizeof(*tag) || tag->size > h->total_size - at)
			return ERR_INVAL;
		if (tag->type == TAG_END)
			break;
		*why = read_tag(out, tag);
		if (*why)
			return ERR_INVAL;
		at += ALIGN_UP((u64)tag->size, TAG_ALIGN);
	}
	*why = "the boot loader gave no memory map";
	return out->ram.n ? OK : ERR_INVAL;
}
