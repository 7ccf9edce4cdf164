/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the hypervisor wants to know from the physical machine's ACPI tables, copied out of them
 * once. The firmware may be wrong: each table is bounds-checked and its checksum verified, and what
 * is broken is left out.
 */
#ifndef HV_CPU_ACPI_H
#define HV_CPU_ACPI_H

#include "hv/lib/status.h"
#include "hv/mem/addr.h"

#define ACPI_CPUS_MAX	 64
#define ACPI_IOAPICS_MAX 8
#define ACPI_ISA_IRQS	 16

struct acpi_ioapic {
	hpa_t base;
	u32 gsi_base;
};

struct acpi_isa_irq { /* where an ISA line arrives; identity unless the MADT overrides it */
	u32 gsi;
	bool level, active_low;
};

struct acpi_info {
	hpa_t lapic;
	u32 cpu_apic_id[ACPI_CPUS_MAX]; /* usable processors, in the MADT's order */
	unsigned cpus;
	unsigned cpus_dropped; /* usable, but beyond ACPI_CPUS_MAX */
	struct acpi_ioapic ioapic[ACPI_IOAPICS_MAX];
	unsigned ioapics;
	struct acpi_isa_irq isa[ACPI_ISA_IRQS];
	hpa_t mcfg; /* ECAM of segment 0, bus 0; 0 if none */

	u16 pm1a_control, pm1b_control; /* ports; 0 if none */
	u16 smi_command;		/* port; 0: ACPI mode is always on */
	u8 acpi_enable;			/* value for smi_command */
	u16 pm_timer;			/* port; 0 if none */
	bool pm_timer_32bit;
	bool s5_found;
	u8 s5_typ_a, s5_typ_b; /* SLP_TYP of soft-off */
	u8 century;	       /* CMOS index of the century; 0 if none */
};

/*
 * Where the parser gets its bytes: a pointer to len readable bytes of physical memory at pa, or
 * NULL if that cannot be. The pointer stays valid while acpi_parse() runs.
 */
typedef const void *(*acpi_map_fn)(hpa_t pa, u64 len);

/*
 * acpi_parse(): rsdp_copy (NULL: scan the BIOS areas) is the RSDP that the boot loader handed over,
 * of rsdp_len bytes. *out is always filled as far as possible. ERR_NOENT: no RSDP, or no root
 * table.
 */
enum status acpi_parse(struct acpi_info *out, const void *rsdp_copy, u64 rsdp_len, acpi_map_fn map);

#endif
