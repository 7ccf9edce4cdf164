/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets: $BODY#SS, where SS is the sum of BODY's bytes. Either side answers '+' or '-' until gdb
 * has that turned off. Outside of packets, 0x03 asks for a stop, and all else is noise.
 */
#include "hv/ctl/gdb.h"
#include "hv/ctl/gdb_priv.h"
#include "hv/lib/hex.h"
#include "hv/lib/string.h"

#define INTERRUPT   0x03
#define ESCAPE	    '}'
#define ESCAPE_XOR  0x20
#define HEX_DIGITS  16u
#define TOO_LONG    "E.the packet is too long"
#define PACKET_ENDS 4u /* '$', '#' and the sum */

static const char digits[] = "0123456789abcdef";

/* ---- what is read ---- */

bool gdb_take(struct gdb_in *in, char c)
{
	if (in->p == in->end || *in->p != (u8)c)
		return false;
	in->p++;
	return true;
}

bool gdb_take_text(struct gdb_in *in, const char *text)
{
	size_t len = strlen(text);

	if (gdb_left(in) < len || memcmp(in->p, text, len))
		return false;
	in->p += len;
	return true;
}

bool gdb_take_number(struct gdb_in *in, u64 *n)
{
	unsigned count = 0;

	*n = 0;
	for (; in->p != in->end && hex_digit(*in->p) >= 0; in->p++) {
		if (++count > HEX_DIGITS)
			return false;
		*n = *n << 4 | (unsigned)hex_digit(*in->p);
	}
	return count != 0;
}

bool gdb_take_hex(struct gdb_in *in, u8 *bytes, size_t len)
{
	if (gdb_left(in) / 2 < len)
		return false;
	for (size_t i = 0; i < len; i++, in->p += 2) {
		int high = hex_digit(in->p[0]), low = hex_digit(in->p[1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (u8)(high << 4 | low);
	}
	return true;
}

/* ---- what is written ---- */

size_t gdb_room(const struct gdb *g)
{
	return sizeof(g->out) - PACKET_ENDS + 1 - g->out_len;
}

void gdb_put(struct gdb *g, u8 c)
{
	if (gdb_room(g))
		g->out[g->out_len++] = c;
}

void gdb_put_text(struct gdb *g, const char *s)
{
	while (*s)
		gdb_put(g, (u8)*s++);
}

void gdb_put_number(struct gdb *g, u64 n)
{
	unsigned shift = 60;

	while (shift && !(n >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		gdb_put(g, (u8)digits[n >> shift & 15]);
		if (!shift)
			return;
	}
}

void gdb_put_hex(struct gdb *g, const u8 *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		gdb_put(g, (u8)digits[bytes[i] >> 4]);
		gdb_put(g, (u8)digits[bytes[i] & 15]);
	}
}

void gdb_reply(struct gdb *g)
{
	g->out_len = 0;
	gdb_put(g, '$');
}

void gdb_send(struct gdb *g)
{
	u8 sum = 0;

	for (size_t i = 1; i < g->out_len; i++)
		sum = (u8)(sum + g->out[i]);
	g->out[g->out_len++] = '#';
	g->out[g->out_len++] = (u8)digits[sum >> 4];
	g->out[g->out_len++] = (u8)digits[sum & 15];
	g->ops->send(g->ctx, g->out, g->out_len);
}

/* ---- packets ---- */

static void send_byte(struct gdb *g, u8 c)
{
	g->ops->send(g->ctx, &c, 1);
}

/* gdb begins a session with this one, and expects it to be acknowledged as in a new one. */
static bool begins_session(const struct gdb *g)
{
	static const char word[] = "qSupported";

	return g->in_len >= strlen(word) && !memcmp(g->in, word, strlen(word));
}

static void packet(struct gdb *g)
{
	if (begins_session(g))
		g->no_ack = false;
	if (!g->no_ack)
		send_byte(g, '+');
	if (g->too_long) {
		gdb_reply(g);
		gdb_put_text(g, TOO_LONG);
		gdb_send(g);
	} else if (g->running) {
		g->held = true;
		g->waits = false;
		g->ops->stop(g->ctx);
	} else {
		gdb_command(g, g->in, g->in_len);
	}
}

static void begin_packet(struct gdb *g)
{
	g->receiving = GDB_BODY;
	g->in_len = 0;
	g->sum = 0;
	g->escaped = false;
	g->too_long = false;
}

static void between(struct gdb *g, u8 c)
{
	if (c == '$')
		begin_packet(g);
	else if (c == '-' && !g->no_ack && g->out_len && !g->running)
		g->ops->send(g->ctx, g->out, g->out_len);
	else if (c == INTERRUPT && g->running)
		g->ops->stop(g->ctx);
}

static void body(struct gdb *g, u8 c)
{
	if (c == '$') { /* never in a body: the end of the last packet is lost */
		begin_packet(g);
		return;
	}
	if (c == '#') {
		g->receiving = GDB_SUM_HIGH;
		return;
	}
	g->sum = (u8)(g->sum + c);
	if (c == ESCAPE && !g->escaped) {
		g->escaped = true;
		return;
	}
	if (g->in_len == sizeof(g->in))
		g->too_long = true;
	else
		g->in[g->in_len++] = g->escaped ? c ^ ESCAPE_XOR : c;
	g->escaped = false;
}

static void checksum(struct gdb *g, u8 c)
{
	int high = hex_digit(g->sum_high), low = hex_digit(c);

	g->receiving = GDB_BETWEEN;
	if (high >= 0 && low >= 0 && g->sum == (high << 4 | low))
		packet(g);
	else if (!g->no_ack)
		send_byte(g, '-');
}

static void receive(struct gdb *g, u8 c)
{
	switch (g->receiving) {
	case GDB_BETWEEN: between(g, c); break;
	case GDB_BODY: body(g, c); break;
	case GDB_SUM_HIGH:
		g->sum_high = c;
		g->receiving = GDB_SUM_LOW;
		break;
	case GDB_SUM_LOW: checksum(g, c); break;
	}
}

/* While a packet waits for the target to stop, gdb waits for the reply: what comes is noise. */
void gdb_receive(struct gdb *g, const u8 *buf, size_t len)
{
	for (size_t i = 0; i < len && !g->held; i++)
		receive(g, buf[i]);
}

/* ---- the target's side ---- */

static void answer(struct gdb *g)
{
	if (g->held) {
		g->held = false;
		gdb_command(g, g->in, g->in_len);
	} else if (g->waits) {
		g->waits = false;
		gdb_reply(g);
		gdb_put_stop(g);
		gdb_send(g);
	}
}

void gdb_stopped(struct gdb *g, const struct gdb_event *e)
{
	g->running = false;
	g->last = *e;
	g->thread = e->thread;
	answer(g);
}

void gdb_ended(struct gdb *g, u8 code)
{
	g->running = false;
	g->ended = true;
	g->code = code;
	answer(g);
}

void gdb_init(struct gdb *g, const struct gdb_ops *ops, void *ctx)
{
	memset(g, 0, sizeof(*g));
	g->ops = ops;
	g->ctx = ctx;
	g->go_thread = GDB_THREADS_MAX;
}
