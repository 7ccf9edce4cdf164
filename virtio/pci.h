/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device on the PCI bus, by the modern interface alone.
 *
 *   BAR 0, memory  common configuration | ISR | device configuration | notifications
 *   BAR 1, memory  MSI-X table and pending bits: vector 0.. as the driver assigns them
 *   BAR 2, ports   notifications again: the first choice of drivers, since a port write tells all
 *                  that the hypervisor needs to know, where a memory write has to be decoded
 *
 * Source: virtio 1.2, section 4.1 "Virtio Over PCI Bus".
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include "hv/dev/msix.h"
#include "hv/dev/pci.h"
#include "virtio/device.h"

/* Where the structures are in BAR 0; each has a page of its own. */
#define VIRTIO_PCI_AT_COMMON  0x0000ul
#define VIRTIO_PCI_AT_ISR     0x1000ul
#define VIRTIO_PCI_AT_DEVICE  0x2000ul
#define VIRTIO_PCI_AT_NOTIFY  0x3000ul
#define VIRTIO_PCI_AT_END     0x4000ul
#define VIRTIO_PCI_MULTIPLIER 4u /* bytes from one queue's notification to the next, in memory */
#define VIRTIO_PCI_PORTS      2u /* the same for ports */

struct virtio_pci {
	struct pci_dev pci;
	struct msix msix;
	struct virtio_dev *dev;
	u32 offered_select, accepted_select; /* words of features */
	u16 queue_select;
	u16 config_vector;
	u16 vector[VIRTIO_QUEUES_MAX];
	u8 isr;
	bool master;	 /* the driver lets the device access memory */
	unsigned window; /* offset of the capability */
};

/* Puts the device d, initialised, into a slot. Errors: those of pci_attach(). Both live as long as
 * the bus. */
enum status virtio_pci_attach(struct virtio_pci *v, struct virtio_dev *d, struct pci_host *host,
	unsigned slot) __must_check;

/* Power-on, after pci_reset(). */
void virtio_pci_reset(struct virtio_pci *v);

#endif
