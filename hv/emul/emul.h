/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction decoder and emulator: pure functions over a CPU state and a table of callbacks.
 * They hold no state and know neither VMs nor VMX.
 *
 *   bytes --emul_decode()--> struct insn --emul_execute()--> new state, or a fault, or "unknown"
 */
#ifndef HV_EMUL_EMUL_H
#define HV_EMUL_EMUL_H

#include "hv/lib/util.h"
#include "hv/vm/regs.h"

#define INSN_MAX 15

enum emul_result {
	EMUL_OK,      /* done: registers, flags and RIP are those after the instruction */
	EMUL_FAULT,   /* an exception is to be injected; state is as before the instruction (REP: as
			 of the faulting iteration) */
	EMUL_AGAIN,   /* a REP instruction did its share of iterations, or others keep changing what
			 it needs; RIP unchanged, re-enter the guest */
	EMUL_UNKNOWN, /* not an instruction that we emulate: the caller crashes the VM and prints
			 the bytes */
};

struct emul_fault {
	u8 vector; /* #PF, #GP, #SS, #AC, #UD, ... */
	bool has_error;
	u32 error;
	u64 cr2; /* for #PF */
};

enum emul_mode {
	EMUL_MODE_16, /* real, virtual-8086 or 16-bit code segment */
	EMUL_MODE_32,
	EMUL_MODE_64,
};

/* The state that an instruction sees and changes. The caller fills it in and writes it back on
 * EMUL_OK, EMUL_AGAIN, EMUL_FAULT (REP). */
struct emul_cpu {
	u64 *gpr; /* 16, in encoding order: enum gpr */
	u64 rip;
	u64 rflags;
	u64 cr0, cr4, efer;
	struct segment seg[6]; /* enum seg: ES CS SS DS FS GS */
	unsigned cpl;
	enum emul_mode mode;
	bool real_mode; /* CR0.PE = 0 or RFLAGS.VM: segment limits by the real-mode rules */
};

/*
 * Memory and port access by the caller, of 1 to 8 bytes (a power of two). Addresses are linear,
 * already checked for canonicality, segment limit and alignment; an access may cross a page and
 * must then be all or nothing. Values are little-endian, zero above size. EMUL_FAULT fills in *f.
 */
struct emul_ops {
	enum emul_result (*read)(
		void *ctx, u64 linear, unsigned size, u64 *value, struct emul_fault *f);
	enum emul_result (*write)(
		void *ctx, u64 linear, unsigned size, u64 value, struct emul_fault *f);
	/* Atomic: if the size bytes at linear equal *old, store new_val; *old receives what was
	 * there. */
	enum emul_result (*cmpxchg)(
		void *ctx, u64 linear, u64 *old, u64 new_val, unsigned size, struct emul_fault *f);
	/* Permission check for a read-modify-write, before anything is read: as for a write. size
	 * may be 16. */
	enum emul_result (*probe_write)(void *ctx, u64 linear, unsigned size, struct emul_fault *f);
	enum emul_result (*in)(
		void *ctx, u16 port, unsigned size, u32 *value, struct emul_fault *f);
	enum emul_result (*out)(
		void *ctx, u16 port, unsigned size, u32 value, struct emul_fault *f);
};

struct insn; /* hv/emul/insn.h */

/*
 * emul_decode(): decodes one instruction from len (1..15) bytes.
 * EMUL_OK; EMUL_UNKNOWN; EMUL_FAULT with #UD (bad LOCK) or #GP (longer than 15 bytes), or, when the
 * bytes end too early, EMUL_AGAIN: fetch more and call again.
 */
enum emul_result emul_decode(struct insn *insn, const u8 *bytes, unsigned len,
	const struct emul_cpu *cpu, struct emul_fault *f) __must_check;

/* emul_execute(): carries it out on cpu; at most max_reps iterations of a REP instruction. */
enum emul_result emul_execute(const struct insn *insn, struct emul_cpu *cpu,
	const struct emul_ops *ops, void *ctx, unsigned max_reps,
	struct emul_fault *f) __must_check;

/*
 * The short way for most writes, in 64-bit mode: emul_is_simple() says whether an instruction can
 * go it, emul_simple_address() which linear address it writes to, and emul_simple() carries it out
 * on that place, of which the caller knows that the guest may write there and that it is aligned.
 * Only registers and flags are left to change: RIP, RFLAGS.RF and traps are the caller's.
 */
bool emul_is_simple(const struct insn *insn);
u64 emul_simple_address(const struct insn *insn, const u64 *gpr, u64 rip);
void emul_simple(const struct insn *insn, u64 *gpr, u64 *rflags, void *place);

#endif
