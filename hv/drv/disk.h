/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disks of the physical machine, whatever controller they hang on.
 *
 *   physical.c --disk_cmd--> a driver (ata.c, ahci.c): queue, command, DMA to its own buffer
 *              <---done()--- interrupt, or time is up
 *
 * Drivers move data through buffers of their own, which the requester fills or empties in data():
 * a controller never has the address of guest memory, so that what a guest does with its memory
 * meanwhile (a balloon, a reset) is of no concern, and any address will do.
 *
 * All of this belongs to the boot processor: its interrupts are disabled, or it handles one.
 */
#ifndef HV_DRV_DISK_H
#define HV_DRV_DISK_H

#include "hv/lib/list.h"
#include "hv/lib/status.h"

#define DISK_SECTOR	 512u
#define DISK_SECTORS_MAX 128u /* of one command */
#define DISK_BYTES_MAX	 (DISK_SECTORS_MAX * DISK_SECTOR)
#define DISK_MODEL_MAX	 40u
#define DISK_SERIAL_MAX	 20u
#define DISKS_MAX	 16u

enum disk_op {
	DISK_READ,
	DISK_WRITE,
	DISK_FLUSH, /* the disk's write cache to the medium */
	DISK_OPS,
};

struct disk_cmd {
	enum disk_op op;
	u64 sector;
	u32 sectors; /* 1..DISK_SECTORS_MAX; a flush has none */
	/* Fills buf before a write, or takes what was read from it; false: the command fails. */
	bool (*data)(struct disk_cmd *c, void *buf);
	/* To be called once by the driver, from submit() or later. */
	void (*done)(struct disk_cmd *c, bool ok);
	struct list_node node; /* the driver's */
};

struct disk;

struct disk_ops {
	const char *name; /* of the kind of controller */
	void (*submit)(struct disk *d, struct disk_cmd *c);
	/* Takes back what was submitted and has not been started: it is not done() any more. */
	bool (*cancel)(struct disk *d, struct disk_cmd *c);
	/* Does what an interrupt or a deadline would, if it is due: for those who cannot wait for
	 * interrupts. */
	void (*poll)(struct disk *d);
};

struct disk {
	const struct disk_ops *ops;
	u64 sectors;
	u8 physical_exp; /* what it stores as a unit is 2^this sectors */
	bool silent;	 /* disk_read() has waited for an interrupt that did not come */
	char model[DISK_MODEL_MAX + 1], serial[DISK_SERIAL_MAX + 1]; /* printable ASCII */
};

/* Drivers add what they find; the caller keeps d for good. False: there are DISKS_MAX. */
bool disk_add(struct disk *d);
unsigned disk_count(void);
struct disk *disk_at(unsigned index); /* index < disk_count(), in the order they were found */

/* Submits a command after a look at its range: what lies outside the disk is done with false. */
void disk_submit(struct disk *d, struct disk_cmd *c);

/* For drivers: takes the command from the queue that it waits in. False: it does not. */
bool disk_take_back(struct list_node *queue, struct disk_cmd *c);

/* Reads and waits, by HLT: at boot. sectors: up to DISK_SECTORS_MAX. ERR_RANGE; ERR_TIMEOUT: it
 * failed. */
enum status disk_read(struct disk *d, u64 sector, u32 sectors, void *buf) __must_check;

/*
 * What a disk says of itself. words: the answer to IDENTIFY DEVICE (ATA8-ACS, "IDENTIFY DEVICE -
 * ECh"). False: it is nothing that can be used: no LBA, no DMA, sectors that have not 512 bytes.
 */
struct disk_identity {
	u64 sectors;
	u8 physical_exp;
	bool lba48, flush, flush_ext, write_cache;
	char model[DISK_MODEL_MAX + 1], serial[DISK_SERIAL_MAX + 1];
};

bool disk_identify(const u16 words[DISK_SECTOR / 2], struct disk_identity *out) __must_check;

#endif
