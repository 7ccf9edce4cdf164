/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What gdb is shown in tests: two processors, a page of memory, and points, of which there are few.
 * The target is asked for nothing it has not got, and for nothing while it runs or after its end;
 * each reply has a right frame. CHECK() is what the includer ends a test with.
 */
#ifndef TESTS_UNIT_GDB_TARGET_H
#define TESTS_UNIT_GDB_TARGET_H

#include <stdio.h>
#include <string.h>

#include "hv/ctl/gdb.h"
#include "hv/lib/util.h"

#define THREADS 2u
#define MEMORY	0x1000ul /* the only page, and its address */
#define POINTS	4u

struct point {
	enum gdb_point p;
	u64 address, len;
};

static struct {
	struct gdb gdb;
	bool running, ended;
	u8 regs[THREADS][GDB_REGS][GDB_REG_MAX];
	u8 memory[MEMORY];
	struct point point[POINTS];
	unsigned points;
	enum gdb_action action[THREADS];
	unsigned resumed, stops, kills, clears;
	char out[2 * GDB_PACKET_MAX]; /* what was said since target_hears() and target_stops() */
	size_t out_len;
} t;

/* ---- what the stub asks for ---- */

static void check_stopped(unsigned thread)
{
	CHECK(!t.running && !t.ended && thread < THREADS);
}

static unsigned threads(void *ctx)
{
	(void)ctx;
	return THREADS;
}

static const char *state(void *ctx, unsigned thread)
{
	(void)ctx;
	check_stopped(thread);
	return thread ? "halted" : "running";
}

static void read_reg(void *ctx, unsigned thread, enum gdb_reg r, u8 *value)
{
	(void)ctx;
	check_stopped(thread);
	CHECK(gdb_reg_size(r) && gdb_reg_size(r) <= GDB_REG_MAX);
	memcpy(value, t.regs[thread][r], gdb_reg_size(r));
}

static bool write_reg(void *ctx, unsigned thread, enum gdb_reg r, const u8 *value)
{
	(void)ctx;
	check_stopped(thread);
	CHECK(gdb_reg_size(r) && gdb_reg_size(r) <= GDB_REG_MAX);
	if (r == GDB_CR3)
		return false;
	memcpy(t.regs[thread][r], value, gdb_reg_size(r));
	return true;
}

static size_t in_memory(u64 address, size_t len)
{
	return address - MEMORY >= MEMORY ? 0 : MIN(len, 2 * MEMORY - address);
}

static size_t mem_read(void *ctx, unsigned thread, u64 address, u8 *buf, size_t len)
{
	(void)ctx;
	check_stopped(thread);
	memset(buf, 0xa5, len); /* all of it is there, says the sanitizer */
	len = in_memory(address, len);
	if (len)
		memcpy(buf, t.memory + (address - MEMORY), len);
	return len;
}

static bool mem_write(void *ctx, unsigned thread, u64 address, const u8 *buf, size_t len)
{
	(void)ctx;
	check_stopped(thread);
	CHECK(len && len <= GDB_PACKET_MAX);
	if (in_memory(address, len) < len)
		return false;
	memcpy(t.memory + (address - MEMORY), buf, len);
	return true;
}

/* Its number, or that of the next. */
static unsigned find_point(enum gdb_point p, u64 address, u64 len)
{
	unsigned i = 0;

	while (i < t.points &&
		(t.point[i].p != p || t.point[i].address != address || t.point[i].len != len))
		i++;
	return i;
}

static enum gdb_result insert(void *ctx, unsigned thread, enum gdb_point p, u64 address, u64 len)
{
	unsigned i = find_point(p, address, len);

	(void)ctx;
	check_stopped(thread);
	CHECK(p < GDB_POINTS);
	if (p == GDB_WATCH_READ)
		return GDB_UNSUPPORTED;
	if (i == POINTS)
		return GDB_FAILED;
	t.point[i] = (struct point){ p, address, len };
	t.points = MAX(t.points, i + 1);
	return GDB_DONE;
}

static enum gdb_result del(void *ctx, unsigned thread, enum gdb_point p, u64 address, u64 len)
{
	unsigned i = find_point(p, address, len);

	(void)ctx;
	check_stopped(thread);
	CHECK(p < GDB_POINTS);
	if (i < t.points)
		t.point[i] = t.point[--t.points];
	return GDB_DONE;
}

static void clear(void *ctx)
{
	(void)ctx;
	check_stopped(0);
	t.points = 0;
	t.clears++;
}

static void resume(void *ctx, const enum gdb_action *action)
{
	bool any = false;

	(void)ctx;
	check_stopped(0);
	for (unsigned i = 0; i < THREADS; i++) {
		CHECK(action[i] <= GDB_STEP);
		any |= action[i] != GDB_STAY;
		t.action[i] = action[i];
	}
	CHECK(any);
	t.resumed++;
	t.running = true;
}

static void stop(void *ctx)
{
	(void)ctx;
	CHECK(t.running && !t.ended);
	t.stops++;
}

/* It runs until it is said to have ended. */
static void kill_target(void *ctx)
{
	(void)ctx;
	check_stopped(0);
	t.kills++;
	t.running = true;
}

static void check_frame(const u8 *buf, size_t len)
{
	char tail[4];
	u8 sum = 0;

	CHECK(len >= 4 && buf[0] == '$' && buf[len - 3] == '#');
	for (size_t i = 1; i < len - 3; i++) {
		CHECK(buf[i] != '$' && buf[i] != '#' && buf[i] != '}' && buf[i] < 0x80);
		sum = (u8)(sum + buf[i]);
	}
	snprintf(tail, sizeof(tail), "#%02x", sum);
	CHECK(!memcmp(buf + len - 3, tail, 3));
}

static void send_bytes(void *ctx, const u8 *buf, size_t len)
{
	(void)ctx;
	if (len == 1)
		CHECK(buf[0] == '+' || buf[0] == '-');
	else
		check_frame(buf, len);
	CHECK(t.out_len + len < sizeof(t.out));
	memcpy(t.out + t.out_len, buf, len);
	t.out_len += len;
	t.out[t.out_len] = 0;
}

static const struct gdb_ops ops = {
	.threads = threads,
	.state = state,
	.read_reg = read_reg,
	.write_reg = write_reg,
	.read = mem_read,
	.write = mem_write,
	.insert = insert,
	.remove = del,
	.clear = clear,
	.resume = resume,
	.stop = stop,
	.kill = kill_target,
	.send = send_bytes,
};

/* ---- what happens to it ---- */

static void target_begin(void)
{
	memset(&t, 0, sizeof(t));
	gdb_init(&t.gdb, &ops, NULL);
}

static void forget_what_was_said(void)
{
	t.out_len = 0;
	t.out[0] = 0;
}

/* Bytes come on the line. */
static void target_hears(const void *p, size_t len)
{
	forget_what_was_said();
	gdb_receive(&t.gdb, p, len);
}

static void target_stops(enum gdb_why why, unsigned thread, u64 address)
{
	struct gdb_event e = { why, thread, address };

	forget_what_was_said();
	t.running = false;
	gdb_stopped(&t.gdb, &e);
}

static void target_ends(u8 code)
{
	forget_what_was_said();
	t.running = false;
	t.ended = true;
	gdb_ended(&t.gdb, code);
}

#endif
