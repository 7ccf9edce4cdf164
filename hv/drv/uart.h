/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's serial ports (16550). Output goes through a ring that the transmitter's interrupt
 * empties; before there are interrupts, when the ring is full, and in an emergency, the writer does
 * it by polling.
 */
#ifndef HV_DRV_UART_H
#define HV_DRV_UART_H

#include "hv/lib/util.h"

struct uart;

/* COM1 (0) to COM3 (2), made ready for 115200 8N1; NULL if the machine has none there. */
struct uart *uart_open(unsigned com);

/* From now on the ports work by interrupt; one without an I/O APIC line goes on by polling. */
void uart_use_irq_all(void);

/*
 * All of buf is taken, in one piece; waits for room if it must, and keeps nobody waiting who does
 * not write to that port. now: waits until the ring is empty. Any CPU.
 */
void uart_write(struct uart *u, const u8 *buf, size_t len, bool now);

/* Takes up to len received bytes. Any CPU. */
size_t uart_read(struct uart *u, u8 *buf, size_t len);

/*
 * uart_stop_at(): uart_read() takes nothing from the first such byte on; UART_NO_STOP: all.
 * uart_take_stop(): drops what was received up to that byte, and the byte; false: there is none.
 */
#define UART_NO_STOP 0x100u
void uart_stop_at(struct uart *u, unsigned byte);
bool uart_take_stop(struct uart *u);

/* fn(ctx) is called from the receive interrupt; NULL: nobody. */
void uart_on_input(struct uart *u, void (*fn)(void *ctx), void *ctx);

/* Waits until the last bit of all ports has left. */
void uart_flush_all(void);

/*
 * The other CPUs have been stopped, perhaps with a port's lock held, and no interrupt will come:
 * from now on locks are ignored, and what is written is out when uart_write() returns.
 */
void uart_emergency(void);

#endif
