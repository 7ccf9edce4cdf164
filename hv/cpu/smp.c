/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting the other processors, one after the other, and giving them work.
 *
 *   boot CPU                                  other CPU
 *   stacks, percpu, trampoline fields
 *   INIT, wait, SIPI (twice if need be) --->  real mode -> 64-bit -> ap_main()
 *   wait for online                     <---  online = true, idle in HLT
 */
#include "hv/cpu/smp.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/idle.h"
#include "hv/cpu/irq_init.h"
#include "hv/cpu/irq.h"
#include "hv/cpu/lapic.h"
#include "hv/cpu/traps.h"
#include "hv/cpu/tsc.h"
#include "hv/ctl/ledger.h"
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/hostmap.h"
#include "hv/mem/page.h"

#define STACK_PAGES    4
#define INIT_WAIT_US   10000
#define SIPI_WAIT_US   1000
#define ONLINE_WAIT_US 200000
#define LOW_MEMORY_END 0xa0000ul
#define PAT_WANTED     PAT_ALL_TYPES /* shadow paging chooses among them */

/* As trampoline.S ends. */
struct __packed trampoline_fields {
	u16 gdt_limit;
	u32 gdt;
	u32 far_offset;
	u16 far_selector;
	u32 cr3;
	u64 stack, cpu, entry;
};

extern const u8 ap_trampoline[], ap_trampoline_fields[], ap_trampoline_end[];
extern u8 __boot_stack_low[], __boot_stack_top[];

static struct percpu boot_cpu = { .stack_low = __boot_stack_low, .stack_top = __boot_stack_top };
static struct percpu *cpus[CPUS_MAX] = { &boot_cpu };
static unsigned online = 1;

struct percpu *cpu_by_index(unsigned index)
{
	return cpus[index];
}

unsigned cpu_count(void)
{
	return online;
}

/* CR0, CR4 and the PAT as the hypervisor wants them, protections included where the CPU has them.
 */
static void control_registers(void)
{
	static const struct {
		u32 leaf;
		bool ecx; /* else EBX, or EDX of leaf 1 */
		u8 bit;
		u64 cr4;
	} optional[] = {
		{ 1, true, 26, CR4_OSXSAVE }, /* CPUID.1:ECX.XSAVE */
		{ 7, false, 7, CR4_SMEP },    /* CPUID.7:EBX.SMEP */
		{ 7, false, 20, CR4_SMAP },   /* CPUID.7:EBX.SMAP */
		{ 7, true, 2, CR4_UMIP },     /* CPUID.7:ECX.UMIP */
	};
	u64 cr4 = CR4_PAE | CR4_PGE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
		struct cpuid_regs r = cpuid_checked(optional[i].leaf, 0);

		if ((optional[i].ecx ? r.ecx : r.ebx) >> optional[i].bit & 1)
			cr4 |= optional[i].cr4;
	}
	write_cr4(cr4);
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	wrmsr(MSR_PAT, PAT_WANTED);
	hostmap_flush();
}

static enum status interrupt_stacks(struct percpu *cpu)
{
	for (unsigned i = 0; i < IST_COUNT; i++) {
		u8 *top = stack_alloc(1);

		if (!top)
			return ERR_NOMEM;
		cpu->tss.ist[i] = (u64)top;
	}
	return OK;
}

void smp_early_boot_cpu(void)
{
	boot_cpu.timer_deadline = TIMER_NEVER;
	gdt_load(&boot_cpu);
	ledger_start(&boot_cpu, rdtsc());
}

void smp_init_boot_cpu(void)
{
	control_registers();
	if (interrupt_stacks(&boot_cpu) != OK)
		panic("no memory for interrupt stacks");
	traps_use_ist();
	boot_cpu.online = true;
}

/* ---- the other processors ---- */

static __noreturn void ap_main(struct percpu *cpu)
{
	gdt_load(cpu);
	idt_load();
	control_registers();
	lapic_init_cpu();
	ledger_start(cpu, rdtsc());
	__atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
	for (;;) {
		void (*fn)(void *) = __atomic_load_n(&cpu->call, __ATOMIC_ACQUIRE);

		if (!fn) {
			cpu_idle(TIMER_NEVER);
			continue;
		}
		fn(cpu->call_arg);
		__atomic_store_n(&cpu->call, NULL, __ATOMIC_RELEASE);
	}
}

static struct percpu *cpu_create(u32 apic_id)
{
	struct percpu *cpu = page_alloc(PAGE_ORDER_4K, PAGE_HV);

	static_assert(sizeof(*cpu) <= PAGE_SIZE, "a CPU's data fits a page");
	if (!cpu)
		return NULL;
	cpu->apic_id = apic_id;
	cpu->index = online;
	cpu->timer_deadline = TIMER_NEVER;
	cpu->stack_top = stack_alloc(STACK_PAGES);
	if (!cpu->stack_top || interrupt_stacks(cpu) != OK)
		return NULL;
	cpu->stack_low = cpu->stack_top - STACK_PAGES * PAGE_SIZE;
	return cpu;
}

static void trampoline_fill(hpa_t page, const struct percpu *cpu)
{
	u8 *code = hpa_to_hva(page);
	struct trampoline_fields *f =
		(void *)(code + ((u64)ap_trampoline_fields - (u64)ap_trampoline));

	memcpy(code, ap_trampoline, (u64)ap_trampoline_end - (u64)ap_trampoline);
	f->gdt += (u32)page.v;
	f->far_offset += (u32)page.v;
	f->cr3 = (u32)hostmap_root().v;
	f->stack = (u64)cpu->stack_top;
	f->cpu = (u64)cpu;
	f->entry = (u64)ap_main;
}

static bool wait_online(const struct percpu *cpu, u64 us)
{
	u64 end = uptime_us() + us;

	while (!__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE)) {
		if (uptime_us() > end)
			return false;
		cpu_relax();
	}
	return true;
}

/* "MP Initialization Protocol Algorithm" */
static bool cpu_start(const struct percpu *cpu, hpa_t page)
{
	lapic_ipi(cpu->apic_id, ICR_INIT);
	delay_us(INIT_WAIT_US);
	lapic_ipi(cpu->apic_id, ICR_SIPI((u32)(page.v >> PAGE_SHIFT)));
	if (wait_online(cpu, SIPI_WAIT_US))
		return true;
	lapic_ipi(cpu->apic_id, ICR_SIPI((u32)(page.v >> PAGE_SHIFT)));
	return wait_online(cpu, ONLINE_WAIT_US);
}

static void start_others(const struct acpi_info *acpi, unsigned max, hpa_t page)
{
	for (unsigned i = 0; i < acpi->cpus && online < max; i++) {
		struct percpu *cpu;

		if (acpi->cpu_apic_id[i] == boot_cpu.apic_id)
			continue;
		cpu = cpu_create(acpi->cpu_apic_id[i]);
		if (!cpu) {
			log_warn("no memory for more than %u processors", online);
			return;
		}
		trampoline_fill(page, cpu);
		if (!cpu_start(cpu, page)) {
			/* What was allocated for it stays: it may yet wake up. */
			log_warn("processor with APIC ID %u does not start", cpu->apic_id);
			continue;
		}
		cpus[online] = cpu;
		__atomic_store_n(&online, online + 1, __ATOMIC_RELEASE);
	}
}

static void flush(void *arg)
{
	(void)arg;
	hostmap_flush();
}

void smp_start_all(const struct acpi_info *acpi, unsigned max, const struct memmap *ram)
{
	hpa_t page = HPA(memmap_find(ram, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, LOW_MEMORY_END));

	boot_cpu.apic_id = lapic_id();
	max = MIN(max, (unsigned)CPUS_MAX);
	if (max < 2 || acpi->cpus < 2)
		return;
	if (!page.v || hostmap_low_code(page) != OK) {
		log_warn("no page below 640 KB to start other processors from");
		return;
	}
	start_others(acpi, max, page);
	hostmap_low_code_end(page);
	smp_call_all(flush, NULL);
	memset(hpa_to_hva(page), 0, PAGE_SIZE);
}

/* ---- work for them ---- */

bool smp_run_on(unsigned index, void (*fn)(void *), void *arg)
{
	struct percpu *cpu = cpus[index];

	if (smp_busy(index))
		return false;
	cpu->call_arg = arg;
	__atomic_store_n(&cpu->call, fn, __ATOMIC_RELEASE);
	smp_kick(index);
	return true;
}

bool smp_busy(unsigned index)
{
	return __atomic_load_n(&cpus[index]->call, __ATOMIC_ACQUIRE) != NULL;
}

void smp_call_all(void (*fn)(void *), void *arg)
{
	for (unsigned i = 0; i < online; i++) {
		if (i == this_cpu()->index)
			continue;
		while (!smp_run_on(i, fn, arg))
			cpu_relax();
	}
	fn(arg);
	for (unsigned i = 0; i < online; i++)
		while (i != this_cpu()->index && smp_busy(i))
			cpu_relax();
}

void smp_kick(unsigned index)
{
	lapic_ipi(cpus[index]->apic_id, ICR_FIXED(VECTOR_KICK));
}

void smp_stop_others(void)
{
	if (online < 2)
		return;
	irq_stop_all();
	lapic_ipi_others(ICR_NMI);
}
