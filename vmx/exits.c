/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The exit table: one row a basic exit reason, from the processor's words to the project's. The
 * handlers themselves know no VMX and stand in hv/vm/exits.c.
 *
 * A reason without a row is an exit that we never asked for: it is reported and ends that VM.
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/irq.h"
#include "hv/cpu/regs.h"
#include "hv/vm/vm.h"
#include "vmx/insn.h"
#include "vmx/quick.h"
#include "vmx/retire.h"
#include "vmx/vmx.h"

/* What tells a page fault from all else that exits for its reason, and from the fault of an IRET.
 */
#define INTR_INFO_OF_FAULT   (INTR_INFO_VECTOR | INTR_INFO_TYPE | INTR_INFO_NMI_UNBLOCKED)
#define INTR_INFO_PAGE_FAULT (VEC_PF | INTR_TYPE_HARD_EXCEPTION << INTR_INFO_TYPE_SHIFT)

/* "Information for VM Exits Due to Vectored Events": an exception, or an NMI of the machine. */
static bool decode_exception(struct vcpu *v, struct vcpu_exit *e)
{
	u32 info = vmread32(VMCS_EXIT_INTR_INFO);

	(void)v;
	e->exception = (struct exit_exception){
		.vector = (u8)(info & INTR_INFO_VECTOR),
		.has_error = (info & INTR_INFO_ERROR_CODE) != 0,
		.qualification = vmread(VMCS_EXIT_QUALIFICATION),
	};
	if (e->exception.vector == VEC_BP)
		e->exception.length = (u8)vmread32(VMCS_EXIT_INSTRUCTION_LENGTH);
	if (e->exception.has_error)
		e->exception.error = vmread32(VMCS_EXIT_INTR_ERROR_CODE);
	/* An IRET that faulted had already ended the blocking by NMI. */
	if ((info & INTR_INFO_NMI_UNBLOCKED) && e->exception.vector != VEC_DF)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
	return true;
}

/* Under shadow paging a page fault is about memory: the qualification is its linear address. */
static enum exit_kind decode_page_fault(struct vcpu_exit *e)
{
	u32 error = e->exception.error;

	e->memory = (struct mmu_fault){
		.gva = GVA(e->exception.qualification), .gva_valid = true, .error = error
	};
	return EXIT_MEMORY;
}

static bool decode_invlpg(struct vcpu *v, struct vcpu_exit *e)
{
	(void)v;
	e->invlpg = GVA(vmread(VMCS_EXIT_QUALIFICATION));
	return true;
}

static bool decode_interrupt(struct vcpu *v, struct vcpu_exit *e)
{
	(void)v;
	(void)e;
	irq_handle((u8)(vmread32(VMCS_EXIT_INTR_INFO) & INTR_INFO_VECTOR));
	return true;
}

static bool decode_irq_window(struct vcpu *v, struct vcpu_exit *e)
{
	(void)e;
	vmx_want_window(v, EVENT_IRQ, false);
	vcpu_work_set(v, WORK_IRQ);
	return true;
}

static bool decode_nmi_window(struct vcpu *v, struct vcpu_exit *e)
{
	(void)e;
	vmx_want_window(v, EVENT_NMI, false);
	vcpu_work_set(v, WORK_NMI);
	return true;
}

/* "Exit Qualification for I/O Instructions" */
static bool decode_io(struct vcpu *v, struct vcpu_exit *e)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	(void)v;
	e->io = (struct exit_io){
		.port = (u16)((q & QUAL_IO_PORT) >> QUAL_IO_PORT_SHIFT),
		.size = (u8)((q & QUAL_IO_SIZE) + 1),
		.in = (q & QUAL_IO_IN) != 0,
		.string = (q & QUAL_IO_STRING) != 0,
	};
	return !e->io.string; /* the emulator wants all registers */
}

/* "Exit Qualification for Control-Register Accesses" */
static bool decode_cr(struct vcpu *v, struct vcpu_exit *e)
{
	static const enum cr_op ops[] = {
		[QUAL_CR_MOV_TO] = CR_WRITE,
		[QUAL_CR_MOV_FROM] = CR_READ,
		[QUAL_CR_CLTS] = CR_CLTS,
		[QUAL_CR_LMSW] = CR_LMSW,
	};
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	(void)v;
	e->cr = (struct exit_cr){
		.cr = (u8)(q & QUAL_CR_NUMBER),
		.op = ops[(q & QUAL_CR_ACCESS) >> QUAL_CR_ACCESS_SHIFT],
		.gpr = (u8)((q & QUAL_CR_REGISTER) >> QUAL_CR_REGISTER_SHIFT),
		.lmsw = (u16)((q & QUAL_CR_LMSW_SOURCE) >> QUAL_CR_LMSW_SHIFT),
	};
	if (e->cr.cr == 3 && e->cr.op == CR_READ)
		vmx_cr3_read(v);
	/* The quick path has not saved RBP and R12 to R15. */
	return e->cr.gpr < R12 && e->cr.gpr != RBP;
}

/* "Exit Qualification for MOV DR" */
static bool decode_dr(struct vcpu *v, struct vcpu_exit *e)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	(void)v;
	e->dr = (struct exit_dr){
		.dr = (u8)(q & QUAL_DR_NUMBER),
		.gpr = (u8)((q & QUAL_DR_REGISTER) >> QUAL_DR_REGISTER_SHIFT),
		.write = !(q & QUAL_DR_FROM),
	};
	return true;
}

static bool decode_step(struct vcpu *v, struct vcpu_exit *e)
{
	(void)v;
	e->pending = vmread(VMCS_GUEST_PENDING_DEBUG);
	return true;
}

static_assert(QUAL_EPT_READ == MMU_R && QUAL_EPT_WRITE == MMU_W && QUAL_EPT_FETCH == MMU_X &&
		      QUAL_EPT_WRITABLE == MMU_W * QUAL_EPT_READABLE &&
		      QUAL_EPT_EXECUTABLE == MMU_X * QUAL_EPT_READABLE,
	"MMU_* are bits of the qualification as they are");

/* "Exit Qualification for EPT Violations" */
static bool decode_ept_violation(struct vcpu *v, struct vcpu_exit *e)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	e->memory = (struct mmu_fault){
		.gpa = GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS)),
		.gva_valid = (q & QUAL_EPT_LINEAR_VALID) != 0,
		.is_walk = (q & QUAL_EPT_LINEAR_VALID) && !(q & QUAL_EPT_TRANSLATED),
		.access = q & (QUAL_EPT_READ | QUAL_EPT_WRITE | QUAL_EPT_FETCH),
		.allowed = q / QUAL_EPT_READABLE & (MMU_R | MMU_W | MMU_X),
	};
	if (e->memory.gva_valid)
		e->memory.gva = GVA(vmread(VMCS_GUEST_LINEAR_ADDRESS));
	if ((q & QUAL_EPT_NMI_UNBLOCKED) && !(v->work & WORK_EVENT))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
	return true;
}

static bool decode_ept_misconfig(struct vcpu *v, struct vcpu_exit *e)
{
	(void)v;
	e->memory = (struct mmu_fault){
		.gpa = GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS)),
		.misconfigured = true,
	};
	return true;
}

/* vmx_quick() has put the caller-saved registers away: decode and handle as the run loop would. */
struct vcpu *vmx_quick_common(struct vcpu *v)
{
	const struct vmx_exit_row *row = &vmx_exit_rows[vmread_hot(VMCS_EXIT_REASON)];
	struct vcpu_exit e;

	if (row->decode && !row->decode(v, &e))
		return NULL;
	v->kind = row->kind;
	if (exit_handlers[row->kind].handle(v, &e))
		vmx_skip();
	return v;
}

/*
 * Of its reason, a page fault and nothing else, and no event may have been cut short, nor may STI
 * block interrupts: then the run loop has no more to look at than this.
 */
struct vcpu *vmx_quick_page_fault(struct vcpu *v)
{
	struct mmu_fault f;

	if ((vmread_hot(VMCS_EXIT_INTR_INFO) & INTR_INFO_OF_FAULT) != INTR_INFO_PAGE_FAULT ||
		(vmread_hot(VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID) ||
		(vmread_hot(VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_STI | BLOCKING_MOV_SS)))
		return NULL;
	v->kind = EXIT_MEMORY;
	f = (struct mmu_fault){ .gva = GVA(vmread_hot(VMCS_EXIT_QUALIFICATION)),
		.gva_valid = true,
		.error = (u32)vmread_hot(VMCS_EXIT_INTR_ERROR_CODE) };
	vcpu_memory_exit(v, &f);
	return v;
}

const struct vmx_exit_row vmx_exit_rows[REASON_COUNT] = {
	[REASON_EXCEPTION_NMI] = { "exception or NMI", EXIT_EXCEPTION, VMX_EXIT_VECTORED,
		decode_exception, vmx_quick_all },
	[REASON_EXTERNAL_INTERRUPT] = { "external interrupt", EXIT_INTERRUPT, 0, decode_interrupt,
		vmx_quick },
	[REASON_TRIPLE_FAULT] = { "triple fault", EXIT_TRIPLE_FAULT, 0, NULL },
	[REASON_INTERRUPT_WINDOW] = { "interrupt window", EXIT_WINDOW, 0, decode_irq_window,
		vmx_quick },
	[REASON_NMI_WINDOW] = { "NMI window", EXIT_WINDOW, 0, decode_nmi_window, vmx_quick },
	[REASON_TASK_SWITCH] = { "task switch", EXIT_TASK_SWITCH, VMX_EXIT_VECTORED, NULL },
	[REASON_CPUID] = { "CPUID", EXIT_CPUID, 0, NULL, vmx_quick_cpuid },
	[REASON_GETSEC] = { "GETSEC", EXIT_UNDEFINED, 0, NULL },
	[REASON_HLT] = { "HLT", EXIT_HLT, 0, NULL, vmx_quick },
	[REASON_INVD] = { "INVD", EXIT_WBINVD, 0, NULL },
	[REASON_INVLPG] = { "INVLPG", EXIT_INVLPG, 0, decode_invlpg, vmx_quick },
	[REASON_RDPMC] = { "RDPMC", EXIT_RDPMC, 0, NULL },
	[REASON_RSM] = { "RSM", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMCALL] = { "VMCALL", EXIT_HYPERCALL, 0, NULL, vmx_quick },
	[REASON_VMCLEAR] = { "VMCLEAR", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMLAUNCH] = { "VMLAUNCH", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMPTRLD] = { "VMPTRLD", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMPTRST] = { "VMPTRST", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMREAD] = { "VMREAD", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMRESUME] = { "VMRESUME", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMWRITE] = { "VMWRITE", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMXOFF] = { "VMXOFF", EXIT_UNDEFINED, 0, NULL },
	[REASON_VMXON] = { "VMXON", EXIT_UNDEFINED, 0, NULL },
	[REASON_CR_ACCESS] = { "control-register access", EXIT_CR, 0, decode_cr, vmx_quick },
	[REASON_MOV_DR] = { "MOV DR", EXIT_DR, 0, decode_dr },
	[REASON_IO] = { "I/O instruction", EXIT_IO, 0, decode_io, vmx_quick },
	[REASON_RDMSR] = { "RDMSR", EXIT_RDMSR, 0, NULL, vmx_quick },
	[REASON_WRMSR] = { "WRMSR", EXIT_WRMSR, 0, NULL, vmx_quick },
	[REASON_MWAIT] = { "MWAIT", EXIT_UNDEFINED, 0, NULL },
	[REASON_MONITOR_TRAP] = { "monitor trap flag", EXIT_STEP, 0, decode_step },
	[REASON_MONITOR] = { "MONITOR", EXIT_UNDEFINED, 0, NULL },
	[REASON_PAUSE] = { "PAUSE", EXIT_PAUSE, 0, NULL, vmx_quick },
	[REASON_EPT_VIOLATION] = { "EPT violation", EXIT_MEMORY, VMX_EXIT_VECTORED,
		decode_ept_violation },
	[REASON_EPT_MISCONFIG] = { "EPT misconfiguration", EXIT_MEMORY, VMX_EXIT_VECTORED,
		decode_ept_misconfig },
	[REASON_INVEPT] = { "INVEPT", EXIT_UNDEFINED, 0, NULL },
	[REASON_PREEMPTION_TIMER] = { "VMX-preemption timer expired", EXIT_TIMER, 0, NULL,
		vmx_quick },
	[REASON_INVVPID] = { "INVVPID", EXIT_UNDEFINED, 0, NULL },
	[REASON_WBINVD] = { "WBINVD", EXIT_WBINVD, 0, NULL },
	[REASON_XSETBV] = { "XSETBV", EXIT_XSETBV, 0, NULL },
	[REASON_VMFUNC] = { "VMFUNC", EXIT_UNDEFINED, 0, NULL },
};

const char *vmx_exit_name(u32 reason)
{
	u32 basic = reason & EXIT_REASON_BASIC;

	if (basic >= REASON_COUNT || !vmx_exit_rows[basic].name)
		return "unexpected exit reason";
	return vmx_exit_rows[basic].name;
}

/* An exit that the quick path declined, all registers stored. */
static enum exit_kind decode_slow(struct vcpu *v, struct vcpu_exit *e)
{
	u32 reason = vmread32(VMCS_EXIT_REASON);
	const struct vmx_exit_row *row;

	if (reason & EXIT_REASON_ENTRY_FAILED) {
		vmx_entry_failed(v, reason);
		return EXIT_BROKEN;
	}
	if (reason >= REASON_COUNT || !vmx_exit_rows[reason].name) {
		log_err("%s: exit reason %u (qualification 0x%lx), which no control of ours "
			"enables",
			v->vm->cfg.name, reason, vmread(VMCS_EXIT_QUALIFICATION));
		return EXIT_BROKEN;
	}
	row = &vmx_exit_rows[reason];
	if (row->flags & VMX_EXIT_VECTORED)
		vmx_take_back_event(v);
	if (row->decode)
		(void)row->decode(v, e);
	/* NMIs share a reason with exceptions; they are the machine's business. */
	if (reason == REASON_EXCEPTION_NMI && e->exception.vector == VEC_NMI) {
		nmi_handle();
		return EXIT_NMI;
	}
	if (reason == REASON_EXCEPTION_NMI && e->exception.vector == VEC_PF)
		return decode_page_fault(e);
	return row->kind;
}

/* cpu_ops.run */
enum exit_kind vmx_run(struct vcpu *v, struct vcpu_exit *e)
{
	struct vmx_vcpu *x = vmx_of(v);
	u32 now = rdtsc_low();
	s32 left = vmx_ticks_left(v, now);
	u64 failed;

	if (left <= 0) {
		vmx_account_due(v, now);
		return EXIT_TIMER;
	}
	vmx_prepare_entry(v);
	vmx_arm_timer(v, left);
	vmx_account_entry(v, now);
	failed = vmx_enter(v, x->launched);
	if (failed) {
		vmx_account_exit(v);
		vmx_entry_failed(v, 0);
		v->kind = EXIT_BROKEN;
		return EXIT_BROKEN;
	}
	x->launched = true;
	if (v->handled) {
		v->handled = false;
		return EXIT_NONE;
	}
	v->kind = decode_slow(v, e);
	return v->kind;
}
