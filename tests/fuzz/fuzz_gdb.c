/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A debugger that says anything. An input is what comes on the line, with what the target does in
 * between: a byte 0xfe has a target that runs stop, or end; 0xff frames what follows, up to the
 * next of these two, as a packet whose checksum is right. What is checked is in gdb_target.h.
 *
 * Sources: hv/ctl/gdb.c hv/ctl/gdb_commands.c hv/ctl/gdb_regs.c
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/gdb_target.h"

#define MARK_EVENT 0xfe
#define MARK_FRAME 0xff

static void event(struct stream *in)
{
	u8 what = byte(in), thread = byte(in) % THREADS;

	if (!t.running)
		return;
	if (what >= 0xf0)
		target_ends(what & 1);
	else
		target_stops(what % (GDB_WHY_WATCH_ACCESS + 1), thread, what);
}

static void framed(struct stream *in)
{
	u8 c = '$', sum = 0;
	char tail[4];

	target_hears(&c, 1);
	while (in->left && *in->at < MARK_EVENT) {
		c = byte(in);
		if (c == '#' || c == '$')
			continue;
		sum = (u8)(sum + c);
		target_hears(&c, 1);
	}
	snprintf(tail, sizeof(tail), "#%02x", sum);
	target_hears(tail, 3);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct stream in = { data, size };

	target_begin();
	while (in.left) {
		u8 c = byte(&in);

		if (c == MARK_EVENT)
			event(&in);
		else if (c == MARK_FRAME)
			framed(&in);
		else
			target_hears(&c, 1);
		CHECK(gdb_is_running(&t.gdb) == t.running);
	}
	return 0;
}
