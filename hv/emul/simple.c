/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Simple instructions: those that write to one place in memory and need nothing else but registers,
 * such as what a kernel writes its page tables with. They are carried out on the place itself, for
 * a caller that knows it already; everything else goes through emul_execute().
 */
#include "hv/emul/exec.h"

#define WORD_BYTES sizeof(u64)

/* RSP is not among the registers that a vcpu keeps in memory; AH to BH are not worth the while. */
static bool is_plain_register(unsigned reg)
{
	return reg < REG_HIGH && reg != RSP;
}

static bool is_plain_source(const struct operand *o)
{
	return o->kind == OPND_IMM || o->kind == OPND_NONE ||
	       (o->kind == OPND_REG && is_plain_register(o->reg));
}

bool emul_is_simple(const struct insn *insn)
{
	exec_fn *exec = insn->op->exec;

	if (insn->dst.kind != OPND_MEM || !is_plain_source(&insn->src) ||
		insn->opsize > WORD_BYTES || insn->adsize != WORD_BYTES || insn->segments ||
		insn->mem.base == RSP)
		return false;
	if (exec == exec_mov || exec == exec_alu)
		return true;
	/* These write a register too, which is simple where all of it is written. */
	if (exec == exec_xchg || exec == exec_cmpxchg)
		return insn->opsize >= sizeof(u32);
	/* A bit number in a register reaches outside the operand. */
	return exec == exec_bt && insn->op->alu != alu_bt && insn->src.kind == OPND_IMM;
}

u64 emul_simple_address(const struct insn *insn, const u64 *gpr, u64 rip)
{
	const struct mem_operand *m = &insn->mem;
	u64 address = m->disp;

	if (m->base < REG_HIGH)
		address += gpr[m->base];
	else if (m->base == REG_RIP)
		address += rip + insn->len;
	if (m->index < REG_HIGH)
		address += gpr[m->index] << m->shift;
	return address;
}

static inline u64 source(const struct insn *insn, const u64 *gpr)
{
	return insn->src.kind == OPND_REG ? gpr[insn->src.reg] : insn->imm;
}

/* As the arithmetic functions want it. */
static u64 alu_source(const struct insn *insn, const u64 *gpr)
{
	if (insn->op->exec == exec_bt)
		return source(insn, gpr) & (8u * insn->opsize - 1);
	return source(insn, gpr) & size_mask(insn->opsize);
}

/* In general. A place of less than a word is exchanged with the word that it lies in. */
static __attribute__((noinline)) void update(
	const struct insn *insn, u64 *gpr, u64 *rflags, void *place)
{
	unsigned shift = 8 * ((u64)place % WORD_BYTES);
	u64 *word = (u64 *)ALIGN_DOWN((u64)place, WORD_BYTES), seen = READ_ONCE(*word);
	u64 mask = size_mask(insn->opsize), old, new_val;
	struct alu a = { .src = alu_source(insn, gpr),
		.acc = gpr[RAX] & mask,
		.in = *rflags,
		.out = *rflags,
		.size = insn->opsize };

	do {
		old = (seen >> shift) & mask;
		new_val = insn->op->alu ? insn->op->alu(&a, old) & mask : a.src;
		new_val = (seen & ~(mask << shift)) | new_val << shift;
	} while (!__atomic_compare_exchange_n(
		word, &seen, new_val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	if (insn->op->exec == exec_xchg)
		gpr[insn->src.reg] = old;
	else if (insn->op->exec == exec_cmpxchg && old != a.acc)
		gpr[RAX] = old;
	*rflags = a.out;
}

/* Nearly all are MOV and XCHG of a word. */
void emul_simple(const struct insn *insn, u64 *gpr, u64 *rflags, void *place)
{
	exec_fn *exec = insn->op->exec;
	u64 *word = place;

	if (exec == exec_mov && insn->opsize == WORD_BYTES)
		WRITE_ONCE(*word, source(insn, gpr));
	else if (exec == exec_xchg && insn->opsize == WORD_BYTES)
		gpr[insn->src.reg] =
			__atomic_exchange_n(word, gpr[insn->src.reg], __ATOMIC_SEQ_CST);
	else
		update(insn, gpr, rflags, place);
}
