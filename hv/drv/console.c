/* SPDX-License-Identifier: BSD-2-Clause */
/* The guests' console is a serial port that the boot sequence chose. */
#include "hv/drv/console.h"

static struct uart *console;

void console_init(struct uart *port)
{
	console = port;
}

void console_write(const u8 *buf, size_t len)
{
	if (console)
		uart_write(console, buf, len, false);
}

size_t console_read(u8 *buf, size_t len)
{
	return console ? uart_read(console, buf, len) : 0;
}

void console_on_input(void (*fn)(void *ctx), void *ctx)
{
	if (console)
		uart_on_input(console, fn, ctx);
}
