/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio devices as registers in memory, without a bus to search: their places stand in the ACPI
 * tables (LNRO0005, hv/dev/dsdt.asl), where a place without a device says so by reading as ones.
 *
 * Source: virtio 1.2, section 4.2 "Virtio Over MMIO".
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include "hv/dev/bus.h"
#include "hv/dev/layout.h"
#include "virtio/device.h"

/* What the devices share: the bus, and interrupt lines, of which several may have the same. */
struct virtio_mmio_bus {
	struct bus *mmio;
	void (*set_gsi)(void *ctx, unsigned gsi, bool level);
	void *ctx;
	u32 asserted[LAYOUT_VIRTIO_GSIS]; /* a bit for each device of the line */
};

struct virtio_mmio {
	struct virtio_dev *dev;
	struct virtio_mmio_bus *bus;
	unsigned index;
	u32 offered_select, accepted_select; /* words of features */
	u32 queue_select;
	u32 interrupts; /* VIRTIO_ISR_*: not acknowledged */
};

/* Puts the device d, initialised, into place `index` (below LAYOUT_VIRTIO_MAX). Errors: those of
 * bus_add(); ERR_RANGE: there is no such place. Both live as long as the bus. */
enum status virtio_mmio_attach(struct virtio_mmio *m, struct virtio_dev *d,
	struct virtio_mmio_bus *bus, unsigned index) __must_check;

/* Power-on. */
void virtio_mmio_reset(struct virtio_mmio *m);

#endif
