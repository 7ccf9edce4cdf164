/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCIDs and INVPCID, or their honest absence: what CPUID says is what CR4, CR3 and the instruction
 * do. With them: each type of INVPCID makes the next access follow the tables, in its own PCID;
 * types from 4 on, reserved bits and addresses that are not canonical are #GP. Without: CR4.PCIDE
 * is #GP(0), bit 63 of CR3 is #GP(0), INVPCID is #UD.
 */
#include "tests/guest/lib/paging.h"

#define CPUID1_ECX_PCID	   BIT(17)
#define CPUID7_EBX_INVPCID BIT(10)
#define VA		   0x8000000000ul
#define NOT_CANONICAL	   0x800000000000ul
#define PCID_MAX	   4095u

enum invpcid_type {
	ADDRESS,
	CONTEXT,
	ALL_AND_GLOBAL,
	ALL,
	TYPES
};

struct invpcid_desc {
	u64 pcid, address;
};

static int invpcid(u64 type, u64 pcid, u64 address)
{
	struct invpcid_desc d = { pcid, address };

	return FAULTS("invpcid %0, %1", : : "m"(d), "r"(type) : "memory");
}

static int load_cr3(u64 value)
{
	return FAULTS("mov %0, %%cr3", : : "r"(value) : "memory");
}

static int load_cr4(u64 value)
{
	return FAULTS("mov %0, %%cr4", : : "r"(value) : "memory");
}

static void absent(void)
{
	u64 cr3 = read_cr3(), cr4 = read_cr4();

	check_eq(load_cr4(cr4 | CR4_PCIDE), VEC_GP, "CR4.PCIDE");
	check_eq(caught.error, 0, "error code");
	check_eq(read_cr4(), cr4, "CR4");
	check_eq(load_cr3(cr3 | CR3_NOFLUSH), VEC_GP, "CR3 bit 63");
	check_eq(load_cr3(cr3 | 0x7), -1, "the low bits of CR3 are ignored");
	check_eq(load_cr3(cr3), -1, "CR3");
}

/* A page turns to another each time; each way of INVPCID must show it at once. */
static void each_type(u64 *pages[2], u64 cr3, unsigned pcid, u64 *pte)
{
	volatile u64 *at = (volatile u64 *)VA;

	check_eq(load_cr3(cr3 | pcid), -1, "CR3 with PCID %u", pcid);
	check_eq(read_cr3(), cr3 | pcid, "CR3");
	for (unsigned n = 0; n < 4 * TYPES; n++) {
		*pte = (u64)pages[n % 2] | PTE_P | PTE_W;
		check_eq(invpcid(n % TYPES, pcid, VA), -1, "INVPCID of type %u", n % TYPES);
		check_eq(*at, n % 2, "after INVPCID of type %u", n % TYPES);
		/* Nothing is kept that this asks for to be dropped, nor is it an error. */
		check_eq(load_cr3(cr3 | pcid | (n & 4 ? CR3_NOFLUSH : 0)), -1, "CR3");
		check_eq(*at, n % 2, "after CR3");
	}
}

static void mistakes(unsigned pcid)
{
	check_eq(invpcid(TYPES, pcid, VA), VEC_GP, "type 4");
	check_eq(invpcid(~0ul, pcid, VA), VEC_GP, "type 2^64 - 1");
	check_eq(invpcid(ADDRESS, PCID_MAX + 1, VA), VEC_GP, "reserved bits of the descriptor");
	check_eq(invpcid(CONTEXT, BIT(63), VA), VEC_GP, "reserved bits of the descriptor");
	check_eq(invpcid(ADDRESS, pcid, NOT_CANONICAL), VEC_GP, "an address not canonical");
	check_eq(invpcid(CONTEXT, pcid, NOT_CANONICAL), -1, "an address that does not matter");
}

static void present(bool has_invpcid)
{
	u64 cr3 = read_cr3() & PTE_ADDR, cr4 = read_cr4(), *pages[2] = { new_page(), new_page() };
	u64 *pte = map_page(VA, (u64)pages[0], PTE_P | PTE_W);

	pages[1][0] = 1;
	write_cr3(cr3 | 8);
	check_eq(load_cr4(cr4 | CR4_PCIDE), VEC_GP, "CR4.PCIDE while CR3[11:0] is not 0");
	write_cr3(cr3);
	check_eq(load_cr4(cr4 | CR4_PCIDE), -1, "CR4.PCIDE");
	if (has_invpcid) {
		each_type(pages, cr3, 0, pte);
		each_type(pages, cr3, 1, pte);
		each_type(pages, cr3, PCID_MAX, pte);
		mistakes(1);
	}
	check_eq(load_cr3(cr3), -1, "CR3");
	check_eq(load_cr4(cr4), -1, "CR4.PCIDE off");
	check_eq(*pte & PTE_P, PTE_P, "the entry");
}

void test_main(void)
{
	bool pcid = cpuid(1, 0).ecx & CPUID1_ECX_PCID;
	bool has_invpcid = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & CPUID7_EBX_INVPCID);

	say("PCID %d, INVPCID %d", pcid, has_invpcid);
	if (!has_invpcid)
		check_eq(invpcid(ADDRESS, 0, VA), VEC_UD, "INVPCID");
	else
		check_eq(invpcid(ADDRESS, 1, VA), VEC_GP, "a PCID while PCIDE is off");
	if (pcid)
		present(has_invpcid);
	else
		absent();
	pass();
}
