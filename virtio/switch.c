/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch: a list of ports and a table of addresses, the oldest of which makes room for a new
 * one. */
#include "virtio/switch.h"

#include "hv/lib/string.h"

#define DESTINATION 0u
#define SOURCE	    ETH_ADDR

void switch_init(struct net_switch *s)
{
	memset(s, 0, sizeof(*s));
	list_init(&s->ports);
}

void switch_join(struct net_switch *s, struct switch_port *p)
{
	list_add_tail(&s->ports, &p->node);
}

void switch_leave(struct net_switch *s, struct switch_port *p)
{
	list_del(&p->node);
	for (unsigned i = 0; i < SWITCH_ADDRESSES; i++)
		if (s->known[i].port == p)
			s->known[i].port = NULL;
}

/* Index of the address, or SWITCH_ADDRESSES. */
static unsigned find(const struct net_switch *s, const u8 *addr)
{
	unsigned i = 0;

	while (i < SWITCH_ADDRESSES &&
		(!s->known[i].port || memcmp(s->known[i].addr, addr, ETH_ADDR)))
		i++;
	return i;
}

static void learn(struct net_switch *s, struct switch_port *from, const u8 *addr)
{
	unsigned i = find(s, addr);

	if (eth_is_group(addr))
		return;
	if (i == SWITCH_ADDRESSES) {
		i = s->oldest;
		s->oldest = (i + 1) % SWITCH_ADDRESSES;
		memcpy(s->known[i].addr, addr, ETH_ADDR);
	}
	s->known[i].port = from;
}

static void flood(struct net_switch *s, struct switch_port *from, const u8 *frame, size_t len)
{
	struct switch_port *p;

	list_for_each_entry (p, &s->ports, node)
		if (p != from)
			p->receive(p, frame, len);
}

void switch_send(struct net_switch *s, struct switch_port *from, const u8 *frame, size_t len)
{
	struct switch_port *to = NULL;
	unsigned i;

	if (len < ETH_HEADER || len > ETH_FRAME_MAX)
		return;
	learn(s, from, frame + SOURCE);
	i = find(s, frame + DESTINATION);
	if (i < SWITCH_ADDRESSES)
		to = s->known[i].port;
	if (!to)
		flood(s, from, frame, len);
	else if (to != from)
		to->receive(to, frame, len);
}
