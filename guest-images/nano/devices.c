/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC, its timer and interrupts, waiting for one, and a register of a device in memory.
 */
#include "guest-images/nano/nano.h"

#define COUNT		    100u
#define VECTOR		    0x50
#define TIMER_BY_128	    0xau
#define CPUID1_ECX_DEADLINE BIT(24)

/* For the assembly below: set by the handler. */
volatile u32 nano_arrived;

extern const char nano_interrupt[];
__asm__("	.text\n"
	"	.balign 16\n"
	"nano_interrupt:\n"
	"	movl $1, nano_arrived(%rip)\n"
	"	push %rax\n"
	"	xor %eax, %eax\n"
	"	movabs %eax, 0xfee000b0\n" /* end of interrupt */
	"	pop %rax\n"
	"	iretq\n");

#define LAPIC	  "mov $0xfee00000, %%ebx\n"
#define SELF	  "mov $0x44050, %%ecx\n" /* fixed, to itself, VECTOR */
#define SEND_IT	  "mov %%ecx, 0x300(%%rbx)\n"
#define WAIT_FLAG "2: cmpl $0, nano_arrived(%%rip); je 2b\n"

/* Handler and end of interrupt included. */
LOOP(ipi_self, LAPIC SELF "sti", "", "movl $0, nano_arrived(%%rip)\n" SEND_IT WAIT_FLAG)
/* The same, but that the interrupt ends a HLT. */
LOOP(hlt_wake, LAPIC SELF, "", SEND_IT "sti; hlt; cli\n")
LOOP(lapic_read, LAPIC, "", "mov 0x20(%%rbx), %%eax") /* ID */
LOOP(mmio_read, "mov $0xfec00000, %%ebx", "", "mov 0x10(%%rbx), %%eax")
/* To a time that never comes. */
LOOP(timer_arm, LAPIC "mov $-1, %%eax", "", "mov %%eax, 0x380(%%rbx)")
LOOP(deadline_arm, "rdtsc; add $0x1000, %%edx; mov $0x6e0, %%ecx", "", "wrmsr")

static void take_interrupts(const struct operation *o)
{
	(void)o;
	apic_enable();
	gate_to(VECTOR, nano_interrupt);
}

static void stop_timer(void)
{
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
}

static void set_timer(const struct operation *o)
{
	take_interrupts(o);
	stop_timer();
	apic_write(APIC_TDCR, TIMER_BY_128);
	apic_write(APIC_LVT_TIMER, VECTOR);
}

static void set_deadline(const struct operation *o)
{
	take_interrupts(o);
	stop_timer();
	apic_write(APIC_LVT_TIMER, VECTOR | APIC_LVT_DEADLINE);
}

static const char *no_deadline(void)
{
	return cpuid(1, 0).ecx & CPUID1_ECX_DEADLINE
		       ? NULL
		       : "no TSC-deadline mode (CPUID leaf 1, ECX bit 24)";
}

#define ROW(name, cannot, prepare, loop)                                                           \
	{                                                                                          \
		name, 0, COUNT, cannot, prepare, loop##_run, loop##_empty                          \
	}

static const struct operation table[] = {
	ROW("mmio-read", NULL, NULL, mmio_read),
	ROW("lapic-read", NULL, NULL, lapic_read),
	ROW("ipi-self", NULL, take_interrupts, ipi_self),
	ROW("hlt-wake", NULL, take_interrupts, hlt_wake),
	ROW("timer-arm", NULL, set_timer, timer_arm),
	ROW("deadline-arm", no_deadline, set_deadline, deadline_arm),
};
const struct operations devices = { table, ARRAY_SIZE(table) };
