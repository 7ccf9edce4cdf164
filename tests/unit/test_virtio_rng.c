/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-rng: bytes that differ, as many as asked for, no faster than the rate; buffers that make
 * no sense; no device without a source.
 *
 * Sources: virtio/rng.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/lib/chacha20.c hv/cpu/timer.c hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/dev/pci.c
 * hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/clock.h"
#include "tests/unit/destroy.h"
#include "tests/unit/virtio_bus.h"

#include "virtio/rng.h"

#define SIZE 16
#define DATA 0x50000ul
#define HZ   1000000000ul

static struct {
	struct virtio_rng *rng;
	struct driver d;
	struct timerq timers;
	unsigned words, words_left;
} t;

static bool source(u64 *word)
{
	if (!t.words_left)
		return false;
	t.words_left--;
	*word = ++t.words * 0x9e3779b97f4a7c15ul;
	return true;
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	clock_now = 5 * HZ;
	t.words_left = 1000;
	host_pages_begin();
	timerq_init(&t.timers, HZ, now);
	if (guestmem_add(&gm, GPA(0), RAM_SIZE))
		return -1;
	return virtio_rng_create(&t.rng, "vm", true, &gm, &t.timers, source) ||
	       bus_with(virtio_rng_dev(t.rng));
}

static int teardown(void **state)
{
	(void)state;
	virtio_rng_destroy(t.rng);
	guestmem_destroy(&gm);
	return t.timers.next != TIMER_NEVER || !host_pages_are_back() ? -1 : 0;
}

static void start(void)
{
	negotiate(offered());
	start_queues(&t.d, 1, SIZE, true);
}

static u16 ask(u64 at, u32 len)
{
	struct buf b = { at, len, true };
	u16 id = drv_add(&t.d, &b, 1);

	kick(0);
	return id;
}

static u32 expect_done(u16 id)
{
	u16 got;
	u32 len;

	assert_true(drv_get(&t.d, &got, &len));
	assert_int_equal(got, id);
	return len;
}

static void expect_waiting(void)
{
	u16 id;
	u32 len;

	assert_false(drv_get(&t.d, &id, &len));
}

static void bytes_that_differ(void **state)
{
	unsigned count[256] = { 0 };

	(void)state;
	start();
	for (u64 at = DATA; at < DATA + 16384; at += 1000) {
		*(u8 *)ram(at + 1000) = 0xcc;
		assert_int_equal(expect_done(ask(at, 1000)), 1000);
		assert_int_equal(*(u8 *)ram(at + 1000), 0xcc);
	}
	for (unsigned i = 0; i < 16384; i++)
		count[*(u8 *)ram(DATA + i)]++;
	for (unsigned i = 0; i < 256; i++)
		assert_in_range(count[i], 20, 120); /* 64 of each, 7 deviations to each side */
	for (unsigned i = 0; i < 16384; i += 8)
		for (unsigned j = i + 8; j < 16384; j += 8)
			assert_true(*(u64 *)ram(DATA + i) != *(u64 *)ram(DATA + j));
	assert_int_equal(t.words, 4 + 16384 / RNG_RESEED_BYTES * 4);
}

/* Not even the same start for two devices, since their seeds differ. */
static void two_devices(void **state)
{
	u8 first[32];

	(void)state;
	start();
	expect_done(ask(DATA, 32));
	memcpy(first, ram(DATA), 32);
	virtio_rng_destroy(t.rng);
	assert_int_equal(virtio_rng_create(&t.rng, "vm", true, &gm, &t.timers, source), OK);
	assert_int_equal(bus_with(virtio_rng_dev(t.rng)), 0);
	start();
	expect_done(ask(DATA, 32));
	assert_memory_not_equal(first, ram(DATA), 32);
}

/* The source dries up later: the generator goes on. */
static void source_dries_up(void **state)
{
	(void)state;
	start();
	t.words_left = 0;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(expect_done(ask(DATA + i * 4096u, 4096)), 4096);
	assert_memory_not_equal(ram(DATA), ram(DATA + 4096), 4096);
}

static void no_source_no_device(void **state)
{
	struct virtio_rng *rng;

	(void)state;
	for (t.words_left = 0; t.words_left < 4;) {
		unsigned tried = t.words_left;

		assert_int_equal(
			virtio_rng_create(&rng, "vm", true, &gm, &t.timers, source), ERR_NOTSUP);
		t.words_left = tried + 1;
	}
}

static void a_request_has_a_limit(void **state)
{
	(void)state;
	start();
	assert_int_equal(expect_done(ask(0x100000, 1 * MB)), RNG_REQUEST);
	assert_int_equal(expect_done(ask(DATA, 1)), 1);
}

static void the_rate(void **state)
{
	u64 given = 0, began;
	u16 id = 0;
	u32 len;

	(void)state;
	start();
	for (unsigned i = 0; i < RNG_BURST / RNG_REQUEST; i++)
		assert_int_equal(expect_done(ask(DATA, RNG_REQUEST)), RNG_REQUEST);
	began = clock_now;
	id = ask(DATA, RNG_REQUEST);
	expect_waiting();
	kick(0); /* impatience changes nothing */
	expect_waiting();
	/* A second's worth, by the timer alone. */
	while (clock_now < began + HZ) {
		assert_true(t.timers.next != TIMER_NEVER && t.timers.next > clock_now);
		clock_now = t.timers.next;
		timerq_run(&t.timers);
		while (drv_get(&t.d, &id, &len)) {
			given += len;
			ask(DATA, RNG_REQUEST);
		}
	}
	assert_in_range(given, RNG_RATE - RNG_RATE / 20, RNG_RATE + RNG_REQUEST);
	/* A long rest fills the burst, and no more. */
	clock_now += 1000 * HZ;
	timerq_run(&t.timers);
	for (given = 0; drv_get(&t.d, &id, &len); ask(DATA, RNG_REQUEST))
		given += len;
	assert_in_range(given, RNG_BURST - RNG_REQUEST, RNG_BURST);
	/* A reset while a request waits. */
	set_status(0);
	assert_int_equal(t.timers.next, TIMER_NEVER);
	clock_now += HZ;
	start();
	assert_int_equal(expect_done(ask(DATA, 64)), 64);
}

/* 37 */
static void buffers_that_cannot_be_written(void **state)
{
	struct buf b[] = { { DATA, 16, false }, { DATA + 16, 16, true } };

	(void)state;
	for (u16 n = 1; n <= 2; n++) {
		start();
		drv_add(&t.d, b, n);
		kick(0);
		expect_waiting();
		assert_true(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	}
	start();
	assert_int_equal(expect_done(ask(DATA, 16)), 16);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(bytes_that_differ),
		TEST(two_devices),
		TEST(source_dries_up),
		TEST(no_source_no_device),
		TEST(a_request_has_a_limit),
		TEST(the_rate),
		TEST(buffers_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
