/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operands: registers, and memory through segmentation. Every memory access of every instruction
 * comes through mem_linear(), which holds all the checks that precede paging.
 */
#include "hv/cpu/regs.h"
#include "hv/emul/exec.h"

#define CANONICAL_SHIFT 16 /* 64 - 48: bits that repeat bit 47 */

#define SEG_TYPE_CODE 0x8u
#define SEG_TYPE_DOWN 0x4u /* of data: expand-down */
#define SEG_TYPE_RW   0x2u /* data: writable, code: readable */

#define CPL_USER 3

enum emul_result emul_raise(const struct emul_cpu *cpu, struct emul_fault *f, u8 vector)
{
	f->vector = vector;
	f->has_error = vector != VEC_UD && (cpu->cr0 & CR0_PE);
	f->error = 0;
	f->cr2 = 0;
	return EMUL_FAULT;
}

u64 reg_read(const struct emul_cpu *cpu, unsigned reg, unsigned size)
{
	if (reg & REG_HIGH)
		return (cpu->gpr[reg & 3] >> 8) & 0xff;
	return cpu->gpr[reg & 0xf] & size_mask(size);
}

void reg_write(struct emul_cpu *cpu, unsigned reg, unsigned size, u64 value)
{
	u64 *p = &cpu->gpr[reg & 0xf];
	u64 mask = size_mask(size);

	if (reg & REG_HIGH) {
		p = &cpu->gpr[reg & 3];
		*p = (*p & ~0xff00ul) | ((value & 0xff) << 8);
	} else if (size >= 4) {
		*p = value & mask;
	} else {
		*p = (*p & ~mask) | (value & mask);
	}
}

u64 mem_offset(const struct exec *x)
{
	const struct mem_operand *m = &x->insn->mem;
	u64 offset = m->disp;

	if (m->base < REG_HIGH)
		offset += x->cpu->gpr[m->base];
	else if (m->base == REG_RIP)
		offset += x->cpu->rip + x->insn->len;
	if (m->index < REG_HIGH)
		offset += x->cpu->gpr[m->index] << m->shift;
	return offset & size_mask(x->insn->adsize);
}

static bool is_canonical(u64 linear)
{
	return (u64)((s64)(linear << CANONICAL_SHIFT) >> CANONICAL_SHIFT) == linear;
}

/* "Type Checking": what the segment may be used for. Real mode has no types. */
static bool type_allows(const struct emul_cpu *cpu, const struct segment *s, bool write)
{
	if (cpu->real_mode)
		return true;
	if (s->ar & SEG_AR_UNUSABLE)
		return false;
	if (s->ar & SEG_TYPE_CODE)
		return !write && (s->ar & SEG_TYPE_RW);
	return !write || (s->ar & SEG_TYPE_RW);
}

/* "Limit Checking"; an expand-down segment lies above its limit. offset is at most 32 bits. */
static bool limit_allows(const struct segment *s, u64 offset, unsigned size)
{
	u64 last = offset + size - 1;

	if ((s->ar & (SEG_TYPE_CODE | SEG_TYPE_DOWN)) == SEG_TYPE_DOWN)
		return offset > s->limit && last <= (s->ar & SEG_AR_DB ? 0xfffffffful : 0xfffful);
	return last <= s->limit;
}

/* "Alignment Check Exception": data at CPL 3 only. */
static bool is_misaligned(const struct emul_cpu *cpu, u64 linear, unsigned size)
{
	return (linear & (size - 1)) && (cpu->rflags & RFLAGS_AC) && (cpu->cr0 & CR0_AM) &&
	       cpu->cpl == CPL_USER;
}

/* Outside 64-bit mode. */
static enum emul_result linear_checked(
	struct exec *x, unsigned seg, u64 offset, unsigned size, bool write, u64 *linear)
{
	const struct segment *s = &x->cpu->seg[seg];

	if (!type_allows(x->cpu, s, write) || !limit_allows(s, offset, size))
		return emul_raise(x->cpu, x->f, seg == SEG_SS ? VEC_SS : VEC_GP);
	*linear = (u32)(offset + s->base);
	return EMUL_OK;
}

static inline __attribute__((always_inline)) enum emul_result to_linear(
	struct exec *x, unsigned seg, u64 offset, unsigned size, bool write, u64 *linear)
{
	const struct emul_cpu *cpu = x->cpu;
	enum emul_result r = EMUL_OK;

	if (likely(cpu->mode == EMUL_MODE_64)) {
		*linear = seg >= SEG_FS ? offset + cpu->seg[seg].base : offset;
		if (unlikely(!is_canonical(*linear) || !is_canonical(*linear + size - 1)))
			r = emul_raise(cpu, x->f, seg == SEG_SS ? VEC_SS : VEC_GP);
	} else {
		r = linear_checked(x, seg, offset, size, write, linear);
	}
	if (r == EMUL_OK && unlikely(is_misaligned(cpu, *linear, size)))
		r = emul_raise(cpu, x->f, VEC_AC);
	return r;
}

enum emul_result mem_linear(
	struct exec *x, unsigned seg, u64 offset, unsigned size, bool write, u64 *linear)
{
	return to_linear(x, seg, offset, size, write, linear);
}

enum emul_result mem_read(struct exec *x, unsigned seg, u64 offset, unsigned size, u64 *value)
{
	u64 linear;
	enum emul_result r = to_linear(x, seg, offset, size, MEM_READ, &linear);

	if (r != EMUL_OK)
		return r;
	return x->ops->read(x->ctx, linear, size, value, x->f);
}

enum emul_result mem_write(struct exec *x, unsigned seg, u64 offset, unsigned size, u64 value)
{
	u64 linear;
	enum emul_result r = to_linear(x, seg, offset, size, MEM_WRITE, &linear);

	if (r != EMUL_OK)
		return r;
	return x->ops->write(x->ctx, linear, size, value, x->f);
}

/* Repeats until nobody has changed the location between the look and the exchange. */
static enum emul_result update_locked(
	struct exec *x, u64 linear, alu_fn *fn, struct alu *a, u64 *old)
{
	for (unsigned tries = 0; tries < x->max_reps; tries++) {
		u64 seen = *old, new_val = fn(a, seen);
		enum emul_result r = x->ops->cmpxchg(x->ctx, linear, &seen, new_val, a->size, x->f);

		if (r != EMUL_OK || seen == *old)
			return r;
		*old = seen;
	}
	return EMUL_AGAIN;
}

enum emul_result mem_update(struct exec *x, u64 linear, alu_fn *fn, struct alu *a, u64 *old)
{
	enum emul_result r = x->ops->probe_write(x->ctx, linear, a->size, x->f);

	if (r == EMUL_OK)
		r = x->ops->read(x->ctx, linear, a->size, old, x->f);
	if (r != EMUL_OK)
		return r;
	if (x->insn->lock || (x->insn->flags & OP_ATOMIC))
		return update_locked(x, linear, fn, a, old);
	return x->ops->write(x->ctx, linear, a->size, fn(a, *old), x->f);
}

enum emul_result operand_read(struct exec *x, const struct operand *o, unsigned size, u64 *value)
{
	switch ((enum operand_kind)o->kind) {
	case OPND_REG: *value = reg_read(x->cpu, o->reg, size); return EMUL_OK;
	case OPND_MEM: return mem_read(x, x->insn->mem.seg, mem_offset(x), size, value);
	case OPND_IMM: *value = x->insn->imm & size_mask(size); return EMUL_OK;
	case OPND_NONE: break;
	}
	*value = 0;
	return EMUL_OK;
}

enum emul_result operand_write(struct exec *x, const struct operand *o, unsigned size, u64 value)
{
	if (o->kind == OPND_MEM)
		return mem_write(x, x->insn->mem.seg, mem_offset(x), size, value);
	reg_write(x->cpu, o->reg, size, value);
	return EMUL_OK;
}
