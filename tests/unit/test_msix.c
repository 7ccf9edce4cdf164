/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSI-X from the device's table to the local APICs: accesses to the table and the pending bits of
 * every size and place, what masks a vector, and messages that are no interrupt.
 *
 * Sources: hv/dev/msix.c hv/dev/pci.c hv/dev/reset.c hv/dev/bus.c hv/dev/lapic.c
 * Sources: hv/dev/lapic_bus.c hv/dev/lapic_regs.c hv/dev/lapic_timer.c hv/cpu/timer.c
 */
#include "tests/unit/lapic_util.h"

#include <linux/pci_regs.h>

#include "hv/dev/msix.h"

#define VECTORS	 5
#define TABLE	 0xc0000000ul
#define PBA	 (TABLE + MSIX_PBA_OFFSET)
#define ENABLE	 0x8000u
#define MASK_ALL 0x4000u
#define VECTOR	 0x61

static struct {
	struct bus pio, mmio;
	struct reset reset;
	struct pci_host host;
	struct pci_dev dev;
	struct msix msix;
	unsigned messages;
	u64 address;
	u32 data;
	bool taken;
} p;

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	(void)ctx, (void)gsi, (void)level;
}

static void fire_reset(void *ctx)
{
	(void)ctx;
}

static void on_msi(void *ctx, u64 address, u32 data)
{
	struct apic_msg m;

	(void)ctx;
	p.messages++;
	p.address = address;
	p.data = data;
	p.taken = apic_msg_from_msi(address, data, &m) && apic_send(f.l, CPUS, &m);
}

static int setup_with(unsigned vectors)
{
	static const struct pci_id id = { .vendor = 0x1af4, .device = 0x1041 };

	setup_apics();
	enable_all();
	memset(&p, 0, sizeof(p));
	reset_init(&p.reset, fire_reset, &p);
	pci_init(&p.host, &p.pio, &p.mmio, &p.reset, set_gsi, on_msi, &p);
	pci_dev_init(&p.dev, "fake", &id);
	msix_init(&p.msix, &p.dev, 1, vectors);
	return bus_add(&p.pio, PCI_CONFIG_PORT, PCI_CONFIG_PORTS, &pci_port_io, &p.host, "pci") ||
	       pci_attach(&p.host, &p.dev, 1);
}

static int setup(void **state)
{
	(void)state;
	return setup_with(VECTORS);
}

static void configure(unsigned reg, u16 value)
{
	bus_write(&p.pio, 0xcf8, 4, 0x80000000 | 1 << 11 | (reg & ~3u));
	bus_write(&p.pio, 0xcfc + reg % 4, 2, value);
}

static void control(u32 flags)
{
	configure(p.msix.cap + PCI_MSIX_FLAGS, (u16)flags);
}

static void master(bool on)
{
	configure(PCI_COMMAND, PCI_COMMAND_MEMORY | (on ? PCI_COMMAND_MASTER : 0));
}

static u64 rd_mem(u64 address, unsigned size)
{
	return bus_read(&p.mmio, address, size);
}

static void wr_mem(u64 address, unsigned size, u64 value)
{
	bus_write(&p.mmio, address, size, value);
}

static void set_entry(unsigned n, u64 address, u32 data, u32 mask)
{
	wr_mem(TABLE + n * 16, 4, (u32)address);
	wr_mem(TABLE + n * 16 + 4, 4, address >> 32);
	wr_mem(TABLE + n * 16 + 8, 4, data);
	wr_mem(TABLE + n * 16 + 12, 4, mask);
}

static void go(void)
{
	master(true);
	control(ENABLE);
}

static u8 expected(unsigned offset)
{
	return (u8)(offset * 7 + 3);
}

/* Every size at every place: the bytes of the table, and none beyond it. */
static void table_reads(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VECTORS * 16; i++)
		((u8 *)p.msix.entry)[i] = expected(i);
	for (unsigned size = 1; size <= 8; size *= 2)
		for (unsigned at = 0; at + size <= MSIX_BAR_SIZE; at++) {
			u64 value = rd_mem(TABLE + at, size);

			for (unsigned i = 0; i < size; i++) {
				u8 byte = at + size <= VECTORS * 16 ? expected(at + i) : 0;

				assert_int_equal((u8)(value >> (8 * i)), byte);
			}
		}
}

static void table_writes(void **state)
{
	struct msix before;

	(void)state;
	before = p.msix;
	for (unsigned size = 1; size <= 8; size *= 2)
		for (unsigned at = 0; at + size <= MSIX_BAR_SIZE; at++)
			if (size < 4 || at % size || at + size > VECTORS * 16)
				wr_mem(TABLE + at, size, 0xa5a5a5a5a5a5a5a5);
	assert_memory_equal(&before, &p.msix, sizeof(before));
	wr_mem(TABLE + 16, 8, 0x1122334455667788);
	wr_mem(TABLE + 24, 8, 0xffffffffdeadbeef);
	assert_true(rd_mem(TABLE + 16, 8) == 0x1122334455667788);
	assert_true(rd_mem(TABLE + 24, 8) == 0x1deadbeef); /* only the mask bit stays */
	set_entry(VECTORS - 1, 0x99aabbccddeeff00, 1, 0);
	assert_true(rd_mem(TABLE + (VECTORS - 1) * 16, 8) == 0x99aabbccddeeff00);
	assert_int_equal(rd_mem(TABLE + (VECTORS - 1) * 16 + 12, 4), 0);
	assert_true(rd_mem(TABLE + (VECTORS - 1) * 16 + 12, 8) == 0); /* past the end */
	rd_mem(TABLE + MSIX_BAR_SIZE - 4, 8);			      /* split by the bus */
	wr_mem(TABLE + MSIX_BAR_SIZE - 4, 8, ~0ul);
	assert_int_equal(p.messages, 0);
}

static void pending_bits_are_read_only(void **state)
{
	(void)state;
	go();
	msix_fire(&p.msix, 1);
	msix_fire(&p.msix, 4);
	assert_int_equal(rd_mem(PBA, 8), 0x12);
	assert_int_equal(rd_mem(PBA, 1), 0x12);
	assert_int_equal(rd_mem(PBA + 4, 4), 0);
	for (unsigned size = 1; size <= 8; size *= 2) {
		wr_mem(PBA, size, ~0ul);
		wr_mem(PBA, size, 0);
	}
	assert_int_equal(rd_mem(PBA, 8), 0x12);
	assert_int_equal(p.messages, 0);
}

static void sends(void **state)
{
	(void)state;
	set_entry(3, 0xfee02000, VECTOR, 0);
	msix_fire(&p.msix, 3); /* MSI-X is off: nothing is kept */
	go();
	assert_int_equal(p.messages, 0);
	msix_fire(&p.msix, 3);
	assert_int_equal(p.messages, 1);
	assert_int_equal(take(2), VECTOR);
	assert_int_equal(rd_mem(PBA, 8), 0);
	set_entry(3, 0xfee01000, VECTOR + 1, 0); /* changed without masking */
	msix_fire(&p.msix, 3);
	assert_int_equal(take(1), VECTOR + 1);
}

static void masked_vector(void **state)
{
	(void)state;
	go();
	set_entry(0, 0xfee00000, VECTOR, 1);
	for (unsigned i = 0; i < 3; i++)
		msix_fire(&p.msix, 0);
	assert_int_equal(p.messages, 0);
	assert_int_equal(rd_mem(PBA, 8), 1);
	wr_mem(TABLE, 4, 0xfee01000); /* still masked: the message as it is when it goes */
	assert_int_equal(p.messages, 0);
	wr_mem(TABLE + 8, 8, VECTOR + 1); /* data and the mask bit at once */
	assert_int_equal(p.messages, 1);
	assert_int_equal(take(1), VECTOR + 1);
	assert_int_equal(rd_mem(PBA, 8), 0);
	wr_mem(TABLE + 12, 4, 1);
	wr_mem(TABLE + 12, 4, 0); /* once only */
	assert_int_equal(p.messages, 1);
}

static void masked_function(void **state)
{
	(void)state;
	set_entry(0, 0xfee00000, VECTOR, 0);
	set_entry(1, 0xfee01000, VECTOR, 1);
	master(true);
	control(ENABLE | MASK_ALL);
	msix_fire(&p.msix, 0);
	msix_fire(&p.msix, 1);
	assert_int_equal(rd_mem(PBA, 8), 3);
	wr_mem(TABLE + 16 + 12, 4, 0);
	wr_mem(TABLE + 16 + 12, 4, 1);
	assert_int_equal(p.messages, 0);
	control(ENABLE);
	assert_int_equal(p.messages, 1); /* the other has its own mask */
	assert_int_equal(take(0), VECTOR);
	assert_int_equal(rd_mem(PBA, 8), 2);
	control(MASK_ALL); /* off: forgotten */
	control(ENABLE);
	wr_mem(TABLE + 16 + 12, 4, 0);
	assert_int_equal(p.messages, 1);
}

/* A device that may not write to memory keeps its messages. */
static void no_bus_master(void **state)
{
	(void)state;
	go();
	set_entry(2, 0xfee00000, VECTOR, 0);
	master(false);
	msix_fire(&p.msix, 2);
	assert_int_equal(p.messages, 0);
	assert_int_equal(rd_mem(PBA, 8), 4);
	wr_mem(TABLE + 12, 4, 0);
	assert_int_equal(p.messages, 0);
	master(true);
	assert_int_equal(take(0), VECTOR);
	assert_int_equal(rd_mem(PBA, 8), 0);
}

static void vectors_that_do_not_exist(void **state)
{
	(void)state;
	go();
	msix_fire(&p.msix, VECTORS);
	msix_fire(&p.msix, MSIX_VECTORS_MAX);
	msix_fire(&p.msix, 0xffff);
	msix_fire(&p.msix, ~0u);
	assert_int_equal(p.messages, 0);
	assert_int_equal(rd_mem(PBA, 8), 0);
}

/* What the guest puts into its table is its own affair: nothing but an interrupt comes of it. */
static void messages_that_are_no_interrupt(void **state)
{
	static const u64 elsewhere[] = { 0, 0x100000, 0xfec00000, 0xfed00000, 0xfef00000,
		0xfee0000000000000, 0x1fee00000, ~0ul };

	(void)state;
	go();
	for (unsigned i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		set_entry(0, elsewhere[i], VECTOR, 0);
		msix_fire(&p.msix, 0);
		assert_true(p.address == elsewhere[i]);
		assert_false(p.taken);
	}
	for (u32 v = 0; v < 16; v++) {
		set_entry(0, 0xfee01000, v, 0);
		msix_fire(&p.msix, 0);
		assert_false(p.taken);
		assert_int_equal(errors(1), 0x40);
	}
	set_entry(0, 0xfee01000, 0x600 | VECTOR, 0); /* a start-up message */
	msix_fire(&p.msix, 0);
	assert_false(p.taken);
	assert_int_equal(f.sipis[1], 0);
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(take(i), -1);
}

static void as_many_as_there_can_be(void **state)
{
	(void)state;
	assert_int_equal(setup_with(MSIX_VECTORS_MAX), 0);
	go();
	for (unsigned i = 0; i < MSIX_VECTORS_MAX; i++)
		msix_fire(&p.msix, i);
	assert_true(rd_mem(PBA, 8) == ~0ul);
	for (unsigned i = 0; i < MSIX_VECTORS_MAX; i++)
		set_entry(i, 0xfee00000, 0x40 + i, 0);
	assert_int_equal(p.messages, MSIX_VECTORS_MAX);
	assert_int_equal(rd_mem(PBA, 8), 0);
	for (int i = MSIX_VECTORS_MAX - 1; i >= 0; i--)
		assert_int_equal(take(0), 0x40 + i);
}

static void reset_masks(void **state)
{
	(void)state;
	go();
	set_entry(0, 0xfee00000, VECTOR, 0);
	msix_fire(&p.msix, 1);
	pci_reset(&p.host);
	assert_false(msix_enabled(&p.msix));
	master(false);
	for (unsigned i = 0; i < VECTORS; i++) {
		assert_int_equal(rd_mem(TABLE + i * 16, 8), 0);
		assert_true(rd_mem(TABLE + i * 16 + 8, 8) == 1ul << 32);
	}
	go();
	assert_int_equal(p.messages, 0);
	assert_int_equal(rd_mem(PBA, 8), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(table_reads),
		TEST(table_writes),
		TEST(pending_bits_are_read_only),
		TEST(sends),
		TEST(masked_vector),
		TEST(masked_function),
		TEST(no_bus_master),
		TEST(vectors_that_do_not_exist),
		TEST(messages_that_are_no_interrupt),
		TEST(as_many_as_there_can_be),
		TEST(reset_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
