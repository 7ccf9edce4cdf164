/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VM's description to the switch that its network card is on, whatever card it is. */
#ifndef HV_VM_NETS_H
#define HV_VM_NETS_H

#include "hv/net/switch.h"
#include "hv/vm/vm.h"

struct vm_port {
	struct net_switch *sw; /* lives on */
	u8 mac[ETH_ADDR];
	bool up; /* the link, at the start */
};

/* vm->cfg.net is not VM_NET_NONE. err (LOADER_ERR_MAX bytes) says what is wrong. */
enum status vm_open_net(const struct vm *vm, struct vm_port *out, char *err) __must_check;

#endif
