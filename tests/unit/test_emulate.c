/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a vcpu and the emulator: which faults come back and what is done by then, accesses across
 * pages, REP in portions, what the exit tells of the access, the fetch, and what is kept of it,
 * which must never show. The vcpu, its buses and its devices are mocks; page tables and memory are
 * real.
 *
 * Sources: hv/vm/emulate.c hv/vm/fetch.c hv/mmu/walk.c hv/mem/guestmem.c hv/dev/bus.c
 * hv/emul/decode.c hv/emul/opcodes.c hv/emul/exec.c hv/emul/alu.c hv/emul/access.c hv/emul/string.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"
#include "tests/unit/host.h"

#define P  BIT(0)
#define W  BIT(1)
#define U  BIT(2)
#define A  BIT(5)
#define D  BIT(6)
#define NX BIT(63)

#define RAM    (4 * MB)
#define DEVICE 0xfee00000ul
#define REPS   1024u /* of MAX_REPS */

/* Tables; one page table maps 2 MB of linear addresses from BASE on. */
#define PML4 0x1000ul
#define PDPT 0x2000ul
#define PD   0x3000ul
#define PT   0x4000ul
#define BASE 0xffff800000000000ul

/* Pages of these, and the frames they are mapped to. */
#define CODE  (BASE + 0x10000)
#define DATA  (BASE + 0x20000)
#define DEV   (BASE + 0x30000)
#define FRAME 0x100000ul /* of CODE; those of the pages behind it follow, as their addresses do */

static struct vm vm;
static struct vcpu v;

/* ---- the mocks ---- */

struct platform {
	struct bus mmio, pio;
};

static struct platform platform;

struct bus *platform_mmio(struct platform *p)
{
	return &p->mmio;
}

struct bus *platform_pio(struct platform *p)
{
	return &p->pio;
}

unsigned cpuid_maxphyaddr(const struct cpuid_table *t)
{
	(void)t;
	return 40;
}

bool cpuid_page1gb(const struct cpuid_table *t)
{
	(void)t;
	return true;
}

static struct {
	u64 reg[VREG_COUNT];
	u64 pdpte[4];
	struct segment seg[SEG_COUNT];
	u64 rip, rflags; /* of retire() */
	bool retired;
	int vector; /* injected; -1: none */
	bool has_error;
	u32 error;
	u64 cr2;
} cpu;

static u64 get(struct vcpu *c, enum vcpu_reg r)
{
	(void)c;
	return cpu.reg[r];
}

static void set(struct vcpu *c, enum vcpu_reg r, u64 value)
{
	(void)c;
	cpu.reg[r] = value;
}

static void get_context(struct vcpu *c, struct vcpu_context *out)
{
	(void)c;
	*out = (struct vcpu_context){
		.rsp = cpu.reg[VREG_RSP],
		.rip = cpu.reg[VREG_RIP],
		.rflags = cpu.reg[VREG_RFLAGS],
		.cr0 = cpu.reg[VREG_CR0],
		.cr3 = cpu.reg[VREG_CR3],
		.cr4 = cpu.reg[VREG_CR4],
		.efer = cpu.reg[VREG_EFER],
		.cs_ar = cpu.seg[SEG_CS].ar,
		.ss_ar = cpu.seg[SEG_SS].ar,
	};
}

static void get_segment(struct vcpu *c, enum seg s, struct segment *out)
{
	(void)c;
	*out = cpu.seg[s];
}

static void get_pdptes(struct vcpu *c, u64 pdpte[4])
{
	(void)c;
	memcpy(pdpte, cpu.pdpte, sizeof(cpu.pdpte));
}

static void retire(struct vcpu *c, u64 rip, u64 rflags)
{
	(void)c;
	cpu.retired = true;
	cpu.reg[VREG_RIP] = rip;
	cpu.reg[VREG_RFLAGS] = rflags;
}

static const struct cpu_ops cpu_ops = {
	.get = get,
	.set = set,
	.get_context = get_context,
	.get_segment = get_segment,
	.get_pdptes = get_pdptes,
	.retire = retire,
};

void vcpu_inject_exception(struct vcpu *c, u8 vector, bool has_error, u32 error)
{
	(void)c;
	assert_int_equal(cpu.vector, -1);
	cpu.vector = vector;
	cpu.has_error = has_error;
	cpu.error = error;
}

void vcpu_inject_pf(struct vcpu *c, u64 cr2, u32 error)
{
	cpu.cr2 = cr2;
	vcpu_inject_exception(c, VEC_PF, true, error);
}

/* A device of 64 KB of storage, that notes its last access; and a port that counts. */
static u8 storage[0x10000];
static unsigned accesses, last_size;
static u32 port_value;

static u64 dev_read(void *dev, u64 offset, unsigned size)
{
	u64 value = 0;

	(void)dev;
	accesses++;
	last_size = size;
	memcpy(&value, storage + offset, size);
	return value;
}

static void dev_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)dev;
	accesses++;
	last_size = size;
	memcpy(storage + offset, &value, size);
}

static u64 port_read(void *dev, u64 offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return ++port_value;
}

static void port_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)dev;
	(void)offset;
	(void)size;
	port_value = (u32)value;
}

static const struct io_ops dev_ops = { .read = dev_read, .write = dev_write };
static const struct io_ops port_ops = { .read = port_read, .write = port_write };

/* ---- the machine ---- */

static void put(u64 gpa, u64 value)
{
	assert_int_equal(guest_write(&vm.mem, GPA(gpa), &value, sizeof(value)), OK);
}

static u64 get64(u64 gpa)
{
	u64 value = 0;

	assert_int_equal(guest_read(&vm.mem, GPA(gpa), &value, sizeof(value)), OK);
	return value;
}

static u64 frame_of(u64 va)
{
	return FRAME + (va - CODE);
}

static void map(u64 va, u64 entry)
{
	put(PT + (va >> 12 & 511) * 8, entry);
}

static void map_all(void)
{
	put(PML4 + (BASE >> 39 & 511) * 8, PDPT | P | W | U | A);
	put(PDPT, PD | P | W | U | A);
	put(PD, PT | P | W | U | A);
	for (u64 va = CODE; va < CODE + 0x20000; va += PAGE_SIZE)
		map(va, frame_of(va) | P | W | U | A | D);
	for (u64 va = DEV; va < DEV + sizeof(storage); va += PAGE_SIZE)
		map(va, (DEVICE + va - DEV) | P | W | U | A | D);
}

static void mode_64(void)
{
	memset(&cpu, 0, sizeof(cpu));
	cpu.vector = -1;
	cpu.reg[VREG_CR0] = CR0_PE | CR0_PG | CR0_WP;
	cpu.reg[VREG_CR3] = PML4;
	cpu.reg[VREG_CR4] = CR4_PAE;
	cpu.reg[VREG_EFER] = EFER_LME | EFER_LMA | EFER_NXE;
	cpu.reg[VREG_RFLAGS] = RFLAGS_R1;
	cpu.reg[VREG_RIP] = CODE;
	cpu.reg[VREG_RSP] = DATA + 0x800;
	cpu.seg[SEG_CS].ar = SEG_AR_P | SEG_AR_S | SEG_AR_L | 0xb;
	cpu.seg[SEG_SS].ar = SEG_AR_P | SEG_AR_S | 0x3;
}

static void user(void)
{
	cpu.seg[SEG_SS].ar |= SEG_AR_DPL;
	cpu.seg[SEG_CS].ar |= SEG_AR_DPL;
}

/* Flat 32-bit segments, and PAE tables that are the tables above from the PDPT on. */
static void mode_32(void)
{
	mode_64();
	cpu.reg[VREG_EFER] = EFER_NXE;
	cpu.reg[VREG_CR3] = 0; /* the registers count, not memory */
	cpu.reg[VREG_RIP] = CODE - BASE;
	cpu.pdpte[0] = PD | P;
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		cpu.seg[i] = (struct segment){ .limit = ~0u, .ar = 0xc093 };
	cpu.seg[SEG_CS].ar = 0xc09b;
}

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0, sizeof(v));
	memset(&platform, 0, sizeof(platform));
	memset(storage, 0, sizeof(storage));
	accesses = 0;
	port_value = 0;
	vm.platform = &platform;
	v.vm = &vm;
	v.ops = &cpu_ops;
	assert_int_equal(guestmem_add(&vm.mem, GPA(0), RAM), OK);
	assert_int_equal(
		bus_add(&platform.mmio, DEVICE, sizeof(storage), &dev_ops, NULL, "device"), OK);
	assert_int_equal(bus_add(&platform.pio, 0x80, 1, &port_ops, NULL, "port"), OK);
	map_all();
	mode_64();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guestmem_destroy(&vm.mem);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void code_at(u64 va, const void *bytes, unsigned len)
{
	assert_int_equal(guest_write(&vm.mem, GPA(frame_of(va)), bytes, len), OK);
}

/* Emulates one instruction at CODE. */
#define RUN(...)                                                                                   \
	({                                                                                         \
		static const u8 _code[] = { __VA_ARGS__ };                                         \
		code_at(CODE, _code, sizeof(_code));                                               \
		cpu.reg[VREG_RIP] = cpu.reg[VREG_EFER] & EFER_LMA ? CODE : CODE - BASE;            \
		run(NULL);                                                                         \
	})

static bool run(const struct mmu_fault *hint)
{
	cpu.vector = -1;
	cpu.retired = false;
	return vcpu_emulate(&v, hint);
}

#define assert_retired(len)                                                                        \
	do {                                                                                       \
		assert_int_equal(cpu.vector, -1);                                                  \
		assert_true(cpu.retired);                                                          \
		assert_int_equal(cpu.reg[VREG_RIP] & 0xfff, len);                                  \
	} while (0)

#define assert_pf(cr2_, error_)                                                                    \
	do {                                                                                       \
		assert_false(cpu.retired);                                                         \
		assert_int_equal(cpu.vector, VEC_PF);                                              \
		assert_int_equal(cpu.cr2, cr2_);                                                   \
		assert_int_equal(cpu.error, error_);                                               \
	} while (0)

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

/* ---- what is kept of a fetch ---- */

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
		TEST(linear_addresses_wrap),
		TEST(pae_uses_the_registers),
		TEST(count_of_the_address_size),
		TEST(the_exit_has_translated),
		TEST(fetch_across_pages),
		TEST(fetch_needs_permission),
		TEST(unknown_and_unreadable),
		TEST(what_is_kept_never_shows),
		TEST(the_last_instruction_of_memory),
		TEST(what_is_kept_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
