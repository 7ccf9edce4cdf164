/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A UART. What the guest transmits is gone at once (the transmitter is always empty); what
 * arrives waits in the receive FIFO. Source: National Semiconductor PC16550D data sheet.
 */
#ifndef HV_DEV_UART_H
#define HV_DEV_UART_H

#include "hv/cpu/timer.h"
#include "hv/dev/bus.h"
#include "hv/dev/wire.h"

#define UART_COM1_PORT 0x3f8
#define UART_PORTS     8
#define UART_FIFO      16

struct uart {
	u8 ier, lcr, mcr, scr;
	u8 fcr;	       /* FIFO enable and trigger level only; the reset bits clear themselves */
	u8 lsr_errors; /* overrun, until LSR is read */
	u8 msr_delta;  /* changes of the modem lines, until MSR is read */
	u8 dll, dlm;
	bool thre_pending;    /* "transmitter empty" has not been acknowledged */
	bool timeout_pending; /* characters have been waiting below the trigger level */
	u8 rx[UART_FIFO];
	unsigned rx_head, rx_count;

	struct timerq *tq;
	struct timer rx_timeout;
	struct wire irq;
	void (*out)(void *ctx, const u8 *buf, size_t len);
	void *out_ctx;
};

extern const struct io_ops uart_io; /* UART_PORTS ports; dev is a struct uart */

/* out() gets each byte transmitted; irq is copied. The result is in its power-on state. */
void uart_init(struct uart *u, struct timerq *tq, const struct wire *irq,
	void (*out)(void *ctx, const u8 *buf, size_t len), void *out_ctx);
void uart_reset(struct uart *u);   /* master reset */
void uart_destroy(struct uart *u); /* takes its timer off the queue */

/* Bytes arriving on the line: takes what the FIFO has room for, returns how many. */
size_t uart_receive(struct uart *u, const u8 *buf, size_t len);

#endif
