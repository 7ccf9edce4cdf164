/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam of the shadow MMU: guest memory as it is mapped, the roots that the processor runs with,
 * and what the guest's loads of CR3, INVLPG and changes of CR0, CR4 and EFER mean for it.
 *
 *   4-level guest    root: the page of (CR3, level 4)
 *   PAE              root: pae_root, four entries -> the pages of the PDPTEs' directories
 *   32-bit           root: pae_root -> the four quarters of the page directory
 *   paging off       root: pae_root -> four direct pages: linear addresses are guest-physical ones
 *
 * A guest that is not in IA-32e mode thus runs with PAE tables, whatever its own format is.
 */
#include "hv/cpu/cpu.h"
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/mmu/shadow_priv.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"

/* Shadow pages for so many pages of guest memory, and at least. */
#define GUEST_PAGES_PER_PAGE 32
#define NODES_PER_PAGE	     4
#define PAE_ROOT_LIMIT	     (4 * GB)
#define PAE_GFN_SHIFT	     18 /* frames that a directory of 1 GB maps */
#define HFN_LIMIT	     BIT(28)
#define PAT_ALL_WRITE_BACK   (MEMTYPE_WB * 0x0101010101010101ul)

static unsigned host_maxphyaddr;

void shadow_init(unsigned maxphyaddr)
{
	host_maxphyaddr = maxphyaddr;
}

/* ---- roots --------------------------------------------------------------------------------------
 */

static enum shadow_format format_of(const struct walk_regs *r)
{
	if (!(r->cr0 & CR0_PG))
		return FORMAT_NONE;
	if (r->efer & EFER_LMA)
		return FORMAT_4LEVEL;
	return r->cr4 & CR4_PAE ? FORMAT_PAE : FORMAT_32;
}

/* What the guest's registers say of where page directory i is; false: there is none. */
static bool directory(const struct shadow *s, unsigned i, u64 *gfn, struct shadow_role *role)
{
	*role = (struct shadow_role){ .level = 2 };
	if (s->cfg.strategy == SHADOW_VTLB) {
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
	struct shadow_role role = { .level = 4, .direct = s->cfg.strategy == SHADOW_VTLB };
	u64 gfn = (s->regs.cr3 & GENMASK(s->regs.maxphyaddr - 1, 12)) >> PAGE_SHIFT;
	struct spage *p;

	if (s->format != FORMAT_4LEVEL)
		return load_pae_roots(s);
	memset(s->pd, 0, sizeof(s->pd));
	p = page_get(s, role.direct ? 0 : gfn, role);
	s->root = p ? (u32)(p - s->page) : 0;
	return p != NULL;
}

static hpa_t root_address(const struct shadow *s)
{
	return hva_to_hpa(s->root ? s->page[s->root].table : s->pae_root);
}

/* Makes the root that the registers name the one that the processor walks. */
static void activate(struct shadow *s, struct vcpu *v)
{
	s->epoch++;
	s->reload = false;
	if (!load_root(s)) {
		vcpu_crash(v, "the page-table root at 0x%lx lies outside its memory", s->regs.cr3);
		return;
	}
	v->ops->set_root(v, root_address(s));
}

void shadow_settle(struct shadow *s, struct vcpu *v)
{
	while (s->reload)
		activate(s, v);
	if (!s->flush)
		return;
	s->flush = s->stale = false;
	s->stats.flushes++;
	v->ops->flush_tlb(v, TLB_ALL, GVA(0));
}

/* What the tests ask for: nothing may differ now. */
static void after_flush(struct shadow *s, struct vcpu *v)
{
	unsigned found;

	if (likely(!s->cfg.audit))
		return;
	s->stats.audits++;
	found = shadow_audit(s);
	if (found)
		vcpu_crash(v, "the audit of its shadow tables found %u mistakes", found);
}

static void shadow_set_cr3(struct vcpu *v, u64 cr3)
{
	struct shadow *s = shadow_of(v->vm->mmu);

	s->stats.cr3_loads++;
	s->regs.cr3 = cr3;
	memcpy(s->regs.pdpte, v->pdpte, sizeof(s->regs.pdpte));
	if (s->cfg.strategy == SHADOW_VTLB)
		page_zap_all(s);
	unsync_sync_all(s);
	activate(s, v);
	if (!s->flush)
		v->ops->flush_tlb(v, TLB_NON_GLOBAL, GVA(0));
	shadow_settle(s, v);
	after_flush(s, v);
}

/* The virtual TLB forgets one address; its upper entries allow everything and mean nothing. */
static void vtlb_invlpg(struct shadow *s, u64 gva)
{
	struct spage *p = &s->page[s->root ? s->root : s->pd[(gva >> 30) & 3]];
	unsigned index;

	for (;; p = &s->page[p->target[index]]) {
		index = (gva >> (PAGE_SHIFT + SHADOW_SHIFT * (p->role.level - 1u))) &
			(SHADOW_ENTRIES - 1);
		if (p->role.level == 1 || !spte_live(p->table[index]))
			break;
	}
	shadow_set(s, id_of(s, p, index), s->trap, 0);
}

static void shadow_invlpg(struct vcpu *v, gva_t gva)
{
	struct shadow *s = shadow_of(v->vm->mmu);

	s->stats.invlpgs++;
	if (s->cfg.strategy == SHADOW_VTLB)
		vtlb_invlpg(s, gva.v);
	else if (s->unsyncs)
		unsync_invlpg(s, gva.v);
	v->ops->flush_tlb(v, TLB_ADDRESS, gva);
	shadow_settle(s, v);
}

/* The processor keeps our PAT, which has every type; with paging off the guest has but write-back.
 */
static void read_pat(struct shadow *s, u64 pat)
{
	u8 ours[PAT_ENTRIES];

	s->pat = pat;
	pat_translate(s->format == FORMAT_NONE ? PAT_ALL_WRITE_BACK : pat, PAT_ALL_TYPES, ours);
	for (unsigned i = 0; i < PAT_ENTRIES; i++)
		s->pat_flags[i] = (ours[i] & 3u) * SPTE_PWT | (ours[i] / 4u) * SPTE_PAT;
}

/* Reserved bits of the guest's entries follow from its format, and change with it. */
static void read_registers(struct shadow *s, struct vcpu *v)
{
	struct walk_regs *r = &s->regs;

	r->cr0 = v->ops->get(v, VREG_CR0);
	r->cr3 = v->ops->get(v, VREG_CR3);
	r->cr4 = v->ops->get(v, VREG_CR4);
	r->efer = v->ops->get(v, VREG_EFER);
	r->maxphyaddr = cpuid_maxphyaddr(v->cpuid);
	r->page1gb = cpuid_page1gb(v->cpuid);
	memcpy(r->pdpte, v->pdpte, sizeof(r->pdpte));
	s->format = format_of(r);
	read_pat(s, v->ops->get(v, VREG_PAT));
	for (unsigned level = 1; s->format != FORMAT_NONE && level <= 4; level++) {
		s->rsvd[level][0] = walk_reserved_bits(r, 0, level);
		s->rsvd[level][1] = walk_reserved_bits(r, GPTE_PS, level);
	}
}

static void shadow_paging_changed(struct vcpu *v)
{
	struct shadow *s = shadow_of(v->vm->mmu);
	struct walk_regs old = s->regs;
	enum shadow_format format = s->format;
	u64 pat = s->pat;

	read_registers(s, v);
	/* What decides how tables are read: nothing that was derived holds any more. */
	if (format != s->format || ((old.cr4 ^ s->regs.cr4) & CR4_PSE) ||
		((old.efer ^ s->regs.efer) & EFER_NXE) || pat != s->pat ||
		s->cfg.strategy == SHADOW_VTLB)
		page_zap_all(s);
	unsync_sync_all(s);
	activate(s, v);
	s->flush = true;
	shadow_settle(s, v);
	after_flush(s, v);
}

static void shadow_give_up(struct vcpu *v, const struct mmu_fault *f)
{
	struct shadow *s = shadow_of(v->vm->mmu);

	page_unshadow(s, f->gpa.v >> PAGE_SHIFT);
	shadow_settle(s, v);
}

/* ---- guest memory -------------------------------------------------------------------------------
 */

static void shadow_flush(struct mmu *mmu);

static struct frame *frame_at(struct shadow *s, u64 gfn)
{
	for (unsigned i = 0; i < s->ranges; i++)
		if (gfn - s->range[i].first < s->range[i].count)
			return &s->range[i].frame[gfn - s->range[i].first];
	return NULL;
}

/* No entry leads to the frame any more, whatever it allows. */
static void forget_frames(struct shadow *s, u64 first, u64 count)
{
	for (u32 n = 1; n < s->fresh; n++) {
		struct spage *p = &s->page[n];

		if (!p->in_use || p->role.level != 1)
			continue;
		for (unsigned i = 0; p->live && i < SHADOW_ENTRIES; i++)
			if (spte_live(p->table[i]) && p->target[i] - first < count)
				shadow_set(s, id_of(s, p, i), s->trap, 0);
	}
	s->flush = true;
}

static enum status shadow_unmap(struct mmu *mmu, gpa_t gpa, u64 len)
{
	struct shadow *s = shadow_of(mmu);
	u64 first = gpa.v >> PAGE_SHIFT, count = len >> PAGE_SHIFT;

	if (!IS_ALIGNED(gpa.v | len, PAGE_SIZE))
		return ERR_INVAL;
	for (u64 gfn = first; gfn - first < count; gfn++) {
		struct frame *f = frame_at(s, gfn);

		if (!f)
			return ERR_RANGE;
		if (f->table)
			page_unshadow(s, gfn);
	}
	forget_frames(s, first, count);
	for (u64 gfn = first; gfn - first < count; gfn++) {
		struct frame *f = frame_at(s, gfn);

		if (f)
			f->mapped = 0;
	}
	mmu->generation++;
	shadow_flush(mmu);
	return OK;
}

static enum status shadow_map(
	struct mmu *mmu, gpa_t gpa, hpa_t hpa, u64 len, unsigned rwx, enum memtype type)
{
	struct shadow *s = shadow_of(mmu);
	u64 gfn = gpa.v >> PAGE_SHIFT, hfn = hpa.v >> PAGE_SHIFT, count = len >> PAGE_SHIFT;

	(void)type; /* the processor combines its MTRRs with the guest's PAT by itself */
	if (!IS_ALIGNED(gpa.v | hpa.v | len, PAGE_SIZE) || !(rwx & MMU_R))
		return ERR_INVAL;
	for (u64 i = 0; i < count; i++) {
		struct frame *f = frame_at(s, gfn + i);

		if (!f || hfn + i >= HFN_LIMIT)
			return ERR_RANGE;
		if (f->mapped && shadow_unmap(mmu, gfn_to_gpa(GFN(gfn + i)), PAGE_SIZE) != OK)
			return ERR_INVAL;
		*f = (struct frame){ .hfn = (u32)(hfn + i) & (HFN_LIMIT - 1),
			.mapped = 1,
			.writable = (rwx & MMU_W) != 0 };
	}
	return OK;
}

struct frame *shadow_map_again(struct shadow *s, u64 gfn)
{
	hpa_t hpa;

	if (guest_gpa_to_hpa(s->mem, gfn_to_gpa(GFN(gfn)), &hpa) != OK)
		return NULL;
	if (shadow_map(&s->mmu, gfn_to_gpa(GFN(gfn)), hpa, PAGE_SIZE, MMU_R | MMU_W | MMU_X,
		    MEMTYPE_WB) != OK)
		return NULL;
	return shadow_frame(s, gfn);
}

/* A VM that is being made has no vcpu yet, and nothing cached. */
static void shadow_flush(struct mmu *mmu)
{
	struct shadow *s = shadow_of(mmu);

	s->flush = true;
	if (s->vm->vcpus)
		shadow_settle(s, s->vm->vcpu[0]);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static unsigned order_for(u64 bytes)
{
	unsigned order = 0;

	while (PAGE_SIZE << order < bytes)
		order++;
	return order;
}

static void shadow_destroy(struct mmu *mmu)
{
	struct shadow *s = shadow_of(mmu);

	s->mem->written = NULL;
	pages_destroy(s);
	for (unsigned i = 0; i < s->ranges; i++)
		page_free(s->range[i].frame, s->range[i].order, PAGE_TABLE);
	if (s->pae_root)
		page_free(s->pae_root, PAGE_ORDER_4K, PAGE_TABLE);
	page_free(s, s->order, PAGE_TABLE);
}

static enum status add_ranges(struct shadow *s, const struct guestmem *gm, u64 *guest_pages)
{
	for (unsigned i = 0; i < gm->slots; i++) {
		struct frame_range *r = &s->range[s->ranges];

		r->first = gm->slot[i].base.v >> PAGE_SHIFT;
		r->count = gm->slot[i].size >> PAGE_SHIFT;
		r->order = order_for(r->count * sizeof(struct frame));
		if (r->order > PAGE_ORDER_MAX)
			return ERR_NOMEM;
		r->frame = page_alloc(r->order, PAGE_TABLE);
		if (!r->frame)
			return ERR_NOMEM;
		*guest_pages += r->count;
		s->ranges++;
	}
	return OK;
}

static enum status shadow_create(struct vm *vm, struct mmu **out)
{
	unsigned order = order_for(sizeof(struct shadow));
	struct shadow *s = page_alloc(order, PAGE_TABLE);
	u64 guest_pages = 0;
	enum status st;

	if (!s)
		return ERR_NOMEM;
	s->order = order;
	s->mmu.ops = &shadow_mmu_ops;
	s->vm = vm;
	s->mem = &vm->mem;
	s->cfg = vm->cfg.shadow;
	s->trap = host_maxphyaddr < 52 ? SPTE_TRAP : 0;
	st = add_ranges(s, &vm->mem, &guest_pages);
	s->pages = s->cfg.pages ? s->cfg.pages : (unsigned)(guest_pages / GUEST_PAGES_PER_PAGE);
	s->pages = ALIGN_UP(MAX(s->pages, SHADOW_PAGES_MIN), 2u);
	s->nodes = s->pages * NODES_PER_PAGE;
	s->pae_root = page_alloc(PAGE_ORDER_4K, PAGE_TABLE);
	if (st == OK)
		st = pages_init(s);
	/* CR3 holds 32 bits of it outside IA-32e mode. */
	if (st == OK && (!s->pae_root || hva_to_hpa(s->pae_root).v >= PAE_ROOT_LIMIT))
		st = ERR_NOMEM;
	if (st != OK) {
		shadow_destroy(&s->mmu);
		return st;
	}
	s->mem->written = shadow_written;
	s->mem->written_ctx = s;
	*out = &s->mmu;
	return OK;
}

static void shadow_view(struct vcpu *v, struct mmu_view *out)
{
	struct shadow *s = shadow_of(v->vm->mmu);
	bool filter = (s->cfg.fast & SHADOW_FILTER) && s->trap && s->cfg.strategy != SHADOW_VTLB;

	*out = (struct mmu_view){ .trap_paging = true,
		.fault_mask = filter ? PF_P : 0,
		.fault_match = filter ? PF_P : 0 };
}

static void shadow_describe(struct mmu *mmu, gpa_t gpa)
{
	struct shadow *s = shadow_of(mmu);
	const struct frame *f = frame_at(s, gpa.v >> PAGE_SHIFT);

	if (!f || !f->mapped)
		log_info("shadow: vm%u: gpa %#lx is not memory", s->vm->id, gpa.v);
	else
		log_info("shadow: vm%u: gpa %#lx is frame %#lx%s%s%s", s->vm->id, gpa.v,
			(u64)f->hfn << PAGE_SHIFT, f->writable ? "" : ", read-only",
			f->table ? ", a page table" : "", f->unsync ? " out of sync" : "");
}

static void shadow_report(struct mmu *mmu)
{
	const struct shadow_stats *t = &shadow_of(mmu)->stats;

	log_machine("@shadow {\"vm\":\"%s\",\"faults\":%lu,\"guest_faults\":%lu,\"fills\":%lu,"
		    "\"prefetched\":%lu,\"device\":%lu,\"emulated\":%lu,\"wp_emulated\":%lu,"
		    "\"table_writes\":%lu,\"unsyncs\":%lu,\"resyncs\":%lu,\"resync_clean\":%lu,"
		    "\"unshadows\":%lu,\"cr3_loads\":%lu,\"invlpgs\":%lu,\"flushes\":%lu,"
		    "\"created\":%lu,\"reclaimed\":%lu,\"audits\":%lu,\"pages\":%u,\"pool\":%u}",
		shadow_of(mmu)->vm->cfg.name, t->faults, t->guest_faults, t->fills, t->prefetched,
		t->device, t->emulated, t->wp_emulated, t->table_writes, t->unsyncs, t->resyncs,
		t->resync_clean, t->unshadows, t->cr3_loads, t->invlpgs, t->flushes, t->created,
		t->reclaimed, t->audits, shadow_of(mmu)->in_use, shadow_of(mmu)->pages);
}

const struct mmu_ops shadow_mmu_ops = {
	.name = "shadow",
	.create = shadow_create,
	.destroy = shadow_destroy,
	.map = shadow_map,
	.unmap = shadow_unmap,
	.fault = shadow_fault,
	.give_up = shadow_give_up,
	.set_cr3 = shadow_set_cr3,
	.invlpg = shadow_invlpg,
	.paging_changed = shadow_paging_changed,
	.flush = shadow_flush,
	.view = shadow_view,
	.describe = shadow_describe,
	.report = shadow_report,
};
