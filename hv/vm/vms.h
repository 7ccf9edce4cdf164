/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All VMs of this machine: which there are, where each runs, and what is done when one ends.
 */
#ifndef HV_VM_VMS_H
#define HV_VM_VMS_H

struct vm_providers;

struct vms_options {
	unsigned at_once; /* VMs that there may be at a time; the others wait. At least 1 */
};

/*
 * vms_run(): creates the VMs that the boot modules vm0.conf, vm1.conf, ... describe, runs them on
 * all CPUs, and reports how each ended. Returns when all have, 0 if all ended cleanly, else 1, with
 * the first reason in why (LOADER_ERR_MAX bytes). Boot CPU only, once.
 */
int vms_run(const struct vm_providers *with, const struct vms_options *opt, char *why);

#endif
