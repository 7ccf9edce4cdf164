/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stopping and going on: a vcpu that meets a point of the debugger's, or has made its step, has all
 * vcpus of its VM held; the stub hears of it when they are.
 *
 * A step is one instruction, or the delivery of one exception: the monitor trap flag ends it, or an
 * exit for which the hypervisor does the instruction's work. External interrupts and NMIs wait
 * until the vcpu goes on for good, or stepping would lead from one handler into the next; in HLT,
 * which they alone can end, they are let in.
 */
#include "hv/cpu/regs.h"
#include "hv/vm/debug_priv.h"
#include "hv/vm/look.h"

#define OPERAND_SIZE 0x66 /* the prefix */
#define PUSHF	     0x9c

/* ---- stopping ---- */

void debug_stop(struct debug *d, const struct gdb_event *e)
{
	struct vcpu *v;

	if (d->stopping || !gdb_is_running(&d->gdb))
		return;
	d->stopping = true;
	d->event = *e;
	for_each_vcpu (v, d->vm) {
		if (!debug_of(v)->held)
			sched_hold(v);
		debug_of(v)->held = true;
	}
	debug_poke(d);
}

static void stop(struct vcpu *v, enum gdb_why why)
{
	struct gdb_event e = { .why = why, .thread = v->index };

	debug_stop(v->vm->debug, &e);
}

void debug_resume(struct debug *d, const enum gdb_action *action)
{
	struct vcpu *v;

	for_each_vcpu (v, d->vm) {
		debug_of(v)->action = action[v->index];
		if (action[v->index] == GDB_STAY)
			continue;
		debug_of(v)->held = false;
		debug_of(v)->resumed = true;
		sched_release(v);
	}
}

/* ---- entering ---- */

/* Without a monitor trap flag the guest's own TF has to do. */
static void set_trap_flag(struct vcpu *v)
{
	u64 rflags = v->ops->get(v, VREG_RFLAGS);

	debug_of(v)->trap_flag = true;
	debug_of(v)->trapped = false;
	debug_of(v)->guest_trap_flag = rflags & RFLAGS_TF;
	v->ops->set(v, VREG_RFLAGS, rflags | RFLAGS_TF);
}

static void take_trap_flag_back(struct vcpu *v)
{
	struct debug_vcpu *d = debug_of(v);
	u64 rflags = v->ops->get(v, VREG_RFLAGS);

	if (!d->trap_flag)
		return;
	d->trap_flag = false;
	if (d->guest_trap_flag)
		return;
	d->stray_trap_flag = !(rflags & RFLAGS_TF) && !d->trapped;
	v->ops->set(v, VREG_RFLAGS, rflags & ~RFLAGS_TF);
	v->ops->set(v, VREG_PENDING_DEBUG, v->ops->get(v, VREG_PENDING_DEBUG) & ~DR6_BS);
}

bool debug_may_enter(struct vcpu *v)
{
	vcpu_work_clear(v, WORK_DEBUG);
	if (!debug_of(v)->held || (v->work & WORK_END))
		return true;
	take_trap_flag_back(v);
	vcpu_work_clear(v, WORK_RESCHED);
	return false;
}

unsigned long debug_withheld(struct vcpu *v)
{
	if (debug_of(v)->action != GDB_STEP || (v->work & WORK_HALTED))
		return 0;
	return v->work & (WORK_IRQ | WORK_NMI);
}

void debug_enter(struct vcpu *v)
{
	struct debug_vcpu *d = debug_of(v);
	bool step = d->action == GDB_STEP;

	d->rip = v->ops->get(v, VREG_RIP);
	d->count = v->gpr[RCX];
	debug_load_dr(v);
	if (d->resumed && debug_has_hard_at(v->vm->debug, d->rip))
		v->ops->set(v, VREG_RFLAGS, v->ops->get(v, VREG_RFLAGS) | RFLAGS_RF);
	if (!v->ops->set_traps(v, step, debug_has_soft(v->vm->debug), d->own_dr) && !d->trap_flag)
		set_trap_flag(v);
	d->resumed = false;
	if (step)
		vcpu_work_set(v, WORK_DEBUG); /* each exit comes back to the run loop */
}

/* ---- exits ---- */

void debug_exited(struct vcpu *v, bool complete)
{
	struct debug_vcpu *d = debug_of(v);

	if (d->action != GDB_STEP || (v->work & WORK_END))
		return;
	/* In a handler, to whose end the trap flag waits on the guest's stack. */
	if (d->trap_flag && !(v->ops->get(v, VREG_RFLAGS) & RFLAGS_TF))
		return;
	if (complete || v->ops->get(v, VREG_RIP) != d->rip || v->gpr[RCX] != d->count)
		stop(v, GDB_WHY_STOP);
}

void debug_stepped(struct vcpu *v, u64 pending)
{
	struct gdb_event e = { .why = GDB_WHY_STOP, .thread = v->index };
	u64 ours = debug_hits(v, pending, &e);

	if (ours)
		v->ops->set(v, VREG_PENDING_DEBUG, pending & DR6_BS);
	debug_stop(v->vm->debug, &e);
}

static bool breakpoint(struct vcpu *v, const struct exit_exception *x)
{
	if (debug_is_soft(v->vm->debug, v, look_rip(v).v)) {
		stop(v, GDB_WHY_BREAK_SOFT);
		return true;
	}
	/* The guest's own: INT3 arrives there as such. */
	v->event = (struct event){
		.type = EVENT_SOFT_EXCEPTION, .vector = VEC_BP, .length = x->length
	};
	vcpu_work_set(v, WORK_EVENT);
	return true;
}

/* Flags that the instruction has pushed are as the guest had them. */
static void mend_pushed_flags(struct vcpu *v)
{
	gva_t place = GVA(v->ops->get(v, VREG_RSP) + 1); /* of the byte with TF */
	u8 code[2] = { 0 }, flags;

	(void)look_read(v, GVA(debug_of(v)->rip), code, sizeof(code));
	if (code[code[0] == OPERAND_SIZE] != PUSHF || look_read(v, place, &flags, 1) != 1)
		return;
	flags &= (u8) ~(RFLAGS_TF >> 8);
	(void)look_write(v, place, &flags, 1);
}

/* A single-step trap. True: the step is done. What of it is the guest's stays in x. */
static bool trap(struct vcpu *v, struct exit_exception *x)
{
	struct debug_vcpu *d = debug_of(v);
	bool stray = d->stray_trap_flag && !d->trap_flag;

	d->stray_trap_flag = false;
	if (!d->trap_flag && !stray)
		return false;
	d->trapped = true;
	if (!stray && d->guest_trap_flag)
		return true;
	x->qualification &= ~DR6_BS;
	if (stray)
		v->ops->set(v, VREG_RFLAGS, v->ops->get(v, VREG_RFLAGS) & ~RFLAGS_TF);
	else
		mend_pushed_flags(v);
	return !stray;
}

bool debug_exception(struct vcpu *v, struct exit_exception *x)
{
	struct gdb_event e = { .why = GDB_WHY_STOP, .thread = v->index };
	bool step;

	if (x->vector == VEC_BP)
		return breakpoint(v, x);
	if (x->vector != VEC_DB)
		return false;
	x->qualification &= ~debug_hits(v, x->qualification, &e);
	step = (x->qualification & DR6_BS) && trap(v, x);
	if (step || e.why != GDB_WHY_STOP)
		debug_stop(v->vm->debug, &e);
	return !(x->qualification & (DR6_B | DR6_BD | DR6_BS));
}

void debug_loaded(struct vcpu *v)
{
	struct debug_vcpu *d = debug_of(v);

	d->own_dr = false;
	d->trap_flag = false;
	d->stray_trap_flag = false;
}
