/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the disk drivers ask of the machine, for their tests: a clock, memory that a controller
 * reaches; and requests that keep count of how they end.
 */
#ifndef TESTS_UNIT_DISK_UTIL_H
#define TESTS_UNIT_DISK_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/cpu/tsc.h"
#include "hv/drv/disk.h"
#include "hv/mem/page.h"
#include "tests/unit/clock.h"

#define HZ	1000000000ul
#define SECOND	HZ
#define SECTORS 4096u /* that a disk keeps; the numbers of others go round */

static struct timerq tq;

u64 tsc_now(void)
{
	return clock_now;
}

u64 tsc_hz(void)
{
	return HZ;
}

static void pass_time(u64 ticks)
{
	u64 end = clock_now + ticks;

	while (tq.next <= end) {
		clock_now = MAX(clock_now, tq.next);
		timerq_run(&tq);
	}
	clock_now = MAX(clock_now, end);
}

/* ---- memory for DMA ---- */

#define DMA_BYTES (2 * MB)

/* All of it in one window of 4 GB, so that 32 bits of an address are enough. */
static u8 *dma_memory;
static size_t dma_used;

void *page_alloc_below(unsigned order, hpa_t limit, enum page_owner owner)
{
	size_t bytes = PAGE_SIZE << order;
	u8 *p;

	(void)limit;
	(void)owner;
	dma_used = ALIGN_UP(dma_used, bytes);
	assert_true(dma_used + bytes <= DMA_BYTES);
	p = dma_memory + dma_used;
	dma_used += bytes;
	return p;
}

static void *dma_at(u32 address)
{
	return (void *)(((u64)dma_memory & ~0xfffffffful) | address);
}

/* With the queue of timers. */
static void disk_util_begin(void)
{
	dma_memory = aligned_alloc(DMA_BYTES, DMA_BYTES);
	memset(dma_memory, 0, DMA_BYTES);
	timerq_init(&tq, HZ, now);
}

static void disk_util_end(void)
{
	free(dma_memory);
}

/* ---- requests ---- */

struct request {
	struct disk_cmd cmd;
	struct disk *disk;
	u8 *data;
	bool refuse; /* what data() says */
	unsigned over;
	bool ok;
	struct request *then; /* submitted when this one is done */
};

static bool data(struct disk_cmd *c, void *buf)
{
	struct request *r = container_of(c, struct request, cmd);

	if (c->op == DISK_WRITE)
		memcpy(buf, r->data, c->sectors * 512ul);
	else
		memcpy(r->data, buf, c->sectors * 512ul);
	return !r->refuse;
}

static void done(struct disk_cmd *c, bool ok)
{
	struct request *r = container_of(c, struct request, cmd);

	r->over++;
	r->ok = ok;
	if (r->then)
		disk_submit(r->disk, &r->then->cmd);
}

static void submit(
	struct request *r, struct disk *d, enum disk_op op, u64 sector, u32 sectors, void *memory)
{
	*r = (struct request){ .data = memory, .disk = d, .then = r->then, .refuse = r->refuse };
	r->cmd = (struct disk_cmd){
		.op = op, .sector = sector, .sectors = sectors, .data = data, .done = done
	};
	disk_submit(d, &r->cmd);
}

#endif
