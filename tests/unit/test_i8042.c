/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard controller without a keyboard, and the two reset ports.
 *
 * Sources: hv/dev/i8042.c hv/dev/reset.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/dev/i8042.h"
#include "hv/dev/reset.h"

struct fixture {
	struct i8042 k;
	struct reset r;
	bool irq;
	unsigned resets;
};

static void set_irq(void *ctx, unsigned line, bool level)
{
	struct fixture *f = ctx;

	assert_int_equal(line, 1);
	f->irq = level;
}

static void fire(void *ctx)
{
	((struct fixture *)ctx)->resets++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct wire irq = { .set = set_irq, .ctx = f, .line = 1 };

	i8042_init(&f->k, &irq, fire, f);
	reset_init(&f->r, fire, f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static u8 status(struct fixture *f)
{
	return (u8)i8042_command_io.read(&f->k, 0, 1);
}

static u8 data(struct fixture *f)
{
	assert_true(status(f) & 1);
	return (u8)i8042_data_io.read(&f->k, 0, 1);
}

static void command(struct fixture *f, u8 value)
{
	assert_false(status(f) & 2); /* never busy */
	i8042_command_io.write(&f->k, 0, 1, value);
}

static void write_data(struct fixture *f, u8 value)
{
	i8042_data_io.write(&f->k, 0, 1, value);
}

static void power_on_state(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(status(f), 0x14); /* key lock open, self-test passed, nothing to read */
}

static void answers_its_commands(void **state)
{
	static const struct {
		u8 command, answer;
	} table[] = { { 0xaa, 0x55 }, { 0xab, 0x00 }, { 0xa9, 0x01 }, { 0xc0, 0x80 },
		{ 0xd0, 0x03 } };
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		command(f, table[i].command);
		assert_int_equal(status(f) & 0x09, 0x09);
		assert_int_equal(data(f), table[i].answer);
		assert_int_equal(status(f) & 1, 0);
	}
}

static void command_byte_and_ram(void **state)
{
	struct fixture *f = *state;

	command(f, 0x60);
	write_data(f, 0x47);
	command(f, 0x20);
	assert_int_equal(data(f), 0x47);
	command(f, 0x7f);
	write_data(f, 0x99);
	command(f, 0x3f);
	assert_int_equal(data(f), 0x99);
	command(f, 0xad);
	command(f, 0xa7);
	command(f, 0x20);
	assert_int_equal(data(f), 0x77);
	command(f, 0xae);
	command(f, 0xa8);
	command(f, 0x20);
	assert_int_equal(data(f), 0x47);
}

/* A driver must not have to wait for its own time-out. */
static void absent_devices_time_out_at_once(void **state)
{
	struct fixture *f = *state;

	write_data(f, 0xf2); /* identify keyboard */
	assert_int_equal(status(f) & 0x41, 0x41);
	assert_int_equal(data(f), 0xfe);
	assert_int_equal(status(f) & 0x41, 0);
	command(f, 0xd4);
	write_data(f, 0xf2); /* identify mouse */
	assert_int_equal(status(f) & 0x41, 0x41);
	data(f);
	command(f, 0xd3); /* the loop-back that drivers look for a mouse port with */
	write_data(f, 0x5a);
	assert_int_equal(status(f) & 0x20, 0);
	assert_int_not_equal(data(f), 0x5a);
}

static void interrupt_follows_the_output_buffer(void **state)
{
	struct fixture *f = *state;

	write_data(f, 0xf2);
	assert_false(f->irq); /* not enabled */
	command(f, 0x60);
	write_data(f, 0x01);
	assert_true(f->irq);
	data(f);
	assert_false(f->irq);
	command(f, 0xd2);
	write_data(f, 0x1c);
	assert_true(f->irq);
	assert_int_equal(data(f), 0x1c);
	command(f, 0xaa);
	i8042_reset(&f->k);
	assert_false(f->irq);
}

static void resets_the_machine(void **state)
{
	struct fixture *f = *state;

	command(f, 0xfe);
	assert_int_equal(f->resets, 1);
	command(f, 0xf0);
	assert_int_equal(f->resets, 2);
	command(f, 0xff); /* pulses nothing */
	command(f, 0xfd); /* pulses another line */
	assert_int_equal(f->resets, 2);
	command(f, 0xd1);
	write_data(f, 0x03);
	assert_int_equal(f->resets, 2);
	command(f, 0xd1);
	write_data(f, 0x02);
	assert_int_equal(f->resets, 3);
}

static void a_new_command_forgets_the_old(void **state)
{
	struct fixture *f = *state;

	command(f, 0xd1);
	command(f, 0x60);
	write_data(f, 0x00); /* the command byte, not the output port */
	assert_int_equal(f->resets, 0);
	command(f, 0x20);
	assert_int_equal(data(f), 0);
}

static void unknown_commands_are_silent(void **state)
{
	struct fixture *f = *state;

	for (unsigned c = 0x80; c < 0xa7; c++) {
		command(f, (u8)c);
		assert_int_equal(status(f) & 1, 0);
	}
	assert_int_equal(f->resets, 0);
}

static void reset_control_fires_on_the_edge(void **state)
{
	struct fixture *f = *state;

	reset_control_write(&f->r, 0x02);
	assert_int_equal(f->resets, 0);
	assert_int_equal(reset_control_read(&f->r), 0x02);
	reset_control_write(&f->r, 0x06);
	assert_int_equal(f->resets, 1);
	reset_control_write(&f->r, 0x06);
	assert_int_equal(f->resets, 1);
	reset_control_write(&f->r, 0xf1);
	assert_int_equal(reset_control_read(&f->r), 0);
	reset_control_write(&f->r, RESET_CONTROL_FULL);
	assert_int_equal(f->resets, 2);
	reset_reset(&f->r);
	assert_int_equal(reset_control_read(&f->r), 0);
}

static void port_a(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reset_port_a_io.read(&f->r, 0, 1), 0x02); /* A20 is open */
	reset_port_a_io.write(&f->r, 0, 1, 0x00);
	assert_int_equal(reset_port_a_io.read(&f->r, 0, 1), 0x02);
	assert_int_equal(f->resets, 0);
	reset_port_a_io.write(&f->r, 0, 1, 0x01);
	assert_int_equal(f->resets, 1);
}

static void random_accesses(void **state)
{
	struct fixture *f = *state;

	srand(2);
	for (int i = 0; i < 200000; i++) {
		const struct io_ops *io = rand() % 2 ? &i8042_data_io : &i8042_command_io;

		if (rand() % 3)
			io->write(&f->k, 0, 1, (u64)rand() & 0xff);
		else
			assert_true(io->read(&f->k, 0, 1) <= 0xff);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(power_on_state),
		TEST(answers_its_commands),
		TEST(command_byte_and_ram),
		TEST(absent_devices_time_out_at_once),
		TEST(interrupt_follows_the_output_buffer),
		TEST(resets_the_machine),
		TEST(a_new_command_forgets_the_old),
		TEST(unknown_commands_are_silent),
		TEST(reset_control_fires_on_the_edge),
		TEST(port_a),
		TEST(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
