/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net. Sending: the frame is copied out of the driver's buffer once, its header judged, then
 * given to the switch. Receiving: into buffers that wait in their ring, if the filter lets it pass.
 */
#include "virtio/net.h"

#include "hv/ctl/ledger.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "virtio/net_filter.h"
#include "virtio/spec.h"

/* 5.1.2 "Virtqueues": the pairs, then the control queue. */
#define RECEIVE(pair)  (2u * (pair))
#define TRANSMIT(pair) (2u * (pair) + 1u)
#define PAIR(queue)    ((queue) / 2u)
#define QUEUES	       (2u * NET_PAIRS + 1u)
#define QUEUE_SIZE     256u
#define CLASS_CODE     0x020000u /* Ethernet controller */
#define FLOWS	       64u	 /* connections, by a hash, whose pair is remembered */
#define BUFFER_LEAST   1526u	 /* 5.1.6.3: to receive into, with the header */
#define BUFFER_LARGE   65562u	 /* the same for packets that are to be cut */
#define SENT_SHARE     4u	 /* one in so many places of a ring may be sent and not told yet */
#define SENT_HZ	       250u	 /* how often they are told at least */
#define LOOK_HZ	       2000u /* how often a ring is looked into of which we asked no notifications */

#define FEATURES                                                                                   \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC |       \
		VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_HOST_TSO4 |       \
		VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_STATUS |            \
		VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_VLAN |             \
		VIRTIO_NET_F_CTRL_RX_EXTRA | VIRTIO_NET_F_GUEST_ANNOUNCE | VIRTIO_NET_F_MQ |       \
		VIRTIO_NET_F_CTRL_MAC_ADDR)

struct virtio_net {
	struct virtio_dev dev;
	struct vq_chain chain;		 /* the one that is looked at */
	struct vq_chain first;		 /* of the buffers of a frame: it has the header */
	struct vq_done done[QUEUE_SIZE]; /* buffers of a frame */
	struct net_switch *sw;
	struct switch_port port;
	u8 mac[ETH_ADDR]; /* the card's own */
	struct net_filter filter;
	unsigned pairs; /* that the driver uses */
	u8 pair_of[FLOWS];
	struct timerq *timers;
	unsigned budget;   /* what is left of the turn */
	struct timer sent; /* armed: there are frames that the driver was not told of */
	struct timer look; /* armed while there are pairs in unasked */
	unsigned unasked;  /* pairs, by bit, whose driver need not notify us now */
	struct net_counters count;
	u8 frame[NET_FRAME_MAX];
};

#define ORDER page_order(sizeof(struct virtio_net))

static struct virtio_net *net_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_net, dev);
}

static bool has(const struct virtio_net *n, u64 feature)
{
	return virtio_has(&n->dev, feature);
}

static struct virtio_net_config *config_of(struct virtio_net *n)
{
	return (void *)n->dev.config;
}

static bool link_is_up(struct virtio_net *n)
{
	return config_of(n)->status & VIRTIO_NET_LINK_UP;
}

/* ---- receiving ---- */

/* 5.1.6.4: what is left of the frame goes to the driver, which has said that it can do it. */
static struct virtio_net_header header_for(const struct net_frame *f)
{
	struct virtio_net_header h = { .num_buffers = 1 };

	if (f->left & NET_CSUM) {
		h.flags = VIRTIO_NET_NEEDS_CSUM;
		h.csum_start = f->csum_start;
		h.csum_offset = f->csum_offset;
	}
	if (f->left & (NET_TSO4 | NET_TSO6)) {
		h.gso_type = f->left & NET_TSO4 ? VIRTIO_NET_GSO_TCPV4 : VIRTIO_NET_GSO_TCPV6;
		h.gso_size = f->gso_size;
		h.hdr_len = f->headers;
	}
	return h;
}

/* The frame from *at on into a buffer, as much as fits. */
static bool fill(struct vq_cursor *to, const struct net_frame *f, size_t *at)
{
	u64 len = MIN(to->left, f->len - *at);

	if (vq_write(to, f->data + *at, len) != OK)
		return false;
	*at += len;
	return true;
}

/* 5.1.6.3.1: what any receive buffer has room for. */
static u64 buffer_least(const struct virtio_net *n)
{
	if (has(n, VIRTIO_NET_F_MRG_RXBUF))
		return sizeof(struct virtio_net_header);
	return has(n, VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6) ? BUFFER_LARGE
									 : BUFFER_LEAST;
}

/*
 * Is there room for so many bytes? If not, that is the driver's fault only where the buffer is
 * smaller than it may be: others, who can send a frame with a VLAN tag, shall not break its queue.
 */
static bool has_room(const struct virtio_net *n, struct virtqueue *q, u64 room, u64 bytes)
{
	if (room < bytes && room < buffer_least(n))
		vq_fail(q, "a receive buffer of %lu bytes", room);
	return room >= bytes;
}

/* The first buffer has the header, too. False: it has too little room. */
static bool fill_first(
	struct virtio_net *n, struct virtqueue *q, const struct net_frame *f, size_t *at)
{
	struct virtio_net_header h = header_for(f);
	struct vq_cursor to = vq_writable(&n->first);
	u64 rest = has(n, VIRTIO_NET_F_MRG_RXBUF) ? 0 : f->len;

	return has_room(n, q, to.left, sizeof(h) + rest) && vq_write(&to, &h, sizeof(h)) == OK &&
	       fill(&to, f, at);
}

/* Further buffers, until the frame is in them. Returns how many it takes, at most all of the ring;
 * 0: there are no more. */
static unsigned fill_more(
	struct virtio_net *n, struct virtqueue *q, const struct net_frame *f, size_t at)
{
	unsigned buffers = 1;

	while (at < f->len) {
		struct vq_cursor to;

		if (!vq_pop(q, &n->chain))
			return 0;
		to = vq_writable(&n->chain);
		if (!has_room(n, q, to.left, sizeof(struct virtio_net_header)) ||
			!fill(&to, f, &at))
			return 0;
		n->done[buffers++] = vq_done(&n->chain);
	}
	return buffers;
}

static bool set_buffers(struct virtio_net *n, unsigned buffers)
{
	struct vq_cursor to = vq_writable(&n->first);
	u16 value = (u16)buffers;

	vq_skip(&to, offsetof(struct virtio_net_header, num_buffers));
	return vq_write(&to, &value, sizeof(value)) == OK;
}

/* Into the buffers that wait in the queue. False: they do not hold it, and are left. */
static bool store(struct virtio_net *n, struct virtqueue *q, const struct net_frame *f)
{
	struct vq_mark mark = vq_mark(q);
	unsigned buffers = 0;
	size_t at = 0;

	if (!vq_pop(q, &n->first))
		return false;
	if (fill_first(n, q, f, &at))
		buffers = fill_more(n, q, f, at);
	if (!buffers || (buffers > 1 && !set_buffers(n, buffers))) {
		if (!q->broken)
			vq_rewind(q, &mark);
		return false;
	}
	n->done[0] = vq_done(&n->first);
	vq_push_all(q, n->done, buffers);
	return true;
}

/* 5.1.6.5.6: a connection is received where it was last sent from. */
static unsigned pair_for(const struct virtio_net *n, const struct net_frame *f)
{
	u8 pair = n->pairs > 1 ? n->pair_of[net_frame_flow(f) % FLOWS] : 0;

	return pair < n->pairs ? pair : 0;
}

static void receive(struct switch_port *p, const struct net_frame *f)
{
	struct virtio_net *n = container_of(p, struct virtio_net, port);
	u32 ready = VIRTIO_STATUS_DRIVER_OK;
	unsigned queue;

	if ((n->dev.status & (ready | VIRTIO_STATUS_FAILED)) != ready || !link_is_up(n) ||
		!net_filter_wants(&n->filter, f))
		return;
	queue = RECEIVE(pair_for(n, f));
	if (!store(n, virtio_vq(&n->dev, queue), f)) {
		n->count.dropped++;
		return;
	}
	n->count.received++;
	n->count.bytes_received += f->len;
	n->count.large += (f->left & (NET_TSO4 | NET_TSO6)) != 0;
	virtio_signal(&n->dev, queue);
}

/* ---- sending ---- */

/* 5.1.6.2: only what was negotiated can be left to us. False: something else is asked for. */
static bool read_header(
	const struct virtio_net *n, const struct virtio_net_header *h, struct net_frame *f)
{
	if (h->flags & ~VIRTIO_NET_NEEDS_CSUM)
		return false;
	if (h->flags)
		f->left = NET_CSUM;
	if (h->gso_type == VIRTIO_NET_GSO_TCPV4 && has(n, VIRTIO_NET_F_HOST_TSO4))
		f->left |= NET_TSO4;
	else if (h->gso_type == VIRTIO_NET_GSO_TCPV6 && has(n, VIRTIO_NET_F_HOST_TSO6))
		f->left |= NET_TSO6;
	else if (h->gso_type != VIRTIO_NET_GSO_NONE)
		return false;
	f->csum_start = h->csum_start;
	f->csum_offset = h->csum_offset;
	f->gso_size = h->gso_size;
	return !f->left || has(n, VIRTIO_NET_F_CSUM);
}

/* Frame by frame, but a packet that others may have to cut counts for what it may become. */
static u64 work_of(const struct net_frame *f)
{
	return f->left & (NET_TSO4 | NET_TSO6) ? 1 + f->len / f->gso_size : 1;
}

/* Copies the frame out. False: there is none that could be sent. */
static bool take_frame(struct virtio_net *n, struct virtqueue *q, struct net_frame *f)
{
	struct vq_cursor from = vq_readable(&n->chain);
	struct virtio_net_header h;

	if (vq_read(&from, &h, sizeof(h)) != OK) {
		vq_fail(q, "a frame without a header");
		return false;
	}
	*f = (struct net_frame){ .data = n->frame, .len = from.left };
	return read_header(n, &h, f) && f->len <= sizeof(n->frame) &&
	       vq_read(&from, n->frame, f->len) == OK && net_frame_check(f);
}

static void send(struct virtio_net *n, const struct net_frame *f, unsigned pair)
{
	if (n->pairs > 1)
		n->pair_of[net_frame_flow(f) % FLOWS] = (u8)pair;
	n->count.sent++;
	n->count.bytes_sent += f->len;
	n->count.large += (f->left & (NET_TSO4 | NET_TSO6)) != 0;
	switch_send(n->sw, &n->port, f);
}

static void transmit(struct virtio_net *n, struct virtqueue *q, unsigned pair)
{
	struct net_frame f;

	while (n->budget && vq_pop(q, &n->chain)) {
		bool good = take_frame(n, q, &f);

		virtio_spend(&n->budget, good ? work_of(&f) : 1);
		vq_push(q, &n->chain);
		if (good && link_is_up(n))
			send(n, &f, pair);
		n->count.refused += !good;
	}
}

/*
 * A frame is gone when its notification ends, and the driver finds its buffer in the ring when it
 * sends or receives next: it needs no interrupt for each. It is told when there are many, or after
 * a while: a program may wait for the room.
 */
static void tell_later(struct virtio_net *n, struct virtqueue *q, unsigned queue)
{
	if (q->unsaid >= q->cfg.size / SENT_SHARE)
		virtio_signal(&n->dev, queue);
	else if (q->unsaid && !timer_armed(&n->sent))
		timer_arm(n->timers, &n->sent, timerq_now(n->timers) + n->timers->hz / SENT_HZ);
}

static void tell_sent(struct timer *t)
{
	struct virtio_net *n = container_of(t, struct virtio_net, sent);

	for (unsigned i = 0; i < NET_PAIRS; i++)
		virtio_signal(&n->dev, TRANSMIT(i));
}

/* Did the ring have anything? */
static bool look_into(struct virtio_net *n, unsigned pair)
{
	struct virtqueue *q = virtio_vq(&n->dev, TRANSMIT(pair));
	u64 before = q->chains;

	vq_no_kicks(q);
	transmit(n, q, pair);
	tell_later(n, q, TRANSMIT(pair));
	return q->chains != before;
}

/*
 * A driver that has sent one frame sends more before it waits for anything. The first one comes
 * with a notification; then we ask for none and look by ourselves, until there is nothing, or the
 * guest idles.
 */
static void look_later(struct virtio_net *n)
{
	timer_arm(n->timers, &n->look, timerq_now(n->timers) + n->timers->hz / LOOK_HZ);
}

/* Notifications are wanted again, but for what has come before the driver saw that. */
static void ask_again(struct virtio_net *n, unsigned pair)
{
	while (n->budget && vq_want_kicks(virtio_vq(&n->dev, TRANSMIT(pair))))
		look_into(n, pair);
	if (!n->budget)
		virtio_later(&n->dev, TRANSMIT(pair));
}

static void ask_all_again(struct virtio_net *n)
{
	for (unsigned i = 0; i < NET_PAIRS; i++)
		if (n->unasked & BIT(i))
			ask_again(n, i);
	n->unasked = 0;
}

static void look(struct timer *t)
{
	struct virtio_net *n = container_of(t, struct virtio_net, look);
	struct ledger_mark m = ledger_backend_begin();
	bool any = false;

	n->budget = VIRTIO_TURN;
	for (unsigned i = 0; i < NET_PAIRS; i++)
		if (n->unasked & BIT(i))
			any |= look_into(n, i);
	if (any)
		look_later(n);
	else
		ask_all_again(n);
	ledger_backend_end(m);
}

void virtio_net_idle(struct virtio_net *n)
{
	struct ledger_mark m;

	if (!n->unasked)
		return;
	m = ledger_backend_begin();
	timer_cancel(n->timers, &n->look);
	n->budget = VIRTIO_TURN;
	ask_all_again(n);
	ledger_backend_end(m);
}

/* ---- the control queue: 5.1.6.5 ---- */

static bool set_pairs(struct virtio_net *n, struct vq_cursor *data)
{
	u16 pairs;

	if (!has(n, VIRTIO_NET_F_MQ) || vq_read(data, &pairs, sizeof(pairs)) != OK || !pairs ||
		pairs > NET_PAIRS)
		return false;
	n->pairs = pairs;
	return true;
}

static bool announced(struct virtio_net *n)
{
	config_of(n)->status &= (u16)~VIRTIO_NET_ANNOUNCE;
	return true;
}

/* 5.1.6.5.2: the address that the driver has set is the configuration's. */
static void show_mac(struct virtio_net *n)
{
	memcpy(config_of(n)->mac, n->filter.mac, ETH_ADDR);
}

static bool do_control(struct virtio_net *n, struct vq_cursor *data)
{
	struct virtio_net_control c;

	if (vq_read(data, &c, sizeof(c)) != OK)
		return false;
	if (c.class == VIRTIO_NET_CTRL_MQ)
		return c.command == VIRTIO_NET_MQ_SET && set_pairs(n, data);
	if (c.class == VIRTIO_NET_CTRL_ANNOUNCE)
		return c.command == VIRTIO_NET_ANNOUNCE_ACK && announced(n);
	if (!net_filter_command(&n->filter, c.class, c.command, data))
		return false;
	show_mac(n);
	return true;
}

static void control(struct virtio_net *n, struct virtqueue *q)
{
	while (n->budget && vq_pop(q, &n->chain)) {
		struct vq_cursor data = vq_readable(&n->chain), ack = vq_writable(&n->chain);
		u8 answer = VIRTIO_NET_ERR;

		if (do_control(n, &data))
			answer = VIRTIO_NET_OK;
		if (vq_write(&ack, &answer, sizeof(answer)) != OK)
			vq_fail(q, "a command without a place for the answer");
		vq_push(q, &n->chain);
		virtio_spend(&n->budget, 1);
	}
}

/* ---- the driver ---- */

/* Behind the pairs that there can be, which without MQ is one. */
static unsigned control_queue(const struct virtio_net *n)
{
	return has(n, VIRTIO_NET_F_MQ) ? RECEIVE(NET_PAIRS) : RECEIVE(1);
}

/* What the switch need not do for this driver. */
static void find_offloads(struct virtio_net *n)
{
	n->port.takes = 0;
	if (!has(n, VIRTIO_NET_F_GUEST_CSUM))
		return;
	n->port.takes = NET_CSUM | (has(n, VIRTIO_NET_F_GUEST_TSO4) ? NET_TSO4 : 0) |
			(has(n, VIRTIO_NET_F_GUEST_TSO6) ? NET_TSO6 : 0);
}

static void kick_control(struct virtio_net *n, unsigned queue)
{
	struct virtqueue *q = virtio_vq(&n->dev, queue);

	do {
		vq_no_kicks(q);
		control(n, q);
	} while (n->budget && vq_want_kicks(q));
	if (!n->budget)
		virtio_later(&n->dev, queue);
	virtio_signal(&n->dev, queue);
}

static void kick_transmit(struct virtio_net *n, unsigned pair)
{
	if (!look_into(n, pair)) {
		ask_again(n, pair);
		return;
	}
	if (!n->unasked)
		look_later(n);
	n->unasked |= (unsigned)BIT(pair);
}

/* Buffers to receive into wait in their ring: there is nothing to say about them. */
static void net_kick(struct virtio_dev *d, unsigned queue)
{
	struct virtio_net *n = net_of(d);

	n->budget = VIRTIO_TURN;
	find_offloads(n);
	n->filter.by_vlan = has(n, VIRTIO_NET_F_CTRL_VLAN);
	if (queue == control_queue(n))
		kick_control(n, queue);
	else if (queue == RECEIVE(PAIR(queue)))
		vq_no_kicks(virtio_vq(d, queue));
	else
		kick_transmit(n, PAIR(queue));
}

/* A card that was not told otherwise gets what is for it, and for any group. */
static void net_reset(struct virtio_dev *d)
{
	struct virtio_net *n = net_of(d);

	net_filter_reset(&n->filter, n->mac);
	show_mac(n);
	memset(n->pair_of, 0, sizeof(n->pair_of));
	n->pairs = 1;
	n->port.takes = 0;
	timer_cancel(n->timers, &n->sent);
	timer_cancel(n->timers, &n->look);
	n->unasked = 0;
	announced(n);
}

static const struct virtio_ops net_ops = {
	.id = VIRTIO_ID_NET,
	.name = "virtio-net",
	.class_code = CLASS_CODE,
	.kick = net_kick,
	.reset = net_reset,
};

void virtio_net_link(struct virtio_net *n, bool up)
{
	u16 status = up ? VIRTIO_NET_LINK_UP : 0;

	if (up == link_is_up(n))
		return;
	if (up && has(n, VIRTIO_NET_F_GUEST_ANNOUNCE))
		status |= VIRTIO_NET_ANNOUNCE;
	config_of(n)->status = status;
	virtio_config_changed(&n->dev);
}

static void port_link(struct switch_port *p, bool up)
{
	virtio_net_link(container_of(p, struct virtio_net, port), up);
}

void virtio_net_report(const struct virtio_net *n)
{
	const struct net_counters *c = &n->count;

	log_machine("@net {\"vm\":\"%s\",\"sent\":%lu,\"received\":%lu,\"large\":%lu,"
		    "\"refused\":%lu,\"dropped\":%lu,\"bytes_sent\":%lu,\"bytes_received\":%lu}",
		n->dev.vm, c->sent, c->received, c->large, c->refused, c->dropped, c->bytes_sent,
		c->bytes_received);
}

enum status virtio_net_create(struct virtio_net **out, const char *vm, unsigned index, bool packed,
	const struct guestmem *gm, struct timerq *timers, struct net_switch *sw,
	const u8 mac[ETH_ADDR])
{
	struct virtio_setup setup = { .ops = &net_ops,
		.vm = vm,
		.index = index,
		.gm = gm,
		.timers = timers,
		.features = FEATURES,
		.packed = packed,
		.queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct virtio_net_config) };
	struct virtio_net_config c = {
		.status = VIRTIO_NET_LINK_UP, .mtu = NET_MTU, .pairs = NET_PAIRS
	};
	struct virtio_net *n = page_alloc(ORDER, PAGE_HV);

	if (!n)
		return ERR_NOMEM;
	virtio_init(&n->dev, &setup);
	memcpy(n->mac, mac, ETH_ADDR);
	memcpy(c.mac, mac, ETH_ADDR);
	memcpy(n->dev.config, &c, sizeof(c));
	n->timers = timers;
	timer_init(&n->sent, tell_sent);
	timer_init(&n->look, look);
	net_reset(&n->dev);
	n->sw = sw;
	n->port.receive = receive;
	n->port.link = port_link;
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
	virtio_reset(&n->dev);
	page_free(n, ORDER, PAGE_HV);
}
