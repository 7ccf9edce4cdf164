/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-console: output of every length and shape, in slices; input into the buffers that there
 * are; several ports, the size of the terminal; what a driver should not do.
 *
 * Sources: virtio/console.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/cpu/timer.c hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/dev/pci.c hv/dev/msix.c
 * hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/clock.h"
#include "tests/unit/destroy.h"
#include "tests/unit/virtio_bus.h"

#include <stdio.h>

#include <linux/virtio_console.h>

#include "virtio/console.h"

#define SIZE	 16
#define DATA	 0x50000ul
#define HZ	 1000000000ul
#define RECEIVE	 0
#define TRANSMIT 1

static struct {
	struct virtio_console *c;
	struct driver d[6];
	struct timerq timers;
	u8 printed[65536];
	size_t count;
	unsigned refills; /* buffers that come back to the ring when they are printed */
} t;

static void print(void *ctx, const u8 *buf, size_t len)
{
	struct buf again = { DATA, 1, false };
	u16 id;
	u32 got;

	assert_ptr_equal(ctx, &t);
	assert_true(t.count + len <= sizeof(t.printed));
	memcpy(t.printed + t.count, buf, len);
	t.count += len;
	if (t.refills && drv_get(&t.d[TRANSMIT], &id, &got)) {
		t.refills--;
		drv_add(&t.d[TRANSMIT], &again, 1);
	}
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	clock_now = 5 * HZ;
	host_pages_begin();
	timerq_init(&t.timers, HZ, now);
	if (guestmem_add(&gm, GPA(0), RAM_SIZE))
		return -1;
	return virtio_console_create(&t.c, "vm", true, &gm, &t.timers,
		       (struct console_size){ 132, 50 }, print, &t) ||
	       bus_with(virtio_console_dev(t.c));
}

static int teardown(void **state)
{
	(void)state;
	virtio_console_destroy(t.c);
	guestmem_destroy(&gm);
	return t.timers.next != TIMER_NEVER || !host_pages_are_back() ? -1 : 0;
}

static void start(void)
{
	negotiate(offered() & ~BIT(VIRTIO_CONSOLE_F_MULTIPORT));
	start_queues(t.d, 2, SIZE, true);
}

static void text(u64 at, u32 len)
{
	for (u32 i = 0; i < len; i++)
		*(u8 *)ram(at + i) = (u8)(at + i * 7 + i / 256);
}

static u16 add(u16 queue, u64 at, u32 len, bool write)
{
	struct buf b = { at, len, write };
	u16 id = drv_add(&t.d[queue], &b, 1);

	kick(queue);
	return id;
}

static void expect_waiting(u16 queue)
{
	u16 id;
	u32 len;

	assert_false(drv_get(&t.d[queue], &id, &len));
}

static void output(void **state)
{
	static const u32 lengths[] = { 1, 255, 256, 257, 4000 };

	(void)state;
	start();
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		text(DATA, lengths[i]);
		t.count = 0;
		drv_expect(&t.d[TRANSMIT], add(TRANSMIT, DATA, lengths[i], false), 0);
		assert_int_equal(t.count, lengths[i]);
		assert_memory_equal(t.printed, ram(DATA), lengths[i]);
	}
}

static void output_in_pieces(void **state)
{
	struct buf b[] = { { DATA, 3, false }, { DATA + 100, 300, false },
		{ DATA + 1000, 1, false }, { DATA + 2000, 9, true } };
	u16 id;

	(void)state;
	start();
	text(DATA, 2000);
	id = drv_add(&t.d[TRANSMIT], b, 4);
	kick(TRANSMIT);
	drv_expect(&t.d[TRANSMIT], id, 0);
	assert_int_equal(t.count, 304);
	assert_memory_equal(t.printed, ram(DATA), 3);
	assert_memory_equal(t.printed + 3, ram(DATA + 100), 300);
	assert_memory_equal(t.printed + 303, ram(DATA + 1000), 1);
}

static void a_flood_comes_in_slices(void **state)
{
	u16 first, second;

	(void)state;
	start();
	text(DATA, 10000);
	first = add(TRANSMIT, DATA, 9000, false);
	second = add(TRANSMIT, DATA + 9000, 1000, false);
	assert_int_equal(t.count, CONSOLE_SLICE);
	kick(TRANSMIT);
	assert_int_equal(t.count, CONSOLE_SLICE);
	expect_waiting(TRANSMIT);
	for (unsigned i = 2; t.timers.next != TIMER_NEVER; i++) {
		assert_in_range(t.timers.next, clock_now + 1, clock_now + HZ / 100);
		clock_now = t.timers.next;
		timerq_run(&t.timers);
		assert_int_equal(t.count, MIN(10000u, i * CONSOLE_SLICE));
	}
	drv_expect(&t.d[TRANSMIT], first, 0);
	drv_expect(&t.d[TRANSMIT], second, 0);
	assert_memory_equal(t.printed, ram(DATA), 10000);
	/* A reset in the middle: the rest is dropped, and nothing is touched any more. */
	add(TRANSMIT, DATA, 9000, false);
	set_status(0);
	assert_int_equal(t.timers.next, TIMER_NEVER);
	start();
	t.count = 0;
	drv_expect(&t.d[TRANSMIT], add(TRANSMIT, DATA, 5, false), 0);
	assert_int_equal(t.count, 5);
}

/* A driver on several processors fills the ring as fast as it is printed: slices, too. */
static void a_ring_that_is_refilled(void **state)
{
	struct buf b = { DATA, 1, false };

	(void)state;
	start();
	t.refills = 20000;
	for (unsigned i = 0; i < 3; i++)
		drv_add(&t.d[TRANSMIT], &b, 1);
	kick(TRANSMIT);
	for (unsigned i = 1; t.timers.next != TIMER_NEVER; i++) {
		assert_int_equal(t.count, MIN(20003u, i * CONSOLE_SLICE));
		clock_now = t.timers.next;
		timerq_run(&t.timers);
	}
	assert_int_equal(t.count, 20003);
}

static void input(void **state)
{
	u16 id[3];

	(void)state;
	assert_false(virtio_console_ready(t.c));
	assert_int_equal(virtio_console_in(t.c, (const u8 *)"x", 1), 0);
	start();
	assert_true(virtio_console_ready(t.c));
	assert_int_equal(virtio_console_in(t.c, (const u8 *)"x", 1), 0); /* no buffer */
	for (unsigned i = 0; i < 3; i++)
		id[i] = add(RECEIVE, DATA + i * 16, 4, true);
	expect_waiting(RECEIVE);
	assert_false(p.line);
	assert_int_equal(virtio_console_in(t.c, (const u8 *)"abcdef", 6), 6);
	assert_true(p.line);
	drv_expect(&t.d[RECEIVE], id[0], 4);
	drv_expect(&t.d[RECEIVE], id[1], 2);
	assert_memory_equal(ram(DATA), "abcd", 4);
	assert_memory_equal(ram(DATA + 16), "ef\0\0", 4);
	assert_int_equal(virtio_console_in(t.c, (const u8 *)"ghijkl", 6), 4);
	drv_expect(&t.d[RECEIVE], id[2], 4);
	assert_int_equal(t.count, 0);
}

static void emergency_write(void **state)
{
	(void)state;
	assert_true(offered() & BIT(2));
	bus_write(&p.mmio, p.config + 8, 4, '!');
	bus_write(&p.mmio, p.config + 8, 4, '!');
	assert_int_equal(t.count, 2);
	assert_memory_equal(t.printed, "!!", 2);
	assert_int_equal(bus_read(&p.mmio, p.config + 8, 4), 0);
	bus_write(&p.mmio, p.config, 8, ~0ul);
	assert_int_equal(t.count, 2);
}

/* ---- several ports ---- */

#define CONTROL_IN  2
#define CONTROL_OUT 3
#define LOG_IN	    4
#define LOG_OUT	    5

static void start_ports(void)
{
	negotiate(offered());
	start_queues(t.d, 6, SIZE, true);
}

static void say(u32 id, u16 event, u16 value)
{
	struct virtio_console_control m = { id, event, value };

	memcpy(ram(DATA), &m, sizeof(m));
	drv_expect(&t.d[CONTROL_OUT], add(CONTROL_OUT, DATA, sizeof(m), false), 0);
}

/* The device's next message, and what follows it; "": there is none. */
static const char *hear(void)
{
	static char text[64];
	struct virtio_console_control m;
	u16 id;
	u32 len;

	add(CONTROL_IN, DATA + 0x1000, 48, true);
	if (!drv_get(&t.d[CONTROL_IN], &id, &len)) {
		text[0] = '\0';
		return text;
	}
	memcpy(&m, ram(DATA + 0x1000), sizeof(m));
	assert_int_equal(m.value, 1);
	*(u8 *)ram(DATA + 0x1000 + len) = 0;
	if (m.event == VIRTIO_CONSOLE_RESIZE) {
		assert_int_equal(len, 12);
		snprintf(text, sizeof(text), "%u: %u: %ux%u", m.id, m.event,
			*(u16 *)ram(DATA + 0x1008), *(u16 *)ram(DATA + 0x100a));
	} else {
		snprintf(text, sizeof(text), "%u: %u%s%s", m.id, m.event, len > 8 ? ": " : "",
			(char *)ram(DATA + 0x1008));
	}
	return text;
}

static void ports_are_announced(void **state)
{
	(void)state;
	assert_int_equal(bus_read(&p.mmio, p.config + 4, 4), 2);
	start_ports();
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	assert_string_equal(hear(), "0: 1");
	assert_string_equal(hear(), "1: 1");
	assert_string_equal(hear(), "");
}

static void ports_are_described(void **state)
{
	(void)state;
	start_ports();
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_string_equal(hear(), "0: 4"); /* it is a console */
	assert_string_equal(hear(), "0: 6"); /* and open */
	assert_string_equal(hear(), "0: 5: 132x50");
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_string_equal(hear(), "1: 7: " CONSOLE_LOG_PORT);
	assert_string_equal(hear(), "1: 6");
	virtio_console_resize(t.c, (struct console_size){ 80, 24 });
	assert_string_equal(hear(), "0: 5: 80x24");
	/* However often it changes while nobody listens, it is said once. */
	virtio_console_resize(t.c, (struct console_size){ 81, 24 });
	virtio_console_resize(t.c, (struct console_size){ 82, 24 });
	assert_string_equal(hear(), "0: 5: 82x24");
	assert_string_equal(hear(), "");
}

static void messages_that_make_no_sense(void **state)
{
	(void)state;
	start_ports();
	say(2, VIRTIO_CONSOLE_PORT_READY, 1);
	say(~0u, VIRTIO_CONSOLE_PORT_READY, 1);
	say(0, VIRTIO_CONSOLE_PORT_READY, 0);
	say(0, 0xffff, 1);
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 0);
	drv_expect(&t.d[CONTROL_OUT], add(CONTROL_OUT, DATA, 7, false), 0);
	drv_expect(&t.d[CONTROL_OUT], add(CONTROL_OUT, DATA, 8, true), 0);
	assert_string_equal(hear(), "");
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	/* A buffer that holds no message breaks its queue alone. */
	start_ports();
	say(1, VIRTIO_CONSOLE_PORT_READY, 1);
	add(CONTROL_IN, DATA, 9, true);
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	drv_expect(&t.d[TRANSMIT], add(TRANSMIT, DATA, 4, false), 0);
	assert_int_equal(t.count, 4);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
}

/* Lines with the VM's name, without what a terminal would act on, and with an end. */
static void the_log_port(void **state)
{
	char text[] = "one\ntw\x1b[2Jo\n\nthree";

	(void)state;
	start_ports();
	memcpy(ram(DATA), text, sizeof(text) - 1);
	drv_expect(&t.d[LOG_OUT], add(LOG_OUT, DATA, 4, false), 0);
	assert_string_equal(host_last_log, "vm: one");
	drv_expect(&t.d[LOG_OUT], add(LOG_OUT, DATA + 4, sizeof(text) - 5, false), 0);
	assert_string_equal(host_last_log, "vm: tw.[2Jo");
	memset(ram(DATA), 'x', 200);
	drv_expect(&t.d[LOG_OUT], add(LOG_OUT, DATA, 200, false), 0);
	assert_int_equal(strlen(host_last_log), 4 + CONSOLE_LINE_MAX);
	assert_memory_equal(host_last_log, "vm: threexxx", 12);
	assert_int_equal(t.count, 0);
	/* A flood comes in slices here, too. */
	add(LOG_OUT, 0x200000, 100000, false);
	expect_waiting(LOG_OUT);
	set_status(0);
	assert_int_equal(t.timers.next, TIMER_NEVER);
}

/* A driver that knows of one port finds the size in the configuration. */
static void the_size_for_one_port(void **state)
{
	(void)state;
	start();
	assert_int_equal(bus_read(&p.mmio, p.config, 4), 132 | 50 << 16);
	bus_read(&p.mmio, p.isr, 1);
	virtio_console_resize(t.c, (struct console_size){ 80, 24 });
	assert_int_equal(bus_read(&p.mmio, p.config, 4), 80 | 24 << 16);
	assert_int_equal(bus_read(&p.mmio, p.isr, 1), 2);
}

/* 37 */
static void buffers_that_make_no_sense(void **state)
{
	(void)state;
	start();
	add(RECEIVE, DATA, 4, false);
	assert_int_equal(virtio_console_in(t.c, (const u8 *)"abc", 3), 0);
	assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_false(virtio_console_ready(t.c));
	expect_waiting(RECEIVE);
	drv_expect(&t.d[TRANSMIT], add(TRANSMIT, DATA, 4, false), 0); /* the other queue goes on */
	drv_expect(&t.d[TRANSMIT], add(TRANSMIT, DATA, 4, true), 0);  /* nothing to print */
	assert_int_equal(t.count, 4);
	start();
	drv_expect(&t.d[TRANSMIT], add(TRANSMIT, DATA, 4, false), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(output),
		TEST(output_in_pieces),
		TEST(a_flood_comes_in_slices),
		TEST(a_ring_that_is_refilled),
		TEST(input),
		TEST(emergency_write),
		TEST(buffers_that_make_no_sense),
		TEST(ports_are_announced),
		TEST(ports_are_described),
		TEST(messages_that_make_no_sense),
		TEST(the_log_port),
		TEST(the_size_for_one_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
