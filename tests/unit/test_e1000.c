/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000 against a card that follows the manual's words: rings that wrap and fill up, frames that
 * are too long, in pieces or damaged, the link, a machine without an interrupt line, a card that
 * does not answer; and the uplink over it.
 *
 * Sources: hv/drv/e1000.c hv/drv/nic.c hv/cpu/timer.c hv/net/uplink.c hv/net/switch.c
 * Sources: hv/net/frame.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/drv/e1000.h"
#include "hv/mem/hostmap.h"
#include "hv/mem/page.h"
#include "tests/unit/clock.h"
#include "tests/unit/host.h"
#include "hv/net/uplink.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define HZ	   1000000000ul
#define SLOTS	   256u

/* As the manual numbers them. */
enum {
	CTRL = 0x0,
	STATUS = 0x8,
	EERD = 0x14,
	ICR = 0xc0,
	IMS = 0xd0,
	IMC = 0xd8,
	RCTL = 0x100,
	TCTL = 0x400,
	RD = 0x2800,
	TD = 0x3800,
	LEN = 8,
	HEAD = 0x10,
	TAIL = 0x18,
	RAL = 0x5400,
	RAH = 0x5404
};

struct desc {
	u64 addr;
	u16 len, csum;
	u8 status, errors;
	u16 special;
};

struct tx_desc {
	u64 addr;
	u16 len;
	u8 cso, cmd, status, css;
	u16 special;
};

static struct {
	u32 reg[0x20000 / 4];
	u16 eeprom[64];
	bool dead, hold; /* hold: does not send just now */
	u32 cause, mask;
	u8 sent[4096];
	size_t sent_len;
	unsigned sents;
	void (*handler)(void *ctx);
	void *handler_ctx;
	struct nic *nic;
	struct timerq timers;
	u8 got[4096];
	size_t got_len;
	unsigned gots, links;
	unsigned flood; /* so many frames come, each when the card was asked what has come */
	bool link_up;
} c;

/* Not called: the card is behind functions here. */
void *mmio_map(hpa_t pa, u64 len)
{
	(void)pa, (void)len;
	return NULL;
}

u32 pci_fn_read(const struct pci_function *f, unsigned offset, unsigned size)
{
	(void)f, (void)offset, (void)size;
	return 0;
}

bool pci_fn_mem_bar(const struct pci_function *f, unsigned bar, hpa_t *address)
{
	(void)f, (void)bar, (void)address;
	return false;
}

void pci_fn_enable(const struct pci_function *f, u16 bits)
{
	(void)f, (void)bits;
}

/* After a pause: it is an interrupt, not the middle of a stream. */
static void raise(u32 cause)
{
	clock_now += HZ / 100;
	timerq_run(&c.timers);
	c.cause |= cause;
	if ((c.cause & c.mask) && c.handler)
		c.handler(c.handler_ctx);
}

static void card_transmit(void)
{
	while (!c.hold && (c.reg[TCTL / 4] & 2) &&
		c.reg[(TD + HEAD) / 4] != c.reg[(TD + TAIL) / 4]) {
		struct tx_desc *ring = (void *)(c.reg[TD / 4] | (u64)c.reg[TD / 4 + 1] << 32);
		struct tx_desc *d = &ring[c.reg[(TD + HEAD) / 4]];

		assert_int_equal(d->cmd, 0x0b); /* one buffer, with a checksum, to be reported */
		assert_in_range(d->len, 14, 1518);
		memcpy(c.sent, (void *)d->addr, d->len);
		c.sent_len = d->len;
		c.sents++;
		d->status |= 1;
		c.reg[(TD + HEAD) / 4] =
			(c.reg[(TD + HEAD) / 4] + 1) % (c.reg[(TD + LEN) / 4] / 16);
	}
}

static bool card_receive(const void *data, size_t len, u8 errors);

static u32 card_read(void *ctx, u32 offset)
{
	static const u8 more[60];
	u32 value = c.reg[offset / 4];

	assert_ptr_equal(ctx, &c);
	if (c.dead)
		return ~0u;
	if (offset == ICR) {
		value = c.cause;
		c.cause = 0;
		if (c.flood) {
			c.flood--;
			card_receive(more, sizeof(more), 0);
			c.cause = 1 << 7;
		}
	}
	return value;
}

static void card_write(void *ctx, u32 offset, u32 value)
{
	assert_ptr_equal(ctx, &c);
	assert_in_range(offset, 0, sizeof(c.reg) - 4);
	c.reg[offset / 4] = value;
	switch (offset) {
	case CTRL:
		if (value & 1u << 26)
			c.reg[RCTL / 4] = c.reg[TCTL / 4] = 0;
		c.reg[CTRL / 4] &= ~(1u << 26);
		break;
	case EERD:
		assert_in_range(value >> 8, 0, 63);
		c.reg[EERD / 4] = (u32)c.eeprom[value >> 8 & 63] << 16 | (value & 1 ? 0x10 : 0);
		break;
	case IMS: c.mask |= value; break;
	case IMC: c.mask &= ~value; break;
	case TD + TAIL: card_transmit(); break;
	default: break;
	}
}

/* From the wire, in buffers of 2 KB. False: the card had none. */
static bool card_receive(const void *data, size_t len, u8 errors)
{
	struct desc *ring = (void *)(c.reg[RD / 4] | (u64)c.reg[RD / 4 + 1] << 32);
	u32 n = c.reg[(RD + LEN) / 4] / 16;

	assert_true(c.reg[RCTL / 4] & 2);
	for (size_t at = 0, piece; at < len || !at; at += piece) {
		struct desc *d = &ring[c.reg[(RD + HEAD) / 4]];

		if (c.reg[(RD + HEAD) / 4] == c.reg[(RD + TAIL) / 4]) {
			raise(1 << 6);
			return false;
		}
		piece = MIN(len - at, 2048ul);
		memcpy((void *)d->addr, (const u8 *)data + at, piece);
		d->len = (u16)piece;
		d->errors = errors;
		d->status = at + piece == len ? 3 : 1;
		c.reg[(RD + HEAD) / 4] = (c.reg[(RD + HEAD) / 4] + 1) % n;
		if (!piece)
			break;
	}
	return true;
}

static enum status irq(unsigned line, void (*fn)(void *ctx), void *ctx)
{
	if (line != 11)
		return ERR_NOENT;
	c.handler = fn;
	c.handler_ctx = ctx;
	return OK;
}

static void got(void *ctx, const void *frame, size_t len)
{
	assert_ptr_equal(ctx, &c);
	memcpy(c.got, frame, len);
	c.got_len = len;
	c.gots++;
}

static void link_changed(void *ctx, bool up)
{
	assert_ptr_equal(ctx, &c);
	c.links++;
	c.link_up = up;
}

static const struct e1000_io io = { card_read, card_write, &c };
static const struct nic_user user = { got, link_changed, &c };

static enum status create(unsigned line)
{
	enum status s = e1000_create(&c.nic, &io, &c.timers, line, irq);

	return s == OK ? nic_open(c.nic, &user) : s;
}

static int setup(void **state)
{
	(void)state;
	memset(&c, 0, sizeof(c));
	clock_now = HZ;
	host_pages_begin();
	timerq_init(&c.timers, HZ, now);
	c.eeprom[0] = 0x5452;
	c.eeprom[1] = 0x1200;
	c.eeprom[2] = 0x5634;
	c.eeprom[63] = (u16)(0xbaba - 0x5452 - 0x1200 - 0x5634);
	c.reg[STATUS / 4] = 2;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_page_limit = ~0ul;
	if (c.nic)
		e1000_destroy(c.nic);
	return c.timers.next != TIMER_NEVER || !host_pages_are_back() ? -1 : 0;
}

static void start(void)
{
	assert_int_equal(create(11), OK);
}

static u8 frame[4096];

static const u8 *fresh(size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		frame[i] = (u8)(i * 5 + seed + i / 256);
	return frame;
}

/* ---- */

static void what_it_finds(void **state)
{
	(void)state;
	c.cause = 0xff;
	start();
	assert_memory_equal(c.nic->mac, "\x52\x54\x00\x12\x34\x56", 6);
	assert_int_equal(c.cause, 0);
	assert_int_equal(c.mask, 0xd4);
	assert_true(c.nic->ops->link(c.nic));
	assert_int_equal(c.reg[RAL / 4], 0x12005452);
	assert_int_equal(c.reg[RAH / 4], 0x80005634);
	assert_int_equal(nic_open(c.nic, &user), ERR_EXIST);
}

static void frames_both_ways(void **state)
{
	static const size_t lengths[] = { 14, 60, 1514, 1518 };

	(void)state;
	start();
	for (unsigned i = 0; i < 1000; i++) { /* round the rings a few times */
		size_t len = lengths[i % 4];

		assert_true(c.nic->ops->send(c.nic, fresh(len, i), len));
		assert_int_equal(c.sents, i + 1);
		assert_int_equal(c.sent_len, len);
		assert_memory_equal(c.sent, frame, len);
		assert_true(card_receive(fresh(len, i + 7), len, 0));
		raise(1 << 7);
		assert_int_equal(c.gots, i + 1);
		assert_int_equal(c.got_len, len);
		assert_memory_equal(c.got, frame, len);
	}
	assert_int_equal(c.nic->sent, 1000);
	assert_int_equal(c.nic->received, 1000);
	assert_int_equal(c.nic->interrupts, 1000);
}

/* Many at one interrupt; more than there is room for: some are lost, the rest go on. */
static void a_full_receive_ring(void **state)
{
	unsigned n = 0;

	(void)state;
	start();
	while (card_receive(fresh(60, n), 60, 0))
		n++;
	assert_int_equal(n, SLOTS - 1);
	assert_int_equal(c.gots, n); /* the card said that it had no more */
	assert_true(card_receive(fresh(60, 1), 60, 0));
	raise(1 << 7);
	assert_int_equal(c.gots, n + 1);
}

static void a_full_transmit_ring(void **state)
{
	unsigned n = 0;

	(void)state;
	start();
	c.hold = true;
	while (c.nic->ops->send(c.nic, fresh(60, n), 60))
		n++;
	assert_int_equal(n, SLOTS - 1);
	assert_int_equal(c.nic->lost, 1);
	assert_int_equal(c.sents, 0);
	c.hold = false;
	card_transmit();
	assert_int_equal(c.sents, n);
	assert_true(c.nic->ops->send(c.nic, fresh(60, 99), 60));
	assert_memory_equal(c.sent, frame, 60);
	assert_int_equal(c.sents, n + 1);
}

static void odd_frames(void **state)
{
	(void)state;
	start();
	assert_false(c.nic->ops->send(c.nic, frame, 13));
	assert_false(c.nic->ops->send(c.nic, frame, 1519));
	assert_int_equal(c.sents, 0);
	card_receive(fresh(13, 0), 13, 0);
	card_receive(fresh(0, 0), 0, 0);
	card_receive(fresh(1519, 0), 1519, 0);
	card_receive(fresh(4000, 0), 4000, 0); /* in two buffers */
	card_receive(fresh(60, 0), 60, 1);     /* damaged */
	raise(1 << 7);
	/* The second buffer of the long one has the mark of an end, and is taken for a frame of
	 * 1,952 bytes: too long. */
	assert_int_equal(c.gots, 0);
	assert_int_equal(c.nic->lost, 2 + 6);
	card_receive(fresh(60, 0), 60, 0);
	raise(1 << 7);
	assert_int_equal(c.gots, 1);
}

static void the_link(void **state)
{
	(void)state;
	start();
	raise(1 << 2); /* nothing has changed */
	assert_int_equal(c.links, 0);
	c.reg[STATUS / 4] = 0;
	raise(1 << 2);
	assert_int_equal(c.links, 1);
	assert_false(c.link_up);
	c.reg[STATUS / 4] = 2;
	raise(1 << 2);
	assert_int_equal(c.links, 2);
	assert_true(c.link_up);
}

/* Interrupts that follow each other at once: from then on a timer looks, until nothing comes. */
static void a_stream(void **state)
{
	unsigned frames = 3;

	(void)state;
	start();
	card_receive(fresh(60, 0), 60, 0);
	raise(1 << 7);
	assert_int_equal(c.mask, 0xd4);
	card_receive(fresh(60, 1), 60, 0);
	c.cause |= 1 << 7;
	c.handler(c.handler_ctx); /* at the same time */
	assert_int_equal(c.gots, 2);
	assert_int_equal(c.mask, 0);
	card_receive(fresh(60, 2), 60, 0);
	c.cause |= 1 << 7;
	assert_int_equal(c.gots, 2);
	for (; frames < 20; frames++) {
		clock_now = c.timers.next;
		timerq_run(&c.timers);
		assert_int_equal(c.gots, frames);
		assert_int_equal(c.mask, 0);
		card_receive(fresh(60, frames), 60, 0);
		c.cause |= 1 << 7;
	}
	clock_now = c.timers.next;
	timerq_run(&c.timers);
	assert_int_equal(c.gots, frames);
	clock_now = c.timers.next;
	timerq_run(&c.timers);
	assert_int_equal(c.mask, 0xd4); /* nothing came */
	assert_int_equal(c.timers.next, TIMER_NEVER);
	assert_int_equal(c.nic->interrupts, 2);
	card_receive(fresh(60, 0), 60, 0);
	raise(1 << 7);
	assert_int_equal(c.gots, frames + 1);
}

/* Frames that come as fast as they are handled keep nobody in the interrupt: a timer goes on. */
static void a_flood(void **state)
{
	enum {
		FRAMES = 1000
	};
	unsigned looks = 0;

	(void)state;
	start();
	c.flood = FRAMES;
	raise(1 << 7);
	assert_in_range(c.gots, 1, 10);
	assert_int_equal(c.mask, 0);
	for (; c.timers.next != TIMER_NEVER; looks++) {
		unsigned before = c.gots;

		clock_now = c.timers.next;
		timerq_run(&c.timers);
		assert_in_range(c.gots - before, 0, 10);
	}
	assert_int_equal(c.gots, FRAMES);
	assert_in_range(looks, FRAMES / 10, FRAMES);
	assert_int_equal(c.mask, 0xd4);
}

static void without_an_interrupt_line(void **state)
{
	(void)state;
	assert_int_equal(create(0xff), OK);
	assert_int_equal(c.mask, 0);
	card_receive(fresh(60, 0), 60, 0);
	timerq_run(&c.timers);
	assert_int_equal(c.gots, 1);
	card_receive(fresh(60, 0), 60, 0);
	c.reg[STATUS / 4] = 0;
	clock_now += HZ / 1000;
	timerq_run(&c.timers);
	assert_int_equal(c.gots, 2);
	assert_int_equal(c.links, 1);
}

static void a_card_that_is_dead(void **state)
{
	(void)state;
	c.dead = true;
	assert_int_equal(create(11), ERR_NOTSUP);
	assert_null(c.nic);
	c.dead = false;
	c.eeprom[5]++; /* damaged */
	assert_int_equal(create(11), ERR_NOTSUP);
}

static void no_memory(void **state)
{
	struct page_stats s;

	(void)state;
	host_page_limit = 0;
	assert_int_equal(create(11), ERR_NOMEM);
	page_stats(&s);
	host_page_limit = s.used[PAGE_HV] + 4;
	assert_int_equal(create(11), ERR_NOMEM);
	assert_null(c.nic);
	host_page_limit = ~0ul;
	assert_int_equal(create(11), OK);
}

/* ---- the uplink ---- */

static struct net_switch sw;
static struct uplink up;
static unsigned tap_frames, tap_links;

static u64 seconds(void)
{
	return 1;
}

static void tapped(struct switch_port *p, const struct net_frame *f)
{
	(void)p;
	assert_int_equal(f->left, 0);
	assert_int_equal(f->len, 60);
	tap_frames++;
}

static void tap_link(struct switch_port *p, bool is_up)
{
	(void)p;
	assert_false(is_up);
	tap_links++;
}

static void the_uplink(void **state)
{
	struct switch_port tap = { .receive = tapped, .link = tap_link, .takes = NET_CSUM };
	static u8 large[NET_FRAME_MAX];
	struct net_frame f = { .data = large,
		.len = 14 + 40 + 4000,
		.left = NET_CSUM | NET_TSO4,
		.csum_start = 34,
		.csum_offset = 16,
		.gso_size = 1000 };

	(void)state;
	assert_int_equal(e1000_create(&c.nic, &io, &c.timers, 11, irq), OK);
	switch_init(&sw, seconds);
	assert_int_equal(uplink_open(&up, &sw, c.nic), OK);
	switch_join(&sw, &tap);
	card_receive(fresh(60, 0), 60, 0);
	raise(1 << 7);
	assert_int_equal(tap_frames, 1);
	/* A large one leaves in pieces. */
	large[6] = 2, large[12] = 8, large[14] = 0x45, large[23] = 6, large[46] = 0x50;
	assert_true(net_frame_check(&f));
	switch_send(&sw, &tap, &f);
	assert_int_equal(c.sents, 4);
	assert_int_equal(c.sent_len, 1054);
	c.reg[STATUS / 4] = 0;
	raise(1 << 2);
	assert_int_equal(tap_links, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_it_finds),
		TEST(frames_both_ways),
		TEST(a_full_receive_ring),
		TEST(a_full_transmit_ring),
		TEST(odd_frames),
		TEST(the_link),
		TEST(a_stream),
		TEST(a_flood),
		TEST(without_an_interrupt_line),
		TEST(a_card_that_is_dead),
		TEST(no_memory),
		TEST(the_uplink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
