/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the debugger's control share. */
#ifndef HV_VM_DEBUG_PRIV_H
#define HV_VM_DEBUG_PRIV_H

#include "hv/ctl/gdb.h"
#include "hv/vm/debug.h"
#include "hv/vm/vm.h"

#define DEBUG_SOFT 128u /* breakpoints in memory at a time */
#define DEBUG_HARD 4u	/* debug registers */

/* An INT3 in guest memory. */
struct debug_soft {
	u64 address;
	gpa_t gpa;
	u8 old; /* the byte in whose place it is */
	bool used;
};

struct debug_hard {
	enum gdb_point kind;
	u64 address;
	unsigned len; /* 1, 2, 4, 8: the address is a multiple of it */
	bool used;
};

struct debug_vcpu {
	enum gdb_action action;
	bool held;	      /* by us */
	bool resumed;	      /* and has not entered the guest since */
	bool trap_flag;	      /* there is no monitor trap flag: RFLAGS.TF is ours, */
	bool guest_trap_flag; /* this is what the guest had, */
	bool trapped;	      /* and the trap has come */
	bool stray_trap_flag; /* the handler that runs will return to flags with ours */
	bool own_dr;	      /* the processor's debug registers hold what is of ours */
	u64 rip, count; /* RIP and RCX at the entry: they tell whether an exit did something */
	u64 dr[DEBUG_HARD], dr7; /* the guest's, while own_dr */
};

struct debug {
	struct gdb gdb;
	struct uart *port;
	struct vm *vm; /* NULL: it has not come yet, or is gone */
	bool begun;    /* there was one */
	bool stopping; /* all vcpus were told to stop; event says why */
	struct gdb_event event;
	struct task task;
	unsigned posted; /* the task is in a queue */
	struct percpu *cpu;
	struct debug_soft soft[DEBUG_SOFT];
	struct debug_hard hard[DEBUG_HARD];
	struct debug_vcpu vcpu[PLATFORM_MAX_VCPUS];
};

static inline struct debug_vcpu *debug_of(const struct vcpu *v)
{
	return &v->vm->debug->vcpu[v->index];
}

/* debug.c. debug_stop(): all vcpus of the VM stop, for this reason unless there is one already. */
void debug_stop(struct debug *d, const struct gdb_event *e);
void debug_resume(struct debug *d, const enum gdb_action *action);

/* debug_port.c: the stub has something to do. Any CPU. */
void debug_poke(struct debug *d);

/* debug_points.c */
enum gdb_result debug_insert(
	struct debug *d, struct vcpu *v, enum gdb_point p, u64 address, u64 len);
enum gdb_result debug_remove(
	struct debug *d, struct vcpu *v, enum gdb_point p, u64 address, u64 len);
void debug_clear(struct debug *d);
bool debug_has_soft(const struct debug *d);
bool debug_is_soft(const struct debug *d, struct vcpu *v, u64 address);
/* The debug registers hold what is in d->hard before an entry; nothing is there: the guest's. */
void debug_load_dr(struct vcpu *v);
/* Of bits B0 to B3 of DR6, those that are points of ours; *e says which. */
u64 debug_hits(const struct vcpu *v, u64 dr6, struct gdb_event *e);
/* Is there an instruction breakpoint of ours, so that RF is needed to get past it? */
bool debug_has_hard_at(const struct debug *d, u64 address);

/* debug_regs.c */
void debug_read_reg(struct vcpu *v, enum gdb_reg r, u8 *value);
bool debug_write_reg(struct vcpu *v, enum gdb_reg r, const u8 *value);

#endif
