/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that were fetched before: comparing what they follow from. */
#include "hv/vm/fetch.h"

#define ROOT_LEVEL    4u
#define CR3_ADDRESS   GENMASK(51, 12)
#define PML4E_SHIFT   36 /* bits 47:39 of an address select one: as an offset in bytes */
#define PML4E_OFFSET  GENMASK(11, 3)
#define SECOND_OFFSET (INSN_MAX - sizeof(u64)) /* of bytes[1]: the two overlap by one */

static inline unsigned index_of(u64 rip)
{
	return (rip >> 2) % FETCH_LINES;
}

/* The entry of the root table that a walk to rip reads. A new CR3 alone changes nothing: address
 * spaces share the tables of their kernel. */
static const u64 *root_entry(const struct fetch_line *line, const struct guestmem *gm, u64 cr3)
{
	if (likely(line->cr3 == cr3))
		return line->step[ROOT_LEVEL].at;
	return guest_at(gm, GPA((cr3 & CR3_ADDRESS) | ((line->rip >> PML4E_SHIFT) & PML4E_OFFSET)));
}

static inline bool step_holds(const struct fetch_line *line, unsigned level)
{
	return READ_ONCE(*line->step[level].at) == line->step[level].entry;
}

/* True if a walk to line->rip would read the same entries. */
static inline bool walk_holds(const struct fetch_line *line, const struct guestmem *gm, u64 cr3)
{
	const u64 *root = root_entry(line, gm, cr3);

	if (!root || READ_ONCE(*root) != line->step[ROOT_LEVEL].entry)
		return false;
	switch (line->level) {
	case 1:
		if (!step_holds(line, 1))
			return false;
		__attribute__((fallthrough));
	case 2:
		if (!step_holds(line, 2))
			return false;
		__attribute__((fallthrough));
	default: return step_holds(line, 3);
	}
}

static inline u64 load(const u8 *p)
{
	u64 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

const struct fetch_line *fetch_repeat(
	const struct fetch_cache *c, const struct guestmem *gm, u64 cr3, u64 rip)
{
	const struct fetch_line *line = &c->line[index_of(rip)];

	if (line->rip != rip || !line->level || line->moved != gm->moved ||
		!walk_holds(line, gm, cr3))
		return NULL;
	if (load(line->insn_at) != line->bytes[0] ||
		load(line->insn_at + SECOND_OFFSET) != line->bytes[1])
		return NULL;
	return line;
}

const struct insn *fetch_recall(
	const struct fetch_cache *c, const struct guestmem *gm, u64 cr3, const struct emul_cpu *cpu)
{
	const struct fetch_line *line = fetch_repeat(c, gm, cr3, cpu->rip);

	return line && line->cr4 == cpu->cr4 && line->cpl == cpu->cpl ? &line->insn : NULL;
}

void fetch_keep(struct fetch_cache *c, const struct guestmem *gm, u64 cr3,
	const struct emul_cpu *cpu, const struct walk *w, const u8 *bytes, unsigned len,
	const struct insn *insn)
{
	struct fetch_line *line = &c->line[index_of(cpu->rip)];

	line->level = 0;
	if (len != INSN_MAX)
		return; /* the page ends before: the next look would be beyond it */
	for (unsigned level = ROOT_LEVEL; level >= w->level; level--) {
		line->step[level].at = guest_at(gm, w->step[level].entry_gpa);
		line->step[level].entry = w->step[level].entry;
		if (!line->step[level].at)
			return;
	}
	line->insn_at = guest_at(gm, w->gpa);
	if (!line->insn_at)
		return;
	line->rip = cpu->rip;
	line->cr3 = cr3;
	line->cr4 = cpu->cr4;
	line->cpl = cpu->cpl;
	line->moved = gm->moved;
	line->bytes[0] = load(bytes);
	line->bytes[1] = load(bytes + SECOND_OFFSET);
	line->insn = *insn;
	line->simple = emul_is_simple(insn);
	line->level = w->level;
}
