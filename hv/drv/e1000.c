/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000. Two rings of descriptors with a buffer of 2 KB each:
 *
 *        head (the card's)              tail (ours)
 *          v                              v
 *   [ .. | to be filled or sent | ...... | done, or free | .. ]
 *
 * The card works from head to tail, and marks what it has done (DD). Frames are copied once on each
 * way.
 *
 * Interrupts are for the first frames after a pause. Where they come in close succession they are
 * masked, and the ring is looked at by a timer, until a look finds nothing: a stream then costs an
 * interruption now and then, not one a frame. So it is where frames come as fast as they are
 * handled, and one interrupt would have no end. Reading the cause register clears it and takes the
 * interrupt line back, so that a line that is wired as edge-triggered works, too.
 */
#include "hv/drv/e1000.h"

#include <linux/pci_regs.h>

#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/hostmap.h"
#include "hv/mem/page.h"

/* "Register Descriptions" */
#define CTRL   0x0000u
#define STATUS 0x0008u
#define EERD   0x0014u
#define ICR    0x00c0u
#define ITR    0x00c4u
#define IMS    0x00d0u
#define IMC    0x00d8u
#define RCTL   0x0100u
#define TCTL   0x0400u
#define TIPG   0x0410u
#define RDBAL  0x2800u
#define TDBAL  0x3800u
#define RAL    0x5400u
#define RAH    0x5404u
#define MTA    0x5200u
#define END    0x20000u /* of the registers */

/* From RDBAL, and from TDBAL */
#define RING_HIGH 0x04u
#define RING_LEN  0x08u
#define RING_HEAD 0x10u
#define RING_TAIL 0x18u

#define CTRL_ASDE BIT(5)
#define CTRL_SLU  BIT(6)
#define CTRL_RST  BIT(26)

#define STATUS_LU BIT(1)

/* "EEPROM Read Register", "Software Accessed Words" */
#define EERD_START   BIT(0)
#define EERD_DONE    BIT(4)
#define EERD_ADDRESS 8
#define EERD_DATA    16
#define EEPROM_WORDS 64u
#define EEPROM_SUM   0xbabau /* of all its words */

#define INT_LSC	   BIT(2) /* the link has changed */
#define INT_RXDMT0 BIT(4) /* few receive descriptors are left */
#define INT_RXO	   BIT(6) /* none were left */
#define INT_RXT0   BIT(7) /* frames have come */
#define INT_OURS   (INT_LSC | INT_RXDMT0 | INT_RXO | INT_RXT0)

#define RCTL_EN	   BIT(1)
#define RCTL_UPE   BIT(3) /* all addresses: the switch behind us knows whose they are */
#define RCTL_MPE   BIT(4)
#define RCTL_BAM   BIT(15)
#define RCTL_SECRC BIT(26) /* without the checksum; buffers of 2 KB, by default */

#define TCTL_EN	  BIT(1)
#define TCTL_PSP  BIT(3)
#define TCTL_CT	  (0x10u << 4)
#define TCTL_COLD (0x40u << 12)

#define TIPG_COPPER (10u | 8u << 10 | 6u << 20)
#define ITR_UNITS   500u /* of 256 ns: at most 7,800 interrupts a second, where the card can */

#define RAH_VALID BIT(31)
#define MTA_WORDS 128u

struct descriptor {
	u64 address;
	u16 length;
	u8 checksum_offset; /* receive: half of the checksum; not used */
	u8 command;
	u8 status;
	u8 errors; /* transmit: not used */
	u16 special;
};
static_assert(sizeof(struct descriptor) == 16, "as the card reads it");

#define DESC_DD	 BIT(0)
#define DESC_EOP BIT(1)
#define CMD_EOP	 BIT(0)
#define CMD_IFCS BIT(1)
#define CMD_RS	 BIT(3)

#define RING	   256u
#define BUFFER	   2048u
#define RING_ORDER page_order(RING * sizeof(struct descriptor))
#define DATA_ORDER page_order(RING *BUFFER)
#define POLL_HZ	   1000u
#define ROUNDS	   4u	   /* round the ring, at one interrupt or look */
#define TRIES	   100000u /* reads of a register: far more than the microseconds that it takes */
#define NO_LINE	   0xffu

#define VENDOR_INTEL   0x8086u
#define DEVICE_82540EM 0x100eu

struct ring {
	struct descriptor *desc;
	u8 *data;
	u32 base; /* of its registers */
	u32 next; /* ours: the next to look at, or to fill */
};

struct e1000 {
	struct nic nic;
	struct e1000_io io;
	struct timerq *tq;
	struct timer poll;
	bool by_timer; /* always */
	u64 last;      /* interrupt */
	bool up;
	struct ring rx, tx;
};

static struct e1000 *e1000_of(struct nic *n)
{
	return container_of(n, struct e1000, nic);
}

static u32 reg_read(const struct e1000 *e, u32 offset)
{
	return e->io.read(e->io.ctx, offset);
}

static void reg_write(const struct e1000 *e, u32 offset, u32 value)
{
	e->io.write(e->io.ctx, offset, value);
}

static u32 following(u32 i)
{
	return (i + 1) % RING;
}

/* ---- receiving ---- */

/* A frame in one buffer, without errors. What is longer than a buffer is none of ours. */
static void receive(struct e1000 *e, const struct descriptor *d, const u8 *data)
{
	if (!(d->status & DESC_EOP) || d->errors || d->length < NIC_FRAME_MIN ||
		d->length > NIC_FRAME_MAX) {
		e->nic.lost++;
		return;
	}
	e->nic.received++;
	e->nic.user.receive(e->nic.user.ctx, data, d->length);
}

/* At most a ring at once: a flood of frames does not keep the machine here. Returns how many. */
static u32 receive_all(struct e1000 *e)
{
	struct ring *r = &e->rx;
	u32 n = 0;

	for (; n < RING && (READ_ONCE(r->desc[r->next].status) & DESC_DD); n++) {
		struct descriptor d = r->desc[r->next];

		receive(e, &d, r->data + r->next * BUFFER);
		r->desc[r->next].status = 0;
		r->next = following(r->next);
	}
	/* One is kept back: head and tail at the same place would mean that none is free. */
	if (n)
		reg_write(e, r->base + RING_TAIL, (r->next + RING - 1) % RING);
	return n;
}

static bool e1000_link(struct nic *n)
{
	return reg_read(e1000_of(n), STATUS) & STATUS_LU;
}

static void look_at_link(struct e1000 *e)
{
	bool up = e1000_link(&e->nic);

	if (up == e->up)
		return;
	e->up = up;
	log_info("e1000: the link is %s", up ? "up" : "down");
	e->nic.user.link(e->nic.user.ctx, up);
}

/* What there is to do, for some rounds. *frames: how many have come. False: there may be more. */
static bool handle(struct e1000 *e, u32 *frames)
{
	*frames = 0;
	for (u32 i = 0; i < ROUNDS; i++) {
		u32 cause = reg_read(e, ICR) & INT_OURS;

		if (!cause)
			return true;
		if (cause & INT_LSC)
			look_at_link(e);
		*frames += receive_all(e);
	}
	return false;
}

static void look_later(struct e1000 *e, u64 now)
{
	timer_arm(e->tq, &e->poll, now + e->tq->hz / POLL_HZ);
}

static void interrupt(void *ctx)
{
	struct e1000 *e = ctx;
	u64 now = timerq_now(e->tq), before = e->last;
	u32 frames;
	bool all;

	e->nic.interrupts++;
	e->last = now;
	all = handle(e, &frames);
	if ((all && now - before >= e->tq->hz / POLL_HZ) || timer_armed(&e->poll))
		return;
	reg_write(e, IMC, UINT32_MAX);
	look_later(e, now);
}

static void poll(struct timer *t)
{
	struct e1000 *e = container_of(t, struct e1000, poll);
	u32 frames;
	bool all = handle(e, &frames);

	if (e->by_timer)
		look_at_link(e);
	frames += receive_all(e);
	/* What comes from now on raises the line as soon as it is let through. */
	if (frames || !all || e->by_timer)
		look_later(e, timerq_now(e->tq));
	else
		reg_write(e, IMS, (u32)INT_OURS);
}

/* ---- sending ---- */

static bool e1000_send(struct nic *n, const void *frame, size_t len)
{
	struct e1000 *e = e1000_of(n);
	struct ring *r = &e->tx;
	struct descriptor *d = &r->desc[r->next];

	/* All have the mark from the start. One is kept free: a tail that has come round to the
	 * head would say that there is nothing to send. */
	if (len < NIC_FRAME_MIN || len > NIC_FRAME_MAX ||
		!(READ_ONCE(r->desc[following(r->next)].status) & DESC_DD)) {
		n->lost++;
		return false;
	}
	memcpy(r->data + r->next * BUFFER, frame, len);
	d->length = (u16)len;
	d->command = (u8)(CMD_EOP | CMD_IFCS | CMD_RS);
	d->status = 0;
	r->next = following(r->next);
	barrier();
	reg_write(e, r->base + RING_TAIL, r->next);
	n->sent++;
	return true;
}

/* ---- life ---- */

static enum status ring_create(struct ring *r, u32 base, u8 status)
{
	r->base = base;
	r->desc = page_alloc(RING_ORDER, PAGE_HV);
	r->data = page_alloc(DATA_ORDER, PAGE_HV);
	if (!r->desc || !r->data)
		return ERR_NOMEM;
	for (u32 i = 0; i < RING; i++)
		r->desc[i] = (struct descriptor){ .address = hva_to_hpa(r->data + i * BUFFER).v,
			.status = status };
	return OK;
}

static void ring_destroy(struct ring *r)
{
	if (r->desc)
		page_free(r->desc, RING_ORDER, PAGE_HV);
	if (r->data)
		page_free(r->data, DATA_ORDER, PAGE_HV);
	*r = (struct ring){ 0 };
}

static void ring_tell(const struct e1000 *e, const struct ring *r, u32 tail)
{
	u64 at = hva_to_hpa(r->desc).v;

	reg_write(e, r->base, (u32)at);
	reg_write(e, r->base + RING_HIGH, (u32)(at >> 32));
	reg_write(e, r->base + RING_LEN, RING * sizeof(struct descriptor));
	reg_write(e, r->base + RING_HEAD, 0);
	reg_write(e, r->base + RING_TAIL, tail);
}

static enum status e1000_start(struct nic *n)
{
	struct e1000 *e = e1000_of(n);

	for (u32 i = 0; i < MTA_WORDS; i++)
		reg_write(e, MTA + i * (u32)sizeof(u32), 0);
	ring_tell(e, &e->rx, RING - 1);
	ring_tell(e, &e->tx, 0);
	reg_write(e, TIPG, TIPG_COPPER);
	reg_write(e, TCTL, (u32)(TCTL_EN | TCTL_PSP) | TCTL_CT | TCTL_COLD);
	reg_write(e, RCTL, (u32)(RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM | RCTL_SECRC));
	reg_write(e, ITR, ITR_UNITS);
	e->up = e1000_link(n);
	if (e->by_timer)
		timer_arm(e->tq, &e->poll, timerq_now(e->tq));
	else
		reg_write(e, IMS, (u32)INT_OURS);
	return OK;
}

static const struct nic_ops e1000_ops = {
	.name = "e1000",
	.start = e1000_start,
	.send = e1000_send,
	.link = e1000_link,
};

/* Reads a register until the bits are set, or clear. */
static bool wait_for(const struct e1000 *e, u32 offset, u64 bits, bool set)
{
	for (u32 i = 0; i < TRIES; i++)
		if (!(reg_read(e, offset) & bits) != set)
			return true;
	return false;
}

static bool read_eeprom(const struct e1000 *e, u16 word[EEPROM_WORDS])
{
	u16 sum = 0;

	for (u32 i = 0; i < EEPROM_WORDS; i++) {
		reg_write(e, EERD, i << EERD_ADDRESS | (u32)EERD_START);
		if (!wait_for(e, EERD, EERD_DONE, true))
			return false;
		word[i] = (u16)(reg_read(e, EERD) >> EERD_DATA);
		sum = (u16)(sum + word[i]);
	}
	return sum == EEPROM_SUM;
}

/* Silent, with the address that its EEPROM holds in its first words. */
static bool reset(struct e1000 *e)
{
	u16 word[EEPROM_WORDS];

	reg_write(e, IMC, UINT32_MAX);
	reg_write(e, RCTL, 0);
	reg_write(e, TCTL, 0);
	reg_write(e, CTRL, reg_read(e, CTRL) | (u32)CTRL_RST);
	if (!wait_for(e, CTRL, CTRL_RST, false) || !read_eeprom(e, word))
		return false;
	reg_write(e, IMC, UINT32_MAX);
	reg_read(e, ICR);
	reg_write(e, CTRL, reg_read(e, CTRL) | (u32)(CTRL_SLU | CTRL_ASDE));
	memcpy(e->nic.mac, word, NIC_ADDR);
	reg_write(e, RAL, word[0] | (u32)word[1] << 16);
	reg_write(e, RAH, word[2] | (u32)RAH_VALID);
	return true;
}

#define ORDER page_order(sizeof(struct e1000))

enum status e1000_create(struct nic **out, const struct e1000_io *io, struct timerq *tq,
	unsigned irq_line, e1000_irq_fn irq)
{
	struct e1000 *e = page_alloc(ORDER, PAGE_HV);
	enum status s;

	if (!e)
		return ERR_NOMEM;
	e->nic.ops = &e1000_ops;
	e->io = *io;
	e->tq = tq;
	timer_init(&e->poll, poll);
	s = reset(e) ? ring_create(&e->rx, RDBAL, 0) : ERR_NOTSUP;
	if (s == OK)
		s = ring_create(&e->tx, TDBAL, DESC_DD);
	if (s != OK) {
		ring_destroy(&e->rx);
		ring_destroy(&e->tx);
		page_free(e, ORDER, PAGE_HV);
		return s;
	}
	e->by_timer = irq_line >= NO_LINE || irq(irq_line, interrupt, e) != OK;
	*out = &e->nic;
	return OK;
}

void e1000_destroy(struct nic *n)
{
	struct e1000 *e = e1000_of(n);

	reset(e);
	timer_cancel(e->tq, &e->poll);
	ring_destroy(&e->rx);
	ring_destroy(&e->tx);
	page_free(e, ORDER, PAGE_HV);
}

/* ---- on the PCI bus ---- */

static u32 mmio_read(void *ctx, u32 offset)
{
	return *(volatile u32 *)((u8 *)ctx + offset);
}

static void mmio_write(void *ctx, u32 offset, u32 value)
{
	*(volatile u32 *)((u8 *)ctx + offset) = value;
}

bool e1000_attach(const struct pci_function *f, struct timerq *tq, e1000_irq_fn irq)
{
	struct e1000_io io = { mmio_read, mmio_write, NULL };
	struct nic *n;
	hpa_t regs;
	enum status s;

	if (f->vendor != VENDOR_INTEL || f->device != DEVICE_82540EM)
		return false;
	if (!pci_fn_mem_bar(f, 0, &regs)) {
		log_warn("e1000: firmware has given the card no address");
		return true;
	}
	pci_fn_enable(f, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	io.ctx = mmio_map(regs, END);
	s = e1000_create(&n, &io, tq, pci_fn_read(f, PCI_INTERRUPT_LINE, 1), irq);
	if (s == OK)
		nic_register(n);
	else
		log_warn("e1000: the card at %02x:%02x.%u %s", f->bus, f->slot, f->function,
			s == ERR_NOMEM ? "finds no memory" : "does not answer, or has no address");
	return true;
}
