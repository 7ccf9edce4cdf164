/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical machine's ACPI tables (ACPI Specification, "ACPI Software Programming Model"):
 *
 *   RSDP --> XSDT (or RSDT) --> MADT   processors, I/O APICs, interrupt overrides
 *                           --> FADT   power management ports --> DSDT, with \_S5
 *                           --> SSDT   \_S5, where it is not in the DSDT
 *                           --> MCFG   PCI configuration space
 *
 * Fields are read through get(), which copies: nothing in a table is aligned.
 */
#include "hv/cpu/acpi.h"
#include "hv/ctl/log.h"
#include "hv/lib/string.h"

#define RSDP_OLD_LENGTH 20
#define RSDP_NEW_LENGTH 36
#define RSDP_SCAN_STEP	16
#define EBDA_POINTER	0x40eul
#define EBDA_SCAN	KB
#define BIOS_AREA	0xe0000ul
#define BIOS_AREA_END	0x100000ul
#define TABLE_MAX	(4 * MB)
#define TABLES_MAX	256

#define LAPIC_DEFAULT 0xfee00000ul

struct __packed rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;
	u8 reserved[3];
};
static_assert(sizeof(struct rsdp) == RSDP_NEW_LENGTH, "RSDP layout");

struct __packed sdt {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
};
static_assert(sizeof(struct sdt) == 36, "table header layout");

/* A checked table: len bytes, header included. */
struct table {
	const u8 *data;
	u32 len;
};

static u64 get(struct table t, u32 offset, unsigned size)
{
	u64 v = 0;

	if (offset <= t.len && t.len - offset >= size)
		memcpy(&v, t.data + offset, size);
	return v;
}

static bool sum_is_zero(const void *p, u64 len)
{
	const u8 *b = p;
	u8 sum = 0;

	for (u64 i = 0; i < len; i++)
		sum = (u8)(sum + b[i]);
	return sum == 0;
}

/* ---- the root ---- */

static bool rsdp_valid(const u8 *p, u64 len, struct rsdp *out)
{
	if (len < RSDP_OLD_LENGTH || memcmp(p, "RSD PTR ", 8) || !sum_is_zero(p, RSDP_OLD_LENGTH))
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out, p, RSDP_OLD_LENGTH);
	if (out->revision >= 2 && len >= RSDP_NEW_LENGTH && sum_is_zero(p, RSDP_NEW_LENGTH))
		memcpy(out, p, RSDP_NEW_LENGTH);
	return true;
}

static bool rsdp_scan(u64 start, u64 end, acpi_map_fn map, struct rsdp *out)
{
	const u8 *p = end > start ? map(HPA(start), end - start) : NULL;

	for (u64 at = 0; p && at + RSDP_OLD_LENGTH <= end - start; at += RSDP_SCAN_STEP)
		if (rsdp_valid(p + at, end - start - at, out))
			return true;
	return false;
}

/* "Finding the RSDP on IA-PC Systems" */
static bool rsdp_find(acpi_map_fn map, struct rsdp *out)
{
	const u8 *pointer = map(HPA(EBDA_POINTER), sizeof(u16));
	u16 segment = 0;

	if (pointer)
		memcpy(&segment, pointer, sizeof(segment));
	return (segment &&
		       rsdp_scan((u64)segment << 4, ((u64)segment << 4) + EBDA_SCAN, map, out)) ||
	       rsdp_scan(BIOS_AREA, BIOS_AREA_END, map, out);
}

/* The table at pa, or { NULL, 0 } if it cannot be read or is broken. */
static struct table table_at(u64 pa, acpi_map_fn map)
{
	const struct table none = { NULL, 0 };
	const struct sdt *h = pa ? map(HPA(pa), sizeof(*h)) : NULL;
	u32 len = h ? h->length : 0;

	if (len < sizeof(*h) || len > TABLE_MAX)
		return none;
	h = map(HPA(pa), len);
	if (!h)
		return none;
	if (!sum_is_zero(h, len)) {
		log_warn("ACPI table %.4s at %lx: wrong checksum, ignored", h->signature, pa);
		return none;
	}
	return (struct table){ (const u8 *)h, len };
}

static bool table_is(struct table t, const char *signature)
{
	return t.data && !memcmp(t.data, signature, 4);
}

/* ---- MADT: "Multiple APIC Description Table" ---- */

#define MADT_LAPIC	   36
#define MADT_ENTRIES	   44
#define MADT_TYPE_LAPIC	   0
#define MADT_TYPE_IOAPIC   1
#define MADT_TYPE_OVERRIDE 2
#define MADT_TYPE_LAPIC64  5
#define MADT_TYPE_X2APIC   9
#define MADT_CPU_ENABLED   BIT(0)
#define MADT_APIC_ID_ALL   0xff
#define MADT_X2APIC_ID_ALL 0xffffffffu
#define INTI_POLARITY_LOW  3u
#define INTI_TRIGGER_LEVEL (3u << 2)

static void add_cpu(struct acpi_info *out, u32 apic_id, u64 flags)
{
	if (!(flags & MADT_CPU_ENABLED))
		return;
	for (unsigned i = 0; i < out->cpus; i++)
		if (out->cpu_apic_id[i] == apic_id)
			return;
	if (out->cpus == ACPI_CPUS_MAX)
		out->cpus_dropped++;
	else
		out->cpu_apic_id[out->cpus++] = apic_id;
}

static void madt_lapic(struct acpi_info *out, struct table e)
{
	if (get(e, 3, 1) != MADT_APIC_ID_ALL)
		add_cpu(out, (u32)get(e, 3, 1), get(e, 4, 4));
}

static void madt_x2apic(struct acpi_info *out, struct table e)
{
	if (get(e, 4, 4) != MADT_X2APIC_ID_ALL)
		add_cpu(out, (u32)get(e, 4, 4), get(e, 8, 4));
}

static void madt_ioapic(struct acpi_info *out, struct table e)
{
	if (out->ioapics == ACPI_IOAPICS_MAX || !get(e, 4, 4))
		return;
	out->ioapic[out->ioapics].base = HPA(get(e, 4, 4));
	out->ioapic[out->ioapics].gsi_base = (u32)get(e, 8, 4);
	out->ioapics++;
}

static void madt_override(struct acpi_info *out, struct table e)
{
	u64 irq = get(e, 3, 1), flags = get(e, 8, 2);

	if (get(e, 2, 1) != 0 || irq >= ACPI_ISA_IRQS)
		return;
	out->isa[irq] = (struct acpi_isa_irq){
		.gsi = (u32)get(e, 4, 4),
		.level = (flags & INTI_TRIGGER_LEVEL) == INTI_TRIGGER_LEVEL,
		.active_low = (flags & INTI_POLARITY_LOW) == INTI_POLARITY_LOW,
	};
}

static void madt_lapic64(struct acpi_info *out, struct table e)
{
	out->lapic = HPA(get(e, 4, 8));
}

static const struct {
	u8 type, length; /* an entry that is shorter is ignored */
	void (*read)(struct acpi_info *out, struct table entry);
} madt_readers[] = {
	{ MADT_TYPE_LAPIC, 8, madt_lapic },
	{ MADT_TYPE_IOAPIC, 12, madt_ioapic },
	{ MADT_TYPE_OVERRIDE, 10, madt_override },
	{ MADT_TYPE_LAPIC64, 12, madt_lapic64 },
	{ MADT_TYPE_X2APIC, 16, madt_x2apic },
};

static void read_madt(struct acpi_info *out, struct table t)
{
	out->lapic = HPA(get(t, MADT_LAPIC, 4));
	for (u32 at = MADT_ENTRIES; at + 2 <= t.len;) {
		struct table e = { t.data + at, t.data[at + 1] };

		if (e.len < 2 || e.len > t.len - at) {
			log_warn("ACPI: the MADT's entry at %u is broken, the rest is ignored", at);
			return;
		}
		for (size_t i = 0; i < ARRAY_SIZE(madt_readers); i++)
			if (madt_readers[i].type == e.data[0] && e.len >= madt_readers[i].length)
				madt_readers[i].read(out, e);
		at += e.len;
	}
}

/* ---- FADT: "Fixed ACPI Description Table", and the \_S5 package of the AML ---- */

#define FADT_DSDT	 40
#define FADT_SMI_CMD	 48
#define FADT_ACPI_ENABLE 52
#define FADT_PM1A_CNT	 64
#define FADT_PM1B_CNT	 68
#define FADT_PM_TMR	 76
#define FADT_PM_TMR_LEN	 91
#define FADT_CENTURY	 108
#define FADT_FLAGS	 112
#define FADT_X_DSDT	 140
#define FADT_TMR_VAL_EXT BIT(8)

#define AML_ZERO    0x00
#define AML_ONE	    0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0a
#define AML_WORD    0x0b
#define AML_DWORD   0x0c
#define AML_PACKAGE 0x12
#define AML_ROOT    '\\'
#define AML_NAMESEG 4

/* One integer constant of a package; false if it is something else. */
static bool aml_integer(struct table t, u32 *at, u64 *value)
{
	u64 op = get(t, (*at)++, 1);
	unsigned size = op == AML_BYTE ? 1 : op == AML_WORD ? 2 : op == AML_DWORD ? 4 : 0;

	*value = size ? get(t, *at, size) : op;
	*at += size;
	return *at <= t.len && (size || op <= AML_ONE);
}

/* Name (_S5, Package () { typ_a, typ_b, ... }) at `at`, where "_S5_" stands. */
static bool s5_read(struct acpi_info *out, struct table t, u32 at)
{
	bool named = t.data[at - 1] == AML_NAME ||
		     (t.data[at - 1] == AML_ROOT && t.data[at - 2] == AML_NAME);
	u64 a, b;

	at += AML_NAMESEG;
	if (!named || get(t, at, 1) != AML_PACKAGE)
		return false;
	/* PkgLength: the top two bits say how many bytes follow; then the number of elements. */
	at += 1 + 1 + (u32)(get(t, at + 1, 1) >> 6);
	if (get(t, at++, 1) < 2 || !aml_integer(t, &at, &a) || !aml_integer(t, &at, &b))
		return false;
	out->s5_typ_a = a & 7;
	out->s5_typ_b = b & 7;
	out->s5_found = true;
	return true;
}

static void s5_scan(struct acpi_info *out, struct table t)
{
	for (u32 at = sizeof(struct sdt) + 1; !out->s5_found && at + AML_NAMESEG < t.len; at++)
		if (!memcmp(t.data + at, "_S5_", AML_NAMESEG) && s5_read(out, t, at))
			return;
}

/* I/O ports have 16 bits; a wider value is nonsense. */
static u16 port_of(u64 value)
{
	return value <= 0xffff ? (u16)value : 0;
}

static void read_fadt(struct acpi_info *out, struct table t, acpi_map_fn map)
{
	u64 dsdt = get(t, FADT_X_DSDT, 8);

	out->pm1a_control = port_of(get(t, FADT_PM1A_CNT, 4));
	out->pm1b_control = port_of(get(t, FADT_PM1B_CNT, 4));
	out->smi_command = port_of(get(t, FADT_SMI_CMD, 4));
	out->acpi_enable = (u8)get(t, FADT_ACPI_ENABLE, 1);
	out->pm_timer = get(t, FADT_PM_TMR_LEN, 1) == 4 ? port_of(get(t, FADT_PM_TMR, 4)) : 0;
	out->pm_timer_32bit = get(t, FADT_FLAGS, 4) & FADT_TMR_VAL_EXT;
	out->century = (u8)get(t, FADT_CENTURY, 1);
	s5_scan(out, table_at(dsdt ? dsdt : get(t, FADT_DSDT, 4), map));
}

/* ---- MCFG: PCI Firmware Specification, "MCFG Table Description" ---- */

#define MCFG_ENTRIES	44
#define MCFG_ENTRY_SIZE 16

static void read_mcfg(struct acpi_info *out, struct table t)
{
	for (u32 at = MCFG_ENTRIES; at + MCFG_ENTRY_SIZE <= t.len; at += MCFG_ENTRY_SIZE)
		if (get(t, at + 8, 2) == 0 && get(t, at + 10, 1) == 0)
			out->mcfg = HPA(get(t, at, 8));
}

static void read_table(struct acpi_info *out, struct table t, acpi_map_fn map)
{
	if (table_is(t, "APIC"))
		read_madt(out, t);
	else if (table_is(t, "FACP"))
		read_fadt(out, t, map);
	else if (table_is(t, "SSDT"))
		s5_scan(out, t);
	else if (table_is(t, "MCFG"))
		read_mcfg(out, t);
}

enum status acpi_parse(struct acpi_info *out, const void *rsdp_copy, u64 rsdp_len, acpi_map_fn map)
{
	struct rsdp rsdp;
	struct table root = { NULL, 0 };
	unsigned width = 8;

	memset(out, 0, sizeof(*out));
	out->lapic = HPA(LAPIC_DEFAULT);
	for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
		out->isa[i].gsi = i;
	if (!(rsdp_copy && rsdp_valid(rsdp_copy, rsdp_len, &rsdp)) && !rsdp_find(map, &rsdp))
		return ERR_NOENT;
	root = table_at(rsdp.xsdt, map);
	if (!table_is(root, "XSDT")) {
		root = table_at(rsdp.rsdt, map);
		width = 4;
		if (!table_is(root, "RSDT"))
			return ERR_NOENT;
	}
	for (u32 i = 0, at = sizeof(struct sdt); i < TABLES_MAX && at + width <= root.len;
		i++, at += width)
		read_table(out, table_at(get(root, at, width), map), map);
	return OK;
}
