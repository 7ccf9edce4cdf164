/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net. Sending: the frame is copied out of the driver's buffer once, then given to the
 * switch. Receiving: into a buffer that waits in its ring, if the filter lets it pass.
 */
#include "virtio/net.h"

#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "virtio/spec.h"

#define RECEIVE	   0u
#define TRANSMIT   1u
#define CONTROL	   2u
#define QUEUES	   3u
#define QUEUE_SIZE 256u
#define CLASS_CODE 0x020000u /* Ethernet controller */
#define ORDER	   page_order(sizeof(struct virtio_net))

#define FEATURES                                                                                   \
	(VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_CTRL_VQ |        \
		VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_RX_EXTRA | VIRTIO_NET_F_CTRL_MAC_ADDR)

/* Addresses that the driver wants frames for. */
struct filter {
	u8 addr[NET_FILTER_MAX][ETH_ADDR];
	unsigned count;
	bool all; /* more than fit */
};

struct virtio_net {
	struct virtio_dev dev;
	struct vq_chain chain;
	struct net_switch *sw;
	struct switch_port port;
	u8 frame[ETH_FRAME_MAX];
	u8 mac[ETH_ADDR];     /* the card's own */
	u8 mac_now[ETH_ADDR]; /* as the driver has set it */
	bool mode[VIRTIO_NET_RX_MODES];
	struct filter unicast, multicast;
	struct net_counters count;
};

static struct virtio_net *net_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_net, dev);
}

/* ---- receiving ---- */

static bool listed(const struct filter *f, const u8 *addr)
{
	for (unsigned i = 0; i < f->count; i++)
		if (!memcmp(f->addr[i], addr, ETH_ADDR))
			return true;
	return f->all;
}

/* 5.1.6.5.1: what passes, by the kind of address. */
static bool wanted(const struct virtio_net *n, const u8 *addr)
{
	static const u8 broadcast[ETH_ADDR] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const bool *mode = n->mode;

	if (mode[VIRTIO_NET_RX_PROMISC])
		return true;
	if (!memcmp(addr, broadcast, ETH_ADDR))
		return !mode[VIRTIO_NET_RX_NOBCAST];
	if (eth_is_group(addr))
		return !mode[VIRTIO_NET_RX_NOMULTI] &&
		       (mode[VIRTIO_NET_RX_ALLMULTI] || listed(&n->multicast, addr));
	if (mode[VIRTIO_NET_RX_NOUNI])
		return false;
	return mode[VIRTIO_NET_RX_ALLUNI] || !memcmp(addr, n->mac_now, ETH_ADDR) ||
	       listed(&n->unicast, addr);
}

static void fill(struct virtio_net *n, const u8 *frame, size_t len)
{
	struct virtio_net_header h = { .num_buffers = 1 };
	struct virtqueue *q = virtio_vq(&n->dev, RECEIVE);
	struct vq_cursor to = vq_writable(&n->chain);

	if (to.left < sizeof(h) + len) {
		vq_fail(q, "a receive buffer of %lu bytes", to.left);
		return;
	}
	if (vq_write(&to, &h, sizeof(h)) == OK && vq_write(&to, frame, len) == OK)
		n->count.received++;
	vq_push(q, &n->chain);
	virtio_signal(&n->dev, RECEIVE);
}

static void receive(struct switch_port *p, const u8 *frame, size_t len)
{
	struct virtio_net *n = container_of(p, struct virtio_net, port);
	u32 ready = VIRTIO_STATUS_DRIVER_OK;

	if ((n->dev.status & (ready | VIRTIO_STATUS_FAILED)) != ready || !wanted(n, frame))
		return;
	if (vq_pop(virtio_vq(&n->dev, RECEIVE), &n->chain))
		fill(n, frame, len);
	else
		n->count.dropped++;
}

/* ---- sending ---- */

/* Copies the frame out. False: there is none that could be sent. */
static bool take_frame(struct virtio_net *n, size_t *len)
{
	struct vq_cursor from = vq_readable(&n->chain);
	struct virtio_net_header h;

	if (vq_read(&from, &h, sizeof(h)) != OK) {
		vq_fail(virtio_vq(&n->dev, TRANSMIT), "a frame without a header");
		return false;
	}
	*len = from.left;
	return !h.flags && !h.gso_type && *len >= ETH_HEADER && *len <= ETH_FRAME_MAX &&
	       vq_read(&from, n->frame, *len) == OK;
}

static void transmit(struct virtio_net *n)
{
	struct virtqueue *q = virtio_vq(&n->dev, TRANSMIT);
	size_t len;

	while (vq_pop(q, &n->chain)) {
		bool good = take_frame(n, &len);

		vq_push(q, &n->chain);
		if (good)
			switch_send(n->sw, &n->port, n->frame, len);
		n->count.sent += good;
		n->count.refused += !good;
	}
}

/* ---- the control queue: 5.1.6.5 ---- */

static bool set_mode(struct virtio_net *n, u8 command, struct vq_cursor *data)
{
	u8 on;

	if (command >= VIRTIO_NET_RX_MODES || vq_read(data, &on, sizeof(on)) != OK || on > 1)
		return false;
	n->mode[command] = on;
	return true;
}

/* A count, then so many addresses: as many as are there, or none is taken. */
static bool take_filter(struct filter *f, struct vq_cursor *data)
{
	u32 count;

	if (vq_read(data, &count, sizeof(count)) != OK || count > data->left / ETH_ADDR)
		return false;
	f->all = count > NET_FILTER_MAX;
	f->count = f->all ? 0 : count;
	if (f->all)
		vq_skip(data, (u64)count * ETH_ADDR);
	return vq_read(data, f->addr, (u64)f->count * ETH_ADDR) == OK;
}

static bool set_table(struct virtio_net *n, struct vq_cursor *data)
{
	struct filter unicast, multicast;

	if (!take_filter(&unicast, data) || !take_filter(&multicast, data))
		return false;
	n->unicast = unicast;
	n->multicast = multicast;
	return true;
}

static bool set_mac(struct virtio_net *n, struct vq_cursor *data)
{
	u8 mac[ETH_ADDR];

	if (data->left != sizeof(mac) || vq_read(data, mac, sizeof(mac)) != OK || eth_is_group(mac))
		return false;
	memcpy(n->mac_now, mac, sizeof(mac));
	return true;
}

static bool do_control(struct virtio_net *n, struct vq_cursor *data)
{
	struct virtio_net_control c;

	if (vq_read(data, &c, sizeof(c)) != OK)
		return false;
	if (c.class == VIRTIO_NET_CTRL_RX)
		return set_mode(n, c.command, data);
	if (c.class != VIRTIO_NET_CTRL_MAC)
		return false;
	return c.command == VIRTIO_NET_MAC_TABLE  ? set_table(n, data)
	       : c.command == VIRTIO_NET_MAC_ADDR ? set_mac(n, data)
						  : false;
}

static void control(struct virtio_net *n)
{
	struct virtqueue *q = virtio_vq(&n->dev, CONTROL);

	while (vq_pop(q, &n->chain)) {
		struct vq_cursor data = vq_readable(&n->chain), ack = vq_writable(&n->chain);
		u8 answer = VIRTIO_NET_ERR;

		if (do_control(n, &data))
			answer = VIRTIO_NET_OK;
		if (vq_write(&ack, &answer, sizeof(answer)) != OK)
			vq_fail(q, "a command without a place for the answer");
		vq_push(q, &n->chain);
	}
}

/* ---- */

/* Buffers to receive into wait in their ring. */
static void net_kick(struct virtio_dev *d, unsigned queue)
{
	struct virtio_net *n = net_of(d);
	struct virtqueue *q = virtio_vq(d, queue);

	if (queue == RECEIVE)
		return;
	do {
		vq_no_kicks(q);
		if (queue == TRANSMIT)
			transmit(n);
		else
			control(n);
	} while (vq_want_kicks(q));
	virtio_signal(d, queue);
}

/* A card that was not told otherwise gets what is for it, and for any group. */
static void net_reset(struct virtio_dev *d)
{
	struct virtio_net *n = net_of(d);

	memset(n->mode, 0, sizeof(n->mode));
	n->mode[VIRTIO_NET_RX_ALLMULTI] = true;
	memcpy(n->mac_now, n->mac, ETH_ADDR);
	n->unicast = (struct filter){ 0 };
	n->multicast = (struct filter){ 0 };
}

static const struct virtio_ops net_ops = {
	.id = VIRTIO_ID_NET,
	.name = "virtio-net",
	.class_code = CLASS_CODE,
	.kick = net_kick,
	.reset = net_reset,
};

enum status virtio_net_create(struct virtio_net **out, const char *vm, unsigned index, bool packed,
	const struct guestmem *gm, struct net_switch *sw, const u8 mac[ETH_ADDR])
{
	struct virtio_setup setup = { .ops = &net_ops,
		.vm = vm,
		.index = index,
		.gm = gm,
		.features = FEATURES,
		.packed = packed,
		.queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct virtio_net_config) };
	struct virtio_net_config c = { .status = VIRTIO_NET_LINK_UP, .mtu = NET_MTU };
	struct virtio_net *n = page_alloc(ORDER, PAGE_HV);

	if (!n)
		return ERR_NOMEM;
	virtio_init(&n->dev, &setup);
	memcpy(n->mac, mac, ETH_ADDR);
	memcpy(c.mac, mac, ETH_ADDR);
	memcpy(n->dev.config, &c, sizeof(c));
	net_reset(&n->dev);
	n->sw = sw;
	n->port.receive = receive;
	switch_join(sw, &n->port);
	*out = n;
	return OK;
}

struct virtio_dev *virtio_net_dev(struct virtio_net *n)
{
	return &n->dev;
}

const struct net_counters *virtio_net_counters(const struct virtio_net *n)
{
	return &n->count;
}

void virtio_net_destroy(struct virtio_net *n)
{
	switch_leave(n->sw, &n->port);
	page_free(n, ORDER, PAGE_HV);
}
