/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions, one handler for each kind: moves, arithmetic, exchanges, bits, stack. Nothing
 * of the CPU changes before the last step that can fault.
 */
#include "hv/cpu/regs.h"
#include "hv/emul/exec.h"

enum emul_result exec_mov(struct exec *x)
{
	const struct insn *insn = x->insn;
	u64 v;
	enum emul_result r = operand_read(x, &insn->src, insn->opsize, &v);

	if (r != EMUL_OK)
		return r;
	return operand_write(x, &insn->dst, insn->opsize, v);
}

enum emul_result exec_movzx(struct exec *x)
{
	const struct insn *insn = x->insn;
	u64 v;
	enum emul_result r = operand_read(x, &insn->src, insn->srcsize, &v);

	if (r == EMUL_OK)
		reg_write(x->cpu, insn->dst.reg, insn->opsize, v);
	return r;
}

enum emul_result exec_movsx(struct exec *x)
{
	const struct insn *insn = x->insn;
	u64 v;
	enum emul_result r = operand_read(x, &insn->src, insn->srcsize, &v);

	if (r == EMUL_OK)
		reg_write(x->cpu, insn->dst.reg, insn->opsize, sign_extend(v, insn->srcsize));
	return r;
}

enum emul_result exec_movbe(struct exec *x)
{
	const struct insn *insn = x->insn;
	u64 v;
	enum emul_result r = operand_read(x, &insn->src, insn->opsize, &v);

	if (r != EMUL_OK)
		return r;
	v = __builtin_bswap64(v) >> (64 - 8 * insn->opsize);
	return operand_write(x, &insn->dst, insn->opsize, v);
}

/* The source is read, and the upper half of a 32-bit destination cleared, whatever the condition.
 */
enum emul_result exec_cmov(struct exec *x)
{
	const struct insn *insn = x->insn;
	u64 v;
	enum emul_result r = operand_read(x, &insn->src, insn->opsize, &v);

	if (r != EMUL_OK)
		return r;
	if (!alu_condition(insn->opcode, x->cpu->rflags))
		v = reg_read(x->cpu, insn->dst.reg, insn->opsize);
	reg_write(x->cpu, insn->dst.reg, insn->opsize, v);
	return EMUL_OK;
}

enum emul_result exec_setcc(struct exec *x)
{
	return operand_write(x, &x->insn->dst, 1, alu_condition(x->insn->opcode, x->cpu->rflags));
}

/* Read, compute, write of the destination; a holds the source. *old: the destination as it was. */
static enum emul_result update(struct exec *x, alu_fn *fn, struct alu *a, u64 *old)
{
	const struct insn *insn = x->insn;
	u64 linear;
	enum emul_result r;

	a->in = x->cpu->rflags;
	a->size = insn->opsize;
	if (insn->dst.kind == OPND_REG) {
		*old = reg_read(x->cpu, insn->dst.reg, insn->opsize);
		reg_write(x->cpu, insn->dst.reg, insn->opsize, fn(a, *old));
		r = EMUL_OK;
	} else {
		r = mem_linear(x, insn->mem.seg, mem_offset(x), insn->opsize, MEM_WRITE, &linear);
		if (r == EMUL_OK)
			r = mem_update(x, linear, fn, a, old);
	}
	if (r == EMUL_OK)
		x->cpu->rflags = a->out;
	return r;
}

enum emul_result exec_alu(struct exec *x)
{
	struct alu a;
	u64 old;
	enum emul_result r = operand_read(x, &x->insn->src, x->insn->opsize, &a.src);

	if (r != EMUL_OK)
		return r;
	return update(x, x->insn->op->alu, &a, &old);
}

/* CMP and TEST: the flags alone. */
enum emul_result exec_cmp(struct exec *x)
{
	const struct insn *insn = x->insn;
	struct alu a = { .in = x->cpu->rflags, .size = insn->opsize };
	u64 dst;
	enum emul_result r = operand_read(x, &insn->src, insn->opsize, &a.src);

	if (r == EMUL_OK)
		r = operand_read(x, &insn->dst, insn->opsize, &dst);
	if (r != EMUL_OK)
		return r;
	insn->op->alu(&a, dst);
	x->cpu->rflags = a.out;
	return EMUL_OK;
}

/* XCHG and XADD: the old destination goes to the source, which is a register. */
static enum emul_result exchange(struct exec *x, bool source_last)
{
	const struct insn *insn = x->insn;
	struct alu a = { .src = reg_read(x->cpu, insn->src.reg, insn->opsize) };
	u64 old;
	enum emul_result r = update(x, insn->op->alu, &a, &old);

	if (r == EMUL_OK &&
		(source_last || insn->dst.kind == OPND_MEM || insn->dst.reg != insn->src.reg))
		reg_write(x->cpu, insn->src.reg, insn->opsize, old);
	return r;
}

enum emul_result exec_xchg(struct exec *x)
{
	return exchange(x, true);
}

/* With one register as both operands the sum stays. */
enum emul_result exec_xadd(struct exec *x)
{
	return exchange(x, false);
}

/* A register that is not equal is not written, and so keeps its upper half. */
static u64 cmpxchg_register(struct exec *x, struct alu *a)
{
	unsigned reg = x->insn->dst.reg, size = x->insn->opsize;
	u64 old = reg_read(x->cpu, reg, size);
	u64 new_val = alu_cmpxchg(a, old);

	if (old == a->acc)
		reg_write(x->cpu, reg, size, new_val);
	x->cpu->rflags = a->out;
	return old;
}

enum emul_result exec_cmpxchg(struct exec *x)
{
	const struct insn *insn = x->insn;
	struct alu a = {
		.src = reg_read(x->cpu, insn->src.reg, insn->opsize),
		.acc = reg_read(x->cpu, RAX, insn->opsize),
		.in = x->cpu->rflags,
		.size = insn->opsize,
	};
	enum emul_result r = EMUL_OK;
	u64 old;

	if (insn->dst.kind == OPND_REG)
		old = cmpxchg_register(x, &a);
	else
		r = update(x, insn->op->alu, &a, &old);
	if (r == EMUL_OK && old != a.acc)
		reg_write(x->cpu, RAX, insn->opsize, old);
	return r;
}

static u64 register_pair(const struct emul_cpu *cpu, unsigned high, unsigned low)
{
	return reg_read(cpu, high, 4) << 32 | reg_read(cpu, low, 4);
}

static enum emul_result cmpxchg8(struct exec *x)
{
	struct alu a = {
		.src = register_pair(x->cpu, RCX, RBX),
		.acc = register_pair(x->cpu, RDX, RAX),
	};
	u64 old;
	enum emul_result r = update(x, alu_cmpxchg8b, &a, &old);

	if (r == EMUL_OK && old != a.acc) {
		reg_write(x->cpu, RAX, 4, old);
		reg_write(x->cpu, RDX, 4, old >> 32);
	}
	return r;
}

/*
 * 16 bytes are beyond the callbacks: reads and writes of halves. Aligned as they must be, they lie
 * in one page, so that none of these faults but the first; and they are atomic to the other vCPUs
 * of a VM, which take turns on one physical CPU.
 */
static enum emul_result cmpxchg16(struct exec *x)
{
	struct emul_cpu *cpu = x->cpu;
	u64 old[2], linear;
	enum emul_result r;
	bool equal;

	/* As for one byte: if it is aligned all of it is as good, and if not it is no #AC. */
	r = mem_linear(x, x->insn->mem.seg, mem_offset(x), 1, MEM_WRITE, &linear);
	if (r == EMUL_OK && !IS_ALIGNED(linear, sizeof(old)))
		r = emul_raise(cpu, x->f, VEC_GP);
	if (r == EMUL_OK)
		r = x->ops->probe_write(x->ctx, linear, sizeof(old), x->f);
	for (unsigned i = 0; i < 2 && r == EMUL_OK; i++)
		r = x->ops->read(x->ctx, linear + i * sizeof(u64), sizeof(u64), &old[i], x->f);
	if (r != EMUL_OK)
		return r;
	equal = old[0] == cpu->gpr[RAX] && old[1] == cpu->gpr[RDX];
	for (unsigned i = 0; i < 2 && r == EMUL_OK; i++) {
		u64 new_val = cpu->gpr[i ? RCX : RBX];

		r = x->ops->write(x->ctx, linear + i * sizeof(u64), sizeof(u64),
			equal ? new_val : old[i], x->f);
	}
	if (r != EMUL_OK)
		return r;
	if (!equal) {
		cpu->gpr[RAX] = old[0];
		cpu->gpr[RDX] = old[1];
	}
	cpu->rflags = (cpu->rflags & ~RFLAGS_ZF) | (equal ? RFLAGS_ZF : 0);
	return EMUL_OK;
}

enum emul_result exec_cmpxchg8b(struct exec *x)
{
	return x->insn->opsize == 16 ? cmpxchg16(x) : cmpxchg8(x);
}

/*
 * A bit number in a register reaches outside a memory operand: the operand is taken at the address
 * moved by the (signed) number of whole operands in it. An immediate one does not.
 */
static u64 bit_offset(const struct exec *x, u64 bit)
{
	unsigned size = x->insn->opsize, bits = 8 * size;
	s64 operands = (s64)sign_extend(bit, size) / (s64)bits;

	if ((s64)sign_extend(bit, size) < 0 && (bit & (bits - 1)))
		operands--;
	return (mem_offset(x) + (u64)operands * size) & size_mask(x->insn->adsize);
}

static enum emul_result bt_memory(struct exec *x, struct alu *a, u64 offset)
{
	bool write = x->insn->op->alu != alu_bt;
	u64 linear, old = 0;
	enum emul_result r = mem_linear(x, x->insn->mem.seg, offset, a->size, write, &linear);

	if (r != EMUL_OK)
		return r;
	if (write)
		return mem_update(x, linear, x->insn->op->alu, a, &old);
	r = x->ops->read(x->ctx, linear, a->size, &old, x->f);
	if (r == EMUL_OK)
		alu_bt(a, old);
	return r;
}

enum emul_result exec_bt(struct exec *x)
{
	const struct insn *insn = x->insn;
	struct alu a = { .in = x->cpu->rflags, .size = insn->opsize };
	u64 bit, old;
	enum emul_result r = operand_read(x, &insn->src, insn->opsize, &bit);

	if (r != EMUL_OK)
		return r;
	a.src = bit & (8u * insn->opsize - 1);
	if (insn->dst.kind == OPND_REG && insn->op->alu != alu_bt)
		return update(x, insn->op->alu, &a, &old);
	if (insn->dst.kind == OPND_REG)
		alu_bt(&a, reg_read(x->cpu, insn->dst.reg, insn->opsize)); /* and writes nothing */
	else
		r = bt_memory(
			x, &a, insn->src.kind == OPND_REG ? bit_offset(x, bit) : mem_offset(x));
	if (r == EMUL_OK)
		x->cpu->rflags = a.out;
	return r;
}

/* Bytes of the stack pointer in use: "Stack Behavior in 64-Bit Mode", else SS.B. */
static unsigned stack_size(const struct emul_cpu *cpu)
{
	if (cpu->mode == EMUL_MODE_64)
		return 8;
	return cpu->seg[SEG_SS].ar & SEG_AR_DB ? 4 : 2;
}

enum emul_result exec_push(struct exec *x)
{
	const struct insn *insn = x->insn;
	unsigned width = stack_size(x->cpu);
	u64 sp = (reg_read(x->cpu, RSP, width) - insn->opsize) & size_mask(width);
	u64 v;
	enum emul_result r = operand_read(x, &insn->src, insn->opsize, &v);

	if (r == EMUL_OK)
		r = mem_write(x, SEG_SS, sp, insn->opsize, v);
	if (r == EMUL_OK)
		reg_write(x->cpu, RSP, width, sp);
	return r;
}

/* A destination addressed by RSP is addressed by the new one; POP RSP leaves what was popped. */
enum emul_result exec_pop(struct exec *x)
{
	const struct insn *insn = x->insn;
	unsigned width = stack_size(x->cpu);
	u64 before = x->cpu->gpr[RSP], sp = reg_read(x->cpu, RSP, width);
	u64 v;
	enum emul_result r = mem_read(x, SEG_SS, sp, insn->opsize, &v);

	if (r != EMUL_OK)
		return r;
	reg_write(x->cpu, RSP, width, sp + insn->opsize);
	r = operand_write(x, &insn->dst, insn->opsize, v);
	if (r != EMUL_OK)
		x->cpu->gpr[RSP] = before;
	return r;
}

/*
 * Outside 64-bit mode the instruction pointer has 32 bits, in 16-bit code too: running over the end
 * of a 64 KB segment is left to the limit check of the next fetch, as the hardware does.
 */
enum emul_result emul_execute(const struct insn *insn, struct emul_cpu *cpu,
	const struct emul_ops *ops, void *ctx, unsigned max_reps, struct emul_fault *f)
{
	struct exec x = {
		.insn = insn, .cpu = cpu, .ops = ops, .ctx = ctx, .f = f, .max_reps = max_reps
	};
	enum emul_result r = insn->op->exec(&x);

	if (r != EMUL_OK)
		return r;
	cpu->rip += insn->len;
	if (cpu->mode != EMUL_MODE_64)
		cpu->rip = (u32)cpu->rip;
	cpu->rflags &= ~RFLAGS_RF;
	return EMUL_OK;
}
