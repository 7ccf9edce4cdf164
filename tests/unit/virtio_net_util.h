/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio-net card on a switch whose other ports are taps, for tests of both: frames from either
 * side, commands on the control queue.
 */
#ifndef TESTS_UNIT_VIRTIO_NET_UTIL_H
#define TESTS_UNIT_VIRTIO_NET_UTIL_H

#include "tests/unit/clock.h"
#include "tests/unit/destroy.h"
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
#define BIG	 0x100000ul
#define HEADER	 12
#define RECEIVE	 0
#define TRANSMIT 1
#define CONTROL	 2
#define PORTS	 3
#define HZ	 100000ul

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
	struct timerq timers;
} t;

static inline u64 seconds(void)
{
	return clock_now;
}

static inline void tapped(struct switch_port *port, const struct net_frame *f)
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
static inline bool from_tap(unsigned tap, const u8 *data, size_t len)
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
	host_pages_begin();
	clock_now = 1000;
	timerq_init(&t.timers, HZ, now);
	switch_init(&t.sw, seconds);
	for (unsigned i = 0; i < PORTS; i++) {
		t.tap[i].port.receive = tapped;
		switch_join(&t.sw, &t.tap[i].port);
	}
	if (guestmem_add(&gm, GPA(0), RAM_SIZE))
		return -1;
	return virtio_net_create(&t.n, "vm", 0, true, &gm, &t.timers, &t.sw, own) ||
	       bus_with(virtio_net_dev(t.n));
}

static int teardown(void **state)
{
	(void)state;
	virtio_net_destroy(t.n);
	guestmem_destroy(&gm);
	return t.timers.next != TIMER_NEVER || !host_pages_are_back() ? -1 : 0;
}

/* The bits of <linux/virtio_net.h>. */
#define FEATURE(name) BIT(VIRTIO_NET_F_##name)

static inline void start_with(u64 without)
{
	negotiate(offered() & ~without);
	start_queues(t.d, without & FEATURE(MQ) ? 3 : 9, SIZE, true);
}

/* Frames as they are on the wire, one pair of queues. */
static inline void start(void)
{
	start_with(FEATURE(MQ) | FEATURE(CSUM) | FEATURE(GUEST_CSUM) | FEATURE(HOST_TSO4) |
		   FEATURE(HOST_TSO6) | FEATURE(GUEST_TSO4) | FEATURE(GUEST_TSO6) |
		   FEATURE(MRG_RXBUF) | FEATURE(CTRL_VLAN));
}

/* A buffer to receive into, at its own place. */
static inline u16 add_buffer(unsigned i, u32 len)
{
	struct buf b = { BUFFERS + i * 0x1000, len, true };
	u16 id = drv_add(&t.d[RECEIVE], &b, 1);

	memset(ram(b.addr), 0xcc, 0x1000);
	kick(RECEIVE);
	return id;
}

static inline void make_frame(u8 *frame, const u8 *to, const u8 *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		frame[i] = (u8)(i * 3 + i / 256);
	memcpy(frame, to, ETH_ADDR);
	memcpy(frame + ETH_ADDR, from, ETH_ADDR);
}

static inline bool used(u16 queue)
{
	u16 id;
	u32 len;

	return drv_get(&t.d[queue], &id, &len);
}

/* The guest sends; header and frame in one buffer. */
static inline void send(const u8 *to, const u8 *from, u32 len)
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
static inline bool arrives(unsigned tap, const u8 *to, size_t len)
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
static inline u8 command(u8 class, u8 cmd, const void *data, u32 len)
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

static inline u8 mode(u8 cmd, u8 on)
{
	return command(VIRTIO_NET_CTRL_RX, cmd, &on, 1);
}

#define TCP_DATA (ETH_HEADER + 20 + 20)

static inline u16 be16(const u8 *b)
{
	return (u16)(b[0] << 8 | b[1]);
}

static inline void set16(u8 *b, unsigned value)
{
	b[0] = (u8)(value >> 8);
	b[1] = (u8)value;
}

/* Ones' complement, as RFC 1071 has it; 0xffff: all is well with a sum that has its checksum in it.
 */
static inline u16 ones(const u8 *b, size_t len, u32 sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? b[i] : (u32)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

/* The frame of a TCP packet with `data` bytes, its checksum field holding the pseudo header's sum
 * (for the packet as a whole), as a driver leaves it. */
static inline u32 make_tcp(u8 *f, bool v6, u32 data)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
