/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A UART: registers on one side, a byte pipe on the other.
 *
 * The interrupt identification register is computed, never stored: four sources in order of
 * priority, each with its own condition and its own acknowledgement.
 */
#include "hv/dev/uart.h"

#include "hv/lib/string.h"

/* Register offsets (PC16550D, table II) */
enum {
	REG_DATA = 0, /* RBR, THR; DLL when LCR.DLAB */
	REG_IER = 1,  /* DLM when LCR.DLAB */
	REG_IIR = 2,  /* FCR when written */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
};

#define IER_RDA	 BIT(0)
#define IER_THRE BIT(1)
#define IER_RLS	 BIT(2)
#define IER_MS	 BIT(3)
#define IER_MASK 0x0fu

#define IIR_MS	    0x00u
#define IIR_NONE    0x01u
#define IIR_THRE    0x02u
#define IIR_RDA	    0x04u
#define IIR_RLS	    0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFO    0xc0u

#define FCR_ENABLE	  BIT(0)
#define FCR_CLEAR_RX	  BIT(1)
#define FCR_TRIGGER_SHIFT 6
#define FCR_TRIGGER	  (3u << FCR_TRIGGER_SHIFT)

#define LCR_DLAB BIT(7)

#define MCR_DTR	 BIT(0)
#define MCR_RTS	 BIT(1)
#define MCR_OUT1 BIT(2)
#define MCR_OUT2 BIT(3)
#define MCR_LOOP BIT(4)
#define MCR_MASK 0x1fu

#define LSR_DR	 BIT(0)
#define LSR_OE	 BIT(1)
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)

#define MSR_DELTA_MASK	0x0fu
#define MSR_TERI	BIT(2) /* ring indicator: its trailing edge only */
#define MSR_CTS		BIT(4)
#define MSR_DSR		BIT(5)
#define MSR_RI		BIT(6)
#define MSR_DCD		BIT(7)
#define MSR_LINES	0xf0u
#define MSR_DELTA_SHIFT 4

#define CLOCK_HZ       1843200u /* the PC's crystal */
#define CLOCKS_PER_BIT 16u
#define BITS_PER_CHAR  10u /* 8N1 */
#define TIMEOUT_CHARS  4u

static const u8 trigger_level[] = { 1, 4, 8, 14 };

static bool fifo_on(const struct uart *u)
{
	return u->fcr & FCR_ENABLE;
}

static unsigned rx_capacity(const struct uart *u)
{
	return fifo_on(u) ? UART_FIFO : 1;
}

static unsigned rx_trigger(const struct uart *u)
{
	return fifo_on(u) ? trigger_level[u->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The highest-priority interrupt pending and enabled, as IIR shows it. */
static u8 interrupt_id(const struct uart *u)
{
	if ((u->ier & IER_RLS) && u->lsr_errors)
		return IIR_RLS;
	if ((u->ier & IER_RDA) && u->rx_count >= rx_trigger(u))
		return IIR_RDA;
	if ((u->ier & IER_RDA) && u->timeout_pending)
		return IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & IER_MS) && u->msr_delta)
		return IIR_MS;
	return IIR_NONE;
}

/* On a PC, OUT2 gates the interrupt; in loopback the pin is held inactive. */
static void update_irq(struct uart *u)
{
	bool gate = (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

	wire_set(&u->irq, gate && interrupt_id(u) != IIR_NONE);
}

/* Four character times after the last arrival or read with characters left: the timeout. */
static void restart_timeout(struct uart *u)
{
	u64 divisor = MAX(1u, (unsigned)u->dlm << BITS_PER_BYTE | u->dll);
	u64 clocks = divisor * CLOCKS_PER_BIT * BITS_PER_CHAR * TIMEOUT_CHARS;

	u->timeout_pending = false;
	if (fifo_on(u) && u->rx_count)
		timer_arm(u->tq, &u->rx_timeout,
			timerq_now(u->tq) + muldiv64(clocks, u->tq->hz, CLOCK_HZ));
	else
		timer_cancel(u->tq, &u->rx_timeout);
}

static void rx_timeout(struct timer *t)
{
	struct uart *u = container_of(t, struct uart, rx_timeout);

	u->timeout_pending = u->rx_count != 0;
	update_irq(u);
}

static void rx_clear(struct uart *u)
{
	u->rx_head = 0;
	u->rx_count = 0;
	restart_timeout(u);
}

/* A character too many: the FIFO keeps what it has, the holding register is overwritten. */
static void rx_put(struct uart *u, u8 byte)
{
	if (u->rx_count < rx_capacity(u))
		u->rx[(u->rx_head + u->rx_count++) % UART_FIFO] = byte;
	else {
		u->lsr_errors |= (u8)LSR_OE;
		if (!fifo_on(u))
			u->rx[u->rx_head] = byte;
	}
}

static u8 rx_get(struct uart *u)
{
	u8 byte = u->rx[u->rx_head]; /* reading an empty receiver yields something stale */

	if (!u->rx_count)
		return byte;
	u->rx_count--;
	if (u->rx_count || fifo_on(u))
		u->rx_head = (u->rx_head + 1) % UART_FIFO;
	restart_timeout(u);
	update_irq(u);
	return byte;
}

/* The modem lines: a willing partner, or, in loopback, our own outputs. */
static u8 modem_lines(u8 mcr)
{
	unsigned lines = 0;

	if (!(mcr & MCR_LOOP))
		return (u8)(MSR_DCD | MSR_DSR | MSR_CTS);
	if (mcr & MCR_RTS)
		lines |= MSR_CTS;
	if (mcr & MCR_DTR)
		lines |= MSR_DSR;
	if (mcr & MCR_OUT1)
		lines |= MSR_RI;
	if (mcr & MCR_OUT2)
		lines |= MSR_DCD;
	return (u8)lines;
}

/* Writing THR drops the interrupt; the empty transmitter raises it again: a new edge. */
static void transmit(struct uart *u, u8 byte)
{
	if (u->ier & IER_THRE) {
		u->thre_pending = false;
		update_irq(u);
	}
	if (unlikely(u->mcr & MCR_LOOP)) {
		rx_put(u, byte);
		restart_timeout(u);
	} else {
		u->out(u->out_ctx, &byte, sizeof(byte));
	}
	u->thre_pending = true;
	if (u->ier)
		update_irq(u);
}

static void write_ier(struct uart *u, u8 value)
{
	/* The transmitter is empty: enabling its interrupt raises it. */
	if (value & ~u->ier & IER_THRE)
		u->thre_pending = true;
	u->ier = (u8)(value & IER_MASK);
	update_irq(u);
}

static void write_fcr(struct uart *u, u8 value)
{
	bool toggled = (value ^ u->fcr) & FCR_ENABLE;

	u->fcr = value & FCR_ENABLE ? (u8)(value & (FCR_ENABLE | FCR_TRIGGER)) : 0;
	if (toggled || (value & (FCR_ENABLE | FCR_CLEAR_RX)) == (FCR_ENABLE | FCR_CLEAR_RX))
		rx_clear(u);
	update_irq(u);
}

static void write_mcr(struct uart *u, u8 value)
{
	u8 before = modem_lines(u->mcr), after, changed;

	u->mcr = (u8)(value & MCR_MASK);
	after = modem_lines(u->mcr);
	changed = (u8)((before ^ after) >> MSR_DELTA_SHIFT);
	if (!(before & ~after & MSR_RI))
		changed &= (u8)~MSR_TERI;
	u->msr_delta |= changed;
	update_irq(u);
}

static void put(void *dev, u64 offset, u8 value)
{
	struct uart *u = dev;

	switch (offset) {
	case REG_DATA:
		if (u->lcr & LCR_DLAB)
			u->dll = value;
		else
			transmit(u, value);
		break;
	case REG_IER:
		if (u->lcr & LCR_DLAB)
			u->dlm = value;
		else
			write_ier(u, value);
		break;
	case REG_IIR: write_fcr(u, value); break;
	case REG_LCR: u->lcr = value; break;
	case REG_MCR: write_mcr(u, value); break;
	case REG_SCR: u->scr = value; break;
	default: break; /* LSR and MSR: for factory tests only */
	}
}

static u8 read_iir(struct uart *u)
{
	u8 id = interrupt_id(u);

	if (id == IIR_THRE) { /* reading it is the acknowledgement */
		u->thre_pending = false;
		update_irq(u);
	}
	return (u8)(id | (fifo_on(u) ? IIR_FIFO : 0));
}

static u8 read_lsr(struct uart *u)
{
	u8 value = (u8)(LSR_THRE | LSR_TEMT | u->lsr_errors | (u->rx_count ? LSR_DR : 0));

	if (unlikely(u->lsr_errors)) {
		u->lsr_errors = 0;
		update_irq(u);
	}
	return value;
}

static u8 read_msr(struct uart *u)
{
	u8 value = modem_lines(u->mcr) | u->msr_delta;

	u->msr_delta = 0;
	update_irq(u);
	return value;
}

static u8 get(void *dev, u64 offset)
{
	struct uart *u = dev;

	switch (offset) {
	case REG_DATA: return u->lcr & LCR_DLAB ? u->dll : rx_get(u);
	case REG_IER: return u->lcr & LCR_DLAB ? u->dlm : u->ier;
	case REG_IIR: return read_iir(u);
	case REG_LCR: return u->lcr;
	case REG_MCR: return u->mcr;
	case REG_LSR: return read_lsr(u);
	case REG_MSR: return read_msr(u);
	default: return u->scr;
	}
}

BYTEWISE_OPS(uart_io, get, put);

size_t uart_receive(struct uart *u, const u8 *buf, size_t len)
{
	size_t taken = 0;

	if (u->mcr & MCR_LOOP) /* the line is cut off from the receiver */
		return 0;
	while (taken < len && u->rx_count < rx_capacity(u))
		rx_put(u, buf[taken++]);
	if (taken) {
		restart_timeout(u);
		update_irq(u);
	}
	return taken;
}

void uart_reset(struct uart *u)
{
	u->ier = u->lcr = u->mcr = u->scr = u->fcr = 0;
	u->lsr_errors = u->msr_delta = 0;
	u->dll = 1; /* as firmware leaves it: 115200 baud */
	u->dlm = 0;
	u->thre_pending = false;
	memset(u->rx, 0, sizeof(u->rx));
	rx_clear(u);
	update_irq(u);
}

void uart_init(struct uart *u, struct timerq *tq, const struct wire *irq,
	void (*out)(void *ctx, const u8 *buf, size_t len), void *out_ctx)
{
	memset(u, 0, sizeof(*u));
	u->tq = tq;
	u->irq = *irq;
	u->out = out;
	u->out_ctx = out_ctx;
	timer_init(&u->rx_timeout, rx_timeout);
	uart_reset(u);
}

void uart_destroy(struct uart *u)
{
	timer_cancel(u->tq, &u->rx_timeout);
}
