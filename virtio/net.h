/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-net: a network card on a port of the hypervisor's switch, with up to NET_PAIRS pairs of
 * queues and the control queue. Checksums and large TCP packets are passed on as they are to a card
 * whose driver takes them so, and finished by the switch for others.
 *
 * Source: virtio 1.2, section 5.1 "Network Device".
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include "hv/cpu/timer.h"
#include "virtio/device.h"
#include "hv/net/switch.h"

#define NET_MTU	  1500u
#define NET_PAIRS 4u

struct virtio_net;

struct net_counters {
	u64 sent, received; /* frames, before they are cut */
	u64 large;	    /* of both, those to be cut */
	u64 refused;	    /* by the driver's: too short, too long, a header that makes no sense */
	u64 dropped;	    /* for it: no buffer, or too little room in them */
	u64 bytes_sent, bytes_received;
};

/* ERR_NOMEM. The switch must outlive the device. */
enum status virtio_net_create(struct virtio_net **out, const char *vm, unsigned index, bool packed,
	const struct guestmem *gm, struct timerq *timers, struct net_switch *sw,
	const u8 mac[ETH_ADDR]) __must_check;
struct virtio_dev *virtio_net_dev(struct virtio_net *n);
const struct net_counters *virtio_net_counters(const struct virtio_net *n);
void virtio_net_destroy(struct virtio_net *n);

/* The link goes up or down; a driver whose link comes up is asked to announce itself. */
void virtio_net_link(struct virtio_net *n, bool up);

/* The guest has nothing to do: what it has left in its rings without a notification is sent. */
void virtio_net_idle(struct virtio_net *n);

/* A line of counters, for programs. */
void virtio_net_report(const struct virtio_net *n);

#endif
