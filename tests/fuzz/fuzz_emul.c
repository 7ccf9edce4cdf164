/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction decoder and emulator against any bytes in any state. An input is a state (see
 * struct input; what it lacks is 0) and the bytes of an instruction. Checked: what the headers
 * promise. Decoding reads no byte beyond those it is given, and the same from as many as it used;
 * executing asks for accesses of legal size within segments and canonical addresses only, does at
 * most so many repetitions, changes nothing when it faults but what REP has done, and ends behind
 * the instruction when it does not.
 *
 * Sources: hv/emul/decode.c hv/emul/opcodes.c hv/emul/exec.c hv/emul/alu.c hv/emul/access.c
 * hv/emul/string.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/cpu/regs.h"
#include "hv/emul/exec.h"
#include "tests/fuzz/fuzz.h"

#define MAX_REPS 16u
#define MEMORY	 256u /* bytes, over and over: any address is one of them */

struct input {
	u8 mode;       /* see load_state() */
	u8 fault_at;   /* the access that faults, counted from 1; 0x80: others write, too */
	u8 insn_bytes; /* are there at first */
	u8 seg_ar[6];
	u32 seg_limit[6];
	u32 rflags;
	u8 insn[INSN_MAX];
	u64 seg_base[6];
	u64 gpr[16];
	u64 rip;
} __packed;

static struct input in;
static struct emul_cpu cpu;
static u8 memory[MEMORY];
static unsigned accesses, writes;

static bool is_canonical(u64 linear)
{
	return (u64)((s64)(linear << 16) >> 16) == linear;
}

static enum emul_result check_access(u64 linear, unsigned size, struct emul_fault *f)
{
	CHECK(IS_POW2(size) && size <= 16);
	if (cpu.mode == EMUL_MODE_64)
		CHECK(is_canonical(linear) && is_canonical(linear + size - 1));
	else
		CHECK(linear <= 0xffffffff);
	if (++accesses != (in.fault_at & 0x7f))
		return EMUL_OK;
	*f = (struct emul_fault){ .vector = VEC_PF, .has_error = true, .cr2 = linear };
	return EMUL_FAULT;
}

static enum emul_result mock_read(
	void *ctx, u64 linear, unsigned size, u64 *value, struct emul_fault *f)
{
	(void)ctx;
	CHECK(size <= 8);
	if (check_access(linear, size, f) != EMUL_OK)
		return EMUL_FAULT;
	*value = 0;
	for (unsigned i = 0; i < size; i++)
		*value |= (u64)memory[(linear + i) % MEMORY] << (8 * i);
	return EMUL_OK;
}

static enum emul_result mock_write(
	void *ctx, u64 linear, unsigned size, u64 value, struct emul_fault *f)
{
	(void)ctx;
	CHECK(size <= 8);
	if (check_access(linear, size, f) != EMUL_OK)
		return EMUL_FAULT;
	writes++;
	for (unsigned i = 0; i < size; i++)
		memory[(linear + i) % MEMORY] = (u8)(value >> (8 * i));
	return EMUL_OK;
}

static enum emul_result mock_cmpxchg(
	void *ctx, u64 linear, u64 *old, u64 new_val, unsigned size, struct emul_fault *f)
{
	u64 expected = *old;

	if (in.fault_at & 0x80)
		memory[linear % MEMORY]++;
	if (mock_read(ctx, linear, size, old, f) != EMUL_OK)
		return EMUL_FAULT;
	if (*old == expected)
		return mock_write(ctx, linear, size, new_val, f);
	return EMUL_OK;
}

static enum emul_result mock_probe(void *ctx, u64 linear, unsigned size, struct emul_fault *f)
{
	(void)ctx;
	return check_access(linear, size, f);
}

static enum emul_result mock_in(
	void *ctx, u16 port, unsigned size, u32 *value, struct emul_fault *f)
{
	(void)ctx;
	(void)f;
	CHECK(size == 1 || size == 2 || size == 4);
	*value = port * 0x01010101u & (u32)size_mask(size);
	return EMUL_OK;
}

static enum emul_result mock_out(
	void *ctx, u16 port, unsigned size, u32 value, struct emul_fault *f)
{
	(void)ctx;
	(void)port;
	(void)f;
	CHECK(size == 1 || size == 2 || size == 4);
	CHECK((value & ~size_mask(size)) == 0);
	return EMUL_OK;
}

static const struct emul_ops ops = {
	.read = mock_read,
	.write = mock_write,
	.cmpxchg = mock_cmpxchg,
	.probe_write = mock_probe,
	.in = mock_in,
	.out = mock_out,
};

static u64 gpr[16];

static void load_state(void)
{
	cpu = (struct emul_cpu){
		.gpr = memcpy(gpr, in.gpr, sizeof(gpr)),
		.mode = (enum emul_mode)(in.mode % 3),
		.cpl = in.mode & 0x10 ? 3 : 0,
		.cr0 = CR0_PE | (in.mode & 0x20 ? CR0_AM : 0),
		.rflags = in.rflags | RFLAGS_R1,
		.rip = in.rip,
	};
	cpu.real_mode = cpu.mode == EMUL_MODE_16 && (in.mode & 0x08);
	for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
		cpu.seg[i].base = cpu.mode == EMUL_MODE_64 ? in.seg_base[i] : (u32)in.seg_base[i];
		cpu.seg[i].limit = in.seg_limit[i];
		cpu.seg[i].ar = in.seg_ar[i] | (in.mode & 0x40 ? SEG_AR_DB : 0);
	}
	if (in.mode & 0x80)
		cpu.seg[SEG_ES].ar |= SEG_AR_UNUSABLE;
	if (cpu.mode != EMUL_MODE_64)
		cpu.rip = (u32)cpu.rip;
	for (unsigned i = 0; i < MEMORY; i++)
		memory[i] = (u8)(i * 7 / 3);
}

/* From memory of exactly that size. */
static enum emul_result decode(struct insn *insn, unsigned len, struct emul_fault *f)
{
	u8 *exact = malloc(len ? len : 1);
	enum emul_result r;

	memcpy(exact, in.insn, len);
	r = emul_decode(insn, exact, len, &cpu, f);
	free(exact);
	return r;
}

/* Bytes come page by page: the second call is as good as the first. */
static enum emul_result fetch(struct insn *insn, struct emul_fault *f)
{
	unsigned first = in.insn_bytes % (INSN_MAX + 1);
	enum emul_result r = decode(insn, first, f);

	if (r == EMUL_OK) {
		CHECK(insn->len >= 1 && insn->len <= first);
		CHECK(decode(insn, insn->len - 1u, f) == EMUL_AGAIN);
	}
	if (r == EMUL_AGAIN || r == EMUL_OK)
		r = decode(insn, INSN_MAX, f);
	CHECK(r != EMUL_AGAIN);
	return r;
}

static void check_fault(
	const struct insn *insn, const struct emul_fault *f, const struct emul_cpu *was)
{
	CHECK(f->vector == VEC_UD || f->vector == VEC_GP || f->vector == VEC_SS ||
		f->vector == VEC_AC || f->vector == VEC_PF);
	CHECK(f->has_error == (f->vector != VEC_UD));
	CHECK(cpu.rip == was->rip);
	if (insn->flags & OP_STRING)
		return;
	CHECK(memcmp(gpr, in.gpr, sizeof(gpr)) == 0);
	CHECK(cpu.rflags == was->rflags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct emul_fault f;
	struct emul_cpu was;
	struct insn insn;
	enum emul_result r;

	memset(&in, 0, sizeof(in));
	memcpy(&in, data, MIN(size, sizeof(in)));
	load_state();
	was = cpu;
	accesses = 0;
	writes = 0;
	r = fetch(&insn, &f);
	if (r != EMUL_OK)
		return 0;
	r = emul_execute(&insn, &cpu, &ops, NULL, MAX_REPS, &f);
	CHECK(accesses <= 4 * MAX_REPS + 8 && writes <= 2 * MAX_REPS);
	switch (r) {
	case EMUL_OK:
		was.rip += insn.len;
		CHECK(cpu.rip == (cpu.mode == EMUL_MODE_64 ? was.rip : (u32)was.rip));
		CHECK(!(cpu.rflags & RFLAGS_RF));
		break;
	case EMUL_FAULT: check_fault(&insn, &f, &was); break;
	case EMUL_AGAIN:
		CHECK(cpu.rip == was.rip);
		CHECK(insn.rep || ((in.fault_at & 0x80) && memcmp(gpr, in.gpr, sizeof(gpr)) == 0));
		break;
	case EMUL_UNKNOWN: CHECK(!"a known instruction that cannot be executed"); break;
	}
	return 0;
}
