/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's registers, as in Intel SDM "Local APIC Register Address Map", and what the files
 * of its model share. Nobody else includes this.
 *
 *   lapic_regs.c   the register map: who may access what, by MMIO and by MSR
 *   lapic.c        interrupts on their way to the vcpu: IRR, ISR, priorities, LVT, errors, reset
 *   lapic_timer.c  the timer
 *   lapic_bus.c    messages between APICs: ICR, and who is addressed
 */
#ifndef HV_DEV_LAPIC_REGS_H
#define HV_DEV_LAPIC_REGS_H

#include "hv/cpu/regs.h"
#include "hv/dev/lapic.h"

/* Register numbers: MMIO offset / 16, and x2APIC MSR - 0x800. */
enum {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_APR = 0x09, /* not there since the Pentium 4, nor is RRD: they read 0 */
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_RRD = 0x0c,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SVR = 0x0f,
	REG_ISR = 0x10, /* eight registers each, as TMR and IRR */
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_ICR = 0x30,
	REG_ICR_HIGH = 0x31,
	REG_LVT = 0x32, /* by enum lapic_lvt */
	REG_LVT_LAST = REG_LVT + LVT_COUNT - 1,
	REG_TMICT = 0x38,
	REG_TMCCT = 0x39,
	REG_TDCR = 0x3e,
	REG_SELF_IPI = 0x3f,
	REG_COUNT,
};

/* "Local APIC Version Register": no suppression of EOI broadcasts */
#define APIC_VERSION	 0x14u
#define APIC_MAX_LVT	 (LVT_COUNT - 1u)
#define VERSION_VALUE	 (APIC_MAX_LVT << 16 | APIC_VERSION)
#define XAPIC_DEST_SHIFT 24 /* in ID, LDR and ICR_HIGH */
#define XAPIC_DEST	 0xff000000u
#define XAPIC_ALL	 0xffu
#define X2APIC_ALL	 0xffffffffu
#define DFR_FLAT	 0xffffffffu
#define DFR_ONES	 0x0fffffffu /* the bits below the model */
#define TPR_VALID	 0xffu
#define CR8_SHIFT	 4 /* CR8 is TPR[7:4] */

#define SVR_ENABLE BIT(8)
#define SVR_VALID  0x3ffu /* vector, enable, focus checking (without effect) */
#define SVR_RESET  0xffu

/* "Error Status Register (ESR)" */
#define ESR_SEND_VECTOR	   BIT(5)
#define ESR_RECEIVE_VECTOR BIT(6)
#define ESR_REGISTER	   BIT(7)

/* "Valid Interrupt Vectors"; the class is what priorities go by. */
#define VECTOR_FIRST 16
#define VECTOR_CLASS 0xf0u

/* The messages of ICR, LVT, IOAPIC and MSI have these in common. */
#define MSG_VECTOR     0xffu
#define MSG_MODE_SHIFT 8
#define MSG_MODE_MASK  7u
#define MSG_MODE       (MSG_MODE_MASK << MSG_MODE_SHIFT)
#define MSG_ASSERT     BIT(14)
#define MSG_LEVEL      BIT(15)

/* "Interrupt Command Register (ICR)"; delivery status, bit 12, is always 0: idle */
#define ICR_LOGICAL	    BIT(11)
#define ICR_SHORTHAND_SHIFT 18
#define ICR_SHORTHAND_MASK  3u
#define ICR_LOW_VALID	    0x000ccffful
#define ICR_X2APIC_SHIFT    32 /* destination */
#define ICR_XAPIC_SHIFT	    56
#define ICR_HIGH	    (~0ul << ICR_X2APIC_SHIFT)

/* "Local Vector Table" */
#define LVT_STATUS     BIT(12)
#define LVT_POLARITY   BIT(13)
#define LVT_REMOTE_IRR BIT(14)
#define LVT_LEVEL      MSG_LEVEL
#define LVT_MASKED     BIT(16)
#define LVT_TIMER_MODE (3u << 17)
#define TIMER_PERIODIC (1u << 17)
#define TIMER_DEADLINE (2u << 17) /* and with PERIODIC: reserved */

#define TDCR_VALID 0xbu

/* ---- lapic.c ---- */

void lapic_write_tpr(struct lapic *l, u32 value);
void lapic_write_svr(struct lapic *l, u32 value);
void lapic_write_esr(struct lapic *l);
void lapic_write_lvt(struct lapic *l, enum lapic_lvt n, u32 value);
void lapic_write_eoi(struct lapic *l);
u32 lapic_ppr(const struct lapic *l);

/* Notes an error (ESR_*), and raises the error interrupt if it is the first since ESR was read. */
void lapic_error(struct lapic *l, u32 bit);

/* What an unmasked LVT register asks for when its source has an edge. */
void lapic_lvt_fire(struct lapic *l, enum lapic_lvt n);

/* ---- lapic_timer.c ---- */

void lapic_timer_init(struct lapic *l);
void lapic_timer_stop(struct lapic *l);
void lapic_timer_mode_changed(struct lapic *l, u32 old_lvt);
void lapic_write_tmict(struct lapic *l, u32 value);
void lapic_write_tdcr(struct lapic *l, u32 value);
void lapic_write_deadline(struct lapic *l, u64 value);
u32 lapic_read_tmcct(const struct lapic *l);

/* ---- lapic_bus.c ---- */

void lapic_write_icr(struct lapic *l, u64 value);
void lapic_write_self_ipi(struct lapic *l, u8 vector);
u32 lapic_read_ldr(const struct lapic *l);

static inline bool lapic_is_x2apic(const struct lapic *l)
{
	return (l->base & APIC_BASE_EXTD) != 0;
}

static inline bool lapic_software_enabled(const struct lapic *l)
{
	return (l->base & APIC_BASE_EN) && (l->svr & SVR_ENABLE);
}

#endif
