/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From bytes to struct insn ("Instruction Format"): prefixes, opcode, ModRM, SIB, displacement and
 * immediate. Reads no register: addresses are formed when the instruction is executed.
 */
#include "hv/cpu/regs.h"
#include "hv/emul/exec.h"
#include "hv/lib/string.h"

#define REX_W 0x8u
#define REX_R 0x4u
#define REX_X 0x2u
#define REX_B 0x1u

#define SEG_NONE SEG_COUNT /* no segment prefix */

struct decoder {
	struct insn *insn;
	const struct emul_cpu *cpu;
	struct emul_fault *f;
	const u8 *bytes;
	unsigned len, pos;
	unsigned map;	  /* opcode map of the opcode */
	unsigned segment; /* from a prefix */
	u8 rex;		  /* 0: none */
	u8 modrm;
	bool has_modrm, opsize, adsize; /* prefixes 66 and 67 */
	bool stack_base;		/* the base register implies SS */
};

/* The bytes have ended: the instruction is too long, or the caller must fetch more. */
static enum emul_result out_of_bytes(struct decoder *d, unsigned need)
{
	if (d->pos + need > INSN_MAX)
		return emul_raise(d->cpu, d->f, VEC_GP);
	return EMUL_AGAIN;
}

/* The next n bytes, little-endian, sign-extended. */
static inline enum emul_result take(struct decoder *d, unsigned n, u64 *value)
{
	u64 v = 0;

	if (unlikely(d->pos + n > d->len))
		return out_of_bytes(d, n);
	memcpy(&v, d->bytes + d->pos, n);
	d->pos += n;
	*value = sign_extend(v, n);
	return EMUL_OK;
}

static inline enum emul_result take_byte(struct decoder *d, u8 *value)
{
	if (unlikely(d->pos >= d->len))
		return out_of_bytes(d, 1);
	*value = d->bytes[d->pos++];
	return EMUL_OK;
}

/* ES, CS, SS and DS prefixes mean nothing in 64-bit mode, and do not undo FS or GS. */
static void segment_prefix(struct decoder *d, unsigned seg)
{
	if (d->cpu->mode != EMUL_MODE_64 || seg >= SEG_FS)
		d->segment = seg;
}

/* False if the row is no prefix. A REX prefix counts only right before the opcode. */
static bool prefix(struct decoder *d, const struct opcode *row, u8 byte)
{
	u8 rex = 0;

	switch (row->kind) {
	case ROW_SEGMENT: segment_prefix(d, row->arg); break;
	case ROW_OPSIZE: d->opsize = true; break;
	case ROW_ADSIZE: d->adsize = true; break;
	case ROW_LOCK: d->insn->lock = true; break;
	case ROW_REP: d->insn->rep = row->arg; break;
	case ROW_REX:
		if (d->cpu->mode != EMUL_MODE_64)
			return false;
		rex = byte;
		break;
	default: return false;
	}
	d->rex = rex;
	return true;
}

/* Prefixes, escapes and opcode; *row is that of the opcode. */
static enum emul_result opcode(struct decoder *d, const struct opcode **row)
{
	u8 byte = 0;
	enum emul_result r;

	do {
		r = take_byte(d, &byte);
		if (r != EMUL_OK)
			return r;
		*row = &opcode_map[0][byte];
	} while (prefix(d, *row, byte));

	while ((*row)->kind == ROW_ESCAPE) {
		d->map = (*row)->arg;
		r = take_byte(d, &byte);
		if (r != EMUL_OK)
			return r;
		*row = &opcode_map[d->map][byte];
	}
	d->insn->opcode = byte;
	return EMUL_OK;
}

static u8 operand_size(const struct decoder *d, u16 flags)
{
	enum emul_mode mode = d->cpu->mode;
	u8 size;

	if (flags & OP_PAIR)
		return d->rex & REX_W ? 16 : 8;
	if (flags & OP_BYTE)
		return 1;
	if (d->rex & REX_W)
		size = 8;
	else if (mode == EMUL_MODE_64 && (flags & OP_D64))
		size = d->opsize ? 2 : 8;
	else
		size = d->opsize == (mode == EMUL_MODE_16) || (flags & OP_NO16) ? 4 : 2;
	return size == 8 && (flags & OP_IO) ? 4 : size;
}

static u8 address_size(const struct decoder *d)
{
	if (d->cpu->mode == EMUL_MODE_64)
		return d->adsize ? 4 : 8;
	return d->adsize == (d->cpu->mode == EMUL_MODE_16) ? 4 : 2;
}

static u8 source_size(const struct insn *insn)
{
	if (insn->flags & OP_SRC8)
		return 1;
	if (insn->flags & OP_SRC16)
		return 2;
	if (insn->flags & OP_SRC32)
		return insn->opsize == 8 ? 4 : insn->opsize;
	return insn->opsize;
}

/* "16-Bit Addressing Forms with the ModR/M Byte". */
static enum emul_result address16(struct decoder *d)
{
	static const struct {
		u8 base, index;
	} form[8] = {
		{ RBX, RSI },
		{ RBX, RDI },
		{ RBP, RSI },
		{ RBP, RDI },
		{ RSI, REG_NONE },
		{ RDI, REG_NONE },
		{ RBP, REG_NONE },
		{ RBX, REG_NONE },
	};
	struct mem_operand *m = &d->insn->mem;
	unsigned mod = d->modrm >> 6, rm = d->modrm & 7;

	m->base = form[rm].base;
	m->index = form[rm].index;
	if (mod == 0 && rm == 6) {
		m->base = REG_NONE;
		mod = 2;
	}
	d->stack_base = m->base == RBP;
	return mod ? take(d, mod, &m->disp) : EMUL_OK;
}

static enum emul_result sib(struct decoder *d, bool *no_base)
{
	struct mem_operand *m = &d->insn->mem;
	u8 byte = 0;
	enum emul_result r = take_byte(d, &byte);
	unsigned index = ((byte >> 3) & 7u) | (d->rex & REX_X ? 8u : 0u);

	if (r != EMUL_OK)
		return r;
	m->shift = byte >> 6;
	m->index = index == RSP ? REG_NONE : (u8)index;
	m->base = (u8)((byte & 7u) | (d->rex & REX_B ? 8u : 0u));
	*no_base = d->modrm >> 6 == 0 && (byte & 7) == RBP;
	if (*no_base)
		m->base = REG_NONE;
	return EMUL_OK;
}

/* "32-Bit Addressing Forms with the ModR/M Byte", "... with the SIB Byte", "RIP-Relative
 * Addressing". */
static enum emul_result address32(struct decoder *d)
{
	struct mem_operand *m = &d->insn->mem;
	unsigned mod = d->modrm >> 6, rm = d->modrm & 7;
	unsigned disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	bool no_base = false;

	if (rm == RSP) {
		enum emul_result r = sib(d, &no_base);

		if (r != EMUL_OK)
			return r;
	} else if (mod == 0 && rm == RBP) {
		m->base = d->cpu->mode == EMUL_MODE_64 ? REG_RIP : REG_NONE;
		no_base = true;
	} else {
		m->base = (u8)(rm | (d->rex & REX_B ? 8u : 0u));
	}
	if (no_base)
		disp = 4;
	d->stack_base = m->base == RSP || m->base == RBP;
	return disp ? take(d, disp, &m->disp) : EMUL_OK;
}

static enum emul_result modrm(struct decoder *d)
{
	enum emul_result r = take_byte(d, &d->modrm);

	d->has_modrm = true;
	return r;
}

static enum emul_result address(struct decoder *d)
{
	if (d->modrm >> 6 == 3)
		return EMUL_OK;
	return d->insn->adsize == 2 ? address16(d) : address32(d);
}

/* Without REX, 4 to 7 as a byte register are AH, CH, DH and BH. */
static void set_reg(const struct decoder *d, struct operand *o, unsigned reg, unsigned size)
{
	o->kind = OPND_REG;
	o->reg = (u8)(size == 1 && !d->rex && reg >= 4 ? (reg - 4) | REG_HIGH : reg);
}

static void set_rm(const struct decoder *d, struct operand *o, unsigned size)
{
	if (d->modrm >> 6 == 3)
		set_reg(d, o, (d->modrm & 7u) | (d->rex & REX_B ? 8u : 0u), size);
	else
		o->kind = OPND_MEM;
}

static enum emul_result immediate(struct decoder *d, struct operand *o, unsigned size)
{
	o->kind = OPND_IMM;
	return take(d, size, &d->insn->imm);
}

static enum emul_result operand(struct decoder *d, unsigned enc, struct operand *o, unsigned size)
{
	switch ((enum operand_enc)enc) {
	case ENC_RM: set_rm(d, o, size); break;
	case ENC_REG:
		set_reg(d, o, ((d->modrm >> 3) & 7u) | (d->rex & REX_R ? 8u : 0u), size);
		break;
	case ENC_OPREG:
		set_reg(d, o, (d->insn->opcode & 7u) | (d->rex & REX_B ? 8u : 0u), size);
		break;
	case ENC_ACC: set_reg(d, o, RAX, size); break;
	case ENC_CL: set_reg(d, o, RCX, size); break;
	case ENC_DX: set_reg(d, o, RDX, size); break;
	case ENC_MOFFS: o->kind = OPND_MEM; return take(d, d->insn->adsize, &d->insn->mem.disp);
	case ENC_IMM: return immediate(d, o, MIN(size, 4u));
	case ENC_IMM8: return immediate(d, o, 1);
	case ENC_ONE:
		o->kind = OPND_IMM;
		d->insn->imm = 1;
		break;
	case ENC_NONE: o->kind = OPND_NONE; break;
	}
	return EMUL_OK;
}

/* Sizes and operands, once the row is known. */
static enum emul_result operands(struct decoder *d, unsigned dst, unsigned src)
{
	struct insn *insn = d->insn;
	bool needs_modrm = dst == ENC_RM || dst == ENC_REG || src == ENC_RM || src == ENC_REG;
	enum emul_result r = EMUL_OK;

	insn->opsize = operand_size(d, insn->flags);
	insn->adsize = address_size(d);
	insn->srcsize = source_size(insn);
	if (needs_modrm && !d->has_modrm)
		r = modrm(d);
	if (r == EMUL_OK && d->has_modrm)
		r = address(d);
	if (r == EMUL_OK)
		r = operand(d, dst, &insn->dst, insn->opsize);
	if (r == EMUL_OK)
		r = operand(d, src, &insn->src, insn->srcsize);
	return r;
}

/* Forms that the row does not stand for: another instruction, or none. */
static enum emul_result check_forms(struct decoder *d)
{
	const struct insn *insn = d->insn;
	unsigned flags = insn->flags;

	if ((flags & OP_NO64) && d->cpu->mode == EMUL_MODE_64)
		return emul_raise(d->cpu, d->f, VEC_UD);
	if (insn->lock && !((flags & OP_LOCK) && insn->dst.kind == OPND_MEM))
		return emul_raise(d->cpu, d->f, VEC_UD);
	return EMUL_OK;
}

static bool is_known(const struct decoder *d, const struct opcode *row, u16 flags)
{
	if (row->kind != ROW_INSN)
		return false;
	if ((flags & OP_ONLY64) && d->cpu->mode != EMUL_MODE_64)
		return false;
	if ((flags & OP_MEM) && d->has_modrm && d->modrm >> 6 == 3)
		return false;
	if ((flags & OP_NO66) && d->opsize)
		return false;
	return !((flags & OP_NOREP) && d->insn->rep);
}

/* In 64-bit mode only FS and GS have a base, and no segment has a limit. */
static u8 segments(const struct decoder *d, const struct insn *insn)
{
	unsigned used = (unsigned)BIT(insn->mem.seg);

	if (insn->op->exec == exec_push || insn->op->exec == exec_pop)
		used |= BIT(SEG_SS);
	if (insn->flags & OP_STRING)
		used |= BIT(SEG_ES);
	if (d->cpu->mode == EMUL_MODE_64)
		used &= BIT(SEG_FS) | BIT(SEG_GS);
	return (u8)used;
}

static void start(struct decoder *d, struct insn *insn)
{
	insn->mem.disp = 0;
	insn->mem.base = REG_NONE;
	insn->mem.index = REG_NONE;
	insn->mem.shift = 0;
	insn->imm = 0;
	insn->rep = 0;
	insn->lock = false;
	d->insn = insn;
	d->segment = SEG_NONE;
}

enum emul_result emul_decode(struct insn *insn, const u8 *bytes, unsigned len,
	const struct emul_cpu *cpu, struct emul_fault *f)
{
	struct decoder d = { .cpu = cpu, .f = f, .bytes = bytes, .len = len };
	const struct opcode *row = NULL, *group;
	enum emul_result r;

	start(&d, insn);
	r = opcode(&d, &row);
	group = row;
	if (r == EMUL_OK && (row->kind == ROW_GROUP || (row->flags & OP_MEM)))
		r = modrm(&d);
	if (r != EMUL_OK)
		return r;
	if (group->kind == ROW_GROUP)
		row = &group->group[(d.modrm >> 3) & 7];
	insn->op = row;
	insn->flags = row->flags | group->flags;
	if (!is_known(&d, row, insn->flags))
		return EMUL_UNKNOWN;
	r = operands(&d, row->dst ? row->dst : group->dst, row->src ? row->src : group->src);
	if (r != EMUL_OK)
		return r;
	insn->len = (u8)d.pos;
	insn->mem.seg = (u8)(d.segment != SEG_NONE ? d.segment : d.stack_base ? SEG_SS : SEG_DS);
	insn->segments = segments(&d, insn);
	return check_forms(&d);
}
