/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hostile driver of the emulated NE2000 can do: the input is a sequence of accesses to its
 * ports of any size, and of frames that arrive meanwhile. Checked: what leaves the card are frames
 * of its memory, its address is not changed, and a reset makes it work again.
 *
 * Sources: hv/dev/ne2000.c hv/net/switch.c hv/net/frame.c
 * Sources: hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include <string.h>

#include "hv/dev/ne2000.h"
#include "tests/fuzz/fuzz.h"

#define IO	0xc000u
#define ARRIVES 0x80u /* of an input's byte: a frame, no access */
#define READS	0x40u

static const u8 mac[ETH_ADDR] = { 2, 'T', 'P', 0, 0, 1 };

static struct {
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct net_switch sw;
	struct ne2000 *n; /* ends with the card's memory */
	struct switch_port port;
	unsigned got;
} f;

static u64 seconds(void)
{
	return 1;
}

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	(void)ctx, (void)gsi, (void)level;
}

static void msi(void *ctx, u64 address, u32 data)
{
	(void)ctx, (void)address, (void)data;
}

static void got(struct switch_port *p, const struct net_frame *frame)
{
	CHECK(p == &f.port && !frame->left);
	CHECK(frame->len >= ETH_HEADER && frame->len <= ETH_FRAME_MAX);
	CHECK(frame->data >= f.n->buffer &&
		frame->data + frame->len <= f.n->buffer + sizeof(f.n->buffer));
	f.got++;
}

static void make(void)
{
	switch_init(&f.sw, seconds);
	f.port.receive = got;
	switch_join(&f.sw, &f.port);
	pci_init(&f.host, &f.pio, &f.mmio, &f.reset, set_gsi, msi, &f);
	f.n = malloc(sizeof(*f.n));
	CHECK(f.n);
	ne2000_init(f.n, &f.sw, mac);
	CHECK(ne2000_attach(f.n, &f.host, 1) == OK);
	CHECK(f.n->pci.bar[0].base == IO);
}

static void arrive(const u8 *to, size_t len)
{
	u8 data[ETH_FRAME_MAX] = { 0 };
	struct net_frame frame = { .data = data, .len = len };

	memcpy(data, to, ETH_ADDR);
	data[ETH_ADDR] = 2; /* from somebody else */
	if (net_frame_check(&frame))
		switch_send(&f.sw, &f.port, &frame);
}

static void step(struct stream *in)
{
	u8 what = byte(in), low = byte(in);
	unsigned port = what & (NE_PORTS - 1), size = 1u << low % 3;
	u64 value = low;

	if (what & ARRIVES) {
		arrive(what & READS ? mac
				    : (const u8[ETH_ADDR]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
			low * 6u);
		return;
	}
	if (what & READS) {
		bus_read(&f.pio, IO + port, size);
		return;
	}
	if (port >= NE_REGS) /* the data port: words and double words */
		value |= (u64)byte(in) << 8;
	else
		size = 1;
	bus_write(&f.pio, IO + port, size, value);
}

static void works(void)
{
	static const u8 set_up[][2] = { { 0, 0x21 }, { 14, 0x49 }, { 12, 4 }, { 1, 0x46 },
		{ 2, 0x80 }, { 3, 0x7f }, { 0, 0x61 }, { 7, 0x46 }, { 0, 0x22 } };
	u64 received = f.n->count.received;

	ne2000_reset(f.n);
	for (unsigned i = 0; i < ARRAY_SIZE(set_up); i++)
		bus_write(&f.pio, IO + set_up[i][0], 1, set_up[i][1]);
	arrive((const u8[ETH_ADDR]){ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, ETH_FRAME_MAX);
	CHECK(f.n->count.received == received + 1);
	for (unsigned i = 0; i < ETH_ADDR; i++)
		CHECK(f.n->prom[2 * i] == mac[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream in = { data, size };

	if (!f.n)
		make();
	while (in.left)
		step(&in);
	works();
	return 0;
}
