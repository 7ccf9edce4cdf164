/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the handlers of instructions share: access to registers and memory with all the checks of
 * the manual, and the arithmetic. Internal to hv/emul/.
 */
#ifndef HV_EMUL_EXEC_H
#define HV_EMUL_EXEC_H

#include "hv/emul/insn.h"

/* One execution: the instruction, the CPU, and the way out. */
struct exec {
	const struct insn *insn;
	struct emul_cpu *cpu;
	const struct emul_ops *ops;
	void *ctx;
	struct emul_fault *f;
	unsigned max_reps;
};

/* Operands of an arithmetic function; the destination is its argument. */
struct alu {
	u64 src;
	u64 acc;       /* CMPXCHG: what the destination is compared with */
	u64 in, out;   /* RFLAGS before and after */
	unsigned size; /* bytes */
};

#define MEM_READ  false
#define MEM_WRITE true

static inline u64 size_mask(unsigned size)
{
	return ~0ul >> (64 - 8 * size);
}

/* size_sign(): the most significant bit of an operand of size bytes. */
static inline u64 size_sign(unsigned size)
{
	return 1ul << (8 * size - 1);
}

/* sign_extend(): size is 1, 2, 4 or 8 bytes. */
static inline u64 sign_extend(u64 v, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (u64)((s64)(v << shift) >> shift);
}

/* Fills in a fault; has_error is for vectors that push an error code (0) in protected mode. */
enum emul_result emul_raise(const struct emul_cpu *cpu, struct emul_fault *f, u8 vector);

/* Registers: reg may have REG_HIGH; a 4-byte write clears the upper half, shorter ones keep it. */
u64 reg_read(const struct emul_cpu *cpu, unsigned reg, unsigned size);
void reg_write(struct emul_cpu *cpu, unsigned reg, unsigned size, u64 value);

/* The offset of the memory operand in its segment. */
u64 mem_offset(const struct exec *x);

/*
 * mem_linear(): seg:offset to a linear address, checked as "Limit Checking", "Type Checking",
 * "Canonical Addressing" and "Alignment Check Exception" say for size bytes.
 */
enum emul_result mem_linear(
	struct exec *x, unsigned seg, u64 offset, unsigned size, bool write, u64 *linear);

/* Both steps and the access, for up to 8 bytes. */
enum emul_result mem_read(struct exec *x, unsigned seg, u64 offset, unsigned size, u64 *value);
enum emul_result mem_write(struct exec *x, unsigned seg, u64 offset, unsigned size, u64 value);

/*
 * mem_update(): *old = [linear]; [linear] = fn(a, *old). Atomic with LOCK (or OP_ATOMIC). Write
 * permission is checked before anything is read. EMUL_AGAIN, with nothing changed, if others keep
 * changing the location.
 */
enum emul_result mem_update(struct exec *x, u64 linear, alu_fn *fn, struct alu *a, u64 *old);

/* An operand of the instruction, register, memory or immediate. */
enum emul_result operand_read(struct exec *x, const struct operand *o, unsigned size, u64 *value);
enum emul_result operand_write(struct exec *x, const struct operand *o, unsigned size, u64 value);

/* alu_condition(): "Condition Test" cc, the low four bits of Jcc, SETcc and CMOVcc. */
bool alu_condition(unsigned cc, u64 rflags);

alu_fn alu_add, alu_or, alu_adc, alu_sbb, alu_and, alu_sub, alu_xor, alu_inc, alu_dec, alu_neg,
	alu_not;
alu_fn alu_rol, alu_ror, alu_rcl, alu_rcr, alu_shl, alu_shr, alu_sar;
alu_fn alu_bt, alu_bts, alu_btr, alu_btc;
alu_fn alu_xchg, alu_cmpxchg, alu_cmpxchg8b;

exec_fn exec_mov, exec_movzx, exec_movsx, exec_movbe, exec_cmov, exec_setcc, exec_push, exec_pop;
exec_fn exec_alu, exec_cmp, exec_xchg, exec_xadd, exec_cmpxchg, exec_cmpxchg8b, exec_bt;
exec_fn exec_movs, exec_cmps, exec_stos, exec_lods, exec_scas, exec_ins, exec_outs, exec_in,
	exec_out;

#endif
