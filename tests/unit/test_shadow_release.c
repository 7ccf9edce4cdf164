/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that a VM under shadow paging gives back, as a list: all of it goes at once, and no page
 * is free before neither the processor nor any shadow table can lead to it.
 *
 * Sources: hv/mmu/shadow.c hv/mmu/shadow_fault.c hv/mmu/shadow_sync.c hv/mmu/shadow_page.c
 * hv/mmu/shadow_root.c hv/mmu/shadow_vtlb.c hv/mmu/shadow_entry.c hv/mmu/shadow_refs.c
 * hv/mmu/shadow_audit.c hv/mmu/ram.c hv/mmu/pat.c hv/mmu/walk.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/mem/mtrr.c
 */
#include "tests/unit/destroy.h"
#include "tests/unit/shadow_tables.h"

#define L3_B	0x104000ul /* of the second root, down to OTHER */
#define L2_B	0x105000ul
#define SHARED	8u	      /* pages that both tables map: L1 writable, OTHER not */
#define READERS (VA + 2 * MB) /* where OTHER is */
#define AT(n)	(PAGE + (n)*PAGE_SIZE)

static const enum shadow_strategy strategies[] = { SHADOW_SYNC, SHADOW_OOS, SHADOW_VTLB };

static unsigned freed;

/* Does an entry of a shadow table, or the TLB, lead to that page of the machine? */
static bool is_reached(u64 hpa)
{
	for (u32 n = 1; n < m.s->fresh; n++)
		for (unsigned i = 0; m.s->page[n].in_use && i < SHADOW_ENTRIES; i++)
			if (spte_live(m.s->page[n].table[i]) && m.s->page[n].role.level == 1 &&
				(m.s->page[n].table[i] & SPTE_ADDR) == hpa)
				return true;
	for (unsigned i = 0; i < TLB_SIZE; i++)
		if (m.tlb[i].page != ~0ul && (m.tlb[i].e & SPTE_ADDR) == hpa)
			return true;
	return false;
}

static void check_unreached(void *p, unsigned order)
{
	for (unsigned i = 0; i < BIT(order); i++)
		assert_false(is_reached(hva_to_hpa(p).v + i * PAGE_SIZE));
	freed += BIT(order);
}

/* Two roots, four ways to the same frames: a table of the guest's that writes, one in each root
 * that reads, and a large page. */
static void share(void)
{
	put(SECOND, TABLES | RW);
	put(SECOND + 8 * 8, L3_B | USER);
	put(L3_B, L2_B | USER);
	put(L2_B + 8, OTHER | USER);
	put(L2 + 8, OTHER | USER);
	for (u64 i = 0; i < SHARED; i++) {
		put(OTHER + i * 8, AT(i) | SPTE_P | SPTE_U);
		put(L1 + i * 8, AT(i) | USER | USED);
	}
}

static void use_all(void)
{
	load_cr3(SECOND);
	for (u64 i = 0; i < SHARED; i++)
		reads(READERS + i * PAGE_SIZE, get(AT(i)));
	load_cr3(ROOT);
	for (u64 i = 0; i < SHARED; i++) {
		reads(READERS + i * PAGE_SIZE, get(AT(i)));
		store(VA + i * PAGE_SIZE, 2000 + i);
		reads(AT(i), 2000 + i);
	}
}

static struct ram_release list_of(void)
{
	return (struct ram_release){ .mmu = m.vm.mmu, .gm = &m.vm.mem };
}

static enum status unmap(const struct mmu_range *range, unsigned ranges, unsigned *done)
{
	return m.vm.mmu->ops->unmap(m.vm.mmu, range, ranges, done);
}

/* Data, tables that are in use, one of them out of order and twice, and the border of two slots. */
static void test_a_list_is_unmapped_at_once(void **state)
{
	const struct mmu_range list[] = {
		{ GPA(AT(6)), 2 * PAGE_SIZE },
		{ GPA(AT(1)), PAGE_SIZE },
		{ GPA(OTHER), PAGE_SIZE },
		{ GPA(AT(1)), PAGE_SIZE },
		{ GPA(RAM / 2 - PAGE_SIZE), 2 * PAGE_SIZE },
		{ GPA(L1), PAGE_SIZE },
		{ GPA(AT(0)), 3 * PAGE_SIZE },
	};
	unsigned done, flushes;
	u64 generation;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(strategies); n++) {
		restart(strategies[n], SHADOW_FAST_ALL, 0);
		share();
		use_all();
		reads(RAM / 2 - PAGE_SIZE, 0);
		reads(RAM / 2, 0);
		flushes = m.flushes;
		generation = m.vm.mmu->generation;
		assert_int_equal(unmap(list, ARRAY_SIZE(list), &done), OK);
		assert_int_equal(done, ARRAY_SIZE(list));
		assert_int_equal(m.flushes, flushes + 1);
		assert_int_equal(m.vm.mmu->generation, generation + 1);
		for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
			for (u64 at = 0; at < list[i].len; at += PAGE_SIZE) {
				u64 gpa = list[i].gpa.v + at;

				assert_null(frame(gpa));
				assert_false(is_reached(hva_to_hpa(physical(gpa)).v));
			}
		/* What is not on it stays as it was. */
		assert_true(is_reached(hva_to_hpa(physical(AT(4))).v));
		assert_int_equal(shadow_audit(m.s), 0);
		use_all();
	}
}

/* An error in the middle: what comes before it is gone, what comes after is untouched. */
static void test_a_list_with_an_error_in_it(void **state)
{
	const struct mmu_range list[] = {
		{ GPA(AT(1)), PAGE_SIZE },
		{ GPA(RAM), PAGE_SIZE },
		{ GPA(AT(2)), PAGE_SIZE },
	};
	const struct mmu_range odd[] = { { GPA(AT(3)), PAGE_SIZE }, { GPA(AT(4) + 8), 8 } };
	unsigned done;

	(void)state;
	share();
	use_all();
	assert_int_equal(unmap(list, ARRAY_SIZE(list), &done), ERR_RANGE);
	assert_int_equal(done, 1);
	assert_null(frame(AT(1)));
	assert_non_null(frame(AT(2)));
	assert_int_equal(unmap(odd, ARRAY_SIZE(odd), &done), ERR_INVAL);
	assert_int_equal(done, 1);
	assert_null(frame(AT(3)));
	assert_non_null(frame(AT(4)));
	use_all();
}

/* As a driver gives them: in any order, some twice, some that are not there; from both slots. */
static void test_pages_are_free_when_nothing_leads_there(void **state)
{
	const u64 pages[] = { AT(5), RAM - PAGE_SIZE, AT(0), AT(5), RAM, RAM / 2, AT(1), L1, AT(0),
		RAM / 2 - PAGE_SIZE, GB };
	const unsigned have = 7;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(strategies); n++) {
		struct ram_release r;
		unsigned flushes;

		restart(strategies[n], SHADOW_FAST_ALL, 0);
		share();
		use_all();
		r = list_of();
		freed = 0;
		guest_page_freed = check_unreached;
		flushes = m.flushes;
		for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
			ram_release_add(&r, GPA(pages[i]), PAGE_SIZE);
		assert_int_equal(freed, 0);
		assert_int_equal(ram_release_all(&r), have * PAGE_SIZE);
		guest_page_freed = NULL;
		assert_int_equal(freed, have);
		assert_int_equal(m.flushes, flushes + 1);
		assert_int_equal(guestmem_released(&m.vm.mem), have * PAGE_SIZE);
		assert_int_equal(shadow_audit(m.s), 0);
		assert_int_equal(ram_release_all(&r), 0);
		assert_int_equal(m.flushes, flushes + 1);
		/* Whoever touches one finds zeros, at each address. */
		reads(AT(5), 0);
		reads(READERS + 5 * PAGE_SIZE, 0);
		reads(READERS + 6 * PAGE_SIZE, 2006);
	}
}

/* A list that is full goes by itself; 2 MB that come back are joined by a copy, mapped anew. */
static void test_two_mb_go_and_come_back(void **state)
{
	struct ram_release r = list_of();
	struct mmu_restored back;

	(void)state;
	share();
	use_all();
	freed = 0;
	guest_page_freed = check_unreached;
	for (u64 i = 0; i < 512; i += 2) /* no two are neighbours */
		ram_release_add(&r, GPA(PAGE + i * PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(freed, 0);
	assert_int_equal(r.runs, RAM_RELEASE_MAX);
	ram_release_add(&r, GPA(PAGE + PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(freed, RAM_RELEASE_MAX);
	assert_int_equal(ram_release_all(&r), (RAM_RELEASE_MAX + 1) * PAGE_SIZE);
	reads(READERS, 0);
	reads(READERS + 3 * PAGE_SIZE, 2003);
	back = mmu_restore_ram(m.vm.mmu, &m.vm.mem, GPA(PAGE), 2 * MB);
	guest_page_freed = NULL;
	assert_int_equal(back.bytes, RAM_RELEASE_MAX * PAGE_SIZE);
	assert_int_equal(back.joined, 1);
	assert_int_equal(back.copied, 1);
	assert_int_equal(guestmem_released(&m.vm.mem), 0);
	reads(READERS, 0);
	reads(READERS + 3 * PAGE_SIZE, 2003);
	use_all();
}

/* Of a virtual TLB, which the VM has while its CR0.WP is off; its pages go a few at a time. */
static void test_what_is_obsolete_leads_nowhere_either(void **state)
{
	const u64 efer = EFER_LME | EFER_LMA | EFER_NXE, many = 40;
	struct ram_release r = list_of();

	(void)state;
	set_registers(CR0_PE | CR0_PG, ROOT, CR4_PAE, efer);
	for (u64 i = 2; i < many; i++) {
		put(L2 + i * 8, LARGE | USER | GPTE_PS);
		store(VA + i * 2 * MB + i * PAGE_SIZE, i);
	}
	m.s->at_once = 0;
	set_registers(CR0_PE | CR0_PG | CR0_WP, ROOT, CR4_PAE, efer);
	assert_true(m.s->obsolete > 0);
	guest_page_freed = check_unreached;
	ram_release_add(&r, GPA(LARGE + 2 * PAGE_SIZE), (many - 2) * PAGE_SIZE);
	assert_int_equal(ram_release_all(&r), (many - 2) * PAGE_SIZE);
	guest_page_freed = NULL;
	while (m.s->obsolete)
		pages_step(m.s);
	for (u64 i = 2; i < many; i++)
		reads(VA + i * 2 * MB + i * PAGE_SIZE, 0);
}

/* XSA-495: each 2 MB have lost a page; so they are freed page by page. */
static void test_loose_memory_goes_in_steps(void **state)
{
	struct ram_release r = list_of();
	unsigned steps = 0;
	u64 frees;
	bool last;

	(void)state;
	for (u64 at = GUESTMEM_CHUNK - PAGE_SIZE; at < RAM; at += GUESTMEM_CHUNK)
		ram_release_add(&r, GPA(at), PAGE_SIZE);
	assert_int_equal(ram_release_all(&r), RAM / GUESTMEM_CHUNK * PAGE_SIZE);
	mmu_destroy(m.vm.mmu);
	do {
		frees = arena_frees;
		last = guestmem_destroy_step(&m.vm.mem);
		assert_true(arena_frees - frees <= PAGE_FREE_STEP + 16);
		steps++;
	} while (!last);
	assert_true(steps >= RAM / PAGE_SIZE / PAGE_FREE_STEP);
	assert_int_equal(arena_used[PAGE_TABLE], 0);
	assert_int_equal(arena_used[PAGE_GUEST], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_list_is_unmapped_at_once),
		TEST(test_a_list_with_an_error_in_it),
		TEST(test_pages_are_free_when_nothing_leads_there),
		TEST(test_two_mb_go_and_come_back),
		TEST(test_what_is_obsolete_leads_nowhere_either),
		cmocka_unit_test_setup(test_loose_memory_goes_in_steps, setup),
	};

	arena_open();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
