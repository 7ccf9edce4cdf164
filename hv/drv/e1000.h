/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel's 82540EM, which Bochs and QEMU call e1000.
 *
 * Source: Intel, "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual"
 * (317453), sections "General Initialization and Reset Operation", "Receive and Transmit
 * Description", "Register Descriptions".
 */
#ifndef HV_DRV_E1000_H
#define HV_DRV_E1000_H

#include "hv/cpu/timer.h"
#include "hv/drv/nic.h"
#include "hv/drv/pci.h"

/* The card's registers, so that a unit test can be the card. */
struct e1000_io {
	u32 (*read)(void *ctx, u32 offset);
	void (*write)(void *ctx, u32 offset, u32 value);
	void *ctx;
};

/* Sets the handler of an interrupt line (hv/cpu/irq.h). */
typedef enum status (*e1000_irq_fn)(unsigned irq, void (*fn)(void *ctx), void *ctx);

/*
 * e1000_attach(): registers the card, if f is one. Interrupts come by the line that firmware gave
 * it; where there is none the rings are looked at 2,000 times a second.
 */
bool e1000_attach(const struct pci_function *f, struct timerq *tq, e1000_irq_fn irq);

/* The card behind io; irq_line: 0xff: none. ERR_NOMEM, ERR_NOTSUP: it does not come out of its
 * reset, or its EEPROM is damaged. */
enum status e1000_create(struct nic **out, const struct e1000_io *io, struct timerq *tq,
	unsigned irq_line, e1000_irq_fn irq) __must_check;

/* Takes it apart again, for tests. */
void e1000_destroy(struct nic *n);

#endif
