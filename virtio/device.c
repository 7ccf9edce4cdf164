/* SPDX-License-Identifier: BSD-2-Clause */
/* Status, features, queue registers and configuration space of any virtio device. */
#include "virtio/device.h"

#include <stdarg.h>

#include "hv/ctl/ledger.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "virtio/spec.h"

#define LOG_BURST     5
#define LINE_MAX      160
#define LATER_HZ      1000u
#define FEATURE_WORDS 2u
#define WORD_BITS     32u
#define BYTE_BITS     8u
#define DRIVER_BITS                                                                                \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK |              \
		VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED)

void virtio_log(struct virtio_dev *d, enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_guest(&d->rl, level, "%s: %s %u: %s", d->vm, d->ops->name, d->index, line);
}

/* ---- interrupts ---- */

void virtio_signal(struct virtio_dev *d, unsigned queue)
{
	if (!vq_signal(virtio_vq(d, queue)))
		return;
	d->interrupts++;
	d->irq.queue(d->irq.ctx, queue);
}

static void config_interrupt(struct virtio_dev *d)
{
	if (d->status & VIRTIO_STATUS_DRIVER_OK)
		d->irq.config(d->irq.ctx);
}

void virtio_config_changed(struct virtio_dev *d)
{
	d->generation++;
	config_interrupt(d);
}

/* 2.1.2: a device that has set NEEDS_RESET tells the driver. */
static void queue_broken(void *ctx, struct virtqueue *q, const char *why)
{
	struct virtio_dev *d = ctx;
	struct virtio_queue *which = container_of(q, struct virtio_queue, vq);

	virtio_log(
		d, LOG_WARN, "queue %u: %s; it needs a reset", (unsigned)(which - d->queue), why);
	d->status |= VIRTIO_STATUS_NEEDS_RESET;
	config_interrupt(d);
}

/* ---- status: 2.1 ---- */

void virtio_reset(struct virtio_dev *d)
{
	if (d->ops->reset)
		d->ops->reset(d);
	d->later = 0;
	if (timer_armed(&d->again))
		timer_cancel(d->timers, &d->again);
	d->status = 0;
	d->accepted = 0;
	d->alien = false;
	for (unsigned i = 0; i < d->queues; i++) {
		vq_reset(&d->queue[i].vq);
		d->queue[i].enabled = false;
		d->queue[i].cfg = (struct vq_config){ .size = d->queue_size };
	}
}

static bool features_fit(const struct virtio_dev *d)
{
	return !d->alien && !(d->accepted & ~d->offered) && (d->accepted & VIRTIO_F_VERSION_1);
}

/* Of the bits that the driver adds, those that it may add now. */
static u32 may_add(struct virtio_dev *d, u32 bits)
{
	if ((bits & VIRTIO_STATUS_FEATURES_OK) && !features_fit(d)) {
		virtio_complain(
			d, "features 0x%lx of 0x%lx are not accepted", d->accepted, d->offered);
		bits &= ~VIRTIO_STATUS_FEATURES_OK;
	}
	if ((bits & VIRTIO_STATUS_DRIVER_OK) && !((d->status | bits) & VIRTIO_STATUS_FEATURES_OK)) {
		virtio_complain(d, "DRIVER_OK without FEATURES_OK is ignored");
		bits &= ~VIRTIO_STATUS_DRIVER_OK;
	}
	return bits;
}

void virtio_set_status(struct virtio_dev *d, u8 value)
{
	u32 added;

	if (!value) {
		virtio_reset(d);
		return;
	}
	if (d->status & DRIVER_BITS & ~value)
		virtio_complain(d, "status 0x%x after 0x%x: bits are cleared by a reset only",
			value, d->status);
	added = may_add(d, value & DRIVER_BITS & ~(u32)d->status);
	d->status |= (u8)added;
	if (!(added & VIRTIO_STATUS_DRIVER_OK))
		return;
	if (d->status & VIRTIO_STATUS_NEEDS_RESET)
		config_interrupt(d);
	virtio_notify_all(d);
}

/* ---- features: 2.2 ---- */

u32 virtio_offered_word(const struct virtio_dev *d, u32 word)
{
	return word < FEATURE_WORDS ? (u32)(d->offered >> (word * WORD_BITS)) : 0;
}

u32 virtio_accepted_word(const struct virtio_dev *d, u32 word)
{
	return word < FEATURE_WORDS ? (u32)(d->accepted >> (word * WORD_BITS)) : 0;
}

void virtio_accept_word(struct virtio_dev *d, u32 word, u32 bits)
{
	u64 mask;

	if (d->status & VIRTIO_STATUS_FEATURES_OK) {
		virtio_complain(d, "features cannot change after FEATURES_OK");
		return;
	}
	if (word >= FEATURE_WORDS) {
		d->alien |= bits != 0;
		return;
	}
	mask = (u64)UINT32_MAX << (word * WORD_BITS);
	d->accepted = (d->accepted & ~mask) | (u64)bits << (word * WORD_BITS);
}

/* ---- queues ---- */

struct vq_config *virtio_queue_regs(struct virtio_dev *d, unsigned queue)
{
	if (queue >= d->queues) {
		virtio_complain(d, "queue %u of %u", queue, d->queues);
		return NULL;
	}
	if (d->queue[queue].enabled || (d->status & VIRTIO_STATUS_DRIVER_OK)) {
		virtio_complain(d, "queue %u cannot be changed now", queue);
		return NULL;
	}
	return &d->queue[queue].cfg;
}

/* 3.1.1: the driver sets queues up after FEATURES_OK, which decides on their format. */
void virtio_queue_enable(struct virtio_dev *d, unsigned queue)
{
	struct vq_config *regs = virtio_queue_regs(d, queue);

	if (!regs)
		return;
	if (!(d->status & VIRTIO_STATUS_FEATURES_OK)) {
		virtio_complain(d, "queue %u cannot be enabled before FEATURES_OK", queue);
		return;
	}
	regs->packed = virtio_has(d, VIRTIO_F_PACKED);
	regs->indirect = virtio_has(d, VIRTIO_F_INDIRECT);
	regs->event_idx = virtio_has(d, VIRTIO_F_EVENT_IDX);
	if (regs->size > d->queue_size)
		vq_fail(&d->queue[queue].vq, "a ring of %u places, of at most %u", regs->size,
			d->queue_size);
	else
		d->queue[queue].enabled = vq_enable(&d->queue[queue].vq, regs) == OK;
}

static bool is_ready(const struct virtio_dev *d)
{
	u32 ready = VIRTIO_STATUS_DRIVER_OK;

	return (d->status & (ready | VIRTIO_STATUS_FAILED)) == ready;
}

static void serve(struct virtio_dev *d, unsigned queue)
{
	struct ledger_mark m;

	if (d->queue[queue].vq.broken)
		return;
	m = ledger_backend_begin();
	d->ops->kick(d, queue);
	ledger_backend_end(m);
}

static void look_again(struct timer *t)
{
	struct virtio_dev *d = container_of(t, struct virtio_dev, again);
	u32 queues = d->later;

	d->later = 0;
	for (unsigned i = 0; i < d->queues && is_ready(d); i++)
		if (queues & BIT(i))
			serve(d, i);
}

void virtio_later(struct virtio_dev *d, unsigned queue)
{
	d->later |= (u32)BIT(queue);
	if (!timer_armed(&d->again))
		timer_arm(d->timers, &d->again, timerq_now(d->timers) + d->timers->hz / LATER_HZ);
}

void virtio_notify(struct virtio_dev *d, unsigned queue)
{
	if (queue >= d->queues || !d->queue[queue].enabled) {
		virtio_complain(d, "notification for queue %u, which is not enabled", queue);
		return;
	}
	if (!is_ready(d)) {
		virtio_complain(d, "notification for queue %u with status 0x%x", queue, d->status);
		return;
	}
	d->kicks++;
	if (!(d->later & BIT(queue)))
		serve(d, queue);
}

void virtio_notify_all(struct virtio_dev *d)
{
	if (!(d->status & VIRTIO_STATUS_DRIVER_OK))
		return;
	for (unsigned i = 0; i < d->queues; i++)
		if (d->queue[i].enabled)
			virtio_notify(d, i);
}

/* ---- configuration space: 2.5 ---- */

u64 virtio_config_read(const struct virtio_dev *d, u64 offset, unsigned size)
{
	u64 value = 0;

	for (unsigned i = 0; i < size; i++)
		if (offset + i < d->config_size)
			value |= (u64)d->config[offset + i] << (i * BYTE_BITS);
	return value;
}

void virtio_config_write(struct virtio_dev *d, u64 offset, unsigned size, u64 value)
{
	bool touched = false;

	for (unsigned i = 0; i < size && offset + i < d->config_size; i++) {
		u8 mask = d->config_mask[offset + i], *byte = &d->config[offset + i];
		u8 bits = (u8)(value >> (i * BYTE_BITS)) & mask;

		touched |= mask != 0;
		*byte = (u8)((*byte & ~mask) | bits);
	}
	if (touched && d->ops->config_written)
		d->ops->config_written(d);
}

/* ---- */

void virtio_report(const struct virtio_dev *d)
{
	u64 chains = 0;

	for (unsigned i = 0; i < d->queues; i++)
		chains += d->queue[i].vq.chains;
	log_machine("@stats {\"vm\":\"%s\",\"device\":\"%s %u\",\"chains\":%lu,\"kicks\":%lu,"
		    "\"interrupts\":%lu}",
		d->vm, d->ops->name, d->index, chains, d->kicks, d->interrupts);
}

void virtio_init(struct virtio_dev *d, const struct virtio_setup *s)
{
	struct vq_host host = { .broken = queue_broken, .ctx = d };

	ASSERT(s->queues && s->queues <= VIRTIO_QUEUES_MAX && s->queue_size <= VQ_SIZE_MAX &&
		IS_POW2(s->queue_size) && s->config_size <= VIRTIO_CONFIG_MAX);
	memset(d, 0, sizeof(*d));
	d->ops = s->ops;
	d->vm = s->vm;
	d->index = s->index;
	d->offered = s->features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX;
	if (s->packed)
		d->offered |= VIRTIO_F_PACKED;
	d->queues = s->queues;
	d->queue_size = s->queue_size;
	d->config_size = s->config_size;
	d->rl = (struct ratelimit)RATELIMIT(LOG_BURST);
	d->timers = s->timers;
	timer_init(&d->again, look_again);
	for (unsigned i = 0; i < d->queues; i++) {
		vq_init(&d->queue[i].vq, s->gm, &host);
		d->queue[i].cfg.size = s->queue_size;
	}
}
