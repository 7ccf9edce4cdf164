/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest for the tests of shadow paging: 4-level tables on the machine of shadow_machine.h, at
 * places that all tests know.
 */
#ifndef TESTS_UNIT_SHADOW_TABLES_H
#define TESTS_UNIT_SHADOW_TABLES_H

#include "tests/unit/shadow_machine.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Where things are in guest memory. */
#define ROOT	0x10000ul /* level 4; slot 0: all memory where it is */
#define SECOND	0x11000ul /* another root */
#define THIRD	0x13000ul /* and one more */
#define TABLES	0x20000ul
#define L3	0x100000ul
#define L2	0x101000ul
#define L1	0x102000ul
#define OTHER	0x103000ul /* a second table of level 1 */
#define PAGE	0x200000ul /* data: page n of it says so */
#define PAGES	0x80000ul
#define LARGE	(8 * MB)
#define VA	(8ul << 39) /* the first address of the tables above */
#define RW	(SPTE_P | SPTE_W)
#define USER	(RW | SPTE_U)
#define USED	(SPTE_A | SPTE_D)
#define LAST_2M (RAM - 2 * MB)

static const struct attempt read_0 = { 0 }, write_0 = { .write = true },
			    fetch_0 = { .fetch = true }, read_3 = { .user = true },
			    write_3 = { .user = true, .write = true };

/* A write that no instruction makes: as a device would. */
static inline void put(u64 gpa, u64 e)
{
	assert_int_equal(guest_write(&m.vm.mem, GPA(gpa), &e, sizeof(e)), OK);
}

static inline u64 get(u64 gpa)
{
	u64 e;

	memcpy(&e, physical(gpa), sizeof(e));
	return e;
}

static inline void make_tables(void)
{
	put(ROOT, TABLES | RW);
	put(TABLES, (TABLES + PAGE_SIZE) | RW);
	for (u64 i = 0; i < RAM / (2 * MB); i++)
		put(TABLES + PAGE_SIZE + i * 8, i * 2 * MB | RW | GPTE_PS);
	put(ROOT + 8 * 8, L3 | USER);
	put(L3, L2 | USER);
	put(L2, L1 | USER);
	for (u64 i = 0; i < 64; i++) {
		put(L1 + i * 8, (PAGE + i * PAGE_SIZE) | USER);
		put(PAGE + i * PAGE_SIZE, 1000 + i);
	}
}

static inline void boot(void)
{
	make_tables();
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE);
}

static inline void start(enum shadow_strategy strategy, unsigned fast, unsigned pages)
{
	machine_start(strategy, fast, pages);
	boot();
}

/* Most tests: in step at each write, no neighbours filled. */
static inline int setup(void **state)
{
	(void)state;
	start(SHADOW_SYNC, SHADOW_FILTER, 0);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	assert_int_equal(m.crashes, 0);
	assert_int_equal(shadow_audit(m.s), 0);
	machine_end();
	return 0;
}

static inline void restart(enum shadow_strategy strategy, unsigned fast, unsigned pages)
{
	machine_end();
	start(strategy, fast, pages);
}

static inline void store(u64 gpa, u64 value)
{
	assert_int_equal(run_access(gpa, &write_0, value, 8).end, END_OK);
}

static inline void invlpg(u64 va)
{
	m.vm.mmu->ops->invlpg(&m.v, GVA(va));
}

#define reads(va, want)                                                                            \
	do {                                                                                       \
		struct outcome _o = run_access(va, &read_0, 0, 8);                                 \
		assert_int_equal(_o.end, END_OK);                                                  \
		assert_int_equal(_o.value, want);                                                  \
	} while (0)
#define faults(va, t, want)                                                                        \
	do {                                                                                       \
		struct outcome _o = run_access(va, t, 0, 8);                                       \
		assert_int_equal(_o.end, END_FAULT);                                               \
		assert_int_equal(_o.error, want);                                                  \
	} while (0)

/* The shadow page of a table, which must be there. */
static inline struct spage *shadow_of_table(u64 gpa, unsigned level)
{
	struct spage *p =
		page_find(m.s, gpa >> PAGE_SHIFT, (struct shadow_role){ .level = (u8)level });

	assert_non_null(p);
	return p;
}

static inline u64 *entry(u64 gpa, unsigned level, unsigned index)
{
	return &shadow_of_table(gpa, level)->table[index];
}

/* Has the vcpu a translation of that address in its shadow? */
static inline bool is_cached(struct vcpu *v, u64 va)
{
	unsigned index;
	u64 allowed;
	const struct spage *p = shadow_lookup(shadow_of(v->mmu), va, &index, &allowed);

	return p && spte_live(p->table[index]);
}

static inline struct frame *frame(u64 gpa)
{
	return shadow_frame(m.s, gpa >> PAGE_SHIFT);
}

#endif
