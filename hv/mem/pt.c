/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walker. An address is cut into an index a level and the offset in the page:
 *
 *   47      39 38      30 29      21 20      12 11         0
 *  +----------+----------+----------+----------+------------+
 *  | level 4  | level 3  | level 2  | level 1  |   offset   |
 *  +----------+----------+----------+----------+------------+
 *
 * map_level() and unmap_level() go through the entries of one table that a range touches: an
 * entry that the range covers as a whole is written, any other is descended into. Only the two
 * ends of a range can be partial, so that at most two paths are ever split or pruned.
 */
#include "hv/mem/pt.h"

static unsigned index_of(u64 va, unsigned level)
{
	return (va >> PT_SHIFT(level)) % PT_ENTRIES;
}

/* The end of what va's entry at this level covers, or end if that comes first. */
static u64 entry_end(u64 va, unsigned level, u64 end)
{
	return MIN(ALIGN_DOWN(va, PT_SPAN(level)) + PT_SPAN(level), end);
}

static u64 *table_of(const struct pt *pt, u64 entry, unsigned level)
{
	return hpa_to_hva(pt->format->address(entry, level));
}

static bool is_table(const struct pt *pt, u64 entry, unsigned level)
{
	return pt->format->present(entry) && !pt->format->is_leaf(entry, level);
}

/*
 * The table and those below it. A processor that has cached the way to it may still walk it: what
 * it finds in the first entry, the next one's address, is not present in any format of hardware.
 */
static void retire(struct pt *pt, u64 *table, unsigned level)
{
	for (unsigned i = 0; level > 1 && i < PT_ENTRIES; i++) {
		if (is_table(pt, table[i], level))
			retire(pt, table_of(pt, table[i], level), level - 1);
	}
	WRITE_ONCE(table[0], pt->retired ? hva_to_hpa(pt->retired).v : 0);
	pt->retired = table;
}

static void free_retired(struct pt *pt, unsigned most)
{
	for (; pt->retired && most; most--) {
		u64 *table = pt->retired, next = table[0];

		pt->retired = next ? hpa_to_hva(HPA(next)) : NULL;
		page_free(table, PAGE_ORDER_4K, pt->owner);
	}
}

void pt_free_retired(struct pt *pt)
{
	free_retired(pt, ~0u);
}

/* The one writer of entries: what hung below the old one is retired. */
static void set_entry(struct pt *pt, u64 *e, unsigned level, u64 value)
{
	u64 old = *e;

	if (old == value)
		return;
	barrier(); /* The processor may walk the tables: what the entry points to is complete first.
		    */
	WRITE_ONCE(*e, value);
	if (!pt->format->present(old))
		return;
	pt->changes++;
	if (!pt->format->is_leaf(old, level))
		retire(pt, table_of(pt, old, level), level - 1);
}

/* The table below *e; made if there is none, and made of the pieces of a large page. NULL: no
 * memory. */
static u64 *descend(struct pt *pt, u64 *e, unsigned level)
{
	const struct pt_format *f = pt->format;
	u64 *table;

	if (is_table(pt, *e, level))
		return table_of(pt, *e, level);
	table = page_alloc(PAGE_ORDER_4K, pt->owner);
	if (!table)
		return NULL;
	for (u64 i = 0; f->present(*e) && i < PT_ENTRIES; i++) {
		hpa_t pa = HPA(f->address(*e, level).v + i * PT_SPAN(level - 1));

		table[i] = f->leaf(pa, level - 1, f->attr(*e));
	}
	set_entry(pt, e, level, f->table(hva_to_hpa(table)));
	return table;
}

static enum status map_level(
	struct pt *pt, u64 *table, unsigned level, u64 va, u64 end, hpa_t pa, u64 attr)
{
	enum status st = OK;
	u64 next;

	for (; va < end && st == OK; pa.v += next - va, va = next) {
		u64 *e = &table[index_of(va, level)];

		next = entry_end(va, level, end);
		if (level <= pt->max_leaf && next - va == PT_SPAN(level) &&
			IS_ALIGNED(pa.v, PT_SPAN(level))) {
			set_entry(pt, e, level, pt->format->leaf(pa, level, attr));
			continue;
		}

		u64 *below = descend(pt, e, level);

		st = below ? map_level(pt, below, level - 1, va, next, pa, attr) : ERR_NOMEM;
	}
	return st;
}

static bool is_empty(const struct pt *pt, const u64 *table)
{
	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		if (pt->format->present(table[i]))
			return false;
	}
	return true;
}

static enum status unmap_level(struct pt *pt, u64 *table, unsigned level, u64 va, u64 end)
{
	enum status st = OK;
	u64 next;

	for (; va < end && st == OK; va = next) {
		u64 *e = &table[index_of(va, level)];

		next = entry_end(va, level, end);
		if (!pt->format->present(*e))
			continue;
		if (next - va == PT_SPAN(level)) {
			set_entry(pt, e, level, 0);
			continue;
		}

		u64 *below = descend(pt, e, level);

		if (!below)
			return ERR_NOMEM;
		st = unmap_level(pt, below, level - 1, va, next);
		if (is_empty(pt, below))
			set_entry(pt, e, level, 0);
	}
	return st;
}

/* va without its sign extension; false if it is not canonical. */
static bool strip_sign(const struct pt *pt, u64 *va)
{
	unsigned bits = PT_SHIFT(pt->format->levels + 1);
	u64 sign = *va >> (bits - 1);

	if (sign > 1 && sign != ~0ul >> (bits - 1))
		return false;
	*va &= GENMASK(bits - 1, 0);
	return true;
}

static enum status check_range(const struct pt *pt, u64 *va, u64 len)
{
	if (!IS_ALIGNED(*va | len, PAGE_SIZE))
		return ERR_INVAL;
	if (!strip_sign(pt, va) || len > PT_SPAN(pt->format->levels + 1) - *va)
		return ERR_RANGE;
	return OK;
}

enum status pt_map(struct pt *pt, u64 va, hpa_t pa, u64 len, u64 attr)
{
	enum status st = check_range(pt, &va, len);

	if (st == OK && !IS_ALIGNED(pa.v, PAGE_SIZE))
		st = ERR_INVAL;
	if (st != OK)
		return st;
	return map_level(pt, pt->root, pt->format->levels, va, va + len, pa, attr);
}

enum status pt_unmap(struct pt *pt, u64 va, u64 len)
{
	enum status st = check_range(pt, &va, len);

	if (st != OK)
		return st;
	return unmap_level(pt, pt->root, pt->format->levels, va, va + len);
}

void pt_lookup(const struct pt *pt, u64 va, struct pt_entry *out, u64 *trail)
{
	const struct pt_format *f = pt->format;
	const u64 *table = pt->root;
	unsigned level = f->levels;

	*out = (struct pt_entry){ .level = level };
	for (unsigned i = 0; trail && i <= PT_LEVELS_MAX; i++)
		trail[i] = 0;
	if (!strip_sign(pt, &va))
		return;
	for (;; level--) {
		u64 e = READ_ONCE(table[index_of(va, level)]);

		out->entry = e;
		out->level = level;
		if (trail)
			trail[level] = e;
		if (!is_table(pt, e, level))
			break;
		table = table_of(pt, e, level);
	}
	out->present = f->present(out->entry);
	if (out->present)
		out->pa = HPA(f->address(out->entry, level).v + va % PT_SPAN(level));
}

enum status pt_init(
	struct pt *pt, const struct pt_format *format, unsigned max_leaf, enum page_owner owner)
{
	*pt = (struct pt){ .format = format, .owner = owner, .max_leaf = max_leaf };
	pt->root = page_alloc(PAGE_ORDER_4K, owner);
	return pt->root ? OK : ERR_NOMEM;
}

bool pt_destroy_step(struct pt *pt)
{
	if (pt->root)
		retire(pt, pt->root, pt->format->levels);
	pt->root = NULL;
	free_retired(pt, PAGE_FREE_STEP);
	return !pt->retired;
}
