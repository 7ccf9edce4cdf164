/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in memory: the contents of a boot module, or nothing at all, below; what the guest has
 * written above it, block by block. The module is never written to, so that several VMs, and a VM
 * after its end, find it as it was.
 */
#ifndef HV_BLK_RAMDISK_H
#define HV_BLK_RAMDISK_H

#include "hv/blk/blk.h"

/*
 * ramdisk_create(): a disk of size bytes, rounded up to sectors, that shows base_size (at most
 * size) bytes at base and zeros behind them. base must stay as it is while the disk lives. id: its
 * serial number, cut to BLK_ID_MAX characters. ERR_NOMEM: no room for its map; ERR_RANGE: size is
 * 0, or too large for a map in one piece.
 */
enum status ramdisk_create(struct blk_backend **out, const void *base, u64 base_size, u64 size,
	bool read_only, const char *id) __must_check;

#endif
