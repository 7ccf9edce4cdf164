/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/vm/look.h"
#include "hv/cpu/regs.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"

#define LINEAR_BITS 48 /* with four levels of tables */

void look_regs(struct vcpu *v, struct walk_regs *r)
{
	*r = (struct walk_regs){
		.cr0 = v->ops->get(v, VREG_CR0),
		.cr3 = v->ops->get(v, VREG_CR3),
		.cr4 = v->ops->get(v, VREG_CR4),
		.efer = v->ops->get(v, VREG_EFER),
		.maxphyaddr = cpuid_maxphyaddr(v->cpuid),
		.page1gb = cpuid_page1gb(v->cpuid),
	};
	if ((r->cr0 & CR0_PG) && (r->cr4 & CR4_PAE) && !(r->efer & EFER_LMA))
		v->ops->get_pdptes(v, r->pdpte);
}

bool look_canonical(const struct walk_regs *r, gva_t gva)
{
	unsigned bits = 8 * sizeof(u64) - LINEAR_BITS;

	if (!(r->efer & EFER_LMA))
		return gva.v <= ~0u;
	return (u64)((s64)(gva.v << bits) >> bits) == gva.v;
}

gva_t look_rip(struct vcpu *v)
{
	struct segment cs;

	v->ops->get_segment(v, SEG_CS, &cs);
	return GVA(v->ops->get(v, VREG_RIP) + (cs.ar & SEG_AR_L ? 0 : cs.base));
}

unsigned look_code_bits(struct vcpu *v)
{
	struct segment cs;

	v->ops->get_segment(v, SEG_CS, &cs);
	if ((v->ops->get(v, VREG_EFER) & EFER_LMA) && (cs.ar & SEG_AR_L))
		return 64;
	return cs.ar & SEG_AR_DB ? 32 : 16;
}

/* Where the byte is, and how many from there on are in the same page. */
static bool find(struct vcpu *v, const struct walk_regs *r, u64 gva, gpa_t *gpa, size_t *len)
{
	size_t left = PAGE_SIZE - gva % PAGE_SIZE;
	struct walk w;

	if (!look_canonical(r, GVA(gva)) ||
		guest_walk(&v->vm->mem, r, GVA(gva), WALK_PEEK, &w) != WALK_OK)
		return false;
	*gpa = w.gpa;
	*len = MIN(*len, left);
	return true;
}

size_t look_read(struct vcpu *v, gva_t gva, void *buf, size_t len)
{
	struct walk_regs r;
	size_t done, n;
	gpa_t gpa;

	look_regs(v, &r);
	for (done = 0; done < len; done += n) {
		n = len - done;
		if (!find(v, &r, gva.v + done, &gpa, &n) ||
			guest_read(&v->vm->mem, gpa, (u8 *)buf + done, n) != OK)
			break;
	}
	return done;
}

size_t look_write(struct vcpu *v, gva_t gva, const void *buf, size_t len)
{
	struct walk_regs r;
	size_t done, n;
	gpa_t gpa;

	look_regs(v, &r);
	for (done = 0; done < len; done += n) {
		n = len - done;
		if (!find(v, &r, gva.v + done, &gpa, &n) ||
			guest_write(&v->vm->mem, gpa, (const u8 *)buf + done, n) != OK)
			break;
	}
	return done;
}
