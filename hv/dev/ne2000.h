/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network card of io=emulated: an NE2000 on the PCI bus (RealTek's 8029), as Linux' ne2k-pci
 * drives it, on a port of the hypervisor's switch. For comparison with virtio: each byte of a frame
 * goes through a port, in both directions.
 *
 *   ports 0x00..0x0F  registers, in pages that the command register selects
 *         0x10..0x17  the data port: "remote DMA" between the driver and the card's memory
 *         0x18..0x1F  a read resets
 *
 *   card's memory     0x0000 the address, each byte twice    0x4000..0x7FFF buffers:
 *                     | sending | ring for receiving: pages of 256 bytes, PSTART..PSTOP |
 *
 * Source: National Semiconductor, "DP8390D/NS32490D Network Interface Controller" data sheet;
 * RealTek, "RTL8029AS" data sheet.
 */
#ifndef HV_DEV_NE2000_H
#define HV_DEV_NE2000_H

#include "hv/dev/pci.h"
#include "hv/net/switch.h"

#define NE_PORTS   32u
#define NE_REGS	   16u
#define NE_PROM	   32u
#define NE_MEMORY  0x4000u /* where the buffers begin */
#define NE_BUFFERS 0x4000u /* bytes of them */

struct ne2000_counters {
	u64 sent, received; /* frames */
	u64 refused;	    /* of the driver's: too short, too long, not in the card's memory */
	u64 missed;	    /* for it: the ring is full, or makes no sense */
	u64 interrupts;
};

struct ne2000 {
	struct pci_dev pci;
	struct switch_port port;
	struct net_switch *sw;
	u8 command, isr, tsr, rsr;
	u8 missed;	   /* a register: since it was read last */
	u8 page0[NE_REGS]; /* as the driver wrote them; page 2 reads them back */
	u8 page1[NE_REGS];
	u16 at, left; /* remote DMA: where, and how many bytes are to come */
	bool line;    /* level of the interrupt */
	struct ne2000_counters count;
	u8 prom[NE_PROM];
	u8 buffer[NE_BUFFERS];
};

/* A card with that address; memory is the caller's, the switch must live longer. */
void ne2000_init(struct ne2000 *n, struct net_switch *sw, const u8 mac[ETH_ADDR]);
/* To the PCI bus and to the switch. On failure to neither. */
enum status ne2000_attach(struct ne2000 *n, struct pci_host *h, unsigned slot) __must_check;
void ne2000_reset(struct ne2000 *n);   /* power-on */
void ne2000_destroy(struct ne2000 *n); /* leaves the switch, if it is on it */

#endif
