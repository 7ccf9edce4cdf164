/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-rng. The generator is ChaCha20 with fast key erasure: of each block, half becomes the next
 * key and half is given away, so that a key that leaks tells nothing of what was given before.
 */
#include "virtio/rng.h"

#include "hv/lib/chacha20.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "virtio/spec.h"

#define QUEUE	   0
#define QUEUE_SIZE 16
#define CLASS_CODE 0x00ff00u /* no class fits */
#define KEY_BYTES  (CHACHA20_KEY_WORDS * sizeof(u32))
#define SEED_WORDS (KEY_BYTES / sizeof(u64))

#define ORDER page_order(sizeof(struct virtio_rng))

struct virtio_rng {
	struct virtio_dev dev;
	struct vq_chain chain;
	struct timerq *timers;
	struct timer refill; /* armed while a request waits for tokens */
	rng_source source;
	u32 key[CHACHA20_KEY_WORDS];
	u64 given;  /* bytes since bits were last taken from the source */
	u64 tokens; /* bytes that may be given now */
	u64 filled; /* when tokens was brought up to date, in ticks */
};

static struct virtio_rng *rng_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_rng, dev);
}

/* ---- the generator ---- */

/* Mixes fresh bits into the key. False: the source had too few; what there was is in. */
static bool reseed(struct virtio_rng *r)
{
	u64 word;

	for (unsigned i = 0; i < SEED_WORDS; i++) {
		if (!r->source(&word))
			return false;
		r->key[2 * i] ^= (u32)word;
		r->key[2 * i + 1] ^= (u32)(word >> 32);
	}
	r->given = 0;
	return true;
}

/* The next KEY_BYTES bytes. */
static void generate(struct virtio_rng *r, u32 out[CHACHA20_KEY_WORDS])
{
	static const u32 nonce[CHACHA20_NONCE_WORDS];
	u32 block[CHACHA20_WORDS];

	if (r->given >= RNG_RESEED_BYTES)
		(void)reseed(r); /* without it the generator is as good as its first seed */
	chacha20_block(r->key, 0, nonce, block);
	memcpy(r->key, block, KEY_BYTES);
	memcpy(out, block + CHACHA20_KEY_WORDS, KEY_BYTES);
	memset(block, 0, sizeof(block));
	barrier(); /* or the compiler leaves the memset() out */
	r->given += KEY_BYTES;
}

/* ---- the rate ---- */

static void add_tokens(struct virtio_rng *r)
{
	u64 now = timerq_now(r->timers);
	u64 more = muldiv64(now - r->filled, RNG_RATE, r->timers->hz);
	u64 room = RNG_BURST - r->tokens;

	if (!more)
		return;
	r->tokens += MIN(more, room);
	r->filled = now;
}

/* In as long as a request of KEY_BYTES takes; it then gets what there is. */
static void wait_for_tokens(struct virtio_rng *r)
{
	u64 ticks = muldiv64(KEY_BYTES, r->timers->hz, RNG_RATE);

	timer_arm(r->timers, &r->refill, r->filled + ticks + 1);
}

/* ---- requests ---- */

static void answer(struct virtio_rng *r)
{
	struct vq_cursor to = vq_writable(&r->chain);
	u64 asked = MIN(to.left, (u64)RNG_REQUEST), left = MIN(asked, r->tokens);
	u32 bytes[CHACHA20_KEY_WORDS];

	while (left) {
		u64 n = MIN(left, KEY_BYTES);

		generate(r, bytes);
		if (vq_write(&to, bytes, n) != OK)
			break;
		left -= n;
		r->tokens -= n;
	}
	vq_push(virtio_vq(&r->dev, QUEUE), &r->chain);
}

/* Until the queue is empty, the turn is over or the tokens are used up. */
static void serve(struct virtio_rng *r, unsigned *budget)
{
	struct virtqueue *q = virtio_vq(&r->dev, QUEUE);

	while (r->tokens >= KEY_BYTES) {
		if (!*budget || !vq_pop(q, &r->chain))
			return;
		virtio_spend(budget, 1);
		if (r->chain.readable) {
			vq_fail(q, "a buffer that cannot be written");
			return;
		}
		answer(r);
	}
	wait_for_tokens(r);
}

static void rng_kick(struct virtio_dev *d, unsigned queue)
{
	struct virtio_rng *r = rng_of(d);
	struct virtqueue *q = virtio_vq(d, queue);
	unsigned budget = VIRTIO_TURN;

	if (timer_armed(&r->refill))
		return;
	add_tokens(r);
	do {
		vq_no_kicks(q);
		serve(r, &budget);
	} while (budget && !timer_armed(&r->refill) && vq_want_kicks(q));
	if (!budget)
		virtio_later(d, queue);
	virtio_signal(d, queue);
}

static void refilled(struct timer *t)
{
	struct virtio_rng *r = container_of(t, struct virtio_rng, refill);

	virtio_notify(&r->dev, QUEUE);
}

static void rng_reset(struct virtio_dev *d)
{
	struct virtio_rng *r = rng_of(d);

	timer_cancel(r->timers, &r->refill);
}

static const struct virtio_ops rng_ops = {
	.id = VIRTIO_ID_RNG,
	.name = "virtio-rng",
	.class_code = CLASS_CODE,
	.kick = rng_kick,
	.reset = rng_reset,
};

/* ---- making ---- */

enum status virtio_rng_create(struct virtio_rng **out, const char *vm, bool packed,
	const struct guestmem *gm, struct timerq *timers, rng_source source)
{
	struct virtio_setup setup = { .ops = &rng_ops,
		.vm = vm,
		.gm = gm,
		.timers = timers,
		.packed = packed,
		.queues = 1,
		.queue_size = QUEUE_SIZE };
	struct virtio_rng *r = page_alloc(ORDER, PAGE_HV);

	if (!r)
		return ERR_NOMEM;
	r->source = source;
	if (!reseed(r)) {
		page_free(r, ORDER, PAGE_HV);
		return ERR_NOTSUP;
	}
	r->timers = timers;
	timer_init(&r->refill, refilled);
	r->tokens = RNG_BURST;
	r->filled = timerq_now(timers);
	virtio_init(&r->dev, &setup);
	*out = r;
	return OK;
}

struct virtio_dev *virtio_rng_dev(struct virtio_rng *rng)
{
	return &rng->dev;
}

void virtio_rng_destroy(struct virtio_rng *rng)
{
	virtio_reset(&rng->dev);
	memset(rng, 0, sizeof(*rng));
	page_free(rng, ORDER, PAGE_HV);
}
