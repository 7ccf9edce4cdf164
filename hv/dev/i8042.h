/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard controller: a working 8042 with nothing plugged in. A byte for the keyboard is
 * answered as the real one answers for a keyboard that is not there, so that no driver has to wait
 * for its time-out; the mouse port does not exist. Source: IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller".
 */
#ifndef HV_DEV_I8042_H
#define HV_DEV_I8042_H

#include "hv/dev/bus.h"
#include "hv/dev/wire.h"

#define I8042_DATA_PORT	   0x60
#define I8042_COMMAND_PORT 0x64 /* status when read */
#define I8042_RAM	   32	/* bytes; byte 0 is the command byte */

struct i8042 {
	u8 ram[I8042_RAM];
	u8 status;
	u8 output;	 /* the output buffer, while STATUS_OBF */
	u8 command;	 /* waiting for its data byte, or 0 */
	struct wire irq; /* IRQ 1 */
	void (*reset)(void *ctx);
	void *reset_ctx;
};

extern const struct io_ops i8042_data_io,
	i8042_command_io; /* one port each; dev is a struct i8042 */

/* reset() is called when the guest pulses the reset line; irq is copied. */
void i8042_init(struct i8042 *k, const struct wire *irq, void (*reset)(void *ctx), void *reset_ctx);
void i8042_reset(struct i8042 *k); /* power-on state */

#endif
