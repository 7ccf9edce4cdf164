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

/* Trapped writes to a table come one upon the other when no more ticks than this are between. */
#define BURST_TICKS	 3000u
/* So many of them, and a leaf table goes out of sync; */
#define WRITES_TO_UNSYNC 4
/* so many, and what cannot go out of sync is taken for data. */
#define WRITES_TO_DATA	 24
/* Roles that one frame can have: 32-bit paging, four as a directory and two as a table. */
#define PAGES_PER_FRAME	 8u
/* What no table is written with: a copy, or a page being cleared. */
#define WRITE_MAX	 16

/* ---- filling ------------------------------------------------------------------------------------
 */

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

	if (spte_live(p->table[index])) { /* a link is never behind */
		*below = &s->page[p->target[index]];
		(*below)->used = s->epoch;
		return true;
	}
	*below = NULL;
	if (shadow_is_vtlb(s)) {
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
	unsigned first = index & ~(SHADOW_LINE - 1);

	if (!table && !p->role.direct)
		return;
	unsync_refresh(s, p, table, index);
	if (!(s->cfg.fast & SHADOW_PREFETCH))
		return;
	for (unsigned i = first; i < first + SHADOW_LINE; i++)
		if (!spte_live(p->table[i])) {
			unsync_refresh(s, p, table, i);
			s->stats.prefetched += spte_live(p->table[i]);
		}
}

/* False: no page can be had. */
static bool fill(struct shadow *s, const struct mmu_fault *f, const struct walk *w)
{
	u64 gva = f->gva.v;
	struct spage *p = shadow_top(s, gva);

	p->used = s->epoch;
	while (p && p->role.level > 1)
		if (!descend(s, p, shadow_index(gva, p->role.level), gva, &p))
			return false;
	if (!p)
		return true; /* the access faults again, and finds what is there now */
	if (shadow_is_vtlb(s))
		vtlb_fill(s, p, shadow_index(gva, 1), w, f->access);
	else
		fill_leaf(s, p, shadow_index(gva, 1));
	s->stats.fills++;
	return true;
}

/* ---- writes to tables ---------------------------------------------------------------------------
 */

static bool only_leaf_tables(struct shadow *s, u64 gfn)
{
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n))
		if (s->page[n].role.level != 1)
			return false;
	return true;
}

/* Nothing leads to the table: the guest has taken it away, and uses the page for something else. */
static inline bool abandoned(struct shadow *s, u64 gfn)
{
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n))
		if (s->page[n].parents || root_is(s, n))
			return false;
	return true;
}

/* How many trapped writes to this table have come one upon the other, this one included. */
static unsigned count_write(struct shadow *s, const struct vcpu *v, u64 gfn)
{
	if (gfn != s->burst.gfn || v->exit_tsc - s->burst.tsc > BURST_TICKS)
		s->burst.count = 0;
	s->burst.gfn = gfn;
	s->burst.tsc = v->exit_tsc;
	return ++s->burst.count;
}

/* True: the write may go ahead, and the fault is filled in; false: it is to be emulated. */
static bool give_way(struct shadow *s, struct vcpu *v, u64 gfn)
{
	unsigned writes = count_write(s, v, gfn);

	if (s->cfg.strategy == SHADOW_OOS && writes >= WRITES_TO_UNSYNC &&
		only_leaf_tables(s, gfn) && unsync_start(s, gfn))
		return true;
	/* An event that is delivered cannot be emulated: what it pushes to is no table, or not for
	 * long. */
	if (writes >= WRITES_TO_DATA || (v->work & WORK_EVENT) || abandoned(s, gfn)) {
		page_unshadow(s, gfn);
		return true;
	}
	return false;
}

/* Entries of page p that stand for the guest's bytes [from, to) of its table. */
static void follow(struct shadow *s, struct spage *p, unsigned from, unsigned to)
{
	unsigned size_shift = s->format == FORMAT_32 ? 2 : 3;
	/* A 32-bit directory entry has two of ours. */
	unsigned twins = s->format == FORMAT_32 && p->role.level == 2;
	unsigned first = (from >> size_shift) << twins,
		 last = ((to - 1) >> size_shift) << twins | twins;
	unsigned base = p->role.quadrant * SHADOW_ENTRIES;
	const void *table = shadow_table(s, p->gfn);
	u32 target;
	u64 e;

	if (p->role.level > 1)
		root_find_if_here(s); /* a table that falls away may be the root */
	for (unsigned i = first - base; table && i != last - base + 1; i++) {
		if (i >= SHADOW_ENTRIES)
			continue;
		e = shadow_derive(s, p, table, i, &target);
		if (e && p->role.level == 1 && !(s->cfg.fast & SHADOW_INSTALL)) {
			e = s->trap;
			target = 0;
		}
		page_set_and_reap(s, p, i, e, target);
	}
}

/* The usual case: one entry of a page table. */
static bool is_one_leaf(const struct shadow *s, const struct spage *p, unsigned from, unsigned to)
{
	return p->role.level == 1 && s->format != FORMAT_32 && !((from ^ (to - 1)) & ~7u) &&
	       (s->cfg.fast & SHADOW_INSTALL);
}

static void follow_leaf(struct shadow *s, struct spage *p, unsigned index)
{
	const void *table = shadow_table(s, p->gfn);

	if (table)
		shadow_refresh(s, p, table, index);
}

/* A table with several roles: one page's reaping may take another with it. */
static __attribute__((noinline)) void follow_all(
	struct shadow *s, u64 gfn, unsigned from, unsigned to)
{
	u32 pages[PAGES_PER_FRAME];
	unsigned count = 0;

	for (u32 n = page_first(s, gfn); n; n = page_next(s, n)) {
		BUG_ON(count == PAGES_PER_FRAME);
		pages[count++] = n;
	}
	for (unsigned i = 0; i < count; i++) {
		struct spage *p = &s->page[pages[i]];

		if (p->in_use && p->gfn == gfn)
			follow(s, p, from, to);
	}
}

/* Which may be the root that the guest went to without an exit. */
static void overwritten(struct shadow *s, u64 gfn)
{
	root_find_if_here(s);
	page_unshadow(s, gfn);
}

static void table_written(struct shadow *s, u64 gfn, unsigned from, unsigned to)
{
	struct spage *p;
	u32 n;

	if (unlikely(s->obsolete) && page_table_is_past(s, gfn))
		return;
	n = page_first(s, gfn);
	p = &s->page[n];
	s->stats.table_writes++;
	s->epoch++;
	if (to - from > WRITE_MAX)
		overwritten(s, gfn);
	else if (page_next(s, n))
		follow_all(s, gfn, from, to);
	else if (is_one_leaf(s, p, from, to))
		follow_leaf(s, p, from / sizeof(u64));
	else
		follow(s, p, from, to);
}

/* Bytes [from, to) of the frame were written. */
static inline void frame_written(struct shadow *s, u64 gfn, u64 from, u64 to)
{
	const struct frame *f = shadow_frame(s, gfn);

	if (f && frame_in_sync(f))
		table_written(s, gfn, (unsigned)from, (unsigned)to);
}

static __attribute__((noinline)) void frames_written(struct shadow *s, u64 gfn, u64 from, u64 len)
{
	for (; len; gfn++, from = 0) {
		u64 to = MIN(from + len, PAGE_SIZE);

		frame_written(s, gfn, from, to);
		len -= to - from;
	}
}

void shadow_written(void *ctx, gpa_t gpa, u64 len)
{
	struct shadow *s = ctx;
	u64 gfn = gpa.v >> PAGE_SHIFT, from = gpa.v & ~PAGE_MASK;

	if (likely(from + len <= PAGE_SIZE))
		frame_written(s, gfn, from, from + len);
	else
		frames_written(s, gfn, from, len);
	if (unlikely(s->reload || s->flush) && !s->vm->vcpu[0]->sched.away)
		shadow_settle(s, s->vm->vcpu[0]);
}

/* ---- the fault ----------------------------------------------------------------------------------
 */

/*
 * The most frequent fault of all, told from our own tables: a supervisor's write to a table in
 * sync, which the guest's tables allow at all levels, all flags set. Then f->gpa is known too.
 */
static bool is_table_write(struct shadow *s, struct mmu_fault *f)
{
	const struct frame *frame;
	const struct spage *p;
	unsigned index;
	u64 allowed, e;

	if (f->error != (PF_P | PF_W) || shadow_is_vtlb(s))
		return false;
	p = shadow_lookup(s, f->gva.v, &index, &allowed);
	if (!p || !(allowed & SPTE_W))
		return false;
	e = p->table[index];
	if (!spte_live(e) || !(e & SPTE_HELD) || (allowed & e & SPTE_U))
		return false;
	frame = shadow_frame(s, p->target[index]);
	if (unlikely(s->obsolete) && page_table_is_past(s, p->target[index]))
		return false;
	f->gpa = GPA((u64)p->target[index] << PAGE_SHIFT | (f->gva.v & ~PAGE_MASK));
	f->access = MMU_W;
	return frame && frame_in_sync(frame);
}

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

/* Do our tables let a supervisor with RFLAGS.AC set have what it asks for? */
static bool is_filled_in(struct shadow *s, const struct mmu_fault *f)
{
	const struct spage *p;
	unsigned index;
	u64 allowed;

	p = shadow_lookup(s, f->gva.v, &index, &allowed);
	return p && spte_live(p->table[index]) &&
	       (!(f->access & MMU_W) || (allowed & p->table[index] & SPTE_W));
}

/*
 * Is this the fault that the access was to go ahead after, and is what was filled in still there? A
 * flush or a CR3 load in between, which is no fault, may have taken it away. It is asked before the
 * walk, since the flags that this sets are followed too.
 */
static bool comes_again(struct shadow *s, struct vcpu *v, const struct mmu_fault *f)
{
	return s->allowed.faults + 1 == s->stats.faults && s->allowed.gva == f->gva.v &&
	       s->allowed.error == f->error && s->allowed.rip == v->ops->get(v, VREG_RIP) &&
	       is_filled_in(s, f);
}

/*
 * With SMAP on and RFLAGS.AC set, the walk allows a supervisor the user's pages; but not where the
 * processor itself reads a descriptor there, which the error code does not tell. So: the access was
 * to go ahead, and did not.
 */
static bool implicit(struct shadow *s, struct vcpu *v, const struct mmu_fault *f,
	const struct walk *w, bool again)
{
	if (!(s->regs.cr4 & CR4_SMAP) || !w->user || (f->access & MMU_X) || s->regs.cpl == 3 ||
		(f->error & (PF_P | PF_RSVD)) != PF_P)
		return false;
	s->allowed.rip = v->ops->get(v, VREG_RIP);
	s->allowed.gva = f->gva.v;
	s->allowed.error = f->error;
	s->allowed.faults = s->stats.faults;
	return again;
}

/* A table that was given up lies on the path to its own address, and is shadowed again by now: the
 * write is emulated after all. */
static enum mmu_result go_ahead(struct shadow *s, const struct vcpu *v, const struct mmu_fault *f,
	const struct frame *frame)
{
	if (!(f->access & MMU_W) || !frame_in_sync(frame))
		return MMU_DONE;
	if (v->work & WORK_EVENT) {
		log_err("%s: shadow paging: an event is delivered onto a page table in use, at "
			"0x%lx",
			v->vm->cfg.name, f->gpa.v);
		return MMU_FATAL;
	}
	s->burst.count = 0;
	s->stats.emulated++;
	return MMU_TABLE;
}

/* The walk has succeeded: what keeps the access from going ahead? */
static enum mmu_result resolve(
	struct shadow *s, struct vcpu *v, struct mmu_fault *f, struct walk *w, bool again)
{
	struct frame *frame = shadow_frame(s, w->gpa.v >> PAGE_SHIFT);

	if (!frame)
		frame = shadow_map_again(s, w->gpa.v >> PAGE_SHIFT);
	if (!frame || ((f->access & MMU_W) && !frame->writable)) {
		s->stats.device++;
		return MMU_DEVICE;
	}
	/* CR0.WP is off, and RFLAGS.AC on: that this is a user's page must be known to SMAP, and
	 * then an entry cannot allow the supervisor alone to write. An instruction that the
	 * emulator does not know gets one all the same. */
	if ((f->access & MMU_W) && !w->writable && w->user && (s->regs.cr4 & CR4_SMAP) &&
		!s->insist) {
		s->stats.wp_emulated++;
		return MMU_TABLE;
	}
	if (unlikely(s->obsolete))
		(void)page_table_is_past(s, w->gpa.v >> PAGE_SHIFT);
	if ((f->access & MMU_W) && frame_in_sync(frame) &&
		!give_way(s, v, w->gpa.v >> PAGE_SHIFT)) {
		s->stats.emulated++;
		return MMU_TABLE;
	}
	shadow_settle(s, v); /* a table that was given up may have been a root */
	if (implicit(s, v, f, w, again)) {
		f->error |= PF_P;
		return MMU_GUEST;
	}
	if (!fill(s, f, w)) {
		log_err("%s: shadow paging: no page for the tables of 0x%lx", v->vm->cfg.name,
			f->gva.v);
		return MMU_FATAL;
	}
	return go_ahead(s, v, f, frame);
}

/* Any other: the guest's tables are walked. */
static __attribute__((noinline)) enum mmu_result walk_fault(
	struct shadow *s, struct vcpu *v, struct mmu_fault *f)
{
	enum mmu_result res;
	struct segment ss;
	struct walk w;
	unsigned flags;
	bool again;

	v->ops->get_segment(v, SEG_SS, &ss);
	s->regs.cpl = (ss.ar & SEG_AR_DPL) >> 5;
	s->regs.rflags = v->ops->get(v, VREG_RFLAGS);
	flags = walk_flags(f, s->regs.cpl);
	f->access = flags & WALK_WRITE ? MMU_W : flags & WALK_FETCH ? MMU_X : MMU_R;
	again = comes_again(s, v, f);
	switch (guest_walk(s->mem, &s->regs, f->gva, flags, &w)) {
	case WALK_OK:
		f->gpa = w.gpa;
		res = resolve(s, v, f, &w, again);
		break;
	case WALK_FAULT:
		s->stats.guest_faults++;
		f->error = w.error;
		res = MMU_GUEST;
		break;
	case WALK_AGAIN: res = MMU_DONE; break;
	default:
		log_err("%s: shadow paging: the guest's page tables lead out of its memory, to "
			"0x%lx",
			v->vm->cfg.name, w.gpa.v);
		res = MMU_FATAL;
	}
	return res;
}

enum mmu_result shadow_fault(struct vcpu *v, struct mmu_fault *f)
{
	struct shadow *s = shadow_of(v->mmu);
	enum mmu_result res;

	s->stats.faults++;
	s->epoch++;
	root_find(s, v);
	res = is_table_write(s, f) && !give_way(s, v, f->gpa.v >> PAGE_SHIFT) ? MMU_TABLE
									      : MMU_DONE;
	if (likely(res == MMU_TABLE))
		s->stats.emulated++;
	else
		res = walk_fault(s, v, f);
	shadow_settle(s, v);
	return res;
}
