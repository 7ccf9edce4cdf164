/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of irq.c that only boot and panic use. */
#ifndef HV_CPU_IRQ_INIT_H
#define HV_CPU_IRQ_INIT_H

#include "hv/cpu/acpi.h"

/* Silences all interrupt controllers and learns how ISA lines are wired. After apic_init(). */
void irq_init(const struct acpi_info *acpi);

/* From now on an NMI stops the CPU that takes it for good. */
void irq_stop_all(void);

#endif
