/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 16550 driver. Registers as in the data sheet PC16550D, "Registers".
 *
 *   writer --> tx ring --> FIFO of 16 --> line        line --> FIFO --> rx ring --> reader
 *                  (THRE interrupt, or polling)             (RX interrupt)
 *
 * A port's lock is held for a copy or a FIFO's filling and never while anybody waits for the line,
 * since the CPU that takes the interrupt waits for the lock. Who finds the ring full takes a turn
 * and polls, the lock free between two polls; those who come later wait for their turns, so that
 * what one call writes stays together.
 *
 * A full rx ring turns the receive interrupt off: bytes wait in the FIFO, where the sender sees
 * them not taken, and the next read turns it on again.
 */
#include "hv/drv/uart.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/irq.h"
#include "hv/ctl/log.h"
#include "hv/lib/spinlock.h"

#define REG_DATA    0
#define REG_IER	    1
#define REG_IIR	    2
#define REG_FCR	    2
#define REG_LCR	    3
#define REG_MCR	    4
#define REG_LSR	    5
#define REG_MSR	    6
#define REG_SCRATCH 7

#define IER_RDI	  0x01
#define IER_THRI  0x02
#define IIR_NONE  0x01
#define IIR_CAUSE 0x0e
#define IIR_THRE  0x02
#define IIR_LINE  0x06
#define IIR_RX	  0x04
#define IIR_RX_TO 0x0c
#define FCR_SETUP 0x07 /* FIFOs on and cleared, receive interrupt at 1 byte */
#define LCR_8N1	  0x03
#define LCR_DLAB  0x80
#define MCR_SETUP 0x0b /* DTR, RTS, OUT2 (lets interrupts through) */
#define LSR_DR	  0x01
#define LSR_THRE  0x20
#define LSR_TEMT  0x40

#define FIFO_SIZE      16
#define DIVISOR_115200 1
#define SCRATCH_PROBE  0x5a
#define POLL_LIMIT     (1u << 24) /* more polls than any byte takes */
#define IRQ_ROUNDS     64

#define TX_CONSOLE (64 * KB)
#define TX_LOG	   (32 * KB) /* several VMs' last words */
#define TX_DEBUG   (4 * KB)
#define RX_SIZE	   (1 * KB)

struct uart {
	u16 base;
	u8 isa_irq;
	bool present, irq, rx_blocked;
	struct spinlock turn; /* before lock: of those who write more than there is room for */
	struct spinlock lock;
	u8 *tx;
	size_t tx_size, tx_head, tx_tail; /* free-running; head - tail bytes wait; size is 2^n */
	u8 rx[RX_SIZE];
	size_t rx_head, rx_tail;
	unsigned stop; /* the byte that readers do not get past, or UART_NO_STOP */
	void (*input)(void *ctx);
	void *input_ctx;
	struct uart *partner; /* on its interrupt line; or NULL */
};

static u8 tx_com1[TX_CONSOLE], tx_com2[TX_LOG], tx_com3[TX_DEBUG];
static struct uart ports[] = {
	{ .base = 0x3f8,
		.isa_irq = 4,
		.tx = tx_com1,
		.tx_size = sizeof(tx_com1),
		.stop = UART_NO_STOP },
	{ .base = 0x2f8,
		.isa_irq = 3,
		.tx = tx_com2,
		.tx_size = sizeof(tx_com2),
		.stop = UART_NO_STOP },
	{ .base = 0x3e8,
		.isa_irq = 4,
		.tx = tx_com3,
		.tx_size = sizeof(tx_com3),
		.stop = UART_NO_STOP },
};
static bool emergency;

static u8 reg_read(const struct uart *u, u16 reg)
{
	return inb((u16)(u->base + reg));
}

static void reg_write(const struct uart *u, u16 reg, u8 value)
{
	outb((u16)(u->base + reg), value);
}

static void lock(struct uart *u)
{
	if (!emergency)
		spin_lock(&u->lock);
}

static void unlock(struct uart *u)
{
	if (!emergency)
		spin_unlock(&u->lock);
}

struct uart *uart_open(unsigned com)
{
	struct uart *u = &ports[com];

	reg_write(u, REG_SCRATCH, SCRATCH_PROBE);
	if (reg_read(u, REG_SCRATCH) != SCRATCH_PROBE)
		return NULL;
	u->present = true;
	reg_write(u, REG_IER, 0);
	reg_write(u, REG_LCR, LCR_DLAB | LCR_8N1);
	reg_write(u, REG_DATA, DIVISOR_115200);
	reg_write(u, REG_IER, 0); /* divisor, high byte */
	reg_write(u, REG_LCR, LCR_8N1);
	reg_write(u, REG_FCR, FCR_SETUP);
	reg_write(u, REG_MCR, MCR_SETUP);
	return u;
}

/* Refills the transmitter's FIFO if it is empty. */
static void tx_fill(struct uart *u)
{
	if (u->tx_head == u->tx_tail || !(reg_read(u, REG_LSR) & LSR_THRE))
		return;
	for (unsigned i = 0; i < FIFO_SIZE && u->tx_head != u->tx_tail; i++)
		reg_write(u, REG_DATA, u->tx[u->tx_tail++ & (u->tx_size - 1)]);
}

/* As much as there is room for; how much that is. */
static size_t tx_put(struct uart *u, const u8 *buf, size_t len)
{
	size_t n = MIN(len, u->tx_size - (u->tx_head - u->tx_tail));

	for (size_t i = 0; i < n; i++)
		u->tx[u->tx_head++ & (u->tx_size - 1)] = buf[i];
	return n;
}

/* All of buf is put, and goes out by polling until it is, or, if drain, until the ring is empty. A
 * port that never gets ready loses what it has. */
static void tx_poll(struct uart *u, const u8 *buf, size_t len, bool drain)
{
	size_t tail = 0;
	bool done = false;

	for (unsigned polls = 0; !done; polls++) {
		size_t n;

		lock(u);
		n = tx_put(u, buf, len);
		tx_fill(u);
		if (u->tx_tail != tail)
			polls = 0;
		if (polls >= POLL_LIMIT)
			u->tx_tail = u->tx_head;
		tail = u->tx_tail;
		buf += n;
		len -= n;
		done = !len && (!drain || u->tx_head == tail);
		unlock(u);
		cpu_relax();
	}
}

static void write_in_turn(struct uart *u, const u8 *buf, size_t len, bool drain)
{
	if (!emergency)
		spin_lock(&u->turn);
	tx_poll(u, buf, len, drain);
	if (!emergency)
		spin_unlock(&u->turn);
}

/* By interrupt, if all of it fits and nobody waits. */
static bool tx_queue(struct uart *u, const u8 *buf, size_t len)
{
	bool fits;

	lock(u);
	fits = len <= u->tx_size - (u->tx_head - u->tx_tail) && !spin_is_locked(&u->turn);
	if (fits) {
		tx_put(u, buf, len);
		tx_fill(u);
	}
	unlock(u);
	return fits;
}

void uart_write(struct uart *u, const u8 *buf, size_t len, bool now)
{
	bool poll = now || !u->irq || emergency;

	if (poll || !tx_queue(u, buf, len))
		write_in_turn(u, buf, len, poll);
}

static void ier_update(struct uart *u)
{
	reg_write(u, REG_IER, u->irq ? (u8)(IER_THRI | (u->rx_blocked ? 0 : IER_RDI)) : 0);
}

static void rx_drain(struct uart *u)
{
	while (u->rx_head - u->rx_tail < RX_SIZE && (reg_read(u, REG_LSR) & LSR_DR))
		u->rx[u->rx_head++ & (RX_SIZE - 1)] = reg_read(u, REG_DATA);
	if (u->rx_head - u->rx_tail == RX_SIZE) {
		u->rx_blocked = true;
		ier_update(u);
	}
}

/* Deals with all that one port has; true: there was something. Whether the transmitter is empty LSR
 * says: with some chips (and in Bochs) a read of IIR that names another cause has THRE forgotten.
 */
static bool serve(struct uart *u)
{
	bool received = false, any = false;

	lock(u);
	for (unsigned i = 0; i < IRQ_ROUNDS; i++) {
		u8 iir = reg_read(u, REG_IIR);

		if (iir & IIR_NONE)
			break;
		any = true;
		switch (iir & IIR_CAUSE) {
		case IIR_RX:
		case IIR_RX_TO:
			rx_drain(u);
			received = true;
			break;
		case IIR_THRE: break;
		case IIR_LINE: reg_read(u, REG_LSR); break;
		default: reg_read(u, REG_MSR); break;
		}
	}
	tx_fill(u);
	unlock(u);
	if (received && u->input)
		u->input(u->input_ctx);
	return any;
}

/* Two that share a line: an edge is seen on it only when neither has anything. */
static void uart_irq(void *ctx)
{
	struct uart *u = ctx;
	bool any = serve(u);

	if (!u->partner)
		return;
	for (unsigned round = 0; round < IRQ_ROUNDS && (serve(u->partner) || any); round++)
		any = serve(u);
}

/* COM1 and COM3 have the same line. */
static void find_partner(struct uart *u)
{
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		if (&ports[i] != u && ports[i].irq && ports[i].isa_irq == u->isa_irq) {
			u->partner = &ports[i];
			ports[i].partner = u;
		}
}

static void use_irq(struct uart *u)
{
	if (irq_register_isa(u->isa_irq, uart_irq, u) != OK) {
		log_warn("serial port %x: no interrupt line, polled; it takes no input", u->base);
		return;
	}
	find_partner(u);
	lock(u);
	u->irq = true;
	ier_update(u);
	unlock(u);
}

void uart_use_irq_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		if (ports[i].present)
			use_irq(&ports[i]);
}

/* Bytes were taken: there is room again. */
static void rx_unblock(struct uart *u)
{
	if (u->rx_blocked) {
		u->rx_blocked = false;
		ier_update(u);
	}
}

size_t uart_read(struct uart *u, u8 *buf, size_t len)
{
	size_t n = 0;

	lock(u);
	while (n < len && u->rx_head != u->rx_tail) {
		u8 byte = u->rx[u->rx_tail & (RX_SIZE - 1)];

		if (byte == u->stop)
			break;
		buf[n++] = byte;
		u->rx_tail++;
	}
	if (n)
		rx_unblock(u);
	unlock(u);
	return n;
}

void uart_stop_at(struct uart *u, unsigned byte)
{
	lock(u);
	u->stop = byte;
	unlock(u);
}

bool uart_take_stop(struct uart *u)
{
	bool found = false;
	size_t at;

	lock(u);
	for (at = u->rx_tail; at != u->rx_head && !found; at++)
		found = u->rx[at & (RX_SIZE - 1)] == u->stop;
	if (found) {
		u->rx_tail = at;
		rx_unblock(u);
	}
	unlock(u);
	return found;
}

void uart_on_input(struct uart *u, void (*fn)(void *ctx), void *ctx)
{
	lock(u);
	u->input_ctx = ctx;
	u->input = fn;
	unlock(u);
}

void uart_flush_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		struct uart *u = &ports[i];

		if (!u->present)
			continue;
		uart_write(u, u->tx, 0, true);
		lock(u);
		for (unsigned n = 0; n < POLL_LIMIT && !(reg_read(u, REG_LSR) & LSR_TEMT); n++)
			cpu_relax();
		unlock(u);
	}
}

void uart_emergency(void)
{
	emergency = true;
}
