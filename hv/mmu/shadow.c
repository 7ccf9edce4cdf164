/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam of the shadow MMU: guest memory as it is mapped, and what the guest's loads of CR3,
 * INVLPG and changes of CR0, CR4, EFER and the PAT mean for it.
 */
#include "hv/cpu/cpu.h"
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/mmu/shadow_priv.h"
#include "hv/mmu/shootdown.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"

/* Shadow pages for so many pages of guest memory, and at least. */
#define GUEST_PAGES_PER_PAGE 32
#define NODES_PER_PAGE	     4
/* An instruction faults no more often than this before it gets to a table that was given up. */
#define GIVE_UP_FAULTS	     8
#define GIVE_UP_TIMES	     16
#define PAE_ROOT_LIMIT	     (4 * GB)
#define HFN_LIMIT	     BIT(28)
#define PAT_ALL_WRITE_BACK   (MEMTYPE_WB * 0x0101010101010101ul)

static unsigned host_maxphyaddr;

void shadow_init(unsigned maxphyaddr)
{
	host_maxphyaddr = maxphyaddr;
}

/* ---- what the guest loads and flushes
 * ------------------------------------------------------------
 */

static enum shadow_format format_of(const struct walk_regs *r)
{
	if (!(r->cr0 & CR0_PG))
		return FORMAT_NONE;
	if (r->efer & EFER_LMA)
		return FORMAT_4LEVEL;
	return r->cr4 & CR4_PAE ? FORMAT_PAE : FORMAT_32;
}

static unsigned audit(struct mmu *mmu)
{
	struct shadow *s = shadow_of(mmu);

	s->stats.audits++;
	return shadow_audit(s);
}

static bool audit_is_due(const struct shadow *s, u32 *unaudited)
{
	if (likely(!s->cfg.audit) || ++*unaudited < s->cfg.audit)
		return false;
	*unaudited = 0;
	return true;
}

static void judge(struct vcpu *v, unsigned found)
{
	if (found)
		vcpu_crash(v, "the audit of its shadow tables found %u mistakes", found);
}

/* What the tests ask for: nothing may differ now. */
static void after_flush(struct shadow *s, struct vcpu *v)
{
	if (audit_is_due(s, &s->unaudited.flushes))
		judge(v, audit(&s->mmu));
}

/* One entry of page p was brought up to date: all else is as it was. */
static void after_invlpg(struct shadow *s, struct vcpu *v, const struct spage *p)
{
	if (!audit_is_due(s, &s->unaudited.invlpgs))
		return;
	s->stats.audits++;
	judge(v, shadow_audit_page(s, p));
}

static void shadow_set_cr3(struct vcpu *v, u64 cr3)
{
	struct shadow *s = shadow_of(v->mmu);

	s->stats.cr3_loads++;
	s->regs.cr3 = cr3;
	if (s->format == FORMAT_PAE)
		memcpy(s->regs.pdpte, v->pdpte, sizeof(s->regs.pdpte));
	if (shadow_is_vtlb(s))
		page_zap_all(s);
	unsync_end_all(s);
	root_activate(s, v);
	if (!s->flush)
		v->ops->flush_tlb(v, TLB_NON_GLOBAL, GVA(0));
	shadow_settle(s, v);
	after_flush(s, v);
}

static void shadow_invlpg(struct vcpu *v, gva_t gva)
{
	struct shadow *s = shadow_of(v->mmu);
	const struct spage *p = NULL;

	s->stats.invlpgs++;
	if (shadow_is_vtlb(s) || s->unsyncs) {
		root_find(s, v);
		if (shadow_is_vtlb(s))
			vtlb_invlpg(s, gva.v);
		else
			p = unsync_invlpg(s, gva.v);
	}
	v->ops->flush_tlb(v, TLB_ADDRESS, gva);
	shadow_settle(s, v);
	if (p && p->in_use)
		after_invlpg(s, v, p);
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
	s->gpte_addr = GENMASK(51, 12) & (BIT(r->maxphyaddr) - 1);
	read_pat(s, v->ops->get(v, VREG_PAT));
	for (unsigned level = 1; s->format != FORMAT_NONE && level <= 4; level++) {
		s->rsvd[level][0] = walk_reserved_bits(r, 0, level);
		s->rsvd[level][1] = walk_reserved_bits(r, GPTE_PS, level);
	}
}

static void shadow_paging_changed(struct vcpu *v)
{
	struct shadow *s = shadow_of(v->mmu);
	struct walk_regs old = s->regs;
	enum shadow_format format = s->format;
	bool vtlb = shadow_is_vtlb(s);
	u64 pat = s->pat;

	read_registers(s, v);
	/* What decides how tables are read: nothing that was derived holds any more. */
	if (format != s->format || ((old.cr4 ^ s->regs.cr4) & CR4_PSE) ||
		((old.efer ^ s->regs.efer) & EFER_NXE) || pat != s->pat || vtlb ||
		shadow_is_vtlb(s))
		page_zap_all(s);
	unsync_end_all(s);
	root_activate(s, v);
	s->flush = true;
	shadow_settle(s, v);
	after_flush(s, v);
}

/*
 * An instruction that the emulator does not know writes to a table: it is no longer shadowed, and
 * the instruction may go ahead; unless its own translation goes through that table, which is then
 * shadowed anew before it gets there. Told by its coming back again and again.
 */
static bool gets_nowhere(struct shadow *s, struct vcpu *v, u64 gfn)
{
	u64 rip = v->ops->get(v, VREG_RIP);
	bool again = s->given_up.rip == rip && s->given_up.gfn == gfn &&
		     s->stats.faults - s->given_up.faults <= GIVE_UP_FAULTS &&
		     !memcmp(s->given_up.gpr, v->gpr, sizeof(v->gpr));

	s->given_up.rip = rip;
	s->given_up.gfn = gfn;
	s->given_up.faults = s->stats.faults;
	memcpy(s->given_up.gpr, v->gpr, sizeof(v->gpr));
	s->given_up.times = again ? s->given_up.times + 1 : 0;
	return s->given_up.times == GIVE_UP_TIMES;
}

static void shadow_give_up(struct vcpu *v, const struct mmu_fault *f)
{
	struct shadow *s = shadow_of(v->mmu);
	struct mmu_fault again = *f;

	if (gets_nowhere(s, v, f->gpa.v >> PAGE_SHIFT)) {
		vcpu_crash(v,
			"an instruction that the emulator does not know writes to a page "
			"table in use, at 0x%lx",
			f->gpa.v);
		return;
	}
	root_find(s, v);
	page_unshadow(s, f->gpa.v >> PAGE_SHIFT);
	s->insist = true;
	(void)shadow_fault(v, &again); /* of no avail: the instruction faults once more */
	s->insist = false;
}

/* ---- guest memory -------------------------------------------------------------------------------
 */

static void flush_one(struct shadow *s);

/*
 * Mappings were taken away. The shadows of all vcpus are changed on the spot, under the VM's lock;
 * a vcpu that runs on another CPU is out of the guest when this returns, and flushes before it is
 * in it again (hv/mmu/shootdown.h). What it flushes by is the generation and no flag of its shadow,
 * which is not to be looked at without the lock.
 */
static void narrowed(struct mmu *first)
{
	shootdown_announce(&first->generation);
	if (first->narrowed)
		first->narrowed(first->narrowed_ctx);
}

/*
 * Memory goes, and no entry may lead to it. A frame knows which of them allow writing, and no more:
 * to keep account of those that only read would cost each demand fault something. So they are
 * looked for, once for a whole list of frames; what is in no way like one of them is passed over.
 */
#define SOUGHT_WORDS 64u

struct sought {
	u64 frame[SOUGHT_WORDS];  /* bits, by the number of the frame... */
	u64 region[SOUGHT_WORDS]; /* ...and of the 2 MB it is in; modulo their count */
};

static bool is_sought(const u64 *bits, u64 number)
{
	return bits[number / 64 % SOUGHT_WORDS] >> number % 64 & 1;
}

static void seek(u64 *bits, u64 number)
{
	bits[number / 64 % SOUGHT_WORDS] |= BIT(number % 64);
}

static void forget_in_page(struct shadow *s, struct spage *p, const struct sought *sought)
{
	for_each_known (p, i)
		if (is_sought(sought->frame, p->target[i]) && spte_live(p->table[i]) &&
			!shadow_frame(s, p->target[i]))
			shadow_set(s, id_of(s, p, i), s->trap, 0);
}

/* Pieces of a large page of the guest's are all in its 2 MB; what a virtual TLB has may be
 * anywhere, and be there still, obsolete, when the tables are none any more. */
static bool leads_elsewhere(
	const struct shadow *s, const struct spage *p, const struct sought *sought)
{
	return p->role.direct && !shadow_is_vtlb(s) && !spage_obsolete(s, p) &&
	       !is_sought(sought->region, p->gfn >> SHADOW_SHIFT);
}

static void forget_unmapped(struct shadow *s, const struct sought *sought)
{
	for (u32 n = 1; n < s->fresh; n++) {
		struct spage *p = &s->page[n];

		if (p->in_use && p->role.level == 1 && !leads_elsewhere(s, p, sought))
			forget_in_page(s, p, sought);
	}
	s->flush = true;
}

static enum status unshadow_range(struct shadow *s, const struct mmu_range *r)
{
	u64 gfn = r->gpa.v >> PAGE_SHIFT, end = gfn + (r->len >> PAGE_SHIFT);

	if (!IS_ALIGNED(r->gpa.v | r->len, PAGE_SIZE))
		return ERR_INVAL;
	for (; gfn != end; gfn++) {
		const struct frame *f = shadow_frame_slot(s, gfn);

		if (!f)
			return ERR_RANGE;
		if (f->table)
			page_unshadow(s, gfn);
	}
	return OK;
}

static void withdraw_range(struct shadow *s, const struct mmu_range *r, struct sought *sought)
{
	u64 gfn = r->gpa.v >> PAGE_SHIFT, end = gfn + (r->len >> PAGE_SHIFT);

	for (; gfn != end; gfn++) {
		frame_known(s, gfn)->mapped = 0;
		seek(sought->frame, gfn);
		seek(sought->region, gfn >> SHADOW_SHIFT);
	}
}

/* First the tables, while all that they map is there to hear that they go; then the memory. */
static enum status unmap_one(
	struct shadow *s, const struct mmu_range *range, unsigned ranges, unsigned *done)
{
	struct sought sought = { 0 };
	enum status st = OK;

	root_find_if_here(s); /* a table that goes may be the root */
	for (*done = 0; *done < ranges; ++*done) {
		st = unshadow_range(s, &range[*done]);
		if (st != OK)
			break;
	}
	for (unsigned i = 0; i < *done; i++)
		withdraw_range(s, &range[i], &sought);
	forget_unmapped(s, &sought);
	flush_one(s);
	return st;
}

static enum status shadow_unmap(
	struct mmu *mmu, const struct mmu_range *range, unsigned ranges, unsigned *done)
{
	struct shadow *first = shadow_of(mmu)->first;
	enum status st = OK;

	/* What one of them has, all have: done and status are the same for each. */
	for (struct shadow *s = first; s; s = s->next)
		st = unmap_one(s, range, ranges, done);
	narrowed(&first->mmu);
	return st;
}

/* *taken: something else was mapped there. */
static enum status map_one(
	struct shadow *s, gpa_t gpa, hpa_t hpa, u64 len, unsigned rwx, bool *taken)
{
	u64 gfn = gpa.v >> PAGE_SHIFT, hfn = hpa.v >> PAGE_SHIFT, count = len >> PAGE_SHIFT;
	unsigned done;

	if (!IS_ALIGNED(gpa.v | hpa.v | len, PAGE_SIZE) || !(rwx & MMU_R))
		return ERR_INVAL;
	for (u64 i = 0; i < count; i++) {
		struct frame *f = shadow_frame_slot(s, gfn + i);

		if (!f || hfn + i >= HFN_LIMIT)
			return ERR_RANGE;
		if (f->mapped && f->hfn == hfn + i && f->writable == ((rwx & MMU_W) != 0))
			continue; /* it is there already */
		if (f->mapped) {
			struct mmu_range page = { gfn_to_gpa(GFN(gfn + i)), PAGE_SIZE };

			*taken = true;
			if (unmap_one(s, &page, 1, &done) != OK)
				return ERR_INVAL;
		}
		*f = (struct frame){ .hfn = (u32)(hfn + i) & (HFN_LIMIT - 1),
			.mapped = 1,
			.writable = (rwx & MMU_W) != 0 };
	}
	return OK;
}

static enum status shadow_map(
	struct mmu *mmu, gpa_t gpa, hpa_t hpa, u64 len, unsigned rwx, enum memtype type)
{
	struct shadow *first = shadow_of(mmu)->first;
	enum status st = OK;
	bool taken = false;

	(void)type; /* the processor combines its MTRRs with the guest's PAT by itself */
	for (struct shadow *s = first; s && st == OK; s = s->next)
		st = map_one(s, gpa, hpa, len, rwx, &taken);
	if (taken)
		narrowed(&first->mmu);
	return st;
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

/* What is out of reach is settled when it is within. */
static void flush_one(struct shadow *s)
{
	struct vcpu *v = root_find_if_here(s);

	s->flush = true;
	if (v)
		shadow_settle(s, v);
}

/* On several CPUs: by the generation, before an entry, without the lock. */
static void shadow_flush(struct mmu *mmu)
{
	struct shadow *s = shadow_of(mmu);
	struct vcpu *v;

	if (!s->vm->shared) {
		for (s = s->first; s; s = s->next)
			flush_one(s);
		return;
	}
	v = vcpu_here(s);
	if (v)
		v->ops->flush_tlb(v, TLB_ALL, GVA(0));
}

/* While its registers are out of reach, the root that they have is the one that we know. */
static void shadow_suspend(struct vcpu *v)
{
	root_find(shadow_of(v->mmu), v);
}

/* On several CPUs it waits for the next exit, and the lock; until then the generation tells. */
static void shadow_resume(struct vcpu *v)
{
	if (!v->vm->shared)
		shadow_settle(shadow_of(v->mmu), v);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static bool destroy_one_step(struct shadow *s)
{
	if (!pages_destroy_step(s))
		return false;
	unsync_destroy(s);
	for (unsigned i = 0; i < s->ranges; i++)
		page_free(s->range[i].frame, s->range[i].order, PAGE_TABLE);
	if (s->pae_root)
		page_free(s->pae_root, PAGE_ORDER_4K, PAGE_TABLE);
	page_free(s, s->order, PAGE_TABLE);
	return true;
}

/* The first goes last: it leads to the others. */
static bool shadow_destroy_step(struct mmu *mmu)
{
	struct shadow *first = shadow_of(mmu), *next = first->next, *rest;

	first->mem->written = NULL;
	if (!next)
		return destroy_one_step(first);
	rest = next->next;
	if (destroy_one_step(next))
		first->next = rest;
	return false;
}

static enum status add_ranges(struct shadow *s, const struct guestmem *gm, u64 *guest_pages)
{
	for (unsigned i = 0; i < gm->slots; i++) {
		struct frame_range *r = &s->range[s->ranges];

		r->first = gm->slot[i].base.v >> PAGE_SHIFT;
		r->count = gm->slot[i].size >> PAGE_SHIFT;
		r->order = page_order(r->count * sizeof(struct frame));
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

/* Where vcpus could change a table at the same time, none can be followed at each write: each vcpu
 * has a virtual TLB, of which the guest keeps account as on any machine. */
static struct shadow_config config_of(const struct vm *vm)
{
	struct shadow_config cfg = vm->cfg.shadow;

	if (vm->cfg.vcpus > 1)
		cfg.strategy = SHADOW_VTLB;
	return cfg;
}

static enum status create_one(struct vm *vm, unsigned vcpu, struct shadow **out)
{
	unsigned order = page_order(sizeof(struct shadow));
	struct shadow *s = page_alloc(order, PAGE_TABLE);
	u64 guest_pages = 0;
	enum status st;

	if (!s)
		return ERR_NOMEM;
	s->order = order;
	s->mmu.ops = &shadow_mmu_ops;
	s->vm = vm;
	s->mem = &vm->mem;
	s->first = s;
	s->vcpu = vcpu;
	s->cfg = config_of(vm);
	/* Without the filter every fault exits, and an entry need not say why it is not there. */
	if (host_maxphyaddr >= 52 || s->cfg.strategy == SHADOW_VTLB)
		s->cfg.fast &= ~(unsigned)SHADOW_FILTER;
	s->trap = s->cfg.fast & SHADOW_FILTER ? SPTE_TRAP : 0;
	if (s->cfg.audit)
		s->cfg.fast &= ~(unsigned)SHADOW_TARGETS; /* it wants to see each CR3 load */
	st = add_ranges(s, &vm->mem, &guest_pages);
	s->pages = s->cfg.pages ? s->cfg.pages : (unsigned)(guest_pages / GUEST_PAGES_PER_PAGE);
	s->pages = ALIGN_UP(MAX(s->pages, SHADOW_PAGES_MIN), 2u);
	s->nodes = s->pages * NODES_PER_PAGE;
	/* CR3 holds 32 bits of it outside IA-32e mode. */
	s->pae_root = page_alloc_below(PAGE_ORDER_4K, HPA(PAE_ROOT_LIMIT), PAGE_TABLE);
	if (st == OK)
		st = s->pae_root ? pages_init(s) : ERR_NOMEM;
	while (st != OK && !destroy_one_step(s))
		;
	*out = s;
	return st;
}

static enum status shadow_create(struct vm *vm, struct mmu **out)
{
	struct shadow *s;
	enum status st = create_one(vm, 0, &s);

	if (st != OK)
		return st;
	if (vm->cfg.vcpus == 1) {
		s->mem->written = shadow_written;
		s->mem->written_ctx = s;
	} else if (vm->cfg.shadow.strategy != SHADOW_VTLB) {
		log_info("%s: several vcpus: shadow=vtlb, one for each", vm->cfg.name);
	}
	*out = &s->mmu;
	return OK;
}

/* mmu_ops.add: it maps what the first maps. */
static enum status shadow_add(struct vcpu *v)
{
	struct shadow *first = shadow_of(v->vm->mmu), *s;
	enum status st = create_one(v->vm, v->index, &s);

	if (st != OK)
		return st;
	for (unsigned i = 0; i < first->ranges; i++)
		for (u64 n = 0; n < first->range[i].count; n++) {
			const struct frame *f = &first->range[i].frame[n];

			s->range[i].frame[n] = (struct frame){
				.hfn = f->hfn, .mapped = f->mapped, .writable = f->writable
			};
		}
	s->first = first;
	s->next = first->next;
	first->next = s;
	v->mmu = &s->mmu;
	return OK;
}

static void shadow_view(struct vcpu *v, struct mmu_view *out)
{
	struct shadow *s = shadow_of(v->mmu);

	*out = (struct mmu_view){ .trap_paging = true,
		.fault_mask = s->trap ? PF_P : 0,
		.fault_match = s->trap ? PF_P : 0 };
}

static void shadow_describe(struct mmu *mmu, gpa_t gpa)
{
	struct shadow *s = shadow_of(mmu);
	const struct frame *f = shadow_frame_slot(s, gpa.v >> PAGE_SHIFT);

	if (!f || !f->mapped)
		log_info("shadow: vm%u: gpa %#lx is not memory", s->vm->id, gpa.v);
	else
		log_info("shadow: vm%u: gpa %#lx is frame %#lx%s%s%s", s->vm->id, gpa.v,
			(u64)f->hfn << PAGE_SHIFT, f->writable ? "" : ", read-only",
			f->table ? ", a page table" : "", f->unsync ? " out of sync" : "");
}

static struct mmu_step step_of(u64 entry, unsigned level)
{
	bool present = (entry & SPTE_P) && !(entry & SPTE_RSVD);

	return (struct mmu_step){
		.level = level,
		.entry = entry,
		.present = present,
		.leaf = level == 1,
		.hpa = HPA(entry & SPTE_ADDR),
		.access = MMU_R | (entry & SPTE_W ? MMU_W : 0) | (entry & SPTE_NX ? 0 : MMU_X),
	};
}

/* The root that the processor is on. A vcpu that crashed may have registers that no root is for:
 * then it is the last one. */
static const u64 *root_now(const struct shadow *s, struct vcpu *v)
{
	u64 cr3 = v->ops->get(v, VREG_CR3);

	for (unsigned i = 0; i < s->target.count; i++)
		if (s->target.cr3[i] == cr3)
			return s->page[s->target.page[i]].table;
	return s->root ? s->page[s->root].table : s->pae_root;
}

/* The four entries below a PAE root say neither W nor X. */
static unsigned shadow_walk(struct vcpu *v, gpa_t gpa, gva_t gva, struct mmu_step *step)
{
	struct shadow *s = shadow_of(v->mmu);
	const u64 *table = root_now(s, v);
	unsigned level = s->root ? 4 : 3, n = 0;

	(void)gpa;
	for (; level; level--) {
		u64 index = gva.v >> (PAGE_SHIFT + SHADOW_SHIFT * (level - 1));
		bool pae = !s->root && level == 3;

		index &= pae ? SHADOW_PAE_ENTRIES - 1 : SHADOW_ENTRIES - 1;
		step[n] = step_of(table[index], level);
		if (pae)
			step[n].access = MMU_R | MMU_W | MMU_X;
		if (!step[n++].present)
			break;
		table = hpa_to_hva(step[n - 1].hpa);
	}
	return n;
}

static void report_one(const struct shadow *s)
{
	const struct shadow_stats *t = &s->stats;

	log_machine("@shadow "
		    "{\"vm\":\"%s\",\"vcpu\":%u,\"faults\":%lu,\"guest_faults\":%lu,\"fills\":%lu,"
		    "\"prefetched\":%lu,\"device\":%lu,\"emulated\":%lu,\"wp_emulated\":%lu,"
		    "\"table_writes\":%lu,\"unsyncs\":%lu,"
		    "\"unshadows\":%lu,\"cr3_loads\":%lu,\"invlpgs\":%lu,\"flushes\":%lu,"
		    "\"created\":%lu,\"reclaimed\":%lu,\"audits\":%lu,\"pages\":%u,\"pool\":%u}",
		s->vm->cfg.name, s->vcpu, t->faults, t->guest_faults, t->fills, t->prefetched,
		t->device, t->emulated, t->wp_emulated, t->table_writes, t->unsyncs, t->unshadows,
		t->cr3_loads, t->invlpgs, t->flushes, t->created, t->reclaimed, t->audits,
		s->in_use, s->pages);
}

static void shadow_report(struct mmu *mmu)
{
	for (const struct shadow *s = shadow_of(mmu); s; s = s->next)
		report_one(s);
}

const struct mmu_ops shadow_mmu_ops = {
	.name = "shadow",
	.create = shadow_create,
	.add = shadow_add,
	.destroy_step = shadow_destroy_step,
	.map = shadow_map,
	.unmap = shadow_unmap,
	.fault = shadow_fault,
	.give_up = shadow_give_up,
	.set_cr3 = shadow_set_cr3,
	.invlpg = shadow_invlpg,
	.paging_changed = shadow_paging_changed,
	.flush = shadow_flush,
	.suspend = shadow_suspend,
	.resume = shadow_resume,
	.view = shadow_view,
	.describe = shadow_describe,
	.walk = shadow_walk,
	.report = shadow_report,
	.audit = audit,
};
