/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VM's description to the back ends of its disks, whatever device shows them to it. */
#ifndef HV_VM_DISKS_H
#define HV_VM_DISKS_H

#include "hv/blk/blk.h"
#include "hv/vm/vm.h"

/* The back end of the VM's disk `index`; *out is the caller's. err (LOADER_ERR_MAX bytes) says what
 * is wrong. */
enum status vm_open_disk(
	const struct vm *vm, unsigned index, struct blk_backend **out, char *err) __must_check;

#endif
