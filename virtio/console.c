/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console: for each port a queue of buffers to fill with what is typed, and one of buffers
 * to print; for drivers that know of several ports, two queues of messages about them.
 *
 * What the driver has yet to be told of a port is a set of bits, not a list of messages: however
 * long it gives no buffers for them, nothing grows.
 */
#include "virtio/console.h"

#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "virtio/spec.h"

/* 5.3.2 "Virtqueues" */
#define PORT_QUEUES    4u /* those of port 0, and the two of messages; then two for each port */
#define CONTROL_IN     2u
#define CONTROL_OUT    3u
#define RECEIVE(port)  ((port) ? PORT_QUEUES + 2u * ((port)-1) : 0u)
#define TRANSMIT(port) (RECEIVE(port) + 1u)
#define PORT_OF(queue) ((queue) < PORT_QUEUES ? 0u : ((queue)-PORT_QUEUES) / 2u + 1u)
#define QUEUES	       (PORT_QUEUES + 2u * (PORTS - 1))
#define QUEUE_SIZE     64u
#define CLASS_CODE     0x078000u /* simple communication controller */
#define COPY_MAX       256u
#define MESSAGES_MAX   64u /* of the driver, at once */
#define LOG_BURST      20
#define EMERG_WRITE    offsetof(struct virtio_console_config, emerg_wr)

#define FEATURES (VIRTIO_CONSOLE_F_SIZE | VIRTIO_CONSOLE_F_MULTIPORT | VIRTIO_CONSOLE_F_EMERG_WRITE)

#define CONSOLE 0u
#define LOG	1u
#define PORTS	2u

struct port {
	struct virtio_console *c;
	struct vq_chain out;
	struct vq_cursor rest; /* of `out`, while printing */
	bool printing;	       /* `out` was popped and is not all printed */
	u32 untold;	       /* BIT(event): messages that the driver has yet to get */
};

struct virtio_console {
	struct virtio_dev dev;
	struct port port[PORTS];
	struct vq_chain in, message;
	console_out_fn write;
	void *ctx;
	struct ratelimit rl;
	char line[CONSOLE_LINE_MAX + 1]; /* for the log, so far */
	size_t line_len;
};

#define ORDER page_order(sizeof(struct virtio_console))

static struct virtio_console *console_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_console, dev);
}

static unsigned number_of(const struct port *p)
{
	return (unsigned)(p - p->c->port);
}

static bool has_ports(const struct virtio_console *c)
{
	return virtio_has(&c->dev, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* ---- output ---- */

static void end_line(struct virtio_console *c)
{
	c->line[c->line_len] = '\0';
	if (c->line_len)
		log_guest(&c->rl, LOG_INFO, "%s: %s", c->dev.vm, c->line);
	c->line_len = 0;
}

/* A guest's text in the log is printable, in lines that end, and not too much of it. */
static void log_bytes(struct virtio_console *c, const u8 *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] == '\n' || c->line_len == CONSOLE_LINE_MAX)
			end_line(c);
		if (buf[i] != '\n')
			c->line[c->line_len++] =
				buf[i] >= ' ' && buf[i] <= '~' ? (char)buf[i] : '.';
	}
}

static void write_out(struct port *p, const u8 *buf, size_t len)
{
	if (number_of(p) == CONSOLE)
		p->c->write(p->c->ctx, buf, len);
	else
		log_bytes(p->c, buf, len);
}

/* Prints up to *budget bytes of the chain. False: its memory is gone. */
static bool print(struct port *p, unsigned *budget)
{
	u64 left = MIN(p->rest.left, (u64)*budget);
	u8 buf[COPY_MAX];

	virtio_spend(budget, left);
	while (left) {
		u64 n = MIN(left, sizeof(buf));

		if (vq_read(&p->rest, buf, n) != OK)
			return false;
		write_out(p, buf, n);
		left -= n;
	}
	return true;
}

/* Until the queue is empty or the slice is over; a buffer without text is work too. */
static void transmit(struct port *p, struct virtqueue *q, unsigned *budget)
{
	while (*budget) {
		if (!p->printing && !vq_pop(q, &p->out))
			return;
		if (!p->printing)
			p->rest = vq_readable(&p->out);
		virtio_spend(budget, !p->rest.left);
		p->printing = print(p, budget) && p->rest.left;
		if (!p->printing)
			vq_push(q, &p->out);
	}
}

static void kick_transmit(struct port *p)
{
	struct virtio_console *c = p->c;
	unsigned queue = TRANSMIT(number_of(p));
	struct virtqueue *q = virtio_vq(&c->dev, queue);
	unsigned budget = CONSOLE_SLICE;

	do {
		vq_no_kicks(q);
		transmit(p, q, &budget);
	} while (budget && vq_want_kicks(q));
	if (!budget)
		virtio_later(&c->dev, queue);
	virtio_signal(&c->dev, queue);
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
	const struct virtio_queue *q = &c->dev.queue[RECEIVE(CONSOLE)];

	return (c->dev.status & VIRTIO_STATUS_DRIVER_OK) && q->enabled && !q->vq.broken;
}

size_t virtio_console_in(struct virtio_console *c, const u8 *buf, size_t len)
{
	struct virtqueue *q = virtio_vq(&c->dev, RECEIVE(CONSOLE));
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
	virtio_signal(&c->dev, RECEIVE(CONSOLE));
	return done;
}

/* ---- messages about ports: 5.3.6.2 "Multiport Device Operation" ---- */

static const struct virtio_console_config *config_of(const struct virtio_console *c)
{
	return (const void *)c->dev.config;
}

/* The message of this kind about the port, with what follows it. Returns its length. */
static size_t make_message(const struct virtio_console *c, unsigned port, u16 event, u8 *to)
{
	struct virtio_console_control m = { .id = port, .event = event, .value = 1 };
	struct virtio_console_resize size = { config_of(c)->cols, config_of(c)->rows };
	const void *more = NULL;
	size_t len = 0;

	if (event == VIRTIO_CONSOLE_RESIZE) {
		more = &size;
		len = sizeof(size);
	} else if (event == VIRTIO_CONSOLE_PORT_NAME) {
		more = CONSOLE_LOG_PORT;
		len = sizeof(CONSOLE_LOG_PORT) - 1;
	}
	memcpy(to, &m, sizeof(m));
	if (more)
		memcpy(to + sizeof(m), more, len);
	return sizeof(m) + len;
}

/* One message into one buffer; false: there is no buffer. */
static bool tell(struct virtio_console *c, unsigned port, u16 event)
{
	struct virtqueue *q = virtio_vq(&c->dev, CONTROL_IN);
	u8 message[sizeof(struct virtio_console_control) + sizeof(CONSOLE_LOG_PORT)];
	size_t len = make_message(c, port, event, message);
	struct vq_cursor to;

	if (!vq_pop(q, &c->message))
		return false;
	to = vq_writable(&c->message);
	if (to.left < len) {
		vq_fail(q, "a buffer of %lu bytes for a message", to.left);
		return false;
	}
	if (vq_write(&to, message, len) == OK)
		c->port[port].untold &= ~(u32)BIT(event);
	vq_push(q, &c->message);
	return true;
}

/* As far as there are buffers; a port is announced before more is said of it. */
static void tell_all(struct virtio_console *c)
{
	static const u16 order[] = { VIRTIO_CONSOLE_PORT_ADD, VIRTIO_CONSOLE_CONSOLE_PORT,
		VIRTIO_CONSOLE_PORT_NAME, VIRTIO_CONSOLE_PORT_OPEN, VIRTIO_CONSOLE_RESIZE };
	bool room = has_ports(c) && (c->dev.status & VIRTIO_STATUS_DRIVER_OK);

	for (unsigned port = 0; port < PORTS; port++)
		for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
			if (room && (c->port[port].untold & BIT(order[i])))
				room = tell(c, port, order[i]);
	virtio_signal(&c->dev, CONTROL_IN);
}

static bool size_known(const struct virtio_console *c)
{
	return config_of(c)->cols && config_of(c)->rows;
}

/* What the driver says; what makes no sense is ignored. */
static void heard(struct virtio_console *c, const struct virtio_console_control *m)
{
	struct port *p;

	if (m->event == VIRTIO_CONSOLE_DEVICE_READY && m->value == 1) {
		for (unsigned i = 0; i < PORTS; i++)
			c->port[i].untold = BIT(VIRTIO_CONSOLE_PORT_ADD);
		return;
	}
	if (m->id >= PORTS) {
		virtio_complain(&c->dev, "a message about port %u of %u", m->id, PORTS);
		return;
	}
	p = &c->port[m->id];
	if (m->event != VIRTIO_CONSOLE_PORT_READY || m->value != 1)
		return;
	p->untold |= BIT(VIRTIO_CONSOLE_PORT_OPEN);
	if (number_of(p) == LOG)
		p->untold |= BIT(VIRTIO_CONSOLE_PORT_NAME);
	else
		p->untold |= BIT(VIRTIO_CONSOLE_CONSOLE_PORT) |
			     (size_known(c) ? BIT(VIRTIO_CONSOLE_RESIZE) : 0);
}

static void hear_all(struct virtio_console *c)
{
	struct virtqueue *q = virtio_vq(&c->dev, CONTROL_OUT);
	struct virtio_console_control m;
	unsigned budget = MESSAGES_MAX;

	do {
		vq_no_kicks(q);
		for (; budget && vq_pop(q, &c->message); budget--) {
			struct vq_cursor from = vq_readable(&c->message);

			if (vq_read(&from, &m, sizeof(m)) == OK)
				heard(c, &m);
			vq_push(q, &c->message);
		}
	} while (budget && vq_want_kicks(q));
	if (!budget)
		virtio_later(&c->dev, CONTROL_OUT);
	virtio_signal(&c->dev, CONTROL_OUT);
	tell_all(c);
}

void virtio_console_resize(struct virtio_console *c, struct console_size size)
{
	struct virtio_console_config *cfg = (void *)c->dev.config;

	cfg->cols = size.columns;
	cfg->rows = size.rows;
	if (!has_ports(c)) {
		if (virtio_has(&c->dev, VIRTIO_CONSOLE_F_SIZE))
			virtio_config_changed(&c->dev);
		return;
	}
	c->port[CONSOLE].untold |= BIT(VIRTIO_CONSOLE_RESIZE);
	tell_all(c);
}

/* ---- */

/* Buffers for input wait in their ring until something is typed. */
static void console_kick(struct virtio_dev *d, unsigned queue)
{
	struct virtio_console *c = console_of(d);

	if (queue == CONTROL_IN)
		tell_all(c);
	else if (queue == CONTROL_OUT)
		hear_all(c);
	else if (queue == TRANSMIT(PORT_OF(queue)))
		kick_transmit(&c->port[PORT_OF(queue)]);
}

static void console_reset(struct virtio_dev *d)
{
	struct virtio_console *c = console_of(d);

	for (unsigned i = 0; i < PORTS; i++) {
		c->port[i].printing = false;
		c->port[i].untold = 0;
	}
	c->line_len = 0;
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
	const struct guestmem *gm, struct timerq *timers, struct console_size size,
	console_out_fn write, void *ctx)
{
	struct virtio_setup setup = { .ops = &console_ops,
		.vm = vm,
		.gm = gm,
		.timers = timers,
		.features = FEATURES,
		.packed = packed,
		.queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct virtio_console_config) };
	struct virtio_console_config cfg = { size.columns, size.rows, PORTS, 0 };
	struct virtio_console *c = page_alloc(ORDER, PAGE_HV);

	if (!c)
		return ERR_NOMEM;
	if (!size.columns || !size.rows)
		setup.features &= ~VIRTIO_CONSOLE_F_SIZE;
	virtio_init(&c->dev, &setup);
	memcpy(c->dev.config, &cfg, sizeof(cfg));
	c->dev.config_mask[EMERG_WRITE] = UINT8_MAX;
	c->rl = (struct ratelimit)RATELIMIT(LOG_BURST);
	for (unsigned i = 0; i < PORTS; i++)
		c->port[i].c = c;
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
	virtio_reset(&c->dev);
	page_free(c, ORDER, PAGE_HV);
}
