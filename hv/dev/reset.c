/* SPDX-License-Identifier: BSD-2-Clause */
/* Restarting a PC by port: 0xCF9 and 0x92. Source: Intel ICH9 data sheet, "Processor Interface
 * Registers". */
#include "hv/dev/reset.h"

#define CONTROL_SYS_RST	 BIT(1) /* kind of reset: 0 the CPU alone, 1 the system */
#define CONTROL_RST_CPU	 BIT(2) /* its rising edge resets */
#define CONTROL_FULL_RST BIT(3) /* power cycle */
#define CONTROL_MASK	 (CONTROL_SYS_RST | CONTROL_RST_CPU | CONTROL_FULL_RST)

#define PORT_A_INIT_NOW BIT(0) /* its rising edge resets */
#define PORT_A_A20	BIT(1) /* our address line 20 is never masked */

u8 reset_control_read(const struct reset *r)
{
	return r->control;
}

void reset_control_write(struct reset *r, u8 value)
{
	bool rising = value & ~r->control & CONTROL_RST_CPU;

	r->control = (u8)(value & CONTROL_MASK);
	if (rising)
		r->fire(r->ctx);
}

static u64 port_a_read(void *dev, u64 offset, unsigned size)
{
	const struct reset *r = dev;

	(void)offset, (void)size;
	return r->port_a | PORT_A_A20;
}

static void port_a_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct reset *r = dev;
	bool rising = value & ~(u64)r->port_a & PORT_A_INIT_NOW;

	(void)offset, (void)size;
	r->port_a = (u8)value;
	if (rising)
		r->fire(r->ctx);
}

const struct io_ops reset_port_a_io = { .read = port_a_read, .write = port_a_write };

void reset_reset(struct reset *r)
{
	r->control = 0;
	r->port_a = 0;
}

void reset_init(struct reset *r, void (*fire)(void *ctx), void *ctx)
{
	r->fire = fire;
	r->ctx = ctx;
	reset_reset(r);
}
