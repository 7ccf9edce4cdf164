/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The opcode tables ("Opcode Map"): what is not named here is not emulated.
 */
#include "hv/emul/exec.h"

/* clang-format off */

#define INSN(n, d, s, fl, ex)     { .kind = ROW_INSN, .name = n, .dst = ENC_##d, .src = ENC_##s, .flags = fl, .exec = exec_##ex }
#define ALU(n, d, s, fl, ex, fn)  { .kind = ROW_INSN, .name = n, .dst = ENC_##d, .src = ENC_##s, .flags = fl, .exec = exec_##ex, .alu = alu_##fn }
#define GROUP(g, d, s, fl)        { .kind = ROW_GROUP, .group = g, .dst = ENC_##d, .src = ENC_##s, .flags = fl }
#define PREFIX(k, a)              { .kind = ROW_##k, .arg = a }

/* The six forms of a two-operand instruction, from opcode o; fl: OP_LOCK or 0. */
#define ALU6(o, n, fl, ex, fn)                             \
	[(o) + 0] = ALU(n, RM, REG, OP_BYTE | (fl), ex, fn), \
	[(o) + 1] = ALU(n, RM, REG, fl, ex, fn),             \
	[(o) + 2] = ALU(n, REG, RM, OP_BYTE, ex, fn),        \
	[(o) + 3] = ALU(n, REG, RM, 0, ex, fn),              \
	[(o) + 4] = ALU(n, ACC, IMM, OP_BYTE, ex, fn),       \
	[(o) + 5] = ALU(n, ACC, IMM, 0, ex, fn)

/* A row for each of eight or sixteen opcodes in sequence. */
#define ROW8(o, ...) \
	[(o) + 0] = __VA_ARGS__, [(o) + 1] = __VA_ARGS__, [(o) + 2] = __VA_ARGS__, [(o) + 3] = __VA_ARGS__, \
	[(o) + 4] = __VA_ARGS__, [(o) + 5] = __VA_ARGS__, [(o) + 6] = __VA_ARGS__, [(o) + 7] = __VA_ARGS__
#define ROW16(o, ...) ROW8(o, __VA_ARGS__), ROW8((o) + 8, __VA_ARGS__)

static const struct opcode group_alu[8] = { /* 80, 81, 82, 83 */
	ALU("add", NONE, NONE, OP_LOCK, alu, add),
	ALU("or",  NONE, NONE, OP_LOCK, alu, or),
	ALU("adc", NONE, NONE, OP_LOCK, alu, adc),
	ALU("sbb", NONE, NONE, OP_LOCK, alu, sbb),
	ALU("and", NONE, NONE, OP_LOCK, alu, and),
	ALU("sub", NONE, NONE, OP_LOCK, alu, sub),
	ALU("xor", NONE, NONE, OP_LOCK, alu, xor),
	ALU("cmp", NONE, NONE, 0,       cmp, sub),
};

static const struct opcode group_shift[8] = { /* C0, C1, D0..D3 */
	ALU("rol", NONE, NONE, 0, alu, rol),
	ALU("ror", NONE, NONE, 0, alu, ror),
	ALU("rcl", NONE, NONE, 0, alu, rcl),
	ALU("rcr", NONE, NONE, 0, alu, rcr),
	ALU("shl", NONE, NONE, 0, alu, shl),
	ALU("shr", NONE, NONE, 0, alu, shr),
	ALU("shl", NONE, NONE, 0, alu, shl), /* an alias, undocumented by Intel, documented by AMD */
	ALU("sar", NONE, NONE, 0, alu, sar),
};

static const struct opcode group_unary[8] = { /* F6, F7 */
	[0] = ALU("test", RM,   IMM,  0,       cmp, and),
	[1] = ALU("test", RM,   IMM,  0,       cmp, and), /* an alias, as above */
	[2] = ALU("not",  NONE, NONE, OP_LOCK, alu, not),
	[3] = ALU("neg",  NONE, NONE, OP_LOCK, alu, neg),
};

static const struct opcode group_inc8[8] = { /* FE */
	[0] = ALU("inc", NONE, NONE, OP_LOCK, alu, inc),
	[1] = ALU("dec", NONE, NONE, OP_LOCK, alu, dec),
};

static const struct opcode group_inc[8] = { /* FF */
	[0] = ALU("inc",   RM,   NONE, OP_LOCK, alu, inc),
	[1] = ALU("dec",   RM,   NONE, OP_LOCK, alu, dec),
	[6] = INSN("push", NONE, RM,   OP_D64,  push),
};

static const struct opcode group_mov[8] = { /* C6, C7 */
	[0] = INSN("mov", NONE, NONE, 0, mov),
};

static const struct opcode group_pop[8] = { /* 8F */
	[0] = INSN("pop", NONE, NONE, 0, pop),
};

static const struct opcode group_bt[8] = { /* 0F BA */
	[4] = ALU("bt",  NONE, NONE, 0,       bt, bt),
	[5] = ALU("bts", NONE, NONE, OP_LOCK, bt, bts),
	[6] = ALU("btr", NONE, NONE, OP_LOCK, bt, btr),
	[7] = ALU("btc", NONE, NONE, OP_LOCK, bt, btc),
};

static const struct opcode group_cmpxchg8b[8] = { /* 0F C7 */
	[1] = ALU("cmpxchg8b", NONE, NONE, OP_LOCK | OP_MEM | OP_PAIR | OP_NOREP, cmpxchg8b, cmpxchg8b),
};

const struct opcode opcode_map[OPCODE_MAPS][256] = {
	[0] = {
		ALU6(0x00, "add", OP_LOCK, alu, add),
		ALU6(0x08, "or",  OP_LOCK, alu, or),
		ALU6(0x10, "adc", OP_LOCK, alu, adc),
		ALU6(0x18, "sbb", OP_LOCK, alu, sbb),
		ALU6(0x20, "and", OP_LOCK, alu, and),
		ALU6(0x28, "sub", OP_LOCK, alu, sub),
		ALU6(0x30, "xor", OP_LOCK, alu, xor),
		ALU6(0x38, "cmp", 0,       cmp, sub),
		[0x0f] = PREFIX(ESCAPE, 1),
		[0x26] = PREFIX(SEGMENT, SEG_ES),
		[0x2e] = PREFIX(SEGMENT, SEG_CS),
		[0x36] = PREFIX(SEGMENT, SEG_SS),
		[0x3e] = PREFIX(SEGMENT, SEG_DS),
		ROW16(0x40, PREFIX(REX, 0)),
		ROW8(0x50, INSN("push", NONE, OPREG, OP_D64, push)),
		ROW8(0x58, INSN("pop", OPREG, NONE, OP_D64, pop)),
		[0x63] = INSN("movsxd", REG, RM, OP_ONLY64 | OP_SRC32, movsx),
		[0x64] = PREFIX(SEGMENT, SEG_FS),
		[0x65] = PREFIX(SEGMENT, SEG_GS),
		[0x66] = PREFIX(OPSIZE, 0),
		[0x67] = PREFIX(ADSIZE, 0),
		[0x68] = INSN("push", NONE, IMM, OP_D64, push),
		[0x6a] = INSN("push", NONE, IMM8, OP_D64, push),
		[0x6c] = INSN("ins", NONE, NONE, OP_STRING | OP_IO | OP_BYTE, ins),
		[0x6d] = INSN("ins", NONE, NONE, OP_STRING | OP_IO, ins),
		[0x6e] = INSN("outs", NONE, NONE, OP_STRING | OP_IO | OP_BYTE, outs),
		[0x6f] = INSN("outs", NONE, NONE, OP_STRING | OP_IO, outs),
		[0x80] = GROUP(group_alu, RM, IMM, OP_BYTE),
		[0x81] = GROUP(group_alu, RM, IMM, 0),
		[0x82] = GROUP(group_alu, RM, IMM, OP_BYTE | OP_NO64),
		[0x83] = GROUP(group_alu, RM, IMM8, 0),
		[0x84] = ALU("test", RM, REG, OP_BYTE, cmp, and),
		[0x85] = ALU("test", RM, REG, 0, cmp, and),
		[0x86] = ALU("xchg", RM, REG, OP_BYTE | OP_LOCK | OP_ATOMIC, xchg, xchg),
		[0x87] = ALU("xchg", RM, REG, OP_LOCK | OP_ATOMIC, xchg, xchg),
		[0x88] = INSN("mov", RM, REG, OP_BYTE, mov),
		[0x89] = INSN("mov", RM, REG, 0, mov),
		[0x8a] = INSN("mov", REG, RM, OP_BYTE, mov),
		[0x8b] = INSN("mov", REG, RM, 0, mov),
		[0x8f] = GROUP(group_pop, RM, NONE, OP_D64),
		[0xa0] = INSN("mov", ACC, MOFFS, OP_BYTE, mov),
		[0xa1] = INSN("mov", ACC, MOFFS, 0, mov),
		[0xa2] = INSN("mov", MOFFS, ACC, OP_BYTE, mov),
		[0xa3] = INSN("mov", MOFFS, ACC, 0, mov),
		[0xa4] = INSN("movs", NONE, NONE, OP_STRING | OP_BYTE, movs),
		[0xa5] = INSN("movs", NONE, NONE, OP_STRING, movs),
		[0xa6] = ALU("cmps", NONE, NONE, OP_STRING | OP_BYTE, cmps, sub),
		[0xa7] = ALU("cmps", NONE, NONE, OP_STRING, cmps, sub),
		[0xa8] = ALU("test", ACC, IMM, OP_BYTE, cmp, and),
		[0xa9] = ALU("test", ACC, IMM, 0, cmp, and),
		[0xaa] = INSN("stos", NONE, NONE, OP_STRING | OP_BYTE, stos),
		[0xab] = INSN("stos", NONE, NONE, OP_STRING, stos),
		[0xac] = INSN("lods", NONE, NONE, OP_STRING | OP_BYTE, lods),
		[0xad] = INSN("lods", NONE, NONE, OP_STRING, lods),
		[0xae] = ALU("scas", NONE, NONE, OP_STRING | OP_BYTE, scas, sub),
		[0xaf] = ALU("scas", NONE, NONE, OP_STRING, scas, sub),
		[0xc0] = GROUP(group_shift, RM, IMM8, OP_BYTE),
		[0xc1] = GROUP(group_shift, RM, IMM8, 0),
		[0xc6] = GROUP(group_mov, RM, IMM, OP_BYTE),
		[0xc7] = GROUP(group_mov, RM, IMM, 0),
		[0xd0] = GROUP(group_shift, RM, ONE, OP_BYTE),
		[0xd1] = GROUP(group_shift, RM, ONE, 0),
		[0xd2] = GROUP(group_shift, RM, CL, OP_BYTE),
		[0xd3] = GROUP(group_shift, RM, CL, 0),
		[0xe4] = INSN("in", ACC, IMM8, OP_IO | OP_BYTE, in),
		[0xe5] = INSN("in", ACC, IMM8, OP_IO, in),
		[0xe6] = INSN("out", IMM8, ACC, OP_IO | OP_BYTE, out),
		[0xe7] = INSN("out", IMM8, ACC, OP_IO, out),
		[0xec] = INSN("in", ACC, DX, OP_IO | OP_BYTE, in),
		[0xed] = INSN("in", ACC, DX, OP_IO, in),
		[0xee] = INSN("out", DX, ACC, OP_IO | OP_BYTE, out),
		[0xef] = INSN("out", DX, ACC, OP_IO, out),
		[0xf0] = PREFIX(LOCK, 0),
		[0xf2] = PREFIX(REP, PREFIX_REPNE),
		[0xf3] = PREFIX(REP, PREFIX_REP),
		[0xf6] = GROUP(group_unary, RM, NONE, OP_BYTE),
		[0xf7] = GROUP(group_unary, RM, NONE, 0),
		[0xfe] = GROUP(group_inc8, RM, NONE, OP_BYTE),
		[0xff] = GROUP(group_inc, NONE, NONE, 0),
	},
	[1] = {
		[0x38] = PREFIX(ESCAPE, 2),
		ROW16(0x40, INSN("cmov", REG, RM, 0, cmov)),
		ROW16(0x90, INSN("set", RM, NONE, OP_BYTE, setcc)),
		[0xa3] = ALU("bt", RM, REG, 0, bt, bt),
		[0xab] = ALU("bts", RM, REG, OP_LOCK, bt, bts),
		[0xb0] = ALU("cmpxchg", RM, REG, OP_LOCK | OP_BYTE, cmpxchg, cmpxchg),
		[0xb1] = ALU("cmpxchg", RM, REG, OP_LOCK, cmpxchg, cmpxchg),
		[0xb3] = ALU("btr", RM, REG, OP_LOCK, bt, btr),
		[0xb6] = INSN("movzx", REG, RM, OP_SRC8, movzx),
		[0xb7] = INSN("movzx", REG, RM, OP_SRC16, movzx),
		[0xba] = GROUP(group_bt, RM, IMM8, 0),
		[0xbb] = ALU("btc", RM, REG, OP_LOCK, bt, btc),
		[0xbe] = INSN("movsx", REG, RM, OP_SRC8, movsx),
		[0xbf] = INSN("movsx", REG, RM, OP_SRC16, movsx),
		[0xc0] = ALU("xadd", RM, REG, OP_LOCK | OP_BYTE, xadd, add),
		[0xc1] = ALU("xadd", RM, REG, OP_LOCK, xadd, add),
		[0xc3] = INSN("movnti", RM, REG, OP_MEM | OP_NOREP | OP_NO66 | OP_NO16, mov),
		[0xc7] = GROUP(group_cmpxchg8b, RM, NONE, 0),
	},
	[2] = {
		[0xf0] = INSN("movbe", REG, RM, OP_MEM | OP_NOREP, movbe),
		[0xf1] = INSN("movbe", RM, REG, OP_MEM | OP_NOREP, movbe),
	},
};
