/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vcpu for the tests of emulation: its registers, buses and devices are mocks, its memory and
 * page tables are real. Included once a test.
 */
#ifndef TESTS_UNIT_VCPU_MACHINE_H
#define TESTS_UNIT_VCPU_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"
#include "tests/unit/destroy.h"
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

static inline u64 get(struct vcpu *c, enum vcpu_reg r)
{
	(void)c;
	return cpu.reg[r];
}

static inline void set(struct vcpu *c, enum vcpu_reg r, u64 value)
{
	(void)c;
	cpu.reg[r] = value;
}

static inline void get_context(struct vcpu *c, struct vcpu_context *out)
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

static inline void get_position(struct vcpu *c, struct vcpu_position *out)
{
	(void)c;
	*out = (struct vcpu_position){
		.rip = cpu.reg[VREG_RIP],
		.rflags = cpu.reg[VREG_RFLAGS],
		.cr3 = cpu.reg[VREG_CR3],
		.is_64 = (cpu.reg[VREG_EFER] & EFER_LMA) && (cpu.seg[SEG_CS].ar & SEG_AR_L),
	};
}

static inline void get_segment(struct vcpu *c, enum seg s, struct segment *out)
{
	(void)c;
	*out = cpu.seg[s];
}

static inline void get_pdptes(struct vcpu *c, u64 pdpte[4])
{
	(void)c;
	memcpy(pdpte, cpu.pdpte, sizeof(cpu.pdpte));
}

static inline void retire(struct vcpu *c, u64 rip, u64 rflags)
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
	.get_position = get_position,
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

static inline u64 dev_read(void *dev, u64 offset, unsigned size)
{
	u64 value = 0;

	(void)dev;
	accesses++;
	last_size = size;
	memcpy(&value, storage + offset, size);
	return value;
}

static inline void dev_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)dev;
	accesses++;
	last_size = size;
	memcpy(storage + offset, &value, size);
}

static inline u64 port_read(void *dev, u64 offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return ++port_value;
}

static inline void port_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)dev;
	(void)offset;
	(void)size;
	port_value = (u32)value;
}

static const struct io_ops dev_ops = { .read = dev_read, .write = dev_write };
static const struct io_ops port_ops = { .read = port_read, .write = port_write };

/* ---- the machine ---- */

static inline void put(u64 gpa, u64 value)
{
	assert_int_equal(guest_write(&vm.mem, GPA(gpa), &value, sizeof(value)), OK);
}

static inline u64 get64(u64 gpa)
{
	u64 value = 0;

	assert_int_equal(guest_read(&vm.mem, GPA(gpa), &value, sizeof(value)), OK);
	return value;
}

static inline u64 frame_of(u64 va)
{
	return FRAME + (va - CODE);
}

static inline void map(u64 va, u64 entry)
{
	put(PT + (va >> 12 & 511) * 8, entry);
}

static inline void map_all(void)
{
	put(PML4 + (BASE >> 39 & 511) * 8, PDPT | P | W | U | A);
	put(PDPT, PD | P | W | U | A);
	put(PD, PT | P | W | U | A);
	for (u64 va = CODE; va < CODE + 0x20000; va += PAGE_SIZE)
		map(va, frame_of(va) | P | W | U | A | D);
	for (u64 va = DEV; va < DEV + sizeof(storage); va += PAGE_SIZE)
		map(va, (DEVICE + va - DEV) | P | W | U | A | D);
}

static inline void mode_64(void)
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

static inline void user(void)
{
	cpu.seg[SEG_SS].ar |= SEG_AR_DPL;
	cpu.seg[SEG_CS].ar |= SEG_AR_DPL;
}

/* Flat 32-bit segments, and PAE tables that are the tables above from the PDPT on. */
static inline void mode_32(void)
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

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	(void)state;
	guestmem_destroy(&vm.mem);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static inline void code_at(u64 va, const void *bytes, unsigned len)
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

static inline bool run(const struct mmu_fault *hint)
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

#endif
