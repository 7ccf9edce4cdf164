/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a vcpu and the emulator: which faults come back and what is done by then, accesses across
 * pages, REP in portions, what the exit tells of the access, and the fetch.
 *
 * Sources: hv/vm/emulate.c hv/vm/fetch.c hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 * hv/dev/bus.c hv/emul/decode.c hv/emul/opcodes.c hv/emul/exec.c hv/emul/alu.c hv/emul/access.c
 * hv/emul/string.c hv/emul/simple.c
 */
#include "tests/unit/vcpu_machine.h"

/* ---- accesses ---- */

static void memory_and_devices(void **state)
{
	(void)state;
	v.gpr[RAX] = 0x1122334455667788;
	v.gpr[RDI] = DATA + 8;
	assert_true(RUN(0x48, 0x89, 0x07)); /* mov [rdi], rax */
	assert_retired(3);
	assert_int_equal(get64(frame_of(DATA + 8)), 0x1122334455667788);
	v.gpr[RDI] = DEV + 8;
	assert_true(RUN(0x89, 0x07)); /* mov [rdi], eax */
	assert_retired(2);
	assert_int_equal(accesses, 1);
	assert_int_equal(last_size, 4);
	assert_true(RUN(0x8b, 0x0f)); /* mov ecx, [rdi] */
	assert_int_equal(v.gpr[RCX], 0x55667788);
	/* Nobody there: ones. */
	map(DEV, (DEVICE - PAGE_SIZE) | P | A);
	assert_true(RUN(0x0f, 0xb6, 0x0f)); /* movzx ecx, byte [rdi] */
	assert_int_equal(v.gpr[RCX], 0xff);
}

static void across_pages(void **state)
{
	(void)state;
	/* From RAM into a device. */
	map(DATA + PAGE_SIZE, DEVICE | P | W | A | D);
	v.gpr[RAX] = 0x8877665544332211;
	v.gpr[RDI] = DATA + PAGE_SIZE - 3;
	assert_true(RUN(0x48, 0x89, 0x07));
	assert_retired(3);
	assert_int_equal(get64(frame_of(DATA + PAGE_SIZE - 8)) >> 40, 0x332211);
	assert_memory_equal(storage, "\x44\x55\x66\x77\x88", 6);
	v.gpr[RCX] = 0;
	assert_true(RUN(0x48, 0x8b, 0x0f)); /* mov rcx, [rdi] */
	assert_int_equal(v.gpr[RCX], 0x8877665544332211);
	/* LOCK, which no device and no two pages can be asked for, is still the instruction. */
	v.gpr[RCX] = 1;
	assert_true(RUN(0xf0, 0x48, 0x0f, 0xc1, 0x0f)); /* lock xadd [rdi], rcx */
	assert_int_equal(v.gpr[RCX], 0x8877665544332211);
	assert_int_equal(get64(frame_of(DATA + PAGE_SIZE - 8)) >> 40, 0x332212);
}

static void fault_on_the_second_page(void **state)
{
	(void)state;
	map(DATA + PAGE_SIZE, 0);
	v.gpr[RAX] = ~0ul;
	v.gpr[RDI] = DATA + PAGE_SIZE - 3;
	put(frame_of(DATA + PAGE_SIZE - 8), 0);
	assert_true(RUN(0x48, 0x89, 0x07));
	assert_pf(DATA + PAGE_SIZE, PF_W);
	assert_int_equal(cpu.reg[VREG_RIP], CODE);
	assert_int_equal(get64(frame_of(DATA + PAGE_SIZE - 8)), 0);
	assert_true(RUN(0x48, 0x8b, 0x07));
	assert_pf(DATA + PAGE_SIZE, 0);
	/* On the first: the address is the access's own. Read-modify-write faults as a write. */
	map(DATA, frame_of(DATA) | P | A | U);
	user();
	assert_true(RUN(0x48, 0x31, 0x07)); /* xor [rdi], rax */
	assert_pf(DATA + PAGE_SIZE - 3, PF_P | PF_W | PF_U);
}

static void exceptions_before_paging(void **state)
{
	(void)state;
	v.gpr[RDI] = 0x800000000000;
	assert_true(RUN(0x89, 0x07));
	assert_int_equal(cpu.vector, VEC_GP);
	assert_true(cpu.has_error);
	assert_int_equal(cpu.error, 0);
	cpu.reg[VREG_RSP] = 0x800000000000;
	assert_true(RUN(0xff, 0x34, 0x24)); /* push [rsp] */
	assert_int_equal(cpu.vector, VEC_SS);
	assert_int_equal(cpu.reg[VREG_RSP], 0x800000000000);
	assert_true(RUN(0xf0, 0x89, 0x07));
	assert_int_equal(cpu.vector, VEC_UD);
	assert_false(cpu.has_error);
}

static void stack_pointer_comes_and_goes(void **state)
{
	(void)state;
	v.gpr[RSP] = 0x5a5a; /* not kept there */
	v.gpr[RDI] = DATA;
	put(frame_of(DATA), 0x1234);
	assert_true(RUN(0xff, 0x37)); /* push [rdi] */
	assert_retired(2);
	assert_int_equal(cpu.reg[VREG_RSP], DATA + 0x7f8);
	assert_int_equal(get64(frame_of(DATA + 0x7f8)), 0x1234);
	assert_true(RUN(0x8f, 0x47, 0x10)); /* pop [rdi + 16] */
	assert_int_equal(cpu.reg[VREG_RSP], DATA + 0x800);
	assert_int_equal(get64(frame_of(DATA + 0x10)), 0x1234);
	/* A pop whose destination faults has popped nothing. */
	v.gpr[RDI] = BASE + 0x1000;
	assert_true(RUN(0x8f, 0x07));
	assert_pf(BASE + 0x1000, PF_W);
	assert_int_equal(cpu.reg[VREG_RSP], DATA + 0x800);
}

/* ---- REP ---- */

static void rep_stops_where_it_faults(void **state)
{
	(void)state;
	map(DATA + PAGE_SIZE, 0);
	v.gpr[RAX] = 0x5a;
	v.gpr[RCX] = 10;
	v.gpr[RDI] = DATA + PAGE_SIZE - 4;
	assert_true(RUN(0xf3, 0xaa)); /* rep stosb */
	assert_pf(DATA + PAGE_SIZE, PF_W);
	assert_int_equal(v.gpr[RCX], 6);
	assert_int_equal(v.gpr[RDI], DATA + PAGE_SIZE);
	assert_int_equal(get64(frame_of(DATA + PAGE_SIZE - 8)) >> 32, 0x5a5a5a5a);
	map(DATA + PAGE_SIZE, frame_of(DATA + PAGE_SIZE) | P | W);
	assert_true(run(NULL));
	assert_retired(2);
	assert_int_equal(v.gpr[RCX], 0);
	assert_int_equal(v.gpr[RDI], DATA + PAGE_SIZE + 6);
}

static void rep_goes_down(void **state)
{
	(void)state;
	memcpy(storage, "abcdefgh", 8);
	cpu.reg[VREG_RFLAGS] |= RFLAGS_DF;
	v.gpr[RCX] = 3;
	v.gpr[RSI] = DEV + 6;
	v.gpr[RDI] = DATA + PAGE_SIZE + 2;
	assert_true(RUN(0xf3, 0x66, 0xa5)); /* rep movsw */
	assert_retired(3);
	assert_int_equal(v.gpr[RSI], DEV);
	assert_int_equal(v.gpr[RDI], DATA + PAGE_SIZE - 4);
	assert_int_equal(get64(frame_of(DATA + PAGE_SIZE - 2)) & 0xffffffffffff, 0x686766656463);
	assert_int_equal(last_size, 2);
	/* Down into a page that is not there. */
	map(DATA, 0);
	v.gpr[RCX] = ~0ul;
	v.gpr[RDI] = DATA + PAGE_SIZE + 8;
	assert_true(RUN(0xf3, 0x48, 0xab)); /* rep stosq */
	assert_pf(DATA + PAGE_SIZE - 8, PF_W);
	assert_int_equal(v.gpr[RCX], ~0ul - 2);
}

static void rep_returns_now_and_then(void **state)
{
	(void)state;
	v.gpr[RCX] = ~0ul;
	v.gpr[RSI] = DEV;
	for (unsigned i = 1; i <= 3; i++) {
		if (i == 1)
			assert_true(RUN(0xf3, 0xac)); /* rep lodsb */
		else
			assert_true(run(NULL));
		assert_false(cpu.retired);
		assert_int_equal(cpu.vector, -1);
		assert_int_equal(cpu.reg[VREG_RIP], CODE);
		assert_int_equal(v.gpr[RCX], ~0ul - i * REPS);
		assert_int_equal(v.gpr[RSI], DEV + i * REPS);
	}
	assert_int_equal(accesses, 3 * REPS);
	/* The flags that REPE CMPS has by then are the guest's, too. */
	v.gpr[RCX] = 2 * REPS;
	v.gpr[RDI] = DATA;
	v.gpr[RSI] = DATA;
	assert_true(RUN(0xf3, 0xa6));
	assert_false(cpu.retired);
	assert_true(cpu.reg[VREG_RFLAGS] & RFLAGS_ZF);
}

/* Where a page may be read says nothing of whether it may be written; nor does one page of another.
 */
static void rep_checks_each_page(void **state)
{
	(void)state;
	map(DATA, frame_of(DATA) | P | A);
	v.gpr[RCX] = 4;
	v.gpr[RSI] = DATA;
	v.gpr[RDI] = DATA + 0x100;
	assert_true(RUN(0xf3, 0xa4)); /* rep movsb */
	assert_pf(DATA + 0x100, PF_P | PF_W);
	assert_int_equal(v.gpr[RCX], 4);
	map(DATA, frame_of(DATA) | P | W);
	map(DATA + PAGE_SIZE, frame_of(DATA + 3 * PAGE_SIZE) | P | W);
	put(frame_of(DATA), 0x8877665544332211);
	v.gpr[RDI] = DATA + PAGE_SIZE - 2;
	assert_true(run(NULL));
	assert_retired(2);
	assert_int_equal(get64(frame_of(DATA + PAGE_SIZE - 8)) >> 48, 0x2211);
	assert_int_equal(get64(frame_of(DATA + 3 * PAGE_SIZE)) & 0xffff, 0x4433);
	assert_int_equal(get64(PT + (DATA >> 12 & 511) * 8), frame_of(DATA) | P | W | A | D);
}

static void string_io(void **state)
{
	(void)state;
	map(DATA + PAGE_SIZE, 0);
	v.gpr[RDX] = 0x80;
	v.gpr[RCX] = 4;
	v.gpr[RDI] = DATA + PAGE_SIZE - 2;
	assert_true(RUN(0xf3, 0x6c)); /* rep insb */
	assert_pf(DATA + PAGE_SIZE, PF_W);
	/* What could not be stored was not taken from the port. */
	assert_int_equal(port_value, 2);
	assert_int_equal(v.gpr[RCX], 2);
	assert_int_equal(get64(frame_of(DATA + PAGE_SIZE - 8)) >> 48, 0x0201);
	v.gpr[RSI] = DATA + PAGE_SIZE - 1;
	cpu.reg[VREG_RFLAGS] |= RFLAGS_DF;
	assert_true(RUN(0xf3, 0x6e)); /* rep outsb */
	assert_retired(2);
	assert_int_equal(port_value, 1);
	assert_int_equal(v.gpr[RSI], DATA + PAGE_SIZE - 3);
}

/* Another vcpu changes the entry of the page whenever a flag is set on the way there. */
static u64 changing;
static unsigned changes;

static void change(void *ctx, gpa_t gpa, u64 len)
{
	u64 pte = PT + (changing >> 12 & 511) * 8;

	(void)ctx;
	(void)len;
	if (gpa.v != PD)
		return;
	assert_true(++changes < 1000);
	vm.mem.written = NULL;
	put(PD, get64(PD) & ~A);
	put(pte, get64(pte) ^ BIT(9));
	vm.mem.written = change;
}

/* Then the guest runs on, to come back with the same instruction. */
static void entries_that_change_without_end(void **state)
{
	static const u64 pages[] = { CODE, DATA };

	(void)state;
	v.gpr[RAX] = 7;
	v.gpr[RDI] = DATA;
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		changing = pages[i];
		changes = 0;
		put(PD, PT | P | W | U);
		map(changing, frame_of(changing) | P | W);
		vm.mem.written = change;
		assert_true(RUN(0x48, 0x89, 0x07)); /* mov [rdi], rax */
		vm.mem.written = NULL;
		assert_true(changes > 0);
		assert_false(cpu.retired);
		assert_int_equal(cpu.vector, -1);
		assert_int_equal(get64(frame_of(DATA)), 0);
		map(changing, frame_of(changing) | P | W | A | D);
	}
	assert_true(RUN(0x48, 0x89, 0x07));
	assert_retired(3);
	assert_int_equal(get64(frame_of(DATA)), 7);
}

/* ---- outside 64-bit mode ---- */

static void linear_addresses_wrap(void **state)
{
	(void)state;
	mode_32();
	/* The last page of 4 GB and, behind it, the first. */
	put(PDPT + 0x800, PD | P);
	cpu.pdpte[3] = 0x5000 | P;
	put(0x5000 + 511 * 8, 0x6000 | P | W | A);
	put(0x6000 + 511 * 8, 0x7000 | P | W | A | D);
	map(BASE, 0x8000 | P | W | A | D);
	cpu.seg[SEG_DS].base = 0xfffff000;
	v.gpr[RAX] = 0x44332211;
	v.gpr[RDI] = 0xffe;
	assert_true(RUN(0x89, 0x07));
	assert_retired(2);
	assert_int_equal(get64(0x7ff8) >> 48, 0x2211);
	assert_int_equal(get64(0x8000), 0x4433);
	map(BASE, 0);
	assert_true(RUN(0x89, 0x07));
	assert_pf(0, PF_W);
	/* The offset itself may not: that is beyond the limit. */
	v.gpr[RDI] = 0xfffffffe;
	assert_true(RUN(0x89, 0x07));
	assert_int_equal(cpu.vector, VEC_GP);
}

static void pae_uses_the_registers(void **state)
{
	(void)state;
	mode_32();
	v.gpr[RDI] = DATA - BASE;
	v.gpr[RAX] = 77;
	assert_true(RUN(0x89, 0x07));
	assert_retired(2);
	assert_int_equal(get64(frame_of(DATA)), 77);
	cpu.pdpte[0] = 0;
	assert_true(RUN(0x89, 0x07));
	assert_pf(CODE - BASE, PF_I);
}

static void count_of_the_address_size(void **state)
{
	(void)state;
	v.gpr[RCX] = 0xff00000002;
	v.gpr[RDI] = 0xff00000000 | (u32)DATA;
	map(BASE + 0x20000, 0);
	/* mov-like with 67: RDI and RCX have 32 bits, and so has the address. */
	assert_true(RUN(0x67, 0xf3, 0xaa));
	assert_pf((u32)DATA, PF_W);
}

/* ---- what the exit says of the access ---- */

static void the_exit_has_translated(void **state)
{
	struct mmu_fault hint = { .gpa = GPA(DEVICE + 0x20),
		.gva = GVA(DEV + 0x20),
		.gva_valid = true,
		.access = MMU_W };

	(void)state;
	v.gpr[RDI] = DEV + 0x20;
	v.gpr[RAX] = 1;
	assert_true(RUN(0x89, 0x07));
	/* Another vcpu has taken the page away by now: the access was before that. */
	map(DEV, 0);
	accesses = 0;
	cpu.reg[VREG_RIP] = CODE;
	assert_true(run(&hint));
	assert_retired(2);
	assert_int_equal(accesses, 1);
	/* A read says nothing of writes, a walk nothing of the access, another page nothing at all.
	 */
	cpu.reg[VREG_RIP] = CODE;
	hint.access = MMU_R;
	assert_true(run(&hint));
	assert_pf(DEV + 0x20, PF_W);
	hint.access = MMU_W;
	hint.is_walk = true;
	assert_true(run(&hint));
	assert_pf(DEV + 0x20, PF_W);
	hint.is_walk = false;
	hint.gva = GVA(DEV + PAGE_SIZE + 0x20);
	assert_true(run(&hint));
	assert_pf(DEV + 0x20, PF_W);
	hint.gva_valid = false;
	assert_true(run(&hint));
	assert_pf(DEV + 0x20, PF_W);
	assert_int_equal(accesses, 1);
}

/* ---- the fetch ---- */

static void fetch_across_pages(void **state)
{
	static const u8 code[] = { 0xc7, 0x07, 1, 2, 3, 4 }; /* mov dword [rdi], 0x04030201 */
	u64 end = CODE + PAGE_SIZE;

	(void)state;
	v.gpr[RDI] = DATA;
	for (unsigned n = 1; n <= sizeof(code); n++) {
		put(frame_of(DATA), 0);
		map(end, frame_of(end) | P | A);
		code_at(end - n, code, sizeof(code));
		cpu.reg[VREG_RIP] = end - n;
		assert_true(run(NULL));
		assert_true(cpu.retired);
		assert_int_equal(get64(frame_of(DATA)), 0x04030201);
		/* The next page is not there: which matters only to those that go on in it. */
		put(frame_of(DATA), 0);
		map(end, 0);
		cpu.reg[VREG_RIP] = end - n;
		assert_true(run(NULL));
		if (n == sizeof(code)) {
			assert_true(cpu.retired);
			assert_int_equal(get64(frame_of(DATA)), 0x04030201);
		} else {
			assert_pf(end, PF_I);
			assert_int_equal(cpu.reg[VREG_RIP], end - n);
		}
	}
}

static void fetch_needs_permission(void **state)
{
	(void)state;
	v.gpr[RDI] = DATA;
	assert_true(RUN(0x89, 0x07));
	assert_retired(2);
	map(CODE, frame_of(CODE) | P | A | NX);
	assert_true(RUN(0x89, 0x07));
	assert_pf(CODE, PF_P | PF_I);
	map(CODE, frame_of(CODE) | P | A | U);
	cpu.reg[VREG_CR4] |= CR4_SMEP;
	assert_true(RUN(0x89, 0x07));
	assert_pf(CODE, PF_P | PF_I);
	user();
	assert_true(RUN(0x89, 0x07));
	assert_retired(2);
}

static void unknown_and_unreadable(void **state)
{
	(void)state;
	v.gpr[RDI] = DATA;
	assert_false(RUN(0x0f, 0x0b));
	assert_false(cpu.retired);
	assert_int_equal(cpu.vector, -1);
	/* Code that is no memory; tables that are none. */
	map(CODE, DEVICE | P | A);
	assert_false(run(NULL));
	cpu.reg[VREG_CR3] = RAM;
	assert_false(run(NULL));
	assert_int_equal(cpu.vector, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory_and_devices),
		TEST(across_pages),
		TEST(fault_on_the_second_page),
		TEST(exceptions_before_paging),
		TEST(stack_pointer_comes_and_goes),
		TEST(rep_stops_where_it_faults),
		TEST(rep_goes_down),
		TEST(rep_returns_now_and_then),
		TEST(rep_checks_each_page),
		TEST(string_io),
		TEST(entries_that_change_without_end),
		TEST(linear_addresses_wrap),
		TEST(pae_uses_the_registers),
		TEST(count_of_the_address_size),
		TEST(the_exit_has_translated),
		TEST(fetch_across_pages),
		TEST(fetch_needs_permission),
		TEST(unknown_and_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
