/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow paging against the guest's own walk: page tables of all formats are changed at random,
 * with the invalidations that the manual asks for and no more, and each access by a processor that
 * walks the shadow (and has a TLB) must end as the walk of the guest's tables says. As
 * tests/guest/mutate, but for 32-bit and PAE paging too, with each combination of strategy, fast
 * paths and pool, and with the hypervisor's own writes to guest memory in between.
 *
 * In the environment, SHADOW_SEED runs one seed, SHADOW_SEEDS so many, SHADOW_STEPS more steps of
 * each.
 *
 * Sources: hv/mmu/shadow.c hv/mmu/shadow_fault.c hv/mmu/shadow_sync.c hv/mmu/shadow_page.c
 * hv/mmu/shadow_root.c hv/mmu/shadow_vtlb.c hv/mmu/shadow_entry.c hv/mmu/shadow_refs.c
 * hv/mmu/shadow_audit.c hv/mmu/pat.c hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include "tests/unit/shadow_machine.h"

#define BLOCK	    (8 * MB)
#define FRAMES	    16u
#define ROOT	    0x10000ul /* two roots */
#define TABLES	    0x20000ul /* of the identity mapping */
#define SEEDS	    48u
#define STEPS	    3000u
#define MODE_STEPS  200
#define AUDIT_STEPS 16

static u64 seed, step, first_seed;
static enum shadow_format format;
static bool clean;
static struct {
	u64 accesses, faults, writes;
} count;

static u64 below(u64 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static bool chance(unsigned percent)
{
	return below(100) < percent;
}

static unsigned entry_size(void)
{
	return format == FORMAT_32 ? 4 : 8;
}

static u64 get(u64 gpa)
{
	u64 e = 0;

	memcpy(&e, physical(gpa), entry_size());
	return e;
}

static u64 random_frame(void)
{
	return BLOCK + below(FRAMES) * PAGE_SIZE;
}

/* Slots of a table that are used; in 32-bit tables, of both halves. */
static u64 random_slot(void)
{
	if (format == FORMAT_32)
		return below(2) * 512 + below(6);
	return below(8);
}

/* Of the roots: the slots that change. */
static u64 random_top_slot(void)
{
	switch (format) {
	case FORMAT_32: return 512 + below(2) * 256 + below(3);
	case FORMAT_PAE: return 1 + below(3);
	default: return 8 + below(4);
	}
}

static u64 random_target(bool large)
{
	if (large)
		return chance(80) ? BLOCK : chance(50) ? 0 : RAM;
	if (chance(92))
		return random_frame();
	return chance(60) ? ROOT + below(2) * PAGE_SIZE : chance(50) ? RAM + MB : BLOCK;
}

static u64 random_flags(void)
{
	return (chance(94) ? SPTE_P : 0) | (chance(85) ? SPTE_W : 0) | (chance(80) ? SPTE_U : 0) |
	       (chance(50) ? SPTE_A : 0) | (chance(40) ? SPTE_D : 0) | (chance(6) ? SPTE_G : 0) |
	       (chance(5) ? SPTE_PWT : 0) | (chance(5) ? SPTE_PCD : 0);
}

static u64 random_entry(void)
{
	bool large = chance(12);
	u64 e = random_target(large) | (large ? GPTE_PS : 0) | random_flags();

	if (chance(3))
		return 0;
	if (format == FORMAT_32)
		return e ^ (large && chance(10) ? BIT(13 + below(9)) : 0);
	if (m.reg[VREG_EFER] & EFER_NXE)
		e |= chance(8) ? SPTE_NX : 0;
	if (large && chance(10))
		return e | BIT(12 + below(2));
	return e | (chance(1) ? SPTE_RSVD : 0);
}

static u64 good_entry(void)
{
	return random_frame() | SPTE_P | SPTE_W | (chance(75) ? SPTE_U : 0) |
	       (chance(60) ? SPTE_A : 0) | (chance(50) ? SPTE_D : 0);
}

static u64 random_address(void)
{
	u64 va = random_slot() * sizeof(u64) % PAGE_SIZE;

	if (format == FORMAT_32)
		return va | random_top_slot() << 22 | random_slot() << 12;
	if (format == FORMAT_PAE)
		return va | random_top_slot() << 30 | random_slot() << 21 | random_slot() << 12;
	return va | random_top_slot() << 39 | random_slot() << 30 | random_slot() << 21 |
	       random_slot() << 12;
}

/* ---- changes ---- */

static bool may_change(u64 gpa)
{
	return gpa - BLOCK < FRAMES * PAGE_SIZE;
}

/* By the guest, through its own mapping; by the hypervisor, as a device that it emulates would. */
static void store(u64 gpa, u64 value)
{
	const struct attempt t = { .write = true };

	if (chance(10)) {
		assert_int_equal(guest_write(&m.vm.mem, GPA(gpa), &value, entry_size()), OK);
		return;
	}
	if (entry_size() == 8 && chance(10)) {
		assert_int_equal(run_access(gpa + 4, &t, value >> 32, 4).end, END_OK);
		assert_int_equal(run_access(gpa, &t, (u32)value, 4).end, END_OK);
		return;
	}
	m.give_up = format != FORMAT_PAE && may_change(gpa) && chance(2);
	assert_int_equal(run_access(gpa, &t, value, entry_size()).end, END_OK);
	m.give_up = false;
}

static void change(u64 gpa, u64 value)
{
	clean &= !(get(gpa) & SPTE_P);
	store(gpa, value);
	assert_int_equal(get(gpa), value);
}

/* PDPTEs of PAE paging have reserved bits, and count from the next load of CR3 on. */
static void change_root(void)
{
	u64 gpa = ROOT + below(2) * PAGE_SIZE + random_top_slot() * entry_size();

	if (format == FORMAT_PAE)
		change(gpa, chance(10) ? 0 : random_frame() | SPTE_P);
	else
		change(gpa, random_entry());
	clean &= format != FORMAT_PAE;
}

static struct walk_regs walk_regs(bool user)
{
	struct walk_regs r = { .cr0 = m.reg[VREG_CR0],
		.cr3 = m.reg[VREG_CR3],
		.cr4 = m.reg[VREG_CR4],
		.efer = m.reg[VREG_EFER],
		.rflags = m.reg[VREG_RFLAGS],
		.cpl = user ? 3 : 0,
		.maxphyaddr = MAXPHYADDR,
		.page1gb = page1gb };

	memcpy(r.pdpte, m.v.pdpte, sizeof(r.pdpte));
	return r;
}

static void change_on_the_way(u64 va)
{
	struct walk_regs r = walk_regs(false);
	enum walk_result res;
	struct walk w = { 0 };
	u64 at, flip;

	w.level = 0;
	memset(w.step, 0xff, sizeof(w.step));
	res = guest_walk(&m.vm.mem, &r, GVA(va), WALK_PEEK, &w);
	if (res == WALK_BAD_GPA)
		return;
	/* The lowest that was read. */
	for (unsigned l = 1; l <= 4; l++) {
		at = w.step[l].entry_gpa.v;
		if (at != ~0ul && may_change(at) && chance(60)) {
			flip = chance(15) ? SPTE_P : BIT(below(9));
			change(at, res == WALK_FAULT && chance(80) ? good_entry() : get(at) ^ flip);
			return;
		}
	}
}

/* What a device brings is what was there: for all that the shadow knows, no table any more. */
static void bring_in_a_root(void)
{
	static u8 buffer[PAGE_SIZE];
	u64 root = ROOT + below(2) * PAGE_SIZE;

	memcpy(buffer, physical(root), PAGE_SIZE);
	assert_int_equal(guest_write(&m.vm.mem, GPA(root), buffer, PAGE_SIZE), OK);
}

static void recycle(void)
{
	static u8 buffer[PAGE_SIZE];
	u64 to = random_frame();

	if (chance(30)) {
		bring_in_a_root();
		return;
	}

	clean = false;
	if (chance(50)) {
		assert_int_equal(guest_zero(&m.vm.mem, GPA(to), PAGE_SIZE), OK);
		return;
	}
	memcpy(buffer, physical(random_frame()), PAGE_SIZE);
	assert_int_equal(guest_write(&m.vm.mem, GPA(to), buffer, PAGE_SIZE), OK);
}

/* All that was derived is void, though the guest's tables say what they said. */
static void change_pat(void)
{
	m.reg[VREG_PAT] ^= MEMTYPE_WB;
	m.vm.mmu->ops->paging_changed(&m.v);
}

static void mutate(u64 va)
{
	unsigned what = (unsigned)below(100);

	if (what < 60)
		for (u64 n = below(4) + 1; n; n--)
			change_on_the_way(va);
	else if (what < 80)
		change(random_frame() + random_slot() * entry_size(), random_entry());
	else if (what < 85)
		change(random_frame() + random_slot() * entry_size(), 0);
	else if (what < 92)
		change(random_frame() + random_slot() * entry_size(),
			get(random_frame() + random_slot() * entry_size()));
	else if (what < 97)
		change_root();
	else if (what < 98)
		recycle();
	else if (what == 98)
		change_pat();
	else
		assert_int_equal(
			mmu_unmap(m.vm.mmu,
				GPA(chance(30) ? ROOT + below(2) * PAGE_SIZE : random_frame()),
				PAGE_SIZE),
			OK);
}

/* ---- what the architecture asks for ---- */

static void flush_all(void)
{
	load_cr3(ROOT + below(2) * PAGE_SIZE);
	if (m.reg[VREG_CR4] & CR4_PGE) {
		m.reg[VREG_CR4] &= ~CR4_PGE;
		m.vm.mmu->ops->paging_changed(&m.v);
		m.reg[VREG_CR4] |= CR4_PGE;
		m.vm.mmu->ops->paging_changed(&m.v);
	}
	clean = true;
}

static void invalidate(u64 va)
{
	if (clean && chance(70))
		return;
	/* INVLPG drops no PDPTE register, nor does it need to. */
	if (chance(10))
		flush_all();
	else
		m.vm.mmu->ops->invlpg(&m.v, GVA(va));
}

static void set_mode(void)
{
	u64 cr0 = CR0_PE | CR0_PG | (chance(80) ? CR0_WP : 0);
	u64 cr4 = (format == FORMAT_32 ? CR4_PSE : CR4_PAE) | (chance(50) ? CR4_SMEP : 0) |
		  (chance(50) ? CR4_SMAP : 0) | (chance(50) ? CR4_PGE : 0);

	set_registers(cr0, ROOT + below(2) * PAGE_SIZE, cr4, m.reg[VREG_EFER]);
	flush_all();
}

/* ---- an access ---- */

static void explain(u64 va, const struct attempt *t, enum walk_result res, const struct walk *w,
	const struct outcome *o)
{
	print_message(
		"seed %lu, step %lu: %s %s at 0x%lx: walk %u, error %x, pa 0x%lx; got %u, error "
		"%x, value 0x%lx; cr0 %lx cr4 %lx\n",
		first_seed, step, t->user ? "user" : "supervisor",
		t->write   ? "write"
		: t->fetch ? "fetch"
			   : "read",
		va, res, w->error, w->gpa.v, o->end, o->error, o->value, m.reg[VREG_CR0],
		m.reg[VREG_CR4]);
	for (unsigned l = 4; l >= 1; l--)
		if (w->step[l].entry_gpa.v != ~0ul)
			print_message("  level %u at 0x%lx: 0x%lx, now 0x%lx\n", l,
				w->step[l].entry_gpa.v, w->step[l].entry,
				get(w->step[l].entry_gpa.v));
}

#define expect(cond)                                                                               \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			explain(va, t, res, w, o);                                                 \
			fail_msg("%s", #cond);                                                     \
		}                                                                                  \
	} while (0)

/* Flags of what the walk has used, from the top down to its leaf. */
static void check_flags(u64 va, const struct attempt *t, enum walk_result res, const struct walk *w,
	const struct outcome *o)
{
	for (unsigned l = 1; l <= 4; l++) {
		u64 at = w->step[l].entry_gpa.v, must = 0;

		if (at == ~0ul || (l == 3 && format == FORMAT_PAE) ||
			(t->write && res == WALK_OK && w->gpa.v - at < 8))
			continue;
		for (unsigned k = w->level; res == WALK_OK && k && k <= 4; k++)
			if (w->step[k].entry_gpa.v == at)
				must |= SPTE_A | (k == w->level && t->write ? SPTE_D : 0);
		expect(get(at) == (w->step[l].entry | must));
	}
}

static bool tame(struct attempt *t, const struct walk *w, enum walk_result res)
{
	if (res != WALK_OK || !t->write || may_change(w->gpa.v) || w->gpa.v >= RAM)
		return false;
	t->write = false;
	return true;
}

static void access_and_check(u64 va)
{
	unsigned what = (unsigned)below(3), flags, size = entry_size();
	struct attempt access = { .user = chance(50), .write = what == 1, .fetch = what == 2 },
		       *t = &access;
	struct walk_regs r;
	struct walk walked, *w = &walked;
	struct outcome outcome, *o = &outcome;
	enum walk_result res;
	u64 value = random_entry();

	m.reg[VREG_RFLAGS] = RFLAGS_R1 | (chance(50) ? RFLAGS_AC : 0);
	invalidate(va);
	r = walk_regs(t->user);
	do {
		memset(&walked, 0, sizeof(walked));
		memset(walked.step, 0xff, sizeof(walked.step));
		flags = WALK_PEEK | (t->write ? WALK_WRITE : 0) | (t->fetch ? WALK_FETCH : 0) |
			(t->user ? WALK_USER : 0);
		res = guest_walk(&m.vm.mem, &r, GVA(va), flags, w);
	} while (tame(t, w, res));
	if (res == WALK_BAD_GPA)
		return;
	if (t->write && res == WALK_OK && w->gpa.v < RAM)
		clean &= !(get(w->gpa.v) & SPTE_P);
	outcome = run_access(va, t, value, size);
	count.accesses++;
	if (res == WALK_FAULT) {
		count.faults++;
		expect(o->end == END_FAULT && o->error == w->error);
	} else if (w->gpa.v >= RAM) {
		expect(o->end == END_DEVICE);
	} else {
		expect(o->end == END_OK);
		expect(get(w->gpa.v) == (t->write ? value : o->value));
		count.writes += t->write;
	}
	check_flags(va, t, res, w, o);
	expect(!m.crashes);
}

/* ---- the guest's own mappings, which never change: all memory where it is ---- */

static void put(u64 gpa, u64 e)
{
	memcpy(physical(gpa), &e, entry_size());
}

static void identity_map(void)
{
	const u64 table = SPTE_P | SPTE_W, page = table | GPTE_PS;
	unsigned shift = format == FORMAT_32 ? 22 : 21;

	for (unsigned root = 0; root < 2; root++) {
		u64 top = ROOT + root * PAGE_SIZE;

		if (format == FORMAT_4LEVEL) {
			put(top, TABLES | table);
			put(TABLES, (TABLES + PAGE_SIZE) | table);
		} else if (format == FORMAT_PAE) {
			put(top, (TABLES + PAGE_SIZE) | SPTE_P);
		}
		for (u64 i = 0; i < RAM >> shift; i++)
			put((format == FORMAT_32 ? top : TABLES + PAGE_SIZE) + i * entry_size(),
				i << shift | page);
	}
}

static void fill_tables(void)
{
	unsigned slots = format == FORMAT_32 ? 1024 : 8;

	for (u64 f = 0; f < FRAMES; f++)
		for (u64 i = 0; i < slots; i++)
			put(BLOCK + f * PAGE_SIZE + i * entry_size(), random_entry());
}

static void run_seed(u64 n, u64 steps)
{
	static const unsigned pools[] = { 0, SHADOW_PAGES_MIN, 64 };
	u64 efer;

	first_seed = n;
	seed = n * 0x9e3779b97f4a7c15ul | 1;
	format = (enum shadow_format[]){ FORMAT_4LEVEL, FORMAT_PAE, FORMAT_32 }[n % 3];
	machine_width = chance(10) ? 52 : MAXPHYADDR;
	page1gb = chance(75);
	machine_start((enum shadow_strategy)(n / 3 % SHADOW_STRATEGIES),
		(unsigned)below(SHADOW_FAST_ALL + 1), pools[below(ARRAY_SIZE(pools))]);
	/* All pages at once, or as if they were too many. */
	m.s->at_once = chance(50) ? m.s->at_once : (u32)below(8);
	efer = (format == FORMAT_4LEVEL ? EFER_LME | EFER_LMA : 0) | (chance(70) ? EFER_NXE : 0);
	m.caches = chance(80);
	m.reg[VREG_EFER] = efer;
	identity_map();
	fill_tables();
	for (step = 0; step < steps; step++) {
		u64 va = random_address();

		if (step % MODE_STEPS == 0)
			set_mode();
		mutate(va);
		access_and_check(chance(85) ? va : random_address());
		if (step % AUDIT_STEPS == 0) {
			unsigned found = shadow_audit(m.s);

			if (found)
				fail_msg("seed %lu, step %lu: the audit found %u", n, step, found);
		}
	}
	assert_true(m.s->in_use < m.s->pages);
	machine_end();
}

static u64 from_environment(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static void test_random_tables(void **state)
{
	u64 only = from_environment("SHADOW_SEED", ~0ul);
	u64 steps = from_environment("SHADOW_STEPS", STEPS);
	u64 seeds = from_environment("SHADOW_SEEDS", SEEDS);

	(void)state;
	if (only != ~0ul)
		run_seed(only, steps);
	else
		for (u64 n = 0; n < seeds; n++)
			run_seed(n, steps);
	print_message("%lu accesses, %lu faults, %lu writes\n", count.accesses, count.faults,
		count.writes);
	assert_true(count.writes > count.accesses / 50 && count.faults < count.accesses * 4 / 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_tables),
	};

	arena_open();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
