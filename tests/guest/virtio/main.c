/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that breaks the rules of virtqueues, one by one, on the first queue of the first of two
 * disks. (disks: 2) After each the device says that it needs a reset, nothing was used, its second
 * queue and the other disk still work; and so does the first queue after the reset.
 */
#include "tests/guest/lib/lib.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define DISK_ID	       0x10421af4u /* device 0x1042 of vendor 0x1af4 */
#define COMMAND	       0x04
#define BAR0	       0x10
#define DECODE	       7 /* ports, memory, bus master */

/* The common structure is at the start of BAR 0, notifications are in its fourth page. */
#define FEATURE_SELECT 0x08
#define FEATURE	       0x0c
#define STATUS	       0x14
#define QUEUE_SELECT   0x16
#define QUEUE_SIZE     0x18
#define QUEUE_ENABLE   0x1c
#define QUEUE_DESC     0x20
#define QUEUE_DRIVER   0x28
#define QUEUE_DEVICE   0x30
#define NOTIFY	       0x3000
#define NOTIFY_STEP    4

#define ACKNOWLEDGED 3
#define FEATURES_OK  11
#define DRIVER_OK    15
#define NEEDS_RESET  0x40
#define INDIRECT_BIT BIT(28)

#define NEXT	 1
#define WRITE	 2
#define INDIRECT 4

#define SIZE	  8
#define QUEUES	  2
#define DISKS	  2
#define SECTOR	  512
#define READ_OP	  0
#define WRITE_OP  1
#define IOERR	  1
#define NO_STATUS 0xee

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct ring {
	struct desc desc[SIZE];
	struct {
		u16 flags, idx, ring[SIZE];
	} avail;
	struct {
		u16 flags, idx;
		struct {
			u32 id, len;
		} ring[SIZE];
	} used __aligned(4);
} __aligned(16);

static struct ring rings[DISKS][QUEUES];
static struct desc table[SIZE] __aligned(16);
static u64 bar[DISKS];
static struct {
	u32 type, reserved;
	u64 sector;
} header;
static u8 data[SECTOR], status;

static u32 config_read(unsigned slot, unsigned reg)
{
	outl(CONFIG_ADDRESS, 0x80000000u | slot << 11 | reg);
	return inl(CONFIG_DATA);
}

static void reg8(unsigned disk, unsigned offset, u8 value)
{
	*(volatile u8 *)(bar[disk] + offset) = value;
}

static void reg16(unsigned disk, unsigned offset, u16 value)
{
	*(volatile u16 *)(bar[disk] + offset) = value;
}

static void reg64(unsigned disk, unsigned offset, u64 value)
{
	mmio_write(bar[disk] + offset, (u32)value);
	mmio_write(bar[disk] + offset + 4, (u32)(value >> 32));
}

static u8 device_status(unsigned disk)
{
	return *(volatile u8 *)(bar[disk] + STATUS);
}

static void kick(unsigned disk, unsigned queue)
{
	reg16(disk, NOTIFY + queue * NOTIFY_STEP, (u16)queue);
}

/* From a reset to FEATURES_OK. */
static void negotiate(unsigned disk)
{
	reg8(disk, STATUS, 0);
	check_eq(device_status(disk), 0, "a reset");
	reg8(disk, STATUS, ACKNOWLEDGED);
	mmio_write(bar[disk] + FEATURE_SELECT, 0);
	mmio_write(bar[disk] + FEATURE, INDIRECT_BIT);
	mmio_write(bar[disk] + FEATURE_SELECT, 1);
	mmio_write(bar[disk] + FEATURE, 1); /* version 1 */
	reg8(disk, STATUS, FEATURES_OK);
	check_eq(device_status(disk), FEATURES_OK, "the features");
}

static void set_queue(unsigned disk, unsigned queue, u16 size, u64 used)
{
	struct ring *r = &rings[disk][queue];

	memset(r, 0, sizeof(*r));
	reg16(disk, QUEUE_SELECT, (u16)queue);
	reg16(disk, QUEUE_SIZE, size);
	reg64(disk, QUEUE_DESC, (u64)r->desc);
	reg64(disk, QUEUE_DRIVER, (u64)&r->avail);
	reg64(disk, QUEUE_DEVICE, used);
	reg16(disk, QUEUE_ENABLE, 1);
}

static void start(unsigned disk)
{
	negotiate(disk);
	for (unsigned q = 0; q < QUEUES; q++)
		set_queue(disk, q, SIZE, (u64)&rings[disk][q].used);
	reg8(disk, STATUS, DRIVER_OK);
	check_eq(device_status(disk), DRIVER_OK, "the start");
}

static void offer(unsigned disk, unsigned queue, u16 head)
{
	struct ring *r = &rings[disk][queue];

	r->avail.ring[r->avail.idx % SIZE] = head;
	barrier();
	r->avail.idx++;
	kick(disk, queue);
}

static void set_desc(struct desc *d, u64 addr, u32 len, u16 flags, u16 next)
{
	*d = (struct desc){ addr, len, flags, next };
}

/* One request, done when the notification is; its status. */
static u8 request(unsigned disk, unsigned queue, u32 type, u64 sector)
{
	struct ring *r = &rings[disk][queue];
	u16 used = r->used.idx;

	header.type = type;
	header.sector = sector;
	status = NO_STATUS;
	set_desc(&r->desc[0], (u64)&header, sizeof(header), NEXT, 1);
	set_desc(&r->desc[1], (u64)data, sizeof(data), NEXT | (type == READ_OP ? WRITE : 0), 2);
	set_desc(&r->desc[2], (u64)&status, 1, WRITE, 0);
	offer(disk, queue, 0);
	barrier();
	check_eq(((volatile struct ring *)r)->used.idx, (u16)(used + 1), "disk %u queue %u", disk,
		queue);
	return *(volatile u8 *)&status;
}

static void works(unsigned disk, unsigned queue)
{
	static u8 byte;

	memset(data, ++byte, sizeof(data));
	check_eq(request(disk, queue, WRITE_OP, byte), 0, "write to disk %u", disk);
	memset(data, 0, sizeof(data));
	check_eq(request(disk, queue, READ_OP, byte), 0, "read from disk %u", disk);
	for (unsigned i = 0; i < sizeof(data); i++)
		check_eq(data[i], byte, "byte %u", i);
}

/* ---- what breaks a queue: chains at descriptor 0 ---- */

static struct ring *victim = &rings[0][0];

static void one(u64 addr, u32 len, u16 flags, u16 next)
{
	set_desc(&victim->desc[0], addr, len, flags, next);
	offer(0, 0, 0);
}

static void index_jumps(void)
{
	victim->avail.idx = SIZE + 1;
	kick(0, 0);
}

static void head_out_of_range(void)
{
	offer(0, 0, SIZE);
}

static void next_out_of_range(void)
{
	one((u64)data, 8, NEXT, 0xffff);
}

static void self_loop(void)
{
	one((u64)data, 8, NEXT, 0);
}

static void loop(void)
{
	set_desc(&victim->desc[1], (u64)data, 8, NEXT, 0);
	one((u64)data, 8, NEXT, 1);
}

static void nested_table(void)
{
	set_desc(&table[0], (u64)table, sizeof(table), INDIRECT, 0);
	one((u64)table, sizeof(table), INDIRECT, 0);
}

static void empty_table(void)
{
	one((u64)table, 0, INDIRECT, 0);
}

static void odd_table(void)
{
	one((u64)table, 24, INDIRECT, 0);
}

static void huge_table(void)
{
	set_desc(&table[SIZE - 1], (u64)data, 8, NEXT, 0x7fff);
	one((u64)&table[SIZE - 1], 0xfffffff0, INDIRECT, 0);
	check(device_status(0) & NEEDS_RESET, "its second entry is a loop or no memory");
}

static void table_with_next(void)
{
	one((u64)table, sizeof(table), INDIRECT | NEXT, 1);
}

static void no_length(void)
{
	one((u64)data, 0, 0, 0);
}

static void all_of_memory(void)
{
	one(0, 0xffffffff, 0, 0);
}

static void wraps(void)
{
	one(~0ul - 7, 16, WRITE, 0);
}

static void local_apic(void)
{
	one(LAYOUT_LAPIC, 16, WRITE, 0);
}

static void own_registers(void)
{
	one(bar[0] + NOTIFY, 2, WRITE, 0);
}

static void end_of_memory(void)
{
	one(guest_ram - 8, 16, WRITE, 0);
}

static void write_before_read(void)
{
	set_desc(&victim->desc[1], (u64)data, 8, 0, 0);
	one((u64)data, 8, WRITE | NEXT, 1);
}

static void short_header(void)
{
	set_desc(&victim->desc[1], (u64)&status, 1, WRITE, 0);
	one((u64)&header, 15, NEXT, 1);
}

static void no_place_for_status(void)
{
	one((u64)&header, 16, 0, 0);
}

#define CASE(fn)                                                                                   \
	{                                                                                          \
#fn, fn                                                                            \
	}

static const struct {
	const char *name;
	void (*fn)(void);
} cases[] = {
	CASE(index_jumps),
	CASE(head_out_of_range),
	CASE(next_out_of_range),
	CASE(self_loop),
	CASE(loop),
	CASE(nested_table),
	CASE(empty_table),
	CASE(odd_table),
	CASE(huge_table),
	CASE(table_with_next),
	CASE(no_length),
	CASE(all_of_memory),
	CASE(wraps),
	CASE(local_apic),
	CASE(own_registers),
	CASE(end_of_memory),
	CASE(write_before_read),
	CASE(short_header),
	CASE(no_place_for_status),
};

static void break_it(unsigned i)
{
	start(0);
	works(0, 0);
	memset((void *)victim, 0, sizeof(victim->desc));
	victim->avail.idx = victim->used.idx = 2; /* as works() has left them */
	cases[i].fn();
	check_eq(device_status(0), DRIVER_OK | NEEDS_RESET, "%s", cases[i].name);
	check_eq(((volatile struct ring *)victim)->used.idx, 2, "%s", cases[i].name);
	works(0, 1);
	works(1, 0);
	works(1, 1);
}

/* Rings that cannot be, refused when they are enabled. */
static void bad_ring(u16 size, u64 used)
{
	negotiate(0);
	set_queue(0, 0, size, used);
	check_eq(device_status(0), FEATURES_OK | NEEDS_RESET, "a ring of %u, used ring at 0x%lx",
		size, used);
	works(1, 0);
}

static void find_disks(void)
{
	for (unsigned i = 0; i < DISKS; i++) {
		if (config_read(i + 1, 0) != DISK_ID)
			fail("slot %u has no disk", i + 1);
		bar[i] = config_read(i + 1, BAR0) & ~0xful;
		config_read(i + 1, COMMAND);
		outl(CONFIG_DATA, DECODE);
		start(i);
		works(i, 0);
	}
}

void test_main(void)
{
	find_disks();
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		break_it(i);
	bad_ring(3, (u64)&victim->used);
	bad_ring(0, (u64)&victim->used);
	bad_ring(SIZE, (u64)victim->desc);
	bad_ring(SIZE, LAYOUT_LAPIC);
	bad_ring(SIZE, guest_ram - 8);
	start(0);
	works(0, 0);
	/* Requests that fail alone. */
	check_eq(request(0, 0, READ_OP, ~0ul), IOERR, "a sector beyond the end");
	check_eq(request(0, 0, WRITE_OP, (1 * MB) / SECTOR), IOERR, "the sector after the last");
	check_eq(device_status(0), DRIVER_OK, "after requests that failed");
	works(0, 0);
	pass();
}
