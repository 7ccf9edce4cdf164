/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk of a guest's own page tables, in software, as the manual's "Paging" chapter has it:
 * no paging, 32-bit, PAE and 4-level; permissions with WP, SMEP, SMAP, NXE, U/S, reserved bits;
 * accessed and dirty flags set atomically in guest memory.
 */
#ifndef HV_MMU_WALK_H
#define HV_MMU_WALK_H

#include "hv/mem/guestmem.h"

/* The registers that decide how a linear address is translated. */
struct walk_regs {
	u64 cr0, cr3, cr4, efer, rflags;
	unsigned cpl;
	unsigned maxphyaddr;
	bool page1gb; /* CPUID's: without it, PS is reserved in a PDPTE */
	u64 pdpte[4]; /* PAE: the registers, not memory */
};

#define WALK_WRITE    BIT(0)
#define WALK_FETCH    BIT(1)
#define WALK_USER     BIT(2) /* an explicit access at CPL 3 */
#define WALK_IMPLICIT BIT(3) /* supervisor access to GDT, IDT, TSS: SMAP ignores EFLAGS.AC */
#define WALK_PEEK     BIT(4) /* for the monitor and the fetch of bytes: sets no A/D */

struct walk_step {
	gpa_t entry_gpa;
	u64 entry;
};

struct walk {
	gpa_t gpa;			 /* result */
	unsigned level;			 /* of the leaf: 1 (4 KB) .. 3 (1 GB); 0: paging off */
	bool writable, user, executable; /* permissions combined over the levels */
	struct walk_step step[5];	 /* indexed by level */
	u32 error;			 /* page-fault error code, when not OK */
};

enum walk_result {
	WALK_OK,
	WALK_FAULT,   /* page fault with w->error */
	WALK_BAD_GPA, /* a table lies outside guest RAM: w->gpa says where */
	WALK_AGAIN,   /* others keep changing the entries: let the guest run the instruction again.
			 Not with WALK_PEEK */
};

/* The bits that must be 0 in a present entry of this level (of the format that the registers say):
 * they depend on the entry only by PS, which makes it a leaf. */
u64 walk_reserved_bits(const struct walk_regs *r, u64 entry, unsigned level);

enum walk_result guest_walk(const struct guestmem *gm, const struct walk_regs *r, gva_t gva,
	unsigned flags, struct walk *w) __must_check;

#endif
