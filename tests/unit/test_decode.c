/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction decoder: what each form of operand and address is taken apart into; prefixes in
 * any order and number; the limit of 15 bytes; instructions cut short at every byte; and every
 * string of one opcode and random bytes, read no further than it goes. That lengths and meanings
 * are those of a processor is for test_emul_host.c to see.
 *
 * Sources: hv/emul/decode.c hv/emul/opcodes.c hv/emul/exec.c hv/emul/alu.c hv/emul/access.c
 * hv/emul/string.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/emul/exec.h"

#define M16 EMUL_MODE_16
#define M32 EMUL_MODE_32
#define M64 EMUL_MODE_64
#define NO  REG_NONE

static struct insn insn;
static struct emul_fault fault;

static enum emul_result decode(enum emul_mode mode, const u8 *bytes, unsigned len)
{
	struct emul_cpu cpu = { .mode = mode, .cr0 = CR0_PE };
	u8 *exact = malloc(len ? len : 1); /* the sanitizer sees a read beyond */
	enum emul_result r;

	memcpy(exact, bytes, len);
	memset(&insn, 0x5a, sizeof(insn));
	memset(&fault, 0x5a, sizeof(fault));
	r = emul_decode(&insn, exact, len, &cpu, &fault);
	free(exact);
	return r;
}

/* Bytes in hexadecimal, as long as they go. */
static unsigned parse(const char *hex, u8 *bytes)
{
	unsigned n = 0, value;
	int used;

	for (; sscanf(hex, "%2x%n", &value, &used) == 1; hex += used)
		bytes[n++] = (u8)value;
	return n;
}

static enum emul_result decode_hex(enum emul_mode mode, const char *hex)
{
	u8 bytes[32];

	return decode(mode, bytes, parse(hex, bytes));
}

/* ---- addresses ---- */

static const struct {
	enum emul_mode mode;
	const char *hex;
	struct mem_operand mem;
	unsigned adsize;
} addresses[] = {
	/* "16-Bit Addressing Forms with the ModR/M Byte" */
	{ M16, "8b00", { 0, RBX, RSI, 0, SEG_DS }, 2 },
	{ M16, "8b01", { 0, RBX, RDI, 0, SEG_DS }, 2 },
	{ M16, "8b02", { 0, RBP, RSI, 0, SEG_SS }, 2 },
	{ M16, "8b03", { 0, RBP, RDI, 0, SEG_SS }, 2 },
	{ M16, "8b04", { 0, RSI, NO, 0, SEG_DS }, 2 },
	{ M16, "8b05", { 0, RDI, NO, 0, SEG_DS }, 2 },
	{ M16, "8b068012", { 0x1280, NO, NO, 0, SEG_DS }, 2 },
	{ M16, "8b07", { 0, RBX, NO, 0, SEG_DS }, 2 },
	{ M16, "8b46fe", { ~1ul, RBP, NO, 0, SEG_SS }, 2 },
	{ M16, "8b86fe80", { 0xffffffffffff80fe, RBP, NO, 0, SEG_SS }, 2 },
	{ M16, "3e8b46fe", { ~1ul, RBP, NO, 0, SEG_DS }, 2 },
	{ M16, "678b450c", { 12, RBP, NO, 0, SEG_SS }, 4 },
	{ M32, "678b4708", { 8, RBX, NO, 0, SEG_DS }, 2 },
	{ M32, "a111223344", { 0x44332211, NO, NO, 0, SEG_DS }, 4 },
	{ M32, "67a11122", { 0x2211, NO, NO, 0, SEG_DS }, 2 },
	/* "32-Bit Addressing Forms with the ModR/M Byte", "... with the SIB Byte" */
	{ M32, "8b00", { 0, RAX, NO, 0, SEG_DS }, 4 },
	{ M32, "8b0500000080", { 0xffffffff80000000, NO, NO, 0, SEG_DS }, 4 },
	{ M32, "8b0424", { 0, RSP, NO, 0, SEG_SS }, 4 },
	{ M32, "8b04ed10000000", { 16, NO, RBP, 3, SEG_DS }, 4 },
	{ M32, "8b4445ff", { ~0ul, RBP, RAX, 1, SEG_SS }, 4 },
	{ M32, "8b8483000000ff", { 0xffffffffff000000, RBX, RAX, 2, SEG_DS }, 4 },
	{ M32, "658b00", { 0, RAX, NO, 0, SEG_GS }, 4 },
	{ M32, "36268b00", { 0, RAX, NO, 0, SEG_ES }, 4 }, /* the last one counts */
	/* 64-bit mode: "RIP-Relative Addressing", REX.X and REX.B, moffs of 8 bytes */
	{ M64, "8b0500000080", { 0xffffffff80000000, REG_RIP, NO, 0, SEG_DS }, 8 },
	{ M64, "678b05ffffffff", { ~0ul, REG_RIP, NO, 0, SEG_DS }, 4 },
	{ M64, "8b042500000080", { 0xffffffff80000000, NO, NO, 0, SEG_DS }, 8 },
	{ M64, "418b0424", { 0, R12, NO, 0, SEG_DS }, 8 },
	{ M64, "418b4500", { 0, R13, NO, 0, SEG_DS }, 8 },
	{ M64, "418b0500000000", { 0, REG_RIP, NO, 0, SEG_DS }, 8 }, /* REX.B or not */
	{ M64, "428b0420", { 0, RAX, R12, 0, SEG_DS }, 8 },	     /* R12 can be an index */
	{ M64, "418b042500000000", { 0, NO, NO, 0, SEG_DS }, 8 },    /* no base, REX.B or not */
	{ M64, "438b84fe00010000", { 0x100, R14, R15, 3, SEG_DS }, 8 },
	{ M64, "a18877665544332211", { 0x1122334455667788, NO, NO, 0, SEG_DS }, 8 },
	{ M64, "67a144332211", { 0x11223344, NO, NO, 0, SEG_DS }, 4 },
	/* ES, CS, SS and DS mean nothing there, and do not undo FS and GS. */
	{ M64, "2e8b00", { 0, RAX, NO, 0, SEG_DS }, 8 },
	{ M64, "64268b00", { 0, RAX, NO, 0, SEG_FS }, 8 },
	{ M64, "64658b00", { 0, RAX, NO, 0, SEG_GS }, 8 },
	{ M64, "368b4500", { 0, RBP, NO, 0, SEG_SS }, 8 },
};

static void addresses_of_all_forms(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
		const struct mem_operand *want = &addresses[i].mem, *got = &insn.mem;

		print_message("%s\n", addresses[i].hex);
		assert_int_equal(decode_hex(addresses[i].mode, addresses[i].hex), EMUL_OK);
		assert_int_equal(insn.src.kind, OPND_MEM);
		assert_int_equal(insn.len * 2u, strlen(addresses[i].hex));
		assert_int_equal(got->disp, want->disp);
		assert_int_equal(got->base, want->base);
		assert_int_equal(got->index, want->index);
		if (want->index != NO)
			assert_int_equal(got->shift, want->shift);
		assert_int_equal(got->seg, want->seg);
		assert_int_equal(insn.adsize, addresses[i].adsize);
	}
}

/* ---- operands ---- */

static const struct {
	enum emul_mode mode;
	const char *hex;
	const char *name;
	unsigned opsize, srcsize;
	struct operand dst, src;
	u64 imm;
} operands[] = {
	{ M64, "8907", "mov", 4, 4, { OPND_MEM, 0 }, { OPND_REG, RAX }, 0 },
	{ M64, "4d8907", "mov", 8, 8, { OPND_MEM, 0 }, { OPND_REG, R8 }, 0 },
	{ M64, "668907", "mov", 2, 2, { OPND_MEM, 0 }, { OPND_REG, RAX }, 0 },
	{ M64, "66488907", "mov", 8, 8, { OPND_MEM, 0 }, { OPND_REG, RAX }, 0 },
	{ M16, "8907", "mov", 2, 2, { OPND_MEM, 0 }, { OPND_REG, RAX }, 0 },
	{ M16, "668907", "mov", 4, 4, { OPND_MEM, 0 }, { OPND_REG, RAX }, 0 },
	/* AH..BH without REX, SPL..DIL with any. */
	{ M64, "8827", "mov", 1, 1, { OPND_MEM, 0 }, { OPND_REG, RAX | REG_HIGH }, 0 },
	{ M64, "408827", "mov", 1, 1, { OPND_MEM, 0 }, { OPND_REG, RSP }, 0 },
	{ M32, "883f", "mov", 1, 1, { OPND_MEM, 0 }, { OPND_REG, RBX | REG_HIGH }, 0 },
	/* REX counts only right before the opcode. */
	{ M64, "48668907", "mov", 2, 2, { OPND_MEM, 0 }, { OPND_REG, RAX }, 0 },
	{ M64, "44488907", "mov", 8, 8, { OPND_MEM, 0 }, { OPND_REG, RAX }, 0 },
	/* Immediates have four bytes at most, and a sign. */
	{ M64, "48c707fffffffe", "mov", 8, 8, { OPND_MEM, 0 }, { OPND_IMM, 0 },
		0xfffffffffeffffff },
	{ M64, "66c7073412", "mov", 2, 2, { OPND_MEM, 0 }, { OPND_IMM, 0 }, 0x1234 },
	{ M64, "c60780", "mov", 1, 1, { OPND_MEM, 0 }, { OPND_IMM, 0 }, ~0x7ful },
	{ M64, "83073f", "add", 4, 4, { OPND_MEM, 0 }, { OPND_IMM, 0 }, 0x3f },
	{ M64, "480fba2f3f", "bts", 8, 8, { OPND_MEM, 0 }, { OPND_IMM, 0 }, 0x3f },
	{ M64, "f60701", "test", 1, 1, { OPND_MEM, 0 }, { OPND_IMM, 0 }, 1 },
	{ M64, "d127", "shl", 4, 4, { OPND_MEM, 0 }, { OPND_IMM, 0 }, 1 },
	{ M64, "d327", "shl", 4, 4, { OPND_MEM, 0 }, { OPND_REG, RCX }, 0 },
	/* Sources of another size. */
	{ M64, "0fb607", "movzx", 4, 1, { OPND_REG, RAX }, { OPND_MEM, 0 }, 0 },
	{ M64, "4c0fbf07", "movsx", 8, 2, { OPND_REG, R8 }, { OPND_MEM, 0 }, 0 },
	{ M64, "486307", "movsxd", 8, 4, { OPND_REG, RAX }, { OPND_MEM, 0 }, 0 },
	/* The stack's size in 64-bit mode. */
	{ M64, "ff37", "push", 8, 8, { OPND_NONE, 0 }, { OPND_MEM, 0 }, 0 },
	{ M64, "66ff37", "push", 2, 2, { OPND_NONE, 0 }, { OPND_MEM, 0 }, 0 },
	{ M32, "ff37", "push", 4, 4, { OPND_NONE, 0 }, { OPND_MEM, 0 }, 0 },
	{ M64, "4157", "push", 8, 8, { OPND_NONE, 0 }, { OPND_REG, R15 }, 0 },
	{ M64, "8f07", "pop", 8, 8, { OPND_MEM, 0 }, { OPND_NONE, 0 }, 0 },
	/* 40 to 4F are REX in 64-bit mode only. */
	{ M64, "0fc70f", "cmpxchg8b", 8, 8, { OPND_MEM, 0 }, { OPND_NONE, 0 }, 0 },
	{ M64, "480fc70f", "cmpxchg8b", 16, 16, { OPND_MEM, 0 }, { OPND_NONE, 0 }, 0 },
	{ M64, "0f38f007", "movbe", 4, 4, { OPND_REG, RAX }, { OPND_MEM, 0 }, 0 },
	/* Ports: four bytes at most. */
	{ M64, "48ed", "in", 4, 4, { OPND_REG, RAX }, { OPND_REG, RDX }, 0 },
	{ M64, "e480", "in", 1, 1, { OPND_REG, RAX }, { OPND_IMM, 0 }, ~0x7ful },
};

static void operands_of_all_forms(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(operands); i++) {
		print_message("%s\n", operands[i].hex);
		assert_int_equal(decode_hex(operands[i].mode, operands[i].hex), EMUL_OK);
		assert_int_equal(insn.len * 2u, strlen(operands[i].hex));
		assert_string_equal(insn.op->name, operands[i].name);
		assert_int_equal(insn.opsize, operands[i].opsize);
		assert_int_equal(insn.srcsize, operands[i].srcsize);
		assert_int_equal(insn.dst.kind, operands[i].dst.kind);
		assert_int_equal(insn.src.kind, operands[i].src.kind);
		if (insn.dst.kind == OPND_REG)
			assert_int_equal(insn.dst.reg, operands[i].dst.reg);
		if (insn.src.kind == OPND_REG)
			assert_int_equal(insn.src.reg, operands[i].src.reg);
		if (insn.src.kind == OPND_IMM)
			assert_int_equal(insn.imm, operands[i].imm);
	}
}

static void segments_that_are_looked_at(void **state)
{
	static const struct {
		enum emul_mode mode;
		const char *hex;
		unsigned segments;
	} rows[] = {
		{ M32, "8b00", BIT(SEG_DS) },
		{ M32, "8b4500", BIT(SEG_SS) },
		{ M32, "ff30", BIT(SEG_DS) | BIT(SEG_SS) },
		{ M32, "a4", BIT(SEG_DS) | BIT(SEG_ES) },
		{ M32, "64a4", BIT(SEG_FS) | BIT(SEG_ES) },
		{ M64, "a4", 0 },
		{ M64, "65a4", BIT(SEG_GS) },
		{ M64, "64ff30", BIT(SEG_FS) },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(decode_hex(rows[i].mode, rows[i].hex), EMUL_OK);
		assert_int_equal(insn.segments, rows[i].segments);
	}
}

/* ---- what is none ---- */

static void bad_forms(void **state)
{
	static const struct {
		enum emul_mode mode;
		const char *hex;
		enum emul_result r;
		unsigned vector;
	} rows[] = {
		/* LOCK: only some, and only on memory. */
		{ M64, "f0018f", EMUL_AGAIN, 0 },
		{ M64, "f00107", EMUL_OK, 0 },
		{ M64, "f001c0", EMUL_FAULT, VEC_UD },
		{ M64, "f00307", EMUL_FAULT, VEC_UD },
		{ M64, "f08907", EMUL_FAULT, VEC_UD },
		{ M64, "f03907", EMUL_FAULT, VEC_UD },
		{ M64, "f0a4", EMUL_FAULT, VEC_UD },
		{ M64, "f00fa307", EMUL_FAULT, VEC_UD }, /* BT */
		{ M64, "f00fab07", EMUL_OK, 0 },
		{ M64, "f08707", EMUL_OK, 0 },
		{ M64, "f087c0", EMUL_FAULT, VEC_UD },
		/* Not in 64-bit mode. */
		{ M64, "820700", EMUL_FAULT, VEC_UD },
		{ M32, "820700", EMUL_OK, 0 },
		/* Other instructions than the row's. */
		{ M32, "6307", EMUL_UNKNOWN, 0 }, /* ARPL */
		{ M64, "f30fc70f", EMUL_UNKNOWN, 0 },
		{ M64, "0fc7c8", EMUL_UNKNOWN, 0 }, /* a register */
		{ M64, "660fc307", EMUL_UNKNOWN, 0 },
		{ M64, "f20f38f007", EMUL_UNKNOWN, 0 }, /* CRC32 */
		{ M64, "ff17", EMUL_UNKNOWN, 0 },	/* CALL */
		{ M64, "c3", EMUL_UNKNOWN, 0 },
		{ M64, "0f0b", EMUL_UNKNOWN, 0 },
		{ M32, "40", EMUL_UNKNOWN, 0 }, /* INC EAX */
		{ M64, "0f38", EMUL_AGAIN, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		print_message("%s\n", rows[i].hex);
		assert_int_equal(decode_hex(rows[i].mode, rows[i].hex), rows[i].r);
		if (rows[i].r == EMUL_FAULT) {
			assert_int_equal(fault.vector, rows[i].vector);
			assert_false(fault.has_error);
		}
	}
}

static void nothing_but_prefixes(void **state)
{
	static const u8 prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2,
		0xf3, 0x40, 0x4f };
	u8 bytes[INSN_MAX];

	(void)state;
	for (unsigned i = 0; i < sizeof(prefixes); i++) {
		memset(bytes, prefixes[i], sizeof(bytes));
		assert_int_equal(decode(M64, bytes, INSN_MAX - 1), EMUL_AGAIN);
		assert_int_equal(decode(M64, bytes, INSN_MAX), EMUL_FAULT);
		assert_int_equal(fault.vector, VEC_GP);
	}
}

static void fifteen_bytes_and_no_more(void **state)
{
	u8 bytes[INSN_MAX];

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	for (unsigned n = 0; n < INSN_MAX; n++)
		assert_int_equal(decode(M64, bytes, n), EMUL_AGAIN);
	assert_int_equal(decode(M64, bytes, INSN_MAX), EMUL_FAULT);
	assert_int_equal(fault.vector, VEC_GP);
	assert_true(fault.has_error);
	assert_int_equal(fault.error, 0);
	/* MOV [RDI], EAX ends with the fifteenth byte, or would with the sixteenth. */
	bytes[13] = 0x89;
	bytes[14] = 0x07;
	assert_int_equal(decode(M64, bytes, INSN_MAX), EMUL_OK);
	assert_int_equal(insn.len, INSN_MAX);
	bytes[14] = 0x47;
	assert_int_equal(decode(M64, bytes, INSN_MAX), EMUL_FAULT);
	assert_int_equal(fault.vector, VEC_GP);
	/* The bytes are there only up to a page's end, but it is clear already that they are too
	 * many. */
	bytes[11] = 0x48;
	bytes[12] = 0xc7;
	bytes[13] = 0x07;
	assert_int_equal(decode(M64, bytes, 14), EMUL_FAULT);
	assert_int_equal(fault.vector, VEC_GP);
}

/* ---- any bytes ---- */

static u64 state64 = 1;

static u8 random_byte(void)
{
	state64 = state64 * 6364136223846793005ul + 1442695040888963407ul;
	return (u8)(state64 >> 56);
}

/* What is a whole instruction is none when cut short anywhere, and the same with bytes behind it.
 */
static void check_cuts(enum emul_mode mode, const u8 *bytes)
{
	enum emul_result whole = decode(mode, bytes, INSN_MAX);
	struct insn first = insn;

	if (whole != EMUL_OK)
		return;
	assert_in_range(first.len, 1, INSN_MAX);
	for (unsigned n = 0; n < first.len; n++)
		assert_int_equal(decode(mode, bytes, n), EMUL_AGAIN);
	assert_int_equal(decode(mode, bytes, first.len), EMUL_OK);
	assert_int_equal(insn.len, first.len);
	assert_ptr_equal(insn.op, first.op);
	assert_int_equal(insn.imm, first.imm);
	assert_int_equal(insn.mem.disp, first.mem.disp);
}

static void instructions_cut_short(void **state)
{
	static const u8 escapes[OPCODE_MAPS][2] = { { 0 }, { 0x0f }, { 0x0f, 0x38 } };
	static const u8 prefixes[] = { 0, 0, 0, 0x66, 0x67, 0xf0, 0xf3, 0x48, 0x64 };
	u8 bytes[INSN_MAX];

	(void)state;
	for (unsigned i = 0; i < OPCODE_MAPS * 256 * 24; i++) {
		unsigned map = i / 256 % OPCODE_MAPS, at = 0;
		u8 prefix = prefixes[random_byte() % sizeof(prefixes)];

		for (unsigned k = 0; k < INSN_MAX; k++)
			bytes[k] = random_byte();
		if (prefix)
			bytes[at++] = prefix;
		for (unsigned k = 0; k < map; k++)
			bytes[at++] = escapes[map][k];
		bytes[at] = (u8)i;
		for (unsigned mode = M16; mode <= M64; mode++)
			check_cuts((enum emul_mode)mode, bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_all_forms),
		cmocka_unit_test(operands_of_all_forms),
		cmocka_unit_test(segments_that_are_looked_at),
		cmocka_unit_test(bad_forms),
		cmocka_unit_test(nothing_but_prefixes),
		cmocka_unit_test(fifteen_bytes_and_no_more),
		cmocka_unit_test(instructions_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
