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

struct pit_channel {
	u8 mode;   /* 0..5 */
	u8 access; /* 1 low byte, 2 high byte, 3 low then high */
	bool bcd;
	bool gate;
	bool null_count; /* written, not yet loaded */
	bool counting;	 /* loaded, and since triggered if the mode wants that */
	bool high_next;	 /* the next write of a 16-bit count is its high byte */
	bool read_high;	 /* the next read of a 16-bit count is its high byte */
	u8 write_low;
	u8 latched; /* bytes of the count latch still to be read */
	bool status_latched;
	u8 status;
	u16 latch;
	u32 reload;  /* 1..65536, binary: what count register holds */
	u32 current; /* the reload value in effect: modes 2 and 3 change at the end of a period */
	u64 origin;  /* TSC when current was loaded */
	u64 held;    /* clocks that had passed when the gate went low */
};

struct pit {
	struct pit_channel ch[PIT_CHANNELS];
	u8 speaker; /* port 0x61 bit 1 */
	u64 ticks;  /* clocks after ch[0].origin at which IRQ 0 comes next */
	struct timer timer;
	struct timerq *tq;
	void (*set_irq)(void *ctx, bool level);
	void *ctx;
	struct ratelimit rl;
};

/* set_irq: the output of channel 0, to IRQ 0 and GSI 2. */
void pit_init(struct pit *p, struct timerq *tq, void (*set_irq)(void *ctx, bool level), void *ctx);
void pit_reset(struct pit *p);

/* Ports, dev = struct pit. */
extern const struct io_ops pit_ops;	   /* PIT_PORT, PIT_PORTS */
extern const struct io_ops pit_port61_ops; /* PIT_PORT61, 1 port */

/* True if channel 0 will raise an interrupt. */
bool pit_armed(const struct pit *p);

#endif
