/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who points to a frame (the entries that map it writable) or to a shadow page (the links to it).
 * Nearly always that is one entry, whose name is stored in place; more of them make a chain:
 *
 *   refs_t   0             nobody
 *            id            one entry
 *            CHAIN | n  -> node n { entry, next } -> node { entry, next } -> 0
 *
 * Both the number of nodes of a VM and the length of a chain are bounded. Where a bound is reached,
 * older references are dropped: their entries are cleared and will be filled again on a fault, so
 * that a guest that maps one page a hundred thousand times slows down itself and nobody else.
 */
#include "hv/ctl/log.h"
#include "hv/mmu/shadow_priv.h"

#define CHAIN	  BIT(31)
#define DEPTH_MAX 64u

void refs_init(struct shadow *s)
{
	/* Node 0 is not used: 0 ends a chain. */
	for (unsigned n = 1; n < s->nodes; n++)
		s->node[n].next = n + 1 < s->nodes ? (n + 1) & 0xffffffu : 0;
	s->free_node = s->nodes > 1 ? 1 : 0;
}

static u32 take_node(struct shadow *s)
{
	u32 n = s->free_node;

	if (n)
		s->free_node = s->node[n].next;
	return n;
}

static void free_node(struct shadow *s, u32 n)
{
	s->node[n].next = s->free_node & 0xffffffu;
	s->free_node = n;
}

static unsigned depth(const struct shadow *s, refs_t r)
{
	return r & CHAIN ? s->node[r & ~(u32)CHAIN].depth : 0;
}

static void push(struct shadow *s, refs_t *r, u32 n, entry_id id)
{
	s->node[n] = (struct refs_node){
		.entry = id,
		.depth = (depth(s, *r) + 1) & 0xff,
		.next = (*r & ~(u32)CHAIN) & 0xffffffu,
	};
	*r = (u32)CHAIN | n;
}

/* One entry in place becomes a chain of one node. */
static bool make_chain(struct shadow *s, refs_t *r)
{
	entry_id only = *r;
	u32 n;

	if (only & CHAIN)
		return true;
	n = take_node(s);
	if (!n)
		return false;
	*r = 0;
	push(s, r, n, only);
	return true;
}

void refs_add_more(
	struct shadow *s, refs_t *r, entry_id id, void (*drop)(struct shadow *s, entry_id id))
{
	entry_id other;
	u32 n;

	if (depth(s, *r) >= DEPTH_MAX)
		while (refs_first(s, *r, &other))
			drop(s, other);
	while (*r) {
		n = make_chain(s, r) ? take_node(s) : 0;
		if (n) {
			push(s, r, n, id);
			return;
		}
		if (refs_first(s, *r, &other))
			drop(s, other);
	}
	*r = id;
}

/* A chain of one node goes back in place. */
static void shorten(struct shadow *s, refs_t *r)
{
	u32 n = *r & ~(u32)CHAIN;
	entry_id only = s->node[n].entry;

	if (s->node[n].next)
		return;
	free_node(s, n);
	*r = only;
}

void refs_del_more(struct shadow *s, refs_t *r, entry_id id)
{
	u32 n, before = 0;

	if (!(*r & CHAIN)) {
		BUG_ON(*r != id);
		*r = 0;
		return;
	}
	for (n = *r & ~(u32)CHAIN; n && s->node[n].entry != id; n = s->node[n].next)
		before = n;
	BUG_ON(!n);
	if (before)
		s->node[before].next = s->node[n].next;
	else
		*r = s->node[n].next ? (u32)CHAIN | s->node[n].next : 0;
	free_node(s, n);
	if (*r)
		shorten(s, r);
}

void refs_clear(struct shadow *s, refs_t *r)
{
	u32 n = *r & CHAIN ? *r & ~(u32)CHAIN : 0, next;

	for (; n; n = next) {
		next = s->node[n].next;
		free_node(s, n);
	}
	*r = 0;
}

bool refs_first(const struct shadow *s, refs_t r, entry_id *id)
{
	if (!r)
		return false;
	*id = r & CHAIN ? s->node[r & ~(u32)CHAIN].entry : r;
	return true;
}

bool refs_any(struct shadow *s, refs_t r, bool (*fn)(struct shadow *s, entry_id id))
{
	if (!r || !(r & CHAIN))
		return r && fn(s, r);
	for (u32 n = r & ~(u32)CHAIN; n; n = s->node[n].next)
		if (fn(s, s->node[n].entry))
			return true;
	return false;
}

bool refs_has(const struct shadow *s, refs_t r, entry_id id)
{
	if (!(r & CHAIN))
		return r && r == id;
	for (u32 n = r & ~(u32)CHAIN; n; n = s->node[n].next)
		if (s->node[n].entry == id)
			return true;
	return false;
}

unsigned refs_count(const struct shadow *s, refs_t r)
{
	unsigned count = 0;

	if (!(r & CHAIN))
		return r != 0;
	for (u32 n = r & ~(u32)CHAIN; n; n = s->node[n].next)
		count++;
	return count;
}
