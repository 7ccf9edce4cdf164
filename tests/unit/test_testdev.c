/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test device and the debug-exit port, through a bus as in a VM.
 *
 * Sources: hv/dev/testdev.c hv/dev/bus.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/dev/testdev.h"
#include "hv/mem/page.h"
#include "tests/unit/host.h"

static struct {
	struct testdev t;
	struct debug_exit exit;
	struct bus pio, mmio;
	unsigned drops, lines, ends;
	gpa_t dropped;
	unsigned line;
	bool level;
	u8 status;
} f;

static void drop_page(void *ctx, gpa_t page)
{
	assert_ptr_equal(ctx, &f);
	f.drops++;
	f.dropped = page;
}

static void set_line(void *ctx, unsigned line, bool level)
{
	assert_ptr_equal(ctx, &f);
	f.lines++;
	f.line = line;
	f.level = level;
}

static void end(void *ctx, u8 status)
{
	assert_ptr_equal(ctx, &f);
	f.ends++;
	f.status = status;
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	assert_int_equal(testdev_init(&f.t, drop_page, set_line, &f), OK);
	f.exit = (struct debug_exit){ .end = end, .ctx = &f };
	assert_int_equal(
		bus_add(&f.pio, TESTDEV_LATCH_PORT, TESTDEV_LATCHES, &testdev_latch_io, &f.t, "t"),
		OK);
	assert_int_equal(
		bus_add(&f.pio, TESTDEV_LINE_PORT, TESTDEV_LINES, &testdev_line_io, &f.t, "t"), OK);
	assert_int_equal(
		bus_add(&f.pio, DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS, &debug_exit_io, &f.exit, "x"),
		OK);
	assert_int_equal(bus_add(&f.mmio, LAYOUT_TESTDEV, LAYOUT_TESTDEV_SIZE, &testdev_storage_io,
				 &f.t, "t"),
		OK);
	return 0;
}

static int teardown(void **state)
{
	struct page_stats stats;

	(void)state;
	testdev_destroy(&f.t);
	testdev_destroy(&f.t); /* harmless */
	page_stats(&stats);
	assert_int_equal(stats.used[PAGE_HV], 0);
	return 0;
}

static void latches(void **state)
{
	(void)state;
	bus_write(&f.pio, 0xe0, 4, 0x11223344);
	assert_int_equal(bus_read(&f.pio, 0xe0, 4), 0x11223344);
	assert_int_equal(bus_read(&f.pio, 0xe1, 1), 0x33);
	assert_int_equal(bus_read(&f.pio, 0xe2, 2), 0x1122);
	bus_write(&f.pio, 0xe1, 1, 0xaa);
	bus_write(&f.pio, 0xe2, 2, 0xbbcc);
	assert_int_equal(bus_read(&f.pio, 0xe0, 4), 0xbbccaa44);
	bus_write(&f.pio, 0xe6, 2, 0x7788);
	assert_int_equal(bus_read(&f.pio, 0xe6, 4), 0xffff7788); /* past the end: nobody */
	assert_int_equal(f.drops, 0);
}

static void drops_a_page(void **state)
{
	(void)state;
	bus_write(&f.pio, 0xe4, 4, 0x00123abc);
	assert_int_equal(f.drops, 1);
	assert_int_equal(f.dropped.v, 0x00123000);
	bus_write(&f.pio, 0xe4, 4, 0xffffffff); /* no RAM there: the host's to refuse */
	assert_int_equal(f.dropped.v, 0xfffff000);
	bus_write(&f.pio, 0xe4, 2, 0x1000);
	bus_write(&f.pio, 0xe4, 1, 0x10);
	bus_write(&f.pio, 0xe5, 4, 0x1000);
	assert_int_equal(f.drops, 2);
}

static void sets_lines(void **state)
{
	(void)state;
	bus_write(&f.pio, 0x2000 + 23, 1, 1);
	assert_int_equal(f.lines, 1);
	assert_int_equal(f.line, 23);
	assert_true(f.level);
	assert_int_equal(bus_read(&f.pio, 0x2000 + 23, 1), 1);
	bus_write(&f.pio, 0x2000 + 23, 1, 0xff); /* the same level: no change */
	assert_int_equal(f.lines, 1);
	bus_write(&f.pio, 0x2000 + 23, 1, 0);
	assert_false(f.level);
	bus_write(&f.pio, 0x2000 + 4, 4, 0x100); /* one access, one line */
	assert_int_equal(f.line, 4);
	assert_true(f.level);
	bus_write(&f.pio, 0x2018, 1, 1);
	assert_int_equal(f.lines, 3);
	testdev_reset(&f.t);
	assert_int_equal(f.lines, 4);
	assert_false(f.level);
}

static void storage(void **state)
{
	u64 base = LAYOUT_TESTDEV, last = LAYOUT_TESTDEV + LAYOUT_TESTDEV_SIZE - 8;

	(void)state;
	bus_write(&f.mmio, base, 8, 0x1122334455667788);
	assert_true(bus_read(&f.mmio, base, 8) == 0x1122334455667788);
	assert_int_equal(bus_read(&f.mmio, base + 3, 2), 0x4455);
	bus_write(&f.mmio, base + 7, 1, 0xee);
	assert_int_equal(bus_read(&f.mmio, base + 4, 4), 0xee223344);
	bus_write(&f.mmio, last, 8, 42);
	assert_int_equal(bus_read(&f.mmio, last, 8), 42);
	assert_true(bus_read(&f.mmio, last + 4, 8) == 0xffffffff00000000); /* half past the end */
	testdev_reset(&f.t);
	assert_int_equal(bus_read(&f.mmio, base, 8), 0);
}

static void exits_with_a_status(void **state)
{
	(void)state;
	bus_write(&f.pio, 0xf4, 1, 0);
	assert_int_equal(f.status, 1);
	bus_write(&f.pio, 0xf4, 1, 0x10);
	assert_int_equal(f.status, 0x21);
	bus_write(&f.pio, 0xf4, 1, 0xff);
	assert_int_equal(f.status, 0xff);
	assert_int_equal(f.ends, 3);
	bus_read(&f.pio, 0xf4, 1);
	assert_int_equal(f.ends, 3);
}

static void out_of_memory(void **state)
{
	struct testdev t;

	(void)state;
	host_page_limit = 16;
	assert_int_equal(testdev_init(&t, drop_page, set_line, &f), ERR_NOMEM);
	host_page_limit = ~0ul;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(latches),
		TEST(drops_a_page),
		TEST(sets_lines),
		TEST(storage),
		TEST(exits_with_a_status),
		TEST(out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
