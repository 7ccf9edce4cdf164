/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI bus with a fake device: configuration by ports and ECAM, BARs that move where they may
 * and where they may not, INTA#, MSI-X.
 *
 * Sources: hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/pci_regs.h>

#include "hv/dev/layout.h"
#include "hv/dev/msix.h"
#include "hv/dev/pci.h"
#include "tests/unit/host.h"

#define VECTORS	 3
#define IO_SIZE	 32
#define MEM_SIZE 0x4000

static struct {
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct pci_dev dev, other;
	struct msix msix;
	unsigned resets, written, msis;
	u64 msi_address;
	u32 msi_data;
	bool gsi[24];
} f;

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	assert_ptr_equal(ctx, &f);
	assert_true(gsi < ARRAY_SIZE(f.gsi));
	f.gsi[gsi] = level;
}

static void msi(void *ctx, u64 address, u32 data)
{
	assert_ptr_equal(ctx, &f);
	f.msis++;
	f.msi_address = address;
	f.msi_data = data;
}

static void fire(void *ctx)
{
	(void)ctx;
	f.resets++;
}

/* Behind a BAR: reads give the offset plus the number that dev points at. */
static u64 dev_read(void *dev, u64 offset, unsigned size)
{
	(void)size;
	return *(const u64 *)dev + offset;
}

static void dev_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)dev, (void)offset, (void)size, (void)value;
}

static const struct io_ops dev_io = { .read = dev_read, .write = dev_write };
static u64 behind_io = 0x10, behind_mem = 0x100, behind_other = 0x700;

static void written(struct pci_dev *d, unsigned offset, unsigned size)
{
	assert_ptr_equal(d, &f.dev);
	assert_true(offset + size <= PCI_CONFIG_SIZE);
	f.written++;
}

static const struct pci_id id = {
	.vendor = 0x1af4,
	.device = 0x1041,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_code = 0x020000,
	.revision = 1,
	.intx = true,
};

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	reset_init(&f.reset, fire, &f);
	pci_init(&f.host, &f.pio, &f.mmio, &f.reset, set_gsi, msi, &f);
	assert_int_equal(
		bus_add(&f.pio, PCI_CONFIG_PORT, PCI_CONFIG_PORTS, &pci_port_io, &f.host, "pci"),
		OK);
	assert_int_equal(
		bus_add(&f.mmio, LAYOUT_ECAM, LAYOUT_ECAM_SIZE, &pci_ecam_io, &f.host, "ecam"), OK);

	pci_dev_init(&f.dev, "fake", &id);
	f.dev.written = written;
	pci_dev_bar(&f.dev, 0, PCI_BAR_IO, IO_SIZE, &dev_io, &behind_io);
	pci_dev_bar(&f.dev, 4, PCI_BAR_MEM64, MEM_SIZE, &dev_io, &behind_mem);
	msix_init(&f.msix, &f.dev, 1, VECTORS);
	assert_int_equal(pci_attach(&f.host, &f.dev, 1), OK);

	pci_dev_init(&f.other, "other", &id);
	pci_dev_bar(&f.other, 0, PCI_BAR_MEM32, MEM_SIZE, &dev_io, &behind_other);
	assert_int_equal(pci_attach(&f.host, &f.other, 3), OK);
	return 0;
}

static u64 cfg_read(unsigned slot, unsigned reg, unsigned size)
{
	bus_write(&f.pio, 0xcf8, 4, 0x80000000 | slot << 11 | (reg & ~3u));
	return bus_read(&f.pio, 0xcfc + reg % 4, size);
}

static void cfg_write(unsigned slot, unsigned reg, unsigned size, u64 value)
{
	bus_write(&f.pio, 0xcf8, 4, 0x80000000 | slot << 11 | (reg & ~3u));
	bus_write(&f.pio, 0xcfc + reg % 4, size, value);
}

static u64 ecam(unsigned bus, unsigned slot, unsigned function, unsigned reg)
{
	return LAYOUT_ECAM + ((u64)bus << 20) + (slot << 15) + (function << 12) + reg;
}

static void host_bridge(void **state)
{
	(void)state;
	assert_int_equal(cfg_read(0, 0, 4), 0x0d578086);
	assert_int_equal(cfg_read(0, 0x0a, 2), 0x0600);
	assert_int_equal(cfg_read(0, 0x0e, 1), 0);
	assert_int_equal(bus_read(&f.mmio, ecam(0, 0, 0, 0), 4), 0x0d578086);
	cfg_write(0, 0, 4, 0x12345678); /* read-only */
	assert_int_equal(cfg_read(0, 0, 4), 0x0d578086);
}

static void config_address_is_32_bits_only(void **state)
{
	(void)state;
	bus_write(&f.pio, 0xcf8, 4, 0xffffffff);
	assert_int_equal(bus_read(&f.pio, 0xcf8, 4), 0x80fffffc);
	bus_write(&f.pio, 0xcf8, 2, 0);
	bus_write(&f.pio, 0xcf8, 1, 0);
	bus_write(&f.pio, 0xcfa, 2, 0);
	assert_int_equal(bus_read(&f.pio, 0xcf8, 4), 0x80fffffc);
	assert_int_equal(bus_read(&f.pio, 0xcf8, 2), 0xffff);
	assert_int_equal(bus_read(&f.pio, 0xcfa, 4), 0xffffffff);
}

static void reset_control_is_a_byte_within(void **state)
{
	(void)state;
	bus_write(&f.pio, 0xcf8, 4, 0x80000600);
	assert_int_equal(f.resets, 0);
	bus_write(&f.pio, 0xcf9, 1, 0x02);
	assert_int_equal(bus_read(&f.pio, 0xcf9, 1), 0x02);
	bus_write(&f.pio, 0xcf9, 1, 0x06);
	assert_int_equal(f.resets, 1);
	assert_int_equal(bus_read(&f.pio, 0xcf8, 4), 0x80000600);
}

static void bytes_and_words(void **state)
{
	(void)state;
	assert_int_equal(cfg_read(1, 0, 4), 0x10411af4);
	assert_int_equal(cfg_read(1, 1, 1), 0x1a);
	assert_int_equal(cfg_read(1, 2, 2), 0x1041);
	assert_int_equal(cfg_read(1, 8, 4), 0x02000001);
	assert_int_equal(cfg_read(1, 0x2c, 4), 0x11001af4);
	cfg_write(1, 0x3c, 1, 0x5a);
	assert_int_equal(cfg_read(1, 0x3c, 4), 0x0000015a);
}

static void absent_is_all_ones(void **state)
{
	(void)state;
	assert_int_equal(cfg_read(2, 0, 4), 0xffffffff);
	assert_int_equal(cfg_read(2, 3, 1), 0xff);
	cfg_write(2, 4, 4, 7);
	bus_write(&f.pio, 0xcf8, 4, 0x80010000); /* bus 1 */
	assert_int_equal(bus_read(&f.pio, 0xcfc, 4), 0xffffffff);
	bus_write(&f.pio, 0xcf8, 4, 0x80000100); /* function 1 of slot 0 */
	assert_int_equal(bus_read(&f.pio, 0xcfc, 4), 0xffffffff);
	bus_write(&f.pio, 0xcf8, 4, 0x00000000); /* not enabled */
	assert_int_equal(bus_read(&f.pio, 0xcfc, 4), 0xffffffff);
	bus_write(&f.pio, 0xcf8, 4, 0x00000804);
	bus_write(&f.pio, 0xcfc, 2, 0);
	assert_int_equal(cfg_read(1, 4, 2), 3);
}

static void ecam_reaches_the_same_registers(void **state)
{
	(void)state;
	assert_int_equal(bus_read(&f.mmio, ecam(0, 1, 0, 2), 2), 0x1041);
	assert_true(bus_read(&f.mmio, ecam(0, 1, 0, 0), 8) == 0x0010000310411af4);
	assert_int_equal(bus_read(&f.mmio, ecam(0, 1, 0, 3), 2), 0x0310); /* leaves its dword */
	bus_write(&f.mmio, ecam(0, 1, 0, 0x3c), 1, 0x33);
	assert_int_equal(cfg_read(1, 0x3c, 1), 0x33);
	assert_int_equal(bus_read(&f.mmio, ecam(0, 1, 0, 256), 4), 0xffffffff);
	assert_int_equal(bus_read(&f.mmio, ecam(0, 1, 0, 254), 4), 0xffff0000);
	assert_int_equal(bus_read(&f.mmio, ecam(0, 1, 1, 0), 4), 0xffffffff);
	assert_int_equal(bus_read(&f.mmio, ecam(0, 31, 7, 0xffc), 4), 0xffffffff);
	assert_true(bus_read(&f.mmio, ecam(0, 31, 7, 0xffe), 8) == ~0ul);
	bus_write(&f.mmio, ecam(0, 31, 7, 0xffe), 8, 0);
	bus_write(&f.mmio, ecam(0, 1, 0, 0xffc), 8, 0);
}

static void firmware_has_placed_the_bars(void **state)
{
	(void)state;
	assert_int_equal(cfg_read(1, 4, 2), PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_int_equal(cfg_read(1, 0x10, 4), 0xc001);
	assert_int_equal(cfg_read(1, 0x14, 4), 0xc0000000);
	assert_int_equal(cfg_read(1, 0x20, 4), 0xc0004004);
	assert_int_equal(cfg_read(1, 0x24, 4), 0);
	assert_int_equal(cfg_read(3, 0x10, 4), 0xc0008000);
	assert_int_equal(bus_read(&f.pio, 0xc004, 4), 0x14);
	assert_int_equal(bus_read(&f.mmio, 0xc0004008, 4), 0x108);
	assert_int_equal(bus_read(&f.mmio, 0xc0008008, 4), 0x708);
}

static void bars_are_sized(void **state)
{
	(void)state;
	cfg_write(1, 4, 2, 0);
	cfg_write(1, 0x10, 4, 0xffffffff);
	assert_int_equal(cfg_read(1, 0x10, 4), 0xffffffe1);
	cfg_write(1, 0x20, 4, 0xffffffff);
	cfg_write(1, 0x24, 4, 0xffffffff);
	assert_int_equal(cfg_read(1, 0x20, 4), 0xffffc004);
	assert_int_equal(cfg_read(1, 0x24, 4), 0xffffffff);
	cfg_write(1, 0x18, 4, 0xffffffff); /* no BAR there */
	assert_int_equal(cfg_read(1, 0x18, 4), 0);
	cfg_write(1, 0x30, 4, 0xffffffff); /* no ROM either */
	assert_int_equal(cfg_read(1, 0x30, 4), 0);
}

static void decode_follows_the_command_register(void **state)
{
	(void)state;
	cfg_write(1, 4, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(bus_read(&f.pio, 0xc004, 4), 0xffffffff);
	assert_int_equal(bus_read(&f.mmio, 0xc0004008, 4), 0x108);
	cfg_write(1, 4, 2, PCI_COMMAND_IO);
	assert_int_equal(bus_read(&f.pio, 0xc004, 4), 0x14);
	assert_int_equal(bus_read(&f.mmio, 0xc0004008, 4), 0xffffffff);
	cfg_write(1, 4, 2, 0xffff);
	assert_int_equal(cfg_read(1, 4, 2), 0x0407);
}

static void bars_move(void **state)
{
	(void)state;
	cfg_write(1, 0x20, 4, 0xd0000000);
	assert_int_equal(bus_read(&f.mmio, 0xd0000008, 4), 0x108);
	assert_int_equal(bus_read(&f.mmio, 0xc0004008, 4), 0xffffffff);
	cfg_write(1, 0x10, 4, 0x1000);
	assert_int_equal(bus_read(&f.pio, 0x1004, 4), 0x14);
	assert_int_equal(bus_read(&f.pio, 0xc004, 4), 0xffffffff);
	bus_write(&f.mmio, ecam(0, 1, 0, 0x21), 1, 0x40); /* a byte of the address */
	assert_int_equal(bus_read(&f.mmio, 0xd0004008, 4), 0x108);
}

/* bad-input: a BAR over RAM, an APIC, ECAM, beyond 4 GB, or across the window's end. */
static void bars_decode_nowhere_else(void **state)
{
	static const u64 bad[] = { 0, 0x100000, 0xbfffc000, LAYOUT_ECAM, 0xdfffe000 & ~0x3fffull,
		LAYOUT_IOAPIC, LAYOUT_LAPIC & ~0x3ffful, LAYOUT_TESTDEV, LAYOUT_HIGH, 0x1c0000000ul,
		~0x3ffful };
	unsigned before;

	(void)state;
	cfg_write(1, 0x20, 4, 0xd0000000);
	before = f.mmio.count;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		bool fits = bad[i] == 0xdfffc000; /* the last place in the window */

		cfg_write(1, 0x24, 4, bad[i] >> 32);
		cfg_write(1, 0x20, 4, bad[i] & 0xffffffff);
		assert_int_equal(f.mmio.count, fits ? before : before - 1);
	}
	assert_non_null(strstr(host_last_log, "decodes nothing"));
	assert_int_equal(bus_read(&f.mmio, ecam(0, 0, 0, 0), 4), 0x0d578086);
	cfg_write(1, 0x24, 4, 0);
	cfg_write(1, 0x20, 4, 0xd0000000);
	assert_int_equal(f.mmio.count, before);

	cfg_write(1, 0x10, 4, 0x60); /* ports of the platform */
	assert_int_equal(bus_read(&f.pio, 0x64, 4), 0xffffffff);
	cfg_write(1, 0x10, 4, 0x0ce0); /* would cover 0xCF8 */
	assert_int_equal(cfg_read(0, 0, 4), 0x0d578086);
	cfg_write(1, 0x10, 4, 0x00010000);
	assert_int_equal(bus_read(&f.pio, 0x10004, 4), 0xffffffff);
}

static void bars_do_not_overlap(void **state)
{
	(void)state;
	cfg_write(1, 0x20, 4, 0xc0008000); /* where the other device's is */
	assert_int_equal(bus_read(&f.mmio, 0xc0008008, 4), 0x708);
	cfg_write(3, 0x10, 4, 0xc0010000); /* which moves away */
	assert_int_equal(bus_read(&f.mmio, 0xc0008008, 4), 0x108);
	assert_int_equal(bus_read(&f.mmio, 0xc0010008, 4), 0x708);
}

static void capabilities_are_chained(void **state)
{
	unsigned offset;

	(void)state;
	assert_true(cfg_read(1, 6, 2) & PCI_STATUS_CAP_LIST);
	offset = (unsigned)cfg_read(1, 0x34, 1);
	assert_int_equal(offset, f.msix.cap);
	assert_int_equal(cfg_read(1, offset, 1), PCI_CAP_ID_MSIX);
	assert_int_equal(cfg_read(1, offset + 1, 1), 0);
	offset = pci_dev_capability(&f.dev, 9, 13);
	assert_int_equal(cfg_read(1, f.msix.cap + 1, 1), offset);
	assert_int_equal(pci_dev_capability(&f.dev, 9, 4), offset + 16);
	assert_int_equal(cfg_read(1, offset + 1, 1), offset + 16);
	cfg_write(1, 0x34, 1, 0); /* read-only */
	assert_int_equal(cfg_read(1, 0x34, 1), f.msix.cap);
}

static void interrupt_lines(void **state)
{
	(void)state;
	assert_int_equal(cfg_read(1, 0x3c, 2), 0x010b);
	pci_set_intx(&f.dev, true);
	assert_true(f.gsi[11]);
	assert_true(cfg_read(1, 6, 2) & PCI_STATUS_INTERRUPT);
	pci_set_intx(&f.other, true); /* shares the line */
	pci_set_intx(&f.dev, false);
	assert_true(f.gsi[11]);
	cfg_write(3, 4, 2, PCI_COMMAND_INTX_DISABLE);
	assert_false(f.gsi[11]);
	assert_true(cfg_read(3, 6, 2) & PCI_STATUS_INTERRUPT);
	cfg_write(3, 4, 2, 0);
	assert_true(f.gsi[11]);
	pci_reset(&f.host);
	assert_false(f.gsi[11]);
}

static const u64 table = 0xc0000000;

static void msix_entry(unsigned vector, u32 data, u32 control)
{
	bus_write(&f.mmio, table + vector * 16, 8, 0xfee01000);
	bus_write(&f.mmio, table + vector * 16 + 8, 4, data);
	bus_write(&f.mmio, table + vector * 16 + 12, 4, control);
}

static void msix_on(u16 flags)
{
	cfg_write(1, 4, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	cfg_write(1, f.msix.cap + 2, 2, flags);
}

static void msix_registers(void **state)
{
	(void)state;
	assert_int_equal(cfg_read(1, f.msix.cap + 2, 2), VECTORS - 1);
	assert_int_equal(cfg_read(1, f.msix.cap + 4, 4), 1);
	assert_int_equal(cfg_read(1, f.msix.cap + 8, 4), 0x801);
	cfg_write(1, f.msix.cap + 2, 2, 0xffff);
	assert_int_equal(cfg_read(1, f.msix.cap + 2, 2), 0xc000 | (VECTORS - 1));
	assert_int_equal(bus_read(&f.mmio, table + 12, 4), 1); /* masked at power-on */
	msix_entry(0, 0x41, ~0u);
	assert_int_equal(bus_read(&f.mmio, table + 12, 4), 1);
	assert_true(bus_read(&f.mmio, table, 8) == 0xfee01000);
	assert_true(bus_read(&f.mmio, table + 8, 8) == 0x100000041);
}

static void msix_sends(void **state)
{
	(void)state;
	msix_entry(2, 0x43, 0);
	msix_fire(&f.msix, 2);
	assert_int_equal(f.msis, 0); /* not enabled */
	msix_on(0x8000);
	assert_int_equal(f.msis, 0); /* and not remembered */
	msix_fire(&f.msix, 2);
	assert_int_equal(f.msis, 1);
	assert_int_equal(f.msi_address, 0xfee01000);
	assert_int_equal(f.msi_data, 0x43);
	cfg_write(1, 4, 2, PCI_COMMAND_MEMORY); /* no bus master, no writes */
	msix_fire(&f.msix, 2);
	assert_int_equal(f.msis, 1);
}

static void msix_pends_while_masked(void **state)
{
	(void)state;
	msix_on(0x8000);
	msix_entry(1, 0x42, 1);
	msix_fire(&f.msix, 1);
	msix_fire(&f.msix, 1);
	assert_int_equal(f.msis, 0);
	assert_int_equal(bus_read(&f.mmio, table + 0x800, 4), 2);
	msix_entry(1, 0x42, 0);
	assert_int_equal(f.msis, 1);
	assert_int_equal(bus_read(&f.mmio, table + 0x800, 8), 0);
	cfg_write(1, f.msix.cap + 2, 2, 0xc000); /* all masked */
	msix_fire(&f.msix, 1);
	assert_int_equal(f.msis, 1);
	cfg_write(1, f.msix.cap + 2, 2, 0x8000);
	assert_int_equal(f.msis, 2);
	cfg_write(1, f.msix.cap + 2, 2, 0xc000);
	msix_fire(&f.msix, 1);
	cfg_write(1, f.msix.cap + 2, 2, 0); /* disabling forgets */
	cfg_write(1, f.msix.cap + 2, 2, 0x8000);
	assert_int_equal(f.msis, 2);
}

static void msix_hostile(void **state)
{
	(void)state;
	msix_on(0x8000);
	msix_fire(&f.msix, VECTORS);
	msix_fire(&f.msix, 0xffff); /* VIRTIO_MSI_NO_VECTOR */
	msix_fire(&f.msix, ~0u);
	assert_int_equal(f.msis, 0);
	bus_write(&f.mmio, table + 0x800, 8, ~0ul); /* PBA: read-only */
	assert_int_equal(bus_read(&f.mmio, table + 0x800, 8), 0);
	bus_write(&f.mmio, table + VECTORS * 16, 8, ~0ul); /* past the table */
	assert_int_equal(bus_read(&f.mmio, table + VECTORS * 16, 8), 0);
	bus_write(&f.mmio, table + VECTORS * 16 - 4, 8, 0); /* across its end */
	bus_write(&f.mmio, table + 12, 1, 0);		    /* sizes that do not exist */
	bus_write(&f.mmio, table + 12, 2, 0);
	bus_write(&f.mmio, table + 10, 4, 0);
	assert_int_equal(bus_read(&f.mmio, table + 12, 4), 1);
	assert_int_equal(bus_read(&f.mmio, table + VECTORS * 16 - 4, 4), 1);
	bus_read(&f.mmio, table + 0xffc, 8);
	bus_read(&f.mmio, table + 0x804, 8);
}

static void reset_goes_home(void **state)
{
	(void)state;
	cfg_write(1, 0x20, 4, 0xd0000000);
	msix_on(0x8000);
	msix_entry(0, 0x41, 0);
	pci_reset(&f.host);
	firmware_has_placed_the_bars(NULL);
	assert_int_equal(cfg_read(1, f.msix.cap + 2, 2), VECTORS - 1);
	assert_int_equal(bus_read(&f.mmio, table + 12, 4), 1);
}

static void attach_refuses(void **state)
{
	static struct pci_dev d;

	(void)state;
	pci_dev_init(&d, "late", &id);
	assert_int_equal(pci_attach(&f.host, &d, 1), ERR_EXIST);
	assert_int_equal(pci_attach(&f.host, &d, 32), ERR_RANGE);
	pci_dev_bar(&d, 0, PCI_BAR_MEM32, GB, &dev_io, &behind_other);
	assert_int_equal(pci_attach(&f.host, &d, 5), ERR_RANGE);
	assert_int_equal(cfg_read(5, 0, 4), 0xffffffff);
}

static void the_device_hears_of_writes(void **state)
{
	unsigned before = f.written;

	(void)state;
	cfg_write(1, 0x80, 4, 1);
	assert_int_equal(f.written, before + 1);
	cfg_read(1, 0x80, 4);
	assert_int_equal(f.written, before + 1);
}

static void random_accesses(void **state)
{
	(void)state;
	srand(3);
	log_level = LOG_ERR;
	for (int i = 0; i < 100000; i++) {
		unsigned size = 1u << (rand() % 4);
		u64 value = (u64)rand() << 33 ^ (u64)rand();
		u64 at = ecam(0, (unsigned)rand() % 5, 0, (unsigned)rand() % 260);

		if (rand() % 2)
			at = rand() % 2 ? table + (u64)rand() % 4096
					: 0xc0000000 + (u64)rand() % 0x20000000;
		if (rand() % 4)
			bus_write(&f.mmio, at, size, value);
		else
			bus_read(&f.mmio, at, size);
		bus_write(&f.pio, 0xcf8 + (u64)rand() % 8, MIN(size, 4u), value);
		bus_read(&f.pio, 0xcf8 + (u64)rand() % 8, MIN(size, 4u));
		pci_set_intx(&f.dev, rand() % 2);
		msix_fire(&f.msix, (unsigned)rand() % 5);
		assert_true(f.mmio.count <= 4);
		assert_true(f.pio.count <= 2);
	}
	log_level = LOG_INFO;
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(host_bridge),
		TEST(config_address_is_32_bits_only),
		TEST(reset_control_is_a_byte_within),
		TEST(bytes_and_words),
		TEST(absent_is_all_ones),
		TEST(ecam_reaches_the_same_registers),
		TEST(firmware_has_placed_the_bars),
		TEST(bars_are_sized),
		TEST(decode_follows_the_command_register),
		TEST(bars_move),
		TEST(bars_decode_nowhere_else),
		TEST(bars_do_not_overlap),
		TEST(capabilities_are_chained),
		TEST(interrupt_lines),
		TEST(msix_registers),
		TEST(msix_sends),
		TEST(msix_pends_while_masked),
		TEST(msix_hostile),
		TEST(reset_goes_home),
		TEST(attach_refuses),
		TEST(the_device_hears_of_writes),
		TEST(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
