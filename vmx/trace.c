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
