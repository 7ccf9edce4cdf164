/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run loop of a vcpu, for one slice:
 *
 *   until the slice is over:
 *       do the work that is pending: events into the guest, console input, HLT
 *       enter the guest until an exit
 *       handle the exit
 *
 * Most exits never come here: the provider handles the quick ones and enters again by itself, as
 * long as v->work stays 0.
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/idle.h"
#include "hv/cpu/regs.h"
#include "hv/drv/console.h"
#include "hv/lib/string.h"
#include "hv/vm/cr.h"
#include "hv/vm/debug.h"
#include "hv/vm/vm.h"

#define HEARTBEAT_HZ 100

/* Once for VMs on one CPU, which must not pay for the others, and once for these. */
#define INLINED inline __attribute__((always_inline))

/* To the guest's console, which is its UART unless one of its other devices says so. */
static INLINED size_t give_input(struct vm *vm)
{
	size_t took;

	if (vm->io_ops && vm->io_ops->console_in(vm->io, vm->input, vm->input_len, &took))
		return took;
	return platform_console_in(vm->platform, vm->input, vm->input_len);
}

/* Hands on the bytes typed at the machine's console, as far as there is room. */
static INLINED void feed_console(struct vm *vm)
{
	size_t took;

	if (!__atomic_load_n(&vm->has_input, __ATOMIC_RELAXED))
		return;
	for (;;) {
		if (vm->input_len == 0)
			vm->input_len = console_read(vm->input, sizeof(vm->input));
		if (vm->input_len == 0)
			return;
		took = give_input(vm);
		vm->input_len -= took;
		memmove(vm->input, vm->input + took, vm->input_len);
		if (vm->input_len)
			return; /* tried again at the next heartbeat */
	}
}

static INLINED bool inject_nmi(struct vcpu *v)
{
	static const struct event nmi = { .type = EVENT_NMI, .vector = VEC_NMI };

	if (!v->ops->can_inject(v, EVENT_NMI)) {
		v->ops->want_window(v, EVENT_NMI, true);
		v->nmi_waits = true;
		return false;
	}
	if (v->nmi_waits)
		v->ops->want_window(v, EVENT_NMI, false);
	v->nmi_waits = false;
	v->ops->inject(v, &nmi);
	return true;
}

static INLINED bool inject_irq(struct vcpu *v)
{
	struct platform *p = v->vm->platform;
	struct event irq = { .type = EVENT_IRQ };
	int vector;

	if (platform_irq_pending(p, v->index) < 0)
		return false;
	if (!v->ops->can_inject(v, EVENT_IRQ)) {
		v->ops->want_window(v, EVENT_IRQ, true);
		return false;
	}
	vector = platform_irq_ack(p, v->index);
	if (vector < 0)
		return false;
	irq.vector = (u8)vector;
	v->ops->inject(v, &irq);
	if (platform_irq_pending(p, v->index) >= 0)
		v->ops->want_window(v, EVENT_IRQ, true);
	return true;
}

/* Injects what is pending, in the order of "Priority Among Concurrent Events". True: something was.
 */
static INLINED bool deliver_events(struct vcpu *v)
{
	unsigned long work = v->work;
	bool injected = false;

	vcpu_work_clear(v, work & (WORK_EVENT | WORK_NMI | WORK_IRQ));
	if (work & WORK_EVENT) {
		v->ops->inject(v, &v->event);
		injected = true;
	}
	if (work & WORK_NMI)
		injected |= inject_nmi(v);
	if (work & WORK_IRQ)
		injected |= inject_irq(v);
	return injected;
}

/*
 * Console input, and whatever else is merely looked at now and then, waits for this at most. It
 * also keeps the head of the deadline queue near, so that providers may count in 32 bits.
 */
static void heartbeat(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, heartbeat);

	vcpu_work_set(v, WORK_INPUT);
	timer_arm(v->timers, t, timerq_now(v->timers) + v->timers->hz / HEARTBEAT_HZ);
}

/* Nobody else could run here: HLT in the guest's place. The time is the guest's, not ours. */
static INLINED void idle(struct vcpu *v)
{
	u64 from, ticks;

	timer_cancel(v->timers, &v->heartbeat);
	from = rdtsc();
	cpu_idle(v->timers->next);
	ticks = rdtsc() - from;
	v->idle_ticks += ticks;
	v->exit_tsc += (u32)ticks;
	timerq_run(v->timers);
	heartbeat(&v->heartbeat);
}

/* In HLT, with nothing pending but that the slice is over, perhaps. */
static INLINED bool is_at_rest(const struct vcpu *v)
{
	return (v->work & ~(WORK_RESCHED | WORK_DEAF)) == WORK_HALTED;
}

/* What devices have left for now may end in an interrupt for this vcpu. */
static bool io_made_work(struct vcpu *v)
{
	const struct vm *vm = v->vm;

	if (!vm->io_ops || !vm->io_ops->idle)
		return false;
	vm->io_ops->idle(vm->io);
	return !is_at_rest(v);
}

/* A vcpu at rest. */
static INLINED enum vcpu_slice halted(struct vcpu *v)
{
	bool if_flag = (v->ops->get(v, VREG_RFLAGS) & RFLAGS_IF) != 0;

	if (!platform_can_wake(v->vm->platform, v->index, if_flag)) {
		vcpu_work_set(v, WORK_DEAF);
		vm_check_halt(v->vm);
		if (v->work & WORK_END)
			return SLICE_ON;
	}
	return io_made_work(v) ? SLICE_ON : SLICE_HALTED;
}

/* What is pending, once. SLICE_HALTED: nothing is, and the guest does not want to run. */
static INLINED enum vcpu_slice attend(struct vcpu *v)
{
	if ((v->work & (WORK_INIT | WORK_SIPI | WORK_PARKED)) && !(v->work & WORK_END) &&
		!vcpu_startup(v))
		return SLICE_HALTED;
	if (v->work & WORK_END)
		return SLICE_OVER;
	if (v->work & WORK_INPUT) {
		vcpu_work_clear(v, WORK_INPUT);
		feed_console(v->vm);
	}
	if (deliver_events(v))
		vcpu_work_clear(v, WORK_HALTED | WORK_DEAF);
	if (is_at_rest(v))
		return halted(v);
	return v->work & WORK_RESCHED ? SLICE_PREEMPTED : SLICE_ON;
}

/* The same with the lock that several CPUs take. */
static __attribute__((noinline)) enum vcpu_slice attend_locked(struct vcpu *v)
{
	enum vcpu_slice how;

	vcpu_lock(v);
	if (v->work & WORK_TIMERS) {
		vcpu_work_clear(v, WORK_TIMERS);
		vcpu_set_alarm(v);
	}
	how = attend(v);
	vcpu_unlock(v);
	return how;
}

/* Whether and why the slice is over. */
static INLINED enum vcpu_slice do_work(struct vcpu *v, const bool shared)
{
	enum vcpu_slice how = SLICE_ON;

	while (v->work && how == SLICE_ON) {
		how = shared ? attend_locked(v) : attend(v);
		if (how == SLICE_HALTED && !(v->work & (WORK_RESCHED | WORK_PARKED)) &&
			sched_alone()) {
			idle(v);
			how = SLICE_ON;
		}
	}
	if (how != SLICE_ON)
		vcpu_work_clear(v, WORK_RESCHED);
	return how;
}

static void load_paging(struct vcpu *v, u64 cr0)
{
	if (v->vm->shared)
		vcpu_lock(v);
	if (vcpu_can_run_with(v, cr0) && v->vm->mmu->ops->paging_changed)
		v->vm->mmu->ops->paging_changed(v);
	if (v->vm->shared)
		vcpu_unlock(v);
}

void vcpu_load(struct vcpu *v, const struct vcpu_state *s)
{
	v->kind = EXIT_NONE;
	timer_init(&v->heartbeat, heartbeat);
	v->ops->load(v, s);
	v->tsc_lag = 0;
	if (v->vm->debug)
		debug_loaded(v);
	v->left_tsc = rdtsc();
	load_paging(v, s->cr0);
}

static bool run_once(struct vcpu *v)
{
	struct vcpu_exit e;
	enum exit_kind kind = v->ops->run(v, &e);
	bool complete = exit_handlers[kind].handle(v, &e);

	if (complete)
		v->ops->skip(v);
	return complete;
}

/* A slice of a vcpu that a debugger has in its hands: its VM is on one CPU. */
static enum vcpu_slice run_debugged(struct vcpu *v)
{
	enum vcpu_slice how;
	unsigned long later;

	for (;;) {
		if (!debug_may_enter(v))
			return SLICE_PREEMPTED;
		later = debug_withheld(v);
		vcpu_work_clear(v, later);
		how = do_work(v, false);
		vcpu_work_set(v, later);
		if (how != SLICE_ON)
			return how;
		debug_enter(v);
		debug_exited(v, run_once(v));
	}
}

static INLINED enum vcpu_slice run(struct vcpu *v)
{
	enum vcpu_slice how = SLICE_ON;
	struct vcpu_exit e;
	enum exit_kind kind;

	platform_set_current(v->vm->platform, v->index);
	if (unlikely(v->vm->debug))
		return run_debugged(v);
	while (!v->work || (how = do_work(v, false)) == SLICE_ON) {
		kind = v->ops->run(v, &e);
		if (exit_handlers[kind].handle(v, &e))
			v->ops->skip(v);
	}
	return how;
}

/* Their handlers touch nothing that vcpus share; timers are those of other VMs too, with locks of
 * their own. */
#define EXITS_UNLOCKED                                                                             \
	(BIT(EXIT_NONE) | BIT(EXIT_INTERRUPT) | BIT(EXIT_NMI) | BIT(EXIT_WINDOW) |                 \
		BIT(EXIT_TIMER) | BIT(EXIT_HLT) | BIT(EXIT_PAUSE))

static bool handle_locked(struct vcpu *v, enum exit_kind kind, const struct vcpu_exit *e)
{
	bool complete;

	if (EXITS_UNLOCKED & BIT(kind))
		return exit_handlers[kind].handle(v, e);
	vcpu_lock(v);
	complete = exit_handlers[kind].handle(v, e);
	vcpu_unlock(v);
	return complete;
}

static __attribute__((noinline)) enum vcpu_slice run_shared(struct vcpu *v)
{
	enum vcpu_slice how = SLICE_ON;
	struct vcpu_exit e;
	enum exit_kind kind;

	while (!v->work || (how = do_work(v, true)) == SLICE_ON) {
		vcpu_enter_shared(v);
		kind = v->ops->run(v, &e);
		vcpu_leave_shared(v);
		if (handle_locked(v, kind, &e))
			v->ops->skip(v);
	}
	return how;
}

enum vcpu_slice vcpu_run(struct vcpu *v)
{
	enum vcpu_slice how;

	heartbeat(&v->heartbeat);
	how = v->vm->shared ? run_shared(v) : run(v);
	timer_cancel(v->timers, &v->heartbeat);
	return how;
}
