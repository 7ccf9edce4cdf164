/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that breaks the rules of virtqueues, one by one, on the first queue of the first of two
 * disks. (disks: 2) After each the device says that it needs a reset, nothing was used, its second
 * queue and the other disk still work; and so does the first queue after the reset.
 */
#include "tests/guest/lib/virtio.h"

#define INDIRECT_BIT BIT(28)

#define QUEUES	  2
#define DISKS	  2
#define SECTOR	  512
#define READ_OP	  0
#define WRITE_OP  1
#define IOERR	  1
#define NO_STATUS 0xee

static struct vring rings[DISKS][QUEUES];
static struct vring_desc table[VRING_SIZE] __aligned(16);
static u64 bar[DISKS];
static struct {
	u32 type, reserved;
	u64 sector;
} header;
static u8 data[SECTOR], status;

static u8 device_status(unsigned disk)
{
	return virtio_status(bar[disk]);
}

static void kick(unsigned disk, unsigned queue)
{
	virtio_kick(bar[disk], queue);
}

static void set_queue(unsigned disk, unsigned queue, u16 size, u64 used)
{
	virtio_queue(bar[disk], queue, &rings[disk][queue], size, used);
}

static void start(unsigned disk)
{
	virtio_negotiate(bar[disk], INDIRECT_BIT);
	for (unsigned q = 0; q < QUEUES; q++)
		set_queue(disk, q, VRING_SIZE, (u64)&rings[disk][q].used);
	virtio_go(bar[disk]);
}

static void offer(unsigned disk, unsigned queue, u16 head)
{
	vring_offer(&rings[disk][queue], head);
	kick(disk, queue);
}

/* One request, done when the notification is; its status. */
static u8 request(unsigned disk, unsigned queue, u32 type, u64 sector)
{
	struct vring *r = &rings[disk][queue];
	u16 used = r->used.idx;

	header.type = type;
	header.sector = sector;
	status = NO_STATUS;
	vring_desc(&r->desc[0], (u64)&header, sizeof(header), VRING_NEXT, 1);
	vring_desc(&r->desc[1], (u64)data, sizeof(data),
		VRING_NEXT | (type == READ_OP ? VRING_WRITE : 0), 2);
	vring_desc(&r->desc[2], (u64)&status, 1, VRING_WRITE, 0);
	offer(disk, queue, 0);
	barrier();
	check_eq(vring_used(r), (u16)(used + 1), "disk %u queue %u", disk, queue);
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

static struct vring *victim = &rings[0][0];

static void one(u64 addr, u32 len, u16 flags, u16 next)
{
	vring_desc(&victim->desc[0], addr, len, flags, next);
	offer(0, 0, 0);
}

static void index_jumps(void)
{
	victim->avail.idx = VRING_SIZE + 1;
	kick(0, 0);
}

static void head_out_of_range(void)
{
	offer(0, 0, VRING_SIZE);
}

static void next_out_of_range(void)
{
	one((u64)data, 8, VRING_NEXT, 0xffff);
}

static void self_loop(void)
{
	one((u64)data, 8, VRING_NEXT, 0);
}

static void loop(void)
{
	vring_desc(&victim->desc[1], (u64)data, 8, VRING_NEXT, 0);
	one((u64)data, 8, VRING_NEXT, 1);
}

static void nested_table(void)
{
	vring_desc(&table[0], (u64)table, sizeof(table), VRING_INDIRECT, 0);
	one((u64)table, sizeof(table), VRING_INDIRECT, 0);
}

static void empty_table(void)
{
	one((u64)table, 0, VRING_INDIRECT, 0);
}

static void odd_table(void)
{
	one((u64)table, 24, VRING_INDIRECT, 0);
}

static void huge_table(void)
{
	vring_desc(&table[VRING_SIZE - 1], (u64)data, 8, VRING_NEXT, 0x7fff);
	one((u64)&table[VRING_SIZE - 1], 0xfffffff0, VRING_INDIRECT, 0);
	check(device_status(0) & VIRTIO_NEEDS_RESET, "its second entry is a loop or no memory");
}

static void table_with_next(void)
{
	one((u64)table, sizeof(table), VRING_INDIRECT | VRING_NEXT, 1);
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
	one(~0ul - 7, 16, VRING_WRITE, 0);
}

static void local_apic(void)
{
	one(LAYOUT_LAPIC, 16, VRING_WRITE, 0);
}

static void own_registers(void)
{
	one(bar[0] + VIRTIO_NOTIFY, 2, VRING_WRITE, 0);
}

static void end_of_memory(void)
{
	one(guest_ram - 8, 16, VRING_WRITE, 0);
}

static void write_before_read(void)
{
	vring_desc(&victim->desc[1], (u64)data, 8, 0, 0);
	one((u64)data, 8, VRING_WRITE | VRING_NEXT, 1);
}

static void short_header(void)
{
	vring_desc(&victim->desc[1], (u64)&status, 1, VRING_WRITE, 0);
	one((u64)&header, 15, VRING_NEXT, 1);
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

static void both_queues_work(unsigned disk)
{
	works(disk, 0);
	works(disk, 1);
}

static void break_it(unsigned i)
{
	start(0);
	works(0, 0);
	memset((void *)victim, 0, sizeof(victim->desc));
	victim->avail.idx = victim->used.idx = 2; /* as works() has left them */
	cases[i].fn();
	check_eq(device_status(0), VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET, "%s", cases[i].name);
	check_eq(vring_used(victim), 2, "%s", cases[i].name);
	works(0, 1);
	both_queues_work(1);
}

/* Rings that cannot be, refused when they are enabled. */
static void bad_ring(u16 size, u64 used)
{
	virtio_negotiate(bar[0], INDIRECT_BIT);
	set_queue(0, 0, size, used);
	check_eq(device_status(0), VIRTIO_FEATURES_OK | VIRTIO_NEEDS_RESET,
		"a ring of %u, used ring at 0x%lx", size, used);
	both_queues_work(1);
	start(0);
	both_queues_work(0);
}

static void find_disks(void)
{
	for (unsigned i = 0; i < DISKS; i++) {
		bar[i] = virtio_find(i + 1, VIRTIO_BLK_ID);
		check(bar[i], "slot %u has no disk", i + 1);
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
	bad_ring(VRING_SIZE, (u64)victim->desc);
	bad_ring(VRING_SIZE, LAYOUT_LAPIC);
	bad_ring(VRING_SIZE, guest_ram - 8);
	/* Requests that fail alone. */
	check_eq(request(0, 0, READ_OP, ~0ul), IOERR, "a sector beyond the end");
	check_eq(request(0, 0, WRITE_OP, (1 * MB) / SECTOR), IOERR, "the sector after the last");
	check_eq(device_status(0), VIRTIO_DRIVER_OK, "after requests that failed");
	both_queues_work(0);
	both_queues_work(1);
	pass();
}
