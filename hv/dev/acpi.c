/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables. Each is a struct as the specification lays it out, filled in, summed and copied to
 * the guest one behind the other.
 */
#include "hv/dev/acpi.h"

#include "hv/dev/pm.h"
#include "hv/dev/reset.h"
#include "hv/dev/rtc.h"
#include "hv/lib/acpi_tables.h"
#include "hv/lib/string.h"

#define C2_UNSUPPORTED 101 /* microseconds: over 100 means none */
#define C3_UNSUPPORTED 1001
#define MADT_CPUS      16
#define ISA_IRQ_PIT    0

struct madt {
	struct acpi_madt head;
	struct madt_ioapic ioapic;
	struct madt_override pit, sci;
	struct madt_nmi nmi;
	u8 more[MADT_CPUS * sizeof(struct madt_lapic) + sizeof(struct madt_wakeup)]; /* cut */
} __packed;

struct mcfg {
	struct acpi_mcfg head;
	struct mcfg_entry entry;
} __packed;

enum {
	XSDT_FADT,
	XSDT_MADT,
	XSDT_MCFG,
	XSDT_ENTRIES
};
struct xsdt {
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

/* What makes the sum 0. */
static u8 checksum(const void *data, size_t len)
{
	return (u8)-acpi_sum(data, len);
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
	struct madt m = {
		.head = { .lapic_address = LAYOUT_LAPIC, .flags = MADT_PCAT },
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
	return place_table(b, &m.head.h, "APIC", MADT_REVISION, (u32)(end - (u8 *)&m));
}

static u64 place_mcfg(struct builder *b)
{
	struct mcfg m = { .entry = { .base = LAYOUT_ECAM } };

	return place_table(b, &m.head.h, "MCFG", 1, sizeof(m));
}

static void place_rsdp(struct builder *b, u64 xsdt)
{
	struct acpi_rsdp r = { .revision = RSDP_REVISION, .length = sizeof(r), .xsdt = xsdt };

	memcpy(r.signature, RSDP_SIGNATURE, sizeof(r.signature));
	memcpy(r.oem_id, "TRIPT ", sizeof(r.oem_id));
	r.checksum = checksum(&r, RSDP_V1_LENGTH);
	r.extended_checksum = checksum(&r, sizeof(r));
	b->next = ACPI_RSDP;
	place(b, &r, sizeof(r), TABLE_ALIGN);
}

enum status acpi_build(const struct guestmem *gm, unsigned vcpus, bool mailbox)
{
	struct builder b = { .gm = gm, .next = ACPI_RSDP + sizeof(struct acpi_rsdp) };
	struct xsdt x = { 0 };
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
