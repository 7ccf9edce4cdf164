/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a piece of work takes, by this VM's clocks, which must agree to 0.1 %: the TSC, the ACPI
 * PM timer, the local APIC's count. Other VMs may have the processor in between: in real time all
 * of the clocks count that, in virtual time none does. Where KVM's interface offers steal time, how
 * much of it was not ours. Then a few naps: none ends early.
 *
 *   laps=N   how much work (200 if it is not given)
 *   naps=N   of a millisecond each (10)
 */
#include "tests/guest/lib/lib.h"

#define PM_TIMER (LAYOUT_PM_BASE + 8)
#define PM_MASK	 0xffffffu
#define PM_HZ	 3579545ul
#define APIC_HZ	 25000000ul
#define ONCE	 0xbu /* divide by 1 */
#define VECTOR	 0x40
#define LAP	 20000u
#define CLOSE	 20000ul /* ticks within which several clocks are to be read */

#define KVM_LEAF_FEATURES    0x40000101u
#define KVM_HAS_STEAL	     BIT(5)
#define MSR_KVM_STEAL_TIME   0x4b564d03u
#define STEAL_ON	     BIT(0)
#define HYPERVISOR_SIGNATURE 0x40000000u

static volatile struct {
	u64 steal;
	u32 version, flags;
	u8 preempted, pad[47];
} steal_time __aligned(64);

struct reading {
	u64 tsc, pm, apic;
};

static u64 pm_sum; /* PM timer, without its wrap */
static u32 pm_last;
static volatile u64 count;

static void follow_pm(void)
{
	u32 pm = inl(PM_TIMER) & PM_MASK;

	pm_sum += (pm - pm_last) & PM_MASK;
	pm_last = pm;
}

/* All at once: if another VM was in between, once more. */
static struct reading read_clocks(void)
{
	struct reading r;

	do {
		r.tsc = rdtsc();
		follow_pm();
		r.pm = pm_sum;
		r.apic = 0xffffffffu - apic_read(APIC_TMCCT);
	} while (rdtsc() - r.tsc > CLOSE);
	return r;
}

static void work(u64 laps)
{
	for (u64 i = 0; i < laps; i++) {
		for (unsigned j = 0; j < LAP; j++)
			count++;
		follow_pm();
	}
}

static void agree(const char *what, u64 got, u64 hz, u64 tsc)
{
	u64 want = muldiv64(tsc, hz, tsc_per_second());
	u64 off = want / 1000 + muldiv64(CLOSE, hz, tsc_per_second());

	check(got + off > want && got < want + off, "%s: %lu in %lu ticks, expected %lu", what, got,
		tsc, want);
}

static bool has_steal(void)
{
	return cpuid(HYPERVISOR_SIGNATURE, 0).eax >= KVM_LEAF_FEATURES &&
	       (cpuid(KVM_LEAF_FEATURES, 0).eax & KVM_HAS_STEAL);
}

/* It is written while this processor is away: an odd version, or one that changes, is a bug. */
static u64 steal(void)
{
	u32 version = steal_time.version;
	u64 ns = steal_time.steal;

	check_eq(version & 1, 0, "steal time: the version while the vcpu runs");
	check_eq(steal_time.preempted, 0, "steal time: preempted, and yet it runs");
	return ns;
}

static void on_timer(struct frame *f)
{
	(void)f;
	apic_eoi();
}

/* Ticks that the latest of them was late. */
static u64 nap(u64 naps)
{
	u64 ms = tsc_per_second() / 1000, most = 0;

	apic_write(APIC_LVT_TIMER, VECTOR | APIC_LVT_DEADLINE);
	for (u64 i = 0; i < naps; i++) {
		u64 until = rdtsc() + ms, now;

		wrmsr(MSR_TSC_DEADLINE, until);
		sti_hlt_cli();
		now = rdtsc();
		check(now >= until, "woken %lu ticks early", until - now);
		most = MAX(most, now - until);
	}
	return most;
}

void test_main(void)
{
	u64 laps = cmdline_number("laps", 200), stolen = 0, late;
	struct reading a, b;
	bool steals = has_steal();

	apic_enable();
	on_vector(VECTOR, on_timer);
	apic_write(APIC_TDCR, ONCE);
	apic_write(APIC_LVT_TIMER, VECTOR | APIC_LVT_MASKED);
	apic_write(APIC_TMICT, 0xffffffff);
	pm_last = inl(PM_TIMER) & PM_MASK;
	if (steals)
		wrmsr(MSR_KVM_STEAL_TIME, (u64)&steal_time | STEAL_ON);
	a = read_clocks();
	work(laps);
	b = read_clocks();
	agree("PM timer", b.pm - a.pm, PM_HZ, b.tsc - a.tsc);
	agree("local APIC", b.apic - a.apic, APIC_HZ, b.tsc - a.tsc);
	late = nap(cmdline_number("naps", 10));
	if (steals)
		stolen = steal();
	say("elapsed: %lu ticks; stolen %lu ns of %lu ticks; late by %lu ticks", b.tsc - a.tsc,
		stolen, rdtsc() - a.tsc, late);
	pass();
}
