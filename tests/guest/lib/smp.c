/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting processors, and work for all of them. */
#include "tests/guest/lib/smp.h"

#define TRAMPOLINE    0x8000ul
#define STACK_PAGES   4u
#define ICR_INIT      0x4500u
#define ICR_SIPI      0x4600u
#define X2APIC_ICR    0x830u
#define LEAF_CORES    0xbu
#define WORK_VECTOR   0xdfu /* wakes those that idle in HLT */
#define ICR_TO_OTHERS 0xc0000u

/* As tests/guest/lib/start_ap.S lays them out. */
struct ap_fields {
	u64 cr3, cr4, efer, stack, entry;
};
extern u8 ap_begin[], ap_end[];
extern const u32 ap_fields_at, ap_begin_64_at;

static u64 stack_top[SMP_MAX];
static void (*first_work[SMP_MAX])(unsigned id);
static volatile unsigned begun[SMP_MAX];

static struct {
	void (*volatile fn)(unsigned id);
	volatile unsigned round;
	unsigned done;
	unsigned servants;
} work;

/* ---- where the mailbox is, if there is one ---- */

/* ACPI: Root System Description Pointer, Extended System Description Table, MADT. */
#define RSDP_XSDT      24
#define TABLE_LENGTH   4
#define XSDT_ENTRIES   36
#define MADT_ENTRIES   44
#define MADT_WAKEUP    16
#define WAKEUP_ADDRESS 8

struct mailbox {
	volatile u16 command, reserved;
	volatile u32 apic_id;
	volatile u64 vector;
};

static u64 read64(u64 at)
{
	u64 value;

	memcpy(&value, (const void *)at, sizeof(value));
	return value;
}

static u32 table_length(u64 table)
{
	return (u32)read64(table + TABLE_LENGTH);
}

static struct mailbox *mailbox_of(u64 madt)
{
	const u8 *e = (const u8 *)madt + MADT_ENTRIES, *end = (const u8 *)madt + table_length(madt);

	for (; e < end; e += e[1])
		if (e[0] == MADT_WAKEUP)
			return (void *)read64((u64)e + WAKEUP_ADDRESS);
	return NULL;
}

static struct mailbox *mailbox(void)
{
	u64 xsdt = read64(guest_rsdp + RSDP_XSDT);

	for (u64 e = xsdt + XSDT_ENTRIES; e < xsdt + table_length(xsdt); e += sizeof(u64))
		if (!strncmp((const char *)read64(e), "APIC", 4))
			return mailbox_of(read64(e));
	return NULL;
}

/* ---- processors ---- */

unsigned smp_count(void)
{
	return cpuid(LEAF_CORES, 1).ebx & 0xffff;
}

unsigned smp_self(void)
{
	return cpuid(1, 0).ebx >> 24;
}

static bool x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_EXTD;
}

void smp_ipi(u32 dest, u32 low)
{
	if (x2apic()) {
		wrmsr(X2APIC_ICR, (u64)dest << 32 | low);
		return;
	}
	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, low);
}

void smp_init_ipi(unsigned id)
{
	smp_ipi(id, ICR_INIT);
}

void smp_sipi(unsigned id)
{
	smp_ipi(id, ICR_SIPI | (u32)(TRAMPOLINE >> 12));
}

/* start_ap.S comes here, on the stack that it was given. */
static void ap_main(void)
{
	unsigned id = smp_self();

	guest_tables();
	begun[id] = 1;
	first_work[id](id);
	fail("processor %u has nothing more to do", id);
}

/* Its top. new_page() goes upwards. */
static u64 new_stack(void)
{
	u64 page = 0;

	for (unsigned i = 0; i < STACK_PAGES; i++)
		page = (u64)new_page();
	return page + PAGE_BYTES;
}

bool smp_start(unsigned id, void (*fn)(unsigned id))
{
	struct ap_fields *f = (void *)(TRAMPOLINE + ap_fields_at);
	u64 end = rdtsc() + tsc_per_second();
	struct mailbox *box = mailbox();

	if (!stack_top[id])
		stack_top[id] = new_stack();
	memcpy((void *)TRAMPOLINE, ap_begin, (size_t)(ap_end - ap_begin));
	*f = (struct ap_fields){ read_cr3(), read_cr4(), rdmsr(MSR_EFER), stack_top[id],
		(u64)ap_main };
	first_work[id] = fn;
	begun[id] = 0;
	smp_init_ipi(id);
	if (box) {
		box->apic_id = id;
		box->vector = TRAMPOLINE + ap_begin_64_at;
		box->command = 1;
	} else {
		smp_sipi(id);
	}
	while (!begun[id] && rdtsc() < end)
		smp_wait();
	return begun[id];
}

static void on_work(struct frame *f)
{
	(void)f;
	if (x2apic())
		wrmsr(0x80b, 0);
	else
		apic_eoi();
}

void smp_serve(unsigned id, bool halts)
{
	unsigned seen = work.round;

	on_vector(WORK_VECTOR, on_work);
	__atomic_fetch_add(&work.servants, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		/* Interrupts are off between the look and the HLT. */
		while (work.round == seen)
			if (halts)
				sti_hlt_cli();
			else
				smp_wait();
		seen = work.round;
		work.fn(id);
		__atomic_fetch_add(&work.done, 1, __ATOMIC_SEQ_CST);
	}
}

bool smp_all(void (*fn)(unsigned id), unsigned ms)
{
	u64 end = rdtsc() + tsc_per_second() / 1000 * ms;

	for (; __atomic_load_n(&work.servants, __ATOMIC_SEQ_CST) != smp_count() - 1; smp_wait())
		if (rdtsc() > end)
			return false;
	work.fn = fn;
	__atomic_store_n(&work.done, 0, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&work.round, 1, __ATOMIC_SEQ_CST);
	smp_ipi(0, ICR_TO_OTHERS | WORK_VECTOR);
	fn(smp_self());
	for (; __atomic_load_n(&work.done, __ATOMIC_SEQ_CST) != smp_count() - 1; smp_wait())
		if (rdtsc() > end)
			return false;
	return true;
}
