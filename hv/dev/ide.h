/* SPDX-License-Identifier: BSD-2-Clause */
/*-
 * The IDE controller of io=emulated: a PIIX3 with two channels at their traditional ports and
 * interrupts, up to four disks, PIO and bus-master DMA, as Linux' ata_piix drives it. For
 * comparison with virtio: the disks have the same back ends.
 *
 *   registers, PIO   ide.c      commands 0x1F0 and 0x170, control 0x3F6 and 0x376, IRQ 14 and 15
 *   bus-master DMA   ide_dma.c  BAR 4
 *   IDENTIFY         ide_id.c
 *
 * Sources: ATA8-ACS; "82371FB (PIIX) and 82371SB (PIIX3) PCI ISA IDE Xcelerator" data sheet;
 * "Programming Interface for Bus Master IDE Controller", revision 1.0.
 */
#ifndef HV_DEV_IDE_H
#define HV_DEV_IDE_H

#include "hv/blk/blk.h"
#include "hv/dev/pci.h"
#include "hv/mem/guestmem.h"

#define IDE_CHANNELS 2u
#define IDE_DRIVES   2u /* a channel */
#define IDE_DISKS    (IDE_CHANNELS * IDE_DRIVES)
#define IDE_MULTIPLE 16u /* sectors, at most, of a block of READ MULTIPLE */
#define IDE_BM_PORTS 16u

struct ide;
struct ide_channel;

/* What a command does with its data. */
enum ide_data {
	IDE_NO_DATA,
	IDE_PIO_IN,
	IDE_PIO_OUT,
	IDE_DMA_IN,
	IDE_DMA_OUT,
};

struct ide_drive {
	struct blk_backend *backend; /* NULL: no drive */
	unsigned multiple;	     /* sectors, as the driver has set it; 0: not set */
};

/* Task file registers: what was written last, and what before that (48-bit commands). */
struct ide_taskfile {
	u8 feature, count, lba[3], device;
	u8 old_count, old_lba[3];
};

struct ide_bus_master {
	u8 command, status;
	u32 table;
	/* A transfer: the place in the table, and in the piece of memory that its entry has. */
	u32 next, entries;
	gpa_t piece;
	u32 piece_left;
	bool last;
};

struct ide_channel {
	struct ide *ide;
	unsigned index;
	struct ide_drive drive[IDE_DRIVES];
	struct ide_taskfile tf;
	u8 status, error, control;
	/* The command under way. */
	enum ide_data data;
	u64 sector;
	u32 left;	    /* sectors, those in the buffer included */
	u32 block;	    /* sectors of a PIO block */
	u32 at, buffer_len; /* bytes of the buffer, for the data port */
	bool waiting;	    /* DMA: for the driver to start the bus master */
	bool under_way;	    /* the back end has it */
	bool dropped;	    /* by a reset: its end is of no interest */
	struct blk_io io;
	struct ide_bus_master bm;
	u64 commands, interrupts;
	u8 buffer[IDE_MULTIPLE * BLK_SECTOR] __aligned(8);
};

struct ide {
	struct pci_dev pci;
	const struct guestmem *gm;
	void (*irq)(void *ctx, unsigned channel, bool level);
	void *ctx;
	struct ide_channel channel[IDE_CHANNELS];
};

/* An empty controller; memory is the caller's. irq: the level of a channel's interrupt. */
void ide_init(struct ide *d, const struct guestmem *gm,
	void (*irq)(void *ctx, unsigned channel, bool level), void *ctx);
/* The next drive, in the order of Linux' names; before ide_attach(). False: there are IDE_DISKS.
 * The back end becomes the controller's. */
bool ide_add(struct ide *d, struct blk_backend *b);
/* To the PCI bus and the ports. */
enum status ide_attach(
	struct ide *d, struct pci_host *h, struct bus *pio, unsigned slot) __must_check;
void ide_reset(struct ide *d);	 /* power-on; what is under way ends first */
void ide_destroy(struct ide *d); /* its back ends; not its memory */

/* ---- between its files ---- */

/* The words of IDENTIFY DEVICE. */
void ide_identify(const struct ide_drive *drive, u16 words[BLK_SECTOR / 2]);

extern const struct io_ops ide_bm_io; /* dev: struct ide */
extern const struct blk_data_ops ide_dma_data;

void ide_bm_reset(struct ide_channel *ch);
bool ide_bm_started(const struct ide_channel *ch);
/* The driver has started the bus master, or the command is there: the transfer begins. */
void ide_dma_begin(struct ide_channel *ch);
/* The transfer is over: what the status register of the bus master says now. */
void ide_dma_end(struct ide_channel *ch, bool ok);
/* For ide_dma.c: hands the command that waits to the back end; ends what the back end has. */
void ide_start_dma(struct ide_channel *ch);
void ide_abort(struct ide_channel *ch);

#endif
