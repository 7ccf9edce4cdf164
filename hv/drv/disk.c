/* SPDX-License-Identifier: BSD-2-Clause */
/* What all disks have in common: the list of them, the look at a command's range, and IDENTIFY. */
#include "hv/drv/disk.h"

#include "hv/cpu/idle.h"
#include "hv/cpu/tsc.h"
#include "hv/lib/string.h"

#define ID_SERIAL	   10u /* words */
#define ID_MODEL	   27u
#define ID_CAPABILITIES	   49u
#define ID_SECTORS_28	   60u /* and 61 */
#define ID_COMMANDS_2	   83u
#define ID_ENABLED_1	   85u
#define ID_SECTORS_48	   100u /* to 103 */
#define ID_SECTOR_SIZE	   106u
#define CAP_DMA		   BIT(8)
#define CAP_LBA		   BIT(9)
#define COMMANDS_VALID	   BIT(14) /* with bit 15 clear */
#define COMMANDS_VALID_0   BIT(15)
#define COMMANDS_LBA48	   BIT(10)
#define COMMANDS_FLUSH	   BIT(12)
#define COMMANDS_FLUSH_EXT BIT(13)
#define ENABLED_CACHE	   BIT(5)
#define SIZE_VALID	   BIT(14) /* with bit 15 clear */
#define SIZE_VALID_0	   BIT(15)
#define SIZE_SEVERAL	   BIT(13) /* logical sectors in a physical one */
#define SIZE_LARGE	   BIT(12) /* a logical sector has more than 512 bytes */
#define SIZE_EXP	   0xfu
#define NOT_ATA		   BIT(15) /* of word 0 */

static struct disk *disks[DISKS_MAX];
static unsigned count;

bool disk_add(struct disk *d)
{
	if (count == DISKS_MAX)
		return false;
	disks[count++] = d;
	return true;
}

unsigned disk_count(void)
{
	return count;
}

struct disk *disk_at(unsigned index)
{
	return disks[index];
}

static bool in_range(const struct disk *d, const struct disk_cmd *c)
{
	if (c->op == DISK_FLUSH)
		return !c->sectors;
	return c->sectors && c->sectors <= DISK_SECTORS_MAX && c->sectors <= d->sectors &&
	       c->sector <= d->sectors - c->sectors;
}

void disk_submit(struct disk *d, struct disk_cmd *c)
{
	if (in_range(d, c))
		d->ops->submit(d, c);
	else
		c->done(c, false);
}

bool disk_take_back(struct list_node *queue, struct disk_cmd *c)
{
	struct list_node *n;

	list_for_each (n, queue)
		if (n == &c->node) {
			list_del(n);
			return true;
		}
	return false;
}

/* ---- reading at boot ---- */

struct wait {
	struct disk_cmd cmd;
	void *to;
	bool over, ok;
};

static bool wait_data(struct disk_cmd *c, void *buf)
{
	memcpy(container_of(c, struct wait, cmd)->to, buf, c->sectors * DISK_SECTOR);
	return true;
}

static void wait_done(struct disk_cmd *c, bool ok)
{
	struct wait *w = container_of(c, struct wait, cmd);

	w->over = true;
	w->ok = ok;
}

/* An idle processor takes interrupts; a disk that is silent is polled from then on. */
static void wait_for_interrupt(struct disk *d, const struct wait *w)
{
	u64 patience = tsc_now() + tsc_hz();

	while (!READ_ONCE(w->over) && !d->silent) {
		if (tsc_now() >= patience)
			d->silent = true;
		else
			cpu_idle(patience);
	}
}

enum status disk_read(struct disk *d, u64 sector, u32 sectors, void *buf)
{
	struct wait w = { .to = buf };

	w.cmd = (struct disk_cmd){ .op = DISK_READ,
		.sector = sector,
		.sectors = sectors,
		.data = wait_data,
		.done = wait_done };
	if (!in_range(d, &w.cmd))
		return ERR_RANGE;
	disk_submit(d, &w.cmd);
	wait_for_interrupt(d, &w);
	while (!w.over)
		d->ops->poll(d);
	return w.ok ? OK : ERR_TIMEOUT;
}

/* ---- IDENTIFY ---- */

/* Two characters a word, the first in the high half; blanks at both ends do not count. */
static void get_text(char *to, const u16 *words, unsigned len)
{
	unsigned n = 0, skip = 0;

	for (unsigned i = 0; i < len; i++) {
		char c = (char)(words[i / 2] >> (i % 2 ? 0 : 8) & 0xff);

		to[i] = c >= ' ' && c < 0x7f ? c : ' ';
	}
	while (skip < len && to[skip] == ' ')
		skip++;
	for (unsigned i = skip; i < len; i++) {
		to[i - skip] = to[i];
		if (to[i] != ' ')
			n = i - skip + 1;
	}
	to[n] = '\0';
}

static u64 get_number(const u16 *words, unsigned n)
{
	u64 v = 0;

	while (n--)
		v = v << 16 | words[n];
	return v;
}

bool disk_identify(const u16 words[DISK_SECTOR / 2], struct disk_identity *out)
{
	u16 commands = words[ID_COMMANDS_2], size = words[ID_SECTOR_SIZE];
	bool commands_valid = (commands & COMMANDS_VALID) && !(commands & COMMANDS_VALID_0);
	bool size_valid = (size & SIZE_VALID) && !(size & SIZE_VALID_0);

	*out = (struct disk_identity){ 0 };
	if ((words[0] & NOT_ATA) || !(words[ID_CAPABILITIES] & CAP_DMA) ||
		!(words[ID_CAPABILITIES] & CAP_LBA) || (size_valid && (size & SIZE_LARGE)))
		return false;
	if (commands_valid) {
		out->lba48 = commands & COMMANDS_LBA48;
		out->flush = commands & COMMANDS_FLUSH;
		out->flush_ext = out->lba48 && (commands & COMMANDS_FLUSH_EXT);
		out->write_cache = words[ID_ENABLED_1] & ENABLED_CACHE;
	}
	if (size_valid && (size & SIZE_SEVERAL))
		out->physical_exp = (u8)(size & SIZE_EXP);
	out->sectors = out->lba48 ? get_number(&words[ID_SECTORS_48], 4)
				  : get_number(&words[ID_SECTORS_28], 2);
	get_text(out->model, &words[ID_MODEL], DISK_MODEL_MAX);
	get_text(out->serial, &words[ID_SERIAL], DISK_SERIAL_MAX);
	return out->sectors != 0;
}
