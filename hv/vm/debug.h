/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM under a debugger's control: the one that the port of gdb=PORT is for.
 *
 *   run loop: debug_may_enter() -> work -> debug_enter() -> guest -> exit -> handler ->
 * debug_exited() ^                                         #DB, #BP, MTF, MOV DR --> debug_*()
 *                    |
 *      held ---------'<- resume ---- the stub (hv/ctl/gdb.h), a task between two slices
 *
 * All of it happens on the VM's CPU, but for the bytes' arrival. A VM that has no debugger knows
 * nothing of it: vm->debug is NULL.
 */
#ifndef HV_VM_DEBUG_H
#define HV_VM_DEBUG_H

#include "hv/drv/uart.h"
#include "hv/vm/exit.h"

struct vm;
struct vcpu;

/* The first VM will be debugged through that port. Once, before there are VMs. */
void debug_init(struct uart *port);

/* debug_attach(): vm is made and has not begun; if it is to be debugged, it will stop at its first
 * instruction. debug_detach(): it is over, and its memory goes. */
void debug_attach(struct vm *vm);
bool debug_wants(const struct vm *vm); /* will it be attached? Then it must be on one CPU */
void debug_detach(struct vm *vm);

/* For the run loop, with v->vm->debug set. debug_may_enter(): false: the slice is over at once.
 * debug_withheld(): work that must wait until the step that v is at is done. debug_exited(): after
 * the exit was dealt with; complete: the instruction is. */
bool debug_may_enter(struct vcpu *v);
unsigned long debug_withheld(struct vcpu *v);
void debug_enter(struct vcpu *v);
void debug_exited(struct vcpu *v, bool complete);
void debug_loaded(struct vcpu *v); /* its registers begin anew */

/* What v's exits are about, if they are the debugger's. debug_exception(): true: it was, and the
 * guest does not get it; what of x is the guest's stays in it. */
bool debug_exception(struct vcpu *v, struct exit_exception *x);
void debug_stepped(struct vcpu *v, u64 pending);

/* The guest's own debug registers 0 to 7, while the debugger has the processor's. False: #GP. */
u64 debug_read_dr(struct vcpu *v, unsigned dr);
bool debug_write_dr(struct vcpu *v, unsigned dr, u64 value);

#endif
