/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single accesses at a privilege level of one's choice. ring_try() enters that level at a piece of
 * code of a few instructions, which makes the access and ends by INT RING_DONE; that, or the page
 * fault before it, comes back here.
 */
#ifndef TESTS_GUEST_RING_H
#define TESTS_GUEST_RING_H

#include "tests/guest/lib/lib.h"

#define RING_DONE	0x41 /* vector */
/* The selectors, in the order that SYSRET wants: its base, data and code of level 3. */
#define SEL_SYSRET	(0x10 | 3)
#define SEL_USER_DATA	(SEL_SYSRET + 8)
#define SEL_USER_CODE	(SEL_SYSRET + 16)
/* CD 41: what a page must hold at the address that RING_FETCH jumps to. */
#define RING_FETCH_CODE 0x41cd

enum ring_code {
	RING_READ,    /* 8 bytes at the address */
	RING_WRITE,   /* value, 8 bytes, at the address */
	RING_FETCH,   /* jumps to the address */
	RING_LOAD_FS, /* value is the selector: reads its descriptor, an implicit supervisor access
		       */
};

struct ring_result {
	int vector; /* -1: the access was made; or VEC_PF */
	u64 error, cr2;
	u64 value; /* that RING_READ read */
};

/* Loads a GDT with segments for level 3, a TSS and an LDT descriptor. user_va: where the code for
 * level 3 is to be mapped, a page of its own in tables of its own. */
void ring_init(u64 user_va);
/* The LDT lies at that linear address, whatever is mapped there: limit in bytes. */
void ring_set_ldt(u64 va, u32 limit);
/* Runs the code at va at level 3, with RDI = arg, until it ends by INT RING_DONE. It may change
 * RAX, RCX, RDI and R11. */
struct ring_result ring_run(u64 va, u64 arg);
/* cpl: 0 or 3; rflags: RFLAGS_AC or 0. Any exception but a page fault fails the test. */
struct ring_result ring_try(unsigned cpl, enum ring_code code, u64 va, u64 value, u64 rflags);

#endif
