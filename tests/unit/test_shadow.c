/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow paging, rule by rule (hv/mmu/shadow_priv.h, hv/mmu/shadow_entry.c), on 4-level tables
 * unless a test says otherwise; and the auditor, which must find each kind of mistake that is
 * planted.
 *
 * Sources: hv/mmu/shadow.c hv/mmu/shadow_fault.c hv/mmu/shadow_sync.c hv/mmu/shadow_page.c
 * hv/mmu/shadow_root.c hv/mmu/shadow_vtlb.c hv/mmu/shadow_entry.c hv/mmu/shadow_refs.c
 * hv/mmu/shadow_audit.c hv/mmu/pat.c hv/mmu/walk.c hv/mem/guestmem.c
 */
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
static void put(u64 gpa, u64 e)
{
	assert_int_equal(guest_write(&m.vm.mem, GPA(gpa), &e, sizeof(e)), OK);
}

static u64 get(u64 gpa)
{
	u64 e;

	memcpy(&e, physical(gpa), sizeof(e));
	return e;
}

static void make_tables(void)
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

static void boot(void)
{
	make_tables();
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE);
}

static void start(enum shadow_strategy strategy, unsigned fast, unsigned pages)
{
	machine_start(strategy, fast, pages);
	boot();
}

/* Most tests: in step at each write, no neighbours filled. */
static int setup(void **state)
{
	(void)state;
	start(SHADOW_SYNC, SHADOW_FILTER, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(m.crashes, 0);
	assert_int_equal(shadow_audit(m.s), 0);
	machine_end();
	return 0;
}

static void restart(enum shadow_strategy strategy, unsigned fast, unsigned pages)
{
	machine_end();
	start(strategy, fast, pages);
}

static void store(u64 gpa, u64 value)
{
	assert_int_equal(run_access(gpa, &write_0, value, 8).end, END_OK);
}

static void invlpg(u64 va)
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
static struct spage *shadow_of_table(u64 gpa, unsigned level)
{
	struct spage *p =
		page_find(m.s, gpa >> PAGE_SHIFT, (struct shadow_role){ .level = (u8)level });

	assert_non_null(p);
	return p;
}

static u64 *entry(u64 gpa, unsigned level, unsigned index)
{
	return &shadow_of_table(gpa, level)->table[index];
}

static struct frame *frame(u64 gpa)
{
	return shadow_frame(m.s, gpa >> PAGE_SHIFT);
}

/* ---- the rules for live entries ---- */

static void test_not_present_is_zero_unknown_is_a_trap(void **state)
{
	unsigned exits;

	(void)state;
	put(L1 + 3 * 8, 0);
	put(L1 + 4 * 8, PAGE | USER | SPTE_RSVD);
	reads(VA, 1000);
	assert_int_equal(*entry(L1, 1, 3), 0);
	assert_int_equal(*entry(L1, 1, 4), m.s->trap);
	assert_int_equal(*entry(L1, 1, 5), m.s->trap);
	exits = m.exits;
	faults(VA + 3 * PAGE_SIZE, &read_3, PF_U);
	assert_int_equal(m.exits, exits); /* the guest's own fault: no exit */
	faults(VA + 4 * PAGE_SIZE, &read_3, PF_P | PF_RSVD | PF_U);
	assert_int_equal(m.exits, exits + 1);
	assert_int_equal(*entry(L1, 1, 4), m.s->trap);
}

/* What the monitor shows is what the processor finds. */
static void test_a_walk_is_told_entry_by_entry(void **state)
{
	struct mmu_step step[MMU_STEPS_MAX];
	hpa_t hpa;

	(void)state;
	reads(VA + 3 * PAGE_SIZE, 1003);
	assert_int_equal(m.vm.mmu->ops->walk(&m.v, GPA(0), GVA(VA + 3 * PAGE_SIZE), step), 4);
	assert_int_equal(guest_gpa_to_hpa(&m.vm.mem, GPA(PAGE + 3 * PAGE_SIZE), &hpa), OK);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(step[i].level, 4 - i);
		assert_true(step[i].present);
		assert_int_equal(step[i].leaf, i == 3);
	}
	assert_int_equal(step[3].hpa.v, hpa.v);
	assert_int_equal(step[3].access & (MMU_R | MMU_W), MMU_R); /* not dirty yet */
	assert_int_equal(m.vm.mmu->ops->walk(&m.v, GPA(0), GVA(1ul << 46), step), 1);
	assert_false(step[0].present);
}

static void test_live_only_if_accessed(void **state)
{
	(void)state;
	restart(SHADOW_SYNC, SHADOW_FAST_ALL, 0);
	put(L1 + 1 * 8, (PAGE + PAGE_SIZE) | USER | SPTE_A);
	reads(VA, 1000);
	assert_true(spte_live(*entry(L1, 1, 1))); /* a neighbour that may be filled ahead */
	assert_false(spte_live(*entry(L1, 1, 2)));
	assert_int_equal(get(L1 + 2 * 8) & SPTE_A, 0);
	reads(VA + 2 * PAGE_SIZE, 1002);
	assert_int_equal(get(L1 + 2 * 8) & USED, SPTE_A);
}

static void test_a_write_needs_the_dirty_flag(void **state)
{
	(void)state;
	reads(VA, 1000);
	assert_int_equal(*entry(L1, 1, 0) & SPTE_W, 0);
	assert_int_equal(get(L1) & USED, SPTE_A);
	assert_int_equal(run_access(VA, &write_3, 7, 8).end, END_OK);
	assert_int_equal(*entry(L1, 1, 0) & SPTE_W, SPTE_W);
	assert_int_equal(get(L1) & USED, USED);
	/* The guest clears it: the next write must set it again. */
	store(L1, PAGE | USER | SPTE_A);
	invlpg(VA);
	assert_int_equal(*entry(L1, 1, 0) & SPTE_W, 0);
	assert_int_equal(run_access(VA, &write_3, 8, 8).end, END_OK);
	assert_int_equal(get(L1) & USED, USED);
}

static void test_each_level_has_its_own_permissions(void **state)
{
	static const u64 bits[] = { SPTE_W, SPTE_U, SPTE_NX };

	(void)state;
	for (unsigned n = 0; n < 64; n++) {
		u64 pde = L1 | SPTE_P | USED, pte = PAGE | SPTE_P | USED;

		for (unsigned i = 0; i < 3; i++) {
			pde |= n & BIT(i) ? bits[i] : 0;
			pte |= n & BIT(3 + i) ? bits[i] : 0;
		}
		store(L2, pde);
		store(L1, pte);
		invlpg(VA);
		reads(VA, 1000);
		assert_int_equal(*entry(L2, 2, 0) & (SPTE_W | SPTE_U | SPTE_NX),
			pde & (SPTE_W | SPTE_U | SPTE_NX));
		assert_int_equal(*entry(L1, 1, 0) & (SPTE_W | SPTE_U | SPTE_NX),
			pte & (SPTE_W | SPTE_U | SPTE_NX));
		assert_int_equal(run_access(VA, &write_0, 1000, 8).end,
			pde & pte & SPTE_W ? END_OK : END_FAULT);
		assert_int_equal(
			run_access(VA, &read_3, 0, 8).end, pde & pte & SPTE_U ? END_OK : END_FAULT);
		assert_int_equal(run_access(VA, &fetch_0, 0, 8).end,
			(pde | pte) & SPTE_NX ? END_FAULT : END_OK);
	}
}

static void test_a_table_in_sync_is_writable_for_nobody(void **state)
{
	unsigned exits;

	(void)state;
	/* The table is mapped as data before it is used as a table, and after. */
	put(L1 + 1 * 8, L1 | USER);
	put(L1 + 2 * 8, OTHER | USER);
	put(OTHER, (PAGE + 5 * PAGE_SIZE) | USER);
	assert_int_equal(run_access(VA + 2 * PAGE_SIZE + 8, &write_3, 77, 8).end, END_OK);
	assert_int_equal(*entry(L1, 1, 2) & SPTE_W, SPTE_W);
	put(L2 + 8, OTHER | USER);
	reads(VA + 2 * MB, 1005);
	assert_int_equal(*entry(L1, 1, 2) & SPTE_W, 0);
	assert_true(frame(OTHER)->table);
	exits = m.exits;
	assert_int_equal(
		run_access(VA + 2 * PAGE_SIZE, &write_3, (PAGE + 6 * PAGE_SIZE) | USER, 8).end,
		END_OK);
	assert_int_equal(m.exits, exits + 1);
	invlpg(VA + 2 * MB);
	reads(VA + 2 * MB, 1006);
	/* And the table that maps itself. */
	assert_int_equal(
		run_access(VA + PAGE_SIZE + 3 * 8, &write_3, (PAGE + 9 * PAGE_SIZE) | USER, 8).end,
		END_OK);
	invlpg(VA + 3 * PAGE_SIZE);
	reads(VA + 3 * PAGE_SIZE, 1009);
}

static void test_roms_are_never_writable(void **state)
{
	hpa_t hpa;

	(void)state;
	assert_int_equal(guest_gpa_to_hpa(&m.vm.mem, GPA(PAGE), &hpa), OK);
	assert_int_equal(
		m.vm.mmu->ops->map(m.vm.mmu, GPA(PAGE), hpa, PAGE_SIZE, MMU_R | MMU_X, MEMTYPE_WB),
		OK);
	reads(VA, 1000);
	put(L1, PAGE | USER | USED);
	invlpg(VA);
	reads(VA, 1000);
	assert_int_equal(*entry(L1, 1, 0) & SPTE_W, 0);
}

#define PAT_MIXED 0x0104060500070104ul

/* The type that the processor takes from its PAT for what maps the address. */
static u64 type_at(u64 va)
{
	unsigned index;
	u64 allowed, e;
	const struct spage *p = shadow_lookup(m.s, va, &index, &allowed);

	assert_non_null(p);
	e = p->table[index];
	assert_true(spte_live(e));
	return PAT_ALL_TYPES >> 8 * (e / SPTE_PWT % 4 + (e & SPTE_PAT ? 4 : 0)) & 0xff;
}

/* XSA-402: the guest's own type of memory, of a small page and of a piece of a large one. */
static void test_memory_types_are_the_guests(void **state)
{
	(void)state;
	for (unsigned st = 0; st < SHADOW_STRATEGIES; st++) {
		restart((enum shadow_strategy)st, SHADOW_FAST_ALL, 0);
		m.reg[VREG_PAT] = PAT_MIXED;
		m.vm.mmu->ops->paging_changed(&m.v);
		for (u64 i = 0; i < PAT_ENTRIES; i++) {
			u64 flags = USER | USED | i % 4 * SPTE_PWT;

			store(L1 + i * 8, (PAGE + i * PAGE_SIZE) | flags | (i & 4 ? SPTE_PAT : 0));
			store(L2 + (i + 1) * 8,
				LARGE | GPTE_PS | flags | (i & 4 ? GPTE_LARGE_PAT : 0));
		}
		load_cr3(ROOT);
		for (u64 i = 0; i < PAT_ENTRIES; i++) {
			reads(VA + i * PAGE_SIZE, 1000 + i);
			assert_int_equal(type_at(VA + i * PAGE_SIZE), PAT_MIXED >> 8 * i & 0xff);
			reads(VA + (i + 1) * 2 * MB, 0);
			assert_int_equal(type_at(VA + (i + 1) * 2 * MB), PAT_MIXED >> 8 * i & 0xff);
		}
	}
}

static void test_wp_clear_writes_without_the_right(void **state)
{
	(void)state;
	put(L1, PAGE | SPTE_P | SPTE_U);
	faults(VA, &write_0, PF_P | PF_W);
	set_registers(CR0_PE | CR0_PG, ROOT, CR4_PAE, m.reg[VREG_EFER]);
	assert_int_equal(run_access(VA, &write_0, 5, 8).end, END_OK);
	assert_int_equal(get(PAGE), 5);
	assert_int_equal(get(L1) & USED, USED);
	faults(VA, &write_3, PF_P | PF_W | PF_U);
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE, m.reg[VREG_EFER]);
	faults(VA, &write_0, PF_P | PF_W);
}

/* EFLAGS.AC allows explicit accesses only; the error code does not tell the kinds apart. */
static void test_smap_and_implicit_accesses(void **state)
{
	static const struct attempt implicit = { .implicit = true },
				    at_3 = { .implicit = true, .at_3 = true };

	(void)state;
	set_registers(
		CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE | CR4_SMEP | CR4_SMAP, m.reg[VREG_EFER]);
	faults(VA, &read_0, PF_P);
	faults(VA, &implicit, PF_P);
	m.reg[VREG_RFLAGS] |= RFLAGS_AC;
	reads(VA, 1000);
	faults(VA, &at_3, PF_P);
	faults(VA, &implicit, PF_P);
	reads(VA, 1000);
}

/* ---- one shadow for a table, whoever points to it ---- */

/* CVE-2021-38198: the permissions of one parent must not reach accesses through the other. */
static void test_two_parents_with_different_permissions(void **state)
{
	(void)state;
	put(L2 + 8, L1 | SPTE_P | SPTE_U);
	put(L2 + 16, L1 | SPTE_P | SPTE_W);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(run_access(VA, &write_3, 1000, 8).end, END_OK);
		assert_int_equal(run_access(VA + 2 * MB, &read_3, 0, 8).end, END_OK);
		faults(VA + 2 * MB, &write_3, PF_P | PF_W | PF_U);
		faults(VA + 4 * MB, &read_3, PF_P | PF_U);
		assert_int_equal(run_access(VA + 4 * MB, &write_0, 1000, 8).end, END_OK);
		load_cr3(ROOT);
	}
	assert_int_equal(refs_count(m.s, shadow_of_table(L1, 1)->parents), 3);
}

static void test_a_table_that_maps_itself(void **state)
{
	const u64 slot = 511, self = slot << 39 | slot << 30 | slot << 21 | slot << 12;

	(void)state;
	put(ROOT + slot * 8, ROOT | RW);
	reads(0xffff000000000000ul | self | slot * 8, ROOT | RW | SPTE_A);
	/* A new entry of level 4, written through the mapping of itself. */
	put(OTHER, L2 | USER);
	assert_int_equal(
		run_access(0xffff000000000000ul | self | 9 * 8, &write_0, OTHER | USER, 8).end,
		END_OK);
	assert_int_equal(get(ROOT + 9 * 8) & PAGE_MASK, OTHER);
	reads((9ul << 39) + 2 * PAGE_SIZE, 1002);
	/* The same table at levels 4 and 1: a page of each role. */
	assert_non_null(shadow_of_table(ROOT, 4));
	assert_non_null(shadow_of_table(ROOT, 1));
	assert_int_equal(
		run_access(0xffff000000000000ul | self | 9 * 8, &write_0, 0, 8).end, END_OK);
	invlpg((9ul << 39) + 2 * PAGE_SIZE);
	faults((9ul << 39) + 2 * PAGE_SIZE, &read_0, 0);
}

/* ---- levels and roles change ---- */

/* CVE-2026-46113 and its like: a directory entry becomes a large page and a table again, with the
 * same frame. */
static void test_table_to_large_page_and_back(void **state)
{
	(void)state;
	for (u64 i = 0; i < 4; i++) {
		put(LARGE + i * 8, (PAGE + i * PAGE_SIZE) | USER);
		put(LARGE + (i + 1) * PAGE_SIZE, 2000 + i);
	}
	store(L2, LARGE | USER);
	invlpg(VA + PAGE_SIZE);
	for (unsigned round = 0; round < 3; round++) {
		reads(VA + PAGE_SIZE, 1001);
		store(L2, LARGE | USER | GPTE_PS);
		invlpg(VA + PAGE_SIZE);
		reads(VA + PAGE_SIZE, 2000);
		/* What was a table is data now: a write is one. */
		assert_int_equal(
			run_access(VA + 2 * 8, &write_3, (PAGE + 7 * PAGE_SIZE) | USER, 8).end,
			END_OK);
		store(L2, LARGE | USER);
		invlpg(VA + 2 * PAGE_SIZE);
		reads(VA + 2 * PAGE_SIZE, 1007);
		put(LARGE + 2 * 8, (PAGE + 2 * PAGE_SIZE) | USER);
		load_cr3(ROOT);
	}
}

static void test_a_leaf_table_becomes_a_directory(void **state)
{
	(void)state;
	put(OTHER, (PAGE + 11 * PAGE_SIZE) | USER);
	reads(VA + 4 * PAGE_SIZE, 1004);
	/* L1 in the place of L2: its entry 4, which named a page of data, names a table. */
	put(PAGE + 4 * PAGE_SIZE, (PAGE + 12 * PAGE_SIZE) | USER);
	store(L3, L1 | USER);
	load_cr3(ROOT);
	reads(VA + 4 * 2 * MB, 1012);
	assert_non_null(shadow_of_table(L1, 2));
	store(L3, L2 | USER);
	load_cr3(ROOT);
	reads(VA + 5 * PAGE_SIZE, 1005);
}

/* ---- addresses ---- */

/* XSA-173: a large page that reaches past memory, or to the end of the address width. */
static void test_large_pages_past_the_end_of_memory(void **state)
{
	static const u64 bases[] = { RAM, 4 * GB, BIT(MAXPHYADDR) - 2 * MB };

	(void)state;
	put(L2, LAST_2M | USER | GPTE_PS);
	put(LAST_2M + 2 * MB - 8, 4711);
	reads(VA + 2 * MB - 8, 4711);
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
		store(L2 + 8, bases[i] | USER | GPTE_PS);
		invlpg(VA + 2 * MB);
		assert_int_equal(run_access(VA + 2 * MB, &read_3, 0, 8).end, END_DEVICE);
		assert_int_equal(run_access(VA + 4 * MB - 8, &write_3, 1, 8).end, END_DEVICE);
	}
	store(L2 + 8, BIT(MAXPHYADDR) | USER | GPTE_PS);
	invlpg(VA + 2 * MB);
	faults(VA + 2 * MB, &read_3, PF_P | PF_RSVD | PF_U);
	/* 1 GB of which 16 MB are memory. */
	store(L3 + 8, 0 | USER | GPTE_PS);
	invlpg(VA + GB);
	reads(VA + GB + PAGE, 1000);
	assert_int_equal(run_access(VA + GB + RAM, &read_3, 0, 8).end, END_DEVICE);
	store(L3 + 8, (BIT(MAXPHYADDR) - GB) | USER | GPTE_PS);
	invlpg(VA + GB + PAGE);
	assert_int_equal(run_access(VA + GB + PAGE, &read_3, 0, 8).end, END_DEVICE);
}

static void test_tables_outside_memory(void **state)
{
	(void)state;
	put(L2, (RAM + MB) | USER);
	assert_int_equal(run_access(VA, &read_3, 0, 8).end, END_OUTSIDE);
	put(L2, L1 | USER);
	reads(VA, 1000);
	/* A root there ends the VM, and is no mistake of ours. */
	load_cr3(RAM + MB);
	assert_int_equal(m.crashes, 1);
	m.crashes = 0;
	load_cr3(ROOT);
	reads(VA, 1000);
}

/* ---- out of sync ---- */

static void make_unsync(void)
{
	restart(SHADOW_OOS, SHADOW_FAST_ALL, 0);
	for (u64 i = 0; i < 16; i++)
		put(L1 + i * 8, (PAGE + i * PAGE_SIZE) | USER | USED);
	reads(VA, 1000);
	for (u64 i = 0; i < 8 && !frame(L1)->unsync; i++)
		store(L1 + i * 8, (PAGE + (i + 1) * PAGE_SIZE) | USER | USED);
	assert_true(frame(L1)->unsync);
}

static void test_out_of_sync_follows_at_a_flush(void **state)
{
	unsigned exits;

	(void)state;
	make_unsync();
	reads(VA + 9 * PAGE_SIZE, 1009);
	store(L1 + 30 * 8, (PAGE + 30 * PAGE_SIZE) | USER | USED); /* the first takes the exit */
	exits = m.exits;
	for (u64 i = 8; i < 16; i++)
		store(L1 + i * 8, (PAGE + (i + 20) * PAGE_SIZE) | USER | USED);
	assert_int_equal(m.exits, exits);
	invlpg(VA + 9 * PAGE_SIZE);
	reads(VA + 9 * PAGE_SIZE, 1029);
	load_cr3(ROOT);
	for (u64 i = 8; i < 16; i++)
		reads(VA + i * PAGE_SIZE, 1000 + i + 20);
	/* Entries that were not present become so without a flush. */
	store(L1 + 100 * 8, (PAGE + 2 * PAGE_SIZE) | USER);
	reads(VA + 100 * PAGE_SIZE, 1002);
}

/* Changed, used, and changed back: in the end the table is what it was at first, and its shadow is
 * not. Entries next to it, which nobody used, stay as they were. */
static void test_out_of_sync_and_back_again(void **state)
{
	u64 was;

	(void)state;
	make_unsync();
	reads(VA + 9 * PAGE_SIZE, 1009);
	was = get(L1 + 9 * 8);
	store(L1 + 10 * 8, (PAGE + 40 * PAGE_SIZE) | USER | USED);
	store(L1 + 9 * 8, (PAGE + 30 * PAGE_SIZE) | USER | USED);
	invlpg(VA + 9 * PAGE_SIZE);
	reads(VA + 9 * PAGE_SIZE, 1030);
	store(L1 + 9 * 8, was);
	load_cr3(ROOT);
	reads(VA + 9 * PAGE_SIZE, 1009);
	reads(VA + 10 * PAGE_SIZE, 1040);
}

/* No page for the copy: each write is emulated. */
static void test_out_of_sync_without_memory(void **state)
{
	(void)state;
	restart(SHADOW_OOS, SHADOW_FAST_ALL, 0);
	for (u64 i = 0; i < 16; i++)
		put(L1 + i * 8, (PAGE + i * PAGE_SIZE) | USER | USED);
	reads(VA, 1000);
	arena_limit = 0;
	for (u64 i = 0; i < 16; i++)
		store(L1 + i * 8, (PAGE + (i + 1) * PAGE_SIZE) | USER | USED);
	assert_false(frame(L1)->unsync);
	arena_limit = ~0ul;
	load_cr3(ROOT);
	for (u64 i = 0; i < 16; i++)
		reads(VA + i * PAGE_SIZE, 1001 + i);
}

static void test_out_of_sync_ends_at_a_cr3_load(void **state)
{
	(void)state;
	make_unsync();
	assert_false(m.filter);
	load_cr3(ROOT);
	assert_false(frame(L1)->unsync);
	assert_int_equal(m.s->unsyncs, 0);
	assert_true(m.filter);
}

/* The table that maps the page which it lies in: given up, it is shadowed again by the same fault.
 */
static void test_a_table_written_through_itself_at_length(void **state)
{
	static const unsigned level[] = { 1, 2 };

	(void)state;
	for (unsigned t = 0; t < ARRAY_SIZE(level); t++)
		for (unsigned st = 0; st < SHADOW_STRATEGIES; st++) {
			u64 at = level[t] == 1 ? L1 : L2;

			restart((enum shadow_strategy)st, SHADOW_FAST_ALL, 0);
			put(L1 + 5 * 8, at | RW);
			for (u64 i = 0; i < 40; i++)
				assert_int_equal(run_access(VA + 5 * PAGE_SIZE + (100 + i) * 8,
							 &write_0, (PAGE + i * PAGE_SIZE), 8)
							 .end,
					END_OK);
			for (u64 i = 0; i < 40; i++)
				assert_int_equal(get(at + (100 + i) * 8), PAGE + i * PAGE_SIZE);
		}
}

static void test_only_leaf_tables_go_out_of_sync(void **state)
{
	(void)state;
	restart(SHADOW_OOS, SHADOW_FAST_ALL, 0);
	reads(VA, 1000);
	for (u64 i = 1; i < 20; i++) {
		store(L2 + i * 8, OTHER | USER | SPTE_A);
		store(L2 + i * 8, L1 | USER | SPTE_A);
		assert_false(frame(L2)->unsync);
	}
	/* A second role, of an upper level, brings a table back. */
	make_unsync();
	store(L3 + 8, L1 | USER);
	put(PAGE + PAGE_SIZE, (PAGE + 3 * PAGE_SIZE) | USER);
	reads(VA + GB + 0 * PAGE_SIZE, 1003);
	assert_false(frame(L1)->unsync);
}

static void test_many_out_of_sync(void **state)
{
	(void)state;
	restart(SHADOW_OOS, SHADOW_FAST_ALL, 0);
	for (u64 t = 0; t < 3 * SHADOW_UNSYNC_MAX; t++) {
		u64 table = LARGE + t * PAGE_SIZE;

		for (u64 i = 0; i < 8; i++)
			put(table + i * 8, (PAGE + i * PAGE_SIZE) | USER | USED);
		store(L2 + t * 8, table | USER);
		reads(VA + t * 2 * MB, 1000);
		for (u64 i = 0; i < 8; i++)
			store(table + i * 8, (PAGE + (i + 8) * PAGE_SIZE) | USER | USED);
		assert_true(m.s->unsyncs <= SHADOW_UNSYNC_MAX);
	}
	assert_true(m.s->unsyncs > SHADOW_UNSYNC_MAX / 2);
	load_cr3(ROOT);
	for (u64 t = 0; t < 3 * SHADOW_UNSYNC_MAX; t++)
		reads(VA + t * 2 * MB + 3 * PAGE_SIZE, 1011);
}

/* ---- tables change in other ways ---- */

static void test_the_hypervisors_own_writes(void **state)
{
	u64 e = (PAGE + 3 * PAGE_SIZE) | USER | USED;

	(void)state;
	reads(VA, 1000);
	assert_int_equal(guest_write(&m.vm.mem, GPA(L1), &e, sizeof(e)), OK);
	invlpg(VA);
	reads(VA, 1003);
	/* Bytes of two entries at once. */
	assert_int_equal(guest_write(&m.vm.mem, GPA(L1 + 4), "\0\0\0\0\0\0\0\0", 8), OK);
	invlpg(VA + PAGE_SIZE);
	reads(VA, 1003);
	faults(VA + PAGE_SIZE, &read_0, 0);
	/* All of a table. */
	assert_int_equal(guest_zero(&m.vm.mem, GPA(L2), PAGE_SIZE), OK);
	load_cr3(ROOT);
	faults(VA, &read_0, 0);
}

static void test_a_table_is_freed_and_becomes_data(void **state)
{
	unsigned exits, used = m.s->in_use;

	(void)state;
	reads(VA, 1000);
	store(ROOT + 8 * 8, 0);
	load_cr3(ROOT);
	assert_int_equal(m.s->in_use, used);
	assert_false(frame(L1)->table);
	store(L1, 1);
	exits = m.exits;
	for (u64 i = 0; i < 512; i++)
		store(L1 + i * 8, i);
	assert_int_equal(m.exits, exits);
}

static void test_unknown_instructions_write_to_tables(void **state)
{
	(void)state;
	reads(VA, 1000);
	m.give_up = true;
	store(L1, (PAGE + 2 * PAGE_SIZE) | USER);
	assert_false(frame(L1)->table);
	invlpg(VA);
	reads(VA, 1002);
	/* The table that the processor runs on: the write is made, or the VM ends; no third way. */
	if (run_access(ROOT + 9 * 8, &write_0, L3 | USER, 8).end == END_OK)
		reads((9ul << 39) + PAGE_SIZE, 1001);
	else
		assert_int_equal(m.crashes, 1);
	m.crashes = 0;
}

static void test_memory_that_comes_back(void **state)
{
	(void)state;
	reads(VA, 1000);
	for (u64 gpa = 0; gpa < RAM; gpa += PAGE_SIZE)
		if (gpa == PAGE || gpa == L1 || gpa == L2)
			assert_int_equal(m.vm.mmu->ops->unmap(m.vm.mmu, GPA(gpa), PAGE_SIZE), OK);
	reads(VA, 1000);
	assert_int_equal(m.vm.mmu->ops->unmap(m.vm.mmu, GPA(ROOT), PAGE_SIZE), OK);
	reads(VA + PAGE_SIZE, 1001);
	assert_int_equal(m.vm.mmu->ops->unmap(m.vm.mmu, GPA(RAM), PAGE_SIZE), ERR_RANGE);
}

/* Mapped as it is already: nothing changes, and the entries stay. Mapped elsewhere: they go. */
static void test_memory_that_moves(void **state)
{
	const struct mmu_ops *ops = m.vm.mmu->ops;
	u64 generation = m.vm.mmu->generation;
	unsigned exits;
	hpa_t hpa, other;

	(void)state;
	reads(VA, 1000);
	reads(VA + PAGE_SIZE, 1001);
	exits = m.exits;
	assert_int_equal(guest_gpa_to_hpa(&m.vm.mem, GPA(PAGE), &hpa), OK);
	assert_int_equal(guest_gpa_to_hpa(&m.vm.mem, GPA(PAGE + PAGE_SIZE), &other), OK);
	assert_int_equal(ops->map(m.vm.mmu, GPA(PAGE), hpa, 2 * PAGE_SIZE, MMU_R | MMU_W | MMU_X,
				 MEMTYPE_WB),
		OK);
	assert_int_equal(m.vm.mmu->generation, generation);
	reads(VA, 1000);
	assert_int_equal(m.exits, exits);
	assert_int_equal(
		ops->map(m.vm.mmu, GPA(PAGE), other, PAGE_SIZE, MMU_R | MMU_W | MMU_X, MEMTYPE_WB),
		OK);
	assert_true(m.vm.mmu->generation > generation);
	reads(VA, 1001);
	assert_int_equal(
		ops->map(m.vm.mmu, GPA(PAGE), hpa, PAGE_SIZE, MMU_R | MMU_W | MMU_X, MEMTYPE_WB),
		OK);
	reads(VA, 1000);
}

/* Of two vcpus on one CPU, one has its registers there; each has tables of its own, and a root. */
static void test_a_mapping_goes_for_each_vcpu(void **state)
{
	struct vcpu other = { .vm = &m.vm, .ops = &mock_ops, .index = 1 };

	(void)state;
	m.vm.cfg.vcpus = 2;
	m.vm.vcpu[1] = &other;
	assert_int_equal(m.vm.mmu->ops->add(&other), OK);
	m.vm.vcpus = 2;
	reads(VA, 1000);
	m.vm.mmu->ops->suspend(&m.v);
	m.v.sched.away = true;
	m.reg[VREG_CR3] = SECOND;
	other.mmu->ops->paging_changed(&other);
	for (unsigned here = 0; here < 2; here++) {
		m.v.sched.away = here != 0;
		other.sched.away = here != 1;
		m.reg[VREG_CR3] = here ? SECOND : ROOT;
		assert_int_equal(
			m.vm.mmu->ops->unmap(m.vm.mmu, GPA(PAGE + here * PAGE_SIZE), PAGE_SIZE),
			OK);
	}
	m.v.sched.away = false;
	m.reg[VREG_CR3] = ROOT;
}

/* ---- the virtual TLB ---- */

static void test_vtlb(void **state)
{
	unsigned exits;

	(void)state;
	restart(SHADOW_VTLB, SHADOW_FAST_ALL, 0);
	reads(VA, 1000);
	reads(VA + PAGE_SIZE, 1001);
	assert_false(frame(L1)->table);
	exits = m.exits;
	reads(VA, 1000);
	assert_int_equal(m.exits, exits);
	put(L1, (PAGE + 4 * PAGE_SIZE) | USER);
	invlpg(VA);
	reads(VA, 1004);
	assert_int_equal(m.exits, exits + 1);
	reads(VA + PAGE_SIZE, 1001);
	assert_int_equal(m.exits, exits + 1);
	load_cr3(ROOT);
	reads(VA + PAGE_SIZE, 1001);
	assert_int_equal(m.exits, exits + 2);
}

/* ---- the other formats ---- */

static void put32(u64 gpa, u32 e)
{
	assert_int_equal(guest_write(&m.vm.mem, GPA(gpa), &e, sizeof(e)), OK);
}

static void test_32_bit_tables(void **state)
{
	(void)state;
	assert_int_equal(guest_zero(&m.vm.mem, GPA(ROOT), PAGE_SIZE), OK);
	assert_int_equal(guest_zero(&m.vm.mem, GPA(L1), PAGE_SIZE), OK);
	put32(ROOT, RW | GPTE_PS); /* 4 MB */
	put32(ROOT + 513 * 4, (u32)(L1 | USER));
	for (u32 i = 0; i < 1024; i += 64)
		put32(L1 + i * 4, (u32)(PAGE + i / 64 * PAGE_SIZE) | USER);
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PSE, 0);
	reads(PAGE + 3 * PAGE_SIZE, 1003);
	for (u32 i = 0; i < 1024; i += 64)
		reads((513ul << 22) + i * PAGE_SIZE, 1000 + i / 64);
	faults((513ul << 22) + PAGE_SIZE, &read_3, PF_U);
	faults((514ul << 22), &read_3, PF_U);
	/* PSE-36: bits 20:13 are address bits 39:32. */
	put32(ROOT + 600 * 4, (u32)(USER | GPTE_PS | BIT(13)));
	assert_int_equal(run_access(600ul << 22, &read_3, 0, 4).end, END_DEVICE);
	put32(ROOT + 601 * 4, (u32)(USER | GPTE_PS | BIT(21)));
	faults(601ul << 22, &read_3, PF_P | PF_RSVD | PF_U);
	/* Without PSE the bit is ignored, and the entry names a table. */
	put32(ROOT + 513 * 4, (u32)(L1 | USER | GPTE_PS));
	put32(ROOT, (u32)(OTHER | RW));
	for (u32 i = 0; i < 1024; i++)
		put32(OTHER + i * 4, (u32)(i * PAGE_SIZE | RW));
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, 0, 0);
	reads((513ul << 22) + 512 * PAGE_SIZE, 1008);
}

static void test_pae_tables(void **state)
{
	(void)state;
	assert_int_equal(guest_zero(&m.vm.mem, GPA(ROOT), PAGE_SIZE), OK);
	put(ROOT, (TABLES + PAGE_SIZE) | SPTE_P);
	put(ROOT + 2 * 8, L2 | SPTE_P);
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE, EFER_NXE);
	reads(PAGE, 1000);
	reads(2 * GB + PAGE_SIZE, 1001);
	faults(GB, &read_3, PF_U);
	/* The registers count, not memory, until CR3 is loaded. */
	put(ROOT + 8, L2 | SPTE_P);
	put(ROOT + 2 * 8, 0);
	reads(2 * GB + PAGE_SIZE, 1001);
	faults(GB, &read_3, PF_U);
	load_cr3(ROOT);
	reads(GB + PAGE_SIZE, 1001);
	faults(2 * GB, &read_3, PF_U);
}

static void test_paging_off_and_on_again(void **state)
{
	(void)state;
	reads(VA, 1000);
	set_registers(CR0_PE, ROOT, 0, 0);
	reads(PAGE + 5 * PAGE_SIZE, 1005);
	assert_int_equal(run_access(PAGE, &write_0, 42, 8).end, END_OK);
	assert_int_equal(run_access(RAM, &read_0, 0, 8).end, END_DEVICE);
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE, EFER_LME | EFER_LMA | EFER_NXE);
	reads(VA, 42);
}

/* ---- exhaustion ---- */

#define MANY_TABLES 1024u

static void many_tables(void)
{
	for (u64 round = 0; round < 3; round++)
		for (u64 t = 0; t < MANY_TABLES; t++) {
			u64 table = LARGE + t * PAGE_SIZE;

			put(table + round * 8, (PAGE + t % 64 * PAGE_SIZE) | USER);
			put(L2 + t % 512 * 8, table | USER);
			invlpg(VA + t % 512 * 2 * MB + round * PAGE_SIZE);
			if (t % 512 == 0)
				load_cr3(ROOT);
			reads(VA + t % 512 * 2 * MB + round * PAGE_SIZE, 1000 + t % 64);
			assert_true(m.s->in_use < m.s->pages);
		}
	assert_true(m.s->stats.reclaimed > MANY_TABLES);
}

static void test_more_tables_than_shadow_pages(void **state)
{
	(void)state;
	for (unsigned strategy = 0; strategy < SHADOW_STRATEGIES; strategy++) {
		restart((enum shadow_strategy)strategy, SHADOW_FAST_ALL, SHADOW_PAGES_MIN);
		/* Tables change unseen by the machine here, so that they must not be in use. */
		load_cr3(ROOT);
		many_tables();
		assert_int_equal(shadow_audit(m.s), 0);
	}
}

/* The machine has no page left, though the pool might grow: pages are reclaimed all the same. */
static void test_no_memory_for_shadow_pages(void **state)
{
	(void)state;
	restart(SHADOW_OOS, SHADOW_FAST_ALL, 0);
	reads(VA, 1000);
	arena_limit = arena_used[PAGE_TABLE] + 4;
	many_tables();
	arena_limit = ~0ul;
}

static struct machine other;

/* Its pool is used up again and again, and so is the machine. */
static void use_up(unsigned pages)
{
	machine_swap(&other);
	machine_add(SHADOW_OOS, SHADOW_FAST_ALL, pages);
	boot();
	reads(VA, 1000);
	arena_limit = arena_used[PAGE_TABLE];
	many_tables();
	assert_int_equal(shadow_audit(m.s), 0);
	machine_swap(&other);
}

static void check_witness(void)
{
	mock_flush_tlb(&m.v, TLB_ALL, GVA(0));
	for (u64 i = 0; i < 64; i++)
		reads(VA + i * PAGE_SIZE, 1000 + i);
}

static void remove_other(void)
{
	arena_limit = ~0ul;
	machine_swap(&other);
	machine_remove();
	machine_swap(&other);
}

/* Two VMs: what one has in its pool stays there, and costs it no exit, whatever the other does. */
static void test_running_out_harms_no_other(void **state)
{
	static const unsigned pools[] = { SHADOW_PAGES_MIN, 2 * MANY_TABLES };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(pools); i++) {
		u64 created;
		unsigned exits;

		restart(SHADOW_OOS, SHADOW_FAST_ALL, 0);
		check_witness();
		created = m.s->stats.created;
		exits = m.exits;
		use_up(pools[i]);
		check_witness();
		assert_int_equal(m.exits, exits);
		assert_int_equal(m.s->stats.created, created);
		assert_int_equal(m.s->stats.reclaimed, 0);
		assert_int_equal(shadow_audit(m.s), 0);
		remove_other();
	}
}

/* A VM that has not run yet has what it takes, though another has the rest of the machine. */
static void test_a_pool_begins_with_memory(void **state)
{
	(void)state;
	machine_end();
	machine_start(SHADOW_OOS, SHADOW_FAST_ALL, 0);
	use_up(2 * MANY_TABLES);
	boot();
	many_tables();
	remove_other();
}

/* ---- teardown ---- */

/* What one exit may zap: pages of 512 entries. */
#define STEP_MAX 40u

static void check_step(u32 *in_use)
{
	if (*in_use > m.s->in_use + STEP_MAX)
		fail_msg("%u pages, then %u", *in_use, m.s->in_use);
	*in_use = m.s->in_use;
}

/* As many tables of level 1, two levels below an entry of a table of level 3. */
static void shadow_many(void)
{
	for (u64 t = 0; t < MANY_TABLES; t++) {
		put(LARGE + t * PAGE_SIZE, (PAGE + t % 64 * PAGE_SIZE) | USER | USED);
		put((t < 512 ? L2 : OTHER) + t % 512 * 8, (LARGE + t * PAGE_SIZE) | USER);
	}
	put(L3 + 8, OTHER | USER);
	for (u64 t = 0; t < MANY_TABLES; t++)
		reads(VA + t * 2 * MB, 1000 + t % 64);
	assert_true(m.s->in_use > MANY_TABLES);
}

/* A change of what decides how tables are read makes all of them obsolete, and no exit pays for it.
 */
static void test_all_is_dropped_in_steps(void **state)
{
	u32 in_use;

	(void)state;
	restart(SHADOW_SYNC, SHADOW_FAST_ALL, 4 * MANY_TABLES);
	for (unsigned round = 0; round < 6; round++) {
		shadow_many();
		in_use = m.s->in_use;
		m.reg[VREG_EFER] ^= EFER_NXE;
		m.vm.mmu->ops->paging_changed(&m.v);
		check_step(&in_use);
		/* What was a table may be written: nothing tells the guest that it was. */
		assert_int_equal(run_access(LARGE + 7 * PAGE_SIZE, &write_0, 0, 8).end, END_OK);
		check_step(&in_use);
		assert_int_equal(get(LARGE + 7 * PAGE_SIZE), 0);
		faults(VA + 7 * 2 * MB, &read_3, PF_U);
		check_step(&in_use);
		reads(VA + 8 * 2 * MB, 1008);
		check_step(&in_use);
		assert_int_equal(shadow_audit(m.s), 0);
		for (unsigned n = 0; round % 2 && n < MANY_TABLES; n++) {
			invlpg(VA);
			check_step(&in_use);
		}
	}
	assert_true(m.s->in_use < 40);
}

/* What was a table may be written with no exit while what shadowed it waits for being zapped: that
 * follows nothing any more, and the auditor knows. */
static void test_what_is_obsolete_follows_nothing(void **state)
{
	(void)state;
	restart(SHADOW_OOS, SHADOW_FAST_ALL, 2 * MANY_TABLES);
	shadow_many();
	set_registers(CR0_PE | CR0_PG, ROOT, CR4_PAE, m.reg[VREG_EFER]);
	for (u64 t = MANY_TABLES - 64; t < MANY_TABLES; t++) {
		store(LARGE + t * PAGE_SIZE, (PAGE + 9 * PAGE_SIZE) | USER | USED);
		assert_int_equal(shadow_audit(m.s), 0);
	}
	assert_true(m.s->obsolete);
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE, m.reg[VREG_EFER]);
	for (u64 t = MANY_TABLES - 64; t < MANY_TABLES; t++)
		reads(VA + t * 2 * MB, 1009);
}

/* The guest clears the one entry that a gigabyte, or all of it, hangs from. */
static void test_a_tree_falls_in_steps(void **state)
{
	u32 in_use;

	(void)state;
	restart(SHADOW_SYNC, SHADOW_FAST_ALL, 2 * MANY_TABLES);
	shadow_many();
	in_use = m.s->in_use;
	store(L3, 0);
	check_step(&in_use);
	store(ROOT + 8 * 8, 0);
	check_step(&in_use);
	assert_int_equal(shadow_audit(m.s), 0);
	/* Half of it comes back before it is all gone. */
	store(ROOT + 8 * 8, L3 | USER);
	check_step(&in_use);
	reads(VA + 1000 * 2 * MB, 1000 + 1000 % 64);
	check_step(&in_use);
	store(LARGE + 1001 * PAGE_SIZE, (PAGE + 3 * PAGE_SIZE) | USER);
	check_step(&in_use);
	reads(VA + 1001 * 2 * MB, 1003);
	check_step(&in_use);
	assert_int_equal(shadow_audit(m.s), 0);
	for (unsigned n = 0; n < MANY_TABLES; n++) {
		invlpg(VA);
		check_step(&in_use);
	}
	assert_true(m.s->in_use < 40);
}

#define DIRECTORIES 40u

/* A table that only pages which wait for being zapped lead to, and the processor's caches: where
 * the last of them goes, it goes too, and the processor must not find the next page in its place.
 */
static void test_what_falls_with_an_obsolete_page_is_flushed(void **state)
{
	const u64 mine = 9ul << 39 | 10 * MB, next = 9ul << 39 | 12 * MB;
	struct outcome o;

	(void)state;
	put(LARGE, OTHER | USER);
	put(OTHER + 5 * 8, L1 | USER);
	put(OTHER + 6 * 8, LARGE | USER | GPTE_PS);
	put(OTHER + 7 * 8, PAGE | USER | GPTE_PS);
	put(ROOT + 9 * 8, LARGE | USER);
	put(LARGE + PAGE_SIZE, 4711);
	for (u64 n = 0; n < DIRECTORIES; n++) {
		put(LARGE + (4 + n) * PAGE_SIZE, L1 | USER);
		put(L3 + n * 8, (LARGE + (4 + n) * PAGE_SIZE) | USER);
		reads(VA + n * GB + PAGE_SIZE, 1001);
	}
	reads(mine, 1000);
	store(ROOT + 8 * 8, 0);
	assert_true(m.s->obsolete);
	reads(mine, 1000);
	store(OTHER + 5 * 8, 0); /* no flush: the guest may go on to see what was there */
	while (m.s->obsolete)
		faults(4 * GB + 2 * MB, &write_0, PF_W);
	reads(next + 2 * MB, 1000);
	reads(next + PAGE_SIZE, 4711);
	o = run_access(mine + PAGE_SIZE, &read_0, 0, 8);
	assert_true(o.end == END_FAULT ? o.error == 0 : o.value == 1001);
}

/* ---- CR3 loads without an exit ---- */

/* Another root with the tables of the first. */
static void copy_root(u64 root)
{
	for (u64 slot = 0; slot < 9; slot += 8)
		put(root + slot * 8, get(ROOT + slot * 8));
}

/* From `from` to `to`, as often as it takes for the load of `to` to be without an exit. */
static void go_without_exit(u64 from, u64 to)
{
	unsigned loads;

	load_cr3(to);
	load_cr3(from);
	loads = m.free_loads;
	load_cr3(to);
	assert_int_equal(m.free_loads, loads + 1);
}

/* They lead to roots, and these are obsolete too; where pages are many, they are so for a while. */
static void test_no_target_is_obsolete(void **state)
{
	unsigned loads;

	(void)state;
	restart(SHADOW_SYNC, SHADOW_FAST_ALL, 2 * MANY_TABLES);
	shadow_many();
	copy_root(SECOND);
	copy_root(THIRD);
	go_without_exit(SECOND, THIRD);
	go_without_exit(THIRD, SECOND);
	m.reg[VREG_PAT] ^= MEMTYPE_WB;
	m.vm.mmu->ops->paging_changed(&m.v);
	assert_true(m.s->obsolete > MANY_TABLES / 2);
	loads = m.free_loads;
	load_cr3(THIRD);
	assert_int_equal(m.free_loads, loads);
	reads(VA, 1000);
	go_without_exit(THIRD, SECOND);
	reads(VA, 1000);
}

enum root_loss {
	OVERWRITTEN,
	UNMAPPED,
	BECOMES_DATA
};

static void lose_root(u64 root, enum root_loss how)
{
	u8 copy[PAGE_SIZE];

	memcpy(copy, physical(root), PAGE_SIZE);
	switch (how) {
	case OVERWRITTEN:
		assert_int_equal(guest_write(&m.vm.mem, GPA(root), copy, PAGE_SIZE), OK);
		break;
	case UNMAPPED:
		assert_int_equal(m.vm.mmu->ops->unmap(m.vm.mmu, GPA(root), PAGE_SIZE), OK);
		break;
	default:
		/* The guest takes a table of level 3 away, and with it all that is below. */
		put(root + 9 * 8, OTHER | USER);
		put(root + 9 * 8, 0);
	}
}

/* XSA-438: the guest has gone to another root, and nobody was told. Whichever goes now, because the
 * hypervisor writes to it or takes it, the processor stays on the guest's, and that one lives. */
static void check_root_loss(u64 lost, enum root_loss how, bool away)
{
	const struct mmu_ops *ops = m.vm.mmu->ops;
	const struct spage *p;

	restart(SHADOW_SYNC, SHADOW_FAST_ALL, 0);
	copy_root(SECOND);
	put(SECOND + 10 * 8, L3 | USER);
	go_without_exit(SECOND, ROOT);
	reads(VA, 1000); /* a fault: the root is known */
	go_without_exit(ROOT, SECOND);
	assert_int_equal(m.s->page[m.s->root].gfn, ROOT >> PAGE_SHIFT);
	if (away) {
		ops->suspend(&m.v);
		m.v.sched.away = true;
	}
	lose_root(lost, how);
	if (away) {
		m.v.sched.away = false;
		ops->resume(&m.v);
	}
	p = &m.s->page[m.s->root];
	assert_true(p->in_use);
	assert_int_equal(p->gfn, SECOND >> PAGE_SHIFT);
	assert_int_equal(m.root.v, hva_to_hpa(p->table).v);
	reads((10ul << 39) + PAGE_SIZE, 1001);
	load_cr3(ROOT);
	faults((10ul << 39) + PAGE_SIZE, &read_3, PF_U);
	reads(VA + PAGE_SIZE, 1001);
	assert_int_equal(shadow_audit(m.s), 0);
}

static void test_a_root_goes_after_a_load_without_an_exit(void **state)
{
	(void)state;
	for (enum root_loss how = OVERWRITTEN; how <= BECOMES_DATA; how++)
		for (unsigned away = 0; away < 2; away++) {
			check_root_loss(ROOT, how, away);
			check_root_loss(SECOND, how, away);
		}
}

/* Nothing is free, and all that is there is obsolete. */
static void test_obsolete_pages_are_what_is_taken_first(void **state)
{
	u64 reclaimed;

	(void)state;
	restart(SHADOW_SYNC, SHADOW_FAST_ALL, MANY_TABLES + 32);
	shadow_many();
	reclaimed = m.s->stats.reclaimed;
	m.reg[VREG_EFER] ^= EFER_NXE;
	m.vm.mmu->ops->paging_changed(&m.v);
	for (u64 t = 0; t < MANY_TABLES; t++)
		reads(VA + t * 2 * MB, 1000 + t % 64);
	assert_int_equal(m.s->stats.reclaimed, reclaimed);
}

static void test_create_without_memory(void **state)
{
	u64 enough = arena_used[PAGE_TABLE];
	struct mmu *mmu = NULL;

	(void)state;
	assert_true(enough > 10);
	machine_end();
	assert_int_equal(guestmem_add(&m.vm.mem, GPA(0), RAM), OK);
	for (u64 limit = 0; limit <= enough; limit++) {
		arena_limit = limit;
		if (shadow_mmu_ops.create(&m.vm, &mmu) == OK)
			break;
		assert_int_equal(arena_used[PAGE_TABLE], 0);
	}
	arena_limit = ~0ul;
	assert_non_null(mmu);
	shadow_mmu_ops.destroy(mmu);
	assert_int_equal(arena_used[PAGE_TABLE], 0);
	guestmem_destroy(&m.vm.mem);
	start(SHADOW_SYNC, SHADOW_FILTER, 0);
}

/* One page mapped by many: the list of its writers is bounded, and protection reaches them all. */
static void test_many_writers_of_one_page(void **state)
{
	(void)state;
	for (u64 t = 0; t < 8; t++) {
		put(L2 + t * 8, (LARGE + t * PAGE_SIZE) | USER);
		for (u64 i = 0; i < 512; i++)
			put(LARGE + t * PAGE_SIZE + i * 8, OTHER | USER | USED);
	}
	load_cr3(ROOT);
	for (u64 n = 0; n < 8 * 512; n++) {
		assert_int_equal(run_access(VA + n * PAGE_SIZE, &write_3, n, 8).end, END_OK);
		assert_true(refs_count(m.s, frame(OTHER)->writers) <= 65);
	}
	put(OTHER, (PAGE + 20 * PAGE_SIZE) | USER);
	store(L2 + 100 * 8, OTHER | USER);
	reads(VA + 100 * 2 * MB, 1020);
	assert_int_equal(frame(OTHER)->writers, 0);
	for (u64 n = 0; n < 8 * 512; n += 61) {
		u64 e = (PAGE + n % 64 * PAGE_SIZE) | USER;

		assert_int_equal(run_access(VA + n * PAGE_SIZE, &write_3, e, 8).end, END_OK);
		invlpg(VA + 100 * 2 * MB);
		reads(VA + 100 * 2 * MB, 1000 + n % 64);
	}
}

/* ---- the list of references ---- */

static refs_t list;
static bool listed[256];
static unsigned listed_count;

static void drop(struct shadow *s, entry_id id)
{
	refs_del(s, &list, id);
	if (id <= ARRAY_SIZE(listed)) {
		listed[id - 1] = false;
		listed_count--;
	}
}

static void test_references(void **state)
{
	u64 seed = 1;

	(void)state;
	list = 0;
	for (unsigned n = 0; n < 20000; n++) {
		unsigned i;

		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		i = (unsigned)(seed >> 33) % 100;
		if (listed[i])
			refs_del(m.s, &list, i + 1);
		else
			refs_add(m.s, &list, i + 1, drop);
		listed[i] = !listed[i];
		listed_count += listed[i] ? 1u : -1u;
		assert_int_equal(refs_count(m.s, list), listed_count);
		assert_int_equal(refs_has(m.s, list, i + 1), listed[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(listed); i++)
		if (listed[i])
			refs_del(m.s, &list, i + 1);
	assert_int_equal(list, 0);
	/* Longer than a list may get, and than there are nodes. */
	for (unsigned i = 0; i < 3 * m.s->nodes; i++)
		refs_add(m.s, &list, 1000 + i, drop);
	assert_true(refs_has(m.s, list, 1000 + 3 * m.s->nodes - 1));
	assert_true(refs_count(m.s, list) <= 65);
	for (entry_id id; refs_first(m.s, list, &id);)
		refs_del(m.s, &list, id);
}

/* ---- the auditor ---- */

static void finds(const char *what)
{
	unsigned found = shadow_audit(m.s);

	if (!found)
		fail_msg("the auditor does not find %s", what);
}

#define plant(lvalue, value, what)                                                                 \
	do {                                                                                       \
		__typeof__(lvalue) _old = (lvalue);                                                \
		(lvalue) = (value);                                                                \
		finds(what);                                                                       \
		(lvalue) = _old;                                                                   \
		assert_int_equal(shadow_audit(m.s), 0);                                            \
	} while (0)

static void test_the_auditor_finds_what_is_planted(void **state)
{
	u64 *leaf, *link, *guest;
	struct spage *p;

	(void)state;
	put(L1 + 8, (PAGE + PAGE_SIZE) | SPTE_P | USED);
	put(L1 + 16, L1 | USER | USED);
	reads(VA, 1000);
	reads(VA + PAGE_SIZE, 1001);
	run_access(VA + 2 * PAGE_SIZE, &read_3, 0, 8);
	run_access(VA + 3 * PAGE_SIZE, &write_3, 1003, 8);
	assert_int_equal(shadow_audit(m.s), 0);
	p = shadow_of_table(L1, 1);
	leaf = p->table;
	link = entry(L2, 2, 0);
	plant(leaf[1], leaf[1] | SPTE_W, "a leaf that allows writing");
	plant(leaf[1], leaf[1] | SPTE_U, "a leaf that allows level 3");
	plant(leaf[2], leaf[2] | SPTE_W, "a table in sync that is writable");
	plant(leaf[0], leaf[0] + PAGE_SIZE, "a leaf that maps another frame");
	plant(leaf[0], 0, "an entry that says not present");
	plant(leaf[200], leaf[0], "an entry for what is not there");
	plant(p->target[0], p->target[0] + 1, "a leaf with another target");
	plant(*link, *link + PAGE_SIZE, "a link to elsewhere");
	plant(*link, *link ^ SPTE_NX, "a link with another permission");
	plant(p->known[0], p->known[0] ^ BIT(1), "an entry that the list does not have");
	plant(p->parents, 0, "a page without its parent");
	plant(frame(PAGE + 3 * PAGE_SIZE)->writers, 0, "a frame without its writer");
	plant(m.s->in_use, m.s->in_use + 1, "a page too many");
	/* The guest's entry changes and the shadow does not. */
	guest = physical(L1);
	plant(guest[0], (PAGE + 9 * PAGE_SIZE) | USER | USED, "a stale leaf");
	plant(guest[1], 0, "a leaf for an entry that is not present");
}

static void test_one_of_so_many_flushes_is_audited(void **state)
{
	(void)state;
	m.s->cfg.audit = 3;
	for (unsigned n = 0; n < 7; n++)
		load_cr3(ROOT);
	assert_int_equal(m.s->stats.audits, 2);
	/* And whoever asks gets an answer. */
	reads(VA, 1000);
	assert_int_equal(m.vm.mmu->ops->audit(m.vm.mmu), 0);
	*entry(L1, 1, 0) ^= SPTE_U;
	assert_int_equal(m.vm.mmu->ops->audit(m.vm.mmu), 1);
	*entry(L1, 1, 0) ^= SPTE_U;
	assert_int_equal(m.s->stats.audits, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_not_present_is_zero_unknown_is_a_trap),
		TEST(test_a_walk_is_told_entry_by_entry),
		TEST(test_live_only_if_accessed),
		TEST(test_a_write_needs_the_dirty_flag),
		TEST(test_each_level_has_its_own_permissions),
		TEST(test_a_table_in_sync_is_writable_for_nobody),
		TEST(test_roms_are_never_writable),
		TEST(test_memory_types_are_the_guests),
		TEST(test_wp_clear_writes_without_the_right),
		TEST(test_smap_and_implicit_accesses),
		TEST(test_two_parents_with_different_permissions),
		TEST(test_a_table_that_maps_itself),
		TEST(test_table_to_large_page_and_back),
		TEST(test_a_leaf_table_becomes_a_directory),
		TEST(test_large_pages_past_the_end_of_memory),
		TEST(test_tables_outside_memory),
		TEST(test_out_of_sync_follows_at_a_flush),
		TEST(test_out_of_sync_and_back_again),
		TEST(test_out_of_sync_without_memory),
		TEST(test_out_of_sync_ends_at_a_cr3_load),
		TEST(test_a_table_written_through_itself_at_length),
		TEST(test_only_leaf_tables_go_out_of_sync),
		TEST(test_many_out_of_sync),
		TEST(test_the_hypervisors_own_writes),
		TEST(test_a_table_is_freed_and_becomes_data),
		TEST(test_unknown_instructions_write_to_tables),
		TEST(test_memory_that_comes_back),
		TEST(test_memory_that_moves),
		TEST(test_a_mapping_goes_for_each_vcpu),
		TEST(test_vtlb),
		TEST(test_32_bit_tables),
		TEST(test_pae_tables),
		TEST(test_paging_off_and_on_again),
		TEST(test_more_tables_than_shadow_pages),
		TEST(test_no_memory_for_shadow_pages),
		TEST(test_running_out_harms_no_other),
		TEST(test_a_pool_begins_with_memory),
		TEST(test_all_is_dropped_in_steps),
		TEST(test_what_is_obsolete_follows_nothing),
		TEST(test_a_tree_falls_in_steps),
		TEST(test_what_falls_with_an_obsolete_page_is_flushed),
		TEST(test_no_target_is_obsolete),
		TEST(test_a_root_goes_after_a_load_without_an_exit),
		TEST(test_obsolete_pages_are_what_is_taken_first),
		TEST(test_create_without_memory),
		TEST(test_many_writers_of_one_page),
		TEST(test_references),
		TEST(test_the_auditor_finds_what_is_planted),
		TEST(test_one_of_so_many_flushes_is_audited),
	};

	arena_open();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
