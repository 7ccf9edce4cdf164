/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX instructions, GETSEC, MONITOR and MWAIT do not exist in a guest: each is #UD. RDPMC is #GP.
 */
#include "tests/guest/lib/lib.h"

static u64 operand[2];

void test_main(void)
{
	check_eq(FAULTS("vmxon %0", : : "m"(operand) : "memory"), VEC_UD, "VMXON");
	check_eq(FAULTS("vmxoff", : : : "memory"), VEC_UD, "VMXOFF");
	check_eq(FAULTS("vmclear %0", : : "m"(operand) : "memory"), VEC_UD, "VMCLEAR");
	check_eq(FAULTS("vmptrld %0", : : "m"(operand) : "memory"), VEC_UD, "VMPTRLD");
	check_eq(FAULTS("vmptrst %0", : : "m"(operand) : "memory"), VEC_UD, "VMPTRST");
	check_eq(FAULTS("vmlaunch", : : : "memory"), VEC_UD, "VMLAUNCH");
	check_eq(FAULTS("vmresume", : : : "memory"), VEC_UD, "VMRESUME");
	check_eq(FAULTS("vmread %%rax, %%rcx", : : "a"(0) : "rcx", "memory"), VEC_UD, "VMREAD");
	check_eq(FAULTS("vmwrite %%rax, %%rcx", : : "a"(0) : "rcx", "memory"), VEC_UD, "VMWRITE");
	check_eq(FAULTS("vmcall", : : : "memory"), VEC_UD, "VMCALL");
	check_eq(FAULTS("invept %0, %%rax", : : "m"(operand), "a"(2) : "memory"), VEC_UD, "INVEPT");
	check_eq(FAULTS("invvpid %0, %%rax",
			 :
			 : "m"(operand), "a"(2)
			 : "memory"),
		VEC_UD, "INVVPID");
	check_eq(FAULTS("vmfunc", : : "a"(0), "c"(0) : "memory"), VEC_UD, "VMFUNC");
	check_eq(FAULTS("monitor", : : "a"(operand), "c"(0), "d"(0) : "memory"), VEC_UD, "MONITOR");
	check_eq(FAULTS("mwait", : : "a"(0), "c"(0) : "memory"), VEC_UD, "MWAIT");
	check_eq(FAULTS("getsec", : : "a"(0) : "memory"), VEC_UD, "GETSEC");
	check_eq(FAULTS("rdpmc", : : "c"(0) : "rax", "rdx", "memory"), VEC_GP, "RDPMC");
	pass();
}
