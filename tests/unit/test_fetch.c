/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kept of earlier fetches: it is used, and it never shows.
 *
 * Sources: hv/vm/emulate.c hv/vm/fetch.c hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 * hv/dev/bus.c hv/emul/decode.c hv/emul/opcodes.c hv/emul/exec.c hv/emul/alu.c hv/emul/access.c
 * hv/emul/string.c hv/emul/simple.c
 */
#include "tests/unit/vcpu_machine.h"

static u64 seed = 1;

static u64 below(u64 n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (seed >> 33) % n;
}

static u64 two_of(u64 a, u64 b)
{
	return below(2) ? a : b;
}

/* Changes one thing that a fetch depends on, or nothing. */
static void change_something(void)
{
	static const u8 code[][8] = {
		{ 0x48, 0x89, 0x07, 0x90 }, /* mov [rdi], rax */
		{ 0x48, 0x8b, 0x07, 0x90 }, /* mov rax, [rdi] */
		{ 0x48, 0x01, 0x07, 0x90 }, /* add [rdi], rax */
		{ 0x48, 0x83, 0x07, 0x05 }, /* add [rdi], 5 */
		{ 0x0f, 0x0b, 0x90, 0x90 }, /* ud2 */
	};
	static const u64 bits[] = { 0, NX, U, P, W };
	u64 entry, page = below(2) * PAGE_SIZE;

	switch (below(16)) {
	case 0:
	case 1: code_at(CODE + page + below(4) * 4, code[below(ARRAY_SIZE(code))], 4); break;
	case 2: /* mov qword [rdi + 8], imm: only its last bytes differ */
		code_at(CODE + page, "\x48\xc7\x87\x08\x00\x00\x00\x01\x02\x03", 10);
		code_at(CODE + page + 10, below(2) ? "\x04" : "\x05", 1);
		break;
	case 3: /* a permission of the page, or the page itself */
		entry = frame_of(CODE + below(2) * PAGE_SIZE) | P | A | U;
		map(CODE + page, entry ^ bits[below(ARRAY_SIZE(bits))]);
		break;
	case 4: put(PD, (PT | P | W | U | A) ^ bits[below(ARRAY_SIZE(bits))]); break;
	case 5: put(PDPT, (PD | P | W | U | A) ^ bits[below(ARRAY_SIZE(bits))]); break;
	case 6:
		put(PML4 + (BASE >> 39 & 511) * 8,
			(PDPT | P | W | U | A) ^ bits[below(ARRAY_SIZE(bits))]);
		break;
	case 7: /* another root, with the same tables below or none */
		put(0x9000 + (BASE >> 39 & 511) * 8, two_of(PDPT | P | W | U | A, 0));
		cpu.reg[VREG_CR3] = two_of(PML4, 0x9000);
		break;
	case 8: cpu.reg[VREG_CR4] ^= CR4_SMEP; break;
	case 9: cpu.reg[VREG_EFER] ^= EFER_NXE; break;
	case 10:
		cpu.seg[SEG_SS].ar ^= SEG_AR_DPL;
		cpu.seg[SEG_CS].ar ^= SEG_AR_DPL;
		break;
	case 11: map_all(); break;
	default: break;
	}
}

/*
 * The same instruction, once with all that was kept and once with nothing: nobody can tell. Both
 * start from the same registers and memory.
 */
static void what_is_kept_never_shows(void **state)
{
	static u8 before[0x200000], after[sizeof(before)];
	static struct fetch_cache kept;
	unsigned retired = 0, faults = 0, unknown = 0;

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		__typeof__(cpu) cpu_before, cpu_kept;
		u64 gpr[16], gpr_kept[16];
		bool known;

		if (i % 8 == 0) {
			map_all();
			mode_64();
		}
		change_something();
		cpu.reg[VREG_RIP] = CODE + below(2) * PAGE_SIZE + below(4) * 4;
		v.gpr[RDI] = DATA;
		v.gpr[RAX] = i;
		cpu_before = cpu;
		memcpy(gpr, v.gpr, sizeof(gpr));
		assert_int_equal(guest_read(&vm.mem, GPA(0), before, sizeof(before)), OK);
		known = run(NULL);
		cpu_kept = cpu;
		memcpy(gpr_kept, v.gpr, sizeof(gpr));
		assert_int_equal(guest_read(&vm.mem, GPA(0), after, sizeof(after)), OK);
		kept = v.fetched;

		assert_int_equal(guest_write(&vm.mem, GPA(0), before, sizeof(before)), OK);
		memset(&v.fetched, 0, sizeof(v.fetched));
		cpu = cpu_before;
		memcpy(v.gpr, gpr, sizeof(gpr));
		assert_int_equal(run(NULL), known);
		assert_memory_equal(&cpu, &cpu_kept, sizeof(cpu));
		assert_memory_equal(v.gpr, gpr_kept, sizeof(gpr));
		assert_int_equal(guest_read(&vm.mem, GPA(0), before, sizeof(before)), OK);
		assert_memory_equal(before, after, sizeof(after));
		v.fetched = kept;
		retired += cpu.retired;
		faults += cpu.vector == VEC_PF;
		unknown += !known;
	}
	print_message("%u retired, %u page faults, %u unknown\n", retired, faults, unknown);
	assert_true(retired > 400 && faults > 400 && unknown > 100);
}

/* Nothing is looked at beyond: the sanitizer would say so. */
static void the_last_instruction_of_memory(void **state)
{
	(void)state;
	map(CODE + PAGE_SIZE - 1, (RAM - PAGE_SIZE) | P | A);
	v.gpr[RDI] = DATA;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(guest_write(&vm.mem, GPA(RAM - 2), "\x89\x07", 2), OK);
		cpu.reg[VREG_RIP] = CODE + PAGE_SIZE - 2;
		assert_true(run(NULL));
		assert_retired(0);
	}
}

static void what_is_kept_is_used(void **state)
{
	const struct emul_cpu c = { .rip = CODE, .cr4 = CR4_PAE, .mode = EMUL_MODE_64 };

	(void)state;
	v.gpr[RDI] = DATA;
	assert_null(fetch_recall(&v.fetched, &vm.mem, PML4, &c));
	assert_true(RUN(0x48, 0x89, 0x07));
	assert_non_null(fetch_recall(&v.fetched, &vm.mem, PML4, &c));
	/* Another address space with the same kernel. */
	put(0x9000 + (BASE >> 39 & 511) * 8, PDPT | P | W | U | A);
	assert_non_null(fetch_recall(&v.fetched, &vm.mem, 0x9000, &c));
	assert_null(fetch_recall(&v.fetched, &vm.mem, 0xa000, &c));
	assert_null(fetch_recall(&v.fetched, &vm.mem, RAM, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_kept_never_shows),
		TEST(the_last_instruction_of_memory),
		TEST(what_is_kept_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
