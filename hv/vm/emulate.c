/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a vcpu and the instruction emulator: fetches the instruction at RIP, lends the emulator
 * the registers, and carries its memory and port accesses to guest memory and to the platform's
 * buses.
 *
 *   linear address --guest_walk()--> gpa --+--> RAM: guest_read(), guest_write(), guest_cmpxchg()
 *                                          \--> device: the MMIO bus
 */
#include "hv/cpu/regs.h"
#include "hv/ctl/log.h"
#include "hv/emul/insn.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"

/* Iterations of a REP instruction before events are looked at again. */
#define MAX_REPS 1024

#define NO_PAGE (~0ul) /* no page starts there */

struct emulation {
	struct vcpu *v;
	struct {
		u64 page; /* linear, or NO_PAGE */
		gpa_t gpa;
	} known[2];	 /* translations: the last one for reading, the last one for writing */
	u64 rsp, rflags; /* before the instruction */
	u64 cr3;
	struct emul_cpu cpu;
};

/* An access, cut where a page ends: size[1] is 0 if it lies in one. */
struct span {
	gpa_t gpa[2];
	unsigned size[2];
};

static enum emul_mode mode_of(u64 efer, u32 cs_ar)
{
	if ((efer & EFER_LMA) && (cs_ar & SEG_AR_L))
		return EMUL_MODE_64;
	return cs_ar & SEG_AR_DB ? EMUL_MODE_32 : EMUL_MODE_16;
}

/*
 * The processor had translated this access itself, permissions and A/D flags included, before the
 * second level stopped it: the exit says where it went. hint may be NULL.
 */
static inline void take_hint(struct emulation *e, const struct mmu_fault *hint)
{
	e->known[0].page = NO_PAGE;
	e->known[1].page = NO_PAGE;
	if (!hint || !hint->gva_valid || hint->is_walk)
		return;
	e->known[0].page = hint->gva.v & PAGE_MASK;
	e->known[0].gpa = GPA(hint->gpa.v & PAGE_MASK);
	if (hint->access & MMU_W)
		e->known[1] = e->known[0];
}

/*
 * The emulator works on the vcpu's own registers: an instruction changes none before the last step
 * that can fault, but those that count the iterations of REP. Nothing here is cleared first.
 */
static void begin(struct emulation *e, struct vcpu *v, const struct mmu_fault *hint)
{
	struct emul_cpu *c = &e->cpu;
	struct vcpu_context now;

	v->ops->get_context(v, &now);
	e->v = v;
	take_hint(e, hint);
	e->rsp = now.rsp;
	e->rflags = now.rflags;
	e->cr3 = now.cr3;
	v->gpr[RSP] = now.rsp;
	c->gpr = v->gpr;
	c->rip = now.rip;
	c->rflags = now.rflags;
	c->cr0 = now.cr0;
	c->cr4 = now.cr4;
	c->efer = now.efer;
	c->cpl = (now.ss_ar & SEG_AR_DPL) >> 5;
	c->mode = mode_of(now.efer, now.cs_ar);
	c->real_mode = false;
	if (c->mode == EMUL_MODE_64)
		return;
	c->real_mode = !(now.cr0 & CR0_PE) || (now.rflags & RFLAGS_VM);
	v->ops->get_segment(v, SEG_CS, &c->seg[SEG_CS]);
}

/* The segments that the instruction needs, but for CS, which is there already. */
static void get_segments(struct emulation *e, const struct insn *insn)
{
	unsigned need = insn->segments & ~(unsigned)BIT(SEG_CS);

	for (unsigned i = SEG_ES; need >> i; i++)
		if (need & BIT(i))
			e->v->ops->get_segment(e->v, (enum seg)i, &e->cpu.seg[i]);
}

/* Writes back what the instruction changed; it is over unless RIP stays (AGAIN, FAULT). */
static inline void finish(struct emulation *e, bool complete)
{
	struct vcpu *v = e->v;
	struct emul_cpu *c = &e->cpu;

	if (v->gpr[RSP] != e->rsp)
		v->ops->set(v, VREG_RSP, v->gpr[RSP]);
	if (complete)
		v->ops->retire(v, c->rip, c->rflags);
	else if (c->rflags != e->rflags)
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

static enum emul_result walk(
	struct emulation *e, u64 linear, unsigned flags, struct walk *w, struct emul_fault *f)
{
	const struct emul_cpu *c = &e->cpu;
	struct walk_regs r = {
		.cr0 = c->cr0,
		.cr3 = e->cr3,
		.cr4 = c->cr4,
		.efer = c->efer,
		.rflags = c->rflags,
		.cpl = c->cpl,
		.maxphyaddr = cpuid_maxphyaddr(e->v->cpuid),
		.page1gb = cpuid_page1gb(e->v->cpuid),
	};

	if ((c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !(c->efer & EFER_LMA))
		e->v->ops->get_pdptes(e->v, r.pdpte);
	if (c->cpl == 3)
		flags |= WALK_USER;
	switch (guest_walk(&e->v->vm->mem, &r, GVA(linear), flags, w)) {
	case WALK_OK: return EMUL_OK;
	case WALK_FAULT: return page_fault(f, linear, w->error);
	case WALK_AGAIN: return EMUL_AGAIN;
	default:
		log_err("%s: a guest page table lies outside its memory, at 0x%lx",
			e->v->vm->cfg.name, w->gpa.v);
		return EMUL_UNKNOWN;
	}
}

/* What an instruction has translated once holds for all of it, as in a TLB; so REP walks once a
 * page.
 */
static enum emul_result translate(
	struct emulation *e, u64 linear, unsigned flags, gpa_t *gpa, struct emul_fault *f)
{
	bool write = flags & WALK_WRITE;
	enum emul_result r;
	struct walk w;

	if (unlikely((linear & PAGE_MASK) != e->known[write].page)) {
		r = walk(e, linear, flags, &w, f);
		if (r != EMUL_OK)
			return r;
		e->known[write].page = linear & PAGE_MASK;
		e->known[write].gpa = GPA(w.gpa.v & PAGE_MASK);
	}
	*gpa = GPA(e->known[write].gpa.v | (linear & ~PAGE_MASK));
	return EMUL_OK;
}

/* Both parts of an access that crosses a page are translated before either is touched. */
static inline enum emul_result translate_all(struct emulation *e, u64 linear, unsigned size,
	unsigned flags, struct span *s, struct emul_fault *f)
{
	unsigned left = (unsigned)(PAGE_SIZE - (linear & ~PAGE_MASK));
	enum emul_result r = translate(e, linear, flags, &s->gpa[0], f);

	s->size[0] = MIN(size, left);
	s->size[1] = size - s->size[0];
	if (likely(!s->size[1]) || r != EMUL_OK)
		return r;
	linear += left;
	if (e->cpu.mode != EMUL_MODE_64)
		linear = (u32)linear;
	return translate(e, linear, flags, &s->gpa[1], f);
}

/* Accesses within a page. */

static u64 read_gpa(struct emulation *e, gpa_t gpa, unsigned size)
{
	struct vm *vm = e->v->vm;
	u64 value = 0;

	if (!guest_slot(&vm->mem, gpa) || guest_read(&vm->mem, gpa, &value, size) != OK)
		return bus_read(platform_mmio(vm->platform), gpa.v, size);
	return value;
}

static void write_gpa(struct emulation *e, gpa_t gpa, unsigned size, u64 value)
{
	struct vm *vm = e->v->vm;

	if (!guest_slot(&vm->mem, gpa) || guest_write(&vm->mem, gpa, &value, size) != OK)
		bus_write(platform_mmio(vm->platform), gpa.v, size, value);
}

/* An access that crosses a page goes byte by byte: devices take powers of two only. */

static gpa_t byte_of(const struct span *s, unsigned i)
{
	return GPA(i < s->size[0] ? s->gpa[0].v + i : s->gpa[1].v + (i - s->size[0]));
}

static u64 read_split(struct emulation *e, const struct span *s)
{
	u64 value = 0;

	for (unsigned i = 0; i < s->size[0] + s->size[1]; i++)
		value |= read_gpa(e, byte_of(s, i), 1) << (8 * i);
	return value;
}

static void write_split(struct emulation *e, const struct span *s, u64 value)
{
	for (unsigned i = 0; i < s->size[0] + s->size[1]; i++)
		write_gpa(e, byte_of(s, i), 1, (value >> (8 * i)) & 0xff);
}

static u64 read_span(struct emulation *e, const struct span *s)
{
	return unlikely(s->size[1]) ? read_split(e, s) : read_gpa(e, s->gpa[0], s->size[0]);
}

static void write_span(struct emulation *e, const struct span *s, u64 value)
{
	if (unlikely(s->size[1]))
		write_split(e, s, value);
	else
		write_gpa(e, s->gpa[0], s->size[0], value);
}

static enum emul_result do_read(
	void *ctx, u64 linear, unsigned size, u64 *value, struct emul_fault *f)
{
	struct span s;
	enum emul_result r = translate_all(ctx, linear, size, 0, &s, f);

	if (r == EMUL_OK)
		*value = read_span(ctx, &s);
	return r;
}

static enum emul_result do_write(
	void *ctx, u64 linear, unsigned size, u64 value, struct emul_fault *f)
{
	struct span s;
	enum emul_result r = translate_all(ctx, linear, size, WALK_WRITE, &s, f);

	if (r == EMUL_OK)
		write_span(ctx, &s, value);
	return r;
}

static enum emul_result do_probe(void *ctx, u64 linear, unsigned size, struct emul_fault *f)
{
	struct span s;

	return translate_all(ctx, linear, size, WALK_WRITE, &s, f);
}

/*
 * Locked accesses to RAM are atomic when aligned. To a device, and across a boundary, they are a
 * read and a write: no other vcpu's exit comes in between. What one does in the guest may, if the
 * VM runs on several CPUs; which matters only across a boundary of two RAM pages.
 */
static enum emul_result do_cmpxchg(
	void *ctx, u64 linear, u64 *old, u64 new_val, unsigned size, struct emul_fault *f)
{
	struct emulation *e = ctx;
	struct span s;
	u64 seen;
	enum emul_result r = translate_all(e, linear, size, WALK_WRITE, &s, f);

	if (r != EMUL_OK)
		return r;
	if (!s.size[1] && IS_ALIGNED(s.gpa[0].v, size) &&
		guest_cmpxchg(&e->v->vm->mem, s.gpa[0], old, new_val, size) == OK)
		return EMUL_OK;
	seen = read_span(e, &s);
	if (seen == *old)
		write_span(e, &s, new_val);
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

/* Appends to bytes[] what can be fetched, up to the end of the page, whose walk is left in *w;
 * EMUL_FAULT if not even one more byte can. */
static enum emul_result fetch(
	struct emulation *e, u8 *bytes, unsigned *len, struct walk *w, struct emul_fault *f)
{
	u64 base = e->cpu.mode == EMUL_MODE_64 ? 0 : e->cpu.seg[SEG_CS].base;
	u64 linear = base + e->cpu.rip + *len;
	unsigned n = INSN_MAX - *len;
	enum emul_result r;

	if (e->cpu.mode != EMUL_MODE_64)
		linear = (u32)linear;
	n = (unsigned)MIN((u64)n, PAGE_SIZE - (linear & ~PAGE_MASK));
	r = walk(e, linear, WALK_FETCH, w, f);
	if (r != EMUL_OK)
		return r;
	if (guest_read(&e->v->vm->mem, w->gpa, bytes + *len, n) != OK)
		return EMUL_UNKNOWN;
	*len += n;
	return EMUL_OK;
}

/* The instruction at RIP, in *buf or kept from an earlier exit. */
static enum emul_result next_insn(
	struct emulation *e, struct insn *buf, const struct insn **insn, struct emul_fault *f)
{
	struct fetch_cache *kept = &e->v->fetched;
	bool is_64 = e->cpu.mode == EMUL_MODE_64;
	u8 bytes[INSN_MAX];
	unsigned len = 0;
	enum emul_result r;
	struct walk w;

	if (is_64) {
		*insn = fetch_recall(kept, &e->v->vm->mem, e->cr3, &e->cpu);
		if (*insn)
			return EMUL_OK;
	}
	*insn = buf;
	r = fetch(e, bytes, &len, &w, f);
	if (r != EMUL_OK)
		return r;
	r = emul_decode(buf, bytes, len, &e->cpu, f);
	if (r == EMUL_OK && is_64)
		fetch_keep(kept, &e->v->vm->mem, e->cr3, &e->cpu, &w, bytes, len, buf);
	while (r == EMUL_AGAIN) {
		r = fetch(e, bytes, &len, &w, f);
		if (r != EMUL_OK)
			return r;
		r = emul_decode(buf, bytes, len, &e->cpu, f);
	}
	return r;
}

static void inject(struct vcpu *v, const struct emul_fault *f)
{
	if (f->vector == VEC_PF)
		vcpu_inject_pf(v, f->cr2, f->error);
	else
		vcpu_inject_exception(v, f->vector, f->has_error, f->error);
}

bool vcpu_emulate(struct vcpu *v, const struct mmu_fault *hint)
{
	const struct insn *insn;
	struct emul_fault f;
	struct emulation e;
	struct insn buf;
	enum emul_result r;

	begin(&e, v, hint);
	r = next_insn(&e, &buf, &insn, &f);
	if (r == EMUL_OK) {
		get_segments(&e, insn);
		r = emul_execute(insn, &e.cpu, &ops, &e, MAX_REPS, &f);
	}
	if (r == EMUL_UNKNOWN)
		return false;
	finish(&e, r == EMUL_OK);
	if (unlikely(r == EMUL_FAULT))
		inject(v, &f);
	return true;
}
