/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzz targets of virtio devices share (virtio_pci.c): a device behind its PCI registers,
 * and a driver that keeps the rules or does not. An input is a byte that chooses one of the
 * device's queues, then commands: accesses to the registers, to configuration space and to the
 * driver's memory, a driver's proper start, a request with a header and data, time.
 * Checked: no sanitizer complaint, nothing leaked, and a driver that starts afresh is served.
 */
#ifndef TESTS_FUZZ_VIRTIO_PCI_H
#define TESTS_FUZZ_VIRTIO_PCI_H

#include "hv/cpu/timer.h"
#include "hv/mem/guestmem.h"
#include "virtio/device.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_HEADER 16 /* bytes of a request before its data */

/* A queue that an input may choose. */
struct fuzz_queue {
	u16 index;
	bool in;      /* the buffers in it are all the device's to write */
	u64 features; /* with which it is that queue */
};

/* A device, by the target that is about it. */
struct fuzz_device {
	const struct fuzz_queue *queue;
	unsigned queues;
	struct virtio_dev *(*create)(void); /* afresh for each input */
	void (*destroy)(void);
	/* NULL: all bytes of a header are the input's. */
	void (*header)(struct stream *in, u8 header[FUZZ_HEADER]);
	void (*event)(unsigned how); /* on its other side: a frame, a key; NULL: there is none */
	void (*check)(void);	     /* at the end; NULL: nothing more than is checked of all */
};

extern const struct fuzz_device fuzz_device;
extern struct guestmem fuzz_memory;
extern struct timerq fuzz_timers;
extern u64 fuzz_clock; /* nanoseconds */

#endif
