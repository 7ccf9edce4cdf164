/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of a network card. */
#include "virtio/net_filter.h"

#include "hv/lib/string.h"
#include "virtio/spec.h"

#define WORD_BITS 64u

static_assert(NET_FILTER_MODES == VIRTIO_NET_RX_MODES, "all of them");

void net_filter_reset(struct net_filter *f, const u8 mac[ETH_ADDR])
{
	memset(f, 0, sizeof(*f));
	f->mode[VIRTIO_NET_RX_ALLMULTI] = true;
	memcpy(f->mac, mac, ETH_ADDR);
}

static bool listed(const struct net_addresses *a, const u8 *addr)
{
	for (unsigned i = 0; i < a->count; i++)
		if (!memcmp(a->addr[i], addr, ETH_ADDR))
			return true;
	return a->all;
}

static bool wants_vlan(const struct net_filter *f, const struct net_frame *frame)
{
	int id = f->by_vlan ? net_frame_vlan(frame) : -1;

	return id < 0 || (f->vlan[(unsigned)id / WORD_BITS] & BIT((unsigned)id % WORD_BITS));
}

/* 5.1.6.5.1: what passes, by the kind of address. */
bool net_filter_wants(const struct net_filter *f, const struct net_frame *frame)
{
	static const u8 broadcast[ETH_ADDR] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const u8 *addr = frame->data;
	const bool *mode = f->mode;

	if (mode[VIRTIO_NET_RX_PROMISC])
		return true;
	if (!wants_vlan(f, frame))
		return false;
	if (!memcmp(addr, broadcast, ETH_ADDR))
		return !mode[VIRTIO_NET_RX_NOBCAST];
	if (eth_is_group(addr))
		return !mode[VIRTIO_NET_RX_NOMULTI] &&
		       (mode[VIRTIO_NET_RX_ALLMULTI] || listed(&f->multicast, addr));
	if (mode[VIRTIO_NET_RX_NOUNI])
		return false;
	return mode[VIRTIO_NET_RX_ALLUNI] || !memcmp(addr, f->mac, ETH_ADDR) ||
	       listed(&f->unicast, addr);
}

/* ---- commands ---- */

static bool set_mode(struct net_filter *f, u8 command, struct vq_cursor *data)
{
	u8 on;

	if (command >= VIRTIO_NET_RX_MODES || vq_read(data, &on, sizeof(on)) != OK || on > 1)
		return false;
	f->mode[command] = on;
	return true;
}

/* A count, then so many addresses: as many as are there, or none is taken. */
static bool take_addresses(struct net_addresses *a, struct vq_cursor *data)
{
	u32 count;

	if (vq_read(data, &count, sizeof(count)) != OK || count > data->left / ETH_ADDR)
		return false;
	a->all = count > NET_FILTER_MAX;
	a->count = a->all ? 0 : count;
	if (a->all)
		vq_skip(data, (u64)count * ETH_ADDR);
	return vq_read(data, a->addr, (u64)a->count * ETH_ADDR) == OK;
}

static bool set_table(struct net_filter *f, struct vq_cursor *data)
{
	struct net_addresses unicast, multicast;

	if (!take_addresses(&unicast, data) || !take_addresses(&multicast, data))
		return false;
	f->unicast = unicast;
	f->multicast = multicast;
	return true;
}

static bool set_mac(struct net_filter *f, struct vq_cursor *data)
{
	u8 mac[ETH_ADDR];

	if (data->left != sizeof(mac) || vq_read(data, mac, sizeof(mac)) != OK || eth_is_group(mac))
		return false;
	memcpy(f->mac, mac, sizeof(mac));
	return true;
}

static bool set_vlan(struct net_filter *f, u8 command, struct vq_cursor *data)
{
	u64 *word;
	u16 id;

	if (vq_read(data, &id, sizeof(id)) != OK || id >= NET_VLANS ||
		command > VIRTIO_NET_VLAN_DEL)
		return false;
	word = &f->vlan[id / WORD_BITS];
	if (command == VIRTIO_NET_VLAN_ADD)
		*word |= BIT(id % WORD_BITS);
	else
		*word &= ~BIT(id % WORD_BITS);
	return true;
}

bool net_filter_command(struct net_filter *f, u8 class, u8 command, struct vq_cursor *data)
{
	switch (class) {
	case VIRTIO_NET_CTRL_RX: return set_mode(f, command, data);
	case VIRTIO_NET_CTRL_VLAN: return f->by_vlan && set_vlan(f, command, data);
	case VIRTIO_NET_CTRL_MAC:
		if (command == VIRTIO_NET_MAC_TABLE)
			return set_table(f, data);
		return command == VIRTIO_NET_MAC_ADDR && set_mac(f, data);
	default: return false;
	}
}
