/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all virtio devices have in common, whatever the transport: status, features, queues and
 * configuration space.
 *
 *   transport (pci.c) --registers--> device.c --kick, reset--> a device (blk.c, rng.c)
 *                     <--interrupts--         <--virtio_signal()--
 *
 * What a driver may not do is ignored, with a line in the log; what leaves the device in a state
 * that nobody can make sense of sets NEEDS_RESET: the queue concerned is dead until the driver
 * resets the device, the device's other queues go on.
 *
 * Source: virtio 1.2, sections 2 "Basic Facilities of a Virtio Device" and 3.1 "Device
 * Initialization".
 */
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include "hv/cpu/timer.h"
#include "hv/ctl/log.h"
#include "virtio/queue.h"

#define VIRTIO_QUEUES_MAX 16u
#define VIRTIO_CONFIG_MAX 64u
#define VIRTIO_TURN	  4096u /* work for one kick(): chains, pages copied, segments of packets */

struct virtio_dev;

/* What makes a device what it is. One const instance a kind of device. */
struct virtio_ops {
	u16 id;		  /* 5 "Device Types" */
	const char *name; /* "virtio-blk" */
	u32 class_code;	  /* PCI's: class, subclass, interface */
	/* There may be something in the queue, which is enabled; the driver is ready. Other
	 * processors may refill the ring meanwhile: does VIRTIO_TURN, then virtio_later(). */
	void (*kick)(struct virtio_dev *d, unsigned queue);
	/* The driver is gone: when this returns, nothing of its memory is used any more. May be
	 * NULL. */
	void (*reset)(struct virtio_dev *d);
	/* The driver has written to what it may change of d->config. May be NULL. */
	void (*config_written)(struct virtio_dev *d);
};

/* How a transport brings interrupts to the driver. */
struct virtio_irq {
	void (*queue)(void *ctx, unsigned queue);
	void (*config)(void *ctx);
	void *ctx;
};

struct virtio_queue {
	struct virtqueue vq;
	struct vq_config cfg; /* registers: what the driver wrote */
	bool enabled;	      /* register */
};

struct virtio_dev {
	const struct virtio_ops *ops;
	const char *vm; /* its name */
	unsigned index; /* which of the VM's devices of this kind it is */
	struct virtio_irq irq;
	u64 offered;  /* features */
	u64 accepted; /* of these, by the driver; final once FEATURES_OK is set */
	bool alien;   /* the driver wants features that have no bit in 64 */
	u8 status;
	u8 generation; /* of the configuration space */
	unsigned queues;
	u16 queue_size; /* places of each, at most */
	struct virtio_queue queue[VIRTIO_QUEUES_MAX];
	unsigned config_size;
	u8 config[VIRTIO_CONFIG_MAX];
	u8 config_mask[VIRTIO_CONFIG_MAX]; /* bits that the driver may change */
	struct ratelimit rl;
	u64 kicks, interrupts; /* notifications from and to the driver, since it was made */
	struct timerq *timers;
	struct timer again; /* armed while there are queues in later */
	u32 later;	    /* queues, by bit, that were left before they were empty */
};

struct virtio_setup {
	const struct virtio_ops *ops;
	const char *vm; /* the VM's name; kept */
	unsigned index; /* which of the VM's devices of this kind it is */
	const struct guestmem *gm;
	struct timerq *timers; /* NULL: the device does not call virtio_later() */
	u64 features;	       /* the device's own; those of rings are added */
	bool packed;	       /* offer packed rings too */
	unsigned queues;       /* 1..VIRTIO_QUEUES_MAX */
	u16 queue_size;	       /* a power of two up to VQ_SIZE_MAX */
	unsigned config_size;  /* up to VIRTIO_CONFIG_MAX */
};

void virtio_init(struct virtio_dev *d, const struct virtio_setup *s);

/* ---- for transports: what the driver does ---- */

void virtio_set_status(struct virtio_dev *d, u8 value); /* 0 resets the device */
void virtio_reset(struct virtio_dev *d);

/* 32 of the features: word 0, 1, ... */
u32 virtio_offered_word(const struct virtio_dev *d, u32 word);
u32 virtio_accepted_word(const struct virtio_dev *d, u32 word);
void virtio_accept_word(struct virtio_dev *d, u32 word, u32 bits);

/* The registers of a queue, for the driver to change; NULL if it may not: no such queue, before
 * FEATURES_OK or after DRIVER_OK, or the queue is enabled. */
struct vq_config *virtio_queue_regs(struct virtio_dev *d, unsigned queue);
void virtio_queue_enable(struct virtio_dev *d, unsigned queue);

/* The driver's notification, however wrong. */
void virtio_notify(struct virtio_dev *d, unsigned queue);
/* Looks into all queues, as if notified. */
void virtio_notify_all(struct virtio_dev *d);

/* Bytes beyond the end read as 0; writes change what the device lets the driver change. */
u64 virtio_config_read(const struct virtio_dev *d, u64 offset, unsigned size);
void virtio_config_write(struct virtio_dev *d, u64 offset, unsigned size, u64 value);

/* A line in the log about something that the driver should not have done. */
#define virtio_complain(d, ...) virtio_log(d, LOG_INFO, __VA_ARGS__)
void virtio_log(struct virtio_dev *d, enum log_level level, const char *fmt, ...) __printf(3, 4);

/* A line of counters, for programs. */
void virtio_report(const struct virtio_dev *d);

/* ---- for devices ---- */

static inline struct virtqueue *virtio_vq(struct virtio_dev *d, unsigned queue)
{
	return &d->queue[queue].vq;
}

/* Was the feature (a bit of virtio/spec.h) negotiated? */
static inline bool virtio_has(const struct virtio_dev *d, u64 feature)
{
	return d->accepted & feature;
}

/* After vq_push(): an interrupt, if the driver wants one. */
void virtio_signal(struct virtio_dev *d, unsigned queue);

/* Takes work off what may still be done in this turn. */
static inline void virtio_spend(unsigned *budget, u64 work)
{
	*budget -= (unsigned)MIN(work, (u64)*budget);
}

/*
 * virtio_later(): the queue is looked into again in a millisecond, as if notified; until then
 * notifications for it change nothing. For a kick() that has done its turn.
 */
void virtio_later(struct virtio_dev *d, unsigned queue);

/* The device has changed d->config by itself. */
void virtio_config_changed(struct virtio_dev *d);

#endif
