/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The auditor: every shadow entry is derived anew from the guest's tables and compared, and every
 * reference is counted from both ends. What may differ: an entry may be less than it could be (a
 * trap, or a leaf without W). A table that is out of sync is compared as it was seen.
 */
#include "hv/ctl/log.h"
#include "hv/mmu/shadow_priv.h"

#define LOGGED_MAX 8u

struct audit {
	struct shadow *s;
	unsigned found;
	u64 references; /* seen from the entries */
};

static bool out_of_sync(struct shadow *s, const struct spage *p)
{
	const struct frame *f = p->role.direct ? NULL : shadow_frame(s, p->gfn);

	return f && f->unsync;
}

static void complain(struct audit *a, const struct spage *p, unsigned i, const char *what, u64 want)
{
	if (a->found++ < LOGGED_MAX)
		log_err("shadow audit: page %lu (gfn %#lx, level %u%s%s) entry %u: %s: is %#lx, "
			"should be %#lx",
			(u64)(p - a->s->page), p->gfn, p->role.level,
			p->role.direct ? ", direct" : "",
			out_of_sync(a->s, p) ? ", out of sync" : "", i, what, p->table[i], want);
}

/* A table that is followed at each write; what is obsolete follows nothing. */
static bool is_followed(struct shadow *s, u64 gfn)
{
	if (!frame_in_sync(frame_known(s, gfn)))
		return false;
	for (u32 n = page_first(s, gfn); n; n = page_next(s, n))
		if (!spage_obsolete(s, &s->page[n]))
			return true;
	return false;
}

static void audit_reference(struct audit *a, const struct spage *p, unsigned i)
{
	struct shadow *s = a->s;
	entry_id id = id_of(s, p, i);
	u64 e = p->table[i];
	const struct frame *f;

	if (e & SPTE_LINK) {
		const struct spage *child = &s->page[p->target[i]];

		a->references++;
		if (!child->in_use || (e & SPTE_ADDR) != hva_to_hpa(child->table).v)
			complain(a, p, i, "links to no page, or another", 0);
		else if (!refs_has(s, child->parents, id))
			complain(a, p, i, "is not among its page's parents", e);
		return;
	}
	f = shadow_frame(s, p->target[i]);
	if (!f || (e & SPTE_ADDR) >> PAGE_SHIFT != f->hfn) {
		complain(a, p, i, "maps another frame than its own", f ? f->hfn : 0);
	} else if (e & SPTE_W) {
		a->references++;
		if (is_followed(s, p->target[i]))
			complain(a, p, i, "makes a table in sync writable", e & ~SPTE_W);
		if (!refs_has(s, f->writers, id))
			complain(a, p, i, "is not among its frame's writers", e);
	}
}

static void audit_entry(struct audit *a, const struct spage *p, const void *table, unsigned i)
{
	struct shadow *s = a->s;
	u64 e = p->table[i], want;
	u32 target;

	if (shadow_is_vtlb(s) || spage_obsolete(s, p))
		return; /* may be behind, until the guest flushes, or for ever */
	if (!spte_live(e)) {
		/* 0 says something of the guest's, a trap does not. */
		if (e == 0 && s->trap &&
			(p->role.direct || (shadow_guest_entry(s, p, table, i) & SPTE_P)))
			complain(a, p, i, "says not present", s->trap);
		return;
	}
	want = shadow_derive(s, p, table, i, &target);
	if ((e ^ want) & ~(SPTE_W | SPTE_D | SPTE_HELD) || (e & ~want & SPTE_W) ||
		((e & SPTE_HELD) && !(want & (SPTE_W | SPTE_HELD))) || p->target[i] != target)
		complain(a, p, i, "is not what follows from the guest's", want);
}

static void audit_page(struct audit *a, const struct spage *p)
{
	const void *table = p->role.direct ? NULL : unsync_followed(a->s, p);
	const struct frame *f = shadow_frame(a->s, p->gfn);

	if (!p->role.direct && !(f && f->table))
		complain(a, p, 0, "its frame is no table", 0);
	for (unsigned i = 0; i < SHADOW_ENTRIES; i++) {
		if (table || p->role.direct)
			audit_entry(a, p, table, i);
		if (spte_live(p->table[i]))
			audit_reference(a, p, i);
		if (!p->table[i] == !!(p->known[i / 64] & BIT(i % 64)))
			complain(a, p, i, "and the page's list of entries disagree", 0);
	}
}

unsigned shadow_audit_page(struct shadow *s, const struct spage *p)
{
	struct audit a = { .s = s };

	audit_page(&a, p);
	return a.found;
}

static u64 count_references(struct shadow *s)
{
	u64 n = 0;

	for (u32 i = 1; i < s->fresh; i++)
		n += refs_count(s, s->page[i].in_use ? s->page[i].parents : 0);
	for (unsigned r = 0; r < s->ranges; r++)
		for (u64 i = 0; i < s->range[r].count; i++)
			n += refs_count(s, s->range[r].frame[i].writers);
	return n;
}

unsigned shadow_audit(struct shadow *s)
{
	struct audit a = { .s = s };
	u32 pages = 0, obsolete = 0;

	for (u32 n = 1; n < s->fresh; n++)
		if (s->page[n].in_use) {
			audit_page(&a, &s->page[n]);
			pages++;
			obsolete += spage_obsolete(s, &s->page[n]);
		}
	if (pages != s->in_use || obsolete != s->obsolete || count_references(s) != a.references) {
		log_err("shadow audit: %u pages in use, counted %u; %u obsolete, counted %u; %lu "
			"references, counted %lu",
			s->in_use, pages, s->obsolete, obsolete, count_references(s), a.references);
		a.found++;
	}
	return a.found;
}
