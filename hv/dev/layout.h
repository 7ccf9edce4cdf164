/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest-physical address space of a VM.
 *
 *   0x0000_0000 - 0x0009_FFFF  RAM
 *   0x000A_0000 - 0x000B_FFFF  nothing (reads as ones)
 *   0x000C_0000 - 0x000D_FFFF  no option ROMs (reads as ones, without an exit)
 *   0x000E_0000 - 0x000F_FFFF  RAM, reserved: RSDP and ACPI tables, page tables to start with
 *   0x0010_0000 - low_end      RAM; low_end = min(mem, 3 GB)
 *   0xC000_0000 - 0xDFFF_FFFF  PCI memory BARs, 32-bit
 *   0xE000_0000 - 0xE00F_FFFF  ECAM of bus 0
 *   0xFEB0_0000 - 0xFEB0_BFFF  virtio devices without a bus, a page each (virtio=mmio)
 *   0xFEB1_0000 - 0xFEB1_0FFF  mailbox to start processors by (shadow paging)
 *   0xFEC0_0000                IOAPIC
 *   0xFEE0_0000                local APIC
 *   0xFF00_0000 - 0xFF00_FFFF  test device, when asked for
 *   0x1_0000_0000 - high_end   RAM, what did not fit below; high_end = 4 GB + mem - 3 GB
 */
#ifndef HV_DEV_LAYOUT_H
#define HV_DEV_LAYOUT_H

#include "hv/lib/util.h"

#define LAYOUT_HOLE_START    0x000a0000ul
#define LAYOUT_ROM_START     0x000c0000ul
#define LAYOUT_HOLE_END	     0x000e0000ul
#define LAYOUT_FW_START	     0x000e0000ul
#define LAYOUT_FW_END	     0x00100000ul
#define LAYOUT_WAKEUP_TABLES 0x000fd000ul
#define LAYOUT_LOW_MAX	     0xc0000000ul
#define LAYOUT_PCI_MMIO	     0xc0000000ul
#define LAYOUT_PCI_MMIO_END  0xe0000000ul
#define LAYOUT_ECAM	     0xe0000000ul
#define LAYOUT_ECAM_SIZE     0x00100000ul
#define LAYOUT_VIRTIO	     0xfeb00000ul
#define LAYOUT_VIRTIO_MAX    12u
#define LAYOUT_WAKEUP	     0xfeb10000ul
#define LAYOUT_IOAPIC	     0xfec00000ul
#define LAYOUT_LAPIC	     0xfee00000ul
#define LAYOUT_TESTDEV	     0xff000000ul
#define LAYOUT_TESTDEV_SIZE  0x00010000ul
#define LAYOUT_HIGH	     0x100000000ul

#define LAYOUT_GSI_PIT	   2
#define LAYOUT_GSI_COM1	   4
#define LAYOUT_GSI_RTC	   8
#define LAYOUT_GSI_SCI	   9
/* Place n of virtio=mmio has line LAYOUT_VIRTIO_GSI + n % LAYOUT_VIRTIO_GSIS. */
#define LAYOUT_VIRTIO_GSI  16
#define LAYOUT_VIRTIO_GSIS 8

/* Ports of our own choosing; the PC's fixed ones stand in their devices. */
#define LAYOUT_PM_BASE 0x0600 /* ACPI: PM1 event +0, PM1 control +4, PM timer +8 */

#endif
