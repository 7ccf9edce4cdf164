/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a vcpu and the instruction emulator: fetches the instruction at RIP, lends the emulator
 * the registers, and carries its memory and port accesses to guest memory and to the platform's
 * buses.
 *
 *   linear address --guest_walk()--> gpa --+--> RAM:    guest_read(), guest_write(),
 * guest_cmpxchg()
 *                                          \--> device: the MMIO bus
 */
#include "hv/cpu/regs.h"
#include "hv/ctl/log.h"
#include "hv/emul/insn.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/mmu/walk.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"

/* Iterations of a REP instruction before events are looked at again. */
#define MAX_REPS  1024
/* What an access can touch at most: two pages. */
#define MAX_SPANS 2

struct emulation {
	struct vcpu *v;
	const struct mmu_fault *hint; /* what the exit said of the access; NULL: nothing */
	struct walk_regs regs;
	struct emul_cpu cpu;
};

struct span { /* a part of an access that lies in one page */
	gpa_t gpa;
	unsigned size;
};

static bool read_pdptes(struct emulation *e)
{
	struct walk_regs *r = &e->regs;

	if (!(r->cr0 & CR0_PG) || !(r->cr4 & CR4_PAE) || (r->efer & EFER_LMA))
		return true;
	return guest_read(&e->v->vm->mem, GPA(r->cr3 & 0xffffffe0ul), r->pdpte, sizeof(r->pdpte)) ==
	       OK;
}

static enum emul_mode mode_of(const struct emul_cpu *c)
{
	u32 ar = c->seg[SEG_CS].ar;

	if ((c->efer & EFER_LMA) && (ar & SEG_AR_L))
		return EMUL_MODE_64;
	return ar & SEG_AR_DB ? EMUL_MODE_32 : EMUL_MODE_16;
}

/* The segments that the instruction needs, but for CS and SS, which are there already. */
static void get_segments(struct emulation *e, const struct insn *insn)
{
	unsigned need = insn_segments(insn, e->cpu.mode) & ~(unsigned)(BIT(SEG_CS) | BIT(SEG_SS));

	for (unsigned i = SEG_ES; need >> i; i++)
		if (need & BIT(i))
			e->v->ops->get_segment(e->v, (enum seg)i, &e->cpu.seg[i]);
}

static void begin(struct emulation *e, struct vcpu *v, const struct mmu_fault *hint)
{
	struct emul_cpu *c = &e->cpu;

	e->v = v;
	e->hint = hint;
	memcpy(c->gpr, v->gpr, sizeof(c->gpr));
	c->gpr[RSP] = v->ops->get(v, VREG_RSP);
	c->rip = v->ops->get(v, VREG_RIP);
	c->rflags = v->ops->get(v, VREG_RFLAGS);
	c->cr0 = v->ops->get(v, VREG_CR0);
	c->cr4 = v->ops->get(v, VREG_CR4);
	c->efer = v->ops->get(v, VREG_EFER);
	v->ops->get_segment(v, SEG_CS, &c->seg[SEG_CS]);
	v->ops->get_segment(v, SEG_SS, &c->seg[SEG_SS]);
	c->real_mode = !(c->cr0 & CR0_PE) || (c->rflags & RFLAGS_VM);
	c->cpl = (c->seg[SEG_SS].ar & SEG_AR_DPL) >> 5;
	c->mode = mode_of(c);
	e->regs = (struct walk_regs){
		.cr0 = c->cr0,
		.cr3 = v->ops->get(v, VREG_CR3),
		.cr4 = c->cr4,
		.efer = c->efer,
		.rflags = c->rflags,
		.cpl = c->cpl,
		.maxphyaddr = cpuid_maxphyaddr(v->cpuid),
	};
}

/* Writes back what the instruction changed; it is over unless RIP stays (AGAIN, FAULT). */
static void finish(struct emulation *e, bool complete)
{
	struct vcpu *v = e->v;
	struct emul_cpu *c = &e->cpu;

	if (c->gpr[RSP] != v->ops->get(v, VREG_RSP))
		v->ops->set(v, VREG_RSP, c->gpr[RSP]);
	c->gpr[RSP] = v->gpr[RSP];
	memcpy(v->gpr, c->gpr, sizeof(v->gpr));
	if (complete)
		v->ops->retire(v, c->rip, c->rflags);
	else if (c->rflags != v->ops->get(v, VREG_RFLAGS))
		v->ops->set(v, VREG_RFLAGS, c->rflags);
}

/* ---- memory ---- */

static enum emul_result page_fault(struct emul_fault *f, u64 linear, u32 error)
{
	*f = (struct emul_fault){
		.vector = VEC_PF, .has_error = true, .error = error, .cr2 = linear
	};
	return EMUL_FAULT;
}

/*
 * The processor had translated this access itself, permissions and A/D flags included, before the
 * second level stopped it: the exit says where it went.
 */
static bool hinted(const struct emulation *e, u64 linear, unsigned flags)
{
	const struct mmu_fault *h = e->hint;

	if (!h || !h->gva_valid || h->is_walk || ((h->gva.v ^ linear) & PAGE_MASK) ||
		(flags & WALK_FETCH))
		return false;
	return !(flags & WALK_WRITE) || (h->access & MMU_W);
}

static enum emul_result translate(
	struct emulation *e, u64 linear, unsigned flags, gpa_t *gpa, struct emul_fault *f)
{
	struct walk w;

	if (hinted(e, linear, flags)) {
		*gpa = GPA((e->hint->gpa.v & PAGE_MASK) | (linear & ~PAGE_MASK));
		return EMUL_OK;
	}
	if (e->cpu.cpl == 3)
		flags |= WALK_USER;
	switch (guest_walk(&e->v->vm->mem, &e->regs, GVA(linear), flags, &w)) {
	case WALK_OK: *gpa = w.gpa; return EMUL_OK;
	case WALK_FAULT: return page_fault(f, linear, w.error);
	default:
		log_err("%s: a guest page table lies outside its memory, at 0x%lx",
			e->v->vm->cfg.name, w.gpa.v);
		return EMUL_UNKNOWN;
	}
}

/* Splits an access at a page boundary; both parts are translated before either is touched. */
static enum emul_result translate_all(struct emulation *e, u64 linear, unsigned size,
	unsigned flags, struct span *s, unsigned *n, struct emul_fault *f)
{
	unsigned left = (unsigned)MIN((u64)size, PAGE_SIZE - (linear & ~PAGE_MASK));
	enum emul_result r;

	for (*n = 0; size; (*n)++) {
		r = translate(e, linear, flags, &s[*n].gpa, f);
		if (r != EMUL_OK)
			return r;
		s[*n].size = left;
		linear += left;
		size -= left;
		left = size;
	}
	return EMUL_OK;
}

/* The largest power of two that is at most n and 8: device accesses are of such sizes. */
static unsigned piece(unsigned n)
{
	return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
}

static void read_span(struct emulation *e, const struct span *s, u8 *buf)
{
	struct vm *vm = e->v->vm;
	u64 value;

	if (guest_read(&vm->mem, s->gpa, buf, s->size) == OK)
		return;
	for (unsigned done = 0, n; done < s->size; done += n) {
		n = piece(s->size - done);
		value = bus_read(platform_mmio(vm->platform), s->gpa.v + done, n);
		memcpy(buf + done, &value, n);
	}
}

static void write_span(struct emulation *e, const struct span *s, const u8 *buf)
{
	struct vm *vm = e->v->vm;
	u64 value;

	if (guest_write(&vm->mem, s->gpa, buf, s->size) == OK)
		return;
	for (unsigned done = 0, n; done < s->size; done += n) {
		n = piece(s->size - done);
		value = 0;
		memcpy(&value, buf + done, n);
		bus_write(platform_mmio(vm->platform), s->gpa.v + done, n, value);
	}
}

static enum emul_result do_read(
	void *ctx, u64 linear, void *buf, unsigned size, struct emul_fault *f)
{
	struct span s[MAX_SPANS];
	unsigned n, done = 0;
	enum emul_result r = translate_all(ctx, linear, size, 0, s, &n, f);

	if (r != EMUL_OK)
		return r;
	for (unsigned i = 0; i < n; done += s[i++].size)
		read_span(ctx, &s[i], (u8 *)buf + done);
	return EMUL_OK;
}

static enum emul_result do_write(
	void *ctx, u64 linear, const void *buf, unsigned size, struct emul_fault *f)
{
	struct span s[MAX_SPANS];
	unsigned n, done = 0;
	enum emul_result r = translate_all(ctx, linear, size, WALK_WRITE, s, &n, f);

	if (r != EMUL_OK)
		return r;
	for (unsigned i = 0; i < n; done += s[i++].size)
		write_span(ctx, &s[i], (const u8 *)buf + done);
	return EMUL_OK;
}

static enum emul_result do_probe(void *ctx, u64 linear, unsigned size, struct emul_fault *f)
{
	struct span s[MAX_SPANS];
	unsigned n;

	return translate_all(ctx, linear, size, WALK_WRITE, s, &n, f);
}

/*
 * Locked accesses to RAM are atomic when aligned. To a device, and across a boundary, they are a
 * read and a write: no other vcpu runs in between, since a VM's vcpus share one physical CPU.
 */
static enum emul_result do_cmpxchg(
	void *ctx, u64 linear, u64 *old, u64 new_val, unsigned size, struct emul_fault *f)
{
	struct emulation *e = ctx;
	struct span s[MAX_SPANS];
	u64 seen = 0;
	unsigned n;
	enum emul_result r = translate_all(e, linear, size, WALK_WRITE, s, &n, f);

	if (r != EMUL_OK)
		return r;
	if (n == 1 && IS_ALIGNED(s[0].gpa.v, size) &&
		guest_cmpxchg(&e->v->vm->mem, s[0].gpa, old, new_val, size) == OK)
		return EMUL_OK;
	for (unsigned i = 0, done = 0; i < n; done += s[i++].size)
		read_span(e, &s[i], (u8 *)&seen + done);
	if (seen == *old)
		for (unsigned i = 0, done = 0; i < n; done += s[i++].size)
			write_span(e, &s[i], (const u8 *)&new_val + done);
	*old = seen;
	return EMUL_OK;
}

/* ---- ports: permission was checked by the processor before the exit ---- */

static enum emul_result do_in(void *ctx, u16 port, unsigned size, u32 *value, struct emul_fault *f)
{
	struct emulation *e = ctx;

	(void)f;
	*value = (u32)bus_read(platform_pio(e->v->vm->platform), port, size);
	return EMUL_OK;
}

static enum emul_result do_out(void *ctx, u16 port, unsigned size, u32 value, struct emul_fault *f)
{
	struct emulation *e = ctx;

	(void)f;
	bus_write(platform_pio(e->v->vm->platform), port, size, value);
	return EMUL_OK;
}

static const struct emul_ops ops = {
	.read = do_read,
	.write = do_write,
	.cmpxchg = do_cmpxchg,
	.probe_write = do_probe,
	.in = do_in,
	.out = do_out,
};

/* ---- fetch, decode, execute ---- */

/* Appends to bytes[] what can be fetched, up to the end of the page; EMUL_FAULT if not even one
 * more byte can. */
static enum emul_result fetch(struct emulation *e, u8 *bytes, unsigned *len, struct emul_fault *f)
{
	u64 base = e->cpu.mode == EMUL_MODE_64 ? 0 : e->cpu.seg[SEG_CS].base;
	u64 linear = base + e->cpu.rip + *len;
	unsigned n = INSN_MAX - *len;
	enum emul_result r;
	gpa_t gpa;

	if (e->cpu.mode != EMUL_MODE_64)
		linear = (u32)linear;
	n = (unsigned)MIN((u64)n, PAGE_SIZE - (linear & ~PAGE_MASK));
	r = translate(e, linear, WALK_FETCH, &gpa, f);
	if (r != EMUL_OK)
		return r;
	if (guest_read(&e->v->vm->mem, gpa, bytes + *len, n) != OK)
		return EMUL_UNKNOWN;
	*len += n;
	return EMUL_OK;
}

static enum emul_result fetch_and_decode(
	struct emulation *e, struct insn *insn, u8 *bytes, unsigned *len, struct emul_fault *f)
{
	enum emul_result r;

	do {
		r = fetch(e, bytes, len, f);
		if (r == EMUL_OK)
			r = emul_decode(insn, bytes, *len, &e->cpu, f);
	} while (r == EMUL_AGAIN && *len < INSN_MAX);
	return r;
}

bool vcpu_emulate(struct vcpu *v, const struct mmu_fault *hint)
{
	struct emul_fault f;
	struct emulation e;
	struct insn insn;
	u8 bytes[INSN_MAX];
	unsigned len = 0;
	enum emul_result r;

	begin(&e, v, hint);
	if (!read_pdptes(&e)) {
		vcpu_crash(v, "PAE page directory pointers lie outside its memory");
		return true;
	}
	r = fetch_and_decode(&e, &insn, bytes, &len, &f);
	if (r == EMUL_OK) {
		get_segments(&e, &insn);
		r = emul_execute(&insn, &e.cpu, &ops, &e, MAX_REPS, &f);
	}
	switch (r) {
	case EMUL_OK: finish(&e, true); break;
	case EMUL_AGAIN: finish(&e, false); break;
	case EMUL_FAULT:
		finish(&e, false);
		if (f.vector == VEC_PF)
			vcpu_inject_pf(v, f.cr2, f.error);
		else
			vcpu_inject_exception(v, f.vector, f.has_error, f.error);
		break;
	case EMUL_UNKNOWN: return false;
	}
	return true;
}
