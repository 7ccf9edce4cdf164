/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which frames a virtio-net driver wants: receive mode, tables of addresses, VLANs, as it sets them
 * on the control queue.
 *
 * Source: virtio 1.2, 5.1.6.5 "Control Virtqueue".
 */
#ifndef VIRTIO_NET_FILTER_H
#define VIRTIO_NET_FILTER_H

#include "virtio/chain.h"
#include "hv/net/frame.h"

#define NET_FILTER_MAX	 16u /* addresses of each kind; a driver that sets more gets all */
#define NET_FILTER_MODES 6u
#define NET_VLANS	 4096u

/* Addresses that the driver wants frames for. */
struct net_addresses {
	u8 addr[NET_FILTER_MAX][ETH_ADDR];
	unsigned count;
	bool all; /* more than fit */
};

struct net_filter {
	u8 mac[ETH_ADDR]; /* as the driver has set it */
	bool mode[NET_FILTER_MODES];
	struct net_addresses unicast, multicast;
	bool by_vlan; /* only those that the driver has added */
	u64 vlan[NET_VLANS / 64];
};

/* As after a reset: what is for this address, and for any group. */
void net_filter_reset(struct net_filter *f, const u8 mac[ETH_ADDR]);

bool net_filter_wants(const struct net_filter *f, const struct net_frame *frame);

/* A command of the classes RX, MAC and VLAN; data: what follows it. False: it makes no sense, and
 * nothing has changed. */
bool net_filter_command(struct net_filter *f, u8 class, u8 command, struct vq_cursor *data);

#endif
