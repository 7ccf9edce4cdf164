/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An Ethernet frame on its way through the switch, and what its sender has left to others: the
 * checksum of a TCP or UDP packet, and the cutting of a large TCP packet into segments. Who cannot
 * take such a frame gets what it would have been on the wire.
 *
 * Sources: virtio 1.2, 5.1.6.2 "Packet Transmission"; RFC 791, 8200, 9293, 1071.
 */
#ifndef HV_NET_FRAME_H
#define HV_NET_FRAME_H

#include "hv/lib/util.h"

#define ETH_ADDR      6u
#define ETH_HEADER    14u
#define ETH_TAG	      4u    /* of a VLAN */
#define ETH_FRAME_MAX 1518u /* on the wire: with a VLAN tag, without the checksum */
#define NET_FRAME_MAX (ETH_HEADER + ETH_TAG + 65535u) /* with a packet that is to be cut */
#define NET_GSO_MIN   48u /* bytes in a segment: the smallest that TCP agrees on */

/* What a frame has left, and what a port can take. */
#define NET_CSUM BIT(0) /* a checksum to be filled in */
#define NET_TSO4 BIT(1) /* a TCP packet to be cut, over IPv4; with NET_CSUM */
#define NET_TSO6 BIT(2) /* over IPv6 */

struct net_frame {
	const u8 *data;
	size_t len; /* ETH_HEADER..ETH_FRAME_MAX; ..NET_FRAME_MAX if it is to be cut */
	u64 left;   /* NET_* */
	u16 csum_start, csum_offset; /* NET_CSUM: what is summed up, and where the sum goes in it */
	u16 gso_size;		     /* NET_TSO*: bytes of data in a segment */
	u16 headers;		     /* NET_TSO*: before the data */
};

/*
 * net_frame_check(): does the frame make sense: all of csum_start, csum_offset, gso_size lie in it,
 * the packet to be cut is TCP without IP options of IPv6, its segments fit a frame? Sets headers.
 * What is true of it now holds for net_frame_finish(), since the frame is the hypervisor's copy.
 */
bool net_frame_check(struct net_frame *f) __must_check;

/*
 * net_frame_finish(): calls out() for each frame on the wire that f, checked, stands for, with all
 * checksums filled in. room: a place for ETH_FRAME_MAX bytes.
 */
void net_frame_finish(const struct net_frame *f, u8 *room,
	void (*out)(void *ctx, const struct net_frame *f), void *ctx);

/* The VLAN of a tagged frame; -1: it has no tag. */
int net_frame_vlan(const struct net_frame *f);

/* A number of 8 bits that is the same for all frames of a connection, in both directions. */
u32 net_frame_flow(const struct net_frame *f);

/* Addresses of a group, the broadcast address included, have this bit in the first byte. */
static inline bool eth_is_group(const u8 addr[ETH_ADDR])
{
	return addr[0] & 1;
}

#endif
