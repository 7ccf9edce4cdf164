/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A learning Ethernet switch inside the hypervisor: a port for each network card of a VM. Where an
 * address was last seen as a sender, there go the frames for it; what it does not know, it floods.
 *
 * Source: IEEE 802.1D, "The Learning Process", "The Forwarding Process".
 */
#ifndef VIRTIO_SWITCH_H
#define VIRTIO_SWITCH_H

#include "hv/lib/list.h"
#include "hv/lib/util.h"

#define ETH_ADDR	 6u
#define ETH_HEADER	 14u
#define ETH_FRAME_MAX	 1518u /* with a VLAN tag, without the checksum */
#define SWITCH_ADDRESSES 64u   /* that it remembers */

struct switch_port {
	struct list_node node;
	/* A frame of ETH_HEADER..ETH_FRAME_MAX bytes, valid during the call. */
	void (*receive)(struct switch_port *p, const u8 *frame, size_t len);
};

struct net_switch {
	struct list_node ports;
	struct {
		u8 addr[ETH_ADDR];
		struct switch_port *port; /* NULL: free */
	} known[SWITCH_ADDRESSES];
	unsigned oldest; /* the entry to be replaced next */
};

void switch_init(struct net_switch *s);
void switch_join(struct net_switch *s, struct switch_port *p);
void switch_leave(struct net_switch *s, struct switch_port *p);

/* A frame from a port; others than of ETH_HEADER..ETH_FRAME_MAX bytes are dropped. */
void switch_send(struct net_switch *s, struct switch_port *from, const u8 *frame, size_t len);

/* Addresses of a group, the broadcast address included, have this bit in the first byte. */
static inline bool eth_is_group(const u8 addr[ETH_ADDR])
{
	return addr[0] & 1;
}

#endif
