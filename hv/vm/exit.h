/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a guest stopped running, in the project's own words, and the handler of each. A CPU provider
 * (vmx/) translates its raw exit reasons into these kinds.
 */
#ifndef HV_VM_EXIT_H
#define HV_VM_EXIT_H

#include "hv/lib/util.h"
#include "hv/mmu/mmu.h"

struct vcpu;

enum exit_kind {
	EXIT_NONE,	/* nothing left to do: the provider has had it handled already */
	EXIT_INTERRUPT, /* a physical interrupt; the provider had it served */
	EXIT_NMI,	/* a physical NMI; likewise */
	EXIT_WINDOW,	/* the guest can take the event that it could not take before */
	EXIT_TIMER,	/* the deadline of this entry has come */
	EXIT_CPUID,
	EXIT_RDMSR,
	EXIT_WRMSR,
	EXIT_IO,
	EXIT_CR,
	EXIT_INVLPG, /* under shadow paging */
	EXIT_HLT,
	EXIT_PAUSE,
	EXIT_WBINVD,
	EXIT_XSETBV,
	EXIT_RDPMC,
	EXIT_HYPERCALL,
	EXIT_UNDEFINED, /* an instruction that this virtual CPU does not have */
	EXIT_EXCEPTION, /* an exception that we intercept */
	EXIT_DR,	/* MOV to or from a debug register, for a debugger's sake */
	EXIT_STEP,	/* an instruction is complete, or an event delivered; likewise */
	EXIT_MEMORY,	/* EPT violation or misconfiguration, or a page fault under shadow paging */
	EXIT_TASK_SWITCH,
	EXIT_TRIPLE_FAULT,
	EXIT_BROKEN, /* entry failed, or an exit we never asked for; the reason was logged */
	EXIT_KINDS,
};

struct exit_io {
	u16 port;
	u8 size; /* 1, 2, 4 bytes */
	bool in, string;
};

enum cr_op {
	CR_WRITE,
	CR_READ,
	CR_CLTS,
	CR_LMSW
};

struct exit_cr {
	u8 cr; /* 0, 3, 4, 8 */
	enum cr_op op;
	u8 gpr;	  /* enum gpr */
	u16 lmsw; /* operand of LMSW */
};

struct exit_exception {
	u8 vector;
	bool has_error;
	u32 error;
	u64 qualification; /* #DB: DR6 bits */
	u8 length;	   /* of INT3 */
};

struct exit_dr {
	u8 dr;	/* 0 to 7 */
	u8 gpr; /* enum gpr */
	bool write;
};

struct vcpu_exit {
	union {
		struct exit_io io;
		struct exit_cr cr;
		struct exit_exception exception;
		struct exit_dr dr;
		u64 pending; /* EXIT_STEP: traps that are due, by bits of DR6 */
		struct mmu_fault memory;
		gva_t invlpg;
	};
};

/*
 * One row a kind. handle() returns true when the instruction that exited is complete, so that RIP
 * is to move past it; false when RIP stays (a fault was queued, the instruction was emulated as a
 * whole, or there was none).
 */
struct exit_handler {
	const char *name;
	bool (*handle)(struct vcpu *v, const struct vcpu_exit *e);
};

extern const struct exit_handler exit_handlers[EXIT_KINDS];

#endif
