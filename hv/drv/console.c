/* SPDX-License-Identifier: BSD-2-Clause */
/* The guests' console is a serial port that the boot sequence chose. */
#include "hv/drv/console.h"

static struct uart *console;
static struct uart *typed; /* the same, but NULL while somebody else has the keyboard */
static u8 escape;

void console_init(struct uart *port)
{
	console = typed = port;
}

void console_write(const u8 *buf, size_t len)
{
	if (console)
		uart_write(console, buf, len, false);
}

size_t console_read(u8 *buf, size_t len)
{
	return typed ? uart_read(typed, buf, len) : 0;
}

void console_escape(u8 byte)
{
	escape = byte;
	console_give_back();
}

bool console_taken(void)
{
	if (!console || !uart_take_stop(console))
		return false;
	typed = NULL;
	uart_stop_at(console, UART_NO_STOP);
	return true;
}

size_t console_read_taken(u8 *buf, size_t len)
{
	return uart_read(console, buf, len);
}

void console_give_back(void)
{
	if (!console)
		return;
	uart_stop_at(console, escape);
	typed = console;
}

void console_on_input(void (*fn)(void *ctx), void *ctx)
{
	if (console)
		uart_on_input(console, fn, ctx);
}
