/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-console: a queue of buffers to fill with what is typed, and one of buffers to print. */
#include "virtio/console.h"

#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "virtio/spec.h"

#define RECEIVE	    0u
#define TRANSMIT    1u
#define QUEUES	    2u
#define QUEUE_SIZE  64u
#define CLASS_CODE  0x078000u /* simple communication controller */
#define COPY_MAX    256u
#define PAUSES_HZ   1000u /* between slices */
#define EMERG_WRITE offsetof(struct virtio_console_config, emerg_wr)

#define ORDER page_order(sizeof(struct virtio_console))

struct virtio_console {
	struct virtio_dev dev;
	struct vq_chain in, out;
	struct vq_cursor rest; /* of `out`, while printing */
	bool printing;	       /* `out` was popped and is not all printed */
	struct timerq *timers;
	struct timer next; /* armed between two slices */
	console_out_fn write;
	void *ctx;
};

static struct virtio_console *console_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_console, dev);
}

/* ---- output ---- */

/* Prints up to *budget bytes of the chain. False: its memory is gone. */
static bool print(struct virtio_console *c, u64 *budget)
{
	u64 left = MIN(c->rest.left, *budget);
	u8 buf[COPY_MAX];

	*budget -= left;
	while (left) {
		u64 n = MIN(left, sizeof(buf));

		if (vq_read(&c->rest, buf, n) != OK)
			return false;
		c->write(c->ctx, buf, n);
		left -= n;
	}
	return true;
}

/* A slice. True: there may be more. */
static bool transmit(struct virtio_console *c)
{
	struct virtqueue *q = virtio_vq(&c->dev, TRANSMIT);
	u64 budget = CONSOLE_SLICE;

	while (budget) {
		if (!c->printing && !vq_pop(q, &c->out))
			return false;
		if (!c->printing)
			c->rest = vq_readable(&c->out);
		c->printing = print(c, &budget) && c->rest.left;
		if (!c->printing)
			vq_push(q, &c->out);
	}
	return true;
}

static void kick_transmit(struct virtio_console *c)
{
	struct virtqueue *q = virtio_vq(&c->dev, TRANSMIT);
	bool more;

	if (timer_armed(&c->next))
		return;
	do {
		vq_no_kicks(q);
		more = transmit(c);
	} while (!more && vq_want_kicks(q));
	if (more)
		timer_arm(c->timers, &c->next, timerq_now(c->timers) + c->timers->hz / PAUSES_HZ);
	virtio_signal(&c->dev, TRANSMIT);
}

static void next_slice(struct timer *t)
{
	struct virtio_console *c = container_of(t, struct virtio_console, next);

	virtio_notify(&c->dev, TRANSMIT);
}

/* 5.3.4: a character at a time, for a driver that has no queues yet. */
static void console_config_written(struct virtio_dev *d)
{
	struct virtio_console *c = console_of(d);

	c->write(c->ctx, &d->config[EMERG_WRITE], 1);
	d->config[EMERG_WRITE] = 0;
}

/* ---- input ---- */

bool virtio_console_ready(const struct virtio_console *c)
{
	const struct virtio_queue *q = &c->dev.queue[RECEIVE];

	return (c->dev.status & VIRTIO_STATUS_DRIVER_OK) && q->enabled && !q->vq.broken;
}

size_t virtio_console_in(struct virtio_console *c, const u8 *buf, size_t len)
{
	struct virtqueue *q = virtio_vq(&c->dev, RECEIVE);
	size_t done = 0;

	while (done < len && virtio_console_ready(c) && vq_pop(q, &c->in)) {
		struct vq_cursor to = vq_writable(&c->in);
		u64 n = MIN(to.left, len - done);

		if (!n) {
			vq_fail(q, "a buffer for input that cannot be written");
			break;
		}
		if (vq_write(&to, buf + done, n) == OK)
			done += n;
		vq_push(q, &c->in);
	}
	virtio_signal(&c->dev, RECEIVE);
	return done;
}

/* ---- */

/* Buffers for input wait in their ring until something is typed. */
static void console_kick(struct virtio_dev *d, unsigned queue)
{
	if (queue == TRANSMIT)
		kick_transmit(console_of(d));
}

static void console_reset(struct virtio_dev *d)
{
	struct virtio_console *c = console_of(d);

	timer_cancel(c->timers, &c->next);
	c->printing = false;
}

static const struct virtio_ops console_ops = {
	.id = VIRTIO_ID_CONSOLE,
	.name = "virtio-console",
	.class_code = CLASS_CODE,
	.kick = console_kick,
	.reset = console_reset,
	.config_written = console_config_written,
};

enum status virtio_console_create(struct virtio_console **out, const char *vm, bool packed,
	const struct guestmem *gm, struct timerq *timers, console_out_fn write, void *ctx)
{
	struct virtio_setup setup = { .ops = &console_ops,
		.vm = vm,
		.gm = gm,
		.features = VIRTIO_CONSOLE_F_EMERG_WRITE,
		.packed = packed,
		.queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct virtio_console_config) };
	struct virtio_console *c = page_alloc(ORDER, PAGE_HV);

	if (!c)
		return ERR_NOMEM;
	virtio_init(&c->dev, &setup);
	c->dev.config_mask[EMERG_WRITE] = UINT8_MAX;
	c->timers = timers;
	timer_init(&c->next, next_slice);
	c->write = write;
	c->ctx = ctx;
	*out = c;
	return OK;
}

struct virtio_dev *virtio_console_dev(struct virtio_console *c)
{
	return &c->dev;
}

void virtio_console_destroy(struct virtio_console *c)
{
	console_reset(&c->dev);
	page_free(c, ORDER, PAGE_HV);
}
