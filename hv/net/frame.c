/* SPDX-License-Identifier: BSD-2-Clause */
/* Checksums, and segments of TCP. All numbers in a frame have their high byte first. */
#include "hv/net/frame.h"

#include "hv/lib/string.h"

#define ETH_TYPE 12u

#define TYPE_VLAN 0x8100u
#define TYPE_IPV4 0x0800u
#define TYPE_IPV6 0x86ddu
#define VLAN_ID	  0xfffu

/* RFC 791, "Internet Header Format" */
#define IPV4_HEADER   20u
#define IPV4_LENGTH   2u
#define IPV4_ID	      4u
#define IPV4_FRAGMENT 6u
#define IPV4_PROTOCOL 9u
#define IPV4_CSUM     10u
#define IPV4_SOURCE   12u
#define IPV4_ADDRS    8u      /* both addresses */
#define FRAGMENTED    0x3fffu /* more fragments, or an offset */

/* RFC 8200, "IPv6 Header Format" */
#define IPV6_HEADER 40u
#define IPV6_LENGTH 4u
#define IPV6_NEXT   6u
#define IPV6_SOURCE 8u
#define IPV6_ADDRS  32u

#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u

/* RFC 9293, "Header Format" */
#define TCP_HEADER   20u
#define TCP_SEQUENCE 4u
#define TCP_OFFSET   12u
#define TCP_FLAGS    13u
#define TCP_CSUM     16u
#define TCP_FIN	     BIT(0)
#define TCP_PSH	     BIT(3)
#define TCP_CWR	     BIT(7)

#define HASH_FACTOR 2654435761u /* 2^32 over the golden ratio: each bit reaches the upper ones */
#define HASH_SHIFT  24
#define UDP_CSUM    6u
#define PORTS	    4u /* both, first in the headers of TCP and UDP */

static u16 get16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static void put16(u8 *p, u64 value)
{
	p[0] = (u8)(value >> 8);
	p[1] = (u8)value;
}

static u32 get32(const u8 *p)
{
	return (u32)get16(p) << 16 | get16(p + 2);
}

static void put32(u8 *p, u32 value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

/* ---- where things are ---- */

struct layout {
	bool ipv4, ipv6;
	u8 protocol;
	u32 network, transport; /* offsets; transport 0: unknown, or a fragment's */
};

static void find_ipv4(const struct net_frame *f, struct layout *l)
{
	const u8 *ip = f->data + l->network;
	u32 len;

	if (f->len < l->network + IPV4_HEADER || ip[0] >> 4 != 4)
		return;
	l->ipv4 = true;
	len = (ip[0] & 0xfu) * 4;
	l->protocol = ip[IPV4_PROTOCOL];
	if (len >= IPV4_HEADER && f->len >= l->network + len &&
		!(get16(ip + IPV4_FRAGMENT) & FRAGMENTED))
		l->transport = l->network + len;
}

static void find_ipv6(const struct net_frame *f, struct layout *l)
{
	const u8 *ip = f->data + l->network;

	if (f->len < l->network + IPV6_HEADER || ip[0] >> 4 != 6)
		return;
	l->ipv6 = true;
	l->protocol = ip[IPV6_NEXT];
	l->transport = l->network + IPV6_HEADER;
}

static struct layout find(const struct net_frame *f)
{
	struct layout l = { .network = ETH_HEADER };
	u16 type = get16(f->data + ETH_TYPE);

	if (type == TYPE_VLAN && f->len >= ETH_HEADER + ETH_TAG) {
		l.network += ETH_TAG;
		type = get16(f->data + ETH_TYPE + ETH_TAG);
	}
	if (type == TYPE_IPV4)
		find_ipv4(f, &l);
	else if (type == TYPE_IPV6)
		find_ipv6(f, &l);
	return l;
}

int net_frame_vlan(const struct net_frame *f)
{
	if (f->len < ETH_HEADER + ETH_TAG || get16(f->data + ETH_TYPE) != TYPE_VLAN)
		return -1;
	return get16(f->data + ETH_HEADER) & VLAN_ID;
}

u32 net_frame_flow(const struct net_frame *f)
{
	struct layout l = find(f);
	const u8 *from = f->data + l.network + (l.ipv4 ? IPV4_SOURCE : IPV6_SOURCE);
	u32 len = l.ipv4 ? IPV4_ADDRS : l.ipv6 ? IPV6_ADDRS : 0, sum = 0;

	/* A sum does not know which was the sender's. */
	for (u32 i = 0; i < len; i += 4)
		sum += get32(from + i);
	if ((l.protocol == PROTOCOL_TCP || l.protocol == PROTOCOL_UDP) && l.transport &&
		f->len >= l.transport + PORTS)
		sum += (u32)get16(f->data + l.transport) + get16(f->data + l.transport + 2);
	return (sum * HASH_FACTOR) >> HASH_SHIFT;
}

/* ---- checks ---- */

static bool check_tcp(struct net_frame *f)
{
	struct layout l = find(f);
	u32 headers;

	if (!l.transport || l.protocol != PROTOCOL_TCP || l.ipv4 != !!(f->left & NET_TSO4) ||
		f->len < l.transport + TCP_HEADER)
		return false;
	headers = (f->data[l.transport + TCP_OFFSET] >> 4) * 4u;
	if (headers < TCP_HEADER)
		return false;
	headers += l.transport;
	f->headers = (u16)headers;
	return f->csum_start == l.transport && f->csum_offset == TCP_CSUM && f->len > headers &&
	       f->gso_size >= NET_GSO_MIN && headers + f->gso_size <= ETH_FRAME_MAX;
}

bool net_frame_check(struct net_frame *f)
{
	bool cut = f->left & (NET_TSO4 | NET_TSO6);

	if (f->len < ETH_HEADER || f->len > (cut ? NET_FRAME_MAX : ETH_FRAME_MAX))
		return false;
	if ((f->left & NET_CSUM) &&
		(f->csum_start < ETH_HEADER ||
			(u32)f->csum_start + f->csum_offset + sizeof(u16) > f->len))
		return false;
	return !cut || ((f->left & NET_CSUM) && check_tcp(f));
}

/* ---- checksums: RFC 1071 ---- */

static u64 sum16(const u8 *p, u64 len, u64 sum)
{
	for (; len >= 2; p += 2, len -= 2)
		sum += get16(p);
	return len ? sum + ((u64)p[0] << 8) : sum;
}

static u16 fold(u64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

/* The sender has put the sum of the pseudo header where the checksum goes. */
static void fill_checksum(const struct net_frame *f, u8 *data)
{
	u8 *to = data + f->csum_start + f->csum_offset;
	u16 sum = fold(sum16(data + f->csum_start, f->len - f->csum_start, 0));

	if (!sum && f->csum_offset == UDP_CSUM)
		sum = 0xffff; /* 0 says that there is none */
	put16(to, sum);
}

/* ---- segments ---- */

static void set_ip(u8 *frame, const struct layout *l, u64 len, u32 index)
{
	u8 *ip = frame + l->network;

	if (l->ipv6) {
		put16(ip + IPV6_LENGTH, len - l->network - IPV6_HEADER);
		return;
	}
	put16(ip + IPV4_LENGTH, len - l->network);
	put16(ip + IPV4_ID, get16(ip + IPV4_ID) + index);
	put16(ip + IPV4_CSUM, 0);
	put16(ip + IPV4_CSUM, fold(sum16(ip, l->transport - l->network, 0)));
}

static void set_tcp(u8 *frame, const struct layout *l, u64 len, u32 offset, bool last)
{
	u8 *tcp = frame + l->transport;
	const u8 *from = frame + l->network + (l->ipv6 ? IPV6_SOURCE : IPV4_SOURCE);
	u64 sum = PROTOCOL_TCP + len - l->transport;

	put32(tcp + TCP_SEQUENCE, get32(tcp + TCP_SEQUENCE) + offset);
	if (!last)
		tcp[TCP_FLAGS] &= (u8) ~(TCP_FIN | TCP_PSH);
	if (offset)
		tcp[TCP_FLAGS] &= (u8)~TCP_CWR;
	put16(tcp + TCP_CSUM, 0);
	sum = sum16(from, l->ipv6 ? IPV6_ADDRS : IPV4_ADDRS, sum);
	put16(tcp + TCP_CSUM, fold(sum16(tcp, len - l->transport, sum)));
}

static void cut(const struct net_frame *f, u8 *room,
	void (*out)(void *ctx, const struct net_frame *f), void *ctx)
{
	struct layout l = find(f);
	u32 data = (u32)f->len - f->headers, index = 0;

	for (u32 offset = 0; offset < data; offset += f->gso_size, index++) {
		u32 n = MIN(data - offset, (u32)f->gso_size);
		struct net_frame segment = { .data = room, .len = f->headers + n };

		memcpy(room, f->data, f->headers);
		memcpy(room + f->headers, f->data + f->headers + offset, n);
		set_ip(room, &l, segment.len, index);
		set_tcp(room, &l, segment.len, offset, offset + n == data);
		out(ctx, &segment);
	}
}

void net_frame_finish(const struct net_frame *f, u8 *room,
	void (*out)(void *ctx, const struct net_frame *f), void *ctx)
{
	struct net_frame whole = { .data = room, .len = f->len };

	if (f->left & (NET_TSO4 | NET_TSO6)) {
		cut(f, room, out, ctx);
		return;
	}
	if (!f->left) {
		out(ctx, f);
		return;
	}
	memcpy(room, f->data, f->len);
	fill_checksum(f, room);
	out(ctx, &whole);
}
