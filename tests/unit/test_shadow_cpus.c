/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow paging of a VM whose vcpus run on two CPUs: what is changed from one for the other, and
 * what must be left alone.
 *
 * Sources: hv/mmu/shadow.c hv/mmu/shadow_fault.c hv/mmu/shadow_sync.c hv/mmu/shadow_page.c
 * hv/mmu/shadow_root.c hv/mmu/shadow_vtlb.c hv/mmu/shadow_entry.c hv/mmu/shadow_refs.c
 * hv/mmu/shadow_audit.c hv/mmu/ram.c hv/mmu/pat.c hv/mmu/walk.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/mem/mtrr.c
 */
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/shadow_tables.h"

static struct percpu cpus[2];
static unsigned narrowings;

/* this_cpu() reads through GS. */
static void on_cpu(unsigned n)
{
	cpus[n].self = &cpus[n];
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpus[n]), 0);
}

/* Tables and generation have changed before the others are told, and none but the first is asked
 * for its generation. */
static void check_narrowed(void *ctx)
{
	const u64 *generation = ctx;

	narrowings++;
	assert_true(m.vm.mmu->generation > *generation);
	assert_false(is_cached(m.vm.vcpu[0], VA));
	assert_false(is_cached(m.vm.vcpu[1], VA));
}

static void check_told(void *p, unsigned order)
{
	(void)p, (void)order;
	assert_int_equal(narrowings, 2);
}

static void fault_in(struct vcpu *v, u64 va)
{
	struct mmu_fault f = { .gva = GVA(va), .gva_valid = true };

	assert_int_equal(v->mmu->ops->fault(v, &f), MMU_DONE);
	assert_true(is_cached(v, va));
}

/* Registers and TLB of the other CPU are out of reach: mock_ops say so. */
static void test_a_mapping_goes_on_all_cpus(void **state)
{
	struct vcpu other = { .vm = &m.vm, .ops = &mock_ops, .index = 1, .sched.cpu = &cpus[1] };
	const struct mmu_ops *ops = m.vm.mmu->ops;
	struct shared *somewhere = (void *)&other;
	struct ram_release r = { .gm = &m.vm.mem };
	unsigned flushes;
	u64 generation;

	(void)state;
	restart(SHADOW_VTLB, SHADOW_FAST_ALL, 0);
	narrowings = 0;
	m.vm.cfg.vcpus = 2;
	m.vm.vcpu[1] = &other;
	assert_int_equal(ops->add(&other), OK);
	m.vm.vcpus = 2;
	m.v.sched.cpu = &cpus[0];
	m.vm.shared = somewhere;
	m.vm.mmu->narrowed = check_narrowed;
	m.vm.mmu->narrowed_ctx = &generation;
	on_cpu(1);
	ops->paging_changed(&other);
	fault_in(&other, VA);
	on_cpu(0);
	fault_in(&m.v, VA);

	generation = m.vm.mmu->generation;
	assert_int_equal(mmu_unmap(m.vm.mmu, GPA(PAGE), PAGE_SIZE), OK);
	assert_int_equal(narrowings, 1);
	fault_in(&m.v, VA + PAGE_SIZE);

	/* Whoever has not flushed since does so before it enters, and nothing else without the
	 * lock. */
	on_cpu(1);
	assert_true(shadow_of(other.mmu)->flush);
	flushes = m.flushes;
	ops->resume(&other);
	assert_int_equal(m.flushes, flushes);
	ops->flush(other.mmu);
	assert_int_equal(m.flushes, flushes + 1);
	assert_true(shadow_of(other.mmu)->flush);
	fault_in(&other, VA + PAGE_SIZE);
	assert_false(shadow_of(other.mmu)->flush);

	/* What one has mapped again is there for both; nothing was taken away by it. */
	fault_in(&other, VA);
	assert_int_equal(narrowings, 1);
	on_cpu(0);
	fault_in(&m.v, VA);

	/* Given back, as a list: free when the others have been told, once. */
	generation = m.vm.mmu->generation;
	guest_page_freed = check_told;
	r.mmu = m.vm.mmu;
	ram_release_add(&r, GPA(PAGE + 3 * PAGE_SIZE), PAGE_SIZE);
	ram_release_add(&r, GPA(PAGE), 2 * PAGE_SIZE);
	assert_int_equal(ram_release_all(&r), 3 * PAGE_SIZE);
	guest_page_freed = NULL;
	assert_int_equal(narrowings, 2);
	assert_false(is_cached(&m.v, VA + PAGE_SIZE));
	assert_false(is_cached(&other, VA + PAGE_SIZE));
	m.vm.shared = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_mapping_goes_on_all_cpus),
	};

	arena_open();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
