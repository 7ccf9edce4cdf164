/* SPDX-License-Identifier: BSD-2-Clause */
/* Into a privilege level and back: IRET there, an interrupt or a page fault back. */
#include "hv/cpu/gdt.h"
#include "tests/guest/lib/paging.h"
#include "tests/guest/lib/ring.h"

#define SEL_RING_TSS 0x28
#define SEL_LDT	     0x38
#define CODE_BYTES   16 /* each piece of code starts at a multiple */
#define STACK_BYTES  8192

/* "64-Bit mode": code and data of level 0, data and code of level 3, TSS and LDT (two each). */
static u64 gdt[9] = {
	[1] = 0x00af9b000000ffff,
	[2] = 0x00cf93000000ffff,
	[3] = 0x00cff3000000ffff,
	[4] = 0x00affb000000ffff,
};
static struct tss tss;
static u8 stack[STACK_BYTES] __attribute__((aligned(16)));
static u64 user_code;
static struct ring_result result;
u64 ring_rsp, ring_resume;

extern char ring_codes[], ring_codes_end[];

/* In the order of enum ring_code. */
__asm__("	.text\n"
	"	.balign 16\n"
	"ring_codes:\n"
	"	mov (%rdi), %rax\n"
	"	int $0x41\n"
	"	.balign 16\n"
	"	mov %rsi, (%rdi)\n"
	"	int $0x41\n"
	"	.balign 16\n"
	"	jmp *%rdi\n"
	"	.balign 16\n"
	"	mov %esi, %fs\n"
	"	int $0x41\n"
	"	.balign 16\n"
	"ring_codes_end:\n");

static void come_back(struct frame *f)
{
	if (!ring_resume)
		fail("vector %lu out of place: error 0x%lx, rip 0x%lx, cr2 0x%lx", f->vector,
			f->error, f->rip, read_cr2());
	result.vector = f->vector == RING_DONE ? -1 : (int)f->vector;
	result.error = f->error;
	result.cr2 = result.vector == VEC_PF ? read_cr2() : 0;
	result.value = f->rax;
	f->cs = SEL_CODE;
	f->ss = SEL_DATA;
	f->rip = ring_resume;
	f->rsp = ring_rsp;
	f->rflags = RFLAGS_R1;
	ring_resume = 0;
}

static void set_system_descriptor(unsigned selector, u64 type, u64 base, u64 limit)
{
	u64 *d = &gdt[selector / 8];

	d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | (0x80 | type) << 40 |
	       ((base >> 24) & 0xff) << 56;
	d[1] = base >> 32;
}

void ring_set_ldt(u64 va, u32 limit)
{
	set_system_descriptor(SEL_LDT, 2, va, limit);
	__asm__ volatile("lldt %w0" : : "r"(SEL_LDT));
}

void ring_init(u64 user_va)
{
	struct descriptor_ptr p = { sizeof(gdt) - 1, (u64)gdt };
	u64 *code = new_page();

	tss.rsp[0] = (u64)stack + sizeof(stack);
	tss.iomap = sizeof(tss);
	set_system_descriptor(SEL_RING_TSS, 9, (u64)&tss, sizeof(tss) - 1);
	lgdt(&p);
	ltr(SEL_RING_TSS);
	on_vector(RING_DONE, come_back);
	on_vector(VEC_PF, come_back);
	gate_user(RING_DONE);
	memcpy(code, ring_codes, (size_t)(ring_codes_end - ring_codes));
	map_page(user_va, (u64)code, PTE_P | PTE_U);
	user_code = user_va;
}

/* By IRET to that code; what ends it leads to label 1. */
static void enter(u64 cs, u64 ss, u64 rip, u64 rflags, u64 rdi, u64 rsi)
{
	__asm__ volatile("mov %%rsp, ring_rsp(%%rip)\n"
			 "	lea 1f(%%rip), %%rax\n"
			 "	mov %%rax, ring_resume(%%rip)\n"
			 "	lea -256(%%rsp), %%rax\n"
			 "	push %[ss]\n"
			 "	push %%rax\n"
			 "	push %[flags]\n"
			 "	push %[cs]\n"
			 "	push %[rip]\n"
			 "	iretq\n"
			 "1:"
			 : "+D"(rdi)
			 : [ss] "r"(ss), [cs] "r"(cs), [flags] "r"(rflags), [rip] "r"(rip), "S"(rsi)
			 : "rax", "rcx", "r11", "memory", "cc");
}

struct ring_result ring_run(u64 va, u64 arg)
{
	enter(SEL_USER_CODE, SEL_USER_DATA, va, RFLAGS_R1, arg, 0);
	return result;
}

struct ring_result ring_try(unsigned cpl, enum ring_code code, u64 va, u64 value, u64 rflags)
{
	u64 rip = (cpl ? user_code : (u64)ring_codes) + code * CODE_BYTES;

	enter(cpl ? SEL_USER_CODE : SEL_CODE, cpl ? SEL_USER_DATA : SEL_DATA, rip,
		rflags | RFLAGS_R1, va, value);
	return result;
}
