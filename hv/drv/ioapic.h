/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's I/O APICs: which interrupt line becomes which vector. */
#ifndef HV_DRV_IOAPIC_H
#define HV_DRV_IOAPIC_H

#include "hv/cpu/acpi.h"
#include "hv/lib/status.h"

/* Masks the 8259s and every line of every I/O APIC. */
void ioapic_setup(const struct acpi_info *acpi);

/* Sends GSI gsi as a fixed interrupt to one CPU. ERR_NOENT if no I/O APIC has that line. */
enum status ioapic_route(u32 gsi, u8 vector, u32 apic_id, bool level, bool active_low) __must_check;

#endif
