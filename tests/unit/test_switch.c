/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch: who gets which frame, what it learns and forgets.
 *
 * Sources: virtio/net.c virtio/net_filter.c hv/net/frame.c hv/net/switch.c virtio/pci.c
 * hv/cpu/timer.c virtio/device.c virtio/queue.c virtio/chain.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/virtio_net_util.h"

/* ---- the switch ---- */

static void the_switch_learns(void **state)
{
	u8 frame[64];

	(void)state;
	make_frame(frame, other, third, sizeof(frame));
	from_tap(2, frame, sizeof(frame)); /* unknown: everywhere else */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 11);
	make_frame(frame, third, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame)); /* known by now */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 111);
	make_frame(frame, other, third, sizeof(frame));
	from_tap(0, frame, sizeof(frame)); /* it has moved */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 121);
	make_frame(frame, third, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame));
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 122);
	make_frame(frame, other, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame)); /* to its own port: nowhere */
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 122);
	make_frame(frame, everybody, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame));
	assert_int_equal(t.tap[0].count + t.tap[1].count * 10 + t.tap[2].count * 100, 223);
	/* A group is never a sender: it is not learned, and goes on to all. */
	make_frame(frame, third, group, sizeof(frame));
	from_tap(1, frame, sizeof(frame));
	make_frame(frame, group, other, sizeof(frame));
	from_tap(0, frame, sizeof(frame));
	assert_int_equal(t.tap[2].count, 3);
	/* Who has left is forgotten. */
	switch_leave(&t.sw, &t.tap[0].port);
	make_frame(frame, third, other, sizeof(frame));
	from_tap(1, frame, sizeof(frame));
	assert_int_equal(t.tap[2].count, 4);
}

static void from_address(unsigned tap, unsigned i)
{
	u8 frame[64];
	mac_t from = { 2, 1, 1, 1, (u8)tap, (u8)i };

	make_frame(frame, everybody, from, sizeof(frame));
	from_tap(tap, frame, sizeof(frame));
}

/* Is it known where the address is, so that tap 2 does not see what tap `from` sends there? */
static bool knows(unsigned from, unsigned tap, unsigned i)
{
	u8 frame[64];
	mac_t to = { 2, 1, 1, 1, (u8)tap, (u8)i };
	unsigned before = t.tap[2].count;

	make_frame(frame, to, third, sizeof(frame));
	from_tap(from, frame, sizeof(frame));
	return t.tap[2].count == before;
}

/* More senders than a port may have: its own oldest go, and nobody else's. */
static void the_switch_forgets(void **state)
{
	(void)state;
	from_address(1, 7);
	for (unsigned i = 0; i < 10 * SWITCH_ADDRESSES; i++) {
		clock_now += i % 64 == 63;
		from_address(0, i % 200);
	}
	assert_true(knows(0, 1, 7));
	assert_true(knows(1, 0, (10 * SWITCH_ADDRESSES - 1) % 200));
	assert_false(knows(1, 0, (10 * SWITCH_ADDRESSES - 1 - SWITCH_PORT_MAX) % 200));
}

/* Ports enough to fill the table: who was not heard of for longest goes. */
static void the_table_is_full(void **state)
{
	static struct tap more[SWITCH_ADDRESSES / SWITCH_PORT_MAX + 1];
	struct net_frame f = { .len = 64 };
	u8 frame[64];

	(void)state;
	from_address(1, 7);
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
		more[i].port.receive = tapped;
		switch_join(&t.sw, &more[i].port);
		for (u8 k = 0; k < SWITCH_PORT_MAX; k++) {
			mac_t from = { 2, 7, 7, 7, (u8)i, k };

			clock_now++;
			make_frame(frame, everybody, from, sizeof(frame));
			f.data = frame;
			switch_send(&t.sw, &more[i].port, &f);
		}
	}
	assert_false(knows(0, 1, 7));
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++)
		switch_leave(&t.sw, &more[i].port);
}

/* Many VMs of one address each: a frame for one of them goes to it alone. */
static void the_switch_has_many_ports(void **state)
{
	static struct tap vm[200];
	struct net_frame f = { .len = 64 };
	unsigned before;
	u8 frame[64];

	(void)state;
	f.data = frame;
	for (unsigned i = 0; i < ARRAY_SIZE(vm); i++) {
		mac_t own = { 2, 'T', 'P', 0, 0, (u8)i };

		vm[i].port.receive = tapped;
		switch_join(&t.sw, &vm[i].port);
		make_frame(frame, everybody, own, sizeof(frame));
		switch_send(&t.sw, &vm[i].port, &f);
	}
	before = t.tap[0].count;
	for (unsigned i = 0; i < ARRAY_SIZE(vm); i++) {
		unsigned next = (i + 1) % ARRAY_SIZE(vm), had = vm[next].count;
		mac_t own = { 2, 'T', 'P', 0, 0, (u8)i }, to = { 2, 'T', 'P', 0, 0, (u8)next };

		make_frame(frame, to, own, sizeof(frame));
		switch_send(&t.sw, &vm[i].port, &f);
		assert_int_equal(vm[next].count, had + 1);
	}
	assert_int_equal(t.tap[0].count, before);
	for (unsigned i = 0; i < ARRAY_SIZE(vm); i++)
		switch_leave(&t.sw, &vm[i].port);
}

static void the_switch_ages(void **state)
{
	(void)state;
	from_address(1, 7);
	clock_now += SWITCH_AGE;
	assert_true(knows(0, 1, 7));
	clock_now++;
	assert_false(knows(0, 1, 7));
	from_address(1, 7);
	assert_true(knows(0, 1, 7));
}

static void the_switch_drops_odd_sizes(void **state)
{
	static u8 frame[ETH_FRAME_MAX + 1];

	(void)state;
	make_frame(frame, everybody, other, sizeof(frame));
	assert_false(from_tap(0, frame, 0));
	assert_false(from_tap(0, frame, ETH_HEADER - 1));
	assert_false(from_tap(0, frame, ETH_FRAME_MAX + 1));
	assert_int_equal(t.tap[1].count, 0);
	from_tap(0, frame, ETH_HEADER);
	from_tap(0, frame, ETH_FRAME_MAX);
	assert_int_equal(t.tap[1].count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_switch_learns),
		TEST(the_switch_forgets),
		TEST(the_table_is_full),
		TEST(the_switch_has_many_ports),
		TEST(the_switch_ages),
		TEST(the_switch_drops_odd_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
