/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The GUID partition table of a disk. What is on a disk is not to be trusted: sizes and places are
 * checked against the disk, both checksums against what they cover, and partitions against each
 * other.
 *
 * Source: UEFI specification, "GUID Partition Table (GPT) Disk Layout".
 */
#ifndef HV_DRV_GPT_H
#define HV_DRV_GPT_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

#define GPT_PARTITIONS_MAX 128u
#define GPT_NAME_MAX	   36u
#define GPT_GUID	   16u
#define GPT_GUID_TEXT	   36u /* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx */

struct gpt_partition {
	u64 first, sectors;
	unsigned number; /* its place in the table, from 1 */
	u8 uuid[GPT_GUID];
	char name[GPT_NAME_MAX + 1]; /* what is not printable ASCII is '?' */
};

struct gpt {
	unsigned partitions;
	bool backup; /* read from the copy at the disk's end: the first one is damaged */
	struct gpt_partition partition[GPT_PARTITIONS_MAX];
};

/* Reads count (up to 8) sectors of 512 bytes. */
typedef enum status (*gpt_read_fn)(void *ctx, u64 sector, u32 count, void *buf);

/*
 * gpt_read(): buf: 4 KB that the function may use. ERR_NOENT: there is none; ERR_INVAL: there is
 * one, and its copy, and something is wrong with both; or what read returned.
 */
enum status gpt_read(
	struct gpt *out, u64 disk_sectors, gpt_read_fn read, void *ctx, void *buf) __must_check;

/* Writes GPT_GUID_TEXT + 1 bytes. */
void gpt_guid_text(const u8 guid[GPT_GUID], char *text);
/* The inverse, in either case; false: text is no GUID. */
bool gpt_guid_parse(const char *text, u8 guid[GPT_GUID]);

#endif
