/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is found on the machine's PCI buses: functions behind bridges, bridges that lead back,
 * BARs of all kinds, lists of capabilities that do not end, and MSI.
 *
 * Sources: hv/drv/pci.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/pci_regs.h>

#include "hv/drv/pci.h"
#include "tests/unit/host.h"

struct fn {
	u8 bus, slot, function;
	u8 config[256] __aligned(8);
};

static struct fn fns[8];
static unsigned count;
static u32 address;

static struct fn *selected(void)
{
	for (unsigned i = 0; i < count; i++)
		if ((address & 0x80ffff00u) ==
			(0x80000000u | (u32)fns[i].bus << 16 | (u32)fns[i].slot << 11 |
				(u32)fns[i].function << 8))
			return &fns[i];
	return NULL;
}

static u32 get(u16 port, unsigned size)
{
	struct fn *f = selected();
	u32 v = ~0u;
	unsigned at = (address & 0xfc) + (port & 3);

	assert_true(port >= 0xcfc && port + size <= 0xd00);
	if (f)
		memcpy(&v, f->config + at, size);
	return v;
}

static void set(u16 port, u32 v, unsigned size)
{
	struct fn *f = selected();

	assert_true(port >= 0xcfc && port + size <= 0xd00);
	assert_non_null(f);
	memcpy(f->config + (address & 0xfc) + (port & 3), &v, size);
}

static u8 in8(u16 p)
{
	return (u8)get(p, 1);
}

static u16 in16(u16 p)
{
	return (u16)get(p, 2);
}

static u32 in32(u16 p)
{
	return get(p, 4);
}

static void out8(u16 p, u8 v)
{
	set(p, v, 1);
}

static void out16(u16 p, u16 v)
{
	set(p, v, 2);
}

static void out32(u16 p, u32 v)
{
	if (p == 0xcf8)
		address = v;
	else
		set(p, v, 4);
}

static const struct port_ops ports = { in8, in16, in32, out8, out16, out32 };

static struct fn *add(u8 bus, u8 slot, u8 function, u32 class_code)
{
	struct fn *f = &fns[count++];

	*f = (struct fn){ .bus = bus, .slot = slot, .function = function };
	memcpy(f->config, &(u32){ 0x12348086 + count }, 4);
	memcpy(f->config + 8, &(u32){ class_code << 8 }, 4);
	return f;
}

static struct pci_function found[16];
static unsigned n;

static void note(const struct pci_function *f, void *ctx)
{
	assert_ptr_equal(ctx, &n);
	found[n++] = *f;
}

static int setup(void **state)
{
	(void)state;
	count = n = 0;
	return 0;
}

static void test_tree(void **state)
{
	struct fn *bridge, *back;

	(void)state;
	add(0, 0, 0, 0x060000);
	bridge = add(0, 3, 0, 0x060400);
	bridge->config[PCI_SECONDARY_BUS] = 7;
	add(0, 31, 0, 0x060100)->config[PCI_HEADER_TYPE] = 0x80;
	add(0, 31, 2, 0x010601);
	add(0, 30, 1, 0x010180); /* no function 0: there is nothing */
	add(7, 1, 0, 0x020000);
	back = add(7, 2, 0, 0x060400);
	back->config[PCI_SECONDARY_BUS] = 0;
	pci_for_each(&ports, note, &n);
	assert_int_equal(n, 6);
	assert_int_equal(found[3].class_code, 0x010601);
	assert_int_equal(found[3].function, 2);
	assert_int_equal(found[4].bus, 7);
	assert_int_equal(found[4].vendor, 0x8086 + 6);
}

static void test_bars(void **state)
{
	struct fn *f = add(0, 1, 0, 0);
	struct pci_function p;
	u32 bars[6] = { 0x1f1, 0xfebf0000, 0xfe00000c, 0x12, 0x1, 0 };
	u16 port;
	hpa_t at;

	(void)state;
	memcpy(f->config + PCI_BASE_ADDRESS_0, bars, sizeof(bars));
	pci_for_each(&ports, note, &n);
	p = found[0];
	assert_true(pci_fn_io_bar(&p, 0, &port));
	assert_int_equal(port, 0x1f0);
	assert_false(pci_fn_mem_bar(&p, 0, &at));
	assert_false(pci_fn_io_bar(&p, 1, &port));
	assert_true(pci_fn_mem_bar(&p, 1, &at));
	assert_int_equal(at.v, 0xfebf0000);
	assert_true(pci_fn_mem_bar(&p, 2, &at));
	assert_int_equal(at.v, 0x12fe000000);
	assert_false(pci_fn_io_bar(&p, 4, &port)); /* no address was given */
	assert_false(pci_fn_mem_bar(&p, 5, &at));
	pci_fn_enable(&p, PCI_COMMAND_MASTER);
	pci_fn_enable(&p, PCI_COMMAND_MEMORY);
	assert_int_equal(f->config[PCI_COMMAND], PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
}

static void test_capabilities(void **state)
{
	struct fn *f = add(0, 1, 0, 0);
	struct pci_function p;

	(void)state;
	pci_for_each(&ports, note, &n);
	p = found[0];
	f->config[PCI_CAPABILITY_LIST] = 0x40;
	f->config[0x40] = PCI_CAP_ID_MSI;
	assert_int_equal(pci_fn_capability(&p, PCI_CAP_ID_MSI), 0);
	assert_int_equal(pci_fn_msi(&p, 0xd0, 1), ERR_NOENT);
	f->config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	assert_int_equal(pci_fn_capability(&p, PCI_CAP_ID_MSI), 0x40);
	f->config[0x40] = PCI_CAP_ID_PM;
	f->config[0x41] = 0x53; /* the low bits do not count */
	f->config[0x50] = PCI_CAP_ID_MSI;
	assert_int_equal(pci_fn_capability(&p, PCI_CAP_ID_MSI), 0x50);
	f->config[0x50] = PCI_CAP_ID_VNDR;
	f->config[0x51] = 0x40; /* a ring */
	assert_int_equal(pci_fn_capability(&p, PCI_CAP_ID_MSI), 0);
	f->config[0x51] = 0x10; /* into the header */
	assert_int_equal(pci_fn_capability(&p, PCI_CAP_ID_MSI), 0);
}

static void test_msi(void **state)
{
	struct fn *f = add(0, 1, 0, 0);
	struct pci_function p;

	(void)state;
	pci_for_each(&ports, note, &n);
	p = found[0];
	f->config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	f->config[PCI_CAPABILITY_LIST] = 0x60;
	f->config[0x60] = PCI_CAP_ID_MSI;
	f->config[0x62] = 0x30; /* firmware has let it have eight vectors */
	f->config[0x68] = 0x55;
	assert_int_equal(pci_fn_msi(&p, 0xd3, 2), OK);
	assert_int_equal(*(u32 *)(void *)&f->config[0x64], 0xfee02000);
	assert_int_equal(f->config[0x68], 0xd3);
	assert_int_equal(f->config[0x62], 1);
	assert_int_equal(f->config[PCI_COMMAND + 1], PCI_COMMAND_INTX_DISABLE >> 8);
	f->config[0x62] = 0x80; /* 64-bit addresses */
	f->config[0x68] = 0x55;
	assert_int_equal(pci_fn_msi(&p, 0xd3, 2), OK);
	assert_int_equal(f->config[0x68], 0);
	assert_int_equal(f->config[0x6c], 0xd3);
	assert_int_equal(pci_fn_msi(&p, 0xd3, 256), ERR_NOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tree, setup),
		cmocka_unit_test_setup(test_bars, setup),
		cmocka_unit_test_setup(test_capabilities, setup),
		cmocka_unit_test_setup(test_msi, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
