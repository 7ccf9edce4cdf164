/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guests' console: the physical COM1. Bytes written go to a ring of 64 KB that the
 * transmitter's interrupt empties; when it is full, the writer waits for room, so that nothing is
 * lost.
 */
#ifndef HV_DRV_CONSOLE_H
#define HV_DRV_CONSOLE_H

#include "hv/drv/uart.h"
#include "hv/lib/util.h"

/* The port to use; NULL: what is written is dropped and nothing is read. */
void console_init(struct uart *port);

/* Any CPU. */
void console_write(const u8 *buf, size_t len);

/* Takes up to len bytes that were received; returns how many. Any CPU. */
size_t console_read(u8 *buf, size_t len);

/* fn(ctx) is called from the receive interrupt on the boot processor when bytes have arrived; NULL:
 * nobody. */
void console_on_input(void (*fn)(void *ctx), void *ctx);

#endif
