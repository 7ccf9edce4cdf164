/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fault while a fault is delivered: a gate that is not present turns #UD into #NP, and #GP (which
 * is contributory) into a double fault; a software interrupt through such a gate is #NP with the
 * EXT bit clear.
 */
#include "tests/guest/lib/lib.h"

static u64 df_seen, df_error;
static u64 df_resume;

static void on_df(struct frame *f)
{
	df_seen++;
	df_error = f->error;
	f->rip = df_resume;
}

void test_main(void)
{
	gate_present(VEC_UD, false);
	check_eq(FAULTS("ud2", : : : "memory"), VEC_NP, "#UD becomes #NP");
	check_eq(caught.error, (VEC_UD << 3) | 2 | 1, "IDT and EXT");
	gate_present(VEC_UD, true);

	gate_present(0x90, false);
	check_eq(FAULTS("int $0x90", : : : "memory"), VEC_NP, "INT n");
	check_eq(caught.error, (0x90 << 3) | 2, "IDT, not EXT");
	gate_present(0x90, true);

	gate_present(VEC_GP, false);
	on_vector(VEC_DF, on_df);
	__asm__ volatile(
		"lea 1f(%%rip), %%rax; mov %%rax, %0; mov $0x1234, %%eax; mov %%eax, %%ds; 1:"
		: "=m"(df_resume)
		:
		: "rax", "memory");
	gate_present(VEC_GP, true);
	check_eq(df_seen, 1, "#GP then #NP is a double fault");
	check_eq(df_error, 0, "its error code");
	pass();
}
