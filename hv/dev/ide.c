/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers, commands and PIO of an IDE channel.
 *
 *   PIO in    command -> back end -> DRQ, interrupt -> the driver reads the block -> back end ...
 *   PIO out   command -> DRQ -> the driver writes the block -> back end -> interrupt, DRQ ...
 *   DMA       command, and START of the bus master -> back end -> interrupt
 *
 * While the back end has it, the channel is busy and takes no register writes but a reset.
 */
#include "hv/dev/ide.h"

#include <linux/pci_regs.h>

#include "hv/lib/string.h"

#define PCI_VENDOR_INTEL 0x8086u
#define PCI_DEVICE_PIIX3 0x7010u
#define CLASS_IDE	 0x010180u
#define BM_BAR		 4u
#define CONFIG_TIMING	 0x40u /* a word a channel */
#define TIMING_ENABLE	 0x8000u

#define REG_DATA    0u
#define REG_FEATURE 1u /* read: error */
#define REG_COUNT   2u
#define REG_LBA	    3u /* to 5 */
#define REG_DEVICE  6u
#define REG_COMMAND 7u /* read: status */
#define REGS	    8u

#define STATUS_BSY  0x80u
#define STATUS_DRDY 0x40u
#define STATUS_DSC  0x10u /* seek complete: as drivers expect it */
#define STATUS_DRQ  0x08u
#define STATUS_ERR  0x01u
#define STATUS_IDLE (STATUS_DRDY | STATUS_DSC)
#define ERROR_ABRT  0x04u
#define ERROR_IDNF  0x10u
#define ERROR_UNC   0x40u
#define ERROR_FINE  0x01u /* after a reset: "diagnostics passed" */

#define CONTROL_HOB  0x80u
#define CONTROL_SRST 0x04u
#define CONTROL_NIEN 0x02u
#define DEVICE_LBA   0x40u
#define DEVICE_UNIT  0x10u
#define DEVICE_FIXED 0xa0u /* always read as set */

#define COUNT_28 256u /* what a count of 0 means */
#define COUNT_48 65536u

static const struct {
	u16 command, control;
} ports[IDE_CHANNELS] = { { 0x1f0, 0x3f6 }, { 0x170, 0x376 } };

static struct ide_drive *selected(struct ide_channel *ch)
{
	return &ch->drive[ch->tf.device & DEVICE_UNIT ? 1 : 0];
}

static void set_irq(struct ide_channel *ch, bool level)
{
	ch->ide->irq(ch->ide->ctx, ch->index, level && !(ch->control & CONTROL_NIEN));
}

static void interrupt(struct ide_channel *ch)
{
	if (!(ch->control & CONTROL_NIEN))
		ch->interrupts++;
	set_irq(ch, true);
}

/* ---- the end of a command ---- */

static void end(struct ide_channel *ch, u8 error)
{
	ch->data = IDE_NO_DATA;
	ch->waiting = false;
	ch->error = error;
	ch->status = STATUS_IDLE | (error ? STATUS_ERR : 0);
	interrupt(ch);
}

/* A block is in the buffer, or wanted there. */
static void offer_block(struct ide_channel *ch)
{
	ch->at = 0;
	ch->buffer_len = (u32)(MIN(ch->left, ch->block) * BLK_SECTOR);
	ch->status = STATUS_IDLE | STATUS_DRQ;
}

/* ---- to the back end, and back ---- */

static enum status take_buffer(struct blk_io *io, void *dst, u64 len)
{
	struct ide_channel *ch = container_of(io, struct ide_channel, io);

	if (len > ch->buffer_len - ch->at)
		return ERR_RANGE;
	memcpy(dst, ch->buffer + ch->at, len);
	ch->at += (u32)len;
	return OK;
}

static enum status fill_buffer(struct blk_io *io, const void *src, u64 len)
{
	struct ide_channel *ch = container_of(io, struct ide_channel, io);

	if (len > ch->buffer_len - ch->at)
		return ERR_RANGE;
	if (src)
		memcpy(ch->buffer + ch->at, src, len);
	else
		memset(ch->buffer + ch->at, 0, len);
	ch->at += (u32)len;
	return OK;
}

static const struct blk_data_ops buffer_data = { .take = take_buffer, .fill = fill_buffer };

static void pio_done(struct ide_channel *ch, bool ok)
{
	u32 n = MIN(ch->left, ch->block);

	if (!ok) {
		end(ch, ch->data == IDE_PIO_OUT ? ERROR_ABRT : ERROR_UNC);
		return;
	}
	if (ch->data == IDE_PIO_OUT) {
		ch->sector += n;
		ch->left -= n;
		if (!ch->left) {
			end(ch, 0);
			return;
		}
	}
	offer_block(ch);
	interrupt(ch);
}

static void io_done(struct blk_io *io, bool ok)
{
	struct ide_channel *ch = container_of(io, struct ide_channel, io);

	ch->under_way = false;
	if (ch->dropped)
		return;
	if (ch->data == IDE_PIO_IN || ch->data == IDE_PIO_OUT) {
		pio_done(ch, ok);
		return;
	}
	if (ch->data != IDE_NO_DATA)
		ide_dma_end(ch, ok);
	end(ch, ok ? 0 : ERROR_ABRT);
}

static void submit(
	struct ide_channel *ch, enum blk_op op, u32 sectors, const struct blk_data_ops *data)
{
	struct blk_backend *b = selected(ch)->backend;

	ch->status = STATUS_BSY | STATUS_DRDY;
	ch->under_way = true;
	ch->dropped = false;
	ch->io = (struct blk_io){ .op = op,
		.ranges = op != BLK_FLUSH,
		.range = { { .sector = ch->sector, .sectors = sectors } },
		.data = data,
		.done = io_done };
	b->ops->submit(b, &ch->io);
}

static void submit_block(struct ide_channel *ch, enum blk_op op)
{
	u32 n = MIN(ch->left, ch->block);

	ch->at = 0;
	ch->buffer_len = n * BLK_SECTOR;
	submit(ch, op, n, &buffer_data);
}

void ide_start_dma(struct ide_channel *ch)
{
	ch->waiting = false;
	submit(ch, ch->data == IDE_DMA_IN ? BLK_READ : BLK_WRITE, ch->left, &ide_dma_data);
}

void ide_abort(struct ide_channel *ch)
{
	const struct blk_backend *b = selected(ch)->backend;

	ch->dropped = true;
	if (ch->under_way && b->ops->drain)
		b->ops->drain(selected(ch)->backend);
	ch->waiting = false;
}

/* ---- commands ---- */

struct command {
	u8 opcode;
	bool ext; /* 48-bit addresses */
	void (*start)(struct ide_channel *ch, const struct command *c);
	enum ide_data data;
	bool multiple;
};

/* Sector and count from the registers; false: no such sectors. */
static bool take_range(struct ide_channel *ch, bool ext)
{
	const struct ide_taskfile *t = &ch->tf;
	const struct blk_backend *b = selected(ch)->backend;

	ch->sector = t->lba[0] | (u64)t->lba[1] << 8 | (u64)t->lba[2] << 16;
	if (ext) {
		ch->sector |= (u64)t->old_lba[0] << 24 | (u64)t->old_lba[1] << 32 |
			      (u64)t->old_lba[2] << 40;
		ch->left = t->count | (u32)t->old_count << 8;
	} else {
		ch->sector |= (u64)(t->device & 0xf) << 24;
		ch->left = t->count;
	}
	if (!ch->left)
		ch->left = ext ? COUNT_48 : COUNT_28;
	return (t->device & DEVICE_LBA) && blk_in_medium(b, ch->sector, ch->left);
}

static void transfer(struct ide_channel *ch, const struct command *c)
{
	struct ide_drive *d = selected(ch);
	bool out = c->data == IDE_PIO_OUT || c->data == IDE_DMA_OUT;

	if ((out && d->backend->read_only) || (c->multiple && !d->multiple)) {
		end(ch, ERROR_ABRT);
		return;
	}
	if (!take_range(ch, c->ext)) {
		end(ch, ERROR_IDNF);
		return;
	}
	ch->data = c->data;
	ch->block = c->multiple ? d->multiple : 1;
	switch (c->data) {
	case IDE_PIO_IN: submit_block(ch, BLK_READ); break;
	case IDE_PIO_OUT: offer_block(ch); break;
	default:
		ch->status = STATUS_BSY | STATUS_DRDY;
		ch->waiting = true;
		if (ide_bm_started(ch))
			ide_dma_begin(ch);
		break;
	}
}

static void verify(struct ide_channel *ch, const struct command *c)
{
	end(ch, take_range(ch, c->ext) ? 0 : ERROR_IDNF);
}

static void flush(struct ide_channel *ch, const struct command *c)
{
	(void)c;
	submit(ch, BLK_FLUSH, 0, NULL);
}

static void identify(struct ide_channel *ch, const struct command *c)
{
	ide_identify(selected(ch), (u16 *)(void *)ch->buffer);
	ch->data = c->data;
	ch->sector = 0;
	ch->left = ch->block = 1;
	offer_block(ch);
	interrupt(ch);
}

static void set_multiple(struct ide_channel *ch, const struct command *c)
{
	u8 n = ch->tf.count;

	(void)c;
	if (n > IDE_MULTIPLE || (n && !IS_POW2(n))) {
		end(ch, ERROR_ABRT);
		return;
	}
	selected(ch)->multiple = n;
	end(ch, 0);
}

/* Features that change nothing here: transfer modes, write cache and read-ahead on. */
static void set_features(struct ide_channel *ch, const struct command *c)
{
	static const u8 fine[] = { 0x02, 0x03, 0xaa, 0x66, 0xcc };

	(void)c;
	for (unsigned i = 0; i < ARRAY_SIZE(fine); i++)
		if (ch->tf.feature == fine[i]) {
			end(ch, 0);
			return;
		}
	end(ch, ERROR_ABRT);
}

static void nothing(struct ide_channel *ch, const struct command *c)
{
	(void)c;
	end(ch, 0);
}

static void power_mode(struct ide_channel *ch, const struct command *c)
{
	(void)c;
	ch->tf.count = 0xff; /* active */
	end(ch, 0);
}

static void native_max(struct ide_channel *ch, const struct command *c)
{
	u64 last = selected(ch)->backend->sectors - 1;

	if (!c->ext)
		last = MIN(last, BIT(28) - 1);
	for (unsigned i = 0; i < ARRAY_SIZE(ch->tf.lba); i++) {
		ch->tf.lba[i] = (u8)(last >> 8 * i);
		ch->tf.old_lba[i] = (u8)(last >> (24 + 8 * i));
	}
	if (!c->ext)
		ch->tf.device = (u8)((ch->tf.device & 0xf0) | (last >> 24 & 0xf));
	end(ch, 0);
}

static const struct command commands[] = {
	{ 0x20, false, transfer, IDE_PIO_IN, false }, /* READ SECTOR(S) */
	{ 0x21, false, transfer, IDE_PIO_IN, false },
	{ 0x24, true, transfer, IDE_PIO_IN, false }, /* READ SECTOR(S) EXT */
	{ 0x25, true, transfer, IDE_DMA_IN, false }, /* READ DMA EXT */
	{ 0x27, true, native_max, IDE_NO_DATA, false },
	{ 0x29, true, transfer, IDE_PIO_IN, true },    /* READ MULTIPLE EXT */
	{ 0x30, false, transfer, IDE_PIO_OUT, false }, /* WRITE SECTOR(S) */
	{ 0x31, false, transfer, IDE_PIO_OUT, false },
	{ 0x34, true, transfer, IDE_PIO_OUT, false }, /* WRITE SECTOR(S) EXT */
	{ 0x35, true, transfer, IDE_DMA_OUT, false }, /* WRITE DMA EXT */
	{ 0x39, true, transfer, IDE_PIO_OUT, true },  /* WRITE MULTIPLE EXT */
	{ 0x40, false, verify, IDE_NO_DATA, false },  /* READ VERIFY SECTOR(S) */
	{ 0x42, true, verify, IDE_NO_DATA, false },
	{ 0x91, false, nothing, IDE_NO_DATA, false }, /* INITIALIZE DEVICE PARAMETERS */
	{ 0xc4, false, transfer, IDE_PIO_IN, true },  /* READ MULTIPLE */
	{ 0xc5, false, transfer, IDE_PIO_OUT, true }, /* WRITE MULTIPLE */
	{ 0xc6, false, set_multiple, IDE_NO_DATA, false },
	{ 0xc8, false, transfer, IDE_DMA_IN, false },  /* READ DMA */
	{ 0xca, false, transfer, IDE_DMA_OUT, false }, /* WRITE DMA */
	{ 0xe0, false, nothing, IDE_NO_DATA, false },  /* STANDBY IMMEDIATE */
	{ 0xe1, false, nothing, IDE_NO_DATA, false },  /* IDLE IMMEDIATE */
	{ 0xe2, false, nothing, IDE_NO_DATA, false },  /* STANDBY */
	{ 0xe3, false, nothing, IDE_NO_DATA, false },  /* IDLE */
	{ 0xe5, false, power_mode, IDE_NO_DATA, false },
	{ 0xe7, false, flush, IDE_NO_DATA, false },
	{ 0xea, true, flush, IDE_NO_DATA, false },
	{ 0xec, false, identify, IDE_PIO_IN, false },
	{ 0xef, false, set_features, IDE_NO_DATA, false },
	{ 0xf8, false, native_max, IDE_NO_DATA, false },
};

/* After a reset, and EXECUTE DEVICE DIAGNOSTIC: "Device signatures". */
static void sign(struct ide_channel *ch)
{
	ch->tf = (struct ide_taskfile){ .count = 1, .lba = { 1 } };
	ch->data = IDE_NO_DATA;
	ch->waiting = false;
	ch->error = ERROR_FINE;
	ch->status = STATUS_IDLE;
}

#define CMD_DIAGNOSTIC 0x90u

static void command(struct ide_channel *ch, u8 opcode)
{
	if (!selected(ch)->backend)
		return;
	set_irq(ch, false);
	ch->commands++;
	ch->error = 0;
	if (opcode == CMD_DIAGNOSTIC) {
		sign(ch);
		interrupt(ch);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].opcode == opcode) {
			commands[i].start(ch, &commands[i]);
			return;
		}
	end(ch, ERROR_ABRT);
}

/* ---- the data port ---- */

/* The driver has all of a block. */
static void block_read(struct ide_channel *ch)
{
	u32 n = MIN(ch->left, ch->block);

	ch->sector += n;
	ch->left -= n;
	if (ch->left) {
		submit_block(ch, BLK_READ);
		return;
	}
	ch->data = IDE_NO_DATA;
	ch->status = STATUS_IDLE;
}

static u64 data_read(struct ide_channel *ch, unsigned size)
{
	u64 v = 0;

	if (!(ch->status & STATUS_DRQ) || ch->data != IDE_PIO_IN || size > ch->buffer_len - ch->at)
		return v;
	memcpy(&v, ch->buffer + ch->at, size);
	ch->at += size;
	if (ch->at == ch->buffer_len)
		block_read(ch);
	return v;
}

static void data_write(struct ide_channel *ch, unsigned size, u64 v)
{
	if (!(ch->status & STATUS_DRQ) || ch->data != IDE_PIO_OUT || size > ch->buffer_len - ch->at)
		return;
	memcpy(ch->buffer + ch->at, &v, size);
	ch->at += size;
	if (ch->at == ch->buffer_len)
		submit_block(ch, BLK_WRITE);
}

/* ---- registers ---- */

static u8 status(struct ide_channel *ch)
{
	return selected(ch)->backend ? ch->status : 0;
}

static u8 register_read(struct ide_channel *ch, unsigned reg)
{
	const struct ide_taskfile *t = &ch->tf;
	bool old = ch->control & CONTROL_HOB;

	switch (reg) {
	case REG_FEATURE: return ch->error;
	case REG_COUNT: return old ? t->old_count : t->count;
	case REG_DEVICE: return t->device | DEVICE_FIXED;
	case REG_COMMAND: set_irq(ch, false); return status(ch);
	default: return old ? t->old_lba[reg - REG_LBA] : t->lba[reg - REG_LBA];
	}
}

static void register_write(struct ide_channel *ch, unsigned reg, u8 v)
{
	struct ide_taskfile *t = &ch->tf;

	ch->control &= (u8)~CONTROL_HOB;
	if (ch->status & (STATUS_BSY | STATUS_DRQ))
		return;
	switch (reg) {
	case REG_FEATURE: t->feature = v; break;
	case REG_COUNT:
		t->old_count = t->count;
		t->count = v;
		break;
	case REG_DEVICE: t->device = v; break;
	case REG_COMMAND: command(ch, v); break;
	default:
		t->old_lba[reg - REG_LBA] = t->lba[reg - REG_LBA];
		t->lba[reg - REG_LBA] = v;
		break;
	}
}

/* The data port is as wide as the access; the others have a byte each. */
static u64 command_read(void *dev, u64 offset, unsigned size)
{
	struct ide_channel *ch = dev;
	u64 v = 0;

	if (offset == REG_DATA)
		return data_read(ch, size);
	for (unsigned i = 0; i < size; i++)
		v |= (u64)register_read(ch, (unsigned)offset + i) << i * BITS_PER_BYTE;
	return v;
}

static void command_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct ide_channel *ch = dev;

	if (offset == REG_DATA) {
		data_write(ch, size, value);
		return;
	}
	for (unsigned i = 0; i < size; i++)
		register_write(ch, (unsigned)offset + i, (u8)(value >> i * BITS_PER_BYTE));
}

static u64 control_read(void *dev, u64 offset, unsigned size)
{
	(void)offset;
	(void)size;
	return status(dev);
}

/* A reset by SRST ends when the bit is cleared again. */
static void control_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct ide_channel *ch = dev;
	bool was = ch->control & CONTROL_SRST;

	(void)offset;
	(void)size;
	ch->control = (u8)value;
	if (value & CONTROL_SRST) {
		ide_abort(ch);
		ch->status = STATUS_BSY;
		set_irq(ch, false);
	} else if (was) {
		sign(ch);
	} else if (value & CONTROL_NIEN) {
		set_irq(ch, false);
	}
}

static const struct io_ops command_io = { .read = command_read, .write = command_write };
static const struct io_ops control_io = { .read = control_read, .write = control_write };

/* ---- life ---- */

static void reset_channel(struct ide_channel *ch)
{
	ide_abort(ch);
	ch->control = 0;
	for (unsigned i = 0; i < IDE_DRIVES; i++)
		ch->drive[i].multiple = 0;
	sign(ch);
	ide_bm_reset(ch);
	set_irq(ch, false);
}

void ide_init(struct ide *d, const struct guestmem *gm,
	void (*irq)(void *ctx, unsigned channel, bool level), void *ctx)
{
	static const struct pci_id id = {
		.vendor = PCI_VENDOR_INTEL, .device = PCI_DEVICE_PIIX3, .class_code = CLASS_IDE
	};

	memset(d, 0, sizeof(*d));
	d->gm = gm;
	d->irq = irq;
	d->ctx = ctx;
	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		d->channel[i].ide = d;
		d->channel[i].index = i;
	}
	pci_dev_init(&d->pci, "ide", &id);
	pci_dev_bar(&d->pci, BM_BAR, PCI_BAR_IO, IDE_BM_PORTS, &ide_bm_io, d);
}

bool ide_add(struct ide *d, struct blk_backend *b)
{
	for (unsigned i = 0; i < IDE_DISKS; i++) {
		struct ide_drive *drive = &d->channel[i / IDE_DRIVES].drive[i % IDE_DRIVES];

		if (drive->backend)
			continue;
		drive->backend = b;
		return true;
	}
	return false;
}

/* A channel without a drive does not exist: nobody answers at its ports. */
enum status ide_attach(struct ide *d, struct pci_host *h, struct bus *pio, unsigned slot)
{
	enum status s = OK;

	for (unsigned i = 0; s == OK && i < IDE_CHANNELS; i++) {
		struct ide_channel *ch = &d->channel[i];

		if (!ch->drive[0].backend)
			continue;
		pci_set_config16(&d->pci, CONFIG_TIMING + 2 * i, TIMING_ENABLE);
		s = bus_add(pio, ports[i].command, REGS, &command_io, ch, "ide");
		if (s == OK)
			s = bus_add(pio, ports[i].control, 1, &control_io, ch, "ide");
	}
	ide_reset(d);
	return s == OK ? pci_attach(h, &d->pci, slot) : s;
}

void ide_reset(struct ide *d)
{
	for (unsigned i = 0; i < IDE_CHANNELS; i++)
		if (d->channel[i].drive[0].backend)
			reset_channel(&d->channel[i]);
}

void ide_destroy(struct ide *d)
{
	for (unsigned i = 0; i < IDE_DISKS; i++) {
		struct ide_channel *ch = &d->channel[i / IDE_DRIVES];
		struct blk_backend *b = ch->drive[i % IDE_DRIVES].backend;

		if (!b)
			continue;
		ch->dropped = true;
		if (b->ops->drain)
			b->ops->drain(b);
		b->ops->destroy(b);
	}
}
