/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-balloon: the hypervisor asks for a part of the VM's memory, and the driver gives pages
 * that its kernel can do without. What was given is freed (hv/mmu/ram.h): it is no longer mapped,
 * and anybody may have it.
 *
 *   inflate queue    pages that the driver gives
 *   deflate queue    pages that it wants again: the answer waits until there is memory for them
 *   statistics       the driver's view of its memory, asked for every few seconds
 *   reporting        pages that are free just now: the VM uses them again without a word, and finds
 *                    zeros
 *
 * Source: virtio 1.2, section 5.5 "Traditional Memory Balloon Device".
 */
#ifndef VIRTIO_BALLOON_H
#define VIRTIO_BALLOON_H

#include "hv/cpu/timer.h"
#include "hv/mmu/mmu.h"
#include "hv/vm/manifest.h"
#include "virtio/device.h"

#define BALLOON_STATS_SECONDS 5u
#define BALLOON_TAGS	      10u /* 5.5.6.4 "Memory Statistics Tags" */

struct virtio_balloon;

struct balloon_counters {
	u64 target;		 /* pages asked for */
	u64 actual;		 /* pages that the driver says it has given */
	u64 inflated;		 /* pages taken, all in all */
	u64 deflated;		 /* pages given again that were asked for */
	u64 reported;		 /* pages taken by free-page reporting */
	u64 wrong;		 /* pages of the driver's lists that it does not have */
	u64 joined, copied;	 /* 2 MB pages made whole; of these, by moving them */
	u64 waits;		 /* times that there was no memory for a deflation */
	u64 took;		 /* milliseconds until the guest had reached the last target */
	u64 stats[BALLOON_TAGS]; /* the driver's, by tag; bytes where it is memory */
};

/*
 * ERR_NOMEM. gm is mapped by mmu; both must outlive the device. The plan is kept: its times count
 * from when a driver is there.
 */
enum status virtio_balloon_create(struct virtio_balloon **out, const char *vm, bool packed,
	struct guestmem *gm, struct mmu *mmu, struct timerq *timers,
	const struct balloon_plan *plan) __must_check;
struct virtio_dev *virtio_balloon_dev(struct virtio_balloon *b);
const struct balloon_counters *virtio_balloon_counters(const struct virtio_balloon *b);
void virtio_balloon_destroy(struct virtio_balloon *b);

/* Asks the driver for so many bytes, in whole pages. */
void virtio_balloon_target(struct virtio_balloon *b, u64 bytes);

/* A line of counters, for programs. */
void virtio_balloon_report(const struct virtio_balloon *b);

#endif
