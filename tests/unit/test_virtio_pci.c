/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device behind its PCI registers: status and features step by step, queue registers,
 * interrupts by MSI-X and INTx, every access that a driver should not make. The device is an echo
 * of two queues. Layouts and numbers are those of the kernel's headers, not of virtio/spec.h.
 *
 * Sources: virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c hv/mem/guestmem.c
 * hv/mem/guestmem_loose.c hv/cpu/timer.c hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c hv/dev/bus.c
 */
#include "tests/unit/destroy.h"
#include "tests/unit/virtio_bus.h"

#include <stdio.h>

#define QUEUES	    2
#define SIZE	    16
#define CONFIG_SIZE 12
#define FEATURE	    BIT(3)
#define VERSION_1   BIT(VIRTIO_F_VERSION_1)
#define NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET
#define READY                                                                                      \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |      \
		VIRTIO_CONFIG_S_DRIVER_OK)
#define DATA 0x40000ul

static struct {
	struct virtio_dev dev;
	struct vq_chain chain;
	struct driver d[QUEUES];
	unsigned kicks, resets, config_writes;
} t;

static void echo_kick(struct virtio_dev *d, unsigned queue)
{
	struct virtqueue *q = virtio_vq(d, queue);

	t.kicks++;
	while (vq_pop(q, &t.chain)) {
		struct vq_cursor w = vq_writable(&t.chain);

		assert_int_equal(vq_write(&w, "echo", MIN(w.left, 4ul)), OK);
		vq_push(q, &t.chain);
	}
	(void)!vq_want_kicks(q);
	virtio_signal(d, queue);
}

static void echo_reset(struct virtio_dev *d)
{
	(void)d;
	t.resets++;
}

static void echo_config(struct virtio_dev *d)
{
	(void)d;
	t.config_writes++;
}

static const struct virtio_ops echo = {
	.id = 42,
	.name = "virtio-echo",
	.class_code = 0x00ff00,
	.kick = echo_kick,
	.reset = echo_reset,
	.config_written = echo_config,
};

static int setup(void **state)
{
	struct virtio_setup s = { .ops = &echo,
		.vm = "vm",
		.index = 1,
		.gm = &gm,
		.features = FEATURE,
		.packed = true,
		.queues = QUEUES,
		.queue_size = 64,
		.config_size = CONFIG_SIZE };

	(void)state;
	memset(&t, 0, sizeof(t));
	gm = (struct guestmem){ 0 };
	if (guestmem_add(&gm, GPA(0), RAM_SIZE))
		return -1;
	virtio_init(&t.dev, &s);
	for (unsigned i = 0; i < CONFIG_SIZE; i++)
		t.dev.config[i] = (u8)(0x10 + i);
	memset(&t.dev.config_mask[4], 0x0f, 2);
	return bus_with(&t.dev);
}

static int teardown(void **state)
{
	(void)state;
	guestmem_destroy(&gm);
	return 0;
}

/* All the way to DRIVER_OK, both queues enabled. */
static void start(bool packed)
{
	negotiate(VERSION_1 | FEATURE | (packed ? BIT(VIRTIO_F_RING_PACKED) : 0));
	assert_true(status() & VIRTIO_CONFIG_S_FEATURES_OK);
	for (u16 i = 0; i < QUEUES; i++) {
		drv_init(&t.d[i], 0x10000 + i * 0x4000u, SIZE, packed, false);
		enable_queue(i, &t.d[i]);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	}
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(status(), READY);
}

/* A request through a queue, answered. */
static void round_trip(u16 queue)
{
	struct buf b = { DATA, 8, true };
	u16 id = drv_add(&t.d[queue], &b, 1), got;
	u32 len;

	memset(ram(DATA), 0, 8);
	kick(queue);
	assert_true(drv_get(&t.d[queue], &got, &len));
	assert_int_equal(got, id);
	assert_int_equal(len, 4);
	assert_memory_equal(ram(DATA), "echo\0\0\0", 8);
}

static void nothing_answered(u16 queue)
{
	u16 id;
	u32 len;

	assert_false(drv_get(&t.d[queue], &id, &len));
}

/* ---- what a driver finds and does ---- */

static void identity(void **state)
{
	(void)state;
	assert_int_equal(config_read(PCI_VENDOR_ID, 4), 0x1af4 | (0x1040 + 42) << 16);
	assert_true(config_read(PCI_REVISION_ID, 1) >= 1);
	assert_true(config_read(PCI_SUBSYSTEM_ID, 2) >= 0x40);
	assert_int_equal(config_read(PCI_CLASS_REVISION, 4) >> 8, 0x00ff00);
	assert_int_equal(config_read(PCI_INTERRUPT_PIN, 1), 1);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_NUMQ, 2), QUEUES);
	assert_int_equal(offered(), VERSION_1 | FEATURE | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
					    BIT(VIRTIO_RING_F_EVENT_IDX) |
					    BIT(VIRTIO_F_RING_PACKED));
	common_write(VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_DF, 4), 0);
	common_write(VIRTIO_PCI_COMMON_DFSELECT, 4, 0xffffffff);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_DF, 4), 0);
}

static void both_formats_work(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		start(i % 2);
		for (unsigned n = 0; n < 3 * SIZE; n++)
			round_trip((u16)(n % QUEUES));
	}
	assert_int_equal(t.resets, 4);
}

static void registers_read_back(void **state)
{
	(void)state;
	negotiate(VERSION_1);
	drv_init(&t.d[0], 0x10000, 32, false, false);
	set_queue(1, &t.d[0]);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_NOFF, 2), 0);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_SELECT, 2), 1);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), 32);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_NOFF, 2), 1);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0x10000);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_AVAILLO, 8), 0x12000);
	/* Halves leave each other alone; the whole at once works too. */
	common_write(VIRTIO_PCI_COMMON_Q_USEDHI, 4, 0x1234);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_USEDLO, 8), 0x123400013000);
	common_write(VIRTIO_PCI_COMMON_Q_USEDLO, 4, 0x5678);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_USEDLO, 8), 0x123400005678);
	common_write(VIRTIO_PCI_COMMON_Q_USEDLO, 8, 0xabcdef0123456789);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_USEDHI, 4), 0xabcdef01);
	common_write(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_GF, 4), VERSION_1 >> 32);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_GFSELECT, 4), 1);
}

static void a_reset_forgets_everything(void **state)
{
	(void)state;
	start(false);
	enable_msix();
	set_vector(VIRTIO_PCI_COMMON_MSIX, 1);
	set_vector(VIRTIO_PCI_COMMON_Q_MSIX, 1);
	set_status(0);
	assert_int_equal(status(), 0);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_GF, 4), 0);
	for (u16 i = 0; i < QUEUES; i++) {
		common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	}
	kick(0);
	assert_int_equal(t.kicks, QUEUES); /* those at DRIVER_OK */
}

static void chains_from_before_driver_ok(void **state)
{
	struct buf b = { DATA, 4, true };
	u16 id, got;
	u32 len;

	(void)state;
	negotiate(VERSION_1);
	drv_init(&t.d[0], 0x10000, SIZE, false, false);
	enable_queue(0, &t.d[0]);
	id = drv_add(&t.d[0], &b, 1);
	kick(0); /* too early */
	nothing_answered(0);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	assert_true(drv_get(&t.d[0], &got, &len));
	assert_int_equal(got, id);
}

/* ---- interrupts ---- */

static void msix_vectors(void **state)
{
	(void)state;
	enable_msix();
	start(false);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	assert_int_equal(set_vector(VIRTIO_PCI_COMMON_Q_MSIX, 2), 2);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	assert_int_equal(set_vector(VIRTIO_PCI_COMMON_Q_MSIX, 1), 1);
	assert_int_equal(set_vector(VIRTIO_PCI_COMMON_MSIX, 0), 0);
	round_trip(0);
	assert_int_equal(p.vector[2], 1);
	round_trip(1);
	assert_int_equal(p.vector[1], 1);
	virtio_config_changed(&t.dev);
	assert_int_equal(p.vector[0], 1);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_CFGGENERATION, 1), 1);
	assert_false(p.line);
	assert_int_equal(bus_read(&p.mmio, p.isr, 1), 0);
	/* 32: no such vector */
	assert_int_equal(set_vector(VIRTIO_PCI_COMMON_Q_MSIX, 3), VIRTIO_MSI_NO_VECTOR);
	round_trip(1);
	assert_int_equal(set_vector(VIRTIO_PCI_COMMON_MSIX, 0xfffe), VIRTIO_MSI_NO_VECTOR);
	virtio_config_changed(&t.dev);
	assert_int_equal(p.vector[0] + p.vector[1] + p.vector[2] + p.vector[3], 3);
	/* A masked vector is held back. */
	bus_write(&p.mmio, bar_base(1) + 2 * 16 + 12, 4, 1);
	round_trip(0);
	assert_int_equal(p.vector[2], 1);
	bus_write(&p.mmio, bar_base(1) + 2 * 16 + 12, 4, 0);
	assert_int_equal(p.vector[2], 2);
}

static void intx_through_isr(void **state)
{
	(void)state;
	start(false);
	assert_false(p.line);
	round_trip(0);
	assert_true(p.line);
	virtio_config_changed(&t.dev);
	assert_int_equal(bus_read(&p.mmio, p.isr, 1), 3);
	assert_false(p.line);
	assert_int_equal(bus_read(&p.mmio, p.isr, 1), 0);
	drv_no_signal(&t.d[0], true);
	round_trip(0);
	assert_false(p.line);
	drv_no_signal(&t.d[0], false);
	round_trip(0);
	assert_true(p.line);
	bus_write(&p.mmio, p.isr, 1, 0); /* read-only */
	assert_int_equal(bus_read(&p.mmio, p.isr + 1, 1), 0);
	assert_true(p.line);
	set_status(0);
	assert_false(p.line);
	assert_int_equal(bus_read(&p.mmio, p.isr, 1), 0);
}

static void notifications_in_memory_too(void **state)
{
	struct buf b = { DATA, 8, true };
	u16 id;
	u32 len;

	(void)state;
	start(true);
	for (u16 i = 0; i < QUEUES; i++) {
		drv_add(&t.d[i], &b, 1);
		bus_write(&p.mmio, p.notify + i * p.multiplier, 2, i);
		assert_true(drv_get(&t.d[i], &id, &len));
	}
	assert_int_equal(bus_read(&p.mmio, p.notify, 4), 0);
	assert_int_equal(bus_read(&p.pio, p.ports, 2), 0);
}

static void counters(void **state)
{
	(void)state;
	start(false);
	round_trip(0);
	drv_no_signal(&t.d[1], true);
	round_trip(1);
	kick(1);
	virtio_report(&t.dev);
	assert_string_equal(host_last_log,
		"@stats {\"vm\":\"vm\",\"device\":\"virtio-echo 1\",\"chains\":2,\"kicks\":5,"
		"\"interrupts\":1}"); /* two kicks are those at DRIVER_OK */
	start(false);
	virtio_report(&t.dev);
	assert_non_null(strstr(host_last_log, "\"chains\":2,\"kicks\":7"));
}

/* ---- 28: status ---- */

static void status_steps(void **state)
{
	(void)state;
	set_status(VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(status(), 0);
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(status(), VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE); /* a bit is cleared */
	assert_int_equal(status(), VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	add_status(NEEDS_RESET | 0x30); /* not the driver's */
	assert_int_equal(status(), VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	start(false);
	add_status(VIRTIO_CONFIG_S_FAILED);
	kick(0);
	assert_int_equal(t.kicks, QUEUES);
	start(false);
	round_trip(0);
}

/* ---- 29: features ---- */

static void features_never_offered(void **state)
{
	static const u64 bad[] = { 0, FEATURE, VERSION_1 | BIT(0), VERSION_1 | BIT(63), ~0ul,
		VERSION_1 | BIT(33) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		negotiate(bad[i]);
		assert_false(status() & VIRTIO_CONFIG_S_FEATURES_OK);
		common_write(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
		common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		assert_false(status() & VIRTIO_CONFIG_S_DRIVER_OK);
		accept(VERSION_1); /* second thoughts */
		add_status(VIRTIO_CONFIG_S_FEATURES_OK);
		assert_true(status() & VIRTIO_CONFIG_S_FEATURES_OK);
	}
	set_status(0);
	set_status(3);
	accept(VERSION_1);
	common_write(VIRTIO_PCI_COMMON_GFSELECT, 4, 0x80000001);
	common_write(VIRTIO_PCI_COMMON_GF, 4, 1);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_GF, 4), 0);
	add_status(VIRTIO_CONFIG_S_FEATURES_OK);
	assert_false(status() & VIRTIO_CONFIG_S_FEATURES_OK);
}

static void features_after_features_ok(void **state)
{
	(void)state;
	negotiate(VERSION_1);
	accept(VERSION_1 | FEATURE);
	common_write(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_GF, 4), 0);
	assert_int_equal(t.dev.accepted, VERSION_1);
}

/* ---- 22, 23, 24, 26: queue registers ---- */

static void live_queues_cannot_be_changed(void **state)
{
	(void)state;
	start(false);
	for (u16 i = 0; i < QUEUES; i++) {
		struct driver other;

		drv_init(&other, 0x30000, 2, false, false);
		enable_queue(i, &other);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_SIZE, 2), SIZE);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_DESCLO, 8), t.d[i].desc);
		common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
		round_trip(i);
	}
	/* A queue that was left out stays out after DRIVER_OK. */
	negotiate(VERSION_1);
	drv_init(&t.d[0], 0x10000, SIZE, false, false);
	enable_queue(0, &t.d[0]);
	add_status(VIRTIO_CONFIG_S_DRIVER_OK);
	enable_queue(1, &t.d[1]);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	round_trip(0);
}

static void queue_sizes_and_places(void **state)
{
	static const struct {
		u16 size;
		u64 desc;
	} bad[] = { { 0, 0x10000 }, { 3, 0x10000 }, { 0xffff, 0x10000 }, { 512, 0x10000 },
		{ SIZE, 0x10001 }, { SIZE, 0xfee00000 }, { SIZE, ~0xful } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		negotiate(VERSION_1);
		drv_init(&t.d[0], 0x10000, SIZE, false, false);
		set_queue(0, &t.d[0]);
		common_write(VIRTIO_PCI_COMMON_Q_SIZE, 2, bad[i].size);
		write_address(VIRTIO_PCI_COMMON_Q_DESCLO, bad[i].desc);
		common_write(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		assert_true(status() & NEEDS_RESET);
		assert_false(p.line); /* not before DRIVER_OK */
		add_status(VIRTIO_CONFIG_S_DRIVER_OK);
		assert_true(p.line);
		kick(0);
		start(false);
		round_trip(0);
	}
}

/* A size between the device's and what queues can have at all. */
static void queue_size_above_the_maximum(void **state)
{
	(void)state;
	negotiate(VERSION_1);
	drv_init(&t.d[0], 0x10000, 128, false, false);
	enable_queue(0, &t.d[0]);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	assert_true(status() & NEEDS_RESET);
}

static void queue_select_out_of_range(void **state)
{
	static const u16 bad[] = { QUEUES, VIRTIO_QUEUES_MAX, 0x7fff, 0xffff };

	(void)state;
	start(false);
	set_status(0);
	negotiate(VERSION_1);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		drv_init(&t.d[0], 0x10000, SIZE, false, false);
		enable_queue(bad[i], &t.d[0]);
		assert_int_equal(set_vector(VIRTIO_PCI_COMMON_Q_MSIX, 0), VIRTIO_MSI_NO_VECTOR);
		for (unsigned reg = VIRTIO_PCI_COMMON_Q_SIZE; reg <= VIRTIO_PCI_COMMON_Q_USEDHI;
			reg += 2)
			assert_int_equal(common_read(reg, 2),
				reg == VIRTIO_PCI_COMMON_Q_MSIX ? VIRTIO_MSI_NO_VECTOR : 0);
	}
	assert_int_equal(status() & NEEDS_RESET, 0);
}

/* ---- 27: notifications ---- */

static void wild_notifications(void **state)
{
	(void)state;
	for (u64 offset = 0; offset < 0x1000; offset += 2)
		bus_write(&p.mmio, p.notify + offset, 2, offset / p.multiplier);
	for (u64 port = 0; port < VIRTIO_QUEUES_MAX * 2; port++)
		bus_write(&p.pio, p.ports + port, 1, port / 2);
	assert_int_equal(t.kicks, 0);
	start(false);
	t.kicks = 0;
	bus_write(&p.pio, p.ports, 2, 1);
	bus_write(&p.pio, p.ports, 2, 0xffff);
	bus_write(&p.pio, p.ports + 2 * p.ports_step, 2, 2);
	bus_write(&p.mmio, p.notify + 0xffc, 4, 0x3ff);
	assert_int_equal(t.kicks, 0);
	for (unsigned i = 0; i < 1000; i++)
		kick(0);
	assert_int_equal(t.kicks, 1000);
	round_trip(0);
}

/* 33: what the driver has not allowed, or has moved away, does nothing; and works when back. */
static void decoding_and_mastering(void **state)
{
	struct buf b = { DATA, 4, true };
	u16 id;
	u32 len;

	(void)state;
	start(false);
	drv_add(&t.d[0], &b, 1);
	config_write(PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	kick(0);
	nothing_answered(0);
	config_write(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	kick(0);
	nothing_answered(0);
	config_write(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_true(drv_get(&t.d[0], &id, &len));      /* the notification was not lost */
	config_write(PCI_BASE_ADDRESS_0, 4, 0x100000); /* onto RAM */
	assert_int_equal(bus_read(&p.mmio, 0x100000, 4), 0xffffffff);
	assert_int_equal(common_read(0, 4), 0xffffffff);
	config_write(PCI_BASE_ADDRESS_0, 4, 0xd0000000);
	find_structures();
	assert_int_equal(status(), READY);
	round_trip(0);
}

/* ---- broken queues ---- */

static void a_broken_queue_stops_alone(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		start(packed);
		enable_msix();
		common_write(VIRTIO_PCI_COMMON_MSIX, 2, 2);
		p.vector[2] = 0;
		drv_raw(&t.d[0], DATA, 0, 0);
		t.dev.rl = (struct ratelimit)RATELIMIT(5);
		kick(0);
		assert_string_equal(host_last_log,
			"vm: virtio-echo 1: queue 0: a descriptor of length 0; it needs a reset");
		assert_true(status() & NEEDS_RESET);
		assert_int_equal(p.vector[2], 1);
		nothing_answered(0);
		t.kicks = 0;
		kick(0);
		assert_int_equal(t.kicks, 0);
		round_trip(1); /* the other one goes on */
		assert_int_equal(p.vector[2], 1);
		start(packed);
		round_trip(0);
	}
}

/* ---- 30: configuration space ---- */

static void config_accesses(void **state)
{
	(void)state;
	assert_int_equal(bus_read(&p.mmio, p.config, 8), 0x1716151413121110);
	assert_int_equal(bus_read(&p.mmio, p.config + 8, 8), 0x1b1a1918);
	assert_int_equal(bus_read(&p.mmio, p.config + 11, 4), 0x1b);
	assert_int_equal(bus_read(&p.mmio, p.config + 12, 4), 0);
	assert_int_equal(bus_read(&p.mmio, p.config + 0xff8, 8), 0);
	bus_write(&p.mmio, p.config, 4, 0); /* read-only */
	assert_int_equal(t.config_writes, 0);
	bus_write(&p.mmio, p.config + 3, 4, 0); /* two of the bytes can change, by half */
	assert_int_equal(t.config_writes, 1);
	assert_int_equal(bus_read(&p.mmio, p.config, 8), 0x1716101013121110);
	bus_write(&p.mmio, p.config + 3, 4, 0); /* the same again is a write too */
	assert_int_equal(t.config_writes, 2);
	bus_write(&p.mmio, p.config + 11, 8, ~0ul);
	bus_write(&p.mmio, p.config + 0xff8, 8, ~0ul);
	assert_int_equal(t.config_writes, 2);
	assert_int_equal(t.dev.config[11], 0x1b);
	assert_int_equal(t.dev.config[12], 0);
	start(false);
	round_trip(0);
	round_trip(1);
}

/* Every offset and size of the common structure: a register changes by an access of its size only.
 */
static void common_accesses(void **state)
{
	(void)state;
	negotiate(VERSION_1);
	for (unsigned size = 1; size <= 8; size *= 2)
		for (unsigned offset = 0; offset < 0x1000; offset++) {
			u64 value = common_read(offset, size);

			if (offset + size > 0x38)
				assert_int_equal(value, 0);
		}
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 1, 1);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 4, 1);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT, 8, 1);
	common_write(VIRTIO_PCI_COMMON_Q_SELECT - 1, 4, 0x100);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_Q_SELECT, 2), 0);
	common_write(VIRTIO_PCI_COMMON_STATUS, 2, 0);
	common_write(VIRTIO_PCI_COMMON_STATUS, 4, 0);
	assert_int_equal(status(), READY & ~VIRTIO_CONFIG_S_DRIVER_OK);
	common_write(VIRTIO_PCI_COMMON_NUMQ, 2, 7); /* read-only */
	common_write(VIRTIO_PCI_COMMON_CFGGENERATION, 1, 7);
	common_write(VIRTIO_PCI_COMMON_Q_NOFF, 2, 7);
	common_write(VIRTIO_PCI_COMMON_DF, 4, 7);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_NUMQ, 2), QUEUES);
	assert_int_equal(common_read(VIRTIO_PCI_COMMON_CFGGENERATION, 1), 0);
	/* Anything at all, anywhere: nothing is hurt, and a reset helps. */
	srand(1);
	for (unsigned i = 0; i < 20000; i++)
		bus_write(&p.mmio, p.common + (unsigned)rand() % 0x3ff8, 1u << rand() % 4,
			(u64)rand() << (rand() % 48) ^ (u64)rand());
	start(false);
	round_trip(0);
	round_trip(1);
}

/* ---- 31: the window in configuration space ---- */

static void set_window(u8 bar, u32 offset, u32 length)
{
	config_write(p.window + 4, 1, bar);
	config_write(p.window + 8, 4, offset);
	config_write(p.window + 12, 4, length);
}

static void the_window(void **state)
{
	static const struct {
		u8 bar;
		u32 offset, length;
	} bad[] = { { 0, 0x2000, 0 }, { 0, 0x2000, 3 }, { 0, 0x2000, 8 }, { 0, 0x2000, ~0u },
		{ 0, 0x2001, 2 }, { 0, 0x2002, 4 }, { 0, 0x4000, 4 }, { 0, ~3u, 4 },
		{ 1, 0x2000, 4 }, { 2, 64, 2 }, { 2, ~1u, 2 }, { 3, 0, 4 }, { 5, 0x2000, 4 },
		{ 0xff, 0x2000, 4 } };

	(void)state;
	set_window(0, 0x2000, 4);
	assert_int_equal(config_read(p.window + 16, 4), 0x13121110);
	set_window(0, 0x2002, 2);
	assert_int_equal(config_read(p.window + 16, 2), 0x1312);
	set_window(0, 0x2007, 1);
	assert_int_equal(config_read(p.window + 16, 1), 0x17);
	set_window(0, VIRTIO_PCI_COMMON_STATUS, 1);
	config_write(p.window + 16, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(status(), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		set_window(bad[i].bar, bad[i].offset, bad[i].length);
		config_write(p.window + 16, 4, 0x5a5a5a5a);
		assert_int_equal(config_read(p.window + 16, 4), 0x5a5a5a5a);
	}
	assert_int_equal(t.dev.config[4], 0x14);
	/* A whole start by the window alone, notifications included. */
	start(false);
	set_window(0, 0x3000 + 4, 2);
	t.kicks = 0;
	config_write(p.window + 16, 2, 1);
	assert_int_equal(t.kicks, 1);
	/* So does the first of the notification capabilities, which leads to the ports. */
	set_window(2, p.ports_step, 2);
	config_write(p.window + 16, 2, 1);
	assert_int_equal(t.kicks, 2);
	set_window(1, 12, 4); /* and a vector of MSI-X, which is masked */
	assert_int_equal(config_read(p.window + 16, 4), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(identity),
		TEST(both_formats_work),
		TEST(registers_read_back),
		TEST(a_reset_forgets_everything),
		TEST(chains_from_before_driver_ok),
		TEST(msix_vectors),
		TEST(intx_through_isr),
		TEST(notifications_in_memory_too),
		TEST(counters),
		TEST(status_steps),
		TEST(features_never_offered),
		TEST(features_after_features_ok),
		TEST(live_queues_cannot_be_changed),
		TEST(queue_sizes_and_places),
		TEST(queue_size_above_the_maximum),
		TEST(queue_select_out_of_range),
		TEST(wild_notifications),
		TEST(decoding_and_mastering),
		TEST(a_broken_queue_stops_alone),
		TEST(config_accesses),
		TEST(common_accesses),
		TEST(the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
