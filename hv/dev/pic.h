/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's two cascaded 8259A interrupt controllers, with the EISA edge/level registers (ELCR).
 * Source: the 8259A data sheet; ELCR as in the PIIX and ICH data sheets.
 *
 *   IRQ 8-15 --> slave --IRQ 2--> master --output()--> LINT0 of the local APICs
 *   IRQ 0,1,3-7 ----------------^
 */
#ifndef HV_DEV_PIC_H
#define HV_DEV_PIC_H

#include "hv/dev/bus.h"
#include "hv/lib/util.h"

#define PIC_MASTER_PORT 0x20
#define PIC_SLAVE_PORT	0xa0
#define PIC_PORTS	2
#define PIC_ELCR_PORT	0x4d0
#define PIC_ELCR_PORTS	2
#define PIC_IRQS	16u

struct pic_chip {
	u8 slaves; /* inputs that a slave's output is wired to */
	u8 lines;  /* input levels */
	u8 edges;  /* inputs that rose since they were last acknowledged, and are high still */
	u8 elcr;   /* 1 = level-triggered */
	u8 isr;
	u8 imr;
	u8 vector;   /* ICW2, bits 7:3 */
	u8 lowest;   /* the input with the lowest priority */
	u8 icw_next; /* the initialisation word that is awaited: 2, 3, 4, or 0 */
	bool ready;  /* initialised since power-up; before, nothing is requested */
	bool single; /* ICW1: no ICW3 */
	bool ltim;   /* ICW1: all inputs level-triggered */
	bool icw4_needed;
	bool auto_eoi;
	bool rotate_auto_eoi;
	bool special_nested;
	bool special_mask;
	bool poll;     /* the next read is a poll */
	bool read_isr; /* OCW3: reads give ISR instead of IRR */
};

struct pic {
	struct pic_chip chip[2]; /* master, slave */
	bool out;		 /* level of the master's INT */
	void (*output)(void *ctx, bool level);
	void *ctx;
};

/* output is called on each change of the INT line. */
void pic_init(struct pic *p, void (*output)(void *ctx, bool level), void *ctx);
void pic_reset(struct pic *p); /* input levels are kept: they belong to the devices */

/* Ports, dev = struct pic. */
extern const struct io_ops pic_master_ops; /* PIC_MASTER_PORT, PIC_PORTS */
extern const struct io_ops pic_slave_ops;  /* PIC_SLAVE_PORT, PIC_PORTS */
extern const struct io_ops pic_elcr_ops;   /* PIC_ELCR_PORT, PIC_ELCR_PORTS */

/* Sets an input; IRQ 2 (the cascade) and numbers over 15 are ignored. */
void pic_set_irq(struct pic *p, unsigned irq, bool level);

/* The level of INT. */
static inline bool pic_output(const struct pic *p)
{
	return p->out;
}

/* The INTA cycle: returns the vector; that of IRQ 7 (spurious) if the request has gone. */
u8 pic_ack(struct pic *p);

#endif
