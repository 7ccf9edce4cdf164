/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SATA disks on an AHCI controller: QEMU's machine "q35", and most of what is made of metal.
 *
 * Source: "Serial ATA AHCI 1.3.1 Specification".
 */
#ifndef HV_DRV_AHCI_H
#define HV_DRV_AHCI_H

#include "hv/cpu/timer.h"
#include "hv/drv/disk.h"
#include "hv/drv/pci.h"

/* The controller's registers, so that a unit test can be the controller. offset: in bytes. */
struct ahci_regs {
	void *base;
	u32 (*read)(void *base, u32 offset);
	void (*write)(void *base, u32 offset, u32 value);
};

extern const struct ahci_regs ahci_machine_regs; /* base: the mapped BAR, to be filled in */

#define AHCI_BAR      5u
#define AHCI_REGS_LEN 0x1100u /* of 32 ports */
#define CLASS_AHCI    0x010601u

/*
 * Finds the disks of a controller and adds them to the list. Waits for them: at boot. Interrupts of
 * the controller are to call ahci_interrupt() with *ctx. tq: of the processor that they go to.
 * ERR_NOMEM; ERR_TIMEOUT: firmware does not let go of it.
 */
enum status ahci_attach(const struct ahci_regs *regs, struct timerq *tq, void **ctx) __must_check;
void ahci_interrupt(void *ctx);

#endif
