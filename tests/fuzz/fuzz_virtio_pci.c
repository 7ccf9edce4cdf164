/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio devices behind their PCI registers. An input is a byte that chooses the device and one of
 * its queues, then commands: accesses to the registers, to configuration space and to the driver's
 * memory, a driver's proper start, a request with a header that may make sense, time. Checked: no
 * sanitizer complaint, the module under the disk unchanged, nothing leaked, and a driver that
 * starts afresh is served.
 *
 * Sources: virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c virtio/blk.c
 * Sources: hv/blk/ramdisk.c virtio/rng.c virtio/console.c virtio/net.c virtio/net_filter.c
 * Sources: hv/net/frame.c hv/net/switch.c virtio/balloon.c hv/mmu/ram.c hv/mem/mtrr.c
 * Sources: hv/lib/chacha20.c hv/cpu/timer.c hv/mem/guestmem.c hv/dev/pci.c hv/dev/msix.c
 * Sources: hv/dev/reset.c hv/dev/bus.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "hv/mem/page.h"
#include "hv/mmu/mmu.h"
#include "virtio/balloon.h"
#include "virtio/blk.h"
#include "virtio/console.h"
#include "virtio/net.h"
#include "virtio/pci.h"
#include "hv/blk/ramdisk.h"
#include "virtio/rng.h"
#include "tests/fuzz/fuzz.h"

#define MEM	  4 * MB
#define RINGS	  0x10000ul
#define AREA	  0x8000ul
#define DRIVER	  0x1000ul
#define DEVICE	  0x2000ul
#define HEADER	  0x4000ul
#define DATA	  0x5000ul
#define BASE_SIZE 10000
#define SECTORS	  64
#define SLOT	  1
#define BAR	  0xc0000000ul
#define SIZE	  8

static struct guestmem gm;
static u8 base[BASE_SIZE];
static u64 clock_now;

/* A device, and its queue that requests are made on. */
enum kind {
	DISK,
	ENTROPY,
	CONSOLE,
	CONSOLE_LOG,
	CONSOLE_TOLD,
	CONSOLE_HEARD,
	NET_SEND,
	NET_CONTROL,
	NET_RECEIVE,
	BALLOON_GIVE,
	BALLOON_TAKE,
	BALLOON_STATS,
	BALLOON_REPORT,
	KINDS
};

static const u16 queue_of[KINDS] = { [CONSOLE] = 1,
	[CONSOLE_LOG] = 5,
	[CONSOLE_TOLD] = 2,
	[CONSOLE_HEARD] = 3,
	[NET_SEND] = 1,
	[NET_CONTROL] = 2,
	[BALLOON_TAKE] = 1,
	[BALLOON_STATS] = 2,
	[BALLOON_REPORT] = 4 };

static struct {
	enum kind kind;
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct virtio_pci v;
	struct virtio_blk *blk;
	struct virtio_rng *rng;
	struct virtio_console *console;
	struct virtio_net *net;
	struct virtio_balloon *balloon;
	struct net_switch sw;
	struct switch_port tap;
	struct virtio_dev *dev;
	struct timerq timers;
	u16 avail; /* requests offered since the last start */
} m;

static u64 number(struct stream *in, unsigned bytes)
{
	u64 value = 0;

	while (bytes--)
		value = value << 8 | byte(in);
	return value;
}

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	(void)ctx, (void)gsi, (void)level;
}

static void msi(void *ctx, u64 address, u32 data)
{
	(void)ctx, (void)address, (void)data;
}

static void fire_reset(void *ctx)
{
	(void)ctx;
}

static u64 now(const struct timerq *q)
{
	(void)q;
	return clock_now;
}

static bool source(u64 *word)
{
	*word = ++clock_now * 0x9e3779b97f4a7c15ul;
	return true;
}

static void config_write(unsigned reg, unsigned size, u64 value)
{
	bus_write(&m.pio, 0xcf8, 4, 0x80000000 | SLOT << 11 | (reg & ~3u));
	bus_write(&m.pio, 0xcfc + reg % 4, size, value);
}

static u64 config_read(unsigned reg, unsigned size)
{
	bus_write(&m.pio, 0xcf8, 4, 0x80000000 | SLOT << 11 | (reg & ~3u));
	return bus_read(&m.pio, 0xcfc + reg % 4, size);
}

static void common(unsigned offset, unsigned size, u64 value)
{
	bus_write(&m.mmio, BAR + offset, size, value);
}

static u64 status(void)
{
	return bus_read(&m.mmio, BAR + VIRTIO_PCI_COMMON_STATUS, 1);
}

/* What firmware and a driver do, BARs included: they may have been moved over each other. */
static void start(u64 features)
{
	config_write(PCI_BASE_ADDRESS_1, 4, BAR + 0x10000);
	config_write(PCI_BASE_ADDRESS_2, 4, 0xc000);
	config_write(PCI_BASE_ADDRESS_0, 4, BAR);
	config_write(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	(void)!guest_zero(&gm, GPA(RINGS), AREA);
	common(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	common(VIRTIO_PCI_COMMON_STATUS, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		common(VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		common(VIRTIO_PCI_COMMON_GF, 4, features >> (32 * i));
	}
	common(VIRTIO_PCI_COMMON_STATUS, 1, 11);
	common(VIRTIO_PCI_COMMON_Q_SELECT, 2, queue_of[m.kind]);
	common(VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE);
	common(VIRTIO_PCI_COMMON_Q_DESCLO, 8, RINGS);
	common(VIRTIO_PCI_COMMON_Q_AVAILLO, 8, RINGS + DRIVER);
	common(VIRTIO_PCI_COMMON_Q_USEDLO, 8, RINGS + DEVICE);
	common(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	common(VIRTIO_PCI_COMMON_STATUS, 1, 15);
	m.avail = 0;
}

static void kick(unsigned queue)
{
	bus_write(&m.mmio, BAR + VIRTIO_PCI_AT_NOTIFY + queue * VIRTIO_PCI_MULTIPLIER, 2, queue);
}

static void write_desc(unsigned i, u64 addr, u32 len, u16 flags, u16 next)
{
	struct {
		u64 addr;
		u32 len;
		u16 flags, next;
	} d = { addr, len, flags, next };

	(void)!guest_write(&gm, GPA(RINGS + i % SIZE * sizeof(d)), &d, sizeof(d));
}

/* A frame for everybody. */
static const u8 to_all[64] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* A frame from elsewhere, as it is on the wire or a large one to be cut. */
static void to_card(u64 how)
{
	static u8 large[60000];
	struct net_frame f = { .data = to_all, .len = sizeof(to_all) };

	if (how & 1) {
		memset(large, 0xff, ETH_ADDR);
		large[12] = 8, large[14] = 0x45, large[23] = 6, large[46] = 0x50;
		f = (struct net_frame){ .data = large,
			.len = 100 + how % 256 * 230,
			.left = NET_CSUM | NET_TSO4,
			.csum_start = 34,
			.csum_offset = 16,
			.gso_size = 1400 };
	}
	if (net_frame_check(&f))
		switch_send(&m.sw, &m.tap, &f);
}

/* A split chain: header, data, status. */
static void request(u32 type, u64 sector, u32 len, bool write)
{
	struct {
		u32 type, reserved;
		u64 sector;
	} header = { type, 0, sector };
	u16 head = m.avail % 2 * 3, place = (u16)(4 + m.avail % SIZE * 2);

	(void)!guest_write(&gm, GPA(RINGS + HEADER), &header, sizeof(header));
	write_desc(head, RINGS + HEADER, 16, 1, head + 1);
	write_desc(head + 1u, RINGS + DATA, len, (write ? 2 : 0) | 1, head + 2);
	write_desc(head + 2u, RINGS + HEADER + 16, 1, 2, 0);
	if (m.kind == ENTROPY)
		head++; /* an entropy buffer is only writable */
	m.avail++;
	(void)!guest_write(&gm, GPA(RINGS + DRIVER + place), &head, 2);
	(void)!guest_write(&gm, GPA(RINGS + DRIVER + 2), &m.avail, 2);
	kick(queue_of[m.kind]);
	if (m.kind == NET_RECEIVE)
		to_card(sector);
}

static void printed(void *ctx, const u8 *buf, size_t len)
{
	CHECK(!ctx && len && buf[len - 1] <= 0xff);
}

/* Each byte is looked at, for the sanitizer. */
static void tapped(struct switch_port *port, const struct net_frame *f)
{
	unsigned sum = 0;

	CHECK(port == &m.tap && f->len >= ETH_HEADER && !(f->left & ~port->takes));
	CHECK(f->len <= (f->left & (NET_TSO4 | NET_TSO6) ? NET_FRAME_MAX : ETH_FRAME_MAX));
	for (size_t i = 0; i < f->len; i++)
		sum += f->data[i];
	CHECK(sum <= f->len * 255);
}

static u64 seconds(void)
{
	return clock_now / 1000000000ul;
}

/* Lists of pages are read, sorted, and come to nothing: tests/fuzz/fuzz_guestmem.c has the rest. */
static enum status cannot_unmap(struct mmu *mmu, gpa_t gpa, u64 len)
{
	(void)mmu, (void)gpa, (void)len;
	return ERR_NOMEM;
}

static const struct mmu_ops stiff_ops = { .unmap = cannot_unmap };
static struct mmu stiff = { .ops = &stiff_ops };

static void command(struct stream *in)
{
	static const u8 sizes[] = { 1, 2, 4, 8 };
	unsigned size = sizes[byte(in) % 4], offset;

	switch (byte(in) % 10) {
	case 0:
	case 1: offset = byte(in) % 0x40, common(offset, size, number(in, size)); break;
	case 2: offset = (u32)number(in, 2) % 0x3ff8, common(offset, size, number(in, size)); break;
	case 3: (void)bus_read(&m.mmio, BAR + number(in, 2) % 0x3ff8, size); break;
	case 4:
		offset = byte(in) & ~3u;
		config_write(offset, MIN(size, 4u), number(in, MIN(size, 4u)));
		break;
	case 5: (void)config_read(byte(in) & ~3u, MIN(size, 4u)); break;
	case 6: {
		u64 value, at = number(in, 2) % AREA;

		value = number(in, size);
		(void)!guest_write(&gm, GPA(RINGS + at), &value, size);
		break;
	}
	case 7: kick(byte(in) % 10); break;
	case 8: start(number(in, 1) % 4 ? m.dev->offered & ~BIT(34) : number(in, 5)); break;
	default: {
		u32 type = byte(in);
		u64 sector = byte(in);

		request(type % 16, sector, (u32)number(in, 1) * 128, byte(in) & 1);
		clock_now += byte(in) * 10000000ul;
		timerq_run(&m.timers);
	}
	}
}

static void create_net(void)
{
	static const u8 mac[ETH_ADDR] = { 0 };

	switch_init(&m.sw, seconds);
	m.tap.receive = tapped;
	m.tap.takes = NET_CSUM | NET_TSO6;
	switch_join(&m.sw, &m.tap);
	CHECK(virtio_net_create(&m.net, "vm", 0, true, &gm, &m.timers, &m.sw, mac) == OK);
	m.dev = virtio_net_dev(m.net);
}

static void create_balloon(void)
{
	static const struct balloon_plan plan = { .step = { { MB, 1 }, { 0, 2 } }, .steps = 2 };

	CHECK(virtio_balloon_create(&m.balloon, "vm", true, &gm, &stiff, &m.timers, &plan) == OK);
	m.dev = virtio_balloon_dev(m.balloon);
}

static void create(enum kind kind)
{
	struct console_size size = { 80, 24 };
	struct blk_backend *b;

	memset(&m, 0, sizeof(m));
	m.kind = kind;
	timerq_init(&m.timers, 1000000000ul, now);
	if (kind == DISK) {
		CHECK(ramdisk_create(&b, base, BASE_SIZE, SECTORS * 512, false, "fuzz") == OK);
		CHECK(virtio_blk_create(&m.blk, "vm", 0, true, &gm, b) == OK);
		m.dev = virtio_blk_dev(m.blk);
	} else if (kind == ENTROPY) {
		CHECK(virtio_rng_create(&m.rng, "vm", true, &gm, &m.timers, source) == OK);
		m.dev = virtio_rng_dev(m.rng);
	} else if (kind >= CONSOLE && kind <= CONSOLE_HEARD) {
		CHECK(virtio_console_create(
			      &m.console, "vm", true, &gm, &m.timers, size, printed, NULL) == OK);
		m.dev = virtio_console_dev(m.console);
	} else if (kind >= BALLOON_GIVE) {
		create_balloon();
	} else {
		create_net();
	}
	reset_init(&m.reset, fire_reset, NULL);
	pci_init(&m.host, &m.pio, &m.mmio, &m.reset, set_gsi, msi, NULL);
	CHECK(bus_add(&m.pio, 0xcf8, 8, &pci_port_io, &m.host, "pci") == OK);
	CHECK(virtio_pci_attach(&m.v, m.dev, &m.host, SLOT) == OK);
}

static void destroy(void)
{
	if (m.blk)
		virtio_blk_destroy(m.blk);
	if (m.rng)
		virtio_rng_destroy(m.rng);
	if (m.console)
		virtio_console_destroy(m.console);
	if (m.net)
		virtio_net_destroy(m.net);
	if (m.balloon)
		virtio_balloon_destroy(m.balloon);
}

/* A driver that starts afresh has its first request answered. */
static void still_works(void)
{
	u16 used = 0;

	clock_now += 1000000000ul;
	start(BIT(32));
	CHECK(status() == 15);
	request(0, 0, m.kind == DISK ? 512 : 2000, m.kind != CONSOLE);
	if (m.kind == BALLOON_STATS) {
		clock_now += BALLOON_STATS_SECONDS * 1000000000ul;
		timerq_run(&m.timers);
	}
	/* Buffers for messages wait until there is one. */
	CHECK(guest_read(&gm, GPA(RINGS + DEVICE + 2), &used, 2) == OK);
	CHECK(used == (m.kind != CONSOLE_TOLD));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct stream in = { data, size };
	struct page_stats before, after;

	log_level = LOG_ERR;
	if (!gm.slots && guestmem_add(&gm, GPA(0), MEM) != OK)
		abort();
	page_stats(&before);
	create(byte(&in) % KINDS);
	while (in.left)
		command(&in);
	still_works();
	for (unsigned i = 0; i < BASE_SIZE; i++)
		CHECK(!base[i]);
	destroy();
	page_stats(&after);
	CHECK(!memcmp(&before, &after, sizeof(after)) && m.timers.next == TIMER_NEVER);
	return 0;
}
