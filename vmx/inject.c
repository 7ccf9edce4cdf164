/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events into the guest ("Event Injection"), the windows in which it can take them, and events
 * whose delivery an exit cut short ("Information for VM Exits That Occur During Event Delivery").
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/regs.h"
#include "vmx/insn.h"
#include "vmx/vmx.h"

static const u32 intr_type[] = {
	[EVENT_IRQ] = INTR_TYPE_EXTERNAL,
	[EVENT_NMI] = INTR_TYPE_NMI,
	[EVENT_EXCEPTION] = INTR_TYPE_HARD_EXCEPTION,
	[EVENT_SOFT_INT] = INTR_TYPE_SOFT_INTERRUPT,
	[EVENT_SOFT_EXCEPTION] = INTR_TYPE_SOFT_EXCEPTION,
	[EVENT_PRIV_SOFT] = INTR_TYPE_PRIV_SOFT_EXC,
};

bool vmx_can_inject(struct vcpu *v, enum event_type t)
{
	u32 blocking = vmread32(VMCS_GUEST_INTERRUPTIBILITY);

	if ((v->work & WORK_EVENT) || (vmread32(VMCS_ENTRY_INTR_INFO) & INTR_INFO_VALID))
		return false;
	if (t == EVENT_NMI)
		return !(blocking & (BLOCKING_STI | BLOCKING_MOV_SS | BLOCKING_NMI));
	return (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) &&
	       !(blocking & (BLOCKING_STI | BLOCKING_MOV_SS));
}

/*
 * A fault or trap that is delivered ends the blocking by STI and MOV SS of the instruction before;
 * injecting with it still set would fail the entry for external interrupts and NMIs.
 */
static void end_blocking(void)
{
	u64 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (blocking & (BLOCKING_STI | BLOCKING_MOV_SS))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			blocking & ~(u64)(BLOCKING_STI | BLOCKING_MOV_SS));
}

void vmx_inject(struct vcpu *v, const struct event *e)
{
	u32 info = e->vector | (intr_type[e->type] << INTR_INFO_TYPE_SHIFT) | INTR_INFO_VALID;

	/* "Checks on VM-Entry Control Fields": no error code unless CR0.PE is set (unrestricted
	 * guest). */
	if (e->has_error && (vmread(VMCS_GUEST_CR0) & CR0_PE)) {
		info |= INTR_INFO_ERROR_CODE;
		vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, e->error);
	}
	if (e->type >= EVENT_SOFT_INT)
		vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, e->length);
	/* Faults save RFLAGS.RF = 1, so that a breakpoint at the same place is not met twice. */
	if (e->type == EVENT_EXCEPTION && e->vector != VEC_DB)
		vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	end_blocking();
	vmwrite(VMCS_ENTRY_INTR_INFO, info);
	(void)v;
}

void vmx_want_window(struct vcpu *v, enum event_type t, bool on)
{
	vmx_set_proc(vmx_of(v), t == EVENT_NMI ? PROC_NMI_WINDOW : PROC_INTERRUPT_WINDOW, on);
}

static enum event_type event_of(u32 info)
{
	for (unsigned t = 0; t < ARRAY_SIZE(intr_type); t++)
		if (intr_type[t] == (info & INTR_INFO_TYPE) >> INTR_INFO_TYPE_SHIFT)
			return (enum event_type)t;
	BUG("IDT-vectoring information 0x%x has a type that the manual does not define", info);
}

/*
 * If the exit came while an event was being delivered, the event goes back to v->event, to be
 * injected again at the next entry or merged with a fault that follows.
 */
void vmx_take_back_event(struct vcpu *v)
{
	u32 info = vmread32(VMCS_IDT_VECTORING_INFO);

	if (!(info & INTR_INFO_VALID))
		return;
	v->event = (struct event){
		.type = event_of(info),
		.vector = (u8)(info & INTR_INFO_VECTOR),
		.has_error = (info & INTR_INFO_ERROR_CODE) != 0,
	};
	if (v->event.has_error)
		v->event.error = vmread32(VMCS_IDT_VECTORING_ERROR_CODE);
	if (v->event.type >= EVENT_SOFT_INT)
		v->event.length = (u8)vmread32(VMCS_EXIT_INSTRUCTION_LENGTH);
	/* Delivery of the NMI had begun and blocked further ones; injecting it again does that
	 * anew. */
	if (v->event.type == EVENT_NMI)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(u64)BLOCKING_NMI);
	vcpu_work_set(v, WORK_EVENT);
}
