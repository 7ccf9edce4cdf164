/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices of a PC as it was: io=emulated. */
#ifndef HV_VM_EMULATED_IO_H
#define HV_VM_EMULATED_IO_H

#include "hv/vm/vm.h"

extern const struct vm_io_ops emulated_io_ops;

#endif
