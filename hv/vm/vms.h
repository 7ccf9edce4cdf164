/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All VMs of this machine: which there are, where each runs, and what is done when one ends.
 */
#ifndef HV_VM_VMS_H
#define HV_VM_VMS_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

struct task;
struct vm;
struct vm_providers;

struct vms_options {
	unsigned at_once;    /* VMs that there may be at a time; the others wait. At least 1 */
	unsigned start;	     /* so many of those described are created by themselves */
	bool stay;	     /* to be there without a VM, until vms_quit() */
	void (*ready)(void); /* called before the first VM is created; NULL: nobody */
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

/* t is posted to the boot CPU when nothing of the VM is left and there may be another of its name.
 * On the VM's CPU, with the VM pinned. */
void vms_when_gone(struct vm *vm, struct task *t);

/* Calls fn for each VM, with the list's lock held: fn may look, and must not wait or post. */
void vms_each(void (*fn)(struct vm *vm, void *ctx), void *ctx);

/*
 * vms_create(): one more VM, from a description: the name of the boot module ("vm3.conf"), or of
 * the VM in it. On failure err (LOADER_ERR_MAX bytes) says why. That it cannot be made after all
 * (no memory) is reported as its end. Any CPU.
 */
enum status vms_create(const char *what, char *err) __must_check;

/* Ends all VMs and lets vms_run() return. Any CPU. */
void vms_quit(void);

/* vms_focus(): what is typed is for this VM, until it is gone; NULL: for the one that is there
 * longest. vms_input(): something was typed. Any CPU. */
void vms_focus(const struct vm *vm);
void vms_input(void);

/* fn is called when a VM has begun, or is over (vm->end), on its CPU, without a lock. NULL: nobody.
 */
void vms_on_event(void (*fn)(const struct vm *vm));

#endif
