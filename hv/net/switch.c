/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch: a list of ports and a bounded table of addresses. */
#include "hv/net/switch.h"

#include "hv/lib/string.h"

#define DESTINATION 0u
#define SOURCE	    ETH_ADDR

void switch_init(struct net_switch *s, u64 (*seconds)(void))
{
	memset(s, 0, sizeof(*s));
	list_init(&s->ports);
	s->seconds = seconds;
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

static void forget_old(struct net_switch *s, u64 now)
{
	for (unsigned i = 0; i < SWITCH_ADDRESSES; i++)
		if (s->known[i].port && now - s->known[i].seen > SWITCH_AGE)
			s->known[i].port = NULL;
}

/* The entry that was not seen for longest, among those of the port, or of all (NULL). */
static unsigned oldest(const struct net_switch *s, const struct switch_port *p)
{
	unsigned best = SWITCH_ADDRESSES;

	for (unsigned i = 0; i < SWITCH_ADDRESSES; i++)
		if ((!p || s->known[i].port == p) &&
			(best == SWITCH_ADDRESSES || s->known[i].seen < s->known[best].seen))
			best = i;
	return best;
}

/* Where an address that is new goes. */
static unsigned place_for(struct net_switch *s, const struct switch_port *from)
{
	unsigned own = 0, free = SWITCH_ADDRESSES;

	for (unsigned i = 0; i < SWITCH_ADDRESSES; i++) {
		own += s->known[i].port == from;
		if (!s->known[i].port && free == SWITCH_ADDRESSES)
			free = i; /* the first: find() looks from the start */
	}
	if (own >= SWITCH_PORT_MAX)
		return oldest(s, from);
	return free < SWITCH_ADDRESSES ? free : oldest(s, NULL);
}

static void learn(struct net_switch *s, struct switch_port *from, const u8 *addr, u64 now)
{
	unsigned i = find(s, addr);

	if (eth_is_group(addr))
		return;
	if (i == SWITCH_ADDRESSES) {
		forget_old(s, now);
		i = place_for(s, from);
		memcpy(s->known[i].addr, addr, ETH_ADDR);
	}
	s->known[i].port = from;
	s->known[i].seen = now;
}

static void receive(void *port, const struct net_frame *f)
{
	struct switch_port *p = port;

	p->receive(p, f);
}

/* What the port cannot do itself is done before. */
static void deliver(struct net_switch *s, struct switch_port *to, const struct net_frame *f)
{
	if (f->left & ~to->takes)
		net_frame_finish(f, s->room, receive, to);
	else
		to->receive(to, f);
}

static void flood(struct net_switch *s, struct switch_port *from, const struct net_frame *f)
{
	struct switch_port *p;

	list_for_each_entry (p, &s->ports, node)
		if (p != from)
			deliver(s, p, f);
}

void switch_send(struct net_switch *s, struct switch_port *from, const struct net_frame *f)
{
	struct switch_port *to = NULL;
	u64 now = s->seconds();
	unsigned i;

	learn(s, from, f->data + SOURCE, now);
	i = find(s, f->data + DESTINATION);
	if (i < SWITCH_ADDRESSES && now - s->known[i].seen <= SWITCH_AGE)
		to = s->known[i].port;
	if (!to)
		flood(s, from, f);
	else if (to != from)
		deliver(s, to, f);
}

void switch_link(struct net_switch *s, struct switch_port *from, bool up)
{
	struct switch_port *p;

	list_for_each_entry (p, &s->ports, node)
		if (p != from && p->link)
			p->link(p, up);
}
