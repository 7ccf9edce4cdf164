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
#include "hv/lib/acpi_tables.h"
#include "hv/lib/string.h"

#define RSDP_SCAN_STEP 16
#define EBDA_POINTER   0x40eul
#define EBDA_SCAN      KB
#define BIOS_AREA      0xe0000ul
#define BIOS_AREA_END  0x100000ul
#define TABLE_MAX      (4 * MB)
#define TABLES_MAX     256

#define LAPIC_DEFAULT 0xfee00000ul

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

/* A member of the struct that a table, or an entry of one, is laid out as. */
#define field(t, type, member)                                                                     \
	get(t, (u32)offsetof(type, member), sizeof(((const type *)0)->member))

/* ---- the root ---- */

static bool rsdp_valid(const u8 *p, u64 len, struct acpi_rsdp *out)
{
	if (len < RSDP_V1_LENGTH || memcmp(p, RSDP_SIGNATURE, sizeof(out->signature)) ||
		acpi_sum(p, RSDP_V1_LENGTH))
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out, p, RSDP_V1_LENGTH);
	if (out->revision >= RSDP_REVISION && len >= sizeof(*out) && !acpi_sum(p, sizeof(*out)))
		memcpy(out, p, sizeof(*out));
	return true;
}

static bool rsdp_scan(u64 start, u64 end, acpi_map_fn map, struct acpi_rsdp *out)
{
	const u8 *p = end > start ? map(HPA(start), end - start) : NULL;

	for (u64 at = 0; p && at + RSDP_V1_LENGTH <= end - start; at += RSDP_SCAN_STEP)
		if (rsdp_valid(p + at, end - start - at, out))
			return true;
	return false;
}

/* "Finding the RSDP on IA-PC Systems" */
static bool rsdp_find(acpi_map_fn map, struct acpi_rsdp *out)
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
	const struct acpi_header *h = pa ? map(HPA(pa), sizeof(*h)) : NULL;
	u32 len = h ? h->length : 0;

	if (len < sizeof(*h) || len > TABLE_MAX)
		return none;
	h = map(HPA(pa), len);
	if (!h)
		return none;
	if (acpi_sum(h, len)) {
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

static void add_cpu(struct acpi_info *out, u32 apic_id, u64 flags)
{
	if (!(flags & MADT_ENABLED))
		return;
	for (unsigned i = 0; i < out->cpus; i++)
		if (out->cpu_apic_id[i] == apic_id)
			return;
	if (out->cpus == ACPI_CPUS_MAX)
		out->cpus_dropped++;
	else
		out->cpu_apic_id[out->cpus++] = apic_id;
}

static void read_lapic(struct acpi_info *out, struct table e)
{
	u64 id = field(e, struct madt_lapic, apic_id);

	if (id != MADT_ALL_CPUS)
		add_cpu(out, (u32)id, field(e, struct madt_lapic, flags));
}

static void read_x2apic(struct acpi_info *out, struct table e)
{
	u64 id = field(e, struct madt_x2apic, apic_id);

	if (id != MADT_ALL_X2APICS)
		add_cpu(out, (u32)id, field(e, struct madt_x2apic, flags));
}

static void read_ioapic(struct acpi_info *out, struct table e)
{
	u64 base = field(e, struct madt_ioapic, address);

	if (out->ioapics == ACPI_IOAPICS_MAX || !base)
		return;
	out->ioapic[out->ioapics].base = HPA(base);
	out->ioapic[out->ioapics].gsi_base = (u32)field(e, struct madt_ioapic, gsi_base);
	out->ioapics++;
}

static void read_override(struct acpi_info *out, struct table e)
{
	u64 irq = field(e, struct madt_override, irq),
	    flags = field(e, struct madt_override, flags);

	if (field(e, struct madt_override, bus) != MADT_BUS_ISA || irq >= ACPI_ISA_IRQS)
		return;
	out->isa[irq] = (struct acpi_isa_irq){
		.gsi = (u32)field(e, struct madt_override, gsi),
		.level = (flags & MADT_TRIGGER_LEVEL) == MADT_TRIGGER_LEVEL,
		.active_low = (flags & MADT_POLARITY_LOW) == MADT_POLARITY_LOW,
	};
}

static void read_lapic64(struct acpi_info *out, struct table e)
{
	out->lapic = HPA(field(e, struct madt_lapic64, address));
}

static const struct {
	u8 type, length; /* an entry that is shorter is ignored */
	void (*read)(struct acpi_info *out, struct table entry);
} madt_readers[] = {
	{ MADT_LAPIC, sizeof(struct madt_lapic), read_lapic },
	{ MADT_IOAPIC, sizeof(struct madt_ioapic), read_ioapic },
	{ MADT_OVERRIDE, sizeof(struct madt_override), read_override },
	{ MADT_LAPIC64, sizeof(struct madt_lapic64), read_lapic64 },
	{ MADT_X2APIC, sizeof(struct madt_x2apic), read_x2apic },
};

static void read_madt(struct acpi_info *out, struct table t)
{
	out->lapic = HPA(field(t, struct acpi_madt, lapic_address));
	for (u32 at = sizeof(struct acpi_madt); at + 2 <= t.len;) {
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
	for (u32 at = sizeof(struct acpi_header) + 1; !out->s5_found && at + AML_NAMESEG < t.len;
		at++)
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
	u64 dsdt = field(t, struct acpi_fadt, x_dsdt);

	out->pm1a_control = port_of(field(t, struct acpi_fadt, pm1a_cnt));
	out->pm1b_control = port_of(field(t, struct acpi_fadt, pm1b_cnt));
	out->smi_command = port_of(field(t, struct acpi_fadt, smi_cmd));
	out->acpi_enable = (u8)field(t, struct acpi_fadt, acpi_enable);
	out->pm_timer = field(t, struct acpi_fadt, pm_tmr_len) == 4
				? port_of(field(t, struct acpi_fadt, pm_tmr))
				: 0;
	out->pm_timer_32bit = field(t, struct acpi_fadt, flags) & FADT_TMR_32;
	out->century = (u8)field(t, struct acpi_fadt, century);
	s5_scan(out, table_at(dsdt ? dsdt : field(t, struct acpi_fadt, dsdt), map));
}

/* ---- MCFG: PCI Firmware Specification, "MCFG Table Description" ---- */

static void read_mcfg(struct acpi_info *out, struct table t)
{
	for (u32 at = sizeof(struct acpi_mcfg); at + sizeof(struct mcfg_entry) <= t.len;
		at += sizeof(struct mcfg_entry)) {
		struct table e = { t.data + at, sizeof(struct mcfg_entry) };

		if (!field(e, struct mcfg_entry, segment) &&
			!field(e, struct mcfg_entry, first_bus))
			out->mcfg = HPA(field(e, struct mcfg_entry, base));
	}
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
	struct acpi_rsdp rsdp;
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
	for (u32 i = 0, at = sizeof(struct acpi_header); i < TABLES_MAX && at + width <= root.len;
		i++, at += width)
		read_table(out, table_at(get(root, at, width), map), map);
	return OK;
}
