/* SPDX-License-Identifier: BSD-2-Clause */
/* The keyboard controller, with no keyboard: commands answer, devices time out. */
#include "hv/dev/i8042.h"

#include "hv/lib/string.h"

#define STATUS_OBF     BIT(0) /* output buffer full */
#define STATUS_SYS     BIT(2) /* self-test passed */
#define STATUS_COMMAND BIT(3) /* the last byte written went to the command port */
#define STATUS_UNLOCK  BIT(4) /* the keyboard's key lock is open */
#define STATUS_TIMEOUT BIT(6)

#define CTR_KBD_IRQ	BIT(0)
#define CTR_SYS		BIT(2)
#define CTR_KBD_DISABLE BIT(4)
#define CTR_AUX_DISABLE BIT(5)
#define CTR_TRANSLATE	BIT(6)
#define CTR_POWER_ON	(CTR_SYS | CTR_KBD_DISABLE | CTR_AUX_DISABLE | CTR_TRANSLATE)

enum {
	CMD_READ_RAM = 0x20,  /* to 0x3F */
	CMD_WRITE_RAM = 0x60, /* to 0x7F */
	CMD_AUX_DISABLE = 0xa7,
	CMD_AUX_ENABLE = 0xa8,
	CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_KBD_TEST = 0xab,
	CMD_KBD_DISABLE = 0xad,
	CMD_KBD_ENABLE = 0xae,
	CMD_READ_INPUT = 0xc0,
	CMD_READ_OUTPUT = 0xd0,
	CMD_WRITE_OUTPUT = 0xd1,
	CMD_FAKE_KBD = 0xd2,
	CMD_FAKE_AUX = 0xd3,
	CMD_WRITE_AUX = 0xd4,
	CMD_PULSE = 0xf0, /* to 0xFF: the low four bits name the lines left alone */
};

#define CMD_GROUP_MASK 0xe0u /* RAM commands: the address is in the low five bits */
#define CMD_PULSE_MASK 0xf0u

#define SELF_TEST_PASSED 0x55
#define LINES_FINE	 0x00
#define CLOCK_STUCK_LOW	 0x01 /* what a test of a port without a plug says */
#define REPLY_RESEND	 0xfe /* with STATUS_TIMEOUT: nobody answered */

#define INPUT_PORT 0x80	  /* keyboard not inhibited */
#define OUTPUT_RUN BIT(0) /* the reset line, active low */
#define OUTPUT_A20 BIT(1)

static void update_irq(struct i8042 *k)
{
	wire_set(&k->irq, (k->status & STATUS_OBF) && (k->ram[0] & CTR_KBD_IRQ));
}

/* Puts a byte in the output buffer, in place of one that nobody fetched. */
static void reply(struct i8042 *k, u8 byte, u8 flags)
{
	k->output = byte;
	k->status = (u8)((k->status & ~STATUS_TIMEOUT) | STATUS_OBF | flags);
	update_irq(k);
}

static void nobody_answers(struct i8042 *k)
{
	reply(k, REPLY_RESEND, (u8)STATUS_TIMEOUT);
}

static u8 data_get(void *dev, u64 offset)
{
	struct i8042 *k = dev;

	(void)offset;
	k->status &= (u8) ~(STATUS_OBF | STATUS_TIMEOUT);
	update_irq(k);
	return k->output;
}

/* The data byte of a command that takes one. */
static void command_data(struct i8042 *k, u8 command, u8 value)
{
	if ((command & CMD_GROUP_MASK) == CMD_WRITE_RAM) {
		k->ram[command & ~CMD_GROUP_MASK] = value;
		update_irq(k);
		return;
	}
	switch (command) {
	case CMD_WRITE_OUTPUT:
		if (!(value & OUTPUT_RUN))
			k->reset(k->reset_ctx);
		break;
	case CMD_FAKE_KBD: reply(k, value, 0); break;
	default: nobody_answers(k); break; /* FAKE_AUX, WRITE_AUX */
	}
}

static void data_put(void *dev, u64 offset, u8 value)
{
	struct i8042 *k = dev;
	u8 command = k->command;

	(void)offset;
	k->status &= (u8)~STATUS_COMMAND;
	k->command = 0;
	if (command)
		command_data(k, command, value);
	else
		nobody_answers(k);
}

static u8 status_get(void *dev, u64 offset)
{
	const struct i8042 *k = dev;

	(void)offset;
	return k->status;
}

/* Commands that change the command byte. */
static const struct {
	u8 command, clear, set;
} ctr_command[] = {
	{ CMD_AUX_DISABLE, 0, CTR_AUX_DISABLE },
	{ CMD_AUX_ENABLE, CTR_AUX_DISABLE, 0 },
	{ CMD_KBD_DISABLE, 0, CTR_KBD_DISABLE },
	{ CMD_KBD_ENABLE, CTR_KBD_DISABLE, 0 },
};

/* Commands that are answered with a constant. */
static const struct {
	u8 command, answer;
} constant_command[] = {
	{ CMD_AUX_TEST, CLOCK_STUCK_LOW },
	{ CMD_KBD_TEST, LINES_FINE },
	{ CMD_READ_INPUT, INPUT_PORT },
	{ CMD_READ_OUTPUT, OUTPUT_RUN | OUTPUT_A20 },
};

static bool takes_data(u8 command)
{
	return (command & CMD_GROUP_MASK) == CMD_WRITE_RAM ||
	       (command >= CMD_WRITE_OUTPUT && command <= CMD_WRITE_AUX);
}

static void command_put(void *dev, u64 offset, u8 value)
{
	struct i8042 *k = dev;

	(void)offset;
	k->status |= (u8)STATUS_COMMAND;
	k->command = takes_data(value) ? value : 0;
	for (unsigned i = 0; i < ARRAY_SIZE(ctr_command); i++)
		if (ctr_command[i].command == value)
			k->ram[0] = (u8)((k->ram[0] & ~ctr_command[i].clear) | ctr_command[i].set);
	for (unsigned i = 0; i < ARRAY_SIZE(constant_command); i++)
		if (constant_command[i].command == value)
			reply(k, constant_command[i].answer, 0);
	if ((value & CMD_GROUP_MASK) == CMD_READ_RAM)
		reply(k, k->ram[value & ~CMD_GROUP_MASK], 0);
	if (value == CMD_SELF_TEST) {
		k->status |= (u8)STATUS_SYS;
		reply(k, SELF_TEST_PASSED, 0);
	}
	if ((value & CMD_PULSE_MASK) == CMD_PULSE && !(value & OUTPUT_RUN))
		k->reset(k->reset_ctx);
}

BYTEWISE_OPS(i8042_data_io, data_get, data_put);
BYTEWISE_OPS(i8042_command_io, status_get, command_put);

void i8042_reset(struct i8042 *k)
{
	memset(k->ram, 0, sizeof(k->ram));
	k->ram[0] = (u8)CTR_POWER_ON;
	k->status = (u8)(STATUS_SYS | STATUS_UNLOCK);
	k->output = 0;
	k->command = 0;
	update_irq(k);
}

void i8042_init(struct i8042 *k, const struct wire *irq, void (*reset)(void *ctx), void *reset_ctx)
{
	memset(k, 0, sizeof(*k));
	k->irq = *irq;
	k->reset = reset;
	k->reset_ctx = reset_ctx;
	i8042_reset(k);
}
