/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a virtio device in memory, and its interrupt line. */
#include "virtio/mmio.h"

#include "hv/lib/string.h"
#include "virtio/spec.h"

#define WORD sizeof(u32)

/* ---- interrupts: 4.2.2 "InterruptStatus" ---- */

static void set_line(struct virtio_mmio *m)
{
	unsigned line = m->index % LAYOUT_VIRTIO_GSIS;
	u32 *asserted = &m->bus->asserted[line], bit = (u32)BIT(m->index);

	*asserted = m->interrupts ? *asserted | bit : *asserted & ~bit;
	m->bus->set_gsi(m->bus->ctx, LAYOUT_VIRTIO_GSI + line, *asserted != 0);
}

static void queue_interrupt(void *ctx, unsigned queue)
{
	struct virtio_mmio *m = ctx;

	(void)queue;
	m->interrupts |= (u32)VIRTIO_ISR_QUEUE;
	set_line(m);
}

static void config_interrupt(void *ctx)
{
	struct virtio_mmio *m = ctx;

	m->interrupts |= (u32)VIRTIO_ISR_CONFIG;
	set_line(m);
}

static void reset_registers(struct virtio_mmio *m)
{
	m->offered_select = 0;
	m->accepted_select = 0;
	m->queue_select = 0;
	m->interrupts = 0;
	set_line(m);
}

/* ---- reading ---- */

static const struct virtio_queue *selected(const struct virtio_mmio *m)
{
	return m->queue_select < m->dev->queues ? &m->dev->queue[m->queue_select] : NULL;
}

static u32 get_magic(const struct virtio_mmio *m)
{
	(void)m;
	return VIRTIO_MMIO_MAGIC_VALUE;
}

static u32 get_version(const struct virtio_mmio *m)
{
	(void)m;
	return VIRTIO_MMIO_VERSION_2;
}

static u32 get_device(const struct virtio_mmio *m)
{
	return m->dev->ops->id;
}

static u32 get_vendor(const struct virtio_mmio *m)
{
	(void)m;
	return VIRTIO_PCI_VENDOR;
}

static u32 get_offered(const struct virtio_mmio *m)
{
	return virtio_offered_word(m->dev, m->offered_select);
}

static u32 get_queue_max(const struct virtio_mmio *m)
{
	return selected(m) ? m->dev->queue_size : 0;
}

static u32 get_queue_ready(const struct virtio_mmio *m)
{
	const struct virtio_queue *q = selected(m);

	return q && q->enabled;
}

static u32 get_interrupts(const struct virtio_mmio *m)
{
	return m->interrupts;
}

static u32 get_status(const struct virtio_mmio *m)
{
	return m->dev->status;
}

static u32 get_generation(const struct virtio_mmio *m)
{
	return m->dev->generation;
}

/* 2.10 "Shared Memory Regions": a length of all ones says that there is none. */
static u32 get_no_region(const struct virtio_mmio *m)
{
	(void)m;
	return UINT32_MAX;
}

/* ---- writing ---- */

static void set_offered_select(struct virtio_mmio *m, u32 value)
{
	m->offered_select = value;
}

static void set_accepted_select(struct virtio_mmio *m, u32 value)
{
	m->accepted_select = value;
}

static void set_accepted(struct virtio_mmio *m, u32 value)
{
	virtio_accept_word(m->dev, m->accepted_select, value);
}

static void set_queue_select(struct virtio_mmio *m, u32 value)
{
	m->queue_select = value;
}

static void set_queue_size(struct virtio_mmio *m, u32 value)
{
	struct vq_config *q = virtio_queue_regs(m->dev, m->queue_select);

	/* What does not fit the register is larger than any ring, and is refused as that. */
	if (q)
		q->size = (u16)MIN(value, (u32)UINT16_MAX);
}

static void set_queue_ready(struct virtio_mmio *m, u32 value)
{
	if (value == 1)
		virtio_queue_enable(m->dev, m->queue_select);
	else if (!get_queue_ready(m))
		return;
	else
		virtio_complain(m->dev, "queue %u ends with a reset only", m->queue_select);
}

static void set_notify(struct virtio_mmio *m, u32 value)
{
	virtio_notify(m->dev, value);
}

static void set_acknowledge(struct virtio_mmio *m, u32 value)
{
	m->interrupts &= ~value;
	set_line(m);
}

static void set_status(struct virtio_mmio *m, u32 value)
{
	virtio_set_status(m->dev, (u8)value);
	if (!(u8)value)
		reset_registers(m);
}

/* Half of the address in one of a queue's registers, which are one after the other. */
static void set_address(struct virtio_mmio *m, u64 offset, u32 value)
{
	struct vq_config *q = virtio_queue_regs(m->dev, m->queue_select);
	u64 which = (offset - VIRTIO_MMIO_DESC) / VIRTIO_MMIO_ADDRESS_STEP;
	gpa_t *a;

	if (!q)
		return;
	a = which == 0 ? &q->desc : which == 1 ? &q->driver : &q->device;
	if (offset % VIRTIO_MMIO_ADDRESS_STEP)
		*a = GPA((u32)a->v | (u64)value << 32);
	else
		*a = GPA((a->v & ~(u64)UINT32_MAX) | value);
}

/* ---- the table of registers ---- */

static const struct {
	u64 offset;
	u32 (*get)(const struct virtio_mmio *m);
	void (*set)(struct virtio_mmio *m, u32 value);
} registers[] = {
	{ VIRTIO_MMIO_MAGIC, get_magic, NULL },
	{ VIRTIO_MMIO_VERSION, get_version, NULL },
	{ VIRTIO_MMIO_DEVICE, get_device, NULL },
	{ VIRTIO_MMIO_VENDOR, get_vendor, NULL },
	{ VIRTIO_MMIO_OFFERED, get_offered, NULL },
	{ VIRTIO_MMIO_OFFERED_SELECT, NULL, set_offered_select },
	{ VIRTIO_MMIO_ACCEPTED, NULL, set_accepted },
	{ VIRTIO_MMIO_ACCEPTED_SELECT, NULL, set_accepted_select },
	{ VIRTIO_MMIO_QUEUE_SELECT, NULL, set_queue_select },
	{ VIRTIO_MMIO_QUEUE_MAX, get_queue_max, NULL },
	{ VIRTIO_MMIO_QUEUE_SIZE, NULL, set_queue_size },
	{ VIRTIO_MMIO_QUEUE_READY, get_queue_ready, set_queue_ready },
	{ VIRTIO_MMIO_NOTIFY, NULL, set_notify },
	{ VIRTIO_MMIO_INTERRUPTS, get_interrupts, NULL },
	{ VIRTIO_MMIO_ACKNOWLEDGE, NULL, set_acknowledge },
	{ VIRTIO_MMIO_STATUS, get_status, set_status },
	{ VIRTIO_MMIO_REGION_LENGTH, get_no_region, NULL },
	{ VIRTIO_MMIO_REGION_LENGTH + WORD, get_no_region, NULL },
	{ VIRTIO_MMIO_REGION_BASE, get_no_region, NULL },
	{ VIRTIO_MMIO_REGION_BASE + WORD, get_no_region, NULL },
	{ VIRTIO_MMIO_GENERATION, get_generation, NULL },
};

/* 4.2.2.2: all but the configuration is read and written in words. What is not there reads as 0. */
static u64 mmio_read(void *dev, u64 offset, unsigned size)
{
	const struct virtio_mmio *m = dev;

	if (offset >= VIRTIO_MMIO_CONFIG)
		return virtio_config_read(m->dev, offset - VIRTIO_MMIO_CONFIG, size);
	for (unsigned i = 0; size == WORD && i < ARRAY_SIZE(registers); i++)
		if (registers[i].offset == offset && registers[i].get)
			return registers[i].get(m);
	return 0;
}

static bool is_address(u64 offset)
{
	u64 in = (offset - VIRTIO_MMIO_DESC) % VIRTIO_MMIO_ADDRESS_STEP;

	return offset >= VIRTIO_MMIO_DESC &&
	       offset < VIRTIO_MMIO_DESC + 3 * VIRTIO_MMIO_ADDRESS_STEP && (!in || in == WORD);
}

static void mmio_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct virtio_mmio *m = dev;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		virtio_config_write(m->dev, offset - VIRTIO_MMIO_CONFIG, size, value);
		return;
	}
	if (size == WORD && is_address(offset)) {
		set_address(m, offset, (u32)value);
		return;
	}
	for (unsigned i = 0; size == WORD && i < ARRAY_SIZE(registers); i++)
		if (registers[i].offset == offset && registers[i].set) {
			registers[i].set(m, (u32)value);
			return;
		}
	virtio_complain(m->dev, "write of %u bytes at 0x%lx of its registers", size, offset);
}

static const struct io_ops mmio_io = { .read = mmio_read, .write = mmio_write };

/* ---- */

enum status virtio_mmio_attach(
	struct virtio_mmio *m, struct virtio_dev *d, struct virtio_mmio_bus *bus, unsigned index)
{
	if (index >= LAYOUT_VIRTIO_MAX)
		return ERR_RANGE;
	*m = (struct virtio_mmio){ .dev = d, .bus = bus, .index = index };
	d->irq = (struct virtio_irq){ queue_interrupt, config_interrupt, m };
	return bus_add(
		bus->mmio, LAYOUT_VIRTIO + index * PAGE_SIZE, PAGE_SIZE, &mmio_io, m, d->ops->name);
}

void virtio_mmio_reset(struct virtio_mmio *m)
{
	virtio_reset(m->dev);
	reset_registers(m);
}
