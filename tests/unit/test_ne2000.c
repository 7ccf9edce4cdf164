/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated NE2000 with a driver made here, after the data sheet: found and set up, frames in
 * both directions, a ring that wraps and fills up, the address filter, and what a hostile driver
 * can write.
 *
 * Sources: hv/dev/ne2000.c hv/net/switch.c hv/net/frame.c
 * Sources: hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/pci_regs.h>

#include "hv/dev/ne2000.h"
#include "tests/unit/host.h"

#define SLOT	   2u
#define LINE	   (PCI_INTX_GSI + SLOT % PCI_INTX_LINES)
#define DATA	   0x10
#define RESET	   0x18
#define SEND_PAGE  0x40
#define FIRST	   0x46 /* page of the ring */
#define END	   0x80
#define PAGE0	   0x20 /* no remote DMA */
#define PAGE1	   0x60
#define PAGE2	   0xa0
#define STOP	   1
#define START	   2
#define SEND	   4
#define DMA_READ   8
#define DMA_WRITE  0x10
#define RECEIVED   0x01
#define SENT	   0x02
#define SEND_FAIL  0x08
#define OVERWRITE  0x10
#define COUNTER	   0x20
#define DMA_DONE   0x40
#define RESET_DONE 0x80

static const u8 mac[ETH_ADDR] = { 2, 'T', 'P', 0, 0, 1 };
static const u8 peer[ETH_ADDR] = { 2, 'T', 'P', 0, 0, 2 };
static const u8 stranger[ETH_ADDR] = { 2, 'T', 'P', 0, 0, 3 };
static const u8 everybody[ETH_ADDR] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static struct {
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct net_switch sw;
	struct ne2000 *n;	 /* an allocation of its own, which ends with the card's memory */
	struct switch_port port; /* the other end */
	u8 got[ETH_FRAME_MAX];
	size_t got_len;
	unsigned gots;
	bool line;
	u16 io;
} f;

static u64 seconds(void)
{
	return 1;
}

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	(void)ctx;
	if (gsi == LINE)
		f.line = level;
}

static void msi(void *ctx, u64 address, u32 data)
{
	(void)ctx, (void)address, (void)data;
	fail_msg("no MSI");
}

static void got(struct switch_port *p, const struct net_frame *frame)
{
	assert_ptr_equal(p, &f.port);
	assert_in_range(frame->len, ETH_HEADER, ETH_FRAME_MAX);
	assert_int_equal(frame->left, 0);
	memcpy(f.got, frame->data, frame->len);
	f.got_len = frame->len;
	f.gots++;
}

static u32 config(unsigned offset)
{
	bus_write(&f.pio, 0xcf8, 4, 0x80000000u | SLOT << 11 | offset);
	return (u32)bus_read(&f.pio, 0xcfc, 4);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	switch_init(&f.sw, seconds);
	f.port.receive = got;
	switch_join(&f.sw, &f.port);
	pci_init(&f.host, &f.pio, &f.mmio, &f.reset, set_gsi, msi, &f);
	if (bus_add(&f.pio, PCI_CONFIG_PORT, PCI_CONFIG_PORTS, &pci_port_io, &f.host, "pci"))
		return -1;
	f.n = calloc(1, sizeof(*f.n));
	ne2000_init(f.n, &f.sw, mac);
	if (ne2000_attach(f.n, &f.host, SLOT))
		return -1;
	f.io = (u16)(config(PCI_BASE_ADDRESS_0) & ~3u);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ne2000_destroy(f.n);
	free(f.n);
	switch_leave(&f.sw, &f.port);
	return list_empty(&f.sw.ports) ? 0 : -1;
}

static u8 in(unsigned reg)
{
	return (u8)bus_read(&f.pio, f.io + reg, 1);
}

static void out(unsigned reg, u64 v)
{
	bus_write(&f.pio, f.io + reg, 1, v & 0xff);
}

/* As a driver does it: addresses, ring, interrupts on; words on the data port. */
static void start_card(u8 receive_mode)
{
	out(0, PAGE0 | STOP);
	out(14, 0x49);
	out(10, 0);
	out(11, 0);
	out(12, receive_mode);
	out(13, 0);
	out(1, FIRST);
	out(2, END);
	out(3, END - 1);
	out(7, 0xff);
	out(15, 0x3f);
	out(0, PAGE1 | STOP);
	for (unsigned i = 0; i < ETH_ADDR; i++)
		out(1 + i, mac[i]);
	for (unsigned i = 0; i < 8; i++)
		out(8 + i, 0);
	out(7, FIRST);
	out(0, PAGE0 | START);
}

static void remote(u16 at, u16 len, u8 how)
{
	out(7, DMA_DONE);
	out(10, len);
	out(11, len >> 8);
	out(8, at);
	out(9, at >> 8);
	out(0, how | START);
}

static void read_card(u16 at, void *to, u16 len)
{
	u8 *p = to;

	remote(at, len, DMA_READ);
	for (u16 i = 0; i < len / 2; i++) {
		u16 word = (u16)bus_read(&f.pio, f.io + DATA, 2);

		memcpy(p + 2 * i, &word, 2);
	}
	if (len & 1)
		p[len - 1] = in(DATA);
	assert_true(in(7) & DMA_DONE);
}

static void write_card(u16 at, const void *from, u16 len)
{
	const u8 *p = from;

	remote(at, len, DMA_WRITE);
	for (u16 i = 0; i < len; i += 2) {
		u16 word;

		memcpy(&word, p + i, 2);
		bus_write(&f.pio, f.io + DATA, 2, word);
	}
	assert_true(in(7) & DMA_DONE);
}

static void make(u8 *frame, size_t len, const u8 *to, const u8 *from)
{
	for (size_t i = 0; i < len; i++)
		frame[i] = (u8)(i * 7 + len);
	memcpy(frame, to, ETH_ADDR);
	memcpy(frame + ETH_ADDR, from, ETH_ADDR);
	frame[12] = 0x88;
	frame[13] = 0xb5; /* an EtherType for experiments */
}

static void arrive(size_t len, const u8 *to)
{
	u8 frame[ETH_FRAME_MAX];
	struct net_frame nf = { .data = frame, .len = len };

	make(frame, len, to, peer);
	assert_true(net_frame_check(&nf));
	switch_send(&f.sw, &f.port, &nf);
}

static void start_sending(u16 len)
{
	out(4, SEND_PAGE);
	out(5, len);
	out(6, len >> 8);
	out(0, PAGE0 | SEND | START);
}

/* The next frame of the ring, and the boundary moved behind it. Returns its length. */
static u16 take(u8 *frame)
{
	u8 page = (u8)(in(3) + 1), current, header[4];
	u16 len;

	if (page >= END)
		page = FIRST;
	out(0, PAGE1 | START);
	current = in(7);
	out(0, PAGE0 | START);
	if (page == current)
		return 0;
	read_card((u16)(page * 256), header, 4);
	assert_int_equal(header[0] & 0xf, 1);
	assert_in_range(header[1], FIRST, END - 1);
	len = (u16)(header[2] | header[3] << 8);
	assert_in_range(len, 64, ETH_FRAME_MAX + 4);
	len = (u16)(len - 4);
	read_card((u16)(page * 256 + 4), frame, len);
	out(3, header[1] - 1u); /* in front of the ring, perhaps, as Linux does it */
	out(7, RECEIVED);
	return len;
}

static void expect_frame(size_t len, const u8 *to)
{
	u8 want[ETH_FRAME_MAX] = { 0 }, frame[ETH_FRAME_MAX] = { 0 };

	make(want, len, to, peer);
	assert_int_equal(take(frame), len < 60 ? 60 : len);
	assert_memory_equal(frame, want, len < 60 ? 60 : len);
}

static void expect_nothing(void)
{
	u8 frame[ETH_FRAME_MAX];

	assert_int_equal(take(frame), 0);
}

static void found(void **state)
{
	u8 prom[32];

	(void)state;
	assert_int_equal(config(0), 0x802910ec);
	assert_int_equal(config(PCI_CLASS_REVISION) >> 8, 0x020000);
	assert_int_equal(in(0), PAGE0 | STOP);
	assert_int_equal(in(10) | in(11) << 8, 'P' | 'C' << 8);
	out(7, 0xff);
	assert_int_equal(in(7), RESET_DONE); /* a state, not an event */
	out(0, PAGE0 | START);
	assert_int_equal(in(7) & RESET_DONE, 0);
	out(14, 0x49);
	remote(0, 32, DMA_READ);
	for (unsigned i = 0; i < 32; i++)
		prom[i] = in(DATA); /* a word each */
	assert_memory_equal(prom, mac, ETH_ADDR);
	assert_int_equal(prom[14], 0x57);
	assert_int_equal(prom[16], 0xff); /* all 32 bytes were read */
	in(RESET);
	assert_int_equal(in(7) & RESET_DONE, RESET_DONE);
	assert_int_equal(in(0), PAGE0 | STOP);
}

static void pages_of_registers(void **state)
{
	(void)state;
	start_card(4);
	out(0, PAGE1 | START);
	for (unsigned i = 0; i < ETH_ADDR; i++)
		assert_int_equal(in(1 + i), mac[i]);
	assert_int_equal(in(7), FIRST);
	out(0, PAGE2 | START);
	assert_int_equal(in(1), FIRST);
	assert_int_equal(in(2), END);
	assert_int_equal(in(14), 0x49);
	out(1, 0x55); /* read-only */
	assert_int_equal(in(1), FIRST);
	out(0, PAGE1 | PAGE2 | START);
	out(7, 0x12);
	assert_int_equal(in(7), 0);
	out(0, PAGE1 | START);
	assert_int_equal(in(7), FIRST);
}

static void its_memory(void **state)
{
	u8 a[600], b[600];

	(void)state;
	start_card(4);
	for (unsigned i = 0; i < sizeof(a); i++)
		a[i] = (u8)(i * 3);
	write_card(SEND_PAGE * 256, a, sizeof(a));
	read_card(SEND_PAGE * 256, b, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
	/* Over the end of the ring, to its start. */
	write_card(END * 256 - 256, a, 600);
	read_card(END * 256 - 256, b, 600);
	assert_memory_equal(a, b, 600);
	read_card(FIRST * 256, b, 344);
	assert_memory_equal(a + 256, b, 344);
	/* By bytes, and by double words. */
	out(14, 0x48);
	remote(SEND_PAGE * 256, 8, DMA_READ);
	assert_int_equal(in(DATA), a[600 - 600]);
	assert_int_equal(in(DATA), a[1]);
	assert_int_equal(
		bus_read(&f.pio, f.io + DATA, 4), a[2] | a[3] << 8 | a[4] << 16 | a[5] << 24);
	assert_int_equal(in(8) | in(9) << 8, SEND_PAGE * 256 + 6);
	assert_int_equal(in(7) & DMA_DONE, 0);
	assert_int_equal(bus_read(&f.pio, f.io + DATA, 4) & 0xffff, a[6] | a[7] << 8);
	assert_int_equal(in(7) & DMA_DONE, DMA_DONE);
	assert_int_equal(in(DATA), 0xff); /* no more of them */
}

static void sending(void **state)
{
	static const u16 lengths[] = { 60, 61, 255, 256, 1514 };
	u8 frame[1516];

	(void)state;
	start_card(4);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		make(frame, lengths[i], peer, mac);
		write_card(SEND_PAGE * 256, frame, (u16)(lengths[i] + lengths[i] % 2));
		assert_false(f.line);
		start_sending(lengths[i]);
		assert_int_equal(f.gots, i + 1);
		assert_int_equal(f.got_len, lengths[i]);
		assert_memory_equal(f.got, frame, lengths[i]);
		assert_int_equal(in(0) & SEND, 0);
		assert_int_equal(in(4), 1);
		assert_true(f.line);
		out(7, SENT);
		assert_false(f.line);
	}
	assert_int_equal(f.n->count.sent, ARRAY_SIZE(lengths));
	out(13, 2); /* loopback: nothing leaves the card */
	start_sending(60);
	assert_int_equal(f.gots, ARRAY_SIZE(lengths));
	assert_int_equal(in(7) & SENT, SENT);
}

/* Far more than the ring has room for, each taken in time. */
static void receiving(void **state)
{
	(void)state;
	start_card(4);
	for (size_t len = ETH_HEADER; len <= ETH_FRAME_MAX; len += 13) {
		arrive(len, mac);
		assert_true(f.line);
		expect_frame(len, mac);
		assert_false(f.line);
	}
	for (unsigned lap = 0; lap < 20; lap++) {
		arrive(1514, mac);
		arrive(200, mac);
		arrive(60, mac);
		expect_frame(1514, mac);
		expect_frame(200, mac);
		expect_frame(60, mac);
		expect_nothing();
	}
	assert_int_equal(f.n->count.missed, 0);
	assert_int_equal(in(15), 0);
}

static void a_full_ring(void **state)
{
	unsigned fit = (END - FIRST) / 6; /* pages of a full-size frame */

	(void)state;
	start_card(4);
	for (unsigned i = 0; i < fit + 3; i++)
		arrive(1514, mac);
	assert_int_equal(f.n->count.received + f.n->count.missed, fit + 3);
	assert_true(f.n->count.missed >= 3);
	assert_int_equal(in(7) & OVERWRITE, OVERWRITE);
	assert_int_equal(in(15), f.n->count.missed);
	assert_int_equal(in(15), 0); /* reading it clears it */
	for (u64 i = 0; i < f.n->count.received; i++)
		expect_frame(1514, mac);
	expect_nothing();
	out(7, OVERWRITE);
	arrive(1514, mac);
	expect_frame(1514, mac);
	for (unsigned i = 0; i < 300; i++)
		arrive(1514, mac);
	assert_int_equal(in(7) & COUNTER, COUNTER);
	assert_int_equal(in(15), 192);
}

static void the_filter(void **state)
{
	static const u8 group[ETH_ADDR] = { 1, 0, 0x5e, 0, 0, 1 };
	unsigned set = 0;

	(void)state;
	start_card(0);
	arrive(60, mac);
	expect_frame(60, mac);
	arrive(60, everybody);
	arrive(60, group);
	arrive(60, stranger); /* flooded */
	expect_nothing();
	out(12, 4);
	arrive(60, everybody);
	expect_frame(60, everybody);
	arrive(60, group);
	expect_nothing();
	/* One bit of the filter is this group's. */
	out(12, 0xc);
	for (unsigned bit = 0; bit < 64; bit++) {
		out(0, PAGE1 | START);
		for (unsigned i = 0; i < 8; i++)
			out(8 + i, i == bit / 8 ? 1u << bit % 8 : 0);
		out(0, PAGE0 | START);
		arrive(60, group);
		if (in(7) & RECEIVED) {
			expect_frame(60, group);
			assert_int_equal(bit, 31); /* ether_crc() of it, shifted by 26 */
			set++;
		}
	}
	assert_int_equal(set, 1);
	out(12, 0x10);
	arrive(60, stranger);
	expect_frame(60, stranger);
	out(12, 0x30); /* monitor: counts at most */
	arrive(60, mac);
	out(12, 4);
	out(0, PAGE0 | STOP);
	arrive(60, mac);
	out(0, PAGE0 | START);
	expect_nothing();
}

static void interrupts_that_are_masked(void **state)
{
	(void)state;
	start_card(4);
	out(15, SENT);
	arrive(60, mac);
	assert_false(f.line);
	out(15, RECEIVED);
	assert_true(f.line);
	out(15, 0xff);
	out(7, 0xff);
	assert_false(f.line);
	out(0, PAGE0 | STOP);
	assert_false(f.line);
}

/* Nothing of this may reach beyond the card's memory; ASan looks on. */
static void what_makes_no_sense(void **state)
{
	(void)state;
	start_card(0x1c);
	start_sending(0);
	start_sending(13);
	start_sending(1519);
	start_sending(0xffff);
	assert_int_equal(in(7) & SEND_FAIL, SEND_FAIL);
	for (unsigned page = 0; page < 256; page++) {
		out(4, page);
		out(5, 1514);
		out(6, 1514 >> 8);
		out(0, PAGE0 | SEND | START);
	}
	assert_int_equal(f.n->count.sent, 0x80 - 0x40 - 5); /* those that lie in its memory */
	for (unsigned first = 0; first < 256; first += 5)
		for (unsigned end = 0; end < 256; end += 3) {
			out(1, first);
			out(2, end);
			out(3, first + 1);
			out(0, PAGE1 | START);
			out(7, end - 1u);
			out(0, PAGE0 | START);
			arrive(1518, mac);
			remote((u16)(end * 256 - 2), 0xffff, DMA_WRITE);
			for (unsigned i = 0; i < 10; i++)
				bus_write(&f.pio, f.io + DATA, 4, 0x12345678);
			remote((u16)(end * 256 - 2), 0xffff, DMA_READ);
			for (unsigned i = 0; i < 10; i++)
				bus_read(&f.pio, f.io + DATA, 4);
		}
	assert_true(f.n->count.missed > 0);
	/* Across the borders of its parts. */
	for (unsigned at = 0; at < 4 * 32; at++)
		for (unsigned size = 1; size <= 4; size *= 2) {
			out(0, at / 32 << 6 | START);
			bus_read(&f.pio, f.io + at % 32, size);
			bus_write(&f.pio, f.io + at % 32, size, ~0u);
		}
	ne2000_reset(f.n);
	assert_memory_equal(f.n->prom + 2 * ETH_ADDR, "\x57\x57\x57\x57", 4);
	start_card(4);
	arrive(60, mac);
	expect_frame(60, mac);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(found),
		TEST(pages_of_registers),
		TEST(its_memory),
		TEST(sending),
		TEST(receiving),
		TEST(a_full_ring),
		TEST(the_filter),
		TEST(interrupts_that_are_masked),
		TEST(what_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
