/* SPDX-License-Identifier: BSD-2-Clause */
/*-
 * From requests of any length to commands of 64 KB, one after the other, and from sectors of a
 * partition to sectors of its disk.
 *
 *   request 0 [ 64 KB | 64 KB | 8 KB ] -> command, done, command, done, command, done -> io->done()
 *   request 1 [ 4 KB ]                 -> command, done                               -> io->done()
 *
 * Requests under way have a slot each; the driver has a queue.
 */
#include "hv/blk/physical.h"

#include "hv/ctl/log.h"
#include "hv/drv/disk.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"

#define SLOTS 32u

static_assert(DISK_SECTOR == BLK_SECTOR, "sectors are sectors");

struct slot {
	struct disk_cmd cmd;
	struct physical *owner;
	struct blk_io *io; /* NULL: free */
	unsigned range;
	u64 done; /* sectors of the range */
};

struct physical {
	struct blk_backend b;
	struct disk *disk;
	u64 first;
	struct list_node open; /* in the list of those that are */
	bool draining;	       /* requests end with the command that is under way */
	struct slot slot[SLOTS];
};

#define ORDER page_order(sizeof(struct physical))

/* The partition tables, by disk; NULL: it has none. */
static struct gpt *tables[DISKS_MAX];
static struct list_node opened = { &opened, &opened };

/* ---- requests ---- */

static void next_command(struct slot *s);

static void end_request(struct slot *s, bool ok)
{
	struct blk_io *io = s->io;

	s->io = NULL;
	io->done(io, ok);
}

static bool move_data(struct disk_cmd *c, void *buf)
{
	struct slot *s = container_of(c, struct slot, cmd);
	u64 len = c->sectors * DISK_SECTOR;

	if (s->io->op == BLK_READ)
		return s->io->data->fill(s->io, buf, len) == OK;
	if (s->io->op == BLK_WRITE)
		return s->io->data->take(s->io, buf, len) == OK;
	memset(buf, 0, len);
	return true;
}

static void command_done(struct disk_cmd *c, bool ok)
{
	struct slot *s = container_of(c, struct slot, cmd);

	s->done += c->sectors;
	if (!ok)
		end_request(s, false);
	else
		next_command(s);
}

static void next_command(struct slot *s)
{
	struct blk_io *io = s->io;
	const struct blk_range *r;

	while (s->range < io->ranges && s->done == io->range[s->range].sectors) {
		s->range++;
		s->done = 0;
	}
	if (s->range == io->ranges || s->owner->draining) {
		end_request(s, s->range == io->ranges);
		return;
	}
	r = &io->range[s->range];
	s->cmd.op = io->op == BLK_READ ? DISK_READ : DISK_WRITE;
	s->cmd.sector = s->owner->first + r->sector + s->done;
	s->cmd.sectors = (u32)MIN(r->sectors - s->done, (u64)DISK_SECTORS_MAX);
	disk_submit(s->owner->disk, &s->cmd);
}

/* Does all of it lie inside? The device has looked already; this is the border to what belongs to
 * others. */
static bool ranges_inside(const struct blk_backend *b, const struct blk_io *io)
{
	for (unsigned i = 0; i < io->ranges; i++)
		if (!blk_in_medium(b, io->range[i].sector, io->range[i].sectors))
			return false;
	return io->op == BLK_READ || io->op == BLK_FLUSH || !b->read_only;
}

static struct slot *free_slot(struct physical *p)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (!p->slot[i].io)
			return &p->slot[i];
	return NULL;
}

static void submit(struct blk_backend *b, struct blk_io *io)
{
	struct physical *p = container_of(b, struct physical, b);
	struct slot *s = free_slot(p);

	if (!s || !ranges_inside(b, io) || io->op == BLK_DISCARD) {
		io->done(io, false);
		return;
	}
	s->io = io;
	s->range = 0;
	s->done = 0;
	if (io->op != BLK_FLUSH) {
		next_command(s);
		return;
	}
	s->cmd.op = DISK_FLUSH;
	s->cmd.sectors = 0;
	disk_submit(p->disk, &s->cmd);
}

static bool busy(const struct physical *p)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (p->slot[i].io)
			return true;
	return false;
}

/* What the disk has not started is not, what it does is waited for, and no request goes on with
 * another command: one deadline of the driver's is the most that it takes. */
static void drain(struct blk_backend *b)
{
	struct physical *p = container_of(b, struct physical, b);

	p->draining = true;
	for (unsigned i = 0; i < SLOTS; i++)
		if (p->slot[i].io && p->disk->ops->cancel(p->disk, &p->slot[i].cmd))
			end_request(&p->slot[i], false);
	while (busy(p))
		p->disk->ops->poll(p->disk);
	p->draining = false;
}

static void destroy(struct blk_backend *b)
{
	struct physical *p = container_of(b, struct physical, b);

	list_del(&p->open);
	page_free(p, ORDER, PAGE_HV);
}

static const struct blk_backend_ops physical_ops = {
	.submit = submit,
	.drain = drain,
	.destroy = destroy,
};

/* ---- finding what is asked for ---- */

struct place {
	struct disk *disk;
	u64 first, sectors;
};

static bool partition_is(const struct gpt_partition *p, const struct physical_name *name)
{
	if (name->kind == PHYSICAL_NAME)
		return !strcmp(p->name, name->partition);
	return !memcmp(p->uuid, name->uuid, GPT_GUID);
}

/* Counts what answers to the name; *to is the last one. */
static unsigned find_partition(const struct physical_name *name, struct place *to)
{
	unsigned found = 0;

	for (unsigned d = 0; d < disk_count(); d++)
		for (unsigned i = 0; tables[d] && i < tables[d]->partitions; i++) {
			const struct gpt_partition *p = &tables[d]->partition[i];

			if (!partition_is(p, name))
				continue;
			*to = (struct place){ disk_at(d), p->first, p->sectors };
			found++;
		}
	return found;
}

static enum status find(const struct physical_name *name, struct place *to, const char **why)
{
	unsigned found;

	if (name->kind == PHYSICAL_DISK) {
		if (name->disk >= disk_count()) {
			*why = "the machine has no disk of that number";
			return ERR_NOENT;
		}
		*to = (struct place){ disk_at(name->disk), 0, disk_at(name->disk)->sectors };
		return OK;
	}
	found = find_partition(name, to);
	if (!found)
		*why = "no disk has such a partition";
	else if (found > 1)
		*why = "there is more than one such partition";
	return found == 1 ? OK : found ? ERR_INVAL : ERR_NOENT;
}

static bool taken(const struct place *at, bool read_only)
{
	struct physical *p;

	list_for_each_entry (p, &opened, open)
		if (p->disk == at->disk && !(read_only && p->b.read_only) &&
			at->first < p->first + p->b.sectors && p->first < at->first + at->sectors)
			return true;
	return false;
}

enum status physical_open(struct blk_backend **out, const struct physical_name *name,
	bool read_only, const char **why)
{
	struct physical *p;
	struct place at;
	enum status st = find(name, &at, why);

	if (st != OK)
		return st;
	if (at.disk->silent) {
		*why = "the disk's interrupts do not arrive";
		return ERR_NOTSUP;
	}
	if (taken(&at, read_only)) {
		*why = "another virtual disk has it, or a part of it";
		return ERR_EXIST;
	}
	p = page_alloc(ORDER, PAGE_HV);
	if (!p) {
		*why = "there is no memory for it";
		return ERR_NOMEM;
	}
	p->disk = at.disk;
	p->first = at.first;
	p->b = (struct blk_backend){ .ops = &physical_ops,
		.sectors = at.sectors,
		.read_only = read_only,
		.no_discard = true,
		.physical_exp = at.disk->physical_exp,
		.depth = SLOTS };
	memcpy(p->b.id, at.disk->serial, strnlen(at.disk->serial, BLK_ID_MAX));
	for (unsigned i = 0; i < SLOTS; i++) {
		p->slot[i].owner = p;
		p->slot[i].cmd.data = move_data;
		p->slot[i].cmd.done = command_done;
	}
	list_add_tail(&opened, &p->open);
	*out = &p->b;
	return OK;
}

/* ---- at boot ---- */

static enum status read_sectors(void *ctx, u64 sector, u32 count, void *buf)
{
	return disk_read(ctx, sector, count, buf);
}

static void report(unsigned index, const struct disk *d, const struct gpt *g)
{
	char uuid[GPT_GUID_TEXT + 1];

	log_info("disk:%u: %s, %lu MB, \"%s\", serial \"%s\"", index, d->ops->name,
		d->sectors / (MB / DISK_SECTOR), d->model, d->serial);
	if (d->silent)
		log_warn("disk:%u: its interrupts do not arrive", index);
	for (unsigned i = 0; g && i < g->partitions; i++) {
		gpt_guid_text(g->partition[i].uuid, uuid);
		log_info("  part:%s: number %u, %lu MB, uuid:%s", g->partition[i].name,
			g->partition[i].number, g->partition[i].sectors / (MB / DISK_SECTOR), uuid);
	}
}

static void init_disk(unsigned index)
{
	unsigned order = page_order(sizeof(struct gpt));
	struct gpt *g = page_alloc(order, PAGE_HV);
	void *buf = page_alloc(PAGE_ORDER_4K, PAGE_HV);
	enum status st = ERR_NOMEM;

	if (g && buf)
		st = gpt_read(g, disk_at(index)->sectors, read_sectors, disk_at(index), buf);
	if (buf)
		page_free(buf, PAGE_ORDER_4K, PAGE_HV);
	if (st != OK && g) {
		page_free(g, order, PAGE_HV);
		g = NULL;
	}
	tables[index] = g;
	report(index, disk_at(index), g);
	if (st != OK && st != ERR_NOENT)
		log_warn("disk:%u: its partition table cannot be %s", index,
			st == ERR_INVAL ? "right: it is left alone" : "read");
	else if (st == OK && g->backup)
		log_warn("disk:%u: the first partition table is damaged; its copy is used", index);
}

void physical_init(void)
{
	for (unsigned i = 0; i < disk_count(); i++)
		init_disk(i);
}
