/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk. The device checks requests where they enter; a back end gets only what makes sense:
 * ranges inside the medium, and as much guest memory as they need.
 *
 * Source: virtio 1.2, section 5.2 "Block Device".
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "hv/blk/blk.h"
#include "virtio/device.h"

#define BLK_QUEUES 4u

struct virtio_blk;

/*
 * virtio_blk_create(): the device `index` of the VM with that name. The back end becomes the
 * device's, and is destroyed with it; on ERR_NOMEM it stays the caller's.
 */
enum status virtio_blk_create(struct virtio_blk **out, const char *vm, unsigned index, bool packed,
	const struct guestmem *gm, struct timerq *timers, struct blk_backend *b) __must_check;
struct virtio_dev *virtio_blk_dev(struct virtio_blk *blk);
void virtio_blk_destroy(struct virtio_blk *blk);

#endif
