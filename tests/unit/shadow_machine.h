/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for the tests of shadow paging: guest memory and shadow pages in host memory below 2 GB
 * (as physical addresses), and a processor that walks the shadow tables as hardware does, with a
 * TLB and a cache of upper entries that forget nothing unless they are told to.
 */
#ifndef TESTS_UNIT_SHADOW_MACHINE_H
#define TESTS_UNIT_SHADOW_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/ctl/log.h"
#include "hv/mem/page.h"
#include "hv/mmu/ram.h"
#include "hv/mmu/shadow_priv.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"
#include "tests/unit/destroy.h"
#include "tests/unit/host.h"

#define RAM	   (16 * MB)
#define MAXPHYADDR 40u /* of the guest */

static unsigned machine_width = MAXPHYADDR; /* of the machine: from 52 on no bit is reserved */

static bool page1gb = true;

/* ---- pages, at addresses that fit a shadow entry ---- */

#define ARENA_BASE  0x20000000ul
#define ARENA_BYTES (256 * MB)
#define PLACES_BASE 0x10000ul /* below it, a program of Linux has no memory */

/* Guest-physical addresses are places of the machine too; two of three of them are free. */
static bool place_taken[RAM >> PAGE_SHIFT];
static u64 arena_next;
static void *arena_free[PAGE_ORDER_MAX + 1];
static u64 arena_used[PAGE_OWNERS];
static u64 arena_limit = ~0ul; /* pages of PAGE_TABLE, before the arena is "full" */
static u64 arena_frees;	       /* calls of page_free() */
static void (*guest_page_freed)(void *p, unsigned order); /* what a test wants to hear of */

/* Forgets what a test that failed has left. */
static inline void arena_clear(void)
{
	arena_next = ARENA_BASE;
	arena_limit = ~0ul;
	memset(arena_free, 0, sizeof(arena_free));
	memset(arena_used, 0, sizeof(arena_used));
	memset(place_taken, 0, sizeof(place_taken));
}

static inline void arena_open(void)
{
	void *p = mmap((void *)ARENA_BASE, ARENA_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	assert_ptr_equal(p, (void *)ARENA_BASE);
	p = mmap((void *)PLACES_BASE, RAM - PLACES_BASE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
	assert_ptr_equal(p, (void *)PLACES_BASE);
	arena_clear();
}

void *page_alloc(unsigned order, enum page_owner owner)
{
	u64 bytes = PAGE_SIZE << order;
	void *p = arena_free[order];

	if (owner == PAGE_TABLE && arena_used[owner] + BIT(order) > arena_limit)
		return NULL;
	if (p) {
		arena_free[order] = *(void **)p;
	} else {
		u64 at = ALIGN_UP(arena_next, bytes);

		if (at + bytes > ARENA_BASE + ARENA_BYTES)
			return NULL;
		arena_next = at + bytes;
		p = (void *)at;
	}
	memset(p, 0, bytes);
	arena_used[owner] += BIT(order);
	return p;
}

void *page_alloc_at(hfn_t frame, enum page_owner owner)
{
	void *p = (void *)(frame.v << PAGE_SHIFT);

	if (frame.v >= RAM >> PAGE_SHIFT || p < (void *)PLACES_BASE || frame.v % 3 == 0 ||
		place_taken[frame.v])
		return NULL;
	place_taken[frame.v] = true;
	memset(p, 0, PAGE_SIZE);
	arena_used[owner]++;
	return p;
}

/* One of the places that no root can have. */
void *page_alloc_below(unsigned order, hpa_t limit, enum page_owner owner)
{
	u64 frame = DIV_ROUND_UP(PLACES_BASE >> PAGE_SHIFT, 3) * 3;

	assert_true(order == 0 && limit.v >= RAM);
	while (place_taken[frame])
		frame += 3;
	place_taken[frame] = true;
	memset((void *)(frame << PAGE_SHIFT), 0, PAGE_SIZE);
	arena_used[owner]++;
	return (void *)(frame << PAGE_SHIFT);
}

void page_free(void *p, unsigned order, enum page_owner owner)
{
	arena_frees++;
	if ((u64)p < RAM) {
		assert_true(order == 0 && place_taken[(u64)p >> PAGE_SHIFT]);
		place_taken[(u64)p >> PAGE_SHIFT] = false;
		arena_used[owner]--;
		return;
	}
	if (owner == PAGE_GUEST && guest_page_freed)
		guest_page_freed(p, order);
	assert_true(arena_used[owner] >= BIT(order));
	arena_used[owner] -= BIT(order);
	*(void **)p = arena_free[order];
	arena_free[order] = p;
}

/* A block here is the sum of its pages. */
void page_split(void *p, unsigned order, unsigned into, enum page_owner owner)
{
	(void)p, (void)order, (void)into, (void)owner;
}

bool page_join(void *p, unsigned order, enum page_owner owner)
{
	(void)p, (void)order, (void)owner;
	return true;
}

void *page_alloc_upto(unsigned *order, unsigned least, enum page_owner owner)
{
	(void)least;
	return page_alloc(*order, owner);
}

/* ---- what the shadow MMU asks of the rest of the hypervisor ---- */

struct tlb_entry {
	u64 page; /* linear, shifted; ~0: empty */
	u64 e;	  /* the leaf, with the permissions of all levels */
	u64 *at;
};

struct upper_entry {
	u64 region; /* linear, shifted by 21; ~0: empty */
	u64 table;  /* of level 1 */
	bool w, u, nx;
};

#define TLB_SIZE   64u
#define UPPER_SIZE 16u

static struct machine {
	struct vm vm;
	struct vcpu v;
	struct shadow *s;
	u64 reg[VREG_COUNT];
	unsigned cpl;
	hpa_t root;
	struct tlb_entry tlb[TLB_SIZE];
	struct upper_entry upper[UPPER_SIZE];
	unsigned crashes, exits, filtered;
	bool filter;
	u64 target[SHADOW_TARGETS_MAX]; /* CR3-target values */
	unsigned targets, free_loads;
	unsigned flushes;
	bool caches;  /* the processor has a TLB */
	bool give_up; /* the emulator knows no instruction */
	bool loops;   /* all accesses are of one instruction */
} m;

u64 log_lines;

void log_machine(const char *fmt, ...)
{
	(void)fmt;
	log_lines++;
}

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
	va_list ap;

	(void)v;
	va_start(ap, fmt);
	vsnprintf(host_last_log, sizeof(host_last_log), fmt, ap);
	va_end(ap);
	m.crashes++;
}

unsigned cpuid_maxphyaddr(const struct cpuid_table *t)
{
	(void)t;
	return MAXPHYADDR;
}

bool cpuid_page1gb(const struct cpuid_table *t)
{
	(void)t;
	return page1gb;
}

/* Else another's registers are in the processor. */
static void check_here(const struct vcpu *v)
{
	assert_false(v->sched.away);
	assert_true(!v->vm->shared || v->sched.cpu == this_cpu());
}

static u64 mock_get(struct vcpu *v, enum vcpu_reg r)
{
	check_here(v);
	return m.reg[r];
}

static void mock_get_segment(struct vcpu *v, enum seg s, struct segment *out)
{
	(void)v;
	(void)s;
	*out = (struct segment){ .ar = m.cpl << 5 };
}

/* CR3 holds 32 bits outside IA-32e mode: what is to lie there must not come from the arena, which
 * stands for all of memory. */
static void mock_set_root(struct vcpu *v, hpa_t root)
{
	check_here(v);
	assert_true((m.reg[VREG_EFER] & EFER_LMA) || root.v < ARENA_BASE);
	m.root = root;
}

/* As little as the scope says. */
static void mock_flush_tlb(struct vcpu *v, enum tlb_scope scope, gva_t gva)
{
	bool global = m.reg[VREG_CR4] & CR4_PGE;

	check_here(v);
	m.flushes++;
	for (unsigned i = 0; i < TLB_SIZE; i++)
		if (scope == TLB_ALL || (scope == TLB_ADDRESS && m.tlb[i].page == gva.v >> 12) ||
			(scope == TLB_NON_GLOBAL && !(global && (m.tlb[i].e & SPTE_G))))
			m.tlb[i].page = ~0ul;
	for (unsigned i = 0; i < UPPER_SIZE; i++)
		m.upper[i].region = ~0ul;
}

static void mock_set_fault_filter(struct vcpu *v, bool on)
{
	check_here(v);
	m.filter = on;
}

static void mock_set_cr3_targets(struct vcpu *v, const u64 *value, unsigned count)
{
	check_here(v);
	m.targets = count;
	memcpy(m.target, value, count * sizeof(*value));
}

static const struct cpu_ops mock_ops = {
	.name = "mock",
	.get = mock_get,
	.get_segment = mock_get_segment,
	.set_root = mock_set_root,
	.set_fault_filter = mock_set_fault_filter,
	.set_cr3_targets = mock_set_cr3_targets,
	.flush_tlb = mock_flush_tlb,
};

/* ---- guest memory, as the guest's processor sees it physically ---- */

static inline void *physical(u64 gpa)
{
	const void *p = guest_page(&m.vm.mem, GPA(gpa));

	assert_non_null(p);
	return (void *)((u64)p + (gpa & ~PAGE_MASK));
}

/* ---- the processor ---- */

struct attempt {
	bool user, write, fetch;
	bool implicit; /* by the processor itself, to a descriptor table */
	bool at_3;     /* implicit: while at level 3 */
};

enum end {
	END_OK,
	END_FAULT,
	END_DEVICE,
	END_OUTSIDE, /* the guest's tables lead out of its memory */
	END_CRASH,
};

struct outcome {
	enum end end;
	u32 error;
	u64 value; /* read, or what was there before the write */
};

static inline bool guest_exact(void)
{
	return (m.reg[VREG_CR4] & CR4_SMEP) ||
	       ((m.reg[VREG_CR4] & CR4_PAE) && (m.reg[VREG_EFER] & EFER_NXE));
}

/* The machine runs with WP, PAE and NXE on, whatever the guest believes. */
static bool hw_allowed(const struct attempt *t, u64 e)
{
	bool ac = m.reg[VREG_RFLAGS] & RFLAGS_AC;

	if (t->write && !(e & SPTE_W))
		return false;
	if (t->fetch && (e & SPTE_NX))
		return false;
	if (t->user)
		return e & SPTE_U;
	if (t->fetch)
		return !((e & SPTE_U) && (m.reg[VREG_CR4] & CR4_SMEP));
	return !((e & SPTE_U) && (m.reg[VREG_CR4] & CR4_SMAP) && (t->implicit || !ac));
}

static bool is_4level(void)
{
	return (m.reg[VREG_EFER] & EFER_LMA) && (m.reg[VREG_CR0] & CR0_PG);
}

/* Reads one entry of level l; 0: go on, else a fault with that error | PF_P or 0 in *error. */
static bool hw_entry(u64 *at, u32 *error)
{
	u64 e = READ_ONCE(*at);

	if (!(e & SPTE_P)) {
		*error = 0;
		return false;
	}
	if (e & SPTE_RSVD) {
		*error = PF_P | PF_RSVD;
		return false;
	}
	assert_true(e & SPTE_A);
	return true;
}

/* False: a fault, *error without the bits of the access. */
static bool hw_walk(u64 va, const struct attempt *t, struct tlb_entry *out, u32 *error)
{
	struct upper_entry *cached = &m.upper[(va >> 21) % UPPER_SIZE], up;
	unsigned level = is_4level() ? 4 : 2;
	u64 *table = hpa_to_hva(m.root), *at;

	up = (struct upper_entry){ .region = va >> 21, .w = true, .u = true };
	if (!is_4level()) {
		u64 e = table[(va >> 30) & 3];

		if (!(e & SPTE_P)) {
			*error = 0;
			return false;
		}
		table = hpa_to_hva(HPA(e & SPTE_ADDR));
	}
	if (m.caches && cached->region == va >> 21) {
		up = *cached;
		table = (u64 *)up.table;
		level = 1;
	}
	for (; level > 1; level--) {
		at = &table[(va >> (12 + 9 * (level - 1))) & 511];
		if (!hw_entry(at, error))
			return false;
		assert_true(*at & SPTE_LINK);
		up.w &= !!(*at & SPTE_W);
		up.u &= !!(*at & SPTE_U);
		up.nx |= !!(*at & SPTE_NX);
		table = hpa_to_hva(HPA(*at & SPTE_ADDR));
	}
	up.table = (u64)table;
	*cached = up;
	at = &table[(va >> 12) & 511];
	if (!hw_entry(at, error))
		return false;
	*out = (struct tlb_entry){ .page = va >> 12, .at = at, .e = *at };
	out->e &= (up.w ? ~0ul : ~SPTE_W) & (up.u ? ~0ul : ~SPTE_U);
	out->e |= up.nx ? SPTE_NX : 0;
	if (!hw_allowed(t, out->e)) {
		*error = PF_P;
		return false;
	}
	if (t->write)
		*at |= SPTE_D;
	out->e |= *at & SPTE_D;
	return true;
}

/* Translates as the processor does; false: a page fault. */
static bool hw_translate(u64 va, const struct attempt *t, u64 *hpa, u32 *error)
{
	struct tlb_entry *slot = &m.tlb[(va >> 12) % TLB_SIZE], fresh;

	if (m.caches && slot->page == va >> 12 && hw_allowed(t, slot->e) &&
		!(t->write && !(slot->e & SPTE_D))) {
		*hpa = (slot->e & SPTE_ADDR) | (va & ~PAGE_MASK);
		return true;
	}
	if (!hw_walk(va, t, &fresh, error)) {
		/* "The processor may invalidate": a fault drops what it was about. */
		slot->page = slot->page == va >> 12 ? ~0ul : slot->page;
		m.upper[(va >> 21) % UPPER_SIZE].region = ~0ul;
		*error |= (t->write ? PF_W : 0) | (t->user ? PF_U : 0) | (t->fetch ? PF_I : 0);
		return false;
	}
	*slot = fresh;
	*hpa = (fresh.e & SPTE_ADDR) | (va & ~PAGE_MASK);
	return true;
}

/* The guest's frame at that address of the machine; ~0: none. */
static u64 gfn_of_hpa(u64 hpa)
{
	for (unsigned r = 0; r < m.s->ranges; r++)
		for (u64 i = 0; i < m.s->range[r].count; i++)
			if (m.s->range[r].frame[i].mapped &&
				m.s->range[r].frame[i].hfn == hpa >> 12)
				return m.s->range[r].first + i;
	return ~0ul;
}

/* Some shadow follows the table at each write. */
static bool is_in_sync(u64 gfn)
{
	const struct frame *f = shadow_frame(m.s, gfn);

	for (u32 n = f && frame_in_sync(f) ? page_first(m.s, gfn) : 0; n; n = page_next(m.s, n))
		if (!spage_obsolete(m.s, &m.s->page[n]))
			return true;
	return false;
}

/* What the emulator does, once the access is translated. size is 4 or 8. */
static void emulate(const struct attempt *t, u64 gpa, u64 value, unsigned size, struct outcome *o)
{
	o->value = 0;
	assert_int_equal(guest_read(&m.vm.mem, GPA(gpa), &o->value, size), OK);
	if (t->write)
		assert_int_equal(guest_write(&m.vm.mem, GPA(gpa), &value, size), OK);
}

/* One access of the guest, with all the exits that it takes. */
static struct outcome run_access(u64 va, const struct attempt *t, u64 value, unsigned size)
{
	struct outcome o = { 0 };
	struct mmu_view view;
	struct mmu_fault f;
	u64 hpa;
	u32 error;

	m.cpl = t->user || t->at_3 ? 3 : 0;
	m.reg[VREG_RIP] += !m.loops;
	for (unsigned tries = 0; tries < 64; tries++) {
		if (m.crashes)
			return (struct outcome){ .end = END_CRASH };
		if (hw_translate(va, t, &hpa, &error)) {
			if (t->write && is_in_sync(gfn_of_hpa(hpa)))
				fail_msg("a stale translation writes to a table in sync, at 0x%lx",
					va);
			memcpy(&o.value, (void *)hpa, size);
			if (t->write)
				memcpy((void *)hpa, &value, size);
			return o;
		}
		m.vm.mmu->ops->view(&m.v, &view);
		if (m.filter && guest_exact() && (error & view.fault_mask) != view.fault_match) {
			m.filtered++;
			o.end = END_FAULT;
			o.error = error;
			return o;
		}
		m.exits++;
		f = (struct mmu_fault){ .gva = GVA(va), .gva_valid = true, .error = error };
		switch (m.vm.mmu->ops->fault(&m.v, &f)) {
		case MMU_DONE: break;
		case MMU_GUEST:
			o.end = END_FAULT;
			o.error = f.error;
			return o;
		case MMU_TABLE:
			if (!m.give_up) {
				emulate(t, f.gpa.v, value, size, &o);
				return o;
			}
			m.vm.mmu->ops->give_up(&m.v, &f);
			break;
		case MMU_DEVICE:
			o.end = guest_is_ram(&m.vm.mem, f.gpa, size) ? END_OK : END_DEVICE;
			if (o.end == END_OK)
				emulate(t, f.gpa.v, value, size, &o);
			return o;
		default: o.end = END_OUTSIDE; return o;
		}
	}
	fail_msg("the access at 0x%lx never gets on", va);
	return o;
}

/* ---- the guest's registers ---- */

static inline void load_cr3(u64 cr3)
{
	m.reg[VREG_CR3] = cr3;
	for (unsigned i = 0; i < m.targets; i++)
		if (m.target[i] == cr3) {
			m.free_loads++;
			m.root = HPA(cr3);
			mock_flush_tlb(&m.v, TLB_NON_GLOBAL, GVA(0));
			return;
		}
	if ((m.reg[VREG_CR4] & CR4_PAE) && !(m.reg[VREG_EFER] & EFER_LMA))
		memcpy(m.v.pdpte, physical(cr3 & ~31ul), sizeof(m.v.pdpte));
	m.vm.mmu->ops->set_cr3(&m.v, cr3);
}

static inline void set_registers(u64 cr0, u64 cr3, u64 cr4, u64 efer)
{
	m.reg[VREG_CR0] = cr0;
	m.reg[VREG_CR3] = cr3;
	m.reg[VREG_CR4] = cr4;
	m.reg[VREG_EFER] = efer;
	m.reg[VREG_RFLAGS] = RFLAGS_R1;
	m.reg[VREG_PAT] = 0x0007040600070406ul;
	if ((cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA))
		memcpy(m.v.pdpte, physical(cr3 & ~31ul), sizeof(m.v.pdpte));
	m.vm.mmu->ops->paging_changed(&m.v);
}

/* One more in the same arena; what `m` was is elsewhere, or forgotten. */
static inline void machine_add(enum shadow_strategy strategy, unsigned fast, unsigned pages)
{
	memset(&m, 0, sizeof(m));
	shadow_init(machine_width);
	m.caches = m.filter = true;
	m.v.vm = &m.vm;
	m.v.ops = &mock_ops;
	m.vm.cfg.vcpus = 1;
	m.vm.vcpus = 1;
	m.vm.vcpu[0] = &m.v;
	m.vm.cfg.shadow =
		(struct shadow_config){ .strategy = strategy, .fast = fast, .pages = pages };
	mock_flush_tlb(&m.v, TLB_ALL, GVA(0));
	assert_int_equal(guestmem_add(&m.vm.mem, GPA(0), RAM / 2), OK);
	assert_int_equal(guestmem_add(&m.vm.mem, GPA(RAM / 2), RAM / 2), OK);
	assert_int_equal(shadow_mmu_ops.create(&m.vm, &m.vm.mmu), OK);
	m.s = shadow_of(m.vm.mmu);
	m.v.mmu = m.vm.mmu;
	for (u64 gpa = 0; gpa < RAM; gpa += PAGE_SIZE) {
		hpa_t hpa;

		assert_int_equal(guest_gpa_to_hpa(&m.vm.mem, GPA(gpa), &hpa), OK);
		assert_int_equal(m.vm.mmu->ops->map(m.vm.mmu, GPA(gpa), hpa, PAGE_SIZE,
					 MMU_R | MMU_W | MMU_X, MEMTYPE_WB),
			OK);
	}
}

static inline void machine_start(enum shadow_strategy strategy, unsigned fast, unsigned pages)
{
	arena_clear();
	machine_add(strategy, fast, pages);
}

/* Of two machines, the other one. */
static inline void machine_swap(struct machine *other)
{
	struct machine now = m;

	m = *other;
	*other = now;
}

/* Everything is dropped: nothing of what was taken from the pool may be missing. */
static inline void check_no_leak(void)
{
	unsigned nodes = 0, free = 0;

	page_zap_all(m.s);
	while (m.s->obsolete)
		pages_step(m.s);
	assert_int_equal(m.s->in_use, 0);
	assert_int_equal(m.s->unsyncs, 0);
	for (u32 n = m.s->free_node; n; n = m.s->node[n].next)
		nodes++;
	assert_int_equal(nodes, m.s->nodes - 1);
	for (u32 n = m.s->free; n; n = m.s->page[n].next)
		free++;
	assert_int_equal(free, m.s->fresh - 1);
	for (unsigned r = 0; r < m.s->ranges; r++)
		for (u64 i = 0; i < m.s->range[r].count; i++) {
			assert_int_equal(m.s->range[r].frame[i].writers, 0);
			assert_int_equal(m.s->range[r].frame[i].table, 0);
			assert_int_equal(m.s->range[r].frame[i].unsync, 0);
		}
	assert_int_equal(shadow_audit(m.s), 0);
}

static inline void machine_remove(void)
{
	guest_page_freed = NULL;
	check_no_leak();
	mmu_destroy(m.vm.mmu);
	guestmem_destroy(&m.vm.mem);
}

static inline void machine_end(void)
{
	machine_remove();
	assert_int_equal(arena_used[PAGE_TABLE], 0);
	assert_int_equal(arena_used[PAGE_GUEST], 0);
}

#endif
