/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The EPT MMU. All RAM is mapped when the VM is created, so that a violation at run time means a
 * device, a page that was dropped on purpose, or a mistake.
 *
 * Invalidation. The processor may keep what it read from these tables, tagged with the EPTP, for
 * as long as it likes, table pages that are out of use included. So whatever changes an entry that
 * was present
 *
 *     changes the tables  ->  mmu.generation++  ->  INVEPT on this CPU  ->  mmu.narrowed()
 *                         ->  frees the tables that are out of use
 *
 * before it returns, hence before this CPU enters the guest again and before anybody can use what
 * was mapped, or a table, for something else. narrowed() is for the other CPUs that the VM runs on,
 * if there are any (hv/mmu/shootdown.h). A mapping that becomes present needs no INVEPT: the
 * processor keeps nothing of what is not.
 */
#include "ept/ept.h"
#include "ept/format.h"
#include "hv/ctl/log.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/mem/mtrr.h"
#include "hv/mmu/shootdown.h"
#include "hv/vm/vm.h"

struct ept {
	struct mmu mmu;
	struct pt pt;
	unsigned vm_id;
	u64 eptp;
	u64 spurious; /* gpa and vcpu of the last violation that nothing explains: one in a row is
			 let pass */
};

static_assert(sizeof(struct ept) <= PAGE_SIZE, "a struct ept lives in a page of its own");

static struct {
	struct ept_caps caps;
	bool invept_single;
	const struct pt_format *format;
	const struct ept_hw *hw;
} cpu;

static const char *const level_names[] = { NULL, "PTE", "PDE", "PDPTE", "PML4E" };
static const char *const page_names[] = { NULL, "4 KB", "2 MB", "1 GB" };

static struct ept *ept_of(struct mmu *mmu)
{
	return container_of(mmu, struct ept, mmu);
}

enum status ept_init(u64 cap, unsigned maxphyaddr, bool large_exec, const struct ept_hw *hw)
{
	static const struct {
		u64 bits;
		const char *what;
	} needed[] = {
		{ EPT_CAP_WALK_4, "page walks of four levels" },
		{ EPT_CAP_WB, "tables in write-back memory" },
		{ EPT_CAP_INVEPT, "INVEPT" },
		{ EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL, "a type of INVEPT" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(needed); i++) {
		if (cap & needed[i].bits)
			continue;
		log_err("ept: this processor's EPT lacks %s", needed[i].what);
		return ERR_NOTSUP;
	}
	cpu.caps = (struct ept_caps){
		.maxphyaddr = maxphyaddr,
		.exec_only = cap & EPT_CAP_EXEC_ONLY,
		.page_2m = cap & EPT_CAP_2M,
		.page_1g = cap & EPT_CAP_1G,
		.ad = cap & EPT_CAP_AD,
	};
	cpu.invept_single = cap & EPT_CAP_INVEPT_SINGLE;
	cpu.format = large_exec ? &pt_ept : &pt_ept_split_exec;
	if (!large_exec)
		log_info("ept: guests execute from 4 KB pages only: the processor does not say "
			 "that it is free of the erratum \"iTLB multihit\"");
	cpu.hw = hw;
	return OK;
}

static void ept_flush(struct mmu *mmu)
{
	if (cpu.invept_single)
		cpu.hw->invept_single(ept_of(mmu)->eptp);
	else
		cpu.hw->invept_all();
}

/* 1 GB needs 2 MB too: a large page must be splittable one level at a time. */
static unsigned max_leaf(void)
{
	if (!cpu.caps.page_2m)
		return 1;
	return cpu.caps.page_1g ? 3 : 2;
}

static enum status ept_create(struct vm *vm, struct mmu **out)
{
	struct ept *ept = page_alloc(PAGE_ORDER_4K, PAGE_TABLE);
	enum status st;

	if (!ept)
		return ERR_NOMEM;
	st = pt_init(&ept->pt, cpu.format, max_leaf(), PAGE_TABLE);
	if (st != OK) {
		page_free(ept, PAGE_ORDER_4K, PAGE_TABLE);
		return st;
	}
	ept->mmu.ops = &ept_mmu_ops;
	ept->vm_id = vm->id;
	ept->eptp = hva_to_hpa(ept->pt.root).v | EPTP_WB | EPTP_WALK_4;
	if (cpu.caps.ad)
		ept->eptp |= EPTP_AD;
	/* Another VM's root may have been in this page. */
	ept_flush(&ept->mmu);
	*out = &ept->mmu;
	return OK;
}

static bool ept_destroy_step(struct mmu *mmu)
{
	struct ept *ept = ept_of(mmu);

	if (ept->pt.root)
		ept_flush(mmu);
	if (!pt_destroy_step(&ept->pt))
		return false;
	page_free(ept, PAGE_ORDER_4K, PAGE_TABLE);
	return true;
}

/* After pt_map() and pt_unmap(), whether they succeeded or not. */
static void invalidate(struct ept *ept, u64 changes_before)
{
	if (ept->pt.changes == changes_before)
		return;
	shootdown_announce(&ept->mmu.generation);
	ept_flush(&ept->mmu);
	if (ept->mmu.narrowed)
		ept->mmu.narrowed(ept->mmu.narrowed_ctx);
	pt_free_retired(&ept->pt);
}

/* gpa bits above the walk's 48 would be dropped, and alias other memory. */
static bool gpa_range_ok(gpa_t gpa, u64 len)
{
	u64 limit = PT_SPAN(pt_ept.levels + 1);

	return gpa.v < limit && len <= limit - gpa.v;
}

static enum status ept_map(
	struct mmu *mmu, gpa_t gpa, hpa_t hpa, u64 len, unsigned rwx, enum memtype type)
{
	struct ept *ept = ept_of(mmu);
	u64 attr = rwx | (u64)type << EPTE_TYPE_SHIFT;
	u64 before = ept->pt.changes;
	u64 limit = BIT(cpu.caps.maxphyaddr);
	enum status st;

	/* What the processor would not take in a page must not get into one. */
	if (!rwx || (attr & ~(EPTE_RWX | EPTE_TYPE)) || ept_explain_misconfig(&cpu.caps, attr, 1))
		return ERR_INVAL;
	if (!gpa_range_ok(gpa, len) || hpa.v >= limit || len > limit - hpa.v)
		return ERR_RANGE;
	st = pt_map(&ept->pt, gpa.v, hpa, len, attr);
	invalidate(ept, before);
	return st;
}

static enum status unmap_range(struct ept *ept, const struct mmu_range *r)
{
	return gpa_range_ok(r->gpa, r->len) ? pt_unmap(&ept->pt, r->gpa.v, r->len) : ERR_RANGE;
}

static enum status ept_unmap(
	struct mmu *mmu, const struct mmu_range *range, unsigned ranges, unsigned *done)
{
	struct ept *ept = ept_of(mmu);
	u64 before = ept->pt.changes;
	enum status st = OK;

	for (*done = 0; *done < ranges; ++*done) {
		st = unmap_range(ept, &range[*done]);
		if (st != OK)
			break;
	}
	invalidate(ept, before);
	return st;
}

static void ept_view(struct vcpu *vcpu, struct mmu_view *out)
{
	*out = (struct mmu_view){ .two_level = true, .root = ept_of(vcpu->vm->mmu)->eptp };
}

/* ---- describing a walk ------------------------------------------------------------------------
 */

static void describe_entry(const struct ept *ept, u64 entry, unsigned level)
{
	const char *broken = ept_explain_misconfig(&cpu.caps, entry, level);
	unsigned type = (unsigned)((entry & EPTE_TYPE) >> EPTE_TYPE_SHIFT);
	char rwx[] = { entry & EPTE_R ? 'r' : '-', entry & EPTE_W ? 'w' : '-',
		entry & EPTE_X	       ? 'x'
		: entry & EPTE_X_IN_4K ? 's' /* once it is split */
				       : '-',
		'\0' };

	if (broken)
		log_info("ept: vm%u:   %s %#018lx %s", ept->vm_id, level_names[level], entry,
			broken);
	else if (!pt_ept.present(entry))
		log_info("ept: vm%u:   %s %#018lx not present", ept->vm_id, level_names[level],
			entry);
	else if (!pt_ept.is_leaf(entry, level))
		log_info("ept: vm%u:   %s %#018lx table at hpa %#lx", ept->vm_id,
			level_names[level], entry, pt_ept.address(entry, level).v);
	else
		log_info("ept: vm%u:   %s %#018lx %s page at hpa %#lx, %s, %s%s%s", ept->vm_id,
			level_names[level], entry, page_names[level],
			pt_ept.address(entry, level).v, rwx, memtype_name(type),
			entry & EPTE_A ? ", accessed" : "", entry & EPTE_D ? ", dirty" : "");
}

static void ept_describe(struct mmu *mmu, gpa_t gpa)
{
	const struct ept *ept = ept_of(mmu);
	u64 trail[PT_LEVELS_MAX + 1];
	struct pt_entry end;

	if (!gpa_range_ok(gpa, 1)) {
		log_info(
			"ept: vm%u: gpa %#lx is beyond the 48 bits of the walk", ept->vm_id, gpa.v);
		return;
	}
	pt_lookup(&ept->pt, gpa.v, &end, trail);
	log_info("ept: vm%u: walk of gpa %#lx, EPTP %#lx:", ept->vm_id, gpa.v, ept->eptp);
	for (unsigned level = pt_ept.levels; level >= end.level; level--)
		describe_entry(ept, trail[level], level);
}

static unsigned ept_walk(struct vcpu *vcpu, gpa_t gpa, gva_t gva, struct mmu_step *step)
{
	const struct ept *ept = ept_of(vcpu->vm->mmu);
	u64 trail[PT_LEVELS_MAX + 1];
	struct pt_entry end;
	unsigned n = 0;

	(void)gva;
	if (!gpa_range_ok(gpa, 1))
		return 0;
	pt_lookup(&ept->pt, gpa.v, &end, trail);
	for (unsigned level = pt_ept.levels; level >= end.level; level--)
		step[n++] = (struct mmu_step){
			.level = level,
			.entry = trail[level],
			.present = pt_ept.present(trail[level]),
			.leaf = pt_ept.is_leaf(trail[level], level),
			.hpa = pt_ept.address(trail[level], level),
			.access = (unsigned)(trail[level] & EPTE_RWX),
		};
	return n;
}

/* ---- violations and misconfigurations ---------------------------------------------------------
 */

static enum mmu_result fatal(struct ept *ept, const struct mmu_fault *f, const char *why)
{
	log_err("ept: vm%u: %s%s%s%s of gpa %#lx%s: %s", ept->vm_id,
		f->access & MMU_R ? "read" : "", f->access & MMU_W ? "write" : "",
		f->access & MMU_X ? "fetch" : "", f->access ? "" : "access", f->gpa.v,
		f->is_walk ? " for the guest's page walk" : "", why);
	ept_describe(&ept->mmu, f->gpa);
	return MMU_FATAL;
}

/* Names the first entry of the walk that the processor cannot take. */
static enum mmu_result misconfigured(struct ept *ept, const struct mmu_fault *f)
{
	u64 trail[PT_LEVELS_MAX + 1];
	struct pt_entry end;
	char text[160];

	pt_lookup(&ept->pt, f->gpa.v, &end, trail);
	for (unsigned level = pt_ept.levels; level >= 1; level--) {
		const char *why = ept_explain_misconfig(&cpu.caps, trail[level], level);

		if (!why)
			continue;
		snprintf(text, sizeof(text), "EPT misconfiguration: the %s %s", level_names[level],
			why);
		return fatal(ept, f, text);
	}
	return fatal(ept, f, "EPT misconfiguration, but no entry of the walk breaks a rule");
}

/*
 * RAM that is not mapped was dropped, or given back: one page of it comes again, or, where there is
 * not even a table for the 2 MB around it, all of these.
 */
static enum mmu_result map_again(struct ept *ept, const struct guestmem *mem,
	const struct mmu_fault *f, hpa_t hpa, unsigned level)
{
	u64 len = GUESTMEM_CHUNK, same_type = len;
	enum memtype type = mtrr_type(HPA(hpa.v & ~(len - 1)), &same_type);
	enum status st;

	if (level == 1 || same_type < len || !guestmem_is_whole(mem, f->gpa)) {
		len = same_type = PAGE_SIZE;
		type = mtrr_type(HPA(hpa.v & PAGE_MASK), &same_type);
	}
	st = ept_map(&ept->mmu, GPA(f->gpa.v & ~(len - 1)), HPA(hpa.v & ~(len - 1)), len,
		MMU_R | MMU_W | MMU_X, type);

	return st == OK ? MMU_DONE : fatal(ept, f, "no memory for the tables to map it again");
}

/* The first fetch from a large page: its pieces may be executed. */
static enum mmu_result split(struct ept *ept, const struct mmu_fault *f, const struct pt_entry *at)
{
	u64 before = ept->pt.changes;
	enum status st = pt_map(&ept->pt, f->gpa.v & PAGE_MASK, HPA(at->pa.v & PAGE_MASK),
		PAGE_SIZE, pt_ept.attr(at->entry));

	invalidate(ept, before);
	return st == OK ? MMU_DONE : fatal(ept, f, "no memory for the tables to split its page");
}

/* Above all bits of an address. */
#define SPURIOUS_VCPU_SHIFT 48

/* The page is there: either the access is not allowed, or the processor knew an older entry; or
 * another vcpu had the same violation, and was first. */
static enum mmu_result fault_present(
	struct ept *ept, unsigned vcpu, const struct mmu_fault *f, const struct pt_entry *at)
{
	u64 entry = at->entry, key = f->gpa.v | (vcpu + 1ul) << SPURIOUS_VCPU_SHIFT;

	if ((f->access & ~entry) == MMU_W && !f->is_walk)
		return MMU_DEVICE; /* a write to read-only memory: for the bus to take or to drop */
	if ((f->access & MMU_X) && (entry & EPTE_X_IN_4K))
		return split(ept, f, at);
	if (f->access & ~entry & EPTE_RWX)
		return fatal(ept, f, "the page does not allow it");
	if (ept->spurious == key)
		return fatal(ept, f, "twice, though the page allows it");
	ept->spurious = key;
	ept_flush(&ept->mmu);
	return MMU_DONE;
}

static enum mmu_result fault_absent(
	struct ept *ept, const struct guestmem *mem, const struct mmu_fault *f, unsigned level)
{
	hpa_t hpa;

	if (guest_gpa_to_hpa(mem, f->gpa, &hpa) == OK)
		return map_again(ept, mem, f, hpa, level);
	if (guest_slot(mem, f->gpa))
		return fatal(
			ept, f, "the page was given back, and there is no memory to have it again");
	if (f->is_walk)
		return fatal(ept, f, "the guest's page tables lead out of its memory");
	if (f->access & MMU_X)
		return fatal(ept, f, "there is no memory to execute");
	return MMU_DEVICE;
}

/* The common case needs no look at our tables: there was nothing where there is no RAM. */
static bool is_device(const struct guestmem *mem, const struct mmu_fault *f)
{
	return !f->allowed && !f->misconfigured && !f->is_walk && !(f->access & MMU_X) &&
	       !guest_slot(mem, f->gpa) && gpa_range_ok(f->gpa, 1);
}

static enum mmu_result ept_fault(struct vcpu *vcpu, struct mmu_fault *f)
{
	struct ept *ept = ept_of(vcpu->vm->mmu);
	struct pt_entry end;

	if (likely(is_device(&vcpu->vm->mem, f))) {
		ept->spurious = 0;
		return MMU_DEVICE;
	}
	if (!gpa_range_ok(f->gpa, 1))
		return fatal(ept, f, "the address is beyond the 48 bits of the walk");
	if (f->misconfigured)
		return misconfigured(ept, f);
	pt_lookup(&ept->pt, f->gpa.v, &end, NULL);
	if (end.present)
		return fault_present(ept, vcpu->index, f, &end);
	ept->spurious = 0;
	return fault_absent(ept, &vcpu->vm->mem, f, end.level);
}

const struct mmu_ops ept_mmu_ops = {
	.name = "ept",
	.create = ept_create,
	.destroy_step = ept_destroy_step,
	.map = ept_map,
	.unmap = ept_unmap,
	.fault = ept_fault,
	.flush = ept_flush,
	.view = ept_view,
	.describe = ept_describe,
	.walk = ept_walk,
};
