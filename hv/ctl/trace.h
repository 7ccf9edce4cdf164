/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last exits of a vcpu, and where its exits come from: with trace=N on the hypervisor's command
 * line. A ring of N exits is printed when its VM ends or crashes; a table counts the exits by the
 * guest's RIP and the reason, and what was spent on them.
 */
#ifndef HV_CTL_TRACE_H
#define HV_CTL_TRACE_H

#include "hv/lib/util.h"
#include "hv/mem/addr.h"

#define TRACE_EXITS_MAX 65536u

struct vcpu;

struct trace_exit {
	u64 tsc, rip, info; /* info: what the provider knows besides, such as the qualification */
	const char *reason; /* stays valid */
};

/* The last exit of a vcpu, which the processor keeps whether exits are recorded or not. Its rip is
 * where the vcpu is now: behind the instruction, if that is complete. */
struct last_exit {
	struct trace_exit exit;
	bool memory, gva_valid; /* gpa is what it was about; and gva */
	gpa_t gpa;
	gva_t gva;
};

/* Exits of one reason at one instruction. */
struct trace_place {
	u64 rip;
	const char *reason; /* NULL: free */
	u64 count, ticks;
};

#define TRACE_PLACES 4096u /* a power of two */

struct trace {
	unsigned size;		  /* of the ring */
	bool at_end;		  /* it is shown when the VM ends */
	unsigned order;		  /* of the allocation that all this lies in */
	u64 total;		  /* exits seen */
	struct trace_place *last; /* what the next ticks are charged to, or NULL */
	u64 lost;		  /* exits that found no place */
	struct trace_place place[TRACE_PLACES];
	struct trace_exit exit[];
};

/* How many exits the rings of new vcpus have: at most TRACE_EXITS_MAX; 0, as at first: none. */
void trace_configure(unsigned exits);
/* NULL: not wanted, or there is no memory. trace_start(): for who looks while the VM runs; with so
 * many exits, from 1 on, and not shown when the VM ends. */
struct trace *trace_create(void);
struct trace *trace_start(unsigned exits);
void trace_destroy(struct trace *t);

/* An exit. spent: ticks in the hypervisor for the exit before it. */
void trace_record(struct trace *t, const struct trace_exit *e, u64 spent);

/* The ring, oldest first, as lines of the log; and the places with most exits, as "@stats". */
void trace_print(const struct vcpu *v);
void trace_report(const struct vcpu *v);

#endif
