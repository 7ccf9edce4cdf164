/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network card of the physical machine, whichever it is. It has buffers of its own: the card
 * never has the address of guest memory.
 *
 * All of this belongs to the boot processor: its interrupts are disabled, or it handles one.
 */
#ifndef HV_DRV_NIC_H
#define HV_DRV_NIC_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

#define NIC_ADDR      6u
#define NIC_FRAME_MAX 1518u /* without the checksum, which the card adds and takes off */
#define NIC_FRAME_MIN 14u

struct nic;

struct nic_ops {
	const char *name;
	/* From now on frames come, and may be sent. ERR_NOMEM. */
	enum status (*start)(struct nic *n);
	/* A frame of NIC_FRAME_MIN..NIC_FRAME_MAX bytes, copied. False: no room, it is lost. */
	bool (*send)(struct nic *n, const void *frame, size_t len);
	bool (*link)(struct nic *n);
};

/* What is done with frames, and when the link goes up or down. */
struct nic_user {
	void (*receive)(void *ctx, const void *frame, size_t len); /* valid during the call */
	void (*link)(void *ctx, bool up);
	void *ctx;
};

struct nic {
	const struct nic_ops *ops;
	u8 mac[NIC_ADDR];
	struct nic_user user;
	u64 sent, received, lost, interrupts;
};

/* The first card that a driver has found; NULL: there is none. */
struct nic *nic_find(void);
void nic_register(struct nic *n);

/* Starts the card for its only user. ERR_EXIST: it has one; else as start(). */
enum status nic_open(struct nic *n, const struct nic_user *user) __must_check;

#endif
