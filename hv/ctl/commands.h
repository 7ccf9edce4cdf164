/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rows of the table of commands run (hv/ctl/command.h has the contract). */
#ifndef HV_CTL_COMMANDS_H
#define HV_CTL_COMMANDS_H

#include "hv/ctl/command.h"

#define EXAMINE_MAX	512u
#define TRACE_SHOWN_MAX 64u
#define LOG_LINES_MAX	100u
#define BALLOON_MB_MAX	(1u << 20)

/* commands.c */
bool run_vms(struct call *c);
bool run_stats(struct call *c);
bool run_mem(struct call *c);
bool run_log(struct call *c);
bool run_pause(struct call *c);
bool run_resume(struct call *c);
bool run_reset(struct call *c);
bool run_destroy(struct call *c);
bool run_create(struct call *c);
bool run_balloon(struct call *c);
bool run_resize(struct call *c);
bool run_quit(struct call *c);
bool run_help(struct call *c);

/* inspect.c: of a vcpu */
bool run_regs(struct call *c);
bool run_walk(struct call *c);
bool run_examine(struct call *c);
bool run_dump_vmcs(struct call *c);
bool run_audit(struct call *c);

/* why.c: of its exits */
bool run_trace(struct call *c);
bool run_why(struct call *c);

#endif
