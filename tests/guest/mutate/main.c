/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables changed at random, and accesses through them compared with the model
 * (slow: steps=1000000). Sixteen frames serve as tables of all levels and as data at the same time,
 * whatever points to them: tables at two levels at once, tables that map themselves, large pages
 * over tables, tables reached and written through other tables, frames turned into data and back.
 * All that is ever written to them are entries, so that a write through a mapping is one more
 * change.
 *
 * After a change the guest does what the manual's "Invalidation of TLBs and Paging-Structure
 * Caches" asks for and no more: INVLPG for the address before it is used again, or a load of CR3 or
 * a change of CR4.PGE, or nothing where entries only became present. seed=N starts elsewhere.
 */
#include "tests/guest/lib/ring.h"
#include "tests/guest/lib/walk.h"

#define STEPS	     20000
#define BLOCK	     (8 * MB) /* a large page of which the first frames are used */
#define FRAMES	     16u
#define USER_CODE    0x10000000000ul
#define TOP_SLOT     8u /* of the roots: the first of those that change */
#define TOP_SLOTS    4u
#define LOW_SLOTS    8u	  /* entries of the other tables that are used */
#define COMPARE	     64	  /* steps between two comparisons of all frames */
#define MODE_STEPS   256  /* ... between two changes of WP, SMEP, SMAP */
#define GLOBAL_STEPS 1024 /* ... between changes of CR4.PGE */
/* An entry whose first bytes are INT RING_DONE: present, for level 3, PWT, D, PS or PAT, G;
 * frame 4. */
#define CODE_ENTRY   (BLOCK + 0x4000ul + 0x1cd)
static_assert((CODE_ENTRY & 0xffff) == RING_FETCH_CODE, "the code is an entry");

static u64 seed, steps, step;
static u64 *roots[2];
static struct paging_mode mode;
static bool pge;
static bool clean; /* nothing that the processor may have cached has changed since */
static u64 mirror[FRAMES][TABLE_ENTRIES];
static struct {
	u64 accesses, faults, writes, fetches, unflushed, changes;
} count;

static u64 below(u64 n)
{
	return random64(&seed) % n;
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

static u64 *frame(u64 n)
{
	return (u64 *)(BLOCK + n * PAGE_BYTES);
}

static bool in_frames(const void *p)
{
	return (u64)p - BLOCK < FRAMES * PAGE_BYTES;
}

static u64 *mirror_of(const void *p)
{
	return &mirror[0][((u64)p - BLOCK) / sizeof(u64)];
}

/* The registers' slots that do not change: the guest's own memory, and the code for level 3. */
static bool is_root_slot(const u64 *at)
{
	for (unsigned i = 0; i < ARRAY_SIZE(roots); i++)
		if (at >= roots[i] + TOP_SLOT && at < roots[i] + TOP_SLOT + TOP_SLOTS)
			return true;
	return false;
}

/* ---- what to write ---- */

static u64 random_target(bool large)
{
	if (large)
		return chance(80) ? BLOCK : 0;
	if (chance(92))
		return (u64)frame(below(FRAMES));
	if (chance(60))
		return (u64)roots[below(2)];
	return chance(50) ? guest_ram + MB : BLOCK;
}

static u64 random_entry(void)
{
	bool large = chance(12);
	u64 e = random_target(large) | (large ? PTE_PS : 0);

	if (chance(3))
		return 0;
	if (chance(3))
		return CODE_ENTRY;
	e |= (chance(94) ? PTE_P : 0) | (chance(85) ? PTE_W : 0) | (chance(80) ? PTE_U : 0);
	e |= (chance(40) ? PTE_A : 0) | (chance(30) ? PTE_D : 0) | (chance(5) ? PTE_G : 0);
	e |= (chance(5) ? PTE_PWT : 0) | (chance(5) ? PTE_PCD : 0);
	e |= (mode.nxe && chance(8) ? PTE_NX : 0) | (chance(1) ? PTE_RSVD : 0);
	return e;
}

/* Lets a walk go on. */
static u64 good_entry(void)
{
	return (u64)frame(below(FRAMES)) | PTE_P | PTE_W | (chance(75) ? PTE_U : 0) |
	       (chance(50) ? PTE_A : 0) | (chance(30) ? PTE_D : 0);
}

static u64 toggle(u64 e)
{
	static const u64 bits[] = { PTE_P, PTE_W, PTE_U, PTE_A, PTE_D, PTE_PS, PTE_G, PTE_PWT };

	if (mode.nxe && chance(15))
		return e ^ PTE_NX;
	return e ^ bits[below(ARRAY_SIZE(bits))];
}

static u64 random_address(void)
{
	u64 va = (TOP_SLOT + below(TOP_SLOTS)) << 39;

	for (unsigned shift = 30; shift >= 12; shift -= 9)
		va |= below(LOW_SLOTS) << shift;
	return va | below(LOW_SLOTS) * sizeof(u64);
}

/* ---- changes ---- */

/* By an instruction that no emulator of table writes has to know. (The compiler uses no XMM.) */
static void store_sse(volatile u64 *at, u64 value)
{
	__asm__ volatile("movq %1, %%xmm0; movq %%xmm0, %0" : "=m"(*at) : "r"(value));
}

/* As kernels write entries: whole, in halves, by locked instructions. */
static void store(volatile u64 *at, u64 value)
{
	volatile u32 *half = (volatile u32 *)at;
	u64 old = *at;

	switch (below(8)) {
	case 0:
		half[1] = (u32)(value >> 32);
		half[0] = (u32)value;
		break;
	case 1: __asm__ volatile("xchg %0, %1" : "+r"(value), "+m"(*at)); break;
	case 2:
		__asm__ volatile("lock cmpxchg %2, %1" : "+a"(old), "+m"(*at) : "r"(value) : "cc");
		break;
	case 3: __asm__ volatile("lock xor %1, %0" : "+m"(*at) : "r"(old ^ value) : "cc"); break;
	case 4:
		__asm__ volatile("lock and %1, %0" : "+m"(*at) : "r"(value) : "cc");
		__asm__ volatile("or %1, %0" : "+m"(*at) : "r"(value) : "cc");
		break;
	case 5:
		if (in_frames((u64 *)(u64)at)) {
			store_sse(at, value);
			break;
		}
		*at = value;
		break;
	default: *at = value;
	}
}

/* An entry that was present may be cached: so may what a half-written one says in between. */
static void change(u64 *at, u64 value)
{
	clean &= !(*at & PTE_P);
	store(at, value);
	if (in_frames(at))
		*mirror_of(at) = value;
	count.changes++;
}

static u64 *random_slot(void)
{
	if (chance(6))
		return &roots[below(2)][TOP_SLOT + below(TOP_SLOTS)];
	return &frame(below(FRAMES))[below(LOW_SLOTS)];
}

static void change_on_the_way(u64 va)
{
	const struct access a = { 0 };
	struct model_walk w;
	u64 *at;

	model_walk(&mode, &a, va, &w);
	if (w.outside)
		return;
	at = w.step[w.fault && chance(80) ? w.level : w.level + below(5 - w.level)].at;
	if (in_frames(at) || is_root_slot(at))
		change(at, w.fault && chance(80) ? good_entry() : toggle(*at));
}

/* A frame is freed and used for something else. */
static void recycle(void)
{
	u64 *to = frame(below(FRAMES)), *from = frame(below(FRAMES)), n = TABLE_ENTRIES;
	u64 *dst = to, *src = from;

	clean = false;
	count.changes++;
	if (chance(50))
		__asm__ volatile("rep stosq" : "+D"(dst), "+c"(n) : "a"(0ul) : "memory");
	else
		__asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
	memcpy(mirror_of(to), to, PAGE_BYTES);
}

static void mutate(u64 va)
{
	unsigned what = (unsigned)below(100);

	if (what < 60)
		for (u64 n = below(4) + 1; n; n--)
			change_on_the_way(va);
	else if (what < 80)
		change(random_slot(), random_entry());
	else if (what < 85)
		change(random_slot(), 0);
	else if (what < 97)
		change(random_slot(), *random_slot());
	else if (what < 98)
		recycle();
}

/* ---- what the architecture asks for ---- */

static void flush_all(void)
{
	u64 root = (u64)roots[chance(70) ? read_cr3() == (u64)roots[1] : below(2)];

	write_cr3(root);
	if (pge) {
		write_cr4(read_cr4() & ~CR4_PGE);
		write_cr4(read_cr4() | CR4_PGE);
	}
	clean = true;
}

static void set_mode(void)
{
	mode.wp = chance(80);
	mode.smep = has_smep() && chance(50);
	mode.smap = has_smap() && chance(50);
	pge = (step / GLOBAL_STEPS) % 4 == 3;
	write_cr0((read_cr0() & ~CR0_WP) | (mode.wp ? CR0_WP : 0));
	write_cr4((read_cr4() & ~(CR4_SMEP | CR4_SMAP | CR4_PGE)) | (mode.smep ? CR4_SMEP : 0) |
		  (mode.smap ? CR4_SMAP : 0) | (pge ? CR4_PGE : 0));
	flush_all();
}

static void invalidate(u64 va)
{
	if (clean && chance(70)) {
		count.unflushed++;
		return;
	}
	if (chance(2))
		flush_all();
	else
		invlpg(va);
}

/* ---- an access, and what came of it ---- */

static void explain(
	u64 va, const struct access *a, const struct model_walk *w, const struct ring_result *r)
{
	char before[ENTRY_WORDS_MAX], after[ENTRY_WORDS_MAX];

	say("step %lu: %s at level %d of 0x%lx, with%s%s%s%s%s", step,
		a->write   ? "write"
		: a->fetch ? "fetch"
			   : "read",
		a->user ? 3 : 0, va, mode.wp ? " WP" : "", mode.smep ? " SMEP" : "",
		mode.smap ? " SMAP" : "", mode.ac ? " AC" : "", pge ? " PGE" : "");
	for (unsigned l = 4; l >= w->level; l--)
		say("  level %u, at 0x%lx: before %s, after %s", l, (u64)w->step[l].at,
			entry_words(w->step[l].before, before), entry_words(*w->step[l].at, after));
	say("  expected %s 0x%lx, pa 0x%lx; got vector %d, error 0x%lx, CR2 0x%lx, value 0x%lx",
		w->fault ? "fault" : "none", w->error, w->pa, r->vector, r->error, r->cr2,
		r->value);
}

#define expect(cond, what)                                                                         \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			explain(va, a, w, r);                                                      \
			fail("seed 0x%lx: %s", cmdline_number("seed", 1), what);                   \
		}                                                                                  \
	} while (0)

/* Flags of one entry, which the walk may have read at several levels, and which the access itself
 * may have written. */
static void check_step(u64 va, const struct access *a, const struct model_walk *w,
	const struct ring_result *r, unsigned level, u64 value)
{
	const struct model_step *s = &w->step[level];
	u64 must = 0, may = 0, now = *(volatile u64 *)s->at;

	for (unsigned l = 4; l >= w->level; l--)
		if (w->step[l].at == s->at) {
			must |= w->step[l].must;
			may |= w->step[l].may;
		}
	if (a->write && !w->fault && w->pa == (u64)s->at)
		expect(now == value, "the value did not arrive in the entry");
	else
		expect(!((now ^ s->before) & ~may) && !(~now & must), "other flags in an entry");
	if (in_frames(s->at))
		*mirror_of(s->at) = now;
}

static void check_effect(u64 va, const struct access *a, const struct model_walk *w,
	const struct ring_result *r, u64 value)
{
	bool ram = w->pa < guest_ram;

	if (w->fault)
		return;
	if (a->write && ram) {
		expect(*(volatile u64 *)w->pa == value, "the value did not arrive");
		*mirror_of((void *)w->pa) = value;
	} else if (!a->write && !a->fetch) {
		expect(r->value == (ram ? *(volatile u64 *)w->pa : ~0ul), "another value was read");
	}
}

static void check_outcome(u64 va, const struct access *a, const struct model_walk *w,
	const struct ring_result *r, u64 value)
{
	expect(w->fault == (r->vector == VEC_PF), "fault or no fault");
	expect(!w->fault || r->error == w->error, "another error code");
	expect(!w->fault || r->cr2 == va, "another CR2");
	for (unsigned l = 4; l >= w->level; l--)
		check_step(va, a, w, r, l, value);
	check_effect(va, a, w, r, value);
}

/* The walk itself sets flags there. */
static bool is_on_the_way(const struct model_walk *w, u64 pa)
{
	for (unsigned l = 4; l >= w->level; l--)
		if ((u64)w->step[l].at == pa)
			return true;
	return false;
}

/* What cannot be told from a failure is not tried: writes to the guest itself, and fetches of what
 * is no code, or none any more after the walk. */
static void tame(struct access *a, struct model_walk *w, u64 va)
{
	bool ok = w->fault || (a->write && (in_frames((void *)w->pa) || w->pa >= guest_ram)) ||
		  (a->fetch && w->pa < guest_ram && *(u16 *)w->pa == RING_FETCH_CODE &&
			  !is_on_the_way(w, w->pa));

	if (ok || (!a->write && !a->fetch))
		return;
	a->write = a->fetch = false;
	model_walk(&mode, a, va, w);
}

/* Makes it likely that there is code to be fetched. */
static void plant_code(const struct access *a, u64 va)
{
	struct model_walk w;

	model_walk(&mode, a, va, &w);
	if (!w.outside && !w.fault && in_frames((void *)w.pa))
		change((u64 *)w.pa, CODE_ENTRY);
}

static void access(u64 va)
{
	unsigned what = (unsigned)below(3);
	struct access a = { .user = chance(50), .write = what == 1, .fetch = what == 2 };
	u64 value = random_entry();
	struct ring_result r;
	struct model_walk w;

	mode.ac = chance(50);
	if (a.fetch)
		plant_code(&a, va);
	invalidate(va);
	model_walk(&mode, &a, va, &w);
	if (w.outside)
		return;
	tame(&a, &w, va);
	if (a.write && !w.fault && w.pa < guest_ram)
		clean &= !(*(u64 *)w.pa & PTE_P);
	r = ring_try(a.user ? 3 : 0,
		a.write	  ? RING_WRITE
		: a.fetch ? RING_FETCH
			  : RING_READ,
		va, value, mode.ac ? RFLAGS_AC : 0);
	check_outcome(va, &a, &w, &r, value);
	count.accesses++;
	count.faults += w.fault;
	count.writes += a.write && !w.fault;
	count.fetches += a.fetch && !w.fault;
}

/* Nothing was written but what should have been. */
static void compare_all(void)
{
	for (unsigned f = 0; f < FRAMES; f++)
		for (unsigned i = 0; i < TABLE_ENTRIES; i++)
			if (frame(f)[i] != mirror[f][i])
				fail("seed 0x%lx, step %lu: word %u of frame %u is 0x%lx, not "
				     "0x%lx",
					cmdline_number("seed", 1), step, i, f, frame(f)[i],
					mirror[f][i]);
}

static void start(void)
{
	seed = cmdline_number("seed", 1) * 0x9e3779b97f4a7c15ul | 1;
	steps = cmdline_number("steps", STEPS);
	ring_init(USER_CODE);
	write_cr4(read_cr4() | CR4_OSFXSR);
	if (has_nx())
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	mode.nxe = has_nx();
	roots[0] = (u64 *)(read_cr3() & PTE_ADDR);
	roots[1] = new_page();
	memcpy(roots[1], roots[0], PAGE_BYTES);
	for (unsigned f = 0; f < FRAMES; f++)
		for (unsigned i = 0; i < LOW_SLOTS; i++)
			frame(f)[i] = random_entry();
	for (unsigned i = 0; i < TOP_SLOTS; i++)
		roots[0][TOP_SLOT + i] = roots[1][TOP_SLOT + i] = random_entry();
	memcpy(mirror, frame(0), sizeof(mirror));
}

/* Entries become present on the way: no flush is needed. */
static void grow(u64 va)
{
	const struct access a = { 0 };
	struct model_walk w;

	for (unsigned n = 0; n < 4; n++) {
		model_walk(&mode, &a, va, &w);
		if (w.outside || !w.fault || (w.error & PF_P) ||
			!(in_frames(w.step[w.level].at) || is_root_slot(w.step[w.level].at)))
			return;
		change(w.step[w.level].at, good_entry());
	}
}

static void grow_and_access(void)
{
	flush_all();
	for (unsigned n = 0; n < 6; n++) {
		u64 va = random_address();

		grow(va);
		access(va);
	}
}

void test_main(void)
{
	start();
	for (step = 0; step < steps; step++) {
		u64 va = random_address();

		if (step % MODE_STEPS == 0)
			set_mode();
		mutate(va);
		access(chance(85) ? va : random_address());
		if (chance(2))
			grow_and_access();
		if (step % COMPARE == 0)
			compare_all();
	}
	compare_all();
	say("%lu changes, %lu accesses: %lu faults, %lu writes, %lu fetches, %lu without flush",
		count.changes, count.accesses, count.faults, count.writes, count.fetches,
		count.unflushed);
	check(count.accesses > steps / 2 && count.writes > steps / 25 &&
			count.fetches > steps / 50 && count.unflushed > steps / 40,
		"too little was tried");
	pass();
}
