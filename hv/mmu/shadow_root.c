/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The roots that the processor runs with.
 *
 *   4-level guest    root: the page of (CR3, level 4)
 *   PAE              root: pae_root, four entries -> the pages of the PDPTEs' directories
 *   32-bit           root: pae_root -> the four quarters of the page directory
 *   paging off       root: pae_root -> four direct pages: linear addresses are guest-physical ones
 *
 * A guest that is not in IA-32e mode thus runs with PAE tables, whatever its own format is.
 *
 * CR3 loads without an exit: a processor that finds the value of a MOV to CR3 among the CR3-target
 * values loads it and goes on. It is the guest's value that it loads, and the processor walks from
 * there in the machine's memory; so the shadow of the guest's table at guest-physical address A is
 * put at the machine's address A, where that page is to be had. It is safe as
 *
 *   - only such roots are among the target values, and a page that is zapped leaves them;
 *   - nothing is out of sync: then a CR3 load asks for nothing but the processor's own flush;
 *   - everything that looks at the root asks the processor first, which one it is (root_find()).
 */
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/mmu/shadow_priv.h"
#include "hv/vm/vm.h"

#define PAE_GFN_SHIFT 18 /* frames that a directory of 1 GB maps */

/* What the guest's registers say of where page directory i is; false: there is none. */
static bool directory(const struct shadow *s, unsigned i, u64 *gfn, struct shadow_role *role)
{
	*role = (struct shadow_role){ .level = 2 };
	if (shadow_is_vtlb(s)) {
		role->direct = true;
		*gfn = i; /* what of the address space it maps, in units of 1 GB */
		return true;
	}
	switch (s->format) {
	case FORMAT_32:
		role->quadrant = (u8)i;
		*gfn = (u32)s->regs.cr3 >> PAGE_SHIFT;
		return true;
	case FORMAT_PAE:
		*gfn = (s->regs.pdpte[i] & GENMASK(51, 12)) >> PAGE_SHIFT;
		return s->regs.pdpte[i] & SPTE_P;
	default:
		role->direct = true;
		*gfn = (u64)i << PAE_GFN_SHIFT;
		return true;
	}
}

static bool load_pae_roots(struct shadow *s)
{
	struct shadow_role role;
	struct spage *p;
	u64 gfn;

	s->root = 0;
	memset(s->pd, 0, sizeof(s->pd));
	for (unsigned i = 0; i < SHADOW_PAE_ENTRIES; i++) {
		s->pae_root[i] = 0;
		if (!directory(s, i, &gfn, &role))
			continue;
		p = page_get(s, gfn, role);
		if (!p)
			return false;
		s->pd[i] = (u32)(p - s->page);
		s->pae_root[i] = hva_to_hpa(p->table).v | SPTE_P;
	}
	return true;
}

static bool load_root(struct shadow *s)
{
	struct shadow_role role = { .level = 4, .direct = shadow_is_vtlb(s) };
	u64 gfn = (s->regs.cr3 & GENMASK(s->regs.maxphyaddr - 1, 12)) >> PAGE_SHIFT;
	struct spage *p;

	if (s->format != FORMAT_4LEVEL)
		return load_pae_roots(s);
	if (s->pd[0])
		memset(s->pd, 0, sizeof(s->pd));
	p = page_get(s, role.direct ? 0 : gfn, role);
	s->root = p ? (u32)(p - s->page) : 0;
	return p != NULL;
}

bool root_is(const struct shadow *s, u32 page)
{
	for (unsigned i = 0; i < SHADOW_PAE_ENTRIES; i++)
		if (s->pd[i] == page)
			return true;
	return s->root == page;
}

/* ---- CR3-target values --------------------------------------------------------------------------
 */

void root_place(struct shadow *s, struct spage *p)
{
	u64 *place;

	if (!(s->cfg.fast & SHADOW_TARGETS) || p->role.direct)
		return;
	/* A frame of the machine by the guest's number for one of its own: on purpose. */
	place = page_alloc_at(HFN(p->gfn), PAGE_TABLE);
	if (place)
		p->table = place;
}

void root_leave(struct shadow *s, struct spage *p)
{
	u32 n = (u32)(p - s->page);

	for (unsigned i = 0; i < s->target.count; i++) {
		if (s->target.page[i] != n)
			continue;
		s->target.count--;
		s->target.cr3[i] = s->target.cr3[s->target.count];
		s->target.page[i] = s->target.page[s->target.count];
		s->target.changed = true;
	}
	if (p->table != p->home) {
		page_free(p->table, PAGE_ORDER_4K, PAGE_TABLE);
		p->table = p->home;
	}
}

void root_forget_targets(struct shadow *s)
{
	s->target.changed |= s->target.count > 0;
	s->target.count = 0;
}

/* The root was loaded by an exit: not the next time, if it can be helped. */
static void add_target(struct shadow *s)
{
	unsigned i;

	if (!s->root || hva_to_hpa(s->page[s->root].table).v != s->regs.cr3)
		return;
	for (i = 0; i < s->target.count; i++)
		if (s->target.page[i] == s->root)
			return;
	if (s->page[s->root].role.direct)
		return; /* of a virtual TLB, there by chance: a load must drop it */
	if (i < SHADOW_TARGETS_MAX)
		s->target.count++;
	else
		i = s->target.hand++ % SHADOW_TARGETS_MAX;
	s->target.cr3[i] = s->regs.cr3;
	s->target.page[i] = s->root;
	s->target.changed = true;
}

void root_find(struct shadow *s, struct vcpu *v)
{
	u64 cr3 = v->ops->get(v, VREG_CR3);

	if (likely(cr3 == s->regs.cr3))
		return;
	for (unsigned i = 0; i < s->target.count; i++)
		if (s->target.cr3[i] == cr3) {
			s->regs.cr3 = cr3;
			s->root = s->target.page[i];
			return;
		}
	BUG("the processor is on root %#lx, which is none of ours", cr3);
}

struct vcpu *vcpu_here(const struct shadow *s)
{
	struct vcpu *v = s->vcpu < s->vm->vcpus ? s->vm->vcpu[s->vcpu] : NULL;

	if (!v || (s->vm->shared && v->sched.cpu != this_cpu()))
		return NULL;
	return v->sched.away ? NULL : v;
}

struct vcpu *root_find_if_here(struct shadow *s)
{
	struct vcpu *v = vcpu_here(s);

	if (v)
		root_find(s, v);
	return v;
}

/* ---- before the guest runs on -------------------------------------------------------------------
 */

void root_activate(struct shadow *s, struct vcpu *v)
{
	s->epoch++;
	s->reload = false;
	if (!load_root(s)) {
		vcpu_crash(v, "the page-table root at 0x%lx lies outside its memory", s->regs.cr3);
		return;
	}
	v->ops->set_root(v, hva_to_hpa(s->root ? s->page[s->root].table : s->pae_root));
	add_target(s);
}

/* What is out of sync decides what the guest may do without an exit. */
static void tell_processor(struct shadow *s, struct vcpu *v)
{
	s->quiet = !s->unsyncs;
	s->target.changed = false;
	v->ops->set_fault_filter(v, s->quiet);
	v->ops->set_cr3_targets(v, s->target.cr3, s->quiet ? s->target.count : 0);
}

void root_settle(struct shadow *s, struct vcpu *v)
{
	if (unlikely(s->obsolete | s->reaped))
		pages_step(s);
	while (s->reload)
		root_activate(s, v);
	if (s->quiet != !s->unsyncs || s->target.changed)
		tell_processor(s, v);
	if (!s->flush)
		return;
	s->flush = s->stale = false;
	s->stats.flushes++;
	v->ops->flush_tlb(v, TLB_ALL, GVA(0));
}
