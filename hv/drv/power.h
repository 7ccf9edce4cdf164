/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HV_DRV_POWER_H
#define HV_DRV_POWER_H

#include "hv/cpu/acpi.h"
#include "hv/lib/util.h"

/* How this machine is switched off: kept for machine_off(). */
void power_init(const struct acpi_info *acpi);

/*
 * Ends everything: prints the last log line, @end {"status":STATUS,"why":"WHY"} (why is escaped as
 * JSON wants), sends what the serial ports still hold and switches the machine off: by ACPI S5,
 * else by Bochs's port 0x8900, else it stops for good. Any CPU.
 */
__noreturn void machine_off(int status, const char *why);

#endif
