/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console: bytes to and from the VM's console by the buffer, where a serial port takes an
 * exit a byte. Two ports, for drivers that know of several: the console, and one named
 * CONSOLE_LOG_PORT, whose lines go to the hypervisor's log.
 *
 * Source: virtio 1.2, section 5.3 "Console Device".
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include "hv/cpu/timer.h"
#include "virtio/device.h"

/* Written at once at most; the rest follows by a timer, so that a guest that floods its console
 * still takes its interrupts. */
#define CONSOLE_SLICE	 4096u
#define CONSOLE_LOG_PORT "triptych.log"
#define CONSOLE_LINE_MAX 120u /* of the log */

/* Takes all of buf; may wait for room. */
typedef void (*console_out_fn)(void *ctx, const u8 *buf, size_t len);

/* What the console is made of; 0 by 0: its size is not known. */
struct console_size {
	u16 columns, rows;
};

struct virtio_console;

/* ERR_NOMEM. */
enum status virtio_console_create(struct virtio_console **out, const char *vm, bool packed,
	const struct guestmem *gm, struct timerq *timers, struct console_size size,
	console_out_fn write, void *ctx) __must_check;
struct virtio_dev *virtio_console_dev(struct virtio_console *c);
void virtio_console_destroy(struct virtio_console *c);

/* Is there a driver that waits for input? */
bool virtio_console_ready(const struct virtio_console *c);
/* Bytes typed; returns how many the driver had room for. */
size_t virtio_console_in(struct virtio_console *c, const u8 *buf, size_t len);

/* The terminal has another size now. */
void virtio_console_resize(struct virtio_console *c, struct console_size size);

#endif
