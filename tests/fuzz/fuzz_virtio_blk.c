/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk over a RAM disk, two of whose sectors are a boot module's. Checked beside what
 * virtio_pci.h says: the module is never written to.
 *
 * Sources: tests/fuzz/virtio_pci.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/cpu/timer.c hv/dev/pci.c hv/dev/msix.c
 * hv/dev/reset.c hv/dev/bus.c virtio/blk.c hv/blk/ramdisk.c
 */
#include <string.h>

#include "hv/blk/ramdisk.h"
#include "virtio/blk.h"
#include "virtio/spec.h"
#include "tests/fuzz/virtio_pci.h"

#define MODULE_SIZE 10000
#define SECTORS	    64

static u8 module[MODULE_SIZE];
static struct virtio_blk *blk;

static struct virtio_dev *create(void)
{
	struct blk_backend *b;

	CHECK(ramdisk_create(&b, module, MODULE_SIZE, SECTORS * 512, false, "fuzz") == OK);
	CHECK(virtio_blk_create(&blk, "vm", 0, true, &fuzz_memory, &fuzz_timers, b) == OK);
	return virtio_blk_dev(blk);
}

static void destroy(void)
{
	virtio_blk_destroy(blk);
}

static void check(void)
{
	for (unsigned i = 0; i < MODULE_SIZE; i++)
		CHECK(!module[i]);
}

/* Of a type that there may be, at a place that there may be. */
static void header(struct stream *in, u8 to[FUZZ_HEADER])
{
	struct virtio_blk_header h = { .type = byte(in) % 16, .sector = byte(in) };

	memcpy(to, &h, sizeof(h));
}

static const struct fuzz_queue queues[] = { { .index = 0 }, { .index = BLK_QUEUES - 1 } };

const struct fuzz_device fuzz_device = { .queue = queues,
	.queues = ARRAY_SIZE(queues),
	.create = create,
	.destroy = destroy,
	.header = header,
	.check = check };
