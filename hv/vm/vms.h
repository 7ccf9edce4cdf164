/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All VMs of this machine: which there are, where each runs, and what is done when one ends.
 */
#ifndef HV_VM_VMS_H
#define HV_VM_VMS_H

struct vm;
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

/*
 * vms_pin(): the VM of that name, which stays until vms_unpin() even if it ends meanwhile; NULL if
 * there is none that has begun. vms_unpin() may be the last that is heard of it. Any CPU.
 */
struct vm *vms_pin(const char *name);
void vms_unpin(struct vm *vm);

/* Calls fn for each VM, with the list's lock held: fn may look, and must not wait or post. */
void vms_each(void (*fn)(const struct vm *vm, void *ctx), void *ctx);

#endif
