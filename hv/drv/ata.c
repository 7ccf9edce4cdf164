/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ATA driver. A channel does one command at a time; what else is submitted waits in its queue.
 * Requests that follow each other there and on the disk become one command, since each command
 * costs an interrupt. If such a one fails, they are tried again one by one, from the same buffer.
 *
 *            submit                    interrupt: done
 *   IDLE ------------> BUSY --------------------------------> IDLE
 *                        | time is up: the command fails
 *                        v
 *                   RESET_HOLD --1 ms--> RESET_WAIT --ready, after 2 ms--> IDLE
 *                                            | 30 s
 *                                            v
 *                                          DEAD: all that is submitted fails
 *
 * Nothing waits by turning in a loop but the probe at boot, and the selection of a drive, for a
 * bounded number of reads.
 */
#include "hv/drv/ata.h"

#include <linux/pci_regs.h>

#include "hv/cpu/tsc.h"
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"

/* Command block registers, from its port. */
#define REG_ERROR   1u
#define REG_COUNT   2u
#define REG_LBA_0   3u
#define REG_LBA_1   4u
#define REG_LBA_2   5u
#define REG_DEVICE  6u
#define REG_STATUS  7u /* read: ends the interrupt */
#define REG_COMMAND 7u /* write */

#define STATUS_BSY BIT(7)
#define STATUS_DF  BIT(5)
#define STATUS_DRQ BIT(3)
#define STATUS_ERR BIT(0)
#define NO_DEVICE  0xffu /* nobody drives the bus */

/* The control register, which reads as the status without a side effect. */
#define CONTROL_SRST 0x04u
#define CONTROL_NIEN 0x02u /* no interrupts */

#define DEVICE_LBA  0x40u
#define DEVICE_UNIT 4 /* bit */

/* Bus-master registers, from the channel's port. */
#define BM_COMMAND     0u
#define BM_STATUS      2u
#define BM_TABLE       4u
#define BM_CHANNEL     8u /* the second channel's behind the first one's */
#define BM_START       0x01u
#define BM_TO_MEMORY   0x08u
#define BM_ACTIVE      0x01u
#define BM_ERROR       0x02u
#define BM_INTERRUPT   0x04u
#define BM_DRIVE_BITS  0x60u /* which drives can do DMA: firmware's */
#define BM_BAR	       4u
#define PRD_LAST       0x8000u
#define BUFFER_ORDER   4u /* 64 KB, aligned to that: no descriptor may cross a multiple of it */
#define DMA_LIMIT      HPA(4 * GB)
#define CLASS_IDE      0x0101u
#define IDE_BUS_MASTER 0x80u /* of the interface byte */
#define IDE_NATIVE(ch) (1u << 2 * (ch))

#define CMD_IDENTIFY	0xecu
#define LBA28_LIMIT	BIT(28)
#define SIGNATURE_ATAPI 0xeb14u
#define US		1000000u /* in a second */
#define HOLD_US		1000u
#define SETTLE_US	2000u /* from the end of SRST to the first look at the status */
#define LOOK_US		10000u
#define PROBE_US	5000000u
#define IDENTIFY_US	1000000u
#define COMMAND_US	30000000u
#define RESET_US	30000000u
#define SELECT_READS	200u
#define CHANNELS	2u
#define DRIVES		2u
#define CHANNELS_MAX	4u /* of all controllers */

static_assert((PAGE_SIZE << BUFFER_ORDER) == DISK_BYTES_MAX, "a command's data fits the buffer");

struct prd { /* "Physical Region Descriptor" */
	u32 address;
	u16 count; /* 0: 64 KB */
	u16 flags;
};
static_assert(sizeof(struct prd) == 8, "as the controller reads it");

enum channel_state {
	IDLE,
	BUSY,
	RESET_HOLD,
	RESET_WAIT,
	DEAD
};

struct channel;

struct drive {
	struct disk disk;
	struct channel *channel;
	unsigned unit;
	struct disk_identity id;
};

struct channel {
	const struct port_ops *ports;
	u16 command, control, bm;
	unsigned index; /* 0: primary */
	enum channel_state state;
	bool starting; /* commands are being taken from the queue */
	struct list_node queue[DRIVES];
	unsigned turn; /* whose command is next, if both have some */
	struct drive drive[DRIVES];
	struct drive *of; /* the drive of the command under way */
	struct list_node
		now; /* what the command under way is made of, in the order of the buffer */
	u32 sectors, in_buffer; /* of that command; where its data starts, in sectors */
	bool one_by_one;
	u64 deadline; /* of the reset */
	struct timerq *tq;
	struct timer timer;
	void *buffer;
	u32 table; /* physical address of the one descriptor */
	struct prd *prd;
	struct ratelimit rl;
};

static struct channel channels[CHANNELS_MAX];
static unsigned used;

static u8 in(const struct channel *ch, unsigned reg)
{
	return ch->ports->in8((u16)(ch->command + reg));
}

static void out(const struct channel *ch, unsigned reg, u64 value)
{
	ch->ports->out8((u16)(ch->command + reg), (u8)value);
}

static u8 status_now(const struct channel *ch)
{
	return ch->ports->in8(ch->control);
}

/* While the drive selected before is busy, nobody takes it. */
static void select_drive(const struct channel *ch, unsigned unit)
{
	out(ch, REG_DEVICE, DEVICE_LBA | unit << DEVICE_UNIT);
}

static void arm(struct channel *ch, u64 us)
{
	timer_arm(ch->tq, &ch->timer, timerq_now(ch->tq) + muldiv64(us, ch->tq->hz, US));
}

/* ---- a command ---- */

/* The commands by operation; without and with 48-bit addresses. */
static const u8 opcodes[DISK_OPS][2] = {
	[DISK_READ] = { 0xc8, 0x25 }, /* READ DMA, READ DMA EXT */
	[DISK_WRITE] = { 0xca, 0x35 },
	[DISK_FLUSH] = { 0xe7, 0xea }, /* FLUSH CACHE, FLUSH CACHE EXT */
};

static void start_next(struct channel *ch);

static struct disk_cmd *first(const struct list_node *list)
{
	return list_entry(list->next, struct disk_cmd, node);
}

/* The first of those under way is over. */
static void finish_first(struct channel *ch, bool ok)
{
	struct disk_cmd *c = first(&ch->now);
	void *buf = (u8 *)ch->buffer + ch->in_buffer * DISK_SECTOR;

	list_del(&c->node);
	ch->in_buffer += c->sectors;
	if (ok && c->op == DISK_READ)
		ok = c->data(c, buf);
	c->done(c, ok);
}

/* All of them. What is submitted meanwhile waits: the buffer holds the data of those that follow.
 */
static void finish(struct channel *ch, bool ok)
{
	bool starting = ch->starting;

	timer_cancel(ch->tq, &ch->timer);
	ch->starting = true;
	while (!list_empty(&ch->now))
		finish_first(ch, ok);
	ch->starting = starting;
	ch->one_by_one = false;
}

/* Of the drive that has been selected. */
static bool ready(const struct channel *ch)
{
	for (unsigned i = 0; i < SELECT_READS; i++)
		if (!(status_now(ch) & (STATUS_BSY | STATUS_DRQ)))
			return true;
	return false;
}

static void set_up_dma(const struct channel *ch, const struct disk_cmd *c)
{
	u64 at = hva_to_hpa(ch->buffer).v + ch->in_buffer * DISK_SECTOR;

	ch->prd->address = (u32)at;
	ch->prd->count = (u16)(ch->sectors * DISK_SECTOR); /* 64 KB are 0 */
	ch->ports->out8((u16)(ch->bm + BM_COMMAND), c->op == DISK_READ ? BM_TO_MEMORY : 0);
	ch->ports->out32((u16)(ch->bm + BM_TABLE), ch->table);
}

static void clear_bm(const struct channel *ch)
{
	u8 keep = ch->ports->in8((u16)(ch->bm + BM_STATUS)) & BM_DRIVE_BITS;

	ch->ports->out8((u16)(ch->bm + BM_STATUS), keep | BM_INTERRUPT | BM_ERROR);
}

/* Registers of two bytes each take the high one first. */
static void set_address(const struct channel *ch, const struct disk_cmd *c, bool ext)
{
	u64 lba = c->sector;

	if (ext) {
		out(ch, REG_COUNT, ch->sectors >> 8);
		out(ch, REG_LBA_0, lba >> 24);
		out(ch, REG_LBA_1, lba >> 32);
		out(ch, REG_LBA_2, lba >> 40);
	} else {
		out(ch, REG_DEVICE, DEVICE_LBA | ch->of->unit << DEVICE_UNIT | (lba >> 24 & 0xf));
	}
	out(ch, REG_COUNT, ch->sectors);
	out(ch, REG_LBA_0, lba);
	out(ch, REG_LBA_1, lba >> 8);
	out(ch, REG_LBA_2, lba >> 16);
}

static bool needs_ext(const struct channel *ch, const struct disk_cmd *c)
{
	if (c->op == DISK_FLUSH)
		return ch->of->id.flush_ext;
	return c->sector + ch->sectors > LBA28_LIMIT;
}

/* False: the drive does not take it; the channel wants a reset. */
static bool issue(struct channel *ch)
{
	const struct disk_cmd *c = first(&ch->now);
	bool ext = needs_ext(ch, c);

	select_drive(ch, ch->of->unit);
	if (!ready(ch))
		return false;
	clear_bm(ch);
	if (c->op != DISK_FLUSH) {
		set_up_dma(ch, c);
		set_address(ch, c, ext);
	}
	ch->state = BUSY;
	arm(ch, COMMAND_US);
	out(ch, REG_COMMAND, opcodes[c->op][ext]);
	if (c->op != DISK_FLUSH)
		ch->ports->out8((u16)(ch->bm + BM_COMMAND),
			BM_START | (c->op == DISK_READ ? BM_TO_MEMORY : 0));
	return true;
}

/* ---- reset ---- */

static void stop_dma(const struct channel *ch)
{
	ch->ports->out8((u16)(ch->bm + BM_COMMAND), 0);
}

static void begin_reset(struct channel *ch)
{
	stop_dma(ch);
	ch->ports->out8(ch->control, CONTROL_SRST);
	ch->state = RESET_HOLD;
	arm(ch, HOLD_US);
}

static void die(struct channel *ch)
{
	log_err("ata%u: no answer to a reset: its disks are given up", ch->index);
	ch->state = DEAD;
	start_next(ch);
}

static void look_after_reset(struct channel *ch)
{
	if (!(status_now(ch) & STATUS_BSY)) {
		clear_bm(ch);
		ch->state = IDLE;
		start_next(ch);
	} else if (timerq_now(ch->tq) >= ch->deadline) {
		die(ch);
	} else {
		arm(ch, LOOK_US);
	}
}

static void time_is_up(struct channel *ch)
{
	if (ch->state == RESET_HOLD) {
		ch->ports->out8(ch->control, 0);
		ch->state = RESET_WAIT;
		ch->deadline = timerq_now(ch->tq) + muldiv64(RESET_US, ch->tq->hz, US);
		arm(ch, SETTLE_US);
	} else if (ch->state == RESET_WAIT) {
		look_after_reset(ch);
	} else if (ch->state == BUSY) {
		log_guest(&ch->rl, LOG_WARN, "ata%u: no answer from drive %u: reset", ch->index,
			ch->of->unit);
		begin_reset(ch);
		finish(ch, false);
		/* finish() ends with no timer armed. */
		arm(ch, HOLD_US);
	}
}

static void expire(struct timer *t)
{
	time_is_up(container_of(t, struct channel, timer));
}

/* ---- the queue ---- */

/* The queue whose turn it is, of those with something in them; NULL: there is nothing. */
static struct list_node *next_queue(struct channel *ch)
{
	for (unsigned i = 0; i < DRIVES; i++) {
		unsigned unit = (ch->turn + i) % DRIVES;

		if (list_empty(&ch->queue[unit]))
			continue;
		ch->of = &ch->drive[unit];
		ch->turn = (unit + 1) % DRIVES;
		return &ch->queue[unit];
	}
	return NULL;
}

/* Takes the first of a queue, with its data if it is a write. False: the data cannot be had. */
static bool take(struct channel *ch, struct list_node *queue)
{
	struct disk_cmd *c = first(queue);

	if (c->op == DISK_WRITE && !c->data(c, (u8 *)ch->buffer + ch->sectors * DISK_SECTOR))
		return false;
	list_del(&c->node);
	list_add_tail(&ch->now, &c->node);
	ch->sectors += c->sectors;
	return true;
}

/* Is the next one where those taken end? */
static bool follows(const struct channel *ch, const struct list_node *queue)
{
	const struct disk_cmd *c = first(&ch->now), *next = first(queue);

	return !list_empty(queue) && c->op != DISK_FLUSH && next->op == c->op &&
	       next->sector == c->sector + ch->sectors &&
	       ch->sectors + next->sectors <= DISK_SECTORS_MAX;
}

/* What cannot start fails alone. */
static void fail_first(struct list_node *queue, bool ok)
{
	struct disk_cmd *c = first(queue);

	list_del(&c->node);
	c->done(c, ok);
}

static void start(struct channel *ch, struct list_node *queue)
{
	ch->sectors = ch->in_buffer = 0;
	if (ch->state == DEAD) {
		fail_first(queue, false);
	} else if (first(queue)->op == DISK_FLUSH && !ch->of->id.flush) {
		fail_first(queue, !ch->of->id.write_cache);
	} else if (!take(ch, queue)) {
		fail_first(queue, false);
	} else {
		while (follows(ch, queue))
			if (!take(ch, queue)) {
				fail_first(queue, false);
				break;
			}
		if (!issue(ch)) {
			log_guest(&ch->rl, LOG_WARN, "ata%u: drive %u is busy for no reason: reset",
				ch->index, ch->of->unit);
			finish(ch, false);
			begin_reset(ch);
		}
	}
}

static void start_next(struct channel *ch)
{
	struct list_node *queue;

	if (ch->starting)
		return;
	ch->starting = true;
	while ((ch->state == IDLE || ch->state == DEAD) && list_empty(&ch->now) &&
		(queue = next_queue(ch)))
		start(ch, queue);
	ch->starting = false;
}

/* The first of those that are left, alone; false: the drive does not take it. */
static bool issue_one(struct channel *ch)
{
	ch->one_by_one = true;
	ch->sectors = first(&ch->now)->sectors;
	return issue(ch);
}

static bool several(const struct channel *ch)
{
	return ch->now.next != ch->now.prev;
}

/* A command has ended: what was asked for is over, or tried again in parts. */
static void ended(struct channel *ch, bool ok)
{
	ch->state = IDLE;
	if (several(ch) && (ch->one_by_one || !ok)) {
		if (ch->one_by_one)
			finish_first(ch, ok);
		if (issue_one(ch))
			return;
		finish(ch, false);
		begin_reset(ch);
		return;
	}
	finish(ch, ok);
	start_next(ch);
}

static void interrupt(void *ctx)
{
	struct channel *ch = ctx;
	u8 bm = ch->ports->in8((u16)(ch->bm + BM_STATUS)), status;
	bool ok;

	if (!(bm & BM_INTERRUPT) || ch->state != BUSY || (status_now(ch) & STATUS_BSY))
		return;
	stop_dma(ch);
	status = in(ch, REG_STATUS);
	clear_bm(ch);
	ok = !(status & (STATUS_ERR | STATUS_DF | STATUS_DRQ)) && !(bm & BM_ERROR) &&
	     (first(&ch->now)->op == DISK_FLUSH || !(bm & BM_ACTIVE));
	if (!ok)
		log_guest(&ch->rl, LOG_WARN,
			"ata%u: drive %u: command 0x%02x at sector %lu failed: status 0x%02x, "
			"error "
			"0x%02x, bus master 0x%02x",
			ch->index, ch->of->unit, opcodes[first(&ch->now)->op][0],
			first(&ch->now)->sector, status, in(ch, REG_ERROR), bm);
	ended(ch, ok);
}

static void ata_submit(struct disk *d, struct disk_cmd *c)
{
	struct drive *drive = container_of(d, struct drive, disk);

	list_add_tail(&drive->channel->queue[drive->unit], &c->node);
	start_next(drive->channel);
}

static bool ata_cancel(struct disk *d, struct disk_cmd *c)
{
	struct drive *drive = container_of(d, struct drive, disk);

	return disk_take_back(&drive->channel->queue[drive->unit], c);
}

static void ata_poll(struct disk *d)
{
	struct channel *ch = container_of(d, struct drive, disk)->channel;

	interrupt(ch);
	if (timer_armed(&ch->timer) && timerq_now(ch->tq) >= ch->timer.deadline) {
		timer_cancel(ch->tq, &ch->timer);
		time_is_up(ch);
	}
}

static const struct disk_ops ata_ops = {
	.name = "ata",
	.submit = ata_submit,
	.cancel = ata_cancel,
	.poll = ata_poll,
};

/* ---- finding disks ---- */

/* Waits until the bits of the status are as wanted. False: they are not within that time. */
static bool wait_status(const struct channel *ch, u64 mask, u64 want, u64 us)
{
	u64 end = timerq_now(ch->tq) + muldiv64(us, ch->tq->hz, US);

	while ((status_now(ch) & mask) != want)
		if (timerq_now(ch->tq) >= end)
			return false;
	return true;
}

/*
 * Firmware may have left a drive selected that is not there, and not every controller selects
 * drive 0 with the reset: the status would be that of nobody, who is never busy.
 */
static bool reset_and_wait(struct channel *ch)
{
	select_drive(ch, 0);
	ch->ports->out8(ch->control, CONTROL_SRST | CONTROL_NIEN);
	delay_us(HOLD_US);
	ch->ports->out8(ch->control, CONTROL_NIEN);
	delay_us(SETTLE_US);
	return wait_status(ch, STATUS_BSY, 0, PROBE_US);
}

static bool identify(struct channel *ch, unsigned unit, struct disk_identity *id)
{
	u16 words[DISK_SECTOR / 2];

	select_drive(ch, unit);
	if (status_now(ch) == NO_DEVICE || !status_now(ch) || !ready(ch))
		return false;
	if ((u32)in(ch, REG_LBA_2) << 8 == (SIGNATURE_ATAPI & 0xff00u) &&
		in(ch, REG_LBA_1) == (SIGNATURE_ATAPI & 0xffu))
		return false;
	out(ch, REG_COMMAND, CMD_IDENTIFY);
	if (!wait_status(ch, STATUS_BSY, 0, IDENTIFY_US) ||
		(status_now(ch) & (STATUS_ERR | STATUS_DRQ)) != STATUS_DRQ)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = ch->ports->in16(ch->command);
	return disk_identify(words, id);
}

/* Once a channel, with its first disk. */
static bool get_memory(struct channel *ch)
{
	if (ch->buffer)
		return true;
	ch->buffer = page_alloc_below(BUFFER_ORDER, DMA_LIMIT, PAGE_HV);
	ch->prd = page_alloc_below(PAGE_ORDER_4K, DMA_LIMIT, PAGE_HV);
	if (!ch->buffer || !ch->prd) {
		log_warn("ata%u: no memory below 4 GB for its disks", ch->index);
		return false;
	}
	ch->table = (u32)hva_to_hpa(ch->prd).v;
	*ch->prd = (struct prd){ .flags = PRD_LAST };
	return true;
}

static void add_drive(struct channel *ch, unsigned unit)
{
	struct drive *d = &ch->drive[unit];

	if (!identify(ch, unit, &d->id) || !get_memory(ch))
		return;
	d->channel = ch;
	d->unit = unit;
	d->disk = (struct disk){
		.ops = &ata_ops, .sectors = d->id.sectors, .physical_exp = d->id.physical_exp
	};
	if (!d->id.lba48)
		d->disk.sectors = MIN(d->disk.sectors, LBA28_LIMIT);
	memcpy(d->disk.model, d->id.model, sizeof(d->disk.model));
	memcpy(d->disk.serial, d->id.serial, sizeof(d->disk.serial));
	if (!disk_add(&d->disk))
		log_warn("ata%u: more disks than are expected: drive %u is left out", ch->index,
			unit);
}

static void attach_channel(struct channel *ch, unsigned irq, ata_irq_fn irq_fn)
{
	timer_init(&ch->timer, expire);
	list_init(&ch->now);
	for (unsigned i = 0; i < DRIVES; i++)
		list_init(&ch->queue[i]);
	if (status_now(ch) == NO_DEVICE || !reset_and_wait(ch))
		return;
	if (irq_fn(irq, interrupt, ch) != OK) {
		log_warn("ata%u: no interrupt line %u: it is left alone", ch->index, irq);
		return;
	}
	for (unsigned i = 0; i < DRIVES; i++)
		add_drive(ch, i);
	in(ch, REG_STATUS);
	clear_bm(ch);
	ch->ports->out8(ch->control, 0);
}

bool ata_attach(const struct pci_function *f, struct timerq *tq, ata_irq_fn irq)
{
	static const struct {
		u16 command, control;
		unsigned irq;
	} legacy[CHANNELS] = { { 0x1f0, 0x3f6, 14 }, { 0x170, 0x376, 15 } };
	u16 bm;

	if (f->class_code >> 8 != CLASS_IDE || !(f->class_code & IDE_BUS_MASTER) ||
		!pci_fn_io_bar(f, BM_BAR, &bm))
		return false;
	pci_fn_enable(f, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	for (unsigned i = 0; i < CHANNELS && used < CHANNELS_MAX; i++) {
		struct channel *ch = &channels[used];

		if (f->class_code & IDE_NATIVE(i)) {
			log_warn("ata: a channel in native mode is left alone");
			continue;
		}
		*ch = (struct channel){ .ports = f->ports,
			.command = legacy[i].command,
			.control = legacy[i].control,
			.bm = (u16)(bm + i * BM_CHANNEL),
			.index = used++,
			.tq = tq,
			.rl = RATELIMIT(5) };
		attach_channel(ch, legacy[i].irq, irq);
	}
	return true;
}
