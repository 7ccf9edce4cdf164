/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VM writes to its console, on the machine's one console. A VM that has it for itself writes
 * through it byte by byte. Several share it by the line, each line behind the name of its VM:
 *
 *   a| Linux version 6.1.0
 *   b| ok
 *
 * A line that is not complete, such as a prompt, is shown after a moment; if another VM writes
 * then, that one begins a new line.
 */
#ifndef HV_VM_VMCONSOLE_H
#define HV_VM_VMCONSOLE_H

#include "hv/cpu/timer.h"
#include "hv/drv/console.h"
#include "hv/lib/util.h"

#define VMCONSOLE_LINE 256u

struct vmconsole {
	const char *name;  /* NULL: the console is its alone */
	const char *label; /* the same, but never NULL */
	bool alone;	   /* as long as vmconsole_foot() shows nothing */
	struct timerq *timers;
	struct timer moment;
	u64 shown_at; /* when what is not a whole line is shown all the same */
	size_t len;
	u8 line[VMCONSOLE_LINE]; /* not shown yet; a longer one is shown in pieces */
};

/* label must live as long as c. alone: the VM has the console for itself. */
void vmconsole_init(struct vmconsole *c, const char *label, bool alone, struct timerq *timers);

/*
 * The monitor's own line, at the foot of what the VMs write. vmconsole_by_line(): whether there may
 * be one: the console is shared then even by a single VM (vmconsole_share() tells it, when that has
 * begun). vmconsole_foot(): writes text, and then shows foot, of up to VMCONSOLE_FOOT bytes, from
 * now on below whatever comes; both may be empty. Any CPU.
 */
#define VMCONSOLE_FOOT 512u
void vmconsole_by_line(bool on);
void vmconsole_share(struct vmconsole *c);
void vmconsole_foot(const char *text, size_t len, const char *foot, size_t foot_len);

/* All of these on the CPU that timers belongs to. */
void vmconsole_write_shared(struct vmconsole *c, const u8 *buf, size_t len);

static inline void vmconsole_write(struct vmconsole *c, const u8 *buf, size_t len)
{
	if (c->name)
		vmconsole_write_shared(c, buf, len);
	else
		console_write(buf, len);
}

void vmconsole_destroy(struct vmconsole *c);

#endif
