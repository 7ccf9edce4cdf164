/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ATA disks on IDE channels with bus-master DMA: the PIIX3 of Bochs and of QEMU's machine "pc", and
 * what is compatible with it.
 *
 * Sources: ATA8-ACS; "Programming Interface for Bus Master IDE Controller", revision 1.0.
 */
#ifndef HV_DRV_ATA_H
#define HV_DRV_ATA_H

#include "hv/cpu/timer.h"
#include "hv/drv/disk.h"
#include "hv/drv/pci.h"

/* How an interrupt line gets its handler: irq_register_isa(). */
typedef enum status (*ata_irq_fn)(unsigned irq, void (*fn)(void *ctx), void *ctx);

/*
 * Finds the disks of the controller f, if it is one, and adds them to the list. Waits for them: at
 * boot. tq: of the processor that the interrupts go to. False: f is no such controller.
 */
bool ata_attach(const struct pci_function *f, struct timerq *tq, ata_irq_fn irq);

#endif
