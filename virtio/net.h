/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net: a network card on a port of the hypervisor's switch. One pair of queues and the
 * control queue: receive mode, addresses. Frames as they are on the wire, without offloads.
 *
 * Source: virtio 1.2, section 5.1 "Network Device".
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include "virtio/device.h"
#include "virtio/switch.h"

#define NET_MTU	       1500u
#define NET_FILTER_MAX 16u /* addresses of each kind; a driver that sets more gets all */

struct virtio_net;

struct net_counters {
	u64 sent, received; /* frames */
	u64 refused;	    /* by the driver's: too short, too long, with offloads */
	u64 dropped;	    /* for it: no buffer */
};

/* ERR_NOMEM. The switch must outlive the device. */
enum status virtio_net_create(struct virtio_net **out, const char *vm, unsigned index, bool packed,
	const struct guestmem *gm, struct net_switch *sw, const u8 mac[ETH_ADDR]) __must_check;
struct virtio_dev *virtio_net_dev(struct virtio_net *n);
const struct net_counters *virtio_net_counters(const struct virtio_net *n);
void virtio_net_destroy(struct virtio_net *n);

#endif
