/* SPDX-License-Identifier: BSD-2-Clause */
/* The port of the switch that leads out of the machine, through its network card. */
#ifndef HV_NET_UPLINK_H
#define HV_NET_UPLINK_H

#include "hv/drv/nic.h"
#include "hv/net/switch.h"

struct uplink {
	struct switch_port port;
	struct net_switch *sw;
	struct nic *nic;
};

/* Joins the switch to the card. Errors: those of nic_open(). All must live on. */
enum status uplink_open(struct uplink *u, struct net_switch *sw, struct nic *n) __must_check;

#endif
