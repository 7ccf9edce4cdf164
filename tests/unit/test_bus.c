/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus: who claims what, what nobody claims, and accesses that do not fit a device.
 *
 * Sources: hv/dev/bus.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/dev/bus.h"

#define ONES ~0ul

/* A device that keeps a list of what it was asked, and answers with more bits than it should. */
struct probe {
	u64 len;
	unsigned accesses;
	u64 offset, value;
	unsigned size;
};

static u64 probe_read(void *dev, u64 offset, unsigned size)
{
	struct probe *p = dev;

	assert_true(offset < p->len && size <= p->len - offset);
	p->accesses++;
	p->offset = offset;
	p->size = size;
	return 0xa5a5a5a5a5a5a500ul | offset;
}

static void probe_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct probe *p = dev;

	assert_true(offset < p->len && size <= p->len - offset);
	p->accesses++;
	p->offset = offset;
	p->size = size;
	p->value = value;
}

static const struct io_ops probe_io = { .read = probe_read, .write = probe_write };

static struct bus bus;
static struct probe low, high;

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	low = (struct probe){ 0 };
	high = (struct probe){ 0 };
	return 0;
}

static enum status add(u64 base, u64 len, struct probe *p)
{
	p->len = len;
	return bus_add(&bus, base, len, &probe_io, p, "probe");
}

static void refuses_what_overlaps(void **state)
{
	struct probe other = { 0 };

	(void)state;
	assert_int_equal(add(0x100, 0x10, &low), OK);
	assert_int_equal(add(0x100, 0x10, &other), ERR_EXIST); /* the same */
	assert_int_equal(add(0x104, 4, &other), ERR_EXIST);    /* inside */
	assert_int_equal(add(0xf0, 0x40, &other), ERR_EXIST);  /* around */
	assert_int_equal(add(0xf0, 0x11, &other), ERR_EXIST);  /* its first byte */
	assert_int_equal(add(0x10f, 1, &other), ERR_EXIST);    /* its last byte */
	assert_int_equal(add(0, ONES, &other), ERR_EXIST);
	assert_int_equal(add(0xf0, 0x10, &other), OK); /* neighbours are fine */
	assert_int_equal(add(0x110, 1, &other), OK);
	assert_int_equal(bus.count, 3);
}

static void refuses_the_empty_and_the_wrapping(void **state)
{
	(void)state;
	assert_int_equal(add(0x100, 0, &low), ERR_INVAL);
	assert_int_equal(add(ONES, 2, &low), ERR_INVAL);
	assert_int_equal(add(0x1000, ONES, &low), ERR_INVAL);
	assert_int_equal(bus.count, 0);
}

static void refuses_one_too_many(void **state)
{
	(void)state;
	for (u64 i = 0; i < BUS_RANGES; i++)
		assert_int_equal(add(i * 0x10, 8, &low), OK);
	assert_int_equal(add(0x8000, 8, &low), ERR_NOMEM);
	bus_remove(&bus, 0);
	assert_int_equal(add(0x8000, 8, &low), OK);
	assert_null(bus_find(&bus, 0));
	for (u64 i = 1; i < BUS_RANGES; i++)
		assert_int_equal(bus_find(&bus, i * 0x10 + 7)->base, i * 0x10);
}

static void serves_the_last_byte_of_the_space(void **state)
{
	(void)state;
	assert_int_equal(add(ONES - 3, 4, &high), OK);
	assert_int_equal(bus_read(&bus, ONES - 3, 4), 0xa5a5a500);
	assert_int_equal(bus_read(&bus, ONES, 1), 0x03);
	bus_write(&bus, ONES - 1, 2, 0x1234);
	assert_int_equal(high.offset, 2);
	assert_int_equal(high.value, 0x1234);
}

static void addresses_wrap_at_the_end_of_the_space(void **state)
{
	(void)state;
	assert_int_equal(add(ONES - 1, 2, &high), OK);
	assert_int_equal(add(0, 2, &low), OK);
	assert_int_equal(bus_read(&bus, ONES, 4), 0xff010001);
	bus_write(&bus, ONES, 8, 0x8877665544332211);
	assert_int_equal(high.value, 0x11);
	assert_int_equal(low.value, 0x33);
}

/* A wide access to the last port does not come back at port 0. */
static void ports_do_not_wrap(void **state)
{
	(void)state;
	assert_int_equal(add(0, 4, &low), OK);
	assert_int_equal(add(0xffff, 1, &high), OK);
	assert_int_equal(bus_read(&bus, 0xffff, 4), 0xffffff00);
	bus_write(&bus, 0xffff, 2, 0x1234);
	assert_int_equal(high.value, 0x34);
	assert_int_equal(low.accesses, 0);
}

static void nobody_reads_as_ones(void **state)
{
	(void)state;
	assert_int_equal(bus_read(&bus, 0x100, 1), 0xff);
	assert_int_equal(add(0x100, 4, &low), OK);
	for (unsigned size = 1; size <= 8; size *= 2) {
		u64 ones = ONES >> (64 - size * 8);

		assert_int_equal(bus_read(&bus, 0x100 - size, size), ones);
		assert_int_equal(bus_read(&bus, 0x104, size), ones);
		bus_write(&bus, 0x104, size, 0);
	}
	assert_int_equal(low.accesses, 0);
}

static void devices_see_offsets_and_sizes(void **state)
{
	(void)state;
	assert_int_equal(add(0x100, 8, &low), OK);
	for (unsigned size = 1; size <= 8; size *= 2) {
		assert_int_equal(bus_read(&bus, 0x108 - size, size),
			(0xa5a5a5a5a5a5a500 | (8 - size)) & ONES >> (64 - size * 8));
		assert_int_equal(low.offset, 8 - size);
		assert_int_equal(low.size, size);
		bus_write(&bus, 0x100, size, 0x1122334455667788);
		assert_int_equal(low.offset, 0);
		assert_int_equal(low.value, 0x1122334455667788 & ONES >> (64 - size * 8));
	}
	assert_int_equal(low.accesses, 8);
}

/* The device gets its bytes one by one, the rest is nobody's or a neighbour's. */
static void splits_what_crosses_an_end(void **state)
{
	(void)state;
	assert_int_equal(add(0x100, 4, &low), OK);
	assert_int_equal(bus_read(&bus, 0x102, 4), 0xffff0302);
	assert_int_equal(low.size, 1);
	assert_int_equal(bus_read(&bus, 0xfe, 4), 0x0100ffff);
	assert_int_equal(bus_read(&bus, 0xfe, 8), 0xffff03020100ffff);
	low.accesses = 0;
	bus_write(&bus, 0x103, 4, 0x44332211);
	assert_int_equal(low.accesses, 1);
	assert_int_equal(low.value, 0x11);
	bus_write(&bus, 0xff, 2, 0x2211);
	assert_int_equal(low.offset, 0);
	assert_int_equal(low.value, 0x22);

	assert_int_equal(add(0x105, 2, &high), OK);
	assert_int_equal(bus_read(&bus, 0x102, 8), 0xffffff0100ff0302);
	bus_write(&bus, 0x103, 4, 0x44332211);
	assert_int_equal(low.value, 0x11);
	assert_int_equal(high.value, 0x44);
	assert_int_equal(high.offset, 1);
}

/* BARs move: what was found last must not be found again. */
static void forgets_what_is_removed(void **state)
{
	(void)state;
	assert_int_equal(add(0x100, 0x10, &low), OK);
	assert_int_equal(add(0x200, 0x20, &high), OK);
	assert_ptr_equal(bus_find(&bus, 0x21f)->dev, &high);
	bus_remove(&bus, 0x201); /* not its base */
	assert_ptr_equal(bus_find(&bus, 0x21f)->dev, &high);
	bus_remove(&bus, 0x200);
	bus_remove(&bus, 0x200);
	assert_null(bus_find(&bus, 0x200));
	assert_int_equal(bus_read(&bus, 0x200, 4), 0xffffffff);
	assert_ptr_equal(bus_find(&bus, 0x10f)->dev, &low);
	bus_remove(&bus, 0x100);
	assert_null(bus_find(&bus, 0x100));
	assert_int_equal(bus.count, 0);
}

static u8 bytes[4];

static u8 get(void *dev, u64 offset)
{
	return ((u8 *)dev)[offset];
}

static void put(void *dev, u64 offset, u8 value)
{
	((u8 *)dev)[offset] = value;
}

static void byte_devices_take_words(void **state)
{
	(void)state;
	bytewise_write(put, bytes, 0, 4, 0x44332211);
	assert_memory_equal(bytes, "\x11\x22\x33\x44", 4);
	bytewise_write(put, bytes, 1, 2, 0xffffaabb);
	assert_memory_equal(bytes, "\x11\xbb\xaa\x44", 4);
	assert_int_equal(bytewise_read(get, bytes, 0, 4), 0x44aabb11);
	assert_int_equal(bytewise_read(get, bytes, 2, 1), 0xaa);
}

/* Against a plain array of owners: sorted insertion, search and the hint agree with it. */
static void random_ranges(void **state)
{
	static struct probe probes[256];
	struct probe *owner[256] = { 0 };

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		unsigned base = (unsigned)rand() % 256, len = 1 + (unsigned)rand() % 8, i;
		bool taken = false;

		len = MIN(len, 256 - base);
		for (i = base; i < base + len; i++)
			taken |= owner[i] != NULL;
		if (rand() % 2) {
			enum status s = bus.count == BUS_RANGES && !taken ? ERR_NOMEM
					: taken				  ? ERR_EXIST
									  : OK;

			assert_int_equal(
				bus_add(&bus, base, len, &probe_io, &probes[base], "p"), s);
			for (i = base; !s && i < base + len; i++)
				owner[i] = &probes[base];
			if (!s)
				probes[base].len = len;
		} else {
			bus_remove(&bus, base);
			for (i = 0; i < 256; i++)
				if (owner[i] == &probes[base])
					owner[i] = NULL;
		}
		i = (unsigned)rand() % 256;
		assert_ptr_equal(bus_find(&bus, i) ? bus_find(&bus, i)->dev : NULL, owner[i]);
		if (owner[i])
			assert_int_equal(bus_read(&bus, i, 1), i - (owner[i] - probes));
		(void)bus_read(&bus, i, 1u << (rand() % 4)); /* the probe checks the bounds */
	}
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_what_overlaps),
		TEST(refuses_the_empty_and_the_wrapping),
		TEST(refuses_one_too_many),
		TEST(serves_the_last_byte_of_the_space),
		TEST(addresses_wrap_at_the_end_of_the_space),
		TEST(ports_do_not_wrap),
		TEST(nobody_reads_as_ones),
		TEST(devices_see_offsets_and_sizes),
		TEST(splits_what_crosses_an_end),
		TEST(forgets_what_is_removed),
		TEST(byte_devices_take_words),
		TEST(random_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
