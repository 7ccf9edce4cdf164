/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net: what drivers leave to others, checksums and the cutting of large packets; large
 * packets in buffers that are merged.
 *
 * Sources: virtio/net.c virtio/net_filter.c hv/net/frame.c hv/net/switch.c virtio/pci.c
 * hv/cpu/timer.c virtio/device.c virtio/queue.c virtio/chain.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/virtio_net_util.h"

/* ---- offloads ---- */

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
	drv_add(&t.d[RECEIVE], &b, 1);
	assert_false(receive_big(0, 0, 100, 0));
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	start_with(FEATURE(MQ));
	assert_true(receive_big(1, 2000, 100, 0));
	expect_big(2000, 100);
}

/* Any buffer with room for a header is one: it is not the driver's fault that a frame needs many,
 * or more than its ring has. */
static void small_buffers(void **state)
{
	(void)state;
	start_with(FEATURE(MQ));
	assert_false(receive_big(SIZE, 512, 65000, NET_CSUM | NET_TSO4));
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	assert_int_equal(virtio_net_counters(t.n)->dropped, 1);
	assert_true(receive_big(0, 0, 30000, NET_CSUM | NET_TSO4)); /* they are all there */
	expect_big(512, 30000);
	negotiate(offered() & ~FEATURE(MQ));
	start_queues(t.d, 3, 256, true);
	assert_true(receive_big(94, 700, 65000, NET_CSUM | NET_TSO4));
	expect_big(700, 65000);
	/* A later one without room for a header breaks the queue as the first one does. */
	start_with(FEATURE(MQ));
	assert_true(receive_big(1, 2000, 100, 0));
	expect_big(2000, 100);
	assert_false(receive_big(4, HEADER - 1, 100, 0));
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* What others send does not break the queue of a driver whose buffers are as large as they are to
 * be. */
static void buffers_of_the_least_size(void **state)
{
	u64 merged = FEATURE(MQ) | FEATURE(MRG_RXBUF),
	    large = FEATURE(GUEST_TSO4) | FEATURE(GUEST_TSO6);
	static u8 frame[ETH_FRAME_MAX];

	(void)state;
	make_frame(frame, everybody, other, sizeof(frame));
	start_with(merged | large);
	add_buffer(0, 1526);
	from_tap(0, frame, sizeof(frame));
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	assert_int_equal(virtio_net_counters(t.n)->dropped, 1);
	from_tap(0, frame, 1514);
	assert_true(used(RECEIVE));
	add_buffer(0, 1525);
	from_tap(0, frame, sizeof(frame));
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	start_with(merged);
	assert_false(receive_big(1, 65562, 65497, NET_CSUM | NET_TSO4));
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	assert_true(receive_big(0, 0, 65496, NET_CSUM | NET_TSO4));
	assert_true(used(RECEIVE));
	assert_false(receive_big(1, 65561, 65497, NET_CSUM | NET_TSO4));
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(segments),
		TEST(passed_on_as_it_is),
		TEST(one_checksum),
		TEST(offloads_that_make_no_sense),
		TEST(merged_buffers),
		TEST(too_few_buffers),
		TEST(buffers_that_hold_nothing),
		TEST(small_buffers),
		TEST(buffers_of_the_least_size),
		TEST(cut_for_the_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
