/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the protocol: one row a packet, one small function a row. A packet without a row
 * gets an empty reply, which says so. Source: "Debugging with GDB", sections "Packets", "General
 * Query Packets" and "Stop Reply Packets".
 */
#include "hv/ctl/gdb_priv.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"

/* Errors have no meaning of their own: gdb shows the number. */
#define ERROR_FORM  "E01" /* malformed, or more than there is room for */
#define ERROR_THERE "E02" /* there is no such thread, memory or register */
#define ERROR_DO    "E03" /* the target could not do it */
#define ERROR_ENDED "E04"

#define SIGNAL_INT   2u
#define SIGNAL_ABORT 6u
#define SIGNAL_TRAP  5u

#define ALL_THREADS GDB_THREADS_MAX
#define CHUNK	    256u /* bytes of memory that are moved at a time */

static void ok(struct gdb *g)
{
	gdb_put_text(g, "OK");
}

static void result(struct gdb *g, enum gdb_result r)
{
	if (r == GDB_DONE)
		ok(g);
	else if (r == GDB_FAILED)
		gdb_put_text(g, ERROR_DO);
}

/* ---- threads: gdb's 1 to N are ours from 0; its 0 is any, and -1 all ---- */

static bool take_thread(const struct gdb *g, struct gdb_in *in, unsigned *t)
{
	u64 n;

	if (gdb_take_text(in, "-1")) {
		*t = ALL_THREADS;
		return true;
	}
	if (!gdb_take_number(in, &n) || n > g->ops->threads(g->ctx))
		return false;
	*t = n ? (unsigned)n - 1 : g->last.thread;
	return true;
}

static void set_thread(struct gdb *g, struct gdb_in *in)
{
	bool go = gdb_take(in, 'c');
	unsigned t;

	if ((!go && !gdb_take(in, 'g')) || !take_thread(g, in, &t)) {
		gdb_put_text(g, ERROR_THERE);
		return;
	}
	if (go)
		g->go_thread = t;
	else
		g->thread = t == ALL_THREADS ? g->last.thread : t;
	ok(g);
}

static void is_thread_alive(struct gdb *g, struct gdb_in *in)
{
	unsigned t;

	if (take_thread(g, in, &t) && t != ALL_THREADS)
		ok(g);
	else
		gdb_put_text(g, ERROR_THERE);
}

static void list_threads(struct gdb *g, struct gdb_in *in)
{
	unsigned count = g->ops->threads(g->ctx);

	(void)in;
	gdb_put(g, 'm');
	for (unsigned t = 1; t <= count; t++) {
		if (t > 1)
			gdb_put(g, ',');
		gdb_put_number(g, t);
	}
}

static void list_threads_end(struct gdb *g, struct gdb_in *in)
{
	(void)in;
	gdb_put(g, 'l');
}

static void current_thread(struct gdb *g, struct gdb_in *in)
{
	(void)in;
	gdb_put_text(g, "QC");
	gdb_put_number(g, g->thread + 1);
}

static void describe_thread(struct gdb *g, struct gdb_in *in)
{
	char text[64];
	unsigned t;

	if (!take_thread(g, in, &t) || t == ALL_THREADS) {
		gdb_put_text(g, ERROR_THERE);
		return;
	}
	snprintf(text, sizeof(text), "vcpu %u, %s", t, g->ops->state(g->ctx, t));
	gdb_put_hex(g, (const u8 *)text, strlen(text));
}

/* ---- registers ---- */

static void put_reg(struct gdb *g, unsigned thread, enum gdb_reg r)
{
	u8 value[GDB_REG_MAX] = { 0 };

	g->ops->read_reg(g->ctx, thread, r, value);
	gdb_put_hex(g, value, gdb_reg_size(r));
}

static void read_regs(struct gdb *g, struct gdb_in *in)
{
	(void)in;
	for (unsigned r = 0; r < GDB_REGS; r++)
		put_reg(g, g->thread, r);
}

/* What has not changed need not be writable. */
static bool write_reg(struct gdb *g, enum gdb_reg r, const u8 *value)
{
	u8 old[GDB_REG_MAX] = { 0 };

	g->ops->read_reg(g->ctx, g->thread, r, old);
	return !memcmp(old, value, gdb_reg_size(r)) ||
	       g->ops->write_reg(g->ctx, g->thread, r, value);
}

static void write_regs(struct gdb *g, struct gdb_in *in)
{
	u8 value[GDB_REG_MAX];
	bool all = true;

	for (unsigned r = 0; r < GDB_REGS && gdb_left(in); r++) {
		if (!gdb_take_hex(in, value, gdb_reg_size(r))) {
			gdb_put_text(g, ERROR_FORM);
			return;
		}
		all &= write_reg(g, r, value);
	}
	result(g, all ? GDB_DONE : GDB_FAILED);
}

static void read_one_reg(struct gdb *g, struct gdb_in *in)
{
	u64 r;

	if (gdb_take_number(in, &r) && r < GDB_REGS)
		put_reg(g, g->thread, (enum gdb_reg)r);
	else
		gdb_put_text(g, ERROR_THERE);
}

static void write_one_reg(struct gdb *g, struct gdb_in *in)
{
	u8 value[GDB_REG_MAX];
	u64 r;

	if (!gdb_take_number(in, &r) || r >= GDB_REGS || !gdb_take(in, '=') ||
		!gdb_take_hex(in, value, gdb_reg_size((enum gdb_reg)r)))
		gdb_put_text(g, ERROR_FORM);
	else
		result(g, write_reg(g, (enum gdb_reg)r, value) ? GDB_DONE : GDB_FAILED);
}

/* ---- memory ---- */

static bool take_range(struct gdb_in *in, u64 *address, u64 *len)
{
	return gdb_take_number(in, address) && gdb_take(in, ',') && gdb_take_number(in, len);
}

/* As much as there is and as there is room for; nothing at all is an error. */
static void read_memory(struct gdb *g, struct gdb_in *in)
{
	u8 buf[CHUNK];
	u64 address, len;
	size_t got = 0, total = 0;

	if (!take_range(in, &address, &len)) {
		gdb_put_text(g, ERROR_FORM);
		return;
	}
	len = MIN(len, gdb_room(g) / 2);
	while (total < len) {
		size_t n = MIN(len - total, sizeof(buf));

		got = g->ops->read(g->ctx, g->thread, address + total, buf, n);
		gdb_put_hex(g, buf, got);
		total += got;
		if (got < n)
			break;
	}
	if (len && !total)
		gdb_put_text(g, ERROR_THERE);
}

static void write_hex(struct gdb *g, struct gdb_in *in)
{
	u8 buf[CHUNK];
	u64 address, len;
	bool done = true;

	if (!take_range(in, &address, &len) || !gdb_take(in, ':') || gdb_left(in) != len * 2) {
		gdb_put_text(g, ERROR_FORM);
		return;
	}
	while (len && done) {
		size_t n = MIN(len, sizeof(buf));

		done = gdb_take_hex(in, buf, n) &&
		       g->ops->write(g->ctx, g->thread, address, buf, n);
		address += n;
		len -= n;
	}
	result(g, done ? GDB_DONE : GDB_FAILED);
}

/* The data stands there as it is. With no length it is gdb's question whether we take it so. */
static void write_binary(struct gdb *g, struct gdb_in *in)
{
	u64 address, len;

	if (!take_range(in, &address, &len) || !gdb_take(in, ':') || gdb_left(in) != len)
		gdb_put_text(g, ERROR_FORM);
	else if (!len || g->ops->write(g->ctx, g->thread, address, in->p, len))
		ok(g);
	else
		gdb_put_text(g, ERROR_DO);
}

/* ---- breakpoints and watchpoints ---- */

typedef enum gdb_result (*point_fn)(void *ctx, unsigned t, enum gdb_point p, u64 address, u64 len);

static void point(struct gdb *g, struct gdb_in *in, point_fn fn)
{
	u64 kind, address, len;

	if (!gdb_take_number(in, &kind) || !gdb_take(in, ',') || !take_range(in, &address, &len))
		gdb_put_text(g, ERROR_FORM);
	else if (kind < GDB_POINTS && !gdb_left(in)) /* a condition or commands: not ours */
		result(g, fn(g->ctx, g->thread, (enum gdb_point)kind, address, len));
}

static void insert_point(struct gdb *g, struct gdb_in *in)
{
	point(g, in, g->ops->insert);
}

static void remove_point(struct gdb *g, struct gdb_in *in)
{
	point(g, in, g->ops->remove);
}

/* ---- running ---- */

/* There is no reply to these before the target stops again. */
static void go(struct gdb *g, const enum gdb_action *action)
{
	g->out_len = 0;
	g->running = true;
	g->waits = true;
	g->ops->resume(g->ctx, action);
}

/* c, s: the thread of Hc, or all; for a step, one of them. */
static void resume(struct gdb *g, struct gdb_in *in, enum gdb_action what)
{
	unsigned count = g->ops->threads(g->ctx);
	enum gdb_action action[GDB_THREADS_MAX];

	if (gdb_left(in)) { /* from another address: gdb writes the register instead */
		gdb_put_text(g, ERROR_FORM);
		return;
	}
	for (unsigned t = 0; t < count; t++)
		action[t] =
			g->go_thread == ALL_THREADS || g->go_thread == t ? GDB_CONTINUE : GDB_STAY;
	if (what == GDB_STEP)
		action[g->go_thread == ALL_THREADS ? g->thread : g->go_thread] = GDB_STEP;
	go(g, action);
}

static void cont(struct gdb *g, struct gdb_in *in)
{
	resume(g, in, GDB_CONTINUE);
}

static void step(struct gdb *g, struct gdb_in *in)
{
	resume(g, in, GDB_STEP);
}

/* One ";ACTION[:THREAD]" of vCont. Signals, which a machine does not have, are left out. */
static bool take_action(const struct gdb *g, struct gdb_in *in, enum gdb_action *a, unsigned *t)
{
	bool with_signal;
	u64 number;

	if (!gdb_take(in, ';'))
		return false;
	with_signal = gdb_left(in) && (*in->p == 'C' || *in->p == 'S');
	if (gdb_take(in, 'c') || gdb_take(in, 'C'))
		*a = GDB_CONTINUE;
	else if (gdb_take(in, 's') || gdb_take(in, 'S'))
		*a = GDB_STEP;
	else
		return false;
	if (with_signal && !gdb_take_number(in, &number))
		return false;
	*t = ALL_THREADS;
	return !gdb_take(in, ':') || take_thread(g, in, t);
}

/* For each thread the first action that names it counts. */
static void vcont(struct gdb *g, struct gdb_in *in)
{
	enum gdb_action action[GDB_THREADS_MAX] = { GDB_STAY }, a;
	unsigned count = g->ops->threads(g->ctx), t;
	bool any = false;

	while (gdb_left(in)) {
		if (!take_action(g, in, &a, &t)) {
			gdb_put_text(g, ERROR_FORM);
			return;
		}
		for (unsigned i = 0; i < count; i++)
			if ((t == ALL_THREADS || t == i) && action[i] == GDB_STAY) {
				action[i] = a;
				any = true;
			}
	}
	if (any)
		go(g, action);
	else
		gdb_put_text(g, ERROR_FORM);
}

static void vcont_kinds(struct gdb *g, struct gdb_in *in)
{
	(void)in;
	gdb_put_text(g, "vCont;c;C;s;S");
}

/* gdb leaves: the target runs on as if it had never been there. */
static void detach(struct gdb *g, struct gdb_in *in)
{
	enum gdb_action action[GDB_THREADS_MAX];

	(void)in;
	for (unsigned t = 0; t < GDB_THREADS_MAX; t++)
		action[t] = GDB_CONTINUE;
	g->ops->clear(g->ctx);
	ok(g);
	gdb_send(g);
	go(g, action);
	g->waits = false;
}

static void kill(struct gdb *g, struct gdb_in *in)
{
	bool with_reply = gdb_left(in) != 0; /* vKill;PID */

	if (with_reply) {
		ok(g);
		gdb_send(g);
	}
	g->out_len = 0;
	g->running = true;
	g->waits = false;
	g->ops->kill(g->ctx);
}

/* ---- queries ---- */

/* Whether a list of words, separated by ';', has this one. */
static bool has_word(const struct gdb_in *in, const char *word)
{
	size_t len = strlen(word);

	for (const u8 *p = in->p; p != in->end; p++)
		if ((size_t)(in->end - p) >= len && !memcmp(p, word, len) &&
			(p == in->p || p[-1] == ';' || p[-1] == ':') &&
			(p + len == in->end || p[len] == ';'))
			return true;
	return false;
}

/* A new session: what an old one has left behind goes. */
static void supported(struct gdb *g, struct gdb_in *in)
{
	g->swbreak = has_word(in, "swbreak+");
	g->hwbreak = has_word(in, "hwbreak+");
	g->thread = g->last.thread;
	g->go_thread = ALL_THREADS;
	g->ops->clear(g->ctx);
	gdb_put_text(g, "PacketSize=");
	gdb_put_number(g, GDB_PACKET_MAX);
	gdb_put_text(g, ";qXfer:features:read+;QStartNoAckMode+;vContSupported+;"
			"swbreak+;hwbreak+");
}

static void no_ack_mode(struct gdb *g, struct gdb_in *in)
{
	(void)in;
	g->no_ack = true;
	ok(g);
}

static void description(struct gdb *g, struct gdb_in *in)
{
	u64 offset, len;
	size_t at;

	if (!gdb_take_text(in, "target.xml:") || !take_range(in, &offset, &len)) {
		gdb_put_text(g, "E00"); /* what the protocol has for a bad request here */
		return;
	}
	at = g->out_len;
	gdb_put(g, 'l');
	if (gdb_put_description(g, offset, len))
		g->out[at] = 'm';
}

/* The target was there before gdb, and goes on when that leaves. */
static void attached(struct gdb *g, struct gdb_in *in)
{
	(void)in;
	gdb_put(g, '1');
}

static void why_stopped(struct gdb *g, struct gdb_in *in)
{
	(void)in;
	gdb_put_stop(g);
}

/* ---- all of it ---- */

static const struct command {
	const char *name;
	bool whole; /* nothing follows the name */
	void (*run)(struct gdb *g, struct gdb_in *in);
} commands[] = {
	{ "?", true, why_stopped },
	{ "g", true, read_regs },
	{ "G", false, write_regs },
	{ "p", false, read_one_reg },
	{ "P", false, write_one_reg },
	{ "m", false, read_memory },
	{ "M", false, write_hex },
	{ "X", false, write_binary },
	{ "Z", false, insert_point },
	{ "z", false, remove_point },
	{ "H", false, set_thread },
	{ "T", false, is_thread_alive },
	{ "c", false, cont },
	{ "s", false, step },
	{ "vCont?", true, vcont_kinds },
	{ "vCont", false, vcont },
	{ "D", false, detach },
	{ "k", true, kill },
	{ "vKill;", false, kill },
	{ "qSupported", false, supported },
	{ "QStartNoAckMode", true, no_ack_mode },
	{ "qXfer:features:read:", false, description },
	{ "qfThreadInfo", true, list_threads },
	{ "qsThreadInfo", true, list_threads_end },
	{ "qThreadExtraInfo,", false, describe_thread },
	{ "qC", true, current_thread },
	{ "qAttached", false, attached },
};

static const struct command *find(struct gdb_in *in)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		struct gdb_in rest = *in;

		if (gdb_take_text(&rest, commands[i].name) &&
			!(commands[i].whole && gdb_left(&rest))) {
			*in = rest;
			return &commands[i];
		}
	}
	return NULL;
}

/* Of a target that is no more, only its end is left to be told. */
static bool answers_when_ended(const struct command *c)
{
	return c->run == why_stopped || c->run == no_ack_mode;
}

/* A command that lets the target run, or has replied already, leaves an empty out[] behind. */
void gdb_command(struct gdb *g, const u8 *packet, size_t len)
{
	struct gdb_in in = { packet, packet + len };
	const struct command *c = find(&in);

	gdb_reply(g);
	if (c && g->ended && !answers_when_ended(c))
		gdb_put_text(g, ERROR_ENDED);
	else if (c)
		c->run(g, &in);
	if (g->out_len)
		gdb_send(g);
}

/* ---- stop replies ---- */

/* What gdb asks for first of all. */
static const enum gdb_reg expedited[] = { GDB_RBP, GDB_RSP, GDB_RIP };

static void put_reason(struct gdb *g)
{
	static const char *const words[] = {
		[GDB_WHY_STOP] = "",
		[GDB_WHY_ASKED] = "",
		[GDB_WHY_BREAK_SOFT] = "swbreak:;",
		[GDB_WHY_BREAK_HARD] = "hwbreak:;",
		[GDB_WHY_WATCH_WRITE] = "watch:",
		[GDB_WHY_WATCH_ACCESS] = "awatch:",
	};
	enum gdb_why why = g->last.why;

	if ((why == GDB_WHY_BREAK_SOFT && !g->swbreak) ||
		(why == GDB_WHY_BREAK_HARD && !g->hwbreak))
		return;
	gdb_put_text(g, words[why]);
	if (why == GDB_WHY_WATCH_WRITE || why == GDB_WHY_WATCH_ACCESS) {
		gdb_put_number(g, g->last.address);
		gdb_put(g, ';');
	}
}

static void put_byte(struct gdb *g, unsigned b)
{
	u8 byte = (u8)b;

	gdb_put_hex(g, &byte, 1);
}

void gdb_put_stop(struct gdb *g)
{
	if (g->ended) {
		gdb_put(g, g->code ? 'X' : 'W');
		put_byte(g, g->code ? SIGNAL_ABORT : 0);
		return;
	}
	gdb_put(g, 'T');
	put_byte(g, g->last.why == GDB_WHY_ASKED ? SIGNAL_INT : SIGNAL_TRAP);
	put_reason(g);
	for (unsigned i = 0; i < ARRAY_SIZE(expedited); i++) {
		put_byte(g, expedited[i]);
		gdb_put(g, ':');
		put_reg(g, g->last.thread, expedited[i]);
		gdb_put(g, ';');
	}
	gdb_put_text(g, "thread:");
	gdb_put_number(g, g->last.thread + 1);
	gdb_put(g, ';');
}
