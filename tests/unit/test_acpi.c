/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACPI tables as an OS finds them in guest memory: the chain from the RSDP, checksums, the
 * fields by their offsets in the specification, the DSDT's numbers against the layout, and iasl's
 * opinion of all of them.
 *
 * Sources: hv/dev/acpi.c hv/mem/guestmem.c hv/mem/guestmem_loose.c build/hv/dev/dsdt.c
 */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hv/dev/acpi.h"
#include "hv/dev/layout.h"
#include "hv/dev/pci.h"
#include "hv/dev/pm.h"
#include "tests/unit/destroy.h"

#define FW_SIZE (LAYOUT_FW_END - LAYOUT_FW_START)
#define VCPUS	3
#define HEADER	36

static struct guestmem gm;
static u8 fw[FW_SIZE];

static int setup(void **state)
{
	(void)state;
	memset(&gm, 0, sizeof(gm));
	assert_int_equal(guestmem_add(&gm, GPA(0), 2 * MB), OK);
	assert_int_equal(acpi_build(&gm, VCPUS, false), OK);
	assert_int_equal(guest_read(&gm, GPA(LAYOUT_FW_START), fw, FW_SIZE), OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guestmem_destroy(&gm);
	return 0;
}

static const u8 *at(u64 gpa, size_t len)
{
	assert_true(gpa >= LAYOUT_FW_START && gpa + len <= LAYOUT_FW_END);
	return fw + (gpa - LAYOUT_FW_START);
}

static u64 get(const u8 *p, unsigned offset, unsigned size)
{
	u64 value = 0;

	memcpy(&value, p + offset, size);
	return value;
}

static u8 sum(const u8 *p, size_t len)
{
	u8 s = 0;

	while (len--)
		s = (u8)(s + *p++);
	return s;
}

/* A table by its signature, found as an OS finds it; "DSDT" and "FACS" through the FADT. */
static const u8 *table(const char *signature, u32 *len)
{
	u64 rsdp_xsdt = get(at(ACPI_RSDP, 36), 24, 8);
	const u8 *xsdt = at(rsdp_xsdt, HEADER), *t = NULL;
	unsigned n = ((unsigned)get(xsdt, 4, 4) - HEADER) / 8;

	for (unsigned i = 0; i < n; i++) {
		t = at(get(xsdt, HEADER + i * 8, 8), HEADER);
		if (!memcmp(t, "FACP", 4) && !strcmp(signature, "DSDT"))
			t = at(get(t, 40, 4), HEADER);
		else if (!memcmp(t, "FACP", 4) && !strcmp(signature, "FACS"))
			t = at(get(t, 36, 4), HEADER);
		if (!memcmp(t, signature, 4))
			break;
		t = NULL;
	}
	if (!strcmp(signature, "XSDT"))
		t = xsdt;
	assert_non_null(t);
	*len = (u32)get(t, 4, 4);
	at(LAYOUT_FW_START + (u64)(t - fw), *len);
	return t;
}

static void rsdp(void **state)
{
	const u8 *r = at(ACPI_RSDP, 36);

	(void)state;
	assert_int_equal(ACPI_RSDP % 16, 0);
	assert_memory_equal(r, "RSD PTR ", 8);
	assert_int_equal(r[15], 2);
	assert_int_equal(get(r, 20, 4), 36);
	assert_int_equal(sum(r, 20), 0);
	assert_int_equal(sum(r, 36), 0);
}

static void checksums(void **state)
{
	static const char *const all[] = { "XSDT", "FACP", "APIC", "MCFG", "DSDT" };
	u32 len;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		const u8 *t = table(all[i], &len);

		assert_int_equal(sum(t, len), 0);
		assert_memory_equal(t + 10, "TRIPT ", 6);
		assert_memory_equal(t + 16, "TRIPTYCH", 8);
	}
}

static void gas(const u8 *g, u64 port, unsigned bits)
{
	assert_int_equal(g[0], 1);
	assert_int_equal(g[1], bits);
	assert_int_equal(g[2], 0);
	assert_int_equal(get(g, 4, 8), port);
}

static void fadt(void **state)
{
	u32 len;
	const u8 *t = table("FACP", &len);

	(void)state;
	assert_int_equal(len, 276);
	assert_int_equal(t[8], 6);
	assert_int_equal(get(t, 40, 4), get(t, 140, 8)); /* DSDT, X_DSDT */
	assert_int_equal(get(t, 36, 4) % 64, 0);	 /* FACS */
	assert_int_equal(get(t, 46, 2), LAYOUT_GSI_SCI);
	assert_int_equal(get(t, 48, 4), 0); /* no SMI command port: always in ACPI mode */
	assert_int_equal(get(t, 56, 4), LAYOUT_PM_BASE);
	assert_int_equal(get(t, 64, 4), LAYOUT_PM_BASE + 4);
	assert_int_equal(get(t, 76, 4), LAYOUT_PM_BASE + 8);
	assert_int_equal(t[88], 4);
	assert_int_equal(t[89], 2);
	assert_int_equal(t[91], 4);
	assert_int_equal(t[108], 0x32);
	assert_int_equal(
		get(t, 109, 2), 0x17); /* legacy devices, 8042, no VGA, MSI allowed, no ASPM, RTC */
	assert_int_equal(get(t, 112, 4), 0x565);
	gas(t + 116, 0xcf9, 8);
	assert_int_equal(t[128], 6);
	gas(t + 148, LAYOUT_PM_BASE, 32);
	gas(t + 172, LAYOUT_PM_BASE + 4, 16);
	gas(t + 208, LAYOUT_PM_BASE + 8, 32);
	assert_memory_equal(t + 268, "Triptych", 8);
}

static void facs(void **state)
{
	u32 len;
	const u8 *t = table("FACS", &len);

	(void)state;
	assert_int_equal(len, 64);
	assert_int_equal(t[32], 2);
}

static void madt(void **state)
{
	static const u8 fixed[] = {
		1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0, /* IOAPIC at 0xFEC00000, GSI 0 */
		2, 10, 0, 0, 2, 0, 0, 0, 0, 0,			 /* IRQ 0 is GSI 2, edge */
		2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,		 /* IRQ 9 is level, active high */
		4, 6, 0xff, 0, 0, 1,				 /* LINT1 is NMI on all */
	};
	u32 len, offset = 44 + sizeof(fixed);
	const u8 *t = table("APIC", &len);

	(void)state;
	assert_int_equal(get(t, 36, 4), LAYOUT_LAPIC);
	assert_int_equal(get(t, 40, 4), 1);
	assert_memory_equal(t + 44, fixed, sizeof(fixed));
	for (u8 i = 0; i < VCPUS; i++, offset += 8) {
		const u8 lapic[] = { 0, 8, i, i, 1, 0, 0, 0 };

		assert_memory_equal(t + offset, lapic, sizeof(lapic));
	}
	assert_int_equal(offset, len);
}

static void mcfg(void **state)
{
	u32 len;
	const u8 *t = table("MCFG", &len);

	(void)state;
	assert_int_equal(len, 60);
	assert_int_equal(get(t, 44, 8), LAYOUT_ECAM);
	assert_int_equal(get(t, 52, 4), 0); /* segment 0, buses 0 to 0 */
	assert_int_equal(LAYOUT_ECAM_SIZE, 1 * MB);
}

static bool dsdt_has(const void *bytes, size_t n)
{
	u32 len;
	const u8 *t = table("DSDT", &len);

	return memmem(t, len, bytes, n) != NULL;
}

static bool dsdt_has_ports(u16 base, u8 n)
{
	u8 d[] = { 0x47, 1, (u8)base, (u8)(base >> 8), (u8)base, (u8)(base >> 8), 1, n };

	return dsdt_has(d, sizeof(d));
}

/* The numbers that the DSDT repeats. */
static void dsdt_agrees_with_the_layout(void **state)
{
	struct {
		u32 granularity, min, max, offset, len;
	} window = { 0, LAYOUT_PCI_MMIO, LAYOUT_PCI_MMIO_END - 1, 0,
		LAYOUT_PCI_MMIO_END - LAYOUT_PCI_MMIO };
	u32 ecam[] = { LAYOUT_ECAM, LAYOUT_ECAM_SIZE };
	static const u8 s5[] = { '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, PM_SLP_TYP_S5, 0x0a,
		PM_SLP_TYP_S5 };

	(void)state;
	assert_true(dsdt_has(&window, sizeof(window)));
	assert_true(dsdt_has(ecam, sizeof(ecam)));
	assert_true(dsdt_has(s5, sizeof(s5)));
	assert_true(dsdt_has_ports(LAYOUT_PM_BASE, PM_PORTS));
	assert_true(dsdt_has_ports(PCI_CONFIG_PORT, PCI_CONFIG_PORTS));
	assert_true(dsdt_has_ports(0x3f8, 8));
	assert_false(dsdt_has_ports(0x2f8, 8));
	for (u32 n = 0; n <= LAYOUT_VIRTIO_MAX; n++) {
		struct __attribute__((packed)) {
			u32 base, len;
			u8 interrupt[5]; /* consumer, level, active high, shared; one */
			u32 gsi;
		} place = { (u32)(LAYOUT_VIRTIO + n * PAGE_SIZE), PAGE_SIZE, { 0x89, 6, 0, 9, 1 },
			LAYOUT_VIRTIO_GSI + n % LAYOUT_VIRTIO_GSIS };

		assert_int_equal(dsdt_has(&place, sizeof(place)), n < LAYOUT_VIRTIO_MAX);
	}
	for (u32 slot = 1; slot < PCI_SLOTS; slot++) {
		u8 row[] = { 0x0c, 0xff, 0xff, (u8)slot, 0, 0, 0, 0x0a,
			(u8)(PCI_INTX_GSI + slot % PCI_INTX_LINES) };

		assert_true(dsdt_has(row, sizeof(row)));
	}
}

/* Disassembles every table, and compiles the DSDT again: no word of complaint. */
static void iasl_accepts_them(void **state)
{
	static const char *const all[] = { "XSDT", "FACP", "APIC", "MCFG", "FACS", "DSDT" };
	char dir[] = "/tmp/acpi-XXXXXX", cmd[512];
	u32 len;

	(void)state;
	if (system("command -v iasl >/dev/null"))
		skip();
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		const u8 *t = table(all[i], &len);
		FILE *out;

		snprintf(cmd, sizeof(cmd), "%s/%s.dat", dir, all[i]);
		out = fopen(cmd, "wb");
		assert_non_null(out);
		assert_int_equal(fwrite(t, 1, len, out), len);
		fclose(out);
		snprintf(cmd, sizeof(cmd),
			"cd %s && iasl -d %s.dat >log 2>&1 && iasl -we %s.dsl >>log 2>&1 && "
			"! grep -qiE 'invalid|incorrect|unknown|should be' log %s.dsl || { cat "
			"log; false; }",
			dir, all[i], all[i], all[i]);
		assert_int_equal(system(cmd), 0);
	}
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

static void any_number_of_vcpus(void **state)
{
	const u8 *wakeup;
	u64 mailbox;
	u32 len;

	(void)state;
	assert_int_equal(acpi_build(&gm, 17, false), ERR_RANGE);
	for (unsigned n = 1; n <= 16; n++) {
		assert_int_equal(acpi_build(&gm, n, false), OK);
		assert_int_equal(guest_read(&gm, GPA(LAYOUT_FW_START), fw, FW_SIZE), OK);
		table("APIC", &len);
		assert_int_equal(len, 82 + n * 8);
		checksums(NULL);
		assert_int_equal(acpi_build(&gm, n, true), OK);
		assert_int_equal(guest_read(&gm, GPA(LAYOUT_FW_START), fw, FW_SIZE), OK);
		wakeup = table("APIC", &len) + 82 + n * 8;
		assert_int_equal(len, 82 + n * 8 + 16);
		assert_true(wakeup[0] == 16 && wakeup[1] == 16);
		memcpy(&mailbox, wakeup + 8, sizeof(mailbox));
		assert_int_equal(mailbox, LAYOUT_WAKEUP);
		checksums(NULL);
	}
}

static void no_memory_there(void **state)
{
	struct guestmem none = { 0 };

	(void)state;
	assert_int_equal(acpi_build(&none, 1, false), ERR_RANGE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rsdp),
		TEST(checksums),
		TEST(fadt),
		TEST(facs),
		TEST(madt),
		TEST(mcfg),
		TEST(dsdt_agrees_with_the_layout),
		TEST(iasl_accepts_them),
		TEST(any_number_of_vcpus),
		TEST(no_memory_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
