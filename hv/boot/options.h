/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own command line: words separated by blanks. Unknown words are reported and
 * ignored. */
#ifndef HV_BOOT_OPTIONS_H
#define HV_BOOT_OPTIONS_H

#include "hv/ctl/log.h"
#include "hv/lib/util.h"
#include "hv/vm/vms.h"

enum port_choice {
	PORT_NONE,
	PORT_COM1,
	PORT_COM2
};

struct options {
	enum log_level loglevel;  /* loglevel=err|warn|info|debug or 0-3; default info */
	enum port_choice log;	  /* log=com1|com2|none; default com2 */
	enum port_choice console; /* console=com1|com2|none; default com1 */
	enum port_choice ctl;	  /* ctl=com1|com2|none: JSON-RPC there; default none */
	bool monitor;		  /* monitor: Ctrl-] on the console leads to it */
	unsigned cpus;		  /* cpus=N: use at most N processors; default all */
	/* at-once=N: VMs at a time, default all; start=N: of those described, only so many are
	 * created at first; stay: not to end without a VM. */
	struct vms_options vms;
	bool gdb;	/* gdb: the first VM is debugged through COM3 */
	bool preflight; /* preflight: report the machine's capabilities and stop */
	/* try-disk=NAME, not terminated: overwrite that partition and read it back */
	const char *try_disk;
	size_t try_disk_len;
	unsigned trace;	  /* trace=N: record the last N exits of each vcpu; default 0 */
	const char *omit; /* ledger_omit=KIND, not terminated: see ledger_omit() */
	size_t omit_len;
	const char *bad; /* the first word not understood, or NULL */
	unsigned bad_len;
};

void options_parse(struct options *o, const char *cmdline);

#endif
