/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables. Each is a struct as the specification lays it out, filled in, summed and copied to
 * the guest one behind the other.
 */
#include "hv/dev/acpi.h"

#include "hv/dev/pm.h"
#include "hv/dev/reset.h"
#include "hv/dev/rtc.h"
#include "hv/lib/string.h"

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

#define C2_UNSUPPORTED 101 /* microseconds: over 100 means none */
#define C3_UNSUPPORTED 1001

struct acpi_facs {
	char signature[4];
	u32 length, hardware_signature, waking_vector, global_lock, flags;
	u64 x_waking_vector;
	u8 version, reserved[31];
} __packed;
static_assert(sizeof(struct acpi_facs) == 64, "ACPI: FACS");
#define FACS_ALIGN   64
#define FACS_VERSION 2

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
struct madt_wakeup {
	u8 type, length;
	u16 version;
	u32 reserved;
	u64 mailbox;
} __packed;
enum {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_NMI = 4,
	MADT_WAKEUP = 16
};
#define MADT_REVISION	 5
#define MADT_PCAT	 1u /* there is an 8259, too */
#define MADT_ENABLED	 1u
#define MADT_ALL_CPUS	 0xff
#define MADT_BUS_DEFAULT 0 /* edge, active high, as ISA has it */
#define MADT_LEVEL_HIGH	 0x0d
#define MADT_CPUS	 16
#define ISA_IRQ_PIT	 0

struct acpi_madt {
	struct acpi_header h;
	u32 lapic_address, flags;
	struct madt_ioapic ioapic;
	struct madt_override pit, sci;
	struct madt_nmi nmi;
	u8 more[MADT_CPUS * sizeof(struct madt_lapic) + sizeof(struct madt_wakeup)]; /* cut */
} __packed;

struct acpi_mcfg {
	struct acpi_header h;
	u64 reserved1;
	u64 base;
	u16 segment;
	u8 first_bus, last_bus;
	u32 reserved2;
} __packed;
static_assert(sizeof(struct acpi_mcfg) == 60, "PCI Firmware Specification: MCFG with one entry");

enum {
	XSDT_FADT,
	XSDT_MADT,
	XSDT_MCFG,
	XSDT_ENTRIES
};
struct acpi_xsdt {
	struct acpi_header h;
	u64 table[XSDT_ENTRIES];
} __packed;

#define OEM_REVISION	 1u
#define CREATOR_REVISION 1u
#define TABLE_ALIGN	 16u

/* Where the next table goes; the first error stays. */
struct builder {
	const struct guestmem *gm;
	u64 next;
	enum status status;
};

static u8 checksum(const void *data, size_t len)
{
	const u8 *p = data;
	u8 sum = 0;

	while (len--)
		sum = (u8)(sum + *p++);
	return (u8)-sum;
}

/* Copies a table to the next free address that is a multiple of align; returns that address. */
static u64 place(struct builder *b, const void *data, size_t len, u64 align)
{
	u64 at = ALIGN_UP(b->next, align);

	b->next = at + len;
	if (b->next > LAYOUT_WAKEUP_TABLES)
		b->status = ERR_RANGE;
	if (!b->status)
		b->status = guest_write(b->gm, GPA(at), data, len);
	return at;
}

/* Fills in the header of a table whose body is complete, and places it. */
static u64 place_table(
	struct builder *b, struct acpi_header *h, const char *signature, u8 revision, u32 len)
{
	memcpy(h->signature, signature, sizeof(h->signature));
	h->length = len;
	h->revision = revision;
	memcpy(h->oem_id, "TRIPT ", sizeof(h->oem_id));
	memcpy(h->oem_table_id, "TRIPTYCH", sizeof(h->oem_table_id));
	h->oem_revision = OEM_REVISION;
	memcpy(h->creator_id, "TRPT", sizeof(h->creator_id));
	h->creator_revision = CREATOR_REVISION;
	h->checksum = 0;
	h->checksum = checksum(h, len);
	return place(b, h, len, TABLE_ALIGN);
}

static struct acpi_gas io_register(u64 port, u8 bytes, u8 access)
{
	return (struct acpi_gas){ .space = GAS_IO,
		.bit_width = (u8)(bytes * 8),
		.access_size = access,
		.address = port };
}

static u64 place_fadt(struct builder *b, u64 facs, u64 dsdt)
{
	struct acpi_fadt f = {
		.facs = (u32)facs,
		.dsdt = (u32)dsdt,
		.x_dsdt = dsdt,
		.sci_int = LAYOUT_GSI_SCI,
		.pm1a_evt = LAYOUT_PM_BASE + PM_EVENT,
		.pm1a_cnt = LAYOUT_PM_BASE + PM_CONTROL,
		.pm_tmr = LAYOUT_PM_BASE + PM_TIMER,
		.pm1_evt_len = PM_EVENT_LEN,
		.pm1_cnt_len = PM_CONTROL_LEN,
		.pm_tmr_len = PM_TIMER_LEN,
		.c2_latency = C2_UNSUPPORTED,
		.c3_latency = C3_UNSUPPORTED,
		.century = RTC_REG_CENTURY,
		.boot_arch = BOOT_LEGACY | BOOT_8042 | BOOT_NO_VGA | BOOT_NO_ASPM,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BTN | FADT_FIX_RTC | FADT_TMR_32 |
			 FADT_RESET,
		.reset = io_register(RESET_CONTROL_PORT, 1, GAS_BYTE),
		.reset_value = RESET_CONTROL_FULL,
		.minor = FADT_MINOR,
		.x_pm1a_evt = io_register(LAYOUT_PM_BASE + PM_EVENT, PM_EVENT_LEN, GAS_WORD),
		.x_pm1a_cnt = io_register(LAYOUT_PM_BASE + PM_CONTROL, PM_CONTROL_LEN, GAS_WORD),
		.x_pm_tmr = io_register(LAYOUT_PM_BASE + PM_TIMER, PM_TIMER_LEN, GAS_DWORD),
	};

	memcpy(f.hypervisor, "Triptych", sizeof(f.hypervisor));
	return place_table(b, &f.h, "FACP", FADT_REVISION, sizeof(f));
}

static u64 place_facs(struct builder *b)
{
	struct acpi_facs f = { .length = sizeof(f), .version = FACS_VERSION };

	memcpy(f.signature, "FACS", sizeof(f.signature));
	return place(b, &f, sizeof(f), FACS_ALIGN);
}

static u64 place_madt(struct builder *b, unsigned vcpus, bool mailbox)
{
	struct acpi_madt m = {
		.lapic_address = LAYOUT_LAPIC,
		.flags = MADT_PCAT,
		.ioapic = { MADT_IOAPIC, sizeof(m.ioapic), .address = LAYOUT_IOAPIC },
		.pit = { MADT_OVERRIDE, sizeof(m.pit), .irq = ISA_IRQ_PIT, .gsi = LAYOUT_GSI_PIT,
			.flags = MADT_BUS_DEFAULT },
		.sci = { MADT_OVERRIDE, sizeof(m.sci), .irq = LAYOUT_GSI_SCI, .gsi = LAYOUT_GSI_SCI,
			.flags = MADT_LEVEL_HIGH },
		.nmi = { MADT_NMI, sizeof(m.nmi), .uid = MADT_ALL_CPUS, .lint = 1 },
	};
	const struct madt_wakeup wakeup = { MADT_WAKEUP, sizeof(wakeup), .mailbox = LAYOUT_WAKEUP };
	u8 *end = m.more;

	for (unsigned i = 0; i < vcpus; i++, end += sizeof(struct madt_lapic))
		memcpy(end,
			&(struct madt_lapic){
				MADT_LAPIC, sizeof(struct madt_lapic), (u8)i, (u8)i, MADT_ENABLED },
			sizeof(struct madt_lapic));
	if (mailbox) {
		memcpy(end, &wakeup, sizeof(wakeup));
		end += sizeof(wakeup);
	}
	return place_table(b, &m.h, "APIC", MADT_REVISION, (u32)(end - (u8 *)&m));
}

static u64 place_mcfg(struct builder *b)
{
	struct acpi_mcfg m = { .base = LAYOUT_ECAM };

	return place_table(b, &m.h, "MCFG", 1, sizeof(m));
}

static void place_rsdp(struct builder *b, u64 xsdt)
{
	struct acpi_rsdp r = { .revision = RSDP_REVISION, .length = sizeof(r), .xsdt = xsdt };

	memcpy(r.signature, "RSD PTR ", sizeof(r.signature));
	memcpy(r.oem_id, "TRIPT ", sizeof(r.oem_id));
	r.checksum = checksum(&r, RSDP_V1_LENGTH);
	r.extended_checksum = checksum(&r, sizeof(r));
	b->next = ACPI_RSDP;
	place(b, &r, sizeof(r), TABLE_ALIGN);
}

enum status acpi_build(const struct guestmem *gm, unsigned vcpus, bool mailbox)
{
	struct builder b = { .gm = gm, .next = ACPI_RSDP + sizeof(struct acpi_rsdp) };
	struct acpi_xsdt x = { 0 };
	u64 facs, dsdt;

	if (vcpus > MADT_CPUS)
		return ERR_RANGE;
	facs = place_facs(&b);
	dsdt = place(&b, dsdt_aml, dsdt_aml_size, TABLE_ALIGN);
	x.table[XSDT_FADT] = place_fadt(&b, facs, dsdt);
	x.table[XSDT_MADT] = place_madt(&b, vcpus, mailbox);
	x.table[XSDT_MCFG] = place_mcfg(&b);
	place_rsdp(&b, place_table(&b, &x.h, "XSDT", 1, sizeof(x)));
	return b.status;
}
