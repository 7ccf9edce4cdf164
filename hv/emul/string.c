/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * String instructions and port I/O. A repeated instruction is a loop over one step; each step
 * either happens in full or faults and leaves the registers as the steps before it made them.
 */
#include "hv/cpu/regs.h"
#include "hv/emul/exec.h"

#define PORT_SIZE 2 /* bytes of a port number in DX */

/* Moves RSI or RDI on by one element, in the direction that DF says. */
static void advance(struct exec *x, unsigned reg)
{
	unsigned adsize = x->insn->adsize;
	u64 step = x->insn->opsize;

	if (x->cpu->rflags & RFLAGS_DF)
		step = -step;
	reg_write(x->cpu, reg, adsize, reg_read(x->cpu, reg, adsize) + step);
}

/* [seg:RSI]; a segment prefix applies to this one, never to [ES:RDI]. */
static enum emul_result source(struct exec *x, u64 *v)
{
	u64 offset = reg_read(x->cpu, RSI, x->insn->adsize);

	return mem_read(x, x->insn->mem.seg, offset, x->insn->opsize, v);
}

static enum emul_result destination(struct exec *x, u64 *v)
{
	return mem_read(x, SEG_ES, reg_read(x->cpu, RDI, x->insn->adsize), x->insn->opsize, v);
}

static enum emul_result store(struct exec *x, u64 v)
{
	return mem_write(x, SEG_ES, reg_read(x->cpu, RDI, x->insn->adsize), x->insn->opsize, v);
}

static void compare(struct exec *x, u64 left, u64 right)
{
	struct alu a = { .src = right, .in = x->cpu->rflags, .size = x->insn->opsize };

	x->insn->op->alu(&a, left);
	x->cpu->rflags = a.out;
}

static enum emul_result step_movs(struct exec *x)
{
	u64 v;
	enum emul_result r = source(x, &v);

	if (r == EMUL_OK)
		r = store(x, v);
	if (r != EMUL_OK)
		return r;
	advance(x, RSI);
	advance(x, RDI);
	return EMUL_OK;
}

/* Where both operands fault, the processor reports the one at [ES:RDI]. */
static enum emul_result step_cmps(struct exec *x)
{
	u64 left, right;
	enum emul_result r = destination(x, &right);

	if (r == EMUL_OK)
		r = source(x, &left);
	if (r != EMUL_OK)
		return r;
	compare(x, left, right);
	advance(x, RSI);
	advance(x, RDI);
	return EMUL_OK;
}

static enum emul_result step_stos(struct exec *x)
{
	enum emul_result r = store(x, reg_read(x->cpu, RAX, x->insn->opsize));

	if (r == EMUL_OK)
		advance(x, RDI);
	return r;
}

static enum emul_result step_lods(struct exec *x)
{
	u64 v;
	enum emul_result r = source(x, &v);

	if (r != EMUL_OK)
		return r;
	reg_write(x->cpu, RAX, x->insn->opsize, v);
	advance(x, RSI);
	return EMUL_OK;
}

static enum emul_result step_scas(struct exec *x)
{
	u64 v;
	enum emul_result r = destination(x, &v);

	if (r != EMUL_OK)
		return r;
	compare(x, reg_read(x->cpu, RAX, x->insn->opsize), v);
	advance(x, RDI);
	return EMUL_OK;
}

/* The destination is probed first: what a port has given cannot be put back. */
static enum emul_result step_ins(struct exec *x)
{
	unsigned size = x->insn->opsize;
	u64 linear, offset = reg_read(x->cpu, RDI, x->insn->adsize);
	u16 port = (u16)reg_read(x->cpu, RDX, PORT_SIZE);
	u32 v = 0;
	enum emul_result r = mem_linear(x, SEG_ES, offset, size, MEM_WRITE, &linear);

	if (r == EMUL_OK)
		r = x->ops->probe_write(x->ctx, linear, size, x->f);
	if (r == EMUL_OK)
		r = x->ops->in(x->ctx, port, size, &v, x->f);
	if (r == EMUL_OK)
		r = x->ops->write(x->ctx, linear, size, v, x->f);
	if (r == EMUL_OK)
		advance(x, RDI);
	return r;
}

static enum emul_result step_outs(struct exec *x)
{
	u64 v;
	enum emul_result r = source(x, &v);

	if (r == EMUL_OK)
		r = x->ops->out(x->ctx, (u16)reg_read(x->cpu, RDX, PORT_SIZE), x->insn->opsize,
			(u32)v, x->f);
	if (r == EMUL_OK)
		advance(x, RSI);
	return r;
}

/*
 * "REP/REPE/REPZ/REPNE/REPNZ": until the count register, of the address size, is 0; CMPS and SCAS
 * (compares) also until ZF is not what the prefix says.
 */
static enum emul_result repeat(struct exec *x, exec_fn *step, bool compares)
{
	const struct insn *insn = x->insn;
	enum emul_result r;
	u64 count;

	if (!insn->rep)
		return step(x);
	for (unsigned n = 0;; n++) {
		count = reg_read(x->cpu, RCX, insn->adsize);
		if (count == 0)
			return EMUL_OK;
		if (n == x->max_reps)
			return EMUL_AGAIN;
		r = step(x);
		if (r != EMUL_OK)
			return r;
		reg_write(x->cpu, RCX, insn->adsize, count - 1);
		if (compares && !!(x->cpu->rflags & RFLAGS_ZF) != (insn->rep == PREFIX_REP))
			return EMUL_OK;
	}
}

enum emul_result exec_movs(struct exec *x)
{
	return repeat(x, step_movs, false);
}

enum emul_result exec_cmps(struct exec *x)
{
	return repeat(x, step_cmps, true);
}

enum emul_result exec_stos(struct exec *x)
{
	return repeat(x, step_stos, false);
}

enum emul_result exec_lods(struct exec *x)
{
	return repeat(x, step_lods, false);
}

enum emul_result exec_scas(struct exec *x)
{
	return repeat(x, step_scas, true);
}

enum emul_result exec_ins(struct exec *x)
{
	return repeat(x, step_ins, false);
}

enum emul_result exec_outs(struct exec *x)
{
	return repeat(x, step_outs, false);
}

/* The port is a byte in the instruction, or DX. */
static u16 port_number(const struct exec *x, const struct operand *o)
{
	if (o->kind == OPND_IMM)
		return (u8)x->insn->imm;
	return (u16)reg_read(x->cpu, RDX, PORT_SIZE);
}

enum emul_result exec_in(struct exec *x)
{
	unsigned size = x->insn->opsize;
	u32 v = 0;
	enum emul_result r = x->ops->in(x->ctx, port_number(x, &x->insn->src), size, &v, x->f);

	if (r == EMUL_OK)
		reg_write(x->cpu, RAX, size, v);
	return r;
}

enum emul_result exec_out(struct exec *x)
{
	unsigned size = x->insn->opsize;
	u32 v = (u32)reg_read(x->cpu, RAX, size);

	return x->ops->out(x->ctx, port_number(x, &x->insn->dst), size, v, x->f);
}
