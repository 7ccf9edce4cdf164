/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSI-X for a device on the PCI bus: a table of messages and a bitmap of pending ones, in a memory
 * BAR of their own. Source: PCI Local Bus Specification 3.0, "MSI-X Capability and Table
 * Structure".
 */
#ifndef HV_DEV_MSIX_H
#define HV_DEV_MSIX_H

#include "hv/dev/pci.h"

#define MSIX_VECTORS_MAX 64
#define MSIX_BAR_SIZE	 0x1000ul
#define MSIX_PBA_OFFSET	 0x800ul

struct msix_entry { /* as in the table */
	u32 address_low, address_high;
	u32 data;
	u32 control;
};

struct msix {
	struct pci_dev *dev;
	unsigned cap; /* offset of the capability */
	unsigned vectors;
	bool live;   /* enabled, not masked as a whole, and the device is a bus master */
	u64 pending; /* one bit a vector */
	struct msix_entry entry[MSIX_VECTORS_MAX];
};

/* Gives d (not yet attached) MSI-X with vectors (1..MSIX_VECTORS_MAX) in the memory BAR bar. */
void msix_init(struct msix *m, struct pci_dev *d, unsigned bar, unsigned vectors);
void msix_reset(struct msix *m); /* off, all vectors masked */

bool msix_enabled(const struct msix *m);

/* Sends the message of a vector, or notes it as pending while it is masked or the device no bus
 * master. Without MSI-X, and for vectors that do not exist, it does nothing. */
void msix_fire(struct msix *m, unsigned vector);

/* For pci.c: the guest wrote to configuration space, the command register included. */
void msix_config_written(struct msix *m);

#endif
