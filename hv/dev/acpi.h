/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACPI tables of a VM, in the firmware area of its memory:
 *
 *   RSDP -> XSDT -> FADT -> FACS, DSDT
 *                -> MADT, MCFG
 *
 * The DSDT is compiled from hv/dev/dsdt.asl at build time; the others are filled in here.
 * Source: ACPI Specification 6.3, section "ACPI Software Programming Model".
 */
#ifndef HV_DEV_ACPI_H
#define HV_DEV_ACPI_H

#include "hv/dev/layout.h"
#include "hv/lib/status.h"
#include "hv/mem/guestmem.h"

#define ACPI_RSDP LAYOUT_FW_START /* where every OS looks for it */

/* Builds the tables for a machine with that many vcpus (APIC IDs 0 .. vcpus - 1), which start by
 * the mailbox at LAYOUT_WAKEUP or by start-up IPIs. ERR_RANGE: no RAM there, or no room. */
enum status acpi_build(const struct guestmem *gm, unsigned vcpus, bool mailbox) __must_check;

/* build/hv/dev/dsdt.c */
extern const u8 dsdt_aml[];
extern const u32 dsdt_aml_size;

#endif
