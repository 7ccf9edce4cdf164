/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock of the KVM paravirtual interface: the guest names a place in its memory, we put there
 * how to turn its TSC into nanoseconds. The zero of that time is the machine's TSC at 0, on every
 * vcpu, so that all agree; hence nothing changes later but by a write to the TSC.
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
		.tsc_timestamp = v->ops->get(v, VREG_TSC_OFFSET),
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
	u64 uptime = muldiv64(timerq_now(v->timers), NS_PER_SEC, v->timers->hz);
	u64 boot = wallclock() * NS_PER_SEC - uptime;
	struct wall_clock w = {
		.version = 2, .sec = (u32)(boot / NS_PER_SEC), .nsec = (u32)(boot % NS_PER_SEC)
	};

	(void)msr;
	return place_is_valid(v, gpa, sizeof(w)) &&
	       guest_write(&v->vm->mem, GPA(gpa), &w, sizeof(w)) == OK;
}

const struct msr_emulation kvm_system_time = { read_system_time, write_system_time };
const struct msr_emulation kvm_wall_clock = { NULL, write_wall_clock };
