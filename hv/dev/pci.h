/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI bus 0: the host bridge, the two ways to configuration space, and what every device on the
 * bus has in common.
 *
 *   ports 0xCF8/0xCFC --\
 *                        configuration space --BARs--> ranges on the port and MMIO buses
 *   ECAM ---------------/                    --MSI-X, INTx--> interrupts
 *
 * A BAR decodes only where it may: memory wholly inside the window that the host bridge declares in
 * the DSDT, ports from PCI_IO_START up, and never over a range that something else has claimed.
 * Anywhere else it is as if decoding were off. So no BAR can cover RAM or a local APIC.
 *
 * Source: PCI Local Bus Specification 3.0; register names from <linux/pci_regs.h>.
 */
#ifndef HV_DEV_PCI_H
#define HV_DEV_PCI_H

#include "hv/ctl/log.h"
#include "hv/dev/bus.h"
#include "hv/dev/reset.h"
#include "hv/dev/wire.h"
#include "hv/lib/status.h"
#include "hv/mem/addr.h"

#define PCI_CONFIG_PORT	 0xcf8
#define PCI_CONFIG_PORTS 8
#define PCI_SLOTS	 32
#define PCI_CONFIG_SIZE	 256
#define PCI_BARS	 6
#define PCI_IO_START	 0x1000ul
#define PCI_IO_END	 0x10000ul
#define PCI_IO_HOME	 0xc000ul /* where the first I/O BAR is at power-on */
#define PCI_INTX_LINES	 2

/*
 * The interrupt line of a device's INTA#, which _PRT in the DSDT repeats: two lines that exist on
 * PIC and IOAPIC alike, in turn.
 */
#define PCI_INTX_GSI 10

struct pci_host;
struct pci_dev;
struct msix;

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_IO,
	PCI_BAR_MEM32,
	PCI_BAR_MEM64
};

struct pci_bar {
	enum pci_bar_kind kind;
	u64 size;		  /* a power of two */
	u64 home;		  /* address at power-on */
	const struct io_ops *ops; /* what is behind it */
	void *dev;
	bool mapped;
	u64 base; /* while mapped */
};

struct pci_id {
	u16 vendor, device, subsystem_vendor, subsystem;
	u32 class_code; /* 24 bits: class, subclass, interface */
	u8 revision;
	bool intx; /* has INTA# */
};

struct pci_dev {
	const char *name;
	struct pci_host *host;
	unsigned slot;
	u8 config[PCI_CONFIG_SIZE];
	u8 writable[PCI_CONFIG_SIZE]; /* bits of config that the guest can change */
	struct pci_bar bar[PCI_BARS];
	unsigned cap_end;  /* first free byte for a capability */
	unsigned cap_last; /* offset of the "next" field of the last one */
	struct msix *msix; /* NULL: none */
	bool intx;	   /* level of INTA#, before the disable bit */
	/* Before the guest reads size bytes at offset: config may be brought up to date. May be
	 * NULL. */
	void (*reading)(struct pci_dev *d, unsigned offset, unsigned size);
	/* After the guest wrote size bytes at offset. May be NULL. */
	void (*written)(struct pci_dev *d, unsigned offset, unsigned size);
};

struct pci_host {
	u32 address; /* CONFIG_ADDRESS */
	struct pci_dev bridge;
	struct pci_dev *dev[PCI_SLOTS];
	struct bus *pio, *mmio;
	struct reset *reset;
	u64 next_mem, next_io;	  /* where the next device's BARs go at power-on */
	u32 intx[PCI_INTX_LINES]; /* slots that assert each line */
	void (*set_gsi)(void *ctx, unsigned gsi, bool level);
	void (*msi)(void *ctx, u64 address, u32 data);
	void *ctx;
	struct ratelimit rl;
};

extern const struct io_ops pci_port_io; /* PCI_CONFIG_PORTS ports; dev is a struct pci_host */
extern const struct io_ops pci_ecam_io; /* LAYOUT_ECAM_SIZE; dev is a struct pci_host */

/* The bus with the host bridge in slot 0. Byte accesses to the port 0xCF9 go to reset. */
void pci_init(struct pci_host *h, struct bus *pio, struct bus *mmio, struct reset *reset,
	void (*set_gsi)(void *ctx, unsigned gsi, bool level),
	void (*msi)(void *ctx, u64 address, u32 data), void *ctx);
/* Power-on: BARs at home, INTA# low, MSI-X off. Devices reset themselves. */
void pci_reset(struct pci_host *h);

/* A device in pieces, then attached. The caller keeps d for as long as the bus lives. */
void pci_dev_init(struct pci_dev *d, const char *name, const struct pci_id *id);
/* size: a power of two, at least 16 bytes for memory and 4 for ports. A 64-bit BAR takes index + 1
 * too. */
void pci_dev_bar(struct pci_dev *d, unsigned index, enum pci_bar_kind kind, u64 size,
	const struct io_ops *ops, void *dev);
/* Adds a capability of len bytes in all, zero but for its header; returns its offset. Configuration
 * space must have room. */
unsigned pci_dev_capability(struct pci_dev *d, u8 id, unsigned len);
/* Assigns BARs as firmware would and maps them. ERR_EXIST: the slot is taken; ERR_RANGE: no room
 * for a BAR. */
enum status pci_attach(struct pci_host *h, struct pci_dev *d, unsigned slot) __must_check;

/* The level of INTA#. */
void pci_set_intx(struct pci_dev *d, bool level);
/* Does the guest let the device write to memory (and so send MSIs)? */
bool pci_bus_master(const struct pci_dev *d);

u16 pci_config16(const struct pci_dev *d, unsigned offset);
u32 pci_config32(const struct pci_dev *d, unsigned offset);
void pci_set_config16(struct pci_dev *d, unsigned offset, u16 value);
void pci_set_config32(struct pci_dev *d, unsigned offset, u32 value);

#endif
