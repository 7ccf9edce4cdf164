/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The EPT MMU: each outcome of fault(), each misconfiguration rule by its sentence, and an INVEPT
 * after whatever takes a translation away.
 *
 * Sources: ept/ept.c ept/format.c hv/mem/pt.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 * hv/mem/mtrr.c hv/mmu/ram.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ept/ept.h"
#include "ept/format.h"
#include "hv/ctl/log.h"
#include "hv/mem/page.h"
#include "hv/mmu/ram.h"
#include "hv/vm/vm.h"
#include "tests/unit/destroy.h"
#include "tests/unit/host.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define ALL_CAPS                                                                                   \
	(EPT_CAP_EXEC_ONLY | EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_1G |               \
		EPT_CAP_INVEPT | EPT_CAP_AD | EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)
#define RWX	(MMU_R | MMU_W | MMU_X)
#define RAM	(4 * MB)
#define DEVICE	0xfee00000ul
#define ROM	(16 * MB)
#define ROM_HPA (32 * MB) /* only mapped, never read */

static struct vm vm;
static struct vcpu vcpu;
static unsigned singles, alls;
static u64 last_eptp;
static char errors[1024]; /* all that was logged as an error since the last fault() */

/* Overrides host.c's: an error is followed by the walk, so that the last line is not enough. */
void log_write(enum log_level level, const char *fmt, ...)
{
	size_t n = strlen(errors);
	va_list ap;

	if (level != LOG_ERR)
		return;
	va_start(ap, fmt);
	vsnprintf(errors + n, sizeof(errors) - n, fmt, ap);
	va_end(ap);
}

static void invept_single(u64 eptp)
{
	singles++;
	last_eptp = eptp;
}

static void invept_all(void)
{
	alls++;
}

static const struct ept_hw hw = { invept_single, invept_all };

static int setup(void **state)
{
	(void)state;
	host_pages_begin();
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	vm.id = 3;
	vcpu.vm = &vm;
	if (ept_init(ALL_CAPS, 48, true, &hw) != OK || guestmem_add(&vm.mem, GPA(0), RAM) != OK)
		return -1;
	guestmem_hole(&vm.mem, GPA(640 * KB), GPA(MB));
	if (ept_mmu_ops.create(&vm, &vm.mmu) != OK || mmu_map_ram(vm.mmu, &vm.mem) != OK)
		return -1;
	singles = alls = 0;
	errors[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_page_limit = ~0ul;
	if (vm.mmu)
		mmu_destroy(vm.mmu);
	guestmem_destroy(&vm.mem);
	return host_pages_are_back() ? 0 : -1;
}

static enum mmu_result fault(u64 gpa, unsigned access, bool is_walk)
{
	struct mmu_fault f = { .gpa = GPA(gpa), .access = access, .is_walk = is_walk };

	errors[0] = '\0';
	return ept_mmu_ops.fault(&vcpu, &f);
}

static enum mmu_result misconfig(u64 gpa)
{
	struct mmu_fault f = { .gpa = GPA(gpa), .misconfigured = true };

	errors[0] = '\0';
	return ept_mmu_ops.fault(&vcpu, &f);
}

static void assert_error(const char *part)
{
	if (!strstr(errors, part))
		fail_msg("\"%s\" is not in \"%s\"", part, errors);
}

/* The entry of this level in the walk for gpa, to be broken by hand. */
static u64 *entry_of(u64 gpa, unsigned level)
{
	struct mmu_view view;
	u64 *table;

	ept_mmu_ops.view(&vcpu, &view);
	table = hpa_to_hva(HPA(view.root & EPTE_ADDR));
	for (unsigned l = 4;; l--) {
		u64 *e = &table[gpa >> PT_SHIFT(l) & (PT_ENTRIES - 1)];

		if (l == level)
			return e;
		table = hpa_to_hva(HPA(*e & EPTE_ADDR));
	}
}

/* ---- ept_init() and the view ---- */

static void init_needs(void **state)
{
	static const u64 needed[] = { EPT_CAP_WALK_4, EPT_CAP_WB, EPT_CAP_INVEPT,
		EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL };
	static const char *const words[] = { "four levels", "write-back", "lacks INVEPT",
		"type of INVEPT" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		errors[0] = '\0';
		assert_int_equal(ept_init(ALL_CAPS & ~needed[i], 48, true, &hw), ERR_NOTSUP);
		assert_error(words[i]);
	}
	assert_int_equal(ept_init(ALL_CAPS & ~EPT_CAP_INVEPT_SINGLE, 48, true, &hw), OK);
	assert_int_equal(ept_init(ALL_CAPS & ~EPT_CAP_INVEPT_ALL, 48, true, &hw), OK);
}

static void view_holds_the_eptp(void **state)
{
	struct mmu_view view;

	(void)state;
	ept_mmu_ops.view(&vcpu, &view);
	assert_true(view.two_level);
	assert_false(view.trap_paging);
	/* Write-back, four levels, A/D. */
	assert_int_equal(view.root & (PAGE_SIZE - 1), 0x5e);
}

/* What the monitor shows is what the processor finds, down to a page or to nothing. */
static void a_walk_is_told_entry_by_entry(void **state)
{
	struct mmu_step step[MMU_STEPS_MAX];
	unsigned n = ept_mmu_ops.walk(&vcpu, GPA(0x5123), GVA(0), step);
	hpa_t hpa;

	(void)state;
	assert_in_range(n, 3, 4);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(step[i].level, 4 - i);
		assert_int_equal(step[i].entry, *entry_of(0x5123, 4 - i));
		assert_true(step[i].present);
		assert_int_equal(step[i].leaf, i == n - 1);
		assert_int_equal(step[i].access, MMU_R | MMU_W | MMU_X);
	}
	assert_int_equal(guest_gpa_to_hpa(&vm.mem, GPA(0x5123), &hpa), OK);
	assert_int_equal(step[n - 1].hpa.v, ALIGN_DOWN(hpa.v, PT_SPAN(step[n - 1].level)));
	n = ept_mmu_ops.walk(&vcpu, GPA(1ul << 40), GVA(0), step);
	assert_int_equal(n, 1);
	assert_false(step[0].present);
	assert_int_equal(ept_mmu_ops.walk(&vcpu, GPA(1ul << 50), GVA(0), step), 0);
}

static void largest_page_follows_the_caps(void **state)
{
	static const struct {
		u64 without;
		unsigned level;
	} rows[] = { { 0, 3 }, { EPT_CAP_1G, 2 }, { EPT_CAP_2M, 1 },
		{ EPT_CAP_2M | EPT_CAP_1G, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mmu *mine = vm.mmu;
		u64 e;

		assert_int_equal(ept_init(ALL_CAPS & ~rows[i].without, 48, true, &hw), OK);
		assert_int_equal(ept_mmu_ops.create(&vm, &vm.mmu), OK);
		assert_int_equal(
			ept_mmu_ops.map(vm.mmu, GPA(GB), HPA(GB), GB, RWX, MEMTYPE_WB), OK);
		e = *entry_of(GB, rows[i].level);
		assert_int_equal(e & ~EPTE_PS, GB | EPTE_RWX | 6 << 3);
		assert_int_equal(!!(e & EPTE_PS), rows[i].level > 1);
		mmu_destroy(vm.mmu);
		vm.mmu = mine;
	}
}

/* ---- iTLB multihit ---- */

static void assert_leaf(u64 gpa, unsigned level, u64 hpa, u64 bits)
{
	u64 large = level > 1 ? EPTE_PS : 0;

	assert_int_equal(*entry_of(gpa, level), hpa | large | bits | 6 << 3);
}

/* Large pages are not executable; a fetch splits the 2 MB around it, and nothing else. */
static void a_fetch_splits_a_large_page(void **state)
{
	struct mmu *mine = vm.mmu;
	u64 at = GB + 6 * MB;

	(void)state;
	assert_int_equal(ept_init(ALL_CAPS, 48, false, &hw), OK);
	assert_int_equal(ept_mmu_ops.create(&vm, &vm.mmu), OK);
	assert_int_equal(ept_mmu_ops.map(vm.mmu, GPA(GB), HPA(GB), 2 * GB, RWX, MEMTYPE_WB), OK);
	assert_int_equal(ept_mmu_ops.map(vm.mmu, GPA(3 * GB), HPA(GB), GB, MMU_R, MEMTYPE_WB), OK);
	assert_leaf(GB, 3, GB, EPTE_R | EPTE_W | EPTE_X_IN_4K);
	singles = 0;
	assert_int_equal(fault(at + 3 * PAGE_SIZE + 5, MMU_X, false), MMU_DONE);
	assert_int_equal(singles, 1);
	for (u64 i = 0; i < 2 * MB; i += PAGE_SIZE)
		assert_leaf(at + i, 1, at + i, EPTE_RWX);
	assert_leaf(at - 2 * MB, 2, at - 2 * MB, EPTE_R | EPTE_W | EPTE_X_IN_4K);
	assert_leaf(2 * GB, 3, 2 * GB, EPTE_R | EPTE_W | EPTE_X_IN_4K);

	/* What was not to be executed is not, split or whole. */
	assert_int_equal(fault(3 * GB, MMU_X, false), MMU_FATAL);
	assert_error("does not allow it");
	assert_int_equal(mmu_unmap(vm.mmu, GPA(3 * GB), PAGE_SIZE), OK);
	assert_leaf(3 * GB + PAGE_SIZE, 1, GB + PAGE_SIZE, EPTE_R);

	/* Mapped as a whole again, it is large again; unmapped in part, the rest may run. */
	assert_int_equal(ept_mmu_ops.map(vm.mmu, GPA(at), HPA(at), 2 * MB, RWX, MEMTYPE_WB), OK);
	assert_leaf(at, 2, at, EPTE_R | EPTE_W | EPTE_X_IN_4K);
	assert_int_equal(mmu_unmap(vm.mmu, GPA(at), PAGE_SIZE), OK);
	assert_leaf(at + PAGE_SIZE, 1, at + PAGE_SIZE, EPTE_RWX);

	/* Execute-only: nothing is left in the entry but the mark, and it is there all the same. */
	assert_int_equal(ept_mmu_ops.map(vm.mmu, GPA(at), HPA(at), 2 * MB, MMU_X, MEMTYPE_WB), OK);
	assert_leaf(at, 2, at, EPTE_X_IN_4K);
	assert_int_equal(fault(at, MMU_X, false), MMU_DONE);
	assert_leaf(at, 1, at, EPTE_X);

	host_page_limit = 0;
	assert_int_equal(fault(2 * GB, MMU_X, false), MMU_FATAL);
	assert_error("no memory for the tables to split its page");
	host_page_limit = ~0ul;
	mmu_destroy(vm.mmu);
	vm.mmu = mine;
}

/* ---- map, unmap, invalidation ---- */

static void map_refuses(void **state)
{
	static const struct {
		u64 gpa, hpa, len;
		unsigned rwx, type;
		enum status want;
	} rows[] = {
		{ GB, GB, PAGE_SIZE, 0, MEMTYPE_WB, ERR_INVAL },
		{ GB, GB, PAGE_SIZE, MMU_W, MEMTYPE_WB, ERR_INVAL },
		{ GB, GB, PAGE_SIZE, MMU_W | MMU_X, MEMTYPE_WB, ERR_INVAL },
		{ GB, GB, PAGE_SIZE, RWX, 2, ERR_INVAL },
		{ GB, GB, PAGE_SIZE, RWX, 7, ERR_INVAL },
		{ GB, GB, PAGE_SIZE, RWX, 8, ERR_INVAL },
		{ GB + 1, GB, PAGE_SIZE, RWX, MEMTYPE_WB, ERR_INVAL },
		{ GB, GB, 1, RWX, MEMTYPE_WB, ERR_INVAL },
		{ BIT(48), GB, PAGE_SIZE, RWX, MEMTYPE_WB, ERR_RANGE },
		{ ~0ul - PAGE_SIZE + 1, GB, PAGE_SIZE, RWX, MEMTYPE_WB, ERR_RANGE },
		{ BIT(48) - PAGE_SIZE, GB, 2 * PAGE_SIZE, RWX, MEMTYPE_WB, ERR_RANGE },
		{ GB, BIT(48), PAGE_SIZE, RWX, MEMTYPE_WB, ERR_RANGE },
		{ GB, BIT(48) - PAGE_SIZE, 2 * PAGE_SIZE, RWX, MEMTYPE_WB, ERR_RANGE },
		{ GB, BIT(48) - PAGE_SIZE, PAGE_SIZE, RWX, MEMTYPE_WB, OK },
		{ BIT(48) - PAGE_SIZE, GB, PAGE_SIZE, MMU_X, MEMTYPE_UC, OK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (ept_mmu_ops.map(vm.mmu, GPA(rows[i].gpa), HPA(rows[i].hpa), rows[i].len,
			    rows[i].rwx, rows[i].type) != rows[i].want)
			fail_msg("row %zu", i);
	}
	assert_int_equal(ept_init(ALL_CAPS & ~EPT_CAP_EXEC_ONLY, 48, true, &hw), OK);
	assert_int_equal(
		ept_mmu_ops.map(vm.mmu, GPA(GB), HPA(GB), PAGE_SIZE, MMU_X, MEMTYPE_WB), ERR_INVAL);
	assert_int_equal(mmu_unmap(vm.mmu, GPA(BIT(48)), PAGE_SIZE), ERR_RANGE);
}

static void invept_only_when_something_was_taken(void **state)
{
	struct mmu_view view;
	u64 gen = vm.mmu->generation;

	(void)state;
	ept_mmu_ops.view(&vcpu, &view);
	assert_int_equal(ept_mmu_ops.map(vm.mmu, GPA(GB), HPA(GB), 2 * MB, RWX, MEMTYPE_WB), OK);
	assert_int_equal(singles, 0);
	assert_int_equal(vm.mmu->generation, gen);
	assert_int_equal(ept_mmu_ops.map(vm.mmu, GPA(GB), HPA(GB), 2 * MB, MMU_R, MEMTYPE_WB), OK);
	assert_int_equal(singles, 1);
	assert_int_equal(vm.mmu->generation, gen + 1);
	assert_int_equal(last_eptp, view.root);
	assert_int_equal(mmu_unmap(vm.mmu, GPA(GB), PAGE_SIZE), OK);
	assert_int_equal(singles, 2);
	assert_int_equal(mmu_unmap(vm.mmu, GPA(GB), PAGE_SIZE), OK);
	assert_int_equal(singles, 2);
	assert_int_equal(vm.mmu->generation, gen + 2);

	/* Also after a failure: the first 2 MB went, the split of the last page did not. */
	assert_int_equal(
		ept_mmu_ops.map(vm.mmu, GPA(2 * GB), HPA(GB), 4 * MB, RWX, MEMTYPE_WB), OK);
	host_page_limit = 0;
	assert_int_equal(mmu_unmap(vm.mmu, GPA(2 * GB), 2 * MB + PAGE_SIZE), ERR_NOMEM);
	host_page_limit = ~0ul;
	assert_int_equal(singles, 3);
	assert_int_equal(alls, 0);

	assert_int_equal(ept_init(ALL_CAPS & ~EPT_CAP_INVEPT_SINGLE, 48, true, &hw), OK);
	assert_int_equal(mmu_unmap(vm.mmu, GPA(0), PAGE_SIZE), OK);
	assert_int_equal(singles, 3);
	assert_int_equal(alls, 1);
}

static u64 tables(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.used[PAGE_TABLE];
}

static struct {
	unsigned calls;
	u64 tables;
} told;

/* The other CPUs may still walk tables that are gone; the pages are not to be had any more. */
static void note_narrowed(void *ctx)
{
	(void)ctx;
	told.calls++;
	told.tables = tables();
	assert_int_equal(singles, 1);
	assert_int_equal(*entry_of(2 * MB, 2), 0);
	assert_int_equal(*entry_of(0x5000, 1), 0);
	assert_int_equal(*entry_of(0x9000, 1), 0);
	assert_true(*entry_of(0x6000, 1) != 0);
}

/* Out of order, some twice, some not there: one INVEPT, and tables are free after it. */
static void a_list_is_one_invalidation(void **state)
{
	const struct mmu_range list[] = { { GPA(2 * MB + PAGE_SIZE), 2 * MB - PAGE_SIZE },
		{ GPA(0x9000), PAGE_SIZE }, { GPA(0x5000), PAGE_SIZE }, { GPA(0x9000), PAGE_SIZE },
		{ GPA(8 * GB), PAGE_SIZE }, { GPA(2 * MB), PAGE_SIZE } };
	unsigned done;

	(void)state;
	/* In pages: the list leaves their table empty. */
	assert_int_equal(mmu_unmap(vm.mmu, GPA(2 * MB), PAGE_SIZE), OK);
	assert_int_equal(fault(2 * MB, MMU_R, false), MMU_DONE);
	singles = told.calls = 0;
	vm.mmu->narrowed = note_narrowed;
	assert_int_equal(ept_mmu_ops.unmap(vm.mmu, list, ARRAY_SIZE(list), &done), OK);
	assert_int_equal(done, ARRAY_SIZE(list));
	assert_int_equal(singles, 1);
	assert_int_equal(told.calls, 1);
	assert_int_equal(tables(), told.tables - 1);
	vm.mmu->narrowed = NULL;
}

/* What comes before the error is unmapped, what comes after it is not. */
static void a_list_with_an_error_in_it(void **state)
{
	const struct mmu_range list[] = { { GPA(2 * MB), 2 * MB }, { GPA(BIT(48)), PAGE_SIZE },
		{ GPA(0x5000), PAGE_SIZE } };
	unsigned done;

	(void)state;
	assert_int_equal(ept_mmu_ops.unmap(vm.mmu, list, ARRAY_SIZE(list), &done), ERR_RANGE);
	assert_int_equal(done, 1);
	assert_int_equal(singles, 1);
	assert_int_equal(*entry_of(2 * MB, 2), 0);
	assert_true(*entry_of(0x5000, 1) != 0);
}

static void all_ram_is_mapped_and_the_hole_is_not(void **state)
{
	(void)state;
	for (u64 gpa = 0; gpa < RAM; gpa += PAGE_SIZE) {
		bool hole = gpa >= 640 * KB && gpa < MB;
		enum mmu_result first = fault(gpa, MMU_R, false);

		/* Mapped: an unexplained fault is let pass once. Not mapped: a device. */
		assert_int_equal(first, hole ? MMU_DEVICE : MMU_DONE);
	}
}

/* ---- the outcomes of fault() ---- */

static void absent_ram_comes_back(void **state)
{
	(void)state;
	assert_int_equal(mmu_unmap(vm.mmu, GPA(2 * MB + 5 * PAGE_SIZE), 2 * PAGE_SIZE), OK);
	assert_int_equal(fault(2 * MB + 5 * PAGE_SIZE + 123, MMU_W, false), MMU_DONE);
	u64 e = *entry_of(2 * MB + 5 * PAGE_SIZE, 1);
	hpa_t hpa;

	assert_int_equal(guest_gpa_to_hpa(&vm.mem, GPA(2 * MB + 5 * PAGE_SIZE), &hpa), OK);
	assert_int_equal(e, hpa.v | EPTE_RWX | 6 << 3);
	assert_int_equal(*entry_of(2 * MB + 6 * PAGE_SIZE, 1), 0); /* one page, no more */
	assert_int_equal(fault(2 * MB, MMU_X, true), MMU_DONE);

	/* All of it, where not even a table was left. */
	assert_int_equal(mmu_unmap(vm.mmu, GPA(2 * MB), 2 * MB), OK);
	assert_int_equal(fault(2 * MB + 5 * PAGE_SIZE + 123, MMU_W, false), MMU_DONE);
	assert_int_equal(guest_gpa_to_hpa(&vm.mem, GPA(2 * MB), &hpa), OK);
	assert_int_equal(*entry_of(2 * MB, 2), hpa.v | EPTE_RWX | 6 << 3 | EPTE_PS);
	assert_int_equal(mmu_unmap(vm.mmu, GPA(0), 2 * MB), OK); /* with the hole in it */
	assert_int_equal(fault(0x5000, MMU_W, false), MMU_DONE);
	assert_int_equal(*entry_of(0x6000, 1), 0);

	assert_int_equal(mmu_unmap(vm.mmu, GPA(0), 2 * MB), OK);
	host_page_limit = 0;
	assert_int_equal(fault(0x5000, MMU_R, false), MMU_FATAL);
	assert_error("no memory for the tables");
}

static void absent_and_not_ram(void **state)
{
	(void)state;
	assert_int_equal(fault(DEVICE, MMU_R, false), MMU_DEVICE);
	assert_int_equal(fault(DEVICE, MMU_W, false), MMU_DEVICE);
	assert_int_equal(fault(640 * KB, MMU_R, false), MMU_DEVICE);
	assert_int_equal(fault(DEVICE, MMU_X, false), MMU_FATAL);
	assert_error("vm3: fetch of gpa 0xfee00000: there is no memory to execute");
	assert_int_equal(fault(DEVICE, MMU_R | MMU_W, true), MMU_FATAL);
	assert_error("for the guest's page walk");
	assert_error("lead out of its memory");
	assert_int_equal(fault(BIT(48), MMU_R, false), MMU_FATAL);
	assert_error("beyond the 48 bits");
	assert_int_equal(fault(~0ul, MMU_W, false), MMU_FATAL);
	assert_error("beyond the 48 bits");
}

static void read_only_memory(void **state)
{
	(void)state;
	assert_int_equal(
		ept_mmu_ops.map(vm.mmu, GPA(ROM), HPA(ROM_HPA), 2 * MB, MMU_R, MEMTYPE_WB), OK);
	assert_int_equal(fault(ROM, MMU_W, false), MMU_DEVICE);
	assert_int_equal(fault(ROM, MMU_R | MMU_W, false), MMU_DEVICE);
	assert_int_equal(fault(ROM, MMU_R | MMU_W, true), MMU_FATAL); /* A/D bits in ROM */
	assert_error("the page does not allow it");
	assert_int_equal(fault(ROM, MMU_X, false), MMU_FATAL);
	assert_error("the page does not allow it");
}

static void unexplained_once_then_fatal(void **state)
{
	(void)state;
	assert_int_equal(fault(2 * MB, MMU_R, false), MMU_DONE);
	assert_int_equal(singles, 1);
	assert_int_equal(fault(2 * MB, MMU_R, false), MMU_FATAL);
	assert_error("twice, though the page allows it");
	assert_int_equal(fault(3 * MB, MMU_R, false), MMU_DONE);
	assert_int_equal(fault(DEVICE, MMU_R, false), MMU_DEVICE); /* not in a row any more */
	assert_int_equal(fault(3 * MB, MMU_R, false), MMU_DONE);
}

static void misconfig_is_fatal_and_named(void **state)
{
	(void)state;
	u64 *pde = entry_of(2 * MB, 2), was = *pde;

	assert_int_equal(misconfig(2 * MB), MMU_FATAL);
	assert_error("no entry of the walk breaks a rule");
	/* The processor found it malformed; that it is absent now does not make it a device. */
	assert_int_equal(misconfig(DEVICE), MMU_FATAL);
	assert_error("no entry of the walk breaks a rule");
	*pde = (was & ~EPTE_RWX) | EPTE_W;
	assert_int_equal(misconfig(2 * MB), MMU_FATAL);
	assert_error("EPT misconfiguration: the PDE is writable but not readable");
	*pde = was;
	*entry_of(2 * MB, 4) |= EPTE_PS;
	assert_int_equal(misconfig(2 * MB), MMU_FATAL);
	assert_error("the PML4E has bit 7 set");
	*entry_of(2 * MB, 4) &= ~EPTE_PS;
}

static void each_rule_has_its_sentence(void **state)
{
	static const struct ept_caps full = {
		.maxphyaddr = 40, .exec_only = true, .page_2m = true, .page_1g = true
	};
	static const struct ept_caps bare = { .maxphyaddr = 40 };
	static const struct {
		const struct ept_caps *caps;
		u64 entry;
		unsigned level;
		const char *says; /* NULL: legal */
	} rows[] = {
		{ &full, 0, 1, NULL },
		{ &full, ~EPTE_RWX, 1, NULL }, /* not present */
		{ &full, EPTE_W, 1, "writable but not readable" },
		{ &full, EPTE_W | EPTE_X, 3, "writable but not readable" },
		{ &full, EPTE_X, 1, NULL },
		{ &bare, EPTE_X, 1, "executable but not readable" },
		{ &bare, EPTE_X, 4, "executable but not readable" },
		{ &full, BIT(39) | EPTE_R, 1, NULL },
		{ &full, BIT(40) | EPTE_R, 1, "physical-address width" },
		{ &full, BIT(51) | EPTE_RWX, 4, "physical-address width" },
		{ &full, BIT(52) | BIT(63) | EPTE_R, 1, NULL }, /* ignored */
		{ &full, EPTE_PS | EPTE_RWX, 4, "reserved in a PML4 entry" },
		{ &full, EPTE_PS | EPTE_RWX, 3, NULL },
		{ &bare, EPTE_PS | EPTE_RWX, 3, "maps 1 GB" },
		{ &full, EPTE_PS | EPTE_RWX, 2, NULL },
		{ &bare, EPTE_PS | EPTE_RWX, 2, "maps 2 MB" },
		{ &bare, EPTE_PS | EPTE_RWX, 1, NULL }, /* ignored there */
		{ &full, BIT(3) | EPTE_RWX, 2, "bits 6:3" },
		{ &full, BIT(6) | EPTE_RWX, 3, "bits 6:3" },
		{ &full, BIT(5) | EPTE_RWX, 4, "bits 6:3" },
		{ &full, EPTE_A | EPTE_RWX, 4, NULL },
		{ &full, BIT(12) | EPTE_PS | EPTE_RWX, 2, "below the page's size" },
		{ &full, BIT(20) | EPTE_PS | EPTE_RWX, 2, "below the page's size" },
		{ &full, BIT(21) | EPTE_PS | EPTE_RWX, 2, NULL },
		{ &full, BIT(29) | EPTE_PS | EPTE_RWX, 3, "below the page's size" },
		{ &full, BIT(30) | EPTE_PS | EPTE_RWX, 3, NULL },
		{ &full, 2ul << 3 | EPTE_R, 1, "reserved memory type" },
		{ &full, 3ul << 3 | EPTE_R, 1, "reserved memory type" },
		{ &full, 7ul << 3 | EPTE_PS | EPTE_R, 2, "reserved memory type" },
		{ &full, 6ul << 3 | EPTE_IPAT | EPTE_A | EPTE_D | EPTE_RWX, 1, NULL },
		{ &full, 4ul << 3 | EPTE_R, 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *got = ept_explain_misconfig(rows[i].caps, rows[i].entry, rows[i].level);

		if (!rows[i].says != !got || (got && !strstr(got, rows[i].says)))
			fail_msg("row %zu: \"%s\"", i, got ? got : "legal");
	}
}

static void create_leaks_nothing_when_it_fails(void **state)
{
	struct page_stats s, after;
	struct mmu *mmu;

	(void)state;
	page_stats(&s);
	for (u64 pages = 0; pages < 2; pages++) {
		host_page_limit = s.used[PAGE_TABLE] + pages;
		assert_int_equal(ept_mmu_ops.create(&vm, &mmu), ERR_NOMEM);
		page_stats(&after);
		assert_memory_equal(&s, &after, sizeof(s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(init_needs),
		TEST(view_holds_the_eptp),
		TEST(a_walk_is_told_entry_by_entry),
		TEST(largest_page_follows_the_caps),
		TEST(a_fetch_splits_a_large_page),
		TEST(map_refuses),
		TEST(invept_only_when_something_was_taken),
		TEST(a_list_is_one_invalidation),
		TEST(a_list_with_an_error_in_it),
		TEST(all_ram_is_mapped_and_the_hole_is_not),
		TEST(absent_ram_comes_back),
		TEST(absent_and_not_ram),
		TEST(read_only_memory),
		TEST(unexplained_once_then_fatal),
		TEST(misconfig_is_fatal_and_named),
		TEST(each_rule_has_its_sentence),
		TEST(create_leaks_nothing_when_it_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
