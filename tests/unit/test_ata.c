/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ATA driver and PCI enumeration against a controller made here: two channels of a PIIX3, a CD
 * drive and disks, DMA that follows the descriptor in memory, and all that can go wrong.
 *
 * Sources: hv/drv/ata.c hv/drv/disk.c hv/drv/pci.c hv/cpu/timer.c
 */
#include "tests/unit/ata_machine.h"

static void irq(unsigned n)
{
	m.irq[n](m.irq_ctx[n]);
}

static void test_found(void **state)
{
	(void)state;
	assert_int_equal(disk_count(), 2);
	assert_int_equal(disk_at(0)->sectors, SECTORS);
	assert_int_equal(disk_at(1)->sectors, 1ul << 30);
	assert_string_equal(disk_at(0)->serial, "SER 1");
	assert_string_equal(disk_at(0)->model, "A   disk");
	assert_int_equal(disk_at(0)->physical_exp, 3);
	assert_int_equal(m.pci_command & 5, 5);
	assert_int_equal(m.ch[0].control, 0); /* interrupts are on */
	assert_int_equal(m.ch[1].bm_status & 0x60, 0x60);
}

static void test_write_and_read(void **state)
{
	static u8 a[65536], b[65536];
	struct request r = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(a); i++)
		a[i] = (u8)(i * 7 + i / 512);
	submit(&r, disk_at(0), DISK_WRITE, SECTORS - 128, 128, a);
	assert_int_equal(r.over, 0);
	assert_int_equal(m.last_opcode, 0xca);
	irq(14);
	assert_true(r.over == 1 && r.ok);
	assert_memory_equal(m.ch[0].drive[1].data + (SECTORS - 128) * 512, a, sizeof(a));
	submit(&r, disk_at(0), DISK_READ, SECTORS - 128, 128, b);
	irq(14);
	assert_true(r.over == 1 && r.ok);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(m.last_opcode, 0xc8);
	irq(14); /* one that nobody waits for */
	assert_int_equal(r.over, 1);
	assert_false(timer_armed(list_entry(tq.head.next, struct timer, node)) &&
		     tq.next != TIMER_NEVER);
}

static void test_48_bits(void **state)
{
	u8 a[512], b[512];
	struct request r = { 0 };

	(void)state;
	memset(a, 0x5a, sizeof(a));
	submit(&r, disk_at(1), DISK_WRITE, (1ul << 30) - 1, 1, a);
	assert_int_equal(m.last_opcode, 0x35);
	irq(15);
	assert_true(r.ok);
	submit(&r, disk_at(1), DISK_READ, (1ul << 30) - 1, 1, b);
	assert_int_equal(m.last_opcode, 0x25);
	irq(15);
	assert_true(r.ok);
	assert_memory_equal(a, b, 512);
	submit(&r, disk_at(1), DISK_READ, (1ul << 28) - 1, 1, b);
	assert_int_equal(m.last_opcode, 0xc8);
	irq(15);
	submit(&r, disk_at(1), DISK_READ, (1ul << 28) - 1, 2, malloc(1024));
	assert_int_equal(m.last_opcode, 0x25);
	irq(15);
	free(r.data);
}

static void test_flush(void **state)
{
	struct request r = { 0 };
	unsigned before = m.flushes;

	(void)state;
	submit(&r, disk_at(0), DISK_FLUSH, 0, 0, NULL);
	assert_int_equal(r.over, 0);
	irq(14);
	assert_true(r.ok && m.last_opcode == 0xe7);
	submit(&r, disk_at(1), DISK_FLUSH, 0, 0, NULL);
	irq(15);
	assert_true(r.ok && m.last_opcode == 0xea);
	assert_int_equal(m.flushes, before + 2);
}

static void test_range(void **state)
{
	static const struct {
		u64 sector;
		u32 sectors;
		enum disk_op op;
	} bad[] = { { SECTORS, 1, DISK_READ }, { SECTORS - 1, 2, DISK_WRITE },
		{ ~0ul, 1, DISK_READ }, { ~0ul, 2, DISK_WRITE }, { 0, 0, DISK_READ },
		{ 0, 129, DISK_READ }, { 0, ~0u, DISK_WRITE }, { 0, 1, DISK_FLUSH } };
	unsigned before = m.commands;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct request r = { 0 };

		submit(&r, disk_at(0), bad[i].op, bad[i].sector, bad[i].sectors, NULL);
		assert_true(r.over == 1 && !r.ok);
	}
	assert_int_equal(m.commands, before);
}

static void test_queue(void **state)
{
	u8 a[4][512];
	struct request r[4] = { 0 }, chained = { 0 };
	unsigned before = m.commands;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		submit(&r[i], disk_at(0), DISK_READ, 2 * i, 1, a[i]);
	assert_int_equal(m.commands, before + 1);
	/* One that follows from the end of another goes behind those that wait. */
	chained.cmd =
		(struct disk_cmd){ .op = DISK_READ, .sectors = 1, .data = data, .done = done };
	chained.data = a[0];
	r[0].then = &chained;
	for (unsigned i = 0; i < 4; i++) {
		irq(14);
		assert_int_equal(r[i].over, 1);
		assert_int_equal(chained.over, 0);
	}
	irq(14);
	assert_int_equal(chained.over, 1);
	assert_int_equal(m.commands, before + 5);
}

/* What waits can be taken back, what the disk does cannot. */
static void test_cancel(void **state)
{
	struct disk *d = disk_at(0);
	struct request r[3] = { 0 };
	unsigned before = m.commands;
	u8 a[512];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		submit(&r[i], d, DISK_READ, 2 * i, 1, a);
	assert_false(d->ops->cancel(d, &r[0].cmd));
	assert_true(d->ops->cancel(d, &r[1].cmd));
	assert_false(d->ops->cancel(d, &r[1].cmd));
	irq(14);
	irq(14);
	assert_true(r[0].over == 1 && r[0].ok && r[1].over == 0 && r[2].over == 1 && r[2].ok);
	assert_int_equal(m.commands, before + 2);
}

/* What lies side by side becomes one command, up to 64 KB, and nothing else does. */
static void test_merging(void **state)
{
	static u8 a[40][8 * 512], b[40][8 * 512];
	struct request r[40] = { 0 }, flush = { 0 };
	unsigned before = m.commands;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		memset(a[i], (int)i + 1, sizeof(a[i]));
		submit(&r[i], disk_at(0), DISK_WRITE, 100 + 8 * i, 8, a[i]);
	}
	submit(&flush, disk_at(0), DISK_FLUSH, 0, 0, NULL);
	irq(14); /* the first was alone when it came */
	irq(14);
	irq(14);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(r[i].over, i < 33);
	irq(14);
	assert_int_equal(flush.over, 0);
	irq(14);
	assert_int_equal(flush.over, 1);
	assert_int_equal(m.commands, before + 5);
	for (unsigned i = 0; i < 40; i++) {
		assert_true(r[i].over == 1 && r[i].ok);
		assert_memory_equal(
			m.ch[0].drive[1].data + (100 + 8 * i) * 512, a[i], sizeof(a[i]));
	}
	before = m.commands;
	submit(&flush, disk_at(0), DISK_FLUSH, 0, 0, NULL);
	for (unsigned i = 0; i < 16; i++)
		submit(&r[i], disk_at(0), i == 9 ? DISK_WRITE : DISK_READ, 100 + 8 * i, 8, b[i]);
	for (unsigned i = 0; i < 4; i++)
		irq(14); /* the flush, reads, a write, reads */
	assert_int_equal(m.commands, before + 4);
	for (unsigned i = 0; i < 16; i++) {
		assert_true(r[i].over == 1 && r[i].ok);
		if (i != 9)
			assert_memory_equal(a[i], b[i], sizeof(a[i]));
	}
}

/* Only what is at fault fails: a bad sector, data that cannot be had or delivered. */
static void test_merged_errors(void **state)
{
	static u8 a[10][512], b[512];
	struct request r[10] = { 0 }, first = { 0 };

	(void)state;
	for (unsigned op = DISK_READ; op <= DISK_WRITE; op++) {
		memset(m.ch[0].drive[1].data + 200 * 512, 0xcc, 10 * 512);
		m.bad = 204;
		submit(&first, disk_at(0), DISK_READ, 0, 1, b);
		for (unsigned i = 0; i < 10; i++) {
			memset(a[i], (int)i + 1, 512);
			r[i].refuse = i == 7;
			submit(&r[i], disk_at(0), op, 200 + i, 1, a[i]);
		}
		for (unsigned i = 0; i < 13; i++)
			irq(14);
		for (unsigned i = 0; i < 10; i++) {
			assert_int_equal(r[i].over, 1);
			assert_int_equal(r[i].ok, i != 4 && i != 7);
			assert_int_equal(m.ch[0].drive[1].data[(200 + i) * 512],
				op == DISK_WRITE && i != 4 && i != 7 ? i + 1 : 0xcc);
		}
		assert_int_equal(tq.next, TIMER_NEVER);
	}
	m.bad = 0;
	/* And all fail that are under way when the drive is silent. */
	m.hang = true;
	submit(&first, disk_at(0), DISK_READ, 0, 1, b);
	for (unsigned i = 0; i < 10; i++) {
		r[i].refuse = false;
		submit(&r[i], disk_at(0), DISK_READ, 300 + i, 1, a[i]);
	}
	pass_time(31 * SECOND);
	assert_true(first.over == 1 && !first.ok);
	pass_time(31 * SECOND);
	m.hang = false;
	for (unsigned i = 0; i < 10; i++)
		assert_true(r[i].over == 1 && !r[i].ok);
}

static void test_error(void **state)
{
	u8 a[1024];
	struct request r = { 0 }, next = { 0 };

	(void)state;
	m.bad = 100;
	submit(&r, disk_at(0), DISK_READ, 99, 2, a);
	submit(&next, disk_at(0), DISK_READ, 101, 1, a);
	irq(14);
	assert_true(r.over == 1 && !r.ok);
	irq(14);
	assert_true(next.over == 1 && next.ok);
	m.bad = 0;
}

/* Data that cannot be had is not written; data that cannot be delivered is a failed read. */
static void test_data_refused(void **state)
{
	u8 a[512] = { 0 };
	struct request r = { .refuse = true };
	unsigned before = m.commands;

	(void)state;
	submit(&r, disk_at(0), DISK_WRITE, 0, 1, a);
	assert_true(r.over == 1 && !r.ok);
	assert_int_equal(m.commands, before);
	submit(&r, disk_at(0), DISK_READ, 0, 1, a);
	irq(14);
	assert_true(r.over == 1 && !r.ok);
}

static void test_timeout(void **state)
{
	u8 a[512];
	struct request r = { 0 }, next = { 0 };
	unsigned before = m.resets;

	(void)state;
	m.hang = true;
	submit(&r, disk_at(0), DISK_READ, 1, 1, a);
	submit(&next, disk_at(0), DISK_READ, 2, 1, a);
	irq(14);
	pass_time(29 * SECOND);
	assert_int_equal(r.over, 0);
	m.hang = false;
	pass_time(2 * SECOND);
	assert_true(r.over == 1 && !r.ok);
	assert_int_equal(m.resets, before + 1);
	irq(14); /* the next one was started after the reset */
	assert_true(next.over == 1 && next.ok);
}

/* Without interrupts and without a timer that runs. */
static void test_poll(void **state)
{
	u8 a[512];

	(void)state;
	assert_int_equal(disk_read(disk_at(1), 5, 1, a), OK);
	assert_false(disk_at(1)->silent);
	m.lost = true;
	assert_int_equal(disk_read(disk_at(1), 5, 1, a), OK);
	assert_true(disk_at(1)->silent);
	m.hang = true;
	assert_int_equal(disk_read(disk_at(1), SECTORS * 1000000ul, 1, a), ERR_RANGE);
	assert_int_equal(disk_read(disk_at(1), 5, 1, a), ERR_TIMEOUT);
	m.hang = false;
	assert_int_equal(disk_read(disk_at(1), 5, 1, a), OK);
}

/* The last test: the channel is given up. */
static void test_dead(void **state)
{
	u8 a[512];
	struct request r[3] = { 0 };

	(void)state;
	m.hang = true;
	for (unsigned i = 0; i < 3; i++)
		submit(&r[i], disk_at(0), DISK_READ, i, 1, a);
	m.stuck = true;
	pass_time(100 * SECOND);
	for (unsigned i = 0; i < 3; i++)
		assert_true(r[i].over == 1 && !r[i].ok);
	submit(&r[0], disk_at(0), DISK_READ, 0, 1, a);
	assert_true(r[0].over == 1 && !r[0].ok);
	assert_int_equal(tq.next, TIMER_NEVER);
}

static void test_identity(void **state)
{
	struct mock_drive d = { 0 };
	struct disk_identity id;

	(void)state;
	add_disk(&d, 1000, true);
	assert_true(disk_identify(d.identify, &id));
	assert_true(id.lba48 && id.flush && id.flush_ext && id.write_cache);
	d.identify[49] = 1 << 9;
	assert_false(disk_identify(d.identify, &id));
	d.identify[49] = 1 << 8;
	assert_false(disk_identify(d.identify, &id));
	d.identify[49] = 3 << 8;
	d.identify[106] = 1 << 14 | 1 << 12; /* 4 KB sectors */
	assert_false(disk_identify(d.identify, &id));
	d.identify[106] = 0xffff;
	assert_true(disk_identify(d.identify, &id));
	assert_int_equal(id.physical_exp, 0);
	d.identify[0] = 0x8000;
	assert_false(disk_identify(d.identify, &id));
	free(d.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_48_bits),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_merging),
		cmocka_unit_test(test_merged_errors),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_data_refused),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_dead),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
