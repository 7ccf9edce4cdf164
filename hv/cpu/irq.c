/* SPDX-License-Identifier: BSD-2-Clause */
/* Vectors to handlers, idling, and NMIs. */
#include "hv/cpu/irq.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/idle.h"
#include "hv/cpu/irq_init.h"
#include "hv/cpu/lapic.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/smp.h"
#include "hv/ctl/log.h"
#include "hv/drv/ioapic.h"

static struct {
	irq_fn fn;
	void *ctx;
} handlers[256];
static struct acpi_isa_irq isa[ACPI_ISA_IRQS];
static struct ratelimit stray_limit = RATELIMIT(5);

static void nothing(void *ctx)
{
	(void)ctx; /* the interrupt's work is to end HLT or a guest's run */
}

/* The LAPIC timer is set for the deadline, if it is not already. */
static void timer_set(struct percpu *cpu, u64 deadline)
{
	if (deadline == cpu->timer_deadline)
		return;
	lapic_timer_set(deadline);
	cpu->timer_deadline = deadline;
}

static void next_changed(struct timerq *q)
{
	timer_set(container_of(q, struct percpu, timers), q->next);
}

/* It may come early, or for a deadline that has been moved since. One that is past needs no further
 * interrupt: this one has ended whatever ran. */
static void timer_fired(void *ctx)
{
	struct percpu *cpu = this_cpu();

	(void)ctx;
	cpu->timer_deadline = TIMER_NEVER;
	if (cpu->timers.changed && cpu->timers.next > rdtsc())
		next_changed(&cpu->timers);
}

void irq_at_deadlines(void)
{
	struct timerq *q = &this_cpu()->timers;

	q->changed = next_changed;
	next_changed(q);
}

void irq_init(const struct acpi_info *acpi)
{
	for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
		isa[i] = acpi->isa[i];
	irq_register(VECTOR_TIMER, timer_fired, NULL);
	irq_register(VECTOR_KICK, nothing, NULL);
	ioapic_setup(acpi);
}

void irq_register(u8 vector, irq_fn fn, void *ctx)
{
	handlers[vector].ctx = ctx;
	__atomic_store_n(&handlers[vector].fn, fn, __ATOMIC_RELEASE);
}

enum status irq_register_isa(unsigned irq, irq_fn fn, void *ctx)
{
	const struct acpi_isa_irq *line = &isa[irq];
	u8 vector = (u8)(VECTOR_GSI_FIRST + line->gsi);

	if (line->gsi > VECTOR_GSI_LAST - VECTOR_GSI_FIRST)
		return ERR_NOENT;
	irq_register(vector, fn, ctx);
	return ioapic_route(
		line->gsi, vector, cpu_by_index(0)->apic_id, line->level, line->active_low);
}

u8 irq_register_msi(irq_fn fn, void *ctx)
{
	static unsigned next = VECTOR_MSI_FIRST;

	if (next > VECTOR_MSI_LAST)
		return 0;
	irq_register((u8)next, fn, ctx);
	return (u8)next++;
}

void irq_handle(u8 vector)
{
	irq_fn fn = __atomic_load_n(&handlers[vector].fn, __ATOMIC_ACQUIRE);

	/* Neither the APIC's spurious vector nor a glitch of the masked 8259 has anything to end.
	 */
	if (vector == VECTOR_SPURIOUS ||
		(vector >= VECTOR_PIC_FIRST && vector < VECTOR_GSI_FIRST && !fn))
		return;
	if (fn)
		fn(handlers[vector].ctx);
	else
		log_guest(&stray_limit, LOG_WARN, "interrupt vector 0x%x has no handler", vector);
	lapic_eoi();
}

void irq_let_in(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

void cpu_idle(u64 deadline_tsc)
{
	struct percpu *cpu = this_cpu();
	u64 start = rdtsc();

	if (deadline_tsc <= start) {
		/* Let in what is pending, or a stream of due deadlines would keep it out. */
		irq_let_in();
		return;
	}
	timer_set(cpu, deadline_tsc);
	cpu->idle_since = start;
	/* STI holds interrupts off for one more instruction, so that none is lost before HLT. */
	__asm__ volatile("sti; hlt; cli" : : : "memory");
	cpu->idle_since = 0;
	cpu->idle_ticks += rdtsc() - start;
}

/* ---- NMI ---- */

#define PORT_NMI_STATUS 0x61
#define NMI_MEMORY	BIT(7)
#define NMI_CHANNEL	BIT(6)

static bool stopping;

void irq_stop_all(void)
{
	__atomic_store_n(&stopping, true, __ATOMIC_SEQ_CST);
}

void nmi_handle(void)
{
	u8 status;

	if (__atomic_load_n(&stopping, __ATOMIC_SEQ_CST))
		cpu_halt_forever();
	this_cpu()->nmis++;
	status = inb(PORT_NMI_STATUS);
	if ((status & (NMI_MEMORY | NMI_CHANNEL)) && status != 0xff)
		panic("NMI: the hardware reports a memory or bus error (port 0x61: %02x)", status);
}
