/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot sequence. It alone sees all layers, and hands each its neighbours.
 */
#include "ept/ept.h"
#include "hv/boot/setup.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/panic.h"
#include "hv/cpu/smp.h"
#include "hv/cpu/traps.h"
#include "hv/cpu/tsc.h"
#include "hv/drv/power.h"
#include "hv/ctl/ledger.h"
#include "hv/ctl/log.h"
#include "hv/ctl/trace.h"
#include "hv/mem/mtrr.h"
#include "hv/mmu/shadow.h"
#include "hv/vm/emulated_io.h"
#include "hv/vm/vm.h"
#include "hv/vm/vms.h"
#include "virtio/vm_io.h"
#include "vmx/vmx.h"

#define MAXPHYADDR_LEAF	     0x80000008u
#define CPUID_1_EDX_MTRR     BIT(12)
#define CPUID_7_EDX_ARCH_CAP BIT(29)

static const struct ept_hw ept_hw = {
	.invept_single = vmx_invept_single,
	.invept_all = vmx_invept_all,
};

static void enable_vmx(void *arg)
{
	bool *failed = arg;

	if (vmx_cpu_enable() != OK)
		*failed = true;
}

/* Does this processor say that it has no "iTLB multihit" erratum? */
static bool no_multihit(void)
{
	u64 immune;

	return (cpuid_checked(7, 0).edx & CPUID_7_EDX_ARCH_CAP) &&
	       rdmsr_safe(MSR_ARCH_CAPABILITIES, &immune) && (immune & ARCH_CAP_PSCHANGE_MC_NO);
}

/* VT-x on every processor, or the reason why not. */
static void start_virtualization(struct vm_providers *with)
{
	unsigned maxphyaddr = cpuid(MAXPHYADDR_LEAF, 0).eax & 0xff;
	char err[VMX_ERR_SIZE];
	bool failed = false;

	if (cpuid(1, 0).edx & CPUID_1_EDX_MTRR)
		mtrr_init(rdmsr, maxphyaddr);
	if (vmx_init(err) != OK)
		boot_stop(err);
	smp_call_all(enable_vmx, &failed);
	if (failed)
		boot_stop("VT-x is locked off on one of the processors");
	with->cpu = &vmx_cpu_ops;
	with->io[VM_IO_VIRTIO] = &virtio_io_ops;
	with->io[VM_IO_EMULATED] = &emulated_io_ops;
	if (!vmx_has_mode(VMX_TWO_LEVEL))
		log_warn("no two-level paging: %s", vmx_mode_missing(VMX_TWO_LEVEL));
	else if (ept_init(vmx_caps.ept_vpid, maxphyaddr, no_multihit(), &ept_hw) == OK)
		with->mmu[VM_MMU_EPT] = &ept_mmu_ops;
	shadow_init(maxphyaddr);
	if (vmx_has_mode(VMX_ONE_LEVEL))
		with->mmu[VM_MMU_SHADOW] = &shadow_mmu_ops;
}

/* The machine's capabilities to the log, and the verdict as the reason of the end. */
static __noreturn void preflight(void)
{
	char err[VMX_ERR_SIZE];
	enum status s = vmx_init(err);
	enum vmx_mode mode = VMX_TWO_LEVEL;

	if (s != OK && !vmx_caps.basic)
		boot_stop(err); /* no VT-x: there is nothing to report on */
	if (s == OK && !vmx_has_mode(mode)) {
		mode = VMX_ONE_LEVEL;
		log_warn("preflight: no EPT guests: %s", vmx_mode_missing(VMX_TWO_LEVEL));
		log_warn("preflight: what follows is about guests with mmu=shadow, all that can "
			 "run here");
	}
	if (vmx_preflight(&vmx_caps, mode) || s != OK)
		boot_stop(s != OK ? err : "preflight: something that is needed is missing");
	machine_off(0, mode == VMX_TWO_LEVEL
			       ? "preflight: guests can run here"
			       : "preflight: guests can run here, with shadow paging");
}

void hv_main(u32 boot_information);

__noreturn void hv_main(u32 boot_information)
{
	static struct vm_providers with;
	struct options opt;
	char why[LOADER_ERR_MAX] = "";
	int failed;

	stack_protector_init();
	tsc_start();
	smp_early_boot_cpu();
	traps_init();
	options_parse(&opt, "");
	setup_ports(&opt);
	setup_boot_info(boot_information, &opt);
	log_info("Triptych");
	setup_memory();
	setup_debugger(&opt);
	setup_machine(&opt);
	setup_disks();
	setup_report();
	setup_try_disk(&opt);
	if (opt.preflight)
		preflight();
	setup_check_guests();
	start_virtualization(&with);
	trace_configure(opt.trace);
	if (opt.omit)
		ledger_omit(opt.omit, opt.omit_len);
	opt.vms.ready = setup_monitor;
	failed = vms_run(&with, &opt.vms, why);
	ledger_report();
	machine_off(failed, why);
}
