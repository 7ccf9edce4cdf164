/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC: its registers, edges and levels, masking, remote IRR and EOI, delivery modes; with
 * real local APICs at the other end, and with one that takes nothing.
 *
 * Sources: hv/dev/ioapic.c hv/dev/lapic.c hv/dev/lapic_bus.c hv/dev/lapic_regs.c
 * Sources: hv/dev/lapic_timer.c hv/cpu/timer.c
 */
#include "tests/unit/lapic_util.h"

#include "hv/dev/ioapic.h"

#define PIN	10
#define VECTOR	0x61
#define LOGICAL 0x800u
#define MODE(n) ((u32)(n) << 8)

static struct ioapic io;
static unsigned messages;
static struct apic_msg last;
static bool takes; /* a message arrives */

static bool send(void *ctx, const struct apic_msg *m)
{
	assert_ptr_equal(ctx, &io);
	messages++;
	last = *m;
	return takes && apic_send(f.l, CPUS, m);
}

/* The local APICs' broadcast goes to this IOAPIC. */
static void broadcast(void *ctx, u8 vector)
{
	on_eoi(ctx, vector);
	ioapic_eoi(&io, vector);
}

static int setup(void **state)
{
	static struct lapic_host wired;

	(void)state;
	setup_apics();
	enable_all();
	wired = host;
	wired.eoi = broadcast;
	for (unsigned i = 0; i < CPUS; i++)
		f.l[i].host = &wired;
	ioapic_init(&io, send, &io);
	messages = 0;
	takes = true;
	return 0;
}

static u32 rio(unsigned reg)
{
	ioapic_ops.write(&io, 0, 4, reg);
	return (u32)ioapic_ops.read(&io, 0x10, 4);
}

static void wio(unsigned reg, u32 value)
{
	ioapic_ops.write(&io, 0, 4, reg);
	ioapic_ops.write(&io, 0x10, 4, value);
}

static u32 entry(unsigned pin)
{
	return rio(0x10 + 2 * pin);
}

static void set_entry(unsigned pin, u32 dest, u32 low)
{
	wio(0x11 + 2 * pin, dest << 24);
	wio(0x10 + 2 * pin, low);
}

static void line(bool level)
{
	ioapic_set_irq(&io, PIN, level);
}

static void pulse(void)
{
	line(true);
	line(false);
}

/* ---- registers ---- */

static void registers(void **state)
{
	(void)state;
	assert_int_equal(rio(0), 0);
	assert_int_equal(rio(1), 0x00170020);
	assert_int_equal(rio(2), 0);
	wio(0, 0xffffffff);
	assert_int_equal(rio(0), 0x0f000000);
	assert_int_equal(rio(2), 0x0f000000); /* the arbitration ID follows */
	wio(0, 0x05000000);
	wio(1, 0xffffffff);
	wio(2, 0xffffffff);
	assert_int_equal(rio(0), 0x05000000);
	assert_int_equal(rio(1), 0x00170020);
	assert_int_equal(rio(2), 0x05000000);
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		assert_int_equal(entry(pin), MASKED);
		assert_int_equal(rio(0x11 + 2 * pin), 0);
		wio(0x10 + 2 * pin, 0xffffffff);
		wio(0x11 + 2 * pin, 0xffffffff);
		assert_int_equal(entry(pin), 0x1afff); /* not status, not remote IRR */
		assert_int_equal(rio(0x11 + 2 * pin), 0xff000000);
	}
	ioapic_reset(&io);
	assert_int_equal(rio(0), 0);
	assert_int_equal(entry(3), MASKED);
	assert_int_equal(messages, 0);
}

static void registers_that_are_not_there(void **state)
{
	struct ioapic before;

	(void)state;
	for (unsigned reg = 3; reg < 0x1000; reg++) {
		bool there = (reg & 0xff) < 3 ||
			     ((reg & 0xff) >= 0x10 && (reg & 0xff) < 0x10 + 2 * IOAPIC_PINS);

		if (there)
			continue;
		assert_int_equal(rio(reg), 0);
		before = io;
		wio(reg, 0xffffffff);
		assert_memory_equal(&before, &io, sizeof(before));
		assert_int_equal(rio(reg), 0);
	}
	ioapic_ops.write(&io, 0, 4, 0xffffff01); /* the index has eight bits */
	assert_int_equal(ioapic_ops.read(&io, 0, 4), 1);
	assert_int_equal(ioapic_ops.read(&io, 0x10, 4), 0x00170020);
}

static void odd_accesses(void **state)
{
	static const u64 offsets[] = { 0x01, 0x04, 0x0f, 0x11, 0x14, 0x1c, 0x20, 0x44, 0x80,
		0xff8 };
	struct ioapic before;

	(void)state;
	set_entry(PIN, 1, VECTOR | MASKED);
	ioapic_ops.write(&io, 0, 1, 0x10 + 2 * PIN);
	assert_int_equal(ioapic_ops.read(&io, 0, 1), 0x10 + 2 * PIN);
	assert_int_equal(ioapic_ops.read(&io, 0x10, 1) & 0xff, VECTOR);
	assert_int_equal(ioapic_ops.read(&io, 0x10, 2) & 0xffff, VECTOR);
	assert_int_equal(ioapic_ops.read(&io, 0x10, 8), VECTOR | MASKED);
	assert_int_equal(ioapic_ops.read(&io, 0x40, 4), 0); /* write-only */
	before = io;
	for (unsigned size = 1; size <= 8; size *= 2) {
		if (size != 4)
			ioapic_ops.write(&io, 0x10, size, 0x55);
		for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++) {
			ioapic_ops.write(&io, offsets[i], size, 0x55);
			assert_int_equal(ioapic_ops.read(&io, offsets[i], size), 0);
		}
	}
	assert_memory_equal(&before, &io, sizeof(before));
	ioapic_set_irq(&io, IOAPIC_PINS, true);
	ioapic_set_irq(&io, ~0u, true);
	assert_memory_equal(&before, &io, sizeof(before));
}

/* ---- edges ---- */

static void edges(void **state)
{
	(void)state;
	set_entry(PIN, 1, VECTOR);
	assert_int_equal(messages, 0);
	line(true);
	line(true);
	assert_int_equal(messages, 1);
	assert_false(last.level);
	assert_int_equal(take(1), VECTOR);
	set_entry(PIN, 1, VECTOR); /* still high: no new edge */
	line(false);
	assert_int_equal(messages, 1);
	pulse();
	pulse();
	assert_int_equal(messages, 3);
	assert_int_equal(take(1), VECTOR); /* the local APIC has one bit */
	assert_int_equal(take(1), -1);
	assert_int_equal(entry(PIN), VECTOR);
	assert_int_equal(f.eois, 0);
}

static void edge_while_masked_is_lost(void **state)
{
	(void)state;
	set_entry(PIN, 1, VECTOR | MASKED);
	line(true);
	set_entry(PIN, 1, VECTOR);
	assert_int_equal(messages, 0);
	line(false);
	line(true);
	assert_int_equal(take(1), VECTOR);
}

/* True is active, whatever the polarity bit says. */
static void polarity(void **state)
{
	(void)state;
	set_entry(PIN, 1, VECTOR | BIT(13));
	assert_int_equal(entry(PIN), VECTOR | BIT(13));
	line(true);
	assert_int_equal(take(1), VECTOR);
	line(false);
	assert_int_equal(messages, 1);
}

/* ---- levels ---- */

static void levels(void **state)
{
	(void)state;
	set_entry(PIN, 1, VECTOR | LEVEL);
	line(true);
	line(true);
	assert_int_equal(messages, 1);
	assert_true(last.level);
	assert_int_equal(entry(PIN), VECTOR | LEVEL | REMOTE_IRR);
	set_entry(PIN, 1, VECTOR | LEVEL); /* remote IRR is read-only */
	assert_int_equal(entry(PIN), VECTOR | LEVEL | REMOTE_IRR);
	assert_int_equal(messages, 1);
	for (unsigned i = 2; i < 10; i++) { /* one message for each EOI while the line is up */
		assert_int_equal(take(1), VECTOR);
		assert_int_equal(messages, i);
		assert_int_equal(entry(PIN), VECTOR | LEVEL | REMOTE_IRR);
	}
	assert_int_equal(lapic_ack(&f.l[1]), VECTOR);
	line(false);
	assert_int_equal(entry(PIN), VECTOR | LEVEL | REMOTE_IRR); /* until EOI */
	line(true);
	line(false);
	wr(1, EOI, 0);
	assert_int_equal(entry(PIN), VECTOR | LEVEL);
	assert_int_equal(take(1), -1);
	assert_int_equal(messages, 9);
}

static void level_masked(void **state)
{
	(void)state;
	set_entry(PIN, 1, VECTOR | LEVEL | MASKED);
	line(true);
	assert_int_equal(messages, 0);
	set_entry(PIN, 1, VECTOR | LEVEL); /* looked at again */
	assert_int_equal(lapic_ack(&f.l[1]), VECTOR);
	set_entry(PIN, 1, VECTOR | LEVEL | MASKED); /* while under way */
	assert_int_equal(entry(PIN), VECTOR | LEVEL | MASKED | REMOTE_IRR);
	wr(1, EOI, 0);
	assert_int_equal(entry(PIN), VECTOR | LEVEL | MASKED);
	assert_int_equal(messages, 1);
	set_entry(PIN, 1, VECTOR | LEVEL);
	assert_int_equal(messages, 2);
	set_entry(PIN, 1, VECTOR | LEVEL | MASKED);
	line(false);
	take(1);
	set_entry(PIN, 1, VECTOR | LEVEL);
	assert_int_equal(messages, 2); /* gone meanwhile */
}

static void eoi_register(void **state)
{
	(void)state;
	set_entry(PIN, 1, VECTOR | LEVEL);
	set_entry(PIN + 1, 1, VECTOR | LEVEL); /* two pins of one vector */
	set_entry(PIN + 2, 1, (VECTOR + 1) | LEVEL);
	for (unsigned i = 0; i < 3; i++)
		ioapic_set_irq(&io, PIN + i, true);
	for (unsigned i = 0; i < 3; i++)
		ioapic_set_irq(&io, PIN + i, false);
	ioapic_ops.write(&io, 0x40, 4, VECTOR);
	assert_int_equal(entry(PIN), VECTOR | LEVEL);
	assert_int_equal(entry(PIN + 1), VECTOR | LEVEL);
	assert_int_equal(entry(PIN + 2), (VECTOR + 1) | LEVEL | REMOTE_IRR);
	ioapic_ops.write(&io, 0x40, 4, 0x10);
	assert_int_equal(messages, 3);
	line(true);
	assert_int_equal(messages, 4);
	for (unsigned i = 0; i < 100; i++) /* a storm of EOIs: a message each, no more */
		ioapic_ops.write(&io, 0x40, 4, VECTOR);
	assert_int_equal(messages, 104);
}

static void switching_to_edge_clears_remote_irr(void **state)
{
	(void)state;
	set_entry(PIN, 1, VECTOR | LEVEL);
	line(true);
	set_entry(PIN, 1, VECTOR | MASKED);
	assert_int_equal(entry(PIN), VECTOR | MASKED);
	set_entry(PIN, 1, VECTOR | LEVEL);
	assert_int_equal(entry(PIN), VECTOR | LEVEL | REMOTE_IRR); /* sent anew */
	assert_int_equal(messages, 2);
}

/* Nobody there, or nobody that takes it: nothing is under way, and nothing repeats by itself. */
static void not_taken(void **state)
{
	(void)state;
	takes = false;
	set_entry(PIN, 9, VECTOR | LEVEL);
	line(true);
	assert_int_equal(messages, 1);
	assert_int_equal(entry(PIN), VECTOR | LEVEL);
	ioapic_eoi(&io, VECTOR);
	assert_int_equal(messages, 1);
	set_entry(PIN, 1, VECTOR | LEVEL | MASKED);
	takes = true;
	set_entry(PIN, 1, 0x0f | LEVEL); /* an illegal vector */
	assert_int_equal(entry(PIN), 0x0f | LEVEL);
	assert_int_equal(errors(1), 0x40);
	set_entry(PIN, 1, VECTOR | LEVEL);
	assert_int_equal(take(1), VECTOR);
}

/* ---- messages ---- */

static void destinations(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CPUS; i++)
		wr(i, LDR, 1u << (24 + i));
	set_entry(PIN, 0x0c, LOGICAL | VECTOR);
	pulse();
	assert_true(take(0) < 0 && take(1) < 0 && take(2) == VECTOR && take(3) == VECTOR);
	set_entry(PIN, 0xff, VECTOR);
	pulse();
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(take(i), VECTOR);
	wr(2, TPR, 0x30);
	set_entry(PIN, 0x0c, MODE(APIC_LOWEST) | LOGICAL | LEVEL | VECTOR);
	line(true);
	assert_int_equal(lapic_ack(&f.l[3]), VECTOR);
	assert_int_equal(take(2), -1);
	assert_true(entry(PIN) & REMOTE_IRR);
	line(false);
	wr(3, EOI, 0);
	assert_false(entry(PIN) & REMOTE_IRR);
}

static void delivery_modes(void **state)
{
	static const struct {
		enum apic_delivery mode;
		unsigned messages;
	} modes[] = { { APIC_SMI, 1 }, { APIC_REMOTE_READ, 0 }, { APIC_NMI, 1 }, { APIC_INIT, 1 },
		{ APIC_SIPI, 0 }, { APIC_EXTINT, 1 } };

	(void)state;
	/* All of them are edges, even if programmed as a level. */
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		u32 low = MODE(modes[i].mode) | LEVEL | VECTOR;

		messages = 0;
		line(false);
		set_entry(PIN, 2, low);
		line(true);
		line(true);
		set_entry(PIN, 2, low);
		ioapic_eoi(&io, VECTOR);
		assert_int_equal(messages, modes[i].messages);
		assert_int_equal(entry(PIN), low);
		if (messages)
			assert_false(last.level);
	}
	assert_int_equal(f.nmis[2], 1);
	assert_int_equal(f.inits[2], 1);
	assert_int_equal(f.sipis[2], 0);
	assert_int_equal(f.kicks[2], 0);
	assert_int_equal(errors(2), 0);
}

static void reset_keeps_the_lines(void **state)
{
	(void)state;
	line(true);
	ioapic_reset(&io);
	set_entry(PIN, 1, VECTOR);
	line(true); /* was high all the time */
	assert_int_equal(messages, 0);
	set_entry(PIN, 1, VECTOR | LEVEL);
	assert_int_equal(take(1), VECTOR);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers),
		TEST(registers_that_are_not_there),
		TEST(odd_accesses),
		TEST(edges),
		TEST(edge_while_masked_is_lost),
		TEST(polarity),
		TEST(levels),
		TEST(level_masked),
		TEST(eoi_register),
		TEST(switching_to_edge_clears_remote_irr),
		TEST(not_taken),
		TEST(destinations),
		TEST(delivery_modes),
		TEST(reset_keeps_the_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
