/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults below the guest's own paging: the test device takes away the host mapping of a page, and
 * the next access (read, write, fetch, locked, by a page walk, by the delivery of an event) finds
 * it again, with the page's contents as they were and nothing noticed.
 */
#include "tests/guest/lib/lib.h"

#define VA 0x8000000000ul

static volatile unsigned hits;

static void drop(u64 pa)
{
	outl(0xe4, (u32)pa);
}

static void on_irq(struct frame *f)
{
	(void)f;
	hits++;
	apic_eoi();
}

static void event_on_dropped_stack(void)
{
	u64 stack = (u64)new_page();

	apic_enable();
	on_vector(0x60, on_irq);
	apic_write(APIC_ICR, 0x40000 | 0x60);
	drop(stack);
	/* Nothing touches the new stack before the delivery of the interrupt does. */
	__asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; sti; nop; cli; mov %%rbx, %%rsp"
			 :
			 : "r"(stack + 4096)
			 : "rbx", "memory");
	check_eq(hits, 1, "interrupt onto a dropped stack");
}

void test_main(void)
{
	volatile u64 *page = new_page();
	u64 pa = (u64)page, value = 5;
	u8 *code = (u8 *)new_page();
	u64 *pte;

	page[3] = 0x1122334455667788;
	drop(pa);
	check_eq(page[3], 0x1122334455667788, "read");
	drop(pa);
	page[4] = 99;
	check_eq(page[3] + page[4], 0x1122334455667788 + 99, "write");
	drop(pa);
	__asm__ volatile("lock xaddq %0, %1" : "+r"(value), "+m"(page[4]) : : "memory");
	check_eq(value, 99, "XADD");
	check_eq(page[4], 104, "XADD");
	code[0] = 0xc3;
	drop((u64)code);
	((void (*)(void))code)();
	pte = map_page(VA, pa, 3);
	drop((u64)pte & ~0xffful);
	invlpg(VA);
	check_eq(*(volatile u64 *)(VA + 24), 0x1122334455667788, "through a dropped page table");
	event_on_dropped_stack();
	pass();
}
