/* SPDX-License-Identifier: BSD-2-Clause */
/* Four local APICs on one bus, for the tests of the local APIC and of what sends to it. */
#ifndef TESTS_UNIT_LAPIC_UTIL_H
#define TESTS_UNIT_LAPIC_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/dev/lapic.h"

#define CPUS   4
#define TSC_HZ 1000000000ul
#define COUNT  (TSC_HZ / LAPIC_TIMER_HZ) /* ticks of a count, undivided */
#define US     (TSC_HZ / 1000000)

/* Registers, as offsets / 16: also the numbers of the x2APIC MSRs. */
enum {
	ID = 0x02,
	VERSION = 0x03,
	TPR = 0x08,
	APR = 0x09,
	PPR = 0x0a,
	EOI = 0x0b,
	RRD = 0x0c,
	LDR = 0x0d,
	DFR = 0x0e,
	SVR = 0x0f,
	ISR = 0x10,
	TMR = 0x18,
	IRR = 0x20,
	ESR = 0x28,
	CMCI = 0x2f,
	ICR = 0x30,
	ICR2 = 0x31,
	LVTT = 0x32,
	THERMAL = 0x33,
	PERF = 0x34,
	LINT0 = 0x35,
	LINT1 = 0x36,
	LVTERR = 0x37,
	TMICT = 0x38,
	TMCCT = 0x39,
	TDCR = 0x3e,
	SELF_IPI = 0x3f,
};

#define MSR_BASE     0x1bu
#define MSR_DEADLINE 0x6e0u
#define MSR_X2APIC   0x800u
#define BASE	     0xfee00000ul
#define BASE_BSP     0x100ul
#define BASE_EXTD    0x400ul
#define BASE_EN	     0x800ul

#define MASKED	   0x10000u
#define PERIODIC   0x20000u
#define DEADLINE   0x40000u
#define LEVEL	   0x8000u
#define REMOTE_IRR 0x4000u
#define NMI	   0x400u
#define EXTINT	   0x700u

static struct fixture {
	struct lapic l[CPUS];
	struct timerq tq;
	unsigned kicks[CPUS], nmis[CPUS], inits[CPUS], sipis[CPUS];
	u8 sipi_vector;
	unsigned eois; /* broadcast to the IOAPICs */
	u8 eoi_vector;
	unsigned sent; /* by ICR */
} f;

static u64 now;

static u64 clock_now(const struct timerq *q)
{
	(void)q;
	return now;
}

static void on_kick(void *ctx, unsigned index)
{
	assert_ptr_equal(ctx, &f);
	f.kicks[index]++;
}

static void on_nmi(void *ctx, unsigned index)
{
	(void)ctx;
	f.nmis[index]++;
}

static void on_init(void *ctx, unsigned index)
{
	(void)ctx;
	f.inits[index]++;
	lapic_reset(&f.l[index], LAPIC_INIT);
}

static void on_sipi(void *ctx, unsigned index, u8 vector)
{
	(void)ctx;
	f.sipis[index]++;
	f.sipi_vector = vector;
}

static void on_send(void *ctx, const struct apic_msg *m)
{
	(void)ctx;
	f.sent++;
	apic_send(f.l, CPUS, m);
}

static void on_eoi(void *ctx, u8 vector)
{
	(void)ctx;
	f.eois++;
	f.eoi_vector = vector;
}

static const struct lapic_host host = { on_kick, on_nmi, on_init, on_sipi, on_send, on_eoi };

static inline u32 rd(unsigned cpu, unsigned reg)
{
	return (u32)lapic_ops.read(&f.l[cpu], reg * 16u, 4);
}

static inline void wr(unsigned cpu, unsigned reg, u32 value)
{
	lapic_ops.write(&f.l[cpu], reg * 16u, 4, value);
}

static inline u64 rdmsr(unsigned cpu, u32 msr)
{
	u64 value = ~0ul;

	assert_true(lapic_rdmsr(&f.l[cpu], msr, &value));
	return value;
}

static inline u64 x2rd(unsigned cpu, unsigned reg)
{
	return rdmsr(cpu, MSR_X2APIC + reg);
}

static inline bool x2wr(unsigned cpu, unsigned reg, u64 value)
{
	return lapic_wrmsr(&f.l[cpu], MSR_X2APIC + reg, value);
}

static inline bool set_base(unsigned cpu, u64 bits)
{
	return lapic_wrmsr(&f.l[cpu], MSR_BASE, BASE | bits);
}

static inline void to_x2apic(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		assert_true(set_base(i, (i ? 0 : BASE_BSP) | BASE_EN | BASE_EXTD));
}

static inline void enable_all(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		wr(i, SVR, 0x1ff);
}

static inline bool fixed(unsigned cpu, u8 vector)
{
	return lapic_deliver(&f.l[cpu], APIC_FIXED, vector, false);
}

/* Takes what is pending and ends it. */
static inline int take(unsigned cpu)
{
	int vector = lapic_pending(&f.l[cpu]);

	if (vector < 0)
		return -1;
	assert_int_equal(lapic_ack(&f.l[cpu]), vector);
	wr(cpu, EOI, 0);
	return vector;
}

/* Bit of a vector in ISR, TMR or IRR. */
static inline bool has(unsigned cpu, unsigned map, unsigned vector)
{
	return rd(cpu, map + vector / 32) >> (vector % 32) & 1;
}

/* The errors since the last call. */
static inline u32 errors(unsigned cpu)
{
	wr(cpu, ESR, 0);
	return rd(cpu, ESR);
}

static inline void pass_time(u64 ticks)
{
	now += ticks;
	timerq_run(&f.tq);
}

static inline void setup_apics(void)
{
	memset(&f, 0, sizeof(f));
	now = 1000000;
	timerq_init(&f.tq, TSC_HZ, clock_now);
	for (unsigned i = 0; i < CPUS; i++)
		lapic_init(&f.l[i], i, i == 0, &f.tq, &host, &f);
}

#endif
