/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that were fetched before. Where the bytes at RIP are and what they mean are
 * functions of what is in the registers and in guest memory, and an instruction that exits once
 * exits again. So both results are kept with what they follow from, and hold while that is found
 * unchanged:
 *
 *   RIP, CR4, CPL, entries of the guest's tables --guest_walk()--> gpa
 *   bytes at gpa, mode                                 --emul_decode()--> struct insn
 *
 * It all is looked at each time, so nothing has to be told when it changes. EFER.NXE is not among
 * it: it matters to entries with NX alone, and nothing was ever fetched through one. For 64-bit
 * code only, which is where exits are frequent.
 */
#ifndef HV_VM_FETCH_H
#define HV_VM_FETCH_H

#include "hv/emul/insn.h"
#include "hv/mmu/walk.h"

#define FETCH_LINES 8

struct fetch_line {
	u64 rip, cr3, cr4;
	u64 moved; /* of guest memory, when it was kept: what follows points into it */
	unsigned cpl;
	unsigned level; /* of the leaf; 0: nothing is kept here */
	struct {
		const u64 *at; /* in guest memory */
		u64 entry;
	} step[5]; /* by level, from the root's to the leaf's */
	const u8 *insn_at;
	u64 bytes[2]; /* there: the first eight, and the last of INSN_MAX */
	bool simple;  /* emul_is_simple() */
	struct insn insn;
};

/* All zeros: empty. */
struct fetch_cache {
	struct fetch_line line[FETCH_LINES];
};

/* fetch_recall(): the instruction at cpu->rip, good until the next fetch_keep(); NULL: not known,
 * or not known to be the same. cpu is in 64-bit mode. */
const struct insn *fetch_recall(const struct fetch_cache *c, const struct guestmem *gm, u64 cr3,
	const struct emul_cpu *cpu);

/* fetch_repeat(): the same, but rights are not looked at: for an instruction that the processor has
 * fetched by itself and began to execute, in 64-bit mode. */
const struct fetch_line *fetch_repeat(
	const struct fetch_cache *c, const struct guestmem *gm, u64 cr3, u64 rip);

/* fetch_keep(): insn was decoded from bytes[0..len), read at w->gpa, which w, a walk to cpu->rip in
 * 64-bit mode that was not WALK_PEEK, yielded. */
void fetch_keep(struct fetch_cache *c, const struct guestmem *gm, u64 cr3,
	const struct emul_cpu *cpu, const struct walk *w, const u8 *bytes, unsigned len,
	const struct insn *insn);

#endif
