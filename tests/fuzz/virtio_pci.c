/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio device behind its PCI registers, and its driver: see virtio_pci.h. */
#include <string.h>

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "hv/mem/page.h"
#include "virtio/pci.h"
#include "tests/fuzz/virtio_pci.h"

#define MEM	   4 * MB
#define RINGS	   0x10000ul
#define AREA	   0x8000ul
#define DRIVER	   0x1000ul
#define DEVICE	   0x2000ul
#define HEADER	   0x4000ul
#define DATA	   0x5000ul
#define SLOT	   1
#define DATA_BYTES 32
#define BAR	   0xc0000000ul
#define SIZE	   8
#define MODERN	   BIT(VIRTIO_F_VERSION_1)
#define ALL_SAID   15 /* the status of a driver that is ready */
#define SECOND	   1000000000ul

struct guestmem fuzz_memory;
struct timerq fuzz_timers;
u64 fuzz_clock;

static struct {
	const struct fuzz_queue *queue;
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct virtio_pci v;
	struct virtio_dev *dev;
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
	return fuzz_clock;
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

/* What firmware and a driver do, BARs included: they may have been moved over each other. */
static void start(u64 features)
{
	config_write(PCI_BASE_ADDRESS_1, 4, BAR + 0x10000);
	config_write(PCI_BASE_ADDRESS_2, 4, 0xc000);
	config_write(PCI_BASE_ADDRESS_0, 4, BAR);
	config_write(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	(void)!guest_zero(&fuzz_memory, GPA(RINGS), AREA);
	common(VIRTIO_PCI_COMMON_STATUS, 1, 0);
	common(VIRTIO_PCI_COMMON_STATUS, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		common(VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		common(VIRTIO_PCI_COMMON_GF, 4, features >> (32 * i));
	}
	common(VIRTIO_PCI_COMMON_STATUS, 1, 11);
	common(VIRTIO_PCI_COMMON_Q_SELECT, 2, m.queue->index);
	common(VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE);
	common(VIRTIO_PCI_COMMON_Q_DESCLO, 8, RINGS);
	common(VIRTIO_PCI_COMMON_Q_AVAILLO, 8, RINGS + DRIVER);
	common(VIRTIO_PCI_COMMON_Q_USEDLO, 8, RINGS + DEVICE);
	common(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	common(VIRTIO_PCI_COMMON_STATUS, 1, ALL_SAID);
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

	(void)!guest_write(&fuzz_memory, GPA(RINGS + i % SIZE * sizeof(d)), &d, sizeof(d));
}

/* A split chain: header, data, status. A queue of buffers to write has the last two. */
static void request(const u8 header[FUZZ_HEADER], u32 len, bool write, unsigned how)
{
	u16 head = m.avail % 2 * 3, place = (u16)(4 + m.avail % SIZE * 2);

	(void)!guest_write(&fuzz_memory, GPA(RINGS + HEADER), header, FUZZ_HEADER);
	write_desc(head, RINGS + HEADER, FUZZ_HEADER, 1, head + 1);
	write_desc(head + 1u, RINGS + DATA, len, (write ? 2 : 0) | 1, head + 2);
	write_desc(head + 2u, RINGS + HEADER + FUZZ_HEADER, 1, 2, 0);
	if (m.queue->in)
		head++;
	m.avail++;
	(void)!guest_write(&fuzz_memory, GPA(RINGS + DRIVER + place), &head, 2);
	(void)!guest_write(&fuzz_memory, GPA(RINGS + DRIVER + 2), &m.avail, 2);
	kick(m.queue->index);
	if (fuzz_device.event)
		fuzz_device.event(how);
}

static void take(struct stream *in, u8 *to, unsigned bytes)
{
	while (bytes--)
		*to++ = byte(in);
}

/* What follows the header: the rest of a frame, of a command. */
static void write_data(struct stream *in)
{
	u8 data[DATA_BYTES];
	unsigned at = byte(in);

	take(in, data, sizeof(data));
	(void)!guest_write(&fuzz_memory, GPA(RINGS + DATA + at), data, sizeof(data));
}

static void make_request(struct stream *in)
{
	u8 header[FUZZ_HEADER], len, write;

	if (fuzz_device.header)
		fuzz_device.header(in, header);
	else
		take(in, header, sizeof(header));
	len = byte(in);
	write = byte(in);
	request(header, len * 128u, write & 1, write >> 1);
}

static void pass(u64 time)
{
	fuzz_clock += time;
	timerq_run(&fuzz_timers);
}

static void command(struct stream *in)
{
	static const u8 sizes[] = { 1, 2, 4, 8 };
	unsigned size = sizes[byte(in) % 4], offset;

	switch (byte(in) % 12) {
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
		(void)!guest_write(&fuzz_memory, GPA(RINGS + at), &value, size);
		break;
	}
	case 7: kick(byte(in) % 10); break;
	case 8:
		start(number(in, 1) % 4 ? m.dev->offered & ~BIT(VIRTIO_F_RING_PACKED)
					: number(in, 5));
		break;
	case 9: write_data(in); break;
	case 10: pass(byte(in) * SECOND / 100); break;
	default: make_request(in);
	}
}

/* A driver that starts afresh has its first request answered. */
static void still_works(void)
{
	static const u8 header[FUZZ_HEADER];
	u16 used = 0;

	fuzz_clock += SECOND;
	start(MODERN | m.queue->features);
	CHECK(bus_read(&m.mmio, BAR + VIRTIO_PCI_COMMON_STATUS, 1) == ALL_SAID);
	request(header, 512, true, 0);
	pass(10 * SECOND);
	CHECK(guest_read(&fuzz_memory, GPA(RINGS + DEVICE + 2), &used, 2) == OK);
	CHECK(used == 1);
}

static void create(const struct fuzz_queue *queue)
{
	memset(&m, 0, sizeof(m));
	m.queue = queue;
	timerq_init(&fuzz_timers, SECOND, now);
	m.dev = fuzz_device.create();
	reset_init(&m.reset, fire_reset, NULL);
	pci_init(&m.host, &m.pio, &m.mmio, &m.reset, set_gsi, msi, NULL);
	CHECK(bus_add(&m.pio, 0xcf8, 8, &pci_port_io, &m.host, "pci") == OK);
	CHECK(virtio_pci_attach(&m.v, m.dev, &m.host, SLOT) == OK);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct stream in = { data, size };
	struct page_stats before, after;

	log_level = LOG_ERR;
	if (!fuzz_memory.slots && guestmem_add(&fuzz_memory, GPA(0), MEM) != OK)
		abort();
	page_stats(&before);
	create(&fuzz_device.queue[byte(&in) % fuzz_device.queues]);
	while (in.left)
		command(&in);
	still_works();
	if (fuzz_device.check)
		fuzz_device.check();
	fuzz_device.destroy();
	page_stats(&after);
	CHECK(!memcmp(&before, &after, sizeof(after)) && fuzz_timers.next == TIMER_NEVER);
	return 0;
}
