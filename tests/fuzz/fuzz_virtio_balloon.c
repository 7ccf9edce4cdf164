/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-balloon: see virtio_pci.h. Its lists of pages are read and sorted, and come to nothing:
 * the MMU here unmaps none; fuzz_guestmem.c has the rest.
 *
 * Sources: tests/fuzz/virtio_pci.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/cpu/timer.c hv/dev/pci.c hv/dev/msix.c
 * hv/dev/reset.c hv/dev/bus.c virtio/balloon.c hv/mmu/ram.c hv/mem/mtrr.c
 */
#include "hv/mmu/mmu.h"
#include "virtio/balloon.h"
#include "tests/fuzz/virtio_pci.h"

static struct virtio_balloon *balloon;

static enum status cannot_unmap(
	struct mmu *mmu, const struct mmu_range *range, unsigned ranges, unsigned *done)
{
	(void)mmu, (void)range, (void)ranges;
	*done = 0;
	return ERR_NOMEM;
}

static struct virtio_dev *create(void)
{
	static const struct mmu_ops ops = { .unmap = cannot_unmap };
	static const struct balloon_plan plan = { .step = { { MB, 1 }, { 0, 2 } }, .steps = 2 };
	static struct mmu mmu = { .ops = &ops };

	CHECK(virtio_balloon_create(
		      &balloon, "vm", true, &fuzz_memory, &mmu, &fuzz_timers, &plan) == OK);
	return virtio_balloon_dev(balloon);
}

static void destroy(void)
{
	virtio_balloon_destroy(balloon);
}

/* Another target, by the monitor. */
static void event(unsigned how)
{
	virtio_balloon_target(balloon, how * MB / 8);
}

static const struct fuzz_queue queues[] = {
	{ .index = 0 }, /* pages given */
	{ .index = 1 }, /* pages taken again */
	{ .index = 2 }, /* statistics */
	{ .index = 4 }, /* reports */
};

const struct fuzz_device fuzz_device = { .queue = queues,
	.queues = ARRAY_SIZE(queues),
	.create = create,
	.destroy = destroy,
	.event = event };
