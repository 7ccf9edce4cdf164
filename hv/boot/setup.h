/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of the boot sequence that need more than a line; main.c has their order. */
#ifndef HV_BOOT_SETUP_H
#define HV_BOOT_SETUP_H

#include "hv/boot/mb2.h"
#include "hv/boot/options.h"
#include "hv/cpu/acpi.h"

/* Ends the boot: one line that says why, and off. */
__noreturn void boot_stop(const char *why);

/* The boot loader's information and the command line. info: its physical address. */
void setup_boot_info(u32 info, struct options *opt);

/* The log and console ports, as the command line asks (or its defaults, before it is known). */
void setup_ports(const struct options *opt);

/* The page allocator, and the host's own page tables in use. */
void setup_memory(void);

/* ACPI, APICs, time, serial ports by interrupt, all CPUs, power-off. */
void setup_machine(const struct options *opt);

/* The port of a VM's debugger, if there is to be one: before setup_machine(). */
void setup_debugger(const struct options *opt);

/* The physical machine's disks and their partitions. */
void setup_disks(void);

/* Puts the partition that the command line names to the test, if it names one: what is on it is
 * lost. */
void setup_try_disk(const struct options *opt);

/* Whether there is something to run. */
void setup_check_guests(void);

/* What the hypervisor takes for itself, to the log. */
void setup_report(void);

/* The monitor, if it is wanted on the console or a serial port: before the first VM. */
void setup_monitor(void);

#endif
