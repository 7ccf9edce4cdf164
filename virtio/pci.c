/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a virtio device on the PCI bus, and its interrupts. */
#include "virtio/pci.h"

#include <linux/pci_regs.h>

#include "hv/lib/string.h"
#include "virtio/spec.h"

#define BAR_STRUCTURES 0u
#define BAR_MSIX       1u
#define BAR_PORTS      2u

/* ---- interrupts: 4.1.5 ---- */

static void interrupt(struct virtio_pci *v, u16 vector, u8 reason)
{
	if (msix_enabled(&v->msix)) {
		msix_fire(&v->msix, vector); /* VIRTIO_NO_VECTOR is none that exists */
		return;
	}
	v->isr |= reason;
	pci_set_intx(&v->pci, true);
}

static void queue_interrupt(void *ctx, unsigned queue)
{
	struct virtio_pci *v = ctx;

	interrupt(v, v->vector[queue], VIRTIO_ISR_QUEUE);
}

static void config_interrupt(void *ctx)
{
	struct virtio_pci *v = ctx;

	interrupt(v, v->config_vector, VIRTIO_ISR_CONFIG);
}

static u64 isr_read(struct virtio_pci *v, u64 offset, unsigned size)
{
	u8 isr = v->isr;

	(void)size;
	if (offset)
		return 0;
	v->isr = 0;
	pci_set_intx(&v->pci, false);
	return isr;
}

/* ---- common configuration: 4.1.4.3 ---- */

/* What a device looks like after a reset by the driver. */
static void reset_registers(struct virtio_pci *v)
{
	v->offered_select = 0;
	v->accepted_select = 0;
	v->queue_select = 0;
	v->config_vector = VIRTIO_NO_VECTOR;
	for (unsigned i = 0; i < ARRAY_SIZE(v->vector); i++)
		v->vector[i] = VIRTIO_NO_VECTOR;
	v->isr = 0;
	pci_set_intx(&v->pci, false);
}

static void common_snapshot(const struct virtio_pci *v, struct virtio_pci_common *c)
{
	const struct virtio_dev *d = v->dev;
	const struct virtio_queue *q;

	*c = (struct virtio_pci_common){
		.device_feature_select = v->offered_select,
		.device_feature = virtio_offered_word(d, v->offered_select),
		.driver_feature_select = v->accepted_select,
		.driver_feature = virtio_accepted_word(d, v->accepted_select),
		.config_msix_vector = v->config_vector,
		.num_queues = (u16)d->queues,
		.device_status = d->status,
		.config_generation = d->generation,
		.queue_select = v->queue_select,
		.queue_msix_vector = VIRTIO_NO_VECTOR,
	};
	if (v->queue_select >= d->queues)
		return; /* a size of 0: there is no such queue */
	q = &d->queue[v->queue_select];
	c->queue_size = q->cfg.size;
	c->queue_msix_vector = v->vector[v->queue_select];
	c->queue_enable = q->enabled;
	c->queue_notify_off = v->queue_select;
	c->queue_desc = q->cfg.desc.v;
	c->queue_driver = q->cfg.driver.v;
	c->queue_device = q->cfg.device.v;
}

static u64 common_read(struct virtio_pci *v, u64 offset, unsigned size)
{
	struct virtio_pci_common c;
	u64 value = 0;

	if (offset + size > sizeof(c))
		return 0;
	common_snapshot(v, &c);
	memcpy(&value, (const u8 *)&c + offset, size);
	return value;
}

static void set_offered_select(struct virtio_pci *v, u64 value)
{
	v->offered_select = (u32)value;
}

static void set_accepted_select(struct virtio_pci *v, u64 value)
{
	v->accepted_select = (u32)value;
}

static void set_accepted(struct virtio_pci *v, u64 value)
{
	virtio_accept_word(v->dev, v->accepted_select, (u32)value);
}

static u16 valid_vector(const struct virtio_pci *v, u64 value)
{
	return value < v->msix.vectors ? (u16)value : VIRTIO_NO_VECTOR;
}

static void set_config_vector(struct virtio_pci *v, u64 value)
{
	v->config_vector = valid_vector(v, value);
}

static void set_queue_vector(struct virtio_pci *v, u64 value)
{
	if (v->queue_select < v->dev->queues)
		v->vector[v->queue_select] = valid_vector(v, value);
}

static void set_status(struct virtio_pci *v, u64 value)
{
	virtio_set_status(v->dev, (u8)value);
	if (!value)
		reset_registers(v);
}

static void set_queue_select(struct virtio_pci *v, u64 value)
{
	v->queue_select = (u16)value;
}

static void set_queue_size(struct virtio_pci *v, u64 value)
{
	struct vq_config *q = virtio_queue_regs(v->dev, v->queue_select);

	if (q)
		q->size = (u16)value;
}

/* 4.1.4.3.2: the driver must not write 0. */
static void set_queue_enable(struct virtio_pci *v, u64 value)
{
	if (value == 1)
		virtio_queue_enable(v->dev, v->queue_select);
}

/* Puts value into half a 64-bit address. */
static void set_half(gpa_t *gpa, bool high, u64 value)
{
	u64 kept = high ? (u32)gpa->v : gpa->v & ~(u64)UINT32_MAX;

	*gpa = GPA(kept | (high ? value << 32 : value));
}

/* The setters of an address: as a whole, which a driver need not be able to, and in halves. */
#define ADDRESS_SETTERS(field)                                                                     \
	static void set_##field(struct virtio_pci *v, u64 value)                                   \
	{                                                                                          \
		struct vq_config *q = virtio_queue_regs(v->dev, v->queue_select);                  \
                                                                                                   \
		if (q)                                                                             \
			q->field = GPA(value);                                                     \
	}                                                                                          \
                                                                                                   \
	static void set_##field##_low(struct virtio_pci *v, u64 value)                             \
	{                                                                                          \
		struct vq_config *q = virtio_queue_regs(v->dev, v->queue_select);                  \
                                                                                                   \
		if (q)                                                                             \
			set_half(&q->field, false, value);                                         \
	}                                                                                          \
                                                                                                   \
	static void set_##field##_high(struct virtio_pci *v, u64 value)                            \
	{                                                                                          \
		struct vq_config *q = virtio_queue_regs(v->dev, v->queue_select);                  \
                                                                                                   \
		if (q)                                                                             \
			set_half(&q->field, true, value);                                          \
	}

ADDRESS_SETTERS(desc)
ADDRESS_SETTERS(driver)
ADDRESS_SETTERS(device)

#define COMMON(field) offsetof(struct virtio_pci_common, field)
#define HALF	      sizeof(u32)

/* 4.1.3.1: a register is written with an access of its own size. */
static const struct {
	u64 offset;
	unsigned size;
	void (*set)(struct virtio_pci *v, u64 value);
} common_registers[] = {
	{ COMMON(device_feature_select), 4, set_offered_select },
	{ COMMON(driver_feature_select), 4, set_accepted_select },
	{ COMMON(driver_feature), 4, set_accepted },
	{ COMMON(config_msix_vector), 2, set_config_vector },
	{ COMMON(device_status), 1, set_status },
	{ COMMON(queue_select), 2, set_queue_select },
	{ COMMON(queue_size), 2, set_queue_size },
	{ COMMON(queue_msix_vector), 2, set_queue_vector },
	{ COMMON(queue_enable), 2, set_queue_enable },
	{ COMMON(queue_desc), 8, set_desc },
	{ COMMON(queue_desc), 4, set_desc_low },
	{ COMMON(queue_desc) + HALF, 4, set_desc_high },
	{ COMMON(queue_driver), 8, set_driver },
	{ COMMON(queue_driver), 4, set_driver_low },
	{ COMMON(queue_driver) + HALF, 4, set_driver_high },
	{ COMMON(queue_device), 8, set_device },
	{ COMMON(queue_device), 4, set_device_low },
	{ COMMON(queue_device) + HALF, 4, set_device_high },
};

static void common_write(struct virtio_pci *v, u64 offset, unsigned size, u64 value)
{
	for (unsigned i = 0; i < ARRAY_SIZE(common_registers); i++)
		if (common_registers[i].offset == offset && common_registers[i].size == size) {
			common_registers[i].set(v, value);
			return;
		}
	virtio_complain(
		v->dev, "write of %u bytes at 0x%lx of its common configuration", size, offset);
}

/* ---- the other structures ---- */

static u64 device_read(struct virtio_pci *v, u64 offset, unsigned size)
{
	return virtio_config_read(v->dev, offset, size);
}

static void device_write(struct virtio_pci *v, u64 offset, unsigned size, u64 value)
{
	virtio_config_write(v->dev, offset, size, value);
}

static u64 read_zero(struct virtio_pci *v, u64 offset, unsigned size)
{
	(void)v;
	(void)offset;
	(void)size;
	return 0;
}

static void ignore_write(struct virtio_pci *v, u64 offset, unsigned size, u64 value)
{
	(void)value;
	virtio_complain(
		v->dev, "write of %u bytes at 0x%lx of a read-only structure", size, offset);
}

/* 4.1.5.2: the place says which queue, and so does the value. Without leave to access memory there
 * is nothing that the device could do; it looks again when it has it. */
static void notify(struct virtio_pci *v, unsigned queue, u64 value)
{
	if ((u16)value != queue)
		virtio_complain(v->dev, "notification of queue %u in the place of queue %u",
			(unsigned)(u16)value, queue);
	else if (v->master)
		virtio_notify(v->dev, queue);
}

static void notify_write(struct virtio_pci *v, u64 offset, unsigned size, u64 value)
{
	(void)size;
	notify(v, (unsigned)offset / VIRTIO_PCI_MULTIPLIER, value);
}

static u64 port_read(void *dev, u64 offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return 0;
}

static void port_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)size;
	notify(dev, (unsigned)offset / VIRTIO_PCI_PORTS, value);
}

static const struct io_ops port_io = { .read = port_read, .write = port_write };

/* ---- BAR 0: a page a structure ---- */

static const struct structure {
	u64 (*read)(struct virtio_pci *v, u64 offset, unsigned size);
	void (*write)(struct virtio_pci *v, u64 offset, unsigned size, u64 value);
} structures[] = {
	[VIRTIO_PCI_AT_COMMON / PAGE_SIZE] = { common_read, common_write },
	[VIRTIO_PCI_AT_ISR / PAGE_SIZE] = { isr_read, ignore_write },
	[VIRTIO_PCI_AT_DEVICE / PAGE_SIZE] = { device_read, device_write },
	[VIRTIO_PCI_AT_NOTIFY / PAGE_SIZE] = { read_zero, notify_write },
};
static_assert(ARRAY_SIZE(structures) * PAGE_SIZE == VIRTIO_PCI_AT_END, "all of it");

/* An access that goes on into the next page stays in the one where it starts. */
static u64 bar_read(void *dev, u64 offset, unsigned size)
{
	return structures[offset / PAGE_SIZE].read(dev, offset % PAGE_SIZE, size);
}

static void bar_write(void *dev, u64 offset, unsigned size, u64 value)
{
	structures[offset / PAGE_SIZE].write(dev, offset % PAGE_SIZE, size, value);
}

static const struct io_ops bar_io = { .read = bar_read, .write = bar_write };

/* ---- the window in configuration space: 4.1.4.9 ---- */

/* The BAR that the window points into; NULL if there is none, the place is not inside it or not
 * aligned, or the size does not exist. */
static const struct pci_bar *window_target(const struct virtio_pci *v, u32 *offset, u32 *size)
{
	const struct pci_dev *p = &v->pci;
	u8 bar = p->config[v->window + VIRTIO_PCI_CAP_BAR];

	*offset = pci_config32(p, v->window + VIRTIO_PCI_CAP_OFFSET);
	*size = pci_config32(p, v->window + VIRTIO_PCI_CAP_LENGTH);
	if (bar >= PCI_BARS || p->bar[bar].kind == PCI_BAR_NONE || *size > HALF ||
		!IS_POW2(*size) || !IS_ALIGNED(*offset, *size) || *offset >= p->bar[bar].size)
		return NULL;
	return &p->bar[bar];
}

static bool touches_window(const struct virtio_pci *v, unsigned offset, unsigned size)
{
	unsigned data = v->window + VIRTIO_PCI_CAP_DATA;

	return offset < data + HALF && data < offset + size;
}

static void config_reading(struct pci_dev *p, unsigned offset, unsigned size)
{
	struct virtio_pci *v = container_of(p, struct virtio_pci, pci);
	const struct pci_bar *b;
	u32 at, bytes;

	if (!touches_window(v, offset, size))
		return;
	b = window_target(v, &at, &bytes);
	if (b)
		pci_set_config32(
			p, v->window + VIRTIO_PCI_CAP_DATA, (u32)b->ops->read(b->dev, at, bytes));
}

static void config_written(struct pci_dev *p, unsigned offset, unsigned size)
{
	struct virtio_pci *v = container_of(p, struct virtio_pci, pci);
	bool was_master = v->master;
	const struct pci_bar *b;
	u32 at, bytes, data;

	v->master = pci_bus_master(p);
	if (v->master && !was_master)
		virtio_notify_all(v->dev);
	if (!touches_window(v, offset, size))
		return;
	b = window_target(v, &at, &bytes);
	if (!b)
		return;
	data = pci_config32(p, v->window + VIRTIO_PCI_CAP_DATA);
	b->ops->write(b->dev, at, bytes, data & GENMASK(bytes * BITS_PER_BYTE - 1, 0));
}

/* ---- putting it together ---- */

static unsigned add_capability(
	struct pci_dev *p, u8 type, unsigned len, unsigned bar, u64 offset, u64 length)
{
	unsigned cap = pci_dev_capability(p, PCI_CAP_ID_VNDR, len);

	p->config[cap + VIRTIO_PCI_CAP_LEN] = (u8)len;
	p->config[cap + VIRTIO_PCI_CAP_TYPE] = type;
	p->config[cap + VIRTIO_PCI_CAP_BAR] = (u8)bar;
	pci_set_config32(p, cap + VIRTIO_PCI_CAP_OFFSET, (u32)offset);
	pci_set_config32(p, cap + VIRTIO_PCI_CAP_LENGTH, (u32)length);
	return cap;
}

static void add_notify(struct pci_dev *p, unsigned bar, u64 offset, unsigned step, unsigned queues)
{
	unsigned cap = add_capability(p, VIRTIO_PCI_CAP_NOTIFY, VIRTIO_PCI_CAP_LONG_SIZE, bar,
		offset, (u64)step * queues);

	pci_set_config32(p, cap + VIRTIO_PCI_CAP_MULTIPLIER, step);
}

/* The driver takes the first of each type that it can use. */
static void add_capabilities(struct virtio_pci *v)
{
	struct pci_dev *p = &v->pci;
	unsigned queues = v->dev->queues;

	add_capability(p, VIRTIO_PCI_CAP_COMMON, VIRTIO_PCI_CAP_SIZE, BAR_STRUCTURES,
		VIRTIO_PCI_AT_COMMON, sizeof(struct virtio_pci_common));
	add_notify(p, BAR_PORTS, 0, VIRTIO_PCI_PORTS, queues);
	add_notify(p, BAR_STRUCTURES, VIRTIO_PCI_AT_NOTIFY, VIRTIO_PCI_MULTIPLIER, queues);
	add_capability(p, VIRTIO_PCI_CAP_ISR, VIRTIO_PCI_CAP_SIZE, BAR_STRUCTURES,
		VIRTIO_PCI_AT_ISR, sizeof(v->isr));
	if (v->dev->config_size)
		add_capability(p, VIRTIO_PCI_CAP_DEVICE, VIRTIO_PCI_CAP_SIZE, BAR_STRUCTURES,
			VIRTIO_PCI_AT_DEVICE, v->dev->config_size);
	v->window = add_capability(
		p, VIRTIO_PCI_CAP_WINDOW, VIRTIO_PCI_CAP_LONG_SIZE, BAR_STRUCTURES, 0, 0);
	p->writable[v->window + VIRTIO_PCI_CAP_BAR] = UINT8_MAX;
	memset(&p->writable[v->window + VIRTIO_PCI_CAP_OFFSET], UINT8_MAX,
		VIRTIO_PCI_CAP_LONG_SIZE - VIRTIO_PCI_CAP_OFFSET);
}

enum status virtio_pci_attach(
	struct virtio_pci *v, struct virtio_dev *d, struct pci_host *host, unsigned slot)
{
	const struct pci_id id = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = (u16)(VIRTIO_PCI_DEVICE_BASE + d->ops->id),
		.subsystem_vendor = VIRTIO_PCI_VENDOR,
		.subsystem = VIRTIO_PCI_SUBSYSTEM,
		.class_code = d->ops->class_code,
		.revision = VIRTIO_PCI_REVISION,
		.intx = true,
	};

	memset(v, 0, sizeof(*v));
	v->dev = d;
	pci_dev_init(&v->pci, d->ops->name, &id);
	pci_dev_bar(&v->pci, BAR_STRUCTURES, PCI_BAR_MEM32, VIRTIO_PCI_AT_END, &bar_io, v);
	pci_dev_bar(
		&v->pci, BAR_PORTS, PCI_BAR_IO, VIRTIO_PCI_PORTS * VIRTIO_QUEUES_MAX, &port_io, v);
	msix_init(&v->msix, &v->pci, BAR_MSIX, d->queues + 1);
	add_capabilities(v);
	v->pci.reading = config_reading;
	v->pci.written = config_written;
	d->irq = (struct virtio_irq){ queue_interrupt, config_interrupt, v };
	reset_registers(v);
	return pci_attach(host, &v->pci, slot);
}

void virtio_pci_reset(struct virtio_pci *v)
{
	virtio_reset(v->dev);
	reset_registers(v);
	v->master = pci_bus_master(&v->pci);
}
