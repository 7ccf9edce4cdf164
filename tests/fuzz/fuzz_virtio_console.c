/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console with both its ports, and a terminal that is typed on and changes its size: see
 * virtio_pci.h.
 *
 * Sources: tests/fuzz/virtio_pci.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/cpu/timer.c hv/dev/pci.c hv/dev/msix.c
 * hv/dev/reset.c hv/dev/bus.c virtio/console.c
 */
#include <linux/virtio_console.h>

#include "virtio/console.h"
#include "tests/fuzz/virtio_pci.h"

#define MULTIPORT BIT(VIRTIO_CONSOLE_F_MULTIPORT)

static struct virtio_console *console;
static unsigned bytes; /* printed: each is looked at, for the sanitizer */

static void printed(void *ctx, const u8 *buf, size_t len)
{
	CHECK(!ctx && len && len <= CONSOLE_SLICE);
	for (size_t i = 0; i < len; i++)
		bytes += buf[i] <= UINT8_MAX;
}

static struct virtio_dev *create(void)
{
	const struct console_size size = { 80, 24 };

	CHECK(virtio_console_create(
		      &console, "vm", true, &fuzz_memory, &fuzz_timers, size, printed, NULL) == OK);
	return virtio_console_dev(console);
}

static void destroy(void)
{
	virtio_console_destroy(console);
}

/* Keys, and another size. */
static void event(unsigned how)
{
	static const u8 keys[256];
	struct console_size size = { (u16)how, 24 };

	CHECK(virtio_console_in(console, keys, 1 + how % 256) <= 1 + how % 256);
	virtio_console_resize(console, size);
}

static const struct fuzz_queue queues[] = {
	{ .index = 0, .in = true },			   /* keys */
	{ .index = 1 },					   /* what is printed */
	{ .index = 2, .in = true, .features = MULTIPORT }, /* messages to the driver */
	{ .index = 3, .features = MULTIPORT },		   /* and from it */
	{ .index = 5, .features = MULTIPORT },		   /* lines for the log */
};

const struct fuzz_device fuzz_device = { .queue = queues,
	.queues = ARRAY_SIZE(queues),
	.create = create,
	.destroy = destroy,
	.event = event };
