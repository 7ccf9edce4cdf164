/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of commands. */
#include "hv/ctl/commands.h"
#include "hv/ctl/monitor.h"

#define VM                                                                                         \
	{                                                                                          \
		"vm", ARG_VM, false, 0                                                             \
	}
#define ANY_VM                                                                                     \
	{                                                                                          \
		"vm", ARG_VM, true, 0                                                              \
	}
#define VCPU                                                                                       \
	{                                                                                          \
		"vcpu", ARG_VCPU, true, 0                                                          \
	}
#define ADDRESS                                                                                    \
	{                                                                                          \
		"address", ARG_ADDRESS, false, 0                                                   \
	}
#define FILE                                                                                       \
	{                                                                                          \
		"file", ARG_FILE, false, 0                                                         \
	}
#define COUNT(m)                                                                                   \
	{                                                                                          \
		"count", ARG_COUNT, true, (m)                                                      \
	}

#define SIZE(name, m)                                                                              \
	{                                                                                          \
		(name), ARG_SIZE, false, (m)                                                       \
	}

/* clang-format off */
const struct command commands[] = {
	{ "vms", { { 0 } }, ON_BOOT_CPU, run_vms, "the VMs, and how they are" },
	{ "stats", { ANY_VM }, ON_VM_CPU, run_stats, "exits and ticks of all vcpus, or of a VM's, with its exits by kind" },
	{ "pause", { VM }, ON_VM_CPU, run_pause, "stop a VM" },
	{ "resume", { VM }, ON_VM_CPU, run_resume, "let it go on" },
	{ "reset", { VM }, ON_VM_CPU, run_reset, "start it anew, as its reset button would" },
	{ "destroy", { VM }, ON_VM_CPU, run_destroy, "end it, without its being asked" },
	{ "create", { FILE }, ON_BOOT_CPU, run_create, "make a VM from its description: vm3.conf, or its name" },
	{ "console", { ANY_VM }, ON_BOOT_CPU, monitor_run_console, "back to the console; what is typed is for this VM" },
	{ "log", { COUNT(LOG_LINES_MAX) }, ON_BOOT_CPU, run_log, "the last lines of the hypervisor's log" },
	{ "balloon", { VM, SIZE("mb", BALLOON_MB_MAX) }, ON_VM_CPU, run_balloon, "ask the guest for so much of its memory" },
	{ "resize", { VM, SIZE("columns", UINT16_MAX), SIZE("rows", UINT16_MAX) }, ON_VM_CPU, run_resize, "its console's terminal has another size now" },
	{ "regs", { VM, VCPU }, ON_VCPU, run_regs, "registers" },
	{ "walk", { VM, ADDRESS, VCPU }, ON_VCPU, run_walk, "how a linear address is translated, by the guest's tables and by ours" },
	{ "x", { VM, ADDRESS, COUNT(EXAMINE_MAX), VCPU }, ON_VCPU, run_examine, "bytes at a linear address" },
	{ "trace", { VM, COUNT(TRACE_SHOWN_MAX), VCPU }, ON_VCPU, run_trace, "the last exits; the first time, begin to record them" },
	{ "why", { VM, VCPU }, ON_VCPU, run_why, "what it does, and its last exits in words" },
	{ "dump-vmcs", { VM, VCPU }, ON_VCPU, run_dump_vmcs, "the processor's own fields of a vcpu" },
	{ "audit", { VM }, ON_VCPU, run_audit, "compare all shadow page tables with the guest's" },
	{ "mem", { { 0 } }, ON_BOOT_CPU, run_mem, "the machine's memory, by owner" },
	{ "help", { { 0 } }, ON_BOOT_CPU, run_help, "this" },
	{ "quit", { { 0 } }, ON_BOOT_CPU, run_quit, "end all VMs and switch the machine off" },
};
/* clang-format on */

const unsigned commands_count = ARRAY_SIZE(commands);
