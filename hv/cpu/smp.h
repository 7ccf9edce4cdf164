/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All processors: started by INIT-SIPI at boot, idle in HLT until they are given a function to run.
 * See percpu.h for cpu_count(), cpu_by_index() and for_each_cpu().
 */
#ifndef HV_CPU_SMP_H
#define HV_CPU_SMP_H

#include "hv/boot/memmap.h"
#include "hv/cpu/acpi.h"
#include "hv/cpu/percpu.h"

/* Makes this processor CPU 0: descriptor tables and GS base. The first thing that C does. */
void smp_early_boot_cpu(void);

/* Its control registers and interrupt stacks, when the host's page tables are in use. */
void smp_init_boot_cpu(void);

/*
 * Starts at most max - 1 further processors of those that the MADT names, one after the other; a
 * processor that does not answer is logged and left out. ram says where the AP's real-mode code
 * may be put (a page below 640 KB); without such a page only the boot processor is used.
 */
void smp_start_all(const struct acpi_info *acpi, unsigned max, const struct memmap *ram);

/* Runs fn(arg) on every CPU, this one included, and returns when all have done so. Boot CPU only.
 */
void smp_call_all(void (*fn)(void *), void *arg);

/* Has an idle CPU (not this one) run fn(arg), and does not wait; false if that CPU still has a
 * function to run. */
bool smp_run_on(unsigned index, void (*fn)(void *), void *arg);

/* True while a function given by smp_run_on() has not returned. */
bool smp_busy(unsigned index);

/* Interrupts a CPU: ends its HLT, or its guest's run (VM exit by external interrupt). */
void smp_kick(unsigned index);

/* Stops all other CPUs for good, by NMI. For panic() and machine_off(). */
void smp_stop_others(void);

#endif
