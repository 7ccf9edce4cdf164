/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables as they lie in memory, the machine's and those of guests: ACPI Specification, "ACPI
 * System Description Tables"; PCI Firmware Specification, "MCFG Table Description".
 */
#ifndef HV_LIB_ACPI_TABLES_H
#define HV_LIB_ACPI_TABLES_H

#include "hv/lib/util.h"

/* What all tables begin with but the RSDP and the FACS. */
struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
} __packed;
static_assert(sizeof(struct acpi_header) == 36, "ACPI: DESCRIPTION_HEADER");

/* All bytes of a table together: 0. */
static inline u8 acpi_sum(const void *data, size_t len)
{
	const u8 *p = data;
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *p++);
	return sum;
}

#define RSDP_SIGNATURE "RSD PTR "

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
} __packed;
static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI: RSDP");
#define RSDP_V1_LENGTH 20 /* what the first checksum covers */
#define RSDP_REVISION  2

struct acpi_gas {
	u8 space, bit_width, bit_offset, access_size;
	u64 address;
} __packed;
#define GAS_IO	  1
#define GAS_BYTE  1
#define GAS_WORD  2
#define GAS_DWORD 3

struct acpi_fadt {
	struct acpi_header h;
	u32 facs, dsdt;
	u8 reserved1, preferred_pm_profile;
	u16 sci_int;
	u32 smi_cmd;
	u8 acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	u32 pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	u8 pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base,
		cst_cnt;
	u16 c2_latency, c3_latency, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_arch;
	u8 reserved2;
	u32 flags;
	struct acpi_gas reset;
	u8 reset_value;
	u16 arm_boot_arch;
	u8 minor;
	u64 x_facs, x_dsdt;
	struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0,
		x_gpe1, sleep_control, sleep_status;
	char hypervisor[8];
} __packed;
static_assert(sizeof(struct acpi_fadt) == 276, "ACPI: FADT, revision 6");
#define FADT_REVISION 6
#define FADT_MINOR    3

#define FADT_WBINVD  BIT(0)
#define FADT_PROC_C1 BIT(2)
#define FADT_SLP_BTN BIT(5) /* no fixed sleep button; bit 4 clear: a fixed power button */
#define FADT_FIX_RTC BIT(6) /* the RTC does not wake through the fixed registers */
#define FADT_TMR_32  BIT(8)
#define FADT_RESET   BIT(10)

#define BOOT_LEGACY  BIT(0)
#define BOOT_8042    BIT(1)
#define BOOT_NO_VGA  BIT(2)
#define BOOT_NO_ASPM BIT(4)

struct acpi_facs {
	char signature[4];
	u32 length, hardware_signature, waking_vector, global_lock, flags;
	u64 x_waking_vector;
	u8 version, reserved[31];
} __packed;
static_assert(sizeof(struct acpi_facs) == 64, "ACPI: FACS");
#define FACS_ALIGN   64
#define FACS_VERSION 2

/* Entries, each with a type and a length, follow it. */
struct acpi_madt {
	struct acpi_header h;
	u32 lapic_address, flags;
} __packed;
static_assert(sizeof(struct acpi_madt) == 44, "ACPI: MADT");
#define MADT_REVISION 5
#define MADT_PCAT     1u /* there is an 8259, too */

enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_NMI = 4,
	MADT_LAPIC64 = 5,
	MADT_X2APIC = 9,
	MADT_WAKEUP = 16
};
#define MADT_ENABLED	   BIT(0) /* of a local APIC's flags */
#define MADT_ALL_CPUS	   0xff
#define MADT_ALL_X2APICS   0xffffffffu
#define MADT_BUS_ISA	   0
#define MADT_BUS_DEFAULT   0 /* edge, active high, as ISA has it */
#define MADT_POLARITY_LOW  3u
#define MADT_TRIGGER_LEVEL (3u << 2)
#define MADT_LEVEL_HIGH	   (MADT_TRIGGER_LEVEL | 1u)

struct madt_lapic {
	u8 type, length, uid, apic_id;
	u32 flags;
} __packed;
struct madt_ioapic {
	u8 type, length, id, reserved;
	u32 address, gsi_base;
} __packed;
struct madt_override {
	u8 type, length, bus, irq;
	u32 gsi;
	u16 flags;
} __packed;
struct madt_nmi {
	u8 type, length, uid;
	u16 flags;
	u8 lint;
} __packed;
struct madt_lapic64 {
	u8 type, length;
	u16 reserved;
	u64 address;
} __packed;
struct madt_x2apic {
	u8 type, length;
	u16 reserved;
	u32 apic_id, flags, uid;
} __packed;
struct madt_wakeup {
	u8 type, length;
	u16 version;
	u32 reserved;
	u64 mailbox;
} __packed;
static_assert(sizeof(struct madt_lapic) == 8 && sizeof(struct madt_ioapic) == 12 &&
		      sizeof(struct madt_override) == 10 && sizeof(struct madt_nmi) == 6 &&
		      sizeof(struct madt_lapic64) == 12 && sizeof(struct madt_x2apic) == 16 &&
		      sizeof(struct madt_wakeup) == 16,
	"ACPI: Interrupt Controller Structures");

/* Entries follow it. */
struct acpi_mcfg {
	struct acpi_header h;
	u64 reserved;
} __packed;
struct mcfg_entry {
	u64 base;
	u16 segment;
	u8 first_bus, last_bus;
	u32 reserved;
} __packed;
static_assert(sizeof(struct acpi_mcfg) == 44 && sizeof(struct mcfg_entry) == 16,
	"PCI Firmware Specification: MCFG");

#endif
