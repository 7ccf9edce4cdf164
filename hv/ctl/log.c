/* SPDX-License-Identifier: BSD-2-Clause */
/* Formats log lines, "[seconds.micros] LEVEL text", and hands each whole to the log port. */
#include "hv/ctl/log.h"
#include "hv/cpu/tsc.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"

#define TEXT_MAX    400
#define LINE_MAX    (TEXT_MAX + 40) /* and the time, the level, the newline */
#define MACHINE_MAX 1000
#define US_PER_S    1000000ul

enum log_level log_level = LOG_INFO;
static log_sink_fn sink;

static const char *const level_name[] = {
	[LOG_ERR] = "ERR ",
	[LOG_WARN] = "WARN",
	[LOG_INFO] = "INFO",
	[LOG_DEBUG] = "DBG ",
};

/* Without a lock, so that nothing can hang: whoever writes first reserves its bytes. */
static struct {
	char *buf;
	size_t size, head; /* head: bytes ever written */
} kept;

void log_keep(char *buf, size_t size)
{
	kept.size = size;
	kept.buf = buf;
}

static void keep(const char *line, size_t len)
{
	size_t at;

	if (!kept.buf)
		return;
	at = __atomic_fetch_add(&kept.head, len, __ATOMIC_RELAXED);
	for (size_t i = 0; i < len; i++)
		kept.buf[(at + i) & (kept.size - 1)] = line[i];
}

static char kept_at(size_t at)
{
	return kept.buf[at & (kept.size - 1)];
}

/* Where the last `lines` whole lines begin. */
static size_t find_lines(size_t head, unsigned lines)
{
	size_t oldest = head > kept.size ? head - kept.size : 0, at = head, begin = head;

	for (unsigned n = 0; at > oldest && n <= lines; at--)
		if (kept_at(at - 1) == '\n') {
			begin = at;
			n++;
		}
	return at == 0 ? 0 : begin;
}

void log_kept(unsigned lines, void (*fn)(void *ctx, const char *line), void *ctx)
{
	size_t head = __atomic_load_n(&kept.head, __ATOMIC_RELAXED), n = 0;
	char line[LINE_MAX + 1];

	if (!kept.buf)
		return;
	for (size_t at = find_lines(head, lines); at < head; at++) {
		char c = kept_at(at);

		if (c != '\n' && n < LINE_MAX) {
			line[n++] = c;
			continue;
		}
		line[n] = '\0';
		n = 0;
		fn(ctx, line);
	}
}

void log_set_sink(log_sink_fn fn)
{
	sink = fn;
}

/* At level "debug" what comes next may be a hang. */
static void put(const char *line, size_t len)
{
	sink(line, len, log_level >= LOG_DEBUG);
}

/* Characters that would break the line, or the terminal of whoever reads it, become '?'. */
static void scrub(char *s)
{
	for (; *s; s++)
		if ((u8)*s < ' ' || *s == 0x7f)
			*s = '?';
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[TEXT_MAX + 1], line[LINE_MAX + 1];
	u64 us = uptime_us();
	va_list ap;
	int n;

	if (level > log_level || !sink)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	scrub(text);
	n = snprintf(line, sizeof(line), "[%5lu.%06lu] %s %s\n", us / US_PER_S, us % US_PER_S,
		level_name[level], text);
	keep(line, MIN((size_t)n, sizeof(line) - 1));
	put(line, MIN((size_t)n, sizeof(line) - 1));
}

void log_machine(const char *fmt, ...)
{
	char line[MACHINE_MAX + 2];
	va_list ap;
	size_t n;

	if (!sink)
		return;
	va_start(ap, fmt);
	vsnprintf(line, MACHINE_MAX + 1, fmt, ap);
	va_end(ap);
	scrub(line);
	n = strlen(line);
	line[n++] = '\n';
	put(line, n);
}

void log_machine_line(const char *line, size_t len)
{
	if (sink)
		put(line, len);
}

void log_flush(void)
{
	if (sink)
		sink("", 0, true);
}

void log_json_string(char *buf, size_t size, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0, left;

	if (size < sizeof("\"\""))
		return;
	left = size - sizeof("\"\""); /* for what stands between the quotes */
	buf[n++] = '"';
	for (; *text; text++) {
		u8 c = (u8)*text;
		bool plain = c >= ' ' && c < 0x7f, quoted = c == '"' || c == '\\';
		size_t need = !plain ? strlen("\\u00xx") : quoted ? 2 : 1;

		if (need > left)
			break;
		left -= need;
		if (!plain) {
			const char escape[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 0xf] };

			memcpy(&buf[n], escape, need);
			n += need;
			continue;
		}
		if (quoted)
			buf[n++] = '\\';
		buf[n++] = (char)c;
	}
	buf[n++] = '"';
	buf[n] = '\0';
}

/* Takes a token. *dropped: how many lines did not get one since the last that did. */
static bool take_token(struct ratelimit *rl, u64 now, u64 hz, unsigned *dropped)
{
	if (hz && now - rl->last >= hz) {
		u64 tokens = rl->tokens + (now - rl->last) / hz;

		rl->tokens = (unsigned)MIN(tokens, (u64)rl->burst);
		rl->last = now;
	}
	if (!rl->tokens) {
		rl->dropped++;
		return false;
	}
	rl->tokens--;
	*dropped = rl->dropped;
	rl->dropped = 0;
	return true;
}

bool ratelimit_pass(struct ratelimit *rl)
{
	unsigned dropped = 0;
	bool pass;

	spin_lock(&rl->lock);
	pass = take_token(rl, tsc_now(), tsc_hz(), &dropped);
	spin_unlock(&rl->lock);
	if (dropped)
		log_write(LOG_WARN, "(%u lines like the next were dropped)", dropped);
	return pass;
}
