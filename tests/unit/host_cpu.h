/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One instruction on the processor of the build host: all general registers, the flags and the
 * segment registers before it, and the same or the exception after it. In 64-bit mode, and in
 * 32-bit and 16-bit code segments with data segments of a local descriptor table.
 */
#ifndef TESTS_UNIT_HOST_CPU_H
#define TESTS_UNIT_HOST_CPU_H

#include "hv/vm/regs.h"

/* All below 4 GB, so that each form of address reaches it. */
#define HOST_CODE      0x10800000ul /* a page */
#define HOST_ARENA     0x10000000ul
#define HOST_ARENA_LEN 0x40000ul
#define HOST_RW	       0x10018000ul /* four pages; before and after it nothing is mapped, but for: */
#define HOST_RW_LEN    0x4000ul
#define HOST_RO	       0x1001c000ul /* one page, read-only */
#define HOST_INSN      0x700ul	    /* of the instruction, in the page of code */
#define HOST_INSN_ROOM 64

#define HOST_CS64   0x33
#define HOST_SS64   0x2b
#define HOST_LDT(n) ((n) << 3 | 7)

struct host_cpu {
	u64 gpr[16];	    /* in and out; by enum gpr */
	u64 rflags;	    /* in and out */
	u32 eip;	    /* in: where to start, as an offset in CS */
	u32 cs;		    /* in */
	u64 stack;	    /* the caller's, during the instruction */
	u64 ds, es, ss, gs; /* in; gs only where CS is not HOST_CS64 */
	/* Out: */
	u64 trap;  /* vector of the exception, or NO_TRAP; then gpr, rflags are as it found them */
	u64 error; /* its error code */
	u64 cr2;
	u64 rip; /* of the exception */
};

#define NO_TRAP ~0ul

extern struct host_cpu host_cpu;

/* False where the host is no x86-64 or lets nobody make local descriptors. */
bool host_cpu_init(void);

/* Makes local descriptor n: a segment as the emulator sees it, flat access rights included. */
bool host_cpu_segment(unsigned n, const struct segment *s);

/* Fills the page at HOST_RO. */
void host_cpu_fill_ro(const void *bytes);

/* Base of FS (the C library's) and of GS (a page of the arena) in 64-bit mode. */
u64 host_cpu_fs_base(void);
#define HOST_GS_BASE HOST_RW

/* Runs the len bytes on host_cpu. */
void host_cpu_run(const u8 *bytes, unsigned len);

#endif
