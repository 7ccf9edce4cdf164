/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical local APIC: Intel SDM, "Advanced Programmable Interrupt Controller (APIC)". One set
 * of register numbers serves both modes: xAPIC has register n at byte offset n * 16 of its page,
 * x2APIC at MSR 0x800 + n.
 */
#include "hv/cpu/lapic.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/irq.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/tsc.h"
#include "hv/ctl/log.h"
#include "hv/mem/hostmap.h"

#define REG_ID		  0x02
#define REG_TPR		  0x08
#define REG_EOI		  0x0b
#define REG_SVR		  0x0f
#define REG_ICR		  0x30
#define REG_ICR_HIGH	  0x31 /* xAPIC only */
#define REG_LVT_TIMER	  0x32
#define REG_LVT_PERF	  0x34
#define REG_LVT_LINT0	  0x35
#define REG_LVT_LINT1	  0x36
#define REG_LVT_ERROR	  0x37
#define REG_TIMER_INITIAL 0x38
#define REG_TIMER_CURRENT 0x39
#define REG_TIMER_DIVIDE  0x3e

#define SVR_ENABLE     0x100u
#define LVT_MASKED     0x10000u
#define LVT_NMI	       0x400u
#define LVT_DEADLINE   0x40000u
#define ICR_BUSY       0x1000u
#define ICR_ALL_BUT_ME 0xc0000u
#define DIVIDE_BY_1    0xbu
#define XAPIC_DEST     24
#define XAPIC_LENGTH   0x1000
#define COUNT_MAX      0xffffffffu
#define ICR_POLL_LIMIT 1000000

#define CPUID_1_ECX_X2APIC   BIT(21)
#define CPUID_1_ECX_DEADLINE BIT(24)

static volatile u32 *page; /* NULL in x2APIC mode */
static bool deadline_mode;
static u64 timer_hz; /* of the one-shot mode */

static u32 reg_read(u32 reg)
{
	return page ? page[reg * 4] : (u32)rdmsr(MSR_X2APIC_BASE + reg);
}

static void reg_write(u32 reg, u32 value)
{
	if (page)
		page[reg * 4] = value;
	else
		wrmsr(MSR_X2APIC_BASE + reg, value);
}

void apic_init(const struct acpi_info *acpi)
{
	u32 features = cpuid(1, 0).ecx;

	deadline_mode = features & CPUID_1_ECX_DEADLINE;
	if (!(features & CPUID_1_ECX_X2APIC))
		page = mmio_map(acpi->lapic, XAPIC_LENGTH);
}

static void timer_mode_set(void)
{
	reg_write(REG_LVT_TIMER, deadline_mode ? LVT_DEADLINE | VECTOR_TIMER : VECTOR_TIMER);
}

void lapic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE) | APIC_BASE_EN;

	/* The two bits are set one after the other: disabled to x2APIC is no legal transition. */
	wrmsr(MSR_APIC_BASE, base);
	if (!page)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_EXTD);
	reg_write(REG_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
	reg_write(REG_TPR, 0);
	reg_write(REG_LVT_LINT0, LVT_MASKED);
	reg_write(REG_LVT_LINT1, LVT_NMI);
	reg_write(REG_LVT_ERROR, LVT_MASKED);
	reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
	timer_mode_set();
}

u32 lapic_id(void)
{
	return page ? reg_read(REG_ID) >> XAPIC_DEST : reg_read(REG_ID);
}

void lapic_eoi(void)
{
	reg_write(REG_EOI, 0);
}

static void icr_write(u32 apic_id, u32 icr)
{
	if (!page) {
		wrmsr(MSR_X2APIC_BASE + REG_ICR, (u64)apic_id << 32 | icr);
		return;
	}
	reg_write(REG_ICR_HIGH, apic_id << XAPIC_DEST);
	reg_write(REG_ICR, icr);
	for (unsigned i = 0; i < ICR_POLL_LIMIT && (reg_read(REG_ICR) & ICR_BUSY); i++)
		cpu_relax();
}

void lapic_ipi(u32 apic_id, u32 icr)
{
	/* What was written for the other CPU to read must be visible before it is called. */
	__asm__ volatile("mfence" : : : "memory");
	icr_write(apic_id, icr);
}

void lapic_ipi_others(u32 icr)
{
	lapic_ipi(0, icr | ICR_ALL_BUT_ME);
}

bool lapic_has_deadline(void)
{
	return deadline_mode;
}

u32 lapic_timer_start_count(void)
{
	reg_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	reg_write(REG_TIMER_INITIAL, COUNT_MAX);
	return COUNT_MAX;
}

u32 lapic_timer_count(void)
{
	return reg_read(REG_TIMER_CURRENT);
}

void lapic_timer_calibrate(u64 us, u64 ticks)
{
	timer_hz = muldiv64(ticks, 1000000, us);
	reg_write(REG_TIMER_INITIAL, 0);
	timer_mode_set();
}

void lapic_timer_set(u64 deadline)
{
	u64 now = rdtsc(), ticks;

	if (deadline_mode) {
		wrmsr(MSR_TSC_DEADLINE, deadline == TIMER_NEVER ? 0 : MAX(deadline, 1ul));
		return;
	}
	if (deadline == TIMER_NEVER) {
		reg_write(REG_TIMER_INITIAL, 0);
		return;
	}
	/* Rounded up: one that comes early has to be set again. */
	ticks = deadline > now ? muldiv64(deadline - now, timer_hz, tsc_hz()) : 0;
	reg_write(REG_TIMER_INITIAL, (u32)MIN(ticks + 1, (u64)COUNT_MAX));
}
