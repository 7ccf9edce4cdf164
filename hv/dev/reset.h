/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two small ports that restart a PC: the reset control register (0xCF9, also the ACPI reset
 * register) and system control port A (0x92).
 */
#ifndef HV_DEV_RESET_H
#define HV_DEV_RESET_H

#include "hv/dev/bus.h"

#define RESET_CONTROL_PORT 0xcf9
#define RESET_CONTROL_FULL 0x06 /* written there: hard reset, now */
#define RESET_PORT_A	   0x92
#define RESET_PORT_A_PORTS 1

struct reset {
	u8 control;
	u8 port_a;
	void (*fire)(void *ctx);
	void *ctx;
};

extern const struct io_ops
	reset_port_a_io; /* RESET_PORT_A_PORTS ports at RESET_PORT_A; dev is a struct reset */

/* fire() is called on each request for a reset; the machine goes on until the caller stops it. */
void reset_init(struct reset *r, void (*fire)(void *ctx), void *ctx);
void reset_reset(struct reset *r); /* power-on state */

/* The reset control register lies within the PCI address port, which passes byte accesses on. */
u8 reset_control_read(const struct reset *r);
void reset_control_write(struct reset *r, u8 value);

#endif
