/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions on device memory (the test device's 64 KB of storage at 0xFF000000), each compared
 * with the same instruction on RAM: MOV in all sizes, MOVZX, MOVSX, MOVS, STOS, LODS with REP,
 * arithmetic, bit tests, XCHG, CMPXCHG, XADD, SETcc, PUSH, POP, and accesses that cross a page.
 * Prints the ticks of one access to the interrupt controllers, and of one write to a page table. In
 * Bochs a tick is an instruction; with EPT, MAX_TICKS is the most that an access may take there.
 */
#include "tests/guest/lib/lib.h"
#include "tests/guest/lib/paging.h"

#define DEV ((u8 *)LAYOUT_TESTDEV)

#define LOOPS	  200
#define MAX_TICKS 1000

static u8 ram[8192] __aligned(4096);

struct result {
	u64 rax, rcx, rdx, flags;
};

#define FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* Runs code on base in RBX with fixed inputs; what comes out of RAX, RCX, RDX and the flags. */
#define RUN(r, base, code)                                                                         \
	__asm__ volatile(code "; pushfq; pop %3"                                                   \
			 : "=a"((r).rax), "=c"((r).rcx), "=d"((r).rdx), "=r"((r).flags)            \
			 : "0"(0x0123456789abcdeful), "1"(0xfedcba9876543203ul),                   \
			 "2"(0x1111222233334444ul), "b"(base)                                      \
			 : "rsi", "rdi", "memory", "cc")

#define SAME(code, flagmask)                                                                       \
	do {                                                                                       \
		struct result a, b;                                                                \
		fill();                                                                            \
		RUN(a, ram + 64, code);                                                            \
		RUN(b, DEV + 64, code);                                                            \
		check_eq(b.rax, a.rax, "RAX of %s", #code);                                        \
		check_eq(b.rcx, a.rcx, "RCX of %s", #code);                                        \
		check_eq(b.rdx, a.rdx, "RDX of %s", #code);                                        \
		check_eq(b.flags &(flagmask), a.flags &(flagmask), "flags of %s", #code);          \
		for (unsigned i = 0; i < 128; i += 8)                                              \
			check_eq(*(volatile u64 *)(DEV + i), *(volatile u64 *)(ram + i),           \
				"memory after %s", #code);                                         \
	} while (0)

static void fill(void)
{
	for (unsigned i = 0; i < 128; i += 8) {
		u64 v = 0x8899aabbccddeeff * (i + 3);

		*(volatile u64 *)(ram + i) = v;
		*(volatile u64 *)(DEV + i) = v;
	}
}

static void moves(void)
{
	SAME("movb (%%rbx), %%al", 0);
	SAME("movw (%%rbx), %%ax", 0);
	SAME("movl (%%rbx), %%eax", 0);
	SAME("movq (%%rbx), %%rax", 0);
	SAME("movb %%ah, (%%rbx)", 0);
	SAME("movw %%ax, 3(%%rbx)", 0);
	SAME("movl %%edx, -8(%%rbx)", 0);
	SAME("movq %%rdx, 1(%%rbx)", 0);
	SAME("movb $0x7f, (%%rbx)", 0);
	SAME("movw $0x1234, (%%rbx)", 0);
	SAME("movl $0x89abcdef, (%%rbx)", 0);
	SAME("movq $-2, (%%rbx)", 0);
	SAME("movzbl (%%rbx), %%eax", 0);
	SAME("movzwq (%%rbx), %%rax", 0);
	SAME("movsbw (%%rbx), %%ax", 0);
	SAME("movswq (%%rbx), %%rax", 0);
	SAME("movslq (%%rbx), %%rax", 0);
	SAME("and $3, %%ecx; movl 4(%%rbx,%%rcx,4), %%eax", 0);
}

static void arithmetic(void)
{
	SAME("addl %%eax, (%%rbx)", FLAGS);
	SAME("addq (%%rbx), %%rax", FLAGS);
	SAME("orb $0x55, (%%rbx)", FLAGS);
	SAME("andw %%ax, (%%rbx)", FLAGS);
	SAME("andl $0x0ff0, (%%rbx)", FLAGS);
	SAME("subq %%rax, (%%rbx)", FLAGS);
	SAME("xorl %%eax, (%%rbx)", FLAGS);
	SAME("cmpl %%eax, (%%rbx)", FLAGS);
	SAME("cmpb $9, (%%rbx)", FLAGS);
	SAME("testl %%eax, (%%rbx)", FLAGS);
	SAME("testb $0x81, (%%rbx)", FLAGS);
	SAME("lock orl $0x100, (%%rbx)", FLAGS);
	SAME("incl (%%rbx)", FLAGS & ~RFLAGS_CF);
	SAME("negl (%%rbx)", FLAGS);
	SAME("notq (%%rbx)", 0);
}

static void bits_and_exchanges(void)
{
	SAME("btl $5, (%%rbx)", RFLAGS_CF);
	SAME("mov $37, %%eax; btsl %%eax, (%%rbx)", RFLAGS_CF);
	SAME("mov $-9, %%rax; btrq %%rax, (%%rbx)", RFLAGS_CF);
	SAME("lock btcl $7, (%%rbx)", RFLAGS_CF);
	SAME("xchgl %%eax, (%%rbx)", 0);
	SAME("xchgb %%dl, (%%rbx)", 0);
	SAME("xaddq %%rax, (%%rbx)", FLAGS);
	SAME("lock xaddl %%edx, (%%rbx)", FLAGS);
	SAME("cmpxchgl %%edx, (%%rbx)", RFLAGS_ZF);
	SAME("movl (%%rbx), %%eax; lock cmpxchgl %%edx, (%%rbx)", RFLAGS_ZF);
	SAME("cmp %%eax, %%eax; sete (%%rbx)", 0);
	SAME("cmp %%eax, %%eax; setne (%%rbx)", 0);
	SAME("pushq (%%rbx); popq %%rax", 0);
	SAME("push %%rdx; popq 8(%%rbx)", 0);
}

static void strings(void)
{
	SAME("mov %%rbx, %%rdi; mov $5, %%ecx; rep stosl", 0);
	SAME("lea 8(%%rbx), %%rdi; mov %%rbx, %%rsi; mov $7, %%ecx; rep movsb", 0);
	SAME("mov %%rbx, %%rsi; lodsl; lodsw; lodsb", 0);
	SAME("lea 40(%%rbx), %%rdi; std; mov $3, %%ecx; rep stosq; cld", 0);
}

static void across_pages(void)
{
	*(volatile u64 *)(DEV + 4092) = 0x1122334455667788;
	check_eq(*(volatile u64 *)(DEV + 4092), 0x1122334455667788, "8 bytes across a page");
	check_eq(*(volatile u32 *)(DEV + 4094), 0x33445566, "4 bytes across a page");
	memset(DEV + 4000, 0xab, 200);
	check_eq(DEV[4199], 0xab, "memset across a page");
	/* From device memory into RAM that is not there: the fault is the guest's own. */
	check_eq(FAULTS("rep movsb",
			 :
			 : "S"(DEV), "D"(0x8000000000ul), "c"(4)
			 : "memory"),
		VEC_PF, "destination not mapped");
	check_eq(caught.cr2, 0x8000000000, "CR2");
	check_eq(caught.error, PF_W, "error code");
}

/* Ticks of one run of code, the loop around it aside. */
#define COST(code, ...)                                                                            \
	({                                                                                         \
		u64 start = rdtsc(), empty;                                                        \
		for (unsigned i = 0; i < LOOPS; i++)                                               \
			barrier();                                                                 \
		empty = rdtsc() - start;                                                           \
		start = rdtsc();                                                                   \
		for (unsigned i = 0; i < LOOPS; i++)                                               \
			__asm__ volatile(code __VA_ARGS__);                                        \
		(rdtsc() - start - empty) / LOOPS;                                                 \
	})

static void cost(const char *what, u64 ticks)
{
	say("%s: %lu ticks", what, ticks);
	/* Bochs counts 100 million a second; no processor is that slow. */
	if (tsc_per_second() < 200000000 && cmdline_has("mmu=ept"))
		check(ticks <= MAX_TICKS, "one access in Bochs");
}

/* An entry that is not present stays so: under shadow paging each write is emulated. */
static void table_cost(void)
{
	u64 va = 0x10000000000, *pte = map_page(va, (u64)ram, PTE_P | PTE_W);

	(void)*(volatile u8 *)va;
	say("write a page-table entry: %lu ticks", COST("movq %1, (%0)",
							   :
							   : "r"(pte + 1), "r"(0ul)
							   : "memory"));
}

static void costs(void)
{
	u64 lapic = LAYOUT_LAPIC, ioapic = LAYOUT_IOAPIC;

	cost("read the APIC ID", COST("movl 0x20(%0), %%eax", : : "r"(lapic) : "rax", "memory"));
	cost("write EOI", COST("movl $0, 0xb0(%0)", : : "r"(lapic) : "memory"));
	cost("write the task priority", COST("movl %1, 0x80(%0)",
						:
						: "r"(lapic), "r"(0)
						: "memory"));
	cost("select an IOAPIC register", COST("movl %1, (%0)",
						  :
						  : "r"(ioapic), "r"(1)
						  : "memory"));
	cost("read it", COST("movl 0x10(%0), %%eax", : : "r"(ioapic) : "rax", "memory"));
	table_cost();
}

void test_main(void)
{
	moves();
	arithmetic();
	bits_and_exchanges();
	strings();
	across_pages();
	costs();
	pass();
}
