/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames between the switch and the card, as they are on the wire on both sides. */
#include "hv/net/uplink.h"

static_assert(NIC_FRAME_MAX == ETH_FRAME_MAX && NIC_FRAME_MIN == ETH_HEADER, "the same frames");

static void to_card(struct switch_port *p, const struct net_frame *f)
{
	struct uplink *u = container_of(p, struct uplink, port);

	u->nic->ops->send(u->nic, f->data, f->len);
}

static void from_card(void *ctx, const void *frame, size_t len)
{
	struct uplink *u = ctx;
	struct net_frame f = { .data = frame, .len = len };

	if (net_frame_check(&f))
		switch_send(u->sw, &u->port, &f);
}

static void card_link(void *ctx, bool up)
{
	struct uplink *u = ctx;

	switch_link(u->sw, &u->port, up);
}

enum status uplink_open(struct uplink *u, struct net_switch *sw, struct nic *n)
{
	struct nic_user user = { from_card, card_link, u };
	enum status s;

	*u = (struct uplink){ .port.receive = to_card, .sw = sw, .nic = n };
	s = nic_open(n, &user);
	if (s == OK)
		switch_join(sw, &u->port);
	return s;
}
