/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI buses of the physical machine: which functions there are, and their configuration space
 * (its first 256 bytes, through the ports 0xCF8 and 0xCFC). The guests' bus is hv/dev/pci.h.
 *
 * Source: PCI Local Bus Specification 3.0; register names from <linux/pci_regs.h>.
 */
#ifndef HV_DRV_PCI_H
#define HV_DRV_PCI_H

#include "hv/drv/ports.h"
#include "hv/lib/status.h"
#include "hv/mem/addr.h"

struct pci_function {
	const struct port_ops *ports;
	u8 bus, slot, function;
	u16 vendor, device;
	u32 class_code; /* 24 bits: class, subclass, interface */
};

/* size: 1, 2 or 4 bytes; offset: a multiple of it, below 256. */
u32 pci_fn_read(const struct pci_function *f, unsigned offset, unsigned size);
void pci_fn_write(const struct pci_function *f, unsigned offset, unsigned size, u32 value);

/* Calls fn for each function on bus 0 and behind the bridges that firmware has set up. */
void pci_for_each(const struct port_ops *ports, void (*fn)(const struct pci_function *f, void *ctx),
	void *ctx);

/* The address in a BAR; false: it is not of that kind, or firmware has given it none. */
bool pci_fn_io_bar(const struct pci_function *f, unsigned bar, u16 *port);
bool pci_fn_mem_bar(const struct pci_function *f, unsigned bar, hpa_t *address);

/* Lets the function answer (PCI_COMMAND_IO, PCI_COMMAND_MEMORY) and reach memory
 * (PCI_COMMAND_MASTER). */
void pci_fn_enable(const struct pci_function *f, u16 bits);

/* The offset of a capability, or 0. */
unsigned pci_fn_capability(const struct pci_function *f, u8 id);

/* MSI on, as this vector to one processor; INTx off. ERR_NOENT: it has no MSI. */
enum status pci_fn_msi(const struct pci_function *f, u8 vector, u32 apic_id) __must_check;

#endif
