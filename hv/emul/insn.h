/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A decoded instruction, and the rows of the opcode tables that it was decoded with.
 *
 * One row stands for one opcode: its name, where its two operands come from, flags, and the
 * handler. Prefixes, escapes and groups are rows too, so that the decoder is one walk over tables:
 *
 *   prefix* -> opcode_map[0] -> (0F -> opcode_map[1] -> (38 -> opcode_map[2])) -> group? -> row
 */
#ifndef HV_EMUL_INSN_H
#define HV_EMUL_INSN_H

#include "hv/emul/emul.h"

struct exec;
struct alu;

/* A handler: carries out one decoded instruction; RIP is advanced by the caller. */
typedef enum emul_result exec_fn(struct exec *x);
/* Arithmetic: the new value of the destination, and the flags in a->out. */
typedef u64 alu_fn(struct alu *a, u64 dst);

/* Where an operand of a row is encoded ("Instruction Format"). */
enum operand_enc {
	ENC_NONE,
	ENC_RM,	   /* ModRM.rm: register or memory */
	ENC_REG,   /* ModRM.reg */
	ENC_ACC,   /* AL, AX, EAX, RAX */
	ENC_OPREG, /* low three bits of the opcode */
	ENC_MOFFS, /* memory at an offset that follows the opcode */
	ENC_IMM,   /* immediate of the operand size, at most 4 bytes */
	ENC_IMM8,  /* immediate byte, sign-extended */
	ENC_ONE,   /* the constant 1 */
	ENC_CL,
	ENC_DX,
};

/* What a row is, where it is not an instruction. */
enum row_kind {
	ROW_UNKNOWN, /* zero: what the tables do not name */
	ROW_INSN,
	ROW_GROUP,   /* ModRM.reg selects the row among eight */
	ROW_ESCAPE,  /* arg: the next opcode map */
	ROW_SEGMENT, /* prefix; arg: enum seg */
	ROW_OPSIZE,
	ROW_ADSIZE,
	ROW_LOCK,
	ROW_REP, /* arg: the prefix byte */
	ROW_REX, /* a prefix in 64-bit mode only */
};

#define OP_BYTE	  0x001u  /* operands are bytes */
#define OP_LOCK	  0x002u  /* LOCK is allowed when the destination is memory */
#define OP_ATOMIC 0x004u  /* behaves as if LOCK were there (XCHG) */
#define OP_NO64	  0x008u  /* #UD in 64-bit mode */
#define OP_ONLY64 0x010u  /* another instruction outside 64-bit mode */
#define OP_D64	  0x020u  /* operand size is 64 bits in 64-bit mode */
#define OP_MEM	  0x040u  /* the register form is another instruction, or none */
#define OP_PAIR	  0x080u  /* operand is twice a register: 8 bytes, or 16 with REX.W */
#define OP_SRC8	  0x100u  /* the source is a byte */
#define OP_SRC16  0x200u  /* the source is a word */
#define OP_SRC32  0x400u  /* the source has at most four bytes */
#define OP_STRING 0x800u  /* uses RSI or RDI by the address size, and REP */
#define OP_IO	  0x1000u /* operand size is at most 4 bytes */
#define OP_NOREP  0x2000u /* with F2 or F3 it is another instruction */
#define OP_NO66	  0x4000u /* with 66 it is another instruction */
#define OP_NO16	  0x8000u /* operands have 4 bytes in 16-bit code too */

struct opcode {
	const char *name;
	exec_fn *exec;
	alu_fn *alu;
	const struct opcode *group; /* ROW_GROUP: eight rows */
	u16 flags;		    /* OP_*; those of a group's row are added to the group's */
	u8 kind;		    /* enum row_kind */
	u8 dst, src; /* enum operand_enc; a row of a group may leave them to the group */
	u8 arg;	     /* as kind says */
};

#define OPCODE_MAPS 3
extern const struct opcode opcode_map[OPCODE_MAPS][256];

enum operand_kind {
	OPND_NONE,
	OPND_REG,
	OPND_MEM,
	OPND_IMM
};

/* Numbers of registers beyond enum gpr. */
#define REG_HIGH 0x10u /* added to RAX..RBX: AH, CH, DH, BH */
#define REG_NONE 0x20u
#define REG_RIP	 0x21u

struct operand {
	u8 kind; /* enum operand_kind */
	u8 reg;	 /* OPND_REG: enum gpr, perhaps with REG_HIGH */
};

/* seg : base + (index << shift) + disp, cut to the address size. */
struct mem_operand {
	u64 disp;
	u8 base, index, shift;
	u8 seg; /* also of a string instruction's source */
};

struct insn {
	const struct opcode *op;
	u64 imm; /* sign-extended */
	struct mem_operand mem;
	struct operand dst, src;
	u16 flags;   /* OP_* of the row and of its group */
	u8 len;	     /* bytes */
	u8 opcode;   /* last byte of the opcode */
	u8 opsize;   /* bytes: 1, 2, 4, 8, 16 */
	u8 srcsize;  /* of the source, where it differs (MOVZX); else opsize */
	u8 adsize;   /* bytes: 2, 4, 8 */
	u8 rep;	     /* 0, 0xf2 or 0xf3 */
	u8 segments; /* bits by enum seg: whose registers executing it looks at */
	bool lock;
};

#define PREFIX_REPNE 0xf2u
#define PREFIX_REP   0xf3u

#endif
