/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio devices of a VM: io=virtio. */
#ifndef VIRTIO_VM_IO_H
#define VIRTIO_VM_IO_H

#include "hv/vm/vm.h"

extern const struct vm_io_ops virtio_io_ops;

#endif
