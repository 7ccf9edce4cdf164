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

/*
 * Somebody else may have the keyboard for a while. console_escape(): console_read() takes nothing
 * from such a byte on. console_taken(): if there is one, it and what was typed before it and not
 * read is dropped, and all that follows is for console_read_taken() until console_give_back().
 */
void console_escape(u8 byte);
bool console_taken(void);
size_t console_read_taken(u8 *buf, size_t len);
void console_give_back(void);

/* fn(ctx) is called from the receive interrupt on the boot processor when bytes have arrived; NULL:
 * nobody. */
void console_on_input(void (*fn)(void *ctx), void *ctx);

#endif
