/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts through the combinations of PTE, PDE, CR0.WP, CR4.SMEP, CR4.SMAP, EFER.NXE, RFLAGS.AC and
 * kind of access, makes the access and compares what came of it with a model (slow: stride=13):
 * whether it faulted, the error code, CR2, and the accessed and dirty flags of both entries. The
 * model is written from the manual's chapter "Paging": "Determination of Access Rights",
 * "Page-Fault Exceptions", "Accessed and Dirty Flags".
 *
 * What is left open, flags that an access sets although it faults, must be the same in all memory
 * modes: a hash of all flags is printed, and scripts/run-tests compares.
 *
 * There are 10 * 2^21 combinations. stride=N takes every Nth; N should have no factor 2 or 5, so
 * that all values of each part are met. A combination whose CR4 or EFER bit the processor lacks is
 * left out, and counted.
 */
#include "tests/guest/lib/ring.h"
#include "tests/guest/lib/walk.h"

#define STRIDE	   251
#define VA	   (0x8000000000ul + 3 * LARGE_BYTES + 5 * PAGE_BYTES)
#define USER_CODE  0x10000000000ul
#define BLOCK	   (8 * MB) /* the large page; the small one is the same piece of memory in it */
#define PAGE	   (BLOCK + 5 * PAGE_BYTES)
#define AT_CODE	   0x00
#define AT_DATA	   0x40
#define AT_LDT	   0x80
#define LDT_BYTES  16
#define LARGE_RSVD BIT(13)

/* Data, level 3; the first has its accessed flag set, the second does not and gets it: a write. */
#define DESC_ACCESSED 0x00cff3000000fffful
#define DESC_FRESH    0x00cff2000000fffful
#define SEL_ACCESSED  0x07u
#define SEL_FRESH     0x0fu

#define MAX_SHOWN 12

static const struct kind {
	const char *name;
	u8 cpl, code, at;
	struct access a;
	u32 value;
} kinds[] = {
	{ "read at level 3", 3, RING_READ, AT_DATA, { .user = true }, 0 },
	{ "write at level 3", 3, RING_WRITE, AT_DATA, { .user = true, .write = true }, 0 },
	{ "fetch at level 3", 3, RING_FETCH, AT_CODE, { .user = true, .fetch = true }, 0 },
	{ "read at level 0", 0, RING_READ, AT_DATA, { .user = false }, 0 },
	{ "write at level 0", 0, RING_WRITE, AT_DATA, { .write = true }, 0 },
	{ "fetch at level 0", 0, RING_FETCH, AT_CODE, { .fetch = true }, 0 },
	{ "read of a descriptor at level 3", 3, RING_LOAD_FS, AT_LDT, { .implicit = true },
		SEL_ACCESSED },
	{ "update of a descriptor at level 3", 3, RING_LOAD_FS, AT_LDT + 8,
		{ .implicit = true, .write = true }, SEL_FRESH },
	{ "read of a descriptor at level 0", 0, RING_LOAD_FS, AT_LDT, { .implicit = true },
		SEL_ACCESSED },
	{ "update of a descriptor at level 0", 0, RING_LOAD_FS, AT_LDT + 8,
		{ .implicit = true, .write = true }, SEL_FRESH },
};
#define KINDS ARRAY_SIZE(kinds)

/* The number of a combination, from its low digits: kind, PTE, PDE, registers. */
#define PTE_CHOICES  256u
#define PDE_CHOICES  256u
#define REG_CHOICES  32u
#define COMBINATIONS (KINDS * PTE_CHOICES * PDE_CHOICES * REG_CHOICES)

struct combination {
	const struct kind *kind;
	u64 pte, pde;
	unsigned regs;
	struct paging_mode mode;
};

/* What the model says. An entry's flag may be set where may has it, and is set where must has it;
 * all else stays. */
struct expected {
	bool fault;
	u64 error, error_open; /* bits of the error code that are not defined */
	u64 pte_must, pte_may, pde_must, pde_may;
};

/* ---- a combination by its number ---- */

static u64 make_pte(unsigned n)
{
	static const u64 bits[] = { PTE_P, PTE_W, PTE_U, PTE_A, PTE_D, PTE_NX, PTE_RSVD,
		PTE_PWT | PTE_PCD | PTE_PAT | PTE_G };
	u64 e = PAGE;

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		if (n & BIT(i))
			e |= bits[i];
	return e;
}

static u64 make_pde(unsigned n, u64 table)
{
	static const u64 bits[] = { PTE_P, PTE_W, PTE_U, PTE_A, PTE_NX, PTE_PS };
	bool large = n & BIT(5);
	u64 e = large ? BLOCK : table;

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		if (n & BIT(i))
			e |= bits[i];
	if (n & BIT(6))
		e |= large ? LARGE_RSVD : PTE_RSVD;
	if (n & BIT(7)) /* of an entry that names a table, D and G are ignored */
		e |= PTE_D | PTE_PWT | PTE_PCD | PTE_G | (large ? PTE_LARGE_PAT : 0);
	return e;
}

static void make(u64 n, u64 table, struct combination *c)
{
	c->kind = &kinds[n % KINDS];
	n /= KINDS;
	c->pte = make_pte(n % PTE_CHOICES);
	n /= PTE_CHOICES;
	c->pde = make_pde(n % PDE_CHOICES, table);
	c->regs = (unsigned)(n / PDE_CHOICES);
	c->mode.wp = c->regs & BIT(0);
	c->mode.ac = c->regs & BIT(1);
	c->mode.smap = c->regs & BIT(2);
	c->mode.smep = c->regs & BIT(3);
	c->mode.nxe = c->regs & BIT(4);
}

/* ---- the model ---- */

static void fault(const struct combination *c, struct expected *x, u64 why)
{
	x->fault = true;
	x->error = access_error(&c->mode, &c->kind->a, why);
}

/* "Accessed and Dirty Flags": what the translation used is accessed, what was written dirty. Of an
 * access that faults, the flags of entries that are valid may be set early; D never is. */
static void expect(const struct combination *c, struct expected *x)
{
	bool large = c->pde & PTE_PS;
	u64 both;

	*x = (struct expected){ 0 };
	if (!(c->pde & PTE_P) || entry_reserved(&c->mode, c->pde, 2)) {
		fault(c, x, c->pde & PTE_P ? PF_P | PF_RSVD : 0);
		goto update;
	}
	x->pde_may = PTE_A;
	if (!large && (!(c->pte & PTE_P) || entry_reserved(&c->mode, c->pte, 1))) {
		fault(c, x, c->pte & PTE_P ? PF_P | PF_RSVD : 0);
		goto update;
	}
	x->pte_may = large ? 0 : PTE_A;
	both = large ? c->pde : c->pde & c->pte;
	if (!access_allowed(&c->mode, &c->kind->a, c->kind->a.write, both & PTE_W, both & PTE_U,
		    (c->pde | (large ? 0 : c->pte)) & PTE_NX)) {
		fault(c, x, PF_P);
		if (access_allowed(&c->mode, &c->kind->a, false, both & PTE_W, both & PTE_U, false))
			return; /* the read of a descriptor comes before its update */
		goto update;
	}
	x->pde_must = PTE_A | (large && c->kind->a.write ? PTE_D : 0);
	x->pte_must = large ? 0 : PTE_A | (c->kind->a.write ? PTE_D : 0);
	x->pde_may |= x->pde_must;
	x->pte_may |= x->pte_must;
update:
	/* Whether the first access of an update is a read is not defined. */
	if (c->kind->a.implicit && c->kind->a.write)
		x->error_open = PF_W;
}

/* ---- the trial ---- */

static u64 base_cr0, base_cr4, base_efer;
static bool smep, smap, nx;
static bool implicit_faults; /* SMAP forbids implicit accesses whatever AC is: see probe() */

static bool possible(const struct combination *c)
{
	if (c->mode.smap && c->mode.ac && c->kind->a.implicit && !implicit_faults)
		return false;
	return (!c->mode.smep || smep) && (!c->mode.smap || smap) && (!c->mode.nxe || nx);
}

static void set_registers(const struct combination *c)
{
	write_cr0((base_cr0 & ~CR0_WP) | (c->mode.wp ? CR0_WP : 0));
	write_cr4((base_cr4 & ~(CR4_SMEP | CR4_SMAP)) | CR4_PGE | (c->mode.smep ? CR4_SMEP : 0) |
		  (c->mode.smap ? CR4_SMAP : 0));
	wrmsr(MSR_EFER, (base_efer & ~EFER_NXE) | (c->mode.nxe ? EFER_NXE : 0));
}

static volatile u64 *const data = (u64 *)(PAGE + AT_DATA);
static volatile u64 *const ldt = (u64 *)(PAGE + AT_LDT);

/* What the access leaves behind is there, or is not. */
static const char *wrong_effect(
	const struct combination *c, const struct expected *x, const struct ring_result *r, u64 n)
{
	if (x->fault)
		return *data == ~n && ldt[1] == DESC_FRESH ? NULL : "memory was changed";
	switch (c->kind->code) {
	case RING_READ: return r->value == ~n ? NULL : "another value was read";
	case RING_WRITE: return *data == n ? NULL : "the value did not arrive";
	case RING_LOAD_FS:
		return !c->kind->a.write || ldt[1] == DESC_ACCESSED ? NULL
								    : "the update did not arrive";
	default: return NULL;
	}
}

static const char *wrong(const struct combination *c, const struct expected *x,
	const struct ring_result *r, u64 pte, u64 pde, u64 n)
{
	if (x->fault != (r->vector == VEC_PF))
		return x->fault ? "no fault" : "a fault";
	if (x->fault && ((r->error ^ x->error) & ~x->error_open))
		return "another error code";
	/* Which byte of a descriptor it is about is not defined. */
	if (x->fault && r->cr2 - (VA + c->kind->at) >= (c->kind->a.implicit ? sizeof(u64) : 1))
		return "another CR2";
	if (((pte ^ c->pte) & ~x->pte_may) || (~pte & x->pte_must))
		return "other flags in the PTE";
	if (((pde ^ c->pde) & ~x->pde_may) || (~pde & x->pde_must))
		return "other flags in the PDE";
	return wrong_effect(c, x, r, n);
}

static void show(const struct combination *c, const struct expected *x, const struct ring_result *r,
	u64 pte, u64 pde, u64 n, const char *what)
{
	char a[ENTRY_WORDS_MAX], b[ENTRY_WORDS_MAX];

	say("#%lu %s: %s", n, c->kind->name, what);
	say("  with%s%s%s%s%s", c->mode.wp ? " WP" : "", c->mode.smep ? " SMEP" : "",
		c->mode.smap ? " SMAP" : "", c->mode.nxe ? " NXE" : "", c->mode.ac ? " AC" : "");
	say("  PDE before %s, after %s", entry_words(c->pde, a), entry_words(pde, b));
	say("  PTE before %s, after %s", entry_words(c->pte, a), entry_words(pte, b));
	say("  expected %s 0x%lx; got vector %d, error 0x%lx, CR2 0x%lx",
		x->fault ? "fault" : "none", x->error, r->vector, r->error, r->cr2);
}

static bool trial(const struct combination *c, u64 *pte, u64 *pde, u64 n, const char **what)
{
	struct expected x;
	struct ring_result r;
	static unsigned shown;

	expect(c, &x);
	*data = ~n;
	ldt[1] = DESC_FRESH;
	*pte = c->pte;
	*pde = c->pde;
	invlpg(VA);
	r = ring_try(c->kind->cpl, c->kind->code, VA + c->kind->at,
		c->kind->code == RING_LOAD_FS ? c->kind->value : n, c->mode.ac ? RFLAGS_AC : 0);
	*what = wrong(c, &x, &r, *pte, *pde, n);
	if (*what && shown++ < MAX_SHOWN)
		show(c, &x, &r, *pte, *pde, n, *what);
	return r.vector == VEC_PF;
}

/* FNV-1a, of A and D of both entries, combination by combination. */
#define HASH_BASIS 0xcbf29ce484222325ul
#define HASH_PRIME 0x100000001b3ul

static u64 hash_flags(u64 hash, u64 pte, u64 pde)
{
	u64 flags = (pte & (PTE_A | PTE_D)) | (pde & (PTE_A | PTE_D)) << 8;

	return (hash ^ flags) * HASH_PRIME;
}

/*
 * SMAP forbids implicit supervisor accesses to user pages even with AC set. Bochs 2.7 forgets that,
 * with or without a hypervisor: there these combinations are left out.
 */
static void probe(u64 *pte, u64 *pde, u64 table)
{
	const u64 all = PTE_P | PTE_W | PTE_U;
	struct combination c = { .mode = { .wp = true, .smap = true, .ac = true } };

	*pte = PAGE | all;
	*pde = table | all;
	invlpg(VA);
	set_registers(&c);
	/* First an access that fills what a hypervisor may keep: the processor is to be asked. */
	ring_try(3, RING_WRITE, VA + AT_DATA, 0, RFLAGS_AC);
	implicit_faults =
		ring_try(3, RING_LOAD_FS, VA + AT_LDT, SEL_ACCESSED, RFLAGS_AC).vector == VEC_PF;
	if (!implicit_faults)
		say("implicit accesses pass SMAP with AC set on this processor: left out");
}

void test_main(void)
{
	u64 stride = cmdline_number("stride", STRIDE), done = 0, left_out = 0, faults = 0, bad = 0;
	u64 *pte = map_page(VA, PAGE, PTE_P), *pde = entry_of(VA, 2);
	u64 table = (u64)pte & ~(PAGE_BYTES - 1), hash = HASH_BASIS;
	struct combination c;
	unsigned regs = ~0u;
	const char *what;

	base_cr0 = read_cr0();
	base_cr4 = read_cr4();
	base_efer = rdmsr(MSR_EFER);
	smep = has_smep();
	smap = has_smap();
	nx = has_nx();
	ring_init(USER_CODE);
	ring_set_ldt(VA + AT_LDT, LDT_BYTES - 1);
	*(u16 *)(PAGE + AT_CODE) = RING_FETCH_CODE;
	ldt[0] = DESC_ACCESSED;
	if (smap)
		probe(pte, pde, table);
	for (u64 n = cmdline_number("first", 0); n < COMBINATIONS; n += stride) {
		make(n, table, &c);
		if (!possible(&c)) {
			left_out++;
			continue;
		}
		if (c.regs != regs)
			set_registers(&c);
		regs = c.regs;
		faults += trial(&c, pte, pde, n, &what);
		bad += what != NULL;
		hash = hash_flags(hash, *pte, *pde);
		done++;
	}
	say("%lu combinations, %lu faults, %lu differences; %lu left out", done, faults, bad,
		left_out);
	check(faults > done / 4 && faults < done, "the accesses do not vary");
	say("SAME A and D after %lu combinations: 0x%lx", done, hash);
	check_eq(bad, 0, "differences from the model");
	pass();
}
