/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A load for the scheduler: keeps its processor busy for a while, in the way that the command line
 * names, and passes.
 *
 *   for=MS   how long (20 if it is not given)
 *   spin     counts, without an exit (the default); so do more processors, if it has them
 *   flood    writes to its console without end
 *   map      maps pages, touches them and takes them away; wants more than 4 MB
 *   storm    sends itself interrupts; with more processors, the others, which are in HLT
 *   sleep    halts for "rest=MS" (1 if it is not given), works for a tenth of a millisecond
 *   reset    resets itself at once, until the time is over; wants "reboot = true"
 *   echo     as sleep; and says what was typed, each byte in a line of its own
 *   garbage  executes bytes that mean nothing; that ends the VM in some way or other
 */
#include "tests/guest/lib/smp.h"

#define VECTOR	   0x40
#define TO_ITSELF  0x40000u /* "Interrupt Command Register": destination shorthand */
#define TO_OTHERS  0xc0000u
#define MAP_AT	   0x10000000000ul
#define MAP_PAGES  64u
#define PTE_FLAGS  3ul
#define SEED	   0x9e3779b97f4a7c15ul
#define BATCH	   1000u
#define GARBAGE_AT 0x200000ul
#define KEPT_AT	   0x300000ul /* beyond the image: it stays as it is at a reset */

static u64 end;
static volatile u64 count;

static bool done(void)
{
	return rdtsc() >= end;
}

static void start_others(void (*fn)(unsigned id))
{
	for (unsigned id = 1; id < smp_count(); id++)
		check(smp_start(id, fn), "processor %u does not start", id);
}

static void count_on(unsigned id)
{
	(void)id;
	for (;; smp_wait())
		for (unsigned i = 0; i < BATCH; i++)
			count++;
}

static void spin(void)
{
	if (!count++)
		start_others(count_on);
	for (unsigned i = 0; i < BATCH; i++)
		count++;
	smp_wait(); /* for what other processors have for this one */
}

static void flood(void)
{
	say("flood %lu: 0123456789abcdefghijklmnopqrstuvwxyz", count++);
}

static void map(void)
{
	static u64 *pte[MAP_PAGES];
	static u64 page[PAGE_BYTES / sizeof(u64)] __aligned(PAGE_BYTES);

	for (unsigned i = 0; i < MAP_PAGES; i++) {
		u64 va = MAP_AT + i * PAGE_BYTES;

		if (!pte[i])
			pte[i] = map_page(va, (u64)page, PTE_FLAGS);
		*pte[i] = (u64)page | PTE_FLAGS;
		invlpg(va);
		*(volatile u64 *)va = count++;
		*pte[i] = 0;
		invlpg(va);
	}
}

static void on_interrupt(struct frame *f)
{
	(void)f;
	count++;
	apic_eoi();
}

static void listen(unsigned id)
{
	(void)id;
	apic_enable();
	for (;;)
		sti_hlt_cli();
}

static void storm(void)
{
	if (!count++)
		start_others(listen);
	apic_write(APIC_ICR, (smp_count() > 1 ? TO_OTHERS : TO_ITSELF) | VECTOR);
	sti_nop_cli();
}

static void snooze(void)
{
	u64 ms = tsc_per_second() / 1000, rest = cmdline_number("rest", 1), from;

	apic_write(APIC_LVT_TIMER, VECTOR | APIC_LVT_DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + rest * ms);
	sti_hlt_cli();
	from = rdtsc();
	while (rdtsc() < from + ms / 10)
		count++;
}

static void reset(void)
{
	struct {
		u64 seed, end, count;
	} *kept = (void *)KEPT_AT;

	if (kept->seed != SEED) {
		kept->seed = SEED;
		kept->end = end;
	}
	end = kept->end;
	count = kept->count++;
	if (!done())
		outb(0xcf9, 0x06);
}

static void echo(void)
{
	int byte;

	snooze();
	while ((byte = typed()) >= 0)
		say("typed: %c", byte);
}

static void garbage(void)
{
	static const struct descriptor_ptr none;
	u64 *at = (u64 *)GARBAGE_AT, x = SEED + count++;

	for (unsigned i = 0; i < PAGE_BYTES / sizeof(u64); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		at[i] = x;
	}
	lidt(&none);
	((void (*)(void))GARBAGE_AT)();
}

static const struct {
	const char *word;
	void (*work)(void);
} loads[] = {
	{ "flood", flood },
	{ "map", map },
	{ "storm", storm },
	{ "sleep", snooze },
	{ "reset", reset },
	{ "echo", echo },
	{ "garbage", garbage },
	{ "spin", spin },
};

void test_main(void)
{
	u64 ms = cmdline_number("for", 20);
	unsigned i = 0;

	end = rdtsc() + ms * (tsc_per_second() / 1000);
	apic_enable();
	on_vector(VECTOR, on_interrupt);
	while (i < ARRAY_SIZE(loads) - 1 && !cmdline_has(loads[i].word))
		i++;
	while (!done())
		loads[i].work();
	say("%s: %lu", loads[i].word, count);
	pass();
}
