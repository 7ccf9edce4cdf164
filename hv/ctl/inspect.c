/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers, memory, and the walks through page tables. */
#include "hv/ctl/inspect.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/regs.h"
#include "hv/ctl/commands.h"
#include "hv/lib/printf.h"
#include "hv/vm/look.h"
#include "hv/vm/vm.h"

#define BYTES_A_LINE  16u
#define EXAMINED      64u /* unless it is said how many */
#define GPRS_PER_LINE 4

static const char *const gpr_names[] = {
	[RAX] = "rax",
	[RBX] = "rbx",
	[RCX] = "rcx",
	[RDX] = "rdx",
	[RSI] = "rsi",
	[RDI] = "rdi",
	[RBP] = "rbp",
	[RSP] = "rsp",
	[R8] = "r8",
	[R9] = "r9",
	[R10] = "r10",
	[R11] = "r11",
	[R12] = "r12",
	[R13] = "r13",
	[R14] = "r14",
	[R15] = "r15",
};

/* ---- registers ---- */

static void segment_row(struct out *o, struct vcpu *v, enum seg i)
{
	static const char *const names[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
	struct segment s;

	v->ops->get_segment(v, i, &s);
	out_row(o);
	out_text(o, "segment", "%s", names[i]);
	out_hex(o, "selector", s.selector);
	out_hex(o, "base", s.base);
	out_hex(o, "limit", s.limit);
	out_hex(o, "access", s.ar);
	out_row_end(o);
}

void inspect_regs(struct out *o, struct vcpu *v)
{
	static const struct {
		const char *name;
		enum vcpu_reg reg;
	} control[] = {
		{ "rip", VREG_RIP },
		{ "rflags", VREG_RFLAGS },
		{ "cr0", VREG_CR0 },
		{ "cr3", VREG_CR3 },
		{ "cr4", VREG_CR4 },
		{ "efer", VREG_EFER },
	};

	out_group(o, "registers", GPRS_PER_LINE);
	for (unsigned i = 0; i < ARRAY_SIZE(gpr_names); i++)
		out_hex(o, gpr_names[i], i == RSP ? v->ops->get(v, VREG_RSP) : v->gpr[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(control); i++)
		out_hex(o, control[i].name, v->ops->get(v, control[i].reg));
	out_hex(o, "cr2", read_cr2());
	out_group_end(o);
	out_table(o, "segments");
	for (unsigned i = 0; i < SEG_COUNT; i++)
		segment_row(o, v, (enum seg)i);
	out_table_end(o);
}

bool run_regs(struct call *c)
{
	inspect_regs(&c->out, c->v);
	return true;
}

/* ---- walks ---- */

static void rights(char text[5], bool write, bool user, bool execute)
{
	snprintf(text, 5, "r%c%c%c", write ? 'w' : '-', execute ? 'x' : '-', user ? 'u' : '-');
}

/* The levels that the walk saw, and what it came to. */
static void guest_table(
	struct out *o, const struct walk_regs *r, const struct walk *w, enum walk_result how)
{
	bool four = r->efer & EFER_LMA, pae = r->cr4 & CR4_PAE;
	unsigned top = !(r->cr0 & CR0_PG) ? 0 : four ? 4 : pae ? 3 : 2;
	char text[5];

	out_table(o, "guest");
	for (unsigned level = top; level && level >= w->level; level--) {
		if (!w->step[level].entry_gpa.v && !w->step[level].entry)
			continue; /* the PDPTEs are registers; or it did not come so far */
		out_row(o);
		out_number(o, "level", level);
		out_hex(o, "at", w->step[level].entry_gpa.v);
		out_hex(o, "entry", w->step[level].entry);
		out_row_end(o);
	}
	out_table_end(o);
	if (how == WALK_OK) {
		rights(text, w->writable, w->user, w->executable);
		out_hex(o, "gpa", w->gpa.v);
		out_text(o, "guest_rights", "%s", text);
	} else if (how == WALK_FAULT) {
		out_text(o, "guest_fault", "page fault, error code 0x%x", w->error);
	} else {
		out_text(o, "guest_fault", "a table lies outside its memory, at gpa 0x%lx",
			w->gpa.v);
	}
}

static void our_table(struct out *o, struct vcpu *v, gpa_t gpa, gva_t gva)
{
	const struct mmu_ops *ops = v->vm->mmu->ops;
	struct mmu_step step[MMU_STEPS_MAX];
	unsigned n = ops->walk(v, gpa, gva, step);

	out_table(o, ops->name);
	for (unsigned i = 0; i < n; i++) {
		const struct mmu_step *s = &step[i];

		out_row(o);
		out_number(o, "level", s->level);
		out_hex(o, "entry", s->entry);
		out_text(o, "leads_to", "%s", !s->present ? "nothing" : s->leaf ? "page" : "table");
		out_hex(o, "hpa", s->present ? s->hpa.v : 0);
		out_text(o, "rights", "%s%s%s", s->access & MMU_R ? "r" : "-",
			s->access & MMU_W ? "w" : "-", s->access & MMU_X ? "x" : "-");
		out_row_end(o);
	}
	out_table_end(o);
}

void inspect_walk(struct out *o, struct vcpu *v, gva_t gva)
{
	struct walk w = { 0 };
	struct walk_regs r;
	struct mmu_view view;
	enum walk_result how;

	look_regs(v, &r);
	if (!look_canonical(&r, gva)) {
		out_text(o, "guest_fault", "0x%lx is no linear address", gva.v);
		return;
	}
	how = guest_walk(&v->vm->mem, &r, gva, WALK_PEEK, &w);
	guest_table(o, &r, &w, how);
	v->vm->mmu->ops->view(v, &view);
	if (how == WALK_OK || !view.two_level)
		our_table(o, v, w.gpa, gva);
}

bool run_walk(struct call *c)
{
	inspect_walk(&c->out, c->v, GVA(c->arg[1].number));
	return true;
}

/* ---- memory ---- */

static void hex(char *text, const u8 *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	text[2 * n] = '\0';
}

void inspect_bytes(struct out *o, const char *key, struct vcpu *v, gva_t gva, unsigned count)
{
	u8 bytes[BYTES_A_LINE];
	char text[2 * BYTES_A_LINE + 1];

	hex(text, bytes, look_read(v, gva, bytes, MIN(count, BYTES_A_LINE)));
	out_text(o, key, "%s", text);
}

bool run_examine(struct call *c)
{
	unsigned count = c->arg[2].given ? (unsigned)c->arg[2].number : EXAMINED;
	u64 at = c->arg[1].number;
	u8 bytes[EXAMINE_MAX];
	char text[2 * BYTES_A_LINE + 1];
	size_t n = look_read(c->v, GVA(at), bytes, count);

	if (!n)
		return call_fail(c, "VM %s has no memory at 0x%lx", c->vm->cfg.name, at);
	out_table(&c->out, "memory");
	for (size_t i = 0; i < n; i += BYTES_A_LINE) {
		hex(text, bytes + i, MIN(n - i, (size_t)BYTES_A_LINE));
		out_row(&c->out);
		out_hex(&c->out, "address", at + i);
		out_text(&c->out, "bytes", "%s", text);
		out_row_end(&c->out);
	}
	out_table_end(&c->out);
	return true;
}

/* ---- the provider's ---- */

bool run_dump_vmcs(struct call *c)
{
	const char *name;
	u64 value;

	out_table(&c->out, "fields");
	for (unsigned i = 0; c->v->ops->field(c->v, i, &name, &value); i++) {
		if (!name)
			continue;
		out_row(&c->out);
		out_text(&c->out, "field", "%s", name);
		out_hex(&c->out, "value", value);
		out_row_end(&c->out);
	}
	out_table_end(&c->out);
	return true;
}

bool run_audit(struct call *c)
{
	const struct mmu_ops *ops = c->vm->mmu->ops;
	unsigned found = 0;
	struct vcpu *v;

	if (!ops->audit)
		return call_fail(c, "VM %s has no shadow page tables: its MMU is %s",
			c->vm->cfg.name, ops->name);
	for_each_vcpu (v, c->vm)
		found += ops->audit(v->mmu);
	out_number(&c->out, "mistakes", found);
	if (found)
		out_text(&c->out, "details", "are in the log");
	if (ops->report)
		ops->report(c->vm->mmu);
	return true;
}
