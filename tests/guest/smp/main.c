/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several processors: started by INIT and start-up IPIs, or by the mailbox, they send each other
 * interrupts in all ways that there are, count under a lock, compare clocks, take pages away from
 * each other, and are stopped and started again. (vcpus: 4)
 */
#include "tests/guest/lib/smp.h"

#define VECTOR	     0x41u
#define LOGICAL	     0x800u
#define LOWEST	     0x100u
#define NMI	     0x400u
#define TO_SELF	     0x40000u
#define TO_ALL	     0x80000u
#define TO_OTHERS    0xc0000u
#define XAPIC_ALL    0xffu
#define X2APIC_ALL   0xffffffffu
#define X2APIC_TPR   0x808u
#define X2APIC_EOI   0x80bu
#define X2APIC_SVR   0x80fu
#define SVR_ON	     0x1ffu
#define COUNTS	     2000u
#define CLOCK_READS  2000u
#define SHOT_DOWN_AT 0x10000000000ul
#define SHOOTINGS    50u
#define PTE_FLAGS    3ul
#define DROP_PORT    0xe4
#define DROPS	     300u
#define MAGIC	     0x1122334455667788ul
#define MS	     (tsc_per_second() / 1000)
#define PATIENCE_MS  2000u

static unsigned cpus;
static volatile unsigned got[SMP_MAX], nmis[SMP_MAX];
static bool wide; /* x2APIC mode */

static void eoi(void)
{
	if (wide)
		wrmsr(X2APIC_EOI, 0);
	else
		apic_eoi();
}

static void on_ipi(struct frame *f)
{
	(void)f;
	got[smp_self()]++;
	eoi();
}

static void on_nmi(struct frame *f)
{
	(void)f;
	nmis[smp_self()]++;
}

/* ---- who is addressed ---- */

static unsigned all(void)
{
	return (1u << cpus) - 1;
}

/* The processors that have counted something, as a bitmap; *sum: how much. */
static unsigned who(volatile unsigned *count, unsigned *sum)
{
	unsigned map = 0;

	*sum = 0;
	for (unsigned i = 0; i < cpus; i++) {
		map |= (unsigned)(count[i] != 0) << i;
		*sum += count[i];
	}
	return map;
}

static unsigned bits(unsigned map)
{
	unsigned n = 0;

	for (; map; map &= map - 1)
		n++;
	return n;
}

/* Sends it, and has it arrive at `want` and nowhere else, once each. */
static void send(const char *what, u32 dest, u32 low, unsigned want, volatile unsigned *count)
{
	u64 end = rdtsc() + PATIENCE_MS * MS, quiet;
	unsigned sum;

	for (unsigned i = 0; i < cpus; i++)
		count[i] = 0;
	smp_ipi(dest, low);
	sti();
	while (who(count, &sum) != want && rdtsc() < end)
		__builtin_ia32_pause();
	for (quiet = rdtsc() + MS; rdtsc() < quiet;)
		__builtin_ia32_pause();
	irq_disable();
	check_eq(who(count, &sum), want, "%s, %s", what, wide ? "x2APIC" : "xAPIC");
	check_eq(sum, bits(want), "%s: more than once", what);
}

/* One of those addressed, whichever. */
static void send_lowest(u32 dest)
{
	unsigned sum = 0;
	u64 end = rdtsc() + PATIENCE_MS * MS;

	for (unsigned i = 0; i < cpus; i++)
		got[i] = 0;
	smp_ipi(dest, LOGICAL | LOWEST | VECTOR);
	sti();
	while (!who(got, &sum) && rdtsc() < end)
		__builtin_ia32_pause();
	irq_disable();
	check_eq(sum, 1, "lowest priority: one of them");
}

static void messages(void)
{
	unsigned others = all() & ~1u;
	u32 everybody = wide ? X2APIC_ALL : XAPIC_ALL;

	for (unsigned i = 0; i < cpus; i++)
		send("physical", i, VECTOR, 1u << i, got);
	for (unsigned i = 1; i < cpus; i++)
		send("NMI", i, NMI, 1u << i, nmis);
	send("physical, nobody", cpus, VECTOR, 0, got);
	send("physical, all", everybody, VECTOR, all(), got);
	send("self", 0, TO_SELF | VECTOR, 1, got);
	send("all", 0, TO_ALL | VECTOR, all(), got);
	send("all others", 0, TO_OTHERS | VECTOR, others, got);
	send("NMI to all others", 0, TO_OTHERS | NMI, others, nmis);
	for (unsigned map = 1; map <= all(); map++)
		send("logical", map, LOGICAL | VECTOR, map, got);
	send_lowest(others);
	send_lowest(all());
}

static void accept_xapic(unsigned id)
{
	apic_enable();
	apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_LDR, 1u << id << 24);
}

static void accept_x2apic(unsigned id)
{
	(void)id;
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EXTD);
	wrmsr(X2APIC_SVR, SVR_ON);
	wrmsr(X2APIC_TPR, 0);
}

/* ---- memory that all see ---- */

static struct lock counting;
static unsigned counter;
static u64 last_tsc, backwards;

static void count(unsigned id)
{
	(void)id;
	for (unsigned i = 0; i < COUNTS; i++) {
		lock(&counting);
		counter = counter + 1;
		unlock(&counting);
	}
}

/* What one has read before another reads is not greater. */
static void compare_clocks(unsigned id)
{
	(void)id;
	for (unsigned i = 0; i < CLOCK_READS; i++) {
		u64 now;

		lock(&counting);
		now = rdtsc();
		if (now < last_tsc)
			backwards++;
		last_tsc = now;
		unlock(&counting);
	}
}

static void start_clocks_at_zero(unsigned id)
{
	check_eq(rdmsr(MSR_TSC_ADJUST), 0, "TSC of processor %u", id);
}

/* ---- pages taken away ---- */

static volatile u64 *const window = (volatile u64 *)SHOT_DOWN_AT;
static u64 now_there;

static void look(unsigned id)
{
	check_eq(*window, now_there, "what processor %u finds at its page", id);
}

static void flush_and_look(unsigned id)
{
	invlpg(SHOT_DOWN_AT);
	look(id);
}

/* Each finds what is there now, once it was told to forget what was there before. */
static void shoot_down(void)
{
	u64 *page[2] = { new_page(), new_page() };
	u64 *pte = map_page(SHOT_DOWN_AT, (u64)page[0], PTE_FLAGS);

	now_there = page[0][0] = 1000;
	check(smp_all(look, PATIENCE_MS), "the first look");
	for (unsigned i = 1; i <= SHOOTINGS; i++) {
		now_there = page[i % 2][0] = 1000 + i;
		*pte = (u64)page[i % 2] | PTE_FLAGS;
		check(smp_all(flush_and_look, PATIENCE_MS), "look %u", i);
	}
}

/* ---- memory taken away below the guest's own paging ---- */

static volatile u64 *dropped;

/* The first takes the page from all, again and again; the others use it, each a word of it. */
static void drop_or_use(unsigned id)
{
	for (unsigned i = 0; i < DROPS; i++) {
		if (!id) {
			outl(DROP_PORT, (u32)(u64)dropped);
			continue;
		}
		__atomic_fetch_add(&dropped[id], 1, __ATOMIC_SEQ_CST);
		check_eq(dropped[0], MAGIC, "processor %u, use %u", id, i);
	}
}

static void drop_under_use(void)
{
	dropped = new_page();
	dropped[0] = MAGIC;
	check(smp_all(drop_or_use, PATIENCE_MS), "all use it");
	for (unsigned i = 1; i < cpus; i++)
		check_eq(dropped[i], DROPS, "what processor %u has counted", i);
}

/* ---- stopped and started again ---- */

static volatile unsigned beats;

static void beat(unsigned id)
{
	(void)id;
	for (;; smp_wait())
		beats++;
}

static bool moves(void)
{
	unsigned was = beats;
	u64 end = rdtsc() + 50 * MS;

	while (beats == was && rdtsc() < end)
		smp_wait();
	return beats != was;
}

/* Soon, if not at once. */
static bool stops(void)
{
	for (unsigned i = 0; i < 10; i++) {
		u64 end = rdtsc() + MS;

		if (!moves())
			return true;
		while (rdtsc() < end)
			smp_wait();
	}
	return false;
}

/* A processor that runs heeds INIT, and no start-up IPI. */
static void stop_and_start(void)
{
	unsigned last = cpus - 1;

	for (unsigned i = 0; i < 3; i++) {
		check(smp_start(last, beat), "start %u", i);
		check(moves(), "it runs");
		smp_sipi(last);
		check(moves(), "and goes on where it was");
		smp_init_ipi(last);
		check(stops(), "INIT stops it");
	}
}

/* ---- nobody is left to run but one that has been woken ---- */

static void wake_and_halt(unsigned id)
{
	u64 end = rdtsc() + 5 * MS;

	(void)id;
	while (rdtsc() < end)
		__builtin_ia32_pause();
	smp_ipi(0, NMI);
	for (;;)
		__asm__ volatile("hlt");
}

/* All others are parked, or in HLT with interrupts off; the first is, too, but an NMI is under way
 * to it. */
static void woken_at_last(void)
{
	for (unsigned i = 1; i < cpus; i++)
		smp_init_ipi(i);
	nmis[0] = 0;
	check(smp_start(1, wake_and_halt), "one that wakes the first");
	__asm__ volatile("hlt" ::: "memory");
	check_eq(nmis[0], 1, "the NMI");
}

static void serve(unsigned id)
{
	accept_xapic(id);
	smp_serve(id, id % 2);
}

void test_main(void)
{
	cpus = smp_count();
	check(cpus > 1 && cpus <= SMP_MAX, "%u processors", cpus);
	on_vector(VECTOR, on_ipi);
	on_vector(VEC_NMI, on_nmi);
	accept_xapic(0);
	for (unsigned i = 1; i < cpus; i++)
		check(smp_start(i, serve), "processor %u", i);
	check(smp_all(start_clocks_at_zero, PATIENCE_MS), "all serve");
	messages();
	check(smp_all(count, PATIENCE_MS), "all count");
	check_eq(counter, COUNTS * cpus, "under a lock");
	check(smp_all(compare_clocks, PATIENCE_MS), "all look at the clock");
	check_eq(backwards, 0, "the clock went backwards");
	shoot_down();
	drop_under_use();
	check(smp_all(accept_x2apic, PATIENCE_MS), "x2APIC mode");
	wide = true;
	messages();
	stop_and_start();
	woken_at_last();
	say("%u processors", cpus);
	pass();
}
