/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A learning Ethernet switch inside the hypervisor: a port for each network card of a VM, and one
 * for the uplink. Where an address was last seen as a sender, there go the frames for it; what it
 * does not know, it floods.
 *
 * Source: IEEE 802.1D, "The Learning Process", "The Forwarding Process", "Ageing of Dynamic
 * Filtering Entries".
 */
#ifndef HV_NET_SWITCH_H
#define HV_NET_SWITCH_H

#include "hv/lib/list.h"
#include "hv/net/frame.h"

#define SWITCH_ADDRESSES 256u /* that it remembers */
#define SWITCH_PORT_MAX	 16u  /* of one port: who sends from many drives out its own, not others' */
#define SWITCH_AGE	 300u /* seconds after which an address is forgotten */

struct switch_port {
	struct list_node node;
	u64 takes; /* NET_*: what may be left of a frame */
	/* A frame, valid during the call. */
	void (*receive)(struct switch_port *p, const struct net_frame *f);
	void (*link)(struct switch_port *p, bool up); /* the uplink's; NULL: no interest */
};

struct net_switch {
	struct list_node ports;
	struct {
		u8 addr[ETH_ADDR];
		struct switch_port *port; /* NULL: free */
		u64 seen;		  /* seconds */
	} known[SWITCH_ADDRESSES];
	u64 (*seconds)(void); /* a clock */
	u8 room[ETH_FRAME_MAX];
};

void switch_init(struct net_switch *s, u64 (*seconds)(void));
void switch_join(struct net_switch *s, struct switch_port *p);
void switch_leave(struct net_switch *s, struct switch_port *p);

/* A frame from a port, which net_frame_check() has found good. */
void switch_send(struct net_switch *s, struct switch_port *from, const struct net_frame *f);

/* The link behind a port went up or down: the others are told. */
void switch_link(struct net_switch *s, struct switch_port *from, bool up);

#endif
