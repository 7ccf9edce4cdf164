/* SPDX-License-Identifier: BSD-2-Clause */
/* The NE2000: registers, the data port, the ring for receiving. */
#include "hv/dev/ne2000.h"

#include "hv/lib/string.h"

#define PCI_VENDOR_REALTEK 0x10ecu
#define PCI_DEVICE_8029	   0x8029u
#define CLASS_ETHERNET	   0x020000u

#define PAGE	   256u
#define PAGE_FIRST (NE_MEMORY / PAGE)
#define PAGE_END   ((NE_MEMORY + NE_BUFFERS) / PAGE)
#define DATA_PORT  0x10u
#define RESET_PORT 0x18u
#define FLOATING   0xffu
#define PROM_MARK  0x57u /* behind the address: a card of 16 bits */
#define MISSED_MAX 192u
#define FRAME_MIN  60u /* on the wire, without the checksum */
#define CRC_LEN	   4u
#define HIGH_BYTE  8u
#define BYTE	   0xffu

/* The command register, in every page. */
#define COMMAND	     0u
#define CR_STOP	     0x01u
#define CR_START     0x02u
#define CR_SEND	     0x04u
#define CR_DMA	     0x38u
#define CR_DMA_READ  0x08u
#define CR_DMA_WRITE 0x10u
#define CR_DMA_NONE  0x20u
#define CR_PAGE(cr)  ((cr) >> 6)

/* Page 0; where reading and writing differ, both. */
enum {
	PSTART = 1,
	PSTOP = 2,
	BNRY = 3,
	TSR = 4,
	TPSR = 4,
	TBCR0 = 5,
	TBCR1 = 6,
	ISR = 7,
	RSAR0 = 8,
	RSAR1 = 9,
	RBCR0 = 10,
	RBCR1 = 11,
	RSR = 12,
	RCR = 12,
	TCR = 13,
	DCR = 14,
	MISSED = 15,
	IMR = 15
};

/* Page 1 */
#define PAR  1u
#define CURR 7u
#define MAR  8u

#define ISR_RECEIVED  0x01u
#define ISR_SENT      0x02u
#define ISR_SEND_FAIL 0x08u
#define ISR_OVERWRITE 0x10u
#define ISR_COUNTER   0x20u
#define ISR_DMA_DONE  0x40u
#define ISR_RESET     0x80u /* a state, without an interrupt */
#define TSR_SENT      0x01u
#define TSR_ABORTED   0x08u
#define RSR_GOOD      0x01u
#define RSR_GROUP     0x20u
#define RCR_BROADCAST 0x04u
#define RCR_GROUPS    0x08u
#define RCR_ALL	      0x10u
#define RCR_MONITOR   0x20u
#define TCR_LOOPBACK  0x06u
#define DCR_WORDS     0x01u
#define MISSED_ALARM  0x80u

/* In front of each frame in the ring. */
struct ring_header {
	u8 status, next;
	u16 count; /* bytes of frame and checksum */
};
static_assert(sizeof(struct ring_header) == 4, "as in the card's memory");

static void update_line(struct ne2000 *n)
{
	bool line = (n->isr & n->page0[IMR] & (u8)~ISR_RESET) != 0;

	n->count.interrupts += line && !n->line;
	n->line = line;
	pci_set_intx(&n->pci, line);
}

static void raise(struct ne2000 *n, u32 bits)
{
	n->isr |= (u8)bits;
	update_line(n);
}

/* ---- receiving ---- */

/* The ring is where the driver says, if that is in the buffers, and so is its current page. */
static bool ring_is_sound(const struct ne2000 *n)
{
	u32 first = n->page0[PSTART], end = n->page0[PSTOP], current = n->page1[CURR];

	return first >= PAGE_FIRST && end <= PAGE_END && first < end && current >= first &&
	       current < end;
}

/*
 * Pages from the current one to the boundary, which the driver has not read yet. The card would
 * notice only that it comes across the boundary: one that is not in the ring, as Linux sets it in
 * front of the first page, is no limit.
 */
static u32 ring_room(const struct ne2000 *n)
{
	u32 first = n->page0[PSTART], pages = n->page0[PSTOP] - first;
	u32 boundary = n->page0[BNRY];

	if (boundary < first || boundary >= first + pages)
		return pages;
	return pages - (n->page1[CURR] + pages - boundary) % pages;
}

/* Copies into a sound ring from *at on. */
static void ring_write(struct ne2000 *n, u32 *at, const void *from, size_t len)
{
	u32 end = n->page0[PSTOP] * PAGE;
	const u8 *p = from;

	while (len) {
		size_t some = MIN(len, (size_t)(end - *at));

		memcpy(&n->buffer[*at - NE_MEMORY], p, some);
		p += some;
		len -= some;
		*at += (u32)some;
		if (*at == end)
			*at = n->page0[PSTART] * PAGE;
	}
}

/* The CRC of Ethernet, whose upper six bits number one of the 64 bits of the filter. */
static bool in_group_filter(const struct ne2000 *n, const u8 *addr)
{
	u32 crc = UINT32_MAX;

	for (unsigned i = 0; i < ETH_ADDR; i++)
		for (u32 bits = addr[i], k = 0; k < 8; k++, bits >>= 1)
			crc = crc << 1 ^ (((crc >> 31) ^ bits) & 1 ? 0x04c11db7u : 0);
	crc >>= 26;
	return n->page1[MAR + crc / 8] >> (crc % 8) & 1;
}

static bool wants(const struct ne2000 *n, const u8 *to)
{
	static const u8 everybody[ETH_ADDR] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	u32 mode = n->page0[RCR];

	if ((n->command & (CR_STOP | CR_START)) != CR_START || (mode & RCR_MONITOR) ||
		(n->page0[TCR] & TCR_LOOPBACK))
		return false;
	if (mode & RCR_ALL)
		return true;
	if (!memcmp(to, everybody, ETH_ADDR))
		return mode & RCR_BROADCAST;
	if (eth_is_group(to))
		return (mode & RCR_GROUPS) && in_group_filter(n, to);
	return !memcmp(to, &n->page1[PAR], ETH_ADDR);
}

static void miss(struct ne2000 *n)
{
	n->count.missed++;
	if (n->missed < MISSED_MAX)
		n->missed++;
	raise(n, ISR_OVERWRITE | (n->missed & MISSED_ALARM ? ISR_COUNTER : 0));
}

static void receive(struct switch_port *p, const struct net_frame *f)
{
	static const u8 padding[FRAME_MIN];
	struct ne2000 *n = container_of(p, struct ne2000, port);
	size_t pad = f->len < FRAME_MIN ? FRAME_MIN - f->len : 0;
	size_t count = f->len + pad + CRC_LEN;
	u32 pages = (u32)ALIGN_UP(sizeof(struct ring_header) + count, PAGE) / PAGE, at, next;
	struct ring_header h;

	if (!wants(n, f->data))
		return;
	/* The current page never catches up with the boundary: that would be an empty ring. */
	if (!ring_is_sound(n) || pages >= ring_room(n)) {
		miss(n);
		return;
	}
	next = n->page1[CURR] + pages;
	if (next >= n->page0[PSTOP])
		next -= (u32)(n->page0[PSTOP] - n->page0[PSTART]);
	n->rsr = (u8)(RSR_GOOD | (eth_is_group(f->data) ? RSR_GROUP : 0));
	h = (struct ring_header){ .status = n->rsr, .next = (u8)next, .count = (u16)count };
	at = n->page1[CURR] * PAGE;
	ring_write(n, &at, &h, sizeof(h));
	ring_write(n, &at, f->data, f->len);
	ring_write(n, &at, padding, pad);
	n->page1[CURR] = (u8)next;
	n->count.received++;
	raise(n, ISR_RECEIVED);
}

/* ---- sending ---- */

static void send(struct ne2000 *n)
{
	u32 from = n->page0[TPSR] * PAGE, len = n->page0[TBCR0] | n->page0[TBCR1] << HIGH_BYTE;
	bool inside = from >= NE_MEMORY && from + len <= NE_MEMORY + NE_BUFFERS;
	struct net_frame f = { .data = n->buffer + (inside ? from - NE_MEMORY : 0), .len = len };

	if (!inside || !net_frame_check(&f)) {
		n->count.refused++;
		n->tsr = TSR_ABORTED;
		raise(n, ISR_SEND_FAIL);
		return;
	}
	if (!(n->page0[TCR] & TCR_LOOPBACK)) {
		n->count.sent++;
		switch_send(n->sw, &n->port, &f);
	}
	n->tsr = TSR_SENT;
	raise(n, ISR_SENT);
}

/* ---- the data port ---- */

/* A byte of the card's memory, or NULL. */
static u8 *memory(struct ne2000 *n, u32 at, bool write)
{
	if (at < NE_PROM)
		return write ? NULL : &n->prom[at];
	if (at >= NE_MEMORY && at < NE_MEMORY + NE_BUFFERS)
		return &n->buffer[at - NE_MEMORY];
	return NULL;
}

/* One byte on; at the end of the ring, to its start. */
static void advance(struct ne2000 *n)
{
	n->at++;
	if (n->at == n->page0[PSTOP] * PAGE)
		n->at = (u16)(n->page0[PSTART] * PAGE);
	n->left--;
	if (!n->left)
		raise(n, ISR_DMA_DONE);
}

/* With 16 bits a byte access takes a word, too. */
static unsigned bytes_of(const struct ne2000 *n, unsigned size)
{
	return size == 1 && (n->page0[DCR] & DCR_WORDS) ? sizeof(u16) : size;
}

static u64 data_read(struct ne2000 *n, unsigned size)
{
	u64 value = 0;

	for (unsigned i = 0; i < bytes_of(n, size); i++) {
		bool on = (n->command & CR_DMA) == CR_DMA_READ && n->left;
		const u8 *byte = on ? memory(n, n->at, false) : NULL;

		value |= (u64)(byte ? *byte : FLOATING) << (i * BITS_PER_BYTE);
		if (on)
			advance(n);
	}
	return value;
}

static void data_write(struct ne2000 *n, unsigned size, u64 value)
{
	for (unsigned i = 0; i < bytes_of(n, size); i++) {
		u8 *byte;

		if ((n->command & CR_DMA) != CR_DMA_WRITE || !n->left)
			return;
		byte = memory(n, n->at, true);
		if (byte)
			*byte = (u8)(value >> (i * BITS_PER_BYTE));
		advance(n);
	}
}

/* ---- registers ---- */

static void stop(struct ne2000 *n)
{
	n->command = CR_STOP | CR_DMA_NONE;
	n->left = 0;
	raise(n, ISR_RESET);
}

static void write_command(struct ne2000 *n, u8 value)
{
	u32 dma = value & CR_DMA;

	n->command = value & (u8)~CR_SEND;
	if (value & CR_STOP) {
		raise(n, ISR_RESET);
		return;
	}
	if (value & CR_START)
		n->isr &= (u8)~ISR_RESET;
	if ((dma == CR_DMA_READ || dma == CR_DMA_WRITE) && !n->left)
		raise(n, ISR_DMA_DONE);
	if ((value & (CR_START | CR_SEND)) == (CR_START | CR_SEND))
		send(n);
}

static void write_page0(struct ne2000 *n, unsigned reg, u8 value)
{
	if (reg == ISR) {
		n->isr &= (u8) ~(value & (u8)~ISR_RESET);
		update_line(n);
		return;
	}
	n->page0[reg] = value;
	if (reg == RSAR0 || reg == RSAR1)
		n->at = (u16)(n->page0[RSAR0] | n->page0[RSAR1] << HIGH_BYTE);
	if (reg == RBCR0 || reg == RBCR1)
		n->left = (u16)(n->page0[RBCR0] | n->page0[RBCR1] << HIGH_BYTE);
	if (reg == IMR)
		update_line(n);
}

static u8 read_missed(struct ne2000 *n)
{
	u8 value = n->missed;

	n->missed = 0;
	return value;
}

static u8 read_page0(struct ne2000 *n, unsigned reg)
{
	switch (reg) {
	case BNRY: return n->page0[BNRY];
	case TSR: return n->tsr;
	case ISR: return n->isr;
	case RSAR0: return (u8)(n->at & BYTE);
	case RSAR1: return (u8)(n->at >> HIGH_BYTE);
	case RBCR0: return 'P'; /* the 8029's signature */
	case RBCR1: return 'C';
	case RSR: return n->rsr;
	case MISSED: return read_missed(n);
	default: return 0; /* no collisions, no errors on this wire */
	}
}

static u8 get(void *dev, u64 offset)
{
	struct ne2000 *n = dev;

	if (offset == COMMAND)
		return n->command;
	if (offset >= RESET_PORT) {
		stop(n);
		return FLOATING;
	}
	if (offset >= NE_REGS)
		return FLOATING;
	switch (CR_PAGE(n->command)) {
	case 0: return read_page0(n, (unsigned)offset);
	case 1: return n->page1[offset];
	case 2: return n->page0[offset];
	default: return 0; /* RealTek's own: configuration, of which there is none */
	}
}

static void put(void *dev, u64 offset, u8 value)
{
	struct ne2000 *n = dev;

	if (offset == COMMAND)
		write_command(n, value);
	else if (offset >= NE_REGS)
		return;
	else if (CR_PAGE(n->command) == 0)
		write_page0(n, (unsigned)offset, value);
	else if (CR_PAGE(n->command) == 1)
		n->page1[offset] = value;
}

/* The data port is eight ports wide, and any access that begins there is for it. */
static bool is_data(u64 offset)
{
	return offset >= DATA_PORT && offset < RESET_PORT;
}

static u64 io_read(void *dev, u64 offset, unsigned size)
{
	return is_data(offset) ? data_read(dev, size) : bytewise_read(get, dev, offset, size);
}

static void io_write(void *dev, u64 offset, unsigned size, u64 value)
{
	if (is_data(offset))
		data_write(dev, size, value);
	else
		bytewise_write(put, dev, offset, size, value);
}

static const struct io_ops ne2000_io = { .read = io_read, .write = io_write };

/* ---- making ---- */

void ne2000_reset(struct ne2000 *n)
{
	memset(n->page0, 0, sizeof(n->page0));
	memset(n->page1, 0, sizeof(n->page1));
	memset(n->buffer, 0, sizeof(n->buffer));
	n->isr = n->tsr = n->rsr = n->missed = 0;
	n->at = 0;
	stop(n);
}

void ne2000_init(struct ne2000 *n, struct net_switch *sw, const u8 mac[ETH_ADDR])
{
	static const struct pci_id id = { .vendor = PCI_VENDOR_REALTEK,
		.device = PCI_DEVICE_8029,
		.class_code = CLASS_ETHERNET,
		.intx = true };

	memset(n, 0, sizeof(*n));
	n->sw = sw;
	n->port.receive = receive;
	memset(n->prom, PROM_MARK, sizeof(n->prom));
	for (unsigned i = 0; i < ETH_ADDR; i++)
		n->prom[2 * i] = n->prom[2 * i + 1] = mac[i];
	pci_dev_init(&n->pci, "ne2000", &id);
	pci_dev_bar(&n->pci, 0, PCI_BAR_IO, NE_PORTS, &ne2000_io, n);
}

enum status ne2000_attach(struct ne2000 *n, struct pci_host *h, unsigned slot)
{
	enum status s = pci_attach(h, &n->pci, slot);

	if (s != OK)
		return s;
	ne2000_reset(n);
	switch_join(n->sw, &n->port);
	return OK;
}

void ne2000_destroy(struct ne2000 *n)
{
	if (n->port.node.next)
		switch_leave(n->sw, &n->port);
}
