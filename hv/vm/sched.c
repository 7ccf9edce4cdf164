/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scheduling on one CPU, and waking from others. The lock of a CPU's queue is the innermost but for
 * that of the log.
 */
#include "hv/vm/sched.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/idle.h"
#include "hv/cpu/irq.h"
#include "hv/cpu/smp.h"
#include "hv/cpu/tsc.h"
#include "hv/ctl/ledger.h"
#include "hv/ctl/log.h"
#include "hv/lib/spinlock.h"
#include "hv/vm/msr.h"
#include "hv/vm/vm.h"

#define SLICE_MS  4
#define PERIOD_MS 100  /* of caps */
#define GRAIN_US  500  /* one that runs is left alone so long, whoever wakes */
#define DEBT_MS	  1000 /* of chores */

static struct sched_cpu {
	struct spinlock lock; /* the queue, the weight, and the place of the CPU's vcpus */
	struct runq q;
	unsigned weight; /* of all vcpus placed here */
	struct runner chores;
	struct share chores_share;
	/* Of this CPU alone: */
	struct vcpu *running;
	u64 started;	      /* TSC at the beginning of its slice */
	struct vcpu *yielded; /* ended the last slice by spinning, and is in the queue */
	struct timer slice;
} cpus[CPUS_MAX];

static u64 grain, debt_max;

static struct sched_cpu *sched_of(const struct percpu *cpu)
{
	return &cpus[cpu->index];
}

static struct sched_cpu *mine(void)
{
	return sched_of(this_cpu());
}

static struct vcpu *vcpu_of(struct runner *r)
{
	return container_of(r, struct vcpu, sched.runner);
}

/* ---- ending a slice ---- */

static void end_slice(struct timer *t)
{
	struct sched_cpu *c = container_of(t, struct sched_cpu, slice);

	if (c->running)
		vcpu_work_set(c->running, WORK_RESCHED);
}

/* Somebody else may have become able to run: the running one's slice ends at once if it is only
 * idling, and not before the grain if not. */
static void look_around(struct sched_cpu *c)
{
	u64 end = c->started + grain;

	if (!c->running)
		return;
	if ((c->running->work & WORK_HALTED) || rdtsc() >= end)
		vcpu_work_set(c->running, WORK_RESCHED);
	else if (!timer_armed(&c->slice) || c->slice.deadline > end)
		timer_arm(&this_cpu()->timers, &c->slice, end);
}

/* VECTOR_KICK: a vcpu of ours was given work, or there is a chore. */
static void kicked(void *ctx)
{
	(void)ctx;
	if (!sched_alone())
		look_around(mine());
}

bool sched_alone(void)
{
	return !__atomic_load_n(&mine()->q.count, __ATOMIC_RELAXED);
}

/* ---- what time it is ---- */

/* A VM with a clock of its own stands still while all of it is held; and in virtual time, while a
 * vcpu of it could run and none does. */
static bool stands_still(const struct vm *vm)
{
	const struct vcpu *v;
	bool waits = false;
	unsigned held = 0;

	for_each_vcpu (v, vm) {
		if (v->sched.place == VCPU_RUNNING)
			return false;
		waits |= v->sched.place == VCPU_QUEUED;
		held += v->sched.place == VCPU_HELD;
	}
	return held == vm->vcpus || (waits && vm->cfg.virtual_time);
}

/* v has left its CPU, or cannot have it, from v->sched.since on. */
static void perhaps_stop_clock(const struct vcpu *v)
{
	if (unlikely(v->vm->clock) && stands_still(v->vm))
		vm_clock_stop(v->vm->clock, v->sched.since);
}

/* v is about to run. The only way for a clock to go on: it is on the CPU that it belongs to. */
static void start_clock(struct sched_cpu *c, struct vcpu *v, u64 now)
{
	if (likely(!v->vm->clock))
		return;
	spin_lock(&c->lock);
	vm_clock_go(v->vm->clock, now);
	spin_unlock(&c->lock);
	vm_clock_show(v);
}

/* ---- waking ---- */

/* To the queue, since v->sched.since; or not, as long as it is held and its VM is not over. */
static void enqueue(struct sched_cpu *c, struct vcpu *v, bool woken)
{
	if (unlikely(v->sched.holds) && !(v->work & WORK_END)) {
		v->sched.place = VCPU_HELD;
	} else {
		v->sched.place = VCPU_QUEUED;
		runq_add(&c->q, &v->sched.runner, woken);
	}
	perhaps_stop_clock(v);
}

/* From sleep to the queue. */
static void wake(struct sched_cpu *c, struct vcpu *v)
{
	u64 now = rdtsc();

	v->idle_ticks += now - v->sched.since;
	v->sched.since = now;
	enqueue(c, v, true);
}

/* A CPU whose queue has changed. */
static void look_again(struct sched_cpu *c, const struct percpu *cpu)
{
	if (cpu == this_cpu())
		look_around(c);
	else
		smp_kick(cpu->index);
}

/* The work was written before its place is looked at here, and is read after that has changed
 * there: one of the two sees the other. */
static __attribute__((noinline)) void fetch(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v->sched.cpu);
	enum vcpu_place place;

	spin_lock(&c->lock);
	place = v->sched.place;
	if (place == VCPU_ASLEEP)
		wake(c, v);
	if (place == VCPU_HELD) {
		v->sched.since = rdtsc();
		enqueue(c, v, true);
	}
	spin_unlock(&c->lock);
	if (place != VCPU_QUEUED && place != VCPU_OUT)
		look_again(c, v->sched.cpu);
}

void vcpu_post(struct vcpu *v, unsigned long work)
{
	vcpu_work_set(v, work);
	if (unlikely(v->sched.cpu != this_cpu() || v->sched.place != VCPU_RUNNING))
		fetch(v);
}

/* ---- chores ---- */

void sched_chores(const struct percpu *cpu)
{
	struct sched_cpu *c = sched_of(cpu);

	spin_lock(&c->lock);
	if (list_empty(&c->chores.node))
		runq_add(&c->q, &c->chores, true);
	spin_unlock(&c->lock);
	look_again(c, cpu);
}

static void charge_since(struct sched_cpu *c, struct runner *r, u64 since)
{
	u64 ticks = rdtsc() - since;

	spin_lock(&c->lock);
	runq_charge(&c->q, r, ticks);
	spin_unlock(&c->lock);
}

/* A chore is done at a stretch, be it as long as the making of a large VM. The next, which may be
 * the monitor's, does not wait for all of that time once more for each vcpu that is busy. */
void sched_chore_done(u64 since)
{
	struct sched_cpu *c = mine();

	spin_lock(&c->lock);
	runq_charge(&c->q, &c->chores, rdtsc() - since);
	runq_forgive(&c->q, &c->chores, debt_max);
	spin_unlock(&c->lock);
}

void sched_charge(struct vcpu *v, u64 since)
{
	BUG_ON(v->sched.cpu != this_cpu());
	v->sched.ran_ticks += rdtsc() - since;
	charge_since(mine(), &v->sched.runner, since);
}

/* ---- whose state is in the processor ---- */

/* Makes room for v's state. True if the last one here was of another VM. */
static bool put_away(struct percpu *cpu, struct vcpu *v)
{
	struct vcpu *old = cpu->vcpu;

	if (old && old != v) {
		if (old->vm->mmu->ops->suspend)
			old->vm->mmu->ops->suspend(old);
		old->ops->switch_out(old);
		old->sched.away = true;
	}
	cpu->vcpu = v;
	return !old || old->vm != v->vm;
}

static void bring_in(struct percpu *cpu, struct vcpu *v)
{
	if (cpu->vcpu == v)
		return;
	v->ops->switch_in(v, put_away(cpu, v));
	v->sched.away = false;
	v->sched.switches_in++;
	if (v->vm->mmu->ops->resume)
		v->vm->mmu->ops->resume(v);
}

static void start_here(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v->sched.cpu);

	BUG_ON(v->sched.place != VCPU_OUT);
	(void)put_away(v->sched.cpu, v);
	v->sched.away = false;
	vcpu_sit(v);
	vcpu_load(v, &v->vm->first_state);
	v->sched.since = rdtsc();
	spin_lock(&c->lock);
	enqueue(c, v, true);
	spin_unlock(&c->lock);
}

static void start_task(struct task *t)
{
	start_here(container_of(t, struct vcpu, errand));
}

void vcpu_start(struct vcpu *v)
{
	if (v->sched.cpu == this_cpu()) {
		start_here(v);
		return;
	}
	task_init(&v->errand, start_task);
	task_post(&v->errand, v->sched.cpu);
}

void vcpu_gone(struct vcpu *v)
{
	BUG_ON(v->sched.cpu != this_cpu() || v->sched.place != VCPU_OUT);
	if (v->sched.cpu->vcpu == v)
		v->sched.cpu->vcpu = NULL;
	if (v->vm->shared)
		v->ops->unload(v);
}

/* ---- a slice ---- */

/* It has nothing to do, and waits for something. */
static bool rests(const struct vcpu *v)
{
	return v->work && !(v->work & ~(unsigned long)WORK_REST);
}

/* Who may have what v waits for: of the others of its VM in this queue, one that did not spin
 * itself, and of these, the one that has waited for longest. NULL: there is none. */
static struct vcpu *who_is_waited_for(const struct vcpu *v)
{
	struct vcpu *other, *best = NULL;

	for_each_vcpu (other, v->vm) {
		if (other == v || other->sched.cpu != v->sched.cpu ||
			other->sched.place != VCPU_QUEUED)
			continue;
		if (!best || other->sched.spins < best->sched.spins ||
			(other->sched.spins == best->sched.spins &&
				other->sched.since < best->sched.since))
			best = other;
	}
	return best;
}

/* v span. The one that it waits for is the first to run in their VM's turn, and so loses nothing by
 * that, nor gains; and others go first this time. */
static void give_way(struct sched_cpu *c, struct vcpu *v)
{
	struct vcpu *other = who_is_waited_for(v);

	v->sched.yields++;
	c->yielded = v;
	if (other) {
		v->sched.yields_to_own++;
		runq_put_first(&c->q, &other->sched.runner);
	}
	runq_pass_over(&c->q, &v->sched.runner);
}

void sched_yield(struct vcpu *v)
{
	if (sched_alone())
		return;
	v->sched.spins = true;
	vcpu_work_set(v, WORK_RESCHED);
}

/* Its place after the slice. Work that came since it decided to sleep keeps it awake. */
static void put_back(struct sched_cpu *c, struct vcpu *v, enum vcpu_slice how)
{
	if (how == SLICE_OVER)
		v->sched.place = VCPU_OUT;
	else if (how == SLICE_HALTED && rests(v) && !v->sched.holds)
		v->sched.place = VCPU_ASLEEP;
	else
		enqueue(c, v, false);
	v->sched.spins &= v->sched.place == VCPU_QUEUED;
	if (v->sched.spins)
		give_way(c, v);
	perhaps_stop_clock(v);
}

static enum vcpu_slice run_slice(struct sched_cpu *c, struct vcpu *v, u64 until)
{
	struct timerq *timers = &v->sched.cpu->timers;
	u64 idle = v->idle_ticks, left = v->sched.since, now = rdtsc(), ran;
	enum vcpu_slice how;

	/* The account of its last exit stays open: it does not run while it waits. */
	v->exit_tsc += (u32)(now - v->left_tsc);
	v->sched.wait_ticks += now - left;
	start_clock(c, v, now);
	if (kvm_steals(v))
		kvm_steal_update(v, false);
	ledger_slice_begin(v);
	v->sched.spins = false;
	c->running = v;
	c->started = now;
	if (until != TIMER_NEVER)
		timer_arm(timers, &c->slice, until);
	how = vcpu_run(v);
	timer_cancel(timers, &c->slice);
	c->running = NULL;
	ledger_slice_end();
	now = rdtsc();
	v->left_tsc = now;
	/* The last exit leads to no entry that would charge it. */
	if (how == SLICE_OVER)
		v->exits[v->kind].ticks += (u32)now - v->exit_tsc;
	ran = now - c->started - (v->idle_ticks - idle);
	v->sched.ran_ticks += ran;
	if (kvm_steals(v) && how == SLICE_PREEMPTED)
		kvm_steal_update(v, true);
	spin_lock(&c->lock);
	v->sched.since = now;
	runq_charge(&c->q, &v->sched.runner, ran);
	put_back(c, v, how);
	spin_unlock(&c->lock);
	return how;
}

static struct runner *pick(struct sched_cpu *c, u64 *until)
{
	struct runner *r;

	spin_lock(&c->lock);
	r = runq_pick(&c->q, rdtsc(), until);
	if (r && r != &c->chores)
		vcpu_of(r)->sched.place = VCPU_RUNNING;
	spin_unlock(&c->lock);
	return r;
}

bool sched_step(struct vcpu **over)
{
	struct percpu *cpu = this_cpu();
	struct sched_cpu *c = mine();
	struct vcpu *yielded = c->yielded;
	u64 until, since = rdtsc();
	struct runner *r;

	*over = NULL;
	c->yielded = NULL;
	r = pick(c, &until);
	if (r == &c->chores)
		return true;
	if (!r) {
		cpu_idle(MIN(until, cpu->timers.next));
		timerq_run(&cpu->timers);
		return false;
	}
	bring_in(cpu, vcpu_of(r));
	/* Or who spins in short slices would have others pay for the switches. */
	if (unlikely(yielded))
		charge_since(c, &yielded->sched.runner, since);
	if (run_slice(c, vcpu_of(r), until) == SLICE_OVER)
		*over = vcpu_of(r);
	return false;
}

/* ---- holding ---- */

void sched_hold(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v->sched.cpu);
	enum vcpu_place place;
	u64 now;

	spin_lock(&c->lock);
	v->sched.holds++;
	place = v->sched.place;
	now = rdtsc();
	if (place == VCPU_QUEUED && !(v->work & WORK_END)) {
		runq_remove(&c->q, &v->sched.runner);
		v->sched.wait_ticks += now - v->sched.since;
		v->sched.place = VCPU_HELD;
	} else if (place == VCPU_ASLEEP) {
		v->idle_ticks += now - v->sched.since;
		v->sched.place = VCPU_HELD;
	}
	if (v->sched.place == VCPU_HELD && place != VCPU_HELD) {
		v->sched.since = now;
		perhaps_stop_clock(v);
	}
	spin_unlock(&c->lock);
	if (place == VCPU_RUNNING)
		vcpu_post(v, WORK_RESCHED);
}

void sched_release(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v->sched.cpu);
	bool goes_on;

	spin_lock(&c->lock);
	BUG_ON(!v->sched.holds);
	goes_on = !--v->sched.holds && v->sched.place == VCPU_HELD;
	if (goes_on) {
		v->sched.since = rdtsc();
		/* A clock goes on with a slice, be it a short one. */
		if (rests(v) && !v->vm->clock)
			v->sched.place = VCPU_ASLEEP;
		else
			enqueue(c, v, true);
	}
	spin_unlock(&c->lock);
	if (goes_on)
		look_again(c, v->sched.cpu);
}

bool sched_held(struct vcpu *v)
{
	struct sched_cpu *c = sched_of(v->sched.cpu);
	bool held;

	spin_lock(&c->lock);
	held = v->sched.place == VCPU_HELD;
	spin_unlock(&c->lock);
	return held;
}

void sched_attend(struct vcpu *v)
{
	BUG_ON(v->sched.cpu != this_cpu() || mine()->running);
	bring_in(v->sched.cpu, v);
}

/* ---- placing ---- */

struct percpu *sched_place(unsigned weight, unsigned pin)
{
	struct percpu *cpu, *best = NULL;

	for_each_cpu (cpu) {
		struct sched_cpu *c = sched_of(cpu);

		if (pin != SCHED_ANY_CPU ? cpu->index == pin
					 : !best || c->weight < sched_of(best)->weight)
			best = cpu;
	}
	if (best)
		__atomic_fetch_add(&sched_of(best)->weight, weight, __ATOMIC_RELAXED);
	return best;
}

void sched_unplace(const struct percpu *cpu, unsigned weight)
{
	__atomic_fetch_sub(&sched_of(cpu)->weight, weight, __ATOMIC_RELAXED);
}

void sched_init(void)
{
	u64 ms = tsc_hz() / 1000;

	grain = ms * GRAIN_US / 1000;
	debt_max = ms * DEBT_MS;
	for (unsigned i = 0; i < cpu_count(); i++) {
		runq_init(&cpus[i].q, SLICE_MS * ms, PERIOD_MS * ms);
		share_init(&cpus[i].chores_share, SHARE_WEIGHT, 0, 1);
		runner_init(&cpus[i].chores, &cpus[i].chores_share);
		timer_init(&cpus[i].slice, end_slice);
	}
	irq_register(VECTOR_KICK, kicked, NULL);
}
