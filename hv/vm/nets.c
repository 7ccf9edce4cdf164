/* SPDX-License-Identifier: BSD-2-Clause */
/* The two switches, made when the first VM wants them: one for VMs among themselves, one with a
 * port that leads out of the machine. */
#include "hv/vm/nets.h"

#include "hv/cpu/tsc.h"
#include "hv/drv/nic.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/net/uplink.h"

static struct net_switch *inner_switch(void)
{
	static struct net_switch s;

	if (!s.ports.next)
		switch_init(&s, wallclock);
	return &s;
}

/* NULL: the machine's card cannot be had. */
static struct net_switch *outer_switch(struct nic *n)
{
	static struct net_switch s;
	static struct uplink u;

	if (s.ports.next)
		return &s;
	switch_init(&s, wallclock);
	if (uplink_open(&u, &s, n) == OK)
		return &s;
	s.ports.next = NULL;
	return NULL;
}

static enum status open_uplink(struct vm_port *out, char *err)
{
	struct nic *card = nic_find();

	out->sw = card ? outer_switch(card) : NULL;
	if (!out->sw) {
		snprintf(err, LOADER_ERR_MAX, "net=uplink: %s",
			card ? "no memory for the rings of the machine's network card"
			     : "the machine has no network card that we have a driver for");
		return ERR_NOTSUP;
	}
	out->up = card->ops->link(card);
	return OK;
}

/* A locally administered address (IEEE 802, "Universally or Locally Administered"), by the VM. */
enum status vm_open_net(const struct vm *vm, struct vm_port *out, char *err)
{
	const u8 mac[ETH_ADDR] = { 0x02, 'T', 'P', 0, (u8)(vm->id >> 8), (u8)vm->id };

	memcpy(out->mac, mac, ETH_ADDR);
	if (vm->cfg.net == VM_NET_UPLINK)
		return open_uplink(out, err);
	out->sw = inner_switch();
	out->up = true;
	return OK;
}
