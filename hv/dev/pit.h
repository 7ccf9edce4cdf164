/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 interval timer and port 0x61. Counts are never ticked: they are computed from the time
 * since they were loaded, whenever someone looks. Channel 0 drives IRQ 0, channel 2 the speaker.
 * Source: the 8254 data sheet; port 0x61 as in the ICH data sheets ("NMI Status and Control").
 */
#ifndef HV_DEV_PIT_H
#define HV_DEV_PIT_H

#include "hv/cpu/timer.h"
#include "hv/ctl/log.h"
#include "hv/dev/bus.h"
#include "hv/lib/util.h"

#define PIT_PORT	  0x40
#define PIT_PORTS	  4
#define PIT_PORT61	  0x61
#define PIT_HZ		  1193182ul
#define PIT_CHANNELS	  3
/* Channel 0 interrupts no faster than this, so that a guest cannot hold the CPU with it. */
#define PIT_MIN_PERIOD_US 20ul
#define PIT_COUNT_MAX	  65536u /* what a count of 0 means */

struct pit_channel {
	u8 control; /* the six low bits of the last control word */
	u8 mode;    /* 0..5 */
	u8 access;  /* 1 low byte, 2 high byte, 3 low then high */
	bool bcd;
	bool gate;
	bool written;	 /* a count has been written since the control word */
	bool null_count; /* ... and is not yet in the counting element */
	bool counting;	 /* a count has been loaded since the control word */
	bool stopped;	 /* it does not count down now: held says where it stands */
	bool pending;	 /* reload takes effect when takes_effect clocks have passed */
	bool high_next;	 /* the next write of a 16-bit count is its high byte */
	bool read_high;	 /* the next read of a 16-bit count is its high byte */
	u8 write_low;
	u8 latched; /* bytes of the count latch still to be read */
	bool status_latched;
	u8 status;
	u16 latch;
	u32 reload;  /* 1..65536, binary: what the count register holds */
	u32 current; /* what it held when it was loaded last */
	u64 origin;  /* TSC when current was loaded, had it counted ever since */
	u64 held;
	u64 takes_effect;
};

struct pit {
	struct pit_channel ch[PIT_CHANNELS];
	u8 port61; /* its writable bits */
	struct timer timer;
	struct timerq *tq;
	void (*set_irq)(void *ctx, bool level);
	void *ctx;
	struct ratelimit rl;
};

/*
 * set_irq: the output of channel 0, to IRQ 0 and GSI 2. It is high where the output would be low in
 * the second half of a period of mode 3: a request that nobody has taken by then is not taken back.
 */
void pit_init(struct pit *p, struct timerq *tq, void (*set_irq)(void *ctx, bool level), void *ctx);
void pit_reset(struct pit *p);

/* Ports, dev = struct pit. */
extern const struct io_ops pit_ops;	   /* PIT_PORT, PIT_PORTS */
extern const struct io_ops pit_port61_ops; /* PIT_PORT61, 1 port */

/* True if channel 0 will raise an interrupt. */
bool pit_armed(const struct pit *p);

#endif
