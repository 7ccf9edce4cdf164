/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs on several CPUs: the lock, timers, and mappings that go. */
#include "hv/vm/shared.h"

#include "hv/cpu/smp.h"
#include "hv/mem/page.h"
#include "hv/vm/vm.h"

static struct seat *seat_of(const struct vcpu *v)
{
	return &v->vm->shared->seat[v->index];
}

/* ---- timers ---- */

static void set_alarm(struct seat *s)
{
	struct timerq *q = &this_cpu()->timers;

	if (s->timers.next == TIMER_NEVER) {
		timer_cancel(q, &s->alarm);
		s->alarm.deadline = TIMER_NEVER;
	} else {
		timer_arm(q, &s->alarm, s->timers.next);
	}
}

/* The head of a seat's queue is another. An alarm that comes too early does no harm. */
static void head_changed(struct timerq *q)
{
	struct seat *s = container_of(q, struct seat, timers);
	struct vcpu *v = s->vm->vcpu[s->index];

	if (!s->taken)
		return;
	if (v->sched.cpu == this_cpu())
		set_alarm(s);
	else if (q->next < s->alarm.deadline)
		vcpu_post(v, WORK_TIMERS);
}

static void alarm_rings(struct timer *t)
{
	struct seat *s = container_of(t, struct seat, alarm);

	spin_lock(&s->vm->shared->lock);
	t->deadline = TIMER_NEVER;
	timerq_run(&s->timers);
	set_alarm(s);
	spin_unlock(&s->vm->shared->lock);
}

void vcpu_set_alarm(struct vcpu *v)
{
	set_alarm(seat_of(v));
}

/* ---- mappings ---- */

/* Steps 3 and 4 of the protocol, but for this CPU, which has flushed. */
static void everybody_out(void *ctx)
{
	struct vm *vm = ctx;
	struct vcpu *v;

	for_each_vcpu (v, vm) {
		const struct shootdown *s = &seat_of(v)->shootdown;

		if (v->sched.cpu == this_cpu() || !shootdown_is_inside(s))
			continue;
		smp_kick(v->sched.cpu->index);
		while (shootdown_is_inside(s))
			__builtin_ia32_pause();
	}
}

void vcpu_enter_shared(struct vcpu *v)
{
	if (shootdown_enter(&seat_of(v)->shootdown, &v->vm->mmu->generation))
		v->mmu->ops->flush(v->mmu);
}

void vcpu_leave_shared(struct vcpu *v)
{
	shootdown_leave(&seat_of(v)->shootdown);
}

/* ---- the lock ---- */

void vcpu_lock(struct vcpu *v)
{
	spin_lock(&v->vm->shared->lock);
	platform_set_current(v->vm->platform, v->index);
}

void vcpu_unlock(struct vcpu *v)
{
	spin_unlock(&v->vm->shared->lock);
}

void vm_lock(struct vm *vm)
{
	if (vm->shared)
		spin_lock(&vm->shared->lock);
}

void vm_unlock(struct vm *vm)
{
	if (vm->shared)
		spin_unlock(&vm->shared->lock);
}

/* ---- life ---- */

void vcpu_sit(struct vcpu *v)
{
	struct shared *all = v->vm->shared;
	struct seat *s;

	if (!all)
		return;
	s = seat_of(v);
	spin_lock(&all->lock);
	s->taken = true;
	s->shootdown.flushed = v->vm->mmu->generation - 1; /* what another VM has left here */
	set_alarm(s);
	spin_unlock(&all->lock);
}

void vcpu_rise(struct vcpu *v)
{
	struct shared *all = v->vm->shared;
	struct seat *s;

	if (!all)
		return;
	s = seat_of(v);
	spin_lock(&all->lock);
	s->taken = false;
	timer_cancel(&this_cpu()->timers, &s->alarm);
	s->alarm.deadline = TIMER_NEVER;
	spin_unlock(&all->lock);
}

static bool on_one_cpu(const struct vm *vm)
{
	for (unsigned i = 1; i < vm->cfg.vcpus; i++)
		if (vm->place[i] != vm->place[0])
			return false;
	return true;
}

enum status shared_create(struct vm *vm)
{
	unsigned order = page_order(sizeof(struct shared));

	if (on_one_cpu(vm))
		return OK;
	vm->shared = page_alloc(order, PAGE_HV);
	if (!vm->shared)
		return ERR_NOMEM;
	vm->shared->order = order;
	for (unsigned i = 0; i < vm->cfg.vcpus; i++) {
		struct seat *s = &vm->shared->seat[i];

		s->vm = vm;
		s->index = i;
		timerq_init(&s->timers, vm->cpu->timers.hz, vm->cpu->timers.now);
		s->timers.changed = head_changed;
		timer_init(&s->alarm, alarm_rings);
	}
	vm->mmu->narrowed = everybody_out;
	vm->mmu->narrowed_ctx = vm;
	return OK;
}

void shared_destroy(struct vm *vm)
{
	if (vm->shared)
		page_free(vm->shared, vm->shared->order, PAGE_HV);
	vm->shared = NULL;
}
