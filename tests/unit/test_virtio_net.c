/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net and the switch: who gets which frame, receive modes and filters, offloads, several
 * pairs of queues, buffers that are merged, frames and commands that make no sense.
 *
 * Sources: virtio/net.c virtio/net_filter.c virtio/frame.c virtio/switch.c virtio/pci.c
 * virtio/device.c virtio/queue.c virtio/chain.c Sources: hv/mem/guestmem.c hv/dev/pci.c
 * hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/virtio_bus.h"

#include <linux/virtio_net.h>
#undef VIRTIO_NET_OK
#undef VIRTIO_NET_ERR
#define ACK  0
#define NACK 1

#include "virtio/net.h"

#define SIZE	 64
#define DATA	 0x50000ul
#define BUFFERS	 0x80000ul
#define ANSWER	 0x60000ul
#define HEADER	 12
#define RECEIVE	 0
#define TRANSMIT 1
#define CONTROL	 2
#define PORTS	 3

typedef u8 mac_t[ETH_ADDR];

static const mac_t own = { 2, 0x54, 0x50, 1, 0, 0 }, other = { 2, 0x54, 0x50, 2, 0, 0 },
		   third = { 2, 0x54, 0x50, 3, 0, 0 }, everybody = { 255, 255, 255, 255, 255, 255 },
		   group = { 0x33, 0x33, 0, 0, 0, 1 };

/* Ports without a card: they note what they get. */
struct tap {
	struct switch_port port;
	u8 frame[NET_FRAME_MAX];
	struct net_frame last;
	size_t len, bytes;
	unsigned count;
};

static struct {
	struct net_switch sw;
	struct virtio_net *n;
	struct driver d[9];
	struct tap tap[PORTS];
	void (*watch)(const struct net_frame *f); /* each frame on a tap */
	struct page_stats before;
} t;

static u64 clock_now;

static u64 seconds(void)
{
	return clock_now;
}

static void tapped(struct switch_port *port, const struct net_frame *f)
{
	struct tap *tap = container_of(port, struct tap, port);

	assert_int_equal(f->left & ~port->takes, 0);
	assert_in_range(f->len, ETH_HEADER, f->left & ~NET_CSUM ? NET_FRAME_MAX : ETH_FRAME_MAX);
	memcpy(tap->frame, f->data, f->len);
	tap->last = *f;
	tap->len = f->len;
	tap->bytes += f->len;
	tap->count++;
	if (t.watch)
		t.watch(f);
}

/* Somebody on a tap sends. False: that is no frame. */
static bool from_tap(unsigned tap, const u8 *data, size_t len)
{
	struct net_frame f = { .data = data, .len = len };

	if (!net_frame_check(&f))
		return false;
	switch_send(&t.sw, &t.tap[tap].port, &f);
	return true;
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	page_stats(&t.before);
	clock_now = 1000;
	switch_init(&t.sw, seconds);
	for (unsigned i = 0; i < PORTS; i++) {
		t.tap[i].port.receive = tapped;
		switch_join(&t.sw, &t.tap[i].port);
	}
	if (guestmem_add(&gm, GPA(0), RAM_SIZE))
		return -1;
	return virtio_net_create(&t.n, "vm", 0, true, &gm, &t.sw, own) ||
	       bus_with(virtio_net_dev(t.n));
}

static int teardown(void **state)
{
	struct page_stats after;

	(void)state;
	virtio_net_destroy(t.n);
	guestmem_destroy(&gm);
	page_stats(&after);
	return memcmp(&t.before, &after, sizeof(after)) ? -1 : 0;
}

/* The bits of <linux/virtio_net.h>. */
#define FEATURE(name) BIT(VIRTIO_NET_F_##name)

static void start_with(u64 without)
{
	negotiate(offered() & ~without);
	start_queues(t.d, without & FEATURE(MQ) ? 3 : 9, SIZE, true);
}

/* Frames as they are on the wire, one pair of queues. */
static void start(void)
{
	start_with(FEATURE(MQ) | FEATURE(CSUM) | FEATURE(GUEST_CSUM) | FEATURE(HOST_TSO4) |
		   FEATURE(HOST_TSO6) | FEATURE(GUEST_TSO4) | FEATURE(GUEST_TSO6) |
		   FEATURE(MRG_RXBUF) | FEATURE(CTRL_VLAN));
}

/* A buffer to receive into, at its own place. */
static u16 add_buffer(unsigned i, u32 len)
{
	struct buf b = { BUFFERS + i * 0x1000, len, true };
	u16 id = drv_add(&t.d[RECEIVE], &b, 1);

	memset(ram(b.addr), 0xcc, 0x1000);
	kick(RECEIVE);
	return id;
}

static void make_frame(u8 *frame, const u8 *to, const u8 *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		frame[i] = (u8)(i * 3 + i / 256);
	memcpy(frame, to, ETH_ADDR);
	memcpy(frame + ETH_ADDR, from, ETH_ADDR);
}

static bool used(u16 queue)
{
	u16 id;
	u32 len;

	return drv_get(&t.d[queue], &id, &len);
}

/* The guest sends; header and frame in one buffer. */
static void send(const u8 *to, const u8 *from, u32 len)
{
	struct buf b = { DATA, HEADER + len, false };
	u16 id;

	memset(ram(DATA), 0, HEADER);
	make_frame(ram(DATA + HEADER), to, from, len);
	id = drv_add(&t.d[TRANSMIT], &b, 1);
	kick(TRANSMIT);
	drv_expect(&t.d[TRANSMIT], id, 0);
}

/* Somebody else sends to the guest, who has a buffer: does it get the frame? */
static bool arrives(unsigned tap, const u8 *to, size_t len)
{
	u8 frame[ETH_FRAME_MAX];
	u16 id, got;
	u32 got_len;
	bool arrived;

	make_frame(frame, to, other, len);
	id = add_buffer(0, 1600);
	from_tap(tap, frame, len);
	arrived = drv_get(&t.d[RECEIVE], &got, &got_len);
	if (arrived) {
		const struct virtio_net_hdr_v1 *h = ram(BUFFERS);

		assert_int_equal(got, id);
		assert_int_equal(got_len, HEADER + len);
		assert_memory_equal(ram(BUFFERS + HEADER), frame, len);
		assert_int_equal(*(u8 *)ram(BUFFERS + HEADER + len), 0xcc);
		assert_int_equal(h->num_buffers, 1);
		assert_int_equal(h->flags | h->gso_type | h->gso_size, 0);
		return true;
	}
	/* Takes the buffer away again, with a frame that passes any filter but the strictest. */
	set_status(0);
	return false;
}

/* A command on the control queue; its answer. */
static u8 command(u8 class, u8 cmd, const void *data, u32 len)
{
	struct buf b[3] = { { DATA, 2, false }, { DATA + 16, len, false }, { ANSWER, 1, true } };
	u16 id;

	*(u8 *)ram(DATA) = class;
	*(u8 *)ram(DATA + 1) = cmd;
	if (len)
		memcpy(ram(DATA + 16), data, len);
	*(u8 *)ram(ANSWER) = 0xee;
	if (!len)
		b[1] = b[2];
	id = drv_add(&t.d[CONTROL], b, len ? 3 : 2);
	kick(CONTROL);
	drv_expect(&t.d[CONTROL], id, 1);
	return *(u8 *)ram(ANSWER);
}

static u8 mode(u8 cmd, u8 on)
{
	return command(VIRTIO_NET_CTRL_RX, cmd, &on, 1);
}

/* ---- the switch ---- */

static void the_switch_learns(void **state)
{
	u8 frame[64];

	(void)state;
	make_frame(frame, other, third, sizeof(frame));
	from_tap(2, frame, sizeof(frame)); /* unknown: everywhere else */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 11);
	make_frame(frame, third, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame)); /* known by now */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 111);
	make_frame(frame, other, third, sizeof(frame));
	from_tap(0, frame, sizeof(frame)); /* it has moved */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 121);
	make_frame(frame, third, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame));
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 122);
	make_frame(frame, other, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame)); /* to its own port: nowhere */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 122);
	make_frame(frame, everybody, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame));
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 223);
	/* A group is never a sender: it is not learned, and goes on to all. */
	make_frame(frame, third, group, sizeof(frame));
	from_tap(1, frame, sizeof(frame));
	make_frame(frame, group, other, sizeof(frame));
	from_tap(0, frame, sizeof(frame));
	assert_int_equal(t.tap[2].count, 3);
	/* Who has left is forgotten. */
	switch_leave(&t.sw, &t.tap[0].port);
	make_frame(frame, third, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame));
	assert_int_equal(t.tap[2].count, 4);
}

static void from_address(unsigned tap, unsigned i)
{
	u8 frame[64];
	mac_t from = { 2, 1, 1, 1, (u8)tap, (u8)i };

	make_frame(frame, everybody, from, sizeof(frame));
	from_tap(tap, frame, sizeof(frame));
}

/* Is it known where the address is, so that tap 2 does not see what tap `from` sends there? */
static bool knows(unsigned from, unsigned tap, unsigned i)
{
	u8 frame[64];
	mac_t to = { 2, 1, 1, 1, (u8)tap, (u8)i };
	unsigned before = t.tap[2].count;

	make_frame(frame, to, third, sizeof(frame));
	from_tap(from, frame, sizeof(frame));
	return t.tap[2].count == before;
}

/* More senders than a port may have: its own oldest go, and nobody else's. */
static void the_switch_forgets(void **state)
{
	(void)state;
	from_address(1, 7);
	for (unsigned i = 0; i < 10 * SWITCH_ADDRESSES; i++) {
		clock_now += i % 64 == 63;
		from_address(0, i % 200);
	}
	assert_true(knows(0, 1, 7));
	assert_true(knows(1, 0, (10 * SWITCH_ADDRESSES - 1) % 200));
	assert_false(knows(1, 0, (10 * SWITCH_ADDRESSES - 1 - SWITCH_PORT_MAX) % 200));
}

/* Ports enough to fill the table: who was not heard of for longest goes. */
static void the_table_is_full(void **state)
{
	static struct tap more[5];
	struct net_frame f = { .len = 64 };
	u8 frame[64];

	(void)state;
	from_address(1, 7);
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
		more[i].port.receive = tapped;
		switch_join(&t.sw, &more[i].port);
		for (u8 k = 0; k < SWITCH_PORT_MAX; k++) {
			mac_t from = { 2, 7, 7, 7, (u8)i, k };

			clock_now++;
			make_frame(frame, everybody, from, sizeof(frame));
			f.data = frame;
			switch_send(&t.sw, &more[i].port, &f);
		}
	}
	assert_false(knows(0, 1, 7));
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++)
		switch_leave(&t.sw, &more[i].port);
}

static void the_switch_ages(void **state)
{
	(void)state;
	from_address(1, 7);
	clock_now += SWITCH_AGE;
	assert_true(knows(0, 1, 7));
	clock_now++;
	assert_false(knows(0, 1, 7));
	from_address(1, 7);
	assert_true(knows(0, 1, 7));
}

static void the_switch_drops_odd_sizes(void **state)
{
	static u8 frame[ETH_FRAME_MAX + 1];

	(void)state;
	make_frame(frame, everybody, other, sizeof(frame));
	assert_false(from_tap(0, frame, 0));
	assert_false(from_tap(0, frame, ETH_HEADER - 1));
	assert_false(from_tap(0, frame, ETH_FRAME_MAX + 1));
	assert_int_equal(t.tap[1].count, 0);
	from_tap(0, frame, ETH_HEADER);
	from_tap(0, frame, ETH_FRAME_MAX);
	assert_int_equal(t.tap[1].count, 2);
}

/* ---- the card ---- */

static void configuration(void **state)
{
	mac_t mac;

	(void)state;
	for (unsigned i = 0; i < ETH_ADDR; i++)
		mac[i] = (u8)bus_read(&p.mmio, p.config + i, 1);
	assert_memory_equal(mac, own, ETH_ADDR);
	bus_write(&p.mmio, p.config, 4, 0); /* read-only (30) */
	assert_int_equal(bus_read(&p.mmio, p.config, 1), own[0]);
	assert_int_equal(bus_read(&p.mmio, p.config + 6, 2), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(bus_read(&p.mmio, p.config + 10, 2), NET_MTU);
	assert_true(offered() & BIT(VIRTIO_NET_F_MAC) && offered() & BIT(VIRTIO_NET_F_STATUS) &&
		    offered() & BIT(VIRTIO_NET_F_MTU) && offered() & BIT(VIRTIO_NET_F_CTRL_VQ) &&
		    offered() & BIT(VIRTIO_NET_F_CTRL_RX) &&
		    offered() & BIT(VIRTIO_NET_F_CTRL_MAC_ADDR));
	assert_int_equal(config_read(PCI_DEVICE_ID, 2), 0x1040 + VIRTIO_ID_NET);
}

static void frames_out(void **state)
{
	static const u32 lengths[] = { 14, 60, 1514, 1518 };

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		send(everybody, own, lengths[i]);
		assert_int_equal(t.tap[0].len, lengths[i]);
		assert_memory_equal(t.tap[0].frame, ram(DATA + HEADER), lengths[i]);
		assert_int_equal(t.tap[0].count, i + 1);
	}
	assert_int_equal(virtio_net_counters(t.n)->sent, ARRAY_SIZE(lengths));
}

/* Header and frame cut anywhere. */
static void frames_out_in_pieces(void **state)
{
	(void)state;
	start();
	for (u32 piece = 7; piece < 200; piece += 31) {
		struct buf b[40];
		u16 n = 0, id;

		memset(ram(DATA), 0, HEADER);
		make_frame(ram(DATA + HEADER), everybody, own, 200);
		for (u32 at = 0; at < HEADER + 200; at += piece)
			b[n++] = (struct buf){ DATA + at, MIN(piece, HEADER + 200 - at), false };
		id = drv_add(&t.d[TRANSMIT], b, n);
		kick(TRANSMIT);
		drv_expect(&t.d[TRANSMIT], id, 0);
		assert_int_equal(t.tap[1].len, 200);
		assert_memory_equal(t.tap[1].frame, ram(DATA + HEADER), 200);
	}
}

static void frames_in(void **state)
{
	(void)state;
	start();
	assert_false(p.line);
	assert_true(arrives(0, own, 60));
	assert_true(p.line);
	assert_true(arrives(0, own, 1514));
	assert_true(arrives(0, everybody, 14));
	assert_true(arrives(0, group, 100));
	assert_false(arrives(0, third, 100)); /* flooded, but not for us */
}

/* No driver, no buffer: the frame is lost, and that is all. */
static void nobody_there(void **state)
{
	u8 frame[64];

	(void)state;
	make_frame(frame, own, other, sizeof(frame));
	from_tap(0, frame, sizeof(frame));
	start();
	from_tap(0, frame, sizeof(frame));
	assert_int_equal(virtio_net_counters(t.n)->dropped, 1);
	assert_true(arrives(0, own, 60));
	add_status(VIRTIO_CONFIG_S_FAILED);
	from_tap(0, frame, sizeof(frame));
	assert_int_equal(virtio_net_counters(t.n)->received, 1);
}

static void receive_modes(void **state)
{
	(void)state;
	start();
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_PROMISC, 1), ACK);
	assert_true(arrives(0, third, 60));
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_PROMISC, 0), ACK);
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_ALLUNI, 1), ACK);
	assert_true(arrives(0, third, 60));
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_ALLMULTI, 0), ACK);
	assert_true(arrives(0, everybody, 60));
	assert_false(arrives(0, group, 60));
	start(); /* as after any reset */
	assert_true(arrives(0, group, 60));
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_NOMULTI, 1), ACK);
	assert_false(arrives(0, group, 60));
	start();
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_NOBCAST, 1), ACK);
	assert_false(arrives(0, everybody, 60));
	start();
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_NOUNI, 1), ACK);
	assert_false(arrives(0, own, 60));
}

static void addresses(void **state)
{
	struct __attribute__((packed)) {
		u32 unicasts;
		mac_t unicast[1];
		u32 multicasts;
		mac_t multicast[2];
	} table = { .unicasts = 1, .multicasts = 2 };

	static const mac_t another = { 2, 9, 9, 9, 9, 9 };

	(void)state;
	start();
	memcpy(table.unicast[0], third, ETH_ADDR);
	memcpy(table.multicast[1], group, ETH_ADDR);
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_ALLMULTI, 0), ACK);
	assert_int_equal(
		command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, &table, sizeof(table)),
		ACK);
	assert_true(arrives(0, third, 60));
	assert_true(arrives(0, own, 60));
	assert_true(arrives(0, group, 60));
	assert_int_equal(
		command(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, another, ETH_ADDR), ACK);
	assert_true(arrives(0, another, 60));
	assert_false(arrives(0, own, 60));
}

/* ---- offloads ---- */

#define TCP_DATA (ETH_HEADER + 20 + 20)

static u16 be16(const u8 *b)
{
	return (u16)(b[0] << 8 | b[1]);
}

static void set16(u8 *b, unsigned value)
{
	b[0] = (u8)(value >> 8);
	b[1] = (u8)value;
}

/* Ones' complement, as RFC 1071 has it; 0xffff: all is well with a sum that has its checksum in it.
 */
static u16 ones(const u8 *b, size_t len, u32 sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? b[i] : (u32)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

/* The frame of a TCP packet with `data` bytes, its checksum field holding the pseudo header's sum
 * (for the packet as a whole), as a driver leaves it. */
static u32 make_tcp(u8 *f, bool v6, u32 data)
{
	u32 ip_len = v6 ? 40 : 20, len = ETH_HEADER + ip_len + 20 + data;
	u8 *ip = f + ETH_HEADER, *tcp = ip + ip_len;

	for (u32 i = 0; i < len; i++)
		f[i] = (u8)(i * 7 + i / 256);
	memcpy(f, other, ETH_ADDR);
	memcpy(f + ETH_ADDR, own, ETH_ADDR);
	set16(f + 12, v6 ? 0x86dd : 0x0800);
	ip[0] = v6 ? 0x60 : 0x45;
	if (v6) {
		set16(ip + 4, 20 + data);
		ip[6] = 6;
	} else {
		set16(ip + 2, 40 + data);
		set16(ip + 4, 0xfffe); /* the number wraps */
		set16(ip + 6, 0x4000);
		ip[9] = 6;
		set16(ip + 10, 0);
		set16(ip + 10, (u16)~ones(ip, 20, 0));
	}
	memcpy(tcp + 4, "\xff\xff\xff\x00", 4);
	tcp[12] = 0x50;
	tcp[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR, ACK, PSH, FIN */
	set16(tcp + 16, ones(v6 ? ip + 8 : ip + 12, v6 ? 32 : 8, 6 + 20 + data));
	return len;
}

static struct virtio_net_hdr_v1 tcp_header(bool v6, u16 gso_size)
{
	return (struct virtio_net_hdr_v1){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = !gso_size ? 0
			    : v6      ? VIRTIO_NET_HDR_GSO_TCPV6
				      : VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = gso_size,
		.csum_start = (u16)(ETH_HEADER + (v6 ? 40 : 20)),
		.csum_offset = 16,
		.hdr_len = 0xabcd /* not to be relied on */ };
}

#define BIG 0x100000ul

static bool send_big(const struct virtio_net_hdr_v1 *h, u32 len)
{
	struct buf b[2] = { { DATA, HEADER, false }, { BIG, len, false } };
	u64 sent = virtio_net_counters(t.n)->sent;
	u16 id;

	memcpy(ram(DATA), h, HEADER);
	id = drv_add(&t.d[TRANSMIT], b, 2);
	kick(TRANSMIT);
	drv_expect(&t.d[TRANSMIT], id, 0);
	return virtio_net_counters(t.n)->sent > sent;
}

static struct {
	bool v6;
	u32 next; /* sequence number */
	u32 data, segments, total;
	u16 mss;
} flow;

/* Each frame on tap 0: what a stack would check, and where its data belong. */
static void check_segment(const struct net_frame *f)
{
	u32 ip_len = flow.v6 ? 40 : 20, headers = ETH_HEADER + ip_len + 20;
	const u8 *ip = f->data + ETH_HEADER, *tcp = ip + ip_len;
	u32 data = (u32)f->len - headers, seq;
	bool last = flow.data + data == flow.total;

	assert_int_equal(f->left, 0);
	assert_in_range(data, 1, flow.mss);
	if (flow.v6) {
		assert_int_equal(be16(ip + 4), 20 + data);
	} else {
		assert_int_equal(be16(ip + 2), 40 + data);
		assert_int_equal(ones(ip, 20, 0), 0xffff);
		assert_int_equal(be16(ip + 4), (u16)(0xfffe + flow.segments));
	}
	assert_int_equal(ones(tcp, f->len - ETH_HEADER - ip_len,
				 ones(flow.v6 ? ip + 8 : ip + 12, flow.v6 ? 32 : 8, 6 + 20 + data)),
		0xffff);
	seq = (u32)be16(tcp + 4) << 16 | be16(tcp + 6);
	assert_int_equal(seq, 0xffffff00 + flow.data);
	assert_int_equal(tcp[13], 0x10 | (last ? 0x09 : 0) | (flow.data ? 0 : 0x80));
	assert_memory_equal(f->data + headers, (u8 *)ram(BIG) + headers + flow.data, data);
	flow.data += data;
	flow.segments++;
}

static void segments(void **state)
{
	static const struct {
		bool v6;
		u32 data;
		u16 mss;
	} cases[] = { { false, 64000, 1448 }, { true, 60000, 1428 }, { false, 1, 1448 },
		{ false, 1448, 1448 }, { true, 1429, 1428 }, { false, 65495, 48 },
		{ false, 4000, 1464 } };

	(void)state;
	start_with(FEATURE(MQ));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct virtio_net_hdr_v1 h = tcp_header(cases[i].v6, cases[i].mss);
		u32 len = make_tcp(ram(BIG), cases[i].v6, cases[i].data);

		flow.v6 = cases[i].v6;
		flow.mss = cases[i].mss;
		flow.total = cases[i].data;
		flow.data = flow.segments = 0;
		t.watch = check_segment;
		switch_leave(&t.sw, &t.tap[1].port);
		switch_leave(&t.sw, &t.tap[2].port);
		assert_true(send_big(&h, len));
		assert_int_equal(flow.data, cases[i].data);
		assert_int_equal(flow.segments, DIV_ROUND_UP(cases[i].data, cases[i].mss));
		t.watch = NULL;
		switch_join(&t.sw, &t.tap[1].port);
		switch_join(&t.sw, &t.tap[2].port);
	}
	assert_int_equal(virtio_net_counters(t.n)->large, ARRAY_SIZE(cases));
}

/* Who takes it as it is gets it as it is. */
static void passed_on_as_it_is(void **state)
{
	struct virtio_net_hdr_v1 h = tcp_header(false, 1448);
	u32 len = make_tcp(ram(BIG), false, 50000);

	(void)state;
	start_with(FEATURE(MQ));
	t.tap[1].port.takes = NET_CSUM | NET_TSO4;
	t.tap[2].port.takes = NET_CSUM | NET_TSO6;
	assert_true(send_big(&h, len));
	assert_int_equal(t.tap[1].count, 1);
	assert_int_equal(t.tap[1].last.left, NET_CSUM | NET_TSO4);
	assert_int_equal(t.tap[1].last.gso_size, 1448);
	assert_int_equal(t.tap[1].last.headers, TCP_DATA);
	assert_memory_equal(t.tap[1].frame, ram(BIG), len);
	assert_int_equal(t.tap[0].count, DIV_ROUND_UP(50000, 1448));
	assert_int_equal(t.tap[2].count, t.tap[0].count);
}

static void one_checksum(void **state)
{
	struct virtio_net_hdr_v1 h = tcp_header(true, 0);
	u32 len = make_tcp(ram(BIG), true, 333);
	const u8 *ip = t.tap[0].frame + ETH_HEADER;

	(void)state;
	start_with(FEATURE(MQ));
	t.tap[1].port.takes = NET_CSUM;
	assert_true(send_big(&h, len));
	assert_int_equal(ones(ip + 40, 20 + 333, ones(ip + 8, 32, 6 + 20 + 333)), 0xffff);
	assert_int_equal(t.tap[1].last.left, NET_CSUM);
	assert_memory_equal(t.tap[1].frame, ram(BIG), len);
	/* A sum of 0 in UDP would say that there is none. */
	memset(ram(BIG), 0, 60);
	*(u8 *)ram(BIG) = 2;
	set16((u8 *)ram(BIG) + 12, 0x1234);
	set16((u8 *)ram(BIG) + 40, 0xffff);
	h = (struct virtio_net_hdr_v1){ .flags = 1, .csum_start = 34, .csum_offset = 6 };
	assert_true(send_big(&h, 60));
	assert_int_equal(be16(t.tap[0].frame + 40), 0xffff);
	h.csum_offset = 16;
	set16((u8 *)ram(BIG) + 50, 0xffff);
	set16((u8 *)ram(BIG) + 40, 0);
	assert_true(send_big(&h, 60));
	assert_int_equal(be16(t.tap[0].frame + 50), 0);
}

/* 35: each field out of its bounds, one at a time. */
static void offloads_that_make_no_sense(void **state)
{
	static const struct {
		u32 len;
		struct virtio_net_hdr_v1 h;
	} bad[] = {
#define V4 .flags = 1, .gso_type = 1, .csum_start = 34, .csum_offset = 16
		{ 4054, { V4, .gso_size = 0 } },
		{ 4054, { V4, .gso_size = 47 } },
		{ 4054, { V4, .gso_size = 1465 } },
		{ 4054, { V4, .gso_size = 0xffff } },
		{ 54, { V4, .gso_size = 1448 } }, /* nothing to cut */
		{ 53, { V4, .gso_size = 1448 } },
		{ 20, { V4, .gso_size = 1448 } },
		{ NET_FRAME_MAX + 1, { V4, .gso_size = 1448 } },
		{ 4054, { .gso_type = 1, .gso_size = 1448 } }, /* without a checksum */
		{ 4054, { .flags = 1,
				.gso_type = 1,
				.gso_size = 1448,
				.csum_start = 33,
				.csum_offset = 16 } },
		{ 4054, { .flags = 1,
				.gso_type = 1,
				.gso_size = 1448,
				.csum_start = 34,
				.csum_offset = 6 } },
		{ 4054, { .flags = 1,
				.gso_type = 4,
				.gso_size = 1448,
				.csum_start = 34,
				.csum_offset = 16 } },
		{ 4054, { .flags = 1,
				.gso_type = 3,
				.gso_size = 1448,
				.csum_start = 34,
				.csum_offset = 16 } },
		{ 4054, { .flags = 1,
				.gso_type = 0x81,
				.gso_size = 1448,
				.csum_start = 34,
				.csum_offset = 16 } },
		{ 1519, { .flags = 1, .csum_start = 34, .csum_offset = 16 } },
		{ 100, { .flags = 1, .csum_start = 13, .csum_offset = 16 } },
		{ 100, { .flags = 1, .csum_start = 99, .csum_offset = 0 } },
		{ 100, { .flags = 1, .csum_start = 34, .csum_offset = 65 } },
		{ 100, { .flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff } },
		{ 100, { .flags = 3, .csum_start = 34, .csum_offset = 16 } },
		{ 100, { .flags = 4 } },
	};
	struct virtio_net_hdr_v1 h = tcp_header(false, 1448);
	u8 *f = ram(BIG);

	(void)state;
	start_with(FEATURE(MQ));
	make_tcp(f, false, 65535);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		if (send_big(&bad[i].h, bad[i].len))
			fail_msg("case %u was sent", i);
	/* The packet is not what the header says. */
	for (unsigned what = 0; what < 6; what++) {
		make_tcp(f, false, 4000);
		switch (what) {
		case 0: set16(f + 12, 0x86dd); break;
		case 1: f[ETH_HEADER] = 0x44; break;
		case 2: f[ETH_HEADER] = 0x4f; break;
		case 3: f[ETH_HEADER + 9] = 17; break;
		case 4: set16(f + ETH_HEADER + 6, 0x2000); break;
		default: f[ETH_HEADER + 20 + 12] = 0x40;
		}
		assert_false(send_big(&h, 4054));
	}
	assert_int_equal(t.tap[0].count, 0);
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	make_tcp(f, false, 4000);
	assert_true(send_big(&h, 4054));
	start(); /* not negotiated */
	assert_false(send_big(&h, 4054));
	h = tcp_header(false, 0);
	make_tcp(f, false, 400);
	assert_false(send_big(&h, 454));
}

/* ---- merged buffers ---- */

/* Adds buffers of this size, and sends a large frame from tap 0 to the card. */
static bool receive_big(unsigned buffers, u32 size, u32 data, u64 left)
{
	static u8 frame[NET_FRAME_MAX];
	struct net_frame f = {
		.data = frame, .left = left, .csum_start = 34, .csum_offset = 16, .gso_size = 1448
	};
	u64 received = virtio_net_counters(t.n)->received;

	for (unsigned i = 0; i < buffers; i++) {
		struct buf b = { 0x200000 + i * 0x10000ul, size, true };

		drv_add(&t.d[RECEIVE], &b, 1);
	}
	kick(RECEIVE);
	f.len = make_tcp(frame, false, data);
	memcpy(frame, own, ETH_ADDR);
	memcpy(frame + ETH_ADDR, other, ETH_ADDR);
	assert_true(net_frame_check(&f));
	switch_send(&t.sw, &t.tap[0].port, &f);
	return virtio_net_counters(t.n)->received > received;
}

static void expect_big(u32 size, u32 data)
{
	static u8 frame[NET_FRAME_MAX];
	u32 len = make_tcp(frame, false, data), at = 0;
	const struct virtio_net_hdr_v1 *h = ram(0x200000);
	u16 id;

	memcpy(frame, own, ETH_ADDR);
	memcpy(frame + ETH_ADDR, other, ETH_ADDR);
	assert_int_equal(h->num_buffers, DIV_ROUND_UP(len + HEADER, size));
	for (unsigned i = 0; i < h->num_buffers; i++) {
		u32 skip = i ? 0 : HEADER, got, n;

		assert_true(drv_get(&t.d[RECEIVE], &id, &got));
		n = MIN(size - skip, len - at);
		assert_int_equal(got, skip + n);
		assert_memory_equal((u8 *)ram(0x200000 + i * 0x10000ul) + skip, frame + at, n);
		at += n;
	}
	assert_int_equal(at, len);
	assert_false(drv_get(&t.d[RECEIVE], &id, &at));
}

static void merged_buffers(void **state)
{
	const struct virtio_net_hdr_v1 *h = ram(0x200000);

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		negotiate(offered() & ~(FEATURE(MQ) | (packed ? 0 : BIT(VIRTIO_F_RING_PACKED))));
		start_queues(t.d, 3, SIZE, packed);
		assert_true(receive_big(14, 4096, 50000, NET_CSUM | NET_TSO4));
		assert_int_equal(h->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(h->gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_equal(h->gso_size, 1448);
		assert_int_equal(h->hdr_len, TCP_DATA);
		assert_int_equal(h->csum_start, 34);
		assert_int_equal(h->csum_offset, 16);
		expect_big(4096, 50000);
	}
}

/* Too few: the frame is lost, the buffers are not. */
static void too_few_buffers(void **state)
{
	(void)state;
	start_with(FEATURE(MQ));
	assert_false(receive_big(10, 4096, 50000, NET_CSUM | NET_TSO4));
	assert_false(used(RECEIVE));
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	assert_true(receive_big(0, 0, 30000, NET_CSUM | NET_TSO4));
	expect_big(4096, 30000);
	assert_int_equal(virtio_net_counters(t.n)->dropped, 1);
}

static void buffers_that_hold_nothing(void **state)
{
	struct buf b = { 0x200000, 64, false };

	(void)state;
	start_with(FEATURE(MQ));
	assert_false(receive_big(60, 1000, 65000, NET_CSUM | NET_TSO4));
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0); /* just too few */
	start_with(FEATURE(MQ));
	assert_false(receive_big(64, 64, 65000, NET_CSUM | NET_TSO4));
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET); /* none so many would do */
	start_with(FEATURE(MQ));
	drv_add(&t.d[RECEIVE], &b, 1);
	assert_false(receive_big(0, 0, 100, 0));
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	start_with(FEATURE(MQ));
	assert_true(receive_big(1, 2000, 100, 0));
	expect_big(2000, 100);
}

/* A driver without large frames gets segments. */
static void cut_for_the_driver(void **state)
{
	(void)state;
	start();
	assert_true(receive_big(4, 2000, 4000, NET_CSUM | NET_TSO4));
	assert_int_equal(virtio_net_counters(t.n)->received, DIV_ROUND_UP(4000, 1448));
	for (unsigned i = 0; i < 3; i++)
		assert_true(used(RECEIVE));
	assert_false(used(RECEIVE));
}

/* ---- several pairs ---- */

#define MQ_CONTROL 8

static u8 set_pairs(u16 pairs)
{
	struct buf b[3] = { { DATA, 2, false }, { DATA + 16, 2, false }, { ANSWER, 1, true } };
	u16 id;

	*(u8 *)ram(DATA) = VIRTIO_NET_CTRL_MQ;
	*(u8 *)ram(DATA + 1) = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
	*(u16 *)ram(DATA + 16) = pairs;
	id = drv_add(&t.d[MQ_CONTROL], b, 3);
	kick(MQ_CONTROL);
	drv_expect(&t.d[MQ_CONTROL], id, 1);
	return *(u8 *)ram(ANSWER);
}

static void several_pairs(void **state)
{
	static u8 frame[2000];
	struct net_frame f = { .data = frame };
	struct virtio_net_hdr_v1 h = { 0 };

	(void)state;
	assert_int_equal(bus_read(&p.mmio, p.config + 8, 2), NET_PAIRS);
	start_with(0);
	assert_int_equal(set_pairs(0), NACK);
	assert_int_equal(set_pairs(NET_PAIRS + 1), NACK);
	assert_int_equal(set_pairs(0xffff), NACK);
	assert_int_equal(set_pairs(NET_PAIRS), ACK);
	/* A connection is sent from the third pair, and answered there. */
	for (unsigned q = 0; q < MQ_CONTROL; q += 2) {
		struct buf b = { 0x200000 + q * 0x10000ul, 2000, true };

		drv_add(&t.d[q], &b, 1);
		kick((u16)q);
	}
	f.len = make_tcp(ram(BIG), false, 100);
	memcpy(ram(DATA), &h, HEADER);
	drv_add(&t.d[5], (struct buf[]){ { DATA, HEADER, false }, { BIG, (u32)f.len, false } }, 2);
	kick(5);
	assert_true(used(5));
	memcpy(frame, ram(BIG), f.len);
	memcpy(frame, own, ETH_ADDR);
	memcpy(frame + ETH_ADDR, other, ETH_ADDR);
	for (unsigned i = 0; i < 4; i++) { /* addresses and ports the other way round */
		frame[26 + i] = ((u8 *)ram(BIG))[30 + i];
		frame[30 + i] = ((u8 *)ram(BIG))[26 + i];
		frame[34 + i] = ((u8 *)ram(BIG))[34 + (i + 2) % 4];
	}
	switch_send(&t.sw, &t.tap[0].port, &f);
	assert_true(used(4));
	assert_false(used(0) || used(2) || used(6));
	/* Another one comes to the first. */
	frame[30]++;
	switch_send(&t.sw, &t.tap[0].port, &f);
	assert_true(used(0));
	assert_int_equal(set_pairs(1), ACK);
	frame[30]--;
	drv_add(&t.d[0], (struct buf[]){ { 0x200000, 2000, true } }, 1);
	switch_send(&t.sw, &t.tap[0].port, &f);
	assert_true(used(0));
}

/* ---- VLANs, the link ---- */

static u8 vlan(u8 cmd, u16 id)
{
	return command(VIRTIO_NET_CTRL_VLAN, cmd, &id, 2);
}

static bool vlan_arrives(u16 id)
{
	static u8 frame[100];
	struct net_frame f = { .data = frame, .len = sizeof(frame) };
	struct buf b = { BUFFERS, 1600, true };

	make_frame(frame, own, other, sizeof(frame));
	set16(frame + 12, 0x8100);
	set16(frame + 14, id | 0xe000);
	drv_add(&t.d[RECEIVE], &b, 1);
	switch_send(&t.sw, &t.tap[0].port, &f);
	return used(RECEIVE);
}

static void vlans(void **state)
{
	(void)state;
	start();
	assert_true(vlan_arrives(5));
	assert_int_equal(vlan(VIRTIO_NET_CTRL_VLAN_ADD, 5), NACK); /* not negotiated */
	start_with(FEATURE(MQ));
	assert_false(vlan_arrives(5));
	assert_int_equal(vlan(VIRTIO_NET_CTRL_VLAN_ADD, 5), ACK);
	assert_int_equal(vlan(VIRTIO_NET_CTRL_VLAN_ADD, 4095), ACK);
	assert_int_equal(vlan(VIRTIO_NET_CTRL_VLAN_ADD, 4096), NACK);
	assert_int_equal(vlan(VIRTIO_NET_CTRL_VLAN_ADD, 0xffff), NACK);
	assert_int_equal(vlan(2, 5), NACK);
	assert_true(vlan_arrives(5));
	assert_true(vlan_arrives(4095));
	assert_false(vlan_arrives(6));
	start_with(FEATURE(MQ));
	assert_true(arrives(0, own, 60)); /* without a tag */
	assert_int_equal(vlan(VIRTIO_NET_CTRL_VLAN_ADD, 5), ACK);
	assert_int_equal(vlan(VIRTIO_NET_CTRL_VLAN_DEL, 5), ACK);
	assert_false(vlan_arrives(5));
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_PROMISC, 1), ACK);
	assert_true(vlan_arrives(5));
}

static u16 link_status(void)
{
	return (u16)bus_read(&p.mmio, p.config + 6, 2);
}

static void the_link(void **state)
{
	u8 frame[64];

	(void)state;
	start();
	bus_read(&p.mmio, p.isr, 1);
	virtio_net_link(t.n, false);
	assert_int_equal(bus_read(&p.mmio, p.isr, 1), 2);
	assert_int_equal(link_status(), 0);
	make_frame(frame, own, other, sizeof(frame));
	add_buffer(0, 1600);
	from_tap(0, frame, sizeof(frame));
	assert_false(used(RECEIVE));
	send(everybody, own, 60);
	assert_int_equal(t.tap[0].count, 0);
	virtio_net_link(t.n, true);
	assert_int_equal(link_status(), VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(command(VIRTIO_NET_CTRL_ANNOUNCE, 1, NULL, 0), NACK);
	assert_int_equal(
		command(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0), ACK);
	assert_int_equal(link_status(), VIRTIO_NET_S_LINK_UP);
	from_tap(0, frame, sizeof(frame));
	assert_true(used(RECEIVE));
	virtio_net_link(t.n, true); /* no news */
	assert_int_equal(link_status(), VIRTIO_NET_S_LINK_UP);
}

/* ---- 35, 36: what makes no sense ---- */

static void refused_frames(void **state)
{
	static const struct {
		u32 len;
		struct virtio_net_hdr_v1 h;
	} bad[] = {
		{ 0, { 0 } },
		{ 13, { 0 } },
		{ 1519, { 0 } },
		{ 70000, { 0 } },
		{ 60, { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			      .csum_start = 0xffff,
			      .csum_offset = 0xffff } },
		{ 60, { .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0, .hdr_len = 0xffff } },
		{ 60, { .gso_type = 0xff } },
	};

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct buf b = { DATA, HEADER + bad[i].len, false };
		u16 id;

		memcpy(ram(DATA), &bad[i].h, HEADER);
		id = drv_add(&t.d[TRANSMIT], &b, 1);
		kick(TRANSMIT);
		drv_expect(&t.d[TRANSMIT], id, 0);
	}
	assert_int_equal(t.tap[0].count, 0);
	assert_int_equal(virtio_net_counters(t.n)->refused, ARRAY_SIZE(bad));
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	send(everybody, own, 60);
	assert_int_equal(t.tap[0].count, 1);
}

static void broken_queues(void **state)
{
	struct buf short_header = { DATA, HEADER - 1, false }, no_answer = { DATA, 2, false };
	u8 frame[64];

	(void)state;
	make_frame(frame, own, other, sizeof(frame));
	start();
	drv_add(&t.d[TRANSMIT], &short_header, 1);
	kick(TRANSMIT);
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_false(used(TRANSMIT));
	assert_true(arrives(0, own, 60)); /* the others go on */
	start();
	drv_add(&t.d[CONTROL], &no_answer, 1);
	kick(CONTROL);
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	for (u32 len = 1; len < HEADER + sizeof(frame); len += 25) {
		start();
		add_buffer(0, len);
		from_tap(0, frame, sizeof(frame));
		assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
		assert_false(used(RECEIVE));
		send(everybody, own, 60);
	}
	start();
	assert_true(arrives(0, own, 60));
}

static void bad_commands(void **state)
{
	static const u32 counts[] = { 1, 2, 0x2aaaaaab, 0x7fffffff, 0x80000000, ~0u };
	u8 bytes[64] = { 0 };
	u8 on = 2;

	(void)state;
	start();
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, 0, bytes, 0), NACK);
	assert_int_equal(command(VIRTIO_NET_CTRL_RX, 0, &on, 1), NACK);
	assert_int_equal(mode(6, 1), NACK);
	assert_int_equal(mode(0xff, 1), NACK);
	assert_int_equal(command(2, 0, bytes, 2), NACK);
	assert_int_equal(command(0xff, 0xff, bytes, 2), NACK);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, 2, bytes, 6), NACK);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, 1, bytes, 5), NACK);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, 1, bytes, 7), NACK);
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, 1, group, 6), NACK);
	for (u32 len = 0; len < 8; len++)
		assert_int_equal(command(VIRTIO_NET_CTRL_MAC, 0, bytes, len), NACK);
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		memcpy(bytes, &counts[i], 4); /* of addresses; there are 5 bytes */
		assert_int_equal(command(VIRTIO_NET_CTRL_MAC, 0, bytes, 9), NACK);
	}
	assert_true(arrives(0, own, 60)); /* all is as it was */
	assert_true(arrives(0, group, 60));
	assert_false(arrives(0, third, 60));
}

/* More addresses than the card can compare: it lets all pass. */
static void a_long_table(void **state)
{
	static u8 bytes[4 + 17 * ETH_ADDR + 4] = { 17 };

	(void)state;
	start();
	assert_int_equal(command(VIRTIO_NET_CTRL_MAC, 0, bytes, sizeof(bytes)), ACK);
	assert_true(arrives(0, third, 60));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_switch_learns),
		TEST(the_switch_forgets),
		TEST(the_table_is_full),
		TEST(the_switch_ages),
		TEST(the_switch_drops_odd_sizes),
		TEST(configuration),
		TEST(frames_out),
		TEST(frames_out_in_pieces),
		TEST(frames_in),
		TEST(nobody_there),
		TEST(receive_modes),
		TEST(addresses),
		TEST(segments),
		TEST(passed_on_as_it_is),
		TEST(one_checksum),
		TEST(offloads_that_make_no_sense),
		TEST(merged_buffers),
		TEST(too_few_buffers),
		TEST(buffers_that_hold_nothing),
		TEST(cut_for_the_driver),
		TEST(several_pairs),
		TEST(vlans),
		TEST(the_link),
		TEST(refused_frames),
		TEST(broken_queues),
		TEST(bad_commands),
		TEST(a_long_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
