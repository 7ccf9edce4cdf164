/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IA32_EFER: SYSCALL exists while SCE is 1; the NX bit is reserved while NXE is 0, and the error
 * code of a page fault then says nothing of instruction fetches; LME cannot change with paging on;
 * reserved bits are #GP. What was written reads back, LMA as it is.
 */
#include "tests/guest/lib/lib.h"

#define VA	0x10000000000ul
#define PTE_P	BIT(0)
#define PTE_W	BIT(1)
#define PTE_NX	BIT(63)
#define STAR_CS (8ul << 32) /* SYSCALL: CS 8, SS 16 */

__asm__("syscall_target: jmp *%rcx"); /* back to where it came from */
extern char syscall_target[];

static int try_syscall(void)
{
	return FAULTS("syscall", : : : "rcx", "r11", "memory");
}

static int read_byte(u64 va)
{
	return FAULTS("mov (%0), %%al", : : "r"(va) : "rax", "memory");
}

/* Always faults. */
static int fetch(u64 va)
{
	return FAULTS("jmp *%0", : : "r"(va) : "memory");
}

static void with_nxe(bool on)
{
	u64 efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, on ? efer | EFER_NXE : efer & ~EFER_NXE);
	check_eq((rdmsr(MSR_EFER) & EFER_NXE) != 0, on, "NXE reads back");
	write_cr3(read_cr3());
}

static void syscalls(void)
{
	u64 efer = rdmsr(MSR_EFER) & ~EFER_SCE;

	wrmsr(MSR_STAR, STAR_CS);
	wrmsr(MSR_LSTAR, (u64)syscall_target);
	wrmsr(MSR_FMASK, 0);
	for (unsigned i = 0; i < 3; i++) {
		wrmsr(MSR_EFER, efer);
		check_eq(try_syscall(), VEC_UD, "SYSCALL with SCE = 0");
		wrmsr(MSR_EFER, efer | EFER_SCE);
		/* An exit in between changes nothing. */
		(void)cpuid(0, 0);
		check_eq(try_syscall(), -1, "SYSCALL with SCE = 1");
		check_eq(rdmsr(MSR_EFER), efer | EFER_SCE, "EFER");
	}
	wrmsr(MSR_EFER, efer);
}

static void no_execute(void)
{
	u64 *page = new_page(), *pte = map_page(VA, (u64)page, PTE_P | PTE_W);

	with_nxe(true);
	*pte = (u64)page | PTE_P | PTE_W | PTE_NX;
	write_cr3(read_cr3());
	check_eq(read_byte(VA), -1, "a read");
	check_eq(fetch(VA), VEC_PF, "a fetch with NX");
	check_eq(caught.error, PF_P | PF_I, "its error code");
	with_nxe(false);
	check_eq(read_byte(VA), VEC_PF, "bit 63 is reserved");
	check_eq(caught.error, PF_P | PF_RSVD, "its error code");
	*pte = 0;
	write_cr3(read_cr3());
	check_eq(fetch(VA), VEC_PF, "a fetch from nowhere");
	check_eq(caught.error, 0, "the error code says nothing of fetches");
	with_nxe(true);
	check_eq(fetch(VA), VEC_PF, "a fetch from nowhere");
	check_eq(caught.error, PF_I, "the error code says that it was one");
	check_eq(caught.cr2, VA, "CR2");
}

void test_main(void)
{
	u64 efer = rdmsr(MSR_EFER);

	check_eq(efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA, "64-bit mode");
	syscalls();
	no_execute();
	check_eq(FAULTS("wrmsr",
			 :
			 : "a"((u32)efer & ~(u32)EFER_LME), "d"(0), "c"(MSR_EFER)
			 : "memory"),
		VEC_GP, "LME with paging on");
	check_eq(FAULTS("wrmsr",
			 :
			 : "a"((u32)efer | 2u), "d"(0), "c"(MSR_EFER)
			 : "memory"),
		VEC_GP, "a reserved bit");
	wrmsr(MSR_EFER, efer & ~EFER_LMA);
	check_eq(rdmsr(MSR_EFER), efer, "LMA cannot be written");
	pass();
}
