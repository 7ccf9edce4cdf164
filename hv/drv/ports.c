/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports of the machine itself. */
#include "hv/drv/ports.h"
#include "hv/cpu/cpu.h"

const struct port_ops machine_ports = {
	.in8 = inb,
	.in16 = inw,
	.in32 = inl,
	.out8 = outb,
	.out16 = outw,
	.out32 = outl,
};
