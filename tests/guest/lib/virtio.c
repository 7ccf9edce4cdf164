/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio driver as far as it is the same for every device. */
#include "tests/guest/lib/virtio.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define COMMAND	       0x04
#define BAR0	       0x10
#define INTERRUPT_LINE 0x3c
#define DECODE	       7 /* ports, memory, bus master */

/* The common structure. */
#define FEATURE_SELECT 0x08
#define FEATURE	       0x0c
#define STATUS	       0x14
#define QUEUE_SELECT   0x16
#define QUEUE_SIZE     0x18
#define QUEUE_ENABLE   0x1c
#define QUEUE_DESC     0x20
#define QUEUE_DRIVER   0x28
#define QUEUE_DEVICE   0x30
#define NOTIFY_STEP    4

#define ACKNOWLEDGED 3

static u32 config_read(unsigned slot, unsigned reg)
{
	outl(CONFIG_ADDRESS, 0x80000000u | slot << 11 | reg);
	return inl(CONFIG_DATA);
}

static void reg8(u64 bar, unsigned offset, u8 value)
{
	*(volatile u8 *)(bar + offset) = value;
}

static void reg16(u64 bar, unsigned offset, u16 value)
{
	*(volatile u16 *)(bar + offset) = value;
}

static void reg64(u64 bar, unsigned offset, u64 value)
{
	mmio_write(bar + offset, (u32)value);
	mmio_write(bar + offset + 4, (u32)(value >> 32));
}

u64 virtio_find(unsigned slot, u32 id)
{
	u64 bar;

	if (config_read(slot, 0) != id)
		return 0;
	bar = config_read(slot, BAR0) & ~0xful;
	config_read(slot, COMMAND);
	outl(CONFIG_DATA, DECODE);
	return bar;
}

unsigned virtio_gsi(unsigned slot)
{
	return config_read(slot, INTERRUPT_LINE) & 0xff;
}

u8 virtio_status(u64 bar)
{
	return *(volatile u8 *)(bar + STATUS);
}

void virtio_negotiate(u64 bar, u32 features)
{
	reg8(bar, STATUS, 0);
	check_eq(virtio_status(bar), 0, "a reset");
	reg8(bar, STATUS, ACKNOWLEDGED);
	mmio_write(bar + FEATURE_SELECT, 0);
	mmio_write(bar + FEATURE, features);
	mmio_write(bar + FEATURE_SELECT, 1);
	mmio_write(bar + FEATURE, 1); /* version 1 */
	reg8(bar, STATUS, VIRTIO_FEATURES_OK);
	check_eq(virtio_status(bar), VIRTIO_FEATURES_OK, "the features");
}

void virtio_queue(u64 bar, unsigned queue, struct vring *r, u16 size, u64 used)
{
	memset(r, 0, sizeof(*r));
	reg16(bar, QUEUE_SELECT, (u16)queue);
	reg16(bar, QUEUE_SIZE, size);
	reg64(bar, QUEUE_DESC, (u64)r->desc);
	reg64(bar, QUEUE_DRIVER, (u64)&r->avail);
	reg64(bar, QUEUE_DEVICE, used);
	reg16(bar, QUEUE_ENABLE, 1);
}

void virtio_go(u64 bar)
{
	reg8(bar, STATUS, VIRTIO_DRIVER_OK);
	check_eq(virtio_status(bar), VIRTIO_DRIVER_OK, "the start");
}

void virtio_kick(u64 bar, unsigned queue)
{
	reg16(bar, VIRTIO_NOTIFY + queue * NOTIFY_STEP, (u16)queue);
}

void vring_desc(struct vring_desc *d, u64 addr, u32 len, u16 flags, u16 next)
{
	*d = (struct vring_desc){ addr, len, flags, next };
}

void vring_offer(struct vring *r, u16 head)
{
	r->avail.ring[r->avail.idx % VRING_SIZE] = head;
	barrier();
	r->avail.idx++;
	barrier();
}
