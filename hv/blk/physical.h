/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk or a partition of the physical machine as the back end of a virtual disk: CP-67's
 * minidisk. Several may be open at a time, but what one can write to, no other has.
 */
#ifndef HV_BLK_PHYSICAL_H
#define HV_BLK_PHYSICAL_H

#include "hv/blk/blk.h"
#include "hv/drv/gpt.h"

enum physical_kind {
	PHYSICAL_DISK, /* a whole disk, by its number */
	PHYSICAL_NAME, /* a partition by its name */
	PHYSICAL_UUID, /* a partition by its UUID */
};

struct physical_name {
	enum physical_kind kind;
	unsigned disk;
	char partition[GPT_NAME_MAX + 1];
	u8 uuid[GPT_GUID];
};

/* Reads the partition tables of all disks that the drivers have found, and says in the log what
 * there is. */
void physical_init(void);

/*
 * physical_open(): *out is the caller's until its destroy(). ERR_NOENT: there is no such thing;
 * ERR_INVAL: more than one partition has that name or UUID; ERR_EXIST: another back end has it, or
 * a part of it, and one of the two writes; ERR_NOTSUP: the disk's interrupts do not arrive;
 * ERR_NOMEM. why: one of these in words.
 */
enum status physical_open(struct blk_backend **out, const struct physical_name *name,
	bool read_only, const char **why) __must_check;

#endif
