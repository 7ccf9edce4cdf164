/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio over MMIO: the registers one by one, a driver from its reset to a request, several devices
 * on one interrupt line, accesses that make no sense.
 *
 * Sources: virtio/mmio.c virtio/device.c virtio/queue.c virtio/chain.c virtio/rng.c
 * hv/lib/chacha20.c hv/cpu/timer.c hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/dev/bus.c
 */
#include "tests/unit/clock.h"
#include "tests/unit/destroy.h"
#include "tests/unit/virtio_util.h"

#include <linux/virtio_mmio.h>

#include "virtio/mmio.h"
#include "virtio/rng.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SIZE	   8
#define DATA	   0x50000ul
#define HZ	   1000000000ul
#define DEVICES	   LAYOUT_VIRTIO_MAX

static struct {
	struct bus mmio;
	struct virtio_mmio_bus bus;
	struct virtio_mmio m[DEVICES];
	struct virtio_rng *rng[DEVICES];
	struct driver d;
	struct timerq timers;
	bool line[24];
} t;

static bool source(u64 *word)
{
	*word = ++clock_now * 0x9e3779b97f4a7c15ul;
	return true;
}

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	assert_ptr_equal(ctx, &t);
	assert_in_range(gsi, LAYOUT_VIRTIO_GSI, 23);
	t.line[gsi] = level;
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	clock_now = 5 * HZ;
	host_pages_begin();
	timerq_init(&t.timers, HZ, now);
	t.bus = (struct virtio_mmio_bus){ .mmio = &t.mmio, .set_gsi = set_gsi, .ctx = &t };
	if (guestmem_add(&gm, GPA(0), RAM_SIZE))
		return -1;
	for (unsigned i = 0; i < DEVICES; i++)
		if (virtio_rng_create(&t.rng[i], "vm", true, &gm, &t.timers, source) ||
			virtio_mmio_attach(&t.m[i], virtio_rng_dev(t.rng[i]), &t.bus, i))
			return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DEVICES; i++)
		virtio_rng_destroy(t.rng[i]);
	guestmem_destroy(&gm);
	return host_pages_are_back() ? 0 : -1;
}

static u32 get(unsigned i, u64 reg)
{
	return (u32)bus_read(&t.mmio, LAYOUT_VIRTIO + i * PAGE_SIZE + reg, 4);
}

static void set(unsigned i, u64 reg, u64 value)
{
	bus_write(&t.mmio, LAYOUT_VIRTIO + i * PAGE_SIZE + reg, 4, value);
}

static u64 offered(unsigned i)
{
	u64 low;

	set(i, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = get(i, VIRTIO_MMIO_DEVICE_FEATURES);
	set(i, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (u64)get(i, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

static void negotiate(unsigned i)
{
	u64 f = offered(i);

	set(i, VIRTIO_MMIO_STATUS, 0);
	set(i, VIRTIO_MMIO_STATUS, 3);
	for (unsigned word = 0; word < 2; word++) {
		set(i, VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
		set(i, VIRTIO_MMIO_DRIVER_FEATURES, (u32)(f >> 32 * word));
	}
	set(i, VIRTIO_MMIO_STATUS, 11);
	assert_int_equal(get(i, VIRTIO_MMIO_STATUS), 11);
}

static void set_address(unsigned i, u64 low, u64 gpa)
{
	set(i, low, (u32)gpa);
	set(i, low + 4, gpa >> 32);
}

static void start(unsigned i)
{
	negotiate(i);
	drv_init(&t.d, 0x10000 + i * 0x4000u, SIZE, true, false);
	set(i, VIRTIO_MMIO_QUEUE_SEL, 0);
	assert_int_equal(get(i, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_in_range(get(i, VIRTIO_MMIO_QUEUE_NUM_MAX), SIZE, 256);
	set(i, VIRTIO_MMIO_QUEUE_NUM, SIZE);
	set_address(i, VIRTIO_MMIO_QUEUE_DESC_LOW, t.d.desc);
	set_address(i, VIRTIO_MMIO_QUEUE_AVAIL_LOW, t.d.driver);
	set_address(i, VIRTIO_MMIO_QUEUE_USED_LOW, t.d.device);
	set(i, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(get(i, VIRTIO_MMIO_QUEUE_READY), 1);
	set(i, VIRTIO_MMIO_STATUS, 15);
}

static void request(unsigned i)
{
	struct buf b = { DATA, 100, true };
	u16 id = drv_add(&t.d, &b, 1), got;
	u32 len;

	set(i, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_true(drv_get(&t.d, &got, &len));
	assert_int_equal(got, id);
	assert_int_equal(len, 100);
}

static void what_is_there(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DEVICES; i++) {
		assert_int_equal(
			get(i, VIRTIO_MMIO_MAGIC_VALUE), 'v' | 'i' << 8 | 'r' << 16 | 't' << 24);
		assert_int_equal(get(i, VIRTIO_MMIO_VERSION), 2);
		assert_int_equal(get(i, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_RNG);
		assert_int_equal(get(i, VIRTIO_MMIO_SHM_LEN_LOW), ~0u);
		assert_int_equal(get(i, VIRTIO_MMIO_SHM_LEN_HIGH), ~0u);
		assert_int_equal(get(i, VIRTIO_MMIO_CONFIG_GENERATION), 0);
	}
	assert_true(offered(0) & BIT(VIRTIO_F_VERSION_1));
	set(0, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(get(0, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	assert_int_equal(virtio_mmio_attach(&t.m[0], t.m[0].dev, &t.bus, DEVICES), ERR_RANGE);
	assert_int_equal(virtio_mmio_attach(&t.m[0], t.m[0].dev, &t.bus, 0), ERR_EXIST);
}

static void a_request(void **state)
{
	(void)state;
	start(0);
	assert_false(t.line[16]);
	request(0);
	assert_true(t.line[16]);
	assert_int_equal(get(0, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	set(0, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	assert_true(t.line[16]);
	set(0, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_false(t.line[16]);
	virtio_config_changed(t.m[0].dev);
	assert_true(t.line[16]);
	assert_int_equal(get(0, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(get(0, VIRTIO_MMIO_CONFIG_GENERATION), 1);
	set(0, VIRTIO_MMIO_STATUS, 0);
	assert_false(t.line[16]);
	assert_int_equal(get(0, VIRTIO_MMIO_QUEUE_READY), 0);
	start(0);
	request(0);
	virtio_mmio_reset(&t.m[0]);
	assert_false(t.line[16]);
	assert_int_equal(get(0, VIRTIO_MMIO_STATUS), 0);
}

/* Devices 1 and 9 have the same line: it stays up until both are quiet. */
static void a_shared_line(void **state)
{
	(void)state;
	start(1);
	request(1);
	start(9);
	request(9);
	assert_true(t.line[17]);
	set(1, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	assert_true(t.line[17]);
	set(9, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	assert_false(t.line[17]);
}

/* 22, 23, 24, 26, 27, 28, 29 by this transport. */
static void what_a_driver_may_not(void **state)
{
	static const u64 sizes[] = { 0, 3, 512, 0x10008, ~0u };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		negotiate(0);
		drv_init(&t.d, 0x10000, SIZE, true, false);
		set(0, VIRTIO_MMIO_QUEUE_NUM, sizes[i]);
		set_address(0, VIRTIO_MMIO_QUEUE_DESC_LOW, sizes[i] == 3 ? RAM_SIZE : t.d.desc);
		set_address(0, VIRTIO_MMIO_QUEUE_AVAIL_LOW, t.d.driver);
		set_address(0, VIRTIO_MMIO_QUEUE_USED_LOW, t.d.device);
		set(0, VIRTIO_MMIO_QUEUE_READY, 1);
		assert_int_equal(get(0, VIRTIO_MMIO_QUEUE_READY), 0);
		assert_true(get(0, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	}
	start(0);
	/* a queue that is live, or does not exist */
	set(0, VIRTIO_MMIO_QUEUE_NUM, 4);
	set_address(0, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	set(0, VIRTIO_MMIO_QUEUE_READY, 0);
	set(0, VIRTIO_MMIO_QUEUE_READY, 7);
	assert_int_equal(get(0, VIRTIO_MMIO_QUEUE_READY), 1);
	for (u64 q = 1; q < 1ul << 32; q = q * 3 + 1) {
		set(0, VIRTIO_MMIO_QUEUE_SEL, q);
		assert_int_equal(get(0, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		assert_int_equal(get(0, VIRTIO_MMIO_QUEUE_READY), 0);
		set(0, VIRTIO_MMIO_QUEUE_NUM, 4);
		set(0, VIRTIO_MMIO_QUEUE_READY, 1);
		set_address(0, VIRTIO_MMIO_QUEUE_USED_LOW, 0);
		set(0, VIRTIO_MMIO_QUEUE_NOTIFY, q);
	}
	set(0, VIRTIO_MMIO_STATUS, 1); /* bits are cleared by a reset only */
	assert_int_equal(get(0, VIRTIO_MMIO_STATUS), 15);
	set(0, VIRTIO_MMIO_DRIVER_FEATURES, ~0u); /* too late */
	request(0);
	negotiate(0);
	set(0, VIRTIO_MMIO_STATUS, 0);
	set(0, VIRTIO_MMIO_STATUS, 3);
	set(0, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 77);
	set(0, VIRTIO_MMIO_DRIVER_FEATURES, 1); /* a bit that no word of ours has */
	set(0, VIRTIO_MMIO_STATUS, 11);
	assert_int_equal(get(0, VIRTIO_MMIO_STATUS), 3);
}

/* 30: all sizes at all places, read and written: nothing changes but what may. */
static void odd_accesses(void **state)
{
	(void)state;
	start(0);
	for (unsigned size = 1; size <= 8; size *= 2)
		for (u64 at = 0; at < PAGE_SIZE; at++) {
			u64 base = LAYOUT_VIRTIO + at;

			(void)bus_read(&t.mmio, base, size);
			if (size != 4 || at % 4)
				bus_write(&t.mmio, base, size, ~0ul);
		}
	for (u64 at = 0xc0; at < PAGE_SIZE; at += 4)
		set(0, at, ~0u);
	assert_int_equal(get(0, VIRTIO_MMIO_QUEUE_SEL), 0); /* written only */
	assert_int_equal(get(0, VIRTIO_MMIO_CONFIG), 0);
	assert_int_equal(bus_read(&t.mmio, LAYOUT_VIRTIO, 1), 0); /* words only */
	request(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_there),
		TEST(a_request),
		TEST(a_shared_line),
		TEST(what_a_driver_may_not),
		TEST(odd_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
