/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of guest rings against hostile memory. An input is a byte of flags (packed, indirect,
 * event index), one for the size of the ring, then commands: bytes written somewhere in the rings
 * or tables, pops, pushes, looks at what the driver wants. Checked: no sanitizer complaint, what is
 * popped lies in RAM and in bounds, a broken queue stays silent, a reset makes it work again.
 *
 * Sources: virtio/queue.c virtio/chain.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/queue.h"
#include "tests/fuzz/fuzz.h"

#define MEM    4 * MB
#define RINGS  0x10000ul
#define DRIVER 0x1000ul /* from RINGS: behind the descriptors of the largest ring */
#define DEVICE 0x2000ul
#define AREA   0x4000ul /* rings, and tables behind them */
#define CHAINS 8

static struct guestmem gm;
static struct virtqueue q;
static struct vq_chain chain[CHAINS];
static unsigned taken, broken;

static u16 word(struct stream *in)
{
	u16 low = byte(in);

	return (u16)(low | byte(in) << 8);
}

static void on_broken(void *ctx, struct virtqueue *which, const char *why)
{
	CHECK(ctx == &gm && which == &q && why[0]);
	broken++;
}

/* A descriptor's worth of bytes, most of which make sense. */
static void poke(struct stream *in)
{
	static const u64 addrs[] = { 0, RINGS + 0x3000, 0x20000, MEM - 16, MEM, ~0ul - 15,
		1ul << 63 };
	u8 desc[16];
	u64 addr = addrs[byte(in) % ARRAY_SIZE(addrs)] + byte(in);
	u32 len = byte(in) * 16u;
	u16 offset = word(in), id = byte(in), flags = word(in);

	memcpy(desc, &addr, 8);
	memcpy(desc + 8, &len, 4);
	memcpy(desc + 12, q.cfg.packed ? &id : &flags, 2);
	memcpy(desc + 14, q.cfg.packed ? &flags : &id, 2);
	(void)!guest_write(&gm, GPA(RINGS + offset % AREA / 16 * 16), desc, 16);
}

static void write_word(struct stream *in)
{
	u16 offset = word(in), value = word(in);

	(void)!guest_write(&gm, GPA(RINGS + offset % AREA), &value, 2);
}

static void check_chain(struct vq_chain *c)
{
	struct vq_cursor r = vq_readable(c), w = vq_writable(c);
	u8 buf[64];

	CHECK(c->segs >= 1 && c->segs <= VQ_SEGS_MAX && c->readable <= c->segs);
	CHECK(c->places >= 1 && q.taken <= q.cfg.size);
	for (unsigned i = 0; i < c->segs; i++)
		CHECK(c->seg[i].len && guest_is_ram(&gm, c->seg[i].gpa, c->seg[i].len));
	CHECK(vq_read(&r, buf, MIN(r.left, sizeof(buf))) == OK);
	CHECK(vq_write(&w, buf, MIN(w.left, sizeof(buf))) == OK);
	CHECK(c->written <= sizeof(buf));
}

static void pop(void)
{
	bool dead = q.broken || !q.enabled;

	if (taken == CHAINS || !vq_pop(&q, &chain[taken]))
		return;
	CHECK(!dead);
	check_chain(&chain[taken++]);
}

static void push(unsigned which)
{
	if (!taken)
		return;
	which %= taken;
	vq_push(&q, &chain[which]);
	chain[which] = chain[--taken];
}

static void command(struct stream *in)
{
	switch (byte(in) % 8) {
	case 0:
	case 1: poke(in); break;
	case 2: write_word(in); break;
	case 3:
	case 4: pop(); break;
	case 5: push(byte(in)); break;
	case 6: (void)!vq_signal(&q); break;
	default: vq_no_kicks(&q); (void)!vq_want_kicks(&q);
	}
}

static struct vq_config config(u8 flags, u16 size)
{
	return (struct vq_config){ .size = size,
		.desc = GPA(RINGS),
		.driver = GPA(RINGS + DRIVER),
		.device = GPA(RINGS + DEVICE),
		.packed = flags & 1,
		.indirect = flags & 2,
		.event_idx = flags & 4 };
}

/* After all that: one descriptor there and back. */
static void still_works(u8 flags)
{
	struct vq_config cfg = config(flags, 4);
	struct {
		u64 addr;
		u32 len;
		u16 a, b;
	} desc = { 0x20000, 8, 0, flags & 1 ? 0x80 : 0 };
	u16 one = 1;

	vq_reset(&q);
	CHECK(guest_zero(&gm, GPA(RINGS), AREA) == OK);
	CHECK(guest_write(&gm, GPA(RINGS), &desc, sizeof(desc)) == OK);
	CHECK(guest_write(&gm, GPA(RINGS + DRIVER + 2), &one, (flags & 1) ? 0 : 2) == OK);
	CHECK(vq_enable(&q, &cfg) == OK);
	taken = 0;
	broken = 0;
	CHECK(vq_pop(&q, &chain[0]) && chain[0].segs == 1 && !broken);
	vq_push(&q, &chain[0]);
	CHECK(!vq_pop(&q, &chain[0]) && !broken);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct vq_host host = { on_broken, &gm };
	struct stream in = { data, size };
	u8 flags = byte(&in);
	u16 places = byte(&in) + 1;
	struct vq_config cfg;

	if (!gm.slots && guestmem_add(&gm, GPA(0), MEM) != OK)
		abort();
	CHECK(guest_zero(&gm, GPA(RINGS), AREA) == OK);
	vq_init(&q, &gm, &host);
	taken = 0;
	broken = 0;
	cfg = config(flags, places);
	CHECK((vq_enable(&q, &cfg) == OK) == !broken);
	while (in.left)
		command(&in);
	CHECK(broken == (q.broken ? 1 : 0));
	still_works(flags);
	return 0;
}
