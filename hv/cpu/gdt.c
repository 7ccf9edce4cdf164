/* SPDX-License-Identifier: BSD-2-Clause */
/* Flat segments and a TSS for each CPU; both live in its struct percpu. */
#include "hv/cpu/gdt.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/percpu.h"

/* "Segment Descriptors": accessed, so that the processor need not write to them. */
#define DESC_CODE64 0x00af9b000000ffffull
#define DESC_DATA   0x00cf93000000ffffull
#define DESC_TSS    0x0000890000000000ull

static void tss_descriptor(u64 *entry, const struct tss *tss)
{
	u64 base = (u64)tss;

	entry[0] =
		DESC_TSS | (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
}

void gdt_load(struct percpu *cpu)
{
	struct descriptor_ptr p = { .limit = sizeof(cpu->gdt) - 1, .base = (u64)&cpu->gdt };

	cpu->self = cpu;
	cpu->gdt.entry[0] = 0;
	cpu->gdt.entry[SEL_CODE / 8] = DESC_CODE64;
	cpu->gdt.entry[SEL_DATA / 8] = DESC_DATA;
	tss_descriptor(&cpu->gdt.entry[SEL_TSS / 8], &cpu->tss);
	cpu->tss.iomap = sizeof(cpu->tss);

	lgdt(&p);
	/* A far return is the way to load CS in 64-bit mode. */
	__asm__ volatile("pushq %0\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %1, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs\n\t"
			 "lldt %%ax"
			 :
			 : "i"(SEL_CODE), "i"(SEL_DATA)
			 : "rax", "memory");
	ltr(SEL_TSS);
	wrmsr(MSR_GS_BASE, (u64)cpu);
}
