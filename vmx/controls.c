/* SPDX-License-Identifier: BSD-2-Clause */
/* The controls we ask for, word by word in the manual's order, and their negotiation. */
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "vmx/controls.h"
#include "vmx/fields.h"

#define ON     false
#define SWITCH true /* dynamic */

/* "Pin-Based VM-Execution Controls" */
static const struct vmx_control_row pin_rows[] = {
	{ PIN_EXTERNAL_INTERRUPT, VMX_REQUIRED, ON, "external-interrupt exiting",
		"a guest would take the machine's interrupts" },
	{ PIN_NMI_EXITING, VMX_REQUIRED, ON, "NMI exiting",
		"a guest would take the machine's NMIs" },
	{ PIN_VIRTUAL_NMIS, VMX_REQUIRED, ON, "virtual NMIs",
		"a guest's blocking of NMIs could not be told from the machine's" },
	{ PIN_PREEMPTION_TIMER, VMX_WANTED, ON, "activate VMX-preemption timer",
		"the local APIC's timer ends a guest at a deadline, by an interrupt" },
	{ PIN_POSTED_INTERRUPTS, VMX_REFUSED, ON, "process posted interrupts",
		"it needs virtual-interrupt delivery, which is not used" },
};

/* "Processor-Based VM-Execution Controls" */
static const struct vmx_control_row proc_rows[] = {
	{ PROC_INTERRUPT_WINDOW, VMX_REQUIRED, SWITCH, "interrupt-window exiting",
		"an interrupt could not wait until the guest accepts it" },
	{ PROC_TSC_OFFSETTING, VMX_REQUIRED, ON, "use TSC offsetting",
		"a guest would see the machine's TSC" },
	{ PROC_HLT, VMX_REQUIRED, ON, "HLT exiting", "an idle guest would keep the CPU" },
	{ PROC_INVLPG, VMX_REFUSED, ON, "INVLPG exiting",
		"an exit for each INVLPG, which EPT makes needless" },
	{ PROC_MWAIT, VMX_REQUIRED, ON, "MWAIT exiting", "a guest could halt the CPU" },
	{ PROC_RDPMC, VMX_REQUIRED, ON, "RDPMC exiting",
		"a guest could read the machine's performance counters" },
	{ PROC_RDTSC, VMX_REFUSED, ON, "RDTSC exiting", "an exit for each RDTSC" },
	{ PROC_CR3_LOAD, VMX_REFUSED, ON, "CR3-load exiting",
		"an exit for each change of address space, which EPT makes needless" },
	{ PROC_CR3_STORE, VMX_REFUSED, ON, "CR3-store exiting",
		"an exit for each read of CR3, which EPT makes needless" },
	{ PROC_CR8_LOAD, VMX_REQUIRED, ON, "CR8-load exiting",
		"a guest would change the machine's task priority" },
	{ PROC_CR8_STORE, VMX_REQUIRED, ON, "CR8-store exiting",
		"a guest would read the machine's task priority" },
	{ PROC_TPR_SHADOW, VMX_REFUSED, ON, "use TPR shadow",
		"CR8 is emulated, and no virtual-APIC page is set up" },
	{ PROC_NMI_WINDOW, VMX_REQUIRED, SWITCH, "NMI-window exiting",
		"an NMI could not wait until the guest accepts it" },
	{ PROC_MOV_DR, VMX_WANTED, SWITCH, "MOV-DR exiting",
		"a debugger of the guest has no hardware breakpoints" },
	{ PROC_UNCONDITIONAL_IO, VMX_REFUSED, ON, "unconditional I/O exiting",
		"the I/O bitmaps would have no say" },
	{ PROC_IO_BITMAPS, VMX_REQUIRED, ON, "use I/O bitmaps",
		"a guest could reach the machine's I/O ports" },
	{ PROC_MONITOR_TRAP, VMX_WANTED, SWITCH, "monitor trap flag",
		"a debugger of the guest steps by RFLAGS.TF, which the guest can see" },
	{ PROC_MSR_BITMAPS, VMX_REQUIRED, ON, "use MSR bitmaps",
		"an exit for each RDMSR and WRMSR, the ones in every system call path too" },
	{ PROC_MONITOR, VMX_REQUIRED, ON, "MONITOR exiting",
		"a guest could use MONITOR, which it is told does not exist" },
	{ PROC_PAUSE, VMX_REFUSED, ON, "PAUSE exiting", "an exit for each PAUSE" },
	{ PROC_SECONDARY, VMX_REQUIRED, ON, "activate secondary controls",
		"there is no EPT without them" },
};

static const struct vmx_control_row proc2_rows[] = {
	{ PROC2_APIC_ACCESSES, VMX_REFUSED, ON, "virtualize APIC accesses",
		"accesses to the local APIC are emulated" },
	{ PROC2_EPT, VMX_REQUIRED, ON, "enable EPT",
		"guest memory is translated by shadow tables, which cost exits" },
	{ PROC2_DESCRIPTOR_TABLE, VMX_REFUSED, ON, "descriptor-table exiting",
		"an exit for each LGDT, LIDT, LLDT and LTR" },
	{ PROC2_RDTSCP, VMX_WANTED, ON, "enable RDTSCP", "guests get #UD for RDTSCP" },
	{ PROC2_X2APIC, VMX_REFUSED, ON, "virtualize x2APIC mode",
		"the local APIC's registers are emulated" },
	{ PROC2_VPID, VMX_WANTED, ON, "enable VPID", "every VM entry and exit empties the TLB" },
	{ PROC2_WBINVD, VMX_WANTED, ON, "WBINVD exiting",
		"a guest can write back all caches, which delays everybody" },
	{ PROC2_UNRESTRICTED_GUEST, VMX_WANTED, ON, "unrestricted guest",
		"no guest in real mode: kernels must start with paging on, and with one CPU" },
	{ PROC2_APIC_REGISTERS, VMX_REFUSED, ON, "APIC-register virtualization",
		"the local APIC's registers are emulated" },
	{ PROC2_VIRTUAL_INTERRUPTS, VMX_REFUSED, ON, "virtual-interrupt delivery",
		"interrupts are injected on VM entry" },
	{ PROC2_PAUSE_LOOP, VMX_WANTED, SWITCH, "PAUSE-loop exiting",
		"a vcpu that waits for a lock spins until its slice ends" },
	{ PROC2_INVPCID, VMX_WANTED, ON, "enable INVPCID", "guests get #UD for INVPCID" },
	{ PROC2_VMFUNC, VMX_REFUSED, ON, "enable VM functions", "a guest could switch its EPT" },
	{ PROC2_VMCS_SHADOWING, VMX_REFUSED, ON, "VMCS shadowing", "a guest could touch a VMCS" },
	{ PROC2_PML, VMX_REFUSED, ON, "enable PML", "no log of written pages is kept" },
	{ PROC2_EPT_VE, VMX_REFUSED, ON, "EPT-violation #VE",
		"EPT violations would go to the guest" },
	{ PROC2_XSAVES, VMX_WANTED, ON, "enable XSAVES/XRSTORS",
		"guests get #UD for XSAVES and XRSTORS" },
	{ PROC2_TSC_SCALING, VMX_REFUSED, ON, "use TSC scaling",
		"guests run at the machine's TSC frequency" },
};

/* "VM-Exit Controls" */
static const struct vmx_control_row exit_rows[] = {
	{ VMEXIT_SAVE_DEBUG, VMX_REQUIRED, ON, "save debug controls",
		"a guest's DR7 and IA32_DEBUGCTL would be lost on exit" },
	{ VMEXIT_HOST_64, VMX_REQUIRED, ON, "host address-space size",
		"the hypervisor is a 64-bit program" },
	{ VMEXIT_LOAD_PERF_GLOBAL_CTRL, VMX_REFUSED, ON, "load IA32_PERF_GLOBAL_CTRL",
		"guests have no performance counters, and the hypervisor uses none" },
	{ VMEXIT_ACK_INTERRUPT, VMX_REQUIRED, ON, "acknowledge interrupt on exit",
		"the vector of an interrupt that ended the guest would not be known" },
	{ VMEXIT_SAVE_PAT, VMX_REQUIRED, ON, "save IA32_PAT",
		"a guest's memory types would be lost on exit" },
	{ VMEXIT_LOAD_PAT, VMX_REQUIRED, ON, "load IA32_PAT",
		"the hypervisor would run with a guest's memory types" },
	{ VMEXIT_SAVE_EFER, VMX_REQUIRED, ON, "save IA32_EFER",
		"a guest's IA32_EFER would be lost on exit" },
	{ VMEXIT_LOAD_EFER, VMX_REQUIRED, ON, "load IA32_EFER",
		"the hypervisor would run with a guest's IA32_EFER" },
	{ VMEXIT_SAVE_PREEMPTION_TIMER, VMX_REFUSED, ON, "save VMX-preemption timer value",
		"the timer is set from a deadline on each entry" },
};

/* "VM-Entry Controls" */
static const struct vmx_control_row entry_rows[] = {
	{ VMENTRY_LOAD_DEBUG, VMX_REQUIRED, ON, "load debug controls",
		"a guest would run with the hypervisor's DR7" },
	{ VMENTRY_IA32E_GUEST, VMX_REQUIRED, SWITCH, "IA-32e mode guest",
		"no 64-bit guest could run" },
	{ VMENTRY_TO_SMM, VMX_REFUSED, ON, "entry to SMM", "guests have no SMM" },
	{ VMENTRY_DEACTIVATE_DUAL, VMX_REFUSED, ON, "deactivate dual-monitor treatment",
		"guests have no SMM" },
	{ VMENTRY_LOAD_PERF_GLOBAL_CTRL, VMX_REFUSED, ON, "load IA32_PERF_GLOBAL_CTRL",
		"guests have no performance counters" },
	{ VMENTRY_LOAD_PAT, VMX_REQUIRED, ON, "load IA32_PAT",
		"a guest would run with the hypervisor's memory types" },
	{ VMENTRY_LOAD_EFER, VMX_REQUIRED, ON, "load IA32_EFER",
		"a guest would run with the hypervisor's IA32_EFER" },
};

#define TABLE(f, n, r)                                                                             \
	{                                                                                          \
		.field = (f), .name = (n), .rows = (r), .count = ARRAY_SIZE(r)                     \
	}

const struct vmx_control_table vmx_control_tables[VMX_WORDS] = {
	[VMX_PIN] = TABLE(VMCS_PIN_BASED_CONTROLS, "pin-based VM-execution controls", pin_rows),
	[VMX_PROC] = TABLE(VMCS_PROC_BASED_CONTROLS,
		"primary processor-based VM-execution controls", proc_rows),
	[VMX_PROC2] = TABLE(VMCS_PROC_BASED_CONTROLS2,
		"secondary processor-based VM-execution controls", proc2_rows),
	[VMX_EXIT] = TABLE(VMCS_EXIT_CONTROLS, "VM-exit controls", exit_rows),
	[VMX_ENTRY] = TABLE(VMCS_ENTRY_CONTROLS, "VM-entry controls", entry_rows),
};

#define OWN_PAT	 "the shadow tables choose among the memory types of the machine's IA32_PAT"
#define OWN_EFER "guests run with the machine's IA32_EFER, whose NXE the shadow tables need"

/*
 * Without a second level, the guest's paging is ours to carry out: with it go the memory types and
 * EFER.NXE. What the oldest processors lack is not needed then, so that this mode runs everywhere.
 */
static const struct vmx_control_override one_level[] = {
	{ VMX_PROC, PROC_INVLPG, VMX_REQUIRED, "the shadow tables would not follow INVLPG" },
	{ VMX_PROC, PROC_CR3_LOAD, VMX_REQUIRED, "a guest would load page tables of its own" },
	{ VMX_PROC, PROC_CR3_STORE, VMX_REQUIRED, "a guest would see where its shadow tables are" },
	{ VMX_PROC2, PROC2_EPT, VMX_REFUSED, "shadow tables take its place" },
	{ VMX_PROC2, PROC2_UNRESTRICTED_GUEST, VMX_REFUSED, "it needs EPT" },
	{ VMX_PROC2, PROC2_INVPCID, VMX_REFUSED, "guests have no PCIDs under shadow paging" },
	{ VMX_EXIT, VMEXIT_SAVE_PAT, VMX_REFUSED, OWN_PAT },
	{ VMX_EXIT, VMEXIT_LOAD_PAT, VMX_REFUSED, OWN_PAT },
	{ VMX_EXIT, VMEXIT_SAVE_EFER, VMX_REFUSED, OWN_EFER },
	{ VMX_EXIT, VMEXIT_LOAD_EFER, VMX_REFUSED, OWN_EFER },
	{ VMX_ENTRY, VMENTRY_LOAD_PAT, VMX_REFUSED, OWN_PAT },
	{ VMX_ENTRY, VMENTRY_LOAD_EFER, VMX_REFUSED, OWN_EFER },
};

enum vmx_need vmx_control_need(
	enum vmx_mode mode, enum vmx_word w, const struct vmx_control_row *r, const char **cost)
{
	*cost = r->cost;
	for (unsigned i = 0; mode == VMX_ONE_LEVEL && i < ARRAY_SIZE(one_level); i++)
		if (one_level[i].word == w && one_level[i].bit == r->bit) {
			*cost = one_level[i].cost;
			return one_level[i].need;
		}
	return r->need;
}

/* Adds one row to the word; false when the CPU does not let us have our way. */
static bool negotiate_row(const struct vmx_control_row *r, enum vmx_need need,
	const struct vmx_word_caps *caps, u32 *word, u32 *dynamic)
{
	bool may = (caps->may & r->bit) != 0;
	bool must = (caps->must & r->bit) != 0;

	if (need == VMX_REFUSED)
		return !must;
	if (r->dynamic) {
		if (may && !must)
			*dynamic |= r->bit;
		return (may && !must) || (need == VMX_WANTED && !must);
	}
	if (may)
		*word |= r->bit;
	return may || need == VMX_WANTED;
}

enum status vmx_controls_negotiate(
	const struct vmx_caps *caps, enum vmx_mode mode, struct vmx_controls *out, char *err)
{
	/* What is missing is said of the first that is: EPT, or its lack, explains the others. */
	static const enum vmx_word order[] = { VMX_PROC2, VMX_PIN, VMX_PROC, VMX_EXIT, VMX_ENTRY };

	static_assert(ARRAY_SIZE(order) == VMX_WORDS, "every word");
	memset(out, 0, sizeof(*out));
	for (unsigned o = 0; o < VMX_WORDS; o++) {
		enum vmx_word w = order[o];
		const struct vmx_control_table *t = &vmx_control_tables[w];

		out->word[w] = caps->word[w].must;
		for (unsigned i = 0; i < t->count; i++) {
			const struct vmx_control_row *r = &t->rows[i];
			const char *cost;
			enum vmx_need need = vmx_control_need(mode, w, r, &cost);

			if (negotiate_row(r, need, &caps->word[w], &out->word[w], &out->dynamic[w]))
				continue;
			snprintf(err, VMX_ERR_SIZE, "this CPU %s \"%s\" in the %s: %s",
				caps->word[w].must & r->bit ? "insists on" : "does not have",
				r->name, t->name, cost);
			return ERR_NOTSUP;
		}
	}
	return OK;
}
