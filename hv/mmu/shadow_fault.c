/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults under shadow paging. The guest's own tables are walked, which sets its accessed and
 * dirty flags; then the fault is one of
 *
 *   the guest's own             goes back to it, with the error code of the walk
 *   a device, or ROM written    the instruction is emulated
 *   a write to a table in sync  emulated, and the shadow follows; or the table goes out of sync, or
 *                               is not shadowed any more
 *   nothing of these            the shadow was behind: its entries on the path are filled in
 */
#include "hv/cpu/regs.h"
#include "hv/ctl/log.h"
#include "hv/mmu/shadow_priv.h"
#include "hv/vm/vm.h"

/* Entries filled at a time, around the one that faulted: one cache line of the guest's. */
#define PREFETCH	 8u
/* Trapped writes to present entries of a leaf table before it goes out of sync. */
#define WRITES_TO_UNSYNC 3
/* Trapped writes to an upper table, with no walk through it in between, before it is taken for
 * data. */
#define WRITES_TO_DATA	 24
/* Roles that one frame can have: 32-bit paging, four as a directory and two as a table. */
#define PAGES_PER_FRAME	 8u
/* What no table is written with: a copy, or a page being cleared. */
#define WRITE_MAX	 16

static unsigned index_at(u64 gva, unsigned level)
{
	return (gva >> (PAGE_SHIFT + SHADOW_SHIFT * (level - 1))) & (SHADOW_ENTRIES - 1);
}

/* ---- filling ------------------------------------------------------------------------------------
 */

/* The page that a walk starts in. */
static struct spage *top(struct shadow *s, u64 gva)
{
	struct spage *p = &s->page[s->root ? s->root : s->pd[(gva >> 30) & 3]];

	p->used = s->epoch;
	p->writes = 0;
	return p;
}

/*
 * The page below entry `index` of p, made if need be, and linked with what the guest allows. False:
 * no page can be had. *below is NULL where the guest has changed the entry since the walk.
 */
static bool descend(
	struct shadow *s, struct spage *p, unsigned index, u64 gva, struct spage **below)
{
	unsigned level = p->role.level;
	struct shadow_role role = p->role;
	struct spage *child;
	u64 g = SPTE_W | SPTE_U, gfn;

	*below = NULL;
	if (s->cfg.strategy == SHADOW_VTLB) {
		role.level--;
		gfn = gva >> (PAGE_SHIFT + SHADOW_SHIFT * (level - 1));
	} else if (p->role.direct) {
		role.level--;
		gfn = p->gfn + ((u64)index << (SHADOW_SHIFT * (level - 1)));
	} else {
		const void *table = shadow_table(s, p->gfn);

		g = table ? shadow_guest_entry(s, p, table, index) : 0;
		if (!shadow_entry_usable(s, g, level))
			return true;
		gfn = shadow_child(s, g, level, index, &role);
	}
	child = page_get(s, gfn, role);
	if (!child)
		return false;
	page_set_and_reap(s, p, index, shadow_link(s, g, role.direct && !p->role.direct, child),
		(u32)(child - s->page));
	*below = child;
	return true;
}

/* The entry that faulted, and the others of its line. */
static void fill_leaf(struct shadow *s, struct spage *p, unsigned index)
{
	const void *table = p->role.direct ? NULL : shadow_table(s, p->gfn);
	unsigned first = index & ~(PREFETCH - 1);

	if (!table && !p->role.direct)
		return;
	shadow_refresh(s, p, table, index);
	if (!(s->cfg.fast & SHADOW_PREFETCH))
		return;
	for (unsigned i = first; i < first + PREFETCH; i++)
		if (p->table[i] == s->trap) {
			shadow_refresh(s, p, table, i);
			s->stats.prefetched += spte_live(p->table[i]);
		}
}

/* A virtual TLB holds what the walk yielded, all permissions in the leaf. */
static void fill_vtlb(struct shadow *s, struct spage *p, unsigned index, const struct walk *w)
{
	const struct frame *f = shadow_frame(s, w->gpa.v >> PAGE_SHIFT);
	u64 g = w->level ? w->step[w->level].entry : SPTE_W | SPTE_D;
	u64 e = (u64)f->hfn << PAGE_SHIFT | SPTE_P | SPTE_A, type = g & (SPTE_PWT | SPTE_PCD);

	if (w->level > 1 ? g & GPTE_LARGE_PAT : w->level && (g & SPTE_PAT))
		type |= SPTE_PAT;
	e |= shadow_type(s, type);
	if (w->user)
		e |= SPTE_U;
	if (!w->executable)
		e |= SPTE_NX;
	if (w->writable && (g & SPTE_D) && f->writable)
		e |= SPTE_W | SPTE_D;
	shadow_set(s, id_of(s, p, index), e, (u32)(w->gpa.v >> PAGE_SHIFT));
}

/* False: no page can be had. */
static bool fill(struct shadow *s, u64 gva, const struct walk *w)
{
	struct spage *p = top(s, gva);

	while (p && p->role.level > 1)
		if (!descend(s, p, index_at(gva, p->role.level), gva, &p))
			return false;
	if (!p)
		return true; /* the access faults again, and finds what is there now */
	if (s->cfg.strategy == SHADOW_VTLB)
		fill_vtlb(s, p, index_at(gva, 1), w);
	else
		fill_leaf(s, p, index_at(gva, 1));
	s->stats.fills++;
	return true;
}

/* ---- writes to tables ---------------------------------------------------------------------------
 */

static bool only_leaf_tables(struct shadow *s, u64 gfn)
{
	unsigned pages = 0;

	for (u32 n = page_first(s, gfn); n; n = page_next(s, n), pages++)
		if (s->page[n].role.level != 1 || pages == SHADOW_UNSYNC_MAX)
			return false;
	return true;
}

/* Counts the write, if it is to change an entry that is present: bulk work, and no page added. */
static unsigned count_write(struct shadow *s, gpa_t gpa)
{
	unsigned most = 0;
	u64 g = 0;

	if (guest_read(s->mem, GPA(ALIGN_DOWN(gpa.v, sizeof(g))), &g, sizeof(g)) != OK)
		return 0;
	for (u32 n = page_first(s, gpa.v >> PAGE_SHIFT); n; n = page_next(s, n)) {
		struct spage *p = &s->page[n];

		if (p->writes_at != (u32)s->stats.cr3_loads)
			p->writes = 0;
		p->writes_at = (u32)s->stats.cr3_loads;
		if ((g & SPTE_P) && p->writes < UINT8_MAX)
			p->writes++;
		most = MAX(most, (unsigned)p->writes);
	}
	return most;
}

/* True: the write may go ahead, and the fault is filled in; false: it is to be emulated. */
static bool give_way(struct shadow *s, struct vcpu *v, gpa_t gpa)
{
	unsigned writes = count_write(s, gpa);
	u64 gfn = gpa.v >> PAGE_SHIFT;

	if (s->cfg.strategy == SHADOW_OOS && writes >= WRITES_TO_UNSYNC &&
		only_leaf_tables(s, gfn)) {
		unsync_start(s, gfn);
		return true;
	}
	/* An event that is delivered cannot be emulated: what it pushes to is no table, or not for
	 * long. */
	if (writes >= WRITES_TO_DATA || (v->work & WORK_EVENT)) {
		page_unshadow(s, gfn);
		return true;
	}
	return false;
}

/* Entries of page p that stand for the guest's bytes [from, to) of its table. */
static void follow(struct shadow *s, struct spage *p, unsigned from, unsigned to)
{
	unsigned size = s->format == FORMAT_32 ? 4 : 8, shift = 0, base;
	const void *table = shadow_table(s, p->gfn);
	u32 target;
	u64 e;

	if (s->format == FORMAT_32 && p->role.level == 2)
		shift = 1;
	base = p->role.quadrant * SHADOW_ENTRIES;
	for (unsigned g = from / size; table && g <= (to - 1) / size; g++)
		for (unsigned i = g << shift; i < (g + 1) << shift; i++) {
			if (i - base >= SHADOW_ENTRIES)
				continue;
			e = shadow_derive(s, p, table, i - base, &target);
			page_set_and_reap(s, p, i - base, e, target);
		}
}

static void table_written(struct shadow *s, struct frame *f, u64 gfn, unsigned from, unsigned to)
{
	u32 pages[PAGES_PER_FRAME];
	unsigned count = 0;

	if (to - from > WRITE_MAX && !f->unsync) {
		page_unshadow(s, gfn);
		return;
	}
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n)) {
		BUG_ON(count == PAGES_PER_FRAME);
		pages[count++] = n;
	}
	for (unsigned i = 0; i < count; i++) {
		struct spage *p = &s->page[pages[i]];

		if (p->unsync)
			p->dirty = true;
		else if (p->in_use && p->gfn == gfn) /* not reaped by the one before */
			follow(s, p, from, to);
	}
}

void shadow_written(void *ctx, gpa_t gpa, u64 len)
{
	struct shadow *s = ctx;
	u64 end = gpa.v + len;

	for (u64 at = gpa.v, next; at < end; at = next) {
		struct frame *f = shadow_frame(s, at >> PAGE_SHIFT);

		next = MIN((at & PAGE_MASK) + PAGE_SIZE, end);
		if (!f || !f->table)
			continue;
		s->stats.table_writes++;
		s->epoch++;
		table_written(s, f, at >> PAGE_SHIFT, (unsigned)(at & ~PAGE_MASK),
			(unsigned)(next - (at & PAGE_MASK)));
	}
	if (s->reload || s->flush)
		shadow_settle(s, s->vm->vcpu[0]);
}

/* ---- the fault ----------------------------------------------------------------------------------
 */

static unsigned walk_flags(const struct mmu_fault *f, unsigned cpl)
{
	unsigned flags = 0;

	if (f->error & PF_W)
		flags |= WALK_WRITE;
	if (f->error & PF_I)
		flags |= WALK_FETCH;
	if (f->error & PF_U)
		flags |= WALK_USER;
	else if (cpl == 3)
		flags |= WALK_IMPLICIT;
	return flags;
}

/* The walk has succeeded: what keeps the access from going ahead? */
static enum mmu_result resolve(
	struct shadow *s, struct vcpu *v, struct mmu_fault *f, struct walk *w)
{
	struct frame *frame = shadow_frame(s, w->gpa.v >> PAGE_SHIFT);

	if (!frame)
		frame = shadow_map_again(s, w->gpa.v >> PAGE_SHIFT);
	if (!frame || ((f->access & MMU_W) && !frame->writable)) {
		s->stats.device++;
		return MMU_DEVICE;
	}
	if ((f->access & MMU_W) && !w->writable) {
		/* With CR0.WP clear the supervisor may write to it; our tables cannot say so. */
		s->stats.wp_emulated++;
		return MMU_DEVICE;
	}
	if ((f->access & MMU_W) && frame->table && !frame->unsync && !give_way(s, v, w->gpa)) {
		s->stats.emulated++;
		return MMU_TABLE;
	}
	shadow_settle(s, v); /* a table that was given up may have been a root */
	if (!fill(s, f->gva.v, w)) {
		log_err("%s: shadow paging: no page for the tables of 0x%lx", v->vm->cfg.name,
			f->gva.v);
		return MMU_FATAL;
	}
	return MMU_DONE;
}

enum mmu_result shadow_fault(struct vcpu *v, struct mmu_fault *f)
{
	struct shadow *s = shadow_of(v->vm->mmu);
	enum mmu_result res;
	struct segment ss;
	struct walk w;
	unsigned flags;

	s->stats.faults++;
	s->epoch++;
	v->ops->get_segment(v, SEG_SS, &ss);
	s->regs.cpl = (ss.ar & SEG_AR_DPL) >> 5;
	s->regs.rflags = v->ops->get(v, VREG_RFLAGS);
	flags = walk_flags(f, s->regs.cpl);
	f->access = flags & WALK_WRITE ? MMU_W : flags & WALK_FETCH ? MMU_X : MMU_R;
	switch (guest_walk(s->mem, &s->regs, f->gva, flags, &w)) {
	case WALK_OK:
		f->gpa = w.gpa;
		res = resolve(s, v, f, &w);
		break;
	case WALK_FAULT:
		s->stats.guest_faults++;
		f->error = w.error;
		res = MMU_GUEST;
		break;
	default:
		log_err("%s: shadow paging: the guest's page tables lead out of its memory, to "
			"0x%lx",
			v->vm->cfg.name, w.gpa.v);
		res = MMU_FATAL;
	}
	shadow_settle(s, v);
	return res;
}
