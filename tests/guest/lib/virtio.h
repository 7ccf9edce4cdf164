/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a virtio device on the PCI bus: its registers, and split rings that the test
 * fills itself.
 *
 * Source: virtio 1.2, 2.7 "Split Virtqueues", 4.1 "Virtio Over PCI Bus".
 */
#ifndef TESTS_GUEST_VIRTIO_H
#define TESTS_GUEST_VIRTIO_H

#include "tests/guest/lib/lib.h"

/* Device and vendor, as configuration space has them. */
#define VIRTIO_NET_ID 0x10411af4u
#define VIRTIO_BLK_ID 0x10421af4u

/* In BAR 0: the common structure is at its start. */
#define VIRTIO_ISR    0x1000
#define VIRTIO_DEVICE 0x2000
#define VIRTIO_NOTIFY 0x3000

#define VIRTIO_FEATURES_OK 11 /* with ACKNOWLEDGE and DRIVER */
#define VIRTIO_DRIVER_OK   15
#define VIRTIO_NEEDS_RESET 0x40

#define VRING_NEXT     1
#define VRING_WRITE    2
#define VRING_INDIRECT 4
#define VRING_SIZE     8

struct vring_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct vring {
	struct vring_desc desc[VRING_SIZE];
	struct {
		u16 flags, idx, ring[VRING_SIZE];
	} avail;
	struct {
		u16 flags, idx;
		struct {
			u32 id, len;
		} ring[VRING_SIZE];
	} used __aligned(4);
} __aligned(16);

/* BAR 0 of the device in that slot, which decodes from now on and may write to memory; 0: it is
 * none of that id. */
u64 virtio_find(unsigned slot, u32 id);
/* The IOAPIC's pin of the device in that slot. */
unsigned virtio_gsi(unsigned slot);

u8 virtio_status(u64 bar);
/* From a reset to FEATURES_OK, with version 1 and those of the first 32 features. */
void virtio_negotiate(u64 bar, u32 features);
/* Empties the ring and enables the queue with it; used: where the used ring is said to be. */
void virtio_queue(u64 bar, unsigned queue, struct vring *r, u16 size, u64 used);
void virtio_go(u64 bar); /* DRIVER_OK */
void virtio_kick(u64 bar, unsigned queue);

void vring_desc(struct vring_desc *d, u64 addr, u32 len, u16 flags, u16 next);
/* One more chain for the device, without notifying it. */
void vring_offer(struct vring *r, u16 head);
/* How many chains the device has used, modulo 65536. */
static inline u16 vring_used(const struct vring *r)
{
	return ((const volatile struct vring *)r)->used.idx;
}

#endif
