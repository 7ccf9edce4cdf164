/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shadow's pages come and go: exhaustion, teardown in steps, roots that go under a processor
 * which loads CR3 without an exit, and the lists of references that all of it hangs from.
 *
 * Sources: hv/mmu/shadow.c hv/mmu/shadow_fault.c hv/mmu/shadow_sync.c hv/mmu/shadow_page.c
 * hv/mmu/shadow_root.c hv/mmu/shadow_vtlb.c hv/mmu/shadow_entry.c hv/mmu/shadow_refs.c
 * hv/mmu/shadow_audit.c hv/mmu/pat.c hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/destroy.h"
#include "tests/unit/shadow_tables.h"

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

/* XSA-410: a pool of 12,000 pages, and a place of the machine for each of its roots. */
#define MANY_PAGES 12000u

static void fill_pool(void)
{
	struct shadow_role piece = { .level = 1, .direct = true }, root = { .level = 4 };

	restart(SHADOW_SYNC, SHADOW_FAST_ALL, MANY_PAGES + RAM / PAGE_SIZE);
	for (u64 n = 0; n < MANY_PAGES; n++)
		assert_non_null(page_get(m.s, n * SHADOW_ENTRIES, piece));
	for (u64 gfn = PLACES_BASE / PAGE_SIZE; gfn < RAM / PAGE_SIZE; gfn++)
		assert_non_null(page_get(m.s, gfn, root));
}

static void test_a_large_pool_goes_in_steps(void **state)
{
	unsigned steps = 0;
	u64 frees;
	bool last;

	(void)state;
	fill_pool();
	do {
		frees = arena_frees;
		last = m.vm.mmu->ops->destroy_step(m.vm.mmu);
		assert_true(arena_frees - frees <= PAGE_FREE_STEP + 16);
		steps++;
	} while (!last);
	assert_true(steps > MANY_PAGES / PAGE_FREE_STEP);
	assert_int_equal(arena_used[PAGE_TABLE], 0);
	guestmem_destroy(&m.vm.mem);
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
	mmu_destroy(mmu);
	assert_int_equal(arena_used[PAGE_TABLE], 0);
	guestmem_destroy(&m.vm.mem);
	start(SHADOW_SYNC, SHADOW_FILTER, 0);
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
	case UNMAPPED: assert_int_equal(mmu_unmap(m.vm.mmu, GPA(root), PAGE_SIZE), OK); break;
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

/* ---- the list of references ---- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		cmocka_unit_test_setup(test_a_large_pool_goes_in_steps, setup),
		TEST(test_create_without_memory),
		TEST(test_many_writers_of_one_page),
		TEST(test_references),
	};

	arena_open();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
