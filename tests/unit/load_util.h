/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of guest loaders: a guest's memory, a request, and looks at the result. */
#ifndef TESTS_UNIT_LOAD_UTIL_H
#define TESTS_UNIT_LOAD_UTIL_H

#include <elf.h>
#undef PF_W /* a page-fault bit in hv/cpu/regs.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/vm/load.h"
#include "tests/unit/destroy.h"

#define TEST_MEM  (64 * MB)
#define TEST_RSDP 0xe0000ul

struct load_test {
	struct guestmem gm;
	struct load_request req;
	struct vcpu_state state;
	char err[LOADER_ERR_MAX];
	u8 *image; /* a copy of exactly the image's size, so that reading past it is seen */
};

static inline void load_test_open(struct load_test *t, u64 mem, const void *image, size_t size)
{
	*t = (struct load_test){ .image = malloc(size ? size : 1) };
	memcpy(t->image, image, size);
	assert_int_equal(guestmem_add(&t->gm, GPA(0), load_low_end(mem)), OK);
	guestmem_hole(&t->gm, GPA(LAYOUT_HOLE_START), GPA(LAYOUT_HOLE_END));
	t->req = (struct load_request){ .gm = &t->gm,
		.mem = mem,
		.rsdp = GPA(TEST_RSDP),
		.kernel = { t->image, size, "" },
		.cmdline = "console=ttyS0" };
}

static inline void load_test_close(struct load_test *t)
{
	guestmem_destroy(&t->gm);
	free(t->image);
}

/* Of a kernel for x86-64, with its program headers behind it. */
static inline Elf64_Ehdr elf64_header(u64 entry, u16 programs)
{
	return (Elf64_Ehdr){ .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
				     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = entry,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = programs };
}

static inline void peek(struct load_test *t, u64 gpa, void *to, size_t len)
{
	assert_int_equal(guest_read(&t->gm, GPA(gpa), to, len), OK);
}

static inline u32 peek32(struct load_test *t, u64 gpa)
{
	u32 v;

	peek(t, gpa, &v, sizeof(v));
	return v;
}

static inline u64 peek64(struct load_test *t, u64 gpa)
{
	u64 v;

	peek(t, gpa, &v, sizeof(v));
	return v;
}

static inline void want_string(struct load_test *t, u64 gpa, const char *want)
{
	char got[LOADER_CMDLINE_MAX + 1];

	peek(t, gpa, got, strlen(want) + 1);
	assert_string_equal(got, want);
}

static inline void expect_loads(struct load_test *t, const char *boot)
{
	enum status st = load_image(boot, &t->req, &t->state, t->err);

	if (st)
		fail_msg("refused: %s", t->err);
}

/* The sentence must contain the words. */
static inline void expect_refused(
	struct load_test *t, const char *boot, enum status why, const char *words)
{
	enum status st = load_image(boot, &t->req, &t->state, t->err);

	assert_int_not_equal(st, OK);
	if (!strstr(t->err, words))
		fail_msg("the sentence is \"%s\", expected \"...%s...\"", t->err, words);
	assert_int_equal(st, why);
}

/* So is the image if it ends there, where its memory does. */
static inline void expect_refused_cut(struct load_test *t, const char *boot, size_t size)
{
	u8 *copy = malloc(size ? size : 1);

	memcpy(copy, t->image, size);
	t->req.kernel = (struct blob){ copy, size, "" };
	assert_int_not_equal(load_image(boot, &t->req, &t->state, t->err), OK);
	free(copy);
}

/* The entry state that boot protocols without paging ask for. */
static inline void expect_entry32(const struct load_test *t, u32 eip)
{
	const struct vcpu_state *s = &t->state;

	assert_int_equal(s->rip, eip);
	assert_int_equal(s->rflags, RFLAGS_R1);
	assert_int_equal(s->cr0 & (CR0_PE | CR0_PG), CR0_PE);
	assert_int_equal(s->cr4, 0);
	assert_int_equal(s->efer, 0);
	assert_int_equal(s->seg[SEG_CS].base, 0);
	assert_int_equal(s->seg[SEG_CS].limit, 0xffffffff);
	assert_int_equal(s->seg[SEG_CS].ar, 0xc09b);
	assert_int_equal(s->seg[SEG_SS].ar, 0xc093);
	assert_int_equal(s->seg[SEG_TR].ar, 0x8b);
	assert_int_equal(s->seg[SEG_TR].limit, 0x67);
	assert_int_equal(s->seg[SEG_LDTR].ar, SEG_AR_UNUSABLE);
}

/* Long mode, IF off, the first 4 GB identity mapped, and a GDT that agrees with the segments. */
static inline void expect_entry64(struct load_test *t, u64 rip)
{
	const struct vcpu_state *s = &t->state;
	static const u64 probe[] = { 0, 0x1234567, 0x3fffffff, 0x40000000, 0xbfffffff, 0xffffffff };

	assert_int_equal(s->rip, rip);
	assert_int_equal(s->rflags, RFLAGS_R1);
	assert_int_equal(s->cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	assert_int_equal(s->cr4 & CR4_PAE, CR4_PAE);
	assert_int_equal(s->efer, EFER_LME | EFER_LMA);
	assert_int_equal(s->seg[SEG_CS].ar, 0xa09b);
	assert_int_equal(s->seg[SEG_CS].selector, 0x10);
	assert_int_equal(s->seg[SEG_DS].selector, 0x18);
	assert_int_equal(s->seg[SEG_SS].ar, 0xc093);
	assert_int_equal(s->seg[SEG_TR].ar, 0x8b);
	assert_int_equal(peek64(t, s->gdtr.base + 0x10), 0x00af9b000000ffff);
	assert_int_equal(peek64(t, s->gdtr.base + 0x18), 0x00cf93000000ffff);
	for (size_t i = 0; i < ARRAY_SIZE(probe); i++) {
		u64 e4 = peek64(t, s->cr3 + (probe[i] >> 39) * 8);
		u64 e3 = peek64(t, (e4 & PAGE_MASK) + (probe[i] >> 30) * 8);
		u64 e2 = peek64(t, (e3 & PAGE_MASK) + (probe[i] >> 21 & 511) * 8);

		assert_int_equal(e4 & 0xfff, 3);
		assert_int_equal(e3 & 0xfff, 3);
		assert_int_equal(e2, ALIGN_DOWN(probe[i], 2 * MB) | 0x83);
	}
}

#endif
