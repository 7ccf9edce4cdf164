/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules for the entries of a shadow (hv/mmu/shadow_priv.h, hv/mmu/shadow_entry.c), one by one,
 * on 4-level tables unless a test says otherwise; and the auditor, which must find each kind of
 * mistake that is planted.
 *
 * Sources: hv/mmu/shadow.c hv/mmu/shadow_fault.c hv/mmu/shadow_sync.c hv/mmu/shadow_page.c
 * hv/mmu/shadow_root.c hv/mmu/shadow_vtlb.c hv/mmu/shadow_entry.c hv/mmu/shadow_refs.c
 * hv/mmu/shadow_audit.c hv/mmu/pat.c hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/shadow_tables.h"

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
		TEST(test_32_bit_tables),
		TEST(test_pae_tables),
		TEST(test_paging_off_and_on_again),
		TEST(test_the_auditor_finds_what_is_planted),
		TEST(test_one_of_so_many_flushes_is_audited),
	};

	arena_open();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
