/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI bus with one virtio device, for tests that drive it through its registers, as a driver
 * does: capabilities found in configuration space, structures through the BARs.
 */
#ifndef TESTS_UNIT_VIRTIO_BUS_H
#define TESTS_UNIT_VIRTIO_BUS_H

#include "tests/unit/virtio_util.h"

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "virtio/pci.h"

#define SLOT	 3
#define GSI	 (PCI_INTX_GSI + SLOT % PCI_INTX_LINES)
#define MSI_BASE 0xfee00000u

static struct {
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct virtio_pci v;
	struct virtio_dev *dev;
	bool line;	     /* the interrupt line of the slot */
	unsigned vector[16]; /* messages, by the low byte of their data */
	/* what the driver found */
	u64 common, isr, config, notify, ports;
	u32 multiplier, ports_step;
	unsigned window;
} p;

static void bus_set_gsi(void *ctx, unsigned gsi, bool level)
{
	(void)ctx;
	if (gsi == GSI)
		p.line = level;
}

static void bus_msi(void *ctx, u64 address, u32 data)
{
	(void)ctx;
	assert_int_equal(address, MSI_BASE);
	assert_in_range(data, 0, ARRAY_SIZE(p.vector) - 1);
	p.vector[data]++;
}

static void bus_fire_reset(void *ctx)
{
	(void)ctx;
}

static __unused u64 config_read(unsigned reg, unsigned size)
{
	bus_write(&p.pio, 0xcf8, 4, 0x80000000 | SLOT << 11 | (reg & ~3u));
	return bus_read(&p.pio, 0xcfc + reg % 4, size);
}

static __unused void config_write(unsigned reg, unsigned size, u64 value)
{
	bus_write(&p.pio, 0xcf8, 4, 0x80000000 | SLOT << 11 | (reg & ~3u));
	bus_write(&p.pio, 0xcfc + reg % 4, size, value);
}

static u64 bar_base(unsigned bar)
{
	return config_read(PCI_BASE_ADDRESS_0 + bar * 4, 4) & ~0xful;
}

/* As a driver does: the first capability of each type; and the second for notifications. */
static void find_structures(void)
{
	for (unsigned cap = (unsigned)config_read(PCI_CAPABILITY_LIST, 1); cap;
		cap = (unsigned)config_read(cap + PCI_CAP_LIST_NEXT, 1)) {
		u64 at = bar_base((unsigned)config_read(cap + 4, 1)) + config_read(cap + 8, 4);

		if (config_read(cap, 1) != PCI_CAP_ID_VNDR)
			continue;
		switch (config_read(cap + 3, 1)) {
		case VIRTIO_PCI_CAP_COMMON_CFG: p.common = at; break;
		case VIRTIO_PCI_CAP_ISR_CFG: p.isr = at; break;
		case VIRTIO_PCI_CAP_DEVICE_CFG: p.config = at; break;
		case VIRTIO_PCI_CAP_PCI_CFG: p.window = cap; break;
		case VIRTIO_PCI_CAP_NOTIFY_CFG:
			if (at < 0x10000) {
				p.ports = at;
				p.ports_step = (u32)config_read(cap + 16, 4);
			} else {
				p.notify = at;
				p.multiplier = (u32)config_read(cap + 16, 4);
			}
		}
	}
	assert_true(p.common && p.isr && p.notify && p.ports && p.window);
}

static __unused void common_write(unsigned offset, unsigned size, u64 value)
{
	bus_write(&p.mmio, p.common + offset, size, value);
}

static __unused u64 common_read(unsigned offset, unsigned size)
{
	return bus_read(&p.mmio, p.common + offset, size);
}

static __unused u8 status(void)
{
	return (u8)common_read(VIRTIO_PCI_COMMON_STATUS, 1);
}

static __unused void set_status(u8 value)
{
	common_write(VIRTIO_PCI_COMMON_STATUS, 1, value);
}

static __unused void add_status(u8 bits)
{
	set_status(status() | bits);
}

static __unused u64 offered(void)
{
	u64 low;

	common_write(VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	low = common_read(VIRTIO_PCI_COMMON_DF, 4);
	common_write(VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	return low | common_read(VIRTIO_PCI_COMMON_DF, 4) << 32;
}

static __unused void accept(u64 features)
{
	common_write(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	common_write(VIRTIO_PCI_COMMON_GF, 4, (u32)features);
	common_write(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	common_write(VIRTIO_PCI_COMMON_GF, 4, features >> 32);
}

/* Up to FEATURES_OK. */
static __unused void negotiate(u64 features)
{
	set_status(0);
	add_status(VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(VIRTIO_CONFIG_S_DRIVER);
	accept(features);
	add_status(VIRTIO_CONFIG_S_FEATURES_OK);
}

static __unused void write_address(unsigned offset, u64 gpa)
{
	common_write(offset, 4, (u32)gpa);
	common_write(offset + 4, 4, gpa >> 32);
}

static __unused void set_queue(u16 queue, const struct driver *d)
{
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
	common_write(VIRTIO_PCI_COMMON_Q_SIZE, 2, d->size);
	write_address(VIRTIO_PCI_COMMON_Q_DESCLO, d->desc);
	write_address(VIRTIO_PCI_COMMON_Q_AVAILLO, d->driver);
	write_address(VIRTIO_PCI_COMMON_Q_USEDLO, d->device);
}

static __unused void enable_queue(u16 queue, const struct driver *d)
{
	set_queue(queue, d);
	common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

static __unused void kick(u16 queue)
{
	bus_write(&p.pio, p.ports + queue * p.ports_step, 2, queue);
}

static __unused void enable_msix(void)
{
	u64 table = bar_base(1);

	for (unsigned i = 0; i < p.v.msix.vectors; i++) {
		bus_write(&p.mmio, table + i * 16, 4, MSI_BASE);
		bus_write(&p.mmio, table + i * 16 + 8, 4, i);
		bus_write(&p.mmio, table + i * 16 + 12, 4, 0);
	}
	config_write(p.v.msix.cap + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
}

static __unused u16 set_vector(unsigned offset, u16 vector)
{
	common_write(offset, 2, vector);
	return (u16)common_read(offset, 2);
}

/* Queues 0 to queues - 1 are made, each at its place in memory, and the driver is ready. */
static __unused void start_queues(struct driver *d, u16 queues, u16 size, bool packed)
{
	for (u16 i = 0; i < queues; i++) {
		drv_init(&d[i], 0x10000 + i * 0x4000u, size, packed, false);
		enable_queue(i, &d[i]);
	}
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
}

/* The bus with the device d, which is initialised; its driver may master the bus. */
static int bus_with(struct virtio_dev *d)
{
	memset(&p, 0, sizeof(p));
	p.dev = d;
	reset_init(&p.reset, bus_fire_reset, &p);
	pci_init(&p.host, &p.pio, &p.mmio, &p.reset, bus_set_gsi, bus_msi, &p);
	if (bus_add(&p.pio, PCI_CONFIG_PORT, PCI_CONFIG_PORTS, &pci_port_io, &p.host, "pci") ||
		virtio_pci_attach(&p.v, d, &p.host, SLOT))
		return -1;
	config_write(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	find_structures();
	return 0;
}

#endif
