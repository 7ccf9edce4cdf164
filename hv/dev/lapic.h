/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC of one vcpu, as xAPIC (MMIO) and x2APIC (MSRs), and the messages between APICs.
 *
 *   IOAPIC, MSI, ICR --apic_send()--> accept: IRR --lapic_ack()--> ISR --EOI--> gone
 *   LVT (timer, LINT0/1, error) ---------^
 *
 * Source: Intel SDM, chapter "Advanced Programmable Interrupt Controller (APIC)". Choices where the
 * manual leaves one: version 0x14 with six LVT entries (no CMCI), no suppression of EOI broadcasts,
 * the APIC ID is read-only, the page cannot be moved, lowest-priority IPIs are supported. Messages
 * that ask for SMI (there is no SMM) or ExtINT (the PIC reaches LINT0 only) are not taken.
 */
#ifndef HV_DEV_LAPIC_H
#define HV_DEV_LAPIC_H

#include "hv/cpu/timer.h"
#include "hv/ctl/log.h"
#include "hv/dev/bus.h"
#include "hv/lib/util.h"

/* The timer's input clock, before the divider; CPUID leaf 0x15 tells the guest the same number. */
#define LAPIC_TIMER_HZ	    25000000ul
/* A periodic timer expires no faster than this, so that a guest cannot hold the CPU with it. */
#define LAPIC_MIN_PERIOD_US 20ul
#define LAPIC_MMIO_SIZE	    0x1000ul

/* SDM "Interrupt Command Register (ICR)", delivery mode; LVT, IOAPIC and MSI use the same values.
 */
enum apic_delivery {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_REMOTE_READ = 3, /* reserved since the Pentium 4 */
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_SIPI = 6,
	APIC_EXTINT = 7,
};

/* In whatever is not an ICR: IOAPIC entries, MSI data, LVT registers. */
static inline bool apic_mode_is_reserved(enum apic_delivery mode)
{
	return mode == APIC_REMOTE_READ || mode == APIC_SIPI;
}

enum apic_shorthand {
	APIC_DEST_FIELD,
	APIC_DEST_SELF,
	APIC_DEST_ALL,
	APIC_DEST_OTHERS
};

struct apic_msg {
	u32 dest;  /* APIC ID or logical destination; ignored with a shorthand */
	u8 vector; /* SIPI: page of the start address */
	enum apic_delivery mode;
	enum apic_shorthand shorthand; /* IOAPIC and MSI: APIC_DEST_FIELD */
	unsigned src;		       /* index of the sender; only read with a shorthand */
	bool logical;
	bool level; /* level-triggered */
	bool wide;  /* dest has 32 bits (x2APIC sender); otherwise 8, and 0xFF is all */
};

/* What a local APIC asks of its surroundings; index is the one given to lapic_init(). */
struct lapic_host {
	void (*kick)(void *ctx, unsigned index); /* an interrupt has become deliverable */
	void (*nmi)(void *ctx, unsigned index);
	void (*init)(void *ctx, unsigned index); /* INIT; the host calls lapic_reset() */
	void (*sipi)(void *ctx, unsigned index, u8 vector);
	void (*send)(void *ctx, const struct apic_msg *m); /* ICR written: pass to apic_send() */
	void (*eoi)(void *ctx, u8 vector);		   /* level-triggered EOI: to all IOAPICs */
};

enum lapic_reset_kind {
	LAPIC_POWER_UP,
	LAPIC_INIT
};

enum lapic_lvt {
	LVT_TIMER,
	LVT_THERMAL,
	LVT_PERF,
	LVT_LINT0,
	LVT_LINT1,
	LVT_ERROR,
	LVT_COUNT
};

#define APIC_VECTORS 256
#define APIC_WORDS   (APIC_VECTORS / 64)

struct lapic {
	int pending; /* vector that beats the PPR, or -1; kept by every change of IRR, ISR, TPR */
	int irr_max; /* highest bit of irr, or -1 */
	int isr_max;
	u64 irr[APIC_WORDS];
	u64 isr[APIC_WORDS];
	u64 tmr[APIC_WORDS];
	u64 base; /* IA32_APIC_BASE */
	unsigned index;
	u32 id;
	u32 tpr;
	u32 ldr; /* xAPIC form; that of x2APIC follows from the ID */
	u32 dfr;
	u32 svr;
	u32 esr;	 /* what the guest reads */
	u32 esr_pending; /* collected since the last write to ESR */
	u64 icr;
	u32 lvt[LVT_COUNT];
	bool lint[2]; /* input levels */

	/* One-shot and periodic: counts run from origin; the next expiry is at count target. */
	u32 tmict;
	u32 tdcr;
	bool counting;
	u64 origin;	  /* TSC when the count was loaded */
	u64 target;	  /* counts after origin */
	u64 tsc_deadline; /* IA32_TSC_DEADLINE: guest TSC, 0 when disarmed */
	u64 tsc_offset;	  /* guest TSC - host TSC */
	struct timer timer;
	struct timerq *tq;

	const struct lapic_host *host;
	void *ctx;
	struct ratelimit rl;
};

/*
 * index: the vcpu's number, which is also its APIC ID. host and ctx must outlive the APIC. The
 * state is that after power-up, in xAPIC mode.
 */
void lapic_init(struct lapic *l, unsigned index, bool bsp, struct timerq *tq,
	const struct lapic_host *host, void *ctx);
/* SDM "Local APIC State After Power-Up or Reset" and "... After It Receives an INIT-Reset". */
void lapic_reset(struct lapic *l, enum lapic_reset_kind kind);
/* Leaves the APIC as firmware leaves the BSP's: enabled, LINT0 = ExtINT, LINT1 = NMI (virtual
 * wire). */
void lapic_virtual_wire(struct lapic *l);

/*
 * MMIO, dev = struct lapic; offset 0..0xFFF. Registers are the low 32 bits of each 16 bytes. Reads
 * give the bytes asked for, and 0 for those of no register; writes of another size or alignment are
 * dropped. Outside xAPIC mode reads give all ones.
 */
extern const struct io_ops lapic_ops;

/* IA32_APIC_BASE, IA32_TSC_DEADLINE (guest time) and the x2APIC registers, which are the first 64
 * MSRs from 0x800. False: #GP, and nothing has changed. */
bool lapic_rdmsr(struct lapic *l, u32 msr, u64 *value);
bool lapic_wrmsr(struct lapic *l, u32 msr, u64 value);

/* False after the guest cleared IA32_APIC_BASE.EN: CPUID.1:EDX.APIC must then read 0. */
bool lapic_enabled(const struct lapic *l);

/* The vector that the vcpu could take now, RFLAGS.IF aside, or -1. */
static inline int lapic_pending(const struct lapic *l)
{
	return l->pending;
}

/* Accepts that vector (IRR -> ISR) and returns it; the spurious vector if there is none. */
u8 lapic_ack(struct lapic *l);

/* True if the PIC's output reaches the vcpu: LINT0 is an unmasked ExtINT, or the APIC is off. */
bool lapic_accepts_extint(const struct lapic *l);

/* Sets the input pin LINT0 (n = 0) or LINT1; true = asserted, whatever the polarity bit says. */
void lapic_set_lint(struct lapic *l, unsigned n, bool level);

/* An interrupt message that this APIC is a target of. False if it does not take it. */
bool lapic_deliver(struct lapic *l, enum apic_delivery mode, u8 vector, bool level);

u64 lapic_get_cr8(const struct lapic *l);
void lapic_set_cr8(
	struct lapic *l, u64 value); /* only bits 3:0 count: the rest is the caller's #GP */

/* The guest's TSC is the host's plus offset; a pending TSC deadline moves with it. */
void lapic_set_tsc_offset(struct lapic *l, u64 offset);

/*
 * Resolves the destination of m among l[0..n-1] and delivers it there. Lowest priority: the target
 * with the lowest PPR; among equals the vector decides. True if at least one APIC took it.
 */
bool apic_send(struct lapic *l, unsigned n, const struct apic_msg *m);

/*
 * Decodes an MSI (PCI address and data). False if it is no interrupt: the address is not the APICs'
 * 0xFEExxxxx, the mode is reserved, or it ends a level.
 */
bool apic_msg_from_msi(u64 address, u32 data, struct apic_msg *m);

#endif
