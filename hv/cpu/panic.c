/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the hypervisor by its own fault: one CPU speaks, the others stop. */
#include "hv/cpu/panic.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/smp.h"
#include "hv/cpu/traps.h"
#include "hv/ctl/log.h"
#include "hv/drv/power.h"
#include "hv/drv/uart.h"

static u32 depth; /* panics begun */
static char reason[256];

static void begin(const char *fmt, va_list ap)
{
	u32 before = __atomic_fetch_add(&depth, 1, __ATOMIC_SEQ_CST);

	irq_disable();
	if (before > 1)
		cpu_halt_forever();
	/* A fault while reporting one: what is printed so far must do. */
	if (before == 1)
		machine_off(1, reason);
	smp_stop_others();
	uart_emergency();
	vsnprintf(reason, sizeof(reason), fmt, ap);
	log_err("panic on cpu %u: %s", this_cpu()->index, reason);
}

void panic_begin(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	begin(fmt, ap);
	va_end(ap);
}

void panic_end(void)
{
	machine_off(1, reason);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	begin(fmt, ap);
	va_end(ap);
	backtrace((u64)__builtin_frame_address(0));
	machine_off(1, reason);
}

/* ---- the compiler's stack protector (gcc manual, "-fstack-protector") ---- */

extern u64 __stack_chk_guard;
u64 __stack_chk_guard = 0x595e9fbd94fda766ul; /* replaced by stack_protector_init() */
void __stack_chk_fail(void);

#define CPUID_1_ECX_RDRAND BIT(30)
#define GOLDEN_RATIO	   0x9e3779b97f4a7c15ul
#define RDRAND_TRIES	   10

/* The lowest byte stays zero: a string that runs over cannot write it and go on. */
__attribute__((no_stack_protector)) void stack_protector_init(void)
{
	u64 secret = rdtsc() * GOLDEN_RATIO, random = 0;

	if (cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND)
		for (unsigned i = 0; i < RDRAND_TRIES && !random; i++)
			__asm__ volatile("rdrand %0" : "+r"(random) : : "cc");
	__stack_chk_guard = (secret ^ random) & ~0xfful;
}

__noreturn void __stack_chk_fail(void)
{
	panic("stack smashed");
}
