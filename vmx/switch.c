/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one vcpu to another. The VMCS holds most of a guest; what it does not hold (vector
 * registers, debug registers, CR2, some MSRs) stays in the processor across exits, and is moved
 * only when another vcpu comes in.
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/regs.h"
#include "hv/mem/page.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"
#include "vmx/insn.h"
#include "vmx/vmx.h"

/* "FXSAVE Area": where the two registers are that do not start as 0. */
#define FXSAVE_SIZE  512
#define FXSAVE_FCW   0
#define FXSAVE_MXCSR 24
#define XSTATE_BV    512 /* behind it, in an XSAVE area: the components that are not as at first */
#define FCW_INIT     0x37f
#define MXCSR_INIT   0x1f80u

#define LEAF_XSAVE	  0xdu
#define LEAF_STRUCTURED	  7u
#define LEAF_EXT_FEATURES 0x80000001u

/* The MSRs that a guest writes without an exit and no VMCS field holds; those that depend on a
 * feature the guest may lack. */
static const struct live_msr {
	u32 msr;
	u32 leaf;     /* 0: always there */
	unsigned bit; /* of its EDX */
} live_msrs[VMX_LIVE_MSRS] = {
	{ MSR_STAR, 0, 0 },
	{ MSR_LSTAR, 0, 0 },
	{ MSR_CSTAR, 0, 0 },
	{ MSR_FMASK, 0, 0 },
	{ MSR_KERNEL_GS_BASE, 0, 0 },
	{ MSR_TSC_AUX, LEAF_EXT_FEATURES, 27 },
	{ MSR_SPEC_CTRL, LEAF_STRUCTURED, 26 },
};

static bool has(const struct vcpu *v, u32 leaf, unsigned bit)
{
	return !leaf || cpuid_has(v->cpuid, leaf, 0, CPUID_EDX, bit);
}

static bool has_xsave(void)
{
	return read_cr4() & CR4_OSXSAVE;
}

enum status vmx_live_create(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);
	struct cpuid_regs size = { .ecx = FXSAVE_SIZE };
	unsigned order;

	if (has_xsave())
		cpuid_lookup(v->cpuid, LEAF_XSAVE, 0, CR4_OSXSAVE, cpuid_xcr0_allowed(v->cpuid),
			true, &size);
	order = page_order(sizeof(struct vmx_live) + size.ecx);
	x->fpu_init = page_alloc(PAGE_ORDER_4K, PAGE_HV);
	x->live = page_alloc(order, PAGE_HV);
	if (x->live)
		x->live->order = order;
	if (!x->live || !x->fpu_init)
		return ERR_NOMEM;
	*(u16 *)(x->fpu_init + FXSAVE_FCW) = FCW_INIT;
	*(u32 *)(x->fpu_init + FXSAVE_MXCSR) = MXCSR_INIT;
	return OK;
}

void vmx_live_destroy(struct vmx_vcpu *x)
{
	if (x->fpu_init)
		page_free(x->fpu_init, PAGE_ORDER_4K, PAGE_HV);
	if (x->live)
		page_free(x->live, x->live->order, PAGE_HV);
}

/*
 * Another VM's secrets must not be found by what this one can make the processor guess from:
 * branch predictors, the first-level cache, fill buffers. Each as far as there is a command for it.
 */
static void forget_stranger(const struct vcpu *v)
{
	static const u16 selector = SEL_DATA;

	if (has(v, LEAF_STRUCTURED, 26))
		wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
	if (has(v, LEAF_STRUCTURED, 28))
		wrmsr(MSR_FLUSH_CMD, FLUSH_CMD_L1D);
	if (has(v, LEAF_STRUCTURED, 10))
		__asm__ volatile("verw %0" : : "m"(selector) : "cc");
}

/* The state after power-on: nothing of the guest before may be left. */
void vmx_live_reset(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);

	for (unsigned i = 0; i < VMX_LIVE_MSRS; i++)
		if (has(v, live_msrs[i].leaf, live_msrs[i].bit))
			wrmsr(live_msrs[i].msr, 0);
	forget_stranger(v);
	write_cr2(0);
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
	write_dr6(DR6_INIT);
	if (has_xsave()) {
		xsetbv(0, cpuid_xcr0_allowed(v->cpuid));
		vmx_reset_vector_state(x->fpu_init, cpuid_xcr0_allowed(v->cpuid));
		xsetbv(0, XCR0_X87);
	} else {
		vmx_load_sse_state(x->fpu_init);
	}
	v->xcr0 = XCR0_X87;
}

/* All components, whatever the guest has in XCR0: it may have turned one off that holds something.
 */
static void save_vectors(const struct vcpu *v, struct vmx_live *l)
{
	if (has_xsave()) {
		xsetbv(0, cpuid_xcr0_allowed(v->cpuid));
		vmx_save_vector_state(l->vector, cpuid_xcr0_allowed(v->cpuid));
	} else {
		vmx_save_sse_state(l->vector);
	}
}

static void load_vectors(const struct vcpu *v, const struct vmx_live *l)
{
	if (has_xsave()) {
		xsetbv(0, cpuid_xcr0_allowed(v->cpuid));
		vmx_load_vector_state(l->vector, cpuid_xcr0_allowed(v->cpuid));
		xsetbv(0, v->xcr0);
	} else {
		vmx_load_sse_state(l->vector);
	}
}

/* cpu_ops.switch_out. The VMCS stays active on this CPU, on which the vcpu will run again. */
void vmx_switch_out(struct vcpu *v)
{
	struct vmx_live *l = vmx_of(v)->live;

	for (unsigned i = 0; i < VMX_LIVE_MSRS; i++)
		if (has(v, live_msrs[i].leaf, live_msrs[i].bit))
			l->msr[i] = rdmsr(live_msrs[i].msr);
	l->cr2 = read_cr2();
	l->dr[0] = read_dr0();
	l->dr[1] = read_dr1();
	l->dr[2] = read_dr2();
	l->dr[3] = read_dr3();
	l->dr6 = read_dr6();
	save_vectors(v, l);
}

/* cpu_ops.switch_in */
void vmx_switch_in(struct vcpu *v, bool stranger)
{
	const struct vmx_vcpu *x = vmx_of(v);
	const struct vmx_live *l = x->live;

	if (!vmptrld(hva_to_hpa(x->vmcs)))
		vmx_insn_failed("VMPTRLD", hva_to_hpa(x->vmcs).v);
	if (stranger)
		forget_stranger(v);
	for (unsigned i = 0; i < VMX_LIVE_MSRS; i++)
		if (has(v, live_msrs[i].leaf, live_msrs[i].bit))
			wrmsr(live_msrs[i].msr, l->msr[i]);
	if (!x->two_level)
		vmx_write_sce(x->efer);
	write_cr2(l->cr2);
	write_dr0(l->dr[0]);
	write_dr1(l->dr[1]);
	write_dr2(l->dr[2]);
	write_dr3(l->dr[3]);
	write_dr6(l->dr6);
	load_vectors(v, l);
}

/* cpu_ops.get_live */
u64 vmx_get_live(struct vcpu *v, enum vcpu_live r)
{
	(void)v;
	switch (r) {
	case LIVE_DR0: return read_dr0();
	case LIVE_DR1: return read_dr1();
	case LIVE_DR2: return read_dr2();
	case LIVE_DR3: return read_dr3();
	case LIVE_DR6: return read_dr6();
	case LIVE_CR2: return read_cr2();
	default: return rdmsr(MSR_KERNEL_GS_BASE);
	}
}

/* cpu_ops.set_live */
void vmx_set_live(struct vcpu *v, enum vcpu_live r, u64 value)
{
	(void)v;
	switch (r) {
	case LIVE_DR0: write_dr0(value); break;
	case LIVE_DR1: write_dr1(value); break;
	case LIVE_DR2: write_dr2(value); break;
	case LIVE_DR3: write_dr3(value); break;
	case LIVE_DR6: write_dr6(value); break;
	default: BUG("register %u cannot be set", r);
	}
}

/* cpu_ops.get_fxsave */
u8 *vmx_get_fxsave(struct vcpu *v)
{
	struct vmx_live *l = vmx_of(v)->live;

	save_vectors(v, l);
	if (has_xsave())
		xsetbv(0, v->xcr0);
	return l->vector;
}

/* cpu_ops.put_fxsave */
void vmx_put_fxsave(struct vcpu *v)
{
	struct vmx_live *l = vmx_of(v)->live;

	if (has_xsave())
		*(u64 *)(l->vector + XSTATE_BV) |= XCR0_X87 | XCR0_SSE;
	load_vectors(v, l);
}
