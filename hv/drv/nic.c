/* SPDX-License-Identifier: BSD-2-Clause */
/* Which card there is, and who uses it. */
#include "hv/drv/nic.h"

#include "hv/ctl/log.h"

static struct nic *the_nic;

struct nic *nic_find(void)
{
	return the_nic;
}

void nic_register(struct nic *n)
{
	const u8 *m = n->mac;

	log_info("%s: network card %02x:%02x:%02x:%02x:%02x:%02x%s", n->ops->name, m[0], m[1], m[2],
		m[3], m[4], m[5], the_nic ? ", not used: there is another" : "");
	if (!the_nic)
		the_nic = n;
}

enum status nic_open(struct nic *n, const struct nic_user *user)
{
	enum status s;

	if (n->user.receive)
		return ERR_EXIST;
	n->user = *user;
	s = n->ops->start(n);
	if (s != OK)
		n->user = (struct nic_user){ 0 };
	return s;
}
