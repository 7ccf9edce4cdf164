/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the physical machine. The hypervisor runs with interrupts disabled; they are taken
 * in few places only: in cpu_idle() and irq_let_in(), through the IDT, and when one ends a guest's
 * run, where the VM exit acknowledges it and its vector is handed to irq_handle(). Handlers run
 * with interrupts disabled and may not wait for other interrupts.
 */
#ifndef HV_CPU_IRQ_H
#define HV_CPU_IRQ_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

#define VECTOR_PIC_FIRST 0x20 /* 0x20-0x2f: what a masked 8259 may still send */
#define VECTOR_GSI_FIRST 0x30 /* + GSI */
#define VECTOR_GSI_LAST	 0xcf
#define VECTOR_MSI_FIRST 0xd0
#define VECTOR_MSI_LAST	 0xef
#define VECTOR_TIMER	 0xf0
#define VECTOR_KICK	 0xf1
#define VECTOR_SPURIOUS	 0xff

typedef void (*irq_fn)(void *ctx);

/* Calls the handler of the vector and ends the interrupt at the LAPIC. A vector without handler is
 * counted and logged. */
void irq_handle(u8 vector);

/* Takes what is pending, now: for the end of a run that an interrupt ought to have ended before. In
 * Bochs none ends that of a guest with RFLAGS.IF = 0. */
void irq_let_in(void);

/* Sets the handler of a vector >= 0x20. */
void irq_register(u8 vector, irq_fn fn, void *ctx);

/*
 * Routes an ISA interrupt line (0-15, through the MADT's overrides) to the boot processor and sets
 * its handler. ERR_NOENT if no IOAPIC has that line.
 */
enum status irq_register_isa(unsigned irq, irq_fn fn, void *ctx) __must_check;

/* A vector of its own for a device's messages, or 0 when there is none left. */
u8 irq_register_msi(irq_fn fn, void *ctx);

/*
 * From now on VECTOR_TIMER comes to this CPU whenever a deadline of its queue does, so that it ends
 * a guest's run: for processors on which an entry cannot be given a time limit.
 */
void irq_at_deadlines(void);

/* What to do for an NMI, from the IDT or from a VM exit. Async-safe: takes no lock. */
void nmi_handle(void);

#endif
