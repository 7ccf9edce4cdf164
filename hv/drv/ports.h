/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's I/O ports as a table of functions, so that a unit test can be the device behind
 * them. */
#ifndef HV_DRV_PORTS_H
#define HV_DRV_PORTS_H

#include "hv/lib/util.h"

struct port_ops {
	u8 (*in8)(u16 port);
	u16 (*in16)(u16 port);
	u32 (*in32)(u16 port);
	void (*out8)(u16 port, u8 value);
	void (*out16)(u16 port, u16 value);
	void (*out32)(u16 port, u32 value);
};

extern const struct port_ops machine_ports;

#endif
