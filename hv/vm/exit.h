/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a guest stopped running, in the project's own words. A CPU provider (vmx/) translates its raw
 * exit reasons into these; hv/vm/run.c has one row and one handler for each.
 */
#ifndef HV_VM_EXIT_H
#define HV_VM_EXIT_H

#include "hv/lib/util.h"
#include "hv/mmu/mmu.h"

enum exit_kind {
	EXIT_HOST,       /* the provider dealt with it (host interrupt, NMI, window, timer): just run on */
	EXIT_TIMER,      /* the deadline of this entry has come */
	EXIT_CPUID,
	EXIT_RDMSR,
	EXIT_WRMSR,
	EXIT_IO,
	EXIT_CR,
	EXIT_DR,
	EXIT_HLT,
	EXIT_PAUSE,
	EXIT_MWAIT,      /* MONITOR, MWAIT: not offered */
	EXIT_INVLPG,
	EXIT_WBINVD,
	EXIT_XSETBV,
	EXIT_RDTSC,
	EXIT_RDPMC,
	EXIT_HYPERCALL,
	EXIT_UNDEFINED,  /* an instruction that this virtual CPU does not have: #UD */
	EXIT_EXCEPTION,  /* an exception that we intercept */
	EXIT_MEMORY,     /* EPT violation, or a page fault under shadow paging */
	EXIT_APIC_WRITE,
	EXIT_TASK_SWITCH,
	EXIT_TRIPLE_FAULT,
	EXIT_INIT,
	EXIT_SIPI,
	EXIT_DESCRIPTOR, /* LGDT, LIDT, LLDT, LTR and their stores, when trapped */
	EXIT_BROKEN,     /* entry failed or an exit we never asked for: the reason was logged, crash the VM */
	EXIT_KINDS,
};

struct exit_io {
	u16 port;
	u8 size;        /* 1, 2, 4 */
	bool in, string, rep;
};

struct exit_cr {
	u8 cr;          /* 0, 3, 4, 8 */
	enum { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW } op;
	u8 gpr;         /* enum gpr */
	u16 lmsw;
};

struct exit_dr {
	u8 dr, gpr;
	bool read;
};

struct exit_exception {
	u8 vector;
	bool has_error;
	u32 error;
	u64 qualification; /* #PF: CR2; #DB: DR6 bits */
};

struct exit_sipi {
	u8 vector;
};

struct vcpu_exit {
	union {
		struct exit_io io;
		struct exit_cr cr;
		struct exit_dr dr;
		struct exit_exception exception;
		struct mmu_fault memory;
		struct exit_sipi sipi;
		u64 gva; /* INVLPG */
	};
};

#endif
