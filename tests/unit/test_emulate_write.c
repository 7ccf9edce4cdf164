/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short path for writes: where it takes an instruction, all is as the long path leaves it; and
 * what it must leave to the long path.
 *
 * Sources: hv/vm/emulate.c hv/vm/emulate_write.c hv/vm/fetch.c hv/mmu/walk.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/dev/bus.c hv/emul/decode.c hv/emul/opcodes.c hv/emul/exec.c
 * hv/emul/alu.c hv/emul/access.c hv/emul/string.c hv/emul/simple.c
 */
#include "tests/unit/vcpu_machine.h"

static u64 seed = 1;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* The operand lies at DATA + 0x108, whichever of these registers it is addressed by. */
#define OPERAND (DATA + 0x108)

static void registers(void)
{
	for (unsigned i = 0; i < 16; i++)
		v.gpr[i] = random64();
	v.gpr[RDI] = OPERAND;
	v.gpr[RBX] = OPERAND - 0x10;
	v.gpr[R9] = 2;
	v.gpr[R13] = OPERAND - 0x12345678;
	cpu.reg[VREG_RSP] = OPERAND;
	cpu.reg[VREG_RFLAGS] =
		RFLAGS_R1 | (random64() & (RFLAGS_CF | RFLAGS_ZF | RFLAGS_OF | RFLAGS_SF));
}

/* What the exit would say of it. */
static struct mmu_fault write_at(u64 gva)
{
	return (struct mmu_fault){ .gva = GVA(gva),
		.gva_valid = true,
		.gpa = GPA(frame_of(gva)),
		.access = MMU_W,
		.error = PF_P | PF_W };
}

/* As any instruction was that exits here: it exited before, and went the long way. */
static void becomes_known(const char *code, unsigned len)
{
	map_all();
	mode_64();
	registers();
	code_at(CODE, code, len);
	cpu.reg[VREG_RIP] = CODE;
	(void)run(NULL);
	mode_64();
	registers();
	cpu.reg[VREG_RIP] = CODE;
}

static bool short_path(u64 gva)
{
	struct mmu_fault f = write_at(gva);

	return vcpu_emulate_write(&v, &f);
}

struct code {
	const char *bytes;
	unsigned len;
	bool compares; /* RAX is what the operand holds, half of the time */
};

#define CODE_OF(s) .bytes = s, .len = sizeof(s) - 1

static void as_the_long_path(void **state)
{
	static const struct code codes[] = {
		{ CODE_OF("\x48\x89\x07") },		     /* mov [rdi], rax */
		{ CODE_OF("\x4c\x89\x7b\x10") },	     /* mov [rbx + 16], r15 */
		{ CODE_OF("\x4a\x89\x14\xcb") },	     /* mov [rbx + r9 * 8], rdx */
		{ CODE_OF("\x49\x89\x8d\x78\x56\x34\x12") }, /* mov [r13 + disp32], rcx */
		{ CODE_OF("\x48\x89\x05\x01\x01\x01\x00") }, /* mov [rip + 0x10101], rax */
		{ CODE_OF("\x89\x07") },		     /* mov [rdi], eax */
		{ CODE_OF("\x66\x89\x07") },		     /* mov [rdi], ax */
		{ CODE_OF("\x88\x07") },		     /* mov [rdi], al */
		{ CODE_OF("\x48\xc7\x07\x00\x00\x00\x00") }, /* mov qword [rdi], 0 */
		{ CODE_OF("\x48\xc7\x07\x67\x00\x00\x80") }, /* mov qword [rdi], sign-extended */
		{ CODE_OF("\xc6\x07\x7f") },		     /* mov byte [rdi], 127 */
		{ CODE_OF("\x48\x87\x07") },		     /* xchg [rdi], rax */
		{ CODE_OF("\x87\x17") },		     /* xchg [rdi], edx */
		{ CODE_OF("\x48\x01\x07") },		     /* add [rdi], rax */
		{ CODE_OF("\xf0\x48\x09\x17") },	     /* lock or [rdi], rdx */
		{ CODE_OF("\xf0\x80\x27\xfd") },	     /* lock and byte [rdi], ~2 */
		{ CODE_OF("\x66\x29\x17") },		     /* sub [rdi], dx */
		{ CODE_OF("\x31\x17") },		     /* xor [rdi], edx */
		{ CODE_OF("\x48\xff\x07") },		     /* inc qword [rdi] */
		{ CODE_OF("\xf0\x48\xf7\x17") },	     /* lock not qword [rdi] */
		{ CODE_OF("\xf0\x48\x0f\xb1\x17"), .compares = true }, /* lock cmpxchg [rdi], rdx */
		{ CODE_OF("\x0f\xb1\x17"), .compares = true },	       /* cmpxchg [rdi], edx */
		{ CODE_OF("\xf0\x48\x0f\xba\x37\x05") },	       /* lock btr qword [rdi], 5 */
		{ CODE_OF("\x48\x0f\xba\x2f\x4a") },		       /* bts qword [rdi], 74 */
		{ CODE_OF("\x0f\xba\x3f\x1f") },		       /* btc dword [rdi], 31 */
	};

	(void)state;
	for (unsigned i = 0; i < 100 * ARRAY_SIZE(codes); i++) {
		const struct code *c = &codes[i % ARRAY_SIZE(codes)];
		u64 before = random64();
		__typeof__(cpu) start, end;
		u64 gpr[16], gpr_end[16], around[3];
		struct mmu_fault f = write_at(OPERAND);

		becomes_known(c->bytes, c->len);
		if (c->compares && random64() % 2)
			before = v.gpr[RAX];
		put(frame_of(OPERAND), before);
		put(frame_of(OPERAND) - 8, ~before);
		put(frame_of(OPERAND) + 8, ~before);
		start = cpu;
		memcpy(gpr, v.gpr, sizeof(gpr));
		assert_true(vcpu_emulate_write(&v, &f));
		end = cpu;
		memcpy(gpr_end, v.gpr, sizeof(gpr));
		for (unsigned k = 0; k < 3; k++)
			around[k] = get64(frame_of(OPERAND) - 8 + 8 * k);
		assert_true(around[0] == ~before && around[2] == ~before);

		put(frame_of(OPERAND), before);
		cpu = start;
		memcpy(v.gpr, gpr, sizeof(gpr));
		assert_true(vcpu_emulate(&v, &f));
		assert_memory_equal(&cpu, &end, sizeof(cpu));
		v.gpr[RSP] = gpr_end[RSP]; /* not kept there */
		assert_memory_equal(v.gpr, gpr_end, sizeof(gpr));
		assert_int_equal(get64(frame_of(OPERAND)), around[1]);
	}
}

static void left_to_the_long_path(void **state)
{
	static const struct code codes[] = {
		{ CODE_OF("\x48\x89\x67\x00") },     /* mov [rdi], rsp */
		{ CODE_OF("\x48\x89\x04\x24") },     /* mov [rsp], rax */
		{ CODE_OF("\x64\x48\x89\x07") },     /* mov fs:[rdi], rax */
		{ CODE_OF("\x67\x48\x89\x07") },     /* mov [edi], rax */
		{ CODE_OF("\x88\x27") },	     /* mov [rdi], ah */
		{ CODE_OF("\x86\x07") },	     /* xchg [rdi], al */
		{ CODE_OF("\x48\x8b\x07") },	     /* mov rax, [rdi] */
		{ CODE_OF("\x48\x39\x07") },	     /* cmp [rdi], rax */
		{ CODE_OF("\x48\x0f\xba\x27\x05") }, /* bt qword [rdi], 5 */
		{ CODE_OF("\x48\x0f\xab\x0f") },     /* bts [rdi], rcx: anywhere */
		{ CODE_OF("\x48\xab") },	     /* stosq */
		{ CODE_OF("\x48\x0f\xc1\x07") },     /* xadd [rdi], rax */
		{ CODE_OF("\x48\x0f\xc7\x0f") },     /* cmpxchg16b [rdi] */
		{ CODE_OF("\xff\x37") },	     /* push [rdi] */
		{ CODE_OF("\x0f\x11\x07") },	     /* movups [rdi], xmm0 */
	};
	u64 before[16];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		becomes_known(codes[i].bytes, codes[i].len);
		put(frame_of(OPERAND), 42);
		memcpy(before, v.gpr, sizeof(before));
		assert_false(short_path(OPERAND));
		assert_memory_equal(v.gpr, before, sizeof(before));
		assert_int_equal(get64(frame_of(OPERAND)), 42);
		assert_false(cpu.retired);
	}
}

static void of_another_place(void **state)
{
	(void)state;
	becomes_known("\x48\x89\x07", 3);
	assert_false(short_path(OPERAND + 8)); /* not what the instruction writes to */
	assert_false(short_path(OPERAND - PAGE_SIZE));
	v.gpr[RDI] = OPERAND + 4;
	assert_false(short_path(OPERAND + 4)); /* may cross a page */
	v.gpr[RDI] = OPERAND;
	assert_true(short_path(OPERAND));

	/* The place is not RAM. */
	becomes_known("\x48\x89\x07", 3);
	v.gpr[RDI] = DEV;
	assert_false(
		vcpu_emulate_write(&v, &(struct mmu_fault){ .gva = GVA(DEV), .gpa = GPA(DEVICE) }));
}

static void of_another_instruction(void **state)
{
	(void)state;
	becomes_known("\x48\x89\x07", 3);
	code_at(CODE, "\x48\x01\x07", 3);
	assert_false(short_path(OPERAND)); /* the code has changed */
	becomes_known("\x48\x89\x07", 3);
	map(CODE, (frame_of(CODE) + PAGE_SIZE) | P | A);
	assert_false(short_path(OPERAND)); /* the page has */
	becomes_known("\x48\x89\x07", 3);
	cpu.reg[VREG_RIP] = CODE + 3;
	assert_false(short_path(OPERAND));
	cpu.reg[VREG_RIP] = CODE;
	cpu.seg[SEG_CS].ar &= ~SEG_AR_L;
	assert_false(short_path(OPERAND)); /* 32-bit code */
	cpu.seg[SEG_CS].ar |= SEG_AR_L;
	assert_true(short_path(OPERAND));
	assert_true(cpu.retired);
}

static u64 told_gpa, told_len;

static void told(void *ctx, gpa_t gpa, u64 len)
{
	(void)ctx;
	told_gpa = gpa.v;
	told_len = len;
}

static void the_bell_rings(void **state)
{
	(void)state;
	becomes_known("\x48\x89\x07", 3);
	vm.mem.written = told;
	assert_true(short_path(OPERAND));
	vm.mem.written = NULL;
	assert_true(told_gpa == frame_of(OPERAND) && told_len == 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(as_the_long_path),
		TEST(left_to_the_long_path),
		TEST(of_another_place),
		TEST(of_another_instruction),
		TEST(the_bell_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
