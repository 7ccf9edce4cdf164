/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What entry.S calls first, on each exit of a vcpu that is traced. Its own ticks are the ledger's,
 * not the guest's.
 */
#include "hv/ctl/ledger.h"
#include "hv/ctl/trace.h"
#include "hv/vm/vm.h"
#include "vmx/quick.h"
#include "vmx/vmx.h"

/* "Exit Reasons and Exit Qualifications": the fields are those of the last exit until the next. */
void vmx_last_exit(const struct vcpu *v, struct last_exit *last)
{
	u32 reason = vmread32(VMCS_EXIT_REASON);
	bool violation = (reason & EXIT_REASON_BASIC) == REASON_EPT_VIOLATION;
	u64 seen = v->sched.place == VCPU_RUNNING ? rdtsc() : v->left_tsc;

	*last = (struct last_exit){
		.exit.tsc = seen - (u32)((u32)seen - v->exit_tsc),
		.exit.rip = vmread(VMCS_GUEST_RIP),
		.exit.info = vmread(VMCS_EXIT_QUALIFICATION),
		.exit.reason = vmx_exit_name(reason),
		.memory = violation || (reason & EXIT_REASON_BASIC) == REASON_EPT_MISCONFIG,
	};
	if (last->memory)
		last->gpa = GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS));
	last->gva_valid = violation && (last->exit.info & QUAL_EPT_LINEAR_VALID);
	if (last->gva_valid)
		last->gva = GVA(vmread(VMCS_GUEST_LINEAR_ADDRESS));
}

const char *vmx_trace_exit(struct vcpu *v)
{
	u64 start = rdtsc();
	u32 reason = vmread32(VMCS_EXIT_REASON);
	struct trace_exit e = {
		.tsc = start,
		.rip = vmread(VMCS_GUEST_RIP),
		.info = vmread(VMCS_EXIT_QUALIFICATION),
		.reason = vmx_exit_name(reason),
	};

	/* Exit and entry are still those of the exit before this. */
	trace_record(v->trace, &e, (u32)(v->entry_tsc - v->exit_tsc));
	v->entry_tsc += ledger_trace(start);
	return v->vm->shared ? vmx_exit_shared : vmx_exit;
}
