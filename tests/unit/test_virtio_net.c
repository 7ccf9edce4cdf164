/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net: frames in and out, receive modes and filters, several pairs of queues, the link;
 * frames and commands that make no sense.
 *
 * Sources: virtio/net.c virtio/net_filter.c hv/net/frame.c hv/net/switch.c virtio/pci.c
 * hv/cpu/timer.c virtio/device.c virtio/queue.c virtio/chain.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/virtio_net_util.h"

/* ---- the card ---- */

/* In the configuration space. */
static void expect_mac(const u8 *want)
{
	for (unsigned i = 0; i < ETH_ADDR; i++)
		assert_int_equal(bus_read(&p.mmio, p.config + i, 1), want[i]);
}

static void configuration(void **state)
{
	(void)state;
	expect_mac(own);
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

static void pass(u64 ticks)
{
	clock_now += ticks;
	timerq_run(&t.timers);
}

/* A frame that is sent is in the used ring at once; the interrupt for it comes when there are many,
 * or after a while, and once for all of them. Buffers to receive into need no notification. */
static void few_interrupts(void **state)
{
	const struct virtio_dev *d = virtio_net_dev(t.n);
	u64 before;

	(void)state;
	start();
	assert_false(drv_kick(&t.d[RECEIVE]));
	add_buffer(0, 1600);
	assert_false(drv_kick(&t.d[RECEIVE]));
	before = d->interrupts;
	for (unsigned i = 0; i < 3; i++)
		send(other, own, 60);
	assert_int_equal(d->interrupts, before);
	pass(HZ / 250 - 1);
	assert_int_equal(d->interrupts, before);
	pass(1);
	assert_int_equal(d->interrupts, before + 1);
	assert_int_equal(t.timers.next, TIMER_NEVER);
	for (unsigned i = 0; i < SIZE / 4 - 1; i++)
		send(other, own, 60);
	assert_int_equal(d->interrupts, before + 1);
	send(other, own, 60);
	assert_int_equal(d->interrupts, before + 2);
	pass(HZ / 250); /* has nothing to tell */
	assert_int_equal(d->interrupts, before + 2);
	send(other, own, 60);
	set_status(0);
	assert_int_equal(t.timers.next, TIMER_NEVER);
}

/* A frame in the ring; does the driver have to notify? */
static bool leave(u16 queue)
{
	struct buf b = { DATA, HEADER + 60, false };

	memset(ram(DATA), 0, HEADER);
	make_frame(ram(DATA + HEADER), other, own, 60);
	drv_add(&t.d[queue], &b, 1);
	return drv_kick(&t.d[queue]);
}

/* After one notification the card looks into the ring by itself, until there is nothing or the
 * guest idles; then it wants to be told again. */
static void few_notifications(void **state)
{
	u64 look = HZ / 2000;

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		negotiate(offered() & ~FEATURE(CSUM) & ~(packed ? 0 : BIT(VIRTIO_F_RING_PACKED)));
		start_queues(t.d, 9, SIZE, packed);
		for (u16 i = 0; i < 9; i++)
			t.d[i].event_idx = true;
		for (u16 queue = TRANSMIT; queue < 8; queue = (u16)(queue + 2)) {
			unsigned sent = t.tap[0].count;

			assert_true(leave(queue));
			kick(queue);
			assert_int_equal(t.tap[0].count, sent + 1);
			assert_false(leave(queue));
			assert_false(leave(queue));
			assert_int_equal(t.tap[0].count, sent + 1);
			pass(look);
			assert_int_equal(t.tap[0].count, sent + 3);
			assert_false(leave(queue));
			virtio_net_idle(t.n);
			assert_int_equal(t.tap[0].count, sent + 4);
			assert_true(leave(queue));
			kick(queue);
			pass(look); /* nothing came meanwhile */
			assert_int_equal(t.tap[0].count, sent + 5);
			assert_true(leave(queue));
			kick(queue);
			virtio_net_idle(t.n);
			virtio_net_idle(t.n);
		}
		set_status(0);
		assert_int_equal(t.timers.next, TIMER_NEVER);
	}
}

static unsigned refills;

/* The buffer of a frame that left comes back to the ring with another one. */
static void refill(const struct net_frame *f)
{
	struct buf b = { DATA, HEADER + 60, false };

	(void)f;
	if (refills && used(TRANSMIT)) {
		refills--;
		drv_add(&t.d[TRANSMIT], &b, 1);
	}
}

/* A driver on several processors that fills the ring as fast as it is emptied keeps nobody in an
 * exit, whether it notifies or halts. */
static void a_ring_that_is_refilled(void **state)
{
	enum {
		FRAMES = 50000
	};
	unsigned turns = 0;

	(void)state;
	start();
	t.watch = refill;
	refills = FRAMES - 1;
	leave(TRANSMIT);
	kick(TRANSMIT);
	assert_in_range(t.tap[0].count, 1, VIRTIO_TURN);
	for (; t.timers.next != TIMER_NEVER; turns++) {
		unsigned before = t.tap[0].count;

		if (turns % 3)
			pass(t.timers.next - clock_now);
		else
			virtio_net_idle(t.n);
		assert_in_range(t.tap[0].count - before, 0, VIRTIO_TURN);
	}
	assert_int_equal(t.tap[0].count, FRAMES);
	assert_in_range(turns, FRAMES / VIRTIO_TURN, FRAMES);
	assert_true(leave(TRANSMIT)); /* it has asked again */
	t.watch = NULL;
}

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
	expect_mac(another);
	assert_true(arrives(0, another, 60));
	assert_false(arrives(0, own, 60)); /* and resets the card */
	expect_mac(own);
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
	assert_true(arrives(0, own, 60)); /* and the other queues serve */
	assert_int_equal(mode(VIRTIO_NET_CTRL_RX_PROMISC, 1), ACK);
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
	send(everybody, own, 60);
	assert_int_equal(t.tap[0].count, 1);
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
	const struct CMUnitTest tests[] = {
		TEST(configuration),
		TEST(frames_out),
		TEST(frames_out_in_pieces),
		TEST(frames_in),
		TEST(few_interrupts),
		TEST(few_notifications),
		TEST(a_ring_that_is_refilled),
		TEST(nobody_there),
		TEST(receive_modes),
		TEST(addresses),
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
