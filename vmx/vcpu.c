/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMCS of a vcpu: created with the controls that were negotiated, loaded with the state that a
 * boot protocol wants, and its registers read and written one by one.
 *
 * Nothing of the guest's state is cached outside the VMCS: VMREAD and VMWRITE are as cheap as a
 * copy would be to keep right.
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/gdt.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/regs.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/vm.h"
#include "vmx/insn.h"
#include "vmx/retire.h"
#include "vmx/vmx.h"

static_assert(
	offsetof(struct vcpu, gpr) == 0, "entry.S addresses gpr from the start of struct vcpu");
static_assert(VMCS_HOST_RSP == 0x6c14, "entry.S has this encoding as VMCS_HOST_RSP_");

/*
 * Exceptions that we intercept. #AC and #DB, since a guest can make their delivery raise them again
 * without end, which no interrupt can break (CVE-2015-5307, CVE-2015-8104); #MC, since it is the
 * machine's.
 */
#define EXCEPTION_BITMAP (BIT(VEC_DB) | BIT(VEC_AC) | BIT(VEC_MC))

/* A field of every CPU that it does not look at: the list that it is the address of is empty. */
#define VMCS_UNUSED VMCS_EXIT_MSR_STORE_ADDRESS

/* CR0 bits that a guest may flip by itself; the others exit when changed. */
#define CR0_GUEST_OWNED (CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_WP | CR0_AM)

/*
 * Under shadow paging CR0.WP is always set for the processor, so that the hypervisor hears of every
 * write to what it protects, and these of CR4 decide how tables are read, or flush the TLB.
 */
#define CR0_ONE_LEVEL CR0_WP
#define CR4_ONE_LEVEL (CR4_PSE | CR4_PGE | CR4_PCIDE | CR4_LA57 | CR4_SMEP | CR4_SMAP | CR4_PKE)

/* "Guest Register State": the VMCS fields of segment s lie two apart in each group. */
static u64 seg_field(u64 es_field, enum seg s)
{
	return es_field + 2 * (u64)s;
}

static void get_segment(struct vcpu *v, enum seg s, struct segment *out)
{
	(void)v;
	out->selector = (u16)vmread(seg_field(VMCS_GUEST_ES_SELECTOR, s));
	out->base = vmread(seg_field(VMCS_GUEST_ES_BASE, s));
	out->limit = vmread32(seg_field(VMCS_GUEST_ES_LIMIT, s));
	out->ar = vmread32(seg_field(VMCS_GUEST_ES_ACCESS_RIGHTS, s));
}

static void set_segment(struct vcpu *v, enum seg s, const struct segment *in)
{
	(void)v;
	vmwrite(seg_field(VMCS_GUEST_ES_SELECTOR, s), in->selector);
	vmwrite(seg_field(VMCS_GUEST_ES_BASE, s), in->base);
	vmwrite(seg_field(VMCS_GUEST_ES_LIMIT, s), in->limit);
	vmwrite(seg_field(VMCS_GUEST_ES_ACCESS_RIGHTS, s), in->ar);
}

static void get_table(struct vcpu *v, bool idt, struct table_reg *out)
{
	(void)v;
	out->base = vmread(idt ? VMCS_GUEST_IDTR_BASE : VMCS_GUEST_GDTR_BASE);
	out->limit = (u16)vmread(idt ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT);
}

static void set_table(struct vcpu *v, bool idt, const struct table_reg *in)
{
	(void)v;
	vmwrite(idt ? VMCS_GUEST_IDTR_BASE : VMCS_GUEST_GDTR_BASE, in->base);
	vmwrite(idt ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT, in->limit);
}

/* What is behind a register, where a plain field is: the others are computed. */
static const u64 reg_field[VREG_COUNT] = {
	[VREG_RSP] = VMCS_GUEST_RSP,
	[VREG_RIP] = VMCS_GUEST_RIP,
	[VREG_RFLAGS] = VMCS_GUEST_RFLAGS,
	[VREG_CR3] = VMCS_GUEST_CR3,
	[VREG_DR7] = VMCS_GUEST_DR7,
	[VREG_PAT] = VMCS_GUEST_PAT,
	[VREG_SYSENTER_CS] = VMCS_GUEST_SYSENTER_CS,
	[VREG_SYSENTER_ESP] = VMCS_GUEST_SYSENTER_ESP,
	[VREG_SYSENTER_EIP] = VMCS_GUEST_SYSENTER_EIP,
	[VREG_DEBUGCTL] = VMCS_GUEST_DEBUGCTL,
	[VREG_TSC_OFFSET] = VMCS_TSC_OFFSET,
	[VREG_PENDING_DEBUG] = VMCS_GUEST_PENDING_DEBUG,
};

/* One-level: the guest's own is what it loaded last, be it without an exit. */
static u64 get_cr3(const struct vmx_vcpu *x)
{
	u64 cr3 = vmread(VMCS_GUEST_CR3);

	return x->two_level || cr3 != x->root ? cr3 : x->cr3;
}

/* "Guest/Host Masks and Read Shadows": the guest sees its own bits, and the shadow of ours. */
static inline u64 get_cr0(const struct vmx_vcpu *x)
{
	return (vmread(VMCS_GUEST_CR0) & ~x->cr0_mask) |
	       (vmread(VMCS_CR0_READ_SHADOW) & x->cr0_mask);
}

static inline u64 get_cr4(const struct vmx_vcpu *x)
{
	return (vmread(VMCS_GUEST_CR4) & ~x->cr4_mask) |
	       (vmread(VMCS_CR4_READ_SHADOW) & x->cr4_mask);
}

static u64 get_reg(struct vcpu *v, enum vcpu_reg r)
{
	struct vmx_vcpu *x = vmx_of(v);

	switch (r) {
	case VREG_CR0: return get_cr0(x);
	case VREG_CR3: return get_cr3(x);
	case VREG_CR4: return get_cr4(x);
	case VREG_EFER: return x->efer;
	case VREG_PAT: return x->two_level ? vmread(VMCS_GUEST_PAT) : x->pat;
	default: return vmread(reg_field[r]);
	}
}

/* cpu_ops.get_context */
static void get_context(struct vcpu *v, struct vcpu_context *out)
{
	const struct vmx_vcpu *x = vmx_of(v);

	out->rsp = vmread(VMCS_GUEST_RSP);
	out->rip = vmread(VMCS_GUEST_RIP);
	out->rflags = vmread(VMCS_GUEST_RFLAGS);
	out->cr0 = get_cr0(x);
	out->cr3 = get_cr3(x);
	out->cr4 = get_cr4(x);
	out->efer = x->efer;
	out->cs_ar = vmread32(VMCS_GUEST_CS_ACCESS_RIGHTS);
	out->ss_ar = vmread32(VMCS_GUEST_SS_ACCESS_RIGHTS);
}

/* cpu_ops.get_position */
static void get_position(struct vcpu *v, struct vcpu_position *out)
{
	const struct vmx_vcpu *x = vmx_of(v);

	out->rip = vmread_hot(VMCS_GUEST_RIP);
	out->rflags = vmread_hot(VMCS_GUEST_RFLAGS);
	out->cr3 = get_cr3(x);
	out->is_64 =
		(x->efer & EFER_LMA) && (vmread_hot(VMCS_GUEST_CS_ACCESS_RIGHTS) & VMCS_AR_LONG);
}

/*
 * With unrestricted guest, PE and PG may be 0 whatever IA32_VMX_CR0_FIXED0 says. Under shadow
 * paging paging is on for the processor even while it is off for the guest.
 */
static u64 fix_cr0(const struct vmx_vcpu *x, u64 value)
{
	u64 fixed0 = vmx_caps.cr0_fixed0;

	if (x->controls->word[VMX_PROC2] & PROC2_UNRESTRICTED_GUEST)
		fixed0 &= ~(CR0_PE | CR0_PG);
	if (!x->two_level)
		fixed0 |= CR0_PE | CR0_PG | CR0_ONE_LEVEL;
	/* CD and NW of the machine are not the guest's; entry would not load them anyway. */
	return ((value & ~(CR0_CD | CR0_NW)) | fixed0) & vmx_caps.cr0_fixed1;
}

/*
 * Which page faults of a one-level guest exit. Those that do not carry the I/D flag as the
 * processor sets it, for the PAE and NXE that our tables need; where the guest's own registers
 * would leave it clear ("Page-Fault Exceptions"), all exit.
 */
static void write_fault_filter(const struct vmx_vcpu *x, u64 cr4, u64 efer)
{
	bool exact =
		x->fault_filter && ((cr4 & CR4_SMEP) || ((cr4 & CR4_PAE) && (efer & EFER_NXE)));

	vmwrite(VMCS_PF_ERROR_CODE_MASK, exact ? x->fault_mask : 0);
	vmwrite(VMCS_PF_ERROR_CODE_MATCH, exact ? x->fault_match : 0);
}

/* The hypervisor has no use for SYSCALL: the bit is that of the guest which was here last. */
void vmx_write_sce(u64 value)
{
	u64 old = rdmsr(MSR_EFER), new = (old & ~EFER_SCE) | (value & EFER_SCE);

	if (new != old)
		wrmsr(MSR_EFER, new);
}

/*
 * A one-level guest runs with the machine's IA32_EFER: NXE is what our tables need, SCE is written
 * here, and LME and LMA follow "IA-32e mode guest" by themselves.
 */
static void set_efer(struct vmx_vcpu *x, u64 value, u64 cr4)
{
	u64 entry = vmread(VMCS_ENTRY_CONTROLS) & ~(u64)VMENTRY_IA32E_GUEST;

	x->efer = value;
	if (value & EFER_LMA)
		entry |= VMENTRY_IA32E_GUEST;
	vmwrite(VMCS_ENTRY_CONTROLS, entry);
	if (x->two_level) {
		vmwrite(VMCS_GUEST_EFER, value);
		return;
	}
	vmx_write_sce(value);
	write_fault_filter(x, cr4, value);
}

/* cr0: what the guest has there. */
static void set_cr4(struct vmx_vcpu *x, u64 value, u64 cr0)
{
	if (!x->two_level)
		write_fault_filter(x, value, x->efer);
	vmwrite(VMCS_CR4_READ_SHADOW, value);
	/* CR4.MCE stays on for us: with it off, a machine check would shut the machine down. */
	value |= read_cr4() & CR4_MCE;
	if (!x->two_level) {
		/* Our tables have PAE's format at least; what the guest does without paging is
		 * not checked against them. */
		value |= CR4_PAE;
		if (!(cr0 & CR0_PG))
			value &= ~(CR4_SMEP | CR4_SMAP);
	}
	vmwrite(VMCS_GUEST_CR4, (value | vmx_caps.cr4_fixed0) & vmx_caps.cr4_fixed1);
}

static void set_reg(struct vcpu *v, enum vcpu_reg r, u64 value)
{
	struct vmx_vcpu *x = vmx_of(v);

	switch (r) {
	case VREG_CR0:
		vmwrite(VMCS_CR0_READ_SHADOW, value);
		vmwrite(VMCS_GUEST_CR0, fix_cr0(x, value));
		if (!x->two_level)
			set_cr4(x, get_reg(v, VREG_CR4), value);
		break;
	case VREG_CR3:
		x->cr3 = value;
		x->root = vmread(VMCS_GUEST_CR3);
		if (x->two_level)
			vmwrite(VMCS_GUEST_CR3, value);
		break;
	case VREG_CR4: set_cr4(x, value, get_reg(v, VREG_CR0)); break;
	case VREG_EFER: set_efer(x, value, get_reg(v, VREG_CR4)); break;
	case VREG_PAT:
		x->pat = value;
		if (x->two_level)
			vmwrite(VMCS_GUEST_PAT, value);
		break;
	default: vmwrite(reg_field[r], value); break;
	}
}

/* cpu_ops.get_pdptes. With EPT, a CR3 load of the guest changes them without an exit. */
static void get_pdptes(struct vcpu *v, u64 pdpte[4])
{
	for (u64 i = 0; i < 4; i++)
		pdpte[i] = vmx_of(v)->two_level ? vmread(VMCS_GUEST_PDPTE0 + 2 * i) : v->pdpte[i];
}

/* Without EPT the processor reads them from our tables, at each entry. */
static void set_pdptes(struct vcpu *v, const u64 pdpte[4])
{
	if (!vmx_of(v)->two_level)
		return;
	for (u64 i = 0; i < 4; i++)
		vmwrite(VMCS_GUEST_PDPTE0 + 2 * i, pdpte[i]);
}

/*
 * cpu_ops.set_root. Where the root is at the address that the guest has in its CR3, what it reads
 * there is right, and it need not exit for it.
 */
static void set_root(struct vcpu *v, hpa_t root)
{
	struct vmx_vcpu *x = vmx_of(v);

	x->cr3 = get_cr3(x); /* it may have loaded another since we were told */
	x->root = root.v;
	vmwrite(VMCS_GUEST_CR3, root.v);
	if (!vmx_caps_must(&vmx_caps, VMX_PROC, PROC_CR3_STORE))
		vmx_set_proc(x, PROC_CR3_STORE, root.v != x->cr3);
}

/*
 * The guest has loaded another root since, by itself: that is one where what it reads is right. So
 * this exit, for its reading CR3, was the last.
 */
void vmx_cr3_read(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);

	if (!x->two_level && !vmx_caps_must(&vmx_caps, VMX_PROC, PROC_CR3_STORE) &&
		vmread(VMCS_GUEST_CR3) != x->root)
		vmx_set_proc(x, PROC_CR3_STORE, false);
}

/* cpu_ops.set_fault_filter */
static void set_fault_filter(struct vcpu *v, bool on)
{
	struct vmx_vcpu *x = vmx_of(v);

	x->fault_filter = on;
	write_fault_filter(x, get_reg(v, VREG_CR4), x->efer);
}

/* cpu_ops.set_cr3_targets */
static void set_cr3_targets(struct vcpu *v, const u64 *value, unsigned count)
{
	(void)v;
	count = MIN(count, vmx_caps_cr3_targets(&vmx_caps));
	for (unsigned i = 0; i < count; i++)
		vmwrite(VMCS_CR3_TARGET0 + 2 * i, value[i]);
	vmwrite(VMCS_CR3_TARGET_COUNT, count);
}

static bool has_vpid(const struct vmx_vcpu *x)
{
	return x->controls->word[VMX_PROC2] & PROC2_VPID;
}

/* cpu_ops.cr0_needed: shadow paging is paging, whatever the guest believes. */
static u64 cr0_needed(struct vcpu *v)
{
	const struct vmx_vcpu *x = vmx_of(v);

	if (!x->two_level)
		return CR0_PE;
	return x->controls->word[VMX_PROC2] & PROC2_UNRESTRICTED_GUEST ? 0 : CR0_PE | CR0_PG;
}

/* cpu_ops.flush_tlb. Without a VPID, every entry and exit flushes all of it. */
static void flush_tlb(struct vcpu *v, enum tlb_scope scope, gva_t gva)
{
	static const struct {
		u64 cap, type;
	} how[] = {
		[TLB_ADDRESS] = { VPID_CAP_INVVPID_ADDRESS, INVVPID_ADDRESS },
		[TLB_NON_GLOBAL] = { VPID_CAP_INVVPID_GLOBALS, INVVPID_GLOBALS },
		[TLB_ALL] = { VPID_CAP_INVVPID_SINGLE, INVVPID_SINGLE },
	};
	struct vmx_vcpu *x = vmx_of(v);
	s64 sign = (s64)(gva.v << 16) >> 16;

	if (!has_vpid(x))
		return;
	/* INVVPID of an address that is not canonical fails; there is nothing to flush for it. */
	if (scope == TLB_ADDRESS && (u64)sign != gva.v)
		return;
	if (vmx_caps.ept_vpid & how[scope].cap)
		invvpid(how[scope].type, x->vpid, gva);
	else
		invvpid(INVVPID_SINGLE, x->vpid, GVA(0));
}

static void set_cr2(struct vcpu *v, u64 value)
{
	(void)v;
	write_cr2(value);
}

static void set_xcr0(struct vcpu *v, u64 value)
{
	v->xcr0 = value;
	xsetbv(0, value);
}

/* "MSR-Bitmap Address": four 1 KB bitmaps: read low, read high, write low, write high. A 0 passes.
 */
static void pass_msr(struct vcpu *v, u32 msr, bool read, bool write)
{
	u8 *map = vmx_of(v)->msr_bitmap;
	u32 high = msr >= 0xc0000000u ? 1024 : 0;
	u32 n = msr & 0x1fff;
	u8 bit = (u8)(1u << (n % 8));

	BUG_ON((msr & ~0xc0001fffu) != 0);
	if (read)
		map[high + n / 8] &= (u8)~bit;
	if (write)
		map[2048 + high + n / 8] &= (u8)~bit;
}

void vmx_set_proc(struct vmx_vcpu *x, u32 bit, bool on)
{
	u32 want = on ? x->proc | bit : x->proc & ~bit;

	if (want == x->proc)
		return;
	x->proc = want;
	vmwrite(VMCS_PROC_BASED_CONTROLS, want);
}

/* cpu_ops.set_traps */
static bool set_traps(struct vcpu *v, bool step, bool int3, bool debug_regs)
{
	struct vmx_vcpu *x = vmx_of(v);
	bool have = vmx_controls_have(x->controls, VMX_PROC, PROC_MONITOR_TRAP);
	bool have_dr = vmx_controls_have(x->controls, VMX_PROC, PROC_MOV_DR);
	u64 exceptions = vmread(VMCS_EXCEPTION_BITMAP) & ~BIT(VEC_BP);

	vmwrite(VMCS_EXCEPTION_BITMAP, exceptions | (int3 ? BIT(VEC_BP) : 0));
	vmx_set_proc(x, PROC_MOV_DR, debug_regs && have_dr);
	vmx_set_proc(x, PROC_MONITOR_TRAP, step && have);
	return !step || have;
}

/* cpu_ops.skip */
static void skip(struct vcpu *v)
{
	(void)v;
	vmx_skip();
}

/* cpu_ops.retire */
static void retire(struct vcpu *v, u64 rip, u64 rflags)
{
	(void)v;
	vmwrite(VMCS_GUEST_RIP, rip);
	vmwrite(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	vmx_end_instruction(rflags);
}

/*
 * "Checks on Guest Non-Register State": with blocking by STI or MOV SS and RFLAGS.TF, pending debug
 * exceptions must have BS set, or the entry fails (XSA-308).
 */
void vmx_prepare_entry(struct vcpu *v)
{
	u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	(void)v;
	if (likely(!(blocking & (BLOCKING_STI | BLOCKING_MOV_SS))) ||
		!(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF))
		return;
	vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

static u64 sidt_base(void)
{
	struct descriptor_ptr p;

	__asm__ volatile("sidt %0" : "=m"(p));
	return p.base;
}

/* cpu_ops.trace */
static void set_exit_address(const struct vcpu *v)
{
	vmwrite(VMCS_HOST_RIP, (u64)(v->trace	       ? vmx_exit_traced
				       : v->vm->shared ? vmx_exit_shared
						       : vmx_exit));
}

/* "Host-State Area": the state of this physical CPU; what entry.S needs is written there. */
static void write_host_state(const struct vcpu *v, const struct vmx_vcpu *x)
{
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_ES_SELECTOR, 0);
	vmwrite(VMCS_HOST_CS_SELECTOR, SEL_CODE);
	vmwrite(VMCS_HOST_SS_SELECTOR, SEL_DATA);
	vmwrite(VMCS_HOST_DS_SELECTOR, 0);
	vmwrite(VMCS_HOST_FS_SELECTOR, 0);
	vmwrite(VMCS_HOST_GS_SELECTOR, 0);
	vmwrite(VMCS_HOST_TR_SELECTOR, SEL_TSS);
	vmwrite(VMCS_HOST_FS_BASE, 0);
	vmwrite(VMCS_HOST_GS_BASE, (u64)this_cpu());
	vmwrite(VMCS_HOST_TR_BASE, (u64)&this_cpu()->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, (u64)&this_cpu()->gdt);
	vmwrite(VMCS_HOST_IDTR_BASE, sidt_base());
	vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
	if (x->two_level) {
		vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER) & ~EFER_SCE);
		vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
	}
	set_exit_address(v);
}

/* How memory is translated: by EPT, or by tables of ours, whose upkeep wants page faults to exit.
 */
static void write_paging(struct vcpu *v, struct vmx_vcpu *x)
{
	struct mmu_view view;

	v->vm->mmu->ops->view(v, &view);
	vmwrite(VMCS_EXCEPTION_BITMAP, EXCEPTION_BITMAP | (view.trap_paging ? BIT(VEC_PF) : 0));
	vmwrite(VMCS_PF_ERROR_CODE_MASK, 0);
	vmwrite(VMCS_PF_ERROR_CODE_MATCH, 0);
	x->fault_mask = view.fault_mask;
	x->fault_match = view.fault_match;
	x->fault_filter = true;
	if (x->two_level)
		vmwrite(VMCS_EPT_POINTER, view.root);
	vmwrite(VMCS_CR0_MASK, x->cr0_mask);
	vmwrite(VMCS_CR4_MASK, x->cr4_mask);
}

/*
 * "PAUSE-loop exiting": PAUSEs that follow each other within the gap are one loop; an exit when it
 * has lasted for the window. Both in ticks: a loop has few instructions, and a lock that is held
 * for longer than that is held by somebody who does not run.
 */
#define PLE_GAP	   128u
#define PLE_WINDOW 4096u

/* A VM's only vcpu waits for none. */
static u32 secondary_controls(const struct vcpu *v, const struct vmx_vcpu *x)
{
	u32 word = x->controls->word[VMX_PROC2];

	if (!v->vm->cfg.ple || v->vm->cfg.vcpus == 1 ||
		!vmx_controls_have(x->controls, VMX_PROC2, PROC2_PAUSE_LOOP))
		return word;
	vmwrite(VMCS_PLE_GAP, PLE_GAP);
	vmwrite(VMCS_PLE_WINDOW, PLE_WINDOW);
	return word | PROC2_PAUSE_LOOP;
}

static void write_controls(struct vcpu *v, struct vmx_vcpu *x)
{
	const u32 *word = x->controls->word;

	x->proc = word[VMX_PROC];
	vmwrite(VMCS_PIN_BASED_CONTROLS, word[VMX_PIN]);
	vmwrite(VMCS_PROC_BASED_CONTROLS, x->proc);
	vmwrite(VMCS_PROC_BASED_CONTROLS2, secondary_controls(v, x));
	vmwrite(VMCS_EXIT_CONTROLS, word[VMX_EXIT]);
	vmwrite(VMCS_ENTRY_CONTROLS, word[VMX_ENTRY]);
	vmwrite(VMCS_CR3_TARGET_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_INTR_INFO, 0);
	vmwrite(VMCS_IO_BITMAP_A, hva_to_hpa(x->io_bitmap).v);
	vmwrite(VMCS_IO_BITMAP_B, hva_to_hpa(x->io_bitmap).v + PAGE_SIZE);
	vmwrite(VMCS_MSR_BITMAPS, hva_to_hpa(x->msr_bitmap).v);
	vmwrite(VMCS_TSC_OFFSET, 0);
	vmwrite(VMCS_LINK_POINTER, VMCS_LINK_NONE);
	if (word[VMX_PROC2] & PROC2_XSAVES)
		vmwrite(VMCS_XSS_EXITING_BITMAP, ~0ul);
	if (has_vpid(x))
		vmwrite(VMCS_VPID, x->vpid);
	write_paging(v, x);
}

/* cpu_ops.load: makes the VMCS current on this CPU and loads the state of a first instruction. */
static void load(struct vcpu *v, const struct vcpu_state *s)
{
	struct vmx_vcpu *x = vmx_of(v);

	if (!vmclear(hva_to_hpa(x->vmcs)) || !vmptrld(hva_to_hpa(x->vmcs)))
		vmx_insn_failed("VMPTRLD", hva_to_hpa(x->vmcs).v);
	x->launched = false;
	v->handled = false;
	write_controls(v, x);
	write_host_state(v, x);
	vmx_live_reset(v);
	memcpy(v->gpr, s->gpr, sizeof(v->gpr));
	set_reg(v, VREG_RSP, s->gpr[RSP]);
	set_reg(v, VREG_RIP, s->rip);
	set_reg(v, VREG_RFLAGS, s->rflags | RFLAGS_R1);
	set_reg(v, VREG_EFER, s->efer);
	set_reg(v, VREG_CR0, s->cr0);
	set_reg(v, VREG_CR3, s->cr3);
	set_reg(v, VREG_CR4, s->cr4);
	set_reg(v, VREG_DR7, DR7_INIT);
	set_reg(v, VREG_PAT, PAT_RESET);
	set_reg(v, VREG_SYSENTER_CS, 0);
	set_reg(v, VREG_SYSENTER_ESP, 0);
	set_reg(v, VREG_SYSENTER_EIP, 0);
	set_reg(v, VREG_DEBUGCTL, 0);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		set_segment(v, (enum seg)i, &s->seg[i]);
	set_table(v, false, &s->gdtr);
	set_table(v, true, &s->idtr);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	flush_tlb(v, TLB_ALL, GVA(0));
	v->exit_tsc = (u32)rdtsc();
}

/* cpu_ops.unload */
static void unload(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);

	if (!vmclear(hva_to_hpa(x->vmcs)))
		vmx_insn_failed("VMCLEAR", hva_to_hpa(x->vmcs).v);
}

/* cpu_ops.destroy */
static void destroy(struct vcpu *v)
{
	struct vmx_vcpu *x = vmx_of(v);

	if (x->vmcs)
		unload(v);
	if (x->vmcs)
		page_free(x->vmcs, PAGE_ORDER_4K, PAGE_HV);
	if (x->msr_bitmap)
		page_free(x->msr_bitmap, PAGE_ORDER_4K, PAGE_HV);
	if (x->io_bitmap)
		page_free(x->io_bitmap, 1, PAGE_HV);
	vmx_live_destroy(x);
	page_free(x, PAGE_ORDER_4K, PAGE_HV);
	v->arch = NULL;
}

/* cpu_ops.create */
static enum status create(struct vcpu *v)
{
	struct vmx_vcpu *x = page_alloc(PAGE_ORDER_4K, PAGE_HV);
	struct mmu_view view;

	if (!x)
		return ERR_NOMEM;
	v->arch = x;
	v->vm->mmu->ops->view(v, &view);
	x->two_level = view.two_level;
	x->controls = &vmx_controls[view.two_level ? VMX_TWO_LEVEL : VMX_ONE_LEVEL];
	x->vmcs = page_alloc(PAGE_ORDER_4K, PAGE_HV);
	x->msr_bitmap = page_alloc(PAGE_ORDER_4K, PAGE_HV);
	x->io_bitmap = page_alloc(1, PAGE_HV);
	if (vmx_live_create(v) != OK || !x->vmcs || !x->msr_bitmap || !x->io_bitmap) {
		destroy(v);
		return ERR_NOMEM;
	}
	*(u32 *)x->vmcs = vmx_caps_revision(&vmx_caps);
	memset(x->msr_bitmap, 0xff, PAGE_SIZE);
	memset(x->io_bitmap, 0xff, 2 * PAGE_SIZE);
	x->vpid = (u16)(v->vm->id * PLATFORM_MAX_VCPUS + v->index + 1);
	x->cr0_mask = ~CR0_GUEST_OWNED;
	/* PAE and PG decide how CR3 is read, MCE is ours, the rest that the guest may set is its
	 * own. */
	x->cr4_mask = ~cpuid_cr4_allowed(v->cpuid) | CR4_PAE | CR4_MCE | CR4_VMXE;
	if (!view.two_level) {
		x->cr0_mask |= CR0_ONE_LEVEL;
		x->cr4_mask |= CR4_ONE_LEVEL;
	}
	v->timer_shift = vmx_caps_timer_shift(&vmx_caps);
	v->timer_field = x->controls->word[VMX_PIN] & PIN_PREEMPTION_TIMER ? VMCS_PREEMPTION_TIMER
									   : VMCS_UNUSED;
	return OK;
}

/* cpu_ops.dump */
void vmx_dump(struct vcpu *v)
{
	static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };
	const u64 *g = v->gpr;

	log_err("  rip %016lx  rsp %016lx  rflags %08lx", get_reg(v, VREG_RIP),
		get_reg(v, VREG_RSP), get_reg(v, VREG_RFLAGS));
	log_err("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", g[RAX], g[RBX], g[RCX], g[RDX]);
	log_err("  rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx", g[RSI], g[RDI], g[RBP], g[R8]);
	log_err("  r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx", g[R9], g[R10], g[R11], g[R12]);
	log_err("  r13 %016lx  r14 %016lx  r15 %016lx", g[R13], g[R14], g[R15]);
	log_err("  cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx  efer %04lx", get_reg(v, VREG_CR0),
		read_cr2(), get_reg(v, VREG_CR3), get_reg(v, VREG_CR4), get_reg(v, VREG_EFER));
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		struct segment s;

		get_segment(v, (enum seg)i, &s);
		log_err("  %-4s %04x  base %016lx  limit %08x  access %05x", names[i], s.selector,
			s.base, s.limit, s.ar);
	}
	log_err("  last exit: %s (%u), qualification 0x%lx, interruptibility 0x%lx",
		vmx_exit_name(vmread32(VMCS_EXIT_REASON)), vmread32(VMCS_EXIT_REASON),
		vmread(VMCS_EXIT_QUALIFICATION), vmread(VMCS_GUEST_INTERRUPTIBILITY));
}

/* cpu_ops.field */
static bool field(struct vcpu *v, unsigned index, const char **name, u64 *value)
{
	u32 encoding;

	(void)v;
	if (!vmcs_field_at(index, &encoding, name))
		return false;
	if (!vmread_safe(encoding, value))
		*name = NULL;
	return true;
}

/* cpu_ops.lacks: a feature that needs a control, or the processor's own walk of the guest's tables.
 */
static unsigned lacks(bool two_level)
{
	static const struct {
		u32 bit;
		unsigned lacks;
	} rows[] = {
		{ PROC2_RDTSCP, CPUID_LACKS_RDTSCP },
		{ PROC2_INVPCID, CPUID_LACKS_INVPCID },
		{ PROC2_XSAVES, CPUID_LACKS_XSAVES },
	};
	u32 have = vmx_controls[two_level ? VMX_TWO_LEVEL : VMX_ONE_LEVEL].word[VMX_PROC2];
	unsigned what = two_level ? 0 : CPUID_LACKS_PCID | CPUID_LACKS_PKU;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (!(have & rows[i].bit))
			what |= rows[i].lacks;
	return vmx_xsavec_works() ? what : what | CPUID_LACKS_XSAVEC;
}

const struct cpu_ops vmx_cpu_ops = {
	.name = "VT-x",
	.lacks = lacks,
	.create = create,
	.destroy = destroy,
	.unload = unload,
	.load = load,
	.switch_out = vmx_switch_out,
	.switch_in = vmx_switch_in,
	.run = vmx_run,
	.skip = skip,
	.retire = retire,
	.get = get_reg,
	.set = set_reg,
	.get_context = get_context,
	.get_position = get_position,
	.get_segment = get_segment,
	.set_segment = set_segment,
	.get_table = get_table,
	.set_table = set_table,
	.can_inject = vmx_can_inject,
	.inject = vmx_inject,
	.want_window = vmx_want_window,
	.pass_msr = pass_msr,
	.set_cr2 = set_cr2,
	.set_xcr0 = set_xcr0,
	.get_pdptes = get_pdptes,
	.set_pdptes = set_pdptes,
	.set_root = set_root,
	.set_fault_filter = set_fault_filter,
	.set_cr3_targets = set_cr3_targets,
	.cr0_needed = cr0_needed,
	.flush_tlb = flush_tlb,
	.set_traps = set_traps,
	.get_live = vmx_get_live,
	.set_live = vmx_set_live,
	.get_fxsave = vmx_get_fxsave,
	.put_fxsave = vmx_put_fxsave,
	.dump = vmx_dump,
	.field = field,
	.trace = set_exit_address,
	.last_exit = vmx_last_exit,
};
