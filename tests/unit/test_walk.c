/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk of a guest's page tables: each format and page size, each bit that is reserved and when,
 * all combinations of permissions against the rules of "Determination of Access Rights", error
 * codes, accessed and dirty flags, tables outside memory and tables that change under the walk.
 *
 * Sources: hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/mmu/walk.h"
#include "tests/unit/destroy.h"
#include "tests/unit/host.h"

#define P  BIT(0)
#define W  BIT(1)
#define U  BIT(2)
#define A  BIT(5)
#define D  BIT(6)
#define PS BIT(7)
#define NX BIT(63)

#define RAM   (4 * MB)
#define MAXPA 40u

/* The tables of the four levels, by level; and what they map. */
#define TABLE(level) (0x10000ul * (level))
#define ROOT	     TABLE(4)
#define PAGE	     0x200000ul
#define VA	     0x00005a5a5a5a5a5aul
#define VA32	     0xa5a5a5a5ul

static struct guestmem gm;
static struct walk_regs regs;
static struct walk w;

static int setup(void **state)
{
	(void)state;
	gm = (struct guestmem){ 0 };
	assert_int_equal(guestmem_add(&gm, GPA(0), RAM), OK);
	regs = (struct walk_regs){ .maxphyaddr = MAXPA, .page1gb = true };
	memset(&w, 0x5a, sizeof(w));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guestmem_destroy(&gm);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void put(u64 gpa, u64 value, unsigned size)
{
	assert_int_equal(guest_write(&gm, GPA(gpa), &value, size), OK);
}

static u64 get(u64 gpa, unsigned size)
{
	u64 value = 0;

	assert_int_equal(guest_read(&gm, GPA(gpa), &value, size), OK);
	return value;
}

/* ---- 4-level: the entry of VA at each level ---- */

static u64 at(unsigned level)
{
	return TABLE(level) + ((VA >> (12 + 9 * (level - 1))) & 511) * 8;
}

/* Everything allowed, everything accessed, a page of 4 KB. */
static void long_mode(void)
{
	regs.cr0 = CR0_PE | CR0_PG | CR0_WP;
	regs.cr3 = ROOT;
	regs.cr4 = CR4_PAE;
	regs.efer = EFER_LMA | EFER_LME | EFER_NXE;
	for (unsigned level = 4; level > 1; level--)
		put(at(level), TABLE(level - 1) | P | W | U | A, 8);
	put(at(1), PAGE | P | W | U | A | D, 8);
}

static enum walk_result walk(u64 va, unsigned flags)
{
	return guest_walk(&gm, &regs, GVA(va), flags, &w);
}

#define assert_ok(va, flags, gpa_, level_)                                                         \
	do {                                                                                       \
		assert_int_equal(walk(va, flags), WALK_OK);                                        \
		assert_int_equal(w.gpa.v, gpa_);                                                   \
		assert_int_equal(w.level, level_);                                                 \
	} while (0)

#define assert_fault(va, flags, error_)                                                            \
	do {                                                                                       \
		assert_int_equal(walk(va, flags), WALK_FAULT);                                     \
		assert_int_equal(w.error, error_);                                                 \
	} while (0)

static void without_paging_addresses_stay(void **state)
{
	(void)state;
	assert_ok(0x12345678, WALK_WRITE, 0x12345678, 0);
	assert_true(w.writable && w.user && w.executable);
	regs.cr0 = CR0_PE;
	assert_ok(0x112345678, WALK_FETCH | WALK_USER, 0x12345678, 0);
}

/* ---- 32-bit paging ---- */

static void paging_32(void)
{
	regs.cr0 = CR0_PE | CR0_PG | CR0_WP;
	regs.cr3 = TABLE(2) | CR3_PWT | CR3_PCD;
	put(TABLE(2) + (VA32 >> 22) * 4, TABLE(1) | P | W | U | A, 4);
	put(TABLE(1) + (VA32 >> 12 & 1023) * 4, PAGE | P | W | U | A | D, 4);
}

static void paging_32_translates(void **state)
{
	(void)state;
	paging_32();
	assert_ok(VA32, 0, PAGE + (VA32 & 0xfff), 1);
	assert_int_equal(w.step[2].entry_gpa.v, TABLE(2) + (VA32 >> 22) * 4);
	assert_int_equal(w.step[1].entry, PAGE | P | W | U | A | D);
	/* A linear address has 32 bits. */
	assert_ok(VA32 | 1ul << 32, 0, PAGE + (VA32 & 0xfff), 1);
	/* No entry has a reserved bit without PSE, and there is no bit 63. */
	put(TABLE(1) + (VA32 >> 12 & 1023) * 4, 0xfffff000 | P | PS, 4);
	assert_ok(VA32, WALK_FETCH, 0xfffff000 + (VA32 & 0xfff), 1);
	assert_true(w.executable);
}

static void paging_32_large_pages(void **state)
{
	u64 pde = TABLE(2) + (VA32 >> 22) * 4;

	(void)state;
	paging_32();
	put(pde, 0x00c00000 | P | W | A | D | PS, 4);
	/* Without CR4.PSE the bit is ignored, and this is a table outside of memory. */
	assert_int_equal(walk(VA32, 0), WALK_BAD_GPA);
	regs.cr4 = CR4_PSE;
	assert_ok(VA32, 0, 0x00c00000 + (VA32 & 0x3fffff), 2);
	/* PSE-36: bits 20:13 are bits 39:32; bit 21 is reserved, bit 12 is PAT. */
	put(pde, 0x00c00000 | 0xfful << 13 | BIT(12) | P | A | PS, 4);
	assert_ok(VA32, 0, 0xff00c00000 + (VA32 & 0x3fffff), 2);
	put(pde, 0x00c00000 | BIT(21) | P | A | PS, 4);
	assert_fault(VA32, 0, PF_P | PF_RSVD);
	regs.maxphyaddr = 36;
	for (unsigned bit = 13; bit <= 20; bit++) {
		put(pde, 0x00c00000 | BIT(bit) | P | A | PS, 4);
		if (bit < 17)
			assert_ok(VA32, 0, (BIT(bit) << 19) + 0x00c00000 + (VA32 & 0x3fffff), 2);
		else
			assert_fault(VA32, 0, PF_P | PF_RSVD);
	}
}

/* ---- PAE paging: the top level is in registers ---- */

static void paging_pae(void)
{
	regs.cr0 = CR0_PE | CR0_PG | CR0_WP;
	regs.cr3 = TABLE(3) | 0x20;
	regs.cr4 = CR4_PAE;
	regs.efer = EFER_NXE;
	regs.pdpte[2] = TABLE(2) | P;
	put(TABLE(2) + (VA32 >> 21 & 511) * 8, TABLE(1) | P | W | U | A, 8);
	put(TABLE(1) + (VA32 >> 12 & 511) * 8, PAGE | P | W | U | A | D, 8);
}

static void paging_pae_translates(void **state)
{
	u64 pde = TABLE(2) + (VA32 >> 21 & 511) * 8, pte = TABLE(1) + (VA32 >> 12 & 511) * 8;

	(void)state;
	paging_pae();
	assert_ok(VA32, WALK_WRITE, PAGE + (VA32 & 0xfff), 1);
	assert_true(w.writable && w.user);
	/* Memory behind CR3 says nothing; other registers are not present. */
	assert_int_equal(get(TABLE(3) + 0x20 + 2 * 8, 8), 0);
	assert_fault(VA32 & 0x3fffffff, 0, 0);
	put(pte, PAGE | P | A | NX, 8);
	assert_fault(VA32, WALK_FETCH, PF_P | PF_I);
	for (unsigned bit = 52; bit < 63; bit++) {
		put(pte, PAGE | P | A | BIT(bit), 8);
		assert_fault(VA32, 0, PF_P | PF_RSVD);
	}
	put(pte, PAGE | P | A | BIT(MAXPA), 8);
	assert_fault(VA32, 0, PF_P | PF_RSVD);
	put(pde, 0x8000000 | P | A | PS | BIT(12), 8);
	assert_ok(VA32, 0, 0x8000000 + (VA32 & 0x1fffff), 2);
	put(pde, 0x8000000 | P | A | PS | BIT(13), 8);
	assert_fault(VA32, 0, PF_P | PF_RSVD);
}

/* ---- 4-level paging ---- */

static void four_levels_translate(void **state)
{
	(void)state;
	long_mode();
	assert_ok(VA, 0, PAGE + (VA & 0xfff), 1);
	for (unsigned level = 4; level; level--) {
		assert_int_equal(w.step[level].entry_gpa.v, at(level));
		assert_int_equal(w.step[level].entry, get(at(level), 8));
	}
	/* CR3: PCID and flags are no address. */
	regs.cr3 |= 0xfff;
	assert_ok(VA, 0, PAGE + (VA & 0xfff), 1);
	put(at(2), 0x8000000 | P | A | PS, 8);
	assert_ok(VA, 0, 0x8000000 + (VA & 0x1fffff), 2);
	put(at(3), 0x40000000 | P | A | PS, 8);
	assert_ok(VA, 0, 0x40000000 + (VA & 0x3fffffff), 3);
}

static void not_present_at_each_level(void **state)
{
	(void)state;
	for (unsigned level = 4; level; level--) {
		long_mode();
		put(at(level), get(at(level), 8) & ~P, 8);
		assert_fault(VA, 0, 0);
		assert_fault(VA, WALK_WRITE | WALK_USER, PF_W | PF_U);
		/* Whatever else is in an entry that is not present is the guest's own. */
		put(at(level), ~P, 8);
		assert_fault(VA, WALK_FETCH, PF_I);
	}
}

/* Sets one bit in the entry of a level and walks. */
static bool is_reserved(unsigned level, unsigned bit)
{
	long_mode();
	put(at(level), get(at(level), 8) | BIT(bit), 8);
	if (walk(VA, 0) != WALK_FAULT)
		return false;
	assert_int_equal(w.error, PF_P | PF_RSVD);
	return true;
}

static void reserved_bits_of_each_level(void **state)
{
	(void)state;
	for (unsigned level = 4; level; level--) {
		for (unsigned bit = MAXPA; bit < 52; bit++)
			assert_true(is_reserved(level, bit));
		for (unsigned bit = 52; bit < 64; bit++)
			assert_false(is_reserved(level, bit));
		for (unsigned bit = 8; bit < 12; bit++)
			assert_false(is_reserved(level, bit));
	}
	assert_true(is_reserved(4, 7)); /* PS */
}

/* TABLE(n) has bits 16 and up: entries for large pages are made from nothing. */
static bool large_is_reserved(unsigned level, u64 bits)
{
	long_mode();
	put(at(level), P | A | PS | bits, 8);
	if (walk(VA, 0) != WALK_FAULT)
		return false;
	assert_int_equal(w.error, PF_P | PF_RSVD);
	return true;
}

static void reserved_bits_of_large_pages(void **state)
{
	(void)state;
	for (unsigned bit = 12; bit < 40; bit++) {
		assert_int_equal(large_is_reserved(2, BIT(bit)), bit > 12 && bit < 21);
		assert_int_equal(large_is_reserved(3, BIT(bit)), bit > 12 && bit < 30);
	}
	assert_true(large_is_reserved(2, BIT(MAXPA)));
}

static void gigabyte_pages_need_the_feature(void **state)
{
	(void)state;
	regs.page1gb = false;
	assert_true(large_is_reserved(3, 0));
	assert_false(large_is_reserved(2, 0));
	regs.page1gb = true;
	assert_false(large_is_reserved(3, 0));
}

static void nx_needs_nxe(void **state)
{
	(void)state;
	for (unsigned level = 4; level; level--) {
		long_mode();
		put(at(level), get(at(level), 8) | NX, 8);
		assert_ok(VA, 0, PAGE + (VA & 0xfff), 1);
		assert_false(w.executable);
		assert_fault(VA, WALK_FETCH, PF_P | PF_I);
		regs.efer &= ~EFER_NXE;
		assert_fault(VA, 0, PF_P | PF_RSVD);
		/* Without NXE and SMEP a fetch is not told apart. */
		assert_fault(VA, WALK_FETCH, PF_P | PF_RSVD);
		regs.cr4 |= CR4_SMEP;
		assert_fault(VA, WALK_FETCH, PF_P | PF_RSVD | PF_I);
	}
}

static void walk_reserved_bits_says_the_same(void **state)
{
	(void)state;
	long_mode();
	assert_int_equal(walk_reserved_bits(&regs, P, 1), GENMASK(51, MAXPA));
	assert_int_equal(walk_reserved_bits(&regs, P | PS, 1), GENMASK(51, MAXPA));
	assert_int_equal(
		walk_reserved_bits(&regs, P | PS, 2), GENMASK(51, MAXPA) | GENMASK(20, 13));
	assert_int_equal(
		walk_reserved_bits(&regs, P | PS, 3), GENMASK(51, MAXPA) | GENMASK(29, 13));
	assert_int_equal(walk_reserved_bits(&regs, P | PS, 4), GENMASK(51, MAXPA) | PS);
	assert_int_equal(walk_reserved_bits(&regs, P, 2), GENMASK(51, MAXPA));
	assert_int_equal(walk_reserved_bits(&regs, P, 3), GENMASK(51, MAXPA));
	/* PS itself, where it makes no leaf, whether it is set or not. */
	assert_int_equal(walk_reserved_bits(&regs, P, 4), GENMASK(51, MAXPA) | PS);
	regs.page1gb = false;
	assert_int_equal(walk_reserved_bits(&regs, P | PS, 3), GENMASK(51, MAXPA) | PS);
	assert_int_equal(walk_reserved_bits(&regs, P, 3), GENMASK(51, MAXPA) | PS);
	regs.efer = 0;
	assert_int_equal(walk_reserved_bits(&regs, P, 2), GENMASK(62, MAXPA) | NX);
	assert_int_equal(
		walk_reserved_bits(&regs, P | PS, 2), GENMASK(62, MAXPA) | NX | GENMASK(20, 13));
	regs.cr4 = 0;
	for (unsigned level = 1; level <= 2; level++)
		assert_int_equal(walk_reserved_bits(&regs, P | PS, level), 0);
	regs.cr4 = CR4_PSE;
	assert_int_equal(walk_reserved_bits(&regs, P | PS, 2), BIT(21));
	assert_int_equal(walk_reserved_bits(&regs, P, 2), 0);
}

/* ---- permissions ---- */

struct access {
	bool write, fetch, user, implicit;
};

/* "Determination of Access Rights", rule by rule. w, u, x: the page's, combined over the levels. */
static bool allowed(const struct access *a, bool writable, bool user, bool executable)
{
	bool wp = regs.cr0 & CR0_WP, smep = regs.cr4 & CR4_SMEP, smap = regs.cr4 & CR4_SMAP;
	bool ac = regs.rflags & RFLAGS_AC;

	if (a->user) /* user-mode accesses */
		return user && (!a->write || writable) && (!a->fetch || executable);
	if (a->fetch)
		return executable && (!user || !smep);
	/* Data of user-mode pages: with SMAP, only explicit accesses with EFLAGS.AC. */
	if (user && smap && (a->implicit || !ac))
		return false;
	return !a->write || writable || !wp;
}

static void check_access(const struct access *a, bool writable, bool user, bool executable)
{
	unsigned flags = (a->write ? WALK_WRITE : 0) | (a->fetch ? WALK_FETCH : 0) |
			 (a->user ? WALK_USER : 0) | (a->implicit ? WALK_IMPLICIT : 0);

	if (!allowed(a, writable, user, executable)) {
		assert_fault(VA, flags,
			PF_P | (a->write ? PF_W : 0) | (a->user ? PF_U : 0) |
				(a->fetch ? PF_I : 0));
		return;
	}
	assert_ok(VA, flags, PAGE + (VA & 0xfff), 1);
	assert_int_equal(w.writable, writable);
	assert_int_equal(w.user, user);
	assert_int_equal(w.executable, executable);
}

/* Each right is missing at one level (or at none), which suffices. */
static void check_rights(unsigned no_write, unsigned no_user, unsigned no_exec)
{
	static const struct access accesses[] = {
		{ 0 },
		{ .write = true },
		{ .fetch = true },
		{ .implicit = true },
		{ .implicit = true, .write = true },
		{ .user = true },
		{ .user = true, .write = true },
		{ .user = true, .fetch = true },
	};

	for (unsigned level = 4; level; level--) {
		u64 entry = get(at(level), 8) & ~(W | U | NX);

		entry |= (level != no_write ? W : 0) | (level != no_user ? U : 0) |
			 (level == no_exec ? NX : 0);
		put(at(level), entry, 8);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++)
		check_access(&accesses[i], !no_write, !no_user, !no_exec);
}

static void permissions_follow_the_rules(void **state)
{
	(void)state;
	long_mode();
	for (unsigned mode = 0; mode < 16; mode++) {
		regs.cr0 = CR0_PE | CR0_PG | (mode & 1 ? CR0_WP : 0);
		regs.cr4 = CR4_PAE | (mode & 2 ? CR4_SMEP : 0) | (mode & 4 ? CR4_SMAP : 0);
		regs.rflags = mode & 8 ? RFLAGS_AC : 0;
		for (unsigned i = 0; i < 5 * 5 * 5; i++)
			check_rights(i % 5, i / 5 % 5, i / 25);
	}
}

/* ---- accessed and dirty flags ---- */

static unsigned writes; /* to memory, since bell() was hung up */

static void count(void *ctx, gpa_t gpa, u64 len)
{
	(void)ctx;
	(void)gpa;
	assert_int_equal(len, 8);
	writes++;
}

static void clear_flags(void)
{
	gm.written = NULL;
	for (unsigned level = 4; level; level--)
		put(at(level), get(at(level), 8) & ~(A | D), 8);
	gm.written = count;
	writes = 0;
}

static void accessed_and_dirty(void **state)
{
	(void)state;
	long_mode();
	clear_flags();
	assert_ok(VA, WALK_PEEK | WALK_WRITE, PAGE + (VA & 0xfff), 1);
	assert_int_equal(writes, 0);
	assert_ok(VA, 0, PAGE + (VA & 0xfff), 1);
	assert_int_equal(writes, 4);
	for (unsigned level = 4; level; level--) {
		assert_int_equal(get(at(level), 8) & (A | D), A);
		assert_int_equal(w.step[level].entry, get(at(level), 8));
	}
	assert_ok(VA, WALK_WRITE, PAGE + (VA & 0xfff), 1);
	assert_int_equal(writes, 5);
	for (unsigned level = 4; level; level--)
		assert_int_equal(get(at(level), 8) & (A | D), level == 1 ? A | D : A);
	assert_ok(VA, WALK_WRITE | WALK_USER, PAGE + (VA & 0xfff), 1);
	assert_int_equal(writes, 5);
	/* An access that faults sets nothing. */
	put(at(1), PAGE | P, 8);
	clear_flags();
	assert_fault(VA, WALK_USER, PF_P | PF_U);
	assert_fault(VA, WALK_WRITE, PF_P | PF_W);
	assert_int_equal(writes, 0);
}

static void dirty_of_a_large_page(void **state)
{
	(void)state;
	long_mode();
	put(at(2), 0x200000 | P | W | PS, 8);
	assert_ok(VA, WALK_WRITE, 0x200000 + (VA & 0x1fffff), 2);
	assert_int_equal(get(at(2), 8), 0x200000 | P | W | PS | A | D);
}

static void flags_of_32_bit_entries(void **state)
{
	u64 pde = TABLE(2) + (VA32 >> 22) * 4, pte = TABLE(1) + (VA32 >> 12 & 1023) * 4;

	(void)state;
	paging_32();
	put(pde, TABLE(1) | P | W, 4);
	put(pde + 4, 0x12345678, 4);
	put(pte, PAGE | P | W, 4);
	put(pte + 4, 0x12345678, 4);
	assert_ok(VA32, WALK_WRITE, PAGE + (VA32 & 0xfff), 1);
	assert_int_equal(get(pde, 8), 0x1234567800000000 | TABLE(1) | P | W | A);
	assert_int_equal(get(pte, 8), 0x1234567800000000 | PAGE | P | W | A | D);
}

/* While flags are set from the root down, another CPU takes the page away, or moves it. */
static u64 new_pte;

static void meddle(void *ctx, gpa_t gpa, u64 len)
{
	u64 value = new_pte;

	(void)ctx;
	(void)len;
	if (gpa.v != at(4))
		return;
	gm.written = NULL;
	assert_int_equal(guest_write(&gm, GPA(at(1)), &value, sizeof(value)), OK);
}

static void entries_that_change_are_read_again(void **state)
{
	(void)state;
	long_mode();
	clear_flags();
	gm.written = meddle;
	new_pte = 0x201000 | P | W | U;
	assert_ok(VA, WALK_WRITE, 0x201000 + (VA & 0xfff), 1);
	assert_int_equal(get(at(1), 8), 0x201000 | P | W | U | A | D);
	clear_flags();
	gm.written = meddle;
	new_pte = 0;
	assert_fault(VA, WALK_WRITE, PF_W);
	assert_int_equal(get(at(1), 8), 0);
}

/* Another CPU does so whenever a flag is set. */
static unsigned flips;

static void flip(void *ctx, gpa_t gpa, u64 len)
{
	(void)ctx;
	(void)len;
	if (gpa.v != at(4))
		return;
	assert_true(++flips < 1000);
	gm.written = NULL;
	put(at(4), get(at(4), 8) & ~A, 8);
	put(at(1), get(at(1), 8) ^ BIT(9), 8);
	gm.written = flip;
}

static void entries_that_change_without_end(void **state)
{
	(void)state;
	long_mode();
	clear_flags();
	gm.written = flip;
	flips = 0;
	assert_int_equal(walk(VA, 0), WALK_AGAIN);
	assert_int_equal(get(at(1), 8) & A, 0);
	gm.written = NULL;
	assert_ok(VA, 0, PAGE + (VA & 0xfff), 1);
}

/* ---- tables outside memory ---- */

static void tables_outside_memory(void **state)
{
	(void)state;
	for (unsigned level = 4; level; level--) {
		u64 outside = RAM + 0x7000;

		long_mode();
		if (level == 4)
			regs.cr3 = outside;
		else
			put(at(level + 1), outside | P | A, 8);
		assert_int_equal(walk(VA, WALK_WRITE), WALK_BAD_GPA);
		assert_int_equal(w.gpa.v, outside + (at(level) & 0xfff));
	}
}

static void hole_is_outside_memory(void **state)
{
	(void)state;
	long_mode();
	guestmem_hole(&gm, GPA(TABLE(1)), GPA(TABLE(1) + 0x1000));
	assert_int_equal(walk(VA, 0), WALK_BAD_GPA);
	assert_int_equal(w.gpa.v, at(1));
	/* What a leaf maps need not be memory. */
	guestmem_hole(&gm, GPA(0), GPA(0));
	put(at(1), 0xfee00000 | P | A, 8);
	assert_ok(VA, 0, 0xfee00000 + (VA & 0xfff), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_paging_addresses_stay),
		TEST(paging_32_translates),
		TEST(paging_32_large_pages),
		TEST(paging_pae_translates),
		TEST(four_levels_translate),
		TEST(not_present_at_each_level),
		TEST(reserved_bits_of_each_level),
		TEST(reserved_bits_of_large_pages),
		TEST(gigabyte_pages_need_the_feature),
		TEST(nx_needs_nxe),
		TEST(walk_reserved_bits_says_the_same),
		TEST(permissions_follow_the_rules),
		TEST(accessed_and_dirty),
		TEST(dirty_of_a_large_page),
		TEST(flags_of_32_bit_entries),
		TEST(entries_that_change_are_read_again),
		TEST(entries_that_change_without_end),
		TEST(tables_outside_memory),
		TEST(hole_is_outside_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
