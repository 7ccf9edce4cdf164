/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-rng: see virtio_pci.h.
 *
 * Sources: tests/fuzz/virtio_pci.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/cpu/timer.c hv/dev/pci.c hv/dev/msix.c
 * hv/dev/reset.c hv/dev/bus.c virtio/rng.c hv/lib/chacha20.c
 */
#include "virtio/rng.h"
#include "tests/fuzz/virtio_pci.h"

static struct virtio_rng *rng;

static bool source(u64 *word)
{
	*word = ++fuzz_clock * 0x9e3779b97f4a7c15ul;
	return true;
}

static struct virtio_dev *create(void)
{
	CHECK(virtio_rng_create(&rng, "vm", true, &fuzz_memory, &fuzz_timers, source) == OK);
	return virtio_rng_dev(rng);
}

static void destroy(void)
{
	virtio_rng_destroy(rng);
}

static const struct fuzz_queue queues[] = { { .index = 0, .in = true } };

const struct fuzz_device fuzz_device = {
	.queue = queues, .queues = ARRAY_SIZE(queues), .create = create, .destroy = destroy
};
