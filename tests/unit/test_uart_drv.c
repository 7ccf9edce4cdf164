/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of the machine's serial ports: by interrupt nobody waits while there is room; whoever
 * must wait leaves the port free for the interrupt's handler; nothing is lost, torn or reordered,
 * whoever writes, from however many processors, and at the end everything is out.
 *
 * The machine is a 16550 whose line takes a byte when the test says so, and a handler that is
 * called when a processor would take the interrupt. The instructions that would reach it are
 * functions here, so the driver is compiled into this file in place of hv/cpu/cpu.h.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hv/lib/util.h"

/* More processors than the host may have: who waits lets others run. */
#define __builtin_ia32_pause sched_yield
#define HV_CPU_CPU_H
static u8 inb(u16 port);
static void outb(u16 port, u8 value);
static void cpu_relax(void);
#include "hv/drv/uart.c"

#define COM2	 1
#define BASE	 0x2f8
#define OUT_MAX	 (256 * KB)
#define HANG_S	 60
#define CPUS	 4
#define LINES	 400
#define LINE_LEN 200

static struct {
	pthread_mutex_t lock;
	u8 ier, scratch, fifo[FIFO_SIZE];
	unsigned waiting;      /* bytes in the FIFO */
	unsigned received;     /* bytes in the other */
	bool thre;	       /* the interrupt "FIFO is empty" has not been read from IIR */
	bool polls_move;       /* the line takes all at each poll of LSR */
	bool dead;	       /* the line takes nothing, ever */
	bool relax_interrupts; /* a processor takes the interrupt while another waits */
	unsigned polls, relaxes;
	u8 out[OUT_MAX];
	size_t out_len;
} chip;

static u32 writers; /* threads that write */
static irq_fn handler;
static void *handler_ctx;
static bool has_line;

enum status irq_register_isa(unsigned irq, irq_fn fn, void *ctx)
{
	assert_int_equal(irq, 3);
	handler = fn;
	handler_ctx = ctx;
	return has_line ? OK : ERR_NOENT;
}

/* What is in the FIFO leaves on the line. */
static void line_moves(void)
{
	if (chip.dead || !chip.waiting)
		return;
	assert_true(chip.out_len + chip.waiting <= OUT_MAX);
	memcpy(chip.out + chip.out_len, chip.fifo, chip.waiting);
	chip.out_len += chip.waiting;
	chip.waiting = 0;
	chip.thre = true;
}

/* As Bochs and more than one chip have it: a pending THRE is gone with any read of IIR, also if the
 * cause that it names is another one. */
static u8 read_iir(void)
{
	if (chip.received && (chip.ier & IER_RDI)) {
		chip.thre = false;
		return IIR_RX;
	}
	if (!chip.thre || !(chip.ier & IER_THRI))
		return IIR_NONE;
	chip.thre = false;
	return IIR_THRE;
}

static u8 read_reg(u16 reg)
{
	switch (reg) {
	case REG_IIR: return read_iir();
	case REG_SCRATCH: return chip.scratch;
	case REG_LSR:
		chip.polls++;
		if (chip.polls_move)
			line_moves();
		return (chip.waiting ? 0 : LSR_THRE | LSR_TEMT) | (chip.received ? LSR_DR : 0);
	case REG_DATA:
		if (chip.received)
			chip.received--;
		return 'r';
	default: return 0;
	}
}

static u8 inb(u16 port)
{
	u8 value;

	if (port < BASE || port > BASE + REG_SCRATCH)
		return 0xff; /* no other port is there */
	pthread_mutex_lock(&chip.lock);
	value = read_reg(port - BASE);
	pthread_mutex_unlock(&chip.lock);
	return value;
}

static void outb(u16 port, u8 value)
{
	if (port < BASE || port > BASE + REG_SCRATCH)
		return;
	pthread_mutex_lock(&chip.lock);
	if (port == BASE + REG_SCRATCH)
		chip.scratch = value;
	if (port == BASE + REG_IER)
		chip.ier = value;
	if (port == BASE + REG_DATA) {
		assert_true(chip.waiting < FIFO_SIZE);
		chip.fifo[chip.waiting++] = value;
		chip.thre = false;
	}
	pthread_mutex_unlock(&chip.lock);
}

static void interrupt(void)
{
	pthread_mutex_lock(&chip.lock);
	line_moves();
	pthread_mutex_unlock(&chip.lock);
	handler(handler_ctx);
}

/* Who waits says so by PAUSE, with nothing locked: then the handler can run to its end. */
static void cpu_relax(void)
{
	__atomic_fetch_add(&chip.relaxes, 1, __ATOMIC_RELAXED);
	if (chip.relax_interrupts)
		interrupt();
	if (__atomic_load_n(&writers, __ATOMIC_RELAXED))
		sched_yield();
}

static struct uart *start(bool by_irq)
{
	struct uart *u;

	memset(&chip, 0, sizeof(chip));
	pthread_mutex_init(&chip.lock, NULL);
	emergency = false;
	memset(&ports[COM2].turn, 0, sizeof(ports[COM2].turn));
	memset(&ports[COM2].lock, 0, sizeof(ports[COM2].lock));
	ports[COM2].tx_head = ports[COM2].tx_tail = 0;
	ports[COM2].irq = false;
	assert_null(uart_open(0));
	u = uart_open(COM2);
	assert_non_null(u);
	has_line = by_irq;
	uart_use_irq_all();
	chip.out_len = chip.waiting = 0; /* the divisor was no output */
	alarm(HANG_S);
	return u;
}

static void fill(u8 *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (u8)(i * 7 + (i >> 8));
}

static size_t left(const struct uart *u)
{
	return u->tx_head - u->tx_tail;
}

/* By interrupt the writer starts the transmitter and goes. */
static void test_by_interrupt(void **state)
{
	struct uart *u = start(true);
	u8 text[1000];

	(void)state;
	fill(text, sizeof(text));
	uart_write(u, text, sizeof(text), false);
	assert_int_equal(chip.out_len, 0);
	assert_int_equal(chip.waiting, FIFO_SIZE);
	assert_int_equal(chip.relaxes, 0);
	assert_int_equal(chip.polls, 1);
	for (size_t n = FIFO_SIZE; n < sizeof(text); n += FIFO_SIZE) {
		interrupt();
		assert_int_equal(chip.out_len, n);
	}
	interrupt();
	assert_int_equal(chip.out_len, sizeof(text));
	assert_memory_equal(chip.out, text, sizeof(text));
}

/* A byte comes in as the FIFO runs empty: what waits goes out all the same. */
static void test_input_at_the_same_time(void **state)
{
	struct uart *u = start(true);
	u8 text[4 * FIFO_SIZE], typed[2 * FIFO_SIZE];

	(void)state;
	fill(text, sizeof(text));
	uart_write(u, text, sizeof(text), false);
	for (size_t n = FIFO_SIZE; n <= sizeof(text); n += FIFO_SIZE) {
		chip.received = 3;
		interrupt();
		assert_int_equal(chip.received, 0);
		assert_int_equal(chip.out_len, n);
		assert_int_equal(chip.waiting, n < sizeof(text) ? FIFO_SIZE : 0);
	}
	assert_memory_equal(chip.out, text, sizeof(text));
	assert_int_equal(uart_read(u, typed, sizeof(typed)), 4 * 3);
}

/* As long as the ring has room, be it to the last byte, nobody waits. */
static void test_room_to_the_last_byte(void **state)
{
	static u8 text[TX_LOG];
	struct uart *u = start(true);

	(void)state;
	fill(text, sizeof(text));
	uart_write(u, text, 1, false);
	interrupt(); /* the ring's end is in its middle */
	uart_write(u, text, FIFO_SIZE, false);
	uart_write(u, text, sizeof(text), false);
	assert_int_equal(left(u), TX_LOG);
	assert_int_equal(chip.relaxes, 0);
	while (left(u))
		interrupt();
	interrupt();
	assert_int_equal(chip.out_len, 1 + FIFO_SIZE + sizeof(text));
	assert_memory_equal(chip.out + 1 + FIFO_SIZE, text, sizeof(text));
}

/* The ring is full, and polling moves nothing: what makes room is the handler, on another
 * processor, while the writer waits. */
static void test_waits_with_nothing_locked(void **state)
{
	static u8 text[3 * TX_LOG];
	struct uart *u = start(true);

	(void)state;
	fill(text, sizeof(text));
	chip.relax_interrupts = true;
	uart_write(u, text, sizeof(text), false);
	assert_true(left(u) > 0); /* it does not wait for longer than it must */
	chip.relaxes = 0;
	uart_write(u, text, 1, true);
	assert_true(chip.relaxes > 0);
	assert_int_equal(left(u), 0);
	interrupt();
	assert_int_equal(chip.out_len, sizeof(text) + 1);
	assert_memory_equal(chip.out, text, sizeof(text));
}

/* No interrupt comes: the processor that would take it is the one that waits. */
static void test_full_ring_is_polled(void **state)
{
	static u8 text[3 * TX_LOG];
	struct uart *u = start(true);

	(void)state;
	fill(text, sizeof(text));
	chip.polls_move = true;
	uart_write(u, text, sizeof(text), false);
	assert_true(left(u) > 0);
	uart_flush_all();
	assert_int_equal(chip.out_len, sizeof(text));
	assert_memory_equal(chip.out, text, sizeof(text));
}

/* Before there are interrupts, and on a port that has no line, each line is out at once. */
static void test_without_interrupts(void **state)
{
	struct uart *u = start(false);
	u8 text[100];

	(void)state;
	fill(text, sizeof(text));
	assert_false(u->irq);
	chip.polls_move = true;
	uart_write(u, text, sizeof(text), false);
	assert_int_equal(left(u), 0);
	uart_flush_all();
	assert_int_equal(chip.out_len, sizeof(text));
	assert_memory_equal(chip.out, text, sizeof(text));
}

/* In a panic, what others had written comes first, then what is written now, though a stopped
 * processor has both locks. */
static void test_emergency(void **state)
{
	struct uart *u = start(true);
	u8 text[300];

	(void)state;
	fill(text, sizeof(text));
	uart_write(u, text, 200, false);
	spin_lock(&u->turn);
	spin_lock(&u->lock);
	uart_emergency();
	chip.polls_move = true;
	uart_write(u, text + 200, 100, false);
	assert_int_equal(left(u), 0);
	uart_flush_all();
	assert_int_equal(chip.out_len, sizeof(text));
	assert_memory_equal(chip.out, text, sizeof(text));
}

/* A port whose line is dead keeps nobody for ever. */
static void test_dead_line(void **state)
{
	static u8 text[TX_LOG + 100];
	struct uart *u = start(true);

	(void)state;
	chip.dead = true;
	uart_write(u, text, sizeof(text), false);
	uart_flush_all();
	assert_int_equal(left(u), 0);
	assert_int_equal(chip.out_len, 0);
}

/* ---- several processors ---- */

/* Of each length from some bytes to more than the ring takes at a time. */
static void make_line(char *line, size_t size, unsigned cpu, unsigned n)
{
	size_t len = n % 100 == 99 ? size - 1 : 20 + (n * 37 + cpu) % (LINE_LEN - 20);

	memset(line, 'a' + (int)(n % 26), len);
	snprintf(line, size, "<%u:%u", cpu, n);
	line[strlen(line)] = '.';
	line[len - 1] = '\n';
	line[len] = '\0';
}

static void *write_lines(void *arg)
{
	unsigned cpu = (unsigned)(size_t)arg;
	char line[5000];

	for (unsigned n = 0; n < LINES; n++) {
		make_line(line, sizeof(line), cpu, n);
		uart_write(&ports[COM2], (const u8 *)line, strlen(line), n % 50 == 0);
	}
	__atomic_fetch_sub(&writers, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Each line is whole, and those of each processor are in their order. */
static void check_lines(void)
{
	unsigned next[CPUS] = { 0 }, cpu;
	char line[5000];

	for (size_t at = 0; at < chip.out_len; at += strlen(line)) {
		assert_int_equal(sscanf((char *)chip.out + at, "<%u:", &cpu), 1);
		assert_in_range(cpu, 0, CPUS - 1);
		make_line(line, sizeof(line), cpu, next[cpu]++);
		assert_true(at + strlen(line) <= chip.out_len);
		assert_memory_equal(chip.out + at, line, strlen(line));
	}
	for (cpu = 0; cpu < CPUS; cpu++)
		assert_int_equal(next[cpu], LINES);
}

static void test_processors_at_a_time(void **state)
{
	pthread_t thread[CPUS];
	struct uart *u = start(true);

	(void)state;
	writers = CPUS;
	for (size_t i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_lines, (void *)i), 0);
	while (__atomic_load_n(&writers, __ATOMIC_ACQUIRE) || left(u))
		interrupt();
	interrupt();
	for (size_t i = 0; i < CPUS; i++)
		pthread_join(thread[i], NULL);
	check_lines();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_interrupt),
		cmocka_unit_test(test_input_at_the_same_time),
		cmocka_unit_test(test_room_to_the_last_byte),
		cmocka_unit_test(test_waits_with_nothing_locked),
		cmocka_unit_test(test_full_ring_is_polled),
		cmocka_unit_test(test_without_interrupts),
		cmocka_unit_test(test_emergency),
		cmocka_unit_test(test_dead_line),
		cmocka_unit_test(test_processors_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
