/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A debugger that says anything. An input is what comes on the line, with what the target does in
 * between: a byte 0xfe has a target that runs stop, or end; 0xff frames what follows, up to the
 * next of these two, as a packet whose checksum is right. Checked: the target is asked for nothing
 * it has not got, or while it runs; each reply has a right frame.
 *
 * Sources: hv/ctl/gdb.c hv/ctl/gdb_commands.c hv/ctl/gdb_regs.c
 */
#include <string.h>

#include "hv/ctl/gdb.h"
#include "tests/fuzz/fuzz.h"

#define THREADS	   3u
#define MARK_EVENT 0xfe
#define MARK_FRAME 0xff
#define MEMORY	   0x2000ul

static struct gdb gdb;
static bool running, ended;
static u8 memory[MEMORY];

static void check_thread(unsigned thread)
{
	CHECK(!running && !ended && thread < THREADS);
}

static unsigned threads(void *ctx)
{
	(void)ctx;
	return THREADS;
}

static const char *state(void *ctx, unsigned thread)
{
	(void)ctx;
	check_thread(thread);
	return "here";
}

static void read_reg(void *ctx, unsigned thread, enum gdb_reg r, u8 *value)
{
	(void)ctx;
	check_thread(thread);
	CHECK(gdb_reg_size(r) && gdb_reg_size(r) <= GDB_REG_MAX);
	memset(value, 0x5a, gdb_reg_size(r));
}

static bool write_reg(void *ctx, unsigned thread, enum gdb_reg r, const u8 *value)
{
	(void)ctx;
	check_thread(thread);
	CHECK(gdb_reg_size(r));
	return value[gdb_reg_size(r) - 1] & 1;
}

static size_t mem_read(void *ctx, unsigned thread, u64 address, u8 *buf, size_t len)
{
	(void)ctx;
	check_thread(thread);
	memset(buf, 0xa5, len); /* all of it is there, says the sanitizer */
	if (address >= MEMORY)
		return 0;
	len = MIN(len, MEMORY - address);
	memcpy(buf, memory + address, len);
	return len;
}

static bool mem_write(void *ctx, unsigned thread, u64 address, const u8 *buf, size_t len)
{
	u8 sum = 0;

	(void)ctx;
	check_thread(thread);
	CHECK(len && len <= GDB_PACKET_MAX);
	for (size_t i = 0; i < len; i++)
		sum = (u8)(sum + buf[i]);
	if (address >= MEMORY || len > MEMORY - address)
		return sum & 1;
	memcpy(memory + address, buf, len);
	return true;
}

static enum gdb_result point(void *ctx, unsigned thread, enum gdb_point p, u64 address, u64 len)
{
	(void)ctx;
	check_thread(thread);
	CHECK(p < GDB_POINTS);
	return (enum gdb_result)((address ^ len) % 3);
}

static void clear(void *ctx)
{
	(void)ctx;
	CHECK(!running && !ended);
}

static void resume(void *ctx, const enum gdb_action *action)
{
	bool any = false;

	(void)ctx;
	CHECK(!running && !ended);
	for (unsigned i = 0; i < THREADS; i++) {
		CHECK(action[i] <= GDB_STEP);
		any |= action[i] != GDB_STAY;
	}
	CHECK(any);
	running = true;
}

static void stop(void *ctx)
{
	(void)ctx;
	CHECK(running && !ended);
}

static void end(void *ctx)
{
	(void)ctx;
	CHECK(!running && !ended);
	running = true;
}

static void send_bytes(void *ctx, const u8 *buf, size_t len)
{
	char tail[4];
	u8 sum = 0;

	(void)ctx;
	if (len == 1) {
		CHECK(buf[0] == '+' || buf[0] == '-');
		return;
	}
	CHECK(len >= 4 && buf[0] == '$' && buf[len - 3] == '#');
	for (size_t i = 1; i < len - 3; i++) {
		CHECK(buf[i] != '$' && buf[i] != '#' && buf[i] != '}' && buf[i] < 0x80);
		sum = (u8)(sum + buf[i]);
	}
	snprintf(tail, sizeof(tail), "#%02x", sum);
	CHECK(!memcmp(buf + len - 3, tail, 3));
}

static const struct gdb_ops ops = {
	.threads = threads,
	.state = state,
	.read_reg = read_reg,
	.write_reg = write_reg,
	.read = mem_read,
	.write = mem_write,
	.insert = point,
	.remove = point,
	.clear = clear,
	.resume = resume,
	.stop = stop,
	.kill = end,
	.send = send_bytes,
};

static void event(struct stream *in)
{
	u8 what = byte(in);
	struct gdb_event e = { .why = what % (GDB_WHY_WATCH_ACCESS + 1),
		.thread = byte(in) % THREADS,
		.address = what };

	if (!running)
		return;
	running = false;
	ended = what >= 0xf0;
	if (ended)
		gdb_ended(&gdb, what & 1);
	else
		gdb_stopped(&gdb, &e);
}

static void framed(struct stream *in)
{
	u8 c = '$', sum = 0;
	char tail[4];

	gdb_receive(&gdb, &c, 1);
	while (in->left && *in->at < MARK_EVENT) {
		c = byte(in);
		if (c == '#' || c == '$')
			continue;
		sum = (u8)(sum + c);
		gdb_receive(&gdb, &c, 1);
	}
	snprintf(tail, sizeof(tail), "#%02x", sum);
	gdb_receive(&gdb, (const u8 *)tail, 3);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct stream in = { data, size };

	running = ended = false;
	memset(memory, 0, sizeof(memory));
	gdb_init(&gdb, &ops, NULL);
	while (in.left) {
		u8 c = byte(&in);

		if (c == MARK_EVENT)
			event(&in);
		else if (c == MARK_FRAME)
			framed(&in);
		else
			gdb_receive(&gdb, &c, 1);
		CHECK(gdb_is_running(&gdb) == running);
	}
	return 0;
}
