/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction emulator against the processor of the build host. Each row of the opcode tables
 * is run with random prefixes, operands, addresses, flags and memory, by both; registers, memory,
 * flags, RIP and exceptions must be the same. In 64-bit mode, and in 32-bit and 16-bit code with
 * segments that have bases, limits and types. Port I/O is left out: a process may not.
 *
 * Cases come from a fixed seed; EMUL_HOST_SEED and EMUL_HOST_CASES choose others.
 *
 * Sources: tests/unit/host_cpu.c hv/emul/decode.c hv/emul/opcodes.c hv/emul/exec.c hv/emul/alu.c
 * hv/emul/access.c hv/emul/string.c
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
#include "tests/unit/host_cpu.h"

#define CASES	   100000u
#define MISMATCHES 8u /* printed before the test gives up */
#define PAGE	   4096ul
#define MAX_REPS   37u

#define FLAGS_ALL                                                                                  \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF | RFLAGS_DF |       \
		RFLAGS_AC)

/* ---- random numbers: xorshift64* ---- */

static u64 state;

static u64 rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static u64 below(u64 n)
{
	return (rnd() >> 16) % n;
}

static bool one_in(u64 n)
{
	return below(n) == 0;
}

/* Values that break sums, and any others. */
static u64 value(void)
{
	static const u64 edges[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, ~0ul };

	return one_in(3) ? edges[below(ARRAY_SIZE(edges))] : rnd() >> below(64);
}

/* ---- the arena, as the emulator sees it ---- */

static u8 mock[HOST_RW_LEN]; /* of the pages at HOST_RW */
static u8 mock_ro[PAGE];
static bool outside; /* an access left the arena: the host is not to do the same */

static enum emul_result page_fault(struct emul_fault *f, u64 at, u32 error)
{
	*f = (struct emul_fault){
		.vector = VEC_PF, .has_error = true, .error = error | (u32)PF_U, .cr2 = at
	};
	return EMUL_FAULT;
}

/* One byte of the arena; NULL, and a fault, where it cannot be had. */
static u8 *byte_at(u64 at, bool write, u64 first, struct emul_fault *f)
{
	u64 cr2 = MAX(at & ~(PAGE - 1), first);
	u32 w = write ? (u32)PF_W : 0;

	outside |= at - HOST_ARENA >= HOST_ARENA_LEN;
	if (at - HOST_RW < HOST_RW_LEN)
		return &mock[at - HOST_RW];
	if (at - HOST_RO < PAGE && !write)
		return &mock_ro[at - HOST_RO];
	page_fault(f, cr2, w | (at - HOST_RO < PAGE ? (u32)PF_P : 0));
	return NULL;
}

static enum emul_result mock_probe(void *ctx, u64 at, unsigned size, struct emul_fault *f)
{
	(void)ctx;
	for (unsigned i = 0; i < size; i++)
		if (!byte_at(at + i, true, at, f))
			return EMUL_FAULT;
	return EMUL_OK;
}

static enum emul_result mock_read(
	void *ctx, u64 at, unsigned size, u64 *value, struct emul_fault *f)
{
	(void)ctx;
	*value = 0;
	for (unsigned i = 0; i < size; i++) {
		u8 *p = byte_at(at + i, false, at, f);

		if (!p)
			return EMUL_FAULT;
		*value |= (u64)*p << (8 * i);
	}
	return EMUL_OK;
}

static enum emul_result mock_write(
	void *ctx, u64 at, unsigned size, u64 value, struct emul_fault *f)
{
	if (mock_probe(ctx, at, size, f) != EMUL_OK)
		return EMUL_FAULT;
	for (unsigned i = 0; i < size; i++)
		*byte_at(at + i, true, at, f) = (u8)(value >> (8 * i));
	return EMUL_OK;
}

static enum emul_result mock_cmpxchg(
	void *ctx, u64 at, u64 *old, u64 new_val, unsigned size, struct emul_fault *f)
{
	u64 seen;

	if (mock_probe(ctx, at, size, f) != EMUL_OK ||
		mock_read(ctx, at, size, &seen, f) != EMUL_OK)
		return EMUL_FAULT;
	if (seen == *old)
		assert_int_equal(mock_write(ctx, at, size, new_val, f), EMUL_OK);
	*old = seen;
	return EMUL_OK;
}

static const struct emul_ops ops = {
	.read = mock_read,
	.write = mock_write,
	.cmpxchg = mock_cmpxchg,
	.probe_write = mock_probe,
};

/* ---- rows to test ---- */

struct form {
	const struct opcode *row, *group;
	u8 map, opcode, reg; /* reg: of a group */
};

static struct form forms[2048];
static unsigned nforms;

static void add_form(unsigned map, unsigned byte, const struct opcode *row, unsigned reg)
{
	const struct opcode *group = &opcode_map[map][byte];

	if (row->kind == ROW_INSN && !((row->flags | group->flags) & OP_IO))
		forms[nforms++] = (struct form){ row, group, (u8)map, (u8)byte, (u8)reg };
}

static void list_forms(void)
{
	for (unsigned map = 0; map < OPCODE_MAPS; map++)
		for (unsigned byte = 0; byte < 256; byte++) {
			const struct opcode *row = &opcode_map[map][byte];

			if (row->kind == ROW_GROUP)
				for (unsigned reg = 0; reg < 8; reg++)
					add_form(map, byte, &row->group[reg], reg);
			else
				add_form(map, byte, row, 0);
		}
}

static bool has_modrm(const struct form *f)
{
	return f->row != f->group || f->row->dst == ENC_RM || f->row->dst == ENC_REG ||
	       f->row->src == ENC_RM || f->row->src == ENC_REG;
}

/* ---- a case ---- */

struct test_case {
	const struct form *form;
	struct emul_cpu cpu, before;
	u64 gpr[16], gpr_before[16]; /* their registers */
	struct insn insn;
	struct emul_fault fault;
	u8 bytes[32];
	unsigned len;		     /* bytes that stand there, more than the instruction has */
	unsigned modrm;		     /* where it stands, or the offset of a MOFFS */
	unsigned cs, ss, ds, es, gs; /* selectors */
};

static void put_prefixes(struct test_case *t)
{
	static const u8 legacy[] = { 0x66, 0x66, 0x67, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36,
		0x3e, 0x64, 0x65 };
	unsigned n = one_in(50) ? 12 : (unsigned)below(4);

	if ((t->form->row->flags & OP_STRING) && !one_in(3))
		t->bytes[t->len++] = one_in(2) ? 0xf2 : 0xf3;
	else if ((t->form->row->flags & OP_LOCK) && one_in(3))
		t->bytes[t->len++] = 0xf0;
	for (unsigned i = 0; i < n; i++) {
		u8 p = legacy[below(ARRAY_SIZE(legacy))];

		/* Rarely LOCK: it is mostly #UD. FS has no segment outside 64-bit mode. */
		if ((p == 0xf0 && !one_in(8)) || (p == 0x64 && t->cpu.mode != EMUL_MODE_64))
			continue;
		t->bytes[t->len++] = p;
		if (t->cpu.mode == EMUL_MODE_64 && one_in(20))
			t->bytes[t->len++] = (u8)(0x40 | below(16)); /* does not count */
	}
	if (t->cpu.mode == EMUL_MODE_64 && !one_in(3))
		t->bytes[t->len++] = (u8)(0x40 | below(16));
}

/* The opcode, a random ModRM and random bytes for what may follow. */
static void put_opcode(struct test_case *t)
{
	const struct form *f = t->form;

	if (f->map)
		t->bytes[t->len++] = 0x0f;
	if (f->map == 2)
		t->bytes[t->len++] = 0x38;
	t->bytes[t->len++] = f->opcode;
	t->modrm = t->len;
	while (t->len < sizeof(t->bytes))
		t->bytes[t->len++] = (u8)rnd();
	if (f->row != f->group)
		t->bytes[t->modrm] = (u8)((t->bytes[t->modrm] & 0xc7) | f->reg << 3);
	if (has_modrm(f) && t->bytes[t->modrm] >= 0xc0 && one_in(2))
		t->bytes[t->modrm] -= 0x40 * (1 + (u8)below(3));
	if (has_modrm(f) && one_in(2))
		t->bytes[t->modrm + 1] &=
			0xc7 + 0x08; /* an index of RAX or RCX, so mod 0 is near */
}

/* Somewhere in the pages, mostly; often near the end of one. */
static u64 target(void)
{
	static const u64 borders[] = { HOST_RW, HOST_RW + PAGE, HOST_RW + 2 * PAGE, HOST_RO,
		HOST_RO + PAGE };

	if (one_in(200)) /* not canonical, whether addresses have 48 bits or 57 */
		return 0x1234000000000000ul << below(3) | (rnd() & 0xffff);
	if (one_in(4))
		return borders[below(ARRAY_SIZE(borders))] - below(17);
	return (HOST_RW + below(HOST_RW_LEN)) & ~(one_in(2) ? 7ul : 0ul);
}

static u64 base_of(const struct test_case *t, unsigned seg)
{
	return t->cpu.mode == EMUL_MODE_64 && seg < SEG_FS ? 0 : t->cpu.seg[seg].base;
}

static void aim_registers(struct test_case *t)
{
	u64 *gpr = t->cpu.gpr;

	gpr[RSP] = (target() & ~7ul) - base_of(t, SEG_SS);
	if (!(t->form->row->flags & OP_STRING))
		return;
	gpr[RSI] = target() - base_of(t, t->insn.mem.seg);
	gpr[RDI] = one_in(4) ? gpr[RSI] + below(33) - 16 : target() - base_of(t, SEG_ES);
	gpr[RCX] = one_in(8) ? value() : below(one_in(4) ? 3000 : 40);
	if (one_in(8))
		gpr[RCX] = (rnd() & ~0xfffffffful) | below(20);
}

/* Where the ModRM or the offset leaves a displacement without a base: its bytes. */
static u8 *displacement(struct test_case *t)
{
	unsigned mod = t->bytes[t->modrm] >> 6, rm = t->bytes[t->modrm] & 7;

	if (!has_modrm(t->form))
		return t->bytes + t->modrm;
	return t->bytes + t->modrm + 1 + (mod == 0 && rm == 4 && t->insn.adsize != 2);
}

/* Registers or displacement are made so that the memory operand lies in the arena. */
static void aim_operand(struct test_case *t)
{
	struct mem_operand *m = &t->insn.mem;
	u64 *gpr = t->cpu.gpr, index = 0, want = target() - base_of(t, m->seg);

	if (m->index != REG_NONE) {
		if (t->insn.adsize != 2)
			gpr[m->index] = one_in(2) ? below(256) : -below(256);
		index = gpr[m->index] << m->shift;
	}
	if (m->base == m->index && m->base != REG_NONE)
		return;
	if (m->base < 16) {
		gpr[m->base] = want - index - m->disp;
		return;
	}
	if (m->base == REG_RIP)
		want -= t->cpu.rip + t->insn.len;
	want -= index;
	memcpy(displacement(t), &want, MIN(has_modrm(t->form) ? 4u : 8u, t->insn.adsize));
}

/* A bit number in a register: mostly near. */
static void aim_bit(struct test_case *t)
{
	const struct insn *insn = &t->insn;
	u64 *bit = &t->cpu.gpr[insn->src.reg & 0xf];

	if (insn->src.reg == insn->mem.base || insn->src.reg == insn->mem.index)
		return;
	*bit = one_in(8) ? value() : below(4096) - 2048;
	if (one_in(2))
		*bit = (*bit & size_mask(insn->opsize)) | (rnd() & ~size_mask(insn->opsize));
}

/* What CMPXCHG compares with is there in half of the cases. */
static void aim_compare(struct test_case *t)
{
	struct exec x = { .insn = &t->insn, .cpu = &t->cpu };
	u64 at = mem_offset(&x) + base_of(t, t->insn.mem.seg);

	if (one_in(2) || t->insn.dst.kind != OPND_MEM || at - HOST_RW > HOST_RW_LEN - 16)
		return;
	memcpy(&t->cpu.gpr[RAX], &mock[at - HOST_RW], 8);
	if (t->insn.flags & OP_PAIR)
		memcpy(&t->cpu.gpr[RDX], &mock[at - HOST_RW + t->insn.opsize / 2], 8);
}

/* ---- modes ---- */

struct mode {
	enum emul_mode mode;
	unsigned cs;
};

/* Of the local descriptor table; [0] and [1] are code. Bases and limits put the pages, and their
 * ends, where offsets of 16 bits reach them. */
static const struct segment segments[] = {
	{ .base = HOST_CODE, .limit = 0xfff, .ar = 0x40fb },
	{ .base = HOST_CODE, .limit = 0xfff, .ar = 0x00fb },
	{ .base = HOST_RW, .limit = HOST_RW_LEN - 1, .ar = 0x40f3 },
	{ .base = HOST_RW - PAGE, .limit = 0xffff, .ar = 0x00f3 },
	{ .base = HOST_RW - PAGE, .limit = PAGE + 0x80 - 1, .ar = 0x40f7 }, /* expand-down */
	{ .base = HOST_RW - PAGE, .limit = 0x1fff, .ar = 0x00f7 },
	{ .base = HOST_RW, .limit = 0x3ff5, .ar = 0x40f1 }, /* read-only */
	{ .base = 0, .limit = 0xffffffff, .ar = 0xc0f3 },
	{ .base = HOST_RW, .limit = 0x1fff, .ar = 0x40f9 }, /* code that cannot be read */
};

static unsigned data_segment(struct test_case *t, enum seg seg, bool stack)
{
	unsigned n;

	if (!stack && one_in(30)) {
		t->cpu.seg[seg] = (struct segment){ .ar = SEG_AR_UNUSABLE };
		return 0;
	}
	do {
		n = one_in(2) ? 2 + (unsigned)below(2) : (unsigned)below(ARRAY_SIZE(segments));
		/* A stack must be writable data, other registers hold what can be read. */
	} while (n == ARRAY_SIZE(segments) - 1 || (stack && (n < 2 || n == 6)));
	t->cpu.seg[seg] = segments[n];
	return HOST_LDT(n);
}

static void choose_segments(struct test_case *t, const struct mode *m)
{
	t->cs = m->cs;
	t->cpu.rip = HOST_INSN;
	if (m->mode == EMUL_MODE_64) {
		t->cpu.rip += HOST_CODE;
		t->cpu.seg[SEG_FS].base = host_cpu_fs_base();
		t->cpu.seg[SEG_GS].base = HOST_GS_BASE;
		t->ss = HOST_SS64;
		return;
	}
	t->cpu.seg[SEG_CS] = segments[m->cs >> 3];
	t->ss = data_segment(t, SEG_SS, true);
	t->ds = data_segment(t, SEG_DS, false);
	t->es = data_segment(t, SEG_ES, false);
	t->gs = data_segment(t, SEG_GS, false);
}

static enum emul_result decode(struct test_case *t)
{
	return emul_decode(&t->insn, t->bytes, INSN_MAX, &t->cpu, &t->fault);
}

/* False: not a case to run. */
static bool make_case(struct test_case *t, const struct mode *m)
{
	enum emul_result r;

	memset(t, 0, sizeof(*t));
	t->form = &forms[below(nforms)];
	t->cpu.gpr = t->gpr;
	t->cpu.mode = m->mode;
	t->cpu.cpl = 3;
	t->cpu.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_AM | CR0_ET;
	t->cpu.efer = EFER_LMA | EFER_LME;
	for (unsigned i = 0; i < 16; i++)
		t->cpu.gpr[i] = m->mode == EMUL_MODE_64 ? value() : (u32)value();
	t->cpu.rflags = RFLAGS_R1 | RFLAGS_IF | (rnd() & FLAGS_ALL & ~RFLAGS_AC);
	if (one_in(16))
		t->cpu.rflags |= RFLAGS_AC;
	choose_segments(t, m);
	put_prefixes(t);
	put_opcode(t);
	r = decode(t);
	if (r == EMUL_UNKNOWN || r == EMUL_AGAIN)
		return false;
	if (r == EMUL_FAULT)
		return true;
	aim_registers(t);
	if (t->insn.dst.kind == OPND_MEM || t->insn.src.kind == OPND_MEM)
		aim_operand(t);
	r = decode(t);
	if (t->insn.op->exec == exec_bt && t->insn.src.kind == OPND_REG)
		aim_bit(t);
	if (t->insn.op->alu == alu_cmpxchg || t->insn.op->alu == alu_cmpxchg8b)
		aim_compare(t);
	if (m->mode != EMUL_MODE_64)
		for (unsigned i = 0; i < 16; i++)
			t->cpu.gpr[i] = (u32)t->cpu.gpr[i];
	return r == EMUL_OK;
}

/* ---- both sides ---- */

static enum emul_result run_emulator(struct test_case *t)
{
	enum emul_result r = decode(t);

	outside = false;
	while (r == EMUL_OK) {
		r = emul_execute(&t->insn, &t->cpu, &ops, NULL, MAX_REPS, &t->fault);
		if (r != EMUL_AGAIN)
			break;
		r = EMUL_OK;
	}
	return r;
}

static void run_host(const struct test_case *t)
{
	memcpy(host_cpu.gpr, t->before.gpr, sizeof(host_cpu.gpr));
	host_cpu.rflags = t->before.rflags;
	host_cpu.cs = t->cs;
	host_cpu.eip = (u32)t->before.rip;
	host_cpu.ss = t->ss;
	host_cpu.ds = t->ds;
	host_cpu.es = t->es;
	host_cpu.gs = t->gs;
	host_cpu_run(t->bytes, t->insn.len ? t->insn.len : INSN_MAX);
}

/* ---- comparison ---- */

/* Flags that the manual leaves undefined after this instruction. */
static u64 undefined_flags(const struct test_case *t)
{
	static const struct {
		alu_fn *alu;
		u64 flags;
	} plain[] = {
		{ alu_and, RFLAGS_AF },
		{ alu_or, RFLAGS_AF },
		{ alu_xor, RFLAGS_AF },
		{ alu_bt, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF },
		{ alu_bts, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF },
		{ alu_btr, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF },
		{ alu_btc, RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF },
	};
	alu_fn *alu = t->insn.op->alu;
	unsigned bits = t->insn.opsize * 8u;
	u64 count = t->insn.src.kind == OPND_REG ? t->before.gpr[RCX] : t->insn.imm;
	u64 undefined = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		if (alu == plain[i].alu)
			return plain[i].flags;
	count &= bits == 64 ? 63 : 31;
	if (t->insn.op->exec != exec_alu || !count)
		return 0;
	if (alu == alu_shl || alu == alu_shr || alu == alu_sar) {
		undefined = RFLAGS_AF;
		if (count >= bits && alu != alu_sar)
			undefined |= RFLAGS_CF;
	}
	if (undefined || alu == alu_rol || alu == alu_ror || alu == alu_rcl || alu == alu_rcr)
		undefined |= count != 1 ? RFLAGS_OF : 0;
	return undefined;
}

static bool same_registers(const struct test_case *t)
{
	/* Outside 64-bit mode the upper halves are undefined; REP with a 32-bit count, of
	 * 0 or before a first iteration that faults, may or may not clear those of its registers,
	 * as the processor's model has it. */
	bool quirk = t->insn.rep && (t->insn.flags & OP_STRING) && t->insn.adsize == 4 &&
		     (!(u32)t->before.gpr[RCX] || host_cpu.trap != NO_TRAP);

	for (unsigned i = 0; i < 16; i++) {
		bool low = t->cpu.mode != EMUL_MODE_64 ||
			   (quirk && (i == RCX || i == RSI || i == RDI));

		if (t->cpu.mode != EMUL_MODE_64 && i >= R8)
			continue;
		if (low ? (u32)t->cpu.gpr[i] != (u32)host_cpu.gpr[i]
			: t->cpu.gpr[i] != host_cpu.gpr[i])
			return false;
	}
	return true;
}

/* Two exceptions whose order the manual leaves to the model: of one class, or of two operands. */
static bool either_fault(const struct test_case *t)
{
	return (t->insn.op && t->insn.op->exec == exec_cmps) ||
	       (t->fault.vector == VEC_AC && host_cpu.trap == VEC_PF) ||
	       (t->fault.vector == VEC_PF && host_cpu.trap == VEC_AC);
}

static const char *differs(const struct test_case *t, enum emul_result r)
{
	bool compares = t->insn.rep && (t->insn.flags & OP_STRING) && t->insn.op->alu;
	u64 mask = FLAGS_ALL;

	if ((r == EMUL_FAULT) != (host_cpu.trap != NO_TRAP))
		return "one faults";
	if (memcmp(mock, (void *)HOST_RW, sizeof(mock)) != 0)
		return "memory";
	if (r == EMUL_FAULT) {
		if (either_fault(t))
			return NULL;
		if (t->fault.vector != host_cpu.trap)
			return "vector";
		if ((t->fault.has_error ? t->fault.error : 0) != host_cpu.error)
			return "error code";
		if (t->fault.vector == VEC_PF && t->fault.cr2 != host_cpu.cr2)
			return "CR2";
		if (t->cpu.rip != host_cpu.rip)
			return "RIP";
		if (compares) /* "REP...": their flags are as before the instruction, or not */
			mask = 0;
	} else {
		if (t->cpu.rip != t->before.rip + t->insn.len)
			return "RIP";
		mask &= ~undefined_flags(t);
	}
	if ((t->cpu.rflags ^ host_cpu.rflags) & mask)
		return "flags";
	return same_registers(t) ? NULL : "registers";
}

static void explain(const struct test_case *t, enum emul_result r, const char *what)
{
	static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };

	printf("%s of %s, %d-bit mode:", what, t->form->row->name, 16 << t->cpu.mode);
	for (unsigned i = 0; i < (t->insn.len ? t->insn.len : INSN_MAX); i++)
		printf(" %02x", t->bytes[i]);
	printf("\n  emulator: result %d vector %u error %x cr2 %lx rip %lx flags %lx\n", r,
		t->fault.vector, t->fault.error, t->fault.cr2, t->cpu.rip, t->cpu.rflags);
	printf("  host: trap %ld error %lx cr2 %lx rip %lx flags %lx; flags before %lx\n",
		(long)host_cpu.trap, host_cpu.error, host_cpu.cr2, host_cpu.rip, host_cpu.rflags,
		t->before.rflags);
	for (unsigned i = 0; i < 16; i++)
		printf("  %-3s %016lx: emulator %016lx host %016lx%s\n", names[i], t->before.gpr[i],
			t->cpu.gpr[i], host_cpu.gpr[i],
			t->cpu.gpr[i] != host_cpu.gpr[i] ? " <-" : "");
	for (unsigned i = 0; i < sizeof(mock); i++)
		if (mock[i] != ((u8 *)HOST_RW)[i])
			printf("  [%lx] emulator %02x host %02x\n", HOST_RW + i, mock[i],
				((u8 *)HOST_RW)[i]);
}

/* Fresh bytes here and there; of few values, so that comparisons find what is equal. */
static void stir_memory(void)
{
	unsigned at = (unsigned)below(sizeof(mock) - 64);

	for (unsigned i = 0; i < 64; i++)
		mock[at + i] = (u8)(one_in(2) ? rnd() : below(2) * 0x55);
	memcpy((u8 *)HOST_RW + at, mock + at, 64);
}

static void fill_memory(void)
{
	for (unsigned i = 0; i < sizeof(mock); i++)
		mock[i] = (u8)(i & 0x800 ? 0x55 : rnd());
	for (unsigned i = 0; i < sizeof(mock_ro); i++)
		mock_ro[i] = (u8)(i & 0x100 ? 0x55 : rnd());
	memcpy((void *)HOST_RW, mock, sizeof(mock));
	host_cpu_fill_ro(mock_ro);
}

static u64 number(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

struct tally {
	unsigned run, faults, bad;
};

static void one_case(const struct mode *m, struct tally *n)
{
	static struct test_case t;
	static u8 saved[sizeof(mock)];
	enum emul_result r;
	const char *what;

	if (!make_case(&t, m))
		return;
	t.before = t.cpu;
	t.before.gpr = memcpy(t.gpr_before, t.gpr, sizeof(t.gpr));
	memcpy(saved, mock, sizeof(mock));
	r = run_emulator(&t);
	if (outside) {
		memcpy(mock, saved, sizeof(mock));
		return;
	}
	run_host(&t);
	n->run++;
	n->faults += r == EMUL_FAULT;
	what = differs(&t, r);
	if (!what)
		return;
	if (n->bad++ < MISMATCHES)
		explain(&t, r, what);
	memcpy(mock, (void *)HOST_RW, sizeof(mock));
}

static void run_mode(const struct mode *m)
{
	u64 cases = number("EMUL_HOST_CASES", CASES);
	struct tally n = { 0 };

	if (!host_cpu_init()) {
		print_message("this host is no x86-64 with local descriptors\n");
		skip();
	}
	for (unsigned i = 0; i < ARRAY_SIZE(segments); i++)
		assert_true(host_cpu_segment(i, &segments[i]));
	state = number("EMUL_HOST_SEED", 1) * 2 + 1;
	if (!nforms)
		list_forms();
	fill_memory();
	for (u64 i = 0; i < cases; i++) {
		stir_memory();
		one_case(m, &n);
	}
	print_message("%u of %lu cases run, %u with an exception\n", n.run, cases, n.faults);
	assert_int_equal(n.bad, 0);
	assert_true(n.run > cases / 2);
}

static void test_64(void **unused)
{
	static const struct mode m = { EMUL_MODE_64, HOST_CS64 };

	(void)unused;
	run_mode(&m);
}

static void test_32(void **unused)
{
	static const struct mode m = { EMUL_MODE_32, HOST_LDT(0) };

	(void)unused;
	run_mode(&m);
}

static void test_16(void **unused)
{
	static const struct mode m = { EMUL_MODE_16, HOST_LDT(1) };

	(void)unused;
	run_mode(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_64),
		cmocka_unit_test(test_32),
		cmocka_unit_test(test_16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
