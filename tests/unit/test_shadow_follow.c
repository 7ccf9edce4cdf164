/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shadow follows the guest's tables, whoever changes them: what a flush must bring, what goes
 * without one, tables out of sync, and the virtual TLB.
 *
 * Sources: hv/mmu/shadow.c hv/mmu/shadow_fault.c hv/mmu/shadow_sync.c hv/mmu/shadow_page.c
 * hv/mmu/shadow_root.c hv/mmu/shadow_vtlb.c hv/mmu/shadow_entry.c hv/mmu/shadow_refs.c
 * hv/mmu/shadow_audit.c hv/mmu/pat.c hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/shadow_tables.h"

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

/* It brings an entry up to date as a CR3 load does all of them: the auditor looks at its table. */
static void test_invlpg_is_audited(void **state)
{
	(void)state;
	make_unsync();
	reads(VA + 9 * PAGE_SIZE, 1009);
	m.s->cfg.audit = 2;
	for (unsigned i = 0; i < 4; i++)
		invlpg(VA + 9 * PAGE_SIZE);
	assert_int_equal(m.s->stats.audits, 2);
	*entry(L1, 1, 9) ^= SPTE_U;
	invlpg(VA + 8 * PAGE_SIZE);
	assert_int_equal(m.crashes, 0);
	invlpg(VA + 8 * PAGE_SIZE);
	assert_int_equal(m.crashes, 1);
	*entry(L1, 1, 9) ^= SPTE_U;
	m.crashes = 0;
	load_cr3(ROOT);
	for (unsigned i = 0; i < 4; i++)
		invlpg(VA + 9 * PAGE_SIZE);
	assert_int_equal(m.s->stats.audits, 3);
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

/* ---- an instruction that faults again, and implicit accesses ---- */

static void allow_users_pages(void)
{
	set_registers(
		CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE | CR4_SMEP | CR4_SMAP, m.reg[VREG_EFER]);
	m.reg[VREG_RFLAGS] |= RFLAGS_AC;
}

/* One instruction of a loop writes to a page that the guest wants to hear of each time: what the
 * first fault filled in is gone, and no fault was between. */
static void test_an_instruction_faults_again_after_a_flush(void **state)
{
	static const struct attempt implicit = { .implicit = true, .write = true };

	(void)state;
	make_unsync();
	allow_users_pages();
	for (unsigned i = 0; !frame(L1)->unsync; i++)
		store(L1 + i % 2 * 8, (PAGE + i * PAGE_SIZE) | USER | USED);
	m.loops = true;
	for (unsigned i = 0; i < 4; i++) {
		*(u64 *)physical(L1 + 9 * 8) &= ~SPTE_D; /* no exit */
		if (i < 3)
			invlpg(VA + 9 * PAGE_SIZE);
		else
			load_cr3(ROOT);
		store(VA + 9 * PAGE_SIZE, 5);
		assert_int_equal(get(L1 + 9 * 8) & USED, USED);
	}
	faults(VA + 9 * PAGE_SIZE, &implicit, PF_P | PF_W);
	m.loops = false;
	store(VA + 9 * PAGE_SIZE, 6);
}

/* The same page, of two address spaces. */
static void test_an_instruction_faults_again_in_another_space(void **state)
{
	unsigned loads;

	(void)state;
	restart(SHADOW_SYNC, SHADOW_FAST_ALL, 0);
	allow_users_pages();
	memcpy(physical(SECOND), physical(ROOT), PAGE_SIZE);
	put(SECOND + 8 * 8, (L3 + 8 * PAGE_SIZE) | USER);
	put(L3 + 8 * PAGE_SIZE, (L2 + 8 * PAGE_SIZE) | USER);
	put(L2 + 8 * PAGE_SIZE, (L1 + 8 * PAGE_SIZE) | USER);
	put(L1 + 8 * PAGE_SIZE, (PAGE + PAGE_SIZE) | USER);
	reads(VA, 1000);
	load_cr3(SECOND);
	reads(VA, 1001);
	load_cr3(ROOT);
	loads = m.free_loads;
	m.loops = true;
	store(VA, 5);
	load_cr3(SECOND);
	assert_int_equal(m.free_loads, loads + 1);
	store(VA, 6);
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
			assert_int_equal(mmu_unmap(m.vm.mmu, GPA(gpa), PAGE_SIZE), OK);
	reads(VA, 1000);
	assert_int_equal(mmu_unmap(m.vm.mmu, GPA(ROOT), PAGE_SIZE), OK);
	reads(VA + PAGE_SIZE, 1001);
	assert_int_equal(mmu_unmap(m.vm.mmu, GPA(RAM), PAGE_SIZE), ERR_RANGE);
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
		assert_int_equal(mmu_unmap(m.vm.mmu, GPA(PAGE + here * PAGE_SIZE), PAGE_SIZE), OK);
	}
	m.v.sched.away = false;
	m.reg[VREG_CR3] = ROOT;
}

/* ---- the virtual TLB ---- */

/* A large page is cached in pieces; INVLPG of any address in it is about them all. */
static void test_vtlb_drops_large_pages_whole(void **state)
{
	const u64 two = VA + 2 * MB, far = 300 * PAGE_SIZE;

	(void)state;
	restart(SHADOW_VTLB, SHADOW_FAST_ALL, 0);
	put(LARGE, 7000);
	put(LARGE + far, 7001);
	put(LAST_2M, 8000);
	put(LAST_2M + far, 8001);
	put(L2 + 8, LARGE | USER | GPTE_PS);
	reads(two, 7000);
	reads(two + far, 7001);
	reads(VA, 1000);
	put(L2 + 8, LAST_2M | USER | GPTE_PS);
	invlpg(two + PAGE_SIZE);
	reads(two, 8000);
	reads(two + far, 8001);

	/* 1 GB; others keep what they have. */
	put(L3 + 8, USER | GPTE_PS);
	reads(VA + GB + LARGE, 7000);
	reads(VA + GB + PAGE, 1000);
	put(L3 + 8, 0);
	invlpg(VA + GB + 3 * MB);
	assert_int_equal(run_access(VA + GB + LARGE, &read_0, 0, 8).end, END_FAULT);
	assert_int_equal(run_access(VA + GB + PAGE, &read_0, 0, 8).end, END_FAULT);
	assert_true(is_cached(&m.v, VA));
	assert_true(is_cached(&m.v, two));
}

/* Also those of the table that the last fault went through, which is pinned while a fault lasts. */
static void test_vtlb_drops_the_pieces_used_last(void **state)
{
	const u64 at = VA + GB + PAGE, far = 20 * PAGE_SIZE;

	(void)state;
	restart(SHADOW_VTLB, SHADOW_FAST_ALL, 0);
	put(LARGE, 7000);
	put(LARGE + far, 7001);
	put(L2 + 8, LARGE | USER | GPTE_PS);
	put(L3 + 8, USER | GPTE_PS);
	reads(at, 1000);
	reads(at + far, 1020);
	put(L3 + 8, L2 | USER);
	invlpg(at);
	invlpg(at + far);
	reads(at, 7000);
	reads(at + far, 7001);
}

/* 4 MB, of which a shadow page of level 1 spans but half. */
static void test_vtlb_drops_4_mb_whole(void **state)
{
	(void)state;
	restart(SHADOW_VTLB, SHADOW_FAST_ALL, 0);
	put(PAGE, 1000);
	put(LARGE, 7000);
	put(LARGE + 3 * MB, 7001);
	for (u64 i = 0; i < PAGE_SIZE; i += 8)
		put(ROOT + i, 0);
	put(ROOT, (RW | GPTE_PS) | (LARGE | RW | GPTE_PS) << 32);
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PSE, 0);
	assert_int_equal(run_access(4 * MB, &read_0, 0, 4).value, 7000);
	assert_int_equal(run_access(7 * MB, &read_0, 0, 4).value, 7001);
	put(ROOT, RW | GPTE_PS);
	invlpg(4 * MB);
	assert_int_equal(run_access(7 * MB, &read_0, 0, 4).end, END_FAULT);
	assert_int_equal(run_access(4 * MB, &read_0, 0, 4).end, END_FAULT);
	assert_int_equal(run_access(PAGE, &read_0, 0, 4).value, 1000);
}

/* A guest's root may be at the very address of the machine where that of the virtual TLB is. */
static void test_no_target_is_a_virtual_tlb(void **state)
{
	unsigned met = 0;

	(void)state;
	restart(SHADOW_VTLB, SHADOW_FAST_ALL, 0);
	for (unsigned i = 0; i < 8; i++) {
		load_cr3(m.root.v);
		met += m.root.v == m.reg[VREG_CR3];
		assert_int_equal(m.targets, 0);
	}
	assert_true(met > 0);
	load_cr3(ROOT);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_out_of_sync_follows_at_a_flush),
		TEST(test_invlpg_is_audited),
		TEST(test_out_of_sync_and_back_again),
		TEST(test_out_of_sync_without_memory),
		TEST(test_out_of_sync_ends_at_a_cr3_load),
		TEST(test_a_table_written_through_itself_at_length),
		TEST(test_only_leaf_tables_go_out_of_sync),
		TEST(test_many_out_of_sync),
		TEST(test_an_instruction_faults_again_after_a_flush),
		TEST(test_an_instruction_faults_again_in_another_space),
		TEST(test_the_hypervisors_own_writes),
		TEST(test_a_table_is_freed_and_becomes_data),
		TEST(test_unknown_instructions_write_to_tables),
		TEST(test_memory_that_comes_back),
		TEST(test_memory_that_moves),
		TEST(test_a_mapping_goes_for_each_vcpu),
		TEST(test_vtlb),
		TEST(test_vtlb_drops_large_pages_whole),
		TEST(test_vtlb_drops_the_pieces_used_last),
		TEST(test_vtlb_drops_4_mb_whole),
		TEST(test_no_target_is_a_virtual_tlb),
	};

	arena_open();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
