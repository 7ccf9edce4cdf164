/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical machine's ACPI tables, in a small model of its memory: found by each way, read, and
 * with every kind of damage that firmware could do.
 *
 * Sources: hv/cpu/acpi.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/acpi.h"

#define MEM_SIZE (2 * MB)
#define RSDP_AT	 0xf1230ul
#define XSDT_AT	 0x100000ul
#define RSDT_AT	 0x101000ul
#define MADT_AT	 0x102000ul
#define FADT_AT	 0x103000ul
#define DSDT_AT	 0x104000ul
#define MCFG_AT	 0x105000ul
#define SSDT_AT	 0x106000ul

static u8 *mem;

static const void *map(hpa_t pa, u64 len)
{
	return pa.v <= MEM_SIZE && len <= MEM_SIZE - pa.v ? mem + pa.v : NULL;
}

static void put(u64 at, u64 value, unsigned size)
{
	memcpy(mem + at, &value, size);
}

static void fix_sum(u64 at, u64 len, u64 sum_at)
{
	u8 sum = 0;

	mem[sum_at] = 0;
	for (u64 i = 0; i < len; i++)
		sum = (u8)(sum + mem[at + i]);
	mem[sum_at] = (u8)-sum;
}

static void seal(u64 at, const char *signature, u32 len)
{
	memcpy(mem + at, signature, 4);
	put(at + 4, len, 4);
	fix_sum(at, len, at + 9);
}

static void put_rsdp(u64 at, u8 revision)
{
	memcpy(mem + at, "RSD PTR ", 8);
	mem[at + 15] = revision;
	put(at + 16, RSDT_AT, 4);
	put(at + 20, 36, 4);
	put(at + 24, XSDT_AT, 8);
	fix_sum(at, 20, at + 8);
	fix_sum(at, 36, at + 32);
}

static u32 put_madt(void)
{
	static const u8 entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,				 /* LAPIC 0 */
		0, 8, 1, 2, 1, 0, 0, 0,				 /* LAPIC 2 */
		0, 8, 2, 3, 0, 0, 0, 0,				 /* LAPIC 3, disabled */
		0, 8, 3, 0xff, 1, 0, 0, 0,			 /* the broadcast ID */
		1, 12, 4, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,	 /* I/O APIC */
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,			 /* IRQ 0 is GSI 2 */
		2, 10, 0, 9, 9, 0, 0, 0, 0x0f, 0,		 /* IRQ 9: level, low */
		2, 10, 0, 99, 9, 0, 0, 0, 0, 0,			 /* no such IRQ */
		2, 10, 7, 3, 9, 0, 0, 0, 0, 0,			 /* not ISA */
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, /* x2APIC 0x100 */
		9, 16, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, /* 2 again */
		4, 6, 0xff, 0, 0, 1,				 /* LAPIC NMI: not ours */
		5, 12, 0, 0, 0, 0, 0xe1, 0xfe, 0, 0, 0, 0,	 /* LAPIC address */
	};

	put(MADT_AT + 36, 0xfee00000, 4);
	memcpy(mem + MADT_AT + 44, entries, sizeof(entries));
	seal(MADT_AT, "APIC", 44 + sizeof(entries));
	return 44 + sizeof(entries);
}

static void put_dsdt(u64 at, const char *signature, const u8 *aml, u32 len)
{
	memcpy(mem + at + 36, aml, len);
	seal(at, signature, 36 + len);
}

static const u8 s5_bytes[] = { 0x08, '_', 'S', '4', '_', 0x12, 2, 0, 0x08, '_', 'S', '5', '_', 0x12,
	7, 4, 0x0a, 5, 0x0a, 6, 0, 0 };

static void put_fadt(void)
{
	put(FADT_AT + 40, DSDT_AT, 4);
	put(FADT_AT + 48, 0xb2, 4);
	put(FADT_AT + 52, 0xf1, 1);
	put(FADT_AT + 64, 0xb004, 4);
	put(FADT_AT + 68, 0xb104, 4);
	put(FADT_AT + 76, 0xb008, 4);
	put(FADT_AT + 91, 4, 1);
	put(FADT_AT + 108, 0x32, 1);
	put(FADT_AT + 112, 1u << 8, 4);
	seal(FADT_AT, "FACP", 244);
}

static void put_roots(void)
{
	static const u32 tables[] = { MADT_AT, FADT_AT, MCFG_AT };

	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		put(XSDT_AT + 36 + 8 * i, tables[i], 8);
		put(RSDT_AT + 36 + 4 * i, tables[i], 4);
	}
	seal(XSDT_AT, "XSDT", 36 + 8 * ARRAY_SIZE(tables));
	seal(RSDT_AT, "RSDT", 36 + 4 * ARRAY_SIZE(tables));
}

static int setup(void **state)
{
	(void)state;
	mem = calloc(1, MEM_SIZE);
	put_rsdp(RSDP_AT, 2);
	put_madt();
	put_fadt();
	put_dsdt(DSDT_AT, "DSDT", s5_bytes, sizeof(s5_bytes));
	put(MCFG_AT + 44, 0xb0000000, 8);
	put(MCFG_AT + 55, 0xff, 1);
	seal(MCFG_AT, "MCFG", 60);
	put_roots();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(mem);
	return 0;
}

static void check_all(const struct acpi_info *a)
{
	assert_int_equal(a->cpus, 3);
	assert_int_equal(a->cpu_apic_id[0], 0);
	assert_int_equal(a->cpu_apic_id[1], 2);
	assert_int_equal(a->cpu_apic_id[2], 0x100);
	assert_int_equal(a->lapic.v, 0xfee10000);
	assert_int_equal(a->ioapics, 1);
	assert_int_equal(a->ioapic[0].base.v, 0xfec00000);
	assert_int_equal(a->isa[0].gsi, 2);
	assert_int_equal(a->isa[1].gsi, 1);
	assert_true(a->isa[9].level && a->isa[9].active_low);
	assert_false(a->isa[3].level || a->isa[3].active_low);
	assert_int_equal(a->isa[3].gsi, 3);
	assert_int_equal(a->pm1a_control, 0xb004);
	assert_int_equal(a->pm1b_control, 0xb104);
	assert_int_equal(a->smi_command, 0xb2);
	assert_int_equal(a->acpi_enable, 0xf1);
	assert_int_equal(a->pm_timer, 0xb008);
	assert_true(a->pm_timer_32bit);
	assert_int_equal(a->century, 0x32);
	assert_true(a->s5_found);
	assert_int_equal(a->s5_typ_a, 5);
	assert_int_equal(a->s5_typ_b, 6);
	assert_int_equal(a->mcfg.v, 0xb0000000);
}

static void test_good(void **state)
{
	struct acpi_info a;
	u8 rsdp[36];

	(void)state;
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK); /* found in the BIOS area */
	check_all(&a);
	memcpy(rsdp, mem + RSDP_AT, sizeof(rsdp));
	memset(mem + RSDP_AT, 0, sizeof(rsdp));
	assert_int_equal(acpi_parse(&a, NULL, 0, map), ERR_NOENT);
	assert_int_equal(acpi_parse(&a, rsdp, sizeof(rsdp), map), OK); /* from the boot loader */
	check_all(&a);
	put(0x40e, 0x9fc0, 2); /* in the extended BIOS data area */
	put_rsdp(0x9fc10, 0);
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
	check_all(&a);
}

static void test_roots(void **state)
{
	struct acpi_info a;

	(void)state;
	put_rsdp(RSDP_AT, 0); /* ACPI 1.0: RSDT only */
	memset(mem + XSDT_AT, 0, 36);
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
	check_all(&a);
	put_rsdp(RSDP_AT, 2); /* the XSDT is broken: RSDT again */
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
	check_all(&a);
	mem[RSDT_AT + 10]++;
	assert_int_equal(acpi_parse(&a, NULL, 0, map), ERR_NOENT);
	assert_int_equal(a.lapic.v, 0xfee00000); /* what holds without tables */
	assert_int_equal(a.isa[15].gsi, 15);
}

static void test_rsdp_damaged(void **state)
{
	struct acpi_info a;
	u8 rsdp[36];

	(void)state;
	memcpy(rsdp, mem + RSDP_AT, sizeof(rsdp));
	mem[RSDP_AT + 10]++;
	assert_int_equal(acpi_parse(&a, NULL, 0, map), ERR_NOENT);
	assert_int_equal(acpi_parse(&a, rsdp, 19, map), ERR_NOENT);
	assert_int_equal(acpi_parse(&a, rsdp, 20, map), OK); /* the old half of it */
	rsdp[33]++; /* extended checksum wrong: the RSDT is used */
	memset(mem + XSDT_AT, 0, 36);
	assert_int_equal(acpi_parse(&a, rsdp, 36, map), OK);
	check_all(&a);
}

static void test_checksum_drops_table(void **state)
{
	struct acpi_info a;

	(void)state;
	mem[MADT_AT + 40]++;
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
	assert_int_equal(a.cpus, 0);
	assert_int_equal(a.pm1a_control, 0xb004);
}

static void test_lengths(void **state)
{
	static const u32 lengths[] = { 0, 1, 35, 5 * MB, 0xffffffff };
	struct acpi_info a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		put(FADT_AT + 4, lengths[i], 4);
		assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
		assert_int_equal(a.pm1a_control, 0);
		assert_int_equal(a.cpus, 3);
	}
	/* A short one of old firmware: fields beyond its end are absent. */
	put(FADT_AT + 104, 0, 8);
	put(FADT_AT + 112, 0, 4);
	seal(FADT_AT, "FACP", 100);
	put(FADT_AT + 108, 0x32, 1);
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
	assert_int_equal(a.pm_timer, 0xb008);
	assert_int_equal(a.century, 0);
}

static void test_madt_entry_broken(void **state)
{
	static const u8 sizes[] = { 0, 1, 200 };
	struct acpi_info a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 len = put_madt();

		mem[MADT_AT + 44 + 9] = sizes[i]; /* the second entry */
		seal(MADT_AT, "APIC", len);
		assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
		assert_int_equal(a.cpus, 1);
	}
}

static void test_madt_many(void **state)
{
	struct acpi_info a;
	u64 at = MADT_AT + 44;

	(void)state;
	for (u32 i = 0; i < 100; i++, at += 16) {
		memset(mem + at, 0, 16);
		put(at, 0x1009, 2);
		put(at + 4, 1000 + i, 4);
		put(at + 8, 1, 4);
	}
	for (u32 i = 0; i < 20; i++, at += 12) {
		put(at, 0x0c01, 2);
		put(at + 4, 0xfec00000 + i * 0x1000, 4);
		put(at + 8, i * 24, 4);
	}
	seal(MADT_AT, "APIC", (u32)(at - MADT_AT));
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
	assert_int_equal(a.cpus, ACPI_CPUS_MAX);
	assert_int_equal(a.cpus_dropped, 100 - ACPI_CPUS_MAX);
	assert_int_equal(a.ioapics, ACPI_IOAPICS_MAX);
}

static void test_s5_forms(void **state)
{
	static const struct {
		u8 aml[20];
		u32 len;
		bool found;
		u8 a, b;
	} forms[] = {
		{ { 0x08, '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, 5, 0x0a, 6, 0, 0 }, 14, true, 5,
			6 }, /* the first object */
		{ { 0, 0, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0 }, 14, true, 0, 0 },
		{ { 0, 0x08, '\\', '_', 'S', '5', '_', 0x12, 6, 4, 1, 0x0a, 7, 0 }, 14, true, 1,
			7 },
		{ { 0, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x40, 1, 4, 0x0b, 5, 0, 0x0c, 3, 0, 0,
			  0 },
			19, true, 5, 3 },
		{ { 0, 0, 0x14, '_', 'S', '5', '_', 0x12, 6, 4, 5, 5, 0, 0 }, 14, false, 0,
			0 }, /* a method */
		{ { 0, 0, 0x08, '_', 'S', '5', '_', 0x11, 6, 4, 5, 5, 0, 0 }, 14, false, 0,
			0 }, /* a buffer */
		{ { 0, 0, 0x08, '_', 'S', '5', '_', 0x12, 6, 1, 0x0a, 5, 0, 0 }, 14, false, 0,
			0 }, /* one element */
		{ { 0, 0, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0d, 'x', 0, 0 }, 14, false, 0,
			0 }, /* a string */
		{ { 0, 0, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a }, 11, false, 0, 0 }, /* cut */
		{ { 0, 0, 0x08, '_', 'S', '5', '_' }, 7, false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct acpi_info a;

		put_dsdt(DSDT_AT, "DSDT", forms[i].aml, forms[i].len);
		assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
		assert_int_equal(a.s5_found, forms[i].found);
		assert_int_equal(a.s5_typ_a, forms[i].a);
		assert_int_equal(a.s5_typ_b, forms[i].b);
	}
}

static void test_s5_in_ssdt(void **state)
{
	struct acpi_info a;

	(void)state;
	put_dsdt(DSDT_AT, "DSDT", (const u8 *)"....", 4);
	put_dsdt(SSDT_AT, "SSDT", s5_bytes, sizeof(s5_bytes));
	put(XSDT_AT + 36 + 16, SSDT_AT, 8); /* instead of the MCFG */
	seal(XSDT_AT, "XSDT", 36 + 24);
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
	assert_true(a.s5_found);
	assert_int_equal(a.s5_typ_a, 5);
}

static void test_unreachable(void **state)
{
	struct acpi_info a;

	(void)state;
	put(XSDT_AT + 36, 0xffffffffffffff00, 8);
	put(XSDT_AT + 44, MEM_SIZE - 20, 8);
	seal(XSDT_AT, "XSDT", 36 + 24);
	assert_int_equal(acpi_parse(&a, NULL, 0, map), OK);
	assert_int_equal(a.cpus, 0);
	assert_int_equal(a.mcfg.v, 0xb0000000);
}

/* Random damage under right checksums: no read outside the model (the sanitizer looks on). */
static void test_random(void **state)
{
	static const u64 at[] = { XSDT_AT, RSDT_AT, MADT_AT, FADT_AT, DSDT_AT, MCFG_AT };

	srand(3);
	for (int round = 0; round < 3000; round++) {
		struct acpi_info a;

		setup(state);
		for (int n = rand() % 8; n >= 0; n--) {
			u64 table = at[(unsigned)rand() % ARRAY_SIZE(at)];
			u32 len = mem[table + 4] | (u32)mem[table + 5] << 8;

			mem[table + (unsigned)rand() % (len + 1)] = (u8)rand();
			len = mem[table + 4] | (u32)mem[table + 5] << 8;
			fix_sum(table, len, table + 9);
		}
		acpi_parse(&a, NULL, 0, map);
		assert_true(a.cpus <= ACPI_CPUS_MAX && a.ioapics <= ACPI_IOAPICS_MAX);
		teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_roots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rsdp_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_checksum_drops_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_madt_entry_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_madt_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_s5_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_s5_in_ssdt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreachable, setup, teardown),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
