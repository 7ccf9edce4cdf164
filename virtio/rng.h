/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-rng: random bytes for guests whose processor gives them none. The processor's own go into
 * a generator of the device; what leaves it does not tell what follows or what was before.
 *
 * Source: virtio 1.2, section 5.4 "Entropy Device".
 */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

#include "hv/cpu/timer.h"
#include "virtio/device.h"

#define RNG_RATE	 (256u * 1024) /* bytes a second that a device gives, on average */
#define RNG_BURST	 (32u * 1024)  /* and at once */
#define RNG_REQUEST	 4096u	       /* of these at most for one request */
#define RNG_RESEED_BYTES 4096u	       /* after which it takes bits from the processor again */

/* 64 random bits, or false. */
typedef bool (*rng_source)(u64 *word);

struct virtio_rng;

/* ERR_NOTSUP: the source has no bits to seed the generator with. ERR_NOMEM. */
enum status virtio_rng_create(struct virtio_rng **out, const char *vm, bool packed,
	const struct guestmem *gm, struct timerq *timers, rng_source source) __must_check;
struct virtio_dev *virtio_rng_dev(struct virtio_rng *rng);
void virtio_rng_destroy(struct virtio_rng *rng);

#endif
