/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor on the machine's console: Ctrl-] brings it to the front, with a line editor and the
 * commands of hv/ctl/command.h; "console" goes back to the VMs. As long as nobody presses Ctrl-],
 * the console is the VMs' and nothing else. docs/monitor.md is for those who use it.
 */
#ifndef HV_CTL_MONITOR_H
#define HV_CTL_MONITOR_H

#include "hv/lib/util.h"

struct call;

/* Once, on the boot CPU, after console_on_input() was last called. */
void monitor_start(void);

/* The command "console" (hv/ctl/command.h). */
bool monitor_run_console(struct call *c);

#endif
