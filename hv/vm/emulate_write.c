/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short path for the exit that shadow paging has most of: a write to a page table. The
 * instruction is one that exited before, in 64-bit mode and simple; the place that it writes to is
 * the one that the exit is about. All else goes the long way (emulate.c).
 */
#include "hv/emul/insn.h"
#include "hv/vm/vm.h"

bool vcpu_emulate_write(struct vcpu *v, const struct mmu_fault *f)
{
	const struct guestmem *gm = &v->vm->mem;
	const struct fetch_line *line;
	struct vcpu_position at;
	const struct insn *insn;
	void *place;

	v->ops->get_position(v, &at);
	if (unlikely(!at.is_64))
		return false;
	line = fetch_repeat(&v->fetched, gm, at.cr3, at.rip);
	if (unlikely(!line || !line->simple))
		return false;
	insn = &line->insn;
	/* In one page, aligned; and the operand itself, not something that the processor wrote. */
	if (unlikely((f->gva.v & (insn->opsize - 1u)) ||
		     emul_simple_address(insn, v->gpr, at.rip) != f->gva.v))
		return false;
	place = guest_place(gm, f->gpa);
	if (unlikely(!place))
		return false;
	emul_simple(insn, v->gpr, &at.rflags, place);
	v->ops->retire(v, at.rip + insn->len, at.rflags);
	guest_written(gm, f->gpa, insn->opsize);
	return true;
}
