/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The partition table:
 *
 *   sector 0        a protective MBR, of no interest
 *   sector 1        header: signature, checksums, where the entries are
 *   usually 2..33   entries
 *   ...             partitions, between the header's first and last usable sector
 *   the last        a second header, with entries of its own before it
 */
#include "hv/drv/gpt.h"

#include "hv/lib/hex.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"

#define SECTOR	    512u
#define BUFFER	    4096u
#define HEADER_MIN  92u
#define ENTRY_MIN   128u
#define ENTRY_MAX   BUFFER /* so that no entry crosses a buffer */
#define ENTRIES_MAX 1024u
#define CRC_POLY    0xedb88320u /* CRC-32 of Ethernet, reflected */

struct __packed header {
	char signature[8];
	u32 revision, size, crc, reserved;
	u64 here, other, first_usable, last_usable;
	u8 disk[GPT_GUID];
	u64 entries_at;
	u32 entries, entry_size, entries_crc;
};
static_assert(sizeof(struct header) == HEADER_MIN, "as on disk");

struct __packed entry {
	u8 type[GPT_GUID], uuid[GPT_GUID];
	u64 first, last; /* the last one included */
	u64 attributes;
	u16 name[GPT_NAME_MAX];
};
static_assert(sizeof(struct entry) == ENTRY_MIN, "as on disk");

struct source {
	gpt_read_fn read;
	void *ctx;
	u8 *buf;
	u64 sectors;
};

static u32 crc_add(u32 crc, const u8 *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		for (unsigned i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? CRC_POLY : 0);
	}
	return crc;
}

/* ---- the header ---- */

static bool header_crc_right(u8 *sector, const struct header *h)
{
	memset(sector + offsetof(struct header, crc), 0, sizeof(h->crc));
	return ~crc_add(~0u, sector, h->size) == h->crc;
}

/* Is all that it says about places true of this disk? */
static bool header_makes_sense(const struct header *h, u64 at, u64 sectors)
{
	u64 bytes = (u64)h->entries * h->entry_size;

	return h->here == at && h->first_usable <= h->last_usable && h->last_usable < sectors &&
	       h->entry_size >= ENTRY_MIN && h->entry_size <= ENTRY_MAX && IS_POW2(h->entry_size) &&
	       h->entries && h->entries <= ENTRIES_MAX && h->entries_at > 1 &&
	       h->entries_at < sectors && DIV_ROUND_UP(bytes, SECTOR) <= sectors - h->entries_at;
}

static enum status read_header(const struct source *s, u64 at, struct header *h)
{
	enum status st = s->read(s->ctx, at, 1, s->buf);

	if (st != OK)
		return st;
	memcpy(h, s->buf, sizeof(*h));
	if (memcmp(h->signature, "EFI PART", sizeof(h->signature)))
		return ERR_NOENT;
	if (h->size < HEADER_MIN || h->size > SECTOR || !header_crc_right(s->buf, h) ||
		!header_makes_sense(h, at, s->sectors))
		return ERR_INVAL;
	return OK;
}

/* ---- the entries ---- */

static void copy_name(char *to, const u16 *from)
{
	unsigned i;

	for (i = 0; i < GPT_NAME_MAX && from[i]; i++)
		to[i] = from[i] >= ' ' && from[i] < 0x7f ? (char)from[i] : '?';
	to[i] = '\0';
}

static bool overlaps(const struct gpt *g, u64 first, u64 last)
{
	for (unsigned i = 0; i < g->partitions; i++) {
		const struct gpt_partition *p = &g->partition[i];

		if (first < p->first + p->sectors && p->first <= last)
			return true;
	}
	return false;
}

/* False: it lies where no partition can, or over another one. */
static bool add_entry(struct gpt *g, const struct header *h, const u8 *at, unsigned number)
{
	static const u8 unused[GPT_GUID];
	struct gpt_partition *p = &g->partition[g->partitions];
	struct entry e;
	u16 name[GPT_NAME_MAX];

	memcpy(&e, at, sizeof(e));
	if (!memcmp(e.type, unused, GPT_GUID))
		return true;
	if (g->partitions == GPT_PARTITIONS_MAX || e.first < h->first_usable || e.last < e.first ||
		e.last > h->last_usable || overlaps(g, e.first, e.last))
		return false;
	memcpy(name, at + offsetof(struct entry, name), sizeof(name));
	p->number = number;
	p->first = e.first;
	p->sectors = e.last - e.first + 1;
	memcpy(p->uuid, e.uuid, GPT_GUID);
	copy_name(p->name, name);
	g->partitions++;
	return true;
}

static enum status read_entries(const struct source *s, const struct header *h, struct gpt *g)
{
	u64 left = (u64)h->entries * h->entry_size, at = h->entries_at;
	unsigned number = 1;
	bool sound = true;
	u32 crc = ~0u;

	while (left) {
		u64 n = MIN(left, (u64)BUFFER);
		enum status st = s->read(s->ctx, at, (u32)DIV_ROUND_UP(n, (u64)SECTOR), s->buf);

		if (st != OK)
			return st;
		crc = crc_add(crc, s->buf, n);
		for (u64 o = 0; o < n; o += h->entry_size)
			sound &= add_entry(g, h, s->buf + o, number++);
		at += BUFFER / SECTOR;
		left -= n;
	}
	return sound && ~crc == h->entries_crc ? OK : ERR_INVAL;
}

static enum status read_table(const struct source *s, u64 at, struct gpt *g)
{
	struct header h;
	enum status st = read_header(s, at, &h);

	g->partitions = 0;
	return st == OK ? read_entries(s, &h, g) : st;
}

enum status gpt_read(struct gpt *out, u64 disk_sectors, gpt_read_fn read, void *ctx, void *buf)
{
	struct source s = { .read = read, .ctx = ctx, .buf = buf, .sectors = disk_sectors };
	enum status first, second;

	out->backup = false;
	out->partitions = 0;
	if (disk_sectors < 2)
		return ERR_NOENT;
	first = read_table(&s, 1, out);
	if (first == OK)
		return OK;
	second = read_table(&s, disk_sectors - 1, out);
	out->backup = second == OK;
	if (second != OK)
		out->partitions = 0;
	return second == ERR_NOENT ? first : second;
}

/* ---- GUIDs as text: the first three numbers are little-endian ---- */

static const u8 text_order[GPT_GUID] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

static bool dash_before(unsigned byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void gpt_guid_text(const u8 guid[GPT_GUID], char *text)
{
	for (unsigned i = 0; i < GPT_GUID; i++) {
		if (dash_before(i))
			*text++ = '-';
		snprintf(text, 3, "%02x", guid[text_order[i]]);
		text += 2;
	}
}

bool gpt_guid_parse(const char *text, u8 guid[GPT_GUID])
{
	if (strnlen(text, GPT_GUID_TEXT + 1) != GPT_GUID_TEXT)
		return false;
	for (unsigned i = 0; i < GPT_GUID; i++) {
		int high, low;

		if (dash_before(i) && *text++ != '-')
			return false;
		high = hex_digit(*text++);
		low = hex_digit(*text++);
		if (high < 0 || low < 0)
			return false;
		guid[text_order[i]] = (u8)(high << 4 | low);
	}
	return true;
}
