/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single instructions, and the faults of single instructions. With "A&A": as Adams and Agesen, "A
 * Comparison of Software and Hardware Techniques for x86 Virtualization", have it.
 */
#include "guest-images/nano/nano.h"

#define COUNT	  200u
#define PROBE_VA  0x18000000000ul /* of a page of our own, in a table of its own */
#define NONE_VA	  0x18040000000ul /* where nothing is mapped */
#define BESIDE_VA (NONE_VA + PAGE_BYTES)

#define CPUID1_ECX_HYPERVISOR BIT(31)

/* For the assembly below. */
u64 nano_probe_va, *nano_probe_entry;

static u64 *probe_entry(void)
{
	if (!nano_probe_entry) {
		nano_probe_entry =
			map_page(PROBE_VA, (u64)new_page(), PTE_P | PTE_W | PTE_A | PTE_D);
		nano_probe_va = PROBE_VA;
	}
	return nano_probe_entry;
}

static void use_probe(const struct operation *o)
{
	(void)o;
	*(volatile u64 *)nano_probe_va;
}

static const char *make_probe(void)
{
	probe_entry();
	return NULL;
}

LOOP(cpuid, "", "xor %%eax, %%eax; xor %%ecx, %%ecx", "cpuid")
/* A&A */
LOOP(call_return, "jmp 3f; 2: ret; 3:", "", "call 2b")
/* A&A: the port of the power-on self test */
LOOP(in, "", "", "in $0x80, %%al")
/* A&A */
LOOP(cr8_write, "xor %%eax, %%eax", "", "mov %%rax, %%cr8")
/* A&A: the page stays present, and what is said of it changes: it is writable or not by turns */
LOOP(pte_change, "mov nano_probe_entry(%%rip), %%rbx", "", "xorq $2, (%%rbx)")
LOOP(pte_change_flush, "mov nano_probe_entry(%%rip), %%rbx; mov nano_probe_va(%%rip), %%rcx", "",
	"xorq $2, (%%rbx); invlpg (%%rcx)")

LOOP(rdmsr_passed, "mov $0xc0000102, %%ecx", "", "rdmsr") /* KERNEL_GS_BASE */
LOOP(wrmsr_passed, "mov $0xc0000102, %%ecx; rdmsr", "", "wrmsr")
LOOP(rdmsr_trapped, "mov $0x277, %%ecx", "", "rdmsr") /* PAT */
LOOP(wrmsr_trapped, "mov $0x277, %%ecx; rdmsr", "", "wrmsr")
LOOP(invlpg, "mov nano_probe_va(%%rip), %%rbx", "", "invlpg (%%rbx)")
LOOP(cr3_write, "mov %%cr3, %%rax", "", "mov %%rax, %%cr3")
/* What global pages want: CR4.PGE off and on. */
LOOP(flush_all, "mov %%cr4, %%rax; mov %%rax, %%rdx; xor $0x80, %%rdx", "",
	"mov %%rdx, %%cr4; mov %%rax, %%cr4")
/* CR0.TS on and off, as a kernel that switches the FPU lazily does. */
LOOP(ts_toggle, "mov %%cr0, %%rax; or $8, %%rax", "", "mov %%rax, %%cr0; clts")
LOOP(vmcall, "", "mov $0x7fff, %%eax", "vmcall")

/* The handlers go on behind an instruction of two bytes. */
#define FAULT_LENGTH "2"
extern const char nano_skip_fault[], nano_skip_fault_error[];
__asm__("	.text\n"
	"	.balign 16\n"
	"nano_skip_fault:\n"
	"	addq $" FAULT_LENGTH ", (%rsp)\n"
	"	iretq\n"
	"	.balign 16\n"
	"nano_skip_fault_error:\n"
	"	addq $8, %rsp\n"
	"	addq $" FAULT_LENGTH ", (%rsp)\n"
	"	iretq\n");

/* A&A: the least that a handler can do */
LOOP(div_loop, "mov $1, %%eax; xor %%ecx, %%ecx", "", "div %%cl")
LOOP(fault_loop, "mov $0x18040000000, %%rbx", "", "mov (%%rbx), %%al")

static void with_handler(const struct operation *o, unsigned vector, const char *handler,
	void (*loop)(const struct operation *o))
{
	gate_to(vector, handler);
	loop(o);
	gate_to(vector, NULL);
}

static void div_zero_run(const struct operation *o)
{
	with_handler(o, VEC_DE, nano_skip_fault, div_loop_run);
}

static void div_zero_empty(const struct operation *o)
{
	with_handler(o, VEC_DE, nano_skip_fault, div_loop_empty);
}

static void page_fault_run(const struct operation *o)
{
	with_handler(o, VEC_PF, nano_skip_fault_error, fault_loop_run);
}

static void page_fault_empty(const struct operation *o)
{
	with_handler(o, VEC_PF, nano_skip_fault_error, fault_loop_empty);
}

/* A hole in a table that is in use, as that of a fault on demand is: the page beside it is read. */
static const char *make_hole(void)
{
	map_page(BESIDE_VA, (u64)new_page(), PTE_P | PTE_W);
	return NULL;
}

static void use_table_of_hole(const struct operation *o)
{
	(void)o;
	*(volatile u64 *)BESIDE_VA;
}

static const char *no_vmcall(void)
{
	if (FAULTS("vmcall", : : "a"(0x7fff) : "memory") < 0)
		return NULL;
	return cpuid(1, 0).ecx & CPUID1_ECX_HYPERVISOR
		       ? "#UD: this VM has no hypercalls (kvmclock offers them)"
		       : "#UD: no hypervisor";
}

#define ROW(name, cannot, prepare, loop)                                                           \
	{                                                                                          \
		name, 0, COUNT, cannot, prepare, loop##_run, loop##_empty                          \
	}

static const struct operation table[] = {
	ROW("in", NULL, NULL, in),
	ROW("cr8wr", NULL, NULL, cr8_write),
	ROW("callret", NULL, NULL, call_return),
	ROW("pgfault", make_hole, use_table_of_hole, page_fault),
	ROW("divzero", NULL, NULL, div_zero),
	ROW("ptemod", make_probe, use_probe, pte_change),
	ROW("ptemod-invlpg", make_probe, use_probe, pte_change_flush),
	ROW("cpuid", NULL, NULL, cpuid),
	ROW("vmcall", no_vmcall, NULL, vmcall),
	ROW("rdmsr-passed", NULL, NULL, rdmsr_passed),
	ROW("wrmsr-passed", NULL, NULL, wrmsr_passed),
	ROW("rdmsr-trapped", NULL, NULL, rdmsr_trapped),
	ROW("wrmsr-trapped", NULL, NULL, wrmsr_trapped),
	ROW("invlpg", make_probe, use_probe, invlpg),
	ROW("cr3-write", NULL, NULL, cr3_write),
	ROW("flush-all", NULL, NULL, flush_all),
	ROW("ts-toggle", NULL, NULL, ts_toggle),
};
const struct operations instructions = { table, ARRAY_SIZE(table) };
