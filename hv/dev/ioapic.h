/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC (82093AA, with the EOI register of version 0x20): 24 pins, each a redirection entry
 * that turns a line into a message to local APICs.
 *
 * Polarity is ignored: true means active. An edge on a masked pin is lost, as the data sheet's
 * "Interrupt Mask" says; a level is looked at again when the pin is unmasked. Delivery modes: fixed
 * and lowest priority, as edge or level; NMI and INIT, always as edge. What a local APIC does not
 * take (SMI, ExtINT, an illegal vector, nobody there) is dropped, and the reserved modes are not
 * even sent.
 */
#ifndef HV_DEV_IOAPIC_H
#define HV_DEV_IOAPIC_H

#include "hv/dev/bus.h"
#include "hv/dev/lapic.h"
#include "hv/lib/util.h"

#define IOAPIC_PINS	 24u
#define IOAPIC_MMIO_SIZE 0x1000ul

struct ioapic {
	u64 redir[IOAPIC_PINS];
	u32 lines; /* input levels, one bit a pin */
	u8 index;  /* IOREGSEL */
	u32 id;
	bool (*send)(void *ctx, const struct apic_msg *m);
	void *ctx;
};

/* send: passes the message to apic_send() and returns its result. */
void ioapic_init(struct ioapic *io, bool (*send)(void *ctx, const struct apic_msg *m), void *ctx);
void ioapic_reset(struct ioapic *io); /* input levels are kept: they belong to the devices */

/* MMIO, dev = struct ioapic: IOREGSEL at 0, IOWIN at 0x10, EOI at 0x40. Reads elsewhere give 0, and
 * so do registers that are not there; IOWIN is written by 32 bits only. */
extern const struct io_ops ioapic_ops;

/* Sets an input pin. pin >= IOAPIC_PINS is ignored. */
void ioapic_set_irq(struct ioapic *io, unsigned pin, bool level);

/* A local APIC ended a level-triggered interrupt; pins still asserted are sent again, once each. */
void ioapic_eoi(struct ioapic *io, u8 vector);

#endif
