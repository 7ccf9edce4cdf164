/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk of a guest's page tables against a second one, written differently: level by level, from
 * the figures of the manual's "Paging" chapter, a function a format. An input is the registers and
 * the access (struct input), then entries: each goes to one place in one of four table pages, and
 * names another of these pages unless it says otherwise. Result, address, error code and the tables
 * afterwards must be the same.
 *
 * Sources: hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/cpu/regs.h"
#include "hv/mmu/walk.h"
#include "tests/fuzz/fuzz.h"

#define RAM    (2 * MB)
#define TABLES 4u
#define BYTES  (TABLES * PAGE_SIZE)

struct input {
	u8 mode;   /* 0: no paging, 1: 32-bit, 2: PAE, 3: 4-level; then PSE, 1 GB pages */
	u8 rights; /* WP, SMEP, SMAP, NXE, AC */
	u8 flags;  /* WALK_* */
	u8 maxphyaddr;
	u64 gva, cr3;
	u64 pdpte[4];
} __packed;

struct entry {
	u16 where; /* table in the low bits, then the index */
	u8 next;   /* the table that it names; 0x80: its address is as it stands */
	u64 value;
} __packed;

static struct guestmem gm;
static struct walk_regs regs;
static unsigned flags;

/* The model's memory, and what it has found. */
static u8 tables[BYTES];
static u64 gpa;
static u32 error;
static bool writable, user, executable;

static bool is_set(u64 v, unsigned bit)
{
	return v >> bit & 1;
}

static u64 bits(u64 v, unsigned high, unsigned low)
{
	return v >> low & (~0ul >> (63 - (high - low)));
}

/* Figure "Page-Fault Error Code" */
static enum walk_result fails(bool present, bool reserved)
{
	error = present | (flags & WALK_WRITE ? 2u : 0) | (flags & WALK_USER ? 4u : 0) |
		(reserved ? 8u : 0);
	if ((flags & WALK_FETCH) &&
		(is_set(regs.cr4, 20) || (is_set(regs.cr4, 5) && is_set(regs.efer, 11))))
		error |= 16;
	return WALK_FAULT;
}

/* An entry of size bytes; false: it is no memory. */
static bool entry_at(u64 at, unsigned size, u64 *e)
{
	*e = 0;
	if (at >= RAM)
		return false;
	if (at < BYTES)
		memcpy(e, tables + at, size);
	return true; /* memory behind the tables is zeros */
}

static void mark(u64 at, unsigned size, bool dirty)
{
	u64 e;

	if ((flags & WALK_PEEK) || at >= BYTES)
		return;
	entry_at(at, size, &e);
	e |= 0x20u | (dirty ? 0x40u : 0);
	memcpy(tables + at, &e, size);
}

/* Sections "Determination of Access Rights" */
static bool may(void)
{
	bool write = flags & WALK_WRITE, fetch = flags & WALK_FETCH;

	if (flags & WALK_USER)
		return user && (fetch ? executable : !write || writable);
	if (fetch)
		return executable && !(user && is_set(regs.cr4, 20));
	if (user && is_set(regs.cr4, 21) && ((flags & WALK_IMPLICIT) || !is_set(regs.rflags, 18)))
		return false;
	return !write || writable || !is_set(regs.cr0, 16);
}

static void gather(u64 e)
{
	writable = writable && is_set(e, 1);
	user = user && is_set(e, 2);
	executable = executable && !is_set(e, 63);
}

/* Bits that are reserved in all entries of eight bytes. */
static bool wide_reserved(u64 e)
{
	for (unsigned bit = regs.maxphyaddr; bit < 52; bit++)
		if (is_set(e, bit))
			return true;
	if (is_set(e, 63) && !is_set(regs.efer, 11))
		return true;
	return !is_set(regs.efer, 10) && bits(e, 62, 52) != 0;
}

/* From a page directory on, entries of eight bytes; at[]: entries so far, to be marked. */
static enum walk_result from_directory(u64 directory, u64 gva, u64 *at, unsigned n)
{
	u64 e;

	at[n] = directory + bits(gva, 29, 21) * 8;
	if (!entry_at(at[n++], 8, &e)) {
		gpa = at[n - 1];
		return WALK_BAD_GPA;
	}
	if (!is_set(e, 0))
		return fails(false, false);
	if (wide_reserved(e) || (is_set(e, 7) && bits(e, 20, 13)))
		return fails(true, true);
	gather(e);
	if (is_set(e, 7)) {
		gpa = bits(e, regs.maxphyaddr - 1, 21) << 21 | bits(gva, 20, 0);
	} else {
		at[n] = (bits(e, regs.maxphyaddr - 1, 12) << 12) + bits(gva, 20, 12) * 8;
		if (!entry_at(at[n++], 8, &e)) {
			gpa = at[n - 1];
			return WALK_BAD_GPA;
		}
		if (!is_set(e, 0))
			return fails(false, false);
		if (wide_reserved(e))
			return fails(true, true);
		gather(e);
		gpa = bits(e, regs.maxphyaddr - 1, 12) << 12 | bits(gva, 11, 0);
	}
	if (!may())
		return fails(true, false);
	for (unsigned i = 0; i < n; i++)
		mark(at[i], 8, i == n - 1 && (flags & WALK_WRITE));
	return WALK_OK;
}

static enum walk_result model_pae(u64 gva)
{
	u64 e = regs.pdpte[bits(gva, 31, 30)], at[2];

	if (!is_set(e, 0))
		return fails(false, false);
	return from_directory(bits(e, regs.maxphyaddr - 1, 12) << 12, gva, at, 0);
}

static enum walk_result model_4level(u64 gva)
{
	u64 at[4], e;

	at[0] = (bits(regs.cr3, regs.maxphyaddr - 1, 12) << 12) + bits(gva, 47, 39) * 8;
	gpa = at[0];
	if (!entry_at(at[0], 8, &e))
		return WALK_BAD_GPA;
	if (!is_set(e, 0))
		return fails(false, false);
	if (wide_reserved(e) || is_set(e, 7))
		return fails(true, true);
	gather(e);
	at[1] = (bits(e, regs.maxphyaddr - 1, 12) << 12) + bits(gva, 38, 30) * 8;
	gpa = at[1];
	if (!entry_at(at[1], 8, &e))
		return WALK_BAD_GPA;
	if (!is_set(e, 0))
		return fails(false, false);
	if (wide_reserved(e) || (is_set(e, 7) && (bits(e, 29, 13) || !regs.page1gb)))
		return fails(true, true);
	gather(e);
	if (!is_set(e, 7))
		return from_directory(bits(e, regs.maxphyaddr - 1, 12) << 12, gva, at, 2);
	gpa = bits(e, regs.maxphyaddr - 1, 30) << 30 | bits(gva, 29, 0);
	if (!may())
		return fails(true, false);
	mark(at[0], 8, false);
	mark(at[1], 8, flags & WALK_WRITE);
	return WALK_OK;
}

static enum walk_result model_32(u64 gva)
{
	u64 pde_at = (bits(regs.cr3, 31, 12) << 12) + bits(gva, 31, 22) * 4, pte_at, e;
	bool large;

	gpa = pde_at;
	if (!entry_at(pde_at, 4, &e))
		return WALK_BAD_GPA;
	if (!is_set(e, 0))
		return fails(false, false);
	large = is_set(e, 7) && is_set(regs.cr4, 4);
	if (large && (is_set(e, 21) || (regs.maxphyaddr < 40 && bits(e, 20, regs.maxphyaddr - 19))))
		return fails(true, true);
	gather(e);
	if (large) {
		gpa = bits(e, 20, 13) << 32 | bits(e, 31, 22) << 22 | bits(gva, 21, 0);
	} else {
		pte_at = (bits(e, 31, 12) << 12) + bits(gva, 21, 12) * 4;
		gpa = pte_at;
		if (!entry_at(pte_at, 4, &e))
			return WALK_BAD_GPA;
		if (!is_set(e, 0))
			return fails(false, false);
		gather(e);
		gpa = bits(e, 31, 12) << 12 | bits(gva, 11, 0);
	}
	if (!may())
		return fails(true, false);
	mark(pde_at, 4, large && (flags & WALK_WRITE));
	if (!large)
		mark(pte_at, 4, flags & WALK_WRITE);
	return WALK_OK;
}

static enum walk_result model(u64 gva)
{
	writable = user = executable = true;
	error = 0;
	if (!is_set(regs.cr0, 31)) {
		gpa = bits(gva, 31, 0);
		return WALK_OK;
	}
	if (is_set(regs.efer, 10))
		return model_4level(gva);
	gva = bits(gva, 31, 0);
	return is_set(regs.cr4, 5) ? model_pae(gva) : model_32(gva);
}

static void load_registers(const struct input *in)
{
	unsigned mode = in->mode & 3;

	flags = in->flags & (WALK_WRITE | WALK_FETCH | WALK_USER | WALK_IMPLICIT | WALK_PEEK);
	if (flags & WALK_FETCH)
		flags &= ~(unsigned)(WALK_WRITE | WALK_IMPLICIT);
	if (flags & WALK_USER)
		flags &= ~(unsigned)WALK_IMPLICIT;
	regs = (struct walk_regs){
		.cr0 = CR0_PE | (mode ? CR0_PG : 0) | (in->rights & 1 ? CR0_WP : 0),
		.cr3 = mode == 3 ? in->cr3 & 0x3fff : (u32)in->cr3 & 0x3fff,
		.cr4 = (mode > 1 ? CR4_PAE : 0) | (in->rights & 2 ? CR4_SMEP : 0) |
		       (in->rights & 4 ? CR4_SMAP : 0) | (in->mode & 4 ? CR4_PSE : 0),
		.efer = (in->rights & 8 && mode > 1 ? EFER_NXE : 0) |
			(mode == 3 ? EFER_LMA | EFER_LME : 0),
		.rflags = in->rights & 16 ? RFLAGS_AC : 0,
		.maxphyaddr = 36 + in->maxphyaddr % 17,
		.page1gb = in->mode & 8,
	};
	for (unsigned i = 0; i < 4; i++)
		regs.pdpte[i] = (in->pdpte[i] & 1) | (in->pdpte[i] & 3 << 12);
}

static void put_entries(const uint8_t *data, size_t size)
{
	unsigned bytes = (regs.cr4 & CR4_PAE) ? 8 : 4;
	struct entry e;

	memset(tables, 0, sizeof(tables));
	for (; size >= sizeof(e); data += sizeof(e), size -= sizeof(e)) {
		memcpy(&e, data, sizeof(e));
		if (!(e.next & 0x80))
			e.value = (e.value & ~GENMASK(51, 12)) | (u64)(e.next % TABLES) << 12;
		memcpy(tables + (e.where % TABLES) * PAGE_SIZE +
				(e.where / TABLES) % (PAGE_SIZE / bytes) * bytes,
			&e.value, bytes);
	}
	CHECK(guest_write(&gm, GPA(0), tables, sizeof(tables)) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static u8 after[BYTES];
	enum walk_result want, got;
	struct input in = { 0 };
	struct walk w;

	if (!gm.slots)
		CHECK(guestmem_add(&gm, GPA(0), RAM) == OK);
	memcpy(&in, data, MIN(size, sizeof(in)));
	load_registers(&in);
	put_entries(data + MIN(size, sizeof(in)), size - MIN(size, sizeof(in)));
	want = model(in.gva);
	got = guest_walk(&gm, &regs, GVA(in.gva), flags, &w);
	CHECK(got == want);
	if (want == WALK_FAULT)
		CHECK(w.error == error);
	else
		CHECK(w.gpa.v == gpa);
	if (want == WALK_OK)
		CHECK(w.writable == writable && w.user == user && w.executable == executable);
	CHECK(guest_read(&gm, GPA(0), after, sizeof(after)) == OK);
	CHECK(memcmp(after, tables, sizeof(after)) == 0);
	return 0;
}
