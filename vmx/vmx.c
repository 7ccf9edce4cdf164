/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX operation on each physical CPU ("Introduction to Virtual Machine Extensions"), and what is
 * said when an entry fails.
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/irq.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/regs.h"
#include "hv/lib/printf.h"
#include "hv/mem/page.h"
#include "hv/vm/vm.h"
#include "vmx/insn.h"
#include "vmx/lint.h"
#include "vmx/vmx.h"

struct vmx_caps vmx_caps;
struct vmx_controls vmx_controls[VMX_MODES];
static char missing[VMX_MODES][VMX_ERR_SIZE];

__noreturn void vmx_insn_failed(const char *insn, u64 field)
{
	u64 error;

	if (vmread_safe(VMCS_VM_INSTRUCTION_ERROR, &error))
		panic("BUG: %s of 0x%lx (%s) failed, VM-instruction error %lu", insn, field,
			vmcs_field_name((u32)field), error);
	panic("BUG: %s of 0x%lx failed without a current VMCS", insn, field);
}

static void probe_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	struct cpuid_regs r = cpuid(leaf, subleaf);

	out[0] = r.eax;
	out[1] = r.ebx;
	out[2] = r.ecx;
	out[3] = r.edx;
}

enum status vmx_init(char *err)
{
	static const struct vmx_probe probe = { .rdmsr = rdmsr, .cpuid = probe_cpuid };
	enum status s = vmx_caps_read(&vmx_caps, &probe, err);

	if (s != OK)
		return s;
	vmx_xsavec_try();
	for (unsigned m = 0; m < VMX_MODES; m++)
		if (vmx_controls_negotiate(
			    &vmx_caps, (enum vmx_mode)m, &vmx_controls[m], missing[m]) == OK)
			missing[m][0] = '\0';
	if (vmx_has_mode(VMX_TWO_LEVEL) || vmx_has_mode(VMX_ONE_LEVEL))
		return OK;
	snprintf(err, VMX_ERR_SIZE, "%s", missing[VMX_ONE_LEVEL]);
	return ERR_NOTSUP;
}

bool vmx_has_mode(enum vmx_mode mode)
{
	return !missing[mode][0];
}

const char *vmx_mode_missing(enum vmx_mode mode)
{
	return missing[mode];
}

enum status vmx_cpu_enable(void)
{
	u64 feature = rdmsr(MSR_FEATURE_CONTROL);
	u32 *region;

	if (!(feature & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_FEATURE_CONTROL, feature | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK);
	else if (!(feature & FEATURE_CONTROL_VMX))
		return ERR_NOTSUP;
	region = page_alloc(PAGE_ORDER_4K, PAGE_HV);
	if (!region)
		return ERR_NOMEM;
	*region = vmx_caps_revision(&vmx_caps);
	write_cr0((read_cr0() | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
	write_cr4(((read_cr4() | CR4_VMXE) | vmx_caps.cr4_fixed0) & vmx_caps.cr4_fixed1);
	if (!vmxon(hva_to_hpa(region))) {
		page_free(region, PAGE_ORDER_4K, PAGE_HV);
		return ERR_NOTSUP;
	}
	this_cpu()->arch = region;
	if (!vmx_caps_may(&vmx_caps, VMX_PIN, PIN_PREEMPTION_TIMER))
		irq_at_deadlines();
	return OK;
}

void vmx_cpu_disable(void)
{
	if (!this_cpu()->arch)
		return;
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
	page_free(this_cpu()->arch, PAGE_ORDER_4K, PAGE_HV);
	this_cpu()->arch = NULL;
}

static u64 lint_read(void *ctx, u32 field)
{
	(void)ctx;
	return vmread(field);
}

static void lint_report(void *ctx, const char *sentence)
{
	const struct vcpu *v = ctx;

	log_err("%s: %s", v->vm->cfg.name, sentence);
}

/* "VM-Entry Failures During or After Loading Guest State": what the exit qualification says. */
static const char *const entry_failure[] = {
	[0] = "",
	[2] = " (PDPTEs that CR3 leads to)",
	[3] = " (NMI into blocking by STI)",
	[4] = " (VMCS link pointer)",
};

static const char *entry_failure_name(u64 qualification)
{
	bool known = qualification < ARRAY_SIZE(entry_failure) && entry_failure[qualification];

	return known ? entry_failure[qualification] : "";
}

/*
 * vmx_entry_failed(): says why VMLAUNCH or VMRESUME did not get into the guest: reason 0 means that
 * the instruction itself failed (see the VM-instruction error), else the exit reason.
 */
void vmx_entry_failed(struct vcpu *v, u32 reason)
{
	struct lint_input in = {
		.vmread = lint_read,
		.caps = &vmx_caps,
		.vmcs = hva_to_hpa(vmx_of(v)->vmcs).v,
	};

	if (reason)
		log_err("%s: VM entry failed, exit reason %u, qualification 0x%lx%s",
			v->vm->cfg.name, reason & EXIT_REASON_BASIC,
			vmread(VMCS_EXIT_QUALIFICATION),
			entry_failure_name(vmread(VMCS_EXIT_QUALIFICATION)));
	else
		log_err("%s: VM entry failed, VM-instruction error %lu", v->vm->cfg.name,
			vmread(VMCS_VM_INSTRUCTION_ERROR));
	if (vmx_lint(&in, lint_report, v) == 0)
		log_err("%s: no rule that the lint knows is broken", v->vm->cfg.name);
}

void vmx_invept_single(u64 eptp)
{
	invept(INVEPT_SINGLE, eptp);
}

void vmx_invept_all(void)
{
	invept(INVEPT_ALL, 0);
}
