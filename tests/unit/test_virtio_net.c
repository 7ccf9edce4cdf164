/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net and the switch: who gets which frame, receive modes and filters, frames and commands
 * that make no sense.
 *
 * Sources: virtio/net.c virtio/switch.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * Sources: hv/mem/guestmem.c hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
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
	u8 frame[ETH_FRAME_MAX];
	size_t len;
	unsigned count;
};

static struct {
	struct net_switch sw;
	struct virtio_net *n;
	struct driver d[3];
	struct tap tap[PORTS];
	struct page_stats before;
} t;

static void tapped(struct switch_port *port, const u8 *frame, size_t len)
{
	struct tap *tap = container_of(port, struct tap, port);

	assert_in_range(len, ETH_HEADER, ETH_FRAME_MAX);
	memcpy(tap->frame, frame, len);
	tap->len = len;
	tap->count++;
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	page_stats(&t.before);
	switch_init(&t.sw);
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

static void start(void)
{
	negotiate(offered());
	start_queues(t.d, 3, SIZE, true);
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
	switch_send(&t.sw, &t.tap[tap].port, frame, len);
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
	switch_send(&t.sw, &t.tap[2].port, frame, sizeof(frame)); /* unknown: everywhere else */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 11);
	make_frame(frame, third, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[1].port, frame, sizeof(frame)); /* known by now */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 111);
	make_frame(frame, other, third, sizeof(frame));
	switch_send(&t.sw, &t.tap[0].port, frame, sizeof(frame)); /* it has moved */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 121);
	make_frame(frame, third, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[1].port, frame, sizeof(frame));
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 122);
	make_frame(frame, other, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[1].port, frame, sizeof(frame)); /* to its own port: nowhere */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 122);
	make_frame(frame, everybody, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[1].port, frame, sizeof(frame));
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 223);
	/* A group is never a sender: it is not learned, and goes on to all. */
	make_frame(frame, third, group, sizeof(frame));
	switch_send(&t.sw, &t.tap[1].port, frame, sizeof(frame));
	make_frame(frame, group, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[0].port, frame, sizeof(frame));
	assert_int_equal(t.tap[2].count, 3);
	/* Who has left is forgotten. */
	switch_leave(&t.sw, &t.tap[0].port);
	make_frame(frame, third, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[1].port, frame, sizeof(frame));
	assert_int_equal(t.tap[2].count, 4);
}

/* More senders than the table holds: the oldest go, nobody is harmed. */
static void the_switch_forgets(void **state)
{
	u8 frame[64];
	mac_t many = { 2, 1, 1, 1 };
	unsigned before;

	(void)state;
	for (unsigned i = 0; i < SWITCH_ADDRESSES + 10; i++) {
		many[5] = (u8)i;
		make_frame(frame, everybody, many, sizeof(frame));
		switch_send(&t.sw, &t.tap[0].port, frame, sizeof(frame));
	}
	before = t.tap[2].count;
	make_frame(frame, many, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[1].port, frame, sizeof(frame)); /* the last one is known */
	assert_int_equal(t.tap[2].count, before);
	many[5] = 3;
	make_frame(frame, many, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[1].port, frame, sizeof(frame));
	assert_int_equal(t.tap[2].count, before + 1);
}

static void the_switch_drops_odd_sizes(void **state)
{
	static u8 frame[ETH_FRAME_MAX + 1];

	(void)state;
	make_frame(frame, everybody, other, sizeof(frame));
	switch_send(&t.sw, &t.tap[0].port, frame, 0);
	switch_send(&t.sw, &t.tap[0].port, frame, ETH_HEADER - 1);
	switch_send(&t.sw, &t.tap[0].port, frame, ETH_FRAME_MAX + 1);
	assert_int_equal(t.tap[1].count, 0);
	switch_send(&t.sw, &t.tap[0].port, frame, ETH_HEADER);
	switch_send(&t.sw, &t.tap[0].port, frame, ETH_FRAME_MAX);
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
	switch_send(&t.sw, &t.tap[0].port, frame, sizeof(frame));
	start();
	switch_send(&t.sw, &t.tap[0].port, frame, sizeof(frame));
	assert_int_equal(virtio_net_counters(t.n)->dropped, 1);
	assert_true(arrives(0, own, 60));
	add_status(VIRTIO_CONFIG_S_FAILED);
	switch_send(&t.sw, &t.tap[0].port, frame, sizeof(frame));
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
		switch_send(&t.sw, &t.tap[0].port, frame, sizeof(frame));
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
		TEST(the_switch_drops_odd_sizes),
		TEST(configuration),
		TEST(frames_out),
		TEST(frames_out_in_pieces),
		TEST(frames_in),
		TEST(nobody_there),
		TEST(receive_modes),
		TEST(addresses),
		TEST(refused_frames),
		TEST(broken_queues),
		TEST(bad_commands),
		TEST(a_long_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
