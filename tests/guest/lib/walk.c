/* SPDX-License-Identifier: BSD-2-Clause */
/* The model of a walk through 4-level page tables. */
#include "tests/guest/lib/walk.h"

bool access_allowed(
	const struct paging_mode *m, const struct access *a, bool write, bool w, bool u, bool nx)
{
	if (a->user)
		return u && !(write && !w) && !(a->fetch && nx);
	if (a->fetch)
		return !nx && !(u && m->smep);
	if (u && m->smap && (a->implicit || !m->ac))
		return false;
	return !write || w || !m->wp;
}

u64 access_error(const struct paging_mode *m, const struct access *a, u64 why)
{
	return why | (a->write ? PF_W : 0) | (a->user ? PF_U : 0) |
	       (a->fetch && (m->smep || m->nxe) ? PF_I : 0);
}

/* PS makes a leaf of level 2, and of level 3 where the processor has pages of 1 GB. */
static bool is_leaf(u64 entry, unsigned level)
{
	static int large_3 = -1;

	if (large_3 < 0)
		large_3 = has_1g_pages();
	return level == 1 || ((entry & PTE_PS) && (level == 2 || (level == 3 && large_3)));
}

u64 entry_reserved(const struct paging_mode *m, u64 entry, unsigned level)
{
	u64 reserved = PTE_RSVD | (m->nxe ? 0 : PTE_NX);

	if (level > 1 && is_leaf(entry, level))
		reserved |= GENMASK(12 + 9 * (level - 1) - 1, 13); /* bit 12 is PAT */
	else if (level > 2)
		reserved |= PTE_PS;
	return entry & reserved;
}

static void fault(
	const struct paging_mode *m, const struct access *a, struct model_walk *w, u64 why)
{
	w->fault = true;
	w->error = access_error(m, a, why);
}

/* "Accessed and Dirty Flags": where the access goes ahead, what it used is accessed, and what it
 * wrote is dirty; where it faults, A of valid entries may be set early, and D never is. */
static void flags(const struct access *a, struct model_walk *w)
{
	for (unsigned l = 4; l >= w->level; l--)
		w->step[l].must = w->step[l].may |= PTE_A;
	if (a->write)
		w->step[w->level].must = w->step[w->level].may |= PTE_D;
}

void model_walk(const struct paging_mode *m, const struct access *a, u64 va, struct model_walk *w)
{
	bool writable = true, user = true, nx = false;
	u64 table = read_cr3() & PTE_ADDR, e;

	*w = (struct model_walk){ 0 };
	for (w->level = 4;; w->level--) {
		struct model_step *s = &w->step[w->level];

		if (table >= guest_ram) {
			w->outside = true;
			return;
		}
		s->at = (u64 *)table + table_index(va, w->level);
		s->before = e = *(volatile u64 *)s->at;
		if (!(e & PTE_P) || entry_reserved(m, e, w->level)) {
			fault(m, a, w, e & PTE_P ? PF_P | PF_RSVD : 0);
			return;
		}
		s->may = PTE_A;
		writable &= !!(e & PTE_W);
		user &= !!(e & PTE_U);
		nx |= !!(e & PTE_NX);
		if (is_leaf(e, w->level))
			break;
		table = e & PTE_ADDR;
	}
	if (!access_allowed(m, a, a->write, writable, user, nx)) {
		fault(m, a, w, PF_P);
		return;
	}
	flags(a, w);
	w->pa = (e & PTE_ADDR & ~(BIT(12 + 9 * (w->level - 1)) - 1)) |
		(va & (BIT(12 + 9 * (w->level - 1)) - 1));
}
