/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net on a switch, with a port beside it that sends and looks at what comes. Checked beside
 * what virtio_pci.h says: frames are whole, of a size that there is, and leave undone what their
 * receiver takes so, and nothing else.
 *
 * Sources: tests/fuzz/virtio_pci.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/cpu/timer.c hv/dev/pci.c hv/dev/msix.c
 * hv/dev/reset.c hv/dev/bus.c virtio/net.c virtio/net_filter.c hv/net/frame.c hv/net/switch.c
 */
#include <string.h>

#include <linux/virtio_net.h>

#include "virtio/net.h"
#include "tests/fuzz/virtio_pci.h"

#define CONTROL	 BIT(VIRTIO_NET_F_CTRL_VQ)
#define MQ	 BIT(VIRTIO_NET_F_MQ)
#define LARGE	 60000u
#define IP	 ETH_HEADER
#define IP_PROTO (IP + 9)
#define TCP	 (IP + 20)
#define SECOND	 1000000000ul

static struct virtio_net *net;
static struct net_switch sw;
static struct switch_port tap;

static void tapped(struct switch_port *port, const struct net_frame *f)
{
	unsigned sum = 0;

	CHECK(port == &tap && f->len >= ETH_HEADER && !(f->left & ~port->takes));
	CHECK(f->len <= (f->left & (NET_TSO4 | NET_TSO6) ? NET_FRAME_MAX : ETH_FRAME_MAX));
	for (size_t i = 0; i < f->len; i++) /* for the sanitizer */
		sum += f->data[i];
	CHECK(sum <= f->len * UINT8_MAX);
}

static u64 seconds(void)
{
	return fuzz_clock / SECOND;
}

static struct virtio_dev *create(void)
{
	static const u8 mac[ETH_ADDR] = { 0 };

	switch_init(&sw, seconds);
	memset(&tap, 0, sizeof(tap));
	tap.receive = tapped;
	tap.takes = NET_CSUM | NET_TSO6;
	switch_join(&sw, &tap);
	CHECK(virtio_net_create(&net, "vm", 0, true, &fuzz_memory, &fuzz_timers, &sw, mac) == OK);
	return virtio_net_dev(net);
}

static void destroy(void)
{
	virtio_net_destroy(net);
}

/* A frame for everybody: as it is on the wire, or a TCP packet to be cut. */
static void event(unsigned how)
{
	static u8 data[LARGE] = { 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, [12] = 8, [IP] = 0x45, [IP_PROTO] = 6, [TCP + 12] = 0x50 };
	struct net_frame f = { .data = data, .len = 64 };

	if (how & 1) {
		f.len = 100 + how % 256 * 230;
		f.left = NET_CSUM | NET_TSO4;
		f.csum_start = TCP;
		f.csum_offset = 16;
		f.gso_size = 1400;
	}
	virtio_net_link(net, !(how & 2));
	if (net_frame_check(&f))
		switch_send(&sw, &tap, &f);
	if (how & 4)
		virtio_net_idle(net);
}

static const struct fuzz_queue queues[] = {
	{ .index = 0, .in = true },			      /* receive */
	{ .index = 1 },					      /* send */
	{ .index = 2, .features = CONTROL },		      /* commands */
	{ .index = 3, .features = MQ },			      /* send, another pair */
	{ .index = 2 * NET_PAIRS, .features = CONTROL | MQ }, /* commands, behind the pairs */
};

const struct fuzz_device fuzz_device = { .queue = queues,
	.queues = ARRAY_SIZE(queues),
	.create = create,
	.destroy = destroy,
	.event = event };
