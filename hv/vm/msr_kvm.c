/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock of the KVM paravirtual interface: the guest names a place in its memory, we put there
 * how to turn its TSC into nanoseconds. The zero of that time is the machine's TSC at 0 (the VM's
 * own time at 0, if it has one), on every vcpu, so that all agree; hence nothing changes later but
 * by a write to the TSC.
 * And its steal time: how long each vcpu waited while another had its CPU.
 * Source of the layouts: Linux, Documentation/virt/kvm/x86/msr.rst.
 */
#include "hv/cpu/tsc.h"
#include "hv/vm/msr_emul.h"
#include "hv/vm/vm.h"

#define CLOCK_ON	BIT(0)
#define CLOCK_ALIGN	4u
#define FLAG_TSC_STABLE BIT(0)
#define NS_PER_SEC	1000000000ul

struct clock_page {
	u32 version; /* even: complete */
	u32 pad;
	u64 tsc_timestamp;
	u64 system_time; /* ns, at tsc_timestamp */
	u32 tsc_to_system_mul;
	s8 tsc_shift;
	u8 flags;
	u8 pad2[2];
};

struct wall_clock {
	u32 version;
	u32 sec, nsec; /* since 1970, when the clock above stood at 0 */
};

struct steal_time {
	u64 steal;   /* ns */
	u32 version; /* odd: being written */
	u32 flags;
	u8 preempted; /* STEAL_PREEMPTED: it could run, and another does */
	u8 pad[47];
};

#define STEAL_ALIGN	64u
#define STEAL_RESERVED	(STEAL_ALIGN - 1 - KVM_STEAL_ON)
#define STEAL_PREEMPTED 1

static_assert(sizeof(struct steal_time) == STEAL_ALIGN, "kvm_steal_time");
static_assert(offsetof(struct steal_time, preempted) == 16, "kvm_steal_time");
static_assert(sizeof(struct clock_page) == 32, "pvclock_vcpu_time_info");
static_assert(sizeof(struct wall_clock) == 12, "pvclock_wall_clock");

/* ns = (ticks << shift) * mul >> 32, with mul as large as 32 bits hold. */
static void scale(u64 hz, u32 *mul, s8 *shift)
{
	int s = 0;

	while (hz > 2 * NS_PER_SEC) {
		hz >>= 1;
		s--;
	}
	while (hz <= NS_PER_SEC) {
		hz <<= 1;
		s++;
	}
	*mul = (u32)muldiv64(NS_PER_SEC, BIT(32), hz);
	*shift = (s8)s;
}

/* A structure must be aligned and lie in one page of RAM. */
static bool place_is_valid(const struct vcpu *v, u64 gpa, u64 size)
{
	return IS_ALIGNED(gpa, CLOCK_ALIGN) && (gpa & ~PAGE_MASK) + size <= PAGE_SIZE &&
	       guest_is_ram(&v->vm->mem, GPA(gpa), size);
}

static bool put_clock(struct vcpu *v, u64 gpa)
{
	struct clock_page c = { .version = 2,
		.tsc_timestamp = v->ops->get(v, VREG_TSC_OFFSET) + v->tsc_lag,
		.flags = FLAG_TSC_STABLE };

	scale(v->timers->hz, &c.tsc_to_system_mul, &c.tsc_shift);
	return guest_write(&v->vm->mem, GPA(gpa), &c, sizeof(c)) == OK;
}

void kvm_clock_update(struct vcpu *v)
{
	/* The place was RAM when it was named, and RAM does not move. */
	if (v->msr_kvm_clock & CLOCK_ON)
		(void)put_clock(v, v->msr_kvm_clock & ~CLOCK_ON);
}

static bool read_system_time(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->msr_kvm_clock;
	return true;
}

static bool write_system_time(struct vcpu *v, u32 msr, u64 value)
{
	u64 gpa = value & ~CLOCK_ON;

	(void)msr;
	if ((value & CLOCK_ON) &&
		(!place_is_valid(v, gpa, sizeof(struct clock_page)) || !put_clock(v, gpa)))
		return false;
	v->msr_kvm_clock = value;
	return true;
}

static bool write_wall_clock(struct vcpu *v, u32 msr, u64 gpa)
{
	const struct timerq *time = v->vm->timers;
	u64 uptime = muldiv64(timerq_now(time), NS_PER_SEC, time->hz);
	u64 boot = wallclock() * NS_PER_SEC - uptime;
	struct wall_clock w = {
		.version = 2, .sec = (u32)(boot / NS_PER_SEC), .nsec = (u32)(boot % NS_PER_SEC)
	};

	(void)msr;
	return place_is_valid(v, gpa, sizeof(w)) &&
	       guest_write(&v->vm->mem, GPA(gpa), &w, sizeof(w)) == OK;
}

/* ---- steal time ---- */

/* The vcpu itself is not in the guest; others may read along, and look for an even version. */
static bool put_steal(struct vcpu *v, u64 gpa, bool preempted)
{
	const struct guestmem *gm = &v->vm->mem;
	struct steal_time s = { .version = ++v->steal_version,
		.steal = muldiv64(v->sched.wait_ticks - v->steal_base, NS_PER_SEC, v->timers->hz),
		.preempted = preempted ? STEAL_PREEMPTED : 0 };
	gpa_t version = GPA(gpa + offsetof(struct steal_time, version));
	bool ok = guest_write(gm, version, &s.version, sizeof(s.version)) == OK &&
		  guest_write(gm, GPA(gpa), &s, offsetof(struct steal_time, pad)) == OK;

	s.version = ++v->steal_version;
	return ok && guest_write(gm, version, &s.version, sizeof(s.version)) == OK;
}

/* The place was RAM when it was named; if it is no more, the guest has given it away. */
void kvm_steal_update(struct vcpu *v, bool preempted)
{
	if (v->vm->shared)
		vcpu_lock(v);
	(void)put_steal(v, v->msr_kvm_steal & ~KVM_STEAL_ON, preempted);
	if (v->vm->shared)
		vcpu_unlock(v);
}

static bool read_steal_time(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	*value = v->msr_kvm_steal;
	return true;
}

static bool write_steal_time(struct vcpu *v, u32 msr, u64 value)
{
	u64 gpa = value & ~KVM_STEAL_ON;

	(void)msr;
	if ((value & STEAL_RESERVED) ||
		((value & KVM_STEAL_ON) &&
			(!guest_is_ram(&v->vm->mem, GPA(gpa), sizeof(struct steal_time)) ||
				!put_steal(v, gpa, false))))
		return false;
	v->msr_kvm_steal = value;
	return true;
}

const struct msr_emulation kvm_system_time = { read_system_time, write_system_time };
const struct msr_emulation kvm_steal_time = { read_steal_time, write_steal_time };
const struct msr_emulation kvm_wall_clock = { NULL, write_wall_clock };
